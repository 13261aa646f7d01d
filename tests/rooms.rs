//! What is in a room's directory.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A room whose recording has a row and no HLS.
pub const FINALIZED: [&str; 4] = [".notion_id", ".recording.json", ".recording.lock", "meeting.mp4"];

/// A room with the HLS of one recording.
pub const PUBLISHED: [&str; 4] = [".notion_id", ".recording.json", ".recording.lock", "v0"];

/// A room with the HLS of two recordings.
pub const PUBLISHED_TWICE: [&str; 5] = [".notion_id", ".recording.json", ".recording.lock", "v0", "v1"];

/// The names in a directory, sorted.
pub fn listing(dir: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

/// Every path below a directory that is no directory itself, sorted.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in listing(dir) {
        let path = dir.join(name);
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The bytes of all files of a directory.
pub fn bytes(dir: &Path) -> Vec<Vec<u8>> {
    listing(dir).iter().map(|name| fs::read(dir.join(name)).unwrap()).collect()
}

/// Has the time pass for which a room's recordings wait after trouble: a test does not sit out an hour.
#[track_caller]
pub fn end_holds(room: &Path) {
    let path = room.join(".recording.json");
    let mut state: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for recording in state["recordings"].as_array_mut().unwrap() {
        for lane in ["host", "remote"] {
            if recording[lane].is_object() {
                recording[lane]["until"] = recording[lane]["since"].clone();
            }
        }
    }
    fs::write(&path, serde_json::to_vec(&state).unwrap()).unwrap();
}

/// The state of a room's first recording.
#[track_caller]
pub fn state_of(room: &Path) -> Value {
    let state: Value = serde_json::from_slice(&fs::read(room.join(".recording.json")).unwrap()).unwrap();
    state["recordings"][0].clone()
}

/// Asserts that a room has what a published recording leaves, and nothing else: no MP4 and no litter.
#[track_caller]
pub fn assert_published(room: &Path) {
    assert_eq!(listing(room), PUBLISHED, "{}", room.display());
    let stream = fs::read_to_string(room.join("v0/stream.m3u8")).unwrap();
    assert!(stream.ends_with("#EXT-X-ENDLIST\n"), "{stream}");
}
