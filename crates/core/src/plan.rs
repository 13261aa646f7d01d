//! What a recording needs next: decided here, from facts, and done elsewhere.

use time::OffsetDateTime;

use crate::hold::Hold;
use crate::link::Link;
use crate::notion::Status;
use crate::recording::Mp4;
use crate::state::{Recording, Row};

/// The next step for a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is done, or only a person can move it.
    Rest,
    /// It has no row; the status of the one that it gets.
    MakeRow(Status),
    /// Its row does not say yet that it was given up.
    TellError,
    /// HLS is in place, and nobody noted what it was made from.
    Inherit,
    /// It has no HLS.
    Encode,
    /// Its HLS is in place, and its row does not say so.
    Publish,
    /// Its HLS is in place and its row says so: the MP4 has done its duty.
    Remove,
    /// Nothing but that the outbox of a webhook did not take what it was owed.
    TellWebhooks,
}

/// The facts about a recording that its state does not hold.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its MP4, if it is there.
    pub mp4: Option<&'a Mp4>,
    /// Whether its HLS directory is there.
    pub hls_dir: bool,
    /// Whether a master playlist is in it.
    pub master: bool,
    /// Which of those that were given up have another try.
    pub retry: Retry,
    /// What its row is to lead to.
    pub link: Link,
    /// The time.
    pub now: OffsetDateTime,
}

/// Which of those that were given up are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// None.
    Nothing,
    /// What has not been tried with HLS of what can be decoded.
    Salvage,
    /// Everything: a person named the directory.
    Everything,
}

impl Retry {
    fn includes(self, recording: &Recording) -> bool {
        match self {
            Self::Nothing => false,
            Self::Salvage => !recording.salvaged && !recording.row_gone,
            Self::Everything => true,
        }
    }
}

/// What the row of a recording says that was given up.
pub const ERROR: Row = Row::mp4(Status::Error);

/// Decides. A webhook that waits keeps nothing else from being done.
pub fn next(recording: &Recording, facts: &Facts<'_>) -> Step {
    match wanted(recording, facts) {
        step if step != Step::Rest && held(recording, step, facts).is_none() => step,
        _ if !recording.owed.is_empty() => Step::TellWebhooks,
        _ => Step::Rest,
    }
}

/// What keeps a recording from a step for now: trouble of the machine where its HLS is made or read, Notion's where it is told
/// something. Whoever names a directory waits for neither.
pub fn held<'a>(recording: &'a Recording, step: Step, facts: &Facts<'_>) -> Option<&'a Hold> {
    let (host, remote) = (&recording.host, &recording.remote);
    let holds = match step {
        Step::Inherit | Step::Encode | Step::Remove => [host, &None],
        Step::MakeRow(_) | Step::TellError => [remote, &None],
        Step::Publish => [remote, host],
        Step::Rest | Step::TellWebhooks => [&None, &None],
    };
    let waits = |hold: &&Hold| facts.retry != Retry::Everything && hold.holds(facts.now);
    holds.into_iter().flatten().find(waits)
}

