//! The keys of the webhooks: `WEBHOOKS` names the destinations, and each has keys of its own, `WEBHOOK_<NAME>_…`.

use std::path::{Path, PathBuf};

use super::{EnvFile, Take, absolute, base_url};
use crate::http::is_loopback;
use crate::secret::Secret;
use crate::state::Moment;

/// The longest name of a destination: it is a directory, and a part of keys.
const LONGEST: usize = 32;

/// What a destination's own keys end in.
const ENDINGS: [&str; 6] = ["PROFILE", "URL", "SECRET_FILE", "SECRET", "ON", "INSECURE"];

/// Somebody who is told of recordings.
#[derive(Debug, Clone)]
pub struct Destination {
    /// As `WEBHOOKS` has it.
    pub name: String,
    /// Which form its messages have.
    pub profile: HookProfile,
    /// What is posted to: the configured URL, with the profile's path behind it.
    pub url: String,
    /// Where the secret is that signs what it gets.
    pub secret: SecretSource,
    /// What it is told: [`Moment::Recorded`] or [`Moment::Published`].
    pub on: Moment,
}

/// Where a destination's secret is.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// In the env file.
    Value(Secret),
    /// In a file of its own.
    File(PathBuf),
    /// Nowhere in the configuration: systemd may have it among the credentials.
    None,
}

/// The form of a destination's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HookProfile {
    /// Reflector's receiver.
    Reflector,
    /// `OptiLearn`'s receiver.
    Optilearn,
    /// Standard Webhooks, for everybody else.
    #[default]
    Standard,
}

impl HookProfile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Reflector, Self::Optilearn, Self::Standard];

    /// Its name in settings.
    pub fn as_str(self) -> &'static str {
        self.settings().name
    }

    /// What its settings mean; the form of its messages is no matter of the configuration.
    fn settings(self) -> Settings {
        match self {
            Self::Reflector => {
                Settings { name: "reflector", path: "/v1/jibri/recording-complete", on: Moment::Recorded }
            }
            Self::Optilearn => {
                Settings { name: "optilearn", path: "/api/webhooks/jitsi-recording", on: Moment::Published }
            }
            Self::Standard => Settings { name: "standard", path: "", on: Moment::Published },
        }
    }
}

struct Settings {
    name: &'static str,
    /// What is put behind the configured URL; nothing where that is the receiver's own.
    path: &'static str,
    /// What its destinations are told by default.
    on: Moment,
}

impl std::str::FromStr for HookProfile {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|profile| profile.as_str() == name);
        found.ok_or_else(|| "is none of reflector, optilearn, standard: write one of them".to_owned())
    }
}

/// The destinations, in the order of their names in `WEBHOOKS`.
pub(super) fn take(take: &mut Take<'_>) -> Vec<Destination> {
    let names: Vec<String> =
        take.text("WEBHOOKS").unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
    let mut destinations: Vec<Destination> = Vec::new();
    for name in names {
        if !is_name(&name) {
            take.problem(
                "WEBHOOKS",
                &format!(
                    "a name in it is none: begin each with a letter and go on with letters, digits and _, all lower case, \
                     {LONGEST} at most, with blanks between the names"
                ),
            );
        } else if destinations.iter().any(|known| known.name == name) {
            take.problem("WEBHOOKS", &format!("names {name} twice: leave one of them out"));
        } else {
            destinations.push(destination(take, name));
        }
    }
    destinations
}

fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= LONGEST && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(inner)
}

fn key(name: &str, ending: &str) -> String {
    format!("WEBHOOK_{}_{ending}", name.to_ascii_uppercase())
}

