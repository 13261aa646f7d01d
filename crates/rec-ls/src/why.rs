//! `--why`: what each recording of a directory is, what holds it, and what moves it.

use std::io::{self, Write};

use anyhow::Result;
use jiff::Timestamp;
use rec_core::adopt::{NotionId, read_id};
use rec_core::config::Config;
use rec_core::deadline::age as since;
use rec_core::exit::Exit;
use rec_core::glance::QUIET;
use rec_core::hls::complete;
use rec_core::mp4::Shape;
use rec_core::recording::LOCK;
use rec_core::state::Recording;
use rec_core::text::{bytes, one_line, shown};
use rec_core::window::Window;

use crate::cli::Cli;
use crate::condition::{Condition, has_hls};
use crate::findings::hls_alone;
use crate::held::Held;
use crate::locks::Locks;
use crate::remedy::Remedy;
use crate::rules::{self, Around};
use crate::tree::{Entry, Tree};
use crate::when::{age, instant};

pub(crate) fn explain(cli: &Cli) -> Result<Exit> {
    let mut tree = Tree::of(cli)?;
    let all = tree.look();
    let locks = Locks::now();
    let worker = tree.config.as_ref().and_then(|config| Held::anywhere(&config.worker_lock(), &locks));
    let mut out = io::stdout().lock();
    for (index, seen) in all.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let entries = seen.entries(&locks);
        let alone = hls_alone(seen);
        if entries.is_empty() && alone.is_empty() {
            writeln!(out, "{}: no recording: it has no MP4, and no tool knows of one", shown(&seen.room.dir))?;
        }
        for (index, entry) in entries.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            let around = around(entry, tree.config.as_ref(), &locks);
            paragraph(&mut out, entry, &around, tree.config.as_ref(), worker.as_ref())?;
        }
        for (index, (slot, remedy)) in alone.iter().enumerate() {
            if index > 0 || !entries.is_empty() {
                writeln!(out)?;
            }
            writeln!(out, "{}: HLS of no recording that is known", shown(seen.room.path(format!("v{slot}"))))?;
            writeln!(out, "  {:<8} {remedy}", "do")?;
        }
    }
    Ok(tree.exit)
}

/// Looks around a recording.
fn around(entry: &Entry<'_>, config: Option<&Config>, locks: &Locks) -> Around {
    let (seen, recording) = (entry.seen, entry.recording);
    let id = if seen.glance.has_state { None } else { read_id(&seen.room.dir).ok().flatten() };
    let growing = entry.facts.mp4.is_some_and(|mp4| {
        since(mp4.print.mtime) < QUIET && mp4.shape(&seen.room.dir).is_ok_and(|shape| shape != Shape::Whole)
    });
    let window = config.and_then(|config| config.hls.window.as_deref()).map(Window::parse);
    let broken = has_hls(recording, &entry.facts).then(|| complete(&seen.room.path(recording.hls_dir())));
    Around {
        held: Held::anywhere(&seen.room.path(LOCK), locks),
        unknown: entry.is_unknown(),
        ours: seen.glance.has_state || seen.glance.has_id,
        id: id.map(|(id, _)| id).filter(|id| !matches!(id, NotionId::Page(_))),
        growing,
        unfinalized_after: config.and_then(|config| config.publish_unfinalized_after),
        closed: window.as_ref().and_then(|window| window.as_ref().ok()?.closed(Timestamp::now())),
        no_window: window.and_then(Result::err).map(|why| one_line(&format!("{why:#}"))),
        free: config.and_then(|config| Some((fs2::available_space(&seen.room.dir).ok()?, config.hls.min_free))),
        broken: broken.and_then(Result::err).map(|why| one_line(&format!("{why:#}"))),
        aside: config.is_some() && seen.room.warning().is_some(),
    }
}

