//! Tools that are looked at, or killed, while they run.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use crate::{Bench, Out, run, skipped, wait_for};

/// A tool at work; it is killed where a test ends before it does.
pub struct Running {
    child: Option<Child>,
    begun: Instant,
}

/// Starts a tool without waiting for its end. It has little to say: its pipes must hold all of it.
pub fn start(command: &mut Command) -> Running {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    Running { child: Some(child), begun: Instant::now() }
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Its stdin, where that is a pipe; whoever takes it closes it.
    #[track_caller]
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.as_mut().unwrap().stdin.take().unwrap()
    }

    /// Sends it a signal by its name, `TERM` say.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits for a child of it that runs this program, and gives its process id.
    #[track_caller]
    pub fn child(&self, program: &str) -> u32 {
        let mut found = None;
        wait_for(program, || {
            found = children(self.pid()).into_iter().find(|child| {
                let argv = argv(*child);
                // Not the one that is only asked what it can do.
                argv.first().is_some_and(|first| first == program) && !argv.contains(&"-h".to_owned())
            });
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Out {
        // Held open to the end, because the standard library would close it first.
        let _stdin = self.child.as_mut().unwrap().stdin.take();
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        Out::of(&output, self.begun)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sends a signal by its name to a process that is there, even if it only waits for its parent to notice its end.
#[track_caller]
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(sent.success(), "kill -{name} {pid}");
}

/// Kills a process, if it has not ended meanwhile; whether it had not.
pub fn kill(pid: u32) -> bool {
    let kill = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status().unwrap();
    kill.success()
}

/// Whether a process is there still; one that only waits for its parent to notice is not.
pub fn alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

/// Whether a process has been stopped by a signal.
pub fn is_frozen(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state == "T")
}

/// The children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    all().filter(|child| stat(*child).is_some_and(|(_, parent)| parent == pid)).collect()
}

/// A process's arguments, as `ps` shows them to everybody.
pub fn argv(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn all() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// State and parent.
fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in brackets, may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

/// The ffmpegs and ffprobes at work in a tree of recordings, whatever disks they and we see.
pub fn ffmpegs(tree: &Path) -> Vec<u32> {
    let identity = |path: &str| fs::metadata(path).ok().map(|dir| (dir.dev(), dir.ino()));
    let tree = identity(tree.to_str().unwrap());
    let ours = |pid: &u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        // In the tree itself, in a room, or in its HLS.
        let above = ["", "/..", "/../.."].map(|up| identity(&format!("/proc/{pid}/cwd{up}")));
        ["ffmpeg", "ffprobe"].contains(&name.trim()) && above.contains(&tree)
    };
    all().filter(ours).collect()
}

/// Those of [`ffmpegs`] that encode: not those that look at something, or make pictures.
pub fn encodes(tree: &Path) -> Vec<u32> {
    ffmpegs(tree).into_iter().filter(|pid| argv(*pid).iter().any(|word| word == "-progress")).collect()
}

/// Kills those of [`ffmpegs`] that have not ended meanwhile.
pub fn kill_ffmpegs(tree: &Path) {
    for pid in ffmpegs(tree) {
        kill(pid);
    }
}

/// Waits until nobody holds a room's lock: a killed process does for a moment after it can no longer be seen.
#[track_caller]
pub fn wait_until_unlocked(room: &Path) {
    let lock = fs::File::open(room.join(".recording.lock")).unwrap();
    wait_for("the room's lock", || lock.try_lock().is_ok());
}

/// A `PATH` on which a shell script stands for each of these programs.
pub fn path_with(bench: &Bench, programs: &[&str], script: &str) -> String {
    path_in(&bench.dir().join("bin"), programs, script)
}

fn path_in(bin: &Path, programs: &[&str], script: &str) -> String {
    fs::create_dir_all(bin).unwrap();
    for program in programs {
        fs::write(bin.join(program), script).unwrap();
        fs::set_permissions(bin.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

/// A `PATH` on which ffmpeg reads its input no faster than it plays: mid-encode lasts for seconds, on any machine.
pub fn unhurried_ffmpeg(bench: &Bench) -> String {
    path_with(bench, &["ffmpeg"], &format!("#!/bin/bash\nexec -a ffmpeg '{}' -re \"$@\"\n", real_ffmpeg()))
}

/// A `PATH` on which a line of bash runs before an encode does, where that would; not before ffmpeg is only asked something,
/// which may be anywhere.
pub fn disturbed_ffmpeg(bench: &Bench, line: &str) -> String {
    let disturb = format!("case \" $* \" in *' -progress '*) {line} ;; esac");
    path_with(bench, &["ffmpeg"], &format!("#!/bin/bash\n{disturb}\nexec -a ffmpeg '{}' \"$@\"\n", real_ffmpeg()))
}

/// A `PATH` on which ffprobe, asked the same of the same bytes, says again what the real one said without a complaint. A directory
/// keeps it and that. To load its 200 libraries takes the real one longer than all that it is asked of a small film.
pub fn remembering_ffprobe(dir: &Path) -> String {
    let script = format!(
        r#"#!/bin/bash
shopt -s nullglob
file=${{!#}} file=${{file#file:}}
# Of a playlist, its segments too.
case $file in *.m3u8) files=(*.m3u8 *.ts *.m4s *.mp4) ;; *) files=("$file") ;; esac
key=$({{ printf '%s\0' "$@"; cat -- "${{files[@]}}" 2>&1; }} | sha256sum)
answer='{answers}'/${{key%% *}}
if [ ! -e "$answer" ]; then
    said=$answer.$$ wrong=0
    '{real}' "$@" >"$said" 2>"$said.errors" || wrong=$?
    if [ "$wrong" != 0 ] || [ -s "$said.errors" ]; then
        cat "$said"
        cat "$said.errors" >&2
        exit "$wrong"
    fi
    mv "$said" "$answer"
fi
cat "$answer"
"#,
        answers = dir.display(),
        real = in_path("ffprobe").unwrap().display(),
    );
    path_in(&dir.join("bin"), &["ffprobe"], &script)
}

/// A program on this process's own `PATH`.
pub fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|place| place.is_file())
}

/// The ffmpeg on this process's own `PATH`.
pub fn real_ffmpeg() -> String {
    in_path("ffmpeg").unwrap().to_str().unwrap().to_owned()
}

/// What a shell in namespaces of its own has mounted: there until its stdin ends. `None` where this machine does not let us, which
/// it says by anything but a line `mounted`.
pub fn mounted(unshare: &mut Command) -> Option<Child> {
    let mut holder = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if line == "mounted\n" {
        return Some(holder);
    }
    let _ = holder.wait();
    None
}

/// The process id of the ffmpeg that makes HLS in a room, if there is one.
pub fn ffmpeg_of(room: &Path) -> Option<u32> {
    let tree = room.parent().unwrap();
    let there = |pid: &u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(room));
    ffmpegs(tree).into_iter().find(there)
}

/// A `PATH` on which ffmpeg notes in a file, a line each, in which room an encode begins and ends; and that file.
pub fn noted_ffmpeg(bench: &Bench) -> (String, PathBuf) {
    let notes = bench.dir().join("notes");
    let note = |what: &str| format!("room=${{PWD%/*}}; echo \"{what} ${{room##*/}}\" >> '{}'", notes.display());
    let script = format!(
        // Not where it makes pictures, or only says what it can do.
        "#!/bin/bash\ncase \" $* \" in *' -progress '*) ;; *) exec '{1}' \"$@\" ;; esac\n{0}\n'{1}' \"$@\"\nended=$?\n{2}\n\
         exit $ended\n",
        note("begins"),
        real_ffmpeg(),
        note("ends")
    );
    (path_with(bench, &["ffmpeg"], &script), notes)
}

/// A worker that is in the middle of the encode for this room, and its ffmpeg. It works on one room at a time.
#[track_caller]
pub fn worker_in_mid_encode(bench: &Bench, room: &Path) -> (Running, u32) {
    let worker = start(bench.command("jitsi-hls-worker").args(["--jobs", "1"]).env("PATH", unhurried_ffmpeg(bench)));
    wait_for("the encode", || encodes(room).len() == 1);
    // It keeps what it writes to itself until a segment is whole; by then it is on its way.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let ffmpeg = encodes(room)[0];
    (worker, ffmpeg)
}

/// Whether strace is here and may trace; said where not.
pub fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let can = traced.is_ok_and(|output| output.status.success());
    if !can {
        skipped("strace is not here, or may not trace");
    }
    can
}

