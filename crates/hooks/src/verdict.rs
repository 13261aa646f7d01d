//! What follows from one try. Nothing here does anything, so that it can be read and tested as a table.

use std::fmt::Write as _;
use std::time::Duration;

use rec_core::http::retry_after;
use rec_core::text::one_line;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The pauses between the tries: the schedule of Standard Webhooks, three days and more.
const PAUSES: [u64; 9] = [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// The least pauses where a person is needed, or a room that is not known yet may be soon.
const SLOW_PAUSES: [u64; 4] = [5 * MINUTE, 30 * MINUTE, 2 * HOUR, 10 * HOUR];

/// How much longer a pause may get, so that what failed together does not return together.
const JITTER: f64 = 0.1;

/// The longest that a receiver may ask us to wait.
const MOST_ASKED: Duration = Duration::from_secs(24 * HOUR);

/// No due time is further away than this, unless the clock was set back.
const FURTHEST: Duration = Duration::from_secs(24 * HOUR + 24 * HOUR / 10);

/// How much of an answer is shown.
const SHOWN: usize = 200;

/// An answer, with any status.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The header Retry-After.
    pub retry_after: Option<String>,
    /// The header Location.
    pub location: Option<String>,
    /// As much of the body as was read; without the secret, should something echo it.
    pub body: String,
}

/// What is known of the tries that failed; in the file `.try` beside the event's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// How many.
    pub tries: u32,
    /// How many of them ended with an answer after which few more make sense.
    #[serde(default)]
    pub slow: u32,
    /// Only this event waits, and those behind it do not.
    #[serde(default)]
    pub aside: bool,
    /// When the next one is due.
    #[serde(with = "time::serde::rfc3339")]
    pub due: OffsetDateTime,
    /// When the last one was.
    #[serde(with = "time::serde::rfc3339")]
    pub last: OffsetDateTime,
    /// How it ended.
    pub reason: String,
}

impl Tries {
    /// None yet.
    pub fn none() -> Self {
        let never = OffsetDateTime::UNIX_EPOCH;
        Self { tries: 0, slow: 0, aside: false, due: never, last: never, reason: String::new() }
    }

    /// Whether the next try is due. A time that no pause leads to is one of a clock that was set back since.
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        self.due <= now || self.due - now > FURTHEST
    }

    /// `try 2 of 10`.
    pub fn count(&self) -> String {
        if self.slow > 0 {
            format!("try {} of {}", self.slow, SLOW_PAUSES.len() + 1)
        } else {
            format!("try {} of {}", self.tries, PAUSES.len() + 1)
        }
    }
}

/// What follows from a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has arrived.
    Delivered {
        /// The receiver says that it does nothing with it.
        ignored: bool,
    },
    /// It is tried again.
    Later(Tries),
    /// It is not tried again, for this reason.
    Dead(String),
    /// Nothing is sent to this destination any more, for this reason.
    Off(String),
}

/// What an answer says about who or what is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Done,
    /// The destination is in trouble.
    Trouble,
    /// The destination, or our settings of it, need a person.
    Settings,
    /// It does not know what this event is about.
    Unknown,
    /// It will never take this event.
    Refused,
    /// It will never take any.
    Gone,
}

fn class(status: u16) -> Class {
    match status {
        200..=299 => Class::Done,
        300..=399 | 401 | 403 | 407 => Class::Settings,
        404 => Class::Unknown,
        410 => Class::Gone,
        400..=499 if ![408, 425, 429].contains(&status) => Class::Refused,
        _ => Class::Trouble,
    }
}

