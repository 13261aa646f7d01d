//! The window: what the worker does outside of it, and with an encode for which it closes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use pipeline_tests::media::Clip;
use pipeline_tests::processes::{
    Running, alive, argv, children, ffmpegs, is_frozen, path_with, real_ffmpeg, signal, start, unhurried_ffmpeg,
    wait_until_unlocked,
};
use pipeline_tests::rooms::FINALIZED;
use pipeline_tests::{Bench, assert_published, files_below, listing, run, wait_for};

/// The time of day so many seconds from now, in UTC.
fn clock(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let then = now.checked_add_signed(seconds).unwrap() % 86_400;
    format!("{:02}:{:02}:{:02}", then / 3600, then / 60 % 60, then % 60)
}

/// A window between two moments, so many seconds from now.
pub(crate) fn window(from: i64, to: i64) -> String {
    format!("{}-{} Etc/UTC", clock(from), clock(to))
}

/// Out of hours, for another hour.
pub(crate) fn closed() -> String {
    window(3600, 7200)
}

/// Has the bench's window close in some seconds, and open again after some more. An encode begins before that, and takes
/// longer: eight seconds with [`unhurried_ffmpeg`].
fn close(bench: &mut Bench, seconds: i64, again: i64, closes: &str) {
    bench.set("HLS_JOBS", "1");
    bench.set("HLS_WINDOW_CLOSES", closes);
    bench.set("HLS_WINDOW", window(again, seconds));
}

/// A bench with a finalized room, and such a window.
fn closing(seconds: i64, again: i64, closes: &str) -> (Bench, PathBuf) {
    let mut bench = Bench::new();
    let room = bench.finalized("standup");
    close(&mut bench, seconds, again, closes);
    (bench, room)
}

/// A worker in the middle of an encode that takes longer than the window is open, and its ffmpeg.
#[track_caller]
fn in_mid_encode(bench: &Bench) -> (Running, u32) {
    let worker = start(bench.command("jitsi-hls-worker").env("PATH", unhurried_ffmpeg(bench)));
    let ffmpeg = worker.child("ffmpeg");
    (worker, ffmpeg)
}

/// The guard of a worker's frozen ffmpeg.
fn guard(worker: &Running) -> Option<u32> {
    children(worker.pid()).into_iter().find(|child| argv(*child).contains(&"guard-of-a-frozen-ffmpeg".to_owned()))
}

/// Whether a line begins and ends so.
#[track_caller]
fn assert_said(lines: &[String], begin: &str, end: &str) {
    assert!(lines.iter().any(|line| line.starts_with(begin) && line.ends_with(end)), "{begin} … {end}: {lines:#?}");
}

/// What is in a room, but for what a later encode may go on from.
fn without_begun(room: &Path) -> Vec<OsString> {
    listing(room).into_iter().filter(|name| name != "v0.tmp").collect()
}

/// That a recording is as it was before the encode, and that the next run without a window publishes it.
fn assert_tried_again(mut bench: Bench, room: &Path) {
    assert_eq!(without_begun(room), FINALIZED);
    let state = fs::read_to_string(room.join(".recording.json")).unwrap();
    assert!(!state.contains("failures") && !state.contains("interruptions"), "{state}");
    assert_eq!(ffmpegs(&bench.recordings()), [0; 0]);
    bench.unset("HLS_WINDOW");
    bench.worker().exits(0);
    assert_published(room);
}

#[test]
fn out_of_hours_nothing_is_done_said_or_asked() {
    let mut bench = Bench::new();
    let room = bench.finalized("standup");
    bench.set("HLS_WINDOW", closed());
    let files =
        || files_below(bench.dir()).into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect::<Vec<_>>();
    let before = files();
    assert_eq!(bench.worker().exits(0).stderr, "");
    let told = bench.worker_with(["-v"]).exits(0).messages();
    assert_eq!(told.len(), 1, "{told:?}");
    let hours = closed_text(&bench);
    assert_said(&told, &format!("Nothing is done: the window {hours} is closed until 20"), " Etc/UTC");
    assert!(told[0].contains(&format!(" {}", hours.split('-').next().unwrap())), "{told:?}");
    assert!(files() == before && bench.requests().is_empty(), "{:?}", bench.requests());
    // Within the hours the same run publishes.
    bench.set("HLS_WINDOW", window(-3600, 3600));
    bench.worker().exits(0);
    assert_published(&room);
}

/// The window of the bench's env file.
fn closed_text(bench: &Bench) -> String {
    let env = fs::read_to_string(bench.env_file()).unwrap();
    env.lines().find_map(|line| line.strip_prefix("HLS_WINDOW=")).unwrap().trim_matches('"').to_owned()
}

#[test]
fn a_room_that_somebody_names_is_worked_on_at_any_hour() {
    let mut bench = Bench::new();
    let room = bench.finalized("standup");
    bench.set("HLS_WINDOW", closed());
    // Not even stopped by it: this hour is the person's.
    bench.set("HLS_WINDOW_CLOSES", "stop");
    bench.worker_with([&room]).exits(0);
    assert_published(&room);
}

