//! How the tool ends.

use std::fmt;
use std::process::ExitCode;

use anyhow::{Error, Result};
use rec_core::exit::is_broken_pipe;
use rec_core::log::say;

/// What the caller is told; where several things happened, the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// Done, delivered, right.
    Done,
    /// It waits.
    Later,
    /// It is not tried any more, or was refused.
    Dead,
    /// There is no secret, or no usable configuration.
    Config,
    /// The command line is wrong.
    Usage,
    /// A person is needed.
    Failed,
}

impl End {
    /// As in sysexits.h.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 64,
            Self::Dead => 65,
            Self::Later => 75,
            Self::Config => 78,
        }
    }

    /// An error that ends the tool so.
    pub(crate) fn because(self, why: impl Into<String>) -> Error {
        Error::new(Ended { end: self, why: why.into() })
    }

    /// The same where the reason has been said.
    pub(crate) fn silently(self) -> Error {
        self.because("")
    }
}

/// An error with an end of its own.
#[derive(Debug)]
struct Ended {
    end: End,
    why: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Ended {}

/// The exit code; an error is said.
pub(crate) fn of(result: Result<End>) -> ExitCode {
    let end = result.unwrap_or_else(|error| {
        let said = format!("{error:#}");
        match error.downcast_ref::<Ended>() {
            Some(Ended { end, why }) if why.is_empty() => *end,
            _ if is_broken_pipe(&error) => End::Done,
            ended => {
                say(&format!("rec-hook: {said}"));
                ended.map_or(End::Failed, |ended| ended.end)
            }
        }
    });
    ExitCode::from(end.code())
}
