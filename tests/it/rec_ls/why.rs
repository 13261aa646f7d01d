//! `rec-ls --why`: what holds a recording, and that the command it gives moves it.

use std::fs;
use std::time::Duration;

use pipeline_tests::ls::{edit_state, every_why, made, paste, published, rec_ls, why};
use pipeline_tests::media::{Clip, age, cut};
use pipeline_tests::{Bench, assert_published, run, scripts};
use serde_json::json;

use crate::window;

const RETRY: &str = "jitsi-hls-worker --retry ";

#[test]
fn a_recording_that_the_next_run_takes_up_is_held_by_nothing() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    fs::write(room.join("metadata.json"), r#"{"meeting_url":"https://meet.example.com/Daily%20Standup"}"#).unwrap();
    bench.finalize(&room).exits(0);
    let why = why(&bench, &room);
    assert_eq!(why.head, format!("{}: recorded", room.join("meeting.mp4").display()));
    assert!(why.one("mp4").contains(" (1m ago)"), "{why:?}");
    assert_eq!(why.one("meeting"), "Daily Standup");
    assert_eq!(why.one("row"), format!("{}, says recorded", bench.only_row().id));
    assert_eq!(why.one("link"), "https://rec.example.com/daily/meeting.mp4");
    assert_eq!(why.one("done"), "its row was set to recorded");
    assert_eq!(why.one("do"), "nothing to do: the next run of jitsi-hls-worker makes its HLS");
    assert_eq!((why.all("held"), why.all("error"), why.all("but")), (&[][..], &[][..], &[][..]));
}

#[test]
fn what_the_next_run_is_going_to_do_is_said_and_then_that_it_was_done() {
    let bench = Bench::new();
    let room = made(&bench, "daily");
    let before = why(&bench, &room);
    assert_eq!(before.one("do"), "nothing to do: the next run of jitsi-hls-worker points its row at its HLS");
    bench.worker().exits(0);
    let after = why(&bench, &room);
    assert_eq!(after.head, format!("{}: published", room.join("meeting.mp4").display()));
    assert!(after.one("mp4").contains("; removed 2"), "{after:?}");
    assert!(after.one("done").ends_with(", after its HLS was published"), "{after:?}");
    assert_eq!(after.one("do"), "nothing to do: it is published");
}

#[test]
fn what_finalize_was_not_called_for_is_finalized() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "it's\nodd");
    let why = why(&bench, &room);
    assert!(why.one("held").contains("PUBLISH_UNFINALIZED_AFTER"), "{why:?}");
    paste(&bench, why.one("do")).exits(0);
    assert_eq!(bench.only_row().status().unwrap(), "recorded");
}

#[test]
fn an_mp4_that_is_to_be_published_without_finalize_has_its_time_told() {
    let mut bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.set("PUBLISH_UNFINALIZED_AFTER", "60");
    let later = why(&bench, &room);
    assert!(later.one("held").contains("if it does not change until 2"), "{later:?}");
    age(&room.join("meeting.mp4"), Duration::from_secs(2 * 3600));
    assert_eq!(why(&bench, &room).one("do"), "nothing to do: the next run of jitsi-hls-worker takes it up");
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn a_notion_id_that_is_none_is_settled_by_finalize() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    fs::write(room.join(".notion_id"), "").unwrap();
    age(&room.join(".notion_id"), Duration::from_secs(7200));
    let why = why(&bench, &room);
    assert_eq!(why.one("held"), ".notion_id is empty");
    paste(&bench, why.one("do")).exits(0);
    bench.only_row();
}

#[test]
fn a_second_mp4_that_is_still_being_written_waits_for_its_end() {
    let bench = Bench::new();
    let room = published(&bench, "daily");
    let mp4 = bench.recorded_of(Clip::Short, "daily").join("meeting.mp4");
    cut(&mp4, 0.5);
    fs::rename(&mp4, room.join("second.mp4")).unwrap();
    let all = every_why(&rec_ls(&bench, ["--why", room.to_str().unwrap()]).exits(0));
    assert!(all[0].head.ends_with("meeting.mp4: published"), "{all:?}");
    assert!(all[1].head.ends_with("second.mp4: new"), "{all:?}");
    assert!(all[1].one("held").starts_with("it may still be being written"), "{all:?}");
    assert!(all[1].one("do").starts_with("nothing to do: "), "{all:?}");
}

#[test]
fn what_was_given_up_says_why_and_after_how_many_tries_and_is_retried() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "two words");
    bench.finalize(&room).exits(0);
    edit_state(&room, |recording| {
        (recording["given_up"], recording["error"]) = (json!(true), json!("ffmpeg said: no"));
        recording["failures"] = json!(3);
    });
    let why = why(&bench, &room);
    assert!(why.head.ends_with(": error"), "{why:?}");
    assert_eq!(why.one("error"), "ffmpeg said: no (3 tries failed)");
    assert!(why.one("do").starts_with(RETRY), "{why:?}");
    paste(&bench, why.one("do")).exits(0);
    assert_published(&room);
}

#[test]
fn a_pause_after_trouble_says_until_when_and_why_and_a_retry_ends_it() {
    let bench = Bench::new();
    let room = made(&bench, "daily");
    let until = super::in_minutes(40);
    edit_state(&room, |recording| {
        recording["remote"] = json!({"tries": 7, "since": "2026-01-01T00:00:00Z", "until": until, "why": "503"});
    });
    let why = why(&bench, &room);
    let (held, second) = (why.one("held"), &until[..19]);
    assert!(held.starts_with(&format!("trouble of Notion: it is not tried again before {second}Z; it failed 7 times")));
    assert!(held.ends_with("since 2026-01-01T00:00:00Z: 503"), "{held}");
    bench.worker().exits(0);
    assert!(room.join("meeting.mp4").exists(), "the worker waits as it was said");
    paste(&bench, why.one("do")).exits(0);
    assert_published(&room);
}

