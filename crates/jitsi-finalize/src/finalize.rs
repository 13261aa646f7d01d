//! The story: lock, look, decide, publish, record.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rec_core::access;
use rec_core::adopt;
use rec_core::config::Config;
use rec_core::deadline::Deadline;
use rec_core::exit::Exit;
use rec_core::fault;
use rec_core::lock::Lock;
use rec_core::log::{Log, say};
use rec_core::mp4::{Damage, Shape};
use rec_core::notion::{Client, Status};
use rec_core::recording::{LOCK, Mp4, NOTION_ID, Room, STATE};
use rec_core::row::{Made, Publisher, create_failed};
use rec_core::share;
use rec_core::state::{Entry, Moment, Recording, Row, State};
use rec_core::text::shown;
use rec_hooks::Outbox;
use rec_hooks::tell::tell;

use crate::cli::Cli;

/// Jibri takes no other meeting while we run, so we end within 30 s whatever Notion does. What is left after this, the disk
/// may need.
const BUDGET: Duration = Duration::from_secs(25);

/// Of that, what webhooks get after Notion, where there are any.
const WEBHOOKS: Duration = Duration::from_secs(5);

/// How long the directory's other user, a worker that encodes an earlier MP4 of it, is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// A file without an index may be one that another Jibri still writes: ffmpeg writes several times a second.
const GROWTH_WAIT: Duration = Duration::from_secs(2);

pub(crate) fn finalize(cli: &Cli) -> Exit {
    let begun = Deadline::within(BUDGET);
    let Some(config) = cli.common.config() else {
        if !cli.dry_run {
            remember_without_configuration(&directory(&cli.path));
        }
        return Exit::Failed;
    };
    let deadline = if config.webhooks.is_empty() { begun } else { begun.at_most(BUDGET.saturating_sub(WEBHOOKS)) };
    let log = Log::for_run(&config.log_dir, "finalize.log", cli.common.verbosity(), cli.dry_run);
    let job = Job { config: &config, log: &log, deadline: &deadline };
    let exit = job.run(cli).unwrap_or_else(|error| {
        // Said by the log, whose file an admin reads in the morning.
        log.error(&format!("ERROR: {error:#}"));
        Exit::from(&error)
    });
    if !cli.dry_run {
        // Once, and whatever comes of it: what is not delivered is in the outbox.
        Outbox::new(&config).drain(&[], &log, &Deadline::within(WEBHOOKS), false);
    }
    exit
}

struct Job<'a> {
    config: &'a Config,
    log: &'a Log,
    deadline: &'a Deadline,
}

