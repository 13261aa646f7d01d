//! Times for people and for programs.

use time::format_description::FormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// RFC 3339 in UTC, to the second.
const INSTANT: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// A time for programs, and for logs to be searched for it.
pub(crate) fn instant(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(INSTANT).unwrap_or_default()
}

/// How long ago something was: its largest unit. A time to come is no age.
pub(crate) fn age(of: OffsetDateTime, now: OffsetDateTime) -> String {
    let seconds = (now - of).whole_seconds();
    match seconds {
        ..=-1 => "-".to_owned(),
        0..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m", seconds / 60),
        3600..=86_399 => format!("{}h", seconds / 3600),
        86_400.. => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::datetime;

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        let now = datetime!(2026-01-10 12:00 UTC);
        let cases = [(-1, "-"), (0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86_399, "23h")];
        for (seconds, wanted) in cases.into_iter().chain([(86_400, "1d"), (400 * 86_400, "400d")]) {
            assert_eq!(age(now - Duration::seconds(seconds), now), wanted);
        }
    }

    #[test]
    fn a_time_is_told_in_utc() {
        assert_eq!(instant(datetime!(2026-01-02 03:04:05.9 +02:00)), "2026-01-02T01:04:05Z");
    }
}
