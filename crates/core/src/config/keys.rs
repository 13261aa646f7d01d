//! The table of the env file's keys.

/// One key of the env file.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it stands in the file.
    pub name: &'static str,
    /// Whether the suite cannot work without it.
    pub required: bool,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What holds when the key is absent or empty; `None` where that means "nothing".
    pub default: Option<&'static str>,
    /// One line for the admin.
    pub meaning: &'static str,
}

/// Every key that the suite reads; the man page and the example are held against this table.
pub const KEYS: &[Key] = &[
    required("NOTION_TOKEN", "the token of the Notion integration that the database is shared with").secret(),
    required("NOTION_DATABASE_ID", "the Notion database: its id, dashed or not, or its pasted URL"),
    required("PUBLIC_BASE_URL", "the URL under which Caddy serves RECORDINGS_ROOT"),
    required("RECORDINGS_ROOT", "the directory that Jibri records into, one directory a recording"),
    optional("NOTION_NAME_PREFIX", None, "put before the room in the title of a Notion page"),
    optional("LOG_DIR", Some("/var/log/jitsi-recording-pipeline"), "the directory of the tools' logs"),
    optional("PUBLIC_URL_AUTH", None, "user:password@, put into the https URLs that Notion gets (not recommended)")
        .secret(),
    optional("LOCK_DIR", Some("/var/lock/jitsi-recording-pipeline"), "the directory of hls-worker.lock"),
    optional("NOTION_API_URL", Some("https://api.notion.com"), "where the Notion API, or a proxy for it, answers"),
    optional("NOTION_DATA_SOURCE_ID", None, "which data source to use where the database has several"),
    optional(
        "NOTION_SETTLE_SECONDS",
        Some("120"),
        "seconds in which a page whose creation got no answer is still looked for",
    ),
    optional(
        "PUBLISH_LINK",
        Some("playlist"),
        "what the row of a published recording leads to: playlist, or page: the page that plays it",
    ),
    optional(
        "PUBLISH_UNFINALIZED_AFTER",
        Some("0"),
        "minutes without change until the worker publishes an MP4 without finalize; 0: never",
    ),
    optional("HLS_PROFILE", Some("480p"), "which renditions a recording gets: 480p, abr, source or hybrid"),
    optional(
        "HLS_MAX_SOURCE_BITRATE",
        Some("5M"),
        "bits a second of picture above which hybrid encodes the top rendition too",
    ),
    optional("HLS_SEGMENT_TYPE", Some("ts"), "the container of the segments: ts or fmp4"),
    optional("HLS_SINGLE_FILE", Some("no"), "yes: one file a rendition instead of one a segment"),
    optional("HLS_SEGMENT_SECONDS", Some("6"), "how long a segment is to be, in seconds"),
    optional(
        "HLS_ACCEPT_DAMAGED",
        Some("no"),
        "yes: a damaged recording is published as far as it can be decoded, and its MP4 kept",
    ),
    optional("HLS_POSTER", Some("yes"), "yes: a picture of the recording is made, poster.jpg"),
    optional("HLS_PREVIEWS", Some("yes"), "yes: small pictures for a player's time line are made"),
    optional("HLS_CHAPTERS", Some("no"), "yes: chapters are looked for where the picture stands still"),
    optional("HLS_JOBS", Some("0"), "how many recordings are worked on at once; 0: as many as there are cores"),
    optional("HLS_WINDOW", None, "when the worker may work, as 18:00-10:00 Europe/Moscow"),
    optional(
        "HLS_WINDOW_CLOSES",
        Some("finish"),
        "what becomes of an encode when the window closes: finish, freeze or stop",
    ),
    optional("HLS_FREEZE_MAX", Some("1440"), "minutes after which a frozen encode is stopped"),
    optional("HLS_MIN_FREE", Some("1G"), "bytes that stay free on the recordings' disk"),
    optional("HLS_NICE", Some("0"), "the niceness of ffmpeg, 0 to 19"),
    optional("HLS_TIME_FACTOR", Some("20"), "an encode may take this many times the recording's length"),
    optional("HLS_TRIES", Some("3"), "how often a recording that cannot be turned into HLS is tried"),
    optional("WEBHOOKS", None, "the names of the webhooks' destinations; NAME stands for one of them below"),
    optional("WEBHOOK_NAME_PROFILE", None, "the form of its messages: reflector, optilearn or standard"),
    optional("WEBHOOK_NAME_URL", None, "where it gets its messages"),
    optional("WEBHOOK_NAME_SECRET", None, "the secret that signs them").secret(),
    optional("WEBHOOK_NAME_SECRET_FILE", None, "the file that holds the secret"),
    optional("WEBHOOK_NAME_ON", None, "what it is told: recorded or published"),
    optional("WEBHOOK_NAME_INSECURE", None, "1: http to other hosts than this one is allowed"),
    optional("SPOOL_DIR", Some("/var/spool/jitsi-recording-pipeline"), "the directory in which messages wait"),
];

const fn required(name: &'static str, meaning: &'static str) -> Key {
    Key { name, required: true, secret: false, default: None, meaning }
}

const fn optional(name: &'static str, default: Option<&'static str>, meaning: &'static str) -> Key {
    Key { name, required: false, secret: false, default, meaning }
}

impl Key {
    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}
