//! Notion's ids: UUIDs, dashed in every reply, with or without dashes in requests.

use std::hash::{BuildHasher, RandomState};

/// A new random id, dashed.
pub(crate) fn new() -> String {
    // A fresh RandomState has fresh keys: enough randomness for ids that only have to differ, without a crate for it.
    let half = || RandomState::new().hash_one(0_u8);
    let bits = (u128::from(half()) << 64) | u128::from(half());
    // The version and variant of a random UUID: clients check them.
    let bits = (bits & !(0xf << 76) | (0x4 << 76)) & !(0x3 << 62) | (0x2 << 62);
    dashed(&format!("{bits:032x}"))
}

/// The dashed form in lower case of an id that a client sent, or `None` where it is not one.
pub(crate) fn parse(text: &str) -> Option<String> {
    let hex = match text.len() {
        32 => text.to_owned(),
        36 => {
            let dashes = [8, 13, 18, 23];
            if text.char_indices().any(|(at, c)| (c == '-') != dashes.contains(&at)) {
                return None;
            }
            text.replace('-', "")
        }
        _ => return None,
    };
    hex.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| dashed(&hex.to_ascii_lowercase()))
}

/// The id as it stands in a page's URL.
pub(crate) fn undashed(id: &str) -> String {
    id.replace('-', "")
}

fn dashed(hex: &str) -> String {
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_with_and_without_dashes_in_any_case() {
        let dashed = "38c9ce7b-60a4-8158-aa2a-d4923e46fb5b";
        assert_eq!(parse(dashed).as_deref(), Some(dashed));
        assert_eq!(parse("38C9CE7B60A48158AA2AD4923E46FB5B").as_deref(), Some(dashed));
        assert_eq!(parse(&new()).map(|id| id.len()), Some(36));
        for bad in [
            "AAA",
            "",
            "38c9ce7b60a48158aa2ad4923e46fb5",
            "38c9ce7b-60a48158-aa2a-d4923e46fb5b-",
            "ä8c9ce7b60a48158aa2ad4923e46fb5",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
