//! A stand-in for the part of Notion's API that the tools use: a real HTTP server on the loopback interface, with one
//! database in it, for tests and the demo.
//!
//! It keeps to what Notion's documentation says, to what was recorded from the live API, and to the error texts that
//! users quote. Where Notion's answer is not known, the text starts with `notion-standin:` or the choice is named where
//! it is made, so that nobody takes it for Notion's.
//!
//! ```
//! let notion = notion_standin::Standin::start();
//! notion.fail(notion_standin::Fault::answer(429).retry_after("1").times(2));
//! // ... run a tool with NOTION_API_URL set to notion.url() ...
//! assert!(notion.pages().is_empty());
//! ```

mod api;
mod control;
mod database;
mod faults;
pub mod http;
mod ids;
mod page;
mod problem;
mod query;
mod render;
mod request;
mod schema;
mod server;
mod shape;
mod show;
mod store;
mod when;
mod write;

pub use control::{DATA_SOURCE_ID, DATABASE_ID, HOME_PAGE_ID, INTEGRATION, Standin, TOKEN};
pub use faults::Fault;
pub use page::Page;
pub use request::Request;
pub use schema::Column;
pub use show::table;
