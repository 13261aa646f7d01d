//! The second check of a page's properties: against the columns of its data source. Then the write.

use serde_json::{Map, Value, json};

use crate::problem::Problem;
use crate::render;
use crate::schema::{Choice, Property};
use crate::store::Source;
use crate::when;

/// The values to store, by property id, in the shape that replies have. Options of a select that are new are added to
/// the source, which is why nothing is touched before everything has been checked.
pub(crate) fn values(source: &mut Source, sent: &Map<String, Value>) -> Result<Vec<(String, Value)>, Problem> {
    check_columns(source, sent)?;
    for (key, value) in sent {
        if let Some(column) = source.column(key) {
            check_value(column, &value[column.kind])?;
        }
    }
    let mut values = Vec::new();
    for (key, value) in sent {
        if let Some(column) = source.columns.iter_mut().find(|column| column.is_called(key)) {
            let value = stored(column, &value[column.kind]);
            values.push((column.id.clone(), value));
        }
    }
    Ok(values)
}

/// Notion finds every unknown column and every wrong type at once, in one line.
fn check_columns(source: &Source, sent: &Map<String, Value>) -> Result<(), Problem> {
    let problems: Vec<String> = sent
        .iter()
        .filter_map(|(key, value)| match source.column(key) {
            None => Some(format!("{key} is not a property that exists.")),
            // The type it names is the column's, not the one that was sent.
            Some(column) if value.get(column.kind).is_none() => {
                Some(format!("{} is expected to be {}.", column.name, column.kind))
            }
            Some(_) => None,
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Problem::validation(problems.join(" "))) }
}

fn check_value(column: &Property, value: &Value) -> Result<(), Problem> {
    match column.kind {
        "select" | "status" if value.is_null() => Ok(()),
        "select" => match (value["name"].as_str(), value["id"].as_str()) {
            (Some(name), _) if name.contains(',') => {
                Err(Problem::validation(format!("Invalid select option, commas not allowed: {name}")))
            }
            (None, Some(id)) if find(column, value).is_none() => {
                Err(Problem::validation(format!("{} is an invalid select option \"{id}\".", column.id)))
            }
            _ => Ok(()),
        },
        "status" if find(column, value).is_none() => {
            let name = value["name"].as_str().or(value["id"].as_str()).unwrap_or_default();
            // The stray quote at the end is Notion's.
            Err(Problem::validation(format!("Invalid status option. Status option \"{name}\" does not exist\".")))
        }
        "title" | "rich_text" => {
            let links = value.as_array().into_iter().flatten().filter_map(|item| item["text"]["link"]["url"].as_str());
            // Only links in text are checked; a url column takes any text.
            if links.clone().all(|url| url.contains("://") || url.starts_with('/') || url.starts_with("mailto:")) {
                Ok(())
            } else {
                Err(Problem::validation("Content creation Failed. Fix the following: \nInvalid URL for link."))
            }
        }
        _ => Ok(()),
    }
}

fn find<'a>(column: &'a Property, value: &Value) -> Option<&'a Choice> {
    match (value["name"].as_str(), value["id"].as_str()) {
        (Some(name), _) => column.option_named(name),
        (None, Some(id)) => column.options.iter().find(|option| option.id == id),
        (None, None) => None,
    }
}

fn stored(column: &mut Property, value: &Value) -> Value {
    if value.is_null() {
        return column.unset();
    }
    match column.kind {
        "title" | "rich_text" => value.as_array().into_iter().flatten().map(text).collect(),
        "select" => match value["name"].as_str() {
            Some(name) => column.option_or_new(name).to_value(),
            None => find(column, value).map_or(Value::Null, Choice::to_value),
        },
        "status" => find(column, value).map_or(Value::Null, Choice::to_value),
        "date" => {
            let moment = |key: &str| value[key].as_str().and_then(when::canonical);
            json!({ "start": moment("start"), "end": moment("end"), "time_zone": value["time_zone"] })
        }
        _ => value.clone(),
    }
}

/// A text item, with the annotations that were sent over the default ones.
fn text(item: &Value) -> Value {
    let mut text =
        render::rich_text(item["text"]["content"].as_str().unwrap_or_default(), item["text"]["link"]["url"].as_str());
    for (key, value) in item["annotations"].as_object().into_iter().flatten() {
        text["annotations"][key] = value.clone();
    }
    text
}