/// Decides what follows from a try at `now`, of which the answer is known, or why there was none. `early`: it was not due, and
/// a person has asked for it; then it does not use up the schedule. `jitter` is a chance from 0 to 1.
pub fn decide(reply: Result<&Reply, &str>, before: &Tries, now: OffsetDateTime, jitter: f64, early: bool) -> Verdict {
    let class = reply.map_or(Class::Trouble, |reply| class(reply.status));
    let reason = match reply {
        Ok(reply) => said(reply),
        Err(why) => format!("did not answer: {}", shortened(why)),
    };
    match class {
        Class::Done => return Verdict::Delivered { ignored: reply.is_ok_and(|reply| is_ignored(&reply.body)) },
        Class::Refused => return Verdict::Dead(reason),
        Class::Gone => return Verdict::Off(reason),
        Class::Trouble | Class::Settings | Class::Unknown => {}
    }
    let aside = class == Class::Unknown;
    let asked = reply.ok().and_then(|reply| retry_after(reply.retry_after.as_deref()?, now));
    let asked_for = now + asked.unwrap_or_default().min(MOST_ASKED);
    if early {
        return Verdict::Later(Tries { aside, due: before.due.max(asked_for), last: now, reason, ..before.clone() });
    }
    let is_slow = class != Class::Trouble;
    let (tries, slow) = (before.tries + 1, before.slow + u32::from(is_slow));
    let pause = |pauses: &[u64], number: u32| {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        Some(Duration::from_secs(*pauses.get(at)?).mul_f64(1.0 + JITTER * jitter.clamp(0.0, 1.0)))
    };
    let usual = pause(&PAUSES, tries);
    let least = if is_slow { pause(&SLOW_PAUSES, slow) } else { Some(Duration::ZERO) };
    match usual.zip(least) {
        Some((usual, least)) => {
            Verdict::Later(Tries { tries, slow, aside, due: asked_for.max(now + usual.max(least)), last: now, reason })
        }
        None => Verdict::Dead(format!("{reason}; it was tried {tries} times")),
    }
}

/// What the receiver said, for people, with a hint at what may be wrong.
pub(crate) fn said(reply: &Reply) -> String {
    let mut text = format!("answered {}", reply.status);
    let body = shortened(&reply.body);
    if !body.is_empty() {
        text.push_str(": ");
        text.push_str(&body);
    }
    match (reply.status, &reply.location) {
        (300..=399, Some(location)) => {
            let _ = write!(text, " (redirects are not followed: is its URL {}?)", shortened(location));
        }
        (300..=399, None) => text.push_str(" (redirects are not followed: set its URL to the right one)"),
        (401 | 403, _) => text.push_str(" (is the secret the same on both sides?)"),
        (404, _) => text.push_str(" (does it know the room, and is its URL right?)"),
        _ => {}
    }
    text
}

