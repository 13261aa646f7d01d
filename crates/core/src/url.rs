//! Where a file below `RECORDINGS_ROOT` is found by a browser.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::config::Config;
use crate::secret::Secret;
use crate::text;

/// All bytes but the unreserved ones of RFC 3986 §2.3 are encoded, so no name can be taken for a part of the URL's own.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A public URL, which may need the password of the site.
#[derive(Clone, Debug)]
pub struct PublicUrl {
    bare: String,
    auth: Option<Secret>,
}

impl PublicUrl {
    /// The URL of the file that lies at `segments` below the public root.
    pub fn of<'a>(config: &Config, segments: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut bare = config.public_base_url.clone();
        for segment in segments {
            bare.push('/');
            bare.extend(percent_encode(segment, SEGMENT));
        }
        Self { bare, auth: config.public_url_auth.clone() }
    }

    /// With the password, where there is one: for Notion, and for an admin who asks for it.
    pub fn full(&self) -> String {
        self.with_auth(|auth| auth.expose())
    }

    /// For every log: `***@` in the password's place.
    pub fn masked(&self) -> String {
        self.with_auth(|_| "***@")
    }

    /// Without the password: for files.
    pub fn bare(&self) -> &str {
        &self.bare
    }

    fn with_auth<'a>(&'a self, show: impl Fn(&'a Secret) -> &'a str) -> String {
        match (&self.auth, self.bare.strip_prefix("https://")) {
            (Some(auth), Some(rest)) => format!("https://{}{rest}", show(auth)),
            _ => self.bare.clone(),
        }
    }
}

/// Where a directory lies in the public tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The names from `RECORDINGS_ROOT` down to the directory.
    pub segments: Vec<Vec<u8>>,
    /// False where the directory is elsewhere and goes by its own name alone.
    pub below_root: bool,
}

/// Finds a directory's place below the root; both must exist. The scripts take the directory's own name whatever lies above
/// it, and so do we where it is outside of the root.
pub fn place(root: &Path, dir: &Path) -> Result<Place> {
    let real = dir.canonicalize().with_context(|| text::shown(dir))?;
    // A root that is not there has nothing below it; the worker says so by itself.
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    if real == root {
        bail!("{} is RECORDINGS_ROOT itself: give a recording's own directory", text::shown(dir));
    }
    // By its real path, else by the name that it was called by: a room may be a link to another disk.
    if let Ok(below) = real.strip_prefix(&root) {
        return Ok(Place { segments: names(below), below_root: true });
    }
    let name = lexical(dir)?.file_name().map(|name| name.as_bytes().to_vec());
    let name = name.with_context(|| format!("{} has no name of its own to publish it by", text::shown(dir)))?;
    Ok(Place { segments: vec![name], below_root: false })
}

/// The place of a directory, or of a file in one: its directory's place and its own name. That of HLS ends in an empty name.
pub fn file_place(root: &Path, path: &Path) -> Result<Place> {
    let metadata = path.metadata().with_context(|| text::shown(path))?;
    if metadata.is_dir() {
        let master = lexical(path)?.join("master.m3u8");
        if !master.parent().is_some_and(is_hls_dir) || !master.is_file() {
            return place(root, path);
        }
        // The page that plays it is the empty name behind the slash.
        let mut place = file_place(root, &master)?;
        place.segments.pop();
        place.segments.push(Vec::new());
        return Ok(place);
    }
    let path = lexical(path)?;
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { bail!("{} is no file", text::shown(&path)) };
    // A file directly in the root has only its own name.
    let in_root = dir.canonicalize().ok() == root.canonicalize().ok();
    let mut place = if in_root { Place { segments: Vec::new(), below_root: true } } else { place(root, dir)? };
    // Of HLS outside of the root, it is the room that goes by its own name.
    if !place.below_root
        && is_hls_dir(dir)
        && let Some(room) = dir.parent()
        && let Ok(above) = self::place(root, room)
    {
        place.segments = [above.segments, place.segments].concat();
    }
    place.segments.push(name.as_bytes().to_vec());
    Ok(place)
}

/// Whether a directory's name is `v0`, `v1` and so on.
fn is_hls_dir(dir: &Path) -> bool {
    let name = dir.file_name().and_then(|name| name.as_bytes().strip_prefix(b"v"));
    name.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// A URL as somebody typed it, if it is one that a browser can open: Notion takes any text for a URL.
pub fn checked(url: &str) -> Result<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.context("is no http:// or https:// URL")?;
    if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
        bail!("has no host");
    }
    if let Some(odd) = rest.chars().find(|c| c.is_whitespace() || c.is_control()) {
        bail!("has {odd:?} in it: percent-encode it (rec-url PATH prints a recording's URL)");
    }
    Ok(url)
}

