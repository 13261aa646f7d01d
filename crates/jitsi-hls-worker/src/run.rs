//! A child that is watched: its lines read as they come, and its life bounded.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rec_core::config::WindowCloses;
use rec_core::fault;
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGKILL, SIGTERM};

use crate::bounds;
use crate::hours::Hours;

/// How many lines of a child's stderr are kept: the first ones tell why, the rest is their echo.
const KEPT: usize = 20;

/// Bytes of a line.
const LONGEST_LINE: u64 = 4096;

/// Waits for the end of its stdin, which only a worker that died leaves to it, and kills a process group that nobody will
/// wake any more.
const GUARD: &str = "trap '' HUP INT TERM; read -r _; kill -s KILL -- -$1";

/// How ffmpeg says that it got no memory.
const NO_MEMORY: &str = "Cannot allocate memory";

/// How it says that a signal has asked it to end.
const ASKED: &str = "Immediate exit requested";

/// The bounds of a child's life.
pub(crate) struct Watch<'a> {
    /// Set when it is to be killed, and we with it.
    pub(crate) stop: &'a AtomicBool,
    /// For how long it may make no progress.
    pub(crate) patience: Duration,
    /// For how long it may run, progress or none.
    pub(crate) limit: Option<Duration>,
    /// The hours that it keeps; a short one keeps none.
    pub(crate) shift: Option<Shift<'a>>,
}

impl<'a> Watch<'a> {
    /// A child that may run at any hour, for as long as it makes progress.
    pub(crate) fn new(stop: &'a AtomicBool, patience: Duration) -> Self {
        Self { stop, patience, limit: None, shift: None }
    }
}

/// The hours that a child keeps, and who is told what that does to it.
#[derive(Clone, Copy)]
pub(crate) struct Shift<'a> {
    pub(crate) hours: &'a Hours,
    pub(crate) tell: &'a dyn Fn(&str),
}

/// How long the encode of so many seconds may run: a short one has the start of ffmpeg and a busy machine against it.
pub(crate) fn limit(seconds: f64, factor: u32) -> Duration {
    const LEAST: Duration = Duration::from_secs(600);
    Duration::try_from_secs_f64(seconds * f64::from(factor)).unwrap_or(Duration::MAX).max(LEAST)
}

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) how: How,
    /// The first lines of its stderr.
    pub(crate) errors: Vec<String>,
    /// How many there were.
    pub(crate) error_count: usize,
    /// The lines of what it was given that has several: a name, a title.
    given: Vec<String>,
}

/// A child that did not get to its end, for reasons that need not be in the file which it was given.
#[derive(Debug)]
pub(crate) struct Interrupted {
    why: String,
    /// We ended it, for it took too long: that may be the file's fault after all.
    pub(crate) too_slow: bool,
}

