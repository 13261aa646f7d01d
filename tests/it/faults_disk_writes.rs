//! A disk that refuses one write of a tool, whichever it is: nothing is lost, no row is doubled, and the next run goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pipeline_tests::media::Clip;
use pipeline_tests::processes::can_trace;
use pipeline_tests::writes::{Write, writes};
use pipeline_tests::{Bench, Out, assert_published, each_of_many, files_below, run};

/// A bench whose recordings are passed on as they are: what is encoded is no matter here.
fn bench(extras: &str) -> (Bench, PathBuf) {
    let mut bench = Bench::new();
    for (key, value) in [("HLS_PROFILE", "source"), ("HLS_POSTER", extras), ("HLS_PREVIEWS", extras)] {
        bench.set(key, value);
    }
    bench.set("NOTION_SETTLE_SECONDS", "1");
    let room = bench.recorded_of(Clip::Short, "daily");
    (bench, room)
}

/// A tool before it is run on the bench's room.
type Tool = fn(&Bench, &Path) -> std::process::Command;

fn finalize(bench: &Bench, room: &Path) -> std::process::Command {
    let mut command = bench.command("jitsi-finalize");
    command.arg(room);
    command
}

fn worker(bench: &Bench, _: &Path) -> std::process::Command {
    bench.command("jitsi-hls-worker")
}

/// The writes of a run to its room.
fn writes_of(tool: Tool, (bench, room): (Bench, PathBuf)) -> Vec<Write> {
    let traces = bench.dir().join("traces");
    fs::create_dir(&traces).unwrap();
    writes(&tool(&bench, &room), &room, &traces)
}

/// What the disk says, and what a person reads of it.
const FULL: (&str, &str) = ("ENOSPC", "No space left on device");
const QUOTA: (&str, &str) = ("EDQUOT", "quota exceeded");

/// What was refused is told with the path and what helps; the next run goes on.
fn assert_told_and_kept(bench: &Bench, room: &Path, out: &Out, said: &str) {
    let line = out.messages().into_iter().find(|line| line.contains(said)).unwrap_or_else(|| panic!("{}", out.stderr));
    assert!(line.contains("daily"), "{line}");
    let helps = ["make room on its disk", "the next run tries again"];
    assert!(out.code == Some(0) || helps.iter().any(|part| line.contains(part)), "{line}");
    assert!(room.join("meeting.mp4").exists() || room.join("v0/master.m3u8").exists());
    assert!(bench.notion.pages().len() <= 1);
    let state = fs::read_to_string(room.join(".recording.json")).unwrap_or_default();
    assert!(!state.contains("\"failures") && !state.contains("given_up"), "{state}");
}

