//! What the machine does to the tools: a disk that becomes read-only, locks that cannot be made, a clock that jumps.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_tests::disk::SmallDisk;
use pipeline_tests::media::{Clip, put};
use pipeline_tests::processes::{can_trace, in_path, traced};
use pipeline_tests::rooms::FINALIZED;
use pipeline_tests::{Bench, Fault, Out, assert_published, each_at_once, jibri, listing, run, skipped};

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.set("HLS_PROFILE", "source");
    bench
}

fn assert_says(out: &Out, parts: &[&str]) {
    let found = out.messages().into_iter().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "{parts:?}: {}", out.stderr);
}

#[test]
fn a_disk_that_becomes_read_only_before_finalize_or_between_it_and_the_worker_is_named_and_costs_nothing() {
    let bench = bench();
    let Some(disk) = SmallDisk::mount(&bench, 8_000) else { return };
    let room = disk.room("daily");
    put(Clip::Short, &room.join("meeting.mp4"));
    disk.remount("ro");
    let told = ["daily/.recording", "Read-only file system", "its disk must be mounted for writing"];
    assert_says(&disk.finalize("daily").exits(1), &told);
    assert_eq!((bench.notion.pages().len(), listing(&room).len()), (0, 1));
    disk.remount("rw");
    disk.finalize("daily").exits(0);

    bench.notion.clear_requests();
    disk.remount("ro");
    assert_says(&disk.worker().exits(1), &told);
    assert_eq!((listing(&room), bench.writes().len()), (FINALIZED.map(Into::into).to_vec(), 0));
    disk.remount("rw");
    disk.worker().exits(0);
    assert_published(&room);
    assert_eq!(bench.only_row().status().unwrap(), "published");
}

#[test]
fn a_lock_dir_that_is_full_or_read_only_stops_the_worker_before_anything_is_done() {
    if !can_trace() {
        return;
    }
    let cells = [
        ("full", ("ENOSPC", 75, "make room on its disk")),
        ("a quota that is used up", ("EDQUOT", 75, "make room on its disk")),
        ("read-only", ("EROFS", 1, "its disk must be mounted for writing")),
    ];
    each_at_once(cells, |(error, code, helps)| {
        let bench = bench();
        let room = bench.recorded_of(Clip::Short, "daily");
        bench.finalize(&room).exits(0);
        bench.notion.clear_requests();
        let lock = bench.dir().join("lock/hls-worker.lock");
        let inject = format!("inject=openat:error={error}");
        let args = ["-o", "/dev/null", "-P", lock.to_str().unwrap(), "-e", "trace=openat", "-e", &inject];
        let out = run(&mut traced(&bench.command("jitsi-hls-worker"), args)).exits(code);
        assert_says(&out, &["ERROR: ", lock.to_str().unwrap(), helps]);
        assert_eq!((out.messages().len(), bench.requests().len()), (1, 0), "{}", out.stderr);
        assert_eq!(listing(&room), FINALIZED);
        bench.worker().exits(0);
        assert_published(&room);
    });
}

#[test]
fn a_lock_that_another_user_made_and_that_only_he_may_write_is_a_lock_all_the_same() {
    let bench = bench();
    let Some(room) = jibri::room_of_user(&bench, "daily") else { return };
    fs::create_dir(bench.dir().join("log")).unwrap();
    jibri::give(&bench.dir().join("log"));
    let lock = room.join(".recording.lock");
    fs::write(&lock, "").unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o444)).unwrap();
    if jibri::is_root() {
        chown(&lock, Some(0), Some(0)).unwrap();
    }
    jibri::run_as_user(&bench, "jitsi-finalize", &room).exits(0);
    assert_eq!(bench.notion.pages().len(), 1);
    bench.worker().exits(0);
    assert_published(&room);
}

/// A tool whose clock is ahead, or behind; `None`, and said so, without faketime.
fn at(bench: &Bench, offset: &str, tool: &str, arg: Option<&Path>) -> Option<Out> {
    if in_path("faketime").is_none() {
        skipped("faketime is not here");
        return None;
    }
    let direct = bench.command(tool);
    let mut command = Command::new("faketime");
    // Waits are measured by another clock, which does not jump.
    command
        .envs(direct.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command.args(["-f", offset]).arg(direct.get_program()).args(arg).current_dir("/");
    Some(run(&mut command))
}

/// What went wrong while the clock was ahead.
type Before = fn(&Bench, &PathBuf) -> Option<Out>;

#[test]
fn a_clock_that_jumps_back_holds_nothing_up() {
    let jumps: [(&str, Before); 4] = [
        ("nothing", |bench, room| at(bench, "+3d", "jitsi-finalize", Some(room)).map(|out| out.exits(0))),
        ("finalize's create was lost", |bench, room| {
            bench.notion.fail(Fault::drop_after().on("POST", "/v1/pages"));
            bench.notion.fail(Fault::answer(503).on("POST", "/v1/databases/").forever());
            at(bench, "+3d", "jitsi-finalize", Some(room)).map(|out| out.exits(75))
        }),
        ("the worker was put off, twice", |bench, room| {
            bench.finalize(room).exits(0);
            bench.notion.fail(Fault::answer(429).retry_after("36000").on("PATCH", "").saying("published").forever());
            at(bench, "+3d", "jitsi-hls-worker", None)?.exits(75);
            at(bench, "+3d", "jitsi-hls-worker", None).map(|out| out.exits(75))
        }),
        ("the mp4 is of then", |bench, room| {
            let then = std::time::SystemTime::now() + std::time::Duration::from_secs(3 * 86_400);
            fs::File::options().append(true).open(room.join("meeting.mp4")).unwrap().set_modified(then).unwrap();
            at(bench, "+3d", "jitsi-finalize", Some(room)).map(|out| out.exits(0))
        }),
    ];
    each_at_once(jumps, |before| {
        let mut bench = bench();
        bench.set("NOTION_SETTLE_SECONDS", "1");
        let room = bench.recorded_of(Clip::Short, "daily");
        if before(&bench, &room).is_none() {
            return;
        }
        bench.notion.clear_faults();
        bench.worker().exits(0);
        assert_published(&room);
        assert_eq!(bench.only_row().status().unwrap(), "published");
    });
}
