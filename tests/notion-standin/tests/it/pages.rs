//! Pages as they are created, read, changed, trashed and deleted.

use notion_standin::{Column, Standin};
use serde_json::{Value, json};

use crate::client::{OLD, SOURCES, TRASH, ask, create, row};

#[test]
fn a_created_page_comes_back_whole() {
    let standin = Standin::start();
    let reply = ask(&standin, OLD, "POST", "/v1/pages", &row(&standin, "standup", "https://x/a.mp4"));
    let page = reply.json();
    assert_eq!(reply.status, 200);
    assert_eq!(page["object"], "page");
    assert_eq!(page["parent"], json!({ "type": "database_id", "database_id": standin.database_id() }));
    assert_eq!(page["properties"]["Recording URL"], json!({ "id": "JBG%3A", "type": "url", "url": "https://x/a.mp4" }));
    assert_eq!(page["properties"]["Name"]["id"], "title");
    assert_eq!(page["properties"]["Name"]["title"][0]["plain_text"], "Meeting standup");
    assert_eq!(page["properties"]["Date"]["date"]["start"], "2026-01-02T10:00:00.000+00:00");
    assert!(page["created_time"].as_str().unwrap().ends_with(":00.000Z"));
    assert_eq!(reply.header("x-notion-request-id"), page["request_id"].as_str());
    assert!(reply.header("date").unwrap().ends_with(" GMT"));
    assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));

    let seen = standin.page(page["id"].as_str().unwrap()).unwrap();
    assert_eq!(seen.title(), "Meeting standup");
    assert_eq!(seen.url().as_deref(), Some("https://x/a.mp4"));
    assert_eq!(seen.room().as_deref(), Some("standup"));
    assert_eq!(seen.status().as_deref(), Some("recorded"));
    assert_eq!(seen.provider().as_deref(), Some("mp4"));
    assert_eq!(seen.date().as_deref(), Some("2026-01-02T10:00:00.000+00:00"));
}

#[test]
fn columns_that_were_not_sent_are_there_and_unset() {
    let standin = Standin::start();
    standin.set_column("Progress", Column::Status(vec!["Not started".into(), "Done".into()]));
    let body = json!({ "parent": { "database_id": standin.database_id() }, "properties": {} });
    let page = ask(&standin, OLD, "POST", "/v1/pages", &body).json();
    let properties = &page["properties"];
    assert_eq!(properties.as_object().unwrap().len(), 7);
    assert_eq!(properties["Name"]["title"], json!([]));
    assert_eq!(properties["Room"]["rich_text"], json!([]));
    assert_eq!(properties["Date"]["date"], Value::Null);
    assert_eq!(properties["Recording URL"]["url"], Value::Null);
    assert_eq!(properties["Status"]["select"], Value::Null);
    // A status column falls back to its first option.
    assert_eq!(properties["Progress"]["status"]["name"], "Not started");
}

#[test]
fn an_update_changes_the_named_columns_only_and_null_clears() {
    let standin = Standin::start();
    let id = create(&standin, "standup", "https://x/a.mp4");
    let body = json!({ "properties": { "JBG%3A": { "url": "https://x/b" }, "Provider": { "select": null } } });
    let reply = ask(&standin, OLD, "PATCH", &format!("/v1/pages/{}", id.replace('-', "")), &body);
    assert_eq!(reply.status, 200, "{}", reply.json());
    let page = standin.page(&id).unwrap();
    assert_eq!(page.url().as_deref(), Some("https://x/b"));
    assert_eq!(page.provider(), None);
    assert_eq!(page.room().as_deref(), Some("standup"));
}

