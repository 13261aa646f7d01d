//! What is wrong with a room, as far as the disk tells.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use rec_core::adopt::{NotionId, read_id};
use rec_core::deadline::age;
use rec_core::durable::beside;
use rec_core::glance::Unfinalized;
use rec_core::hls::complete;
use rec_core::notion::PageId;
use rec_core::plan::Retry;
use rec_core::recording::{Fingerprint, NOTION_ID, STATE};
use rec_core::state::{FileName, Recording, State};
use rec_core::text::{one_line, path_word, shown};
use serde::Serialize;

use crate::condition::{Condition, has_hls};
use crate::remedy::Remedy;
use crate::tree::{Entry, Seen};

/// For so long something may be on its way, and is no finding.
const A_WHILE: Duration = Duration::from_secs(3600);

/// Which kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A recording has no row.
    NoRow,
    /// `.notion_id` is not what the state says.
    RowId,
    /// HLS that is published, or is going to be, is not whole.
    HlsBroken,
    /// An MP4 beside published HLS of it.
    Mp4Left,
    /// What a writer that died has left.
    Litter,
    /// A recording of which nothing is there but what is known of it.
    StateAlone,
    /// A state file that is none, or of a newer version.
    StateUnreadable,
    /// Two recordings with one row.
    Twice,
    /// HLS of no recording.
    HlsAlone,
    /// A recording that was given up.
    GivenUp,
    /// A recording whose row somebody has deleted.
    RowGone,
}

/// Something that is wrong, and what to do about it.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) dir: FileName,
    pub(crate) file: Option<FileName>,
    pub(crate) what: String,
    #[serde(flatten)]
    pub(crate) remedy: Remedy,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoRow => "no-row",
            Self::RowId => "row-id",
            Self::HlsBroken => "hls-broken",
            Self::Mp4Left => "mp4-left",
            Self::Litter => "litter",
            Self::StateAlone => "state-alone",
            Self::StateUnreadable => "state-unreadable",
            Self::Twice => "twice",
            Self::HlsAlone => "hls-alone",
            Self::GivenUp => "given-up",
            Self::RowGone => "row-gone",
        }
    }
}

/// All that is wrong with a room that nobody works on.
pub(crate) fn of_room(seen: &Seen, entries: &[Entry<'_>], unfinalized: Unfinalized) -> Result<Vec<Finding>> {
    let mut found: Vec<Finding> = row_id(seen)?.into_iter().collect();
    for entry in entries {
        found.extend(of_recording(entry, entries, unfinalized));
    }
    found.extend(hls_alone(seen).into_iter().map(|(slot, remedy)| {
        about(seen, Kind::HlsAlone, format!("v{slot} is of no recording that is known"), remedy)
    }));
    found.extend(litter(seen));
    Ok(found)
}

/// A finding about a room.
fn about(seen: &Seen, kind: Kind, what: impl Into<String>, remedy: Remedy) -> Finding {
    let what = one_line(&what.into());
    Finding { kind, dir: FileName(seen.room.dir.clone().into()), file: None, what, remedy }
}

/// A finding about a recording.
pub(crate) fn about_one(entry: &Entry<'_>, kind: Kind, what: &str, remedy: Remedy) -> Finding {
    let what = format!("{} {what}", entry.file());
    Finding { file: entry.recording.file.clone(), ..about(entry.seen, kind, what, remedy) }
}

fn of_recording(entry: &Entry<'_>, all: &[Entry<'_>], unfinalized: Unfinalized) -> Vec<Finding> {
    let (recording, facts, dir) = (entry.recording, &entry.facts, &entry.seen.room.dir);
    let say = |kind, what: &str, remedy| about_one(entry, kind, what, remedy);
    if entry.condition == Condition::Lost {
        return vec![say(Kind::StateAlone, "is known, and neither its MP4 nor its HLS is there", lost(entry, all))];
    }
    let hls = has_hls(recording, facts);
    let broken = (hls || recording.hls.is_some()).then(|| complete(&dir.join(recording.hls_dir())).err()).flatten();
    let retry = || Remedy::run("jitsi-hls-worker --retry", dir);
    let mut found = Vec::new();
    found.extend(no_row(entry, unfinalized));
    if recording.row_gone {
        let remedy = retry().once("restore its row in Notion's trash, then");
        found.push(say(Kind::RowGone, "has no row any more: somebody has deleted it", remedy));
    } else if recording.given_up && !(broken.is_some() && facts.mp4.is_none()) {
        let why = recording.error.as_deref().unwrap_or("nobody has noted why");
        found.push(say(Kind::GivenUp, &format!("was given up: {why}"), retry()));
    }
    if let Some(why) = &broken {
        found.push(say(Kind::HlsBroken, &format!("has HLS that is not whole: {why:#}"), mend(entry)));
    } else if hls
        && recording.is_published()
        && recording.damage.is_none()
        && !recording.row_gone
        && let (Some(mp4), Some(made)) = (facts.mp4, recording.hls)
        && made.of == Some(mp4.print)
    {
        found.push(say(Kind::Mp4Left, "is there beside its published HLS", Remedy::run("jitsi-hls-worker", dir)));
    }
    found
}

