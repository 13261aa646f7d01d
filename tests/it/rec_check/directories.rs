//! The directories, and who can do what there.

use pipeline_tests::check::Machine;
use pipeline_tests::run;

/// A machine whose bench is set up by a line of shell, with `$D` its directory.
fn after(line: &str) -> Option<Machine> {
    let machine = Machine::new()?;
    shell(&machine, line);
    Some(machine)
}

fn shell(machine: &Machine, line: &str) {
    run(machine.command("sh").args(["-c", line]).env("D", machine.bench.dir())).exits(0);
}

#[test]
fn what_jibri_is_going_to_make_must_be_shared() {
    let setup = "setfacl -b -k \"$D/recordings\" && chmod 0777 \"$D/recordings\" && chmod g-s \"$D/recordings\"";
    let Some(machine) = after(setup) else { return };
    let checked = machine.check(&["directories"]);
    assert_eq!(checked.bad(), ["failed directories.shared RECORDINGS_ROOT"]);
    machine.remedy(checked.one("directories.shared", "RECORDINGS_ROOT"));
    machine.check(&["directories"]).says(
        "ok",
        "directories.shared",
        "RECORDINGS_ROOT",
        "is shared with jitsi-recordings",
    );
    // Or by an ACL.
    let acl = "chmod g-s \"$D/recordings\" && setfacl -d -m g:jitsi-recordings:rwx \"$D/recordings\"";
    shell(&machine, acl);
    assert_eq!(machine.check(&["directories"]).bad(), [""; 0]);
}

#[test]
fn each_that_is_missing_is_made_by_the_command_that_is_printed() {
    let Some(machine) = after("rmdir \"$D/recordings\" \"$D/log\" \"$D/lock\" && gpasswd -d jibri jitsi-recordings")
    else {
        return;
    };
    let bad = ["RECORDINGS_ROOT", "LOG_DIR", "LOCK_DIR"].map(|key| format!("failed directories.write {key}"));
    let checked = machine.check(&["directories"]);
    assert_eq!(checked.bad(), bad);
    for key in ["RECORDINGS_ROOT", "LOG_DIR", "LOCK_DIR"] {
        let found = checked.one("directories.write", key);
        assert!(found.remedy.contains("systemd-tmpfiles --create"), "{found:?}");
        machine.remedy(found);
    }
    assert_eq!(machine.check(&["directories"]).bad(), [""; 0]);

    // As it is where systemd is told of others.
    shell(&machine, "rm /etc/tmpfiles.d/jitsi-recording-pipeline.conf; rmdir \"$D/recordings\" \"$D/log\" \"$D/lock\"");
    let checked = machine.check(&["directories"]);
    assert_eq!(checked.bad(), bad);
    for found in checked.all("directories.write") {
        assert!(found.remedy.contains("install -d"), "{found:?}");
        machine.remedy(found);
    }
    let checked = machine.check(&["directories"]);
    assert_eq!(checked.bad(), ["failed directories.enter RECORDINGS_ROOT as caddy"]);
    machine.remedy(checked.one("directories.enter", "caddy"));
    assert_eq!(machine.check(&["directories"]).bad(), [""; 0]);
}

#[test]
fn who_cannot_write_is_named_and_can_after_the_command() {
    // As the scripts left them, and as an admin may have made them.
    let Some(machine) = after(
        "setfacl -bk \"$D/log\" \"$D/recordings\" \"$D/lock\"; chown root:root \"$D/log\" \"$D/recordings\" \"$D/lock\"; \
         chmod 755 \"$D/log\" \"$D/recordings\" \"$D/lock\"; gpasswd -d jibri jitsi-recordings",
    ) else {
        return;
    };
    let checked = machine.check(&["directories"]);
    assert_eq!(
        checked.bad(),
        [
            "failed directories.write RECORDINGS_ROOT as jibri",
            "failed directories.write RECORDINGS_ROOT as jitsi-recordings",
            "failed directories.write LOG_DIR as jibri",
            "failed directories.write LOG_DIR as jitsi-recordings",
            "failed directories.write LOCK_DIR as jitsi-recordings",
            "failed directories.shared RECORDINGS_ROOT",
        ]
    );
    checked.says("failed", "directories.write", "LOG_DIR as jibri", "make a file: Permission denied");
    for found in checked.all("directories.write") {
        machine.remedy(found);
    }
    assert_eq!(machine.check(&["directories"]).bad(), [""; 0]);
}

