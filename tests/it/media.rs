//! Real recordings of many kinds, from finalize to HLS that plays; conformance.rs has others, and each profile.

use std::fs;
use std::path::Path;
use std::process::Command;

use pipeline_tests::media::{self, Clip, clip, ffmpeg};
use pipeline_tests::processes::disturbed_ffmpeg;
use pipeline_tests::{Bench, assert_published, hls, run};

/// Options of x264 and AAC for the small films that are made here.
const SMALL: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac";

/// Publishes a film, and holds its HLS against it.
#[track_caller]
fn published(make: impl FnOnce(&Path), size: Option<(u64, u64)>) {
    let bench = Bench::new();
    let (source, room) = (bench.dir().join("source.mp4"), bench.room("standup"));
    make(&source);
    media::age(&source, std::time::Duration::from_secs(60));
    fs::copy(&source, room.join("meeting.mp4")).unwrap();
    bench.finalize(&room).exits(0);
    let out = bench.worker().exits(0);
    let done = [
        "Process room=standup mp4=meeting.mp4",
        "Notion updated to HLS. Deleting mp4 room=standup",
        "Worker run complete.",
    ];
    assert_eq!(out.messages(), done);
    assert_eq!(bench.only_row().status().as_deref(), Some("published"));
    assert_published(&room);
    hls::check(&room.join("v0"), &source, size);
}

#[track_caller]
fn published_clip(kind: Clip, size: Option<(u64, u64)>) {
    published(|to| assert!(fs::copy(clip(kind), to).is_ok()), size);
}

/// A film from options for ffmpeg.
#[track_caller]
fn published_film(args: &str, size: Option<(u64, u64)>) {
    published(|to| ffmpeg(&format!("{args} -f mp4"), to), size);
}

#[test]
fn a_recording_of_an_older_jibri() {
    published_clip(Clip::Old, Some((854, 480)));
}

#[test]
fn a_low_picture_is_not_made_larger() {
    published_clip(Clip::Low, Some((640, 360)));
}

#[test]
fn a_picture_of_four_to_three_keeps_its_shape() {
    published_clip(Clip::FourThree, Some((640, 480)));
}

#[test]
fn a_portrait_keeps_its_shape() {
    published_clip(Clip::Portrait, Some((270, 480)));
}

#[test]
fn an_odd_size_becomes_even() {
    published_clip(Clip::Odd, Some((640, 360)));
}

#[test]
fn full_colour_becomes_what_the_main_profile_can_hold() {
    published_clip(Clip::Full, Some((640, 480)));
}

#[test]
fn an_index_in_front() {
    published_clip(Clip::FastStart, Some((320, 180)));
}

#[test]
fn a_fragmented_file() {
    published_clip(Clip::Fragmented, Some((320, 180)));
}

#[test]
fn ten_bits_of_high_dynamic_range() {
    let hdr = "-f lavfi -i testsrc2=s=320x180:r=30:d=4 -c:v libx265 -x265-params log-level=error -pix_fmt yuv420p10le \
               -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -tag:v hvc1";
    published_film(hdr, Some((320, 180)));
}

#[test]
fn a_cover_image_is_not_the_picture() {
    published(|to| with_cover(Clip::Jibri, to), Some((320, 180)));
}

#[test]
fn a_cover_image_of_a_sound_recording_is_no_picture() {
    published(|to| with_cover(Clip::AudioOnly, to), None);
}

/// A clip with a red square as its cover, before all other streams.
fn with_cover(kind: Clip, to: &Path) {
    let cover = to.with_file_name("cover.jpg");
    ffmpeg("-f lavfi -i color=red:s=64x64 -frames:v 1 -update 1", &cover);
    let mut join = Command::new("ffmpeg");
    join.args(["-v", "error", "-nostdin", "-i"]).arg(cover).arg("-i").arg(clip(kind));
    join.args(["-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", "-f", "mp4"]).arg(to);
    assert!(join.status().unwrap().success());
}

#[test]
fn a_data_track_is_left_out() {
    let timecode =
        format!("-f lavfi -i testsrc2=s=320x180:r=30:d=4 -f lavfi -i sine=440:d=4 {SMALL} -timecode 01:00:00:00");
    published_film(&timecode, Some((320, 180)));
}

