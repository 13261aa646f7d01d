//! Notion: whose the token is, and whether the database is one that rows can be written to.

use rec_core::config::Config;
use rec_core::notion::{Client, Error, Fit, PageId};

use crate::look::{Look, QUESTION};
use crate::report::Finding;

pub(crate) fn check(look: &Look<'_>, config: &Config) -> Vec<Finding> {
    let client = Client::new((&config.notion).into(), look.deadline.at_most(QUESTION));
    let mut findings = Vec::new();
    match client.whoami() {
        Ok(bot) => findings.push(Finding::ok(
            "notion.token",
            "NOTION_TOKEN",
            format!("is that of the integration {} in {}", named(&bot.name), named(&bot.workspace)),
        )),
        Err(error) => {
            findings.push(failed("notion.token", "NOTION_TOKEN", &error));
            findings.push(Finding::skipped("notion.database", "", "the token must be accepted first"));
            findings.push(Finding::skipped("notion.columns", "", "the token must be accepted first"));
            return findings;
        }
    }
    let (key, version) = match config.notion.data_source_id {
        Some(_) => ("NOTION_DATA_SOURCE_ID", "2025-09-03"),
        None => ("NOTION_DATABASE_ID", "2022-06-28"),
    };
    let described = match client.with_deadline(look.deadline.at_most(QUESTION)).describe() {
        Ok(described) => described,
        Err(error) => {
            findings.push(failed("notion.database", key, &error));
            findings.push(Finding::skipped("notion.columns", "", "the database must be reached first"));
            return findings;
        }
    };
    let of_another =
        described.database.as_deref().and_then(PageId::parse).filter(|_| config.notion.data_source_id.is_some());
    let of_another = of_another.filter(|database| PageId::parse(&config.notion.database_id).as_ref() != Some(database));
    findings.push(match (described.in_trash, of_another) {
        (true, _) => {
            Finding::failed("notion.database", key, format!("{} is in Notion's trash", named(&described.title)))
                .advise("restore it there")
        }
        (false, Some(other)) => Finding::failed(
            "notion.database",
            key,
            format!("{} is a data source of another database than NOTION_DATABASE_ID names", named(&described.title)),
        )
        .advise(format!("set NOTION_DATABASE_ID='{other}', or another NOTION_DATA_SOURCE_ID")),
        (false, None) => Finding::ok(
            "notion.database",
            key,
            format!("{} is shared with the integration (API {version})", named(&described.title)),
        ),
    });
    findings.extend(described.columns.into_iter().map(|(name, fit)| column(name, fit)));
    findings
}

fn column(name: &str, fit: Fit) -> Finding {
    let check = "notion.columns";
    match fit {
        Fit::Right(kind) => Finding::ok(check, name, format!("a column of type {kind}")),
        Fit::Absent => Finding::ok(check, name, "not there, and need not be"),
        Fit::LeftOut(why) => Finding::warning(check, name, why).advise_of(),
        Fit::Wrong(why) => Finding::failed(check, name, why).advise_of(),
    }
}

/// What Notion's client says has the remedy in its middle: `what: what to do: Notion answered …`.
fn failed(check: &'static str, object: &str, error: &Error) -> Finding {
    let text = error.to_string();
    match text.split_once(": Notion answered ") {
        Some((before, answer)) => match before.split_once(": ") {
            Some((what, remedy)) => Finding::failed(check, object, format!("{what} (Notion answered {answer})")).advise(remedy),
            None => Finding::failed(check, object, text),
        },
        None => Finding::failed(check, object, text.trim_end_matches("; try again later"))
            .advise("try again; if it stays so, see what stands between this machine and NOTION_API_URL: a firewall, a proxy, DNS"),
    }
}

/// A name that may be empty.
fn named(name: &str) -> String {
    if name.is_empty() { "without a name".to_owned() } else { format!("\"{name}\"") }
}
