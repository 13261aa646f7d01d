//! The steps of a recording, each of which leaves the disk and Notion in a state from which the next run goes on.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rec_core::adopt;
use rec_core::deadline::age;
use rec_core::durable;
use rec_core::exit::Exit;
use rec_core::fault;
use rec_core::hold::Hold;
use rec_core::lock::Lock;
use rec_core::log::{self, Log};
use rec_core::mp4::{Damage, Shape};
use rec_core::notion::Status;
use rec_core::recording::{Fingerprint, Mp4};
use rec_core::row;
use rec_core::state::{Entry, Hls, Moment, Row};
use rec_core::text::{path_word, shown};
use rec_hooks::tell::try_to_settle;
use time::OffsetDateTime;

use crate::hls::{self, Failure, Job};
use crate::inherit::{self, Origin};
use crate::reserve::{NoRoom, Reservation};
use crate::room::Worker;
use crate::run::is_elsewhere;
use rec_core::glance::QUIET;
use rec_core::hls::complete;
use rec_core::plan::{ERROR, Step};

/// An MP4 with fragments may be one that its recorder has not closed yet; ffmpeg writes several times a second.
const GROWTH: Duration = Duration::from_secs(5);

/// How a recording's, or a room's, turn ended.
pub(crate) enum End {
    /// With this.
    Exit(Exit),
    /// A lost create has to show up first; after so long another look makes sense.
    Unsettled(Duration),
    /// Nothing will work before a person has mended the configuration.
    Misconfigured,
}

impl From<Exit> for End {
    fn from(exit: Exit) -> Self {
        Self::Exit(exit)
    }
}

/// How a step ended: the recording goes on to its next one, or it ends here for this run.
pub(crate) type Stepped = std::result::Result<(), End>;

/// One recording's turn.
pub(crate) struct Turn<'a> {
    pub(crate) worker: &'a Worker<'a>,
    pub(crate) lock: &'a Lock,
    pub(crate) entry: Entry<'a>,
}

impl<'a> Turn<'a> {
    /// Takes a step.
    pub(crate) fn step(mut self, step: Step) -> Result<Stepped> {
        // What takes long begins within the hours only; what it has led to is brought to its end at any.
        if matches!(step, Step::Inherit | Step::Encode)
            && let Some(closed) = self.worker.closed()
        {
            self.log().line(&format!("Later {}: {closed}", self.shown()));
            return Ok(Err(Exit::Done.into()));
        }
        match step {
            Step::Rest => Ok(Ok(())),
            Step::MakeRow(status) => self.make_row(status),
            Step::TellError => {
                self.webhooks(Moment::Failed)?;
                Ok(self.update(ERROR))
            }
            Step::TellWebhooks => self.settle(),
            Step::Inherit => self.inherit(),
            Step::Encode => self.encode(),
            Step::Publish => self.publish(),
            Step::Remove => self.remove(),
        }
    }

    pub(crate) fn log(&self) -> &Log {
        self.worker.log
    }

    /// `room=… mp4=…`, as the script's line names a recording.
    fn shown(&self) -> String {
        format!("room={} mp4={}", self.entry.room.id(), self.entry.recording().shown())
    }

    fn hls_dir(&self) -> PathBuf {
        self.entry.room.path(self.entry.recording().hls_dir())
    }

    /// Its MP4, if it is there.
    fn mp4(&self) -> Result<Option<Mp4>> {
        Ok(self.entry.room.mp4s()?.into_iter().find(|mp4| self.entry.recording().is_of(mp4)))
    }

