//! `make bench`: what finalize costs against the bash way of doing it, what an idle worker and a listing cost against `find`, and
//! what a look into an empty spool of webhooks costs. Both sides of a ratio run in turn, in one run of the benchmark; the machine's noise
//! hits both.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its results, and has none where it panics"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use pipeline_tests::outbox::{SECRET, body_of};
use pipeline_tests::receivers::Receiver;
use pipeline_tests::{Bench, run};

use cost::{Cost, cost};

mod cost;

/// How often each side runs.
const ROUNDS: usize = 40;

/// Published rooms that an idle worker looks through.
const ROOMS: usize = 5000;

/// Published recordings that `rec-ls` lists.
const LISTED: usize = 10_000;

fn main() {
    println!("{:<46} {:>12} {:>12} {:>7} {:>7}", "CPU, median", "ours", "theirs", "ratio", "goal");
    let named: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    for (name, part) in
        [("finalize", finalize as fn()), ("worker", idle_worker), ("flush", idle_flush), ("ls", listing)]
    {
        if named.is_empty() || named.iter().any(|wanted| wanted == name) {
            part();
        }
    }
}

/// `jitsi-finalize` on a fresh recording, against bash with find, jq and curl.
fn finalize() {
    let bench = Bench::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/finalize.sh");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let room = bench.recorded(format!("ours-{round}"));
        let one = cost(bench.command("jitsi-finalize").arg(room));
        let room = bench.recorded(format!("theirs-{round}"));
        let other = cost(Command::new(&script).arg(room).env("RECORDING_PIPELINE_ENV", bench.env_file()));
        // The first round warms the caches.
        if round > 0 {
            ours.push(one);
            theirs.push(other);
        }
    }
    assert_eq!(bench.notion.pages().len(), 2 * (ROUNDS + 1), "every run must have made its row");
    row("finalize / a bash finalize", &ours, &theirs, 0.15);
}

/// `jitsi-hls-worker` with nothing to do, against the cheapest look at the same tree.
fn idle_worker() {
    let bench = Bench::new();
    let room = bench.finalized("room-0");
    bench.worker().exits(0);
    for number in 1..ROOMS {
        copy(&room, &bench.recordings().join(format!("room-{number}")));
    }
    bench.notion.clear_requests();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let one = cost(&mut bench.command("jitsi-hls-worker"));
        let find = ["-maxdepth", "2", "-printf", "%s %p\\n"];
        let other = cost(Command::new("find").arg(bench.recordings()).args(find));
        if round > 0 {
            ours.push(one);
            theirs.push(other);
        }
    }
    assert!(bench.notion.requests().is_empty(), "an idle worker asks Notion for nothing");
    row(&format!("idle worker over {ROOMS} rooms / find"), &ours, &theirs, 4.0);
    #[expect(clippy::cast_precision_loss, reason = "kilobytes")]
    let peak = ours.iter().map(|cost| cost.peak).max().unwrap_or(0) as f64 / 1024.0;
    println!("{:<46} {peak:>9.1} MB {:>12} {:>7} {:>7}", "idle worker, peak memory", "", "", "30 MB");
}

/// `rec-hook flush` where nothing waits.
fn idle_flush() {
    let mut bench = Bench::new();
    let receiver = Receiver::reflector(SECRET);
    receiver.know_room("Room-1");
    bench.tell("reflector", &receiver.url());
    bench.send("reflector", &body_of("Room-1", 0)).exits(0);
    receiver.forget();
    let ours: Vec<_> = (0..=ROUNDS).map(|_| cost(bench.command("rec-hook").arg("flush"))).skip(1).collect();
    assert_eq!(receiver.connections(), 0, "an empty spool is no reason to call anybody");
    let cpu = median(ours.iter().map(|cost| cost.cpu.as_secs_f64() * 1000.0));
    println!("{:<46} {cpu:>9.1} ms {:>12} {:>7} {:>7}", "rec-hook flush, nothing waits", "", "", "5 ms");
}

/// `rec-ls` over many recordings, against the cheapest look at the same tree.
fn listing() {
    let bench = Bench::new();
    let room = bench.finalized("room-0");
    bench.worker().exits(0);
    for number in 1..LISTED {
        let copied = bench.recordings().join(format!("room-{number}"));
        copy(&room, &copied);
        // Written last, as the tools do.
        fs::File::options()
            .append(true)
            .open(copied.join(".recording.json"))
            .unwrap()
            .set_modified(SystemTime::now())
            .unwrap();
    }
    let lines = |args: &[&str]| run(bench.command("rec-ls").args(args)).exits(0).stdout.lines().count();
    assert_eq!((lines(&[]), lines(&["--state", "published"])), (LISTED, LISTED), "a line each");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let one = cost(&mut bench.command("rec-ls"));
        let find = ["-maxdepth", "2", "-printf", "%s %p\\n"];
        let other = cost(Command::new("find").arg(bench.recordings()).args(find));
        if round > 0 {
            ours.push(one);
            theirs.push(other);
        }
    }
    row(&format!("rec-ls over {LISTED} recordings / find"), &ours, &theirs, 4.0);
    let wall = |costs: &[Cost]| median(costs.iter().map(|cost| cost.wall.as_secs_f64() * 1000.0));
    let (one, other) = (wall(&ours), wall(&theirs));
    println!("{:<46} {one:>9.1} ms {other:>9.1} ms {:>7.3} {:>7}", "the same, by the clock", one / other, "1 s");
}

/// Copies a published room: its files, and those of its `v0`.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Prints the medians and the ratio of each pair's CPU, in the middle.
fn row(what: &str, ours: &[Cost], theirs: &[Cost], goal: f64) {
    let milliseconds = |cost: &Cost| cost.cpu.as_secs_f64() * 1000.0;
    let ratios = ours.iter().zip(theirs).map(|(one, other)| milliseconds(one) / milliseconds(other));
    let (one, other) = (median(ours.iter().map(milliseconds)), median(theirs.iter().map(milliseconds)));
    println!("{what:<46} {one:>9.1} ms {other:>9.1} ms {:>7.3} {goal:>7}", median(ratios));
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