/// The room is as after a run that nothing disturbed, and there is nothing left to do.
fn assert_ended(bench: &Bench, room: &Path) {
    assert_published(room);
    let row = bench.only_row();
    assert_eq!(row.status().unwrap(), "published");
    assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{}\n", row.id));
    assert!(files_below(&bench.recordings()).iter().all(|path| !path.to_str().unwrap().contains(".tmp")));
    bench.notion.clear_requests();
    bench.worker().exits(0);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn a_disk_that_is_full_or_a_quota_that_is_used_up_at_any_write_of_finalize_makes_no_second_row() {
    if !can_trace() {
        return;
    }
    let writes = writes_of(finalize, bench("no"));
    assert!(
        [".recording.lock", ".recording.json", ".notion_id"].iter().all(|part| writes.iter().any(|w| w.is_of(part)))
    );
    let cells = writes.iter().flat_map(|write| [FULL, QUOTA].map(|error| (write, error)));
    let cells = cells.map(|(write, error)| (format!("{}: {}", write.shown(), error.0), (write, error)));
    each_of_many(4, cells, |(write, (error, said))| {
        let (bench, room) = bench("no");
        let out = run(&mut write.refused(&finalize(&bench, &room), &room, error));
        if !write.is_a_note() {
            assert_told_and_kept(&bench, &room, &out.exits(75), said);
        }
        // Jibri does not call again.
        let out = bench.worker().exits(0);
        if !room.join("v0").exists() {
            // There is nothing yet from which the worker could know that Jibri has closed it.
            assert_eq!(out.messages()[0], "Skip room=daily: missing .notion_id");
            bench.finalize(&room).exits(0);
            bench.worker().exits(0);
        }
        assert_ended(&bench, &room);
    });
}

#[test]
fn a_disk_that_is_full_at_any_write_of_the_worker_costs_a_run_and_no_recording() {
    if !can_trace() {
        return;
    }
    let finalized = || {
        let (bench, room) = bench("yes");
        bench.finalize(&room).exits(0);
        (bench, room)
    };
    let writes = writes_of(worker, finalized());
    let parts = [".recording.json", "seg_", "stream.m3u8", "master.m3u8", "poster", "v0.tmp"];
    assert!(parts.iter().all(|part| writes.iter().any(|write| write.is_of(part))), "{writes:#?}");
    let cells = writes.iter().enumerate().map(|(n, write)| (write, if n % 2 == 0 { FULL } else { QUOTA }));
    let cells = cells.map(|(write, error)| (format!("{}: {}", write.shown(), error.0), (write, error)));
    each_of_many(4, cells, |(write, (error, said))| {
        let (bench, room) = finalized();
        let out = run(&mut write.refused(&worker(&bench, &room), &room, error));
        if write.is_a_note() {
            out.exits(0);
        } else if write.is_lost_by_ffmpeg() {
            // What it lacks, the look at what was made finds, and nobody can tell why.
            let out = out.exits(1);
            assert!(out.stderr.contains("ERROR: ffmpeg failed room=daily mp4=meeting.mp4: "), "{}", out.stderr);
            assert!(out.stderr.contains("mp4 kept, try 1 of 3, the next run tries again"), "{}", out.stderr);
        } else {
            assert!([Some(0), Some(75)].contains(&out.code), "{:?} {}", out.code, out.stderr);
            assert_told_and_kept(&bench, &room, &out, said);
        }
        bench.worker().exits(0);
        assert_ended(&bench, &room);
    });
}

#[test]
fn a_disk_that_fails_or_becomes_read_only_during_the_encode_is_not_taken_for_a_fault_of_the_recording() {
    if !can_trace() {
        return;
    }
    let finalized = || {
        let (bench, room) = bench("no");
        bench.finalize(&room).exits(0);
        (bench, room)
    };
    let all = writes_of(worker, finalized());
    // The last of each kind, so that the encode is done where it can be.
    let kinds: BTreeMap<String, &Write> = all.iter().map(|write| (write.kind(), write)).collect();
    let cells = kinds.values().filter(|write| !write.is_lost_by_ffmpeg() && !write.is_a_note()).flat_map(|write| {
        let errors = [("EIO", "Input/output error"), ("EROFS", "Read-only file system")];
        errors
            .into_iter()
            .filter(|(error, _)| (*error == "EIO") == write.keeps_bytes())
            .map(move |error| (*write, error))
    });
    let cells = cells.map(|(write, error)| (format!("{}: {}", write.shown(), error.0), (write, error)));
    each_of_many(4, cells, |(write, (error, said))| {
        let (bench, room) = finalized();
        let out = run(&mut write.refused(&worker(&bench, &room), &room, error));
        // Of a state that cannot be written to a disk that a person has to mount anew, a person is told.
        let codes: &[i32] = if error == "EIO" { &[75] } else { &[75, 1] };
        assert!(out.code.is_some_and(|code| codes.contains(&code)), "{:?} {}", out.code, out.stderr);
        let line =
            out.messages().into_iter().find(|line| line.contains(said)).unwrap_or_else(|| panic!("{}", out.stderr));
        let helps = ["the next run tries again", "the kernel's log says how", "must be mounted for writing"];
        assert!(line.contains("daily") && helps.iter().any(|part| line.contains(part)), "{line}");
        let state = fs::read_to_string(room.join(".recording.json")).unwrap();
        assert!(!state.contains("\"failures") && !state.contains("given_up"), "{state}");
        bench.worker().exits(0);
        assert_ended(&bench, &room);
    });
}
