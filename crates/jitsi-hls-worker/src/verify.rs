//! Whether HLS is whole, and whether it is all of its MP4: what stands between a recording and its deletion.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail, ensure};

use rec_core::small;

use crate::ffprobe::{self, Facts, Span};
use crate::playlist::{self, Media, Part};

/// The largest playlist, in bytes: days of segments.
const LARGEST: u64 = 8 << 20;

/// A media playlist that is whole, with the sizes of its segments in bytes.
pub(crate) struct Whole {
    /// Relative to the HLS directory.
    pub(crate) uri: String,
    pub(crate) media: Media,
    pub(crate) sizes: Vec<u64>,
}

/// Whether a directory's HLS is whole: the master playlist names media playlists, each is closed, and each of their segments is
/// there and not empty.
pub(crate) fn complete(dir: &Path) -> Result<Vec<Whole>> {
    let master = read(dir, "master.m3u8")?;
    let uris = playlist::media_uris(&master);
    ensure!(!uris.is_empty(), "master.m3u8 names no playlist");
    uris.iter().map(|uri| whole(dir, uri)).collect()
}

/// Whether one media playlist is whole.
pub(crate) fn whole(dir: &Path, uri: &str) -> Result<Whole> {
    let media = Media::parse(&read(dir, uri)?).with_context(|| uri.to_owned())?;
    ensure!(media.ended, "{uri} has no EXT-X-ENDLIST: it was not finished");
    ensure!(!media.segments.is_empty(), "{uri} has no segments");
    // A segment's URI is relative to its playlist.
    let base = dir.join(uri);
    let base = base.parent().unwrap_or(dir);
    if let Some(map) = &media.map {
        size(base, map).with_context(|| format!("{uri}: the beginning of its segments"))?;
    }
    let sizes = media.segments.iter().map(|segment| size(base, &segment.part)).collect::<Result<Vec<_>>>()?;
    Ok(Whole { uri: uri.to_owned(), media, sizes })
}

/// Bytes of a part, which is there and not empty.
pub(crate) fn size(base: &Path, part: &Part) -> Result<u64> {
    let path = below(base, &part.uri)?;
    let metadata = fs::symlink_metadata(&path).with_context(|| format!("segment {}", part.uri))?;
    let (from, end) = match part.bytes {
        Some(bytes) => (bytes.from, bytes.end().unwrap_or(u64::MAX)),
        None => (0, metadata.len()),
    };
    ensure!(metadata.is_file() && end > from, "segment {} is empty", part.uri);
    ensure!(end <= metadata.len(), "segment {} is cut: {} bytes of {end}", part.uri, metadata.len());
    Ok(end - from)
}

/// Reads a playlist of a directory.
pub(crate) fn read(dir: &Path, uri: &str) -> Result<String> {
    let path = below(dir, uri)?;
    let bytes = small::read(&path, LARGEST).with_context(|| format!("read {uri}"))?;
    String::from_utf8(bytes).with_context(|| format!("read {uri}"))
}

/// The path of what a playlist names. It must lie in the playlist's own directory tree: what does not may go when it wants to,
/// and is not ours to count.
pub(crate) fn below(dir: &Path, uri: &str) -> Result<PathBuf> {
    let plain = Path::new(uri).components().all(|part| matches!(part, Component::Normal(_))) && !uri.contains(':');
    ensure!(plain, "{uri} lies outside of its directory");
    let path = dir.join(uri);
    if let (Some(parent), Ok(dir)) = (path.parent().and_then(|parent| parent.canonicalize().ok()), dir.canonicalize()) {
        ensure!(parent.starts_with(dir), "{uri} lies outside of its directory");
    }
    Ok(path)
}

/// Whether whole playlists, together, have all that their source has, and each of them its streams from beginning to end. Says
/// what each holds.
pub(crate) fn matches(dir: &Path, playlists: &[Whole], source: &Facts, stop: &AtomicBool) -> Result<Vec<Facts>> {
    let mut held = Vec::new();
    for playlist in playlists {
        let facts = ffprobe::playlist(dir, &playlist.uri, stop)?;
        compare(source, &facts, playlist.media.duration()).with_context(|| playlist.uri.clone())?;
        held.push(facts);
    }
    let any = |has: fn(&Facts) -> bool| held.iter().any(has);
    ensure!(source.video.is_none() || any(|facts| facts.video.is_some()), "the HLS has no video, and the MP4 has");
    ensure!(source.audio.is_none() || any(|facts| facts.audio.is_some()), "the HLS has no audio, and the MP4 has");
    Ok(held)
}

