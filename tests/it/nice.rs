//! The priority of ffmpeg.

use std::fs;
use std::process::Command;

use pipeline_tests::processes::{ffmpeg_of, start, unhurried_ffmpeg};
use pipeline_tests::{Bench, run, skipped, wait_for};

/// The niceness of each thread of a process.
fn niceness(pid: impl std::fmt::Display) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |stat: String| stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse().unwrap();
    // One that has ended meanwhile has none.
    tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("stat")).ok()).map(of).collect()
}

#[test]
fn ffmpeg_and_each_of_its_threads_are_as_nice_as_the_env_file_says() {
    let ours = niceness("self")[0];
    // (HLS_NICE, what ionice(1) calls its class then)
    for (nice, class) in [("0", None), ("7", Some("best-effort: prio 7")), ("19", Some("idle"))] {
        let mut bench = Bench::new();
        bench.set("HLS_NICE", nice);
        let room = bench.finalized("daily-standup");
        let worker = start(bench.command("jitsi-hls-worker").env("PATH", unhurried_ffmpeg(&bench)));
        let segment = room.join("v0.tmp/seg_000000.ts");
        wait_for("the first bytes", || fs::metadata(&segment).is_ok_and(|segment| segment.len() > 0));
        let ffmpeg = ffmpeg_of(&room).unwrap();
        let wanted = (ours + nice.parse::<i32>().unwrap()).min(19);
        let threads = niceness(ffmpeg);
        assert!(threads.len() > 1 && threads.iter().all(|nice| *nice == wanted), "{nice}: {threads:?}");
        assert_eq!(niceness(worker.pid())[0], ours, "the worker itself");
        assert_eq!(worker.child("ffmpeg"), ffmpeg, "nothing is left between the two");
        match class {
            Some(class) if Command::new("ionice").arg("-V").output().is_ok() => {
                let told = run(Command::new("ionice").args(["-p", &ffmpeg.to_string()])).exits(0).stdout;
                assert_eq!(told.trim(), class, "{nice}");
            }
            Some(_) => skipped("ionice, of util-linux, is not here"),
            None => {}
        }
        worker.signal("TERM");
        worker.end().exits(75);
    }
}
