//! `retry` and `drop`: what a person does about events that do not arrive.

use anyhow::Result;
use rec_core::log::Log;
use rec_hooks::Outbox;
use rec_hooks::outbox::{Item, Lane};

use crate::cli::{Drop, Retry};
use crate::end::End;
use crate::list::{chosen, found};
use crate::{Tool, unknown};

pub(crate) fn retry(tool: &Tool<'_>, args: &Retry) -> Result<End> {
    let outbox = Outbox::new(&tool.config);
    let (items, destinations) = if args.all {
        let destinations = chosen(&outbox, &args.ids)?;
        let mut items = Vec::new();
        for destination in &destinations {
            for lane in [Lane::Dead, Lane::Queue] {
                items.extend(outbox.list(destination, lane)?.items);
            }
        }
        (items, destinations)
    } else {
        let items = found(&outbox, &args.ids)?;
        let mut destinations: Vec<String> = items.iter().map(|item| item.destination.clone()).collect();
        destinations.dedup();
        (items, destinations)
    };
    if items.is_empty() && destinations.is_empty() {
        return Ok(End::Done);
    }
    let log = tool.log(args.dry_run);
    if args.dry_run {
        for item in &items {
            log.line(&format!("Would try again {}", named(item)));
        }
        return Ok(End::Done);
    }
    for item in &items {
        // While it is where it was.
        let what = named(item);
        if item.revive()? {
            log.line(&format!("Queued again {what}"));
        }
    }
    for destination in &destinations {
        if outbox.switch_on(destination)? {
            log.line(&format!("Switched on again to={destination}"));
        }
    }
    tidy(&outbox, &items, &log);
    Ok(End::Done)
}

pub(crate) fn drop(tool: &Tool<'_>, args: &Drop) -> Result<End> {
    let outbox = Outbox::new(&tool.config);
    let items = found(&outbox, &args.ids)?;
    let log = tool.log(args.dry_run);
    for item in &items {
        if args.dry_run {
            log.line(&format!("Would drop {}", named(item)));
        } else {
            // While it is there.
            let what = named(item);
            if item.remove()? {
                log.line(&format!("Dropped {what}"));
            }
        }
    }
    if !args.dry_run {
        tidy(&outbox, &items, &log);
    }
    Ok(End::Done)
}

fn named(item: &Item) -> String {
    let what = item.read().ok().flatten().map(|letter| format!(" {}", letter.head.shown())).unwrap_or_default();
    format!("to={} id={}{what}", item.destination, item.name.id())
}

/// What is left over costs a message, and no more.
fn tidy(outbox: &Outbox<'_>, items: &[Item], log: &Log) {
    let mut destinations: Vec<&str> = items.iter().map(|item| item.destination.as_str()).collect();
    destinations.sort_unstable();
    destinations.dedup();
    for destination in destinations {
        if let Err(error) = outbox.tidy(destination) {
            log.error(&format!("WARNING: webhook to={destination}: {error:#}"));
        }
    }
}

/// The destinations of these names; all, where there are none.
pub(crate) fn among(all: Vec<String>, names: &[String]) -> Result<Vec<String>> {
    for name in names {
        if !all.contains(name) {
            return Err(End::Usage.because(unknown(name, all.iter().map(String::as_str))));
        }
    }
    Ok(if names.is_empty() { all } else { names.to_vec() })
}
