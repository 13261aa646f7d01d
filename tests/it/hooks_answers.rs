//! What follows from a receiver's answer: done, later, aside, dead, off.

use pipeline_tests::outbox::{SECRET, body_of, reflector};
use pipeline_tests::receivers::{Failure, Receiver};
use pipeline_tests::tls::{certificates, tls_before};
use pipeline_tests::{Bench, Out, each_at_once, run};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

fn numbers(receiver: &Receiver) -> Vec<String> {
    let number = |body: String| body.split("/recordings/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    receiver.taken().iter().map(|got| number(got.text())).collect()
}

/// Seconds from the last try of the first queued event to its next one.
fn pause(bench: &Bench) -> f64 {
    let tried = bench.queued("reflector")[0].tried.clone().unwrap();
    let time = |key: &str| OffsetDateTime::parse(tried[key].as_str().unwrap(), &Rfc3339).unwrap();
    (time("due") - time("last")).as_seconds_f64()
}

#[test]
fn what_cannot_be_delivered_now_waits_its_turn_and_arrives_later_unaltered() {
    let (bench, receiver) = reflector();
    for failure in [
        Failure::Status(500),
        Failure::Status(502),
        Failure::Status(429),
        Failure::Status(408),
        Failure::Status(425),
        Failure::With(503, "Retry-After", "2".into()),
        Failure::Close,
        Failure::Says(500, "no\u{1b}[31m way\nERROR: the log is mine".into()),
    ] {
        receiver.forget();
        receiver.fail(failure.clone());
        let body = body_of("Room-1", 1);
        let out = bench.send("reflector", &body).exits(75);
        assert_eq!(bench.queued("reflector").len(), 1, "{failure:?}");
        assert_eq!(bench.queued("reflector")[0].body, body.as_bytes());
        assert!(
            !out.stderr.contains('\u{1b}') && !out.messages().iter().any(|line| line.starts_with("ERROR: the log"))
        );
        // Not yet its time: nobody is asked.
        let asked = receiver.connections();
        bench.hook(["flush"]).exits(75);
        assert_eq!(receiver.connections(), asked, "{failure:?}");
        bench.hook(["flush", "--now"]).exits(0);
        let got = receiver.got();
        assert_eq!((got.len(), receiver.taken().len()), (2, 1), "{failure:?}");
        assert_eq!(got[0].id(), got[1].id());
        assert!(got.iter().all(|got| got.request.raw_body == body.as_bytes()));
        assert!(bench.litter("reflector").is_empty(), "{:?}", bench.litter("reflector"));
    }
}

#[test]
fn a_port_where_nobody_listens_is_waited_for() {
    let (mut bench, receiver) = reflector();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    bench.tell("reflector", &format!("http://{closed}"));
    let out = bench.send("reflector", &body_of("Room-1", 1)).exits(75);
    assert!(out.stderr.contains("Connection refused"), "{}", out.stderr);
    bench.tell("reflector", &receiver.url());
    bench.hook(["flush", "--now"]).exits(0);
    assert_eq!(numbers(&receiver), ["1"]);
}

#[test]
fn a_receiver_that_says_nothing_or_never_ends_is_not_waited_for_without_end() {
    each_at_once([("nothing", Failure::Silence), ("without end", Failure::Endless)], |failure| {
        let (bench, receiver) = reflector();
        receiver.fail_always(failure.clone());
        let out = bench.send("reflector", &body_of("Room-1", 1)).exits(75);
        assert!(out.stderr.contains("did not answer: ") && out.stderr.contains("15.0 s"), "{}", out.stderr);
        assert_eq!(receiver.connections(), 1);
        receiver.recover();
        bench.hook(["flush", "--now"]).exits(0);
        assert_eq!(numbers(&receiver), ["1"], "{failure:?}");
    });
}

#[test]
fn a_companys_own_ca_is_trusted_where_the_system_does_and_nobody_gets_a_message_before() {
    let (mut bench, receiver) = reflector();
    let port = tls_before(receiver.address(), certificates(bench.dir()));
    bench.tell("reflector", &format!("https://localhost:{port}"));
    let out = bench.send("reflector", &body_of("Room-1", 1)).exits(75);
    assert!(out.stderr.contains("the system's trust store decides"), "{}", out.stderr);
    assert_eq!(receiver.connections(), 0);
    let mut flush = bench.command("rec-hook");
    run(flush.args(["flush", "--now"]).env("SSL_CERT_FILE", bench.dir().join("ca.pem"))).exits(0);
    assert_eq!(numbers(&receiver), ["1"]);
}

#[test]
fn what_counts_is_that_the_status_is_good() {
    let (bench, receiver) = reflector();
    let good = [201, 202, 204, 299].map(Failure::Status);
    let odd = [Failure::Truncated, Failure::Says(200, "<html>\0\u{1b}]0;title\u{7}".into())];
    for (failure, number) in good.into_iter().chain(odd).zip(0..) {
        receiver.fail(failure.clone());
        let out = bench.send("reflector", &body_of("Room-1", number)).exits(0);
        assert_eq!(receiver.got().len(), number + 1, "{failure:?}");
        assert!(!out.stderr.contains('\u{1b}'), "{}", out.stderr);
    }
}

#[test]
fn what_is_no_http_is_no_answer() {
    for garbage in ["SSH-2.0-OpenSSH_9.2\r\n", "", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 200", "\0\0\0\0"] {
        let (bench, receiver) = reflector();
        receiver.fail(Failure::Garbage(garbage.as_bytes()));
        let out = bench.send("reflector", &body_of("Room-1", 0)).exits(75);
        assert!(out.stderr.contains("did not answer: "), "{garbage:?}: {}", out.stderr);
        bench.hook(["flush", "--now"]).exits(0);
        assert_eq!(numbers(&receiver), ["0"], "{garbage:?}");
    }
}

#[test]
fn a_redirect_is_never_followed_with_what_was_signed() {
    let (bench, receiver) = reflector();
    let elsewhere = Receiver::reflector(SECRET);
    elsewhere.know_room("Room-1");
    for status in [301, 302, 303, 307, 308] {
        receiver.fail(Failure::With(status, "Location", elsewhere.endpoint()));
        let out = bench.send("reflector", &body_of("Room-1", 1)).exits(75);
        assert!(out.stderr.contains(&status.to_string()), "{}", out.stderr);
        assert_eq!(elsewhere.connections(), 0, "{status}");
        bench.hook(["flush", "--now"]).exits(0);
    }
    assert_eq!(numbers(&receiver).len(), 5);
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn retry_after_is_obeyed_in_both_its_forms_and_for_a_day_at_most() {
    let day = 24.0 * 3600.0;
    for (value, from, to) in [
        ("1", 5.0, 5.5),
        ("600", 600.0, 600.0),
        ("9999999", day, day),
        ("Thu, 31 Dec 2099 23:59:59 GMT", day, day),
        ("Fri, 01 Jan 1999 00:00:00 GMT", 5.0, 5.5),
        ("soon", 5.0, 5.5),
        ("-5", 5.0, 5.5),
    ] {
        let (bench, receiver) = reflector();
        receiver.fail(Failure::With(503, "Retry-After", value.into()));
        bench.send("reflector", &body_of("Room-1", 1)).exits(75);
        let pause = pause(&bench);
        assert!((from..=to).contains(&pause), "{value}: {pause}");
    }
}

#[test]
fn an_answer_of_any_size_is_read_to_a_bound_and_a_good_one_is_good() {
    let (bench, receiver) = reflector();
    receiver.fail(Failure::Huge(50_000_000));
    bench.send("reflector", &body_of("Room-1", 1)).exits(0);
    receiver.fail(Failure::Says(500, "x".repeat(5_000_000)));
    let out = bench.send("reflector", &body_of("Room-1", 2)).exits(75);
    assert!(out.stderr.len() < 2000, "{} bytes", out.stderr.len());
    bench.hook(["flush", "--now"]).exits(0);
    assert_eq!(numbers(&receiver), ["1", "2"]);
}

#[test]
fn a_body_that_is_refused_is_dead_at_once_and_the_others_go_on() {
    for status in [400, 405, 413, 415, 422, 418] {
        let (bench, receiver) = reflector();
        receiver.fail_always(Failure::Status(500));
        for number in 0..3 {
            bench.send("reflector", &body_of("Room-1", number)).exits(75);
        }
        receiver.recover();
        receiver.fail(Failure::Status(status));
        bench.hook(["flush", "--now"]).exits(65);
        assert_eq!(numbers(&receiver), ["1", "2"], "{status}");
        let dead = bench.dead("reflector");
        assert_eq!(dead.len(), 1);
        assert_eq!(dead[0].body, body_of("Room-1", 0).as_bytes());
        let reason = dead[0].tried.as_ref().unwrap()["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains(&status.to_string()), "{reason}");
        // Nobody sends it again but a person.
        bench.hook(["flush", "--now"]).exits(0);
        assert_eq!(bench.dead("reflector").len(), 1);
        bench.hook(["retry", &dead[0].id]);
        bench.hook(["flush", "--now"]).exits(0);
        assert_eq!(numbers(&receiver), ["1", "2", "0"], "{status}");
        assert!(bench.litter("reflector").is_empty(), "{:?}", bench.litter("reflector"));
    }
}

#[test]
fn an_unknown_room_keeps_nobody_else_waiting() {
    let (bench, receiver) = reflector();
    bench.send("reflector", &body_of("room-1", 0)).exits(75);
    bench.send("reflector", &body_of("Room-1", 1));
    assert_eq!(numbers(&receiver), ["1"]);
    assert!((300.0..=330.0).contains(&pause(&bench)), "{}", pause(&bench));
    receiver.know_room("room-1");
    bench.hook(["flush", "--now"]).exits(0);
    assert_eq!(numbers(&receiver), ["1", "0"]);
}

#[test]
fn gone_switches_a_destination_off_until_it_is_retried_or_has_another_url() {
    for by_url in [false, true] {
        let (mut bench, receiver) = reflector();
        receiver.fail(Failure::Status(410));
        bench.send("reflector", &body_of("Room-1", 0));
        assert!(bench.spool().join("reflector/off").exists());
        let asked = receiver.connections();
        bench.send("reflector", &body_of("Room-1", 1));
        bench.hook(["flush", "--now"]);
        assert_eq!(receiver.connections(), asked, "it is off");
        let waiting = bench.queued("reflector");
        assert_eq!(waiting.len(), 2, "and nothing is lost");
        let said = bench.hook(["ls"]).exits(0);
        assert!(said.stdout.contains("off"), "{}", said.stdout);
        if by_url {
            let port = receiver.url();
            bench.tell("reflector", &port.replace("127.0.0.1", "localhost"));
            bench.hook(["flush", "--now"]).exits(0);
        } else {
            bench.hook(["retry", "--all", "reflector"]);
            bench.hook(["flush", "--now"]).exits(0);
        }
        assert_eq!(numbers(&receiver), ["0", "1"], "{by_url}");
        assert!(bench.litter("reflector").is_empty(), "{:?}", bench.litter("reflector"));
    }
}

#[test]
fn without_a_secret_nothing_is_sent_and_nothing_is_lost() {
    let (mut bench, receiver) = reflector();
    bench.unset("WEBHOOK_REFLECTOR_SECRET");
    let out = bench.send("reflector", &body_of("Room-1", 0)).exits(78);
    assert!(out.stderr.contains("WEBHOOK_REFLECTOR_SECRET"), "{}", out.stderr);
    bench.hook(["flush"]).exits(78);
    assert_eq!(receiver.connections(), 0);
    let waiting = bench.queued("reflector");
    assert!(waiting.len() == 1 && waiting[0].tried.is_none(), "{waiting:?}");
    bench.set("WEBHOOK_REFLECTOR_SECRET", SECRET);
    bench.hook(["flush"]).exits(0);
    assert_eq!(numbers(&receiver), ["0"]);
}

#[test]
fn a_secret_that_was_changed_signs_what_was_written_down_before() {
    let (mut bench, receiver) = reflector();
    receiver.set_secret(Some("the new one"));
    let out = bench.send("reflector", &body_of("Room-1", 0)).exits(75);
    assert!(out.stderr.contains("401"), "{}", out.stderr);
    // A file, with the newline that an editor leaves.
    let file = bench.dir().join("secret");
    std::fs::write(&file, "the new one\n").unwrap();
    bench.unset("WEBHOOK_REFLECTOR_SECRET");
    bench.set("WEBHOOK_REFLECTOR_SECRET_FILE", file.to_str().unwrap().to_owned());
    bench.hook(["flush", "--now"]).exits(0);
    assert_eq!(numbers(&receiver), ["0"]);
    let got = receiver.got();
    assert_eq!(got[0].request.raw_body, got[1].request.raw_body);
    assert_ne!(got[0].header("x-jitsi-signature"), got[1].header("x-jitsi-signature"));
}

#[test]
fn a_secret_may_come_from_systemds_credentials() {
    let (mut bench, receiver) = reflector();
    bench.unset("WEBHOOK_REFLECTOR_SECRET");
    let credentials = bench.dir().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::write(credentials.join("webhook-reflector"), SECRET).unwrap();
    bench.send("reflector", &body_of("Room-1", 0)).exits(78);
    let flush = run(bench.command("rec-hook").arg("flush").env("CREDENTIALS_DIRECTORY", credentials));
    flush.exits(0);
    assert_eq!(numbers(&receiver), ["0"]);
}

#[test]
fn an_impatient_admin_does_not_use_up_the_tries() {
    let (bench, receiver) = reflector();
    receiver.fail_always(Failure::Status(500));
    bench.send("reflector", &body_of("Room-1", 0)).exits(75);
    let tries = |bench: &Bench| bench.queued("reflector")[0].tried.as_ref().unwrap()["tries"].clone();
    let before = tries(&bench);
    for _ in 0..12 {
        bench.hook(["flush", "--now"]).exits(75);
    }
    assert_eq!(tries(&bench), before);
    assert_eq!(receiver.got().len(), 13);
}

#[test]
fn after_ten_tries_it_is_dead_and_the_log_says_how_to_bring_it_back() {
    let (bench, receiver) = reflector();
    receiver.fail_always(Failure::Status(500));
    bench.send("reflector", &body_of("Room-1", 0)).exits(75);
    let mut last: Option<Out> = None;
    for _ in 0..20 {
        let Some(queued) = bench.queued("reflector").pop() else { break };
        // As if its time had come.
        let mut tried = queued.tried.unwrap();
        tried["due"] = "2026-01-01T00:00:00Z".into();
        std::fs::write(queued.path.with_extension("try"), tried.to_string()).unwrap();
        last = Some(bench.hook(["flush"]));
    }
    let last = last.unwrap().exits(65);
    assert_eq!(receiver.got().len(), 10);
    let dead = bench.dead("reflector");
    assert_eq!((dead.len(), bench.queued("reflector").len()), (1, 0));
    let line = last.messages().into_iter().find(|line| line.starts_with("ERROR: ")).unwrap();
    assert!(line.contains("rec-hook retry") && line.contains("500") && line.contains(&dead[0].id), "{line}");
    receiver.recover();
    bench.hook(["retry", &dead[0].id[..12]]);
    bench.hook(["flush", "--now"]).exits(0);
    assert_eq!(numbers(&receiver), ["0"]);
    assert!(bench.litter("reflector").is_empty());
}

#[test]
fn what_is_dropped_is_gone() {
    let (bench, receiver) = reflector();
    receiver.fail(Failure::Status(422));
    bench.send("reflector", &body_of("Room-1", 0)).exits(65);
    let id = bench.dead("reflector")[0].id.clone();
    let shown = bench.hook(["show", &id]).exits(0);
    assert!(shown.stdout.contains(&id) && shown.stdout.contains("422"), "{}", shown.stdout);
    bench.hook(["drop", "-n", &id]).exits(0);
    assert_eq!(bench.dead("reflector").len(), 1);
    bench.hook(["drop", &id]).exits(0);
    assert!(bench.litter("reflector").is_empty(), "{:?}", bench.litter("reflector"));
}
