//! kill -9 at every place between two steps: of the tool, of the tool and its ffmpeg, of its ffmpeg alone. The end is always
//! that of a run which nobody disturbed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use pipeline_tests::death::{Places, Scene, Stage, assert_plays, assert_same_end, walk};
use pipeline_tests::media::{Clip, age, clip, cut, put};
use pipeline_tests::outbox::SECRET;
use pipeline_tests::processes::{encodes, kill_ffmpegs, path_with, real_ffmpeg, start, unhurried_ffmpeg};
use pipeline_tests::receivers::Receiver;
use pipeline_tests::rooms::{FINALIZED, PUBLISHED_TWICE};
use pipeline_tests::{Bench, hls, listing, scripts, wait_for};

const HOUR: Duration = Duration::from_secs(3600);

/// A tree with settings under which HLS costs little, and a lost create is soon known to be lost.
fn bench() -> Bench {
    let mut bench = Bench::new();
    for (key, value) in [("NOTION_SETTLE_SECONDS", "1"), ("HLS_PROFILE", "source")] {
        bench.set(key, value);
    }
    bench
}

/// A room that Jibri has left an hour ago.
fn recorded(bench: Bench) -> Stage {
    let room = bench.recorded_of(Clip::Moment, "standup");
    age(&room.join("meeting.mp4"), HOUR);
    Stage { bench, room, receiver: None }
}

fn finalized(bench: Bench) -> Stage {
    let stage = recorded(bench);
    stage.bench.finalize(&stage.room).exits(0);
    stage
}

fn finalize(stage: &Stage) -> Command {
    let mut command = stage.bench.command("jitsi-finalize");
    command.arg(&stage.room);
    command
}

fn worker(stage: &Stage) -> Command {
    stage.bench.command("jitsi-hls-worker")
}

fn nobody(_: &Stage) {}

fn published(stage: &Stage) {
    assert_same_end(&stage.bench, &stage.room, 2.0);
}

/// One row that says error, the file kept, and nothing else.
fn kept(stage: &Stage) {
    assert_eq!(stage.bench.only_row().status().as_deref(), Some("error"));
    assert_eq!(listing(&stage.room), FINALIZED);
    assert!(stage.bench.log("hls-worker.log").iter().any(|line| line.contains(" cannot be played: ")));
}

/// Two rows, each with HLS that plays so long.
fn published_twice(stage: &Stage, seconds: [f64; 2]) {
    assert_eq!(listing(&stage.room), PUBLISHED_TWICE);
    let mut rows = stage.bench.rows();
    rows.sort();
    let row = |slot: &str| (format!("https://rec.example.com/standup/{slot}/master.m3u8"), "published".to_owned());
    assert_eq!(rows, [row("v0"), row("v1")]);
    for (slot, seconds) in ["v0", "v1"].into_iter().zip(seconds) {
        assert_plays(&stage.room.join(slot), seconds);
    }
}

/// Asserts that these are among the places that were passed, in this order, and that it died often enough.
#[track_caller]
fn assert_walked((passed, deaths): &(Vec<String>, usize), wanted: &[&str], least: usize) {
    let mut rest = passed.iter();
    for name in wanted {
        assert!(rest.any(|place| place == name), "{name} is not passed, or not in its turn: {passed:#?}");
    }
    assert!(*deaths >= least, "{deaths} deaths at {passed:#?}");
}

#[test]
fn finalize_that_dies_anywhere_and_is_called_again() {
    let then = |stage: &Stage| {
        let again = stage.bench.finalize(&stage.room);
        assert!([Some(0), Some(75)].contains(&again.code), "{again:?}");
    };
    let walked =
        walk(&Scene { stage: || recorded(bench()), command: finalize, then, end: published, places: Places::All });
    let wanted = [
        "finalize has the lock:1",
        ".recording.json renamed:1",
        "finalize has registered:1",
        "create is sent:1",
        "create is answered:1",
        ".notion_id lasts:1",
        ".recording.json lasts:3",
        "finalize has a row:1",
    ];
    assert_walked(&walked, &wanted, 18);
}

