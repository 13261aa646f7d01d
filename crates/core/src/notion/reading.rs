//! Everything that is read out of a reply, from its bytes alone: for tests, which feed it any bytes.

use serde_json::Value;

use super::client::page;
use super::error::{Subject, refusal};
use super::inspect::described;
use super::schema::Schema;
use super::{Described, Error, Found, PageId};

/// What a reply would mean, whatever it was that Notion had been asked.
#[derive(Debug)]
pub struct Readings {
    /// Why a page, the database or a new one was refused.
    pub refusals: [Error; 3],
    /// As a page.
    pub page: Option<Found>,
    /// As the rows of a query.
    pub rows: Vec<Found>,
    /// As the columns of a database.
    pub columns: Option<Result<(), Error>>,
    /// As a database that an admin wants to know about.
    pub described: Option<Described>,
}

/// Reads a reply in every way there is.
pub fn readings(status: u16, body: &str) -> Readings {
    let reply: Value = serde_json::from_str(body).unwrap_or_default();
    let asked = PageId("38c9ce7b60a48158aa2ad4923e46fb5b".to_owned());
    let database = Subject::Database { key: "NOTION_DATABASE_ID", id: asked.as_str() };
    Readings {
        refusals: [Subject::Page(&asked), database, Subject::Parent(&asked)]
            .map(|subject| refusal(subject, status, body)),
        page: page(&reply),
        rows: reply["results"].as_array().into_iter().flatten().filter_map(page).collect(),
        columns: Schema::read(&reply).map(|read| read.map(drop)),
        described: described(&reply),
    }
}
