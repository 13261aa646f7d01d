//! What webhooks are told when Jibri has recorded something and cron has published it, whatever stands in the way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_tests::media::{self, Clip};
use pipeline_tests::processes::{can_trace, disturbed_ffmpeg, killed_before, path_with};
use pipeline_tests::receivers::{Failure, Receiver};
use pipeline_tests::{Bench, Fault, files_below, run, scripts};
use serde_json::{Value, json};

const SECRET: &str = "hunter2 of the receiver";

/// A bench that tells one receiver, under the name of its profile.
fn telling(name: &str, receiver: &Receiver) -> Bench {
    let mut bench = Bench::new();
    let key = |ending: &str| format!("WEBHOOK_{}_{ending}", name.to_ascii_uppercase());
    bench.set("WEBHOOKS", name);
    bench.set("SPOOL_DIR", spool(&bench).to_str().unwrap().to_owned());
    bench.set(&key("URL"), receiver.url());
    bench.set(&key("SECRET"), SECRET);
    bench
}

fn spool(bench: &Bench) -> PathBuf {
    bench.dir().join("spool")
}

/// The events that wait.
fn waiting(bench: &Bench) -> Vec<PathBuf> {
    files_below(&spool(bench)).into_iter().filter(|path| path.extension().is_some_and(|end| end == "event")).collect()
}

/// What a receiver has taken.
fn taken(receiver: &Receiver) -> Vec<Value> {
    receiver.taken().iter().map(|got| serde_json::from_str(&got.text()).unwrap()).collect()
}

/// Lets what failed be tried again at once.
fn make_due(bench: &Bench) {
    for path in files_below(&spool(bench)) {
        if path.extension().is_some_and(|end| end == "try") {
            fs::remove_file(path).unwrap();
        }
    }
}

/// A recording of a session that OptiLearn has begun.
fn lesson(bench: &Bench, receiver: &Receiver) -> PathBuf {
    let room = bench.recorded("abcdefgh");
    let metadata =
        r#"{"meeting_url":"https://meet.example.org/Algebra?jwt=hunter3","participants":[],"sessionId":"clx1"}"#;
    fs::write(room.join("metadata.json"), metadata).unwrap();
    receiver.know_session("clx1", "Algebra");
    room
}

/// Whether the HLS stands for the MP4.
fn is_published(room: &Path) -> bool {
    room.join("v0/master.m3u8").exists() && !room.join("meeting.mp4").exists()
}

#[test]
fn reflector_is_told_by_finalize() {
    let receiver = Receiver::reflector(SECRET);
    receiver.know_room("standup");
    let bench = telling("reflector", &receiver);
    let room = bench.recorded("standup");
    let out = bench.finalize(&room).exits(0);
    let told = taken(&receiver);
    let file = room.join("meeting.mp4");
    assert_eq!(told.len(), 1, "{}", out.stderr);
    assert_eq!(told[0]["recording_file"], file.to_str().unwrap());
    assert_eq!((&told[0]["room_name"], &told[0]["recording_status"]), (&json!("standup"), &json!("completed")));
    assert!(waiting(&bench).is_empty());
    // Neither another finalize nor the worker tells it again.
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert!(is_published(&room));
    assert_eq!(receiver.got().len(), 1);
}

#[test]
fn optilearn_is_told_by_the_worker_of_the_link_that_students_can_open() {
    let receiver = Receiver::optilearn(SECRET);
    let mut bench = telling("optilearn", &receiver);
    bench.set("PUBLIC_URL_AUTH", "student:hunter4@");
    let room = lesson(&bench, &receiver);
    bench.finalize(&room).exits(0);
    assert!(receiver.got().is_empty(), "the MP4 is no link to give to students");
    bench.worker().exits(0);
    let link = "https://rec.example.com/abcdefgh/v0/master.m3u8";
    let wanted = json!({"event": "recording_uploaded", "sessionId": "clx1", "roomName": "Algebra", "recordingUrl": link, "duration": 8});
    assert_eq!(taken(&receiver), [wanted]);
    assert!(is_published(&room));
    bench.worker().exits(0);
    run(bench.command("jitsi-hls-worker").arg(&room)).exits(0);
    assert_eq!(receiver.got().len(), 1);
}

