//! One try of one request, and whether Notion can have acted on it.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ureq::http::{self, Method};
use ureq::{Agent, Body, SendBody};

use super::Settings;
use crate::deadline::Deadline;
use crate::secret::Secret;

/// Notion itself gives up after 60 s.
const ONE_TRY: Duration = Duration::from_secs(65);
/// A page with every property is a few kB, a database's schema some dozens.
const BODY_LIMIT: u64 = 4 << 20;
/// How soon a raised stop flag is seen.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// A request, without what is the same in all of them.
#[derive(Debug)]
pub(super) struct Request {
    pub method: Method,
    /// From `/v1` on.
    pub path: String,
    pub body: Option<String>,
}

/// An answer with any status.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub retry_after: Option<String>,
    /// Without the token, should something echo it; or why it did not arrive whole.
    pub body: Result<String, String>,
}

/// No answer, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It cannot be sent, now or later.
    Impossible(String),
    /// Notion cannot have acted on it.
    NotSent(String),
    /// Notion may have acted on it.
    NoReply(String),
}

/// The connection to Notion.
pub(super) struct Wire {
    agent: Agent,
    token: Secret,
    version: &'static str,
    api_url: String,
}

impl Wire {
    pub(super) fn new(settings: &Settings) -> Self {
        let api_url = settings.api_url.trim_end_matches('/').to_owned();
        let agent = crate::http::agent(&api_url);
        let version = if settings.data_source_id.is_some() { "2025-09-03" } else { "2022-06-28" };
        Self { agent, token: settings.token.clone(), version, api_url }
    }

    /// Sends `request` and waits for the reply, until the deadline and for 65 s at most.
    ///
    /// The waiting is done on a thread, because nothing interrupts a lookup, a connect or a read. When the stop flag is raised
    /// the thread is left to itself: it ends with its time limit, or with the process.
    pub(super) fn attempt(&self, request: &Request, deadline: &Deadline) -> Result<Reply, Failure> {
        let limit = deadline.left().min(ONE_TRY);
        if limit.is_zero() {
            return Err(Failure::NotSent("Notion was not asked: no time was left".into()));
        }
        let gate = Arc::new(Gate::default());
        let http = self.http(request, &gate)?;
        let agent = self.agent.clone();
        let (answer, arrival) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("notion".into())
            .spawn(move || answer.send(exchange(&agent, http, limit)).ok())
            .map_err(|e| Failure::NotSent(format!("cannot start a thread: {e}")))?;
        loop {
            match arrival.recv_timeout(STOP_CHECK) {
                Ok(Ok(mut reply)) => {
                    let token = self.token.expose();
                    if !token.is_empty() {
                        reply.body = reply.body.map(|body| body.replace(token, "***"));
                    }
                    return Ok(reply);
                }
                Ok(Err(error)) => return Err(self.failure(&error, gate.is_passed(), limit)),
                Err(RecvTimeoutError::Timeout) if !deadline.stopped() => {}
                Err(_) => {
                    let why = "stopped while waiting for Notion's answer".to_owned();
                    return Err(if gate.bar() { Failure::NotSent(why) } else { Failure::NoReply(why) });
                }
            }
        }
    }

    fn http(&self, request: &Request, gate: &Arc<Gate>) -> Result<http::Request<Option<Gated>>, Failure> {
        let mut http = http::Request::builder()
            .method(&request.method)
            .uri(format!("{}{}", self.api_url, request.path))
            .header("Authorization", format!("Bearer {}", self.token.expose()))
            .header("Notion-Version", self.version);
        if let Some(body) = &request.body {
            http = http.header("Content-Type", "application/json").header("Content-Length", body.len());
        }
        let body = request.body.as_ref().map(|body| Gated { gate: Arc::clone(gate), body: Cursor::new(body.clone()) });
        http.body(body).map_err(|e| {
            Failure::Impossible(format!("NOTION_API_URL or NOTION_TOKEN holds what no HTTP request can: {e}"))
        })
    }