fn destination(take: &mut Take<'_>, name: String) -> Destination {
    let profile_key = key(&name, "PROFILE");
    let profile = match take.parsed_if_set(&profile_key, str::parse) {
        Some(profile) => profile,
        None if take.text(&profile_key).is_some() => HookProfile::default(),
        None => name.parse().unwrap_or_else(|_| {
            take.problem(
                &profile_key,
                &format!("is missing: write a line {profile_key}='…' (reflector, optilearn or standard)"),
            );
            HookProfile::default()
        }),
    };
    let insecure = take.parsed_if_set(&key(&name, "INSECURE"), zero_or_one).unwrap_or_default();
    let url_key = key(&name, "URL");
    let url = take.parsed_if_set(&url_key, |text| url(text, profile, insecure));
    if take.text(&url_key).is_none() {
        take.problem(
            &url_key,
            &format!("is missing: write a line {url_key}='…' (where {name} is to get its messages)"),
        );
    }
    let secret = secret(take, &name);
    let on = take.parsed_if_set(&key(&name, "ON"), moment).unwrap_or(profile.settings().on);
    Destination { name, profile, url: url.unwrap_or_default(), secret, on }
}

fn secret(take: &mut Take<'_>, name: &str) -> SecretSource {
    let (value_key, file_key) = (key(name, "SECRET"), key(name, "SECRET_FILE"));
    let value = take.text(&value_key).map(Secret::new);
    let file = take.parsed_if_set(&file_key, absolute);
    match (value, file) {
        (Some(_), Some(_)) => {
            take.problem(&file_key, &format!("{value_key} is set too: leave one of them out"));
            SecretSource::None
        }
        (Some(value), None) => SecretSource::Value(value),
        (None, Some(file)) => SecretSource::File(file),
        (None, None) => SecretSource::None,
    }
}

fn zero_or_one(text: &str) -> Result<bool, String> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err("is neither 0 nor 1: write 1 to allow http:// to other hosts".to_owned()),
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    match text.parse() {
        Ok(moment @ (Moment::Recorded | Moment::Published)) => Ok(moment),
        _ => Err("is none of recorded, published: write one of them".to_owned()),
    }
}

/// The URL that is posted to. A receiver of Standard Webhooks has a URL of its own, which is left as it is.
fn url(text: &str, profile: HookProfile, insecure: bool) -> Result<String, String> {
    let (base, query) = match profile {
        HookProfile::Standard => text.split_once('?').unwrap_or((text, "")),
        _ => (text, ""),
    };
    let checked = base_url(base).map_err(|why| {
        if why.starts_with("holds a user or password") {
            "holds a user or password: leave them out, the signature says who sends".to_owned()
        } else {
            why.replace("https://rec.example.com", "https://app.example.com")
        }
    })?;
    if !query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err("holds # or what a query cannot: percent-encode it".to_owned());
    }
    if !checked.starts_with("https://") && !is_loopback(&checked) && !insecure {
        return Err(
            "would send messages in the clear: begin it with https:// (http:// is for localhost, or set …_INSECURE=1)"
                .to_owned(),
        );
    }
    Ok(match profile.settings().path {
        "" => text.to_owned(),
        path => checked + path,
    })
}

/// A warning for each key that begins as those of webhooks do and has no meaning.
pub(super) fn warnings(path: &Path, env: &EnvFile, destinations: &[Destination]) -> Vec<String> {
    let known: Vec<String> = destinations
        .iter()
        .flat_map(|destination| ENDINGS.iter().map(|ending| key(&destination.name, ending)))
        .collect();
    let unknown = env.entries.iter().filter(|entry| entry.key.starts_with("WEBHOOK_") && !known.contains(&entry.key));
    unknown
        .map(|entry| {
            let near = known.iter().filter(|known| strsim::damerau_levenshtein(known, &entry.key) <= 2);
            let near = near.min_by_key(|known| strsim::damerau_levenshtein(known, &entry.key));
            let why = match (near, named(&entry.key)) {
                (Some(near), _) => format!("unknown key: did you mean {near}?"),
                (None, Some(name)) => format!("{name} is not in WEBHOOKS: ignored"),
                (None, None) => {
                    format!("unknown key: did you mean one that ends in _{}? Ignored", nearest_ending(&entry.key))
                }
            };
            format!("{}:{}: {}: {why}", path.display(), entry.line, entry.key)
        })
        .collect()
}

/// The destination that a key with a right ending is for.
fn named(key: &str) -> Option<String> {
    let rest = key.strip_prefix("WEBHOOK_")?;
    let name = ENDINGS.iter().find_map(|ending| rest.strip_suffix(ending)?.strip_suffix('_'))?;
    Some(name.to_ascii_lowercase())
}

