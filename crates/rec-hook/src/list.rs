//! `ls` and `show`: what waits, and what was given up.

use std::io::{self, IsTerminal as _, Write};

use anyhow::{Result, bail};
use rec_core::log::say;
use rec_core::state::Moment;
use rec_core::text::{one_line, shown};
use rec_hooks::Outbox;
use rec_hooks::outbox::{Item, Lane, Letter};
use rec_hooks::verdict::Tries;
use serde_json::{Value, json};
use time::format_description::FormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use crate::Tool;
use crate::cli::{Ls, Show};
use crate::end::End;
use crate::mend::among;

/// RFC 3339 in UTC, to the second.
const INSTANT: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// How much of an id tells it from the others, most of the time.
const SHORT_ID: usize = 12;

pub(crate) fn ls(tool: &Tool<'_>, args: &Ls) -> Result<End> {
    let outbox = Outbox::new(&tool.config);
    let lane = if args.dead { Lane::Dead } else { Lane::Queue };
    let mut rows = Vec::new();
    for destination in chosen(&outbox, &args.to)? {
        let state = state(tool, &outbox, &destination);
        if !args.json && !tool.cli.common.quiet {
            state.tell(&destination);
        }
        for item in outbox.list(&destination, lane)?.items {
            rows.push(Row::of(&item, &state));
        }
    }
    let mut out = io::stdout().lock();
    if args.json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        serde_json::to_writer_pretty(&mut out, &rows).map_err(io::Error::from)?;
        writeln!(out)?;
    } else if out.is_terminal() {
        table(&mut out, &rows)?;
    } else {
        for row in &rows {
            writeln!(out, "{}", row.columns().join("\t"))?;
        }
    }
    out.flush()?;
    Ok(End::Done)
}

pub(crate) fn show(tool: &Tool<'_>, args: &Show) -> Result<End> {
    let outbox = Outbox::new(&tool.config);
    let mut out = io::stdout().lock();
    for item in found(&outbox, std::slice::from_ref(&args.id))? {
        let row = Row::of(&item, &state(tool, &outbox, &item.destination));
        for (key, value) in row.pairs() {
            writeln!(out, "{key}: {value}")?;
        }
        writeln!(out, "path: {}", shown(item.path()))?;
        match (row.letter, row.damage) {
            (Some(letter), _) => {
                writeln!(out)?;
                // What is in a body is for its receiver, and may move a terminal's cursor.
                if out.is_terminal() {
                    writeln!(out, "{}", one_line(&String::from_utf8_lossy(&letter.body)))?;
                } else {
                    out.write_all(&letter.body)?;
                    writeln!(out)?;
                }
            }
            (None, Some(damage)) => writeln!(out, "error: {damage}")?,
            (None, None) => {}
        }
    }
    out.flush()?;
    Ok(End::Done)
}

/// The events that ids or their beginnings mean, each in both directories if it is in both; none, if one of them means none.
pub(crate) fn found(outbox: &Outbox<'_>, beginnings: &[String]) -> Result<Vec<Item>> {
    let found = outbox.find(beginnings)?;
    for (beginning, items) in beginnings.iter().zip(&found) {
        let mut ids: Vec<&str> = items.iter().map(|item| item.name.id()).collect();
        ids.dedup();
        let beginning = one_line(beginning);
        match ids[..] {
            [_] => {}
            [] => bail!("{beginning}: no such event: rec-hook ls and rec-hook ls --dead list them"),
            [first, second, ..] => bail!(
                "{beginning} begins the ids of {} events, {first} and {second} among them: write more of it",
                ids.len()
            ),
        }
    }
    Ok(found.into_iter().flatten().collect())
}

/// The named destinations, of those that are configured or have something in the outbox; none named: all.
pub(crate) fn chosen(outbox: &Outbox<'_>, names: &[String]) -> Result<Vec<String>> {
    among(outbox.destinations()?, names)
}

/// A time for people and programs.
pub(crate) fn instant(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(INSTANT).unwrap_or_default()
}

/// How a destination stands.
struct State {
    configured: bool,
    off: Option<(OffsetDateTime, String)>,
}

fn state(tool: &Tool<'_>, outbox: &Outbox<'_>, destination: &str) -> State {
    let to = tool.config.webhooks.iter().find(|to| to.name == destination);
    let off = to.and_then(|to| outbox.off(to)).map(|off| (off.since, off.reason));
    State { configured: to.is_some(), off }
}