#[test]
fn a_picture_that_is_to_be_turned_is_turned() {
    published(
        |to| {
            let flat = to.with_file_name("flat.mp4");
            fs::copy(clip(Clip::Jibri), &flat).unwrap();
            let mut turn = Command::new("ffmpeg");
            turn.args(["-v", "error", "-nostdin", "-i"]).arg(&flat);
            turn.args(["-c", "copy", "-metadata:s:v:0", "rotate=90"]).arg(to);
            assert!(turn.status().unwrap().success());
            let sides = hls::probe(&["-show_entries", "stream_side_data=rotation"], to).to_string();
            assert!(sides.contains("rotation"), "{sides}");
        },
        Some((180, 320)),
    );
}

#[test]
fn mono_of_48_khz_becomes_stereo() {
    let mono = format!("-f lavfi -i testsrc2=s=320x180:r=30:d=4 -f lavfi -i sine=440:r=48000:d=4 {SMALL} -ac 1");
    published_film(&mono, Some((320, 180)));
}

#[test]
fn a_picture_that_ends_before_the_sound() {
    let short = format!("-f lavfi -i testsrc2=s=320x180:r=30:d=4 -f lavfi -i sine=440:d=15 {SMALL}");
    published_film(&short, Some((320, 180)));
}

#[test]
fn sound_that_ends_before_the_picture() {
    let short = format!("-f lavfi -i testsrc2=s=320x180:r=30:d=15 -f lavfi -i sine=440:d=4 {SMALL}");
    published_film(&short, Some((320, 180)));
}

#[test]
fn half_a_second() {
    let short = format!("-f lavfi -i testsrc2=s=320x180:r=30:d=0.5 -f lavfi -i sine=440:d=0.5 {SMALL}");
    published_film(&short, Some((320, 180)));
}

#[test]
fn sound_that_begins_later() {
    let late = format!("-f lavfi -i testsrc2=s=320x180:r=30:d=8 -itsoffset 2 -f lavfi -i sine=440:d=6 {SMALL}");
    published_film(&late, Some((320, 180)));
}

#[test]
fn a_picture_that_begins_later() {
    let late = format!("-itsoffset 2 -f lavfi -i testsrc2=s=320x180:r=30:d=6 -f lavfi -i sine=440:d=8 {SMALL}");
    published_film(&late, Some((320, 180)));
}

#[test]
fn a_picture_that_stands_still_at_first() {
    let still = format!(
        "-f lavfi -i testsrc2=s=320x180:r=30:d=20,select='eq(n,0)+gt(t,12)' -f lavfi -i sine=440:d=20 {SMALL} -vsync vfr"
    );
    published_film(&still, Some((320, 180)));
}

#[test]
fn a_huge_frame_rate() {
    let fast = format!("-f lavfi -i testsrc2=s=64x64:r=1000:d=4 -f lavfi -i sine=440:d=4 {SMALL}");
    published_film(&fast, Some((64, 64)));
}

#[test]
fn an_ffmpeg_without_zimg_scales_by_its_own_scaler() {
    let without = |name: &str| format!("No such filter: '{name}'");
    let told = run(Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(clip(Clip::Jibri)).args([
        "-filter_complex",
        "zscaler",
        "-f",
        "null",
        "-",
    ]));
    assert!(told.stderr.contains(&without("zscaler")), "as real ones say: {}", told.stderr);

    let bench = Bench::new();
    let room = bench.finalized("standup");
    let (asked, line) = (bench.dir().join("asked"), without("zscale"));
    let refuse =
        format!("echo \"$*\" >> '{}'; case \" $* \" in *zscale*) echo \"{line}\" >&2; exit 1 ;; esac", asked.display());
    run(bench.command("jitsi-hls-worker").env("PATH", disturbed_ffmpeg(&bench, &refuse))).exits(0);
    let asked: Vec<_> = fs::read_to_string(asked).unwrap().lines().map(|line| line.contains("zscale")).collect();
    assert_eq!(asked, [true, false]);
    assert_published(&room);
}
