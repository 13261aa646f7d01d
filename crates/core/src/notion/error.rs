//! What went wrong, in words that an admin can act on.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::PageId;
use crate::exit::Exit;

/// What a failure means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Token, database id, sharing or columns: no request works until a person mends it.
    Config,
    /// This page is in the trash, gone, or no page of this database. Others may work.
    Page,
    /// Notion refuses what this request says. Others may work.
    Rejected,
    /// Nothing came of it, or it is safe to repeat: try later.
    Away,
    /// A create that may have happened: no reply came, or none that names a page, or that of a gateway. Look for the row before
    /// the next create.
    Unanswered,
    /// A create that may have happened: Notion answered 409, 500 or 503. Look for the row before the next create.
    Failed5xx,
    /// The stop flag was raised. Where a create may have happened it is [`Kind::Unanswered`] instead.
    Stopped,
}

/// A failed request: what follows from it, and a line for the log, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What the failure means.
    pub kind: Kind,
    text: String,
    pub(super) drift: bool,
}

impl Error {
    pub(super) fn new(kind: Kind, text: &str) -> Self {
        Self { kind, text: plain(text), drift: false }
    }

    /// The same error seen from a page that does not have the columns of our database.
    pub(super) fn of_foreign_page(self, page: &PageId) -> Self {
        let text = format!("page {page} does not have the columns of the configured database: {}", self.text);
        Self { kind: Kind::Page, text, drift: false }
    }
}

