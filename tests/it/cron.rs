//! The lines for cron, run by Debian's cron, which knows no time zone but the host's.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use pipeline_tests::jibri::is_root;
use pipeline_tests::{Bench, binary, listing, skipped, wait_for_minutes};

use crate::window::{closed as closed_now, window};

/// The user of the lines, in the namespace of `cron.sh`.
const UID: u32 = 64990;

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../cron.d").join(name)).unwrap()
}

/// A line of ours as it is shipped, but every minute.
#[track_caller]
fn every_minute(table: &str) -> String {
    let now = table.replace("\n*/20 * * * * jitsi-recordings ", "\n* * * * * jitsi-recordings ");
    assert!(now.contains("\n* * * * * jitsi-recordings "), "{table}");
    now
}

/// A table for another env file.
fn with_env(table: &str, env_file: &Path) -> String {
    table.replace("\nPATH=", &format!("\nRECORDING_PIPELINE_ENV=\"{}\"\nPATH=", env_file.display()))
}

fn allow(dir: &Path) {
    chown(dir, Some(UID), Some(UID)).unwrap();
    for name in listing(dir) {
        let path = dir.join(name);
        chown(&path, Some(UID), Some(UID)).unwrap();
        if path.is_dir() {
            allow(&path);
        }
    }
}

#[test]
fn cron_which_knows_no_zone_runs_the_lines_as_they_are_shipped_and_what_is_wrong_is_logged_or_mailed() {
    if !is_root() {
        return skipped("cron's tables are for root alone");
    }
    assert!(Command::new("cron").arg("-h").output().is_ok(), "cron is not here: sh tests/needs.sh cron");
    // One to publish.
    let mut open = Bench::new();
    let room = open.finalized("due");
    open.set("HLS_WINDOW", window(-3600, 7200));
    // One out of its hours, on a cron that is told of another zone.
    let mut closed = Bench::new();
    let kept = closed.finalized("waits");
    closed.set("HLS_WINDOW", closed_now());
    // One with a mistake.
    let broken = Bench::new();
    let lines = fs::read_to_string(broken.env_file()).unwrap().replace("NOTION_TOKEN", "NOTION_TOKN");
    fs::write(broken.env_file(), lines).unwrap();

    let dir = tempfile::Builder::new().prefix("cron test ").tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["cron.d", "bin", "shipped"] {
        fs::create_dir(at(name)).unwrap();
    }
    for tool in ["jitsi-hls-worker", "rec-hook"] {
        fs::copy(binary(tool), at("bin").join(tool)).unwrap();
        fs::write(at("shipped").join(tool), shipped(tool)).unwrap();
    }
    let (worker, hook) = (every_minute(&shipped("jitsi-hls-worker")), every_minute(&shipped("rec-hook")));
    let mailed = worker.replace("PATH=", "MAILTO=admin\nPATH=").replace(" 2>&1 | logger -t jitsi-hls-worker", "");
    for (name, table) in [
        ("jitsi-hls-worker", worker.clone()),
        ("rec-hook", with_env(&hook, &broken.env_file())),
        (
            "closed",
            format!(
                "CRON_TZ=Europe/Moscow\n{}",
                with_env(&worker, &closed.env_file()).replace("logger -t jitsi-hls-worker", "logger -t closed")
            ),
        ),
        ("logged", with_env(&worker, &broken.env_file())),
        ("mailed", with_env(&mailed, &broken.env_file())),
    ] {
        fs::write(at("cron.d").join(name), table).unwrap();
    }
    fs::copy(open.env_file(), at("recording-pipeline.env")).unwrap();
    for bench in [&open, &closed, &broken] {
        allow(bench.dir());
        fs::set_permissions(bench.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();

    let said = fs::File::create(at("said")).unwrap();
    let mut cron = Command::new("bash");
    cron.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("cron.sh")).arg(dir.path());
    cron.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
    let mut cron = cron.spawn().unwrap();
    let text = |name: &str| fs::read_to_string(at(name)).unwrap_or_default();
    wait_for_minutes(5, "cron's runs", || {
        assert!(cron.try_wait().unwrap().is_none(), "cron.sh ended: {}", text("said"));
        let published = open.only_row().status().as_deref() == Some("published") && !room.join("meeting.mp4").exists();
        let looked = text("logged").contains("logger -t closed\n");
        published
            && looked
            && text("mail").contains("NOTION_TOKEN")
            && text("logged").matches("NOTION_TOKEN").count() > 1
    });
    fs::write(at("stop"), "").unwrap();
    assert!(cron.wait().unwrap().success(), "{}", text("said"));

    pipeline_tests::assert_published(&room);
    assert!(kept.join("meeting.mp4").exists() && !kept.join("v0").exists());
    assert_eq!(closed.only_row().status().unwrap(), "recorded");
    let (logged, mail) = (text("logged"), text("mail"));
    for tag in ["logger -t jitsi-hls-worker\n", "logger -t rec-hook\n"] {
        assert!(logged.contains(tag), "{logged}");
    }
    let wrong = format!("{}: NOTION_TOKEN: is missing", broken.env_file().display());
    assert!(logged.contains(&wrong) && mail.contains(&wrong), "{logged}\n{mail}");
    assert!(mail.contains("\nTo: admin\n") && mail.contains("jitsi-hls-worker --quiet"), "{mail}");
    // Nothing is said where nothing is wrong.
    assert!(!logged.contains("room=") && !mail.contains("room="), "{logged}\n{mail}");
}
