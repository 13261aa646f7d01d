//! The outbox on disk: full, damaged, huge, under two drainers and a clock that jumps.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use pipeline_tests::disk::SmallDisk;
use pipeline_tests::jibri::{give, room_of_user, run_as_user};
use pipeline_tests::outbox::{Queued, SECRET, body_of, feed, lying_in, reflector};
use pipeline_tests::processes::{can_trace, start, traced};
use pipeline_tests::receivers::{Failure, Got, Receiver};
use pipeline_tests::{Bench, files_below, run};

/// Puts so many events in, none of which arrives.
fn enqueue(bench: &Bench, receiver: &Receiver, count: usize) {
    receiver.fail_always(Failure::Status(500));
    for number in 0..count {
        bench.send("reflector", &body_of("Room-1", number)).exits(75);
    }
    receiver.recover();
    receiver.forget();
}

/// Their bodies, each once, in the order in which they were first taken.
fn order(receiver: &Receiver) -> Vec<Vec<u8>> {
    let mut seen = BTreeSet::new();
    let bodies = receiver.taken().into_iter().map(|got| got.request.raw_body);
    bodies.filter(|body| seen.insert(body.clone())).collect()
}

fn bodies(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| body_of("Room-1", number).into_bytes()).collect()
}

/// Moves an event of the queue to another number.
fn renumber(event: &Queued, number: &str) {
    for end in ["event", "try"] {
        let from = event.path.with_extension(end);
        if from.exists() {
            fs::rename(from, event.path.with_file_name(format!("{number}-{}.{end}", event.id))).unwrap();
        }
    }
}

#[test]
fn events_arrive_in_the_order_in_which_they_came_whatever_fails_between() {
    let (bench, receiver) = reflector();
    enqueue(&bench, &receiver, 25);
    for seed in [1, 2] {
        receiver.fail_at_random(0.5, seed);
        for _ in 0..400 {
            if bench.hook(["flush", "--now"]).code == Some(0) {
                break;
            }
        }
        assert_eq!(order(&receiver), bodies(25), "seed {seed}");
        assert_eq!(receiver.most_at_once(), 1);
        assert!(bench.litter("reflector").is_empty());
        receiver.recover();
        enqueue(&bench, &receiver, 25);
    }
}

#[test]
fn two_drainers_at_once_are_one_at_the_receiver() {
    let (bench, receiver) = reflector();
    enqueue(&bench, &receiver, 12);
    receiver.fail_always(Failure::Slow(Duration::from_millis(30)));
    let flush = || start(bench.command("rec-hook").args(["flush", "--now"]));
    let mut drainers = vec![flush(), flush(), flush()];
    // And somebody puts more in meanwhile.
    for number in 12..16 {
        let out = bench.send("reflector", &body_of("Room-1", number));
        assert!([Some(0), Some(75)].contains(&out.code), "{out:?}");
    }
    drainers.push(flush());
    for drainer in drainers {
        let out = drainer.end();
        assert!([Some(0), Some(75)].contains(&out.code), "{out:?}");
    }
    bench.hook(["flush", "--now"]).exits(0);
    assert_eq!(receiver.most_at_once(), 1);
    assert_eq!(receiver.taken().len(), 16, "each once");
    assert_eq!(order(&receiver), bodies(16));
    assert!(bench.litter("reflector").is_empty());
}

#[test]
fn many_who_put_in_at_once_lose_nothing() {
    let (bench, receiver) = reflector();
    std::thread::scope(|scope| {
        for number in 0..12 {
            let bench = &bench;
            scope.spawn(move || bench.send("reflector", &body_of("Room-1", number)));
        }
    });
    bench.hook(["flush", "--now"]).exits(0);
    let taken: BTreeSet<_> = order(&receiver).into_iter().collect();
    assert_eq!(taken, bodies(12).into_iter().collect());
    assert_eq!((receiver.most_at_once(), receiver.taken().len()), (1, 12));
}

