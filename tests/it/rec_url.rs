//! `rec-url`: the public URL of what lies below `RECORDINGS_ROOT`.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use pipeline_tests::{Bench, Out, run};

const BASE: &str = "https://rec.example.com";

/// A room with an MP4 and HLS, as far as `rec-url` looks: names that need encoding, and nothing in the files.
fn tree(bench: &Bench) {
    let room = bench.room("two words");
    fs::create_dir(room.join("v0")).unwrap();
    for name in ["a#1.mp4", "v0/master.m3u8"] {
        fs::write(room.join(name), "").unwrap();
    }
}

/// `rec-url ARG…`, called in `RECORDINGS_ROOT`.
fn rec_url(bench: &Bench, args: &[&str]) -> Out {
    run(bench.command("rec-url").current_dir(bench.recordings()).args(args))
}

/// The same with paths on stdin.
fn rec_url_of_stdin(bench: &Bench, args: &[&str], stdin: &[u8]) -> Out {
    let file = bench.dir().join("stdin");
    fs::write(&file, stdin).unwrap();
    let mut command = bench.command("rec-url");
    run(command.current_dir(bench.recordings()).args(args).stdin(fs::File::open(file).unwrap()))
}

#[test]
fn a_directory_an_mp4_and_a_playlist_have_their_urls_one_a_line() {
    let bench = Bench::new();
    tree(&bench);
    let room = bench.recordings().join("two words");
    let paths = [room.clone(), room.join("a#1.mp4"), room.join("v0/master.m3u8")];
    let out = run(bench.command("rec-url").args(paths)).exits(0);
    let wanted = ["two%20words", "two%20words/a%231.mp4", "two%20words/v0/master.m3u8"];
    assert_eq!(out.stdout, wanted.map(|path| format!("{BASE}/{path}\n")).concat());
    assert_eq!(out.stderr, "");
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn a_relative_path_is_taken_from_the_current_directory() {
    let bench = Bench::new();
    tree(&bench);
    for path in ["two words", "two words/", "./two words", "two words/.", "two words/v0/..", "../recordings/two words"]
    {
        assert_eq!(rec_url(&bench, &[path]).exits(0).stdout, format!("{BASE}/two%20words\n"), "{path}");
    }
    let mut command = bench.command("rec-url");
    let room = bench.recordings().join("two words");
    let out = run(command.current_dir(room).args([".", "a#1.mp4", "v0/master.m3u8"])).exits(0);
    let wanted = ["two%20words", "two%20words/a%231.mp4", "two%20words/v0/master.m3u8"];
    assert_eq!(out.stdout, wanted.map(|path| format!("{BASE}/{path}\n")).concat());
}

#[test]
fn a_leading_dash_goes_behind_two_dashes_or_a_dot_and_a_slash() {
    let bench = Bench::new();
    bench.room("-x");
    bench.room("-");
    let out = rec_url(&bench, &["--", "-x", "./-x", "./-"]).exits(0);
    assert_eq!(out.stdout, format!("{BASE}/-x\n{BASE}/-x\n{BASE}/-\n"));
}

#[test]
fn a_root_that_is_a_symlink_is_the_tree_that_it_leads_to() {
    let mut bench = Bench::new();
    tree(&bench);
    let link = bench.dir().join("link");
    symlink(bench.recordings(), &link).unwrap();
    bench.set("RECORDINGS_ROOT", link.to_str().unwrap());
    let wanted = format!("{BASE}/two%20words/a%231.mp4\n");
    for root in [link, bench.recordings()] {
        let out = run(bench.command("rec-url").arg(root.join("two words/a#1.mp4"))).exits(0);
        assert_eq!((out.stdout, out.stderr), (wanted.clone(), String::new()));
    }
}

#[test]
fn what_lies_outside_of_the_root_goes_by_its_own_name_with_a_warning() {
    let bench = Bench::new();
    let room = bench.dir().join("else where/room 1");
    fs::create_dir_all(room.join("v0")).unwrap();
    fs::write(room.join("meeting.mp4"), "").unwrap();
    fs::write(room.join("v0/master.m3u8"), "").unwrap();
    for (path, url) in [
        (room.clone(), "room%201"),
        (room.join("meeting.mp4"), "room%201/meeting.mp4"),
        (room.join("v0/master.m3u8"), "room%201/v0/master.m3u8"),
    ] {
        let out = run(bench.command("rec-url").arg(&path)).exits(0);
        assert_eq!(out.stdout, format!("{BASE}/{url}\n"));
        let warning =
            format!("rec-url: WARNING: {} is outside of RECORDINGS_ROOT: it goes by its own name\n", path.display());
        assert_eq!(out.stderr, warning);
        let out = run(bench.command("rec-url").arg("-q").arg(&path)).exits(0);
        assert_eq!((out.stdout, out.stderr), (format!("{BASE}/{url}\n"), String::new()));
    }
}

#[test]
fn the_root_itself_has_no_url() {
    let bench = Bench::new();
    let out = rec_url(&bench, &["."]).exits(1);
    assert_eq!(out.stdout, "");
    assert_eq!(out.stderr, "rec-url: . is RECORDINGS_ROOT itself: give a recording's own directory\n");
}

#[test]
fn a_path_that_is_not_there_fails_and_the_others_are_printed() {
    let bench = Bench::new();
    tree(&bench);
    let out = rec_url(&bench, &["-q", "two words", "gone\nforged", "two words/v0/master.m3u8"]).exits(1);
    assert_eq!(out.stdout, format!("{BASE}/two%20words\n{BASE}/two%20words/v0/master.m3u8\n"));
    assert_eq!(out.stderr, "rec-url: gone\\nforged: No such file or directory (os error 2)\n");
}

#[test]
fn a_dash_reads_paths_from_stdin_one_a_line() {
    let bench = Bench::new();
    tree(&bench);
    bench.room("last");
    let out = rec_url_of_stdin(&bench, &["last", "-"], b"two words\ntwo words/a#1.mp4\nlast").exits(0);
    assert_eq!(out.stdout, format!("{BASE}/last\n{BASE}/two%20words\n{BASE}/two%20words/a%231.mp4\n{BASE}/last\n"));
    assert_eq!(rec_url_of_stdin(&bench, &["-"], b"").exits(0).stdout, "");
}

#[test]
fn with_0_paths_and_urls_end_with_nul() {
    let bench = Bench::new();
    bench.room("new\nline");
    bench.room("plain");
    let out = rec_url_of_stdin(&bench, &["-0", "-"], b"new\nline\0plain\0").exits(0);
    assert_eq!(out.stdout, format!("{BASE}/new%0Aline\0{BASE}/plain\0"));
    assert_eq!(out.stderr, "");
}

#[test]
fn stdin_is_read_only_where_a_dash_says_so() {
    let bench = Bench::new();
    bench.room("plain");
    let out = rec_url_of_stdin(&bench, &["plain"], b"gone\n").exits(0);
    assert_eq!((out.stdout, out.stderr), (format!("{BASE}/plain\n"), String::new()));
}

#[test]
fn the_sites_password_is_in_the_url_and_a_slash_of_the_base_is_not_doubled() {
    let mut bench = Bench::new();
    bench.room("plain");
    bench.set("PUBLIC_URL_AUTH", "user:p%40ss@");
    bench.set("PUBLIC_BASE_URL", "https://rec.example.com/rec//");
    assert_eq!(rec_url(&bench, &["plain"]).exits(0).stdout, "https://user:p%40ss@rec.example.com/rec/plain\n");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = Bench::new();
    bench.room("plain");
    // More than any pipe holds.
    let paths = bench.dir().join("paths");
    fs::write(&paths, "plain\n".repeat(100_000)).unwrap();
    let mut command = bench.command("rec-url");
    command.current_dir(bench.recordings()).arg("-").stdin(fs::File::open(&paths).unwrap());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The command goes at once, and our end of the pipe with it.
    let stdout = child.stdout.take().unwrap();
    let head = Command::new("head").args(["-n", "1"]).stdin(stdout).output().unwrap();
    assert_eq!(String::from_utf8(head.stdout).unwrap(), format!("{BASE}/plain\n"));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn each_path_on_stdin_is_answered_at_once() {
    let bench = Bench::new();
    bench.room("plain");
    let mut command = bench.command("rec-url");
    command.current_dir(bench.recordings()).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut to, mut from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for _ in 0..2 {
        to.write_all(b"plain\n").unwrap();
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{BASE}/plain\n"));
    }
    drop(to);
    assert!(child.wait().unwrap().success());
}

#[test]
fn nothing_is_changed_on_the_disk() {
    let bench = Bench::new();
    tree(&bench);
    rec_url(&bench, &["two words"]).exits(0);
    assert!(!Path::new(&bench.dir().join("log")).exists() && !bench.dir().join("lock").exists());
    assert_eq!(pipeline_tests::listing(&bench.recordings().join("two words")), ["a#1.mp4", "v0"]);
}
