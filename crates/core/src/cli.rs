//! What every tool's command line has.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Parser;

use crate::config::Config;
use crate::log::{Verbosity, say};

const ENV_FILE_HELP: &str =
    "Read the configuration from PATH [default: $RECORDING_PIPELINE_ENV, else /etc/jitsi/recording-pipeline.env]";

/// The options that all tools share.
#[derive(clap::Args, Clone, Debug)]
pub struct Common {
    /// Where the configuration is.
    #[arg(long, value_name = "PATH", help = ENV_FILE_HELP, global = true)]
    pub env_file: Option<PathBuf>,

    /// Say more on stderr
    #[arg(short, long, global = true)]
    pub verbose: bool,

    /// Say only what went wrong
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub quiet: bool,
}

impl Common {
    /// The env file to read.
    pub fn env_file(&self) -> PathBuf {
        crate::config::env_file(self.env_file.clone())
    }

    /// The configuration, if it can be used. What is wrong with it, or odd about it, is said here.
    pub fn config(&self) -> Option<Config> {
        match Config::load(&self.env_file()) {
            Ok(config) => {
                config.warnings.iter().for_each(|warning| say(&format!("WARNING: {warning}")));
                Some(config)
            }
            Err(problems) => {
                say(&problems.to_string());
                None
            }
        }
    }

    /// How much goes to stderr.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        }
    }
}

/// Parses the command line; usage errors end the process with 2. See [`parse_or`].
pub fn parse<C: Parser>() -> C {
    parse_or(2)
}

/// Parses the command line; usage errors end the process with this code. `--generate-completion SHELL`, which `--help` does not
/// show because only the installation uses it, prints that shell's completion script instead.
pub fn parse_or<C: Parser>(usage: i32) -> C {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == "--generate-completion") {
        let shell = args.next().and_then(|name| name.to_str()?.parse::<clap_complete::Shell>().ok());
        if let Some(shell) = shell {
            let mut command = C::command();
            let name = command.get_name().to_owned();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, name, &mut script);
            // A reader that goes away early wants no more of it.
            let _ = std::io::stdout().write_all(&script);
            #[expect(clippy::exit, reason = "the end of a tool that was asked for its completions")]
            std::process::exit(0);
        }
    }
    C::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        #[expect(clippy::exit, reason = "as clap ends a tool, with a code of our choice")]
        std::process::exit(if error.use_stderr() { usage } else { 0 })
    })
}