    /// Whether the MP4 can be played to its end, as far as its boxes tell. One that cannot is given up at once; one that may
    /// still be growing waits.
    pub(crate) fn examine(&mut self) -> Result<Stepped> {
        let recording = self.entry.recording();
        let (Some(file), Some(print)) = (&recording.file, recording.source) else { return Ok(Ok(())) };
        let mp4 = Mp4 { name: file.0.clone(), print };
        let shape = mp4.shape(&self.entry.room.dir)?;
        let quiet = match shape {
            Shape::Whole => return Ok(Ok(())),
            // Jibri had closed it when it got its row.
            Shape::Damaged(_) if recording.page_id.is_some() => GROWTH,
            Shape::Damaged(_) => QUIET,
            Shape::Fragmented => GROWTH,
        };
        // A time to come says nothing of how long ago it was.
        let to_come = print.mtime > OffsetDateTime::now_utc();
        let wait = if to_come { GROWTH } else { GROWTH.saturating_sub(age(print.mtime)) };
        self.worker.deadline().sleep(wait);
        let still = fingerprint(&self.entry.room.path(&mp4.name)).is_ok_and(|now| now == print);
        if !still || (!to_come && age(print.mtime) < quiet) {
            self.log().line(&format!("Skip {}: it may still be being written", self.shown()));
            return Ok(Err(Exit::Later.into()));
        }
        let Shape::Damaged(damage) = shape else { return Ok(Ok(())) };
        let accepted = self.worker.config.hls.accept_damaged;
        if accepted && matches!(damage, Damage::Cut { .. }) {
            // Its index is there, and some of what that tells of.
            return Ok(Ok(()));
        }
        self.log().error(&format!("ERROR: {} cannot be played: {damage}; the file is kept", self.shown()));
        self.entry.change(|recording| {
            (recording.error, recording.given_up) = (Some(damage.to_string()), true);
            // Nothing of it can be decoded, which is the same in every run.
            recording.salvaged = accepted;
        })?;
        Ok(Err(Exit::Failed.into()))
    }

