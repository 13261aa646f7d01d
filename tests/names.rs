//! Names that a filesystem takes and that have broken something somewhere.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::sync::LazyLock;

/// The names, each of which is given to a room and, with `.mp4` behind it, to the file in it.
pub static NAMES: LazyLock<Vec<OsString>> = LazyLock::new(|| {
    let long = "x".repeat(200);
    let text = [
        "plain",
        "two words",
        " blank before and behind ",
        "Привет мир",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{1f3a5} \u{1f469}\u{200d}\u{1f4bb}",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}abc",
        "a#b",
        "a?b=c",
        "100%",
        "pct%20x",
        "say \"hi\"",
        "it's",
        "back\\slash",
        "a&b",
        "a:b",
        "a;b",
        "a+b",
        "a=b",
        "@home",
        "a*b",
        "[a]",
        "{a,b}",
        "$HOME $(id)",
        "(a|b)",
        "<a>",
        "a!b",
        "~root",
        "^a",
        "`id`",
        "a,b",
        "seg%03d",
        "v%v",
        "new\nline",
        "a\n2026-11-20T21:10:29+00:00 OK: forged",
        "a\rb",
        "tab\tbed",
        "bell\u{7} esc\u{1b}[31m del\u{7f}",
        "line\u{2028}end",
        "-x",
        "--help",
        "-",
        ".hidden",
        "..x",
        "...",
        "q",
        "http:x",
        "file:x",
        "concat:a|b",
        "pipe:1",
        "data:,x",
        "v0",
        "v0.tmp",
        long.as_str(),
    ];
    let bytes: [&[u8]; 3] = [b"bad\xff\xfe", b"cut\xc3", b"\x80"];
    let text = text.into_iter().map(OsString::from);
    text.chain(bytes.map(|name| OsString::from_vec(name.to_vec()))).collect()
});

/// A room's file: the name and `.mp4`.
pub fn file_of(name: &OsStr) -> OsString {
    let mut file = name.to_owned();
    file.push(".mp4");
    file
}
