//! Small pictures for a player's time line: sheets of them, and which part of which sheet is shown when.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::{Chain, DIR, first_of_each, jpeg, keep, mark, vtt, write};

pub(super) const FILE: &str = "previews.vtt";

/// Pictures of a recording at most, however long it is.
const MOST: u64 = 600;

/// Milliseconds from one picture to the next at least: less than 8.33 s, the distance of keyframes in Jibri's recordings.
const LEAST: u64 = 8000;

/// Pictures a row of a sheet, and rows a sheet.
const SIDE: u64 = 10;

/// How pictures lie on a sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sheet {
    columns: u64,
    rows: u64,
}

/// From one picture to the next, in milliseconds.
fn spacing(end: u64) -> u64 {
    end.div_ceil(MOST).max(LEAST)
}

impl Sheet {
    /// No larger than the pictures of a short recording need.
    fn of(end: u64) -> Self {
        let pictures = end.div_ceil(spacing(end)).clamp(1, SIDE * SIDE);
        Self { columns: pictures.min(SIDE), rows: pictures.div_ceil(SIDE) }
    }

    fn pictures(self) -> u64 {
        self.columns * self.rows
    }
}

pub(super) fn chain(end: u64) -> Chain {
    let Sheet { columns, rows } = Sheet::of(end);
    let filters = [
        first_of_each(spacing(end)),
        mark("preview"),
        // In a square of 160, whatever the shape; an even width and height, because of the colours' 4:2:0.
        "scale='min(160,iw)':'min(160,ih)':force_original_aspect_ratio=decrease:force_divisible_by=2".to_owned(),
        format!("format=yuvj420p,tile={columns}x{rows}"),
    ];
    Chain::new(filters.join(","), &format!("-q:v 5 -f image2 -start_number 0 {DIR}/previews_%03d.jpg"))
}

/// Keeps the sheets, and writes what shows a player the way around in them. `shown` has each picture's time.
pub(super) fn put(cwd: &Path, shown: &[u64], end: u64) -> Result<()> {
    let layout = Sheet::of(end);
    let sheets: Vec<_> = (0..(shown.len() as u64).div_ceil(layout.pictures())).map(sheet).collect();
    let mut sizes = Vec::new();
    for sheet in &sheets {
        let bytes = std::fs::read(cwd.join(DIR).join(sheet)).with_context(|| format!("read {sheet}"))?;
        sizes.push(jpeg::size(&bytes).with_context(|| format!("{sheet} is not whole"))?);
    }
    let size = *sizes.first().context("no keyframe could be decoded")?;
    ensure!(sizes.iter().all(|other| *other == size), "the sheets are of different sizes");
    write(cwd, FILE, &text(shown, end, layout, size))?;
    let files = sheets.iter().map(String::as_str).chain([FILE]);
    files.clone().try_for_each(|file| keep(cwd, file)).inspect_err(|_| {
        // A sheet that nothing refers to is of no use.
        files.for_each(|file| drop(std::fs::remove_file(cwd.join(file))));
    })
}

fn text(shown: &[u64], end: u64, layout: Sheet, size: (u64, u64)) -> String {
    let (width, height) = (size.0 / layout.columns, size.1 / layout.rows);
    let cues = shown.iter().zip(0..).map(|(at, number)| {
        let place = number % layout.pictures();
        let (x, y) = (place % layout.columns * width, place / layout.columns * height);
        // A spatial media fragment (W3C Media Fragments URI 1.0, §4.2.2).
        (*at, format!("{}#xywh={x},{y},{width},{height}", sheet(number / layout.pictures())))
    });
    vtt::file(cues, end)
}

fn sheet(number: u64) -> String {
    format!("previews_{number:03}.jpg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_recording_has_no_more_pictures_than_one_of_80_minutes() {
        // Seconds of the recording -> seconds between pictures, columns, rows
        let cases = [
            (0, 8, 1, 1),
            (3, 8, 1, 1),
            (9, 8, 2, 1),
            (88, 8, 10, 2),
            (1200, 8, 10, 10),
            (4800, 8, 10, 10),
            (10_800, 18, 10, 10),
            (86_400, 144, 10, 10),
        ];
        for (seconds, apart, columns, rows) in cases {
            assert_eq!(spacing(seconds * 1000), apart * 1000, "{seconds}");
            assert_eq!(Sheet::of(seconds * 1000), Sheet { columns, rows }, "{seconds}");
        }
    }

    #[test]
    fn a_picture_is_where_its_cue_says() {
        let layout = Sheet { columns: 10, rows: 10 };
        let shown: Vec<_> = (0..102).map(|number| number * 8000).collect();
        let text = text(&shown, 816_500, layout, (1600, 900));
        for cue in [
            "00:00:00.000 --> 00:00:08.000\npreviews_000.jpg#xywh=0,0,160,90\n",
            "00:01:28.000 --> 00:01:36.000\npreviews_000.jpg#xywh=160,90,160,90\n",
            "00:13:12.000 --> 00:13:20.000\npreviews_000.jpg#xywh=1440,810,160,90\n",
            "00:13:28.000 --> 00:13:36.500\npreviews_001.jpg#xywh=160,0,160,90\n",
        ] {
            assert!(text.contains(cue), "{cue}: {text}");
        }
    }
}
