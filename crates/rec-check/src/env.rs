//! The env file: found, read by whom it must be, and understood.

use std::path::Path;

use rec_core::config::{self, Config};
use rec_core::envfile::{self, Problems};
use rec_core::text::shown;

use crate::look::Look;
use crate::probe::Ask;
use crate::report::{Finding, word};
use crate::users::Role;

/// The configuration, if it is usable, and what is found about its file.
pub(crate) fn read(look: &Look<'_>) -> (Option<Config>, Vec<Finding>) {
    let path = look.env_file;
    let (entries, mut findings) = match envfile::read(path) {
        Ok(entries) => (entries, Vec::new()),
        Err(problems) => return (None, unusable(path, &problems)),
    };
    let config = match Config::from_entries(path, &entries) {
        Ok(config) => {
            findings.push(Finding::ok("env.file", shown(path), format!("{} settings", entries.entries.len())));
            let warnings =
                config.warnings.iter().chain(&config::examples_left(path, &entries)).cloned().collect::<Vec<_>>();
            findings.extend(warnings.iter().map(|warning| {
                let (object, rest) = subject(path, warning);
                Finding::warning("env.settings", object, rest).advise_of()
            }));
            Some(config)
        }
        Err(problems) => {
            findings.extend(unusable(path, &problems));
            None
        }
    };
    let foreign = config::foreign_keys(&entries);
    if !foreign.is_empty() {
        findings.push(Finding::ok("env.settings", foreign.join(", "), "not ours, and ignored"));
    }
    findings.extend(permissions(look));
    (config, findings)
}

/// What is wrong with the file, a finding for each line of it.
fn unusable(path: &Path, problems: &Problems) -> Vec<Finding> {
    let finding = |problem: &String| {
        if problem.starts_with("Env file not found") {
            return Finding::failed("env.file", shown(path), "is not there")
                .advise("copy recording-pipeline.env.example there and set what is yours, or use --env-file");
        }
        let (object, rest) = subject(path, problem);
        let check = if object == shown(path) { "env.file" } else { "env.settings" };
        Finding::failed(check, object, rest).advise_of()
    };
    problems.sentences().iter().map(finding).collect()
}

/// Of `FILE:LINE: KEY: what: how` the key with its line, and the rest.
fn subject(path: &Path, sentence: &str) -> (String, String) {
    let file = path.display().to_string();
    let whole = || (shown(path), sentence.strip_prefix(&format!("{file}: ")).unwrap_or(sentence).to_owned());
    let Some(rest) = sentence.strip_prefix(&file) else { return whole() };
    let (line, rest) = match rest.strip_prefix(':').and_then(|rest| rest.split_once(": ")) {
        Some((line, rest)) if line.parse::<usize>().is_ok() => (format!("line {line}"), rest),
        _ => (String::new(), rest.strip_prefix(": ").unwrap_or(rest)),
    };
    let is_key =
        |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    match rest.split_once(": ") {
        Some((key, rest)) if is_key(key) && line.is_empty() => (key.to_owned(), rest.to_owned()),
        Some((key, rest)) if is_key(key) => (format!("{key}, {line}"), rest.to_owned()),
        _ if line.is_empty() => whole(),
        _ => (line, rest.to_owned()),
    }
}

/// Who can read it: whoever must, and nobody else.
fn permissions(look: &Look<'_>) -> Vec<Finding> {
    let (path, group) = (look.env_file, look.users.group());
    let file = word(path);
    let mut findings = Vec::new();
    let everybody = config::is_everybodys(path);
    if everybody {
        findings.push(
            Finding::failed("env.secret", shown(path), "holds a token and every user can read it")
                .run(format!("chgrp {} {file} && chmod 640 {file}", word(&group))),
        );
    }
    for role in Role::ALL {
        let Some(user) = look.users.in_role(role) else { continue };
        let check = if role == Role::Server { "env.secret" } else { "env.readable" };
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let answers = user.ask(&[Ask::Enter(above.to_owned()), Ask::Read(path.to_owned())]);
        let finding = match (answers.as_deref(), role) {
            (Err(why), _) => Finding::skipped(check, &user.name, why),
            (Ok([_, read]), Role::Server) if read.is_yes() && everybody => continue,
            (Ok([_, read]), Role::Server) if read.is_yes() => {
                Finding::failed(check, &user.name, "the web server's user can read the token")
                    .run(format!("chgrp {} {file} && chmod 640 {file}", word(&group)))
            }
            (Ok(_), Role::Server) => Finding::ok(check, &user.name, "cannot read it"),
            (Ok([_, read]), _) if read.is_yes() => Finding::ok(check, &user.name, "can read it"),
            (Ok([enter, _]), _) if !enter.is_yes() => {
                Finding::failed(check, &user.name, format!("does not get into {}: {}", shown(above), enter.why()))
                    .advise(format!("let it pass, with x on each directory that `namei -l {file}` shows"))
            }
            (Ok([_, read, ..]), _) => Finding::failed(check, &user.name, format!("cannot read it: {}", read.why()))
                .run(format!("{}chgrp {} {file} && chmod 640 {file}", user.joining(&group), word(&group))),
            (Ok(_), _) => Finding::skipped(check, &user.name, "no answer"),
        };
        findings.push(finding);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_about_the_file_is_split_into_what_it_is_about_and_the_rest() {
        let cases = [
            ("/e f:3: KEY: is empty: write it", ("KEY, line 3", "is empty: write it")),
            ("/e f: KEY: is missing: write it", ("KEY", "is missing: write it")),
            ("/e f:7: not UTF-8: save it", ("line 7", "not UTF-8: save it")),
            ("/e f: cannot be read: why: what", ("/e f", "cannot be read: why: what")),
            ("elsewhere: what", ("/e f", "elsewhere: what")),
        ];
        for (sentence, (object, rest)) in cases {
            assert_eq!(subject(Path::new("/e f"), sentence), (object.to_owned(), rest.to_owned()), "{sentence}");
        }
    }
}
