//! What the script jitsi-finalize.sh did, and jitsi-finalize does.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use pipeline_tests::media::{self, Clip};
use pipeline_tests::processes::start;
use pipeline_tests::{Bench, Fault, is_date_is, listing, run};
use serde_json::json;

#[test]
fn without_an_argument_it_says_usage_before_it_looks_for_its_env_file() {
    let bench = Bench::new();
    for args in [&[][..], &[""][..]] {
        let mut command = bench.command("jitsi-finalize");
        let out = run(command.args(args).env("RECORDING_PIPELINE_ENV", "/nowhere")).exits(2);
        assert_eq!(out.stdout, "");
        assert!(out.stderr.contains("<DIR_OR_FILE>"), "{}", out.stderr);
        assert!(!out.stderr.contains("Env file"), "{}", out.stderr);
    }
    assert!(!bench.dir().join("log").exists());
}

#[test]
fn without_its_env_file_it_says_only_that() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let missing = bench.dir().join("missing.env");
    let out = run(bench.command("jitsi-finalize").arg("--env-file").arg(&missing).arg("/nowhere")).exits(1);
    assert_eq!((out.stdout, out.stderr), (String::new(), format!("Env file not found: {}\n", missing.display())));
    assert_eq!(listing(&room), ["meeting.mp4"]);
    assert!(!bench.dir().join("log").exists());

    // A machine where the suite is in use has this file, and its recordings are not ours.
    let default = "/etc/jitsi/recording-pipeline.env";
    if !Path::new(default).exists() {
        let out = run(bench.command("jitsi-finalize").env_remove("RECORDING_PIPELINE_ENV").arg("/nowhere")).exits(1);
        assert_eq!((out.stdout, out.stderr), (String::new(), format!("Env file not found: {default}\n")));
    }
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let bench = Bench::new();
    let missing = bench.recordings().join("missing");
    let out = bench.finalize(&missing).exits(1);
    let line = format!("ERROR: recording dir not found: {}", missing.display());
    assert_eq!((out.stdout.as_str(), out.messages()), ("", vec![line.clone()]));
    // LOG_DIR has been made before, as the script made it.
    assert_eq!(bench.log("finalize.log"), [line]);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn a_directory_without_an_mp4_is_named_and_left_alone() {
    let bench = Bench::new();
    let room = bench.room("daily-standup");
    media::put(Clip::Jibri, &room.join("meeting.mp4.part"));
    symlink(media::clip(Clip::Jibri), room.join("link.mp4")).unwrap();
    fs::create_dir(room.join("directory.mp4")).unwrap();
    let out = bench.finalize(&room).exits(1);
    let line = format!("ERROR: mp4 not found in {}", room.display());
    assert_eq!((out.stdout.as_str(), out.messages()), ("", vec![line.clone()]));
    assert_eq!(bench.log("finalize.log"), [line]);
    assert_eq!(bench.requests(), [""; 0]);
    let names = listing(&room);
    assert_eq!(names.iter().filter(|name| *name != ".recording.lock").count(), 3, "{names:?}");
}

#[test]
fn a_row_is_announced_and_confirmed_in_two_lines_on_stderr_and_in_the_log() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    set_time(&room.join("meeting.mp4"), 1_766_638_862);
    let out = bench.finalize(&room).exits(0);
    assert_eq!(out.stdout, "");
    let id = bench.only_row().id;
    let lines = [
        "Finalize room=daily-standup file=meeting.mp4 url=https://rec.example.com/daily-standup/meeting.mp4 \
         date=2025-12-25T05:01:02Z"
            .to_owned(),
        format!("OK: notion page created id={id} stored at {}/.notion_id", room.display()),
    ];
    assert_eq!(out.messages(), lines);
    assert_eq!(fs::read_to_string(bench.dir().join("log/finalize.log")).unwrap(), out.stderr);
    for line in out.stderr.lines() {
        assert!(is_date_is(line.split(' ').next().unwrap()), "{line}");
    }
}

