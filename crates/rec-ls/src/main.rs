//! Lists recordings, explains them, and holds the disk against what is known of it. It reads, and changes nothing.

mod check;
mod cli;
mod condition;
mod findings;
mod held;
mod json;
mod list;
mod locks;
mod remedy;
mod rules;
mod tree;
mod when;
mod why;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli: cli::Cli = rec_core::cli::parse();
    rec_core::exit::run("rec-ls", || match () {
        () if cli.why => why::explain(&cli),
        () if cli.check => check::check(&cli),
        () => list::list(&cli),
    })
}
