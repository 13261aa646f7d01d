//! An MP4 into HLS: built beside, verified, made to last, and only then put in place.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use rec_core::durable;
use rec_core::lock::Lock;
use rec_core::log::Log;
use rec_core::recording::{Fingerprint, Room};
use rec_core::text::shown;
use walkdir::WalkDir;

use crate::ffmpeg::{self, STREAM};
use crate::ffprobe::{self, Facts};
use crate::playlist::{self, Variant};
use crate::run::Interrupted;
use crate::verify;

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
    /// We were asked to stop.
    Stopped,
}

/// One encode.
pub(crate) struct Job<'a> {
    pub(crate) room: &'a Room,
    /// The MP4's name in the room.
    pub(crate) name: &'a OsStr,
    /// The MP4 as the caller knows it.
    pub(crate) print: Fingerprint,
    /// The directory to make, `v0` say.
    pub(crate) dir: &'a str,
    pub(crate) lock: &'a Lock,
    pub(crate) log: &'a Log,
    pub(crate) stop: &'a AtomicBool,
}

impl Job<'_> {
    /// Makes the HLS. Whatever fails, nothing of it is left.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        let tmp = self.room.path(format!("{}.tmp", self.dir));
        let mut made = self.build(&tmp).and_then(|()| self.put_in_place(&tmp));
        if made.is_err() {
            // What ffmpeg writes last it may lose without a word and with exit 0.
            if matches!(made, Err(Failure::Input(_))) && is_full(&tmp) {
                made = Err(no_space(&tmp));
            }
            // What cannot be removed now, the next run removes.
            let _ = remove_tree(&tmp);
        }
        made
    }

    fn build(&self, tmp: &Path) -> Result<(), Failure> {
        self.place()?;
        remove_tree(tmp).and_then(|()| fs::create_dir(tmp)).map_err(|error| host(tmp, &error))?;
        let source = ffprobe::source(tmp, self.name, self.stop).map_err(|error| self.input(&error))?;
        if source.video.is_none() && source.audio.is_none() {
            return Err(Failure::Input("it has neither video nor audio".into()));
        }
        if !source.more.is_empty() {
            return Err(Failure::Input(format!("it has {}, which the HLS would not have", source.more.join(" and "))));
        }
        self.encode(tmp, &source)?;
        set_target(&tmp.join(STREAM)).map_err(|error| host(tmp, &error))?;
        let variant = self.verify(tmp, &source).map_err(|error| self.input(&error))?;
        let master = playlist::master(&variant, STREAM);
        fs::write(tmp.join("master.m3u8"), master).map_err(|error| host(tmp, &error))
    }

    fn encode(&self, tmp: &Path, source: &Facts) -> Result<(), Failure> {
        let report = |done: f64| {
            let percent = (done / source.duration.max(0.1) * 100.0).min(100.0);
            self.log.detail(&format!("Encoding room={} file={}: {percent:.0} %", self.room.id(), shown(self.name)));
        };
        let mut command = ffmpeg::command(tmp, self.name, source);
        let ended = ffmpeg::encode(&mut command, self.lock, self.stop, report)
            .map_err(|error| Failure::Host(format!("{error:#}")))?;
        if self.stop.load(Ordering::Relaxed) {
            Err(Failure::Stopped)
        } else if ended.is_disk_full() {
            Err(no_space(tmp))
        } else if ended.was_killed() || ended.host_trouble().is_some() {
            Err(Failure::Interrupted(ended.reason()))
        } else if !ended.is_clean() {
            // Exit 0 is not enough: ffmpeg conceals what it could not decode, and says so only on stderr.
            Err(Failure::Input(ended.reason()))
        } else {
            Ok(())
        }
    }

    fn verify(&self, tmp: &Path, source: &Facts) -> Result<Variant> {
        let whole = verify::whole(tmp, STREAM)?;
        let hls = verify::matches(tmp, &whole, source, self.stop)?;
        let (peak, average) = whole.media.bit_rates(&whole.sizes);
        let mut codecs = Vec::new();
        if let Some(video) = &hls.video {
            // Main profile (77), with constraint_set1 as x264 writes it, and the level (RFC 6381 §3.3).
            codecs.push(format!("avc1.4D40{:02X}", video.level));
        }
        if hls.audio.is_some() {
            codecs.push("mp4a.40.2".to_owned());
        }
        Ok(Variant { peak, average, codecs, resolution: hls.video.map(|video| (video.width, video.height)) })
    }

    /// fsync, a last look at the MP4, rename, fsync.
    fn put_in_place(&self, tmp: &Path) -> Result<(), Failure> {
        sync_tree(tmp).map_err(|error| host(tmp, &error))?;
        if self.stop.load(Ordering::Relaxed) {
            return Err(Failure::Stopped);
        }
        let now = fs::symlink_metadata(self.room.path(self.name)).map(|metadata| Fingerprint::of(&metadata));
        if now.ok() != Some(self.print) {
            return Err(Failure::Changed);
        }
        let place = self.place()?;
        // A file or a link of that name is nothing that anybody watches.
        remove_tree(&place)
            .and_then(|()| fs::rename(tmp, &place))
            .and_then(|()| durable::sync_parent(&place))
            .map_err(|error| host(&place, &error))
    }

    /// Where the HLS is to be. What is there by now, a script say has made: it is not built over.
    fn place(&self) -> Result<PathBuf, Failure> {
        let place = self.room.path(self.dir);
        if place.is_dir() {
            return Err(Failure::Host(format!("{} is there now; the next run looks at what it is", shown(&place))));
        }
        Ok(place)
    }

    fn input(&self, error: &anyhow::Error) -> Failure {
        match self.stop.load(Ordering::Relaxed) {
            true => Failure::Stopped,
            false if error.is::<Interrupted>() => Failure::Interrupted(format!("{error:#}")),
            false => Failure::Input(format!("{error:#}")),
        }
    }
}

fn host(path: &Path, error: &io::Error) -> Failure {
    Failure::Host(format!("{}: {error}", shown(path)))
}

fn no_space(tmp: &Path) -> Failure {
    Failure::Host(format!("{}: No space left on device", shown(tmp)))
}

/// Whether a directory's disk, or this user's part of it, has no room for another mebibyte.
fn is_full(dir: &Path) -> bool {
    let written = File::create(dir.join("space")).and_then(|mut file| {
        file.write_all(&vec![1; 1 << 20])?;
        file.sync_all()
    });
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

/// Has a playlist say a target duration that is no lie; where there is no playlist, the verification says so.
fn set_target(playlist: &Path) -> io::Result<()> {
    match fs::read_to_string(playlist) {
        Ok(text) => fs::write(playlist, playlist::with_target(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
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
    entries.filter(|entry| is_tmp(&entry.file_name())).map(|entry| entry.path()).collect()
}

/// Whether a name is that of HLS being built.
pub(crate) fn is_tmp(name: &OsStr) -> bool {
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
