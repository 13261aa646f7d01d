//! Which of its URLs a published recording is found by.

use serde::{Deserialize, Serialize};

/// What the row of a published recording leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// The playlist, for players; as the scripts had it.
    #[default]
    Playlist,
    /// The page that plays it, for people.
    Page,
}

impl Link {
    /// What it leads to in a directory of HLS. Nothing after the slash is the page, which the web server puts there.
    pub fn file(self) -> &'static str {
        match self {
            Self::Playlist => "master.m3u8",
            Self::Page => "",
        }
    }

    /// Whether it is what it was before there was a choice.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