    /// Room on the disk for what ffmpeg is going to write.
    fn reserve(&self, bytes: u64) -> Result<std::result::Result<Reservation<'a>, NoRoom>> {
        let (room, dir) = (self.entry.room, self.entry.recording().hls_dir());
        let reserved = self.worker.disk.reserve(&room.dir, [&format!("{dir}.tmp"), &dir], bytes);
        reserved.with_context(|| format!("look how much is free on the disk of {}", shown(&room.dir)))
    }

    /// ffmpeg, between a row that says processing and HLS in place.
    fn encode(&mut self) -> Result<Stepped> {
        match self.examine()? {
            Ok(()) => {}
            Err(End::Exit(Exit::Failed)) => return self.tell_error().map(Err),
            Err(end) => return Ok(Err(end)),
        }
        let recording = self.entry.recording();
        let (Some(name), Some(print)) = (recording.file.clone(), recording.source) else { return Ok(Ok(())) };
        let dir = recording.hls_dir();
        // Who is to know that it was recorded does not wait for ffmpeg.
        try_to_settle(self.worker.config, self.worker.log, &mut self.entry);
        let job = Job {
            room: self.entry.room,
            title: &row::title(self.worker.config, self.entry.room),
            name: name.as_ref(),
            print,
            dir: &dir,
            settings: &self.worker.config.hls,
            threads: self.worker.threads(),
            lock: self.lock,
            log: self.worker.log,
            progress: self.worker.progress,
            stop: self.worker.stop,
            hours: self.worker.hours,
        };
        let plan = job.plan();
        let _reserved = match plan.as_ref().map(|plan| self.reserve(plan.recipe.bytes())) {
            Ok(reserved) => match reserved? {
                Ok(reserved) => Some(reserved),
                Err(none) => {
                    self.log().error(&format!("ERROR: {}: {none}; skipped, the next run tries again", self.shown()));
                    return Ok(Err(Exit::Later.into()));
                }
            },
            // Its row says first that it is being worked on, as the script's did.
            Err(_) => None,
        };
        // Where the state cannot be written, nothing is begun that it would have to know of.
        self.entry.change(|_| ())?;
        self.log().line(&format!("Process {}", self.shown()));
        fault::point("row is about to say processing");
        let processing = Row::mp4(Status::Processing);
        // The script went on whatever Notion said to this, and so do we, but for a row that nobody wants any more.
        match self.update(processing) {
            Err(end) if matches!(end, End::Misconfigured) || self.entry.recording().row_gone => return Ok(Err(end)),
            _ => {}
        }
        let failure = match plan.and_then(|plan| job.make(&plan)) {
            Ok(made) => {
                // Before the rename: a run that dies in between finds HLS that is not there, and makes it anew; the other way
                // round it would find HLS of which nobody knows what it was made from.
                self.entry.change(|recording| {
                    recording.hls = Some(Hls { of: Some(print) });
                    recording.starts_anew();
                    recording.damage = made.damage;
                })?;
                match job.put_in_place() {
                    Ok(()) => {
                        fault::point("HLS in place lasts");
                        let id = self.entry.room.id();
                        let done = match &self.entry.recording().damage {
                            None => format!("Notion updated to HLS. Deleting mp4 room={id}"),
                            Some(damage) => format!("Notion updated to HLS. Damaged mp4 kept room={id}: {damage}"),
                        };
                        return self.announce(&done, "ERROR: HLS created but");
                    }
                    Err(failure) => {
                        self.entry.change(|recording| (recording.hls, recording.damage) = (None, None))?;
                        failure
                    }
                }
            }
            Err(failure) => failure,
        };
        Ok(Err(match failure {
            Failure::Stopped => {
                self.log().line(&format!("Stopped {}: the next run goes on with it", self.shown()));
                Exit::Later.into()
            }
            Failure::Closed(why) => {
                self.log().line(&format!("Stopped {}: {why}; a later run makes its HLS", self.shown()));
                Exit::Done.into()
            }
            Failure::Changed => {
                let what = if self.mp4()?.is_some() { "has changed" } else { "was taken away" };
                self.log().line(&format!("Later {}: it {what} while it was encoded", self.shown()));
                Exit::Later.into()
            }
            Failure::Host(why) => self.host("ERROR:", &why),
            Failure::Interrupted(why) => self.host("ERROR: ffmpeg failed", &format!("{why}; mp4 kept")),
            Failure::Configuration(why) => {
                self.misconfigured(&format!(
                    "ERROR: this ffmpeg cannot do it: {why}; install Debian's package ffmpeg, or mend PATH"
                ));
                End::Misconfigured
            }
            Failure::Input(why) => self.failed(&why)?,
        }))
    }

    /// A try that the machine has ended, and not the MP4: it is tried again for ever, and ever more rarely.
    fn host(&mut self, failed: &str, why: &str) -> End {
        let hold = Hold::failed(self.entry.recording().host.as_ref(), why);
        let when = tried_again(&hold);
        self.log().error(&format!("{failed} {}: {why}; {when}", self.shown()));
        if let Err(error) = self.entry.change(|recording| recording.host = Some(hold)) {
            // On a full disk, say: then each run tries.
            self.log().detail(&format!("{error:#}"));
        }
        Exit::Later.into()
    }

    /// A try that failed for the MP4, or because ffmpeg cannot cope with it: its row says so, and after the last one it is left
    /// alone.
    fn failed(&mut self, why: &str) -> Result<End> {
        let (salvage, most) = (self.worker.config.hls.accept_damaged, self.worker.config.hls.tries);
        self.entry.change(|recording| {
            recording.failures = recording.failures.saturating_add(1);
            let last = recording.failures >= most;
            recording.given_up |= last;
            // Of what was given up before that was allowed, each run makes another try, until it has failed often enough too.
            recording.salvaged |= salvage && last;
            recording.error = Some(why.to_owned());
        })?;
        let tries = self.entry.recording().failures;
        let next = if self.entry.recording().given_up {
            let dir = path_word(&self.entry.room.dir);
            format!(
                "given up after try {tries} until the file changes, or somebody runs jitsi-hls-worker --retry {dir}"
            )
        } else {
            format!("try {tries} of {most}, the next run tries again")
        };
        self.log().error(&format!("ERROR: ffmpeg failed {}: {why}; mp4 kept, {next}", self.shown()));
        self.tell_error()
    }

    /// Decides about HLS that nobody noted the origin of.
    fn inherit(&mut self) -> Result<Stepped> {
        let (shown_entry, dir) = (self.shown(), self.entry.recording().hls_dir());
        let Some(name) = self.entry.recording().file.clone() else { return Ok(Ok(())) };
        let (nice, stop) = (self.worker.config.hls.nice, self.worker.stop);
        let origin = match inherit::origin(self.entry.room, &dir, name.as_ref(), nice, stop) {
            Ok(origin) => origin,
            Err(error) if is_elsewhere(&error) => return Ok(Err(self.host("ERROR:", &format!("{error:#}")))),
            // The MP4 itself cannot be read: it is that which failed.
            Err(error) => return self.failed(&format!("{error:#}")).map(Err),
        };
        self.log().detail(&format!("{shown_entry}: the HLS in {dir} {origin}"));
        match origin {
            Origin::Stopped => return Ok(Err(Exit::Later.into())),
            Origin::Same => {
                // Whoever made it may have left it to the page cache.
                let path = self.hls_dir();
                hls::sync_tree(&path)
                    .and_then(|()| durable::sync_parent(&path))
                    .with_context(|| format!("fsync {}", shown(&path)))?;
                fault::point("inherited HLS lasts");
                self.entry.change(|recording| {
                    recording.hls = Some(Hls { of: recording.source });
                    recording.succeeded();
                })?;
            }
            Origin::Broken(why) => self.rebuild(&why)?,
            Origin::Other => {
                self.log()
                    .line(&format!("HLS in {dir} is of another recording than {shown_entry}, which gets its own"));
                let hls = complete(&self.hls_dir()).is_ok();
                let room = self.entry.room;
                adopt::split(self.entry.state, self.entry.index, |slot| room.has_slot(slot));
                self.entry.change(|first| {
                    first.hls = hls.then_some(Hls { of: None });
                    first.given_up = !hls;
                })?;
            }
        }
        Ok(Ok(()))
    }

    /// HLS of this recording that is not whole goes, so that it is made anew.
    fn rebuild(&mut self, why: &str) -> Result<()> {
        let path = self.hls_dir();
        self.log().line(&format!("HLS in {} is not whole and is made anew: {why}", shown(&path)));
        hls::remove_tree(&path).map_err(|error| durable::failed("remove", &path, error))?;
        fault::point("HLS that is not whole is gone");
        self.entry.change(|recording| {
            // A row that says error is told apart still: its reason has to go.
            recording.row = recording.row.filter(|row| *row == ERROR);
            recording.hls = None;
        })
    }

    /// Points the row at HLS that an earlier run, or a script, has put in place.
    fn publish(&mut self) -> Result<Stepped> {
        if let Err(why) = complete(&self.hls_dir()) {
            return self.incomplete(&why);
        }
        if self.entry.recording().hls.is_none() {
            // Left by the scripts, who removed the MP4 for it.
            self.entry.change(|recording| recording.hls = Some(Hls { of: None }))?;
        }
        let id = self.entry.room.id();
        let done = match self.mp4()? {
            Some(_) if self.entry.recording().damage.is_some() => {
                format!("HLS exists. Notion updated. Damaged mp4 kept {}", self.entry.shown())
            }
            Some(_) => format!("HLS exists. Notion updated. Deleting mp4 {}", self.entry.shown()),
            None => format!("HLS exists. Notion ok. No mp4 to delete room={id}"),
        };
        self.announce(&done, "HLS exists but")
    }

    /// HLS that was whole once, or that the scripts left, and is not whole now.
    fn incomplete(&mut self, why: &anyhow::Error) -> Result<Stepped> {
        if is_unreadable(why) {
            // It may be whole.
            return Ok(Err(self.host("ERROR:", &format!("its HLS cannot be read: {why:#}"))));
        }
        let why = &format!("{why:#}");
        if self.mp4()?.is_some() {
            self.rebuild(why)?;
            return Ok(Ok(()));
        }
        self.log().error(&format!(
            "ERROR: HLS in {} is not whole, and its mp4 is gone: {why}; bring one of them back from a backup",
            shown(self.hls_dir())
        ));
        self.entry.change(|recording| (recording.error, recording.given_up) = (Some(why.to_owned()), true))?;
        Ok(Err(Exit::Failed.into()))
    }

    /// Removes the MP4, which is still the file that the HLS was made from, while that is still whole.
    fn remove(&mut self) -> Result<Stepped> {
        if let Err(why) = complete(&self.hls_dir()) {
            return self.incomplete(&why);
        }
        let Some(mp4) = self.mp4()? else { return Ok(Ok(())) };
        let path = self.entry.room.path(&mp4.name);
        if fingerprint(&path)? == mp4.print {
            fault::point("MP4 is about to go");
            fs::remove_file(&path)
                .inspect(|()| fault::point("MP4 is gone"))
                .and_then(|()| durable::sync_parent(&path))
                .inspect(|()| fault::point("removal lasts"))
                .map_err(|error| durable::failed("its HLS is published: delete", &path, error))?;
            self.entry.change(|recording| {
                recording.removed = Some(OffsetDateTime::now_utc());
                recording.succeeded();
            })?;
        }
        Ok(Ok(()))
    }
}

/// When a recording that waits is tried again.
pub(crate) fn tried_again(hold: &Hold) -> String {
    if hold.tries < 2 {
        return "the next run tries again".to_owned();
    }
    format!("try {}, tried again after {}", hold.tries, log::stamp(hold.until))
}

/// Whether a file is there and the machine does not give it out.
fn is_unreadable(error: &anyhow::Error) -> bool {
    let away = [ErrorKind::PermissionDenied, ErrorKind::TimedOut, ErrorKind::NotConnected];
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| away.contains(&error.kind()) || durable::is_broken(error))
}

fn fingerprint(path: &std::path::Path) -> Result<Fingerprint> {
    let metadata = fs::symlink_metadata(path).with_context(|| shown(path))?;
    Ok(Fingerprint::of(&metadata))
}
