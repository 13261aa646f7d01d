//! The Caddyfile: what is not served, by whatever name and to whomever.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pipeline_tests::Bench;
use pipeline_tests::caddy::{
    Answer, Caddy, PASSWORD, Site, USER, assert_serves_the_recordings_alone, path_of, programs,
};
use pipeline_tests::files_below;
use pipeline_tests::media::{self, Clip};
use pipeline_tests::scripts;
use tempfile::TempDir;

/// What may lie in a tree and is nobody's business.
const PRIVATE: [&str; 46] = [
    ".env",
    ".htpasswd",
    "index.html",
    "index.txt",
    "meeting.mp4",
    "master.m3u8",
    "v0/master.html",
    "lost+found/#1234",
    "standup/.notion_id",
    "standup/.recording.json",
    "standup/.recording.json.tmp",
    "standup/.recording.lock",
    "standup/.env",
    "standup/metadata.json",
    "standup/recording.json",
    "standup/index.html",
    "standup/master.m3u8",
    "standup/seg_000000.ts",
    "standup/poster.jpg",
    "standup/other.lock",
    "standup/meeting.mp4.part",
    "standup/meeting.mp4.tmp",
    "standup/meeting.mp4~",
    "standup/meeting.mkv",
    "standup/notes.txt",
    "standup/v0.tmp/master.m3u8",
    "standup/v0.tmp/seg_000000.ts",
    "standup/v0.tmp/recording.json",
    "standup/v0.old/master.m3u8",
    "standup/v/master.m3u8",
    "standup/V0/master.m3u8",
    "standup/vX/master.m3u8",
    "standup/.v0/master.m3u8",
    "standup/other/meeting.mp4",
    "standup/v0/index.html",
    "standup/v0/metadata.json",
    "standup/v0/.recording.json",
    "standup/v0/.hidden.ts",
    "standup/v0/seg_000000.ts.tmp",
    "standup/v0/ffmpeg.log",
    "standup/v0/notes.html",
    "standup/v0/480p/.hidden.ts",
    "standup/v0/.480p/stream.m3u8",
    "standup/v0/480p/recording.json",
    "standup/v0/480p/deep/stream.m3u8",
    "standup/v0/v0/v0/stream.m3u8",
];

/// The tree with all that in it, and two recordings, the one's name a directory's of the other's.
fn tree() -> TempDir {
    let dir = tempfile::Builder::new().prefix("served by caddy ").tempdir().unwrap();
    let put = |name: &str| {
        let path = dir.path().join("recordings").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name.repeat(100)).unwrap();
    };
    PRIVATE.into_iter().for_each(put);
    ["standup/meeting.mp4", "standup/v0/master.m3u8", "standup/v0/seg_000000.ts", "standup/v0/poster.jpg"]
        .into_iter()
        .for_each(put);
    [
        "standup/dir.mp4/index.html",
        "standup/dir.mp4/index.txt",
        "standup/dir.mp4/meeting.mp4",
        "standup/v0/dir.ts/index.html",
    ]
    .into_iter()
    .for_each(put);
    dir
}

fn served(tree: &TempDir) -> Vec<Caddy> {
    let root = tree.path().join("recordings");
    let site = |(number, program): (usize, &PathBuf)| Site::of(program, &tree.path().join(number.to_string()), &root);
    programs().iter().enumerate().map(|program| site(program).start()).collect()
}

#[track_caller]
fn assert_none(paths: &[String], answers: Vec<Answer>) {
    for (path, answer) in paths.iter().zip(answers) {
        assert_eq!((answer.status, &*String::from_utf8_lossy(&answer.body)), (404, "404 Not Found"), "{path:.200}");
    }
}

#[test]
fn nothing_but_the_recordings_is_served_and_directories_are_not_listed() {
    let tree = tree();
    let root = tree.path().join("recordings");
    let paths: Vec<_> = PRIVATE.iter().map(|name| format!("/{}", name.replace('#', "%23"))).collect();
    let dirs = [
        "/",
        "/standup",
        "/standup/",
        "/standup/dir.mp4",
        "/standup/dir.mp4/",
        "/standup/v0/dir.ts",
        "/standup/v0/dir.ts/",
        "/standup/v0.tmp",
        "/standup/v0.tmp/",
        "/standup/other/",
    ];
    let dirs: Vec<_> = dirs.iter().map(ToString::to_string).collect();
    for caddy in served(&tree) {
        assert_none(&paths, caddy.ask_as_team(&[], &paths));
        for accept in ["*/*", "application/json", "text/html", "text/plain"] {
            assert_none(&dirs, caddy.ask_as_team(&["-H", &format!("Accept: {accept}")], &dirs));
        }
        assert_eq!(assert_serves_the_recordings_alone(&caddy, &root), 4);
    }
}

