//! Publishes a finished Jibri recording in Notion: the program that Jibri's `finalize-script` names.

mod cli;
mod finalize;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli: cli::Cli = rec_core::cli::parse();
    finalize::finalize(&cli).into()
}
