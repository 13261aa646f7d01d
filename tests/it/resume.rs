//! An encode that was killed goes on from its last segments, and nobody can tell from what it made.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pipeline_tests::media::{age, ffmpeg};
use pipeline_tests::processes::{
    Running, encodes, kill_ffmpegs, path_with, real_ffmpeg, start, unhurried_ffmpeg, wait_until_unlocked,
};
use pipeline_tests::rooms::end_holds;
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

/// Times of a stream's packets, in order. Of the segments one after the other: at the beginning of a playlist with nothing but
/// sound, ffprobe tells one packet twice and another one not at all.
fn times(playlist: &Path, stream: &str) -> Vec<f64> {
    let text = fs::read_to_string(playlist).unwrap();
    let segments = text.lines().filter(|line| !line.starts_with('#'));
    let segments: Vec<_> = segments.map(|name| playlist.with_file_name(name).display().to_string()).collect();
    let playlist = format!("concat:{}", segments.join("|"));
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

/// A room whose encode was killed, and went on in the next run.
#[track_caller]
fn resumed(profile: &str, film: &str) -> (Bench, std::path::PathBuf) {
    let (bench, room) = filmed(profile, film);
    let worker = noted(&bench, &room);
    kill(&bench, &room, worker);
    bench.worker().exits(0);
    assert_resumed(&bench);
    (bench, room)
}

#[test]
fn an_encode_that_was_killed_goes_on() {
    let (bench, room) = resumed("480p", FILM);
    assert_whole(&bench, &room);
}

#[test]
fn what_is_encoded_is_kept_for_as_long_as_the_recording_has_to_wait() {
    let (bench, room) = filmed("480p", FILM);
    for _ in 0..2 {
        let worker = noted(&bench, &room);
        wait_for("the encode", || !encodes(&bench.recordings()).is_empty());
        kill_ffmpegs(&bench.recordings());
        worker.end().exits(75);
    }
    // It is not due yet.
    bench.worker().exits(0);
    assert!(room.join("v0.tmp/resume.json").exists());
    end_holds(&room);
    bench.worker().exits(0);
    assert_resumed(&bench);
    assert_whole(&bench, &room);
}

#[test]
#[ignore = "make test-long"]
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
fn what_is_encoded_is_kept_where_the_worker_is_stopped_while_pictures_are_made() {
    let (mut bench, room) = filmed("480p", FILM);
    bench.want_pictures();
    let script = format!("[[ $* = *jpg* ]] && exec -a pictures sleep 600\nexec '{}' -re \"$@\"", real_ffmpeg());
    let path = path_with(&bench, &["ffmpeg"], &format!("#!/bin/bash\n{script}\n"));
    let worker = start(bench.command("jitsi-hls-worker").env("PATH", path));
    wait_for("the pictures", || room.join("v0.tmp/extras.tmp").is_dir());
    worker.signal("TERM");
    worker.end().exits(75);
    bench.worker().exits(0);
    assert_resumed(&bench);
    assert_whole(&bench, &room);
}

#[test]
fn sound_that_is_encoded_goes_on_too() {
    let (_bench, room) = resumed("480p", &FILM.replace("-ac 2", "-ac 1"));
    assert_published(&room);
    let stream = room.join("v0/stream.m3u8");
    assert_seamless(&stream, "v:0", 24 * 30, 1.0 / 30.0);
    assert!(times(&stream, "a:0").windows(2).all(|two| two[1] - two[0] < 0.06));
}

#[test]
fn several_renditions_go_on_together() {
    let (_bench, room) = resumed("abr", &FILM.replace("320x180", "854x480"));
    assert!(room.join("v0/master.m3u8").is_file() && !room.join("meeting.mp4").exists());
    for playlist in ["480p.m3u8", "360p.m3u8"] {
        assert_seamless(&room.join("v0").join(playlist), "v:0", 24 * 30, 1.0 / 30.0);
    }
    assert_seamless(&room.join("v0/audio.m3u8"), "a:0", 24 * 44100 / 1024 + 1, 1024.0 / 44100.0);
}

#[test]
#[ignore = "make test-long"]
fn renditions_beside_the_recordings_own_go_on_at_its_keyframes() {
    let film = FILM.replace("320x180", "640x480").replace("-preset ultrafast", "-preset ultrafast -g 75");
    let (_bench, room) = resumed("hybrid", &film);
    assert!(room.join("v0/master.m3u8").is_file() && !room.join("meeting.mp4").exists());
    for playlist in ["source.m3u8", "360p.m3u8"] {
        assert_seamless(&room.join("v0").join(playlist), "v:0", 24 * 30, 1.0 / 30.0);
    }
}

#[test]
#[ignore = "make test-long"]
fn renditions_beside_a_copy_with_many_keyframes_go_on_where_it_is_cut() {
    let film = FILM.replace("320x180", "640x480").replace("-preset ultrafast", "-preset ultrafast -g 15");
    let (_bench, room) = resumed("hybrid", &film);
    assert!(room.join("v0/master.m3u8").is_file() && !room.join("meeting.mp4").exists());
    for playlist in ["source.m3u8", "360p.m3u8"] {
        assert_seamless(&room.join("v0").join(playlist), "v:0", 24 * 30, 1.0 / 30.0);
    }
}

/// Asserts that encoded sound is there all the time. Its encoder begins with a frame of silence, anew where it goes on.
#[track_caller]
fn assert_sounds(playlist: &Path) {
    let times = times(playlist, "a:0");
    for two in times.windows(2) {
        assert!(two[1] - two[0] < 0.035, "{} follows {}", two[1], two[0]);
    }
    let seconds = times[times.len() - 1] - times[0];
    assert!((seconds - 24.0).abs() < 0.1, "{seconds}");
}

#[test]
#[ignore = "make test-long"]
fn sound_that_begins_late_goes_on_without_a_hole() {
    // It has silence before it, from the beginning on.
    let film = FILM.replace("320x180", "854x480").replace("sine=440:d=24", "sine=440:d=23.2");
    let (_bench, room) = resumed("abr", &film.replace("-f lavfi -i sine", "-itsoffset 0.8 -f lavfi -i sine"));
    assert_sounds(&room.join("v0/audio.m3u8"));
}

#[test]
#[ignore = "make test-long"]
fn sound_that_ends_early_goes_on_and_is_filled_up() {
    let film = FILM.replace("320x180", "854x480").replace("sine=440:d=24", "sine=440:d=20");
    let (_bench, room) = resumed("abr", &film);
    assert_sounds(&room.join("v0/audio.m3u8"));
}

#[test]
fn what_was_made_of_another_mp4_or_for_another_profile_is_not_gone_on_with() {
    for change in ["mp4", "profile", "segment", "link"] {
        let (mut bench, room) = filmed("480p", FILM);
        let worker = noted(&bench, &room);
        kill(&bench, &room, worker);
        match change {
            "mp4" => age(&room.join("meeting.mp4"), Duration::from_secs(90)),
            "profile" => bench.set("HLS_PROFILE", "abr"),
            "link" => {
                let elsewhere = bench.dir().join("elsewhere");
                fs::rename(room.join("v0.tmp"), &elsewhere).unwrap();
                fs::write(elsewhere.join("kept"), "x").unwrap();
                std::os::unix::fs::symlink(&elsewhere, room.join("v0.tmp")).unwrap();
            }
            _ => fs::write(room.join("v0.tmp/seg_000000.ts"), "").unwrap(),
        }
        bench.worker().exits(0);
        assert!(!bench.log("hls-worker.log").iter().any(|line| line.starts_with("Resume")), "{change}");
        assert!(change != "link" || bench.dir().join("elsewhere/kept").exists());
        assert!(!room.join("v0").is_symlink());
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
