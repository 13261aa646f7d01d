//! `rec-ls --check`: each finding, and that its remedy makes an end of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_tests::ls::{Finding, edit_state, findings, made, only_finding, paste, published, put_hls, rec_ls};
use pipeline_tests::media::{self, Clip, age, cut};
use pipeline_tests::{Bench, assert_published, scripts};
use serde_json::{Value, json};

const TWO_HOURS: Duration = Duration::from_secs(7200);

/// A room with an MP4 of two hours ago.
fn old(bench: &Bench, name: &str) -> PathBuf {
    let room = bench.recorded_of(Clip::Short, name);
    age(&room.join("meeting.mp4"), TWO_HOURS);
    room
}

/// Sets the time of a directory to two hours ago.
fn age_dir(dir: &Path) {
    let then = std::time::SystemTime::now() - TWO_HOURS;
    fs::File::open(dir).unwrap().set_modified(then).unwrap();
}

/// The only finding is of this kind; its command ends it, and there is no other one then.
#[track_caller]
fn ends(bench: &Bench, kind: &str) -> Finding {
    let finding = only_finding(bench);
    assert_eq!(finding.kind, kind, "{finding:?}");
    let command = finding.command.as_ref().unwrap_or_else(|| panic!("no command: {finding:?}"));
    let out = paste(bench, command).exits(0);
    assert_eq!(findings(bench), [], "{finding:?}: {}", out.stderr);
    finding
}

#[test]
fn where_all_is_well_nothing_is_said() {
    let bench = Bench::new();
    published(&bench, "published");
    bench.finalize(old(&bench, "recorded")).exits(0);
    // Young, and of nobody yet.
    bench.recorded_of(Clip::Short, "new");
    bench.room("empty");
    let out = rec_ls(&bench, ["--check", "-v"]).exits(0);
    assert_eq!((out.stdout, out.stderr), (String::new(), String::new()));
}

#[test]
fn a_finding_is_a_line_with_its_remedy_and_an_object_with_its_command() {
    let bench = Bench::new();
    let room = old(&bench, "it's\nodd");
    let out = rec_ls(&bench, ["--check"]).exits(1);
    let dir = room.display().to_string().replace('\n', "\\n");
    let command =
        format!("jitsi-finalize $'{}'", room.display().to_string().replace('\'', "\\'").replace('\n', "\\012"));
    assert_eq!(out.stdout, format!("no-row {dir}: meeting.mp4 has no row: {command}\n"));
    let object: Value = serde_json::from_str(&rec_ls(&bench, ["--check", "--json"]).exits(1).stdout).unwrap();
    let golden = json!({
        "type": "no-row", "dir": room.to_str(), "file": "meeting.mp4", "what": "meeting.mp4 has no row",
        "command": command,
    });
    assert_eq!(object, golden);
    ends(&bench, "no-row");
}

#[test]
fn a_recording_that_the_suite_knows_and_that_has_no_row_gets_it_from_the_worker() {
    let bench = Bench::new();
    let room = old(&bench, "standup");
    bench.finalize(&room).exits(0);
    bench.notion.delete(&bench.only_row().id);
    fs::remove_file(room.join(".notion_id")).unwrap();
    edit_state(&room, |recording| {
        recording.as_object_mut().unwrap().retain(|key, _| !["page_id", "row"].contains(&key.as_str()));
    });
    let finding = ends(&bench, "no-row");
    assert!(finding.command.unwrap().starts_with("jitsi-hls-worker "));
    assert_published(&room);
}

#[test]
fn a_row_that_waits_for_notion_is_no_finding() {
    let bench = Bench::new();
    let room = old(&bench, "standup");
    bench.finalize(&room).exits(0);
    edit_state(&room, |recording| {
        recording.as_object_mut().unwrap().retain(|key, _| !["page_id", "row"].contains(&key.as_str()));
        let until = super::in_minutes(30);
        recording["remote"] = json!({"tries": 9, "since": "2026-01-01T00:00:00Z", "until": until, "why": "503"});
    });
    assert_eq!(findings(&bench), []);
}

#[test]
fn an_mp4_that_is_published_by_itself_later_is_no_finding_until_then() {
    let mut bench = Bench::new();
    old(&bench, "standup");
    bench.set("PUBLISH_UNFINALIZED_AFTER", "600");
    assert_eq!(findings(&bench), []);
    bench.set("PUBLISH_UNFINALIZED_AFTER", "90");
    assert_eq!(only_finding(&bench).kind, "no-row");
}

