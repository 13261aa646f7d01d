//! What is made beside the renditions, in one pass over the MP4's keyframes: a poster, previews, chapters.
//!
//! None of it is worth a recording. What cannot be made is left out, whole, and the reason is told.

mod chapters;
mod jpeg;
mod poster;
mod previews;
mod vtt;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rec_core::config::{Extras, Hls};
use rec_core::lock::Lock;

use crate::ffprobe::beside;
use crate::hls::remove_tree;
use crate::nice::niced;
use crate::probed::Facts;
use crate::run::{self, Ended, Watch};

/// A poster, previews, chapters.
pub(crate) const FILES: [&str; 3] = [poster::FILE, previews::FILE, chapters::FILE];

/// Where they are made, in the directory that is to become the HLS.
const DIR: &str = "extras.tmp";

/// The scan says a line for each picture that it takes, some seconds apart and read from a file. Five minutes without one are a
/// hang.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the scan saw. Times are in milliseconds from the beginning of the film.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// When each preview's picture is from.
    shown: Vec<u64>,
    /// Each keyframe but the first.
    pictures: Vec<Picture>,
    /// Of the line that was read last.
    at: u64,
}

/// A keyframe.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Picture {
    at: u64,
    /// Which part of it is not as it was in the keyframe before, 0 to 1.
    changed: f64,
}

/// Makes what is wanted in `cwd`, of the MP4 `name` in the directory above it. Says what could not be made, a sentence each.
pub(crate) fn make(
    cwd: &Path,
    name: &OsStr,
    facts: &Facts,
    settings: &Hls,
    lock: &Lock,
    stop: &AtomicBool,
) -> Vec<String> {
    let (wanted, nice) = (settings.extras, settings.nice);
    let all = [(poster::FILE, wanted.poster), (previews::FILE, wanted.previews), (chapters::FILE, wanted.chapters)];
    let wanted_files: Vec<_> = all.into_iter().filter_map(|(file, wanted)| wanted.then_some(file)).collect();
    if wanted_files.is_empty() || facts.video.is_none() {
        return Vec::new();
    }
    let end = milliseconds(facts.duration);
    let mut missing = Vec::new();
    let limit = run::limit(facts.duration, settings.time_factor);
    let watch = Watch { limit: Some(limit), ..Watch::new(stop, PATIENCE) };
    match scan(command(cwd, name, end, wanted, nice), cwd, lock, &watch) {
        // Nothing of this directory will be left.
        _ if stop.load(Ordering::Relaxed) => {}
        Err(error) => missing.push(format!("no {}: {error:#}", wanted_files.join(", no "))),
        Ok(seen) => {
            for file in wanted_files {
                let put = match file {
                    poster::FILE => poster::put(cwd),
                    previews::FILE => previews::put(cwd, &seen.shown, end),
                    _ => chapters::put(cwd, &seen.pictures, end),
                };
                if let Err(error) = put {
                    missing.push(format!("no {file}: {error:#}"));
                }
            }
        }
    }
    if let Err(error) = remove_tree(&cwd.join(DIR)) {
        missing.push(format!("{DIR} is left there: {error}"));
    }
    missing
}

/// Reads the keyframes once.
fn scan(mut command: Command, cwd: &Path, lock: &Lock, watch: &Watch<'_>) -> Result<Seen> {
    let dir = cwd.join(DIR);
    remove_tree(&dir).and_then(|()| fs::create_dir(&dir)).with_context(|| format!("make {DIR}"))?;
    let mut seen = Seen::default();
    let ended = run_within(command.stdin(lock.as_stdin()?), watch, |line| seen.line(line))?;
    // A word about a picture that could not be decoded whole is no reason to have none.
    if !ended.is_success() {
        bail!("ffmpeg: {}", ended.reason());
    }
    Ok(seen)
}

fn run_within(command: &mut Command, watch: &Watch<'_>, mut on_line: impl FnMut(&str)) -> Result<Ended> {
    run::run(command, watch, |line| {
        on_line(line);
        true
    })
}

fn command(cwd: &Path, name: &OsStr, end: u64, wanted: Extras, nice: u32) -> Command {
    let chains = [
        wanted.poster.then(|| poster::chain(end)),
        wanted.previews.then(|| previews::chain(end)),
        wanted.chapters.then(chapters::chain),
    ];
    let chains: Vec<Chain> = chains.into_iter().flatten().collect();
    let inputs: Vec<_> = (0..chains.len()).map(|number| format!("[in{number}]")).collect();
    let mut graph = vec![format!("[0:V:0]split={}{}", chains.len(), inputs.concat())];
    graph.extend(chains.iter().zip(0..).map(|(chain, number)| format!("[in{number}]{}[out{number}]", chain.filters)));
    let mut command = niced(nice);
    command.current_dir(cwd);
    command.args(["-hide_banner", "-nostats", "-loglevel", "repeat+error"]);
    // Its stdin is the lock.
    command.arg("-nostdin");
    // Nothing but keyframes is decoded.
    command.args(["-threads", "1", "-skip_frame", "nokey"]);
    command.args(["-protocol_whitelist", "file", "-f", "mov"]).arg("-i").arg(beside(name));
    command.args(["-filter_complex_threads", "1", "-filter_complex", &graph.join(";")]);
    for (number, chain) in chains.iter().enumerate() {
        command.args(["-map", &format!("[out{number}]")]);
        // Each picture once, however far apart they are.
        command.args(["-fps_mode", "passthrough", "-threads", "1"]).args(&chain.output);
    }
    command
}

