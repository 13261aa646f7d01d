//! One try of one message.

use std::io::Read as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rec_core::deadline::Deadline;
use rec_core::http::why;
use rec_core::secret::Secret;
use ureq::Agent;
use ureq::http::Request;

use crate::sign::Headers;
use crate::verdict::Reply;

/// What a receiver gets to answer.
const ONE_TRY: Duration = Duration::from_secs(15);
/// How much of an answer is read.
const BODY_LIMIT: u64 = 64 << 10;
/// How soon a raised stop flag is seen.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// This process is to end.
    Stopped,
    /// In words.
    NoAnswer(String),
}

/// Posts a body, and waits for the answer until the deadline, and for 15 s at most. The waiting is done on a thread, because
/// nothing interrupts a lookup, a connect or a read; it ends with its time limit, or with the process.
pub(crate) fn post(
    agent: &Agent,
    url: &str,
    headers: Headers,
    body: Vec<u8>,
    secret: &Secret,
    deadline: &Deadline,
) -> Result<Reply, Failure> {
    let limit = deadline.left().min(ONE_TRY);
    let mut request = Request::post(url).header("Content-Type", "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(body).map_err(|e| Failure::NoAnswer(format!("its URL is none: {e}")))?;
    let agent = agent.clone();
    let (answer, arrival) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("webhook".into())
        .spawn(move || answer.send(exchange(&agent, request, limit)).ok())
        .map_err(|e| Failure::NoAnswer(format!("cannot start a thread: {e}")))?;
    loop {
        match arrival.recv_timeout(STOP_CHECK) {
            Ok(Ok(mut reply)) => {
                for text in [Some(&mut reply.body), reply.location.as_mut()].into_iter().flatten() {
                    *text = text.replace(secret.expose(), "***");
                }
                return Ok(reply);
            }
            Ok(Err(error)) => return Err(Failure::NoAnswer(why(&error, limit))),
            Err(RecvTimeoutError::Timeout) if !deadline.stopped() => {}
            Err(_) => return Err(Failure::Stopped),
        }
    }
}

/// The whole exchange, on its own thread.
fn exchange(agent: &Agent, request: Request<Vec<u8>>, limit: Duration) -> Result<Reply, ureq::Error> {
    let mut response = agent.run(agent.configure_request(request).timeout_global(Some(limit)).build())?;
    let header =
        |name| response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let (retry_after, location) = (header("retry-after"), header("location"));
    let mut body = Vec::new();
    // The status has said what counts: an answer that breaks off is as good as a short one.
    let _ = response.body_mut().as_reader().take(BODY_LIMIT).read_to_end(&mut body);
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Reply { status: response.status().as_u16(), retry_after, location, body })
}
