//! Files that call themselves MP4 and mean harm: they reach neither the network nor another file, they stop nobody, and they cost
//! no more than they are allowed to. `HOSTILE_SEEDS=500` tries more of those that are made at random.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use hostile_bytes::{Counted, feed};
use pipeline_tests::hostile::{self, CANARY, Fate, Hostile, packets, wired};
use pipeline_tests::media::{self, Clip};
use pipeline_tests::processes::{path_with, real_ffmpeg};
use pipeline_tests::rooms::PUBLISHED;
use pipeline_tests::{Bench, each_at_once, files_below, listing, run, skipped};
use wait4::Wait4 as _;

fn seeds(from: u64) -> Range<u64> {
    let count = std::env::var("HOSTILE_SEEDS").ok().and_then(|count| count.parse().ok());
    from..from + count.unwrap_or(8)
}

/// A tree in which each hostile file has its room, between two good ones, and what each room is then.
struct Tree {
    bench: Bench,
    all: Vec<Hostile>,
}

impl Tree {
    fn new(profile: &str, seeds: Range<u64>) -> Self {
        let mut bench = Bench::new();
        bench.set("HLS_PROFILE", profile);
        bench.set("HLS_TRIES", "1");
        let outside = bench.dir().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), CANARY).unwrap();
        media::put(Clip::Tiny, &outside.join("whole.mp4"));
        let mut all = hostile::corpus(&outside, seeds);
        all.retain(|file| file.put(&bench.room(&file.name).join("meeting.mp4")));
        for good in ["0 good", "zz good"] {
            bench.recorded_of(Clip::Tiny, good);
        }
        Self { bench, all }
    }

    /// As Jibri would, but several at once.
    fn finalize(&self) {
        let rooms = listing(&self.bench.recordings());
        thread::scope(|scope| {
            for some in rooms.chunks(rooms.len().div_ceil(4)) {
                scope.spawn(move || {
                    for room in some {
                        let out = self.bench.finalize(self.bench.room(room));
                        assert!([Some(0), Some(1)].contains(&out.code) && !out.stderr.contains("panicked"), "{out:?}");
                    }
                });
            }
        });
    }

    /// A run out of which nothing leads, and then one that tells Notion what came of it. Says how much memory the largest of all
    /// processes took, in bytes.
    fn work(&self) -> u64 {
        let (command, count) = (self.bench.command("jitsi-hls-worker"), self.bench.dir().join("packets"));
        let mut alone = wired(&command, &count);
        if alone.is_none() {
            skipped("this user may not make a network in which packets are counted");
        }
        let log = fs::File::create(self.bench.dir().join("stderr")).unwrap();
        let mut child =
            alone.as_mut().unwrap_or(&mut self.bench.command("jitsi-hls-worker")).stderr(log).spawn().unwrap();
        let peak = child.wait4().unwrap().rusage.maxrss;
        if alone.is_some() {
            assert_eq!(packets(&count), 0, "packets that were meant for somebody");
        }
        let mut said = fs::read_to_string(self.bench.dir().join("stderr")).unwrap() + &self.bench.worker().stderr;
        // Those that Notion was away for twice would wait for a minute, unless somebody names them.
        let rooms = listing(&self.bench.recordings()).into_iter().map(|room| self.bench.room(room));
        let made: Vec<_> = rooms.filter(|room| room.join("v0").exists()).collect();
        said += &self.bench.worker_with(made).stderr;
        for bad in ["panicked", "made no progress", "took longer"] {
            assert!(!said.contains(bad), "{said}");
        }
        peak
    }

    fn status(&self, room: &str) -> Option<String> {
        let title = format!("[Jitsi] {room}");
        self.bench.notion.pages().iter().find(|page| page.title() == title)?.status()
    }

    /// Holds what came of a file against what may.
    fn judge(&self, file: &Hostile) -> Result<(), String> {
        let (room, status) = (self.bench.room(&file.name), self.status(&file.name));
        let names = listing(&room);
        if file.fate == Fate::Ignored {
            let kept = fs::symlink_metadata(room.join("meeting.mp4")).is_ok();
            return if kept && status.is_none() { Ok(()) } else { Err(format!("{names:?}, {status:?}")) };
        }
        if names == PUBLISHED && status.as_deref() == Some("published") {
            return if file.fate == Fate::Error { Err("it is published".into()) } else { Ok(()) };
        }
        let state = fs::read_to_string(room.join(".recording.json")).unwrap_or_default();
        let state: serde_json::Value = serde_json::from_str(&state).unwrap_or_default();
        let why = state["recordings"][0]["error"].as_str().unwrap_or_default().to_owned();
        let kept = names == pipeline_tests::rooms::FINALIZED && status.as_deref() == Some("error") && !why.is_empty();
        if kept && file.fate != Fate::Whole { Ok(()) } else { Err(format!("{names:?}, {status:?}, {why:?}")) }
    }
}

/// Finalizes and works off all of them.
fn all_of_them(profile: &str, seeds: Range<u64>) {
    let tree = Tree::new(profile, seeds);
    tree.finalize();
    let peak = tree.work();
    let judged = tree.all.iter().filter_map(|file| Some(format!("{}: {}", file.name, tree.judge(file).err()?)));
    let wrong: Vec<_> = judged.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for good in ["0 good", "zz good"] {
        assert_eq!(
            (listing(&tree.bench.room(good)), tree.status(good).unwrap()),
            (PUBLISHED.map(Into::into).to_vec(), "published".into())
        );
    }
    let canary = |path: &Path| fs::read(path).unwrap().windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes());
    for file in &tree.all {
        let room = tree.bench.room(&file.name);
        let made = files_below(&room).into_iter().filter(|path| path.is_file() && *path != room.join("meeting.mp4"));
        assert!(!made.into_iter().any(|path| canary(&path)), "{} has something of another file", file.name);
    }
    // What ffmpeg gets is tested below; no file of these made it ask for that.
    assert!(peak < 1 << 30, "{} MiB", peak >> 20);
}

