//! Media playlists (RFC 8216), as ffmpeg and we write them, and what a master playlist names.

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};

/// A media playlist.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Media {
    /// Upper bound of a segment's duration, in whole seconds (§4.3.3.1).
    pub target: f64,
    /// What a player has to read before each of the segments, where they are fragments of MP4 (§4.3.2.5).
    pub map: Option<Part>,
    /// The segments, in order.
    pub segments: Vec<Segment>,
    /// Whether it says that no more will follow (§4.3.3.4).
    pub ended: bool,
}

/// A media segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Seconds (§4.3.2.1).
    pub duration: f64,
    /// Its bytes.
    pub part: Part,
}

/// A file, or some of its bytes (§4.3.2.2).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// The file, relative to the playlist.
    pub uri: String,
    /// Which of its bytes; none: all.
    pub bytes: Option<Bytes>,
}

/// A range of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// How many.
    pub length: u64,
    /// The first one.
    pub from: u64,
}

impl Bytes {
    /// `length[@from]`; without `from` it is the bytes after the range before it.
    fn parse(text: &str, before: Option<Self>) -> Option<Self> {
        let (length, from) = match text.split_once('@') {
            Some((length, from)) => (length, from.parse().ok()?),
            None => (text, before?.end()?),
        };
        let bytes = Self { length: length.parse().ok()?, from };
        bytes.end().map(|_| bytes)
    }

    /// The byte after its last one; none where nobody can count so far.
    pub fn end(self) -> Option<u64> {
        self.from.checked_add(self.length)
    }
}

impl Media {
    /// Reads a media playlist.
    pub fn parse(text: &str) -> Result<Self> {
        ensure!(
            text.lines().next().is_some_and(|first| first.trim_end() == "#EXTM3U"),
            "it does not begin with #EXTM3U"
        );
        let mut media = Self::default();
        let (mut duration, mut bytes, mut before) = (None, None, None);
        for line in text.lines().map(str::trim_end) {
            if let Some(value) = line.strip_prefix("#EXTINF:") {
                let value: f64 = value.split(',').next().unwrap_or_default().parse().unwrap_or(f64::NAN);
                ensure!(value.is_finite() && value >= 0.0, "a segment's duration is no number: {line}");
                duration = Some(value);
            } else if let Some(value) = line.strip_prefix("#EXT-X-BYTERANGE:") {
                bytes = Bytes::parse(value, before);
                ensure!(bytes.is_some(), "a segment's range is none: {line}");
            } else if let Some(attributes) = line.strip_prefix("#EXT-X-MAP:") {
                let uri = attribute(attributes, "URI").unwrap_or_default().to_owned();
                let range = attribute(attributes, "BYTERANGE").and_then(|value| Bytes::parse(value, None));
                media.map = Some(Part { uri, bytes: range });
            } else if let Some(value) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
                media.target = value.parse().ok().filter(|target: &f64| target.is_finite()).unwrap_or(0.0);
            } else if line == "#EXT-X-ENDLIST" {
                media.ended = true;
            } else if !line.is_empty() && !line.starts_with('#') {
                let Some(duration) = duration.take() else { bail!("the segment {line} has no duration") };
                before = bytes;
                media.segments.push(Segment { duration, part: Part { uri: line.to_owned(), bytes: bytes.take() } });
            }
        }
        Ok(media)
    }

    /// The least target duration that it may have: no segment's, rounded, exceeds it (§4.3.3.1). ffmpeg rounds half a second
    /// down to 0, and 6.5 s to 6.
    pub fn least_target(&self) -> f64 {
        self.segments.iter().map(|segment| segment.duration.round()).fold(1.0, f64::max)
    }

    /// The playlist as we publish it: closed, and with this target duration.
    pub fn published(&self, target: f64) -> String {
        let ranges = self.segments.iter().any(|segment| segment.part.bytes.is_some());
        // §7: byte ranges since version 4, EXT-X-MAP beside anything but keyframes since 6, and 7 is what fMP4 goes by.
        let version = if self.map.is_some() {
            7
        } else if ranges {
            4
        } else {
            3
        };
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n",
        );
        if let Some(Part { uri, bytes }) = &self.map {
            let _ = write!(text, "#EXT-X-MAP:URI=\"{uri}\"");
            if let Some(Bytes { length, from }) = bytes {
                let _ = write!(text, ",BYTERANGE=\"{length}@{from}\"");
            }
            text.push('\n');
        }
        for Segment { duration, part: Part { uri, bytes } } in &self.segments {
            let _ = writeln!(text, "#EXTINF:{duration:.6},");
            if let Some(Bytes { length, from }) = bytes {
                let _ = writeln!(text, "#EXT-X-BYTERANGE:{length}@{from}");
            }
            let _ = writeln!(text, "{uri}");
        }
        text.push_str("#EXT-X-ENDLIST\n");
        text
    }

    /// Seconds of all segments.
    pub fn duration(&self) -> f64 {
        self.segments.iter().map(|segment| segment.duration).sum()
    }

    /// Bits a second, peak and average, for segments of these sizes in bytes. The peak is the largest bit rate of any
    /// contiguous set of segments whose duration is between 0.5 and 1.5 target durations (§4.1).
    pub fn bit_rates(&self, sizes: &[u64]) -> (u64, u64) {
        #[expect(clippy::cast_precision_loss, reason = "sizes of files are far below 2^52")]
        let bits: Vec<f64> = sizes.iter().map(|size| *size as f64 * 8.0).collect();
        let average = rate(bits.iter().sum(), self.duration());
        let mut peak = 0;
        for first in 0..self.segments.len().min(bits.len()) {
            let (mut sum, mut duration) = (0.0, 0.0);
            for (segment, bits) in self.segments[first..].iter().zip(&bits[first..]) {
                sum += bits;
                duration += segment.duration;
                if duration > 1.5 * self.target {
                    break;
                }
                if duration >= 0.5 * self.target {
                    peak = peak.max(rate(sum, duration));
                }
            }
        }
        // All of it shorter than half a target duration.
        (peak.max(average), average)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "finite, not negative, and far below 2^63")]
