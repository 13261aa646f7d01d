//! Files that are either the old ones or the new ones, whatever dies when.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::io::Errno;

use crate::access::{self, Want};
use crate::{fault, share, text};

/// Writes `path` so that every reader, also after a power cut, sees all of the old bytes or all of the new ones: written
/// beside, fsynced, renamed, and the directory fsynced. The caller holds the directory's lock, so the name beside is free or
/// the litter of a writer that died.
///
/// The directory's group reads it, and nobody else ([`crate::share`]).
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = beside(path);
    write_beside(&beside, bytes)
        .inspect(|()| fault::file("written beside", path))
        .and_then(|()| fs::rename(&beside, path))
        .inspect(|()| fault::file("renamed", path))
        .and_then(|()| sync_parent(path))
        .inspect(|()| fault::file("lasts", path))
        .inspect_err(|_| {
            // Best effort: what is left here, the next holder of the lock removes.
            let _ = fs::remove_file(&beside);
        })
        .map_err(|error| failed("write", path, error))
}

/// An error of writing: what was tried, on which path, what helps against it, and why.
pub fn failed(tried: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let tried = format!("{tried} {}{}", text::shown(path), remedy(path, &error));
    anyhow::Error::new(error).context(tried)
}

/// Whether a disk, or a user's part of it, was full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Whether a disk, the way to it, or the machine itself has failed: what is asked of it then tells nothing of a file, and may well
/// go through a while later.
pub fn is_broken(error: &io::Error) -> bool {
    let Some(errno) = Errno::from_io_error(error) else { return false };
    // ENXIO is none of them: a socket in the place of a file says it for ever.
    let disk = [Errno::IO, Errno::STALE, Errno::NODEV];
    let way = [Errno::NOTCONN, Errno::TIMEDOUT, Errno::HOSTDOWN];
    // EAGAIN is what fork(2) says where there are too many processes.
    let machine = [Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::AGAIN];
    [&disk[..], &way, &machine].concat().contains(&errno)
}

/// What helps against an error of writing, in brackets behind the name of the file; nothing where the error says it all.
fn remedy(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            let why = access::explain(path.parent().unwrap_or(path), Want::Write, error).unwrap_or_default();
            format!(" (this user must be able to write to its directory: {why})")
        }
        ErrorKind::ReadOnlyFilesystem => {
            " (its disk must be mounted for writing, and ReadWritePaths= of a systemd unit must name it)".to_owned()
        }
        _ if is_full(error) => " (make room on its disk)".to_owned(),
        _ if is_broken(error) => " (its disk, or the machine, has failed: the kernel's log says how)".to_owned(),
        _ => String::new(),
    }
}

/// The name under which [`write`] builds `path`.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // `create_new` follows no symlink that somebody put there.
    let mut file = File::options().write(true).create_new(true).mode(share::NEW_FILE).open(path)?;
    share::keep(&file, path.parent().unwrap_or(Path::new(".")));
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the directory entry of `path` last: its creation, renaming or removal.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_litter_of_a_dead_writer_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        fs::write(beside(&path), "half").unwrap();
        write(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(!beside(&path).exists());
    }

    #[test]
    fn a_symlink_beside_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let victim = dir.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, beside(&path)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"untouched");
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn what_may_go_through_later_is_told_from_what_waits_for_a_person() {
        let broken = |errno: Errno| is_broken(&io::Error::from_raw_os_error(errno.raw_os_error()));
        for errno in [Errno::IO, Errno::STALE, Errno::TIMEDOUT, Errno::NOTCONN, Errno::HOSTDOWN, Errno::AGAIN] {
            assert!(broken(errno), "{errno}");
        }
        for errno in [Errno::NOENT, Errno::ACCESS, Errno::NXIO, Errno::NOSPC] {
            assert!(!broken(errno), "{errno}");
        }
        assert!(!is_broken(&io::Error::other("not a regular file")));
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("is-a-directory");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "kept").unwrap();
        let error = write(&path, b"new").unwrap_err();
        assert!(format!("{error:#}").contains("is-a-directory"), "{error:#}");
        assert!(path.join("inside").exists() && !beside(&path).exists());
    }
}
