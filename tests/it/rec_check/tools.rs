//! ffmpeg, Jibri's configuration, and webhooks.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pipeline_tests::Bench;
use pipeline_tests::check::{Checked, Machine};
use pipeline_tests::run;

// ---- ffmpeg ----

/// What is found with this script as ffmpeg; `"$REAL"` is the real one.
#[track_caller]
fn ffmpeg(script: &str) -> Checked {
    let bench = Bench::new();
    let dir = bench.dir().join("fake");
    fs::create_dir(&dir).unwrap();
    program(&dir.join("ffmpeg"), script);
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", dir.display());
    Checked::of(run(bench.command("rec-check").args(["--json", "ffmpeg", "--path", &path])))
}

fn program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_ffmpeg_of_this_machine_can_do_all_that_is_needed() {
    let bench = Bench::new();
    // For that no setting is needed.
    fs::remove_file(bench.env_file()).unwrap();
    let checked = bench.check(&["ffmpeg"]);
    assert_eq!(checked.bad(), [""; 0]);
    checked.says("ok", "ffmpeg.encoders", "", "libx264, aac");
}

#[test]
fn one_that_lacks_something_or_is_old_or_broken_is_found() {
    let real = "/usr/bin/ffmpeg \"$@\"";
    let without = |word: &str| ffmpeg(&format!("{real} | grep -vw -e '{word}'"));
    without("libx264").says("failed", "ffmpeg.encoders", "libx264", "does not have this");
    without("hls").says("failed", "ffmpeg.muxers", "hls", "");
    without("tile").says("failed", "ffmpeg.filters", "tile", "");
    let plain = without("zscale");
    assert_eq!(plain.bad(), [""; 0]);
    plain.says("ok", "ffmpeg.filters", "", "no zscale, so that scaling costs a little more");
    let old = ffmpeg(&format!("[ \"$1\" = -version ] && echo 'ffmpeg version 4.3.9-0+deb11u1 Copyright' || {real}"));
    assert_eq!(old.bad(), ["warning ffmpeg.version ffmpeg"]);
    ffmpeg("echo 'libx264.so.164: cannot open shared object file' >&2; exit 127").says(
        "failed",
        "ffmpeg.version",
        "ffmpeg",
        "does not run: libx264.so.164: cannot open",
    );
    ffmpeg("exec sleep 60").says("failed", "ffmpeg.version", "ffmpeg", "no end within 10 s");
}

#[test]
fn one_that_cron_does_not_find_is_not_good_enough() {
    let bench = Bench::new();
    let (ours, theirs) = (bench.dir().join("ours"), bench.dir().join("theirs"));
    for dir in [&ours, &theirs] {
        fs::create_dir(dir).unwrap();
    }
    std::os::unix::fs::symlink("/usr/bin/ffprobe", theirs.join("ffprobe")).unwrap();
    let check = || {
        let mut command = bench.command("rec-check");
        command.args(["--json", "ffmpeg", "--path"]).arg(&theirs).env("PATH", &ours);
        Checked::of(run(&mut command))
    };
    let found = check();
    assert_eq!(found.says("failed", "ffmpeg.found", "ffmpeg", "is nowhere").remedy, "apt-get install ffmpeg");
    program(&ours.join("ffmpeg"), "exec /usr/bin/ffmpeg \"$@\"");
    let found = check();
    let found = found.says("failed", "ffmpeg.found", "ffmpeg", "where cron and systemd do not look");
    let command = found.remedy.replace("/usr/local/bin", &format!("'{}'", theirs.display()));
    run(std::process::Command::new("sh").args(["-c", &command])).exits(0);
    assert_eq!(check().bad(), [""; 0]);
}

// ---- Jibri ----

fn jibri(machine: &Machine, conf: &str) -> Checked {
    let path = machine.bench.dir().join("jibri.conf");
    fs::write(&path, conf).unwrap();
    machine.check(&["jibri", "--jibri-conf", path.to_str().unwrap()])
}

