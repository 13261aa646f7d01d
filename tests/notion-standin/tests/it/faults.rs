//! Faults, and what the log says about them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use notion_standin::{Fault, Standin};
use serde_json::{Value, json};

use crate::client::{OLD, ask, create, receive, row, send, try_ask};

fn me(standin: &Standin) -> std::io::Result<crate::client::Reply> {
    try_ask(standin, OLD, "GET", "/v1/users/me", &Value::Null)
}

#[test]
fn an_answer_takes_as_many_requests_as_it_was_told() {
    let standin = Standin::start();
    standin.fail(Fault::answer(429).retry_after("7").times(2));
    for _ in 0..2 {
        let reply = me(&standin).unwrap();
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("7")));
        let body = reply.json();
        assert_eq!(body["code"], "rate_limited");
        assert_eq!(body["message"], "You have been rate limited. Please try again in a few minutes.");
        assert!(body["request_id"].is_string());
    }
    assert_eq!(me(&standin).unwrap().status, 200);
    let answered: Vec<_> = standin.requests().iter().map(|request| request.answered).collect();
    assert_eq!(answered, [Some(429), Some(429), Some(200)]);
}

#[test]
fn a_fault_waits_for_its_method_and_path() {
    let standin = Standin::start();
    standin.fail(Fault::answer(503).on("POST", "/v1/pages").forever());
    assert_eq!(me(&standin).unwrap().status, 200);
    for _ in 0..3 {
        assert_eq!(ask(&standin, OLD, "POST", "/v1/pages", &row(&standin, "a", "https://x")).status, 503);
    }
    standin.clear_faults();
    create(&standin, "a", "https://x");
    assert_eq!(standin.pages().len(), 1);
}

#[test]
fn a_fault_waits_for_a_word_in_the_body() {
    let standin = Standin::start();
    let page = create(&standin, "a", "https://x");
    standin.fail(Fault::answer(503).on("PATCH", "/v1/pages/").saying("published").forever());
    let says = |status: &str| {
        let body = json!({ "properties": { "Status": { "select": { "name": status } } } });
        ask(&standin, OLD, "PATCH", &format!("/v1/pages/{page}"), &body).status
    };
    assert_eq!(["processing", "published", "published?", "published"].map(says), [200, 503, 200, 503]);
}

#[test]
fn raw_bytes_go_out_as_they_are() {
    let standin = Standin::start();
    standin.fail(Fault::raw(502, "text/html", "<html>Bad Gateway</html>"));
    standin.fail(Fault::raw(503, "", ""));
    standin.fail(Fault::raw(200, "application/json", "[]"));
    let reply = me(&standin).unwrap();
    assert_eq!((reply.status, reply.header("content-type")), (502, Some("text/html")));
    let reply = me(&standin).unwrap();
    assert_eq!((reply.status, reply.header("content-type"), reply.body.len()), (503, None, 0));
    assert_eq!(me(&standin).unwrap().body, b"[]");
}

#[test]
fn dropped_before_is_not_done_and_dropped_after_is() {
    let standin = Standin::start();
    let body = row(&standin, "a", "https://x/a");
    standin.fail(Fault::drop_before());
    assert!(try_ask(&standin, OLD, "POST", "/v1/pages", &body).is_err());
    assert_eq!(standin.pages().len(), 0);
    standin.fail(Fault::drop_after());
    assert!(try_ask(&standin, OLD, "POST", "/v1/pages", &body).is_err());
    assert_eq!(standin.pages().len(), 1);
    let requests = standin.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.answered.is_none() && request.body.as_ref() == Some(&body)));
}

