//! Jibri, the worker, the web server and an admin, each as a user of its own: what they reach, and what they do not. Nobody is root.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pipeline_tests::Bench;
use pipeline_tests::host::{ENV_FILE, Host, LOCKS, LOGS, RECORDINGS, SPOOL, User, WORKER, etc};
use pipeline_tests::media::{self, Clip};
use pipeline_tests::outbox::SECRET;
use pipeline_tests::processes::{start, unhurried_ffmpeg};
use pipeline_tests::receivers::{Failure, Receiver};

const JIBRI: User<'_> = User::Named("jibri");
const THE_WORKER: User<'_> = User::Named(WORKER);
const CADDY: User<'_> = User::Named("caddy");
/// An admin, in the group.
const ANN: User<'_> = User::Named("ann");
const NOBODY: User<'_> = User::Named("nobody");

const FINALIZE: &str = "jitsi-finalize";
const HLS_WORKER: &str = "jitsi-hls-worker";

/// Asserts which files of a room the web server's user may read: these, and all below those that end in a slash.
#[track_caller]
fn assert_served(host: &Host, room: &str, open: &[&str]) {
    let all = host.sh(User::Root, &format!("cd '{room}' && find . -type f | sort")).exits(0).stdout;
    let all: Vec<_> = all.lines().map(|file| file[2..].to_owned()).collect();
    let is_open =
        |file: &String| open.iter().any(|open| file == open || (open.ends_with('/') && file.starts_with(open)));
    let wanted: Vec<_> = all.iter().filter(|file| is_open(file)).collect();
    let readable: Vec<_> = all.iter().filter(|file| host.can(CADDY, &format!("cat '{room}/{file}'"))).collect();
    assert_eq!(readable, wanted, "of {all:?}");
    assert!(open.iter().all(|open| wanted.iter().any(|file| file.starts_with(open))), "{open:?} of {all:?}");
}

/// A recording's whole way, with a umask of each of its users.
#[track_caller]
fn goes_all_the_way(host: &Host, bench: &Bench, jibri: User<'_>, room: &str, [theirs, ours]: [&str; 2]) {
    let before = bench.notion.pages().len();
    let dir = host.record(jibri, theirs, room, &media::clip(Clip::Jibri));
    let out = host.tool(jibri, theirs, &[FINALIZE, &dir]).exits(0);
    assert!(!out.stderr.contains("WARNING"), "{}", out.stderr);
    assert_served(host, &dir, &["meeting.mp4"]);
    assert_eq!(bench.notion.pages().len(), before + 1);
    let out = host.tool(THE_WORKER, ours, &[HLS_WORKER]).exits(0);
    assert!(!out.stderr.contains("WARNING"), "{}", out.stderr);
    assert_served(host, &dir, &["v0/"]);
    assert_eq!(bench.notion.pages()[before].status().unwrap(), "published");
    assert!(!host.path(&dir).join("meeting.mp4").exists());
    // Jibri comes back to the same session, after the worker has written what there is.
    let again = host.tool(jibri, theirs, &[FINALIZE, &dir]).exits(0);
    assert!(again.stderr.contains("Nothing to do"), "{}", again.stderr);
    let url = "https://rec.example.com/x";
    let patch = ["notion-patch", &dir, "--url", url, "--provider", "hls", "--status", "published"];
    host.tool(ANN, "022", &patch).exits(0);
    assert_eq!(bench.notion.pages()[before].url().unwrap(), url);
    // And all that was written, the group may take away.
    host.sh(ANN, &format!("rm -r '{dir}'")).exits(0);
}

#[test]
fn a_recording_goes_all_the_way_through_the_hands_of_three_users_whatever_their_umasks() {
    let bench = Bench::new();
    let Some(host) = Host::new(&bench) else { return };
    assert!(host.sh(User::Root, &format!("getfacl -p {RECORDINGS}")).exits(0).stdout.contains("default:group:"));
    for (room, umasks) in [("a", ["022", "022"]), ("b c", ["077", "027"]), ("d", ["002", "077"]), ("e", ["027", "002"])]
    {
        goes_all_the_way(&host, &bench, JIBRI, room, umasks);
    }
}

