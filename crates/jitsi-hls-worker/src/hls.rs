//! An MP4 into HLS: built beside, verified, made to last, and only then put in place.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use rec_core::access::{Want, explain};
use rec_core::config;
use rec_core::durable;
use rec_core::exit::Exit;
use rec_core::fault;
use rec_core::lock::Lock;
use rec_core::log::Log;
use rec_core::recording::{Fingerprint, Room};
use rec_core::share;
use rec_core::text::shown;
use walkdir::WalkDir;

use crate::about::About;
use crate::extras;
use crate::ffmpeg::{self, Encode};
use crate::ffprobe;
use crate::hours::Hours;
use crate::master::{self, Variant};
use crate::probed::{Facts, Video};
use crate::progress::Progress;
use crate::recipe::{self, How, Recipe};
use crate::resume::{self, Checkpoints, Earlier};
use crate::run::{self, Shift, Watch};
use crate::verify;
use rec_core::hls::{Whole, read, whole};
use rec_core::playlist::{Media, Segment};

/// Why there is no HLS.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something is wrong with the MP4, or ffmpeg cannot cope with it.
    Input(String),
    /// Somebody killed ffmpeg, or its disk could not be read, which may have nothing to do with the MP4.
    Interrupted(String),
    /// The machine cannot do it now: the disk is full, ffmpeg cannot be started.
    Host(String),
    /// The MP4 is not the file that it was when the work began.
    Changed,
    /// This ffmpeg lacks, as it says, what each recording needs.
    Configuration(String),
    /// We were asked to stop.
    Stopped,
    /// The window has closed, as this says.
    Closed(String),
}

/// The making of one recording's HLS.
pub(crate) struct Job<'a> {
    pub(crate) room: &'a Room,
    /// What people know the recording by.
    pub(crate) title: &'a str,
    /// The MP4's name in the room.
    pub(crate) name: &'a OsStr,
    /// The MP4 as the caller knows it.
    pub(crate) print: Fingerprint,
    /// The directory to make, `v0` say.
    pub(crate) dir: &'a str,
    pub(crate) settings: &'a config::Hls,
    /// Threads for each part of ffmpeg.
    pub(crate) threads: usize,
    pub(crate) lock: &'a Lock,
    pub(crate) log: &'a Log,
    pub(crate) progress: &'a Progress,
    pub(crate) stop: &'a AtomicBool,
    /// The hours that the encode keeps.
    pub(crate) hours: Option<&'a Hours>,
}

/// What is to be made, and of what.
pub(crate) struct Plan {
    pub(crate) source: Facts,
    pub(crate) recipe: Recipe,
}

/// HLS that holds what it should.
struct Verified {
    /// The renditions of the picture, and the sound that they share.
    variants: Vec<Variant>,
    sound: Option<Variant>,
    /// How long it plays.
    seconds: f64,
}

/// HLS that is whole and on the disk for good, and not yet in its place.
pub(crate) struct Made {
    /// What is wrong with the MP4, of which the HLS holds as much as could be decoded.
    pub(crate) damage: Option<String>,
}

