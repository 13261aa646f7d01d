//! The scripts' defect A, loss of the only copy, where ffmpeg fails or is deceived: gone.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use pipeline_tests::disk::SmallDisk;
use pipeline_tests::media::{self, Clip};
use pipeline_tests::processes::{alive, disturbed_ffmpeg, ffmpegs, signal, worker_in_mid_encode};
use pipeline_tests::rooms::{FINALIZED, end_holds};
use pipeline_tests::{Bench, Fault, assert_published, hls, listing, run, wait_for};

#[test]
fn an_ffmpeg_that_is_killed_or_terminated_in_mid_encode_costs_no_recording() {
    for name in ["KILL", "TERM"] {
        let bench = Bench::new();
        let room = bench.finalized("daily-standup");
        let before = fs::read(room.join("meeting.mp4")).unwrap();
        let (worker, ffmpeg) = worker_in_mid_encode(&bench, &room);
        signal(ffmpeg, name);
        let out = worker.end().exits(75);
        assert!(out.stderr.contains("ERROR: ffmpeg failed room=daily-standup "), "{}", out.stderr);
        assert!(out.stderr.contains("; mp4 kept; the next run tries again\n"), "{}", out.stderr);
        assert!(!alive(ffmpeg));
        // What is encoded may be kept for the next run to go on from.
        let left: Vec<_> = listing(&room).into_iter().filter(|name| name != "v0.tmp").collect();
        assert_eq!(left, FINALIZED, "{name}");
        assert!(fs::read(room.join("meeting.mp4")).unwrap() == before, "{name}");
        assert_eq!(bench.only_row().status().unwrap(), "processing");
        // Nothing is wrong with the file, and the next run shows it.
        bench.worker().exits(0);
        assert_published(&room);
        assert!((hls::seconds(&room.join("v0")) - 8.0).abs() < 0.5);
        assert_eq!(bench.only_row().status().unwrap(), "published");
    }
}

type Damage<'a> = (&'a str, &'a dyn Fn(&Path));

#[test]
fn a_file_that_is_damaged_or_that_the_encoder_cannot_take_is_never_deleted() {
    let put = |clip| move |file: &Path| media::put(clip, file);
    let damages: [Damage<'_>; 6] = [
        ("empty", &|file| fs::write(file, "").unwrap()),
        ("without its index", &|file| media::cut(file, 0.5)),
        ("cut behind its index", &|file| {
            put(Clip::FastStart)(file);
            media::cut(file, 0.5);
        }),
        ("cut, fragmented", &|file| {
            put(Clip::Fragmented)(file);
            media::cut(file, 0.5);
        }),
        ("zeroed in the middle", &media::zero_middle),
        ("no MP4 at all", &|file| fs::write(file, "x".repeat(100_000)).unwrap()),
    ];
    for (what, damage) in damages {
        let bench = Bench::new();
        let room = bench.finalized_by_the_script("daily-standup");
        let file = room.join("meeting.mp4");
        damage(&file);
        // So long ago that nobody is writing it still.
        media::age(&file, Duration::from_secs(3600));
        let before = fs::read(&file).unwrap();
        let out = bench.worker().exits(1);
        assert!(out.stderr.contains("room=daily-standup"), "{what}: {}", out.stderr);
        assert_eq!(listing(&room), FINALIZED, "{what}");
        assert!(fs::read(&file).unwrap() == before, "{what}");
        assert_eq!(bench.only_row().status().unwrap(), "error", "{what}");
        assert_eq!(bench.only_row().provider().unwrap(), "mp4", "{what}");
    }
}

#[test]
fn a_4_4_4_recording_that_the_scripts_encoder_refused_is_published() {
    let bench = Bench::new();
    let room = bench.room("daily-standup");
    media::put(Clip::Full, &room.join("meeting.mp4"));
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert_published(&room);
    assert!((hls::seconds(&room.join("v0")) - 8.0).abs() < 0.5);
}

