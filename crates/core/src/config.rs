//! The env file's keys: what they are called, what they may hold, and what holds without them.
//!
//! Only the file counts, as for the scripts: the process environment does not override it. All missing and malformed keys are
//! reported at once, and never with a value.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::Uri;

use crate::access::GROUP;
use crate::envfile::{self, Entry, EnvFile, Problems};
use crate::http::is_loopback;
use crate::link::Link;
use crate::secret::Secret;

mod hls;
mod keys;
#[cfg(test)]
mod tests;
mod webhooks;

pub use hls::{Extras, Hls, Profile, SegmentType, WindowCloses};
pub use keys::{KEYS, Key};
pub use webhooks::{Destination, HookProfile, SecretSource};

/// The env file that the scripts read.
pub const DEFAULT_ENV_FILE: &str = "/etc/jitsi/recording-pipeline.env";

/// What the example has in the place of values that everybody must choose.
const EXAMPLES: [(&str, &str); 2] =
    [("NOTION_TOKEN", "ntn_PUT_THE_TOKEN_HERE"), ("NOTION_DATABASE_ID", "00000000-0000-0000-0000-000000000000")];

/// The variable of the process environment that names another env file.
pub const ENV_FILE_VARIABLE: &str = "RECORDING_PIPELINE_ENV";

/// What an env file says, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach the catalogue.
    pub notion: Notion,
    /// `http(s)://host[:port][/path]`, without a trailing slash.
    pub public_base_url: String,
    /// `user:password@`, percent-encoded as it goes into a URL; only beside an https base.
    pub public_url_auth: Option<Secret>,
    /// The directory that holds the room directories; absolute.
    pub recordings_root: PathBuf,
    /// Put before the room in a page's title; may be empty.
    pub name_prefix: String,
    /// Where the logs go; absolute.
    pub log_dir: PathBuf,
    /// Where the worker's lock lies; absolute.
    pub lock_dir: PathBuf,
    /// What the row of a published recording leads to.
    pub publish_link: Link,
    /// How long an MP4 that finalize was never called for must be unchanged until the worker publishes it; `None`: it never does.
    pub publish_unfinalized_after: Option<Duration>,
    /// What HLS the worker makes.
    pub hls: Hls,
    /// Who is told of recordings.
    pub webhooks: Vec<Destination>,
    /// Where what they are told waits; absolute.
    pub spool_dir: PathBuf,
    /// What an admin should know though the configuration is usable.
    pub warnings: Vec<String>,
}

/// How to reach the catalogue.
#[derive(Debug, Clone)]
pub struct Notion {
    /// The integration's token.
    pub token: Secret,
    /// Lower-case hex, dashed as a UUID.
    pub database_id: String,
    /// Which data source to use where the database has several; written as `database_id` is.
    pub data_source_id: Option<String>,
    /// `https://host[:port][/path]` (http for a loopback host), without a trailing slash.
    pub api_url: String,
    /// How long a create whose answer was lost is given to show up in queries before another is sent.
    pub settle: Duration,
}

impl Notion {
    /// What an env file says of Notion where its database is still to be made; `path` is for the messages.
    pub fn before_its_database(path: &Path, env: &EnvFile) -> Result<Self, Problems> {
        let mut take = Take { path, env, problems: Vec::new() };
        let notion = Self::without_database(&mut take);
        if take.problems.is_empty() { Ok(notion) } else { Err(Problems::new(take.problems)) }
    }

    fn without_database(take: &mut Take<'_>) -> Self {
        Self {
            token: Secret::new(take.parsed("NOTION_TOKEN", token)),
            database_id: String::new(),
            data_source_id: None,
            api_url: take.parsed("NOTION_API_URL", api_url),
            settle: Duration::from_secs(take.parsed("NOTION_SETTLE_SECONDS", |text| whole(text, "seconds")).into()),
        }
    }
}

impl From<&Notion> for crate::notion::Settings {
    fn from(notion: &Notion) -> Self {
        Self {
            token: notion.token.clone(),
            database_id: notion.database_id.clone(),
            data_source_id: notion.data_source_id.clone(),
            api_url: notion.api_url.clone(),
        }
    }
}