#[test]
fn hls_without_a_row_and_without_an_mp4_needs_a_person() {
    let bench = Bench::new();
    let room = published(&bench, "standup");
    fs::remove_file(room.join(".notion_id")).unwrap();
    edit_state(&room, |recording| {
        recording.as_object_mut().unwrap().retain(|key, _| !["page_id", "row"].contains(&key.as_str()));
    });
    let finding = only_finding(&bench);
    assert_eq!((finding.kind.as_str(), finding.command), ("no-row", None));
    // As its words say.
    fs::write(room.join(".notion_id"), format!("{}\n", bench.only_row().id)).unwrap();
    assert_eq!(findings(&bench), []);
    assert!(finding.remedy.unwrap().contains("write its page id into .notion_id"));
}

#[test]
fn a_notion_id_that_is_not_the_states_is_written_anew() {
    let other = "11111111-2222-3333-4444-555555555555";
    for content in [None, Some(""), Some("no page\n"), Some(other)] {
        let bench = Bench::new();
        let room = published(&bench, "two words");
        match content {
            Some(content) => fs::write(room.join(".notion_id"), content).unwrap(),
            None => fs::remove_file(room.join(".notion_id")).unwrap(),
        }
        let finding = ends(&bench, "row-id");
        assert_eq!(finding.remedy.is_some(), content == Some(other), "{finding:?}");
        let page = bench.only_row().id;
        assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{page}\n"));
    }
}

#[test]
fn an_empty_or_garbled_notion_id_of_the_scripts_is_settled_by_finalize() {
    for content in ["", "<html>"] {
        let bench = Bench::new();
        let room = bench.recorded_of(Clip::Short, "standup");
        fs::write(room.join(".notion_id"), content).unwrap();
        // When the row was asked for: long enough ago that it is not waited for.
        age(&room.join(".notion_id"), TWO_HOURS);
        let finding = ends(&bench, "row-id");
        assert!(finding.what.starts_with(".notion_id "), "{finding:?}");
        bench.only_row();
    }
}

#[test]
fn an_empty_notion_id_beside_hls_alone_needs_a_person() {
    let bench = Bench::new();
    let room = bench.room("standup");
    fs::write(room.join(".notion_id"), "").unwrap();
    assert_eq!(findings(&bench), [], "nothing is there that a row could be for");
    put_hls(&room.join("v0"));
    let kinds: Vec<_> = findings(&bench).into_iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, ["row-id", "hls-alone"]);
    // Not even what is not whole is to be removed while its row is asked for.
    fs::remove_file(room.join("v0/seg_000000.ts")).unwrap();
    assert!(findings(&bench).into_iter().all(|finding| finding.command.is_none()));
    fs::write(room.join("v0/seg_000000.ts"), "G").unwrap();
    fs::write(room.join(".notion_id"), "11111111-2222-3333-4444-555555555555").unwrap();
    assert_eq!(findings(&bench), []);
}

#[test]
fn the_only_hls_of_a_published_meeting_is_not_to_be_removed_where_its_state_is_gone() {
    let bench = Bench::new();
    let room = published(&bench, "standup");
    let id = fs::read(room.join(".notion_id")).unwrap();
    for name in [".notion_id", ".recording.json"] {
        fs::remove_file(room.join(name)).unwrap();
    }
    let finding = only_finding(&bench);
    assert_eq!((finding.kind.as_str(), finding.command), ("hls-alone", None));
    let remedy = finding.remedy.unwrap();
    let why = rec_ls(&bench, ["--why", room.to_str().unwrap()]).exits(0).stdout;
    assert_eq!(why, format!("{}: HLS of no recording that is known\n  do       {remedy}\n", room.join("v0").display()));
    // As its words say.
    assert!(remedy.contains("put its page id into .notion_id"), "{remedy}");
    fs::write(room.join(".notion_id"), id).unwrap();
    assert_eq!(findings(&bench), []);
}

#[test]
fn hls_that_is_not_whole_is_made_anew_from_its_mp4() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 3] = [
        ("a segment is gone", |hls| fs::remove_file(hls.join("seg_000000.ts")).unwrap()),
        ("a segment is empty", |hls| fs::write(hls.join("seg_000000.ts"), "").unwrap()),
        ("the playlist is cut", |hls| fs::write(hls.join("stream.m3u8"), "#EXTM3U\n").unwrap()),
    ];
    for (name, harm) in harms {
        let bench = Bench::new();
        let room = made(&bench, "standup");
        harm(&room.join("v0"));
        let finding = only_finding(&bench);
        assert_eq!(finding.kind, "hls-broken", "{name}");
        if name == "a segment is gone" {
            ends(&bench, "hls-broken");
            assert_published(&room);
        }
    }
}

