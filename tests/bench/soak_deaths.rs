//! `make soak`: tools that die 1,000 times, or `SOAK_ROUNDS`, while recordings come and Notion fails. `SOAK_SEED` repeats a
//! run's choices.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::exit,
    reason = "it prints its results, and has none where it panics"
)]

use pipeline_tests::soak_deaths::{Figures, soak};

fn main() {
    let number = |key: &str| {
        let text = std::env::var(key).ok().filter(|text| !text.is_empty())?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{key}={text} is no number")))
    };
    let rounds = number("SOAK_ROUNDS").map_or(1000, |number| usize::try_from(number).unwrap());
    let seed = number("SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("{rounds} kills, seed {seed}");
    let so_far = |figures: &Figures| {
        let (killed, recordings) = (figures.killed(), figures.recordings());
        println!("{killed} kills, {recordings} recordings, {:.0} s", figures.took().as_secs_f64());
    };
    let figures = soak(rounds, seed, so_far);
    println!("{figures}");
    assert!(figures.is_clean(), "make soak ROUNDS={rounds} SEED={seed}");
}
