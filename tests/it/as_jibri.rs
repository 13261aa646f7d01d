//! `jitsi-finalize` as Jibri runs it: no shell, no terminal, and hardly an environment.

use std::fs;
use std::os::unix::fs::symlink;

use pipeline_tests::media::{self, Clip};
use pipeline_tests::processes::count_processes;
use pipeline_tests::{Bench, assert_published, hls, jibri};

#[test]
fn with_an_open_stdin_one_pipe_for_all_and_only_a_path_the_row_is_made() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let ended = jibri::finalize(&bench, &room);
    assert_eq!((ended.code, ended.messages.len()), (Some(0), 2), "{:?}", ended.messages);
    assert!(ended.messages[0].starts_with("Finalize room=daily-standup file=meeting.mp4 "), "{:?}", ended.messages);
    assert_eq!(bench.only_row().url().unwrap(), "https://rec.example.com/daily-standup/meeting.mp4");
    assert_eq!(bench.log("finalize.log"), ended.messages);
}

#[test]
fn a_directory_outside_of_the_root_is_published_by_its_own_name_with_a_warning() {
    let bench = Bench::new();
    let room = bench.dir().join("elsewhere/room 1");
    fs::create_dir_all(&room).unwrap();
    media::put(Clip::Jibri, &room.join("meeting.mp4"));
    let ended = jibri::finalize(&bench, &room);
    assert_eq!(ended.code, Some(0), "{:?}", ended.messages);
    let warning = format!("WARNING: {} is outside of RECORDINGS_ROOT: published by its own name", room.display());
    assert!(ended.messages[0].starts_with(&warning), "{:?}", ended.messages);
    assert_eq!(bench.only_row().url().unwrap(), "https://rec.example.com/room%201/meeting.mp4");
    // As the warning says, only a worker that is told of it looks there.
    bench.worker().exits(0);
    assert!(room.join("meeting.mp4").exists());
    bench.worker_with([&room]).exits(0);
    assert_published(&room);
    assert_eq!(bench.only_row().url().unwrap(), "https://rec.example.com/room%201/v0/master.m3u8");
}

#[test]
fn a_symlinked_directory_is_the_one_that_it_leads_to() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let link = bench.dir().join("current");
    symlink(&room, &link).unwrap();
    for path in [link.clone(), link.join(""), link.join("meeting.mp4")] {
        let ended = jibri::finalize(&bench, &path);
        assert_eq!(ended.code, Some(0), "{:?}", ended.messages);
    }
    assert_eq!(bench.only_row().url().unwrap(), "https://rec.example.com/daily-standup/meeting.mp4");
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn jibris_metadata_give_the_room_its_name_and_the_directory_its_url() {
    let bench = Bench::new();
    let room = bench.recorded("kdlsgwovekqlxdjb");
    let metadata =
        r#"{"meeting_url":"https://meet.example.org/team/Daily%20Standup?jwt=hunter2","participants":[],"share":true}"#;
    fs::write(room.join("metadata.json"), metadata).unwrap();
    let ended = jibri::finalize(&bench, &room);
    assert_eq!(ended.code, Some(0), "{:?}", ended.messages);
    let row = bench.only_row();
    assert_eq!((row.title(), row.room().unwrap()), ("[Jitsi] Daily Standup".into(), "Daily Standup".into()));
    assert_eq!(row.url().unwrap(), "https://rec.example.com/kdlsgwovekqlxdjb/meeting.mp4");
    assert!(bench.notion.requests().iter().all(|r| !String::from_utf8_lossy(&r.raw_body).contains("hunter2")));
}

#[test]
fn each_mp4_of_a_directory_has_a_row_and_hls_of_its_own() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    media::put(Clip::Short, &room.join("second.MP4"));
    media::put(Clip::Other, &room.join("third.mp4"));
    assert_eq!(jibri::finalize(&bench, &room).code, Some(0));
    let mut names = ["meeting.mp4", "second.MP4", "third.mp4"];
    names.sort_by_key(|name| std::cmp::Reverse(fs::metadata(room.join(name)).unwrap().len()));
    let urls = || -> Vec<_> { bench.notion.pages().iter().map(|row| row.url().unwrap()).collect() };
    let base = "https://rec.example.com/daily-standup";
    assert_eq!(urls(), names.map(|name| format!("{base}/{name}")), "the largest is the first");
    let first = bench.notion.pages().swap_remove(0).id;
    assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{first}\n"));
    bench.worker().exits(0);
    assert_eq!(urls(), [0, 1, 2].map(|slot| format!("{base}/v{slot}/master.m3u8")));
    assert!(names.iter().all(|name| !room.join(name).exists()));
    // Which HLS is whose: the short one is shorter.
    let short = names.iter().position(|name| *name == "second.MP4").unwrap();
    for slot in 0..3 {
        let seconds = hls::seconds(&room.join(format!("v{slot}")));
        assert!((seconds - if slot == short { 4.0 } else { 8.0 }).abs() < 0.5, "v{slot}: {seconds} s");
    }
}

#[test]
fn finalize_is_one_process_and_so_is_a_worker_with_nothing_to_do() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let Some(count) = count_processes(&bench, &jibri::command(&bench, &room)) else { return };
    assert_eq!((count, bench.notion.pages().len()), (1, 1));
    bench.worker().exits(0);
    assert_published(&room);
    bench.recorded("not finalized");
    assert_eq!(count_processes(&bench, &bench.command("jitsi-hls-worker")), Some(1));
    // What the count is worth: one with something to do starts ffmpeg.
    bench.finalized("another");
    assert!(count_processes(&bench, &bench.command("jitsi-hls-worker")).unwrap() > 2);
}
