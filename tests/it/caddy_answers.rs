//! The Caddyfile: how it answers, to a browser that wants a part, less, or to know whether anything is new.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use pipeline_tests::caddy::{PASSWORD, USER};

use crate::caddy::{assert_guarded, served, tree};

#[test]
fn each_file_has_its_type_and_is_cached_as_long_as_it_stays_the_same() {
    let tree = tree();
    let table = [
        ("/standup/meeting.mp4", "video/mp4", "private, no-cache"),
        ("/standup/UPPER.MP4", "video/mp4", "private, no-cache"),
        ("/standup/v0/master.m3u8", "application/vnd.apple.mpegurl", "private, no-cache"),
        ("/standup/v12/480p/stream.m3u8", "application/vnd.apple.mpegurl", "private, no-cache"),
        ("/standup/v0/seg_000000.ts", "video/mp2t", "private, max-age=3600"),
        ("/standup/v0/480p_000000.m4s", "video/iso.segment", "private, max-age=3600"),
        ("/standup/v0/480p.mp4", "video/mp4", "private, max-age=3600"),
        ("/standup/v0/sound.aac", "audio/aac", "private, max-age=3600"),
        ("/standup/v0/previews.vtt", "text/vtt; charset=utf-8", "private, no-cache"),
        ("/standup/v0/poster.jpg", "image/jpeg", "private, no-cache"),
        ("/standup/v0/recording.json", "application/json", "private, no-cache"),
        ("/standup/v0/", "text/html; charset=utf-8", "private, no-cache"),
        ("/-/watch-1.js", "text/javascript; charset=utf-8", "private, max-age=31536000, immutable"),
        ("/-/watch-1.css", "text/css; charset=utf-8", "private, max-age=31536000, immutable"),
        ("/-/icon.svg", "image/svg+xml", "private, max-age=31536000, immutable"),
        // What is not there today may be there tomorrow.
        ("/standup/other.mp4", "text/plain; charset=utf-8", "no-store"),
        ("/standup/v0/seg_000009.ts", "text/plain; charset=utf-8", "no-store"),
        ("/-/watch-2.js", "text/plain; charset=utf-8", "no-store"),
        ("/", "text/plain; charset=utf-8", "no-store"),
    ];
    for caddy in served(&tree) {
        let answers = caddy.ask_as_team(&[], &table.map(|(path, ..)| path));
        for ((path, kind, cached), answer) in table.iter().zip(answers) {
            assert_eq!((answer.header("content-type"), answer.header("cache-control")), (*kind, *cached), "{path}");
            assert_eq!(answer.status, if *cached == "no-store" { 404 } else { 200 }, "{path}");
        }
    }
}

#[test]
fn every_answer_has_the_headers_that_guard_it() {
    let tree = tree();
    for caddy in served(&tree) {
        let paths = [
            "/standup/meeting.mp4",
            "/standup/v0/",
            "/standup/v0",
            "/-/watch-1.js",
            "/standup/v0/seg_000000.ts",
            "/",
            "/none.mp4",
        ];
        let known = caddy.ask_as_team(&[], &paths);
        assert_eq!(known.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 308, 200, 200, 404, 404]);
        let refused = caddy.ask(&[], &paths);
        assert!(refused.iter().all(|answer| answer.status == 401));
        let ranged = caddy.ask_as_team(&["-r", "1-2"], &paths[..1]);
        let behind = caddy.ask_as_team(&["-r", "999999999-"], &paths[..1]);
        let posted = caddy.ask(&["-X", "POST"], &paths);
        assert_eq!((ranged[0].status, behind[0].status, posted[0].status), (206, 416, 405));
        for answer in known.iter().chain(&refused).chain(&ranged).chain(&behind).chain(&posted) {
            assert_guarded(answer);
        }
    }
}

#[test]
fn a_method_that_is_not_for_reading_is_refused_before_the_password() {
    let tree = tree();
    for caddy in served(&tree) {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "MOVE", "TRACE", "get"] {
            for answer in caddy.ask(&["-X", method], &["/standup/meeting.mp4", "/none"]) {
                assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method}");
            }
        }
    }
    assert!(tree.path().join("recordings/standup/meeting.mp4").exists());
}