impl State {
    fn tell(&self, destination: &str) {
        if let Some((since, reason)) = &self.off {
            say(&format!(
                "{destination} is off since {}: it {reason}: rec-hook retry --all {destination} switches it on",
                instant(*since)
            ));
        }
        if !self.configured {
            say(&format!("{destination} is not in WEBHOOKS: nothing is sent there"));
        }
    }
}

/// A line of the list.
struct Row {
    to: String,
    id: String,
    state: &'static str,
    letter: Option<Letter>,
    damage: Option<String>,
    tries: Option<Tries>,
}

impl Row {
    fn of(item: &Item, state: &State) -> Self {
        let (letter, damage) = match item.read() {
            Ok(letter) => (letter, None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let word = match item.lane {
            Lane::Dead => "dead",
            Lane::Queue if !state.configured => "unknown",
            Lane::Queue if state.off.is_some() => "off",
            Lane::Queue => "queued",
        };
        Self {
            to: item.destination.clone(),
            id: item.name.id().to_owned(),
            state: word,
            letter,
            damage,
            tries: item.tries(),
        }
    }

    fn event(&self) -> &'static str {
        self.letter.as_ref().and_then(|letter| letter.head.moment).map_or("-", Moment::as_str)
    }

    fn room(&self) -> String {
        self.letter
            .as_ref()
            .map(|letter| one_line(&letter.head.room))
            .filter(|room| !room.is_empty())
            .unwrap_or("-".into())
    }

    fn created(&self) -> String {
        self.letter.as_ref().map_or("-".into(), |letter| instant(letter.head.created))
    }

    fn count(&self) -> u32 {
        self.tries.as_ref().map_or(0, |tries| tries.tries)
    }

    /// When it is tried next.
    fn next(&self) -> Option<OffsetDateTime> {
        self.tries.as_ref().filter(|_| self.state != "dead").map(|tries| tries.due)
    }

    fn next_shown(&self) -> String {
        match (self.state, self.next()) {
            ("dead", _) => "-".into(),
            (_, Some(due)) => instant(due),
            (_, None) => "now".into(),
        }
    }

    fn reason(&self) -> String {
        let reason = self.tries.as_ref().map(|tries| one_line(&tries.reason));
        reason.or_else(|| self.damage.as_ref().map(|damage| one_line(damage))).unwrap_or("-".into())
    }

    fn columns(&self) -> [String; 9] {
        [
            self.to.clone(),
            self.id.clone(),
            self.state.to_owned(),
            self.event().to_owned(),
            self.room(),
            self.created(),
            self.count().to_string(),
            self.next_shown(),
            self.reason(),
        ]
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let head = self.letter.as_ref().map(|letter| &letter.head);
        let of = |text: Option<&String>| text.filter(|text| !text.is_empty()).map_or("-".into(), |text| one_line(text));
        let last = self.tries.as_ref().map_or("-".into(), |tries| instant(tries.last));
        vec![
            ("id", self.id.clone()),
            ("to", self.to.clone()),
            ("state", self.state.to_owned()),
            ("event", self.event().to_owned()),
            ("room", self.room()),
            ("session", of(head.map(|head| &head.session))),
            ("file", of(head.and_then(|head| head.file.as_ref()))),
            ("created", self.created()),
            ("tries", self.count().to_string()),
            ("last", last),
            ("next", self.next_shown()),
            ("reason", self.reason()),
        ]
    }

    fn json(&self) -> Value {
        let head = self.letter.as_ref().map(|letter| &letter.head);
        json!({
            "to": self.to,
            "id": self.id,
            "state": self.state,
            "event": head.and_then(|head| head.moment).map(Moment::as_str),
            "room": head.map(|head| &head.room),
            "session": head.map(|head| &head.session),
            "file": head.and_then(|head| head.file.as_ref()),
            "created": head.map(|head| instant(head.created)),
            "tries": self.count(),
            "last": self.tries.as_ref().map(|tries| instant(tries.last)),
            "next": self.next().map(instant),
            "reason": self.tries.as_ref().map(|tries| &tries.reason).or(self.damage.as_ref()),
        })
    }
}

/// Columns for a person.
fn table(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let head = ["TO", "ID", "STATE", "EVENT", "ROOM", "SINCE", "TRIES", "NEXT", "REASON"].map(str::to_owned);
    let shortened = |row: &Row| {
        let mut columns = row.columns();
        columns[1].truncate(SHORT_ID);
        columns
    };
    let lines: Vec<[String; 9]> = std::iter::once(head).chain(rows.iter().map(shortened)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..8).map(width).collect();
    for line in &lines {
        for (text, width) in line.iter().zip(&widths) {
            write!(out, "{text:width$}  ")?;
        }
        writeln!(out, "{}", line[8])?;
    }
    Ok(())
}