#[test]
fn a_deleted_row_is_restored_first() {
    let bench = Bench::new();
    let room = made(&bench, "daily");
    edit_state(&room, |recording| recording["row_gone"] = json!(true));
    let why = why(&bench, &room);
    assert!(why.head.ends_with(": gone") && why.one("held").starts_with("somebody has deleted its row"), "{why:?}");
    let command = why.one("do").strip_prefix("restore its row in Notion's trash, then: ").unwrap();
    paste(&bench, command).exits(0);
    assert_published(&room);
}

#[test]
fn outside_of_its_hours_the_worker_is_given_the_directory() {
    let mut bench = Bench::new();
    let room = made(&bench, "daily");
    bench.set("HLS_WINDOW", window::closed());
    let why = why(&bench, &room);
    assert!(why.one("held").starts_with("the window ") && why.one("held").ends_with(" (HLS_WINDOW)"), "{why:?}");
    paste(&bench, why.one("do")).exits(0);
    assert_published(&room);
}

#[test]
fn a_window_that_is_none_is_mended_in_the_env_file() {
    let mut bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    bench.set("HLS_WINDOW", "at night");
    let why = why(&bench, &room);
    assert!(why.one("held").starts_with("HLS_WINDOW ") && why.one("held").ends_with(": no run begins"), "{why:?}");
    assert_eq!(why.one("do"), "mend HLS_WINDOW in the env file");
}

#[test]
fn a_disk_that_is_too_full_is_named_with_its_figures() {
    let mut bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    bench.set("HLS_MIN_FREE", "900T");
    let full = why(&bench, &room);
    assert!(full.one("held").ends_with("free, and 900T of it stay free (HLS_MIN_FREE)"), "{full:?}");
    assert_eq!(full.one("do"), "make room on its disk, or set HLS_MIN_FREE lower");
    bench.set("HLS_MIN_FREE", "0");
    assert_eq!(why(&bench, &room).all("held"), &[] as &[String]);
}

#[test]
fn what_is_damaged_is_published_as_it_is_and_what_is_lost_is_lost() {
    let bench = Bench::new();
    let damaged = made(&bench, "damaged");
    edit_state(&damaged, |recording| recording["damage"] = json!("it is cut"));
    bench.worker().exits(0);
    let damaged = why(&bench, &damaged);
    assert!(damaged.head.ends_with(": damaged"), "{damaged:?}");
    assert_eq!(damaged.one("error"), "it is cut");
    assert_eq!(damaged.one("do"), "nothing to do: what can be decoded of it is published, and its MP4 is kept");
    let lost = published(&bench, "lost");
    fs::remove_dir_all(lost.join("v0")).unwrap();
    let lost = why(&bench, &lost);
    assert!(lost.head.ends_with(": lost"), "{lost:?}");
    assert_eq!(lost.one("do"), "bring its MP4 or its HLS back from a backup");
}

#[test]
fn hls_that_is_not_whole_is_told_where_nothing_can_be_made_anew() {
    let bench = Bench::new();
    let room = published(&bench, "daily");
    fs::remove_file(room.join("v0/seg_000000.ts")).unwrap();
    let why = why(&bench, &room);
    assert!(why.one("held").starts_with("its HLS is not whole, and its MP4 is gone: segment seg_000000.ts"), "{why:?}");
}

#[test]
fn a_directory_outside_of_the_root_is_given_to_the_worker() {
    let bench = Bench::new();
    let inside = made(&bench, "daily");
    let outside = bench.dir().join("elsewhere");
    fs::rename(inside, &outside).unwrap();
    let why = why(&bench, &outside);
    assert!(why.one("held").starts_with("it does not lie directly below RECORDINGS_ROOT"), "{why:?}");
    paste(&bench, why.one("do")).exits(0);
    assert_published(&outside);
}

#[test]
fn a_directory_without_a_recording_is_said_to_have_none() {
    let bench = Bench::new();
    let out = rec_ls(&bench, ["--why", bench.room("empty").to_str().unwrap()]).exits(0);
    let wanted = format!("{}: no recording: it has no MP4, and no tool knows of one\n", bench.room("empty").display());
    assert_eq!(out.stdout, wanted);
}

#[test]
fn without_an_env_file_it_says_what_it_cannot_know() {
    let bench = Bench::new();
    let room = made(&bench, "daily");
    let mut command = bench.command("rec-ls");
    let out = run(command.args(["--env-file", "/gone", "--why"]).arg(&room)).exits(1);
    let why = every_why(&out).remove(0);
    assert!(why.head.ends_with(": made") && why.one("but").contains("env file"), "{why:?}");
}

#[test]
fn every_name_has_a_command_that_a_shell_takes() {
    let bench = Bench::new();
    for name in &*pipeline_tests::names::NAMES {
        let room = bench.room(name);
        fs::write(room.join("meeting.mp4"), "").unwrap();
        let why = why(&bench, &room);
        let print = why.one("do").replacen("jitsi-finalize", "printf %s", 1);
        let shell = std::process::Command::new("bash").args(["-c", &print]).output().unwrap();
        assert_eq!(shell.stdout, room.as_os_str().as_encoded_bytes(), "{print}");
    }
}

#[test]
fn what_the_scripts_left_is_explained_and_not_touched() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    let page = scripts::finalize(&bench, &room);
    let why = why(&bench, &room);
    assert_eq!((why.one("row"), why.one("done")), (page.as_str(), "its row was made"));
    assert_eq!(pipeline_tests::listing(&room), [".notion_id", "meeting.mp4"]);
}
