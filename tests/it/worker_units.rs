//! systemd runs the worker: what its service lets it do, and what starts it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use pipeline_tests::host::{Host, LOCKS, LOGS, RECORDINGS, SPOOL, User, WORKER};
use pipeline_tests::media::{self, Clip};
use pipeline_tests::processes::{can_trace, traced};
use pipeline_tests::units::{allowed, assert_sound, calls, unit};
use pipeline_tests::{Bench, assert_published, run, skipped};

const SERVICE: &str = "jitsi-hls-worker.service";

#[test]
fn systemd_finds_nothing_wrong_with_the_units_and_little_that_the_service_may_do() {
    assert_sound(
        &Bench::with_pictures(),
        "jitsi-hls-worker",
        &[SERVICE, "jitsi-hls-worker.timer", "jitsi-hls-worker.path"],
    );
}

/// A bench whose worker does all that one can: three renditions of which one is copied, pictures, chapters, and ffmpegs that step
/// back.
fn busy() -> Bench {
    let mut bench = Bench::with_pictures();
    for (key, value) in [("HLS_PROFILE", "hybrid"), ("HLS_CHAPTERS", "yes"), ("HLS_NICE", "10")] {
        bench.set(key, value);
    }
    let room = bench.recorded_of(Clip::Hd, "daily-standup");
    bench.finalize(&room).exits(0);
    bench
}

