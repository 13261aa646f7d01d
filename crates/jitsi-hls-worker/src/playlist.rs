//! HLS playlists (RFC 8216): the media playlists that ffmpeg writes, and the master playlist that we do.

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};

/// A media playlist.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Media {
    /// Upper bound of a segment's duration, in whole seconds (§4.3.3.1).
    pub(crate) target: f64,
    /// The segments, in order.
    pub(crate) segments: Vec<Segment>,
    /// Whether it says that no more will follow (§4.3.3.4).
    pub(crate) ended: bool,
}

/// A media segment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) uri: String,
    /// Seconds (§4.3.2.1).
    pub(crate) duration: f64,
}

impl Media {
    /// Reads a media playlist.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        ensure!(
            text.lines().next().is_some_and(|first| first.trim_end() == "#EXTM3U"),
            "it does not begin with #EXTM3U"
        );
        let mut media = Self::default();
        let mut duration = None;
        for line in text.lines().map(str::trim_end) {
            if let Some(value) = line.strip_prefix("#EXTINF:") {
                let value: f64 = value.split(',').next().unwrap_or_default().parse().unwrap_or(f64::NAN);
                ensure!(value.is_finite() && value >= 0.0, "a segment's duration is no number: {line}");
                duration = Some(value);
            } else if let Some(value) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
                media.target = value.parse().unwrap_or(0.0);
            } else if line == "#EXT-X-ENDLIST" {
                media.ended = true;
            } else if !line.is_empty() && !line.starts_with('#') {
                let Some(duration) = duration.take() else { bail!("the segment {line} has no duration") };
                media.segments.push(Segment { uri: line.to_owned(), duration });
            }
        }
        Ok(media)
    }

    /// Seconds of all segments.
    pub(crate) fn duration(&self) -> f64 {
        self.segments.iter().map(|segment| segment.duration).sum()
    }

    /// Bits a second, peak and average, for segments of these sizes in bytes. The peak is the largest bit rate of any
    /// contiguous set of segments whose duration is between 0.5 and 1.5 target durations (§4.1).
    pub(crate) fn bit_rates(&self, sizes: &[u64]) -> (u64, u64) {
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

/// A media playlist with the target duration that it should have: at least each segment's duration, rounded (§4.3.3.1), where
/// ffmpeg rounds half a second down to 0 and 6.5 s to 6.
pub(crate) fn with_target(text: &str) -> String {
    let Ok(media) = Media::parse(text) else { return text.to_owned() };
    let target = media.segments.iter().map(|segment| segment.duration.round()).fold(media.target.max(1.0), f64::max);
    let lines = text.split_inclusive('\n').map(|line| {
        let is_target = line.starts_with("#EXT-X-TARGETDURATION:");
        if is_target { format!("#EXT-X-TARGETDURATION:{target}\n") } else { line.to_owned() }
    });
    lines.collect()
}

/// A rendition, as the master playlist announces it (§4.3.4.2).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variant {
    pub(crate) peak: u64,
    pub(crate) average: u64,
    /// RFC 6381 names of what is in it.
    pub(crate) codecs: Vec<String>,
    /// Width and height; none where there is no picture.
    pub(crate) resolution: Option<(u32, u32)>,
}

/// The master playlist of one rendition, whose media playlist is `uri`.
pub(crate) fn master(variant: &Variant, uri: &str) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={}", variant.peak, variant.average);
    if let Some((width, height)) = variant.resolution {
        let _ = write!(text, ",RESOLUTION={width}x{height}");
    }
    if !variant.codecs.is_empty() {
        let _ = write!(text, ",CODECS=\"{}\"", variant.codecs.join(","));
    }
    let _ = write!(text, "\n{uri}\n");
    text
}

/// The URIs of the media playlists that a master playlist names: its variants, and its renditions of other kinds.
pub(crate) fn media_uris(master: &str) -> Vec<String> {
    let plain = master.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let renditions = master
        .lines()
        .filter(|line| line.starts_with("#EXT-X-MEDIA:"))
        .filter_map(|line| line.split("URI=\"").nth(1)?.split('"').next());
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
        assert_eq!(media.segments[2], Segment { uri: "seg_000002.ts".into(), duration: 2.5 });
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
    fn the_master_playlist_tells_what_was_measured() {
        let codecs = vec!["avc1.4D401E".into(), "mp4a.40.2".into()];
        let mut variant = Variant { peak: 342_460, average: 260_367, codecs, resolution: Some((854, 480)) };
        assert_eq!(
            master(&variant, "stream.m3u8"),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n\
             #EXT-X-STREAM-INF:BANDWIDTH=342460,AVERAGE-BANDWIDTH=260367,RESOLUTION=854x480,CODECS=\"avc1.4D401E,mp4a.40.2\"\n\
             stream.m3u8\n"
        );
        (variant.resolution, variant.codecs) = (None, vec!["mp4a.40.2".into()]);
        assert!(!master(&variant, "stream.m3u8").contains("RESOLUTION"));
    }

    #[test]
    fn the_target_duration_is_no_less_than_a_segments() {
        assert_eq!(with_target(STREAM), STREAM);
        let short = "#EXTM3U\n#EXT-X-TARGETDURATION:0\n#EXTINF:0.4,\na.ts\n#EXT-X-ENDLIST\n";
        assert_eq!(with_target(short), short.replace(":0\n", ":1\n"));
        assert!(with_target(&STREAM.replace("2.500000", "6.500000")).contains("#EXT-X-TARGETDURATION:7\n"));
    }

    #[test]
    fn the_media_playlists_of_a_master_playlist() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"audio.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv0/stream.m3u8\n";
        assert_eq!(media_uris(text), ["v0/stream.m3u8", "audio.m3u8"]);
    }
}
