//! What must hold of everything that reads bytes which we did not write: one function for each reader, which any bytes are given
//! to and which panics where a promise is broken. `cargo test` gives them what is in `tests/fuzz/corpus`, and random changes of
//! that; `make fuzz` gives them what libFuzzer comes up with.

#![allow(clippy::missing_panics_doc, reason = "that is what they are for")]

mod files;
mod media;
mod notion;
mod settings;

// The worker and rec-check are programs, so their readers are compiled in here once more.
#[path = "../../../crates/rec-check/src/hocon.rs"]
mod hocon;
#[path = "../../../crates/jitsi-hls-worker/src/probed.rs"]
mod probed;
#[path = "../../../crates/jitsi-hls-worker/src/recipe.rs"]
#[allow(dead_code, reason = "only what decides is needed")]
mod recipe;
#[path = "../../../crates/jitsi-hls-worker/src/samples.rs"]
mod samples;
#[path = "../../../crates/jitsi-hls-worker/src/ts.rs"]
#[allow(dead_code, reason = "here the packets are in no file")]
mod ts;

pub use media::Counted;

/// A reader, and what must hold of it.
pub type Target = fn(&[u8]);

/// Each of them, by the name of its corpus.
pub const TARGETS: [(&str, Target); 10] = [
    ("env", settings::env),
    ("ffprobe", media::ffprobe),
    ("hocon", settings::hocon),
    ("metadata", files::metadata),
    ("mp4", media::mp4),
    ("notion", notion::reply),
    ("notion_id", files::notion_id),
    ("playlist", files::playlist),
    ("state", files::state),
    ("ts", media::ts),
];

/// Gives bytes to a reader by its name.
pub fn feed(target: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, function) = found.unwrap_or_else(|| panic!("there is no target {target}"));
    function(bytes);
}

/// Asserts that a text is one line that a log can hold.
fn assert_one_line(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
}
