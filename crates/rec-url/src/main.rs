//! Prints the public URL of a recording's directory, MP4, playlist or page.

mod cli;
mod urls;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli: cli::Cli = rec_core::cli::parse();
    rec_core::exit::run("rec-url", || urls::print(&cli))
}
