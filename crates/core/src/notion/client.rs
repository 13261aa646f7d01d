//! The requests, in order, each repeated as `retry.rs` decides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use time::OffsetDateTime;
use ureq::http::Method;

use super::error::{Subject, beginning, quote, refusal};
use super::retry::{self, Circumstances, Effect, Outcome, Verdict};
use super::schema::Schema;
use super::wire::{Failure, Request, Wire};
use super::{Change, Error, Found, Kind, PageId, Row, Settings, payload};
use crate::deadline::Deadline;

/// A client of the one database that the recordings go to. Clones share its connection and what it knows of the database.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    deadline: Deadline,
}

struct Shared {
    settings: Settings,
    wire: Wire,
    /// The columns; or why there will be none before a person has mended something, which is asked for once.
    schema: Mutex<Option<Result<Schema, Error>>>,
    /// The last request used all its tries in vain: the next one gets a single try, so that a worker with 500 recordings does
    /// not wait 500 times for a Notion that is away.
    away: AtomicBool,
}

/// A request and what its failures mean.
pub(super) struct Call<'a> {
    pub(super) request: Request,
    pub(super) effect: Effect,
    pub(super) subject: Subject<'a>,
}

impl Client {
    /// A client whose requests end with `deadline`. Nothing is sent yet.
    pub fn new(settings: Settings, deadline: Deadline) -> Self {
        let wire = Wire::new(&settings);
        Self {
            shared: Arc::new(Shared { settings, wire, schema: Mutex::default(), away: AtomicBool::default() }),
            deadline,
        }
    }

    /// The same client with another deadline, for the next recording.
    #[must_use]
    pub fn with_deadline(&self, deadline: Deadline) -> Self {
        Self { shared: Arc::clone(&self.shared), deadline }
    }

    /// Reads the database's columns and checks them, unless that has been done. After this a create can only fail for reasons
    /// of its own: call it before the intent to create is written down.
    pub fn prepare(&self) -> Result<(), Error> {
        self.schema().map(drop)
    }

    /// What an admin should know of the database's columns, a line each; nothing before they are read.
    pub fn warnings(&self) -> Vec<String> {
        self.known_schema().iter().flatten().flat_map(|schema| schema.warnings.clone()).collect()
    }

    /// Creates a row: one `POST /v1/pages`, sent again only where it certainly did not happen.
    pub fn create(&self, row: &Row<'_>) -> Result<PageId, Error> {
        check_url(row.url)?;
        let parent = match &self.shared.settings.data_source_id {
            Some(id) => json!({"type": "data_source_id", "data_source_id": id}),
            None => json!({"database_id": self.shared.settings.database_id}),
        };
        let reply = self.with_schema(|schema| Call {
            request: request(Method::POST, "/v1/pages", Some(&payload::create(row, &parent, schema))),
            effect: Effect::Create,
            subject: self.database(),
        })?;
        page(&reply).map(|found| found.id).ok_or_else(|| strange(Kind::Unanswered, self.database(), "a page", &reply))
    }

    /// Sets a row's URL, Provider and Status: `PATCH /v1/pages/{id}`.
    pub fn update(&self, id: &PageId, change: &Change<'_>) -> Result<(), Error> {
        check_url(change.url)?;
        let reply = self
            .with_schema(|schema| Call {
                request: request(Method::PATCH, &page_path(id), Some(&payload::update(change, schema))),
                effect: Effect::Repeatable,
                subject: Subject::Page(id),
            })
            .map_err(|error| if error.drift { error.of_foreign_page(id) } else { self.of_the_page_alone(error) })?;
        this_page(id, &reply).map(drop)
    }

    /// Where the whole database is out of sight, its page is not gone: nothing works before it is shared again.
    fn of_the_page_alone(&self, error: Error) -> Error {
        if error.kind != Kind::Page {
            return error;
        }
        *self.known_schema() = None;
        self.prepare().err().unwrap_or(error)
    }

