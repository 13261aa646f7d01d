//! The watch page, in a browser, before a real Caddy with the Caddyfile that an admin imports.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::caddy::{PASSWORD, Site, USER, debian};
use crate::media::{self, Clip, ffmpeg};
use crate::processes::in_path;
use crate::{Bench, hls, npm, run, scripts, wait_for};

/// What the slides were recorded as.
const MP4: &str = "slides_2026-11-19-15-30-00.mp4";

/// When their recording ended: 2026-11-19 16:01:40 UTC.
const ENDED: Duration = Duration::from_secs(1_795_104_100);

/// The scenario that is `tests/watch/firefox.mjs`.
const FIREFOX: &str = "firefox_plays_it_too";

/// The files of the watch page.
pub fn files() -> PathBuf {
    repository().join("etc/watch")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Our copy of hls.js, built anew.
pub fn built_hls_js() -> Vec<u8> {
    let output = Command::new("node").arg(scripts_dir().join("hls.mjs")).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What a scenario of `tests/watch/scenarios.mjs` came to. All of them are run once, in one browser.
#[track_caller]
pub fn assert_holds(scenario: &str) {
    static SEEN: OnceLock<BTreeMap<String, Option<String>>> = OnceLock::new();
    let seen = SEEN.get_or_init(watch);
    match seen.get(scenario) {
        Some(None) => {}
        Some(Some(failed)) => panic!("{failed}"),
        None => panic!("tests/watch/scenarios.mjs has no {scenario}"),
    }
}

/// The names of the scenarios.
pub fn scenarios() -> Vec<String> {
    let text = fs::read_to_string(repository().join("tests/watch/scenarios.mjs")).unwrap();
    let exported = text.lines().filter_map(|line| {
        let line = line.strip_prefix("export ")?;
        let name = line.strip_prefix("async function ").or_else(|| line.strip_prefix("const "))?;
        name.split(['(', ' ']).next()
    });
    exported.map(str::to_owned).collect()
}

fn scripts_dir() -> PathBuf {
    let dir = repository().join("tests/watch");
    npm::install(&dir).unwrap_or_else(|why| panic!("the watch page cannot be tested: {why}"));
    dir
}

fn watch() -> BTreeMap<String, Option<String>> {
    let (dir, shell, firefox) = (scripts_dir(), program("chromium-headless-shell"), program("firefox-esr"));
    let mut bench = Bench::with_pictures();
    let mut site = Site::of(&debian(), &bench.dir().join("caddy"), &bench.recordings());
    site.environment.insert("RECORDINGS_WATCH", files().to_str().unwrap().to_owned());
    let caddy = site.start();
    // Another server may have taken the port.
    wait_for("our Caddy", || caddy.ask(&[], &["/"])[0].status == 401);
    bench.set("PUBLIC_BASE_URL", caddy.base.clone());
    bench.set("PUBLISH_LINK", "page");
    let rooms = record(&mut bench);
    let seconds = hls::seconds_of(&media::clip(Clip::Sparse));
    let site = json!({
        "base": caddy.base, "user": USER, "password": PASSWORD, "rooms": rooms, "mp4": MP4, "seconds": seconds,
    });
    let node = |script: &str, browser: &Path| {
        let mut command = Command::new("node");
        command.arg(dir.join(script)).arg(browser).arg(site.to_string()).stdin(Stdio::null());
        run(&mut command)
    };
    let out = node("watch.mjs", &shell).exits(0);
    // What was repeated, and why: also where all of it holds, and what a test prints is kept back.
    std::io::stderr().write_all(out.stderr.as_bytes()).unwrap();
    let ended = out.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut seen: BTreeMap<_, _> = ended
        .map(|ended| (ended["name"].as_str().unwrap().to_owned(), ended["failed"].as_str().map(str::to_owned)))
        .collect();
    let out = node("firefox.mjs", &firefox);
    seen.insert(FIREFOX.to_owned(), (out.code != Some(0)).then_some(out.stderr));
    seen
}

/// A browser, by the name of its Debian package.
fn program(name: &str) -> PathBuf {
    in_path(name).unwrap_or_else(|| panic!("the watch page cannot be tested: install Debian's package {name}"))
}

/// Publishes recordings of all kinds, and damages some; the address of each one's page.
fn record(bench: &mut Bench) -> BTreeMap<String, String> {
    let published = |bench: &Bench| bench.worker().exits(0);
    let put = |bench: &Bench, clip, name: &str| {
        let room = bench.recorded_of(clip, name);
        bench.finalize(room).exits(0);
    };
    put(bench, Clip::Sparse, "480p");
    put(bench, Clip::AudioOnly, "sound");
    published(bench);
    for profile in ["abr", "source", "hybrid"] {
        bench.set("HLS_PROFILE", profile);
        put(bench, Clip::Sparse, profile);
        published(bench);
    }
    bench.set("HLS_SEGMENT_TYPE", "fmp4");
    put(bench, Clip::Sparse, "fmp4");
    published(bench);
    bench.unset("HLS_SEGMENT_TYPE");
    bench.unset("HLS_PROFILE");

    bench.set("HLS_CHAPTERS", "yes");
    let slides = bench.room("slides");
    let picture = |colour: &str| format!("-f lavfi -i color=c={colour}:s=640x360:r=5:d=100");
    let film = format!(
        "{} {} -f lavfi -i sine=330:d=200,aformat=channel_layouts=stereo -filter_complex [0:v][1:v]concat=n=2[v] -map [v] -map 2:a \
         -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 42 -c:a aac -f mp4",
        picture("0x0f3d3e"),
        picture("0xf6f1e7")
    );
    ffmpeg(&film, &slides.join(MP4));
    let mp4 = fs::File::options().append(true).open(slides.join(MP4)).unwrap();
    mp4.set_modified(SystemTime::UNIX_EPOCH + ENDED).unwrap();
    let bytes = fs::read(slides.join(MP4)).unwrap();
    bench.finalize(&slides).exits(0);
    published(bench);
    // As if it had been kept.
    fs::write(slides.join(MP4), &bytes).unwrap();

    scripts::make_hls(Clip::Jibri, &bench.room("made by the scripts"));

    let copy = |of: &str, name: &str| {
        let (from, to) = (bench.room(of).join("v0"), bench.room(name).join("v0"));
        fs::create_dir(&to).unwrap();
        for file in crate::listing(&from) {
            fs::copy(from.join(&file), to.join(&file)).unwrap();
        }
        to
    };
    let segments = |dir: &Path| -> Vec<PathBuf> {
        let files = crate::files_below(dir);
        files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "ts")).collect()
    };
    let missing = copy("slides", "missing");
    for segment in segments(&missing) {
        fs::remove_file(segment).unwrap();
    }
    fs::write(bench.room("missing").join(MP4), &bytes).unwrap();
    fs::write(copy("480p", "garbled").join("master.m3u8"), "no playlist\n").unwrap();
    for segment in segments(&copy("480p", "undecodable")) {
        fs::write(segment, vec![0x2a; 188 * 400]).unwrap();
    }

    let mut rooms: BTreeMap<String, String> = ["480p", "abr", "source", "hybrid", "fmp4", "sound", "slides"]
        .into_iter()
        .chain(["missing", "garbled", "undecodable"])
        .map(|name| (name.to_owned(), page(bench, name)))
        .collect();
    rooms.insert("scripts".to_owned(), page(bench, "made by the scripts"));
    rooms.insert("nothing".to_owned(), rooms["slides"].replace("/slides/", "/nothing/"));
    // What the row leads to is what is watched.
    let row =
        bench.notion.pages().into_iter().find(|row| row.url().is_some_and(|url| url.contains("/hybrid/"))).unwrap();
    assert_eq!(row.url().unwrap(), rooms["hybrid"]);
    rooms
}

/// The address of a room's page, as `rec-url` prints it.
fn page(bench: &Bench, name: &str) -> String {
    let out = run(bench.command("rec-url").arg(bench.room(name).join("v0"))).exits(0);
    out.stdout.trim_end().to_owned()
}
