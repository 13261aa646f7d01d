//! The rows of a running stand-in as a table, asked for over HTTP like any client would.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::control::DATABASE_ID;
use crate::render;

const COLUMNS: [&str; 5] = ["Name", "Date", "Status", "Provider", "Recording URL"];

/// The rows of the stand-in at `url` as an aligned table, the oldest first.
pub fn table(url: &str, token: &str) -> io::Result<String> {
    let rows = rows(url, token)?;
    let mut lines = vec![COLUMNS.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| COLUMNS.map(|column| cell(&row["properties"][column]))));
    let mut widths = [0; COLUMNS.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut table = String::new();
    for line in &lines {
        let padded: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        table.push_str(padded.join("  ").trim_end());
        table.push('\n');
    }
    Ok(table)
}

/// One column of a page in a few characters; a dash where it is unset.
fn cell(entry: &Value) -> String {
    let value = &entry[entry["type"].as_str().unwrap_or_default()];
    let text = match value {
        Value::Array(_) => render::plain_text(value),
        Value::Object(_) => {
            value["name"].as_str().or(value["start"].as_str()).unwrap_or_default().replace(".000+00:00", "Z")
        }
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    // A name may hold anything, a line break too.
    let text: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

fn rows(url: &str, token: &str) -> io::Result<Vec<Value>> {
    let mut rows = Vec::new();
    let mut query = json!({ "sorts": [{ "timestamp": "created_time", "direction": "ascending" }] });
    loop {
        let reply = post(url, token, &format!("/v1/databases/{DATABASE_ID}/query"), &query)?;
        rows.extend(reply["results"].as_array().into_iter().flatten().cloned());
        if reply["has_more"] != true {
            return Ok(rows);
        }
        query["start_cursor"] = reply["next_cursor"].clone();
    }
}

fn post(url: &str, token: &str, path: &str, body: &Value) -> io::Result<Value> {
    let host = url.trim_end_matches('/').strip_prefix("http://").unwrap_or(url);
    let mut stream = TcpStream::connect(host)?;
    let body = body.to_string();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nNotion-Version: 2022-06-28\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    if head.starts_with("HTTP/1.1 200 ") {
        return Ok(body);
    }
    let message = body["message"].as_str().unwrap_or_else(|| head.lines().next().unwrap_or("no reply"));
    Err(io::Error::other(message.to_owned()))
}
