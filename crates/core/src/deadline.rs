//! Time that is left, and a flag that cuts it short.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use time::OffsetDateTime;

/// How long a piece of work may still take: until an instant, or until somebody asks the process to stop.
#[derive(Clone, Debug)]
pub struct Deadline {
    at: Instant,
    stop: Arc<AtomicBool>,
}

impl Deadline {
    /// Ends `budget` from now, or as soon as `stop` is set.
    pub fn after(budget: Duration, stop: &Arc<AtomicBool>) -> Self {
        Self { at: Instant::now() + budget, stop: Arc::clone(stop) }
    }

    /// Ends `budget` from now; nobody asks the process to stop sooner.
    pub fn within(budget: Duration) -> Self {
        Self::after(budget, &Arc::default())
    }

    /// The earlier of this deadline and one `budget` from now.
    #[must_use]
    pub fn at_most(&self, budget: Duration) -> Self {
        Self { at: self.at.min(Instant::now() + budget), stop: Arc::clone(&self.stop) }
    }

    /// What is left; zero once it is over.
    pub fn left(&self) -> Duration {
        if self.stopped() { Duration::ZERO } else { self.at.saturating_duration_since(Instant::now()) }
    }

    /// Whether it is over because somebody asked the process to stop, not because time ran out.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Sleeps for `pause`, if that much is left. Returns false, without having slept it all, where it is not or where the
    /// stop flag is set meanwhile.
    pub fn sleep(&self, pause: Duration) -> bool {
        if pause >= self.left() {
            return false;
        }
        let end = Instant::now() + pause;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return true;
            }
            if self.left().is_zero() {
                return false;
            }
            std::thread::sleep(rest.min(Duration::from_millis(100)));
        }
    }
}

/// How long ago something happened; zero where the clock was set back since.
pub fn age(of: OffsetDateTime) -> Duration {
    (OffsetDateTime::from(SystemTime::now()) - of).try_into().unwrap_or_default()
}
