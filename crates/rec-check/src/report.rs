//! What was found, a line each.

use std::io::{self, IsTerminal as _, Write as _};

use rec_core::secret::Secret;
use rec_core::text::one_line;
use serde_json::json;

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It could not be looked at.
    Skipped,
    /// The tools work, and somebody should know.
    Warning,
    /// The tools do not work with this, or a secret is in danger.
    Failed,
}

impl Level {
    const ALL: [Self; 4] = [Self::Failed, Self::Warning, Self::Skipped, Self::Ok];

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }

    /// Of the terminal: green, blue, yellow, red.
    fn colour(self) -> &'static str {
        match self {
            Self::Ok => "\x1b[32m",
            Self::Skipped => "\x1b[34m",
            Self::Warning => "\x1b[33m",
            Self::Failed => "\x1b[1;31m",
        }
    }
}

/// What helps.
#[derive(Clone, Debug)]
enum Remedy {
    /// A command for a shell.
    Run(String),
    /// What a person must do.
    Advice(String),
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    check: &'static str,
    object: String,
    level: Level,
    what: String,
    remedy: Option<Remedy>,
}

impl Finding {
    fn new(level: Level, check: &'static str, object: impl Into<String>, finding: impl Into<String>) -> Self {
        Self { check, object: object.into(), level, what: finding.into(), remedy: None }
    }

    pub(crate) fn ok(check: &'static str, object: impl Into<String>, finding: impl Into<String>) -> Self {
        Self::new(Level::Ok, check, object, finding)
    }

    pub(crate) fn warning(check: &'static str, object: impl Into<String>, finding: impl Into<String>) -> Self {
        Self::new(Level::Warning, check, object, finding)
    }

    pub(crate) fn failed(check: &'static str, object: impl Into<String>, finding: impl Into<String>) -> Self {
        Self::new(Level::Failed, check, object, finding)
    }

    pub(crate) fn skipped(check: &'static str, object: impl Into<String>, finding: impl Into<String>) -> Self {
        Self::new(Level::Skipped, check, object, finding)
    }

    /// With a command that helps.
    pub(crate) fn run(self, command: impl Into<String>) -> Self {
        Self { remedy: Some(Remedy::Run(command.into())), ..self }
    }

    /// With what helps, in words.
    pub(crate) fn advise(self, advice: impl Into<String>) -> Self {
        Self { remedy: Some(Remedy::Advice(advice.into())), ..self }
    }

    /// With what helps, where the sentence has it: `what is wrong: what to do`.
    pub(crate) fn advise_of(self) -> Self {
        match self.what.split_once(": ") {
            Some((what, remedy)) => Self { what: what.to_owned(), ..self.clone() }.advise(remedy),
            None => self,
        }
    }

    pub(crate) fn level(&self) -> Level {
        self.level
    }
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// For people.
    Lines,
    /// And for a terminal.
    Colours,
    /// For programs.
    Json,
}

/// Where findings go.
pub(crate) struct Report {
    form: Form,
    quiet: bool,
    secrets: Vec<Secret>,
    counts: [usize; 4],
    /// Nobody reads any more.
    pub(crate) gone: bool,
}

/// Shorter ones would be found, and masked, in words that have nothing to do with them.
const SHORTEST_SECRET: usize = 6;

impl Report {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let form = match json {
            true => Form::Json,
            false if io::stdout().is_terminal() && !no_colour && !dumb => Form::Colours,
            false => Form::Lines,
        };
        Self { form, quiet, secrets: Vec::new(), counts: [0; 4], gone: false }
    }

    /// Takes care that a text is in no line, whatever a server or a program answers.
    pub(crate) fn never(&mut self, secret: Secret) {
        if secret.expose().len() >= SHORTEST_SECRET {
            self.secrets.push(secret);
        }
    }

    /// Prints a finding.
    pub(crate) fn add(&mut self, finding: &Finding) {
        if let Some(at) = Level::ALL.iter().position(|level| *level == finding.level) {
            self.counts[at] += 1;
        }
        if self.quiet && finding.level == Level::Ok {
            return;
        }
        let text = if self.form == Form::Json { self.object(finding) } else { self.lines(finding) };
        self.say(&text);
    }

    pub(crate) fn add_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(&finding));
    }

    /// The last line, for people: how many of each.
    pub(crate) fn end(&mut self) {
        if self.form == Form::Json || self.quiet {
            return;
        }
        let counted = Level::ALL.iter().zip(self.counts).filter(|(_, count)| *count > 0);
        let counted: Vec<String> = counted
            .map(|(level, count)| {
                format!("{count} {}{}", level.word(), if *level == Level::Warning && count != 1 { "s" } else { "" })
            })
            .collect();
        self.say(&format!("{}\n", counted.join(", ")));
    }

    /// Whether anything failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.counts[0] > 0
    }

    fn object(&self, finding: &Finding) -> String {
        let (remedy, command) = match &finding.remedy {
            None => (None, false),
            Some(Remedy::Run(command)) => (Some(self.clean(command)), true),
            Some(Remedy::Advice(advice)) => (Some(self.clean(advice)), false),
        };
        let object = json!({
            "check": finding.check,
            "object": self.clean(&finding.object),
            "ok": finding.level != Level::Failed,
            "level": finding.level.word(),
            "finding": self.clean(&finding.what),
            "remedy": remedy,
            "command": command,
        });
        format!("{object}\n")
    }

    fn lines(&self, finding: &Finding) -> String {
        let (colour, bold, end) = match self.form {
            Form::Colours => (finding.level.colour(), "\x1b[1m", "\x1b[0m"),
            Form::Lines | Form::Json => ("", "", ""),
        };
        let about = if finding.object.is_empty() { String::new() } else { format!("{}: ", finding.object) };
        let about = self.clean(&about);
        let (word, what) = (finding.level.word(), self.clean(&finding.what));
        let line = format!("{colour}{word:<7}{end}  {:<21}  {about}{what}\n", finding.check);
        match &finding.remedy {
            Some(Remedy::Run(command)) => format!("{line}         {bold}{}{end}\n", self.clean(command)),
            Some(Remedy::Advice(advice)) => format!("{line}         {}\n", self.clean(advice)),
            None => line,
        }
    }

    /// One line, without secrets.
    fn clean(&self, text: &str) -> String {
        let clean = self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "***"));
        one_line(&clean)
    }

    fn say(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        self.gone |= out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err();
    }
}

/// A word for a shell.
pub(crate) fn word(text: impl AsRef<std::ffi::OsStr>) -> String {
    rec_core::text::word(&text.as_ref().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_word_to_a_shell() {
        for text in ["plain", "/srv/recordings", "a b", "it's", "$(x)", "", "-n", "ä"] {
            let script = format!("printf %s {}", word(text));
            let shell = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), text, "{text}");
        }
    }

    #[test]
    fn no_line_has_a_secret_or_a_second_line_in_it() {
        let mut report = Report::new(false, false);
        report.never(Secret::new("hunter2"));
        report.never(Secret::new("a"));
        let finding = Finding::failed("x.y", "it", "says hunter2\nand more").run("chmod hunter2");
        assert_eq!(
            report.lines(&finding),
            format!("failed   {:<21}  it: says ***\\nand more\n         chmod ***\n", "x.y")
        );
        assert!(!report.object(&finding).contains("hunter2"));
    }
}
