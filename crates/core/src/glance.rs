//! Which directories there are, and which of them need a closer look: one listing a room, and no lock.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::access;
use crate::adopt::{Left, NotionId};
use crate::config::Config;
use crate::deadline::age;
use crate::durable;
use crate::link::Link;
use crate::plan::{self, Facts, Retry, Step};
use crate::recording::{Fingerprint, Mp4, NOTION_ID, Room, STATE, io_error, is_mp4, largest_first};
use crate::state::{Recording, State};
use crate::text::shown;
use time::OffsetDateTime;
use walkdir::WalkDir;

/// The rooms: the real first-level directories of the root, by name. The root itself may be a link.
pub fn rooms(root: &Path) -> Result<Vec<Room>> {
    let mut rooms = Vec::new();
    for entry in WalkDir::new(root).min_depth(1).max_depth(1).follow_root_links(true) {
        let entry = entry.map_err(io_error).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => access::reading("list RECORDINGS_ROOT", root, error),
            _ => anyhow::Error::new(error)
                .context(format!("RECORDINGS_ROOT {} (is it right, and its disk mounted?)", shown(root))),
        })?;
        if entry.file_type().is_dir() {
            rooms.push(Room::below_root(entry.into_path()));
        }
    }
    rooms.sort_by(|a, b| a.dir.cmp(&b.dir));
    Ok(rooms)
}

/// A room at a glance.
pub struct Glance {
    /// Largest first.
    pub mp4s: Vec<Mp4>,
    /// Whether it has a state file.
    pub has_state: bool,
    /// Whether it has a `.notion_id`.
    pub has_id: bool,
    /// Whether something half made lies in it: HLS, or a file of ours that was being written.
    pub litter: bool,
    retry: Retry,
    link: Link,
    /// Names of directories, `v0` among them.
    dirs: Vec<OsString>,
}

impl Glance {
    /// One pass over the directory; only MP4s cost a stat.
    pub fn at(room: &Room, config: &Config) -> Result<Self> {
        let mut glance = Self::bare(room)?;
        glance.retry = if config.hls.accept_damaged { Retry::Salvage } else { Retry::Nothing };
        glance.link = config.publish_link;
        Ok(glance)
    }

    /// The same without a configuration: with what holds where the env file says nothing.
    pub fn bare(room: &Room) -> Result<Self> {
        let mut glance = Self {
            mp4s: Vec::new(),
            has_state: false,
            has_id: false,
            litter: false,
            retry: Retry::Nothing,
            link: Link::default(),
            dirs: Vec::new(),
        };
        for entry in fs::read_dir(&room.dir).map_err(|error| access::reading("list", &room.dir, error))? {
            let entry = entry.with_context(|| format!("list {}", shown(&room.dir)))?;
            let name = entry.file_name();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                glance.litter |= is_tmp(&name);
                glance.dirs.push(name);
            } else if kind.is_symlink() && entry.path().is_dir() {
                // HLS may have been moved to another disk.
                glance.dirs.push(name);
            } else if is_beside(&name) {
                glance.litter = true;
            } else if name == STATE {
                glance.has_state = true;
            } else if name == NOTION_ID {
                glance.has_id = true;
            } else if kind.is_file() && is_mp4(&name) {
                // Gone since it was listed, if not.
                if let Ok(metadata) = entry.metadata() {
                    glance.mp4s.push(Mp4 { name, print: Fingerprint::of(&metadata) });
                }
            }
        }
        largest_first(&mut glance.mp4s);
        Ok(glance)
    }

    /// Whether a directory of this name is there, `v0` say.
    pub fn has_dir(&self, name: &str) -> bool {
        self.dirs.iter().any(|dir| *dir == *name)
    }

    /// The directories of HLS by their numbers, and whether each is being built.
    pub fn slots(&self) -> impl Iterator<Item = (u32, bool)> {
        self.dirs.iter().filter_map(|dir| {
            let name = dir.to_str()?.strip_prefix('v')?;
            let (number, building) = name.strip_suffix(".tmp").map_or((name, false), |number| (number, true));
            // `v07` and `v+7` are nobody's.
            let slot: u32 = number.parse().ok()?;
            (slot.to_string() == number).then_some((slot, building))
        })
    }

    /// The facts for a recording's plan.
    pub fn facts<'a>(&'a self, room: &Room, recording: &Recording, named: bool) -> Facts<'a> {
        let dir = recording.hls_dir();
        let hls_dir = self.has_dir(&dir);
        Facts {
            mp4: self.mp4s.iter().find(|mp4| recording.is_of(mp4)),
            hls_dir,
            master: hls_dir && recording.hls.is_none() && room.path(dir).join("master.m3u8").is_file(),
            retry: if named { Retry::Everything } else { self.retry },
            link: self.link,
            now: OffsetDateTime::now_utc(),
        }
    }
}

