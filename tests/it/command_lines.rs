//! What the command lines have in common: help, usage errors, the env file, dry runs and completions.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pipeline_tests::{Bench, assert_published, run, skipped};

/// Those that say on stderr what is wrong with the env file; `rec-check` is there to say it.
const TOOLS: [&str; 6] = ["jitsi-finalize", "jitsi-hls-worker", "notion-patch", "rec-hook", "rec-ls", "rec-url"];
const ALL: [&str; 7] =
    ["jitsi-finalize", "jitsi-hls-worker", "notion-patch", "rec-check", "rec-hook", "rec-ls", "rec-url"];

/// With what a tool ends whose command line is wrong, and one whose env file is: `rec-hook` has the codes of sysexits.h.
fn codes(tool: &str) -> (i32, i32) {
    if tool == "rec-hook" { (64, 78) } else { (2, 1) }
}

/// Arguments with which a tool reads its env file and, where that is usable, has nothing to do or to change.
fn harmless(bench: &Bench, tool: &str) -> Vec<String> {
    let room = bench.room("harmless").to_str().unwrap().to_owned();
    match tool {
        "jitsi-hls-worker" => vec![],
        "rec-check" => vec!["env".to_owned()],
        "rec-hook" => vec!["ls".to_owned()],
        "notion-patch" => {
            let page = bench.notion.database_id();
            let args = [&*page, "-n", "--url", "https://x.example/y", "--provider", "hls", "--status", "error"];
            args.map(str::to_owned).to_vec()
        }
        _ => vec![room],
    }
}

/// Everything below a directory: kind and mode, time and bytes of each file.
fn tree(dir: &Path) -> BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let bytes = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            if metadata.is_dir() {
                dirs.push(path.clone());
            }
            all.insert(path, (metadata.mode(), metadata.mtime(), metadata.mtime_nsec(), bytes));
        }
    }
    all
}

#[test]
fn help_and_version_go_to_stdout_and_need_no_env_file() {
    for tool in ALL {
        let mut command = Command::new(pipeline_tests::binary(tool));
        let out = run(command.arg("--help").env_clear()).exits(0);
        for part in [tool, "Exit status: 0 done", "--env-file <PATH>", "--quiet", "--verbose", "--version"] {
            assert!(out.stdout.contains(part), "{tool}: no {part} in {}", out.stdout);
        }
        assert_eq!((out.stderr.as_str(), out.stdout.contains("generate-completion")), ("", false));
        let out = run(Command::new(pipeline_tests::binary(tool)).arg("--version").env_clear()).exits(0);
        assert_eq!((out.stdout, out.stderr), (format!("{tool} {}\n", env!("CARGO_PKG_VERSION")), String::new()));
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error_on_stderr() {
    let bench = Bench::new();
    for tool in ALL {
        for wrong in [&["--no-such-flag"][..], &["-q", "-v"], &["--env-file"], &["--generate-completion", "csh"]] {
            let out = run(bench.command(tool).args(harmless(&bench, tool)).args(wrong)).exits(codes(tool).0);
            assert_eq!(out.stdout, "");
            assert!(out.stderr.contains("Usage: ") || out.stderr.contains("--help"), "{}", out.stderr);
        }
    }
    for tool in ["jitsi-finalize", "notion-patch", "rec-hook", "rec-url"] {
        run(&mut bench.command(tool)).exits(codes(tool).0);
    }
    run(bench.command("jitsi-finalize").args(["a", "b"])).exits(2);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn quiet_says_nothing_and_the_log_is_written_as_ever() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let out = run(bench.command("jitsi-finalize").arg("-q").arg(&room)).exits(0);
    assert_eq!((out.stdout, out.stderr), (String::new(), String::new()));
    let id = bench.only_row().id;
    let log = bench.log("finalize.log");
    assert!(log[0].starts_with("Finalize room=daily-standup file=meeting.mp4 url=https://rec.example.com/"), "{log:?}");
    assert_eq!(log[1], format!("OK: notion page created id={id} stored at {}/.notion_id", room.display()));
    let out = bench.worker_with(["-q"]).exits(0);
    assert_eq!((out.stdout, out.stderr), (String::new(), String::new()));
    let wanted = [
        "Process room=daily-standup mp4=meeting.mp4",
        "Notion updated to HLS. Deleting mp4 room=daily-standup",
        "Worker run complete.",
    ];
    assert_eq!(bench.log("hls-worker.log"), wanted);
}

#[test]
fn quiet_still_says_what_went_wrong() {
    let bench = Bench::new();
    let out = run(bench.command("jitsi-finalize").arg("-q").arg(bench.room("empty"))).exits(1);
    let wanted = format!("ERROR: mp4 not found in {}", bench.room("empty").display());
    assert_eq!((out.messages(), bench.log("finalize.log")), (vec![wanted.clone()], vec![wanted]));
}

#[test]
fn verbose_explains_on_stderr_what_the_log_need_not_hold() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let skip = "Skip room=daily-standup: missing .notion_id";
    let hint = format!("jitsi-finalize {} publishes it", room.display());
    assert_eq!(bench.worker_with(["-v"]).exits(0).messages(), [skip, &hint, "Worker run complete."]);
    assert_eq!(bench.log("hls-worker.log"), [skip, "Worker run complete."]);
    assert_eq!(bench.worker().exits(0).messages(), [skip, "Worker run complete."]);
}

#[test]
fn a_dry_run_of_finalize_changes_nothing_and_sends_nothing() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let before = tree(bench.dir());
    let out = run(bench.command("jitsi-finalize").arg("-n").arg(&room)).exits(0);
    let messages = out.messages();
    assert!(messages[0].starts_with("Finalize room=daily-standup file=meeting.mp4 url=https://rec."), "{messages:?}");
    assert_eq!(messages[1..], ["Would create a notion page room=daily-standup"]);
    assert_eq!(tree(bench.dir()), before);
    bench.finalize(&room).exits(0);
    let (before, requests) = (tree(bench.dir()), bench.requests());
    let out = run(bench.command("jitsi-finalize").arg("--dry-run").arg(&room)).exits(0);
    let wanted = format!("Would do nothing room=daily-standup: notion page exists id={}", bench.only_row().id);
    assert_eq!(out.messages()[1..], [wanted]);
    assert_eq!((tree(bench.dir()), bench.requests()), (before, requests));
}

