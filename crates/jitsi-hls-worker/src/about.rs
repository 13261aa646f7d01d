//! `recording.json`: what the page that plays a recording says of it.
//!
//! It lies beside the HLS, is built with it, and is published with it. Everybody who may watch the recording may read it.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::extras;
use crate::hls::Job;
use crate::master::Variant;

const FILE: &str = "recording.json";

/// The version of the format. One that only adds fields keeps it.
const VERSION: u32 = 1;

/// What is told of a recording.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are facts, and no switches")]
pub(crate) struct About {
    version: u32,
    /// As the row's.
    title: String,
    /// The meeting's room.
    room: String,
    /// The date of the row: in UTC, to the second.
    recorded_at: String,
    /// How long the HLS plays, in seconds.
    duration: f64,
    /// The largest picture; none where there is only sound.
    picture: Option<Picture>,
    /// Whether it holds only what could be decoded of the MP4.
    damaged: bool,
    /// The MP4's name in the directory above, where a URL can be made of it by whoever reads this.
    mp4: Option<String>,
    poster: bool,
    previews: bool,
    chapters: bool,
}

#[derive(Debug, Serialize)]
struct Picture {
    width: u32,
    height: u32,
}

impl About {
    /// What is told of the HLS that a job has built in `tmp`.
    pub(crate) fn of(job: &Job<'_>, tmp: &Path, variants: &[Variant], seconds: f64, damaged: bool) -> Self {
        let largest = variants.iter().filter_map(|variant| variant.resolution).max_by_key(|(_, height)| *height);
        let [poster, previews, chapters] = extras::FILES.map(|file| tmp.join(file).is_file());
        Self {
            version: VERSION,
            title: job.title.to_owned(),
            room: job.room.name(),
            recorded_at: job.print.date(),
            duration: (seconds * 1000.0).round() / 1000.0,
            picture: largest.map(|(width, height)| Picture { width, height }),
            damaged,
            mp4: job.name.to_str().map(str::to_owned),
            poster,
            previews,
            chapters,
        }
    }

    /// Writes it beside the playlists.
    pub(crate) fn write(&self, tmp: &Path) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        fs::write(tmp.join(FILE), bytes)
    }
}
