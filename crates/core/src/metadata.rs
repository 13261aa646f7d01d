//! Jibri's `metadata.json`: of all that it may hold, OAuth tokens included, only the room's name and the caller's
//! own id of the recording are ever taken.

use std::path::Path;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::small;

/// Jibri writes a few hundred bytes; participants and extra metadata may make it more. What is larger is not Jibri's.
const LARGEST: u64 = 4 << 20;

/// The room's name out of `dir/metadata.json`: the last path segment of `meeting_url`, percent-decoded. `None` where the file
/// is missing, dirty or has no such thing; it is optional, and never a reason to stop.
pub fn room(dir: &Path) -> Option<String> {
    room_in(&read(dir)?)
}

/// The same out of the file's bytes.
pub fn room_in(bytes: &[u8]) -> Option<String> {
    room_of(parse(bytes)?.get("meeting_url")?.as_str()?)
}

/// What the caller of a recording named it by: the key `sessionId` at the top of `dir/metadata.json`, where Jibri puts the
/// metadata that a start request brought along.
pub fn session(dir: &Path) -> Option<String> {
    session_in(&read(dir)?)
}

/// The same out of the file's bytes.
pub fn session_in(bytes: &[u8]) -> Option<String> {
    let id = parse(bytes)?.get("sessionId")?.as_str()?.to_owned();
    (!id.is_empty()).then_some(id)
}

fn read(dir: &Path) -> Option<Vec<u8>> {
    small::read(&dir.join("metadata.json"), LARGEST).ok()
}

fn parse(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// The last path segment of a meeting's URL, decoded. Query and fragment go: they can hold a JWT.
fn room_of(url: &str) -> Option<String> {
    let url = url.split(['?', '#']).next()?;
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (_host, path) = path.split_once('/')?;
    let last = path.trim_end_matches('/').rsplit('/').next()?;
    let room = percent_decode_str(last).decode_utf8_lossy();
    let room = room.replace(char::is_control, " ").trim().to_owned();
    (!room.is_empty()).then_some(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_the_last_path_segment_of_the_meeting_url() {
        let cases = [
            (r#"{"meeting_url":"https://meet.jitsi/testmeeting","participants":[],"share":true}"#, Some("testmeeting")),
            (
                r#"{"meeting_url":"https://meet.example.org/tenant/Daily%20Standup","participants":[]}"#,
                Some("Daily Standup"),
            ),
            (r#"{"meeting_url":"https://meet.example.org/room/","participants":[]}"#, Some("room")),
            (r#"{"meeting_url":"https://meet.example.org/room?jwt=secret#config.x=1"}"#, Some("room")),
            (r#"{"meeting_url":"https://meet.example.org/%d0%bf%d1%80"}"#, Some("пр")),
            (r#"{"meeting_url":"https://meet.example.org/cut%d0"}"#, Some("cut\u{fffd}")),
            (r#"{"meeting_url":"https://meet.example.org/a%0Ab"}"#, Some("a b")),
            (r#"{"meeting_url":"https://meet.example.org/"}"#, None),
            (r#"{"meeting_url":"https://meet.example.org"}"#, None),
            (r#"{"meeting_url":"https://meet.example.org/%20"}"#, None),
            (r#"{"meeting_url":null}"#, None),
            (r#"{"meeting_url":["https://meet.example.org/room"]}"#, None),
            (r#"{"participants":[]}"#, None),
            (r#"["https://meet.example.org/room"]"#, None),
            (r#"{"meeting_url":"https://meet.example.org/ro"#, None),
            ("", None),
        ];
        let dir = tempfile::tempdir().unwrap();
        for (text, wanted) in cases {
            std::fs::write(dir.path().join("metadata.json"), text).unwrap();
            assert_eq!(room(dir.path()).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_link_or_a_directory_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metadata.json");
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(room(dir.path()), None);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(room(dir.path()), None);
    }

    #[test]
    fn the_session_is_a_text_at_the_top_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for (text, wanted) in [
            (r#"{"meeting_url":"https://meet/x","sessionId":"clx9"}"#, Some("clx9")),
            (r#"{"sessionId":""}"#, None),
            (r#"{"sessionId":7}"#, None),
            (r#"{"data":{"sessionId":"clx9"}}"#, None),
            ("", None),
        ] {
            std::fs::write(dir.path().join("metadata.json"), text).unwrap();
            assert_eq!(session(dir.path()).as_deref(), wanted, "{text}");
        }
    }
}
