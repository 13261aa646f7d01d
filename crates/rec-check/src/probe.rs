//! What a user can do with a path, found out by doing it.
//!
//! Modes alone do not say: there are ACLs, read-only mounts, servers that know no root. So this program is run again as that
//! user, with questions on stdin, one JSON object a line, and an answer to each on stdout.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime};

use rec_core::lock::Lock;
use serde::{Deserialize, Serialize};

use crate::{exec, room};

/// The argument with which this program is the one that is asked.
pub(crate) const ARGUMENT: &str = "--probe";
/// What the names of all that is made for a moment begin with; the worker takes none of it for a recording.
pub(crate) const PREFIX: &str = ".rec-check-";
/// What is older was left by somebody who was killed.
pub(crate) const STALE: Duration = Duration::from_secs(600);

/// A question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Can files and directories be made, renamed and removed there?
    Write(PathBuf),
    /// Does a lock there keep others out?
    Lock(PathBuf),
    /// Is what lies below it within reach?
    Enter(PathBuf),
    /// Can it be read?
    Read(PathBuf),
    /// Can it be appended to?
    Append(PathBuf),
    /// Can it be run?
    Run(PathBuf),
    /// Is it locked by somebody?
    Held(PathBuf),
    /// A room for the web server, that goes when stdin ends.
    Room(PathBuf, String),
}

/// An answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Why not.
    pub(crate) error: Option<String>,
    /// What was tried last.
    pub(crate) tried: Option<String>,
    /// It is not there.
    #[serde(default)]
    pub(crate) missing: bool,
    /// It, or a directory above it, is not for this user.
    #[serde(default)]
    pub(crate) denied: bool,
    /// Bytes that this user may still write.
    pub(crate) free: Option<u64>,
    /// The name of the filesystem's type.
    pub(crate) filesystem: Option<String>,
}

impl Answer {
    pub(crate) fn is_yes(&self) -> bool {
        self.error.is_none()
    }

    /// Why not, in words.
    pub(crate) fn why(&self) -> String {
        let error = self.error.as_deref().unwrap_or_default();
        match &self.tried {
            Some(tried) => format!("{tried}: {error}"),
            None => error.to_owned(),
        }
    }

    fn no(tried: &str, error: &io::Error) -> Self {
        Self {
            error: Some(error.to_string()),
            tried: Some(tried.to_owned()).filter(|tried| !tried.is_empty()),
            missing: error.kind() == io::ErrorKind::NotFound,
            denied: error.kind() == io::ErrorKind::PermissionDenied,
            ..Self::default()
        }
    }

    fn of(result: io::Result<()>) -> Self {
        result.map_or_else(|error| Self::no("", &error), |()| Self::default())
    }
}

/// The one that is asked.
pub(crate) fn answer() -> ExitCode {
    loop {
        let mut line = String::new();
        // Not locked for longer: who holds a room waits for its end on another thread.
        match io::stdin().read_line(&mut line) {
            Ok(0) => return ExitCode::SUCCESS,
            Ok(_) => {}
            Err(_) => return ExitCode::FAILURE,
        }
        let Ok(ask) = serde_json::from_str::<Ask>(&line) else { return ExitCode::from(2) };
        if let Ask::Room(root, name) = ask {
            return room::hold(&root, &name);
        }
        let answer = serde_json::to_string(&of(&ask)).unwrap_or_default();
        if writeln!(io::stdout(), "{answer}").is_err() {
            return ExitCode::FAILURE;
        }
    }
}

fn of(ask: &Ask) -> Answer {
    match ask {
        Ask::Write(dir) => write(dir),
        Ask::Lock(dir) => lock(dir),
        Ask::Enter(dir) => Answer::of(fs::metadata(dir.join(".")).map(drop)),
        Ask::Read(file) => Answer::of(File::open(file).map(drop)),
        // Not opened: a log that is closed after writing is what jitsi-hls-worker.path waits for.
        Ask::Append(file) => {
            Answer::of(rustix::fs::access(file, rustix::fs::Access::WRITE_OK).map_err(io::Error::from))
        }
        Ask::Run(file) => match fs::metadata(file) {
            Ok(found) if !found.is_file() => Answer::no("", &io::Error::other("not a regular file")),
            Ok(_) => Answer::of(rustix::fs::access(file, rustix::fs::Access::EXEC_OK).map_err(io::Error::from)),
            Err(error) => Answer::no("", &error),
        },
        Ask::Held(file) => match Lock::try_acquire(file) {
            Ok(None) => Answer::default(),
            Ok(Some(_)) => Answer { error: Some("it is not".to_owned()), ..Answer::default() },
            Err(error) => Answer { error: Some(format!("{error:#}")), ..Answer::default() },
        },
        Ask::Room(..) => Answer::default(),
    }
}

/// Things with random names that go at the end, whatever that is.
struct Scratch<'a> {
    dir: &'a Path,
    name: String,
}

