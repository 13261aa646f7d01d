//! As much of HOCON as Jibri's configuration needs: which value a path has in the end.

use std::iter::Peekable;
use std::str::Chars;

/// A value, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The text; none where it is made of other values, of the environment for one.
    pub(crate) text: Option<String>,
    /// From 1.
    pub(crate) line: usize,
}

/// Objects in objects. Jibri's has five; the rest of a deeper file is not read.
const DEEPEST: usize = 100;

/// The value that a path has; the last one counts, as it does for Jibri.
pub(crate) fn find(text: &str, path: &str) -> Option<Setting> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1, depth: 0, found: Vec::new() };
    reader.object(&[], true);
    reader.found.into_iter().rev().find(|(known, _)| known.join(".") == path).map(|(_, setting)| setting)
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    depth: usize,
    found: Vec<(Vec<String>, Setting)>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    /// Whether two slashes or a hash begin here; one slash is a part of a value.
    fn at_comment(&mut self) -> bool {
        let mut ahead = self.rest.clone();
        match ahead.next() {
            Some('#') => true,
            Some('/') => ahead.next() == Some('/'),
            _ => false,
        }
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|c| c != '\n') {
            self.next();
        }
    }

    fn skip_blanks(&mut self, separators: &str) {
        loop {
            if self.at_comment() {
                self.skip_line();
            } else if self.peek().is_some_and(|c| c.is_whitespace() || separators.contains(c)) {
                self.next();
            } else {
                return;
            }
        }
    }

    /// The members of an object, to its brace or to the end.
    fn object(&mut self, above: &[String], outermost: bool) {
        if self.depth == DEEPEST {
            while self.next().is_some() {}
        }
        self.depth += 1;
        self.members(above, outermost);
        self.depth -= 1;
    }

    fn members(&mut self, above: &[String], outermost: bool) {
        loop {
            self.skip_blanks(",");
            match self.peek() {
                None => return,
                Some('}') => {
                    self.next();
                    if !outermost {
                        return;
                    }
                }
                // The braces around the whole file.
                Some('{') => {
                    self.next();
                    self.object(above, false);
                }
                Some(_) => {
                    let line = self.line;
                    let path = [above, &self.key()].concat();
                    self.member(&path, line);
                }
            }
        }
    }

    /// `a."b.c".d`, to what stands between a key and its value.
    fn key(&mut self) -> Vec<String> {
        let (mut parts, mut part) = (Vec::new(), String::new());
        while let Some(c) = self.peek() {
            match c {
                '=' | ':' | '{' | '}' | '+' | '\n' | ',' => break,
                '"' => part.push_str(&self.quoted()),
                '.' => {
                    self.next();
                    parts.push(std::mem::take(&mut part).trim().to_owned());
                }
                c => {
                    self.next();
                    part.push(c);
                }
            }
        }
        parts.push(part.trim().to_owned());
        parts
    }

    fn member(&mut self, path: &[String], line: usize) {
        let mut assigned = false;
        while self.peek().is_some_and(|c| matches!(c, '=' | ':' | '+')) {
            self.next();
            assigned = true;
        }
        if assigned {
            self.skip_blanks("");
        }
        if self.peek() == Some('{') {
            self.next();
            self.object(path, false);
        } else if assigned {
            let text = self.value();
            self.found.push((path.to_vec(), Setting { text, line }));
        } else if self.peek() != Some('}') {
            // `include "file"`, which has neither.
            self.next();
        }
    }

    /// To the end of the line, a comma, a brace or a comment; lists are passed over.
    fn value(&mut self) -> Option<String> {
        let (mut text, mut known) = (String::new(), true);
        while let Some(c) = self.peek() {
            match c {
                '\n' | ',' | '}' => break,
                '"' => text.push_str(&self.quoted()),
                '[' => {
                    self.list();
                    known = false;
                }
                '$' => {
                    known = false;
                    while self.next().is_some_and(|c| c != '}') {}
                }
                _ if self.at_comment() => self.skip_line(),
                c => {
                    self.next();
                    text.push(c);
                }
            }
        }
        known.then(|| text.trim().to_owned())
    }

    fn list(&mut self) {
        let mut depth = 0;
        while let Some(c) = self.peek() {
            if c == '"' {
                self.quoted();
                continue;
            }
            if self.at_comment() {
                self.skip_line();
                continue;
            }
            self.next();
            match c {
                '[' | '{' => depth += 1,
                ']' | '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// `"text"` or `"""text"""`.
    fn quoted(&mut self) -> String {
        let mut text = String::new();
        let triple: String = self.rest.clone().take(3).collect();
        if triple == "\"\"\"" {
            for _ in 0..3 {
                self.next();
            }
            while let Some(c) = self.next() {
                text.push(c);
                if text.ends_with("\"\"\"") {
                    text.truncate(text.len() - 3);
                    break;
                }
            }
            return text;
        }
        self.next();
        while let Some(c) = self.next() {
            match c {
                '"' => break,
                '\\' => text.extend(self.next()),
                c => text.push(c),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "jibri.recording.finalize-script";

    #[test]
    fn a_value_is_found_however_it_is_written() {
        let wanted = |line| Some(Setting { text: Some("/usr/bin/jitsi-finalize".to_owned()), line });
        let cases = [
            ("jibri.recording.finalize-script = \"/usr/bin/jitsi-finalize\"", 1),
            ("jibri {\n  recording {\n    finalize-script = /usr/bin/jitsi-finalize\n  }\n}\n", 3),
            ("jibri {\n  // recording {\n  recording.finalize-script: \"/usr/bin/jitsi-finalize\" # ours\n}", 3),
            (
                "{ jibri: { recording: { recordings-directory: \"/x\", finalize-script: \"/usr/bin/jitsi-finalize\" } } }",
                1,
            ),
            (
                "jibri { recording { finalize-script = \"/other\" } }\njibri.recording { finalize-script = \"/usr/bin/jitsi-finalize\" }",
                2,
            ),
            (
                "include \"x.conf\"\njibri {\n  xmpp { environments = [ { a = \"}\" }, # ]\n  ] }\n  recording { finalize-script = \"/usr/bin/jitsi-finalize\" } }",
                5,
            ),
            ("jibri.\"recording\".finalize-script = \"\"\"/usr/bin/jitsi-finalize\"\"\"", 1),
            ("jibri { url = \"http://x\" // one\n recording { finalize-script = \"/usr/bin/jitsi-finalize\" } }", 2),
        ];
        for (text, line) in cases {
            assert_eq!(find(text, SCRIPT), wanted(line), "{text}");
        }
    }

    #[test]
    fn what_is_not_set_or_is_made_of_something_else_is_not_guessed() {
        for text in [
            "",
            "jibri { recording { } }",
            "# jibri.recording.finalize-script = \"/x\"",
            "jibri { finalize-script = \"/x\" }",
            "{{{",
            "jibri.recording.finalize-script",
            "jibri { a } x { b }",
            &"{".repeat(1_000_000),
            &"a {".repeat(1_000_000),
        ] {
            assert_eq!(find(text, SCRIPT), None, "{text}");
        }
        let computed = find("jibri.recording.finalize-script = ${?FINALIZE}", SCRIPT);
        assert_eq!(computed, Some(Setting { text: None, line: 1 }));
    }
}
