//! systemd's units: what systemd says of them, and what they let a tool do.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::host::etc;
use crate::{Bench, binary, run, skipped};

/// A unit's text.
pub fn unit(name: &str) -> String {
    fs::read_to_string(etc("systemd").join(name)).unwrap()
}

/// Asserts that systemd has no word to say about these units, the first of which is a service, with our own binary in it, and that
/// little is left that it may do.
#[track_caller]
pub fn assert_sound(bench: &Bench, tool: &str, names: &[&str]) {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        skipped("systemd-analyze is not here: install Debian's package systemd");
        return;
    }
    let dir = bench.dir().join("units");
    fs::create_dir(&dir).unwrap();
    let ours = binary(tool);
    let paths: Vec<PathBuf> = names.iter().map(|name| dir.join(name)).collect();
    for (name, path) in names.iter().zip(&paths) {
        // In quotes: this folder may have a blank in its name.
        let text = unit(name).replace(&format!("/usr/local/bin/{tool}"), &format!("\"{}\"", ours.display()));
        fs::write(path, text).unwrap();
    }
    assert!(fs::read_to_string(&paths[0]).unwrap().contains(ours.to_str().unwrap()));
    // Whether the manual page is installed is no matter of the unit.
    let out = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&paths)).exits(0);
    assert_eq!((&*out.stdout, &*out.stderr), ("", ""));
    let mut security = Command::new("systemd-analyze");
    // It exits 1 where the exposure is above 2.0, in tenths.
    security.args(["security", "--offline=true", "--threshold=20", "--no-pager"]).arg(&paths[0]);
    let out = run(&mut security);
    assert_eq!(out.code, Some(0), "{}{}", out.stdout, out.stderr);
}

/// The system calls that a service's filters allow, as this systemd has them; `None`, and said so, where there is none.
pub fn allowed(service: &str) -> Option<BTreeSet<String>> {
    let Ok(sets) = Command::new("systemd-analyze").args(["syscall-filter", "--no-pager"]).output() else {
        skipped("systemd-analyze is not here: install Debian's package systemd");
        return None;
    };
    let sets = String::from_utf8(sets.stdout).unwrap();
    let mut allowed = members(&sets, "@default");
    for filter in unit(service).lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        for name in filter.trim_start_matches('~').split(' ') {
            match members(&sets, name) {
                without if filter.starts_with('~') => allowed.retain(|call| !without.contains(call)),
                more => allowed.extend(more),
            }
        }
    }
    Some(allowed)
}

/// The system calls of a set and of the sets in it, as this systemd has them.
fn members(sets: &str, name: &str) -> BTreeSet<String> {
    let section = sets.split("\n\n").find(|section| section.trim_start().lines().next() == Some(name));
    let words = section.unwrap_or_else(|| panic!("no {name}")).lines().skip(1).map(str::trim);
    let expand = |word: &str| if word.starts_with('@') { members(sets, word) } else { [word.to_owned()].into() };
    words.filter(|word| !word.is_empty() && !word.starts_with('#')).flat_map(expand).collect()
}

/// The names of the system calls in what strace wrote to a file.
pub fn calls(trace: &str) -> BTreeSet<String> {
    let call = |line: &str| line.split_once(' ')?.1.trim_start().split_once('(').map(|(name, _)| name.to_owned());
    trace.lines().filter_map(call).filter(|name| !name.contains(' ')).collect()
}
