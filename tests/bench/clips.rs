//! Recordings as Jibri makes them, long enough to measure an encode: made once with ffmpeg, and kept beside the test binaries.
//! What there is to read on them is this project's README.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Change it when a recipe changes.
const VERSION: u32 = 1;

/// How long each of them is.
pub(crate) const SECONDS: u32 = 48;

/// What is on a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text on white, another page every 12 s; for a while something moves over it.
    Slides,
    /// Two tiles full of detail, motion and noise: harder than what a call's own codec lets through.
    Camera,
    /// Slides, and two small tiles of that beside them.
    Both,
    /// Two people who move a little, as VP8 at a call's bit rate has left them.
    Call,
    /// Light text on black that moves up line by line, and one of these people in a corner.
    Talk,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Slides, Self::Camera, Self::Both, Self::Call, Self::Talk];

    /// Its name in the table and on the command line.
    pub(crate) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Jibri's current options, without its devices.
const JIBRI: &str = "-c:a aac -ar 44100 -b:a 128k -ac 2 -c:v libx264 -pix_fmt yuv420p -r 30 -crf 25 -preset ultrafast \
                     -profile:v main -level 3.1 -f mp4";

/// The path of a clip of so many lines, which is made if it is not there yet.
pub(crate) fn clip(kind: Kind, height: u32) -> PathBuf {
    let dir = dir();
    let path = dir.join(format!("{}-{height}.mp4", kind.name()));
    kept(&path, |tmp| make(kind, height, &dir, tmp));
    path
}

/// A clip so many times after itself, not encoded again.
pub(crate) fn repeated(kind: Kind, height: u32, times: u32) -> PathBuf {
    let once = clip(kind, height);
    let path = dir().join(format!("{}-{height}-{times}.mp4", kind.name()));
    kept(&path, |tmp| {
        let again = (times - 1).to_string();
        ffmpeg(&dir(), &["-stream_loop", &again, "-i", once.to_str().unwrap(), "-c", "copy", "-f", "mp4"], tmp);
    });
    path
}

