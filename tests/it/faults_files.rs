//! What lies where the suite has its own files, and should not: it is said with what helps, that helps, and meanwhile nothing is
//! lost, nothing elsewhere is touched, and the other rooms have their turn.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pipeline_tests::media::Clip;
use pipeline_tests::processes::{can_trace, traced};
use pipeline_tests::rooms::{PUBLISHED, PUBLISHED_TWICE, bytes, state_of};
use pipeline_tests::{
    Bench, Fault, assert_published, each_at_once, files_below, jibri, listing, run, scripts, skipped,
};
use std::ffi::OsString;

/// Something odd in a room.
struct Odd {
    /// What is odd.
    file: &'static str,
    /// Makes it so: it gets the path, and a directory elsewhere.
    put: fn(&Path, &Path),
    /// What finalize and the worker say of it.
    says: &'static str,
    /// Does what they say: it gets the path, and where the file lies that was there before.
    mend: fn(&Path, &Path),
}

const STATE: &str = ".recording.json";
const MOVE_IT: &str = "/.recording.json is not a state file of this suite: put it back from a backup, or move it away";

fn move_away(path: &Path, backup: &Path) {
    fs::rename(path, backup.with_extension("odd")).unwrap();
}

fn put_back(path: &Path, backup: &Path) {
    remove(path, backup);
    fs::copy(backup, path).unwrap();
}