fn paragraph(
    out: &mut impl Write,
    entry: &Entry<'_>,
    around: &Around,
    config: Option<&Config>,
    worker: Option<&Held>,
) -> io::Result<()> {
    let (recording, facts) = (entry.recording, &entry.facts);
    let dir = &entry.seen.room.dir;
    writeln!(out, "{}: {}", shown(dir.join(name(entry))), entry.condition)?;
    let mut line = |what: &str, text: &str| writeln!(out, "  {what:<8} {text}");
    line("mp4", &mp4(entry))?;
    if let Some(meeting) = entry.seen.meeting() {
        line("meeting", &one_line(&meeting))?;
    }
    line("row", &row(recording))?;
    if let Some(url) = entry.url(config) {
        line("link", &url.masked())?;
    }
    line("done", &done(recording))?;
    if let Some(error) = error(recording) {
        line("error", &error)?;
    }
    let rules = rules::rules(recording, facts, entry.condition, around);
    for rule in &rules {
        line("held", &rule.to_string())?;
    }
    let remedy = match rules.first() {
        Some(rule) => rule.remedy(dir, facts.mp4.is_some(), facts.now),
        None => of_itself(entry),
    };
    line("do", &remedy.to_string())?;
    if let Some(worker) = worker.filter(|_| remedy.is_worker()) {
        line("but", &format!("jitsi-hls-worker leaves at once while another one runs: {worker}"))?;
    }
    if config.is_none() {
        line("but", "without an env file that can be used, neither its link nor the window is known")?;
    }
    Ok(())
}

/// What stands behind the directory's name: the MP4, or the HLS where no MP4 is known.
fn name(entry: &Entry<'_>) -> std::ffi::OsString {
    entry.recording.file.as_ref().map_or_else(|| entry.recording.hls_dir().into(), |file| file.0.clone())
}

fn mp4(entry: &Entry<'_>) -> String {
    let (recording, now) = (entry.recording, entry.facts.now);
    let what = recording.source.map(|source| {
        let ago = age(source.mtime, now);
        format!("{}, closed {} ({ago} ago)", bytes(source.size), instant(source.mtime))
    });
    match (what, entry.facts.mp4, recording.removed) {
        (Some(what), Some(_), _) => what,
        (Some(what), None, Some(removed)) => format!("{what}; removed {}", instant(removed)),
        (Some(what), None, None) => format!("{what}; it is gone"),
        (None, _, _) => "gone before any tool of this suite came".to_owned(),
    }
}

fn row(recording: &Recording) -> String {
    match (&recording.page_id, recording.row) {
        (Some(page), Some(row)) => format!("{page}, says {}", row.status),
        (Some(page), None) => format!("{page}"),
        (None, _) => "none".to_owned(),
    }
}

/// What was done last.
fn done(recording: &Recording) -> String {
    match recording {
        Recording { removed: Some(removed), .. } => {
            format!("its MP4 was removed {}, after its HLS was published", instant(*removed))
        }
        recording if recording.is_published() => "its HLS was made, and its row pointed at it".to_owned(),
        Recording { hls: Some(_), .. } => "its HLS was made".to_owned(),
        Recording { row: Some(row), .. } => format!("its row was set to {}", row.status),
        Recording { page_id: Some(_), .. } => "its row was made".to_owned(),
        Recording { create: Some(create), .. } => {
            format!("a row was asked for {}, and no answer came", instant(create.sent))
        }
        _ => "nothing".to_owned(),
    }
}

/// What went wrong last, and how often.
fn error(recording: &Recording) -> Option<String> {
    let tries = match recording.failures {
        0 => String::new(),
        1 => " (1 try failed)".to_owned(),
        tries => format!(" ({tries} tries failed)"),
    };
    let holds = [&recording.host, &recording.remote].into_iter().flatten().map(|hold| hold.why.as_str());
    let all = [&recording.error, &recording.damage].into_iter().flatten().map(String::as_str).chain(holds);
    let mut all: Vec<String> = all.map(one_line).collect();
    all.dedup();
    (!all.is_empty()).then(|| format!("{}{tries}", all.join("; ")))
}

/// What is to be done for a recording that nothing holds.
fn of_itself(entry: &Entry<'_>) -> Remedy {
    match rules::next(entry.recording, &entry.facts) {
        Some(next) => Remedy::nothing(&format!("the next run of jitsi-hls-worker {next}")),
        None if entry.condition == Condition::Damaged => {
            Remedy::nothing("what can be decoded of it is published, and its MP4 is kept")
        }
        None => Remedy::nothing("it is published"),
    }
}
