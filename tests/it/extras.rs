//! What is made beside the renditions: a poster, previews, chapters.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_tests::media::{self, Clip, clip, ffmpeg, word};
use pipeline_tests::processes::{path_with, real_ffmpeg, start};
use pipeline_tests::{Bench, assert_published, hls, listing, run, wait_for};

/// A film as Jibri makes them, a keyframe every 8.4 s, but with few frames and no sound, so that it can be long.
const SPARSE: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -r 5 -g 42 -f mp4";

/// A cue: from when to when, in seconds, and its text.
type Cue = (f64, f64, String);

/// Reads a `WebVTT` file strictly, and asserts that it goes without a gap from 0 to the end of its recording.
#[track_caller]
fn cues(file: &Path, end: f64) -> Vec<Cue> {
    let text = fs::read_to_string(file).unwrap();
    let mut blocks = text.strip_suffix('\n').unwrap().split("\n\n");
    assert_eq!(blocks.next(), Some("WEBVTT"), "{text}");
    let cues: Vec<_> = blocks
        .map(|block| {
            let (times, content) = block.split_once('\n').unwrap();
            let (from, to) = times.split_once(" --> ").unwrap();
            (seconds(from), seconds(to), content.to_owned())
        })
        .collect();
    assert!(cues.iter().all(|cue| cue.0 < cue.1 && !cue.2.contains('\n')), "{text}");
    assert!(cues.windows(2).all(|two| two[0].1.to_bits() == two[1].0.to_bits()), "{text}");
    assert!(cues.first().is_some_and(|cue| cue.0 == 0.0), "{text}");
    assert!(cues.last().is_some_and(|cue| (cue.1 - end).abs() < 0.05), "{end}: {text}");
    cues
}

/// The seconds of `hh:mm:ss.mmm`.
#[track_caller]
fn seconds(stamp: &str) -> f64 {
    let (time, thousandths) = stamp.split_once('.').unwrap();
    let parts: Vec<f64> = time.split(':').map(|part| part.parse().unwrap()).collect();
    let [hours, minutes, seconds] = parts[..] else { panic!("{stamp}") };
    assert!(minutes < 60.0 && seconds < 60.0 && thousandths.len() == 3, "{stamp}");
    hours * 3600.0 + minutes * 60.0 + seconds + thousandths.parse::<f64>().unwrap() / 1000.0
}

/// A preview: from when on it is shown, its sheet, and where it is on it.
struct Preview {
    at: f64,
    sheet: PathBuf,
    /// x, y, width, height.
    area: [u64; 4],
}

/// The previews of the HLS in `dir`, each of which must lie on its sheet and have the shape of the recording's picture.
#[track_caller]
fn previews(dir: &Path, source: &Path) -> Vec<Preview> {
    let read = |(at, _, content): &Cue| {
        let (sheet, area) = content.split_once("#xywh=").unwrap();
        let area: Vec<u64> = area.split(',').map(|number| number.parse().unwrap()).collect();
        Preview { at: *at, sheet: dir.join(sheet), area: area.try_into().unwrap() }
    };
    let previews: Vec<_> = cues(&dir.join("previews.vtt"), length(source)).iter().map(read).collect();
    let (width, height) = shown_size(source);
    let mut sheets: BTreeMap<&Path, (u64, u64)> = BTreeMap::new();
    for (preview, number) in previews.iter().zip(0..) {
        let [x, y, w, h] = preview.area;
        let sheet = *sheets.entry(&preview.sheet).or_insert_with(|| size(&preview.sheet));
        assert!(x + w <= sheet.0 && y + h <= sheet.1, "{:?} of {sheet:?}", preview.area);
        assert!(w.max(h) <= 160 && w.abs_diff(h * width / height) <= 2, "{w}x{h} of {width}x{height}");
        assert_eq!((x % w, y % h), (0, 0));
        let before = &previews[..number];
        assert!(before.iter().all(|other| other.sheet != preview.sheet || other.area != preview.area), "twice");
    }
    previews
}

fn size(image: &Path) -> (u64, u64) {
    let probe = hls::probe(&["-show_entries", "stream=width,height"], image);
    (probe["streams"][0]["width"].as_u64().unwrap(), probe["streams"][0]["height"].as_u64().unwrap())
}

/// How large a film's picture is on a screen.
fn shown_size(source: &Path) -> (u64, u64) {
    let entries = "stream=width,height:stream_side_data=rotation";
    let probe = hls::probe(&["-select_streams", "v:0", "-show_entries", entries], source);
    let stream = &probe["streams"][0];
    let (width, height) = (stream["width"].as_u64().unwrap(), stream["height"].as_u64().unwrap());
    let turned = stream["side_data_list"][0]["rotation"].as_i64().is_some_and(|degrees| degrees % 180 != 0);
    if turned { (height, width) } else { (width, height) }
}

