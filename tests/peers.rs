//! Verifiers of webhooks that other people wrote: npm's, OpenSSL's, and a daemon of Debian's that takes real deliveries.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::{npm, skipped, wait_for};

/// A message for one of npm's verifiers.
#[derive(Debug)]
pub struct Message<'a> {
    /// `octokit` or `standardwebhooks`.
    pub peer: &'a str,
    /// The receiver's secret.
    pub secret: &'a str,
    /// Its body.
    pub body: &'a str,
    /// Its headers, in any case.
    pub headers: Vec<(String, String)>,
    /// The header that octokit is to look at.
    pub header: &'a str,
}

/// What npm's verifiers say to each message: `ok`, or why not. None where there is no npm.
#[track_caller]
pub fn verdicts(messages: &[Message<'_>]) -> Option<Vec<String>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    if let Err(reason) = npm::install(&dir) {
        skipped(&format!("npm's verifiers of webhooks: {reason}"));
        return None;
    }
    let lines: Vec<_> = messages.iter().map(|message| format!("{}\n", line(message))).collect();
    let mut node = Command::new("node");
    node.arg(dir.join("verify.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut node = node.spawn().unwrap();
    node.stdin.take().unwrap().write_all(lines.concat().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<_> = said.lines().map(ToOwned::to_owned).collect();
    assert_eq!(verdicts.len(), messages.len(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Some(verdicts)
}

fn line(message: &Message<'_>) -> Value {
    let headers = message.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), json!(value)));
    let headers: Map<String, Value> = headers.collect();
    let header = message.header.to_ascii_lowercase();
    json!({ "peer": message.peer, "secret": message.secret, "body": message.body, "headers": headers, "header": header })
}

/// HMAC-SHA256 as `openssl dgst` prints it.
#[track_caller]
pub fn openssl_hex(secret: &[u8], message: &[u8]) -> String {
    let key: Vec<_> = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-r", "-mac", "HMAC", "-macopt", &format!("hexkey:{}", key.concat())]);
    let mut openssl = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    openssl.stdin.take().unwrap().write_all(message).unwrap();
    let output = openssl.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl dgst");
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

/// Debian's `webhook`, with a hook that takes what is signed in this header; its command keeps what it got.
pub struct Daemon {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Daemon {
    /// Starts one that listens at this path; `None`, and said so, where it is not installed.
    pub fn start(path: &str, header: &str, secret: &str) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("webhook ").tempdir().unwrap();
        let take = dir.path().join("take");
        let taken = dir.path().join("taken");
        fs::write(&take, format!("#!/bin/sh\nprintf '%s\\n' \"$1\" >> '{}'\n", taken.display())).unwrap();
        fs::set_permissions(&take, fs::Permissions::from_mode(0o755)).unwrap();
        let hooks = json!([{
            "id": path.trim_start_matches('/'),
            "execute-command": take,
            "include-command-output-in-response": true,
            "pass-arguments-to-command": [{ "source": "raw-request-body" }],
            "trigger-rule-mismatch-http-response-code": 401,
            "trigger-rule": { "match": {
                "type": "payload-hmac-sha256",
                "secret": secret,
                "parameter": { "source": "header", "name": header },
            } },
        }]);
        let file = dir.path().join("hooks.json");
        fs::write(&file, hooks.to_string()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("webhook");
        command.args(["-ip", "127.0.0.1", "-urlprefix", "", "-port", &port.to_string(), "-hooks"]).arg(file);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = child else {
            skipped("webhook is not here: install Debian's package webhook");
            return None;
        };
        let daemon = Self { child, port, dir };
        wait_for("webhook's port", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(daemon)
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The bodies it has taken.
    pub fn taken(&self) -> Vec<String> {
        let taken: PathBuf = self.dir.path().join("taken");
        fs::read_to_string(taken).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