/// Other spellings of a path.
fn spellings(name: &str) -> Vec<String> {
    let mut found = written(name);
    // In the root a slash less is another host.
    found.retain(|path| path.starts_with('/'));
    found
}

fn written(name: &str) -> Vec<String> {
    let (dir, file) = name.rsplit_once('/').unwrap_or(("", name));
    let first = file.as_bytes()[0];
    let dotted = file.replace('.', "%2e");
    let above = if dir.is_empty() { String::new() } else { format!("/{dir}") };
    vec![
        path_of(Path::new(name)),
        format!("{above}/%{first:02x}{}", &file[1..]),
        format!("{above}/{dotted}"),
        format!("/{name}/"),
        format!("/{name}/."),
        format!("/{name}/.."),
        format!("/{name}%00"),
        format!("/{name}%00.mp4"),
        format!("/{name}%2f"),
        format!("/{name}%20"),
        format!("/{name}?x=.mp4"),
        format!("/{name};.mp4"),
        format!("/{name}%23.mp4"),
        format!("/{name}%3f.mp4"),
        format!("/{name}%0a.mp4"),
        format!("//{name}"),
        format!("/./{name}"),
        format!("/%2e/{name}"),
        format!("{above}//{file}"),
        format!("{above}/./{file}"),
        format!("{above}/%2e%2f{file}"),
        format!("{above}%2f{file}"),
        format!("{above}%5c{file}"),
        format!("{above}/x/../{file}"),
        format!("{above}/x/%2e%2e/{file}"),
        format!("{above}/x/..%2f{file}"),
        format!("{above}/x%2f..%2f{file}"),
        format!("{above}/v0/../{file}"),
        format!("{above}/v0/..%2f{file}"),
        format!("{above}/v0/%2e%2e%2f{file}"),
        format!("{above}/v0/..%5c{file}"),
        format!("{above}/meeting.mp4/../{file}"),
        format!("{above}/meeting.mp4/..%2f{file}"),
        format!("/-/../{name}"),
        format!("/-/..%2f{name}"),
        format!("/standup/v0/../../{name}"),
        format!("/standup/v0/..%2f..%2f{name}"),
        format!("/standup/v0/%252e%252e/{name}"),
        format!("{above}/%c0%ae{file}"),
        format!("{above}/%c0%af{file}"),
    ]
}

#[test]
fn no_spelling_of_a_path_leads_around() {
    let tree = tree();
    // One level above the root lies a file that would be served below it.
    fs::create_dir(tree.path().join("above")).unwrap();
    fs::write(tree.path().join("above/meeting.mp4"), "not below").unwrap();
    let mut paths: Vec<_> =
        PRIVATE.iter().filter(|name| !name.contains('#')).flat_map(|name| spellings(name)).collect();
    // The room's MP4 by way of another file is the room's MP4, and so is not asked for here.
    paths.extend(
        [
            "/../above/meeting.mp4",
            "/%2e%2e/above/meeting.mp4",
            "/..%2fabove/meeting.mp4",
            "/standup/../../above/meeting.mp4",
            "/standup/..%2f..%2fabove%2fmeeting.mp4",
            "/..%2f..%2f..%2f..%2fetc%2fpasswd",
            "/..%5cabove%5cmeeting.mp4",
            "/standup/v0/../../../above/meeting.mp4",
            "//127.0.0.1/standup/v0",
            "/standup//v0",
            "//standup/v0",
            "/standup/v0//",
            "/standup/%00/v0/",
        ]
        .map(ToOwned::to_owned),
    );
    for long in [256, 300, 4000, 6_000] {
        let name = "x".repeat(long);
        paths.extend([
            format!("/standup/{name}.mp4"),
            format!("/{name}/meeting.mp4"),
            format!("/standup/v0/{name}.ts"),
            format!("/{name}"),
            format!("/{name}/v0/{name}.ts"),
        ]);
    }
    paths.push(format!("/standup/{}.mp4", "%D0%9F".repeat(150)));
    paths.push(format!("/standup/{}meeting.mp4", "x/../".repeat(2000)));
    paths.push(format!("/standup{}meeting.mp4", "/".repeat(5000)));
    for caddy in served(&tree) {
        assert_none(&paths, caddy.ask_as_team(&[], &paths));
        // What is no path at all.
        let odd = ["/standup/%zz.mp4", "/standup/%.mp4", "/%"].map(ToOwned::to_owned);
        assert!(caddy.ask_as_team(&[], &odd).iter().all(|answer| answer.status == 400));
    }
}

