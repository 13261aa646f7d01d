//! The scripts' defect D, names and URLs that broke something: gone. The matrix of names is elsewhere.

use std::fs;
use std::os::unix::fs::symlink;

use pipeline_tests::media::{self, Clip};
use pipeline_tests::{Bench, assert_published};

#[test]
fn a_url_is_percent_encoded_so_that_no_name_cuts_or_changes_the_link() {
    let bench = Bench::new();
    let room = bench.room("a b#c?d%20e\"ü");
    media::put(Clip::Jibri, &room.join("m&m#1.mp4"));
    bench.finalize(&room).exits(0);
    let base = "https://rec.example.com/a%20b%23c%3Fd%2520e%22%C3%BC";
    assert_eq!(bench.only_row().url().unwrap(), format!("{base}/m%26m%231.mp4"));
    assert_eq!(bench.only_row().room().unwrap(), "a b#c?d%20e\"ü");
    bench.worker().exits(0);
    assert_eq!(bench.only_row().url().unwrap(), format!("{base}/v0/master.m3u8"));
    assert_published(&room);
}

#[test]
fn a_newline_in_a_name_is_published_and_forges_no_line_of_the_log() {
    let bench = Bench::new();
    let room = bench.room("a\n2025-12-25T05:01:02+00:00 OK: forged");
    media::put(Clip::Jibri, &room.join("m\nOK: forged.mp4"));
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert_published(&room);
    let url = "https://rec.example.com/a%0A2025-12-25T05%3A01%3A02%2B00%3A00%20OK%3A%20forged/v0/master.m3u8";
    assert_eq!(bench.only_row().url().unwrap(), url);
    let logged = [bench.log("finalize.log"), bench.log("hls-worker.log")].concat();
    assert!(logged.iter().any(|line| line.contains(r"room=a\n2025")), "{logged:?}");
    assert!(!logged.iter().any(|line| line.starts_with("OK: forged")), "{logged:?}");
}

#[test]
fn an_mp4_in_capitals_is_found() {
    let bench = Bench::new();
    let room = bench.room("daily-standup");
    media::put(Clip::Jibri, &room.join("MEETING.MP4"));
    bench.finalize(&room).exits(0);
    assert_eq!(bench.only_row().url().unwrap(), "https://rec.example.com/daily-standup/MEETING.MP4");
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn a_room_that_is_a_link_is_finalized_with_and_without_a_slash() {
    for slash in ["", "/"] {
        let bench = Bench::new();
        let elsewhere = bench.dir().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        media::put(Clip::Jibri, &elsewhere.join("meeting.mp4"));
        let link = bench.recordings().join("daily-standup");
        symlink(&elsewhere, &link).unwrap();
        bench.finalize(format!("{}{slash}", link.display())).exits(0);
        let row = bench.only_row();
        assert_eq!(row.url().unwrap(), "https://rec.example.com/daily-standup/meeting.mp4", "{slash:?}");
        // Where it is named, the worker takes it too.
        bench.worker_with([&link]).exits(0);
        assert_published(&elsewhere);
    }
}

#[test]
fn a_root_that_is_a_link_is_worked_on() {
    let mut bench = Bench::new();
    let room = bench.finalized("daily-standup");
    let link = bench.dir().join("link");
    symlink(bench.recordings(), &link).unwrap();
    bench.set("RECORDINGS_ROOT", link.to_str().unwrap());
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn a_root_that_is_not_there_is_an_error() {
    let mut bench = Bench::new();
    bench.set("RECORDINGS_ROOT", "/nowhere");
    let out = bench.worker().exits(1);
    assert!(
        out.messages()[0].starts_with("ERROR: RECORDINGS_ROOT /nowhere (is it right, and its disk mounted?): "),
        "{}",
        out.stderr
    );
}

#[test]
fn a_base_url_with_a_slash_at_its_end_gives_no_double_slash() {
    let mut bench = Bench::new();
    bench.set("PUBLIC_BASE_URL", "https://rec.example.com/recordings//");
    let room = bench.recorded("daily-standup");
    bench.finalize(&room).exits(0);
    assert_eq!(bench.only_row().url().unwrap(), "https://rec.example.com/recordings/daily-standup/meeting.mp4");
}

#[test]
fn a_base_url_that_can_make_no_working_link_is_refused_by_name() {
    for (base, auth) in [("", ""), ("rec.example.com", ""), ("http://rec.example.com", "user:secret@")] {
        let mut bench = Bench::new();
        bench.set("PUBLIC_BASE_URL", base);
        bench.set("PUBLIC_URL_AUTH", auth);
        let room = bench.recorded("daily-standup");
        let out = bench.finalize(&room).exits(1);
        let key = if auth.is_empty() { "PUBLIC_BASE_URL: " } else { "PUBLIC_URL_AUTH: needs an https base" };
        assert!(out.stderr.contains(key), "{base}: {}", out.stderr);
        assert!(!out.stderr.contains("secret"), "{base}: {}", out.stderr);
        assert_eq!(bench.requests(), [""; 0], "{base}");
    }
}

#[test]
fn a_password_goes_into_the_url_as_it_is_or_is_refused_with_how_to_write_it() {
    for (auth, url) in [
        ("user:a&b@", Some("https://user:a&b@rec.example.com/daily-standup/meeting.mp4")),
        ("user:a%23b@", Some("https://user:a%23b@rec.example.com/daily-standup/meeting.mp4")),
        ("user:a#b@", None),
        ("user:a/b@", None),
        ("user:a|b@", None),
    ] {
        let mut bench = Bench::new();
        bench.set("PUBLIC_URL_AUTH", auth);
        let room = bench.recorded("daily-standup");
        if let Some(url) = url {
            bench.finalize(&room).exits(0);
            assert_eq!(bench.only_row().url().unwrap(), url);
        } else {
            let out = bench.finalize(&room).exits(1);
            assert!(out.stderr.contains("PUBLIC_URL_AUTH: holds a character that a URL cannot: "), "{}", out.stderr);
            assert_eq!(bench.requests(), [""; 0]);
        }
    }
}

#[test]
fn a_notion_id_is_a_page_id_in_any_spelling_or_nothing_is_sent() {
    let bench = Bench::new();
    let room = bench.finalized_by_the_script("daily-standup");
    let id = bench.only_row().id;
    let file = room.join(".notion_id");
    for odd in [format!("garbage/../{id}"), format!("{id}?x=1"), format!("{id}\n{id}\n"), "../databases".to_owned()] {
        fs::write(&file, &odd).unwrap();
        let lines = ["Skip room=daily-standup: .notion_id holds no page id", "Worker run complete."];
        assert_eq!(bench.worker().exits(0).messages(), lines, "{odd:?}");
        assert_eq!(bench.requests(), [""; 0], "{odd:?}");
    }
    fs::write(&file, format!("{}\r\n", id.replace('-', ""))).unwrap();
    bench.worker().exits(0);
    assert_published(&room);
    assert_eq!(bench.only_row().status().unwrap(), "published");
}