impl Error {
    /// How a tool ends for it: whether the next run can mend it, or only a person.
    pub fn exit(&self) -> Exit {
        match self.kind {
            Kind::Config | Kind::Page | Kind::Rejected => Exit::Failed,
            Kind::Away | Kind::Unanswered | Kind::Failed5xx | Kind::Stopped => Exit::Later,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// What a request was about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    /// The database, or its data source, or a new row in it.
    Database {
        /// The setting that names it.
        key: &'a str,
        /// That setting's value.
        id: &'a str,
    },
    /// A page.
    Page(&'a PageId),
    /// A page on which a database is to be.
    Parent(&'a PageId),
}

/// The body of an error reply.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Words {
    object: String,
    code: String,
    message: String,
    request_id: String,
    additional_data: Value,
}

/// Notion's answer in a few words: the status and what it said, or the beginning of what something else said.
pub(super) fn quote(status: u16, body: &str) -> String {
    quote_words(status, &words(body), body)
}

fn words(body: &str) -> Words {
    serde_json::from_str(body).unwrap_or_default()
}

fn quote_words(status: u16, words: &Words, body: &str) -> String {
    if words.object == "error" {
        let request = if words.request_id.is_empty() { "none" } else { &words.request_id };
        return format!("{status} {}: {} (request {request})", words.code, words.message);
    }
    format!("{status}, not in Notion's words: \"{}\"", beginning(body))
}

/// The first words of a text that may be long; cut last, so that what is masked cannot be cut open.
pub(super) fn beginning(text: &str) -> String {
    let text = plain(text);
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The error for a reply that refuses the request.
pub(super) fn refusal(subject: Subject<'_>, status: u16, body: &str) -> Error {
    let words = words(body);
    let (kind, say) = verdict(subject, status, &words);
    let quoted = quote_words(status, &words, body);
    let drift = status == 400 && is_drift(&words.message);
    Error { drift, ..Error::new(kind, &format!("{say}: Notion answered {quoted}")) }
}

fn verdict(subject: Subject<'_>, status: u16, words: &Words) -> (Kind, String) {
    let said = |part: &str| words.message.contains(part);
    match (status, subject) {
        (300..=399, _) => (Kind::Config, "NOTION_API_URL leads to a redirect: set it to where that leads, or unset it".into()),
        (401, _) => (
            Kind::Config,
            "Notion does not accept NOTION_TOKEN: copy the integration's secret from https://www.notion.so/profile/integrations"
                .into(),
        ),
        (403, _) => (
            Kind::Config,
            "the integration lacks a right: give it read, update and insert content at \
             https://www.notion.so/profile/integrations"
                .into(),
        ),
        (404, _) if words.object != "error" => {
            (Kind::Config, "something other than Notion answers at NOTION_API_URL: mend or unset it".into())
        }
        (404, Subject::Page(page)) => (
            Kind::Page,
            format!("page {page} is deleted, or no longer shared with the integration: restore it in Notion's trash"),
        ),
        (404, Subject::Parent(page)) => (
            Kind::Config,
            format!(
                "the integration sees no page {page}: in Notion open that page, ••• → Connections → add the integration; or \
                 give another page"
            ),
        ),
        (400, Subject::Parent(page)) if said("archived") || said("in trash") || said("in the trash") => {
            (Kind::Config, format!("page {page} is in Notion's trash: restore it there, or give another page"))
        }
        (400, Subject::Parent(page)) if said("not a page") || said("valid uuid") => {
            (Kind::Config, format!("{page} is not the id of a page: give the link of a page, not that of a database"))
        }
        (404, Subject::Database { key, id }) => (
            Kind::Config,
            format!(
                "the integration sees no {key} {id}: in Notion open the database, ••• → Connections → add the integration; \
                 or correct {key}"
            ),
        ),
        (400, _) if words.additional_data["error_type"] == "multiple_data_sources_for_database" => {
            (Kind::Config, several_sources(&words.additional_data))
        }
        (400, Subject::Page(page)) if said("archived") || said("in trash") || said("in the trash") => {
            (Kind::Page, format!("page {page} is in Notion's trash: restore it there"))
        }
        (400, Subject::Page(page)) if said("not a page") || said("path.page_id") => {
            (Kind::Page, format!("{page} is not the id of a page: correct it"))
        }
        (400, Subject::Database { key, id }) if said("archived") || said("in trash") || said("in the trash") => {
            (Kind::Config, format!("the database ({key} {id}) is in Notion's trash: restore it there"))
        }
        (400, Subject::Database { key, id }) if said("not a database") || said("valid uuid") => (
            Kind::Config,
            format!("{key} {id} is not a database's id: open the database itself as a full page and copy its link"),
        ),
        (400, _) if matches!(words.code.as_str(), "missing_version" | "invalid_request_url") => {
            (Kind::Config, "Notion does not know this address: mend or unset NOTION_API_URL".into())
        }
        (400, _) if is_drift(&words.message) => {
            (Kind::Config, "the database's columns are not as needed: compare them with recording-pipeline(7)".into())
        }
        _ => (Kind::Rejected, "Notion refuses this request: mend what the answer names, and the next run tries it again".into()),
    }
}

/// Whether a reply says that the columns are not those that were read before.
fn is_drift(message: &str) -> bool {
    ["is not a property that exists", " is expected to be ", "Could not find property", "Invalid status option"]
        .iter()
        .any(|part| message.contains(part))
}

fn several_sources(data: &Value) -> String {
    let ids = data["child_data_source_ids"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: Vec<_> = ids.iter().filter_map(Value::as_str).collect();
    format!(
        "the database has several data sources: set NOTION_DATA_SOURCE_ID to the one with the recordings, one of {}",
        ids.join(", ")
    )
}

/// One line without credentials: whatever stands between `://` and an `@` is masked, white space is a space.
fn plain(text: &str) -> String {
    let mut parts = text.split("://");
    let mut line = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // A password may hold a slash and single quotes, so the authority is taken to go on until white space or what none holds.
        let end = part.find(|c: char| c.is_whitespace() || "\"<>".contains(c)).unwrap_or(part.len());
        let rest = part[..end].rfind('@').map_or(part, |at| &part[at..]);
        line.push_str(if rest.len() < part.len() { "://***" } else { "://" });
        line.push_str(rest);
    }
    line.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests;
