//! ffmpeg and ffprobe: there, new enough, and able to do what the worker has them do.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rec_core::config::Config;
use rec_core::text::shown;
use rustix::fs::{Access, access};

use crate::exec;
use crate::look::Look;
use crate::report::{Finding, word};

/// The version of Debian 12, which all tests are run with.
const TESTED: (u32, u32) = (5, 1);
/// What a list of ffmpeg's must have in it, and the option that prints the list.
const NEEDED: [(&str, &str, &[&str]); 4] = [
    ("ffmpeg.encoders", "-encoders", &["libx264", "aac", "mjpeg"]),
    ("ffmpeg.muxers", "-muxers", &["hls", "mpegts", "mp4", "image2", "null"]),
    ("ffmpeg.demuxers", "-demuxers", &["mov", "hls"]),
    ("ffmpeg.filters", "-filters", &["scale", "split", "format", "tpad", "select", "tile", "aresample", "apad"]),
];

pub(crate) fn check(look: &Look<'_>, _: Option<&Config>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for tool in ["ffmpeg", "ffprobe"] {
        match find(tool, &look.cli.path) {
            Ok(path) => findings.extend(able(tool, &path)),
            Err(finding) => findings.push(*finding),
        }
    }
    findings
}

/// Where the worker finds it when nobody is at a terminal.
fn find(tool: &'static str, path: &std::ffi::OsStr) -> Result<PathBuf, Box<Finding>> {
    if let Some(found) = on(path, tool) {
        return Ok(found);
    }
    let missing = |what: String| Finding::failed("ffmpeg.found", tool, what);
    Err(Box::new(match on(&env::var_os("PATH").unwrap_or_default(), tool) {
        Some(ours) => missing(format!("is {}, where cron and systemd do not look", shown(&ours)))
            .run(format!("ln -s {} /usr/local/bin/{tool}", word(&ours))),
        None => missing("is nowhere".to_owned()).run("apt-get install ffmpeg"),
    }))
}

fn on(path: &std::ffi::OsStr, tool: &str) -> Option<PathBuf> {
    let mut files = env::split_paths(path).map(|dir| dir.join(tool));
    files.find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok())
}

fn able(tool: &'static str, path: &Path) -> Vec<Finding> {
    let said = exec::printed(Command::new(path).arg("-version"));
    let first = said.as_ref().map(|said| said.lines().next().unwrap_or_default().to_owned());
    let version = match first {
        Ok(first) => {
            let version =
                first.split("version ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("?").to_owned();
            let found = format!("{} is version {version}", shown(path));
            match number(&version) {
                Some(number) if number < TESTED => Finding::warning("ffmpeg.version", tool, found)
                    .advise(format!("the tools are tested with {}.{} and later: upgrade it", TESTED.0, TESTED.1)),
                _ => Finding::ok("ffmpeg.version", tool, found),
            }
        }
        Err(why) => {
            return vec![
                Finding::failed("ffmpeg.version", tool, format!("{} does not run: {why}", shown(path)))
                    .run("apt-get install --reinstall ffmpeg"),
            ];
        }
    };
    let mut findings = vec![version];
    if tool == "ffmpeg" {
        // At once, because each takes a moment to start.
        findings.extend(
            thread::scope(|scope| {
                let asked = NEEDED.map(|(check, option, names)| scope.spawn(move || has(check, path, option, names)));
                asked.map(|asked| asked.join().ok())
            })
            .into_iter()
            .flatten(),
        );
    }
    findings
}

/// 5.1 of `5.1.6-0+deb12u1` or `n5.1`; nothing of the name of a commit.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('n').split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn has(check: &'static str, path: &Path, option: &str, names: &[&str]) -> Finding {
    let list = match exec::printed(Command::new(path).args(["-hide_banner", option])) {
        Ok(list) => list,
        Err(why) => return Finding::failed(check, "", why).run("apt-get install --reinstall ffmpeg"),
    };
    // Flags, then the name, or several with commas.
    let known: Vec<&str> =
        list.lines().filter_map(|line| line.split_whitespace().nth(1)).flat_map(|names| names.split(',')).collect();
    let missing: Vec<&str> = names.iter().copied().filter(|name| !known.contains(name)).collect();
    if !missing.is_empty() {
        return Finding::failed(check, missing.join(", "), format!("{} does not have this", shown(path)))
            .advise("use Debian's package ffmpeg, or one that was built with it");
    }
    let zscale = match (check, known.contains(&"zscale")) {
        ("ffmpeg.filters", false) => "; no zscale, so that scaling costs a little more",
        _ => "",
    };
    Finding::ok(check, "", format!("{}{zscale}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers() {
        let cases = [
            ("5.1.6-0+deb12u1", Some((5, 1))),
            ("n7.1", Some((7, 1))),
            ("4.4.2-0ubuntu0.22.04.1", Some((4, 4))),
            ("N-12345-gdeadbeef", None),
            ("2024-06-01-git", Some((2024, 6))),
        ];
        for (text, wanted) in cases {
            assert_eq!(number(text), wanted, "{text}");
        }
    }
}
