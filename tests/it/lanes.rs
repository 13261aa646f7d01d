//! Whose trouble it is decides what follows: a recording's own, the machine's, Notion's, or the configuration's.

use std::fs;
use std::path::PathBuf;

use pipeline_tests::media::{Clip, cut};
use pipeline_tests::processes::{path_with, real_ffmpeg};
use pipeline_tests::rooms::{FINALIZED, end_holds, state_of};
use pipeline_tests::{Bench, Column, Fault, Out, assert_published, each_at_once, listing, run};

/// Rooms that finalize could not publish, for Notion was away.
fn unpublished(bench: &mut Bench, count: usize) -> Vec<PathBuf> {
    bench.set("HLS_PROFILE", "source");
    bench.notion.fail(Fault::answer(429).retry_after("3600").forever());
    let room = |n: usize| {
        let room = bench.recorded_of(Clip::Short, format!("room{n:02}"));
        bench.finalize(&room).exits(75);
        room
    };
    let rooms = (0..count).map(room).collect();
    bench.notion.clear_requests();
    rooms
}

fn worker_with_ffmpeg(bench: &Bench, script: &str) -> Out {
    let path = path_with(bench, &["ffmpeg"], script);
    run(bench.command("jitsi-hls-worker").args(["--jobs", "1"]).env("PATH", path))
}

/// As the kernel does where there is too little memory for it.
const KILLED: &str = "#!/bin/sh\ncase \" $* \" in *' -progress '*) kill -9 $$ ;; esac\nexit 1\n";

#[test]
fn while_notion_is_away_a_recording_is_tried_ever_more_rarely_and_for_ever() {
    let mut bench = Bench::new();
    let rooms = unpublished(&mut bench, 1);
    let room = &rooms[0];
    let out = bench.worker().exits(75);
    assert!(out.stderr.contains("; the next run tries again\n"), "{}", out.stderr);
    for tries in 2..=12 {
        bench.notion.clear_requests();
        let out = bench.worker().exits(75);
        let said = format!("; try {tries}, tried again after ");
        assert!(out.stderr.contains(&said), "{}", out.stderr);
        assert_eq!((bench.requests().len(), &state_of(room)["remote"]["tries"]), (1, &tries.into()));

        bench.notion.clear_requests();
        let out = bench.worker_with(["-v"]).exits(0);
        assert!(bench.requests().is_empty(), "{:?}", bench.requests());
        let held = out.messages().into_iter().find(|line| line.starts_with("Skip room=room00 mp4=meeting.mp4: "));
        assert!(held.as_ref().is_some_and(|line| line.contains(&said)), "{}", out.stderr);
        end_holds(room);
    }
    assert_eq!(listing(room), FINALIZED[1..]);
    bench.notion.clear_faults();
    bench.worker().exits(0);
    assert_published(room);
    assert!(state_of(room)["remote"].is_null());
    bench.only_row();
}

#[test]
fn a_directory_that_is_named_waits_for_nothing() {
    let mut bench = Bench::new();
    let rooms = unpublished(&mut bench, 1);
    for _ in 0..3 {
        bench.worker();
    }
    bench.notion.clear_faults();
    assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
    bench.worker_with([&rooms[0]]).exits(0);
    assert_published(&rooms[0]);
}

#[test]
fn once_three_recordings_have_found_notion_away_the_others_of_a_run_are_not_tried() {
    let mut bench = Bench::new();
    let rooms = unpublished(&mut bench, 9);
    let out = bench.worker_with(["--jobs", "1"]).exits(75);
    assert_eq!(bench.requests().len(), 3, "{:?}", bench.requests());
    let last = "Notion is away: 6 more requests were not even tried; a later run makes up for them";
    assert!(out.messages().contains(&last.to_owned()), "{}", out.stderr);
    assert_eq!(out.messages().iter().filter(|line| line.starts_with("ERROR: ")).count(), 3, "{}", out.stderr);
    bench.notion.clear_faults();
    bench.worker().exits(0);
    for room in &rooms {
        assert_published(room);
    }
    assert_eq!(bench.notion.pages().len(), 9);
}