fn length(source: &Path) -> f64 {
    let probe = hls::probe(&["-show_entries", "format=duration"], source);
    probe["format"]["duration"].as_str().unwrap().parse().unwrap()
}

/// The pixels, red, green and blue, of what ffmpeg makes of these options and this filter.
#[track_caller]
fn pixels(before: &[&str], file: &Path, filter: &str) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin"]).args(before).arg("-i").arg(file);
    command.args(["-frames:v", "1", "-vf", filter, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let output = command.output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty(), "{command:?}");
    output.stdout
}

/// How far two colours are apart.
fn apart(one: &[u8], other: &[u8]) -> u32 {
    one.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(*b))).sum()
}

/// Publishes a film alone.
fn published(bench: &Bench, source: &Path) -> PathBuf {
    let room = bench.room("standup");
    fs::copy(source, room.join("meeting.mp4")).unwrap();
    media::age(&room.join("meeting.mp4"), std::time::Duration::from_secs(60));
    bench.finalize(&room).exits(0);
    let out = bench.worker().exits(0);
    assert!(!out.stderr.contains("WARNING"), "{}", out.stderr);
    assert_published(&room);
    room.join("v0")
}

/// The names in a directory that are no playlist and no segment.
fn extras(dir: &Path) -> Vec<String> {
    let names = listing(dir).into_iter().map(|name| name.into_string().unwrap());
    names.filter(|name| !["seg_", "master.", "stream.", "recording."].iter().any(|hls| name.starts_with(hls))).collect()
}

const BOTH: [&str; 3] = ["poster.jpg", "previews.vtt", "previews_000.jpg"];

#[test]
fn every_kind_of_recording_with_a_picture_gets_a_poster_and_previews() {
    let bench = Bench::with_pictures();
    let films = bench.dir().join("films");
    fs::create_dir(&films).unwrap();
    let small = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -f mp4";
    let half = format!("-f lavfi -i testsrc2=s=320x180:r=30:d=0.5 -f lavfi -i sine=440:d=0.5 {small}");
    let late = format!("-itsoffset 2 -f lavfi -i testsrc2=s=320x180:r=30:d=6 -f lavfi -i sine=440:d=8 {small}");
    let short = format!("-f lavfi -i testsrc2=s=320x180:r=30:d=4 -f lavfi -i sine=440:d=15 {small}");
    let tiny = format!("-f lavfi -i testsrc2=s=64x64:r=30:d=4 {small}");
    let wide = format!("-f lavfi -i testsrc2=s=1920x1080:r=5:d=4 {small}");
    let turned = format!("-i {} -c copy -metadata:s:v:0 rotate=90 -f mp4", word(&clip(Clip::Jibri)));
    let made = [
        ("half a second", half),
        ("its picture begins late", late),
        ("its picture ends early", short),
        ("tiny", tiny),
        ("wide", wide),
        ("turned", turned),
    ];
    for (name, args) in &made {
        ffmpeg(args, &films.join(name));
    }
    let clips = [Clip::Hd, Clip::Old, Clip::Portrait, Clip::FourThree, Clip::Odd, Clip::Full, Clip::Vfr, Clip::Silent];
    for kind in clips {
        fs::copy(clip(kind), films.join(format!("{kind:?}"))).unwrap();
    }
    for name in listing(&films) {
        let room = bench.room(&name);
        fs::copy(films.join(&name), room.join("meeting.mp4")).unwrap();
        media::age(&room.join("meeting.mp4"), std::time::Duration::from_secs(60));
        bench.finalize(&room).exits(0);
    }
    let out = bench.worker().exits(0);
    assert!(!out.stderr.contains("WARNING"), "{}", out.stderr);
    for name in listing(&films) {
        let (dir, source) = (bench.room(&name).join("v0"), films.join(&name));
        println!("{}", name.display());
        assert_eq!(extras(&dir), BOTH);
        // A keyframe every 8.33 s, or one of them in four, or the only one.
        let (long, picture_is_short) = (hls::seconds_of(&source) > 8.4, name == "its picture ends early");
        let count = previews(&dir, &source).len();
        assert_eq!(count, if long && !picture_is_short { 2 } else { 1 });
        let (width, height) = shown_size(&source);
        let (poster, wanted) = (size(&dir.join("poster.jpg")), width.min(1280));
        assert_eq!(poster.0, wanted);
        assert!(poster.1.abs_diff(height * wanted / width) <= 1, "{poster:?}");
        for extra in BOTH {
            let bytes = fs::read(dir.join(extra)).unwrap();
            assert!(!bytes.windows(7).any(|window| window == b"meeting"), "{extra} tells the MP4's name");
        }
    }
}