#[test]
fn a_file_that_still_grows_is_left_to_its_writer_and_published_whole_afterwards() {
    let bench = Bench::new();
    let room = bench.finalized_by_the_script("daily-standup");
    let file = room.join("meeting.mp4");
    let mut recorder = std::process::Command::new("ffmpeg");
    recorder.args(["-nostdin", "-v", "error", "-y", "-re", "-i"]).arg(media::clip(Clip::Jibri)).args(["-c", "copy"]);
    recorder.args(["-movflags", "+frag_every_frame+empty_moov", "-flush_packets", "1"]).arg(&file);
    let mut recorder = recorder.stdin(Stdio::null()).spawn().unwrap();
    wait_for("the recording to begin", || fs::metadata(&file).is_ok_and(|now| (5_000..500_000).contains(&now.len())));

    let out = bench.worker().exits(75);
    let skipped = "Skip room=daily-standup mp4=meeting.mp4: it may still be being written";
    assert_eq!(out.messages(), [skipped, "Worker run complete."]);
    assert_eq!(bench.requests(), [""; 0]);
    assert!(file.exists() && !room.join("v0").exists());

    assert!(recorder.wait().unwrap().success());
    media::age(&file, Duration::from_secs(60));
    bench.worker().exits(0);
    assert_published(&room);
    assert!((hls::seconds(&room.join("v0")) - 8.0).abs() < 0.5, "{}", hls::seconds(&room.join("v0")));
}

#[test]
fn a_playlist_that_cannot_be_written_is_no_published_recording() {
    let bench = Bench::new();
    let room = bench.finalized_by_the_script("daily-standup");
    // What made ffmpeg's rename fail under the script, which then removed the MP4.
    fs::create_dir_all(room.join("v0/stream.m3u8")).unwrap();
    bench.worker().exits(0);
    assert_published(&room);
    assert!((hls::seconds(&room.join("v0")) - 8.0).abs() < 0.5);
}

#[test]
fn names_with_a_percent_pattern_are_only_names() {
    let bench = Bench::new();
    let room = bench.room("fmt %03d %s");
    media::put(Clip::Jibri, &room.join("%03d.mp4"));
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert_published(&room);
    assert!(room.join("v0/seg_000000.ts").exists());
    assert_eq!(listing(&bench.recordings()), ["fmt %03d %s"]);
    assert_eq!(bench.only_row().url().unwrap(), "https://rec.example.com/fmt%20%2503d%20%25s/v0/master.m3u8");
}

#[test]
fn a_full_disk_costs_a_try_and_no_recording() {
    let mut bench = Bench::new();
    bench.set("HLS_MIN_FREE", "0");
    let Some(disk) = SmallDisk::mount(&bench, 8_000) else { return };
    let room = disk.room("daily-standup");
    media::put(Clip::Jibri, &room.join("meeting.mp4"));
    disk.finalize("daily-standup").exits(0);
    // The disk has room when ffmpeg begins. Then somebody leaves enough for what is noted of the recording, and not for its HLS.
    let filler = bench.recordings().join("filler");
    let fill = format!("cat /dev/zero > '{0}'; truncate -s -200000 '{0}'", filler.display());
    let path = disturbed_ffmpeg(&bench, &format!("{{ {fill}; }} 2> /dev/null"));
    // A run never finds a master playlist of zero bytes, which the script took for HLS, and no run counts as a try.
    for tries in 1..=4 {
        let messages = run(disk.command("jitsi-hls-worker").env("PATH", &path)).exits(75).messages();
        let error = messages.iter().find(|line| line.starts_with("ERROR: ")).unwrap();
        let begins = error.starts_with("ERROR: room=daily-standup mp4=meeting.mp4: ");
        let next =
            if tries == 1 { "; the next run tries again".into() } else { format!("; try {tries}, tried again after ") };
        assert!(begins && error.contains(&next), "{error}");
        assert!(error.to_lowercase().contains("no space left"), "{error}");
        assert_eq!(listing(&room), FINALIZED);
        assert_eq!(ffmpegs(&disk.recordings()), [0; 0]);
        let state = fs::read_to_string(room.join(".recording.json")).unwrap();
        assert!(!state.contains("failures") && !state.contains("given_up"), "{state}");
        assert_eq!(bench.only_row().status().unwrap(), "processing");
        disk.free();
        end_holds(&room);
    }
    disk.worker().exits(0);
    assert_published(&room);
}

#[test]
fn a_recording_that_is_found_damaged_before_it_has_a_row_gets_one_that_says_error() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    bench.notion.fail(Fault::answer(503).retry_after("3600"));
    bench.finalize(&room).exits(75);
    media::cut(&room.join("meeting.mp4"), 0.5);
    media::age(&room.join("meeting.mp4"), Duration::from_secs(3600));
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains("cannot be played: "), "{}", out.stderr);
    assert_eq!(bench.only_row().status().unwrap(), "error");
    assert_eq!(listing(&room), FINALIZED);
}
