//! What happened to a recording, as its receivers are told.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rec_core::config::Config;
use rec_core::recording::Room;
use rec_core::state::{Moment, Recording};
use rec_core::{metadata, mp4, small};
use sha2::{Digest as _, Sha256};
use time::format_description::FormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// RFC 3339 in UTC, with milliseconds.
const TIMESTAMP: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// How Jibri ends the name of an MP4: `_2026-11-20-10-00-00`.
const STAMP: &[u8] = b"_0000-00-00-00-00-00";

/// Bytes of a name or a reason: any participant may have a say in what `metadata.json` holds.
const LONGEST: usize = 1000;

/// A playlist of a day in segments of two seconds is smaller.
const LARGEST_PLAYLIST: u64 = 8 << 20;

/// What happened to a recording.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it was.
    pub moment: Moment,
    /// Of which recording, in one word: the same for the same event, however often it is made.
    pub identity: [u8; 32],
    /// The meeting's room.
    pub room_name: String,
    /// What the caller of the recording, or Jibri, named it by.
    pub session_id: String,
    /// The MP4, or the playlist of its HLS, on this disk.
    pub file: Option<PathBuf>,
    /// Where a browser finds it. Without the site's password: bodies lie in the spool, and no secret may.
    pub url: Option<String>,
    /// How long it plays.
    pub seconds: Option<u64>,
    /// Why it failed.
    pub reason: Option<String>,
    /// When.
    pub at: OffsetDateTime,
}

impl Event {
    /// What happened to one recording of a directory.
    pub fn of(config: &Config, room: &Room, recording: &Recording, moment: Moment, now: OffsetDateTime) -> Self {
        let dir = std::path::absolute(&room.dir).unwrap_or_else(|_| room.dir.clone());
        let mp4: Option<&OsStr> = recording.file.as_ref().map(AsRef::as_ref);
        let hls = recording.hls_dir();
        let playlist = [OsStr::new(&hls), OsStr::new("master.m3u8")];
        let names = match moment {
            Moment::Published => playlist.to_vec(),
            Moment::Recorded | Moment::Failed => mp4.into_iter().collect(),
        };
        let file = (!names.is_empty()).then(|| dir.join(names.iter().collect::<PathBuf>()));
        let url = (moment != Moment::Failed && !names.is_empty())
            .then(|| room.url(config, names.iter().copied()).bare().to_owned());
        let damage = || recording.damage.clone();
        let own_name = || room.segments().last().map(|name| String::from_utf8_lossy(name).into_owned());
        Self {
            moment,
            identity: identity(room, recording, moment),
            room_name: metadata::room(&room.dir)
                .filter(fits)
                .or_else(|| mp4.and_then(before_stamp))
                .or_else(own_name)
                .unwrap_or_default(),
            session_id: metadata::session(&room.dir).filter(fits).or_else(own_name).unwrap_or_default(),
            seconds: mp4.and_then(|mp4| seconds_of_mp4(&dir.join(mp4))).or_else(|| match moment {
                Moment::Published => seconds_of_hls(file.as_ref()?),
                Moment::Recorded | Moment::Failed => None,
            }),
            file,
            url,
            reason: if moment == Moment::Failed { recording.error.clone().or_else(damage).map(cut) } else { None },
            at: now,
        }
    }

    /// The same as another event: somebody wants it sent again.
    #[must_use]
    pub fn again(mut self) -> Self {
        self.identity = fresh();
        self
    }

    /// A recording that was never made, for a trial.
    pub fn trial(moment: Moment, room_name: &str, base: &str, now: OffsetDateTime) -> Self {
        let event = Self {
            moment,
            identity: [0; 32],
            room_name: room_name.to_owned(),
            session_id: "rec-hook-test".into(),
            file: Some("/rec-hook-test/test.mp4".into()),
            url: Some(format!("{base}/rec-hook-test/test.mp4")),
            seconds: Some(1),
            reason: None,
            at: now,
        };
        event.again()
    }

    /// The event's id at a destination.
    pub fn id(&self, destination: &str) -> String {
        id(&[destination.as_bytes(), &self.identity])
    }
}

/// An id that no event has yet.
pub fn fresh_id() -> String {
    id(&[&fresh()])
}

/// What no other process has at any time.
fn fresh() -> [u8; 32] {
    let chance: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos().to_be_bytes();
    digest(&[&chance, &std::process::id().to_be_bytes(), &now])
}

/// An id of the form of Standard Webhooks.
pub(crate) fn id(parts: &[&[u8]]) -> String {
    let digest = digest(parts);
    let (half, _) = digest.split_at(16);
    format!("msg_{}", hex(half))
}

/// A time as it stands in bodies.
pub fn timestamp(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(TIMESTAMP).unwrap_or_default()
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|d| char::from_digit(d.into(), 16)).collect()
}

