//! Whether HLS shows and sounds like an MP4: both are decoded, and looked at and listened to once a second. Half a minute that
//! is not alike is enough to tell them apart.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;

use crate::ffprobe::beside;
use crate::nice::niced;
use crate::probed::Facts;
use crate::run::{Ended, Watch, limit, run};

/// Pictures are compared at this size, in shades of grey.
const PICTURE: &str = "setpts=PTS-STARTPTS,fps=1,scale=160:90,format=gray";

/// The structural similarity, in the mean of each window, that a 480p encode of the same meeting reaches with ease.
const LEAST_SIMILARITY: f64 = 0.9;

/// Seconds over which a mean is taken.
const WINDOW: usize = 30;

/// Each second's loudness, on a line of its own.
const LOUDNESS: &str = "aformat=sample_rates=8000:channel_layouts=mono,asetnsamples=n=8000:p=0,\
    astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=RMS_level,\
    ametadata=mode=print:key=lavfi.astats.Overall.RMS_level:file=-";

/// How far, in decibels and in the mean of each window, the difference in loudness strays from its middle: hardly at all for an
/// encode of the same sound, and far for other speech.
const MOST_STRAY: f64 = 2.0;

/// How far, in decibels, that middle may be from nought: one channel made two, and two made one, cost 3 dB.
const MOST_GAIN: f64 = 6.5;

/// Quieter than this, in decibels, is as good as silence.
const SILENCE: f64 = -60.0;

const PATIENCE: Duration = Duration::from_secs(300);

/// For how long a comparison may go on at least, progress or none; a long recording gets [`SLOWEST`] times its length.
const LONGEST: Duration = Duration::from_secs(3600);
const SLOWEST: u32 = 4;

/// The most numbers, one a second: those of a week. Times that a hostile file claims may be any number of seconds apart.
const MOST: usize = 7 * 24 * 3600;

/// What is compared, as far as the shorter of the two goes.
pub(crate) struct Pair<'a> {
    /// Where ffmpeg runs.
    pub(crate) cwd: &'a Path,
    /// The MP4, in the directory above.
    pub(crate) mp4: &'a OsStr,
    /// Playlists in `cwd`: of the pictures, and of the sound.
    pub(crate) seen: &'a str,
    pub(crate) heard: &'a str,
    /// The niceness of ffmpeg.
    pub(crate) nice: u32,
}

/// How a comparison came out.
#[derive(Debug, PartialEq)]
pub(crate) enum Likeness {
    Alike,
    Different,
    /// They could not be compared: nothing came out of one of the two, say; how ffmpeg ended.
    Unknown(String),
    /// They are alike as far as they go, and not all could be decoded; how ffmpeg ended.
    Damaged(String),
}

impl Pair<'_> {
    /// Compares what the MP4 has: pictures, sound, or both.
    pub(crate) fn compare(&self, source: &Facts, stop: &AtomicBool) -> Result<Likeness> {
        if source.video.is_none() && source.audio.is_none() {
            return Ok(Likeness::Unknown("the MP4 has neither pictures nor sound".into()));
        }
        let within = Watch { limit: Some(limit(source.duration, SLOWEST).max(LONGEST)), ..Watch::new(stop, PATIENCE) };
        let pictures = if source.video.is_some() { self.pictures(&within)? } else { Likeness::Alike };
        match (pictures, source.audio.is_some()) {
            // The same slides may have been talked about twice.
            (Likeness::Alike, true) => self.sound(&within),
            (Likeness::Damaged(how), true) => Ok(match self.sound(&within)? {
                Likeness::Alike => Likeness::Damaged(how),
                otherwise => otherwise,
            }),
            (pictures, _) => Ok(pictures),
        }
    }

    fn pictures(&self, within: &Watch<'_>) -> Result<Likeness> {
        let mut command = ffmpeg(self.cwd, self.nice);
        command.args(self.mp4()).args(hls(self.seen)).args(["-filter_complex"]);
        // `-` is stdout; anything else would be the name of a file.
        command.arg(format!("[0:V:0]{PICTURE}[a];[1:V:0]{PICTURE}[b];[a][b]ssim=stats_file=-:shortest=1[out]"));
        command.args(["-map", "[out]", "-f", "null", "-"]);
        let (similarities, ended) = numbers(&mut command, within, similarity)?;
        Ok(judge(&similarities, worst(&similarities, f64::min).map(|worst| worst >= LEAST_SIMILARITY), &ended))
    }

    fn sound(&self, within: &Watch<'_>) -> Result<Likeness> {
        let loudness = |input: Vec<OsString>| {
            let mut command = ffmpeg(self.cwd, self.nice);
            command.args(input).args(["-map", "0:a:0", "-af", LOUDNESS, "-f", "null", "-"]);
            numbers(&mut command, within, decibels)
        };
        let (ours, of_ours) = loudness(self.mp4())?;
        let (theirs, of_theirs) = loudness(hls(self.heard))?;
        Ok(judge_sound(&ours, &of_ours, judge(&theirs, same_sound(&ours, &theirs), &of_theirs)))
    }

    fn mp4(&self) -> Vec<OsString> {
        input("mov", beside(self.mp4))
    }
}

