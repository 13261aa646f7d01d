//! Messages that wait, on disk.
//!
//! ```text
//! SPOOL_DIR/<destination>/
//!   queue/<number>-<id>.event   one line of JSON about the event, and the body, which never changes
//!   queue/<number>-<id>.try     what is known of the tries that failed; without it, it is tried at once
//!   dead/                       the same, of what is not tried any more
//!   off                         its receiver said that nothing shall be sent there (410)
//!   lock, enqueue.lock          held while messages are delivered, and while one is put in
//! ```
//!
//! The numbers are nanoseconds since 1970, and always larger than those in the queue, so that the order of the names is that in
//! which the events came, whatever the clock did.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rec_core::config::{Config, Destination};
use rec_core::deadline::Deadline;
use rec_core::lock::Lock;
use rec_core::state::Moment;
use rec_core::text::shown;
use rec_core::{durable, small};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::event::{Event, id};
use crate::profile;
use crate::verdict::Tries;

/// The largest body.
pub const LARGEST_BODY: u64 = 1 << 20;
/// And what stands before it.
const LARGEST_HEAD: u64 = 64 << 10;
/// How long another one who puts something in is waited for: it writes one small file.
const ENQUEUE_WAIT: Duration = Duration::from_secs(10);
/// The digits of a number in a name.
const DIGITS: usize = 20;
const DIR_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// What became of an event that was put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is in the queue under this id.
    New(String),
    /// It was there already.
    Already(String),
}

impl Enqueued {
    /// The event's id.
    pub fn id(&self) -> &str {
        match self {
            Self::New(id) | Self::Already(id) => id,
        }
    }
}

/// Which of a destination's two directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// What is going to be delivered.
    Queue,
    /// What is not tried any more.
    Dead,
}

impl Lane {
    /// The directory's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Dead => "dead",
        }
    }
}

/// What is known of an event, before its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its id at this destination.
    pub id: String,
    /// What happened; none where somebody gave the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment: Option<Moment>,
    /// When it was put in.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// The meeting's room.
    #[serde(default)]
    pub room: String,
    /// The session.
    #[serde(default)]
    pub session: String,
    /// The file on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl Head {
    /// For log lines: `event=… room=…`.
    pub fn shown(&self) -> String {
        format!("event={} room={}", self.moment.map_or("-", Moment::as_str), self.room)
    }
}

/// An event in the outbox.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What is known of it.
    pub head: Head,
    /// What is sent.
    pub body: Vec<u8>,
}

impl Letter {
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(&self.head)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head = serde_json::from_slice(&bytes[..end]).ok()?;
        Some(Self { head, body: bytes[end + 1..].to_vec() })
    }
}

/// The name of an event in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// `<number>-<id>`.
    stem: String,
}

impl Name {
    fn parse(stem: &str) -> Option<Self> {
        let (number, id) = stem.split_once('-')?;
        let hex = id.strip_prefix("msg_")?;
        let right = number.len() == DIGITS
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && hex.len() == 32
            && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        right.then(|| Self { stem: stem.to_owned() })
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        &self.stem[DIGITS + 1..]
    }

    fn number(&self) -> u128 {
        self.stem[..DIGITS].parse().unwrap_or_default()
    }
}

/// An event of a destination, in one of its directories.
#[derive(Clone, Debug)]
pub struct Item {
    /// The destination.
    pub destination: String,
    /// Where it lies.
    pub lane: Lane,
    /// Its name.
    pub name: Name,
    dir: PathBuf,
}

impl Item {
    /// The event's file.
    pub fn path(&self) -> PathBuf {
        self.dir.join(format!("{}.event", self.name.stem))
    }

    pub(crate) fn try_path(&self) -> PathBuf {
        self.dir.join(format!("{}.try", self.name.stem))
    }

    /// The same in the other directory.
    fn in_lane(&self, lane: Lane) -> Self {
        Self { lane, dir: self.dir.with_file_name(lane.as_str()), ..self.clone() }
    }

