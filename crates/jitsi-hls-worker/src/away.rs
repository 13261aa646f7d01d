//! Notion is away for all recordings or for none: what a run has seen of that.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After so many recordings in a row for which Notion was away, the others are not tried.
const ENOUGH: u32 = 3;

/// Until this has passed since the last of them. What takes long, an encode say, may end when Notion is back.
const FOR: Duration = Duration::from_secs(60);

/// Whether Notion is worth asking.
#[derive(Debug, Default)]
pub(crate) struct Away {
    seen: Mutex<Seen>,
    spared: AtomicU32,
}

#[derive(Debug, Default)]
struct Seen {
    in_a_row: u32,
    last: Option<Instant>,
}

impl Away {
    /// Whether Notion is not to be asked at `now`; that is counted.
    pub(crate) fn spares(&self, now: Instant) -> bool {
        let seen = self.lock();
        let lately = seen.last.is_some_and(|last| now.saturating_duration_since(last) < FOR);
        let spares = seen.in_a_row >= ENOUGH && lately;
        if spares {
            self.spared.fetch_add(1, Ordering::Relaxed);
        }
        spares
    }

    /// Notion was away at `now`.
    pub(crate) fn was_away(&self, now: Instant) {
        let mut seen = self.lock();
        seen.in_a_row = seen.in_a_row.saturating_add(1);
        seen.last = Some(now);
    }

    /// Notion has answered.
    pub(crate) fn answered(&self) {
        self.lock().in_a_row = 0;
    }

    /// How often Notion was not asked.
    pub(crate) fn spared(&self) -> u32 {
        self.spared.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_three_in_a_row_notion_is_asked_again_in_a_minute() {
        let (away, now) = (Away::default(), Instant::now());
        for _ in 0..3 {
            assert!(!away.spares(now));
            away.was_away(now);
        }
        assert!(away.spares(now) && away.spares(now + Duration::from_secs(59)));
        assert!(!away.spares(now + FOR));
        away.was_away(now + FOR);
        assert!(away.spares(now + FOR), "one more is enough then");
        assert_eq!(away.spared(), 3);
        away.answered();
        assert!(!away.spares(now + FOR));
    }

    #[test]
    fn an_answer_in_between_shows_that_notion_is_there() {
        let (away, now) = (Away::default(), Instant::now());
        for _ in 0..9 {
            away.was_away(now);
            away.was_away(now);
            away.answered();
            assert!(!away.spares(now));
        }
    }
}
