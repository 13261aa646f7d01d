//! What the script jitsi-hls-worker.sh did, and jitsi-hls-worker does: a run as a whole.

use std::fs::{self, File};
use std::time::Duration;

use pipeline_tests::processes::start;
use pipeline_tests::{Bench, Fault, is_date_is, listing, run, wait_for};

#[test]
fn without_its_env_file_it_says_only_that() {
    let bench = Bench::new();
    let missing = bench.dir().join("missing.env");
    let out = run(bench.command("jitsi-hls-worker").arg("--env-file").arg(&missing)).exits(1);
    assert_eq!((out.stdout, out.stderr), (String::new(), format!("Env file not found: {}\n", missing.display())));
}

#[test]
fn a_second_worker_says_that_another_is_running_and_exits_0() {
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    fs::create_dir(bench.dir().join("lock")).unwrap();
    let lock = File::create(bench.dir().join("lock/hls-worker.lock")).unwrap();
    lock.lock().unwrap();
    let out = bench.worker().exits(0);
    assert_eq!((out.stdout.as_str(), out.messages()), ("", vec!["Another worker is running, exit.".to_owned()]));
    assert_eq!(bench.log("hls-worker.log"), out.messages());
    assert_eq!(bench.requests(), [""; 0]);
    assert!(room.join("meeting.mp4").exists());
}

#[test]
fn it_makes_its_directories_and_leaves_a_lock_file_that_says_who_had_it() {
    let bench = Bench::new();
    bench.worker().exits(0);
    assert_eq!(listing(&bench.dir().join("log")), ["hls-worker.log"]);
    assert_eq!(listing(&bench.dir().join("lock")), ["hls-worker.lock"]);
    let said = || fs::read_to_string(bench.dir().join("lock/hls-worker.lock")).unwrap();
    let first = said();
    assert!(first.starts_with("jitsi-hls-worker ") && first.ends_with("Z\n") && first.lines().count() == 1, "{first}");
    // It is there at the next run, and no obstacle; the script's own way to open it empties it.
    assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
    assert_ne!(said(), first, "another process");
}

#[test]
fn a_lock_that_cannot_be_made_stops_it_with_exit_1() {
    let bench = Bench::new();
    bench.finalized("daily-standup");
    fs::write(bench.dir().join("lock"), "in the way").unwrap();
    let messages = bench.worker().exits(1).messages();
    assert!(messages.len() == 1 && messages[0].starts_with("ERROR: make LOCK_DIR "), "{messages:?}");
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn a_program_that_it_needs_and_that_is_missing_is_named() {
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    let out = run(bench.command("jitsi-hls-worker").env("PATH", "/nowhere")).exits(1);
    let messages = out.messages();
    assert!(messages.len() == 1 && messages[0].starts_with("ERROR: missing binary: ffmpeg"), "{messages:?}");
    assert_eq!(bench.log("hls-worker.log"), messages);
    assert_eq!(bench.requests(), [""; 0]);
    assert!(room.join("meeting.mp4").exists());
}

#[test]
fn every_line_goes_to_stderr_and_to_its_log_with_the_time_as_date_prints_it() {
    let bench = Bench::new();
    bench.finalized("a");
    bench.recorded("b");
    let out = bench.worker().exits(0);
    assert_eq!(fs::read_to_string(bench.dir().join("log/hls-worker.log")).unwrap(), out.stderr);
    for line in out.stderr.lines() {
        assert!(is_date_is(line.split(' ').next().unwrap()), "{line}");
    }
    assert!(out.stderr.ends_with(" Worker run complete.\n"), "{}", out.stderr);
    assert_eq!(out.stderr.lines().count(), 4);
}

#[test]
fn hls_is_in_place_before_notion_hears_of_it_and_the_mp4_goes_after_notion_has_answered() {
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    bench.notion.fail(Fault::delayed(Duration::ZERO).on("PATCH", "/v1/pages"));
    bench.notion.fail(Fault::delayed(Duration::from_secs(2)).on("PATCH", "/v1/pages"));
    let running = start(&mut bench.command("jitsi-hls-worker"));
    wait_for("the update to published", || bench.writes().len() == 2);
    assert!(room.join("meeting.mp4").exists());
    assert!(room.join("v0/master.m3u8").exists());
    assert_eq!(bench.only_row().status().unwrap(), "processing");
    assert_eq!(bench.log("hls-worker.log"), ["Process room=daily-standup mp4=meeting.mp4"]);
    running.end().exits(0);
    assert_eq!(bench.only_row().status().unwrap(), "published");
    assert!(!room.join("meeting.mp4").exists());
}

#[test]
fn hls_can_be_read_by_the_web_server_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(bench.command("jitsi-hls-worker").get_program());
    run(command.env("RECORDING_PIPELINE_ENV", bench.env_file())).exits(0);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&room.join("v0")), 0o755);
    for name in listing(&room.join("v0")) {
        assert_eq!(mode(&room.join("v0").join(&name)), 0o644, "{}", name.display());
    }
}
