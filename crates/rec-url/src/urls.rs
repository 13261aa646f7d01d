//! The story: each path's place below the root, and its URL.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use rec_core::config::Config;
use rec_core::exit::Exit;
use rec_core::log::say;
use rec_core::text::shown;
use rec_core::url::{PublicUrl, file_place};

use crate::cli::Cli;

pub(crate) fn print(cli: &Cli) -> Result<Exit> {
    let Some(config) = cli.common.config() else { return Ok(Exit::Failed) };
    let end = if cli.null { b'\0' } else { b'\n' };
    let mut printer =
        Printer { config: &config, end, quiet: cli.common.quiet, out: io::stdout().lock(), exit: Exit::Done };
    for path in &cli.paths {
        if path == "-" {
            // As they come: what is at the other end of the pipe may want an answer to each.
            for line in io::stdin().lock().split(end) {
                printer.url(&OsString::from_vec(line.context("read paths from stdin")?))?;
            }
        } else {
            printer.url(path)?;
        }
    }
    printer.out.flush()?;
    Ok(printer.exit)
}

struct Printer<'a> {
    config: &'a Config,
    end: u8,
    quiet: bool,
    out: io::StdoutLock<'static>,
    exit: Exit,
}

impl Printer<'_> {
    fn url(&mut self, path: &OsStr) -> Result<()> {
        match file_place(&self.config.recordings_root, Path::new(path)) {
            Ok(place) => {
                if !place.below_root && !self.quiet {
                    say(&format!(
                        "rec-url: WARNING: {} is outside of RECORDINGS_ROOT: it goes by its own name",
                        shown(path)
                    ));
                }
                let url = PublicUrl::of(self.config, place.segments.iter().map(Vec::as_slice));
                self.out.write_all(url.full().as_bytes())?;
                self.out.write_all(&[self.end])?;
            }
            Err(error) => {
                self.exit = Exit::Failed;
                say(&format!("rec-url: {error:#}"));
            }
        }
        Ok(())
    }
}
