//! A recording's row in Notion: made once, whatever dies or goes missing on the way, and kept true afterwards.
//!
//! Notion's API has no idempotency key. So a create is journaled before it is sent; while its outcome is unknown, Notion is
//! asked for the row by its URL, and another create is sent only when enough time has passed for it to show up in queries.

use std::ffi::OsStr;
use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::adopt::write_id;
use crate::config::Config;
use crate::deadline::{Deadline, age};
use crate::exit::Exit;
use crate::link::Link;
use crate::log::Log;
use crate::notion::{self, Change, Client, Found, Kind, PageId, Provider, Status};
use crate::recording::{Room, STATE};
use crate::state::{Create, Entry, Recording, Row};
use crate::url::PublicUrl;
use crate::{fault, text};

/// When Notion is asked again for the row of a create whose answer was lost.
const LOOK_AGAIN: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// The same for a create that Notion answered with an error of its own, which hardly ever leaves a row.
const LOOK_AGAIN_REFUSED: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How many creates one run sends for a recording while Notion keeps answering them with errors of its own.
const MOST_SENDS: u32 = 3;

/// Why a row is not as it should be.
#[derive(Debug)]
pub enum Trouble {
    /// Notion, or the way to it.
    Notion(notion::Error),
    /// A create may have happened, and cannot be seen yet. Asking makes sense again after so long.
    Unsettled(Duration),
    /// The state cannot be written: nothing was sent that the disk does not know of.
    Disk(anyhow::Error),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notion(error) => error.fmt(f),
            Self::Unsettled(wait) => write!(
                f,
                "whether an earlier create has left a row cannot be seen yet; in {} s it is safe to send another",
                wait.as_secs().max(1)
            ),
            Self::Disk(error) => write!(f, "{error:#}"),
        }
    }
}

impl Trouble {
    /// How a tool ends for it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Notion(error) => error.exit(),
            Self::Unsettled(_) => Exit::Later,
            Self::Disk(error) => error.into(),
        }
    }
}

impl From<notion::Error> for Trouble {
    fn from(error: notion::Error) -> Self {
        Self::Notion(error)
    }
}

/// Makes and changes rows.
pub struct Publisher<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Notion.
    pub client: Client,
    /// The log.
    pub log: &'a Log,
}

/// Where the row's page id came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was there before.
    Already,
    /// Created just now.
    Created,
    /// Created by an earlier run whose answer was lost, and found again.
    Found,
}

