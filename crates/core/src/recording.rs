//! A recording's directory, as it lies on the disk.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use walkdir::WalkDir;

use crate::config::Config;
use crate::mp4::{self, Shape};
use crate::text;
use crate::url::{self, Place, PublicUrl};
use crate::{access, durable, metadata};

/// The page id of the first recording of a directory, as the scripts write it.
pub const NOTION_ID: &str = ".notion_id";
/// The suite's own state ([`crate::state`]).
pub const STATE: &str = ".recording.json";
/// The lock ([`crate::lock`]).
pub const LOCK: &str = ".recording.lock";

/// What a second of a quiet recording takes at least, so that a length by size is rather too long than too short.
const BYTES_A_SECOND: f64 = 50_000.0;

/// A directory that holds one or more recordings.
#[derive(Clone, Debug)]
pub struct Room {
    /// As it was called: messages name it so.
    pub dir: PathBuf,
    place: Place,
}

impl Room {
    /// Finds the directory's place in the public tree. A relative path is taken from the current directory, as the shell does.
    pub fn locate(config: &Config, dir: &Path) -> Result<Self> {
        let place = url::place(&config.recordings_root, dir)?;
        Ok(Self { dir: dir.to_owned(), place })
    }

    /// A directory that was found directly below the root: its place is its name, and no look at the disk is needed for it.
    pub fn below_root(dir: PathBuf) -> Self {
        let segments = dir.file_name().map(|name| name.as_bytes().to_vec()).into_iter().collect();
        Self { dir, place: Place { segments, below_root: true } }
    }

    /// A directory whose place nobody knows, because there is no configuration: it has files, and no URLs.
    pub fn unplaced(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), place: Place { segments: Vec::new(), below_root: false } }
    }

    /// The directory's own name, which the scripts call the room id.
    pub fn id(&self) -> String {
        self.place.segments.last().map(|name| text::shown(OsStr::from_bytes(name))).unwrap_or_default()
    }

    /// The names from `RECORDINGS_ROOT` down to the directory; its own alone where it is elsewhere.
    pub fn segments(&self) -> &[Vec<u8>] {
        &self.place.segments
    }

    /// The name of the meeting's room: Jibri's metadata know it; else the directory's name, as in the scripts.
    pub fn name(&self) -> String {
        metadata::room(&self.dir).unwrap_or_else(|| {
            self.place.segments.last().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default()
        })
    }

    /// What an admin should know about where the directory lies, if anything.
    pub fn warning(&self) -> Option<String> {
        let dir = text::shown(&self.dir);
        match (self.place.below_root, self.place.segments.len()) {
            (false, _) => Some(format!(
                "WARNING: {dir} is outside of RECORDINGS_ROOT: published by its own name, and only `jitsi-hls-worker {dir}` makes its HLS"
            )),
            (true, 1) => None,
            (true, _) => Some(format!(
                "WARNING: {dir} is not directly below RECORDINGS_ROOT: only `jitsi-hls-worker {dir}` makes its HLS"
            )),
        }
    }

    /// The public URL of a file in this directory.
    pub fn url<'a>(&'a self, config: &Config, names: impl IntoIterator<Item = &'a OsStr>) -> PublicUrl {
        let above = self.place.segments.iter().map(Vec::as_slice);
        PublicUrl::of(config, above.chain(names.into_iter().map(OsStr::as_bytes)))
    }

    /// The path of a file in this directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }

    /// Whether the directory of a slot's HLS is there, or whatever else has its name.
    pub fn has_slot(&self, slot: u32) -> bool {
        self.path(format!("v{slot}")).symlink_metadata().is_ok()
    }

    /// Removes what a writer that died left beside its file. The caller holds the lock.
    pub fn sweep(&self) {
        for name in [NOTION_ID, STATE] {
            let _ = std::fs::remove_file(durable::beside(&self.path(name)));
        }
    }

    /// The MP4s of the directory; see [`mp4s`].
    pub fn mp4s(&self) -> Result<Vec<Mp4>> {
        mp4s(&self.dir)
    }
}

/// What tells one file from another, and from itself before it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Bytes.
    pub size: u64,
    /// Last change, to the nanosecond.
    #[serde(with = "time::serde::rfc3339")]
    pub mtime: OffsetDateTime,
}

