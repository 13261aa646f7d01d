//! Several tools at once, on one host and on two that share the tree.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use pipeline_tests::death::{assert_same_end, on_every_core, settle};
use pipeline_tests::media::{Clip, age, put};
use pipeline_tests::processes::{Running, ffmpegs, noted_ffmpeg, start};
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

/// A tree in which HLS costs little.
fn cheap() -> Bench {
    let mut bench = Bench::new();
    bench.set("HLS_PROFILE", "source");
    bench
}

/// A worker of one of several hosts, each of which has its own `LOCK_DIR` and the tree in common.
fn worker_of(bench: &Bench, host: usize, path: &str) -> Running {
    let locks = bench.dir().join(format!("lock of host {host}")).display().to_string();
    start(bench.command_with("jitsi-hls-worker", &format!("host {host}"), [("LOCK_DIR", locks)]).env("PATH", path))
}

/// Asserts that in each room one encode has begun, and has ended before another began.
#[track_caller]
fn assert_encoded_once(notes: &Path, rooms: usize) {
    let notes = fs::read_to_string(notes).unwrap();
    let of = |what: &str| {
        let mut rooms: Vec<_> = notes.lines().filter_map(|line| line.strip_prefix(what)).collect();
        rooms.sort_unstable();
        rooms
    };
    let (begun, ended) = (of("begins "), of("ends "));
    let mut once = begun.clone();
    once.dedup();
    assert_eq!((begun.len(), once.len()), (rooms, rooms), "{begun:?}");
    assert_eq!(begun, ended);
}

#[test]
fn twenty_finalizes_and_five_workers_of_three_hosts_on_thirty_recordings_publish_each_once() {
    let bench = cheap();
    let (path, notes) = noted_ffmpeg(&bench);
    let rooms: Vec<_> = (0..30).map(|n| bench.recorded_of(Clip::Moment, format!("room{n:02}"))).collect();
    let (early, late) = rooms.split_at(10);
    for room in early {
        bench.finalize(room).exits(0);
    }
    let finalizes = late.iter().map(|room| start(bench.command("jitsi-finalize").arg(room)));
    let running: Vec<_> = finalizes.chain([0, 1, 2, 0, 1].map(|host| worker_of(&bench, host, &path))).collect();
    for tool in running {
        let out = tool.end();
        assert!([Some(0), Some(75)].contains(&out.code), "{out:?}");
    }
    // What was finalized when the workers had looked, or was locked by then.
    run(bench.command("jitsi-hls-worker").env("PATH", &path)).exits(0);
    settle(&bench);
    for room in &rooms {
        assert_published(room);
        let id = fs::read_to_string(room.join(".notion_id")).unwrap();
        let page = bench.notion.page(id.trim()).unwrap();
        let name = room.file_name().unwrap().to_str().unwrap();
        let link = format!("https://rec.example.com/{name}/v0/master.m3u8");
        assert_eq!((page.url(), page.status()), (Some(link), Some("published".to_owned())));
    }
    assert_eq!(bench.notion.pages().len(), 30);
    assert_encoded_once(&notes, 30);
}

#[test]
fn finalize_and_the_worker_at_any_distance_in_one_directory_make_one_row_of_it() {
    let seed = fastrand::u64(..1_000_000);
    let mut dice = fastrand::Rng::with_seed(seed);
    let offsets: Vec<i32> = (0..20).map(|_| dice.i32(-150..150)).collect();
    println!("seed {seed}");
    on_every_core(&offsets, |offset| {
        let mut bench = cheap();
        // The worker takes what nobody has finalized.
        bench.set("PUBLISH_UNFINALIZED_AFTER", "1");
        let room = bench.recorded_of(Clip::Moment, "standup");
        age(&room.join("meeting.mp4"), Duration::from_secs(3600));
        let wait = |milliseconds: i32| thread::sleep(Duration::from_millis(milliseconds.max(0).unsigned_abs().into()));
        thread::scope(|scope| {
            scope.spawn(|| {
                wait(*offset);
                let out = bench.finalize(&room);
                assert!([Some(0), Some(75)].contains(&out.code), "{out:?}");
            });
            wait(-offset);
            let out = bench.worker();
            assert!([Some(0), Some(75)].contains(&out.code), "{out:?}");
        });
        settle(&bench);
        assert_same_end(&bench, &room, 2.0);
        assert_eq!(bench.notion.pages().len(), 1);
    });
}

#[test]
fn workers_of_three_hosts_in_one_room_encode_it_once() {
    let bench = cheap();
    let (path, notes) = noted_ffmpeg(&bench);
    let room = bench.recorded_of(Clip::Short, "standup");
    bench.finalize(&room).exits(0);
    let running: Vec<_> = (0..3).map(|host| worker_of(&bench, host, &path)).collect();
    for worker in running {
        worker.end().exits(0);
    }
    settle(&bench);
    assert_same_end(&bench, &room, 4.0);
    assert_encoded_once(&notes, 1);
}
