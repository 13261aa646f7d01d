//! What the web server gives to whom, found out with a room that is no recording's.

use rec_core::config::Config;
use rec_core::link::Link;

use crate::look::Look;
use crate::report::Finding;
use crate::room::{HIDDEN, METADATA, PLAYLIST, PLAYLIST_BYTES, Room, SEGMENT, segment_bytes};
use crate::site::{Got, Site};
use crate::users::Role;

const PLAYLIST_TYPES: [&str; 2] = ["application/vnd.apple.mpegurl", "application/x-mpegurl"];
const SEGMENT_TYPE: &str = "video/mp2t";
const IMPORT: &str = "import the Caddyfile of this package, or do in your web server what it does";
/// Bytes of the segment that are asked for alone.
const RANGE: std::ops::RangeInclusive<usize> = 100..=299;

pub(crate) fn check(look: &Look<'_>, config: &Config) -> Vec<Finding> {
    let site = Site::new(look, config);
    let mut findings = vec![transport(config, &site)];
    if look.cli.auth_file.is_some() && !site.has_password() {
        findings.push(
            Finding::failed("url.password", "--auth-file", "holds no user:password that can be read")
                .advise("put user:password there, on one line, for this user to read"),
        );
    }
    let user = look.users.in_role(Role::Worker).unwrap_or(look.users.me());
    let room = match Room::made_by(user, &config.recordings_root) {
        Ok(room) => room,
        Err(why) => {
            let object = format!("RECORDINGS_ROOT as {}", user.name);
            let why = format!("no file can be put there: {why}");
            findings.push(
                if look.users.is_root()
                    || look
                        .users
                        .in_role(Role::Worker)
                        .is_some_and(|worker| worker.name == look.users.name(Role::Worker))
                {
                    Finding::failed("url.probe", object, why).advise("see what rec-check directories says")
                } else {
                    Finding::skipped("url.probe", object, why).advise("look at it as root, or as the worker's user")
                },
            );
            return findings;
        }
    };
    let visit = Visit { site: &site, room: &room };
    match visit.playlist() {
        Ok(found) => {
            findings.extend(found);
            findings.push(visit.stranger());
            findings.extend(visit.segment());
            findings.push(visit.refuses("url.dotfiles", HIDDEN));
            findings.push(visit.refuses("url.metadata", METADATA));
            findings.push(visit.listing("", &room.name));
            findings.push(visit.listing(&format!("{}/", room.name), "probe.ts"));
            findings.push(visit.page(config.publish_link));
        }
        Err(found) => {
            findings.extend(*found);
            let why = "the probe file must be served first";
            for check in ["url.segment", "url.dotfiles", "url.listing", "url.page"] {
                findings.push(Finding::skipped(check, "", why));
            }
        }
    }
    findings
}

/// Whether others can read along.
fn transport(config: &Config, site: &Site<'_>) -> Finding {
    let base = &config.public_base_url;
    if base.starts_with("https://") {
        Finding::ok("url.https", base, "begins with https")
    } else if site.is_private() {
        Finding::ok("url.https", base, "is on this machine")
    } else {
        Finding::warning("url.https", base, "passwords and recordings travel in the clear")
            .advise("serve it by https, and begin PUBLIC_BASE_URL with https://")
    }
}

/// A look at one room of a site.
struct Visit<'a> {
    site: &'a Site<'a>,
    room: &'a Room,
}

/// Findings that end the visit.
type Over = Box<Vec<Finding>>;