fn remove(path: &Path, _: &Path) {
    if path.symlink_metadata().unwrap().is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

fn pipe(path: &Path, _: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn directory(path: &Path, _: &Path) {
    fs::create_dir(path).unwrap();
    fs::write(path.join("a file"), "somebody's").unwrap();
}

fn link(path: &Path, elsewhere: &Path) {
    symlink(elsewhere.join("a file"), path).unwrap();
}

fn half(path: &Path, elsewhere: &Path) {
    let whole = fs::read(elsewhere.with_file_name("backup")).unwrap();
    fs::write(path, &whole[..whole.len() / 2]).unwrap();
}

fn newer(path: &Path, _: &Path) {
    fs::write(path, r#"{"version": 2, "recordings": {"meeting.mp4": {}}}"#).unwrap();
}

fn odds() -> Vec<(&'static str, Odd)> {
    let state = |put, says, mend| Odd { file: STATE, put, says, mend };
    let id = |put, says| Odd { file: ".notion_id", put, says, mend: put_back };
    let lock = |put, says| Odd { file: ".recording.lock", put, says, mend: remove };
    vec![
        ("a state of no bytes", state(|path, _| fs::write(path, "").unwrap(), MOVE_IT, move_away)),
        ("half a state", state(half, MOVE_IT, put_back)),
        ("a state that is something else", state(|path, _| fs::write(path, "[]").unwrap(), MOVE_IT, move_away)),
        (
            "a state of a newer suite",
            state(newer, "its version is 2, and this program knows versions up to 1: install a newer one", put_back),
        ),
        ("a directory for a state", state(directory, "not a regular file: move away what is in its place", move_away)),
        ("a link for a state", state(link, "not a regular file: move away what is in its place", move_away)),
        ("a pipe for a state", state(pipe, "not a regular file: move away what is in its place", move_away)),
        ("a directory for .notion_id", id(directory, "not a regular file: move away what is in its place")),
        ("a link for .notion_id", id(link, "not a regular file: move away what is in its place")),
        ("a pipe for .notion_id", id(pipe, "not a regular file: move away what is in its place")),
        (
            "a long text for .notion_id",
            id(
                |path, _| fs::write(path, vec![b'x'; 5000]).unwrap(),
                "larger than 4096 bytes, and none of ours: move it away",
            ),
        ),
        ("a directory for a lock", lock(directory, "it is a directory, and no log or lock of ours: move it away")),
        ("a link for a lock", lock(link, "it is a symlink, and no log or lock of ours: move it away")),
        ("a pipe for a lock", lock(pipe, "it is no regular file: move it away")),
    ]
}

/// A bench in which what is made of a recording is no matter.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.set("HLS_PROFILE", "source");
    bench
}

#[test]
fn what_is_in_the_place_of_a_file_of_ours_is_named_left_alone_and_taken_away_by_whoever_reads_that() {
    each_at_once(odds(), |Odd { file, put, says, mend }| {
        let bench = bench();
        let [bad, good] = ["a-bad", "good"].map(|name| {
            let room = bench.recorded_of(Clip::Short, name);
            bench.finalize(&room).exits(0);
            room
        });
        let (path, elsewhere, backup) = (bad.join(file), bench.dir().join("elsewhere"), bench.dir().join("backup"));
        directory(&elsewhere, Path::new(""));
        fs::rename(&path, &backup).unwrap();
        put(&path, &elsewhere);

        for out in [bench.worker(), bench.finalize(&bad)] {
            let out = out.exits(1);
            let line = out.messages().into_iter().find(|line| line.starts_with("ERROR: ") && line.contains(says));
            let line = line.unwrap_or_else(|| panic!("{}", out.stderr));
            assert!(line.contains(path.to_str().unwrap()), "{line}");
            assert!(!says.contains("install") || !line.contains("move it away"), "{line}");
            // It does not wait for a pipe's writer.
            assert!(out.took < Duration::from_secs(120), "{:?}", out.took);
        }
        assert_eq!(listing(&good), PUBLISHED);
        assert!(bad.join("meeting.mp4").exists());
        assert_eq!(files_below(&elsewhere).len(), 1);
        assert_eq!(fs::read_to_string(elsewhere.join("a file")).unwrap(), "somebody's");
        assert_eq!(bench.notion.pages().len(), 2);

        mend(&path, &backup);
        bench.worker().exits(0);
        assert_eq!(listing(&bad), PUBLISHED);
        assert_eq!(bench.rows().iter().map(|(_, status)| status.as_str()).collect::<Vec<_>>(), ["published"; 2]);
    });
}

/// Something odd in the place of `v0`.
type Place = fn(&Path, &Path);

#[test]
fn what_is_in_the_place_of_v0_and_is_no_hls_makes_room_for_it_and_what_it_leads_to_stays() {
    let places: [(&str, Place); 6] = [
        ("a file", |v0, _| fs::write(v0, "in the way").unwrap()),
        ("a pipe", pipe),
        ("a directory of something else", directory),
        ("a link to a directory of something else", |v0, elsewhere| symlink(elsewhere, v0).unwrap()),
        ("a link to a file", link),
        ("a link to nothing", |v0, elsewhere| symlink(elsewhere.join("nothing"), v0).unwrap()),
    ];
    each_at_once(places, |put| {
        let bench = bench();
        let room = bench.recorded_of(Clip::Short, "daily");
        bench.finalize(&room).exits(0);
        let elsewhere = bench.dir().join("elsewhere");
        directory(&elsewhere, Path::new(""));
        put(&room.join("v0"), &elsewhere);
        bench.worker().exits(0);
        assert_eq!(listing(&room), PUBLISHED);
        assert!(room.join("v0").symlink_metadata().unwrap().is_dir());
        assert!(room.join("v0/seg_000000.ts").exists());
        assert_eq!(bench.only_row().status().unwrap(), "published");
        assert_eq!(files_below(&elsewhere), [elsewhere.join("a file")]);
    });
}

/// What a stranger has shut.
type Shut = fn(&Path);

#[test]
fn hls_of_a_stranger_that_cannot_be_read_is_not_taken_for_hls_that_is_not_whole() {
    let shut: [(&str, Shut); 3] = [
        ("its directory", |v0| fs::set_permissions(v0, fs::Permissions::from_mode(0o700)).unwrap()),
        ("its playlist", |v0| fs::set_permissions(v0.join("stream.m3u8"), fs::Permissions::from_mode(0o600)).unwrap()),
        ("a segment", |v0| fs::set_permissions(v0.join("seg_000000.ts"), fs::Permissions::from_mode(0o600)).unwrap()),
    ];
    each_at_once(shut, |shut| {
        let bench = bench();
        let Some(room) = jibri::room_of_user(&bench, "daily") else { return };
        if !jibri::is_root() {
            return skipped("without root nothing here is a stranger's");
        }
        for (dir, make) in [("log", true), ("lock", true), ("recordings/daily", false)] {
            let dir = bench.dir().join(dir);
            if make {
                fs::create_dir(&dir).unwrap();
            }
            jibri::give(&dir);
        }
        jibri::run_as_user(&bench, "jitsi-finalize", &room).exits(0);
        // Of another recording, whose MP4 is gone: this is all that there is of it.
        let v0 = room.join("v0");
        scripts::make_hls(Clip::Other, &room);
        let before = bytes(&v0);
        shut(&v0);
        let out = jibri::run_as_user(&bench, "jitsi-hls-worker", &room).exits(75);
        let line = out.messages().into_iter().find(|line| line.starts_with("ERROR: room=daily mp4=meeting.mp4: "));
        let line = line.unwrap_or_else(|| panic!("{}", out.stderr));
        assert!(line.contains("Permission denied") && line.contains("v0") && line.contains("root"), "{line}");
        assert!(bytes(&v0) == before, "v0 has changed");
        assert!(room.join("meeting.mp4").exists());

        jibri::give(&v0);
        jibri::run_as_user(&bench, "jitsi-hls-worker", &room).exits(0);
        assert!(bytes(&v0) == before, "v0 has changed");
        assert_eq!(listing(&room), PUBLISHED_TWICE);
    });
}

#[test]
fn hls_that_a_failing_disk_does_not_give_out_is_neither_given_up_nor_made_anew() {
    if !can_trace() {
        return;
    }
    each_at_once([("with its MP4", true), ("alone", false)], |kept| {
        let bench = bench();
        let room = bench.finalized("daily");
        bench.notion.fail(Fault::answer(503).on("PATCH", "").forever());
        bench.worker().exits(75);
        bench.notion.clear_faults();
        if !kept {
            fs::remove_file(room.join("meeting.mp4")).unwrap();
        }
        let (before, listed) = (bytes(&room.join("v0")), listing(&room));
        let mut worker = bench.command("jitsi-hls-worker");
        worker.arg(&room);
        let playlist = room.join("v0/stream.m3u8").into_os_string();
        let args = ["-o", "/dev/null", "-e", "trace=openat", "-e", "inject=openat:error=EIO", "-P"].map(OsString::from);
        let out = run(&mut traced(&worker, args.into_iter().chain([playlist]))).exits(75);
        assert!(out.stderr.contains("its HLS cannot be read: ") && out.stderr.contains("error"), "{}", out.stderr);
        assert!(bytes(&room.join("v0")) == before && listing(&room) == listed, "{}", out.stderr);
        assert!(state_of(&room)["given_up"].is_null(), "{}", state_of(&room));

        bench.worker().exits(0);
        assert_published(&room);
        assert_eq!(bench.only_row().status().unwrap(), "published");
    });
}
