//! Times: how Notion writes its own, and which ones it takes.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::macros::format_description;

/// `created_time` and `last_edited_time` of a page: rounded down to the minute, so useless for ordering within one.
pub(crate) fn minute(at: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:00.000Z");
    OffsetDateTime::from(at).format(&format).unwrap_or_default()
}

/// The times of a database that was just created: precise, and with an offset where pages have a `Z`.
pub(crate) fn precise(at: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]+00:00");
    OffsetDateTime::from(at).format(&format).unwrap_or_default()
}

/// The value of a reply's `Date` header.
pub(crate) fn http(at: SystemTime) -> String {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    OffsetDateTime::from(at).format(&format).unwrap_or_default()
}

/// A date or a date and time as Notion writes it back, or `None` where it is not ISO 8601: a date stays a date, a time
/// loses its seconds (`18:01:15.377824` comes back as `18:01:00.000`) and gets a numeric offset.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let (date, clock) = match text.split_once('T') {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    time::Date::parse(date, format_description!("[year]-[month]-[day]")).ok()?;
    let Some(clock) = clock else { return Some(date.to_owned()) };
    let at = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (clock, offset) = clock.split_at(at);
    let offset = match offset {
        "" | "Z" => "+00:00".to_owned(),
        other => {
            time::UtcOffset::parse(other, format_description!("[offset_hour sign:mandatory]:[offset_minute]")).ok()?;
            other.to_owned()
        }
    };
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = if seconds.len() == 5 { format!("{seconds}:00") } else { seconds.to_owned() };
    time::Time::parse(&seconds, format_description!("[hour]:[minute]:[second]")).ok()?;
    Some(format!("{date}T{}:00.000{offset}", &seconds[..5]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_back_as_notion_writes_them() {
        for (sent, back) in [
            ("2026-01-02", Some("2026-01-02")),
            ("2026-01-02T10:00:00Z", Some("2026-01-02T10:00:00.000+00:00")),
            ("2026-01-02T10:00:00+00:00", Some("2026-01-02T10:00:00.000+00:00")),
            ("2026-01-02T10:00:59.25-05:00", Some("2026-01-02T10:00:00.000-05:00")),
            ("2026-01-02T10:00", Some("2026-01-02T10:00:00.000+00:00")),
            ("2022/01/02", None),
            ("2026-02-30", None),
            ("2026-01-02T25:00:00Z", None),
            ("2026-01-02T10:00:00.Z", None),
            ("2026-01-02T10:00:00X", None),
            ("", None),
        ] {
            assert_eq!(canonical(sent).as_deref(), back, "{sent}");
        }
    }

    #[test]
    fn a_pages_time_is_rounded_down_to_the_minute() {
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_782_579_719_987);
        assert_eq!(minute(at), "2026-06-27T17:01:00.000Z");
        assert_eq!(precise(at), "2026-06-27T17:01:59.987+00:00");
        assert_eq!(http(at), "Sat, 27 Jun 2026 17:01:59 GMT");
    }
}
