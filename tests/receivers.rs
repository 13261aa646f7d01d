//! Receivers of webhooks on loopback: what Reflector, OptiLearn and the Standard Webhooks do with one, and what networks do.

mod apps;
mod faults;

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use notion_standin::http::{Reader, Received, Reply};
use serde_json::Value;

use apps::App;
pub use apps::{Session, hex_of};
pub use faults::Failure;
use faults::Random;
pub use notion_standin::Request;

/// A receiver at work. Dropping it closes its port and its connections.
#[derive(Debug)]
pub struct Receiver {
    shared: Arc<Mutex<State>>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

/// A request with what became of it.
#[derive(Clone, Debug)]
pub struct Got {
    /// As it came, byte for byte; [`Request::answered`] is what the client could see.
    pub request: Request,
    /// What the application made of it, where it was asked, whether or not the client heard of that.
    pub outcome: Option<u16>,
}

impl Got {
    /// Whether the application has it.
    pub fn taken(&self) -> bool {
        self.outcome.is_some_and(|status| (200..300).contains(&status))
    }

    /// The name of the message, which is the same for each time it is sent.
    #[track_caller]
    pub fn id(&self) -> String {
        self.header("webhook-id")
    }

    /// A header that must be there.
    #[track_caller]
    pub fn header(&self, name: &str) -> String {
        let value = self.request.header(name);
        value.unwrap_or_else(|| panic!("no {name} among {:?}", self.request.headers)).to_owned()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.request.raw_body.clone()).unwrap()
    }
}

#[derive(Debug)]
struct State {
    app: App,
    secret: Option<String>,
    log: Vec<Got>,
    connections: usize,
    under_way: usize,
    most_at_once: usize,
    failures: VecDeque<Failure>,
    always: Option<Failure>,
    random: Option<Random>,
    stop: bool,
    streams: Vec<TcpStream>,
}

impl Receiver {
    /// Reflector, which knows no room yet.
    pub fn reflector(secret: &str) -> Self {
        Self::start(App::Reflector { rooms: [].into() }, secret)
    }

    /// OptiLearn, which knows no session yet.
    pub fn optilearn(secret: &str) -> Self {
        Self::start(App::OptiLearn { sessions: [].into() }, secret)
    }

    /// A receiver of Standard Webhooks.
    pub fn standard(secret: &str) -> Self {
        Self::start(App::Standard, secret)
    }

