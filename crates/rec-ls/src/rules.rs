//! Which rules hold a recording now, decided from facts, and what moves it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use rec_core::adopt::NotionId;
use rec_core::hold::Hold;
use rec_core::plan::{self, Facts, Step};
use rec_core::recording::LOCK;
use rec_core::state::Recording;
use rec_core::text::bytes;
use time::OffsetDateTime;

use crate::condition::Condition;
use crate::held::Held;
use crate::remedy::Remedy;
use crate::when::instant;

/// What is around a recording that its state does not tell.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Around {
    /// Who has its directory locked.
    pub(crate) held: Option<Held>,
    /// No tool has taken it in yet.
    pub(crate) unknown: bool,
    /// Its directory has a state file, or a `.notion_id`.
    pub(crate) ours: bool,
    /// What `.notion_id` holds where there is no state file.
    pub(crate) id: Option<NotionId>,
    /// Its MP4's boxes do not say that it is closed, and it has changed lately.
    pub(crate) growing: bool,
    /// `PUBLISH_UNFINALIZED_AFTER`.
    pub(crate) unfinalized_after: Option<Duration>,
    /// That the window is closed, and until when.
    pub(crate) closed: Option<String>,
    /// What is wrong with `HLS_WINDOW`.
    pub(crate) no_window: Option<String>,
    /// Bytes that are free on its disk, and that stay so.
    pub(crate) free: Option<(u64, u64)>,
    /// What its HLS lacks.
    pub(crate) broken: Option<String>,
    /// No run without arguments comes by.
    pub(crate) aside: bool,
}