/// What the scan does for one of the extras.
struct Chain {
    /// From the keyframes to the pictures of the output.
    filters: String,
    /// The output's options, and its name.
    output: Vec<String>,
}

impl Chain {
    fn new(filters: String, output: &str) -> Self {
        Self { filters, output: output.split(' ').map(str::to_owned).collect() }
    }
}

/// A filter that lets the first keyframe of each stretch of so many milliseconds pass.
fn first_of_each(stretch: u64) -> String {
    let number = |time: &str| format!("floor({time}*1000/{stretch})");
    format!("select='isnan(prev_selected_t)+gt({},{})'", number("t"), number("prev_selected_t"))
}

/// Filters that say a picture's time, and then `key` and its value.
fn say(key: &str) -> String {
    // At once, so that what two of these say does not run into each other, and that we see that it goes on.
    format!("settb=1/1000,metadata=print:key={key}:file=-:direct=1")
}

/// Filters that say a picture's time, and then that it is a `what`.
fn mark(what: &str) -> String {
    format!("metadata=add:key={what}:value=1,{}", say(what))
}

impl Seen {
    /// Takes a line that the scan says.
    fn line(&mut self, line: &str) {
        if line.starts_with("frame:") {
            let pts = line.split_whitespace().find_map(|word| word.strip_prefix("pts:"));
            self.at = pts.and_then(|pts| pts.parse().ok()).unwrap_or(0);
        } else if line == "preview=1" {
            self.shown.push(self.at);
        } else if let Some(changed) = line.strip_prefix("lavfi.signalstats.YAVG=").and_then(|text| text.parse().ok()) {
            let changed: f64 = changed;
            self.pictures.push(Picture { at: self.at, changed: changed / 255.0 });
        }
    }
}

/// Has a file that was made in [`DIR`] last, and moves it to its place.
fn keep(cwd: &Path, name: &str) -> Result<()> {
    let made = cwd.join(DIR).join(name);
    File::open(&made)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&made, cwd.join(name)))
        .with_context(|| format!("keep {name}"))
}

/// Writes a text to where [`keep`] finds it.
fn write(cwd: &Path, name: &str, text: &str) -> Result<()> {
    fs::write(cwd.join(DIR).join(name), text).with_context(|| format!("write {name}"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length: not negative, far below 2^52")]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_an_option_a_protocol_or_a_pattern() {
        let wanted = Extras { poster: true, previews: true, chapters: true };
        for name in ["-y.mp4", "http:x.mp4", "a%03d.mp4", "concat:a|b.mp4"] {
            let command = command(Path::new("/r/room/v0.tmp"), OsStr::new(name), 60_000, wanted, 0);
            let args: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
            assert!(args.join(" ").contains(&format!("-protocol_whitelist file -f mov -i file:../{name} ")));
        }
    }

    #[test]
    fn only_what_is_wanted_is_made() {
        for (poster, previews, chapters) in [(true, false, false), (false, true, false), (false, false, true)] {
            let wanted = Extras { poster, previews, chapters };
            let command = command(Path::new("/"), OsStr::new("a.mp4"), 60_000, wanted, 0);
            let args: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
            let args = args.join(" ");
            assert_eq!((args.contains("poster"), args.contains("previews_")), (poster, previews), "{args}");
            assert_eq!(args.contains("tblend"), chapters, "{args}");
        }
    }

    #[test]
    fn what_the_scan_says_is_read() {
        let mut seen = Seen::default();
        let lines = [
            "frame:0    pts:0       pts_time:0",
            "preview=1",
            "frame:0    pts:8333    pts_time:8.333",
            "lavfi.signalstats.YAVG=51",
            "frame:1    pts:8333    pts_time:8.333",
            "preview=1",
            "frame:1    pts:8333    pts_time:8.333",
            "poster=1",
        ];
        for line in lines {
            seen.line(line);
        }
        assert_eq!(seen.shown, [0, 8333]);
        assert_eq!(seen.pictures, [Picture { at: 8333, changed: 0.2 }]);
    }
}
