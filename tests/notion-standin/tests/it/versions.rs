//! One database, three versions of the API.

use notion_standin::Standin;
use serde_json::{Value, json};

use crate::client::{OLD, SOURCES, TRASH, ask, create, row};

#[test]
fn a_database_shows_columns_before_2025_and_data_sources_since() {
    let standin = Standin::start();
    let path = format!("/v1/databases/{}", standin.database_id());
    let old = ask(&standin, OLD, "GET", &path, &Value::Null).json();
    assert_eq!(old["properties"]["Recording URL"]["type"], "url");
    assert_eq!(old["properties"]["Name"]["id"], "title");
    assert_eq!(old.get("data_sources"), None);
    let new = ask(&standin, SOURCES, "GET", &path, &Value::Null).json();
    assert_eq!(new.get("properties"), None);
    assert_eq!(new["data_sources"], json!([{ "id": standin.data_source_id(), "name": "Recordings" }]));
    let source = format!("/v1/data_sources/{}", standin.data_source_id());
    let source = ask(&standin, SOURCES, "GET", &source, &Value::Null).json();
    assert_eq!(source["properties"]["Status"]["type"], "select");
    assert_eq!(source["parent"]["database_id"], standin.database_id());
}

#[test]
fn each_version_has_its_own_query_and_its_own_trash() {
    let standin = Standin::start();
    let id = create(&standin, "a", "https://x/a");
    let database = format!("/v1/databases/{}/query", standin.database_id());
    let source = format!("/v1/data_sources/{}/query", standin.data_source_id());
    for (version, path, kind) in [(OLD, &database, "page_or_database"), (SOURCES, &source, "page_or_data_source")] {
        let reply = ask(&standin, version, "POST", path, &json!({}));
        assert_eq!((reply.status, &reply.json()["type"]), (200, &json!(kind)));
    }
    assert_eq!(ask(&standin, OLD, "POST", &source, &json!({})).json()["code"], "invalid_request_url");
    assert_eq!(ask(&standin, SOURCES, "POST", &database, &json!({})).json()["code"], "invalid_request_url");
    let page = |version| ask(&standin, version, "GET", &format!("/v1/pages/{id}"), &Value::Null).json();
    assert_eq!(page(SOURCES)["parent"]["data_source_id"], standin.data_source_id());
    assert_eq!(page(SOURCES)["archived"], false);
    assert_eq!(page(TRASH).get("archived"), None);
    assert_eq!(page(TRASH)["in_trash"], false);
}

#[test]
fn a_page_is_created_in_a_database_or_in_a_data_source() {
    let standin = Standin::start();
    let mut body = row(&standin, "a", "https://x/a");
    for parent in [
        json!({ "database_id": standin.database_id() }),
        json!({ "type": "data_source_id", "data_source_id": standin.data_source_id().replace('-', "") }),
        json!({ "data_source_id": standin.data_source_id() }),
    ] {
        body["parent"] = parent;
        assert_eq!(ask(&standin, SOURCES, "POST", "/v1/pages", &body).status, 200);
    }
    assert_eq!(standin.pages().len(), 3);
}

#[test]
fn a_second_data_source_breaks_the_old_version_only() {
    let standin = Standin::start();
    let second = standin.add_data_source();
    let database = standin.database_id();
    let create = row(&standin, "a", "https://x/a");
    for (method, path, body) in [
        ("GET", format!("/v1/databases/{database}"), &Value::Null),
        ("POST", format!("/v1/databases/{database}/query"), &json!({})),
        ("POST", "/v1/pages".to_owned(), &create),
    ] {
        let reply = ask(&standin, OLD, method, &path, body).json();
        assert_eq!(reply["code"], "validation_error");
        assert_eq!(reply["message"], "Databases with multiple data sources are not supported in this API version.");
        assert_eq!(
            reply["additional_data"],
            json!({
                "error_type": "multiple_data_sources_for_database",
                "database_id": database,
                "child_data_source_ids": [standin.data_source_id(), second],
                "minimum_api_version": "2025-09-03",
            })
        );
    }
    let mut create = create;
    create["parent"] = json!({ "data_source_id": second });
    let page = ask(&standin, SOURCES, "POST", "/v1/pages", &create).json();
    assert_eq!(page["parent"]["data_source_id"], second.as_str());
    let path = format!("/v1/databases/{database}");
    assert_eq!(ask(&standin, SOURCES, "GET", &path, &Value::Null).json()["data_sources"].as_array().unwrap().len(), 2);
}

#[test]
fn a_database_is_created_with_its_columns() {
    let standin = Standin::start();
    let columns = json!({ "Name": { "title": {} }, "State": { "status": { "options": [{ "name": "a" }] } } });
    let parent = json!({ "page_id": notion_standin::HOME_PAGE_ID });
    let old = json!({ "parent": parent, "title": [{ "text": { "content": "B" } }], "properties": columns });
    let old = ask(&standin, OLD, "POST", "/v1/databases", &old).json();
    assert_eq!(old["properties"]["State"]["status"]["options"][0]["name"], "a");
    let new = json!({ "parent": parent, "initial_data_source": { "properties": columns } });
    let new = ask(&standin, SOURCES, "POST", "/v1/databases", &new).json();
    assert_eq!(new["data_sources"].as_array().unwrap().len(), 1);
    let body = json!({ "parent": { "database_id": old["id"] }, "properties": {} });
    assert_eq!(ask(&standin, OLD, "POST", "/v1/pages", &body).status, 200);
}

#[test]
fn a_database_needs_a_page_that_is_seen_one_title_column_and_a_title_that_is_a_list() {
    let standin = Standin::start();
    let columns = json!({ "Name": { "title": {} } });
    let on = |page: &str| json!({ "page_id": page });
    let home = notion_standin::HOME_PAGE_ID;
    for (body, status, part) in [
        (json!({ "parent": on(home), "title": "B", "properties": columns }), 400, "body.title should be an array"),
        (json!({ "parent": on(home), "properties": {} }), 400, "Title is not provided"),
        (json!({ "parent": on(home) }), 400, "body.properties should be defined"),
        (json!({ "properties": columns }), 400, "body.parent should be defined"),
        (json!({ "parent": on("x"), "properties": columns }), 400, "should be a valid uuid"),
        (json!({ "parent": on(&standin.data_source_id()), "properties": columns }), 404, "Could not find page"),
        (json!({ "parent": on(&standin.database_id()), "properties": columns }), 400, "is a database, not a page"),
    ] {
        let reply = ask(&standin, OLD, "POST", "/v1/databases", &body);
        let message = reply.json()["message"].as_str().unwrap().to_owned();
        assert!(reply.status == status && message.contains(part), "{body}: {} {message}", reply.status);
    }
    assert_eq!(standin.databases().len(), 1);
}

#[test]
fn a_database_in_the_trash_can_still_be_read() {
    let standin = Standin::start();
    standin.trash_database();
    let path = format!("/v1/databases/{}", standin.database_id());
    let database = ask(&standin, OLD, "GET", &path, &Value::Null).json();
    assert_eq!((&database["in_trash"], &database["archived"]), (&json!(true), &json!(true)));
}

#[test]
fn users_me_is_the_integration() {
    let standin = Standin::start();
    let me = ask(&standin, OLD, "GET", "/v1/users/me", &Value::Null).json();
    assert_eq!((&me["type"], &me["name"]), (&json!("bot"), &json!("Recordings")));
}
