//! The destinations of webhooks: whether they can be signed for, and what waits for them. Nothing is sent.

use std::time::Duration;

use rec_core::config::{Config, Destination, SecretSource, is_everybodys};
use rec_core::deadline::age;
use rec_core::http::is_loopback;
use rec_core::text::shown;
use rec_hooks::outbox::Lane;
use rec_hooks::{Outbox, profile, secret, sign};

use crate::look::Look;
use crate::probe::Ask;
use crate::report::{Finding, word};
use crate::users::Role;

/// Whoever waits for longer waits for a person.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn check(look: &Look<'_>, config: &Config) -> Vec<Finding> {
    if config.webhooks.is_empty() {
        return vec![Finding::ok("webhooks.destinations", "WEBHOOKS", "names none: nobody is told")];
    }
    let outbox = Outbox::new(config);
    let each = config.webhooks.iter().map(|to| {
        let mut findings = vec![transport(to)];
        findings.extend(signed(look, to));
        findings.push(waiting(&outbox, to));
        findings
    });
    each.flatten().collect()
}

fn transport(to: &Destination) -> Finding {
    // A URL may have a secret in its query.
    let url = to.url.split('?').next().unwrap_or_default();
    if to.url.starts_with("https://") || is_loopback(&to.url) {
        Finding::ok("webhooks.url", &to.name, url)
    } else {
        Finding::warning("webhooks.url", &to.name, format!("{url}: messages travel in the clear"))
            .advise("begin its URL with https://, once its receiver can do that")
    }
}

/// The secret: there for whoever signs, for nobody else, and of the right form.
fn signed(look: &Look<'_>, to: &Destination) -> Vec<Finding> {
    let check = "webhooks.secret";
    let mut findings = Vec::new();
    if let SecretSource::File(path) = &to.secret {
        let (file, group) = (word(path), look.users.group());
        if is_everybodys(path) {
            findings.push(
                Finding::failed(check, &to.name, format!("every user can read {}", shown(path)))
                    .run(format!("chgrp {} {file} && chmod 640 {file}", word(&group))),
            );
        }
        let mut seen: Vec<&str> = Vec::new();
        for role in [Role::Jibri, Role::Worker] {
            let Some(user) = look.users.in_role(role).filter(|user| !seen.contains(&user.name.as_str())) else {
                continue;
            };
            seen.push(&user.name);
            match user.ask(&[Ask::Read(path.clone())]).as_deref() {
                Ok([answer]) if answer.missing => {}
                Ok([answer]) if !answer.is_yes() => findings.push(
                    Finding::failed(
                        check,
                        &to.name,
                        format!("{} cannot read {}: {}", user.name, shown(path), answer.why()),
                    )
                    .run(format!(
                        "{}chgrp {} {file} && chmod 640 {file}",
                        user.joining(&group),
                        word(&group)
                    )),
                ),
                Ok(_) => {}
                Err(why) => findings.push(Finding::skipped(check, &to.name, why)),
            }
        }
    }
    let of = secret::of(to);
    let right = of.and_then(|secret| sign::headers(profile::format(to.profile), &secret, "msg_x", 0, b"").map(drop));
    findings.push(match (right, &to.secret) {
        (Ok(()), _) => Finding::ok(check, &to.name, "is there, and signs"),
        (Err(why), SecretSource::None) => Finding::warning(check, &to.name, why)
            .advise("unless systemd has it, as LoadCredential=, for all units that send: that is not seen from here"),
        (Err(why), _) if look.users.is_root() || !why.contains("cannot be read") => {
            Finding::failed(check, &to.name, why).advise("put the secret there that its receiver has")
        }
        // Said above, or for others.
        (Err(why), _) => Finding::skipped(check, &to.name, why),
    });
    findings
}

fn waiting(outbox: &Outbox<'_>, to: &Destination) -> Finding {
    let check = "webhooks.spool";
    let name = &to.name;
    if let Some(off) = outbox.off(to) {
        return Finding::failed(check, name, format!("is off: its receiver said: {}", off.reason))
            .run(format!("rec-hook retry --all {name}"));
    }
    let (queued, dead) = match (outbox.list(name, Lane::Queue), outbox.list(name, Lane::Dead)) {
        (Ok(queued), Ok(dead)) => (queued.items, dead.items),
        (Err(error), _) | (_, Err(error)) => return Finding::skipped(check, name, format!("{error:#}")),
    };
    let oldest = queued.iter().filter_map(|item| Some(age(item.read().ok()??.head.created))).max().unwrap_or_default();
    let minutes = oldest.as_secs() / 60;
    if !dead.is_empty() {
        Finding::warning(check, name, format!("{} given up, {} waiting", dead.len(), queued.len()))
            .advise(format!("rec-hook ls --dead {name} says why; rec-hook retry --all {name} has them tried again"))
    } else if oldest > LONG {
        Finding::warning(check, name, format!("{} waiting, the oldest for {minutes} minutes", queued.len()))
            .advise(format!("rec-hook ls {name} says why"))
    } else {
        Finding::ok(check, name, format!("{} waiting, none given up", queued.len()))
    }
}
