//! The SQLite file in which mailcrm keeps what it has seen, decided, owes and did. All SQL.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use tokio::sync::Notify;

mod again;
mod due;
mod employees;
mod ends;
mod folders;
mod lock;
mod outbox;
mod record;
mod spool;
mod views;

pub use again::{Again, AgainPlace, PlacedUid};
pub use folders::{FolderRow, MailboxId};
pub use outbox::{Attempt, Entry, EntryAction, Filed, HOLD, MadeRow, Outcome, Parent, Plan, Saved};
pub use record::{Batch, Known, MessageFacts, PLACE_BY_HAND, Recorded, Seen, Stretch, Verdict};
pub use spool::{Location, Spool, SpoolWriter};
pub use views::{Filter, FolderStatus, MailboxStatus, MessageView, Named, PlaceView, StatusCounts};

/// Version of the newest migration this program knows.
const SCHEMA: u32 = 2;
const MIGRATIONS: [&str; SCHEMA as usize] = [
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_made_by_origin.sql"),
];

/// Ledgers up to this many pages (of 4 KiB) are checked whole when they are opened.
const CHECKED_PAGES: u64 = 25_000;

/// How long a statement waits for another process, such as a backup.
const BUSY: Duration = Duration::from_secs(10);

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open ledger {path}")]
    Open { path: String, source: rusqlite::Error },
    #[error("cannot make the folder of ledger {path}")]
    Folder { path: String, source: std::io::Error },
    #[error("no ledger at {path}: mailcrm has not run with this configuration yet")]
    Absent { path: String },
    #[error(
        "ledger {path} is corrupt: {what}; restore a backup, or move it away and start anew (nothing is made twice)"
    )]
    Corrupt { path: String, what: String },
    #[error(
        "ledger schema is version {found}, this program knows up to {known}; install the newer mailcrm"
    )]
    TooNew { found: u32, known: u32 },
    #[error("ledger {path} is in use by process {pid}")]
    Locked { path: String, pid: String },
    #[error(
        "ledger {path} belongs to {ledger}, the configuration names {configured}; set another ledger.path"
    )]
    OtherCrm { path: String, ledger: String, configured: String },
    #[error("ledger: {doing}")]
    Sql { doing: &'static str, source: rusqlite::Error },
    #[error("spool: {doing}")]
    Spool { doing: &'static str, source: std::io::Error },
    #[error("ledger: {doing}: unreadable JSON")]
    Json { doing: &'static str, source: serde_json::Error },
    #[error("ledger: {doing}: interrupted")]
    Interrupted { doing: &'static str },
}

impl Error {
    /// Whether the disk has no room. The mend is outside; the daemon waits for it.
    pub fn is_full(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Error::Sql { source, .. } | Error::Open { source, .. } => {
                let code = source.sqlite_error_code();
                // SQLITE_IOERR is what an exhausted disk looks like while the WAL is extended.
                matches!(
                    code,
                    Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure)
                )
            }
            Error::Spool { source, .. } => matches!(source.kind(), StorageFull | QuotaExceeded),
            Error::Folder { .. }
            | Error::Absent { .. }
            | Error::Corrupt { .. }
            | Error::TooNew { .. }
            | Error::Locked { .. }
            | Error::OtherCrm { .. }
            | Error::Json { .. }
            | Error::Interrupted { .. } => false,
        }
    }

    /// Whether another try may go well: somebody else holds the file for a moment.
    pub fn is_busy(&self) -> bool {
        // A file that cannot be opened now, such as after a restore with the wrong owner.
        if let Error::Spool { .. } = self {
            return !self.is_full();
        }
        let Error::Sql { source, .. } = self else { return false };
        matches!(
            source.sqlite_error_code(),
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
        )
    }
}

/// A handle to the open ledger; cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    write: Mutex<Connection>,
    /// Readers do not wait for the writer (WAL).
    read: Mutex<Connection>,
    spool: Arc<Spool>,
    /// Addresses of active employees; `None` until the CRM named them once.
    employees: Mutex<Option<Arc<HashSet<String>>>>,
    /// Rung after every transaction that queued something.
    owed: Notify,
    /// Whether it is known that the disk is full.
    full: AtomicBool,
    _lock: Option<lock::Lock>,
}

