//! What an admin wants to know before the first recording: whose the token is, what the database looks like, and a new one.

use serde_json::{Value, json};
use ureq::http::Method;

use super::client::{Call, Client, request, strange};
use super::error::Subject;
use super::retry::Effect;
use super::schema::{self, Fit};
use super::{Error, Kind, PageId};

/// The integration that a token belongs to.
#[derive(Clone, Debug)]
pub struct Bot {
    /// Its name.
    pub name: String,
    /// The workspace that it is in.
    pub workspace: String,
}

/// The database, or the data source of it that is configured.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its title.
    pub title: String,
    /// The database that a data source belongs to, as Notion spells it.
    pub database: Option<String>,
    /// It is in Notion's trash.
    pub in_trash: bool,
    /// Each of our columns.
    pub columns: Vec<(&'static str, Fit)>,
}

/// A database that was just made.
#[derive(Clone, Debug)]
pub struct Created {
    /// Its id.
    pub id: PageId,
    /// Where a browser finds it; empty where Notion did not say.
    pub url: String,
}

impl Client {
    /// Whose the token is: `GET /v1/users/me`.
    pub fn whoami(&self) -> Result<Bot, Error> {
        let request = request(Method::GET, "/v1/users/me", None);
        let reply = self.send(&Call { request, effect: Effect::Repeatable, subject: self.database() })?;
        if reply["object"] != "user" {
            return Err(strange(Kind::Away, self.database(), "a user", &reply));
        }
        Ok(Bot { name: text(&reply["name"]), workspace: text(&reply["bot"]["workspace_name"]) })
    }

    /// What the database looks like: `GET /v1/databases/{id}`, or `/v1/data_sources/{id}` where one is configured.
    pub fn describe(&self) -> Result<Described, Error> {
        let request = request(Method::GET, &self.database_path(), None);
        let reply = self.send(&Call { request, effect: Effect::Repeatable, subject: self.database() })?;
        described(&reply).ok_or_else(|| strange(Kind::Away, self.database(), "a database", &reply))
    }

    /// Makes a database with our columns on a page: one `POST /v1/databases`, sent again only where it certainly did not happen.
    pub fn create_database(&self, page: &PageId, title: &str) -> Result<Created, Error> {
        let body = json!({
            "parent": {"type": "page_id", "page_id": page.as_str()},
            "title": [{"type": "text", "text": {"content": title}}],
            "properties": schema::definition(),
        });
        let request = request(Method::POST, "/v1/databases", Some(&body));
        let subject = Subject::Parent(page);
        let reply = self.send(&Call { request, effect: Effect::Create, subject })?;
        let id = reply["id"].as_str().filter(|_| reply["object"] == "database").and_then(PageId::parse);
        let id = id.ok_or_else(|| strange(Kind::Unanswered, subject, "a database", &reply))?;
        Ok(Created { id, url: text(&reply["url"]) })
    }
}

/// What a reply says of a database; `None` where it describes none.
pub(super) fn described(reply: &Value) -> Option<Described> {
    let object = reply["object"].as_str().unwrap_or_default();
    let columns = reply["properties"].as_object().filter(|_| matches!(object, "database" | "data_source"))?;
    let title = reply["title"].as_array().into_iter().flatten();
    Some(Described {
        title: title.filter_map(|part| part["plain_text"].as_str()).collect(),
        database: reply["parent"]["database_id"].as_str().map(str::to_owned),
        in_trash: reply["in_trash"] == true || reply["archived"] == true,
        columns: schema::fits(columns),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
