//! The Caddyfile: what it serves and how, by Debian's Caddy and by a current one.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_tests::caddy::{
    Answer, Caddy, PAGE, PASSWORD, Site, USER, assert_serves_the_recordings_alone, caddyfile, free_port, path_of,
    programs,
};
use pipeline_tests::media::Clip;
use pipeline_tests::{Bench, files_below, run};
use tempfile::TempDir;

/// A tree as the tools leave one, with files that say what they are.
pub(crate) fn tree() -> TempDir {
    let dir = tempfile::Builder::new().prefix("served by caddy ").tempdir().unwrap();
    for (name, text) in [
        ("standup/meeting.mp4", "mp4 ".repeat(30_000)),
        ("standup/UPPER.MP4", "mp4 ".repeat(3)),
        ("standup/v0/master.m3u8", "#EXTM3U\n".repeat(300)),
        ("standup/v0/stream.m3u8", "#EXTM3U\n".repeat(300)),
        ("standup/v0/seg_000000.ts", "ts ".repeat(300)),
        ("standup/v0/480p_000000.m4s", "m4s ".repeat(300)),
        ("standup/v0/480p.mp4", "mp4 ".repeat(300)),
        ("standup/v0/sound.aac", "aac ".repeat(300)),
        ("standup/v0/previews.vtt", "WEBVTT\n".repeat(300)),
        ("standup/v0/poster.jpg", "jpg ".repeat(300)),
        ("standup/v0/recording.json", "{ }".repeat(300)),
        ("standup/v12/master.m3u8", "#EXTM3U\n".repeat(2)),
        ("standup/v12/480p/stream.m3u8", "#EXTM3U\n".repeat(2)),
    ] {
        let path = dir.path().join("recordings").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// The tree, served by each program at once.
pub(crate) fn served(tree: &TempDir) -> Vec<Caddy> {
    sites(tree).iter().map(Site::start).collect()
}

fn sites(tree: &TempDir) -> Vec<Site> {
    let root = tree.path().join("recordings");
    let site = |(number, program): (usize, &PathBuf)| Site::of(program, &tree.path().join(number.to_string()), &root);
    programs().iter().enumerate().map(site).collect()
}

/// The headers that are the same on every answer.
#[track_caller]
pub(crate) fn assert_guarded(answer: &Answer) {
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; \
             connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("server", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name}: {}", answer.status);
    }
}

/// Lines of a Caddy's own log that say more than that all goes well.
fn complaints(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| !line.is_empty() && !line.contains("\"level\":\"info\"")).collect()
}

#[test]
fn both_versions_take_the_file_and_the_newer_warns_of_the_one_name_that_the_older_needs() {
    let tree = tree();
    for (site, wanted) in sites(&tree).iter().zip([0, 1]) {
        let out = run(&mut site.command("adapt")).exits(0);
        let said = complaints(&out.stderr);
        let basicauth = said.iter().all(|line| line.contains("the 'basicauth' directive is deprecated"));
        assert!(said.len() == wanted && basicauth, "{said:?}");
        run(Command::new(&site.program).args(["fmt", "--diff"]).arg(caddyfile())).exits(0);
        let formatted = run(Command::new(&site.program).arg("fmt").arg(caddyfile()));
        assert_eq!(formatted.stdout, fs::read_to_string(caddyfile()).unwrap());
    }
}

#[test]
fn without_an_address_a_name_or_a_password_it_does_not_start() {
    let tree = tree();
    for mut site in sites(&tree) {
        for name in ["RECORDINGS_SITE", "RECORDINGS_USER", "RECORDINGS_PASSWORD_HASH"] {
            for value in [None, Some("")] {
                let whole = site.environment.clone();
                match value {
                    None => drop(site.environment.remove(name)),
                    Some(value) => drop(site.environment.insert(name, value.to_owned())),
                }
                run(&mut site.command("validate")).exits(1);
                site.environment = whole;
            }
        }
        // A password in plain text is no hash of one.
        site.environment.insert("RECORDINGS_PASSWORD_HASH", PASSWORD.to_owned());
        let mut caddy = site.command("run");
        run(&mut caddy).exits(1);
    }
}

