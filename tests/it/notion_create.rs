//! Creates whose outcome nobody knows: never two rows, never a blind repeat.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_tests::media::{self, Clip};
use pipeline_tests::processes::start;
use pipeline_tests::{Bench, Fault, assert_published, each_at_once, wait_for};

fn bench(settle: &str) -> (Bench, PathBuf) {
    let mut bench = Bench::new();
    bench.set("NOTION_SETTLE_SECONDS", settle);
    let room = bench.recorded_of(Clip::Short, "daily");
    (bench, room)
}

fn creates(bench: &Bench) -> usize {
    bench.requests().iter().filter(|request| *request == "POST /v1/pages").count()
}

/// Between two creates of which the first may have happened, Notion has answered a query.
#[track_caller]
fn assert_no_blind_repeat(bench: &Bench) {
    let mut asked = true;
    for request in bench.notion.requests() {
        if request.path.ends_with("/query") {
            asked |= request.answered == Some(200);
        } else if request.method == "POST" {
            assert!(asked, "a blind repeat: {:?}", bench.requests());
            asked = matches!(request.answered, Some(400 | 429 | 529));
        }
    }
}

/// Finalize, killed as soon as Notion has its create.
fn killed_finalize(bench: &Bench, room: &Path) {
    let finalize = start(bench.command("jitsi-finalize").arg(room));
    wait_for("the create", || creates(bench) == 1);
    finalize.signal("KILL");
    finalize.end();
}

#[test]
fn a_create_whose_answer_was_lost_is_found_again_by_the_same_run() {
    for fault in [Fault::drop_after(), Fault::truncated()] {
        let (bench, room) = bench("120");
        bench.notion.fail(fault.on("POST", "/v1/pages"));
        let out = bench.finalize(&room).exits(0);
        let page = bench.only_row().id;
        let id = room.join(".notion_id");
        assert_eq!(out.messages()[1], format!("OK: notion page found again id={page} stored at {}", id.display()));
        assert_eq!(fs::read_to_string(id).unwrap(), format!("{page}\n"));
        assert_eq!(creates(&bench), 1);
    }
}

#[test]
fn a_create_that_notion_answered_with_an_error_of_its_own_is_looked_up_and_sent_again() {
    let faults = [("409", Fault::answer(409)), ("500", Fault::answer(500)), ("503, empty", Fault::raw(503, "", ""))];
    each_at_once(faults, |fault| {
        let (bench, room) = bench("120");
        bench.notion.fail(fault.on("POST", "/v1/pages"));
        bench.finalize(&room).exits(0);
        bench.only_row();
        assert_eq!(creates(&bench), 2);
        assert_no_blind_repeat(&bench);
    });
}

#[test]
fn a_create_that_no_answer_came_to_is_left_to_the_worker_which_looks_before_it_sends_another() {
    let faults = [
        ("dropped before it was processed", Fault::drop_before()),
        ("a gateway's 502", Fault::raw(502, "text/html", "<html>Bad Gateway</html>")),
        ("a gateway's 504", Fault::answer(504)),
        ("500 again and again", Fault::answer(500).times(3)),
    ];
    each_at_once(faults, |fault| {
        let (bench, room) = bench("120");
        bench.notion.fail(fault.on("POST", "/v1/pages"));
        let out = bench.finalize(&room).exits(75);
        assert!(out.stderr.contains("the row may exist: it is looked for before another is created"), "{}", out.stderr);
        assert_no_blind_repeat(&bench);
        assert_eq!(bench.notion.pages().len(), 0);

        let mut bench = bench;
        bench.set("NOTION_SETTLE_SECONDS", "1");
        bench.worker().exits(0);
        bench.only_row();
        assert_no_blind_repeat(&bench);
        assert_published(&room);
    });
}

#[test]
fn while_notion_answers_no_query_either_no_second_create_is_sent() {
    let (bench, room) = bench("1");
    bench.notion.fail(Fault::answer(500).on("POST", "/v1/pages").forever());
    bench.notion.fail(Fault::raw(503, "", "").on("POST", "/v1/databases/").forever());
    bench.finalize(&room).exits(75);
    assert_eq!(creates(&bench), 1, "{:?}", bench.requests());

    let out = bench.worker().exits(75);
    assert!(out.stderr.contains("is remembered in"), "{}", out.stderr);
    assert_eq!(creates(&bench), 1, "{:?}", bench.requests());

    bench.notion.clear_faults();
    bench.worker().exits(0);
    bench.only_row();
    assert_no_blind_repeat(&bench);
    assert_published(&room);
}

#[test]
fn a_row_that_queries_do_not_show_yet_is_waited_for() {
    let (bench, room) = bench("7");
    bench.notion.query_lag(Duration::from_secs(4));
    bench.notion.fail(Fault::silent_after().on("POST", "/v1/pages"));
    killed_finalize(&bench, &room);
    wait_for("the row", || bench.notion.pages().len() == 1);

    bench.worker().exits(0);
    bench.only_row();
    assert_eq!(creates(&bench), 1, "{:?}", bench.requests());
    assert_published(&room);
}

