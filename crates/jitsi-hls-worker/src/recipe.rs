//! What HLS is made of a recording: decided here, from what ffprobe says of it, and done elsewhere.

use rec_core::config::{Hls, Profile, SegmentType};

use crate::probed::{Audio, Facts, Span, Video};

/// Seconds by which a stream may begin late or end early and still be passed on as it is.
const SLACK: f64 = 0.5;

/// Keyframes further apart than this, in seconds, make segments that a player waits too long for.
const LONGEST_GAP: f64 = 20.0;

/// More cuts than a command line has room for as a list: a day of them, ten seconds each.
const MOST_CUTS: usize = 9000;

/// The profiles of H.264 that every browser plays (RFC 6381 names them `avc1.42E0`, `4D40`, `64`).
const PLAYED: [&str; 3] = ["Constrained Baseline", "Main", "High"];

/// A recording's HLS, before it is made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recipe {
    /// The renditions of the picture, the highest first; none where there is only sound.
    pub(crate) rungs: Vec<Rung>,
    pub(crate) sound: Option<Sound>,
    pub(crate) cuts: Cuts,
    /// Seconds for which the last picture stays: ffmpeg cuts, and counts, segments by the picture.
    pub(crate) stay: f64,
    /// Seconds of the whole recording.
    pub(crate) film: f64,
    /// How long a segment is to be, in seconds.
    pub(crate) seconds: u32,
    pub(crate) segment_type: SegmentType,
    pub(crate) single_file: bool,
}

/// A rendition of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rung {
    pub(crate) name: String,
    pub(crate) how: How,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Bits a second that it may come to, to reckon with before it is made.
    pub(crate) bits: u64,
}

/// How a rendition of the picture is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    /// The recording's own bitstream.
    Copy,
    /// Encoded, with no peak above so many bits a second, where there is a limit.
    Encode(Option<u64>),
}

/// How the sound is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sound {
    /// The recording's own bitstream.
    Copy,
    /// Encoded, with silence until it begins.
    Encode,
    /// The same, and with silence after its end until the picture's.
    EncodePadded,
}

/// Where segments begin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cuts {
    /// Every so many seconds.
    Regular,
    /// At these of the recording's keyframes, in seconds; the first one is where it begins.
    At(Vec<f64>),
}

/// Whether a recipe for this profile depends on where the recording's keyframes are.
pub(crate) fn wants_keyframes(profile: Profile, source: &Facts) -> bool {
    matches!(profile, Profile::Source | Profile::Hybrid)
        && source.video.as_ref().is_some_and(|video| is_playable(video, source.duration))
}

/// Decides what is made of a recording.
pub(crate) fn recipe(settings: &Hls, source: &Facts) -> Recipe {
    let rungs = source.video.as_ref().map(|video| rungs(settings, video, source.duration)).unwrap_or_default();
    let copied = rungs.iter().any(|rung| rung.how == How::Copy);
    let cuts = match &source.video {
        Some(video) if copied && rungs.len() > 1 => {
            Cuts::At(boundaries(&video.keyframes, f64::from(settings.segment_seconds)))
        }
        _ => Cuts::Regular,
    };
    let missing = source.video.as_ref().and_then(|video| video.span).map_or(0.0, |span| source.duration - span.ends);
    Recipe {
        sound: source.audio.as_ref().map(|audio| sound(audio, source.duration, rungs.len() > 1)),
        stay: if missing > SLACK { missing } else { 0.0 },
        film: source.duration,
        seconds: settings.segment_seconds,
        segment_type: settings.segment_type,
        single_file: settings.single_file,
        rungs,
        cuts,
    }
}

fn rungs(settings: &Hls, video: &Video, film: f64) -> Vec<Rung> {
    // Beside an encode, which begins at the same time as the sound, a copy has to begin there too, to be cut where that is.
    let latest = if settings.profile == Profile::Hybrid { 0.05 } else { SLACK };
    let passes = passes(video, film, latest);
    let low_enough = video.bits.is_none_or(|bits| bits <= settings.max_source_bitrate);
    let own = |how| Rung {
        name: "source".into(),
        how,
        bits: if how == How::Copy { video.bits.unwrap_or(8_000_000) } else { predicted(video.height) },
        ..scaled(video, video.height)
    };
    match settings.profile {
        Profile::P480 => vec![scaled(video, 480)],
        Profile::Abr => ladder(video, &[720, 480, 360], |height| height <= video.height),
        Profile::Source => vec![own(if passes { How::Copy } else { How::Encode(None) })],
        Profile::Hybrid => {
            let top = if passes && low_enough { How::Copy } else { How::Encode(Some(settings.max_source_bitrate)) };
            let mut rungs = vec![own(top)];
            rungs.extend(ladder(video, &[480, 360], |height| height < video.height));
            rungs.dedup_by_key(|rung| (rung.width, rung.height));
            rungs
        }
    }
}

/// The renditions of these heights that make sense for a picture, or the one of its own where none does.
fn ladder(video: &Video, heights: &[u32], makes_sense: impl Fn(u32) -> bool) -> Vec<Rung> {
    let mut heights: Vec<_> = heights.iter().copied().filter(|height| makes_sense(*height)).collect();
    if heights.is_empty() {
        heights.push(video.height);
    }
    // A player that switches wants to know what it lets itself in for.
    let capped = |rung: Rung| Rung { how: How::Encode(Some(rung.bits)), ..rung };
    heights.into_iter().map(|height| capped(scaled(video, height))).collect()
}