#[test]
fn the_page_is_the_same_for_every_recording_and_its_parts_lie_beside_no_recording() {
    let tree = tree();
    // A room of the same name as the parts' directory.
    let dash = tree.path().join("recordings/-");
    fs::create_dir_all(dash.join("v0")).unwrap();
    fs::write(dash.join("watch-1.js"), "not of the page").unwrap();
    fs::write(dash.join("meeting.mp4"), "of the room").unwrap();
    let text = |name: &str| PAGE.iter().find(|(known, _)| *known == name).unwrap().1.as_bytes();
    for caddy in served(&tree) {
        for path in ["/standup/v0/", "/standup/v12/", "/-/v0/", "/%D0%9F%D1%80%20%3F/v3/", "/standup/v0/?t=1"] {
            assert_eq!(caddy.get(path), text("index.html"), "{path}");
        }
        for (path, name) in
            [("/-/watch-1.js", "watch-1.js"), ("/-/watch-1.css", "watch-1.css"), ("/-/icon.svg", "icon.svg")]
        {
            assert_eq!(caddy.get(path), text(name), "{path}");
        }
        assert_eq!(caddy.get("/-/meeting.mp4"), b"of the room");
        let none = [
            "/-/",
            "/-",
            "/-/index.html",
            "/-/LICENSE",
            "/-/.hidden.js",
            "/-/%2ehidden.js",
            "/-/..%2findex.html",
            "/index.html",
            "/-/x/watch-1.js",
            "/standup/watch-1.js",
        ];
        for (path, answer) in none.iter().zip(caddy.ask_as_team(&[], &none)) {
            assert_eq!(answer.status, 404, "{path}");
        }
        // Relative, so that neither a proxy's prefix is lost nor another host is gone to.
        let moved = caddy.ask_as_team(&[], &["/standup/v0", "/standup/v12?t=1"]);
        let moved: Vec<_> = moved.iter().map(|answer| (answer.status, answer.header("location"))).collect();
        assert_eq!(moved, [(308, "v0/"), (308, "v12/")]);
    }
}

#[test]
fn the_access_log_names_who_looked_at_what_and_no_password() {
    let tree = tree();
    for caddy in served(&tree) {
        caddy.get("/standup/meeting.mp4?token=verysecret");
        caddy.ask(
            &["-u", "team:verysecret", "-e", "http://team:verysecret@elsewhere/", "-b", "a=verysecret"],
            &["/standup/v0/"],
        );
        caddy.ask(
            &["-H", "Proxy-Authorization: Basic verysecret", "-H", "Authorization: Bearer verysecret"],
            &["/standup/v0/"],
        );
        // As a proxy is asked, which no browser does and anybody may.
        let host = caddy.base.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!("GET http://team:verysecret@{host}/standup/meeting.mp4?a=b HTTP/1.1\r\nHost: {host}");
        write!(stream, "{head}\r\nConnection: close\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        pipeline_tests::wait_for("the log", || fs::read_to_string(&caddy.log).unwrap().lines().count() == 4);
        let log = fs::read_to_string(&caddy.log).unwrap();
        let login = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{USER}:{PASSWORD}"));
        assert!(!log.contains("verysecret") && !log.contains(PASSWORD) && !log.contains(&login), "{log}");
        let seen: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&seen["request"]["uri"], &seen["user_id"], &seen["status"]),
            (&"/standup/meeting.mp4".into(), &USER.into(), &200.into())
        );
    }
}

#[test]
fn a_host_with_a_certificate_is_served_by_https() {
    let tree = tree();
    for mut site in sites(&tree) {
        let port = free_port();
        site.environment.insert("RECORDINGS_SITE", format!("https://localhost:{port}"));
        site.globals = "\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n".to_owned();
        let caddy = site.start();
        let ca = site.scratch.join("home/caddy/pki/authorities/local/root.crt");
        // The certificate is made after the port is open.
        pipeline_tests::wait_for("a certificate", || {
            let mut curl = Command::new("curl");
            curl.args(["-sS", "-o", "/dev/null", "--cacert"])
                .arg(&ca)
                .arg(&caddy.base)
                .output()
                .unwrap()
                .status
                .success()
        });
        let ca = ca.to_str().unwrap();
        let whole = fs::read(tree.path().join("recordings/standup/meeting.mp4")).unwrap();
        for version in ["--http1.1", "--http2"] {
            let answer = caddy.ask_as_team(&["--cacert", ca, version], &["/standup/meeting.mp4"]).remove(0);
            assert!(answer.status == 200 && answer.body == whole);
            assert_guarded(&answer);
            assert_eq!(caddy.ask(&["--cacert", ca, version], &["/standup/meeting.mp4"])[0].status, 401);
        }
    }
}