/// A URL for a log: without the password that may be in it.
pub fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match host.rfind('@') {
        Some(at) => format!("{scheme}://***@{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

fn names(path: &Path) -> Vec<Vec<u8>> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.as_bytes().to_vec()),
            _ => None,
        })
        .collect()
}

/// The path as called, made absolute; `.` and `..` need the real one.
fn lexical(dir: &Path) -> Result<PathBuf> {
    if dir.file_name().is_some() { Ok(std::path::absolute(dir)?) } else { Ok(dir.canonicalize()?) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envfile;

    fn config(base: &str, auth: Option<&str>) -> Config {
        let auth = auth.map(|auth| format!("PUBLIC_URL_AUTH='{auth}'\n")).unwrap_or_default();
        let text = format!(
            "NOTION_TOKEN='t'\nNOTION_DATABASE_ID='38c9ce7b60a48158aa2ad4923e46fb5b'\nRECORDINGS_ROOT='/recordings'\n\
             PUBLIC_BASE_URL='{base}'\n{auth}"
        );
        let path = Path::new("F");
        Config::from_entries(path, &envfile::parse(path, text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn every_byte_but_the_unreserved_ones_is_encoded() {
        let url = |name: &[u8]| PublicUrl::of(&config("https://rec.example.com", None), [name, b"meeting.mp4"]).full();
        let cases: [(&[u8], &str); 8] = [
            (b"daily-standup", "daily-standup"),
            (b"a b#c?d%e", "a%20b%23c%3Fd%25e"),
            (b"100%", "100%25"),
            (b"q\"'\\&:+", "q%22%27%5C%26%3A%2B"),
            ("Привет".as_bytes(), "%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82"),
            (b"line\nbreak", "line%0Abreak"),
            (b"bad\xff", "bad%FF"),
            (b"-dash_~.", "-dash_~."),
        ];
        for (name, wanted) in cases {
            assert_eq!(url(name), format!("https://rec.example.com/{wanted}/meeting.mp4"));
        }
    }

    #[test]
    fn the_password_goes_in_after_https_and_is_masked_in_logs() {
        let url = PublicUrl::of(&config("https://rec.example.com/x", Some("user:pa%40ss@")), [&b"r"[..]]);
        assert_eq!(url.full(), "https://user:pa%40ss@rec.example.com/x/r");
        assert_eq!(url.masked(), "https://***@rec.example.com/x/r");
        assert_eq!(url.bare(), "https://rec.example.com/x/r");
    }

    #[test]
    fn a_typed_url_is_checked_and_masked() {
        assert!(checked("https://rec.example.com/r/v0/master.m3u8").is_ok());
        for bad in ["", "www", "ftp://x/", "https://", "https:///x", "https://x/a b", "https://x/\n"] {
            assert!(checked(bad).is_err(), "{bad:?}");
        }
        assert_eq!(masked("https://u:p@h/x@y"), "https://***@h/x@y");
        assert_eq!(masked("https://h/x@y"), "https://h/x@y");
    }

    #[test]
    fn a_directory_is_placed_below_the_root_or_by_its_own_name() {
        let scratch = tempfile::tempdir().unwrap();
        let (root, elsewhere) = (scratch.path().join("root"), scratch.path().join("elsewhere/there"));
        std::fs::create_dir_all(root.join("room/inner")).unwrap();
        std::fs::create_dir_all(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, root.join("linked")).unwrap();
        let at = |dir: PathBuf| place(&root, &dir).unwrap();
        let segments = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(at(root.join("room/")), Place { segments: segments(&["room"]), below_root: true });
        assert_eq!(at(root.join("room/inner/..")), Place { segments: segments(&["room"]), below_root: true });
        assert_eq!(at(root.join("room/inner")), Place { segments: segments(&["room", "inner"]), below_root: true });
        assert_eq!(at(elsewhere.clone()), Place { segments: segments(&["there"]), below_root: false });
        assert_eq!(at(root.join("linked")), Place { segments: segments(&["linked"]), below_root: false });
        assert!(place(&root, &root).unwrap_err().to_string().contains("RECORDINGS_ROOT itself"));
    }
}
