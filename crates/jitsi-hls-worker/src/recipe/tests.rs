use rec_core::config::{Extras, WindowCloses};

use super::*;

pub(crate) fn settings(profile: Profile) -> Hls {
    Hls {
        profile,
        max_source_bitrate: 5_000_000,
        segment_type: SegmentType::Ts,
        single_file: false,
        segment_seconds: 6,
        accept_damaged: false,
        extras: Extras { poster: false, previews: false, chapters: false },
        jobs: None,
        window: None,
        window_closes: WindowCloses::Finish,
        freeze_max: std::time::Duration::ZERO,
        min_free: 0,
        nice: 0,
        time_factor: 20,
        tries: 3,
    }
}

/// A minute as Jibri records it today, changed by `edit`.
pub(crate) fn jibri(edit: impl FnOnce(&mut Video, &mut Audio)) -> Facts {
    let span = Some(Span { begins: 0.0, ends: 60.0 });
    let mut video = Video {
        span,
        width: 1280,
        height: 720,
        rate: 30.0,
        bits: Some(1_800_000),
        codec: "h264".into(),
        profile: "Constrained Baseline".into(),
        pixels: "yuv420p".into(),
        fields: "progressive".into(),
        keyframes: (0..8).map(|number| f64::from(number) * 25.0 / 3.0).collect(),
        ..Video::default()
    };
    let mut audio = Audio { span, codec: "aac".into(), profile: "LC".into(), channels: 2, edited: false };
    edit(&mut video, &mut audio);
    Facts { duration: 60.0, video: Some(video), audio: Some(audio), ..Facts::default() }
}

/// `name WxH how` of each rung.
fn told(recipe: &Recipe) -> Vec<String> {
    let how = |how| match how {
        How::Copy => "copied",
        How::Encode(Some(_)) => "capped",
        How::Encode(None) => "encoded",
    };
    recipe.rungs.iter().map(|rung| format!("{} {}x{} {}", rung.name, rung.width, rung.height, how(rung.how))).collect()
}

type Edit = fn(&mut Video, &mut Audio);

