//! Who runs `rec-hook flush` every minute: cron, or systemd; and what the guides have people do by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_tests::outbox::{SECRET, body_of};
use pipeline_tests::processes::{can_trace, traced};
use pipeline_tests::receivers::Receiver;
use pipeline_tests::tls::{certificates, tls_before};
use pipeline_tests::units::{allowed, assert_sound, calls};
use pipeline_tests::{Bench, binary, run};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units_and_little_that_the_service_may_do() {
    assert_sound(&Bench::new(), "rec-hook", &["rec-hook.service", "rec-hook.timer"]);
}

#[test]
fn the_service_may_do_what_a_flush_does() {
    let Some(allowed) = allowed("rec-hook.service").filter(|_| can_trace()) else { return };
    let mut bench = Bench::new();
    let reflector = Receiver::reflector(SECRET);
    reflector.know_room("Room-1");
    let port = tls_before(reflector.address(), certificates(bench.dir()));
    bench.tell("reflector", &format!("https://localhost:{port}"));
    bench.send("reflector", &body_of("Room-1", 0)).exits(75);
    let (mut flush, trace) = (bench.command("rec-hook"), bench.dir().join("trace"));
    flush.args(["flush", "--now"]).env("SSL_CERT_FILE", bench.dir().join("ca.pem"));
    run(&mut traced(&flush, ["-o".as_ref(), trace.as_os_str()])).exits(0);
    assert_eq!(reflector.taken().len(), 1);
    let trace = fs::read_to_string(trace).unwrap();
    let calls = calls(&trace);
    assert!(calls.contains("connect") && calls.contains("fsync"), "{calls:?}");
    let refused: Vec<_> = calls.difference(&allowed).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn cron_and_systemd_run_a_command_that_is_silent_where_there_is_nothing_to_do() {
    let mut bench = Bench::new();
    bench.tell("reflector", "http://127.0.0.1:9");
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let (cron, service) = (read("cron.d/rec-hook"), read("etc/systemd/rec-hook.service"));
    let line = cron.lines().find_map(|line| line.strip_prefix("* * * * * ")).unwrap();
    let (user, rest) = line.split_once(' ').unwrap();
    assert!(service.contains(&format!("\nUser={user}\n")), "{user}");
    let of_cron = rest.split(" 2>&1").next().unwrap();
    let of_systemd = service.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/")).unwrap();
    assert_eq!(of_cron, of_systemd);
    let words: Vec<_> = of_cron.split(' ').collect();
    assert_eq!(words[0], "rec-hook");
    let out = bench.hook(&words[1..]).exits(0);
    assert_eq!((&*out.stdout, &*out.stderr), ("", ""));
    // Nor is a message that waits for its next try anybody's business yet.
    assert!(service.contains("SuccessExitStatus=75"));
    bench.send("reflector", "{}").exits(75);
    let out = bench.hook(&words[1..]).exits(75);
    assert_eq!((&*out.stdout, &*out.stderr), ("", ""));
    assert!(cron.ends_with('\n'), "cron leaves out a last line without its end");
}

const GUIDES: [&str; 2] = ["docs/webhooks-optilearn.md", "docs/webhooks-reflector.md"];

/// The blocks of a guide that are set off as code.
fn blocks(guide: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join(guide)).unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    blocks.map(|block| block.lines().map(str::trim).collect::<Vec<_>>().join("\n")).collect()
}

#[test]
fn the_settings_that_a_guide_shows_are_accepted_as_they_stand() {
    for guide in GUIDES {
        let mut bench = Bench::new();
        let settings = blocks(guide).into_iter().find(|block| block.contains("WEBHOOKS=")).unwrap();
        for line in settings.lines().filter(|line| !line.is_empty()) {
            let (key, value) = line.split_once('=').unwrap();
            bench.set(key, value.trim_matches('\''));
        }
        bench.set("SPOOL_DIR", bench.spool().to_str().unwrap().to_owned());
        let out = bench.hook(["flush"]).exits(0);
        assert_eq!(out.stderr, "", "{guide}");
    }
}

#[test]
fn every_command_of_the_guides_is_one_that_the_tool_knows() {
    let mut seen = 0;
    for guide in GUIDES {
        let text = fs::read_to_string(repository().join(guide)).unwrap();
        let spans = text.lines().flat_map(|line| line.split('`'));
        let commands =
            spans.filter_map(|span| span.trim().trim_start_matches("sudo -u jibri ").strip_prefix("rec-hook "));
        for command in commands {
            let mut words = command.split(' ');
            let out = run(Command::new(binary("rec-hook")).args([words.next().unwrap(), "--help"])).exits(0);
            let known = |option: &str| out.stdout.split([' ', ',', '\n', '=']).any(|word| word == option);
            for option in words.filter(|word| word.starts_with('-')) {
                assert!(known(option), "{guide}: {command}: {option}");
            }
            seen += 1;
        }
    }
    assert!(seen > 12, "{seen}");
}
