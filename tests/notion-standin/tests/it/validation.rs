//! What Notion refuses, in its own words.

use std::net::TcpStream;

use notion_standin::{HOME_PAGE_ID, Standin};
use serde_json::{Value, json};

use crate::client::{OLD, SOURCES, ask, create, receive, refused, row, send};

fn text(content: &str) -> Value {
    json!([{ "text": { "content": content } }])
}

#[test]
fn properties_are_checked_against_the_columns() {
    let standin = Standin::start();
    for (properties, message) in [
        (json!({ "Raum": { "rich_text": text("x") } }), "Raum is not a property that exists."),
        (json!({ "room": { "rich_text": text("x") } }), "room is not a property that exists."),
        (
            json!({ "Room": { "url": "x" }, "Recording URL": { "rich_text": text("x") }, "X": { "number": 1 } }),
            "Room is expected to be rich_text. Recording URL is expected to be url. X is not a property that exists.",
        ),
        (json!({ "Status": { "status": { "name": "Ready" } } }), "Status is expected to be select."),
        (
            json!({ "Status": { "select": { "name": "High, really" } } }),
            "Invalid select option, commas not allowed: High, really",
        ),
        (
            json!({ "Room": { "rich_text": [{ "text": { "content": "x", "link": { "url": "nowhere" } } }] } }),
            "Content creation Failed. Fix the following: \nInvalid URL for link.",
        ),
    ] {
        assert_eq!(refused(&standin, &properties), message);
    }
    assert!(standin.pages().is_empty());
}

#[test]
fn values_are_checked_for_their_shape() {
    let standin = Standin::start();
    let long = "x".repeat(2001);
    let many: Vec<Value> = (0..101).map(|_| json!({ "text": { "content": "x" } })).collect();
    for (properties, message) in [
        (
            json!({ "Date": { "date": { "start": "2022/01/02" } } }),
            "body.properties.Date.date.start should be a valid ISO 8601 date string, instead was `\"2022/01/02\"`.",
        ),
        (
            json!({ "Name": { "title": text(&long) } }),
            "body.properties.Name.title[0].text.content.length should be ≤ `2000`, instead was `2001`.",
        ),
        // Counted as JavaScript counts: a character outside the basic plane is two.
        (
            json!({ "Room": { "rich_text": text(&"🎥".repeat(1001)) } }),
            "body.properties.Room.rich_text[0].text.content.length should be ≤ `2000`, instead was `2002`.",
        ),
        (
            json!({ "Room": { "rich_text": many } }),
            "body.properties.Room.rich_text.length should be ≤ `100`, instead was `101`.",
        ),
        (
            json!({ "Recording URL": { "url": "" } }),
            "body.properties.Recording URL.url should be populated, instead was `\"\"`.",
        ),
        (
            json!({ "Recording URL": { "url": long } }),
            "body.properties.Recording URL.url.length should be ≤ `2000`, instead was `2001`.",
        ),
        (
            json!({ "Status": { "select": "Ready" } }),
            "body.properties.Status.select should be an object or `null`, instead was `\"Ready\"`.",
        ),
        (json!({ "Name": { "title": "x" } }), "body.properties.Name.title should be an array, instead was `\"x\"`."),
        (json!({ "Name": "x" }), "body.properties.Name should be an object, instead was `\"x\"`."),
    ] {
        assert_eq!(refused(&standin, &properties), format!("body failed validation: {message}"));
    }
    assert!(refused(&standin, &json!({ "Name": {} })).starts_with(
        "body failed validation. Fix one:\nbody.properties.Name.title should be defined, instead was `undefined`.\n"
    ));
    assert_eq!(
        refused(&standin, &Value::Null),
        "body failed validation: body.properties should be an object, instead was `null`."
    );
    // Notion takes any text as a URL.
    create(&standin, "x", "www");
}

