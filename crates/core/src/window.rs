//! The hours of a day, in a zone, in which work may be done. Nothing here looks at the clock.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _};

/// From one time of each day to the next occurrence of another one.
///
/// A limit takes effect at the first moment of its day at which the zone's clock shows it or, where the clock jumps over it,
/// more than it. So where clocks are set back and show it twice, the first time counts.
#[derive(Clone, Debug)]
pub struct Window {
    from: Time,
    to: Time,
    zone: TimeZone,
    written: String,
}

/// Days before and after a moment whose openings can matter to it: a day may be skipped as a whole, as Samoa's 30 December
/// of 2011, and a clock that is set back at midnight shows the day before once more.
const DAYS: i64 = 3;

const FORM: &str = "write it as '18:00-10:00 Europe/Moscow'";

impl Window {
    /// `HH:MM[:SS]-HH:MM[:SS] ZONE`; the error is the reason and the remedy.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (Some(hours), zone, None) = (words.next(), words.next(), words.next()) else {
            return Err(format!("is not two times and a zone: {FORM}"));
        };
        let Some((from, to)) = hours.split_once('-') else {
            return Err(format!("has no two times with - between them: {FORM}"));
        };
        let (from, to) = (time(from)?, time(to)?);
        let Some(zone) = zone else { return Err(format!("names no zone: {FORM}")) };
        if from == to {
            return Err(
                "begins and ends at the same time: write two that differ, or leave HLS_WINDOW out for all hours"
                    .to_owned(),
            );
        }
        let Some(zone) = find(zone) else {
            return Err(format!(
                "{zone} is none of the tz database: write a name that `timedatectl list-timezones` prints"
            ));
        };
        Ok(Self { from, to, zone, written: words_of(text) })
    }

    /// Whether work may be done.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.openings(now).iter().any(|(opens, closes)| *opens <= now && now < *closes)
    }

    /// That it is closed at `now`, and until when; nothing while it is open.
    pub fn closed(&self, now: Timestamp) -> Option<String> {
        (!self.is_open(now)).then(|| format!("the window {self} is closed until {}", self.shown(self.changes_at(now))))
    }

    /// When it opens, if it is closed now, or closes, if it is open.
    pub fn changes_at(&self, now: Timestamp) -> Timestamp {
        let openings = self.openings(now);
        let open = openings.iter().find(|(opens, closes)| *opens <= now && now < *closes);
        let Some((_, mut end)) = open.copied() else {
            return openings.iter().map(|(opens, _)| *opens).find(|opens| *opens > now).unwrap_or(Timestamp::MAX);
        };
        // What was between two openings, the clock may have jumped over.
        for (opens, closes) in openings {
            if opens <= end {
                end = end.max(closes);
            }
        }
        end
    }

    /// A moment, as a clock in the zone shows it.
    pub fn shown(&self, moment: Timestamp) -> String {
        let shown = self.zone.to_datetime(moment);
        let seconds = if shown.second() == 0 { String::new() } else { format!(":{:02}", shown.second()) };
        let zone = self.zone.iana_name().unwrap_or_default();
        format!("{} {:02}:{:02}{seconds} {zone}", shown.date(), shown.hour(), shown.minute())
    }

    /// The openings around a moment, in their order; one that the clock jumps over is none.
    fn openings(&self, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let today = self.zone.to_datetime(now).date();
        let over_midnight = i64::from(self.to < self.from);
        let days = (-DAYS..=DAYS).filter_map(|day| {
            let opens = self.first(today.checked_add(day.days()).ok()?, self.from)?;
            let closes = self.first(today.checked_add((day + over_midnight).days()).ok()?, self.to)?;
            (opens < closes).then_some((opens, closes))
        });
        days.collect()
    }

    /// The first moment of a day at which the clock shows a time or more.
    fn first(&self, day: Date, time: Time) -> Option<Timestamp> {
        let shown = self.zone.to_ambiguous_timestamp(day.to_datetime(time));
        match shown.offset() {
            AmbiguousOffset::Gap { after, .. } => {
                let before_the_jump = shown.earlier().ok()?;
                let jump = self.zone.following(before_the_jump).find(|change| change.offset() == after);
                jump.map(|jump| jump.timestamp())
            }
            AmbiguousOffset::Fold { .. } | AmbiguousOffset::Unambiguous { .. } => shown.earlier().ok(),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// A text with one blank between words.
fn words_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `HH:MM` or `HH:MM:SS`.
fn time(text: &str) -> Result<Time, String> {
    let number = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse::<i8>().ok() } else { None }
    };
    let parts: Option<Vec<i8>> = text.split(':').map(number).collect();
    let time = match parts.as_deref() {
        Some([hour, minute]) => Time::new(*hour, *minute, 0, 0).ok(),
        Some([hour, minute, second]) => Time::new(*hour, *minute, *second, 0).ok(),
        _ => None,
    };
    time.ok_or_else(|| format!("{text} is no time from 00:00 to 23:59: {FORM}"))
}

/// A zone of the system's tz database, which an update of Debian keeps right, or else of ours: tzdata may be missing, and
/// Debian's has lost the old names to another package.
fn find(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).ok().filter(|zone| !zone.is_unknown())
}

#[cfg(test)]
mod tests;
