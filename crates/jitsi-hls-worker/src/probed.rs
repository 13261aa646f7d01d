//! What ffprobe's answers say of an MP4, and of the HLS that was made from it.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::ts;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// Seconds, from the beginning of the first stream to the end of the last.
    pub(crate) duration: f64,
    pub(crate) video: Option<Video>,
    pub(crate) audio: Option<Audio>,
    /// Streams beyond these, which our HLS would not have: a second sound track, subtitles.
    pub(crate) more: Vec<String>,
    /// When the first stream begins on the file's own clock, in seconds; nought on ours.
    pub(crate) begins: f64,
}

/// When a stream begins and ends, in seconds from the beginning of the film.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Span {
    pub(crate) begins: f64,
    pub(crate) ends: f64,
}

/// The longest recording that is believed, in seconds: no meeting lasts a week.
const LONGEST: f64 = 7.0 * 24.0 * 3600.0;

impl Facts {
    /// Whether a file of so many bytes can be as long as it says: its encode would be given time, and room on the disk, for all
    /// of that. A second takes a byte at least.
    pub(crate) fn believable(self, bytes: u64) -> Result<Self> {
        #[expect(clippy::cast_precision_loss, reason = "nobody looks at the last bits")]
        let most = LONGEST.min(bytes as f64);
        ensure!(
            self.duration <= most,
            "it says that it lasts {:.0} s, and a file of its size can be {most:.0} s long at most",
            self.duration
        );
        Ok(self)
    }
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
    /// As a viewer sees it: a picture that is to be turned has been.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Whether a player has to turn it.
    pub(crate) turned: bool,
    /// Frames a second; the most, where they come at uneven times.
    pub(crate) rate: f64,
    /// Bits a second; none where the file does not say.
    pub(crate) bits: Option<u64>,
    /// ffprobe's words: `h264`, `Constrained Baseline`, `yuv420p`, `progressive`.
    pub(crate) codec: String,
    pub(crate) profile: String,
    pub(crate) pixels: String,
    pub(crate) fields: String,
    /// Profile, constraints and level of H.264, as its bitstream says (ISO/IEC 14496-10 §7.3.2.1.1).
    pub(crate) sps: Option<[u8; 3]>,
    /// When its keyframes are shown, in seconds from the beginning of the film; only where they were asked for.
    pub(crate) keyframes: Vec<f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Audio {
    /// None where the file does not say.
    pub(crate) span: Option<Span>,
    pub(crate) codec: String,
    pub(crate) profile: String,
    pub(crate) channels: u32,
    /// Whether it holds more than is to be heard: an edit list leaves some of it out, which no HLS can.
    pub(crate) edited: bool,
}

/// Reads what ffprobe says of a file's streams.
pub(crate) fn parse(json: &str) -> Result<Facts> {
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
        let begins = stream["start_time"].as_str().and_then(time).unwrap_or(0.0);
        Some(Span { begins, ends: begins + seconds(&stream["duration"])? })
    };
    let whole = [first("video"), first("audio")].into_iter().flatten().filter_map(span).reduce(Span::join);
    // ffmpeg lets its output begin where the first stream does.
    let film = whole.map_or(0.0, |whole| whole.begins);
    let video = first("video").map(|stream| {
        let sides = stream["side_data_list"].as_array().map(Vec::as_slice).unwrap_or_default();
        let angle = sides.iter().find_map(|side| side["rotation"].as_i64()).unwrap_or(0);
        let (width, height) = (number(&stream["width"]), number(&stream["height"]));
        let on_its_side = angle.rem_euclid(180) == 90;
        Video {
            span: span(stream).map(|span| span.from(film)),
            width: if on_its_side { height } else { width },
            height: if on_its_side { width } else { height },
            turned: angle != 0,
            rate: rate(word(&stream["r_frame_rate"])).unwrap_or(0.0),
            bits: stream["bit_rate"].as_str().and_then(|bits| bits.parse().ok()),
            codec: word(&stream["codec_name"]).to_owned(),
            profile: word(&stream["profile"]).to_owned(),
            pixels: word(&stream["pix_fmt"]).to_owned(),
            fields: word(&stream["field_order"]).to_owned(),
            sps: None,
            keyframes: Vec::new(),
        }
    });
    let audio = first("audio").map(|stream| Audio {
        span: span(stream).map(|span| span.from(film)),
        codec: word(&stream["codec_name"]).to_owned(),
        profile: word(&stream["profile"]).to_owned(),
        channels: number(&stream["channels"]),
        edited: is_edited(stream),
    });
    let duration =
        whole.map(|whole| whole.ends - film).or_else(|| seconds(&probe["format"]["duration"])).unwrap_or(0.0);
    Ok(Facts { duration, video, audio, more, begins: film })
}

