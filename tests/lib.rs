//! The bench: a scratch tree with an env file, the stand-in for Notion, the real binaries, and real recordings.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    reason = "a test that panics has failed"
)]

pub mod caddy;
pub mod check;
pub mod death;
pub mod debian;
pub mod disk;
pub mod faults;
pub mod hls;
pub mod host;
pub mod hostile;
pub mod jibri;
pub mod ls;
pub mod media;
pub mod names;
pub mod npm;
pub mod outbox;
pub mod peers;
pub mod players;
pub mod processes;
pub mod receivers;
pub mod rooms;
pub mod scripts;
pub mod soak;
pub mod soak_deaths;
pub mod tls;
pub mod units;
pub mod watch;
pub mod writes;

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

pub use notion_standin::{Column, Fault, Page, Request, Standin};
pub use rooms::{assert_published, files_below, listing};
use tempfile::TempDir;

/// A scratch tree, its env file and its Notion.
pub struct Bench {
    dir: TempDir,
    /// The stand-in that the env file names.
    pub notion: Standin,
    keys: Vec<(String, String)>,
    path: Option<String>,
}

/// How a tool ended.
#[derive(Debug)]
pub struct Out {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
    /// From start to exit.
    pub took: Duration,
}

impl Out {
    fn of(output: &Output, begun: Instant) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: begun.elapsed(),
        }
    }

    /// The lines of stderr without their time.
    pub fn messages(&self) -> Vec<String> {
        untimed(&self.stderr)
    }

    /// Asserts the exit code, and shows what the tool said where it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// Log lines without their time, each of which must be as `date -Is` prints it.
#[track_caller]
pub fn untimed(lines: &str) -> Vec<String> {
    lines
        .lines()
        .map(|line| match line.split_once(' ') {
            Some((stamp, message)) if is_date_is(stamp) => message.to_owned(),
            _ => line.to_owned(),
        })
        .collect()
}

/// Whether a text has the form `2026-11-20T21:10:29+00:00`.
pub fn is_date_is(text: &str) -> bool {
    let form = "0000-00-00T00:00:00+00:00";
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(is, wanted)| match wanted {
            b'0' => is.is_ascii_digit(),
            b'+' => is == b'+' || is == b'-',
            wanted => is == wanted,
        })
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench {
    /// An empty tree, with the scripts' keys in its env file, and without pictures beside the HLS.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("rec test ").tempdir().unwrap();
        let notion = Standin::start();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let keys = [
            ("NOTION_TOKEN", notion.token()),
            ("NOTION_DATABASE_ID", notion.database_id()),
            ("PUBLIC_BASE_URL", "https://rec.example.com".to_owned()),
            ("RECORDINGS_ROOT", at("recordings")),
            ("NOTION_NAME_PREFIX", "[Jitsi]".to_owned()),
            ("LOG_DIR", at("log")),
            ("PUBLIC_URL_AUTH", String::new()),
            ("LOCK_DIR", at("lock")),
            ("NOTION_API_URL", notion.url()),
            // How full this machine's disk is, is no matter of the tests.
            ("HLS_MIN_FREE", "0".to_owned()),
            // They take a process more for each recording, and are the matter of a few tests.
            ("HLS_POSTER", "no".to_owned()),
            ("HLS_PREVIEWS", "no".to_owned()),
        ];
        let keys = keys.map(|(key, value)| (key.to_owned(), value)).to_vec();
        let bench = Self { dir, notion, keys, path: None };
        fs::create_dir(bench.recordings()).unwrap();
        bench.write_env();
        bench
    }

    /// An empty tree whose recordings get a poster and previews, as they do where nobody says otherwise.
    pub fn with_pictures() -> Self {
        let mut bench = Self::new();
        bench.want_pictures();
        bench
    }

    /// Has recordings get a poster and previews from now on.
    pub fn want_pictures(&mut self) {
        self.unset("HLS_POSTER");
        self.unset("HLS_PREVIEWS");
    }

    /// Sets a key of the env file.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.unset(key);
        self.keys.push((key.to_owned(), value.into()));
        self.write_env();
    }

    /// What the env file has for a key.
    pub fn key(&self, key: &str) -> Option<String> {
        self.keys.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    /// Takes a key out of the env file.
    pub fn unset(&mut self, key: &str) {
        self.keys.retain(|(known, _)| known != key);
        self.write_env();
    }

    fn write_env(&self) {
        write_env(&self.env_file(), &self.keys);
    }

    /// The scratch directory itself.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The env file.
    pub fn env_file(&self) -> PathBuf {
        self.dir().join("pipeline.env")
    }

    /// `RECORDINGS_ROOT`.
    pub fn recordings(&self) -> PathBuf {
        self.dir().join("recordings")
    }

    /// A room's directory, made if it is not there.
    pub fn room(&self, name: impl AsRef<OsStr>) -> PathBuf {
        let room = self.recordings().join(name.as_ref());
        fs::create_dir_all(&room).unwrap();
        room
    }

    /// A room with one recording in it, `meeting.mp4`, as Jibri closes it.
    pub fn recorded(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.recorded_of(media::Clip::Jibri, name)
    }

    /// The same with another recording.
    pub fn recorded_of(&self, clip: media::Clip, name: impl AsRef<OsStr>) -> PathBuf {
        let room = self.room(name);
        media::put(clip, &room.join("meeting.mp4"));
        room
    }

    /// [`Self::recorded`], finalized.
    pub fn finalized(&self, name: impl AsRef<OsStr>) -> PathBuf {
        let room = self.recorded(name);
        self.finalize(&room).exits(0);
        self.notion.clear_requests();
        room
    }

    /// A command line of one of the tools, with the bench's env file; add arguments and run it with [`run`].
    pub fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(binary(tool));
        command.env("RECORDING_PIPELINE_ENV", self.env_file()).env("TZ", "UTC").current_dir("/").stdin(Stdio::null());
        command.envs(self.path.iter().map(|path| ("PATH", path)));
        command
    }

    /// Gives every tool this `PATH` from now on.
    pub fn set_path(&mut self, path: &str) {
        self.path = Some(path.to_owned());
    }

    /// The same with other settings: on another host, say. Each such set has a name.
    pub fn command_with<'a>(
        &self,
        tool: &str,
        name: &str,
        settings: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Command {
        let mut keys = self.keys.clone();
        for (key, value) in settings {
            keys.retain(|(known, _)| known != key);
            keys.push((key.to_owned(), value));
        }
        let env = self.dir().join(format!("{name}.env"));
        // Another tool may be reading it, and its settings do not change.
        if !env.exists() {
            write_env(&env, &keys);
        }
        let mut command = self.command(tool);
        command.env("RECORDING_PIPELINE_ENV", env);
        command
    }

    /// Runs `jitsi-finalize PATH`, as Jibri does.
    pub fn finalize(&self, path: impl AsRef<OsStr>) -> Out {
        run(self.command("jitsi-finalize").arg(path))
    }

    /// Runs `jitsi-hls-worker`, as cron does.
    pub fn worker(&self) -> Out {
        run(&mut self.command("jitsi-hls-worker"))
    }

    /// Runs `jitsi-hls-worker ARG…`.
    pub fn worker_with<I: IntoIterator<Item = A>, A: AsRef<OsStr>>(&self, args: I) -> Out {
        run(self.command("jitsi-hls-worker").args(args))
    }

    /// The messages of a log file of `LOG_DIR`, without their times.
    pub fn log(&self, name: &str) -> Vec<String> {
        untimed(&fs::read_to_string(self.dir().join("log").join(name)).unwrap_or_default())
    }

    /// The only row there is.
    #[track_caller]
    pub fn only_row(&self) -> Page {
        let pages = self.notion.pages();
        let [page] = &pages[..] else { panic!("{} rows: {pages:?}", pages.len()) };
        page.clone()
    }

    /// URL and status of each row, the oldest first.
    pub fn rows(&self) -> Vec<(String, String)> {
        self.notion.pages().iter().map(|page| (page.url().unwrap(), page.status().unwrap())).collect()
    }

    /// Method and path of each request so far.
    pub fn requests(&self) -> Vec<String> {
        self.notion.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// The requests that change something, creates and updates, with their bodies.
    pub fn writes(&self) -> Vec<Request> {
        let mut requests = self.notion.requests();
        requests.retain(|r| r.method == "PATCH" || (r.method == "POST" && r.path == "/v1/pages"));
        requests
    }
}

