//! `rec-ls`: a line a recording, from the disk alone.

mod findings;
mod locked;
mod why;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pipeline_tests::ls::{columns, edit_state, made, objects, published, put_hls, rec_ls, states};
use pipeline_tests::media::{Clip, age, cut};
use pipeline_tests::names::{NAMES, file_of};
use pipeline_tests::processes::{can_trace, traced};
use pipeline_tests::{Bench, binary, run, scripts, skipped};
use serde_json::json;

const BASE: &str = "https://rec.example.com";

/// Rooms of the names, with an MP4 each of which no tool knows: so many bytes, so many minutes old.
fn heap(bench: &Bench, rooms: &[(&str, usize, u64)]) {
    for (name, size, minutes) in rooms {
        let file = bench.room(name).join("meeting.mp4");
        fs::write(&file, vec![0; *size]).unwrap();
        age(&file, std::time::Duration::from_secs(60 * minutes));
    }
}

/// The rooms of the lines.
fn rooms(bench: &Bench, args: &[&str]) -> Vec<String> {
    states(&rec_ls(bench, args).exits(0)).into_iter().map(|(_, room)| room).collect()
}

/// What a shell shows on a terminal; `None`, and said so, where script(1) is not there.
fn on_terminal(bench: &Bench, args: &str) -> Option<String> {
    if Command::new("script").arg("--version").output().is_err() {
        skipped("script is not here: install Debian's package bsdutils");
        return None;
    }
    let mut script = Command::new("script");
    script.args(["-qec", &format!("exec \"$LS\" {args}"), "/dev/null"]).env("LS", binary("rec-ls")).current_dir("/");
    script.env("RECORDING_PIPELINE_ENV", bench.env_file()).env("SHELL", "/bin/sh").stdin(Stdio::null());
    Some(run(&mut script).exits(0).stdout.replace('\r', ""))
}

#[test]
fn every_state_that_the_tools_leave_is_told_by_its_word() {
    let bench = Bench::new();
    bench.recorded_of(Clip::Short, "1 new");
    bench.finalize(bench.recorded_of(Clip::Short, "2 recorded")).exits(0);
    made(&bench, "3 made");
    published(&bench, "4 published");
    let damaged = made(&bench, "5 damaged");
    edit_state(&damaged, |recording| recording["damage"] = json!("it is cut"));
    bench.worker_with([&damaged]).exits(0);
    let cut_off = bench.recorded_of(Clip::Short, "6 error");
    cut(&cut_off.join("meeting.mp4"), 0.5);
    bench.finalize(&cut_off).exits(1);
    let gone = made(&bench, "7 gone");
    bench.notion.archive(fs::read_to_string(gone.join(".notion_id")).unwrap().trim());
    bench.worker_with([&gone]).exits(1);
    let lost = bench.recorded_of(Clip::Short, "8 lost");
    bench.finalize(&lost).exits(0);
    fs::remove_file(lost.join("meeting.mp4")).unwrap();
    let waiting = bench.recorded_of(Clip::Short, "9 waiting");
    bench.finalize(&waiting).exits(0);
    let hold = json!({"tries": 2, "since": "2026-01-01T00:00:00Z", "until": in_minutes(5), "why": "disk full"});
    edit_state(&waiting, |recording| recording["host"] = hold);

    let out = rec_ls(&bench, [""; 0]).exits(0);
    let wanted = ["new", "recorded", "made", "published", "damaged", "error", "gone", "lost", "waiting"];
    let wanted: Vec<_> =
        wanted.iter().enumerate().map(|(i, state)| ((*state).to_owned(), format!("{} {state}", i + 1))).collect();
    assert_eq!(states(&out), wanted);
    assert_eq!(out.stderr, "");

    let chosen = states(&rec_ls(&bench, ["--state", "made,published"]).exits(0));
    assert_eq!(chosen.iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>(), ["made", "published"]);
    let failed = states(&rec_ls(&bench, ["--failed"]).exits(0));
    assert_eq!(
        failed.iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>(),
        ["error", "gone", "lost", "waiting"]
    );
    let both = states(&rec_ls(&bench, ["--failed", "--state", "made,gone"]).exits(0));
    assert_eq!(both.iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>(), ["gone"]);
}

