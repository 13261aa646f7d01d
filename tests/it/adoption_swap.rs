//! The scripts and the suite in turns, on one tree.

use std::fs;

use pipeline_tests::media::{self, Clip};
use pipeline_tests::rooms::PUBLISHED_TWICE;
use pipeline_tests::{Bench, assert_published, listing, scripts};

fn row(what: &str, status: &str) -> (String, String) {
    (format!("https://rec.example.com/daily/{what}"), status.into())
}

#[test]
fn the_suite_finalizes_the_scripts_publish_and_the_suite_confirms() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    scripts::make_hls(Clip::Short, &room);
    scripts::publish(&bench, &room);
    let out = bench.worker().exits(0);
    assert_eq!(out.messages(), ["HLS exists. Notion ok. No mp4 to delete room=daily", "Worker run complete."]);
    assert_eq!(bench.writes().len(), 1);
    assert_eq!(bench.rows(), [row("v0/master.m3u8", "published")]);
    assert_published(&room);
    bench.notion.clear_requests();
    bench.worker().exits(0);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn the_scripts_make_hls_for_what_the_suite_finalized_and_are_stopped_before_they_publish() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Jibri, "daily");
    bench.finalize(&room).exits(0);
    scripts::make_hls(Clip::Jibri, &room);
    let out = bench.worker().exits(0);
    assert_eq!(out.messages()[0], "HLS exists. Notion updated. Deleting mp4 room=daily file=meeting.mp4");
    assert_eq!(fs::read_to_string(room.join("v0/master.m3u8")).unwrap(), scripts::MASTER, "not made again");
    assert_eq!(bench.rows(), [row("v0/master.m3u8", "published")]);
    assert_published(&room);
}

#[test]
fn where_the_scripts_finalize_again_the_suite_follows_their_row() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    let page = scripts::finalize(&bench, &room);
    bench.worker().exits(0);
    assert_eq!(bench.rows(), [row("meeting.mp4", "recorded"), row("v0/master.m3u8", "published")]);
    assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{page}\n"));
    assert_published(&room);
}

#[test]
fn a_row_that_a_person_threw_away_is_replaced_by_one_that_the_scripts_make() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    bench.notion.delete(&bench.only_row().id);
    bench.worker().exits(1);
    scripts::finalize(&bench, &room);
    // The glance of an idle room reads no .notion_id, so somebody names it.
    bench.worker_with([&room]).exits(0);
    assert_eq!(bench.rows(), [row("v0/master.m3u8", "published")]);
    assert_published(&room);
}

#[test]
fn a_new_recording_that_the_scripts_finalize_beside_published_hls_keeps_the_row_that_they_made() {
    // Who published the first one.
    for suite in [true, false] {
        let bench = Bench::new();
        let room = bench.recorded_of(Clip::Jibri, "daily");
        if suite {
            bench.finalize(&room).exits(0);
            bench.worker().exits(0);
        } else {
            scripts::finalize(&bench, &room);
            scripts::make_hls(Clip::Jibri, &room);
            scripts::publish(&bench, &room);
            for name in [".notion_id", "v0/master.m3u8"] {
                media::age(&room.join(name), std::time::Duration::from_secs(600));
            }
        }
        media::put(Clip::Other, &room.join("meeting.mp4"));
        let page = scripts::finalize(&bench, &room);
        bench.worker().exits(0);
        assert_eq!(bench.rows(), [row("v0/master.m3u8", "published"), row("v1/master.m3u8", "published")], "{suite}");
        assert_eq!(bench.notion.pages()[1].id, page);
        assert_eq!(listing(&room), PUBLISHED_TWICE);
        bench.notion.clear_requests();
        bench.worker().exits(0);
        bench.finalize(&room).exits(0);
        assert_eq!(bench.requests(), [""; 0], "{suite}");
    }
}

#[test]
fn what_the_suite_published_the_scripts_confirm_and_the_suite_need_not_again() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    // What the scripts look at: a page id, a file called master.m3u8, no MP4.
    assert!(room.join("v0/master.m3u8").is_file());
    scripts::publish(&bench, &room);
    bench.worker().exits(0);
    assert_eq!(bench.requests(), [""; 0]);
    assert_eq!(bench.rows(), [row("v0/master.m3u8", "published")]);
    assert_published(&room);
}