#[test]
fn hls_is_made_while_notion_is_away() {
    let mut bench = Bench::new();
    bench.set("HLS_PROFILE", "source");
    let rooms: Vec<_> = (0..5).map(|n| bench.finalized(format!("room{n}"))).collect();
    bench.notion.fail(Fault::answer(429).retry_after("3600").forever());
    let out = bench.worker_with(["--jobs", "1"]).exits(75);
    for room in &rooms {
        assert!(room.join("v0/master.m3u8").exists() && room.join("meeting.mp4").exists(), "{}", out.stderr);
    }
    assert_eq!(bench.requests().len(), 3, "{:?}", bench.requests());
    bench.notion.clear_faults();
    for room in &rooms {
        end_holds(room);
    }
    bench.worker().exits(0);
    for room in &rooms {
        assert_published(room);
    }
}

#[test]
fn trouble_of_the_machine_is_no_error_of_the_recording_however_often_it_comes() {
    let bench = Bench::new();
    let room = bench.finalized("standup");
    for tries in 1..=12 {
        let out = worker_with_ffmpeg(&bench, KILLED).exits(75);
        assert!(out.stderr.contains("ERROR: ffmpeg failed room=standup mp4=meeting.mp4: "), "{}", out.stderr);
        assert_eq!(state_of(&room)["host"]["tries"], tries);
        let row = bench.only_row();
        assert_eq!((row.status().unwrap(), row.text("Error")), ("processing".into(), None));
        if tries > 1 {
            let idle = bench.worker().exits(0);
            assert_eq!(idle.messages(), ["Worker run complete."], "{}", idle.stderr);
        }
        end_holds(&room);
    }
    bench.worker().exits(0);
    assert_published(&room);
    assert!(state_of(&room)["host"].is_null());
}

#[test]
fn a_recording_that_cannot_be_turned_into_hls_is_tried_as_often_as_is_wanted_and_its_row_says_why() {
    each_at_once([("once", 1), ("three times, if nothing is said", 3), ("five times", 5)], |most| {
        let mut bench = Bench::new();
        bench.notion.set_column("Error", Column::RichText);
        if most != 3 {
            bench.set("HLS_TRIES", most.to_string());
        }
        let room = bench.finalized("standup");
        let fails = "#!/bin/sh\necho 'file:../meeting.mp4: Invalid data found' >&2\nexit 183\n";
        for tries in 1..=most {
            let out = worker_with_ffmpeg(&bench, fails).exits(1);
            let next =
                if tries < most { format!("try {tries} of {most}, ") } else { format!("given up after try {most} ") };
            assert!(out.stderr.contains(&next), "{}", out.stderr);
        }
        let row = bench.only_row();
        assert_eq!(row.status().unwrap(), "error");
        let why = row.text("Error").unwrap();
        assert!(why.contains("Invalid data found"), "{why}");
        bench.notion.clear_requests();
        assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
        assert!(bench.requests().is_empty() && listing(&room) == FINALIZED);

        // What the log says is done.
        bench.worker_with([std::ffi::OsStr::new("--retry"), room.as_os_str()]).exits(0);
        assert_published(&room);
        let row = bench.only_row();
        assert_eq!((row.status().unwrap(), row.text("Error").unwrap_or_default()), ("published".into(), String::new()));
        assert!(state_of(&room)["error"].is_null() && state_of(&room)["failures"].is_null());
    });
}

#[test]
fn a_damaged_recording_has_a_row_that_says_why_from_the_start() {
    let bench = Bench::new();
    bench.notion.set_column("Error", Column::RichText);
    let room = bench.recorded("standup");
    cut(&room.join("meeting.mp4"), 0.5);
    bench.finalize(&room).exits(1);
    let row = bench.only_row();
    assert_eq!(row.status().unwrap(), "error");
    assert!(row.text("Error").unwrap().contains("index"), "{:?}", row.text("Error"));
}

#[test]
fn a_retry_begins_anew_with_all_its_tries() {
    let bench = Bench::new();
    let room = bench.finalized("standup");
    let fails = "#!/bin/sh\necho 'file:../meeting.mp4: Invalid data found' >&2\nexit 183\n";
    let path = path_with(&bench, &["ffmpeg"], fails);
    let worker = |args: &[&str]| run(bench.command("jitsi-hls-worker").args(args).env("PATH", &path)).exits(1);
    for _ in 0..3 {
        worker(&[]);
    }
    // Named, it has one more try; retried, as many as it had at first.
    assert!(worker(&[room.to_str().unwrap()]).stderr.contains("given up after try 4 "));
    assert!(worker(&["--retry", room.to_str().unwrap()]).stderr.contains("try 1 of 3, "));
    assert!(worker(&[]).stderr.contains("try 2 of 3, "));
}

