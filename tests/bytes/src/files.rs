//! Readers of what lies in a room.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use rec_core::adopt::{self, NotionId};
use rec_core::metadata;
use rec_core::playlist::{Media, media_uris};
use rec_core::recording::{Fingerprint, Mp4};
use rec_core::state::State;
use serde_json::Value;
use time::OffsetDateTime;

/// Jibri's `metadata.json`.
pub(crate) fn metadata(bytes: &[u8]) {
    if let Some(room) = metadata::room_in(bytes) {
        super::assert_one_line(&room);
        assert!(!room.is_empty() && room.trim() == room, "{room:?}");
    }
    assert!(metadata::session_in(bytes).is_none_or(|session| !session.is_empty()));
}

/// `.notion_id`.
pub(crate) fn notion_id(bytes: &[u8]) {
    match adopt::id_in(bytes) {
        NotionId::Page(page) => {
            assert!(page.as_str().bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'), "{page}");
            // The scripts' own bytes.
            assert_eq!(adopt::id_in(format!("{page}\n").as_bytes()), NotionId::Page(page));
        }
        NotionId::Empty => assert!(String::from_utf8_lossy(bytes).trim().is_empty()),
        NotionId::Garbage(text) => assert!(!text.is_empty() && text.chars().count() <= 60),
    }
}

/// `.recording.json`.
pub(crate) fn state(bytes: &[u8]) {
    let Ok(state) = State::parse(bytes) else { return };
    for recording in &state.recordings {
        if let Some(file) = &recording.file {
            let name: &OsStr = file.as_ref();
            assert!(
                !name.is_empty() && !name.as_bytes().contains(&b'/') && name != "..",
                "{} leads elsewhere",
                name.display()
            );
        }
        assert!(recording.hls_dir().strip_prefix('v').is_some_and(|slot| slot.parse::<u32>().is_ok()));
    }
    // What is written is read as the same, and has all that was there.
    let written = state.bytes().expect("a state is JSON");
    let again = State::parse(&written).expect("what we write we read");
    assert_eq!(again, state);
    if let (Ok(before), Ok(after)) = (serde_json::from_slice(bytes), serde_json::from_slice(&written)) {
        assert_kept(&before, &after);
    }
    // A recording that comes now gets a directory of its own.
    let print = Fingerprint { size: 7, mtime: OffsetDateTime::UNIX_EPOCH };
    let mut more = state.clone();
    more.register(&[Mp4 { name: "a recording of now.mp4".into(), print }], |_| false);
    let last = more.recordings.last().expect("one recording at least");
    assert!(
        more.recordings.len() == state.recordings.len() || state.recordings.iter().all(|known| known.slot != last.slot),
        "slot {} is taken",
        last.slot
    );
}

/// Asserts that no field is lost, however deep, but for those of ours that say nothing.
fn assert_kept(before: &Value, after: &Value) {
    if let (Some(before), Some(after)) = (before.as_array(), after.as_array()) {
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(after) {
            assert_kept(before, after);
        }
    }
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return };
    for (key, value) in before {
        let silent = value.is_null()
            || *value == false
            || *value == 0
            || value.as_object().is_some_and(serde_json::Map::is_empty);
        match after.get(key) {
            Some(after) => assert_kept(value, after),
            None => assert!(silent || default(key, value), "{key} is lost"),
        }
    }
}

/// Whether a field is left out because it says what is meant where it is not there.
fn default(key: &str, value: &Value) -> bool {
    key == "link" && *value == "playlist"
}

/// A playlist, of HLS that is adopted.
pub(crate) fn playlist(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(media_uris(&text).iter().all(|uri| text.contains(uri.as_str()) && !uri.contains('\n')));
    let Ok(media) = Media::parse(&text) else { return };
    assert!(media.duration() >= 0.0 && media.target.is_finite(), "{media:?}");
    assert!(media.segments.iter().all(|segment| segment.duration.is_finite() && !segment.part.uri.is_empty()));
    let published = media.published(media.least_target());
    let again = Media::parse(&published).expect("what we publish can be read");
    assert!(again.ended && again.map == media.map && again.segments.len() == media.segments.len(), "{published}");
    for (ours, theirs) in again.segments.iter().zip(&media.segments) {
        assert_eq!(ours.part, theirs.part);
        assert!((ours.duration - theirs.duration).abs() <= 1e-6 * theirs.duration.max(1.0), "{ours:?} {theirs:?}");
    }
    let sizes = vec![u64::from(u32::MAX); media.segments.len()];
    let (peak, average) = media.bit_rates(&sizes);
    assert!(peak >= average);
}
