//! Chapters, from what the picture does: one begins where another one comes after a long still, as with slides.

use std::path::Path;

use anyhow::Result;

use super::{Chain, Picture, keep, say, vtt, write};

pub(super) const FILE: &str = "chapters.vtt";

/// Milliseconds for which the picture must have stood still.
const STILL: u64 = 30_000;

/// Milliseconds of a chapter at least.
const LEAST: u64 = 60_000;

/// The part of a picture that makes it another one: a slide of text changes a tenth, people beside it less than a fiftieth.
const MUCH: f64 = 0.05;

pub(super) fn chain() -> Chain {
    let filters = [
        "scale=160:160:force_original_aspect_ratio=decrease:force_divisible_by=2,format=gray",
        // White where the keyframe is not as the one before, by more than the encoder's noise; and then, how much of it is white.
        "tblend=all_mode=difference,lut=y='if(gt(val,24),255,0)',signalstats",
        &say("lavfi.signalstats.YAVG"),
    ];
    Chain::new(filters.join(","), "-f null -")
}

/// Writes the chapters, where there are any.
pub(super) fn put(cwd: &Path, pictures: &[Picture], end: u64) -> Result<()> {
    let begins = begins(pictures, end);
    if begins.len() < 2 {
        return Ok(());
    }
    let cues = begins.into_iter().zip(1..).map(|(at, number)| (at, format!("Chapter {number}")));
    write(cwd, FILE, &vtt::file(cues, end))?;
    keep(cwd, FILE)
}

/// When chapters begin: at the last keyframe before the picture that is another, so that nothing of them is missed.
fn begins(pictures: &[Picture], end: u64) -> Vec<u64> {
    let mut begins = vec![0];
    let (mut still_since, mut before) = (0, 0);
    for picture in pictures {
        if picture.changed >= MUCH {
            let long_enough = begins.last().is_none_or(|last| before >= last + LEAST) && before + LEAST <= end;
            if before - still_since >= STILL && long_enough {
                begins.push(before);
            }
            still_since = picture.at;
        }
        before = picture.at;
    }
    begins
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture every ten seconds, that many tenths of which have changed; and where chapters begin, in seconds.
    fn begins_of(tenths: &[u8]) -> Vec<u64> {
        let pictures = tenths.iter().zip(1..);
        let pictures = pictures.map(|(tenths, n)| Picture { at: n * 10_000, changed: f64::from(*tenths) / 10.0 });
        let end = (tenths.len() as u64 + 1) * 10_000;
        begins(&pictures.collect::<Vec<_>>(), end).into_iter().map(|at| at / 1000).collect()
    }

    #[test]
    fn a_chapter_begins_with_another_picture_after_a_long_still() {
        let cases: [(&str, &[u8], &[u64]); 7] = [
            ("a still", &[0; 30], &[0]),
            ("always another", &[1; 30], &[0]),
            ("two slides", &[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], &[0, 60]),
            ("another picture, but not after a still", &[0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0], &[0]),
            ("a still, but no minute yet", &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], &[0, 110]),
            ("no minute left", &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], &[0]),
            ("nothing at all", &[], &[0]),
        ];
        for (what, tenths, wanted) in cases {
            assert_eq!(begins_of(tenths), wanted, "{what}");
        }
    }
}
