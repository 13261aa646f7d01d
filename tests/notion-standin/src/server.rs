//! The server: a listener, a thread for each connection, and the way from a request to bytes.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api;
use crate::faults::{self, Fault, Kind};
use crate::http::{Reader, Received, Reply};
use crate::ids;
use crate::problem::Problem;
use crate::request::Request;
use crate::store::Store;

/// What connections share with the handle.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Wakes delayed replies when the stand-in goes.
    stopped: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) faults: Vec<Fault>,
    pub(crate) log: Vec<Request>,
    /// How many requests `clear_requests` forgot: a connection remembers its request by its number.
    pub(crate) forgotten: usize,
    /// Requests a second; none is no limit.
    pub(crate) limit: Option<u32>,
    recent: VecDeque<Instant>,
    stop: bool,
    streams: Vec<TcpStream>,
}

impl Shared {
    /// The state; a test that panicked while it held it has not made it wrong.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every connection, at once.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stop = true;
        for stream in state.streams.drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.stopped.notify_all();
    }

    fn sleep(&self, wait: Duration) {
        let guard = self.lock();
        drop(self.stopped.wait_timeout_while(guard, wait, |state| !state.stop));
    }
}

/// Accepts connections until the stand-in is stopped; a last connection wakes it for that.
pub(crate) fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut state = shared.lock();
        if state.stop {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(watched) = stream.try_clone() else { continue };
        state.streams.retain(|stream| stream.peer_addr().is_ok());
        state.streams.push(watched);
        drop(state);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // The client's going is not our failure.
            let _ = serve(&stream, &shared);
            // The clone above would keep the connection open.
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    // Head and body go out in two writes; without this the second waits for the client's acknowledgement.
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = Reader::new(stream.try_clone()?);
    loop {
        let request = match reader.receive()? {
            Received::Request(request) => *request,
            Received::TooLarge(request) => {
                // Seen without Notion's JSON.
                let number = log(shared, *request);
                let mut reply = plain(413, "Payload Too Large");
                reply.close = true;
                return send(shared, &mut writer, number, &reply);
            }
            Received::Malformed => {
                let mut reply = plain(400, "Bad Request");
                reply.close = true;
                return writer.write_all(&[reply.head(), reply.body].concat());
            }
            Received::Closed => return Ok(()),
        };
        let close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let number = log(shared, request.clone());
        let fault = faults::take(&mut shared.lock().faults, &request);
        let mut reply = match fault {
            None => processed(shared, &request),
            Some(Kind::Answer { problem, retry_after }) => {
                with_retry_after(json_reply(problem.status, problem.to_value()), retry_after)
            }
            Some(Kind::Raw { status, content_type, body, retry_after }) => {
                with_retry_after(Reply { status, content_type, headers: Vec::new(), body, close: false }, retry_after)
            }
            Some(Kind::Delay(wait)) => {
                shared.sleep(wait);
                processed(shared, &request)
            }
            Some(Kind::Silent) => {
                reader.wait_for_the_end();
                return Ok(());
            }
            Some(Kind::SilentAfter) => {
                processed(shared, &request);
                reader.wait_for_the_end();
                return Ok(());
            }
            Some(Kind::DropBefore) => return Ok(()),
            Some(Kind::DropAfter) => {
                processed(shared, &request);
                return Ok(());
            }
            Some(Kind::Truncate) => {
                let reply = processed(shared, &request);
                answered(shared, number, reply.status);
                let half = &reply.body[..reply.body.len() / 2];
                return writer.write_all(&[reply.head().as_slice(), half].concat());
            }
        };
        reply.close = close;
        send(shared, &mut writer, number, &reply)?;
        if close {
            return Ok(());
        }
    }
}

/// Notes the request; its number is for [`answered`].
fn log(shared: &Shared, request: Request) -> usize {
    let mut state = shared.lock();
    state.log.push(request);
    state.forgotten + state.log.len() - 1
}

fn answered(shared: &Shared, number: usize, status: u16) {
    let mut state = shared.lock();
    let forgotten = state.forgotten;
    if let Some(request) = number.checked_sub(forgotten).and_then(|at| state.log.get_mut(at)) {
        request.answered = Some(status);
    }
}

/// Notes the status before the client can see it, so that a test that has the reply finds it in the log.
fn send(shared: &Shared, writer: &mut TcpStream, number: usize, reply: &Reply) -> io::Result<()> {
    answered(shared, number, reply.status);
    writer.write_all(&[reply.head().as_slice(), &reply.body].concat())
}

fn processed(shared: &Shared, request: &Request) -> Reply {
    let mut state = shared.lock();
    if state.stop {
        return plain(503, "");
    }
    if state.is_over_the_limit() {
        let mut problem = Problem::of_status(429);
        problem.additional = Some(Box::new(json!({ "rate_limit_reason": "connection" })));
        return with_retry_after(json_reply(429, problem.to_value()), Some("1".to_owned()));
    }
    let (status, body) = api::reply(&mut state.store, request);
    json_reply(status, body)
}

impl State {
    fn is_over_the_limit(&mut self) -> bool {
        let Some(limit) = self.limit else { return false };
        let now = Instant::now();
        self.recent.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
        if self.recent.len() >= limit as usize {
            return true;
        }
        self.recent.push_back(now);
        false
    }
}

/// Every reply of Notion's, good or bad, has its request id in the body and in a header.
fn json_reply(status: u16, mut body: Value) -> Reply {
    let id = ids::new();
    body["request_id"] = json!(id);
    Reply {
        status,
        content_type: "application/json; charset=utf-8".to_owned(),
        headers: vec![("x-notion-request-id".to_owned(), id)],
        body: body.to_string().into_bytes(),
        close: false,
    }
}

fn plain(status: u16, text: &str) -> Reply {
    let content_type = "text/plain; charset=utf-8".to_owned();
    Reply { status, content_type, headers: Vec::new(), body: text.as_bytes().to_vec(), close: false }
}

fn with_retry_after(mut reply: Reply, value: Option<String>) -> Reply {
    reply.headers.extend(value.map(|value| ("Retry-After".to_owned(), value)));
    reply
}