/// Whether a stream of AAC has more frames, of 1024 samples, than it is long. The encoder's beginning is one or two of them.
fn is_edited(stream: &Value) -> bool {
    let of =
        |name: &str| stream[name].as_str().and_then(|text| text.parse::<f64>().ok()).filter(|number| *number > 0.0);
    let held = of("nb_frames").zip(of("sample_rate")).map(|(frames, rate)| frames * 1024.0 / rate);
    stream["codec_name"] == "aac" && held.zip(of("duration")).is_some_and(|(held, heard)| held - heard > 0.2)
}

fn seconds(value: &Value) -> Option<f64> {
    time(value.as_str()?).filter(|seconds| *seconds > 0.0)
}

/// A time in seconds that can be reckoned with: the clock of no file goes further.
fn time(text: &str) -> Option<f64> {
    text.parse().ok().filter(|at: &f64| at.abs() < 1e15)
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// ffprobe's `30000/1001`.
fn rate(text: &str) -> Option<f64> {
    let (frames, seconds) = text.split_once('/')?;
    let rate = frames.parse::<f64>().ok()? / seconds.parse::<f64>().ok()?;
    Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0)
}

/// Keyframes, and whether each of them begins what can be played without what was before it.
#[derive(Default)]
pub(crate) struct Keyframes {
    times: Vec<f64>,
    /// A picture is left out by an edit list, or comes after a keyframe and is shown before it (an open GOP): it wants pictures
    /// from before the keyframe, and a decoder that begins there does not even have the parameters.
    tied: bool,
}

impl Keyframes {
    /// A packet: `6.000000,K_`, its second flag D where it is left out.
    pub(crate) fn line(&mut self, line: &str) {
        let Some((time, flags)) = line.split_once(',') else { return };
        self.tied |= flags.contains('D');
        if let Some(at) = self::time(time) {
            self.add(at, flags.starts_with('K'));
        }
    }

    pub(crate) fn add(&mut self, at: f64, key: bool) {
        self.tied |= self.times.last().is_some_and(|last| at < *last);
        self.times.extend(key.then_some(at));
    }

    pub(crate) fn from(self, film: f64) -> Vec<f64> {
        if self.tied { Vec::new() } else { self.times.into_iter().map(|time| time - film).collect() }
    }
}

/// Streams, and when their first packet begins and their last one ends.
#[derive(Clone, Default)]
pub(crate) struct Measure {
    spans: Vec<(u32, Span)>,
    streams: Vec<(u32, Stream)>,
}

#[derive(Clone)]
enum Stream {
    Video(Video),
    Audio(Audio),
}

impl Measure {
    pub(crate) fn line(&mut self, line: &str) {
        let _ = self.read(line);
    }

    /// None for a line that says nothing of a stream or a packet.
    fn read(&mut self, line: &str) -> Option<()> {
        let (section, fields) = line.split_once('|')?;
        let field = |name: &str| fields.split('|').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        if section == "packet" {
            let index = field("stream_index")?.parse().ok()?;
            let begins = time(field("pts_time")?)?;
            let ends = begins + field("duration_time").and_then(time).unwrap_or(0.0).max(0.0);
            let packet = Span { begins, ends };
            match self.spans.iter_mut().find(|span| span.0 == index) {
                Some(span) => span.1 = span.1.join(packet),
                None => self.spans.push((index, packet)),
            }
        } else if section == "stream" {
            let number = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or(0);
            let word = |name: &str| field(name).unwrap_or_default().to_owned();
            let index = field("index")?.parse().ok()?;
            let stream = match field("codec_type")? {
                "video" => Stream::Video(Video {
                    width: number("width"),
                    height: number("height"),
                    rate: field("r_frame_rate").and_then(rate).unwrap_or(0.0),
                    codec: word("codec_name"),
                    profile: word("profile"),
                    sps: field("extradata").and_then(|dump| sps(&undumped(dump))),
                    ..Video::default()
                }),
                "audio" => Stream::Audio(Audio {
                    span: None,
                    codec: word("codec_name"),
                    profile: word("profile"),
                    channels: number("channels"),
                    edited: false,
                }),
                _ => return Some(()),
            };
            // A program lists its streams once more.
            if !self.streams.iter().any(|stream| stream.0 == index) {
                self.streams.push((index, stream));
            }
        }
        Some(())
    }

