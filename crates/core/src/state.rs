//! `.recording.json`: what the suite knows of a directory's recordings, and what it has promised about them.
//!
//! No secret is ever in it: URLs are kept without the site's password.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::str::FromStr;
use std::{fmt, io};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::access;
use crate::durable;
use crate::hold::Hold;
use crate::link::Link;
use crate::notion::{PageId, Provider, Status};
use crate::recording::{Fingerprint, Mp4, Room, STATE};
use crate::{small, text};
use later::{Unknown, restore, unknown};

/// The version of the format. A later one that only adds fields keeps it.
const VERSION: u32 = 1;

/// The largest state file, in bytes: thousands of recordings in one directory.
const LARGEST: u64 = 16 << 20;

/// The largest number of an HLS directory: beyond what any directory holds, and far from where counting ends.
const LAST_SLOT: u32 = 1_000_000;

/// A directory's state. Fields that this version does not know survive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// One entry a recording, in the order of their HLS directories.
    pub recordings: Vec<Recording>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What every version of the format has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// A state that a later version of the suite has written.
#[derive(Debug)]
pub struct Newer(u32);

impl fmt::Display for Newer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its version is {}, and this program knows versions up to {VERSION}: install a newer one", self.0)
    }
}

impl std::error::Error for Newer {}

/// The first slot from `slot` on whose directory is not there yet.
pub(crate) fn free_slot(mut slot: u32, taken: impl Fn(u32) -> bool) -> u32 {
    while taken(slot) {
        slot += 1;
    }
    slot
}

/// One recording of a directory whose lock is held: each change of it is on the disk before anything follows from it.
pub struct Entry<'a> {
    /// The directory.
    pub room: &'a Room,
    /// Its state.
    pub state: &'a mut State,
    /// Which of its recordings.
    pub index: usize,
}

impl Entry<'_> {
    /// The recording.
    pub fn recording(&self) -> &Recording {
        &self.state.recordings[self.index]
    }

    /// Changes the recording, and writes the state.
    pub fn change(&mut self, edit: impl FnOnce(&mut Recording)) -> Result<()> {
        edit(&mut self.state.recordings[self.index]);
        self.state.save(self.room)
    }

    /// `room=… file=…`, as the log lines name a recording.
    pub fn shown(&self) -> String {
        format!("room={} file={}", self.room.id(), self.recording().shown())
    }
}

/// One recording: an MP4 that Jibri closed, its row and its HLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The MP4's name; none where it was gone before the suite came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileName>,
    /// The MP4 as it was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Fingerprint>,
    /// The number of its HLS directory: 0 for `v0`.
    pub slot: u32,
    /// A create that was sent, or is about to be, and whose outcome is not known. While this is here, no other is sent before
    /// Notion was asked for the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<Create>,
    /// Its row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_id: Option<PageId>,
    /// What Notion last acknowledged for the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Row>,
    /// Its HLS, verified and in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hls: Option<Hls>,
    /// What is wrong with the MP4, where its HLS holds only what could be decoded of it: then the MP4 is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// It was tried to make HLS of what can be decoded of it, in vain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub salvaged: bool,
    /// When the MP4 was removed.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub removed: Option<OffsetDateTime>,
    /// Runs that failed to make its HLS since the MP4 last changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// The machine has kept its HLS from being made: ffmpeg was killed, the disk was full or could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Hold>,
    /// Notion was away when its row was to be made or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Hold>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// It is left alone until its MP4 changes or a person names its directory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
    /// A person has archived or deleted its row: nothing is asked of Notion until somebody names the directory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub row_gone: bool,
    /// The webhooks that are to get an event and whose outbox has not got it yet, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub owed: BTreeMap<String, Owed>,
    /// The last event that was put into each webhook's outbox.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, Moment>,
    #[serde(flatten)]
    rest: Map<String, Value>,
    #[serde(skip)]
    later: Vec<Unknown>,
}

/// A create whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Create {
    /// When it was sent.
    #[serde(with = "time::serde::rfc3339")]
    pub sent: OffsetDateTime,
    /// The row's URL in it, without the site's password.
    pub url: String,
    /// Notion answered, with an error of its own (409 or 5xx): such a create hardly ever left a row.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

/// What webhooks are told of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Jibri has closed it.
    Recorded,
    /// Its HLS is in place.
    Published,
    /// It cannot be played, or was given up.
    Failed,
}