impl Job<'_> {
    /// Looks at the MP4, and decides what is made of it.
    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        self.probe().map_err(|error| self.unless_changed(self.input(&error)))
    }

    fn probe(&self) -> Result<Plan> {
        let mut source = ffprobe::source(&self.room.dir, self.name, self.stop)?;
        ensure!(source.video.is_some() || source.audio.is_some(), "it has neither video nor audio");
        ensure!(source.more.is_empty(), "it has {}, which the HLS would not have", source.more.join(" and "));
        if recipe::wants_keyframes(self.settings.profile, &source) {
            let keyframes = ffprobe::keyframes(&self.room.dir, self.name, source.begins, self.stop)?;
            source.video = source.video.map(|video| Video { keyframes, ..video });
        }
        let recipe = recipe::recipe(self.settings, &source);
        Ok(Plan { source, recipe })
    }

    /// Makes the HLS. Where that fails nothing of it is left, but for what a later run can go on from.
    pub(crate) fn make(&self, plan: &Plan) -> Result<Made, Failure> {
        let tmp = self.tmp();
        self.place()?;
        fault::point("encode begins");
        let earlier = Earlier::find(&tmp, self.print, &plan.recipe, &plan.source, self.stop);
        let mut made = match &earlier {
            Some(earlier) => {
                self.log.line(&format!(
                    "Resume room={} mp4={}: {} segments are there",
                    self.room.id(),
                    shown(self.name),
                    earlier.resume.segments
                ));
                match self.build(plan, Some(earlier)) {
                    // Perhaps it was not the MP4, but what was there.
                    Err(Failure::Input(why)) => {
                        self.log.line(&format!("Resumed in vain room={}: {why}; it is made anew", self.room.id()));
                        self.build_anew(plan)
                    }
                    made => made,
                }
            }
            None => self.build_anew(plan),
        }
        .map_err(|failure| self.unless_changed(failure));
        if let Err(failure) = &made {
            // What ffmpeg writes last it may lose without a word and with exit 0.
            if matches!(failure, Failure::Input(_)) && is_full(&tmp) {
                made = Err(no_space(&tmp));
            }
            if !(matches!(made, Err(Failure::Stopped | Failure::Closed(_) | Failure::Interrupted(_)))
                && resume::is_begun(&tmp))
            {
                // What cannot be removed now, the next run removes.
                let _ = remove_tree(&tmp);
            }
        }
        made
    }

    fn build_anew(&self, plan: &Plan) -> Result<Made, Failure> {
        let tmp = self.tmp();
        remove_tree(&tmp).and_then(|()| share::make_public_dir(&tmp)).map_err(|error| host(&tmp, &error))?;
        self.build(plan, None)
    }

    fn build(&self, plan: &Plan, earlier: Option<&Earlier>) -> Result<Made, Failure> {
        let tmp = self.tmp();
        let kept = earlier.map(|earlier| &earlier.kept[..]).unwrap_or_default();
        let mut damage = self.encode(plan, earlier)?;
        fault::point("ffmpeg has ended");
        let playlists = closed_playlists(&tmp, &plan.recipe, kept).map_err(|error| self.input(&error))?;
        for (uri, playlist) in playlists {
            let path = tmp.join(uri);
            fs::write(&path, playlist).map_err(|error| host(&path, &error))?;
        }
        let mut verified = self.verify(plan, damage.is_some()).map_err(|error| self.input(&error));
        if let (Err(Failure::Input(lacks)), None, true) =
            (&verified, &damage, self.settings.accept_damaged && !is_full(&tmp))
        {
            // A file that was cut ends without an error.
            damage = Some(lacks.clone());
            verified = self.verify(plan, true).map_err(|error| self.input(&error));
        }
        let verified = verified?;
        fault::point("HLS is verified");
        let master = master::master(&verified.variants, verified.sound.as_ref());
        for missing in extras::make(&tmp, self.name, &plan.source, self.settings, self.lock, self.stop) {
            let (room, mp4) = (self.room.id(), shown(self.name));
            self.log.line(&format!("WARNING: room={room} mp4={mp4}: {missing}"));
        }
        fault::point("extras are made");
        // While the journal is there still: the next run need not encode it all again.
        if self.stop.load(Ordering::Relaxed) {
            return Err(Failure::Stopped);
        }
        let about = About::of(self, &tmp, &verified.variants, verified.seconds, damage.is_some());
        fs::write(tmp.join("master.m3u8"), master)
            .and_then(|()| about.write(&tmp))
            .inspect(|()| fault::point("master playlist is written"))
            .and_then(|()| resume::remove_journal(&tmp))
            .and_then(|()| share::publish(&tmp, &self.room.dir))
            .and_then(|()| sync_tree(&tmp))
            .inspect(|()| fault::point("HLS lasts"))
            .map_err(|error| host(&tmp, &error))?;
        Ok(Made { damage })
    }

    /// Runs ffmpeg. Says what is wrong with the MP4, where such a one is accepted.
    fn encode(&self, plan: &Plan, earlier: Option<&Earlier>) -> Result<Option<String>, Failure> {
        let (tmp, Plan { source, recipe }) = (self.tmp(), plan);
        let progress = self.progress.encode(self.log, self.shown(), source.duration);
        let encode = Encode {
            cwd: &tmp,
            name: self.name,
            source,
            recipe,
            resume: earlier.map(|earlier| &earlier.resume),
            threads: self.threads,
            nice: self.settings.nice,
            zimg: true,
        };
        let kept = earlier.map(|earlier| &earlier.kept[..]).unwrap_or_default();
        let mut checkpoints = Checkpoints::new(&tmp, self.print, recipe, kept);
        let tell = |what: &str| self.log.line(&format!("Encode {}: {what}", self.shown()));
        let watch = Watch {
            stop: self.stop,
            patience: ffmpeg::PATIENCE,
            limit: Some(run::limit(source.duration, self.settings.time_factor)),
            shift: self.hours.map(|hours| Shift { hours, tell: &tell }),
        };
        let mut run = |encode: &Encode<'_>| {
            ffmpeg::encode(&mut encode.command(), self.lock, &watch, |done| progress.at(done), || checkpoints.tick())
                .map_err(|error| Failure::Host(format!("{error:#}")))
        };
        let mut ended = run(&encode)?;
        if ffmpeg::lacks_zimg(&ended) {
            ended = run(&Encode { zimg: false, ..encode })?;
        }
        let closed = if let run::How::Closed(why) = &ended.how { Some(why.clone()) } else { None };
        let interrupted = self.stop.load(Ordering::Relaxed) || ended.was_killed() || closed.is_some();
        if interrupted {
            // All that there is, and not only what was there at the last checkpoint.
            let _ = checkpoints.make();
        }
        if self.stop.load(Ordering::Relaxed) {
            Err(Failure::Stopped)
        } else if let Some(why) = closed {
            Err(Failure::Closed(why))
        } else if ended.is_disk_full() {
            Err(no_space(&tmp))
        } else if ended.was_killed() || ended.host_trouble().is_some() {
            Err(Failure::Interrupted(ended.reason()))
        } else if let Some(lacks) = ended.lacks() {
            Err(Failure::Configuration(lacks.to_owned()))
        } else if ended.is_clean() {
            Ok(None)
        } else if self.settings.accept_damaged && ended.is_success() {
            Ok(Some(ended.reason()))
        } else {
            // Exit 0 is not enough: ffmpeg conceals what it could not decode, and says so only on stderr.
            Err(Failure::Input(ended.reason()))
        }
    }

    /// Holds what was made against what should have been, and says how to announce it.
    fn verify(&self, plan: &Plan, damaged: bool) -> Result<Verified> {
        let (tmp, recipe) = (self.tmp(), &plan.recipe);
        let whole: Vec<Whole> = recipe.playlists().iter().map(|uri| whole(&tmp, uri)).collect::<Result<_>>()?;
        let held = if damaged {
            verify::decodable(&tmp, &whole, &plan.source, self.stop)?
        } else {
            verify::matches(&tmp, &whole, &plan.source, self.stop)?
        };
        for (rung, facts) in recipe.rungs.iter().zip(&held) {
            let size = facts.video.as_ref().map(|video| (video.width, video.height)).unwrap_or_default();
            ensure!(
                rung.how == How::Copy || size == (rung.width, rung.height),
                "{} is {}x{} and not {}x{}",
                rung.name,
                size.0,
                size.1,
                rung.width,
                rung.height
            );
        }
        if !damaged {
            let rate = plan.source.video.as_ref().map_or(30.0, |video| video.rate);
            verify::aligned(&whole[..recipe.rungs.len()], rate)?;
        }
        let mut variants: Vec<_> = whole.iter().zip(&held).map(|(whole, facts)| announced(whole, facts)).collect();
        let sound = if recipe.is_apart() && recipe.sound.is_some() { variants.pop() } else { None };
        let seconds = whole.iter().map(|whole| whole.media.duration()).fold(0.0, f64::max);
        Ok(Verified { variants, sound, seconds })
    }

    /// A last look at the MP4, rename, fsync.
    pub(crate) fn put_in_place(&self) -> Result<(), Failure> {
        let (tmp, now) = (self.tmp(), fs::symlink_metadata(self.room.path(self.name)));
        let placed = match now.map(|metadata| Fingerprint::of(&metadata)) {
            Ok(now) if now == self.print => self.place().and_then(|place| {
                // A file or a link of that name is nothing that anybody watches.
                remove_tree(&place)
                    .inspect(|()| fault::point("HLS is about to be put in place"))
                    .and_then(|()| fs::rename(&tmp, &place))
                    .inspect(|()| fault::point("HLS is in place"))
                    .and_then(|()| durable::sync_parent(&place))
                    .map_err(|error| host(&place, &error))
            }),
            _ => Err(Failure::Changed),
        };
        if placed.is_err() {
            let _ = remove_tree(&tmp);
        }
        placed
    }

    /// As the log names it.
    fn shown(&self) -> String {
        format!("room={} file={}", self.room.id(), shown(self.name))
    }

    fn tmp(&self) -> PathBuf {
        self.room.path(format!("{}.tmp", self.dir))
    }

    /// Where the HLS is to be. What is there by now, a script say has made: it is not built over.
    fn place(&self) -> Result<PathBuf, Failure> {
        let place = self.room.path(self.dir);
        if place.is_dir() {
            return Err(Failure::Host(format!("{} is there now; the next run looks at what it is", shown(&place))));
        }
        Ok(place)
    }

    /// What looks like a fault of the MP4 is none of it where that is another by now, or gone.
    fn unless_changed(&self, failure: Failure) -> Failure {
        let now = fs::symlink_metadata(self.room.path(self.name));
        let same = now.is_ok_and(|now| Fingerprint::of(&now) == self.print);
        if matches!(failure, Failure::Input(_)) && !same { Failure::Changed } else { failure }
    }

    fn input(&self, error: &anyhow::Error) -> Failure {
        match self.stop.load(Ordering::Relaxed) {
            true => Failure::Stopped,
            false if run::is_elsewhere(error) => Failure::Interrupted(format!("{error:#}")),
            // A full disk, or one that fails.
            false if Exit::from(error) == Exit::Later => Failure::Host(format!("{error:#}")),
            false => Failure::Input(format!("{error:#}")),
        }
    }
}

