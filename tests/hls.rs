//! HLS as a player and a validator see it: measured here, with nothing of the product's code.

pub mod bitstream;
pub mod clap;
pub mod playlist;
pub mod rendition;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use playlist::{Attributes, Master, Media, Variant};
use rendition::{Rendition, Track};
use serde_json::Value;

/// The longest source of which each second is played; of a longer one, the last minute is.
const PLAYED: f64 = 600.0;

/// Asserts that the HLS in `dir` is one rendition, of picture and sound together, that [`check_all`] finds right. `size` is that
/// of the picture, if there is to be one.
#[track_caller]
pub fn check(dir: &Path, source: &Path, size: Option<(u64, u64)>) {
    let master = check_all(dir, source, size.as_slice());
    assert_eq!(master.uris(), ["stream.m3u8"]);
}

/// Asserts that the HLS in `dir` is what its playlists say, has all that `source` has, in step, and plays as long without an
/// error. `sizes` are those of its pictures, the lowest first.
#[track_caller]
pub fn check_all(dir: &Path, source: &Path, sizes: &[(u64, u64)]) -> Master {
    let master = Master::read(dir);
    let source = Source::read(source);
    let rungs: Vec<_> = master.variants.iter().map(|variant| Rendition::read(dir, &variant.uri)).collect();
    let audio = master.audio.as_ref().map(|audio| Rendition::read(dir, audio.text("URI")));

    let mut found: Vec<_> = rungs.iter().filter_map(|rung| rung.video.as_ref()).map(Track::size).collect();
    found.sort_by_key(|size| size.1);
    assert_eq!(found, sizes);
    assert_eq!(rungs.len(), sizes.len().max(1));
    for rendition in rungs.iter().chain(&audio) {
        rendition.check_keyframes();
        check_times(rendition, &source);
        check_streams(rendition);
    }
    for rung in rungs.iter().chain(&audio) {
        // §6.2.4: one target duration for all.
        assert!((rung.media.target - rungs[0].media.target).abs() < 0.1, "{}: another target duration", rung.name);
    }
    for (variant, rung) in master.variants.iter().zip(&rungs) {
        let sound = audio.as_ref().or(Some(rung)).and_then(|rendition| rendition.audio.as_ref());
        check_step(&source, rung.video.as_ref(), sound, &rung.name);
        check_alignment(rung, &rungs[0]);
        check_variant(variant, rung, audio.as_ref());
    }
    if let Some(audio) = &audio {
        assert!(audio.video.is_none() && rungs.iter().all(|rung| rung.audio.is_none()), "sound twice");
    }
    check_play(dir, rungs.iter().chain(&audio), &source);
    master
}

/// A file as it is now: its path, its time and its bytes.
type File = (PathBuf, SystemTime, u64);

fn file(path: &Path) -> File {
    let about = path.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (path.to_owned(), about.modified().unwrap(), about.len())
}

/// What is known already: to start ffprobe costs more than most of what it is asked.
struct Memo<K, V>(Mutex<BTreeMap<K, V>>);

impl<K: Ord, V: Clone> Memo<K, V> {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn of(&self, key: K, find: impl FnOnce() -> V) -> V {
        // Not held while it is looked for: others look for other things, and a test that fails must not fail theirs.
        let known = self.0.lock().unwrap().get(&key).cloned();
        known.unwrap_or_else(|| {
            let found = find();
            self.0.lock().unwrap().insert(key, found.clone());
            found
        })
    }
}

/// The recording that the HLS was made of.
struct Source {
    seconds: f64,
    video: Option<Track>,
    audio: Option<Track>,
}

impl Source {
    /// Reads it; the same file, only once.
    #[track_caller]
    fn read(path: &Path) -> Arc<Self> {
        static READ: Memo<File, Arc<Source>> = Memo::new();
        READ.of(file(path), || {
            let (video, audio) = Track::both(path);
            Arc::new(Self { seconds: seconds_of(path), video, audio })
        })
    }

    /// Half a percent or a second: what a variable frame rate and the edges of audio frames may cost.
    fn is_as_long_as(&self, seconds: f64) -> bool {
        (seconds - self.seconds).abs() <= f64::max(1.0, self.seconds * 0.005)
    }
}

