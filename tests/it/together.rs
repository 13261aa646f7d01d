//! Several tools at once, on one host and on two that share the tree.

use std::path::Path;
use std::thread;
use std::time::Duration;

use pipeline_tests::media::{Clip, put};
use pipeline_tests::processes::{ffmpegs, start};
use pipeline_tests::rooms::{FINALIZED, PUBLISHED_TWICE};
use pipeline_tests::{Bench, Fault, Out, assert_published, hls, listing, run, wait_for};

fn six_rooms() -> Bench {
    let bench = Bench::new();
    for n in 0..6 {
        let room = bench.recorded_of(Clip::Short, format!("room{n}"));
        bench.finalize(&room).exits(0);
    }
    bench.notion.clear_requests();
    bench
}

/// Each room was processed by one worker, and each row was changed twice: to processing and to published.
#[track_caller]
fn each_room_was_done_once(bench: &Bench, outs: &[Out]) {
    let lines: Vec<String> = outs.iter().flat_map(Out::messages).collect();
    for n in 0..6 {
        let wanted = format!("Process room=room{n} mp4=meeting.mp4");
        assert_eq!(lines.iter().filter(|line| **line == wanted).count(), 1, "{lines:#?}");
        assert_published(&bench.room(format!("room{n}")));
    }
    assert_eq!((bench.notion.pages().len(), bench.writes().len()), (6, 12));
}

#[test]
fn of_two_workers_on_one_host_the_second_leaves() {
    let bench = six_rooms();
    let first = start(&mut bench.command("jitsi-hls-worker"));
    wait_for("the first room", || bench.room("room0").join("v0.tmp").exists());
    let second = bench.worker().exits(0);
    assert_eq!(second.messages(), ["Another worker is running, exit."]);
    each_room_was_done_once(&bench, &[first.end().exits(0), second]);
}

#[test]
fn two_hosts_on_one_tree_share_the_work() {
    let mut bench = six_rooms();
    let first = start(&mut bench.command("jitsi-hls-worker"));
    wait_for("the first room", || bench.room("room0").join("v0.tmp").exists());
    bench.set("LOCK_DIR", bench.dir().join("lock of another host").to_str().unwrap());
    let second = bench.worker().exits(0);
    let busy = "Busy room=room0: another tool, or its ffmpeg, has it locked";
    assert!(second.messages().iter().any(|line| line == busy), "{}", second.stderr);
    each_room_was_done_once(&bench, &[first.end().exits(0), second]);
}

#[test]
fn eight_finalizes_of_one_directory_make_one_row() {
    let bench = Bench::new();
    let room = bench.recorded("standup");
    bench.notion.fail(Fault::delayed(Duration::from_millis(100)).forever());
    let running: Vec<_> = (0..8).map(|_| start(bench.command("jitsi-finalize").arg(&room))).collect();
    let outs: Vec<Out> = running.into_iter().map(|finalize| finalize.end().exits(0)).collect();
    let id = bench.only_row().id;
    let created = outs.iter().filter(|out| out.stderr.contains("OK: notion page created")).count();
    assert_eq!((created, bench.writes().len()), (1, 1));
    assert_eq!(std::fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{id}\n"));
    assert_eq!(listing(&room), FINALIZED);
}

/// Jicofo starts Jibri anew in the session's directory: a second MP4, while the worker is at the first.
#[test]
fn a_second_recording_of_a_directory_that_is_being_encoded_is_not_lost() {
    let bench = Bench::new();
    let room = bench.room("session");
    put(Clip::Hd, &room.join("first.mp4"));
    bench.finalize(&room).exits(0);
    let worker = start(&mut bench.command("jitsi-hls-worker"));
    wait_for("ffmpeg", || !ffmpegs(&bench.recordings()).is_empty());
    put(Clip::Other, &room.join("second.mp4"));
    let out = bench.finalize(&room);
    assert!([Some(0), Some(75)].contains(&out.code), "{out:?}");
    worker.end().exits(0);
    bench.worker().exits(0);
    both_are_published(&bench, &room);
}

#[track_caller]
fn both_are_published(bench: &Bench, room: &Path) {
    assert_eq!(listing(room), PUBLISHED_TWICE);
    let mut rows = bench.rows();
    rows.sort();
    let row = |slot: &str| (format!("https://rec.example.com/session/{slot}/master.m3u8"), "published".to_owned());
    assert_eq!(rows, [row("v0"), row("v1")]);
    for (slot, seconds) in [("v0", 10.0), ("v1", 8.0)] {
        let played = hls::play(&room.join(slot).join("master.m3u8"));
        assert!((played - seconds).abs() < 0.5, "{slot}: {played}");
    }
}

#[test]
fn finalize_and_a_worker_that_start_together() {
    let bench = Bench::new();
    bench.notion.fail(Fault::delayed(Duration::from_millis(50)).forever());
    let rooms: Vec<_> = (0..6).map(|n| bench.recorded_of(Clip::Short, format!("room{n}"))).collect();
    thread::scope(|scope| {
        for (n, room) in rooms.iter().enumerate() {
            let mut finalize = bench.command("jitsi-finalize");
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(40 * n as u64));
                run(finalize.arg(room)).exits(0);
            });
        }
        let worker = bench.worker();
        assert!([Some(0), Some(75)].contains(&worker.code), "{worker:?}");
    });
    bench.worker().exits(0);
    for room in &rooms {
        assert_published(room);
    }
    assert_eq!(bench.notion.pages().len(), 6);
}