/// Each playlist of ffmpeg's, joined with the segments that were there before, and closed as it should be.
fn closed_playlists(tmp: &Path, recipe: &Recipe, kept: &[Vec<Segment>]) -> Result<Vec<(String, String)>> {
    let mut playlists = Vec::new();
    for (index, uri) in recipe.playlists().into_iter().enumerate() {
        let mut media = Media::parse(&read(tmp, &uri)?).with_context(|| uri.clone())?;
        ensure!(media.ended, "{uri} has no EXT-X-ENDLIST: it was not finished");
        media.segments.splice(0..0, kept.get(index).cloned().unwrap_or_default());
        playlists.push((uri, media));
    }
    // One for all that a player may go between (RFC 8216 §6.2.4).
    let target = playlists.iter().map(|(_, media)| media.least_target()).fold(1.0, f64::max);
    Ok(playlists.into_iter().map(|(uri, media)| (uri, media.published(target))).collect())
}

/// A rendition as it is announced.
fn announced(whole: &Whole, facts: &Facts) -> Variant {
    let (peak, average) = whole.media.bit_rates(&whole.sizes);
    // RFC 6381 §3.3: profile, constraints and level of H.264; AAC-LC is all that we write and pass on.
    let picture = facts
        .video
        .as_ref()
        .and_then(|video| video.sps)
        .map(|[profile, constraints, level]| format!("avc1.{profile:02X}{constraints:02X}{level:02X}"));
    let sound = facts.audio.as_ref().map(|_| "mp4a.40.2".to_owned());
    Variant {
        uri: whole.uri.clone(),
        peak,
        average,
        codecs: picture.into_iter().chain(sound).collect(),
        resolution: facts.video.as_ref().map(|video| (video.width, video.height)),
        // Where frames come at uneven times, ffprobe may find no better common measure than the clock's own.
        rate: facts.video.as_ref().map(|video| video.rate).filter(|rate| (1.0..=1000.0).contains(rate)),
    }
}

