//! How near a picture is to the one that it was made of.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Scores of a rendition, scaled up to its source.
#[derive(Clone, Copy)]
pub(crate) struct Quality {
    /// 0 to 100, as people would say; where there is an ffmpeg that can tell.
    pub(crate) vmaf: Option<f64>,
    /// 0 to 1.
    pub(crate) ssim: f64,
    /// Decibels of the luma.
    pub(crate) psnr: f64,
}

/// An ffmpeg with libvmaf, which Debian's has not: `VMAF_FFMPEG`, or the one of the `PATH`.
pub(crate) fn vmaf_ffmpeg() -> Option<PathBuf> {
    let ffmpeg = std::env::var_os("VMAF_FFMPEG").map_or_else(|| PathBuf::from("ffmpeg"), PathBuf::from);
    let help = Command::new(&ffmpeg).args(["-hide_banner", "-h", "filter=libvmaf"]).output();
    help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("libvmaf AVOptions")).then_some(ffmpeg)
}

/// Measures what a media playlist plays against the MP4.
pub(crate) fn quality(playlist: &Path, source: &Path, vmaf: Option<&Path>) -> Quality {
    let told = compare("ffmpeg".as_ref(), playlist, source, "split[p][q];[r]split[x][y];[p][x]ssim;[q][y]psnr");
    let vmaf = vmaf.map(|ffmpeg| {
        let threads = std::thread::available_parallelism().unwrap();
        number(
            &compare(ffmpeg, playlist, source, &format!("null[p];[p][r]libvmaf=n_threads={threads}:n_subsample=4")),
            "VMAF score: ",
        )
    });
    Quality { vmaf, ssim: number(&told, " All:"), psnr: number(&told, "PSNR y:") }
}

/// What ffmpeg says of the filter that takes the picture, scaled up, and `[r]`, the source.
fn compare(ffmpeg: &Path, playlist: &Path, source: &Path, filter: &str) -> String {
    let graph = format!(
        "[0:v]setpts=PTS-STARTPTS[d];[1:v]setpts=PTS-STARTPTS,split[s][r];[d][s]scale2ref=flags=bicubic[u][t];[t]nullsink;\
         [u]{filter}"
    );
    let mut command = Command::new(ffmpeg);
    command.args(["-hide_banner", "-nostdin", "-nostats", "-i"]).arg(playlist).arg("-i").arg(source);
    command.args(["-lavfi", &graph, "-f", "null", "-"]);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {told}");
    told
}

/// The number after a word, where it comes last.
fn number(told: &str, word: &str) -> f64 {
    let from = told.rfind(word).unwrap_or_else(|| panic!("no {word} in: {told}")) + word.len();
    told[from..].split(|c: char| c.is_whitespace()).next().unwrap().parse().unwrap()
}