#[test]
fn the_log_has_local_time_and_is_appended_to() {
    let bench = Bench::new();
    let log = bench.dir().join("log/finalize.log");
    fs::create_dir(log.parent().unwrap()).unwrap();
    fs::write(&log, "2025-12-25T05:01:02+00:00 of an earlier run\n").unwrap();
    let room = bench.recorded("daily-standup");
    let date = || run(std::process::Command::new("date").arg("-Is").env("TZ", "Asia/Kolkata")).stdout;
    let before = date();
    let out = run(bench.command("jitsi-finalize").arg(&room).env("TZ", "Asia/Kolkata")).exits(0);
    let stamp = out.stderr.split(' ').next().unwrap().to_owned();
    assert!(before.trim() <= stamp.as_str() && stamp.as_str() <= date().trim(), "{before} {stamp}");
    assert!(stamp.ends_with("+05:30"), "{stamp}");
    let logged = fs::read_to_string(&log).unwrap();
    assert_eq!(logged, format!("2025-12-25T05:01:02+00:00 of an earlier run\n{}", out.stderr));
    // The row's date is in UTC wherever the machine is.
    assert!(out.stderr.contains(&format!("date={}", utc_of(&room.join("meeting.mp4")))), "{}", out.stderr);
}

#[test]
fn the_request_is_the_scripts() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    set_time(&room.join("meeting.mp4"), 1_766_638_862);
    bench.finalize(&room).exits(0);
    let writes = bench.writes();
    let [request] = &writes[..] else { panic!("{writes:?}") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/pages"));
    assert_eq!(request.header("Authorization"), Some(&*format!("Bearer {}", bench.notion.token())));
    assert_eq!(request.header("Content-Type"), Some("application/json"));
    assert_eq!(request.header("Notion-Version"), Some("2022-06-28"));
    let wanted = json!({
        "parent": { "database_id": bench.notion.database_id() },
        "properties": {
            "Name": { "title": [ { "text": { "content": "[Jitsi] daily-standup" } } ] },
            "Date": { "date": { "start": "2025-12-25T05:01:02Z" } },
            "Recording URL": { "url": "https://rec.example.com/daily-standup/meeting.mp4" },
            "Room": { "rich_text": [ { "text": { "content": "daily-standup" } } ] },
            "Status": { "select": { "name": "recorded" } },
            "Provider": { "select": { "name": "mp4" } }
        }
    });
    // As text: the keys are in the script's order too.
    assert_eq!(request.body.as_ref().unwrap().to_string(), wanted.to_string());
}

#[test]
fn notion_id_holds_the_id_and_a_newline_for_its_group_to_read_whatever_the_umask() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let mut command = std::process::Command::new("sh");
    let tool = bench.command("jitsi-finalize");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(tool.get_program()).arg(&room);
    run(command.env("RECORDING_PIPELINE_ENV", bench.env_file())).exits(0);
    let file = room.join(".notion_id");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", bench.only_row().id));
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (37, 0o640));
}

#[test]
fn of_several_mp4s_the_largest_is_the_main_one_and_of_equals_the_last_by_name() {
    let bench = Bench::new();
    let room = bench.room("daily-standup");
    for (name, clip) in [("a.mp4", Clip::Jibri), ("b.mp4", Clip::Jibri), ("z.mp4", Clip::Short)] {
        media::put(clip, &room.join(name));
    }
    let out = bench.finalize(&room).exits(0);
    let first = &out.messages()[0];
    assert!(first.starts_with("Finalize room=daily-standup file=b.mp4 "), "{first}");
    let id = fs::read_to_string(room.join(".notion_id")).unwrap();
    let row = bench.notion.page(id.trim()).unwrap();
    assert_eq!(row.url().unwrap(), "https://rec.example.com/daily-standup/b.mp4");
}

