//! flock(2), held for as long as its holder, or a child that has it as stdin, lives.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::deadline::Deadline;
use crate::{durable, share, text};

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
            Ok(()) => Ok(Some(Self { file, path: path.to_owned() })),
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
