//! A small Debian, in which the package is installed as on a new machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use crate::jibri::is_root;
use crate::{Out, binary, run, skipped};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("debian").join(name)
}

/// A package of the tools as they are built for the tests.
#[track_caller]
pub fn package() -> PathBuf {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap();
    let make = || {
        let mut make = Command::new("make");
        make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("MFLAGS");
        make.args(["-C", concat!(env!("CARGO_MANIFEST_DIR"), "/.."), "-s", "deb", "NOBUILD=1"]);
        make.arg(format!("BUILD={}", binary("").display())).env("DEB_OPTIONS", "--fast");
        let said = run(&mut make).exits(0).stdout;
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(said.lines().last().unwrap())
    };
    built.get_or_insert_with(make).clone()
}

/// A Debian of which one test may change what it likes.
pub struct Debian {
    tree: PathBuf,
    scratch: TempDir,
}

impl Debian {
    /// As debootstrap makes it. `None`, and said so, where we are not root.
    #[track_caller]
    pub fn new() -> Option<Self> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        if !is_root() {
            skipped("a Debian of one's own is for root alone");
            return None;
        }
        let alone = ONE_AT_A_TIME.lock();
        let place = binary("").join("../debian-tree");
        let said = run(Command::new("sh").arg(script("tree.sh")).arg(place).stdin(Stdio::null())).exits(0).stdout;
        drop(alone);
        let tree = Path::new(said.trim_end()).canonicalize().unwrap();
        let scratch = tempfile::Builder::new().prefix("debian test ").tempdir().unwrap();
        fs::create_dir(scratch.path().join("share")).unwrap();
        Some(Self { tree, scratch })
    }

    /// A directory that is `/mnt` in it.
    pub fn share(&self) -> PathBuf {
        self.scratch.path().join("share")
    }

    /// Runs a command in it.
    pub fn run(&self, command: &[&str]) -> Out {
        let mut enter = Command::new("sh");
        enter.arg(script("enter.sh")).arg(&self.tree).arg(self.scratch.path()).args(command);
        run(enter.stdin(Stdio::null()))
    }

    /// Runs a script in it, which must succeed, and brings what it prints.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        self.run(&["sh", "-euc", script]).exits(0).stdout
    }
}