#[test]
fn a_file_stands_for_its_directory() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    media::put(Clip::Short, &room.join("a.mp4"));
    fs::write(room.join("metadata.json"), "{}").unwrap();
    // The largest MP4 is the main one, whichever file was named.
    for file in ["a.mp4", "meeting.mp4", "metadata.json"] {
        bench.finalize(room.join(file)).exits(0);
    }
    let id = fs::read_to_string(room.join(".notion_id")).unwrap();
    let row = bench.notion.page(id.trim()).unwrap();
    assert_eq!(row.url().unwrap(), "https://rec.example.com/daily-standup/meeting.mp4");
    let stored = format!("stored at {}/.notion_id", room.display());
    assert!(bench.log("finalize.log").iter().any(|line| line.ends_with(&stored)));
}

#[test]
fn a_trailing_slash_changes_nothing() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let out = bench.finalize(format!("{}/", room.display())).exits(0);
    let row = bench.only_row();
    assert_eq!(row.url().unwrap(), "https://rec.example.com/daily-standup/meeting.mp4");
    let id = row.id;
    let line = format!("OK: notion page created id={id} stored at {}/.notion_id", room.display());
    assert_eq!(out.messages()[1], line);
}

#[test]
fn a_relative_path_is_taken_from_where_it_was_called_and_a_dot_has_the_directorys_name() {
    for (dir, argument) in [("", "daily-standup"), ("daily-standup", "."), ("daily-standup", "meeting.mp4")] {
        let bench = Bench::new();
        bench.recorded("daily-standup");
        let from = bench.recordings().join(dir);
        run(bench.command("jitsi-finalize").arg(argument).current_dir(from)).exits(0);
        let row = bench.only_row();
        assert_eq!(row.title(), "[Jitsi] daily-standup", "{argument}");
        assert_eq!(row.url().unwrap(), "https://rec.example.com/daily-standup/meeting.mp4", "{argument}");
    }
}

#[test]
fn it_announces_then_asks_notion_then_writes_notion_id_then_confirms() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    bench.notion.fail(Fault::delayed(Duration::from_secs(3)).on("POST", "/v1/pages"));
    let running = start(bench.command("jitsi-finalize").arg(&room));
    pipeline_tests::wait_for("the create", || bench.writes().len() == 1);
    let log = bench.log("finalize.log");
    assert!(log.len() == 1 && log[0].starts_with("Finalize room=daily-standup "), "{log:?}");
    assert!(!room.join(".notion_id").exists());
    assert_eq!(bench.notion.pages().len(), 0);
    running.end().exits(0);
    assert!(room.join(".notion_id").exists());
    let log = bench.log("finalize.log");
    assert!(log.len() == 2 && log[1].starts_with("OK: notion page created id="), "{log:?}");
}

#[test]
fn an_error_of_notion_is_logged_in_the_scripts_words_with_exit_1() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    bench.notion.set_token("another");
    let out = bench.finalize(&room).exits(1);
    let messages = out.messages();
    let last = messages.last().unwrap();
    assert!(last.starts_with("ERROR: Notion create page failed: "), "{last}");
    assert!(last.contains("401 unauthorized: API token is invalid."), "{last}");
    assert_eq!(bench.log("finalize.log"), messages);
    assert!(!room.join(".notion_id").exists());
}

#[test]
fn it_reads_no_stdin_needs_no_other_program_and_says_nothing_on_stdout() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let mut command = bench.command("jitsi-finalize");
    // A pipe that nobody closes, as Jibri leaves it.
    let running = start(command.arg(&room).env("PATH", "/nowhere").stdin(Stdio::piped()));
    let out = running.end().exits(0);
    assert_eq!(out.stdout, "");
    assert_eq!(bench.only_row().title(), "[Jitsi] daily-standup");
}

fn set_time(file: &Path, unix: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(unix);
    fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
}

fn utc_of(file: &Path) -> String {
    let mut date = std::process::Command::new("date");
    run(date.args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-r"]).arg(file)).stdout.trim().to_owned()
}
