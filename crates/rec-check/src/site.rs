//! The web server, as a browser asks it.

use std::env;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use rec_core::config::Config;
use rec_core::deadline::Deadline;
use rec_core::http::{self, is_loopback};
use rec_core::secret::Secret;
use rec_core::{small, url};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

use crate::look::{Look, QUESTION};

/// The variable that has `user:password`, so that no list of processes does.
const VARIABLE: &str = "REC_CHECK_AUTH";
/// No answer that is looked at is longer.
const MOST: u64 = 64 << 10;

/// `user:password` of the site, wherever it was given.
pub(crate) fn password(look: &Look<'_>, config: Option<&Config>) -> Option<Secret> {
    if let Some(path) = &look.cli.auth_file {
        let text = small::read(path, MOST).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
        return Some(Secret::new(text.trim_end_matches(['\r', '\n']))).filter(|auth| !auth.expose().is_empty());
    }
    if let Some(auth) = env::var(VARIABLE).ok().filter(|auth| !auth.is_empty()) {
        return Some(Secret::new(auth));
    }
    let auth = config?.public_url_auth.as_ref()?;
    let plain = percent_decode_str(auth.expose().trim_end_matches('@')).decode_utf8_lossy();
    Some(Secret::new(plain))
}

/// What came back.
pub(crate) struct Got {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Got {
    /// A header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
    }

    /// The type, without its parameters.
    pub(crate) fn kind(&self) -> String {
        self.header("content-type").split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Where it leads, without a password that may be in it.
    pub(crate) fn location(&self) -> String {
        url::masked(&self.header("location"))
    }

    pub(crate) fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }

    pub(crate) fn has(&self, bytes: &[u8]) -> bool {
        self.body.windows(bytes.len()).any(|window| window == bytes)
    }
}

/// The web server at `PUBLIC_BASE_URL`.
pub(crate) struct Site<'a> {
    base: &'a str,
    agent: Agent,
    auth: Option<Secret>,
    deadline: &'a Deadline,
}

impl<'a> Site<'a> {
    pub(crate) fn new(look: &'a Look<'_>, config: &'a Config) -> Self {
        let base = &config.public_base_url;
        Self { base, agent: http::agent(base), auth: password(look, Some(config)), deadline: &look.deadline }
    }

    pub(crate) fn has_password(&self) -> bool {
        self.auth.is_some()
    }

    /// Whether nobody on the way can read what is sent.
    pub(crate) fn is_private(&self) -> bool {
        self.base.starts_with("https://") || is_loopback(self.base)
    }

    /// With the password, if there is one and nobody on the way can read it.
    pub(crate) fn get(&self, path: &str) -> Result<Got, String> {
        self.ask(path, true, &[])
    }

    /// The same with a header.
    pub(crate) fn get_with(&self, path: &str, header: (&str, &str)) -> Result<Got, String> {
        self.ask(path, true, &[header])
    }

    /// As somebody who knows no password.
    pub(crate) fn get_as_stranger(&self, path: &str) -> Result<Got, String> {
        self.ask(path, false, &[])
    }

    fn ask(&self, path: &str, auth: bool, headers: &[(&str, &str)]) -> Result<Got, String> {
        let limit = self.deadline.left().min(QUESTION);
        if limit.is_zero() {
            return Err("no time was left for it".to_owned());
        }
        let mut request = Request::get(format!("{}/{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(auth) = self.auth.as_ref().filter(|_| auth && self.is_private()) {
            request = request.header("Authorization", format!("Basic {}", BASE64.encode(auth.expose())));
        }
        let request = request.body(()).map_err(|error| error.to_string())?;
        let request = self.agent.configure_request(request).timeout_global(Some(limit)).build();
        let response = self.agent.run(request).map_err(|error| http::why(&error, limit))?;
        let (head, body) = response.into_parts();
        let mut bytes = Vec::new();
        let read = body.into_reader().take(MOST).read_to_end(&mut bytes);
        read.map_err(|error| format!("the answer was cut off: {error}"))?;
        Ok(Got { status: head.status.as_u16(), headers: head.headers, body: bytes })
    }
}
