//! The directories of the env file: there, and of use to whom they must be.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rec_core::config::Config;
use rec_core::text::{bytes, shown};

use crate::look::Look;
use crate::probe::{Answer, Ask};
use crate::report::{Finding, word};
use crate::users::{Role, User};

/// One of them.
struct Directory<'a> {
    key: &'static str,
    path: &'a Path,
    /// Who writes there.
    writers: &'static [Role],
    /// Whether locks are taken there.
    locks: bool,
    /// Files that are appended to, and by whom.
    logs: &'static [(Role, &'static str)],
}

pub(crate) fn check(look: &Look<'_>, config: &Config) -> Vec<Finding> {
    use Role::{Jibri, Worker};
    let mut all = vec![
        Directory {
            key: "RECORDINGS_ROOT",
            path: &config.recordings_root,
            writers: &[Jibri, Worker],
            locks: true,
            logs: &[],
        },
        Directory {
            key: "LOG_DIR",
            path: &config.log_dir,
            writers: &[Jibri, Worker],
            locks: false,
            logs: &[(Jibri, "finalize.log"), (Worker, "hls-worker.log"), (Worker, "rec-hook.log")],
        },
        Directory { key: "LOCK_DIR", path: &config.lock_dir, writers: &[Worker], locks: true, logs: &[] },
    ];
    if !config.webhooks.is_empty() {
        all.push(Directory {
            key: "SPOOL_DIR",
            path: &config.spool_dir,
            writers: &[Jibri, Worker],
            locks: true,
            logs: &[],
        });
    }
    let mut findings = look.users.findings();
    for directory in &all {
        findings.extend(directory.findings(look, config));
    }
    findings.extend(shared(look, &config.recordings_root));
    findings.extend(served(look, &config.recordings_root));
    findings
}

impl Directory<'_> {
    fn findings(&self, look: &Look<'_>, config: &Config) -> Vec<Finding> {
        if !self.path.exists() && look.users.is_root() {
            return vec![
                Finding::failed("directories.write", self.key, format!("{} is not there", shown(self.path)))
                    .run(self.making(look)),
            ];
        }
        let mut findings = Vec::new();
        let mut last: Option<(User, Answer)> = None;
        let mut seen: Vec<&str> = Vec::new();
        for role in self.writers {
            let Some(user) = look.users.in_role(*role).filter(|user| !seen.contains(&user.name.as_str())) else {
                continue;
            };
            seen.push(&user.name);
            let object = format!("{} as {}", self.key, user.name);
            let answer = match user.ask(&[Ask::Write(self.path.to_owned())]).as_deref() {
                Ok([answer]) => answer.clone(),
                Ok(_) => continue,
                Err(why) => {
                    findings.push(Finding::skipped("directories.write", object, why));
                    continue;
                }
            };
            findings.push(if answer.is_yes() {
                let kind = answer.filesystem.as_deref().unwrap_or("unknown filesystem");
                let network = if is_network(kind) { ", a filesystem of the network" } else { "" };
                Finding::ok(
                    "directories.write",
                    object,
                    format!("can make, rename and remove in {} ({kind}{network})", shown(self.path)),
                )
            } else {
                self.unwritable(look, user, object, &answer)
            });
            findings.extend(self.logs(user, *role));
            if answer.is_yes() {
                last = Some((user.clone(), answer));
            }
        }
        // As the worker, where we can be it.
        if let Some((user, answer)) = last {
            if self.locks {
                findings.push(self.lock(&user));
            }
            if self.key == "RECORDINGS_ROOT" {
                findings.extend(answer.free.map(|free| space(free, config.hls.min_free, self.path)));
            }
        }
        findings
    }

    /// The command that makes it.
    fn making(&self, look: &Look<'_>) -> String {
        let group = look.users.group();
        if is_prescribed(self.path) {
            let jibri = look.users.named(Role::Jibri).as_ref().ok().filter(|_| self.writers.contains(&Role::Jibri));
            let joining = jibri.map(|user| user.joining(&group)).unwrap_or_default();
            return format!("{joining}systemd-tmpfiles --create {}", crate::users::PRESCRIBED);
        }
        let owner = match look.users.named(Role::Jibri) {
            Ok(user) if self.key == "RECORDINGS_ROOT" => user.name.split(':').next().unwrap_or("root").to_owned(),
            _ => "root".to_owned(),
        };
        let joining = match look.users.named(Role::Jibri) {
            Ok(user) if self.writers.contains(&Role::Jibri) && user.name != owner => user.joining(&group),
            _ => String::new(),
        };
        format!("{joining}install -d -o {} -g {} -m 2770 {}", word(owner), word(group), word(self.path))
    }

    fn unwritable(&self, look: &Look<'_>, user: &User, object: String, answer: &Answer) -> Finding {
        let failed = Finding::failed("directories.write", object, format!("{}: {}", shown(self.path), answer.why()));
        let (path, group) = (word(self.path), look.users.group());
        match (answer.missing, answer.denied, &answer.tried) {
            (true, _, None) => failed.run(self.making(look)),
            (_, true, None) => {
                failed.advise(format!("let {} pass, with x on each directory that `namei -l {path}` shows", user.name))
            }
            (_, true, Some(_)) => failed.run(format!("{}{}", user.joining(&group), giving(&group, self.path))),
            _ => failed.advise("see to it that its disk is mounted for writing, has room, and can do this"),
        }
    }

    fn lock(&self, user: &User) -> Finding {
        let path = shown(self.path);
        match user.ask(&[Ask::Lock(self.path.to_owned())]).as_deref() {
            Ok([answer]) if answer.is_yes() => {
                Finding::ok("directories.lock", self.key, "a lock there keeps other processes out")
            }
            Ok([answer]) => Finding::failed("directories.lock", self.key, format!("{path}: {}", answer.why()))
                .advise("mount it so that flock(2) works, for NFS without nolock and local_lock, or use another disk"),
            Ok(_) => Finding::skipped("directories.lock", self.key, "no answer"),
            Err(why) => Finding::skipped("directories.lock", self.key, why),
        }
    }

    /// Logs that somebody else has made, and only he can write to.
    fn logs(&self, user: &User, role: Role) -> Vec<Finding> {
        let files: Vec<PathBuf> =
            self.logs.iter().filter(|(of, _)| *of == role).map(|(_, name)| self.path.join(name)).collect();
        let asks: Vec<Ask> = files.iter().cloned().map(Ask::Append).collect();
        let answers = user.ask(&asks).unwrap_or_default();
        let shut = files.iter().zip(answers).filter(|(_, answer)| answer.denied);
        shut.map(|(file, answer)| {
            let (name, group, path) = (word(&user.name), word(&user.group), word(file));
            let object = format!("{} as {}", shown(file.file_name().unwrap_or_default()), user.name);
            let failed = Finding::failed("directories.write", object, answer.why());
            // A command would be about the file that it leads to.
            if file.is_symlink() {
                failed.advise("it is a symlink: see where it leads, and who has put it there")
            } else {
                failed.run(format!("chown -h {name}:{group} {path}"))
            }
        })
        .collect()
    }
}

