//! What happens to a room while ffmpeg is at work in it: nothing of it is published for what it no longer is, the room beside it has
//! its turn, and what is there afterwards is published.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pipeline_tests::media::{Clip, cut, put};
use pipeline_tests::processes::worker_in_mid_encode;
use pipeline_tests::rooms::FINALIZED;
use pipeline_tests::{Bench, Out, assert_published, each_at_once, files_below, listing};

/// A bench with two rooms, of which the first is being encoded.
fn benched() -> Bench {
    let mut bench = Bench::new();
    bench.set("HLS_PROFILE", "source");
    for name in ["a-room", "beside"] {
        let room = bench.recorded_of(Clip::Short, name);
        bench.finalize(&room).exits(0);
    }
    bench
}

/// A run in which this is done to the first room in the middle of its encode. The second one is published.
fn disturbed(bench: &Bench, disturb: impl FnOnce(&Path)) -> Out {
    let room = bench.recordings().join("a-room");
    let (worker, _) = worker_in_mid_encode(bench, &room);
    disturb(&room);
    let out = worker.end();
    let out = out.exits(75);
    assert_published(&bench.recordings().join("beside"));
    let state = fs::read_to_string(room.join(".recording.json")).unwrap_or_default();
    assert!(!state.contains("failures") && !state.contains("error"), "{state}");
    out
}

/// A run in which the first room's directory goes.
fn without(bench: &Bench, disturb: impl FnOnce(&Path)) {
    let out = disturbed(bench, disturb);
    let told = "Later room=a-room: its directory was moved or deleted while it was worked on; where it is then, a later run goes on";
    assert!(out.messages().iter().any(|line| line == told), "{}", out.stderr);
    assert!(!out.stderr.contains("ERROR"), "{}", out.stderr);
}

/// How long the HLS of a room plays.
fn seconds(room: &Path) -> f64 {
    let playlist = fs::read_to_string(room.join("v0/stream.m3u8")).unwrap();
    let lengths = playlist.lines().filter_map(|line| line.strip_prefix("#EXTINF:"));
    lengths.map(|length| length.trim_end_matches(',').parse::<f64>().unwrap()).sum()
}

/// What the row of the first room says.
fn row(bench: &Bench) -> (String, String) {
    bench.rows().remove(0)
}

/// What becomes of the MP4.
struct Change {
    make: fn(&Path),
    seconds: f64,
}

#[test]
fn an_mp4_that_becomes_another_while_it_is_encoded_is_published_as_what_it_is_then() {
    let changes = [
        ("another in its place", Change { make: |mp4| replace(mp4, Clip::Other), seconds: 8.0 }),
        ("written over", Change { make: |mp4| put(Clip::Other, mp4), seconds: 8.0 }),
        ("touched", Change { make: |mp4| touch(mp4), seconds: 4.0 }),
        ("grown", Change { make: grow, seconds: 4.0 }),
    ];
    each_at_once(changes, |Change { make, seconds: wanted }| {
        let bench = benched();
        let out = disturbed(&bench, |room| make(&room.join("meeting.mp4")));
        let told = "Later room=a-room mp4=meeting.mp4: it has changed while it was encoded";
        assert!(out.messages().iter().any(|line| line == told), "{}", out.stderr);
        let room = bench.recordings().join("a-room");
        assert_eq!(listing(&room), FINALIZED);
        assert_eq!(row(&bench).1, "processing");
        bench.worker().exits(0);
        assert_published(&room);
        assert!((seconds(&room) - wanted).abs() < 0.2, "{} s", seconds(&room));
        assert_eq!(row(&bench).1, "published");
    });
}

fn replace(mp4: &Path, with: Clip) {
    let beside = mp4.with_extension("new");
    put(with, &beside);
    fs::rename(beside, mp4).unwrap();
}

fn touch(mp4: &Path) {
    File::options().append(true).open(mp4).unwrap().set_modified(SystemTime::now() - Duration::from_secs(30)).unwrap();
}

/// By a box that says nothing.
fn grow(mp4: &Path) {
    let mut file = File::options().append(true).open(mp4).unwrap();
    file.write_all(b"\0\0\0\x10free12345678").unwrap();
}

#[test]
fn an_mp4_that_is_cut_while_it_is_encoded_is_an_error_until_it_is_put_back() {
    let bench = benched();
    let out = disturbed(&bench, |room| cut(&room.join("meeting.mp4"), 0.5));
    assert!(out.stderr.contains("it has changed while it was encoded"), "{}", out.stderr);
    let room = bench.recordings().join("a-room");
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains("ERROR: room=a-room mp4=meeting.mp4 cannot be played: "), "{}", out.stderr);
    assert_eq!((listing(&room), row(&bench).1.as_str()), (FINALIZED.map(Into::into).to_vec(), "error"));
    put(Clip::Short, &room.join("meeting.mp4"));
    bench.worker().exits(0);
    assert_published(&room);
    assert_eq!(row(&bench).1, "published");
}

#[test]
fn an_mp4_that_is_taken_away_while_it_is_encoded_is_published_once_it_is_back() {
    let bench = benched();
    let room = bench.recordings().join("a-room");
    let (mp4, away) = (room.join("meeting.mp4"), bench.dir().join("away"));
    let out = disturbed(&bench, |_| fs::rename(&mp4, &away).unwrap());
    let told = "Later room=a-room mp4=meeting.mp4: it was taken away while it was encoded";
    assert!(out.messages().iter().any(|line| line == told), "{}", out.stderr);
    assert_eq!(listing(&room), FINALIZED[..3]);
    bench.worker().exits(0);
    fs::rename(&away, &mp4).unwrap();
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn a_directory_that_is_taken_away_while_it_is_encoded_is_published_once_it_is_back() {
    let bench = benched();
    let away = bench.dir().join("away");
    without(&bench, |room| fs::rename(room, &away).unwrap());
    let room = bench.recordings().join("a-room");
    assert!(!room.exists() && away.join("meeting.mp4").exists());
    bench.worker().exits(0);
    fs::rename(&away, &room).unwrap();
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn a_directory_that_is_renamed_while_it_is_encoded_is_published_by_its_new_name() {
    let bench = benched();
    let renamed = bench.recordings().join("renamed");
    without(&bench, |room| fs::rename(room, &renamed).unwrap());
    bench.worker().exits(0);
    assert_published(&renamed);
    assert_eq!(row(&bench), ("https://rec.example.com/renamed/v0/master.m3u8".into(), "published".into()));
    assert_eq!(bench.notion.pages().len(), 2);
}

#[test]
fn a_directory_that_is_deleted_while_it_is_encoded_is_named_once_and_comes_back_by_nobody() {
    let bench = benched();
    without(&bench, |room| {
        // ffmpeg may put something into it meanwhile.
        while fs::remove_dir_all(room).is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound) {}
    });
    let out = bench.worker().exits(0);
    assert_eq!(out.messages(), ["Worker run complete."]);
    assert_eq!(listing(&bench.recordings()), ["beside"]);
    assert!(files_below(&bench.recordings()).iter().all(|path| !path.to_str().unwrap().contains(".tmp")));
}
