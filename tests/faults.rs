//! What goes wrong with Notion and with the way to it, when, and what the tools make of it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::media::{Clip, cut};
use crate::rooms::FINALIZED;
use crate::tls::{certificates, tls_before};
use crate::{Bench, Fault, Out, assert_published, listing};

/// A moment at which Notion is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Finalize creates the row.
    FinalizesCreate,
    /// The worker creates the row that finalize could not.
    WorkersCreate,
    /// The worker says that it has begun.
    Processing,
    /// The worker points the row at the HLS.
    Published,
    /// The worker says that the recording cannot be played.
    ErrorRow,
}

impl Moment {
    /// All of them, in the order of a recording's life.
    pub const ALL: [Self; 5] =
        [Self::FinalizesCreate, Self::WorkersCreate, Self::Processing, Self::Published, Self::ErrorRow];

    /// Whether a row is created then, and not changed.
    pub fn is_create(self) -> bool {
        matches!(self, Self::FinalizesCreate | Self::WorkersCreate)
    }

    /// A room for which this moment comes next.
    pub fn room(self, bench: &mut Bench) -> PathBuf {
        // What is encoded, and how, is no matter here.
        bench.set("HLS_PROFILE", "source");
        let room = bench.recorded_of(Clip::Short, "daily");
        match self {
            Self::FinalizesCreate => {}
            // As finalize leaves it.
            Self::WorkersCreate => {
                std::fs::write(room.join(".recording.json"), r#"{"version":1,"recordings":[]}"#).unwrap();
            }
            Self::Processing | Self::Published | Self::ErrorRow => {
                bench.finalize(&room).exits(0);
            }
        }
        if self == Self::ErrorRow {
            cut(&room.join("meeting.mp4"), 0.5);
        }
        bench.notion.clear_requests();
        room
    }

    /// Runs the tool that comes to this moment.
    pub fn run(self, bench: &Bench, room: &Path) -> Out {
        match self {
            Self::FinalizesCreate => bench.finalize(room),
            _ => bench.worker(),
        }
    }

    /// The log file that has its words.
    pub fn log(self) -> &'static str {
        if self == Self::FinalizesCreate { "finalize.log" } else { "hls-worker.log" }
    }

    /// The fault, for the request of this moment alone and as often as it is sent.
    fn meets(self, fault: Fault) -> Fault {
        let says = match self {
            Self::FinalizesCreate | Self::WorkersCreate => "recorded",
            Self::Processing => "processing",
            Self::Published => "published",
            Self::ErrorRow => "error",
        };
        let (method, path) = if self.is_create() { ("POST", "/v1/pages") } else { ("PATCH", "/v1/pages/") };
        fault.on(method, path).saying(says).forever()
    }

    /// Asserts the end that this moment leads to, whatever went wrong: nothing lost, one row, no litter.
    #[track_caller]
    pub fn assert_ended(self, bench: &Bench, room: &Path) {
        let row = bench.only_row();
        let (status, provider) = (row.status().unwrap(), row.provider().unwrap());
        if self == Self::ErrorRow {
            assert_eq!(listing(room), FINALIZED);
            assert_eq!((status.as_str(), provider.as_str()), ("error", "mp4"));
        } else {
            assert_published(room);
            assert_eq!((status.as_str(), provider.as_str()), ("published", "hls"));
            assert_eq!(row.url().unwrap(), "https://rec.example.com/daily/v0/master.m3u8");
        }
        assert_eq!(std::fs::read_to_string(room.join(".notion_id")).unwrap(), format!("{}\n", row.id));
    }
}

/// How a run ends that meets a fault, and what it says.
#[derive(Clone, Copy, Debug)]
pub struct Meets {
    /// The exit code.
    pub exit: i32,
    /// Why; nothing is said where the run copes.
    pub why: &'static str,
    /// What now.
    pub remedy: &'static str,
}

impl Meets {
    const fn new(exit: i32, why: &'static str, remedy: &'static str) -> Self {
        Self { exit, why, remedy }
    }