#[test]
fn the_service_may_do_what_an_encode_does_and_ffmpeg_makes_no_code_in_memory() {
    let Some(allowed) = allowed(SERVICE).filter(|_| can_trace()) else { return };
    let bench = busy();
    let trace = bench.dir().join("trace");
    let out = run(&mut traced(&bench.command("jitsi-hls-worker"), ["-o".as_ref(), trace.as_os_str()])).exits(0);
    assert!(!out.stderr.contains("WARNING"), "{}", out.stderr);
    let trace = fs::read_to_string(trace).unwrap();
    let calls = calls(&trace);
    assert!(calls.contains("execve") && calls.contains("setpriority") && calls.contains("ioprio_set"), "{calls:?}");
    let refused: Vec<_> = calls.difference(&allowed).collect();
    assert!(refused.is_empty(), "{refused:?}");
    // As systemd.exec(5) has it of MemoryDenyWriteExecute=.
    let exec = |line: &&str| {
        let (write, exec) = (line.contains("PROT_WRITE"), line.contains("PROT_EXEC"));
        exec && ((line.contains(" mmap(") && write) || line.contains("mprotect(")) || line.contains("SHM_EXEC")
    };
    assert!(trace.lines().any(|line| line.contains("PROT_EXEC")), "of libraries");
    assert_eq!(trace.lines().filter(exec).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn where_no_code_can_be_made_in_memory_ffmpeg_encodes_all_the_same() {
    // prctl(2), PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN: as MemoryDenyWriteExecute= has it, and inherited.
    const DENY: &str = "import ctypes, os, sys\n\
        if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0: sys.exit(99)\n\
        os.execv(sys.argv[1], sys.argv[1:])";
    let bench = busy();
    let denied = |program: &std::ffi::OsStr| {
        let mut command = Command::new("python3");
        command.args(["-c", DENY]).arg(program).env("RECORDING_PIPELINE_ENV", bench.env_file());
        command
    };
    if run(denied("/bin/true".as_ref()).current_dir("/")).code == Some(99) {
        skipped("this kernel does not know PR_SET_MDWE (Linux 6.3)");
        return;
    }
    let out = run(&mut denied(bench.command("jitsi-hls-worker").get_program())).exits(0);
    assert!(!out.stderr.contains("WARNING"), "{}", out.stderr);
    assert_eq!(bench.only_row().status().unwrap(), "published");
    assert!(bench.recordings().join("daily-standup/v0/poster.jpg").exists());
}

#[test]
fn where_modes_cannot_be_set_the_services_umask_has_them_right() {
    if !can_trace() {
        return;
    }
    let bench = Bench::with_pictures();
    let Some(host) = Host::new(&bench) else { return };
    let umask = unit(SERVICE).lines().find_map(|line| line.strip_prefix("UMask=").map(str::to_owned)).unwrap();
    let dir = host.record(User::Named("jibri"), "022", "room", &media::clip(Clip::Jibri));
    host.tool(User::Named("jibri"), "022", &["jitsi-finalize", &dir]).exits(0);
    // RestrictSUIDSGID= refuses modes with setgid, and a disk without modes all of them.
    let refuse = "trace=chmod,fchmod,fchmodat,chown,fchown";
    let inject = "inject=chmod,fchmod,fchmodat,chown,fchown:error=EPERM";
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", refuse, "-e", inject, "jitsi-hls-worker"];
    host.tool(User::Named(WORKER), &umask, &strace).exits(0);
    assert_eq!(bench.only_row().status().unwrap(), "published");
    assert_eq!(fs::metadata(host.path(&dir).join("v0")).unwrap().mode() & 0o7777, 0o2775);
    assert!(host.can(User::Named("caddy"), &format!("cat {dir}/v0/master.m3u8 {dir}/v0/seg_000000.ts")));
    assert!(host.can(User::Named("jibri"), &format!("cat {dir}/.recording.json")));
}

#[test]
fn the_service_may_write_where_our_directories_are_and_is_the_user_to_whom_they_are_given() {
    let service = unit(SERVICE);
    let values = |key: &str| -> Vec<String> {
        let lines = service.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        lines.flat_map(str::split_whitespace).map(|word| word.trim_start_matches('-').to_owned()).collect()
    };
    assert_eq!(values("ReadWritePaths"), [RECORDINGS, LOGS, LOCKS, SPOOL]);
    assert_eq!((values("User"), values("Group")), (vec![WORKER.to_owned()], vec![WORKER.to_owned()]));
    // Hours of ffmpeg, and a stop that leaves it to the worker.
    assert_eq!((values("TimeoutStartSec"), values("KillMode")), (vec!["infinity".into()], vec!["mixed".into()]));
    assert!(service.contains("\nSuccessExitStatus=75\n"));
    let cron = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../cron.d/jitsi-hls-worker")).unwrap();
    let exec = service.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/")).unwrap();
    assert!(cron.contains(&format!(" * * * * {WORKER} {exec} 2>&1 |")), "{exec}");
}

#[test]
fn every_20_minutes_is_when_the_timer_runs_it() {
    let timer = unit("jitsi-hls-worker.timer");
    let when = timer.lines().find_map(|line| line.strip_prefix("OnCalendar=")).unwrap();
    let Ok(out) = Command::new("systemd-analyze").args(["calendar", "--iterations=4", when]).output() else {
        skipped("systemd-analyze is not here: install Debian's package systemd");
        return;
    };
    let out = String::from_utf8(out.stdout).unwrap();
    assert!(out.contains("Normalized form: *-*-* *:00/20:00"), "{out}");
}

#[test]
fn what_the_path_unit_watches_is_closed_by_each_finalize_when_it_ends_and_by_nothing_else() {
    if !can_trace() {
        return;
    }
    let path = unit("jitsi-hls-worker.path");
    let watched = path.lines().find_map(|line| line.strip_prefix("PathChanged=")).unwrap();
    assert_eq!(watched, format!("{LOGS}/finalize.log"));
    let bench = Bench::with_pictures();
    let room = bench.recorded("daily-standup");
    let log = bench.dir().join("log/finalize.log");
    // PathChanged= is about a file that was open for writing and is closed.
    let opened = |command: &Command| {
        let trace = bench.dir().join("trace");
        let args = ["-e", "trace=openat", "-o"].map(AsRef::as_ref);
        run(&mut traced(command, args.into_iter().chain([trace.as_os_str()]))).exits(0);
        let trace = fs::read_to_string(trace).unwrap();
        let writes =
            |line: &&str| line.contains("finalize.log") && line.contains("O_APPEND") && !line.contains(" = -1 ");
        trace.lines().filter(writes).count()
    };
    let mut finalize = bench.command("jitsi-finalize");
    finalize.arg(&room);
    assert_eq!(opened(&finalize), 1);
    assert!(fs::read_to_string(&log).unwrap().contains("OK: notion page created"));
    assert_eq!(opened(&finalize), 1, "again");
    // Else each run would start the next one.
    assert_eq!(opened(&bench.command("jitsi-hls-worker")), 0);
    assert_published(&room);
    let mut dry = bench.command("jitsi-finalize");
    dry.arg("--dry-run").arg(&room);
    assert_eq!(opened(&dry), 0);
}
