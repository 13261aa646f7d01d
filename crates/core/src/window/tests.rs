//! Windows, moment by moment.

use super::*;

fn window(text: &str) -> Window {
    Window::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn at(moment: &str) -> Timestamp {
    moment.parse().unwrap_or_else(|error| panic!("{moment}: {error}"))
}

/// From each moment, whether it is open, and when that changes.
#[track_caller]
fn check(text: &str, cases: &[(&str, bool, &str)]) {
    let window = window(text);
    for (now, open, changes) in cases {
        assert_eq!(window.is_open(at(now)), *open, "{text} at {now}");
        assert_eq!(window.changes_at(at(now)), at(changes), "{text} at {now}");
    }
}

/// Every change within some hours, each found from the one before it.
#[track_caller]
fn changes(text: &str, from: &str, to: &str) -> Vec<String> {
    let window = window(text);
    let (mut now, mut seen) = (at(from), Vec::new());
    loop {
        let (was, next) = (window.is_open(now), window.changes_at(now));
        assert!(next > now, "{text} at {now}");
        assert_eq!(window.is_open(next - 1.second()), was, "{text} before {next}");
        assert_eq!(window.is_open(next), !was, "{text} at {next}");
        if next > at(to) {
            return seen;
        }
        seen.push(format!("{} {next}", if was { "closes" } else { "opens" }));
        now = next;
    }
}

#[test]
fn a_window_over_midnight_is_open_from_the_evening_to_the_morning() {
    check(
        "18:00-10:00 Europe/Moscow",
        &[
            ("2026-11-21T14:59:59Z", false, "2026-11-21T15:00:00Z"),
            ("2026-11-21T15:00:00Z", true, "2026-11-22T07:00:00Z"),
            ("2026-11-21T21:00:00Z", true, "2026-11-22T07:00:00Z"),
            ("2026-11-22T06:59:59.999Z", true, "2026-11-22T07:00:00Z"),
            ("2026-11-22T07:00:00Z", false, "2026-11-22T15:00:00Z"),
        ],
    );
}

#[test]
fn a_window_within_a_day_ends_on_it() {
    check(
        "09:00-17:30:15 Asia/Kolkata",
        &[
            ("2026-03-01T03:29:59Z", false, "2026-03-01T03:30:00Z"),
            ("2026-03-01T03:30:00Z", true, "2026-03-01T12:00:15Z"),
            ("2026-03-01T12:00:15Z", false, "2026-03-02T03:30:00Z"),
            ("2026-12-31T20:00:00Z", false, "2027-01-01T03:30:00Z"),
        ],
    );
    check("00:00-06:00 UTC", &[("2028-02-28T23:00:00Z", false, "2028-02-29T00:00:00Z")]);
    check("18:00-00:00 UTC", &[("2028-02-29T23:00:00Z", true, "2028-03-01T00:00:00Z")]);
}

#[test]
fn the_hours_follow_the_zone_through_days_of_23_and_25_hours() {
    // Clocks go from 02:00 to 03:00 on 29 March of 2026, from 03:00 to 02:00 on 25 October.
    assert_eq!(
        changes("18:00-10:00 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T20:00:00Z"),
        ["opens 2026-03-28T17:00:00Z", "closes 2026-03-29T08:00:00Z", "opens 2026-03-29T16:00:00Z"]
    );
    assert_eq!(
        changes("18:00-10:00 Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T20:00:00Z"),
        ["opens 2026-10-24T16:00:00Z", "closes 2026-10-25T09:00:00Z", "opens 2026-10-25T17:00:00Z"]
    );
    // From 02:00 to 03:00 on 8 March, from 02:00 to 01:00 on 1 November.
    assert_eq!(
        changes("22:00-06:00 America/New_York", "2026-03-07T20:00:00Z", "2026-03-09T04:00:00Z"),
        ["opens 2026-03-08T03:00:00Z", "closes 2026-03-08T10:00:00Z", "opens 2026-03-09T02:00:00Z"]
    );
    assert_eq!(
        changes("22:00-06:00 America/New_York", "2026-10-31T20:00:00Z", "2026-11-02T04:00:00Z"),
        ["opens 2026-11-01T02:00:00Z", "closes 2026-11-01T11:00:00Z", "opens 2026-11-02T03:00:00Z"]
    );
}

#[test]
fn a_limit_that_the_clock_jumps_over_takes_effect_at_the_jump() {
    let berlin = ("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
    let jump = "2026-03-29T01:00:00Z";
    assert_eq!(
        changes("02:30-10:00 Europe/Berlin", berlin.0, berlin.1),
        [format!("opens {jump}"), "closes 2026-03-29T08:00:00Z".into()]
    );
    assert_eq!(
        changes("18:00-02:30 Europe/Berlin", berlin.0, berlin.1),
        ["opens 2026-03-28T17:00:00Z".into(), format!("closes {jump}")]
    );
    // Both in the gap: there is no such time on that day.
    assert_eq!(changes("02:10-02:50 Europe/Berlin", berlin.0, berlin.1), [""; 0]);
    // The closed hours in the gap: it does not close on that day.
    assert_eq!(
        changes("02:50-02:10 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),
        ["closes 2026-03-30T00:10:00Z"]
    );
    // Half an hour: from 02:00 to 02:30 on 4 October.
    assert_eq!(
        changes("02:15-04:00 Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-04T00:00:00Z"),
        ["opens 2026-10-03T15:30:00Z", "closes 2026-10-03T17:00:00Z"]
    );
    // At midnight: from 00:00 to 01:00 on 24 April.
    assert_eq!(
        changes("00:30-02:00 Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-24T12:00:00Z"),
        ["opens 2026-04-23T22:00:00Z", "closes 2026-04-23T23:00:00Z"]
    );
}

#[test]
fn of_a_limit_that_the_clock_shows_twice_the_first_time_counts() {
    let berlin = ("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
    assert_eq!(
        changes("02:30-10:00 Europe/Berlin", berlin.0, berlin.1),
        ["opens 2026-10-25T00:30:00Z", "closes 2026-10-25T09:00:00Z"]
    );
    assert_eq!(
        changes("18:00-02:30 Europe/Berlin", berlin.0, berlin.1),
        ["opens 2026-10-24T16:00:00Z", "closes 2026-10-25T00:30:00Z"]
    );
    assert_eq!(
        changes("02:10-02:50 Europe/Berlin", berlin.0, berlin.1),
        ["opens 2026-10-25T00:10:00Z", "closes 2026-10-25T00:50:00Z"]
    );
    assert_eq!(
        changes("01:30-01:00 America/New_York", "2026-10-31T20:00:00Z", "2026-11-01T20:00:00Z"),
        ["closes 2026-11-01T05:00:00Z", "opens 2026-11-01T05:30:00Z"]
    );
    // Half an hour: from 02:00 to 01:30 on 5 April.
    assert_eq!(
        changes("01:45-03:00 Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-05T12:00:00Z"),
        ["opens 2026-04-04T14:45:00Z", "closes 2026-04-04T16:30:00Z"]
    );
    // At midnight: 31 October shows its last hour once more.
    assert_eq!(
        changes("23:30-00:30 Africa/Cairo", "2026-10-29T12:00:00Z", "2026-10-30T12:00:00Z"),
        ["opens 2026-10-29T20:30:00Z", "closes 2026-10-29T22:30:00Z"]
    );
}

#[test]
fn a_day_that_a_zone_has_never_seen_opens_nothing_of_its_own() {
    // Samoa went from 29 to 31 December.
    let samoa = ("2011-12-29T12:00:00Z", "2012-01-01T12:00:00Z");
    assert_eq!(
        changes("09:00-17:00 Pacific/Apia", samoa.0, samoa.1),
        [
            "opens 2011-12-29T19:00:00Z",
            "closes 2011-12-30T03:00:00Z",
            "opens 2011-12-30T19:00:00Z",
            "closes 2011-12-31T03:00:00Z",
            "opens 2011-12-31T19:00:00Z",
            "closes 2012-01-01T03:00:00Z",
        ]
    );
    assert_eq!(
        changes("18:00-10:00 Pacific/Apia", "2011-12-29T21:00:00Z", "2011-12-31T06:00:00Z"),
        ["opens 2011-12-30T04:00:00Z", "closes 2011-12-30T20:00:00Z", "opens 2011-12-31T04:00:00Z"]
    );
}

/// The rule of the type's comment, asked of the clock alone, each quarter of an hour around the days that clocks are set on.
#[test]
fn every_quarter_of_an_hour_is_as_the_clock_shows_it() {
    for zone in ["Europe/Berlin", "America/New_York", "Europe/Moscow", "Asia/Kolkata", "Australia/Lord_Howe"] {
        for hours in ["18:00-10:00", "02:15-02:45", "01:45-23:30", "02:40-02:20"] {
            let window = window(&format!("{hours} {zone}"));
            for day in ["03-08", "03-29", "04-05", "10-04", "10-25", "11-01"] {
                let noon = at(&format!("2026-{day}T12:00:00Z"));
                follow_the_clock(&window, noon - 36.hours(), noon + 36.hours());
            }
        }
    }
}

#[track_caller]
fn follow_the_clock(window: &Window, from: Timestamp, to: Timestamp) {
    let (mut now, mut latest, mut open) = (from, window.zone.to_datetime(from), window.is_open(from));
    while now < to {
        now += 15.minutes();
        let shown = window.zone.to_datetime(now);
        // What the clock shows once more was passed before.
        if shown > latest {
            let passed = |limit: Time| {
                let days = [latest.date(), shown.date()].map(|day| day.to_datetime(limit));
                days.into_iter().filter(|limit| latest < *limit && *limit <= shown).max()
            };
            // Where both are passed in one jump, the later one holds.
            match (passed(window.from), passed(window.to)) {
                (None, None) => {}
                (opens, closes) => open = opens > closes,
            }
            latest = shown;
        }
        assert_eq!(window.is_open(now), open, "{window} at {now}, {shown}");
    }
}

#[test]
fn a_moment_is_shown_in_the_zone() {
    let shown = |text: &str, moment| window(text).shown(at(moment));
    assert_eq!(shown("18:00-10:00 Europe/Moscow", "2026-11-21T15:00:00Z"), "2026-11-21 18:00 Europe/Moscow");
    assert_eq!(shown("18:00-10:00:09 asia/kolkata", "2026-12-31T20:00:09Z"), "2027-01-01 01:30:09 Asia/Kolkata");
    assert_eq!(window("  18:00-10:00   Europe/Moscow ").to_string(), "18:00-10:00 Europe/Moscow");
}

#[test]
fn a_wrong_window_is_refused_with_what_is_wrong_and_how_to_write_it() {
    for (text, why) in [
        ("", "is not two times and a zone"),
        ("18:00-10:00", "names no zone: write it as '18:00-10:00 Europe/Moscow'"),
        ("Europe/Moscow", "has no two times with - between them"),
        ("18:00 Europe/Moscow", "has no two times with - between them"),
        ("18:00-10:00 Europe/Moscow Mon-Fri", "is not two times and a zone"),
        ("18:00 - 10:00 Europe/Moscow", "is not two times and a zone"),
        ("18:00-10:00,12:00-13:00 Europe/Moscow", "10:00,12:00-13:00 is no time from 00:00 to 23:59"),
        ("18-10 Europe/Moscow", "18 is no time from 00:00 to 23:59"),
        ("6pm-10am Europe/Moscow", "6pm is no time"),
        ("24:00-10:00 Europe/Moscow", "24:00 is no time"),
        ("18:60-10:00 Europe/Moscow", "18:60 is no time"),
        ("8:00-10:00 Europe/Moscow", "8:00 is no time"),
        ("+8:00-10:00 Europe/Moscow", "+8:00 is no time"),
        ("18:00:60-10:00 Europe/Moscow", "18:00:60 is no time"),
        ("18:00:00:00-10:00 Europe/Moscow", "18:00:00:00 is no time"),
        ("18:00-18:00 Europe/Moscow", "begins and ends at the same time"),
        ("18:00-18:00:00 Europe/Moscow", "begins and ends at the same time"),
        ("18:00-10:00 Europe/Moskow", "Europe/Moskow is none of the tz database: write a name that"),
        ("18:00-10:00 +03:00", "+03:00 is none of the tz database"),
        ("18:00-10:00 MSK", "MSK is none of the tz database"),
        ("18:00-10:00 ../../etc/passwd", "../../etc/passwd is none of the tz database"),
        ("18:00-10:00 Etc/Unknown", "Etc/Unknown is none of the tz database"),
    ] {
        let refused = Window::parse(text).expect_err(text);
        assert!(refused.starts_with(why) && refused.contains(": write"), "{text}: {refused}");
    }
}
