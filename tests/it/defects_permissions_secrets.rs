//! The scripts' defect E, lost for want of a permission, and secrets that everybody sees: gone.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use pipeline_tests::jibri::{lock_up, open_up, room_of_user, run_as_user};
use pipeline_tests::processes::{argv, children, start, unhurried_ffmpeg};
use pipeline_tests::{Bench, Fault, assert_published, listing, wait_for};

#[test]
fn a_log_that_the_caller_may_not_write_costs_a_warning_and_not_the_recording() {
    let bench = Bench::new();
    let Some(room) = room_of_user(&bench, "daily-standup") else { return };
    let log = bench.dir().join("log");
    fs::create_dir(&log).unwrap();
    lock_up(&log);
    let out = run_as_user(&bench, "jitsi-finalize", &room).exits(0);
    let messages = out.messages();
    let warning = format!("WARNING: cannot write the log {}/finalize.log: Permission denied", log.display());
    assert!(messages[0].starts_with(&warning), "{messages:?}");
    let (_, said) = messages[0].split_once("make LOG_DIR writable for this user (").unwrap();
    assert!(said.starts_with(&format!("{} is ", log.display())) && said.contains(": sudo ch"), "{messages:?}");
    assert!(said.ends_with("; going on without it"), "{messages:?}");
    assert!(messages[1].starts_with("Finalize room=daily-standup "), "{messages:?}");
    assert_eq!(messages.len(), 3);
    let row = bench.only_row();
    assert_eq!(row.title(), "[Jitsi] daily-standup");
    assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{}\n", row.id));
    // The worker, as root if we are, goes on with what Jibri's user made.
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn a_log_on_a_full_disk_costs_a_warning_and_not_the_recording() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    fs::create_dir(bench.dir().join("log")).unwrap();
    for log in ["finalize.log", "hls-worker.log"] {
        symlink("/dev/full", bench.dir().join("log").join(log)).unwrap();
    }
    for out in [bench.finalize(&room), bench.worker()] {
        let messages = out.exits(0).messages();
        let warnings = messages.iter().filter(|line| line.starts_with("WARNING: cannot write the log "));
        assert_eq!(warnings.count(), 1, "{messages:?}");
    }
    assert_published(&room);
}

#[test]
fn a_directory_that_cannot_be_written_makes_no_row_that_nobody_remembers() {
    let bench = Bench::new();
    let Some(room) = room_of_user(&bench, "daily-standup") else { return };
    lock_up(&room);
    let messages = run_as_user(&bench, "jitsi-finalize", &room).exits(1).messages();
    let message = messages.last().unwrap();
    assert!(message.starts_with("ERROR: ") && message.contains("Permission denied"), "{message}");
    assert!(message.contains(room.to_str().unwrap()) && message.contains("must be able to write"), "{message}");
    assert_eq!(bench.requests(), [""; 0]);
    assert_eq!(listing(&room), ["meeting.mp4"]);
    open_up(&room);
    bench.finalize(&room).exits(0);
    assert_eq!(bench.notion.pages().len(), 1);
}

#[test]
fn no_process_shows_a_secret_in_its_arguments_or_environment() {
    let mut bench = Bench::new();
    bench.set("PUBLIC_URL_AUTH", "user:s3curePassw0rd@");
    let room = bench.recorded("daily-standup");
    let secrets = [bench.notion.token(), "s3curePassw0rd".to_owned()];
    let innocent = |pid: u32| {
        let words = argv(pid).join(" ") + &fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
        assert!(!secrets.iter().any(|secret| words.contains(secret)), "{words}");
    };
    bench.notion.fail(Fault::delayed(Duration::from_secs(1)).on("POST", "/v1/pages"));
    let finalize = start(bench.command("jitsi-finalize").arg(&room));
    wait_for("the create", || !bench.writes().is_empty());
    innocent(finalize.pid());
    assert_eq!(children(finalize.pid()), [0; 0], "finalize is one process");
    finalize.end().exits(0);

    bench.notion.fail(Fault::delayed(Duration::from_secs(1)).on("PATCH", "/v1/pages"));
    let worker = start(bench.command("jitsi-hls-worker").env("PATH", unhurried_ffmpeg(&bench)));
    wait_for("the update", || bench.writes().len() == 2);
    innocent(worker.pid());
    assert_eq!(children(worker.pid()), [0; 0]);
    innocent(worker.child("ffmpeg"));
    children(worker.pid()).into_iter().for_each(innocent);
}

#[test]
fn the_password_of_the_site_is_in_the_row_and_in_no_file() {
    let mut bench = Bench::new();
    bench.set("PUBLIC_URL_AUTH", "user:s3curePassw0rd@");
    let room = bench.recorded("daily-standup");
    let finalize = bench.finalize(&room).exits(0);
    let base = "https://user:s3curePassw0rd@rec.example.com/daily-standup";
    assert_eq!(bench.only_row().url().unwrap(), format!("{base}/meeting.mp4"));
    assert!(finalize.stderr.contains("url=https://***@rec.example.com/daily-standup/meeting.mp4 "));
    // Also where Notion's answer quotes it, and where the state remembers what was sent.
    bench.notion.fail(Fault::answer(400).message(&format!("{base}/meeting.mp4 is too long")).on("PATCH", "/v1/pages"));
    let refused = bench.worker();
    assert!(refused.stderr.contains("://***@rec.example.com/daily-standup/meeting.mp4 is too long"));
    let worker = bench.worker().exits(0);
    assert_eq!(bench.only_row().url().unwrap(), format!("{base}/v0/master.m3u8"));

    let mut texts = vec![finalize.stderr, refused.stderr, worker.stderr];
    for dir in [room.clone(), room.join("v0"), bench.dir().join("log"), bench.dir().join("lock")] {
        let files = listing(&dir).into_iter().map(|name| dir.join(name)).filter(|path| path.is_file());
        texts.extend(files.map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()));
    }
    for secret in ["s3curePassw0rd", &bench.notion.token()] {
        assert!(!texts.iter().any(|text| text.contains(secret)), "{secret}");
    }
    assert!(texts.len() > 8);
}

#[test]
fn an_env_file_is_read_and_never_executed() {
    for line in ["$(touch executed)", "`touch executed`", "NOTION_NAME_PREFIX=\"$(touch executed)\"", "touch executed"]
    {
        let bench = Bench::new();
        let room = bench.recorded("daily-standup");
        let before = fs::read_to_string(bench.env_file()).unwrap();
        let executed = bench.dir().join("executed");
        let line = line.replace("executed", &format!("'{}'", executed.display()));
        fs::write(bench.env_file(), format!("{before}{line}\n")).unwrap();
        for out in [bench.finalize(&room), bench.worker()] {
            let out = out.exits(1);
            let place = format!("{}:{}: ", bench.env_file().display(), before.lines().count() + 1);
            assert!(out.stderr.contains(&place), "{line}: {}", out.stderr);
        }
        assert!(!executed.exists(), "{line}");
        assert_eq!(bench.requests(), [""; 0]);
    }
}
