//! Sudden death at every place between two steps, and what each must lead to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use rec_core::hls::complete;
use ring::digest::{SHA256, digest};

use crate::processes::{remembering_ffprobe, wait_until_unlocked};
use crate::receivers::Receiver;
use crate::{Bench, hls, listing, rooms, run};

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The tool; a program that it has started goes on without it.
    Tool,
    /// The tool, and what it has started.
    Both,
    /// Only what it has started.
    Programs,
}

/// A place that a tool has passed.
#[derive(Clone, Debug)]
pub struct Passage {
    /// The place, and for the how manieth time: `update is sent:2`.
    pub name: String,
    /// Whether a program that the tool had started ran at that moment.
    pub with_program: bool,
}

/// What a tool is killed in.
pub struct Stage {
    /// Its tree, and its Notion.
    pub bench: Bench,
    /// The room.
    pub room: PathBuf,
    /// Who is told by webhooks.
    pub receiver: Option<Receiver>,
}

/// A tool at work in a situation, and how that has to end.
pub struct Scene {
    /// Makes the situation.
    pub stage: fn() -> Stage,
    /// The tool that is killed.
    pub command: fn(&Stage) -> Command,
    /// What is done after the tool's death, before the worker runs again.
    pub then: fn(&Stage),
    /// Asserts the end, which is the same wherever it was killed.
    pub end: fn(&Stage),
    /// Where it is killed.
    pub places: Places,
}

/// At which of the places that it passes a tool is killed. Where scenes have a part in common, one of them walks that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// At every one.
    All,
    /// From this one on, up to that one.
    Between(&'static str, &'static str),
    /// At these.
    At(&'static [&'static str]),
}

/// Whether a place is passed, and how often, is a matter of time: ffmpeg tells how far it is, and a checkpoint is made.
fn is_by_chance(name: &str) -> bool {
    let again = name.starts_with("ffmpeg is at work:") && !name.ends_with(":1");
    again || name.starts_with("segments last:") || name.starts_with("resume.json ")
}

impl Places {
    fn of(self, passages: &[Passage]) -> Vec<Passage> {
        let at = |name: &str| {
            let at = passages.iter().position(|passage| passage.name == name);
            at.unwrap_or_else(|| panic!("{name} is not passed: {passages:#?}"))
        };
        let within = match self {
            Self::All => passages,
            Self::Between(first, last) => &passages[at(first)..=at(last)],
            Self::At(names) => return names.iter().map(|name| passages[at(name)].clone()).collect(),
        };
        within.iter().filter(|passage| !is_by_chance(&passage.name)).cloned().collect()
    }
}

/// Lets the tool die everywhere: at each passage in its turn, itself, with the programs that it has started, and only those.
/// The names of the passages, in order, and how often it died.
///
/// What goes on from a death is what it has left: where that is the same as after another death, it is not walked again.
#[track_caller]
pub fn walk(scene: &Scene) -> (Vec<String>, usize) {
    let answers = tempfile::tempdir().unwrap();
    let walk = Walk { scene, path: remembering_ffprobe(answers.path()), seen: Mutex::default() };
    let passages = walk.undisturbed();
    let mut cells = Vec::new();
    for Passage { name, with_program } in scene.places.of(&passages) {
        let who = if with_program { &[Who::Tool, Who::Both, Who::Programs][..] } else { &[Who::Tool] };
        cells.extend(who.iter().map(|who| (name.clone(), *who)));
    }
    on_every_core(&cells, |(name, who)| walk.dies(name, *who));
    (passages.into_iter().map(|passage| passage.name).collect(), cells.len())
}

/// A scene, and what is known of it.
struct Walk<'a> {
    scene: &'a Scene,
    /// The `PATH` of every tool.
    path: String,
    /// What deaths have left so far.
    seen: Mutex<BTreeSet<String>>,
}

