//! `rec-hook`: its commands, its exit codes and its words. What receivers make of it is tested elsewhere.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use pipeline_tests::{Bench, Out, files_below, run, skipped};
use serde_json::{Value, json};

const SECRET: &str = "s3cret of the bench";

/// Who gives each request the same answer.
struct Answering {
    url: String,
    answer: Arc<Mutex<(u16, &'static str)>>,
    got: Arc<Mutex<Vec<String>>>,
}

impl Answering {
    fn with(status: u16, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answer, got) = (Arc::new(Mutex::new((status, body))), Arc::new(Mutex::new(Vec::new())));
        let (answers, gets) = (Arc::clone(&answer), Arc::clone(&got));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) < 3 {
                        break;
                    }
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                gets.lock().unwrap().push(String::from_utf8(body).unwrap());
                let (status, body) = *answers.lock().unwrap();
                let head =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        });
        Self { url, answer, got }
    }

    fn now(&self, status: u16, body: &'static str) {
        *self.answer.lock().unwrap() = (status, body);
    }

    fn bodies(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

/// A bench with destinations of these names at this URL, or where nobody listens.
fn bench(names: &str, url: &str) -> Bench {
    let mut bench = Bench::new();
    bench.set("WEBHOOKS", names);
    bench.set("SPOOL_DIR", bench.dir().join("spool").to_str().unwrap());
    for name in names.split(' ') {
        let key = format!("WEBHOOK_{}", name.to_ascii_uppercase());
        bench.set(&format!("{key}_URL"), url);
        bench.set(&format!("{key}_SECRET"), SECRET);
        if !["reflector", "optilearn", "standard"].contains(&name) {
            bench.set(&format!("{key}_PROFILE"), "standard");
        }
    }
    bench
}

const NOBODY: &str = "http://127.0.0.1:9";

fn hook(bench: &Bench, args: &[&str]) -> Out {
    run(bench.command("rec-hook").args(args))
}

fn hook_of_stdin(bench: &Bench, args: &[&str], stdin: &str) -> Out {
    let file = bench.dir().join("stdin");
    fs::write(&file, stdin).unwrap();
    run(bench.command("rec-hook").args(args).stdin(fs::File::open(file).unwrap()))
}

/// What waits, or was given up.
fn listed(bench: &Bench, args: &[&str]) -> Vec<Value> {
    let out = hook(bench, &[&["ls", "--json"], args].concat()).exits(0);
    serde_json::from_str(&out.stdout).unwrap()
}

fn ids(bench: &Bench) -> Vec<String> {
    listed(bench, &[]).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

fn spool(bench: &Bench) -> Vec<std::path::PathBuf> {
    let spool = bench.dir().join("spool");
    if spool.exists() { files_below(&spool) } else { Vec::new() }
}

#[test]
fn without_destinations_nothing_is_done_and_nothing_is_touched() {
    let mut bench = Bench::new();
    bench.set("SPOOL_DIR", bench.dir().join("spool").to_str().unwrap());
    for args in [&["flush"][..], &["flush", "--now"], &["ls"], &["ls", "--dead"], &["retry", "--all"]] {
        let out = hook(&bench, args).exits(0);
        assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("", ""), "{args:?}");
    }
    assert!(!bench.dir().join("spool").exists() && !bench.dir().join("log").exists());
    let out = hook_of_stdin(&bench, &["send", "reflector", "-"], "{}").exits(64);
    assert_eq!(out.stderr, "rec-hook: reflector: no such destination: WEBHOOKS in the env file names none\n");
}

#[test]
fn what_cannot_be_delivered_waits_and_is_listed_shown_and_dropped() {
    let bench = bench("reflector", NOBODY);
    let out = hook_of_stdin(&bench, &["send", "reflector", "-"], "{\"a\": 1}\n").exits(75);
    let [id] = &ids(&bench)[..] else { panic!("{out:?}") };
    let [message] = &out.messages()[..] else { panic!("{out:?}") };
    let begins = format!("Later webhook to=reflector id={id}: reflector did not answer: Connection refused");
    assert!(message.starts_with(&begins) && message.contains("; try 1 of 10, next at 20"), "{message}");
    assert_eq!(bench.log("rec-hook.log"), out.messages());

    let row = &listed(&bench, &[])[0];
    for (key, wanted) in
        [("to", json!("reflector")), ("state", json!("queued")), ("event", json!(null)), ("tries", json!(1))]
    {
        assert_eq!(row[key], wanted, "{row}");
    }
    assert!(
        row["next"].as_str() > row["last"].as_str() && row["reason"].as_str().unwrap().contains("refused"),
        "{row}"
    );
    let out = hook(&bench, &["ls", "reflector"]).exits(0);
    let columns: Vec<_> = out.stdout.trim_end().split('\t').collect();
    assert_eq!((columns.len(), &columns[..5]), (9, &["reflector", id, "queued", "-", "-"][..]), "{out:?}");

    let shown = hook(&bench, &["show", &id[..10]]).exits(0).stdout;
    let (head, body) = shown.split_once("\n\n").unwrap();
    assert!(
        head.starts_with(&format!("id: {id}\nto: reflector\nstate: queued\n")) && body == "{\"a\": 1}\n\n",
        "{shown}"
    );

    let out = hook(&bench, &["drop", "-n", id]).exits(0);
    assert_eq!((out.messages(), ids(&bench).len()), (vec![format!("Would drop to=reflector id={id} event=-")], 1));
    hook(&bench, &["drop", &id[4..12]]).exits(0);
    assert_eq!(
        (ids(&bench).len(), bench.log("rec-hook.log").pop()),
        (0, Some(format!("Dropped to=reflector id={id} event=-")))
    );
    assert!(spool(&bench).iter().all(|path| path.to_str().unwrap().ends_with("lock")), "{:?}", spool(&bench));
    let out = hook(&bench, &["drop", id]).exits(1);
    assert_eq!(out.stderr, format!("rec-hook: {id}: no such event: rec-hook ls and rec-hook ls --dead list them\n"));
}

#[test]
fn an_id_is_shortened_as_far_as_it_is_unique() {
    let bench = bench("reflector", NOBODY);
    for body in ["1", "2"] {
        hook_of_stdin(&bench, &["send", "reflector", "-"], body).exits(75);
    }
    let ids = ids(&bench);
    let out = hook(&bench, &["drop", "msg_"]).exits(1);
    assert!(out.stderr.starts_with("rec-hook: msg_ begins the ids of 2 events, msg_"), "{}", out.stderr);
    let same = ids[0].bytes().zip(ids[1].bytes()).take_while(|(a, b)| a == b).count();
    assert!(hook(&bench, &["show", &ids[1][..=same]]).exits(0).stdout.contains(&ids[1]));
    // One that does not fit, and nothing is done about the others.
    hook(&bench, &["drop", &ids[0], "msg_x"]).exits(1);
    assert_eq!(self::ids(&bench), ids);
}

#[test]
fn what_is_refused_is_given_up_and_a_retry_queues_it_again() {
    let receiver = Answering::with(422, "no room_name");
    let bench = bench("reflector", &receiver.url);
    let out = hook_of_stdin(&bench, &["send", "reflector", "-"], "{}").exits(65);
    let [dead] = &listed(&bench, &["--dead"])[..] else { panic!("{out:?}") };
    let id = dead["id"].as_str().unwrap();
    let wanted = format!(
        "ERROR: webhook dead to=reflector id={id} event=-: reflector answered 422: no room_name: mend it, then run rec-hook retry {id}"
    );
    assert_eq!(out.messages(), [wanted]);
    assert_eq!(
        (&dead["state"], &dead["reason"], ids(&bench).len()),
        (&json!("dead"), &json!("answered 422: no room_name"), 0)
    );
    hook(&bench, &["flush", "--now"]).exits(0);
    hook(&bench, &["retry", "--dry-run", id]).exits(0);
    assert_eq!((ids(&bench).len(), receiver.bodies().len()), (0, 1));
    let out = hook(&bench, &["retry", id]).exits(0);
    assert_eq!(out.messages(), [format!("Queued again to=reflector id={id} event=-")]);
    assert_eq!((listed(&bench, &["--dead"]).len(), listed(&bench, &[])[0]["tries"].clone()), (0, json!(0)));
    receiver.now(200, "");
    let out = hook(&bench, &["flush"]).exits(0);
    assert_eq!(out.messages(), [format!("OK: webhook delivered to=reflector id={id} event=-")]);
    assert_eq!(receiver.bodies(), ["{}", "{}"]);
}

#[test]
fn retry_all_makes_everything_due_at_the_destinations_that_are_named() {
    let bench = bench("one two", NOBODY);
    for name in ["one", "two"] {
        hook_of_stdin(&bench, &["send", name, "-"], "{}").exits(75);
    }
    hook(&bench, &["retry", "--all", "two"]).exits(0);
    let tries = |bench: &Bench| listed(bench, &[]).iter().map(|row| row["tries"].clone()).collect::<Vec<_>>();
    assert_eq!(tries(&bench), [1, 0]);
    hook(&bench, &["retry", "--all"]).exits(0);
    assert_eq!(tries(&bench), [0, 0]);
    hook(&bench, &["retry", "--all", "three"]).exits(64);
}

#[test]
fn gone_is_shown_until_a_retry_switches_it_on() {
    let receiver = Answering::with(410, "");
    let bench = bench("reflector", &receiver.url);
    let out = hook_of_stdin(&bench, &["send", "reflector", "-"], "{}").exits(75);
    assert!(out.messages()[0].starts_with("ERROR: webhook off to=reflector id=msg_"), "{out:?}");
    let out = hook_of_stdin(&bench, &["send", "reflector", "-"], "{}").exits(75);
    assert!(out.messages()[0].starts_with("WARNING: queued to=reflector, which is off since 20"), "{out:?}");
    let out = hook(&bench, &["ls"]).exits(0);
    assert!(out.stderr.starts_with("reflector is off since 20") && out.stdout.contains("\toff\t"), "{out:?}");
    assert_eq!(receiver.bodies().len(), 1);
    let out = hook(&bench, &["retry", &ids(&bench)[0]]).exits(0);
    assert_eq!(out.messages()[1], "Switched on again to=reflector");
    receiver.now(204, "");
    hook(&bench, &["flush"]).exits(0);
    assert_eq!(receiver.bodies().len(), 3);
}

#[test]
fn a_destination_that_is_configured_no_more_is_still_listed_and_mended() {
    let mut bench = bench("one two", NOBODY);
    hook_of_stdin(&bench, &["send", "one", "-"], "{}").exits(75);
    bench.set("WEBHOOKS", "two");
    let out = hook(&bench, &["ls"]).exits(0);
    assert!(out.stderr.contains("one is not in WEBHOOKS: nothing is sent there\n"), "{}", out.stderr);
    assert!(out.stdout.contains("\tunknown\t"), "{}", out.stdout);
    hook(&bench, &["flush", "--now"]).exits(0);
    hook(&bench, &["drop", &ids(&bench)[0]]).exits(0);
    assert!(ids(&bench).is_empty());
}

#[test]
fn verify_accepts_what_sign_has_signed_and_nothing_else() {
    let bench = bench("reflector optilearn standard", NOBODY);
    let body = "{\"room_name\":\"Größe\"}\n";
    for name in ["reflector", "optilearn", "standard"] {
        let signed = hook_of_stdin(&bench, &["sign", name], body).exits(0).stdout;
        let mut args = vec!["verify", name];
        signed.lines().for_each(|line| args.extend(["--header", line]));
        let out = hook_of_stdin(&bench, &args, body).exits(0);
        assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("", ""), "{name}");
        let out = hook_of_stdin(&bench, &args, body.trim_end()).exits(1);
        assert!(out.stderr.contains(" is not the signature of this body with this secret"), "{}", out.stderr);
        args.insert(0, "-q");
        assert_eq!(hook_of_stdin(&bench, &args, "").exits(1).stderr, "");
        if name != "standard" {
            let (_, value) = signed.lines().next().unwrap().split_once(": ").unwrap();
            hook_of_stdin(&bench, &["verify", name, "--signature", value], body).exits(0);
            hook_of_stdin(&bench, &["verify", name, "--signature", &value.to_uppercase()], body).exits(1);
        }
    }
    hook_of_stdin(&bench, &["verify", "reflector", "--header", "no colon"], body).exits(64);
    let out = hook_of_stdin(&bench, &["verify", "reflector", "--header", "X: y"], body).exits(1);
    assert_eq!(out.stderr, "rec-hook: wrong: there is no header X-Jitsi-Signature\n");
}