impl Interrupted {
    /// What is certainly not the file's fault.
    pub(crate) fn elsewhere(why: String) -> Self {
        Self { why, too_slow: false }
    }
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Interrupted {}

/// Whether an error says that something else than the file was the cause.
pub(crate) fn is_elsewhere(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Interrupted>().is_some_and(|interrupted| !interrupted.too_slow)
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum How {
    Exited(ExitStatus),
    /// We were asked to stop, and killed it.
    Stopped,
    /// It said nothing new for too long, and we killed it.
    Stalled,
    /// It ran for longer than this, and we killed it.
    TooLong(Duration),
    /// The window has closed, as this says, and we killed it.
    Closed(String),
}

impl Ended {
    /// Exit 0, and nothing on stderr.
    pub(crate) fn is_clean(&self) -> bool {
        self.is_success() && self.error_count == 0
    }

    pub(crate) fn is_success(&self) -> bool {
        matches!(self.how, How::Exited(status) if status.success())
    }

    /// What an admin is told: the first line of stderr, or how it ended.
    pub(crate) fn reason(&self) -> String {
        let how = match &self.how {
            How::Exited(status) => status.to_string(),
            How::Stopped => "stopped".into(),
            How::Stalled => "made no progress and was killed".into(),
            How::TooLong(limit) => {
                format!("took longer than the {} s that HLS_TIME_FACTOR allows, and was killed", limit.as_secs())
            }
            How::Closed(why) => why.clone(),
        };
        let how = if self.wants_memory() {
            format!("{how}; a process gets {} of memory", bounds::shown().unwrap_or_else(|| "any amount".into()))
        } else {
            how
        };
        match (self.errors.first(), self.error_count) {
            (None, _) => how,
            (Some(first), 1) => format!("{first} ({how})"),
            (Some(first), count) if self.is_success() => format!("{first} ({count} errors)"),
            (Some(first), count) => format!("{first} ({how}, {count} errors)"),
        }
    }

    /// The same, if it tells something of the file that it was given: not where somebody killed it, or the machine failed it.
    pub(crate) fn of_the_file(self) -> std::result::Result<Self, Interrupted> {
        let too_slow = matches!(self.how, How::TooLong(_));
        // One that only reads, and says nothing any more, waits for a disk: for one that is far away, say.
        let cut_short = matches!(self.how, How::Stalled | How::Closed(_)) || self.was_killed();
        let elsewhere = too_slow || cut_short || self.host_trouble().is_some();
        if elsewhere { Err(Interrupted { why: self.reason(), too_slow }) } else { Ok(self) }
    }

    /// What this ffmpeg has not, and each recording needs, in its words. Those about a file begin with the file's name.
    pub(crate) fn lacks(&self) -> Option<&str> {
        let lacking = ["Unknown encoder '", "No such filter: '", "Unrecognized option '"];
        self.said().find(|line| lacking.iter().any(|lacking| plain(line).starts_with(lacking)))
    }

    /// Whether it says that the disk was full.
    pub(crate) fn is_disk_full(&self) -> bool {
        matches!(self.host_trouble(), Some("No space left on device" | "Disk quota exceeded"))
    }

    /// What its stderr tells of trouble that is the machine's and not the file's. Too little memory is not: only a file that
    /// wants too much meets its bound, unless that is lower than it should be; and where the machine itself has too little, the
    /// kernel kills.
    pub(crate) fn host_trouble(&self) -> Option<&str> {
        let troubles = ["No space left on device", "Disk quota exceeded", "Input/output error", "Stale file handle"];
        let told = troubles.into_iter().find(|trouble| self.said().any(|line| ends_with(line, trouble)));
        told.or_else(|| (bounds::is_of_the_host() && self.wants_memory()).then_some(NO_MEMORY))
    }

    /// Whether it wanted more memory than it gets.
    fn wants_memory(&self) -> bool {
        self.said().any(|line| ends_with(line, NO_MEMORY) || plain(line).starts_with("malloc of size "))
    }

    /// The lines of its own: one of a name or a title, which may have any, tells nothing.
    fn said(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().filter(|line| !self.given.contains(line)).map(String::as_str)
    }

    /// Whether somebody killed it: an admin, or the kernel for want of memory. A crash of its own is none of that.
    pub(crate) fn was_killed(&self) -> bool {
        // ffmpeg closes its files when it gets one of the softer ones, and exits with 255.
        // Where it gives up by itself with that, it says why.
        let silent = || self.error_count == self.errors.len() && self.errors.iter().all(|line| ends_with(line, ASKED));
        let by_signal = |status: ExitStatus| {
            matches!(status.signal(), Some(SIGHUP | SIGINT | SIGKILL | SIGTERM))
                || (status.code() == Some(255) && silent())
        };
        matches!(self.how, How::Exited(status) if by_signal(status))
    }
}

enum Line {
    Out(String),
    Err(String),
}

/// Runs a child within its bounds. `on_line` gets each line of its stdout and says whether that was progress.
pub(crate) fn run(command: &mut Command, watch: &Watch<'_>, mut on_line: impl FnMut(&str) -> bool) -> Result<Ended> {
    // A group of its own: Ctrl-C at a terminal is for us, and we say when the child goes.
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let program = command.get_program().to_string_lossy().into_owned();
    let not_started = |error| Interrupted::elsewhere(format!("start {program}: {error}"));
    let mut child = Running(command.spawn().map_err(not_started)?);
    bounds::bind(child.pid());
    fault::point("program begins");
    let (sender, lines) = mpsc::sync_channel(1024);
    let out = child.0.stdout.take().context("no stdout")?;
    let err = child.0.stderr.take().context("no stderr")?;
    let errors_sender = sender.clone();
    let thread = || thread::Builder::new().name(program.clone());
    let _out = thread().spawn(move || read(out, &Line::Out, |line| sender.send(line).is_ok())).map_err(not_started)?;
    let _err =
        thread().spawn(move || read(err, &Line::Err, |line| errors_sender.send(line).is_ok())).map_err(not_started)?;

    let mut ended = Ended { how: How::Stopped, errors: Vec::new(), error_count: 0, given: lines_of(command) };
    let mut bounded = Life::new(watch, child.pid());
    loop {
        if let Some(how) = bounded.over() {
            kill(&mut child.0)?;
            ended.how = how;
            return Ok(ended);
        }
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(Line::Out(line)) => {
                if on_line(&line) {
                    bounded.last_progress = Instant::now();
                }
            }
            Ok(Line::Err(line)) => {
                ended.error_count += 1;
                if ended.errors.len() < KEPT {
                    ended.errors.push(without_address(&line));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // Both ends are closed: it is over, or as good as over.
            Err(RecvTimeoutError::Disconnected) => {
                ended.how = How::Exited(child.0.wait().context("wait for the child")?);
                return Ok(ended);
            }
        }
    }
}

/// A child that does not outlive our interest in it: no error leaves it behind, at work or as a zombie.
struct Running(Child);

impl Running {
    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of one that has been waited for, the number may be another's by now.
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            let _ = kill(&mut self.0);
        }
    }
}

/// The lines of a command's arguments that have several.
fn lines_of(command: &Command) -> Vec<String> {
    let args = command.get_args().map(|arg| arg.to_string_lossy());
    let several = args.filter(|arg| arg.contains('\n'));
    several.flat_map(|arg| arg.lines().map(|line| without_address(line.trim())).collect::<Vec<_>>()).collect()
}

/// A line without the names in brackets of who says it.
fn plain(mut line: &str) -> &str {
    while let Some((_, said)) = line.strip_prefix('[').and_then(|prefixed| prefixed.split_once("] ")) {
        line = said;
    }
    line
}

/// Whether a line says this last, as ffmpeg does why something failed. In front of it are the names of files, which may say
/// anything, and all end in `.mp4`, or in what we have called them.
fn ends_with(line: &str, why: &str) -> bool {
    let line = line.trim_end_matches('.');
    let before = line.strip_suffix(why).or_else(|| line.strip_suffix(')')?.strip_suffix(why)?.strip_suffix('('));
    before.is_some_and(|before| plain(before).is_empty() || before.ends_with([' ']))
}

/// How long a child has lived, without the time in which it was frozen.
struct Life<'a> {
    watch: &'a Watch<'a>,
    group: Pid,
    begun: Instant,
    last_progress: Instant,
    frozen: Option<Frozen>,
}

