//! Real recordings, made once with ffmpeg and kept beside the test binaries.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Change it when a clip's recipe changes.
const VERSION: u32 = 10;

/// The kinds of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clip {
    /// 8 s of 320x180 with Jibri's own options: small, for tests that look at everything but the picture.
    Jibri,
    /// The same length and size, another picture and another tone.
    Other,
    /// The same length and pictures, another sound: a beep every other second.
    OtherSound,
    /// Half as long.
    Short,
    /// 2 s of 64x48: for tests that need many.
    Tiny,
    /// 2 s, for tests that make HLS hundreds of times.
    Moment,
    /// 10 s of 1280x720 with Jibri's current options.
    Hd,
    /// 9 s of 1920x1080, of few frames, with Jibri's current options otherwise: what it costs goes by them.
    FullHd,
    /// 10 s of 1280x720 with 5 frames a second: for browsers, to whom each one is work.
    Sparse,
    /// As Jibri recorded before 2025: veryfast, a keyframe every 2 s; of few frames.
    Old,
    /// 9 s of 240x480, in the high profile and with pictures that are told from later ones. Narrow, as those below: what a
    /// picture costs goes by its width, and which renditions it gets by its height.
    High,
    /// 9 s of 240x480 without audio.
    Silent,
    /// No video.
    AudioOnly,
    /// 640x360: lower than the rendition.
    Low,
    /// 1024x768, of few frames.
    FourThree,
    /// 720x1280, of few frames.
    Portrait,
    /// 641x361, in a pixel format that allows it.
    Odd,
    /// 4:4:4, which the main profile cannot hold.
    Full,
    /// 15 s of 240x480 with frames at uneven times.
    Vfr,
    /// 3 h of 16x480 with two frames a second, so that it costs seconds.
    Long,
    /// 9 s of 240x480 with a flash and a beep every 2 s.
    Clap,
    /// The index in front.
    FastStart,
    /// Fragmented, as a recorder writes that wants to survive a crash.
    Fragmented,
}

const JIBRI: &str = "-acodec aac -strict -2 -ar 44100 -b:a 128k -af aresample=async=1 -c:v libx264 -pix_fmt yuv420p -r 30 -crf 25 \
     -preset ultrafast -profile:v main -level 3.1 -timestamp now -f mp4";

/// The path of a clip, which is made if it is not there yet.
pub fn clip(clip: Clip) -> PathBuf {
    let dir = super::binary("").join(format!("test-media-{VERSION}"));
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join(format!("{clip:?}.mp4"));
    if !path.exists() {
        let tmp = dir.join(format!("{clip:?}.{}.{:?}.tmp", std::process::id(), std::thread::current().id()));
        make(clip, &tmp);
        fs::rename(tmp, &path).unwrap();
    }
    path
}

/// Copies a clip to where a test wants it, with a time a minute ago: closed, and not just now.
pub fn put(kind: Clip, to: &Path) {
    fs::copy(clip(kind), to).unwrap();
    age(to, Duration::from_secs(60));
}

/// Sets a file's time to so long ago.
pub fn age(file: &Path, by: Duration) {
    File::options().append(true).open(file).unwrap().set_modified(SystemTime::now() - by).unwrap();
}

/// Overwrites the middle third of a file with zeros.
pub fn zero_middle(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let third = bytes.len() / 3;
    bytes[third..2 * third].fill(0);
    fs::write(file, bytes).unwrap();
    age(file, Duration::from_secs(60));
}

/// Cuts a file down to this part of its length.
pub fn cut(file: &Path, part: f64) {
    let length = fs::metadata(file).unwrap().len();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a small file"
    )]
    let length = (length as f64 * part) as u64;
    File::options().write(true).open(file).unwrap().set_len(length).unwrap();
    age(file, Duration::from_secs(60));
}

