//! What other people's verifiers make of our signatures, printed and delivered.

use pipeline_tests::Bench;
use pipeline_tests::outbox::body_of;
use pipeline_tests::peers::{Daemon, Message, openssl_hex, verdicts};
use pipeline_tests::receivers::Receiver;

/// As it is the key, and what encodes one.
const PLAIN: &str = "It's a Secret to Everybody";
const ENCODED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODIES: [&str; 4] = ["{}", "Hello, World!", r#"{"room":"Größe \"7b\" 😀"}"#, "{\"a\":1}\n"];

fn bench(secret: &str) -> Bench {
    let mut bench = Bench::new();
    for name in ["reflector", "optilearn", "standard"] {
        bench.tell(name, "http://127.0.0.1:9");
        bench.set(&format!("WEBHOOK_{}_SECRET", name.to_ascii_uppercase()), secret);
    }
    bench
}

/// The headers that `rec-hook sign` prints.
fn signed(bench: &Bench, name: &str, body: &str) -> Vec<(String, String)> {
    let out = bench.hook_with(["sign", name], body.as_bytes()).exits(0);
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    out.stdout.lines().map(pair).collect()
}

fn header(headers: &[(String, String)], name: &str) -> String {
    let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.unwrap_or_else(|| panic!("no {name} in {headers:?}")).1.clone()
}

#[test]
fn openssl_computes_the_same_signatures() {
    for secret in [PLAIN, ENCODED] {
        let bench = bench(secret);
        for body in BODIES {
            let hex = openssl_hex(secret.as_bytes(), body.as_bytes());
            assert_eq!(header(&signed(&bench, "reflector", body), "X-Jitsi-Signature"), hex);
            assert_eq!(header(&signed(&bench, "optilearn", body), "X-Jibri-Signature"), format!("sha256={hex}"));
        }
    }
    // GitHub's published example.
    let github = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(header(&signed(&bench(PLAIN), "reflector", "Hello, World!"), "X-Jitsi-Signature"), github);
}

#[test]
fn npms_verifiers_take_what_sign_prints_and_nothing_else() {
    let (mut messages, mut wanted) = (Vec::new(), Vec::new());
    let bodies = [BODIES[0], BODIES[2], r#"{"type":"recording.published","data":{}}"#];
    for secret in [PLAIN, ENCODED] {
        let bench = bench(secret);
        for body in bodies {
            for (peer, name) in
                [("octokit", "optilearn"), ("standardwebhooks", "standard"), ("standardwebhooks", "reflector")]
            {
                let headers = signed(&bench, name, body);
                let message = |secret, body| Message {
                    peer,
                    secret,
                    body,
                    headers: headers.clone(),
                    header: "X-Jibri-Signature",
                };
                messages.push(message(secret, body));
                wanted.push(true);
                messages.push(message(secret, "[]"));
                wanted.push(false);
                messages.push(message("whsec_c29tZWJvZHkgZWxzZQ==", body));
                wanted.push(false);
            }
        }
    }
    let Some(verdicts) = verdicts(&messages) else { return };
    for ((verdict, wanted), message) in verdicts.iter().zip(wanted).zip(messages) {
        assert_eq!(verdict == "ok", wanted, "{verdict}: {message:?}");
    }
}

#[test]
fn npms_verifiers_take_what_receivers_get() {
    let mut bench = bench(ENCODED);
    let standard = Receiver::standard(ENCODED);
    let optilearn = Receiver::optilearn(ENCODED);
    let room = bench.finalized("Größe 7b");
    bench.tell("standard", &standard.endpoint());
    bench.tell("optilearn", &optilearn.url());
    let mut got = Vec::new();
    for (name, receiver) in [("standard", &standard), ("optilearn", &optilearn)] {
        bench.set(&format!("WEBHOOK_{}_SECRET", name.to_ascii_uppercase()), ENCODED);
        bench.hook(["send", name, room.to_str().unwrap(), "--event", "recorded"]).exits(0);
        got.extend(receiver.taken());
    }
    let bodies: Vec<_> = got.iter().map(pipeline_tests::receivers::Got::text).collect();
    let of = |peer, at: usize| Message {
        peer,
        secret: ENCODED,
        body: &bodies[at],
        headers: got[at].request.headers.clone(),
        header: "X-Jibri-Signature",
    };
    // The second has the headers of Standard Webhooks beside its own.
    let messages = [of("standardwebhooks", 0), of("standardwebhooks", 1), of("octokit", 1)];
    let Some(verdicts) = verdicts(&messages) else { return };
    assert_eq!(verdicts, ["ok", "ok", "ok"]);
}

#[test]
fn debians_webhook_daemon_takes_deliveries_of_either_encoding_and_refuses_another_secret() {
    for (name, path, header) in [
        ("reflector", "/v1/jibri/recording-complete", "X-Jitsi-Signature"),
        ("optilearn", "/api/webhooks/jitsi-recording", "X-Jibri-Signature"),
    ] {
        let mut bench = bench(PLAIN);
        let Some(daemon) = Daemon::start(path, header, PLAIN) else { return };
        bench.tell(name, &daemon.url());
        let secret = format!("WEBHOOK_{}_SECRET", name.to_ascii_uppercase());
        bench.set(&secret, "another");
        let body = body_of("Größe 7b", 1);
        bench.send(name, &body).exits(75);
        assert!(daemon.taken().is_empty());
        bench.set(&secret, PLAIN);
        bench.hook(["flush", "--now"]).exits(0);
        assert_eq!(daemon.taken(), [body]);
    }
}

#[test]
fn verify_takes_what_openssl_signs_and_exits_1_for_anything_else() {
    let bench = bench(PLAIN);
    let hex = openssl_hex(PLAIN.as_bytes(), b"{}");
    let verify = |name: &str, signature: &str, body: &str| {
        bench.hook_with(["verify", name, "--signature", signature], body.as_bytes()).code
    };
    let prefixed = format!("sha256={hex}");
    assert_eq!((verify("reflector", &hex, "{}"), verify("optilearn", &prefixed, "{}")), (Some(0), Some(0)));
    for (name, signature, body) in [
        ("reflector", &*hex, "{} "),
        ("reflector", &*openssl_hex(b"another", b"{}"), "{}"),
        ("reflector", &hex[1..], "{}"),
        ("reflector", "", "{}"),
        ("optilearn", "sha256=", "{}"),
    ] {
        assert_eq!(verify(name, signature, body), Some(1), "{name} {signature} {body}");
    }
}