    /// The rows with one of these URLs that are not in the trash, the oldest first.
    ///
    /// Notion's index lags: a new row can be missing here for seconds to minutes.
    pub fn find_by_url(&self, urls: &[&str]) -> Result<Vec<Found>, Error> {
        let urls: Vec<_> = urls.iter().copied().filter(|url| check_url(url).is_ok()).collect();
        if urls.is_empty() {
            return Ok(Vec::new());
        }
        let path = format!("{}/query", self.database_path());
        let reply = self.send(&Call {
            request: request(Method::POST, &path, Some(&payload::query(&urls))),
            effect: Effect::Repeatable,
            subject: self.database(),
        })?;
        let rows = reply["results"].as_array().ok_or_else(|| strange(Kind::Away, self.database(), "a list", &reply))?;
        let mut found: Vec<_> = rows.iter().filter_map(page).filter(|found| !found.archived).collect();
        found.sort_by(|a, b| (&a.created_time, a.id.as_str()).cmp(&(&b.created_time, b.id.as_str())));
        Ok(found)
    }

    /// One page: `GET /v1/pages/{id}`. A page in the trash is found, with `archived` set.
    pub fn retrieve(&self, id: &PageId) -> Result<Found, Error> {
        let request = request(Method::GET, &page_path(id), None);
        let reply = self.send(&Call { request, effect: Effect::Repeatable, subject: Subject::Page(id) })?;
        this_page(id, &reply)
    }

    /// Sends what `build` makes of the columns. Somebody may have changed those since they were read: if the reply says so
    /// they are read again, once.
    fn with_schema<'a>(&self, build: impl Fn(&Schema) -> Call<'a>) -> Result<Value, Error> {
        match self.send(&build(&self.schema()?)) {
            Err(error) if error.drift => {
                *self.known_schema() = None;
                self.send(&build(&self.schema()?))
            }
            result => result,
        }
    }

    fn schema(&self) -> Result<Schema, Error> {
        // Held while they are read: others that need them at the same time have to wait, and need not ask too.
        let mut known = self.known_schema();
        if let Some(read) = known.as_ref() {
            return read.clone();
        }
        let read = self.read_schema();
        if !matches!(&read, Err(error) if error.kind != Kind::Config) {
            *known = Some(read.clone());
        }
        read
    }

    fn read_schema(&self) -> Result<Schema, Error> {
        let request = request(Method::GET, &self.database_path(), None);
        let reply = self.send(&Call { request, effect: Effect::Repeatable, subject: self.database() })?;
        Schema::read(&reply).ok_or_else(|| strange(Kind::Away, self.database(), "a database", &reply))?
    }

    fn known_schema(&self) -> MutexGuard<'_, Option<Result<Schema, Error>>> {
        self.shared.schema.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn database(&self) -> Subject<'_> {
        match &self.shared.settings.data_source_id {
            Some(id) => Subject::Database { key: "NOTION_DATA_SOURCE_ID", id },
            None => Subject::Database { key: "NOTION_DATABASE_ID", id: &self.shared.settings.database_id },
        }
    }

    pub(super) fn database_path(&self) -> String {
        match &self.shared.settings.data_source_id {
            Some(id) => format!("/v1/data_sources/{id}"),
            None => format!("/v1/databases/{}", self.shared.settings.database_id),
        }
    }

    /// Sends a request until it succeeds or `retry.rs` ends it. The result is the JSON of a 2xx reply.
    pub(super) fn send(&self, call: &Call<'_>) -> Result<Value, Error> {
        let tries = if self.shared.away.load(Ordering::Relaxed) { 1 } else { retry::TRIES };
        let mut attempt = 1;
        let result = loop {
            match self.one_try(call, attempt, tries).transpose() {
                Some(result) => break result,
                None => attempt += 1,
            }
        };
        self.shared.away.store(matches!(&result, Err(error) if error.kind == Kind::Away), Ordering::Relaxed);
        result
    }

    /// One try, and the pause before the next one, for which `Ok(None)` stands.
    fn one_try(&self, call: &Call<'_>, attempt: u32, tries: u32) -> Result<Option<Value>, Error> {
        if self.deadline.stopped() {
            return Err(Error::new(Kind::Stopped, "stopped before Notion was asked"));
        }
        if self.deadline.left() <= call.effect.needs() {
            return Err(Error::new(Kind::Away, "Notion was not asked: no time was left for an answer"));
        }
        let reply = self.shared.wire.attempt(&call.request, &self.deadline);
        let (outcome, happened) = match &reply {
            Ok(reply) => match (reply.status, &reply.body) {
                (200..=299, Ok(body)) => return understood(call, reply.status, body).map(Some),
                (200..=299, Err(why)) => (Outcome::NoReply, format!("Notion answered {}, but {why}", reply.status)),
                (status, body) => {
                    let body = body.as_deref().unwrap_or_default();
                    (
                        Outcome::Status(status, reply.retry_after.as_deref()),
                        format!("Notion answered {}", quote(status, body)),
                    )
                }
            },
            Err(Failure::Impossible(why)) => return Err(Error::new(Kind::Config, why)),
            Err(Failure::NotSent(why)) => (Outcome::NotSent, why.clone()),
            Err(Failure::NoReply(why)) => (Outcome::NoReply, why.clone()),
        };
        let left = self.deadline.left();
        let now = OffsetDateTime::now_utc();
        let circumstances = Circumstances { attempt, tries, left, now, jitter: fastrand::f64() };
        match (retry::decide(call.effect, outcome, &circumstances), reply) {
            (Verdict::Retry(pause), _) if self.deadline.sleep(pause) => Ok(None),
            (Verdict::Refused, Ok(reply)) => {
                Err(refusal(call.subject, reply.status, reply.body.as_deref().unwrap_or_default()))
            }
            (Verdict::GiveUp(kind, why), _) if kind != Kind::Away || !self.deadline.stopped() => {
                Err(gave_up(kind, call.subject, &happened, &why))
            }
            _ => Err(Error::new(Kind::Stopped, &format!("stopped; {happened}"))),
        }
    }
}

