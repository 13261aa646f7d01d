//! `rec-check --create-database`.

use std::fs;

use pipeline_tests::{Bench, Fault, run};

/// The page that the integration sees.
const PAGE: &str = "5a1de0c0-3333-4aaa-8aaa-000000000003";

/// A bench without a database in its env file.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.unset("NOTION_DATABASE_ID");
    bench
}

fn create(bench: &Bench, page: &str) -> pipeline_tests::Out {
    run(bench.command("rec-check").args(["--create-database", page]))
}

/// How many databases Notion has beside the one that was there.
fn made(bench: &Bench) -> usize {
    bench.notion.databases().len() - 1
}

#[test]
fn a_token_and_a_page_are_enough_and_the_line_that_is_printed_makes_it_work() {
    let bench = Bench::new();
    let token = format!("NOTION_TOKEN='{}'\nNOTION_API_URL='{}'\n", bench.notion.token(), bench.notion.url());
    fs::write(bench.env_file(), &token).unwrap();
    let out = create(&bench, &format!("https://www.notion.so/ws/Meetings-{}?pvs=4", PAGE.replace('-', ""))).exits(0);
    let (id, title) = bench.notion.databases().pop().unwrap();
    assert_eq!((out.stdout, title.as_str()), (format!("NOTION_DATABASE_ID='{id}'\n"), "Recordings"));
    assert!(
        out.stderr.contains("Made the database \"Recordings\": https://")
            && !out.stderr.contains(&bench.notion.token())
    );

    let rest =
        format!("PUBLIC_BASE_URL='https://rec.example.com'\nRECORDINGS_ROOT='{}'\n", bench.recordings().display());
    fs::write(
        bench.env_file(),
        format!(
            "{token}{rest}NOTION_DATABASE_ID='{id}'\nLOG_DIR='{0}/log'\nLOCK_DIR='{0}/lock'\nHLS_MIN_FREE=0\n",
            bench.dir().display()
        ),
    )
    .unwrap();
    let checked = bench.check(&["notion"]);
    assert_eq!(checked.bad(), [""; 0]);
    checked.says("ok", "notion.columns", "Status", "Select");
    // And a recording goes all the way.
    let room = bench.recorded("daily");
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    assert_eq!(bench.only_row().status().as_deref(), Some("published"));
}

#[test]
fn a_page_that_cannot_hold_it_is_named_with_what_to_do() {
    let bench = bench();
    let unknown = "5a1de0c0-9999-4aaa-8aaa-000000000009";
    for (page, part) in [
        (
            unknown,
            "the integration sees no page 5a1de0c0-9999-4aaa-8aaa-000000000009: in Notion open that page, ••• → Connections",
        ),
        (&*bench.notion.database_id(), "give the link of a page, not that of a database"),
        ("my page", "holds no Notion id (32 hex digits)"),
    ] {
        let out = create(&bench, page).exits(1);
        assert!(out.stderr.contains(part) && out.stdout.is_empty(), "{page}: {}", out.stderr);
    }
    bench.notion.set_token("another");
    let out = create(&bench, PAGE).exits(1);
    assert!(out.stderr.contains("copy the integration's secret from"), "{}", out.stderr);
    assert_eq!(made(&bench), 0);
}

#[test]
fn never_a_second_one_where_the_answer_was_lost() {
    for (fault, sent) in [
        (Fault::drop_after(), 1),
        (Fault::answer(500), 1),
        (Fault::truncated(), 1),
        (Fault::answer(429).retry_after("0"), 2),
    ] {
        let bench = bench();
        bench.notion.fail(fault);
        let out = create(&bench, PAGE);
        let requests = bench.requests().iter().filter(|request| *request == "POST /v1/databases").count();
        assert_eq!(requests, sent, "{}", out.stderr);
        if sent == 1 {
            let out = out.exits(1);
            assert!(
                out.stderr.contains("the database may exist: look at the page in Notion before you run this again"),
                "{}",
                out.stderr
            );
            assert_eq!(out.stdout, "");
        } else {
            out.exits(0);
        }
        assert!(made(&bench) <= 1);
    }
    let mut bench = bench();
    bench.set("NOTION_API_URL", "http://127.0.0.1:9");
    let out = create(&bench, PAGE).exits(75);
    assert!(out.stderr.contains("try again later"), "{}", out.stderr);
}

#[test]
fn one_that_is_set_already_is_not_made_again_and_the_example_is_none() {
    let mut bench = Bench::new();
    let out = create(&bench, PAGE).exits(1);
    assert!(out.stderr.contains("NOTION_DATABASE_ID: is set: remove that line first"), "{}", out.stderr);
    assert_eq!((made(&bench), bench.requests().len()), (0, 0));
    bench.set("NOTION_DATABASE_ID", "00000000-0000-0000-0000-000000000000");
    create(&bench, PAGE).exits(0);
    assert_eq!(made(&bench), 1);
}

#[test]
fn a_dry_run_makes_nothing_and_a_quiet_one_prints_the_line_alone() {
    let bench = bench();
    let out = run(bench.command("rec-check").args(["-n", "--create-database", PAGE])).exits(0);
    assert!(out.stderr.contains("Would make a database \"Recordings\" on page 5a1de0c0"), "{}", out.stderr);
    assert_eq!((out.stdout.as_str(), made(&bench), bench.requests().len()), ("", 0, 0));
    let out = run(bench.command("rec-check").args(["-q", "--create-database", PAGE])).exits(0);
    assert_eq!((out.stdout.lines().count(), out.stderr.as_str()), (1, ""));
    run(bench.command("rec-check").args(["--create-database", PAGE, "notion"])).exits(2);
}
