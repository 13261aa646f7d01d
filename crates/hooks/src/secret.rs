//! Where a destination's secret is.

use std::env;
use std::path::{Path, PathBuf};

use rec_core::access::{Want, explain};
use rec_core::config::{Destination, SecretSource};
use rec_core::secret::Secret;
use rec_core::small;
use rec_core::text::shown;

/// A secret is a line.
const LARGEST: u64 = 64 << 10;

/// The secret of a destination: that of the env file, of a file, or of systemd's credentials. The error says why there is
/// none, and what to do.
pub fn of(to: &Destination) -> Result<Secret, String> {
    let key = format!("WEBHOOK_{}_SECRET", to.name.to_ascii_uppercase());
    match &to.secret {
        SecretSource::Value(secret) => Ok(secret.clone()),
        SecretSource::File(path) => read(path).map_err(|why| format!("{key}_FILE: {why}")),
        SecretSource::None => match credential(&to.name) {
            Some(path) => read(&path),
            None => Err(format!("{key} is missing: set it, or {key}_FILE")),
        },
    }
}

/// Reads a secret's file. Editors end it with a newline that is not part of the secret.
pub fn read(path: &Path) -> Result<Secret, String> {
    // A link is followed: credentials may be one.
    let real = path.canonicalize();
    let bytes = real.and_then(|real| small::read(&real, LARGEST));
    let bytes = bytes.map_err(|error| {
        let why = explain(path, Want::Read, &error)
            .unwrap_or_else(|| "put the secret there, for this user to read, or name another file".to_owned());
        format!("{} cannot be read: {error}: {why}", shown(path))
    })?;
    let path = shown(path);
    let text =
        String::from_utf8(bytes).map_err(|_| format!("{path} is no text: put the secret there, and nothing else"))?;
    let text = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(&text);
    if text.is_empty() {
        return Err(format!("{path} is empty: put the secret there"));
    }
    Ok(Secret::new(text))
}

fn credential(name: &str) -> Option<PathBuf> {
    let dir = env::var_os("CREDENTIALS_DIRECTORY").filter(|dir| !dir.is_empty())?;
    let path = Path::new(&dir).join(format!("webhook-{name}"));
    path.exists().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        for (text, wanted) in [
            ("s3cret", Some("s3cret")),
            ("s3cret\n", Some("s3cret")),
            ("s3cret\n\n", Some("s3cret\n")),
            (" s\r", Some(" s\r")),
            ("s\r\n", Some("s")),
            ("\n", None),
            ("", None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).ok().as_ref().map(Secret::expose), wanted, "{text:?}");
        }
        assert!(read(&dir.path().join("none")).unwrap_err().contains("cannot be read"));
    }
}
