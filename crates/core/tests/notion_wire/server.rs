//! The socket that misbehaves, and a client before it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rec_core::deadline::Deadline;
use rec_core::notion::{Change, Client, PageId, Provider, Row, Settings, Status};
use rec_core::secret::Secret;

pub(crate) const PAGE: &str = "38c9ce7b-60a4-8158-aa2a-d4923e46fb5b";
pub(crate) const TOKEN: &str = "ntn_not_to_be_seen";
pub(crate) const ROW: Row<'static> = Row {
    title: "Meeting daily-standup",
    date: "2026-01-02T10:00:00Z",
    url: "https://rec.example.org/daily-standup/meeting.mp4",
    room: "daily-standup",
    status: Status::Recorded,
    provider: Provider::Mp4,
    error: None,
};
pub(crate) const CHANGE: Change<'static> = Change {
    title: None,
    url: "https://rec.example.org/v0/master.m3u8",
    provider: Provider::Hls,
    status: Status::Published,
    error: None,
};

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answers with a status, further header lines, and a body.
    Say(u16, &'static str, String),
    /// Answers as `Say(200, …)` does, and closes the connection without having announced that.
    SayAndClose(String),
    /// Leaves the body, which there must be, unread and closes: the client's side is reset.
    Reset,
    /// Announces 500 bytes of body and closes after a few.
    Cut,
    /// Says nothing, and keeps the connection.
    Hang,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) connection: usize,
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Does `acts`, one a request, whichever connection it comes on; after the last it listens no more.
    pub(crate) fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            let mut acts = acts.into_iter().peekable();
            let mut kept = Vec::new();
            for connection in 0.. {
                if acts.peek().is_none() {
                    break;
                }
                let stream = listener.accept().unwrap().0;
                kept.extend(serve(stream, connection, &mut acts, &log));
            }
            drop(listener);
            // Silent connections stay open for as long as any test waits.
            thread::sleep(Duration::from_secs(60));
        });
        Self { url, seen }
    }

    pub(crate) fn client(&self, seconds: u64) -> Client {
        client(&self.url, None, seconds, &Arc::new(AtomicBool::new(false)))
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.line.clone()).collect()
    }

    pub(crate) fn nth(&self, n: usize) -> Seen {
        self.seen.lock().unwrap()[n].clone()
    }
}

/// Serves one connection until it ends or the acts do; gives it back if it is to stay open.
fn serve(
    stream: TcpStream,
    connection: usize,
    acts: &mut std::iter::Peekable<std::vec::IntoIter<Act>>,
    log: &Mutex<Vec<Seen>>,
) -> Option<TcpStream> {
    // Unbuffered, because what a buffer had read the kernel could no longer hold against a close.
    let mut reader = BufReader::with_capacity(1, stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return None;
            }
        }
        let act = acts.next()?;
        let mut seen =
            Seen { connection, line: head.lines().next().unwrap().to_owned(), head: head.clone(), body: String::new() };
        if matches!(act, Act::Reset) {
            // The body is on its way or here; closed with unread data, the kernel answers with RST.
            stream.peek(&mut [0]).unwrap();
            log.lock().unwrap().push(seen);
            return None;
        }
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        seen.body = String::from_utf8(body).unwrap();
        log.lock().unwrap().push(seen);
        match act {
            Act::Say(status, headers, body) => {
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}").ok();
            }
            Act::SayAndClose(body) => {
                write!(stream, "HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n{body}", body.len()).ok();
                return None;
            }
            Act::Cut => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{{\"object\":").ok();
                return None;
            }
            Act::Hang => return Some(stream),
            Act::Reset => unreachable!(),
        }
        acts.peek()?;
    }
}

pub(crate) fn client(url: &str, data_source_id: Option<&str>, seconds: u64, stop: &Arc<AtomicBool>) -> Client {
    let settings = Settings {
        token: Secret::new(TOKEN),
        database_id: "0f0e0d0c-0b0a-0908-0706-050403020100".into(),
        data_source_id: data_source_id.map(str::to_owned),
        api_url: url.to_owned(),
    };
    Client::new(settings, Deadline::after(Duration::from_secs(seconds), stop))
}

pub(crate) fn page_id() -> PageId {
    PageId::parse(PAGE).unwrap()
}

pub(crate) fn database(optional: &str) -> Act {
    Act::Say(200, "", columns("database", optional))
}

pub(crate) fn columns(object: &str, optional: &str) -> String {
    format!(
        r#"{{"object":"{object}","properties":{{"Name":{{"type":"title"}},"Date":{{"type":"date"}},"Recording URL":{{"type":"url"}}{optional}}}}}"#
    )
}

pub(crate) fn page() -> Act {
    Act::Say(
        200,
        "",
        format!(r#"{{"object":"page","id":"{PAGE}","created_time":"2026-01-02T10:00:00.000Z","archived":false}}"#),
    )
}

pub(crate) fn error(status: u16, headers: &'static str, message: &str) -> Act {
    Act::Say(
        status,
        headers,
        format!(r#"{{"object":"error","status":{status},"code":"x","message":"{message}","request_id":"r1"}}"#),
    )
}

pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

pub(crate) fn millis(from: u64, to: u64) -> std::ops::Range<Duration> {
    Duration::from_millis(from)..Duration::from_millis(to)
}

pub(crate) const ALL: &str = r#","Room":{"type":"rich_text"},"Status":{"type":"select"},"Provider":{"type":"select"}"#;

/// Raises the flag in half a second.
pub(crate) fn raise(stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::SeqCst);
    });
}
