//! A child that is watched: its lines read as they come, and its life bounded.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGKILL, SIGTERM};

/// How many lines of a child's stderr are kept: the first ones tell why, the rest is their echo.
const KEPT: usize = 20;

/// Bytes of a line.
const LONGEST_LINE: u64 = 4096;

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) how: How,
    /// The first lines of its stderr.
    pub(crate) errors: Vec<String>,
    /// How many there were.
    pub(crate) error_count: usize,
}

/// A child that did not get to its end, for reasons that are not in the file which it was given.
#[derive(Debug)]
pub(crate) struct Interrupted(String);

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Interrupted {}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum How {
    Exited(ExitStatus),
    /// We were asked to stop, and killed it.
    Stopped,
    /// It said nothing new for too long, and we killed it.
    Stalled,
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
        let how = match self.how {
            How::Exited(status) => status.to_string(),
            How::Stopped => "stopped".into(),
            How::Stalled => "made no progress and was killed".into(),
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
        let elsewhere = self.was_killed() || self.how == How::Stalled || self.host_trouble().is_some();
        if elsewhere { Err(Interrupted(self.reason())) } else { Ok(self) }
    }

    /// Whether it says that the disk was full.
    pub(crate) fn is_disk_full(&self) -> bool {
        matches!(self.host_trouble(), Some("No space left on device" | "Disk quota exceeded"))
    }

    /// What its stderr tells of trouble that is the machine's and not the file's.
    pub(crate) fn host_trouble(&self) -> Option<&str> {
        let troubles = [
            "No space left on device",
            "Disk quota exceeded",
            "Input/output error",
            "Cannot allocate memory",
            "Stale file handle",
        ];
        troubles.into_iter().find(|trouble| self.errors.iter().any(|line| line.contains(trouble)))
    }

    /// Whether somebody killed it: an admin, or the kernel for want of memory. A crash of its own is none of that.
    pub(crate) fn was_killed(&self) -> bool {
        matches!(self.how, How::Exited(status) if matches!(status.signal(), Some(SIGHUP | SIGINT | SIGKILL | SIGTERM)))
    }
}

enum Line {
    Out(String),
    Err(String),
}

/// Runs a child. `on_line` gets each line of its stdout and says whether that was progress; a child that makes none for
/// `patience` is killed, as it is once `stop` is set.
pub(crate) fn run(
    command: &mut Command,
    stop: &AtomicBool,
    patience: Duration,
    mut on_line: impl FnMut(&str) -> bool,
) -> Result<Ended> {
    // A group of its own: Ctrl-C at a terminal is for us, and we say when the child goes.
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().with_context(|| format!("start {}", command.get_program().to_string_lossy()))?;
    let (sender, lines) = mpsc::sync_channel(1024);
    let out = child.stdout.take().context("no stdout")?;
    let err = child.stderr.take().context("no stderr")?;
    let errors_sender = sender.clone();
    thread::spawn(move || read(out, &Line::Out, |line| sender.send(line).is_ok()));
    thread::spawn(move || read(err, &Line::Err, |line| errors_sender.send(line).is_ok()));

    let mut ended = Ended { how: How::Stopped, errors: Vec::new(), error_count: 0 };
    let mut last_progress = Instant::now();
    loop {
        if stop.load(Ordering::Relaxed) {
            kill(&mut child)?;
            return Ok(ended);
        }
        if last_progress.elapsed() > patience {
            kill(&mut child)?;
            ended.how = How::Stalled;
            return Ok(ended);
        }
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(Line::Out(line)) => {
                if on_line(&line) {
                    last_progress = Instant::now();
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
                ended.how = How::Exited(child.wait().context("wait for the child")?);
                return Ok(ended);
            }
        }
    }
}

/// ffmpeg's `[h264 @ 0x55c3c2c56200] …` without the address, which tells nobody anything and differs in each run.
fn without_address(line: &str) -> String {
    let Some((name, rest)) = line.split_once(" @ 0x") else { return line.to_owned() };
    format!("{name}{}", rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
}

/// SIGKILL: nothing that it would tidy up is of use, because what it wrote goes too.
fn kill(child: &mut Child) -> Result<()> {
    // It may have ended just now.
    let _ = child.kill();
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
    use super::*;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(30);

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command
    }

    #[test]
    fn lines_and_the_exit_are_seen() {
        let mut seen = Vec::new();
        let ended = run(&mut sh("echo one; echo two; echo oops >&2; exit 3"), &AtomicBool::new(false), LONG, |line| {
            seen.push(line.to_owned());
            true
        })
        .unwrap();
        assert_eq!(seen, ["one", "two"]);
        assert_eq!(ended.reason(), "oops (exit status: 3)");
        assert!(!ended.is_success());
    }

    #[test]
    fn a_child_without_progress_is_killed() {
        let ended = run(
            &mut sh("while :; do echo same; sleep 0.05; done"),
            &AtomicBool::new(false),
            Duration::from_millis(300),
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
        let begun = Instant::now();
        // `exec`, because only the child itself is killed.
        let ended = run(&mut sh("exec sleep 60"), &stop, LONG, |_| true).unwrap();
        assert_eq!(ended.how, How::Stopped);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_killed_child_is_told_from_one_that_failed() {
        let ended = |script| run(&mut sh(script), &AtomicBool::new(false), LONG, |_| true).unwrap();
        assert!(ended("kill -KILL $$").was_killed() && ended("kill -TERM $$").was_killed());
        assert!(!ended("kill -SEGV $$").was_killed() && !ended("exit 1").was_killed());
        assert_eq!(ended("echo 'in.mp4: Input/output error' >&2").host_trouble(), Some("Input/output error"));
        assert_eq!(ended("echo 'moov atom not found' >&2").host_trouble(), None);
    }

    #[test]
    fn an_address_in_memory_is_left_out_of_an_error() {
        let line = "[h264 @ 0x55c3c2c56200] error while decoding MB 3 4";
        assert_eq!(without_address(line), "[h264] error while decoding MB 3 4");
        assert_eq!(without_address("moov atom not found"), "moov atom not found");
    }

    #[test]
    fn a_flood_of_errors_is_counted_and_its_start_kept() {
        let ended = run(&mut sh("seq 1 5000 >&2"), &AtomicBool::new(false), LONG, |_| true).unwrap();
        assert_eq!((ended.error_count, ended.errors.len(), ended.errors[0].as_str()), (5000, KEPT, "1"));
    }
}
