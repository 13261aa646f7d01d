//! What each of the applications answers: who may say it, what it must look like, whom it is about, in the order in which the
//! application itself asks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use notion_standin::Request;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An application with what it knows.
#[derive(Debug)]
pub(super) enum App {
    /// Reflector, as its branch with Jitsi has it, with a framework that looks at the body first.
    Reflector {
        /// Names of its meetings' rooms. Case counts.
        rooms: BTreeSet<String>,
    },
    /// The endpoint that OptiLearn describes.
    OptiLearn {
        /// By their ids.
        sessions: BTreeMap<String, Session>,
    },
    /// Whatever speaks Standard Webhooks.
    Standard,
}

/// A session of OptiLearn's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The room that it is held in.
    pub room: String,
    /// READY or FAILED, once it was told.
    pub status: Option<&'static str>,
    /// Where its recording is.
    pub url: Option<String>,
    /// How often its people were told that there is one.
    pub told: usize,
}

/// Status and body of an answer.
pub(super) type Answer = (u16, Value);

impl App {
    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::Reflector { .. } => "/v1/jibri/recording-complete",
            Self::OptiLearn { .. } => "/api/webhooks/jitsi-recording",
            Self::Standard => "/hooks",
        }
    }

    /// What it answers, having done what it was told.
    pub(super) fn answer(&mut self, secret: Option<&str>, request: &Request) -> Answer {
        if request.path != self.path() {
            return (404, json!({ "detail": "Not Found" }));
        }
        if request.method != "POST" {
            return (405, json!({ "detail": "Method Not Allowed" }));
        }
        let answer = match self {
            Self::Reflector { rooms } => reflector(rooms, secret, request),
            Self::OptiLearn { sessions } => optilearn(sessions, secret, request),
            Self::Standard => standard(secret, request),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }
}

fn reflector(rooms: &BTreeSet<String>, secret: Option<&str>, request: &Request) -> Result<Answer, Answer> {
    let missing = |name: &str, kind: &str| {
        let message = if kind == "missing" { "Field required" } else { "Input should be valid" };
        (422, json!({ "detail": [{ "type": kind, "loc": ["body", name], "msg": message }] }))
    };
    // FastAPI takes a body of another type for bytes, in which there are no fields.
    let body = request.body.as_ref().filter(|_| is_json(request)).ok_or_else(|| missing("body", "model_attributes"))?;
    let text = |name: &str| match &body[name] {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Err(missing(name, "missing")),
        _ => Err(missing(name, "string_type")),
    };
    let (room, file) = (text("room_name")?, text("recording_file")?);
    text("recording_status")?;
    match &body["timestamp"] {
        Value::Number(_) => {}
        Value::String(text) if OffsetDateTime::parse(text, &Rfc3339).is_ok() => {}
        Value::Null => return Err(missing("timestamp", "missing")),
        _ => return Err(missing("timestamp", "datetime_from_date_parsing")),
    }
    let signature = request.header("x-jitsi-signature").unwrap_or_default();
    if secret.is_none_or(|secret| signature != hex_of(secret, &request.raw_body)) {
        return Err((401, json!({ "detail": "Invalid webhook signature" })));
    }
    if !rooms.contains(&room) {
        return Err((404, json!({ "detail": "Meeting not found" })));
    }
    let message = "Recording processing queued";
    Ok((200, json!({ "status": "ok", "room_name": room, "recording_file": file, "message": message })))
}

fn optilearn(
    sessions: &mut BTreeMap<String, Session>,
    secret: Option<&str>,
    request: &Request,
) -> Result<Answer, Answer> {
    let refused = |status: u16, why: &str| (status, json!({ "error": why }));
    let secret = secret.ok_or_else(|| refused(503, "Webhook secret not configured"))?;
    let given = request.header("x-jibri-signature").or_else(|| request.header("x-jitsi-signature"));
    let given = given.unwrap_or_default();
    if given.strip_prefix("sha256=").unwrap_or(given) != hex_of(secret, &request.raw_body) {
        return Err(refused(401, "Invalid signature"));
    }
    let body = request.body.as_ref().filter(|_| is_json(request)).ok_or_else(|| refused(400, "Invalid JSON"))?;
    let text = |name: &str| {
        let text = body[name].as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| refused(400, &format!("{name} is required")))
    };
    let (event, id, room) = (text("event")?, text("sessionId")?, text("roomName")?);
    let url = match event {
        "recording_uploaded" => Some(text("recordingUrl")?.to_owned()),
        "recording_failed" => None,
        _ => return Err(refused(400, "Unknown event")),
    };
    if !matches!(&body["duration"], Value::Null | Value::Number(_)) {
        return Err(refused(400, "duration must be a number"));
    }
    let Some(session) = sessions.get_mut(id) else {
        return Ok((200, json!({ "data": { "ok": true, "ignored": true } })));
    };
    if session.room != room {
        return Err(refused(400, "roomName does not match the session"));
    }
    match url {
        Some(url) if session.status != Some("READY") || session.url.as_ref() != Some(&url) => {
            session.told += 1;
            session.status = Some("READY");
            session.url = Some(url);
        }
        // Told twice, or of a failure that came late: a good recording stays.
        _ if session.status == Some("READY") => {}
        _ => session.status = Some("FAILED"),
    }
    Ok((200, json!({ "data": { "ok": true, "status": session.status } })))
}

/// As the specification of Standard Webhooks has it, with its five minutes.
fn standard(secret: Option<&str>, request: &Request) -> Result<Answer, Answer> {
    let refused = |why: &str| (401, json!({ "error": why }));
    let header = |name: &str| request.header(name).ok_or_else(|| refused(&format!("{name} is missing")));
    let (id, stamp, signatures) = (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
    let secret = secret.ok_or_else(|| refused("no secret"))?;
    let key = match secret.strip_prefix("whsec_") {
        Some(key) => BASE64_STANDARD.decode(key).map_err(|_| refused("the secret is no base64"))?,
        None => secret.as_bytes().to_vec(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    if stamp.parse().map_or(true, |then: u64| then.abs_diff(now) > 300) {
        return Err(refused("the message is too old, or too new"));
    }
    let signed = [id.as_bytes(), b".", stamp.as_bytes(), b".", &request.raw_body].concat();
    let wanted = format!("v1,{}", BASE64_STANDARD.encode(hmac(&key, &signed)));
    if !signatures.split(' ').any(|signature| signature == wanted) {
        return Err(refused("no signature matches"));
    }
    if request.body.is_none() || !is_json(request) {
        return Err((400, json!({ "error": "no JSON" })));
    }
    Ok((200, json!({ "ok": true })))
}

fn is_json(request: &Request) -> bool {
    let kind = request.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.strip_prefix("application/").is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

/// By another library than the one under test.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    ring::hmac::sign(&key, message).as_ref().to_vec()
}

/// HMAC-SHA256 in lower-case hexadecimal digits.
pub fn hex_of(secret: &str, message: &[u8]) -> String {
    hmac(secret.as_bytes(), message).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
