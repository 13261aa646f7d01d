//! Signatures: HMAC-SHA256, in the forms that the profiles have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rec_core::secret::Secret;
use sha2::Sha256;

use crate::event::hex;
use crate::profile::{Content, Encoding, Format, STANDARD, Signature};

/// The header with a message's id.
pub const ID: &str = "webhook-id";
/// The header with the time of this try, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";

/// How old, or how far ahead, the time of a message may be.
const TOLERANCE: u64 = 300;

/// The headers that say who a message is from: a name and a value each.
pub type Headers = Vec<(&'static str, String)>;

/// The headers of a message.
pub fn headers(format: &Format, secret: &Secret, id: &str, seconds: i64, body: &[u8]) -> Result<Headers, String> {
    let mut headers = Vec::new();
    let signed = |signature: &Signature| -> Result<(&'static str, String), String> {
        let mac = mac(signature, secret, id, &seconds.to_string(), body)?.finalize().into_bytes();
        let written = match signature.encoding {
            Encoding::Hex => hex(&mac),
            Encoding::Base64 => BASE64.encode(mac),
        };
        Ok((signature.header, format!("{}{written}", signature.prefix)))
    };
    headers.push(signed(&format.signature)?);
    // A secret that is no key of Standard Webhooks is as good as any for a receiver that does not know them.
    let beside = if format.beside { signed(&STANDARD).ok() } else { None };
    if beside.is_some() || format.signature.content == Content::IdTimeBody {
        headers.push((ID, id.to_owned()));
        headers.push((TIMESTAMP, seconds.to_string()));
        headers.extend(beside);
    }
    Ok(headers)
}

/// Whether the headers of a message are right: each signature among them that the profile knows, and there must be one. With
/// `now`, the time of a message of Standard Webhooks must be near it. The error says what is wrong.
pub fn verify(
    format: &Format,
    secret: &Secret,
    headers: &[(String, String)],
    body: &[u8],
    now: Option<i64>,
) -> Result<(), String> {
    let header =
        |name: &str| headers.iter().find(|header| header.0.eq_ignore_ascii_case(name)).map(|header| &*header.1);
    let known = std::iter::once(format.signature).chain(format.beside.then_some(STANDARD));
    let mut checked = false;
    for signature in known {
        let Some(value) = header(signature.header) else { continue };
        let (id, time) = match signature.content {
            Content::Body => ("", ""),
            Content::IdTimeBody => {
                let part = |name: &str| header(name).ok_or_else(|| format!("there is no header {name}"));
                (part(ID)?, part(TIMESTAMP)?)
            }
        };
        let mac = mac(&signature, secret, id, time, body)?;
        // Of Standard Webhooks there may be several, while a secret is changed.
        let values: Vec<&str> = match signature.content {
            Content::Body => vec![value],
            Content::IdTimeBody => value.split(' ').collect(),
        };
        let right = |value: &&str| {
            let bytes = value.strip_prefix(signature.prefix).and_then(|text| decoded(signature.encoding, text));
            bytes.is_some_and(|bytes| mac.clone().verify_slice(&bytes).is_ok())
        };
        if !values.iter().any(right) {
            return Err(format!("{} is not the signature of this body with this secret", signature.header));
        }
        if signature.content == Content::IdTimeBody {
            in_time(time, now)?;
        }
        checked = true;
    }
    if checked { Ok(()) } else { Err(format!("there is no header {}", format.signature.header)) }
}

fn in_time(time: &str, now: Option<i64>) -> Result<(), String> {
    let Some(now) = now else { return Ok(()) };
    let time: i64 = time.parse().map_err(|_| format!("{TIMESTAMP} is no number of seconds"))?;
    if now.abs_diff(time) > TOLERANCE {
        return Err(format!("{TIMESTAMP} is {} s from now, more than {TOLERANCE}", now.abs_diff(time)));
    }
    Ok(())
}

fn mac(signature: &Signature, secret: &Secret, id: &str, time: &str, body: &[u8]) -> Result<Hmac<Sha256>, String> {
    let key = match signature.content {
        Content::Body => secret.expose().as_bytes().to_vec(),
        Content::IdTimeBody => standard_key(secret)?,
    };
    let mut mac = Hmac::new_from_slice(&key).map_err(|error| error.to_string())?;
    if signature.content == Content::IdTimeBody {
        mac.update(format!("{id}.{time}.").as_bytes());
    }
    mac.update(body);
    Ok(mac)
}

/// `whsec_` and the key in base64, or any other text.
fn standard_key(secret: &Secret) -> Result<Vec<u8>, String> {
    match secret.expose().strip_prefix("whsec_") {
        Some(key) => BASE64.decode(key).map_err(|_| {
            "the secret begins with whsec_ and does not go on in base64: copy it again from the receiver".to_owned()
        }),
        None => Ok(secret.expose().as_bytes().to_vec()),
    }
}

fn decoded(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Base64 => BASE64.decode(text).ok(),
        Encoding::Hex => {
            let digit = |byte: u8| match byte {
                b'0'..=b'9' => Some(byte - b'0'),
                b'a'..=b'f' => Some(byte - b'a' + 10),
                _ => None,
            };
            let pairs = text.as_bytes().chunks(2);
            pairs.map(|pair| Some((digit(pair[0])? << 4) | digit(*pair.get(1)?)?)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::format;
    use rec_core::config::HookProfile::{self, Optilearn, Reflector, Standard};

    fn signed(profile: HookProfile, secret: &str, id: &str, time: i64, body: &str) -> Headers {
        headers(format(profile), &Secret::new(secret), id, time, body.as_bytes()).unwrap()
    }

    fn is_right(
        profile: HookProfile,
        secret: &str,
        headers: &[(&str, &str)],
        body: &str,
        now: Option<i64>,
    ) -> Result<(), String> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        verify(format(profile), &Secret::new(secret), &headers, body.as_bytes(), now)
    }

    /// "Validating webhook deliveries" of GitHub's documentation.
    #[test]
    fn githubs_published_example() {
        let headers = signed(Optilearn, "It's a Secret to Everybody", "msg_1", 0, "Hello, World!");
        assert_eq!(
            headers[0],
            ("X-Jibri-Signature", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17".to_owned())
        );
    }

    /// `printf '%s' BODY | openssl dgst -sha256 -hmac KEY`
    #[test]
    fn as_openssl_signs() {
        let cases = [
            ("s3cret", "", "91dfac70c5348b04e1babb8b421ac92cec08b565b49ca16130dccb72503647b7"),
            (
                "s3cret",
                "{\"room_name\":\"Raum Ü\"}",
                "140301f58c6aa30aff68c13ab2f22e1bf233579835701a6cad6c23790460277f",
            ),
            (
                "a key that is longer than one block of the hash, which is sixty-four bytes, and so is hashed itself",
                "body",
                "4836a999ddbddc8fa8a8403a5ca9d6bcb25fe96b109457ad4bca3c51d33ab863",
            ),
        ];
        for (secret, body, wanted) in cases {
            assert_eq!(signed(Reflector, secret, "i", 0, body)[0], ("X-Jitsi-Signature", wanted.to_owned()));
        }
    }

    /// The example of the Standard Webhooks specification, which its libraries test with too.
    #[test]
    fn the_example_of_standard_webhooks() {
        let (secret, id, time) =
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let (body, wanted) = ("{\"test\": 2432232314}", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let headers = signed(Standard, secret, id, time, body);
        assert_eq!(
            headers,
            [
                ("webhook-signature", wanted.to_owned()),
                ("webhook-id", id.to_owned()),
                ("webhook-timestamp", "1614265330".to_owned()),
            ]
        );
        let received =
            |signature| [("Webhook-Signature", signature), ("webhook-id", id), ("webhook-timestamp", "1614265330")];
        for (signature, now, right) in [
            (wanted, Some(time + 300), true),
            (wanted, Some(time - 300), true),
            (wanted, Some(time + 301), false),
            (wanted, Some(time - 301), false),
            (wanted, None, true),
            ("v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x", None, true),
            ("v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", None, false),
            ("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", None, false),
            ("v1,g0hM9SsE", None, false),
            ("", None, false),
        ] {
            assert_eq!(
                is_right(Standard, secret, &received(signature), body, now).is_ok(),
                right,
                "{signature} {now:?}"
            );
        }
        assert!(is_right(Standard, secret, &received(wanted), "{\"test\": 2432232315}", None).is_err());
        assert!(
            is_right(Standard, secret, &received(wanted)[..2], body, None).unwrap_err().contains("webhook-timestamp")
        );
    }

    #[test]
    fn a_standard_secret_is_base64_after_its_prefix_and_else_itself() {
        assert_eq!(standard_key(&Secret::new("whsec_AAEC")), Ok(vec![0, 1, 2]));
        assert_eq!(standard_key(&Secret::new("AAEC")), Ok(b"AAEC".to_vec()));
        assert!(standard_key(&Secret::new("whsec_hunter2!")).is_err_and(|why| !why.contains("hunter2")));
        // A receiver that looks at the other header only is served all the same.
        let names = |secret| signed(Reflector, secret, "i", 0, "x").iter().map(|header| header.0).collect::<Vec<_>>();
        assert_eq!(names("whsec_!"), ["X-Jitsi-Signature"]);
        assert_eq!(names("x"), ["X-Jitsi-Signature", "webhook-id", "webhook-timestamp", "webhook-signature"]);
        assert!(headers(format(Standard), &Secret::new("whsec_!"), "i", 0, b"x").is_err());
    }

    #[test]
    fn every_profile_accepts_what_it_has_signed_and_nothing_else() {
        for profile in [Reflector, Optilearn, Standard] {
            let made = signed(profile, "s", "msg_1", 1000, "body");
            let made: Vec<(&str, &str)> = made.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(is_right(profile, "s", &made, "body", Some(1010)), Ok(()), "{profile:?}");
            assert!(is_right(profile, "s", &made, "bodY", Some(1010)).is_err(), "{profile:?}");
            assert!(is_right(profile, "S", &made, "body", Some(1010)).is_err(), "{profile:?}");
            assert!(is_right(profile, "s", &made, "body", Some(2000)).is_err(), "{profile:?}");
            assert!(is_right(profile, "s", &[], "body", None).unwrap_err().starts_with("there is no header "));
        }
        let hex = signed(Reflector, "s", "i", 0, "x")[0].1.clone();
        let reflector = |value: &str| is_right(Reflector, "s", &[("x-jitsi-signature", value)], "x", None).is_ok();
        assert!(reflector(&hex) && !reflector(&hex.to_uppercase()) && !reflector(&format!("sha256={hex}")));
        assert!(!reflector(&hex[..63]) && !reflector(&hex[..62]) && !reflector(&format!("{hex}00")));
        let optilearn = |value: &str| is_right(Optilearn, "s", &[("X-Jibri-Signature", value)], "x", None).is_ok();
        assert!(optilearn(&format!("sha256={hex}")) && !optilearn(&hex));
    }
}
