//! Each kind of recording in each profile: HLS that is what it says, to a measurement, to parsers and to a player.

use std::path::{Path, PathBuf};

use pipeline_tests::hls::clap::{self, Claps};
use pipeline_tests::hls::{self, playlist::Media};
use pipeline_tests::media::{Clip, clip, ffmpeg, word};
use pipeline_tests::{Bench, players, rooms};

const PROFILES: [&str; 4] = ["480p", "abr", "source", "hybrid"];

/// Width and height.
type Size = (u64, u64);

/// What the profiles make of 240x480.
const NARROW: [&[Size]; 4] = [LOW, BOTH, LOW, BOTH];
const LOW: &[Size] = &[(240, 480)];
const BOTH: &[Size] = &[(180, 360), (240, 480)];

/// Keys of the env file.
type Settings<'a> = &'a [(&'a str, &'a str)];

/// Publishes a recording with some settings, and says where its HLS is.
#[track_caller]
fn publish(bench: &mut Bench, room: &str, source: &Path, settings: Settings<'_>) -> PathBuf {
    for (key, value) in settings {
        bench.set(key, *value);
    }
    let room = bench.room(room);
    std::fs::copy(source, room.join("meeting.mp4")).unwrap();
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    for (key, _) in settings {
        bench.unset(key);
    }
    assert_eq!(rooms::listing(&room), rooms::PUBLISHED, "{}", room.display());
    room.join("v0")
}

/// Publishes it, and holds the HLS against it.
#[track_caller]
fn published(bench: &mut Bench, room: &str, source: &Path, settings: Settings<'_>, sizes: &[Size]) -> PathBuf {
    let dir = publish(bench, room, source, settings);
    let master = hls::check_all(&dir, source, sizes);
    let names = match sizes.len() {
        0 | 1 => vec!["stream.m3u8".to_owned()],
        _ => {
            let is_top = |size: &Size| size == sizes.last().unwrap() && settings.contains(&("HLS_PROFILE", "hybrid"));
            let name = |size: &Size| if is_top(size) { "source".to_owned() } else { format!("{}p", size.1) };
            sizes.iter().map(|size| format!("{}.m3u8", name(size))).collect()
        }
    };
    let mut found: Vec<&str> = master.variants.iter().map(|variant| variant.uri.as_str()).collect();
    found.sort_by_key(|uri| names.iter().position(|name| name == uri));
    assert_eq!(found, names);
    dir
}

/// A clip in each profile, with the sizes of the pictures that each of them makes of it.
#[track_caller]
fn in_each_profile(kind: Clip, sizes: [&[Size]; 4]) {
    let mut bench = Bench::new();
    let source = clip(kind);
    let dirs: Vec<_> = PROFILES
        .iter()
        .zip(sizes)
        .map(|(profile, sizes)| published(&mut bench, profile, &source, &[("HLS_PROFILE", profile)], sizes))
        .collect();
    players::assert_parsed(&dirs);
}

#[test]
fn jibri_as_of_today() {
    let ladder = &[(640, 360), (854, 480), (1280, 720)];
    in_each_profile(Clip::Hd, [&[(854, 480)], ladder, &[(1280, 720)], ladder]);
}

#[test]
#[ignore = "make test-long"]
fn an_older_jibri() {
    let ladder = &[(640, 360), (854, 480), (1280, 720)];
    in_each_profile(Clip::Old, [&[(854, 480)], ladder, &[(1280, 720)], ladder]);
}

#[test]
#[ignore = "make test-long"]
fn full_hd() {
    let (low, full) = ([(640, 360), (854, 480)], (1920, 1080));
    in_each_profile(Clip::FullHd, [&low[1..], &[low[0], low[1], (1280, 720)], &[full], &[low[0], low[1], full]]);
}

#[test]
fn high_profile_of_480_lines() {
    in_each_profile(Clip::High, NARROW);
}

#[test]
#[ignore = "make test-long"]
fn four_to_three() {
    let (low, full) = ([(480, 360), (640, 480)], (1024, 768));
    in_each_profile(Clip::FourThree, [&low[1..], &[low[0], low[1], (960, 720)], &[full], &[low[0], low[1], full]]);
}

#[test]
#[ignore = "make test-long"]
fn portrait() {
    let (low, full) = ([(202, 360), (270, 480)], (720, 1280));
    in_each_profile(Clip::Portrait, [&low[1..], &[low[0], low[1], (406, 720)], &[full], &[low[0], low[1], full]]);
}

#[test]
fn uneven_times() {
    in_each_profile(Clip::Vfr, NARROW);
}

#[test]
fn silence() {
    in_each_profile(Clip::Silent, NARROW);
}

#[test]
fn sound_alone() {
    in_each_profile(Clip::AudioOnly, [&[]; 4]);
}

#[test]
fn a_picture_lower_than_all_renditions() {
    in_each_profile(Clip::Jibri, [&[(320, 180)]; 4]);
}

