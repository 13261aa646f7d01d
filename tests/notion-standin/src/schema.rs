//! Columns of a data source, their types and options.

use serde_json::{Map, Value, json};

use crate::ids;

/// A column's type, as a test sets it; for the types with options, the options' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The column every database has exactly one of.
    Title,
    /// A date, with or without a time.
    Date,
    /// A URL; Notion takes any text that is not empty.
    Url,
    /// Text.
    RichText,
    /// A number.
    Number,
    /// One of some options; a write of another name adds it.
    Select(Vec<String>),
    /// One of some options; a write of another name is refused.
    Status(Vec<String>),
}

impl Column {
    fn kind(&self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Date => "date",
            Self::Url => "url",
            Self::RichText => "rich_text",
            Self::Number => "number",
            Self::Select(_) => "select",
            Self::Status(_) => "status",
        }
    }

    /// Reads a column's definition in a request that creates a database: `{"select": {"options": [...]}}`.
    pub(crate) fn from_definition(definition: &Value) -> Option<Self> {
        let definition = definition.as_object()?;
        let names = |kind: &str| -> Vec<String> {
            let options = definition[kind]["options"].as_array();
            options.into_iter().flatten().filter_map(|option| option["name"].as_str().map(str::to_owned)).collect()
        };
        definition.keys().find_map(|key| match key.as_str() {
            "title" => Some(Self::Title),
            "date" => Some(Self::Date),
            "url" => Some(Self::Url),
            "rich_text" => Some(Self::RichText),
            "number" => Some(Self::Number),
            "select" => Some(Self::Select(names("select"))),
            "status" => Some(Self::Status(names("status"))),
            _ => None,
        })
    }
}

/// An option of a select or status column.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) color: &'static str,
}

impl Choice {
    fn new(name: String, position: usize) -> Self {
        const COLORS: [&str; 9] = ["blue", "yellow", "green", "red", "gray", "brown", "orange", "purple", "pink"];
        Self { id: ids::new(), name, color: COLORS[position % COLORS.len()] }
    }

    pub(crate) fn to_value(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "color": self.color })
    }
}

/// A column as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    /// Percent-encoded, as Notion gives it out; survives a rename.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) options: Vec<Choice>,
}

impl Property {
    pub(crate) fn new(id: &str, name: &str, column: Column) -> Self {
        let kind = column.kind();
        let options = match column {
            Column::Select(names) | Column::Status(names) => {
                names.into_iter().enumerate().map(|(position, name)| Choice::new(name, position)).collect()
            }
            _ => Vec::new(),
        };
        Self { id: id.to_owned(), name: name.to_owned(), kind, options }
    }

    /// A column with an id of its own.
    pub(crate) fn with_new_id(name: &str, column: Column) -> Self {
        let id = if column == Column::Title { "title".to_owned() } else { ids::new()[..4].to_owned() };
        Self::new(&id, name, column)
    }

    /// Requests may name a column by its name or by its id, encoded or not.
    pub(crate) fn is_called(&self, key: &str) -> bool {
        self.name == key || self.id == key || decode(&self.id) == key
    }

    pub(crate) fn option_named(&self, name: &str) -> Option<&Choice> {
        self.options.iter().find(|option| option.name == name)
    }

    /// The option of this name, added where it is missing, as a page write does for a select.
    pub(crate) fn option_or_new(&mut self, name: &str) -> Choice {
        if let Some(option) = self.option_named(name) {
            return option.clone();
        }
        let option = Choice::new(name.to_owned(), self.options.len());
        self.options.push(option.clone());
        option
    }

    /// The value of a page that was never given one.
    pub(crate) fn unset(&self) -> Value {
        match self.kind {
            "title" | "rich_text" => json!([]),
            // A status column has no empty state: it falls back to its first option.
            "status" => self.options.first().map_or(Value::Null, Choice::to_value),
            _ => Value::Null,
        }
    }

    /// The column's entry in a database's or data source's `properties`.
    pub(crate) fn definition(&self) -> Value {
        let mut entry = Map::new();
        entry.insert("id".into(), json!(self.id));
        entry.insert("name".into(), json!(self.name));
        entry.insert("description".into(), Value::Null);
        entry.insert("type".into(), json!(self.kind));
        let options: Vec<Value> = self
            .options
            .iter()
            .map(|option| json!({ "id": option.id, "name": option.name, "color": option.color, "description": null }))
            .collect();
        let details = match self.kind {
            "select" => json!({ "options": options }),
            "status" => json!({ "options": options, "groups": self.groups() }),
            "number" => json!({ "format": "number" }),
            _ => json!({}),
        };
        entry.insert(self.kind.into(), details);
        Value::Object(entry)
    }

    /// A status column's three groups: the first option is to do, the last is complete, the others are in progress.
    fn groups(&self) -> Value {
        let ids: Vec<&str> = self.options.iter().map(|option| option.id.as_str()).collect();
        let (first, rest) = ids.split_at(ids.len().min(1));
        let (middle, last) = rest.split_at(rest.len().saturating_sub(1));
        let group = |name: &str, color: &str, ids: &[&str]| json!({ "id": format!("5a1de0c0-4444-4aaa-8aaa-{:012x}", name.len()), "name": name, "color": color, "option_ids": ids });
        json!([group("To-do", "gray", first), group("In progress", "blue", middle), group("Complete", "green", last)])
    }
}

/// Undoes the percent-encoding of a property id: `JBG%3A` is `JBG:`.
fn decode(id: &str) -> String {
    let mut bytes = Vec::with_capacity(id.len());
    let mut rest = id.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