#[test]
#[ignore = "make test-long"]
fn finalize_that_dies_anywhere_and_is_never_called_again() {
    let stage = || {
        let mut bench = bench();
        bench.set("PUBLISH_UNFINALIZED_AFTER", "1");
        recorded(bench)
    };
    let walked = walk(&Scene { stage, command: finalize, then: nobody, end: published, places: Places::All });
    assert_walked(&walked, &["finalize has the lock:1", "finalize has a row:1"], 18);
}

/// With an MP4 that was cut, and that nobody has written to for long.
fn spoilt(stage: Stage) -> Stage {
    let mp4 = stage.room.join("meeting.mp4");
    cut(&mp4, 0.5);
    age(&mp4, HOUR);
    stage
}

#[test]
fn finalize_of_a_damaged_recording_that_dies_anywhere() {
    let stage = || spoilt(recorded(bench()));
    let then = |stage: &Stage| {
        let again = stage.bench.finalize(&stage.room);
        assert!([Some(0), Some(1), Some(75)].contains(&again.code), "{again:?}");
    };
    let end = |stage: &Stage| {
        assert_eq!(stage.bench.only_row().status().as_deref(), Some("error"));
        assert_eq!(listing(&stage.room), FINALIZED);
    };
    let walked = walk(&Scene { stage, command: finalize, then, end, places: Places::All });
    assert_walked(&walked, &["create is answered:1", "finalize has told the error:1"], 10);
}

#[test]
fn the_worker_that_dies_anywhere() {
    let stage = || finalized(bench());
    let walked = walk(&Scene { stage, command: worker, then: nobody, end: published, places: Places::All });
    let wanted = [
        "worker has the room's lock:1",
        "program begins:1",
        "row is about to say processing:1",
        "update is sent:1",
        "update is answered:1",
        "encode begins:1",
        "program begins:2",
        "ffmpeg is at work:1",
        "ffmpeg has ended:1",
        "HLS is verified:1",
        "extras are made:1",
        "master playlist is written:1",
        "HLS lasts:1",
        ".recording.json lasts:3",
        "HLS is about to be put in place:1",
        "HLS is in place:1",
        "HLS in place lasts:1",
        "update is sent:2",
        "update is answered:2",
        ".recording.json lasts:4",
        "MP4 is about to go:1",
        "MP4 is gone:1",
        "removal lasts:1",
        ".recording.json lasts:5",
    ];
    assert_walked(&walked, &wanted, 46);
}

#[test]
#[ignore = "make test-long"]
fn the_worker_that_dies_anywhere_in_an_encode_and_in_the_making_of_pictures() {
    let stage = || {
        let mut bench = bench();
        for (key, value) in [("HLS_PROFILE", "480p"), ("HLS_POSTER", "yes"), ("HLS_PREVIEWS", "yes")] {
            bench.set(key, value);
        }
        finalized(bench)
    };
    let end = |stage: &Stage| {
        published(stage);
        // Where only the ffmpeg that makes them was killed, it is published without, and that is said.
        let without =
            stage.bench.log("hls-worker.log").iter().any(|line| line.contains("meeting.mp4: no poster.jpg, "));
        assert!(without || stage.room.join("v0/poster.jpg").exists(), "{:?}", listing(&stage.room.join("v0")));
    };
    let walked = walk(&Scene {
        stage,
        command: worker,
        then: nobody,
        end,
        places: Places::Between("encode begins:1", "HLS in place lasts:1"),
    });
    assert_walked(&walked, &["ffmpeg is at work:1", "extras are made:1", "HLS is in place:1"], 20);
}

#[test]
fn the_worker_that_dies_anywhere_where_the_recording_cannot_be_played() {
    let stage = || {
        let mut bench = bench();
        bench.set("PUBLISH_UNFINALIZED_AFTER", "1");
        spoilt(recorded(bench))
    };
    let walked = walk(&Scene { stage, command: worker, then: nobody, end: kept, places: Places::All });
    assert_walked(&walked, &["create is sent:1", "create is answered:1"], 8);
}