fn rate(bits: f64, seconds: f64) -> u64 {
    if seconds > 0.0 { (bits / seconds).ceil() as u64 } else { 0 }
}

/// A quoted attribute of a tag's list (§4.2).
fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = attributes;
    loop {
        let (key, value) = rest.split_once('=')?;
        let (value, behind) = match value.strip_prefix('"') {
            // A comma within quotes separates nothing.
            Some(quoted) => quoted.split_once('"').map(|(value, behind)| (Some(value), behind))?,
            None => (None, value),
        };
        if key.trim() == name {
            return value;
        }
        rest = behind.split_once(',')?.1;
    }
}

/// The URIs of the media playlists that a master playlist names: its variants, and its renditions of other kinds.
pub fn media_uris(master: &str) -> Vec<String> {
    let plain = master.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let renditions =
        master.lines().filter(|line| line.starts_with("#EXT-X-MEDIA:")).filter_map(|line| attribute(line, "URI"));
    plain.chain(renditions).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n\
        #EXTINF:6.000000,\nseg_000000.ts\n#EXTINF:6.000000,\nseg_000001.ts\n#EXTINF:2.500000,\nseg_000002.ts\n#EXT-X-ENDLIST\n";

    #[test]
    fn a_playlist_of_ffmpeg_is_read() {
        let media = Media::parse(STREAM).unwrap();
        assert_eq!((media.segments.len(), media.target, media.duration(), media.ended), (3, 6.0, 14.5, true));
        let part = Part { uri: "seg_000002.ts".into(), bytes: None };
        assert_eq!(media.segments[2], Segment { duration: 2.5, part });
    }

    #[test]
    fn a_playlist_without_its_end_is_not_ended() {
        assert!(!Media::parse(&STREAM.replace("#EXT-X-ENDLIST\n", "")).unwrap().ended);
    }

    #[test]
    fn what_is_no_playlist_is_refused() {
        for text in [
            "",
            "hello",
            "#EXTM3U8",
            "#EXTM3U\nseg.ts\n",
            "#EXTM3U\n#EXTINF:x,\nseg.ts\n",
            "#EXTM3U\n#EXTINF:-1,\nseg.ts\n",
        ] {
            assert!(Media::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_peak_is_that_of_segments_between_half_and_one_and_a_half_target_durations() {
        let media = Media::parse(STREAM).unwrap();
        // The last, short segment counts only together with the one before it: (6000 + 9000) bytes in 8.5 s.
        assert_eq!(media.bit_rates(&[9_000, 6_000, 9_000]), (14_118, 13_242));
        assert_eq!(media.bit_rates(&[60_000, 6_000, 1]), (80_000, 36_415));
    }

    #[test]
    fn a_recording_shorter_than_half_a_segment_has_its_average_as_its_peak() {
        let media = Media::parse("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:1.0,\na.ts\n#EXT-X-ENDLIST\n").unwrap();
        assert_eq!(media.bit_rates(&[1000]), (8000, 8000));
    }

    #[test]
    fn the_target_duration_is_no_less_than_a_segments() {
        let published = |text: &str| {
            let media = Media::parse(text).unwrap();
            media.published(media.least_target())
        };
        assert_eq!(published(STREAM), STREAM);
        assert_eq!(published(&STREAM.replace("#EXT-X-ENDLIST\n", "").replace("VOD", "EVENT")), STREAM);
        let short = "#EXTM3U\n#EXT-X-TARGETDURATION:0\n#EXTINF:0.4,\na.ts\n";
        assert!(published(short).contains("#EXT-X-TARGETDURATION:1\n"));
        assert!(published(&STREAM.replace("2.500000", "6.500000")).contains("#EXT-X-TARGETDURATION:7\n"));
    }

    #[test]
    fn ranges_of_one_file_are_read_and_written() {
        let text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n\
            #EXT-X-MAP:URI=\"stream.mp4\",BYTERANGE=\"824@0\"\n#EXTINF:6.000000,\n#EXT-X-BYTERANGE:500@824\nstream.mp4\n\
            #EXTINF:2.000000,\n#EXT-X-BYTERANGE:100@1324\nstream.mp4\n#EXT-X-ENDLIST\n";
        let media = Media::parse(text).unwrap();
        assert_eq!(media.map.as_ref().unwrap().bytes, Some(Bytes { length: 824, from: 0 }));
        assert_eq!(media.segments[1].part.bytes, Some(Bytes { length: 100, from: 1324 }));
        assert_eq!(media.published(6.0), text);
        let following = Media::parse(&text.replace("100@1324", "100")).unwrap();
        assert_eq!(following.segments[1].part.bytes, Some(Bytes { length: 100, from: 1324 }));
        for none in ["x@0", "1@x", "-1@0", "18446744073709551615@1"] {
            assert!(Media::parse(&text.replace("100@1324", none)).is_err(), "{none}");
        }
    }

    #[test]
    fn an_attribute_is_found_by_its_whole_name_and_its_quotes() {
        let list = "TYPE=AUDIO,X-URI=\"other\",NAME=\"a,URI=b\", URI=\"c.m3u8\",BYTERANGE=\"8@0\"";
        assert_eq!((attribute(list, "URI"), attribute(list, "BYTERANGE")), (Some("c.m3u8"), Some("8@0")));
        for none in ["", "URI", "URI=c.m3u8", "URI=\"c.m3u8", "A=\"URI=\"", "X=1,A=\"b"] {
            assert_eq!(attribute(none, "URI"), None, "{none}");
        }
    }

    #[test]
    fn the_media_playlists_of_a_master_playlist() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"audio.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv0/stream.m3u8\n";
        assert_eq!(media_uris(text), ["v0/stream.m3u8", "audio.m3u8"]);
    }
}
