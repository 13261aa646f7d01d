//! The ffmpeg command, and its run.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use rec_core::config::SegmentType;
use rec_core::fault;
use rec_core::lock::Lock;

use crate::ffprobe::beside;
use crate::nice::niced;
use crate::probed::{Facts, Video};
use crate::recipe::{Cuts, How, Recipe, Rung, Sound};
use crate::resume::Resume;
use crate::run::{Ended, Watch, run};

/// ffmpeg says twice a second how far it is. Five minutes in which that does not change are a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Where `veryfast` takes more pains than meetings are worth, and where less: found by measuring slides, cameras and both
/// (BENCHMARKS.md). Looking further ahead, and more frames that no other refers to, pay for all that is left out.
const X264: &str = "partitions=none:me=dia:subme=1:weightp=0:b-adapt=0:bframes=5:b-pyramid=none:rc-lookahead=15:\
                    scenecut=0:aq-strength=0.6:qcomp=0.8";

/// With those, and a sharper scaler, these are no worse than the script's 23, for at most a twentieth more bytes: the first of
/// a picture that moves all over, as cameras do, the second of pages that stand still, which [`X264`] shows better than the
/// script did. How much moves, the recorder has found out already: it is what it spent on it, in bits a pixel.
const CRF: [(f64, f64); 2] = [(0.050, 24.4), (0.025, 25.8)];

/// An encode of the MP4 `name` in the directory above `cwd` into segments and playlists in `cwd`.
pub(crate) struct Encode<'a> {
    pub(crate) cwd: &'a Path,
    pub(crate) name: &'a OsStr,
    pub(crate) source: &'a Facts,
    pub(crate) recipe: &'a Recipe,
    /// What an earlier run has made of it.
    pub(crate) resume: Option<&'a Resume>,
    /// Threads for the decoder, the filters and each encoder.
    pub(crate) threads: usize,
    /// Its niceness.
    pub(crate) nice: u32,
    /// Whether to scale by zimg, or by ffmpeg's own scaler.
    pub(crate) zimg: bool,
}