impl Job<'_> {
    fn run(&self, cli: &Cli) -> Result<Exit> {
        let dir = directory(&cli.path);
        match fs::metadata(&dir) {
            Ok(metadata) if metadata.is_dir() => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(access::reading("open", &dir, error));
            }
            _ => bail!("recording dir not found: {}", shown(&dir)),
        }
        let room = Room::locate(self.config, &dir)?;
        if let Some(warning) = room.warning() {
            self.log.error(&warning);
        }
        if cli.dry_run {
            let mp4s = room.mp4s()?;
            let mut state = adopt::load(self.config, &room, &mp4s)?;
            state.register(&mp4s, |slot| room.has_slot(slot));
            return self.tell(&room, state, &mp4s);
        }
        if room.mp4s()?.is_empty() && !room.path(STATE).exists() {
            // Not even a lock is left where nothing of ours is.
            bail!("mp4 not found in {}", shown(&dir));
        }
        // Before anything is made in it, for that takes after it.
        self.log.warnings(share::take_in(&dir).as_slice());
        let Some(_lock) = Lock::acquire(&room.path(LOCK), &self.deadline.at_most(LOCK_WAIT))? else {
            self.log.error(&format!(
                "Busy room={}: another tool has {} locked; it, or the next worker run, publishes what is new there",
                room.id(),
                shown(&dir)
            ));
            return Ok(Exit::Later);
        };
        fault::point("finalize has the lock");
        room.sweep();
        fault::point("finalize has swept");
        let (mp4s, mut state) = self.look(&room)?;
        fault::point("finalize has registered");
        let here = self.nothing_here(&room, &state, &mp4s)?;
        let due = to_publish(&state, &mp4s);
        Ok(here.max(self.publish_all(&room, &mut state, &due)))
    }

    /// The rows of these recordings, as far as the time goes.
    fn publish_all(&self, room: &Room, state: &mut State, indices: &[usize]) -> Exit {
        let client = Client::new((&self.config.notion).into(), self.deadline.clone());
        let publisher = Publisher { config: self.config, client, log: self.log };
        let mut exit = Exit::Done;
        for &index in indices {
            let mut entry = Entry { room, state, index };
            if self.deadline.left() < 2 * GROWTH_WAIT {
                self.log.line(&format!("Later {}: out of time; the worker publishes it", entry.shown()));
                exit = exit.max(Exit::Later);
                continue;
            }
            // One that cannot be read does not keep the others from their rows.
            exit = exit.max(self.publish(&publisher, &mut entry).unwrap_or_else(|error| {
                self.log.error(&format!("ERROR: {}: {error:#}", entry.shown()));
                Exit::from(&error)
            }));
        }
        self.log.warnings(&publisher.client.warnings());
        exit
    }

    /// Lists the MP4s and takes them into the state: from here on the worker knows of them too, whatever becomes of us.
    fn look(&self, room: &Room) -> Result<(Vec<Mp4>, State)> {
        let mp4s = room.mp4s()?;
        let before = adopt::load(self.config, room, &mp4s)?;
        let mut state = before.clone();
        state.register(&mp4s, |slot| room.has_slot(slot));
        if !mp4s.is_empty() {
            state.save_over(&before, room)?;
        }
        Ok((mp4s, state))
    }

    /// No MP4 is a failure, unless all that was here has been published.
    fn nothing_here(&self, room: &Room, state: &State, mp4s: &[Mp4]) -> Result<Exit> {
        if mp4s.is_empty() {
            if state.recordings.is_empty() || !state.recordings.iter().all(Recording::is_published) {
                bail!("mp4 not found in {}", shown(&room.dir));
            }
            self.log.line(&format!("Nothing to do room={}: published, and its MP4 removed", room.id()));
        }
        Ok(Exit::Done)
    }

    /// What a dry run says.
    fn tell(&self, room: &Room, mut state: State, mp4s: &[Mp4]) -> Result<Exit> {
        self.nothing_here(room, &state, mp4s)?;
        for index in to_publish(&state, mp4s) {
            let entry = Entry { room, state: &mut state, index };
            self.log.line(&self.finalize_line(&entry));
            self.log.line(&match &entry.recording().page_id {
                Some(page) => format!("Would do nothing room={}: notion page exists id={page}", room.id()),
                None => format!("Would create a notion page room={}", room.id()),
            });
        }
        Ok(Exit::Done)
    }

    fn finalize_line(&self, entry: &Entry<'_>) -> String {
        let recording = entry.recording();
        let url = recording.file.as_ref().map(|file| entry.room.url(self.config, [file.as_ref()]).masked());
        let date = recording.source.map(|source| source.date());
        format!("Finalize {} url={} date={}", entry.shown(), url.unwrap_or_default(), date.unwrap_or_default())
    }

    /// One recording's row.
    fn publish(&self, publisher: &Publisher<'_>, entry: &mut Entry<'_>) -> Result<Exit> {
        let known = entry.recording().page_id.is_some();
        let verdict = if known { Verdict::Playable } else { self.examine(entry)? };
        if let Verdict::StillWritten = verdict {
            self.log.line(&format!("Later {}: it is still being written; the worker publishes it", entry.shown()));
            return Ok(Exit::Later);
        }
        let (status, moment) = match verdict {
            Verdict::Damaged(_) => (Status::Error, Moment::Failed),
            _ => (Status::Recorded, Moment::Recorded),
        };
        if !known {
            self.log.line(&self.finalize_line(entry));
            tell(self.config, self.log, entry, moment)?;
        }
        let made = match publisher.ensure(entry, status, self.deadline) {
            Ok(made) => made,
            Err(trouble) => {
                self.log.error(&create_failed(entry, &trouble));
                return Ok(trouble.exit());
            }
        };
        fault::point("finalize has a row");
        let page = entry.recording().page_id.clone().context("a row without a page id")?;
        let stored = shown(entry.room.path(if entry.recording().slot == 0 { NOTION_ID } else { STATE }));
        self.log.line(&match made {
            Made::Created => format!("OK: notion page created id={page} stored at {stored}"),
            Made::Found => format!("OK: notion page found again id={page} stored at {stored}"),
            Made::Already => format!("Nothing to do {}: notion page exists id={page}", entry.shown()),
        });
        let Verdict::Damaged(damage) = verdict else { return Ok(Exit::Done) };
        // A row that an earlier run made says "recorded" still.
        if let Err(trouble) = publisher.update(entry, Row::mp4(status)) {
            self.log.error(&format!("ERROR: Notion update failed: {trouble} {}", entry.shown()));
        }
        fault::point("finalize has told the error");
        let entry = entry.shown();
        self.log.error(&format!("ERROR: {entry} cannot be played: {damage}; its row says error, the file is kept"));
        Ok(Exit::Failed)
    }

    /// Looks at a recording's MP4; a damaged one is marked so in the state.
    fn examine(&self, entry: &mut Entry<'_>) -> Result<Verdict> {
        let recording = entry.recording();
        let (Some(file), Some(print)) = (&recording.file, recording.source) else { return Ok(Verdict::Playable) };
        let mp4 = Mp4 { name: file.0.clone(), print };
        let Shape::Damaged(damage) = mp4.shape(&entry.room.dir)? else { return Ok(Verdict::Playable) };
        if !self.deadline.sleep(GROWTH_WAIT) || entry.room.mp4s()?.iter().all(|now| *now != mp4) {
            return Ok(Verdict::StillWritten);
        }
        entry.change(|recording| (recording.error, recording.given_up) = (Some(damage.to_string()), true))?;
        Ok(Verdict::Damaged(damage))
    }
}