#[test]
#[ignore = "make test-long"]
fn the_worker_that_dies_anywhere_where_a_recording_was_cut_after_it_got_its_row() {
    let stage = || spoilt(finalized(bench()));
    let walked = walk(&Scene { stage, command: worker, then: nobody, end: kept, places: Places::All });
    assert_walked(&walked, &["update is sent:1", "update is answered:1"], 6);
}

/// A room of the scripts with an MP4 and HLS: of these clips.
fn rendered(mp4: Clip, hls: Clip) -> Stage {
    let bench = bench();
    let room = bench.recorded_of(hls, "standup");
    scripts::finalize(&bench, &room);
    scripts::make_hls(hls, &room);
    put(mp4, &room.join("meeting.mp4"));
    age(&room.join("meeting.mp4"), HOUR);
    Stage { bench, room, receiver: None }
}

#[test]
#[ignore = "make test-long"]
fn the_worker_that_dies_anywhere_beside_hls_that_the_scripts_made_of_the_mp4() {
    let stage = || rendered(Clip::Moment, Clip::Moment);
    let walked = walk(&Scene { stage, command: worker, then: nobody, end: published, places: Places::All });
    assert_walked(
        &walked,
        &["HLS is compared:1", "inherited HLS lasts:1", "update is answered:1", "MP4 is gone:1"],
        15,
    );
}

#[test]
#[ignore = "make test-long"]
fn the_worker_that_dies_anywhere_beside_hls_that_the_scripts_did_not_finish() {
    let stage = || {
        let stage = rendered(Clip::Moment, Clip::Moment);
        for name in ["stream.m3u8", "master.m3u8"] {
            fs::remove_file(stage.room.join("v0").join(name)).unwrap();
        }
        stage
    };
    let walked = walk(&Scene {
        stage,
        command: worker,
        then: nobody,
        end: published,
        places: Places::Between("worker begins:1", "encode begins:1"),
    });
    assert_walked(&walked, &["HLS is compared:1", "HLS that is not whole is gone:1", "MP4 is gone:1"], 12);
}

#[test]
#[ignore = "make test-long"]
fn the_worker_that_dies_anywhere_beside_hls_that_the_scripts_made_of_another_mp4() {
    let stage = || {
        let stage = rendered(Clip::Short, Clip::Short);
        scripts::publish(&stage.bench, &stage.room);
        for name in [".notion_id", "v0/master.m3u8"] {
            age(&stage.room.join(name), 8 * HOUR);
        }
        put(Clip::Moment, &stage.room.join("meeting.mp4"));
        age(&stage.room.join("meeting.mp4"), 9 * HOUR);
        stage
    };
    let end = |stage: &Stage| published_twice(stage, [4.0, 2.0]);
    let walked = walk(&Scene {
        stage,
        command: worker,
        then: nobody,
        end,
        places: Places::Between("worker begins:1", "encode begins:1"),
    });
    assert_walked(&walked, &["HLS is compared:1", "create is answered:1", "HLS is in place:1", "MP4 is gone:1"], 12);
}

#[test]
#[ignore = "make test-long"]
fn the_worker_that_dies_anywhere_at_the_second_recording_of_a_directory() {
    let stage = || {
        let stage = finalized(bench());
        stage.bench.worker().exits(0);
        put(Clip::Short, &stage.room.join("second.mp4"));
        stage.bench.finalize(&stage.room).exits(0);
        stage
    };
    let end = |stage: &Stage| published_twice(stage, [2.0, 4.0]);
    let walked = walk(&Scene {
        stage,
        command: worker,
        then: nobody,
        end,
        places: Places::Between("HLS is about to be put in place:1", "MP4 is gone:1"),
    });
    assert_walked(&walked, &["HLS is in place:1", "update is answered:2", "MP4 is gone:1"], 10);
}