impl<'a> Life<'a> {
    fn new(watch: &'a Watch<'a>, group: Pid) -> Self {
        let now = Instant::now();
        Self { watch, group, begun: now, last_progress: now, frozen: None }
    }

    /// How it has to end now, if it has to.
    fn over(&mut self) -> Option<How> {
        if self.watch.stop.load(Ordering::Relaxed) {
            return Some(How::Stopped);
        }
        let closed = self.watch.shift.and_then(|shift| self.keep_hours(shift));
        if closed.is_some() || self.frozen.is_some() {
            return closed;
        }
        if self.last_progress.elapsed() > self.watch.patience {
            return Some(How::Stalled);
        }
        self.watch.limit.filter(|limit| self.begun.elapsed() > *limit).map(How::TooLong)
    }

    /// Freezes it when its hours end, and thaws it when they begin.
    fn keep_hours(&mut self, shift: Shift<'_>) -> Option<How> {
        let hours = shift.hours;
        if hours.closes == WindowCloses::Finish {
            return None;
        }
        match (&self.frozen, hours.closed()) {
            (Some(frozen), None) => {
                let pause = frozen.since.elapsed();
                (self.begun, self.last_progress) = (self.begun + pause, self.last_progress + pause);
                // It may have been killed meanwhile, which its pipes will tell.
                let _ = kill_process_group(self.group, Signal::CONT);
                // Its guard goes last: at no time is it frozen without one.
                self.frozen = None;
                (shift.tell)("goes on, the window is open");
                None
            }
            (Some(frozen), Some(_)) if frozen.since.elapsed() > hours.freeze_max => {
                Some(How::Closed("it was frozen for longer than HLS_FREEZE_MAX".into()))
            }
            (None, None) | (Some(_), Some(_)) => None,
            (None, Some(closed)) if hours.closes == WindowCloses::Stop => Some(How::Closed(closed)),
            (None, Some(closed)) => match Frozen::new(self.group) {
                Ok(frozen) => {
                    self.frozen = Some(frozen);
                    (shift.tell)(&format!("frozen, {closed}"));
                    None
                }
                Err(error) => Some(How::Closed(format!("{closed}, and it could not be frozen: {error:#}"))),
            },
        }
    }
}

