//! The command line.

use std::path::PathBuf;

use clap::Parser;
use rec_core::cli::Common;

/// Publish a finished Jibri recording in Notion
///
/// Finds the MP4s in the recording's directory, creates a Notion row for each that has none, and notes its page id there.
/// Ends within 30 seconds; what Notion could not take is remembered on disk and published by the next jitsi-hls-worker.
///
/// Exit status: 0 done or nothing to do, 1 a person is needed, 2 usage, 75 remembered for the worker.
#[derive(Parser, Debug)]
#[command(name = "jitsi-finalize", version)]
pub(crate) struct Cli {
    /// The recording's directory, or a file in it
    #[arg(value_name = "DIR_OR_FILE")]
    pub(crate) path: PathBuf,

    /// Say what would be done, and do none of it
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}