impl Encode<'_> {
    /// Its command line.
    pub(crate) fn command(&self) -> Command {
        let mut command = niced(self.nice);
        command.current_dir(self.cwd);
        // Level and repetition as words on each line, so that the lines can be counted.
        command.args(["-hide_banner", "-nostats", "-loglevel", "repeat+error"]);
        // Its stdin is the lock.
        command.arg("-nostdin");
        command.args(["-progress", "pipe:1"]);
        self.inputs(&mut command);
        self.pictures(&mut command);
        self.sound(&mut command);
        self.segments(&mut command);
        command
    }

    fn inputs(&self, command: &mut Command) {
        let times = self.resume.map(|resume| (resume.picture, resume.sound));
        if times.is_some() {
            // The clock of the first run goes on.
            command.args(["-copyts", "-start_at_zero"]);
        }
        self.input(command, times.map(|(picture, _)| picture));
        // Where the kept segments end, the sound may end a little before the picture or after it.
        if let (Some((_, sound)), Some(_)) = (times, self.recipe.sound) {
            self.input(command, Some(sound));
        }
    }

    fn input(&self, command: &mut Command, from: Option<f64>) {
        command.args(["-threads", &self.threads.to_string()]);
        if let Some(from) = from {
            command.args(["-ss", &format!("{from:.6}")]);
        }
        // One local file and nothing else: no playlist that calls itself MP4, no reference to another file or host.
        command.args(["-protocol_whitelist", "file", "-f", "mov"]).arg("-i").arg(beside(self.name));
    }

    fn pictures(&self, command: &mut Command) {
        let (Some(video), rungs) = (&self.source.video, &self.recipe.rungs) else { return };
        let encoded: Vec<_> = rungs.iter().enumerate().filter(|(_, rung)| rung.how != How::Copy).collect();
        if !encoded.is_empty() {
            command.args(["-filter_complex_threads", &self.threads.to_string()]);
            command.args(["-filter_complex", &self.filters(video, &encoded)]);
        }
        for (index, rung) in rungs.iter().enumerate() {
            match rung.how {
                How::Copy => command.args(["-map", "0:V:0", &format!("-c:v:{index}"), "copy"]),
                How::Encode(limit) => {
                    command.args(["-map", &format!("[v{index}]")]);
                    self.encoder(command, index, limit)
                }
            };
        }
    }

    /// One decoded picture, scaled for each of the rungs.
    fn filters(&self, video: &Video, encoded: &[(usize, &Rung)]) -> String {
        let stay = match self.recipe.stay {
            0.0 => String::new(),
            stay => format!("tpad=stop_mode=clone:stop_duration={stay:.3},"),
        };
        let mut graph = format!("[0:V:0]{stay}split={}", encoded.len());
        for (index, _) in encoded {
            let _ = write!(graph, "[s{index}]");
        }
        for (index, rung) in encoded {
            let _ = write!(graph, ";[s{index}]{},format=yuv420p[v{index}]", self.scaler(video, rung));
        }
        graph
    }

    fn scaler(&self, video: &Video, rung: &Rung) -> String {
        let Rung { width, height, .. } = rung;
        // zimg's sharpest cubic costs less than the soft one of ffmpeg's own scaler, and shows text as well as lanczos does
        // (BENCHMARKS.md). It wants even sides, and to know the colours of what it converts.
        let plain = ["yuv420p", "yuvj420p"].contains(&video.pixels.as_str());
        if self.zimg && plain && video.width.is_multiple_of(2) && video.height.is_multiple_of(2) {
            format!("zscale={width}:{height}:filter=bicubic:param_a=0:param_b=1")
        } else {
            format!("scale={width}:{height}:flags=lanczos")
        }
    }

    fn encoder<'c>(&self, command: &'c mut Command, index: usize, limit: Option<u64>) -> &'c mut Command {
        let mut set = |option: &str, value: &str| {
            command.args([&format!("-{option}:v:{index}"), value]);
        };
        set("c", "libx264");
        set("threads", &self.threads.to_string());
        set("profile", "main");
        set("preset", "veryfast");
        set("x264-params", X264);
        set("crf", &crf(self.source));
        if let Some(limit) = limit {
            set("maxrate", &limit.to_string());
            set("bufsize", &(2 * limit).to_string());
        }
        // Keyframes where a segment begins, and nowhere else: ffmpeg cuts only there, and all renditions at the same.
        set("g", "100000");
        set("keyint_min", "50000");
        set("force_key_frames", &self.keyframes());
        command
    }

    fn keyframes(&self) -> String {
        let (seconds, first) = (self.recipe.seconds, self.resume.map_or(0, |resume| resume.segments));
        match &self.recipe.cuts {
            Cuts::Regular => format!("expr:gte(t,({first}+n_forced)*{seconds})"),
            // Rounded down: the frame at that time, or the first one after it.
            Cuts::At(cuts) => {
                let floor = |at: &f64| format!("{:.3}", (at * 1000.0).floor() / 1000.0);
                cuts.iter().skip(first).map(floor).collect::<Vec<_>>().join(",")
            }
        }
    }

    fn sound(&self, command: &mut Command) {
        let Some(sound) = self.recipe.sound else { return };
        command.args(["-map", if self.resume.is_some() { "1:a:0" } else { "0:a:0" }]);
        if sound == Sound::Copy {
            command.args(["-c:a", "copy"]);
            return;
        }
        // Silence until a sound begins that begins later: a player wants both streams in the first segment.
        let mut filter = "aresample=async=1".to_owned();
        if self.resume.is_none() {
            filter.push_str(":first_pts=0");
        }
        if sound == Sound::EncodePadded {
            let _ = write!(
                filter,
                ",apad=whole_dur={:.3}",
                self.recipe.film - self.resume.map_or(0.0, |resume| resume.sound)
            );
        }
        command.args(["-af", &filter, "-c:a", "aac", "-b:a", "128k", "-ac", "2"]);
    }

    /// Fixed names, relative to the current directory: ffmpeg would expand a `%` in them.
    fn segments(&self, command: &mut Command) {
        let recipe = self.recipe;
        let (kind, extension, init) = match recipe.segment_type {
            SegmentType::Ts => ("mpegts", "ts", None),
            SegmentType::Fmp4 => ("fmp4", if recipe.single_file { "mp4" } else { "m4s" }, Some("init.mp4")),
        };
        // Each rendition would else be moved, by itself, to where its first decoding time is nought: those with frames out
        // of order by two of them, against the sound and the others. A transport stream begins at 1.4 s in any case.
        command.args(["-hls_segment_options", "avoid_negative_ts=disabled"]);
        if recipe.segment_type == SegmentType::Ts {
            command.args(["-avoid_negative_ts", "disabled"]);
        }
        command.args(["-f", "hls", "-hls_time", &self.hls_time(), "-hls_list_size", "0"]);
        // The playlist grows with the segments, so that a later run can go on from it.
        command.args(["-hls_playlist_type", "event", "-hls_segment_type", kind]);
        command.args(["-hls_flags", if recipe.single_file { "single_file" } else { "temp_file" }]);
        if let Some(resume) = self.resume {
            // What is passed on begins at its time too, and not at the keyframe that ffmpeg went back to.
            command.args(["-copypriorss", "0"]);
            command.args(["-start_number", &resume.segments.to_string()]);
        }
        if recipe.is_apart() {
            command.args(["-var_stream_map", &self.variants()]);
        }
        let (prefix, number) = match (recipe.is_apart(), recipe.single_file) {
            (false, false) => ("", "seg_%06d"),
            (false, true) => ("", "stream"),
            (true, false) => ("%v_", "%06d"),
            (true, true) => ("%v", ""),
        };
        if let Some(init) = init {
            command.args(["-hls_fmp4_init_filename", &format!("{prefix}{init}")]);
        }
        command.args(["-hls_segment_filename", &format!("{prefix}{number}.{extension}")]);
        command.arg(if recipe.is_apart() { "%v.m3u8" } else { crate::recipe::STREAM });
    }

    fn hls_time(&self) -> String {
        format!("{}", self.resume.map_or(f64::from(self.recipe.seconds), |resume| resume.seconds))
    }

    /// `v:0,agroup:sound,name:720p … a:0,agroup:sound,name:audio`
    fn variants(&self) -> String {
        let group = if self.recipe.sound.is_some() { ",agroup:sound" } else { "" };
        let rungs = self.recipe.rungs.iter().enumerate();
        let mut variants: Vec<_> = rungs.map(|(index, rung)| format!("v:{index}{group},name:{}", rung.name)).collect();
        variants.extend(self.recipe.sound.map(|_| "a:0,agroup:sound,name:audio".to_owned()));
        variants.join(" ")
    }
}