#[test]
fn with_a_profile_and_a_file_no_env_file_is_needed() {
    let scratch = tempfile::tempdir().unwrap();
    let secret = scratch.path().join("secret");
    // The example of the Standard Webhooks specification.
    fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    fs::write(scratch.path().join("body"), "{\"test\": 2432232314}").unwrap();
    let filter = |args: &[&str]| {
        let mut command = Command::new(pipeline_tests::binary("rec-hook"));
        command.env_clear().args(args).args(["--secret-file", secret.to_str().unwrap()]);
        run(command.stdin(fs::File::open(scratch.path().join("body")).unwrap()))
    };
    let headers = [
        "--header=Webhook-Id: msg_p5jXN8AQM9LWM0D4loKWxJek",
        "--header=Webhook-Timestamp: 1614265330",
        "--header=Webhook-Signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ];
    let verify = [&["verify", "--profile", "standard"], &headers[..]].concat();
    filter(&[&verify[..], &["--any-time"]].concat()).exits(0);
    let out = filter(&verify).exits(1);
    assert!(
        out.stderr.starts_with("rec-hook: wrong: webhook-timestamp is ") && out.stderr.contains(" s from now"),
        "{out:?}"
    );
    let signed = filter(&["sign", "--profile", "standard"]).exits(0).stdout;
    let names: Vec<_> = signed.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(names, ["webhook-signature", "webhook-id", "webhook-timestamp"]);
    fs::write(&secret, "whsec_!\n").unwrap();
    assert!(filter(&["sign", "--profile", "standard"]).exits(78).stderr.contains("does not go on in base64"));
    fs::write(&secret, "\n").unwrap();
    assert!(
        filter(&["sign", "--profile", "reflector"])
            .exits(78)
            .stderr
            .ends_with("secret is empty: put the secret there\n")
    );
}

#[test]
fn without_a_secret_the_key_is_named_and_nothing_is_lost() {
    let mut bench = bench("reflector", NOBODY);
    bench.unset("WEBHOOK_REFLECTOR_SECRET");
    let missing = "WEBHOOK_REFLECTOR_SECRET is missing: set it, or WEBHOOK_REFLECTOR_SECRET_FILE";
    for args in
        [&["sign", "reflector"][..], &["verify", "reflector", "--signature", "x"], &["send", "reflector", "--test"]]
    {
        assert_eq!(hook_of_stdin(&bench, args, "").exits(78).stderr, format!("rec-hook: {missing}\n"), "{args:?}");
    }
    let out = hook_of_stdin(&bench, &["send", "reflector", "-"], "{}").exits(78);
    let wanted = format!("ERROR: webhooks wait to=reflector: there is no secret to sign them with: {missing}");
    assert_eq!((out.messages(), ids(&bench).len()), (vec![wanted], 1));
    bench.set("WEBHOOK_REFLECTOR_SECRET_FILE", "/nonexistent/secret");
    let out = hook(&bench, &["flush"]).exits(78);
    assert!(
        out.stderr.contains("WEBHOOK_REFLECTOR_SECRET_FILE: /nonexistent/secret cannot be read: No such file"),
        "{out:?}"
    );
}

#[test]
fn a_file_with_a_secret_that_everybody_can_read_is_warned_of() {
    let mut bench = bench("reflector", NOBODY);
    let file = bench.dir().join("hook-secret");
    fs::write(&file, SECRET).unwrap();
    bench.unset("WEBHOOK_REFLECTOR_SECRET");
    bench.set("WEBHOOK_REFLECTOR_SECRET_FILE", file.to_str().unwrap());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(hook(&bench, &["ls"]).exits(0).stderr, "");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let warning = format!(
        "WARNING: {0}: holds the secret of reflector and every user can read it: chgrp jitsi-recordings {0} && chmod 640 {0}\n",
        file.display()
    );
    assert_eq!(hook(&bench, &["ls"]).exits(0).stderr, warning);
}

#[test]
fn everything_that_is_wrong_with_the_destinations_is_said_at_once() {
    let mut bench = bench("reflector mine", "http://reflector.example.com");
    bench.set("WEBHOOK_MINE_PROFILE", "mine");
    bench.set("WEBHOOK_REFLECTOR_ON", "failed");
    let out = hook(&bench, &["flush"]).exits(78);
    for part in [
        "WEBHOOK_REFLECTOR_URL: would send messages in the clear",
        "WEBHOOK_REFLECTOR_ON: is none of recorded, published",
        "WEBHOOK_MINE_PROFILE: is none of reflector, optilearn, standard",
    ] {
        assert!(out.stderr.contains(part), "{part}: {}", out.stderr);
    }
    assert!(!out.stderr.contains(SECRET), "{}", out.stderr);
}

#[test]
fn a_wrong_command_line_ends_with_64() {
    let bench = bench("reflector", NOBODY);
    for args in [
        &["send", "reflector"][..],
        &["send", "reflector", "-", "--test"],
        &["send", "reflector", "-", "--room", "x"],
        &["send", "reflector", "-", "--event", "recorded"],
        &["send", "reflector", "--test", "--event", "failed"],
        &["send", "reflector", "/nonexistent"],
        &["send", "reflector", "/", "--event", "finished"],
        &["send", "other", "-"],
        &["flush", "other"],
        &["ls", "other"],
        &["show"],
        &["retry"],
        &["drop"],
        &["sign"],
        &["sign", "other"],
        &["sign", "reflector", "--profile", "reflector", "--secret-file", "x"],
        &["sign", "reflector", "--secret-file", "x"],
        &["sign", "--profile", "reflector"],
        &["verify", "reflector"],
        &["mend"],
    ] {
        let out = hook(&bench, args).exits(64);
        assert!(!out.stderr.is_empty() && out.stdout.is_empty(), "{args:?}: {out:?}");
    }
    assert!(spool(&bench).is_empty());
}

#[test]
fn a_trial_is_kept_nowhere_and_says_what_the_answer_means() {
    let receiver = Answering::with(200, "{\"status\":\"ok\"}");
    let bench = bench("optilearn", &receiver.url);
    let trial = |code: i32| {
        let out = hook(&bench, &["send", "optilearn", "--test", "--room", "Room-1"]).exits(code);
        out.messages()
    };
    let at = format!("webhook test to=optilearn url={}/api/webhooks/jitsi-recording: optilearn", receiver.url);
    assert_eq!(trial(0), [format!("OK: {at} answered 200: {{\"status\":\"ok\"}}")]);
    receiver.now(200, "{\"data\":{\"ok\":true,\"ignored\":true}}");
    let wanted =
        "The secret is right. optilearn does nothing with it, because it does not know the recording, which is made up";
    assert_eq!(trial(0)[1..], [wanted]);
    receiver.now(401, "");
    assert_eq!(trial(65), [format!("ERROR: {at} answered 401 (is the secret the same on both sides?)")]);
    receiver.now(404, "");
    assert_eq!(trial(65), [format!("ERROR: {at} answered 404 (does it know the room, and is its URL right?)")]);
    receiver.now(500, "oops");
    assert_eq!(trial(65), [format!("ERROR: {at} answered 500: oops")]);
    let body: Value = serde_json::from_str(&receiver.bodies()[0]).unwrap();
    assert_eq!((&body["event"], &body["roomName"]), (&json!("recording_uploaded"), &json!("Room-1")));
    let out = hook(&self::bench("optilearn", NOBODY), &["send", "optilearn", "--test"]).exits(1);
    assert!(out.messages()[0].contains("optilearn did not answer: Connection refused"), "{out:?}");
    assert!(spool(&bench).is_empty());
}

#[test]
fn a_recording_is_told_anew_each_time_that_somebody_asks_for_it() {
    let receiver = Answering::with(200, "");
    let bench = bench("standard", &receiver.url);
    let room = bench.finalized("daily-standup");
    let dir = room.to_str().unwrap();
    for _ in 0..2 {
        hook(&bench, &["send", "standard", dir, "--event", "recorded"]).exits(0);
    }
    let bodies: Vec<Value> = receiver.bodies().iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0]["data"]["url"], "https://rec.example.com/daily-standup/meeting.mp4");
    // What it is told by default is what has not happened yet.
    let out = hook(&bench, &["send", "standard", dir]).exits(1);
    assert_eq!(
        out.stderr,
        format!("rec-hook: {dir}: nothing to send: there is no HLS; --event recorded tells of an MP4\n")
    );
    let empty = bench.room("empty");
    let out = hook(&bench, &["send", "standard", empty.to_str().unwrap(), "--event", "recorded"]).exits(1);
    assert!(out.stderr.contains("nothing to send: there is no MP4"), "{}", out.stderr);
    assert_eq!(receiver.bodies().len(), 2);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_not_do_it() {
    let receiver = Answering::with(500, "");
    let bench = bench("standard", &receiver.url);
    let room = bench.recorded("daily-standup");
    let out = hook(&bench, &["send", "-n", "standard", room.to_str().unwrap(), "--event", "recorded"]).exits(0);
    assert!(out.messages()[0].starts_with("Would send to=standard url=http://127.0.0.1:"), "{out:?}");
    assert_eq!(serde_json::from_str::<Value>(&out.stdout).unwrap()["data"]["room"], "daily-standup");
    hook(&bench, &["send", "-n", "standard", "--test"]).exits(0);
    hook_of_stdin(&bench, &["send", "-n", "standard", "-"], "x").exits(0);
    assert!(spool(&bench).is_empty() && receiver.bodies().is_empty() && !bench.dir().join("log").exists());
    hook_of_stdin(&bench, &["send", "standard", "-"], "x").exits(75);
    hook_of_stdin(&bench, &["send", "standard", "-"], "y").exits(75);
    let (before, log) = (spool(&bench), bench.log("rec-hook.log"));
    let ids = ids(&bench);
    let said = |args: &[&str]| hook(&bench, args).exits(0).messages();
    let out = said(&["flush", "-n"]);
    assert!(
        out[0].starts_with(&format!("Would not deliver to=standard id={}, and what is behind it: due at", ids[0])),
        "{out:?}"
    );
    let wanted = ids.iter().map(|id| format!("Would deliver to=standard id={id} event=-")).collect::<Vec<_>>();
    assert_eq!(said(&["flush", "-n", "--now"]), wanted);
    assert_eq!(said(&["retry", "-n", "--all"]).len(), 2);
    assert_eq!((spool(&bench), bench.log("rec-hook.log"), receiver.bodies().len()), (before, log, 1));
}