fn hls(playlist: &str) -> Vec<OsString> {
    input("hls", format!("file:{playlist}").into())
}

fn input(demuxer: &str, url: OsString) -> Vec<OsString> {
    let mut args = ["-protocol_whitelist", "file", "-f", demuxer, "-i"].map(OsString::from).to_vec();
    args.push(url);
    args
}

fn ffmpeg(dir: &Path, nice: u32) -> Command {
    let mut command = niced(nice);
    command.current_dir(dir).stdin(Stdio::null());
    command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "repeat+error"]);
    command
}

/// The numbers in a command's output, and one more than the most of them where there are too many.
fn numbers(command: &mut Command, within: &Watch<'_>, read: fn(&str) -> Option<f64>) -> Result<(Vec<f64>, Ended)> {
    let mut numbers = Vec::new();
    let ended = run(command, within, |line| {
        let number = read(line);
        numbers.extend(number.filter(|_| numbers.len() <= MOST));
        number.is_some()
    })?;
    Ok((numbers, ended.of_the_file()?))
}

fn judge(numbers: &[f64], alike: Option<bool>, ended: &Ended) -> Likeness {
    match alike {
        _ if numbers.len() > MOST => Likeness::Unknown(format!("more than {MOST} s of it")),
        None => Likeness::Unknown(ended.reason()),
        Some(false) => Likeness::Different,
        Some(true) if ended.is_clean() => Likeness::Alike,
        Some(true) => Likeness::Damaged(ended.reason()),
    }
}

/// What sound is, if that of the MP4 could not be decoded whole: what it lacks makes it differ from itself.
fn judge_sound(ours: &[f64], ended: &Ended, judged: Likeness) -> Likeness {
    match judged {
        _ if ours.len() > MOST => Likeness::Unknown(format!("more than {MOST} s of it")),
        judged if ended.is_clean() => judged,
        Likeness::Alike | Likeness::Damaged(_) => Likeness::Damaged(ended.reason()),
        Likeness::Different | Likeness::Unknown(_) => Likeness::Unknown(ended.reason()),
    }
}

/// Whether two courses of loudness are those of the same sound; none where there is none to compare. The last second is
/// seldom whole, and left out where there are others.
fn same_sound(ours: &[f64], theirs: &[f64]) -> Option<bool> {
    let mut differences: Vec<_> = ours.iter().zip(theirs).map(|(one, other)| one - other).collect();
    if differences.len() > 1 {
        differences.pop();
    }
    let mut sorted = differences.clone();
    sorted.sort_by(f64::total_cmp);
    let gain = *sorted.get(sorted.len() / 2)?;
    let strays: Vec<_> = differences.iter().map(|difference| (difference - gain).abs()).collect();
    Some(gain.abs() <= MOST_GAIN && worst(&strays, f64::max)? <= MOST_STRAY)
}

/// The worst of the windows' means; none without numbers. What is left over at the end counts with the window before it.
#[expect(clippy::cast_precision_loss, reason = "a number a second")]
fn worst(numbers: &[f64], worse: fn(f64, f64) -> f64) -> Option<f64> {
    let windows = (numbers.len() / WINDOW).max(1);
    let mean = |window: usize| {
        let end = if window + 1 == windows { numbers.len() } else { (window + 1) * WINDOW };
        let window = &numbers[window * WINDOW..end];
        window.iter().sum::<f64>() / window.len() as f64
    };
    if numbers.is_empty() { None } else { (0..windows).map(mean).reduce(worse) }
}

/// The similarity of one pair of pictures: `n:1 Y:0.98 All:0.98 (17.8)`.
fn similarity(line: &str) -> Option<f64> {
    line.strip_prefix("n:")?.split_once(" All:")?.1.split(' ').next()?.parse().ok()
}

