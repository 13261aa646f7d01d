//! Queries: filters, order, pages of results.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::ids;
use crate::problem::Problem;
use crate::render::{self, Version};
use crate::schema::Property;
use crate::shape::{self, finding};
use crate::store::{Row, Source, Store};

/// The types of a column that a text filter works on, whichever of them it names.
const TEXTS: [&str; 3] = ["title", "rich_text", "url"];

/// Answers a query of one data source.
pub(crate) fn answer(
    store: &Store,
    source: &Source,
    body: &Map<String, Value>,
    version: Version,
) -> Result<Value, Problem> {
    let mut rows = Vec::new();
    for row in store.rows.iter().filter(|row| row.source == source.id && listed(row, store.lag)) {
        if body.get("filter").map_or(Ok(true), |filter| matches(source, row, filter))? {
            rows.push(row);
        }
    }
    // An empty table finds a bad filter, too.
    if let Some(filter) = body.get("filter") {
        let nothing = Row {
            id: String::new(),
            source: source.id.clone(),
            created: SystemTime::UNIX_EPOCH,
            edited: SystemTime::UNIX_EPOCH,
            archived: None,
            values: std::collections::BTreeMap::new(),
        };
        matches(source, &nothing, filter)?;
    }
    sort(&mut rows, body.get("sorts"));
    let size = body.get("page_size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok()).unwrap_or(100);
    let from = match body.get("start_cursor").and_then(Value::as_str) {
        None => 0,
        Some(cursor) => rows
            .iter()
            .position(|row| Some(&row.id) == ids::parse(cursor).as_ref())
            .ok_or_else(|| Problem::validation(format!("The start_cursor provided is invalid: {cursor}")))?,
    };
    let next = rows.get(from + size).map(|row| row.id.clone());
    let results: Vec<Value> = rows.iter().skip(from).take(size).map(|row| render::page(store, row, version)).collect();
    let kind = if version.has_data_sources() { "page_or_data_source" } else { "page_or_database" };
    Ok(json!({
        "object": "list",
        "results": results,
        "next_cursor": next,
        "has_more": next.is_some(),
        "type": kind,
        kind: {},
    }))
}

/// The shape of a query's body.
pub(crate) fn check(body: &Map<String, Value>) -> shape::Findings {
    const KNOWN: [&str; 7] = ["filter", "sorts", "start_cursor", "page_size", "archived", "in_trash", "result_type"];
    let mut findings = shape::unknown_keys("body", body, &KNOWN);
    if let Some(size) = body.get("page_size") {
        match size.as_u64() {
            Some(1..=100) => {}
            Some(0) => findings.push(finding("body.page_size", "≥ `1`", Some(size))),
            Some(_) => findings.push(finding("body.page_size", "≤ `100`", Some(size))),
            None => findings.push(finding("body.page_size", "a number or `undefined`", Some(size))),
        }
    }
    if let Some(cursor) = body.get("start_cursor").filter(|cursor| cursor.as_str().and_then(ids::parse).is_none()) {
        findings.push(finding("body.start_cursor", "a valid uuid or `undefined`", Some(cursor)));
    }
    if let Some(filter) = body.get("filter").filter(|filter| !filter.is_object()) {
        findings.push(finding("body.filter", "an object or `undefined`", Some(filter)));
    }
    if let Some(sorts) = body.get("sorts").filter(|sorts| !sorts.is_array()) {
        findings.push(finding("body.sorts", "an array or `undefined`", Some(sorts)));
    }
    findings
}

/// Queries lag behind: a new row is missing for a while, an archived one is still there.
fn listed(row: &Row, lag: Duration) -> bool {
    let is_recent = |at: SystemTime| at.elapsed().unwrap_or_default() < lag;
    !is_recent(row.created) && row.archived.is_none_or(is_recent)
}

fn sort(rows: &mut [&Row], sorts: Option<&Value>) {
    // Notion promises no order. The newest first, so that a client that relies on one is found out.
    rows.reverse();
    let first = sorts.and_then(|sorts| sorts.get(0));
    let key = |row: &Row| match first.and_then(|sort| sort["timestamp"].as_str()) {
        Some("last_edited_time") => Some(row.edited),
        Some("created_time") => Some(row.created),
        _ => None,
    };
    if first.is_some() {
        rows.sort_by_key(|row| key(row));
    }
    if first.is_some_and(|sort| sort["direction"] == "descending") {
        rows.reverse();
    }
}

fn matches(source: &Source, row: &Row, filter: &Value) -> Result<bool, Problem> {
    for (word, all) in [("and", true), ("or", false)] {
        if let Some(parts) = filter[word].as_array() {
            let mut found = all;
            for part in parts {
                // No short cut: a bad filter is an error wherever it stands.
                let part = matches(source, row, part)?;
                found = if all { found && part } else { found || part };
            }
            return Ok(found);
        }
    }
    let Some(name) = filter["property"].as_str() else {
        return Err(unknown_filter());
    };
    let column = source
        .column(name)
        .ok_or_else(|| Problem::validation(format!("Could not find property with name or id: {name}")))?;
    let object = filter.as_object().into_iter().flatten();
    let Some((kind, condition)) = object.into_iter().find(|(key, _)| !["property", "type"].contains(&key.as_str()))
    else {
        return Err(unknown_filter());
    };
    let is_text = TEXTS.contains(&column.kind);
    if kind != column.kind && !(is_text && TEXTS.contains(&kind.as_str())) {
        return Err(Problem::validation(format!("database property {} does not match filter {kind}", column.kind)));
    }
    let value = text_of(column, row);
    let Some((test, wanted)) = condition.as_object().and_then(|condition| condition.iter().next()) else {
        return Err(unknown_filter());
    };
    let wanted = wanted.as_str().unwrap_or_default();
    match test.as_str() {
        "equals" => Ok(value == wanted),
        "does_not_equal" => Ok(value != wanted),
        "is_empty" => Ok(value.is_empty()),
        "is_not_empty" => Ok(!value.is_empty()),
        "contains" if is_text => Ok(value.contains(wanted)),
        "does_not_contain" if is_text => Ok(!value.contains(wanted)),
        "starts_with" if is_text => Ok(value.starts_with(wanted)),
        "ends_with" if is_text => Ok(value.ends_with(wanted)),
        _ => Err(unknown_filter()),
    }
}

/// The text that a filter is held against: an option's name, a text's content, a URL; empty where it is unset.
fn text_of(column: &Property, row: &Row) -> String {
    let value = row.values.get(&column.id).cloned().unwrap_or_else(|| column.unset());
    match column.kind {
        "title" | "rich_text" => render::plain_text(&value),
        "select" | "status" => value["name"].as_str().unwrap_or_default().to_owned(),
        "date" => value["start"].as_str().unwrap_or_default().to_owned(),
        _ => value.as_str().unwrap_or_default().to_owned(),
    }
}

/// Notion lists every condition there is, about fifty lines; the first ones stand for them.
fn unknown_filter() -> Problem {
    let choices = ["or", "and", "title", "rich_text", "number", "select", "status", "url"];
    let findings: Vec<String> =
        choices.iter().map(|choice| finding(&format!("body.filter.{choice}"), "defined", None)).collect();
    Problem::body(&findings)
}
