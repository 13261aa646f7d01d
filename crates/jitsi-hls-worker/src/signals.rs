//! SIGTERM, SIGINT and SIGHUP: stop soon, and in any case.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long the work may take to stop by itself. A request to Notion cannot be interrupted, and every step of ours bears
/// being killed.
const GRACE: Duration = Duration::from_secs(4);

/// A flag that the first of these signals sets. Where the work has not ended [`GRACE`] later, the process does.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut watched = vec![SIGTERM, SIGINT];
    // The end of an admin's session; nohup has it ignored, and so it stays.
    if !is_ignored(SIGHUP) {
        watched.push(SIGHUP);
    }
    let mut signals = Signals::new(watched).context("watch for SIGTERM, SIGINT and SIGHUP")?;
    let flag = Arc::clone(&stop);
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            flag.store(true, Ordering::Relaxed);
            thread::sleep(GRACE);
            #[expect(
                clippy::exit,
                reason = "the main thread waits for Notion, and nothing is lost by not waiting for it"
            )]
            std::process::exit(75);
        }
    });
    Ok(stop)
}

/// Whether whoever started this process has it ignore a signal: a bit of the mask that proc(5) calls `SigIgn`.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
