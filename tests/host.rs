//! A host of its own, as far as users and their files go: `/etc`, `/srv`, `/var/log`, `/var/spool` and `/run/lock` are private to
//! those who enter, so that users can be made and nothing of them stays behind.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::processes::mounted;
use crate::{Bench, Out, binary, run, skipped};

/// `RECORDINGS_ROOT` of our tmpfiles.d.
pub const RECORDINGS: &str = "/srv/recordings";
/// `LOG_DIR`.
pub const LOGS: &str = "/var/log/jitsi-recording-pipeline";
/// `SPOOL_DIR`.
pub const SPOOL: &str = "/var/spool/jitsi-recording-pipeline";
/// `LOCK_DIR`, by its real path.
pub const LOCKS: &str = "/run/lock/jitsi-recording-pipeline";
/// The env file.
pub const ENV_FILE: &str = "/etc/jitsi/recording-pipeline.env";
/// The worker's user, and the group.
pub const WORKER: &str = "jitsi-recordings";

/// Mounts what is private, with the tools where `make install` puts them.
const MOUNT: &str = r#"set -e
mkdir "$1"
mount -t tmpfs -o mode=755 none "$1"
cp -a /etc/. "$1"
mount --bind "$1" /etc
for dir in /srv /var/log /var/spool /run/lock; do mkdir -p "$dir"; mount -t tmpfs -o mode=755 none "$dir"; done
mount --bind "$2" /usr/local/bin
echo mounted
exec cat"#;

/// The host. Gone when dropped.
pub struct Host {
    holder: Child,
}

