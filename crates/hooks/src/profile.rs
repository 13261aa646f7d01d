//! The forms of messages: one table.

use rec_core::config::{Destination, HookProfile};
use rec_core::state::Moment;
use serde_json::{Map, Value, json};

use crate::event::{Event, timestamp};

/// What signs a message, as one header of it.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The header's name.
    pub header: &'static str,
    /// What stands before the signature.
    pub prefix: &'static str,
    /// How its bytes are written.
    pub encoding: Encoding,
    /// What is signed.
    pub content: Content,
}

/// How a signature's bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Lower case: some receivers compare texts.
    Hex,
    /// With padding.
    Base64,
}

/// What is signed, and with which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The body; the key is the secret's own bytes.
    Body,
    /// `id.timestamp.body`, the first two of which travel as headers; the key is what a secret `whsec_…` encodes.
    IdTimeBody,
}

/// The form of a profile's messages.
#[derive(Clone, Copy)]
pub struct Format {
    /// Whose it is.
    pub profile: HookProfile,
    /// The signature that its receivers look for.
    pub signature: Signature,
    /// Whether the headers of Standard Webhooks travel beside that one: a receiver that knows them can refuse replays.
    pub beside: bool,
    /// Whether it is told of recordings that failed.
    pub failures: bool,
    /// Makes the body.
    pub body: fn(&Event) -> Value,
}

/// The signature of Standard Webhooks.
pub const STANDARD: Signature =
    Signature { header: "webhook-signature", prefix: "v1,", encoding: Encoding::Base64, content: Content::IdTimeBody };

/// Every form there is.
pub const FORMATS: [Format; 3] = [
    Format {
        profile: HookProfile::Reflector,
        signature: Signature {
            header: "X-Jitsi-Signature",
            prefix: "",
            encoding: Encoding::Hex,
            content: Content::Body,
        },
        beside: true,
        failures: false,
        body: reflector,
    },
    Format {
        profile: HookProfile::Optilearn,
        signature: Signature {
            header: "X-Jibri-Signature",
            prefix: "sha256=",
            encoding: Encoding::Hex,
            content: Content::Body,
        },
        beside: true,
        failures: true,
        body: optilearn,
    },
    Format { profile: HookProfile::Standard, signature: STANDARD, beside: false, failures: true, body: standard },
];

/// The form of a profile's messages.
pub fn format(profile: HookProfile) -> &'static Format {
    let [first, ..] = &FORMATS;
    FORMATS.iter().find(|format| format.profile == profile).unwrap_or(first)
}

/// Whether a destination is told of a moment.
pub fn wants(to: &Destination, moment: Moment) -> bool {
    moment == to.on || (moment == Moment::Failed && format(to.profile).failures)
}

fn reflector(event: &Event) -> Value {
    let file = event.file.as_ref().map(|file| file.to_string_lossy()).unwrap_or_default();
    json!({
        "room_name": event.room_name,
        "recording_file": file,
        "recording_status": "completed",
        "timestamp": timestamp(event.at),
    })
}

fn optilearn(event: &Event) -> Value {
    let failed = event.moment == Moment::Failed;
    let mut body = Map::new();
    body.insert("event".into(), if failed { "recording_failed" } else { "recording_uploaded" }.into());
    body.insert("sessionId".into(), event.session_id.clone().into());
    body.insert("roomName".into(), event.room_name.clone().into());
    if !failed {
        insert(&mut body, "recordingUrl", event.url.clone());
        insert(&mut body, "duration", event.seconds);
    }
    body.into()
}

fn standard(event: &Event) -> Value {
    let mut data = Map::new();
    data.insert("room".into(), event.room_name.clone().into());
    data.insert("session_id".into(), event.session_id.clone().into());
    insert(&mut data, "file", event.file.as_ref().map(|file| file.to_string_lossy().into_owned()));
    insert(&mut data, "url", event.url.clone());
    insert(&mut data, "duration", event.seconds);
    insert(&mut data, "reason", event.reason.clone());
    json!({ "type": format!("recording.{}", event.moment), "timestamp": timestamp(event.at), "data": data })
}

fn insert(map: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(key.into(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn event(moment: Moment) -> Event {
        Event {
            moment,
            identity: [0; 32],
            room_name: "reflector-room-1".into(),
            session_id: "clx9".into(),
            file: Some("/rec/a \"b\"/m.mp4".into()),
            url: Some("https://rec.example.com/a/m.mp4".into()),
            seconds: Some(3600),
            reason: None,
            at: datetime!(2026-11-20 10:00:00.98765 +02:00),
        }
    }

    fn body(profile: HookProfile, event: &Event) -> String {
        (format(profile).body)(event).to_string()
    }

    #[test]
    fn every_profile_has_its_form() {
        for profile in HookProfile::ALL {
            assert_eq!(format(profile).profile, profile);
        }
    }

    #[test]
    fn reflector_gets_the_file() {
        assert_eq!(
            body(HookProfile::Reflector, &event(Moment::Recorded)),
            r#"{"room_name":"reflector-room-1","recording_file":"/rec/a \"b\"/m.mp4","recording_status":"completed","timestamp":"2026-11-20T08:00:00.987Z"}"#
        );
    }

    #[test]
    fn optilearn_gets_the_url_and_of_a_failure_neither_url_nor_length() {
        assert_eq!(
            body(HookProfile::Optilearn, &event(Moment::Published)),
            r#"{"event":"recording_uploaded","sessionId":"clx9","roomName":"reflector-room-1","recordingUrl":"https://rec.example.com/a/m.mp4","duration":3600}"#
        );
        assert_eq!(
            body(HookProfile::Optilearn, &Event { seconds: None, ..event(Moment::Recorded) }),
            r#"{"event":"recording_uploaded","sessionId":"clx9","roomName":"reflector-room-1","recordingUrl":"https://rec.example.com/a/m.mp4"}"#
        );
        assert_eq!(
            body(HookProfile::Optilearn, &event(Moment::Failed)),
            r#"{"event":"recording_failed","sessionId":"clx9","roomName":"reflector-room-1"}"#
        );
    }

    #[test]
    fn the_standard_body_has_what_is_known() {
        let failed = Event { url: None, seconds: None, reason: Some("it is cut".into()), ..event(Moment::Failed) };
        assert_eq!(
            body(HookProfile::Standard, &failed),
            r#"{"type":"recording.failed","timestamp":"2026-11-20T08:00:00.987Z","data":{"room":"reflector-room-1","session_id":"clx9","file":"/rec/a \"b\"/m.mp4","reason":"it is cut"}}"#
        );
        assert_eq!(
            body(HookProfile::Standard, &event(Moment::Published)),
            r#"{"type":"recording.published","timestamp":"2026-11-20T08:00:00.987Z","data":{"room":"reflector-room-1","session_id":"clx9","file":"/rec/a \"b\"/m.mp4","url":"https://rec.example.com/a/m.mp4","duration":3600}}"#
        );
    }

    #[test]
    fn a_destination_is_told_of_its_moment_and_of_failures_where_its_profile_has_them() {
        let to = |profile, on| Destination {
            name: "x".into(),
            profile,
            url: String::new(),
            secret: rec_core::config::SecretSource::None,
            on,
        };
        let told = |profile, on| Moment::ALL.map(|moment| wants(&to(profile, on), moment));
        assert_eq!(told(HookProfile::Reflector, Moment::Recorded), [true, false, false]);
        assert_eq!(told(HookProfile::Optilearn, Moment::Published), [false, true, true]);
        assert_eq!(told(HookProfile::Standard, Moment::Recorded), [true, false, true]);
    }
}
