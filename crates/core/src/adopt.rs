//! A directory that the scripts left, read as a state: what they wrote is the truth, and there is no step of migration.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Result;
use time::OffsetDateTime;

use crate::access;
use crate::config::Config;
use crate::durable;
use crate::notion::PageId;
use crate::recording::{Fingerprint, Mp4, NOTION_ID, Room};
use crate::small;
use crate::state::{Create, FileName, Recording, State, free_slot};

/// What `.notion_id` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotionId {
    /// A page id.
    Page(PageId),
    /// Nothing: the disk was full when the script wrote it, after the page was created.
    Empty,
    /// Something that is no page id; shown to the admin.
    Garbage(String),
}

/// What lies in a directory of the scripts.
#[derive(Clone, Debug)]
pub struct Left {
    /// `.notion_id` and its time.
    pub id: Option<(NotionId, OffsetDateTime)>,
    /// The time of `v0/master.m3u8`.
    pub master: Option<OffsetDateTime>,
}

impl Left {
    /// Looks.
    pub fn read(room: &Room) -> Result<Self> {
        let master = fs::metadata(room.path("v0/master.m3u8")).ok();
        Ok(Self {
            id: read_id(&room.dir)?,
            master: master.filter(fs::Metadata::is_file).map(|metadata| Fingerprint::of(&metadata).mtime),
        })
    }
}

/// Reads a directory's `.notion_id`, in which the scripts drop line ends, and its time.
pub fn read_id(dir: &Path) -> Result<Option<(NotionId, OffsetDateTime)>> {
    let path = dir.join(NOTION_ID);
    let bytes = match small::read(&path, 4096) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(access::reading_in_room("read", &path, error)),
    };
    let metadata = fs::metadata(&path);
    let time = metadata.map_or(OffsetDateTime::UNIX_EPOCH, |metadata| Fingerprint::of(&metadata).mtime);
    Ok(Some((id_in(&bytes), time)))
}

/// What the bytes of a `.notion_id` say.
pub fn id_in(bytes: &[u8]) -> NotionId {
    let content = String::from_utf8_lossy(bytes).replace(['\r', '\n'], "");
    match PageId::parse(&content) {
        _ if content.trim().is_empty() => NotionId::Empty,
        Some(page) => NotionId::Page(page),
        None => NotionId::Garbage(content.chars().take(60).collect()),
    }
}

/// Writes `.notion_id`, with the scripts' own bytes, unless it says so already.
pub fn write_id(room: &Room, page: &PageId) -> Result<()> {
    if read_id(&room.dir)?.is_some_and(|(id, _)| id == NotionId::Page(page.clone())) {
        return Ok(());
    }
    durable::write(&room.path(NOTION_ID), format!("{page}\n").as_bytes())
}

/// The state of a directory as found: ours where there is one, else what the scripts left, with `.notion_id` followed where
/// the scripts have made another row since.
pub fn load(config: &Config, room: &Room, mp4s: &[Mp4]) -> Result<State> {
    found(room, mp4s, |name| bare_url(config, room, name))
}

/// The same for who only looks, and needs no URL of a row that Notion has to be asked for.
pub fn look(room: &Room, mp4s: &[Mp4]) -> Result<State> {
    found(room, mp4s, |_| String::new())
}

fn found(room: &Room, mp4s: &[Mp4], url: impl Fn(&Mp4) -> String) -> Result<State> {
    let left = Left::read(room)?;
    let taken = |slot| room.has_slot(slot);
    let mut state = State::load(room)?.unwrap_or_else(|| adopt(&left, mp4s, url, taken));
    follow(&mut state, &left, mp4s, taken);
    Ok(state)
}

/// Writes `.notion_id` where a run died before it could, after the state had the page.
pub fn mend_id(room: &Room, state: &State) -> Result<()> {
    match (state.first_page(), read_id(&room.dir)?) {
        (None, _) | (_, Some((NotionId::Page(_), _))) => Ok(()),
        (Some(page), _) => write_id(room, page),
    }
}

fn bare_url(config: &Config, room: &Room, mp4: &Mp4) -> String {
    room.url(config, [mp4.name.as_os_str()]).bare().to_owned()
}