/// Whether systemd is told how it is to be made.
fn is_prescribed(path: &Path) -> bool {
    let name = crate::users::PRESCRIBED;
    let files = ["/etc/tmpfiles.d", "/usr/lib/tmpfiles.d"].map(|dir| Path::new(dir).join(name));
    let Some(text) = files.iter().find_map(|file| fs::read_to_string(file).ok()) else { return false };
    // /var/lock is a link to /run/lock.
    let real = |path: &Path| {
        let above = path.parent().and_then(|above| above.canonicalize().ok());
        above.zip(path.file_name()).map_or_else(|| path.to_owned(), |(above, name)| above.join(name))
    };
    let made = text.lines().filter_map(|line| line.strip_prefix("d ")).map(str::trim_start).map(|line| {
        match line.strip_prefix('"') {
            Some(line) => line.split('"').next(),
            None => line.split_whitespace().next(),
        }
    });
    made.flatten().any(|made| real(Path::new(made)) == real(path))
}

/// The command that gives a directory to the group. Where it has an ACL, chmod(1) sets no more than the mask of that.
fn giving(group: &str, dir: &Path) -> String {
    let (group, path) = (word(group), word(dir));
    let acl = if has(dir, "system.posix_acl_access") { format!(" && setfacl -m g::rwx {path}") } else { String::new() };
    format!("chgrp {group} {path} && chmod g+rwxs {path}{acl}")
}

/// Whether a directory has an extended attribute.
fn has(dir: &Path, name: &str) -> bool {
    match rustix::fs::getxattr(dir, name, &mut [0; 1024][..]) {
        Ok(length) => length > 0,
        Err(error) => error == rustix::io::Errno::RANGE,
    }
}

/// Whether the directories that Jibri makes in it are going to be the worker's to write to: by the group that finalize gives them
/// where the one around is that, or by an ACL.
fn shared(look: &Look<'_>, root: &Path) -> Option<Finding> {
    let (jibri, worker) = (look.users.in_role(Role::Jibri)?, look.users.in_role(Role::Worker)?);
    if !look.users.is_root() || jibri.name == worker.name || worker.name == "root" {
        return None;
    }
    let (check, object, shown) = ("directories.shared", "RECORDINGS_ROOT", shown(root));
    let by_group = fs::metadata(root).ok()?.mode() & 0o2020 == 0o2020;
    Some(if by_group || has(root, "system.posix_acl_default") {
        Finding::ok(check, object, format!("what {} makes in {shown} is shared with {}", jibri.name, worker.name))
    } else {
        let why = format!("what {} makes in {shown} is not going to be {}'s to write to", jibri.name, worker.name);
        Finding::failed(check, object, why).run(giving(&look.users.group(), root))
    })
}

/// Whether the web server gets to what it serves.
fn served(look: &Look<'_>, root: &Path) -> Option<Finding> {
    let user = look.users.in_role(Role::Server).filter(|_| root.exists())?;
    let (check, object) = ("directories.enter", format!("RECORDINGS_ROOT as {}", user.name));
    Some(match user.ask(&[Ask::Enter(root.to_owned())]).as_deref() {
        Ok([answer]) if answer.is_yes() => Finding::ok(check, object, "can pass through"),
        Ok([answer]) => Finding::failed(check, object, format!("does not get into {}: {}", shown(root), answer.why()))
            .run(format!("setfacl -m u:{}:x {}", word(&user.name), word(root))),
        Ok(_) => Finding::skipped(check, object, "no answer"),
        Err(why) => Finding::skipped(check, object, why),
    })
}

fn space(free: u64, least: u64, path: &Path) -> Finding {
    let (object, free_shown) = ("RECORDINGS_ROOT", bytes(free));
    if free > least {
        let finding = format!("{free_shown} free, of which {} stay free (HLS_MIN_FREE)", bytes(least));
        Finding::ok("directories.space", object, finding)
    } else {
        let finding = format!("{free_shown} free, and HLS_MIN_FREE keeps {} free: no HLS is made", bytes(least));
        Finding::failed("directories.space", object, finding)
            .advise(format!("make room on the disk of {}, or set HLS_MIN_FREE lower", shown(path)))
    }
}

fn is_network(kind: &str) -> bool {
    let known = ["nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "glusterfs", "lustre", "gfs2", "ocfs2", "afs"];
    known.contains(&kind) || kind.starts_with("fuse.")
}