#[test]
fn what_is_made_of_a_recording() {
    let as_it_is: Edit = |_, _| ();
    let full_hd: Edit = |v, _| (v.width, v.height) = (1920, 1080);
    let noisy: Edit = |v, _| (v.width, v.height, v.bits) = (1920, 1080, Some(9_150_000));
    let portrait: Edit = |v, _| (v.width, v.height) = (720, 1280);
    let low: Edit = |v, _| (v.width, v.height) = (320, 180);
    let odd: Edit = |v, _| (v.width, v.height) = (641, 361);
    let at_480: Edit = |v, _| (v.width, v.height) = (854, 480);
    let turned: Edit = |v, _| v.turned = true;
    let hevc: Edit = |v, _| v.codec = "hevc".into();
    let ten_bits: Edit = |v, _| v.pixels = "yuv420p10le".into();
    let predictive: Edit = |v, _| v.profile = "High 4:4:4 Predictive".into();
    let interlaced: Edit = |v, _| v.fields = "tt".into();
    let rare: Edit = |v, _| v.keyframes = vec![0.0, 30.0];
    let headless: Edit = |v, _| v.keyframes = vec![8.0, 16.0];
    let ends_early: Edit = |v, _| v.span = Some(Span { begins: 0.0, ends: 40.0 });
    let begins_late: Edit = |v, _| v.span = Some(Span { begins: 2.0, ends: 60.0 });
    let a_little_late: Edit = |v, _| {
        v.span = Some(Span { begins: 0.3, ends: 60.0 });
        v.keyframes.iter_mut().for_each(|keyframe| *keyframe += 0.3);
    };
    let silent_bits: Edit = |v, _| v.bits = None;
    let cases: [(&str, Profile, Edit, &[&str]); 30] = [
        ("the script's", Profile::P480, as_it_is, &["480p 854x480 encoded"]),
        ("full HD", Profile::P480, full_hd, &["480p 854x480 encoded"]),
        ("portrait", Profile::P480, portrait, &["480p 270x480 encoded"]),
        ("never enlarged", Profile::P480, low, &["180p 320x180 encoded"]),
        ("even sides", Profile::P480, odd, &["360p 640x360 encoded"]),
        ("a ladder", Profile::Abr, as_it_is, &["720p 1280x720 capped", "480p 854x480 capped", "360p 640x360 capped"]),
        (
            "a ladder of HD",
            Profile::Abr,
            full_hd,
            &["720p 1280x720 capped", "480p 854x480 capped", "360p 640x360 capped"],
        ),
        ("a short ladder", Profile::Abr, at_480, &["480p 854x480 capped", "360p 640x360 capped"]),
        ("no ladder", Profile::Abr, low, &["180p 320x180 capped"]),
        ("passed on", Profile::Source, as_it_is, &["source 1280x720 copied"]),
        ("passed on, however large", Profile::Source, noisy, &["source 1920x1080 copied"]),
        ("passed on, of unknown size", Profile::Source, silent_bits, &["source 1280x720 copied"]),
        ("to be turned", Profile::Source, turned, &["source 1280x720 encoded"]),
        ("not H.264", Profile::Source, hevc, &["source 1280x720 encoded"]),
        ("ten bits", Profile::Source, ten_bits, &["source 1280x720 encoded"]),
        ("no browser's profile", Profile::Source, predictive, &["source 1280x720 encoded"]),
        ("interlaced", Profile::Source, interlaced, &["source 1280x720 encoded"]),
        ("keyframes too rare", Profile::Source, rare, &["source 1280x720 encoded"]),
        ("no keyframe at first", Profile::Source, headless, &["source 1280x720 encoded"]),
        ("a picture that ends early", Profile::Source, ends_early, &["source 1280x720 encoded"]),
        ("a picture that begins late", Profile::Source, begins_late, &["source 1280x720 encoded"]),
        ("a picture that begins a little late", Profile::Source, a_little_late, &["source 1280x720 copied"]),
        (
            "hybrid of a picture that begins a little late",
            Profile::Hybrid,
            a_little_late,
            &["source 1280x720 capped", "480p 854x480 capped", "360p 640x360 capped"],
        ),
        (
            "hybrid",
            Profile::Hybrid,
            as_it_is,
            &["source 1280x720 copied", "480p 854x480 capped", "360p 640x360 capped"],
        ),
        (
            "hybrid, too large",
            Profile::Hybrid,
            noisy,
            &["source 1920x1080 capped", "480p 854x480 capped", "360p 640x360 capped"],
        ),
        (
            "hybrid of HEVC",
            Profile::Hybrid,
            hevc,
            &["source 1280x720 capped", "480p 854x480 capped", "360p 640x360 capped"],
        ),
        ("hybrid of 480", Profile::Hybrid, at_480, &["source 854x480 copied", "360p 640x360 capped"]),
        ("hybrid of little", Profile::Hybrid, low, &["source 320x180 copied"]),
        ("hybrid of an odd size", Profile::Hybrid, odd, &["source 640x360 copied"]),
        (
            "hybrid, portrait",
            Profile::Hybrid,
            portrait,
            &["source 720x1280 copied", "480p 270x480 capped", "360p 202x360 capped"],
        ),
    ];
    for (name, profile, edit, wanted) in cases {
        assert_eq!(told(&recipe(&settings(profile), &jibri(edit))), wanted, "{name}");
    }
}

