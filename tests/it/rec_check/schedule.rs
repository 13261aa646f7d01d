//! Who starts the worker and when, and the clock.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use pipeline_tests::Bench;
use pipeline_tests::check::{self, Machine};

/// A machine whose cron does or does not have a line, and whose systemd says this of the timer; only where one can be had.
fn machine(cron: Option<&str>, timer: &str) -> Machine {
    let machine = Machine::new().unwrap();
    machine.fake("systemctl", timer);
    if let Some(line) = cron {
        fs::create_dir_all(machine.in_etc("cron.d")).unwrap();
        fs::write(machine.in_etc("cron.d/jitsi-hls-worker"), format!("# jitsi-hls-worker\nPATH=/bin\n\n{line}\n"))
            .unwrap();
    }
    machine
}

const LINE: &str = "*/20 * * * * jitsi-recordings jitsi-hls-worker --quiet 2>&1 | logger -t jitsi-hls-worker";
const ACTIVE: &str = "echo active";
const NONE: &str = "echo inactive; exit 3";

/// A process that is called as cron's is.
struct Cron(std::process::Child);

impl Cron {
    fn start(machine: &Machine) -> Self {
        let program = machine.bench.dir().join("cron");
        fs::copy("/bin/sleep", &program).unwrap();
        Self(Command::new(program).arg("600").spawn().unwrap())
    }
}

impl Drop for Cron {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn either_the_timer_or_cron_must_start_the_worker() {
    if !check::can_be_had() {
        return;
    }
    let checked = machine(None, NONE).check(&["schedule"]);
    checked.says("failed", "schedule.start", "", "neither jitsi-hls-worker.timer is active nor is there a line");
    machine(None, ACTIVE).check(&["schedule"]).says("ok", "schedule.start", "jitsi-hls-worker.timer", "is active");

    let with_cron = machine(Some(LINE), NONE);
    let _cron = Cron::start(&with_cron);
    let checked = with_cron.check(&["schedule"]);
    checked.says("ok", "schedule.start", "cron.d/jitsi-hls-worker", "has cron start the worker");
    checked.says("ok", "schedule.user", "", "runs the worker as jitsi-recordings");
    checked.says("ok", "schedule.cron", "", "cron runs");

    let both = machine(Some(LINE), ACTIVE);
    let checked = both.check(&["schedule"]);
    both.remedy(checked.says("warning", "schedule.start", "", "both it and"));
    both.check(&["schedule"]).says("ok", "schedule.start", "jitsi-hls-worker.timer", "is active");

