//! The log line: the same on stderr and in a file under `LOG_DIR`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use crate::access::{Want, explain};
use crate::{share, text};

/// How much goes to stderr. The file gets every line of [`Log::line`] and [`Log::error`] in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Only what went wrong.
    Quiet,
    /// The lines of the log.
    Normal,
    /// And what explains them.
    Verbose,
}

/// As `date -Is` prints it: local time to the second, with its offset.
const DATE_IS: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory]:[offset_minute]");

/// Has a line written to stderr, by the function that it gets, when what moves there is out of the way.
pub type Aside = Box<dyn Fn(&dyn Fn()) + Send + Sync>;

/// A tool's log. Threads share it: a line of one is not mixed into that of another.
pub struct Log {
    verbosity: Verbosity,
    file: Mutex<Option<(PathBuf, File)>>,
    aside: Option<Aside>,
}

impl Log {
    /// Opens `dir/name` for appending and makes `dir` if it is not there. A log that cannot be written costs one warning on
    /// stderr and never the recording.
    pub fn open(dir: &Path, name: &str, verbosity: Verbosity) -> Self {
        let path = dir.join(name);
        let file = std::fs::create_dir_all(dir)
            .and_then(|()| share::open(&path, OpenOptions::new().append(true)))
            .map_err(|error| say(&unwritable(&path, &error)))
            .ok();
        Self { verbosity, file: Mutex::new(file.map(|file| (path, file))), aside: None }
    }

    /// The log of a run, or of a dry run, which leaves the log file as it is.
    pub fn for_run(dir: &Path, name: &str, verbosity: Verbosity, dry_run: bool) -> Self {
        if dry_run { Self::stderr(verbosity) } else { Self::open(dir, name, verbosity) }
    }

    /// A log that only stderr sees, for dry runs and for tools without a log file.
    pub fn stderr(verbosity: Verbosity) -> Self {
        Self { verbosity, file: Mutex::new(None), aside: None }
    }

    /// From now on the lines of stderr are written by way of this: a terminal has progress bars below them.
    pub fn step_aside(&mut self, aside: Aside) {
        self.aside = Some(aside);
    }

    /// An event.
    pub fn line(&self, text: &str) {
        self.write(text, Verbosity::Normal);
    }

    /// Something that a person should read even of a quiet tool.
    pub fn error(&self, text: &str) {
        self.write(text, Verbosity::Quiet);
    }

    /// What an admin should know though the work goes on.
    pub fn warnings(&self, warnings: &[String]) {
        for warning in warnings {
            self.error(&format!("WARNING: {warning}"));
        }
    }

    /// What explains the events, for `-v`; the file does not get it.
    pub fn detail(&self, text: &str) {
        if self.verbosity == Verbosity::Verbose {
            self.say(&stamped(text));
        }
    }

    fn say(&self, line: &str) {
        match &self.aside {
            Some(aside) => aside(&|| say(line)),
            None => say(line),
        }
    }

    fn write(&self, text: &str, least: Verbosity) {
        let line = stamped(text);
        if self.verbosity != Verbosity::Quiet || least == Verbosity::Quiet {
            self.say(&line);
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((path, open)) = file.as_mut() {
            // One write for the line and its end, so that tools that log at the same time do not mix theirs into it.
            if let Err(error) = open.write_all(format!("{line}\n").as_bytes()) {
                self.say(&unwritable(path, &error));
                *file = None;
            }
        }
    }
}

/// Prints a line on stderr. A closed stderr is nobody's fault and no reason to stop.
pub fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn unwritable(path: &Path, error: &std::io::Error) -> String {
    let why = explain(path, Want::Write, error).map(|why| format!(" ({why})")).unwrap_or_default();
    stamped(&format!(
        "WARNING: cannot write the log {}: {error}: make LOG_DIR writable for this user{why}; going on without it",
        text::shown(path)
    ))
}

/// A time as the log's lines have theirs.
pub fn stamp(time: OffsetDateTime) -> String {
    let offset = time::UtcOffset::local_offset_at(time).unwrap_or(time::UtcOffset::UTC);
    time.to_offset(offset).format(DATE_IS).unwrap_or_default()
}

fn stamped(message: &str) -> String {
    format!("{} {}", stamp(OffsetDateTime::now_utc()), text::one_line(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_what_date_prints() {
        let moment = time::macros::datetime!(2026-11-20 21:10:29.123 +05:30);
        assert_eq!(moment.format(DATE_IS).unwrap(), "2026-11-20T21:10:29+05:30");
        let moment = time::macros::datetime!(2026-01-02 03:04:05 -00:30);
        assert_eq!(moment.format(DATE_IS).unwrap(), "2026-01-02T03:04:05-00:30");
    }

    #[test]
    fn a_line_is_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(dir.path(), "x.log", Verbosity::Quiet);
        log.line("room=a\nERROR: forged");
        let written = std::fs::read_to_string(dir.path().join("x.log")).unwrap();
        assert_eq!(written.lines().count(), 1);
        assert!(written.ends_with(" room=a\\nERROR: forged\n"), "{written}");
    }

    #[test]
    fn what_moves_on_the_terminal_steps_aside_for_lines_of_stderr_alone() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU32, Ordering};

        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(dir.path(), "x.log", Verbosity::Quiet);
        let asides = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&asides);
        log.step_aside(Box::new(move |write| {
            counted.fetch_add(1, Ordering::Relaxed);
            write();
        }));
        log.line("for the file");
        log.detail("for nobody");
        assert_eq!(asides.load(Ordering::Relaxed), 0);
        log.error("for both");
        assert_eq!(asides.load(Ordering::Relaxed), 1);
        assert_eq!(std::fs::read_to_string(dir.path().join("x.log")).unwrap().lines().count(), 2);
    }
}