impl Publisher<'_> {
    /// The public URL of a recording's MP4, where it has one.
    pub fn url(&self, entry: &Entry<'_>) -> PublicUrl {
        match &entry.recording().file {
            Some(file) => entry.room.url(self.config, [file.as_ref()]),
            None => self.url_of_hls(entry, Link::default()),
        }
    }

    /// The public URL of its HLS.
    fn url_of_hls(&self, entry: &Entry<'_>, link: Link) -> PublicUrl {
        let dir = entry.recording().hls_dir();
        entry.room.url(self.config, [OsStr::new(&dir), OsStr::new(link.file())])
    }

    /// Sees to it that the recording has exactly one row, and that the disk knows its page. `status` is what a new row says.
    pub fn ensure(&self, entry: &mut Entry<'_>, status: Status, deadline: &Deadline) -> Result<Made, Trouble> {
        if entry.recording().page_id.is_some() {
            note_id(entry)?;
            return Ok(Made::Already);
        }
        if entry.recording().create.is_some() {
            let page = match self.look_up(entry)? {
                Some(page) => Some(page),
                None if self.wait_out(entry, deadline)? => self.look_up(entry)?,
                None => None,
            };
            if let Some(page) = page {
                settle(entry, page, None)?;
                return Ok(Made::Found);
            }
        }
        // Whatever is wrong with the token, the database or its columns shows here, where nothing was created yet.
        self.client.prepare()?;
        self.create(entry, status, deadline)
    }

    /// Sends a create, and sees what becomes of it.
    fn create(&self, entry: &mut Entry<'_>, status: Status, deadline: &Deadline) -> Result<Made, Trouble> {
        let made = Row::mp4(status);
        let mut sends = 0;
        loop {
            sends += 1;
            let error = match self.send(entry, status) {
                Ok(page) => {
                    settle(entry, page, Some(made))?;
                    return Ok(Made::Created);
                }
                Err(Trouble::Notion(error)) if matches!(error.kind, Kind::Unanswered | Kind::Failed5xx) => error,
                Err(trouble) => return Err(trouble),
            };
            self.log.detail(&format!("{error}; asking whether the row is there all the same"));
            let refused = error.kind == Kind::Failed5xx;
            let pauses = if refused { &LOOK_AGAIN_REFUSED[..] } else { &LOOK_AGAIN[..] };
            let mut known_absent = false;
            for pause in pauses {
                if !deadline.sleep(*pause) {
                    return Err(error.into());
                }
                let looked = self.look_up(entry);
                known_absent = matches!(looked, Ok(None));
                if let Ok(Some(page)) = looked {
                    settle(entry, page, Some(made))?;
                    return Ok(Made::Found);
                }
            }
            if !refused || !known_absent || sends == MOST_SENDS {
                return Err(error.into());
            }
        }
    }

    /// One create: journaled, sent, and out of the journal again where it certainly did not happen.
    fn send(&self, entry: &mut Entry<'_>, status: Status) -> Result<PageId, Trouble> {
        let url = self.url(entry);
        let date = entry.recording().source.map(|source| source.date()).unwrap_or_default();
        let (name, title) = (entry.room.name(), title(self.config, entry.room));
        let error = entry.recording().error.clone().filter(|_| status == Status::Error);
        let row = notion::Row {
            title: &title,
            date: &date,
            url: &url.full(),
            room: &name,
            status,
            provider: Provider::Mp4,
            error: error.as_deref(),
        };
        let create = Create { sent: OffsetDateTime::now_utc(), url: url.bare().to_owned(), refused: false };
        entry.change(|recording| recording.create = Some(create.clone())).map_err(Trouble::Disk)?;
        fault::point("create is sent");
        let created = self.client.create(&row);
        fault::point("create is answered");
        created.or_else(|error| {
            let remains = match error.kind {
                Kind::Unanswered => Some(create),
                Kind::Failed5xx => Some(Create { refused: true, ..create }),
                _ => None,
            };
            entry.change(|recording| recording.create = remains).map_err(Trouble::Disk)?;
            Err(error.into())
        })
    }

    /// Sees to it that a lost create would show up in a query by now: true where that took a wait.
    fn wait_out(&self, entry: &mut Entry<'_>, deadline: &Deadline) -> Result<bool, Trouble> {
        let Some(mut create) = entry.recording().create.clone() else { return Ok(false) };
        let now = OffsetDateTime::now_utc();
        if create.sent > now {
            // The clock was ahead when it was sent. Waiting for it to catch up might take years.
            create.sent = now;
            entry.change(|recording| recording.create = Some(create.clone())).map_err(Trouble::Disk)?;
        }
        let settle = self.config.notion.settle;
        let settle = if create.refused { settle.min(LOOK_AGAIN_REFUSED.iter().sum()) } else { settle };
        let wait = settle.saturating_sub(age(create.sent));
        if wait.is_zero() {
            Ok(false)
        } else if create.refused && deadline.sleep(wait) {
            Ok(true)
        } else {
            Err(Trouble::Unsettled(wait))
        }
    }

    /// Asks Notion for a row that a lost create may have left, passing over the rows of the directory's other recordings.
    fn look_up(&self, entry: &Entry<'_>) -> Result<Option<PageId>, Trouble> {
        let now = self.url(entry);
        // The base, or the password, may have been changed since it was sent.
        let mut urls = vec![now.full(), now.bare().to_owned()];
        urls.extend(entry.recording().create.as_ref().map(|create| create.url.clone()));
        urls.dedup();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        fault::point("row is looked for");
        let mut found = self.client.find_by_url(&urls)?;
        found.retain(|found| !entry.state.recordings.iter().any(|other| other.page_id.as_ref() == Some(&found.id)));
        // Nor a row of long before, of another recording that had the same name; clocks may differ by less than a day.
        let sent = entry.recording().create.as_ref().map(|create| create.sent - time::Duration::DAY);
        found.retain(|found| match OffsetDateTime::parse(&found.created_time, &Rfc3339) {
            Ok(created) => sent.is_none_or(|sent| created >= sent),
            Err(_) => true,
        });
        if let [first, others @ ..] = &found[..]
            && !others.is_empty()
        {
            let others: Vec<_> = others.iter().map(|other| other.id.to_string()).collect();
            self.log.error(&format!(
                "WARNING: {} rows for one recording {}: keeping the oldest, {}; delete by hand what is not wanted of {}",
                found.len(),
                entry.shown(),
                first.id,
                others.join(" ")
            ));
        }
        Ok(found.into_iter().next().map(|Found { id, .. }| id))
    }

    /// Points the row at one of the recording's URLs; no request where Notion has acknowledged just that before.
    pub fn update(&self, entry: &mut Entry<'_>, row: Row) -> Result<(), Trouble> {
        let Some(page) = entry.recording().page_id.clone() else { return Ok(()) };
        if entry.recording().row == Some(row) {
            return Ok(());
        }
        let url = match row.provider {
            Provider::Mp4 => self.url(entry),
            Provider::Hls => self.url_of_hls(entry, row.link),
        };
        // Nobody should take half a meeting for all of it.
        let title = (row.provider == Provider::Hls && entry.recording().damage.is_some())
            .then(|| format!("{} (damaged)", title(self.config, entry.room)));
        let recording = entry.recording();
        let error = match (row.status, recording.row.map(|row| row.status)) {
            (Status::Error, _) => recording.error.as_deref(),
            // What is there may be a person's own words, unless we have put it there.
            (_, Some(Status::Error)) => Some(""),
            _ => None,
        };
        let (provider, status) = (row.provider, row.status);
        let change = Change { title: title.as_deref(), url: &url.full(), provider, status, error };
        fault::point("update is sent");
        self.client.update(&page, &change)?;
        fault::point("update is answered");
        entry
            .change(|recording| {
                (recording.row, recording.remote) = (Some(row), None);
                if row.status == Status::Published {
                    recording.succeeded();
                }
            })
            .map_err(Trouble::Disk)
    }
}