#[test]
fn a_dry_run_out_of_hours_says_so_and_shows_what_it_would_do() {
    let mut bench = Bench::new();
    let room = bench.finalized("standup");
    bench.set("HLS_WINDOW", closed());
    let told = bench.worker_with(["-n"]).exits(0).messages();
    assert!(told[0].starts_with("Would wait: the window "), "{told:?}");
    assert!(told.contains(&"Would make its HLS room=standup mp4=meeting.mp4".to_owned()), "{told:?}");
    assert_eq!(listing(&room), FINALIZED);
}

#[test]
fn when_the_window_closes_an_encode_is_finished_and_no_other_begins() {
    let mut bench = Bench::new();
    let (room, other) = (bench.finalized("standup"), bench.finalized("weekly"));
    close(&mut bench, 6, 3600, "finish");
    let (worker, _) = in_mid_encode(&bench);
    let told = worker.end().exits(0).messages();
    assert_published(&room);
    assert_eq!(bench.rows()[0].1, "published");
    assert_eq!(listing(&other), FINALIZED);
    let hours = closed_text(&bench);
    assert_said(&told, &format!("No more rooms begin: the window {hours} is closed until 20"), " Etc/UTC");
    assert!(!told.iter().any(|line| line.contains("weekly")), "{told:?}");
}

#[test]
fn when_the_window_closes_an_encode_is_frozen_and_goes_on_when_it_opens() {
    let (bench, room) = closing(6, 13, "freeze");
    let (worker, ffmpeg) = in_mid_encode(&bench);
    wait_for("a frozen ffmpeg", || is_frozen(ffmpeg));
    let guard = guard(&worker).unwrap();
    let told = worker.end().exits(0).messages();
    assert_published(&room);
    let encode = "Encode room=standup file=meeting.mp4:";
    let hours = closed_text(&bench);
    assert_said(&told, &format!("{encode} frozen, the window {hours} is closed until 20"), " Etc/UTC");
    assert_said(&told, &format!("{encode} goes on, the window is open"), "");
    assert!(!alive(guard) && !alive(ffmpeg));
}

#[test]
fn who_names_a_room_while_a_worker_is_frozen_is_told_so() {
    let mut bench = Bench::new();
    let room = bench.finalized("standup");
    bench.set("HLS_WINDOW", closed());
    let lock = bench.dir().join("lock/hls-worker.lock");
    fs::create_dir(bench.dir().join("lock")).unwrap();
    let held = fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let another = "Another worker is running, exit.";
    for closes in ["finish", "stop"] {
        bench.set("HLS_WINDOW_CLOSES", closes);
        assert_eq!(bench.worker_with([&room]).exits(0).messages(), [another]);
    }
    bench.set("HLS_WINDOW_CLOSES", "freeze");
    let told = bench.worker_with([&room]).exits(0).messages();
    assert_eq!((told.len(), told[0].as_str()), (2, another));
    let remedy = format!("; end it with SIGTERM (fuser {} shows its number), and run this again", lock.display());
    assert_said(&told, &format!("It may be frozen: the window {} is closed until ", closed_text(&bench)), &remedy);
}

#[test]
fn when_the_window_opens_again_no_core_is_left_idle() {
    let mut bench = Bench::with_pictures();
    let long = bench.finalized("a-long");
    let short = ["b-short", "c-short"].map(|name| bench.recorded_of(Clip::Short, name));
    for room in &short {
        bench.finalize(room).exits(0);
    }
    close(&mut bench, 6, 16, "freeze");
    // The first short one has been encoded when the window closes, and ends before it opens. The long one takes its time.
    let script = format!(
        "[[ $* = *jpg* ]] && sleep 8; [[ $PWD = */a-long/* ]] && re=-re\nexec -a ffmpeg '{}' $re",
        real_ffmpeg()
    );
    let path = path_with(&bench, &["ffmpeg"], &format!("#!/bin/bash\n{script} \"$@\"\n"));
    let told = run(bench.command("jitsi-hls-worker").args(["--jobs", "2"]).env("PATH", path)).exits(0).messages();
    assert_said(&told, "Encode room=a-long file=meeting.mp4: goes on", "");
    let at = |line: &str| told.iter().position(|told| told == line).unwrap_or_else(|| panic!("{line}: {told:#?}"));
    let begun = at("Process room=c-short mp4=meeting.mp4");
    assert!(begun < at("Notion updated to HLS. Deleting mp4 room=a-long"), "{told:#?}");
    for room in [&long, &short[0], &short[1]] {
        assert_published(room);
    }
}