fn host(path: &Path, error: &io::Error) -> Failure {
    let why = explain(path, Want::Write, error).map(|why| format!(" ({why})")).unwrap_or_default();
    Failure::Host(format!("{}{why}: {error}", shown(path)))
}

fn no_space(tmp: &Path) -> Failure {
    Failure::Host(format!("{}: No space left on device", shown(tmp)))
}

/// Whether a directory's disk, or this user's part of it, has no room for another mebibyte.
fn is_full(dir: &Path) -> bool {
    let space = dir.join("space");
    let written = File::create(&space).and_then(|mut file| {
        file.write_all(&vec![1; 1 << 20])?;
        file.sync_all()
    });
    let _ = fs::remove_file(space);
    written.is_err_and(|error| durable::is_full(&error))
}

/// Removes a directory and all in it, or whatever else has its name; a link, and not what it leads to.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes a tree's files and entries last.
pub(crate) fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in WalkDir::new(dir).contents_first(true) {
        File::open(entry?.path())?.sync_all()?;
    }
    Ok(())
}

/// What a run that was killed left half made: `v0.tmp`, `v1.tmp` and so on.
pub(crate) fn litter(room: &Room) -> Vec<PathBuf> {
    let entries = fs::read_dir(&room.dir).into_iter().flatten().flatten();
    entries.filter(|entry| rec_core::glance::is_tmp(&entry.file_name())).map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_removed_and_not_what_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("v0.tmp"));
        fs::create_dir(&target).unwrap();
        fs::write(target.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        remove_tree(&link).unwrap();
        assert!(target.join("kept").exists() && fs::symlink_metadata(&link).is_err());
        remove_tree(&link).unwrap();
    }
}