    /// What a failed try means. Which error it was says little, because a reset during the TLS handshake and one after the
    /// request look alike; whether the body had passed the gate says all.
    fn failure(&self, error: &ureq::Error, sent: bool, limit: Duration) -> Failure {
        let why = match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => {
                return Failure::Impossible(format!(
                    "{}: NOTION_API_URL or the proxy's URL is wrong: {error}",
                    self.api_url
                ));
            }
            other => crate::http::why(other, limit),
        };
        let why = format!("no answer from {}: {why}", self.api_url);
        if sent { Failure::NoReply(why) } else { Failure::NotSent(why) }
    }
}

/// The whole exchange, on its own thread.
fn exchange(agent: &Agent, http: http::Request<Option<Gated>>, limit: Duration) -> Result<Reply, ureq::Error> {
    let (head, body) = http.into_parts();
    let body = body.map_or_else(SendBody::none, SendBody::from_owned_reader);
    let http = http::Request::from_parts(head, body);
    let mut response = agent.run(agent.configure_request(http).timeout_global(Some(limit)).build())?;
    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Ok(Reply { status: response.status().as_u16(), retry_after, body: read(response.body_mut()) })
}

fn read(body: &mut Body) -> Result<String, String> {
    let bytes = body.with_config().limit(BODY_LIMIT).read_to_vec();
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|error| match error {
        ureq::Error::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => "the answer was cut off".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "the answer was longer than 4 MiB".to_owned(),
        other => other.to_string(),
    })
}

/// Between the request's body and the connection: shut, until the first byte is asked for.
///
/// ureq asks for it once the connection stands and the head is on its way. A server that got no body cannot have acted on the
/// request. Two threads may meet here, and one atomic value says who came first.
#[derive(Default)]
struct Gate(AtomicU8);

impl Gate {
    const SHUT: u8 = 0;
    const PASSED: u8 = 1;
    const BARRED: u8 = 2;

    /// Lets the body out; false if it was barred.
    fn pass(&self) -> bool {
        self.move_to(Self::PASSED)
    }

    /// Keeps the body in for good; false if it is out.
    fn bar(&self) -> bool {
        self.move_to(Self::BARRED)
    }

    fn is_passed(&self) -> bool {
        self.0.load(Ordering::SeqCst) == Self::PASSED
    }

    fn move_to(&self, to: u8) -> bool {
        let was = self.0.compare_exchange(Self::SHUT, to, Ordering::SeqCst, Ordering::SeqCst);
        was.is_ok() || was == Err(to)
    }
}

/// A body behind its gate.
struct Gated {
    gate: Arc<Gate>,
    body: Cursor<String>,
}

impl Read for Gated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.gate.pass() {
            return Err(io::Error::other("stopped"));
        }
        self.body.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barred_body_stays_and_a_body_that_left_cannot_be_barred() {
        let gate = Gate::default();
        assert!(gate.bar() && gate.bar() && !gate.pass() && !gate.is_passed());
        let gate = Gate::default();
        assert!(gate.pass() && gate.pass() && !gate.bar() && gate.is_passed());
    }

    #[test]
    fn a_connection_that_breaks_during_the_tls_handshake_has_sent_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let api_url = format!("https://{}/", listener.local_addr().unwrap());
        let server = thread::spawn(move || listener.accept().unwrap().0.peek(&mut [0]).unwrap());
        let settings = Settings { token: Secret::new("t"), database_id: String::new(), data_source_id: None, api_url };
        let request = Request { method: Method::POST, path: "/v1/pages".into(), body: Some("{}".into()) };
        let deadline = Deadline::after(Duration::from_secs(5), &Arc::default());
        let failure = Wire::new(&settings).attempt(&request, &deadline).unwrap_err();
        assert!(matches!(failure, Failure::NotSent(_)), "{failure:?}");
        server.join().unwrap();
    }

    #[test]
    fn what_no_header_can_hold_is_not_tried() {
        let api_url = "http://127.0.0.1:9".into();
        let settings =
            Settings { token: Secret::new("a\nb"), database_id: String::new(), data_source_id: None, api_url };
        let request = Request { method: Method::GET, path: "/v1/pages".into(), body: None };
        let deadline = Deadline::after(Duration::from_secs(5), &Arc::default());
        let failure = Wire::new(&settings).attempt(&request, &deadline).unwrap_err();
        assert!(matches!(&failure, Failure::Impossible(why) if !why.contains("a\nb")), "{failure:?}");
    }
}
