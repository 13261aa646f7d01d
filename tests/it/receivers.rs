//! The receivers that the tests of webhooks stand on: they refuse what the real ones refuse, in their order.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pipeline_tests::receivers::{Failure, Receiver, Session, hex_of, post};

const SECRET: &str = "s3cret of the meeting";
const REFLECTOR: &str = r#"{"room_name":"Room-1","recording_file":"/r/a.mp4","recording_status":"completed","timestamp":"2026-11-21T10:00:00.000Z"}"#;
const OPTILEARN: &str =
    r#"{"event":"recording_uploaded","sessionId":"s1","roomName":"Room-1","recordingUrl":"https://rec.example.com/a"}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn reflector_takes_a_plain_lower_case_signature_of_exactly_these_bytes() {
    let reflector = Receiver::reflector(SECRET);
    reflector.know_room("Room-1");
    let hex = hex_of(SECRET, REFLECTOR.as_bytes());
    let with = |name: &str, value: &str| post(&reflector.endpoint(), &[JSON, (name, value)], REFLECTOR.as_bytes());
    let (status, body) = with("X-Jitsi-Signature", &hex);
    assert_eq!(status, 200);
    assert_eq!(
        body,
        r#"{"status":"ok","room_name":"Room-1","recording_file":"/r/a.mp4","message":"Recording processing queued"}"#
    );
    for (name, value) in [
        ("X-Jitsi-Signature", hex.to_uppercase()),
        ("X-Jitsi-Signature", format!("sha256={hex}")),
        ("X-Jitsi-Signature", hex_of("another", REFLECTOR.as_bytes())),
        ("X-Jitsi-Signature", hex_of(SECRET, format!("{REFLECTOR}\n").as_bytes())),
        ("X-Jibri-Signature", hex.clone()),
        ("X-Jitsi-Signature", String::new()),
    ] {
        assert_eq!(
            with(name, &value),
            (401, r#"{"detail":"Invalid webhook signature"}"#.to_owned()),
            "{name}: {value}"
        );
    }
    assert_eq!(reflector.taken().len(), 1);
    assert_eq!(reflector.got().len(), 7);
    reflector.set_secret(None);
    assert_eq!(with("X-Jitsi-Signature", &hex).0, 401, "without a secret of its own it takes nothing");
}