/// What an MP4 looks like.
enum Verdict {
    Playable,
    Damaged(Damage),
    StillWritten,
}

/// The recordings whose MP4 is here and that are not yet published, the first recording first.
fn to_publish(state: &State, mp4s: &[Mp4]) -> Vec<usize> {
    let here = |index: &usize| mp4s.iter().any(|mp4| state.recordings[*index].is_of(mp4));
    (0..state.recordings.len()).filter(here).collect()
}

/// The directory of a file; any other path is the directory itself.
fn directory(path: &Path) -> PathBuf {
    if !path.is_file() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Without a configuration nothing can be published, but Jibri calls only once: the worker is told of the recording.
fn remember_without_configuration(dir: &Path) {
    let room = Room::unplaced(dir);
    let remember = || -> Result<bool> {
        let mp4s = room.mp4s()?;
        share::take_in(dir);
        let Some(_lock) = Lock::try_acquire(&room.path(LOCK))? else { return Ok(false) };
        if mp4s.is_empty() || room.path(STATE).exists() || room.path(NOTION_ID).exists() {
            return Ok(false);
        }
        let mut state = State::empty();
        state.register(&mp4s, |slot| room.has_slot(slot));
        state.save(&room)?;
        Ok(true)
    };
    if dir.is_dir() && remember().unwrap_or(false) {
        say(&format!(
            "jitsi-finalize: remembered in {}: the worker publishes it once the env file is mended",
            shown(room.path(STATE))
        ));
    }
}
