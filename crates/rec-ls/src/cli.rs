//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use rec_core::cli::Common;

use crate::condition::Condition;

// The values by name, so that `--help` and completions show them.
fn condition() -> impl TypedValueParser<Value = Condition> {
    PossibleValuesParser::new(Condition::ALL.map(Condition::as_str)).try_map(|name| name.parse())
}

/// List recordings, explain what holds one, and find what is wrong on the disk
///
/// Reads the disk and nothing else: nothing is changed, and Notion is not asked.
///
/// Exit status: 0 done, and with --check nothing was found; 1 something was found, or a directory could not be read (the others
/// are listed all the same); 2 usage.
#[derive(Parser, Debug)]
#[command(name = "rec-ls", version)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Cli {
    /// A recording's directory; none, or RECORDINGS_ROOT itself: all that are in it
    #[arg(value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,

    /// Only those in one of these states
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = condition())]
    pub(crate) state: Vec<Condition>,

    /// Only those that need a look: error, gone, lost, waiting, and what had trouble last; with --state, those of them that are in
    /// one of its states
    #[arg(long)]
    pub(crate) failed: bool,

    /// The newest first
    #[arg(short = 't', overrides_with = "largest_first")]
    pub(crate) newest_first: bool,

    /// The largest first
    #[arg(short = 'S', overrides_with = "newest_first")]
    pub(crate) largest_first: bool,

    /// The other way around
    #[arg(short, long)]
    pub(crate) reverse: bool,

    /// As JSON, one object a line
    #[arg(long, conflicts_with = "null")]
    pub(crate) json: bool,

    /// Only the directories, each once, and NUL behind each: for xargs -0
    #[arg(short = '0', long)]
    pub(crate) null: bool,

    /// Explain each recording of these directories: what holds it, and what moves it
    #[arg(
        long,
        requires = "dirs",
        conflicts_with_all = ["check", "state", "failed", "newest_first", "largest_first", "reverse", "json", "null"]
    )]
    pub(crate) why: bool,

    /// Hold the disk against the states: a finding a line, with its remedy
    #[arg(long, conflicts_with_all = ["state", "failed", "newest_first", "largest_first", "reverse", "null"])]
    pub(crate) check: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}
