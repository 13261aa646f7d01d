//! Progress on a terminal, and none elsewhere.

use std::process::Command;

use pipeline_tests::media::Clip;
use pipeline_tests::processes::unhurried_ffmpeg;
use pipeline_tests::{Bench, Out, assert_published, run, skipped};

/// What a worker shows on a terminal of so many columns; `None`, and said so, where script(1) is not there.
fn on_terminal(bench: &Bench, columns: u32, args: &str, term: &str) -> Option<Out> {
    let worker = bench.command("jitsi-hls-worker");
    let mut script = Command::new("script");
    let line = format!("stty cols {columns} rows 24; exec \"$WORKER\" {args}");
    script.args(["-qec", &line, "/dev/null"]).env("WORKER", worker.get_program()).current_dir("/");
    script.envs(worker.get_envs().filter_map(|(key, value)| Some((key, value?))));
    script.env("PATH", unhurried_ffmpeg(bench)).env("TERM", term).env("SHELL", "/bin/sh");
    if Command::new("script").arg("--version").output().is_err() {
        skipped("script is not here: install Debian's package bsdutils");
        return None;
    }
    Some(run(script.stdin(std::process::Stdio::null())))
}

/// The lines that a terminal of so many columns was told to show, without what moves its cursor.
fn lines(shown: &str, columns: usize) -> Vec<String> {
    let mut text = String::new();
    let mut rest = shown;
    while let Some((before, escape)) = rest.split_once("\x1b[") {
        text.push_str(before);
        text.push('\n');
        rest = escape.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').get(1..).unwrap_or_default();
    }
    text.push_str(rest);
    // What reaches the last column goes on in the next line.
    let wrapped = text.split(['\r', '\n']).flat_map(|line| {
        let chars: Vec<_> = line.chars().collect();
        chars.chunks(columns).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>()
    });
    wrapped.map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn a_terminal_shows_each_recording_and_the_total_below_the_log() {
    let bench = Bench::new();
    for name in ["planning", "standup"] {
        let room = bench.recorded_of(Clip::Short, name);
        bench.finalize(&room).exits(0);
    }
    let Some(out) = on_terminal(&bench, 200, "--jobs 2", "xterm") else { return };
    let out = out.exits(0);
    let lines = lines(&out.stdout, 200);
    for name in ["planning", "standup"] {
        let bar = |line: &&String| line.starts_with(&format!("room={name} file=meeting.mp4 "));
        let bars: Vec<_> = lines.iter().filter(bar).collect();
        let figures = bars.iter().find(|line| line.contains(" left")).unwrap_or_else(|| panic!("{lines:#?}"));
        let figures: Vec<_> = figures.rsplit("meeting.mp4").next().unwrap().split_whitespace().collect();
        let [percent, "%", speed, left, "left"] = figures[..] else { panic!("{figures:?}") };
        assert!((1..=100).contains(&percent.parse::<u32>().unwrap()), "{percent}");
        assert!(speed.strip_suffix('x').unwrap().parse::<f64>().unwrap() > 0.0, "{speed}");
        assert!(left.starts_with("0:00:"), "{left}");
    }
    for total in ["0 of 2 recordings", "1 of 2 recordings"] {
        assert!(lines.iter().any(|line| line == total), "{total}: {lines:#?}");
    }
    // The log's lines are whole, each once.
    for message in bench.log("hls-worker.log") {
        assert_eq!(lines.iter().filter(|line| line.ends_with(&format!("+00:00 {message}"))).count(), 1, "{lines:#?}");
    }
    assert!(lines.last().unwrap().ends_with(" Worker run complete."), "{lines:#?}");
}

#[test]
fn a_name_does_what_it_likes_neither_to_the_terminal_nor_to_its_lines() {
    let bench = Bench::new();
    let name = format!("red \x1b[31m {}", "long ".repeat(30));
    let room = bench.recorded_of(Clip::Short, &name);
    bench.finalize(&room).exits(0);
    let Some(out) = on_terminal(&bench, 60, "--jobs 1", "xterm") else { return };
    let out = out.exits(0);
    assert!(!out.stdout.contains("\x1b[31m"), "{:?}", out.stdout);
    let lines = lines(&out.stdout, 60);
    let bars: Vec<_> = lines.iter().filter(|line| line.ends_with(" left")).collect();
    assert!(!bars.is_empty(), "{lines:#?}");
    // The name is cut, and not the figures into another line.
    assert!(
        bars.iter().all(|line| line.starts_with("room=red \\u{1b}[31m long") && line.contains(" % ")),
        "{lines:#?}"
    );
    assert_published(&room);
}

#[test]
fn quiet_or_on_a_dumb_terminal_there_is_none() {
    // (arguments, kind of terminal, lines)
    for (args, term, wanted) in [("-q", "xterm", 0), ("", "dumb", 3)] {
        let bench = Bench::new();
        bench.finalized("standup");
        let Some(out) = on_terminal(&bench, 80, args, term) else { return };
        let out = out.exits(0);
        assert!(!out.stdout.contains('\x1b') && !out.stdout.contains(" of 1 recordings"), "{:?}", out.stdout);
        assert_eq!(out.stdout.lines().count(), wanted, "{:?}", out.stdout);
    }
}
