//! Faults: what a test makes go wrong, and for which requests.

use std::time::Duration;

use crate::problem::Problem;
use crate::request::Request;

/// Something that goes wrong with the next requests that match. Takes one request of any kind unless told otherwise.
///
/// Faults queue up: a request meets the first one that matches it, and only that one.
#[derive(Clone, Debug)]
pub struct Fault {
    kind: Kind,
    left: Option<usize>,
    method: String,
    prefix: String,
    word: String,
}

/// What a fault does to a request.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Answer { problem: Problem, retry_after: Option<String> },
    Raw { status: u16, content_type: String, body: Vec<u8>, retry_after: Option<String> },
    Delay(Duration),
    Silent,
    SilentAfter,
    DropBefore,
    DropAfter,
    Truncate,
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self { kind, left: Some(1), method: String::new(), prefix: String::new(), word: String::new() }
    }

    /// Answers with Notion's error object for `status`; the request is not processed.
    pub fn answer(status: u16) -> Self {
        Self::new(Kind::Answer { problem: Problem::of_status(status), retry_after: None })
    }

    /// Answers with these bytes; the request is not processed. An empty content type leaves the header out.
    pub fn raw(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::Raw { status, content_type: content_type.to_owned(), body: body.into(), retry_after: None })
    }

    /// Waits, then processes and answers the request. The wait ends early when the stand-in goes.
    pub fn delayed(wait: Duration) -> Self {
        Self::new(Kind::Delay(wait))
    }

    /// Reads the request and never answers it, until the client goes; the request is not processed.
    pub fn silent() -> Self {
        Self::new(Kind::Silent)
    }

    /// Processes the request and never answers it, until the client goes.
    pub fn silent_after() -> Self {
        Self::new(Kind::SilentAfter)
    }

    /// Reads the request and closes the connection; the request is not processed.
    pub fn drop_before() -> Self {
        Self::new(Kind::DropBefore)
    }

    /// Processes the request and closes the connection without a reply.
    pub fn drop_after() -> Self {
        Self::new(Kind::DropAfter)
    }

    /// Processes the request, sends the head and half of the body, and closes the connection.
    pub fn truncated() -> Self {
        Self::new(Kind::Truncate)
    }

    /// Takes `n` matching requests instead of one.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.left = Some(n);
        self
    }

    /// Takes every matching request.
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.left = None;
        self
    }

    /// Takes only requests with this method and a path that starts so; an empty string stands for any.
    #[must_use]
    pub fn on(mut self, method: &str, path_prefix: &str) -> Self {
        method.clone_into(&mut self.method);
        path_prefix.clone_into(&mut self.prefix);
        self
    }

    /// Takes only requests in whose body this stands as a JSON string of its own: an option's name, a URL.
    #[must_use]
    pub fn saying(mut self, word: &str) -> Self {
        self.word = format!("\"{word}\"");
        self
    }

    /// Sends `Retry-After` with this value, seconds or an HTTP date. For [`Fault::answer`] and [`Fault::raw`].
    #[must_use]
    pub fn retry_after(mut self, value: &str) -> Self {
        if let Kind::Answer { retry_after, .. } | Kind::Raw { retry_after, .. } = &mut self.kind {
            *retry_after = Some(value.to_owned());
        }
        self
    }

    /// Another code than the status's usual one. For [`Fault::answer`].
    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        if let Kind::Answer { problem, .. } = &mut self.kind {
            code.clone_into(&mut problem.code);
        }
        self
    }

    /// Another message than the status's usual one. For [`Fault::answer`].
    #[must_use]
    pub fn message(mut self, message: &str) -> Self {
        if let Kind::Answer { problem, .. } = &mut self.kind {
            message.clone_into(&mut problem.message);
        }
        self
    }

    fn takes(&self, request: &Request) -> bool {
        self.left != Some(0)
            && (self.method.is_empty() || self.method == request.method)
            && request.path.starts_with(&self.prefix)
            && String::from_utf8_lossy(&request.raw_body).contains(&self.word)
    }
}

/// The fault that this request meets, its count lowered by one.
pub(crate) fn take(queue: &mut Vec<Fault>, request: &Request) -> Option<Kind> {
    let fault = queue.iter_mut().find(|fault| fault.takes(request))?;
    if let Some(left) = &mut fault.left {
        *left -= 1;
    }
    let kind = fault.kind.clone();
    queue.retain(|fault| fault.left != Some(0));
    Some(kind)
}
