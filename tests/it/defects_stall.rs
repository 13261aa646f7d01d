//! The scripts' defect B, runs that hang or skip: gone.

use std::fs;
use std::time::{Duration, Instant};

use pipeline_tests::media::{self, Clip};
use pipeline_tests::processes::{alive, ffmpegs, signal, start, wait_until_unlocked, worker_in_mid_encode};
use pipeline_tests::rooms::FINALIZED;
use pipeline_tests::{Bench, Fault, assert_published, each_at_once, listing, run, wait_for};

#[test]
fn ffmpeg_takes_no_command_from_names_or_from_stdin_and_no_room_is_skipped() {
    let mut bench = Bench::new();
    // Under the scripts ffmpeg read the list of rooms: q quits, c and d wait for a command for ever.
    let root = bench.dir().join("q c d");
    fs::create_dir(&root).unwrap();
    bench.set("RECORDINGS_ROOT", root.to_str().unwrap());
    let rooms = ["q", "c", "d"].map(|name| root.join(name));
    for room in &rooms {
        fs::create_dir(room).unwrap();
        media::put(Clip::Short, &room.join("meeting.mp4"));
        bench.finalize(room).exits(0);
    }
    let stdin = bench.dir().join("stdin");
    fs::write(&stdin, "qcd?+-".repeat(100)).unwrap();
    let out = run(bench.command("jitsi-hls-worker").stdin(fs::File::open(stdin).unwrap())).exits(0);
    assert_eq!(out.messages().iter().filter(|line| line.starts_with("Notion updated to HLS. ")).count(), 3);
    for room in &rooms {
        assert_published(room);
    }
}

#[test]
fn one_signal_ends_a_worker_in_mid_encode_and_the_room_is_as_before() {
    for name in ["TERM", "INT"] {
        let bench = Bench::new();
        let room = bench.finalized("daily-standup");
        let (worker, ffmpeg) = worker_in_mid_encode(&bench, &room);
        let asked = Instant::now();
        worker.signal(name);
        let out = worker.end().exits(75);
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        let lines = [
            "Process room=daily-standup mp4=meeting.mp4",
            "Stopped room=daily-standup mp4=meeting.mp4: the next run goes on with it",
            "Stopped by a signal; the next run goes on.",
        ];
        assert_eq!(out.messages(), lines, "{name}");
        assert!(!alive(ffmpeg));
        assert_eq!(ffmpegs(&bench.recordings()), [0; 0]);
        assert_eq!(listing(&room), FINALIZED);
        bench.worker().exits(0);
        assert_published(&room);
        assert_eq!(bench.only_row().status().unwrap(), "published");
    }
}

#[test]
fn a_silent_notion_holds_finalize_for_less_than_30_s_and_the_recording_is_not_forgotten() {
    let mut bench = Bench::new();
    bench.set("NOTION_SETTLE_SECONDS", "3");
    let room = bench.recorded("daily-standup");
    bench.notion.fail(Fault::silent().forever());
    let out = bench.finalize(&room).exits(75);
    assert!(out.took < Duration::from_secs(30), "{:?}", out.took);
    let messages = out.messages();
    let message = messages.last().unwrap();
    let end = format!("room=daily-standup file=meeting.mp4 is remembered in {}/.recording.json", room.display());
    assert!(message.starts_with("ERROR: Notion create page failed: ") && message.ends_with(&end), "{message}");
    assert!(message.contains("silence for"), "{message}");
    bench.notion.clear_faults();
    bench.worker().exits(0);
    assert_published(&room);
    assert_eq!(bench.only_row().status().unwrap(), "published");
}

#[test]
fn a_worker_whom_notion_does_not_answer_still_ends_at_a_signal() {
    // What Notion is silent to, and whether the recording has a row already.
    let cases = [
        ("all", (Fault::silent().forever(), true)),
        ("all, and the recording has no row", (Fault::silent().forever(), false)),
        ("updates", (Fault::silent().on("PATCH", "").forever(), true)),
    ];
    each_at_once(cases, |(fault, has_row)| {
        let bench = Bench::new();
        let room = bench.recorded("daily-standup");
        if !has_row {
            bench.notion.fail(Fault::answer(503).on("GET", "").times(5));
        }
        bench.finalize(&room).exits(if has_row { 0 } else { 75 });
        bench.notion.clear_requests();
        let updates_only = format!("{fault:?}").contains("PATCH");
        bench.notion.fail(fault);
        let worker = start(&mut bench.command("jitsi-hls-worker"));
        wait_for(
            "the request",
            || if updates_only { !bench.writes().is_empty() } else { !bench.requests().is_empty() },
        );
        let asked = Instant::now();
        worker.signal("TERM");
        worker.end().exits(75);
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert!(room.join("meeting.mp4").exists());
        bench.notion.clear_faults();
        bench.worker().exits(0);
        bench.only_row();
        assert_published(&room);
    });
}

#[test]
fn an_ffmpeg_that_outlives_a_killed_worker_keeps_its_room_and_no_other() {
    let bench = Bench::new();
    let orphaned = bench.finalized("a");
    let other = bench.finalized("b");
    let (worker, ffmpeg) = worker_in_mid_encode(&bench, &orphaned);
    worker.signal("KILL");
    drop(worker);
    // So that it lives for as long as this test needs it. Not earlier: the kernel hangs up on those that are stopped when they
    // are orphaned.
    signal(ffmpeg, "STOP");
    assert!(alive(ffmpeg));
    let busy = "Busy room=a: another tool, or its ffmpeg, has it locked";
    let messages = bench.worker().exits(0).messages();
    assert!(messages.iter().any(|line| line == busy), "{messages:?}");
    assert_published(&other);
    assert!(orphaned.join("meeting.mp4").exists() && orphaned.join("v0.tmp").exists());
    assert_eq!(ffmpegs(&bench.recordings()), [ffmpeg]);
    signal(ffmpeg, "KILL");
    wait_until_unlocked(&orphaned);
    bench.worker().exits(0);
    assert_published(&orphaned);
    assert_eq!(bench.notion.pages().len(), 2);
}