/// The scripts' page is that of the first recording. Of several MP4s they take the largest; but one that is newer than the
/// HLS, or than the row, came later and is another recording.
fn adopt(left: &Left, mp4s: &[Mp4], url: impl Fn(&Mp4) -> String, taken: impl Fn(u32) -> bool) -> State {
    let mut state = State::empty();
    let Some((id, written)) = &left.id else { return state };
    let older = |than: OffsetDateTime| mp4s.iter().find(move |mp4| mp4.print.mtime <= than);
    let (first, later) = match left.master {
        // The scripts finalized another recording beside HLS that was done, and its row is the one that they left.
        Some(master) if older(*written).is_some_and(|mp4| mp4.print.mtime > master) => (older(*written), true),
        Some(master) => (older(master), false),
        None => (older(*written).or(mp4s.first()), false),
    };
    let slot = if later { free_slot(1, taken) } else { 0 };
    let mut recording = Recording::new(slot, first);
    match id {
        NotionId::Page(page) => recording.page_id = Some(page.clone()),
        // A row may be there, and nobody knows its id: Notion is asked before another is made.
        NotionId::Empty | NotionId::Garbage(_) => match first {
            Some(mp4) => recording.create = Some(Create { sent: *written, url: url(mp4), refused: false }),
            None => return state,
        },
    }
    state.recordings.push(recording);
    state
}

/// Where the scripts have been at work again and made a row of their own, theirs is the one that people see. It is that of
/// the largest MP4 which was there; of the first recording, where none can have been.
fn follow(state: &mut State, left: &Left, mp4s: &[Mp4], taken: impl Fn(u32) -> bool) {
    let Some((NotionId::Page(page), written)) = &left.id else { return };
    if state.recordings.iter().any(|recording| recording.page_id.as_ref() == Some(page)) {
        return;
    }
    let theirs = mp4s.iter().find(|mp4| mp4.print.mtime <= *written);
    state.register(theirs.map_or(&[], std::slice::from_ref), taken);
    let recording = state.recordings.iter_mut().rev().find(|recording| match theirs {
        Some(mp4) => recording.is_of(mp4),
        None => recording.slot == 0,
    });
    if let Some(recording) = recording {
        (recording.page_id, recording.row, recording.create) = (Some(page.clone()), None, None);
        (recording.row_gone, recording.remote) = (false, None);
    }
}

