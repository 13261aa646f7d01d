//! The guides for Jibri, from Debian's packages and in docker-jitsi-meet: what they have people write is right.

use std::fs;
use std::process::{Command, Stdio};

use pipeline_tests::host::{ENV_FILE, Host, LOGS, RECORDINGS, SPOOL, User, WORKER};
use pipeline_tests::outbox::feed;
use pipeline_tests::{Bench, run};
use serde_json::Value;

fn guide(name: &str) -> String {
    fs::read_to_string(format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The blocks of a guide that are of a language, without the indentation of the list that they are in.
fn blocks(guide: &str, language: &str) -> Vec<String> {
    let parts: Vec<_> = guide.split("```").skip(1).step_by(2).collect();
    let ours = parts.iter().filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n'));
    let unindented = |block: &str| {
        let indent = block.len() - block.trim_start().len();
        block.lines().map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect()
    };
    ours.map(unindented).collect()
}

/// The compose file of the guide, read by Python, since that has a parser of YAML 1.1 as Docker's tools had it.
fn compose() -> Value {
    let [yaml] = &blocks(&guide("jibri-docker.md"), "yaml")[..] else { panic!("one compose file") };
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";
    let out = feed(
        Command::new("python3").args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped()),
        yaml.as_bytes(),
    );
    assert_eq!(out.code, Some(0), "install Debian's package python3-yaml: {}", out.stderr);
    serde_json::from_str(&out.stdout).unwrap()
}

#[test]
fn the_compose_file_mounts_what_the_tools_need_under_the_paths_that_they_have_on_the_host() {
    let compose = compose();
    assert_eq!(compose.as_object().unwrap().keys().collect::<Vec<_>>(), ["services"]);
    let jibri = &compose["services"]["jibri"];
    let finalize = jibri["environment"]["JIBRI_FINALIZE_RECORDING_SCRIPT_PATH"].as_str().unwrap();
    let mounts: Vec<_> = jibri["volumes"].as_array().unwrap().iter().map(|mount| mount.as_str().unwrap()).collect();
    let wanted = [
        format!("/usr/bin/jitsi-finalize:{finalize}:ro"),
        format!("{ENV_FILE}:{ENV_FILE}:ro"),
        format!("{RECORDINGS}:{RECORDINGS}"),
        format!("{LOGS}:{LOGS}"),
        format!("{SPOOL}:{SPOOL}"),
    ];
    assert_eq!(mounts, wanted);
    assert_eq!(jibri["environment"]["JIBRI_RECORDING_DIR"], RECORDINGS);
    // /tmp of the container is mounted noexec.
    assert!(finalize.starts_with('/') && !finalize.starts_with("/tmp/"));
    // A number alone would be taken for one by YAML, and is refused.
    assert_eq!(jibri["group_add"][0], "${JITSI_RECORDINGS_GID}");
    assert_eq!(jibri["stop_grace_period"], "3m");
}

#[test]
fn the_commands_of_the_guides_do_on_a_host_what_is_said_of_them() {
    let bench = Bench::new();
    let Some(host) = Host::new(&bench) else { return };
    let (debian, docker) = (guide("jibri-debian.md"), guide("jibri-docker.md"));
    // Who has joined.
    host.sh(User::Root, "gpasswd -d jibri jitsi-recordings").exits(0);
    let join = blocks(&debian, "").into_iter().find(|block| block.contains("adduser jibri")).unwrap();
    host.sh(User::Root, join.lines().next().unwrap()).exits(0);
    assert!(host.can(User::Named("jibri"), &format!("id -nG | grep -qw {WORKER}")));
    // The number that goes into `.env`.
    let number = blocks(&docker, "").into_iter().find(|block| block.contains("JITSI_RECORDINGS_GID")).unwrap();
    host.sh(User::Root, &format!("cd /srv && {}", number.lines().next().unwrap())).exits(0);
    let env = fs::read_to_string(host.path("/srv/.env")).unwrap();
    let gid = env.trim().strip_prefix("JITSI_RECORDINGS_GID=").unwrap();
    // The dry run by which one looks, as Jibri's user and as the container's.
    let look = format!("jitsi-finalize --dry-run {RECORDINGS}");
    assert!(debian.contains(&format!("sudo -u jibri {look}\n")) && docker.contains(&format!("exec jibri {look}\n")));
    let users = [User::Named("jibri"), User::Numbers(1000, 1000, gid)];
    for user in users {
        let out = host.sh(user, &look).exits(1);
        let said = format!("{RECORDINGS} is RECORDINGS_ROOT itself");
        assert!(out.stderr.contains(&said) && out.stderr.lines().count() == 1, "{}", out.stderr);
    }
    assert!([debian, docker].iter().all(|guide| guide.contains(&format!("`{RECORDINGS} is RECORDINGS_ROOT itself`"))));
    // What was there before is given to the group.
    let old = format!("{RECORDINGS}/old");
    host.sh(User::Root, &format!("mkdir {old} && setfacl -bk {old} && chown jibri:jibri {old} && chmod 00755 {old}"))
        .exits(0);
    assert!(!host.can(User::Named(WORKER), &format!("touch {old}/x")));
    let give = blocks(&guide("jibri-debian.md"), "").into_iter().find(|block| block.contains("chgrp -R")).unwrap();
    host.sh(User::Root, &give).exits(0);
    assert!(host.can(User::Named(WORKER), &format!("touch {old}/x")));
}

#[test]
fn what_jibris_settings_name_is_what_is_installed_and_configured() {
    let [hocon] = &blocks(&guide("jibri-debian.md"), "hocon")[..] else { panic!("one snippet") };
    assert_eq!(hocon.matches('{').count(), hocon.matches('}').count());
    assert!(hocon.contains(&format!("recordings-directory = \"{RECORDINGS}\"\n")), "{hocon}");
    assert!(hocon.contains("finalize-script = \"/usr/bin/jitsi-finalize\"\n"), "{hocon}");
    let example = pipeline_tests::host::etc("recording-pipeline.env.example");
    assert!(fs::read_to_string(example).unwrap().contains(&format!("RECORDINGS_ROOT='{RECORDINGS}'\n")));
    let makefile = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Makefile")).unwrap();
    assert!(makefile.lines().any(|line| line.starts_with("TOOLS = ") && line.contains("jitsi-finalize")));
    // A drop-in is a unit's text to systemd.
    let [unit] = &blocks(&guide("jibri-debian.md"), "ini")[..] else { panic!("one drop-in") };
    let bench = Bench::new();
    let path = bench.dir().join("jibri.service");
    fs::write(&path, format!("{unit}ExecStart=/bin/true\n")).unwrap();
    let Ok(_) = Command::new("systemd-analyze").arg("--version").output() else {
        pipeline_tests::skipped("systemd-analyze is not here: install Debian's package systemd");
        return;
    };
    let out = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path)).exits(0);
    assert_eq!(out.stderr, "");
}
