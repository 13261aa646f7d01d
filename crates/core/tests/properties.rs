//! What must hold for any name, any state and any playlist, tried with random ones.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::process::Command;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use rec_core::adopt::{self, NotionId};
use rec_core::config::Config;
use rec_core::envfile;
use rec_core::hold::Hold;
use rec_core::metadata;
use rec_core::playlist::{Bytes, Media, Part, Segment, media_uris};
use rec_core::recording::{Fingerprint, Mp4};
use rec_core::state::{FileName, State};
use rec_core::text;
use rec_core::url::{PublicUrl, masked};
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

fn config(base: &str, auth: &str) -> Config {
    let text = format!(
        "NOTION_TOKEN='t'\nNOTION_DATABASE_ID='38c9ce7b60a48158aa2ad4923e46fb5b'\nRECORDINGS_ROOT='/r'\n\
         PUBLIC_BASE_URL='{base}'\nPUBLIC_URL_AUTH='{auth}'\n"
    );
    let path = Path::new("F");
    Config::from_entries(path, &envfile::parse(path, text.as_bytes()).unwrap()).unwrap()
}

/// A name that a file can have.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let any_byte = vec(any::<u8>(), 1..40);
    let spiteful = "[ %#?&'\"\\\\$`;|<>\n\r\t\u{202e}é日-]{1,12}".prop_map(String::into_bytes);
    prop_oneof![any_byte, spiteful].prop_filter_map("no name", |mut bytes| {
        bytes.retain(|byte| *byte != 0 && *byte != b'/');
        (!bytes.is_empty() && bytes != b"." && bytes != b"..").then_some(bytes)
    })
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let objects = btree_map(".{0,6}", inner.clone(), 0..4).prop_map(|map| Value::Object(map.into_iter().collect()));
        prop_oneof![vec(inner, 0..4).prop_map(Value::from), objects]
    })
}