fn identity(room: &Room, recording: &Recording, moment: Moment) -> [u8; 32] {
    let name = recording.file.as_ref().map(|file| file.0.as_bytes()).unwrap_or_default();
    let (size, mtime) = recording.source.map(|source| (source.size, source.mtime.unix_timestamp_nanos())).unzip();
    let dir = room.segments().join(&b'/');
    digest(&[
        moment.as_str().as_bytes(),
        &dir,
        name,
        &size.unwrap_or_default().to_be_bytes(),
        &mtime.unwrap_or_default().to_be_bytes(),
        // Without a file, its place among the others is all that tells it from them.
        &recording.slot.to_be_bytes(),
    ])
}

/// A hash in which no part can be taken for a piece of its neighbour.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What stands before Jibri's time in the name of an MP4: the room's name, cut where it is very long.
fn before_stamp(name: &OsStr) -> Option<String> {
    let stem = Path::new(name).file_stem()?.as_bytes();
    let at = stem.len().checked_sub(STAMP.len()).filter(|at| *at > 0)?;
    let (room, stamp) = stem.split_at(at);
    let fits = |(is, wanted): (&u8, &u8)| if *wanted == b'0' { is.is_ascii_digit() } else { is == wanted };
    stamp.iter().zip(STAMP).all(fits).then(|| String::from_utf8_lossy(room).into_owned())
}

#[expect(clippy::ptr_arg, reason = "Option::filter calls it so")]
fn fits(name: &String) -> bool {
    name.len() <= LONGEST
}