impl Fingerprint {
    /// Of an open or listed file.
    pub fn of(metadata: &Metadata) -> Self {
        let nanoseconds = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        // A time that no calendar holds (a broken filesystem) is as good as any other that stays the same.
        let mtime = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self { size: metadata.len(), mtime }
    }

    /// The date of the row: the MP4's mtime in UTC, to the second, as the scripts' `date -u -r FILE` prints it.
    pub fn date(&self) -> String {
        let second = self.mtime.replace_nanosecond(0).unwrap_or(self.mtime);
        second.format(&Rfc3339).unwrap_or_default()
    }
}

/// An MP4 in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mp4 {
    /// Its name in the directory.
    pub name: OsString,
    /// Its size and time when it was listed.
    pub print: Fingerprint,
}

impl Mp4 {
    /// What its boxes tell.
    pub fn shape(&self, dir: &Path) -> Result<Shape> {
        let path = dir.join(&self.name);
        let shape = File::open(&path).and_then(|mut file| mp4::inspect(&mut file));
        shape.map_err(|error| access::reading_in_room("read", &path, error))
    }

    /// About how long it plays, in seconds: as its index says, else by its size.
    pub fn seconds(&self, dir: &Path) -> f64 {
        let told = File::open(dir.join(&self.name)).and_then(|mut file| mp4::seconds(&mut file));
        #[expect(clippy::cast_precision_loss, reason = "nobody looks at the last bits")]
        told.ok().flatten().unwrap_or(self.print.size as f64 / BYTES_A_SECOND)
    }
}

/// The regular files `*.mp4`, in any letter case, directly in a directory: the largest first and, as `sort -nr` has it, of
/// equals the last by name. Symlinks are not followed.
pub fn mp4s(dir: &Path) -> Result<Vec<Mp4>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(dir).min_depth(1).max_depth(1).follow_root_links(true) {
        let entry = entry.map_err(|error| access::reading("list", dir, io_error(error)))?;
        if !entry.file_type().is_file() || !is_mp4(entry.file_name()) {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) => found.push(Mp4 { name: entry.file_name().to_owned(), print: Fingerprint::of(&metadata) }),
            // Gone since it was listed.
            Err(error) if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) => {}
            Err(error) => return Err(access::reading("list", dir, io_error(error))),
        }
    }
    largest_first(&mut found);
    Ok(found)
}

/// Puts MP4s into the order in which a directory's recordings are counted.
pub fn largest_first(mp4s: &mut [Mp4]) {
    mp4s.sort_by(|a, b| (b.print.size, &b.name).cmp(&(a.print.size, &a.name)));
}

/// What went wrong with a listing, without walkdir's words around it: our own messages name the directory.
pub fn io_error(error: walkdir::Error) -> io::Error {
    error.into_io_error().unwrap_or_else(|| io::Error::other("its links lead in a circle"))
}

/// Whether a file's name ends in `.mp4`.
pub fn is_mp4(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.len() >= 4 && name[name.len() - 4..].eq_ignore_ascii_case(b".mp4")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mp4s_are_regular_files_of_any_letter_case_largest_first() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, size: usize| std::fs::write(dir.path().join(name), vec![0; size]).unwrap();
        put("small.mp4", 1);
        put("LARGE.MP4", 3);
        put("a.mp4", 2);
        put("b.Mp4", 2);
        put("meeting.mp4.part", 9);
        put("mp4", 9);
        std::fs::create_dir(dir.path().join("dir.mp4")).unwrap();
        std::os::unix::fs::symlink("LARGE.MP4", dir.path().join("link.mp4")).unwrap();
        let names: Vec<_> = mp4s(dir.path()).unwrap().into_iter().map(|mp4| mp4.name).collect();
        assert_eq!(names, ["LARGE.MP4", "b.Mp4", "a.mp4", "small.mp4"]);
    }

    #[test]
    fn the_date_is_the_mtime_in_utc_to_the_second() {
        let mtime = time::macros::datetime!(2026-01-02 10:00:00.987654321 UTC);
        assert_eq!(Fingerprint { size: 0, mtime }.date(), "2026-01-02T10:00:00Z");
    }
}
