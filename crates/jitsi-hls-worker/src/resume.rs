//! Going on where an earlier run, which was stopped or killed, has left an encode.
//!
//! Segments that are on the disk for good are noted in a journal beside them. A later run keeps those, has ffmpeg go on with
//! the next one, and joins the lists. Only the encode of many transport stream segments is taken up again: fragments of MP4
//! would need another beginning, and a copy is made anew sooner than a journal is read.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Result;
use rec_core::config::SegmentType;
use rec_core::durable;
use rec_core::fault;
use rec_core::recording::Fingerprint;
use rec_core::small;
use serde::{Deserialize, Serialize};

use crate::ffprobe;
use crate::probed::Facts;
use crate::recipe::{self, Cuts, Recipe};
use rec_core::playlist::{Media, Part, Segment};

/// The journal's name, beside the segments.
const JOURNAL: &str = "resume.json";

/// The largest journal, in bytes: days of segments in several renditions.
const LARGEST: u64 = 32 << 20;

/// How often segments are made to last: what a kill costs at most, besides the segment that was begun.
const INTERVAL: Duration = Duration::from_secs(5);

/// Half of a frame of AAC at 48 kHz, in seconds: times are compared with that much room.
const HALF_A_FRAME: f64 = 0.010;

/// Where an encode goes on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resume {
    /// How many segments are kept: the number of the next one.
    pub(crate) segments: usize,
    /// Seconds that ffmpeg is to make a segment last at least, so that it cuts where one go would have.
    pub(crate) seconds: f64,
    /// Seconds into the recording from which the picture is still to come, and the sound.
    pub(crate) picture: f64,
    pub(crate) sound: f64,
}

/// What an earlier run has left.
#[derive(Debug)]
pub(crate) struct Earlier {
    pub(crate) resume: Resume,
    /// Its segments, in the order of [`Recipe::playlists`].
    pub(crate) kept: Vec<Vec<Segment>>,
}

#[derive(Serialize, Deserialize)]
struct Journal {
    of: Fingerprint,
    /// Which recipe, of which version of this program.
    recipe: String,
    /// Name and seconds of each segment, in the order of [`Recipe::playlists`].
    playlists: Vec<Vec<(String, f64)>>,
}

/// Whether an encode by this recipe can be taken up again.
fn is_resumable(recipe: &Recipe) -> bool {
    recipe.segment_type == SegmentType::Ts && !recipe.single_file && !recipe.is_quick()
}

fn named(recipe: &Recipe) -> String {
    format!("{} {recipe:?}", env!("CARGO_PKG_VERSION"))
}

/// Notes, while ffmpeg is at work, which of its segments are on the disk for good.
pub(crate) struct Checkpoints<'a> {
    cwd: &'a Path,
    of: Fingerprint,
    recipe: &'a Recipe,
    kept: &'a [Vec<Segment>],
    /// How many segments of each playlist have been synced.
    synced: Vec<usize>,
    last: Instant,
}

impl<'a> Checkpoints<'a> {
    /// Checkpoints of a run that has begun just now, with what it has kept of an earlier one.
    pub(crate) fn new(cwd: &'a Path, of: Fingerprint, recipe: &'a Recipe, kept: &'a [Vec<Segment>]) -> Self {
        Self { cwd, of, recipe, kept, synced: vec![0; recipe.playlists().len()], last: Instant::now() }
    }

    /// Makes a checkpoint, if it is time for one. What goes wrong with it costs nothing but the resuming.
    pub(crate) fn tick(&mut self) {
        if self.last.elapsed() >= INTERVAL && is_resumable(self.recipe) {
            let _ = self.make();
            self.last = Instant::now();
        }
    }

    /// Makes a checkpoint now.
    pub(crate) fn make(&mut self) -> Result<()> {
        if !is_resumable(self.recipe) {
            return Ok(());
        }
        let mut playlists: Vec<Vec<(String, f64)>> = Vec::new();
        for (index, uri) in self.recipe.playlists().iter().enumerate() {
            let made = match small::read(&self.cwd.join(uri), LARGEST) {
                Ok(bytes) => Media::parse(&String::from_utf8_lossy(&bytes))?.segments,
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(error.into()),
            };
            for segment in made.iter().skip(self.synced[index]) {
                File::open(self.cwd.join(&segment.part.uri))?.sync_all()?;
            }
            self.synced[index] = made.len();
            let kept = self.kept.get(index).map(Vec::as_slice).unwrap_or_default();
            playlists
                .push(kept.iter().chain(&made).map(|segment| (segment.part.uri.clone(), segment.duration)).collect());
        }
        if playlists.iter().any(Vec::is_empty) {
            // Nothing yet that a later run could go on from.
            return Ok(());
        }
        File::open(self.cwd)?.sync_all()?;
        fault::point("segments last");
        let journal = Journal { of: self.of, recipe: named(self.recipe), playlists };
        durable::write(&self.cwd.join(JOURNAL), &serde_json::to_vec(&journal)?)
    }
}

/// Whether a directory holds an encode that may be taken up again.
pub(crate) fn is_begun(cwd: &Path) -> bool {
    cwd.join(JOURNAL).is_file()
}