#[test]
fn what_is_published_has_had_its_trouble_before() {
    let bench = Bench::new();
    let room = published(&bench, "standup");
    edit_state(&room, |recording| recording["error"] = json!("ffmpeg said so"));
    assert_eq!(rec_ls(&bench, ["--failed"]).exits(0).stdout, "");
}

/// A time so many minutes from now, as the state file has it.
pub(crate) fn in_minutes(minutes: i64) -> String {
    let then = time::OffsetDateTime::now_utc() + time::Duration::minutes(minutes);
    then.format(&time::format_description::well_known::Rfc3339).unwrap()
}

#[test]
fn what_had_trouble_last_is_among_the_failed_though_it_is_tried_again() {
    let bench = Bench::new();
    let [first, second] = ["error", "hold"].map(|name| bench.recorded_of(Clip::Short, name));
    for room in [&first, &second] {
        bench.finalize(room).exits(0);
    }
    assert_eq!(rec_ls(&bench, ["--failed"]).exits(0).stdout, "");
    edit_state(&first, |recording| (recording["error"], recording["failures"]) = (json!("ffmpeg said so"), json!(1)));
    let now = in_minutes(0);
    edit_state(&second, |recording| {
        recording["remote"] = json!({"tries": 1, "since": now, "until": now, "why": "refused"});
    });
    let wanted = [("recorded", "error"), ("recorded", "hold")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(states(&rec_ls(&bench, ["--failed"]).exits(0)), wanted);
}

#[test]
fn a_pipe_gets_bytes_and_times_between_tabs_and_no_heading() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "standup");
    bench.finalize(&room).exits(0);
    let size = fs::metadata(room.join("meeting.mp4")).unwrap().len().to_string();
    let mut date = Command::new("date");
    let mtime = date.args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-r"]).arg(room.join("meeting.mp4")).output().unwrap().stdout;
    let mtime = String::from_utf8(mtime).unwrap();
    let page = bench.only_row().id;
    let link = format!("{BASE}/standup/meeting.mp4");
    let wanted = ["recorded", &size, mtime.trim(), "standup", "meeting.mp4", &page, &link];
    assert_eq!(columns(&rec_ls(&bench, [""; 0]).exits(0)), [wanted.map(str::to_owned)]);
}

#[test]
fn a_terminal_gets_the_meetings_name_and_a_pipe_that_of_the_directory() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "x7f3");
    fs::write(room.join("metadata.json"), r#"{"meeting_url":"https://meet.example.com/Daily%20Standup"}"#).unwrap();
    assert_eq!(columns(&rec_ls(&bench, [""; 0]).exits(0))[0][3], "x7f3");
    let Some(shown) = on_terminal(&bench, "") else { return };
    assert!(shown.contains("  Daily Standup  meeting.mp4  "), "{shown}");
}

#[test]
fn a_terminal_gets_a_heading_and_columns_that_are_aligned_whatever_the_names() {
    let bench = Bench::new();
    heap(&bench, &[("standup", 1536, 90), ("Привет", 10, 3 * 24 * 60), ("会議", 2 << 20, 2)]);
    let Some(shown) = on_terminal(&bench, "") else { return };
    let wanted = "\
STATE  SIZE  AGE  ROOM     FILE         PAGE  LINK
new    1.5k   1h  standup  meeting.mp4  -     https://rec.example.com/standup/meeting.mp4
new      10   3d  Привет   meeting.mp4  -     https://rec.example.com/%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82/meeting.mp4
new    2.0M   2m  会議     meeting.mp4  -     https://rec.example.com/%E4%BC%9A%E8%AD%B0/meeting.mp4
";
    assert_eq!(shown, wanted);
    assert_eq!(on_terminal(&bench, "--failed").unwrap(), "", "no heading over nothing");
}

