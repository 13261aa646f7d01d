//! The scripts' defect A, loss of the only copy, where HLS was taken for done or Notion's word for given: gone.

use std::fs;
use std::time::Duration;

use pipeline_tests::media::{self, Clip};
use pipeline_tests::rooms::PUBLISHED_TWICE;
use pipeline_tests::scripts::{MASTER, make_hls};
use pipeline_tests::{Bench, Fault, assert_published, listing};

#[test]
fn a_second_mp4_in_a_room_gets_its_own_row_and_its_own_hls() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    media::put(Clip::Short, &room.join("second.mp4"));
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    bench.worker().exits(0);
    assert_eq!(listing(&room), PUBLISHED_TWICE);
    let mut urls: Vec<_> = bench.notion.pages().iter().filter_map(pipeline_tests::Page::url).collect();
    urls.sort();
    let base = "https://rec.example.com/daily-standup";
    assert_eq!(urls, [format!("{base}/v0/master.m3u8"), format!("{base}/v1/master.m3u8")]);
}

#[test]
fn a_new_recording_in_a_room_that_is_published_keeps_its_hands_off_the_old_one() {
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    bench.worker().exits(0);
    let old = fs::read(room.join("v0/seg_000000.ts")).unwrap();
    media::put(Clip::Other, &room.join("meeting.mp4"));
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert_eq!(listing(&room), PUBLISHED_TWICE);
    assert!(fs::read(room.join("v0/seg_000000.ts")).unwrap() == old);
    assert_eq!(bench.notion.pages().len(), 2);
    assert!(bench.rows().iter().all(|(_, status)| status == "published"), "{:?}", bench.rows());
}

#[test]
fn a_new_recording_in_a_room_that_the_script_published_is_not_deleted_for_the_old_hls() {
    let bench = Bench::new();
    let room = bench.rendered_by_the_script("daily-standup");
    media::put(Clip::Other, &room.join("meeting.mp4"));
    // Later than the script's row and HLS.
    media::age(&room.join(".notion_id"), Duration::from_secs(3700));
    media::age(&room.join("v0/master.m3u8"), Duration::from_secs(3600));
    bench.worker().exits(0);
    assert_eq!(listing(&room), PUBLISHED_TWICE);
    assert_eq!(fs::read_to_string(room.join("v0/master.m3u8")).unwrap(), MASTER);
    assert_eq!(bench.notion.pages().len(), 2);
}

#[test]
fn hls_of_another_recording_is_no_reason_to_delete_an_mp4() {
    let bench = Bench::new();
    let room = bench.finalized_by_the_script("daily-standup");
    // As long and as large as this one, and newer, but of other pictures.
    make_hls(Clip::Other, &room);
    let old = fs::read(room.join("v0/seg_000000.ts")).unwrap();
    let out = bench.worker().exits(0);
    assert!(out.stderr.contains("is of another recording than room=daily-standup mp4=meeting.mp4"), "{}", out.stderr);
    assert_eq!(listing(&room), PUBLISHED_TWICE);
    assert!(fs::read(room.join("v0/seg_000000.ts")).unwrap() == old);
    assert_eq!(listing(&room.join("v0")), ["master.m3u8", "seg_000000.ts", "stream.m3u8"], "nothing was added to it");
}

type Damage<'a> = (&'a str, &'a dyn Fn(&std::path::Path));

