//! The Debian package: installed, used, upgraded, removed and purged in a small Debian of its own.

use std::fs;
use std::process::Command;

use pipeline_tests::debian::{Debian, package};
use pipeline_tests::media::{self, Clip};
use pipeline_tests::{Bench, run};

/// A Debian with Jibri's user, and the package in its /mnt.
fn debian() -> Option<Debian> {
    let debian = Debian::new()?;
    fs::copy(package(), debian.share().join("ours.deb")).unwrap();
    debian.sh("useradd --system --create-home --user-group jibri");
    Some(debian)
}

#[test]
fn lintian_finds_nothing_to_complain_about() {
    let out = run(Command::new("lintian").args(["--allow-root", "--fail-on", "error,warning"]).arg(package()));
    assert_eq!((out.code, &*out.stdout), (Some(0), ""), "{}", out.stderr);
}

/// Everything that the package promises of users, directories and files.
#[track_caller]
fn assert_set_up(debian: &Debian) {
    assert_eq!(debian.sh("id -nG jitsi-recordings; id -nG jibri"), "jitsi-recordings\njibri jitsi-recordings\n");
    assert_eq!(debian.sh("getent passwd jitsi-recordings | cut -d: -f6,7"), "/:/usr/sbin/nologin\n");
    let stat = "stat -c '%a %U %G %n' /etc/jitsi/recording-pipeline.env /srv/recordings /var/log/jitsi-recording-pipeline \
         /var/spool/jitsi-recording-pipeline /run/lock/jitsi-recording-pipeline";
    let wanted = "640 root jitsi-recordings /etc/jitsi/recording-pipeline.env\n\
         2770 root jitsi-recordings /srv/recordings\n\
         2770 root jitsi-recordings /var/log/jitsi-recording-pipeline\n\
         2770 root jitsi-recordings /var/spool/jitsi-recording-pipeline\n\
         2770 root jitsi-recordings /run/lock/jitsi-recording-pipeline\n";
    assert_eq!(debian.sh(stat), wanted);
    debian.sh("grep -qx \"RECORDINGS_ROOT='/srv/recordings'\" /etc/jitsi/recording-pipeline.env");
}

/// The env file of a bench, for the package's own directories.
fn configure(debian: &Debian, bench: &Bench) {
    let keys = ["NOTION_TOKEN", "NOTION_DATABASE_ID", "PUBLIC_BASE_URL", "NOTION_API_URL", "HLS_MIN_FREE"];
    let lines = keys.map(|key| format!("{key}='{}'\n", bench.key(key).unwrap())).concat();
    fs::write(debian.share().join("env"), format!("{lines}RECORDINGS_ROOT='/srv/recordings'\n")).unwrap();
    debian.sh("cat /mnt/env >/etc/jitsi/recording-pipeline.env");
}

/// A recording by Jibri's user and its publication by the worker's.
#[track_caller]
fn record_and_publish(debian: &Debian, bench: &Bench, room: &str) {
    media::put(Clip::Short, &debian.share().join("meeting.mp4"));
    let as_jibri = format!(
        "umask 022; mkdir /srv/recordings/{room}; cp -p /mnt/meeting.mp4 /srv/recordings/{room}/; exec jitsi-finalize /srv/recordings/{room}"
    );
    debian.run(&["setpriv", "--reuid=jibri", "--regid=jibri", "--init-groups", "sh", "-euc", &as_jibri]).exits(0);
    let row = bench.notion.pages().pop().unwrap();
    assert_eq!(row.status().unwrap(), "recorded");
    debian
        .run(&[
            "setpriv",
            "--reuid=jitsi-recordings",
            "--regid=jitsi-recordings",
            "--init-groups",
            "--bounding-set=-all",
            "jitsi-hls-worker",
        ])
        .exits(0);
    assert_eq!(bench.notion.pages().pop().unwrap().status().unwrap(), "published");
    debian.sh(&format!("test -s /srv/recordings/{room}/v0/master.m3u8; ! test -e /srv/recordings/{room}/meeting.mp4"));
}

/// Every file of the recordings, with what it is and what is in it.
fn recordings(debian: &Debian) -> String {
    debian.sh(
        "cd /srv/recordings; find . -printf '%p %m %U %G %y %T@\\n' | sort; find . -type f -exec sha256sum {} + | sort",
    )
}

#[test]
#[ignore = "make test-long"]
fn installed_it_works_for_jibri_and_for_the_worker_with_or_without_systemd() {
    for with_systemd in [true, false] {
        let Some(debian) = debian() else { return };
        if !with_systemd {
            debian.sh("rm /usr/bin/systemd-sysusers /usr/bin/systemd-tmpfiles; ! command -v systemd-sysusers");
        }
        let out = debian.run(&["dpkg", "--install", "/mnt/ours.deb"]).exits(0);
        assert!(out.stderr.contains("put your settings into /etc/jitsi/recording-pipeline.env"), "{}", out.stderr);
        assert_set_up(&debian);
        debian.sh("dpkg --verify jitsi-recording-pipeline; for tool in $(dpkg -L jitsi-recording-pipeline | grep ^/usr/bin/.); do \"$tool\" --version; done");
        let bench = Bench::new();
        configure(&debian, &bench);
        record_and_publish(&debian, &bench, "standup");
    }
}

