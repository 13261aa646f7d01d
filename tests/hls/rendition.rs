//! What a media playlist's segments hold, measured packet by packet.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::bitstream::{self, unit_type};
use super::playlist::{Media, Piece};

/// A media playlist, and what its segments hold.
pub struct Rendition {
    /// For messages.
    pub name: String,
    /// The playlist.
    pub media: Media,
    bytes: Vec<u8>,
    /// Where in the film each segment begins.
    begins: Vec<usize>,
    /// Its picture, if it has one.
    pub video: Option<Track>,
    /// Its sound, if it has any.
    pub audio: Option<Track>,
}

/// A stream.
pub struct Track {
    /// What ffprobe tells of it.
    pub facts: Value,
    /// Its packets, in the order of the file.
    pub packets: Vec<Packet>,
}

/// A packet of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// When it is shown or heard.
    pub time: f64,
    /// For how long.
    pub lasts: f64,
    /// Whether the demuxer takes it for a keyframe.
    pub key: bool,
    /// Where in the file it begins, as far as that is known.
    at: usize,
    size: usize,
}

impl Track {
    /// The streams of a file: the first picture that is no cover, and the first sound.
    pub fn both(path: &Path) -> (Option<Self>, Option<Self>) {
        let mut command = Command::new("ffprobe");
        // Packets first, each in a line; then the streams. One process, and no parser for what hours of packets are.
        command.args(["-v", "error", "-analyzeduration", "60M", "-of", "json=compact=1", "-show_streams"]);
        command.args(["-show_entries", "packet=stream_index,pts_time,duration_time,size,pos,flags"]).arg(path);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", path.display());
        let text = String::from_utf8(output.stdout).unwrap();
        let (packets, streams) = text.split_once("\n    \"streams\":").unwrap();
        let streams: Value = serde_json::from_str(streams.trim_end().strip_suffix('}').unwrap()).unwrap();
        let streams = streams.as_array().unwrap();
        let found = |kind| streams.iter().find(|s| s["codec_type"] == kind && s["disposition"]["attached_pic"] == 0);
        let (video, audio) = (found("video"), found("audio"));
        let track = |facts: &Value| {
            let index = format!("{{ \"stream_index\": {}, ", facts["index"]);
            let mut of_stream = Vec::<Packet>::new();
            for line in packets.lines().filter_map(|line| line.trim_start().strip_prefix(&index)) {
                let at = of_stream.last().map_or(0, |packet| packet.at);
                of_stream.push(Packet::of(line, at));
            }
            Self { facts: facts.clone(), packets: of_stream }
        };
        (video.map(track), audio.map(track))
    }

    /// When it begins.
    pub fn begins(&self) -> f64 {
        self.packets.iter().map(|packet| packet.time).fold(f64::INFINITY, f64::min)
    }

    /// When its last packet ends.
    pub fn ends(&self) -> f64 {
        self.packets.iter().map(|packet| packet.time + packet.lasts).fold(0.0, f64::max)
    }

    /// The distances of its packets, the shortest first.
    pub fn distances(&self) -> Vec<f64> {
        let mut times: Vec<f64> = self.packets.iter().map(|packet| packet.time).collect();
        times.sort_by(f64::total_cmp);
        let mut distances: Vec<f64> = times.windows(2).map(|two| two[1] - two[0]).collect();
        distances.sort_by(f64::total_cmp);
        distances
    }

    /// A number that ffprobe tells of it.
    pub fn number(&self, name: &str) -> u64 {
        self.facts[name].as_u64().unwrap_or_else(|| panic!("no {name}: {}", self.facts))
    }

    /// Width and height.
    pub fn size(&self) -> (u64, u64) {
        (self.number("width"), self.number("height"))
    }
}

impl Packet {
    /// Reads `"a": "1", "b": "2" },`. `before` is where the one before it begins: several frames of sound may share a place.
    fn of(line: &str, before: usize) -> Self {
        let mut packet = Self { time: f64::NAN, lasts: 0.0, key: false, at: before, size: 0 };
        let bare = |text: &'_ str| text.trim_matches(|c: char| " \",}".contains(c)).to_owned();
        for (name, value) in line.split(", ").filter_map(|field| field.split_once(": ")) {
            let value = bare(value);
            match &*bare(name) {
                "pts_time" => packet.time = value.parse().unwrap_or(f64::NAN),
                "duration_time" => packet.lasts = value.parse().unwrap_or(0.0),
                "size" => packet.size = value.parse().unwrap(),
                "pos" => packet.at = value.parse().unwrap_or(before),
                "flags" => packet.key = value.starts_with('K'),
                _ => {}
            }
        }
        assert!(!packet.time.is_nan(), "no time: {line}");
        packet
    }
}

impl Rendition {
    /// Reads a media playlist of a directory, and all that it names.
    #[track_caller]
    pub fn read(dir: &Path, uri: &str) -> Self {
        let media = Media::read(&dir.join(uri));
        let (bytes, begins) = appended(&media);
        let film = written(&bytes);
        let (video, audio) = Track::both(film.path());
        Self { name: uri.to_owned(), media, bytes, begins, video, audio }
    }

    /// The stream that decides where segments begin: the picture, else the sound.
    pub fn leader(&self) -> &Track {
        self.video.as_ref().or(self.audio.as_ref()).unwrap_or_else(|| panic!("{}: neither video nor audio", self.name))
    }