/// The picture at this height, or at its own where that is less; both sides even, because 4:2:0 has a sample of colour for
/// each square of four.
fn scaled(video: &Video, height: u32) -> Rung {
    let height = (height.min(video.height) / 2 * 2).max(2);
    let (own_width, own_height) = (f64::from(video.width), f64::from(video.height.max(1)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a picture's width")]
    let width = ((own_width * f64::from(height) / own_height / 2.0).round() as u32).saturating_mul(2).max(2);
    Rung { name: format!("{height}p"), how: How::Encode(None), width, height, bits: predicted(height) }
}

/// What an encode of this height comes to at most, in bits a second, as long as nothing limits it: the figures of the ladder
/// that the scripts' article recommends, with some room.
fn predicted(height: u32) -> u64 {
    match height {
        0..=360 => 900_000,
        361..=480 => 1_400_000,
        481..=720 => 2_800_000,
        721..=1080 => 5_000_000,
        _ => 12_000_000,
    }
}

/// Whether a player takes a picture's bitstream as it is, but for its keyframes.
fn is_playable(video: &Video, film: f64) -> bool {
    video.codec == "h264"
        && PLAYED.contains(&video.profile.as_str())
        && ["yuv420p", "yuvj420p"].contains(&video.pixels.as_str())
        && ["progressive", "unknown", ""].contains(&video.fields.as_str())
        // A transport stream cannot say that a picture is to be turned.
        && !video.turned
        && video.span.is_none_or(|span| lasts(span, film))
}

/// Whether a picture can be passed on: played as it is, from no later than `latest` on, and cut often enough.
fn passes(video: &Video, film: f64, latest: f64) -> bool {
    let ends = video.keyframes.iter().skip(1).copied().chain([film]);
    let gap = video.keyframes.iter().zip(ends).map(|(begin, end)| end - begin).fold(0.0, f64::max);
    let begins_with_one = video.keyframes.first().is_some_and(|first| *first <= latest);
    is_playable(video, film) && begins_with_one && gap <= LONGEST_GAP && video.keyframes.len() <= MOST_CUTS
}

fn lasts(span: Span, film: f64) -> bool {
    span.begins <= SLACK && span.ends >= film - SLACK
}

fn sound(audio: &Audio, film: f64, apart: bool) -> Sound {
    let short = audio.span.is_some_and(|span| span.ends < film - SLACK);
    let late = audio.span.is_some_and(|span| span.begins > 0.1);
    let plays = audio.codec == "aac" && audio.profile == "LC" && audio.channels == 2;
    if apart && short {
        // A rendition of its own has to be as long as the others.
        Sound::EncodePadded
    } else if plays && !late && !audio.edited {
        Sound::Copy
    } else {
        Sound::Encode
    }
}

/// Which keyframes ffmpeg cuts at, if a segment is to be so many seconds long: the first one after each multiple of it, and
/// each only once.
pub(crate) fn boundaries(keyframes: &[f64], seconds: f64) -> Vec<f64> {
    let mut cuts: Vec<f64> = Vec::new();
    let mut due = f64::NEG_INFINITY;
    for at in keyframes {
        // ffprobe's times are rounded to a microsecond.
        if *at >= due - 1e-4 {
            cuts.push(*at);
            #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
            let number = cuts.len() as f64;
            due = cuts[0] + number * seconds;
        }
    }
    cuts
}

impl Recipe {
    /// Whether the sound is a rendition of its own, which all of the picture's share.
    pub(crate) fn is_apart(&self) -> bool {
        self.rungs.len() > 1
    }

    /// The names of the media playlists: the picture's, in the order of the rungs, and that of the sound last, if it has one
    /// of its own.
    pub(crate) fn playlists(&self) -> Vec<String> {
        if !self.is_apart() {
            return vec![STREAM.to_owned()];
        }
        let sound = self.sound.map(|_| AUDIO.to_owned());
        self.rungs.iter().map(|rung| format!("{}.m3u8", rung.name)).chain(sound).collect()
    }

    /// Whether nothing is encoded but, at most, the sound: then all of it is done in no time.
    pub(crate) fn is_quick(&self) -> bool {
        self.rungs.iter().all(|rung| rung.how == How::Copy)
    }

    /// Bytes that it may come to: with an eighth for the container and a quarter to be on the safe side.
    pub(crate) fn bytes(&self) -> u64 {
        let sound = if self.sound.is_some() { 160_000 } else { 0 };
        let bits = self.rungs.iter().fold(sound, |bits: u64, rung| bits.saturating_add(rung.bits));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "below 2^52"
        )]
        let bytes = (bits as f64 / 8.0 * self.film * 1.4).round() as u64;
        bytes
    }
}

/// The media playlist of HLS with one rendition, as the script names it.
pub(crate) const STREAM: &str = "stream.m3u8";

/// The media playlist of sound that several renditions share.
pub(crate) const AUDIO: &str = "audio.m3u8";

#[cfg(test)]
// Said in full, because this file is a module of the tests of any bytes too.
#[path = "recipe/tests.rs"]
pub(crate) mod tests;
