//! The URLs of rows, opened: a real Caddy serves the recordings.

use std::fs;
use std::path::Path;

use pipeline_tests::caddy::Caddy;
use pipeline_tests::media::{self, Clip};
use pipeline_tests::names::{NAMES, file_of};
use pipeline_tests::{Bench, run};

/// What `rec-url` prints for a path.
fn rec_url(bench: &Bench, path: &Path) -> String {
    let out = run(bench.command("rec-url").arg(path)).exits(0);
    out.stdout.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn the_url_of_every_row_brings_the_very_bytes_of_its_recording() {
    let mut bench = Bench::new();
    let (caddy, latest) = (Caddy::serve(&bench), Caddy::serve_latest(&bench));
    bench.set("PUBLIC_BASE_URL", caddy.base.clone());
    let wanted = fs::read(media::clip(Clip::Short)).unwrap();
    for name in &*NAMES {
        let mp4 = bench.room(name).join(file_of(name));
        media::put(Clip::Short, &mp4);
        bench.finalize(bench.room(name)).exits(0);
        let row = bench.notion.pages().pop().unwrap();
        let url = row.url().unwrap();
        assert!(caddy.get(&url) == wanted, "{name:?}: {url}");
        assert!(latest.get(&url.replace(&caddy.base, &latest.base)) == wanted, "{name:?}: {url}");
        // A row's URL is what rec-url prints.
        assert_eq!(rec_url(&bench, &mp4), url, "{name:?}");
    }
}
