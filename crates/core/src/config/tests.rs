use std::collections::BTreeSet;

use super::*;

const ID: &str = "38c9ce7b60a48158aa2ad4923e46fb5b";
const DASHED: &str = "38c9ce7b-60a4-8158-aa2a-d4923e46fb5b";
const EXAMPLE: &str = include_str!("../../../../etc/recording-pipeline.env.example");

/// The settings of the article that the scripts come from; only the database's id is ours.
const SEED: &str = r#"# Notion
NOTION_TOKEN="secret_xxx" # internal integration token
NOTION_DATABASE_ID="38c9ce7b60a48158aa2ad4923e46fb5b" # database id
# Public base URL where Caddy serves recordings
PUBLIC_BASE_URL="https://rec.example.com"
# Where recordings are stored on disk
RECORDINGS_ROOT="/recordings"
# Optional: set a static tag/prefix
NOTION_NAME_PREFIX="[Jitsi]"
# Logging
LOG_DIR="/var/log/jitsi-recording-pipeline"
# BasicAuth is handled by Caddy. If you still want to embed user:pass in URL (not recommended),
# you can do it by setting:
# PUBLIC_URL_AUTH="user:pass@"
PUBLIC_URL_AUTH=""
# Concurrency / locking
LOCK_DIR="/var/lock/jitsi-recording-pipeline"
"#;

fn load(text: &str) -> Result<Config, Problems> {
    let path = Path::new("F");
    Config::from_entries(path, &envfile::parse(path, text.as_bytes())?)
}

/// The seed's settings and below them, from line 18 on, `line`, which therefore counts.
fn with(line: &str) -> Result<Config, String> {
    load(&format!("{SEED}{line}\n")).map_err(|problems| problems.to_string())
}

#[test]
fn the_scripts_own_env_file_is_accepted_unchanged() {
    let config = load(SEED).expect("accepted");
    assert_eq!(config.notion.token.expose(), "secret_xxx");
    assert_eq!(config.notion.database_id, DASHED);
    assert_eq!(config.notion.api_url, "https://api.notion.com");
    assert_eq!(config.notion.settle, Duration::from_secs(120));
    assert_eq!(config.name_prefix, "[Jitsi]");
    assert_eq!(config.public_base_url, "https://rec.example.com");
    assert_eq!(config.recordings_root, Path::new("/recordings"));
    assert!(
        config.public_url_auth.is_none() && config.publish_unfinalized_after.is_none() && config.warnings.is_empty()
    );
}

#[test]
fn without_the_optional_keys_the_contracts_defaults_hold() {
    let required = |line: &&str| KEYS.iter().any(|key| key.required && line.starts_with(key.name));
    let config = load(&SEED.lines().filter(required).collect::<Vec<_>>().join("\n")).expect("accepted");
    assert_eq!(config.log_dir, Path::new("/var/log/jitsi-recording-pipeline"));
    assert_eq!(config.lock_dir, Path::new("/var/lock/jitsi-recording-pipeline"));
    assert_eq!(config.name_prefix, "");
}

#[test]
fn the_example_loads_and_holds_every_key_with_its_default() {
    assert!(load(EXAMPLE).expect("accepted").warnings.is_empty());
    // A setting that is commented out has no blank behind its #, a sentence has one.
    let uncomment = |line: &'static str| {
        line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' ')).unwrap_or(line)
    };
    let all = EXAMPLE.lines().map(uncomment).collect::<Vec<_>>().join("\n");
    assert!(load(&all).expect("accepted").warnings.is_empty());
    // NAME stands for any destination of webhooks.
    let of_any = |key: String| match key.strip_prefix("WEBHOOK_").and_then(|rest| rest.split_once('_')) {
        Some((_, ending)) => format!("WEBHOOK_NAME_{ending}"),
        None => key,
    };
    let names = |text: &str| -> BTreeSet<String> {
        let file = envfile::parse(Path::new("F"), text.as_bytes()).expect("accepted");
        file.entries.into_iter().map(|entry| of_any(entry.key)).collect()
    };
    let known = |keep: fn(&&Key) -> bool| -> BTreeSet<String> {
        KEYS.iter().filter(keep).map(|key| key.name.to_owned()).collect()
    };
    assert_eq!(names(EXAMPLE), known(|key| key.required));
    assert_eq!(names(&all), known(|_| true));
    let webhooks = load(&all).expect("accepted").webhooks;
    for profile in HookProfile::ALL {
        assert!(webhooks.iter().any(|webhook| webhook.profile == profile), "{profile:?}");
    }
    for key in KEYS.iter().filter(|key| !key.required && !key.name.starts_with("WEBHOOK")) {
        let line = format!("\n#{}='{}'\n", key.name, key.default.unwrap_or_default());
        assert!(EXAMPLE.contains(&line), "{line}");
    }
}

