//! A few lines of HTTP, so that a fault can be seen byte by byte.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use notion_standin::Standin;
use serde_json::{Value, json};

/// A reply, or what there was of it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Asks with the token and a version, and expects a whole reply.
pub(crate) fn ask(standin: &Standin, version: &str, method: &str, path: &str, body: &Value) -> Reply {
    try_ask(standin, version, method, path, body).expect("a reply")
}

pub(crate) fn try_ask(standin: &Standin, version: &str, method: &str, path: &str, body: &Value) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(standin.address())?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers = format!(
        "Authorization: Bearer {}\r\nNotion-Version: {version}\r\nContent-Type: application/json\r\n",
        standin.token()
    );
    send(&mut stream, method, path, &headers, body.as_bytes())?;
    receive(&mut stream)
}

pub(crate) fn send(stream: &mut TcpStream, method: &str, path: &str, headers: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: standin\r\n{headers}Content-Length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body].concat())
}

/// Reads one reply by its length. An error is a connection that ended too early.
pub(crate) fn receive(stream: &mut TcpStream) -> io::Result<Reply> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("a head in UTF-8");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let mut reply = Reply { status, head, body: Vec::new() };
    let length: usize = reply.header("content-length").and_then(|value| value.parse().ok()).expect("a length");
    reply.body.resize(length, 0);
    stream.read_exact(&mut reply.body)?;
    Ok(reply)
}

pub(crate) const OLD: &str = "2022-06-28";
pub(crate) const SOURCES: &str = "2025-09-03";
pub(crate) const TRASH: &str = "2026-03-11";

/// A row as the tools write it.
pub(crate) fn row(standin: &Standin, room: &str, url: &str) -> Value {
    json!({
        "parent": { "database_id": standin.database_id() },
        "properties": {
            "Name": { "title": [{ "text": { "content": format!("Meeting {room}") } }] },
            "Date": { "date": { "start": "2026-01-02T10:00:00Z" } },
            "Recording URL": { "url": url },
            "Room": { "rich_text": [{ "text": { "content": room } }] },
            "Status": { "select": { "name": "recorded" } },
            "Provider": { "select": { "name": "mp4" } },
        },
    })
}

/// Creates a row and returns its id.
pub(crate) fn create(standin: &Standin, room: &str, url: &str) -> String {
    let reply = ask(standin, OLD, "POST", "/v1/pages", &row(standin, room, url));
    assert_eq!(reply.status, 200, "{}", reply.json());
    reply.json()["id"].as_str().expect("an id").to_owned()
}

/// Tries to create a row with these properties; the error's message.
pub(crate) fn refused(standin: &Standin, properties: &Value) -> String {
    let body = json!({ "parent": { "database_id": standin.database_id() }, "properties": properties });
    let reply = ask(standin, OLD, "POST", "/v1/pages", &body);
    assert_eq!((reply.status, &reply.json()["code"]), (400, &json!("validation_error")), "{}", reply.json());
    reply.json()["message"].as_str().expect("a message").to_owned()
}
