//! The first check of a body: its shape, whatever the database looks like.

use serde_json::{Map, Value};

use crate::ids;
use crate::render::Version;
use crate::when;

const PROPERTY_TYPES: [&str; 14] = [
    "title",
    "rich_text",
    "number",
    "url",
    "select",
    "multi_select",
    "people",
    "email",
    "phone_number",
    "date",
    "checkbox",
    "relation",
    "files",
    "status",
];

/// What a body is found to be wrong in, in Notion's words.
pub(crate) type Findings = Vec<String>;

/// `path should be EXPECTED, instead was VALUE.`
pub(crate) fn finding(path: &str, expected: &str, value: Option<&Value>) -> String {
    let instead = value.map_or_else(|| "undefined".to_owned(), Value::to_string);
    format!("{path} should be {expected}, instead was `{instead}`.")
}

/// Keys that a body may not have.
pub(crate) fn unknown_keys(path: &str, object: &Map<String, Value>, known: &[&str]) -> Findings {
    let unknown = object.iter().filter(|(key, _)| !known.contains(&key.as_str()));
    unknown.map(|(key, value)| finding(&format!("{path}.{key}"), "not present", Some(value))).collect()
}

/// A `parent`: exactly one of the ids that the version knows, and a UUID. Where it is not, Notion names every choice.
pub(crate) fn parent(parent: Option<&Value>, choices: &[&str]) -> Findings {
    let Some(Value::Object(parent)) = parent else {
        let expected = if parent.is_some() { "an object" } else { "defined" };
        return vec![finding("body.parent", expected, parent)];
    };
    let check = |choice: &&str| {
        let path = format!("body.parent.{choice}");
        match parent.get(*choice) {
            None => Some(finding(&path, "defined", None)),
            Some(Value::Bool(true)) if *choice == "workspace" => None,
            Some(Value::String(id)) if ids::parse(id).is_some() => None,
            value => Some(finding(&path, "a valid uuid", value)),
        }
    };
    if choices.iter().any(|choice| check(choice).is_none()) {
        let known: Vec<&str> = choices.iter().copied().chain(["type"]).collect();
        return unknown_keys("body.parent", parent, &known);
    }
    choices.iter().filter_map(check).collect()
}

/// The parents that a page may be created in.
pub(crate) fn page_parents(version: Version) -> &'static [&'static str] {
    if version.has_data_sources() {
        &["page_id", "database_id", "data_source_id", "workspace"]
    } else {
        &["page_id", "database_id"]
    }
}

/// The `properties` of a page that is created or updated.
pub(crate) fn properties(properties: Option<&Value>) -> Findings {
    match properties {
        Some(Value::Object(properties)) => {
            properties.iter().flat_map(|(name, value)| property(&format!("body.properties.{name}"), value)).collect()
        }
        None => vec![finding("body.properties", "defined", None)],
        value => vec![finding("body.properties", "an object", value)],
    }
}

fn property(path: &str, value: &Value) -> Findings {
    let Some(object) = value.as_object() else {
        return vec![finding(path, "an object", Some(value))];
    };
    let Some(kind) = PROPERTY_TYPES.iter().find(|kind| object.contains_key(**kind)) else {
        return PROPERTY_TYPES.iter().map(|kind| finding(&format!("{path}.{kind}"), "defined", None)).collect();
    };
    let mut findings = unknown_keys(path, object, &[*kind, "type", "id", "name"]);
    let path = format!("{path}.{kind}");
    let value = &object[*kind];
    match (*kind, value) {
        ("title" | "rich_text", _) => findings.extend(texts(&path, value)),
        ("url", Value::String(url)) => findings.extend(length(&path, url, 2000)),
        ("select" | "status", Value::Object(option)) => findings.extend(choice(&path, option)),
        ("date", Value::Object(date)) => findings.extend(dates(&path, date)),
        ("url", other) if !other.is_null() => findings.push(finding(&path, "a string or `null`", Some(other))),
        ("select" | "status" | "date", other) if !other.is_null() => {
            findings.push(finding(&path, "an object or `null`", Some(other)));
        }
        ("number", other) if !other.is_null() && !other.is_number() => {
            findings.push(finding(&path, "a number or `null`", Some(other)));
        }
        _ => {}
    }
    findings
}

fn texts(path: &str, value: &Value) -> Findings {
    let Some(items) = value.as_array() else { return vec![finding(path, "an array", Some(value))] };
    if items.len() > 100 {
        return vec![too_long(path, items.len(), 100)];
    }
    let mut findings = Findings::new();
    for (at, item) in items.iter().enumerate() {
        let path = format!("{path}[{at}]");
        match (item.get("text"), item["text"].get("content")) {
            (None, _) => findings.push(finding(&format!("{path}.text"), "defined", None)),
            (Some(_), Some(Value::String(content))) => {
                if utf16(content) > 2000 {
                    findings.push(too_long(&format!("{path}.text.content"), utf16(content), 2000));
                }
            }
            (Some(_), None) => findings.push(finding(&format!("{path}.text.content"), "defined", None)),
            (Some(_), other) => findings.push(finding(&format!("{path}.text.content"), "a string", other)),
        }
        if let Some(Value::String(url)) = item["text"]["link"].get("url") {
            findings.extend(length(&format!("{path}.text.link.url"), url, 2000));
        }
    }
    findings
}

fn choice(path: &str, option: &Map<String, Value>) -> Findings {
    match (option.get("id"), option.get("name")) {
        (_, Some(Value::String(name))) => length(&format!("{path}.name"), name, 100),
        (Some(Value::String(_)), None) => Findings::new(),
        (None, None) => {
            vec![finding(&format!("{path}.id"), "defined", None), finding(&format!("{path}.name"), "defined", None)]
        }
        (_, name) => vec![finding(&format!("{path}.name"), "a string", name)],
    }
}

fn dates(path: &str, date: &Map<String, Value>) -> Findings {
    let mut findings = unknown_keys(path, date, &["start", "end", "time_zone"]);
    for key in ["start", "end"] {
        match date.get(key) {
            Some(Value::String(text)) if when::canonical(text).is_some() => {}
            None | Some(Value::Null) if key == "end" => {}
            None => findings.push(finding(&format!("{path}.{key}"), "defined", None)),
            value => findings.push(finding(&format!("{path}.{key}"), "a valid ISO 8601 date string", value)),
        }
    }
    findings
}

/// Text that may be neither empty nor longer than `most`. Only that an empty one is refused is known, not the words.
fn length(path: &str, text: &str, most: usize) -> Findings {
    match utf16(text) {
        0 => vec![finding(path, "populated", Some(&Value::String(String::new())))],
        long if long > most => vec![too_long(path, long, most)],
        _ => Findings::new(),
    }
}

fn too_long(path: &str, length: usize, most: usize) -> String {
    format!("{path}.length should be ≤ `{most}`, instead was `{length}`.")
}

/// Notion's server runs JavaScript, whose strings count UTF-16 units; that its limits do is not documented.
fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}
