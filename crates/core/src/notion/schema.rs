//! The database's columns: which of ours it has, and of which type.

use serde_json::{Map, Value, json};

use super::{Error, Kind, Provider, Status};

/// The columns that a row cannot do without, and their types. The scripts' names.
const REQUIRED: [(&str, &str); 3] = [(NAME, "title"), (DATE, "date"), (URL, "url")];
/// Those that it can do without, and how they can be written.
const OPTIONAL: [(&str, &[Takes]); 4] = [
    (ROOM, &[Takes::Text]),
    (STATUS, &[Takes::Select, Takes::Status, Takes::Text]),
    (PROVIDER, &[Takes::Select, Takes::Status, Takes::Text]),
    (ERROR, &[Takes::Text]),
];
pub(super) const NAME: &str = "Name";
pub(super) const DATE: &str = "Date";
pub(super) const URL: &str = "Recording URL";
pub(super) const ROOM: &str = "Room";
pub(super) const STATUS: &str = "Status";
pub(super) const PROVIDER: &str = "Provider";
pub(super) const ERROR: &str = "Error";

/// How a column takes one short text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    /// Notion adds an option that it does not have.
    Select,
    /// Notion refuses an option that it does not have.
    Status,
}

/// What there is of the optional columns; the required ones are all there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Schema {
    pub room: Option<Takes>,
    pub status: Option<Takes>,
    pub provider: Option<Takes>,
    pub error: Option<Takes>,
    /// Columns that are left out although the admin may expect them, one line each.
    pub warnings: Vec<String>,
}

impl Schema {
    /// Reads the columns from a database or data source as Notion describes it. `None`: `reply` describes neither.
    pub(super) fn read(reply: &Value) -> Option<Result<Self, Error>> {
        let object = reply["object"].as_str()?;
        let columns = reply["properties"].as_object()?;
        matches!(object, "database" | "data_source").then(|| Self::check(columns))
    }

    fn check(columns: &Map<String, Value>) -> Result<Self, Error> {
        let mut problems: Vec<_> =
            REQUIRED.iter().filter_map(|&(name, wanted)| required(columns, name, wanted)).collect();
        let mut schema = Self::default();
        [schema.room, schema.status, schema.provider, schema.error] =
            OPTIONAL.map(|(name, can)| match optional(columns, name, can) {
                Ok(takes) => {
                    problems.extend(takes.and_then(|takes| lacks_options(columns, name, takes)));
                    takes
                }
                // A team may have a column of its own by that name.
                Err(_) if name == ERROR => None,
                Err(warning) => {
                    schema.warnings.push(warning);
                    None
                }
            });
        if problems.is_empty() {
            return Ok(schema);
        }
        Err(Error::new(
            Kind::Config,
            &format!("the Notion database lacks what a recording's row needs: {}", problems.join("; ")),
        ))
    }
}

/// How an optional column is written; the error says why one that somebody may expect is left out.
fn optional(columns: &Map<String, Value>, name: &str, can: &[Takes]) -> Result<Option<Takes>, String> {
    let Some(found) = type_of(columns, name) else {
        return match near(columns, name) {
            Some(near) => Err(format!("column {near} in Notion is left out: rename it to {name}")),
            None => Ok(None),
        };
    };
    let takes = match found {
        "rich_text" => Some(Takes::Text),
        "select" => Some(Takes::Select),
        "status" => Some(Takes::Status),
        _ => None,
    };
    let takes = takes.filter(|takes| can.contains(takes));
    takes.map(Some).ok_or_else(|| {
        let wanted = can.iter().map(|takes| takes.label()).collect::<Vec<_>>().join(" or ");
        format!("column {name} in Notion is left out: its type is {}, make it {wanted}", label(found))
    })
}

/// How one of our columns is found in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is there, of this type.
    Right(String),
    /// It is not there, and need not be.
    Absent,
    /// It is not written, and why.
    LeftOut(String),
    /// No row can be written, and why.
    Wrong(String),
}