#[test]
fn behind_a_proxy_it_answers_to_every_name_and_on_no_other_address() {
    let tree = tree();
    for mut site in sites(&tree) {
        let (port, outside) = (free_port(), free_port());
        site.environment.insert("RECORDINGS_SITE", format!("http://:{port}"));
        site.others = format!("http://:{outside} {{\n\treverse_proxy 127.0.0.1:{port}\n}}\n");
        let mut caddy = site.start();
        assert!(TcpStream::connect(("127.0.0.2", port)).is_err());
        caddy.base = format!("http://127.0.0.1:{outside}");
        let answers = caddy.ask_as_team(
            &["-H", "Host: rec.example.com"],
            &["/standup/v0", "/standup/v0/master.m3u8", "/standup/.notion_id"],
        );
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [308, 200, 404]);
        assert_eq!(answers[0].header("location"), "v0/");
        pipeline_tests::wait_for("the log", || fs::read_to_string(&caddy.log).unwrap().lines().count() == 3);
    }
}

#[test]
fn everything_that_a_players_playlists_and_pictures_name_is_served_in_every_profile() {
    let mut bench = Bench::with_pictures();
    bench.set("HLS_CHAPTERS", "yes");
    for (room, settings) in [
        ("480p", &[("HLS_PROFILE", "480p")][..]),
        ("hybrid", &[("HLS_PROFILE", "hybrid"), ("HLS_SEGMENT_TYPE", "fmp4")]),
        ("abr", &[("HLS_PROFILE", "abr"), ("HLS_SINGLE_FILE", "yes")]),
        ("source", &[("HLS_PROFILE", "source"), ("HLS_SEGMENT_TYPE", "fmp4"), ("HLS_SINGLE_FILE", "yes")]),
    ] {
        bench.recorded_of(Clip::Clap, room);
        bench.finalize(bench.recordings().join(room)).exits(0);
        for (key, value) in settings {
            bench.set(key, *value);
        }
        bench.worker().exits(0);
        for (key, _) in settings {
            bench.unset(key);
        }
    }
    // One that waits for the worker.
    bench.finalized("waits");
    for (number, program) in programs().iter().enumerate() {
        let caddy = Site::of(program, &bench.dir().join(format!("caddy {number}")), &bench.recordings()).start();
        assert_serves_the_recordings_alone(&caddy, &bench.recordings());
        let mut named = 0;
        for file in files_below(&bench.recordings()) {
            let extension = file.extension().and_then(|end| end.to_str()).unwrap_or_default();
            if !["m3u8", "vtt"].contains(&extension) {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let below = file.parent().unwrap().strip_prefix(bench.recordings()).unwrap();
            let urls: Vec<_> = uris(&text).iter().map(|uri| path_of(&below.join(Path::new(uri)))).collect();
            let missing: Vec<_> = caddy
                .ask_as_team(&[], &urls)
                .into_iter()
                .zip(&urls)
                .filter(|(answer, _)| answer.status != 200)
                .collect();
            assert!(missing.is_empty(), "{}: {missing:?}", file.display());
            named += urls.len();
        }
        assert!(named > 30, "{named}");
    }
}

/// The files that a playlist or a list of pictures names.
fn uris(text: &str) -> Vec<String> {
    let attributes = text.split("URI=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.filter(|line| {
        [".m3u8", ".ts", ".m4s", ".mp4", ".jpg"].iter().any(|end| line.split('#').next().unwrap().ends_with(end))
    });
    attributes.chain(lines).map(|uri| uri.split('#').next().unwrap().to_owned()).collect()
}