    /// Reads the event; `None` where it is not there any more.
    pub fn read(&self) -> Result<Option<Letter>> {
        let path = self.path();
        match small::read(&path, LARGEST_HEAD + LARGEST_BODY) {
            Ok(bytes) => {
                let letter = Letter::parse(&bytes);
                letter.map(Some).with_context(|| format!("{} is damaged: its first line is not ours", shown(&path)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", shown(&path))),
        }
    }

    /// What is known of its tries; nothing where the file is lost or damaged.
    pub fn tries(&self) -> Option<Tries> {
        serde_json::from_slice(&small::read(&self.try_path(), LARGEST_HEAD).ok()?).ok()
    }

    pub(crate) fn note(&self, tries: &Tries) -> Result<()> {
        let mut bytes = serde_json::to_vec(tries)?;
        bytes.push(b'\n');
        durable::write_mode(&self.try_path(), &bytes, FILE_MODE)
    }

    /// Takes it out for good. False where it was gone already.
    pub fn remove(&self) -> Result<bool> {
        let path = self.path();
        let gone = gone(&path).and_then(|was| durable::sync_parent(&path).map(|()| was));
        let was = gone.map_err(|error| durable::failed("remove", &path, error))?;
        // Without its event it means nothing, and is swept.
        let _ = fs::remove_file(self.try_path());
        Ok(was)
    }

    /// Out of the queue, for this reason.
    pub(crate) fn bury(&self, tries: &Tries) -> Result<()> {
        let dead = self.in_lane(Lane::Dead);
        dead.note(tries)?;
        self.move_to(&dead)?;
        let _ = fs::remove_file(self.try_path());
        Ok(())
    }

    /// Has it tried again from the first try on, and now. False where it is gone.
    pub fn revive(&self) -> Result<bool> {
        let queued = self.in_lane(Lane::Queue);
        let old = queued.try_path();
        gone(&old).map_err(|error| durable::failed("remove", &old, error))?;
        if self.lane == Lane::Queue {
            return Ok(self.path().exists());
        }
        if !self.path().exists() {
            return Ok(false);
        }
        make_dir(&queued.dir)?;
        self.move_to(&queued)?;
        let _ = fs::remove_file(self.try_path());
        Ok(true)
    }

    fn move_to(&self, other: &Self) -> Result<()> {
        let (from, to) = (self.path(), other.path());
        fs::rename(&from, &to)
            .and_then(|()| durable::sync_parent(&to))
            .and_then(|()| durable::sync_parent(&from))
            .map_err(|error| durable::failed("move the event to", &to, error))
    }
}

/// What one of a destination's directories holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// The events, in their order.
    pub items: Vec<Item>,
    /// What writers and removers that died have left.
    litter: Vec<PathBuf>,
    /// What is not ours.
    pub strange: Vec<OsString>,
}

impl Listing {
    /// Nothing of ours.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.litter.is_empty()
    }
}

/// Why nothing is sent to a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Off {
    /// What its receiver said.
    pub reason: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// A hash of the URL that said it: another one is tried.
    pub url: String,
}

/// The messages that wait.
#[derive(Clone)]
pub struct Outbox<'a> {
    pub(crate) config: &'a Config,
}

impl<'a> Outbox<'a> {
    /// The outbox that a configuration names; nothing is touched yet.
    pub fn new(config: &'a Config) -> Self {
        Self { config }
    }

    /// Puts an event into the queue of a destination, unless it is there. When this returns, it is on the disk.
    pub fn enqueue(&self, to: &Destination, event: &Event) -> Result<Enqueued> {
        let head = Head {
            id: event.id(&to.name),
            moment: Some(event.moment),
            created: event.at,
            room: event.room_name.clone(),
            session: event.session_id.clone(),
            file: event.file.as_ref().map(|file| file.to_string_lossy().into_owned()),
        };
        let body = (profile::format(to.profile).body)(event).to_string().into_bytes();
        self.put(to, &Letter { head, body })
    }

