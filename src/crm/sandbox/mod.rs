//! The built-in stand-in for a CRM: Bitrix24's REST dialect over HTTP, its cards in SQLite, and a page
//! on which a person sees them.
//!
//! It answers what the vendor's documentation and the observed behaviour say, and where they leave a
//! choice the stricter thing, so that whoever gets on with it gets on with a portal.

mod activities;
mod activity_read;
mod activity_write;
mod answer;
mod batch;
mod binding;
mod cards;
mod control;
mod directory;
mod emoji;
mod fields;
mod filter;
mod html;
mod item;
mod item_write;
mod limits;
mod methods;
mod moment;
mod multifield;
mod page;
mod page_timeline;
mod php;
mod requests;
mod serve;
mod timeline;
mod webhook;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use answer::{Answer, Fault, Watch, envelope};
use limits::Bucket;
pub use limits::Limits;
use php::Php;
use requests::Requests;
use webhook::Caller;

/// The webhook that works out of the box: employee 1, who may do everything.
pub const WEBHOOK_PATH: &str = "/rest/1/sandbox/";

/// The version of `schema.sql`.
const SCHEMA: i64 = 1;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open the sandbox's file {path}")]
    Open { path: String, source: rusqlite::Error },
    #[error("the sandbox's file {path} is of version {found}, this program knows {SCHEMA}")]
    Version { path: String, found: i64 },
}

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The SQLite file; made and filled with a few employees if it is not there.
    pub path: PathBuf,
    /// The limits of a cloud portal; `None` is an on-premise one, which has none.
    pub limits: Option<Limits>,
    /// Without leads: a lead with a name becomes a deal at once.
    pub simple_mode: bool,
}

/// A stand-in CRM. Clones are the same one.
#[derive(Clone)]
pub struct Sandbox {
    portal: Arc<Portal>,
}

impl Sandbox {
    /// Opens the file, and makes it if it is new. Blocks on the disk for a moment.
    pub fn open(options: Options) -> Result<Sandbox, Error> {
        let path = options.path.display().to_string();
        let conn =
            connect(&options.path).map_err(|source| Error::Open { path: path.clone(), source })?;
        let found: i64 = conn
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(|source| Error::Open { path: path.clone(), source })?;
        if found != SCHEMA {
            return Err(Error::Version { path, found });
        }
        let counts = read_counts(&conn).map_err(|source| Error::Open { path, source })?;
        let portal = Portal {
            conn: Mutex::new(conn),
            requests: Mutex::new(Requests::new(counts)),
            limits: options.limits,
            bucket: Mutex::new(Bucket::default()),
            opened: Instant::now(),
            simple_mode: options.simple_mode,
        };
        Ok(Sandbox { portal: Arc::new(portal) })
    }
}

fn connect(path: &std::path::Path) -> rusqlite::Result<Connection> {
    let mut conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(128);
    // In WAL mode a committed write is with the operating system, and so outlives the process; only
    // a power cut can lose it, which is as much as a stand-in needs.
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == 0 {
        tx.execute_batch(include_str!("schema.sql"))?;
        tx.pragma_update(None, "user_version", SCHEMA)?;
    }
    tx.commit()?;
    Ok(conn)
}

fn read_counts(conn: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    conn.prepare("SELECT method, count FROM request_count")?
        .query_map([], |row| Ok((row.get("method")?, row.get("count")?)))?
        .collect()
}

/// What one call came to.
struct Reply {
    status: u16,
    /// The error's code; empty too where the old style names none.
    code: &'static str,
    body: Php,
}

impl Reply {
    fn refused(fault: &Fault) -> Reply {
        Reply { status: fault.status(), code: fault.code(), body: fault.body() }
    }
}

/// The portal itself. All of it blocks, and is called on the blocking pool.
struct Portal {
    conn: Mutex<Connection>,
    requests: Mutex<Requests>,
    limits: Option<Limits>,
    bucket: Mutex<Bucket>,
    /// The origin of the bucket's clock.
    opened: Instant,
    simple_mode: bool,
}

/// A panic in one call leaves nothing half done: its transaction was rolled back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Portal {
    /// Whether the limits let a request in.
    fn admits(&self, method: &str) -> bool {
        let Some(limits) = &self.limits else { return true };
        methods::is_control(method) || lock(&self.bucket).admit(limits, self.opened.elapsed())
    }

    /// Runs one method for one webhook.
    fn call(&self, employee: i64, secret: &str, method: &str, params: &Php) -> Reply {
        let watch = Watch::start();
        let mut conn = lock(&self.conn);
        match self.answer(&mut conn, employee, secret, method, params, watch) {
            Ok(answer) => {
                let body = envelope(answer, watch.time(self.operating(&watch)));
                Reply { status: 200, code: "", body }
            }
            Err(fault) => {
                if let Fault::Sql(source) = &fault {
                    crate::events::sandbox_failed(method, &source.to_string());
                }
                Reply::refused(&fault)
            }
        }
    }

    fn answer(
        &self,
        conn: &mut Connection,
        employee: i64,
        secret: &str,
        method: &str,
        params: &Php,
        watch: Watch,
    ) -> Result<Answer, Fault> {
        let caller = Caller::find(conn, employee, secret)?;
        match method {
            "batch" => Ok(batch::run(params, |method, params| {
                let watch = Watch::start();
                let outcome =
                    methods::run(conn, &caller, method, params, watch.now(), self.simple_mode);
                (outcome, watch.time(self.operating(&watch)))
            })),
            "sandbox.requests" => {
                Ok(Answer::of(lock(&self.requests).last(params.get("limit").int())))
            }
            _ => {
                let now = watch.now();
                let mut answer =
                    methods::run(conn, &caller, method, params, now, self.simple_mode)?;
                if method == "sandbox.counts" {
                    let requests = lock(&self.requests);
                    answer.result.set("requests", requests.by_method());
                    answer.result.set("query_limit_exceeded", requests.turned_away().into());
                }
                Ok(answer)
            }
        }
    }

    /// What the load limiter of the cloud would tell; on-premise it tells nothing.
    fn operating(&self, watch: &Watch) -> Option<f64> {
        self.limits.map(|_| watch.elapsed())
    }

    /// Writes a request down; its count goes to the file now and then.
    fn record(&self, request: requests::Request) {
        let due = {
            let mut requests = lock(&self.requests);
            requests.record(request);
            requests.due(false)
        };
        self.write_counts(&due);
    }

    /// Writes all counts that are owed to the file.
    fn settle(&self) {
        let due = lock(&self.requests).due(true);
        self.write_counts(&due);
    }

    fn write_counts(&self, counts: &[(String, i64)]) {
        if counts.is_empty() {
            return;
        }
        let mut conn = lock(&self.conn);
        let written = conn.transaction().and_then(|tx| {
            for (method, count) in counts {
                tx.execute(
                    "INSERT INTO request_count (method, count) VALUES (?1, ?2)
                     ON CONFLICT (method) DO UPDATE SET count = excluded.count",
                    params![method, count],
                )?;
            }
            tx.commit()
        });
        if let Err(source) = written {
            crate::events::sandbox_failed("write counts", &source.to_string());
        }
    }
}

#[cfg(test)]
mod tests;
