//! Trouble that is not a recording's own: it is tried again for ever, and ever more rarely.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The pause after a second failure in a row; each further one is twice as long. After the first one there is none: the next
/// run tries again, whenever that is.
const FIRST: Duration = Duration::from_secs(60);

/// The longest pause, but for [`JITTER`].
const LONGEST: Duration = Duration::from_secs(3600);

/// By how much of itself a pause is longer at the most: recordings that failed together should not come back together.
const JITTER: f64 = 0.25;

/// What keeps a recording waiting: the machine, or Notion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Failures in a row.
    pub tries: u32,
    /// When the first of them was.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Not before then is it tried again.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// What went wrong last, without secrets.
    pub why: String,
}

impl Hold {
    /// One more failure, now.
    pub fn failed(before: Option<&Self>, why: &str) -> Self {
        Self::after(before, why, OffsetDateTime::now_utc(), fastrand::f64())
    }

    /// One more failure, at `now`. `chance` is 0 to 1, at random.
    fn after(before: Option<&Self>, why: &str, now: OffsetDateTime, chance: f64) -> Self {
        let tries = before.map_or(0, |before| before.tries).saturating_add(1);
        let since = before.map_or(now, |before| before.since.min(now));
        let until = now + pause(tries).mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0));
        Self { tries, since, until, why: why.to_owned() }
    }

    /// Whether its time has not come yet. One that is farther away than any pause was noted by a clock that ran ahead.
    pub fn holds(&self, now: OffsetDateTime) -> bool {
        now < self.until && self.until <= now + LONGEST.mul_f64(1.0 + JITTER)
    }
}

/// How long nothing is tried after so many failures in a row.
fn pause(tries: u32) -> Duration {
    match tries {
        0 | 1 => Duration::ZERO,
        tries => FIRST.saturating_mul(1 << (tries - 2).min(16)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::ext::NumericalDuration as _;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

    #[test]
    fn pauses_double_from_a_minute_to_an_hour_after_the_second_failure() {
        let minutes: Vec<_> = (1..=10).map(|tries| pause(tries).as_secs() / 60).collect();
        assert_eq!(minutes, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }

    #[test]
    fn failures_in_a_row_are_counted_from_the_first() {
        let first = Hold::after(None, "refused", NOW, 1.0);
        assert_eq!((first.tries, first.since, first.until), (1, NOW, NOW));
        assert!(!first.holds(NOW), "the next run tries again");
        let later = NOW + 10.minutes();
        let second = Hold::after(Some(&first), "timed out", later, 0.0);
        assert_eq!((second.tries, second.since, second.until), (2, NOW, later + 1.minutes()));
        assert_eq!(second.why, "timed out");
        assert!(second.holds(later) && !second.holds(later + 1.minutes()));
    }

    #[test]
    fn chance_makes_a_pause_longer_by_a_quarter_at_most() {
        let before = Hold { tries: 1, since: NOW, until: NOW, why: String::new() };
        let seconds = |chance| (Hold::after(Some(&before), "", NOW, chance).until - NOW).whole_seconds();
        assert_eq!((seconds(0.0), seconds(0.5), seconds(1.0), seconds(9.0)), (60, 67, 75, 75));
    }

    #[test]
    fn what_a_clock_that_ran_ahead_has_noted_holds_nothing() {
        let hold = |until| Hold { tries: 9, since: NOW, until, why: String::new() }.holds(NOW);
        assert!(hold(NOW + 75.minutes()) && !hold(NOW + 76.minutes()) && !hold(NOW + 10_000.days()));
    }
}
