//! `send`: by hand.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rec_core::adopt;
use rec_core::config::{Config, Destination};
use rec_core::deadline::Deadline;
use rec_core::recording::{Mp4, Room};
use rec_core::state::{Moment, Recording};
use rec_core::text::shown;
use rec_hooks::drain::trial;
use rec_hooks::outbox::{Lane, Letter};
use rec_hooks::profile::format;
use rec_hooks::{Drained, Event, Outbox, secret};
use time::OffsetDateTime;

use crate::Tool;
use crate::cli::Send;
use crate::end::End;
use crate::filter::body;
use crate::list::instant;

/// Somebody waits at a shell.
const BUDGET: Duration = Duration::from_secs(60);

/// The room of a made-up recording.
const ROOM: &str = "rec-hook-test";

pub(crate) fn send(tool: &Tool<'_>, args: &Send) -> Result<End> {
    let to = tool.destination(&args.to)?;
    let moment = args.event.unwrap_or(to.on);
    if moment == Moment::Failed && !format(to.profile).failures {
        let profile = to.profile.as_str();
        return Err(End::Usage.because(format!("{}: {profile} has no message for a recording that failed", to.name)));
    }
    let now = OffsetDateTime::now_utc();
    let outbox = Outbox::new(&tool.config);
    let Some(what) = &args.what else {
        let room = args.room.as_deref().unwrap_or(ROOM);
        return test(tool, to, &Event::trial(moment, room, &tool.config.public_base_url, now), args.dry_run);
    };
    let mut ids = Vec::new();
    if what == "-" {
        if args.event.is_some() {
            return Err(End::Usage.because("--event is for a recording: the body on stdin is sent as it is"));
        }
        let body = body()?;
        if args.dry_run {
            return would(tool, to, "a body from stdin", &body);
        }
        ids.push(outbox.enqueue_body(to, body, now)?.id().to_owned());
    } else {
        let events = events(&tool.config, Path::new(what), moment, now)?;
        for event in &events {
            if args.dry_run {
                let letter = Letter::of(to, event);
                would(tool, to, &letter.head.shown(), &letter.body)?;
            } else {
                ids.push(outbox.enqueue(to, event)?.id().to_owned());
            }
        }
        if args.dry_run {
            return Ok(End::Done);
        }
    }
    deliver(tool, &outbox, to, &ids)
}

fn deliver(tool: &Tool<'_>, outbox: &Outbox<'_>, to: &Destination, ids: &[String]) -> Result<End> {
    let log = tool.log(false);
    let drained = outbox.drain(&[&to.name], &log, &Deadline::within(BUDGET), false);
    let end = fate(outbox, to, ids, &drained)?;
    if end == End::Later {
        match outbox.off(to) {
            Some(off) => log.error(&format!(
                "WARNING: queued to={0}, which is off since {1} ({2}): rec-hook retry --all {0} switches it on",
                to.name,
                instant(off.since),
                off.reason
            )),
            None => log.detail(&format!("Queued to={}: rec-hook flush delivers it", to.name)),
        }
    }
    Ok(end)
}

/// What became of these events.
fn fate(outbox: &Outbox<'_>, to: &Destination, ids: &[String], drained: &Drained) -> Result<End> {
    let is_in = |lane| -> Result<bool> {
        let items = outbox.list(&to.name, lane)?.items;
        Ok(items.iter().any(|item| ids.iter().any(|id| id == item.name.id())))
    };
    let waits = || match drained {
        Drained { errors: 1.., .. } => End::Failed,
        Drained { no_secret: 1.., .. } => End::Config,
        _ => End::Later,
    };
    let waiting = if is_in(Lane::Queue)? { waits() } else { End::Done };
    let dead = if is_in(Lane::Dead)? { End::Dead } else { End::Done };
    Ok(waiting.max(dead))
}

/// The recordings of a directory that there is something to tell of.
fn events(config: &Config, dir: &Path, moment: Moment, now: OffsetDateTime) -> Result<Vec<Event>> {
    if !dir.is_dir() {
        return Err(End::Usage.because(format!("{}: no such directory", shown(dir))));
    }
    let room = Room::locate(config, dir)?;
    let mp4s = room.mp4s()?;
    let mut state = adopt::load(config, &room, &mp4s)?;
    state.register(&mp4s, |slot| room.has_slot(slot));
    let fits = |recording: &&Recording| match moment {
        Moment::Recorded => mp4s.iter().any(|mp4: &Mp4| recording.is_of(mp4)),
        Moment::Published => recording.hls.is_some(),
        Moment::Failed => true,
    };
    // Somebody wants it sent, whatever was sent before.
    let event = |recording: &Recording| Event::of(config, &room, recording, moment, now).again();
    let events: Vec<Event> = state.recordings.iter().filter(fits).map(event).collect();
    if events.is_empty() {
        let what = match moment {
            Moment::Recorded => "there is no MP4; --event published tells of HLS",
            Moment::Published => "there is no HLS; --event recorded tells of an MP4",
            Moment::Failed => "there is no recording",
        };
        bail!("{}: nothing to send: {what}", shown(dir));
    }
    Ok(events)
}

/// What a dry run says; the body goes to stdout.
fn would(tool: &Tool<'_>, to: &Destination, what: &str, body: &[u8]) -> Result<End> {
    tool.log(true).line(&format!("Would send to={} url={} {what}", to.name, shown_url(to)));
    let mut out = std::io::stdout().lock();
    out.write_all(body).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).context("write to stdout")?;
    Ok(End::Done)
}

/// Without its query, in which there may be a token.
fn shown_url(to: &Destination) -> &str {
    to.url.split('?').next().unwrap_or_default()
}

fn test(tool: &Tool<'_>, to: &Destination, event: &Event, dry_run: bool) -> Result<End> {
    let letter = Letter::of(to, event);
    if dry_run {
        return would(tool, to, &letter.head.shown(), &letter.body);
    }
    let log = tool.log(true);
    let name = &to.name;
    let secret = secret::of(to).map_err(|why| End::Config.because(why))?;
    let trial = trial(to, &letter, &secret, &Deadline::within(BUDGET)).map_err(|why| End::Config.because(why))?;
    let said = &trial.said;
    if trial.delivered {
        log.line(&format!("OK: webhook test to={name} url={}: {name} {said}", shown_url(to)));
        if trial.ignored {
            log.line(&format!(
                "The secret is right. {name} does nothing with it, because it does not know the recording, which is made up"
            ));
        }
        return Ok(End::Done);
    }
    log.error(&format!("ERROR: webhook test to={name} url={}: {name} {said}", shown_url(to)));
    Ok(if trial.answered { End::Dead } else { End::Failed })
}
