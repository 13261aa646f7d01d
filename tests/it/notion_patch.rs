//! `notion-patch`: the scripts' `notion_update`, alone.

use std::ffi::OsStr;
use std::fs;

use pipeline_tests::{Bench, Column, Fault, Out, run};
use serde_json::json;

const URL: &str = "https://rec.example.com/daily-standup/v0/master.m3u8";

/// `notion-patch TARGET --url URL --provider hls --status published EXTRA…`
fn patch(bench: &Bench, target: impl AsRef<OsStr>, extra: &[&str]) -> Out {
    let mut command = bench.command("notion-patch");
    command.arg(target).args(["--url", URL, "--provider", "hls", "--status", "published"]);
    run(command.args(extra))
}

/// A bench with a finalized recording, and its page's id.
fn finalized() -> (Bench, String) {
    let bench = Bench::new();
    bench.finalized("daily-standup");
    let id = bench.only_row().id;
    (bench, id)
}

/// Asserts what the row says.
#[track_caller]
fn assert_row(bench: &Bench, url: &str, provider: &str, status: &str) {
    let row = bench.only_row();
    let is = (row.url().unwrap(), row.provider().unwrap(), row.status().unwrap());
    assert_eq!(is, (url.to_owned(), provider.to_owned(), status.to_owned()));
}

/// A run that fails before anything is sent.
#[track_caller]
fn assert_sends_nothing(bench: &Bench, out: Out, code: i32, says: &str) {
    let out = out.exits(code);
    assert_eq!(out.stdout, "");
    assert!(out.stderr.contains(says), "{}", out.stderr);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn a_page_is_named_by_its_id_in_any_spelling_or_by_its_url() {
    let (bench, id) = finalized();
    let undashed = id.replace('-', "");
    let spellings = [
        id.clone(),
        undashed.clone(),
        undashed.to_uppercase(),
        format!("https://www.notion.so/team/Jitsi-daily-standup-{undashed}?pvs=4"),
        format!("https://www.notion.so/{undashed}#part"),
    ];
    for (turn, spelling) in spellings.iter().enumerate() {
        let url = format!("{URL}?{turn}");
        let mut command = bench.command("notion-patch");
        let out = run(command.args([spelling, "--url", &url, "--provider", "hls", "--status", "published"])).exits(0);
        assert_eq!((out.stdout, out.stderr), (String::new(), String::new()), "{spelling}");
        assert_row(&bench, &url, "hls", "published");
    }
}

#[test]
fn a_directory_stands_for_the_page_that_its_notion_id_names() {
    let (bench, id) = finalized();
    patch(&bench, bench.recordings().join("daily-standup"), &[]).exits(0);
    assert_row(&bench, URL, "hls", "published");
    // As the scripts on another system may have left it.
    fs::write(bench.recordings().join("daily-standup/.notion_id"), format!("{}\r\n", id.replace('-', ""))).unwrap();
    let mut command = bench.command("notion-patch");
    command.args(["daily-standup", "--url", "https://x.example/y", "--provider", "mp4", "--status", "error"]);
    run(command.current_dir(bench.recordings())).exits(0);
    assert_row(&bench, "https://x.example/y", "mp4", "error");
}

#[test]
fn a_directory_without_a_page_id_says_how_to_get_one() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let dir = room.display();
    let file = room.join(".notion_id");
    let then = format!("run jitsi-finalize {dir}\n");
    let says = format!("notion-patch: {dir}/.notion_id is not there: {then}");
    assert_sends_nothing(&bench, patch(&bench, &room, &[]), 1, &says);
    fs::write(&file, "\r\n").unwrap();
    let says = format!("notion-patch: {dir}/.notion_id is empty: {then}");
    assert_sends_nothing(&bench, patch(&bench, &room, &[]), 1, &says);
    let id = bench.notion.database_id();
    for garbage in ["../x".to_owned(), format!("{id}?x=1"), format!("{id}\n{id}\n"), "\u{fffd}".to_owned()] {
        fs::write(&file, garbage).unwrap();
        let says = format!("notion-patch: {dir}/.notion_id holds no page id: {then}");
        assert_sends_nothing(&bench, patch(&bench, &room, &[]), 1, &says);
    }
}

#[test]
fn what_is_neither_a_directory_nor_a_page_is_refused() {
    let bench = Bench::new();
    for target in ["gone", "../x", "", "https://www.notion.so/team"] {
        assert_sends_nothing(
            &bench,
            patch(&bench, target, &[]),
            1,
            &format!("notion-patch: {target}: no such directory"),
        );
    }
}

#[test]
fn the_request_is_that_of_the_scripts() {
    let (bench, id) = finalized();
    patch(&bench, &id, &[]).exits(0);
    let requests = bench.writes();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("PATCH", &*format!("/v1/pages/{id}")));
    assert_eq!(request.header("Authorization").unwrap(), format!("Bearer {}", bench.notion.token()));
    assert_eq!(request.header("Notion-Version"), Some("2022-06-28"));
    assert_eq!(request.header("Content-Type"), Some("application/json"));
    let wanted = json!({"properties": {
        "Recording URL": {"url": URL},
        "Provider": {"select": {"name": "hls"}},
        "Status": {"select": {"name": "published"}}
    }});
    // As text, in which the order counts too.
    assert_eq!(String::from_utf8_lossy(&request.raw_body), wanted.to_string());
}

