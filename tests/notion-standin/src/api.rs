//! The endpoints: who may ask, which version, which object, what for.

use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::database;
use crate::ids;
use crate::problem::Problem;
use crate::query;
use crate::render::{self, Version};
use crate::request::Request;
use crate::shape::{self, finding};
use crate::store::Store;
use crate::write;

/// An endpoint, with the id in its path as it was sent.
enum Endpoint<'a> {
    CreatePage,
    GetPage(&'a str),
    UpdatePage(&'a str),
    CreateDatabase,
    GetDatabase(&'a str),
    QueryDatabase(&'a str),
    GetDataSource(&'a str),
    QueryDataSource(&'a str),
    Me,
}

/// The body of the reply, or the error. The order of the checks is Notion's as far as it is known: the path, the token,
/// the version, the body, the object.
pub(crate) fn answer(store: &mut Store, request: &Request) -> Result<Value, Problem> {
    let endpoint = endpoint(request).ok_or_else(Problem::invalid_url)?;
    authorize(store, request)?;
    let version = version(request)?;
    match endpoint {
        Endpoint::CreatePage => create_page(store, &body(request)?, version),
        Endpoint::GetPage(id) => {
            let id = path_id("page_id", id)?;
            store.visible_row(&id).map(|row| render::page(store, row, version))
        }
        Endpoint::UpdatePage(id) => update_page(store, &path_id("page_id", id)?, &body(request)?, version),
        Endpoint::CreateDatabase => database::create(store, &body(request)?, version),
        Endpoint::GetDatabase(id) => {
            let id = path_id("database_id", id)?;
            if !version.has_data_sources() {
                store.only_source(&id)?;
            }
            store.visible_database(&id).map(|database| render::database(store, database, version))
        }
        Endpoint::QueryDatabase(id) if !version.has_data_sources() => {
            let id = path_id("database_id", id)?;
            let body = query_body(request)?;
            query::answer(store, store.only_source(&id)?, &body, version)
        }
        Endpoint::GetDataSource(id) if version.has_data_sources() => {
            let source = store.visible_source(&path_id("data_source_id", id)?)?;
            render::data_source(store, source, version).ok_or_else(|| store.not_found("database", id))
        }
        Endpoint::QueryDataSource(id) if version.has_data_sources() => {
            let id = path_id("data_source_id", id)?;
            let body = query_body(request)?;
            query::answer(store, store.visible_source(&id)?, &body, version)
        }
        // Each version has only one of the two ways to query.
        Endpoint::QueryDatabase(_) | Endpoint::GetDataSource(_) | Endpoint::QueryDataSource(_) => {
            Err(Problem::invalid_url())
        }
        Endpoint::Me => Ok(render::bot(store)),
    }
}

fn endpoint(request: &Request) -> Option<Endpoint<'_>> {
    let parts: Vec<&str> = request.route().strip_prefix("/v1/")?.split('/').collect();
    Some(match (request.method.as_str(), &parts[..]) {
        ("POST", ["pages"]) => Endpoint::CreatePage,
        ("GET", ["pages", id]) => Endpoint::GetPage(id),
        ("PATCH", ["pages", id]) => Endpoint::UpdatePage(id),
        ("POST", ["databases"]) => Endpoint::CreateDatabase,
        ("GET", ["databases", id]) => Endpoint::GetDatabase(id),
        ("POST", ["databases", id, "query"]) => Endpoint::QueryDatabase(id),
        ("GET", ["data_sources", id]) => Endpoint::GetDataSource(id),
        ("POST", ["data_sources", id, "query"]) => Endpoint::QueryDataSource(id),
        ("GET", ["users", "me"]) => Endpoint::Me,
        _ => return None,
    })
}

fn authorize(store: &Store, request: &Request) -> Result<(), Problem> {
    let header = request.header("authorization").unwrap_or_default();
    match header.strip_prefix("Bearer ") {
        Some(token) if token == store.token => Ok(()),
        _ => Err(Problem::of_status(401)),
    }
}

fn version(request: &Request) -> Result<Version, Problem> {
    let Some(text) = request.header("notion-version") else {
        let message = "Notion-Version header failed validation: Notion-Version header should be defined, instead was \
                       `undefined`.";
        return Err(Problem::new(400, "missing_version", message));
    };
    Version::parse(text).ok_or_else(|| {
        Problem::validation(format!(
            "notion-standin: Notion-Version `{text}` is none of 2022-06-28, 2025-09-03, 2026-03-11"
        ))
    })
}

fn path_id(name: &str, id: &str) -> Result<String, Problem> {
    ids::parse(id).ok_or_else(|| {
        let value = Value::from(id);
        let finding = finding(&format!("path.{name}"), "a valid uuid", Some(&value));
        Problem::validation(format!("path failed validation: {finding}"))
    })
}

/// The body as an object. Without a JSON content type Notion does not read it; what it says then is not known.
fn body(request: &Request) -> Result<Map<String, Value>, Problem> {
    let is_json = request.header("content-type").is_some_and(|kind| kind.contains("json"));
    match &request.body {
        Some(Value::Object(body)) if is_json => Ok(body.clone()),
        Some(other) if is_json => Err(Problem::body(&[finding("body", "an object", Some(other))])),
        _ => Err(Problem::invalid_json()),
    }
}

/// A query may come without a body.
fn query_body(request: &Request) -> Result<Map<String, Value>, Problem> {
    let body = if request.raw_body.is_empty() { Map::new() } else { body(request)? };
    let findings = query::check(&body);
    if findings.is_empty() { Ok(body) } else { Err(Problem::body(&findings)) }
}

fn create_page(store: &mut Store, body: &Map<String, Value>, version: Version) -> Result<Value, Problem> {
    let choices = shape::page_parents(version);
    let mut findings = shape::parent(body.get("parent"), choices);
    if findings.is_empty() {
        findings = shape::properties(body.get("properties"));
        findings.extend(shape::unknown_keys("body", body, &["parent", "properties", "children", "icon", "cover"]));
    }
    if let Some(children) = body.get("children") {
        match children.as_array() {
            Some(blocks) if blocks.len() > 100 => {
                findings.push(format!("body.children.length should be ≤ `100`, instead was `{}`.", blocks.len()));
            }
            Some(_) => {}
            None => findings.push(finding("body.children", "an array", Some(children))),
        }
    }
    if !findings.is_empty() {
        return Err(Problem::body(&findings));
    }
    let parent = body.get("parent").and_then(Value::as_object).cloned().unwrap_or_default();
    let id_of = |key: &str| parent.get(key).and_then(Value::as_str).and_then(ids::parse);
    let source = if let Some(id) = id_of("data_source_id").filter(|_| version.has_data_sources()) {
        store.visible_source(&id)?.id.clone()
    } else if let Some(id) = id_of("database_id") {
        store.only_source(&id)?.id.clone()
    } else {
        return Err(Problem::validation("notion-standin: pages are created in a database only"));
    };
    let values = sent_values(store, &source, body)?;
    let row = store.add_row(&source);
    row.values.extend(values);
    let row = row.clone();
    Ok(render::page(store, &row, version))
}

/// The values that the body's `properties` ask for, checked against the columns.
fn sent_values(store: &mut Store, source: &str, body: &Map<String, Value>) -> Result<Vec<(String, Value)>, Problem> {
    let Some(properties) = body.get("properties").and_then(Value::as_object) else { return Ok(Vec::new()) };
    store.source_mut(source).map_or_else(|| Ok(Vec::new()), |source| write::values(source, properties))
}

fn update_page(store: &mut Store, id: &str, body: &Map<String, Value>, version: Version) -> Result<Value, Problem> {
    let trash = trash_switch(body, version)?;
    let row = store.visible_row(id)?.clone();
    // Unarchiving and editing may come in one request.
    if row.archived.is_some() && trash != Some(false) {
        return Err(Problem::validation(
            "Can't edit block that is archived. You must unarchive the block before editing.",
        ));
    }
    let values = sent_values(store, &row.source, body)?;
    let Some(row) = store.row_mut(id) else { return Err(store.not_found("page", id)) };
    let now = SystemTime::now();
    row.values.extend(values);
    row.edited = now;
    match trash {
        Some(true) => row.archived = Some(now),
        Some(false) => row.archived = None,
        None => {}
    }
    let row = row.clone();
    Ok(render::page(store, &row, version))
}

/// Checks an update's shape; whether it archives or restores. 2026-03-11 knows only `in_trash`.
fn trash_switch(body: &Map<String, Value>, version: Version) -> Result<Option<bool>, Problem> {
    let mut known = vec!["properties", "icon", "cover", "in_trash", "is_locked"];
    if version < Version::V2026 {
        known.push("archived");
    }
    let mut findings = shape::unknown_keys("body", body, &known);
    if body.contains_key("properties") {
        findings.extend(shape::properties(body.get("properties")));
    }
    let mut trash = None;
    for key in ["archived", "in_trash"].into_iter().filter(|key| known.contains(key)) {
        match body.get(key) {
            None => {}
            Some(Value::Bool(value)) => trash = Some(*value),
            value => findings.push(finding(&format!("body.{key}"), "a boolean or `undefined`", value)),
        }
    }
    if findings.is_empty() { Ok(trash) } else { Err(Problem::body(&findings)) }
}

/// The whole reply for a request that no fault answers.
pub(crate) fn reply(store: &mut Store, request: &Request) -> (u16, Value) {
    match answer(store, request) {
        Ok(body) => (200, body),
        Err(problem) => (problem.status, problem.to_value()),
    }
}