/// Puts an MP4 that turned out not to be what the HLS of its slot was made from into a recording of its own: the row and the
/// HLS stay with the recording that they were made for, whose MP4 is gone.
pub fn split(state: &mut State, index: usize, taken: impl Fn(u32) -> bool) {
    let first = &mut state.recordings[index];
    let (file, source) = (first.file.take(), first.source.take());
    first.starts_anew();
    if let (Some(FileName(name)), Some(print)) = (file, source) {
        state.register(&[Mp4 { name, print }], taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const PAGE: &str = "38c9ce7b-60a4-8158-aa2a-d4923e46fb5b";
    const EARLY: OffsetDateTime = datetime!(2026-01-01 10:00 UTC);
    const NOON: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
    const LATE: OffsetDateTime = datetime!(2026-01-01 14:00 UTC);

    fn mp4(name: &str, size: u64, mtime: OffsetDateTime) -> Mp4 {
        Mp4 { name: name.into(), print: Fingerprint { size, mtime } }
    }

    #[test]
    fn the_first_recording_of_a_tree_that_the_scripts_left() {
        let page = || Some((NotionId::Page(PageId::parse(PAGE).unwrap()), NOON));
        let (old, new) = (mp4("old.mp4", 5, EARLY), mp4("new.mp4", 9, LATE));
        // (.notion_id, master, MP4s largest first) -> the first recording's MP4, if there is a first recording
        let cases = [
            ("nothing of the scripts", None, None, vec![&old], None),
            ("finalized", page(), None, vec![&old], Some("old.mp4")),
            ("finalized, and a second MP4 came later", page(), None, vec![&new, &old], Some("old.mp4")),
            ("finalized, and the MP4 was touched since", page(), None, vec![&new], Some("new.mp4")),
            ("HLS made, MP4 kept", page(), Some(NOON), vec![&old], Some("old.mp4")),
            ("HLS made, and another MP4 came", page(), Some(NOON), vec![&new], Some("")),
            ("HLS made, MP4 gone", page(), Some(NOON), vec![], Some("")),
        ];
        for (name, id, master, mp4s, wanted) in cases {
            let mp4s: Vec<Mp4> = mp4s.into_iter().cloned().collect();
            let state = adopt(&Left { id, master }, &mp4s, |_| String::new(), |slot| slot == 0);
            assert_eq!(state.recordings.first().map(Recording::shown).as_deref(), wanted, "{name}");
            assert!(state.recordings.iter().all(|recording| recording.slot == 0), "{name}");
        }
    }

    #[test]
    fn the_row_of_a_recording_that_the_scripts_finalized_beside_finished_hls_is_not_that_of_the_hls() {
        let left = Left { id: Some((NotionId::Page(PageId::parse(PAGE).unwrap()), LATE)), master: Some(EARLY) };
        let state = adopt(&left, &[mp4("b.mp4", 1, NOON)], |_| String::new(), |slot| slot < 2);
        let [only] = &state.recordings[..] else { panic!("{state:?}") };
        assert_eq!((only.shown().as_str(), only.page_id.is_some(), only.slot), ("b.mp4", true, 2));
    }

    #[test]
    fn an_empty_notion_id_makes_notion_be_asked_before_a_row_is_made() {
        for id in [NotionId::Empty, NotionId::Garbage("x".into())] {
            let left = Left { id: Some((id, NOON)), master: None };
            let state = adopt(&left, &[mp4("a.mp4", 1, EARLY)], |_| "https://x/r/a.mp4".into(), |_| false);
            let create = state.recordings[0].create.as_ref().unwrap();
            assert_eq!((create.sent, create.url.as_str()), (NOON, "https://x/r/a.mp4"));
        }
    }

    #[test]
    fn an_mp4_that_is_not_of_its_slots_hls_becomes_a_recording_of_its_own() {
        let left = Left { id: Some((NotionId::Page(PageId::parse(PAGE).unwrap()), NOON)), master: Some(NOON) };
        let mut state = adopt(&left, &[mp4("a.mp4", 1, EARLY)], |_| String::new(), |_| false);
        split(&mut state, 0, |slot| slot == 0);
        let [first, second] = &state.recordings[..] else { panic!("{state:?}") };
        assert_eq!((first.shown().as_str(), first.page_id.is_some(), first.slot), ("", true, 0));
        assert_eq!((second.shown().as_str(), second.page_id.is_some(), second.slot), ("a.mp4", false, 1));
    }

    fn followed(state: &mut State, mp4s: &[Mp4]) {
        let left = Left { id: Some((NotionId::Page(PageId::parse(PAGE).unwrap()), NOON)), master: None };
        follow(state, &left, mp4s, |slot| slot == 0);
    }

    fn registered(mp4: Mp4) -> State {
        let mut state = State::empty();
        state.register(&[mp4], |_| false);
        state.recordings[0].page_id = Some(PageId::parse("11111111-2222-3333-4444-555555555555").unwrap());
        state.recordings[0].row_gone = true;
        state
    }

    #[test]
    fn a_row_that_the_scripts_made_since_is_followed() {
        let mut state = registered(mp4("a.mp4", 1, EARLY));
        followed(&mut state, &[mp4("a.mp4", 1, EARLY)]);
        assert_eq!(state.recordings[0].page_id.as_ref().unwrap().to_string(), PAGE);
        assert!(!state.recordings[0].row_gone);
        let mut state = registered(mp4("a.mp4", 1, EARLY));
        followed(&mut state, &[]);
        assert_eq!(state.recordings[0].page_id.as_ref().unwrap().to_string(), PAGE, "written by hand");
    }

    #[test]
    fn a_row_that_the_scripts_made_for_another_mp4_is_not_that_of_the_first_recording() {
        let mut state = registered(mp4("a.mp4", 1, EARLY));
        state.recordings[0].removed = Some(EARLY);
        let before = state.recordings[0].clone();
        followed(&mut state, &[mp4("a.mp4", 2, EARLY)]);
        assert_eq!(state.recordings[0], before);
        assert_eq!((state.recordings[1].slot, state.recordings.len()), (1, 2));
        assert_eq!(state.recordings[1].page_id.as_ref().unwrap().to_string(), PAGE);
        let after = state.clone();
        followed(&mut state, &[mp4("a.mp4", 2, EARLY)]);
        assert_eq!(state, after, "once");
    }
}