/// A room of which two receivers' names are told, when it is recorded and when it is published.
fn told(bench: Bench) -> Stage {
    let (mut bench, receiver) = (bench, Receiver::standard(SECRET));
    for (name, on) in [("early", "recorded"), ("late", "published")] {
        bench.tell(name, &receiver.endpoint());
        let key = format!("WEBHOOK_{}", name.to_ascii_uppercase());
        bench.set(&format!("{key}_PROFILE"), "standard");
        bench.set(&format!("{key}_ON"), on);
    }
    Stage { receiver: Some(receiver), ..recorded(bench) }
}

/// Each event has arrived, at least once and under one id, and nothing is left in the outbox.
fn published_and_told(stage: &Stage) {
    published(stage);
    let mut events: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for got in stage.receiver.as_ref().unwrap().taken() {
        let body: serde_json::Value = serde_json::from_str(&got.text()).unwrap();
        events.entry(body["type"].as_str().unwrap().to_owned()).or_default().push(got.id());
    }
    assert_eq!(events.keys().collect::<Vec<_>>(), ["recording.published", "recording.recorded"]);
    for (event, mut ids) in events {
        ids.dedup();
        assert_eq!(ids.len(), 1, "{event}");
    }
    for name in ["early", "late"] {
        assert!(stage.bench.litter(name).is_empty(), "{:?}", stage.bench.litter(name));
    }
}

#[test]
#[ignore = "make test-long"]
fn finalize_that_dies_anywhere_where_webhooks_are_told() {
    let then = |stage: &Stage| {
        let again = stage.bench.finalize(&stage.room);
        assert!([Some(0), Some(75)].contains(&again.code), "{again:?}");
    };
    let walked = walk(&Scene {
        stage: || told(bench()),
        command: finalize,
        then,
        end: published_and_told,
        places: Places::Between("finalize has registered:1", "webhook is out of the outbox:1"),
    });
    let wanted = ["event renamed:1", "create is answered:1", "webhook is sent:1", "webhook is out of the outbox:1"];
    assert_walked(&walked, &wanted, 15);
}

#[test]
#[ignore = "make test-long"]
fn the_worker_that_dies_anywhere_where_webhooks_are_told() {
    let stage = || {
        let stage = told(bench());
        stage.bench.finalize(&stage.room).exits(0);
        stage
    };
    let walked = walk(&Scene {
        stage,
        command: worker,
        then: nobody,
        end: published_and_told,
        places: Places::Between("HLS in place lasts:1", "MP4 is gone:1"),
    });
    let wanted = ["HLS is in place:1", "event renamed:1", "webhook is sent:1", "update is answered:2", "MP4 is gone:1"];
    assert_walked(&walked, &wanted, 15);
}

#[test]
#[ignore = "make test-long"]
fn the_worker_that_dies_anywhere_when_a_person_has_it_retry_what_was_given_up() {
    let stage = || {
        let stage = finalized(bench());
        let path = stage.room.join(".recording.json");
        let mut known: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let recording = &mut known["recordings"][0];
        recording["failures"] = 3.into();
        recording["given_up"] = true.into();
        recording["error"] = "ffmpeg would not".into();
        recording["row"]["status"] = "error".into();
        fs::write(&path, known.to_string()).unwrap();
        stage
    };
    let command = |stage: &Stage| {
        let mut command = worker(stage);
        command.arg("--retry").arg(&stage.room);
        command
    };
    // Before it has forgotten the failures on the disk, it has not begun to.
    let then = |stage: &Stage| {
        stage.bench.worker_with(["--retry".as_ref(), stage.room.as_os_str()]).exits(0);
    };
    let walked = walk(&Scene {
        stage,
        command,
        then,
        end: published,
        places: Places::Between("worker begins:1", "encode begins:1"),
    });
    assert_walked(&walked, &["worker has the room's lock:1", "HLS is in place:1", "MP4 is gone:1"], 12);
}

