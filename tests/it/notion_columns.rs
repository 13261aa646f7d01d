//! The database's columns: what must be there, what may be, and what an admin is told.

use pipeline_tests::media::Clip;
use pipeline_tests::{Bench, Column, assert_published, each_at_once, run};

/// Runs both tools, and says what finalize and the worker said beside the lines of a run where all is well.
#[track_caller]
fn published(bench: &Bench) -> (Vec<String>, Vec<String>) {
    let room = bench.recorded_of(Clip::Short, "daily");
    let finalize = bench.finalize(&room).exits(0).messages();
    let worker = bench.worker().exits(0).messages();
    let beside = |said: Vec<String>| -> Vec<String> {
        let usual = ["Finalize ", "OK: ", "Process ", "Notion updated ", "Worker run complete."];
        said.into_iter().filter(|line| !usual.iter().any(|usual| line.starts_with(usual))).collect()
    };
    assert_published(&room);
    assert_eq!(bench.only_row().url().unwrap(), "https://rec.example.com/daily/v0/master.m3u8");
    (beside(finalize), beside(worker))
}

fn options(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn each_optional_column_may_be_missing_and_all_of_them() {
    let cases: [(&str, &[&str]); 4] = [
        ("Room", &["Room"]),
        ("Status", &["Status"]),
        ("Provider", &["Provider"]),
        ("all", &["Room", "Status", "Provider"]),
    ];
    each_at_once(cases, |missing| {
        let bench = Bench::new();
        for column in missing {
            bench.notion.remove_column(column);
        }
        assert_eq!(published(&bench), (vec![], vec![]));
        let row = bench.only_row();
        let optional = [row.room(), row.status(), row.provider()].map(|value| value.is_some());
        assert_eq!(optional, ["Room", "Status", "Provider"].map(|column| !missing.contains(&column)));
    });
}

#[test]
fn a_status_column_of_type_status_is_written_as_such() {
    let bench = Bench::new();
    let names = options(&["Not started", "recorded", "processing", "published", "error"]);
    bench.notion.set_column("Status", Column::Status(names));
    assert_eq!(published(&bench), (vec![], vec![]));
    assert_eq!(bench.only_row().status().unwrap(), "published");
    let sent = bench.writes();
    assert_eq!(sent[0].body.as_ref().unwrap()["properties"]["Status"]["status"]["name"], "recorded");
}

#[test]
fn a_status_column_without_our_options_is_refused_with_those_that_it_lacks() {
    let bench = Bench::new();
    bench.notion.set_column("Status", Column::Status(options(&["Not started", "recorded", "Done"])));
    let room = bench.recorded_of(Clip::Short, "daily");
    let out = bench.finalize(&room).exits(1);
    let told = "column Status lacks the options processing, published, error: click its head → Edit property → add them, \
                or make it a Select";
    assert!(out.stderr.contains(told), "{}", out.stderr);
    assert_eq!(bench.writes().len(), 0);
    bench.notion.set_column("Status", Column::Select(vec![]));
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn status_and_provider_may_be_text() {
    let bench = Bench::new();
    bench.notion.set_column("Status", Column::RichText);
    bench.notion.set_column("Provider", Column::RichText);
    assert_eq!(published(&bench), (vec![], vec![]));
    assert_eq!(
        (bench.only_row().status().unwrap(), bench.only_row().provider().unwrap()),
        ("published".into(), "hls".into())
    );
}

#[test]
fn every_required_column_that_is_missing_is_named_with_what_to_do_and_nothing_is_sent() {
    let bench = Bench::new();
    bench.notion.rename_column("Name", "Meeting");
    bench.notion.set_column("Date", Column::RichText);
    bench.notion.remove_column("Recording URL");
    let room = bench.recorded_of(Clip::Short, "daily");
    let out = bench.finalize(&room).exits(1);
    for told in [
        "its title column is called \"Meeting\": rename that to Name",
        "column Date has the type Text: change that to Date",
        "column Recording URL is missing: add it (+ at the right of the column heads) with the type URL",
    ] {
        assert!(out.stderr.contains(told), "{}", out.stderr);
    }
    let out = bench.worker().exits(1);
    assert_eq!(out.stderr.matches("its title column is called").count(), 1, "{}", out.stderr);
    assert_eq!(bench.writes().len(), 0);

    bench.notion.rename_column("Meeting", "Name");
    bench.notion.set_column("Date", Column::Date);
    bench.notion.set_column("Recording URL", Column::Url);
    bench.worker().exits(0);
    bench.only_row();
    assert_published(&room);
}

#[test]
fn a_column_may_be_renamed_between_two_runs() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    bench.notion.rename_column("Status", "State");
    bench.notion.remove_column("Provider");
    bench.worker().exits(0);
    assert_published(&room);
    assert_eq!(bench.only_row().text("State").unwrap(), "recorded", "no longer ours");

    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    bench.notion.rename_column("Recording URL", "Link");
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains("column Recording URL is missing"), "{}", out.stderr);
    assert!(room.join("meeting.mp4").exists() && !room.join("v0").exists());
    bench.notion.rename_column("Link", "Recording URL");
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn long_names_are_cut_to_what_notion_takes_and_no_prefix_leaves_no_blank() {
    let mut bench = Bench::new();
    bench.set("NOTION_NAME_PREFIX", "");
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    assert_eq!(bench.only_row().title(), "daily");

    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    let name = "ä𝄞".repeat(1500);
    std::fs::write(room.join("metadata.json"), format!(r#"{{"meeting_url":"https://meet.example.org/{name}"}}"#))
        .unwrap();
    bench.finalize(&room).exits(0);
    let row = bench.only_row();
    let units = |text: &str| text.encode_utf16().count();
    assert!((1998..=2000).contains(&units(&row.title())), "{}", units(&row.title()));
    assert!(row.title().starts_with("[Jitsi] ä𝄞ä") && name.starts_with(&row.room().unwrap()));
    assert!((1998..=2000).contains(&units(&row.room().unwrap())));
}

#[test]
fn a_misnamed_column_and_one_of_the_wrong_type_are_left_out_with_a_warning_of_each_tool() {
    let bench = Bench::new();
    bench.notion.rename_column("Room", "room");
    bench.notion.set_column("Provider", Column::Date);
    let room = bench.recorded("daily-standup");
    let warnings = |messages: Vec<String>| -> Vec<String> {
        messages.into_iter().filter(|message| message.starts_with("WARNING: ")).collect()
    };
    let wanted = [
        "WARNING: column room in Notion is left out: rename it to Room",
        "WARNING: column Provider in Notion is left out: its type is Date, make it Select or Status or Text",
    ];
    assert_eq!(warnings(bench.finalize(&room).exits(0).messages()), wanted);
    assert_eq!(warnings(bench.worker().exits(0).messages()), wanted);
    assert_eq!(bench.only_row().status().unwrap(), "published");
    let mut patch = bench.command("notion-patch");
    patch.args(["--url", "https://rec.example.com/x", "--provider", "hls", "--status", "published"]).arg(&room);
    assert_eq!(warnings(run(&mut patch).exits(0).messages()), wanted);
    // Where there was nothing to ask Notion, there is nothing to say.
    assert_eq!(warnings(bench.worker().exits(0).messages()), [""; 0]);
}