#[test]
#[ignore = "make test-long"]
fn the_timers_are_enabled_and_the_lines_for_cron_do_nothing_where_timers_run() {
    let Some(debian) = debian() else { return };
    debian.run(&["dpkg", "--install", "/mnt/ours.deb"]).exits(0);
    let enabled = debian.sh("systemctl is-enabled jitsi-hls-worker.timer jitsi-hls-worker.path rec-hook.timer");
    assert_eq!(enabled, "enabled\n".repeat(3));
    debian.sh("mkdir /stand-ins; printf '#!/bin/sh\\necho ran\\n' >/stand-ins/jitsi-hls-worker; cp /stand-ins/jitsi-hls-worker /stand-ins/rec-hook; printf '#!/bin/sh\\ncat\\n' >/stand-ins/logger; chmod 755 /stand-ins/*");
    for tool in ["jitsi-hls-worker", "rec-hook"] {
        let line = debian.sh(&format!(
            "grep -c . /etc/cron.d/{tool} >/dev/null; sed -n 's/^[*].* jitsi-recordings //p' /etc/cron.d/{tool}"
        ));
        let as_cron = |before: &str| debian.sh(&format!("export PATH=/stand-ins:$PATH; {before}\n{line}"));
        assert_eq!(as_cron("rm -rf /run/systemd/system"), "ran\n", "{line}");
        assert_eq!(as_cron("mkdir -p /run/systemd/system"), "", "{line}");
        // Removed and not purged, cron still has the line.
        assert_eq!(
            as_cron(&format!("rm -rf /run/systemd/system; mv /usr/bin/{tool} /usr/bin/{tool}.away")),
            "",
            "{line}"
        );
        debian.sh(&format!("mv /usr/bin/{tool}.away /usr/bin/{tool}"));
    }
}

#[test]
#[ignore = "make test-long"]
fn an_upgrade_keeps_what_the_admin_changed_and_removal_and_purge_keep_the_recordings() {
    let Some(debian) = debian() else { return };
    // There was an env file before there was a package.
    debian.sh("mkdir /etc/jitsi; echo \"# mine\" >/etc/jitsi/other.conf");
    debian.run(&["dpkg", "--install", "/mnt/ours.deb"]).exits(0);
    let bench = Bench::new();
    configure(&debian, &bench);
    record_and_publish(&debian, &bench, "before");
    let was = recordings(&debian);
    debian.sh("sed -i 's|^[*]/20|*/5|' /etc/cron.d/jitsi-hls-worker; systemctl disable rec-hook.timer; chmod 440 /etc/jitsi/recording-pipeline.env");
    let theirs = "cat /etc/jitsi/recording-pipeline.env /etc/cron.d/jitsi-hls-worker; stat -c %a /etc/jitsi/recording-pipeline.env";
    let kept = debian.sh(theirs);
    assert!(kept.contains("\n*/5 * * * * jitsi-recordings "));

    // A later version, with another line for cron.
    debian.sh(
        "dpkg-deb --raw-extract /mnt/ours.deb /later; sed -i 's/^Version: .*/Version: 99.0-1/' /later/DEBIAN/control; \
         echo '# later' >>/later/etc/cron.d/jitsi-hls-worker; dpkg-deb --build --root-owner-group -Zgzip -z1 /later /mnt/later.deb",
    );
    debian.run(&["dpkg", "--force-confdef", "--force-confold", "--install", "/mnt/later.deb"]).exits(0);
    assert_eq!(
        debian.sh("dpkg-query -Wf '${Version} ${Status}' jitsi-recording-pipeline"),
        "99.0-1 install ok installed"
    );
    assert_eq!(debian.sh(theirs), kept);
    let enabled = debian.run(&["systemctl", "is-enabled", "jitsi-hls-worker.timer", "rec-hook.timer"]).stdout;
    assert_eq!(enabled, "enabled\ndisabled\n");
    assert_eq!(recordings(&debian), was);

    debian.run(&["dpkg", "--remove", "jitsi-recording-pipeline"]).exits(0);
    assert_eq!(debian.sh(theirs), kept);
    assert_eq!(recordings(&debian), was);
    debian.sh("! test -e /usr/bin/jitsi-finalize; test -s /var/log/jitsi-recording-pipeline/hls-worker.log");

    // And back: it goes on as before.
    debian.run(&["dpkg", "--force-confdef", "--force-confold", "--install", "/mnt/ours.deb"]).exits(0);
    record_and_publish(&debian, &bench, "again");
    let was = recordings(&debian);

    let out = debian.run(&["dpkg", "--purge", "jitsi-recording-pipeline"]).exits(0);
    assert!(out.stderr.contains("kept are the recordings"), "{}", out.stderr);
    assert_eq!(recordings(&debian), was);
    let left = debian.sh("find /etc /usr /lib /var /run -path /usr/share/zoneinfo -prune -o \\( -name '*jitsi-*' -o -name 'rec-hook*' -o -name 'recording-pipeline*' \\) -print");
    assert_eq!(left, "");

    // An env file that was there before the package is none of its own.
    debian.sh("echo NOTION_TOKEN=mine > /etc/jitsi/recording-pipeline.env");
    debian.run(&["dpkg", "--install", "/mnt/ours.deb"]).exits(0);
    debian.run(&["dpkg", "--purge", "jitsi-recording-pipeline"]).exits(0);
    assert_eq!(debian.sh("cat /etc/jitsi/recording-pipeline.env"), "NOTION_TOKEN=mine\n");
    assert_eq!(debian.sh("cat /etc/jitsi/other.conf; id -un jitsi-recordings"), "# mine\njitsi-recordings\n");
}