/// The env file to read: the flag's, else that of `$RECORDING_PIPELINE_ENV`, else the scripts' own.
pub fn env_file(flag: Option<PathBuf>) -> PathBuf {
    let variable = || env::var_os(ENV_FILE_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    flag.or_else(variable).unwrap_or_else(|| DEFAULT_ENV_FILE.into())
}

impl Config {
    /// The lock of the one worker that runs on a host.
    pub fn worker_lock(&self) -> PathBuf {
        self.lock_dir.join("hls-worker.lock")
    }

    /// Reads and checks the env file at `path`.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let env = envfile::read(path)?;
        let mut config = Self::from_entries(path, &env)?;
        config.warnings.extend(examples_left(path, &env));
        for destination in &config.webhooks {
            if let SecretSource::File(file) = &destination.secret
                && is_everybodys(file)
            {
                let (name, file) = (&destination.name, file.display());
                config
                    .warnings
                    .push(format!("{file}: holds the secret of {name} and every user can read it: chgrp {GROUP} {file} && chmod 640 {file}"));
            }
        }
        if is_everybodys(path) {
            config.warnings.push(format!(
                "{0}: holds a token and every user can read it: chgrp {GROUP} {0} && chmod 640 {0}",
                path.display()
            ));
        }
        Ok(config)
    }

    /// Checks what an env file says; `path` is for the messages.
    pub fn from_entries(path: &Path, env: &EnvFile) -> Result<Self, Problems> {
        let mut take = Take { path, env, problems: Vec::new() };
        // In this order problems are told.
        let notion = Notion::without_database(&mut take);
        let mut config = Self {
            notion: Notion {
                database_id: take.parsed("NOTION_DATABASE_ID", notion_id),
                data_source_id: take.parsed_if_set("NOTION_DATA_SOURCE_ID", notion_id),
                ..notion
            },
            public_base_url: take.parsed("PUBLIC_BASE_URL", base_url),
            public_url_auth: take.parsed_if_set("PUBLIC_URL_AUTH", url_auth).map(Secret::new),
            recordings_root: take.parsed("RECORDINGS_ROOT", absolute),
            name_prefix: take.text("NOTION_NAME_PREFIX").unwrap_or_default().to_owned(),
            log_dir: take.parsed("LOG_DIR", absolute),
            lock_dir: take.parsed("LOCK_DIR", absolute),
            publish_link: take.parsed("PUBLISH_LINK", |text| {
                hls::choice(text, &[("playlist", Link::Playlist), ("page", Link::Page)])
            }),
            publish_unfinalized_after: match take.parsed("PUBLISH_UNFINALIZED_AFTER", |text| whole(text, "minutes")) {
                0 => None,
                minutes => Some(Duration::from_secs(u64::from(minutes) * 60)),
            },
            hls: Hls::take(&mut take),
            webhooks: webhooks::take(&mut take),
            spool_dir: take.parsed("SPOOL_DIR", absolute),
            warnings: env.warnings.clone(),
        };
        if config.public_url_auth.is_some() && config.public_base_url.starts_with("http://") {
            // The scripts dropped it without a word.
            take.problem(
                "PUBLIC_URL_AUTH",
                "needs an https base, or passwords travel in the clear: begin PUBLIC_BASE_URL with https://",
            );
        }
        if !take.problems.is_empty() {
            return Err(Problems::new(take.problems));
        }
        config.warnings.extend(misspelt(path, env));
        config.warnings.extend(webhooks::warnings(path, env, &config.webhooks));
        Ok(config)
    }
}

/// A warning for each value that is still the example's.
pub fn examples_left(path: &Path, env: &EnvFile) -> Vec<String> {
    let left = EXAMPLES.iter().filter(|(key, example)| env.get(key) == Some(example));
    left.filter_map(|(key, _)| {
        let line = env.line_of(key)?;
        Some(format!("{}:{line}: {key}: still the example's: put your own here", path.display()))
    })
    .collect()
}

/// Whether every user can read a file.
pub fn is_everybodys(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

/// Takes values out of an env file and gathers what is wrong with them.
struct Take<'a> {
    path: &'a Path,
    env: &'a EnvFile,
    problems: Vec<String>,
}

impl Take<'_> {
    /// The value of a key, or its default; an empty value is as good as none.
    fn text(&self, key: &str) -> Option<&str> {
        let default = || KEYS.iter().find(|known| known.name == key).and_then(|known| known.default);
        self.env.get(key).filter(|value| !value.is_empty()).or_else(default)
    }

    /// A required key, or one with a default. After a problem the result is never used.
    fn parsed<T: Default>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        if self.text(key).is_none() {
            let state = if self.env.get(key).is_some() { "is empty" } else { "is missing" };
            self.problem(key, &format!("{state}: write a line {key}='…' ({})", meaning(key)));
        }
        self.parsed_if_set(key, parse).unwrap_or_default()
    }

    fn parsed_if_set<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(self.text(key)?) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problem(key, &why);
                None
            }
        }
    }

    fn problem(&mut self, key: &str, why: &str) {
        let line = self.env.line_of(key).map(|line| format!(":{line}")).unwrap_or_default();
        self.problems.push(format!("{}{line}: {key}: {why}", self.path.display()));
    }
}

fn meaning(key: &str) -> &'static str {
    KEYS.iter().find(|known| known.name == key).map_or("", |known| known.meaning)
}

/// A warning for each key that looks like a misspelt one of ours. Others are ignored: the file may serve other programs too.
fn misspelt(path: &Path, env: &EnvFile) -> Vec<String> {
    unknown(env)
        .filter_map(|entry| Some((entry, near(&entry.key)?)))
        .map(|(entry, known)| {
            format!("{}:{}: {}: unknown key: did you mean {}?", path.display(), entry.line, entry.key, known.name)
        })
        .collect()
}