/// What keeps a recording from its next step.
#[derive(Debug, PartialEq)]
pub(crate) enum Rule {
    Locked(Held),
    Lost,
    RowGone,
    /// Its HLS is not whole, and there is nothing to make it from.
    Broken(String),
    /// The same of what could be decoded of a damaged MP4; the directory that is made anew, where damaged ones are accepted.
    Unsound(String, String, bool),
    GivenUp,
    NoPageId(&'static str),
    /// Nobody called finalize. When it is published all the same.
    Unfinalized(Option<OffsetDateTime>),
    Growing,
    NoRow,
    NoWindow(String),
    Full(u64, u64),
    Aside,
    Backoff(Hold, &'static str),
    Closed(String),
}

/// What holds a recording: what matters most, and has to go first, comes first.
pub(crate) fn rules(recording: &Recording, facts: &Facts<'_>, condition: Condition, around: &Around) -> Vec<Rule> {
    let mut rules: Vec<Rule> = around.held.clone().map(Rule::Locked).into_iter().collect();
    let lost = condition == Condition::Lost;
    let broken = around.broken.clone().filter(|_| facts.mp4.is_none() && !lost);
    let step = plan::wanted(recording, facts);
    let told = recording.given_up && !matches!(step, Step::Encode | Step::Inherit);
    rules.extend(lost.then_some(Rule::Lost));
    rules.extend((recording.row_gone && !lost).then_some(Rule::RowGone));
    rules.extend((told && !lost && broken.is_none()).then_some(Rule::GivenUp));
    rules.extend(broken.map(Rule::Broken));
    // The next run makes HLS anew of an MP4, but not of a damaged one.
    if condition == Condition::Damaged
        && let Some(why) = &around.broken
    {
        rules.push(Rule::Unsound(why.clone(), recording.hls_dir(), facts.retry == plan::Retry::Salvage));
    }
    if lost || recording.row_gone {
        return rules;
    }
    match &around.id {
        Some(NotionId::Empty) => rules.push(Rule::NoPageId("is empty")),
        Some(NotionId::Garbage(_)) => rules.push(Rule::NoPageId("holds no page id")),
        Some(NotionId::Page(_)) | None => {}
    }
    if around.unknown && !around.ours {
        let changed = facts.mp4.map_or(facts.now, |mp4| mp4.print.mtime);
        rules.push(Rule::Unfinalized(around.unfinalized_after.map(|after| changed + after)));
    } else if around.unknown && around.growing {
        rules.push(Rule::Growing);
    }
    rules.extend((recording.page_id.is_none() && facts.mp4.is_none()).then_some(Rule::NoRow));
    if step == Step::Rest || told {
        return rules;
    }
    rules.extend(around.no_window.clone().map(Rule::NoWindow));
    rules.extend(
        around.free.filter(|(free, stays)| free < stays && step == Step::Encode).map(|(a, b)| Rule::Full(a, b)),
    );
    rules.extend(around.aside.then_some(Rule::Aside));
    let by = if matches!(step, Step::Encode | Step::Inherit) { "this machine" } else { "Notion" };
    rules.extend(plan::held(recording, step, facts).map(|hold| Rule::Backoff(hold.clone(), by)));
    rules.extend(around.closed.clone().map(Rule::Closed));
    rules
}

impl Rule {
    /// What moves the recording, as far as this rule goes.
    pub(crate) fn remedy(&self, dir: &Path, mp4: bool, now: OffsetDateTime) -> Remedy {
        let retry = || Remedy::run("jitsi-hls-worker --retry", dir);
        match self {
            Self::Locked(held) => held.remedy(&dir.join(LOCK)),
            Self::Lost => Remedy::by_hand("bring its MP4 or its HLS back from a backup"),
            Self::RowGone => retry().once("restore its row in Notion's trash, then"),
            Self::Broken(_) => retry().once("bring its MP4 or its HLS back from a backup, then"),
            Self::Unsound(_, hls, accepted) => Remedy::salvage(dir, hls, *accepted),
            Self::NoWindow(_) => Remedy::by_hand("mend HLS_WINDOW in the env file"),
            Self::GivenUp if !mp4 => retry().once("bring its MP4 or its HLS back from a backup, then"),
            Self::GivenUp | Self::Backoff(..) => retry(),
            Self::Unfinalized(Some(due)) if *due <= now => {
                Remedy::nothing("the next run of jitsi-hls-worker takes it up")
            }
            Self::NoPageId(_) | Self::Unfinalized(_) => Remedy::run("jitsi-finalize", dir),
            Self::Growing => Remedy::nothing("a run of jitsi-hls-worker takes it up once nobody writes to it any more"),
            Self::NoRow => Remedy::by_hand(
                "bring its MP4 back from a backup, or make a row by hand and write its page id into .notion_id",
            ),
            Self::Full(..) => Remedy::by_hand("make room on its disk, or set HLS_MIN_FREE lower"),
            Self::Aside | Self::Closed(_) => Remedy::run("jitsi-hls-worker", dir),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(held) => write!(f, "its directory is locked by {held}"),
            Self::Lost => f.write_str("neither its MP4 nor its HLS is there"),
            Self::RowGone => f.write_str("somebody has deleted its row in Notion: nothing is asked of Notion any more"),
            Self::Broken(why) => write!(f, "its HLS is not whole, and its MP4 is gone: {why}"),
            Self::Unsound(why, ..) => write!(f, "its HLS, of a damaged MP4, is not whole: {why}"),
            Self::NoWindow(why) => write!(f, "HLS_WINDOW {why}: no run begins"),
            Self::GivenUp => f.write_str("it was given up: it is left alone until its MP4 changes, or somebody retries it"),
            Self::NoPageId(what) => write!(f, ".notion_id {what}"),
            Self::Unfinalized(None) => f.write_str(
                "jitsi-finalize was not called for it, and PUBLISH_UNFINALIZED_AFTER does not say that it is published all the same",
            ),
            Self::Unfinalized(Some(due)) => write!(
                f,
                "jitsi-finalize was not called for it: it is published if it does not change until {} (PUBLISH_UNFINALIZED_AFTER)",
                instant(*due)
            ),
            Self::Growing => f.write_str("it may still be being written: it has changed lately, and has no end yet"),
            Self::NoRow => f.write_str("it has no row, and nothing makes one without its MP4"),
            Self::Full(free, stays) => {
                write!(f, "its disk has {} free, and {} of it stay free (HLS_MIN_FREE)", bytes(*free), bytes(*stays))
            }
            Self::Aside => f.write_str("it does not lie directly below RECORDINGS_ROOT: runs that name no directory pass it by"),
            Self::Backoff(hold, by) => {
                write!(
                    f,
                    "trouble of {by}: it is not tried again before {}; it failed {} times since {}: {}",
                    instant(hold.until),
                    hold.tries,
                    instant(hold.since),
                    rec_core::text::one_line(&hold.why)
                )
            }
            Self::Closed(closed) => write!(f, "{closed} (HLS_WINDOW)"),
        }
    }
}

/// What the next run does of itself.
pub(crate) fn next(recording: &Recording, facts: &Facts<'_>) -> Option<&'static str> {
    Some(match plan::wanted(recording, facts) {
        Step::Rest if !recording.owed.is_empty() => "tells its webhooks",
        Step::Rest => return None,
        Step::MakeRow(_) => "makes its row",
        Step::TellError => "has its row say error",
        Step::Inherit => "compares it with the HLS that is there",
        Step::Encode => "makes its HLS",
        Step::Publish => "points its row at its HLS",
        Step::Remove => "removes its MP4",
        Step::TellWebhooks => "tells its webhooks",
    })
}

#[cfg(test)]
mod tests;