impl Ledger {
    /// Opens the ledger for the one process that writes to it, making it if it is absent.
    ///
    /// # Errors
    /// [`Error::Locked`] while another process writes; [`Error::Corrupt`] and
    /// [`Error::TooNew`] for a file that this program must not touch.
    pub fn open(path: &Path, spool_max: u64) -> Result<Ledger, Error> {
        let shown = path.display().to_string();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| Error::Folder { path: shown.clone(), source })?;
        }
        let lock = lock::Lock::take(path)?;
        let fresh = !path.exists();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = |source| open_error(&shown, source);
        let mut write = Connection::open_with_flags(path, flags).map_err(open)?;
        if fresh {
            make_private(path);
        }
        prepare(&write).map_err(open)?;
        migrate(&mut write, &shown)?;
        let read = read_connection(path, &shown)?;
        let referenced = segments(&write).map_err(open)?;
        let spool = Arc::new(Spool::open(&spool_folder(path), spool_max, &referenced)?);
        let employees = Mutex::new(employees::active_addresses(&read).map_err(open)?);
        let inner = Inner {
            path: path.to_owned(),
            write: Mutex::new(write),
            read: Mutex::new(read),
            spool,
            employees,
            owed: Notify::new(),
            full: AtomicBool::new(false),
            _lock: Some(lock),
        };
        Ok(Ledger { inner: Arc::new(inner) })
    }

    /// Opens the ledger for looking only; needs no lock and works beside a running daemon.
    ///
    /// # Errors
    /// [`Error::Absent`] if there is none yet.
    pub fn open_read_only(path: &Path) -> Result<Ledger, Error> {
        let shown = path.display().to_string();
        if !path.exists() {
            return Err(Error::Absent { path: shown });
        }
        let read = read_connection(path, &shown)?;
        check_version(&read, &shown)?;
        // Both handles look only: a write through this ledger fails in SQLite.
        let write = read_connection(path, &shown)?;
        let employees =
            employees::active_addresses(&read).map_err(|source| open_error(&shown, source))?;
        let inner = Inner {
            path: path.to_owned(),
            write: Mutex::new(write),
            read: Mutex::new(read),
            spool: Arc::new(Spool::look(&spool_folder(path))),
            employees: Mutex::new(employees),
            owed: Notify::new(),
            full: AtomicBool::new(false),
            _lock: None,
        };
        Ok(Ledger { inner: Arc::new(inner) })
    }

    /// The process that holds the ledger's lock, if one does.
    pub fn writer(path: &Path) -> Option<String> {
        lock::Lock::holder(path)
    }

    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    pub fn spool(&self) -> &Arc<Spool> {
        &self.inner.spool
    }

    /// Addresses of the CRM's active employees; `None` while the CRM has not named them yet.
    pub fn employee_addresses(&self) -> Option<Arc<HashSet<String>>> {
        held(&self.inner.employees).clone()
    }

    /// Waits until something was queued since the last call.
    pub async fn something_owed(&self) {
        self.inner.owed.notified().await;
    }

    /// Takes note that the disk is full. Returns whether that is news.
    pub fn is_full_now(&self) -> bool {
        !self.inner.full.swap(true, Ordering::Relaxed)
    }

    /// Takes note that mail was written. Returns whether it is news that there is room: a note of
    /// a few octets finds some on a full disk too, and is none.
    pub fn has_room_now(&self) -> bool {
        self.inner.full.swap(false, Ordering::Relaxed)
    }

    fn ring(&self) {
        self.inner.owed.notify_one();
    }

    /// Makes this ledger the given CRM's, or finds that it is another's.
    ///
    /// # Errors
    /// [`Error::OtherCrm`] if the ledger already belongs to another CRM.
    pub async fn bind_crm(&self, configured: String) -> Result<(), Error> {
        let path = self.inner.path.display().to_string();
        let wanted = configured.clone();
        let ledger: String = self
            .write("bind the CRM", move |tx| {
                tx.execute(
                    "INSERT INTO meta (key, value) VALUES ('crm', ?1) ON CONFLICT (key) DO NOTHING",
                    params![wanted],
                )?;
                // The name itself, or one that the portal was found to have taken since.
                tx.query_row(
                    "SELECT CASE WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'crm ' || ?1)
                                 THEN ?1 ELSE value END AS value
                     FROM meta WHERE key = 'crm'",
                    params![wanted],
                    |row| row.get("value"),
                )
            })
            .await?;
        if ledger == configured {
            return Ok(());
        }
        Err(Error::OtherCrm { path, ledger, configured })
    }

    /// Brings all that was written into the ledger's one file, so that a copy of it is whole while
    /// nothing runs. What cannot be brought over now stays in the log beside it.
    pub async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || {
            held(&inner.write).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        });
        drop(task.await);
    }

    /// The CRM this ledger belongs to, once it is bound.
    pub async fn crm(&self) -> Result<Option<String>, Error> {
        self.meta("crm").await
    }

    /// Takes note of a further name of this ledger's CRM: a portal that answers under a new name
    /// is the same portal, and may be configured under either.
    pub async fn also_crm(&self, name: String) -> Result<(), Error> {
        self.write("note the CRM's new name", move |tx| {
            tx.execute(
                "INSERT INTO meta (key, value) VALUES ('crm ' || ?1, ?1)
                 ON CONFLICT (key) DO NOTHING",
                params![name],
            )?;
            Ok(())
        })
        .await
    }

    pub async fn meta(&self, key: &'static str) -> Result<Option<String>, Error> {
        self.read("read a note", move |conn| {
            conn.query_row("SELECT value FROM meta WHERE key = ?1", params![key], |row| {
                row.get("value")
            })
            .optional()
        })
        .await
    }

    pub async fn set_meta(&self, key: &'static str, value: String) -> Result<(), Error> {
        self.write("write a note", move |tx| {
            tx.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                params![key, value],
            )?;
            Ok(())
        })
        .await
    }

    /// Whether there is room for another batch of mail, tried by writing as much.
    pub async fn has_room(&self) -> bool {
        let spool = Arc::clone(&self.inner.spool);
        let tried = tokio::task::spawn_blocking(move || spool.try_room()).await;
        matches!(tried, Ok(Ok(())))
    }

    /// Runs `work` in one transaction on the blocking pool. Once this returns, a power cut does
    /// not undo it.
    async fn write<T, F>(&self, doing: &'static str, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write_then(doing, work, |_, _| {}).await
    }

    /// As [`Ledger::write`]; `after` sees the outcome even if whoever asked is gone by then.
    async fn write_then<T, F, A>(&self, doing: &'static str, work: F, after: A) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(&Inner, &rusqlite::Result<T>) + Send + 'static,
    {
        self.transact(doing, "FULL", work, after).await
    }

    /// The same for what only people look at and the next start finds out anew: it reaches the
    /// disk with the next [`Ledger::write`]. A sync costs milliseconds, in which nobody else
    /// writes.
    async fn note<T, F>(&self, doing: &'static str, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.transact(doing, "NORMAL", work, |_, _| {}).await
    }

    async fn transact<T, F, A>(
        &self,
        doing: &'static str,
        synchronous: &'static str,
        work: F,
        after: A,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(&Inner, &rusqlite::Result<T>) + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || {
            let commit = || {
                let mut conn = held(&inner.write);
                // Set each time, so that no transaction can leave the next one less durable.
                conn.pragma_update(None, "synchronous", synchronous)?;
                let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let value = work(&tx)?;
                tx.commit()?;
                Ok(value)
            };
            let outcome = commit();
            after(&inner, &outcome);
            outcome
        });
        task.await
            .map_err(|_| Error::Interrupted { doing })?
            .map_err(|source| Error::Sql { doing, source })
    }

    /// Runs `work` against a snapshot; never waits for a writer.
    async fn read<T, F>(&self, doing: &'static str, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        // All that one look shows is of one instant, however many statements it takes.
        let task = tokio::task::spawn_blocking(move || {
            let conn = held(&inner.read);
            let instant = conn.unchecked_transaction()?;
            work(&instant)
        });
        task.await
            .map_err(|_| Error::Interrupted { doing })?
            .map_err(|source| Error::Sql { doing, source })
    }
}

