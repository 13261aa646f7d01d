//! What ffprobe says of an MP4 and of the HLS that was made from it.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::run::run;

/// ffprobe reads headers of a local file, or as many packets a second as the disk gives: a minute without a line is a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// Seconds, from the beginning of the first stream to the end of the last.
    pub(crate) duration: f64,
    pub(crate) video: Option<Video>,
    pub(crate) audio: Option<Audio>,
    /// Streams beyond these, which our HLS would not have: a second sound track, subtitles.
    pub(crate) more: Vec<String>,
}

/// When a stream begins and ends, in seconds from the beginning of the film.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Span {
    pub(crate) begins: f64,
    pub(crate) ends: f64,
}

impl Span {
    fn from(self, film: f64) -> Self {
        Self { begins: self.begins - film, ends: self.ends - film }
    }

    fn join(self, other: Self) -> Self {
        Self { begins: self.begins.min(other.begins), ends: self.ends.max(other.ends) }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Video {
    /// None where the file does not say.
    pub(crate) span: Option<Span>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// As ffprobe gives it: 30 for level 3.0.
    pub(crate) level: u32,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Audio {
    /// None where the file does not say.
    pub(crate) span: Option<Span>,
}

/// `file:` and a path that is no option, no protocol and no pattern, whatever is in the name: seen from a directory beside it.
pub(crate) fn beside(name: &OsStr) -> OsString {
    let mut url = OsString::from("file:../");
    url.push(name);
    url
}

/// Probes the MP4 `name` in the directory above `cwd`.
pub(crate) fn source(cwd: &Path, name: &OsStr, stop: &AtomicBool) -> Result<Facts> {
    let mut command = ffprobe(cwd);
    command
        .args(["-f", "mov"])
        .args([
            "-show_entries",
            "format=duration:stream=codec_type,width,height,level,start_time,duration:stream_disposition=attached_pic",
        ])
        .args(["-of", "json"])
        .arg(beside(name));
    let mut json = String::new();
    let ended = run(&mut command, stop, PATIENCE, |line| {
        json.push_str(line);
        true
    })?;
    let ended = ended.of_the_file()?;
    if !ended.is_success() {
        bail!("ffprobe: {}", ended.reason());
    }
    parse(&json).context("ffprobe's answer")
}

fn parse(json: &str) -> Result<Facts> {
    let probe: Value = serde_json::from_str(json)?;
    let streams = probe["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
    // A cover image is no video. Of each kind the first is taken, as ffmpeg is told to.
    let of = |kind: &'static str| {
        streams.iter().filter(move |stream| {
            stream["codec_type"] == kind && stream["disposition"]["attached_pic"].as_u64().unwrap_or(0) == 0
        })
    };
    let first = |kind| of(kind).next();
    let more = [("video", 1), ("audio", 1), ("subtitle", 0)];
    let more = more.into_iter().filter_map(|(kind, most)| match of(kind).count() {
        count if count > most => Some(format!("{count} {kind} streams")),
        _ => None,
    });
    let more = more.collect();
    let span = |stream: &Value| {
        let begins = stream["start_time"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0.0);
        Some(Span { begins, ends: begins + seconds(&stream["duration"])? })
    };
    let whole = [first("video"), first("audio")].into_iter().flatten().filter_map(span).reduce(Span::join);
    // ffmpeg lets its output begin where the first stream does.
    let film = whole.map_or(0.0, |whole| whole.begins);
    let video = first("video").map(|stream| Video {
        span: span(stream).map(|span| span.from(film)),
        width: number(&stream["width"]),
        height: number(&stream["height"]),
        level: number(&stream["level"]),
    });
    let audio = first("audio").map(|stream| Audio { span: span(stream).map(|span| span.from(film)) });
    let duration =
        whole.map(|whole| whole.ends - film).or_else(|| seconds(&probe["format"]["duration"])).unwrap_or(0.0);
    Ok(Facts { duration, video, audio, more })
}

fn seconds(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0)
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// Reads every packet of a media playlist in `dir`, and says when each stream really begins and ends.
pub(crate) fn playlist(dir: &Path, name: &str, stop: &AtomicBool) -> Result<Facts> {
    let mut command = ffprobe(dir);
    command
        .args(["-f", "hls"])
        .args([
            "-show_entries",
            "stream=index,codec_type,width,height,level:packet=stream_index,pts_time,duration_time",
        ])
        .args(["-of", "compact=nokey=0"])
        .arg(format!("file:{name}"));
    let mut measure = Measure::default();
    let ended = run(&mut command, stop, PATIENCE, |line| measure.line(line).is_some())?;
    let ended = ended.of_the_file()?;
    if !ended.is_clean() {
        bail!("ffprobe {name}: {}", ended.reason());
    }
    Ok(measure.facts())
}

/// Streams, and when their first packet begins and their last one ends.
#[derive(Default)]
struct Measure {
    spans: Vec<(u32, Span)>,
    streams: Vec<(u32, String, Video)>,
}

impl Measure {
    fn line(&mut self, line: &str) -> Option<()> {
        let (section, fields) = line.split_once('|')?;
        let field = |name: &str| fields.split('|').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        if section == "packet" {
            let index = field("stream_index")?.parse().ok()?;
            let begins: f64 = field("pts_time")?.parse().ok()?;
            let ends = begins + field("duration_time").and_then(|text| text.parse().ok()).unwrap_or(0.0);
            let packet = Span { begins, ends };
            match self.spans.iter_mut().find(|span| span.0 == index) {
                Some(span) => span.1 = span.1.join(packet),
                None => self.spans.push((index, packet)),
            }
        } else if section == "stream" {
            let number = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or(0);
            let index = field("index")?.parse().ok()?;
            // A program lists its streams once more.
            if !self.streams.iter().any(|stream| stream.0 == index) {
                let video =
                    Video { span: None, width: number("width"), height: number("height"), level: number("level") };
                self.streams.push((index, field("codec_type")?.to_owned(), video));
            }
        }
        Some(())
    }

    fn facts(self) -> Facts {
        let whole = self.spans.iter().map(|span| span.1).reduce(Span::join).unwrap_or_default();
        let span = |index: u32| self.spans.iter().find(|span| span.0 == index).map(|span| span.1.from(whole.begins));
        let first = |kind: &str| self.streams.iter().find(|stream| stream.1 == kind);
        let video = first("video").map(|(index, _, video)| Video { span: span(*index), ..video.clone() });
        let audio = first("audio").map(|(index, ..)| Audio { span: span(*index) });
        Facts { duration: whole.ends - whole.begins, video, audio, more: Vec::new() }
    }
}

fn ffprobe(cwd: &Path) -> Command {
    let mut command = Command::new("ffprobe");
    command.current_dir(cwd).stdin(Stdio::null()).args(["-v", "error", "-protocol_whitelist", "file"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(span: Option<Span>, begins: f64, ends: f64) -> bool {
        span.is_some_and(|span| (span.begins - begins).abs() < 1e-6 && (span.ends - ends).abs() < 1e-6)
    }

    #[test]
    fn the_answer_for_a_recording_of_jibri_is_read() {
        let json = r#"{"programs":[],"streams":[
            {"codec_type":"video","width":1280,"height":720,"level":31,"start_time":"1.000000","duration":"20.033333","disposition":{"attached_pic":0}},
            {"codec_type":"audio","level":-99,"start_time":"3.000000","duration":"20.015601","disposition":{"attached_pic":0}}],
            "format":{"duration":"20.034000"}}"#;
        let facts = parse(json).unwrap();
        let (video, audio) = (facts.video.unwrap(), facts.audio.unwrap());
        assert_eq!((video.width, video.height, video.level), (1280, 720, 31));
        assert!(near(video.span, 0.0, 20.033_333) && near(audio.span, 2.0, 22.015_601), "{video:?} {audio:?}");
        assert!((facts.duration - 22.015_601).abs() < 1e-6);
    }

    #[test]
    fn a_cover_image_is_no_video_and_the_format_says_how_long_it_is() {
        let json = r#"{"streams":[{"codec_type":"video","disposition":{"attached_pic":1}},{"codec_type":"audio"}],"format":{"duration":"5.0"}}"#;
        assert_eq!(parse(json).unwrap(), Facts { duration: 5.0, audio: Some(Audio::default()), ..Facts::default() });
    }

    #[test]
    fn streams_that_our_hls_would_not_have_are_named() {
        let stream = |kind: &str| format!(r#"{{"codec_type":"{kind}"}}"#);
        let json = ["video", "audio", "audio", "subtitle", "data"].map(stream).join(",");
        let facts = parse(&format!(r#"{{"streams":[{json}],"format":{{}}}}"#)).unwrap();
        assert_eq!(facts.more, ["2 audio streams", "1 subtitle streams"]);
    }

    #[test]
    fn streams_begin_and_end_with_their_packets() {
        let mut measure = Measure::default();
        for line in [
            "packet|stream_index=0|pts_time=1.480000|duration_time=0.033333",
            "packet|stream_index=1|pts_time=1.400000|duration_time=0.023220",
            "packet|stream_index=0|pts_time=3.480000|duration_time=0.033333",
            "packet|stream_index=1|pts_time=4.400000|duration_time=N/A",
            "packet|stream_index=0|pts_time=N/A|duration_time=N/A",
            "stream|index=0|codec_type=video|width=854|height=480|level=30",
            "stream|index=1|codec_type=audio|level=-99",
            "stream|index=0|codec_type=video|width=1|height=1|level=1",
        ] {
            measure.line(line);
        }
        let facts = measure.facts();
        let video = facts.video.unwrap();
        assert_eq!((video.width, video.height, video.level), (854, 480, 30));
        assert!(near(video.span, 0.08, 2.113_333) && near(facts.audio.unwrap().span, 0.0, 3.0));
        assert!((facts.duration - 3.0).abs() < 1e-6);
    }
}
