//! The texts of the tools, as their sources have them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The texts in the tools' sources, cut where a value is put in.
pub(crate) struct Sources(BTreeSet<String>);

impl Sources {
    pub(crate) fn read(crates: &Path) -> Self {
        // What the system says is not in our sources.
        let mut texts = BTreeSet::from(["No such file or directory".to_owned()]);
        for file in sources(crates).iter().filter(|file| !file[crates.as_os_str().len()..].contains("tests")) {
            let code = fs::read_to_string(file).unwrap();
            let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            // A backslash at the end of a line joins it to the next one.
            let joined = lines.map(|line| line.strip_suffix('\\').map_or(format!("{line}\n"), str::to_owned));
            let mut source = String::new();
            for line in joined {
                source.push_str(if source.ends_with('\n') { &line } else { line.trim_start() });
            }
            let source = source.replace("\\\\", "\\").replace("\\\"", "\u{1}");
            for text in source.split('"') {
                texts.extend(cut_at_values(text).into_iter().map(|text| text.replace('\u{1}', "\"")));
            }
        }
        Self(texts)
    }

    /// Whether a part of a message is within one text, or runs over several that end and begin there.
    pub(crate) fn say(&self, part: &str) -> bool {
        /// Fewer letters than these at either end could be of anything.
        const LEAST: usize = 5;
        if self.0.iter().any(|text| text.contains(part)) {
            return true;
        }
        let cuts = part.char_indices().map(|(at, _)| at).filter(|at| *at >= LEAST);
        cuts.into_iter().any(|at| {
            let (head, tail) = part.split_at(at);
            self.0.iter().any(|text| text.ends_with(head)) && self.go_on(tail, LEAST)
        })
    }

    fn go_on(&self, part: &str, least: usize) -> bool {
        let whole = |text: &&String| !text.is_empty() && part.starts_with(text.as_str());
        (part.len() >= least && self.0.iter().any(|text| text.starts_with(part)))
            || self.0.iter().filter(whole).any(|text| self.go_on(&part[text.len()..], least))
    }
}

/// Cuts `{}`, `{name}` and `{name:#}` out of a text.
fn cut_at_values(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(open) = rest[from..].find('{').map(|at| at + from) {
        let close = rest[open..].find(['}', ' ', '\n']).map(|at| at + open).filter(|at| rest[*at..].starts_with('}'));
        if let Some(close) = close {
            parts.push(&rest[..open]);
            rest = &rest[close + 1..];
            from = 0;
        } else {
            from = open + 1;
        }
    }
    parts.push(rest);
    parts
}

/// The Rust files below a directory.
pub(crate) fn sources(dir: &Path) -> Vec<String> {
    files(dir, |path| path.extension().is_some_and(|end| end == "rs"))
}

/// The files below a directory that are wanted, but for what is built or fetched.
pub(crate) fn files(dir: &Path, wanted: fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if entry.file_type().unwrap().is_dir() && name != "target" && name != "node_modules" && name != ".git" {
            found.extend(files(&entry.path(), wanted));
        } else if wanted(&entry.path()) {
            found.push(entry.path().to_str().unwrap().to_owned());
        }
    }
    found
}
