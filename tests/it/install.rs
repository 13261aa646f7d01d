//! `make install` and `make uninstall`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_tests::{binary, files_below, listing, run, watch};

const INSTALLED: [&str; 64] = [
    "bin/jitsi-finalize",
    "bin/jitsi-hls-worker",
    "bin/notion-patch",
    "bin/rec-check",
    "bin/rec-hook",
    "bin/rec-ls",
    "bin/rec-url",
    "share/bash-completion/completions/jitsi-finalize",
    "share/bash-completion/completions/jitsi-hls-worker",
    "share/bash-completion/completions/notion-patch",
    "share/bash-completion/completions/rec-check",
    "share/bash-completion/completions/rec-hook",
    "share/bash-completion/completions/rec-ls",
    "share/bash-completion/completions/rec-url",
    "share/doc/jitsi-recording-pipeline/CHANGELOG.md",
    "share/doc/jitsi-recording-pipeline/LICENSE",
    "share/doc/jitsi-recording-pipeline/LICENSE-APACHE",
    "share/doc/jitsi-recording-pipeline/LICENSE-MIT",
    "share/doc/jitsi-recording-pipeline/README.md",
    "share/doc/jitsi-recording-pipeline/docs/caddy.md",
    "share/doc/jitsi-recording-pipeline/docs/jibri-debian.md",
    "share/doc/jitsi-recording-pipeline/docs/jibri-docker.md",
    "share/doc/jitsi-recording-pipeline/docs/watch-dark.png",
    "share/doc/jitsi-recording-pipeline/docs/watch-light.png",
    "share/doc/jitsi-recording-pipeline/docs/watch-phone.png",
    "share/doc/jitsi-recording-pipeline/docs/watch.md",
    "share/doc/jitsi-recording-pipeline/docs/webhooks-optilearn.md",
    "share/doc/jitsi-recording-pipeline/docs/webhooks-reflector.md",
    "share/doc/jitsi-recording-pipeline/examples/cron.d/jitsi-hls-worker",
    "share/doc/jitsi-recording-pipeline/examples/cron.d/rec-hook",
    "share/doc/jitsi-recording-pipeline/examples/logrotate.d/jitsi-recording-pipeline",
    "share/doc/jitsi-recording-pipeline/examples/recording-pipeline.env.example",
    "share/doc/jitsi-recording-pipeline/examples/systemd/jitsi-hls-worker.path",
    "share/doc/jitsi-recording-pipeline/examples/systemd/jitsi-hls-worker.service",
    "share/doc/jitsi-recording-pipeline/examples/systemd/jitsi-hls-worker.timer",
    "share/doc/jitsi-recording-pipeline/examples/systemd/rec-hook.service",
    "share/doc/jitsi-recording-pipeline/examples/systemd/rec-hook.timer",
    "share/doc/jitsi-recording-pipeline/examples/sysusers.d/jitsi-recording-pipeline.conf",
    "share/doc/jitsi-recording-pipeline/examples/tmpfiles.d/jitsi-recording-pipeline.conf",
    "share/fish/vendor_completions.d/jitsi-finalize.fish",
    "share/fish/vendor_completions.d/jitsi-hls-worker.fish",
    "share/fish/vendor_completions.d/notion-patch.fish",
    "share/fish/vendor_completions.d/rec-check.fish",
    "share/fish/vendor_completions.d/rec-hook.fish",
    "share/fish/vendor_completions.d/rec-ls.fish",
    "share/fish/vendor_completions.d/rec-url.fish",
    "share/jitsi-recording-pipeline/Caddyfile",
    "share/jitsi-recording-pipeline/recordings.conf",
    "share/man/man1/notion-patch.1",
    "share/man/man1/rec-hook.1",
    "share/man/man1/rec-ls.1",
    "share/man/man1/rec-url.1",
    "share/man/man5/recording-pipeline.env.5",
    "share/man/man7/recording-pipeline.7",
    "share/man/man8/jitsi-finalize.8",
    "share/man/man8/jitsi-hls-worker.8",
    "share/man/man8/rec-check.8",
    "share/zsh/vendor-completions/_jitsi-finalize",
    "share/zsh/vendor-completions/_jitsi-hls-worker",
    "share/zsh/vendor-completions/_notion-patch",
    "share/zsh/vendor-completions/_rec-check",
    "share/zsh/vendor-completions/_rec-hook",
    "share/zsh/vendor-completions/_rec-ls",
    "share/zsh/vendor-completions/_rec-url",
];

