//! Files that cannot become HLS: kept byte for byte, told of, tried a few times at the most, and in nobody's way.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use pipeline_tests::media::{self, Clip, clip, ffmpeg, put};
use pipeline_tests::processes::path_with;
use pipeline_tests::rooms::FINALIZED;
use pipeline_tests::{Bench, Out, assert_published, hls, listing, run, wait_for};

/// A room with a bad file in it, next to a good one.
struct Bad {
    bench: Bench,
    bytes: Vec<u8>,
}

impl Bad {
    fn new(make: impl FnOnce(&Path)) -> Self {
        let bench = Bench::new();
        let mp4 = bench.room("bad").join("meeting.mp4");
        make(&mp4);
        media::age(&mp4, Duration::from_secs(3600));
        bench.finalize(bench.recorded_of(Clip::Short, "good")).exits(0);
        let bytes = fs::read(&mp4).unwrap();
        Self { bench, bytes }
    }

    fn finalize(&self) -> Out {
        self.bench.finalize(self.bench.room("bad"))
    }

    fn status(&self) -> String {
        let pages = self.bench.notion.pages();
        let page = pages.iter().find(|page| page.title() == "[Jitsi] bad");
        page.and_then(pipeline_tests::Page::status).unwrap_or_default()
    }

    /// Given up: the MP4 as it was, no litter, the row says so, and later runs neither ask Notion nor start a process.
    #[track_caller]
    fn is_given_up(&self) {
        let room = self.bench.room("bad");
        assert_eq!(fs::read(room.join("meeting.mp4")).unwrap(), self.bytes);
        assert_eq!(listing(&room), FINALIZED);
        assert_eq!(self.status(), "error");
        self.bench.notion.clear_requests();
        let traces = self.bench.dir().join("started");
        let script = format!("#!/bin/sh\necho started >>'{}'\nexit 1\n", traces.display());
        let path = path_with(&self.bench, &["ffmpeg", "ffprobe"], &script);
        let out = run(self.bench.command("jitsi-hls-worker").env("PATH", path));
        assert_eq!(out.exits(0).messages(), ["Worker run complete."]);
        assert!(self.bench.requests().is_empty() && !traces.exists());
    }
}

/// A file whose boxes show what is wrong: its row says error from the start.
#[track_caller]
fn seen_by_finalize(make: impl FnOnce(&Path), why: &str) {
    let bad = Bad::new(make);
    let told = bad.finalize().exits(1).messages().pop().unwrap();
    assert_eq!(
        told,
        format!("ERROR: room=bad file=meeting.mp4 cannot be played: {why}; its row says error, the file is kept")
    );
    let out = bad.bench.worker().exits(0).messages();
    assert!(!out.iter().any(|line| line.contains("bad")), "{out:?}");
    assert_published(&bad.bench.room("good"));
    bad.is_given_up();
}

/// A file that only ffmpeg finds out about: three tries, one a run.
#[track_caller]
fn seen_by_ffmpeg(make: impl FnOnce(&Path), why: &str) -> Bad {
    let bad = Bad::new(make);
    bad.finalize().exits(0);
    for n in 1..=3 {
        let out = bad.bench.worker().exits(1).messages();
        let error =
            out.iter().find(|line| line.starts_with("ERROR: ffmpeg failed room=bad mp4=meeting.mp4: ")).unwrap();
        assert!(
            error.contains(why) && error.contains("; mp4 kept, ") && error.contains(&format!(" try {n}")),
            "{error}"
        );
        assert_eq!(error.contains("runs jitsi-hls-worker "), n == 3, "{error}");
        assert_published(&bad.bench.room("good"));
        assert_eq!(bad.status(), "error");
    }
    bad.is_given_up();
    bad
}

#[test]
fn an_empty_file() {
    seen_by_finalize(|to| fs::write(to, "").unwrap(), "the file is empty");
}

#[test]
fn a_recording_without_its_index() {
    let no_moov = |to: &Path| {
        put(Clip::Jibri, to);
        media::cut(to, 0.5);
    };
    seen_by_finalize(no_moov, "it has no index (moov): the recorder was killed before it could close it");
}