#[test]
fn a_page_write_adds_select_options_and_never_status_options() {
    let standin = Standin::start();
    create(&standin, "standup", "https://x/a");
    let database = format!("/v1/databases/{}", standin.database_id());
    let options =
        ask(&standin, OLD, "GET", &database, &Value::Null).json()["properties"]["Status"]["select"]["options"].clone();
    assert_eq!(options[0]["name"], "recorded");

    standin.set_column("Status", Column::Status(vec!["recorded".into()]));
    // What the page has under the same name stays.
    assert_eq!(standin.pages()[0].status().as_deref(), Some("recorded"));
    let id = standin.pages()[0].id.clone();
    let body = json!({ "properties": { "Status": { "status": { "name": "Ready" } } } });
    let reply = ask(&standin, OLD, "PATCH", &format!("/v1/pages/{id}"), &body);
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["message"], "Invalid status option. Status option \"Ready\" does not exist\".");
}

#[test]
fn an_archived_page_is_readable_not_editable_and_can_be_restored() {
    let standin = Standin::start();
    let id = create(&standin, "standup", "https://x/a");
    let path = format!("/v1/pages/{id}");
    standin.archive(&id);
    assert!(standin.page(&id).unwrap().archived);
    assert_eq!(ask(&standin, OLD, "GET", &path, &Value::Null).json()["archived"], true);
    let edit =
        ask(&standin, OLD, "PATCH", &path, &json!({ "properties": { "Recording URL": { "url": "https://x/b" } } }));
    assert_eq!(edit.status, 400);
    assert_eq!(
        edit.json()["message"],
        "Can't edit block that is archived. You must unarchive the block before editing."
    );
    assert_eq!(ask(&standin, OLD, "PATCH", &path, &json!({ "archived": false })).status, 200);
    assert!(!standin.page(&id).unwrap().archived);
    assert_eq!(ask(&standin, SOURCES, "PATCH", &path, &json!({ "archived": true })).json()["in_trash"], true);
    assert_eq!(ask(&standin, TRASH, "PATCH", &path, &json!({ "in_trash": false })).status, 200);
    let old_name = ask(&standin, TRASH, "PATCH", &path, &json!({ "archived": true }));
    assert_eq!(
        old_name.json()["message"],
        "body failed validation: body.archived should be not present, instead was `true`."
    );
}

#[test]
fn a_deleted_page_and_an_unshared_database_are_404() {
    let standin = Standin::start();
    let gone = create(&standin, "a", "https://x/a");
    let kept = create(&standin, "b", "https://x/b");
    standin.delete(&gone);
    let reply = ask(&standin, OLD, "GET", &format!("/v1/pages/{gone}"), &Value::Null);
    assert_eq!((reply.status, &reply.json()["code"]), (404, &json!("object_not_found")));
    standin.unshare();
    let page = ask(&standin, OLD, "PATCH", &format!("/v1/pages/{kept}"), &json!({ "properties": {} }));
    assert_eq!(page.status, 404);
    let id = standin.database_id();
    for (version, path) in
        [(OLD, format!("/v1/databases/{id}")), (SOURCES, format!("/v1/data_sources/{}", standin.data_source_id()))]
    {
        let reply = ask(&standin, version, "GET", &path, &Value::Null).json();
        let asked = path.rsplit('/').next().unwrap();
        assert_eq!(
            reply["message"],
            format!(
                "Could not find database with ID: {asked}. Make sure the relevant pages and databases are shared with \
                 your integration \"Recordings\"."
            )
        );
    }
    standin.share();
    assert_eq!(ask(&standin, OLD, "GET", &format!("/v1/pages/{kept}"), &Value::Null).status, 200);
}

#[test]
fn renamed_and_removed_columns_show_at_once() {
    let standin = Standin::start();
    let id = create(&standin, "standup", "https://x/a");
    standin.rename_column("Room", "Where");
    standin.remove_column("Provider");
    let page = standin.page(&id).unwrap();
    assert_eq!(page.text("Where").as_deref(), Some("standup"));
    assert_eq!(page.properties.get("Provider"), None);
    standin.set_column("Title", Column::Title);
    assert_eq!(standin.page(&id).unwrap().text("Title").as_deref(), Some("Meeting standup"));
}