#[test]
fn text_is_compressed_and_media_never_are() {
    let tree = tree();
    for caddy in served(&tree) {
        for coding in ["gzip", "zstd"] {
            let accept = format!("Accept-Encoding: {coding}");
            let ask = |path: &str| caddy.ask_as_team(&["-H", &accept], &[path]).remove(0);
            for path in ["standup/v0/master.m3u8", "standup/v0/previews.vtt", "standup/v0/recording.json"] {
                let (answer, plain) =
                    (ask(&format!("/{path}")), fs::read(tree.path().join("recordings").join(path)).unwrap());
                assert_eq!((answer.status, answer.header("content-encoding")), (200, coding), "{path}");
                assert!(answer.body.len() * 2 < plain.len() && answer.header("vary") == "Accept-Encoding", "{path}");
            }
            for path in [
                "standup/meeting.mp4",
                "standup/v0/seg_000000.ts",
                "standup/v0/480p_000000.m4s",
                "standup/v0/480p.mp4",
                "standup/v0/poster.jpg",
            ] {
                let answer = ask(&format!("/{path}"));
                assert_eq!(
                    (answer.status, answer.header("content-encoding"), answer.header("accept-ranges")),
                    (200, "", "bytes"),
                    "{path}"
                );
                assert!(answer.body == fs::read(tree.path().join("recordings").join(path)).unwrap());
            }
        }
        // As a browser says it, and unpacked again.
        let unpacked = caddy.ask_as_team(&["--compressed"], &["/standup/v0/master.m3u8"]).remove(0);
        assert!(unpacked.body == fs::read(tree.path().join("recordings/standup/v0/master.m3u8")).unwrap());
    }
}

#[test]
fn what_a_browser_has_is_not_sent_again_and_a_head_sends_nothing() {
    let tree = tree();
    for caddy in served(&tree) {
        for path in [
            "/standup/meeting.mp4",
            "/standup/v0/master.m3u8",
            "/standup/v0/seg_000000.ts",
            "/standup/v0/",
            "/-/watch-1.js",
        ] {
            for coding in ["identity", "gzip"] {
                let accept = format!("Accept-Encoding: {coding}");
                let first = caddy.ask_as_team(&["-H", &accept], &[path]).remove(0);
                let condition = format!("If-None-Match: {}", first.header("etag"));
                let again = caddy.ask_as_team(&["-H", &accept, "-H", &condition], &[path]).remove(0);
                assert_eq!((first.status, again.status, again.body.len()), (200, 304, 0), "{path} {coding}");
                assert_eq!(again.header("cache-control"), first.header("cache-control"));
            }
            let other = caddy.ask_as_team(&["-H", "If-None-Match: \"other\""], &[path]).remove(0);
            let head = caddy.ask_as_team(&["-I"], &[path]).remove(0);
            assert_eq!((other.status, head.status), (200, 200), "{path}");
            for name in ["content-type", "content-length", "etag", "cache-control", "accept-ranges"] {
                assert_eq!(head.header(name), other.header(name), "{path}: {name}");
            }
        }
        // The page asks so whether the MP4 is still there.
        assert_eq!(caddy.ask_as_team(&["-I"], &["/standup/gone.mp4"])[0].status, 404);
    }
}

#[test]
fn a_part_of_a_file_is_that_part() {
    let tree = tree();
    let path = "standup/meeting.mp4";
    let whole = fs::read(tree.path().join("recordings").join(path)).unwrap();
    let length = whole.len();
    for caddy in served(&tree) {
        let of =
            |range: &str| caddy.ask_as_team(&["-H", &format!("Range: bytes={range}")], &[format!("/{path}")]).remove(0);
        for (range, from, to) in [
            ("0-0", 0, 1),
            ("7-19", 7, 20),
            ("119990-", 119_990, length),
            ("-5", length - 5, length),
            ("119999-999999", 119_999, length),
        ] {
            let answer = of(range);
            let said = format!("bytes {from}-{}/{length}", to - 1);
            assert_eq!((answer.status, answer.header("content-range")), (206, &*said), "{range}");
            assert!(answer.body == whole[from..to], "{range}");
        }
        assert_eq!((of("120000-").status, of("120000-").header("content-range")), (416, "bytes */120000"));
        let etag = of("0-0").header("etag").to_owned();
        for (condition, status) in [(&*etag, 206), ("\"other\"", 200)] {
            let condition = format!("If-Range: {condition}");
            let answer = caddy.ask_as_team(&["-r", "0-9", "-H", &condition], &[format!("/{path}")]).remove(0);
            assert_eq!(answer.status, status, "{condition}");
        }
    }
}

#[test]
fn two_hundred_at_once_each_get_their_own_part() {
    let tree = tree();
    let length = 8_000_000;
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(6).fill(&mut bytes);
    fs::write(tree.path().join("recordings/standup/large.mp4"), &bytes).unwrap();
    let starts: Vec<_> = (0..200).map(|number| number * 39_000).collect();
    for caddy in served(&tree) {
        let port = caddy.base.rsplit(':').next().unwrap();
        let login = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{USER}:{PASSWORD}"));
        let connect = |start: &usize| {
            let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
            let range = format!("Range: bytes={start}-{}", start + 199_999);
            write!(stream, "GET /standup/large.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {login}\r\n{range}\r\nConnection: close\r\n\r\n").unwrap();
            stream
        };
        // All have asked before the first one is listened to.
        let streams: Vec<_> = starts.iter().map(connect).collect();
        for (start, mut stream) in starts.iter().zip(streams) {
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 206 "), "{}", String::from_utf8_lossy(&answer[..end]));
            assert!(answer[end + 4..] == bytes[*start..length.min(start + 200_000)], "{start}");
        }
    }
}
