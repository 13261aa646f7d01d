//! What other people's parsers, and a player in a browser, make of the HLS.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::processes::in_path;
use crate::{npm, skipped};

/// What hls.js saw of the HLS in a directory, once it had played it to its end.
#[derive(Debug)]
pub struct Watched {
    /// The heights of the renditions, in its own order.
    pub levels: Vec<u64>,
    /// The heights that were seen as it was told to change the rendition.
    pub heights: Vec<u64>,
    /// Pictures decoded.
    pub frames: u64,
    /// Bytes of sound decoded.
    pub sound: u64,
    /// How long the player takes it to be.
    pub seconds: f64,
}

/// Asserts that two parsers find nothing wrong with the playlists of each directory.
#[track_caller]
pub fn assert_parsed(dirs: &[PathBuf]) {
    let Some(script) = script("playlists.mjs") else { return };
    let said = node(&script, dirs.iter().map(PathBuf::as_path));
    assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), dirs.len(), "{said}");
}

/// Has hls.js in Chromium play the HLS in each directory: from its beginning, in each rendition, and its last 5 s to the end.
/// None where there is no Chromium or no npm.
#[track_caller]
pub fn watch(dirs: &[PathBuf]) -> Option<Vec<Watched>> {
    let script = script("player.mjs")?;
    let Some(chromium) = ["chromium", "google-chrome"].into_iter().find_map(in_path) else {
        skipped("chromium is not here");
        return None;
    };
    let said = node(&script, [chromium.as_path()].into_iter().chain(dirs.iter().map(PathBuf::as_path)));
    let seen: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |dir: &PathBuf| {
        let seen = seen.iter().find(|seen| OsStr::new(seen["dir"].as_str().unwrap()) == dir).unwrap();
        let numbers = |list: &Value| list.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect();
        Watched {
            levels: numbers(&seen["levels"]),
            heights: numbers(&seen["heights"]),
            frames: seen["frames"].as_u64().unwrap(),
            sound: seen["soundBytes"].as_u64().unwrap(),
            seconds: seen["duration"].as_f64().unwrap(),
        }
    };
    Some(dirs.iter().map(of).collect())
}

/// One of our scripts, with its packages installed.
fn script(name: &str) -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("players");
    match npm::install(&dir) {
        Ok(()) => Some(dir.join(name)),
        Err(reason) => {
            skipped(&format!("{name}: {reason}"));
            None
        }
    }
}

#[track_caller]
fn node<'a>(script: &Path, args: impl Iterator<Item = &'a Path>) -> String {
    let output = Command::new("node").arg(script).args(args).stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {stdout}{stderr}", script.display());
    stdout.into_owned()
}