#[test]
#[ignore = "make test-long"]
fn three_hours() {
    let ladder = &[(12, 360), (16, 480)];
    in_each_profile(Clip::Long, [&ladder[1..], ladder, &ladder[1..], ladder]);
}

#[test]
#[ignore = "make test-long"]
fn mp4_segments_and_single_files() {
    let mut bench = Bench::new();
    let source = clip(Clip::High);
    let (fmp4, single) = (("HLS_SEGMENT_TYPE", "fmp4"), ("HLS_SINGLE_FILE", "yes"));
    let mut dirs = Vec::new();
    for (name, settings) in [("mp4", &[fmp4][..]), ("single", &[single]), ("single mp4", &[fmp4, single])] {
        for (profile, sizes) in PROFILES.into_iter().zip(NARROW) {
            let settings = [&[("HLS_PROFILE", profile)], settings].concat();
            let dir = published(&mut bench, &format!("{name} {profile}"), &source, &settings, sizes);
            let files = rooms::listing(&dir);
            let is = |end: &str| files.iter().filter(|file| file.to_str().unwrap().ends_with(end)).count();
            let playlists = if sizes.len() > 1 { sizes.len() + 1 } else { 1 };
            match name {
                "mp4" => assert!(is(".m4s") > playlists && is(".ts") == 0, "{files:?}"),
                "single" => assert_eq!((is(".ts"), is(".m4s")), (playlists, 0), "{files:?}"),
                _ => assert_eq!((is(".ts"), is(".m4s") + is(".mp4")), (0, playlists), "{files:?}"),
            }
            dirs.push(dir);
        }
        let settings = [&[("HLS_PROFILE", "hybrid")], settings].concat();
        dirs.push(published(&mut bench, &format!("{name} sound"), &clip(Clip::AudioOnly), &settings, &[]));
    }
    players::assert_parsed(&dirs);
}

#[test]
#[ignore = "make test-long"]
fn segments_of_other_lengths() {
    let mut bench = Bench::new();
    let source = clip(Clip::High);
    let mut dirs = Vec::new();
    for seconds in ["2", "5", "30"] {
        for (profile, sizes) in [("480p", LOW), ("abr", BOTH)] {
            let settings = [("HLS_PROFILE", profile), ("HLS_SEGMENT_SECONDS", seconds)];
            let dir = published(&mut bench, &format!("{profile} {seconds}"), &source, &settings, sizes);
            let name = if sizes.len() > 1 { "480p.m3u8" } else { "stream.m3u8" };
            let listed: Vec<f64> =
                Media::read(&dir.join(name)).segments.iter().map(|segment| segment.seconds).collect();
            let wanted: f64 = seconds.parse().unwrap();
            let (last, full) = listed.split_last().unwrap();
            assert!(full.iter().all(|is| (is - wanted).abs() < 0.05) && *last < wanted + 0.05, "{seconds}: {listed:?}");
            dirs.push(dir);
        }
    }
    players::assert_parsed(&dirs);
}

#[test]
fn what_is_copied_is_cut_at_its_own_keyframes() {
    let mut bench = Bench::new();
    // A keyframe every 2 s, and one every 250 frames.
    for (kind, seconds) in [(Clip::Old, 6.0), (Clip::Hd, 250.0 / 30.0)] {
        let settings = [("HLS_PROFILE", "source")];
        let dir = published(&mut bench, &format!("{kind:?}"), &clip(kind), &settings, &[(1280, 720)]);
        let first = Media::read(&dir.join("stream.m3u8")).segments[0].seconds;
        assert!((first - seconds).abs() < 0.01, "{kind:?}: {first}");
    }
}

#[test]
#[ignore = "make test-long"]
fn what_a_copy_cannot_hold_is_encoded() {
    let mut bench = Bench::new();
    let film = |name: &str, args: &str| {
        let film = bench.dir().join(format!("{name}.mp4"));
        ffmpeg(&format!("{args} -f mp4"), &film);
        film
    };
    let (sources, sound) = ("-f lavfi -i testsrc2=s=240x480:r=30:d=10 -f lavfi -i sine=440:d=10", "-c:a aac -ac 2");
    let video = "-pix_fmt yuv420p -c:v libx264 -preset veryfast";
    // A keyframe every 2 s, and no frame that refers to a later one.
    let plain = word(&film("plain", &format!("{sources} {video} -tune zerolatency -g 60 {sound}")));
    let open = format!("{sources} {video} -x264-params open-gop=1:keyint=60:bframes=3 {sound}");
    let films = [
        ("an edit list", film("edited", &format!("-ss 3.2 -i {plain} -c copy"))),
        (
            "a picture a little late",
            film("late", &format!("-itsoffset 0.3 -i {plain} -i {plain} -map 0:v -map 1:a -c copy")),
        ),
        ("an open GOP", film("open", &open)),
    ];
    for (name, film) in films {
        for (profile, sizes) in PROFILES.into_iter().zip(NARROW) {
            let dir = published(&mut bench, &format!("{name} {profile}"), &film, &[("HLS_PROFILE", profile)], sizes);
            assert_segments_stand_alone(&dir);
        }
    }
}

