//! Trees that the scripts left, at every stage: the suite goes on where they were.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_tests::media::{self, Clip, age};
use pipeline_tests::rooms::{PUBLISHED_TWICE, bytes};
use pipeline_tests::{Bench, assert_published, each_at_once, hls, listing, scripts};

/// What becomes of a page id in `.notion_id`.
type Spelling = fn(&str) -> String;

const MINUTE: Duration = Duration::from_secs(60);

/// A room with an MP4 that is ten minutes old, finalized by the scripts; its page.
fn finalized(bench: &Bench, clip: Clip) -> (PathBuf, String) {
    let room = bench.recorded_of(clip, "daily");
    age(&room.join("meeting.mp4"), 10 * MINUTE);
    let page = scripts::finalize(bench, &room);
    (room, page)
}

/// The row of a page: its URL and status.
fn row(bench: &Bench, page: &str) -> (String, String) {
    let page = bench.notion.page(page).unwrap();
    (page.url().unwrap(), page.status().unwrap())
}

fn published(what: &str) -> (String, String) {
    (format!("https://rec.example.com/daily/{what}/master.m3u8"), "published".into())
}

#[test]
fn finalize_makes_no_second_row_for_it() {
    let bench = Bench::new();
    let (room, page) = finalized(&bench, Clip::Short);
    let out = bench.finalize(&room).exits(0);
    assert_eq!(out.messages(), [format!("Nothing to do room=daily file=meeting.mp4: notion page exists id={page}")]);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn hls_that_the_scripts_did_not_finish_is_made_anew() {
    type Stage = fn(&Path);
    let stages: [(&str, Stage); 3] = [
        ("killed in mid-encode", |room| {
            scripts::make_part_of_hls(Clip::Jibri, room, "2.5");
            for name in ["stream.m3u8", "master.m3u8"] {
                fs::remove_file(room.join("v0").join(name)).unwrap();
            }
            media::cut(&room.join("v0/seg_000000.ts"), 0.7);
        }),
        ("killed, and master written all the same", |room| scripts::make_part_of_hls(Clip::Jibri, room, "2.5")),
        ("an empty directory", |room| fs::create_dir(room.join("v0")).unwrap()),
    ];
    each_at_once(stages, |stage| {
        let bench = Bench::new();
        let (room, page) = finalized(&bench, Clip::Jibri);
        stage(&room);
        bench.worker().exits(0);
        bench.only_row();
        assert_eq!(row(&bench, &page), published("v0"));
        assert_published(&room);
        let seconds = hls::seconds(&room.join("v0"));
        assert!((seconds - 8.0).abs() < 1.0, "{seconds}");
    });
}

#[test]
fn hls_of_another_recording_of_the_same_length_stays_and_the_mp4_gets_its_own() {
    // Put back with its old time, so that only the pictures or the sound tell; and come later, as its time tells.
    let cases = [
        ("older than the HLS", (Clip::Other, 60)),
        ("older than the HLS, of the same pictures", (Clip::OtherSound, 60)),
        ("newer", (Clip::Other, 5)),
    ];
    each_at_once(cases, |(clip, minutes)| {
        let bench = Bench::new();
        let (room, page) = finalized(&bench, Clip::Jibri);
        scripts::make_hls(Clip::Jibri, &room);
        scripts::publish(&bench, &room);
        for name in [".notion_id", "v0/master.m3u8"] {
            age(&room.join(name), 8 * MINUTE);
        }
        let hls = bytes(&room.join("v0"));
        media::put(clip, &room.join("meeting.mp4"));
        age(&room.join("meeting.mp4"), minutes * MINUTE);

        bench.worker().exits(0);
        assert!(bytes(&room.join("v0")) == hls, "v0 has changed");
        let pages = bench.notion.pages();
        assert_eq!((pages.len(), pages[0].id == page), (2, true));
        assert_eq!(row(&bench, &page), published("v0"));
        assert_eq!(row(&bench, &pages[1].id), published("v1"));
        assert_eq!(listing(&room), PUBLISHED_TWICE);
        assert!(fs::metadata(room.join("v1/seg_000000.ts")).unwrap().len() > 0);
    });
}

#[test]
fn hls_of_several_renditions_without_a_state_is_told_from_that_of_another_recording() {
    for (clip, slots) in [(Clip::Low, 1), (Clip::Other, 2)] {
        let mut bench = Bench::new();
        bench.set("HLS_PROFILE", "abr");
        let room = bench.recorded_of(Clip::Low, "standup");
        bench.finalize(&room).exits(0);
        bench.worker().exits(0);
        fs::remove_file(room.join(".recording.json")).unwrap();
        media::put(clip, &room.join("meeting.mp4"));
        let before = fs::metadata(room.join("v0")).unwrap().modified().unwrap();
        age(&room.join("meeting.mp4"), Duration::from_secs(3600));
        bench.worker().exits(0);
        assert_eq!(fs::metadata(room.join("v0")).unwrap().modified().unwrap(), before, "the HLS is as it was");
        assert_eq!((room.join("v1").exists(), room.join("meeting.mp4").exists()), (slots == 2, false));
    }
}

#[test]
fn broken_hls_whose_mp4_the_scripts_deleted_is_named_once_and_left_alone() {
    let bench = Bench::new();
    let (room, page) = finalized(&bench, Clip::Short);
    scripts::make_hls(Clip::Short, &room);
    scripts::publish(&bench, &room);
    fs::rename(room.join("v0/seg_000000.ts"), bench.dir().join("backup")).unwrap();
    let left = bytes(&room.join("v0"));
    let out = bench.worker().exits(1);
    let told = &out.messages()[0];
    assert!(told.starts_with("ERROR: HLS in ") && told.contains("and its mp4 is gone"), "{told}");
    assert!(told.ends_with("bring one of them back from a backup"), "{told}");
    assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
    assert_eq!(bench.requests(), [""; 0]);
    assert!(bytes(&room.join("v0")) == left, "v0 has changed");

    fs::rename(bench.dir().join("backup"), room.join("v0/seg_000000.ts")).unwrap();
    bench.worker_with([&room]).exits(0);
    assert_eq!(row(&bench, &page), published("v0"));
    bench.only_row();
}

#[test]
fn a_page_id_in_any_spelling_is_read_as_the_scripts_read_it() {
    let spellings: [(&str, Spelling); 4] = [
        ("CRLF", |page| format!("{page}\r\n")),
        ("undashed", |page| format!("{}\n", page.replace('-', ""))),
        ("no end of line", str::to_owned),
        ("capitals", str::to_uppercase),
    ];
    each_at_once(spellings, |spell| {
        let bench = Bench::new();
        let (room, page) = finalized(&bench, Clip::Short);
        fs::write(room.join(".notion_id"), spell(&page)).unwrap();
        bench.worker().exits(0);
        assert_eq!(row(&bench, &page), published("v0"));
        assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), spell(&page));
        bench.only_row();
    });
}