/// The next step for a recording's HLS and row, were there nothing to wait for.
pub fn wanted(recording: &Recording, facts: &Facts<'_>) -> Step {
    if recording.row_gone && !facts.retry.includes(recording) {
        return Step::Rest;
    }
    let told = recording.row == Some(Row::published(facts.link));
    let Some(mp4) = facts.mp4 else {
        // The link that its row has works still: it gets the other one when a person asks for it.
        let told = told || recording.is_published() && facts.retry != Retry::Everything;
        // No MP4: only a row may be missing its last word.
        let hls = recording.hls.is_some() || facts.master;
        let silent = recording.page_id.is_none() || told || recording.given_up && facts.retry != Retry::Everything;
        return if hls && !silent { Step::Publish } else { Step::Rest };
    };
    let given_up = recording.given_up && !facts.retry.includes(recording);
    match (&recording.page_id, recording.hls) {
        (None, _) if recording.given_up => Step::MakeRow(Status::Error),
        (None, _) => Step::MakeRow(Status::Recorded),
        (Some(_), _) if given_up && recording.row != Some(ERROR) => Step::TellError,
        (Some(_), _) if given_up => Step::Rest,
        (Some(_), None) if facts.hls_dir => Step::Inherit,
        (Some(_), None) => Step::Encode,
        // HLS that is gone is found to be so there, and made anew.
        (Some(_), Some(_)) if !told || !facts.hls_dir => Step::Publish,
        (Some(_), Some(hls)) if hls.of == Some(mp4.print) && recording.damage.is_none() => Step::Remove,
        (Some(_), Some(_)) => Step::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notion::PageId;
    use crate::recording::Fingerprint;
    use crate::state::{Hls, Moment, Owed};
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

    fn mp4() -> Mp4 {
        Mp4 { name: "a.mp4".into(), print: Fingerprint { size: 1, mtime: datetime!(2026-01-01 0:00 UTC) } }
    }

    fn recording(edit: impl FnOnce(&mut Recording)) -> Recording {
        let mut recording = Recording::new(0, Some(&mp4()));
        recording.page_id = Some(PageId::parse("38c9ce7b-60a4-8158-aa2a-d4923e46fb5b").unwrap());
        recording.row = Some(Row::mp4(Status::Recorded));
        edit(&mut recording);
        recording
    }

    fn step(edit: impl FnOnce(&mut Recording), here: bool, hls: bool, named: bool) -> Step {
        let mp4 = mp4();
        let facts = Facts {
            mp4: here.then_some(&mp4),
            hls_dir: hls,
            master: hls,
            retry: if named { Retry::Everything } else { Retry::Nothing },
            link: Link::Playlist,
            now: NOW,
        };
        next(&recording(edit), &facts)
    }

    #[test]
    fn what_is_damaged_is_salvaged_once_if_that_is_wanted_and_its_mp4_stays() {
        let (mp4, damage) = (mp4(), Some("it is cut".to_owned()));
        let next = |edit: Edit, salvage| {
            let retry = if salvage { Retry::Salvage } else { Retry::Nothing };
            let facts = Facts { mp4: Some(&mp4), hls_dir: false, master: false, retry, link: Link::Playlist, now: NOW };
            next(&recording(edit), &facts)
        };
        let given_up: Edit = |r| (r.row, r.given_up) = (Some(ERROR), true);
        assert_eq!((next(given_up, false), next(given_up, true)), (Step::Rest, Step::Encode));
        assert_eq!(next(|r| (r.row, r.given_up, r.salvaged) = (Some(ERROR), true, true), true), Step::Rest);
        let published = |damage: Option<String>| {
            let hls = Some(Hls { of: Some(mp4.print) });
            let recording = recording(|r| (r.row, r.hls, r.damage) = (Some(PUBLISHED), hls, damage));
            let (retry, link) = (Retry::Everything, Link::Playlist);
            super::next(&recording, &Facts { mp4: Some(&mp4), hls_dir: true, master: true, retry, link, now: NOW })
        };
        assert_eq!((published(None), published(damage)), (Step::Remove, Step::Rest));
    }

    const PUBLISHED: Row = Row::published(Link::Playlist);

    #[test]
    fn another_link_is_told_before_the_mp4_goes_and_of_what_is_done_when_a_person_asks() {
        let mp4 = mp4();
        let next = |row, link, here: bool, retry| {
            let hls = Some(Hls { of: Some(mp4.print) });
            let recording = recording(|r| (r.row, r.hls) = (Some(row), hls));
            next(&recording, &Facts { mp4: here.then_some(&mp4), hls_dir: true, master: false, retry, link, now: NOW })
        };
        for (row, link, other) in
            [(PUBLISHED, Link::Playlist, Link::Page), (Row::published(Link::Page), Link::Page, Link::Playlist)]
        {
            assert_eq!(next(row, link, true, Retry::Nothing), Step::Remove);
            assert_eq!(next(row, other, true, Retry::Nothing), Step::Publish);
            for (retry, wanted) in
                [(Retry::Nothing, Step::Rest), (Retry::Salvage, Step::Rest), (Retry::Everything, Step::Publish)]
            {
                assert_eq!(next(row, link, false, retry), Step::Rest);
                assert_eq!(next(row, other, false, retry), wanted);
            }
        }
    }

    type Edit = fn(&mut Recording);

    fn owe(recording: &mut Recording, row: Row) {
        recording.row = Some(row);
        let owed = Owed { event: Moment::Published, at: datetime!(2026-01-01 0:00 UTC) };
        recording.owed.insert("optilearn".into(), owed);
    }

    #[test]
    fn the_next_step_of_a_recording() {
        let hls = || Some(Hls { of: Some(mp4().print) });
        let none: Edit = |_| ();
        let no_row: Edit = |r| (r.page_id, r.row) = (None, None);
        let given_up: Edit = |r| r.given_up = true;
        let damaged: Edit = |r| (r.page_id, r.row, r.given_up) = (None, None, true);
        let told_error: Edit = |r| (r.row, r.given_up) = (Some(ERROR), true);
        let published: Edit = |r| r.row = Some(PUBLISHED);
        let waits: Edit = |r| owe(r, PUBLISHED);
        let waits_given_up: Edit = |r| {
            owe(r, ERROR);
            r.given_up = true;
        };
        // (what it is, its state, MP4 here, HLS there, named) -> step
        let cases: [(&str, Edit, bool, bool, bool, Step); 17] = [
            ("finalized", none, true, false, false, Step::Encode),
            ("not published by finalize", no_row, true, false, false, Step::MakeRow(Status::Recorded)),
            ("damaged, not published by finalize", damaged, true, false, false, Step::MakeRow(Status::Error)),
            ("given up, and nobody knows", given_up, true, false, false, Step::TellError),
            ("given up, and told", told_error, true, false, false, Step::Rest),
            ("published, with a webhook that waits", waits, false, true, false, Step::TellWebhooks),
            ("given up, with a webhook that waits, and named", waits_given_up, true, false, true, Step::Encode),
            ("given up, and named", told_error, true, false, true, Step::Encode),
            ("HLS of unknown origin", none, true, true, false, Step::Inherit),
            ("MP4 gone, nothing made of it", none, false, false, false, Step::Rest),
            ("MP4 gone, HLS of the scripts", none, false, true, false, Step::Publish),
            ("MP4 gone, published", published, false, true, false, Step::Rest),
            ("MP4 gone, no row", no_row, false, true, false, Step::Rest),
            ("row gone", |r| r.row_gone = true, true, false, false, Step::Rest),
            ("row gone, and named", |r| r.row_gone = true, true, false, true, Step::Encode),
            ("MP4 gone, given up", given_up, false, true, false, Step::Rest),
            ("MP4 gone, given up, and named", given_up, false, true, true, Step::Publish),
        ];
        for (name, edit, here, there, named, wanted) in cases {
            assert_eq!(step(edit, here, there, named), wanted, "{name}");
        }
        assert_eq!(step(|r| r.hls = hls(), true, true, false), Step::Publish, "HLS made, row silent");
        let damaged: Edit = |r| {
            (r.hls, r.row) = (Some(Hls { of: Some(mp4().print) }), Some(PUBLISHED));
            r.damage = Some("it is cut".to_owned());
        };
        assert_eq!(step(damaged, true, true, false), Step::Rest, "published, and its MP4 kept");
        assert_eq!(step(damaged, true, false, false), Step::Publish, "the same, and its HLS gone");
        assert_eq!(step(|r| (r.hls, r.row) = (hls(), Some(PUBLISHED)), true, true, false), Step::Remove);
        assert_eq!(step(|r| (r.hls, r.row) = (Some(Hls { of: None }), Some(PUBLISHED)), true, true, false), Step::Rest);
    }

    #[test]
    fn trouble_of_the_machine_holds_ffmpeg_and_trouble_of_notion_holds_the_row() {
        let hold = |minutes| {
            let until = NOW + time::Duration::minutes(minutes);
            Some(Hold { tries: 3, since: NOW, until, why: "away".into() })
        };
        let no_row: Edit = |r| (r.page_id, r.row) = (None, None);
        let made: Edit = |r| r.hls = Some(Hls { of: Some(mp4().print) });
        let given_up: Edit = |r| r.given_up = true;
        let published: Edit = |r| (r.hls, r.row) = (Some(Hls { of: Some(mp4().print) }), Some(PUBLISHED));
        // (state, HLS there, the step, held by the machine, held by Notion)
        let cases: [(&str, Edit, bool, Step, bool, bool); 6] = [
            ("to be encoded", |_| (), false, Step::Encode, true, false),
            ("to be compared", |_| (), true, Step::Inherit, true, false),
            ("without a row", no_row, false, Step::MakeRow(Status::Recorded), false, true),
            ("to be published", made, true, Step::Publish, true, true),
            ("to be told an error", given_up, false, Step::TellError, false, true),
            ("to be removed", published, true, Step::Remove, true, false),
        ];
        for (name, edit, hls, wanted, by_host, by_remote) in cases {
            for (which, holds) in [("host", by_host), ("remote", by_remote)] {
                let next = |minutes, named| {
                    let troubled = |r: &mut Recording| {
                        edit(r);
                        *(if which == "host" { &mut r.host } else { &mut r.remote }) = hold(minutes);
                    };
                    step(troubled, true, hls, named)
                };
                assert_eq!(next(5, false), if holds { Step::Rest } else { wanted }, "{name}, {which}");
                assert_eq!(next(0, false), wanted, "{name}, {which}: its time has come");
                let named = if wanted == Step::TellError { Step::Encode } else { wanted };
                assert_eq!(next(5, true), named, "{name}, {which}: named");
            }
        }
        let waits = |r: &mut Recording| {
            owe(r, Row::mp4(Status::Recorded));
            r.host = hold(5);
        };
        assert_eq!(step(waits, true, false, false), Step::TellWebhooks, "webhooks wait for no machine");
    }
}
