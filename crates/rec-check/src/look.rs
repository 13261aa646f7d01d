//! The groups, one after the other.

use std::path::Path;
use std::time::Duration;

use rec_core::config::{Config, SecretSource};
use rec_core::deadline::Deadline;
use rec_core::exit::Exit;
use rec_core::secret::Secret;

use crate::cli::{Cli, Group};
use crate::report::{Finding, Level, Report};
use crate::users::Users;
use crate::{clock, directories, env, ffmpeg, jibri, notion, schedule, site, url, webhooks};

/// What one question to the network may take.
pub(crate) const QUESTION: Duration = Duration::from_secs(10);
/// What all of them may take together.
const NETWORK: Duration = Duration::from_secs(50);

/// What the groups look at.
pub(crate) struct Look<'a> {
    pub(crate) cli: &'a Cli,
    pub(crate) env_file: &'a Path,
    pub(crate) users: Users,
    pub(crate) deadline: Deadline,
}

/// What finds out how it stands with a group.
#[derive(Clone, Copy)]
enum Check {
    /// Something, even without a usable configuration.
    Always(fn(&Look<'_>, Option<&Config>) -> Vec<Finding>),
    /// Nothing without one.
    Configured(fn(&Look<'_>, &Config) -> Vec<Finding>),
}

/// The groups behind the env file, in their order.
const GROUPS: [(Group, &str, Check); 8] = [
    (Group::Directories, "directories", Check::Configured(directories::check)),
    (Group::Ffmpeg, "ffmpeg", Check::Always(ffmpeg::check)),
    (Group::Notion, "notion", Check::Configured(notion::check)),
    (Group::Url, "url", Check::Configured(url::check)),
    (Group::Jibri, "jibri", Check::Always(jibri::check)),
    (Group::Schedule, "schedule", Check::Always(schedule::check)),
    (Group::Clock, "clock", Check::Always(clock::check)),
    (Group::Webhooks, "webhooks", Check::Configured(webhooks::check)),
];

/// Looks, tells, and says how it ends.
pub(crate) fn look(cli: &Cli) -> Exit {
    let env_file = cli.common.env_file();
    let look = Look { cli, env_file: &env_file, users: Users::of(cli), deadline: Deadline::within(NETWORK) };
    let mut report = Report::new(cli.json, cli.common.quiet);
    let (config, found) = env::read(&look);
    for secret in secrets(&look, config.as_ref()) {
        report.never(secret);
    }
    // Without a usable one hardly anything else can be looked at: then that is told in any case.
    let unusable = config.is_none() && GROUPS.iter().any(|(group, ..)| *group != Group::Ffmpeg && cli.wants(*group));
    report.add_all(
        found.into_iter().filter(|found| cli.wants(Group::Env) || (unusable && found.level() == Level::Failed)),
    );
    for (group, name, check) in GROUPS {
        if !cli.wants(group) || report.gone {
            continue;
        }
        report.add_all(match (check, &config) {
            (Check::Always(check), config) => check(&look, config.as_ref()),
            (Check::Configured(check), Some(config)) => check(&look, config),
            (Check::Configured(_), None) => vec![Finding::skipped(name, "", "the env file must be usable first")],
        });
    }
    report.end();
    if report.has_failed() { Exit::Failed } else { Exit::Done }
}

/// All that nobody may see.
fn secrets(look: &Look<'_>, config: Option<&Config>) -> Vec<Secret> {
    let mut secrets: Vec<Secret> = site::password(look, config).into_iter().collect();
    if let Some(config) = config {
        secrets.push(config.notion.token.clone());
        secrets.extend(config.public_url_auth.clone());
        secrets.extend(config.webhooks.iter().filter_map(|to| match &to.secret {
            SecretSource::Value(secret) => Some(secret.clone()),
            SecretSource::File(_) | SecretSource::None => None,
        }));
    }
    // Of `user:password@` the password alone, too.
    let alone = secrets.iter().filter_map(|secret| Some(secret.expose().trim_end_matches('@').split_once(':')?.1));
    let alone: Vec<Secret> = alone.map(Secret::new).collect();
    secrets.extend(alone);
    secrets
}
