//! Files that call themselves MP4 and mean harm: made here, by code, of a recording of two seconds.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::media::{self, Clip, clip};
use crate::processes::in_path;

mod boxes;
mod headers;
mod others;

/// An address that nobody has (RFC 5737), in a network of [`wired`].
pub const AWAY: &str = "192.0.2.7";

/// What stands in a file that no recording has anything to do with.
pub const CANARY: &str = "canary-of-another-file";

/// A file that calls itself MP4.
pub struct Hostile {
    /// Names its room.
    pub name: String,
    what: What,
    /// What may come of it.
    pub fate: Fate,
}

enum What {
    Bytes(Vec<u8>),
    Pipe,
    Socket,
    Device,
    Sparse,
    Directory,
}

/// What may come of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is kept, and its row says error.
    Error,
    /// The same, or its HLS is whole: what is wrong with it may not matter.
    Either,
    /// Its HLS is whole: nothing is wrong with it.
    Whole,
    /// It is no file, and not looked at.
    Ignored,
}

impl Hostile {
    fn new(name: &str, fate: Fate, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), what: What::Bytes(bytes), fate }
    }

    fn is(name: &str, fate: Fate, what: What) -> Self {
        Self { name: name.to_owned(), what, fate }
    }

    /// Puts it at a path. False where this user may not make such a thing.
    pub fn put(&self, to: &Path) -> bool {
        let made = |command: &mut Command| command.arg(to).status().unwrap().success();
        match &self.what {
            What::Bytes(bytes) => fs::write(to, bytes).unwrap(),
            What::Pipe => return made(&mut Command::new("mkfifo")),
            // A socket's path has 108 bytes at most, and it stays when nobody listens any more.
            What::Socket => drop(UnixListener::bind(to).unwrap()),
            What::Device => {
                let made =
                    Command::new("mknod").arg(to).args(["c", "1", "5"]).stderr(std::process::Stdio::null()).status();
                return made.unwrap().success();
            }
            What::Sparse => fs::File::create(to).unwrap().set_len(1 << 40).unwrap(),
            What::Directory => fs::create_dir(to).unwrap(),
        }
        if self.fate != Fate::Ignored {
            media::age(to, std::time::Duration::from_secs(3600));
        }
        true
    }
}

/// All of them. `outside` is a directory with a file that holds [`CANARY`], and with a recording.
pub fn corpus(outside: &Path, seeds: std::ops::Range<u64>) -> Vec<Hostile> {
    let whole = fs::read(clip(Clip::Tiny)).unwrap();
    let mut all = headers::broken(&whole);
    all.extend(headers::absurd(&whole));
    all.extend(headers::elsewhere(&whole, outside));
    all.extend(seeds.map(|seed| headers::mutated(&whole, seed)));
    all.extend(others::playlists(outside));
    all.extend(others::files());
    all.extend(
        [("pipe", What::Pipe), ("socket", What::Socket), ("device", What::Device), ("directory", What::Directory)]
            .map(|(name, what)| Hostile::is(name, Fate::Ignored, what)),
    );
    all.push(Hostile::is("sparse-terabyte", Fate::Error, What::Sparse));
    all
}

/// A playlist that leads to [`AWAY`].
pub struct Bait {
    /// The playlist.
    pub text: String,
    /// What an ffmpeg wants to be told before it follows it, beside that it may.
    pub options: &'static [&'static str],
}

/// Playlists that lead to [`AWAY`], by name.
pub fn baits() -> Vec<(&'static str, Bait)> {
    others::baits()
}

/// All addresses lead back to this machine, where a packet to any of them is counted; those of this machine itself lead nowhere.
const WIRE: &str = "ip link set lo up && ip addr del 127.0.0.1/8 dev lo && ip route add unreachable 127.0.0.0/8 && \
    ip route add local default dev lo || exit 99
packets() { awk '/lo:/ { print $3 }' /proc/net/dev; }
count=$1 before=$(packets)
shift
\"$@\"
status=$?
echo $(($(packets) - before)) >\"$count\"
exit $status";

/// A command in a network of its own, out of which nothing leads; how many packets were meant to go there is in the file `count`
/// when it has ended. `None` where this user may not make such a network.
pub fn wired(command: &Command, count: &Path) -> Option<Command> {
    let quiet = Command::new("unshare").args(["--net", "sh", "-c", WIRE, "sh"]).arg(count).arg("true").output();
    if in_path("ip").is_none() || !quiet.is_ok_and(|output| output.status.success()) {
        return None;
    }
    assert_eq!(packets(count), 0, "a network in which something else goes on");
    let mut wired = Command::new("unshare");
    wired.args(["--net", "sh", "-c", WIRE, "sh"]).arg(count).arg(command.get_program()).args(command.get_args());
    wired.current_dir(command.get_current_dir().unwrap_or(Path::new("/"))).stdin(std::process::Stdio::null());
    wired.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Some(wired)
}

/// What [`wired`] has counted.
pub fn packets(count: &Path) -> u64 {
    fs::read_to_string(count).unwrap().trim().parse().unwrap()
}
