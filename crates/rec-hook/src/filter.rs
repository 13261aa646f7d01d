//! `sign` and `verify`: filters, with which scripts and other people's receivers can be tried.

use std::io::{self, Read as _, Write as _};

use anyhow::{Context as _, Result, bail};
use rec_core::config::HookProfile;
use rec_core::log::say;
use rec_core::secret::Secret;
use rec_hooks::event::fresh_id;
use rec_hooks::outbox::LARGEST_BODY;
use rec_hooks::profile::{Format, format};
use rec_hooks::{secret, sign as signatures};
use time::OffsetDateTime;

use crate::Tool;
use crate::cli::{Cli, Sign, Verify, Whose};
use crate::end::End;

/// All of stdin, to a bound.
pub(crate) fn body() -> Result<Vec<u8>> {
    let mut body = Vec::new();
    io::stdin().lock().take(LARGEST_BODY + 1).read_to_end(&mut body).context("read the body from stdin")?;
    if body.len() as u64 > LARGEST_BODY {
        bail!("the body on stdin is longer than {LARGEST_BODY} bytes: no receiver takes that");
    }
    Ok(body)
}

pub(crate) fn sign(cli: &Cli, args: &Sign) -> Result<End> {
    let (format, secret) = whose(cli, &args.whose)?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let headers = signatures::headers(format, &secret, &fresh_id(), now, &body()?);
    let mut out = io::stdout().lock();
    for (name, value) in headers.map_err(|why| End::Config.because(why))? {
        writeln!(out, "{name}: {value}")?;
    }
    out.flush()?;
    Ok(End::Done)
}

pub(crate) fn verify(cli: &Cli, args: &Verify) -> Result<End> {
    let mut headers = args.header.iter().map(|header| split(header)).collect::<Result<Vec<_>>>()?;
    let (format, secret) = whose(cli, &args.whose)?;
    if let Some(signature) = &args.signature {
        headers.push((format.signature.header.to_owned(), signature.clone()));
    }
    let now = (!args.any_time).then(|| OffsetDateTime::now_utc().unix_timestamp());
    match signatures::verify(format, &secret, &headers, &body()?, now) {
        Ok(()) => Ok(End::Done),
        Err(why) => {
            if !cli.common.quiet {
                say(&format!("rec-hook: wrong: {why}"));
            }
            Ok(End::Failed)
        }
    }
}

fn split(header: &str) -> Result<(String, String)> {
    // A secret could stand in a header that was given by mistake, so it is not shown.
    let (name, value) = header
        .split_once(':')
        .ok_or_else(|| End::Usage.because("a --header has no colon: write it as 'Name: value'"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn whose(cli: &Cli, whose: &Whose) -> Result<(&'static Format, Secret)> {
    let usable = |profile: HookProfile, secret: Result<Secret, String>| {
        let secret = secret.map_err(|why| End::Config.because(why))?;
        // A key that is none is no verdict about a body.
        signatures::headers(format(profile), &secret, "", 0, b"").map_err(|why| End::Config.because(why))?;
        Ok((format(profile), secret))
    };
    match (&whose.to, whose.profile, &whose.secret_file) {
        (Some(name), ..) => {
            let tool = Tool::new(cli)?;
            let to = tool.destination(name)?;
            usable(to.profile, secret::of(to))
        }
        (None, Some(profile), Some(file)) => usable(profile, secret::read(file)),
        _ => Err(End::Usage.because("name a destination, or --profile and --secret-file")),
    }
}
