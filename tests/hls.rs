//! HLS as a player and a validator see it: measured here, with nothing of the product's code.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Asserts that the HLS in `dir` is what its master playlist says, and plays as long as `source` without an error. `size` is
/// that of the picture, if there is to be one.
#[track_caller]
pub fn check(dir: &Path, source: &Path, size: Option<(u64, u64)>) {
    let stream = Media::read(&dir.join("stream.m3u8"));
    for (name, duration) in &stream.segments {
        assert!(duration.round() <= stream.target, "{name}: {duration} s > {}", stream.target);
        segment(&dir.join(name), size);
    }
    let source = probe(&["-show_entries", "format=duration:stream=codec_type:stream_disposition=attached_pic"], source);
    let is = |stream: &&Value, kind| stream["codec_type"] == kind && stream["disposition"]["attached_pic"] == 0;
    let audio = source["streams"].as_array().unwrap().iter().any(|stream| is(&stream, "audio"));

    let master = fs::read_to_string(dir.join("master.m3u8")).unwrap();
    let resolution = attribute(&master, "RESOLUTION").map(ToOwned::to_owned);
    assert_eq!(resolution, size.map(|(width, height)| format!("{width}x{height}")), "{master}");
    let mut codecs: Vec<String> = size.map(|_| avc1(&dir.join(&stream.segments[0].0))).into_iter().collect();
    codecs.extend(audio.then(|| "mp4a.40.2".to_owned()));
    assert_eq!(attribute(&master, "CODECS").unwrap(), codecs.join(","), "{master}");
    let (peak, said) = (stream.peak(dir), attribute(&master, "BANDWIDTH").unwrap().parse::<f64>().unwrap());
    assert!(peak <= said && said <= peak * 1.1, "measured {peak}, said {said}");

    let (played, wanted) = (play(&dir.join("master.m3u8")), number(&source["format"]["duration"]));
    assert!((played - wanted).abs() <= f64::max(1.0, wanted * 0.005), "plays {played} s of {wanted} s");
    let listed = stream.seconds();
    assert!((listed - wanted).abs() <= f64::max(1.0, wanted * 0.005), "lists {listed} s of {wanted} s");
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

/// A media playlist: its target duration, and each segment's name and duration.
pub struct Media {
    target: f64,
    /// Each segment's name and duration.
    pub segments: Vec<(String, f64)>,
}

impl Media {
    /// Reads one, which must be complete.
    #[track_caller]
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with("#EXTM3U\n") && text.ends_with("\n#EXT-X-ENDLIST\n"), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        let value =
            |line: &str, tag| line.strip_prefix(tag).map(|value: &str| value.trim_end_matches(',').parse().unwrap());
        let target = lines.iter().find_map(|line| value(line, "#EXT-X-TARGETDURATION:")).unwrap();
        let segments = lines.windows(2).filter_map(|two| Some((two[1].to_owned(), value(two[0], "#EXTINF:")?)));
        Self { target, segments: segments.collect() }
    }

    /// What it lists.
    pub fn seconds(&self) -> f64 {
        self.segments.iter().map(|segment| segment.1).sum()
    }

    /// RFC 8216 §4.1: "the largest bit rate of any contiguous set of segments whose total duration is between 0.5 and 1.5
    /// times the target duration".
    fn peak(&self, dir: &Path) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "small files")]
        let bits = |name: &String| fs::metadata(dir.join(name)).unwrap().len() as f64 * 8.0;
        let count = self.segments.len();
        let sets = (0..count).flat_map(|first| (first..count).map(move |last| first..=last)).map(|set| {
            let duration: f64 = self.segments[set.clone()].iter().map(|segment| segment.1).sum();
            (self.segments[set].iter().map(|segment| bits(&segment.0)).sum::<f64>() / duration, duration)
        });
        let fit = |set: &(f64, f64)| (0.5 * self.target..=1.5 * self.target).contains(&set.1);
        let sets: Vec<_> = sets.collect();
        let peak = sets.iter().filter(|set| fit(set)).map(|set| set.0).reduce(f64::max);
        // Where all of it is shorter than that: what it has.
        peak.unwrap_or_else(|| sets.iter().map(|set| set.0).fold(0.0, f64::max))
    }
}

/// A segment begins with a keyframe, has this picture of the main profile, and its sound is AAC in stereo.
#[track_caller]
fn segment(path: &Path, size: Option<(u64, u64)>) {
    let entries = "stream=index,codec_type,codec_name,profile,width,height,channels:packet=stream_index,flags";
    let probe = probe(&["-show_entries", entries], path);
    let list = |name: &str| probe[name].as_array().unwrap().clone();
    let video = list("streams").into_iter().find(|stream| stream["codec_type"] == "video");
    assert_eq!(video.as_ref().map(|video| (video["width"].as_u64().unwrap(), video["height"].as_u64().unwrap())), size);
    if let Some(video) = video {
        assert_eq!((&video["codec_name"], &video["profile"]), (&"h264".into(), &"Main".into()));
        assert!(video["width"].as_u64().unwrap() % 2 == 0 && video["height"].as_u64().unwrap() % 2 == 0, "{video}");
        let first = list("packets").into_iter().find(|packet| packet["stream_index"] == video["index"]).unwrap();
        assert!(first["flags"].as_str().unwrap().starts_with('K'), "{}: {first}", path.display());
    }
    if let Some(audio) = list("streams").into_iter().find(|stream| stream["codec_type"] == "audio") {
        // A segment whose sound ends within it may hold too little of it to tell more.
        assert_eq!(audio["codec_name"], "aac");
        assert!([2, 0].contains(&audio["channels"].as_u64().unwrap_or(0)), "{}: {audio}", path.display());
    }
}

/// What RFC 6381 calls the video of a TS segment: profile, constraints and level of its first SPS.
fn avc1(segment: &Path) -> String {
    let bytes = fs::read(segment).unwrap();
    let sps = bytes.windows(7).find(|w| w[..3] == [0, 0, 1] && w[3] & 0x9f == 7).unwrap();
    format!("avc1.{:02X}{:02X}{:02X}", sps[4], sps[5], sps[6])
}

/// Decodes all of it, without an error, and says how many seconds that were.
#[track_caller]
pub fn play(path: &Path) -> f64 {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-progress", "pipe:1", "-i"]).arg(path).args(["-f", "null", "-"]);
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stderr.is_empty(), "{command:?}: {stderr}");
    let last = stdout.lines().filter_map(|line| line.strip_prefix("out_time_us=")).next_back().unwrap();
    last.parse::<f64>().unwrap() / 1e6
}

/// What ffprobe tells of a file.
#[track_caller]
pub fn probe(args: &[&str], path: &Path) -> Value {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-of", "json"]).args(args).arg(path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}