fn make(clip: Clip, to: &Path) {
    let picture = |size: &str, seconds: u32| format!("testsrc2=s={size}:r=30:d={seconds}");
    // Jibri records two channels.
    let tone = |hertz: u32, seconds: u32| format!("sine={hertz}:d={seconds},aformat=channel_layouts=stereo");
    let jibri = JIBRI;
    let av = |size: &str, seconds: u32, options: &str| {
        format!("-f lavfi -i {} -f lavfi -i {} {options}", picture(size, seconds), tone(440, seconds))
    };
    // With keyframes as far apart as at Jibri's 30 frames a second.
    let few = |size: &str, seconds| av(size, seconds, jibri).replace("r=30", "r=10").replace("-r 30", "-r 10 -g 83");
    let args = match clip {
        Clip::Jibri => av("320x180", 8, jibri),
        Clip::Other => format!("-f lavfi -i mandelbrot=s=320x180:r=30 -f lavfi -i {} -t 8 {jibri}", tone(880, 8)),
        Clip::OtherSound => {
            let beeps = "aevalsrc=0.2*sin(880*PI*t)*mod(floor(t)\\,2):d=8,aformat=channel_layouts=stereo";
            format!("-f lavfi -i {} -f lavfi -i {beeps} {jibri}", picture("320x180", 8))
        }
        Clip::Short => av("320x180", 4, jibri),
        Clip::Tiny => av("64x48", 2, jibri),
        Clip::Moment => av("320x180", 2, jibri),
        Clip::Hd => av("1280x720", 10, jibri),
        Clip::Sparse => av("1280x720", 10, jibri).replace("r=30", "r=5").replace("-r 30", "-r 5 -g 10"),
        Clip::Old => {
            let old = jibri.replace("-preset ultrafast", "-preset veryfast -tune zerolatency -g 20 -sc_threshold 0");
            av("1280x720", 10, &old).replace("r=30", "r=10").replace("-r 30", "-r 10")
        }
        Clip::FullHd => few("1920x1080", 9),
        Clip::High => {
            av("240x480", 9, "-c:v libx264 -profile:v high -preset veryfast -pix_fmt yuv420p -g 90 -c:a aac -f mp4")
        }
        Clip::Silent => format!("-f lavfi -i {} {jibri} -an", picture("240x480", 9)),
        Clip::AudioOnly => format!("-f lavfi -i {} {jibri} -vn", tone(440, 8)),
        Clip::Low => av("640x360", 8, jibri),
        Clip::FourThree => few("1024x768", 8),
        Clip::Portrait => few("720x1280", 8),
        Clip::Odd => av("641x361", 8, "-c:v libx264 -preset ultrafast -pix_fmt yuv444p -c:a aac -f mp4"),
        Clip::Full => av("640x480", 8, "-c:v libx264 -preset ultrafast -pix_fmt yuv444p -c:a aac -f mp4"),
        Clip::Vfr => {
            // Two of three frames fall out of every other second.
            let uneven = format!("{},select='if(mod(floor(t),2),not(mod(n,3)),1)'", picture("240x480", 15));
            let options = jibri.replace("-r 30", "-vsync vfr");
            format!("-f lavfi -i {uneven} -f lavfi -i {} {options}", tone(440, 15))
        }
        Clip::Long => {
            let minute = to.with_extension("minute");
            let options = "-c:v libx264 -preset ultrafast -g 16 -pix_fmt yuv420p -c:a aac -ar 8000 -b:a 16k -f mp4";
            let (picture, tone) = ("rgbtestsrc=s=16x480:r=2:d=60", tone(440, 60));
            ffmpeg(&format!("-f lavfi -i {picture} -f lavfi -i {tone} {options}"), &minute);
            ffmpeg(&format!("-stream_loop 179 -i {} -c copy -f mp4", word(&minute)), to);
            return fs::remove_file(minute).unwrap();
        }
        Clip::Clap => {
            let flash = "color=black:s=240x480:r=30:d=9,drawbox=c=white:t=fill:enable='lt(mod(t,2),0.5)*gt(t,1)'";
            let beep = "aevalsrc='0.5*sin(2000*PI*t)*lt(mod(t,2),0.5)*gt(t,1)':d=9,aformat=channel_layouts=stereo";
            format!("-f lavfi -i {flash} -f lavfi -i {beep} {jibri}")
        }
        Clip::FastStart => av("320x180", 8, &format!("-movflags +faststart {jibri}")),
        Clip::Fragmented => av("320x180", 8, &format!("-movflags +frag_keyframe+empty_moov -g 30 {jibri}")),
    };
    ffmpeg(&args, to);
}

/// Stands for a blank in a [`word`]: the picture of one.
const BLANK: char = '\u{2420}';

/// A path as one word of the options of [`ffmpeg`], whatever folder this repository lies in.
pub fn word(path: &Path) -> String {
    path.to_str().unwrap().replace(' ', &BLANK.to_string())
}

/// Runs ffmpeg with options, at blanks between them, and the file to make as the last.
pub fn ffmpeg(args: &str, to: &Path) {
    let mut command = Command::new("ffmpeg");
    let words = args.split_whitespace().map(|word| word.replace(BLANK, " "));
    command.args(["-v", "error", "-nostdin", "-y"]).args(words).arg(to);
    let output = command.output().expect("ffmpeg, of Debian's package ffmpeg, must be installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An MP4, its index at its end, whose first track says that its media are in another file: a Macintosh alias record.
pub fn with_alias(mut bytes: Vec<u8>, name: &[u8]) -> Vec<u8> {
    let at = bytes.windows(8).position(|window| window == b"url \0\0\0\x01").unwrap() - 4;
    let path = [b"disk:../".as_slice(), name].concat();
    // Volume, name and levels, as far as a reader looks at them; then the path as an entry of type 2, and the end.
    let mut alias = [&[0; 10][..], &[4], b"disk", &[0; 23], &[0; 12]].concat();
    alias.push(u8::try_from(name.len()).unwrap());
    alias.extend([name, &vec![0; 63 - name.len()], &[0; 16], &[0, 1, 0, 1], &[0; 16]].concat());
    alias.extend(
        [&[0, 2, 0][..], &[u8::try_from(path.len()).unwrap()], &path, &vec![0; path.len() % 2], &[255, 255, 0, 0]]
            .concat(),
    );
    let size = u32::try_from(alias.len() + 12).unwrap();
    let entry = [&size.to_be_bytes()[..], b"alis\0\0\0\0", &alias].concat();
    for kind in [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"] {
        let head = bytes.windows(4).position(|window| window == kind).unwrap() - 4;
        let old = u32::from_be_bytes(bytes[head..head + 4].try_into().unwrap());
        bytes[head..head + 4].copy_from_slice(&(old + size - 12).to_be_bytes());
    }
    bytes.splice(at..at + 12, entry);
    bytes
}
