//! How a tool ends.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use crate::durable;

/// What a tool tells its caller, in order of how much it matters: where several things happened, the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, or nothing to do.
    Done,
    /// 75 (`EX_TEMPFAIL` of sysexits.h): nothing is lost, and the next worker run goes on.
    Later,
    /// 1: failed, and a person is needed.
    Failed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Later => 75,
            Exit::Failed => 1,
        })
    }
}

impl From<&anyhow::Error> for Exit {
    /// A full disk is made room on by and by, and one that fails may come back; everything else waits for a person.
    fn from(error: &anyhow::Error) -> Self {
        if error
            .chain()
            .filter_map(|cause| cause.downcast_ref())
            .any(|cause| durable::is_full(cause) || durable::is_broken(cause))
        {
            Self::Later
        } else {
            Self::Failed
        }
    }
}

/// Runs a tool and turns its end into an exit code. An error is printed once, with its chain, after the tool's name; a
/// reader of our stdout that went away is not an error.
pub fn run(tool: &str, story: impl FnOnce() -> anyhow::Result<Exit>) -> ExitCode {
    match story() {
        Ok(exit) => exit.into(),
        Err(error) if is_broken_pipe(&error) => Exit::Done.into(),
        Err(error) => {
            crate::log::say(&format!("{tool}: {error:#}"));
            Exit::from(&error).into()
        }
    }
}

/// Whether an error is that of a reader of our stdout that went away.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_full_disk_is_for_later_and_the_rest_for_a_person() {
        let error = |kind: ErrorKind| Err::<(), _>(io::Error::from(kind)).context("write the state").unwrap_err();
        assert_eq!(Exit::from(&error(ErrorKind::StorageFull)), Exit::Later);
        assert_eq!(Exit::from(&error(ErrorKind::QuotaExceeded)), Exit::Later);
        assert_eq!(Exit::from(&error(ErrorKind::PermissionDenied)), Exit::Failed);
        assert_eq!(Exit::from(&io::Error::from_raw_os_error(5).into()), Exit::Later);
    }

    #[test]
    fn failed_outranks_later_and_later_outranks_done() {
        assert_eq!(Exit::Done.max(Exit::Later), Exit::Later);
        assert_eq!(Exit::Later.max(Exit::Failed), Exit::Failed);
    }
}