impl Walk<'_> {
    fn stage(&self) -> Stage {
        let mut stage = (self.scene.stage)();
        stage.bench.set_path(&self.path);
        stage
    }

    /// What the tool passes where nobody kills it.
    fn undisturbed(&self) -> Vec<Passage> {
        let stage = self.stage();
        let trace = stage.bench.dir().join("trace");
        run((self.scene.command)(&stage).env("REC_FAULT_TRACE", &trace));
        self.ends(&stage);
        passages(&fs::read_to_string(trace).unwrap_or_default())
    }

    /// One death, and the runs that follow.
    fn dies(&self, name: &str, who: Who) {
        let stage = self.stage();
        let mp4s = mp4s(&stage.room);
        let kill = match who {
            Who::Tool => "self",
            Who::Both => "both",
            Who::Programs => "ffmpeg",
        };
        let out = run((self.scene.command)(&stage).env("REC_FAULT", name).env("REC_FAULT_KILL", kill));
        assert_eq!(out.code.is_none(), who != Who::Programs, "it is killed, or not: {out:?}");
        // An orphan ffmpeg has it until it has ended.
        if stage.room.join(".recording.lock").exists() {
            wait_until_unlocked(&stage.room);
        }
        assert_nothing_lost(&stage, &mp4s);
        if !self.seen.lock().unwrap().insert(left(&stage)) {
            return;
        }
        let before = log(&stage.bench);
        self.ends(&stage);
        assert!(log(&stage.bench).starts_with(&before), "what it said before it died is in the log still");
    }

    fn ends(&self, stage: &Stage) {
        (self.scene.then)(stage);
        settle(&stage.bench);
        (self.scene.end)(stage);
    }
}

/// All that a later run, or a person, can tell a death by: every file but settings, the rows, and what the receivers have got. The
/// ids and times in them, of which each stage has its own, are left out.
fn left(stage: &Stage) -> String {
    let dir = stage.bench.dir();
    let mut files = Vec::new();
    for path in all_below(dir) {
        let name = path.strip_prefix(dir).unwrap();
        let is_of_ours = ["bin", "trace"].iter().any(|ours| name.starts_with(ours));
        if is_of_ours || name.extension().is_some_and(|end| end == "env") {
            continue;
        }
        let content = match fs::read(&path) {
            // It names the process that had it.
            Ok(_) if name.extension().is_some_and(|end| end == "lock") => String::new(),
            Ok(bytes) => {
                String::from_utf8(bytes).unwrap_or_else(|bytes| format!("{:?}", digest(&SHA256, bytes.as_bytes())))
            }
            Err(_) => "a directory".to_owned(),
        };
        files.push(without_ids(&format!("{}: {content}", name.display())));
    }
    files.sort();
    let got: Option<Vec<_>> =
        stage.receiver.as_ref().map(|receiver| receiver.taken().iter().map(|got| without_ids(&got.text())).collect());
    format!("{files:#?} {} {got:?}", without_ids(&format!("{:?}", stage.bench.notion.pages())))
}

/// The files and directories of a directory, and theirs.
fn all_below(dir: &Path) -> Vec<PathBuf> {
    let paths = listing(dir).into_iter().map(|name| dir.join(name));
    let with_below = |path: PathBuf| {
        let below = if path.is_dir() { all_below(&path) } else { Vec::new() };
        [vec![path], below].concat()
    };
    paths.flat_map(with_below).collect()
}

/// A text without its times (`2026-11-22T01:57:18Z`), ids (at least 20 letters and digits), and large numbers.
fn without_ids(text: &str) -> String {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "-:+_".contains(c);
    let mut words = String::new();
    for part in text.split_inclusive(|c| !is_of_word(c)) {
        let word = part.trim_end_matches(|c| !is_of_word(c));
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let is_id = digits >= 9 || (word.len() >= 20 && digits > 0);
        words.push_str(if is_id { "#" } else { word });
        words.push_str(&part[word.len()..]);
    }
    words
}

/// Runs of the worker until nothing is due any more: three at the most. The last one finds nothing to do, and asks Notion
/// nothing.
#[track_caller]
pub fn settle(bench: &Bench) {
    let mut said = Vec::new();
    for _ in 0..4 {
        bench.notion.clear_requests();
        let out = bench.worker();
        let idle = out.messages() == ["Worker run complete."] && bench.requests().is_empty();
        said.push(out.stderr);
        if idle {
            return;
        }
    }
    panic!("something is still due after three runs: {}", said.join("---\n"));
}