    let commented = machine(Some(&format!("#{LINE}")), NONE).check(&["schedule"]);
    commented.says("failed", "schedule.start", "", "nor is there a line");
}

#[test]
fn a_line_that_waits_for_a_machine_without_systemd_is_no_second_start() {
    if !check::can_be_had() {
        return;
    }
    let guarded = LINE.replace("jitsi-hls-worker --quiet", "[ -d /run/systemd/system ] || jitsi-hls-worker --quiet");
    machine(Some(&guarded), ACTIVE).check(&["schedule"]).says(
        "ok",
        "schedule.start",
        "jitsi-hls-worker.timer",
        "is active",
    );
}

#[test]
fn a_timer_that_is_off_is_switched_on_by_the_command() {
    if !check::can_be_had() {
        return;
    }
    let off = machine(
        None,
        "d=$(dirname \"$0\"); case $1 in enable) touch \"$d/on\";; is-active) [ -e \"$d/on\" ] && echo active;; is-enabled) [ -e \"$d/on\" ];; esac",
    );
    let checked = off.check(&["schedule"]);
    let found = checked.says("failed", "schedule.start", "", "neither");
    // Only where systemd runs is it systemd's.
    if found.command {
        off.remedy(found);
    } else {
        off.sh("systemctl enable --now jitsi-hls-worker.timer").exits(0);
    }
    off.check(&["schedule"]).says("ok", "schedule.start", "jitsi-hls-worker.timer", "is active");
    let once = machine(None, "case $1 in is-active) echo active;; is-enabled) echo disabled; exit 1;; esac")
        .check(&["schedule"]);
    once.says("warning", "schedule.enabled", "", "systemctl enable jitsi-hls-worker.timer");
}

#[test]
fn the_user_of_the_cron_line_must_exist_and_is_put_right_by_the_command() {
    if !check::can_be_had() {
        return;
    }
    for (user, level) in [("jibrii", "failed"), ("jibri", "warning")] {
        let machine = machine(Some(&LINE.replace("jitsi-recordings", user)), NONE);
        let _cron = Cron::start(&machine);
        let checked = machine.check(&["schedule"]);
        machine.remedy(checked.says(level, "schedule.user", "", user));
        machine.check(&["schedule"]).says("ok", "schedule.user", "", "as jitsi-recordings");
    }
}

#[test]
fn the_hours_are_told_and_those_that_mean_nothing_refused() {
    let mut bench = Bench::new();
    bench.check(&["schedule"]).says("ok", "schedule.window", "HLS_WINDOW", "at all hours");
    let hour = time::OffsetDateTime::now_utc().hour();
    let (open, shut) = (
        format!("{:02}:00-{:02}:00 UTC", hour, (hour + 2) % 24),
        format!("{:02}:00-{:02}:00 UTC", (hour + 3) % 24, (hour + 4) % 24),
    );
    for (window, state) in [(open, ": open until "), (shut, ": closed until ")] {
        bench.set("HLS_WINDOW", &window);
        bench.check(&["schedule"]).says("ok", "schedule.window", "", &format!("{window}{state}"));
    }
    bench.set("HLS_WINDOW", "18:00-10:00 Europe/Moskow");
    bench.check(&["schedule"]).says("failed", "schedule.window", "", "is none of the tz database");
}

#[test]
fn the_last_line_of_the_workers_log_says_when_it_ran_and_how_that_ended() {
    let bench = Bench::new();
    bench.check(&["schedule"]).says("warning", "schedule.last-run", "hls-worker.log", "has not run yet");
    bench.worker().exits(0);
    bench.check(&["schedule"]).says("ok", "schedule.last-run", "", "Worker run complete.");
    let log = bench.dir().join("log/hls-worker.log");
    let now = time::OffsetDateTime::now_utc().format(&time::format_description::well_known::Rfc3339).unwrap();
    for (line, level, part) in [
        ("2026-01-02T03:04:05+00:00 Worker run complete.".to_owned(), "warning", "nothing since"),
        (format!("{now} ERROR: missing binary: ffmpeg"), "warning", "missing binary: ffmpeg"),
        ("garbage".to_owned(), "warning", "not the worker's"),
    ] {
        fs::write(&log, format!("{line}\n")).unwrap();
        bench.check(&["schedule"]).says(level, "schedule.last-run", "", part);
    }
}

#[test]
fn a_clock_that_ntp_does_not_keep_is_warned_of_and_one_that_is_wrong_fails() {
    let Some(machine) = Machine::new() else { return };
    machine.check(&["clock"]).says("ok", "clock.synchronised", "", "by NTP");
    machine.fake("timedatectl", "d=$(dirname \"$0\"); case $1 in set-ntp) touch \"$d/ntp\";; show) [ -e \"$d/ntp\" ] && echo NTPSynchronized=yes || echo NTPSynchronized=no;; esac");
    machine.remedy(machine.check(&["clock"]).says("warning", "clock.synchronised", "", "is not synchronised"));
    machine.check(&["clock"]).says("ok", "clock.synchronised", "", "by NTP");
    machine.fake("timedatectl", "echo no bus >&2; exit 1");
    machine.check(&["clock"]).says("skipped", "clock.synchronised", "", "no bus");

    for (date, side) in
        [("Sat, 03 Jan 2026 10:00:00 GMT", "ahead of Notion's"), ("Mon, 03 Jan 2089 10:00:00 GMT", "behind Notion's")]
    {
        let mut bench = Bench::new();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        bench.set("NOTION_API_URL", format!("http://{}", server.local_addr().unwrap()));
        std::thread::spawn(move || {
            let mut stream = server.accept().unwrap().0;
            let _ = stream.read(&mut [0; 4096]);
            write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\nDate: {date}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            .unwrap();
        });
        bench.check(&["clock"]).says("failed", "clock.skew", "", side);
    }
    let mut bench = Bench::new();
    bench.set("NOTION_API_URL", "http://127.0.0.1:9");
    bench.check(&["clock"]).says("skipped", "clock.skew", "", "Notion does not say what time it is");
}
