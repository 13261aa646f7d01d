//! What a published row leads to, and what the page there is told of the recording.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use pipeline_tests::media::{self, Clip, cut};
use pipeline_tests::{Bench, Fault, assert_published, hls, run};
use serde_json::{Value, json};

const PLAYLIST: &str = "https://rec.example.com/standup/v0/master.m3u8";
const PAGE: &str = "https://rec.example.com/standup/v0/";

/// `recording.json` of HLS.
#[track_caller]
fn told(hls: &Path) -> Value {
    let text = fs::read_to_string(hls.join("recording.json")).unwrap();
    assert!(text.ends_with("}\n"), "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The only row's URL, of a row that says that it is published.
#[track_caller]
fn url(bench: &Bench) -> String {
    let row = bench.only_row();
    assert_eq!(row.status().as_deref(), Some("published"));
    row.url().unwrap()
}

#[test]
fn a_row_leads_to_the_playlist_or_to_the_page() {
    for (link, wanted) in [(None, PLAYLIST), (Some("playlist"), PLAYLIST), (Some("page"), PAGE)] {
        let mut bench = Bench::new();
        if let Some(link) = link {
            bench.set("PUBLISH_LINK", link);
        }
        let room = bench.finalized("standup");
        bench.worker().exits(0);
        assert_published(&room);
        assert_eq!(url(&bench), wanted);
        // What is acknowledged is asked for no more.
        bench.notion.clear_requests();
        bench.worker().exits(0);
        bench.worker_with([&room]).exits(0);
        assert_eq!(bench.requests(), [""; 0]);
    }
}

#[test]
fn neither_is_an_error_that_says_what_to_write() {
    let mut bench = Bench::new();
    bench.set("PUBLISH_LINK", "site");
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains("PUBLISH_LINK: is none of playlist, page: write one of them"), "{}", out.stderr);
}

#[test]
fn the_page_has_the_sites_password_where_the_playlist_has_it() {
    let mut bench = Bench::new();
    bench.set("PUBLISH_LINK", "page");
    bench.set("PUBLIC_URL_AUTH", "team:p%40ss@");
    let room = bench.finalized("standup");
    let out = bench.worker().exits(0);
    assert_eq!(url(&bench), "https://team:p%40ss@rec.example.com/standup/v0/");
    assert!(!out.stderr.contains("p%40ss") && !told(&room.join("v0")).to_string().contains("p%40ss"));
}

#[test]
fn rec_url_prints_what_the_row_leads_to() {
    let mut bench = Bench::new();
    bench.set("PUBLISH_LINK", "page");
    let room = bench.finalized("standup");
    bench.worker().exits(0);
    let rec_url = |path: &Path| run(bench.command("rec-url").arg(path)).exits(0).stdout;
    assert_eq!(rec_url(&room.join("v0")), format!("{PAGE}\n"));
    assert_eq!(rec_url(&room.join("v0/")), format!("{PAGE}\n"));
    assert_eq!(rec_url(&room.join("v0/master.m3u8")), format!("{PLAYLIST}\n"));
    // A room of such a name has no HLS directly in it.
    assert_eq!(rec_url(&bench.room("v1")), "https://rec.example.com/v1\n");
}

#[test]
fn another_link_is_for_what_is_published_from_then_on_and_for_what_a_person_names() {
    let mut bench = Bench::new();
    let room = bench.finalized("standup");
    bench.worker().exits(0);
    for (link, wanted, before) in [("page", PAGE, PLAYLIST), ("playlist", PLAYLIST, PAGE)] {
        bench.set("PUBLISH_LINK", link);
        bench.notion.clear_requests();
        bench.worker().exits(0);
        assert_eq!((bench.requests().len(), url(&bench)), (0, before.to_owned()));
        let dry = bench.worker_with(["-n".as_ref(), room.as_os_str()]).exits(0);
        assert_eq!(dry.messages()[0], "Would point its row at the HLS room=standup mp4=meeting.mp4");
        bench.worker_with([&room]).exits(0);
        assert_eq!(url(&bench), wanted);
        assert_published(&room);
    }
}

#[test]
fn the_mp4_goes_only_when_notion_has_acknowledged_the_link_that_is_meant() {
    let mut bench = Bench::new();
    bench.set("PUBLISH_LINK", "page");
    let room = bench.finalized("standup");
    bench.notion.fail(Fault::answer(503).retry_after("36000").on("PATCH", "/v1/pages/").forever());
    bench.worker().exits(75);
    assert!(room.join("meeting.mp4").exists() && room.join("v0/recording.json").exists());
    bench.notion.clear_faults();
    bench.set("PUBLISH_LINK", "playlist");
    bench.worker().exits(0);
    assert_published(&room);
    assert_eq!(url(&bench), PLAYLIST);
}

#[test]
fn a_row_that_was_acknowledged_with_the_other_link_is_told_again_while_the_mp4_is_there() {
    let mut bench = Bench::new();
    bench.set("HLS_ACCEPT_DAMAGED", "yes");
    let room = bench.recorded_of(Clip::FastStart, "standup");
    cut(&room.join("meeting.mp4"), 0.5);
    bench.finalize(&room);
    bench.worker().exits(0);
    assert_eq!(url(&bench), PLAYLIST);
    bench.set("PUBLISH_LINK", "page");
    bench.worker().exits(0);
    assert_eq!(url(&bench), PAGE);
    bench.notion.clear_requests();
    bench.worker().exits(0);
    assert_eq!(bench.requests(), [""; 0]);
    assert!(room.join("meeting.mp4").exists());
    let told = told(&room.join("v0"));
    assert_eq!((&told["damaged"], &told["mp4"]), (&json!(true), &json!("meeting.mp4")));
    assert!((2.0..6.0).contains(&told["duration"].as_f64().unwrap()), "what plays, and not what was recorded: {told}");
}

#[test]
fn the_page_is_told_what_there_is() {
    let mut bench = Bench::with_pictures();
    let room = bench.room("daily standup");
    let metadata = r#"{"meeting_url":"https://meet.example.org/%d0%bf%d1%80%22x?jwt=secret"}"#;
    fs::write(room.join("metadata.json"), metadata).unwrap();
    media::put(Clip::Hd, &room.join("a b.mp4"));
    bench.set("HLS_PROFILE", "abr");
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    let mut told = told(&room.join("v0"));
    let at = told["recorded_at"].take().as_str().unwrap().to_owned();
    // Notion knows the minute.
    assert!(at.ends_with('Z') && bench.only_row().date().unwrap().starts_with(&at[..16]), "{at}");
    let seconds = told["duration"].take().as_f64().unwrap();
    let recorded = hls::seconds_of(&media::clip(Clip::Hd));
    assert!((seconds - recorded).abs() < 0.2, "{seconds} of {recorded}");
    let wanted = json!({
        "version": 1, "title": "[Jitsi] пр\"x", "room": "пр\"x", "recorded_at": null, "duration": null,
        "picture": {"width": 1280, "height": 720}, "damaged": false, "mp4": "a b.mp4",
        "poster": true, "previews": true, "chapters": false,
    });
    assert_eq!(told, wanted);
}

#[test]
fn sound_alone_has_no_picture_and_what_is_not_made_is_not_told_of() {
    let mut bench = Bench::new();
    bench.set("NOTION_NAME_PREFIX", "");
    let (sound, seen) = (bench.recorded_of(Clip::AudioOnly, "sound"), bench.recorded("seen"));
    for room in [&sound, &seen] {
        bench.finalize(room).exits(0);
    }
    bench.worker_with(["--profile", "hybrid"]).exits(0);
    let (sound, seen) = (told(&sound.join("v0")), told(&seen.join("v0")));
    assert_eq!((&sound["picture"], &sound["title"]), (&Value::Null, &json!("sound")));
    assert_eq!(seen["picture"], json!({"width": 320, "height": 180}));
    for told in [sound, seen] {
        assert_eq!([&told["poster"], &told["previews"], &told["chapters"]], [&json!(false); 3]);
    }
}

#[test]
fn each_of_a_rooms_recordings_is_told_of_by_its_own_name() {
    let bench = Bench::new();
    let room = bench.room("standup");
    let strange = std::ffi::OsStr::from_bytes(b"caf\xe9.mp4");
    media::put(Clip::Jibri, &room.join("large.mp4"));
    media::put(Clip::Short, &room.join(strange));
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert_eq!(told(&room.join("v0"))["mp4"], "large.mp4");
    assert_eq!(told(&room.join("v1"))["mp4"], Value::Null, "no URL can be made of it");
    assert!(
        told(&room.join("v1"))["duration"].as_f64().unwrap() < told(&room.join("v0"))["duration"].as_f64().unwrap()
    );
}