#[test]
fn hls_of_the_script_that_is_not_whole_is_made_anew_before_the_mp4_goes() {
    let damages: [Damage<'_>; 5] = [
        ("only the master playlist is there", &|v0| {
            fs::remove_file(v0.join("stream.m3u8")).unwrap();
            fs::remove_file(v0.join("seg_000000.ts")).unwrap();
        }),
        ("the master playlist is empty", &|v0| fs::write(v0.join("master.m3u8"), "").unwrap()),
        ("a segment is missing", &|v0| fs::remove_file(v0.join("seg_000000.ts")).unwrap()),
        ("a segment is empty", &|v0| fs::write(v0.join("seg_000000.ts"), "").unwrap()),
        ("half of it is missing", &|v0| {
            let part = v0.parent().unwrap().join("part");
            make_hls(Clip::Short, &part);
            fs::remove_dir_all(v0).unwrap();
            fs::rename(part.join("v0"), v0).unwrap();
            fs::remove_dir(part).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let bench = Bench::new();
        let room = bench.rendered_by_the_script("daily-standup");
        damage(&room.join("v0"));
        let out = bench.worker().exits(0);
        assert_published(&room);
        assert!(out.stderr.contains("is not whole and is made anew: "), "{what}: {}", out.stderr);
        let stream = fs::read_to_string(room.join("v0/stream.m3u8")).unwrap();
        assert_eq!(stream.lines().filter(|line| line.starts_with("#EXTINF")).count(), 2, "{what}: {stream}");
        assert_eq!(bench.only_row().status().unwrap(), "published", "{what}");
    }
}

#[test]
fn hls_that_is_not_whole_and_whose_mp4_is_gone_is_reported_and_never_called_published() {
    let bench = Bench::new();
    let room = bench.rendered_by_the_script("daily-standup");
    fs::remove_file(room.join("meeting.mp4")).unwrap();
    fs::remove_file(room.join("v0/seg_000000.ts")).unwrap();
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains("is not whole, and its mp4 is gone: "), "{}", out.stderr);
    assert_eq!(bench.only_row().status().unwrap(), "recorded");
}

/// What a script took for Notion's consent, and deleted the MP4.
fn notion_that_answers(fault: Fault) {
    let bench = Bench::new();
    let room = bench.rendered_by_the_script("daily-standup");
    let shown = format!("{fault:?}");
    bench.notion.fail(fault.on("PATCH", "/v1/pages").forever());
    let out = bench.worker().exits(75);
    let line = "HLS exists but Notion update failed. Keep mp4 room=daily-standup";
    assert!(out.stderr.contains(line), "{shown}: {}", out.stderr);
    assert!(room.join("meeting.mp4").exists(), "{shown}");
    assert_eq!(bench.only_row().status().unwrap(), "recorded", "{shown}");
    bench.notion.clear_faults();
    bench.worker().exits(0);
    assert!(!room.join("meeting.mp4").exists());
    assert_eq!(bench.only_row().status().unwrap(), "published");
}

#[test]
fn an_empty_503_is_not_taken_for_notions_consent() {
    notion_that_answers(Fault::raw(503, "", "").retry_after("3600"));
}

#[test]
fn a_proxys_html_is_not_taken_for_notions_consent() {
    notion_that_answers(Fault::raw(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>").retry_after("3600"));
    notion_that_answers(Fault::raw(200, "text/html", "<html>Please log in</html>"));
}

#[test]
fn json_that_is_no_page_is_not_taken_for_notions_consent() {
    notion_that_answers(Fault::raw(200, "application/json", r#"{"message":"no Route matched"}"#));
}

#[test]
fn a_dropped_connection_is_not_taken_for_notions_consent() {
    notion_that_answers(Fault::drop_before());
}

#[test]
fn a_notion_that_cannot_be_reached_costs_no_mp4() {
    let mut bench = Bench::new();
    let room = bench.rendered_by_the_script("daily-standup");
    let url = bench.notion.url();
    bench.set("NOTION_API_URL", "http://127.0.0.1:1");
    bench.worker().exits(75);
    assert!(room.join("meeting.mp4").exists());
    bench.set("NOTION_API_URL", url);
    bench.worker().exits(0);
    assert!(!room.join("meeting.mp4").exists());
    assert_eq!(bench.only_row().status().unwrap(), "published");
}

#[test]
fn a_missing_token_or_a_page_id_that_is_none_costs_no_mp4() {
    let mut bench = Bench::new();
    let room = bench.rendered_by_the_script("daily-standup");
    let id = fs::read_to_string(room.join(".notion_id")).unwrap();
    fs::write(room.join(".notion_id"), id.replace('-', " ")).unwrap();
    let lines = ["Skip room=daily-standup: .notion_id holds no page id", "Worker run complete."];
    assert_eq!(bench.worker().exits(0).messages(), lines);
    fs::write(room.join(".notion_id"), id).unwrap();
    bench.unset("NOTION_TOKEN");
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains(": NOTION_TOKEN: is missing: "), "{}", out.stderr);
    assert!(room.join("meeting.mp4").exists());
    assert_eq!(bench.requests(), [""; 0]);
}
