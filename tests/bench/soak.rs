//! `make soak-hooks`: 1,000 events, or `SOAK_EVENTS`, through a receiver that fails half its calls at random, with 200 drainers
//! killed, or `SOAK_KILLS`. `SOAK_SEED` repeats a run.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it prints its results, and has none where it panics")]

use pipeline_tests::soak::soak;

fn main() {
    let number = |key: &str| {
        let text = std::env::var(key).ok().filter(|text| !text.is_empty())?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{key}={text} is no number")))
    };
    let count = |key: &str, usual: usize| number(key).map_or(usual, |number| usize::try_from(number).unwrap());
    let (events, kills) = (count("SOAK_EVENTS", 1000), count("SOAK_KILLS", 200));
    let seed = number("SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("{events} events, {kills} kills, seed {seed}");
    println!("{}", soak(events, kills, seed));
}
