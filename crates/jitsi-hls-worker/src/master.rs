//! The master playlist, as we write it from what was measured (RFC 8216 §4.3.4).

use std::fmt::Write as _;

/// A rendition of the picture, or the only one of the sound, as the master playlist announces it (§4.3.4.2).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Variant {
    /// Its media playlist.
    pub(crate) uri: String,
    /// Bits a second, measured: at most, and on average.
    pub(crate) peak: u64,
    pub(crate) average: u64,
    /// RFC 6381 names of what is in it.
    pub(crate) codecs: Vec<String>,
    /// Width and height; none where there is no picture.
    pub(crate) resolution: Option<(u32, u32)>,
    /// Frames a second at most.
    pub(crate) rate: Option<f64>,
}

/// The master playlist of these renditions; `sound` is that which all of them share.
pub(crate) fn master(variants: &[Variant], sound: Option<&Variant>) -> String {
    // Renditions apart came with version 4.
    let version = if sound.is_some() { 4 } else { 3 };
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    if let Some(sound) = sound {
        let _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"{}\"",
            sound.uri
        );
    }
    for variant in variants {
        // What a player has to fetch of both.
        let (peak, average) = sound.map_or((0, 0), |sound| (sound.peak, sound.average));
        let (peak, average) = (variant.peak + peak, variant.average + average);
        let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average}");
        if let Some((width, height)) = variant.resolution {
            let _ = write!(text, ",RESOLUTION={width}x{height}");
        }
        if let Some(rate) = variant.rate {
            let _ = write!(text, ",FRAME-RATE={rate:.3}");
        }
        let codecs: Vec<_> =
            variant.codecs.iter().chain(sound.iter().flat_map(|sound| &sound.codecs)).cloned().collect();
        if !codecs.is_empty() {
            let _ = write!(text, ",CODECS=\"{}\"", codecs.join(","));
        }
        if sound.is_some() {
            text.push_str(",AUDIO=\"sound\"");
        }
        let _ = write!(text, "\n{}\n", variant.uri);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rec_core::playlist::media_uris;

    fn variant(name: &str, peak: u64, resolution: Option<(u32, u32)>, codec: &str) -> Variant {
        let uri = format!("{name}.m3u8");
        let rate = resolution.map(|_| 30_000.0 / 1001.0);
        Variant { uri, peak, average: peak / 2, codecs: vec![codec.into()], resolution, rate }
    }

    #[test]
    fn the_master_playlist_tells_what_was_measured() {
        let mut one = variant("stream", 342_460, Some((854, 480)), "avc1.4D401E");
        one.codecs.push("mp4a.40.2".into());
        assert_eq!(
            master(&[one], None),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n\
             #EXT-X-STREAM-INF:BANDWIDTH=342460,AVERAGE-BANDWIDTH=171230,RESOLUTION=854x480,FRAME-RATE=29.970,\
             CODECS=\"avc1.4D401E,mp4a.40.2\"\nstream.m3u8\n"
        );
        let only_sound = master(&[variant("stream", 130_000, None, "mp4a.40.2")], None);
        assert!(!only_sound.contains("RESOLUTION") && !only_sound.contains("FRAME-RATE"), "{only_sound}");
    }

    #[test]
    fn renditions_that_share_a_sound_are_as_wide_as_both() {
        let rungs = [("720p", 2_000_000, (1280, 720)), ("480p", 1_000_000, (854, 480))];
        let rungs = rungs.map(|(name, peak, size)| variant(name, peak, Some(size), "avc1.4D401F"));
        let sound = variant("audio", 130_000, None, "mp4a.40.2");
        let text = master(&rungs, Some(&sound));
        for line in [
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"audio.m3u8\"",
            "#EXT-X-STREAM-INF:BANDWIDTH=2130000,AVERAGE-BANDWIDTH=1065000,RESOLUTION=1280x720,FRAME-RATE=29.970,\
             CODECS=\"avc1.4D401F,mp4a.40.2\",AUDIO=\"sound\"",
        ] {
            assert!(text.lines().any(|is| is == line), "{line}\n{text}");
        }
        assert_eq!(media_uris(&text), ["720p.m3u8", "480p.m3u8", "audio.m3u8"]);
    }
}
