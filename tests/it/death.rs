//! Sudden death, at every moment: the next run ends where an undisturbed one would have.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pipeline_tests::media::{Clip, clip};
use pipeline_tests::processes::{kill_ffmpegs, path_with, start, wait_until_unlocked, worker_in_mid_encode};
use pipeline_tests::{Bench, Fault, assert_published, hls, listing, run};

#[test]
fn a_worker_and_its_ffmpeg_killed_together_leave_litter_for_one_run_only() {
    let bench = Bench::new();
    let room = bench.finalized("standup");
    let (worker, _) = worker_in_mid_encode(&bench, &room);
    worker.signal("KILL");
    kill_ffmpegs(&bench.recordings());
    worker.end();
    wait_until_unlocked(&room);
    assert!(room.join("v0.tmp").exists());
    bench.worker().exits(0);
    assert_published(&room);
    assert_eq!(bench.only_row().status().as_deref(), Some("published"));
}

/// Finalize, killed again and again while it talks to Notion, and then a worker: one row, known on the disk.
#[test]
fn finalize_killed_at_any_moment_makes_one_row() {
    let mut bench = Bench::new();
    bench.set("NOTION_SETTLE_SECONDS", "1");
    let moments = 40;
    for n in 0..moments {
        let room = bench.recorded_of(Clip::Short, format!("room{n}"));
        // Each request takes 30 ms, and of every other room the create's reply comes late: the row is there and unknown.
        bench.notion.fail(Fault::delayed(Duration::from_millis(30)).times(2));
        bench.notion.fail(match n % 3 {
            0 => Fault::delayed(Duration::from_millis(60)).on("POST", "/v1/pages"),
            1 => Fault::silent().on("POST", "/v1/pages"),
            _ => Fault::silent_after().on("POST", "/v1/pages"),
        });
        let finalize = start(bench.command("jitsi-finalize").arg(&room));
        std::thread::sleep(Duration::from_millis(5 * n));
        finalize.signal("KILL");
        finalize.end();
        bench.notion.clear_faults();
    }
    let made = bench.notion.pages().len();
    assert!(made > 0 && made < 40, "the kills were all early, or all late: {made} rows");
    // What the worker has heard nothing of, Jibri's next call or an admin tells it.
    for n in 0..moments {
        let room = bench.room(format!("room{n}"));
        // A second call, of rooms that the first one left no trace in.
        if !room.join(".recording.json").exists() {
            bench.finalize(&room).exits(0);
        }
    }
    // This is about rows, which need no HLS: an ffmpeg that fails at once will do.
    let out = run(bench
        .command("jitsi-hls-worker")
        .env("PATH", path_with(&bench, &["ffmpeg", "ffprobe"], "#!/bin/sh\nexit 1\n")));
    assert!(!out.stderr.contains("WARNING"), "{}", out.stderr);
    let pages = bench.notion.pages();
    let mut titles: Vec<_> = pages.iter().map(pipeline_tests::Page::title).collect();
    titles.sort();
    titles.dedup();
    assert_eq!((pages.len(), titles.len()), (40, 40), "{}", out.stderr);
    for page in pages {
        let room = bench.room(page.title().trim_start_matches("[Jitsi] "));
        assert!(room.join(".notion_id").exists(), "{}: {}", room.display(), out.stderr);
        assert_eq!(fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{}\n", page.id));
    }
}

/// The worker and its ffmpeg, killed later and later in their run.
#[test]
fn a_worker_killed_at_any_moment_loses_nothing_and_ends_where_it_would_have() {
    let mut bench = Bench::new();
    bench.set("NOTION_SETTLE_SECONDS", "1");
    let room = bench.recorded_of(Clip::Short, "standup");
    bench.finalize(&room).exits(0);
    let whole = |room: &Path| {
        let stream = fs::read_to_string(room.join("v0/stream.m3u8")).unwrap_or_default();
        room.join("v0/master.m3u8").exists() && stream.ends_with("#EXT-X-ENDLIST\n")
    };
    for n in 0..25 {
        bench.notion.fail(Fault::delayed(Duration::from_millis(20)).forever());
        let worker = start(&mut bench.command("jitsi-hls-worker"));
        std::thread::sleep(Duration::from_millis(10 + 40 * n));
        worker.signal("KILL");
        if n % 2 == 0 {
            kill_ffmpegs(&bench.recordings());
        }
        worker.end();
        wait_until_unlocked(&room);
        bench.notion.clear_faults();
        let row = bench.only_row();
        let here = room.join("meeting.mp4").exists();
        assert!(here || whole(&room) && row.status().as_deref() == Some("published"), "{n}: {:?}", listing(&room));
        if !here {
            break;
        }
    }
    bench.worker().exits(0);
    assert_published(&room);
    assert_eq!(bench.only_row().status().as_deref(), Some("published"));
    hls::check(&room.join("v0"), &clip(Clip::Short), Some((320, 180)));
}
