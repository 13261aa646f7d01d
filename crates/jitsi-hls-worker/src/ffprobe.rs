//! Asks ffprobe about an MP4, and about the HLS that was made from it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::probed::{Facts, Keyframes, Measure, parse};
use crate::run::{Watch, run};
use crate::{samples, ts};
use rec_core::playlist::Media;

/// ffprobe reads headers of a local file, or as many packets a second as the disk gives: a minute without a line is a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// However much it has to say: in an hour it has read the packets of days.
const LONGEST_LOOK: Duration = Duration::from_secs(3600);

/// Bytes of what it says of streams: ffmpeg knows a thousand of them at most, and each takes some hundreds.
const LONGEST_ANSWER: usize = 4 << 20;

/// `file:` and a path that is no option, no protocol and no pattern, whatever is in the name: seen from a directory beside it.
pub(crate) fn beside(name: &OsStr) -> OsString {
    let mut url = OsString::from("file:../");
    url.push(name);
    url
}

/// `file:` and a name in the current directory.
fn here(name: &OsStr) -> OsString {
    let mut url = OsString::from("file:");
    url.push(name);
    url
}

/// Probes the MP4 `name` in a room's directory.
pub(crate) fn source(room: &Path, name: &OsStr, stop: &AtomicBool) -> Result<Facts> {
    let mut command = ffprobe(room);
    command
        .args(["-f", "mov"])
        .args([
            "-show_entries",
            "format=duration:stream=codec_type,codec_name,profile,pix_fmt,field_order,width,height,r_frame_rate,bit_rate,\
             channels,sample_rate,nb_frames,start_time,duration:stream_disposition=attached_pic:stream_side_data=rotation",
        ])
        .args(["-of", "json"])
        .arg(here(name));
    let mut json = String::new();
    let ended = run(&mut command, &watch(stop), |line| {
        if json.len() < LONGEST_ANSWER {
            json.push_str(line);
        }
        true
    })?;
    let ended = ended.of_the_file()?;
    if !ended.is_success() {
        bail!("ffprobe: {}", ended.reason());
    }
    let bytes = fs::metadata(room.join(name)).context("look at it")?.len();
    parse(&json).context("ffprobe's answer")?.believable(bytes)
}

/// Bounds for a child that only looks.
fn watch(stop: &AtomicBool) -> Watch<'_> {
    Watch { limit: Some(LONGEST_LOOK), ..Watch::new(stop, PATIENCE) }
}

/// When the keyframes of the MP4's picture are shown, in seconds from the beginning of the film, in order. None where a copy of
/// it cannot be cut at them.
pub(crate) fn keyframes(room: &Path, name: &OsStr, film: f64, stop: &AtomicBool) -> Result<Vec<f64>> {
    if let Some(pictures) =
        samples::pictures(&mut File::open(room.join(name)).context("read its index")?).context("read its index")?
    {
        let mut keyframes = Keyframes::default();
        for picture in pictures {
            keyframes.add(picture.at, picture.key);
        }
        return Ok(keyframes.from(film));
    }
    let mut command = ffprobe(room);
    command.args(["-f", "mov", "-select_streams", "V:0", "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"]);
    command.arg(here(name));
    let mut keyframes = Keyframes::default();
    let ended = run(&mut command, &watch(stop), |line| {
        keyframes.line(line);
        true
    })?
    .of_the_file()?;
    if !ended.is_success() {
        bail!("ffprobe: {}", ended.reason());
    }
    Ok(keyframes.from(film))
}

/// Reads every packet of a media playlist in `dir`, and says when each stream really begins and ends.
pub(crate) fn playlist(dir: &Path, name: &str, stop: &AtomicBool) -> Result<Facts> {
    // Shows the extradata, in hexadecimal; for each packet, too, if it is asked for those.
    let streams = [
        "-show_data",
        "-show_entries",
        "stream=index,codec_type,codec_name,profile,width,height,r_frame_rate,channels,extradata",
    ];
    let mut measure = Measure::default();
    show(dir, name, &streams, stop, |line| measure.line(line))?;
    if let Some(spans) = own_spans(dir, name)? {
        return Ok(measure.facts_of(spans));
    }
    show(dir, name, &["-show_entries", "packet=stream_index,pts_time,duration_time"], stop, |line| measure.line(line))?;
    Ok(measure.facts())
}

/// When the streams of a playlist begin and end, if its segments are of a kind that we read ourselves.
fn own_spans(dir: &Path, name: &str) -> Result<Option<ts::Spans>> {
    let media = Media::parse(&rec_core::hls::read(dir, name)?)?;
    let path = dir.join(name);
    if media.map.is_some() { Ok(None) } else { ts::spans(path.parent().unwrap_or(dir), &media) }
}

/// Has ffprobe show something of a media playlist, a line each.
fn show(dir: &Path, name: &str, what: &[&str], stop: &AtomicBool, mut line: impl FnMut(&str)) -> Result<()> {
    let mut command = ffprobe(dir);
    command
        // Where a picture comes once a second, the usual five seconds tell too little of it.
        .args(["-analyzeduration", "60M", "-f", "hls"])
        .args(what)
        .args(["-of", "compact=nokey=0"])
        .arg(format!("file:{name}"));
    let ended = run(&mut command, &watch(stop), |shown| {
        line(shown);
        true
    })?;
    let ended = ended.of_the_file()?;
    if !ended.is_clean() {
        bail!("ffprobe {name}: {}", ended.reason());
    }
    Ok(())
}

fn ffprobe(cwd: &Path) -> Command {
    let mut command = Command::new("ffprobe");
    command.current_dir(cwd).stdin(Stdio::null()).args(["-v", "error", "-protocol_whitelist", "file"]);
    command
}
