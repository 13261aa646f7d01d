//! Rows and columns that a person changes while the worker encodes.

use std::path::{Path, PathBuf};

use pipeline_tests::media::Clip;
use pipeline_tests::processes::worker_in_mid_encode;
use pipeline_tests::{Bench, Out, assert_published, each_at_once, scripts};
use serde_json::json;

/// A bench whose only room is about to be encoded, with its page.
fn finalized() -> (Bench, PathBuf, String) {
    let mut bench = Bench::new();
    bench.set("HLS_PROFILE", "source");
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    let page = bench.only_row().id;
    (bench, room, page)
}

/// A run during whose encode a person does this in Notion.
fn disturbed(bench: &Bench, room: &Path, disturb: impl FnOnce()) -> Out {
    let (worker, _) = worker_in_mid_encode(bench, room);
    disturb();
    worker.end()
}

fn assert_says(out: &Out, parts: &[&str]) {
    let found = out.messages().into_iter().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "{parts:?}: {}", out.stderr);
}

#[test]
fn a_page_that_a_person_archives_during_the_encode_is_reported_and_its_recording_published_once_it_is_back() {
    let (bench, room, page) = finalized();
    let out = disturbed(&bench, &room, || bench.notion.archive(&page)).exits(1);
    assert_says(&out, &["ERROR: Notion update failed: ", &page, "restore it there", "room=daily"]);
    assert_says(&out, &["room=daily is left alone, its mp4 kept: ", "then run jitsi-hls-worker --retry "]);
    assert!(room.join("meeting.mp4").exists() && room.join("v0/master.m3u8").exists());
    bench.notion.clear_requests();
    bench.worker().exits(0);
    assert_eq!(bench.requests(), [""; 0]);

    scripts::request(&bench, "PATCH", &format!("/v1/pages/{page}"), &json!({"archived": false}));
    bench.worker_with(["--retry".as_ref(), room.as_os_str()]).exits(0);
    assert_published(&room);
    assert_eq!((bench.only_row().id, bench.only_row().status().unwrap()), (page, "published".into()));
}

#[test]
fn a_page_that_a_person_deletes_during_the_encode_is_reported_and_not_made_again() {
    let (bench, room, page) = finalized();
    let out = disturbed(&bench, &room, || bench.notion.delete(&page)).exits(1);
    assert_says(&out, &["ERROR: Notion update failed: ", &page, "is deleted, or no longer shared", "room=daily"]);
    for _ in 0..2 {
        bench.worker().exits(0);
    }
    assert!(room.join("meeting.mp4").exists() && room.join("v0/master.m3u8").exists());
    assert_eq!(bench.notion.pages().len(), 0);
}

#[test]
fn a_property_that_is_renamed_during_the_encode_is_done_without_where_it_can_be_and_named_where_not() {
    each_at_once([("Status", "Status"), ("Recording URL", "Recording URL")], |column| {
        let (bench, room, _) = finalized();
        let out = disturbed(&bench, &room, || bench.notion.rename_column(column, "Mine"));
        if column == "Status" {
            out.exits(0);
            assert_eq!(bench.only_row().text("Mine").unwrap(), "processing", "no longer ours");
        } else {
            let out = out.exits(1);
            assert_says(&out, &["ERROR: ", "column Recording URL is missing"]);
            assert_says(&out, &["ERROR: stopped: no recording can be published before this is mended"]);
            assert!(room.join("meeting.mp4").exists());
            bench.notion.rename_column("Mine", "Recording URL");
            bench.worker().exits(0);
            assert_eq!(bench.only_row().status().unwrap(), "published");
        }
        assert_published(&room);
        assert_eq!(bench.only_row().url().unwrap(), "https://rec.example.com/daily/v0/master.m3u8");
    });
}
