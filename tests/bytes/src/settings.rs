//! Readers of settings: ours, and Jibri's.

use std::path::Path;

use rec_core::envfile;

/// An env file. That what is accepted means the same to bash is tested in `crates/core/tests/env_bash.rs`.
pub(crate) fn env(bytes: &[u8]) {
    let file = match envfile::parse(Path::new("F"), bytes) {
        Ok(file) => file,
        Err(problems) => {
            let text = problems.to_string();
            assert!(text.lines().all(|line| line.starts_with('F')), "a line that does not name the file: {text:?}");
            return;
        }
    };
    file.warnings.iter().for_each(|warning| super::assert_one_line(warning));
    let mut last = 0;
    for entry in &file.entries {
        let name = entry.key.as_bytes();
        assert!(
            name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') && !name[0].is_ascii_digit(),
            "{}",
            entry.key
        );
        assert!(!entry.value.contains(['\0', '\n']), "{entry:?} has a value of several lines");
        assert!(entry.line > last, "{entry:?}");
        last = entry.line;
        assert!(file.get(&entry.key).is_some() && file.line_of(&entry.key) >= Some(entry.line));
    }
}

/// Jibri's configuration.
pub(crate) fn hocon(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for path in ["jibri.recording.finalize-script", "jibri.recording.recordings-directory"] {
        if let Some(setting) = super::hocon::find(&text, path) {
            assert!(setting.line >= 1 && setting.line <= text.matches('\n').count() + 1, "line {}", setting.line);
            assert!(setting.text.is_none_or(|found| found.len() <= text.len()));
        }
    }
}
