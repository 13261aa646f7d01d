//! The scripts' defect G, an env file that bash executes and others read otherwise: gone. Each kind of line is in the unit tests.

use std::fs;
use std::process::Command;

use pipeline_tests::{Bench, run};

/// What bash makes of the key of a file that it sources.
fn in_bash(bench: &Bench, key: &str) -> String {
    let mut bash = Command::new("bash");
    bash.env_clear().args(["-euc", "source \"$1\"; printf '%s' \"${!2}\"", "bash"]).arg(bench.env_file()).arg(key);
    run(&mut bash).exits(0).stdout
}

/// The env file of a bench, with another way to write the prefix of titles.
fn with_prefix(bench: &Bench, prefix: &str) -> String {
    let text = fs::read_to_string(bench.env_file()).unwrap();
    let was = "NOTION_NAME_PREFIX=\"[Jitsi]\"";
    assert!(text.contains(was), "{text}");
    text.replace(was, prefix)
}

#[test]
fn a_line_that_is_taken_means_what_bash_makes_of_it() {
    for line in [
        "export NOTION_NAME_PREFIX='[Team]'",
        "NOTION_NAME_PREFIX=Team # of ours",
        "NOTION_NAME_PREFIX='a # \"b\" $c `d`' # it's",
        "NOTION_NAME_PREFIX=\"it's # \\\"so\\\"\"",
        "NOTION_NAME_PREFIX=first\nNOTION_NAME_PREFIX=last",
    ] {
        let bench = Bench::new();
        fs::write(bench.env_file(), with_prefix(&bench, line)).unwrap();
        let room = bench.recorded("standup");
        // The file counts for more than what the process has from elsewhere.
        run(bench.command("jitsi-finalize").arg(&room).env("NOTION_NAME_PREFIX", "elsewhere")).exits(0);
        assert_eq!(bench.only_row().title(), format!("{} standup", in_bash(&bench, "NOTION_NAME_PREFIX")), "{line}");
    }
}

#[test]
fn a_line_that_means_something_else_to_bash_or_stops_it_is_refused_by_its_number() {
    for (what, line) in [
        ("blanks around =", "NOTION_NAME_PREFIX = Jitsi"),
        ("blanks without quotes", "NOTION_NAME_PREFIX=our team"),
        ("a name that is not set", "NOTION_NAME_PREFIX=\"$TEAM\""),
        ("the number of the process", "NOTION_NAME_PREFIX=\"pa$$word\""),
        ("a default", "NOTION_NAME_PREFIX=${TEAM:-Jitsi}"),
        ("a home", "NOTION_NAME_PREFIX=~/x"),
        ("a tail", "NOTION_NAME_PREFIX=Jitsi\nNOTION_NAME_PREFIX+=s"),
        ("C's quotes", "NOTION_NAME_PREFIX=$'a\\tb'"),
        ("a condition", "if true; then"),
        ("lines in quotes", "NOTION_NAME_PREFIX='a\nb'"),
        ("two at once", "NOTION_NAME_PREFIX=a; LOCK_DIR=b"),
        ("a Windows line end", "NOTION_NAME_PREFIX='Jitsi'\r"),
    ] {
        let bench = Bench::new();
        let (room, text) = (bench.recorded("standup"), with_prefix(&bench, line));
        fs::write(bench.env_file(), &text).unwrap();
        let last = line.trim_end_matches('\r').lines().rfind(|line| line.contains(['=', ' '])).unwrap();
        let number = text.lines().position(|line| line.trim_end_matches('\r') == last).unwrap() + 1;
        for out in [bench.finalize(&room), bench.worker()] {
            let begins = format!("{}:{number}: ", bench.env_file().display());
            let out = out.exits(1);
            assert!(out.stderr.lines().any(|line| line.starts_with(&begins)), "{what}, {begins}: {}", out.stderr);
        }
        assert_eq!(bench.requests(), [""; 0], "{what}");
    }
}

#[test]
fn a_byte_order_mark_is_named_with_the_command_that_takes_it_away() {
    let bench = Bench::new();
    let room = bench.recorded("standup");
    let text = fs::read(bench.env_file()).unwrap();
    fs::write(bench.env_file(), [b"\xEF\xBB\xBF".as_slice(), &text].concat()).unwrap();
    let said = bench.finalize(&room).exits(1).stderr;
    let command = said.lines().find_map(|line| line.split_once("remove it with: ")).unwrap().1;
    run(Command::new("sh").args(["-c", command])).exits(0);
    bench.finalize(&room).exits(0);
    assert_eq!(bench.only_row().title(), "[Jitsi] standup");
}