/// Whether an ffmpeg has failed for want of zimg, with which Debian's is built. To ask it beforehand would cost every run the start
/// of another process.
pub(crate) fn lacks_zimg(ended: &Ended) -> bool {
    ended.errors.iter().any(|line| line.contains("No such filter: 'zscale'"))
}

/// Runs the encode, with the directory's lock as its stdin. `report` hears twice a second how many seconds are done, after
/// `tick`.
pub(crate) fn encode(
    command: &mut Command,
    lock: &Lock,
    watch: &Watch<'_>,
    report: impl Fn(f64),
    mut tick: impl FnMut(),
) -> Result<Ended> {
    command.stdin(lock.as_stdin()?);
    let mut done = 0.0;
    run(command, watch, |line| {
        let Some(now) = out_time(line) else { return false };
        fault::point("ffmpeg is at work");
        tick();
        let progress = now > done;
        done = now;
        report(done);
        progress
    })
}

/// Seconds of output that a line of `-progress` tells. `out_time_ms` is in microseconds too, for historical reasons.
fn out_time(line: &str) -> Option<f64> {
    let microseconds: f64 = line.strip_prefix("out_time_us=")?.parse().ok()?;
    Some(microseconds / 1e6)
}

/// The quality to encode with, between the two of [`CRF`]; the better one where the file does not tell its bit rate.
fn crf(source: &Facts) -> String {
    let [(moving, best), (still, least)] = CRF;
    let spent = source.video.as_ref().and_then(|video| {
        #[expect(clippy::cast_precision_loss, reason = "bit rates are far below 2^52")]
        let bits = video.bits? as f64;
        let pixels = f64::from(video.width) * f64::from(video.height) * video.rate;
        (pixels > 0.0).then(|| bits / pixels)
    });
    let stillness = (moving - spent.unwrap_or(moving)) / (moving - still);
    format!("{:.1}", best + (least - best) * stillness.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rec_core::config::{Hls, Profile};

    fn args(name: &str, source: &Facts, edit: impl FnOnce(&mut Hls)) -> String {
        let mut settings = crate::recipe::tests::settings(Profile::P480);
        edit(&mut settings);
        let recipe = crate::recipe::recipe(&settings, source);
        let cwd = Path::new("/r/room/v0.tmp");
        let encode = Encode {
            cwd,
            name: OsStr::new(name),
            source,
            recipe: &recipe,
            resume: None,
            threads: 1,
            nice: 0,
            zimg: true,
        };
        encode.command().get_args().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    fn jibri() -> Facts {
        crate::recipe::tests::jibri(|_, _| ())
    }

    #[test]
    fn a_name_cannot_become_an_option_a_protocol_or_a_pattern() {
        for name in ["-y.mp4", "http:x.mp4", "a%03d.mp4", "concat:a|b.mp4"] {
            let args = args(name, &jibri(), |_| ());
            assert!(args.contains(&format!("-protocol_whitelist file -f mov -i file:../{name} ")), "{args}");
        }
    }

    #[test]
    fn only_streams_that_are_there_are_encoded() {
        let silent = args("a.mp4", &Facts { audio: None, ..jibri() }, |_| ());
        assert!(silent.contains("-map [v0]") && !silent.contains("-c:a"), "{silent}");
        let audio_only = args("a.mp4", &Facts { video: None, ..jibri() }, |_| ());
        assert!(audio_only.contains("-map 0:a:0") && !audio_only.contains("-c:v"), "{audio_only}");
    }

    #[test]
    fn pages_that_stand_still_need_fewer_bits_than_faces_that_move() {
        let crf = |kilobits: Option<u64>, width, height, rate| {
            crf(&crate::recipe::tests::jibri(|video, _| {
                (video.bits, video.width, video.height, video.rate) = (kilobits.map(|k| k * 1000), width, height, rate);
            }))
        };
        // (kbit/s, width, height, frames a second) -> CRF
        for (kilobits, width, height, rate, wanted) in [
            (Some(250), 1280, 720, 30.0, "25.8"),
            (Some(690), 1280, 720, 30.0, "25.8"),
            (Some(1_036), 1280, 720, 30.0, "25.1"),
            (Some(2_400), 1280, 720, 30.0, "24.4"),
            (Some(1_400), 1920, 1080, 30.0, "25.8"),
            (Some(6_200), 1920, 1080, 30.0, "24.4"),
            (None, 1280, 720, 30.0, "24.4"),
            (Some(500), 1280, 720, 0.0, "24.4"),
        ] {
            assert_eq!(crf(kilobits, width, height, rate), wanted, "{kilobits:?} kbit/s, {width}x{height} at {rate}");
        }
    }

    #[test]
    fn what_is_passed_on_is_neither_decoded_nor_filtered() {
        let source = args("a.mp4", &jibri(), |settings| settings.profile = Profile::Source);
        assert!(source.contains("-map 0:V:0 -c:v:0 copy -map 0:a:0 -c:a copy"), "{source}");
        assert!(!source.contains("filter") && !source.contains("libx264"), "{source}");
    }

    #[test]
    fn several_renditions_share_one_decoder_and_one_sound() {
        let hybrid = args("a.mp4", &jibri(), |settings| settings.profile = Profile::Hybrid);
        for part in [
            "[0:V:0]split=2[s1][s2];[s1]zscale=854:480:filter=bicubic:param_a=0:param_b=1,format=yuv420p[v1];[s2]zscale=640:360:",
            "-map 0:V:0 -c:v:0 copy -map [v1] -c:v:1 libx264",
            "-force_key_frames:v:2 0.000,8.333,16.666,25.000,33.333,41.666,50.000,58.333 ",
            "-var_stream_map v:0,agroup:sound,name:source v:1,agroup:sound,name:480p v:2,agroup:sound,name:360p \
             a:0,agroup:sound,name:audio -hls_segment_filename %v_%06d.ts %v.m3u8",
        ] {
            assert!(hybrid.contains(part), "{part}\n{hybrid}");
        }
        let silent = Facts { audio: None, ..jibri() };
        let ladder = args("a.mp4", &silent, |settings| settings.profile = Profile::Abr);
        assert!(ladder.contains("-var_stream_map v:0,name:720p v:1,name:480p v:2,name:360p "), "{ladder}");
    }

    #[test]
    fn segments_come_in_both_containers_and_in_one_file_or_many() {
        let names = |edit: fn(&mut Hls)| {
            let args = args("a.mp4", &jibri(), edit);
            args.split_once("-hls_segment_type ").unwrap().1.to_owned()
        };
        assert_eq!(names(|_| ()), "mpegts -hls_flags temp_file -hls_segment_filename seg_%06d.ts stream.m3u8");
        assert_eq!(
            names(|s| s.segment_type = SegmentType::Fmp4),
            "fmp4 -hls_flags temp_file -hls_fmp4_init_filename init.mp4 -hls_segment_filename seg_%06d.m4s stream.m3u8"
        );
        assert_eq!(
            names(|s| s.single_file = true),
            "mpegts -hls_flags single_file -hls_segment_filename stream.ts stream.m3u8"
        );
        assert!(
            names(|s| (s.profile, s.segment_type, s.single_file) = (Profile::Abr, SegmentType::Fmp4, true))
                .ends_with("-hls_fmp4_init_filename %vinit.mp4 -hls_segment_filename %v.mp4 %v.m3u8")
        );
    }

    #[test]
    fn a_resumed_encode_goes_on_where_the_kept_segments_end() {
        let (source, settings) = (jibri(), crate::recipe::tests::settings(Profile::P480));
        let recipe = crate::recipe::recipe(&settings, &source);
        let resume = Resume { segments: 5, seconds: 5.5, picture: 30.0, sound: 29.99 };
        let cwd = Path::new("/r/room/v0.tmp");
        let name = OsStr::new("a.mp4");
        let encode = Encode {
            cwd,
            name,
            source: &source,
            recipe: &recipe,
            resume: Some(&resume),
            threads: 1,
            nice: 0,
            zimg: true,
        };
        let args = encode.command().get_args().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ");
        for part in [
            "-copyts -start_at_zero -threads 1 -ss 30.000000 -protocol_whitelist file -f mov -i file:../a.mp4 ",
            "-ss 29.990000 -protocol_whitelist",
            "-force_key_frames:v:0 expr:gte(t,(5+n_forced)*6) ",
            "-map 1:a:0 -c:a copy ",
            "-hls_time 5.5 ",
            "-copypriorss 0 -start_number 5 ",
        ] {
            assert!(args.contains(part), "{part}\n{args}");
        }
    }

    #[test]
    fn progress_is_read() {
        assert_eq!(out_time("out_time_us=2500000"), Some(2.5));
        assert_eq!(out_time("out_time_us=N/A"), None);
        assert_eq!(out_time("out_time_ms=2500000"), None);
        assert_eq!(out_time("progress=end"), None);
    }
}
