//! Sudden death at every step of putting an event in and of delivering it: it arrives, unaltered, under one id, and nothing is
//! left behind.

use std::collections::BTreeSet;

use pipeline_tests::outbox::{body_of, feed, reflector};
use pipeline_tests::processes::{can_trace, killed_before};
use pipeline_tests::receivers::{Failure, Receiver};
use pipeline_tests::{Bench, each_at_once, run};

/// The system calls that change something, on the disk or at the receiver, and the end: it is killed before each of them.
const STEPS: [&str; 17] = [
    "mkdir",
    "write",
    "writev",
    "ftruncate",
    "fchmod",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "flock",
    "connect",
    "sendto",
    "recvfrom",
    "exit_group",
];

/// Does something with a fresh body for each step, that says whether it was killed; how often it was.
fn at_every_step(and_opens: bool, mut act: impl FnMut(&str, usize, &str) -> bool) -> usize {
    let mut kills = 0;
    // Opening a file may make it.
    for call in STEPS.into_iter().chain(and_opens.then_some("openat")) {
        let mut nth = 1;
        while act(call, nth, &body_of("Room-1", kills)) {
            kills += 1;
            nth += 1;
            assert!(nth < 500, "{call}");
        }
    }
    kills
}

/// Asserts that everything taken since the last time is this body, under one id.
#[track_caller]
fn assert_arrived(bench: &Bench, receiver: &Receiver, body: &str, at: &str) {
    let taken = receiver.taken();
    let ids: BTreeSet<_> = taken.iter().map(pipeline_tests::receivers::Got::id).collect();
    assert_eq!(ids.len(), 1, "{at}: {:?} {:?}", receiver.got(), bench.litter("reflector"));
    assert!(receiver.got().iter().all(|got| got.request.raw_body == body.as_bytes()), "{at}: {:?}", receiver.got());
    assert!(bench.litter("reflector").is_empty(), "{at}: {:?}", bench.litter("reflector"));
    receiver.forget();
}

#[test]
fn a_send_killed_at_any_step_has_either_put_the_event_in_or_not() {
    if !can_trace() {
        return;
    }
    let (bench, receiver) = reflector();
    let mut send = bench.command("rec-hook");
    send.args(["send", "reflector", "-"]);
    let mut lost = 0;
    let kills = at_every_step(true, |call, nth, body| {
        let killed = feed(&mut killed_before(&send, call, nth), body.as_bytes()).code.is_none();
        let at = format!("{call} {nth}");
        bench.hook(["flush", "--now"]).exits(0);
        if receiver.taken().is_empty() {
            assert!(killed, "{at}");
            assert!(bench.queued("reflector").is_empty() && bench.dead("reflector").is_empty(), "{at}");
            lost += 1;
            // Whoever sent it knows nothing of it either, and sends it again.
            bench.send("reflector", body).exits(0);
        }
        assert_arrived(&bench, &receiver, body, &at);
        killed
    });
    assert!(kills > 30 && lost > 0 && lost < kills, "{kills} kills, {lost} before the event was there");
}

#[test]
fn a_flush_killed_at_any_step_delivers_at_the_next_whatever_the_receiver_said() {
    if !can_trace() {
        return;
    }
    let fates = [
        ("taken", None),
        ("taken, and not heard", Some(Failure::CloseAfter)),
        ("failed", Some(Failure::Status(500))),
        ("no room", Some(Failure::Status(404))),
        ("refused", Some(Failure::Status(422))),
        ("gone", Some(Failure::Status(410))),
    ];
    each_at_once(fates, |failure| {
        let (bench, receiver) = reflector();
        let mut flush = bench.command("rec-hook");
        flush.args(["flush", "--now"]);
        let kills = at_every_step(false, |call, nth, body| {
            let at = format!("{failure:?}, {call} {nth}");
            receiver.fail(Failure::Status(500));
            bench.send("reflector", body).exits(75);
            receiver.fail_always(failure.clone().unwrap_or(Failure::Slow(std::time::Duration::ZERO)));
            let killed = run(&mut killed_before(&flush, call, nth)).code.is_none();
            receiver.recover();
            let (waiting, dead) = (bench.queued("reflector"), bench.dead("reflector"));
            let here = waiting.len() + dead.len();
            assert!(here == 1 || here == 0 && !receiver.taken().is_empty(), "{at}: {waiting:?} {dead:?}");
            assert!(waiting.iter().chain(&dead).all(|event| event.body == body.as_bytes()), "{at}");
            assert!(dead.iter().all(|event| event.tried.is_some()), "{at}: dead, and nobody knows why");
            if failure == Some(Failure::Status(410)) || !dead.is_empty() {
                bench.hook(["retry", "--all", "reflector"]);
            }
            bench.hook(["flush", "--now"]).exits(0);
            assert_arrived(&bench, &receiver, body, &at);
            killed
        });
        assert!(kills > 10, "{kills} kills");
    });
}

#[test]
fn a_retry_or_a_drop_killed_at_any_step_can_be_done_again() {
    if !can_trace() {
        return;
    }
    each_at_once([("retry", "retry"), ("drop", "drop")], |word| {
        let (bench, receiver) = reflector();
        let kills = at_every_step(false, |call, nth, body| {
            let at = format!("{word}: {call} {nth}");
            receiver.fail(Failure::Status(422));
            bench.send("reflector", body).exits(65);
            let id = bench.dead("reflector")[0].id.clone();
            let mut command = bench.command("rec-hook");
            command.args([word, &id]);
            let killed = run(&mut killed_before(&command, call, nth)).code.is_none();
            let here = bench.queued("reflector").len() + bench.dead("reflector").len();
            if word == "drop" {
                assert!(here == 1 || here == 0, "{at}");
                if here == 1 {
                    bench.hook(["drop", &id]).exits(0);
                }
                bench.hook(["flush", "--now"]).exits(0);
                assert!(receiver.taken().is_empty() && bench.queued("reflector").is_empty(), "{at}");
                receiver.forget();
                return killed;
            }
            assert!(here == 1 || !receiver.taken().is_empty(), "{at}");
            if !bench.dead("reflector").is_empty() {
                bench.hook(["retry", &id]);
            }
            bench.hook(["flush", "--now"]).exits(0);
            assert_arrived(&bench, &receiver, body, &at);
            killed
        });
        assert!(kills > 4, "{kills} kills");
    });
}
