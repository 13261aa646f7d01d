//! What a receiver does to a request instead of, or before, answering it.

use std::time::Duration;

/// A way to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An answer of this status, and nothing else has happened.
    Status(u16),
    /// The same with a body of the test's own.
    Says(u16, String),
    /// The same with a header.
    With(u16, &'static str, String),
    /// The connection is closed; nothing has happened.
    Close,
    /// The connection is closed; the application has taken it.
    CloseAfter,
    /// Nothing is answered for as long as the client waits.
    Silence,
    /// An answer of which a byte comes now and then, for as long as the client listens.
    Endless,
    /// These bytes, and the connection is closed.
    Garbage(&'static [u8]),
    /// A good answer of so many bytes.
    Huge(usize),
    /// A good answer, in the middle of which the connection is closed.
    Truncated,
    /// Nothing is wrong but that it takes a while.
    Slow(Duration),
}

/// Failures of a share of the requests, the same ones for the same seed.
#[derive(Debug)]
pub(super) struct Random {
    share: f64,
    dice: fastrand::Rng,
}

impl Random {
    pub(super) fn new(share: f64, seed: u64) -> Self {
        Self { share, dice: fastrand::Rng::with_seed(seed) }
    }

    pub(super) fn next(&mut self) -> Option<Failure> {
        if self.dice.f64() >= self.share {
            return None;
        }
        let kinds = [
            Failure::Status(500),
            Failure::Status(502),
            Failure::With(503, "Retry-After", "1".to_owned()),
            Failure::Status(429),
            Failure::Close,
            Failure::CloseAfter,
            Failure::Truncated,
        ];
        self.dice.choice(kinds)
    }
}
