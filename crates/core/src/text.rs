//! Names, of which any byte may be strange, as text that a line of a log can hold.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

/// A file name for people: UTF-8 as it is, control characters and bytes that are not UTF-8 escaped. One line, always.
pub fn shown(name: impl AsRef<OsStr>) -> String {
    let mut text = String::new();
    for chunk in name.as_ref().as_bytes().utf8_chunks() {
        escape_into(&mut text, chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Text from elsewhere on one line: control characters escaped, all else as it is.
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    escape_into(&mut line, text);
    line
}

fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line ends for some readers, and what turns the order of the letters around on a terminal.
            c if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
}

/// A word for a shell, in quotes where it needs them.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,-=".contains(c) || !c.is_ascii();
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A path as a word for a shell, byte for byte: bash, zsh and busybox read what [`word`] cannot hold.
pub fn path_word(path: impl AsRef<OsStr>) -> String {
    let bytes = path.as_ref().as_bytes();
    match path.as_ref().to_str() {
        // Nothing in it but what can be shown as it is.
        Some(text) if shown(text) == text => return word(text),
        _ => {}
    }
    let mut quoted = String::from("$'");
    for byte in bytes {
        match byte {
            b'\'' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            // Three digits, so that none of what follows is taken for a part of it.
            byte => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted.push('\'');
    quoted
}

/// A number of bytes in the unit that `HLS_MIN_FREE` has for as many.
#[expect(clippy::cast_precision_loss, reason = "rounded anyway")]
pub fn bytes(count: u64) -> String {
    let (mut number, mut unit) = (count as f64, "");
    for larger in ["k", "M", "G", "T"] {
        // From here on it would be rounded to 1024.
        if number < 1023.5 {
            break;
        }
        (number, unit) = (number / 1024.0, larger);
    }
    let digits = usize::from(number < 9.95 && !unit.is_empty());
    format!("{number:.digits$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_whatever_it_holds() {
        let cases: [(&[u8], &str); 6] = [
            (b"daily-standup", "daily-standup"),
            ("Привет мир".as_bytes(), "Привет мир"),
            (b"a\nERROR: forged", "a\\nERROR: forged"),
            (b"bell\x07 esc\x1b[31m", "bell\\u{7} esc\\u{1b}[31m"),
            (b"bad\xff\xc3", "bad\\xff\\xc3"),
            ("a\u{2028}b\u{202e}c".as_bytes(), "a\\u{2028}b\\u{202e}c"),
        ];
        for (name, wanted) in cases {
            assert_eq!(shown(OsStr::from_bytes(name)), wanted);
        }
    }

    #[test]
    fn a_path_is_one_word_of_a_shell_byte_for_byte() {
        let cases: [(&[u8], &str); 7] = [
            (b"/r/a", "/r/a"),
            (b"/r/it's", r"'/r/it'\''s'"),
            ("/r/Привет".as_bytes(), "/r/Привет"),
            (b"/r/new\nline", r"$'/r/new\012line'"),
            (b"/r/it's\n1", r"$'/r/it\'s\0121'"),
            (b"/r/bad\xff", r"$'/r/bad\377'"),
            (b"/r/back\\", r"'/r/back\'"),
        ];
        for (path, wanted) in cases {
            assert_eq!(path_word(OsStr::from_bytes(path)), wanted);
        }
    }

    #[test]
    fn bytes_are_shown_as_they_are_set() {
        let cases = [(0, "0"), (999, "999"), (1024, "1.0k"), (10_200, "10k"), (1_048_200, "1.0M"), (1 << 30, "1.0G")];
        for (count, wanted) in cases {
            assert_eq!(bytes(count), wanted);
        }
        assert_eq!(bytes(u64::MAX), "16777216T");
    }
}