fn nearest_ending(key: &str) -> &'static str {
    let last = key.rsplit('_').next().unwrap_or_default();
    let distance = |ending: &&&str| strsim::damerau_levenshtein(ending, last);
    ENDINGS.iter().min_by_key(distance).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Problems};
    use super::*;
    use crate::envfile;

    fn load(lines: &str) -> Result<Config, Problems> {
        let path = Path::new("F");
        let text = format!(
            "NOTION_TOKEN=t\nNOTION_DATABASE_ID=38c9ce7b60a48158aa2ad4923e46fb5b\nPUBLIC_BASE_URL='https://rec.example.com'\n\
             RECORDINGS_ROOT=/r\n{lines}\n"
        );
        Config::from_entries(path, &envfile::parse(path, text.as_bytes())?)
    }

    #[test]
    fn without_webhooks_there_are_no_destinations_and_no_warnings() {
        let config = load("").unwrap();
        assert!(config.webhooks.is_empty() && config.warnings.is_empty());
        assert_eq!(config.spool_dir, Path::new("/var/spool/jitsi-recording-pipeline"));
    }

    #[test]
    fn a_destination_named_as_a_profile_needs_a_url_only() {
        let config = load(
            "WEBHOOKS='reflector  optilearn mine'\nWEBHOOK_REFLECTOR_URL='https://ref.example.com/'\n\
             WEBHOOK_OPTILEARN_URL='https://app.example.com/base'\nWEBHOOK_OPTILEARN_ON=recorded\n\
             WEBHOOK_OPTILEARN_SECRET='hunter2'\nWEBHOOK_MINE_PROFILE=standard\nWEBHOOK_MINE_URL='https://h.example.com/x/?a=b'\n\
             WEBHOOK_MINE_SECRET_FILE=/etc/s\nWEBHOOK_MINE_INSECURE=0\nSPOOL_DIR=/s",
        )
        .unwrap();
        let [reflector, optilearn, mine] = &config.webhooks[..] else { panic!("{:?}", config.webhooks) };
        assert_eq!(reflector.url, "https://ref.example.com/v1/jibri/recording-complete");
        assert_eq!((reflector.profile, reflector.on), (HookProfile::Reflector, Moment::Recorded));
        assert!(matches!(reflector.secret, SecretSource::None));
        assert_eq!(optilearn.url, "https://app.example.com/base/api/webhooks/jitsi-recording");
        assert_eq!((optilearn.profile, optilearn.on), (HookProfile::Optilearn, Moment::Recorded));
        assert!(matches!(&optilearn.secret, SecretSource::Value(secret) if secret.expose() == "hunter2"));
        assert_eq!((mine.url.as_str(), mine.on), ("https://h.example.com/x/?a=b", Moment::Published));
        assert!(matches!(&mine.secret, SecretSource::File(file) if file == Path::new("/etc/s")));
        assert!(config.warnings.is_empty() && config.spool_dir == Path::new("/s"), "{:?}", config.warnings);
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn all_that_is_wrong_with_a_destination_is_said_at_once() {
        let problems =
            load("WEBHOOKS='mine'\nWEBHOOK_MINE_ON=failed\nWEBHOOK_MINE_SECRET=hunter2\nWEBHOOK_MINE_SECRET_FILE=/x");
        let wanted = [
            "F: WEBHOOK_MINE_PROFILE: is missing: write a line WEBHOOK_MINE_PROFILE='…' (reflector, optilearn or standard)",
            "F: WEBHOOK_MINE_URL: is missing: write a line WEBHOOK_MINE_URL='…' (where mine is to get its messages)",
            "F:8: WEBHOOK_MINE_SECRET_FILE: WEBHOOK_MINE_SECRET is set too: leave one of them out",
            "F:6: WEBHOOK_MINE_ON: is none of recorded, published: write one of them",
        ];
        assert_eq!(problems.unwrap_err().sentences(), wanted);
    }

    #[test]
    fn each_malformed_value_is_refused_with_its_reason_and_never_shown() {
        let table = [
            ("WEBHOOKS=Hunter2", "WEBHOOKS: a name in it is none"),
            ("WEBHOOKS=2hunter2", "WEBHOOKS: a name in it is none"),
            ("WEBHOOKS='hunter2-x'", "WEBHOOKS: a name in it is none"),
            ("WEBHOOKS=hunter2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "WEBHOOKS: a name in it is none"),
            ("WEBHOOKS='standard standard'", "WEBHOOKS: names standard twice: leave one of them out"),
            (
                "WEBHOOK_STANDARD_PROFILE=hunter2",
                "_PROFILE: is none of reflector, optilearn, standard: write one of them",
            ),
            ("WEBHOOK_STANDARD_INSECURE=hunter2", "_INSECURE: is neither 0 nor 1"),
            ("WEBHOOK_STANDARD_SECRET_FILE=hunter2", "_SECRET_FILE: is not an absolute path"),
            ("WEBHOOK_STANDARD_URL=hunter2", "_URL: does not begin with https:// or http://"),
            ("WEBHOOK_STANDARD_URL='http://hunter2.example.com'", "_URL: would send messages in the clear"),
            (
                "WEBHOOK_STANDARD_URL='https://a:hunter2@h.example.com'",
                "_URL: holds a user or password: leave them out",
            ),
            ("WEBHOOK_STANDARD_URL='https://h.example.com/x?hunter2 x'", "_URL: holds # or what a query cannot"),
            ("WEBHOOK_STANDARD_URL='https://h.example.com/x#hunter2'", "_URL: holds ? or #"),
            ("SPOOL_DIR=hunter2", "SPOOL_DIR: is not an absolute path"),
        ];
        for (line, reason) in table {
            let text = format!("WEBHOOKS=standard\nWEBHOOK_STANDARD_URL='https://h.example.com'\n{line}");
            let problems = load(&text).expect_err(line).to_string();
            assert!(problems.starts_with("F:7: ") && problems.contains(reason), "{line}: {problems}");
            assert!(!problems.contains("hunter2") && problems.lines().count() == 1, "{line}: {problems}");
        }
        let query = load("WEBHOOKS=reflector\nWEBHOOK_REFLECTOR_URL='https://h.example.com/?hunter2'").unwrap_err();
        assert!(query.to_string().contains("holds ? or #"), "{query}");
        for (url, insecure, accepted) in [
            ("http://127.0.0.1:8080", "0", true),
            ("http://[::1]:8080/x", "0", true),
            ("http://localhost", "0", true),
            ("http://10.0.0.1", "0", false),
            ("http://10.0.0.1", "1", true),
        ] {
            let text = format!("WEBHOOKS=standard\nWEBHOOK_STANDARD_URL='{url}'\nWEBHOOK_STANDARD_INSECURE={insecure}");
            assert_eq!(load(&text).is_ok(), accepted, "{url} {insecure}");
        }
    }

    #[test]
    fn keys_of_webhooks_without_a_meaning_are_warned_of() {
        let config = load(
            "WEBHOOKS=standard\nWEBHOOK_STANDARD_URL='https://h.example.com'\nWEBHOOK_STANDARD_URI=x\n\
             WEBHOOK_OTHER_SECRET_FILE=x\nWEBHOOK_STANDARD_HEADER=x\nWEBHOOK_STANDART_ON=x\nWEBHOKS=x",
        )
        .unwrap();
        let wanted = [
            "F:11: WEBHOKS: unknown key: did you mean WEBHOOKS?",
            "F:7: WEBHOOK_STANDARD_URI: unknown key: did you mean WEBHOOK_STANDARD_URL?",
            "F:8: WEBHOOK_OTHER_SECRET_FILE: other is not in WEBHOOKS: ignored",
            "F:9: WEBHOOK_STANDARD_HEADER: unknown key: did you mean one that ends in _SECRET? Ignored",
            "F:10: WEBHOOK_STANDART_ON: unknown key: did you mean WEBHOOK_STANDARD_ON?",
        ];
        assert_eq!(config.warnings, wanted);
    }
}