#[test]
fn when_the_window_closes_an_encode_is_stopped_and_tried_again_later() {
    let mut bench = Bench::new();
    let (room, other) = (bench.finalized("standup"), bench.finalized("weekly"));
    close(&mut bench, 6, 3600, "stop");
    let (worker, ffmpeg) = in_mid_encode(&bench);
    let told = worker.end().exits(0).messages();
    assert!(!alive(ffmpeg));
    let hours = closed_text(&bench);
    let stopped = format!("Stopped room=standup mp4=meeting.mp4: the window {hours} is closed until ");
    assert_said(&told, &stopped, " Etc/UTC; a later run makes its HLS");
    assert_said(&told, "No more rooms begin: the window ", " Etc/UTC");
    assert_eq!(listing(&other), FINALIZED);
    assert_eq!(bench.rows()[0].1, "processing");
    assert_tried_again(bench, &room);
}

#[test]
fn of_a_room_with_two_recordings_the_second_does_not_begin_after_the_window_has_closed() {
    let mut bench = Bench::new();
    let room = bench.finalized("standup");
    fs::copy(room.join("meeting.mp4"), room.join("second.mp4")).unwrap();
    bench.finalize(&room).exits(0);
    close(&mut bench, 6, 3600, "stop");
    let (worker, _) = in_mid_encode(&bench);
    let told = worker.end().exits(0).messages();
    assert_said(&told, "Later room=standup mp4=", " Etc/UTC");
    assert_eq!(told.iter().filter(|line| line.starts_with("Process ")).count(), 1, "{told:?}");
}

#[test]
fn a_worker_that_is_stopped_takes_its_frozen_ffmpeg_with_it() {
    let (bench, room) = closing(6, 3600, "freeze");
    let (worker, ffmpeg) = in_mid_encode(&bench);
    wait_for("a frozen ffmpeg", || is_frozen(ffmpeg));
    let guard = guard(&worker).unwrap();
    worker.signal("TERM");
    worker.end().exits(75);
    assert!(!alive(ffmpeg) && !alive(guard));
    assert_tried_again(bench, &room);
}

#[test]
fn a_worker_that_is_killed_leaves_no_frozen_ffmpeg_behind() {
    let (mut bench, room) = closing(6, 3600, "freeze");
    let (worker, ffmpeg) = in_mid_encode(&bench);
    wait_for("a frozen ffmpeg", || is_frozen(ffmpeg));
    let guard = guard(&worker).unwrap();
    worker.signal("KILL");
    worker.end();
    wait_for("the end of ffmpeg and its guard", || !alive(ffmpeg) && !alive(guard));
    wait_until_unlocked(&room);
    bench.unset("HLS_WINDOW");
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn a_frozen_ffmpeg_that_somebody_kills_is_an_interruption() {
    let (bench, room) = closing(6, 3600, "freeze");
    let (worker, ffmpeg) = in_mid_encode(&bench);
    wait_for("a frozen ffmpeg", || is_frozen(ffmpeg));
    signal(ffmpeg, "KILL");
    let told = worker.end().exits(75).messages();
    assert_said(
        &told,
        "ERROR: ffmpeg failed room=standup mp4=meeting.mp4: signal: 9 (SIGKILL)",
        "the next run tries again",
    );
    assert_eq!(without_begun(&room), FINALIZED);
}

#[test]
fn a_wrong_window_is_refused_before_anything_is_done() {
    let mut bench = Bench::new();
    let room = bench.finalized("standup");
    for (value, why) in [
        ("18:00-10:00", "names no zone: write it as '18:00-10:00 Europe/Moscow'"),
        ("10-18 Europe/Moscow", "10 is no time from 00:00 to 23:59: write it as '18:00-10:00 Europe/Moscow'"),
        (
            "10:00-10:00 Europe/Moscow",
            "begins and ends at the same time: write two that differ, or leave HLS_WINDOW out for all hours",
        ),
        (
            "18:00-10:00 Europe/Moskow",
            "Europe/Moskow is none of the tz database: write a name that `timedatectl list-timezones` prints",
        ),
    ] {
        bench.set("HLS_WINDOW", value);
        let env = bench.env_file();
        for args in [vec![], vec!["-n".into()], vec![room.clone().into_os_string()]] {
            let out = bench.worker_with(args).exits(1);
            assert_eq!(out.stderr, format!("{}: HLS_WINDOW: {why}\n", env.display()));
        }
    }
    assert!(bench.requests().is_empty() && listing(&room) == FINALIZED);
    assert!(!bench.dir().join("lock").exists());
}

#[test]
fn a_host_without_a_tz_database_uses_the_bundled_one() {
    let mut bench = Bench::new();
    let empty = bench.room("../no zones");
    // An old name too, which Debian keeps in another package.
    for zone in ["Asia/Kolkata", "US/Eastern"] {
        bench.set("HLS_WINDOW", format!("00:00-00:00:01 {zone}"));
        let with = |command: &mut Command| run(command.arg("-v").env("TZDIR", &empty)).exits(0).messages();
        let told = with(&mut bench.command("jitsi-hls-worker"));
        assert_said(&told, "Nothing is done: the window 00:00-00:00:01 ", &format!(" 00:00 {zone}"));
    }
}
