//! Each profile, from a recording to its receiver.

use std::fs;

use pipeline_tests::outbox::SECRET;
use pipeline_tests::receivers::{Failure, Receiver};
use pipeline_tests::{Bench, assert_published};
use serde_json::Value;

const METADATA: &str = r#"{"meeting_url":"https://meet.example.com/Maths-7b?jwt=hunter2-in-a-jwt#config.x=1","sessionId":"clx9","participants":[]}"#;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn reflector_gets_the_path_of_the_mp4_and_the_name_of_the_room() {
    let mut bench = Bench::new();
    let reflector = Receiver::reflector(SECRET);
    reflector.know_room("Maths-7b");
    let room = bench.finalized("yqbwkeuzvhktkunc");
    fs::write(room.join("metadata.json"), METADATA).unwrap();
    bench.tell("reflector", &reflector.url());
    bench.hook(["send".as_ref(), "reflector".as_ref(), room.as_os_str()]).exits(0);
    let taken = reflector.taken();
    let [got] = &taken[..] else { panic!("{:?}", reflector.got()) };
    let body = json(&got.text());
    assert_eq!((&body["room_name"], &body["recording_status"]), (&"Maths-7b".into(), &"completed".into()));
    assert_eq!(body["recording_file"], room.join("meeting.mp4").to_str().unwrap());
    let time = body["timestamp"].as_str().unwrap();
    assert!(time.len() == "2026-11-21T10:00:00.000Z".len() && time.ends_with('Z'), "{time}");
    assert_eq!(body.as_object().unwrap().len(), 4);
    assert_eq!(got.request.path, "/v1/jibri/recording-complete");
    assert_eq!(got.header("content-type"), "application/json");
    let signature = got.header("x-jitsi-signature");
    assert!(signature.len() == 64 && signature.bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{signature}");
    assert!(got.id().starts_with("msg_") && got.header("webhook-signature").starts_with("v1,"));
    assert!(bench.litter("reflector").is_empty(), "{:?}", bench.litter("reflector"));
}