impl Visit<'_> {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.room.name)
    }

    /// The playlist, as it lies there and with its type. What stands in the way of that stands in the way of all.
    fn playlist(&self) -> Result<Vec<Finding>, Over> {
        let check = "url.playlist";
        let over = |finding: Finding| Err(Box::new(vec![finding]));
        let got = match self.site.get(&self.path(PLAYLIST)) {
            Ok(got) => got,
            Err(why) => {
                return over(Finding::failed(check, "", format!("no answer: {why}")).advise(
                    "see that the web server runs, that its name leads to it and its certificate is valid; where this machine \
                     cannot reach its own public address, give it that name in /etc/hosts",
                ));
            }
        };
        match got.status {
            200 if got.body == PLAYLIST_BYTES => {}
            200 => {
                return over(
                    Finding::failed(check, "", "something else is served than what lies in RECORDINGS_ROOT")
                        .advise("see which server answers there, and what its root is"),
                );
            }
            _ if got.is_redirect() => {
                return over(
                    Finding::failed(check, "", format!("it leads elsewhere ({}): {}", got.status, got.location()))
                        .advise("set PUBLIC_BASE_URL to where the files are, or serve them here"),
                );
            }
            401 => return Err(Box::new(self.locked_out())),
            403 => {
                return over(
                    Finding::failed(check, "", "the web server may not read it, or does not want to (403)")
                        .advise("let its user read below RECORDINGS_ROOT: see what rec-check directories says as root"),
                );
            }
            404 => {
                return over(Finding::failed(check, "", "the web server does not find it (404)").advise(
                    "see that it serves RECORDINGS_ROOT at PUBLIC_BASE_URL, and that its user may read there",
                ));
            }
            status => {
                return over(
                    Finding::failed(check, "", format!("the web server answers {status}"))
                        .advise("see what its log says"),
                );
            }
        }
        Ok(vec![typed(check, &got, &PLAYLIST_TYPES, "browsers save it instead of playing it")])
    }

    /// What is known where it wants a password that we have not.
    fn locked_out(&self) -> Vec<Finding> {
        let mut findings = vec![Finding::ok("url.password", "", "nothing is served without the password (401)")];
        findings.push(if self.site.has_password() && self.site.is_private() {
            Finding::failed("url.playlist", "", "the web server does not accept this user and password (401)")
                .advise("give the right ones: --auth-file, REC_CHECK_AUTH or PUBLIC_URL_AUTH")
        } else if self.site.has_password() {
            Finding::skipped("url.playlist", "", "the password is not sent in the clear")
        } else {
            Finding::skipped("url.playlist", "", "the web server wants a password")
                .advise("give it in a file, as user:password on one line: rec-check --auth-file FILE url")
        });
        findings
    }

    /// Somebody without the password.
    fn stranger(&self) -> Finding {
        let (check, path) = ("url.password", self.path(SEGMENT));
        match self.site.get_as_stranger(&path) {
            Ok(got) if got.status == 401 => Finding::ok(check, "", "nothing is served without the password (401)"),
            Ok(got) if (200..300).contains(&got.status) => {
                Finding::failed(check, "", "recordings are served to everybody, without a password").advise(IMPORT)
            }
            Ok(got) => Finding::ok(check, "", format!("nothing is served without the password ({})", got.status)),
            Err(why) => Finding::skipped(check, "", format!("no answer: {why}")),
        }
    }

    /// Media: their type, and a part of them.
    fn segment(&self) -> Vec<Finding> {
        let path = self.path(SEGMENT);
        let whole = match self.site.get(&path) {
            Ok(got) if got.status == 200 && got.body == segment_bytes() => {
                typed("url.segment", &got, &[SEGMENT_TYPE], "some players do not play it")
            }
            Ok(got) => Finding::failed("url.segment", "", format!("is not served as it lies there ({})", got.status))
                .advise(IMPORT),
            Err(why) => Finding::failed("url.segment", "", format!("no answer: {why}")).advise("see what its log says"),
        };
        let wanted = format!("bytes={}-{}", RANGE.start(), RANGE.end());
        let part = match self.site.get_with(&path, ("Range", &wanted)) {
            Ok(got) if got.status == 206 && got.body == segment_bytes()[RANGE] => {
                Finding::ok("url.ranges", "", "parts of a file are served")
            }
            Ok(got) => {
                Finding::failed("url.ranges", "", format!("a part of a file is not served as such ({})", got.status))
                    .advise(
                        "let the web server answer byte ranges, and not compress media: else nobody can seek in an MP4",
                    )
            }
            Err(why) => Finding::failed("url.ranges", "", format!("no answer: {why}")).advise("see what its log says"),
        };
        vec![whole, part]
    }

    /// What is nobody's business.
    fn refuses(&self, check: &'static str, name: &str) -> Finding {
        match self.site.get(&self.path(name)) {
            Ok(got) if got.status == 200 => {
                Finding::failed(check, name, "is served: what it stands for holds ids, or tokens").advise(IMPORT)
            }
            Ok(got) => Finding::ok(check, name, format!("is refused ({})", got.status)),
            Err(why) => Finding::skipped(check, name, format!("no answer: {why}")),
        }
    }

    /// A directory that must not say what is in it, to a browser nor to a program.
    fn listing(&self, path: &str, tell_tale: &str) -> Finding {
        let (check, object) = ("url.listing", format!("/{}", if path.is_empty() { "" } else { "ROOM/" }));
        for accepted in ["application/json", "text/html", "*/*"] {
            match self.site.get_with(path, ("Accept", accepted)) {
                Ok(got)
                    if got.status == 200 && (got.has(tell_tale.as_bytes()) || got.has(b"\"v0") || got.has(b"v0/")) =>
                {
                    return Finding::failed(
                        check,
                        object,
                        format!("whoever asks for {accepted} gets a list of what is there"),
                    )
                    .advise(
                        "take browse out of file_server (it switches listings on whatever stands behind it), or: "
                            .to_owned()
                            + IMPORT,
                    );
                }
                Ok(got) if got.status >= 500 => {
                    return Finding::failed(check, object, format!("the web server fails ({})", got.status))
                        .advise(IMPORT);
                }
                Ok(_) => {}
                Err(why) => return Finding::skipped(check, object, format!("no answer: {why}")),
            }
        }
        Finding::ok(check, object, "does not list what is there")
    }

    /// The page on which a recording is watched; rows may lead to it.
    fn page(&self, link: Link) -> Finding {
        let check = "url.page";
        match self.site.get(&self.path("v0/")) {
            Ok(got) if got.status == 200 && got.kind() == "text/html" && !got.has(b"probe.ts") => {
                Finding::ok(check, "", "a page to watch is served at ROOM/v0/")
            }
            Ok(got) if link == Link::Page => {
                let why = format!(
                    "no page to watch is served at ROOM/v0/ ({}), and PUBLISH_LINK has rows lead there",
                    got.status
                );
                Finding::failed(check, "", why).advise(IMPORT)
            }
            Ok(got) => Finding::warning(check, "", format!("no page to watch is served at ROOM/v0/ ({})", got.status))
                .advise(IMPORT),
            Err(why) => Finding::skipped(check, "", format!("no answer: {why}")),
        }
    }
}

/// Whether it came with one of these types.
fn typed(check: &'static str, got: &Got, wanted: &[&str], otherwise: &str) -> Finding {
    let kind = got.kind();
    if wanted.contains(&kind.as_str()) {
        return Finding::ok(check, "", format!("is served, as {kind}"));
    }
    let kind = if kind.is_empty() { "nothing".to_owned() } else { kind };
    Finding::failed(check, "", format!("is served as {kind} instead of {}: {otherwise}", wanted[0])).advise(IMPORT)
}
