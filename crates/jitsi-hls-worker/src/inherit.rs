//! HLS that is in place though nobody noted what it was made from: left by the scripts, or by a worker that was killed after
//! its rename. Before an MP4 is removed for it, or it for an MP4, it must be shown to be of that MP4.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use rec_core::recording::Room;
use rec_core::text::shown;

use crate::alike::{Likeness, Pair};
use crate::ffprobe::{self, Facts};
use crate::hls::remove_tree;
use crate::playlist::{self, Media, Segment};
use crate::run::Interrupted;
use crate::verify;

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

/// A playlist of all that can be compared.
const COMPARED: &str = "compared.m3u8";

/// Finds out what the HLS in `dir` is, seen from the MP4 `name` beside it. An error that is [`Interrupted`] says nothing of
/// either of them.
pub(crate) fn origin(room: &Room, dir: &str, name: &OsStr, stop: &AtomicBool) -> Result<Origin> {
    let tmp = room.path(format!("{dir}.tmp"));
    remove_tree(&tmp).and_then(|()| fs::create_dir(&tmp)).with_context(|| format!("make {}", shown(&tmp)))?;
    let inherited = Inherited { dir: room.path(dir), dir_name: dir, tmp: &tmp, name, stop };
    let origin = inherited.origin();
    // What cannot be removed now, the next run removes.
    let _ = remove_tree(&tmp);
    if stop.load(Ordering::Relaxed) { Ok(Origin::Stopped) } else { origin }
}

struct Inherited<'a> {
    dir: PathBuf,
    dir_name: &'a str,
    tmp: &'a Path,
    name: &'a OsStr,
    stop: &'a AtomicBool,
}

impl Inherited<'_> {
    fn origin(&self) -> Result<Origin> {
        let source = ffprobe::source(self.tmp, self.name, self.stop)?;
        let lacks = self.lacks(&source)?;
        let segments = self.segments();
        let seconds: f64 = segments.iter().map(|segment| segment.duration).sum();
        if seconds > source.duration + verify::tolerance(source.duration) {
            // More than all of this MP4.
            return Ok(Origin::Other);
        }
        if segments.is_empty() {
            return Ok(Origin::Broken(lacks.unwrap_or_default()));
        }
        self.list(&segments)?;
        let pair = Pair { cwd: self.tmp, mp4: self.name, playlist: COMPARED };
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
            let playlists = verify::complete(&self.dir)?;
            verify::matches(&self.dir, &playlists[0], source, self.stop)
        };
        match matches() {
            Ok(_) => Ok(None),
            Err(error) if error.is::<Interrupted>() => Err(error),
            Err(error) => Ok(Some(format!("{error:#}"))),
        }
    }

    fn first_playlist(&self) -> Result<String> {
        let master = verify::read(&self.dir, "master.m3u8")?;
        playlist::media_uris(&master).into_iter().next().context("master.m3u8 names no playlist")
    }

    /// The segments that are there and not empty: those of the first playlist that can be read, else those that lie there under
    /// the script's names, as where the disk was full.
    fn segments(&self) -> Vec<Segment> {
        let uri = self.first_playlist().unwrap_or_else(|_| crate::ffmpeg::STREAM.to_owned());
        let listed = verify::read(&self.dir, &uri).ok().and_then(|text| Media::parse(&text).ok()).unwrap_or_default();
        let base = Path::new(&uri).parent().unwrap_or(Path::new(""));
        let listed = listed.segments.into_iter().map(|segment| {
            let uri = base.join(&segment.uri).to_string_lossy().into_owned();
            Segment { uri, ..segment }
        });
        let found = |number: u32| Segment { uri: format!("seg_{number:06}.ts"), duration: 1.0 };
        let is_there = |segment: &Segment| {
            let path = verify::below(&self.dir, &segment.uri).ok();
            path.and_then(|path| path.symlink_metadata().ok()).is_some_and(|file| file.is_file() && file.len() > 0)
        };
        let listed: Vec<_> = listed.filter(&is_there).collect();
        if listed.is_empty() { (0..1_000_000).map(found).take_while(is_there).collect() } else { listed }
    }

    /// Writes a closed playlist of these segments, seen from beside their directory.
    fn list(&self, segments: &[Segment]) -> Result<()> {
        let mut text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n".to_owned();
        for Segment { uri, duration } in segments {
            let _ = write!(text, "#EXTINF:{duration},\n../{}/{uri}\n", self.dir_name);
        }
        text.push_str("#EXT-X-ENDLIST\n");
        let path = self.tmp.join(COMPARED);
        fs::write(&path, text).with_context(|| format!("write {}", shown(&path)))
    }
}
