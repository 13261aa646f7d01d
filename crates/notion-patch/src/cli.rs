//! The command line.

use std::ffi::OsString;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use rec_core::cli::Common;
use rec_core::notion::{Provider, Status};
use rec_core::url;

// The values by name, so that `--help` and completions show them.
fn provider() -> impl TypedValueParser<Value = Provider> {
    PossibleValuesParser::new(Provider::ALL.map(Provider::as_str)).try_map(|name| name.parse())
}

fn status() -> impl TypedValueParser<Value = Status> {
    PossibleValuesParser::new(Status::ALL.map(Status::as_str)).try_map(|name| name.parse())
}

/// Point a recording's Notion row at another URL, provider and status
///
/// Exit status: 0 done, 1 a person is needed, 2 usage, 75 Notion is away: try later.
#[derive(Parser, Debug)]
#[command(name = "notion-patch", version)]
pub(crate) struct Cli {
    /// The page's id or its URL, or the directory of a recording that has a page
    #[arg(value_name = "PAGE_OR_DIR")]
    pub(crate) target: OsString,

    /// The row's Recording URL
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,

    /// The row's Provider
    #[arg(long, value_name = "PROVIDER", value_parser = provider())]
    pub(crate) provider: Provider,

    /// The row's Status
    #[arg(long, value_name = "STATUS", value_parser = status())]
    pub(crate) status: Status,

    /// Say what would be changed, and do not change it
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

impl Cli {
    /// The command line; usage errors end the process with 2.
    pub(crate) fn checked() -> Self {
        let cli: Self = rec_core::cli::parse();
        if let Err(why) = url::checked(&cli.url) {
            // Not as a value parser: clap's message would show the value, and with it a password.
            Self::command().error(ErrorKind::ValueValidation, format!("--url {why}")).exit();
        }
        cli
    }
}