#[test]
fn a_receiver_that_is_down_costs_nothing_and_is_told_by_a_later_run() {
    let receiver = Receiver::reflector(SECRET);
    receiver.know_room("standup");
    receiver.fail_always(Failure::Status(500));
    let bench = telling("reflector", &receiver);
    let room = bench.recorded("standup");
    let out = bench.finalize(&room).exits(0);
    assert!(out.stderr.contains("Later webhook to=reflector"), "{}", out.stderr);
    assert_eq!((receiver.got().len(), waiting(&bench).len()), (1, 1), "once, and not again");
    receiver.recover();
    make_due(&bench);
    // It is told though the MP4 cannot be encoded.
    let broken = path_with(&bench, &["ffmpeg"], "#!/bin/sh\nexit 1\n");
    run(bench.command("jitsi-hls-worker").env("PATH", broken)).exits(1);
    assert_eq!((taken(&receiver).len(), waiting(&bench).len()), (1, 0));
    let ids: Vec<_> = receiver.got().iter().map(pipeline_tests::receivers::Got::id).collect();
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn silence_on_all_sides_holds_jibri_for_less_than_30_s_and_loses_nothing() {
    let receiver = Receiver::reflector(SECRET);
    receiver.know_room("standup");
    receiver.fail(Failure::Silence);
    let bench = telling("reflector", &receiver);
    bench.notion.fail(Fault::silent().forever());
    let room = bench.recorded("standup");
    let out = bench.finalize(&room).exits(75);
    assert!(out.took < Duration::from_secs(30), "{:?}", out.took);
    assert_eq!((receiver.got().len(), waiting(&bench).len()), (1, 1));
    bench.notion.clear_faults();
    make_due(&bench);
    bench.worker();
    assert_eq!((taken(&receiver).len(), waiting(&bench).len()), (1, 0));
}

#[test]
fn webhooks_do_not_wait_for_notion() {
    let receiver = Receiver::optilearn(SECRET);
    let bench = telling("optilearn", &receiver);
    let room = lesson(&bench, &receiver);
    bench.finalize(&room).exits(0);
    bench.notion.fail(Fault::answer(503).on("PATCH", "/v1/pages").forever());
    bench.worker().exits(75);
    assert_eq!(taken(&receiver).len(), 1, "its HLS is in place, and can be opened");
    bench.notion.clear_faults();
    bench.worker().exits(0);
    assert!(is_published(&room));
    assert_eq!(receiver.got().len(), 1);
}

#[test]
fn a_recording_that_is_given_up_has_failed_and_one_that_is_mended_has_not() {
    let receiver = Receiver::optilearn(SECRET);
    let bench = telling("optilearn", &receiver);
    let room = lesson(&bench, &receiver);
    bench.finalize(&room).exits(0);
    let broken = disturbed_ffmpeg(&bench, "exit 1");
    for run_of_three in 1..=3 {
        assert!(receiver.got().is_empty(), "run {run_of_three}: it is tried again");
        run(bench.command("jitsi-hls-worker").env("PATH", &broken)).exits(1);
    }
    let failed = json!({"event": "recording_failed", "sessionId": "clx1", "roomName": "Algebra"});
    assert_eq!(taken(&receiver), [failed]);
    run(bench.command("jitsi-hls-worker").env("PATH", &broken)).exits(0);
    assert_eq!(receiver.got().len(), 1, "left alone, and not told again");
    run(bench.command("jitsi-hls-worker").arg(&room)).exits(0);
    assert!(is_published(&room));
    assert_eq!(taken(&receiver)[1]["event"], "recording_uploaded");
    assert_eq!(receiver.session("clx1").unwrap().status, Some("READY"));
}

#[test]
fn a_recording_that_cannot_be_played_has_failed_when_jibri_ends() {
    let receiver = Receiver::optilearn(SECRET);
    let bench = telling("optilearn", &receiver);
    let room = lesson(&bench, &receiver);
    media::cut(&room.join("meeting.mp4"), 0.01);
    bench.finalize(&room).exits(1);
    assert_eq!(taken(&receiver)[0]["event"], "recording_failed");
    bench.worker();
    assert_eq!(receiver.got().len(), 1);
}

#[test]
fn what_the_spool_cannot_take_is_told_once_it_can() {
    let receiver = Receiver::reflector(SECRET);
    receiver.know_room("standup");
    let bench = telling("reflector", &receiver);
    let room = bench.recorded("standup");
    fs::write(spool(&bench), "not a directory").unwrap();
    let out = bench.finalize(&room).exits(0);
    let spool = spool(&bench);
    assert!(out.stderr.contains(spool.to_str().unwrap()) && out.stderr.contains("webhooks wait"), "{}", out.stderr);
    bench.worker();
    assert!(is_published(&room));
    assert!(receiver.got().is_empty());
    fs::remove_file(&spool).unwrap();
    bench.worker().exits(0);
    assert_eq!(taken(&receiver).len(), 1);
    bench.worker().exits(0);
    assert_eq!(receiver.got().len(), 1);
}

#[test]
fn a_receiver_whose_outbox_is_broken_keeps_no_other_from_being_told() {
    let receiver = Receiver::standard(SECRET);
    let mut bench = telling("standard", &receiver);
    bench.set("WEBHOOKS", "broken standard");
    for (key, value) in [("STANDARD_URL", receiver.endpoint()), ("BROKEN_URL", receiver.endpoint())] {
        bench.set(&format!("WEBHOOK_{key}"), value);
    }
    bench.set("WEBHOOK_BROKEN_PROFILE", "standard");
    bench.set("WEBHOOK_BROKEN_ON", "recorded");
    bench.set("WEBHOOK_STANDARD_ON", "recorded");
    fs::create_dir(spool(&bench)).unwrap();
    fs::write(spool(&bench).join("broken"), "not a directory").unwrap();
    let room = bench.recorded("standup");
    let out = bench.finalize(&room).exits(0);
    assert!(out.stderr.contains("to=broken"), "{}", out.stderr);
    assert_eq!(taken(&receiver).len(), 1, "{}", out.stderr);
}

#[test]
fn a_webhook_that_is_configured_later_is_not_told_of_all_that_was_before() {
    let receiver = Receiver::optilearn(SECRET);
    let mut bench = telling("optilearn", &receiver);
    bench.unset("WEBHOOKS");
    let room = lesson(&bench, &receiver);
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert!(is_published(&room));
    assert!(!spool(&bench).exists(), "nothing is touched where no webhooks are");
    bench.set("WEBHOOKS", "optilearn");
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    run(bench.command("jitsi-hls-worker").arg(&room)).exits(0);
    assert!(receiver.got().is_empty());
}

#[test]
fn what_the_scripts_have_published_is_no_news_and_what_they_have_only_finalized_is() {
    let receiver = Receiver::standard(SECRET);
    let mut bench = telling("standard", &receiver);
    bench.set("WEBHOOK_STANDARD_URL", receiver.endpoint());
    let old = bench.rendered_by_the_script("old");
    scripts::publish(&bench, &old);
    let half = bench.finalized_by_the_script("half");
    bench.worker().exits(0);
    assert!(is_published(&old) && is_published(&half));
    let told: Vec<_> = taken(&receiver).into_iter().map(|event| event["data"]["url"].clone()).collect();
    assert_eq!(told, ["https://rec.example.com/half/v0/master.m3u8"]);
}

#[test]
fn a_webhook_that_is_taken_out_again_is_not_told_and_that_is_said() {
    let receiver = Receiver::reflector(SECRET);
    let mut bench = telling("reflector", &receiver);
    let room = bench.recorded("standup");
    fs::write(spool(&bench), "not a directory").unwrap();
    bench.finalize(&room).exits(0);
    bench.unset("WEBHOOKS");
    let out = bench.worker().exits(0);
    assert!(out.stderr.contains("reflector is not told that it is recorded"), "{}", out.stderr);
    assert!(receiver.got().is_empty() && !bench.worker().stderr.contains("is not told"));
}

#[test]
fn a_dry_run_tells_nobody() {
    let receiver = Receiver::reflector(SECRET);
    receiver.know_room("standup");
    let bench = telling("reflector", &receiver);
    let room = bench.recorded("standup");
    run(bench.command("jitsi-finalize").arg("-n").arg(&room)).exits(0);
    run(bench.command("jitsi-hls-worker").arg("-n")).exits(0);
    assert!(receiver.got().is_empty() && !spool(&bench).exists());
}

#[test]
fn no_secret_is_in_any_file_but_the_env_file() {
    let receiver = Receiver::optilearn(SECRET);
    receiver.fail_always(Failure::Says(500, format!("your secret is {SECRET}")));
    let mut bench = telling("optilearn", &receiver);
    bench.set("PUBLIC_URL_AUTH", "student:hunter4@");
    let room = lesson(&bench, &receiver);
    let mut said = bench.finalize(&room).exits(0).stderr;
    said += &bench.worker().exits(0).stderr;
    assert_eq!(waiting(&bench).len(), 1);
    let metadata = room.join("metadata.json");
    let files = files_below(bench.dir()).into_iter().filter(|path| *path != bench.env_file() && *path != metadata);
    let all = files.map(|path| (path.display().to_string(), fs::read(&path).unwrap()));
    for (name, bytes) in all.chain([("what was said".to_owned(), said.into_bytes())]) {
        assert!(!bytes.windows(6).any(|window| window == b"hunter"), "{name}: {}", String::from_utf8_lossy(&bytes));
    }
    for file in waiting(&bench) {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o007, 0, "{}", file.display());
    }
}

