//! The command line.

use std::ffi::OsString;

use clap::Parser;
use rec_core::cli::Common;

/// Print the public URL of a recording's directory, MP4, playlist or page, one a line
///
/// Exit status: 0 done, 1 for a path that has no URL (the others are printed all the same), 2 usage.
#[derive(Parser, Debug)]
#[command(name = "rec-url", version)]
pub(crate) struct Cli {
    /// A directory or file below RECORDINGS_ROOT; `-` reads paths from stdin, one a line
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<OsString>,

    /// End each URL with NUL instead of a newline, and expect the same of the paths on stdin
    #[arg(short = '0', long)]
    pub(crate) null: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}