#[test]
fn a_notion_id_without_a_page_is_skipped_by_the_worker_and_mended_by_finalize_without_a_second_row() {
    let leavings: [(&str, Spelling, &str); 4] = [
        ("empty", |_| String::new(), "empty .notion_id"),
        ("blank lines", |_| "\r\n\n".into(), "empty .notion_id"),
        ("two ids", |page| format!("{page}\n{page}\n"), ".notion_id holds no page id"),
        ("garbage", |_| "../x?y=1\n".into(), ".notion_id holds no page id"),
    ];
    each_at_once(leavings.map(|(name, left, told)| (name, (left, told))), |(left, told)| {
        let bench = Bench::new();
        let (room, page) = finalized(&bench, Clip::Short);
        fs::write(room.join(".notion_id"), left(&page)).unwrap();
        let out = bench.worker().exits(0);
        assert_eq!(out.messages(), [format!("Skip room=daily: {told}"), "Worker run complete.".into()]);
        assert_eq!(bench.requests(), [""; 0]);

        bench.finalize(&room).exits(0);
        assert_eq!(bench.only_row().id, page);
        assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{page}\n"));
        bench.worker().exits(0);
        assert_eq!(row(&bench, &page), published("v0"));
        assert_published(&room);
    });
}

#[test]
fn a_second_mp4_beside_the_one_that_the_scripts_finalized_gets_its_own_row_and_hls() {
    let bench = Bench::new();
    let (room, page) = finalized(&bench, Clip::Jibri);
    media::put(Clip::Short, &room.join("second.mp4"));
    bench.worker().exits(0);
    let pages = bench.notion.pages();
    assert_eq!(pages.len(), 2);
    assert_eq!((row(&bench, &page), row(&bench, &pages[1].id)), (published("v0"), published("v1")));
    assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{page}\n"));
    assert_eq!(listing(&room), PUBLISHED_TWICE);
}
