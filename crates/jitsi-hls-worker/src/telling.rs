//! What a recording's row is told, and the scripts' lines for how that went.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use rec_core::exit::Exit;
use rec_core::hold::Hold;
use rec_core::notion::{Kind, Status};
use rec_core::row::{Made, Trouble, create_failed};
use rec_core::state::{Moment, Row};
use rec_core::text::path_word;
use rec_hooks::tell::{settle, tell};

use crate::steps::{End, Stepped, Turn, tried_again};
use rec_core::plan::ERROR;

/// How long the receivers of webhooks may take, once for each event.
const WEBHOOKS: Duration = Duration::from_secs(5);

impl Turn<'_> {
    /// The row that finalize could not make.
    pub(crate) fn make_row(&mut self, mut status: Status) -> Result<Stepped> {
        let mut ended = Ok(());
        if status != Status::Error {
            ended = self.examine()?;
            match ended {
                Ok(()) => {}
                // It has been given up just now, and its row is to say so from the start.
                Err(End::Exit(Exit::Failed)) => status = Status::Error,
                Err(end) => return Ok(Err(end)),
            }
        }
        self.webhooks(if status == Status::Error { Moment::Failed } else { Moment::Recorded })?;
        if self.is_spared() {
            return Ok(Err(Exit::Later.into()));
        }
        match self.worker.publisher().ensure(&mut self.entry, status, &self.worker.deadline()) {
            Ok(made) => {
                self.worker.away.answered();
                let made = if made == Made::Found { "found again" } else { "created" };
                let page = self.entry.recording().page_id.as_ref().map(ToString::to_string).unwrap_or_default();
                self.log().line(&format!("OK: notion page {made} id={page} {}", self.entry.shown()));
                Ok(ended)
            }
            Err(trouble) => {
                self.note(&trouble);
                let next = self.hold(&trouble).as_ref().map(tried_again);
                let line = create_failed(&self.entry, &trouble);
                self.tell(&trouble, &next.map_or(line.clone(), |next| format!("{line}; {next}")));
                Ok(Err(end_of(&trouble)))
            }
        }
    }

    /// Whether Notion, which was away for others just now, is not asked for this one.
    fn is_spared(&self) -> bool {
        let spared = self.worker.away.spares(Instant::now());
        if spared {
            self.log().detail(&format!("Later {}: Notion is away", self.entry.shown()));
        }
        spared
    }

    /// Remembers that Notion did not do what the recording needs, and when it is asked again.
    fn hold(&mut self, trouble: &Trouble) -> Option<Hold> {
        let Trouble::Notion(error) = trouble else { return None };
        if !matches!(error.kind, Kind::Away | Kind::Unanswered | Kind::Failed5xx | Kind::Rejected) {
            return None;
        }
        let hold = Hold::failed(self.entry.recording().remote.as_ref(), &error.to_string());
        if let Err(error) = self.entry.change(|recording| recording.remote = Some(hold.clone())) {
            self.log().detail(&format!("{error:#}"));
        }
        Some(hold)
    }

    /// Takes note of whether Notion is there at all.
    fn note(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Notion(error) => match error.kind {
                Kind::Away | Kind::Unanswered | Kind::Failed5xx => self.worker.away.was_away(Instant::now()),
                Kind::Rejected | Kind::Page => self.worker.away.answered(),
                Kind::Config | Kind::Stopped => {}
            },
            Trouble::Unsettled(_) | Trouble::Disk(_) => {}
        }
    }

    /// Says once for all rooms that no recording can succeed.
    pub(crate) fn misconfigured(&self, line: &str) {
        if self.worker.misconfigured.swap(true, Ordering::Relaxed) {
            self.log().detail(line);
        } else {
            self.log().error(line);
        }
    }

    /// Trouble with a row. What a wrong configuration makes fail, it makes fail in each room: that is said once.
    fn tell(&self, trouble: &Trouble, line: &str) {
        if is_misconfigured(trouble) {
            self.misconfigured(line);
        } else {
            self.log().error(line);
        }
    }

    /// Sets the row of a recording that has failed to error. Where Notion is away, a later run does.
    pub(crate) fn tell_error(&mut self) -> Result<End> {
        if self.entry.recording().given_up {
            self.webhooks(Moment::Failed)?;
        }
        Ok(match self.update(ERROR) {
            Err(End::Misconfigured) => End::Misconfigured,
            _ => Exit::Failed.into(),
        })
    }

    /// What webhooks are told of the recording, in time before its row is: they wait for no Notion.
    pub(crate) fn webhooks(&mut self, moment: Moment) -> Result<()> {
        let (config, log) = (self.worker.config, self.worker.log);
        let before = self.entry.recording().told.clone();
        tell(config, log, &mut self.entry, moment)?;
        if self.entry.recording().told != before {
            self.worker.deliver(WEBHOOKS);
        }
        Ok(())
    }

    /// Puts what could not be put into the outboxes when it happened.
    pub(crate) fn settle(&mut self) -> Result<Stepped> {
        settle(self.worker.config, self.worker.log, &mut self.entry)?;
        self.worker.deliver(WEBHOOKS);
        Ok(Ok(()))
    }

    /// The last word to the row, with the scripts' lines for how it went.
    pub(crate) fn announce(&mut self, done: &str, failed: &str) -> Result<Stepped> {
        // What the scripts published before we came is no news.
        if self.entry.recording().hls.is_some_and(|hls| hls.of.is_some()) {
            self.webhooks(Moment::Published)?;
        }
        let ended = self.update(Row::published(self.worker.config.publish_link));
        if ended.is_ok() {
            self.log().line(done);
        } else {
            let id = self.entry.room.id();
            self.log().error(&format!("{failed} Notion update failed. Keep mp4 room={id}"));
        }
        Ok(ended)
    }

    /// One change of the row. A row that a person has taken away is left alone from then on.
    pub(crate) fn update(&mut self, row: Row) -> Stepped {
        let recording = self.entry.recording();
        let asks = recording.page_id.is_some() && recording.row != Some(row);
        if asks && self.is_spared() {
            return Err(Exit::Later.into());
        }
        let back = self.entry.recording().row_gone;
        let updated = match self.worker.publisher().update(&mut self.entry, row) {
            Ok(()) if back => self.entry.change(|recording| recording.row_gone = false).map_err(Trouble::Disk),
            updated => updated,
        };
        let Err(trouble) = updated else {
            if asks {
                self.worker.away.answered();
            }
            return Ok(());
        };
        let id = self.entry.room.id();
        self.tell(
            &trouble,
            &match &trouble {
                // Notion has done its part.
                Trouble::Disk(error) => format!("ERROR: room={id}: {error:#}"),
                trouble => format!("ERROR: Notion update failed: {trouble} room={id}"),
            },
        );
        self.note(&trouble);
        // Nothing waits for a row to say processing.
        if row.status != Status::Processing {
            self.hold(&trouble);
        }
        if matches!(&trouble, Trouble::Notion(error) if error.kind == Kind::Page) {
            let dir = path_word(&self.entry.room.dir);
            self.log().error(&format!(
                "ERROR: room={id} is left alone, its mp4 kept: restore the row in Notion's trash, then run jitsi-hls-worker --retry {dir}"
            ));
            if let Err(error) = self.entry.change(|recording| recording.row_gone = true) {
                self.log().error(&format!("ERROR: {error:#}"));
            }
        }
        Err(end_of(&trouble))
    }
}

/// What follows from trouble with a row.
fn end_of(trouble: &Trouble) -> End {
    match trouble {
        Trouble::Unsettled(wait) => End::Unsettled(*wait),
        trouble if is_misconfigured(trouble) => End::Misconfigured,
        trouble => trouble.exit().into(),
    }
}

fn is_misconfigured(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Notion(error) if error.kind == Kind::Config)
}