/// Fields of a version to come.
fn fields() -> impl Strategy<Value = Map<String, Value>> {
    btree_map("of_later_[a-z]{1,5}", json(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn time_of_day() -> impl Strategy<Value = OffsetDateTime> {
    (0..4_000_000_000_i64, 0..1_000_000_000_i64)
        .prop_map(|(second, nano)| OffsetDateTime::from_unix_timestamp(second).unwrap() + Duration::nanoseconds(nano))
}

fn part() -> impl Strategy<Value = Part> {
    let range = (1..u64::from(u32::MAX), 0..u64::from(u32::MAX)).prop_map(|(length, from)| Bytes { length, from });
    ("[a-zA-Z0-9_%é/-]{1,12}\\.(ts|m4s|mp4)", option::of(range)).prop_map(|(uri, bytes)| Part { uri, bytes })
}

/// A playlist as we write it, its durations in whole microseconds.
fn playlist() -> impl Strategy<Value = Media> {
    let segment =
        (0..20_000_000_u32, part()).prop_map(|(micros, part)| Segment { duration: f64::from(micros) / 1e6, part });
    (1..30_u32, option::of(part()), vec(segment, 0..20)).prop_map(|(target, map, segments)| Media {
        target: f64::from(target),
        map,
        segments,
        ended: true,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_public_url_decodes_to_its_path_and_is_made_of_harmless_characters(names in vec(name(), 1..4)) {
        let base = "https://rec.example.com/a";
        let url = PublicUrl::of(&config(base, ""), names.iter().map(Vec::as_slice));
        let path = url.bare().strip_prefix("https://rec.example.com/a/").unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%/".contains(c);
        prop_assert!(path.chars().all(plain), "{path}");
        let decoded: Vec<Vec<u8>> = path.split('/').map(|name| percent_decode_str(name).collect()).collect();
        prop_assert_eq!(decoded, names);
        prop_assert_eq!((url.full(), url.masked()), (url.bare().to_owned(), url.bare().to_owned()));
    }

    #[test]
    fn the_password_of_the_site_is_in_the_full_url_and_in_no_other(
        names in vec(name(), 1..3), user in "[a-z0-9]{1,5}", password in "[A-Za-z0-9._~!*+,=-]{1,12}",
    ) {
        let auth = format!("{user}:hunter-{password}@");
        let url = PublicUrl::of(&config("https://rec.example.com", &auth), names.iter().map(Vec::as_slice));
        let rest = url.bare().strip_prefix("https://").unwrap();
        prop_assert_eq!(url.full(), format!("https://{auth}{rest}"));
        prop_assert_eq!(url.masked(), format!("https://***@{rest}"));
        prop_assert_eq!(masked(&url.full()), url.masked());
        prop_assert!(!url.bare().contains("hunter-") && !url.masked().contains("hunter-"));
    }

    #[test]
    fn a_name_is_one_line_of_a_log_and_one_word_of_json(name in name()) {
        let shown = text::shown(OsStr::from_bytes(&name));
        prop_assert!(!shown.contains(char::is_control) && !shown.contains('\u{202e}'), "{shown}");
        let file = FileName(OsString::from_vec(name));
        let written = serde_json::to_string(&file).unwrap();
        prop_assert_eq!(serde_json::from_str::<FileName>(&written).unwrap(), file);
    }

    #[test]
    fn a_state_keeps_what_a_later_version_wrote_into_it_at_every_level(
        (above, below, inside) in (fields(), fields(), fields()),
        (name, slot, size) in (name(), 0..1000_u32, any::<u64>()),
        mtime in time_of_day(),
        given_up in any::<bool>(),
        why in option::of(".{0,20}"),
    ) {
        let mut fresh = State::empty();
        fresh.register(&[Mp4 { name: OsString::from_vec(name), print: Fingerprint { size, mtime } }], |_| false);
        fresh.recordings[0].slot = slot;
        (fresh.recordings[0].given_up, fresh.recordings[0].error) = (given_up, why);
        let mut written = serde_json::to_value(&fresh).unwrap();
        let put = |value: &mut Value, more: &Map<String, Value>| value.as_object_mut().unwrap().extend(more.clone());
        put(&mut written, &above);
        put(&mut written["recordings"][0], &below);
        put(&mut written["recordings"][0]["source"], &inside);
        let read = |state: &State| serde_json::from_slice::<Value>(&state.bytes().unwrap()).unwrap();
        let mut state = State::parse(written.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&read(&state), &written);
        // And after what it is read for: a change.
        state.recordings[0].starts_anew();
        let changed = read(&state);
        let recording = &changed["recordings"][0];
        for (fields, place) in [(&above, &changed), (&below, recording), (&inside, &recording["source"])] {
            prop_assert!(fields.iter().all(|(key, value)| place.get(key) == Some(value)), "{changed}");
        }
    }

    #[test]
    fn a_playlist_is_read_as_it_was_published(media in playlist()) {
        prop_assert_eq!(Media::parse(&media.published(media.target)).unwrap(), media);
    }

    #[test]
    fn a_playlist_of_any_text_is_read_or_refused(text in "(#EXTM3U\n)?(#EXT(INF:|-X-BYTERANGE:|-X-MAP:|-X-TARGETDURATION:)?.{0,12}\n|.{0,8}\n){0,8}") {
        let _ = media_uris(&text);
        if let Ok(media) = Media::parse(&text) {
            prop_assert!(media.segments.iter().all(|segment| segment.duration >= 0.0 && !segment.part.uri.is_empty()));
            prop_assert!(media.segments.iter().filter_map(|segment| segment.part.bytes).all(|bytes| bytes.end().is_some()));
        }
    }

    #[test]
    fn a_page_id_is_found_in_whatever_line_ends_and_blanks_somebody_left(
        digits in "[0-9a-fA-F]{32}", dashed in any::<bool>(), at in any::<Index>(), ends in vec("[\r\n]{0,2}", 3),
    ) {
        let id = if dashed {
            [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
        } else {
            digits
        };
        let cut = at.index(id.len());
        let file = format!("{}{}{}{}{}", ends[0], &id[..cut], ends[1], &id[cut..], ends[2]);
        let NotionId::Page(page) = adopt::id_in(file.as_bytes()) else { return Err(TestCaseError::fail(file)) };
        prop_assert_eq!(page.as_str(), id);
    }

    #[test]
    fn a_pause_is_never_longer_than_an_hour_and_a_quarter(tries in any::<u32>(), (since, until) in (time_of_day(), time_of_day())) {
        let before = Hold { tries, since, until, why: String::new() };
        let now = OffsetDateTime::now_utc();
        let after = Hold::failed(Some(&before), "refused");
        prop_assert!(after.until - now <= Duration::minutes(76) && after.until >= now, "{after:?}");
        prop_assert!(after.since <= since && after.tries >= tries);
        prop_assert!(!after.holds(after.until) && !after.holds(now - Duration::hours(2)));
    }

    #[test]
    fn a_room_is_named_as_its_meetings_url_says(room in ".{1,20}", tenant in option::of("[a-z]{1,5}")) {
        let tenant = tenant.map(|tenant| tenant + "/").unwrap_or_default();
        let url = format!("https://meet.example.org/{tenant}{}?jwt=x#y", utf8_percent_encode(&room, NON_ALPHANUMERIC));
        let found = metadata::room_in(json!({"meeting_url": url, "participants": []}).to_string().as_bytes());
        let wanted = room.replace(char::is_control, " ").trim().to_owned();
        prop_assert_eq!(found.unwrap_or_default(), wanted);
    }
}

#[test]
fn a_word_for_a_shell_is_one_word_with_the_same_letters() {
    let strategy = vec("[ -~\n\té日]{0,12}", 200);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 3,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let run = |words: Vec<String>| {
        let line = words.iter().map(|word| text::word(word)).collect::<Vec<_>>().join(" ");
        let output = Command::new("sh").args(["-c", &format!("printf '%s\\0' {line}")]).output().unwrap();
        let read: Vec<_> = output
            .stdout
            .split_inclusive(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(&word[..word.len() - 1]).into_owned())
            .collect();
        prop_assert_eq!(read, words);
        Ok(())
    };
    runner.run(&strategy, run).unwrap();
}
