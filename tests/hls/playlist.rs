//! Playlists, read as RFC 8216 says, and nothing let through that it forbids.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A master playlist.
pub struct Master {
    /// The variants, in the order of the playlist.
    pub variants: Vec<Variant>,
    /// The sound that all variants share, where it has a playlist of its own: its attributes.
    pub audio: Option<Attributes>,
}

/// A variant: its attributes, and the URI of its media playlist.
pub struct Variant {
    /// The attributes of `EXT-X-STREAM-INF`.
    pub attributes: Attributes,
    /// The URI.
    pub uri: String,
}

impl Master {
    /// Reads the `master.m3u8` of a directory.
    #[track_caller]
    pub fn read(dir: &Path) -> Self {
        let text = fs::read_to_string(dir.join("master.m3u8")).unwrap();
        assert!(text.starts_with("#EXTM3U\n") && text.ends_with('\n'), "{text}");
        assert_eq!(text.matches("#EXT-X-VERSION:").count(), 1, "{text}");
        assert!(text.contains("\n#EXT-X-INDEPENDENT-SEGMENTS\n"), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        let variants = lines.windows(2).filter_map(|two| {
            let attributes = Attributes::of(two[0].strip_prefix("#EXT-X-STREAM-INF:")?);
            assert!(!two[1].starts_with('#'), "a variant without a URI: {text}");
            Some(Variant { attributes, uri: two[1].to_owned() })
        });
        let variants: Vec<_> = variants.collect();
        let plain = lines.iter().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
        assert_eq!(plain, variants.len(), "a URI without a variant: {text}");
        let mut media = lines.iter().filter_map(|line| line.strip_prefix("#EXT-X-MEDIA:")).map(Attributes::of);
        let audio = media.next();
        assert!(media.next().is_none(), "more than one sound: {text}");
        for variant in &variants {
            let group = audio.as_ref().map(|audio| audio.text("GROUP-ID"));
            assert_eq!(variant.attributes.get("AUDIO"), group, "each variant has the shared sound, if any: {text}");
        }
        if let Some(audio) = &audio {
            assert_eq!((audio.text("TYPE"), audio.text("DEFAULT"), audio.text("AUTOSELECT")), ("AUDIO", "YES", "YES"));
            assert!(!audio.text("NAME").is_empty(), "{text}");
        }
        Self { variants, audio }
    }

    /// The URIs of all its media playlists.
    pub fn uris(&self) -> Vec<&str> {
        let audio = self.audio.as_ref().map(|audio| audio.text("URI"));
        self.variants.iter().map(|variant| variant.uri.as_str()).chain(audio).collect()
    }
}

/// An attribute list (§4.2), quotes taken off.
#[derive(Debug)]
pub struct Attributes(BTreeMap<String, String>);

impl Attributes {
    /// Reads a list.
    #[track_caller]
    pub fn of(mut list: &str) -> Self {
        let mut attributes = BTreeMap::new();
        while let Some((name, rest)) = list.split_once('=') {
            let (value, rest) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap(),
                None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
            };
            assert!(rest.is_empty() || rest.starts_with(','), "{rest}");
            list = rest.trim_start_matches(',');
            let twice = attributes.insert(name.to_owned(), value.to_owned());
            assert!(twice.is_none(), "{name} twice");
        }
        assert!(list.is_empty(), "no attribute: {list}");
        Self(attributes)
    }

    /// A value, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A value that has to be there.
    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// A number that has to be there.
    #[track_caller]
    pub fn number(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap()
    }
}

/// A media playlist.
pub struct Media {
    /// `EXT-X-TARGETDURATION`.
    pub target: f64,
    /// What goes before the segments, of fragmented MP4.
    pub map: Option<Piece>,
    /// The segments.
    pub segments: Vec<Segment>,
}

/// A segment.
pub struct Segment {
    /// Its URI.
    pub name: String,
    /// Its `EXTINF`.
    pub seconds: f64,
    /// Its bytes.
    pub piece: Piece,
}

/// A file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The file.
    pub path: PathBuf,
    /// Which of its bytes.
    pub bytes: Range<u64>,
}

impl Piece {
    #[track_caller]
    fn new(path: PathBuf, bytes: Option<Range<u64>>) -> Self {
        let length = path.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display())).len();
        let bytes = bytes.unwrap_or(0..length);
        assert!(bytes.start < bytes.end && bytes.end <= length, "{bytes:?} of {length}: {}", path.display());
        Self { path, bytes }
    }

    /// How many bits it has.
    #[expect(clippy::cast_precision_loss, reason = "small files")]
    pub fn bits(&self) -> f64 {
        (self.bytes.end - self.bytes.start) as f64 * 8.0
    }
}