/// A command as strace runs it, with strace's own arguments.
pub fn traced<A: AsRef<OsStr>>(command: &Command, args: impl IntoIterator<Item = A>) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq"]).args(args);
    strace.arg(command.get_program()).args(command.get_args()).current_dir("/").stdin(Stdio::null());
    strace.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    strace
}

/// A command that is killed before a thread of it does the nth system call of a name; it runs to its end where there are
/// fewer.
pub fn killed_before(command: &Command, call: &str, nth: usize) -> Command {
    let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
    traced(command, ["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject])
}

/// How many processes a command starts, itself included, as strace sees them; `None` where strace cannot.
pub fn count_processes(bench: &Bench, command: &Command) -> Option<usize> {
    let trace = bench.dir().join("trace");
    if !can_trace() {
        return None;
    }
    let calls = ["-e", "trace=execve,fork,vfork,clone,clone3", "-o"].map(OsStr::new);
    run(&mut traced(command, calls.into_iter().chain([trace.as_os_str()]))).exits(0);
    let trace = fs::read_to_string(trace).unwrap();
    let started = |line: &&str| {
        line.contains("execve(")
            || ["clone(", "clone3(", "fork("].iter().any(|call| line.contains(call)) && !line.contains("CLONE_THREAD")
    };
    Some(trace.lines().filter(started).count())
}
