//! Random env files against real bash: what we accept, `source` reads to the same values. `PROPTEST_CASES` raises the number.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use rec_core::envfile;

/// Stands in values only; with its `-` it cannot be part of a key's name, which messages do show.
const SECRET: &str = "hunter-2";

/// Pieces of lines that bash, `env_file_reader` or both treat specially.
const NASTY: &[&str] = &[
    "'",
    "\"",
    "\\",
    "\\n",
    "\\\"",
    "\\'",
    "\\\\",
    "$",
    "$HOME",
    "${X:-d}",
    "$(echo x)",
    "`echo x`",
    "$'a'",
    "$\"a\"",
    "${",
    "$((1+1))",
    "<<EOF\n",
    "\\$",
    "\\`",
    "\\x41",
    "\u{200b}",
    "\u{3000}",
    "$$",
    "#",
    " #",
    " # it's",
    "\t",
    " ",
    "  ",
    "=",
    "==",
    "+=",
    ";",
    "&",
    "|",
    "&&",
    "<",
    ">",
    "(",
    ")",
    "{a,b}",
    "{",
    "}",
    "[0]",
    "*",
    "?",
    "!",
    "!!",
    "~",
    "~root",
    ":~",
    "^",
    "%",
    "@",
    "+",
    "-",
    ",",
    ".",
    "/",
    "é",
    "日本",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\r",
    "\n",
    "\r\n",
    "\\\n",
    "\0",
    "\x01",
    "\x0b",
    "\x0c",
    "\x1b",
    "\x7f",
    "export",
    "export ",
    "readonly ",
    "set -a",
    "source x",
    "if",
    "fi",
    "exit",
    "return 0",
    "A",
    "x",
    "a1",
    SECRET,
];

const KEYS: &[&str] =
    &["A", "B", "_X", "NOTION_TOKEN", "LOG_DIR", "exported", "export_", "a1", "if", "x", "TZ", "HOME", "in"];

/// Names that mean something to bash.
const BASH_KEYS: &[&str] = &[
    "export",
    "1A",
    "",
    "A-B",
    "é",
    "UID",
    "PATH",
    "IFS",
    "RANDOM",
    "SECONDS",
    "_",
    "BASH_ENV",
    "BASH",
    "LC_ALL",
    "LANG",
    "OPTIND",
    "POSIXLY_CORRECT",
    "SHELLOPTS",
    "PS4",
    "PWD",
    "SRANDOM",
    "GROUPS",
];

fn nasty() -> impl Strategy<Value = String> {
    vec(select(NASTY), 0..5).prop_map(|pieces| pieces.concat())
}

/// Text with a nasty piece now and then, so that many a value is fine.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-zA-Z0-9_./:@%+,-]{0,6}",
        2 => select(&[" ", "#", " # ", "é", "日", "\t", "[x]", "\\t", "\\", "\\\"", "'", "\\\\", "!", "\u{feff}", SECRET][..]).prop_map(str::to_owned),
        1 => select(NASTY).prop_map(str::to_owned),
    ];
    vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-zA-Z0-9_./:@%+,-]{0,9}",
        8 => text().prop_map(|text| format!("'{}'", text.replace('\'', ""))),
        6 => text().prop_map(|text| format!("\"{text}\"")),
        1 => text(),
        1 => nasty(),
        1 => select(&["export", "exportX", "export.", "export-", "true", "'a'\"b\"", "\"a\"b", "\"a\\\"b\" # \"c", "''", "\"\""][..])
            .prop_map(str::to_owned),
    ]
}

fn line() -> impl Strategy<Value = String> {
    let before = || prop_oneof![24 => Just(String::new()), 8 => Just("export ".into()), 2 => Just(" \texport \t".into()), 4 => Just("  ".into()), 1 => nasty()];
    let after = || prop_oneof![24 => Just(String::new()), 6 => Just(" # c".into()), 4 => Just(" \t".into()), 2 => Just("# c".into()), 1 => nasty()];
    let key = prop_oneof![48 => select(KEYS), 1 => select(BASH_KEYS)];
    let equals = prop_oneof![100 => Just("="), 1 => Just(" ="), 1 => Just("= "), 1 => Just("+="), 1 => Just("[0]=")];
    prop_oneof![
        36 => (before(), key, equals, value(), after()).prop_map(|(before, key, equals, value, after)| format!("{before}{key}{equals}{value}{after}")),
        6 => select(&["", "  ", "# it's a \"comment", "\t# é $x `", "#"][..]).prop_map(str::to_owned),
        1 => nasty(),
    ]
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let lines = || {
        (vec(line(), 0..9), select(&["\n", "\n", "\n", "\n", "\n", "\n\n", "\r\n"][..]), any::<bool>())
            .prop_map(|(lines, end, last)| (lines.join(end) + if last { end } else { "" }).into_bytes())
    };
    prop_oneof![
        30 => lines(),
        1 => lines().prop_map(|lines| [b"\xEF\xBB\xBF".to_vec(), lines].concat()),
        1 => (lines(), vec(any::<u8>(), 0..4), any::<prop::sample::Index>()).prop_map(|(mut lines, bytes, at)| {
            let at = at.index(lines.len() + 1);
            lines.splice(at..at, bytes);
            lines
        }),
        1 => vec(any::<u8>(), 0..30),
    ]
}

