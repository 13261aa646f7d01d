//! The command line.

use std::path::PathBuf;

use clap::Parser;
use rec_core::cli::Common;
use rec_core::config::Profile;

const PROFILE_HELP: &str = "Make these renditions in this run: 480p, abr, source or hybrid [default: HLS_PROFILE]";

/// Turn recordings into HLS, point their rows at it, and remove the MP4 when that is safe
///
/// Looks at every directory of RECORDINGS_ROOT while its window is open, or only at those named. A directory that is named
/// is worked on at any hour, and tried again where it had been given up.
///
/// Exit status: 0 done or nothing to do, 1 a person is needed, 2 usage, 75 the next run goes on.
#[derive(Parser, Debug)]
#[command(name = "jitsi-hls-worker", version)]
pub(crate) struct Cli {
    /// A recording's directory; none: all of RECORDINGS_ROOT
    #[arg(value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,

    /// Say what would be done, and do none of it
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Forget what went wrong before with these directories, and take them up again
    #[arg(long, requires = "dirs")]
    pub(crate) retry: bool,

    /// The renditions of this run.
    #[arg(long, value_name = "PROFILE", help = PROFILE_HELP)]
    pub(crate) profile: Option<Profile>,
    /// Work on N recordings at once, the longest first [default: HLS_JOBS, else the number of cores]
    #[arg(short, long, value_name = "N", value_parser = at_least_one)]
    pub(crate) jobs: Option<usize>,

    #[command(flatten)]
    pub(crate) common: Common,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|jobs| *jobs >= 1).ok_or_else(|| "write a whole number from 1 on".to_owned())
}
