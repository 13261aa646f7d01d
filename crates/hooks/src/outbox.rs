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
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rec_core::config::{Config, Destination};
use rec_core::deadline::Deadline;
use rec_core::lock::Lock;
use rec_core::state::Moment;
use rec_core::text::shown;
use rec_core::{access, durable, share, small};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::event::{Event, fresh_id, hex, id};
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

/// What became of an event that was put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is in the queue under this id.
    New(String),
    /// It was there already, or was given up.
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
        let moment = self.moment.map_or("-", Moment::as_str);
        // Of a body that somebody gave there is no more to say.
        if self.room.is_empty() { format!("event={moment}") } else { format!("event={moment} room={}", self.room) }
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
    /// What a destination is told of an event.
    pub fn of(to: &Destination, event: &Event) -> Self {
        let head = Head {
            id: event.id(&to.name),
            moment: Some(event.moment),
            created: event.at,
            room: event.room_name.clone(),
            session: event.session_id.clone(),
            file: event.file.as_ref().map(|file| file.to_string_lossy().into_owned()),
        };
        Self { head, body: (profile::format(to.profile).body)(event).to_string().into_bytes() }
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(&FirstLine { head: self.head.clone(), sha256: Some(sha256(&self.body)) })?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }

    /// The error says what is wrong.
    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let not_ours = "its first line is not ours";
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(not_ours)?;
        let FirstLine { head, sha256: wanted } = serde_json::from_slice(&bytes[..end]).map_err(|_| not_ours)?;
        let body = bytes[end + 1..].to_vec();
        if wanted.is_some_and(|wanted| wanted != sha256(&body)) {
            return Err("its body is not what was put in");
        }
        Ok(Self { head, body })
    }
}

