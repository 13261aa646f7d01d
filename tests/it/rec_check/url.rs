//! What real web servers do with the probe.

use std::fs;
use std::process::Command;
use std::time::Duration;

use pipeline_tests::caddy::{Caddy, HASH, PASSWORD, Site, USER, debian, latest};
use pipeline_tests::check::Checked;
use pipeline_tests::processes::{self, start};
use pipeline_tests::{Bench, listing, run, wait_for};

fn login() -> String {
    format!("{USER}:{PASSWORD}")
}

/// A bench at a web server, and what it finds with the password.
#[track_caller]
fn with(bench: &mut Bench, base: &str) -> Checked {
    bench.set("PUBLIC_BASE_URL", base);
    let checked = Checked::of(run(bench.command("rec-check").args(["--json", "url"]).env("REC_CHECK_AUTH", login())));
    assert_eq!(listing(&bench.recordings()), [""; 0], "the probe stayed");
    checked
}

/// With a Caddyfile of somebody else.
#[track_caller]
fn other(site: &str) -> Checked {
    let mut bench = Bench::new();
    let root = bench.recordings().display().to_string();
    let site = site.replace("ROOT", &format!("\"{root}\"")).replace("LOGIN", &format!("{USER} {HASH}"));
    let caddy = Caddy::serve_other(&bench, &site);
    with(&mut bench, &caddy.base)
}

#[test]
fn our_caddyfile_is_found_well_by_old_and_new_caddies() {
    for program in [debian(), latest()] {
        let mut bench = Bench::new();
        let caddy = Site::of(&program, &bench.dir().join("caddy"), &bench.recordings()).start();
        let checked = with(&mut bench, &caddy.base);
        assert_eq!(checked.bad(), [""; 0], "{}", checked.out.stdout);
        let checks: Vec<_> = checked.findings.iter().map(|found| found.check.trim_start_matches("url.")).collect();
        let wanted = "https playlist password segment ranges dotfiles metadata listing listing page";
        assert_eq!(checks.join(" "), wanted);
    }
}

#[test]
fn the_password_comes_from_a_file_a_variable_or_the_env_file_and_never_from_the_command_line() {
    let mut bench = Bench::new();
    let caddy = Caddy::serve(&bench);
    bench.set("PUBLIC_BASE_URL", &caddy.base);
    let unknown = bench.check(&["url"]);
    unknown.says("ok", "url.password", "", "nothing is served without the password (401)");
    unknown.says("skipped", "url.playlist", "", "rec-check --auth-file FILE url");
    unknown.says("skipped", "url.listing", "", "the probe file must be served first");
    assert_eq!(unknown.out.code, Some(0));

    let file = bench.dir().join("auth");
    let path = file.to_str().unwrap().to_owned();
    fs::write(&file, format!("{}\n", login())).unwrap();
    assert_eq!(bench.check(&["url", "--auth-file", &path]).bad(), [""; 0]);
    fs::write(&file, "team:wrong").unwrap();
    bench.check(&["url", "--auth-file", &path]).says(
        "failed",
        "url.playlist",
        "",
        "does not accept this user and password",
    );
    fs::remove_file(&file).unwrap();
    bench.check(&["url", "--auth-file", &path]).says("failed", "url.password", "--auth-file", "holds no user:password");
}

#[test]
fn https_is_asked_by_its_name_and_its_certificate_must_be_trusted() {
    let mut bench = Bench::new();
    let scratch = bench.dir().join("caddy");
    let mut site = Site::of(&debian(), &scratch, &bench.recordings());
    let base = site.environment["RECORDINGS_SITE"].replace("http://127.0.0.1", "https://localhost");
    site.environment.insert("RECORDINGS_SITE", base.clone());
    "\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n".clone_into(&mut site.globals);
    let _caddy = site.start();
    let root = scratch.join("home/caddy/pki/authorities/local/root.crt");
    wait_for("Caddy's own CA", || root.is_file());
    // Percent-encoded, as it stands in URLs.
    bench.set("PUBLIC_BASE_URL", &base);
    bench.set("PUBLIC_URL_AUTH", "team:Geheim%201%2F2:3@");
    let trusting = || Checked::of(run(bench.command("rec-check").args(["--json", "url"]).env("SSL_CERT_FILE", &root)));
    // It may take a moment until it has its certificate.
    wait_for("a certificate", || trusting().bad().is_empty());
    trusting().says("ok", "url.https", "https://localhost", "begins with https");
    let stranger = bench.check(&["url"]);
    stranger.says("failed", "url.playlist", "", "the system's trust store decides");
    stranger.says("skipped", "url.page", "", "the probe file must be served first");
}

#[test]
fn the_scripts_caddyfile_is_found_to_do_what_it_does() {
    let checked = other(
        "root * ROOT\nencode zstd gzip\nfile_server {\nbrowse off\n}\nbasicauth /* {\nLOGIN\n}\n@hls {\npath *.m3u8 *.ts\n}\n\
         header @hls Content-Type application/octet-stream\nheader @hls X-Content-Type-Options nosniff\n",
    );
    checked.says(
        "failed",
        "url.playlist",
        "",
        "application/octet-stream instead of application/vnd.apple.mpegurl: browsers save it",
    );
    checked.says("failed", "url.segment", "", "application/octet-stream instead of video/mp2t");
    checked.says("ok", "url.ranges", "", "");
    checked.says("ok", "url.password", "", "401");
    checked.says("failed", "url.dotfiles", ".probe", "is served");
    checked.says("failed", "url.metadata", "metadata.json", "tokens");
    for object in ["/ROOM/", "/"] {
        let found = checked.all("url.listing").into_iter().find(|found| found.object == object).unwrap();
        assert!(found.level == "failed" && found.finding.contains("gets a list of what is there"), "{found:?}");
    }
    checked.says("warning", "url.page", "", "no page to watch");
}

