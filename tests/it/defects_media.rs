//! The scripts' defect F, HLS that is not what it says: gone. The matrix of media is elsewhere.

use std::fs;

use pipeline_tests::Bench;
use pipeline_tests::hls::playlist::Media;
use pipeline_tests::hls::{attribute, probe};
use pipeline_tests::media::Clip;

/// Publishes a clip; its room, and its master playlist.
fn published(bench: &Bench, clip: Clip) -> (std::path::PathBuf, String) {
    let room = bench.recorded_of(clip, format!("{clip:?}"));
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    let master = fs::read_to_string(room.join("v0/master.m3u8")).unwrap();
    (room, master)
}

#[test]
fn the_picture_is_never_upscaled_and_resolution_says_what_it_is() {
    let bench = Bench::new();
    for (clip, size) in
        [(Clip::Jibri, "320x180"), (Clip::Low, "640x360"), (Clip::FourThree, "640x480"), (Clip::Portrait, "270x480")]
    {
        let (room, master) = published(&bench, clip);
        assert_eq!(attribute(&master, "RESOLUTION"), Some(size), "{clip:?}");
        let video = &probe(&["-select_streams", "v:0", "-show_streams"], &room.join("v0/seg_000000.ts"))["streams"][0];
        assert_eq!(format!("{}x{}", video["width"], video["height"]), size, "{clip:?}");
    }
}

#[test]
fn bandwidth_is_measured_codecs_are_named_and_segments_are_cut_where_they_should_be() {
    let bench = Bench::new();
    let (room, master) = published(&bench, Clip::Hd);
    let stream = Media::read(&room.join("v0/stream.m3u8"));
    let durations: Vec<f64> = stream.segments.iter().map(|segment| segment.seconds).collect();
    let near = |seconds: f64, wanted: f64| (seconds - wanted).abs() < 0.1;
    assert!(
        matches!(durations[..], [first, last] if near(first, 6.0) && near(last, 4.0)),
        "10 s in segments of 6: {durations:?}"
    );
    let rates: Vec<f64> = stream.segments.iter().map(|segment| segment.piece.bits() / segment.seconds).collect();
    let peak = rates.iter().copied().fold(0.0, f64::max);
    let declared: f64 = attribute(&master, "BANDWIDTH").unwrap().parse().unwrap();
    assert!(declared >= peak - 1.0 && declared < peak * 1.1, "{declared} for {rates:?}");
    assert_eq!(attribute(&master, "RESOLUTION"), Some("854x480"));
    let video = ["-select_streams", "v:0", "-show_entries", "stream=level:frame=key_frame"];
    for segment in &stream.segments {
        let (name, said) = (&segment.name, probe(&video, &segment.piece.path));
        let level = said["streams"][0]["level"].as_u64().unwrap();
        assert_eq!(attribute(&master, "CODECS").unwrap(), format!("avc1.4D40{level:02X},mp4a.40.2"));
        assert_eq!(said["frames"][0]["key_frame"], 1, "{name} does not begin with a keyframe");
    }
}

#[test]
fn a_recording_of_sound_alone_says_nothing_of_a_picture() {
    let bench = Bench::new();
    let (_, master) = published(&bench, Clip::AudioOnly);
    assert!(!master.contains("RESOLUTION"), "{master}");
    assert_eq!(attribute(&master, "CODECS"), Some("mp4a.40.2"));
}