#[test]
fn without_acls_the_groups_bits_and_those_of_others_do_it() {
    let bench = Bench::new();
    let Some(host) = Host::bare(&bench) else { return };
    host.prescribe(|line| (!line.starts_with("a+")).then(|| line.to_owned()));
    // The web server's way in, which else an ACL is.
    host.sh(User::Root, &format!("chmod 2771 {RECORDINGS}")).exits(0);
    host.configure(&bench);
    for dir in [RECORDINGS, LOGS, SPOOL, LOCKS] {
        assert!(!host.sh(User::Root, &format!("getfacl -p {dir}")).exits(0).stdout.contains("default:"), "{dir}");
    }
    for (room, umasks) in [("a", ["022", "022"]), ("b", ["077", "077"])] {
        goes_all_the_way(&host, &bench, JIBRI, room, umasks);
    }
}

#[test]
fn jibri_in_a_container_joins_by_the_groups_number_or_by_acls() {
    let bench = Bench::new();
    let Some(host) = Host::new(&bench) else { return };
    let group = host.sh(User::Root, &format!("getent group {WORKER} | cut -d: -f3")).exits(0).stdout;
    // As `group_add` of a compose file has it.
    goes_all_the_way(&host, &bench, User::Numbers(1000, 1000, group.trim()), "a", ["022", "002"]);
    // Without it, nothing goes.
    let alone = User::Numbers(1000, 1000, "");
    assert!(!host.can(alone, &format!("mkdir {RECORDINGS}/b")) && !host.can(alone, &format!("cat {ENV_FILE}")));
    // The lines that are commented out, and the command beside them in the guide.
    host.prescribe(|line| Some(line.strip_prefix("#a+").map_or(line.to_owned(), |line| format!("a+{line}"))));
    host.sh(User::Root, &format!("setfacl -m u:1000:r {ENV_FILE}")).exits(0);
    goes_all_the_way(&host, &bench, alone, "b", ["022", "002"]);
}

#[test]
fn webhooks_that_one_user_put_in_another_delivers() {
    let mut bench = Bench::new();
    let receiver = Receiver::standard(SECRET);
    bench.tell("standard", &receiver.endpoint());
    let Some(host) = Host::new(&bench) else { return };
    let waiting = || host.sh(User::Root, &format!("find {SPOOL} -name '*.event'")).exits(0).stdout.lines().count();
    for (umask, from, to) in [("077", JIBRI, THE_WORKER), ("027", THE_WORKER, JIBRI), ("022", ANN, THE_WORKER)] {
        receiver.fail_always(Failure::Status(500));
        host.sh(from, &format!("umask {umask}; echo '{{}}' | rec-hook send standard -")).exits(75);
        assert_eq!(waiting(), 1, "{umask}");
        for user in [CADDY, NOBODY] {
            assert!(!host.can(user, &format!("ls {SPOOL} || ls {SPOOL}/standard || cat {SPOOL}/standard/queue/*")));
        }
        receiver.recover();
        receiver.forget();
        host.tool(to, umask, &["rec-hook", "flush", "--now", "--quiet"]).exits(0);
        assert_eq!((waiting(), receiver.got().len()), (0, 1), "{umask}");
    }
}