#[test]
fn jibri_must_call_us_and_be_able_to() {
    let Some(machine) = Machine::new() else { return };
    let (finalize, root) = (machine.bin().join("jitsi-finalize"), machine.bench.recordings());
    let (ours, root) = (finalize.to_str().unwrap(), root.to_str().unwrap());
    let recording = |script: &str| format!("jibri.recording {{\n  recordings-directory = \"{root}\"\n  {script}\n}}\n");
    let right = recording(&format!("finalize-script = \"{ours}\""));
    assert_eq!(jibri(&machine, &right).bad(), [""; 0]);

    let cases = [
        ("", "failed", "is not set: nothing happens"),
        ("finalize-script = \"\"", "failed", "is empty"),
        ("finalize-script = \"/opt/jitsi-finalize\"", "failed", "is not there"),
        ("finalize-script = \"/path/to/finalize_recording.sh\"", "warning", "which is not jitsi-finalize"),
        ("finalize-script = \"/usr/bin/jitsi-finalize --quiet\"", "failed", "no options can be given here"),
        ("finalize-script = ${FINALIZE}", "warning", "not seen from here"),
    ];
    for (line, level, part) in cases {
        let checked = jibri(&machine, &recording(line));
        let found = checked.says(level, "jibri.finalize-script", "jibri.conf", part);
        // What is advised is right.
        let advised = found.remedy.split_once("write ").unwrap().1.split_once(" into ").unwrap().0;
        assert_eq!(advised, format!("jibri.recording.finalize-script = \"{ours}\""));
        let mended = jibri(&machine, &format!("{}{advised}\n", recording(line)));
        assert_eq!(mended.bad(), [""; 0], "{line}");
    }

    fs::set_permissions(&finalize, fs::Permissions::from_mode(0o700)).unwrap();
    let checked = jibri(&machine, &right);
    machine.remedy(checked.says("failed", "jibri.executable", "as jibri", "Permission denied"));
    machine.sh("gpasswd -d jibri jitsi-recordings").exits(0);
    let checked = jibri(&machine, &right);
    machine.remedy(checked.says("failed", "jibri.group", "jibri", "is not in the group jitsi-recordings"));
    assert_eq!(jibri(&machine, &right).bad(), [""; 0]);
    program(&finalize, "echo 'cannot execute' >&2; exit 126");
    jibri(&machine, &right).says("failed", "jibri.executable", "as jibri", "does not run: cannot execute");
}

#[test]
fn jibri_must_record_to_where_we_look() {
    let Some(machine) = Machine::new() else { return };
    let finalize = machine.bin().join("jitsi-finalize");
    let conf = |line: &str| format!("jibri.recording.finalize-script = \"{}\"\n{line}\n", finalize.display());
    let root = machine.bench.recordings();
    let link = machine.bench.dir().join("link");
    std::os::unix::fs::symlink(&root, &link).unwrap();
    let checked = jibri(&machine, &conf(&format!("jibri.recording.recordings-directory = \"{}/\"", link.display())));
    assert_eq!(checked.bad(), [""; 0]);
    jibri(&machine, &conf("")).says(
        "failed",
        "jibri.recordings",
        "",
        "Jibri records to /tmp/recordings, and RECORDINGS_ROOT is",
    );
    let checked = jibri(&machine, &conf("jibri { recording { recordings-directory = /recordings } }"));
    checked.says("failed", "jibri.recordings", "line 2", "set RECORDINGS_ROOT to /recordings");
}

#[test]
fn a_jibri_that_is_elsewhere_is_said_not_to_be_seen() {
    let Some(machine) = Machine::new() else { return };
    let checked = machine.check(&["jibri", "--jibri-user", "1000"]);
    checked.says(
        "skipped",
        "jibri.configuration",
        "/etc/jitsi/jibri/jibri.conf",
        "JIBRI_FINALIZE_RECORDING_SCRIPT_PATH",
    );
    checked.says("skipped", "jibri.group", "1000", "is no user of this machine");
}