#[test]
fn a_recording_without_a_picture_gets_none() {
    let bench = Bench::with_pictures();
    assert_eq!(extras(&published(&bench, &clip(Clip::AudioOnly))), [""; 0]);
}

#[test]
#[ignore = "make test-long"]
fn a_preview_shows_the_picture_of_its_time_in_20_minutes_of_meeting() {
    let bench = Bench::with_pictures();
    let (minutes, source) = (bench.dir().join("minutes.mp4"), bench.dir().join("source.mp4"));
    // Another colour every second, far from those of the seconds around it.
    let colour = "geq=lum=60+mod(floor(T)*67\\,140):cb=60+mod(floor(T)*53\\,140):cr=60+mod(floor(T)*91\\,140)";
    let picture = format!("color=gray:s=4x4:r=5:d=120,{colour},scale=160:90:flags=neighbor");
    ffmpeg(&format!("-f lavfi -i {picture} {SPARSE}"), &minutes);
    let mut repeat = Command::new("ffmpeg");
    repeat.args(["-v", "error", "-nostdin", "-stream_loop", "9", "-i"]).arg(&minutes);
    assert!(repeat.args(["-c", "copy"]).arg(&source).status().unwrap().success());

    let dir = published(&bench, &source);
    assert_eq!(extras(&dir), ["poster.jpg", "previews.vtt", "previews_000.jpg", "previews_001.jpg"]);
    let previews = previews(&dir, &source);
    assert!((140..=150).contains(&previews.len()), "{}", previews.len());
    let steps = || previews.windows(2).map(|two| two[1].at - two[0].at);
    // Less where one round of the loop meets the next.
    assert!(steps().all(|step| step < 8.5) && steps().filter(|step| *step > 8.3).count() > 120);
    let of_preview = |preview: &Preview| {
        let [x, y, w, h] = preview.area;
        pixels(&[], &preview.sheet, &format!("crop={w}:{h}:{x}:{y},scale=1:1:flags=area"))
    };
    let last = previews.len() - 1;
    for number in [1, 2, 9, 10, 55, 99, 100, 101, last - 1, last] {
        let preview = of_preview(&previews[number]);
        let at = |seconds: f64| pixels(&["-ss", &format!("{seconds:.3}")], &source, "scale=1:1:flags=area");
        let (right, neighbour) = (at(previews[number].at), at(previews[number - 1].at));
        assert!(apart(&preview, &right) < 15, "{number}: {preview:?}, {right:?} in the film");
        assert!(apart(&preview, &neighbour) > 30, "{number}: the film tells too little");
    }
}

#[test]
fn the_poster_of_a_recording_that_begins_in_black_is_not_black() {
    let bench = Bench::with_pictures();
    let source = bench.dir().join("source.mp4");
    let black = "-f lavfi -i color=black:s=320x180:r=30:d=5 -f lavfi -i testsrc2=s=320x180:r=30:d=15";
    let join = "-filter_complex [0][1]concat -c:v libx264 -preset ultrafast -pix_fmt yuv420p -f mp4";
    ffmpeg(&format!("{black} {join}"), &source);
    assert!(pixels(&[], &source, "scale=32:18").iter().all(|value| *value < 20), "it begins in black");
    let poster = pixels(&[], &published(&bench, &source).join("poster.jpg"), "scale=32:18");
    assert!(poster.iter().filter(|value| **value > 100).count() > 100, "{poster:?}");
}

#[test]
fn each_of_them_is_made_only_if_it_is_wanted() {
    // Poster, previews, chapters, of which a still picture has none.
    let cases: [([&str; 3], &[&str]); 4] = [
        (["no", "yes", "no"], &BOTH[1..]),
        (["yes", "no", "no"], &BOTH[..1]),
        (["no", "no", "no"], &[]),
        (["no", "no", "yes"], &[]),
    ];
    for (values, wanted) in cases {
        let mut bench = Bench::with_pictures();
        for (key, value) in ["HLS_POSTER", "HLS_PREVIEWS", "HLS_CHAPTERS"].iter().zip(values) {
            bench.set(key, value);
        }
        assert_eq!(extras(&published(&bench, &clip(Clip::Short))), wanted, "{values:?}");
    }
}