/// A lock whose holder panicked guards a connection whose transaction was rolled back: go on.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spool_folder(path: &Path) -> PathBuf {
    path.with_extension("spool")
}

fn open_error(path: &str, source: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match source.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            Error::Corrupt { path: path.to_owned(), what: source.to_string() }
        }
        _ => Error::Open { path: path.to_owned(), source },
    }
}

/// Mail is private: only the daemon's own account may read the ledger.
fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    // A file system without modes keeps what it has; the ledger works all the same.
    drop(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)));
}

fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit that was answered survives a power cut. NORMAL could forget the last
    // ones, and so make things twice.
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "cache_size", -8192)?;
    Ok(())
}

fn read_connection(path: &Path, shown: &str) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = |source| open_error(shown, source);
    let conn = Connection::open_with_flags(path, flags).map_err(open)?;
    conn.busy_timeout(BUSY).map_err(open)?;
    conn.pragma_update(None, "query_only", true).map_err(open)?;
    conn.pragma_update(None, "cache_size", -2048).map_err(open)?;
    Ok(conn)
}

fn check_version(conn: &Connection, shown: &str) -> Result<u32, Error> {
    let found: u32 = conn
        .query_row("SELECT user_version FROM pragma_user_version", [], |row| {
            row.get("user_version")
        })
        .map_err(|source| open_error(shown, source))?;
    if found > SCHEMA {
        return Err(Error::TooNew { found, known: SCHEMA });
    }
    Ok(found)
}

fn migrate(conn: &mut Connection, shown: &str) -> Result<(), Error> {
    let open = |source| open_error(shown, source);
    let found = check_version(conn, shown)?;
    let pages: u64 = conn
        .query_row("SELECT page_count FROM pragma_page_count", [], |row| row.get("page_count"))
        .map_err(open)?;
    // The check reads every page: a large ledger would start minutes late. Its damage is found
    // when the damaged page is read.
    if pages < CHECKED_PAGES {
        let verdict: String =
            conn.query_row("PRAGMA quick_check", [], |row| row.get("quick_check")).map_err(open)?;
        if verdict != "ok" {
            return Err(Error::Corrupt { path: shown.to_owned(), what: verdict });
        }
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(open)?;
        tx.execute_batch(migration).map_err(open)?;
        tx.pragma_update(None, "user_version", index + 1).map_err(open)?;
        tx.commit().map_err(open)?;
    }
    Ok(())
}

fn segments(conn: &Connection) -> rusqlite::Result<std::collections::HashMap<u64, u64>> {
    let mut statement =
        conn.prepare("SELECT segment, count(*) AS messages FROM spool GROUP BY segment")?;
    let rows = statement.query_map([], |row| Ok((row.get("segment")?, row.get("messages")?)))?;
    rows.collect()
}