fn make(target: &str, destination: &Path) {
    let mut command = Command::new("make");
    // The make that runs the tests, if one does, has nothing to say to this one.
    command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("MFLAGS");
    command.args(["-C", concat!(env!("CARGO_MANIFEST_DIR"), "/.."), target, "PREFIX=/usr", "NOBUILD=1"]);
    command.arg(format!("DESTDIR={}", destination.display())).arg(format!("BUILD={}", binary("").display()));
    run(&mut command).exits(0);
}

/// What was put below a directory.
fn files(root: &Path) -> Vec<PathBuf> {
    files_below(root).iter().map(|file| file.strip_prefix(root).unwrap().to_owned()).collect()
}

#[test]
fn make_install_puts_down_exactly_these_files_and_uninstall_takes_them_away() {
    let scratch = tempfile::Builder::new().prefix("with space ").tempdir().unwrap();
    make("install", scratch.path());
    // The names of the page's files have their content in them.
    let page =
        listing(&watch::files()).into_iter().map(|name| Path::new("share/jitsi-recording-pipeline/watch").join(name));
    let mut wanted: Vec<_> =
        INSTALLED.iter().map(PathBuf::from).chain(page).map(|file| Path::new("usr").join(file)).collect();
    wanted.sort();
    assert_eq!(files(scratch.path()), wanted);
    let version = run(Command::new(scratch.path().join("usr/bin/jitsi-finalize")).arg("--version")).exits(0);
    assert_eq!(version.stdout, concat!("jitsi-finalize ", env!("CARGO_PKG_VERSION"), "\n"));
    // What is installed names what is installed, and not a place where it would be otherwise.
    let text = |file: &str| fs::read_to_string(scratch.path().join("usr/share").join(file)).unwrap();
    assert!(
        text("jitsi-recording-pipeline/Caddyfile")
            .contains("{$RECORDINGS_WATCH:/usr/share/jitsi-recording-pipeline/watch}")
    );
    for unit in ["jitsi-hls-worker.service", "rec-hook.service"] {
        let unit = text(&format!("doc/jitsi-recording-pipeline/examples/systemd/{unit}"));
        assert!(unit.contains("\nExecStart=/usr/bin/"), "{unit}");
    }
    make("uninstall", scratch.path());
    assert!(files(scratch.path()).is_empty());
    assert!(!scratch.path().join("usr/share/jitsi-recording-pipeline").exists());
    assert!(!scratch.path().join("usr/share/doc/jitsi-recording-pipeline").exists());
}

#[test]
fn nothing_that_is_installed_has_the_places_at_which_tests_kill_it() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let make = |target: &str| {
        let mut command = Command::new("make");
        command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("MFLAGS");
        run(command.arg("-C").arg(&repository).args(["-n", target])).exits(0).stdout
    };
    for target in ["all", "install", "deb"] {
        let said = make(target);
        assert!(said.contains("cargo build --release ") && !said.contains("features"), "{target}: {said}");
    }
    let dist = fs::read_to_string(repository.join("etc/dist.sh")).unwrap();
    assert!(
        dist.contains("build --release --locked --workspace --bins") && dist.contains("grep -q REC_FAULT"),
        "{dist}"
    );
    // A build of the workspace that asks for no features gets none of ours.
    let mut tree = Command::new(env!("CARGO"));
    tree.args([
        "tree",
        "--locked",
        "--offline",
        "--workspace",
        "--edges",
        "normal,build,features",
        "--format",
        "{p} {f}",
    ]);
    let features = run(tree.current_dir(&repository)).exits(0).stdout;
    assert!(features.contains("rec-core v") && !features.contains("fault-points"), "{features}");
    // The name is that which the builds of the tests have.
    let ours = fs::read(binary("jitsi-hls-worker")).unwrap();
    assert!(ours.windows(9).any(|bytes| bytes == b"REC_FAULT"));
}
