//! What is to be done about something.

use std::fmt;
use std::path::Path;

use rec_core::text::path_word;
use serde::Serialize;

/// What moves a recording, or mends a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Remedy {
    /// What is to be done by hand, or why nothing is; before a command, what it waits for.
    #[serde(rename = "remedy", skip_serializing_if = "Option::is_none")]
    words: Option<String>,
    /// What is to be run, for a shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

impl Remedy {
    /// Nothing is to be done, and why.
    pub(crate) fn nothing(why: &str) -> Self {
        Self { words: Some(format!("nothing to do: {why}")), command: None }
    }

    /// No command does it.
    pub(crate) fn by_hand(words: impl Into<String>) -> Self {
        Self { words: Some(words.into()), command: None }
    }

    /// A command, of a tool and its arguments, for a path.
    pub(crate) fn run(command: &str, path: &Path) -> Self {
        Self::shell(format!("{command} {}", path_word(path)))
    }

    /// A command as a shell takes it.
    pub(crate) fn shell(command: String) -> Self {
        Self { words: None, command: Some(command) }
    }

    /// HLS of a damaged recording is made anew once it is removed, and only where damaged ones are accepted.
    pub(crate) fn salvage(dir: &Path, hls: &str, accepted: bool) -> Self {
        if !accepted {
            return Self::by_hand("bring its HLS back from a backup, or set HLS_ACCEPT_DAMAGED=yes and look again");
        }
        Self::shell(format!("rm -rf {} && jitsi-hls-worker {}", path_word(dir.join(hls)), path_word(dir)))
    }

    /// What has to be done, or to be so, before the command is right.
    pub(crate) fn once(mut self, words: &str) -> Self {
        self.words = Some(words.to_owned());
        self
    }

    /// Whether it is one of the worker's command lines.
    pub(crate) fn is_worker(&self) -> bool {
        self.command.as_ref().is_some_and(|command| command.starts_with("jitsi-hls-worker "))
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.words, &self.command) {
            (Some(words), Some(command)) => write!(f, "{words}: {command}"),
            (Some(one), None) | (None, Some(one)) => f.write_str(one),
            (None, None) => Ok(()),
        }
    }
}