/// What whole playlists of a damaged recording hold: something, and no more than the recording.
pub(crate) fn decodable(dir: &Path, playlists: &[Whole], source: &Facts, stop: &AtomicBool) -> Result<Vec<Facts>> {
    let held = playlists.iter().map(|playlist| {
        let facts = ffprobe::playlist(dir, &playlist.uri, stop)?;
        let seconds = facts.duration;
        ensure!(seconds > 0.0, "nothing of it could be decoded");
        ensure!(seconds <= source.duration + tolerance(source.duration), "{} is longer than the MP4", playlist.uri);
        Ok(facts)
    });
    held.collect()
}

/// Whether renditions of one picture are cut at the same times, so that a player can go from one to another at each cut
/// (RFC 8216 §6.2.4). What is encoded has its frames at an even rate, and so each may lie half a frame beside that of the
/// recording itself: `rate` is in frames a second.
pub(crate) fn aligned(rungs: &[Whole], rate: f64) -> Result<()> {
    let frame = f64::max(0.05, 0.6 / rate.max(0.1));
    let cuts = |whole: &Whole| {
        let ends = whole.media.segments.iter().scan(0.0, |at, segment| {
            *at += segment.duration;
            Some(*at)
        });
        ends.collect::<Vec<_>>()
    };
    let Some((first, others)) = rungs.split_first() else { return Ok(()) };
    let wanted = cuts(first);
    for other in others {
        let cuts = cuts(other);
        let same = |(one, other): (&f64, &f64)| (one - other).abs() <= frame;
        // The last one ends where the rendition does, which is no cut.
        let inner = wanted.len().saturating_sub(1);
        ensure!(
            cuts.len() == wanted.len() && wanted[..inner].iter().zip(&cuts[..inner]).all(same),
            "{} is not cut where {} is",
            other.uri,
            first.uri
        );
    }
    Ok(())
}

/// The promise for one playlist, stream by stream. `listed` is the sum of its durations.
fn compare(source: &Facts, hls: &Facts, listed: f64) -> Result<()> {
    let video = |facts: &Facts| facts.video.as_ref().map(|video| video.span);
    let audio = |facts: &Facts| facts.audio.as_ref().map(|audio| audio.span);
    let tolerance = tolerance(source.duration);
    for (what, seconds) in [("lists", listed), ("holds", hls.duration)] {
        ensure!(
            (source.duration - seconds).abs() <= tolerance,
            "the HLS {what} {seconds:.2} s of the MP4's {:.2} s",
            source.duration
        );
    }
    for (kind, source, hls) in [("video", video(source), video(hls)), ("audio", audio(source), audio(hls))] {
        match (source, hls) {
            (Some(_), Some(None)) => bail!("its {kind} is empty"),
            (Some(Some(source)), Some(Some(hls))) => covers(kind, source, hls, tolerance)?,
            // In another playlist; or the container does not say how long it is, and the whole is as long as it should be.
            (_, None) | (Some(None), Some(Some(_))) => {}
            (None, Some(_)) => bail!("the HLS has {kind}, and the MP4 has none"),
        }
    }
    Ok(())
}

/// How many seconds more or less are still the same length: one, or half a percent, whichever is more.
pub(crate) fn tolerance(seconds: f64) -> f64 {
    f64::max(1.0, seconds * 0.005)
}