#[test]
fn sound_is_passed_on_where_players_take_it_as_it_is() {
    let mono: Edit = |_, a| a.channels = 1;
    let high_efficiency: Edit = |_, a| a.profile = "HE-AAC".into();
    let opus: Edit = |_, a| a.codec = "opus".into();
    let late: Edit = |_, a| a.span = Some(Span { begins: 2.0, ends: 60.0 });
    let short: Edit = |_, a| a.span = Some(Span { begins: 0.0, ends: 4.0 });
    let edited: Edit = |_, a| a.edited = true;
    let as_it_is: Edit = |_, _| ();
    for (name, profile, edit, wanted) in [
        ("stereo AAC-LC", Profile::P480, as_it_is, Sound::Copy),
        ("mono", Profile::P480, mono, Sound::Encode),
        ("HE-AAC", Profile::P480, high_efficiency, Sound::Encode),
        ("Opus", Profile::P480, opus, Sound::Encode),
        ("sound that begins later", Profile::P480, late, Sound::Encode),
        ("sound of which an edit list leaves some out", Profile::P480, edited, Sound::Encode),
        ("sound that ends early", Profile::P480, short, Sound::Copy),
        ("sound that ends early, apart", Profile::Abr, short, Sound::EncodePadded),
    ] {
        assert_eq!(recipe(&settings(profile), &jibri(edit)).sound, Some(wanted), "{name}");
    }
    let silent = Facts { audio: None, ..jibri(as_it_is) };
    assert_eq!(recipe(&settings(Profile::P480), &silent).sound, None);
    let only_sound = Facts { video: None, ..jibri(as_it_is) };
    let recipe = recipe(&settings(Profile::Hybrid), &only_sound);
    assert_eq!((recipe.rungs.len(), recipe.playlists()), (0, vec!["stream.m3u8".to_owned()]));
}

#[test]
fn renditions_beside_a_copied_one_are_cut_where_it_is() {
    let recipe = |profile, edit: Edit| recipe(&settings(profile), &jibri(edit)).cuts;
    let Cuts::At(cuts) = recipe(Profile::Hybrid, |_, _| ()) else { panic!() };
    assert_eq!(cuts.len(), 8, "{cuts:?}");
    assert_eq!(recipe(Profile::Source, |_, _| ()), Cuts::Regular);
    assert_eq!(recipe(Profile::Abr, |_, _| ()), Cuts::Regular);
    assert_eq!(recipe(Profile::Hybrid, |v, _| v.bits = Some(9_000_000)), Cuts::Regular);
}

#[test]
fn ffmpeg_cuts_at_the_first_keyframe_after_each_multiple() {
    let every = |step: f64, count: u32| (0..count).map(|number| f64::from(number) * step).collect::<Vec<_>>();
    assert_eq!(boundaries(&every(2.0, 10), 6.0), [0.0, 6.0, 12.0, 18.0]);
    assert_eq!(boundaries(&every(4.0, 9), 6.0), [0.0, 8.0, 12.0, 20.0, 24.0, 32.0]);
    assert_eq!(boundaries(&every(8.5, 4), 6.0), [0.0, 8.5, 17.0, 25.5]);
    // After a long one, each of the next is due until the count has caught up.
    assert_eq!(boundaries(&[0.0, 19.0, 20.0, 21.0, 22.0, 24.0], 6.0), [0.0, 19.0, 20.0, 21.0, 24.0]);
    assert_eq!(boundaries(&[], 6.0), [] as [f64; 0]);
}

#[test]
fn a_picture_that_ends_before_the_sound_stays() {
    let facts = jibri(|v, _| v.span = Some(Span { begins: 0.0, ends: 40.0 }));
    assert!((recipe(&settings(Profile::P480), &facts).stay - 20.0).abs() < 1e-9);
    assert!(recipe(&settings(Profile::P480), &jibri(|_, _| ())).stay.abs() < 1e-9);
}

#[test]
fn the_bytes_to_reckon_with_grow_with_length_and_renditions() {
    let bytes = |profile| recipe(&settings(profile), &jibri(|_, _| ())).bytes();
    assert!(bytes(Profile::P480) < bytes(Profile::Source) && bytes(Profile::Source) < bytes(Profile::Hybrid));
    // 1.56 Mb/s for a minute is 11.7 MB.
    assert_eq!(bytes(Profile::P480), 16_380_000);
}