/// Asserts that a player may begin with any segment, as `EXT-X-INDEPENDENT-SEGMENTS` says.
#[track_caller]
fn assert_segments_stand_alone(dir: &Path) {
    let segments: Vec<_> =
        rooms::files_below(dir).into_iter().filter(|path| path.extension().is_some_and(|end| end == "ts")).collect();
    assert!(!segments.is_empty(), "{}", dir.display());
    let mut ffmpeg = std::process::Command::new("ffmpeg");
    // Each is an input of its own, with decoders of its own.
    ffmpeg.args(["-v", "error", "-nostdin"]);
    for segment in &segments {
        ffmpeg.arg("-i").arg(segment);
    }
    for input in 0..segments.len() {
        ffmpeg.args(["-map", &input.to_string()]);
    }
    let out = ffmpeg.args(["-f", "null", "-"]).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}: {out:?}", dir.display());
}

#[test]
#[ignore = "make test-long"]
fn sound_stays_with_its_picture() {
    let mut bench = Bench::new();
    let late = |shift: &str, of: &str| {
        let film = bench.dir().join(format!("{of} late.mp4"));
        let source = clip(Clip::Clap);
        let (sound, picture) = if of == "sound" { (shift, "0") } else { ("0", shift) };
        let inputs = ffmpeg_input(picture, &source) + &ffmpeg_input(sound, &source);
        ffmpeg(&format!("{inputs} -map 0:v -map 1:a -c copy -f mp4"), &film);
        film
    };
    let films = [
        ("together", clip(Clip::Clap)),
        ("sound late", late("1.3", "sound")),
        ("picture late", late("1.7", "picture")),
    ];
    for (name, film) in films {
        let claps = Claps::of(&film);
        for (profile, sizes) in PROFILES.into_iter().zip(NARROW) {
            let containers: &[_] = if name == "together" { &["ts", "fmp4"] } else { &["ts"] };
            for container in containers {
                let settings = [("HLS_PROFILE", profile), ("HLS_SEGMENT_TYPE", *container)];
                let dir = published(&mut bench, &format!("{name} {profile} {container}"), &film, &settings, sizes);
                clap::check(&dir, &claps);
            }
        }
    }
}

fn ffmpeg_input(shift: &str, source: &Path) -> String {
    format!("-itsoffset {shift} -i {} ", word(source))
}

#[test]
#[ignore = "make test-long"]
fn a_player_in_a_browser_shows_each_rendition_and_the_end() {
    let mut bench = Bench::new();
    let hd: &[Size] = &[(640, 360), (854, 480), (1280, 720)];
    let (fmp4, single) = (("HLS_SEGMENT_TYPE", "fmp4"), ("HLS_SINGLE_FILE", "yes"));
    let cases: [(&str, Clip, Settings<'_>, &[Size]); 9] = [
        ("480p", Clip::Sparse, &[], &[(854, 480)]),
        ("480p", Clip::AudioOnly, &[], &[]),
        ("abr", Clip::Silent, &[fmp4], BOTH),
        ("abr", Clip::Vfr, &[fmp4, single], BOTH),
        ("source", Clip::High, &[fmp4, single], LOW),
        ("source", Clip::AudioOnly, &[fmp4], &[]),
        ("source", Clip::Long, &[], &[(16, 480)]),
        ("hybrid", Clip::Sparse, &[], hd),
        ("hybrid", Clip::High, &[single], BOTH),
    ];
    let mut dirs = Vec::new();
    for (at, (profile, kind, settings, _)) in cases.iter().enumerate() {
        let settings = [&[("HLS_PROFILE", *profile)], *settings].concat();
        dirs.push(publish(&mut bench, &format!("{at} {profile} {kind:?}"), &clip(*kind), &settings));
    }
    let Some(watched) = players::watch(&dirs) else { return };
    for ((profile, kind, settings, sizes), seen) in cases.iter().zip(watched) {
        let what = format!("{profile} {kind:?} {settings:?}: {seen:?}");
        let heights: Vec<u64> = sizes.iter().map(|size| size.1).collect();
        let mut levels = seen.levels.clone();
        levels.retain(|height| *height > 0);
        assert_eq!(levels, heights, "{what}");
        // Down and up again.
        let switches = if heights.len() > 1 {
            [heights.iter().rev().copied().collect(), heights.clone()].concat()
        } else {
            vec![]
        };
        assert_eq!(seen.heights, switches, "{what}");
        assert_eq!(seen.frames > 0, *kind != Clip::AudioOnly, "{what}");
        assert_eq!(seen.sound > 0, *kind != Clip::Silent, "{what}");
        let wanted = hls::seconds_of(&clip(*kind));
        assert!((seen.seconds - wanted).abs() <= f64::max(1.0, wanted * 0.005), "{what}: of {wanted} s");
    }
}
