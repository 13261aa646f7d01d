//! What Jibri is to the tools: hardly an environment, one pipe, and another user than root.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::{Bench, Out, binary, run, skipped, untimed};

/// Debian's `nobody` and `nogroup`, who stand for Jibri's user.
const NOBODY: u32 = 65534;

/// `jitsi-finalize PATH` with what Jibri gives it, which is next to nothing.
pub fn command(bench: &Bench, path: &Path) -> Command {
    let mut command = Command::new(binary("jitsi-finalize"));
    command.arg("--env-file").arg(bench.env_file()).arg(path);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
    command
}

/// How a run ended: its exit code, and the messages of the one pipe that has stdout and stderr.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// The lines without their time.
    pub messages: Vec<String>,
}

/// Runs [`command`] with stdin a pipe that never closes, and stdout and stderr one pipe, which must end with the process.
pub fn finalize(bench: &Bench, path: &Path) -> Ended {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = command(bench, path);
    command.stdin(Stdio::piped()).stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    // The ends of the pipe that are ours.
    drop(command);
    let stdin = child.stdin.take();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = String::new();
        let read = reader.read_to_string(&mut said);
        let _ = send.send(read.map(|_| said));
    });
    let code = child.wait().unwrap().code();
    let said = receive.recv_timeout(Duration::from_secs(2)).expect("the pipe ends when finalize does").unwrap();
    drop(stdin);
    Ended { code, messages: untimed(&said) }
}

/// Whether the tests may do what root may.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A tool as Jibri's user runs it; as ours, where we are not root and so cannot write everywhere ourselves.
pub fn run_as_user(bench: &Bench, tool: &str, path: &Path) -> Out {
    let direct = bench.command(tool);
    let mut command = if is_root() {
        // A copy, because that user may have no way to where it was built.
        let copy = bench.dir().join(tool);
        // By another process: a child of another thread may have what this one writes open still, and then nobody can start it.
        run(Command::new("cp").arg(direct.get_program()).arg(&copy)).exits(0);
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]).arg(copy);
        command
            .envs(direct.get_envs().filter_map(|(key, value)| Some((key, value?))))
            .current_dir("/")
            .stdin(Stdio::null());
        command
    } else {
        direct
    };
    run(command.arg(path))
}

/// A room that belongs to Jibri's user, who may read the env file; `None`, and said so, where root cannot be another.
pub fn room_of_user(bench: &Bench, name: &str) -> Option<PathBuf> {
    let room = bench.recorded(name);
    fs::set_permissions(bench.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    if is_root() {
        let given = chown(&room, Some(NOBODY), Some(NOBODY)).is_ok();
        if !given || run_as_user(bench, "rec-url", Path::new("--version")).code != Some(0) {
            skipped("root cannot run the tools as another user here (setpriv --reuid)");
            return None;
        }
        chown(room.join("meeting.mp4"), Some(NOBODY), Some(NOBODY)).unwrap();
        chown(bench.env_file(), None, Some(NOBODY)).unwrap();
    }
    Some(room)
}

/// Takes a directory away from Jibri's user: it is root's or his, and nobody has write permission.
pub fn lock_up(dir: &Path) {
    if is_root() {
        chown(dir, Some(0), Some(0)).unwrap();
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o555)).unwrap();
}

/// Gives it back.
pub fn open_up(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Gives Jibri's user a directory with all that is in it.
pub fn give(dir: &Path) {
    if is_root() {
        run(Command::new("chown").args(["-R", &format!("{NOBODY}:{NOBODY}")]).arg(dir)).exits(0);
    }
}