#[test]
fn a_truncated_reply_promises_more_than_it_brings() {
    let standin = Standin::start();
    standin.fail(Fault::truncated());
    let error = try_ask(&standin, OLD, "POST", "/v1/pages", &row(&standin, "a", "https://x/a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(standin.pages().len(), 1);
    assert_eq!(standin.requests()[0].answered, Some(200));
}

#[test]
fn a_silent_fault_never_answers_and_ends_with_the_client_or_the_stand_in() {
    let standin = Standin::start();
    standin.fail(Fault::silent().times(2));
    let mut stream = TcpStream::connect(standin.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    send(&mut stream, "GET", "/v1/users/me", "", b"").unwrap();
    assert!(matches!(receive(&mut stream).unwrap_err().kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert_eq!(standin.requests()[0].answered, None);
    drop(stream);
    let mut stream = TcpStream::connect(standin.address()).unwrap();
    send(&mut stream, "GET", "/v1/users/me", "", b"").unwrap();
    assert!(standin.wait_for_requests(2, Duration::from_secs(10)));
    drop(standin);
    assert!(receive(&mut stream).is_err());
}

#[test]
fn a_silent_fault_may_have_done_the_work() {
    let standin = Standin::start();
    standin.fail(Fault::silent_after().on("POST", "/v1/pages"));
    let mut stream = TcpStream::connect(standin.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let headers = format!(
        "Authorization: Bearer {}\r\nNotion-Version: {OLD}\r\nContent-Type: application/json\r\n",
        standin.token()
    );
    let body = row(&standin, "a", "https://x/a").to_string();
    send(&mut stream, "POST", "/v1/pages", &headers, body.as_bytes()).unwrap();
    assert!(matches!(receive(&mut stream).unwrap_err().kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert_eq!(standin.pages().len(), 1);
    assert_eq!(standin.requests()[0].answered, None);
}

#[test]
fn a_delay_is_waited_for_and_does_not_hold_up_the_end() {
    let standin = Standin::start();
    standin.fail(Fault::delayed(Duration::from_millis(200)));
    let from = Instant::now();
    assert_eq!(me(&standin).unwrap().status, 200);
    assert!(from.elapsed() >= Duration::from_millis(200));
    standin.fail(Fault::delayed(Duration::from_secs(60)));
    let mut stream = TcpStream::connect(standin.address()).unwrap();
    send(&mut stream, "GET", "/v1/users/me", "", b"").unwrap();
    assert!(standin.wait_for_requests(2, Duration::from_secs(10)));
    drop(standin);
    assert!(receive(&mut stream).is_err());
    assert!(from.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_rate_limit_answers_429_and_lets_the_next_second_through() {
    let standin = Standin::start();
    standin.rate_limit(2);
    let statuses: Vec<u16> = (0..4).map(|_| me(&standin).unwrap().status).collect();
    assert_eq!(statuses[..2], [200, 200]);
    assert!(statuses[2..].contains(&429));
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(me(&standin).unwrap().status, 200);
    standin.rate_limit(0);
    assert!((0..4).all(|_| me(&standin).unwrap().status == 200));
}

#[test]
fn one_connection_carries_many_requests_by_length_and_in_chunks() {
    let standin = Standin::start();
    let mut stream = TcpStream::connect(standin.address()).unwrap();
    let headers = format!(
        "Authorization: Bearer {}\r\nNotion-Version: {OLD}\r\nContent-Type: application/json\r\n",
        standin.token()
    );
    let body = row(&standin, "a", "https://x/a").to_string();
    // Two back to back in one write.
    send(&mut stream, "POST", "/v1/pages", &headers, body.as_bytes()).unwrap();
    send(&mut stream, "GET", "/v1/users/me?x=1", &headers, b"").unwrap();
    assert_eq!(receive(&mut stream).unwrap().status, 200);
    assert_eq!(receive(&mut stream).unwrap().status, 200);
    let (first, second) = body.split_at(10);
    write!(
        stream,
        "POST /v1/pages HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    )
    .unwrap();
    assert_eq!(receive(&mut stream).unwrap().status, 200);
    assert_eq!(standin.pages().len(), 2);
    let requests = standin.requests();
    assert_eq!(requests[2].raw_body, body.as_bytes());
    assert_eq!(requests[2].body.as_ref().unwrap()["properties"]["Recording URL"], json!({ "url": "https://x/a" }));
    assert_eq!(requests[1].path, "/v1/users/me?x=1");
    assert_eq!(requests[1].header("NOTION-version"), Some(OLD));
    standin.clear_requests();
    assert!(standin.requests().is_empty());
}

#[test]
fn a_dropped_stand_in_closes_its_connections_and_frees_its_port() {
    let standin = Standin::start();
    let address = standin.address();
    let id = standin.database_id();
    let mut idle = TcpStream::connect(address).unwrap();
    assert_eq!(me(&standin).unwrap().status, 200);
    drop(standin);
    assert!(matches!(idle.read(&mut [0]), Ok(0) | Err(_)));
    assert!(TcpStream::connect(address).is_err());
    let again = Standin::start_on(&address.to_string()).unwrap();
    assert_eq!(again.database_id(), id);
    assert_eq!(me(&again).unwrap().status, 200);
}