/// What a webhook is to be told, in the same bytes whenever that will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// What happened.
    pub event: Moment,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Moment {
    /// Every moment.
    pub const ALL: [Self; 3] = [Self::Recorded, Self::Published, Self::Failed];

    /// Its name in settings and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Published => "published",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|moment| moment.as_str() == name)
            .ok_or_else(|| format!("{name:?} is no event: use recorded, published or failed"))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What Notion acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Which of the recording's URLs the row shows.
    pub provider: Provider,
    /// The row's status.
    pub status: Status,
    /// What its URL leads to, where that is HLS.
    #[serde(default, skip_serializing_if = "Link::is_default")]
    pub link: Link,
}

impl Row {
    /// A row that shows the MP4.
    pub const fn mp4(status: Status) -> Self {
        Self { provider: Provider::Mp4, status, link: Link::Playlist }
    }

    /// The row of a recording whose HLS is in place.
    pub const fn published(link: Link) -> Self {
        Self { provider: Provider::Hls, status: Status::Published, link }
    }
}

/// HLS in place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hls {
    /// The MP4 that it was made from; none for HLS of the scripts whose MP4 is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Fingerprint>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl State {
    /// No recordings.
    pub fn empty() -> Self {
        Self { version: VERSION, recordings: Vec::new(), rest: Map::new() }
    }

    /// Reads a room's state; `None` where it has none.
    pub fn load(room: &Room) -> Result<Option<Self>> {
        let path = room.path(STATE);
        let bytes = match small::read(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(access::reading_in_room("read", &path, error)),
        };
        Self::parse(&bytes).map(Some).map_err(|error| {
            let path = text::shown(&path);
            // Nobody should move away what is good.
            let what = if error.is::<Newer>() {
                path
            } else {
                format!("{path} is not a state file of this suite: put it back from a backup, or move it away (rows are then found by .notion_id)")
            };
            error.context(what)
        })
    }

    /// Reads a state from its bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        // First of all: the rest of a later version may be of another shape.
        if let Ok(Versioned { version }) = serde_json::from_slice(bytes)
            && version > VERSION
        {
            return Err(Newer(version).into());
        }
        let mut state: Self = serde_json::from_slice(bytes)?;
        let (read, written): (Value, _) = (serde_json::from_slice(bytes)?, serde_json::to_value(&state)?);
        for (index, recording) in state.recordings.iter_mut().enumerate() {
            recording.later = unknown(&read["recordings"][index], &written["recordings"][index]);
        }
        ensure!(
            state.recordings.iter().all(|recording| recording.slot <= LAST_SLOT),
            "it has a slot beyond {LAST_SLOT}"
        );
        Ok(state)
    }

    /// Writes the state so that it lasts.
    pub fn save(&self, room: &Room) -> Result<()> {
        durable::write(&room.path(STATE), &self.bytes()?)
    }

    /// The state as it is written.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let mut value = serde_json::to_value(self)?;
        for (index, recording) in self.recordings.iter().enumerate() {
            restore(&mut value["recordings"][index], &recording.later);
        }
        let mut bytes = serde_json::to_vec_pretty(&value)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Writes the state unless the disk has it: `before` is what was read, or made of what the scripts left.
    pub fn save_over(&self, before: &Self, room: &Room) -> Result<()> {
        if self != before || !room.path(STATE).exists() { self.save(room) } else { Ok(()) }
    }

    /// Takes in the MP4s of the directory that the state does not know yet, and what has changed of those that it knows.
    /// `taken` says whether a directory `v<slot>` is there already: HLS of unknown origin is never built over.
    pub fn register(&mut self, mp4s: &[Mp4], taken: impl Fn(u32) -> bool) {
        for mp4 in mp4s {
            if let Some(known) = self.recordings.iter_mut().rev().find(|recording| recording.is_of(mp4)) {
                known.seen(mp4.print);
                continue;
            }
            if let Some(renamed) = self.recordings.iter_mut().find(|recording| recording.was(mp4, mp4s)) {
                renamed.file = Some(FileName(mp4.name.clone()));
                continue;
            }
            let next = self.recordings.iter().map(|recording| recording.slot + 1).max().unwrap_or(0);
            self.recordings.push(Recording::new(free_slot(next, &taken), Some(mp4)));
        }
    }

    /// The page of the first recording, which `.notion_id` names too.
    pub fn first_page(&self) -> Option<&PageId> {
        self.recordings.iter().find(|recording| recording.slot == 0)?.page_id.as_ref()
    }
}