/// One line of at most 200 characters.
fn shortened(text: &str) -> String {
    let line = one_line(text.trim());
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn is_ignored(body: &str) -> bool {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return false };
    let says = |value: Option<&Value>| value.and_then(Value::as_bool) == Some(true);
    says(body.get("ignored")) || says(body.pointer("/data/ignored"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-20 10:00:00 UTC);

    fn reply(status: u16) -> Reply {
        Reply { status, ..Reply::default() }
    }

    fn after(tries: u32, slow: u32) -> Tries {
        Tries { tries, slow, ..Tries::none() }
    }

    /// Seconds until the next try, how many there were, and whether the others go on.
    fn later(verdict: &Verdict) -> Option<(i64, u32, u32, bool)> {
        let Verdict::Later(tries) = verdict else { return None };
        Some(((tries.due - NOW).whole_seconds(), tries.tries, tries.slow, tries.aside))
    }

    #[test]
    fn what_follows_from_which_answer_to_the_first_try() {
        let first = |status| decide(Ok(&reply(status)), &Tries::none(), NOW, 0.0, false);
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(first(status), Verdict::Delivered { ignored: false }, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599, 600, 101] {
            assert_eq!(later(&first(status)), Some((5, 1, 0, false)), "{status}");
        }
        for status in [301, 302, 307, 308, 401, 403, 407] {
            assert_eq!(later(&first(status)), Some((300, 1, 1, false)), "{status}");
        }
        assert_eq!(later(&first(404)), Some((300, 1, 1, true)));
        for status in [400, 402, 405, 409, 413, 415, 422, 451] {
            assert_eq!(first(status), Verdict::Dead(format!("answered {status}")));
        }
        assert_eq!(first(410), Verdict::Off("answered 410".into()));
        let silence = decide(Err("silence"), &Tries::none(), NOW, 0.0, false);
        assert_eq!(later(&silence), Some((5, 1, 0, false)));
        assert!(matches!(silence, Verdict::Later(tries) if tries.reason == "did not answer: silence"));
    }

    #[test]
    fn ten_tries_and_then_it_is_dead() {
        let pauses = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
        for (before, pause) in (0..).zip(pauses) {
            for (jitter, factor) in [(0.0, 100), (1.0, 110), (7.0, 110)] {
                let verdict = decide(Ok(&reply(500)), &after(before, 0), NOW, jitter, false);
                assert_eq!(later(&verdict), Some((pause * factor / 100, before + 1, 0, false)));
            }
        }
        let last = decide(Ok(&reply(500)), &after(9, 0), NOW, 0.0, false);
        assert_eq!(last, Verdict::Dead("answered 500; it was tried 10 times".into()));
    }

    #[test]
    fn five_slow_tries_and_then_it_is_dead() {
        for (before, pause) in [(0, 300), (1, 1800), (2, 7200), (3, 36_000)] {
            let verdict = decide(Ok(&reply(401)), &after(before, before), NOW, 0.0, false);
            assert_eq!(later(&verdict), Some((pause, before + 1, before + 1, false)));
        }
        let last = decide(Ok(&reply(404)), &after(4, 4), NOW, 0.0, false);
        assert!(matches!(last, Verdict::Dead(why) if why.ends_with("; it was tried 5 times")));
        let mixed = decide(Ok(&reply(401)), &after(7, 0), NOW, 0.0, false);
        assert_eq!(later(&mixed), Some((72_000, 8, 1, false)), "the longer of the two pauses");
    }

    #[test]
    fn a_retry_after_is_obeyed_for_a_day_at_most() {
        for (status, asked, wanted) in [
            (503, "120", 120),
            (429, "3", 5),
            (503, "Fri, 20 Nov 2026 11:00:00 GMT", 3600),
            (503, "Fri, 20 Nov 2020 11:00:00 GMT", 5),
            (503, "9999999", 86_400),
            (503, "soon", 5),
            (401, "600", 600),
        ] {
            let reply = Reply { retry_after: Some(asked.into()), ..reply(status) };
            let verdict = decide(Ok(&reply), &Tries::none(), NOW, 0.0, false);
            assert_eq!(later(&verdict).unwrap().0, wanted, "{status} {asked}");
        }
    }

    #[test]
    fn a_try_that_was_not_due_does_not_use_up_the_schedule() {
        let before = Tries { due: NOW + Duration::from_secs(60), ..after(9, 4) };
        for status in [500, 401, 404] {
            let verdict = decide(Ok(&reply(status)), &before, NOW, 0.0, true);
            assert_eq!(later(&verdict), Some((60, 9, 4, status == 404)));
        }
        let asked = Reply { retry_after: Some("600".into()), ..reply(503) };
        assert_eq!(later(&decide(Ok(&asked), &before, NOW, 0.0, true)), Some((600, 9, 4, false)));
        assert!(matches!(decide(Ok(&reply(400)), &before, NOW, 0.0, true), Verdict::Dead(_)));
    }

    #[test]
    fn a_due_time_beyond_every_pause_is_of_a_clock_that_was_set_back() {
        let due_in = |seconds: i64| Tries { due: NOW + time::Duration::seconds(seconds), ..Tries::none() }.is_due(NOW);
        assert!(due_in(-1) && due_in(0) && !due_in(1) && !due_in(26 * 3600) && due_in(27 * 3600));
    }

    #[test]
    fn an_answer_that_says_ignored_is_noticed() {
        for (body, ignored) in [
            (r#"{"ignored":true}"#, true),
            (r#"{"data":{"ok":true,"ignored":true}}"#, true),
            (r#"{"data":{"ok":true,"ignored":false}}"#, false),
            (r#"{"ignored":"true"}"#, false),
            ("[true]", false),
            ("ignored", false),
            ("", false),
        ] {
            let reply = Reply { body: body.into(), ..reply(200) };
            assert_eq!(decide(Ok(&reply), &Tries::none(), NOW, 0.0, false), Verdict::Delivered { ignored }, "{body}");
        }
    }

    #[test]
    fn what_the_receiver_says_is_shown_on_one_short_line() {
        let said = |status, body: &str, location: Option<&str>| {
            said(&Reply { status, body: body.into(), location: location.map(str::to_owned), retry_after: None })
        };
        assert_eq!(said(500, " a\nb ", None), "answered 500: a\\nb");
        assert_eq!(said(500, &"é".repeat(201), None), format!("answered 500: {}…", "é".repeat(200)));
        assert_eq!(
            said(301, "", Some("https://x/")),
            "answered 301 (redirects are not followed: is its URL https://x/?)"
        );
        assert_eq!(said(401, "no", None), "answered 401: no (is the secret the same on both sides?)");
    }
}
