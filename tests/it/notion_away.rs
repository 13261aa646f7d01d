//! Notion away, overloaded or broken: nothing is lost, and a later run goes on.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use pipeline_tests::media::Clip;
use pipeline_tests::{Bench, Fault, Standin, assert_published, each_at_once};

/// An HTTP date so many seconds from now.
fn http_date(seconds: u32) -> String {
    let mut date = Command::new("date");
    date.env("LC_ALL", "C").args(["-u", "-d", &format!("+{seconds} seconds"), "+%a, %d %b %Y %H:%M:%S GMT"]);
    String::from_utf8(date.output().unwrap().stdout).unwrap().trim().to_owned()
}

/// What Notion, or a gateway before it, answers when it cannot.
fn faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("429, wait 1 s", Fault::answer(429).retry_after("1")),
        ("429, wait until", Fault::answer(429).retry_after(&http_date(2))),
        ("429, wait 10 hours", Fault::answer(429).retry_after("36000")),
        ("429, nonsense", Fault::answer(429).retry_after("soon")),
        ("500", Fault::answer(500)),
        ("502 of a gateway", Fault::raw(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>")),
        ("503, empty", Fault::raw(503, "", "")),
        ("504", Fault::answer(504)),
        ("529", Fault::answer(529)),
        ("409", Fault::answer(409)),
        ("hung up", Fault::drop_before()),
        ("200, cut off", Fault::truncated()),
        ("200, not JSON", Fault::raw(200, "text/html", "<html>Sign in to the hotel's wifi</html>")),
    ]
}

#[test]
fn a_fault_that_passes_while_finalize_reads_the_columns_costs_nothing() {
    let lasting = ["429, wait 10 hours", "429, nonsense", "200, not JSON"];
    let passing = faults().into_iter().filter(|(name, _)| !lasting.contains(name));
    each_at_once(passing, |fault| {
        let bench = Bench::new();
        let room = bench.recorded_of(Clip::Short, "daily");
        bench.notion.fail(fault.on("GET", "/v1/databases/").times(2));
        let out = bench.finalize(&room).exits(0);
        assert_eq!(out.messages().len(), 2, "{}", out.stderr);
        assert_eq!(bench.only_row().status().unwrap(), "recorded");
    });
}

#[test]
fn a_create_that_notion_puts_off_is_sent_again_when_notion_said() {
    let when = |bench: &Bench| bench.writes().iter().map(|request| request.at).collect::<Vec<_>>();
    let (bench, until) = (Bench::new(), SystemTime::now() + Duration::from_secs(2));
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.notion.fail(Fault::answer(429).retry_after(&http_date(3)).on("POST", "/v1/pages"));
    bench.finalize(&room).exits(0);
    assert!(when(&bench)[1] > until);

    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.notion.fail(Fault::answer(429).retry_after("1").on("POST", "/v1/pages"));
    bench.notion.fail(Fault::answer(529).on("POST", "/v1/pages"));
    bench.finalize(&room).exits(0);
    bench.only_row();
    let sent = when(&bench);
    assert_eq!(sent.len(), 3);
    assert!(sent[1].duration_since(sent[0]).unwrap() >= Duration::from_secs(1));
}

#[test]
fn while_notion_is_away_finalize_remembers_the_recording_and_the_next_worker_run_publishes_it() {
    each_at_once(faults(), |fault| {
        let bench = Bench::new();
        let room = bench.recorded_of(Clip::Short, "daily");
        bench.notion.fail(fault.on("GET", "/v1/databases/").forever());
        let out = bench.finalize(&room).exits(75);
        let said = &out.messages()[1];
        assert!(said.starts_with("ERROR: Notion create page failed: "), "{said}");
        assert!(said.contains("try again later") && said.contains("is remembered in"), "{said}");
        assert_eq!((out.messages().len(), bench.writes().len()), (2, 0), "{}", out.stderr);
        assert!(!room.join(".notion_id").exists() && room.join("meeting.mp4").exists());

        bench.notion.clear_faults();
        bench.worker().exits(0);
        assert_eq!(bench.only_row().status().unwrap(), "published");
        assert_published(&room);
    });
}

#[test]
fn a_create_that_notion_puts_off_for_too_long_is_left_to_the_worker() {
    let too_long =
        faults().into_iter().filter(|(name, _)| ["429, wait 10 hours", "429, nonsense", "529"].contains(name));
    each_at_once(too_long, |fault| {
        let bench = Bench::new();
        let room = bench.recorded_of(Clip::Short, "daily");
        bench.notion.fail(fault.on("POST", "/v1/pages").forever());
        let out = bench.finalize(&room).exits(75);
        assert!(out.stderr.contains("is remembered in"), "{}", out.stderr);
        let state = fs::read_to_string(room.join(".recording.json")).unwrap();
        assert!(!state.contains("\"create\""), "Notion said that it did nothing: {state}");

        // The worker does not get further either, and says so; no row, no HLS that nobody could find.
        let out = bench.worker().exits(75);
        assert!(out.stderr.contains("ERROR: Notion create page failed: "), "{}", out.stderr);
        assert!(!room.join("v0").exists());

        bench.notion.clear_faults();
        bench.worker().exits(0);
        bench.only_row();
        assert_published(&room);
    });
}