#[test]
fn optilearn_is_told_the_url_of_a_published_recording_and_that_another_failed() {
    let mut bench = Bench::new();
    let optilearn = Receiver::optilearn(SECRET);
    optilearn.know_session("clx9", "Maths-7b");
    let room = bench.finalized("yqbwkeuzvhktkunc");
    fs::write(room.join("metadata.json"), METADATA).unwrap();
    bench.set("PUBLIC_URL_AUTH", "user:s3curePassw0rd@");
    bench.tell("optilearn", &optilearn.url());
    let send = |event: &str| {
        let words = ["send", "optilearn", room.to_str().unwrap(), "--event", event];
        bench.hook(words).exits(0);
        let got = optilearn.taken().pop().unwrap();
        assert_eq!(got.request.path, "/api/webhooks/jitsi-recording");
        assert!(got.header("x-jibri-signature").starts_with("sha256="));
        json(&got.text())
    };
    let body = send("failed");
    assert_eq!(body, json(r#"{"event":"recording_failed","sessionId":"clx9","roomName":"Maths-7b"}"#));
    assert_eq!(optilearn.session("clx9").unwrap().status, Some("FAILED"));
    let body = send("recorded");
    assert_eq!(body["recordingUrl"], "https://rec.example.com/yqbwkeuzvhktkunc/meeting.mp4");
    assert!(body["duration"].as_u64().is_some(), "{body}");
    bench.worker().exits(0);
    assert!(room.join("v0/master.m3u8").exists());
    let body = send("published");
    assert_eq!(body["recordingUrl"], "https://rec.example.com/yqbwkeuzvhktkunc/v0/master.m3u8");
    assert_eq!(body["event"], "recording_uploaded");
    let session = optilearn.session("clx9").unwrap();
    assert_eq!((session.status, session.url.as_deref()), (Some("READY"), body["recordingUrl"].as_str()));
}

#[test]
fn standard_webhooks_get_an_id_a_time_and_what_is_known() {
    let mut bench = Bench::new();
    let standard = Receiver::standard("whsec_aGV5IGhvLCBsZXQncyBnbywgYSBzZWNyZXQ=");
    let room = bench.finalized("daily-standup");
    bench.tell("standard", &standard.endpoint());
    bench.set("WEBHOOK_STANDARD_SECRET", "whsec_aGV5IGhvLCBsZXQncyBnbywgYSBzZWNyZXQ=");
    let words = ["send", "standard", room.to_str().unwrap(), "--event", "recorded"];
    bench.hook(words).exits(0);
    // Told again by hand it is another message.
    bench.hook(words).exits(0);
    let taken = standard.taken();
    assert_eq!(taken.len(), 2, "{:?}", standard.got());
    assert_ne!(taken[0].id(), taken[1].id());
    let body = json(&taken[0].text());
    assert_eq!(body["type"], "recording.recorded");
    assert_eq!(body["data"]["room"], "daily-standup");
    assert_eq!(body["data"]["url"], "https://rec.example.com/daily-standup/meeting.mp4");
    assert_eq!(taken[0].request.path, "/hooks");
}

#[test]
fn without_destinations_nothing_is_made_said_or_sent() {
    let mut bench = Bench::new();
    // As an admin has it who has read of it and not begun.
    bench.set("SPOOL_DIR", bench.spool().to_str().unwrap().to_owned());
    let room = bench.recorded("daily-standup");
    let said = [bench.finalize(&room).exits(0).stderr, bench.worker().exits(0).stderr].concat();
    assert!(!said.to_lowercase().contains("hook"), "{said}");
    assert_published(&room);
    assert!(!bench.spool().exists());
}

#[test]
fn a_reply_that_says_ignored_is_done_with_a_warning_that_names_room_and_session() {
    let mut bench = Bench::new();
    let optilearn = Receiver::optilearn(SECRET);
    let room = bench.finalized("yqbwkeuzvhktkunc");
    fs::write(room.join("metadata.json"), METADATA).unwrap();
    bench.tell("optilearn", &optilearn.url());
    let out = bench.hook(["send", "optilearn", room.to_str().unwrap(), "--event", "recorded"]).exits(0);
    let warning = out.messages().into_iter().find(|line| line.starts_with("WARNING: ")).unwrap_or_default();
    assert!(warning.contains("Maths-7b") && warning.contains("clx9"), "{out:?}");
    assert!(bench.litter("optilearn").is_empty());
    // Some say it above all else.
    optilearn.fail(Failure::Says(200, r#"{"ignored":true}"#.to_owned()));
    let out = bench.hook(["send", "optilearn", room.to_str().unwrap(), "--event", "failed"]).exits(0);
    assert!(out.stderr.contains("WARNING: webhook ignored to=optilearn"), "{}", out.stderr);
    // And of a recording that they know there is no warning.
    optilearn.know_session("clx9", "Maths-7b");
    let out = bench.hook(["send", "optilearn", room.to_str().unwrap(), "--event", "recorded"]).exits(0);
    assert!(!out.stderr.contains("WARNING"), "{}", out.stderr);
}

#[test]
fn a_trial_says_what_the_answer_means_and_leaves_nothing() {
    let mut bench = Bench::new();
    let reflector = Receiver::reflector(SECRET);
    reflector.know_room("Maths-7b");
    bench.tell("reflector", &reflector.url());
    let trial = |more: &[&str]| bench.hook([&["send", "reflector", "--test"], more].concat());
    trial(&["--room", "Maths-7b"]).exits(0);
    assert_eq!(reflector.taken().len(), 1);
    // The signature was right: only the room is unknown, as a made-up one must be.
    let unknown = trial(&[]);
    assert_ne!(unknown.code, Some(75), "a trial is not queued: {unknown:?}");
    let said = format!("{}{}", unknown.stdout, unknown.stderr);
    assert!(said.contains("404") && said.contains("room"), "{said}");
    reflector.set_secret(Some("another"));
    let refused = trial(&["--room", "Maths-7b"]);
    assert_ne!(refused.code, Some(0));
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("401") && said.to_lowercase().contains("secret"), "{said}");
    assert!(bench.litter("reflector").is_empty(), "{:?}", bench.litter("reflector"));
}