/// A stopped process group, and the guard that kills it should we die: it would keep its room's lock for ever. The kernel
/// hangs up on stopped orphans only where their new parent is of another session, and nohup has them ignore that.
struct Frozen {
    since: Instant,
    guard: Child,
}

impl Frozen {
    fn new(group: Pid) -> Result<Self> {
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", GUARD, "guard-of-a-frozen-ffmpeg", &group.to_string()]);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let guard = guard.spawn().context("start /bin/sh")?;
        let frozen = Self { since: Instant::now(), guard };
        kill_process_group(group, Signal::STOP).context("send SIGSTOP")?;
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // Before its stdin ends.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

/// ffmpeg's `[h264 @ 0x55c3c2c56200] …` without the address, which tells nobody anything and differs in each run.
fn without_address(line: &str) -> String {
    let Some((name, rest)) = line.split_once(" @ 0x") else { return line.to_owned() };
    format!("{name}{}", rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
}

/// SIGKILL, which a frozen one obeys too: nothing that it would tidy up is of use, because what it wrote goes too.
fn kill(child: &mut Child) -> Result<()> {
    // It may have ended just now.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    child.wait().context("wait for the killed child")?;
    Ok(())
}

fn read(from: impl Read, kind: &dyn Fn(String) -> Line, mut send: impl FnMut(Line) -> bool) {
    let mut reader = BufReader::new(from);
    let mut bytes = Vec::new();
    // Ends at the end of the stream; an error of reading is as final. A line without an end comes in pieces.
    while reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
        let line = String::from_utf8_lossy(&bytes).trim().to_owned();
        bytes.clear();
        if !line.is_empty() && !send(kind(line)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command
    }

    #[test]
    fn lines_and_the_exit_are_seen() {
        let mut seen = Vec::new();
        let ended = run(
            &mut sh("echo one; echo two; echo oops >&2; exit 3"),
            &Watch::new(&AtomicBool::new(false), LONG),
            |line| {
                seen.push(line.to_owned());
                true
            },
        )
        .unwrap();
        assert_eq!(seen, ["one", "two"]);
        assert_eq!(ended.reason(), "oops (exit status: 3)");
        assert!(!ended.is_success());
    }

    #[test]
    fn a_child_without_progress_is_killed() {
        let ended = run(
            &mut sh("while :; do echo same; sleep 0.05; done"),
            &Watch::new(&AtomicBool::new(false), Duration::from_millis(300)),
            |_| false,
        );
        assert_eq!(ended.unwrap().how, How::Stalled);
    }

    #[test]
    fn a_child_is_killed_when_we_are_asked_to_stop() {
        let stop = Arc::new(AtomicBool::new(false));
        let setter = Arc::clone(&stop);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            setter.store(true, Ordering::Relaxed);
        });
        let (begun, mut grandchild) = (Instant::now(), String::new());
        let ended = run(&mut sh("sleep 60 & echo $!; wait"), &Watch::new(&stop, LONG), |line| {
            grandchild = format!("/proc/{line}/stat");
            true
        });
        assert_eq!(ended.unwrap().how, How::Stopped);
        // And all that it has started.
        let gone = || std::fs::read_to_string(&grandchild).map_or(true, |stat| stat.contains(") Z "));
        while !gone() && begun.elapsed() < LONG {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(grandchild.len() > "/proc//stat".len() && begun.elapsed() < LONG, "{grandchild}");
    }

    #[test]
    fn a_child_that_makes_progress_for_too_long_is_killed() {
        let (stop, limit) = (AtomicBool::new(false), Duration::from_millis(300));
        let watch = Watch { limit: Some(limit), ..Watch::new(&stop, LONG) };
        let ended = run(&mut sh("while :; do echo more; sleep 0.05; done"), &watch, |_| true).unwrap();
        assert_eq!(ended.how, How::TooLong(limit));
        assert!(ended.of_the_file().is_err());
    }

    #[test]
    fn the_limit_grows_with_the_recording_and_is_no_less_than_ten_minutes() {
        for (seconds, factor, wanted) in
            [(0.0, 20, 600), (29.9, 20, 600), (60.0, 20, 1200), (10_800.0, 3, 32_400), (1e300, 2, u64::MAX)]
        {
            assert_eq!(limit(seconds, factor).as_secs(), wanted, "{seconds} x {factor}");
        }
    }

    /// Runs a child that keeps such hours; how it ended, and what was told of it.
    fn run_within(hours: &Hours, script: &str, patience: Duration) -> (How, Vec<String>) {
        let (stop, told) = (AtomicBool::new(false), std::cell::RefCell::new(Vec::new()));
        let tell = |what: &str| told.borrow_mut().push(what.split(" is ").next().unwrap_or_default().to_owned());
        let watch = Watch { stop: &stop, patience, limit: Some(patience), shift: Some(Shift { hours, tell: &tell }) };
        let how = run(&mut sh(script), &watch, |_| true).unwrap().how;
        (how, told.take())
    }

    #[test]
    fn frozen_time_is_neither_lack_of_progress_nor_running_time() {
        let hours = Hours::opening_in(4, WindowCloses::Freeze);
        let begun = Instant::now();
        let (how, told) = run_within(&hours, "sleep 0.1; exit 7", Duration::from_secs(2));
        assert!(matches!(how, How::Exited(status) if status.code() == Some(7)), "{how:?}");
        assert!(begun.elapsed() > Duration::from_secs(2));
        assert_eq!(told, [&format!("frozen, the window {hours}"), "goes on, the window"]);
    }

    #[test]
    fn a_child_that_is_frozen_for_too_long_is_killed() {
        let mut hours = Hours::opening_in(3600, WindowCloses::Freeze);
        hours.freeze_max = Duration::from_millis(200);
        let (how, told) = run_within(&hours, "sleep 60", LONG);
        assert_eq!(how, How::Closed("it was frozen for longer than HLS_FREEZE_MAX".into()));
        assert_eq!(told, [format!("frozen, the window {hours}")]);
    }

    #[test]
    fn a_frozen_child_of_a_worker_that_died_is_killed_by_its_guard() {
        let mut child = sh("sleep 60; true").process_group(0).spawn().unwrap();
        let mut frozen = Frozen::new(Pid::from_child(&child)).unwrap();
        // What the worker's death does.
        drop(frozen.guard.stdin.take());
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() && begun.elapsed() < LONG {
            thread::sleep(Duration::from_millis(20));
        }
        let by_its_guard = child.try_wait().unwrap();
        kill(&mut child).unwrap();
        assert_eq!(by_its_guard.and_then(|status| status.signal()), Some(SIGKILL));
    }

    #[test]
    fn a_guard_that_is_not_needed_any_more_kills_nothing() {
        let mut child = sh("sleep 0.5; exit 7").process_group(0).spawn().unwrap();
        drop(Frozen::new(Pid::from_child(&child)).unwrap());
        kill_process_group(Pid::from_child(&child), Signal::CONT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }

    #[test]
    fn a_child_is_killed_out_of_hours_or_left_alone_as_it_is_wanted() {
        let (how, told) = run_within(&Hours::opening_in(3600, WindowCloses::Stop), "sleep 60", LONG);
        assert!(matches!(how, How::Closed(why) if why.contains("is closed until")) && told.is_empty());
        let (how, told) = run_within(&Hours::opening_in(3600, WindowCloses::Finish), "sleep 0.3; exit 7", LONG);
        assert!(matches!(how, How::Exited(status) if status.code() == Some(7)) && told.is_empty());
    }

    #[test]
    fn a_killed_child_is_told_from_one_that_failed() {
        let ended = |script| run(&mut sh(script), &Watch::new(&AtomicBool::new(false), LONG), |_| true).unwrap();
        assert!(ended("kill -KILL $$").was_killed() && ended("kill -TERM $$").was_killed());
        assert!(ended("exit 255").was_killed());
        assert!(!ended("kill -SEGV $$").was_killed() && !ended("exit 1").was_killed());
        assert_eq!(ended("echo 'in.mp4: Input/output error' >&2").host_trouble(), Some("Input/output error"));
        assert_eq!(ended("echo 'moov atom not found' >&2").host_trouble(), None);
        assert!(ended("echo '[in#0] Immediate exit requested' >&2; exit 255").was_killed());
        assert!(!ended("echo 'moov atom not found' >&2; exit 255").was_killed());
    }

    #[test]
    fn trouble_of_the_machine_is_told_from_the_name_of_a_file() {
        let trouble = |said: &str| {
            let mut echo = Command::new("sh");
            echo.args(["-c", "echo \"$1\" >&2; exit 1", "sh", said]).stdin(Stdio::null());
            run(&mut echo, &Watch::new(&AtomicBool::new(false), LONG), |_| true).unwrap()
        };
        for said in [
            "No space left on device",
            "file:../a.mp4: No space left on device",
            "[out#0/hls @ 0x5581] [hls] No space left on device",
            "[vost#0:0 @ 0x5581] Task finished with error code: -28 (No space left on device)",
            "Error opening input files: No space left on device.",
        ] {
            assert!(trouble(said).is_disk_full(), "{said}");
        }
        for said in [
            "file:../No space left on device.mp4: Invalid data found when processing input",
            "Error opening input file file:../a: No space left on device.mp4.",
            "file:../a\nNo space left on device\n.mp4: Invalid data found when processing input",
        ] {
            assert_eq!(trouble(said).host_trouble(), None, "{said}");
        }
        for said in ["[libx264 @ 0x5581] malloc of size 99 failed", "file:a.mp4: Cannot allocate memory"] {
            assert!(trouble(said).reason().contains("; a process gets "), "{said}");
        }
        assert!(!trouble("file:malloc of size 9.mp4: Invalid data").reason().contains("a process gets"));
    }

    #[test]
    fn a_program_that_cannot_be_started_tells_nothing_of_a_file() {
        let (stop, mut none) = (AtomicBool::new(false), Command::new("/nowhere/ffmpeg"));
        let error = run(&mut none, &Watch::new(&stop, LONG), |_| true).unwrap_err();
        assert!(is_elsewhere(&error) && error.to_string().starts_with("start /nowhere/ffmpeg: "), "{error:#}");
    }

    #[test]
    fn one_that_only_looks_and_stalls_waits_for_a_disk() {
        let stop = AtomicBool::new(false);
        let stalled = run(&mut sh("sleep 60"), &Watch::new(&stop, Duration::from_millis(100)), |_| false).unwrap();
        assert!(!stalled.of_the_file().unwrap_err().too_slow);
    }

    #[test]
    fn a_child_whose_reader_fails_is_not_left_behind() {
        let (stop, mut number) = (AtomicBool::new(false), String::new());
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(&mut sh("echo $$; sleep 60"), &Watch::new(&stop, LONG), |line| {
                line.clone_into(&mut number);
                panic!("the reader of {line} fails")
            })
        }));
        assert!(failed.is_err() && !number.is_empty() && !std::path::Path::new("/proc").join(number).exists());
    }