fn dir() -> PathBuf {
    let dir = pipeline_tests::binary("").join(format!("bench-media-{VERSION}"));
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn kept(path: &Path, make: impl FnOnce(&Path)) {
    if !path.exists() {
        let tmp = path.with_extension("tmp");
        make(&tmp);
        fs::rename(tmp, path).unwrap();
    }
}

fn make(kind: Kind, height: u32, dir: &Path, to: &Path) {
    let width = height * 16 / 9;
    let mut inputs = vec![speech()];
    let graph = match kind {
        Kind::Slides => format!("{}[v]", slides(width, height, dir)),
        Kind::Camera => {
            inputs.push(detail(width / 2, height));
            "[1:v]split[a][b];[b]hflip,eq=brightness=0.06[c];[a][c]hstack[v]".to_owned()
        }
        Kind::Both => {
            inputs.push(detail(width / 8 * 2, height / 8 * 2));
            format!(
                "{}[s];[1:v]split[a][b];[b]hflip[c];[s][a]overlay=W-w:0[d];[d][c]overlay=W-w:h+20[v]",
                slides(width, height, dir)
            )
        }
        Kind::Call => {
            inputs.extend([person(dir, 11, 22), person(dir, 77, 35)]);
            let tile = width / 2 - 12;
            format!(
                "color=0x040404:s={width}x{height}:r=30[w];[1:v]scale={tile}:-2[a];[2:v]scale={tile}:-2[b];\
                 [w][a]overlay=6:(H-h)/2[c];[c][b]overlay=W-w-6:(H-h)/2[v]"
            )
        }
        Kind::Talk => {
            inputs.push(person(dir, 77, 35));
            let (text, size) = (page(dir, 0, 400), height / 40);
            format!(
                "color=0x1e1e2e:s={width}x{height}:r=30,drawtext=textfile={text}:expansion=none:fontsize={size}:x=30:\
                 y=20-floor(t)*{}:fontcolor=0xcdd6f4:line_spacing=4[t];[1:v]scale={}:-2[p];[t][p]overlay=W-w-10:10[v]",
                size + 4,
                width / 10 * 2
            )
        }
    };
    let seconds = SECONDS.to_string();
    let mut args = Vec::new();
    for input in &inputs {
        args.extend(if input.contains('=') { vec!["-f", "lavfi", "-i", input] } else { vec!["-i", input] });
    }
    args.extend(["-filter_complex", &graph, "-map", "[v]", "-map", "0:a", "-t", &seconds]);
    args.extend(JIBRI.split_whitespace());
    ffmpeg(dir, &args, to);
}

/// Noise of a voice's pitches in a voice's rhythm.
fn speech() -> String {
    format!(
        "anoisesrc=c=pink:a=0.3:d={SECONDS},highpass=200,lowpass=3500,tremolo=f=4:d=0.9,aformat=channel_layouts=stereo"
    )
}

fn slides(width: u32, height: u32, dir: &Path) -> String {
    let size = height / 32;
    let mut graph = format!("color=white:s={width}x{height}:r=30");
    for number in 0..4 {
        let text = page(dir, number * 22, 22);
        let _ = write!(
            graph,
            ",drawtext=textfile={text}:expansion=none:fontsize={size}:x=40:y=40:fontcolor=0x203050:line_spacing={}:\
             enable='between(t,{},{}.999)'",
            size / 4,
            number * 12,
            number * 12 + 11
        );
    }
    // Something like a pointer, a quarter of the time.
    graph + ",drawbox=x='iw/2+200*sin(t)':y='ih/2+100*cos(t*0.7)':w=12:h=18:color=black:t=fill:enable='lt(mod(t,20),5)'"
}

/// Lines of the README as a file, by its name in `dir`.
fn page(dir: &Path, from: usize, count: usize) -> String {
    let name = format!("page-{from}-{count}.txt");
    let lines: Vec<_> = include_str!("../../README.md").lines().skip(from).take(count).collect();
    fs::write(dir.join(&name), lines.join("\n")).unwrap();
    name
}

/// A slow flight over a fractal, with the noise of a bad camera.
fn detail(width: u32, height: u32) -> String {
    format!(
        "mandelbrot=s={}x{}:r=30:start_scale=2.2:end_scale=0.9:end_pts=6000:maxiter=300,\
         scale={width}:{height}:flags=bilinear,noise=alls=4:allf=t",
        width / 4 * 2,
        height / 4 * 2
    )
}

/// Somebody before a room that is out of focus: sways, blinks, talks, and has been through a call's codec. Its file's name in
/// `dir`.
fn person(dir: &Path, seed: u32, sway: u32) -> String {
    let name = format!("person-{seed}.webm");
    let room = format!(
        "color=0x807868:s=160x90:r=1:d=1,noise=c0s=90:c1s=24:c2s=24:all_seed={seed},gblur=sigma=3,eq=contrast=3,\
         scale=640:360:flags=bicubic,noise=c0s=12:c0_seed={},loop=-1:1:0,fps=30",
        seed + 1
    );
    let oval = |width: u32, height: u32, middle: u32| {
        format!(
            "color=black:s={width}x{height}:r=1:d=1,format=gray,\
             geq=lum='255*lt(hypot((X-{0})/({0}*0.9),(Y-{middle})/({middle}*0.95)),1)',gblur=sigma=3,loop=-1:1:0,fps=30",
            width / 2
        )
    };
    let face = "color=0xc09878:s=60x80:r=1:d=1,noise=c0s=50:c1s=12:c2s=12:all_seed=5,gblur=sigma=1.5,eq=contrast=1.6,\
                scale=240:320:flags=bicubic,noise=c0s=14:c0_seed=6,loop=-1:1:0,fps=30,\
                drawbox=x=60:y=90:w=30:h=12:c=0x302018:t=fill,\
                drawbox=x=150:y=90:w=30:h=12:c=0x302018:t=fill:enable='gt(mod(t,3.1),0.15)',\
                drawbox=x=85:y=190:w=70:h='8+14*abs(sin(t*9))*gt(sin(t*0.9),-0.3)':c=0x602828:t=fill";
    let shirt = "color=0x304878:s=105x50:r=1:d=1,noise=c0s=60:c1s=20:c2s=20:all_seed=7,gblur=sigma=1,\
                 scale=420:200:flags=bicubic,loop=-1:1:0,fps=30";
    let graph = format!(
        "{room}[room];{face},format=yuv420p[f];{}[m];[f][m]alphamerge[head];{shirt},format=yuv420p[s];{}[n];\
         [s][n]alphamerge[body];[room][body]overlay=x='(W-w)/2+{sway}*sin(t*0.6)*0.6':y=190[a];\
         [a][head]overlay=x='(W-w)/2+{sway}*sin(t*0.7)+6*sin(t*2.3)':y='20+5*sin(t*1.9)',\
         noise=c0s=6:c0f=t+u:c1s=3:c1f=t:c2s=3:c2f=t[v]",
        oval(240, 320, 150),
        oval(420, 200, 200)
    );
    kept(&dir.join(&name), |tmp| {
        let vp8 = "-c:v libvpx -deadline realtime -cpu-used 6 -b:v 600k -g 3000 -pix_fmt yuv420p -f webm";
        let seconds = SECONDS.to_string();
        let mut args = vec!["-filter_complex", &graph, "-map", "[v]", "-t", &seconds];
        args.extend(vp8.split_whitespace());
        ffmpeg(dir, &args, tmp);
    });
    name
}

fn ffmpeg(cwd: &Path, args: &[&str], to: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y"]).args(args).arg(to).current_dir(cwd);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
