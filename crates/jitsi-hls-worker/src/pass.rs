//! A worker's run: one pass over the rooms.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rec_core::config::{Config, WindowCloses};
use rec_core::deadline::Deadline;
use rec_core::durable;
use rec_core::exit::Exit;
use rec_core::fault;
use rec_core::glance::rooms;
use rec_core::lock::{self, Lock};
use rec_core::log::{Log, say};
use rec_core::notion::Client;
use rec_core::recording::Room;

use crate::away::Away;
use crate::cli::Cli;
use crate::hours::Hours;
use crate::progress::Progress;
use crate::queue::Waiting;
use crate::reserve::Disk;
use crate::room::{Worker, cores};
use crate::steps::End;
use crate::{bounds, jobs, queue, signals};

/// What webhooks that failed before may take, before anything else is begun.
const OLD_WEBHOOKS: Duration = Duration::from_secs(30);

pub(crate) fn run(cli: &Cli) -> Exit {
    let Some(mut config) = cli.common.config() else { return Exit::Failed };
    config.hls.profile = cli.profile.unwrap_or(config.hls.profile);
    let hours = match Hours::of(&config.hls) {
        // A person who names directories wants them now.
        Ok(hours) => hours.filter(|_| cli.dirs.is_empty()),
        Err(why) => {
            say(&format!("{}: HLS_WINDOW: {why}", cli.common.env_file().display()));
            return Exit::Failed;
        }
    };
    let closed = hours.as_ref().and_then(Hours::closed);
    if let Some(closed) = closed.as_ref().filter(|_| !cli.dry_run) {
        Log::stderr(cli.common.verbosity()).detail(&format!("Nothing is done: {closed}"));
        return Exit::Done;
    }
    let mut log = Log::for_run(&config.log_dir, "hls-worker.log", cli.common.verbosity(), cli.dry_run);
    let progress = Progress::new(!cli.common.quiet && !cli.dry_run);
    if let Some(aside) = progress.aside() {
        log.step_aside(aside);
    }
    if let Some(closed) = closed {
        log.line(&format!("Would wait: {closed}"));
    }
    let hours = hours.filter(|_| !cli.dry_run);
    alone(cli, &config, &log, &progress, hours.as_ref()).unwrap_or_else(|error| {
        log.error(&format!("ERROR: {error:#}"));
        Exit::from(&error)
    })
}

/// The pass, if no other worker of this host is at it.
fn alone(cli: &Cli, config: &Config, log: &Log, progress: &Progress, hours: Option<&Hours>) -> Result<Exit> {
    for tool in ["ffmpeg", "ffprobe"] {
        if !on_path(tool) {
            bail!("missing binary: {tool}: install Debian's package ffmpeg, or mend PATH");
        }
    }
    let _lock = if cli.dry_run {
        None
    } else {
        std::fs::create_dir_all(&config.lock_dir)
            .map_err(|error| durable::failed("make LOCK_DIR", &config.lock_dir, error))?;
        let Some(lock) = Lock::try_acquire(&config.worker_lock())? else {
            log.line("Another worker is running, exit.");
            if let Some(holder) = lock::holder(&config.worker_lock()) {
                log.detail(&format!("It was locked last by {holder}"));
            }
            if let Some(closed) = freezing(config).filter(|_| !cli.dirs.is_empty()) {
                let lock = rec_core::text::shown(config.worker_lock());
                log.line(&format!(
                    "It may be frozen: {closed}; end it with SIGTERM (fuser {lock} shows its number), and run this again"
                ));
            }
            return Ok(Exit::Done);
        };
        Some(lock)
    };
    bounds::memory(cores());
    fault::point("worker begins");
    let stop = signals::stop_flag()?;
    let client = Client::new((&config.notion).into(), Deadline::after(Duration::ZERO, &stop));
    let named = !cli.dirs.is_empty();
    let worker = Worker {
        config,
        log,
        client: &client,
        stop: &stop,
        dry_run: cli.dry_run,
        named,
        retry: cli.retry,
        away: Away::default(),
        hours,
        progress,
        disk: Disk::new(config.hls.min_free),
        at_once: cli.jobs.or(config.hls.jobs).unwrap_or_else(cores),
        left: AtomicUsize::new(0),
        misconfigured: AtomicBool::new(false),
    };
    if !cli.dry_run {
        worker.deliver(OLD_WEBHOOKS);
    }
    let (rooms, exit) = if named { worker.locate(&cli.dirs) } else { (rooms(&config.recordings_root)?, Exit::Done) };
    Ok(exit.max(pass(&worker, &rooms)?))
}

/// That the window is closed, if encodes are frozen while it is.
fn freezing(config: &Config) -> Option<String> {
    Hours::of(&config.hls).ok().flatten().filter(|hours| hours.closes == WindowCloses::Freeze)?.closed()
}