#[test]
fn hls_of_a_damaged_recording_that_is_not_whole_is_made_anew_once_it_is_removed() {
    let mut bench = Bench::new();
    bench.set("HLS_ACCEPT_DAMAGED", "yes");
    let room = bench.room("standup");
    media::put(Clip::FastStart, &room.join("meeting.mp4"));
    cut(&room.join("meeting.mp4"), 0.5);
    bench.finalize(&room).exits(1);
    bench.worker().exits(0);
    assert_eq!(findings(&bench), []);
    fs::remove_file(room.join("v0/seg_000000.ts")).unwrap();
    ends(&bench, "hls-broken");
    assert!(room.join("v0/seg_000000.ts").exists() && room.join("meeting.mp4").exists());
    fs::remove_dir_all(room.join("v0")).unwrap();
    ends(&bench, "hls-broken");
    assert!(room.join("v0/seg_000000.ts").exists() && room.join("meeting.mp4").exists());
}

#[test]
fn hls_that_is_not_whole_and_has_no_mp4_comes_back_from_a_backup() {
    let bench = Bench::new();
    let room = published(&bench, "standup");
    let segment = fs::read(room.join("v0/seg_000000.ts")).unwrap();
    fs::remove_file(room.join("v0/seg_000000.ts")).unwrap();
    let finding = only_finding(&bench);
    assert_eq!((finding.kind.as_str(), finding.command), ("hls-broken", None));
    // The worker says so, too, and gives it up: that is no second finding.
    edit_state(&room, |recording| recording["row"]["status"] = json!("processing"));
    bench.worker().exits(1);
    assert_eq!(only_finding(&bench).kind, "hls-broken");
    fs::write(room.join("v0/seg_000000.ts"), segment).unwrap();
    ends(&bench, "given-up");
}

#[test]
fn an_mp4_beside_its_published_hls_is_removed_by_the_worker() {
    let bench = Bench::new();
    let room = published(&bench, "standup");
    // A worker that died before it could.
    media::put(Clip::Short, &room.join("meeting.mp4"));
    let time = fs::metadata(room.join("meeting.mp4")).unwrap().modified().unwrap();
    let time = time::OffsetDateTime::from(time).format(&time::format_description::well_known::Rfc3339).unwrap();
    edit_state(&room, |recording| {
        recording.as_object_mut().unwrap().remove("removed");
        recording["source"]["mtime"] = json!(time);
        recording["hls"]["of"]["mtime"] = json!(time);
    });
    ends(&bench, "mp4-left");
    assert_published(&room);
}

#[test]
fn what_a_killed_worker_left_and_nobody_goes_on_with_is_litter() {
    let bench = Bench::new();
    let room = published(&bench, "standup");
    let tmp = room.join("v1.tmp");
    fs::create_dir(&tmp).unwrap();
    assert_eq!(findings(&bench), [], "it may have been a moment ago");
    age_dir(&tmp);
    ends(&bench, "litter");
    assert_published(&room);
}

#[test]
fn an_encode_that_the_next_run_goes_on_with_is_no_litter() {
    let bench = Bench::new();
    let room = old(&bench, "standup");
    bench.finalize(&room).exits(0);
    fs::create_dir(room.join("v0.tmp")).unwrap();
    age_dir(&room.join("v0.tmp"));
    assert_eq!(findings(&bench), []);
    edit_state(&room, |recording| recording["given_up"] = json!(true));
    let kinds: Vec<_> = findings(&bench).into_iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, ["given-up", "litter"]);
}

#[test]
fn what_a_writer_that_died_left_beside_its_file_is_litter() {
    for name in [".recording.json.tmp", ".notion_id.tmp"] {
        let bench = Bench::new();
        let room = published(&bench, "two words");
        fs::write(room.join(name), "{").unwrap();
        assert_eq!(findings(&bench), [], "it may be being written now");
        age(&room.join(name), TWO_HOURS);
        ends(&bench, "litter");
        assert_published(&room);
    }
}

#[test]
fn a_state_of_which_nothing_is_there_goes_with_its_directory() {
    let bench = Bench::new();
    let room = published(&bench, "two words");
    fs::remove_dir_all(room.join("v0")).unwrap();
    fs::write(room.join("metadata.json"), "{}").unwrap();
    for odd in ["notes.txt", "meeting.mkv"] {
        fs::write(room.join(odd), "").unwrap();
        assert_eq!(only_finding(&bench).command, None, "{odd}");
        fs::remove_file(room.join(odd)).unwrap();
    }
    std::os::unix::fs::symlink("/not/mounted", room.join("v0")).unwrap();
    assert_eq!(only_finding(&bench).command, None);
    fs::remove_file(room.join("v0")).unwrap();
    ends(&bench, "state-alone");
    assert!(!room.exists());
}

