//! HLS that is in place though nobody noted what it was made from: left by the scripts, or by a worker that was killed after
//! its rename. Before an MP4 is removed for it, or it for an MP4, it must be shown to be of that MP4.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use rec_core::access;
use rec_core::fault;
use rec_core::recording::{Room, io_error};
use rec_core::text::shown;
use walkdir::WalkDir;

use crate::alike::{Likeness, Pair};
use crate::ffprobe;
use crate::hls::remove_tree;
use crate::probed::Facts;
use crate::run::Interrupted;
use crate::verify;
use rec_core::playlist::{self, Media, Part, Segment};

/// What HLS of unknown origin turned out to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Origin {
    /// Whole, and of this MP4.
    Same,
    /// Not whole, for this reason, and nothing is in it that is not in this MP4: it may be built anew.
    Broken(String),
    /// Of something else: it stays, and the MP4 is another recording.
    Other,
    /// We were asked to stop.
    Stopped,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("is of this mp4"),
            Self::Broken(lacks) => write!(f, "is not whole: {lacks}"),
            Self::Other => f.write_str("is of another recording"),
            Self::Stopped => f.write_str("has not been looked at to its end"),
        }
    }
}

/// Playlists of all that can be compared: what is seen, and what is heard.
const SEEN: &str = "seen.m3u8";
const HEARD: &str = "heard.m3u8";

/// Finds out what the HLS in `dir` is, seen from the MP4 `name` beside it. An error that is [`Interrupted`] says nothing of
/// either of them.
pub(crate) fn origin(room: &Room, dir: &str, name: &OsStr, nice: u32, stop: &AtomicBool) -> Result<Origin> {
    let tmp = room.path(format!("{dir}.tmp"));
    remove_tree(&tmp).and_then(|()| fs::create_dir(&tmp)).with_context(|| format!("make {}", shown(&tmp)))?;
    let inherited = Inherited { room: &room.dir, dir: room.path(dir), dir_name: dir, tmp: &tmp, name, nice, stop };
    let origin = inherited.origin();
    fault::point("HLS is compared");
    // What cannot be removed now, the next run removes.
    let _ = remove_tree(&tmp);
    if stop.load(Ordering::Relaxed) { Ok(Origin::Stopped) } else { origin }
}

/// HLS that cannot be read may be whole, and all that there is of another recording: nothing is decided about it.
fn readable(dir: &Path) -> Result<()> {
    let unreadable = |path: &Path, error| Interrupted::elsewhere(format!("{:#}", access::reading("read", path, error)));
    for entry in WalkDir::new(dir).follow_root_links(true) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(dir).to_owned();
            unreadable(&path, io_error(error))
        })?;
        if entry.file_type().is_file() {
            File::open(entry.path()).map_err(|error| unreadable(entry.path(), error))?;
        }
    }
    Ok(())
}

struct Inherited<'a> {
    room: &'a Path,
    dir: PathBuf,
    dir_name: &'a str,
    tmp: &'a Path,
    name: &'a OsStr,
    nice: u32,
    stop: &'a AtomicBool,
}

impl Inherited<'_> {
    fn origin(&self) -> Result<Origin> {
        readable(&self.dir)?;
        let source = ffprobe::source(self.room, self.name, self.stop)?;
        let lacks = self.lacks(&source)?;
        let uris = self.playlists();
        let media = self.media(uris.first());
        let seconds = media.duration();
        if seconds > source.duration + verify::tolerance(source.duration) {
            // More than all of this MP4.
            return Ok(Origin::Other);
        }
        if media.segments.is_empty() {
            return Ok(Origin::Broken(lacks.unwrap_or_default()));
        }
        // Sound that several renditions share is named last; else each of them has it.
        for (name, media) in [(SEEN, &media), (HEARD, &self.media(uris.last()))] {
            let path = self.tmp.join(name);
            fs::write(&path, media.published(media.least_target()))
                .with_context(|| format!("write {}", shown(&path)))?;
        }
        let pair = Pair { cwd: self.tmp, mp4: self.name, seen: SEEN, heard: HEARD, nice: self.nice };
        Ok(match (pair.compare(&source, self.stop)?, lacks) {
            (Likeness::Different, _) => Origin::Other,
            (Likeness::Alike, None) => Origin::Same,
            // Alike as far as it can be decoded; or nothing comes out of it, and there is nothing to lose.
            (_, Some(lacks)) => Origin::Broken(lacks),
            (Likeness::Damaged(how) | Likeness::Unknown(how), None) => Origin::Broken(how),
        })
    }

    /// What the HLS lacks of being this MP4's, whole and as long, stream by stream; none where it lacks nothing.
    fn lacks(&self, source: &Facts) -> Result<Option<String>> {
        let matches = || {
            let playlists = rec_core::hls::complete(&self.dir)?;
            verify::matches(&self.dir, &playlists, source, self.stop)
        };
        match matches() {
            Ok(_) => Ok(None),
            Err(error) if error.is::<Interrupted>() => Err(error),
            Err(error) => Ok(Some(format!("{error:#}"))),
        }
    }

    fn playlists(&self) -> Vec<String> {
        rec_core::hls::read(&self.dir, "master.m3u8").map(|master| playlist::media_uris(&master)).unwrap_or_default()
    }

    /// This playlist, as seen from beside its directory, with those of its segments that are there and
    /// not empty; else those that lie there under the script's names, as where the disk was full.
    fn media(&self, uri: Option<&String>) -> Media {
        let uri = uri.map_or(crate::recipe::STREAM, String::as_str);
        let listed =
            rec_core::hls::read(&self.dir, uri).ok().and_then(|text| Media::parse(&text).ok()).unwrap_or_default();
        let base = self.dir.join(uri);
        let base = base.parent().unwrap_or(&self.dir);
        let is_there = |part: &Part| rec_core::hls::size(base, part).is_ok();
        let below = Path::new("..").join(self.dir_name).join(Path::new(uri).parent().unwrap_or(Path::new("")));
        let seen = |part: Part| Part { uri: below.join(&part.uri).to_string_lossy().into_owned(), ..part };
        let mut segments: Vec<_> = listed.segments.into_iter().filter(|segment| is_there(&segment.part)).collect();
        if segments.is_empty() {
            let found = |number: u32| Part { uri: format!("seg_{number:06}.ts"), bytes: None };
            let found = (0..1_000_000).map(found).take_while(is_there);
            segments = found.map(|part| Segment { duration: 1.0, part }).collect();
        }
        let segments = segments.into_iter().map(|segment| Segment { part: seen(segment.part), ..segment }).collect();
        Media { map: listed.map.map(seen), segments, ..Media::default() }
    }
}
