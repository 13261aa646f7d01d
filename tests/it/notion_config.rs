//! A token, a database or an address with which nothing can work: said once, nothing touched, and all goes on once it is
//! mended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_tests::media::Clip;
use pipeline_tests::{Bench, Fault, Out, assert_published, each_at_once, files_below, listing, run};

/// What an admin gets wrong, and a word of what the message says about it.
struct Mistake {
    make: fn(&mut Bench),
    mend: fn(&mut Bench),
    told: &'static str,
}

fn mistakes() -> [(&'static str, Mistake); 4] {
    let wrong_token = Mistake {
        make: |bench| bench.set("NOTION_TOKEN", "ntn_of_somebody_else"),
        mend: |bench| bench.set("NOTION_TOKEN", bench.notion.token()),
        told: "Notion does not accept NOTION_TOKEN: copy the integration's secret from https://",
    };
    let unshared = Mistake {
        make: |bench| bench.notion.unshare(),
        mend: |bench| bench.notion.share(),
        told: "in Notion open the database, ••• → Connections → add the integration; or correct NOTION_DATABASE_ID",
    };
    let no_right = Mistake {
        make: |bench| bench.notion.fail(Fault::answer(403).forever()),
        mend: |bench| bench.notion.clear_faults(),
        told: "the integration lacks a right: give it read, update and insert content at https://",
    };
    let elsewhere = Mistake {
        make: |bench| bench.notion.fail(Fault::raw(404, "text/html", "<html>nginx</html>").forever()),
        mend: |bench| bench.notion.clear_faults(),
        told: "something other than Notion answers at NOTION_API_URL: mend or unset it",
    };
    [("token", wrong_token), ("unshared", unshared), ("no right", no_right), ("elsewhere", elsewhere)]
}

/// Names, sizes and contents of all that a room holds but the suite's own state.
fn contents(room: &Path) -> Vec<(String, Vec<u8>)> {
    let names = listing(room).into_iter().map(|name| name.into_string().unwrap());
    let names = names.filter(|name| !name.starts_with(".recording."));
    names.map(|name| (name.clone(), fs::read(room.join(name)).unwrap())).collect()
}

#[test]
fn finalize_says_what_to_do_and_the_worker_goes_on_once_it_is_mended() {
    each_at_once(mistakes(), |Mistake { make, mend, told }| {
        let mut bench = Bench::new();
        let room = bench.recorded_of(Clip::Short, "daily");
        make(&mut bench);
        let out = bench.finalize(&room).exits(1);
        let [_, said] = &out.messages()[..] else { panic!("{}", out.stderr) };
        assert!(said.starts_with("ERROR: Notion create page failed: ") && said.contains(told), "{said}");
        assert!(said.contains("is remembered in"), "{said}");
        assert_eq!(bench.requests().len(), 1, "a mistake is not repeated");
        mend(&mut bench);
        bench.worker().exits(0);
        bench.only_row();
        assert_published(&room);
    });
}

#[test]
fn a_worker_stops_at_once_with_one_message_and_touches_nothing() {
    each_at_once(mistakes(), |Mistake { make, mend, told }| {
        let mut bench = Bench::new();
        let rooms = ["a", "b", "c"].map(|name| bench.recorded_of(Clip::Short, name));
        // One without a row, two with.
        for room in &rooms[1..] {
            bench.finalize(room).exits(0);
        }
        fs::write(rooms[0].join(".recording.json"), r#"{"version":1,"recordings":[]}"#).unwrap();
        let before: Vec<_> = rooms.iter().map(|room| contents(room)).collect();
        bench.notion.clear_requests();
        make(&mut bench);
        for dirs in [&rooms[..], &rooms[1..]] {
            let out = bench.worker_with(dirs).exits(1);
            let errors: Vec<_> = out.messages().into_iter().filter(|line| line.starts_with("ERROR: ")).collect();
            assert!(errors[0].contains(told), "{errors:?}");
            assert_eq!(errors.len(), 2, "{errors:?}");
            assert_eq!(errors[1], "ERROR: stopped: no recording can be published before this is mended");
        }
        assert_eq!(bench.requests().len(), 2, "one request a run: {:?}", bench.requests());
        assert_eq!(rooms.iter().map(|room| contents(room)).collect::<Vec<_>>(), before);
        assert!(bench.notion.pages().iter().all(|page| page.status().unwrap() == "recorded"));

        mend(&mut bench);
        bench.worker().exits(0);
        assert_eq!(bench.notion.pages().len(), 3);
        for room in &rooms {
            assert_published(room);
        }
    });
}

/// Thirty rooms whose HLS is made, half of them without a row: nothing is left to be done but what Notion is needed for.
fn thirty(bench: &mut Bench) -> Vec<PathBuf> {
    bench.set("HLS_PROFILE", "source");
    let first = bench.recorded_of(Clip::Short, "room-00");
    bench.finalize(&first).exits(0);
    bench.notion.fail(Fault::answer(429).retry_after("36000").saying("published").forever());
    bench.worker().exits(75);
    bench.notion.clear_faults();
    let state = fs::read(first.join(".recording.json")).unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    for of_a_row in ["page_id", "row", "remote"] {
        state["recordings"][0].as_object_mut().unwrap().remove(of_a_row);
    }
    let mut rooms = vec![first.clone()];
    for number in 1..30 {
        let room = bench.recordings().join(format!("room-{number:02}"));
        run(Command::new("cp").arg("-a").args([&first, &room])).exits(0);
        fs::remove_file(room.join(".notion_id")).unwrap();
        fs::write(room.join(".recording.json"), state.to_string()).unwrap();
        if number % 2 == 0 {
            bench.finalize(&room).exits(0);
        }
        rooms.push(room);
    }
    assert_eq!(bench.notion.pages().len(), 15);
    bench.notion.clear_requests();
    rooms
}

#[test]
fn of_thirty_rooms_none_is_marked_or_counted_against_for_a_mistake_and_all_are_published_once_it_is_mended() {
    each_at_once(mistakes(), |Mistake { make, mend, told }| {
        let mut bench = Bench::new();
        let rooms = thirty(&mut bench);
        let states = || rooms.iter().map(|room| fs::read(room.join(".recording.json")).unwrap()).collect::<Vec<_>>();
        let (before, rows) = (states(), bench.rows());
        make(&mut bench);
        for _ in 0..4 {
            let out = bench.worker().exits(1);
            let errors: Vec<_> = out.messages().into_iter().filter(|line| line.starts_with("ERROR: ")).collect();
            assert_eq!((errors.len(), errors[0].contains(told)), (2, true), "{errors:?}");
            assert_eq!(errors[1], "ERROR: stopped: no recording can be published before this is mended");
        }
        assert_eq!(bench.requests().len(), 4, "one request a run");
        assert!(states() == before, "something was counted");
        assert_eq!(bench.rows(), rows);

        mend(&mut bench);
        bench.worker().exits(0);
        for room in &rooms {
            assert_published(room);
        }
        let published = bench.rows().into_iter().filter(|(_, status)| status == "published").count();
        assert_eq!((published, bench.notion.pages().len()), (30, 30));
    });
}

#[test]
fn a_database_that_is_unshared_during_a_run_is_not_taken_for_rows_that_are_gone() {
    let bench = Bench::new();
    let rooms = ["a", "b"].map(|name| bench.recorded_of(Clip::Short, name));
    for room in &rooms {
        bench.finalize(room).exits(0);
    }
    // The columns are read, and the first update goes through.
    let gone = || Fault::answer(404).message("Could not find page with ID: x.");
    bench.notion.fail(Fault::delayed(std::time::Duration::ZERO).on("GET", ""));
    bench.notion.fail(gone().on("PATCH", "").forever());
    bench.notion.fail(gone().on("GET", "").forever());
    let out = bench.worker().exits(1);
    assert!(out.stderr.contains("add the integration; or correct NOTION_DATABASE_ID"), "{}", out.stderr);
    assert!(!out.stderr.contains("trash"), "{}", out.stderr);
    bench.notion.clear_faults();
    bench.worker().exits(0);
    for room in &rooms {
        assert_published(room);
    }
}

#[test]
fn the_database_is_found_by_its_pasted_url_too() {
    let mut bench = Bench::new();
    let id = bench.notion.database_id();
    let plain = id.replace('-', "");
    for (n, spelling) in [
        format!("https://www.notion.so/team/Recordings-{plain}?v=0123456789abcdef0123456789abcdef&pvs=4"),
        format!("https://app.notion.com/p/{plain}"),
        plain.to_uppercase(),
        id,
    ]
    .into_iter()
    .enumerate()
    {
        bench.set("NOTION_DATABASE_ID", spelling);
        let room = bench.recorded_of(Clip::Short, format!("room-{n}"));
        bench.finalize(&room).exits(0);
        assert_eq!(bench.notion.pages().len(), n + 1);
    }
}

#[test]
fn the_id_of_a_page_is_named_as_such() {
    let mut bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.set("NOTION_DATABASE_ID", "5a1de0c0-3333-4aaa-8aaa-000000000003");
    let out = bench.finalize(&room).exits(1);
    let told = "NOTION_DATABASE_ID 5a1de0c0-3333-4aaa-8aaa-000000000003 is not a database's id: open the database itself \
                as a full page and copy its link";
    assert!(out.stderr.contains(told), "{}", out.stderr);
}

#[test]
fn of_several_data_sources_one_must_be_named_and_then_the_requests_are_those_of_2025_09_03() {
    let mut bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    let ids = [bench.notion.data_source_id(), bench.notion.add_data_source()];
    let out = bench.finalize(&room).exits(1);
    let told = format!("set NOTION_DATA_SOURCE_ID to the one with the recordings, one of {}, {}", ids[0], ids[1]);
    assert!(out.stderr.contains(&told), "{}", out.stderr);
    assert_eq!(bench.writes().len(), 0);

    bench.notion.clear_requests();
    bench.set("NOTION_DATA_SOURCE_ID", &ids[1]);
    bench.notion.fail(Fault::drop_after().on("POST", "/v1/pages"));
    bench.finalize(&room).exits(0);
    assert_eq!(bench.only_row().data_source_id, ids[1]);
    let source = format!("/v1/data_sources/{}", ids[1]);
    assert_eq!(bench.requests(), [format!("GET {source}"), "POST /v1/pages".into(), format!("POST {source}/query")]);
    assert!(bench.notion.requests().iter().all(|request| request.header("Notion-Version") == Some("2025-09-03")));
    let parent = serde_json::json!({"type": "data_source_id", "data_source_id": ids[1]});
    assert_eq!(bench.writes()[0].body.as_ref().unwrap()["parent"], parent);
    bench.worker().exits(0);
    assert_published(&room);

    let other = bench.recorded_of(Clip::Short, "other");
    bench.set("NOTION_DATA_SOURCE_ID", bench.notion.database_id());
    let out = bench.finalize(&other).exits(1);
    assert!(out.stderr.contains("or correct NOTION_DATA_SOURCE_ID"), "{}", out.stderr);
}

#[test]
fn neither_token_nor_password_is_ever_said_or_kept() {
    let mut bench = Bench::new();
    bench.set("PUBLIC_URL_AUTH", "viewer:s3cret%21@");
    let token = bench.notion.token();
    let room = bench.recorded_of(Clip::Short, "daily");
    let mut said: Vec<Out> = Vec::new();
    // Something between us and Notion that repeats what it was sent.
    let echo = format!("no bearer {token} here for https://viewer:s3cret%21@rec.example.com/daily/meeting.mp4");
    bench.notion.fail(Fault::answer(401).message(&echo).on("GET", ""));
    said.push(bench.finalize(&room).exits(1));
    bench.notion.fail(Fault::raw(500, "text/plain", echo.clone()).on("POST", "/v1/pages"));
    bench.notion.fail(Fault::raw(500, "text/plain", echo).on("PATCH", "").forever());
    said.push(bench.worker_with(["-v".as_ref(), room.as_os_str()]).exits(75));
    bench.notion.clear_faults();
    for tool in ["jitsi-finalize", "jitsi-hls-worker"] {
        said.push(run(bench.command(tool).args(["-n", "-v"]).arg(&room)).exits(0));
    }
    said.push(bench.worker_with(["-v"]).exits(0));
    assert_published(&room);
    assert_eq!(bench.only_row().url().unwrap(), "https://viewer:s3cret%21@rec.example.com/daily/v0/master.m3u8");

    assert!(said[1].stderr.contains("bearer ***"), "{}", said[1].stderr);
    assert!(said[1].stderr.contains("https://***@rec.example.com"), "{}", said[1].stderr);
    for out in &said {
        for secret in [&token, "s3cret"] {
            assert!(!out.stderr.contains(secret) && !out.stdout.contains(secret), "{}", out.stderr);
        }
    }
    let mut kept = files_below(bench.dir());
    kept.retain(|path| *path != bench.env_file());
    assert!(kept.iter().any(|path| path.ends_with("finalize.log")));
    for path in kept {
        let content = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!content.contains(&token) && !content.contains("s3cret"), "{}: {content}", path.display());
    }
}
