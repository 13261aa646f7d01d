//! `flush`: deliver what is due.

use std::time::Duration;

use anyhow::Result;
use rec_core::deadline::Deadline;
use rec_core::log::Log;
use rec_hooks::outbox::Lane;
use rec_hooks::verdict::Tries;
use rec_hooks::{Drained, Outbox};
use time::OffsetDateTime;

use crate::Tool;
use crate::cli::Flush;
use crate::end::End;
use crate::list::instant;

/// What has waited for days may be much.
const BUDGET: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn flush(tool: &Tool<'_>, args: &Flush) -> Result<End> {
    for name in &args.to {
        tool.destination(name)?;
    }
    let config = &tool.config;
    if config.webhooks.is_empty() {
        return Ok(End::Done);
    }
    let outbox = Outbox::new(config);
    let log = tool.log(args.dry_run);
    let names: Vec<&str> = args.to.iter().map(String::as_str).collect();
    if args.dry_run {
        for to in config.webhooks.iter().filter(|to| names.is_empty() || names.contains(&to.name.as_str())) {
            if let Some(off) = outbox.off(to) {
                log.line(&format!("Would deliver nothing to={}: it is off since {}", to.name, instant(off.since)));
            } else {
                tell(&outbox, &to.name, args.now, &log)?;
            }
        }
        return Ok(End::Done);
    }
    Ok(end(&outbox.drain(&names, &log, &Deadline::within(BUDGET), args.now)))
}

fn end(drained: &Drained) -> End {
    let happened = [
        (drained.queued, End::Later),
        (drained.dead, End::Dead),
        (drained.no_secret, End::Config),
        (drained.errors, End::Failed),
    ];
    happened.iter().filter(|(count, _)| *count > 0).map(|(_, end)| *end).max().unwrap_or(End::Done)
}

/// What a dry run says.
fn tell(outbox: &Outbox<'_>, to: &str, now: bool, log: &Log) -> Result<()> {
    let time = OffsetDateTime::now_utc();
    for item in outbox.list(to, Lane::Queue)?.items {
        let id = item.name.id();
        let tries = item.tries().unwrap_or_else(Tries::none);
        if tries.is_due(time) || now {
            let what = item.read().ok().flatten().map(|letter| letter.head.shown()).unwrap_or_default();
            log.line(&format!("Would deliver to={to} id={id} {what}"));
        } else {
            let others = if tries.aside { "" } else { ", and what is behind it" };
            log.line(&format!("Would not deliver to={to} id={id}{others}: due at {}", instant(tries.due)));
            if !tries.aside {
                break;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_of_what_happened_is_the_end() {
        let drained = Drained { delivered: 1, queued: 1, dead: 1, no_secret: 1, errors: 1 };
        assert_eq!(end(&drained), End::Failed);
        assert_eq!(end(&Drained { errors: 0, ..drained }), End::Config);
        assert_eq!(end(&Drained { errors: 0, no_secret: 0, ..drained }), End::Dead);
        assert_eq!(end(&Drained { errors: 0, no_secret: 0, dead: 0, ..drained }), End::Later);
        assert_eq!(end(&Drained { delivered: 1, ..Drained::default() }), End::Done);
    }
}