    /// With spans that were found elsewhere.
    pub(crate) fn facts_of(mut self, spans: ts::Spans) -> Facts {
        for (index, stream) in &self.streams {
            let span = if let Stream::Video(_) = stream { spans.video } else { spans.audio };
            self.spans.extend(span.map(|span| (*index, span)));
        }
        self.facts()
    }

    pub(crate) fn facts(self) -> Facts {
        let whole = self.spans.iter().map(|span| span.1).reduce(Span::join).unwrap_or_default();
        let span = |index: u32| self.spans.iter().find(|span| span.0 == index).map(|span| span.1.from(whole.begins));
        let mut facts = Facts { duration: whole.ends - whole.begins, begins: whole.begins, ..Facts::default() };
        for (index, stream) in self.streams {
            match stream {
                Stream::Video(video) if facts.video.is_none() => {
                    facts.video = Some(Video { span: span(index), ..video });
                }
                Stream::Audio(audio) if facts.audio.is_none() => {
                    facts.audio = Some(Audio { span: span(index), ..audio });
                }
                _ => {}
            }
        }
        facts
    }
}

/// The bytes of a hexadecimal dump: `\n00000000: 0164 001f ...  .d..\n`, its line ends written as backslash and n.
fn undumped(dump: &str) -> Vec<u8> {
    let lines = dump.split("\\n").filter_map(|line| Some(line.split_once(": ")?.1.split("  ").next()?.to_owned()));
    let digits: Vec<u8> = lines.flat_map(String::into_bytes).filter(u8::is_ascii_hexdigit).collect();
    digits.chunks_exact(2).filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
}

