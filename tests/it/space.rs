//! Room on the disk, before an encode begins.

use std::fs;

use pipeline_tests::disk::SmallDisk;
use pipeline_tests::media::{Clip, put};
use pipeline_tests::processes::{noted_ffmpeg, unhurried_ffmpeg};
use pipeline_tests::rooms::FINALIZED;
use pipeline_tests::{Bench, assert_published, listing, run};

#[test]
fn of_two_recordings_for_which_there_is_room_one_by_one_the_second_waits_for_the_next_run() {
    let mut bench = Bench::new();
    bench.set("HLS_MIN_FREE", "100k");
    let Some(disk) = SmallDisk::mount(&bench, 8_000) else { return };
    let rooms = ["a", "b"].map(|name| disk.room(name));
    for (room, name) in rooms.iter().zip(["a", "b"]) {
        put(Clip::Jibri, &room.join("meeting.mp4"));
        disk.finalize(name).exits(0);
    }
    bench.notion.clear_requests();
    // An encode of 8 s is taken to need 1.4M.
    disk.fill(2_100_000);
    let mut worker = disk.command("jitsi-hls-worker");
    let out = run(worker.args(["--jobs", "2"]).env("PATH", unhurried_ffmpeg(&bench))).exits(75);
    let mut said = out.messages();
    said.retain(|line| line.starts_with("ERROR: "));
    let [line] = &said[..] else { panic!("{}", out.stderr) };
    let (done, skipped) = if line.contains("room=a ") { ("b", "a") } else { ("a", "b") };
    let begins = format!("ERROR: room={skipped} mp4=meeting.mp4: its HLS needs 1.4M, and the disk has ");
    let ends = "; skipped, the next run tries again";
    assert!(line.starts_with(&begins) && line.ends_with(ends), "{line}");
    assert!(line.contains(" free, of which 100k stay free (HLS_MIN_FREE) and "), "{line}");
    assert!(!line.contains(" and 0 are for other jobs"), "{line}");
    let (done, skipped) = (disk.room(done), disk.room(skipped));
    assert_published(&done);
    assert_eq!(listing(&skipped), FINALIZED);
    let state = fs::read_to_string(skipped.join(".recording.json")).unwrap();
    assert!(!state.contains("failures") && !state.contains("interruptions") && !state.contains("error"), "{state}");
    let mut statuses: Vec<_> = bench.rows().into_iter().map(|(_, status)| status).collect();
    statuses.sort();
    assert_eq!((statuses, bench.writes().len()), (vec!["published".to_owned(), "recorded".to_owned()], 2));
    disk.worker().exits(0);
    assert_published(&skipped);
}

#[test]
fn one_after_the_other_both_have_room() {
    let mut bench = Bench::new();
    bench.set("HLS_MIN_FREE", "0");
    bench.set("HLS_JOBS", "1");
    let Some(disk) = SmallDisk::mount(&bench, 8_000) else { return };
    for name in ["a", "b"] {
        put(Clip::Jibri, &disk.room(name).join("meeting.mp4"));
        disk.finalize(name).exits(0);
    }
    disk.fill(2_100_000);
    disk.worker().exits(0);
    for name in ["a", "b"] {
        assert_published(&disk.room(name));
    }
}

#[test]
fn where_too_little_would_stay_free_nothing_is_touched() {
    let mut bench = Bench::new();
    bench.set("HLS_MIN_FREE", "1G");
    let Some(disk) = SmallDisk::mount(&bench, 8_000) else { return };
    let room = disk.room("standup");
    put(Clip::Short, &room.join("meeting.mp4"));
    disk.finalize("standup").exits(0);
    bench.notion.clear_requests();
    let (path, notes) = noted_ffmpeg(&bench);
    let state = fs::read(room.join(".recording.json")).unwrap();
    // A gigabyte is to stay free, and the disk has 8 MB; also where nobody reads more than errors.
    for _ in 0..4 {
        let out = run(disk.command("jitsi-hls-worker").arg("-q").env("PATH", &path)).exits(75);
        let messages = out.messages();
        let [line] = &messages[..] else { panic!("{}", out.stderr) };
        assert!(line.contains(" of which 1.0G stay free (HLS_MIN_FREE) and 0 are for other jobs; skipped"), "{line}");
        assert_eq!(listing(&room), FINALIZED);
    }
    assert!(fs::read(room.join(".recording.json")).unwrap() == state);
    assert!(!notes.exists() && bench.requests().is_empty());
    assert_eq!(bench.only_row().status().unwrap(), "recorded");
}
