use super::*;
use rec_core::hold::Hold;
use rec_core::link::Link;
use rec_core::notion::{PageId, Status};
use rec_core::plan::Retry;
use rec_core::recording::{Fingerprint, Mp4};
use rec_core::state::{Hls, Row};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
const PUBLISHED: Row = Row::published(Link::Playlist);

type Edit = fn(&mut Recording);

fn mp4() -> Mp4 {
    Mp4 { name: "a.mp4".into(), print: Fingerprint { size: 1, mtime: datetime!(2026-01-01 10:00 UTC) } }
}

/// What it is: with its MP4, with its HLS.
fn of(edit: Edit, here: bool, there: bool) -> Condition {
    let mp4 = mp4();
    let mut recording = Recording::new(0, Some(&mp4));
    recording.page_id = PageId::parse("38c9ce7b-60a4-8158-aa2a-d4923e46fb5b");
    recording.row = Some(Row::mp4(Status::Recorded));
    edit(&mut recording);
    let facts = Facts {
        mp4: here.then_some(&mp4),
        hls_dir: there,
        master: there,
        retry: Retry::Nothing,
        link: Link::Playlist,
        now: NOW,
    };
    Condition::of(&recording, &facts, false)
}

fn hold(minutes: i64) -> Hold {
    Hold { tries: 2, since: NOW, until: NOW + Duration::minutes(minutes), why: "away".into() }
}

#[test]
fn the_state_of_a_recording() {
    let none: Edit = |_| ();
    let no_row: Edit = |r| (r.page_id, r.row) = (None, None);
    let made: Edit = |r| r.hls = Some(Hls { of: Some(mp4().print) });
    let published: Edit = |r| (r.hls, r.row) = (Some(Hls { of: Some(mp4().print) }), Some(PUBLISHED));
    let salvaged: Edit = |r| {
        (r.hls, r.row) = (Some(Hls { of: Some(mp4().print) }), Some(PUBLISHED));
        r.damage = Some("cut".into());
    };
    let given_up: Edit = |r| r.given_up = true;
    let broken: Edit = |r| (r.hls, r.row, r.given_up) = (Some(Hls { of: None }), Some(PUBLISHED), true);
    // (what it is, its state, MP4 here, HLS there) -> its word
    let cases: [(&str, Edit, bool, bool, Condition); 21] = [
        ("finalize did not get a row", no_row, true, false, Condition::New),
        ("finalized", none, true, false, Condition::Recorded),
        ("HLS of unknown origin beside it", none, true, true, Condition::Recorded),
        ("HLS made, row silent", made, true, true, Condition::Made),
        ("HLS made, row silent, MP4 gone", made, false, true, Condition::Made),
        ("left by the scripts, MP4 gone", none, false, true, Condition::Made),
        ("published, MP4 not removed yet", published, true, true, Condition::Published),
        ("published", published, false, true, Condition::Published),
        ("published, HLS gone, MP4 put back", published, true, false, Condition::Recorded),
        ("published, HLS gone", published, false, false, Condition::Lost),
        ("published as far as decodable", salvaged, true, true, Condition::Damaged),
        ("the same, MP4 gone", salvaged, false, true, Condition::Published),
        ("given up", given_up, true, false, Condition::Error),
        ("given up, files gone", given_up, false, false, Condition::Lost),
        ("published, HLS broken, MP4 gone", broken, false, true, Condition::Error),
        ("row deleted", |r| r.row_gone = true, true, false, Condition::Gone),
        ("row deleted, and given up", |r| (r.row_gone, r.given_up) = (true, true), true, false, Condition::Gone),
        ("row deleted, files gone", |r| r.row_gone = true, false, false, Condition::Lost),
        ("MP4 gone before anything was made", none, false, false, Condition::Lost),
        ("no row, MP4 gone", no_row, false, false, Condition::Lost),
        ("no row, HLS there, MP4 gone", no_row, false, true, Condition::Made),
    ];
    for (name, edit, here, there, wanted) in cases {
        assert_eq!(of(edit, here, there), wanted, "{name}");
    }
}

#[test]
fn a_hold_makes_that_wait_which_it_holds() {
    // (what it is, its state, HLS there) -> held by Notion, by the machine, by one whose time has come
    let cases: [(&str, Edit, bool, [Condition; 3]); 3] = [
        (
            "without a row",
            |r| (r.page_id, r.row) = (None, None),
            false,
            [Condition::Waiting, Condition::New, Condition::New],
        ),
        ("to be encoded", |_| (), false, [Condition::Recorded, Condition::Waiting, Condition::Recorded]),
        (
            "to be published",
            |r| r.hls = Some(Hls { of: Some(mp4().print) }),
            true,
            [Condition::Waiting, Condition::Waiting, Condition::Made],
        ),
    ];
    for (name, edit, there, wanted) in cases {
        let held = |by: fn(&mut Recording)| {
            let mp4 = mp4();
            let mut recording = Recording::new(0, Some(&mp4));
            recording.page_id = PageId::parse("38c9ce7b-60a4-8158-aa2a-d4923e46fb5b");
            edit(&mut recording);
            by(&mut recording);
            let (retry, link) = (Retry::Nothing, Link::Playlist);
            let facts = Facts { mp4: Some(&mp4), hls_dir: there, master: there, retry, link, now: NOW };
            Condition::of(&recording, &facts, false)
        };
        let is = [
            held(|r| r.remote = Some(hold(5))),
            held(|r| r.host = Some(hold(5))),
            held(|r| (r.host, r.remote) = (Some(hold(0)), Some(hold(0)))),
        ];
        assert_eq!(is, wanted, "{name}");
    }
}

#[test]
fn what_is_being_built_is_processing_whatever_else_is_known_of_it() {
    let mp4 = mp4();
    let mut recording = Recording::new(0, Some(&mp4));
    (recording.given_up, recording.host) = (true, Some(hold(5)));
    let (retry, link) = (Retry::Nothing, Link::Playlist);
    let facts = Facts { mp4: Some(&mp4), hls_dir: false, master: false, retry, link, now: NOW };
    assert_eq!(Condition::of(&recording, &facts, true), Condition::Processing);
}

#[test]
fn every_state_has_a_name_that_leads_back_to_it() {
    for condition in Condition::ALL {
        assert_eq!(condition.as_str().parse(), Ok(condition));
    }
    assert!("".parse::<Condition>().is_err());
}
