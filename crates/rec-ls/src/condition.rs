//! The state of a recording, as one word.

use std::fmt;
use std::str::FromStr;

use rec_core::plan::{self, Facts};
use rec_core::state::Recording;

/// How far a recording is, or what has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Its MP4 is there, and no row yet.
    New,
    /// Its row is there, and its HLS is still to be made.
    Recorded,
    /// Its HLS is being made now.
    Processing,
    /// Trouble of the machine, or of Notion, holds it back for a while.
    Waiting,
    /// Its HLS is in place, and its row does not say so yet.
    Made,
    /// Its HLS is in place, and its row says so.
    Published,
    /// The same of what could be decoded; the MP4 is kept.
    Damaged,
    /// It was given up.
    Error,
    /// A person has deleted its row.
    Gone,
    /// Neither its MP4 nor its HLS is there.
    Lost,
}

impl Condition {
    pub(crate) const ALL: [Self; 10] = [
        Self::New,
        Self::Recorded,
        Self::Processing,
        Self::Waiting,
        Self::Made,
        Self::Published,
        Self::Damaged,
        Self::Error,
        Self::Gone,
        Self::Lost,
    ];

    /// Decides. `at_work` says that its HLS is being built, and by a process that lives.
    pub(crate) fn of(recording: &Recording, facts: &Facts<'_>, at_work: bool) -> Self {
        let hls = has_hls(recording, facts);
        // What was given up with half of its HLS there says more by that.
        let something = facts.mp4.is_some() || hls || recording.given_up && facts.hls_dir;
        match () {
            () if at_work => Self::Processing,
            () if !something => Self::Lost,
            () if recording.row_gone => Self::Gone,
            () if recording.given_up => Self::Error,
            () if hls && recording.is_published() => match (&recording.damage, facts.mp4) {
                (Some(_), Some(_)) => Self::Damaged,
                _ => Self::Published,
            },
            () if plan::held(recording, plan::wanted(recording, facts), facts).is_some() => Self::Waiting,
            () if hls => Self::Made,
            () if recording.page_id.is_some() => Self::Recorded,
            () => Self::New,
        }
    }

    /// Whether a person should look.
    pub(crate) fn is_trouble(self) -> bool {
        matches!(self, Self::Waiting | Self::Error | Self::Gone | Self::Lost)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Recorded => "recorded",
            Self::Processing => "processing",
            Self::Waiting => "waiting",
            Self::Made => "made",
            Self::Published => "published",
            Self::Damaged => "damaged",
            Self::Error => "error",
            Self::Gone => "gone",
            Self::Lost => "lost",
        }
    }
}

/// Whether its HLS is in place, as far as a listing tells: noted as verified, or left by the scripts, who removed the MP4 for it.
pub(crate) fn has_hls(recording: &Recording, facts: &Facts<'_>) -> bool {
    facts.hls_dir && (recording.hls.is_some() || facts.mp4.is_none() && facts.master)
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|condition| condition.as_str() == name)
            .ok_or_else(|| format!("{name:?} is no state"))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests;