fn write_env(file: &Path, keys: &[(String, String)]) {
    let lines: Vec<_> = keys.iter().map(|(key, value)| format!("{key}=\"{value}\"\n")).collect();
    fs::write(file, lines.concat()).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o640)).unwrap();
}

/// Runs a command to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Out {
    let begun = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Out::of(&output, begun)
}

/// The path of one of our binaries, as the sources stand now.
pub fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    // Cargo builds the binaries of a test's own package only, and these are of others: a test must not run yesterday's.
    let dir = BUILT.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let dir = test.parent().and_then(Path::parent).unwrap().to_owned();
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "--workspace", "--bins"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        // Tests kill them at places that only such builds have, and no release may have.
        let release = dir.ends_with("release");
        build.args(if release { &["--release"][..] } else { &["--features", "rec-core/fault-points"] });
        // What cargo told us of our own package would make build scripts run again, and their crates with them.
        let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
            build.env_remove(name);
        }
        assert!(build.status().unwrap().success(), "{build:?}");
        dir
    });
    dir.join(name)
}

/// Waits for something to become true.
#[track_caller]
pub fn wait_for(what: &str, is: impl FnMut() -> bool) {
    wait_for_minutes(1, what, is);
}

/// The same for something that takes long.
#[track_caller]
pub fn wait_for_minutes(minutes: u64, what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(60 * minutes), "waited {minutes} min for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Does something for every case at once: what Notion's faults cost is waiting. Names the cases that failed.
pub fn each_at_once<C: Send>(cases: impl IntoIterator<Item = (&'static str, C)>, act: impl Fn(C) + Sync) {
    let act = &act;
    let failed: Vec<_> = std::thread::scope(|scope| {
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let start = |(name, case)| (name, named(name).spawn_scoped(scope, move || act(case)).unwrap());
        let running: Vec<_> = cases.into_iter().map(start).collect();
        running.into_iter().filter_map(|(name, thread)| thread.join().err().map(|_| name)).collect()
    });
    assert!(failed.is_empty(), "failed, for reasons above: {failed:?}");
}

/// The same for a table of many cases, so many of them at once, the first ones first.
pub fn each_of_many<C: Send>(at_once: usize, cases: impl IntoIterator<Item = (String, C)>, act: impl Fn(C) + Sync) {
    let (cases, failed) = (Mutex::new(cases.into_iter().collect::<VecDeque<_>>()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some((name, case)) = { cases.lock().unwrap().pop_front() } {
                    // What a test panics with is printed where it does; which case it was is said here.
                    if std::panic::catch_unwind(AssertUnwindSafe(|| act(case))).is_err() {
                        failed.lock().unwrap().push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "failed, for reasons above: {failed:#?}");
}

/// Says, past the test runner's capture, that a test could not run here.
pub fn skipped(why: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
