//! What is looked at: rooms, what lies in them, and what is known of it.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rec_core::access;
use rec_core::adopt;
use rec_core::config::Config;
use rec_core::exit::Exit;
use rec_core::glance::{Glance, rooms};
use rec_core::log::say;
use rec_core::metadata;
use rec_core::plan::Facts;
use rec_core::recording::{NOTION_ID, Room, STATE};
use rec_core::small;
use rec_core::state::{Recording, State};
use rec_core::text::shown;
use rec_core::url::PublicUrl;

use crate::cli::Cli;
use crate::condition::{Condition, has_hls};
use crate::locks::Locks;

/// So many rooms are looked at sooner than a thread for some of them is there.
const FEW: usize = 64;

/// The rooms that a run is about.
pub(crate) struct Tree {
    /// None where the env file cannot be used, which was said.
    pub(crate) config: Option<Config>,
    pub(crate) rooms: Vec<Room>,
    /// Whether all of it could be looked at.
    pub(crate) exit: Exit,
}

/// A room that was looked at.
pub(crate) struct Seen {
    pub(crate) room: Room,
    pub(crate) glance: Glance,
    /// With the MP4s in it that no tool has taken in yet.
    pub(crate) state: State,
    /// How many of its recordings a tool knows.
    pub(crate) known: usize,
}

/// A recording of a room that was looked at.
pub(crate) struct Entry<'a> {
    pub(crate) seen: &'a Seen,
    pub(crate) recording: &'a Recording,
    pub(crate) facts: Facts<'a>,
    pub(crate) condition: Condition,
}

impl Tree {
    /// The rooms that the command line names, or all. Without a configuration those that are named can be looked at still.
    pub(crate) fn of(cli: &Cli) -> Result<Self> {
        let config = if cli.common.quiet {
            Config::load(&cli.common.env_file()).map_err(|problems| say(&problems.to_string())).ok()
        } else {
            cli.common.config()
        };
        let exit = if config.is_some() { Exit::Done } else { Exit::Failed };
        let mut tree = Self { config, rooms: Vec::new(), exit };
        match &tree.config {
            Some(config) if cli.dirs.is_empty() => tree.rooms = rooms(&config.recordings_root)?,
            _ => tree.add(&cli.dirs),
        }
        Ok(tree)
    }

    fn add(&mut self, dirs: &[PathBuf]) {
        let mut known = HashSet::new();
        for dir in dirs {
            match self.named(dir) {
                Ok(rooms) => {
                    for (real, room) in rooms {
                        if known.insert(real) {
                            self.rooms.push(room);
                        }
                    }
                }
                Err(error) => self.failed(&error),
            }
        }
    }

    /// The room of a directory, or those of `RECORDINGS_ROOT`, by where each really is.
    fn named(&self, dir: &Path) -> Result<Vec<(PathBuf, Room)>> {
        let real = dir.canonicalize().with_context(|| shown(dir))?;
        anyhow::ensure!(real.is_dir(), "{} is no directory: give that of a recording", shown(dir));
        // What is printed must lead there from anywhere.
        let dir = if dir.is_absolute() { dir.to_owned() } else { real.clone() };
        Ok(match &self.config {
            Some(config) if config.recordings_root.canonicalize().is_ok_and(|root| root == real) => {
                // None of them is a link.
                let really = |room: Room| (real.join(room.dir.file_name().unwrap_or_default()), room);
                rooms(&dir)?.into_iter().map(really).collect()
            }
            Some(config) => vec![(real, Room::locate(config, &dir)?)],
            None => {
                let room = Room::below_root(dir);
                warn_of_root(&room);
                vec![(real, room)]
            }
        })
    }

    /// Looks at every room. One that cannot be read is said, and keeps no other from being seen.
    pub(crate) fn look(&mut self) -> Vec<Seen> {
        let rooms = std::mem::take(&mut self.rooms);
        let config = self.config.as_ref();
        let look = |rooms: &[Room]| -> Vec<_> { rooms.iter().map(|room| Seen::at(room.clone(), config)).collect() };
        let share = rooms.len().div_ceil(threads()).max(FEW);
        let looked: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = rooms.chunks(share).map(|some| scope.spawn(move || look(some))).collect();
            running.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let mut all = Vec::with_capacity(looked.len());
        for seen in looked {
            match seen {
                Ok(seen) => all.push(seen),
                Err(error) => self.failed(&error),
            }
        }
        all
    }

    fn failed(&mut self, error: &anyhow::Error) {
        say(&format!("rec-ls: {error:#}"));
        self.exit = Exit::Failed;
    }
}