#[test]
fn a_log_that_another_user_has_made_is_found_and_given_to_whom_it_belongs() {
    let Some(machine) = after(
        "touch \"$D/log/finalize.log\" && chown root:root \"$D/log/finalize.log\" && setfacl -b \"$D/log/finalize.log\" && chmod 644 \"$D/log/finalize.log\"",
    ) else {
        return;
    };
    let checked = machine.check(&["directories"]);
    assert_eq!(checked.bad(), ["failed directories.write finalize.log as jibri"]);
    machine.remedy(checked.one("directories.write", "finalize.log"));
    assert_eq!(machine.check(&["directories"]).bad(), [""; 0]);
}

#[test]
fn a_disk_that_is_read_only_or_has_no_room_is_found_by_trying() {
    let Some(mut machine) = Machine::new() else { return };
    let line = "mount --bind \"$D/log\" \"$D/log\" && mount -o remount,ro,bind \"$D/log\" && exec rec-check --json directories";
    let out = run(machine.command("sh").args(["-c", line]).env("D", machine.bench.dir()));
    let checked = pipeline_tests::check::Checked::of(out);
    checked.says("failed", "directories.write", "LOG_DIR as jibri", "Read-only file system");

    machine.bench.set("HLS_MIN_FREE", "900T");
    machine.give_env();
    machine.check(&["directories"]).says("failed", "directories.space", "", "no HLS is made: make room on the disk of");
}

#[test]
fn a_way_that_is_barred_above_is_told_from_a_directory_that_is() {
    let Some(machine) = after("chmod 700 \"$D\"") else { return };
    let checked = machine.check(&["directories"]);
    checked.says("failed", "directories.write", "LOG_DIR as jibri", "let jibri pass, with x on each directory");
    checked.says("failed", "directories.enter", "caddy", "does not get into");
}

#[test]
fn users_that_are_missing_are_made_by_the_command_or_can_be_named() {
    let Some(machine) = after("userdel jitsi-recordings; userdel jibri; groupdel jitsi-recordings 2>/dev/null; true")
    else {
        return;
    };
    let checked = machine.check(&["directories"]);
    checked.says("skipped", "directories.users", "jibri", "--jibri-user 1000");
    machine.remedy(checked.says("failed", "directories.users", "jitsi-recordings", "there is no such user"));
    machine.check(&["directories"]).says("ok", "directories.users", "jitsi-recordings", "makes HLS");

    // A container's, of which this machine knows nothing.
    let checked = machine.check(&["directories", "--jibri-user", "1000"]);
    checked.says("failed", "directories.write", "RECORDINGS_ROOT as 1000", "Permission denied");
    shell(&machine, "setfacl -m u:1000:rwx,d:u:1000:rwx \"$D/recordings\"");
    machine.check(&["directories", "--jibri-user", "1000"]).says(
        "ok",
        "directories.write",
        "RECORDINGS_ROOT as 1000",
        "",
    );
}

#[test]
fn what_was_left_by_one_that_was_killed_goes_at_the_next_run() {
    let Some(machine) = after("touch -d '1 hour ago' \"$D/log/.rec-check-0\" && touch \"$D/log/.rec-check-1\"") else {
        return;
    };
    machine.check(&["directories"]);
    let left = pipeline_tests::listing(&machine.bench.dir().join("log"));
    assert_eq!(left, [".rec-check-1"]);
}
