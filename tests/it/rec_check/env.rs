//! The env file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pipeline_tests::Bench;
use pipeline_tests::check::{Checked, Machine};
use pipeline_tests::run;

/// What is found with a text as the env file.
#[track_caller]
fn with(text: &str) -> Checked {
    let bench = Bench::new();
    fs::write(bench.env_file(), text).unwrap();
    bench.check(&["env"])
}

#[test]
fn all_that_is_wrong_with_its_settings_is_named_with_its_line_and_what_to_write() {
    let checked = with("NOTION_TOKEN='x'\nNOTION_DATABASE_ID=''\nRECORDINGS_ROOT=relative\nHLS_JOBS='many'\n");
    checked.says("failed", "env.settings", "NOTION_DATABASE_ID, line 2", "is empty: write a line NOTION_DATABASE_ID=");
    checked.says("failed", "env.settings", "PUBLIC_BASE_URL", "is missing: write a line PUBLIC_BASE_URL=");
    checked.says("failed", "env.settings", "RECORDINGS_ROOT, line 3", "is not an absolute path: begin it with /");
    checked.says("failed", "env.settings", "HLS_JOBS, line 4", "is not a whole number");
    let checked = with("A=1\nB=$(id)\nC='open\n");
    checked.says("failed", "env.settings", "B, line 2", "");
    checked.says("failed", "env.settings", "C, line 3", "");
    with("A=1\r\n").says("failed", "env.settings", "line 1", "sed -i");
}

#[test]
fn without_a_usable_one_the_rest_says_that_it_waits_for_it() {
    let bench = Bench::new();
    fs::write(bench.env_file(), "NOTION_TOKEN='x'\n").unwrap();
    let checked = bench.check(&["notion", "directories", "url", "webhooks", "clock"]);
    for group in ["notion", "directories", "url", "webhooks", "clock.skew"] {
        checked.says("skipped", group, "", "the env file must be usable first");
    }
    // That is what is wrong, though nobody asked for it.
    checked.says("failed", "env.settings", "RECORDINGS_ROOT", "is missing");
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one_and_those_of_others_are_no_warning() {
    let mut bench = Bench::new();
    bench.set("HLS_PROFIL", "abr");
    bench.set("NEXTCLOUD_URL", "x");
    bench.set("WEBHOOK_NOBODY_URL", "x");
    let checked = bench.check(&["env"]);
    checked.says("warning", "env.settings", "HLS_PROFIL", "unknown key: did you mean HLS_PROFILE?");
    checked.says("warning", "env.settings", "WEBHOOK_NOBODY_URL", "nobody is not in WEBHOOKS");
    checked.says("ok", "env.settings", "NEXTCLOUD_URL", "not ours");
    bench.set("NOTION_TOKEN", "ntn_PUT_THE_TOKEN_HERE");
    bench.check(&["env"]).says("warning", "env.settings", "NOTION_TOKEN", "still the example's: put your own here");
}

#[test]
fn one_that_is_not_there_or_is_no_file_is_said() {
    let bench = Bench::new();
    let missing = bench.dir().join("none").to_str().unwrap().to_owned();
    bench.check(&["env", "--env-file", &missing]).says("failed", "env.file", "none", "is not there");
    let dir = bench.dir().to_str().unwrap().to_owned();
    bench.check(&["env", "--env-file", &dir]).says("failed", "env.file", "", "not a regular file");
}

#[test]
fn it_must_be_read_by_the_tools_users_and_by_nobody_else_and_the_commands_see_to_that() {
    let Some(machine) = Machine::new() else { return };
    let file = machine.bench.env_file();
    let check = || machine.check(&["env"]);
    assert_eq!(check().bad(), [""; 0]);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let checked = check();
    assert_eq!(checked.bad(), [format!("failed env.secret {}", file.display())]);
    machine.remedy(checked.one("env.secret", "pipeline.env"));
    assert_eq!(check().bad(), [""; 0]);

    machine.sh("chgrp root \"$RECORDING_PIPELINE_ENV\"; gpasswd -d jibri jitsi-recordings").exits(0);
    let checked = check();
    assert_eq!(checked.bad(), ["failed env.readable jibri", "failed env.readable jitsi-recordings"]);
    machine.remedy(checked.one("env.readable", "jibri"));
    assert_eq!(check().bad(), [""; 0]);

    machine.sh("chgrp caddy \"$RECORDING_PIPELINE_ENV\"").exits(0);
    let checked = check();
    machine.remedy(checked.says("failed", "env.secret", "caddy", "the web server's user can read the token"));
    assert_eq!(check().bad(), [""; 0]);

    let hidden = machine.bench.dir().join("hidden");
    fs::create_dir(&hidden).unwrap();
    fs::copy(&file, hidden.join("env")).unwrap();
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700)).unwrap();
    let checked = machine.check(&["env", "--env-file", hidden.join("env").to_str().unwrap()]);
    checked.says("failed", "env.readable", "jibri", "does not get into");
    let out =
        run(machine.command_as("jibri", "rec-check").args(["--json", "env", "--env-file"]).arg(hidden.join("env")));
    Checked::of(out).says("failed", "env.file", "", "Permission denied");
}
