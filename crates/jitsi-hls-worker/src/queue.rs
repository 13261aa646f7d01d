//! The order of a run.

use rec_core::glance::Glance;
use rec_core::recording::Room;

/// A room that has work to be done.
pub(crate) struct Waiting<'a> {
    pub(crate) room: &'a Room,
    /// How many recordings it is about.
    pub(crate) recordings: usize,
    /// About how long they play.
    seconds: f64,
}

impl<'a> Waiting<'a> {
    /// For what a glance at a room showed.
    pub(crate) fn of(room: &'a Room, glance: &Glance) -> Self {
        let seconds = glance.mp4s.iter().map(|mp4| mp4.seconds(&room.dir)).sum();
        Self { room, recordings: glance.mp4s.len().max(1), seconds }
    }
}

/// Puts the longest first: begun last, they would keep one core at work and the others waiting. Equals stay as they are.
pub(crate) fn longest_first(waiting: &mut [Waiting<'_>]) {
    waiting.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
}
