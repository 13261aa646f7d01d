//! A page as a test looks at it.

use std::time::SystemTime;

use serde_json::Value;

use crate::render::{self, Version};
use crate::store::{Row, Store};

/// A row of a database, as it is now.
#[derive(Clone, Debug)]
pub struct Page {
    /// The page's id, dashed.
    pub id: String,
    /// Whether it is in the trash.
    pub archived: bool,
    /// Its properties by column name, as replies show them.
    pub properties: Value,
    /// The id of the data source it is in.
    pub data_source_id: String,
    /// When it was created, not rounded as in replies.
    pub created: SystemTime,
    /// When it was last written to, not rounded as in replies.
    pub edited: SystemTime,
}

impl Page {
    pub(crate) fn of(store: &Store, row: &Row) -> Self {
        let object = render::page(store, row, Version::V2022);
        Self {
            id: row.id.clone(),
            archived: row.archived.is_some(),
            properties: object["properties"].clone(),
            data_source_id: row.source.clone(),
            created: row.created,
            edited: row.edited,
        }
    }

    /// The text in the title column, whatever it is called.
    pub fn title(&self) -> String {
        let all = self.properties.as_object();
        let title = all.into_iter().flatten().find(|(_, value)| value["type"] == "title");
        title.map(|(_, value)| render::plain_text(&value["title"])).unwrap_or_default()
    }

    /// The column `Recording URL`.
    pub fn url(&self) -> Option<String> {
        self.text("Recording URL")
    }

    /// The column `Room`.
    pub fn room(&self) -> Option<String> {
        self.text("Room")
    }

    /// The column `Status`, a select or a status.
    pub fn status(&self) -> Option<String> {
        self.text("Status")
    }

    /// The column `Provider`.
    pub fn provider(&self) -> Option<String> {
        self.text("Provider")
    }

    /// The column `Date`, as replies show it: `2026-01-02T10:00:00.000+00:00`.
    pub fn date(&self) -> Option<String> {
        self.text("Date")
    }

    /// What a column says, as text: a URL, a text, an option's name, a date's start. `None` where it is unset or missing.
    pub fn text(&self, column: &str) -> Option<String> {
        let entry = self.properties.get(column)?;
        let value = &entry[entry["type"].as_str()?];
        let text = match value {
            Value::Array(_) => render::plain_text(value),
            Value::Object(_) => value["name"].as_str().or(value["start"].as_str())?.to_owned(),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }
}