#[test]
fn chapters_begin_with_the_slides_if_they_are_wanted() {
    let mut bench = Bench::with_pictures();
    bench.set("HLS_CHAPTERS", "yes");
    let source = bench.dir().join("source.mp4");
    let slide = |source: &str, seconds: u32| {
        format!("-f lavfi -i {source}=s=320x180:r=5,loop=-1:1:0,trim=duration={seconds},setpts=N/5/TB,format=yuv420p")
    };
    let slides = [slide("smptebars", 80), slide("testsrc", 100), slide("rgbtestsrc", 20), slide("pal100bars", 90)];
    ffmpeg(&format!("{} -filter_complex [0][1][2][3]concat=n=4 {SPARSE}", slides.join(" ")), &source);
    let dir = published(&bench, &source);
    assert_eq!(extras(&dir), ["chapters.vtt", BOTH[0], BOTH[1], BOTH[2]]);
    let cues = cues(&dir.join("chapters.vtt"), length(&source));
    let titles: Vec<_> = cues.iter().map(|cue| cue.2.as_str()).collect();
    assert_eq!(titles, ["Chapter 1", "Chapter 2", "Chapter 3"], "the third slide did not stand for long");
    for (cue, change) in cues[1..].iter().zip([80.0, 180.0]) {
        assert!(cue.0 <= change && cue.0 > change - 8.5, "{cue:?}: {change}");
    }
}

#[test]
fn a_picture_that_never_stands_still_has_no_chapters() {
    let mut bench = Bench::with_pictures();
    bench.set("HLS_CHAPTERS", "yes");
    let source = bench.dir().join("source.mp4");
    let moving = "-f lavfi -i life=s=160x90:r=5:mold=10:ratio=0.3:seed=1,format=yuv420p,scale=320:180";
    ffmpeg(&format!("{moving} -t 200 {SPARSE}"), &source);
    assert_eq!(extras(&published(&bench, &source)), BOTH);
}

/// A `PATH` whose ffmpeg does this where it is to make pictures, `$ffmpeg` being the real one.
fn path_where_pictures(bench: &Bench, script: &str) -> String {
    let real = real_ffmpeg();
    let script = format!("#!/bin/bash\nffmpeg='{real}'\n[[ $* = *jpg* ]] && {{ {script}; }}\nexec $ffmpeg \"$@\"\n");
    path_with(bench, &["ffmpeg"], &script)
}

#[test]
fn a_recording_whose_pictures_cannot_be_made_is_published_all_the_same() {
    let all = "no poster.jpg, no previews.vtt: ffmpeg: ";
    let cases = [
        ("fails", "echo oops >&2; exit 1", vec![format!("{all}oops (exit status: 1)")]),
        ("is killed", "$ffmpeg \"$@\"; kill -KILL $$", vec![format!("{all}signal: 9 (SIGKILL)")]),
        (
            "may write no more",
            "ulimit -f 4; ulimit -c 0; exec $ffmpeg \"$@\"",
            vec![format!("{all}signal: 25 (SIGXFSZ)")],
        ),
        (
            "loses the end of what it writes",
            "$ffmpeg \"$@\"; truncate -s -9 extras.tmp/*; exit 0",
            vec![
                "no poster.jpg: the picture is not whole".to_owned(),
                "no previews.vtt: previews_000.jpg is not whole".to_owned(),
            ],
        ),
        (
            "makes nothing",
            "exit 0",
            vec![
                "no poster.jpg: no keyframe could be decoded".to_owned(),
                "no previews.vtt: no keyframe could be decoded".to_owned(),
            ],
        ),
    ];
    for (what, script, wanted) in cases {
        let bench = Bench::with_pictures();
        let room = bench.finalized("standup");
        let path = path_where_pictures(&bench, script);
        let out = run(bench.command("jitsi-hls-worker").env("PATH", path)).exits(0);
        let said: Vec<_> = out.messages().into_iter().filter(|line| line.starts_with("WARNING")).collect();
        let wanted: Vec<_> = wanted.iter().map(|why| format!("WARNING: room=standup mp4=meeting.mp4: {why}")).collect();
        assert_eq!(said, wanted, "{what}");
        assert_published(&room);
        assert_eq!(extras(&room.join("v0")), [""; 0], "{what}");
        assert_eq!(bench.only_row().status().as_deref(), Some("published"), "{what}");
    }
}

#[test]
fn a_worker_that_is_stopped_while_pictures_are_made_leaves_none_and_makes_them_later() {
    let bench = Bench::with_pictures();
    let room = bench.finalized("standup");
    let path = path_where_pictures(&bench, "exec -a pictures sleep 600");
    let worker = start(bench.command("jitsi-hls-worker").env("PATH", path));
    wait_for("the pictures", || room.join("v0.tmp/extras.tmp").is_dir());
    worker.signal("TERM");
    worker.end().exits(75);
    assert!(!room.join("v0").exists() && !room.join("v0.tmp/extras.tmp").exists());
    bench.worker().exits(0);
    assert_eq!(extras(&room.join("v0")), BOTH);
}