/// What a glance says about a room.
#[derive(Debug, PartialEq)]
pub enum Look {
    /// Nothing to do.
    Idle,
    /// Worth the lock.
    Work,
    /// Left alone, with the script's reason.
    Skip(String),
}

/// Decides whether a room is worth its lock. `state` is the room's state, where it has one.
pub fn look(
    room: &Room,
    glance: &Glance,
    state: Option<&State>,
    unfinalized: Unfinalized,
    named: bool,
) -> Result<Look> {
    let id = room.id();
    if glance.litter {
        return Ok(Look::Work);
    }
    if let Some(state) = state {
        let known = |mp4: &Mp4| state.recordings.iter().any(|recording| recording.is_of(mp4));
        let changed = |mp4: &Mp4| state.recordings.iter().any(|r| r.is_of(mp4) && r.source != Some(mp4.print));
        let waiting = |recording| plan::next(recording, &glance.facts(room, recording, named)) != Step::Rest;
        let work = glance.mp4s.iter().any(|mp4| !known(mp4) || changed(mp4)) || state.recordings.iter().any(waiting);
        return Ok(if work { Look::Work } else { Look::Idle });
    }
    if !glance.has_id {
        return Ok(match glance.mp4s.iter().any(|mp4| unfinalized.is_due(mp4)) {
            true => Look::Work,
            // finalize has not run yet, or it is not ours.
            false if !glance.mp4s.is_empty() => Look::Skip(format!("Skip room={id}: missing .notion_id")),
            false => Look::Idle,
        });
    }
    let left = Left::read(room)?;
    Ok(match &left.id {
        Some((NotionId::Empty, _)) => Look::Skip(format!("Skip room={id}: empty .notion_id")),
        Some((NotionId::Garbage(_), _)) => Look::Skip(format!("Skip room={id}: .notion_id holds no page id")),
        _ if !glance.mp4s.is_empty() || left.master.is_some() => Look::Work,
        _ => Look::Idle,
    })
}

/// An MP4 that nobody finalized and whose boxes do not say that it is closed is taken for one that is still being written, until
/// it has not changed for so long.
pub const QUIET: Duration = Duration::from_secs(600);

/// After how long without a change an MP4 that finalize was never called for is published all the same.
#[derive(Clone, Copy, Debug)]
pub struct Unfinalized(pub Option<Duration>);

impl Unfinalized {
    /// Whether it is time.
    pub fn is_due(self, mp4: &Mp4) -> bool {
        self.0.is_some_and(|after| age(mp4.print.mtime) >= after)
    }
}

/// Whether a name is that of a file of ours that is being written.
fn is_beside(name: &OsStr) -> bool {
    [STATE, NOTION_ID].iter().any(|file| durable::beside(Path::new(file)) == name)
}

/// Whether a name is that of HLS being built.
pub fn is_tmp(name: &OsStr) -> bool {
    let number = name.to_str().and_then(|name| name.strip_prefix('v')?.strip_suffix(".tmp"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn litter_is_only_what_a_worker_was_building() {
        for (name, wanted) in [
            ("v0.tmp", true),
            ("v12.tmp", true),
            ("v.tmp", false),
            ("vx.tmp", false),
            ("v0", false),
            ("v0.tmp2", false),
        ] {
            assert_eq!(is_tmp(OsStr::new(name)), wanted, "{name}");
        }
    }
}
