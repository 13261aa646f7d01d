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
    optional("LOG_DIR", Some("/var/log/jitsi-recording-pipeline"), "the directory of finalize.log and hls-worker.log"),
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
        "PUBLISH_UNFINALIZED_AFTER",
        Some("0"),
        "minutes without change until the worker publishes an MP4 without finalize; 0: never",
    ),
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
