//! The measurements of HLS notice what is wrong: each of these lies is told, and found.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use pipeline_tests::Bench;
use pipeline_tests::hls;
use pipeline_tests::media::{Clip, clip};

/// A ladder of two rungs with their sound apart, published by these settings.
fn ladder(bench: &mut Bench, settings: &[(&str, &str)]) -> std::path::PathBuf {
    for (key, value) in [("HLS_PROFILE", "abr")].iter().chain(settings) {
        bench.set(key, *value);
    }
    let room = bench.recorded_of(Clip::High, "standup");
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    room.join("v0")
}

/// What the measurements say of HLS of which one text in one playlist is another.
fn found(dir: &Path, playlist: &str, was: &str, is: &str) -> String {
    let path = dir.join(playlist);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(was), "{was}: {text}");
    fs::write(&path, text.replacen(was, is, 1)).unwrap();
    let said = found_as_it_is(dir);
    fs::write(&path, text).unwrap();
    said
}

fn found_as_it_is(dir: &Path) -> String {
    let check = || hls::check_all(dir, &clip(Clip::High), &[(180, 360), (240, 480)]);
    match catch_unwind(AssertUnwindSafe(check)) {
        Ok(_) => "nothing".to_owned(),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

#[test]
fn a_lie_of_a_playlist() {
    let mut bench = Bench::new();
    let dir = ladder(&mut bench, &[]);
    assert_eq!(found_as_it_is(&dir), "nothing");
    let master = fs::read_to_string(dir.join("master.m3u8")).unwrap();
    let says = |name: &str| hls::attribute(&master, name).unwrap();
    let changed = |name: &str, by: f64| {
        let said: f64 = says(name).parse().unwrap();
        (format!(":{name}={said},"), format!(":{name}={:.0},", said * by))
    };
    let ((peak, low), (_, high)) = (changed("BANDWIDTH", 0.98), changed("BANDWIDTH", 1.12));
    let average = format!("AVERAGE-BANDWIDTH={}", says("AVERAGE-BANDWIDTH"));
    let codecs = says("CODECS");
    let first = |playlist: &str| {
        let text = fs::read_to_string(dir.join(playlist)).unwrap();
        text.lines().find(|line| line.starts_with("#EXTINF:")).unwrap().to_owned()
    };
    let second = "480p_000001.ts";
    let cases: [(&str, &str, &str, &str); 12] = [
        ("master.m3u8", &peak, &low, "peak "),
        ("master.m3u8", &peak, &high, "peak "),
        ("master.m3u8", &average, "AVERAGE-BANDWIDTH=1000", "average "),
        ("master.m3u8", codecs, &codecs.replace("avc1.4D", "avc1.64"), "avc1"),
        ("master.m3u8", codecs, &codecs.replace("mp4a.40.2", "mp4a.40.5"), "mp4a.40.5"),
        ("master.m3u8", "240x480", "238x480", "238x480"),
        ("master.m3u8", "FRAME-RATE=30.000", "FRAME-RATE=25.000", "30.000"),
        ("master.m3u8", "FRAME-RATE=30.000", "FRAME-RATE=30", "30"),
        ("480p.m3u8", &first("480p.m3u8"), "#EXTINF:5.900000,", "the next begins"),
        ("480p.m3u8", "#EXT-X-TARGETDURATION:6", "#EXT-X-TARGETDURATION:5", "480p_000000.ts: 6"),
        ("audio.m3u8", "#EXT-X-TARGETDURATION:6", "#EXT-X-TARGETDURATION:7", "another target duration"),
        ("480p.m3u8", second, "480p_000000.ts", "0..."),
    ];
    for (playlist, was, is, wanted) in cases {
        let said = found(&dir, playlist, was, is);
        assert!(said != "nothing" && (said.contains(wanted) || wanted == "0..."), "{playlist}: {was} as {is}: {said}");
    }
}

#[test]
fn a_segment_that_begins_with_no_keyframe() {
    let mut bench = Bench::new();
    let dir = ladder(&mut bench, &[("HLS_SINGLE_FILE", "yes")]);
    assert_eq!(found_as_it_is(&dir), "nothing");
    let text = fs::read_to_string(dir.join("480p.m3u8")).unwrap();
    let ranges: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-BYTERANGE:")).collect();
    let numbers = |range: &str| {
        let (length, from) = range.split_once('@').unwrap();
        (length.parse::<u64>().unwrap(), from.parse::<u64>().unwrap())
    };
    // Some packets more for the first, which are the beginning of the second.
    let ((first, from), (second, then)) = (numbers(ranges[0]), numbers(ranges[1]));
    let later = text
        .replace(ranges[0], &format!("{}@{from}", first + 1880))
        .replace(ranges[1], &format!("{}@{}", second - 1880, then + 1880));
    let said = found(&dir, "480p.m3u8", &text, &later);
    assert!(said.contains("key: false"), "{said}");
}

#[test]
fn sound_that_is_late() {
    let mut bench = Bench::new();
    let dir = ladder(&mut bench, &[]);
    for name in ["audio_000000.ts", "audio_000001.ts"] {
        let (file, late) = (dir.join(name), bench.dir().join(name));
        fs::rename(&file, &late).unwrap();
        let args = ["-v", "error", "-nostdin", "-copyts", "-i"];
        let mut shift = std::process::Command::new("ffmpeg");
        shift.args(args).arg(late).args(["-c", "copy", "-output_ts_offset", "0.1", "-muxdelay", "0"]).arg(&file);
        assert!(shift.status().unwrap().success());
    }
    let said = found_as_it_is(&dir);
    assert!(said.contains("the picture began"), "{said}");
}