/// Whether a stream is there from its beginning to its end, give or take a second or half a percent, whichever is more:
/// variable frame rates and the edges of audio frames cost that much. It may be there for longer: what is shorter than the whole
/// film is filled up with silence, or with the last picture.
fn covers(kind: &str, source: Span, hls: Span, tolerance: f64) -> Result<()> {
    ensure!(
        hls.begins <= source.begins + tolerance && hls.ends >= source.ends - tolerance,
        "its {kind} is there from {:.2} s to {:.2} s, and the MP4's from {:.2} s to {:.2} s",
        hls.begins,
        hls.ends,
        source.begins,
        source.ends
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffprobe::{Audio, Video};

    fn facts(video: Option<f64>, audio: Option<f64>) -> Facts {
        Facts {
            duration: video.unwrap_or(0.0).max(audio.unwrap_or(0.0)),
            video: video.map(|ends| Video { span: Some(Span { begins: 0.0, ends }), ..Video::default() }),
            audio: audio.map(|ends| Audio { span: Some(Span { begins: 0.0, ends }), ..Audio::default() }),
            ..Facts::default()
        }
    }

    #[test]
    fn hls_is_accepted_only_with_all_that_its_source_has() {
        let both = facts(Some(20.0), Some(20.0));
        let cases = [
            ("all there", facts(Some(20.0), Some(19.98)), 20.0, true),
            ("variable frame rate", facts(Some(19.9), Some(20.0)), 19.9, true),
            ("a second less", facts(Some(19.0), Some(20.0)), 19.01, true),
            ("cut at half", facts(Some(10.0), Some(10.0)), 10.0, false),
            ("video ends early", facts(Some(6.0), Some(20.0)), 20.0, false),
            ("audio ends early", facts(Some(20.0), Some(6.0)), 20.0, false),
            ("the playlist leaves out what is in the segments", facts(Some(20.0), Some(20.0)), 6.0, false),
            ("longer than its source", facts(Some(25.0), Some(25.0)), 25.0, false),
        ];
        for (name, hls, listed, wanted) in cases {
            assert_eq!(compare(&both, &hls, listed).is_ok(), wanted, "{name}");
        }
        let empty = Facts { video: Some(Video::default()), ..facts(None, Some(0.9)) };
        assert!(compare(&facts(Some(0.9), Some(0.9)), &empty, 0.9).is_err(), "no packet at all");
        let late = |begins| Facts {
            audio: Some(Audio { span: Some(Span { begins, ends: 20.0 }), ..Audio::default() }),
            ..facts(Some(20.0), None)
        };
        assert!(compare(&late(5.0), &both, 20.0).is_ok(), "filled up with silence");
        assert!(compare(&both, &late(5.0), 20.0).is_err(), "audio begins late");
        assert!(compare(&facts(None, Some(9.0)), &facts(None, Some(9.0)), 9.0).is_ok(), "audio only");
        assert!(compare(&facts(None, Some(9.0)), &facts(Some(9.0), Some(9.0)), 9.0).is_err(), "video from nowhere");
    }

    #[test]
    fn half_a_percent_of_three_hours_is_allowed() {
        let source = facts(Some(10_800.0), Some(10_800.0));
        assert!(compare(&source, &facts(Some(10_750.0), Some(10_800.0)), 10_750.0).is_ok());
        assert!(compare(&source, &facts(Some(10_740.0), Some(10_800.0)), 10_740.0).is_err());
    }

    #[test]
    fn a_directory_is_complete_only_with_every_segment_and_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        let why = || complete(dir.path()).err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(why().contains("read master.m3u8"));
        put("master.m3u8", "");
        assert!(why().contains("names no playlist"));
        for elsewhere in ["../a.m3u8", "/etc/a.m3u8", "http:a.m3u8", "sub/../../a.m3u8"] {
            put("master.m3u8", &format!("#EXTM3U\n{elsewhere}\n"));
            assert!(why().contains("lies outside of its directory"), "{elsewhere}");
        }
        put("master.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nstream.m3u8\n");
        assert!(why().contains("read stream.m3u8"));
        put("stream.m3u8", "#EXTM3U\n#EXTINF:6,\na.ts\n");
        assert!(why().contains("no EXT-X-ENDLIST"));
        put("stream.m3u8", "#EXTM3U\n#EXT-X-ENDLIST\n");
        assert!(why().contains("no segments"));
        put("stream.m3u8", "#EXTM3U\n#EXTINF:6,\na.ts\n#EXT-X-ENDLIST\n");
        assert!(why().contains("segment a.ts"));
        put("a.ts", "");
        assert!(why().contains("a.ts is empty"));
        put("a.ts", "x");
        assert_eq!(complete(dir.path()).unwrap()[0].sizes, [1]);
        put("stream.m3u8", "#EXTM3U\n#EXTINF:6,\n#EXT-X-BYTERANGE:1@1\na.ts\n#EXT-X-ENDLIST\n");
        assert!(why().contains("a.ts is cut: 1 bytes of 2"), "{}", why());
        put("stream.m3u8", "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:6,\na.ts\n#EXT-X-ENDLIST\n");
        assert!(why().contains("segment init.mp4"), "{}", why());
        put("stream.m3u8", "#EXTM3U\n#EXTINF:6,\n../a.ts\n#EXT-X-ENDLIST\n");
        assert!(why().contains("../a.ts lies outside"));
    }

    #[test]
    fn renditions_are_aligned_to_half_a_frame() {
        let whole = |durations: &[f64]| {
            let segment = |duration: &f64| playlist::Segment { duration: *duration, part: Part::default() };
            let media = Media { segments: durations.iter().map(segment).collect(), ..Media::default() };
            Whole { uri: "a.m3u8".into(), media, sizes: Vec::new() }
        };
        let first = [6.0, 6.0, 3.0];
        // (name, the other's durations, frames a second, aligned)
        let cases: [(&str, &[f64], f64, bool); 5] = [
            ("the same", &first, 30.0, true),
            ("half a frame off", &[6.016, 5.984, 3.0], 30.0, true),
            ("half of a long frame off", &[6.2, 5.8, 3.0], 2.0, true),
            ("cut elsewhere", &[6.2, 5.8, 3.0], 30.0, false),
            ("a cut less", &[12.0, 3.0], 30.0, false),
        ];
        for (name, other, rate, wanted) in cases {
            assert_eq!(aligned(&[whole(&first), whole(other)], rate).is_ok(), wanted, "{name}");
        }
        assert!(aligned(&[whole(&first), whole(&[6.0, 6.0, 4.0])], 30.0).is_ok(), "the end is no cut");
    }
}