#[test]
fn a_dry_run_of_the_worker_changes_nothing_and_sends_nothing() {
    let bench = Bench::new();
    bench.finalized("published");
    bench.worker().exits(0);
    bench.finalized("finalized");
    bench.recorded("unknown");
    // What a worker that was killed left.
    fs::create_dir(bench.recordings().join("published/v1.tmp")).unwrap();
    let before = tree(bench.dir());
    bench.notion.clear_requests();
    let wanted = [
        "Would make its HLS room=finalized mp4=meeting.mp4",
        "Skip room=unknown: missing .notion_id",
        "Dry run complete, nothing was changed.",
    ];
    assert_eq!(bench.worker_with(["-n"]).exits(0).messages(), wanted);
    assert_eq!((tree(bench.dir()), bench.requests()), (before, vec![]));
}

#[test]
fn the_flag_beats_the_variable_and_the_variable_the_default() {
    let bench = Bench::new();
    for tool in TOOLS {
        let run = |flag: Option<&str>, variable: Option<&str>| {
            let mut command = bench.command(tool);
            command.env_remove("RECORDING_PIPELINE_ENV");
            variable.map(|path| command.env("RECORDING_PIPELINE_ENV", path));
            flag.map(|path| command.arg("--env-file").arg(path));
            run(command.args(harmless(&bench, tool)))
        };
        let usable = bench.env_file();
        let usable = usable.to_str();
        let not_found = "Env file not found: ";
        let unusable = codes(tool).1;
        let out = run(Some("/gone/flag"), usable).exits(unusable);
        assert_eq!(out.stderr, format!("{not_found}/gone/flag\n"), "{tool}");
        assert!(!run(usable, Some("/gone/variable")).stderr.contains(not_found), "{tool}");
        assert_eq!(
            run(None, Some("/gone/variable")).exits(unusable).stderr,
            format!("{not_found}/gone/variable\n"),
            "{tool}"
        );
        let default = "/etc/jitsi/recording-pipeline.env";
        if Path::new(default).exists() {
            skipped("the default env file is in use here");
        } else {
            assert_eq!(run(None, None).exits(unusable).stderr, format!("{not_found}{default}\n"), "{tool}");
            assert_eq!(run(None, Some("")).exits(unusable).stderr, format!("{not_found}{default}\n"), "{tool}");
        }
    }
}

