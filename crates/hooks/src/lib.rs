//! Signed webhooks: who is told what of a recording, and how it is seen to that it arrives.
//!
//! An [`event::Event`] becomes a body in the form of its destination ([`profile`]) and is put into that destination's
//! directory of the [`outbox`], where it stays as it is. [`drain`] takes the events out in their order: it signs ([`sign`])
//! and posts (`wire`) one, and [`verdict`] says what follows from the answer. Nothing is signed before it is sent, so that a
//! secret that is missing or was changed loses nothing.

pub mod drain;
pub mod event;
pub mod outbox;
pub mod profile;
pub mod secret;
pub mod sign;
pub mod tell;
pub mod verdict;
mod wire;

pub use drain::Drained;
pub use event::Event;
pub use outbox::{Enqueued, Outbox};
pub use profile::wants;
