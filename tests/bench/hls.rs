//! `make bench-hls`: what the worker's profiles cost, and what they look like, beside the script's command and the ladder of the
//! article that it comes from. Both sides of a ratio run in turn, in one run of the benchmark, on the same recording; the
//! machine's noise hits both. Ours is the whole of a worker's run: ffprobe, the encode, the verification, Notion.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark prints its results, and has none where it panics"
)]

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pipeline_tests::{Bench, files_below, media, processes};

use clips::{Kind, SECONDS};
use cost::{Cost, cost};
use quality::{Quality, quality, vmaf_ffmpeg};

mod clips;
mod cost;
mod quality;

/// The heights of Jibri's pictures: in its docker image, and else.
const HEIGHTS: [u32; 2] = [720, 1080];

/// Times a clip makes a recording of ten minutes.
const LONG: u32 = 600 / SECONDS + 1;

/// What the figures are compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Script,
    Ladder,
    /// A profile, and whether with poster and previews.
    Ours(&'static str, bool),
}

/// One run, and what it left.
struct Run {
    cost: Cost,
    /// The CPU time of ffmpeg's encode alone; for ours only.
    encode: Duration,
    bytes: u64,
    /// The directory of its playlists.
    dir: PathBuf,
}

/// Where a side's runs are made, and those that were.
struct Measured {
    side: Side,
    runs: Vec<Run>,
    quality: Option<Quality>,
}

/// What is measured against what, and what is promised of it.
#[derive(Clone, Copy)]
struct Row {
    ours: Side,
    theirs: Side,
    /// CPU, as a ratio.
    goal: Option<f64>,
}

const ROWS: [Row; 5] = [
    Row { ours: Side::Ours("480p", false), theirs: Side::Script, goal: Some(0.62) },
    Row { ours: Side::Ours("480p", true), theirs: Side::Script, goal: None },
    Row { ours: Side::Ours("abr", false), theirs: Side::Ladder, goal: None },
    Row { ours: Side::Ours("hybrid", false), theirs: Side::Ladder, goal: Some(0.30) },
    Row { ours: Side::Ours("hybrid", true), theirs: Side::Ladder, goal: None },
];

const LONG_ROWS: [Row; 3] = [
    Row { ours: Side::Ours("480p", false), theirs: Side::Script, goal: Some(0.62) },
    Row { ours: Side::Ours("source", false), theirs: Side::Script, goal: Some(0.012) },
    Row { ours: Side::Ours("source", true), theirs: Side::Script, goal: None },
];

fn main() {
    let rounds = std::env::var("ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    // Cargo adds an option of its own.
    let asked: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|asked| name.starts_with(asked));
    let vmaf = vmaf_ffmpeg();
    let profiles = std::env::var("PROFILES").unwrap_or_default();
    let rows = |all: &[Row]| -> Vec<Row> {
        let named = |row: &&Row| matches!(row.ours, Side::Ours(name, _) if profiles.split_whitespace().any(|asked| asked == name));
        all.iter().filter(|row| profiles.is_empty() || named(row)).copied().collect()
    };

    println!("{SECONDS} s of each clip, {rounds} rounds; CPU as median (least .. most) of the rounds' ratios");
    heading();
    for (kind, height) in Kind::ALL.into_iter().flat_map(|kind| HEIGHTS.map(|height| (kind, height))) {
        let name = format!("{}-{height}", kind.name());
        if wanted(&name) {
            measure(&name, &clips::clip(kind, height), &rows(&ROWS), rounds, vmaf.as_deref(), true);
        }
    }
    if wanted("long") {
        // A copy costs next to nothing but what every run costs: its ratio means something on a meeting, not on 48 s.
        let long = clips::repeated(Kind::Both, 720, LONG);
        measure("long: both-720 x13", &long, &rows(&LONG_ROWS), rounds.min(2), None, false);
    }
    if wanted("jobs") {
        at_once(&clips::clip(Kind::Both, 720), rounds);
    }
}

fn measure(name: &str, clip: &Path, rows: &[Row], rounds: usize, vmaf: Option<&Path>, with_quality: bool) {
    let mut bench = Bench::new();
    let mut sides: Vec<Measured> = Vec::new();
    for side in rows.iter().flat_map(|row| [row.theirs, row.ours]) {
        if sides.iter().all(|known| known.side != side) {
            sides.push(Measured { side, runs: Vec::new(), quality: None });
        }
    }
    for round in 0..rounds {
        for measured in &mut sides {
            progress(&format!("{name}, round {} of {rounds}", round + 1));
            measured.runs.push(run(&mut bench, measured.side, clip, round));
        }
    }
    for measured in &mut sides {
        // Poster and previews change nothing of the picture.
        if with_quality && !matches!(measured.side, Side::Ours(_, true)) {
            progress(&format!("{name}, quality"));
            measured.quality = Some(quality(&lines_480(&measured.runs[0].dir, measured.side), clip, vmaf));
        }
    }
    progress("");
    let of = |side| sides.iter().find(|measured| measured.side == side).unwrap();
    for row in rows {
        print_row(name, row, of(row.ours), of(row.theirs));
    }
}

