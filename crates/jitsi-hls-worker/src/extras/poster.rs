//! One picture of the recording.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::{Chain, DIR, first_of_each, jpeg, keep, mark};

pub(super) const FILE: &str = "poster.jpg";

/// How many keyframes, from all over the recording, are looked at.
const CANDIDATES: u64 = 8;

pub(super) fn chain(end: u64) -> Chain {
    let choose = first_of_each((end / CANDIDATES).max(1));
    let filters = format!("{choose},{},scale='min(1280,iw)':-2,format=yuvj420p", mark("poster"));
    // The same quality for each, so that the largest file is the one with the most detail in it.
    Chain::new(filters, &format!("-frames:v {CANDIDATES} -q:v 4 -f image2 {DIR}/poster_%d.jpg"))
}

/// Keeps the candidate with the most to see in it: nothing at all is in a black one.
pub(super) fn put(cwd: &Path) -> Result<()> {
    let dir = cwd.join(DIR);
    let sizes = (1..=CANDIDATES).filter_map(|number| {
        let path = dir.join(format!("poster_{number}.jpg"));
        Some((fs::metadata(&path).ok()?.len(), path))
    });
    let (_, best) = sizes.max().context("no keyframe could be decoded")?;
    let bytes = fs::read(&best).context("read the picture")?;
    ensure!(jpeg::size(&bytes).is_some(), "the picture is not whole");
    fs::rename(&best, dir.join(FILE)).context("name the picture")?;
    keep(cwd, FILE)
}
