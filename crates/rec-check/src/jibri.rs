//! Jibri: whether it calls us when a recording has ended, and records to where we look.

use std::path::Path;

use rec_core::config::Config;
use rec_core::small;
use rec_core::text::shown;

use crate::exec;
use crate::hocon::{self, Setting};
use crate::look::Look;
use crate::probe::Ask;
use crate::report::Finding;
use crate::users::{Role, User};

const FINALIZE: &str = "jitsi-finalize";
const SCRIPT: &str = "jibri.recording.finalize-script";
const DIRECTORY: &str = "jibri.recording.recordings-directory";
/// What holds in Jibri's own reference.conf.
const DEFAULT_DIRECTORY: &str = "/tmp/recordings";
/// Some dozens of lines, as it comes.
const LARGEST: u64 = 1 << 20;

pub(crate) fn check(look: &Look<'_>, config: Option<&Config>) -> Vec<Finding> {
    let conf = &look.cli.jibri_conf;
    if !conf.exists() {
        let mut findings = vec![
            Finding::skipped(
                "jibri.configuration",
                shown(conf),
                "is not there: Jibri is on another machine or in a container",
            )
            .advise(
                "see to it there that its finalize-script is jitsi-finalize; in docker-jitsi-meet \
                 JIBRI_FINALIZE_RECORDING_SCRIPT_PATH",
            ),
        ];
        findings.extend(member(look));
        return findings;
    }
    let text = match small::read(&conf.canonicalize().unwrap_or_else(|_| conf.clone()), LARGEST) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            return vec![
                Finding::skipped("jibri.configuration", shown(conf), format!("cannot be read: {error}"))
                    .advise("look at it as root: sudo rec-check jibri"),
            ];
        }
    };
    let mut findings = script(look, conf, hocon::find(&text, SCRIPT));
    findings.extend(config.map(|config| directory(conf, config, hocon::find(&text, DIRECTORY))));
    findings.extend(member(look));
    findings
}

fn script(look: &Look<'_>, conf: &Path, setting: Option<Setting>) -> Vec<Finding> {
    let check = "jibri.finalize-script";
    let ours = || {
        let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(FINALIZE)));
        beside
            .filter(|path| path.is_file())
            .map_or_else(|| format!("/usr/bin/{FINALIZE}"), |path| path.display().to_string())
    };
    let line =
        || format!("write {SCRIPT} = \"{}\" into {}, and restart jibri when nothing is recorded", ours(), shown(conf));
    let Some(Setting { text, line: at }) = setting else {
        return vec![
            Finding::failed(check, shown(conf), "is not set: nothing happens when a recording has ended")
                .advise(line()),
        ];
    };
    let object = format!("{}, line {at}", shown(conf));
    let Some(text) = text else {
        return vec![
            Finding::warning(check, object, "is made of other settings, which are not seen from here").advise(line()),
        ];
    };
    let path = Path::new(&text);
    let is_ours = path.file_name().is_some_and(|name| name == FINALIZE);
    if !is_ours {
        // Jibri starts what it finds there, with the directory as the only argument.
        let (program, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let with_options = !rest.is_empty() && Path::new(program).file_name().is_some_and(|name| name == FINALIZE);
        let finding = if with_options {
            Finding::failed(
                check,
                object,
                format!("{text}: Jibri takes all of it for a path: no options can be given here"),
            )
        } else if text.is_empty() {
            Finding::failed(check, object, "is empty")
        } else {
            Finding::warning(check, object, format!("is {text}, which is not {FINALIZE}; it may call it"))
        };
        return vec![finding.advise(line())];
    }
    if !path.is_file() {
        return vec![Finding::failed(check, object, format!("{text} is not there")).advise(line())];
    }
    let mut findings = vec![Finding::ok(check, object, format!("is {text}"))];
    if let Some(user) = look.users.in_role(Role::Jibri) {
        findings.push(runs(user, path));
    }
    findings
}

/// Whether a user can run our tool, found out by having it say its version.
fn runs(user: &User, path: &Path) -> Finding {
    let (check, object) = ("jibri.executable", format!("{} as {}", shown(path), user.name));
    let failed = |why: String| Finding::failed(check, object.clone(), why);
    match user.ask(&[Ask::Run(path.to_owned())]).as_deref() {
        Ok([answer]) if answer.is_yes() => match exec::printed(user.command(path).arg("--version").current_dir("/")) {
            Ok(version) => Finding::ok(check, object, version),
            Err(why) => {
                failed(format!("does not run: {why}")).advise("install the package for this kind of machine again")
            }
        },
        Ok([answer]) => {
            failed(format!("cannot be run: {}", answer.why())).run(format!("chmod 755 {}", crate::report::word(path)))
        }
        Ok(_) => Finding::skipped(check, object, "no answer"),
        Err(why) => Finding::skipped(check, object, why),
    }
}

fn directory(conf: &Path, config: &Config, setting: Option<Setting>) -> Finding {
    let check = "jibri.recordings";
    let root = &config.recordings_root;
    let (text, object) = match setting {
        Some(Setting { text: Some(text), line }) => (text, format!("{}, line {line}", shown(conf))),
        Some(Setting { text: None, line }) => {
            return Finding::warning(
                check,
                format!("{}, line {line}", shown(conf)),
                "is made of other settings, which are not seen from here",
            )
            .advise(format!("see to it that it is {}", shown(root)));
        }
        None => (DEFAULT_DIRECTORY.to_owned(), shown(conf)),
    };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.components().collect());
    if real(Path::new(&text)) == real(root) {
        Finding::ok(check, object, format!("Jibri records to RECORDINGS_ROOT, {text}"))
    } else {
        Finding::failed(check, object, format!("Jibri records to {text}, and RECORDINGS_ROOT is {}", shown(root)))
            .advise(format!("write {DIRECTORY} = \"{}\" there, or set RECORDINGS_ROOT to {text}", shown(root)))
    }
}

/// Whether Jibri's user is in the group in which it meets the worker.
fn member(look: &Look<'_>) -> Option<Finding> {
    let check = "jibri.group";
    let user = look.users.named(Role::Jibri).as_ref().ok()?;
    let worker = look.users.named(Role::Worker).as_ref().ok()?;
    let command = user.joining(&worker.group);
    let found = if command.is_empty() && user.groups().contains(&worker.group) {
        Finding::ok(check, &user.name, format!("is in the group {}", worker.group))
    } else if command.is_empty() {
        Finding::skipped(check, &user.name, "is no user of this machine: its groups are not seen from here")
    } else {
        Finding::failed(check, &user.name, format!("is not in the group {}", worker.group))
            .run(command.trim_end_matches(" && "))
    };
    Some(found)
}