    /// The packets of the leader in each segment.
    fn by_segment(&self) -> Vec<&[Packet]> {
        let packets = &self.leader().packets;
        let first = |begin: &usize| packets.partition_point(|packet| packet.at < *begin);
        let firsts: Vec<_> = self.begins.iter().map(first).chain([packets.len()]).collect();
        let parts = firsts.windows(2).map(|two| &packets[two[0]..two[1]]);
        let parts: Vec<_> = parts.collect();
        for (segment, packets) in self.media.segments.iter().zip(&parts) {
            assert!(!packets.is_empty(), "{}: {} has nothing to show", self.name, segment.name);
        }
        parts
    }

    /// When each segment begins.
    pub fn starts(&self) -> Vec<f64> {
        self.by_segment().iter().map(|packets| packets[0].time).collect()
    }

    /// Each segment begins with the packet that is to be shown first, which needs none before it.
    #[track_caller]
    pub fn check_keyframes(&self) {
        for (packets, segment) in self.by_segment().iter().zip(&self.media.segments) {
            let what = format!("{}: {}", self.name, segment.name);
            let earliest = packets.iter().map(|packet| packet.time).fold(f64::INFINITY, f64::min);
            assert!(packets[0].key && packets[0].time <= earliest, "{what}: {:?}, earliest {earliest}", packets[0]);
            if self.video.is_some() {
                let picture = self.picture(&packets[0]);
                let units = self.units(&picture);
                let types: Vec<u8> = units.iter().map(|unit| unit_type(unit)).collect();
                let slices: Vec<u8> = types.iter().copied().filter(|kind| (1..=5).contains(kind)).collect();
                assert!(!slices.is_empty() && slices.iter().all(|slice| *slice == 5), "{what}: no IDR: {types:?}");
                let sets = types.contains(&7) && types.contains(&8);
                assert!(sets || !self.is_ts(), "{what}: no SPS and PPS: {types:?}");
            }
        }
    }

    /// Its last segments in one file, of at least so many seconds, and of how many.
    pub fn last(&self, seconds: f64) -> (NamedTempFile, f64) {
        let (mut first, mut length) = (self.begins.len(), 0.0);
        while first > 0 && length < seconds {
            first -= 1;
            length += self.media.segments[first].seconds;
        }
        let (map, _) = self.bytes.split_at(self.begins[0]);
        (written(&[map, &self.bytes[self.begins[first]..]].concat()), length)
    }

    /// What RFC 6381 calls its streams, by their own bytes, in each segment.
    #[track_caller]
    pub fn codecs(&self) -> Vec<String> {
        let mut codecs = Vec::new();
        if !self.is_ts() {
            let map = &self.bytes[..self.begins[0]];
            codecs.extend(self.video.is_some().then(|| bitstream::avc1_of_mp4(map)));
            codecs.extend(self.audio.is_some().then(|| bitstream::mp4a_of_mp4(map)));
            return codecs;
        }
        if self.video.is_some() {
            let name = |packets: &&[Packet]| {
                let picture = self.picture(&packets[0]);
                let sps = self.units(&picture).into_iter().find(|unit| unit_type(unit) == 7);
                bitstream::avc1_of_sps(sps.unwrap_or_else(|| panic!("{}: no SPS", self.name)))
            };
            let mut names: Vec<String> = self.by_segment().iter().map(name).collect();
            names.dedup();
            assert_eq!(names.len(), 1, "{}", self.name);
            codecs.append(&mut names);
        }
        codecs.extend(
            self.audio.as_ref().map(|audio| bitstream::mp4a_of_adts(&bitstream::pes(&self.bytes, audio.packets[0].at))),
        );
        codecs
    }

    fn is_ts(&self) -> bool {
        self.media.map.is_none()
    }

    fn picture(&self, packet: &Packet) -> Vec<u8> {
        assert_eq!(self.is_ts(), bitstream::is_ts(&self.bytes), "{}", self.name);
        if self.is_ts() {
            bitstream::pes(&self.bytes, packet.at)
        } else {
            self.bytes[packet.at..packet.at + packet.size].to_vec()
        }
    }

    fn units<'a>(&self, picture: &'a [u8]) -> Vec<&'a [u8]> {
        if self.is_ts() { bitstream::units_of_ts(picture) } else { bitstream::units_of_mp4(picture) }
    }
}

/// All that a media playlist of a directory names in one file, as a player appends it.
#[track_caller]
pub fn film(dir: &Path, uri: &str) -> NamedTempFile {
    written(&appended(&Media::read(&dir.join(uri))).0)
}

/// The bytes of all segments, and where each begins.
fn appended(media: &Media) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut begins) = (media.map.as_ref().map(read).unwrap_or_default(), Vec::new());
    for segment in &media.segments {
        begins.push(bytes.len());
        bytes.extend(read(&segment.piece));
    }
    (bytes, begins)
}

fn written(bytes: &[u8]) -> NamedTempFile {
    let film = NamedTempFile::new().unwrap();
    fs::write(film.path(), bytes).unwrap();
    film
}

fn read(piece: &Piece) -> Vec<u8> {
    let mut file = File::open(&piece.path).unwrap();
    file.seek(SeekFrom::Start(piece.bytes.start)).unwrap();
    let mut bytes = Vec::new();
    file.take(piece.bytes.end - piece.bytes.start).read_to_end(&mut bytes).unwrap();
    bytes
}
