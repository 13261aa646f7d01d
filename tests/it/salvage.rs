//! With `HLS_ACCEPT_DAMAGED` a damaged recording is published as far as it can be decoded, and its MP4 stays.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline_tests::media::{Clip, cut, put, zero_middle};
use pipeline_tests::processes::path_with;
use pipeline_tests::rooms::end_holds;
use pipeline_tests::{Bench, hls, run};

fn damaged(clip: Clip, harm: impl FnOnce(&Path)) -> (Bench, PathBuf) {
    let mut bench = Bench::new();
    bench.set("HLS_ACCEPT_DAMAGED", "yes");
    let room = bench.room("standup");
    put(clip, &room.join("meeting.mp4"));
    harm(&room.join("meeting.mp4"));
    (bench, room)
}

/// Asserts that the HLS is there and plays so long, that the row points at it and says what it is, and that the MP4 stays
/// whatever runs after that.
#[track_caller]
fn assert_salvaged(bench: &Bench, room: &Path, seconds: std::ops::Range<f64>) {
    let before = fs::read(room.join("meeting.mp4")).unwrap();
    let listed = hls::seconds(&room.join("v0"));
    assert!(seconds.contains(&listed), "{listed}");
    let row = bench.only_row();
    assert_eq!(row.url().unwrap(), "https://rec.example.com/standup/v0/master.m3u8");
    assert_eq!((row.status().as_deref(), row.title().as_str()), (Some("published"), "[Jitsi] standup (damaged)"));
    bench.notion.clear_requests();
    for _ in 0..2 {
        assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
    }
    bench.worker_with([room]).exits(0);
    assert_eq!(bench.requests(), [] as [&str; 0]);
    assert!(fs::read(room.join("meeting.mp4")).unwrap() == before, "the MP4 is as it was");
}

#[test]
fn a_recording_that_was_cut_is_published_as_far_as_it_goes() {
    let (bench, room) = damaged(Clip::FastStart, |mp4| cut(mp4, 0.5));
    // Its row says error at first: finalize does not decode.
    bench.finalize(&room);
    assert_eq!(bench.only_row().status().as_deref(), Some("error"));
    let out = bench.worker().exits(0);
    let kept = "Notion updated to HLS. Damaged mp4 kept room=standup: ";
    assert!(out.messages().iter().any(|line| line.starts_with(kept)), "{}", out.stderr);
    assert_salvaged(&bench, &room, 2.0..6.0);
}

#[test]
fn a_recording_with_a_hole_in_the_middle_is_published() {
    let (bench, room) = damaged(Clip::Jibri, zero_middle);
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert_salvaged(&bench, &room, 2.0..9.0);
}

#[test]
fn a_recording_without_an_index_cannot_be_salvaged_and_is_left_alone() {
    let (bench, room) = damaged(Clip::Jibri, |mp4| cut(mp4, 0.5));
    bench.finalize(&room);
    bench.worker();
    bench.notion.clear_requests();
    assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
    assert_eq!(bench.only_row().status().as_deref(), Some("error"));
    assert!(room.join("meeting.mp4").exists() && !room.join("v0").exists());
    assert!(bench.requests().is_empty());
}

#[test]
fn what_was_given_up_before_is_salvaged_once_that_is_allowed() {
    let (mut bench, room) = damaged(Clip::Jibri, zero_middle);
    bench.unset("HLS_ACCEPT_DAMAGED");
    bench.finalize(&room).exits(0);
    for _ in 0..3 {
        bench.worker().exits(1);
    }
    assert_eq!(bench.only_row().status().as_deref(), Some("error"));
    bench.set("HLS_ACCEPT_DAMAGED", "yes");
    bench.worker().exits(0);
    assert_salvaged(&bench, &room, 2.0..9.0);
}

#[test]
fn what_was_given_up_and_whose_ffmpeg_is_killed_each_time_is_tried_ever_more_rarely() {
    let (mut bench, room) = damaged(Clip::Jibri, zero_middle);
    bench.unset("HLS_ACCEPT_DAMAGED");
    bench.finalize(&room).exits(0);
    for _ in 0..3 {
        bench.worker().exits(1);
    }
    bench.set("HLS_ACCEPT_DAMAGED", "yes");
    // As the kernel does where there is too little memory for it.
    let path = path_with(&bench, &["ffmpeg"], "#!/bin/sh\nkill -9 $$\n");
    for _ in 0..2 {
        run(bench.command("jitsi-hls-worker").env("PATH", &path)).exits(75);
    }
    assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
    assert!(room.join("meeting.mp4").exists());
    end_holds(&room);
    bench.worker().exits(0);
    assert_salvaged(&bench, &room, 2.0..9.0);
}

#[test]
fn a_whole_recording_is_not_called_damaged() {
    let (bench, room) = damaged(Clip::Jibri, |_| ());
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert_eq!(bench.only_row().title(), "[Jitsi] standup");
    assert!(!room.join("meeting.mp4").exists());
}