    /// Notion is away: a later run goes on.
    const fn later(why: &'static str) -> Self {
        Self::new(75, why, "; try again later")
    }

    /// A create that may have left a row.
    const fn looks(why: &'static str) -> Self {
        Self::new(75, why, "; the row may exist: it is looked for before another is created")
    }

    /// The same run goes on, with nothing to be said.
    const fn copes() -> Self {
        Self::new(0, "", "")
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// Notion, or something in its place, answers so, or does not.
    Notion(Fault),
    /// Notion does what it does not answer, and shows it to no query for minutes.
    NotShown,
    /// The token that it was given is no longer the right one.
    Token,
    /// Nobody listens at its address.
    Refused,
    /// Its name has no address.
    NoAddress,
    /// Somebody else has its address, without its certificate.
    Stranger,
}

impl Wrong {
    /// Lets it go wrong at a moment.
    pub fn make(&self, bench: &mut Bench, moment: Moment) {
        match self {
            Self::Notion(fault) => bench.notion.fail(moment.meets(fault.clone())),
            Self::NotShown => {
                bench.notion.query_lag(Duration::from_secs(100));
                bench.notion.fail(moment.meets(Fault::silent_after()));
            }
            Self::Token => bench.set("NOTION_TOKEN", "ntn_of_somebody_else"),
            Self::Refused => {
                let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
                bench.set("NOTION_API_URL", format!("http://{nobody}"));
            }
            Self::NoAddress => bench.set("NOTION_API_URL", "https://notion.invalid"),
            Self::Stranger => {
                let port = tls_before(bench.notion.address(), certificates(bench.dir()));
                bench.set("NOTION_API_URL", format!("https://localhost:{port}"));
            }
        }
    }

    /// Mends it.
    pub fn mend(&self, bench: &mut Bench) {
        match self {
            Self::Notion(_) | Self::NotShown => bench.notion.clear_faults(),
            Self::Token => bench.set("NOTION_TOKEN", bench.notion.token()),
            Self::Refused | Self::NoAddress | Self::Stranger => bench.set("NOTION_API_URL", bench.notion.url()),
        }
    }