/// One second's loudness: `lavfi.astats.Overall.RMS_level=-21.07`, or `-inf`.
fn decibels(line: &str) -> Option<f64> {
    let level: f64 = line.strip_prefix("lavfi.astats.Overall.RMS_level=")?.parse().ok()?;
    Some(if level.is_nan() { SILENCE } else { level.max(SILENCE) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_minute_that_differs_is_not_lost_in_an_hour_that_does_not() {
        let mut numbers = vec![0.99; 3600];
        assert!(worst(&numbers, f64::min).unwrap() > 0.98);
        numbers[1000..1040].fill(0.5);
        assert!(worst(&numbers, f64::min).unwrap() < 0.8);
        assert_eq!(worst(&[], f64::min), None);
        assert_eq!(worst(&[0.5], f64::min), Some(0.5));
        let tail = [vec![1.0; 30], vec![0.0; 29]].concat();
        assert!((worst(&tail, f64::min).unwrap() - 30.0 / 59.0).abs() < 1e-9);
    }

    #[test]
    fn the_same_sound_is_known_by_the_course_of_its_loudness() {
        let speech = [-20.0, -35.0, -22.0, -60.0, -18.0, -41.0, -30.0];
        let quieter = speech.map(|level: f64| (level - 3.0).max(SILENCE));
        let other = [-41.0, -20.0, -60.0, -25.0, -33.0, -19.0, -22.0];
        assert_eq!(same_sound(&speech, &speech[..5]), Some(true));
        assert_eq!(same_sound(&speech, &quieter), Some(true));
        assert_eq!(same_sound(&speech, &other), Some(false));
        assert_eq!(same_sound(&speech, &[SILENCE; 7]), Some(false));
        assert_eq!(same_sound(&speech, &[]), None);
    }

    fn ended(script: &str) -> Ended {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        run(&mut command, &Watch::new(&AtomicBool::new(false), PATIENCE), |_| true).unwrap()
    }

    #[test]
    fn what_was_not_compared_is_neither_alike_nor_damaged() {
        let (clean, damaged) = (ended("true"), ended("echo oops >&2"));
        let unknown = |likeness: &Likeness| matches!(likeness, Likeness::Unknown(_));
        assert!(unknown(&judge(&[], None, &clean)) && unknown(&judge(&[], None, &damaged)));
        assert!(unknown(&judge(&vec![1.0; MOST + 1], Some(true), &clean)), "a flood of numbers");
        assert_eq!(judge(&[1.0], Some(true), &clean), Likeness::Alike);
        assert!(matches!(judge(&[1.0], Some(true), &damaged), Likeness::Damaged(_)));
        assert_eq!(judge(&[0.0], Some(false), &damaged), Likeness::Different);
        // Sound of the MP4 that is damaged.
        assert!(unknown(&judge_sound(&[], &damaged, Likeness::Unknown(String::new()))));
        assert!(unknown(&judge_sound(&[1.0], &damaged, Likeness::Different)));
        assert!(matches!(judge_sound(&[1.0], &damaged, Likeness::Alike), Likeness::Damaged(_)));
        assert_eq!(judge_sound(&[1.0], &clean, Likeness::Different), Likeness::Different);
    }

    #[test]
    fn no_more_numbers_are_kept_than_a_week_has() {
        let mut flood = Command::new("sh");
        flood.args(["-c", "yes lavfi.astats.Overall.RMS_level=-1 | head -n 700000"]).stdin(Stdio::null());
        let read = numbers(&mut flood, &Watch::new(&AtomicBool::new(false), PATIENCE), decibels).unwrap().0;
        assert_eq!(read.len(), MOST + 1);
    }

    #[test]
    fn what_ffmpeg_prints_is_read() {
        assert_eq!(similarity("n:12 Y:0.981 All:0.981234 (17.812345)"), Some(0.981_234));
        assert_eq!(similarity("frame:0 pts:0 pts_time:0"), None);
        assert_eq!(decibels("lavfi.astats.Overall.RMS_level=-21.072100"), Some(-21.0721));
        assert_eq!(decibels("lavfi.astats.Overall.RMS_level=-inf"), Some(SILENCE));
        assert_eq!(decibels("lavfi.astats.Overall.RMS_level=nan"), Some(SILENCE));
        assert_eq!(decibels("frame:0 pts:0 pts_time:0"), None);
    }
}