#[test]
#[ignore = "make test-long"]
fn no_hostile_file_reaches_the_network_another_file_or_another_room_where_it_is_encoded() {
    all_of_them("480p", seeds(0));
}

#[test]
#[ignore = "make test-long"]
fn no_hostile_file_reaches_the_network_another_file_or_another_room_where_it_is_passed_on() {
    all_of_them("hybrid", seeds(1000));
}

#[test]
fn the_network_in_which_they_are_tried_notices_an_ffmpeg_that_follows_them() {
    let bench = Bench::new();
    let baits = hostile::baits();
    each_at_once(baits, |bait| {
        let dir = tempfile::tempdir_in(bench.dir()).unwrap();
        let path = dir.path().join("meeting.mp4");
        fs::write(&path, bait.text).unwrap();
        let mut plain = Command::new("timeout");
        plain.args(["5", &real_ffmpeg(), "-nostdin", "-v", "error"]).args(bait.options);
        plain.args(["-protocol_whitelist", "file,http,tcp,udp,rtp,crypto,data", "-i"]).arg(&path);
        plain.args(["-t", "1", "-f", "null", "-"]);
        let count = dir.path().join("packets");
        let Some(mut wired) = wired(&plain, &count) else {
            return skipped("this user may not make a network in which packets are counted");
        };
        let out = run(&mut wired);
        assert!(packets(&count) > 0, "{out:?}");
    });
}

#[test]
fn our_own_look_at_the_boxes_of_a_hostile_file_ends_after_a_few_reads() {
    let tree = Tree::new("480p", seeds(0));
    for file in &tree.all {
        let path = tree.bench.room(&file.name).join("meeting.mp4");
        if path.is_file() && fs::metadata(&path).unwrap().len() < 1 << 30 {
            feed("mp4", &fs::read(path).unwrap());
        } else if path.is_file() {
            let mut terabyte = Counted::new(fs::File::open(path).unwrap());
            let _ = rec_core::mp4::inspect(&mut terabyte);
            let _ = rec_core::mp4::seconds(&mut terabyte);
            assert!(terabyte.calls < 20, "{} calls", terabyte.calls);
        }
    }
}

#[test]
fn ffmpeg_and_ffprobe_get_so_much_memory_and_no_more() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Tiny, "daily");
    bench.finalize(&room).exits(0);
    let bounds = bench.dir().join("bounds");
    // The worker bounds it as soon as it has been started, which may be a moment after it has begun.
    let bound = "for try in {1..200}; do [ \"$(ulimit -d)\" = unlimited ] || break; sleep 0.05; done; ulimit -d";
    let script =
        format!("#!/bin/bash\n{{ {bound}; }} >>'{}'\nPATH=${{PATH#*:}} exec \"${{0##*/}}\" \"$@\"\n", bounds.display());
    let path = path_with(&bench, &["ffmpeg", "ffprobe"], &script);
    run(bench.command("jitsi-hls-worker").env("PATH", path)).exits(0);
    let bounds = fs::read_to_string(bounds).unwrap();
    let mib = |line: &str| line.parse::<u64>().unwrap_or_else(|_| panic!("{line}")) / 1024;
    let all: Vec<_> = bounds.lines().map(mib).collect();
    assert!(all.len() > 2 && all.iter().all(|bound| (1024..65_536).contains(bound)), "{all:?}");
}

#[test]
fn a_file_for_which_ffmpeg_wants_too_much_memory_is_an_error_of_its_own() {
    let mut bench = Bench::new();
    bench.set("HLS_TRIES", "1");
    let room = bench.recorded_of(Clip::Tiny, "daily");
    bench.finalize(&room).exits(0);
    let script = "#!/bin/sh\necho '[libx264 @ 0x5581] malloc of size 99999999999 failed' >&2\nexit 1\n";
    let path = path_with(&bench, &["ffmpeg"], script);
    let out = run(bench.command("jitsi-hls-worker").env("PATH", path)).exits(1);
    assert!(out.stderr.contains("; a process gets "), "{}", out.stderr);
    assert_eq!(bench.only_row().status().as_deref(), Some("error"));
    assert!(room.join("meeting.mp4").exists() && !room.join("v0").exists());
}

#[test]
fn where_an_admin_allows_less_memory_than_a_recording_takes_that_is_no_error_of_the_file() {
    let mut bench = Bench::new();
    bench.set("HLS_TRIES", "1");
    let room = bench.recorded_of(Clip::Tiny, "daily");
    bench.finalize(&room).exits(0);
    let mut command = Command::new("bash");
    command
        .args(["-c", "ulimit -S -d 40000; exec \"$@\"", "bash"])
        .arg(bench.command("jitsi-hls-worker").get_program());
    command.env("RECORDING_PIPELINE_ENV", bench.env_file()).stdin(Stdio::null());
    let out = run(&mut command).exits(75);
    assert!(out.stderr.contains("a process gets 39M of memory"), "{}", out.stderr);
    assert_ne!(bench.only_row().status().as_deref(), Some("error"));
    assert!(room.join("meeting.mp4").exists() && !room.join("v0").exists());
    bench.worker_with([&room]).exits(0);
    assert_eq!(listing(&room), PUBLISHED);
}
