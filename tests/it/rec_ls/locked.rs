//! `rec-ls` beside a worker, and beside what is left of one that died.

use std::fs;

use pipeline_tests::ls::{edit_state, made, paste, published, rec_ls, states, why};
use pipeline_tests::media::Clip;
use pipeline_tests::processes::{
    alive, encodes, signal, start, unhurried_ffmpeg, wait_until_unlocked, worker_in_mid_encode,
};
use pipeline_tests::{Bench, assert_published, run, wait_for};
use serde_json::json;

/// The name of this host, as the kernel has it.
fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

#[test]
fn an_encode_is_processing_by_which_process_is_told_and_an_orphan_is_named() {
    let bench = Bench::new();
    let room = bench.finalized("daily");
    let (worker, ffmpeg) = worker_in_mid_encode(&bench, &room);
    let state = || states(&rec_ls(&bench, [""; 0]).exits(0))[0].0.clone();
    assert_eq!(state(), "processing");
    let busy = why(&bench, &room);
    let wanted =
        format!("its directory is locked by jitsi-hls-worker, process {} on {}, since 2", worker.pid(), host());
    assert!(busy.one("held").starts_with(&wanted), "{busy:?}");
    assert!(busy.one("do").starts_with("nothing to do: it is being worked on by process "), "{busy:?}");

    // Another worker says who is in the way, if it is asked.
    let other = bench.worker_with(["-v"]).exits(0).messages();
    assert_eq!(other[0], "Another worker is running, exit.");
    let wanted = format!("It was locked last by jitsi-hls-worker, process {} on {}, since 2", worker.pid(), host());
    assert!(other[1].starts_with(&wanted), "{other:?}");

    worker.signal("KILL");
    let dead = worker.pid();
    drop(worker);
    wait_for("its end", || !alive(dead));
    assert_eq!(state(), "processing", "its ffmpeg goes on");
    let orphan = why(&bench, &room);
    let wanted = format!(", which has died; its ffmpeg, process {ffmpeg}, goes on and keeps the lock until it ends");
    assert!(orphan.one("held").ends_with(&wanted), "{orphan:?}");
    assert_eq!(orphan.one("do"), format!("kill {ffmpeg}"));
    let busy = bench.worker_with(["-v".as_ref(), room.as_os_str()]).exits(75).messages();
    assert!(busy[1].starts_with(&format!("It was locked last by jitsi-hls-worker, process {dead} on ")), "{busy:?}");
    paste(&bench, orphan.one("do")).exits(0);
    wait_until_unlocked(&room);
    assert_eq!(state(), "recorded");
    assert_eq!(why(&bench, &room).all("held"), &[] as &[String]);
    bench.worker().exits(0);
    assert_published(&room);
}

#[test]
fn what_is_left_of_an_encode_is_not_one_and_a_lock_alone_is_neither() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    let state = || states(&rec_ls(&bench, [""; 0]).exits(0))[0].0.clone();
    let lock = fs::File::options().write(true).open(room.join(".recording.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(state(), "recorded", "it may be finalize that has it");
    fs::create_dir(room.join("v0.tmp")).unwrap();
    assert_eq!(state(), "processing");
    // The text is finalize's, who is gone: it must not be taken for the holder.
    let held = why(&bench, &room);
    assert!(!held.one("held").contains("jitsi-finalize") && held.one("held").contains(&std::process::id().to_string()));
    // Not only closed: a process that another test starts just now may have it open until it is that program.
    lock.unlock().unwrap();
    assert_eq!(state(), "recorded");
}

#[test]
fn a_command_that_a_running_worker_would_keep_from_working_says_so() {
    let bench = Bench::new();
    let waiting = made(&bench, "waiting");
    edit_state(&waiting, |recording| recording["given_up"] = json!(true));
    assert_eq!(why(&bench, &waiting).all("but"), &[] as &[String]);
    let room = bench.finalized("daily");
    let path = unhurried_ffmpeg(&bench);
    let worker = start(bench.command("jitsi-hls-worker").env("PATH", path));
    wait_for("the encode", || encodes(&room).len() == 1);
    let why = why(&bench, &waiting);
    let wanted =
        format!("jitsi-hls-worker leaves at once while another one runs: jitsi-hls-worker, process {}", worker.pid());
    assert!(why.one("but").starts_with(&wanted), "{why:?}");
    signal(worker.pid(), "TERM");
    worker.end();
}

#[test]
fn a_lock_of_another_host_is_found_by_trying_and_one_that_was_released_is_not() {
    let bench = Bench::new();
    let room = published(&bench, "daily");
    edit_state(&room, |recording| recording["given_up"] = json!(true));
    let lock = room.join(".recording.lock");
    fs::write(&lock, "jitsi-hls-worker 7 another-host 2026-01-02T03:04:05Z\n").unwrap();
    assert_eq!(why(&bench, &room).all("held").len(), 1, "nobody has it");
    // The system shows no process that it may not: so does it for another host.
    let mut unshared = std::process::Command::new("unshare");
    unshared.args(["--pid", "--fork", "--mount-proc"]).arg(pipeline_tests::binary("rec-ls")).args(["--why"]).arg(&room);
    unshared.env("RECORDING_PIPELINE_ENV", bench.env_file());
    let file = fs::File::options().write(true).open(&lock).unwrap();
    file.lock().unwrap();
    let out = run(&mut unshared);
    if out.code != Some(0) {
        return pipeline_tests::skipped("this machine gives no process namespace (unshare --pid)");
    }
    let wanted = "its directory is locked by jitsi-hls-worker, process 7 on another-host, since 2026-01-02T03:04:05Z\n";
    assert!(out.stdout.contains(wanted), "{}", out.stdout);
}

#[test]
fn in_a_container_an_orphan_is_seen_though_the_system_names_no_holder() {
    let bench = Bench::new();
    let room = bench.recorded_of(Clip::Short, "daily");
    bench.finalize(&room).exits(0);
    fs::create_dir(room.join("v0.tmp")).unwrap();
    // flock(1) takes the lock and is gone; who has it as its stdin keeps it, as ffmpeg does.
    let orphan = "exec 3<>\"$1\"; flock 3; sleep 60 <&3 3>&- & exec 3>&-; \"$2\"; kill $!; wait; \"$2\"";
    let mut unshared = std::process::Command::new("unshare");
    unshared.args(["--pid", "--fork", "--mount-proc", "bash", "-c", orphan, "bash"]);
    unshared.arg(room.join(".recording.lock")).arg(pipeline_tests::binary("rec-ls"));
    let out = run(unshared.env("RECORDING_PIPELINE_ENV", bench.env_file()));
    if out.code != Some(0) {
        return pipeline_tests::skipped("this machine gives no process namespace (unshare --pid)");
    }
    assert_eq!(states(&out).iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>(), ["processing", "recorded"]);
}
