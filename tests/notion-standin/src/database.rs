//! Creating a database.

use serde_json::{Map, Value};

use crate::ids;
use crate::problem::Problem;
use crate::render::{self, Version};
use crate::schema::{Column, Property};
use crate::shape::{self, finding};
use crate::store::Store;

/// `POST /v1/databases`: the columns are in `properties`, since 2025-09-03 in `initial_data_source.properties`.
pub(crate) fn create(store: &mut Store, body: &Map<String, Value>, version: Version) -> Result<Value, Problem> {
    let mut findings = shape::parent(body.get("parent"), &["page_id", "workspace"]);
    if let Some(title) = body.get("title").filter(|title| !title.is_array()) {
        findings.push(finding("body.title", "an array or `undefined`", Some(title)));
    }
    if !findings.is_empty() {
        return Err(Problem::body(&findings));
    }
    let parent = body.get("parent").and_then(|parent| parent["page_id"].as_str()).and_then(ids::parse);
    if let Some(parent) = parent.filter(|parent| *parent != store.home) {
        store.visible_row(&parent)?;
    }
    let (path, properties) = if version.has_data_sources() {
        (
            "body.initial_data_source.properties",
            body.get("initial_data_source").and_then(|source| source.get("properties")),
        )
    } else {
        ("body.properties", body.get("properties"))
    };
    let columns = columns(path, properties)?;
    let title: String = body
        .get("title")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| item["text"]["content"].as_str())
        .collect();
    let id = ids::new();
    store.add_database(&id, &ids::new(), &title, columns);
    store.visible_database(&id).map(|database| render::database(store, database, version))
}

fn columns(path: &str, properties: Option<&Value>) -> Result<Vec<Property>, Problem> {
    let Some(properties) = properties.and_then(Value::as_object) else {
        return Err(Problem::body(&[finding(path, "defined", properties)]));
    };
    let mut columns = Vec::new();
    for (name, definition) in properties {
        let column = Column::from_definition(definition).ok_or_else(|| {
            Problem::validation(format!("notion-standin: {path}.{name} has a type that the stand-in does not know"))
        })?;
        columns.push(Property::with_new_id(name, column));
    }
    if columns.iter().filter(|column| column.kind == "title").count() != 1 {
        return Err(Problem::validation("Title is not provided"));
    }
    Ok(columns)
}
