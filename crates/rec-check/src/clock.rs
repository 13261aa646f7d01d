//! The clock: signatures and certificates hold for a time.

use std::process::Command;

use rec_core::config::Config;
use rec_core::http;
use time::OffsetDateTime;
use ureq::http::Request;

use crate::exec;
use crate::look::{Look, QUESTION};
use crate::report::Finding;

/// Beyond this a receiver of webhooks may refuse what we sign.
const TOLERATED: i64 = 60;

pub(crate) fn check(look: &Look<'_>, config: Option<&Config>) -> Vec<Finding> {
    let mut findings = vec![synchronised()];
    findings.push(match config {
        Some(config) => skew(look, &config.notion.api_url),
        None => Finding::skipped("clock.skew", "", "the env file must be usable first"),
    });
    findings
}

fn synchronised() -> Finding {
    let check = "clock.synchronised";
    match exec::printed(Command::new("timedatectl").args(["show", "-p", "NTPSynchronized"])).as_deref() {
        Ok("NTPSynchronized=yes") => Finding::ok(check, "", "by NTP"),
        Ok("NTPSynchronized=no") => Finding::warning(check, "", "is not synchronised").run("timedatectl set-ntp true"),
        Ok(_) => Finding::skipped(check, "", "timedatectl does not say"),
        Err(why) => Finding::skipped(check, "", why),
    }
}

/// Notion's servers say what time it is, to whoever asks.
fn skew(look: &Look<'_>, api_url: &str) -> Finding {
    let check = "clock.skew";
    let skipped = |why: String| Finding::skipped(check, "", format!("Notion does not say what time it is: {why}"));
    let limit = look.deadline.left().min(QUESTION);
    let Ok(request) = Request::get(format!("{api_url}/v1/users/me")).body(()) else {
        return skipped("no request".to_owned());
    };
    let agent = http::agent(api_url);
    let before = OffsetDateTime::now_utc();
    let response = match agent.run(agent.configure_request(request).timeout_global(Some(limit)).build()) {
        Ok(response) => response,
        Err(error) => return skipped(http::why(&error, limit)),
    };
    let after = OffsetDateTime::now_utc();
    let told = response.headers().get("date").and_then(|value| http::date(value.to_str().ok()?));
    let Some(told) = told else { return skipped("no Date in its answer".to_owned()) };
    // To the second, and some time on the way.
    let behind = (told - after).whole_seconds();
    let ahead = (before - told).whole_seconds() - 1;
    let off = behind.max(ahead).max(0);
    if off > TOLERATED {
        let side = if behind > ahead { "behind" } else { "ahead of" };
        Finding::failed(check, "", format!("is {off} s {side} Notion's: signatures and certificates are refused"))
            .run("timedatectl set-ntp true")
    } else {
        Finding::ok(check, "", "agrees with Notion's, to a minute")
    }
}
