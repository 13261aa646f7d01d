//! An encode that was killed goes on from its last segments, and nobody can tell from what it made.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pipeline_tests::media::{age, ffmpeg};
use pipeline_tests::processes::{Running, kill_ffmpegs, start, unhurried_ffmpeg, wait_until_unlocked};
use pipeline_tests::{Bench, assert_published, hls, wait_for};

/// 24 s as Jibri records them, but for the size, with a counter in the picture.
const FILM: &str = "-f lavfi -i testsrc2=s=320x180:r=30:d=24 -f lavfi -i sine=440:d=24 -c:v libx264 -preset ultrafast -pix_fmt \
                    yuv420p -c:a aac -ar 44100 -ac 2 -f mp4";

/// A finalized room with the film in it, in segments of two seconds.
fn filmed(profile: &str, film: &str) -> (Bench, std::path::PathBuf) {
    let mut bench = Bench::new();
    bench.set("HLS_PROFILE", profile);
    bench.set("HLS_SEGMENT_SECONDS", "2");
    let room = bench.room("standup");
    ffmpeg(film, &room.join("meeting.mp4"));
    age(&room.join("meeting.mp4"), Duration::from_secs(60));
    fs::copy(room.join("meeting.mp4"), bench.dir().join("source.mp4")).unwrap();
    bench.finalize(&room).exits(0);
    (bench, room)
}

/// A worker whose encode has noted some segments.
fn noted(bench: &Bench, room: &Path) -> Running {
    let worker = start(bench.command("jitsi-hls-worker").env("PATH", unhurried_ffmpeg(bench)));
    wait_for("a checkpoint with segments", || {
        let journal = fs::read_to_string(room.join("v0.tmp/resume.json")).unwrap_or_default();
        journal.contains("_000001.ts")
    });
    worker
}

fn kill(bench: &Bench, room: &Path, worker: Running) {
    worker.signal("KILL");
    drop(worker.end());
    kill_ffmpegs(&bench.recordings());
    wait_until_unlocked(room);
}

