//! Replies as Notion words them, and the sentences made of them.

use super::*;
use serde_json::json;

const ID: &str = "38c9ce7b-60a4-8158-aa2a-d4923e46fb5b";

fn reply(code: &str, message: &str) -> String {
    json!({"object": "error", "code": code, "message": message, "request_id": "ec9a"}).to_string()
}

fn database() -> Subject<'static> {
    Subject::Database { key: "NOTION_DATABASE_ID", id: ID }
}

#[test]
fn a_reply_about_the_database_says_what_to_do() {
    let invalid = "path failed validation: path.database_id should be a valid uuid, instead was `\"AAA\"`.";
    let a_page = "Provided database_id X is a page, not a database. Use the pages API instead.";
    let shared = "Could not find database with ID: X. Make sure the relevant pages and databases are shared.";
    let too_long = "body failed validation: body.x.length should be ≤ `2000`, instead was `2001`.";
    for (status, code, message, kind, says) in [
        (401, "unauthorized", "API token is invalid.", Kind::Config, "NOTION_TOKEN"),
        (403, "restricted_resource", "Insufficient permissions.", Kind::Config, "read, update and insert"),
        (404, "object_not_found", shared, Kind::Config, "••• → Connections"),
        (400, "validation_error", invalid, Kind::Config, "copy its link"),
        (400, "validation_error", a_page, Kind::Config, "is not a database's id"),
        (400, "validation_error", "Room is not a property that exists.", Kind::Config, "columns"),
        (400, "validation_error", "Can't edit block that is archived.", Kind::Config, "trash"),
        (400, "invalid_request_url", "Invalid request URL.", Kind::Config, "NOTION_API_URL"),
        (400, "validation_error", too_long, Kind::Rejected, "refuses"),
        (413, "payload_too_large", "", Kind::Rejected, "refuses"),
    ] {
        let error = refusal(database(), status, &reply(code, message));
        let text = error.to_string();
        assert_eq!(error.kind, kind, "{text}");
        assert!(text.contains(says) && text.contains(message) && text.contains("request ec9a"), "{text}");
    }
}

#[test]
fn a_reply_about_a_page_concerns_this_page_only() {
    let page = PageId::parse(ID).unwrap();
    for (status, message, says) in [
        (404, "Could not find page with ID: X.", "deleted"),
        (400, "Can't edit block that is archived. You must unarchive the block before editing.", "restore"),
        (
            400,
            "Provided ID X is a database, not a page. Use the retrieve database API instead.",
            "not the id of a page",
        ),
        (400, "path failed validation: path.page_id should be a valid uuid, instead was `\"A\"`.", "not the id"),
    ] {
        let error = refusal(Subject::Page(&page), status, &reply("validation_error", message));
        assert_eq!(error.kind, Kind::Page);
        assert!(error.to_string().contains(says) && error.to_string().contains(ID), "{error}");
    }
    assert_eq!(refusal(Subject::Page(&page), 401, "").kind, Kind::Config);
    assert_eq!(refusal(Subject::Page(&page), 404, "<html>nginx").kind, Kind::Config);
}

#[test]
fn several_data_sources_are_listed() {
    let body = json!({"object": "error", "code": "validation_error", "message": "Databases with multiple …",
        "additional_data": {"error_type": "multiple_data_sources_for_database", "child_data_source_ids": ["a", "b"]}});
    let error = refusal(database(), 400, &body.to_string());
    assert_eq!(error.kind, Kind::Config);
    assert!(
        error.to_string().contains("NOTION_DATA_SOURCE_ID to the one with the recordings, one of a, b:"),
        "{error}"
    );
}

#[test]
fn changed_columns_are_recognised() {
    for message in [
        "Room is not a property that exists.",
        "Status is expected to be select.",
        "Could not find property with name or id: Recording URL",
        "Invalid status option. Status option \"Ready\" does not exist\".",
    ] {
        assert!(refusal(database(), 400, &reply("validation_error", message)).drift, "{message}");
    }
    assert!(!refusal(database(), 400, &reply("validation_error", "Invalid URL for link.")).drift);
    assert!(!refusal(database(), 404, &reply("object_not_found", "x is not a property that exists")).drift);
}

#[test]
fn what_is_not_notions_is_quoted_short() {
    let html = format!("<html>\n<h1>502 Bad Gateway</h1>{}", "x".repeat(5000));
    let text = quote(502, &html);
    assert!(text.starts_with("502, not in Notion's words: \"<html> <h1>502 Bad Gateway</h1>xxx"), "{text}");
    assert!(text.len() < 220 && text.ends_with("…\""), "{text}");
}

#[test]
fn a_line_is_a_line_and_holds_no_credentials() {
    for (text, line) in [
        ("Fix the following: \nInvalid\tURL\u{1b}[0m", "Fix the following: Invalid URL [0m"),
        ("at https://user:p@ss@rec.example/x", "at https://***@rec.example/x"),
        ("was `https://u:a/b?c@rec.example/x`, https://u:p@h", "was `https://***@rec.example/x`, https://***@h"),
        ("see https://notion.so/x, write to a@b.example", "see https://notion.so/x, write to a@b.example"),
    ] {
        assert_eq!(plain(text), line);
    }
}

#[test]
fn a_long_text_is_cut_behind_the_mask() {
    let text = format!("{} https://user:{}@rec.example", "x".repeat(100), "p".repeat(100));
    assert_eq!(beginning(&text), format!("{} https://***@rec.example", "x".repeat(100)));
}
