//! Rows that a person has taken away, and rows that are not ours.

use std::fs;
use std::path::PathBuf;

use pipeline_tests::media::Clip;
use pipeline_tests::{Bench, Fault, assert_published, each_at_once, scripts};
use serde_json::json;

fn finalized(bench: &Bench, name: &str) -> PathBuf {
    let room = bench.recorded_of(Clip::Short, name);
    bench.finalize(&room).exits(0);
    room
}

/// Whether a person threw the row away before any HLS was made, or after.
#[derive(Clone, Copy, PartialEq)]
enum When {
    BeforeTheRun,
    WithHlsMade,
}

#[test]
fn a_row_that_a_person_archived_leaves_its_recording_alone_until_it_is_restored_and_named() {
    each_at_once([("before", When::BeforeTheRun), ("after", When::WithHlsMade)], |when| {
        let bench = Bench::new();
        let room = finalized(&bench, "daily");
        let other = finalized(&bench, "other");
        if when == When::WithHlsMade {
            bench.notion.fail(Fault::answer(503).on("PATCH", "").forever());
            bench.worker_with([&room]).exits(75);
            bench.notion.clear_faults();
        }
        let page = fs::read_to_string(room.join(".notion_id")).unwrap().trim().to_owned();
        bench.notion.archive(&page);

        let out = bench.worker().exits(1);
        let told = format!(
            "ERROR: room=daily is left alone, its mp4 kept: restore the row in Notion's trash, then run jitsi-hls-worker --retry '{}'",
            room.display()
        );
        assert!(out.messages().contains(&told), "{}", out.stderr);
        assert!(room.join("meeting.mp4").exists());
        assert_published(&other);

        bench.notion.clear_requests();
        bench.worker().exits(0);
        bench.finalize(&room).exits(0);
        assert_eq!(bench.requests(), [""; 0], "nothing is asked of Notion until somebody names the directory");
        bench.worker_with([&room]).exits(1);
        assert!(room.join("meeting.mp4").exists(), "still in the trash");

        scripts::request(&bench, "PATCH", &format!("/v1/pages/{page}"), &json!({"archived": false}));
        bench.worker_with([&room]).exits(0);
        assert_eq!(bench.notion.page(&page).unwrap().status().unwrap(), "published");
        assert_eq!(bench.notion.pages().len(), 2);
        assert_published(&room);
    });
}

#[test]
fn a_row_that_was_deleted_for_good_is_never_made_again_by_itself() {
    let bench = Bench::new();
    let room = finalized(&bench, "daily");
    let page = bench.only_row().id;
    bench.notion.delete(&page);
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains(&format!("page {page} is deleted, or no longer shared")), "{}", out.stderr);
    bench.notion.clear_requests();
    bench.worker().exits(0);
    bench.finalize(&room).exits(0);
    assert_eq!((bench.requests().len(), bench.notion.pages().len()), (0, 0));
    assert!(room.join("meeting.mp4").exists());
}

#[test]
fn a_page_of_another_database_is_left_alone_and_the_other_rooms_go_on() {
    let bench = Bench::new();
    let room = finalized(&bench, "daily");
    let other = finalized(&bench, "other");
    fs::remove_file(room.join(".recording.json")).unwrap();
    fs::write(room.join(".notion_id"), "38c9ce7b-60a4-8158-aa2a-d4923e46fb5b\n").unwrap();
    bench.notion.fail(
        Fault::answer(400)
            .message("Recording URL is not a property that exists.")
            .on("PATCH", "/v1/pages/38c9ce7b")
            .forever(),
    );
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains("does not have the columns of the configured database"), "{}", out.stderr);
    assert!(room.join("meeting.mp4").exists());
    assert_published(&other);
}

#[test]
fn a_run_that_was_killed_before_it_wrote_notion_id_leaves_that_to_the_worker() {
    each_at_once([("missing", None), ("empty", Some("")), ("garbage", Some("x\n"))], |left| {
        let bench = Bench::new();
        let room = finalized(&bench, "daily");
        let id = room.join(".notion_id");
        match left {
            None => fs::remove_file(&id).unwrap(),
            Some(text) => fs::write(&id, text).unwrap(),
        }
        bench.worker().exits(0);
        assert_eq!(fs::read_to_string(&id).unwrap(), format!("{}\n", bench.only_row().id));
        assert_published(&room);
    });
}