/// Each of our columns, and how it is found.
pub(super) fn fits(columns: &Map<String, Value>) -> Vec<(&'static str, Fit)> {
    let right = |name: &str| Fit::Right(label(type_of(columns, name).unwrap_or_default()).to_owned());
    let needed = REQUIRED
        .iter()
        .map(|&(name, wanted)| (name, required(columns, name, wanted).map_or_else(|| right(name), Fit::Wrong)));
    let others = OPTIONAL.iter().map(|&(name, can)| {
        let fit = match optional(columns, name, can) {
            Ok(Some(takes)) => lacks_options(columns, name, takes).map_or_else(|| right(name), Fit::Wrong),
            Ok(None) => Fit::Absent,
            Err(warning) => Fit::LeftOut(warning),
        };
        (name, fit)
    });
    needed.chain(others).collect()
}

/// The columns of a new database.
pub(super) fn definition() -> Value {
    let select = |options: &[&str]| json!({"select": {"options": options.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()}});
    json!({
        NAME: {"title": {}},
        DATE: {"date": {}},
        URL: {"url": {}},
        ROOM: {"rich_text": {}},
        STATUS: select(&Status::ALL.map(Status::as_str)),
        PROVIDER: select(&Provider::ALL.map(Provider::as_str)),
        ERROR: {"rich_text": {}},
    })
}

impl Takes {
    fn label(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Select => "Select",
            Self::Status => "Status",
        }
    }
}

/// What is wrong with a required column, and how to mend it.
fn required(columns: &Map<String, Value>, name: &str, wanted: &str) -> Option<String> {
    let found = type_of(columns, name);
    if found == Some(wanted) {
        return None;
    }
    let title = columns.keys().find(|key| type_of(columns, key) == Some("title"));
    Some(match (found, title) {
        // Every database has exactly one title column, which cannot be added, only renamed.
        (None, Some(title)) if wanted == "title" => {
            format!("its title column is called {title:?}: rename that to {name}")
        }
        (Some(_), Some(title)) if wanted == "title" => {
            format!("{name} is not its title column: rename {name}, then rename the title column {title:?} to {name}")
        }
        (Some(found), _) => {
            let (found, wanted) = (label(found), label(wanted));
            format!(
                "column {name} has the type {found}: change that to {wanted}, or rename it and add {name} as {wanted}"
            )
        }
        (None, _) => match near(columns, name) {
            Some(near) => format!("column {name} is missing: rename {near:?}, letter case counts"),
            None => format!(
                "column {name} is missing: add it (+ at the right of the column heads) with the type {}",
                label(wanted)
            ),
        },
    })
}

/// The options that a column of type Status needs and lacks. Notion makes those of a Select by itself, but never these.
fn lacks_options(columns: &Map<String, Value>, name: &str, takes: Takes) -> Option<String> {
    let needed = match (takes, name) {
        (Takes::Status, STATUS) => Status::ALL.map(Status::as_str).to_vec(),
        (Takes::Status, PROVIDER) => Provider::ALL.map(Provider::as_str).to_vec(),
        _ => return None,
    };
    let options = columns[name]["status"]["options"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has = |name: &str| options.iter().any(|option| option["name"] == name);
    let missing: Vec<_> = needed.iter().copied().filter(|option| !has(option)).collect();
    (!missing.is_empty()).then(|| {
        let missing = missing.join(", ");
        format!(
            "column {name} lacks the options {missing}: click its head → Edit property → add them, or make it a Select"
        )
    })
}

fn type_of<'a>(columns: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    columns.get(name).map(|column| column["type"].as_str().unwrap_or_default())
}

/// A column that is probably meant: its name differs in letter case or in the spaces around it.
fn near<'a>(columns: &'a Map<String, Value>, name: &str) -> Option<&'a String> {
    columns.keys().find(|key| *key != name && key.trim().eq_ignore_ascii_case(name))
}

