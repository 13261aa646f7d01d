//! How much memory a process gets: a damaged or hostile MP4 may ask ffmpeg for any amount of it.

use std::sync::OnceLock;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use rustix::system::sysinfo;

const GIB: u64 = 1 << 30;

/// What a process of ours gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    bytes: u64,
    /// It says more of the machine than of a file that wants more: an admin allows less than an ordinary recording may take, or
    /// there is less.
    of_the_host: bool,
}

static BOUND: OnceLock<Bound> = OnceLock::new();

/// Decides how much memory each program gets that is started from here on. Thread by thread ffmpeg takes more; of a 4K recording
/// in all renditions it takes two thirds of this. This process itself is not bound: it would abort where ffmpeg says a word.
pub(crate) fn memory(cores: usize) {
    let machine = sysinfo();
    let ours = [Resource::Data, Resource::As].into_iter().filter_map(|limit| getrlimit(limit).current).min();
    BOUND.get_or_init(|| decide(cores, machine.totalram.saturating_mul(machine.mem_unit.into()), ours));
}

/// Bounds a program that has just been started, and is not waited for yet. It has what this process has, until then.
pub(crate) fn bind(program: Pid) {
    let now = getrlimit(Resource::Data);
    if let Some(Bound { bytes, .. }) = BOUND.get()
        && now.current.is_none_or(|limit| limit > *bytes)
    {
        // It may have ended by now.
        let _ = prlimit(Some(program), Resource::Data, Rlimit { current: Some(*bytes), maximum: now.maximum });
    }
}

/// `ours`: the limit that an admin has set.
fn decide(cores: usize, machine: u64, ours: Option<u64>) -> Bound {
    let bytes = bound(cores, machine);
    let lower = ours.filter(|ours| *ours < bytes);
    Bound { bytes: lower.unwrap_or(bytes), of_the_host: lower.is_some() || machine < 2 * GIB }
}

fn bound(cores: usize, machine: u64) -> u64 {
    // A small machine has its swap: what an ordinary recording takes is never refused.
    (2 * GIB + cores as u64 * (GIB / 4)).min(machine / 4 * 3).max(2 * GIB)
}

/// The bound in words.
pub(crate) fn shown() -> Option<String> {
    BOUND.get().map(|bound| rec_core::text::bytes(bound.bytes))
}

/// Whether a program that meets its bound tells of the machine, and not of the file that it was given.
pub(crate) fn is_of_the_host() -> bool {
    BOUND.get().is_some_and(|bound| bound.of_the_host)
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
    #[test]
    fn a_bound_that_is_an_admins_or_a_small_machines_tells_nothing_of_a_file() {
        let cases = [
            (64 * GIB, None, 5 * GIB / 2, false),
            (64 * GIB, Some(8 * GIB), 5 * GIB / 2, false),
            (64 * GIB, Some(GIB), GIB, true),
            (GIB, None, 2 * GIB, true),
        ];
        for (machine, ours, bytes, of_the_host) in cases {
            assert_eq!(decide(2, machine, ours), Bound { bytes, of_the_host }, "{machine} {ours:?}");
        }
    }
}
