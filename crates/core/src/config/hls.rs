//! The keys of the worker's encodes.

use std::str::FromStr;
use std::time::Duration;

use super::{Take, whole};

/// What HLS is made, and when, and at what cost.
#[derive(Debug, Clone)]
pub struct Hls {
    /// Which renditions.
    pub profile: Profile,
    /// Bits a second of picture above which [`Profile::Hybrid`] encodes the top rendition too.
    pub max_source_bitrate: u64,
    /// The container of the segments.
    pub segment_type: SegmentType,
    /// Whether a rendition is one file, its segments ranges of bytes in it.
    pub single_file: bool,
    /// How long a segment is to be, in seconds.
    pub segment_seconds: u32,
    /// Whether a damaged recording is published as far as it can be decoded; its MP4 is then kept for ever.
    pub accept_damaged: bool,
    /// What is made beside the renditions.
    pub extras: Extras,
    /// How many recordings are worked on at once; `None`: as many as there are cores.
    pub jobs: Option<usize>,
    /// When the worker may work, as written; `None`: always.
    pub window: Option<String>,
    /// What becomes of an encode when the window closes.
    pub window_closes: WindowCloses,
    /// How long an encode stays frozen at most.
    pub freeze_max: Duration,
    /// Bytes that stay free on the recordings' disk.
    pub min_free: u64,
    /// The niceness of ffmpeg, 0 to 19.
    pub nice: u32,
    /// An encode may take this many times the recording's length.
    pub time_factor: u32,
    /// How often a recording that cannot be turned into HLS is tried before it is left alone.
    pub tries: u32,
}

/// What is made beside the renditions.
#[derive(Clone, Copy, Debug)]
pub struct Extras {
    /// A picture of the recording, `poster.jpg`.
    pub poster: bool,
    /// Small pictures for a player's time line, `previews.vtt`.
    pub previews: bool,
    /// Chapters, where the picture stands still for long, `chapters.vtt`.
    pub chapters: bool,
}

/// Which renditions a recording gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// One of 480 lines, as the script's.
    #[default]
    P480,
    /// 360, 480 and 720 lines.
    Abr,
    /// The recording's own picture and sound, not encoded again.
    Source,
    /// The recording's own picture on top, 480 and 360 lines below it.
    Hybrid,
}

const PROFILES: &[(&str, Profile)] =
    &[("480p", Profile::P480), ("abr", Profile::Abr), ("source", Profile::Source), ("hybrid", Profile::Hybrid)];

/// The container of the segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SegmentType {
    /// MPEG transport stream.
    #[default]
    Ts,
    /// Fragmented MP4.
    Fmp4,
}

/// What becomes of an encode when the window closes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WindowCloses {
    /// It goes on to its end.
    #[default]
    Finish,
    /// It is halted until the window opens again.
    Freeze,
    /// It ends here, and goes on in a later run.
    Stop,
}

impl Hls {
    pub(super) fn take(take: &mut Take<'_>) -> Self {
        Self {
            profile: take.parsed("HLS_PROFILE", str::parse),
            max_source_bitrate: take.parsed("HLS_MAX_SOURCE_BITRATE", |text| amount(text, 1000)),
            segment_type: take.parsed("HLS_SEGMENT_TYPE", |text| {
                choice(text, &[("ts", SegmentType::Ts), ("fmp4", SegmentType::Fmp4)])
            }),
            single_file: take.parsed("HLS_SINGLE_FILE", yes_or_no),
            segment_seconds: take.parsed("HLS_SEGMENT_SECONDS", |text| between(text, "seconds", 2, 30)),
            accept_damaged: take.parsed("HLS_ACCEPT_DAMAGED", yes_or_no),
            extras: Extras {
                poster: take.parsed("HLS_POSTER", yes_or_no),
                previews: take.parsed("HLS_PREVIEWS", yes_or_no),
                chapters: take.parsed("HLS_CHAPTERS", yes_or_no),
            },
            jobs: match take.parsed("HLS_JOBS", |text| between(text, "jobs", 0, 1024)) {
                0 => None,
                jobs => usize::try_from(jobs).ok(),
            },
            window: take.parsed_if_set("HLS_WINDOW", |text| Ok(text.to_owned())),
            window_closes: take.parsed("HLS_WINDOW_CLOSES", |text| {
                choice(
                    text,
                    &[("finish", WindowCloses::Finish), ("freeze", WindowCloses::Freeze), ("stop", WindowCloses::Stop)],
                )
            }),
            freeze_max: Duration::from_secs(
                60 * u64::from(take.parsed("HLS_FREEZE_MAX", |text| whole(text, "minutes"))),
            ),
            min_free: take.parsed("HLS_MIN_FREE", |text| amount(text, 1024)),
            nice: take.parsed("HLS_NICE", |text| between(text, "steps", 0, 19)),
            time_factor: take.parsed("HLS_TIME_FACTOR", |text| between(text, "recording lengths", 1, 1000)),
            tries: take.parsed("HLS_TRIES", |text| between(text, "tries", 1, 1000)),
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        choice(text, PROFILES)
    }
}

/// One of some words.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
    found.ok_or_else(|| format!("is none of {0}: write one of them", words.join(", ")))
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    choice(text, &[("yes", true), ("no", false)])
}

fn between(text: &str, unit: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = whole(text, unit)?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("is not between {least} and {most}: write a number of {unit} from {least} to {most}"))
    }
}

/// A whole number, with k, M, G or T for so many thousands of it (`thousand` is 1000 or 1024).
fn amount(text: &str, thousand: u64) -> Result<u64, String> {
    let split = text.len() - text.bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    let (digits, unit) = text.split_at(split);
    let power = ["", "k", "M", "G", "T"]
        .iter()
        .position(|known| known.eq_ignore_ascii_case(unit))
        .and_then(|at| u32::try_from(at).ok());
    let number = digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let amount = number.zip(power).and_then(|(number, power)| number.checked_mul(thousand.checked_pow(power)?));
    amount.ok_or_else(|| "is not a whole number with k, M, G or T after it: write it as 500M or 2G".to_owned())
}
