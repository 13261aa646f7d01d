//! The story: find the page, change it.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rec_core::adopt::{self, NotionId};
use rec_core::config::notion_id;
use rec_core::deadline::Deadline;
use rec_core::exit::Exit;
use rec_core::log::Log;
use rec_core::notion::{Change, Client, PageId};
use rec_core::recording::NOTION_ID;
use rec_core::text::shown;
use rec_core::url;

use crate::cli::Cli;

/// Somebody waits at a shell.
const BUDGET: Duration = Duration::from_secs(60);

pub(crate) fn patch(cli: &Cli) -> Result<Exit> {
    let Some(config) = cli.common.config() else { return Ok(Exit::Failed) };
    let log = Log::stderr(cli.common.verbosity());
    let page = page(&cli.target)?;
    let url = &cli.url;
    let what = format!("page {page}: url={} provider={} status={}", url::masked(url), cli.provider, cli.status);
    if cli.dry_run {
        log.line(&format!("Would change {what}"));
        return Ok(Exit::Done);
    }
    let client = Client::new((&config.notion).into(), Deadline::within(BUDGET));
    let change = Change { title: None, url, provider: cli.provider, status: cli.status, error: None };
    match client.update(&page, &change) {
        Ok(()) => {
            log.warnings(&client.warnings());
            log.detail(&format!("Changed {what}"));
            Ok(Exit::Done)
        }
        Err(error) => {
            log.error(&format!("ERROR: Notion update failed: {error}"));
            Ok(error.exit())
        }
    }
}

/// The page that the argument means: a directory's own, or the one that it spells.
fn page(target: &OsStr) -> Result<PageId> {
    let path = Path::new(target);
    if path.is_dir() {
        let file = shown(path.join(NOTION_ID));
        return match adopt::read_id(path)? {
            Some((NotionId::Page(page), _)) => Ok(page),
            Some((NotionId::Empty, _)) => bail!("{file} is empty: run jitsi-finalize {}", shown(path)),
            Some((NotionId::Garbage(_), _)) => bail!("{file} holds no page id: run jitsi-finalize {}", shown(path)),
            None => bail!("{file} is not there: run jitsi-finalize {}", shown(path)),
        };
    }
    let text = target.to_str().with_context(|| format!("{}: no such directory", shown(path)))?;
    let id =
        notion_id(text).map_err(|why| anyhow::anyhow!("{}: no such directory, and no page: {why}", shown(path)))?;
    PageId::parse(&id).with_context(|| format!("{id} is no page id"))
}
