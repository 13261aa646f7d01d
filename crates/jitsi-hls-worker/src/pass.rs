//! A worker's run: one pass over the rooms.

use std::ffi::OsStr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rec_core::config::Config;
use rec_core::deadline::Deadline;
use rec_core::durable;
use rec_core::exit::Exit;
use rec_core::lock::Lock;
use rec_core::log::{Log, say};
use rec_core::notion::Client;
use rec_core::recording::Room;

use crate::cli::Cli;
use crate::hours::Hours;
use crate::room::Worker;
use crate::steps::End;
use crate::{queue, signals};

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
    let log = Log::for_run(&config.log_dir, "hls-worker.log", cli.common.verbosity(), cli.dry_run);
    if let Some(closed) = closed {
        log.line(&format!("Would wait: {closed}"));
    }
    let hours = hours.filter(|_| !cli.dry_run);
    alone(cli, &config, &log, hours.as_ref()).unwrap_or_else(|error| {
        log.error(&format!("ERROR: {error:#}"));
        Exit::from(&error)
    })
}

/// The pass, if no other worker of this host is at it.
fn alone(cli: &Cli, config: &Config, log: &Log, hours: Option<&Hours>) -> Result<Exit> {
    for tool in ["ffmpeg", "ffprobe"] {
        if !on_path(OsStr::new(tool)) {
            bail!("missing binary: {tool}: install Debian's package ffmpeg, or mend PATH");
        }
    }
    let _lock = if cli.dry_run {
        None
    } else {
        std::fs::create_dir_all(&config.lock_dir)
            .map_err(|error| durable::failed("make LOCK_DIR", &config.lock_dir, error))?;
        let Some(lock) = Lock::try_acquire(&config.lock_dir.join("hls-worker.lock"))? else {
            log.line("Another worker is running, exit.");
            return Ok(Exit::Done);
        };
        Some(lock)
    };
    let stop = signals::stop_flag()?;
    let client = Client::new((&config.notion).into(), Deadline::after(Duration::ZERO, &stop));
    let named = !cli.dirs.is_empty();
    let worker = Worker { config, log, client: &client, stop: &stop, dry_run: cli.dry_run, named, hours };
    let (rooms, exit) =
        if named { worker.locate(&cli.dirs) } else { (queue::rooms(&config.recordings_root)?, Exit::Done) };
    Ok(exit.max(pass(&worker, &rooms)?))
}

/// Every room once; then again those in which a lost create had to be waited for.
fn pass(worker: &Worker<'_>, rooms: &[Room]) -> Result<Exit> {
    let mut exit = Exit::Done;
    let mut unsettled: Vec<(&Room, Instant)> = Vec::new();
    for room in rooms {
        if let Some(closed) = worker.hours.and_then(Hours::closed) {
            worker.log.line(&format!("No more rooms begin: {closed}"));
            break;
        }
        match turn(worker, room, &mut exit)? {
            Some(wait) => unsettled.push((room, Instant::now() + wait)),
            None if worker.stop.load(Ordering::Relaxed) => return Ok(stopped(worker, exit)),
            None => {}
        }
    }
    for (room, at) in unsettled {
        let wait = at.saturating_duration_since(Instant::now()) + Duration::from_millis(100);
        worker.log.detail(&format!("Waiting {} s for a lost answer room={}", wait.as_secs(), room.id()));
        if !Deadline::after(wait + Duration::from_secs(1), worker.stop).sleep(wait) {
            return Ok(stopped(worker, exit));
        }
        if turn(worker, room, &mut exit)?.is_some() {
            exit = exit.max(Exit::Later);
        }
    }
    worker.log.warnings(&worker.client.warnings());
    let dry = "Dry run complete, nothing was changed.";
    worker.log.line(if worker.dry_run { dry } else { "Worker run complete." });
    Ok(exit)
}

/// One room's turn. Its failure is its own, but for a configuration with which no room can succeed.
fn turn(worker: &Worker<'_>, room: &Room, exit: &mut Exit) -> Result<Option<Duration>> {
    match worker.work(room) {
        Ok(End::Exit(end)) => *exit = (*exit).max(end),
        Ok(End::Unsettled(wait)) => return Ok(Some(wait)),
        Ok(End::Misconfigured) => bail!("stopped: no recording can be published before this is mended"),
        Err(error) => {
            worker.log.error(&format!("ERROR: room={}: {error:#}", room.id()));
            *exit = (*exit).max(Exit::from(&error));
        }
    }
    Ok(None)
}

fn stopped(worker: &Worker<'_>, exit: Exit) -> Exit {
    worker.log.line("Stopped by a signal; the next run goes on.");
    exit.max(Exit::Later)
}

/// Whether a program is found on PATH, without starting it.
fn on_path(tool: &OsStr) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
}