/// Asserts that every MP4 is there, or HLS that is whole, and whose row says so.
#[track_caller]
pub fn assert_nothing_lost(stage: &Stage, before: &[PathBuf]) {
    let gone = before.iter().filter(|mp4| !mp4.exists()).count();
    let room = stage.room.file_name().unwrap().to_str().unwrap();
    let links = stage.bench.rows().into_iter().filter(|(_, status)| status == "published").map(|(url, _)| url);
    let plays = |link: &String| {
        let path = link.strip_prefix(&format!("https://rec.example.com/{room}/")).unwrap();
        complete(stage.room.join(path).parent().unwrap()).is_ok()
    };
    let published = links.filter(plays).count();
    assert!(published >= gone, "{gone} MP4s are gone, {published} published: {:?}", listing(&stage.room));
}

/// The end of one recording that can be played: one row, which leads to HLS of its length; no MP4, no litter; `.notion_id` as
/// the scripts would have it; a log that says what was done. Whether these bytes are played for the first time.
#[track_caller]
pub fn assert_same_end(bench: &Bench, room: &Path, seconds: f64) -> bool {
    let row = bench.only_row();
    let name = room.file_name().unwrap().to_str().unwrap();
    let link = format!("https://rec.example.com/{name}/v0/master.m3u8");
    assert_eq!((row.status().as_deref(), row.url()), (Some("published"), Some(link)));
    rooms::assert_published(room);
    let new = assert_plays(&room.join("v0"), seconds);
    assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{}\n", row.id));
    assert!(!room.join("v0/resume.json").exists(), "{:?}", listing(&room.join("v0")));
    let log = log(bench);
    assert!(log.iter().any(|line| line.contains("eleting mp4 ")), "nothing tells why the MP4 is gone: {log:#?}");
    new
}

/// Asserts that HLS plays for so long. What has been played need not be played again: of one recording it is the same bytes.
/// Whether it was the first time.
#[track_caller]
pub fn assert_plays(dir: &Path, seconds: f64) -> bool {
    static PLAYED: Mutex<BTreeMap<Vec<Vec<u8>>, f64>> = Mutex::new(BTreeMap::new());
    // What is said about it has the time in it.
    let files = listing(dir).into_iter().filter(|name| {
        name.to_str().is_some_and(|name| Path::new(name).extension().is_none_or(|extension| extension != "json"))
    });
    let bytes: Vec<_> = files.map(|name| fs::read(dir.join(name)).unwrap()).collect();
    let known = PLAYED.lock().unwrap().get(&bytes).copied();
    let played = known.unwrap_or_else(|| hls::play(&dir.join("master.m3u8")));
    PLAYED.lock().unwrap().insert(bytes, played);
    assert!((played - seconds).abs() < 0.5, "{}: {played} s", dir.display());
    known.is_none()
}

/// What the worker has said, in its log.
fn log(bench: &Bench) -> Vec<String> {
    bench.log("hls-worker.log")
}

/// The MP4s of a room.
pub fn mp4s(room: &Path) -> Vec<PathBuf> {
    let files = listing(room).into_iter().map(|name| room.join(name));
    files.filter(|path| path.extension().is_some_and(|kind| kind == "mp4")).collect()
}

/// The passages of a trace.
fn passages(trace: &str) -> Vec<Passage> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let passage = |line| {
        let (programs, name) = str::split_once(line, ' ').unwrap();
        let count = counts.entry(name).or_default();
        *count += 1;
        Passage { name: format!("{name}:{count}"), with_program: programs != "0" }
    };
    trace.lines().map(passage).collect()
}

/// Does something for every case, as many at once as there are cores, and one more because some wait. Names those that failed.
#[track_caller]
pub fn on_every_core<C: Sync + std::fmt::Debug>(cases: &[C], act: impl Fn(&C) + Sync) {
    let (next, failed) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    let take = || next.lock().unwrap().next();
    let work = || {
        while let Some(case) = take() {
            if catch_unwind(AssertUnwindSafe(|| act(case))).is_err() {
                failed.lock().unwrap().push(format!("{case:?}"));
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..=cores {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} failed, for reasons above: {failed:#?}", failed.len(), cases.len());
}