fn cut(text: String) -> String {
    match text.char_indices().find(|(at, _)| *at >= LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Playing time, where the MP4's index tells it.
fn seconds_of_mp4(mp4: &Path) -> Option<u64> {
    mp4::seconds(&mut File::open(mp4).ok()?).ok()?.map(whole)
}

/// Playing time of HLS whose MP4 is gone: that of the first rendition's segments.
fn seconds_of_hls(master: &Path) -> Option<u64> {
    let read = |path: &Path| String::from_utf8(small::read(path, LARGEST_PLAYLIST).ok()?).ok();
    let text = read(master)?;
    let rendition = text.lines().find(|line| !line.is_empty() && !line.starts_with('#'))?;
    // Only ours, which lie beside it or below.
    if !Path::new(rendition).components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let text = read(&master.with_file_name(rendition))?;
    let lengths = text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.split(',').next()?.parse::<f64>().ok());
    Some(lengths.sum::<f64>()).filter(|seconds| *seconds > 0.0).map(whole)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a playing time is small and positive")]
fn whole(seconds: f64) -> u64 {
    seconds.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rec_core::envfile;
    use rec_core::recording::{Fingerprint, Mp4};
    use std::fs;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-20 10:00:00 UTC);

    fn config(root: &Path) -> Config {
        let text = format!(
            "NOTION_TOKEN=t\nNOTION_DATABASE_ID=38c9ce7b60a48158aa2ad4923e46fb5b\nPUBLIC_BASE_URL='https://rec.example.com'\n\
             PUBLIC_URL_AUTH='user:hunter2@'\nRECORDINGS_ROOT='{}'\n",
            root.display()
        );
        let path = Path::new("F");
        Config::from_entries(path, &envfile::parse(path, text.as_bytes()).unwrap()).unwrap()
    }

    fn recording(name: &str) -> Recording {
        let print = Fingerprint { size: 9, mtime: NOW };
        Recording::new(0, Some(&Mp4 { name: name.into(), print }))
    }

    #[test]
    fn a_recording_is_its_mp4_a_published_one_its_playlist_and_a_failed_one_has_no_url() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("a b");
        fs::create_dir(&dir).unwrap();
        let (config, room) = (config(scratch.path()), Room::below_root(dir.clone()));
        let of = |moment| Event::of(&config, &room, &recording("m.mp4"), moment, NOW);
        let (recorded, published, failed) = (of(Moment::Recorded), of(Moment::Published), of(Moment::Failed));
        assert_eq!(recorded.url.as_deref(), Some("https://rec.example.com/a%20b/m.mp4"));
        assert_eq!(recorded.file, Some(dir.join("m.mp4")));
        assert_eq!(published.url.as_deref(), Some("https://rec.example.com/a%20b/v0/master.m3u8"));
        assert_eq!(published.file, Some(dir.join("v0/master.m3u8")));
        assert_eq!((failed.url, failed.file), (None, Some(dir.join("m.mp4"))));
        assert_eq!((recorded.room_name.as_str(), recorded.session_id.as_str()), ("a b", "a b"));
        assert_eq!(recorded.seconds, None);
        let mut cut = recording("m.mp4");
        cut.error = Some("it is cut".into());
        let reason = |moment| Event::of(&config, &room, &cut, moment, NOW).reason;
        assert_eq!((reason(Moment::Failed).as_deref(), reason(Moment::Published)), (Some("it is cut"), None));
    }

    #[test]
    fn room_and_session_come_from_the_metadata_else_from_names() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("qwerty");
        fs::create_dir(&dir).unwrap();
        let (config, room) = (config(scratch.path()), Room::below_root(dir.clone()));
        let names = |mp4: &str| {
            let event = Event::of(&config, &room, &recording(mp4), Moment::Recorded, NOW);
            (event.room_name, event.session_id)
        };
        let pair = |room: &str, session: &str| (room.to_owned(), session.to_owned());
        assert_eq!(names("daily_standup_2026-11-20-10-00-00.mp4"), pair("daily_standup", "qwerty"));
        assert_eq!(names("_2026-11-20-10-00-00.mp4"), pair("qwerty", "qwerty"));
        assert_eq!(names("x_2026-11-20-10-00.mp4"), pair("qwerty", "qwerty"));
        let metadata = r#"{"meeting_url":"https://meet.example.org/t/Daily?jwt=hunter2","sessionId":"clx9"}"#;
        fs::write(dir.join("metadata.json"), metadata).unwrap();
        assert_eq!(names("daily_standup_2026-11-20-10-00-00.mp4"), pair("Daily", "clx9"));
    }

    #[test]
    fn a_name_or_a_reason_that_is_endless_is_not_passed_on() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("qwerty");
        fs::create_dir(&dir).unwrap();
        let (config, room) = (config(scratch.path()), Room::below_root(dir.clone()));
        let long = "x".repeat(LONGEST + 1);
        let metadata = format!(r#"{{"meeting_url":"https://meet.example.org/{long}","sessionId":"{long}"}}"#);
        fs::write(dir.join("metadata.json"), metadata).unwrap();
        let mut recording = recording("m.mp4");
        recording.error = Some("é".repeat(LONGEST));
        let event = Event::of(&config, &room, &recording, Moment::Failed, NOW);
        assert_eq!((event.room_name.as_str(), event.session_id.as_str()), ("qwerty", "qwerty"));
        assert_eq!(event.reason, Some(format!("{}…", "é".repeat(LONGEST / 2))));
    }

    #[test]
    fn what_is_published_is_as_long_as_its_hls_where_the_mp4_is_gone() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("r");
        fs::create_dir_all(dir.join("v0/480p")).unwrap();
        let (config, room) = (config(scratch.path()), Room::below_root(dir.clone()));
        let seconds = |rendition: &str, moment| {
            let master = format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{rendition}\n");
            fs::write(dir.join("v0/master.m3u8"), master).unwrap();
            Event::of(&config, &room, &recording("m.mp4"), moment, NOW).seconds
        };
        fs::write(dir.join("v0/480p/i.m3u8"), "#EXTM3U\n#EXTINF:6.006,\na.ts\n#EXTINF:4.600,\nb.ts\n").unwrap();
        fs::write(dir.join("elsewhere.m3u8"), "#EXTINF:9,\n").unwrap();
        assert_eq!(seconds("480p/i.m3u8", Moment::Published), Some(11));
        assert_eq!(seconds("480p/i.m3u8", Moment::Recorded), None);
        assert_eq!(seconds("../elsewhere.m3u8", Moment::Published), None);
        assert_eq!(seconds("480p/none.m3u8", Moment::Published), None);
    }

    #[test]
    fn the_same_event_has_the_same_id_and_no_other_has() {
        let scratch = tempfile::tempdir().unwrap();
        let (config, room) = (config(scratch.path()), Room::below_root(scratch.path().join("r")));
        let of = |recording: &Recording, moment, now| Event::of(&config, &room, recording, moment, now);
        let event = of(&recording("m.mp4"), Moment::Recorded, NOW);
        let id = event.id("one");
        assert!(id.len() == 36 && id.starts_with("msg_") && id[4..].bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        assert_eq!(of(&recording("m.mp4"), Moment::Recorded, datetime!(2027-01-01 0:00 UTC)).id("one"), id);
        let mut grown = recording("m.mp4");
        grown.source = Some(Fingerprint { size: 10, mtime: NOW });
        let others = [
            event.id("two"),
            of(&recording("n.mp4"), Moment::Recorded, NOW).id("one"),
            of(&recording("m.mp4"), Moment::Published, NOW).id("one"),
            of(&grown, Moment::Recorded, NOW).id("one"),
            event.again().id("one"),
        ];
        assert!(!others.contains(&id));
    }

    #[test]
    fn times_are_in_utc_to_the_millisecond() {
        assert_eq!(timestamp(datetime!(2026-11-20 10:00:00.9999 +01:00)), "2026-11-20T09:00:00.999Z");
    }
}