impl<'a> Scratch<'a> {
    fn new(dir: &'a Path) -> Self {
        Self { dir, name: format!("{PREFIX}{:016x}", fastrand::u64(..)) }
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.dir.join(format!("{}{ending}", self.name))
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        for ending in ["", ".renamed"] {
            let _ = fs::remove_file(self.path(ending));
        }
        for ending in [".d.tmp", ".d"] {
            let _ = fs::remove_dir(self.path(ending));
        }
    }
}

/// Something that is tried, and what it is called.
type Step<'a> = (&'static str, Box<dyn Fn() -> io::Result<()> + 'a>);

fn write(dir: &Path) -> Answer {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Answer::no("", &io::Error::other("not a directory")),
        Err(error) => return Answer::no("", &error),
    }
    sweep(dir);
    let scratch = Scratch::new(dir);
    let file = |path: &Path| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(b"rec-check\n")?;
        file.sync_all()
    };
    let steps: [Step<'_>; 5] = [
        ("make a file", Box::new(|| file(&scratch.path("")))),
        ("rename a file", Box::new(|| fs::rename(scratch.path(""), scratch.path(".renamed")))),
        ("make a directory", Box::new(|| fs::create_dir(scratch.path(".d.tmp")))),
        ("rename a directory", Box::new(|| fs::rename(scratch.path(".d.tmp"), scratch.path(".d")))),
        ("remove a file", Box::new(|| fs::remove_file(scratch.path(".renamed")))),
    ];
    for (tried, step) in &steps {
        if let Err(error) = step() {
            return Answer::no(tried, &error);
        }
    }
    Answer { free: fs2::available_space(dir).ok(), filesystem: filesystem(dir), ..Answer::default() }
}

/// Two processes, because some filesystems keep locks of processes and not of open files.
fn lock(dir: &Path) -> Answer {
    let scratch = Scratch::new(dir);
    let path = scratch.path("");
    let held = match Lock::try_acquire(&path) {
        Ok(Some(held)) => held,
        Ok(None) => return Answer { error: Some("a new file is locked already".to_owned()), ..Answer::default() },
        Err(error) => return Answer { error: Some(format!("{error:#}")), ..Answer::default() },
    };
    let other = std::env::current_exe().map_err(|error| error.to_string()).and_then(|exe| {
        let ask = serde_json::to_string(&Ask::Held(path.clone())).map_err(|error| error.to_string())?;
        let said = exec::run(Command::new(exe).arg(ARGUMENT), ask.as_bytes())?.stdout;
        serde_json::from_slice::<Answer>(&said).map_err(|error| format!("no answer from a second process: {error}"))
    });
    drop(held);
    match other {
        Ok(answer) if answer.is_yes() => answer,
        Ok(_) => Answer {
            error: Some("a lock of one process does not keep another one out".to_owned()),
            ..Answer::default()
        },
        Err(error) => Answer { error: Some(error), ..Answer::default() },
    }
}

/// Removes what somebody who was killed has left.
fn sweep(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        if is_stale(&entry.path()) {
            let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir(entry.path()));
        }
    }
}

pub(crate) fn is_stale(path: &Path) -> bool {
    let modified = path.symlink_metadata().and_then(|found| found.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > STALE))
}

/// The type of the filesystem that a path is on, as mount(8) calls it.
fn filesystem(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    type_of(&mounts, &path)
}

/// Of the mounts above a path the lowest, and of those at one place the last.
fn type_of(mounts: &str, path: &Path) -> Option<String> {
    let above = mounts.lines().filter_map(|line| {
        let (mount, rest) = line.split_once(" - ")?;
        let point = unescaped(mount.split(' ').nth(4)?);
        path.starts_with(&point).then(|| (point.len(), rest.split(' ').next().unwrap_or_default().to_owned()))
    });
    above.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// Blanks and the like are written `\040`.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut whole, part| {
        match part.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                whole.push(char::from(byte));
                whole.push_str(&part[3..]);
            }
            None => whole.push_str(part),
        }
        whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_and_last_mount_is_that_of_a_path() {
        let mounts = "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:5 / /srv/a\\040b rw shared:1 - nfs4 host:/x rw\n\
                      3 1 0:6 / /srv rw - tmpfs none rw\n4 1 0:7 / /srv rw - btrfs /dev/b rw\n";
        for (path, wanted) in [("/etc", "ext4"), ("/srv/a b/c", "nfs4"), ("/srv/ab", "btrfs"), ("/srvx", "ext4")] {
            assert_eq!(type_of(mounts, Path::new(path)).as_deref(), Some(wanted), "{path}");
        }
    }

    #[test]
    fn a_directory_that_was_tried_is_as_it_was_but_for_what_is_stale() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join(format!("{PREFIX}0"));
        File::create(&old).unwrap().set_modified(SystemTime::now() - STALE * 2).unwrap();
        let fresh = dir.path().join(format!("{PREFIX}1"));
        File::create(&fresh).unwrap();
        let answer = write(dir.path());
        assert!(answer.is_yes() && answer.free.is_some() && answer.filesystem.is_some(), "{answer:?}");
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [fresh]);
        assert!(write(&dir.path().join("none")).missing);
        assert_eq!(write(&left[0]).why(), "not a directory");
    }
}
