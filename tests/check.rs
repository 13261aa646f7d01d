//! What `rec-check` finds, and a machine to find it on that has users and an /etc of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::jibri::is_root;
use crate::{Bench, Out, binary, run, skipped};

/// A line of `--json`.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was looked at, `notion.columns` say.
    pub check: String,
    /// Which one of them.
    pub object: String,
    /// `ok`, `warning`, `failed` or `skipped`.
    pub level: String,
    /// What was found.
    pub finding: String,
    /// What helps; empty where nothing must.
    pub remedy: String,
    /// Whether that is a command.
    pub command: bool,
}

/// What one run found.
#[derive(Debug)]
pub struct Checked {
    /// Everything, in its order.
    pub findings: Vec<Finding>,
    /// How it ended.
    pub out: Out,
}

impl Checked {
    /// Reads the lines of `--json`, each of which must have all keys and no other.
    #[track_caller]
    pub fn of(out: Out) -> Self {
        let keys = ["check", "object", "ok", "level", "finding", "remedy", "command"];
        let findings = out.stdout.lines().map(|line| {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(value.as_object().unwrap().keys().eq(keys), "{line}");
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            assert_eq!(value["ok"], text("level") != "failed", "{line}");
            Finding {
                check: text("check"),
                object: text("object"),
                level: text("level"),
                finding: text("finding"),
                remedy: text("remedy"),
                command: value["command"] == true,
            }
        });
        let findings: Vec<Finding> = findings.collect();
        let failed = findings.iter().any(|found| found.level == "failed");
        assert_eq!(out.code, Some(i32::from(failed)), "{}{}", out.stdout, out.stderr);
        let silent: Vec<_> =
            findings.iter().filter(|found| found.level == "failed" && found.remedy.is_empty()).collect();
        assert!(silent.is_empty(), "no remedy: {silent:?}");
        Self { findings, out }
    }

    /// The findings of one check.
    pub fn all(&self, check: &str) -> Vec<&Finding> {
        self.findings.iter().filter(|found| found.check == check).collect()
    }

    /// The one finding of a check whose object has this in it.
    #[track_caller]
    pub fn one(&self, check: &str, object: &str) -> &Finding {
        let found: Vec<_> = self.all(check).into_iter().filter(|found| found.object.contains(object)).collect();
        let [one] = found[..] else { panic!("{check} {object}: {found:?} of {}{}", self.out.stdout, self.out.stderr) };
        one
    }

    /// Asserts how it stands with one thing, and what was said of it.
    #[track_caller]
    pub fn says(&self, level: &str, check: &str, object: &str, part: &str) -> &Finding {
        let one = self.one(check, object);
        let said = format!("{}: {}", one.finding, one.remedy);
        assert!(one.level == level && said.contains(part), "wanted {level} with {part:?}: {one:?}");
        one
    }

    /// `check object` of all that is not as it should be.
    pub fn bad(&self) -> Vec<String> {
        let bad = self.findings.iter().filter(|found| found.level != "ok");
        bad.map(|found| format!("{} {} {}", found.level, found.check, found.object).trim_end().to_owned()).collect()
    }
}

impl Bench {
    /// Runs `rec-check --json ARG…` as ourselves.
    #[track_caller]
    pub fn check(&self, args: &[&str]) -> Checked {
        Checked::of(run(self.command("rec-check").arg("--json").args(args)))
    }
}

/// A bench on a machine of its own: whatever is done to users, groups and /etc stays in it.
pub struct Machine {
    /// The bench; its files are where every user can get at them.
    pub bench: Bench,
}

/// Whether a [`Machine`] can be had: said, where not.
pub fn can_be_had() -> bool {
    let root = is_root();
    if !root {
        skipped("users and mounts of one's own are for root alone");
    }
    root
}