/// A playlist's times are those of its packets.
#[track_caller]
fn check_times(rendition: &Rendition, source: &Source) {
    let (media, leader) = (&rendition.media, rendition.leader());
    let starts = rendition.starts();
    let tracks = || rendition.video.iter().chain(&rendition.audio);
    let frame = leader.packets.iter().map(|packet| packet.lasts).fold(0.001, f64::max);
    let mut listed = starts[0];
    for (segment, next) in media.segments.iter().zip(&starts[1..]) {
        listed += segment.seconds;
        let what = format!("{}: {}", rendition.name, segment.name);
        assert!((listed - next).abs() <= frame, "{what}: ends at {listed}, and the next begins at {next}: {starts:?}");
    }
    let last = media.segments.last().unwrap();
    let ends = tracks().map(Track::ends);
    let (first, end) = ends.fold((f64::MAX, 0.0), |(first, end), this| (f64::min(first, this), f64::max(end, this)));
    listed += last.seconds;
    let is_end = first - frame <= listed && listed <= end + frame;
    assert!(is_end, "{}: lists up to {listed}, and ends at {first} or {end}", rendition.name);
    for segment in &media.segments {
        assert!(
            segment.seconds > 0.0 && segment.seconds.round() <= media.target,
            "{}: {}",
            segment.name,
            segment.seconds
        );
    }
    let longest = media.segments.iter().map(|segment| segment.seconds).fold(0.0, f64::max);
    // Without this, a target duration of an hour would allow any segment and any peak.
    assert!(media.target <= f64::max(longest.ceil() + 1.0, 30.0), "{}: {}", rendition.name, media.target);
    assert!(
        source.is_as_long_as(media.seconds()),
        "{}: lists {} of {} s",
        rendition.name,
        media.seconds(),
        source.seconds
    );
    let begin = tracks().map(Track::begins).fold(f64::MAX, f64::min);
    assert!(source.is_as_long_as(end - begin), "{}: from {begin} to {end} of {} s", rendition.name, source.seconds);
}

/// A rendition has what each player can show: H.264 of an even size in 4:2:0, AAC in stereo.
#[track_caller]
fn check_streams(rendition: &Rendition) {
    if let Some(video) = &rendition.video {
        let (facts, (width, height)) = (&video.facts, video.size());
        assert_eq!((&facts["codec_name"], &facts["pix_fmt"]), (&"h264".into(), &"yuv420p".into()), "{facts}");
        assert!(width % 2 == 0 && height % 2 == 0 && facts["side_data_list"].is_null(), "{facts}");
        assert_eq!((video.number("coded_width"), video.number("coded_height")), (width, height), "{facts}");
    }
    if let Some(audio) = &rendition.audio {
        let facts = &audio.facts;
        assert_eq!(
            (&facts["codec_name"], &facts["profile"], &facts["channels"]),
            (&"aac".into(), &"LC".into(), &2.into())
        );
    }
}

/// What the master playlist says of a variant is what was measured.
#[track_caller]
fn check_variant(variant: &Variant, rung: &Rendition, audio: Option<&Rendition>) {
    let says: &Attributes = &variant.attributes;
    let playlists = || [rung].into_iter().chain(audio);
    // §4.3.4.2: "the largest sum of peak segment bit rates that is produced by any playable combination of Renditions".
    let peak: f64 = playlists().map(|rendition| rendition.media.peak()).sum();
    let said = says.number("BANDWIDTH");
    assert!(peak <= said && said <= peak * 1.1, "{}: peak {peak}, said {said}", rung.name);
    let average: f64 = playlists().map(|rendition| rendition.media.average()).sum();
    let said = says.number("AVERAGE-BANDWIDTH");
    assert!((average - said).abs() <= 2.0 + average * 0.001, "{}: average {average}, said {said}", rung.name);

    let mut codecs: Vec<String> = playlists().flat_map(Rendition::codecs).collect();
    let mut said: Vec<&str> = says.text("CODECS").split(',').collect();
    codecs.sort();
    said.sort_unstable();
    assert_eq!(codecs, said, "{}", rung.name);

    let size = rung.video.as_ref().map(|video| format!("{}x{}", video.number("width"), video.number("height")));
    assert_eq!(says.get("RESOLUTION"), size.as_deref(), "{}", rung.name);
    let rate = says.get("FRAME-RATE");
    assert_eq!(rate.is_some(), rung.video.is_some(), "{}: {says:?}", rung.name);
    if let (Some(video), Some(rate)) = (&rung.video, rate) {
        assert_eq!(rate.split_once('.').map(|(_, decimals)| decimals.len()), Some(3), "{rate}");
        let (said, fastest) = (rate.parse::<f64>().unwrap(), 1.0 / video.distances()[0]);
        // Times are whole ticks: of 90 kHz in TS.
        assert!(
            (said - fastest).abs() <= 0.0005 + fastest * fastest / 90_000.0,
            "{}: {fastest}, said {said}",
            rung.name
        );
    }
}

