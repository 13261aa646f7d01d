//! Whether HLS is whole, and whether it is all of its MP4: what stands between a recording and its deletion.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail, ensure};

use crate::ffprobe;
use crate::probed::{Facts, Span};
use rec_core::hls::Whole;

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
    use crate::probed::{Audio, Video};
    use rec_core::playlist::{Media, Part, Segment};

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
    fn renditions_are_aligned_to_half_a_frame() {
        let whole = |durations: &[f64]| {
            let segment = |duration: &f64| Segment { duration: *duration, part: Part::default() };
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
