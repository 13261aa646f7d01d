//! A room that is no recording's, for the web server to serve and to refuse.
//!
//! It holds no MP4 and none of the files that finalize writes, so neither finalize nor the worker ever works on it, even where
//! nobody is left to remove it. Whoever made it waits until its stdin ends, which it does whatever becomes of the other end,
//! and takes it away; what is left after a power cut goes at the next run.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exec;
use crate::probe::{Ask, is_stale};
use crate::users::User;

/// How long its end is waited for: it goes in any case.
const PATIENCE: Duration = Duration::from_secs(3);
/// What the names of such rooms begin with.
const PREFIX: &str = "rec-check-";
/// What such a room holds: a playlist, a segment, and what nobody may see.
pub(crate) const PLAYLIST: &str = "v0/probe.m3u8";
pub(crate) const SEGMENT: &str = "v0/probe.ts";
pub(crate) const HIDDEN: &str = ".probe";
/// Jibri's own may hold tokens.
pub(crate) const METADATA: &str = "metadata.json";
const FILES: [&str; 4] = [PLAYLIST, SEGMENT, HIDDEN, METADATA];

pub(crate) const PLAYLIST_BYTES: &[u8] =
    b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nprobe.ts\n#EXT-X-ENDLIST\n";

/// Bytes of which no two places are alike.
pub(crate) fn segment_bytes() -> Vec<u8> {
    (0..1000u16).flat_map(u16::to_be_bytes).collect()
}

/// A room that is there, and goes with this.
pub(crate) struct Room {
    pub(crate) name: String,
    child: Option<Child>,
    stdin: Option<ChildStdin>,
}

impl Room {
    /// Has a user make one in a directory. The error says why there is none.
    pub(crate) fn made_by(user: &User, root: &Path) -> Result<Self, String> {
        let name = format!("{PREFIX}{:016x}", fastrand::u64(..));
        let ask =
            serde_json::to_string(&Ask::Room(root.to_owned(), name.clone())).map_err(|error| error.to_string())?;
        let mut command = user.asked()?;
        // Ctrl-C is for us alone, whatever group or session it is in: our end is the end of its stdin.
        if !user.is_another() {
            command.process_group(0);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut stdin = child.stdin.take();
        let mut asked = Ok(());
        if let Some(stdin) = &mut stdin {
            asked = stdin.write_all(format!("{ask}\n").as_bytes());
        }
        let (send, receive) = mpsc::channel();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        thread::spawn(move || {
            let mut line = String::new();
            if let Some(stdout) = stdout {
                let _ = BufReader::new(stdout).read_line(&mut line);
            }
            if let Some(mut stderr) = stderr.filter(|_| line.is_empty()) {
                let _ = stderr.read_to_string(&mut line);
            }
            send.send(line)
        });
        let made = Self { name, child: Some(child), stdin };
        asked.map_err(|error| error.to_string())?;
        match receive.recv_timeout(exec::left()).as_deref().map(str::trim_end) {
            Ok("made") => Ok(made),
            Ok(why) => Err(why.to_owned()),
            Err(_) => Err("it is not made in time".to_owned()),
        }
    }

    /// Takes it away.
    fn end(&mut self) {
        drop(self.stdin.take());
        let Some(mut child) = self.child.take() else { return };
        let (send, receive) = mpsc::channel();
        thread::spawn(move || send.send(child.wait().is_ok()));
        let _ = receive.recv_timeout(PATIENCE);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.end();
    }
}

/// Makes a room, says so, and takes it away when stdin ends or somebody wants this process to end.
pub(crate) fn hold(root: &Path, name: &str) -> ExitCode {
    sweep(root);
    let dir = root.join(name);
    let (send, over) = mpsc::channel();
    if let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) {
        let send = send.clone();
        thread::spawn(move || signals.forever().next().map(|_| send.send(())));
    }
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        send.send(())
    });
    let made = make(&dir);
    let said = match &made {
        Ok(()) => writeln!(io::stdout(), "made"),
        Err(error) => writeln!(io::stdout(), "{}: {error}", dir.display()),
    };
    if made.is_ok() && said.is_ok() {
        let _ = over.recv();
    }
    remove(&dir);
    ExitCode::SUCCESS
}

/// Readable by everybody, as HLS is, whatever the umask.
fn make(room: &Path) -> io::Result<()> {
    let dir = |path: &Path| {
        DirBuilder::new().mode(0o755).create(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o755))
    };
    let file = |name: &str, bytes: &[u8]| {
        let mut file = File::create_new(room.join(name))?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(0o644))
    };
    dir(room)?;
    dir(&room.join("v0"))?;
    file(PLAYLIST, PLAYLIST_BYTES)?;
    file(SEGMENT, &segment_bytes())?;
    file(HIDDEN, b"rec-check\n")?;
    file(METADATA, b"{\"rec-check\":true}\n")
}

/// Removes a room and nothing that is not of it.
fn remove(room: &Path) {
    for name in FILES {
        let _ = fs::remove_file(room.join(name));
    }
    let _ = fs::remove_dir(room.join("v0"));
    let _ = fs::remove_dir(room);
}

/// Removes the rooms of those who were killed.
fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    let rooms: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            entry.file_name().to_str().is_some_and(is_name) && entry.file_type().is_ok_and(|kind| kind.is_dir())
        })
        .map(|entry| entry.path())
        .collect();
    rooms.iter().filter(|room| is_stale(room)).for_each(|room| remove(room));
}

fn is_name(name: &str) -> bool {
    let digits = name.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::STALE;
    use std::time::SystemTime;

    #[test]
    fn a_room_that_was_left_goes_and_others_stay() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let (left, fresh, foreign) =
            (at("rec-check-0123456789abcdef"), at("rec-check-1123456789abcdef"), at("rec-check-mine"));
        for room in [&left, &fresh, &foreign] {
            make(room).unwrap();
        }
        for room in [&left, &foreign] {
            File::open(room).unwrap().set_modified(SystemTime::now() - STALE * 2).unwrap();
        }
        sweep(root.path());
        assert_eq!([&left, &fresh, &foreign].map(|room| room.exists()), [false, true, true]);
        fs::write(fresh.join("v0/kept"), "").unwrap();
        remove(&fresh);
        assert!(fresh.join("v0/kept").exists() && !fresh.join(SEGMENT).exists());
    }
}