#[test]
fn a_destination_that_is_down_keeps_no_other_waiting() {
    let (mut bench, receiver) = reflector();
    let standard = Receiver::standard(SECRET);
    bench.tell("standard", &standard.endpoint());
    receiver.fail_always(Failure::Status(500));
    bench.send("reflector", &body_of("Room-1", 1)).exits(75);
    bench.send("standard", r#"{"type":"recording.published"}"#).exits(0);
    bench.hook(["flush", "--now"]).exits(75);
    assert_eq!((standard.taken().len(), receiver.taken().len()), (1, 0));
}

#[test]
fn a_clock_that_was_a_century_ahead_delays_nothing_and_changes_no_order() {
    let (bench, receiver) = reflector();
    enqueue(&bench, &receiver, 3);
    let queued = bench.queued("reflector");
    // Their numbers and times are of 2126, as a host without a battery wrote them.
    for (event, at) in queued.iter().zip(0..) {
        renumber(event, &format!("{:020}", 4_922_640_000_000_000_000_u64 + at));
    }
    for event in bench.queued("reflector") {
        let Some(mut tried) = event.tried else { continue };
        tried["due"] = "2126-01-01T00:00:05Z".into();
        tried["last"] = "2126-01-01T00:00:00Z".into();
        fs::write(event.path.with_extension("try"), tried.to_string()).unwrap();
    }
    receiver.fail_always(Failure::Status(500));
    let out = bench.send("reflector", &body_of("Room-1", 3));
    assert!(out.code == Some(75) && bench.queued("reflector").len() == 4, "{out:?}");
    assert_eq!(bench.queued("reflector")[3].body, body_of("Room-1", 3).as_bytes(), "what came last is last");
    receiver.recover();
    bench.hook(["flush", "--now"]).exits(0);
    assert_eq!(order(&receiver), bodies(4));
}

#[test]
fn a_due_time_that_no_pause_leads_to_is_now() {
    let (bench, receiver) = reflector();
    enqueue(&bench, &receiver, 1);
    let event = bench.queued("reflector").remove(0);
    let mut tried = event.tried.unwrap();
    tried["due"] = "2126-01-01T00:00:05Z".into();
    fs::write(event.path.with_extension("try"), tried.to_string()).unwrap();
    bench.hook(["flush"]).exits(0);
    assert_eq!(receiver.taken().len(), 1);
}

#[test]
fn a_note_of_tries_that_is_lost_or_damaged_costs_a_try_and_no_event() {
    for text in [None, Some(""), Some("{\"tries\":"), Some("\0\0\0\0"), Some("[]")] {
        let (bench, receiver) = reflector();
        enqueue(&bench, &receiver, 1);
        let note = bench.queued("reflector")[0].path.with_extension("try");
        match text {
            None => fs::remove_file(note).unwrap(),
            Some(text) => fs::write(note, text).unwrap(),
        }
        bench.hook(["flush"]).exits(0);
        assert_eq!(order(&receiver), bodies(1), "{text:?}");
        assert!(bench.litter("reflector").is_empty(), "{:?}", bench.litter("reflector"));
    }
}

#[test]
fn a_damaged_event_is_put_aside_with_the_reason_and_the_others_arrive() {
    for damage in ["", "\n", "{}\n{}", "no JSON\n{}", "{\"id\":\"msg_", "\0\0\0\0\0\0\0\0"] {
        let (bench, receiver) = reflector();
        enqueue(&bench, &receiver, 3);
        let second = bench.queued("reflector").remove(1);
        fs::write(&second.path, damage).unwrap();
        let out = bench.hook(["flush", "--now"]).exits(65);
        assert!(out.stderr.contains(&second.id), "{damage:?}: {}", out.stderr);
        assert_eq!(order(&receiver), [body_of("Room-1", 0).into_bytes(), body_of("Room-1", 2).into_bytes()]);
        let dead = bench.dead("reflector");
        assert_eq!(dead.len(), 1, "{damage:?}");
        assert_eq!(fs::read(&dead[0].path).unwrap(), damage.as_bytes(), "as it was found");
        bench.hook(["ls"]).exits(0);
        bench.hook(["flush"]).exits(0);
        bench.hook(["drop", &second.id]).exits(0);
        assert!(bench.litter("reflector").is_empty(), "{:?}", bench.litter("reflector"));
    }
}

#[test]
fn a_body_that_is_not_what_was_put_in_is_not_sent() {
    // As a bad disk has it, or an editor that adds a newline.
    let cut = |body: &[u8]| body[..body.len() / 2].to_vec();
    let longer = |body: &[u8]| [body, b"\n"].concat();
    let other = |body: &[u8]| [&body[..body.len() - 3], b"!", &body[body.len() - 2..]].concat();
    for damage in [&cut as &dyn Fn(&[u8]) -> Vec<u8>, &longer, &other] {
        let (bench, receiver) = reflector();
        enqueue(&bench, &receiver, 1);
        let event = bench.queued("reflector").remove(0);
        let whole = fs::read(&event.path).unwrap();
        let first_line = &whole[..whole.len() - event.body.len()];
        fs::write(&event.path, [first_line, &damage(&event.body)].concat()).unwrap();
        let out = bench.hook(["flush", "--now"]).exits(65);
        assert!(out.stderr.contains("is damaged: its body is not what was put in"), "{}", out.stderr);
        assert_eq!((receiver.connections(), bench.dead("reflector").len()), (0, 1));
        // Put right, it is as good as ever.
        fs::write(&bench.dead("reflector")[0].path, &whole).unwrap();
        bench.hook(["retry", &event.id]).exits(0);
        bench.hook(["flush"]).exits(0);
        assert_eq!(order(&receiver), bodies(1));
    }
}

#[test]
fn an_event_that_this_user_may_not_read_waits_for_one_who_may() {
    use std::os::unix::fs::PermissionsExt as _;
    let (bench, receiver) = reflector();
    if room_of_user(&bench, "daily").is_none() {
        return;
    }
    enqueue(&bench, &receiver, 2);
    let flush = || run_as_user(&bench, "rec-hook", Path::new("flush"));
    give(&bench.spool());
    give(&bench.dir().join("log"));
    // As root's tools leave it, with a umask that root often has.
    let first = bench.queued("reflector").remove(0);
    fs::remove_file(first.path.with_extension("try")).unwrap();
    let ours = fs::read(&first.path).unwrap();
    fs::remove_file(&first.path).unwrap();
    fs::write(&first.path, ours).unwrap();
    fs::set_permissions(&first.path, fs::Permissions::from_mode(0o000)).unwrap();
    let out = flush().exits(1);
    let named = |line: &String| line.starts_with("ERROR: webhook to=reflector: read ") && line.contains(&first.id);
    assert!(out.messages().iter().any(named), "{}", out.stderr);
    assert!(out.stderr.contains(" 0000, and this is ") && out.stderr.contains(": sudo ch"), "{}", out.stderr);
    assert_eq!((bench.dead("reflector").len(), receiver.connections()), (0, 0));
    give(&bench.spool());
    fs::set_permissions(&first.path, fs::Permissions::from_mode(0o640)).unwrap();
    flush();
    bench.hook(["flush", "--now"]).exits(0);
    assert_eq!(order(&receiver), bodies(2));
}

#[test]
fn what_is_not_of_the_outbox_is_named_and_left_alone() {
    let (bench, receiver) = reflector();
    enqueue(&bench, &receiver, 1);
    let queue = bench.spool().join("reflector/queue");
    fs::write(queue.join("README"), "mine").unwrap();
    fs::create_dir(queue.join("00000000000000000001-msg_x.event")).unwrap();
    fs::write(bench.spool().join("note"), "mine").unwrap();
    let out = bench.hook(["flush", "--now"]).exits(0);
    let named = |name: &str| out.messages().iter().any(|line| line.starts_with("WARNING: ") && line.contains(name));
    assert!(named("README") && named("msg_x.event"), "{}", out.stderr);
    assert_eq!(receiver.taken().len(), 1);
    assert!(queue.join("README").exists() && bench.spool().join("note").exists());
}

#[test]
#[ignore = "make test-long"]
fn ten_thousand_events_wait_without_a_connection_each_and_arrive_in_order() {
    let (mut bench, receiver) = reflector();
    // What a disk takes to keep so many removals is no matter of this test, so that it is in memory where there is such a place.
    let memory = Some(Path::new("/dev/shm")).filter(|dir| dir.is_dir());
    let spool = tempfile::tempdir_in(memory.unwrap_or(bench.dir())).unwrap();
    bench.set("SPOOL_DIR", spool.path().to_str().unwrap().to_owned());
    enqueue(&bench, &receiver, 1);
    let queue = spool.path().join("reflector/queue");
    let first = lying_in(&queue).remove(0);
    let text = String::from_utf8(fs::read(&first.path).unwrap()).unwrap();
    let (head, body) = text.split_once('\n').unwrap();
    let mut head: serde_json::Value = serde_json::from_str(head).unwrap();
    // It belongs to the one body.
    head.as_object_mut().unwrap().remove("sha256").unwrap();
    let count = 10_000;
    // As so many calls of finalize leave them: other numbers and ids, and bodies of their own.
    for number in 1..count {
        let id = format!("msg_{number:032x}");
        head["id"] = id.clone().into();
        let text = format!("{head}\n{}", body.replace("/recordings/0/", &format!("/recordings/{number}/")));
        fs::write(
            first.path.with_file_name(format!("{:020}-{id}.event", 4_000_000_000_000_000_000_u64 + number)),
            text,
        )
        .unwrap();
    }
    receiver.fail_always(Failure::Status(500));
    bench.hook(["flush", "--now"]).exits(75);
    assert_eq!(receiver.got().len(), 1, "one failure stops them all");
    let listed = bench.hook(["ls"]).exits(0);
    assert!(listed.stdout.lines().count() >= 10_000, "{}", listed.stdout.lines().count());
    receiver.recover();
    receiver.forget();
    bench.hook(["flush", "--now", "--quiet"]).exits(0);
    assert!(order(&receiver) == bodies(10_000), "{} arrived", receiver.taken().len());
    assert!(files_below(&queue).is_empty());
}

#[test]
fn on_a_full_disk_the_event_is_refused_aloud_and_what_waits_still_arrives() {
    let (mut bench, receiver) = reflector();
    bench.set("SPOOL_DIR", bench.recordings().join("spool").to_str().unwrap().to_owned());
    let Some(disk) = SmallDisk::mount(&bench, 2_000) else { return };
    let queue = || lying_in(&disk.recordings().join("spool/reflector/queue"));
    let send = |body: &str| feed(disk.command("rec-hook").args(["send", "reflector", "-"]), body.as_bytes());
    let flush = || run(disk.command("rec-hook").args(["flush", "--now"]));
    receiver.fail(Failure::Status(500));
    send(&body_of("Room-1", 0)).exits(75);
    disk.fill(0);
    let out = send(&body_of("Room-1", 1));
    assert!(![Some(0), Some(75)].contains(&out.code), "who is told so thinks that it was kept: {out:?}");
    assert!(out.stderr.contains("No space left on device") && out.stderr.contains("spool"), "{}", out.stderr);
    assert_eq!(queue().len(), 1);
    // A try that cannot be noted is no reason to lose the event.
    receiver.fail(Failure::Status(500));
    flush();
    assert_eq!(queue().len(), 1);
    // A good one needs no room.
    flush().exits(0);
    assert_eq!(order(&receiver), bodies(1));
    disk.free();
    send(&body_of("Room-1", 1)).exits(0);
    assert_eq!(order(&receiver), bodies(2));
    let left = files_below(&disk.recordings().join("spool"));
    assert!(left.iter().all(|path| path.to_str().unwrap().ends_with("lock")), "{left:?}");
}

#[test]
fn an_empty_spool_is_looked_at_without_a_connection_or_a_thread() {
    if !can_trace() {
        return;
    }
    let (bench, receiver) = reflector();
    bench.send("reflector", &body_of("Room-1", 0)).exits(0);
    receiver.forget();
    let trace = bench.dir().join("trace");
    let mut flush = bench.command("rec-hook");
    flush.arg("flush");
    let calls = ["-e", "trace=socket,connect,clone,clone3,fork,vfork", "-o"].map(Path::new);
    run(&mut traced(&flush, calls.into_iter().chain([&*trace]))).exits(0);
    assert_eq!(fs::read_to_string(trace).unwrap(), "");
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn a_secret_is_in_no_file_but_its_own_and_in_no_word_that_is_said() {
    let (mut bench, receiver) = reflector();
    bench.set("PUBLIC_URL_AUTH", "user:s3curePassw0rd@");
    let file = bench.dir().join("hook-secret");
    fs::write(&file, "an0ther-s3cret-of-a-file\n").unwrap();
    let standard = Receiver::standard("an0ther-s3cret-of-a-file");
    bench.tell("standard", &standard.endpoint());
    bench.unset("WEBHOOK_STANDARD_SECRET");
    bench.set("WEBHOOK_STANDARD_SECRET_FILE", file.to_str().unwrap().to_owned());
    let room = bench.finalized("Room-1");
    let dir = room.to_str().unwrap();
    let mut said = String::new();
    let mut hook = |args: &[&str]| {
        let out = bench.hook([&["-v"], args].concat());
        said.extend([out.stdout, out.stderr]);
    };
    for status in [500, 422, 401, 404, 410] {
        // Receivers that show people what they got, and what they had wanted.
        receiver.fail(Failure::Says(status, format!("you said {SECRET}")));
        standard.fail(Failure::Says(status, "you said an0ther-s3cret-of-a-file".to_owned()));
        hook(&["send", "reflector", dir]);
        hook(&["send", "standard", dir, "--event", "recorded"]);
        hook(&["ls", "--json"]);
        hook(&["ls", "--dead"]);
        hook(&["flush", "--now", "-n"]);
    }
    for to in ["reflector", "standard"] {
        hook(&["send", to, "--test"]);
        for event in bench.queued(to).iter().chain(&bench.dead(to)) {
            hook(&["show", &event.id]);
        }
    }
    hook(&["retry", "--all"]);
    hook(&["flush", "--now"]);
    assert!(said.contains("you said"), "the answers are shown: {said}");
    let secrets = [SECRET, "an0ther-s3cret-of-a-file", "s3curePassw0rd", &bench.notion.token()];
    for secret in secrets {
        assert!(!said.contains(secret), "{secret}: {said}");
        assert!(receiver.got().iter().chain(&standard.got()).all(|got: &Got| !got.text().contains(secret)));
        for path in files_below(bench.dir()) {
            let bytes = fs::read(&path).unwrap();
            let inside = bytes.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
            assert!(!inside || path == bench.env_file() || path == file, "{secret}: {}", path.display());
        }
    }
}

#[test]
fn what_lies_in_the_spool_is_for_its_user_and_group_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (bench, receiver) = reflector();
    enqueue(&bench, &receiver, 1);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    for dir in ["", "reflector", "reflector/queue"] {
        assert_eq!(mode(&bench.spool().join(dir)), 0o750, "{dir}");
    }
    // The locks are empty, and whoever cannot get at them cannot hold them.
    for file in files_below(&bench.spool().join("reflector/queue")) {
        assert_eq!(mode(&file) & 0o137, 0, "{}: {:o}", file.display(), mode(&file));
    }
}

/// After a power cut there is what was fsynced, and nothing else is promised: not to the sender, and not by the receiver.
#[test]
fn an_event_is_on_the_disk_before_anybody_is_told_and_off_it_before_the_next_is_sent() {
    if !can_trace() {
        return;
    }
    let (bench, receiver) = reflector();
    bench.send("reflector", &body_of("Room-1", 0)).exits(0);
    let trace = bench.dir().join("trace");
    let mut send = bench.command("rec-hook");
    send.args(["send", "reflector", "-"]);
    let calls = ["-y", "-e", "trace=fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,connect", "-o"];
    let mut traced = traced(&send, calls.map(Path::new).into_iter().chain([&*trace]));
    feed(&mut traced, body_of("Room-1", 1).as_bytes()).exits(0);
    assert_eq!(receiver.taken().len(), 2);
    let trace = fs::read_to_string(trace).unwrap();
    let steps = [
        ("sync(", ".event.tmp>"),
        ("rename", ".event\""),
        ("sync(", "/reflector/queue>"),
        ("connect(", "sin_port"),
        ("unlink", ".event\""),
        ("sync(", "/reflector/queue>"),
    ];
    let mut lines = trace.lines().filter(|line| !line.contains(" = -1 ") || line.contains("EINPROGRESS"));
    for (call, on) in steps {
        assert!(lines.any(|line| line.contains(call) && line.contains(on)), "no {call} of {on} in its place: {trace}");
    }
}
