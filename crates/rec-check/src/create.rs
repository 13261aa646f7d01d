//! `--create-database`: the Notion database with the right columns, and the line for the env file.

use std::ffi::OsStr;
use std::io::Write as _;

use anyhow::{Result, bail};
use rec_core::config::{self, Notion, notion_id};
use rec_core::deadline::Deadline;
use rec_core::envfile;
use rec_core::exit::Exit;
use rec_core::log::say;
use rec_core::notion::{Client, Kind, PageId};

use crate::cli::Cli;
use crate::look::QUESTION;

const KEY: &str = "NOTION_DATABASE_ID";
const TITLE: &str = "Recordings";

pub(crate) fn create(cli: &Cli, page: &OsStr) -> Result<Exit> {
    let path = cli.common.env_file();
    let env = envfile::read(&path)?;
    let notion = Notion::before_its_database(&path, &env)?;
    let page = notion_id(&page.to_string_lossy()).map_err(|why| anyhow::anyhow!("--create-database {why}"))?;
    let Some(page) = PageId::parse(&page) else { bail!("--create-database: no page id") };
    let example_left = config::examples_left(&path, &env).iter().any(|left| left.contains(&format!(" {KEY}: ")));
    if let Some(line) = env.line_of(KEY).filter(|_| !example_left && env.get(KEY).is_some_and(|id| !id.is_empty())) {
        bail!("{}:{line}: {KEY}: is set: remove that line first if you want another database", path.display());
    }
    let quiet = cli.common.quiet;
    if cli.dry_run {
        say(&format!(
            "Would make a database \"{TITLE}\" on page {page}, with the columns Name, Date, Recording URL, Room, Status and Provider"
        ));
        return Ok(Exit::Done);
    }
    let client = Client::new((&notion).into(), Deadline::within(3 * QUESTION));
    match client.create_database(&page, TITLE) {
        Ok(created) => {
            writeln!(std::io::stdout(), "{KEY}='{}'", created.id)?;
            if !quiet {
                let at = if created.url.is_empty() { String::new() } else { format!(": {}", created.url) };
                say(&format!("Made the database \"{TITLE}\"{at}"));
                say(&format!("Put the line above into {}, then run rec-check.", path.display()));
            }
            Ok(Exit::Done)
        }
        Err(error) => {
            say(&format!("rec-check: {error}"));
            Ok(match error.kind {
                // Once more might be once too often.
                Kind::Unanswered | Kind::Failed5xx => Exit::Failed,
                _ => error.exit(),
            })
        }
    }
}
