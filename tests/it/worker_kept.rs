//! What the script jitsi-hls-worker.sh did, and jitsi-hls-worker does: the states in which it finds a room.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use pipeline_tests::media::{self, Clip};
use pipeline_tests::rooms::{FINALIZED, bytes};
use pipeline_tests::{Bench, Fault, assert_published, listing, scripts};
use serde_json::{Value, json};

/// The body of the script's `notion_update`, its properties in the script's order.
fn update(url: &str, provider: &str, status: &str) -> String {
    let body = json!({
        "properties": {
            "Recording URL": { "url": url },
            "Provider": { "select": { "name": provider } },
            "Status": { "select": { "name": status } }
        }
    });
    body.to_string()
}

fn patches(bench: &Bench) -> Vec<String> {
    bench.writes().iter().map(|request| request.body.as_ref().map(Value::to_string).unwrap_or_default()).collect()
}

const MP4: &str = "https://rec.example.com/daily-standup/meeting.mp4";
const HLS: &str = "https://rec.example.com/daily-standup/v0/master.m3u8";

/// An answer that no patience of ours can wait for.
fn away() -> Fault {
    Fault::answer(503).retry_after("3600").on("PATCH", "/v1/pages")
}

#[test]
fn an_mp4_without_notion_id_is_skipped_with_a_line() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let out = bench.worker().exits(0);
    assert_eq!(out.stdout, "");
    assert_eq!(out.messages(), ["Skip room=daily-standup: missing .notion_id", "Worker run complete."]);
    assert_eq!(fs::read_to_string(bench.dir().join("log/hls-worker.log")).unwrap(), out.stderr);
    assert_eq!(bench.requests(), [""; 0]);
    assert_eq!(listing(&room), ["meeting.mp4"]);
}

