//! Who runs `rec-hook flush` every minute: cron, or systemd; and what the guides have people do by hand.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_tests::outbox::{SECRET, body_of};
use pipeline_tests::processes::{can_trace, traced};
use pipeline_tests::receivers::Receiver;
use pipeline_tests::tls::{certificates, tls_before};
use pipeline_tests::{Bench, binary, run, skipped};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The unit with our own binary in it, in a directory of its own.
fn units(bench: &Bench) -> PathBuf {
    let dir = bench.dir().join("units");
    fs::create_dir(&dir).unwrap();
    for unit in ["rec-hook.service", "rec-hook.timer"] {
        let text = fs::read_to_string(repository().join("etc/systemd").join(unit)).unwrap();
        // In quotes: this folder may have a blank in its name.
        let ours = text.replace("/usr/local/bin/rec-hook", &format!("\"{}\"", binary("rec-hook").display()));
        fs::write(dir.join(unit), ours).unwrap();
    }
    dir
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units_and_little_that_the_service_may_do() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        skipped("systemd-analyze is not here: install Debian's package systemd");
        return;
    }
    let bench = Bench::new();
    let dir = units(&bench);
    assert!(fs::read_to_string(dir.join("rec-hook.service")).unwrap().contains(binary("rec-hook").to_str().unwrap()));
    // Whether the manual page is installed is no matter of the unit.
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(dir.join("rec-hook.service")).arg(dir.join("rec-hook.timer"));
    let out = run(&mut verify).exits(0);
    assert_eq!((&*out.stdout, &*out.stderr), ("", ""));
    let mut security = Command::new("systemd-analyze");
    // It exits 1 where the exposure is above 2.0, in tenths.
    security.args(["security", "--offline=true", "--threshold=20", "--no-pager"]).arg(dir.join("rec-hook.service"));
    let out = run(&mut security);
    assert_eq!(out.code, Some(0), "{}{}", out.stdout, out.stderr);
}

/// The system calls of a set and of the sets in it, as this systemd has them.
fn members(sets: &str, name: &str) -> BTreeSet<String> {
    let section = sets.split("\n\n").find(|section| section.trim_start().lines().next() == Some(name));
    let words = section.unwrap_or_else(|| panic!("no {name}")).lines().skip(1).map(str::trim);
    let expand = |word: &str| if word.starts_with('@') { members(sets, word) } else { [word.to_owned()].into() };
    words.filter(|word| !word.is_empty() && !word.starts_with('#')).flat_map(expand).collect()
}

#[test]
fn the_service_may_do_what_a_flush_does() {
    let sets = Command::new("systemd-analyze").args(["syscall-filter", "--no-pager"]).output();
    let Ok(sets) = sets else {
        skipped("systemd-analyze is not here: install Debian's package systemd");
        return;
    };
    if !can_trace() {
        return;
    }
    let sets = String::from_utf8(sets.stdout).unwrap();
    let service = fs::read_to_string(repository().join("etc/systemd/rec-hook.service")).unwrap();
    let mut allowed = members(&sets, "@default");
    for filter in service.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        for name in filter.trim_start_matches('~').split(' ') {
            match members(&sets, name) {
                without if filter.starts_with('~') => allowed.retain(|call| !without.contains(call)),
                more => allowed.extend(more),
            }
        }
    }
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
    let call = |line: &str| line.split_once(' ')?.1.trim_start().split_once('(').map(|(name, _)| name.to_owned());
    let calls: BTreeSet<_> = trace.lines().filter_map(call).filter(|name| !name.contains(' ')).collect();
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
    let line = cron.lines().find(|line| line.starts_with("* * * * * jitsi-recordings ")).unwrap();
    let of_cron = line.split_once(" jitsi-recordings ").unwrap().1.split(" 2>&1").next().unwrap();
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
