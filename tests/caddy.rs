//! Real Caddies that serve the recordings with the Caddyfile that we ship: Debian's, and a current one.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

use crate::processes::in_path;
use crate::{Bench, listing, wait_for};

/// Who may look.
pub const USER: &str = "team";
/// With which password.
pub const PASSWORD: &str = "Geheim 1/2:3";
/// What `caddy hash-password` made of it.
pub const HASH: &str = "$2a$10$J6Ucn1gtpqeT366BDJ3y0OoSaeAuT9n28Vg40vul/qEq2mBvysOrq";

/// A watch page, and what else may lie beside it.
pub const PAGE: [(&str, &str); 6] = [
    ("index.html", "<!doctype html><title>Recording</title><script src=\"../../-/watch-1.js\"></script>"),
    ("watch-1.js", "'use strict'"),
    ("watch-1.css", "body { margin: 0 }"),
    ("icon.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ("LICENSE", "As you like."),
    (".hidden.js", "'use strict'"),
];

/// A Caddy that serves a tree, gone when dropped.
pub struct Caddy {
    child: Child,
    /// What `PUBLIC_BASE_URL` is to be.
    pub base: String,
    /// Its access log.
    pub log: PathBuf,
    scratch: PathBuf,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// What was sent; nothing after a HEAD.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// Debian's Caddy and a current one.
#[track_caller]
pub fn programs() -> [PathBuf; 2] {
    [debian(), latest()]
}

/// Debian's.
#[track_caller]
pub fn debian() -> PathBuf {
    in_path("caddy").expect("caddy is not here: sh tests/needs.sh caddy")
}

/// The one of `tests/caddy/requirements.txt`.
#[track_caller]
pub fn latest() -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock();
    let fetch = Path::new(env!("CARGO_MANIFEST_DIR")).join("caddy/fetch.sh");
    let output = Command::new("sh").arg(fetch).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "a current Caddy is not here: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}

/// The Caddyfile that we ship.
pub fn caddyfile() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("etc/Caddyfile")
}

/// How a Caddy is to be started; what is not said is as the Caddyfile has it.
#[derive(Clone, Debug)]
pub struct Site {
    /// One of [`programs`].
    pub program: PathBuf,
    /// A directory for its files, of its own.
    pub scratch: PathBuf,
    /// What an admin's Caddyfile has before the import; `admin off` is there.
    pub globals: String,
    /// What it has behind it.
    pub others: String,
    /// `RECORDINGS_…` of its environment.
    pub environment: BTreeMap<&'static str, String>,
}

impl Site {
    /// A site that serves a tree on the loopback interface.
    pub fn of(program: &Path, scratch: &Path, root: &Path) -> Self {
        fs::create_dir_all(scratch).unwrap();
        let port = free_port();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let watch = scratch.join("watch");
        fs::create_dir_all(&watch).unwrap();
        for (name, text) in PAGE {
            fs::write(watch.join(name), text).unwrap();
        }
        let environment = BTreeMap::from([
            ("RECORDINGS_SITE", format!("http://127.0.0.1:{port}")),
            ("RECORDINGS_BIND", "127.0.0.1".to_owned()),
            ("RECORDINGS_USER", USER.to_owned()),
            ("RECORDINGS_PASSWORD_HASH", HASH.to_owned()),
            ("RECORDINGS_ROOT", text(root)),
            ("RECORDINGS_LOG", text(&scratch.join("access.log"))),
            ("RECORDINGS_WATCH", text(&watch)),
        ]);
        Self {
            program: program.to_owned(),
            scratch: scratch.to_owned(),
            globals: String::new(),
            others: String::new(),
            environment,
        }
    }

    /// `caddy COMMAND` on an admin's Caddyfile that imports ours.
    pub fn command(&self, command: &str) -> Command {
        let text =
            format!("{{\n\tadmin off\n{}}}\nimport \"{}\"\n{}", self.globals, caddyfile().display(), self.others);
        let mut caddy = caddy(&self.program, command, &self.scratch, &text);
        for name in ["RECORDINGS_SITE", "RECORDINGS_BIND", "RECORDINGS_USER", "RECORDINGS_PASSWORD_HASH"] {
            caddy.env_remove(name);
        }
        caddy.envs(&self.environment);
        caddy
    }

    /// Starts it, and waits until it answers.
    #[track_caller]
    pub fn start(&self) -> Caddy {
        let [base, log] = ["RECORDINGS_SITE", "RECORDINGS_LOG"].map(|name| self.environment[name].clone());
        Caddy::start(self.command("run"), base, log.into(), &self.scratch)
    }
}

/// `caddy COMMAND` on a Caddyfile, with all that it writes in a directory.
fn caddy(program: &Path, command: &str, scratch: &Path, text: &str) -> Command {
    let (config, home) = (scratch.join("Caddyfile"), scratch.join("home"));
    fs::write(&config, text).unwrap();
    let mut caddy = Command::new(program);
    caddy.args([command, "--adapter", "caddyfile", "--config"]).arg(config);
    caddy.env("XDG_CONFIG_HOME", &home).env("XDG_DATA_HOME", &home).stdin(Stdio::null());
    caddy
}

/// A port on which nobody listens.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Caddy {
    /// Starts it, and waits until it listens.
    #[track_caller]
    fn start(mut command: Command, base: String, log: PathBuf, scratch: &Path) -> Self {
        let port: u16 = base.rsplit(':').next().unwrap().parse().unwrap();
        let said = scratch.join("caddy.log");
        command.stdout(Stdio::null()).stderr(fs::File::create(&said).unwrap());
        let mut caddy = Self { child: command.spawn().unwrap(), base, log, scratch: scratch.to_owned() };
        wait_for("caddy", || {
            let ended = caddy.child.try_wait().unwrap();
            assert!(ended.is_none(), "caddy ended: {}", fs::read_to_string(&said).unwrap());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        caddy
    }

    /// Debian's Caddy with somebody else's Caddyfile: what stands in the braces of its one site.
    #[track_caller]
    pub fn serve_other(bench: &Bench, site: &str) -> Self {
        let (base, scratch) = (format!("http://127.0.0.1:{}", free_port()), bench.dir().join("other caddy"));
        fs::create_dir_all(&scratch).unwrap();
        let text = format!("{{\n\tadmin off\n}}\n{base} {{\n\tbind 127.0.0.1\n{site}\n}}\n");
        Self::start(caddy(&debian(), "run", &scratch, &text), base, scratch.join("access.log"), &scratch)
    }

    /// Debian's Caddy for a bench's recordings.
    #[track_caller]
    pub fn serve(bench: &Bench) -> Self {
        Site::of(&debian(), &bench.dir().join("caddy"), &bench.recordings()).start()
    }

    /// A current one beside it.
    #[track_caller]
    pub fn serve_latest(bench: &Bench) -> Self {
        Site::of(&latest(), &bench.dir().join("caddy latest"), &bench.recordings()).start()
    }

    /// The answers to requests for paths or URLs by one curl with these arguments, in order. No password unless an argument has it.
    #[track_caller]
    pub fn ask<P: AsRef<str>>(&self, args: &[&str], paths: &[P]) -> Vec<Answer> {
        let dir = tempfile::Builder::new().prefix("asked").tempdir_in(&self.scratch).unwrap();
        let place = |number: usize| dir.path().join(number.to_string());
        let mut config = String::new();
        for (number, path) in paths.iter().enumerate() {
            let path = path.as_ref();
            let url = if path.starts_with('/') { format!("{}{path}", self.base) } else { path.to_owned() };
            let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let place = place(number);
            let (url, place) = (quoted(&url), quoted(place.to_str().unwrap()));
            config.extend(["url = \"", &url, "\"\noutput = \"", &place, "\"\n"]);
        }
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--path-as-is", "--globoff", "--noproxy", "*", "--max-time", "120"]);
        curl.args(["-w", r#"{"number":%{urlnum},"status":%{http_code},"headers":%{header_json}}"#, "-K", "-"])
            .args(args);
        let mut curl = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Where it does not read all, it says why.
        let _ = curl.stdin.take().unwrap().write_all(config.as_bytes());
        let output = curl.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        let head = args.contains(&"-I");
        let mut answers: BTreeMap<u64, Answer> = BTreeMap::new();
        for said in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>() {
            let said = said.unwrap();
            let number = said["number"].as_u64().unwrap();
            let headers = said["headers"].as_object().unwrap().iter();
            let joined = |values: &Value| {
                values.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect::<Vec<_>>().join(", ")
            };
            let body = if head { Vec::new() } else { fs::read(place(number.try_into().unwrap())).unwrap_or_default() };
            let answer = Answer {
                status: said["status"].as_u64().unwrap().try_into().unwrap(),
                headers: headers.map(|(name, values)| (name.clone(), joined(values))).collect(),
                body,
            };
            answers.insert(number, answer);
        }
        assert_eq!(answers.len(), paths.len());
        answers.into_values().collect()
    }

    /// The same with the password.
    #[track_caller]
    pub fn ask_as_team<P: AsRef<str>>(&self, args: &[&str], paths: &[P]) -> Vec<Answer> {
        let login = format!("{USER}:{PASSWORD}");
        self.ask(&[&["-u", login.as_str()], args].concat(), paths)
    }

    /// What a GET with the password brings.
    #[track_caller]
    pub fn get(&self, url: &str) -> Vec<u8> {
        let answer = self.ask_as_team(&[], &[url]).remove(0);
        assert_eq!(answer.status, 200, "{url}");
        answer.body
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

/// The path of a URL for the names on the way to a file, with each byte encoded.
pub fn path_of(below: &Path) -> String {
    let bytes = below.iter().flat_map(|name| [b"/", name.as_bytes()].concat());
    let mut path = Vec::new();
    for byte in bytes {
        let _ = if byte == b'/' { path.write_all(b"/") } else { write!(path, "%{byte:02X}") };
    }
    String::from_utf8(path).unwrap()
}

/// Every file and directory below a directory.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in listing(dir) {
        let path = dir.join(name);
        assert!(!path.is_symlink(), "Caddy would follow {}", path.display());
        if path.is_dir() {
            found.extend(entries(&path));
        }
        found.push(path);
    }
    found
}

/// Asserts that of everything in a tree the recordings are served, byte by byte, and nothing else; that no symlink is in it, for
/// Caddy follows them. Returns how many files were served.
#[track_caller]
pub fn assert_serves_the_recordings_alone(caddy: &Caddy, root: &Path) -> usize {
    let entries = entries(root);
    let below: Vec<_> = entries.iter().map(|path| path.strip_prefix(root).unwrap()).collect();
    let paths: Vec<_> = below.iter().map(|path| path_of(path)).collect();
    let answers = caddy.ask_as_team(&[], &paths);
    let mut served = 0;
    for ((path, below), answer) in entries.iter().zip(below).zip(answers) {
        if path.is_file() && is_recording(below) {
            assert_eq!(answer.status, 200, "{}", below.display());
            assert!(answer.body == fs::read(path).unwrap(), "{}", below.display());
            served += 1;
        } else if path.is_dir() && is_hls(below) {
            assert_eq!(answer.status, 308, "{}", below.display());
        } else {
            assert_eq!(answer.status, 404, "{}", below.display());
        }
    }
    let dirs: Vec<_> =
        entries.iter().filter(|path| path.is_dir()).map(|path| path.strip_prefix(root).unwrap()).collect();
    let paths: Vec<_> = dirs.iter().map(|dir| path_of(dir) + "/").collect();
    for (dir, answer) in dirs.iter().zip(caddy.ask_as_team(&[], &paths)) {
        let page = answer.status == 200 && answer.header("content-type") == "text/html; charset=utf-8";
        assert!(page == is_hls(dir) && (page || answer.status == 404), "{}: {}", dir.display(), answer.status);
    }
    served
}

/// Whether a path is `<room>/v<N>`.
fn is_hls(below: &Path) -> bool {
    let names: Vec<_> = below.iter().collect();
    let number = |name: &str| {
        name.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    names.len() == 2 && names[1].to_str().is_some_and(number)
}

/// Whether a path is an MP4 of a room, or media of its HLS.
fn is_recording(below: &Path) -> bool {
    let name = below.file_name().unwrap().as_bytes().to_ascii_lowercase();
    match below.iter().count() {
        2 => name.ends_with(b".mp4"),
        3 if is_hls(below.parent().unwrap()) && !name.starts_with(b".") => {
            let types = [".m3u8", ".ts", ".m4s", ".mp4", ".vtt", ".jpg"];
            name == b"recording.json" || types.iter().any(|end| name.ends_with(end.as_bytes()))
        }
        _ => false,
    }
}
