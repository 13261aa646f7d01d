//! The program.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use notion_standin::Standin;

use crate::client::create;

const PROGRAM: &str = env!("CARGO_BIN_EXE_notion-standin");

#[test]
fn it_prints_url_token_and_database_and_writes_the_url_file() {
    let file = std::env::temp_dir().join(format!("notion-standin-{}.url", std::process::id()));
    let mut child = Command::new(PROGRAM)
        .arg("--url-file")
        .arg(&file)
        .args(["--token", "ntn_mine"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[1..], ["ntn_mine", notion_standin::DATABASE_ID]);
    while !file.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim_end(), words[0]);
    let shown = Command::new(PROGRAM).args(["--show", words[0], "--token", "ntn_mine"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&shown.stdout), "Name  Date  Status  Provider  Recording URL\n");
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn it_shows_the_rows_of_a_running_one() {
    let standin = Standin::start();
    create(&standin, "täglich\n", "https://x/a.mp4");
    let shown = Command::new(PROGRAM).args(["--show", &standin.url()]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&shown.stdout),
        "Name              Date                  Status    Provider  Recording URL\n\
         Meeting täglich?  2026-01-02T10:00:00Z  recorded  mp4       https://x/a.mp4\n"
    );
    assert!(shown.status.success());
    let refused = Command::new(PROGRAM).args(["--show", &standin.url(), "--token", "x"]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr),
        format!("notion-standin: {}: API token is invalid.\n", standin.url())
    );
    assert_eq!(refused.status.code(), Some(1));
}