#[test]
fn rows_that_lead_to_the_page_need_it() {
    let mut bench = Bench::new();
    bench.set("PUBLISH_LINK", "page");
    let caddy = Caddy::serve(&bench);
    assert_eq!(with(&mut bench, &caddy.base).bad(), [""; 0]);
    let site = format!("root * \"{}\"\nbasicauth {{\n{USER} {HASH}\n}}\nfile_server\n", bench.recordings().display());
    let plain = Caddy::serve_other(&bench, &site);
    with(&mut bench, &plain.base).says("failed", "url.page", "", "PUBLISH_LINK has rows lead there");
}

#[test]
fn a_server_without_a_password_or_without_ranges_is_found() {
    let open = other("root * ROOT\nfile_server\n");
    open.says("failed", "url.password", "", "recordings are served to everybody");
    let whole = other("root * ROOT\nbasicauth {\nLOGIN\n}\nrequest_header -Range\nfile_server\n");
    whole.says("failed", "url.ranges", "", "a part of a file is not served as such (200)");
}

#[test]
fn what_is_in_the_way_of_the_probe_is_named() {
    for (site, part) in [
        ("respond 404", "does not find it (404): see that it serves RECORDINGS_ROOT"),
        ("respond 403", "may not read it"),
        ("respond 502", "answers 502"),
        ("respond \"Hello\"", "something else is served"),
        ("redir https://other.example.com{uri}", "leads elsewhere (302): https://other.example.com/rec-check-"),
        ("redir https://u:s3cretpass@other.example.com/", "https://***@other.example.com/"),
    ] {
        let checked = other(site);
        checked.says("failed", "url.playlist", "", part);
        checked.says("skipped", "url.dotfiles", "", "");
    }
    let mut bench = Bench::new();
    with(&mut bench, "http://127.0.0.1:9").says("failed", "url.playlist", "", "no answer: ");
    with(&mut bench, "http://recordings.invalid").says("warning", "url.https", "", "in the clear");
    fs::remove_dir(bench.recordings()).unwrap();
    bench.check(&["url"]).says("failed", "url.probe", "RECORDINGS_ROOT", "no file can be put there");
}

#[test]
fn the_probe_goes_whatever_ends_the_run() {
    let mut bench = Bench::new();
    // Takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    bench.set("PUBLIC_BASE_URL", format!("http://{}", silent.local_addr().unwrap()));
    for signal in ["INT", "TERM", "HUP", "KILL"] {
        let running = start(bench.command("rec-check").arg("url"));
        wait_for("the probe", || !listing(&bench.recordings()).is_empty());
        running.signal(signal);
        wait_for("its removal", || listing(&bench.recordings()).is_empty());
        assert_ne!(running.end().code, Some(0), "{signal}");
    }
    // Ctrl-C is for all that run on a terminal; and the one who holds the probe may be told to end, too.
    let running = start(bench.command("rec-check").arg("url"));
    wait_for("the probe", || !listing(&bench.recordings()).is_empty());
    let holder = processes::children(running.pid());
    assert_eq!(holder.len(), 1);
    processes::signal(holder[0], "TERM");
    wait_for("its removal", || listing(&bench.recordings()).is_empty());
    running.signal("KILL");
}

#[test]
fn a_probe_that_was_left_is_no_recording_to_the_worker_and_goes_at_the_next_run() {
    let mut bench = Bench::new();
    bench.set("PUBLISH_UNFINALIZED_AFTER", "1");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    bench.set("PUBLIC_BASE_URL", format!("http://{}", silent.local_addr().unwrap()));
    let running = start(bench.command("rec-check").arg("url"));
    wait_for("the probe", || pipeline_tests::files_below(&bench.recordings()).len() == 4);
    for pid in processes::children(running.pid()).into_iter().chain([running.pid()]) {
        // Not the tool first, or the other would tidy up.
        processes::signal(pid, "KILL");
    }
    drop(running);
    let before = pipeline_tests::files_below(&bench.recordings());
    assert_eq!(before.len(), 4, "{before:?}");
    bench.worker().exits(0);
    assert_eq!(pipeline_tests::files_below(&bench.recordings()), before);
    assert!(bench.requests().is_empty() && bench.notion.pages().is_empty());

    let room = bench.recordings().join(&listing(&bench.recordings())[0]);
    run(Command::new("touch").args(["-d", "1 hour ago"]).arg(&room)).exits(0);
    drop(silent);
    bench.check(&["url"]);
    assert_eq!(listing(&bench.recordings()), [""; 0]);
}

#[test]
fn a_web_server_that_never_answers_is_not_waited_for_long() {
    let mut bench = Bench::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", silent.local_addr().unwrap());
    let checked = with(&mut bench, &base);
    checked.says("failed", "url.playlist", "", "silence for ");
    assert!(checked.out.took < Duration::from_secs(60), "{:?}", checked.out.took);
}