#[test]
fn a_create_that_was_killed_before_notion_had_it_is_sent_again_once_that_is_certain() {
    let (bench, room) = bench("3");
    bench.notion.fail(Fault::silent().on("POST", "/v1/pages"));
    killed_finalize(&bench, &room);
    let first = bench.writes()[0].at;

    bench.worker().exits(0);
    bench.only_row();
    assert_no_blind_repeat(&bench);
    let creates: Vec<_> = bench.writes().into_iter().filter(|request| request.method == "POST").collect();
    assert!(creates[1].at.duration_since(first).unwrap() >= Duration::from_secs(3), "too early");
    assert_published(&room);
}

#[test]
fn finalize_run_again_within_the_settle_time_sends_nothing_and_says_when_it_may() {
    let (bench, room) = bench("120");
    bench.notion.query_lag(Duration::from_secs(60));
    bench.notion.fail(Fault::silent_after().on("POST", "/v1/pages"));
    killed_finalize(&bench, &room);
    wait_for("the row", || bench.notion.pages().len() == 1);
    let out = bench.finalize(&room).exits(75);
    assert!(out.stderr.contains("whether an earlier create has left a row cannot be seen yet; in 1"), "{}", out.stderr);
    assert_eq!(creates(&bench), 1);

    bench.notion.query_lag(Duration::ZERO);
    let out = bench.finalize(&room).exits(0);
    assert!(out.stderr.contains("OK: notion page found again"), "{}", out.stderr);
    bench.only_row();
}

#[test]
fn a_create_from_the_future_does_not_wait_for_it() {
    let (bench, room) = bench("1");
    bench.notion.fail(Fault::silent().on("POST", "/v1/pages"));
    killed_finalize(&bench, &room);
    let state = room.join(".recording.json");
    let mut content: serde_json::Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    content["recordings"][0]["create"]["sent"] = "2990-01-01T00:00:00Z".into();
    fs::write(&state, content.to_string()).unwrap();

    bench.worker().exits(0);
    bench.only_row();
    assert_published(&room);
}

#[test]
fn a_row_is_not_taken_for_that_of_another_recording_of_the_same_name() {
    let (bench, room) = bench("120");
    bench.finalize(&room).exits(0);
    bench.worker().exits(0);
    let first = bench.only_row().id;
    // The first row has the MP4's URL again, as where a person has put it back.
    let mut patch = bench.command("notion-patch");
    patch.arg(&room).args(["--url", "https://rec.example.com/daily/meeting.mp4"]);
    let out = pipeline_tests::run(patch.args(["--provider", "mp4", "--status", "recorded"]));
    out.exits(0);

    media::put(Clip::Other, &room.join("meeting.mp4"));
    // No row comes of it, so that the query finds the first one only.
    bench.notion.fail(Fault::answer(500).on("POST", "/v1/pages"));
    bench.finalize(&room).exits(0);
    let pages = bench.notion.pages();
    assert_eq!((pages.len(), pages[0].id == first), (2, true));
    let state = fs::read_to_string(room.join(".recording.json")).unwrap();
    assert!(state.contains(&pages[0].id) && state.contains(&pages[1].id), "{state}");
}

#[test]
fn of_two_rows_that_are_there_already_the_oldest_is_kept_and_the_other_named() {
    let (bench, room) = bench("120");
    for _ in 0..2 {
        bench.finalize(&room).exits(0);
        fs::remove_file(room.join(".recording.json")).unwrap();
        // As the scripts leave it on a full disk.
        fs::write(room.join(".notion_id"), "").unwrap();
        bench.notion.query_lag(Duration::from_secs(60));
        media::age(&room.join(".notion_id"), Duration::from_secs(500));
    }
    bench.notion.query_lag(Duration::ZERO);
    let pages = bench.notion.pages();
    assert_eq!(pages.len(), 2);

    let out = bench.finalize(&room).exits(0);
    let kept = fs::read_to_string(room.join(".notion_id")).unwrap().trim().to_owned();
    // Notion tells the minute only; within one, the ids decide.
    let minute =
        |page: &pipeline_tests::Page| page.created.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 60;
    let oldest = pages.iter().min_by_key(|page| (minute(page), page.id.clone())).unwrap();
    let other = pages.iter().find(|page| page.id != oldest.id).unwrap();
    assert_eq!(kept, oldest.id);
    let warning = format!(
        "WARNING: 2 rows for one recording room=daily file=meeting.mp4: keeping the oldest, {}; delete by hand what is \
         not wanted of {}",
        oldest.id, other.id
    );
    assert!(out.messages().contains(&warning), "{}", out.stderr);
    assert_eq!(bench.notion.pages().iter().filter(|page| page.archived).count(), 0, "nothing is deleted");
}