/// Profile, constraints and level out of H.264's extradata: an `avcC` box (ISO/IEC 14496-15 §5.3.3.1), as MP4 has it, or NAL
/// units with start codes, as a transport stream has them.
fn sps(extradata: &[u8]) -> Option<[u8; 3]> {
    if let [1, profile, constraints, level, ..] = extradata {
        return Some([*profile, *constraints, *level]);
    }
    let found = extradata.windows(7).find(|bytes| bytes[..3] == [0, 0, 1] && bytes[3] & 0x1f == 7)?;
    found[4..].try_into().ok()
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
            {"codec_type":"video","codec_name":"h264","profile":"Main","pix_fmt":"yuv420p","width":1280,"height":720,"r_frame_rate":"30000/1001","bit_rate":"569000","start_time":"1.000000","duration":"20.033333","disposition":{"attached_pic":0}},
            {"codec_type":"audio","codec_name":"aac","profile":"LC","channels":2,"start_time":"3.000000","duration":"20.015601","disposition":{"attached_pic":0}}],
            "format":{"duration":"20.034000"}}"#;
        let facts = parse(json).unwrap();
        let (video, audio) = (facts.video.unwrap(), facts.audio.unwrap());
        assert_eq!((video.width, video.height, video.bits, video.turned), (1280, 720, Some(569_000), false));
        assert_eq!((&*video.codec, &*video.profile, &*video.pixels), ("h264", "Main", "yuv420p"));
        assert_eq!((&*audio.codec, &*audio.profile, audio.channels), ("aac", "LC", 2));
        assert!((video.rate - 29.97).abs() < 0.001, "{}", video.rate);
        assert!(near(video.span, 0.0, 20.033_333) && near(audio.span, 2.0, 22.015_601), "{video:?} {audio:?}");
        assert!((facts.duration - 22.015_601).abs() < 1e-6);
    }

    #[test]
    fn a_cover_image_is_no_video_and_the_format_says_how_long_it_is() {
        let json = r#"{"streams":[{"codec_type":"video","disposition":{"attached_pic":1}},{"codec_type":"audio"}],"format":{"duration":"5.0"}}"#;
        assert_eq!(parse(json).unwrap(), Facts { duration: 5.0, audio: Some(Audio::default()), ..Facts::default() });
    }

    #[test]
    fn a_recording_of_years_is_not_believed() {
        let lasts = |duration, bytes| Facts { duration, ..Facts::default() }.believable(bytes);
        assert!(lasts(7200.0, 7200).is_ok() && lasts(604_800.0, u64::MAX).is_ok());
        let why = lasts(7201.0, 7200).unwrap_err().to_string();
        assert_eq!(why, "it says that it lasts 7201 s, and a file of its size can be 7200 s long at most");
        assert!(lasts(604_801.0, u64::MAX).is_err() && lasts(3e9, 10 << 30).is_err());
    }

    #[test]
    fn streams_that_our_hls_would_not_have_are_named() {
        let stream = |kind: &str| format!(r#"{{"codec_type":"{kind}"}}"#);
        let json = ["video", "audio", "audio", "subtitle", "data"].map(stream).join(",");
        let facts = parse(&format!(r#"{{"streams":[{json}],"format":{{}}}}"#)).unwrap();
        assert_eq!(facts.more, ["2 audio streams", "1 subtitle streams"]);
    }

    #[test]
    fn a_picture_that_lies_on_its_side_is_as_high_as_a_viewer_sees_it() {
        let json = r#"{"streams":[{"codec_type":"video","width":1280,"height":720,"side_data_list":[{"rotation":-90}]}],"format":{}}"#;
        let video = parse(json).unwrap().video.unwrap();
        assert_eq!((video.width, video.height, video.turned), (720, 1280, true));
    }

    #[test]
    fn keyframes_are_told_only_where_a_copy_can_be_cut_at_them() {
        let keyframes = |lines: &[&str]| {
            let mut keyframes = Keyframes::default();
            for line in lines {
                keyframes.line(line);
            }
            keyframes.from(0.5)
        };
        assert_eq!(keyframes(&["0.500000,K_", "0.600000,__", "0.550000,__", "1.500000,K_", "1.600000,__"]), [0.0, 1.0]);
        let none = [0.0; 0];
        assert_eq!(keyframes(&["0.500000,K_", "1.500000,K_", "1.400000,__", "1.600000,__"]), none, "an open GOP");
        assert_eq!(keyframes(&["-1.000000,KD", "-0.966667,_D", "0.500000,K_"]), none, "an edit list");
    }

    #[test]
    fn sound_that_an_edit_list_leaves_out_is_known_by_its_frames() {
        let audio = |frames: u32, seconds: &str| {
            let json = format!(
                r#"{{"streams":[{{"codec_type":"audio","codec_name":"aac","sample_rate":"44100","nb_frames":"{frames}","duration":"{seconds}"}}]}}"#
            );
            parse(&json).unwrap().audio.unwrap().edited
        };
        assert!(audio(862, "19.000000"));
        assert!(!audio(862, "20.000000") && !audio(0, "20.000000"));
        assert!(!audio(862, "25.000000"), "with a gap");
    }

    #[test]
    fn profile_and_level_are_found_in_both_forms_of_extradata() {
        let boxed = [1, 0x64, 0, 0x28, 0xff, 0xe1, 0, 1, 0x67];
        let stream = [0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xec];
        assert_eq!(sps(&boxed), Some([0x64, 0, 0x28]));
        assert_eq!(sps(&stream), Some([0x42, 0xc0, 0x1f]));
        assert_eq!((sps(&[]), sps(&[0, 0, 1, 0x68, 1, 2, 3])), (None, None));
        assert_eq!(undumped("\\n00000000: 0164 001f ff       .d...\\n"), [1, 0x64, 0, 0x1f, 0xff]);
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
            "stream|index=0|codec_type=video|codec_name=h264|width=854|height=480|r_frame_rate=30/1|extradata=\\n\
             00000000: 014d 401f ffe1 001c 674d 401f eca0 6c1e  .M@.....gM@...l.\\n00000010: f37f  ..\\n",
            "stream|index=1|codec_type=audio|codec_name=aac|profile=LC|channels=2",
            "stream|index=0|codec_type=video|width=1|height=1",
        ] {
            measure.line(line);
        }
        let facts = measure.facts();
        let video = facts.video.unwrap();
        assert_eq!((video.width, video.height, video.sps), (854, 480, Some([0x4d, 0x40, 0x1f])));
        assert!(near(video.span, 0.08, 2.113_333) && near(facts.audio.unwrap().span, 0.0, 3.0));
        assert!((facts.duration - 3.0).abs() < 1e-6);
    }
}