/// Without a configuration nobody knows `RECORDINGS_ROOT`: a directory that has no recording, but directories, may be it.
fn warn_of_root(room: &Room) {
    let Ok(glance) = Glance::bare(room) else { return };
    let nothing = glance.mp4s.is_empty() && !glance.has_state && !glance.has_id && glance.slots().next().is_none();
    let has_dirs = || fs::read_dir(&room.dir).is_ok_and(|mut all| all.any(|is| is.is_ok_and(|is| is.path().is_dir())));
    if nothing && has_dirs() {
        let dir = shown(&room.dir);
        say(&format!(
            "rec-ls: {dir} has no recording, but directories: is it RECORDINGS_ROOT? Without an env file name those in it"
        ));
    }
}

/// The error of who may not read a file of a room: reading is all that is done here, so no right to write is asked for.
fn may_read(error: anyhow::Error, room: &Room) -> anyhow::Error {
    let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    if !error.downcast_ref().is_some_and(denied) {
        return error;
    }
    let closed = [STATE, NOTION_ID].map(|name| room.path(name));
    let closed = closed.into_iter().find_map(|path| {
        let why = small::read(&path, 0).err().filter(denied)?;
        Some(access::reading("read", &path, why))
    });
    closed.unwrap_or(error)
}

/// How many look at once: what a look costs is the system's time, and at night somebody waits for it.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).min(8)
}

/// Whether a file of a room was not changed before another one was. The scripts may have been at work again since our state was
/// written, and within one tick of the disk's clock.
fn is_newer(room: &Room, one: &str, other: &str) -> bool {
    let time = |name| room.path(name).symlink_metadata().and_then(|file| file.modified()).ok();
    time(one) >= time(other)
}

impl Seen {
    /// One listing of the directory, and its state. Only MP4s are looked at closer, and what the scripts may have done.
    pub(crate) fn at(room: Room, config: Option<&Config>) -> Result<Self> {
        let glance = Self::glance(&room, config)?;
        let scripts = glance.has_id && (!glance.has_state || is_newer(&room, NOTION_ID, STATE));
        let ours = if glance.has_state && !scripts {
            State::load(&room).map_err(|error| may_read(error, &room))?
        } else {
            None
        };
        let mut state = match ours {
            Some(state) => state,
            None if scripts => adopt::look(&room, &glance.mp4s).map_err(|error| may_read(error, &room))?,
            None => State::empty(),
        };
        let known = state.recordings.len();
        state.register(&glance.mp4s, |slot| room.has_slot(slot));
        Ok(Self { room, glance, state, known })
    }

    /// The listing alone.
    pub(crate) fn glance(room: &Room, config: Option<&Config>) -> Result<Glance> {
        match config {
            Some(config) => Glance::at(room, config),
            None => Glance::bare(room),
        }
    }

    /// Its recordings in the order of their slots.
    pub(crate) fn entries<'a>(&'a self, locks: &Locks) -> Vec<Entry<'a>> {
        let mut recordings: Vec<_> = self.state.recordings.iter().collect();
        recordings.sort_by_key(|recording| recording.slot);
        recordings.into_iter().map(|recording| self.entry(recording, locks)).collect()
    }

    fn entry<'a>(&'a self, recording: &'a Recording, locks: &Locks) -> Entry<'a> {
        let facts = self.glance.facts(&self.room, recording, false);
        let condition = Condition::of(recording, &facts, locks.at_work(self, recording.slot));
        Entry { seen: self, recording, facts, condition }
    }

    /// The directory's own name.
    pub(crate) fn name(&self) -> OsString {
        self.room.dir.file_name().map(ToOwned::to_owned).unwrap_or_default()
    }

    /// What the meeting was called, where that is not the directory's name.
    pub(crate) fn meeting(&self) -> Option<String> {
        metadata::room(&self.room.dir).filter(|meeting| **meeting != *self.name())
    }
}

impl Entry<'_> {
    /// The MP4's name, or that of its HLS where nobody knows an MP4.
    pub(crate) fn file(&self) -> String {
        if self.recording.file.is_some() { self.recording.shown() } else { self.recording.hls_dir() }
    }

    /// Where it is found: what its row leads to, or is going to, as far as it is there.
    pub(crate) fn url(&self, config: Option<&Config>) -> Option<PublicUrl> {
        let (config, room) = (config?, &self.seen.room);
        if has_hls(self.recording, &self.facts) {
            let dir: OsString = self.recording.hls_dir().into();
            return Some(room.url(config, [dir.as_os_str(), config.publish_link.file().as_ref()]));
        }
        Some(room.url(config, [self.facts.mp4?.name.as_os_str()]))
    }

    /// Whether no tool has taken it in yet.
    pub(crate) fn is_unknown(&self) -> bool {
        !self.seen.state.recordings[..self.seen.known].iter().any(|known| known.slot == self.recording.slot)
    }

    /// Whether a person should look at it.
    pub(crate) fn is_trouble(&self) -> bool {
        let recording = self.recording;
        // What is published had its trouble before.
        let done = matches!(self.condition, Condition::Published | Condition::Damaged);
        let trouble = recording.error.is_some() || recording.host.is_some() || recording.remote.is_some();
        self.condition.is_trouble() || trouble && !done
    }
}