#[test]
fn what_is_not_theirs_is_closed_to_them() {
    let bench = Bench::new();
    let Some(host) = Host::new(&bench) else { return };
    let dir = host.record(JIBRI, "022", "room", &media::clip(Clip::Jibri));
    host.tool(JIBRI, "022", &[FINALIZE, &dir]).exits(0);
    host.tool(THE_WORKER, "022", &[HLS_WORKER]).exits(0);
    let next = host.record(JIBRI, "022", "next", &media::clip(Clip::Jibri));
    host.tool(JIBRI, "022", &[FINALIZE, &next]).exits(0);
    let group_only = [
        ENV_FILE.to_owned(),
        format!("{LOGS}/finalize.log"),
        format!("{LOGS}/hls-worker.log"),
        format!("{LOCKS}/hls-worker.lock"),
        format!("{dir}/.recording.json"),
        format!("{dir}/.notion_id"),
        format!("{dir}/.recording.lock"),
        format!("{dir}/metadata.json"),
        format!("{next}/metadata.json"),
    ];
    for file in &group_only {
        for (user, may) in [(JIBRI, true), (THE_WORKER, true), (ANN, true), (CADDY, false), (NOBODY, false)] {
            assert_eq!(host.can(user, &format!("cat '{file}'")), may, "{user:?} {file}");
        }
    }
    // The web server finds what it is asked for, and does not look around at the top; others do not even get in.
    assert!(host.can(CADDY, &format!("cat {dir}/v0/master.m3u8 {next}/meeting.mp4")));
    assert!(!host.can(CADDY, &format!("ls {RECORDINGS}")));
    for path in [&dir, &next, &format!("{dir}/v0/master.m3u8"), &format!("{next}/meeting.mp4")] {
        assert!(host.can(CADDY, &format!("stat {path}")) && !host.can(NOBODY, &format!("stat {path}")), "{path}");
    }
    for place in [RECORDINGS, &dir, &format!("{dir}/v0"), LOGS, LOCKS, SPOOL] {
        for (user, may) in [(JIBRI, true), (THE_WORKER, true), (ANN, true), (CADDY, false), (NOBODY, false)] {
            assert_eq!(host.can(user, &format!(": >{place}/try && rm {place}/try")), may, "{user:?} {place}");
        }
    }
    for file in [&format!("{next}/meeting.mp4"), &format!("{dir}/v0/master.m3u8"), &format!("{dir}/.recording.json")] {
        for user in [CADDY, NOBODY] {
            assert!(!host.can(user, &format!(": >>{file}")) && !host.can(user, &format!("rm {file}")), "{user:?}");
        }
    }
    // The group's rights end there: its members change neither what the tools are told, nor what others run.
    let secret = "/etc/jitsi/webhook.secret";
    fs::write(host.path(secret), "s").unwrap();
    fs::set_permissions(host.path(secret), fs::Permissions::from_mode(0o600)).unwrap();
    let places =
        ["/etc/jitsi/new", "/srv/new", "/var/log/new", "/var/spool/new", "/run/lock/new", "/usr/local/bin/new"];
    for user in [JIBRI, THE_WORKER, ANN, CADDY, NOBODY] {
        assert!(!host.can(user, &format!("cat {secret}")), "{user:?}");
        for place in [ENV_FILE, "/etc/passwd"].iter().chain(&places) {
            assert!(!host.can(user, &format!(": >>{place}")), "{user:?} {place}");
        }
    }
    // What was probed is there: root gets at it.
    assert!(group_only.iter().all(|file| host.can(User::Root, &format!("cat '{file}'"))));
    assert!(places[..5].iter().all(|place| host.can(User::Root, &format!("cat {secret} && : >>{place}"))));
}

#[test]
fn logs_are_rotated_whoever_made_them_and_written_on_by_each() {
    let bench = Bench::new();
    let Some(host) = Host::new(&bench) else { return };
    let conf = "/etc/logrotate.d/jitsi-recording-pipeline";
    fs::create_dir_all(host.path("/etc/logrotate.d")).unwrap();
    fs::copy(etc("logrotate.d/jitsi-recording-pipeline"), host.path(conf)).unwrap();
    // logrotate takes no orders from a file that others than root may write.
    host.sh(User::Root, &format!("chown root:root {conf} && chmod 644 {conf}")).exits(0);
    let dir = host.record(JIBRI, "022", "room", &media::clip(Clip::Jibri));
    host.tool(JIBRI, "077", &[FINALIZE, &dir]).exits(0);
    host.tool(THE_WORKER, "077", &[HLS_WORKER]).exits(0);
    for turn in 1..=3 {
        let out = host.sh(User::Root, &format!("logrotate --force --state /var/log/state {conf}")).exits(0);
        assert_eq!((&*out.stdout, &*out.stderr), ("", ""), "turn {turn}");
        for (user, tool) in [(JIBRI, FINALIZE), (ANN, FINALIZE), (THE_WORKER, HLS_WORKER), (ANN, HLS_WORKER)] {
            let out = host.tool(user, "022", &[tool, &dir]).exits(0);
            assert!(!out.stderr.contains("WARNING"), "{}", out.stderr);
        }
        for log in ["finalize.log", "hls-worker.log"] {
            let text = fs::read_to_string(host.path(LOGS).join(log)).unwrap();
            assert_eq!(text.matches("Nothing to do").count(), 2, "{text}");
        }
    }
    let names = host.sh(THE_WORKER, &format!("ls {LOGS}")).exits(0).stdout;
    let wanted = ["finalize.log", "hls-worker.log"].map(|log| format!("{log}\n{log}.1\n{log}.2.gz\n{log}.3.gz\n"));
    assert_eq!(names, wanted.concat());
    assert!(host.can(ANN, &format!("zcat {LOGS}/finalize.log.3.gz | grep -q 'notion page created'")));
    for user in [CADDY, NOBODY] {
        assert!(!host.can(user, &format!("zcat {LOGS}/finalize.log.3.gz")));
    }
}

