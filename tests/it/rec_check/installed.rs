//! A whole installation, and how what is found is written.

use std::fs;
use std::process::Command;

use pipeline_tests::caddy::{Caddy, PASSWORD, USER};
use pipeline_tests::check::{Checked, Machine};
use pipeline_tests::{Bench, files_below, run, skipped};

/// A machine on which all is as it should be, and its web server.
fn installed() -> Option<(Machine, Caddy)> {
    let mut machine = Machine::new()?;
    let caddy = Caddy::serve(&machine.bench);
    machine.bench.set("PUBLIC_BASE_URL", &caddy.base);
    machine.bench.tell("reflector", "https://reflector.example.com");
    machine.give_env();
    fs::create_dir_all(machine.in_etc("jitsi/jibri")).unwrap();
    let (finalize, root) = (machine.bin().join("jitsi-finalize"), machine.bench.recordings());
    let conf = format!(
        "jibri {{\n  recording {{\n    recordings-directory = \"{}\"\n    finalize-script = \"{}\"\n  }}\n}}\n",
        root.display(),
        finalize.display()
    );
    fs::write(machine.in_etc("jitsi/jibri/jibri.conf"), conf).unwrap();
    let worker = pipeline_tests::binary("jitsi-hls-worker");
    fs::copy(worker, machine.bin().join("jitsi-hls-worker")).unwrap();
    run(&mut machine.command_as("jitsi-recordings", "jitsi-hls-worker")).exits(0);
    fs::write(machine.bench.dir().join("auth"), format!("{USER}:{PASSWORD}\n")).unwrap();
    Some((machine, caddy))
}

fn auth(machine: &Machine) -> String {
    machine.bench.dir().join("auth").to_str().unwrap().to_owned()
}

#[test]
fn an_installation_as_it_is_meant_to_be_is_found_well_and_left_as_it_is() {
    let Some((machine, _caddy)) = installed() else { return };
    let before = files_below(&machine.bench.recordings());
    let checked = machine.check(&["--auth-file", &auth(&machine)]);
    assert_eq!(checked.bad(), [""; 0], "{}", checked.out.stdout);
    checked.says("ok", "env.secret", "caddy", "cannot read it");
    checked.says("ok", "jibri.executable", "as jibri", "jitsi-finalize ");
    checked.says("ok", "directories.lock", "RECORDINGS_ROOT", "keeps other processes out");
    checked.says("ok", "notion.token", "", "\"Recordings\" in \"Stand-in\"");
    checked.says("ok", "url.password", "", "401");
    checked.says("ok", "schedule.last-run", "", "Worker run complete.");
    checked.says("ok", "clock.skew", "", "agrees");
    assert_eq!(files_below(&machine.bench.recordings()), before);
    let changes = machine.bench.requests();
    assert!(changes.iter().all(|request| request.starts_with("GET ")), "{changes:?}");

    let quiet = run(machine.command("rec-check").args(["-q", "--auth-file", &auth(&machine)])).exits(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn people_get_a_line_for_each_finding_and_programs_an_object() {
    let bench = Bench::new();
    let args = ["notion", "clock", "schedule"];
    bench.notion.remove_column("Date");
    let checked = bench.check(&args);
    let text = run(bench.command("rec-check").args(args)).exits(1).stdout;
    for found in &checked.findings {
        let object = if found.object.is_empty() { String::new() } else { format!("{}: ", found.object) };
        let line = format!("{:<7}  {:<21}  {object}{}", found.level, found.check, found.finding);
        let mut lines = text.lines().skip_while(|text| **text != line);
        assert_eq!(lines.next(), Some(line.as_str()), "{text}");
        if !found.remedy.is_empty() {
            assert_eq!(lines.next().map(str::trim_start), Some(found.remedy.as_str()), "{text}");
        }
    }
    assert!(text.lines().last().unwrap().starts_with("2 failed, "), "{text}");
    let quiet = run(bench.command("rec-check").arg("-q").args(args)).exits(1).stdout;
    assert!(!quiet.contains("\nok ") && quiet.contains("failed   notion.columns         Date: "), "{quiet}");
    let groups: Vec<_> = checked.findings.iter().map(|found| found.check.split('.').next().unwrap()).collect();
    assert!(groups.iter().all(|group| args.contains(group)), "{groups:?}");
    run(bench.command("rec-check").arg("notions")).exits(2);
}

#[test]
fn a_terminal_gets_colours_unless_it_wants_none() {
    if Command::new("script").arg("--version").output().is_err() {
        skipped("script is not here: install Debian's package bsdutils");
        return;
    }
    let bench = Bench::new();
    let shown = |name: &str, value: &str| {
        let tool = bench.command("rec-check");
        let mut script = Command::new("script");
        script.args(["-qec", "exec \"$TOOL\" notion", "/dev/null"]).env("TOOL", tool.get_program());
        script.envs(tool.get_envs().filter_map(|(key, value)| Some((key, value?)))).env("SHELL", "/bin/sh");
        script.env("TERM", "xterm").env_remove("NO_COLOR").env(name, value).current_dir("/");
        run(script.stdin(std::process::Stdio::null())).stdout
    };
    assert!(shown("X", "").contains("\x1b[32mok"));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = shown(name, value);
        assert!(shown.contains("ok       notion.token") && !shown.contains('\x1b'), "{name}: {shown}");
    }
}

#[test]
fn no_secret_is_shown_whatever_goes_wrong() {
    let mut bench = Bench::new();
    bench.tell("reflector", "https://reflector.example.com");
    bench.set("PUBLIC_BASE_URL", "https://127.0.0.1:9");
    bench.set("PUBLIC_URL_AUTH", "team:Geheim%201@");
    let echo =
        format!(r#"{{"object":"error","status":401,"code":"unauthorized","message":"no {}"}}"#, bench.notion.token());
    bench.notion.fail(pipeline_tests::Fault::raw(401, "application/json", echo).forever());
    for args in [&["-v"][..], &["--json"], &["-q"]] {
        let out = run(bench.command("rec-check").args(args)).exits(1);
        let all = out.stdout + &out.stderr;
        for secret in [bench.notion.token().as_str(), "Geheim", pipeline_tests::outbox::SECRET] {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
        assert!(all.contains("*** "), "{all}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let bench = Bench::new();
    let mut command = bench.command("rec-check");
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
}

/// A copy of the env file that everybody can read.
fn open_to_all(machine: &Machine) -> std::path::PathBuf {
    let copy = machine.bench.dir().join("copy.env");
    fs::copy(machine.bench.env_file(), &copy).unwrap();
    fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    copy
}

#[test]
fn one_who_is_not_root_learns_what_he_can_do_himself() {
    let Some(machine) = Machine::new() else { return };
    let out = run(machine.command_as("jitsi-recordings", "rec-check").args(["--json", "env", "directories"]));
    let checked = Checked::of(out);
    assert_eq!(checked.bad(), ["skipped directories.users jitsi-recordings"]);
    checked.says("ok", "directories.write", "RECORDINGS_ROOT as jitsi-recordings", "can make, rename and remove");
    checked.says("skipped", "directories.users", "", "sudo rec-check");

    let out =
        run(machine.command_as("daemon", "rec-check").args(["--json", "url", "--env-file"]).arg(open_to_all(&machine)));
    Checked::of(out).says("skipped", "url.probe", "RECORDINGS_ROOT as daemon", "look at it as root");
    let stranger =
        Checked::of(run(machine.command_as("daemon", "rec-check").arg("--json").arg("--env-file").arg("/nonexistent")));
    stranger.says("failed", "env.file", "", "is not there");
}
