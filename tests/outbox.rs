//! The outbox of a bench: its destinations, `rec-hook`, and what lies in the spool.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::processes::start;
use crate::receivers::Receiver;
use crate::{Bench, Out, files_below, run};

/// What signs the messages of a bench.
pub const SECRET: &str = "hook s3cret-0f-the-bench";

/// A file of the spool.
#[derive(Clone, Debug)]
pub struct Queued {
    /// `<seq>-<id>.event`.
    pub path: PathBuf,
    /// The id in its name.
    pub id: String,
    /// The bytes behind its first line.
    pub body: Vec<u8>,
    /// The `.try` beside it, where there is one.
    pub tried: Option<Value>,
}

impl Bench {
    /// Adds a destination of this name at this URL, with [`SECRET`].
    pub fn tell(&mut self, name: &str, url: &str) {
        let names = self.key("WEBHOOKS").unwrap_or_default();
        if !names.split(' ').any(|known| known == name) {
            self.set("WEBHOOKS", format!("{names} {name}").trim());
        }
        self.set("SPOOL_DIR", self.spool().to_str().unwrap().to_owned());
        let key = format!("WEBHOOK_{}", name.to_ascii_uppercase());
        self.set(&format!("{key}_URL"), url);
        self.set(&format!("{key}_SECRET"), SECRET);
    }

    /// `SPOOL_DIR` of [`Self::tell`].
    pub fn spool(&self) -> PathBuf {
        self.dir().join("spool")
    }

    /// Runs `rec-hook ARG…`.
    pub fn hook<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Out {
        run(self.command("rec-hook").args(args))
    }

    /// Runs `rec-hook ARG…` with a text on its stdin.
    #[track_caller]
    pub fn hook_with<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, stdin: &[u8]) -> Out {
        feed(self.command("rec-hook").args(args), stdin)
    }

    /// `rec-hook send NAME -`: a body as it is.
    #[track_caller]
    pub fn send(&self, name: &str, body: &str) -> Out {
        self.hook_with(["send", name, "-"], body.as_bytes())
    }

    /// What waits for a destination, in the order of its delivery.
    pub fn queued(&self, name: &str) -> Vec<Queued> {
        lying_in(&self.spool().join(name).join("queue"))
    }

    /// What was given up.
    pub fn dead(&self, name: &str) -> Vec<Queued> {
        lying_in(&self.spool().join(name).join("dead"))
    }

    /// The names of everything in the spool of a destination but its locks.
    pub fn litter(&self, name: &str) -> Vec<String> {
        let dir = self.spool().join(name);
        if !dir.is_dir() {
            return Vec::new();
        }
        let names =
            files_below(&dir).into_iter().map(|path| path.strip_prefix(&dir).unwrap().to_str().unwrap().to_owned());
        names.filter(|name| Path::new(name).extension().is_none_or(|end| end != "lock") && name != "lock").collect()
    }
}

/// Runs a command with a text on its stdin.
#[track_caller]
pub fn feed(command: &mut Command, stdin: &[u8]) -> Out {
    let mut running = start(command.stdin(Stdio::piped()));
    // It may have ended without reading: then its own words are what the test sees.
    let _ = running.stdin().write_all(stdin);
    running.end()
}

/// The events in a directory, sorted.
pub fn lying_in(dir: &Path) -> Vec<Queued> {
    if !dir.is_dir() {
        return Vec::new();
    }
    let events = files_below(dir).into_iter().filter(|path| path.extension().is_some_and(|end| end == "event"));
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        let first = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        Queued {
            id: stem.split_once('-').map_or("", |(_, id)| id).to_owned(),
            body: bytes[first..].to_vec(),
            tried: fs::read(path.with_extension("try")).ok().map(|text| serde_json::from_slice(&text).unwrap()),
            path,
        }
    };
    events.map(read).collect()
}

/// A bench that tells a Reflector which knows the room `Room-1`.
pub fn reflector() -> (Bench, Receiver) {
    let mut bench = Bench::new();
    let receiver = Receiver::reflector(SECRET);
    receiver.know_room("Room-1");
    bench.tell("reflector", &receiver.url());
    (bench, receiver)
}

/// A body that Reflector takes, of a meeting in this room, with a number in it.
pub fn body_of(room: &str, number: usize) -> String {
    format!(
        r#"{{"room_name":"{room}","recording_file":"/recordings/{number}/a b.mp4","recording_status":"completed","timestamp":"2026-11-21T10:00:00.000Z"}}"#
    )
}