impl Media {
    /// Reads one, which must be complete. Every byte of its files must belong to one segment, or to the map.
    #[track_caller]
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with("#EXTM3U\n") && text.ends_with("\n#EXT-X-ENDLIST\n"), "{text}");
        assert!(text.contains("\n#EXT-X-PLAYLIST-TYPE:VOD\n"), "{text}");
        let dir = path.parent().unwrap();
        let (mut version, mut target, mut map, mut seconds, mut range) = (1, None, None, None, None);
        let (mut segments, mut needs) = (Vec::<Segment>::new(), 3);
        for line in text.lines() {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-VERSION" => version = value.parse().unwrap(),
                "#EXT-X-TARGETDURATION" => target = Some(value.parse::<u32>().unwrap()),
                "#EXT-X-MAP" => {
                    assert!(map.is_none() && segments.is_empty(), "{text}");
                    let attributes = Attributes::of(value);
                    let range = attributes.get("BYTERANGE").map(|range| bytes(range, None));
                    map = Some(Piece::new(dir.join(attributes.text("URI")), range));
                    needs = 6;
                }
                "#EXTINF" => seconds = Some(value.split(',').next().unwrap().parse::<f64>().unwrap()),
                "#EXT-X-BYTERANGE" => {
                    range = Some(bytes(value, segments.last().map(|segment| segment.piece.bytes.end)));
                    needs = needs.max(4);
                }
                "#EXT-X-DISCONTINUITY" => panic!("a discontinuity: {text}"),
                _ if line.starts_with('#') || line.is_empty() => {}
                _ => segments.push(Segment {
                    name: line.to_owned(),
                    seconds: seconds.take().unwrap_or_else(|| panic!("{line} has no duration")),
                    piece: Piece::new(dir.join(line), range.take()),
                }),
            }
        }
        assert!(version >= needs, "§7: version {needs} is needed: {text}");
        let media = Self { target: f64::from(target.unwrap()), map, segments };
        media.uses_each_byte_once();
        media
    }

    fn uses_each_byte_once(&self) {
        let mut files = BTreeMap::<&Path, Vec<&Range<u64>>>::new();
        for piece in self.map.iter().chain(self.segments.iter().map(|segment| &segment.piece)) {
            files.entry(&piece.path).or_default().push(&piece.bytes);
        }
        for (path, mut ranges) in files {
            ranges.sort_by_key(|range| range.start);
            let covered = ranges.iter().try_fold(0, |end, range| (range.start == end).then_some(range.end));
            assert_eq!(covered, Some(path.metadata().unwrap().len()), "{}: {ranges:?}", path.display());
        }
    }

    /// What it lists.
    pub fn seconds(&self) -> f64 {
        self.segments.iter().map(|segment| segment.seconds).sum()
    }

    /// RFC 8216 §4.1: "the largest bit rate of any contiguous set of segments whose total duration is between 0.5 and 1.5
    /// times the target duration".
    pub fn peak(&self) -> f64 {
        let (mut peak, mut any) = (None, 0.0);
        for first in 0..self.segments.len() {
            let (mut bits, mut seconds) = (0.0, 0.0);
            for segment in &self.segments[first..] {
                bits += segment.piece.bits();
                seconds += segment.seconds;
                if seconds > 1.5 * self.target {
                    break;
                }
                any = f64::max(any, bits / seconds);
                if seconds >= 0.5 * self.target {
                    peak = Some(peak.map_or(bits / seconds, |peak| f64::max(peak, bits / seconds)));
                }
            }
        }
        // Where all of it is shorter than that: what it has.
        peak.unwrap_or(any)
    }

    /// §4.1: all bits in all seconds.
    pub fn average(&self) -> f64 {
        self.segments.iter().map(|segment| segment.piece.bits()).sum::<f64>() / self.seconds()
    }
}

/// `LENGTH@FIRST`; without the latter, it goes on where the segment before ended (§4.3.2.2).
fn bytes(text: &str, before: Option<u64>) -> Range<u64> {
    let (length, first) = match text.split_once('@') {
        Some((length, first)) => (length, first.parse().unwrap()),
        None => (text, before.unwrap()),
    };
    first..first + length.parse::<u64>().unwrap()
}