#[test]
fn lines_are_sorted_by_name_and_slot_or_as_the_options_say() {
    let bench = Bench::new();
    heap(&bench, &[("b", 30, 30), ("a", 10, 20), ("c", 20, 10)]);
    for (args, wanted) in [
        (&[][..], ["a", "b", "c"]),
        (&["-r"], ["c", "b", "a"]),
        (&["-t"], ["c", "a", "b"]),
        (&["-tr"], ["b", "a", "c"]),
        (&["-S"], ["b", "c", "a"]),
        (&["-S", "-t"], ["c", "a", "b"]),
        (&["-t", "-S", "--reverse"], ["a", "c", "b"]),
    ] {
        assert_eq!(rooms(&bench, args), wanted, "{args:?}");
    }
    let named = rec_ls(&bench, [bench.room("c"), bench.room("a"), bench.room("c")]).exits(0);
    assert_eq!(states(&named).into_iter().map(|(_, room)| room).collect::<Vec<_>>(), ["a", "c"], "each once");
    // A second recording of a directory.
    published(&bench, "d");
    bench.recorded_of(Clip::Other, "d");
    let slots: Vec<_> =
        columns(&rec_ls(&bench, [bench.room("d")]).exits(0)).into_iter().map(|line| line[0].clone()).collect();
    assert_eq!(slots, ["published", "new"]);
}

#[test]
fn every_name_is_one_line_and_its_link_leads_to_its_file() {
    let bench = Bench::new();
    for name in &*NAMES {
        fs::write(bench.room(name).join(file_of(name)), "").unwrap();
    }
    let out = rec_ls(&bench, [""; 0]).exits(0);
    let lines = columns(&out);
    assert_eq!(lines.len(), NAMES.len());
    for object in objects(&rec_ls(&bench, ["--json"]).exits(0)) {
        let bytes = |value: &serde_json::Value| match value.as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => unhex(value["hex"].as_str().unwrap()),
        };
        let path =
            Path::new(OsStr::from_bytes(&bytes(&object["dir"]))).join(OsStr::from_bytes(&bytes(&object["file"])));
        assert!(path.is_file(), "{object}");
        assert!(path.parent().unwrap().ends_with(OsStr::from_bytes(&bytes(&object["room"]))), "{object}");
        let url = run(bench.command("rec-url").arg(&path)).exits(0).stdout;
        assert_eq!(object["link"].as_str().unwrap(), url.trim_end());
    }
    let out = bench.command("rec-ls").arg("-0").output().unwrap();
    let mut dirs: Vec<&[u8]> = out.stdout.split(|byte| *byte == 0).collect();
    assert_eq!(dirs.pop(), Some(&b""[..]), "NUL behind each");
    let mut wanted: Vec<_> = NAMES.iter().map(|name| bench.room(name)).collect();
    wanted.sort();
    assert_eq!(dirs.into_iter().map(|dir| Path::new(OsStr::from_bytes(dir)).to_owned()).collect::<Vec<_>>(), wanted);
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_directories_of_what_failed_go_by_xargs_to_a_retry() {
    let bench = Bench::new();
    for name in ["it's\nodd", "plain"] {
        let room = made(&bench, name);
        edit_state(&room, |recording| {
            recording["remote"] =
                json!({"tries": 5, "since": "2026-01-01T00:00:00Z", "until": in_minutes(60), "why": "503"});
        });
    }
    heap(&bench, &[("not this one", 1, 1)]);
    bench.worker().exits(0);
    assert_eq!(states(&rec_ls(&bench, ["--state", "waiting"]).exits(0)).len(), 2);
    let line = "rec-ls --failed -0 | xargs -0r jitsi-hls-worker --retry";
    pipeline_tests::ls::paste(&bench, line).exits(0);
    assert_eq!(states(&rec_ls(&bench, ["--state", "published"]).exits(0)).len(), 2);
    let out = pipeline_tests::ls::paste(&bench, line).exits(0);
    assert_eq!((out.stdout, out.stderr), (String::new(), String::new()), "nothing failed: nothing is run");
}