#[test]
fn a_log_that_was_moved_away_under_a_worker_is_written_to_its_end() {
    let bench = Bench::new();
    let room = bench.finalized("daily-standup");
    let log = bench.dir().join("log");
    let worker = start(bench.command(HLS_WORKER).env("PATH", unhurried_ffmpeg(&bench)));
    worker.child("ffmpeg");
    fs::rename(log.join("hls-worker.log"), log.join("hls-worker.log.1")).unwrap();
    worker.end().exits(0);
    assert!(!room.join("meeting.mp4").exists());
    let old = fs::read_to_string(log.join("hls-worker.log.1")).unwrap();
    assert!(old.contains("Process room=") && old.ends_with("Worker run complete.\n"), "{old}");
    bench.worker().exits(0);
    assert_eq!(bench.log("hls-worker.log"), ["Worker run complete."]);
}

#[test]
fn a_tree_of_the_scripts_is_worked_on_by_root_as_before_and_opened_to_nobody() {
    let bench = Bench::new();
    let Some(host) = Host::bare(&bench) else { return };
    host.configure(&bench);
    fs::create_dir(host.path(RECORDINGS)).unwrap();
    let modes = || -> BTreeMap<String, u32> {
        let all = host.sh(User::Root, &format!("find {RECORDINGS} -printf '%m %p\\n'")).exits(0).stdout;
        let parse = |line: &str| {
            let (mode, path) = line.split_once(' ').unwrap();
            (path.to_owned(), u32::from_str_radix(mode, 8).unwrap())
        };
        all.lines().map(parse).collect()
    };
    for (room, umask) in [("a", "077"), ("b", "022")] {
        let dir = host.record(User::Root, umask, room, &media::clip(Clip::Jibri));
        let before = modes();
        host.tool(User::Root, umask, &[FINALIZE, &dir]).exits(0);
        host.tool(User::Root, umask, &[HLS_WORKER]).exits(0);
        let after = modes();
        for (path, mode) in before {
            let now = after.get(&path).unwrap_or(&0);
            assert_eq!(now & !mode, 0, "{path} was {mode:o} and is {now:o}");
        }
        assert!(after.contains_key(&format!("{dir}/v0/master.m3u8")));
        for (path, mode) in &after {
            let private = [".recording", ".notion_id", "metadata"].iter().any(|name| path.contains(name));
            assert!(!private || mode & 0o027 == 0, "{path} is {mode:o}");
        }
    }
    assert_eq!(bench.rows().iter().filter(|(_, status)| status == "published").count(), 2);
}

/// The command that a message ends with, without its `sudo`.
#[track_caller]
fn remedy(message: &str) -> String {
    let at = message.find(": sudo ").unwrap_or_else(|| panic!("no command in {message}"));
    let command = &message[at + 2..];
    let end = ["): ", ");", ", and restart"].iter().filter_map(|end| command.find(end)).min();
    command[..end.unwrap_or(command.len())].replace("sudo ", "")
}

