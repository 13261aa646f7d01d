//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use rec_core::cli::Common;
use rec_core::config::HookProfile;
use rec_core::state::Moment;

// The values by name, so that `--help` and completions show them.
fn moment() -> impl TypedValueParser<Value = Moment> {
    PossibleValuesParser::new(Moment::ALL.map(Moment::as_str)).try_map(|name| name.parse())
}

fn profile() -> impl TypedValueParser<Value = HookProfile> {
    PossibleValuesParser::new(HookProfile::ALL.map(HookProfile::as_str)).try_map(|name| name.parse())
}

/// Send, list and mend the signed webhooks of recordings
///
/// Exit status: 0 done, or delivered; 1 a person is needed, or a signature is wrong; 64 usage; 65 refused, or given up;
/// 75 it waits for another try; 78 no secret, or no usable configuration.
#[derive(Parser, Debug)]
#[command(name = "rec-hook", version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Tell a destination of a recording, or send it a body from stdin
    Send(Send),
    /// Deliver what is due
    Flush(Flush),
    /// List what waits
    Ls(Ls),
    /// Show an event, its tries and its body
    Show(Show),
    /// Have events tried anew that were given up, and those that wait
    Retry(Retry),
    /// Remove events
    Drop(Drop),
    /// Print the headers that sign the body on stdin
    Sign(Sign),
    /// Say by the exit status whether the body on stdin is signed rightly
    Verify(Verify),
}

#[derive(Args, Debug)]
pub(crate) struct Send {
    /// A destination, as WEBHOOKS names it
    #[arg(value_name = "DEST")]
    pub(crate) to: String,

    /// The recording's directory; `-` reads the body from stdin, and sends it as it is
    #[arg(value_name = "DIR", required_unless_present = "test", conflicts_with = "test")]
    pub(crate) what: Option<OsString>,

    /// What to tell of the recording [default: what the destination is told]
    #[arg(long, value_name = "EVENT", value_parser = moment())]
    pub(crate) event: Option<Moment>,

    /// Send a made-up recording once, and say what the answer means
    #[arg(long)]
    pub(crate) test: bool,

    /// The room of the made-up recording
    #[arg(long, value_name = "NAME", requires = "test", conflicts_with = "what")]
    pub(crate) room: Option<String>,

    /// Say what would be sent, and do not send it
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Flush {
    /// The destinations [default: all]
    #[arg(value_name = "DEST")]
    pub(crate) to: Vec<String>,

    /// Also what is not due yet; a failure then does not count as a try
    #[arg(long)]
    pub(crate) now: bool,

    /// Say what would be delivered, and do not deliver it
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Ls {
    /// The destinations [default: all]
    #[arg(value_name = "DEST")]
    pub(crate) to: Vec<String>,

    /// What was given up, instead of what waits
    #[arg(long)]
    pub(crate) dead: bool,

    /// As a JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The event's id, or its beginning
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Args, Debug)]
pub(crate) struct Retry {
    /// The events' ids, or their beginnings; with --all, destinations
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<String>,

    /// Every event, of all destinations or of those that are named
    #[arg(long)]
    pub(crate) all: bool,

    /// Say what would be tried anew, and change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Drop {
    /// The events' ids, or their beginnings
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,

    /// Say what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

/// Whose signatures.
#[derive(Args, Debug)]
pub(crate) struct Whose {
    /// A destination, as WEBHOOKS names it
    #[arg(value_name = "DEST", required_unless_present = "profile", conflicts_with = "profile")]
    pub(crate) to: Option<String>,

    /// The form of the signature, without a destination and without an env file
    #[arg(long, value_name = "PROFILE", value_parser = profile(), requires = "secret_file")]
    pub(crate) profile: Option<HookProfile>,

    /// The file that holds the secret
    #[arg(long, value_name = "PATH", requires = "profile", conflicts_with = "to")]
    pub(crate) secret_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Sign {
    #[command(flatten)]
    pub(crate) whose: Whose,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) whose: Whose,

    /// The value of the header that signs
    #[arg(long, value_name = "VALUE", required_unless_present = "header")]
    pub(crate) signature: Option<String>,

    /// A header as it was received, `Name: value`; may be given several times
    #[arg(long, value_name = "HEADER")]
    pub(crate) header: Vec<String>,

    /// Accept a time that is more than five minutes away
    #[arg(long)]
    pub(crate) any_time: bool,
}