/// The first line of an event's file.
#[derive(Serialize, Deserialize)]
struct FirstLine {
    #[serde(flatten)]
    head: Head,
    /// Of the body: what a bad disk, or an editor, made of it is nobody's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

fn sha256(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
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

    fn try_path(&self) -> PathBuf {
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
                letter.map(Some).map_err(|why| anyhow!("{} is damaged: {why}", shown(&path)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(access::reading("read", &path, error)),
        }
    }

    /// What is known of its tries; nothing where the file is lost or damaged.
    pub fn tries(&self) -> Option<Tries> {
        serde_json::from_slice(&small::read(&self.try_path(), LARGEST_HEAD).ok()?).ok()
    }

    pub(crate) fn note(&self, tries: &Tries) -> Result<()> {
        let mut bytes = serde_json::to_vec(tries)?;
        bytes.push(b'\n');
        durable::write(&self.try_path(), &bytes)
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
    pub(crate) strange: Vec<PathBuf>,
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

    /// Puts an event into the queue of a destination, unless it is there, or was given up. When this returns, it is on the disk.
    pub fn enqueue(&self, to: &Destination, event: &Event) -> Result<Enqueued> {
        self.put(to, &Letter::of(to, event))
    }

    /// Puts a body into the queue of a destination as it is.
    pub fn enqueue_body(&self, to: &Destination, body: Vec<u8>, now: OffsetDateTime) -> Result<Enqueued> {
        let id = fresh_id();
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
            // In this order: what is given up meanwhile is seen in one of the two.
            let dead = self.list(&to.name, Lane::Dead)?.items;
            if queued.iter().chain(&dead).any(|item| item.name.id() == id) {
                return Ok(Enqueued::Already(id.clone()));
            }
            let now = u128::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos()).unwrap_or_default();
            let number = queued.last().map_or(now, |last| now.max(last.name.number() + 1));
            let path = queue.join(format!("{number:0DIGITS$}-{id}.event"));
            durable::write(&path, &letter.to_bytes()?)?;
            Ok(Enqueued::New(id.clone()))
        };
        put().with_context(|| format!("webhook to={}: SPOOL_DIR {}", to.name, shown(&self.config.spool_dir)))
    }

    /// What a destination has in one of its directories; nothing where that is not there.
    pub fn list(&self, destination: &str, lane: Lane) -> Result<Listing> {
        let dir = self.dir_of(destination).join(lane.as_str());
        list(destination, lane, &dir).map_err(|error| access::reading("list", &dir, error))
    }

    /// The destinations: those of `WEBHOOKS`, and those that still have something here.
    pub fn destinations(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.config.webhooks.iter().map(|to| to.name.clone()).collect();
        let spool = &self.config.spool_dir;
        let found = match fs::read_dir(spool) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(names),
            found => found.map_err(|error| access::reading("list", spool, error))?,
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

    /// For each beginning of an id, with or without `msg_`, the events that have it, of any destination.
    pub fn find(&self, beginnings: &[String]) -> Result<Vec<Vec<Item>>> {
        let mut all = Vec::new();
        for destination in self.destinations()? {
            for lane in [Lane::Queue, Lane::Dead] {
                all.append(&mut self.list(&destination, lane)?.items);
            }
        }
        all.sort_by(|a, b| a.name.id().cmp(b.name.id()));
        let found = |beginning: &String| {
            let wanted = beginning.strip_prefix("msg_").unwrap_or(beginning).to_ascii_lowercase();
            let wanted = format!("msg_{wanted}");
            let first = all.partition_point(|item| item.name.id() < wanted.as_str());
            all[first..].iter().take_while(|item| item.name.id().starts_with(&wanted)).cloned().collect()
        };
        Ok(beginnings.iter().map(found).collect())
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
        durable::write(&self.off_path(&to.name), &bytes)
    }

    /// Has messages sent to a destination again. False where nothing kept them.
    pub fn switch_on(&self, destination: &str) -> Result<bool> {
        let path = self.off_path(destination);
        gone(&path).map_err(|error| durable::failed("remove", &path, error))
    }

    /// Forgets what the receiver at another URL has said.
    pub(crate) fn forget_other_off(&self, to: &Destination) -> Result<()> {
        if self.off_path(&to.name).exists() && self.off(to).is_none() {
            self.switch_on(&to.name)?;
        }
        Ok(())
    }

    /// Removes what tools that died have left, unless messages are just being delivered: then that is done there.
    pub fn tidy(&self, destination: &str) -> Result<()> {
        let lock = Lock::try_acquire(&self.lock_path(destination))?;
        if lock.is_some() { self.sweep(destination) } else { Ok(()) }
    }

    pub(crate) fn lock_path(&self, destination: &str) -> PathBuf {
        self.dir_of(destination).join("lock")
    }

    /// Removes what tools that died have left. The caller holds the lock under which messages are delivered.
    pub(crate) fn sweep(&self, destination: &str) -> Result<()> {
        let _ = fs::remove_file(durable::beside(&self.off_path(destination)));
        let lock = Lock::try_acquire(&self.dir_of(destination).join("enqueue.lock"))?;
        for lane in [Lane::Queue, Lane::Dead] {
            for path in self.list(destination, lane)?.litter {
                let event = path.with_extension("event");
                let unwritten = path.as_os_str().as_encoded_bytes().ends_with(b".event.tmp");
                // Somebody who puts one in may just be writing it.
                if (unwritten && lock.is_none()) || (!unwritten && event.is_file()) {
                    continue;
                }
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    fn dir_of(&self, destination: &str) -> PathBuf {
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
            listing.strange.push(entry.path());
            continue;
        }
        match kind(&file) {
            Some(Kind::Event(name)) => {
                listing.items.push(Item { destination: destination.to_owned(), lane, name, dir: dir.to_owned() });
            }
            Some(Kind::Try(name)) => tries.push(name),
            Some(Kind::Unwritten) => listing.litter.push(entry.path()),
            None => listing.strange.push(entry.path()),
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
    match share::make_dir(dir) {
        // Somebody else was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => return Ok(()),
        made => made.and_then(|()| durable::sync_parent(dir)),
    }
    .map_err(|error| durable::failed("make the directory", dir, error))
}

fn url_hash(url: &str) -> String {
    id(&[url.as_bytes()]).replace("msg_", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rec_core::envfile;

    fn config(spool: &Path) -> Config {
        let text = format!(
            "NOTION_TOKEN=t\nNOTION_DATABASE_ID=38c9ce7b60a48158aa2ad4923e46fb5b\nPUBLIC_BASE_URL='https://rec.example.com'\n\
             RECORDINGS_ROOT=/r\nSPOOL_DIR='{}'\nWEBHOOKS='reflector standard'\n\
             WEBHOOK_REFLECTOR_URL='https://a.example.com'\nWEBHOOK_STANDARD_URL='https://b.example.com'\n",
            spool.display()
        );
        let path = Path::new("F");
        Config::from_entries(path, &envfile::parse(path, text.as_bytes()).unwrap()).unwrap()
    }

    fn event() -> Event {
        Event::trial(Moment::Recorded, "room", "https://rec.example.com", OffsetDateTime::now_utc())
    }

    fn names(listing: &Listing) -> Vec<&str> {
        listing.items.iter().map(|item| item.name.stem.as_str()).collect()
    }

    #[test]
    fn an_event_is_put_in_once_a_destination_and_its_body_stays_as_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let config = config(scratch.path());
        let outbox = Outbox::new(&config);
        let event = event();
        let mut bodies = Vec::new();
        for to in &config.webhooks {
            let first = outbox.enqueue(to, &event).unwrap();
            assert_eq!(outbox.enqueue(to, &event).unwrap(), Enqueued::Already(first.id().to_owned()));
            let listing = outbox.list(&to.name, Lane::Queue).unwrap();
            let [item] = &listing.items[..] else { panic!("{listing:?}") };
            let letter = item.read().unwrap().unwrap();
            assert_eq!((letter.head.id.as_str(), first.id()), (item.name.id(), item.name.id()));
            assert_eq!(letter.body, Letter::of(to, &event).body);
            bodies.push(letter.body);
            item.bury(&Tries::none()).unwrap();
            assert_eq!(outbox.enqueue(to, &event).unwrap(), Enqueued::Already(first.id().to_owned()), "given up");
            assert!(outbox.list(&to.name, Lane::Queue).unwrap().items.is_empty());
        }
        assert_ne!(bodies[0], bodies[1]);
        assert_eq!(outbox.destinations().unwrap(), ["reflector", "standard"]);
    }

    #[test]
    fn what_comes_later_is_behind_whatever_the_clock_says() {
        let scratch = tempfile::tempdir().unwrap();
        let config = config(scratch.path());
        let (outbox, to) = (Outbox::new(&config), &config.webhooks[0]);
        let queue = scratch.path().join("reflector/queue");
        make_dir(&queue).unwrap();
        // Of a clock that was in another century.
        let early = format!("09999999999999999998-msg_{:032x}", 1);
        fs::write(queue.join(format!("{early}.event")), "").unwrap();
        let ids: Vec<_> = (0..3).map(|_| outbox.enqueue(to, &event()).unwrap().id().to_owned()).collect();
        let listing = outbox.list("reflector", Lane::Queue).unwrap();
        let wanted = [
            early,
            format!("09999999999999999999-{}", ids[0]),
            format!("10000000000000000000-{}", ids[1]),
            format!("10000000000000000001-{}", ids[2]),
        ];
        assert_eq!(names(&listing), wanted);
    }

    #[test]
    fn what_the_dead_left_is_swept_and_what_is_not_ours_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let config = config(scratch.path());
        let (outbox, to) = (Outbox::new(&config), &config.webhooks[0]);
        outbox.enqueue(to, &event()).unwrap();
        let item = outbox.list("reflector", Lane::Queue).unwrap().items.remove(0);
        item.note(&Tries::none()).unwrap();
        let dir = scratch.path().join("reflector");
        let gone = format!("00000000000000000001-msg_{:032x}", 1);
        for litter in [
            format!("queue/{gone}.try"),
            format!("queue/{gone}.try.tmp"),
            format!("queue/{gone}.event.tmp"),
            format!("dead/{gone}.try"),
            "off.tmp".to_owned(),
        ] {
            fs::write(dir.join(litter), "").unwrap();
        }
        let strange = [
            "queue/README".to_owned(),
            format!("queue/{gone}.event.bak"),
            format!("queue/1-msg_{:032x}.event", 1),
            "queue/00000000000000000001-msg_x.event".to_owned(),
        ];
        for name in &strange {
            fs::write(dir.join(name), "").unwrap();
        }
        fs::create_dir(dir.join(format!("queue/{gone}.event"))).unwrap();
        let listing = outbox.list("reflector", Lane::Queue).unwrap();
        assert_eq!((names(&listing).len(), listing.strange.len()), (1, 5), "{listing:?}");
        // Somebody may just be writing an event.
        let busy = Lock::try_acquire(&dir.join("enqueue.lock")).unwrap();
        outbox.tidy("reflector").unwrap();
        assert!(dir.join(format!("queue/{gone}.event.tmp")).exists());
        drop(busy);
        outbox.tidy("reflector").unwrap();
        let listing = outbox.list("reflector", Lane::Queue).unwrap();
        assert!(listing.litter.is_empty() && listing.strange.len() == 5, "{listing:?}");
        assert!(outbox.list("reflector", Lane::Dead).unwrap().is_empty() && !dir.join("off.tmp").exists());
        assert!(item.path().exists() && item.try_path().exists());
    }

    #[test]
    fn an_event_is_buried_with_the_reason_and_revived_without_it() {
        let scratch = tempfile::tempdir().unwrap();
        let config = config(scratch.path());
        let outbox = Outbox::new(&config);
        outbox.enqueue(&config.webhooks[0], &event()).unwrap();
        let queued = outbox.list("reflector", Lane::Queue).unwrap().items.remove(0);
        let tries = Tries { tries: 10, reason: "no".into(), ..Tries::none() };
        queued.note(&tries).unwrap();
        queued.bury(&tries).unwrap();
        assert!(outbox.list("reflector", Lane::Queue).unwrap().is_empty());
        let dead = outbox.list("reflector", Lane::Dead).unwrap().items.remove(0);
        assert_eq!(dead.tries(), Some(tries));
        let beginnings = [dead.name.id()[4..9].to_owned(), dead.name.id().to_owned(), "x".to_owned()];
        assert_eq!(outbox.find(&beginnings).unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 0]);
        assert!(dead.revive().unwrap() && !dead.revive().unwrap());
        let queued = outbox.list("reflector", Lane::Queue).unwrap().items.remove(0);
        assert_eq!(queued.tries(), None);
        assert!(queued.read().unwrap().is_some() && outbox.list("reflector", Lane::Dead).unwrap().is_empty());
        assert!(queued.remove().unwrap() && !queued.remove().unwrap() && queued.read().unwrap().is_none());
    }

    #[test]
    fn a_destination_that_is_off_is_so_for_its_url_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let config = config(scratch.path());
        let outbox = Outbox::new(&config);
        let to = &config.webhooks[0];
        outbox.enqueue(to, &event()).unwrap();
        outbox.switch_off(to, "answered 410", OffsetDateTime::UNIX_EPOCH).unwrap();
        assert_eq!(outbox.off(to).unwrap().reason, "answered 410");
        let moved = Destination { url: "https://c.example.com".into(), ..to.clone() };
        assert_eq!(outbox.off(&moved), None);
        outbox.forget_other_off(to).unwrap();
        assert!(outbox.off(to).is_some());
        outbox.forget_other_off(&moved).unwrap();
        assert!(outbox.off(to).is_none() && !outbox.switch_on("reflector").unwrap());
    }
}