#[test]
fn a_wrong_user_is_told_whose_it_is_and_the_command_that_lets_it_in() {
    let mut bench = Bench::new();
    let receiver = Receiver::standard(SECRET);
    bench.tell("standard", &receiver.endpoint());
    let Some(host) = Host::new(&bench) else { return };
    let room = |name: &str| {
        let dir = host.record(JIBRI, "022", name, &media::clip(Clip::Jibri));
        host.tool(JIBRI, "022", &[FINALIZE, &dir]).exits(0);
        dir
    };
    let (a, b) = (room("a b"), room("c"));
    let new = host.record(JIBRI, "022", "new", &media::clip(Clip::Jibri));
    let (worker, finalize) = ([HLS_WORKER].to_vec(), [FINALIZE, &new].to_vec());
    let spoil = |path: &str, owner: &str, mode: &str| {
        format!("chown {owner}:{owner} '{path}' && setfacl -bk '{path}' && chmod 0{mode} '{path}'")
    };
    let log = format!("{LOGS}/hls-worker.log");
    let state = format!("{b}/.recording.json");
    let locks = "/var/lock/jitsi-recording-pipeline";
    // (what is done to the host, who runs what, what is said)
    let cases = [
        (
            format!("chown -R jibri:jibri '{a}' && setfacl -Rbk '{a}' && chmod -R g-s,go-w '{a}'"),
            (THE_WORKER, worker.clone()),
            format!(
                "{a} is jibri:jibri 0755, and this is jitsi-recordings with the groups jitsi-recordings: sudo chgrp -R"
            ),
        ),
        (
            spoil(&state, "root", "0600"),
            (THE_WORKER, worker.clone()),
            format!("{state} is root:root 0600, and this is jitsi-recordings"),
        ),
        (
            format!("rm {LOCKS}/* && {}", spoil(LOCKS, "root", "0755")),
            (THE_WORKER, worker.clone()),
            format!("{locks} is root:root 0755, and this is jitsi-recordings"),
        ),
        (
            format!("{} && {}", spoil(LOGS, "root", "0755"), spoil(&log, "root", "0644")),
            (THE_WORKER, worker.clone()),
            format!("{log} is root:root 0644, and this is jitsi-recordings"),
        ),
        (
            spoil(SPOOL, "root", "0700"),
            (THE_WORKER, ["rec-hook", "flush", "--now"].to_vec()),
            format!("{SPOOL} is root:root 0700, and this is jitsi-recordings"),
        ),
        (
            "gpasswd -d jibri jitsi-recordings".to_owned(),
            (JIBRI, finalize.clone()),
            format!(
                "{ENV_FILE} is root:jitsi-recordings 0640, and this is jibri with the groups jibri: sudo usermod -aG"
            ),
        ),
        (
            spoil(RECORDINGS, "root", "0700"),
            (JIBRI, finalize),
            format!("{RECORDINGS} is root:root 0700, and this is jibri with the groups jibri jitsi-recordings: sudo "),
        ),
        (
            spoil(RECORDINGS, "root", "0711"),
            (THE_WORKER, worker),
            format!("{RECORDINGS} is root:root 0711, and this is jitsi-recordings"),
        ),
    ];
    for (spoil, (user, words), wanted) in cases {
        host.sh(User::Root, &spoil).exits(0);
        let out = host.tool(user, "022", &words);
        let message = out.stderr.lines().find(|line| line.contains(&wanted));
        let message = message.unwrap_or_else(|| panic!("{wanted}\nnot in\n{}", out.stderr));
        // A log that cannot be written costs a warning, and all else a person.
        assert!(out.code == Some(1) || message.contains("cannot write the log"), "{}", out.stderr);
        host.sh(User::Root, &remedy(message)).exits(0);
        let mended = host.tool(user, "022", &words);
        assert!(!mended.stderr.contains(&wanted) && mended.code != Some(1), "{spoil}\n{}", mended.stderr);
    }
}

#[test]
fn who_has_joined_the_group_after_its_start_is_told_to_be_started_again() {
    let bench = Bench::new();
    let Some(host) = Host::new(&bench) else { return };
    let ids = host.sh(JIBRI, "id -u; id -g").exits(0).stdout;
    let ids: Vec<u32> = ids.lines().map(|id| id.parse().unwrap()).collect();
    let since_before = User::Numbers(ids[0], ids[1], "");
    let out = host.tool(since_before, "022", &[FINALIZE, "/srv/recordings/room"]).exits(1);
    let said = "jibri has joined jitsi-recordings since it was started: restart what runs this";
    assert!(out.stderr.contains(said), "{}", out.stderr);
}

#[test]
fn a_room_that_finalize_cannot_share_is_warned_of_with_the_command() {
    let bench = Bench::new();
    let Some(host) = Host::new(&bench) else { return };
    let dir = host.record(User::Root, "022", "room", &media::clip(Clip::Jibri));
    host.sh(User::Root, &format!("setfacl -Rbk {dir} && chgrp -R jibri {dir} && chmod 2775 {dir}")).exits(0);
    let out = host.tool(JIBRI, "022", &[FINALIZE, &dir]).exits(0);
    let wanted =
        format!("WARNING: {dir} is not its group's: jitsi-hls-worker cannot write there: sudo chgrp -R {WORKER} {dir}");
    let message = out.messages().into_iter().find(|line| line.starts_with(&wanted));
    let message = message.unwrap_or_else(|| panic!("{}", out.stderr));
    host.tool(THE_WORKER, "022", &[HLS_WORKER]).exits(1);
    host.sh(User::Root, &remedy(&message)).exits(0);
    host.tool(THE_WORKER, "022", &[HLS_WORKER]).exits(0);
    assert_eq!(bench.only_row().status().unwrap(), "published");
}
