//! Notion, as it is and as it fails.

use std::time::Duration;

use pipeline_tests::{Bench, Column, Fault};

/// What is found once something was done to Notion or to the settings.
#[track_caller]
fn after(change: impl FnOnce(&mut Bench)) -> pipeline_tests::check::Checked {
    let mut bench = Bench::new();
    change(&mut bench);
    let checked = bench.check(&["notion"]);
    let writes = bench.writes();
    assert!(writes.is_empty(), "{writes:?}");
    checked
}

#[test]
fn a_database_as_it_is_meant_to_be_is_found_column_by_column() {
    let checked = after(|_| {});
    assert_eq!(checked.bad(), [""; 0]);
    let columns: Vec<_> = checked.all("notion.columns").iter().map(|found| found.object.clone()).collect();
    assert_eq!(columns, ["Name", "Date", "Recording URL", "Room", "Status", "Provider", "Error"]);
    checked.says(
        "ok",
        "notion.database",
        "NOTION_DATABASE_ID",
        "\"Recordings\" is shared with the integration (API 2022-06-28)",
    );
    let checked = after(|bench| {
        for column in ["Room", "Status", "Provider"] {
            bench.notion.remove_column(column);
        }
    });
    assert_eq!(checked.bad(), [""; 0]);
    checked.says("ok", "notion.columns", "Room", "need not be");
}

#[test]
fn a_token_that_is_not_accepted_leaves_the_rest_for_later() {
    let checked = after(|bench| bench.notion.set_token("another"));
    checked.says("failed", "notion.token", "", "copy the integration's secret from");
    checked.says("skipped", "notion.database", "", "the token must be accepted first");
    checked.says("skipped", "notion.columns", "", "the token must be accepted first");
}

#[test]
fn a_database_that_is_not_shared_or_in_the_trash_or_none_is_told_apart() {
    let checked = after(|bench| bench.notion.unshare());
    checked.says("failed", "notion.database", "", "••• → Connections → add the integration");
    checked.says("skipped", "notion.columns", "", "");
    after(|bench| bench.notion.trash_database()).says(
        "failed",
        "notion.database",
        "",
        "is in Notion's trash: restore it",
    );
    let page = "5a1de0c0-3333-4aaa-8aaa-000000000003";
    let checked = after(|bench| bench.set("NOTION_DATABASE_ID", page));
    checked.says("failed", "notion.database", "", "is not a database's id");
}

#[test]
fn each_column_that_does_not_fit_is_named_with_what_to_do() {
    let checked = after(|bench| {
        bench.notion.set_column("Meeting", Column::Title);
        bench.notion.set_column("Date", Column::RichText);
        bench.notion.rename_column("Recording URL", "recording url");
        bench.notion.set_column("Room", Column::Number);
        bench.notion.set_column("Status", Column::Status(vec!["recorded".into(), "Done".into()]));
        bench.notion.rename_column("Provider", "provider");
    });
    checked.says("failed", "notion.columns", "Name", "rename that to Name");
    checked.says("failed", "notion.columns", "Date", "has the type Text: change that to Date");
    checked.says("failed", "notion.columns", "Recording URL", "letter case counts");
    checked.says("warning", "notion.columns", "Room", "make it Text");
    checked.says(
        "failed",
        "notion.columns",
        "Status",
        "lacks the options processing, published, error: click its head",
    );
    checked.says("warning", "notion.columns", "Provider", "rename it to Provider");
}

#[test]
fn of_several_data_sources_one_must_be_named_and_be_of_this_database() {
    let mut bench = Bench::new();
    let other = bench.notion.add_data_source();
    let checked = bench.check(&["notion"]);
    let found = checked.says("failed", "notion.database", "NOTION_DATABASE_ID", "set NOTION_DATA_SOURCE_ID");
    assert!(found.remedy.contains(&other) && found.remedy.contains(&bench.notion.data_source_id()), "{found:?}");
    bench.set("NOTION_DATA_SOURCE_ID", bench.notion.data_source_id());
    let checked = bench.check(&["notion"]);
    assert_eq!(checked.bad(), [""; 0]);
    checked.says("ok", "notion.database", "NOTION_DATA_SOURCE_ID", "API 2025-09-03");

    bench.set("NOTION_DATABASE_ID", "5a1de0c0-4444-4aaa-8aaa-000000000004");
    let checked = bench.check(&["notion"]);
    let wanted = format!("set NOTION_DATABASE_ID='{}'", bench.notion.database_id());
    checked.says("failed", "notion.database", "NOTION_DATA_SOURCE_ID", &wanted);
}

#[test]
fn a_notion_that_is_away_or_silent_is_not_waited_for_long() {
    let nobody = after(|bench| bench.set("NOTION_API_URL", "http://127.0.0.1:9"));
    nobody.says("failed", "notion.token", "", "no answer from http://127.0.0.1:9");
    let silent = after(|bench| bench.notion.fail(Fault::silent().forever()));
    silent.says("failed", "notion.token", "", "a firewall, a proxy, DNS");
    // A minute is what all questions together may take; the machine may be slow.
    assert!(silent.out.took < Duration::from_secs(60), "{:?}", silent.out.took);
    let busy = after(|bench| bench.notion.fail(Fault::answer(429).retry_after("1")));
    assert_eq!(busy.bad(), [""; 0]);
    let other = after(|bench| bench.notion.fail(Fault::raw(404, "text/html", "<h1>Not here</h1>").forever()));
    other.says("failed", "notion.token", "", "something other than Notion answers at NOTION_API_URL");
}
