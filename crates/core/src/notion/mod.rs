//! The catalogue: one row of a Notion database for each recording.
//!
//! A blocking client for the few requests that the tools make. The way through the code:
//! [`Client`] (`client.rs`) says which requests follow each other; `payload.rs` builds their bodies from a [`Row`] and the
//! database's columns (`schema.rs`); `wire.rs` makes one try; `retry.rs` decides what follows from it; `error.rs` turns
//! Notion's words into a sentence for the admin.
//!
//! **A second row is worse than a late one.** Notion has no idempotency key, so a create is repeated only where it certainly
//! did not happen: Notion said so (429, 529), or no byte of the request's body left this machine. Otherwise it ends as
//! [`Kind::Unanswered`] or [`Kind::Failed5xx`], and the caller looks for the row with [`Client::find_by_url`] before it
//! creates another. All other requests may be repeated at will, and are.
//!
//! Notion's API, where not said otherwise: version 2022-06-28, as the scripts used it.

mod client;
mod error;
mod inspect;
mod payload;
mod reading;
mod retry;
mod schema;
mod wire;

pub use client::Client;
pub use error::{Error, Kind};
pub use inspect::{Bot, Created, Described};
pub use reading::{Readings, readings};
pub use schema::Fit;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// Where the catalogue is, and what opens it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The integration's secret, `ntn_…` or `secret_…`.
    pub token: Secret,
    /// The database's id, sent as it stands here.
    pub database_id: String,
    /// The one to use of a database's data sources. With it, requests are those of API version 2025-09-03.
    pub data_source_id: Option<String>,
    /// `https://api.notion.com`, or what stands in for it; the requests' paths begin with `/v1`.
    pub api_url: String,
}

/// A page's id, spelt as Notion spelt it: a UUID with or without dashes. Two spellings of one id are equal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageId(String);

impl PartialEq for PageId {
    fn eq(&self, other: &Self) -> bool {
        self.same_page(other)
    }
}

impl Eq for PageId {}

impl TryFrom<String> for PageId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no page id"))
    }
}

impl From<PageId> for String {
    fn from(id: PageId) -> Self {
        id.0
    }
}

impl PageId {
    /// Reads an id, with any white space around it. `None`: that is not a UUID, and must not become part of a URL.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let dashed = [8, 13, 18, 23];
        let uuid = match text.len() {
            32 => text.bytes().all(|b| b.is_ascii_hexdigit()),
            36 => text
                .bytes()
                .enumerate()
                .all(|(at, b)| if dashed.contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() }),
            _ => false,
        };
        uuid.then(|| Self(text.to_owned()))
    }

    /// The id as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name the same page, however they are spelt.
    pub(super) fn same_page(&self, other: &Self) -> bool {
        let digits = |id: &Self| id.0.replace('-', "").to_ascii_lowercase();
        digits(self) == digits(other)
    }
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The column Status: how far a recording has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The MP4 is there, nothing has been made of it yet.
    Recorded,
    /// A worker is making HLS of it.
    Processing,
    /// The HLS is there.
    Published,
    /// A person must look at it.
    Error,
}

impl Status {
    /// Every status, in the order in which a recording passes through them.
    pub const ALL: [Self; 4] = [Self::Recorded, Self::Processing, Self::Published, Self::Error];

    /// The option's name in Notion.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Processing => "processing",
            Self::Published => "published",
            Self::Error => "error",
        }
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == name)
            .ok_or_else(|| format!("{name:?} is not a status: use recorded, processing, published or error"))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The column Provider: what the row's URL leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The MP4 that Jibri wrote.
    Mp4,
    /// An HLS playlist.
    Hls,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 2] = [Self::Mp4, Self::Hls];

    /// The option's name in Notion.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Hls => "hls",
        }
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.as_str() == name)
            .ok_or_else(|| format!("{name:?} is not a provider: use mp4 or hls"))
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A new row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The column Name; cut after 2000 UTF-16 units, Notion's limit.
    pub title: &'a str,
    /// The column Date: RFC 3339 in UTC, `2026-01-02T10:00:00Z`.
    pub date: &'a str,
    /// The column Recording URL: 1 to 2000 characters. Notion takes any text here, so it must be right.
    pub url: &'a str,
    /// The column Room; cut as the title is.
    pub room: &'a str,
    /// The column Status.
    pub status: Status,
    /// The column Provider.
    pub provider: Provider,
    /// The column Error, where there is a reason to tell; cut as the title is.
    pub error: Option<&'a str>,
}

/// What becomes of a row; its other columns stay as they are.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The column Name, where it is to be another.
    pub title: Option<&'a str>,
    /// The column Recording URL.
    pub url: &'a str,
    /// The column Provider.
    pub provider: Provider,
    /// The column Status.
    pub status: Status,
    /// The column Error, where it is to be another; "" empties it.
    pub error: Option<&'a str>,
}

/// A page that Notion has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: PageId,
    /// RFC 3339, rounded down by Notion to the minute.
    pub created_time: String,
    /// It is in Notion's trash.
    pub archived: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_id_is_a_uuid_and_nothing_else() {
        let dashed = "38c9ce7b-60a4-8158-aa2a-d4923e46fb5b";
        let id = PageId::parse(&format!(" {dashed}\r\n")).unwrap();
        assert_eq!(id.to_string(), dashed);
        assert!(id.same_page(&PageId::parse("38C9CE7B60A48158AA2AD4923E46FB5B").unwrap()));
        let glued = format!("{dashed}\n{dashed}");
        for text in ["", "../x", &glued, &dashed[1..], &format!("{dashed}?"), "38c9ce7b-60a4-8158-aa2ad-4923e46fb5b"] {
            assert_eq!(PageId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(Status::ALL.iter().all(|status| status.as_str().parse() == Ok(*status)));
        assert!(Provider::ALL.iter().all(|provider| provider.as_str().parse() == Ok(*provider)));
        assert!("Published".parse::<Status>().unwrap_err().contains("use recorded, processing, published or error"));
        assert_eq!(serde_json::to_string(&(Status::Recorded, Provider::Mp4)).unwrap(), r#"["recorded","mp4"]"#);
    }
}