#[test]
fn all_missing_and_malformed_keys_are_named_at_once() {
    let problems =
        load("RECORDINGS_ROOT='recordings'\nPUBLIC_BASE_URL=''\nLOG_DIR=logs\n").expect_err("refused").to_string();
    let starts = [
        "F: NOTION_TOKEN: is missing: write a line NOTION_TOKEN='…' (the token",
        "F: NOTION_DATABASE_ID: is missing: write a line",
        "F:2: PUBLIC_BASE_URL: is empty: write a line",
        "F:1: RECORDINGS_ROOT: is not an absolute path: begin it with /",
        "F:3: LOG_DIR: is not an absolute path: begin it with /",
    ];
    assert_eq!(problems.lines().count(), starts.len(), "{problems}");
    assert!(problems.lines().zip(starts).all(|(line, start)| line.starts_with(start)), "{problems}");
}

#[test]
fn each_malformed_value_is_refused_with_its_reason_and_never_shown() {
    let table = [
        ("NOTION_TOKEN='hunter2 x'", "holds a blank"),
        ("NOTION_TOKEN='hunter2é'", "holds a blank or a character outside of ASCII"),
        ("NOTION_DATABASE_ID='hunter2'", "holds no Notion id"),
        ("NOTION_DATA_SOURCE_ID='hunter2'", "holds no Notion id"),
        ("PUBLIC_BASE_URL='hunter2.example.com'", "does not begin with https:// or http://"),
        ("PUBLIC_BASE_URL='https://user:hunter2@rec.example.com'", "put it in PUBLIC_URL_AUTH"),
        ("PUBLIC_BASE_URL='https://rec.example.com/?hunter2'", "leave the query and the fragment out"),
        ("PUBLIC_BASE_URL='https://rec.example.com/#hunter2'", "leave the query and the fragment out"),
        ("PUBLIC_BASE_URL='https://rec.example.com/hunter2 x'", "percent-encode it"),
        ("PUBLIC_BASE_URL='https:///hunter2'", "is not a URL"),
        ("PUBLIC_BASE_URL='https://hunter2:99999'", "has no valid host or port"),
        ("PUBLIC_BASE_URL='https://:8443'", "has no valid host or port"),
        ("PUBLIC_URL_AUTH='user:hunter2'", "write it so, with the @ at the end"),
        ("PUBLIC_URL_AUTH='@'", "does not have the form user:password@"),
        ("PUBLIC_URL_AUTH='user:hunter2@@'", "percent-encode it"),
        ("PUBLIC_URL_AUTH='user:hunter2#@'", "percent-encode it"),
        ("PUBLIC_URL_AUTH='user:hunter2%2@'", "percent-encode it"),
        ("PUBLIC_URL_AUTH='user:hunter2%zz@'", "percent-encode it"),
        ("LOCK_DIR='hunter2'", "is not an absolute path"),
        ("NOTION_API_URL='http://hunter2.example.com'", "would send the token in the clear"),
        ("NOTION_API_URL='http://127.0.0.1.hunter2.com'", "would send the token in the clear"),
        ("NOTION_SETTLE_SECONDS='+5'", "is not a whole number of seconds"),
        ("PUBLISH_UNFINALIZED_AFTER='1.5'", "is not a whole number of minutes"),
        ("PUBLISH_UNFINALIZED_AFTER='99999999999'", "is not a whole number of minutes"),
    ];
    for (line, reason) in table {
        let problems = with(line).expect_err(line);
        let key = line.split('=').next().unwrap_or_default();
        assert!(problems.starts_with(&format!("F:18: {key}: ")) && problems.contains(reason), "{line}: {problems}");
        assert!(!problems.contains("hunter2") && problems.lines().count() == 1, "{line}: {problems}");
    }
    let clear = with("PUBLIC_BASE_URL='http://rec.example.com'\nPUBLIC_URL_AUTH='user:hunter2@'").expect_err("refused");
    assert!(clear.starts_with("F:19: PUBLIC_URL_AUTH: needs an https base") && !clear.contains("hunter2"), "{clear}");
    let config = with("NOTION_TOKEN=hunter2\nPUBLIC_URL_AUTH='user:hunter2@'\nNOTION_TOKN=hunter2").expect("accepted");
    assert!(config.warnings.len() == 3 && !format!("{config:?}").contains("hunter2"), "{config:?}");
}

