//! HLS that is in place though nobody noted what it was made from: left by the scripts, or by a worker that was killed after
//! its rename. Before an MP4 is removed for it, or it for an MP4, it must be shown to be of that MP4.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Error, Result};
use rec_core::access;
use rec_core::fault;
use rec_core::recording::{Room, io_error};
use rec_core::text::shown;
use rustix::io::Errno;
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
    /// Not whole, for this reason, and what can be decoded of it has been seen to be of this MP4, or there is nothing in it to
    /// decode: it may be built anew.
    Broken(String),
    /// Of something else, or nobody can tell: it stays, and the MP4 is another recording.
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
    remove_tree(&tmp).and_then(|()| fs::create_dir(&tmp)).map_err(|error| at("make", &tmp, &error))?;
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

/// What the disk refuses says nothing of what lies there.
fn at(tried: &str, path: &Path, error: &io::Error) -> Interrupted {
    Interrupted::elsewhere(format!("{tried} {}: {error}", shown(path)))
}

/// Of a look at HLS, what it says about it; or an error, where the disk did not let us look.
fn seen<T>(looked: Result<T>) -> Result<std::result::Result<T, Error>> {
    // What is not there, or is no file, is so in every run.
    let lasting =
        [Errno::NOENT, Errno::NOTDIR, Errno::ISDIR, Errno::LOOP, Errno::NAMETOOLONG, Errno::INVAL, Errno::NXIO];
    let passing = |error: &io::Error| Errno::from_io_error(error).is_some_and(|errno| !lasting.contains(&errno));
    match looked {
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) if error.chain().filter_map(|cause| cause.downcast_ref()).any(passing) => {
            Err(Interrupted::elsewhere(format!("{error:#}")).into())
        }
        looked => Ok(looked),
    }
}

/// What the comparison and the lack of something, together, say; `dir` is the HLS.
fn decide(likeness: Likeness, lacks: Option<String>, dir: &str) -> Result<Origin> {
    Ok(match (likeness, lacks) {
        (Likeness::Alike, None) => Origin::Same,
        (Likeness::Alike | Likeness::Damaged(_), Some(lacks)) => Origin::Broken(lacks),
        (Likeness::Damaged(how), None) => Origin::Broken(how),
        // It may be all that there is of another recording.
        (Likeness::Different, _) | (Likeness::Unknown(_), Some(_)) => Origin::Other,
        (Likeness::Unknown(how), None) => {
            return Err(Interrupted::elsewhere(format!("the HLS in {dir} could not be compared: {how}")).into());
        }
    })
}

/// A rendition and a number, out of the name of a segment that we, or the scripts, have made: `720p_000012.ts`.
fn numbered<'a>(name: &'a str, extension: &str) -> Option<(&'a str, u32)> {
    let (rendition, number) = name.strip_suffix(extension)?.strip_suffix('.')?.rsplit_once('_')?;
    let digits = number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((rendition, number.parse().ok().filter(|_| digits)?))
}