#[test]
fn one_of_two_recordings_of_which_nothing_is_there_takes_nothing_with_it() {
    let bench = Bench::new();
    let room = published(&bench, "standup");
    bench.recorded_of(Clip::Other, "standup");
    bench.finalize(&room).exits(0);
    fs::remove_dir_all(room.join("v0")).unwrap();
    let finding = only_finding(&bench);
    assert_eq!((finding.kind.as_str(), finding.command), ("state-alone", None));
}

#[test]
fn a_state_file_that_is_broken_is_moved_away_and_the_row_found_again() {
    for broken in ["", "{\"version\":1,", "[]", "{\"version\":\"99\"}"] {
        let bench = Bench::new();
        let room = bench.recorded_of(Clip::Short, "two words");
        bench.finalize(&room).exits(0);
        fs::write(room.join(".recording.json"), broken).unwrap();
        ends(&bench, "state-unreadable");
        bench.worker().exits(0);
        assert_eq!(bench.only_row().status().unwrap(), "published");
    }
}

#[test]
fn a_state_file_of_a_newer_version_is_left_as_it_is() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "standup");
    fs::write(room.join(".recording.json"), r#"{"version": 99, "recordings": []}"#).unwrap();
    let finding = only_finding(&bench);
    let wanted = ("state-unreadable", Some("install a newer version of these tools".to_owned()), None);
    assert_eq!((finding.kind.as_str(), finding.remedy, finding.command), wanted);
}

#[test]
fn a_copied_directory_has_a_row_that_another_has() {
    let bench = Bench::new();
    let room = published(&bench, "a");
    let copy = room.with_file_name("b");
    paste(&bench, &format!("cp -r '{}' '{}'", room.display(), copy.display())).exits(0);
    let finding = only_finding(&bench);
    assert_eq!((finding.kind.as_str(), &finding.command), ("twice", &None));
    let wanted = format!("meeting.mp4 has the row {}, as has meeting.mp4 in {}", bench.only_row().id, room.display());
    assert_eq!(finding.what, wanted);
    fs::rename(copy, bench.dir().join("elsewhere")).unwrap();
    assert_eq!(findings(&bench), []);
}

#[test]
fn hls_of_nobody_is_removed_only_where_it_cannot_be_played() {
    let bench = Bench::new();
    let room = published(&bench, "two words");
    put_hls(&room.join("v3"));
    let finding = only_finding(&bench);
    assert_eq!((finding.kind.as_str(), finding.command), ("hls-alone", None));
    fs::write(room.join("v3/seg_000000.ts"), "").unwrap();
    // Not names that the worker gives.
    fs::create_dir(room.join("v03")).unwrap();
    fs::create_dir(room.join("vacation")).unwrap();
    ends(&bench, "hls-alone");
    assert!(room.join("v03").exists() && !room.join("v3").exists());
}

#[test]
fn what_was_given_up_is_retried_once_it_is_mended() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "standup");
    bench.finalize(&room).exits(0);
    edit_state(&room, |recording| (recording["given_up"], recording["error"]) = (json!(true), json!("ffmpeg\nfailed")));
    let finding = ends(&bench, "given-up");
    assert_eq!(finding.what, "meeting.mp4 was given up: ffmpeg\\nfailed");
    assert_published(&room);
}

#[test]
fn a_row_that_was_deleted_is_restored_and_the_recording_retried() {
    let bench = Bench::new();
    let room = made(&bench, "standup");
    edit_state(&room, |recording| recording["row_gone"] = json!(true));
    let finding = ends(&bench, "row-gone");
    assert_eq!(finding.remedy.unwrap(), "restore its row in Notion's trash, then");
    assert_published(&room);
}

#[test]
fn what_somebody_works_on_is_left_out_and_v_says_so() {
    let bench = Bench::new();
    let room = published(&bench, "standup");
    fs::remove_file(room.join(".notion_id")).unwrap();
    let lock = fs::File::options().write(true).open(room.join(".recording.lock")).unwrap();
    lock.lock().unwrap();
    let out = rec_ls(&bench, ["--check", "-v"]).exits(0);
    let wanted = format!("rec-ls: {} is left out: it is locked by ", room.display());
    assert!(out.stdout.is_empty() && out.stderr.starts_with(&wanted), "{out:?}");
    // Not only closed: a process that another test starts just now may have it open until it is that program.
    lock.unlock().unwrap();
    assert_eq!(only_finding(&bench).kind, "row-id");
}

#[test]
fn what_the_scripts_left_and_is_on_its_way_is_no_finding() {
    let bench = Bench::new();
    let room = old(&bench, "finalized");
    scripts::finalize(&bench, &room);
    let done = old(&bench, "done");
    scripts::finalize(&bench, &done);
    put_hls(&done.join("v0"));
    fs::remove_file(done.join("meeting.mp4")).unwrap();
    assert_eq!(findings(&bench), []);
}