#[test]
fn a_room_without_mp4_and_hls_is_passed_over_in_silence() {
    let bench = Bench::new();
    bench.room("empty");
    fs::write(bench.room("row").join(".notion_id"), "38c930e3-6e38-47dd-a6a6-2a9b5ff2ae3f\n").unwrap();
    assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn an_empty_notion_id_is_skipped_with_a_line_with_an_mp4_and_without() {
    let bench = Bench::new();
    fs::write(bench.recorded("a").join(".notion_id"), "\r\n\n").unwrap();
    fs::write(bench.room("b").join(".notion_id"), "").unwrap();
    let lines = ["Skip room=a: empty .notion_id", "Skip room=b: empty .notion_id", "Worker run complete."];
    assert_eq!(bench.worker().exits(0).messages(), lines);
    assert_eq!(bench.requests(), [""; 0]);
    assert_eq!(listing(&bench.room("a")), [".notion_id", "meeting.mp4"]);
}

#[test]
fn hls_that_the_script_left_beside_its_mp4_is_told_to_notion_and_the_mp4_goes() {
    let bench = Bench::new();
    let room = bench.rendered_by_the_script("daily-standup");
    let out = bench.worker().exits(0);
    let line = "HLS exists. Notion updated. Deleting mp4 room=daily-standup file=meeting.mp4";
    assert_eq!(out.messages(), [line, "Worker run complete."]);
    assert_eq!(patches(&bench), [update(HLS, "hls", "published")]);
    assert!(!room.join("meeting.mp4").exists());
    assert_eq!(fs::read_to_string(room.join("v0/master.m3u8")).unwrap(), scripts::MASTER);
}

#[test]
fn a_room_that_the_script_published_is_confirmed_once_and_then_never_again() {
    let bench = Bench::new();
    let room = bench.rendered_by_the_script("daily-standup");
    scripts::publish(&bench, &room);
    let out = bench.worker().exits(0);
    let line = "HLS exists. Notion ok. No mp4 to delete room=daily-standup";
    assert_eq!(out.messages(), [line, "Worker run complete."]);
    assert_eq!(patches(&bench), [update(HLS, "hls", "published")]);
    bench.notion.clear_requests();
    for _ in 0..2 {
        assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
    }
    bench.worker_with([&room]).exits(0);
    assert_eq!(bench.requests(), [""; 0]);
    assert_published(&room);
}

#[test]
fn where_notion_cannot_be_told_of_the_hls_the_mp4_stays_until_it_can() {
    let bench = Bench::new();
    let room = bench.rendered_by_the_script("daily-standup");
    let hls = bytes(&room.join("v0"));
    bench.notion.fail(away());
    let messages = bench.worker().exits(75).messages();
    assert!(messages[0].starts_with("ERROR: Notion update failed: "), "{messages:?}");
    assert!(messages[0].contains("503 "), "{messages:?}");
    let line = "HLS exists but Notion update failed. Keep mp4 room=daily-standup";
    assert_eq!(messages[1..], [line, "Worker run complete."]);
    assert_eq!(patches(&bench).len(), 1);
    assert!(room.join("meeting.mp4").exists());

    bench.notion.clear_requests();
    let line = "HLS exists. Notion updated. Deleting mp4 room=daily-standup file=meeting.mp4";
    assert_eq!(bench.worker().exits(0).messages(), [line, "Worker run complete."]);
    assert_eq!(patches(&bench), [update(HLS, "hls", "published")]);
    assert!(bytes(&room.join("v0")) == hls, "v0 has changed");
    assert_published(&room);
}

#[test]
fn a_recording_is_processed_with_two_updates_and_becomes_hls_with_the_scripts_names() {
    let bench = Bench::with_pictures();
    let room = bench.finalized_by_the_script("daily-standup");
    let out = bench.worker().exits(0);
    let lines = [
        "Process room=daily-standup mp4=meeting.mp4",
        "Notion updated to HLS. Deleting mp4 room=daily-standup",
        "Worker run complete.",
    ];
    assert_eq!((out.stdout.as_str(), out.messages()), ("", lines.map(str::to_owned).to_vec()));
    assert_eq!(fs::read_to_string(bench.dir().join("log/hls-worker.log")).unwrap(), out.stderr);
    assert_eq!(patches(&bench), [update(MP4, "mp4", "processing"), update(HLS, "hls", "published")]);
    assert_eq!(bench.rows(), [(HLS.to_owned(), "published".to_owned())]);
    assert_published(&room);
    assert_eq!(
        listing(&room.join("v0")),
        [
            "master.m3u8",
            "poster.jpg",
            "previews.vtt",
            "previews_000.jpg",
            "recording.json",
            "seg_000000.ts",
            "seg_000001.ts",
            "stream.m3u8"
        ],
        "8 s in segments of 6"
    );
    let stream = fs::read_to_string(room.join("v0/stream.m3u8")).unwrap();
    for line in ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:6", "#EXT-X-MEDIA-SEQUENCE:0"] {
        assert!(stream.lines().any(|is| is == line), "{line}: {stream}");
    }
    let master = fs::read_to_string(room.join("v0/master.m3u8")).unwrap();
    assert!(master.starts_with("#EXTM3U\n#EXT-X-VERSION:3\n") && master.ends_with("\nstream.m3u8\n"), "{master}");
}

#[test]
fn its_updates_are_the_scripts_requests() {
    let bench = Bench::new();
    bench.finalized("daily-standup");
    bench.worker().exits(0);
    let id = bench.only_row().id;
    for request in bench.writes() {
        assert_eq!((request.method.as_str(), request.path), ("PATCH", format!("/v1/pages/{id}")));
        let header = |name| request.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| &**v);
        assert_eq!(header("Authorization"), Some(&*format!("Bearer {}", bench.notion.token())));
        assert_eq!(header("Content-Type"), Some("application/json"));
        assert_eq!(header("Notion-Version"), Some("2022-06-28"));
    }
}

