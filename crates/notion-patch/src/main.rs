//! Points a recording's Notion row at another URL, provider and status: the scripts' `notion_update`, alone.

mod cli;
mod patch;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::checked();
    rec_core::exit::run("notion-patch", || patch::patch(&cli))
}
