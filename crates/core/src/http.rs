//! What every HTTP client of the suite does alike: trust, proxies, time limits, and words for what went wrong.

use std::time::Duration;

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy, Timeout};

/// For the name's addresses, and again for the connection with its TLS handshake.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that idled for longer may be closing on the other side, where a request sent on it would end in doubt.
const IDLE: Duration = Duration::from_secs(2);

/// A client for one server: it trusts whom the system trusts, follows no redirect, and asks a proxy of the environment unless
/// the server is on this machine. Every status is an answer, not an error.
pub fn agent(url: &str) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("jitsi-recording-pipeline/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .proxy(Proxy::try_from_env().filter(|_| !is_loopback(url)))
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .max_idle_age(IDLE)
        .build()
        .new_agent()
}

/// Whether a URL leads to this machine, where a proxy from the environment would not.
pub fn is_loopback(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Why there was no answer within `limit`.
pub fn why(error: &ureq::Error, limit: Duration) -> String {
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            format!("no connection within {} s", CONNECT.min(limit).as_secs_f32())
        }
        ureq::Error::Timeout(_) => format!("silence for {:.1} s", limit.as_secs_f32()),
        ureq::Error::Io(e) if e.get_ref().is_some_and(|inner| inner.to_string().contains("peer certificate")) => {
            format!("{e} (the system's trust store decides; a company's own CA belongs there)")
        }
        ureq::Error::Io(e) => e.to_string(),
        other => other.to_string(),
    }
}

/// Reads a Retry-After: seconds, or an HTTP date, which may have passed. `None`: it is neither.
pub fn retry_after(value: &str, now: OffsetDateTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    Some(Duration::try_from(date(value)? - now).unwrap_or(Duration::ZERO))
}

/// Reads an HTTP date, as `Date` has it.
pub fn date(value: &str) -> Option<OffsetDateTime> {
    let form =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    Some(PrimitiveDateTime::parse(value.trim(), form).ok()?.assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn no_proxy_is_asked_for_this_machine() {
        for url in ["http://127.0.0.1:80", "http://localhost:1/x", "http://[::1]:8080"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["https://api.notion.com", "http://10.0.0.1", ""] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        let now = datetime!(2026-11-20 10:00:00 UTC);
        let cases = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Fri, 20 Nov 2026 10:01:30 GMT", Some(90)),
            ("Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("99999999999", None),
        ];
        for (value, wanted) in cases {
            assert_eq!(retry_after(value, now), wanted.map(Duration::from_secs), "{value}");
        }
    }
}