    /// Puts a body into the queue of a destination as it is.
    pub fn enqueue_body(&self, to: &Destination, body: Vec<u8>, now: OffsetDateTime) -> Result<Enqueued> {
        let chance: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
        let id = id(&[to.name.as_bytes(), &body, &now.unix_timestamp_nanos().to_be_bytes(), &chance]);
        let head = Head { id, moment: None, created: now, room: String::new(), session: String::new(), file: None };
        self.put(to, &Letter { head, body })
    }

    fn put(&self, to: &Destination, letter: &Letter) -> Result<Enqueued> {
        let dir = self.dir_of(&to.name);
        let put = || -> Result<Enqueued> {
            let queue = dir.join(Lane::Queue.as_str());
            for lane in [&dir.join(Lane::Dead.as_str()), &queue] {
                make_dir(lane)?;
            }
            let lock = Lock::acquire(&dir.join("enqueue.lock"), &Deadline::within(ENQUEUE_WAIT))?;
            let Some(_lock) = lock else {
                bail!("{} is locked by another tool: try again", shown(dir.join("enqueue.lock")))
            };
            let queued = self.list(&to.name, Lane::Queue)?.items;
            let id = &letter.head.id;
            if queued.iter().any(|item| item.name.id() == id) {
                return Ok(Enqueued::Already(id.clone()));
            }
            let now = u128::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos()).unwrap_or_default();
            let number = queued.last().map_or(now, |last| now.max(last.name.number() + 1));
            let path = queue.join(format!("{number:0DIGITS$}-{id}.event"));
            durable::write_mode(&path, &letter.to_bytes()?, FILE_MODE)?;
            Ok(Enqueued::New(id.clone()))
        };
        put().with_context(|| format!("webhook to={}: SPOOL_DIR {}", to.name, shown(&self.config.spool_dir)))
    }

    /// What a destination has in one of its directories; nothing where that is not there.
    pub fn list(&self, destination: &str, lane: Lane) -> Result<Listing> {
        let dir = self.dir_of(destination).join(lane.as_str());
        list(destination, lane, &dir).with_context(|| format!("list {}", shown(&dir)))
    }

    /// The destinations: those of `WEBHOOKS`, and those that still have something here.
    pub fn destinations(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.config.webhooks.iter().map(|to| to.name.clone()).collect();
        let spool = &self.config.spool_dir;
        let found = match fs::read_dir(spool) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(names),
            found => found.with_context(|| format!("list {}", shown(spool)))?,
        };
        let mut others = Vec::new();
        for entry in found {
            let entry = entry.with_context(|| format!("list {}", shown(spool)))?;
            let lanes = [Lane::Queue, Lane::Dead];
            if let Ok(name) = entry.file_name().into_string()
                && !names.contains(&name)
                && lanes.iter().any(|lane| entry.path().join(lane.as_str()).is_dir())
            {
                others.push(name);
            }
        }
        others.sort();
        names.append(&mut others);
        Ok(names)
    }

    /// The events whose id begins so, with or without `msg_`, of any destination.
    pub fn find(&self, beginning: &str) -> Result<Vec<Item>> {
        let wanted = beginning.strip_prefix("msg_").unwrap_or(beginning).to_ascii_lowercase();
        let mut found = Vec::new();
        for destination in self.destinations()? {
            for lane in [Lane::Queue, Lane::Dead] {
                let items = self.list(&destination, lane)?.items;
                found.extend(items.into_iter().filter(|item| item.name.id()["msg_".len()..].starts_with(&wanted)));
            }
        }
        Ok(found)
    }

    /// Why nothing is sent to a destination, if that is so for the URL that it has now.
    pub fn off(&self, to: &Destination) -> Option<Off> {
        let off: Off = serde_json::from_slice(&small::read(&self.off_path(&to.name), LARGEST_HEAD).ok()?).ok()?;
        (off.url == url_hash(&to.url)).then_some(off)
    }

    pub(crate) fn switch_off(&self, to: &Destination, reason: &str, now: OffsetDateTime) -> Result<()> {
        let off = Off { reason: reason.to_owned(), since: now, url: url_hash(&to.url) };
        let mut bytes = serde_json::to_vec(&off)?;
        bytes.push(b'\n');
        durable::write_mode(&self.off_path(&to.name), &bytes, FILE_MODE)
    }

    /// Has messages sent to a destination again. False where nothing kept them.
    pub fn switch_on(&self, destination: &str) -> Result<bool> {
        let path = self.off_path(destination);
        gone(&path).map_err(|error| durable::failed("remove", &path, error))
    }

    /// Removes what tools that died have left. The caller holds the lock under which messages are delivered.
    pub(crate) fn sweep(&self, destination: &str) -> Result<()> {
        let lock = Lock::try_acquire(&self.dir_of(destination).join("enqueue.lock"))?;
        for lane in [Lane::Queue, Lane::Dead] {
            for path in self.list(destination, lane)?.litter {
                let event = path.with_extension("event");
                let unwritten = path.as_os_str().as_encoded_bytes().ends_with(b".event.tmp");
                // Somebody who puts one in may just be writing it.
                if (unwritten && lock.is_none()) || (!unwritten && event.exists()) {
                    continue;
                }
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    pub(crate) fn dir_of(&self, destination: &str) -> PathBuf {
        self.config.spool_dir.join(destination)
    }

    fn off_path(&self, destination: &str) -> PathBuf {
        self.dir_of(destination).join("off")
    }
}

fn list(destination: &str, lane: Lane, dir: &Path) -> io::Result<Listing> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Listing::default()),
        entries => entries?,
    };
    let (mut listing, mut tries) = (Listing::default(), Vec::new());
    for entry in entries {
        let entry = entry?;
        let file = entry.file_name();
        if !entry.file_type()?.is_file() {
            listing.strange.push(file);
            continue;
        }
        match kind(&file) {
            Some(Kind::Event(name)) => {
                listing.items.push(Item { destination: destination.to_owned(), lane, name, dir: dir.to_owned() });
            }
            Some(Kind::Try(name)) => tries.push(name),
            Some(Kind::Unwritten) => listing.litter.push(entry.path()),
            None => listing.strange.push(file),
        }
    }
    listing.items.sort_by(|a, b| a.name.cmp(&b.name));
    let events: HashSet<&Name> = listing.items.iter().map(|item| &item.name).collect();
    let lonely = tries.iter().filter(|name| !events.contains(name));
    let lonely: Vec<_> = lonely.map(|name| dir.join(format!("{}.try", name.stem))).collect();
    listing.litter.extend(lonely);
    listing.strange.sort();
    Ok(listing)
}

enum Kind {
    Event(Name),
    Try(Name),
    Unwritten,
}

fn kind(file: &OsStr) -> Option<Kind> {
    let (stem, end) = file.to_str()?.split_once('.')?;
    let name = Name::parse(stem)?;
    match end {
        "event" => Some(Kind::Event(name)),
        "try" => Some(Kind::Try(name)),
        "event.tmp" | "try.tmp" => Some(Kind::Unwritten),
        _ => None,
    }
}

/// Removes a file; whether it was there.
fn gone(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a directory and those above it, so that they last.
fn make_dir(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dir(parent)?;
    }
    match DirBuilder::new().mode(DIR_MODE).create(dir) {
        // Somebody else was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => return Ok(()),
        made => made.and_then(|()| durable::sync_parent(dir)),
    }
    .map_err(|error| durable::failed("make the directory", dir, error))
}

fn url_hash(url: &str) -> String {
    id(&[url.as_bytes()]).replace("msg_", "")
}
