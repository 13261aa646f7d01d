//! The scripts' defect C, rows that are doubled, lost or never right: gone.

use std::fs;
use std::time::Duration;

use pipeline_tests::processes::start;
use pipeline_tests::{Bench, Column, Fault, assert_published};

#[test]
fn finalize_twice_and_twice_at_once_makes_one_row() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    bench.notion.fail(Fault::delayed(Duration::from_secs(1)).on("POST", "/v1/pages"));
    let both = [0, 1].map(|_| start(bench.command("jitsi-finalize").arg(&room)));
    let both = both.map(|one| one.end().exits(0).messages());
    bench.finalize(&room).exits(0);
    let id = bench.only_row().id;
    let nothing = format!("Nothing to do room=daily-standup file=meeting.mp4: notion page exists id={id}");
    assert_eq!(both.iter().filter(|messages| **messages == [&*nothing]).count(), 1, "{both:?}");
    assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{id}\n"));
}

#[test]
fn a_create_whose_answer_is_lost_leaves_one_row_that_is_found_again() {
    for fault in [Fault::drop_after(), Fault::truncated()] {
        let bench = Bench::new();
        let room = bench.recorded("daily-standup");
        bench.notion.fail(fault.on("POST", "/v1/pages"));
        let out = bench.finalize(&room).exits(0);
        let id = bench.only_row().id;
        assert!(out.stderr.contains(&format!("OK: notion page found again id={id} stored at ")), "{}", out.stderr);
        bench.finalize(&room).exits(0);
        bench.worker().exits(0);
        assert_eq!(bench.only_row().status().unwrap(), "published");
        assert_published(&room);
    }
}

#[test]
fn a_database_without_the_optional_columns_is_served() {
    let bench = Bench::new();
    for column in ["Room", "Status", "Provider"] {
        bench.notion.remove_column(column);
    }
    let room = bench.recorded("daily-standup");
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert_published(&room);
    let row = bench.only_row();
    assert_eq!(row.url().unwrap(), "https://rec.example.com/daily-standup/v0/master.m3u8");
    assert_eq!(row.title(), "[Jitsi] daily-standup");
}

#[test]
fn a_status_column_of_type_status_is_served() {
    let bench = Bench::new();
    let options = ["recorded", "processing", "published", "error"].map(str::to_owned).to_vec();
    bench.notion.set_column("Status", Column::Status(options));
    let room = bench.recorded("daily-standup");
    bench.finalize(&room).exits(0);
    assert_eq!(bench.only_row().status().unwrap(), "recorded");
    bench.worker().exits(0);
    assert_eq!(bench.only_row().status().unwrap(), "published");
}

#[test]
fn a_missing_required_column_is_named_with_how_to_add_it_and_the_recording_waits() {
    let bench = Bench::new();
    bench.notion.remove_column("Recording URL");
    let room = bench.recorded("daily-standup");
    let out = bench.finalize(&room).exits(1);
    let line = out.messages().pop().unwrap();
    assert!(line.contains("Recording URL") && line.to_lowercase().contains("add"), "{line}");
    bench.notion.set_column("Recording URL", Column::Url);
    bench.worker().exits(0);
    assert_published(&room);
    assert_eq!(bench.only_row().status().unwrap(), "published");
}

#[test]
fn a_rate_limit_is_waited_out_as_long_as_notion_asks() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    bench.notion.fail(Fault::answer(429).retry_after("2").on("POST", "/v1/pages"));
    bench.finalize(&room).exits(0);
    let writes = bench.writes();
    assert_eq!(writes.len(), 2);
    let pause = writes[1].at.duration_since(writes[0].at).unwrap();
    assert!(pause >= Duration::from_secs(2), "{pause:?}");
    assert_eq!(bench.only_row().status().unwrap(), "recorded");
}

#[test]
fn what_notion_could_not_take_from_finalize_the_worker_publishes() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    bench.notion.fail(Fault::answer(429).retry_after("3600").on("POST", "/v1/pages"));
    bench.finalize(&room).exits(75);
    assert!(!room.join(".notion_id").exists());
    let messages = bench.worker().exits(0).messages();
    let id = bench.only_row().id;
    assert_eq!(messages[0], format!("OK: notion page created id={id} room=daily-standup file=meeting.mp4"));
    assert_published(&room);
}

#[test]
fn an_error_500_of_a_create_is_asked_about_and_repeated() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    bench.notion.fail(Fault::answer(500).on("POST", "/v1/pages"));
    bench.finalize(&room).exits(0);
    assert_eq!(bench.only_row().title(), "[Jitsi] daily-standup");
}

#[test]
fn a_row_in_the_trash_or_deleted_is_reported_once_and_its_recording_kept() {
    for gone in [pipeline_tests::Standin::archive, pipeline_tests::Standin::delete] {
        let bench = Bench::new();
        let room = bench.finalized("daily-standup");
        gone(&bench.notion, &bench.only_row().id);
        let out = bench.worker().exits(1);
        assert!(
            out.stderr.contains("room=daily-standup is left alone, its mp4 kept: restore the row"),
            "{}",
            out.stderr
        );
        bench.notion.clear_requests();
        assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
        assert_eq!(bench.requests(), [""; 0]);
        assert!(room.join("meeting.mp4").exists());
    }
}

#[test]
fn a_published_room_is_left_to_those_who_edit_its_row() {
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    bench.worker().exits(0);
    let page = fs::read_to_string(room.join(".notion_id")).unwrap();
    let mut patch = bench.command("notion-patch");
    patch.arg(page.trim()).args(["--url", "https://example.com/elsewhere", "--provider", "hls", "--status", "error"]);
    pipeline_tests::run(&mut patch).exits(0);
    bench.notion.clear_requests();
    bench.worker().exits(0);
    assert_eq!(bench.requests(), [""; 0]);
    assert_eq!(bench.only_row().url().unwrap(), "https://example.com/elsewhere");
}