#[test]
fn where_notion_cannot_be_told_of_the_processing_it_is_processed_all_the_same() {
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    bench.notion.fail(away());
    let messages = bench.worker().exits(0).messages();
    assert_eq!(messages[0], "Process room=daily-standup mp4=meeting.mp4");
    assert!(messages[1].starts_with("ERROR: Notion update failed: "), "{messages:?}");
    assert_eq!(messages[2..], ["Notion updated to HLS. Deleting mp4 room=daily-standup", "Worker run complete."]);
    assert_published(&room);
}

#[test]
fn where_ffmpeg_fails_the_row_says_error_and_the_mp4_stays() {
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    media::zero_middle(&room.join("meeting.mp4"));
    let messages = bench.worker().exits(1).messages();
    assert_eq!(messages[0], "Process room=daily-standup mp4=meeting.mp4");
    assert!(messages[1].starts_with("ERROR: ffmpeg failed room=daily-standup "), "{messages:?}");
    assert_eq!(messages[2..], ["Worker run complete."]);
    assert_eq!(patches(&bench), [update(MP4, "mp4", "processing"), update(MP4, "mp4", "error")]);
    assert_eq!(listing(&room), FINALIZED);
}

#[test]
fn hls_that_notion_does_not_know_of_stays_and_the_next_run_only_tells_notion() {
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    bench.notion.fail(Fault::delayed(Duration::ZERO).on("PATCH", "/v1/pages"));
    bench.notion.fail(away());
    let messages = bench.worker().exits(75).messages();
    assert_eq!(messages[0], "Process room=daily-standup mp4=meeting.mp4");
    assert!(messages[1].starts_with("ERROR: Notion update failed: "), "{messages:?}");
    let line = "ERROR: HLS created but Notion update failed. Keep mp4 room=daily-standup";
    assert_eq!(messages[2..], [line, "Worker run complete."]);
    assert!(room.join("v0/master.m3u8").exists() && room.join("meeting.mp4").exists());
    assert_eq!(patches(&bench).len(), 2);
    let made = modified(&room.join("v0/seg_000000.ts"));
    bench.notion.clear_requests();

    let line = "HLS exists. Notion updated. Deleting mp4 room=daily-standup file=meeting.mp4";
    assert_eq!(bench.worker().exits(0).messages(), [line, "Worker run complete."]);
    assert_eq!(patches(&bench), [update(HLS, "hls", "published")]);
    assert_eq!(modified(&room.join("v0/seg_000000.ts")), made);
    assert_published(&room);
}

#[test]
fn rooms_are_the_real_first_level_directories_hidden_ones_too() {
    let bench = Bench::new();
    for name in [".hidden", "b", "a"] {
        bench.recorded(name);
    }
    let elsewhere = bench.dir().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    media::put(Clip::Jibri, &elsewhere.join("meeting.mp4"));
    symlink(&elsewhere, bench.recordings().join("link")).unwrap();
    fs::create_dir(bench.room("c").join("deeper")).unwrap();
    media::put(Clip::Jibri, &bench.room("c/deeper").join("meeting.mp4"));
    media::put(Clip::Jibri, &bench.recordings().join("loose.mp4"));
    let lines = [
        "Skip room=.hidden: missing .notion_id",
        "Skip room=a: missing .notion_id",
        "Skip room=b: missing .notion_id",
        "Worker run complete.",
    ];
    assert_eq!(bench.worker().exits(0).messages(), lines);
}

fn modified(file: &Path) -> std::time::SystemTime {
    fs::metadata(file).unwrap().modified().unwrap()
}

#[test]
fn a_directory_that_is_named_gets_a_word_though_nothing_is_done_there() {
    let bench = Bench::new();
    let published = bench.finalized("published");
    bench.worker().exits(0);
    let void = bench.room("void");
    let out = bench.worker_with([&published, &void]).exits(0);
    let wanted = ["Nothing to do room=published: published", "Nothing to do room=void: no mp4", "Worker run complete."];
    assert_eq!(out.messages(), wanted);
}
