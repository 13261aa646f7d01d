//! Several recordings at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pipeline_tests::media::{Clip, zero_middle};
use pipeline_tests::processes::{encodes, ffmpeg_of, ffmpegs, noted_ffmpeg, signal, start, unhurried_ffmpeg};
use pipeline_tests::rooms::FINALIZED;
use pipeline_tests::{Bench, assert_published, listing, run, skipped, wait_for};

/// Finalized rooms, one for each name.
fn finalized<const N: usize>(bench: &Bench, clips: [(&str, Clip); N]) -> [PathBuf; N] {
    let rooms = clips.map(|(name, clip)| bench.recorded_of(clip, name));
    for room in &rooms {
        bench.finalize(room).exits(0);
    }
    bench.notion.clear_requests();
    rooms
}

/// A worker with these arguments whose ffmpegs are slow enough to be looked at.
fn unhurried(bench: &Bench, jobs: &str) -> Command {
    let mut worker = bench.command("jitsi-hls-worker");
    worker.args(["--jobs", jobs]).env("PATH", unhurried_ffmpeg(bench));
    worker
}

/// The rooms of which ffmpeg noted that it began, in that order, and how many were at work at once at the most.
fn noted(notes: &Path) -> (Vec<String>, usize) {
    let (mut begun, mut now, mut most) = (Vec::new(), 0, 0);
    for line in fs::read_to_string(notes).unwrap().lines() {
        match line.split_once(' ').unwrap() {
            ("begins", room) => {
                begun.push(room.to_owned());
                now += 1;
                most = most.max(now);
            }
            _ => now -= 1,
        }
    }
    (begun, most)
}

#[test]
fn two_rooms_are_worked_on_at_the_same_time() {
    let bench = Bench::new();
    let rooms = finalized(&bench, ["a", "b", "c"].map(|name| (name, Clip::Short)));
    let worker = start(&mut unhurried(&bench, "2"));
    wait_for("two ffmpegs", || ffmpegs(&bench.recordings()).len() == 2);
    assert!(!rooms[2].join("v0.tmp").exists(), "a third one");
    let messages = worker.end().exits(0).messages();
    assert_eq!(messages.last().unwrap(), "Worker run complete.");
    for room in &rooms {
        assert_published(room);
    }
    assert_eq!((bench.notion.pages().len(), bench.writes().len()), (3, 6));
}

#[test]
fn the_longest_goes_first_and_of_equals_the_first_by_name() {
    let mut bench = Bench::new();
    let clips = [("a", Clip::Short), ("b", Clip::Jibri), ("c", Clip::FastStart), ("d", Clip::Jibri), ("e", Clip::Hd)];
    finalized(&bench, clips);
    bench.set("HLS_JOBS", "1");
    let (path, notes) = noted_ffmpeg(&bench);
    run(bench.command("jitsi-hls-worker").env("PATH", path)).exits(0);
    let begun = ["e", "b", "c", "d", "a"].map(str::to_owned).to_vec();
    assert_eq!(noted(&notes), (begun, 1));
}

#[test]
fn with_one_job_there_are_never_two_whatever_the_env_file_says() {
    let mut bench = Bench::new();
    finalized(&bench, ["a", "b", "c", "d"].map(|name| (name, Clip::Short)));
    bench.set("HLS_JOBS", "4");
    let (path, notes) = noted_ffmpeg(&bench);
    run(bench.command("jitsi-hls-worker").args(["-j", "1"]).env("PATH", path)).exits(0);
    let begun = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    assert_eq!(noted(&notes), (begun, 1));
}

#[test]
fn where_nobody_says_how_many_each_core_has_one() {
    let bench = Bench::new();
    let rooms = finalized(&bench, ["a", "b"].map(|name| (name, Clip::Short)));
    let (path, notes) = noted_ffmpeg(&bench);
    let worker = bench.command("jitsi-hls-worker");
    let mut on_one_core = Command::new("taskset");
    on_one_core.args(["-c", "0"]).arg(worker.get_program()).current_dir("/").env("PATH", &path);
    on_one_core.envs(worker.get_envs().filter_map(|(key, value)| Some((key, value?))));
    if !Command::new("taskset").args(["-c", "0", "true"]).status().is_ok_and(|status| status.success()) {
        skipped("taskset, of util-linux, is not here, or this process may not run on the first core");
        return;
    }
    run(&mut on_one_core).exits(0);
    assert_eq!(noted(&notes).1, 1);
    for room in &rooms {
        assert_published(room);
    }
}

