//! The listing: a line a recording.

use std::cmp::Reverse;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::unix::ffi::OsStrExt as _;

use anyhow::Result;
use rec_core::config::Config;
use rec_core::exit::Exit;
use rec_core::text::{bytes, one_line, shown};
use time::OffsetDateTime;
use unicode_width::UnicodeWidthStr as _;

use crate::cli::Cli;
use crate::json;
use crate::locks::Locks;
use crate::tree::{Entry, Tree};
use crate::when::{age, instant};

const HEAD: [&str; 7] = ["STATE", "SIZE", "AGE", "ROOM", "FILE", "PAGE", "LINK"];

/// Where the room is.
const ROOM: usize = 3;

/// Which columns are numbers, and end below each other.
const RIGHT: [bool; 7] = [false, true, true, false, false, false, false];

pub(crate) fn list(cli: &Cli) -> Result<Exit> {
    let mut tree = Tree::of(cli)?;
    let all = tree.look();
    let locks = Locks::now();
    let mut entries: Vec<Entry<'_>> = all.iter().flat_map(|seen| seen.entries(&locks)).collect();
    entries.retain(|entry| is_wanted(cli, entry));
    sort(cli, &mut entries);
    let out = io::stdout();
    let terminal = out.is_terminal();
    let mut out = BufWriter::new(out.lock());
    let config = tree.config.as_ref();
    match () {
        () if cli.null => directories(&mut out, &entries)?,
        () if cli.json => {
            for entry in &entries {
                json::line(&mut out, &json::Object::of(entry, config))?;
            }
        }
        () if terminal => table(&mut out, &entries, config)?,
        () => {
            for entry in &entries {
                writeln!(out, "{}", columns(entry, config, &plain_size, &instant).join("\t"))?;
            }
        }
    }
    out.flush()?;
    Ok(tree.exit)
}

fn is_wanted(cli: &Cli, entry: &Entry<'_>) -> bool {
    let state = cli.state.is_empty() || cli.state.contains(&entry.condition);
    state && (!cli.failed || entry.is_trouble())
}

/// By directory and slot, as they come where all are listed, or as the options say.
fn sort(cli: &Cli, entries: &mut [Entry<'_>]) {
    entries.sort_by_cached_key(|entry| (entry.seen.name(), entry.seen.room.dir.clone(), entry.recording.slot));
    if cli.newest_first {
        entries.sort_by_key(|entry| Reverse(entry.recording.source.map(|source| source.mtime)));
    } else if cli.largest_first {
        entries.sort_by_key(|entry| Reverse(entry.recording.source.map(|source| source.size)));
    }
    if cli.reverse {
        entries.reverse();
    }
}

/// Each directory once, where the first of its recordings is.
fn directories(out: &mut impl Write, entries: &[Entry<'_>]) -> io::Result<()> {
    let mut done = std::collections::HashSet::new();
    for entry in entries {
        let dir = entry.seen.room.dir.as_os_str();
        if done.insert(dir) {
            out.write_all(dir.as_bytes())?;
            out.write_all(b"\0")?;
        }
    }
    Ok(())
}

fn plain_size(size: u64) -> String {
    size.to_string()
}

fn columns(
    entry: &Entry<'_>,
    config: Option<&Config>,
    size: &dyn Fn(u64) -> String,
    time: &dyn Fn(OffsetDateTime) -> String,
) -> [String; 7] {
    let source = entry.recording.source;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        entry.condition.to_string(),
        or_dash(source.map(|source| size(source.size))),
        or_dash(source.map(|source| time(source.mtime))),
        shown(entry.seen.name()),
        entry.file(),
        or_dash(entry.recording.page_id.as_ref().map(ToString::to_string)),
        or_dash(entry.url(config).map(|url| url.masked())),
    ]
}

/// For a person.
fn table(out: &mut impl Write, entries: &[Entry<'_>], config: Option<&Config>) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let now = OffsetDateTime::now_utc();
    let rows = entries.iter().map(|entry| {
        let mut row = columns(entry, config, &bytes, &|time| age(time, now));
        if let Some(meeting) = entry.seen.meeting() {
            row[ROOM] = one_line(&meeting);
        }
        row
    });
    let lines: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].width()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    for line in &lines {
        for (column, text) in line.iter().enumerate() {
            let blanks = " ".repeat(widths[column] - text.width());
            match column {
                last if last == HEAD.len() - 1 => writeln!(out, "{text}")?,
                column if RIGHT[column] => write!(out, "{blanks}{text}  ")?,
                _ => write!(out, "{text}{blanks}  ")?,
            }
        }
    }
    Ok(())
}
