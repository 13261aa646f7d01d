//! The env file's lines.
//!
//! Bash `source`s this file and the suite reads it. **A file that we accept yields exactly what `source` yields; any other is
//! refused** as `FILE:LINE: KEY: what is wrong: how to write it`, with all its bad lines at once and never with a value.
//!
//! `env_file_reader` alone does not keep that promise: it ends an unquoted word at `#`, leaves `$X` as it stands, turns a
//! backslash and an `n` into a newline even in single quotes, and its error names no line. So each line is first held against
//! the few shapes that mean the same to both:
//!
//! ```text
//! [export ]KEY=VALUE [# comment]       VALUE: nothing, a plain word, 'one string' or "one string"
//! ```

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use crate::access::{self, Want};
use crate::text::word;

mod line;
#[cfg(test)]
mod tests;

/// The largest env file, in bytes; a larger one is some other file.
const LIMIT: usize = 4 << 20;

/// One assignment.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name on the left of `=`.
    pub key: String,
    /// The value that bash would give it.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
}

impl fmt::Debug for Entry {
    /// Without the value: it may be a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}=***", self.line, self.key)
    }
}

/// An env file that means the same to us as to bash.
#[derive(Debug, Clone, Default)]
pub struct EnvFile {
    /// Every assignment, in the file's order, those that a later line overrides included.
    pub entries: Vec<Entry>,
    /// What an admin should know though the file is usable, each with file and line.
    pub warnings: Vec<String>,
}

impl EnvFile {
    /// The value of `key`; of several lines the last counts, as in bash.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entry(key).map(|entry| entry.value.as_str())
    }

    /// The line, from 1, that gives `key` its value.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.entry(key).map(|entry| entry.line)
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }
}

/// Everything that is wrong with an env file, one sentence each; `Display` gives one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Wraps sentences that already name the file.
    pub(crate) fn new(sentences: Vec<String>) -> Self {
        Self(sentences)
    }

    /// The sentences, in the order of their lines.
    pub fn sentences(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

impl From<String> for Problems {
    fn from(sentence: String) -> Self {
        Self(vec![sentence])
    }
}

/// Reads the env file at `path`; a missing one is reported in the scripts' own words.
pub fn read(path: &Path) -> Result<EnvFile, Problems> {
    let shown = path.display();
    match load(path) {
        Ok(bytes) => parse(path, &bytes),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(format!("Env file not found: {shown}").into())
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let why = access::explain(path, Want::Read, &error);
            let why = why.unwrap_or_else(|| "let its group read it".to_owned());
            Err(format!(
                "{shown}: cannot be read: {error}: the user that runs this tool must be able to read it: {why}"
            )
            .into())
        }
        Err(error) => {
            Err(format!("{shown}: cannot be read: {error}: name a regular file that the user of this tool can read")
                .into())
        }
    }
}

/// The file's bytes, up to just over the limit; never waits for a named pipe.
fn load(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LIMIT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads an env file's bytes; `path` is for the messages.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<EnvFile, Problems> {
    let shown = path.display();
    if bytes.len() > LIMIT {
        return Err(format!("{shown}: is larger than 4 MiB: this is not an env file, name the right one").into());
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let line = bytes[..at].split(|byte| *byte == b'\n').count();
        return Err(format!("{shown}:{line}: a NUL byte: this is not a text file, save it as UTF-8").into());
    }
    let mut problems = Vec::new();
    let word = word(&shown.to_string());
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if text.len() < bytes.len() {
        problems.push(format!("{shown}:1: a byte order mark: remove it with: sed -i '1s/^\\xEF\\xBB\\xBF//' {word}"));
    }
    let lines = without_cr(text.split(|byte| *byte == b'\n').collect(), &shown, &word, &mut problems);

    let mut file = EnvFile::default();
    let mut first_lines = HashMap::new();
    let mut next = 0;
    for (index, bytes) in lines.iter().enumerate() {
        if index < next {
            continue; // Inside a value that was begun, and reported, on a line above.
        }
        let line = index + 1;
        let Ok(text) = std::str::from_utf8(bytes) else {
            problems.push(format!("{shown}:{line}: not UTF-8: save the file as UTF-8"));
            continue;
        };
        match line::assignment(text) {
            Ok(None) => {}
            Ok(Some((key, value))) => {
                if let Some(first) = first_lines.insert(key, line) {
                    file.warnings.push(format!(
                        "{shown}:{line}: {key}: also set on line {first}: the last one counts, remove the others"
                    ));
                }
                file.entries.push(Entry { key: key.to_owned(), value, line });
            }
            Err(fault) => {
                let key = line::name_in(text).map(|key| format!("{key}: ")).unwrap_or_default();
                problems.push(format!("{shown}:{line}: {key}{}", fault.why));
                next = fault.open.map_or(next, |quote| line + lines_to_close(&lines[line..], quote));
            }
        }
    }
    if problems.is_empty() { Ok(file) } else { Err(Problems(problems)) }
}

/// The lines without the CR of a Windows line end. That is one problem of the file, not one of each line.
fn without_cr<'a>(
    lines: Vec<&'a [u8]>,
    shown: &impl fmt::Display,
    word: &str,
    problems: &mut Vec<String>,
) -> Vec<&'a [u8]> {
    let count = lines.iter().filter(|line| line.ends_with(b"\r")).count();
    if let Some(first) = lines.iter().position(|line| line.ends_with(b"\r")) {
        problems.push(format!(
            "{shown}:{}: a Windows line end (CR), on {count} line(s) in all: remove them with: sed -i 's/\\r$//' {word}",
            first + 1
        ));
    }
    lines.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect()
}

/// How many of the lines below an open quote belong to its value: bash reads on to the closing one. A line that opens a
/// quote of its own shows that the closing one was forgotten; then none do. Such lines are not looked at, because a part of a secret
/// before a `=` (base64) would be shown as if it were a key.
fn lines_to_close(below: &[&[u8]], quote: u8) -> usize {
    let closing = below
        .iter()
        .enumerate()
        .find_map(|(index, line)| Some((index, line, line.iter().position(|byte| *byte == quote)?)));
    match closing {
        Some((_, line, at)) if at > 0 && line[at - 1] == b'=' => 0,
        Some((index, ..)) => index + 1,
        None => 0,
    }
}