/// What an encode has left of which ffmpeg was killed, after some of its segments: its files, and the time of the MP4.
fn begun() -> &'static Stage {
    static BEGUN: OnceLock<Stage> = OnceLock::new();
    BEGUN.get_or_init(|| {
        let bench = in_short_segments();
        let room = bench.recorded_of(Clip::Jibri, "standup");
        bench.finalize(&room).exits(0);
        let running = start(worker_of(&bench).env("PATH", unhurried_ffmpeg(&bench)));
        let made = || fs::read_to_string(room.join("v0.tmp/stream.m3u8")).unwrap_or_default();
        wait_for("two segments", || made().contains("_000001.ts"));
        assert_eq!(encodes(&bench.recordings()).len(), 1);
        kill_ffmpegs(&bench.recordings());
        running.end().exits(75);
        assert!(room.join("v0.tmp/resume.json").exists());
        Stage { bench, room, receiver: None }
    })
}

fn in_short_segments() -> Bench {
    let mut bench = bench();
    bench.set("HLS_PROFILE", "480p");
    bench.set("HLS_SEGMENT_SECONDS", "2");
    bench
}

fn worker_of(bench: &Bench) -> Command {
    bench.command("jitsi-hls-worker")
}

/// Copies a file with its time.
fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    let time = fs::metadata(from).unwrap().modified().unwrap();
    fs::File::options().append(true).open(to).unwrap().set_modified(time).unwrap();
}

#[test]
#[ignore = "make test-long"]
fn the_worker_that_dies_anywhere_where_it_goes_on_with_an_encode() {
    let stage = || {
        let (from, bench) = (&begun().room, in_short_segments());
        let room = bench.room("standup");
        copy(&from.join("meeting.mp4"), &room.join("meeting.mp4"));
        bench.finalize(&room).exits(0);
        fs::create_dir(room.join("v0.tmp")).unwrap();
        for name in listing(&from.join("v0.tmp")) {
            copy(&from.join("v0.tmp").join(&name), &room.join("v0.tmp").join(&name));
        }
        Stage { bench, room, receiver: None }
    };
    let end = |stage: &Stage| {
        if assert_same_end(&stage.bench, &stage.room, 8.0) {
            hls::check(&stage.room.join("v0"), &clip(Clip::Jibri), Some((320, 180)));
        }
    };
    let walked = walk(&Scene {
        stage,
        command: worker,
        then: nobody,
        end,
        places: Places::Between("encode begins:1", "HLS in place lasts:1"),
    });
    let wanted = ["encode begins:1", "earlier segments are found:1", "all but earlier segments is gone:1"];
    assert_walked(&walked, &wanted, 20);
}

#[test]
#[ignore = "make test-long"]
fn the_worker_that_dies_anywhere_while_it_notes_what_a_killed_ffmpeg_has_made() {
    let stage = || {
        let bench = in_short_segments();
        let room = bench.recorded_of(Clip::Jibri, "standup");
        bench.finalize(&room).exits(0);
        Stage { bench, room, receiver: None }
    };
    // Once there are two segments, ffmpeg dies.
    let command = |stage: &Stage| {
        let script = format!(
            "#!/bin/bash\ncase \" $* \" in *' -progress '*) ;; *) exec '{0}' \"$@\" ;; esac\n'{0}' -re \"$@\" &\n\
             until grep -qs _000001.ts stream.m3u8; do sleep 0.05; done\nkill -KILL $! $$\n",
            real_ffmpeg()
        );
        let mut command = worker(stage);
        command.env("PATH", path_with(&stage.bench, &["ffmpeg"], &script));
        command
    };
    let end = |stage: &Stage| {
        if assert_same_end(&stage.bench, &stage.room, 8.0) {
            hls::check(&stage.room.join("v0"), &clip(Clip::Jibri), Some((320, 180)));
        }
    };
    let places = &["segments last:1", "resume.json written beside:1", "resume.json renamed:1", "resume.json lasts:1"];
    let walked = walk(&Scene { stage, command, then: nobody, end, places: Places::At(places) });
    assert_walked(&walked, places, 4);
}