#[test]
fn values_are_brought_into_one_form() {
    let base = |url: &str| with(&format!("PUBLIC_BASE_URL='{url}'")).map(|config| config.public_base_url);
    assert_eq!(base("https://rec.example.com//").as_deref(), Ok("https://rec.example.com"));
    assert_eq!(base("http://[::1]:8080/a/b%20c/").as_deref(), Ok("http://[::1]:8080/a/b%20c"));
    let api = |url: &str| with(&format!("NOTION_API_URL='{url}/'")).map(|config| config.notion.api_url);
    for url in ["http://127.0.0.1:4010", "http://localhost:1", "http://[::1]:1", "https://proxy.example.com/notion"] {
        assert_eq!(api(url).as_deref(), Ok(url));
    }
    let auth = with("PUBLIC_URL_AUTH='us%40er:p&$!~@'").expect("accepted").public_url_auth;
    assert_eq!(auth.as_ref().map(Secret::expose), Some("us%40er:p&$!~@"));
    let after = with("PUBLISH_UNFINALIZED_AFTER=90").expect("accepted").publish_unfinalized_after;
    assert_eq!(after, Some(Duration::from_secs(5400)));
}

#[test]
fn notion_ids_are_found_in_whatever_an_admin_pastes() {
    let view = "b55c9c91384d452b81dbd1ef79372b75";
    let table = [
        ID.to_owned(),
        ID.to_uppercase(),
        DASHED.to_owned(),
        format!(" {DASHED}\n"),
        format!("https://www.notion.so/ws/Title-{ID}?v={view}"),
        format!("https://www.notion.so/{ID}?v={view}&pvs=4#frag"),
        format!("https://app.notion.com/p/Weekly-cafe-dead-beef-{ID}"),
        format!("https://ws.notion.site/Deca-de-{DASHED}/"),
        format!("notion.so/{view}/{ID}"),
    ];
    for text in table {
        assert_eq!(notion_id(&text).as_deref(), Ok(DASHED), "{text}");
    }
    let two = notion_id(&format!("https://notion.so/{view}-{ID}"));
    assert!(two.is_err_and(|why| why.starts_with("holds more than one")));
    for text in [
        "",
        "xxxxxxxxxxxxxxxxxxxx",
        &ID[1..],
        &format!("{ID}0"),
        &format!("https://notion.so/ws?v={ID}"),
        &format!("secret_{ID}"),
    ] {
        assert!(notion_id(text).is_err_and(|why| why.starts_with("holds no Notion id")), "{text}");
    }
}

#[test]
fn a_misspelt_key_is_warned_of_and_foreign_ones_are_not() {
    let config = with("NOTION_TOKNE=x\nlog_dir=x\nJVB_PORT=1\nTZ=UTC").expect("accepted");
    assert_eq!(
        config.warnings,
        [
            "F:18: NOTION_TOKNE: unknown key: did you mean NOTION_TOKEN?",
            "F:19: log_dir: unknown key: did you mean LOG_DIR?"
        ]
    );
}

