//! What the stand-in knows: databases, their data sources, and the pages in them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::ids;
use crate::problem::Problem;
use crate::schema::{Choice, Column, Property};

/// Everything behind the API.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) token: String,
    pub(crate) integration: String,
    pub(crate) integration_id: String,
    /// The page that databases are created under.
    pub(crate) home: String,
    pub(crate) databases: Vec<Database>,
    pub(crate) sources: Vec<Source>,
    pub(crate) rows: Vec<Row>,
    /// How long queries lag behind creates and archivings.
    pub(crate) lag: Duration,
}

/// A database: since 2025-09-03 a container of data sources, before that the same as its only one.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) created: SystemTime,
    pub(crate) shared: bool,
    pub(crate) trashed: bool,
}

/// A table of a database.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) id: String,
    pub(crate) database: String,
    pub(crate) name: String,
    pub(crate) columns: Vec<Property>,
}

impl Source {
    pub(crate) fn column(&self, key: &str) -> Option<&Property> {
        self.columns.iter().find(|column| column.is_called(key))
    }
}

/// A page in a data source.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) created: SystemTime,
    pub(crate) edited: SystemTime,
    pub(crate) archived: Option<SystemTime>,
    /// By property id. What is not here is unset.
    pub(crate) values: BTreeMap<String, Value>,
}

impl Store {
    pub(crate) fn add_database(&mut self, id: &str, source: &str, title: &str, columns: Vec<Property>) {
        let created = SystemTime::now();
        self.databases.push(Database { id: id.into(), title: title.into(), created, shared: true, trashed: false });
        self.add_source(source, id, title, columns);
    }

    pub(crate) fn add_source(&mut self, id: &str, database: &str, name: &str, columns: Vec<Property>) {
        self.sources.push(Source { id: id.into(), database: database.into(), name: name.into(), columns });
    }

    pub(crate) fn add_row(&mut self, source: &str) -> &mut Row {
        let now = SystemTime::now();
        self.rows.push(Row {
            id: ids::new(),
            source: source.to_owned(),
            created: now,
            edited: now,
            archived: None,
            values: BTreeMap::new(),
        });
        let last = self.rows.len() - 1;
        &mut self.rows[last]
    }

    pub(crate) fn row(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }

    pub(crate) fn row_mut(&mut self, id: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.id == id)
    }

    pub(crate) fn source(&self, id: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.id == id)
    }

    pub(crate) fn source_mut(&mut self, id: &str) -> Option<&mut Source> {
        self.sources.iter_mut().find(|source| source.id == id)
    }

    pub(crate) fn sources_of(&self, database: &str) -> Vec<&Source> {
        self.sources.iter().filter(|source| source.database == database).collect()
    }

    fn is_shared(&self, database: &str) -> bool {
        self.databases.iter().any(|known| known.id == database && known.shared)
    }

    pub(crate) fn not_found(&self, what: &str, id: &str) -> Problem {
        Problem::not_found(what, id, &self.integration, &self.integration_id)
    }

    /// The page of this id, if the integration sees it; else Notion's words for what the id is instead.
    pub(crate) fn visible_row(&self, id: &str) -> Result<&Row, Problem> {
        if self.is_shared(id) {
            return Err(Problem::validation(format!(
                "Provided ID {id} is a database, not a page. Use the retrieve database API instead."
            )));
        }
        self.row(id)
            .filter(|row| self.source(&row.source).is_some_and(|source| self.is_shared(&source.database)))
            .ok_or_else(|| self.not_found("page", id))
    }

    /// The database of this id, if the integration sees it.
    pub(crate) fn visible_database(&self, id: &str) -> Result<&Database, Problem> {
        if self.visible_row(id).is_ok() || id == self.home {
            return Err(Problem::validation(format!(
                "Provided database_id {id} is a page, not a database. Use the pages API instead, or pass the ID of the \
                 database itself."
            )));
        }
        let found = self.databases.iter().find(|database| database.id == id && database.shared);
        found.ok_or_else(|| self.not_found("database", id))
    }

    /// The data source of this id, if the integration sees it. Notion's 404 calls it a database, too.
    pub(crate) fn visible_source(&self, id: &str) -> Result<&Source, Problem> {
        let found = self.source(id).filter(|source| self.is_shared(&source.database));
        found.ok_or_else(|| self.not_found("database", id))
    }

    /// The one data source of a database, for a client that names only the database.
    pub(crate) fn only_source(&self, database: &str) -> Result<&Source, Problem> {
        self.visible_database(database)?;
        match self.sources_of(database)[..] {
            [source] => Ok(source),
            ref several => Err(several_sources(database, several)),
        }
    }

    /// Gives the column another type, or adds it. Values that make sense in the new type stay.
    pub(crate) fn set_column(&mut self, source: &str, name: &str, column: Column) {
        let Some(source) = self.sources.iter_mut().find(|known| known.id == source) else { return };
        if column == Column::Title {
            // There is exactly one title, so this can only mean its name.
            source.columns.retain(|known| known.name != name || known.kind == "title");
            if let Some(title) = source.columns.iter_mut().find(|known| known.kind == "title") {
                name.clone_into(&mut title.name);
            }
            return;
        }
        let Some(known) = source.columns.iter_mut().find(|known| known.name == name) else {
            source.columns.push(Property::with_new_id(name, column));
            return;
        };
        let before = std::mem::replace(known, Property::new(&known.id, name, column));
        for row in self.rows.iter_mut().filter(|row| row.source == source.id) {
            let Some(value) = row.values.remove(&known.id) else { continue };
            let kept = if known.options.is_empty() && known.kind == before.kind && value["id"].is_null() {
                Some(value)
            } else {
                value["name"].as_str().and_then(|name| known.option_named(name)).map(Choice::to_value)
            };
            if let Some(value) = kept {
                row.values.insert(known.id.clone(), value);
            }
        }
    }
}

/// The answer to a version that knows no data sources, about a database that has several.
pub(crate) fn several_sources(database: &str, sources: &[&Source]) -> Problem {
    let ids: Vec<&str> = sources.iter().map(|source| source.id.as_str()).collect();
    Problem {
        additional: Some(Box::new(serde_json::json!({
            "error_type": "multiple_data_sources_for_database",
            "database_id": database,
            "child_data_source_ids": ids,
            "minimum_api_version": "2025-09-03",
        }))),
        ..Problem::validation("Databases with multiple data sources are not supported in this API version.")
    }
}