#[test]
fn a_body_is_checked_before_its_properties() {
    let standin = Standin::start();
    let message = |version: &str, body: &Value| {
        let reply = ask(&standin, version, "POST", "/v1/pages", body);
        assert_eq!(reply.status, 400);
        reply.json()["message"].as_str().unwrap().to_owned()
    };
    let parent = json!({ "database_id": standin.database_id() });
    assert_eq!(
        message(OLD, &json!({ "parent": parent })),
        "body failed validation: body.properties should be defined, instead was `undefined`."
    );
    assert_eq!(
        message(OLD, &json!({ "parent": parent, "properties": {}, "propertys": 1 })),
        "body failed validation: body.propertys should be not present, instead was `1`."
    );
    assert_eq!(
        message(OLD, &json!({ "properties": {} })),
        "body failed validation: body.parent should be defined, instead was `undefined`."
    );
    assert_eq!(
        message(SOURCES, &json!({ "parent": { "database_id": "X" }, "properties": {} })),
        "body failed validation. Fix one:\n\
         body.parent.page_id should be defined, instead was `undefined`.\n\
         body.parent.database_id should be a valid uuid, instead was `\"X\"`.\n\
         body.parent.data_source_id should be defined, instead was `undefined`.\n\
         body.parent.workspace should be defined, instead was `undefined`."
    );
    let old = message(OLD, &json!({ "parent": { "data_source_id": standin.data_source_id() }, "properties": {} }));
    assert!(old.contains("body.parent.database_id should be defined"), "{old}");
}

#[test]
fn an_id_of_the_wrong_kind_is_named_as_what_it_is() {
    let standin = Standin::start();
    let page = create(&standin, "a", "https://x/a");
    let database = standin.database_id();
    let source = standin.data_source_id();
    let get = |version: &str, path: String| {
        let reply = ask(&standin, version, "GET", &path, &Value::Null);
        (reply.status, reply.json()["message"].as_str().unwrap().to_owned())
    };
    let is_a_page = |id: &str| {
        format!(
            "Provided database_id {id} is a page, not a database. Use the pages API instead, or pass the ID of the \
             database itself."
        )
    };
    assert_eq!(get(OLD, format!("/v1/databases/{page}")), (400, is_a_page(&page)));
    assert_eq!(get(SOURCES, format!("/v1/databases/{HOME_PAGE_ID}")), (400, is_a_page(HOME_PAGE_ID)));
    assert_eq!(
        get(OLD, format!("/v1/pages/{database}")),
        (400, format!("Provided ID {database} is a database, not a page. Use the retrieve database API instead."))
    );
    assert_eq!(get(SOURCES, format!("/v1/data_sources/{database}")).0, 404);
    assert_eq!(get(SOURCES, format!("/v1/databases/{source}")).0, 404);
    assert_eq!(
        get(OLD, "/v1/pages/AAA".to_owned()),
        (400, "path failed validation: path.page_id should be a valid uuid, instead was `\"AAA\"`.".to_owned())
    );
}

#[test]
fn token_version_path_and_json_are_checked_first() {
    let standin = Standin::start();
    let mut stream = TcpStream::connect(standin.address()).unwrap();
    let mut plain = |headers: &str, path: &str, body: &str| {
        send(&mut stream, "POST", path, headers, body.as_bytes()).unwrap();
        let reply = receive(&mut stream).unwrap();
        let json = reply.json();
        assert!(json["request_id"].is_string());
        (reply.status, json["code"].as_str().unwrap().to_owned(), json["message"].as_str().unwrap().to_owned())
    };
    let token = format!("Authorization: Bearer {}\r\n", standin.token());
    let (status, code, message) = plain("", "/v1/pages", "{}");
    assert_eq!((status, code.as_str(), message.as_str()), (401, "unauthorized", "API token is invalid."));
    let (status, code, message) = plain(&token, "/v1/pages", "{}");
    assert_eq!((status, code.as_str()), (400, "missing_version"));
    assert_eq!(
        message,
        "Notion-Version header failed validation: Notion-Version header should be defined, instead was `undefined`."
    );
    let both = format!("{token}Notion-Version: 2022-06-28\r\nContent-Type: application/json\r\n");
    let (status, code, message) = plain(&both, "/v1/pages", "{\"parent\":");
    assert_eq!((status, code.as_str(), message.as_str()), (400, "invalid_json", "Error parsing JSON body."));
    let (status, code, message) = plain(&both, "/v1/page", "{}");
    assert_eq!((status, code.as_str(), message.as_str()), (400, "invalid_request_url", "Invalid request URL."));
    standin.set_token("ntn_other");
    assert_eq!(plain(&both, "/v1/pages", "{}").0, 401);
}

#[test]
fn a_body_over_500_kilobytes_is_413_without_notions_json() {
    let standin = Standin::start();
    let mut body = row(&standin, "a", "https://x/a");
    body["children"] = json!([{ "paragraph": "x".repeat(600_000) }]);
    // The server stops reading; whether the client sees the reply or a reset is a race, as it is on the real network.
    let _ = crate::client::try_ask(&standin, OLD, "POST", "/v1/pages", &body);
    assert!(standin.pages().is_empty());
    assert_eq!(standin.requests().last().and_then(|request| request.answered), Some(413));
}