/// Runs one side once, in a directory of its own.
fn run(bench: &mut Bench, side: Side, clip: &Path, round: usize) -> Run {
    match side {
        Side::Script | Side::Ladder => {
            let dir = bench.dir().join(format!("{}-{round}", if side == Side::Script { "script" } else { "ladder" }));
            fs::create_dir(&dir).unwrap();
            let mut command = if side == Side::Script { script(clip) } else { ladder(clip) };
            let cost = cost(command.current_dir(&dir));
            Run { cost, encode: cost.cpu, bytes: bytes(&dir), dir }
        }
        Side::Ours(profile, extras) => {
            bench.set("HLS_PROFILE", profile);
            for key in ["HLS_POSTER", "HLS_PREVIEWS"] {
                bench.set(key, if extras { "yes" } else { "no" });
            }
            let room = recorded(bench, clip, &format!("{profile}-{extras}-{round}"));
            let (times, path) = timed_ffmpeg(bench);
            // As with a full queue: a job has one core.
            let cost = cost(worker(bench, Some("0")).env("PATH", path));
            let dir = room.join("v0");
            assert!(dir.join("master.m3u8").exists(), "{profile}: {}", bench.log("hls-worker.log").join("\n"));
            Run { cost, encode: children(&times), bytes: bytes(&dir), dir }
        }
    }
}

/// The command of the script, to the letter, but for its directory.
fn script(clip: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-y", "-i"]).arg(clip);
    command.args(["-vf", "scale=-2:480", "-c:v", "h264", "-profile:v", "main", "-preset", "veryfast", "-crf", "23"]);
    command.args(["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "hls", "-hls_time", "6", "-hls_list_size", "0"]);
    command.args(["-hls_segment_filename", "seg_%06d.ts", "stream.m3u8"]);
    command
}

/// The ladder that the article recommends, to the letter.
fn ladder(clip: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command.arg("-i").arg(clip).args([
        "-filter_complex",
        "[0:v]split=3[v1][v2][v3];[v1]scale=-2:360[v1out];[v2]scale=-2:480[v2out];[v3]scale=-2:720[v3out]",
    ]);
    for (index, (video, audio)) in [("800k", "96k"), ("1200k", "128k"), ("2500k", "128k")].iter().enumerate() {
        command.args(["-map", &format!("[v{}out]", index + 1), "-map", "0:a"]);
        command.args([&format!("-c:v:{index}"), "h264", &format!("-b:v:{index}"), video]);
        command.args([&format!("-c:a:{index}"), "aac", &format!("-b:a:{index}"), audio]);
    }
    command.args(["-f", "hls", "-hls_time", "6", "-hls_playlist_type", "vod", "-hls_flags", "independent_segments"]);
    command.args(["-master_pl_name", "master.m3u8", "-var_stream_map", "v:0,a:0 v:1,a:1 v:2,a:2"]);
    command.args(["-hls_segment_filename", "v%v/seg_%06d.ts", "v%v/stream.m3u8"]);
    command
}

/// The playlist of the picture of 480 lines.
fn lines_480(dir: &Path, side: Side) -> PathBuf {
    dir.join(match side {
        Side::Ladder => "v1/stream.m3u8",
        Side::Script | Side::Ours("480p" | "source", _) => "stream.m3u8",
        Side::Ours(..) => "480p.m3u8",
    })
}

/// A room with a copy of a clip, finalized.
fn recorded(bench: &Bench, clip: &Path, room: &str) -> PathBuf {
    let room = bench.room(room);
    let mp4 = room.join("meeting.mp4");
    fs::copy(clip, &mp4).unwrap();
    media::age(&mp4, Duration::from_secs(60));
    bench.finalize(&room).exits(0);
    room
}

/// A worker's run, on these cores only, if any are named: as many are there for it then.
fn worker(bench: &Bench, cores: Option<&str>) -> Command {
    let plain = bench.command("jitsi-hls-worker");
    let Some(cores) = cores else { return plain };
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).arg(plain.get_program()).envs(plain.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command
}

/// A file to which each encode writes what it took, and the `PATH` on which it does so.
fn timed_ffmpeg(bench: &Bench) -> (PathBuf, String) {
    let times = bench.dir().join("times");
    let _ = fs::remove_file(&times);
    let path = std::env::var("PATH").unwrap();
    let real = std::env::split_paths(&path).map(|dir| dir.join("ffmpeg")).find(|path| path.is_file()).unwrap();
    let script = format!(
        "#!/bin/sh\n'{}' \"$@\"\nstatus=$?\ncase \" $* \" in *' hls '*) times >> '{}' ;; esac\nexit $status\n",
        real.display(),
        times.display()
    );
    (times, processes::path_with(bench, &["ffmpeg"], &script))
}

/// The CPU time of the children, of all that the shell's `times` wrote: `0m1.250000s 0m0.040000s` in every other line.
fn children(times: &Path) -> Duration {
    let text = fs::read_to_string(times).unwrap();
    let words = text.lines().skip(1).step_by(2).flat_map(str::split_whitespace);
    words
        .map(|word| {
            let (minutes, seconds) = word.trim_end_matches('s').split_once('m').unwrap();
            Duration::from_secs_f64(minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap())
        })
        .sum()
}

fn bytes(dir: &Path) -> u64 {
    files_below(dir).iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}

/// As many recordings as cores: at once, against one after the other on one core.
fn at_once(clip: &Path, rounds: usize) {
    let cores = std::thread::available_parallelism().unwrap().get();
    let mut bench = Bench::new();
    for key in ["HLS_POSTER", "HLS_PREVIEWS"] {
        bench.set(key, "no");
    }
    let (mut to_us, mut to_the_script) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        progress(&format!("{cores} recordings at once, round {} of {rounds}", round + 1));
        let wall = |bench: &mut Bench, jobs: usize, pinned| {
            bench.set("HLS_JOBS", jobs.to_string());
            let rooms: Vec<_> = (0..cores).map(|job| recorded(bench, clip, &format!("{round}-{jobs}-{job}"))).collect();
            let cost = cost(&mut worker(bench, pinned));
            assert!(
                rooms.iter().all(|room| room.join("v0/master.m3u8").exists()),
                "{}",
                bench.log("hls-worker.log").join("\n")
            );
            cost.wall.as_secs_f64()
        };
        let at_once = wall(&mut bench, cores, None);
        let in_turn = wall(&mut bench, 1, Some("0"));
        let scripts = (0..cores).map(|job| {
            let dir = bench.dir().join(format!("script-{round}-{job}"));
            fs::create_dir(&dir).unwrap();
            cost(script(clip).current_dir(&dir)).wall.as_secs_f64()
        });
        to_the_script.push(at_once / scripts.sum::<f64>());
        to_us.push(at_once / in_turn);
    }
    progress("");
    println!("\nWall time of {cores} recordings, {cores} jobs on {cores} cores:");
    println!("  / ours one after the other, on one core   {}   goal {:.2}", spread(to_us), 1.1 / as_f64(cores as u64));
    println!("  / the script's one after the other         {}", spread(to_the_script));
}

/// Says on a terminal what is being done, in place of what it said before.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{text}\x1b[K");
    }
}