/// Where nothing is left of a directory's recordings, the directory may go.
fn lost(entry: &Entry<'_>, all: &[Entry<'_>]) -> Remedy {
    let seen = entry.seen;
    let nothing = all.iter().all(|entry| entry.condition == Condition::Lost) && holds_only_notes(&seen.room.dir);
    let back = "bring one of them back from a backup";
    if nothing {
        return Remedy::run("rm -r", &seen.room.dir).once(&format!("{back}, or, where they were removed on purpose"));
    }
    Remedy::by_hand(back)
}

/// Whether nothing is in a directory but what is known of its recordings. A link may be HLS on a disk that is not mounted.
fn holds_only_notes(dir: &Path) -> bool {
    let is_note = |entry: io::Result<fs::DirEntry>| {
        let Ok(entry) = entry else { return false };
        let (name, file) = (entry.file_name(), entry.file_type().is_ok_and(|kind| kind.is_file()));
        let known = name == NOTION_ID || name == "metadata.json";
        file && (known || name.as_encoded_bytes().starts_with(b".recording."))
    };
    fs::read_dir(dir).is_ok_and(|mut entries| entries.all(is_note))
}

fn no_row(entry: &Entry<'_>, unfinalized: Unfinalized) -> Option<Finding> {
    let (recording, seen) = (entry.recording, entry.seen);
    if recording.page_id.is_some() || recording.remote.is_some() {
        return None;
    }
    let Some(mp4) = entry.facts.mp4 else {
        let remedy = "bring its MP4 back from a backup, or make a row by hand and write its page id into .notion_id";
        return Some(about_one(entry, Kind::NoRow, "has no row, and its MP4 is gone", Remedy::by_hand(remedy)));
    };
    // The worker is going to do it, once it is time.
    let later = entry.is_unknown() && unfinalized.0.is_some() && !unfinalized.is_due(mp4);
    if age(mp4.print.mtime) < A_WHILE || later {
        return None;
    }
    let tool = if seen.glance.has_state { "jitsi-hls-worker" } else { "jitsi-finalize" };
    Some(about_one(entry, Kind::NoRow, "has no row", Remedy::run(tool, &seen.room.dir)))
}

/// What makes HLS whole again.
fn mend(entry: &Entry<'_>) -> Remedy {
    let (recording, dir) = (entry.recording, &entry.seen.room.dir);
    match (entry.facts.mp4, &recording.damage) {
        (None, _) => Remedy::by_hand("bring its HLS, or its MP4, back from a backup"),
        (Some(_), None) => Remedy::run("jitsi-hls-worker --retry", dir),
        // Of a damaged one the worker looks at the HLS no more.
        (Some(_), Some(_)) => Remedy::salvage(dir, &recording.hls_dir(), entry.facts.retry == Retry::Salvage),
    }
}

