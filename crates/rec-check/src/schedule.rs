//! Who starts the worker, when it may work, and when it last did.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use rec_core::config::Config;
use rec_core::deadline::age;
use rec_core::small;
use rec_core::text::shown;
use rec_core::window::Window;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::exec;
use crate::look::Look;
use crate::report::{Finding, word};
use crate::users::Role;

const TIMER: &str = "jitsi-hls-worker.timer";
const LOG: &str = "hls-worker.log";
/// Debian's way to have a cron line do nothing where systemd runs.
const GUARD: &str = "/run/systemd/system";
/// How much of the log's end has its last line.
const TAIL: u64 = 64 << 10;
/// A worker that comes by every 20 minutes, in a window that is open once a day.
const LONG_AGO: Duration = Duration::from_secs(26 * 3600);

pub(crate) fn check(look: &Look<'_>, config: Option<&Config>) -> Vec<Finding> {
    let mut findings = starts(look);
    findings.extend(config.map(|config| hours(config.hls.window.as_deref())));
    findings.extend(config.map(|config| last_run(&config.log_dir)));
    findings
}

/// How cron stands to it.
enum Cron {
    /// Its file is not there, or has no line.
    Absent,
    /// It has a line that does nothing where systemd runs.
    Guarded(String),
    /// It has a line, for this user.
    Runs(String),
}

fn starts(look: &Look<'_>) -> Vec<Finding> {
    let timer = exec::printed(Command::new("systemctl").args(["is-active", TIMER]));
    let systemd = timer.is_ok() || Path::new(GUARD).is_dir();
    let timer = timer.is_ok_and(|state| state == "active");
    let file = &look.cli.cron_file;
    let cron = cron(file);
    let acts = matches!(cron, Cron::Runs(_)) || (matches!(cron, Cron::Guarded(_)) && !systemd);
    let mut findings = Vec::new();
    match (timer, acts) {
        (true, true) => findings.push(
            Finding::warning("schedule.start", TIMER, format!("both it and {} start the worker", shown(file)))
                .run(format!("rm {}", word(file))),
        ),
        (true, false) => findings.push(Finding::ok("schedule.start", TIMER, "is active")),
        (false, true) => findings.push(Finding::ok("schedule.start", shown(file), "has cron start the worker")),
        (false, false) => {
            let failed = Finding::failed(
                "schedule.start",
                "",
                format!("neither {TIMER} is active nor is there a line in {}", shown(file)),
            );
            findings.push(if systemd {
                failed.run(format!("systemctl enable --now {TIMER}"))
            } else {
                failed.advise("copy the cron file that comes with the package there, owned by root, mode 644")
            });
        }
    }
    if let (true, Cron::Runs(user) | Cron::Guarded(user)) = (acts, &cron) {
        findings.push(cron_user(look, file, user));
        findings.push(daemon());
    }
    let enabled = timer && exec::printed(Command::new("systemctl").args(["is-enabled", TIMER])).is_err();
    if enabled {
        findings.push(
            Finding::warning("schedule.enabled", TIMER, "is active, but not after the next start of this machine")
                .run(format!("systemctl enable {TIMER}")),
        );
    }
    findings
}

/// What a cron file does; `MIN HOUR DAY MONTH WEEKDAY USER COMMAND`.
fn cron(file: &Path) -> Cron {
    let Ok(text) = fs::read_to_string(file) else { return Cron::Absent };
    let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    let mut lines = lines.filter(|line| line.contains("jitsi-hls-worker"));
    let Some(line) = lines.next() else { return Cron::Absent };
    let at = if line.starts_with('@') { 1 } else { 5 };
    let user = line.split_whitespace().nth(at).unwrap_or_default().to_owned();
    if line.contains(GUARD) { Cron::Guarded(user) } else { Cron::Runs(user) }
}

fn cron_user(look: &Look<'_>, file: &Path, user: &str) -> Finding {
    let check = "schedule.user";
    let object = shown(file);
    let wanted = look.users.name(Role::Worker);
    let change = || format!("sed -i 's/ {user} / {wanted} /' {}", word(file));
    if exec::printed(Command::new("getent").args(["passwd", "--", user])).is_err() {
        Finding::failed(check, object, format!("its user {user} does not exist: cron does not run the line"))
            .run(change())
    } else if user != wanted {
        Finding::warning(check, object, format!("runs the worker as {user}, and not as {wanted}")).run(change())
    } else {
        Finding::ok(check, object, format!("runs the worker as {user}"))
    }
}

fn daemon() -> Finding {
    let names = ["cron", "crond"];
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let running = processes
        .filter_map(|process| fs::read_to_string(process.path().join("comm")).ok())
        .any(|name| names.contains(&name.trim_end()));
    if running {
        Finding::ok("schedule.cron", "", "cron runs")
    } else {
        Finding::failed("schedule.cron", "", "cron does not run").run("apt-get install cron && service cron start")
    }
}

fn hours(window: Option<&str>) -> Finding {
    let (check, object) = ("schedule.window", "HLS_WINDOW");
    let Some(text) = window else { return Finding::ok(check, object, "is not set: the worker works at all hours") };
    let window = match Window::parse(text) {
        Ok(window) => window,
        Err(why) => return Finding::failed(check, object, why).advise_of(),
    };
    let now = Timestamp::now();
    let changes = window.shown(window.changes_at(now));
    let state = if window.is_open(now) { format!("open until {changes}") } else { format!("closed until {changes}") };
    Finding::ok(check, object, format!("{window}: {state}"))
}

fn last_run(log_dir: &Path) -> Finding {
    let (check, path) = ("schedule.last-run", log_dir.join(LOG));
    let line = match last_line(&path) {
        Ok(line) => line,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::warning(check, shown(&path), "is not there: the worker has not run yet").advise(
                "wait for its next run, or start it by hand as its user; outside of HLS_WINDOW it writes nothing",
            );
        }
        Err(error) => return Finding::skipped(check, shown(&path), format!("cannot be read: {error}")),
    };
    let (stamp, message) = line.split_once(' ').unwrap_or_default();
    let Ok(at) = OffsetDateTime::parse(stamp, &Rfc3339) else {
        return Finding::warning(check, shown(&path), "ends with a line that is not the worker's").advise("look at it");
    };
    let said = format!("last line at {stamp}: {message}");
    if age(at) > LONG_AGO {
        Finding::warning(check, shown(&path), format!("{said}; nothing since")).advise(
            "see what cron or systemd says of its runs: journalctl -t jitsi-hls-worker, journalctl -u jitsi-hls-worker",
        )
    } else if message.starts_with("ERROR") {
        Finding::warning(check, shown(&path), said)
            .advise("the line says what to do; recording-pipeline(7) explains it")
    } else {
        Finding::ok(check, shown(&path), said)
    }
}

/// Of a regular file, and of nothing that a member of the group has put into its place.
fn last_line(path: &Path) -> std::io::Result<String> {
    let Some(mut file) = small::open(path, File::options().read(true))? else {
        return Err(std::io::Error::other("it is no regular file"));
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().rev().find(|line| !line.is_empty()).unwrap_or_default().to_owned())
}