fn heading() {
    println!(
        "\n{:<20} {:<8} {:<18} {:<20} {:>5} {:>7} {:>7} {:>6} {:>7} {:>9} {:>6}",
        "profile", "against", "clip", "CPU", "goal", "encode", "memory", "bytes", "VMAF", "SSIM", "PSNR"
    );
}

fn print_row(name: &str, row: &Row, ours: &Measured, theirs: &Measured) {
    let what = match row.ours {
        Side::Ours(profile, true) => format!("{profile}, all extras"),
        Side::Ours(profile, false) => profile.to_owned(),
        Side::Script | Side::Ladder => unreachable!("these are theirs"),
    };
    let against = if row.theirs == Side::Script { "script" } else { "ladder" };
    let pairs = || ours.runs.iter().zip(&theirs.runs);
    let cpu = spread(pairs().map(|(o, t)| o.cost.cpu.as_secs_f64() / t.cost.cpu.as_secs_f64()).collect());
    let encode = median(pairs().map(|(o, t)| o.encode.as_secs_f64() / t.cost.cpu.as_secs_f64()).collect());
    let peak = |runs: &[Run]| as_f64(runs.iter().map(|run| run.cost.peak).max().unwrap());
    let (memory, size) =
        (peak(&ours.runs) / peak(&theirs.runs), as_f64(ours.runs[0].bytes) / as_f64(theirs.runs[0].bytes));
    let goal = row.goal.map_or(String::new(), |goal| goal.to_string());
    let (mut vmaf, mut ssim, mut psnr) = ("-".to_owned(), "-".to_owned(), "-".to_owned());
    if let (Some(one), Some(other)) = (ours.quality, theirs.quality) {
        vmaf = one.vmaf.zip(other.vmaf).map_or(vmaf, |(one, other)| format!("{:+.2}", one - other));
        ssim = format!("{:+.5}", one.ssim - other.ssim);
        psnr = format!("{:+.2}", one.psnr - other.psnr);
    }
    println!(
        "{what:<20} {against:<8} {name:<18} {cpu:<20} {goal:>5} {encode:>7.3} {memory:>7.2} {size:>6.3} {vmaf:>7} {ssim:>9} {psnr:>6}"
    );
}

/// `0.512 (0.498 .. 0.530)`
fn spread(ratios: Vec<f64>) -> String {
    let (least, most) = ratios.iter().fold((f64::MAX, f64::MIN), |(l, m), ratio| (l.min(*ratio), m.max(*ratio)));
    format!("{:.3} ({least:.3}..{most:.3})", median(ratios))
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}