/// All that tells one answer from another.
fn looks(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    (
        answer.status,
        String::from_utf8_lossy(&answer.body).into_owned(),
        headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
    )
}

#[test]
fn who_has_no_password_cannot_tell_what_exists() {
    let tree = tree();
    let paths: Vec<_> = [
        "/",
        "/standup",
        "/standup/",
        "/standup/meeting.mp4",
        "/standup/none.mp4",
        "/standup/dir.mp4",
        "/standup/v0",
        "/standup/v0/",
        "/standup/v9/",
        "/standup/v0/master.m3u8",
        "/standup/v0/none.m3u8",
        "/standup/v0/seg_000000.ts",
        "/standup/v0/poster.jpg",
        "/-/watch-1.js",
        "/-/none.js",
        "/standup/.notion_id",
        "/standup/..%2f.env",
        "/standup//meeting.mp4",
        "/standup/%00",
        "/none/",
    ]
    .iter()
    .map(ToString::to_string)
    .chain([format!("/{}", "x".repeat(300))])
    .collect();
    for caddy in served(&tree) {
        let wrong = format!("{USER}:{PASSWORD} ");
        let other = format!("other:{PASSWORD}");
        let empty = format!("{USER}:");
        let ways: [&[&str]; 9] = [
            &[],
            &["-r", "0-1"],
            &["-u", &wrong],
            &["-u", &other],
            &["-u", &empty],
            &["-u", ":"],
            &["-H", "Authorization: Basic !!!"],
            &["-H", "Authorization: Bearer abc"],
            &["-H", "If-None-Match: *"],
        ];
        for way in ways {
            // A wrong password costs a hash each: a few paths do.
            let paths = if way.first() == Some(&"-u") { &paths[2..6] } else { &paths[..] };
            let answers = caddy.ask(way, paths);
            let seen: BTreeSet<_> = answers.iter().map(looks).collect();
            assert_eq!(seen.len(), 1, "{way:?}: {seen:?}");
            assert_eq!((answers[0].status, answers[0].header("www-authenticate")), (401, "Basic realm=\"restricted\""));
            assert_eq!(answers[0].header("cache-control"), "no-store");
        }
        let heads = caddy.ask(&["-I"], &paths);
        assert!(heads.iter().all(|answer| answer.status == 401));
    }
}

#[test]
fn a_tree_that_the_scripts_left_is_served_like_one_of_ours() {
    let bench = Bench::new();
    let room = bench.rendered_by_the_script("by-scripts");
    let caddy = Caddy::serve(&bench);
    // The playlists, a segment and the MP4.
    assert_eq!(assert_serves_the_recordings_alone(&caddy, &bench.recordings()), 4);
    scripts::publish(&bench, &room);
    assert_eq!(assert_serves_the_recordings_alone(&caddy, &bench.recordings()), 3);
}

#[test]
fn names_of_every_length_that_a_disk_takes_go_the_whole_way() {
    let mut bench = Bench::new();
    let (caddy, latest) = (Caddy::serve(&bench), Caddy::serve_latest(&bench));
    bench.set("PUBLIC_BASE_URL", caddy.base.clone());
    for (room, file) in [
        ("x".repeat(255), format!("{}.mp4", "y".repeat(251))),
        ("\u{43f}".repeat(127), format!("{}.mp4", "\u{43f}".repeat(125))),
        (".net standup".to_owned(), ".net_2026-11-21-09-30-00.mp4".to_owned()),
        ("-".to_owned(), "-.mp4".to_owned()),
        ("empty name".to_owned(), ".mp4".to_owned()),
    ] {
        let dir = bench.room(&room);
        media::put(Clip::Short, &dir.join(&file));
        bench.finalize(&dir).exits(0);
        let row = bench.notion.pages().pop().unwrap();
        for caddy in [&caddy, &latest] {
            let url = row.url().unwrap().replace(&bench.key("PUBLIC_BASE_URL").unwrap(), &caddy.base);
            assert!(caddy.get(&url) == fs::read(dir.join(&file)).unwrap(), "{url}");
        }
    }
    bench.worker().exits(0);
    for caddy in [&caddy, &latest] {
        for row in bench.notion.pages() {
            let url = row.url().unwrap().replace(&bench.key("PUBLIC_BASE_URL").unwrap(), &caddy.base);
            assert!(url.ends_with("/v0/master.m3u8") && caddy.get(&url).starts_with(b"#EXTM3U"), "{url}");
        }
        assert_serves_the_recordings_alone(caddy, &bench.recordings());
    }
    assert!(files_below(&bench.recordings()).iter().all(|file| !file.is_symlink()));
}