    #[test]
    fn what_an_ffmpeg_lacks_is_told_from_the_name_of_a_file() {
        let lacks = |said: &str| {
            let mut echo = Command::new("sh");
            echo.args(["-c", "echo \"$1\" >&2; exit 1", "sh", said]).stdin(Stdio::null());
            let ended = run(&mut echo, &Watch::new(&AtomicBool::new(false), LONG), |_| true).unwrap();
            ended.lacks().map(str::to_owned)
        };
        for said in
            ["Unknown encoder 'libx264'", "[vost#0:0 @ 0x5581] Unknown encoder 'libx264'", "No such filter: 'scale'"]
        {
            assert!(lacks(said).is_some_and(|line| line.ends_with(said.rsplit("] ").next().unwrap())), "{said}");
        }
        for said in
            ["file:Unknown encoder 'x'.mp4: Invalid data", "[in#0] file:[a] Unknown encoder 'x'.mp4: Invalid data"]
        {
            assert_eq!(lacks(said), None, "{said}");
        }
    }

    #[test]
    fn an_address_in_memory_is_left_out_of_an_error() {
        let line = "[h264 @ 0x55c3c2c56200] error while decoding MB 3 4";
        assert_eq!(without_address(line), "[h264] error while decoding MB 3 4");
        assert_eq!(without_address("moov atom not found"), "moov atom not found");
    }

    #[test]
    fn a_flood_of_errors_is_counted_and_its_start_kept() {
        let ended = run(&mut sh("seq 1 5000 >&2"), &Watch::new(&AtomicBool::new(false), LONG), |_| true).unwrap();
        assert_eq!((ended.error_count, ended.errors.len(), ended.errors[0].as_str()), (5000, KEPT, "1"));
    }
}