impl Machine {
    /// One with Jibri's user, the worker's and the web server's, the directories as the package prescribes them, and
    /// stand-ins for what it is told of systemd. `None`, and said so, where we are not root.
    pub fn new() -> Option<Self> {
        if !can_be_had() {
            return None;
        }
        let bench = Bench::new();
        fs::set_permissions(bench.dir(), fs::Permissions::from_mode(0o755)).unwrap();
        let machine = Self { bench };
        run(Command::new("cp").args(["-a", "/etc"]).arg(machine.etc())).exits(0);
        fs::create_dir(machine.bin()).unwrap();
        for tool in ["rec-check", "jitsi-finalize"] {
            // Where they were built there may be no way for other users.
            run(Command::new("cp").arg(binary(tool)).arg(machine.bin().join(tool))).exits(0);
        }
        let users = "for user in jibri jitsi-recordings caddy; do \
                     getent passwd $user >/dev/null || useradd --system --user-group --home-dir / --no-create-home $user; \
                     done; usermod -aG jitsi-recordings jibri";
        machine.sh(users).exits(0);
        machine.fake(
            "systemctl",
            "case $* in 'is-active jitsi-hls-worker.timer') echo active;; *enabled*) echo enabled;; *) exit 1;; esac",
        );
        machine.fake("timedatectl", "echo NTPSynchronized=yes");
        machine.make_directories();
        machine.give_env();
        Some(machine)
    }

    fn etc(&self) -> PathBuf {
        self.bench.dir().join("etc")
    }

    /// Where our tools and the stand-ins are.
    pub fn bin(&self) -> PathBuf {
        self.bench.dir().join("bin")
    }

    /// A path in its /etc, as seen from outside.
    pub fn in_etc(&self, path: &str) -> PathBuf {
        self.etc().join(path)
    }

    /// Has a program say something else; the script is that of a shell.
    pub fn fake(&self, name: &str, script: &str) {
        let path = self.bin().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Makes the directories as the package has systemd make them.
    pub fn make_directories(&self) {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc/tmpfiles.d/jitsi-recording-pipeline.conf");
        let mut text = fs::read_to_string(shipped).unwrap();
        let places = [
            ("/srv/recordings", "recordings"),
            ("/var/log/jitsi-recording-pipeline", "log"),
            ("/var/spool/jitsi-recording-pipeline", "spool"),
            ("/run/lock/jitsi-recording-pipeline", "lock"),
        ];
        for (shipped, ours) in places {
            let ours = format!("\"{}\"", self.bench.dir().join(ours).display());
            assert!(text.contains(shipped), "{text}");
            text = text.replace(shipped, &ours);
        }
        fs::create_dir_all(self.in_etc("tmpfiles.d")).unwrap();
        fs::write(self.in_etc("tmpfiles.d/jitsi-recording-pipeline.conf"), text).unwrap();
        self.sh("systemd-tmpfiles --create jitsi-recording-pipeline.conf").exits(0);
        // The bench had made it, and what is there already stays whose it is.
        self.sh(&format!(
            "cd '{}' && chgrp jitsi-recordings recordings && chmod 2770 recordings",
            self.bench.dir().display()
        ))
        .exits(0);
    }

    /// Lets the group read the env file, which the bench makes anew with every setting.
    pub fn give_env(&self) {
        self.sh("chgrp jitsi-recordings \"$RECORDING_PIPELINE_ENV\"").exits(0);
    }

    /// Runs a line of shell on this machine, as its root.
    pub fn sh(&self, line: &str) -> Out {
        run(self.command("sh").args(["-c", line]))
    }

    /// A command on this machine; add arguments and run it with [`run`].
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        let inside = "mount --bind \"$0\" /etc && exec \"$@\"";
        command.args(["--mount", "--propagation", "private", "sh", "-c", inside]).arg(self.etc()).arg(program);
        let path = format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.bin().display());
        command.env("PATH", path).env("RECORDING_PIPELINE_ENV", self.bench.env_file()).env("TZ", "UTC");
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// The same for a tool as another user, with his groups.
    pub fn command_as(&self, user: &str, program: &str) -> Command {
        let mut command = self.command("setpriv");
        command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).args(["--init-groups", "--", program]);
        command
    }

    /// Runs `rec-check --json ARG…` as root.
    #[track_caller]
    pub fn check(&self, args: &[&str]) -> Checked {
        Checked::of(run(self.command("rec-check").arg("--json").args(args)))
    }

    /// Runs the remedy of a finding, which must be a command.
    #[track_caller]
    pub fn remedy(&self, found: &Finding) {
        assert!(found.command, "{found:?}");
        self.sh(&found.remedy).exits(0);
    }
}