// ---- webhooks ----

#[test]
fn a_destination_must_have_a_secret_that_the_tools_can_read_and_nobody_else() {
    let Some(mut machine) = Machine::new() else { return };
    machine.check(&["webhooks"]).says("ok", "webhooks.destinations", "WEBHOOKS", "nobody is told");
    machine.bench.tell("reflector", "https://reflector.example.com");
    let file = machine.bench.dir().join("reflector.secret");
    fs::write(&file, "s3cret-of-this-test\n").unwrap();
    machine.bench.unset("WEBHOOK_REFLECTOR_SECRET");
    machine.bench.set("WEBHOOK_REFLECTOR_SECRET_FILE", file.to_str().unwrap());
    machine.give_env();
    let check = || machine.check(&["webhooks"]);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let all = check();
    machine.remedy(
        all.all("webhooks.secret").into_iter().find(|found| found.finding.contains("every user can read")).unwrap(),
    );
    assert_eq!(check().bad(), [""; 0]);
    machine.sh(&format!("chgrp root '{}'", file.display())).exits(0);
    let all = check();
    for user in ["jibri cannot read", "jitsi-recordings cannot read"] {
        assert!(all.all("webhooks.secret").iter().any(|found| found.finding.starts_with(user)), "{all:?}");
    }
    machine.remedy(all.all("webhooks.secret").into_iter().find(|found| found.level == "failed").unwrap());
    assert_eq!(check().bad(), [""; 0]);
    assert!(!check().out.stdout.contains("s3cret"));

    fs::write(&file, "").unwrap();
    check().says("failed", "webhooks.secret", "reflector", "is empty");
    fs::remove_file(&file).unwrap();
    check().says("failed", "webhooks.secret", "reflector", "cannot be read");
    machine.bench.unset("WEBHOOK_REFLECTOR_SECRET_FILE");
    machine.give_env();
    machine.check(&["webhooks"]).says("warning", "webhooks.secret", "reflector", "LoadCredential=");
}

#[test]
fn what_waits_and_what_was_given_up_is_counted_and_nothing_is_sent() {
    let mut bench = Bench::new();
    // Nobody listens there: whatever is told waits.
    bench.tell("standard", "http://127.0.0.1:9/hook");
    bench.check(&["webhooks"]).says("ok", "webhooks.spool", "standard", "0 waiting, none given up");
    bench.hook_with(["send", "standard", "-"], b"{}");
    bench.check(&["webhooks"]).says("ok", "webhooks.spool", "standard", "1 waiting, none given up");
    let queue = bench.spool().join("standard/queue");
    let event = pipeline_tests::files_below(&queue)
        .into_iter()
        .find(|file| file.extension().is_some_and(|end| end == "event"))
        .unwrap();
    let text = fs::read_to_string(&event).unwrap();
    let created = text.split("\"created\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    fs::write(&event, text.replace(&created, "2026-01-02T03:04:05Z")).unwrap();
    bench.check(&["webhooks"]).says("warning", "webhooks.spool", "standard", "rec-hook ls standard says why");
    fs::create_dir_all(bench.spool().join("standard/dead")).unwrap();
    fs::rename(&event, bench.spool().join("standard/dead").join(event.file_name().unwrap())).unwrap();
    bench.check(&["webhooks"]).says("warning", "webhooks.spool", "standard", "1 given up, 0 waiting");

    bench.set("WEBHOOK_STANDARD_URL", "http://10.0.0.1/hook?key=s3cret-in-a-query");
    bench.set("WEBHOOK_STANDARD_INSECURE", "1");
    let checked = bench.check(&["webhooks"]);
    checked.says("warning", "webhooks.url", "standard", "in the clear");
    assert!(!checked.out.stdout.contains("s3cret-in-a-query"));
}
