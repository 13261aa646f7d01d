//! A disk that is soon full.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::processes::mounted;
use crate::{Bench, Out, binary, run, skipped};

/// A small disk for the recordings of a bench, seen only by those who enter; it goes with the test, however that ends.
pub struct SmallDisk<'a> {
    holder: Child,
    bench: &'a Bench,
}

impl<'a> SmallDisk<'a> {
    /// Mounts one; `None`, and said so, where this machine does not let us.
    pub fn mount(bench: &'a Bench, kib: u64) -> Option<Self> {
        let mut holder = Command::new("unshare");
        let script = r#"mount -t tmpfs -o "size=$2k" none "$1" && echo mounted && exec cat"#;
        holder.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
        holder.arg(bench.recordings()).arg(kib.to_string());
        let holder = mounted(&mut holder);
        if holder.is_none() {
            skipped("this machine lets us mount no small disk (unshare --mount, mount -t tmpfs)");
        }
        Some(Self { holder: holder?, bench })
    }

    /// `RECORDINGS_ROOT`, as seen from outside.
    pub fn recordings(&self) -> PathBuf {
        let inside = format!("/proc/{}/root", self.holder.id());
        Path::new(&inside).join(self.bench.recordings().strip_prefix("/").unwrap())
    }

    /// A room's directory, as seen from outside, made if it is not there.
    pub fn room(&self, name: &str) -> PathBuf {
        let room = self.recordings().join(name);
        fs::create_dir_all(&room).unwrap();
        room
    }

    /// Fills it up to so many bytes that stay free.
    pub fn fill(&self, free: usize) {
        let mut zeros = 1 << 22;
        let mut bytes = Vec::new();
        while zeros >= 4096 {
            bytes.resize(bytes.len() + zeros, 0);
            if fs::write(self.filler(), &bytes).is_err() {
                bytes.truncate(bytes.len() - zeros);
                zeros /= 2;
            }
        }
        bytes.truncate(bytes.len().saturating_sub(free));
        fs::write(self.filler(), bytes).unwrap();
    }

    /// Takes away what [`Self::fill`] put there.
    pub fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// Mounts it anew, so that nothing can be written to it (`ro`) or all can (`rw`).
    pub fn remount(&self, how: &str) {
        let mut mount = Command::new("nsenter");
        mount.args(["--mount", "--target", &self.holder.id().to_string(), "--wd=/", "--"]);
        mount.args(["mount", "-o", &format!("remount,{how}")]).arg(self.bench.recordings());
        run(&mut mount).exits(0);
    }

    fn filler(&self) -> PathBuf {
        self.recordings().join("filler")
    }

    /// Runs `jitsi-finalize` on a room.
    pub fn finalize(&self, room: &str) -> Out {
        run(self.command("jitsi-finalize").arg(self.bench.recordings().join(room)))
    }

    /// Runs `jitsi-hls-worker`.
    pub fn worker(&self) -> Out {
        run(&mut self.command("jitsi-hls-worker"))
    }

    /// A command line of one of the tools on this disk; add arguments and run it with [`run`].
    pub fn command(&self, tool: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.holder.id().to_string(), "--wd=/", "--"]).arg(binary(tool));
        let env = self.bench.command(tool);
        command.envs(env.get_envs().filter_map(|(key, value): (&OsStr, _)| Some((key, value?)))).stdin(Stdio::null());
        command
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
