//! Several rooms at once: a few threads that each take the next one from a queue.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` for each item, in their order, so many at a time, for as long as `go_on` says so. What panics is handed to
/// `panicked` with what it said, and is no matter of the others. One at a time needs no other thread.
pub(crate) fn each<T: Sync>(
    items: &[T],
    at_once: usize,
    go_on: impl Fn() -> bool + Sync,
    work: impl Fn(&T) + Sync,
    panicked: impl Fn(&T, &str) + Sync,
) {
    let next = AtomicUsize::new(0);
    let take = || {
        while go_on() {
            let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            // What a job that dies leaves behind is on the disk, and the next run sees to it.
            if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| work(item))) {
                panicked(item, said(panic.as_ref()));
            }
        }
    };
    thread::scope(|scope| {
        for number in 1..at_once.min(items.len()) {
            let named = thread::Builder::new().name(format!("job {number}"));
            // Where the machine has no thread left, there are fewer of them.
            if named.spawn_scoped(scope, take).is_err() {
                break;
            }
        }
        take();
    });
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}

/// Threads for one ffmpeg: one while each core has a recording of its own, else the cores are shared out among those `left`.
pub(crate) fn threads(cores: usize, left: usize) -> usize {
    (cores / left.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::{Barrier, Mutex};

    #[test]
    fn cores_are_shared_out_among_the_last_recordings() {
        // (cores, left) -> threads
        let cases = [
            (1, 1, 1),
            (2, 9, 1),
            (2, 2, 1),
            (2, 1, 2),
            (8, 20, 1),
            (8, 8, 1),
            (8, 5, 1),
            (8, 4, 2),
            (8, 3, 2),
            (8, 1, 8),
        ];
        for (cores, left, wanted) in cases {
            assert_eq!(threads(cores, left), wanted, "{cores} cores, {left} left");
        }
        assert_eq!(threads(4, 0), 4, "one that was put off");
    }

    #[test]
    fn a_job_that_panics_is_said_and_the_others_are_done() {
        for at_once in [1, 2, 3, 50] {
            let (done, died) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
            let work = |number: &u32| {
                assert!(!number.is_multiple_of(4), "{number} is bad");
                done.lock().unwrap().push(*number);
            };
            each(
                &[1, 2, 3, 4, 5, 6, 7, 8],
                at_once,
                || true,
                work,
                |_, said| died.lock().unwrap().push(said.to_owned()),
            );
            let (mut done, mut died) = (done.into_inner().unwrap(), died.into_inner().unwrap());
            done.sort_unstable();
            died.sort();
            assert_eq!(done, [1, 2, 3, 5, 6, 7], "{at_once}");
            assert_eq!(died, ["4 is bad", "8 is bad"], "{at_once}");
        }
    }

    #[test]
    fn as_many_are_at_work_as_were_asked_for() {
        let (three, leaders) = (Barrier::new(3), AtomicUsize::new(0));
        // Nobody passes before all three are there.
        let work = |_: &u32| {
            leaders.fetch_add(usize::from(three.wait().is_leader()), Ordering::Relaxed);
        };
        each(&[1, 2, 3, 4, 5, 6], 3, || true, work, |_, said| panic!("{said}"));
        assert_eq!(leaders.into_inner(), 2);
    }

    #[test]
    fn none_begins_after_the_end_was_called() {
        let (stop, begun) = (AtomicBool::new(false), Mutex::new(Vec::new()));
        let work = |number: &u32| {
            begun.lock().unwrap().push(*number);
            stop.store(true, Ordering::Relaxed);
        };
        each(&[1, 2, 3], 1, || !stop.load(Ordering::Relaxed), work, |_, said| panic!("{said}"));
        assert_eq!(begun.into_inner().unwrap(), [1]);
    }
}
