//! Looks over an installation: the first thing that an admin runs, and the first that somebody who helps asks for.

mod cli;
mod clock;
mod create;
mod directories;
mod env;
mod exec;
mod ffmpeg;
mod hocon;
mod jibri;
mod look;
mod notion;
mod probe;
mod report;
mod room;
mod schedule;
mod site;
mod url;
mod users;
mod webhooks;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == probe::ARGUMENT) {
        return probe::answer();
    }
    let cli: cli::Cli = rec_core::cli::parse();
    match &cli.create_database {
        Some(page) => rec_core::exit::run("rec-check", || create::create(&cli, page)),
        None => look::look(&cli).into(),
    }
}