/// The keys that are not ours, and look like none of ours.
pub fn foreign_keys(env: &EnvFile) -> Vec<&str> {
    unknown(env).map(|entry| entry.key.as_str()).filter(|key| near(key).is_none()).collect()
}

fn unknown(env: &EnvFile) -> impl Iterator<Item = &Entry> {
    env.entries.iter().filter(|entry| {
        // Those of webhooks are judged by the names of the destinations.
        !entry.key.starts_with("WEBHOOK_") && KEYS.iter().all(|known| known.name != entry.key)
    })
}

fn near(key: &str) -> Option<&'static Key> {
    let key = key.to_ascii_uppercase();
    let close =
        |known: &&Key| known.name.len().abs_diff(key.len()) <= 2 && strsim::damerau_levenshtein(known.name, &key) <= 2;
    KEYS.iter().find(close)
}

fn token(text: &str) -> Result<String, String> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("holds a blank or a character outside of ASCII: copy the token again from the integration's page in Notion"
            .to_owned())
    }
}

fn absolute(text: &str) -> Result<PathBuf, String> {
    if text.starts_with('/') { Ok(text.into()) } else { Err("is not an absolute path: begin it with /".to_owned()) }
}

fn whole(text: &str, unit: &str) -> Result<u32, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| format!("is not a whole number of {unit}: write digits only, at most {}", u32::MAX))
}

fn base_url(text: &str) -> Result<String, String> {
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return Err(
            "does not begin with https:// or http://: write the whole URL, as https://rec.example.com".to_owned()
        );
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "holds a blank or a character outside of ASCII: percent-encode it (in a host name: Punycode, xn--…)"
                .to_owned(),
        );
    }
    if text.contains(['?', '#']) {
        return Err("holds ? or #: leave the query and the fragment out, paths are appended to this URL".to_owned());
    }
    let uri: Uri = text.parse().map_err(|_| "is not a URL: write it as https://rec.example.com".to_owned())?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err("holds a user or password: put it in PUBLIC_URL_AUTH='user:password@'".to_owned());
    }
    let host = uri.host().unwrap_or_default();
    let port = authority.strip_prefix(host).unwrap_or_default();
    if host.is_empty() || !(port.is_empty() || uri.port_u16().is_some()) {
        return Err(
            "has no valid host or port: write it as https://rec.example.com or https://rec.example.com:8443".to_owned()
        );
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn api_url(text: &str) -> Result<String, String> {
    let url = base_url(text).map_err(|why| why.replace("https://rec.example.com", "https://api.notion.com"))?;
    if url.starts_with("https://") || is_loopback(&url) {
        Ok(url)
    } else {
        Err("would send the token in the clear: begin it with https:// (http:// is for localhost only)".to_owned())
    }
}

/// `userinfo@` of RFC 3986 §3.2.1.
fn url_auth(text: &str) -> Result<String, String> {
    let Some(user) = text.strip_suffix('@').filter(|user| !user.is_empty()) else {
        return Err("does not have the form user:password@: write it so, with the @ at the end".to_owned());
    };
    let escaped = |after_percent: &str| {
        after_percent.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte);
    if user.bytes().all(plain) && user.split('%').skip(1).all(escaped) {
        Ok(text.to_owned())
    } else {
        Err("holds a character that a URL cannot: percent-encode it (@ is %40, / is %2F, # is %23, % is %25, a blank is %20)".to_owned())
    }
}

/// A Notion id (of a database, data source or page) in lower case and dashed, out of an id in any spelling or a pasted URL.
///
/// In a URL the id is the last one of the path; `?v=` names a view, not the database. The error is the reason and the
/// remedy, without the text.
pub fn notion_id(text: &str) -> Result<String, String> {
    let path = text.trim().split(['?', '#']).next().unwrap_or_default();
    let found = path.rsplit('/').map(ids_in).find(|ids| !ids.is_empty()).unwrap_or_default();
    match found.as_slice() {
        [id] => Ok([&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-")),
        [] => Err(
            "holds no Notion id (32 hex digits): copy the link of the page or database in Notion and paste it whole"
                .to_owned(),
        ),
        _ => Err("holds more than one Notion id: write the 32 hex digits of the right one".to_owned()),
    }
}

/// The ids in one segment of a path, 32 lower-case hex digits each; in `Weekly-cafe-<id>` the title's words are none.
fn ids_in(segment: &str) -> Vec<String> {
    const DASHED: [usize; 5] = [8, 4, 4, 4, 12];
    let words: Vec<&str> = segment.split('-').collect();
    let hex = |word: &str, length| word.len() == length && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let whole = words.iter().filter(|word| hex(word, 32)).map(ToString::to_string);
    let dashed = words
        .windows(5)
        .filter(|five| five.iter().zip(DASHED).all(|(word, length)| hex(word, length)))
        .map(<[_]>::concat);
    whole.chain(dashed).map(|id| id.to_ascii_lowercase()).collect()
}