/// Times of a stream's packets, in order.
fn times(playlist: &Path, stream: &str) -> Vec<f64> {
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time", "-of", "csv=p=0"]);
    let output = probe.arg(playlist).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let times = text.lines().filter_map(|line| line.split(',').next()?.parse::<f64>().ok());
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Asserts that a stream has so many packets, each after the other without a gap or an overlap.
#[track_caller]
fn assert_seamless(playlist: &Path, stream: &str, count: usize, step: f64) {
    let times = times(playlist, stream);
    assert!(times.len().abs_diff(count) <= 1, "{} packets, not {count}", times.len());
    for two in times.windows(2) {
        assert!((two[1] - two[0] - step).abs() < step / 2.0, "{stream}: {} follows {}", two[1], two[0]);
    }
}

#[track_caller]
fn assert_whole(bench: &Bench, room: &Path) {
    assert_published(room);
    hls::check(&room.join("v0"), &bench.dir().join("source.mp4"), Some((320, 180)));
    let stream = room.join("v0/stream.m3u8");
    assert_seamless(&stream, "v:0", 24 * 30, 1.0 / 30.0);
    assert_seamless(&stream, "a:0", 24 * 44100 / 1024 + 1, 1024.0 / 44100.0);
    assert!(!room.join("v0/resume.json").exists());
}

#[track_caller]
fn assert_resumed(bench: &Bench) {
    let log = bench.log("hls-worker.log");
    let resumed = log.iter().find(|line| line.starts_with("Resume room=standup mp4=meeting.mp4: "));
    assert!(resumed.is_some_and(|line| line.ends_with(" segments are there")), "{log:#?}");
    assert!(!log.iter().any(|line| line.starts_with("Resumed in vain")), "{log:#?}");
}

#[test]
fn an_encode_that_was_killed_goes_on() {
    let (bench, room) = filmed("480p", FILM);
    let worker = noted(&bench, &room);
    kill(&bench, &room, worker);
    bench.worker().exits(0);
    assert_resumed(&bench);
    assert_whole(&bench, &room);
}

#[test]
fn an_encode_that_was_stopped_and_then_killed_goes_on_twice() {
    let (bench, room) = filmed("480p", FILM);
    let worker = noted(&bench, &room);
    worker.signal("TERM");
    worker.end().exits(75);
    let worker = start(bench.command("jitsi-hls-worker").env("PATH", unhurried_ffmpeg(&bench)));
    wait_for("another segment", || {
        let journal = fs::read_to_string(room.join("v0.tmp/resume.json")).unwrap_or_default();
        journal.contains("_000005.ts")
    });
    kill(&bench, &room, worker);
    bench.worker().exits(0);
    assert_resumed(&bench);
    assert_whole(&bench, &room);
}

#[test]
fn sound_that_is_encoded_goes_on_too() {
    let (bench, room) = filmed("480p", &FILM.replace("-ac 2", "-ac 1"));
    let worker = noted(&bench, &room);
    kill(&bench, &room, worker);
    bench.worker().exits(0);
    assert_resumed(&bench);
    assert_published(&room);
    let stream = room.join("v0/stream.m3u8");
    assert_seamless(&stream, "v:0", 24 * 30, 1.0 / 30.0);
    assert!(times(&stream, "a:0").windows(2).all(|two| two[1] - two[0] < 0.06));
}

#[test]
fn several_renditions_go_on_together() {
    let (bench, room) = filmed("abr", &FILM.replace("320x180", "854x480"));
    let worker = noted(&bench, &room);
    kill(&bench, &room, worker);
    bench.worker().exits(0);
    assert_resumed(&bench);
    assert!(room.join("v0/master.m3u8").is_file() && !room.join("meeting.mp4").exists());
    for playlist in ["480p.m3u8", "360p.m3u8"] {
        assert_seamless(&room.join("v0").join(playlist), "v:0", 24 * 30, 1.0 / 30.0);
    }
    assert_seamless(&room.join("v0/audio.m3u8"), "a:0", 24 * 44100 / 1024 + 1, 1024.0 / 44100.0);
}

#[test]
fn renditions_beside_the_recordings_own_go_on_at_its_keyframes() {
    let film = FILM.replace("320x180", "640x480").replace("-preset ultrafast", "-preset ultrafast -g 75");
    let (bench, room) = filmed("hybrid", &film);
    let worker = noted(&bench, &room);
    kill(&bench, &room, worker);
    bench.worker().exits(0);
    assert_resumed(&bench);
    assert!(room.join("v0/master.m3u8").is_file() && !room.join("meeting.mp4").exists());
    for playlist in ["source.m3u8", "360p.m3u8"] {
        assert_seamless(&room.join("v0").join(playlist), "v:0", 24 * 30, 1.0 / 30.0);
    }
}

#[test]
fn what_was_made_of_another_mp4_or_for_another_profile_is_not_gone_on_with() {
    for change in ["mp4", "profile", "segment"] {
        let (mut bench, room) = filmed("480p", FILM);
        let worker = noted(&bench, &room);
        kill(&bench, &room, worker);
        match change {
            "mp4" => age(&room.join("meeting.mp4"), Duration::from_secs(90)),
            "profile" => bench.set("HLS_PROFILE", "abr"),
            _ => fs::write(room.join("v0.tmp/seg_000000.ts"), "").unwrap(),
        }
        bench.worker().exits(0);
        assert!(!bench.log("hls-worker.log").iter().any(|line| line.starts_with("Resume")), "{change}");
        assert_published(&room);
        assert_seamless(&room.join("v0/stream.m3u8"), "v:0", 24 * 30, 1.0 / 30.0);
    }
}

#[test]
fn what_was_begun_for_an_mp4_that_is_gone_goes_too() {
    let (bench, room) = filmed("480p", FILM);
    let worker = noted(&bench, &room);
    kill(&bench, &room, worker);
    fs::remove_file(room.join("meeting.mp4")).unwrap();
    bench.worker().exits(0);
    assert!(!room.join("v0.tmp").exists() && !room.join("v0").exists());
}
