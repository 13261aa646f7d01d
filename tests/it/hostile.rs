//! What lies in a room and should not: it costs neither a recording nor the others their turn.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::time::Duration;

use pipeline_tests::media::{self, Clip, age};
use pipeline_tests::processes::path_with;
use pipeline_tests::rooms::{PUBLISHED_TWICE, bytes};
use pipeline_tests::{Bench, assert_published, jibri, listing, run, scripts};

const HOUR: Duration = Duration::from_secs(3600);

/// A room whose `v0` is of an 8 s recording that is gone, and whose MP4, half as long, begins just like it.
fn beside_hls_that_begins_alike(bench: &Bench) -> std::path::PathBuf {
    let room = bench.recorded_of(Clip::Jibri, "daily");
    scripts::finalize(bench, &room);
    scripts::make_hls(Clip::Jibri, &room);
    media::put(Clip::Short, &room.join("meeting.mp4"));
    age(&room.join("meeting.mp4"), HOUR);
    room
}

#[test]
fn hls_that_begins_like_an_mp4_and_goes_on_longer_is_of_another_recording() {
    let bench = Bench::new();
    let room = beside_hls_that_begins_alike(&bench);
    let before = bytes(&room.join("v0"));
    bench.worker().exits(0);
    assert!(bytes(&room.join("v0")) == before, "v0 has changed");
    assert_eq!(listing(&room), PUBLISHED_TWICE);
}

#[test]
fn an_ffmpeg_that_is_killed_while_it_compares_decides_nothing() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Jibri, "daily");
    scripts::finalize(&bench, &room);
    scripts::make_hls(Clip::Other, &room);
    age(&room.join("meeting.mp4"), HOUR);
    let before = bytes(&room.join("v0"));
    let killed = path_with(&bench, &["ffmpeg"], "#!/bin/sh\nkill -KILL $$\n");
    let out = run(bench.command("jitsi-hls-worker").env("PATH", killed)).exits(75);
    assert!(out.stderr.contains("the next run tries again"), "{}", out.stderr);
    assert!(bytes(&room.join("v0")) == before && room.join("meeting.mp4").exists());
    bench.worker().exits(0);
    assert_eq!(listing(&room), PUBLISHED_TWICE);
    assert!(bytes(&room.join("v0")) == before);
}

#[test]
fn a_playlist_that_leads_out_of_its_directory_is_no_hls() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::FastStart, "daily");
    scripts::finalize(&bench, &room);
    fs::create_dir(room.join("v0")).unwrap();
    fs::write(room.join("v0/master.m3u8"), scripts::MASTER).unwrap();
    let stream = "#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8.0,\n../meeting.mp4\n#EXT-X-ENDLIST\n";
    fs::write(room.join("v0/stream.m3u8"), stream).unwrap();
    let out = bench.worker().exits(0);
    assert!(out.stderr.contains("../meeting.mp4 lies outside of its directory"), "{}", out.stderr);
    assert_published(&room);
    assert!(room.join("v0/seg_000001.ts").exists());
}

#[test]
fn a_link_in_the_place_of_v0_is_taken_for_the_hls_that_it_leads_to() {
    let bench = Bench::new();
    let room = bench.recorded("daily");
    scripts::finalize(&bench, &room);
    scripts::make_hls(Clip::Jibri, &room);
    let elsewhere = bench.dir().join("another disk");
    fs::rename(room.join("v0"), &elsewhere).unwrap();
    symlink(&elsewhere, room.join("v0")).unwrap();
    let out = bench.worker().exits(0);
    assert_eq!(out.messages()[0], "HLS exists. Notion updated. Deleting mp4 room=daily file=meeting.mp4");
    assert!(fs::symlink_metadata(room.join("v0")).unwrap().is_symlink() && elsewhere.join("stream.m3u8").exists());
}

#[test]
fn a_pipe_in_the_place_of_the_state_holds_nobody_up() {
    let bench = Bench::new();
    let (bad, good) = (bench.recorded("a-bad"), bench.finalized("good"));
    assert!(Command::new("mkfifo").arg(bad.join(".recording.json")).status().unwrap().success());
    let out = bench.finalize(&bad).exits(1);
    assert!(out.stderr.contains("not a regular file") && out.took < Duration::from_secs(5), "{out:?}");
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains("ERROR: room=a-bad: "), "{}", out.stderr);
    assert!(bad.join("meeting.mp4").exists());
    assert_published(&good);
}

#[test]
fn an_mp4_that_cannot_be_read_does_not_keep_the_others_of_its_room_from_being_published() {
    let bench = Bench::new();
    let Some(room) = jibri::room_of_user(&bench, "daily") else { return };
    let bad = room.join("zz.mp4");
    media::put(Clip::Short, &bad);
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o000)).unwrap();
    let out = jibri::run_as_user(&bench, "jitsi-finalize", &room).exits(1);
    assert!(out.stderr.contains("zz.mp4") && out.stderr.contains("Permission denied"), "{}", out.stderr);
    assert_eq!(bench.only_row().url().unwrap(), "https://rec.example.com/daily/meeting.mp4");
    assert!(bad.exists());
}

#[test]
fn an_mp4_with_a_second_sound_track_is_kept_because_its_hls_would_not_have_it() {
    let bench = Bench::new();
    let room = bench.room("daily");
    let two = "-f lavfi -i testsrc2=s=320x180:r=30:d=4 -f lavfi -i sine=440:d=4 -f lavfi -i sine=880:d=4 \
               -map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -f mp4";
    media::ffmpeg(two, &room.join("meeting.mp4"));
    bench.finalize(&room).exits(0);
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains("it has 2 audio streams, which the HLS would not have"), "{}", out.stderr);
    assert!(room.join("meeting.mp4").exists() && !room.join("v0").exists());
    assert_eq!(bench.only_row().status().unwrap(), "error");
}

#[test]
fn finalize_ends_in_time_however_many_damaged_files_there_are() {
    let bench = Bench::new();
    let room = bench.room("daily");
    for number in 0..60 {
        fs::write(room.join(format!("{number}.mp4")), "").unwrap();
    }
    let out = bench.finalize(&room).exits(1);
    assert!(out.took < Duration::from_secs(30), "{:?}", out.took);
    assert!(out.stderr.contains("out of time; the worker publishes it"), "{}", out.stderr);
}