#[test]
fn an_object_has_every_field_and_no_secret() {
    let mut bench = Bench::new();
    bench.set("PUBLIC_URL_AUTH", "team:hunter2@");
    bench.set("PUBLISH_LINK", "page");
    let room = made(&bench, "standup");
    fs::write(room.join("metadata.json"), r#"{"meeting_url":"https://meet.example.com/Daily%20Standup?jwt=hunter3"}"#)
        .unwrap();
    let time = "2026-01-02T03:04:05.123456789Z";
    edit_state(&room, |recording| {
        recording["error"] = json!("Notion said \"no\"\nthrice");
        recording["failures"] = json!(2);
        recording["remote"] = json!({"tries": 1, "since": time, "until": time, "why": "503"});
        recording["told"] = json!({"reflector": "recorded"});
    });
    let out = rec_ls(&bench, ["--json"]).exits(0);
    assert!(!out.stdout.contains("hunter"), "{}", out.stdout);
    let object = objects(&out).remove(0);
    let [size, recorded] = ["size", "recorded"].map(|key| object[key].clone());
    assert_eq!(size, fs::metadata(room.join("meeting.mp4")).unwrap().len());
    assert_eq!(recorded, columns(&rec_ls(&bench, [""; 0]).exits(0))[0][2]);
    let golden = json!({
        "state": "made", "dir": room.to_str(), "room": "standup", "meeting": "Daily Standup", "file": "meeting.mp4",
        "mp4": true, "size": size, "recorded": recorded, "slot": 0, "hls": true, "page": bench.only_row().id,
        "row": {"provider": "mp4", "status": "recorded"}, "link": "https://rec.example.com/standup/v0/",
        "damage": null, "error": "Notion said \"no\"\nthrice", "failures": 2, "given_up": false, "row_gone": false,
        "host": null, "remote": {"tries": 1, "since": time, "until": time, "why": "503"}, "removed": null,
    });
    assert_eq!(object, golden);
    let keys: Vec<_> = golden.as_object().unwrap().keys().collect();
    assert_eq!(object.as_object().unwrap().keys().collect::<Vec<_>>(), keys, "in this order");
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../man/rec-ls.1")).unwrap();
    let schema = page.split(".Sh JSON").nth(1).unwrap().split(".Sh ").next().unwrap();
    for key in keys {
        let named = |line: &str| line.contains("Va ") && line.split([' ', ',']).any(|word| word == key);
        assert!(schema.lines().any(named), "rec-ls(1) does not tell of {key}");
    }
}

#[test]
fn what_the_scripts_left_is_shown_as_the_tools_will_take_it_in() {
    let bench = Bench::new();
    let finalized = bench.recorded_of(Clip::Short, "1 finalized");
    let page = scripts::finalize(&bench, &finalized);
    let done = bench.recorded_of(Clip::Short, "2 done");
    scripts::finalize(&bench, &done);
    put_hls(&done.join("v0"));
    fs::remove_file(done.join("meeting.mp4")).unwrap();
    let empty = bench.recorded_of(Clip::Short, "3 empty id");
    fs::write(empty.join(".notion_id"), "").unwrap();
    let before = pipeline_tests::files_below(&bench.recordings());
    let lines = columns(&rec_ls(&bench, [""; 0]).exits(0));
    assert_eq!(lines.iter().map(|line| line[0].as_str()).collect::<Vec<_>>(), ["recorded", "made", "new"]);
    assert_eq!(lines[0][5], page);
    assert_eq!(lines[1][4], "v0");
    assert_eq!(lines[1][1..3], ["-", "-"]);
    assert_eq!(pipeline_tests::files_below(&bench.recordings()), before);
}

#[test]
fn a_row_that_the_scripts_made_since_is_the_one_that_is_shown() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "standup");
    bench.finalize(&room).exits(0);
    let page = scripts::finalize(&bench, &room);
    assert_eq!(columns(&rec_ls(&bench, [""; 0]).exits(0))[0][5], page);
}

