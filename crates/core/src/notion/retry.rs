//! What follows from one try. Nothing here does anything, so that the matrix can be read and tested as a table.

use std::time::Duration;

use time::OffsetDateTime;

use super::error::Kind;
use crate::http::retry_after;

/// How often a request is sent at most.
pub(super) const TRIES: u32 = 5;
/// The first pause; each further one is twice as long, up to [`CAP`].
const BASE: Duration = Duration::from_millis(500);
/// The longest pause that is our own choice.
const CAP: Duration = Duration::from_secs(8);
/// A create is not begun with less time than this: its answer would come too late, and leave open whether it happened.
const CREATE_NEEDS: Duration = Duration::from_secs(2);

/// What a request does to Notion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It makes a page: twice is once too often.
    Create,
    /// It reads, or sets what it sets: twice is as good as once.
    Repeatable,
}

impl Effect {
    /// The least time that must be left for a try to make sense.
    pub(super) fn needs(self) -> Duration {
        match self {
            Self::Create => CREATE_NEEDS,
            Self::Repeatable => Duration::ZERO,
        }
    }
}

/// How a try that did not succeed ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome<'a> {
    /// A status other than 2xx, with the header Retry-After.
    Status(u16, Option<&'a str>),
    /// Notion cannot have acted on it: no address, no connection, no TLS, or no byte of the body handed over.
    NotSent,
    /// It was sent, and no whole reply came.
    NoReply,
}

/// What stands when the decision is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// The number of this try, from 1.
    pub attempt: u32,
    /// How many there may be.
    pub tries: u32,
    /// What the deadline leaves.
    pub left: Duration,
    /// The time, which a Retry-After may refer to.
    pub now: OffsetDateTime,
    /// 0 to 1, by chance: clients that failed together should not return together.
    pub jitter: f64,
}

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it again after this pause.
    Retry(Duration),
    /// It ends here, for this reason besides what happened ("" if there is none).
    GiveUp(Kind, String),
    /// Notion refused it, and the words of its reply say why.
    Refused,
}

/// Decides what follows from `outcome`.
pub(super) fn decide(effect: Effect, outcome: Outcome<'_>, at: &Circumstances) -> Verdict {
    let asked = match (outcome, effect) {
        // Notion's own word that it failed.
        (Outcome::Status(409 | 500 | 503, _), Effect::Create) => {
            return Verdict::GiveUp(Kind::Failed5xx, String::new());
        }
        // The word of a gateway that heard nothing from Notion, which may be at it still.
        (Outcome::Status(408 | 500..=528 | 530..=599, _), Effect::Create) => {
            return Verdict::GiveUp(Kind::Unanswered, String::new());
        }
        (Outcome::Status(408 | 409 | 429 | 500..=599, asked), _) => asked,
        (Outcome::Status(..), _) => return Verdict::Refused,
        (Outcome::NoReply, Effect::Create) => return Verdict::GiveUp(Kind::Unanswered, String::new()),
        (Outcome::NoReply, Effect::Repeatable) | (Outcome::NotSent, _) => None,
    };
    let own = backoff(at.attempt, at.jitter);
    let pause = match asked.map(|value| (value, retry_after(value, at.now))) {
        None => own,
        Some((_, Some(wait))) => wait.max(backoff(1, at.jitter)),
        Some((value, None)) => return away(format!("it asked to wait for {value:?}, which means nothing")),
    };
    if at.attempt >= at.tries {
        return away(if at.attempt > 1 { format!("{} tries", at.attempt) } else { String::new() });
    }
    if pause + effect.needs() >= at.left {
        let left = at.left.as_secs();
        return away(match asked {
            Some(value) => format!("it asked to wait for {value:?}, and there are {left} s left"),
            None => format!("try {} of {}, with {left} s left", at.attempt, at.tries),
        });
    }
    Verdict::Retry(pause)
}

fn away(why: String) -> Verdict {
    Verdict::GiveUp(Kind::Away, why)
}

