//! What `rec-ls` prints, and rooms by hand for what takes the tools long to make.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::{Bench, Out, binary, media, run};

/// The columns of a line.
pub type Columns = [String; 7];

/// `rec-ls ARG…`.
pub fn rec_ls<I: IntoIterator<Item = A>, A: AsRef<OsStr>>(bench: &Bench, args: I) -> Out {
    run(bench.command("rec-ls").args(args))
}

/// The columns of what a pipe gets.
#[track_caller]
pub fn columns(out: &Out) -> Vec<Columns> {
    let split = |line: &str| line.split('\t').map(ToOwned::to_owned).collect::<Vec<_>>().try_into().unwrap();
    out.stdout.lines().map(split).collect()
}

/// State and room of each line.
#[track_caller]
pub fn states(out: &Out) -> Vec<(String, String)> {
    columns(out).into_iter().map(|[state, _, _, room, ..]| (state, room)).collect()
}

/// The objects of `--json`.
#[track_caller]
pub fn objects(out: &Out) -> Vec<Value> {
    out.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A recording as `--why` explains it.
#[derive(Debug)]
pub struct Why {
    /// What stands first: its path and state.
    pub head: String,
    said: BTreeMap<String, Vec<String>>,
}

impl Why {
    /// What it says under a word, all of it.
    pub fn all(&self, word: &str) -> &[String] {
        self.said.get(word).map_or(&[], Vec::as_slice)
    }

    /// What it says under a word, once.
    #[track_caller]
    pub fn one(&self, word: &str) -> &str {
        let [one] = self.all(word) else { panic!("{word}: {self:#?}") };
        one
    }
}

/// `rec-ls --why ROOM`, of a room with one recording.
#[track_caller]
pub fn why(bench: &Bench, room: &Path) -> Why {
    let mut all = every_why(&rec_ls(bench, [OsStr::new("--why"), room.as_os_str()]).exits(0));
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// Each recording that `--why` explains.
pub fn every_why(out: &Out) -> Vec<Why> {
    let paragraph = |text: &str| {
        let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
        let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in rest.lines() {
            let (word, what) = line.trim_start().split_once(' ').unwrap();
            said.entry(word.to_owned()).or_default().push(what.trim_start().to_owned());
        }
        Why { head: head.to_owned(), said }
    };
    out.stdout.split("\n\n").map(paragraph).collect()
}

/// Runs a command that `rec-ls` names, as an admin pastes it into a shell.
#[track_caller]
pub fn paste(bench: &Bench, command: &str) -> Out {
    let path = format!("{}:{}", binary("").display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-c", command]).current_dir("/").env("PATH", path);
    run(bash.env("RECORDING_PIPELINE_ENV", bench.env_file()).env("TZ", "UTC"))
}

/// A finding: its type, what is wrong, and its command.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its type.
    pub kind: String,
    /// What is wrong.
    pub what: String,
    /// What is to be done by hand.
    pub remedy: Option<String>,
    /// What is to be run.
    pub command: Option<String>,
}

/// `rec-ls --check --json` and what it found; its exit code must fit.
#[track_caller]
pub fn findings(bench: &Bench) -> Vec<Finding> {
    let out = rec_ls(bench, ["--check", "--json"]);
    let text = |object: &Value, key: &str| object[key].as_str().map(ToOwned::to_owned);
    let found = objects(&out).into_iter().map(|object| Finding {
        kind: text(&object, "type").unwrap(),
        what: text(&object, "what").unwrap(),
        remedy: text(&object, "remedy"),
        command: text(&object, "command"),
    });
    let found: Vec<_> = found.collect();
    out.exits(i32::from(!found.is_empty()));
    found
}

/// The only finding.
#[track_caller]
pub fn only_finding(bench: &Bench) -> Finding {
    let mut found = findings(bench);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// HLS that is whole as far as its files tell.
pub fn put_hls(dir: &Path) {
    fs::create_dir(dir).unwrap();
    fs::write(dir.join("master.m3u8"), "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nstream.m3u8\n").unwrap();
    fs::write(dir.join("stream.m3u8"), "#EXTM3U\n#EXTINF:4,\nseg_000000.ts\n#EXT-X-ENDLIST\n").unwrap();
    fs::write(dir.join("seg_000000.ts"), "G").unwrap();
}

/// Changes the first recording in a room's state file.
#[track_caller]
pub fn edit_state(room: &Path, edit: impl FnOnce(&mut Value)) {
    let path = room.join(".recording.json");
    let mut state: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut state["recordings"][0]);
    fs::write(path, state.to_string()).unwrap();
}

/// A room with a finalized recording, whose HLS is in place and whose row does not say so yet.
#[track_caller]
pub fn made(bench: &Bench, name: &str) -> PathBuf {
    let room = bench.recorded_of(media::Clip::Short, name);
    bench.finalize(&room).exits(0);
    put_hls(&room.join("v0"));
    edit_state(&room, |recording| recording["hls"] = json!({"of": recording["source"]}));
    room
}

/// A room whose recording is published, and whose MP4 is gone.
#[track_caller]
pub fn published(bench: &Bench, name: &str) -> PathBuf {
    let room = made(bench, name);
    bench.worker_with([&room]).exits(0);
    room
}