#[test]
fn a_dry_run_sends_nothing_and_shows_no_password() {
    let (bench, id) = finalized();
    let mut command = bench.command("notion-patch");
    command.args([&id, "-n", "--url", "https://user:hunter2@rec.example.com/x", "--provider", "hls"]);
    let out = run(command.args(["--status", "published"])).exits(0);
    let wanted = format!("Would change page {id}: url=https://***@rec.example.com/x provider=hls status=published");
    assert_eq!(out.messages(), [wanted]);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn verbose_says_what_was_changed_without_the_password() {
    let (bench, id) = finalized();
    let mut command = bench.command("notion-patch");
    command.args([&id, "-v", "--url", "https://user:hunter2@rec.example.com/x", "--provider", "hls"]);
    let out = run(command.args(["--status", "published"])).exits(0);
    let wanted = format!("Changed page {id}: url=https://***@rec.example.com/x provider=hls status=published");
    assert_eq!(out.messages(), [wanted]);
    assert_row(&bench, "https://user:hunter2@rec.example.com/x", "hls", "published");
}

#[test]
fn a_provider_a_status_or_a_url_that_is_none_is_a_usage_error() {
    let bench = Bench::new();
    let page = bench.notion.database_id();
    for (url, provider, status, says) in [
        (URL, "HLS", "published", "invalid value 'HLS' for '--provider <PROVIDER>'\n  [possible values: mp4, hls]"),
        (
            URL,
            "hls",
            "done",
            "invalid value 'done' for '--status <STATUS>'\n  [possible values: recorded, processing, published, error]",
        ),
        ("www.example.com/x", "hls", "published", "is no http:// or https:// URL"),
        ("file:///etc/passwd", "hls", "published", "is no http:// or https:// URL"),
        ("https:///x", "hls", "published", "has no host"),
        ("https://rec.example.com/two words", "hls", "published", "percent-encode it"),
        ("", "hls", "published", "is no http:// or https:// URL"),
    ] {
        let mut command = bench.command("notion-patch");
        let out = run(command.args([&*page, "--url", url, "--provider", provider, "--status", status]));
        assert_sends_nothing(&bench, out, 2, says);
    }
    // No message shows a password, not even one in a URL that is none.
    for url in ["user:hunter2@rec.example.com", "https://user:hunter2@rec.example.com/two words"] {
        let mut command = bench.command("notion-patch");
        let out = run(command.args([&*page, "--url", url, "--provider", "hls", "--status", "error"])).exits(2);
        assert!(!out.stderr.contains("hunter2"), "{}", out.stderr);
    }
    let mut command = bench.command("notion-patch");
    assert_sends_nothing(&bench, run(command.args([&*page, "--url", URL])), 2, "--provider");
}

#[test]
fn an_archived_page_is_an_error_that_names_the_trash() {
    let (bench, id) = finalized();
    bench.notion.archive(&id);
    let message = patch(&bench, &id, &["-q"]).exits(1).messages().concat();
    assert!(message.starts_with("ERROR: Notion update failed: "), "{message}");
    assert!(message.contains(&format!("page {id} is in Notion's trash: restore it there")), "{message}");
}

#[test]
fn a_page_that_notion_does_not_know_is_an_error() {
    let (bench, id) = finalized();
    bench.notion.delete(&id);
    let message = patch(&bench, &id, &[]).exits(1).messages().concat();
    assert!(message.contains(&format!("page {id} is deleted, or no longer shared")), "{message}");
}

#[test]
fn a_wrong_token_is_an_error_that_says_where_to_get_the_right_one() {
    let (mut bench, id) = finalized();
    bench.set("NOTION_TOKEN", "ntn_wrong_hunter2");
    let out = patch(&bench, &id, &[]).exits(1);
    let message = out.messages().concat();
    assert!(message.starts_with("ERROR: Notion update failed: Notion does not accept NOTION_TOKEN: copy"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
    assert_row(&bench, "https://rec.example.com/daily-standup/meeting.mp4", "mp4", "recorded");
}

#[test]
fn while_notion_is_away_it_says_try_later() {
    let (mut bench, id) = finalized();
    bench.notion.fail(Fault::answer(503).forever());
    let message = patch(&bench, &id, &[]).exits(75).messages().concat();
    assert!(message.starts_with("ERROR: Notion update failed: Notion answered 503"), "{message}");
    bench.notion.clear_faults();
    // Nobody listens there.
    bench.set("NOTION_API_URL", "http://127.0.0.1:9");
    patch(&bench, &id, &[]).exits(75);
    assert_row(&bench, "https://rec.example.com/daily-standup/meeting.mp4", "mp4", "recorded");
}

#[test]
fn a_database_without_the_column_provider_is_written_without_it() {
    let (bench, id) = finalized();
    bench.notion.remove_column("Provider");
    patch(&bench, &id, &[]).exits(0);
    assert_eq!(bench.writes()[0].body.as_ref().unwrap()["properties"].get("Provider"), None);
    let row = bench.only_row();
    assert_eq!((row.url().as_deref(), row.status().as_deref()), (Some(URL), Some("published")));
    // And one of another type is written as such.
    bench.notion.set_column("Provider", Column::RichText);
    patch(&bench, &id, &[]).exits(0);
    assert_row(&bench, URL, "hls", "published");
}