#[test]
fn a_recording_that_fails_costs_the_one_beside_it_nothing() {
    let bench = Bench::new();
    let [bad, good] = finalized(&bench, [("bad", Clip::Jibri), ("good", Clip::Jibri)]);
    zero_middle(&bad.join("meeting.mp4"));
    let out = bench.worker_with(["--jobs", "2"]).exits(1);
    assert!(out.stderr.contains("ERROR: ffmpeg failed room=bad mp4=meeting.mp4: "), "{}", out.stderr);
    assert_published(&good);
    assert_eq!(listing(&bad), FINALIZED);
    let mut statuses: Vec<_> = bench.rows().into_iter().map(|(_, status)| status).collect();
    statuses.sort();
    assert_eq!(statuses, ["error", "published"]);
}

#[test]
fn an_ffmpeg_that_is_killed_costs_the_one_beside_it_nothing() {
    let bench = Bench::new();
    let [killed, other] = finalized(&bench, [("killed", Clip::Short), ("other", Clip::Short)]);
    let worker = start(&mut unhurried(&bench, "2"));
    wait_for("two ffmpegs", || ffmpeg_of(&killed).is_some() && ffmpeg_of(&other).is_some());
    signal(ffmpeg_of(&killed).unwrap(), "KILL");
    let out = worker.end().exits(75);
    assert!(out.stderr.contains("ERROR: ffmpeg failed room=killed "), "{}", out.stderr);
    assert!(!out.stderr.contains("room=other mp4=meeting.mp4: "), "{}", out.stderr);
    assert_published(&other);
    assert_eq!(listing(&killed), FINALIZED);
    bench.worker().exits(0);
    assert_published(&killed);
}

#[test]
fn a_signal_ends_all_of_them_and_leaves_no_ffmpeg() {
    let bench = Bench::new();
    let rooms = finalized(&bench, ["a", "b", "c"].map(|name| (name, Clip::Jibri)));
    let worker = start(&mut unhurried(&bench, "2"));
    wait_for("two encodes", || encodes(&bench.recordings()).len() == 2);
    let asked = Instant::now();
    worker.signal("TERM");
    let mut messages = worker.end().exits(75).messages();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(ffmpegs(&bench.recordings()), [0; 0]);
    assert_eq!(messages.pop().unwrap(), "Stopped by a signal; the next run goes on.");
    messages.sort();
    let each = |what: &str, after: &str| ["a", "b"].map(|room| format!("{what} room={room} mp4=meeting.mp4{after}"));
    let wanted = [each("Process", ""), each("Stopped", ": the next run goes on with it")].concat();
    assert_eq!(messages, wanted);
    for room in &rooms {
        assert_eq!(listing(room), FINALIZED);
    }
    bench.worker().exits(0);
    for room in &rooms {
        assert_published(room);
    }
}

#[test]
fn with_twenty_rooms_a_wrong_token_is_said_once_and_no_encode_begins() {
    let mut bench = Bench::new();
    for number in 0..20 {
        let room = bench.recorded_of(Clip::Short, format!("room{number:02}"));
        bench.finalize(&room).exits(0);
    }
    let before = bench.rows();
    bench.notion.clear_requests();
    bench.set("NOTION_TOKEN", "ntn_of_somebody_else");
    let out = bench.worker_with(["--jobs", "4"]).exits(1);
    let times = |text: &str| out.stderr.matches(text).count();
    assert_eq!(times("ERROR: stopped: no recording can be published before this is mended"), 1, "{}", out.stderr);
    assert_eq!(times("Notion does not accept NOTION_TOKEN"), 1, "{}", out.stderr);
    assert_eq!(bench.requests().len(), 1, "it is asked once");
    // Those that had begun, one a job, and none after them.
    assert!((1..=4).contains(&times("Process room=")), "{}", out.stderr);
    for number in 0..20 {
        let mut there = listing(&bench.room(format!("room{number:02}")));
        there.retain(|name| name != ".recording.lock");
        assert_eq!(there, [".notion_id", ".recording.json", "meeting.mp4"]);
    }
    bench.set("NOTION_TOKEN", bench.notion.token());
    assert_eq!(bench.rows(), before);
}

#[test]
fn a_directory_that_is_named_twice_is_worked_on_once() {
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    let again = format!("{}/.", room.display());
    let out = bench.worker_with([room.as_os_str(), again.as_ref(), room.as_os_str()]).exits(0);
    let done = [
        "Process room=daily-standup mp4=meeting.mp4",
        "Notion updated to HLS. Deleting mp4 room=daily-standup",
        "Worker run complete.",
    ];
    assert_eq!(out.messages(), done);
    assert_published(&room);
}

#[test]
fn a_number_of_jobs_is_a_whole_one_from_one_on() {
    let bench = Bench::new();
    for wrong in ["0", "-1", "two", "1.5", ""] {
        let out = bench.worker_with([format!("--jobs={wrong}")]).exits(2);
        assert!(out.stderr.contains("write a whole number from 1 on"), "{}", out.stderr);
    }
}