/// Finalize, killed before each of its steps that last, and then a worker that makes no HLS: one event, told once or more.
#[test]
fn finalize_killed_at_any_step_leaves_a_webhook_that_is_told() {
    if !can_trace() {
        return;
    }
    let receiver = Receiver::reflector(SECRET);
    let mut bench = telling("reflector", &receiver);
    bench.set("NOTION_SETTLE_SECONDS", "1");
    bench.set("PUBLISH_UNFINALIZED_AFTER", "1");
    let mut killed = 0;
    for call in ["rename", "fsync", "unlink", "sendto"] {
        for nth in 1..40 {
            let name = format!("{call}{nth}");
            receiver.know_room(&name);
            let room = bench.recorded_of(Clip::Short, &name);
            media::age(&room.join("meeting.mp4"), Duration::from_secs(90));
            let mut finalize = bench.command("jitsi-finalize");
            finalize.arg(&room);
            let whole = run(&mut killed_before(&finalize, call, nth)).code == Some(0);
            killed += u32::from(!whole);
            if whole {
                break;
            }
        }
    }
    assert!(killed > 10, "{killed}");
    let broken = path_with(&bench, &["ffmpeg", "ffprobe"], "#!/bin/sh\nexit 1\n");
    let worker = || run(bench.command("jitsi-hls-worker").env("PATH", &broken));
    worker();
    make_due(&bench);
    let out = worker();
    for room in fs::read_dir(bench.recordings()).unwrap() {
        let name = room.unwrap().file_name().into_string().unwrap();
        let of = |got: &&pipeline_tests::receivers::Got| got.text().contains(&format!("\"room_name\":\"{name}\""));
        let got = receiver.taken();
        let ids: std::collections::BTreeSet<_> = got.iter().filter(of).map(|got| (got.id(), got.text())).collect();
        assert_eq!(ids.len(), 1, "{name}: {ids:?}: {}", out.stderr);
    }
    assert!(waiting(&bench).is_empty());
    assert_no_litter(&spool(&bench));
}

fn assert_no_litter(spool: &Path) {
    let left: Vec<_> = files_below(spool)
        .into_iter()
        .filter(|path| !path.ends_with("lock") && !path.ends_with("enqueue.lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