#[test]
fn a_directory_that_cannot_be_read_is_named_and_the_others_are_listed() {
    let bench = Bench::new();
    heap(&bench, &[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]);
    fs::write(bench.room("b").join(".recording.json"), "{\"version\":").unwrap();
    let out = rec_ls(&bench, [""; 0]).exits(1);
    assert_eq!(states(&out).into_iter().map(|(_, room)| room).collect::<Vec<_>>(), ["a", "c"]);
    let state = bench.room("b").join(".recording.json");
    let wanted = format!("rec-ls: {} is not a state file of this suite: ", state.display());
    assert!(out.stderr.starts_with(&wanted) && out.stderr.lines().count() == 1, "{}", out.stderr);
    let out = rec_ls(&bench, [bench.recordings().join("gone"), bench.room("a"), state]).exits(1);
    assert_eq!(states(&out).len(), 1);
    assert_eq!(out.stderr.lines().count(), 2, "{}", out.stderr);
}

#[test]
fn without_an_env_file_named_directories_are_listed_all_the_same() {
    let bench = Bench::new();
    heap(&bench, &[("a", 7, 1)]);
    let mut command = bench.command("rec-ls");
    let out = run(command.args(["--env-file", "/gone"]).arg(bench.room("a"))).exits(1);
    assert_eq!(out.stderr, "Env file not found: /gone\n");
    let [state, size, _, room, file, page, link] = &columns(&out)[0];
    assert_eq!([state, size, room, file, page, link], ["new", "7", "a", "meeting.mp4", "-", "-"]);
    let out = run(bench.command("rec-ls").args(["--env-file", "/gone"])).exits(1);
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("", "Env file not found: /gone\n"));
    let out = run(bench.command("rec-ls").args(["--env-file", "/gone"]).arg(bench.recordings())).exits(1);
    assert!(out.stdout.is_empty() && out.stderr.contains(": is it RECORDINGS_ROOT? "), "{}", out.stderr);
}

#[test]
fn the_root_itself_stands_for_all_that_are_in_it() {
    let bench = Bench::new();
    heap(&bench, &[("a", 1, 1), ("b", 1, 1)]);
    let mut command = bench.command("rec-ls");
    let out = run(command.current_dir(bench.recordings()).arg(".")).exits(0);
    assert_eq!(out.stdout, rec_ls(&bench, [""; 0]).exits(0).stdout);
    let mut command = bench.command("rec-ls");
    let out = run(command.current_dir(bench.room("a")).args(["-0", "."])).exits(0);
    assert_eq!(out.stdout, format!("{}\0", bench.room("a").display()), "a path that leads there from anywhere");
}

#[test]
fn nothing_is_written_nothing_is_started_and_nobody_is_called() {
    let bench = Bench::new();
    let room = made(&bench, "made");
    heap(&bench, &[("new", 1, 100)]);
    fs::create_dir(room.join("v1.tmp")).unwrap();
    bench.notion.clear_requests();
    if !can_trace() {
        return;
    }
    let trace = bench.dir().join("trace");
    for args in [&[][..], &["--json"], &["--why", room.to_str().unwrap()], &["--check"]] {
        let mut command = bench.command("rec-ls");
        command.args(args);
        let calls = "trace=%file,%network,%process,write,pwrite64,ftruncate,flock,fchmod,fchown";
        let strace = ["-e", calls, "-o"].map(OsString::from).into_iter().chain([trace.clone().into()]);
        run(&mut traced(&command, strace));
        let trace = fs::read_to_string(&trace).unwrap();
        let changes = |line: &&str| {
            let call = line.split('(').next().unwrap().rsplit(' ').next().unwrap();
            let open =
                call.starts_with("open") && ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|how| line.contains(how));
            let harmless = [
                "openat",
                "open",
                "execve",
                "access",
                "faccessat2",
                "readlink",
                "statx",
                "newfstatat",
                "stat",
                "lstat",
                "statfs",
                "getcwd",
                "exit_group",
                "exit",
                "write",
                "fstat",
                "clone3",
                "clone",
            ];
            open || !harmless.contains(&call)
                || call == "write" && !line.contains("write(1,") && !line.contains("write(2,")
        };
        let changes: Vec<_> = trace.lines().filter(|line| !line.contains("+++")).filter(changes).collect();
        assert_eq!(changes, [""; 0], "{args:?}");
        assert_eq!(trace.matches("execve(").count(), 1, "{args:?}");
    }
    assert_eq!(bench.requests(), [""; 0]);
}