fn gave_up(kind: Kind, subject: Subject<'_>, happened: &str, why: &str) -> Error {
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    let what_now = match (kind, subject) {
        (Kind::Unanswered | Kind::Failed5xx, Subject::Parent(_)) => {
            "; the database may exist: look at the page in Notion before you run this again"
        }
        (Kind::Unanswered | Kind::Failed5xx, _) => "; the row may exist: it is looked for before another is created",
        _ => "; try again later",
    };
    Error::new(kind, &format!("{happened}{why}{what_now}"))
}

pub(super) fn request(method: Method, path: &str, body: Option<&Value>) -> Request {
    Request { method, path: path.to_owned(), body: body.map(Value::to_string) }
}

fn page_path(id: &PageId) -> String {
    format!("/v1/pages/{id}")
}

fn check_url(url: &str) -> Result<(), Error> {
    payload::url_problem(url).map_or(Ok(()), |problem| Err(Error::new(Kind::Rejected, &problem)))
}

/// The JSON of a reply that says that all went well.
fn understood(call: &Call<'_>, status: u16, body: &str) -> Result<Value, Error> {
    serde_json::from_str(body).map_err(|_| {
        let kind = if call.effect == Effect::Create { Kind::Unanswered } else { Kind::Away };
        gave_up(kind, call.subject, &format!("Notion answered {}", quote(status, body)), "")
    })
}

pub(super) fn strange(kind: Kind, subject: Subject<'_>, wanted: &str, reply: &Value) -> Error {
    let reply = beginning(&reply.to_string());
    gave_up(kind, subject, &format!("Notion answered 200 with something that is not {wanted}: {reply}"), "")
}

pub(super) fn page(reply: &Value) -> Option<Found> {
    let id = reply["id"].as_str().filter(|_| reply["object"] == "page").and_then(PageId::parse)?;
    let archived = reply["archived"] == true || reply["in_trash"] == true;
    Some(Found { id, created_time: reply["created_time"].as_str().unwrap_or_default().to_owned(), archived })
}

fn this_page(id: &PageId, reply: &Value) -> Result<Found, Error> {
    page(reply)
        .filter(|found| found.id.same_page(id))
        .ok_or_else(|| strange(Kind::Away, Subject::Page(id), "this page", reply))
}
