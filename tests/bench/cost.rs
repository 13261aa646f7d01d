//! What a command costs.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

/// What a run cost, all its processes together.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    /// Kilobytes, of the largest process.
    pub(crate) peak: u64,
}

/// Runs a command to its end, which must be a good one.
pub(crate) fn cost(command: &mut Command) -> Cost {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let used = child.wait4().unwrap();
    assert!(used.status.success(), "{command:?}: {}", used.status);
    Cost { cpu: used.rusage.utime + used.rusage.stime, wall: begun.elapsed(), peak: used.rusage.maxrss / 1024 }
}
