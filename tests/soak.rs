//! Webhooks through a receiver that fails half its calls at random, and drainers that die at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use crate::outbox::{SECRET, body_of};
use crate::receivers::Receiver;
use crate::{Bench, files_below, run};

/// What a run came to, in which everything arrived.
#[derive(Debug)]
pub struct Figures {
    ids: usize,
    deliveries: usize,
    requests: usize,
    killed: usize,
    flushes: usize,
    took: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ids, deliveries, requests, killed, flushes, took } = self;
        let seconds = took.as_secs_f64();
        write!(
            f,
            "{ids} distinct ids arrived, each with the body that was put in, by {deliveries} deliveries in {requests} requests; \
             {killed} of {flushes} flushes killed; {seconds:.0} s"
        )
    }
}

/// Puts events in one after the other, flushes after each, and kills a share of the flushes while they work; until all have
/// arrived. Asserts that they did: each under one id of its own, unaltered, in order, and nothing is left.
#[track_caller]
pub fn soak(events: usize, kills: usize, seed: u64) -> Figures {
    let begun = Instant::now();
    let mut bench = Bench::new();
    let receiver = Receiver::reflector(SECRET);
    receiver.know_room("Room-1");
    bench.tell("reflector", &receiver.url());
    receiver.fail_at_random(0.5, seed);
    let mut dice = fastrand::Rng::with_seed(seed);
    let (mut sent, mut killed, mut flushes) = (0, 0, 0);
    // What a flush takes that is left alone, on this machine, as it is now.
    let mut usual = Duration::from_millis(20);
    while sent < events || killed < kills || !bench.queued("reflector").is_empty() {
        if sent < events {
            let out = bench.send("reflector", &body_of("Room-1", sent));
            assert!([Some(0), Some(75)].contains(&out.code), "{out:?}");
            sent += 1;
        }
        flushes += 1;
        assert!(flushes < 100 * (events + kills), "{flushes} flushes");
        let mut flush = bench.command("rec-hook");
        flush.args(["flush", "--now", "--quiet"]);
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = (kills - killed) as f64 / (events + 1 - sent) as f64;
        if killed < kills && dice.f64() < share {
            let mut child = flush.spawn().unwrap();
            std::thread::sleep(usual.mul_f64(dice.f64()));
            child.kill().unwrap();
            // It may have been faster.
            killed += usize::from(child.wait().unwrap().signal() == Some(9));
        } else {
            let out = run(&mut flush);
            assert!([Some(0), Some(75)].contains(&out.code), "{out:?}");
            usual = (usual * 3 + out.took) / 4;
        }
    }
    let (taken, requests) = (receiver.taken(), receiver.got().len());
    let mut bodies: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let mut order = Vec::new();
    for got in &taken {
        if bodies.entry(got.id()).or_default().insert(got.request.raw_body.clone()) {
            order.push(got.request.raw_body.clone());
        }
    }
    assert_eq!(killed, kills);
    assert_eq!(bodies.len(), events, "distinct ids");
    assert!(bodies.values().all(|bodies| bodies.len() == 1), "an id stands for one body");
    let wanted: Vec<_> = (0..events).map(|number| body_of("Room-1", number).into_bytes()).collect();
    assert!(order == wanted, "unaltered, and in order");
    assert!(bench.dead("reflector").is_empty());
    // Of the killed ones the last may have left something, which a run sweeps away that delivers.
    receiver.recover();
    bench.send("reflector", &body_of("Room-1", events)).exits(0);
    assert!(bench.litter("reflector").is_empty(), "{:?}", bench.litter("reflector"));
    for path in files_below(bench.dir()).into_iter().filter(|path| *path != bench.env_file()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()), "{}", path.display());
    }
    Figures { ids: bodies.len(), deliveries: taken.len(), requests, killed, flushes, took: begun.elapsed() }
}