#[test]
fn an_outbox_that_cannot_be_written_is_named() {
    let mut bench = bench("standard", NOBODY);
    let file = bench.dir().join("a-file");
    fs::write(&file, "").unwrap();
    let spool = file.join("spool");
    bench.set("SPOOL_DIR", spool.to_str().unwrap());
    let out = hook_of_stdin(&bench, &["send", "standard", "-"], "x").exits(1);
    let begins = format!("rec-hook: webhook to=standard: SPOOL_DIR {}: make the directory ", spool.display());
    assert!(out.stderr.starts_with(&begins), "{}", out.stderr);
}

#[test]
fn a_body_that_no_receiver_takes_is_not_queued() {
    let bench = bench("standard", NOBODY);
    let out = hook_of_stdin(&bench, &["send", "standard", "-"], &"x".repeat((1 << 20) + 1)).exits(1);
    assert_eq!(out.stderr, "rec-hook: the body on stdin is longer than 1048576 bytes: no receiver takes that\n");
    assert!(spool(&bench).is_empty());
}

#[test]
fn what_is_written_is_nobody_elses() {
    let bench = bench("standard", NOBODY);
    hook_of_stdin(&bench, &["send", "standard", "-"], "x").exits(75);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let top = bench.dir().join("spool");
    for dir in [top.clone(), top.join("standard"), top.join("standard/queue"), top.join("standard/dead")] {
        assert_eq!(mode(&dir) & 0o027, 0, "{}", dir.display());
    }
    for file in spool(&bench).iter().filter(|file| file.extension().is_some_and(|end| end == "event" || end == "try")) {
        assert_eq!(mode(file) & 0o137, 0, "{}", file.display());
    }
}

#[test]
fn on_a_terminal_the_list_has_a_heading_and_short_ids() {
    if Command::new("script").arg("--version").output().is_err() {
        skipped("script is not here: install Debian's package bsdutils");
        return;
    }
    let bench = bench("standard", NOBODY);
    hook_of_stdin(&bench, &["send", "standard", "-"], "x").exits(75);
    let command =
        format!("'{}' --env-file '{}' ls", pipeline_tests::binary("rec-hook").display(), bench.env_file().display());
    let out = run(Command::new("script").args(["-qec", &command, "/dev/null"]).current_dir(bench.dir())).exits(0);
    let lines: Vec<Vec<&str>> = out.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["TO", "ID", "STATE", "EVENT", "ROOM", "SINCE", "TRIES", "NEXT", "REASON"]);
    assert_eq!((lines[1][0], lines[1][1]), ("standard", &ids(&bench)[0][..12]));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = bench("standard", NOBODY);
    for _ in 0..2 {
        hook_of_stdin(&bench, &["send", "standard", "-"], "x").exits(75);
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let out = run(bench.command("rec-hook").arg("ls").stdout(writer)).exits(0);
    assert_eq!(out.stderr, "");
}
