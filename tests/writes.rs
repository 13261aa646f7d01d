//! The writes of a tool to a directory, as strace sees them, and a disk that refuses one of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::processes::traced;
use crate::run;

/// What may fail where a disk is full: a name, bytes, and what makes both last.
const CALLS: &str = "openat,mkdir,write,pwrite64,fsync,rename";

/// One write of a tool: the nth call of this name for this path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Write {
    call: String,
    /// Below the directory.
    path: PathBuf,
    nth: usize,
}

impl Write {
    /// In words: `write of .recording.json.tmp, 2`.
    pub fn shown(&self) -> String {
        format!("{} of {}, {}", self.call, self.path.display(), self.nth)
    }

    /// Whether the path has this in it.
    pub fn is_of(&self, part: &str) -> bool {
        self.path.to_str().unwrap().contains(part)
    }

    /// What it is, whichever time: `write of .recording.json.tmp`.
    pub fn kind(&self) -> String {
        format!("{} of {}", self.call, self.path.display())
    }

    /// Whether it is about bytes, and not about names.
    pub fn keeps_bytes(&self) -> bool {
        ["write", "pwrite64", "fsync"].contains(&self.call.as_str())
    }

    /// Whether it only tells a person who has the lock: where it fails, the lock is a lock all the same.
    pub fn is_a_note(&self) -> bool {
        self.keeps_bytes() && self.is_of(".lock")
    }

    /// Whether ffmpeg makes it, to a file of the HLS: one that is lost there, ffmpeg does not speak of, and exits 0.
    pub fn is_lost_by_ffmpeg(&self) -> bool {
        self.call == "write" && [".ts.tmp", ".m3u8.tmp"].iter().any(|end| self.path.to_str().unwrap().ends_with(end))
    }

    /// A command to which the disk says `error`, `ENOSPC` say, to this write below `dir`.
    pub fn refused(&self, command: &Command, dir: &Path, error: &str) -> Command {
        let inject = format!("inject={}:error={error}:when={}", self.call, self.nth);
        let (trace, path) = (format!("trace={}", self.call), dir.join(&self.path));
        let path = path.to_str().unwrap();
        traced(command, ["--seccomp-bpf", "-o", "/dev/null", "-P", path, "-e", &trace, "-e", &inject])
    }
}

/// Runs a command that succeeds, and tells its writes below `dir`, each once; of a file to which much is written in pieces, the
/// first and the last. `traces` is an empty directory.
pub fn writes(command: &Command, dir: &Path, traces: &Path) -> Vec<Write> {
    let output = traces.join("of");
    let filter = format!("trace={CALLS}");
    // A file for each thread: what one does is not mixed into the lines of another, and calls are counted for each.
    let args = ["--seccomp-bpf", "-ff", "-y", "-s", "4096", "-o", output.to_str().unwrap(), "-e", &filter];
    run(&mut traced(command, args)).exits(0);
    let mut found = Vec::new();
    for trace in fs::read_dir(traces).unwrap() {
        let mut count = BTreeMap::new();
        for line in fs::read_to_string(trace.unwrap().path()).unwrap().lines() {
            let Some((call, path)) = call(line) else { continue };
            let Ok(path) = path.strip_prefix(dir) else { continue };
            let nth: &mut usize = count.entry((call.to_owned(), path.to_owned())).or_default();
            *nth += 1;
            let makes = call != "openat" || line.contains("O_CREAT");
            if makes && path != Path::new("") {
                found.push(Write { call: call.to_owned(), path: path.to_owned(), nth: *nth });
            }
        }
    }
    found.sort();
    found.dedup();
    let is_between = |write: &Write| {
        let next = Write { nth: write.nth + 1, ..write.clone() };
        write.is_of("v0.tmp") && write.nth > 1 && found.contains(&next)
    };
    found.iter().filter(|write| !is_between(write)).cloned().collect()
}

/// The name of a call in a line of strace's, and the path that it is about.
fn call(line: &str) -> Option<(&str, &Path)> {
    let (call, rest) = line.split_once('(')?;
    let by_name = ["openat", "mkdir", "rename"].contains(&call);
    let (begin, end) = if by_name { ('"', '"') } else { ('<', '>') };
    let path = rest.split_once(begin)?.1.split(end).next()?;
    Some((call, Path::new(path)))
}
