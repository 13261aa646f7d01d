//! Who holds a lock, by the system's word: no lock is taken to find out.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rec_core::recording::LOCK;
use rustix::fs::{major, minor};

use crate::tree::Seen;

/// A file, by its filesystem and its number there.
type File = (u64, u64);

/// The flocks of this host as they were at one moment.
pub(crate) struct Locks {
    /// Who has taken it. Where the taker has died and a child lives on, it is the dead one.
    taken: HashMap<File, u32>,
    children: OnceCell<HashMap<File, u32>>,
}

impl Locks {
    /// Reads proc(5), once for all rooms.
    pub(crate) fn now() -> Self {
        let text = fs::read_to_string("/proc/locks").unwrap_or_default();
        Self { taken: text.lines().filter_map(taken).collect(), children: OnceCell::new() }
    }

    /// Looks again for who has taken what. A child that outlives its taker meanwhile has held the lock before.
    pub(crate) fn refresh(&mut self) {
        self.taken = Self::now().taken;
    }

    /// Who holds the lock on this file: the one who has taken it, or a child that has it as its stdin. In a container the
    /// system says nothing of a lock whose taker has died.
    pub(crate) fn holder(&self, file: &Metadata) -> Option<u32> {
        let file = (normal(major(file.dev()), minor(file.dev())), file.ino());
        self.taken.get(&file).or_else(|| self.children.get_or_init(children).get(&file)).copied()
    }

    /// Who holds the lock of a room.
    pub(crate) fn of(&self, room: &Path) -> Option<u32> {
        self.holder(&room.join(LOCK).symlink_metadata().ok()?)
    }

    /// Whether the HLS of a slot is being built, by somebody who lives.
    pub(crate) fn at_work(&self, seen: &Seen, slot: u32) -> bool {
        seen.glance.litter && seen.glance.has_dir(&format!("v{slot}.tmp")) && self.of(&seen.room.dir).is_some()
    }
}

/// A filesystem by its device. btrfs and overlays show stat(2) another number than proc(5), both without a device: there the
/// file's own number has to do.
fn normal(major: u32, minor: u32) -> u64 {
    if major == 0 { 0 } else { u64::from(major) << 32 | u64::from(minor) }
}

/// A line of `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 29880 fe:00:2196735 0 EOF`. Those who wait have an arrow in it.
fn taken(line: &str) -> Option<(File, u32)> {
    let mut words = line.split_whitespace().skip(1);
    let (kind, _, _, pid, file) = (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
    if kind != "FLOCK" {
        return None;
    }
    let [major, minor, inode] = file.split(':').collect::<Vec<_>>()[..] else { return None };
    let hex = |number| u32::from_str_radix(number, 16).ok();
    Some(((normal(hex(major)?, hex(minor)?), inode.parse().ok()?), pid.parse().ok()?))
}

/// The regular files that processes have as their stdin.
fn children() -> HashMap<File, u32> {
    let stdin = |pid: u32| {
        let file = fs::metadata(format!("/proc/{pid}/fd/0")).ok().filter(Metadata::is_file)?;
        Some(((normal(major(file.dev()), minor(file.dev())), file.ino()), pid))
    };
    processes().filter_map(stdin).collect()
}

fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The name of a process's program.
pub(crate) fn program(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(rec_core::text::one_line(name.trim_end()))
}

/// The processes that have a file open, as far as this user may see them.
pub(crate) fn openers(file: &Metadata) -> Vec<u32> {
    let same = |path: &Path| fs::metadata(path).is_ok_and(|open| (open.dev(), open.ino()) == (file.dev(), file.ino()));
    let has = |pid: &u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.into_iter().any(|entry| same(&entry.path()))
    };
    processes().filter(has).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_understood_where_it_is_a_flock_that_is_held() {
        let line = "1: FLOCK  ADVISORY  WRITE 29880 fe:01:2196735 0 EOF";
        assert_eq!(taken(line), Some((((0xfe << 32) + 1, 2_196_735), 29880)));
        let overlay = "7: FLOCK  ADVISORY  READ 3 00:2d:12 0 EOF";
        assert_eq!(taken(overlay), Some(((0, 12), 3)));
        for other in [
            "",
            "2: POSIX  ADVISORY  WRITE 29880 fe:01:2196735 0 EOF",
            "1: -> FLOCK  ADVISORY  WRITE 29881 fe:01:2196735 0 EOF",
            "3: OFDLCK ADVISORY  READ -1 00:06:1 0 EOF",
            "4: FLOCK  ADVISORY  WRITE 29880 fe:01 0 EOF",
            "4: FLOCK  ADVISORY  WRITE -1 fe:01:7 0 EOF",
        ] {
            assert_eq!(taken(other), None, "{other}");
        }
    }

    #[test]
    fn a_lock_of_this_process_is_seen_and_gone_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK);
        let lock = rec_core::lock::Lock::try_acquire(&path).unwrap().unwrap();
        assert_eq!(Locks::now().of(dir.path()), Some(std::process::id()));
        assert_eq!(openers(&path.metadata().unwrap()), [std::process::id()]);
        drop(lock);
        assert_eq!(Locks::now().of(dir.path()), None);
    }
}
