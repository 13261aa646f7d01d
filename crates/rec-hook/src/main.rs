//! Sends, lists and mends signed webhooks, in the manner of sendmail and mailq.

mod cli;
mod end;
mod filter;
mod flush;
mod list;
mod mend;
mod send;

use std::process::ExitCode;

use anyhow::Result;
use rec_core::config::{Config, Destination};
use rec_core::log::Log;

use crate::cli::{Cli, Command};
use crate::end::End;

fn main() -> ExitCode {
    let cli: Cli = rec_core::cli::parse_or(End::Usage.code().into());
    end::of(run(&cli))
}

fn run(cli: &Cli) -> Result<End> {
    match &cli.command {
        Command::Send(args) => send::send(&Tool::new(cli)?, args),
        Command::Flush(args) => flush::flush(&Tool::new(cli)?, args),
        Command::Ls(args) => list::ls(&Tool::new(cli)?, args),
        Command::Show(args) => list::show(&Tool::new(cli)?, args),
        Command::Retry(args) => mend::retry(&Tool::new(cli)?, args),
        Command::Drop(args) => mend::drop(&Tool::new(cli)?, args),
        Command::Sign(args) => filter::sign(cli, args),
        Command::Verify(args) => filter::verify(cli, args),
    }
}

/// What every command needs that works with the outbox.
struct Tool<'a> {
    cli: &'a Cli,
    config: Config,
}

impl<'a> Tool<'a> {
    fn new(cli: &'a Cli) -> Result<Self> {
        match cli.common.config() {
            Some(config) => Ok(Self { cli, config }),
            // Said already.
            None => Err(End::Config.silently()),
        }
    }

    /// The log of what changes or delivers something.
    fn log(&self, dry_run: bool) -> Log {
        Log::for_run(&self.config.log_dir, "rec-hook.log", self.cli.common.verbosity(), dry_run)
    }

    /// A destination by its name.
    fn destination(&self, name: &str) -> Result<&Destination> {
        let found = self.config.webhooks.iter().find(|to| to.name == name);
        found.ok_or_else(|| End::Usage.because(unknown(name, self.config.webhooks.iter().map(|to| to.name.as_str()))))
    }
}

/// What to say of a name that is none of these.
fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let name = rec_core::text::one_line(name);
    if known.is_empty() {
        format!("{name}: no such destination: WEBHOOKS in the env file names none")
    } else {
        format!("{name}: no such destination: name one of {}", known.join(", "))
    }
}