/// A player may go from one rung to another at the beginning of each segment.
#[track_caller]
fn check_alignment(rung: &Rendition, with: &Rendition) {
    let (starts, wanted) = (rung.starts(), with.starts());
    // What is encoded has its frames at an even rate, and the recording's own may come at uneven times.
    let near = if with.name.starts_with("source") {
        0.6 * rung.video.as_ref().map_or(0.0, |video| video.distances()[0])
    } else {
        0.001
    };
    assert_eq!(starts.len(), wanted.len(), "{}: {starts:?} {wanted:?}", rung.name);
    for (at, (start, wanted)) in starts.iter().zip(&wanted).enumerate() {
        assert!((start - wanted).abs() <= near, "{} segment {at}: {start}, elsewhere {wanted}", rung.name);
    }
}

/// The sound is where it was beside the picture. What began late may be filled up with silence or the first picture.
#[track_caller]
fn check_step(source: &Source, video: Option<&Track>, audio: Option<&Track>, name: &str) {
    assert_eq!((video.is_some(), audio.is_some()), (source.video.is_some(), source.audio.is_some()), "{name}");
    let (Some(video), Some(audio)) = (video, audio) else { return };
    let (Some(was_video), Some(was_audio)) = (&source.video, &source.audio) else { return };
    let (was, is) = (was_video.begins() - was_audio.begins(), video.begins() - audio.begins());
    let filled = is.abs() < 0.05 && was.abs() > 0.1;
    assert!((was - is).abs() < 0.05 || filled, "{name}: the picture began {was} s after the sound, and now {is} s");
}

/// A decoder plays all renditions without an error: all of them, or the last minute of hours.
#[track_caller]
fn check_play<'a>(dir: &Path, renditions: impl Iterator<Item = &'a Rendition>, source: &Source) {
    if source.seconds <= PLAYED {
        let played = play(&dir.join("master.m3u8"));
        return assert!(source.is_as_long_as(played), "{}: plays {played} s of {} s", dir.display(), source.seconds);
    }
    for rendition in renditions {
        let (film, wanted) = rendition.last(60.0);
        let played = play(film.path());
        // Frames of the picture that come before those that they refer to, and what sound reaches into the first of the segments.
        let frame = rendition.leader().packets.iter().map(|packet| packet.lasts).fold(0.0, f64::max);
        assert!((played - wanted).abs() <= 0.5 + 3.0 * frame, "{}: plays {played} s of {wanted} s", rendition.name);
    }
}

/// An attribute of the one variant that a master playlist names.
pub fn attribute<'a>(master: &'a str, name: &str) -> Option<&'a str> {
    let line = master.lines().find_map(|line| line.strip_prefix("#EXT-X-STREAM-INF:")).unwrap();
    let value = format!(",{line}").find(&format!(",{name}=")).map(|at| &line[at + name.len() + 1..])?;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split(',').next(),
    }
}

/// The seconds that the HLS in `dir` lists.
#[track_caller]
pub fn seconds(dir: &Path) -> f64 {
    Media::read(&dir.join("stream.m3u8")).seconds()
}

/// Decodes all of it, in each of its renditions, without an error, and says how many seconds that were.
#[track_caller]
pub fn play(path: &Path) -> f64 {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-progress", "pipe:1", "-i"]).arg(path);
    command.args(["-map", "0:v?", "-map", "0:a?", "-f", "null", "-"]);
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stderr.is_empty(), "{command:?}: {stderr}");
    let last = stdout.lines().filter_map(|line| line.strip_prefix("out_time_us=")).next_back().unwrap();
    last.parse::<f64>().unwrap() / 1e6
}

/// What ffprobe tells of a file; of the same file, it is asked only once.
#[track_caller]
pub fn probe(args: &[&str], path: &Path) -> Value {
    static TOLD: Memo<(String, File), Value> = Memo::new();
    let ask = || {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-of", "json"]).args(args).arg(path);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    TOLD.of((args.join(" "), file(path)), ask)
}

/// How long a film says that it is.
#[track_caller]
pub fn seconds_of(path: &Path) -> f64 {
    probe(&["-show_entries", "format=duration"], path)["format"]["duration"].as_str().unwrap().parse().unwrap()
}
