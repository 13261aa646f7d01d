use super::*;
use time::macros::datetime;

fn mp4(name: &str, size: u64) -> Mp4 {
    Mp4 { name: name.into(), print: Fingerprint { size, mtime: datetime!(2026-11-21 09:00:00.5 UTC) } }
}

fn registered(mp4s: &[Mp4]) -> State {
    let mut state = State::empty();
    state.register(mp4s, |_| false);
    state
}

#[test]
fn each_mp4_of_a_directory_is_a_recording_with_a_slot_of_its_own() {
    let state = registered(&[mp4("large.mp4", 9), mp4("small.mp4", 1)]);
    let slots: Vec<_> = state.recordings.iter().map(|r| (r.shown(), r.hls_dir())).collect();
    assert_eq!(slots, [("large.mp4".into(), "v0".into()), ("small.mp4".into(), "v1".into())]);
}

#[test]
fn fields_of_a_later_version_survive_wherever_they_are_as_long_as_that_is_there() {
    let text = r#"{"version":1,"above":1,"recordings":[{"slot":0,"beside":[2],
        "source":{"size":9,"mtime":"2026-11-21T09:00:00Z","inode":3},
        "row":{"provider":"mp4","status":"recorded","link":"playlist","etag":"4"},
        "hls":{"of":{"size":9,"mtime":"2026-11-21T09:00:00Z","hash":{"sha":"5"}}},
        "owed":{"reflector":{"event":"recorded","at":"2026-11-21T09:00:00Z","id":"6"}}}]}"#;
    let mut state = State::parse(text.as_bytes()).unwrap();
    let written = |state: &State| serde_json::from_slice::<Value>(&state.bytes().unwrap()).unwrap();
    assert_eq!(written(&state), serde_json::from_str::<Value>(text).unwrap());
    state.recordings[0].row = Some(Row::published(Link::Playlist));
    state.recordings[0].owed.clear();
    let after = &written(&state)["recordings"][0];
    assert_eq!((&after["row"]["status"], &after["row"]["etag"]), (&Value::from("published"), &Value::from("4")));
    assert_eq!((&after["hls"]["of"]["hash"]["sha"], after.get("owed")), (&Value::from("5"), None));
}