/// The scripts go by `.notion_id`: it must name the row of the first recording.
fn row_id(seen: &Seen) -> Result<Option<Finding>> {
    let room = &seen.room;
    let id = read_id(&room.dir)?.map(|(id, _)| id);
    let told = |id: &NotionId| match id {
        NotionId::Empty => "is empty".to_owned(),
        NotionId::Garbage(text) => format!("holds no page id: {text}"),
        NotionId::Page(page) => format!("names the page {page}"),
    };
    let state = if seen.glance.has_state { State::load(room)? } else { None };
    let Some(state) = state else {
        let odd = id.filter(|id| !matches!(id, NotionId::Page(_)));
        let remedy = match seen.glance.mp4s.is_empty() {
            false => Remedy::run("jitsi-finalize", &room.dir),
            true if seen.glance.has_dir("v0") => Remedy::by_hand("write the page id of its row into .notion_id"),
            true => return Ok(None),
        };
        return Ok(odd.map(|odd| about(seen, Kind::RowId, format!(".notion_id {}", told(&odd)), remedy)));
    };
    let Some(page) = state.first_page() else { return Ok(None) };
    let (what, once) = match &id {
        Some(NotionId::Page(other)) if other == page => return Ok(None),
        Some(id @ NotionId::Page(_)) => {
            (told(id), Some("see in Notion which of the two rows is right; to keep that of the state"))
        }
        Some(id) => (told(id), None),
        None => ("is missing".to_owned(), None),
    };
    let remedy = write_id(seen, page);
    let remedy = if let Some(once) = once { remedy.once(once) } else { remedy };
    Ok(Some(about(seen, Kind::RowId, format!(".notion_id {what}, and the state names {page}"), remedy)))
}

fn write_id(seen: &Seen, page: &PageId) -> Remedy {
    Remedy::shell(format!("echo {page} >{}", path_word(seen.room.path(NOTION_ID))))
}

/// HLS of no recording that is known, by its number, and what is to be done about it.
pub(crate) fn hls_alone(seen: &Seen) -> Vec<(u32, Remedy)> {
    let known = |slot: u32| seen.state.recordings.iter().any(|recording| recording.slot == slot);
    let mut alone: Vec<u32> =
        seen.glance.slots().filter(|(slot, building)| !building && !known(*slot)).map(|(slot, _)| slot).collect();
    alone.sort_unstable();
    alone.into_iter().map(|slot| (slot, whose(seen, slot))).collect()
}

/// A row may lead to HLS that nobody knows any more, and it may be all that is left of a meeting: only what cannot be played
/// may go, and not where `.notion_id` is there for it.
fn whose(seen: &Seen, slot: u32) -> Remedy {
    let path = seen.room.path(format!("v{slot}"));
    let scripts = slot == 0 && !seen.glance.has_state;
    if is_broken(&path) && !(scripts && seen.glance.has_id) {
        return Remedy::run("rm -r", &path).once("it is not whole; where nobody wants it");
    }
    let back = "bring .recording.json back from a backup";
    let id = if scripts { "put its page id into .notion_id, or " } else { "" };
    Remedy::by_hand(format!("a row may lead to it: {id}{back}"))
}

/// Whether HLS lacks something. What this user may not read, or the disk does not give, may be whole.
fn is_broken(hls: &Path) -> bool {
    complete(hls).is_err_and(|why| {
        why.chain().filter_map(|why| why.downcast_ref::<io::Error>()).all(|why| why.kind() == io::ErrorKind::NotFound)
    })
}

fn litter(seen: &Seen) -> Vec<Finding> {
    let room = &seen.room;
    let old = |path: &PathBuf| path.symlink_metadata().is_ok_and(|is| age(Fingerprint::of(&is).mtime) >= A_WHILE);
    // What was begun for a recording that waits, the next run goes on with.
    let waits = |recording: &Recording| {
        let here = seen.glance.mp4s.iter().any(|mp4| recording.is_of(mp4));
        here && recording.hls.is_none() && !recording.given_up && !recording.row_gone
    };
    let wanted = |slot: u32| seen.state.recordings.iter().any(|recording| recording.slot == slot && waits(recording));
    let mut begun: Vec<u32> =
        seen.glance.slots().filter(|(slot, building)| *building && !wanted(*slot)).map(|(slot, _)| slot).collect();
    begun.sort_unstable();
    let begun = begun.into_iter().map(|slot| room.path(format!("v{slot}.tmp"))).filter(old).map(|path| {
        let what = format!("{} is of a run that was ended, and nobody goes on with it", shown(name(&path)));
        about(seen, Kind::Litter, what, Remedy::run("jitsi-hls-worker", &room.dir))
    });
    let half = [STATE, NOTION_ID].map(|name| beside(&room.path(name)));
    let half = half.into_iter().filter(old).map(|path| {
        let what = format!("{} is of a writer that has died", shown(name(&path)));
        about(seen, Kind::Litter, what, Remedy::run("rm -f", &path))
    });
    begun.chain(half).collect()
}

fn name(path: &std::path::Path) -> &std::ffi::OsStr {
    path.file_name().unwrap_or_default()
}