/// Every room that has work once, several of them at once; then again those in which a lost create had to be waited for.
fn pass(worker: &Worker<'_>, rooms: &[Room]) -> Result<Exit> {
    let (mut waiting, seen) = look(worker, rooms);
    let turns = Turns { worker, exit: Mutex::new(seen), unsettled: Mutex::default(), at_work: AtomicUsize::default() };
    if worker.stop.load(Ordering::Relaxed) {
        return Ok(turns.stopped());
    }
    queue::longest_first(&mut waiting);
    worker.left.store(waiting.len(), Ordering::Relaxed);
    worker.progress.begin(waiting.iter().map(|waiting| waiting.recordings).sum());
    let panicked = |room: &Room, said: &str| {
        worker.log.error(&format!("ERROR: room={}: this is a bug in jitsi-hls-worker: {said}", room.id()));
        turns.ended(Exit::Failed);
    };
    let first = |waiting: &Waiting<'_>, said: &str| {
        panicked(waiting.room, said);
        turns.over(waiting);
    };
    jobs::each(&waiting, worker.at_once, || turns.another(), |waiting| turns.first(waiting), first);
    if worker.left.load(Ordering::Relaxed) > 0
        && let Some(closed) = worker.closed()
    {
        worker.log.line(&format!("No more rooms begin: {closed}"));
    }
    let unsettled = turns.unsettled();
    worker.left.store(unsettled.len(), Ordering::Relaxed);
    jobs::each(
        &unsettled,
        worker.at_once,
        || worker.goes_on(),
        |(room, at)| turns.second(room, *at),
        |(room, _), said| panicked(room, said),
    );
    worker.progress.end();
    if worker.misconfigured.load(Ordering::Relaxed) {
        bail!("stopped: no recording can be published before this is mended");
    }
    if worker.stop.load(Ordering::Relaxed) {
        return Ok(turns.stopped());
    }
    worker.log.warnings(&worker.client.warnings());
    if worker.away.spared() > 0 {
        worker.log.error(&format!(
            "Notion is away: {} more requests were not even tried; a later run makes up for them",
            worker.away.spared()
        ));
    }
    let dry = "Dry run complete, nothing was changed.";
    worker.log.line(if worker.dry_run { dry } else { "Worker run complete." });
    Ok(turns.exit())
}

/// The rooms that have work to be done, and how the look at the others ended.
fn look<'r>(worker: &Worker<'_>, rooms: &'r [Room]) -> (Vec<Waiting<'r>>, Exit) {
    let (mut waiting, mut exit) = (Vec::new(), Exit::Done);
    for room in rooms {
        if worker.stop.load(Ordering::Relaxed) {
            break;
        }
        match worker.look(room) {
            Ok(found) => waiting.extend(found),
            Err(error) => exit = exit.max(failed(worker, room, &error)),
        }
    }
    (waiting, exit)
}

/// How the rooms' turns ended so far.
struct Turns<'a> {
    worker: &'a Worker<'a>,
    exit: Mutex<Exit>,
    /// Rooms with a lost create, and when it makes sense to look for it again.
    unsettled: Mutex<Vec<(&'a Room, Instant)>>,
    /// How many rooms have their first turn at this moment.
    at_work: AtomicUsize,
}

impl<'a> Turns<'a> {
    /// Whether another room may begin. Who ends out of hours while others are frozen waits with them: else one of them would be
    /// left to work alone, and keep the next run from beginning, when the window opens.
    fn another(&self) -> bool {
        loop {
            if !self.worker.goes_on() {
                return false;
            }
            if self.worker.closed().is_none() {
                return true;
            }
            let freezes = self.worker.hours.is_some_and(|hours| hours.closes == WindowCloses::Freeze);
            if !freezes || self.at_work.load(Ordering::Relaxed) == 0 {
                return false;
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn first(&self, waiting: &Waiting<'a>) {
        self.at_work.fetch_add(1, Ordering::Relaxed);
        if let Some(wait) = self.turn(waiting.room) {
            lock(&self.unsettled).push((waiting.room, Instant::now() + wait));
        }
        self.over(waiting);
    }

    fn over(&self, waiting: &Waiting<'_>) {
        self.at_work.fetch_sub(1, Ordering::Relaxed);
        self.worker.left.fetch_sub(1, Ordering::Relaxed);
        self.worker.progress.done(waiting.recordings);
    }

    /// The rooms whose turn had to be put off, in the order in which it makes sense to go on with them.
    fn unsettled(&self) -> Vec<(&'a Room, Instant)> {
        let mut unsettled = std::mem::take(&mut *lock(&self.unsettled));
        unsettled.sort_by_key(|(_, at)| *at);
        unsettled
    }

    fn second(&self, room: &Room, at: Instant) {
        let wait = at.saturating_duration_since(Instant::now()) + Duration::from_millis(100);
        self.worker.log.detail(&format!("Waiting {} s for a lost answer room={}", wait.as_secs(), room.id()));
        if Deadline::after(wait + Duration::from_secs(1), self.worker.stop).sleep(wait) && self.turn(room).is_some() {
            self.ended(Exit::Later);
        }
        self.worker.left.fetch_sub(1, Ordering::Relaxed);
    }

    /// One room's turn, or how long it has to be put off. Its failure is its own, but for a configuration with which no room
    /// can succeed.
    fn turn(&self, room: &Room) -> Option<Duration> {
        match self.worker.work(room) {
            Ok(End::Exit(end)) => self.ended(end),
            Ok(End::Unsettled(wait)) => return Some(wait),
            Ok(End::Misconfigured) => self.worker.misconfigured.store(true, Ordering::Relaxed),
            Err(error) => self.ended(failed(self.worker, room, &error)),
        }
        None
    }

    fn ended(&self, exit: Exit) {
        let mut worst = lock(&self.exit);
        *worst = worst.max(exit);
    }

    fn exit(&self) -> Exit {
        *lock(&self.exit)
    }

    fn stopped(&self) -> Exit {
        self.worker.log.line("Stopped by a signal; the next run goes on.");
        self.exit().max(Exit::Later)
    }
}

fn failed(worker: &Worker<'_>, room: &Room, error: &anyhow::Error) -> Exit {
    worker.log.error(&format!("ERROR: room={}: {error:#}", room.id()));
    Exit::from(error)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a program is found on PATH, without starting it.
pub(crate) fn on_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
}