#[test]
fn a_slot_after_which_nobody_can_count_is_no_state() {
    let state = |slot: u32| State::parse(format!(r#"{{"version":1,"recordings":[{{"slot":{slot}}}]}}"#).as_bytes());
    assert!(state(1_000_000).is_ok());
    assert_eq!(state(u32::MAX).unwrap_err().to_string(), "it has a slot beyond 1000000");
}

#[test]
fn hls_of_unknown_origin_is_never_built_over() {
    let mut state = State::empty();
    state.register(&[mp4("a.mp4", 1)], |slot| slot < 2);
    assert_eq!(state.recordings[0].slot, 2);
}

#[test]
fn a_file_that_changed_before_its_hls_was_made_is_the_same_recording_and_gets_new_tries() {
    let mut state = registered(&[mp4("a.mp4", 1)]);
    (state.recordings[0].failures, state.recordings[0].given_up) = (3, true);
    state.register(&[mp4("a.mp4", 1)], |_| false);
    assert!(state.recordings[0].given_up, "nothing has changed");
    state.register(&[mp4("a.mp4", 2)], |_| false);
    assert_eq!(state.recordings.len(), 1);
    assert_eq!((state.recordings[0].failures, state.recordings[0].given_up), (0, false));
}

#[test]
fn a_file_of_the_same_name_after_its_hls_was_made_is_another_recording() {
    let mut state = registered(&[mp4("a.mp4", 1)]);
    state.recordings[0].hls = Some(Hls { of: Some(mp4("a.mp4", 1).print) });
    state.register(&[mp4("a.mp4", 1)], |_| false);
    assert_eq!(state.recordings.len(), 1, "it is still the same file");
    state.register(&[mp4("a.mp4", 2)], |slot| slot == 0);
    assert_eq!((state.recordings.len(), state.recordings[1].slot), (2, 1));
}

#[test]
fn a_renamed_file_is_the_same_recording() {
    let mut state = registered(&[mp4("a.mp4", 1), mp4("b.mp4", 2)]);
    state.register(&[mp4("a.mp4", 1), mp4("renamed.mp4", 2)], |_| false);
    let names: Vec<_> = state.recordings.iter().map(Recording::shown).collect();
    assert_eq!(names, ["a.mp4", "renamed.mp4"]);
    // A copy is another recording: the first is still there.
    state.register(&[mp4("a.mp4", 1), mp4("copy.mp4", 1), mp4("renamed.mp4", 2)], |_| false);
    assert_eq!(state.recordings.len(), 3);
}

#[test]
fn a_file_that_was_put_back_after_its_removal_is_the_same_recording() {
    let mut state = registered(&[mp4("a.mp4", 1)]);
    state.recordings[0].hls = Some(Hls { of: Some(mp4("a.mp4", 1).print) });
    state.recordings[0].removed = Some(datetime!(2026-11-21 10:00:00 UTC));
    state.register(&[mp4("a.mp4", 1)], |_| false);
    assert_eq!(state.recordings.len(), 1);
    state.register(&[mp4("a.mp4", 2)], |slot| slot == 0);
    assert_eq!(state.recordings.len(), 2);
}

#[test]
fn unknown_fields_survive() {
    let text = r#"{"version":1,"recordings":[{"file":"a.mp4","slot":0,"later":{"x":[1]}}],"site":"B"}"#;
    let state = State::parse(text.as_bytes()).unwrap();
    assert_eq!(serde_json::to_string(&state).unwrap(), text);
}

#[test]
fn a_whole_state_survives_the_way_to_the_disk_and_back() {
    let mut state = registered(&[mp4("a.mp4", 1)]);
    let recording = &mut state.recordings[0];
    recording.page_id = Some(PageId::parse("38c9ce7b-60a4-8158-aa2a-d4923e46fb5b").unwrap());
    recording.row = Some(Row::published(Link::Page));
    recording.create =
        Some(Create { sent: datetime!(2026-11-21 09:00:00 UTC), url: "https://x/a".into(), refused: true });
    recording.hls = Some(Hls { of: recording.source });
    recording.removed = Some(datetime!(2026-11-21 10:00:00 UTC));
    (recording.failures, recording.error, recording.given_up) = (2, Some("why".into()), true);
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(State::parse(text.as_bytes()).unwrap(), state, "{text}");
}

#[test]
fn a_name_that_is_not_utf_8_is_kept_as_hex() {
    let name = FileName(OsString::from_vec(b"a\xff.mp4".to_vec()));
    let text = serde_json::to_string(&name).unwrap();
    assert_eq!(text, r#"{"hex":"61ff2e6d7034"}"#);
    assert_eq!(serde_json::from_str::<FileName>(&text).unwrap(), name);
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for text in
        [r#""../other/a.mp4""#, r#""/etc/passwd""#, r#""..""#, r#""""#, r#"{"hex":"2f"}"#, r#"{"hex":"6"}"#, "1"]
    {
        assert!(serde_json::from_str::<FileName>(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_no_state_is_refused() {
    for text in [
        "",
        "null",
        "{}",
        "[]",
        "{\"version\":2,\"recordings\":[]}",
        "{\"version\":1,\"recordings\":[{}]}",
        "{\"version\":1",
    ] {
        assert!(State::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_state_of_a_later_version_is_known_whatever_else_is_in_it() {
    let error = State::parse(br#"{"version":2,"recordings":{"a.mp4":1}}"#).unwrap_err();
    assert_eq!(error.to_string(), "its version is 2, and this program knows versions up to 1: install a newer one");
}
