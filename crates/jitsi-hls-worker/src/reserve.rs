//! Room on the disk: an encode begins only where what it is going to write has room beside that of the others.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rec_core::text::bytes;
use walkdir::WalkDir;

/// What the encodes of this run are going to write.
pub(crate) struct Disk {
    min_free: u64,
    reserved: Mutex<Vec<Reserved>>,
}

#[derive(Clone)]
struct Reserved {
    /// Where it is built, and where it ends: what lies there by now is no longer free.
    dirs: [PathBuf; 2],
    /// Its filesystem.
    device: u64,
    bytes: u64,
}

impl Reserved {
    /// What is still to be written.
    fn outstanding(&self) -> u64 {
        self.bytes.saturating_sub(self.dirs.iter().map(|dir| size(dir)).sum())
    }
}

/// A share of a disk, given back when it is dropped.
pub(crate) struct Reservation<'a> {
    disk: &'a Disk,
    dirs: [PathBuf; 2],
}

/// Why there is none, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom {
    needs: u64,
    free: u64,
    min_free: u64,
    others: u64,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [needs, free, min_free, others] = [self.needs, self.free, self.min_free, self.others].map(bytes);
        write!(
            f,
            "its HLS needs {needs}, and the disk has {free} free, of which {min_free} stay free (HLS_MIN_FREE) and {others} are for other jobs"
        )
    }
}

impl Disk {
    /// A disk of which so many bytes are not for us.
    pub(crate) fn new(min_free: u64) -> Self {
        Self { min_free, reserved: Mutex::default() }
    }

    /// Reserves `bytes` for the HLS that is built in `tmp` and ends in `place`, on the disk of `room`.
    pub(crate) fn reserve(
        &self,
        room: &Path,
        [tmp, place]: [&str; 2],
        bytes: u64,
    ) -> io::Result<Result<Reservation<'_>, NoRoom>> {
        let dirs = [room.join(tmp), room.join(place)];
        let device = room.metadata()?.dev();
        let ours = Reserved { dirs: dirs.clone(), device, bytes };
        let mut reserved = self.reserved();
        // Looked at before the free bytes: what is written in between counts twice, and not never.
        let others = reserved.iter().filter(|other| other.device == device).map(Reserved::outstanding).sum();
        let needs = ours.outstanding();
        let fit = fit(needs, fs2::available_space(room)?, self.min_free, others);
        Ok(fit.map(|()| {
            reserved.push(ours);
            Reservation { disk: self, dirs }
        }))
    }

    fn reserved(&self) -> MutexGuard<'_, Vec<Reserved>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.disk.reserved().retain(|reserved| reserved.dirs != self.dirs);
    }
}

/// Whether so much fits.
fn fit(needs: u64, free: u64, min_free: u64, others: u64) -> Result<(), NoRoom> {
    let wanted = needs.saturating_add(min_free).saturating_add(others);
    if wanted <= free { Ok(()) } else { Err(NoRoom { needs, free, min_free, others }) }
}

/// Bytes that a tree takes on its disk, as far as it can be seen.
fn size(tree: &Path) -> u64 {
    let entries = WalkDir::new(tree).into_iter().filter_map(|entry| entry.ok()?.metadata().ok());
    entries.map(|metadata| metadata.blocks() * 512).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_encode_fits_beside_the_others_and_what_stays_free() {
        // (needs, free, stays free, others) -> fits
        let cases = [
            (10, 10, 0, 0, true),
            (11, 10, 0, 0, false),
            (10, 15, 5, 0, true),
            (10, 15, 6, 0, false),
            (10, 20, 5, 5, true),
            (10, 20, 5, 6, false),
            (0, 10, 11, 0, false),
            (u64::MAX, u64::MAX - 1, u64::MAX, u64::MAX, false),
        ];
        for (needs, free, min_free, others, wanted) in cases {
            let fit = fit(needs, free, min_free, others);
            assert_eq!(fit.is_ok(), wanted, "{needs} {free} {min_free} {others}");
        }
        let why = fit(4 << 20, 100 << 20, 1 << 30, 0).unwrap_err().to_string();
        assert!(why.starts_with("its HLS needs 4.0M, and the disk has 100M free, of which 1.0G stay"), "{why}");
    }

    #[test]
    fn what_a_job_has_written_is_not_counted_twice_and_its_share_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, room) = (Disk::new(0), dir.path());
        let others = || disk.reserved().iter().map(Reserved::outstanding).sum::<u64>();
        let taken = disk.reserve(room, ["v0.tmp", "v0"], 1 << 20).unwrap().unwrap();
        assert_eq!(others(), 1 << 20);
        fs::create_dir(room.join("v0.tmp")).unwrap();
        fs::write(room.join("v0.tmp/seg_000000.ts"), vec![1; 512 << 10]).unwrap();
        fs::File::open(room.join("v0.tmp/seg_000000.ts")).unwrap().sync_all().unwrap();
        assert!(others() <= 512 << 10, "{}", others());
        fs::rename(room.join("v0.tmp"), room.join("v0")).unwrap();
        assert!(others() <= 512 << 10, "{}", others());
        let second = disk.reserve(room, ["v1.tmp", "v1"], 1 << 20).unwrap().unwrap();
        assert!(others() > 1 << 20);
        drop(taken);
        assert_eq!(others(), 1 << 20);
        drop(second);
        assert_eq!(others(), 0);
        let none = disk.reserve(room, ["v1.tmp", "v1"], u64::MAX).unwrap().err();
        assert!(none.is_some_and(|none| none.others == 0) && others() == 0);
        assert!(disk.reserve(&room.join("gone"), ["v0.tmp", "v0"], 1).is_err());
    }
}