#[test]
fn a_retry_never_lets_the_mp4_of_a_damaged_recording_go() {
    let mut bench = Bench::new();
    bench.set("HLS_ACCEPT_DAMAGED", "yes");
    let room = bench.recorded_of(Clip::FastStart, "standup");
    cut(&room.join("meeting.mp4"), 0.6);
    bench.finalize(&room);
    bench.worker();
    bench.worker();
    assert!(bench.only_row().title().ends_with("(damaged)"), "{:?}", bench.only_row());
    for _ in 0..2 {
        bench.worker_with([std::ffi::OsStr::new("--retry"), room.as_os_str()]).exits(0);
        assert!(room.join("meeting.mp4").exists() && room.join("v0/master.m3u8").exists());
        assert!(bench.only_row().title().ends_with("(damaged)"));
    }
}

#[test]
fn a_retry_wants_to_know_of_what() {
    let out = Bench::new().worker_with(["--retry"]).exits(2);
    assert!(out.stderr.contains("<DIR>"), "{}", out.stderr);
}

#[test]
fn an_ffmpeg_without_the_encoder_stops_the_run_with_one_message_and_marks_nothing() {
    let bench = Bench::new();
    let rooms: Vec<_> = (0..6).map(|n| bench.finalized(format!("room{n}"))).collect();
    let before: Vec<_> = rooms.iter().map(|room| state_of(room)["failures"].clone()).collect();
    let lacks = format!(
        "#!/bin/bash\ncase \" $* \" in *' -progress '*) exec '{}' \"${{@/libx264/libx26x}}\" ;; *) exit 1 ;; esac\n",
        real_ffmpeg()
    );
    let out = worker_with_ffmpeg(&bench, &lacks).exits(1);
    let errors: Vec<_> = out.messages().into_iter().filter(|line| line.starts_with("ERROR: ")).collect();
    assert_eq!(errors.len(), 2, "{}", out.stderr);
    assert!(
        errors[0].starts_with("ERROR: this ffmpeg cannot do it: ") && errors[0].contains("Unknown encoder 'libx26x'")
    );
    assert!(errors[1].starts_with("ERROR: stopped: "), "{}", errors[1]);
    assert!(bench.rows().iter().all(|(_, status)| status != "error"), "{:?}", bench.rows());
    let after: Vec<_> = rooms.iter().map(|room| state_of(room)["failures"].clone()).collect();
    assert_eq!(before, after);
    assert!(rooms.iter().all(|room| listing(room) == FINALIZED));
    bench.worker().exits(0);
    for room in &rooms {
        assert_published(room);
    }
}

#[test]
fn a_column_error_of_a_team_is_neither_written_nor_emptied() {
    let bench = Bench::new();
    bench.notion.set_column("Error", Column::Select(vec![]));
    let room = bench.finalized("standup");
    let out = worker_with_ffmpeg(&bench, "#!/bin/sh\necho 'no' >&2\nexit 1\n").exits(1);
    assert!(!out.stderr.contains("WARNING"), "{}", out.stderr);
    bench.worker().exits(0);
    assert_published(&room);
    let sent = bench.writes().iter().map(|write| write.body.as_ref().unwrap().to_string()).collect::<String>();
    assert!(!sent.contains("\"Error\""), "{sent}");
    fs::metadata(room.join("v0")).unwrap();
}

#[test]
fn a_retry_forgets_what_is_over_where_nothing_is_left_to_do() {
    let bench = Bench::new();
    let room = bench.finalized("standup");
    bench.worker().exits(0);
    let state = fs::read_to_string(room.join(".recording.json")).unwrap();
    // As an earlier version has left it.
    let gone = state.replacen("\"slot\": 0,", "\"slot\": 0, \"row_gone\": true, \"error\": \"its row was gone\",", 1);
    assert_ne!(gone, state);
    fs::write(room.join(".recording.json"), gone).unwrap();
    let out = bench.worker_with([std::ffi::OsStr::new("--retry"), room.as_os_str()]).exits(0);
    assert!(out.stderr.contains("Retry room=standup: what went wrong before is forgotten"), "{}", out.stderr);
    let known = state_of(&room);
    assert!(known["row_gone"].is_null() && known["error"].is_null(), "{known}");
    assert_published(&room);
}