    fn start(app: App, secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            app,
            secret: Some(secret.to_owned()),
            log: Vec::new(),
            connections: 0,
            under_way: 0,
            most_at_once: 0,
            failures: VecDeque::new(),
            always: None,
            random: None,
            stop: false,
            streams: Vec::new(),
        };
        let shared = Arc::new(Mutex::new(state));
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || accept(&listener, &shared))
        };
        Self { shared, address, accepting: Some(accepting) }
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its application listens: the whole URL.
    pub fn endpoint(&self) -> String {
        format!("{}{}", self.url(), lock(&self.shared).app.path())
    }

    /// Makes a meeting of this name known to Reflector.
    #[track_caller]
    pub fn know_room(&self, name: &str) {
        let App::Reflector { rooms } = &mut lock(&self.shared).app else { panic!("only Reflector knows rooms") };
        rooms.insert(name.to_owned());
    }

    /// Makes a session known to OptiLearn.
    #[track_caller]
    pub fn know_session(&self, id: &str, room: &str) {
        let App::OptiLearn { sessions } = &mut lock(&self.shared).app else { panic!("only OptiLearn has sessions") };
        sessions.insert(id.to_owned(), Session { room: room.to_owned(), ..Session::default() });
    }

    /// What OptiLearn knows of a session.
    pub fn session(&self, id: &str) -> Option<Session> {
        match &lock(&self.shared).app {
            App::OptiLearn { sessions } => sessions.get(id).cloned(),
            _ => None,
        }
    }

    /// Gives it another secret, or none.
    pub fn set_secret(&self, secret: Option<&str>) {
        lock(&self.shared).secret = secret.map(ToOwned::to_owned);
    }

    /// Has the next request fail that is not spoken for yet.
    pub fn fail(&self, failure: Failure) {
        lock(&self.shared).failures.push_back(failure);
    }

    /// Has each request fail, but for those spoken for.
    pub fn fail_always(&self, failure: Failure) {
        lock(&self.shared).always = Some(failure);
    }

    /// Has a share of the requests fail, in ways and at moments that follow from the seed.
    pub fn fail_at_random(&self, share: f64, seed: u64) {
        lock(&self.shared).random = Some(Random::new(share, seed));
    }

    /// Has no more requests fail.
    pub fn recover(&self) {
        let mut state = lock(&self.shared);
        state.failures.clear();
        (state.always, state.random) = (None, None);
    }

    /// Everything that came, in order.
    pub fn got(&self) -> Vec<Got> {
        lock(&self.shared).log.clone()
    }

    /// What came and was taken by the application.
    pub fn taken(&self) -> Vec<Got> {
        let mut log = self.got();
        log.retain(Got::taken);
        log
    }

    /// Forgets what came, and how much of it at once.
    pub fn forget(&self) {
        let mut state = lock(&self.shared);
        state.log.clear();
        (state.connections, state.most_at_once) = (0, 0);
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        lock(&self.shared).connections
    }

    /// How many requests were under way at once, at most: from the last byte of a request to the first of its answer, so that
    /// a client that sends one after the other counts as one.
    pub fn most_at_once(&self) -> usize {
        lock(&self.shared).most_at_once
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.stop = true;
        for stream in state.streams.drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// The state; a test that panicked while it held it has not made it wrong.
fn lock(shared: &Mutex<State>) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Mutex<State>>) {
    for stream in listener.incoming() {
        let mut state = lock(shared);
        if state.stop {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(watched) = stream.try_clone() else { continue };
        state.streams.retain(|stream| stream.peer_addr().is_ok());
        state.streams.push(watched);
        state.connections += 1;
        drop(state);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // The client's going is not our failure.
            let _ = serve(&stream, &shared);
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

fn serve(stream: &TcpStream, shared: &Mutex<State>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::new(stream.try_clone()?);
    loop {
        let request = match reader.receive()? {
            Received::Request(request) => *request,
            Received::TooLarge(_) | Received::Malformed => return send(stream, plain(400)),
            Received::Closed => return Ok(()),
        };
        let close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let (number, failure) = begin(shared, &request);
        let answer = answer(shared, number, &request, failure.as_ref());
        if failure == Some(Failure::Silence) {
            reader.wait_for_the_end();
        }
        if failure == Some(Failure::Endless) {
            let mut stream = stream;
            stream.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ")?;
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(500));
            }
        }
        if let Some(Failure::Garbage(bytes)) = failure {
            let mut stream = stream;
            stream.write_all(bytes)?;
        }
        end(shared, number, answer.as_ref().map(|reply| reply.status));
        let Some(mut reply) = answer else { return Ok(()) };
        if failure == Some(Failure::Truncated) {
            reply.body.extend([b' '; 64]);
            let half = reply.body.len() / 2;
            return (&*stream).write_all(&[&reply.head(), &reply.body[..half]].concat());
        }
        reply.close = close;
        send(stream, reply)?;
        if close {
            return Ok(());
        }
    }
}

/// Notes a request, and what is to become of it.
fn begin(shared: &Mutex<State>, request: &Request) -> (usize, Option<Failure>) {
    let mut state = lock(shared);
    state.log.push(Got { request: request.clone(), outcome: None });
    state.under_way += 1;
    state.most_at_once = state.most_at_once.max(state.under_way);
    let failure = state.failures.pop_front().or_else(|| state.always.clone());
    let failure = failure.or_else(|| state.random.as_mut().and_then(Random::next));
    (state.log.len() - 1, failure)
}

/// Notes what the client will see, before it can.
fn end(shared: &Mutex<State>, number: usize, status: Option<u16>) {
    let mut state = lock(shared);
    state.under_way -= 1;
    if let Some(got) = state.log.get_mut(number) {
        got.request.answered = status;
    }
}

fn answer(shared: &Mutex<State>, number: usize, request: &Request, failure: Option<&Failure>) -> Option<Reply> {
    let ask = || {
        let mut state = lock(shared);
        let State { app, secret, .. } = &mut *state;
        let (status, body) = app.answer(secret.as_deref(), request);
        if let Some(got) = state.log.get_mut(number) {
            got.outcome = Some(status);
        }
        reply(status, &body)
    };
    match failure {
        None | Some(Failure::Truncated) => Some(ask()),
        Some(Failure::Status(status)) => Some(plain(*status)),
        Some(Failure::Says(status, text)) => Some(Reply { body: text.clone().into_bytes(), ..plain(*status) }),
        Some(Failure::With(status, name, value)) => {
            Some(Reply { headers: vec![((*name).to_owned(), value.clone())], ..plain(*status) })
        }
        Some(Failure::Close | Failure::Silence | Failure::Endless | Failure::Garbage(_)) => None,
        Some(Failure::CloseAfter) => {
            ask();
            None
        }
        Some(Failure::Huge(length)) => Some(Reply { body: vec![b'x'; *length], ..ask() }),
        Some(Failure::Slow(wait)) => {
            std::thread::sleep(*wait);
            Some(ask())
        }
    }
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        content_type: "application/json".to_owned(),
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
        close: false,
    }
}

fn plain(status: u16) -> Reply {
    let content_type = "text/plain; charset=utf-8".to_owned();
    Reply { status, content_type, headers: Vec::new(), body: b"as the test wanted it".to_vec(), close: false }
}

fn send(mut stream: &TcpStream, reply: Reply) -> io::Result<()> {
    stream.write_all(&[reply.head(), reply.body].concat())
}

/// Posts a body with headers as they are given, and nothing else, as a client would that has no opinion of its own.
#[track_caller]
pub fn post(url: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    use std::io::Read as _;
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let length = body.len().to_string();
    let always = [("Host", host), ("Connection", "close"), ("Content-Length", &length)];
    let lines = always.iter().chain(headers).map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = format!("POST /{path} HTTP/1.1\r\n{}", lines.collect::<Vec<_>>().concat());
    stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, body.to_owned())
}
