//! A recording as an object: the schema of rec-ls(1).

use std::io::{self, Write};

use rec_core::config::Config;
use rec_core::hold::Hold;
use rec_core::state::{FileName, Row};
use serde::Serialize;
use time::OffsetDateTime;

use crate::condition::has_hls;
use crate::tree::Entry;
use crate::when::instant;

/// Every field is always there; what is not known is null.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of its own")]
pub(crate) struct Object<'a> {
    state: &'static str,
    dir: FileName,
    room: FileName,
    meeting: Option<String>,
    file: Option<&'a FileName>,
    mp4: bool,
    size: Option<u64>,
    #[serde(serialize_with = "time")]
    recorded: Option<OffsetDateTime>,
    slot: u32,
    hls: bool,
    page: Option<String>,
    row: Option<Row>,
    link: Option<String>,
    damage: Option<&'a str>,
    error: Option<&'a str>,
    failures: u32,
    given_up: bool,
    row_gone: bool,
    host: Option<&'a Hold>,
    remote: Option<&'a Hold>,
    #[serde(serialize_with = "time")]
    removed: Option<OffsetDateTime>,
}

impl<'a> Object<'a> {
    pub(crate) fn of(entry: &Entry<'a>, config: Option<&Config>) -> Self {
        let (recording, room) = (entry.recording, &entry.seen.room);
        Self {
            state: entry.condition.as_str(),
            dir: FileName(room.dir.clone().into()),
            room: FileName(entry.seen.name()),
            meeting: entry.seen.meeting(),
            file: recording.file.as_ref(),
            mp4: entry.facts.mp4.is_some(),
            size: recording.source.map(|source| source.size),
            recorded: recording.source.map(|source| source.mtime),
            slot: recording.slot,
            hls: has_hls(recording, &entry.facts),
            page: recording.page_id.as_ref().map(ToString::to_string),
            row: recording.row,
            link: entry.url(config).map(|url| url.bare().to_owned()),
            damage: recording.damage.as_deref(),
            error: recording.error.as_deref(),
            failures: recording.failures,
            given_up: recording.given_up,
            row_gone: recording.row_gone,
            host: recording.host.as_ref(),
            remote: recording.remote.as_ref(),
            removed: recording.removed,
        }
    }
}

/// One object, one line.
pub(crate) fn line(out: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn time<S: serde::Serializer>(at: &Option<OffsetDateTime>, to: S) -> Result<S::Ok, S::Error> {
    at.map(instant).serialize(to)
}
