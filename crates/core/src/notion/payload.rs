//! The bodies of requests: a row or a change in the shape of the database's columns.

use serde_json::{Map, Value, json};

use super::schema::{DATE, ERROR, NAME, PROVIDER, ROOM, STATUS, Schema, Takes, URL};
use super::{Change, Row};

/// Notion's limit for a text and for a URL, in the unit that counts the most of them: UTF-16.
const LIMIT: usize = 2000;

/// `POST /v1/pages`: with every column, the scripts' body, key for key.
pub(super) fn create(row: &Row<'_>, parent: &Value, schema: &Schema) -> Value {
    let mut columns = Map::new();
    columns.insert(NAME.into(), json!({"title": text(row.title)}));
    columns.insert(DATE.into(), json!({"date": {"start": row.date}}));
    columns.insert(URL.into(), json!({"url": row.url}));
    put(&mut columns, ROOM, schema.room, row.room);
    put(&mut columns, STATUS, schema.status, row.status.as_str());
    put(&mut columns, PROVIDER, schema.provider, row.provider.as_str());
    if let Some(error) = row.error {
        put(&mut columns, ERROR, schema.error, error);
    }
    json!({"parent": parent, "properties": columns})
}

/// `PATCH /v1/pages/{id}`: with every column, the scripts' body, key for key.
pub(super) fn update(change: &Change<'_>, schema: &Schema) -> Value {
    let mut columns = Map::new();
    if let Some(title) = change.title {
        columns.insert(NAME.into(), json!({"title": text(title)}));
    }
    columns.insert(URL.into(), json!({"url": change.url}));
    put(&mut columns, PROVIDER, schema.provider, change.provider.as_str());
    put(&mut columns, STATUS, schema.status, change.status.as_str());
    if let Some(error) = change.error {
        put(&mut columns, ERROR, schema.error, error);
    }
    json!({"properties": columns})
}

/// A query for the rows that have one of these URLs, the oldest first. Of all but the first, which are without a password, what
/// follows `://` is looked for at the end of a row's URL: the password that is before it there may be an old one.
pub(super) fn query(urls: &[&str]) -> Value {
    let condition = |(index, url): (usize, &&str)| match url.split_once("://") {
        Some((_, rest)) if index > 0 => json!({"property": URL, "url": {"ends_with": rest}}),
        _ => json!({"property": URL, "url": {"equals": url}}),
    };
    let mut conditions: Vec<_> = urls.iter().enumerate().map(condition).collect();
    let filter = if conditions.len() == 1 { conditions.remove(0) } else { json!({"or": conditions}) };
    json!({"filter": filter, "sorts": [{"timestamp": "created_time", "direction": "ascending"}], "page_size": 100})
}

/// What is wrong with a URL. Notion would take "www" or a cut URL without a word.
pub(super) fn url_problem(url: &str) -> Option<String> {
    let length = url.encode_utf16().count();
    match length {
        0 => Some("the recording's URL is empty".into()),
        1..=LIMIT => None,
        _ => Some(format!("the recording's URL has {length} characters, and Notion takes {LIMIT}: shorten the name")),
    }
}

fn put(columns: &mut Map<String, Value>, name: &str, takes: Option<Takes>, value: &str) {
    let cell = match takes {
        None => return,
        Some(Takes::Text) => json!({"rich_text": text(value)}),
        Some(Takes::Select) => json!({"select": {"name": value}}),
        Some(Takes::Status) => json!({"status": {"name": value}}),
    };
    columns.insert(name.into(), cell);
}

fn text(content: &str) -> Value {
    if content.is_empty() {
        return json!([]);
    }
    json!([{"text": {"content": cut(content)}}])
}

