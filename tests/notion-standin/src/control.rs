//! The stand-in as a test holds it: what it received, what it keeps, and what it is to do next.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crate::faults::Fault;
use crate::ids;
use crate::page::Page;
use crate::request::Request;
use crate::schema::{Column, Property};
use crate::server::{self, Shared};
use crate::store::Store;

/// The token that is accepted until [`Standin::set_token`].
pub const TOKEN: &str = "ntn_standin_0123456789";
/// The database `Recordings`. Always the same, so that a stand-in started again on its port is the same for a client.
pub const DATABASE_ID: &str = "5a1de0c0-1111-4aaa-8aaa-000000000001";
/// The one data source of [`DATABASE_ID`].
pub const DATA_SOURCE_ID: &str = "5a1de0c0-2222-4aaa-8aaa-000000000002";
/// The page that the database is on, and that others may be created on.
pub const HOME_PAGE_ID: &str = "5a1de0c0-3333-4aaa-8aaa-000000000003";
/// The integration's name, as the 404 text quotes it.
pub const INTEGRATION: &str = "Recordings";

/// A running stand-in. Dropping it closes its port and every open connection.
#[derive(Debug)]
pub struct Standin {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

impl Standin {
    /// Starts on a free port of the loopback interface.
    ///
    /// # Panics
    ///
    /// Where the loopback interface has none.
    pub fn start() -> Self {
        match Self::start_on("127.0.0.1:0") {
            Ok(standin) => standin,
            Err(error) => panic!("listen on 127.0.0.1: {error}"),
        }
    }

    /// Starts on `addr`, such as `127.0.0.1:8080`.
    pub fn start_on(addr: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        shared.lock().store = recordings();
        let accepting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || server::accept(&listener, &shared))
        };
        Ok(Self { shared, address, accepting: Some(accepting) })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token that it accepts.
    pub fn token(&self) -> String {
        self.shared.lock().store.token.clone()
    }

    /// The database's id, dashed.
    pub fn database_id(&self) -> String {
        DATABASE_ID.to_owned()
    }

    /// The id of the database's first data source, dashed.
    pub fn data_source_id(&self) -> String {
        DATA_SOURCE_ID.to_owned()
    }

