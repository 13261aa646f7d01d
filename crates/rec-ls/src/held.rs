//! A lock that is held: by whom, and whether that one lives.

use std::fmt;
use std::fs::File;
use std::path::Path;

use rec_core::lock::{self, Holder};
use rec_core::small;

use crate::locks::{Locks, openers, program};
use crate::remedy::Remedy;

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// A process of this host; what the lock file says of it, if it is about this one.
    Here(u32, Option<Holder>),
    /// One of another host, or of another container.
    Elsewhere(Holder),
    /// The process that took it has died, and a child keeps it: the child, where this user may see it.
    Orphan(u32, Option<Holder>, Option<u32>),
}

impl Held {
    /// Who holds the lock on this file, if anybody does, also on another host.
    pub(crate) fn anywhere(path: &Path, locks: &Locks) -> Option<Self> {
        Self::here(path, locks).or_else(|| {
            let elsewhere = lock::holder(path).filter(|said| said.host != lock::host())?;
            is_locked(path).then_some(Self::Elsewhere(elsewhere))
        })
    }

    /// The same of this host alone, by the system's word.
    pub(crate) fn here(path: &Path, locks: &Locks) -> Option<Self> {
        let file = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
        let taker = locks.holder(&file)?;
        let said = lock::holder(path).filter(|said| said.host == lock::host());
        let open = openers(&file);
        // Of a process of another user, only that it is there can be seen.
        let lives = open.contains(&taker) || open.is_empty() && program(taker).is_some();
        let child = |pid: &u32| program(*pid).is_some_and(|name| name.starts_with("ff"));
        // What the lock file says is of this holder, or of one before.
        let about = |pid: u32| said.clone().filter(|said| said.pid == pid);
        Some(match &said {
            // The system names the child where the taker is gone from a container's processes.
            Some(gone) if gone.pid != taker && child(&taker) && program(gone.pid).is_none() => {
                Self::Orphan(gone.pid, about(gone.pid), Some(taker))
            }
            _ if lives => Self::Here(taker, about(taker)),
            _ => Self::Orphan(taker, about(taker), open.iter().copied().find(child)),
        })
    }

    /// What frees it.
    pub(crate) fn remedy(&self, lock: &Path) -> Remedy {
        match self {
            Self::Here(pid, _) => Remedy::nothing(&format!("it is being worked on by process {pid}")),
            Self::Elsewhere(said) => {
                Remedy::nothing(&format!("it is being worked on by process {} on {}", said.pid, said.host))
            }
            Self::Orphan(_, _, Some(child)) => Remedy::shell(format!("kill {child}")),
            Self::Orphan(_, _, None) => Remedy::run("sudo fuser -v", lock),
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(_, Some(said)) | Self::Elsewhere(said) => write!(f, "{said}"),
            Self::Here(pid, None) => {
                write!(f, "{}, process {pid}", program(*pid).unwrap_or_else(|| "some program".into()))
            }
            Self::Orphan(pid, said, child) => {
                match said {
                    Some(said) => write!(f, "{said}, which has died")?,
                    None => write!(f, "process {pid}, which has died")?,
                }
                match child {
                    Some(child) => write!(f, "; its ffmpeg, process {child}, goes on and keeps the lock until it ends"),
                    None => f.write_str("; a child of it, which this user cannot see, keeps the lock until it ends"),
                }
            }
        }
    }
}

/// Whether somebody has locked it, by trying for an instant what no other reader is kept by: the system says nothing of
/// other hosts.
fn is_locked(path: &Path) -> bool {
    let Ok(Some(file)) = small::open(path, File::options().read(true)) else { return false };
    match fs2::FileExt::try_lock_shared(&file) {
        Err(error) => error.kind() == fs2::lock_contended_error().kind(),
        Ok(()) => false,
    }
}
