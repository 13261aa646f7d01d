//! Objects as each version of the API shows them.

use serde_json::{Map, Value, json};

use crate::ids;
use crate::store::{Database, Row, Source, Store};
use crate::when;

/// The versions of the API that the stand-in speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// A database is a table.
    V2022,
    /// A database holds data sources.
    V2025,
    /// `archived` is `in_trash`.
    V2026,
}

impl Version {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "2022-06-28" => Some(Self::V2022),
            "2025-09-03" => Some(Self::V2025),
            "2026-03-11" => Some(Self::V2026),
            _ => None,
        }
    }

    pub(crate) fn has_data_sources(self) -> bool {
        self >= Self::V2025
    }
}

/// The page object.
pub(crate) fn page(store: &Store, row: &Row, version: Version) -> Value {
    let Some(source) = store.source(&row.source) else { return Value::Null };
    let mut page = Map::new();
    let mut put = |key: &str, value: Value| page.insert(key.to_owned(), value);
    put("object", json!("page"));
    put("id", json!(row.id));
    put("created_time", json!(when::minute(row.created)));
    put("last_edited_time", json!(when::minute(row.edited)));
    put("created_by", user(store));
    put("last_edited_by", user(store));
    put("cover", Value::Null);
    put("icon", Value::Null);
    put("parent", parent_of_row(source, version));
    let trashed = json!(row.archived.is_some());
    if version < Version::V2026 {
        put("archived", trashed.clone());
    }
    put("in_trash", trashed.clone());
    put("is_archived", trashed);
    put("is_locked", json!(false));
    put("properties", properties(source, row));
    put("url", json!(format!("https://www.notion.so/{}{}", slug(source, row), ids::undashed(&row.id))));
    put("public_url", Value::Null);
    Value::Object(page)
}

/// Every column of the schema is there, whether the page has a value for it or not.
fn properties(source: &Source, row: &Row) -> Value {
    let mut properties = Map::new();
    for column in &source.columns {
        let value = row.values.get(&column.id).cloned().unwrap_or_else(|| column.unset());
        let mut entry = Map::new();
        entry.insert("id".into(), json!(column.id));
        entry.insert("type".into(), json!(column.kind));
        entry.insert(column.kind.into(), value);
        properties.insert(column.name.clone(), Value::Object(entry));
    }
    Value::Object(properties)
}

fn parent_of_row(source: &Source, version: Version) -> Value {
    if version.has_data_sources() {
        json!({ "type": "data_source_id", "data_source_id": source.id, "database_id": source.database })
    } else {
        json!({ "type": "database_id", "database_id": source.database })
    }
}

fn user(store: &Store) -> Value {
    json!({ "object": "user", "id": store.integration_id })
}

fn slug(source: &Source, row: &Row) -> String {
    let title = source.columns.iter().find(|column| column.kind == "title");
    let text = title.and_then(|column| row.values.get(&column.id)).map(plain_text).unwrap_or_default();
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.into_iter().flat_map(|word| [word, "-"]).collect()
}

/// The text of a title or rich text value.
pub(crate) fn plain_text(value: &Value) -> String {
    value.as_array().into_iter().flatten().filter_map(|item| item["plain_text"].as_str()).collect()
}

/// A text as Notion writes it back.
pub(crate) fn rich_text(content: &str, link: Option<&str>) -> Value {
    json!({
        "type": "text",
        "text": { "content": content, "link": link.map(|url| json!({ "url": url })) },
        "annotations": {
            "bold": false, "italic": false, "strikethrough": false, "underline": false, "code": false, "color": "default",
        },
        "plain_text": content,
        "href": link,
    })
}

/// The database object: with its columns before 2025-09-03, with its data sources since.
pub(crate) fn database(store: &Store, database: &Database, version: Version) -> Value {
    let mut object = container(database, "database");
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("id", json!(database.id));
    put("title", json!([rich_text(&database.title, None)]));
    put("is_inline", json!(false));
    put("parent", json!({ "type": "page_id", "page_id": store.home }));
    put("url", json!(format!("https://www.notion.so/{}", ids::undashed(&database.id))));
    let sources = store.sources_of(&database.id);
    if version.has_data_sources() {
        put("is_locked", json!(false));
        let list: Vec<Value> = sources.iter().map(|source| json!({ "id": source.id, "name": source.name })).collect();
        put("data_sources", json!(list));
    } else if let [source, ..] = sources[..] {
        put("created_by", user(store));
        put("last_edited_by", user(store));
        put("properties", columns(source));
    }
    if version < Version::V2026 {
        put("archived", json!(database.trashed));
    }
    Value::Object(object)
}

/// The data source object.
pub(crate) fn data_source(store: &Store, source: &Source, version: Version) -> Option<Value> {
    let database = store.databases.iter().find(|database| database.id == source.database)?;
    let mut object = container(database, "data_source");
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("id", json!(source.id));
    put("title", json!([rich_text(&source.name, None)]));
    put("is_inline", json!(false));
    put("created_by", user(store));
    put("last_edited_by", user(store));
    put("properties", columns(source));
    put("parent", json!({ "type": "database_id", "database_id": database.id }));
    put("database_parent", json!({ "type": "page_id", "page_id": store.home }));
    put("url", json!(format!("https://www.notion.so/{}", ids::undashed(&source.id))));
    if version < Version::V2026 {
        put("archived", json!(database.trashed));
    }
    Some(Value::Object(object))
}

/// What a database and a data source have in common.
fn container(database: &Database, object: &str) -> Map<String, Value> {
    let mut common = Map::new();
    let mut put = |key: &str, value: Value| common.insert(key.to_owned(), value);
    put("object", json!(object));
    put("id", Value::Null);
    put("cover", Value::Null);
    put("icon", Value::Null);
    put("created_time", json!(when::precise(database.created)));
    put("last_edited_time", json!(when::precise(database.created)));
    put("description", json!([]));
    put("public_url", Value::Null);
    put("in_trash", json!(database.trashed));
    common
}

fn columns(source: &Source) -> Value {
    let entries = source.columns.iter().map(|column| (column.name.clone(), column.definition()));
    Value::Object(entries.collect())
}

/// `GET /v1/users/me`.
pub(crate) fn bot(store: &Store) -> Value {
    json!({
        "object": "user",
        "id": store.integration_id,
        "name": store.integration,
        "avatar_url": null,
        "type": "bot",
        "bot": {
            "owner": { "type": "workspace", "workspace": true },
            "workspace_name": "Stand-in",
            "workspace_id": store.home,
            "workspace_limits": { "max_file_upload_size_in_bytes": 5_242_880 },
        },
    })
}