/// Whether a file may hold something of a film, as its name says.
fn may_be_media(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    ["ts", "m4s", "mp4", "m4v", "m4a", "aac", "mov", "mkv", "webm", "tmp"].contains(&extension)
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
        let uris = self.playlists()?;
        let (seen, heard) = (self.media(uris.first(), SEEN)?, self.media(uris.last(), HEARD)?);
        if seen.duration() > source.duration + verify::tolerance(source.duration) {
            // More than all of this MP4.
            return Ok(Origin::Other);
        }
        if seen.segments.is_empty() || heard.segments.is_empty() {
            return if self.has_media()? {
                decide(Likeness::Unknown("no playlist lists what is in it".into()), lacks, self.dir_name)
            } else {
                Ok(Origin::Broken(lacks.unwrap_or_default()))
            };
        }
        // Sound that several renditions share is named last; else each of them has it.
        for (name, media) in [(SEEN, &seen), (HEARD, &heard)] {
            let path = self.tmp.join(name);
            fs::write(&path, media.published(media.least_target())).map_err(|error| at("write", &path, &error))?;
        }
        let pair = Pair { cwd: self.tmp, mp4: self.name, seen: SEEN, heard: HEARD, nice: self.nice };
        decide(pair.compare(&source, self.stop)?, lacks, self.dir_name)
    }

    /// What the HLS lacks of being this MP4's, whole and as long, stream by stream; none where it lacks nothing.
    fn lacks(&self, source: &Facts) -> Result<Option<String>> {
        let matches = || {
            let playlists = rec_core::hls::complete(&self.dir)?;
            verify::matches(&self.dir, &playlists, source, self.stop)
        };
        Ok(seen(matches())?.err().map(|error| format!("{error:#}")))
    }

    fn playlists(&self) -> Result<Vec<String>> {
        let master = seen(rec_core::hls::read(&self.dir, "master.m3u8"))?;
        Ok(master.map(|master| playlist::media_uris(&master)).unwrap_or_default())
    }

    /// This playlist, as seen from beside its directory, with those of its segments that are there and
    /// not empty; else those that lie there under the names that we and the scripts give, as where the disk was full.
    fn media(&self, uri: Option<&String>, of: &str) -> Result<Media> {
        let uri = uri.map_or(crate::recipe::STREAM, String::as_str);
        let listed =
            seen(rec_core::hls::read(&self.dir, uri))?.and_then(|text| Media::parse(&text)).unwrap_or_default();
        let base = self.dir.join(uri);
        let base = base.parent().unwrap_or(&self.dir);
        let mut segments = Vec::new();
        for segment in listed.segments {
            if seen(rec_core::hls::size(base, &segment.part))?.is_ok() {
                segments.push(segment);
            }
        }
        let found = if segments.is_empty() { self.found(of)? } else { Media::default() };
        // What is found lies in the directory itself.
        let (below, media) = if found.segments.is_empty() {
            (Path::new(uri).parent().unwrap_or(Path::new("")), Media { map: listed.map, segments, ..Media::default() })
        } else {
            (Path::new(""), found)
        };
        let below = Path::new("..").join(self.dir_name).join(below);
        let moved = |part: Part| Part { uri: below.join(&part.uri).to_string_lossy().into_owned(), ..part };
        let segments = media.segments.into_iter().map(|segment| Segment { part: moved(segment.part), ..segment });
        Ok(Media { segments: segments.collect(), map: media.map.map(moved), ..Media::default() })
    }

    /// The segments of one rendition that no playlist lists, in their order: of the first one, or of the sound that all share.
    fn found(&self, of: &str) -> Result<Media> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(|error| at("read", &self.dir, &error))? {
            names.extend(entry.map_err(|error| at("read", &self.dir, &error))?.file_name().into_string());
        }
        names.sort();
        for extension in ["ts", "m4s"] {
            let all: Vec<_> = names.iter().filter_map(|name| Some((numbered(name, extension)?, name))).collect();
            let sound = |rendition: &&str| *rendition == "audio";
            let renditions = || all.iter().map(|((rendition, _), _)| *rendition);
            let apart = renditions().find(|rendition| sound(rendition) == (of == HEARD));
            let Some(wanted) = apart.or_else(|| renditions().next()) else { continue };
            let mut numbers: Vec<_> = all.iter().filter(|((rendition, _), _)| *rendition == wanted).collect();
            numbers.sort_by_key(|((_, number), _)| *number);
            let mut media = Media::default();
            for (_, name) in numbers {
                let part = Part { uri: (*name).clone(), bytes: None };
                if seen(rec_core::hls::size(&self.dir, &part))?.is_ok() {
                    media.segments.push(Segment { duration: 1.0, part });
                }
            }
            let inits = [format!("{wanted}_init.mp4"), "init.mp4".to_owned()];
            let init = inits.into_iter().find(|init| extension == "m4s" && names.contains(init));
            media.map = init.map(|uri| Part { uri, bytes: None });
            if !media.segments.is_empty() {
                return Ok(media);
            }
        }
        Ok(Media::default())
    }

    /// Whether something is in it that may be a part of a film, whatever its name.
    fn has_media(&self) -> Result<bool> {
        for entry in WalkDir::new(&self.dir).follow_root_links(true) {
            let entry = entry.map_err(|error| at("read", &self.dir, &io_error(error)))?;
            let length = || entry.metadata().map_err(|error| at("read", entry.path(), &io_error(error)));
            if entry.file_type().is_file() && may_be_media(entry.path()) && length()?.len() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn hls_is_built_anew_only_where_a_comparison_has_shown_whose_it_is() {
        let (how, lacks) = (|| "how".to_owned(), || Some("lacks".to_owned()));
        let decide = |likeness, lacks| decide(likeness, lacks, "v0");
        assert_eq!(decide(Likeness::Alike, None).unwrap(), Origin::Same);
        assert_eq!(decide(Likeness::Alike, lacks()).unwrap(), Origin::Broken("lacks".into()));
        assert_eq!(decide(Likeness::Damaged(how()), lacks()).unwrap(), Origin::Broken("lacks".into()));
        assert_eq!(decide(Likeness::Damaged(how()), None).unwrap(), Origin::Broken("how".into()));
        for lacks in [None, lacks()] {
            assert_eq!(decide(Likeness::Different, lacks).unwrap(), Origin::Other);
        }
        assert_eq!(decide(Likeness::Unknown(how()), lacks()).unwrap(), Origin::Other);
        assert!(crate::run::is_elsewhere(&decide(Likeness::Unknown(how()), None).unwrap_err()));
    }

    #[test]
    fn a_disk_that_does_not_answer_says_nothing_of_hls() {
        let failed = |errno: Errno| {
            let error = Err::<(), _>(io::Error::from_raw_os_error(errno.raw_os_error()));
            seen(error.context("read stream.m3u8"))
        };
        for errno in [Errno::IO, Errno::STALE, Errno::ACCESS, Errno::MFILE, Errno::TIMEDOUT] {
            assert!(crate::run::is_elsewhere(&failed(errno).unwrap_err()), "{errno}");
        }
        for errno in [Errno::NOENT, Errno::ISDIR, Errno::NOTDIR] {
            assert!(failed(errno).unwrap().is_err(), "{errno}");
        }
        assert!(seen(Err::<(), _>(anyhow::anyhow!("no EXT-X-ENDLIST"))).unwrap().is_err());
    }

    #[test]
    fn segments_that_no_playlist_lists_are_known_by_their_names() {
        // (files, which one is seen first, which one is heard first, the head of them, whether there is anything)
        type Case = (&'static [&'static str], &'static str, &'static str, &'static str, bool);
        let cases: [Case; 6] = [
            (&["seg_000001.ts", "seg_000000.ts"], "seg_000000.ts", "seg_000000.ts", "", true),
            (&["audio_000000.ts", "720p_000000.ts", "480p_000000.ts"], "480p_000000.ts", "audio_000000.ts", "", true),
            (
                &["720p_000000.m4s", "720p_init.mp4", "audio_000000.m4s"],
                "720p_000000.m4s",
                "audio_000000.m4s",
                "720p_init.mp4",
                true,
            ),
            (&["720p.ts", "master.m3u8"], "", "", "", true),
            (&["master.m3u8", "poster.jpg"], "", "", "", false),
            (&[], "", "", "", false),
        ];
        for (names, seen, heard, head, anything) in cases {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("v0")).unwrap();
            for name in names {
                fs::write(dir.path().join("v0").join(name), "x").unwrap();
            }
            let (tmp, stop) = (dir.path().join("v0.tmp"), AtomicBool::new(false));
            let name = OsStr::new("a.mp4");
            let (room, at) = (dir.path(), dir.path().join("v0"));
            let hls = Inherited { room, dir: at, dir_name: "v0", tmp: &tmp, name, nice: 0, stop: &stop };
            let first = |media: &Media| media.segments.first().map(|first| first.part.uri.clone()).unwrap_or_default();
            let below = |name: &str| if name.is_empty() { String::new() } else { format!("../v0/{name}") };
            let media = hls.media(None, SEEN).unwrap();
            assert_eq!(
                (first(&media), first(&hls.media(None, HEARD).unwrap())),
                (below(seen), below(heard)),
                "{names:?}"
            );
            assert_eq!(media.map.map(|map| map.uri).unwrap_or_default(), below(head), "{names:?}");
            assert_eq!(hls.has_media().unwrap(), anything, "{names:?}");
        }
    }
}