#[test]
fn everything_that_is_wrong_with_an_env_file_is_said_at_once() {
    let bench = Bench::new();
    let file = bench.env_file();
    let bad = "NOTION_TOKEN=hunter2 x\nPUBLIC_BASE_URL=\"$BASE\"\nLOG_DIR='open\n";
    let odd = "NOTION_TOKEN='hunter2'\nPUBLIC_BASE_URL='rec.example.com'\nRECORDINGS_ROOT='here'\n";
    for (text, wanted) in [
        (bad, &[":1: NOTION_TOKEN: ", ":2: PUBLIC_BASE_URL: ", ":3: LOG_DIR: "][..]),
        (odd, &[": NOTION_DATABASE_ID: is missing: ", ":2: PUBLIC_BASE_URL: ", ":3: RECORDINGS_ROOT: "]),
    ] {
        fs::write(&file, text).unwrap();
        for tool in TOOLS {
            let out = run(bench.command(tool).args(harmless(&bench, tool))).exits(codes(tool).1);
            let lines: Vec<_> = out.stderr.lines().collect();
            assert_eq!((lines.len(), out.stdout.as_str()), (wanted.len(), ""), "{tool}: {}", out.stderr);
            for (line, wanted) in lines.iter().zip(wanted) {
                assert!(line.starts_with(&format!("{}{wanted}", file.display())), "{tool}: {line}");
            }
            assert!(!out.stderr.contains("hunter2"), "{tool}: {}", out.stderr);
        }
    }
}

#[test]
fn an_env_file_that_everybody_can_read_is_warned_of() {
    let bench = Bench::new();
    let file = bench.env_file();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let warning = format!(
        "WARNING: {0}: holds a token and every user can read it: chgrp jitsi-recordings {0} && chmod 640 {0}",
        file.display()
    );
    for tool in TOOLS {
        let out = run(bench.command(tool).args(harmless(&bench, tool)));
        assert_eq!(out.stderr.lines().filter(|line| line.ends_with(&warning)).count(), 1, "{tool}: {}", out.stderr);
    }
}

#[test]
fn what_finalize_could_not_publish_for_a_broken_env_file_the_worker_publishes() {
    let mut bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let database = bench.notion.database_id();
    bench.unset("NOTION_DATABASE_ID");
    let out = bench.finalize(&room).exits(1);
    let remembered = format!(
        "jitsi-finalize: remembered in {}/.recording.json: the worker publishes it once the env file is mended",
        room.display()
    );
    assert_eq!(out.stderr.lines().last().unwrap(), remembered);
    bench.worker().exits(1);
    assert_eq!(bench.requests(), [""; 0]);
    bench.set("NOTION_DATABASE_ID", database);
    let messages = bench.worker().exits(0).messages();
    let id = bench.only_row().id;
    assert_eq!(messages[0], format!("OK: notion page created id={id} room=daily-standup file=meeting.mp4"));
    assert_published(&room);
    assert_eq!(bench.only_row().status().unwrap(), "published");
}

#[test]
fn a_shell_accepts_the_completions_made_for_it() {
    for tool in ALL {
        for shell in ["bash", "zsh", "fish"] {
            let mut command = Command::new(pipeline_tests::binary(tool));
            let script = run(command.args(["--generate-completion", shell]).env_clear()).exits(0).stdout;
            for word in [tool, "env-file", "quiet"] {
                assert!(script.contains(word), "{tool}, {shell}: no {word}");
            }
            let Ok(mut child) = Command::new(shell).arg("-n").stdin(Stdio::piped()).spawn() else {
                skipped(&format!("{shell} is not here"));
                continue;
            };
            child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success(), "{tool}, {shell}");
        }
    }
}
