//! The ffmpeg command, and its run.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Result;
use rec_core::lock::Lock;

use crate::ffprobe::{Facts, beside};
use crate::run::{Ended, run};

/// The media playlist of the one rendition, as the script names it.
pub(crate) const STREAM: &str = "stream.m3u8";

/// Seconds of a segment.
const SEGMENT: u32 = 6;

/// The picture's height; a lower source keeps its own.
const HEIGHT: u32 = 480;

/// Seconds for which the sound may go on without a picture, at the end.
const STAY: f64 = 0.5;

/// ffmpeg says twice a second how far it is. Five minutes in which that does not change are a hang.
const PATIENCE: Duration = Duration::from_secs(300);

/// The encode of an MP4 in the directory above `cwd` into segments and a playlist in `cwd`.
pub(crate) fn command(cwd: &Path, name: &OsStr, source: &Facts) -> Command {
    let segment = SEGMENT.to_string();
    let mut command = Command::new("ffmpeg");
    command.current_dir(cwd);
    // Level and repetition as words on each line, so that the lines can be counted.
    command.args(["-hide_banner", "-nostats", "-loglevel", "repeat+error"]);
    // Its stdin is the lock.
    command.arg("-nostdin");
    command.args(["-progress", "pipe:1"]);
    // One local file and nothing else: no playlist that calls itself MP4, no reference to another file or host.
    command.args(["-protocol_whitelist", "file", "-f", "mov"]).arg("-i").arg(beside(name));
    if let Some(video) = &source.video {
        command.args(["-map", "0:V:0"]);
        // A picture that ends before the sound stays: ffmpeg cuts, and counts, segments by the picture.
        let missing = video.span.map_or(0.0, |span| source.duration - span.ends);
        let stay =
            if missing > STAY { format!("tpad=stop_mode=clone:stop_duration={missing:.3},") } else { String::new() };
        // Even sizes, because 4:2:0 has a colour sample for each 2x2 pixels; never larger than the source.
        command.args(["-vf", &format!("{stay}scale=-2:'min({HEIGHT},trunc(ih/2)*2)',format=yuv420p")]);
        command.args(["-c:v", "libx264", "-profile:v", "main", "-preset", "veryfast", "-crf", "23"]);
        // A keyframe where each segment is to begin; ffmpeg cuts only there.
        command.args(["-force_key_frames", &format!("expr:gte(t,n_forced*{SEGMENT})")]);
    }
    if source.audio.is_some() {
        // Silence until a sound begins that begins later: a player wants both streams in the first segment.
        command.args(["-map", "0:a:0", "-af", "aresample=async=1:first_pts=0"]);
        command.args(["-c:a", "aac", "-b:a", "128k", "-ac", "2"]);
    }
    // Fixed names, relative to the current directory: ffmpeg would expand a `%` in them.
    command
        .args(["-f", "hls", "-hls_time", &segment, "-hls_playlist_type", "vod", "-hls_list_size", "0"])
        .args(["-hls_segment_filename", "seg_%06d.ts"])
        .arg(STREAM);
    command
}

/// Runs the encode, with the directory's lock as its stdin. `report` hears now and then how many seconds are done: after 16 s,
/// 32 s, 64 s and so on.
pub(crate) fn encode(command: &mut Command, lock: &Lock, stop: &AtomicBool, report: impl Fn(f64)) -> Result<Ended> {
    command.stdin(lock.as_stdin()?);
    let begun = Instant::now();
    let (mut done, mut next_report) = (0.0, Duration::from_secs(16));
    run(command, stop, PATIENCE, |line| {
        let Some(now) = out_time(line) else { return false };
        let progress = now > done;
        done = now;
        if begun.elapsed() > next_report {
            next_report *= 2;
            report(done);
        }
        progress
    })
}

/// Seconds of output that a line of `-progress` tells. `out_time_ms` is in microseconds too, for historical reasons.
fn out_time(line: &str) -> Option<f64> {
    let microseconds: f64 = line.strip_prefix("out_time_us=")?.parse().ok()?;
    Some(microseconds / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffprobe::{Audio, Video};

    fn args(name: &str, source: &Facts) -> String {
        let command = command(Path::new("/r/room/v0.tmp"), OsStr::new(name), source);
        command.get_args().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_name_cannot_become_an_option_a_protocol_or_a_pattern() {
        let source = Facts { video: Some(Video::default()), audio: Some(Audio::default()), ..Facts::default() };
        for name in ["-y.mp4", "http:x.mp4", "a%03d.mp4", "concat:a|b.mp4"] {
            assert!(args(name, &source).contains(&format!("-protocol_whitelist file -f mov -i file:../{name} ")));
        }
    }

    #[test]
    fn only_streams_that_are_there_are_encoded() {
        let (video, audio) = (Some(Video::default()), Some(Audio::default()));
        let silent = args("a.mp4", &Facts { video: video.clone(), ..Facts::default() });
        assert!(silent.contains("-map 0:V:0") && !silent.contains("-c:a"), "{silent}");
        let audio_only = args("a.mp4", &Facts { audio, ..Facts::default() });
        assert!(audio_only.contains("-map 0:a:0") && !audio_only.contains("-c:v"), "{audio_only}");
    }

    #[test]
    fn progress_is_read() {
        assert_eq!(out_time("out_time_us=2500000"), Some(2.5));
        assert_eq!(out_time("out_time_us=N/A"), None);
        assert_eq!(out_time("out_time_ms=2500000"), None);
        assert_eq!(out_time("progress=end"), None);
    }
}