impl Recording {
    /// A recording that nothing was done for yet.
    pub fn new(slot: u32, mp4: Option<&Mp4>) -> Self {
        Self {
            file: mp4.map(|mp4| FileName(mp4.name.clone())),
            source: mp4.map(|mp4| mp4.print),
            slot,
            create: None,
            page_id: None,
            row: None,
            hls: None,
            damage: None,
            salvaged: false,
            removed: None,
            failures: 0,
            host: None,
            remote: None,
            error: None,
            given_up: false,
            row_gone: false,
            owed: BTreeMap::new(),
            told: BTreeMap::new(),
            rest: Map::new(),
            later: Vec::new(),
        }
    }

    /// Whether a file is this recording's MP4. Once HLS stands for it, only the very same file is, put back from a backup say;
    /// until then, one of the same name is, though it was written further.
    pub fn is_of(&self, mp4: &Mp4) -> bool {
        let same_file = match self.hls {
            Some(hls) => hls.of == Some(mp4.print),
            None => self.removed.is_none(),
        };
        same_file && self.file.as_ref().is_some_and(|file| file.0 == mp4.name)
    }

    /// Whether a file is this recording's MP4 under another name: its own is gone, and the size and the time, to the
    /// nanosecond, are those of the file that was there.
    fn was(&self, mp4: &Mp4, others: &[Mp4]) -> bool {
        self.hls.is_none() && self.source == Some(mp4.print) && !others.iter().any(|other| self.is_of(other))
    }

    fn seen(&mut self, print: Fingerprint) {
        if self.source.replace(print) != Some(print) {
            self.starts_anew();
        }
    }

    /// Forgets what went wrong before.
    pub fn starts_anew(&mut self) {
        self.succeeded();
        (self.damage, self.salvaged) = (None, false);
    }

    /// Its HLS is in place and whole: what went wrong on the way there is over.
    pub fn succeeded(&mut self) {
        (self.failures, self.error, self.given_up, self.host) = (0, None, false, None);
    }

    /// Whether something went wrong that [`Self::retried`] forgets.
    pub fn is_troubled(&self) -> bool {
        let held = self.host.is_some() || self.remote.is_some();
        held || self.failures > 0 || self.error.is_some() || self.given_up || self.row_gone
    }

    /// A person wants it to be tried again. What is published of a damaged one stays known as that, for its MP4 is kept.
    pub fn retried(&mut self) {
        if self.hls.is_none() {
            self.starts_anew();
        } else {
            self.succeeded();
        }
        (self.row_gone, self.remote) = (false, None);
    }

    /// The name of its HLS directory.
    pub fn hls_dir(&self) -> String {
        format!("v{}", self.slot)
    }

    /// The MP4's name for a log.
    pub fn shown(&self) -> String {
        self.file.as_ref().map(|file| text::shown(&file.0)).unwrap_or_default()
    }

    /// Whether its row says that it is published.
    pub fn is_published(&self) -> bool {
        self.row.is_some_and(|row| row.status == Status::Published)
    }
}

/// A file name as JSON: text where it is UTF-8, else `{"hex": "…"}` of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(pub OsString);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum FileNameForm {
    Text(String),
    Bytes { hex: String },
}

impl AsRef<OsStr> for FileName {
    fn as_ref(&self) -> &OsStr {
        &self.0
    }
}

impl Serialize for FileName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match self.0.to_str() {
            Some(name) => FileNameForm::Text(name.to_owned()),
            None => FileNameForm::Bytes { hex: hex(self.0.as_bytes()) },
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match FileNameForm::deserialize(deserializer)? {
            FileNameForm::Text(name) => name.into_bytes(),
            FileNameForm::Bytes { hex } => {
                unhex(&hex).ok_or_else(|| serde::de::Error::custom("a file name's hex is odd"))?
            }
        };
        // A state file that somebody has edited must not lead out of its directory.
        if bytes.is_empty() || bytes.contains(&b'/') || bytes.contains(&0) || bytes == b"." || bytes == b".." {
            return Err(serde::de::Error::custom("a file name that is none"));
        }
        Ok(Self(OsString::from_vec(bytes)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2))
        .collect()
}

mod later;

#[cfg(test)]
mod tests;