/// The pause after try number `attempt`: between half of the step and all of it.
fn backoff(attempt: u32, jitter: f64) -> Duration {
    let step = BASE.saturating_mul(1 << (attempt - 1).min(10)).min(CAP);
    step.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Effect::{Create, Repeatable};
    use Outcome::{NoReply, NotSent, Status};
    use time::macros::datetime;

    fn at(attempt: u32, left: u64) -> Circumstances {
        let now = datetime!(2026-11-20 10:00:00 UTC);
        Circumstances { attempt, tries: TRIES, left: Duration::from_secs(left), now, jitter: 1.0 }
    }

    fn retry(ms: u64) -> Verdict {
        Verdict::Retry(Duration::from_millis(ms))
    }

    fn kind(verdict: &Verdict) -> Option<Kind> {
        if let Verdict::GiveUp(kind, _) = verdict { Some(*kind) } else { None }
    }

    #[test]
    fn a_request_that_may_be_repeated_is_repeated_on_every_passing_failure() {
        for status in [408, 409, 429, 500, 502, 503, 504, 520, 529] {
            assert_eq!(decide(Repeatable, Status(status, None), &at(1, 60)), retry(500), "{status}");
        }
        assert_eq!(decide(Repeatable, NotSent, &at(1, 60)), retry(500));
        assert_eq!(decide(Repeatable, NoReply, &at(1, 60)), retry(500));
    }

    #[test]
    fn a_create_is_repeated_only_where_it_certainly_did_not_happen() {
        for outcome in [Status(429, None), Status(529, None), NotSent] {
            assert_eq!(decide(Create, outcome, &at(1, 60)), retry(500), "{outcome:?}");
        }
        for (status, wanted) in [
            (409, Kind::Failed5xx),
            (500, Kind::Failed5xx),
            (503, Kind::Failed5xx),
            (408, Kind::Unanswered),
            (502, Kind::Unanswered),
            (504, Kind::Unanswered),
            (520, Kind::Unanswered),
        ] {
            assert_eq!(kind(&decide(Create, Status(status, Some("1")), &at(1, 60))), Some(wanted), "{status}");
        }
        assert_eq!(kind(&decide(Create, NoReply, &at(1, 60))), Some(Kind::Unanswered));
    }

    #[test]
    fn a_refusal_is_not_repeated() {
        for status in [301, 400, 401, 403, 404, 413, 418] {
            assert_eq!(decide(Repeatable, Status(status, None), &at(1, 60)), Verdict::Refused, "{status}");
            assert_eq!(decide(Create, Status(status, None), &at(1, 60)), Verdict::Refused, "{status}");
        }
    }

    #[test]
    fn pauses_double_up_to_eight_seconds_and_vary_by_half() {
        let pauses: Vec<_> = (1..=7).map(|n| backoff(n, 1.0).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(backoff(1, 0.0), Duration::from_millis(250));
    }

    #[test]
    fn tries_and_time_are_limited() {
        assert_eq!(decide(Repeatable, NotSent, &at(TRIES, 60)), away("5 tries".into()));
        assert_eq!(kind(&decide(Repeatable, NotSent, &at(4, 4))), Some(Kind::Away));
        // What is left after the pause would not be enough to hear the answer of a create.
        assert_eq!(kind(&decide(Create, NotSent, &at(1, 2))), Some(Kind::Away));
        assert_eq!(decide(Repeatable, NotSent, &at(1, 2)), retry(500));
    }

    #[test]
    fn retry_after_is_obeyed() {
        for (value, ms) in [
            ("1", 1000),
            (" 20 ", 20_000),
            ("0", 500),
            ("Fri, 20 Nov 2026 10:00:07 GMT", 7000),
            ("Fri, 20 Nov 2026 09:59:00 GMT", 500),
        ] {
            assert_eq!(decide(Create, Status(429, Some(value)), &at(1, 60)), retry(ms), "{value}");
        }
    }

    #[test]
    fn an_absurd_retry_after_ends_it_at_once_and_is_named() {
        for value in ["3600", "-1", "soon", "", "99999999999999999999", "Fri, 20 Nov 2026 11:00:00 GMT"] {
            let Verdict::GiveUp(Kind::Away, why) = decide(Create, Status(429, Some(value)), &at(1, 60)) else {
                panic!("{value}")
            };
            assert!(why.contains(&format!("{value:?}")), "{why}");
        }
    }
}
