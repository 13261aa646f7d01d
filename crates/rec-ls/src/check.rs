//! `--check`: the disk against what is known of it.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};

use anyhow::{Error, Result};
use rec_core::exit::Exit;
use rec_core::glance::Unfinalized;
use rec_core::log::say;
use rec_core::recording::{Room, STATE};
use rec_core::state::{FileName, Newer, State};
use rec_core::text::{one_line, path_word, shown};

use crate::cli::Cli;
use crate::findings::{self, Finding, Kind};
use crate::held::Held;
use crate::json;
use crate::locks::Locks;
use crate::remedy::Remedy;
use crate::tree::{Seen, Tree};

pub(crate) fn check(cli: &Cli) -> Result<Exit> {
    let mut tree = Tree::of(cli)?;
    let mut run = Run {
        unfinalized: Unfinalized(tree.config.as_ref().and_then(|config| config.publish_unfinalized_after)),
        locks: Locks::now(),
        rows: HashMap::new(),
    };
    let mut exit = tree.exit;
    let mut out = BufWriter::new(io::stdout().lock());
    for room in std::mem::take(&mut tree.rooms) {
        let dir = room.dir.clone();
        match run.room(&room, &tree) {
            Ok(Looked::Locked(by)) => {
                if cli.common.verbose {
                    say(&format!("rec-ls: {} is left out: it is locked by {by}", shown(&dir)));
                }
            }
            Ok(Looked::At(found)) => {
                for finding in found {
                    exit = Exit::Failed;
                    tell(&mut out, &finding, cli.json)?;
                }
            }
            Err(error) => {
                exit = Exit::Failed;
                say(&format!("rec-ls: {error:#}"));
            }
        }
    }
    out.flush()?;
    Ok(exit)
}

fn tell(out: &mut impl Write, finding: &Finding, as_json: bool) -> io::Result<()> {
    if as_json {
        return json::line(out, finding);
    }
    let Finding { kind, dir, what, remedy, .. } = finding;
    writeln!(out, "{} {}: {what}: {remedy}", kind.as_str(), shown(dir))
}

/// What became of the look at a room.
enum Looked {
    /// Work is going on: what is half done now is no finding.
    Locked(Held),
    At(Vec<Finding>),
}

/// A recording's row, and the finding that it would be if another one had it, too.
type Rowed = (String, Finding);

struct Run {
    unfinalized: Unfinalized,
    locks: Locks,
    /// Which recording each row was seen with first.
    rows: HashMap<String, String>,
}

impl Run {
    fn room(&mut self, room: &Room, tree: &Tree) -> Result<Looked> {
        let lock = room.path(rec_core::recording::LOCK);
        if let Some(held) = Held::here(&lock, &self.locks) {
            return Ok(Looked::Locked(held));
        }
        let looked = self.look(room, tree)?;
        if looked.0.is_empty() {
            return Ok(Looked::At(self.twice(looked.1)));
        }
        // A tool may have begun meanwhile: only what is there still, and nobody works on, counts.
        self.locks.refresh();
        if let Some(held) = Held::anywhere(&lock, &self.locks) {
            return Ok(Looked::Locked(held));
        }
        let (mut found, rows) = self.look(room, tree)?;
        found.extend(self.twice(rows));
        Ok(Looked::At(found))
    }

    /// The findings of a room, and its recordings by their rows.
    fn look(&self, room: &Room, tree: &Tree) -> Result<(Vec<Finding>, Vec<Rowed>)> {
        let seen = match Seen::at(room.clone(), tree.config.as_ref()) {
            Ok(seen) => seen,
            Err(error) => return unreadable(room, error).map(|finding| (vec![finding], Vec::new())),
        };
        let entries = seen.entries(&self.locks);
        let found = findings::of_room(&seen, &entries, self.unfinalized)?;
        let rows = entries.iter().filter_map(|entry| {
            let page = entry.recording.page_id.as_ref()?.to_string();
            let remedy =
                "where the directory is a copy, move it out of RECORDINGS_ROOT; else give one of them a row of its own";
            Some((page, findings::about_one(entry, Kind::Twice, "", Remedy::by_hand(remedy))))
        });
        Ok((found, rows.collect()))
    }

    /// Of the recordings of a room, those whose row is that of an earlier one.
    fn twice(&mut self, rows: Vec<Rowed>) -> Vec<Finding> {
        let mut found = Vec::new();
        for (page, mut finding) in rows {
            let this = format!("{} in {}", finding.what.trim_end(), shown(&finding.dir));
            match self.rows.get(&page) {
                Some(first) => {
                    finding.what = format!("{} has the row {page}, as has {first}", finding.what.trim_end());
                    found.push(finding);
                }
                None => drop(self.rows.insert(page, this)),
            }
        }
        found
    }
}

/// A state file that cannot be understood is a finding; what this user may not read is not.
fn unreadable(room: &Room, error: Error) -> Result<Finding> {
    let Err(state) = State::load(room) else { return Err(error) };
    let why = state.root_cause();
    let path = room.path(STATE);
    // What the disk does not give may be good.
    if why.downcast_ref::<io::Error>().is_some_and(|why| why.kind() != io::ErrorKind::Other) {
        return Err(error);
    }
    let remedy = if state.is::<Newer>() {
        Remedy::by_hand("install a newer version of these tools")
    } else {
        let (from, to) = (path_word(&path), path_word(room.path(format!("{STATE}.broken"))));
        Remedy::shell(format!("mv {from} {to}")).once("where there is no backup of it")
    };
    let what = one_line(&format!("{STATE} cannot be read: {why}"));
    Ok(Finding { kind: Kind::StateUnreadable, dir: FileName(room.dir.clone().into()), file: None, what, remedy })
}
