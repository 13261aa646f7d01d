//! What two or more of the recording tools share.
//!
//! The suite's rules, in short:
//!
//! * **Exit codes** ([`exit::Exit`]): 0 done or nothing to do, 1 failed and a person is needed, 2 usage,
//!   75 try later: nothing is lost and the next worker run goes on.
//! * **Messages** name the object, what went wrong and what to do. Secrets are [`secret::Secret`] and cannot be printed.
//! * **Order** of every step that lasts: write beside, verify, fsync, rename, record ([`durable`]). kill -9 anywhere, and a
//!   rerun ends in the same state.
//!
//! The way of an MP4 through this crate: [`recording`] finds it, [`mp4`] looks at its boxes, [`state`] (or [`adopt`], in a
//! tree that the scripts left) knows what was done for it, [`url`] says where people find it, [`row`] keeps its row in
//! [`notion`].

pub mod access;
pub mod adopt;
pub mod cli;
pub mod config;
pub mod deadline;
pub mod durable;
pub mod envfile;
pub mod exit;
pub mod fault;
pub mod glance;
pub mod hls;
pub mod hold;
pub mod http;
pub mod link;
pub mod lock;
pub mod log;
pub mod metadata;
pub mod mp4;
pub mod notion;
pub mod plan;
pub mod playlist;
pub mod recording;
pub mod row;
pub mod secret;
pub mod share;
pub mod small;
pub mod state;
pub mod text;
pub mod url;
pub mod window;