#[test]
fn while_notion_takes_no_update_the_mp4_stays_and_the_next_run_updates_without_encoding_again() {
    each_at_once(faults(), |fault| {
        let bench = Bench::new();
        let room = bench.recorded_of(Clip::Short, "daily");
        bench.finalize(&room).exits(0);
        bench.notion.fail(fault.on("PATCH", "/v1/pages/").forever());
        let out = bench.worker().exits(75);
        let said = out.messages();
        assert_eq!(said[0], "Process room=daily mp4=meeting.mp4");
        assert!(
            said[1].starts_with("ERROR: Notion update failed: ") && said[1].contains("try again later"),
            "{said:?}"
        );
        assert_eq!(said[3], "ERROR: HLS created but Notion update failed. Keep mp4 room=daily");
        assert_eq!((said.len(), said[4].as_str()), (5, "Worker run complete."), "{said:?}");
        assert!(room.join("meeting.mp4").exists());
        let made = fs::metadata(room.join("v0/stream.m3u8")).unwrap().modified().unwrap();

        bench.notion.clear_faults();
        bench.notion.clear_requests();
        let out = bench.worker().exits(0);
        assert_eq!(
            out.messages(),
            ["HLS exists. Notion updated. Deleting mp4 room=daily file=meeting.mp4", "Worker run complete."]
        );
        assert_eq!(fs::metadata(room.join("v0/stream.m3u8")).unwrap().modified().unwrap(), made);
        assert_eq!((bench.writes().len(), bench.only_row().status().unwrap()), (1, "published".into()));
        assert_published(&room);
    });
}

#[test]
fn a_worker_that_cannot_read_the_columns_makes_the_hls_and_keeps_the_mp4() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    bench.notion.clear_requests();
    bench.notion.fail(Fault::answer(500).on("GET", "").forever());
    bench.worker().exits(75);
    assert_eq!(bench.writes().len(), 0);
    assert!(room.join("meeting.mp4").exists() && room.join("v0/master.m3u8").exists());
    bench.notion.clear_faults();
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn a_notion_that_cannot_be_reached_is_named_and_found_when_it_is_back() {
    let mut bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    let address = bench.notion.address().to_string();
    bench.notion = Standin::start();
    let out = bench.finalize(&room).exits(75);
    assert!(out.stderr.contains(&format!("no answer from http://{address}")), "{}", out.stderr);
    assert!(out.stderr.contains("is remembered in"), "{}", out.stderr);
    let out = bench.worker().exits(75);
    assert!(out.stderr.contains(&format!("no answer from http://{address}")), "{}", out.stderr);
    assert!(!room.join("v0").exists(), "HLS that nobody could find");

    bench.notion = Standin::start_on(&address).unwrap();
    bench.worker().exits(0);
    bench.only_row();
    assert_published(&room);
}

#[test]
fn with_many_recordings_a_notion_that_is_away_is_waited_for_once() {
    let bench = Bench::new();
    bench.notion.fail(Fault::answer(503).forever());
    for n in 0..20 {
        // Small, whole, and never encoded here: there is no row to encode it for.
        let room = bench.recorded_of(Clip::Short, format!("room-{n:02}"));
        fs::write(room.join(".recording.json"), r#"{"version":1,"recordings":[]}"#).unwrap();
    }
    let out = bench.worker_with(["--jobs", "1"]).exits(75);
    assert_eq!(out.stderr.matches("ERROR: Notion create page failed").count(), 3);
    assert!(out.stderr.contains("Notion is away: 17 more requests were not even tried"), "{}", out.stderr);
    assert_eq!(bench.requests().len(), 5 + 2, "five tries for the first, one for each of two others");
}

#[test]
fn finalize_ends_within_30_s_whatever_a_silent_notion_has_done() {
    // (the fault, whether a create may have left a row)
    let cases = [
        ("columns", Fault::silent().on("GET", "")),
        ("create, not done", Fault::silent().on("POST", "/v1/pages")),
        ("create, done", Fault::silent_after().on("POST", "/v1/pages")),
    ];
    each_at_once(cases, |fault| {
        let mut bench = Bench::new();
        bench.set("NOTION_SETTLE_SECONDS", "3");
        let room = bench.recorded_of(Clip::Short, "daily");
        bench.notion.fail(fault);
        let out = bench.finalize(&room).exits(75);
        assert!(out.took < Duration::from_secs(30), "{:?}", out.took);
        assert!(out.stderr.contains("silence for") && out.stderr.contains("is remembered in"), "{}", out.stderr);
        bench.notion.clear_faults();
        bench.worker().exits(0);
        bench.only_row();
        assert_published(&room);
    });
}