/// Removes the journal of an encode that is complete.
pub(crate) fn remove_journal(cwd: &Path) -> io::Result<()> {
    match fs::remove_file(cwd.join(JOURNAL)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl Earlier {
    /// Finds what an earlier run has left of the same encode in `cwd`, and removes all else there. None where there is nothing,
    /// or nothing that fits: then all is to be made anew.
    pub(crate) fn find(
        cwd: &Path,
        of: Fingerprint,
        recipe: &Recipe,
        source: &Facts,
        stop: &AtomicBool,
    ) -> Option<Self> {
        // All else in it is going to be removed: not so where a link leads.
        fs::symlink_metadata(cwd).ok().filter(fs::Metadata::is_dir)?;
        let bytes = small::read(&cwd.join(JOURNAL), LARGEST).ok()?;
        let journal: Journal = serde_json::from_slice(&bytes).ok()?;
        let fits = journal.of == of && journal.recipe == named(recipe) && is_resumable(recipe);
        if !fits || journal.playlists.len() != recipe.playlists().len() {
            return None;
        }
        let count = journal.playlists.iter().map(Vec::len).min()?.min(most(recipe));
        let (count, length) = cadence(recipe, source, count)?;
        let segment = |(uri, duration): (String, f64)| Segment { duration, part: Part { uri, bytes: None } };
        let kept: Vec<Vec<Segment>> =
            journal.playlists.into_iter().map(|list| list.into_iter().take(count).map(segment).collect()).collect();
        if count == 0 || kept.iter().flatten().any(|segment| rec_core::hls::size(cwd, &segment.part).is_err()) {
            return None;
        }
        let resume = resume(cwd, recipe, source, &kept, length, stop)?;
        fault::point("earlier segments are found");
        clear(cwd, &kept).ok()?;
        fault::point("all but earlier segments is gone");
        Some(Self { resume, kept })
    }
}

/// So many segments may be kept at most: one has to be left to make.
fn most(recipe: &Recipe) -> usize {
    match &recipe.cuts {
        Cuts::At(cuts) => cuts.len().saturating_sub(1),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of segments")]
        Cuts::Regular => ((recipe.film - 1.0).max(0.0) / f64::from(recipe.seconds)) as usize,
    }
}

/// When a segment begins, in seconds.
fn begin(recipe: &Recipe, number: usize) -> Option<f64> {
    match &recipe.cuts {
        Cuts::At(cuts) => cuts.get(number).copied(),
        Cuts::Regular => u32::try_from(number).ok().map(|number| f64::from(number) * f64::from(recipe.seconds)),
    }
}

/// How many of so many segments to keep, and how long ffmpeg is to make the next ones: it counts from where it goes on.
fn cadence(recipe: &Recipe, source: &Facts, count: usize) -> Option<(usize, f64)> {
    let seconds = f64::from(recipe.seconds);
    // Where only what begins a segment is a keyframe, half a second too soon does no harm; and the beginning need not be at a
    // multiple of the segments' length to the frame.
    let early = seconds - 0.5;
    let Cuts::At(cuts) = &recipe.cuts else { return Some((count, early)) };
    // A copy is cut at whichever of its keyframes is due. It has to be due where it was in one go.
    let keyframes = &source.video.as_ref()?.keyframes;
    let fits = |count: usize, length: f64| {
        let after: Vec<f64> = keyframes.iter().copied().filter(|at| *at >= cuts[count]).collect();
        recipe::boundaries(&after, length) == cuts[count..]
    };
    (1..=count).rev().find_map(|count| {
        let length = [early, seconds].into_iter().find(|length| fits(count, *length))?;
        Some((count, length))
    })
}

fn resume(
    cwd: &Path,
    recipe: &Recipe,
    source: &Facts,
    kept: &[Vec<Segment>],
    length: f64,
    stop: &AtomicBool,
) -> Option<Resume> {
    let count = kept.first()?.len();
    let seconds = |list: &[Segment]| list.iter().map(|segment| segment.duration).sum::<f64>();
    let video = source.video.as_ref()?;
    let begins = video.span.map_or(0.0, |span| span.begins);
    let picture = begin(recipe, count)?;
    // All renditions were cut where they should have been: else nothing is known of where the next segment begins.
    let pictures = &kept[..recipe.rungs.len()];
    if begins > 0.1 || pictures.iter().any(|list| (begins + seconds(list) - picture).abs() > 0.25) {
        return None;
    }
    let sound = match &source.audio {
        None => picture,
        Some(_) => begins + end_of_sound(cwd, &kept[0], kept.last()?, stop)?,
    };
    // A quarter of a picture's time before it, because times are rounded.
    let early = 0.25 / video.rate.max(1.0);
    Some(Resume { segments: count, seconds: length, picture: picture - early, sound: sound - HALF_A_FRAME })
}

/// When the sound in the last of these segments ends, in seconds from where the first of the picture's begins: muxed with the
/// picture or not, it is not cut at the same time.
fn end_of_sound(cwd: &Path, pictures: &[Segment], sounds: &[Segment], stop: &AtomicBool) -> Option<f64> {
    const LAST: &str = "last.m3u8";
    let probe = |last: &Segment| {
        let text = Media { segments: vec![last.clone()], ..Media::default() }.published(last.duration.ceil());
        fs::write(cwd.join(LAST), text).ok()?;
        ffprobe::playlist(cwd, LAST, stop).ok()
    };
    let (last, before) = pictures.split_last()?;
    let (picture, sound) = (probe(last)?, probe(sounds.last()?)?);
    let begins = picture.begins + picture.video?.span?.begins;
    let ends = sound.begins + sound.audio?.span?.ends;
    Some(before.iter().map(|segment| segment.duration).sum::<f64>() + ends - begins)
}

/// Removes all but the kept segments and the journal.
fn clear(cwd: &Path, kept: &[Vec<Segment>]) -> io::Result<()> {
    let names: HashSet<&str> =
        kept.iter().flatten().map(|segment| segment.part.uri.as_str()).chain([JOURNAL]).collect();
    for entry in fs::read_dir(cwd)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(|name| names.contains(name)) {
            crate::hls::remove_tree(&entry.path())?;
        }
    }
    Ok(())
}
