//! Queries.

use std::time::Duration;

use notion_standin::{Column, Standin};
use serde_json::{Value, json};

use crate::client::{OLD, Reply, ask, create};

fn query(standin: &Standin, body: &Value) -> Reply {
    ask(standin, OLD, "POST", &format!("/v1/databases/{}/query", standin.database_id()), body)
}

fn found(standin: &Standin, filter: &Value) -> Vec<String> {
    let sorts = json!([{ "timestamp": "created_time", "direction": "ascending" }]);
    let reply = query(standin, &json!({ "filter": filter, "sorts": sorts })).json();
    let rows = reply["results"].as_array().unwrap_or_else(|| panic!("{reply}"));
    rows.iter()
        .filter_map(|row| row["properties"]["Room"]["rich_text"][0]["plain_text"].as_str())
        .map(str::to_owned)
        .collect()
}

#[test]
fn filters_find_what_they_name() {
    let standin = Standin::start();
    create(&standin, "a", "https://x/a/meeting.mp4");
    create(&standin, "b", "https://x/b/meeting.mp4");
    for (filter, rooms) in [
        (json!({ "property": "Recording URL", "url": { "equals": "https://x/a/meeting.mp4" } }), vec!["a"]),
        (json!({ "property": "JBG%3A", "url": { "contains": "/b/" } }), vec!["b"]),
        (json!({ "property": "JBG:", "url": { "starts_with": "https://x/" } }), vec!["a", "b"]),
        (json!({ "property": "Recording URL", "url": { "ends_with": "x" } }), vec![]),
        (json!({ "property": "Room", "rich_text": { "equals": "b" } }), vec!["b"]),
        (json!({ "property": "Name", "title": { "equals": "Meeting a" } }), vec!["a"]),
        (json!({ "property": "Status", "select": { "equals": "recorded" } }), vec!["a", "b"]),
        (json!({ "property": "Date", "date": { "is_empty": true } }), vec![]),
        (
            json!({ "and": [
                { "property": "Status", "select": { "equals": "recorded" } },
                { "property": "Room", "rich_text": { "equals": "a" } },
            ] }),
            vec!["a"],
        ),
        (
            json!({ "or": [
                { "property": "Room", "rich_text": { "equals": "a" } },
                { "property": "Room", "rich_text": { "equals": "b" } },
            ] }),
            vec!["a", "b"],
        ),
    ] {
        assert_eq!(found(&standin, &filter), rooms, "{filter}");
    }
    standin.set_column("Status", Column::Status(vec!["recorded".into()]));
    assert_eq!(found(&standin, &json!({ "property": "Status", "status": { "equals": "recorded" } })), ["a", "b"]);
}

#[test]
fn a_bad_filter_is_an_error_also_in_an_empty_table() {
    let standin = Standin::start();
    let message = |body: Value| {
        let reply = query(&standin, &body);
        assert_eq!(reply.status, 400, "{}", reply.json());
        reply.json()["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        message(json!({ "filter": { "property": "X", "url": { "equals": "x" } } })),
        "Could not find property with name or id: X"
    );
    assert!(
        message(json!({ "filter": { "property": "Status", "status": { "equals": "x" } } })).contains("does not match")
    );
    assert!(message(json!({ "filter": {} })).starts_with("body failed validation. Fix one:\nbody.filter.or should"));
    assert_eq!(
        message(json!({ "page_size": 101 })),
        "body failed validation: body.page_size should be ≤ `100`, instead was `101`."
    );
    let nowhere = "00000000-0000-4000-8000-000000000000";
    assert_eq!(message(json!({ "start_cursor": nowhere })), format!("The start_cursor provided is invalid: {nowhere}"));
}

#[test]
fn pages_of_results_follow_each_other() {
    let standin = Standin::start();
    let ids: Vec<String> = (0..5).map(|n| create(&standin, &n.to_string(), "https://x")).collect();
    let mut body = json!({ "page_size": 2, "sorts": [{ "timestamp": "created_time", "direction": "ascending" }] });
    let mut seen = Vec::new();
    loop {
        let reply = query(&standin, &body).json();
        seen.extend(reply["results"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        if reply["has_more"] == false {
            assert_eq!(reply["next_cursor"], Value::Null);
            break;
        }
        body["start_cursor"] = reply["next_cursor"].clone();
    }
    assert_eq!(seen, ids);
}

#[test]
fn queries_lag_behind_creates_and_archivings_and_pages_do_not() {
    let standin = Standin::start();
    let old = create(&standin, "old", "https://x/old");
    std::thread::sleep(Duration::from_millis(600));
    standin.query_lag(Duration::from_millis(500));
    let new = create(&standin, "new", "https://x/new");
    standin.archive(&old);
    let all = json!({ "property": "Recording URL", "url": { "starts_with": "https://x/" } });
    assert_eq!(found(&standin, &all), ["old"]);
    assert_eq!(ask(&standin, OLD, "GET", &format!("/v1/pages/{new}"), &Value::Null).status, 200);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(found(&standin, &all), ["new"]);
}
