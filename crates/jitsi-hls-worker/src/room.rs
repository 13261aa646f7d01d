//! One room: look, lock, and take each of its recordings as far as it goes.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rec_core::adopt;
use rec_core::config::Config;
use rec_core::deadline::{Deadline, age};
use rec_core::durable;
use rec_core::exit::Exit;
use rec_core::fault;
use rec_core::lock::{self, Lock};
use rec_core::log::Log;
use rec_core::mp4::Shape;
use rec_core::notion::Client;
use rec_core::recording::{LOCK, Mp4, Room};
use rec_core::row::Publisher;
use rec_core::state::{Entry, Recording, State};
use rec_core::text::{path_word, shown};
use rec_hooks::Outbox;

use crate::away::Away;
use crate::hours::Hours;
use crate::progress::Progress;
use crate::queue::Waiting;
use crate::reserve::Disk;
use crate::steps::{End, Turn, tried_again};
use crate::{hls, jobs, resume};
use rec_core::glance::{self, Glance, Look, QUIET, Unfinalized};
use rec_core::plan::{self, Step};

/// How long Notion may take for one recording.
const NOTION_BUDGET: Duration = Duration::from_secs(120);

/// What a pass shares.
pub(crate) struct Worker<'a> {
    pub(crate) config: &'a Config,
    pub(crate) log: &'a Log,
    pub(crate) client: &'a Client,
    pub(crate) stop: &'a Arc<AtomicBool>,
    pub(crate) dry_run: bool,
    /// The directories were named by a person.
    pub(crate) named: bool,
    /// The hours that the run keeps.
    pub(crate) hours: Option<&'a Hours>,
    pub(crate) progress: &'a Progress,
    /// What is free on the recordings' disks, and for whom.
    pub(crate) disk: Disk,
    /// How many rooms are worked on at once, at the most.
    pub(crate) at_once: usize,
    /// How many rooms are being worked on or waiting for it.
    pub(crate) left: AtomicUsize,
    /// Their failures are forgotten.
    pub(crate) retry: bool,
    /// Whether Notion is worth asking.
    pub(crate) away: Away,
    /// Notion, or ffmpeg, has shown that no room can succeed.
    pub(crate) misconfigured: AtomicBool,
}

/// Removes what runs that were killed have left half made, but for what is kept.
fn sweep(room: &Room, keep: fn(&Path) -> bool) -> Result<()> {
    for litter in hls::litter(room).into_iter().filter(|litter| !keep(litter)) {
        hls::remove_tree(&litter).map_err(|error| durable::failed("remove", &litter, error))?;
    }
    Ok(())
}

