//! flock(2), held for as long as its holder, or a child that has it as stdin, lives.
//!
//! Whoever takes a lock writes into the file who that is: one line, for people who wonder. It is no part of the lock. It stays
//! when the lock is released, and is there late or not at all where the disk is full.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::deadline::Deadline;
use crate::{durable, share, small, text};

/// More than the line that [`Lock`] writes ever has.
const LARGEST: u64 = 4096;

/// An exclusive lock on a file that stays where it is: a lock file that is deleted locks nothing.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock, or says `None` where somebody else holds it.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>> {
        let file = open(path).map_err(|error| durable::failed("open the lock file", path, error))?;
        match fs2::FileExt::try_lock_exclusive(&file) {
            Ok(()) => {
                sign(&file);
                Ok(Some(Self { file, path: path.to_owned() }))
            }
            Err(error) if error.kind() == fs2::lock_contended_error().kind() => Ok(None),
            Err(error) => {
                Err(error).with_context(|| format!("lock {}: does its filesystem do flock(2)?", text::shown(path)))
            }
        }
    }

    /// Takes the lock, waiting for it until the deadline; `None` where somebody else still holds it then.
    pub fn acquire(path: &Path, deadline: &Deadline) -> Result<Option<Self>> {
        loop {
            if let Some(lock) = Self::try_acquire(path)? {
                return Ok(Some(lock));
            }
            if !deadline.sleep(Duration::from_millis(50)) {
                return Ok(None);
            }
        }
    }

    /// The lock as a child's stdin. flock belongs to the open file, so it stays held until the child is gone too, even where
    /// this process is killed: nobody else starts in the directory while an orphan still writes to it.
    pub fn as_stdin(&self) -> Result<Stdio> {
        let file = self.file.try_clone().with_context(|| format!("share the lock {}", text::shown(&self.path)))?;
        Ok(Stdio::from(file))
    }
}

/// Who took a lock last, by the lock file's own words. Whether it is held still, only the system knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The program.
    pub tool: String,
    /// Its process id, on its host.
    pub pid: u32,
    /// Its host; in a container, the container's name.
    pub host: String,
    /// When it took the lock.
    pub since: OffsetDateTime,
}

impl Holder {
    /// This process, now.
    fn now() -> Self {
        let program = std::env::args_os().next().unwrap_or_default();
        let name = Path::new(&program).file_name().map(text::shown).unwrap_or_default();
        let now = OffsetDateTime::now_utc();
        Self {
            tool: one_word(&name),
            pid: std::process::id(),
            host: one_word(&host()),
            since: now.replace_nanosecond(0).unwrap_or(now),
        }
    }

    fn line(&self) -> String {
        let since = self.since.format(&Rfc3339).unwrap_or_default();
        format!("{} {} {} {since}\n", self.tool, self.pid, self.host)
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let [tool, pid, host, since] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
        let since = OffsetDateTime::parse(since, &Rfc3339).ok()?;
        Some(Self { tool: text::one_line(tool), pid: pid.parse().ok()?, host: text::one_line(host), since })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.format(&Rfc3339).unwrap_or_default();
        write!(f, "{}, process {} on {}, since {since}", self.tool, self.pid, self.host)
    }
}

/// Who a lock file says has taken its lock last; `None` where it says nothing that we understand.
pub fn holder(path: &Path) -> Option<Holder> {
    Holder::parse(&small::read(path, LARGEST).ok()?)
}

/// The name of this host.
pub fn host() -> String {
    text::shown(OsStr::from_bytes(rustix::system::uname().nodename().to_bytes()))
}

/// Writes into a lock file who has it. Where this fails, or the file was opened for reading only, nothing is lost but that.
fn sign(file: &File) {
    let _ = file.set_len(0).and_then(|()| file.write_all_at(Holder::now().line().as_bytes(), 0));
}

fn one_word(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.replace(char::is_whitespace, "_") }
}

/// For writing where we may, because NFS emulates flock by a byte-range lock that wants it; else for reading, which local
/// filesystems are content with where another user made the file.
fn open(path: &Path) -> io::Result<File> {
    match share::open(path, OpenOptions::new().read(true).write(true)) {
        // Not a named pipe, whose opening would wait for a writer.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && path.is_file() => {
            File::open(path).map_err(|_| error)
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_second_holder_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::try_acquire(&path).unwrap().unwrap();
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        drop(first);
        assert!(Lock::try_acquire(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_file_says_who_took_it_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(holder(&path), None);
        // Longer than what is written, of which nothing must be left.
        std::fs::write(&path, "x".repeat(300)).unwrap();
        assert_eq!(holder(&path), None);
        let lock = Lock::try_acquire(&path).unwrap().unwrap();
        let said = holder(&path).unwrap();
        assert_eq!((said.pid, &said.host), (std::process::id(), &host()));
        assert!(said.tool.starts_with("rec_core"), "{said:?}");
        assert!((OffsetDateTime::now_utc() - said.since).whole_seconds() < 60, "{said:?}");
        drop(lock);
        assert_eq!(holder(&path), Some(said), "it stays when the lock is released");
    }

    #[test]
    fn a_lock_file_that_may_only_be_read_is_locked_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::fs::write(&path, "somebody else's").unwrap();
        let file = File::open(&path).unwrap();
        sign(&file);
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody else's");
    }

    #[test]
    fn what_is_no_line_of_ours_names_nobody() {
        let line = |text: &str| Holder::parse(text.as_bytes());
        let said = line("rec-hook 7 a-host 2026-01-02T03:04:05Z\n").unwrap();
        assert_eq!((&*said.tool, said.pid, &*said.host), ("rec-hook", 7, "a-host"));
        assert_eq!(said.to_string(), "rec-hook, process 7 on a-host, since 2026-01-02T03:04:05Z");
        for odd in [
            "",
            "\n",
            "rec-hook 7 a-host 2026-01-02T03:04:05Z",
            "rec-hook 7 a-host 2026-01-02T03:04:05Z\nmore\n",
            "rec-hook -7 a-host 2026-01-02T03:04:05Z\n",
            "rec-hook 7 a host 2026-01-02T03:04:05Z\n",
            "rec-hook 7 a-host yesterday\n",
        ] {
            assert_eq!(line(odd), None, "{odd:?}");
        }
        assert_eq!(Holder::parse(b"\xff 7 a-host 2026-01-02T03:04:05Z\n"), None);
        assert_eq!(line("x\u{1b}[2J 7 h 2026-01-02T03:04:05Z\n").unwrap().tool, "x\\u{1b}[2J");
    }

    #[test]
    fn a_child_that_has_the_lock_as_stdin_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::try_acquire(&path).unwrap().unwrap();
        let mut child = Command::new("sleep").arg("60").stdin(lock.as_stdin().unwrap()).spawn().unwrap();
        drop(lock);
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Lock::try_acquire(&path).unwrap().is_some());
    }
}
