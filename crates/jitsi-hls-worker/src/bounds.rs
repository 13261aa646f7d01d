//! How much memory a process gets: a damaged or hostile MP4 may ask ffmpeg for any amount of it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::sysinfo;

const GIB: u64 = 1 << 30;

/// Bounds the memory of each process that is started from here on, and of this one. Thread by thread ffmpeg takes more; of a 4K
/// recording in all renditions it takes two thirds of this.
pub(crate) fn memory(cores: usize) {
    let machine = sysinfo();
    let bound = bound(cores, machine.totalram.saturating_mul(machine.mem_unit.into()));
    let now = getrlimit(Resource::Data);
    // One that an admin has set lower stays.
    if now.current.is_none_or(|limit| limit > bound) {
        let _ = setrlimit(Resource::Data, Rlimit { current: Some(bound), maximum: now.maximum });
    }
}

fn bound(cores: usize, machine: u64) -> u64 {
    // A small machine has its swap: what an ordinary recording takes is never refused.
    (2 * GIB + cores as u64 * (GIB / 4)).min(machine / 4 * 3).max(2 * GIB)
}

/// The bound in words.
pub(crate) fn shown() -> Option<String> {
    getrlimit(Resource::Data).current.map(rec_core::text::bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_the_cores_and_leaves_the_machine_some() {
        // (cores, GiB of the machine, GiB)
        let cases = [(1, 64, 2.25), (2, 64, 2.5), (16, 64, 6.0), (64, 256, 18.0), (16, 4, 3.0), (2, 1, 2.0)];
        for (cores, machine, wanted) in cases {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let is = bound(cores, machine * GIB) as f64 / GIB as f64;
            assert!((is - wanted).abs() < 1e-9, "{cores} cores, {machine} GiB: {is}");
        }
    }
}