/// What each key is after `source`; the error is how bash ended.
fn sourced(path: &Path, keys: &BTreeSet<&str>, locale: &str) -> Result<Vec<String>, String> {
    const SCRIPT: &str = r#"set -eu; source "$1"; shift; while (($#)); do printf '%s\0' "${!1}"; shift; done"#;
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", SCRIPT, "bash"])
        .arg(path)
        .args(keys)
        .env_clear()
        .env("LC_ALL", locale)
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !stderr.is_empty() {
        return Err(format!("{}: {stderr}", output.status));
    }
    let values = output
        .stdout
        .split_inclusive(|byte| *byte == 0)
        .map(|value| String::from_utf8_lossy(&value[..value.len() - 1]).into_owned());
    Ok(values.collect())
}

#[test]
fn a_file_that_we_accept_means_the_same_to_bash() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("env");
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 1500;
    }
    let cases = config.cases as usize;
    let (accepted, values) = (Cell::new(0), Cell::new(0));
    let run = |(bytes, locale): (Vec<u8>, &str)| {
        match envfile::parse(&path, &bytes) {
            Err(problems) => prop_assert!(!problems.to_string().contains(SECRET), "{problems}"),
            Ok(file) => {
                prop_assert!(!file.warnings.concat().contains(SECRET));
                let keys: BTreeSet<&str> = file.entries.iter().map(|entry| entry.key.as_str()).collect();
                accepted.set(accepted.get() + 1);
                values.set(values.get() + keys.len());
                fs::write(&path, &bytes).unwrap();
                let ours: Vec<String> = keys.iter().map(|key| file.get(key).unwrap_or_default().to_owned()).collect();
                prop_assert_eq!(sourced(&path, &keys, locale), Ok(ours));
            }
        }
        Ok(())
    };
    if let Err(error) = TestRunner::new(config).run(&(file(), select(&["C", "C.UTF-8"][..])), run) {
        panic!("{error}");
    }
    println!("{cases} files, {} accepted with {} keys", accepted.get(), values.get());
    assert!(accepted.get() * 4 > cases, "only {} of {cases} files were accepted", accepted.get());
    assert!(values.get() * 3 > cases, "only {} values in {cases} files", values.get());
}

/// Each name that this bash sets, and those of its manual that it sets later or on assignment.
#[test]
fn a_name_that_we_accept_is_an_ordinary_variable_to_bash() {
    let names = Command::new("bash").args(["--noprofile", "--norc", "-c", "compgen -v"]).env_clear().output().unwrap();
    let names = String::from_utf8(names.stdout).unwrap();
    assert!(names.lines().any(|name| name == "EUID"));
    let manual = "COMP_CWORD COMP_KEY COMP_LINE COMP_WORDBREAKS COMPREPLY COPROC EPOCHREALTIME EPOCHSECONDS FUNCNAME MAPFILE OLDPWD \
        OPTARG READLINE_LINE REPLY SECONDS SRANDOM BASH_ARGV0 BASH_COMPAT BASH_ENV BASH_LOADABLES_PATH BASH_XTRACEFD CDPATH \
        CHILD_MAX COLUMNS ENV FCEDIT FIGNORE FUNCNEST GLOBIGNORE HISTCONTROL HISTFILE HISTFILESIZE HISTSIZE HOME HOSTFILE \
        IGNOREEOF INPUTRC LC_ALL LC_CTYPE LINES MAIL MAILCHECK MAILPATH POSIXLY_CORRECT PROMPT_COMMAND PS0 PS1 PS2 PS3 SHELL \
        TEXTDOMAIN TIMEFORMAT TMOUT TMPDIR TZ auto_resume histchars";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("env");
    let mut refused = Vec::new();
    for name in names.lines().chain(manual.split_whitespace()) {
        for value in ["x", "1", "", "'a b'"] {
            // The comment and the second key show that the rest of the file is still read in the same way.
            let text = format!("{name}={value}\nZ='a \" b' # c\n");
            let Ok(file) = envfile::parse(&path, text.as_bytes()) else {
                refused.push(name);
                continue;
            };
            fs::write(&path, &text).unwrap();
            let keys = BTreeSet::from([name, "Z"]);
            let ours: Vec<String> = keys.iter().map(|key| file.get(key).unwrap_or_default().to_owned()).collect();
            assert_eq!(sourced(&path, &keys, "C"), Ok(ours), "{text}");
        }
    }
    for name in
        ["UID", "EUID", "PPID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO", "RANDOM", "SECONDS", "LINENO", "PATH", "IFS"]
    {
        assert!(refused.contains(&name), "{name}");
    }
}
