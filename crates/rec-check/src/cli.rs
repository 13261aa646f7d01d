//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use rec_core::cli::Common;

const AUTH_HELP: &str =
    "A file that holds user:password of the web server [default: $REC_CHECK_AUTH, else PUBLIC_URL_AUTH]";

/// Look over the installation, and say what is wrong and what to do
///
/// Exit status: 0 done, and nothing failed (there may be warnings); 1 something failed; 2 usage; with --create-database 75
/// where Notion is away, and nothing was made.
#[derive(Parser, Debug)]
#[command(name = "rec-check", version)]
pub(crate) struct Cli {
    /// What to look at [default: all]
    #[arg(value_name = "GROUP")]
    pub(crate) groups: Vec<Group>,

    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Make the Notion database on this page (its link, or its id), and print the line for the env file
    #[arg(long, value_name = "PAGE", conflicts_with_all = ["groups", "json"])]
    pub(crate) create_database: Option<OsString>,

    /// Say what --create-database would make, and make nothing
    #[arg(short = 'n', long, requires = "create_database")]
    pub(crate) dry_run: bool,

    /// The user that Jibri runs as: a name, or UID or UID:GID of a container's
    #[arg(long, value_name = "USER", default_value = "jibri")]
    pub(crate) jibri_user: String,

    /// The user that the worker runs as
    #[arg(long, value_name = "USER", default_value = "jitsi-recordings")]
    pub(crate) worker_user: String,

    /// The user that the web server runs as
    #[arg(long, value_name = "USER", default_value = "caddy")]
    pub(crate) caddy_user: String,

    /// Jibri's configuration
    #[arg(long, value_name = "PATH", default_value = "/etc/jitsi/jibri/jibri.conf")]
    pub(crate) jibri_conf: PathBuf,

    /// The worker's cron file
    #[arg(long, value_name = "PATH", default_value = "/etc/cron.d/jitsi-hls-worker")]
    pub(crate) cron_file: PathBuf,

    /// The PATH that cron and systemd give the worker
    #[arg(long, value_name = "DIRS", default_value = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")]
    pub(crate) path: OsString,

    /// Where `user:password` of the web server is.
    #[arg(long, value_name = "PATH", help = AUTH_HELP)]
    pub(crate) auth_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// What belongs together, in the order in which it is looked at. The values are listed in `--help`; the manual page says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    // The env file
    Env,
    // The directories that it names, and who can write there
    Directories,
    // ffmpeg and ffprobe
    Ffmpeg,
    // The token, the database and its columns
    Notion,
    // What the web server gives to whom
    Url,
    // Jibri's configuration
    Jibri,
    // Cron or the timer, and the hours
    Schedule,
    // This machine's clock
    Clock,
    // The destinations, and what waits for them
    Webhooks,
}

impl Cli {
    /// Whether a group is wanted.
    pub(crate) fn wants(&self, group: Group) -> bool {
        self.groups.is_empty() || self.groups.contains(&group)
    }
}
