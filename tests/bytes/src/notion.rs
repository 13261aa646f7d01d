//! Replies of Notion, or of whatever answers in its place.

use rec_core::notion::{self, PageId};

/// The status in two bytes, then the body.
pub(crate) fn reply(bytes: &[u8]) {
    let Some((status, body)) = bytes.split_first_chunk() else { return };
    let status = 100 + u16::from_be_bytes(*status) % 500;
    // As the client reads it.
    let body = String::from_utf8_lossy(body);
    let read = notion::readings(status, &body);
    for error in &read.refusals {
        let text = error.to_string();
        super::assert_one_line(&text);
        assert!(!text.contains("://u:hunter2@"), "a password: {text}");
    }
    for found in read.rows.iter().chain(&read.page) {
        // It becomes a part of a URL.
        let id = found.id.as_str();
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'), "{id}");
        assert!(PageId::parse(id).is_some());
    }
    let usable = matches!(&read.columns, Some(Ok(())));
    assert!(!usable || read.described.is_some(), "columns of a database that is none");
}