/// Who runs a command.
#[derive(Clone, Copy, Debug)]
pub enum User<'a> {
    /// Root, with all that root may.
    Root,
    /// By name, with the groups that it has now, and no capability.
    Named(&'a str),
    /// As in a container: a user that this host does not know, in these groups.
    Numbers(u32, u32, &'a str),
}

impl Host {
    /// A host with our users and directories, made by systemd from our own files, Jibri, Caddy and an admin; and with the env
    /// file of a bench. `None`, and said so, where this machine lets us mount nothing.
    pub fn new(bench: &Bench) -> Option<Self> {
        let host = Self::bare(bench)?;
        host.prescribe(|line| Some(line.to_owned()));
        host.configure(bench);
        Some(host)
    }

    /// The same, without directories and env file.
    pub fn bare(bench: &Bench) -> Option<Self> {
        let mut holder = Command::new("unshare");
        holder.args(["--mount", "--propagation", "private", "sh", "-c", MOUNT, "sh"]).arg(bench.dir().join("etc"));
        holder.arg(binary("jitsi-finalize").parent().unwrap());
        let holder = mounted(&mut holder);
        if holder.is_none() {
            skipped("this machine lets us mount nothing (unshare --mount, mount -t tmpfs)");
        }
        let host = Self { holder: holder? };
        let mut users = host.command(User::Root, "systemd-sysusers");
        users.arg("-").stdin(fs::File::open(etc("sysusers.d/jitsi-recording-pipeline.conf")).unwrap());
        run(&mut users).exits(0);
        for user in ["jibri", "caddy"] {
            let make = format!("getent passwd {user} >/dev/null || useradd --system --user-group {user}");
            host.sh(User::Root, &make).exits(0);
        }
        host.sh(User::Root, "usermod -aG jitsi-recordings jibri && useradd -G jitsi-recordings ann").exits(0);
        Some(host)
    }

    /// Makes the directories, by the lines of our tmpfiles.d as they are edited here.
    #[track_caller]
    pub fn prescribe(&self, edit: impl Fn(&str) -> Option<String>) {
        let text = fs::read_to_string(etc("tmpfiles.d/jitsi-recording-pipeline.conf")).unwrap();
        let lines: Vec<_> = text.lines().filter_map(edit).map(|line| line + "\n").collect();
        let file = "/etc/tmpfiles.d/jitsi-recording-pipeline.conf";
        fs::create_dir_all(self.path("/etc/tmpfiles.d")).unwrap();
        fs::write(self.path(file), lines.concat()).unwrap();
        // Our file alone: those of the system are about directories that are not private here.
        let out = self.sh(User::Root, &format!("systemd-tmpfiles --create {file}")).exits(0);
        assert_eq!(out.stderr, "");
    }

    /// Puts the settings of a bench into the env file, with the directories that hold without a setting.
    pub fn configure(&self, bench: &Bench) {
        let ours = ["RECORDINGS_ROOT=", "LOG_DIR=", "LOCK_DIR=", "SPOOL_DIR="];
        let text = fs::read_to_string(bench.env_file()).unwrap();
        let lines = text.lines().filter(|line| !ours.iter().any(|key| line.starts_with(key)));
        let text = format!("{}\nRECORDINGS_ROOT='{RECORDINGS}'\n", lines.collect::<Vec<_>>().join("\n"));
        fs::create_dir_all(self.path("/etc/jitsi")).unwrap();
        fs::write(self.path(ENV_FILE), text).unwrap();
        self.sh(User::Root, &format!("chgrp {WORKER} {ENV_FILE} && chmod 640 {ENV_FILE}")).exits(0);
    }

    /// A path of the host, as seen from outside.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let inside = format!("/proc/{}/root", self.holder.id());
        Path::new(&inside).join(path.as_ref().strip_prefix("/").unwrap())
    }

    /// A command on the host, by a user; add arguments and run it with [`run`].
    pub fn command(&self, user: User<'_>, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.holder.id().to_string(), "--wd=/", "--"]);
        let (uid, gid) = match user {
            User::Root => (None, None),
            User::Named(name) => (Some(name.to_owned()), Some(name.to_owned())),
            User::Numbers(uid, gid, _) => (Some(uid.to_string()), Some(gid.to_string())),
        };
        if let (Some(uid), Some(gid)) = (uid, gid) {
            command.args(["setpriv", "--reuid", &uid, "--regid", &gid]);
            match user {
                User::Numbers(_, _, "") => command.arg("--clear-groups"),
                User::Numbers(_, _, groups) => command.args(["--groups", groups]),
                _ => command.arg("--init-groups"),
            };
            command.args(["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]);
        }
        command.arg(program).env_remove("RECORDING_PIPELINE_ENV").env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    /// Runs a shell's command line as a user.
    #[track_caller]
    pub fn sh(&self, user: User<'_>, script: &str) -> Out {
        run(self.command(user, "sh").args(["-c", script]))
    }

    /// Whether a user can do what a shell's command line does.
    pub fn can(&self, user: User<'_>, script: &str) -> bool {
        self.sh(user, script).code == Some(0)
    }

    /// Runs a tool as a user with this umask.
    #[track_caller]
    pub fn tool(&self, user: User<'_>, umask: &str, words: &[&str]) -> Out {
        let script = format!("umask {umask}; exec \"$@\"");
        run(self.command(user, "sh").args(["-c", &script, "sh"]).args(words))
    }

    /// What Jibri does before it calls finalize: a directory, an MP4 and its metadata, with this umask.
    #[track_caller]
    pub fn record(&self, jibri: User<'_>, umask: &str, room: &str, clip: &Path) -> String {
        let dir = format!("{RECORDINGS}/{room}");
        let metadata =
            r#"{"meeting_url":"https://meet.example.org/Room-1","participants":[],"upload_credentials":{"token":"t"}}"#;
        let script = format!(
            "umask {umask} && mkdir '{dir}' && cat >'{dir}/meeting.mp4' && printf '%s' '{metadata}' >'{dir}/metadata.json'"
        );
        let mut command = self.command(jibri, "sh");
        command.args(["-c", &script]).stdin(fs::File::open(clip).unwrap());
        run(&mut command).exits(0);
        dir
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A file of ours that is to be installed below `/etc` or `/usr/lib`.
pub fn etc(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("etc").join(name)
}