    /// Whether it is in the way of every request, and not of one moment's alone.
    pub fn is_in_the_way(&self) -> bool {
        !matches!(self, Self::Notion(_) | Self::NotShown)
    }
}

/// A fault, and what those make of it who meet it.
pub struct Row {
    /// What goes wrong, in a word.
    pub name: &'static str,
    /// The fault itself.
    pub wrong: Wrong,
    finalize: Meets,
    worker: Meets,
    /// None where nothing is asked that it concerns.
    update: Option<Meets>,
}

impl Row {
    /// What comes of it at a moment.
    pub fn meets(&self, moment: Moment) -> Option<Meets> {
        match moment {
            Moment::FinalizesCreate => Some(self.finalize),
            Moment::WorkersCreate => Some(self.worker),
            _ => self.update,
        }
    }
}

/// The faults that show at once.
pub fn quick() -> Vec<Row> {
    let (later, looks) = (Meets::later, Meets::looks);
    let both = |meets| (meets, meets);
    let away = |why| both(later(why));
    let asked = |name, value: &str, why| (name, Wrong::Notion(Fault::answer(429).retry_after(value)), both(later(why)));
    let notion = |name, fault, meets| (name, Wrong::Notion(fault), meets);
    let token = "Notion does not accept NOTION_TOKEN: copy the integration's secret from https://";
    let right = "the integration lacks a right: give it read, update and insert content at https://";
    let unshared =
        "in Notion open the database, ••• → Connections → add the integration; or correct NOTION_DATABASE_ID";
    let gone = "restore it in Notion's trash";
    let refused = "mend what the answer names";
    let bad = Fault::answer(400).message("Recording URL is too nice.");
    let html = || Fault::raw(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>");
    let wifi = || Fault::raw(200, "text/html", "<html>Sign in to the hotel's wifi</html>");
    let list = || Fault::raw(200, "application/json", r#"{"object":"list","results":[]}"#);
    let not_a_page = "Notion answered 200 with something that is not ";
    let rows = [
        ("refused", Wrong::Refused, away("Connection refused")),
        ("no address", Wrong::NoAddress, away("no answer from https://notion.invalid: ")),
        ("no TLS", Wrong::Stranger, away("a company's own CA belongs there")),
        ("401", Wrong::Token, both(Meets::new(1, "401 unauthorized", token))),
        notion("400", bad, both(Meets::new(1, "400 validation_error: Recording URL is too nice.", refused))),
        notion("403", Fault::answer(403), both(Meets::new(1, "403 restricted_resource", right))),
        notion(
            "404",
            Fault::answer(404),
            (Meets::new(1, "404 object_not_found", unshared), Meets::new(1, "404", gone)),
        ),
        notion("409", Fault::answer(409), (looks("409 conflict_error"), later("409 conflict_error"))),
        notion("429", Fault::answer(429), away("429 rate_limited")),
        asked("429, wait 1 s", "1", "429 rate_limited"),
        asked("429, wait until", &http_date(2), "429 rate_limited"),
        asked("429, wait 10 hours", "36000", "it asked to wait for \"36000\", and there are "),
        asked("429, wait for nonsense", "soon", "it asked to wait for \"soon\", which means nothing"),
        asked("429, wait less than nothing", "-1", "it asked to wait for \"-1\", which means nothing"),
        notion("500", Fault::answer(500), (looks("500 internal_server_error"), later("500 internal_server_error"))),
        notion("502 of a gateway", html(), (looks("502 Bad Gateway"), later("502 Bad Gateway"))),
        notion("503, empty", Fault::raw(503, "", ""), (looks("503, not in Notion's words"), later("503, not in"))),
        notion("504", Fault::answer(504), (looks("504 gateway_timeout"), later("504 gateway_timeout"))),
        notion("529", Fault::answer(529), away("529 service_overload")),
        notion("hung up, not done", Fault::drop_before(), (looks("no answer from http://"), later("no answer from"))),
        notion("hung up, done", Fault::drop_after(), (Meets::copes(), later("no answer from http://"))),
        notion("cut off, done", Fault::truncated(), (Meets::copes(), later("Notion answered 200, but "))),
        notion("200, not JSON", wifi(), (looks("Sign in to the hotel's wifi"), later("Sign in to the hotel's wifi"))),
        notion("200, not a page", list(), (looks(not_a_page), later(not_a_page))),
    ];
    let row =
        |(name, wrong, (create, update))| Row { name, wrong, finalize: create, worker: create, update: Some(update) };
    rows.into_iter().map(row).collect()
}

/// The faults that only time shows.
pub fn silent() -> Vec<Row> {
    let (looks, later) = (Meets::looks("silence for "), Meets::later("silence for "));
    let row = |name, fault, worker| {
        let (wrong, update) = (Wrong::Notion(fault), Some(later));
        Row { name, wrong, finalize: looks, worker, update }
    };
    let name = "silent, done, and not shown for minutes";
    vec![
        Row { name, wrong: Wrong::NotShown, finalize: looks, worker: looks, update: None },
        row("silent for 90 s, then done", Fault::delayed(Duration::from_secs(90)), looks),
        // Finalize has no time to look for the row, and the worker has.
        row("silent, done", Fault::silent_after(), Meets::copes()),
        row("silent, not done", Fault::silent(), looks),
    ]
}

/// An HTTP date so many seconds from now.
pub fn http_date(seconds: u32) -> String {
    let mut date = Command::new("date");
    date.env("LC_ALL", "C").args(["-u", "-d", &format!("+{seconds} seconds"), "+%a, %d %b %Y %H:%M:%S GMT"]);
    String::from_utf8(date.output().unwrap().stdout).unwrap().trim().to_owned()
}