/// The longest beginning that Notion takes.
fn cut(text: &str) -> &str {
    let mut units = 0;
    let end = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > LIMIT
    });
    end.map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notion::{Provider, Status};

    const ROW: Row<'static> = Row {
        title: "Meeting daily-standup",
        date: "2026-01-02T10:00:00Z",
        url: "https://rec.example.org/daily-standup/meeting.mp4",
        room: "daily-standup",
        status: Status::Recorded,
        provider: Provider::Mp4,
        error: None,
    };

    fn full() -> Schema {
        let (room, select) = (Some(Takes::Text), Some(Takes::Select));
        Schema { room, status: select, provider: select, error: room, warnings: vec![] }
    }

    #[test]
    fn with_every_column_the_body_is_the_scripts() {
        let parent = json!({"database_id": "0f0e0d0c-0b0a-0908-0706-050403020100"});
        let scripts = concat!(
            r#"{"parent":{"database_id":"0f0e0d0c-0b0a-0908-0706-050403020100"},"properties":{"#,
            r#""Name":{"title":[{"text":{"content":"Meeting daily-standup"}}]},"#,
            r#""Date":{"date":{"start":"2026-01-02T10:00:00Z"}},"#,
            r#""Recording URL":{"url":"https://rec.example.org/daily-standup/meeting.mp4"},"#,
            r#""Room":{"rich_text":[{"text":{"content":"daily-standup"}}]},"#,
            r#""Status":{"select":{"name":"recorded"}},"Provider":{"select":{"name":"mp4"}}}}"#
        );
        assert_eq!(create(&ROW, &parent, &full()).to_string(), scripts);

        let change = Change {
            title: None,
            url: "https://rec.example.org/x",
            provider: Provider::Hls,
            status: Status::Published,
            error: None,
        };
        let scripts = concat!(
            r#"{"properties":{"Recording URL":{"url":"https://rec.example.org/x"},"#,
            r#""Provider":{"select":{"name":"hls"}},"Status":{"select":{"name":"published"}}}}"#
        );
        assert_eq!(update(&change, &full()).to_string(), scripts);
    }

    #[test]
    fn absent_columns_are_left_out_and_others_written_by_their_type() {
        let body = create(&ROW, &json!({}), &Schema::default());
        let names: Vec<_> = body["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["Name", "Date", "Recording URL"]);

        let (status, provider) = (Some(Takes::Status), Some(Takes::Text));
        let body = create(&ROW, &json!({}), &Schema { status, provider, ..Schema::default() });
        assert_eq!(body["properties"]["Status"], json!({"status": {"name": "recorded"}}));
        assert_eq!(body["properties"]["Provider"], json!({"rich_text": [{"text": {"content": "mp4"}}]}));
    }

    #[test]
    fn the_reason_of_an_error_is_written_and_taken_away_again_where_there_is_a_column_for_it() {
        let with =
            |error, schema: &Schema| create(&Row { error, ..ROW }, &json!({}), schema)["properties"]["Error"].clone();
        assert_eq!(with(Some("cut"), &full()), json!({"rich_text": [{"text": {"content": "cut"}}]}));
        assert_eq!(with(Some(""), &full()), json!({"rich_text": []}));
        assert_eq!(with(None, &full()), Value::Null);
        assert_eq!(with(Some("cut"), &Schema::default()), Value::Null);
    }

    #[test]
    fn texts_are_cut_at_2000_utf16_units_between_characters() {
        assert_eq!(cut(&"é".repeat(2001)).chars().count(), 2000);
        assert_eq!(cut(&"𝄞".repeat(1500)).chars().count(), 1000);
        assert_eq!(cut(&format!("a{}", "𝄞".repeat(1000))).encode_utf16().count(), 1999);
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn a_url_must_fit() {
        assert_eq!(url_problem(&"x".repeat(2000)), None);
        assert!(url_problem(&"x".repeat(2001)).unwrap().contains("2001"));
        assert!(url_problem("").is_some());
    }

    #[test]
    fn one_url_is_looked_for_plainly_and_several_with_or() {
        let one = json!({"property": "Recording URL", "url": {"equals": "a"}});
        assert_eq!(query(&["a"])["filter"], one);
        assert_eq!(query(&["a", "b"])["filter"]["or"][0], one);
        assert_eq!(query(&["a", "b"])["filter"]["or"].as_array().unwrap().len(), 2);
    }
}
