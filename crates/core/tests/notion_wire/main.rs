//! The Notion client against a socket that misbehaves: what is sent, how often, how long it takes, and how it ends.

// clippy.toml allows unwrap in tests, but does not see that the helpers here are part of them.
#![allow(clippy::unwrap_used)]

mod server;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use rec_core::deadline::Deadline;
use rec_core::notion::{Kind, Row};
use server::{
    ALL, Act, CHANGE, PAGE, ROW, Server, TOKEN, client, columns, database, error, millis, page, page_id, raise, timed,
};

#[test]
fn a_create_reads_the_columns_and_posts_once_on_one_connection() {
    let server = Server::start(vec![database(ALL), page(), page()]);
    let client = server.client(10);
    assert_eq!(client.create(&ROW).unwrap(), page_id());
    client.update(&page_id(), &CHANGE).unwrap();
    assert_eq!(
        server.lines(),
        [
            "GET /v1/databases/0f0e0d0c-0b0a-0908-0706-050403020100 HTTP/1.1",
            "POST /v1/pages HTTP/1.1",
            &format!("PATCH /v1/pages/{PAGE} HTTP/1.1"),
        ]
    );
    let post = server.nth(1);
    assert!((0..3).all(|n| server.nth(n).connection == 0));
    let head = post.head.to_ascii_lowercase();
    for line in [
        "authorization: bearer ntn_not_to_be_seen\r\n",
        "notion-version: 2022-06-28\r\n",
        "content-type: application/json\r\n",
        concat!("user-agent: jitsi-recording-pipeline/", env!("CARGO_PKG_VERSION"), "\r\n"),
        &format!("content-length: {}\r\n", post.body.len()),
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert!(
        post.body
            .starts_with(r#"{"parent":{"database_id":"0f0e0d0c-0b0a-0908-0706-050403020100"},"properties":{"Name":"#)
    );
}

#[test]
fn a_data_source_is_spoken_to_in_its_own_version() {
    let server = Server::start(vec![
        Act::Say(200, "", columns("data_source", "")),
        page(),
        Act::Say(200, "", r#"{"object":"list","results":[]}"#.into()),
    ]);
    let client = client(&server.url, Some("aaaa"), 10, &Arc::default());
    client.create(&ROW).unwrap();
    assert!(client.find_by_url(&["https://x"]).unwrap().is_empty());
    assert_eq!(
        server.lines(),
        ["GET /v1/data_sources/aaaa HTTP/1.1", "POST /v1/pages HTTP/1.1", "POST /v1/data_sources/aaaa/query HTTP/1.1"]
    );
    assert!(server.nth(1).head.contains("2025-09-03"));
    assert!(server.nth(1).body.starts_with(r#"{"parent":{"type":"data_source_id","data_source_id":"aaaa"},"#));
}

#[test]
fn rows_are_found_oldest_first_without_those_in_the_trash() {
    let row = |n: u8, time: &str, archived: bool| {
        format!(
            r#"{{"object":"page","id":"{}","created_time":"{time}","archived":{archived}}}"#,
            PAGE.replace("38c9ce7b", &format!("{n:08}"))
        )
    };
    let rows = [
        row(3, "2026-01-02", false),
        row(1, "2026-01-03", false),
        row(2, "2026-01-02", false),
        row(0, "2026-01-01", true),
    ];
    let server =
        Server::start(vec![Act::Say(200, "", format!(r#"{{"object":"list","results":[{}]}}"#, rows.join(",")))]);
    let found = server.client(10).find_by_url(&["https://x", "https://y"]).unwrap();
    let ids: Vec<_> = found.iter().map(|found| &found.id.as_str()[..8]).collect();
    assert_eq!(ids, ["00000002", "00000003", "00000001"]);
}

#[test]
fn a_refused_connection_is_tried_again_until_time_is_short_and_then_once_each() {
    let url = Server::start(vec![]).url;
    thread::sleep(Duration::from_millis(100));
    let client = client(&url, None, 3, &Arc::default());
    let (error, took) = timed(|| client.retrieve(&page_id()).unwrap_err());
    assert_eq!(error.kind, Kind::Away);
    assert!(error.to_string().contains("refused") && error.to_string().contains("try "), "{error}");
    assert!(millis(600, 3000).contains(&took), "{took:?}");

    let later = client.with_deadline(Deadline::after(Duration::from_secs(30), &Arc::default()));
    let (error, took) = timed(|| later.retrieve(&page_id()).unwrap_err());
    assert_eq!(error.kind, Kind::Away);
    assert!(took < Duration::from_millis(200), "{took:?}");
}

#[test]
fn a_create_that_found_no_connection_is_not_in_doubt() {
    let server = Server::start(vec![Act::SayAndClose(columns("database", ""))]);
    let client = server.client(4);
    client.prepare().unwrap();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(client.create(&ROW).unwrap_err().kind, Kind::Away);
}

#[test]
fn a_create_whose_connection_breaks_is_in_doubt_and_not_repeated() {
    for (act, says) in [(Act::Reset, "reset"), (Act::Cut, "cut off")] {
        let server = Server::start(vec![database(""), act, page()]);
        let error = server.client(10).create(&ROW).unwrap_err();
        assert_eq!(error.kind, Kind::Unanswered, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(server.lines().len(), 2);
    }
}

#[test]
fn a_create_answered_with_no_page_is_in_doubt() {
    for body in ["<html>Welcome to the hotel</html>", r#"{"object":"page"}"#, r#"{"object":"list","id":"x"}"#, ""] {
        let server = Server::start(vec![database(""), Act::Say(200, "", body.into()), page()]);
        let error = server.client(10).create(&ROW).unwrap_err();
        assert_eq!(error.kind, Kind::Unanswered, "{error}");
        assert_eq!(server.lines().len(), 2);
    }
    let server = Server::start(vec![Act::Say(200, "", r#"{"object":"user"}"#.into())]);
    let error = server.client(10).retrieve(&page_id()).unwrap_err();
    assert_eq!(error.kind, Kind::Away);
    assert!(error.to_string().contains("something that is not this page"), "{error}");
}

#[test]
fn a_create_that_failed_inside_notion_or_before_it_is_in_doubt() {
    let cases = [(409, Kind::Failed5xx), (500, Kind::Failed5xx), (503, Kind::Failed5xx)];
    for (status, kind) in [&cases[..], &[(502, Kind::Unanswered), (504, Kind::Unanswered)]].concat() {
        let server = Server::start(vec![database(""), error(status, "Retry-After: 1\r\n", "Oh"), page()]);
        let error = server.client(10).create(&ROW).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains("Oh (request r1)"), "{error}");
        assert_eq!(server.lines().len(), 2);
    }
}

#[test]
fn a_request_that_may_be_repeated_survives_everything() {
    let acts = vec![
        Act::Cut,
        database(""),
        Act::Reset,
        Act::Cut,
        error(502, "", "Bad Gateway"),
        error(409, "", "Conflict"),
        page(),
    ];
    let server = Server::start(acts);
    server.client(30).update(&page_id(), &CHANGE).unwrap();
    assert_eq!(server.lines().len(), 7);
}

#[test]
fn retry_after_is_waited_for_even_by_a_create() {
    let server =
        Server::start(vec![database(""), error(429, "Retry-After: 1\r\n", "slow"), error(529, "", "busy"), page()]);
    let (result, took) = timed(|| server.client(20).create(&ROW));
    result.unwrap();
    assert!(millis(1250, 5000).contains(&took), "{took:?}");
}

#[test]
fn a_retry_after_beyond_the_deadline_ends_it_at_once() {
    let server = Server::start(vec![database(""), error(429, "Retry-After: 3600\r\n", "slow"), page()]);
    let (error, took) = timed(|| server.client(20).create(&ROW).unwrap_err());
    assert_eq!(error.kind, Kind::Away);
    assert!(error.to_string().contains("\"3600\""), "{error}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_silent_notion_ends_with_the_deadline() {
    let server = Server::start(vec![database(""), Act::Hang, page()]);
    let (error, took) = timed(|| server.client(3).create(&ROW).unwrap_err());
    assert_eq!(error.kind, Kind::Unanswered);
    assert!(error.to_string().contains("silence for"), "{error}");
    assert!(millis(2800, 3300).contains(&took), "{took:?}");
    assert_eq!(server.lines().len(), 2);

    let server = Server::start(vec![Act::Hang]);
    let (error, took) = timed(|| server.client(1).retrieve(&page_id()).unwrap_err());
    assert_eq!(error.kind, Kind::Away);
    assert!(millis(900, 1300).contains(&took), "{took:?}");
}

#[test]
fn the_stop_flag_ends_a_wait_for_a_reply() {
    for (acts, kind) in [(vec![Act::Hang], Kind::Stopped), (vec![database(""), Act::Hang], Kind::Unanswered)] {
        let server = Server::start(acts);
        let stop = Arc::new(AtomicBool::new(false));
        let client = client(&server.url, None, 30, &stop);
        raise(&stop);
        let (error, took) = timed(|| client.create(&ROW).unwrap_err());
        assert_eq!(error.kind, kind, "{error}");
        assert!(millis(500, 1000).contains(&took), "{took:?}");
    }
}

#[test]
fn the_stop_flag_ends_a_pause() {
    let server = Server::start(vec![error(429, "Retry-After: 20\r\n", "slow"), database("")]);
    let stop = Arc::new(AtomicBool::new(false));
    let client = client(&server.url, None, 30, &stop);
    raise(&stop);
    let (error, took) = timed(|| client.prepare().unwrap_err());
    assert_eq!(error.kind, Kind::Stopped, "{error}");
    assert!(millis(500, 1000).contains(&took), "{took:?}");
    assert_eq!(client.prepare().unwrap_err().kind, Kind::Stopped);
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn a_create_does_not_go_on_a_connection_that_was_closed_or_idle() {
    let server = Server::start(vec![Act::SayAndClose(columns("database", "")), page()]);
    let client = server.client(10);
    client.prepare().unwrap();
    thread::sleep(Duration::from_millis(100));
    client.create(&ROW).unwrap();
    assert_eq!(server.nth(1).connection, 1);

    // The server keeps this one, but serves one connection at a time: it goes on when the client closes.
    let server = Server::start(vec![database(""), page()]);
    let client = server.client(10);
    client.prepare().unwrap();
    thread::sleep(Duration::from_millis(2200));
    client.create(&ROW).unwrap();
    assert_eq!(server.nth(1).connection, 1);
}

#[test]
fn columns_that_changed_meanwhile_are_read_again_once() {
    let gone = || error(400, "", "Room is not a property that exists.");
    let server = Server::start(vec![database(ALL), gone(), database(""), page()]);
    server.client(10).create(&ROW).unwrap();
    assert!(server.nth(1).body.contains("\"Room\"") && !server.nth(3).body.contains("\"Room\""));

    let server = Server::start(vec![database(ALL), gone(), database(ALL), gone(), page()]);
    assert_eq!(server.client(10).create(&ROW).unwrap_err().kind, Kind::Config);
    assert_eq!(server.lines().len(), 4);

    // A page of another database does not stop the others.
    let server = Server::start(vec![database(ALL), gone(), database(ALL), gone()]);
    assert_eq!(server.client(10).update(&page_id(), &CHANGE).unwrap_err().kind, Kind::Page);
}

#[test]
fn a_page_is_gone_only_where_its_database_is_not() {
    let gone = || error(404, "", "Could not find page");
    let server = Server::start(vec![database(ALL), gone(), database(ALL)]);
    assert_eq!(server.client(10).update(&page_id(), &CHANGE).unwrap_err().kind, Kind::Page);
    let server = Server::start(vec![database(ALL), gone(), error(404, "", "Could not find database")]);
    assert_eq!(server.client(10).update(&page_id(), &CHANGE).unwrap_err().kind, Kind::Config);
    let server = Server::start(vec![database(ALL), gone()]);
    assert_eq!(server.client(3).update(&page_id(), &CHANGE).unwrap_err().kind, Kind::Away);
}

#[test]
fn a_redirect_is_not_followed() {
    let server = Server::start(vec![Act::Say(301, "Location: http://127.0.0.1:9/\r\n", String::new())]);
    let error = server.client(10).prepare().unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    assert!(error.to_string().contains("NOTION_API_URL leads to a redirect"), "{error}");
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let server = Server::start(vec![Act::Say(200, "", "x".repeat(5 << 20)), database("")]);
    let (result, took) = timed(|| server.client(10).prepare());
    result.unwrap();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(server.lines().len(), 2);
}

#[test]
fn an_error_shows_neither_the_token_nor_a_password() {
    let message = format!("bad {TOKEN} for `https://jo:pa/ss@rec.example.org/x`");
    let server = Server::start(vec![error(400, "", &message)]);
    let text = server.client(10).prepare().unwrap_err().to_string();
    assert!(text.contains("bad *** for `https://***@rec.example.org/x`"), "{text}");
}

#[test]
fn a_url_that_notion_would_not_take_is_not_sent() {
    let server = Server::start(vec![]);
    for url in ["", &"x".repeat(2001)] {
        let error = server.client(10).create(&Row { url, ..ROW }).unwrap_err();
        assert_eq!(error.kind, Kind::Rejected, "{error}");
    }
    assert!(server.lines().is_empty());
}
