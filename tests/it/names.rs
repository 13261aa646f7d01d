//! Rooms and files may be called anything that a filesystem takes, and everything still works.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use pipeline_tests::caddy::{Caddy, assert_plays, assert_serves_the_recordings_alone};
use pipeline_tests::media::{self, Clip};
use pipeline_tests::names::{NAMES, file_of};
use pipeline_tests::{Bench, assert_published, is_date_is, run, untimed};

/// Percent-decodes the path of a URL; whatever is not encoded must be a character that needs no encoding.
#[track_caller]
fn decoded(path: &str) -> Vec<u8> {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
    assert!(path.bytes().all(plain), "{path}");
    bytes
}

/// The path below `RECORDINGS_ROOT` that a row's URL leads to.
#[track_caller]
fn path_in(base: &str, url: &str) -> PathBuf {
    let path = url.strip_prefix(base).and_then(|path| path.strip_prefix('/')).unwrap_or_else(|| panic!("{url}"));
    OsString::from_vec(decoded(path)).into()
}

/// The MP4's name in `.recording.json`.
fn name_in_state(room: &Path) -> OsString {
    let state: serde_json::Value = serde_json::from_slice(&fs::read(room.join(".recording.json")).unwrap()).unwrap();
    let [recording] = &state["recordings"].as_array().unwrap()[..] else { panic!("{state}") };
    match &recording["file"] {
        serde_json::Value::String(name) => name.into(),
        other => {
            let hex = other["hex"].as_str().unwrap();
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            OsString::from_vec((0..hex.len()).step_by(2).map(byte).collect())
        }
    }
}

/// Every line of a log is one that a tool wrote: none begins in the middle of a name.
#[track_caller]
fn assert_no_forged_line(bench: &Bench, log: &str, begins: &[&str], lines: usize) {
    let text = fs::read_to_string(bench.dir().join("log").join(log)).unwrap();
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let (stamp, message) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        assert!(is_date_is(stamp) && begins.iter().any(|begin| message.starts_with(begin)), "{line:?}");
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{2028}'), "{line:?}");
    }
    assert_eq!(untimed(text.trim_end()).len(), lines, "{text}");
}

#[test]
#[ignore = "make test-long"]
fn every_name_goes_the_whole_way_from_finalize_to_published_hls() {
    let mut bench = Bench::new();
    let caddy = Caddy::serve(&bench);
    let latest = Caddy::serve_latest(&bench);
    let base = &caddy.base;
    bench.set("PUBLIC_BASE_URL", base);
    for name in &*NAMES {
        media::put(Clip::Short, &bench.room(name).join(file_of(name)));
    }
    // As an admin who stands in RECORDINGS_ROOT calls it, in both spellings of a name that could be an option.
    for name in &*NAMES {
        let mut command = bench.command("jitsi-finalize");
        let out = run(command.current_dir(bench.recordings()).arg("--").arg(name)).exits(0);
        assert_eq!((out.stdout.as_str(), out.messages().len()), ("", 2), "{name:?}: {}", out.stderr);
        let mut command = bench.command("jitsi-finalize");
        let out = run(command.current_dir(bench.recordings()).arg(Path::new(".").join(name))).exits(0);
        assert!(out.messages().concat().starts_with("Nothing to do room="), "{name:?}: {}", out.stderr);
    }
    let count = NAMES.len();
    assert_no_forged_line(
        &bench,
        "finalize.log",
        &["Finalize room=", "OK: notion page ", "Nothing to do room="],
        3 * count,
    );
    let rows = bench.notion.pages();
    let urls: BTreeSet<_> = rows.iter().map(|row| path_in(base, &row.url().unwrap())).collect();
    assert_eq!(urls, NAMES.iter().map(|name| Path::new(name).join(file_of(name))).collect());
    assert_eq!(rows.len(), count);
    for (row, name) in rows.iter().zip(&*NAMES) {
        assert_eq!(row.room().unwrap(), name.to_string_lossy());
        assert_eq!(row.title(), format!("[Jitsi] {}", name.to_string_lossy()));
        assert_eq!(name_in_state(&bench.room(name)), file_of(name));
    }

    // Half of them by name, relative to where the admin stands; the others as cron does it.
    let (named, others) = NAMES.split_at(count / 2);
    let mut command = bench.command("jitsi-hls-worker");
    run(command.current_dir(bench.recordings()).arg("--").args(named)).exits(0);
    for name in named {
        assert_published(&bench.room(name));
    }
    for name in others {
        assert!(bench.room(name).join(file_of(name)).exists(), "{name:?}");
    }
    let out = bench.worker().exits(0);
    assert_eq!(out.messages().len(), 2 * others.len() + 1, "{}", out.stderr);
    let begins = ["Process room=", "Notion updated to HLS. Deleting mp4 room=", "Worker run complete."];
    assert_no_forged_line(&bench, "hls-worker.log", &begins, 2 * count + 2);
    for (row, name) in bench.notion.pages().iter().zip(&*NAMES) {
        assert_published(&bench.room(name));
        let url = row.url().unwrap();
        assert_eq!(path_in(base, &url), Path::new(name).join("v0/master.m3u8"));
        assert_plays(&caddy, &url, &bench.room(name));
        assert_plays(&latest, &url.replace(base, &latest.base), &bench.room(name));
        assert_eq!((row.status().unwrap().as_str(), row.provider().unwrap().as_str()), ("published", "hls"));
        assert_eq!(name_in_state(&bench.room(name)), file_of(name));
    }
    for caddy in [&caddy, &latest] {
        assert!(assert_serves_the_recordings_alone(caddy, &bench.recordings()) >= 3 * count);
    }
    bench.notion.clear_requests();
    assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn a_log_line_shows_a_strange_name_on_one_line() {
    let bench = Bench::new();
    for (name, shown) in [
        (&b"two words"[..], "two words"),
        (b"a\n2026-11-20T21:10:29+00:00 OK: forged", r"a\n2026-11-20T21:10:29+00:00 OK: forged"),
        (b"tab\tbed", r"tab\tbed"),
        (b"bell\x07 esc\x1b[31m", r"bell\u{7} esc\u{1b}[31m"),
        (b"bad\xff\xfe", r"bad\xff\xfe"),
        ("Привет".as_bytes(), "Привет"),
    ] {
        let room = bench.recorded(OsStr::from_bytes(name));
        let messages = bench.finalize(&room).exits(0).messages();
        let begin = format!("Finalize room={shown} file=meeting.mp4 url=https://rec.example.com/");
        assert!(messages[0].starts_with(&begin), "{messages:?}");
        assert!(messages[1].ends_with(&format!("/{shown}/.notion_id")), "{messages:?}");
    }
}