#[test]
fn a_text_file() {
    seen_by_finalize(|to| fs::write(to, "Minutes of the meeting\n").unwrap(), "it is not an MP4");
}

#[test]
fn a_recording_that_is_cut() {
    let bytes = fs::metadata(clip(Clip::FastStart)).unwrap().len();
    let cut = |to: &Path| {
        put(Clip::FastStart, to);
        fs::File::options().write(true).open(to).unwrap().set_len(bytes - 20_000).unwrap();
    };
    seen_by_finalize(cut, "it is cut: 20000 bytes are missing at its end");
}

#[test]
fn a_playlist_that_calls_itself_mp4_reaches_nobody() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let port = socket.local_addr().unwrap().port();
    let playlist =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nhttp://127.0.0.1:{port}/seg.ts\n#EXT-X-ENDLIST\n");
    seen_by_finalize(|to| fs::write(to, playlist).unwrap(), "it is not an MP4");
    assert!(socket.accept().is_err());
}

#[test]
fn a_recording_with_zeros_in_its_middle_and_it_is_tried_again_when_named_and_when_it_changes() {
    let zeros = |to: &Path| {
        put(Clip::Jibri, to);
        media::zero_middle(to);
    };
    let Bad { bench, .. } = seen_by_ffmpeg(zeros, "errors); mp4 kept");
    let out = bench.worker_with([bench.room("bad")]).exits(1).messages();
    assert_eq!(out[0], "Process room=bad mp4=meeting.mp4");
    assert!(out[1].contains("given up after try 4 until"), "{out:?}");
    put(Clip::Jibri, &bench.room("bad").join("meeting.mp4"));
    bench.worker().exits(0);
    assert_published(&bench.room("bad"));
}

#[test]
fn media_in_another_file_is_not_followed() {
    let elsewhere = |to: &Path| {
        let whole = to.with_file_name("whole.mov");
        ffmpeg("-f lavfi -i testsrc2=s=64x64:r=30:d=2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -f mp4", &whole);
        fs::write(to, media::with_alias(fs::read(&whole).unwrap(), b"whole.mov")).unwrap();
        fs::rename(&whole, to.parent().unwrap().with_file_name("whole.mov")).unwrap();
    };
    seen_by_ffmpeg(elsewhere, "");
}

#[test]
fn a_recording_that_grows_waits_until_it_is_closed() {
    let bench = Bench::new();
    let mp4 = bench.room("live").join("meeting.mp4");
    let whole = fs::read(clip(Clip::Fragmented)).unwrap();
    let (first, rest) = whole.split_at(whole.len() / 2);
    fs::write(&mp4, first).unwrap();
    let (stop, stopped) = std::sync::mpsc::channel();
    let writer = std::thread::spawn({
        let (mp4, rest) = (mp4.clone(), rest.to_vec());
        move || {
            let mut file = fs::File::options().append(true).open(mp4).unwrap();
            let mut bytes = rest.chunks(rest.len() / 400);
            while stopped.recv_timeout(Duration::from_millis(50)).is_err() {
                file.write_all(bytes.next().unwrap_or_default()).unwrap();
            }
            bytes.for_each(|chunk| file.write_all(chunk).unwrap());
        }
    });
    let out = bench.finalize(bench.room("live"));
    assert!([Some(0), Some(75)].contains(&out.code), "{out:?}");
    let out = bench.worker().messages();
    assert!(out.contains(&"Skip room=live mp4=meeting.mp4: it may still be being written".to_owned()), "{out:?}");
    assert!(mp4.exists() && !bench.room("live").join("v0").exists());
    stop.send(()).unwrap();
    writer.join().unwrap();
    media::age(&mp4, Duration::from_secs(60));
    bench.worker().exits(0);
    assert_published(&bench.room("live"));
    wait_for("one row", || bench.notion.pages().len() == 1);
    let played = hls::play(&bench.room("live").join("v0/master.m3u8"));
    assert!((played - 8.0).abs() < 0.2, "{played}");
}