/// Whether a room's directory is no longer where it was found.
fn is_gone(room: &Room) -> bool {
    room.dir.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

impl Worker<'_> {
    /// The rooms that a person named, each once. What is none is said, and the others have their turn all the same.
    pub(crate) fn locate(&self, dirs: &[PathBuf]) -> (Vec<Room>, Exit) {
        let (mut rooms, mut known, mut exit) = (Vec::new(), HashSet::new(), Exit::Done);
        for dir in dirs {
            match Room::locate(self.config, dir) {
                Ok(room) => {
                    let real = dir.canonicalize().unwrap_or_else(|_| dir.clone());
                    if known.insert(real) {
                        rooms.push(room);
                    }
                }
                Err(error) => {
                    self.log.error(&format!("ERROR: {error:#}"));
                    exit = Exit::Failed;
                }
            }
        }
        (rooms, exit)
    }

    /// A first look at a room, without its lock: whether there is work. Where there is none, why is said here.
    pub(crate) fn look<'r>(&self, room: &'r Room) -> Result<Option<Waiting<'r>>> {
        let glance = Glance::at(room, self.config)?;
        let state = if glance.has_state { State::load(room)? } else { None };
        let unfinalized = Unfinalized(self.config.publish_unfinalized_after);
        match glance::look(room, &glance, state.as_ref(), unfinalized, self.named)? {
            Look::Idle if self.forgets(state.as_ref()) => {}
            Look::Idle => {
                self.tell_idle(room, &glance, state.as_ref());
                return Ok(None);
            }
            Look::Skip(reason) => {
                self.log.line(&reason);
                self.log.detail(&format!("jitsi-finalize {} publishes it", shown(&room.dir)));
                return Ok(None);
            }
            Look::Work => {}
        }
        if let Some(warning) = room.warning() {
            self.log.error(&warning);
        }
        if self.dry_run {
            return self.tell(room, &glance).map(|()| None);
        }
        Ok(Some(Waiting::of(room, &glance)))
    }

    /// One room's turn.
    pub(crate) fn work(&self, room: &Room) -> Result<End> {
        // It may have waited for hours.
        if is_gone(room) {
            self.log.detail(&format!("Skip room={}: it is gone", room.id()));
            return Ok(Exit::Done.into());
        }
        let Some(lock) = Lock::try_acquire(&room.path(LOCK))? else {
            self.log.line(&format!("Busy room={}: another tool, or its ffmpeg, has it locked", room.id()));
            if let Some(holder) = lock::holder(&room.path(LOCK)) {
                self.log.detail(&format!("It was locked last by {holder}"));
            }
            return Ok(if self.named { Exit::Later } else { Exit::Done }.into());
        };
        fault::point("worker has the room's lock");
        room.sweep();
        sweep(room, resume::is_begun)?;
        fault::point("worker has swept");
        if self.retry {
            self.forget(room)?;
        }
        let end = match self.locked(room, &lock) {
            Err(_) if is_gone(room) => {
                let id = room.id();
                self.log.line(&format!(
                    "Later room={id}: its directory was moved or deleted while it was worked on; where it is then, a later run goes on"
                ));
                return Ok(Exit::Later.into());
            }
            end => end?,
        };
        if matches!(end, End::Exit(Exit::Done)) && self.closed().is_none() {
            // Begun for an MP4 that has gone, say; not for one that only waits.
            let waits = State::load(room)?.is_some_and(|state| state.recordings.iter().any(|r| r.host.is_some()));
            sweep(room, if waits { resume::is_begun } else { |_| false })?;
        }
        Ok(end)
    }

    /// Whether a person wants something of these recordings to be forgotten.
    fn forgets(&self, state: Option<&State>) -> bool {
        self.retry && !self.dry_run && state.is_some_and(|state| state.recordings.iter().any(Recording::is_troubled))
    }

    /// Forgets what went wrong with a room's recordings, as a person wants.
    fn forget(&self, room: &Room) -> Result<()> {
        let glance = Glance::at(room, self.config)?;
        let mut state = self.load(room, &glance)?;
        if self.forgets(Some(&state)) {
            let before = state.clone();
            state.recordings.iter_mut().for_each(Recording::retried);
            state.save_over(&before, room)?;
            self.log.line(&format!("Retry room={}: what went wrong before is forgotten", room.id()));
        }
        Ok(())
    }

    /// Why nothing is done for a room: said where a person named it, and of what was given up to those who want to know more.
    fn tell_idle(&self, room: &Room, glance: &Glance, state: Option<&State>) {
        let id = room.id();
        let recordings = state.map(|state| &state.recordings[..]).unwrap_or_default();
        for recording in recordings.iter().filter(|recording| recording.given_up || recording.row_gone) {
            let why = recording.error.as_deref().unwrap_or("its row is gone from Notion");
            let dir = path_word(&room.dir);
            let file = recording.shown();
            self.log
                .detail(&format!("Skip room={id} mp4={file}: {why}; jitsi-hls-worker --retry {dir} tries it again"));
        }
        for recording in recordings {
            let facts = glance.facts(room, recording, self.named);
            if let Some(hold) = plan::held(recording, plan::wanted(recording, &facts), &facts) {
                let (file, why, when) = (recording.shown(), &hold.why, tried_again(hold));
                self.log.detail(&format!("Skip room={id} mp4={file}: {why}; {when}"));
            }
        }
        if self.named {
            let published = !recordings.is_empty() && recordings.iter().all(Recording::is_published);
            let why = match glance.mp4s.is_empty() {
                _ if published => "published",
                true => "no mp4",
                false => "nothing is due",
            };
            self.log.line(&format!("Nothing to do room={id}: {why}"));
        }
    }

    /// What a dry run says.
    fn tell(&self, room: &Room, glance: &Glance) -> Result<()> {
        let mut state = adopt::load(self.config, room, &glance.mp4s)?;
        state.register(&glance.mp4s, |slot| room.has_slot(slot));
        for recording in &state.recordings {
            let step = plan::next(recording, &glance.facts(room, recording, self.named));
            let what = match step {
                Step::Rest => continue,
                Step::MakeRow(_) => "create its notion page",
                Step::TellError => "set its row to error",
                Step::Inherit => "compare it with the HLS in place",
                Step::Encode => "make its HLS",
                Step::Publish => "point its row at the HLS",
                Step::Remove => "delete the mp4",
                Step::TellWebhooks => "tell its webhooks",
            };
            let mp4 = recording.file.as_ref().map(|_| format!(" mp4={}", recording.shown())).unwrap_or_default();
            self.log.line(&format!("Would {what} room={}{mp4}", room.id()));
        }
        Ok(())
    }

    /// The room's recordings, under its lock, until each of them rests or has ended for this run.
    fn locked(&self, room: &Room, lock: &Lock) -> Result<End> {
        let (mut exit, mut unsettled, mut over, mut last) = (Exit::Done, None, Vec::new(), None);
        loop {
            // Anew after each step: another MP4 may have come while ffmpeg was at work.
            let glance = Glance::at(room, self.config)?;
            let mut state = self.load(room, &glance)?;
            let next = state.recordings.iter().enumerate().filter(|(index, _)| !over.contains(index)).find_map(
                |(index, recording)| match plan::next(recording, &glance.facts(room, recording, self.named)) {
                    Step::Rest => None,
                    step => Some((index, step)),
                },
            );
            let Some((index, step)) = next else { break };
            // A step leads to another one, or its recording's turn is over.
            anyhow::ensure!(last.as_ref() != Some(&(index, step, state.clone())), "{step:?} leads nowhere");
            let goes_on = last.as_ref().is_some_and(|(before, ..)| *before == index);
            last = Some((index, step, state.clone()));
            if self.stop.load(Ordering::Relaxed) {
                return Ok(Exit::Later.into());
            }
            let entry = Entry { room, state: &mut state, index };
            let shown = entry.shown();
            if step == Step::Remove && !goes_on {
                // The run that told Notion died before it could say so.
                self.log.line(&format!("HLS exists. Notion ok. Deleting mp4 {shown}"));
            }
            // One that cannot be read does not keep the others of its room from their turn.
            let stepped = match (Turn { worker: self, lock, entry }).step(step) {
                Err(error) if is_gone(room) => return Err(error),
                Err(error) => {
                    self.log.error(&format!("ERROR: {shown}: {error:#}"));
                    Err(Exit::from(&error).into())
                }
                Ok(stepped) => stepped,
            };
            match stepped {
                Ok(()) => {}
                Err(End::Misconfigured) => return Ok(End::Misconfigured),
                Err(End::Exit(end)) => {
                    exit = exit.max(end);
                    over.push(index);
                }
                Err(End::Unsettled(wait)) => {
                    unsettled = unsettled.max(Some(wait));
                    over.push(index);
                }
            }
        }
        Ok(match unsettled {
            Some(wait) if exit != Exit::Failed => End::Unsettled(wait),
            _ => exit.into(),
        })
    }

    /// The room's state, with every MP4 in it of which it is certain that nobody writes to it any more.
    fn load(&self, room: &Room, glance: &Glance) -> Result<State> {
        let mut state = adopt::load(self.config, room, &glance.mp4s)?;
        let before = state.clone();
        let unfinalized = Unfinalized(self.config.publish_unfinalized_after);
        let ours = glance.has_state || glance.has_id;
        let mut closed = Vec::new();
        for mp4 in &glance.mp4s {
            let known = state.recordings.iter().any(|recording| recording.is_of(mp4));
            if known || if ours { self.is_closed(room, mp4) } else { unfinalized.is_due(mp4) } {
                closed.push(mp4.clone());
            }
        }
        state.register(&closed, |slot| room.has_slot(slot));
        state.save_over(&before, room)?;
        adopt::mend_id(room, &state)?;
        Ok(state)
    }

    /// Whether nobody writes to an MP4 any more that finalize was not called for.
    fn is_closed(&self, room: &Room, mp4: &Mp4) -> bool {
        let shape = mp4.shape(&room.dir).inspect_err(|error| self.log.error(&format!("ERROR: {error:#}")));
        shape.is_ok_and(|shape| shape == Shape::Whole || age(mp4.print.mtime) >= QUIET)
    }

    /// Whether another room may begin.
    pub(crate) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && !self.misconfigured.load(Ordering::Relaxed)
    }

    /// That the window has closed, if the run keeps one.
    pub(crate) fn closed(&self) -> Option<String> {
        self.hours.and_then(Hours::closed)
    }

    /// How many threads an ffmpeg may use that begins now.
    pub(crate) fn threads(&self) -> usize {
        jobs::threads(cores(), self.left.load(Ordering::Relaxed).min(self.at_once))
    }

    /// How long Notion may take for what comes next.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(NOTION_BUDGET, self.stop)
    }

    /// Delivers what is due to webhooks, for so long at most. What is not delivered is tried again when it is due.
    pub(crate) fn deliver(&self, budget: Duration) {
        Outbox::new(self.config).drain(&[], self.log, &Deadline::after(budget, self.stop), false);
    }

    /// What makes and changes rows.
    pub(crate) fn publisher(&self) -> Publisher<'_> {
        Publisher { config: self.config, client: self.client.with_deadline(self.deadline()), log: self.log }
    }
}

/// How many cores this process may use.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