/// What a row is called.
pub fn title(config: &Config, room: &Room) -> String {
    let (prefix, name) = (&config.name_prefix, room.name());
    if prefix.is_empty() { name } else { format!("{prefix} {name}") }
}

/// Records the row: from here on it is never created again. `.notion_id` goes first: a run that dies in between leaves a state
/// that takes the page from there, and no state without its `.notion_id`.
fn settle(entry: &mut Entry<'_>, page: PageId, row: Option<Row>) -> Result<(), Trouble> {
    let noted = match entry.recording().slot {
        0 => write_id(entry.room, &page),
        _ => Ok(()),
    };
    entry
        .change(|recording| {
            (recording.page_id, recording.row, recording.create) = (Some(page), row, None);
            recording.remote = None;
        })
        .and(noted)
        .map_err(Trouble::Disk)
}

/// Writes `.notion_id` of the first recording.
fn note_id(entry: &Entry<'_>) -> Result<(), Trouble> {
    match entry.recording() {
        Recording { slot: 0, page_id: Some(page), .. } => write_id(entry.room, page).map_err(Trouble::Disk),
        _ => Ok(()),
    }
}

/// The scripts' line for a row that could not be made, with what became of the recording.
pub fn create_failed(entry: &Entry<'_>, trouble: &Trouble) -> String {
    let state = text::shown(entry.room.path(STATE));
    format!("ERROR: Notion create page failed: {trouble}; {} is remembered in {state}", entry.shown())
}