    /// Every request received so far, in order, also those that a fault ate.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().log.clone()
    }

    /// Waits until `count` requests were received since the start or [`Standin::clear_requests`], for at most `limit`;
    /// whether they were.
    pub fn wait_for_requests(&self, count: usize, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while self.shared.lock().log.len() < count {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        let mut state = self.shared.lock();
        state.forgotten += state.log.len();
        state.log.clear();
    }

    /// Every page, archived ones too, in the order of creation.
    pub fn pages(&self) -> Vec<Page> {
        let state = self.shared.lock();
        state.store.rows.iter().map(|row| Page::of(&state.store, row)).collect()
    }

    /// The page of this id, dashed or not.
    pub fn page(&self, id: &str) -> Option<Page> {
        let state = self.shared.lock();
        let row = state.store.row(&ids::parse(id)?)?;
        Some(Page::of(&state.store, row))
    }

    /// Removes a column and what pages have in it.
    ///
    /// # Panics
    ///
    /// If it is the title: Notion has no database without one.
    pub fn remove_column(&self, name: &str) {
        self.with_columns(|columns| {
            assert!(!columns.iter().any(|column| column.name == name && column.kind == "title"), "{name} is the title");
            columns.retain(|column| column.name != name);
        });
    }

    /// Renames a column; its id and what pages have in it stay.
    pub fn rename_column(&self, from: &str, to: &str) {
        self.with_columns(|columns| {
            for column in columns.iter_mut().filter(|column| column.name == from) {
                to.clone_into(&mut column.name);
            }
        });
    }

    /// Gives a column another type or other options, or adds it. Pages keep what the new type can hold: an option by its
    /// name. [`Column::Title`] renames the title column, as there is exactly one.
    pub fn set_column(&self, name: &str, kind: Column) {
        self.shared.lock().store.set_column(DATA_SOURCE_ID, name, kind);
    }

    /// Adds an empty second (third, ...) data source of the same columns to the database, and returns its id. From then on
    /// requests with `Notion-Version: 2022-06-28` that name the database fail.
    pub fn add_data_source(&self) -> String {
        let mut state = self.shared.lock();
        let columns = state.store.source(DATA_SOURCE_ID).map(|source| source.columns.clone()).unwrap_or_default();
        let name = format!("Recordings {}", state.store.sources_of(DATABASE_ID).len() + 1);
        let id = ids::new();
        state.store.add_source(&id, DATABASE_ID, &name, columns);
        id
    }

    /// Moves the database to the trash, where it can still be read.
    pub fn trash_database(&self) {
        for database in self.shared.lock().store.databases.iter_mut().filter(|database| database.id == DATABASE_ID) {
            database.trashed = true;
        }
    }

    /// Id and title of each database, in the order of creation.
    pub fn databases(&self) -> Vec<(String, String)> {
        let state = self.shared.lock();
        state.store.databases.iter().map(|database| (database.id.clone(), database.title.clone())).collect()
    }

    /// Takes the database away from the integration: it and its pages are 404.
    pub fn unshare(&self) {
        self.set_shared(false);
    }

    /// Gives it back.
    pub fn share(&self) {
        self.set_shared(true);
    }

    /// Moves a page to the trash.
    pub fn archive(&self, page: &str) {
        let Some(id) = ids::parse(page) else { return };
        if let Some(row) = self.shared.lock().store.row_mut(&id) {
            row.archived = Some(SystemTime::now());
        }
    }

    /// Deletes a page for good: it is 404.
    pub fn delete(&self, page: &str) {
        let id = ids::parse(page);
        self.shared.lock().store.rows.retain(|row| Some(&row.id) != id.as_ref());
    }

    /// Accepts this token and no other.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut self.shared.lock().store.token);
    }

    /// Queues a fault.
    pub fn fail(&self, fault: Fault) {
        self.shared.lock().faults.push(fault);
    }

    /// Forgets the faults that are still queued.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Lets queries lag: pages created within `lag` are missing, pages archived within it are still listed.
    pub fn query_lag(&self, lag: Duration) {
        self.shared.lock().store.lag = lag;
    }

    /// Answers more than this many requests in a second with 429 and `Retry-After: 1`; 0 takes the limit away.
    pub fn rate_limit(&self, per_second: u32) {
        self.shared.lock().limit = Some(per_second).filter(|limit| *limit > 0);
    }

    fn with_columns(&self, edit: impl FnOnce(&mut Vec<Property>)) {
        if let Some(source) = self.shared.lock().store.source_mut(DATA_SOURCE_ID) {
            edit(&mut source.columns);
        }
    }

    fn set_shared(&self, shared: bool) {
        for database in self.shared.lock().store.databases.iter_mut().filter(|database| database.id == DATABASE_ID) {
            database.shared = shared;
        }
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.shared.stop();
        // Wakes the listener, which looks at the stop flag before it serves anyone.
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        drop(TcpStream::connect(address));
        if let Some(accepting) = self.accepting.take() {
            // A panic in there has been printed.
            let _ = accepting.join();
        }
    }
}

/// The database of the tools' documentation.
fn recordings() -> Store {
    let columns = vec![
        Property::new("title", "Name", Column::Title),
        Property::new("uUxQ", "Date", Column::Date),
        Property::new("JBG%3A", "Recording URL", Column::Url),
        Property::new("%7BdWy", "Room", Column::RichText),
        Property::new("DcVz", "Status", Column::Select(Vec::new())),
        Property::new("zE%7C%3F", "Provider", Column::Select(Vec::new())),
    ];
    let mut store = Store {
        token: TOKEN.to_owned(),
        integration: INTEGRATION.to_owned(),
        integration_id: ids::new(),
        home: HOME_PAGE_ID.to_owned(),
        ..Store::default()
    };
    store.add_database(DATABASE_ID, DATA_SOURCE_ID, "Recordings", columns);
    store
}