#[test]
fn an_env_file_that_every_user_can_read_is_warned_of() {
    let directory = tempfile::tempdir().expect("scratch directory");
    let path = directory.path().join("env");
    fs::write(&path, SEED).expect("written");
    let warnings = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode set");
        Config::load(&path).expect("accepted").warnings
    };
    assert!(warnings(0o640).is_empty());
    let shown = path.display();
    assert_eq!(
        warnings(0o644),
        [format!(
            "{shown}: holds a token and every user can read it: chgrp jitsi-recordings {shown} && chmod 640 {shown}"
        )]
    );
}

#[test]
fn a_flag_names_the_env_file_before_anything_else() {
    assert_eq!(env_file(Some("/a".into())), Path::new("/a"));
}

#[test]
fn a_copy_of_the_example_that_nobody_has_filled_in_is_warned_of() {
    let directory = tempfile::tempdir().expect("scratch directory");
    let path = directory.path().join("copy.env");
    fs::write(&path, EXAMPLE).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
    let warnings = Config::load(&path).expect("accepted").warnings;
    let keys: Vec<_> = EXAMPLES.iter().map(|(key, _)| *key).collect();
    assert_eq!(warnings.len(), keys.len());
    for (warning, key) in warnings.iter().zip(keys) {
        assert!(warning.ends_with(&format!(": {key}: still the example's: put your own here")), "{warning}");
    }
}

#[test]
fn without_the_keys_of_hls_it_is_made_as_the_script_made_it() {
    let hls = load(SEED).expect("accepted").hls;
    assert_eq!((hls.profile, hls.segment_type, hls.segment_seconds), (Profile::P480, SegmentType::Ts, 6));
    assert!(!hls.single_file && !hls.accept_damaged && hls.jobs.is_none() && hls.window.is_none() && hls.nice == 0);
    assert_eq!((hls.max_source_bitrate, hls.min_free), (5_000_000, 1 << 30));
    assert_eq!((hls.freeze_max, hls.time_factor), (Duration::from_secs(24 * 60 * 60), 20));
}

#[test]
fn what_the_keys_of_hls_cannot_hold_is_refused_with_what_they_can() {
    for (line, wanted) in [
        ("HLS_PROFILE=720p", "HLS_PROFILE: is none of 480p, abr, source, hybrid: write one of them"),
        ("HLS_SEGMENT_TYPE=mp4", "HLS_SEGMENT_TYPE: is none of ts, fmp4: write one of them"),
        ("HLS_SINGLE_FILE=1", "HLS_SINGLE_FILE: is none of yes, no: write one of them"),
        ("HLS_SEGMENT_SECONDS=1", "is not between 2 and 30: write a number of seconds from 2 to 30"),
        ("HLS_SEGMENT_SECONDS=six", "is not a whole number of seconds"),
        ("HLS_NICE=-5", "is not a whole number of steps"),
        ("HLS_JOBS=5000", "is not between 0 and 1024"),
        ("HLS_MIN_FREE=1.5G", "is not a whole number with k, M, G or T after it: write it as 500M or 2G"),
        ("HLS_MIN_FREE=99999999999T", "is not a whole number with"),
        ("HLS_MAX_SOURCE_BITRATE=fast", "is not a whole number with"),
        ("HLS_WINDOW_CLOSES=pause", "is none of finish, freeze, stop: write one of them"),
    ] {
        let error = with(line).expect_err(line);
        assert!(error.starts_with("F:18: HLS_") && error.contains(wanted), "{line}: {error}");
    }
    assert_eq!(with("HLS_MIN_FREE=500m").unwrap().hls.min_free, 500 << 20);
    assert_eq!(with("HLS_MAX_SOURCE_BITRATE=2500k").unwrap().hls.max_source_bitrate, 2_500_000);
}