/// A type's name as Notion's menus spell it.
fn label(name: &str) -> &str {
    match name {
        "date" => "Date",
        "url" => "URL",
        "rich_text" => "Text",
        "select" => "Select",
        "status" => "Status",
        "multi_select" => "Multi-select",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(columns: &[(&str, &str)]) -> Result<Schema, Error> {
        let columns: Map<_, _> = columns.iter().map(|(name, kind)| ((*name).into(), json!({"type": kind}))).collect();
        Schema::read(&json!({"object": "database", "properties": columns})).expect("a database")
    }

    const NEEDED: [(&str, &str); 3] = [("Name", "title"), ("Date", "date"), ("Recording URL", "url")];

    #[test]
    fn all_six_columns_are_found_with_their_types() {
        let all =
            [NEEDED.as_slice(), &[("Room", "rich_text"), ("Status", "select"), ("Provider", "rich_text")]].concat();
        let schema = read(&all).unwrap();
        assert_eq!((schema.room, schema.status), (Some(Takes::Text), Some(Takes::Select)));
        assert_eq!((schema.provider, schema.warnings), (Some(Takes::Text), vec![]));
    }

    #[test]
    fn optional_columns_may_be_absent() {
        assert_eq!(read(&NEEDED).unwrap(), Schema::default());
    }

    #[test]
    fn an_optional_column_that_cannot_be_written_is_left_out_with_a_warning() {
        let schema = read(&[NEEDED.as_slice(), &[("Room", "number"), ("provider", "select")]].concat()).unwrap();
        assert_eq!((schema.room, schema.provider), (None, None));
        assert_eq!(
            schema.warnings,
            [
                "column Room in Notion is left out: its type is number, make it Text",
                "column provider in Notion is left out: rename it to Provider"
            ]
        );
    }

    #[test]
    fn a_column_error_that_is_not_ours_is_left_alone_without_a_word() {
        for columns in [[("Error", "checkbox")], [("error", "rich_text")]] {
            let schema = read(&[NEEDED.as_slice(), &columns].concat()).unwrap();
            assert_eq!((schema.error, schema.warnings), (None, vec![]), "{columns:?}");
        }
        let schema = read(&[NEEDED.as_slice(), &[("Error", "rich_text")]].concat()).unwrap();
        assert_eq!(schema.error, Some(Takes::Text));
    }

    #[test]
    fn all_problems_are_named_at_once_with_what_to_do() {
        let error = read(&[("Title", "title"), ("Date", "rich_text")]).unwrap_err();
        assert_eq!(error.kind, Kind::Config);
        let text = error.to_string();
        for part in [
            "its title column is called \"Title\": rename that to Name; ",
            "column Date has the type Text: change that to Date, or rename it and add Date as Date; ",
            "column Recording URL is missing: add it (+ at the right of the column heads) with the type URL",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let text = read(&[("Meeting", "title"), ("Name", "rich_text"), ("date", "date")]).unwrap_err().to_string();
        assert!(text.contains("Name is not its title column") && text.contains("rename \"date\""), "{text}");
    }

    #[test]
    fn a_status_column_must_have_our_options() {
        let reply = |options: &[&str]| {
            let options: Vec<_> = options.iter().map(|name| json!({"name": name})).collect();
            let mut columns: Map<_, _> = NEEDED.iter().map(|(n, t)| ((*n).into(), json!({"type": t}))).collect();
            columns.insert("Status".into(), json!({"type": "status", "status": {"options": options}}));
            Schema::read(&json!({"object": "data_source", "properties": columns})).expect("a data source")
        };
        assert_eq!(
            reply(&["recorded", "processing", "published", "error", "Done"]).unwrap().status,
            Some(Takes::Status)
        );
        let text = reply(&["recorded", "Published", "Done"]).unwrap_err().to_string();
        assert!(text.contains("lacks the options processing, published, error: click"), "{text}");
    }

    #[test]
    fn what_describes_no_database_is_not_read() {
        for reply in [json!({}), json!({"object": "page", "properties": {}}), json!({"object": "database"}), json!("x")]
        {
            assert!(Schema::read(&reply).is_none(), "{reply}");
        }
    }
}
