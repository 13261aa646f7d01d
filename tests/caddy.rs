//! A real Caddy that serves the recordings.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{Bench, skipped, wait_for};

/// A Caddy with a plain `file_server` on the loopback interface, gone when dropped.
pub struct Caddy {
    child: Child,
    /// What `PUBLIC_BASE_URL` is to be.
    pub base: String,
}

impl Caddy {
    /// None where the machine has no Caddy.
    pub fn serve(bench: &Bench) -> Option<Self> {
        if Command::new("caddy").arg("version").stdout(Stdio::null()).status().is_err() {
            skipped("caddy is not here");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = bench.dir().join("Caddyfile");
        let root = bench.recordings();
        let text = format!(
            "{{\n\tauto_https off\n\tadmin off\n}}\nhttp://:{port} {{\n\tbind 127.0.0.1\n\troot * \"{}\"\n\tfile_server\n}}\n",
            root.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&config);
        command.env("XDG_CONFIG_HOME", bench.dir().join("caddy")).env("XDG_DATA_HOME", bench.dir().join("caddy"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(bench.dir().join("caddy.log")).unwrap());
        let mut caddy = Self { child: command.spawn().unwrap(), base: format!("http://127.0.0.1:{port}") };
        wait_for("caddy", || {
            assert!(caddy.child.try_wait().unwrap().is_none(), "caddy ended");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(caddy)
    }

    /// What a GET of a URL brings.
    #[track_caller]
    pub fn get(&self, url: &str) -> Vec<u8> {
        assert!(url.starts_with(&self.base), "{url}");
        let mut command = Command::new("curl");
        let output = command.args(["-sS", "--fail", "--path-as-is", "--globoff", "--", url]).output().unwrap();
        assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A playlist, and the URL of the first URI in it.
    #[track_caller]
    fn playlist(&self, url: &str) -> (String, String) {
        let text = String::from_utf8(self.get(url)).unwrap();
        let uri = text.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap();
        let url = format!("{}/{uri}", url.rsplit_once('/').unwrap().0);
        (text, url)
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Opens published HLS as a player does: the playlists and the first segment, each by its URI in the one before.
#[track_caller]
pub fn assert_plays(caddy: &Caddy, url: &str, room: &Path) {
    let (master, url) = caddy.playlist(url);
    assert_eq!(master, fs::read_to_string(room.join("v0/master.m3u8")).unwrap());
    let (stream, url) = caddy.playlist(&url);
    assert_eq!(stream, fs::read_to_string(room.join("v0/stream.m3u8")).unwrap());
    assert!(caddy.get(&url) == fs::read(room.join("v0/seg_000000.ts")).unwrap(), "{url}");
}
