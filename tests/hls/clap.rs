//! Flashes and beeps: when a film shows and sounds them, by what a decoder makes of it.

use std::path::Path;
use std::process::Command;

use super::playlist::Master;
use super::rendition::film;

/// How far a beep may move against its flash: two frames of AAC, and less than what people notice.
const NOTICED: f64 = 0.05;

/// Asserts that flash and beep are together in each rendition as they were in the source, and as often.
#[track_caller]
pub fn check(dir: &Path, was: &Claps) {
    let master = Master::read(dir);
    let apart = master.audio.as_ref().map(|audio| beeps(film(dir, audio.text("URI")).path()));
    let count = was.flashes.len();
    for variant in &master.variants {
        let (film, name) = (film(dir, &variant.uri), &variant.uri);
        let beeps = apart.clone().unwrap_or_else(|| beeps(film.path()));
        let is = Claps { flashes: flashes(film.path()), beeps };
        assert_eq!((is.flashes.len(), is.beeps.len()), (count, count), "{name}: {is:?}, of {was:?}");
        for at in 0..count {
            let moved = is.step(at) - was.step(at);
            assert!(moved.abs() < NOTICED, "{name}: the sound moved by {moved} s at flash {at}: {is:?}, of {was:?}");
            let moved = is.since_first(at) - was.since_first(at);
            assert!(moved.abs() < NOTICED, "{name}: flash {at} moved by {moved} s: {is:?}, of {was:?}");
        }
    }
}

/// When a film flashes and beeps.
#[derive(Debug)]
pub struct Claps {
    flashes: Vec<f64>,
    beeps: Vec<f64>,
}

impl Claps {
    /// Those of a recording, of which there are some, and each flash has its beep.
    #[track_caller]
    pub fn of(source: &Path) -> Self {
        let claps = Self { flashes: flashes(source), beeps: beeps(source) };
        assert!(claps.flashes.len() > 2 && claps.flashes.len() == claps.beeps.len(), "{claps:?}");
        claps
    }

    fn step(&self, at: usize) -> f64 {
        self.beeps[at] - self.flashes[at]
    }

    fn since_first(&self, at: usize) -> f64 {
        self.flashes[at] - self.flashes[0]
    }
}

/// When the picture turns white.
fn flashes(film: &Path) -> Vec<f64> {
    // All of it turns white, so a few of its pixels tell.
    onsets(film, "v", "scale=32:-2:flags=neighbor,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-", 128.0)
}

/// When the sound begins, to 6 ms.
fn beeps(film: &Path) -> Vec<f64> {
    let level = "asetnsamples=256,astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=RMS_level,\
                 ametadata=print:key=lavfi.astats.Overall.RMS_level:file=-";
    onsets(film, "a", level, -20.0)
}

/// When what a filter measures rises above a threshold, at which it was not for a tenth of a second: a beep swings.
fn onsets(film: &Path, stream: &str, filter: &str, threshold: f64) -> Vec<f64> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-copyts", "-i"]).arg(film);
    command.args(["-map", &format!("0:{stream}:0"), &format!("-filter:{stream}"), filter, "-f", "null", "-"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let (mut time, mut above, mut onsets) = (0.0, f64::NEG_INFINITY, Vec::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        if let Some((_, at)) = line.split_once("pts_time:") {
            time = at.trim().parse().unwrap();
        } else if let Some((_, value)) = line.split_once('=')
            && value.parse::<f64>().is_ok_and(|value| value > threshold)
        {
            if time - above > 0.1 {
                onsets.push(time);
            }
            above = time;
        }
    }
    onsets
}