#[test]
fn reflector_asks_for_the_shape_then_for_the_signature_then_for_the_room() {
    let reflector = Receiver::reflector(SECRET);
    reflector.know_room("room-1");
    let signed = |body: &str, kind: &[(&str, &str)]| {
        let hex = hex_of(SECRET, body.as_bytes());
        post(&reflector.endpoint(), &[kind, &[("X-Jitsi-Signature", &hex)]].concat(), body.as_bytes()).0
    };
    let unsigned = |body: &str| post(&reflector.endpoint(), &[JSON], body.as_bytes()).0;
    let known = REFLECTOR.replace("Room-1", "room-1");
    assert_eq!(signed(&known, &[JSON]), 200);
    assert_eq!(signed(&known, &[("Content-Type", "application/json; charset=utf-8")]), 200);
    // The shape, whoever asks.
    assert_eq!((signed(&known, &[]), signed(&known, &[("Content-Type", "application/octet-stream")])), (422, 422));
    for (what, with) in [
        (r#""room_name":"room-1","#, ""),
        (r#""recording_status":"completed","#, ""),
        (r#""recording_file":"/r/a.mp4""#, r#""recording_file":7"#),
        ("2026-11-21T10:00:00.000Z", "this morning"),
        ("}", ""),
    ] {
        let wrong = known.replace(what, with);
        assert_ne!(wrong, known);
        assert_eq!((signed(&wrong, &[JSON]), unsigned(&wrong)), (422, 422), "{wrong}");
    }
    // The signature, whatever room it is.
    assert_eq!((unsigned(&known), unsigned(REFLECTOR)), (401, 401));
    // The room, with its capitals.
    assert_eq!(signed(REFLECTOR, &[JSON]), 404);
    assert_eq!(reflector.taken().len(), 2);
    // Elsewhere, and asked otherwise.
    assert_eq!(post(&format!("{}/v1/jitsi", reflector.url()), &[JSON], b"{}").0, 404);
}

#[test]
fn optilearn_asks_for_the_signature_before_anything_else_and_says_200_to_sessions_it_does_not_know() {
    let optilearn = Receiver::optilearn(SECRET);
    optilearn.know_session("s1", "Room-1");
    let ask = |body: &str, header: &str, prefix: &str| {
        let signature = format!("{prefix}{}", hex_of(SECRET, body.as_bytes()));
        post(&optilearn.endpoint(), &[JSON, (header, &signature)], body.as_bytes())
    };
    let ready = (200, r#"{"data":{"ok":true,"status":"READY"}}"#.to_owned());
    for (header, prefix) in
        [("X-Jibri-Signature", ""), ("X-Jibri-Signature", "sha256="), ("X-Jitsi-Signature", "sha256=")]
    {
        assert_eq!(ask(OPTILEARN, header, prefix), ready, "{header}: {prefix}");
    }
    assert_eq!(ask(OPTILEARN, "X-Jibri-Signature", "sha1=").0, 401);
    assert_eq!(post(&optilearn.endpoint(), &[JSON], b"no JSON").0, 401);
    for (what, with, status) in [
        ("recording_uploaded", "recording_started", 400),
        (r#","recordingUrl":"https://rec.example.com/a""#, "", 400),
        ("Room-1", "room-1", 400),
        (r#""sessionId":"s1","#, "", 400),
        ("}", r#","duration":"12"}"#, 400),
        ("}", r#","duration":12}"#, 200),
        ("s1", "s2", 200),
    ] {
        let body = OPTILEARN.replace(what, with);
        assert_eq!(ask(&body, "X-Jibri-Signature", "sha256=").0, status, "{body}");
    }
    let ignored = ask(&OPTILEARN.replace("s1", "s2"), "X-Jibri-Signature", "");
    assert_eq!(ignored.1, r#"{"data":{"ok":true,"ignored":true}}"#);
    optilearn.set_secret(None);
    assert_eq!(ask(OPTILEARN, "X-Jibri-Signature", "").0, 503);
}

#[test]
fn optilearn_tells_its_people_once_and_does_not_let_a_late_failure_hide_a_good_recording() {
    let optilearn = Receiver::optilearn(SECRET);
    optilearn.know_session("s1", "Room-1");
    let tell = |body: &str| {
        let hex = hex_of(SECRET, body.as_bytes());
        assert_eq!(post(&optilearn.endpoint(), &[JSON, ("X-Jibri-Signature", &hex)], body.as_bytes()).0, 200);
        let Session { status, told, .. } = optilearn.session("s1").unwrap();
        (status, told)
    };
    let failed = r#"{"event":"recording_failed","sessionId":"s1","roomName":"Room-1"}"#;
    assert_eq!(tell(failed), (Some("FAILED"), 0));
    assert_eq!(tell(OPTILEARN), (Some("READY"), 1));
    assert_eq!(tell(OPTILEARN), (Some("READY"), 1));
    assert_eq!(tell(failed), (Some("READY"), 1));
    assert_eq!(tell(&OPTILEARN.replace("com/a", "com/b")), (Some("READY"), 2));
}

#[test]
fn the_standard_receiver_wants_the_key_the_id_and_the_time_to_be_right() {
    let key = BASE64_STANDARD.encode("thirty-two bytes of a good secret");
    let standard = Receiver::standard(&format!("whsec_{key}"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let sign = |secret: &str, id: &str, at: u64| {
        let hex = hex_of(secret, format!("{id}.{at}.{{}}").as_bytes());
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        format!("v1,{}", BASE64_STANDARD.encode(bytes))
    };
    let ask = |at: u64, signature: &str| {
        let at = at.to_string();
        let headers = [JSON, ("webhook-id", "msg_1"), ("webhook-timestamp", &at), ("webhook-signature", signature)];
        post(&standard.endpoint(), &headers, b"{}").0
    };
    let secret = "thirty-two bytes of a good secret";
    assert_eq!(ask(now, &sign(secret, "msg_1", now)), 200);
    assert_eq!(ask(now, &format!("v1,AAAA {}", sign(secret, "msg_1", now))), 200);
    assert_eq!(ask(now, &sign(secret, "msg_2", now)), 401);
    assert_eq!(ask(now + 1, &sign(secret, "msg_1", now)), 401);
    assert_eq!(ask(now - 400, &sign(secret, "msg_1", now - 400)), 401);
    assert_eq!(ask(now, &sign("another", "msg_1", now)), 401);
    assert_eq!(post(&standard.endpoint(), &[JSON], b"{}").0, 401);
}

#[test]
fn a_receiver_fails_as_it_is_told_and_knows_what_it_took_nevertheless() {
    let reflector = Receiver::reflector(SECRET);
    reflector.know_room("Room-1");
    let hex = hex_of(SECRET, REFLECTOR.as_bytes());
    let ask = || post(&reflector.endpoint(), &[JSON, ("X-Jitsi-Signature", &hex)], REFLECTOR.as_bytes());
    reflector.fail_always(Failure::Status(500));
    for (failure, status, taken) in [
        (Failure::Status(410), 410, 0),
        (Failure::With(503, "Retry-After", "7".into()), 503, 0),
        (Failure::Close, 0, 0),
        (Failure::CloseAfter, 0, 1),
        (Failure::Truncated, 200, 1),
        (Failure::Huge(300_000), 200, 1),
        (Failure::Says(200, "{}".into()), 200, 0),
    ] {
        let before = reflector.taken().len();
        reflector.fail(failure.clone());
        let (got, body) = ask();
        assert_eq!((got, reflector.taken().len() - before), (status, taken), "{failure:?}");
        assert!(body.len() >= 300_000 || failure != Failure::Huge(300_000));
        assert_eq!(reflector.got().last().unwrap().request.answered, Some(status).filter(|status| *status != 0));
    }
    assert_eq!(ask().0, 500, "what is always so comes after what was asked for once");
    reflector.recover();
    assert_eq!(ask().0, 200);
    assert_eq!(reflector.got().last().unwrap().request.raw_body, REFLECTOR.as_bytes());
    assert_eq!(reflector.got().last().unwrap().header("x-jitsi-signature"), hex);
    assert_eq!((reflector.connections(), reflector.most_at_once()), (9, 1));
    reflector.fail_always(Failure::Slow(Duration::from_millis(300)));
    std::thread::scope(|scope| {
        let both = [scope.spawn(ask), scope.spawn(ask)];
        assert!(both.into_iter().all(|one| one.join().unwrap().0 == 200));
    });
    assert_eq!(reflector.most_at_once(), 2, "two clients at once are seen");
}

#[test]
fn the_same_seed_has_the_same_requests_fail_and_the_share_is_what_was_asked_for() {
    let outcomes = |seed: u64| {
        let reflector = Receiver::reflector(SECRET);
        reflector.fail_at_random(0.5, seed);
        let ask = |_| post(&reflector.endpoint(), &[], b"").0;
        (0..200).map(ask).collect::<Vec<_>>()
    };
    let once = outcomes(7);
    assert_eq!(once, outcomes(7));
    assert_ne!(once, outcomes(8));
    // Without a failure it says 422, and where it fails after having answered, nothing or 422 too.
    let failed = once.iter().filter(|status| **status != 422).count();
    assert!((50..=120).contains(&failed), "{failed}");
}
