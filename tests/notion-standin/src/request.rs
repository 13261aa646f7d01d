//! A request as it was received.

use std::time::SystemTime;

use serde_json::Value;

/// A request that reached the stand-in, whatever became of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, `PATCH`.
    pub method: String,
    /// The path with its query string, as sent: `/v1/pages/38c9...`.
    pub path: String,
    /// The headers in their order, names as sent.
    pub headers: Vec<(String, String)>,
    /// The body as JSON, where it is JSON.
    pub body: Option<Value>,
    /// The body as it came, without the framing.
    pub raw_body: Vec<u8>,
    /// When the last byte of it had arrived.
    pub at: SystemTime,
    /// The status that it was answered with; `None` while it is being worked on, and for good where a fault ate the reply.
    pub answered: Option<u16>,
}

impl Request {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The path without its query string.
    pub(crate) fn route(&self) -> &str {
        self.path.split_once('?').map_or(self.path.as_str(), |(path, _)| path)
    }
}
