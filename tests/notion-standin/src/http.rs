//! HTTP/1.1 on a socket: request heads by `httparse`, bodies by length or in chunks, replies as bytes.
//!
//! No server crate: they do not let a test cut a reply in half or take a request and never answer it. Other servers that
//! tests need use it too.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::SystemTime;

use crate::request::Request;
use crate::when;

/// Notion takes 500 KB in a request.
const MAX_BODY: usize = 500 * 1024;
const MAX_HEAD: usize = 64 * 1024;

/// What came over the wire.
pub enum Received {
    /// A whole request.
    Request(Box<Request>),
    /// A body over the limit; the rest of it is not read.
    TooLarge(Box<Request>),
    /// Not HTTP, or cut short.
    Malformed,
    /// The client went away between two requests.
    Closed,
}

/// The bytes of a connection that were read and not yet used: a client may send requests back to back.
pub struct Reader {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Reader {
    /// Of a connection of which nothing has been read.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Reads on; `Ok(0)` is the end.
    fn more(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        let count = self.stream.read(&mut chunk)?;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    /// Waits until the client goes, whatever it still sends.
    pub fn wait_for_the_end(&mut self) {
        while self.more().is_ok_and(|count| count > 0) {
            self.buffer.clear();
        }
    }

    /// The next request, once all of it is here.
    pub fn receive(&mut self) -> io::Result<Received> {
        let mut request = loop {
            match parse_head(&self.buffer) {
                Ok(Some((length, request))) => {
                    self.buffer.drain(..length);
                    break request;
                }
                Ok(None) if self.buffer.len() > MAX_HEAD => return Ok(Received::Malformed),
                Ok(None) => {}
                Err(_) => return Ok(Received::Malformed),
            }
            if self.more()? == 0 {
                return Ok(if self.buffer.is_empty() { Received::Closed } else { Received::Malformed });
            }
        };
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let chunked = request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let body = if chunked {
            self.chunks()?
        } else {
            match request.header("content-length").unwrap_or("0").parse() {
                Ok(length) if length <= MAX_BODY => self.exactly(length)?,
                Ok(_) => Body::TooLarge,
                Err(_) => Body::Malformed,
            }
        };
        request.at = SystemTime::now();
        match body {
            Body::Whole(bytes) => {
                request.body = serde_json::from_slice(&bytes).ok();
                request.raw_body = bytes;
                Ok(Received::Request(Box::new(request)))
            }
            Body::TooLarge => Ok(Received::TooLarge(Box::new(request))),
            Body::Malformed => Ok(Received::Malformed),
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Body> {
        while self.buffer.len() < length {
            if self.more()? == 0 {
                return Ok(Body::Malformed);
            }
        }
        Ok(Body::Whole(self.buffer.drain(..length).collect()))
    }

    fn chunks(&mut self) -> io::Result<Body> {
        let mut whole = Vec::new();
        loop {
            let (head, size) = loop {
                match httparse::parse_chunk_size(&self.buffer) {
                    Ok(httparse::Status::Complete((head, size))) => {
                        break (head, usize::try_from(size).unwrap_or(usize::MAX));
                    }
                    Ok(httparse::Status::Partial) => {}
                    Err(_) => return Ok(Body::Malformed),
                }
                if self.more()? == 0 {
                    return Ok(Body::Malformed);
                }
            };
            self.buffer.drain(..head);
            if size.saturating_add(whole.len()) > MAX_BODY {
                return Ok(Body::TooLarge);
            }
            let Body::Whole(mut bytes) = self.exactly(size + 2)? else { return Ok(Body::Malformed) };
            // No trailers: none of our clients sends any.
            if bytes.split_off(size) != b"\r\n" {
                return Ok(Body::Malformed);
            }
            if size == 0 {
                return Ok(Body::Whole(whole));
            }
            whole.extend_from_slice(&bytes);
        }
    }
}

enum Body {
    Whole(Vec<u8>),
    TooLarge,
    Malformed,
}

fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Request)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes)? else { return Ok(None) };
    let request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: head.path.unwrap_or_default().to_owned(),
        headers: head
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
            .collect(),
        body: None,
        raw_body: Vec::new(),
        at: SystemTime::now(),
        answered: None,
    };
    Ok(Some((length, request)))
}

/// A reply before it is bytes.
#[derive(Clone, Debug)]
pub struct Reply {
    /// 200, say.
    pub status: u16,
    /// No such header where it is empty.
    pub content_type: String,
    /// What else is in the head, but for `Date`, `Content-Length` and `Connection`.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
    /// Whether the connection ends with it.
    pub close: bool,
}

impl Reply {
    /// The head, its `Content-Length` being the whole body's.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let mut add = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        add("Date", &when::http(SystemTime::now()));
        if !self.content_type.is_empty() {
            add("Content-Type", &self.content_type);
        }
        add("Content-Length", &self.body.len().to_string());
        for (name, value) in &self.headers {
            add(name, value);
        }
        add("Connection", if self.close { "close" } else { "keep-alive" });
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Payload Too Large",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
