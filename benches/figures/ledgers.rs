//! Ledgers as years of mail leave them, written straight from the migrations: at the daemon's own
//! pace a million messages, each filed in a CRM, would take days.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use crate::mails;
use crate::rows::{self, FOLDERS, MAILBOXES};

/// All that lies in the spool is this one mail's stretch of the first segment.
const SEGMENT: &str = "000000000001.seg";

/// A ledger of so many messages, numbered from 1. It is made if it is not there; one that is there
/// from another measurement is as new.
pub fn ledger(messages: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ledgers");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{messages}-{}.sqlite", making()));
    if path.exists() {
        forget(&path, messages);
        return path;
    }
    // Of a former making.
    let old = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    for old in old.filter(|old| is_of(old, messages)) {
        let _ = std::fs::remove_dir_all(&old);
        let _ = std::fs::remove_file(&old);
    }
    println!("  making a ledger of {messages} messages");
    let new = path.with_extension("new");
    let mail = mails::short("client0@shop0.example", 0);
    make(&new, messages, mail.len());
    let spool = path.with_extension("spool");
    std::fs::create_dir(&spool).unwrap();
    std::fs::write(spool.join(SEGMENT), mail).unwrap();
    // Whole, or not there.
    std::fs::rename(new, &path).unwrap();
    path
}

/// Takes out what a measurement has put into a ledger of so many messages. Nobody else may have it
/// open.
pub fn forget(path: &Path, messages: usize) {
    let ledger = Connection::open(path).unwrap();
    ledger.pragma_update(None, "foreign_keys", false).unwrap();
    let text = format!(
        "BEGIN;
         DELETE FROM made WHERE entry IN (SELECT id FROM entry WHERE message > {messages});
         DELETE FROM attempt WHERE entry IN (SELECT id FROM entry WHERE message > {messages});
         DELETE FROM entry WHERE message > {messages};
         DELETE FROM spool WHERE message > {messages};
         DELETE FROM card WHERE message > {messages};
         DELETE FROM place WHERE message > {messages};
         DELETE FROM message WHERE id > {messages};
         DELETE FROM folder WHERE id > {};
         DELETE FROM meta WHERE key = 'crm' OR key LIKE 'crm %';
         COMMIT;",
        MAILBOXES.len() * FOLDERS.len()
    );
    ledger.execute_batch(&text).unwrap();
    ledger.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let segments = std::fs::read_dir(path.with_extension("spool")).unwrap().flatten();
    for segment in segments.filter(|segment| segment.file_name() != SEGMENT) {
        std::fs::remove_file(segment.path()).unwrap();
    }
}

/// Tells makings apart: by the migrations, this file and the rows.
fn making() -> String {
    let mut digest = Sha256::new();
    digest.update(include_bytes!("ledgers.rs"));
    digest.update(include_bytes!("rows.rs"));
    for migration in migrations() {
        digest.update(migration.as_bytes());
    }
    digest.finalize().iter().take(4).map(|octet| format!("{octet:02x}")).collect()
}

fn is_of(path: &Path, messages: usize) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name.strip_prefix(&messages.to_string()).is_some_and(|rest| rest.starts_with('-'))
}

/// The texts of the migrations, in their order.
fn migrations() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|ending| ending == "sql")).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

fn make(path: &Path, messages: usize, mail: usize) {
    let mut ledger = Connection::open(path).unwrap();
    // Half a ledger is never used, so nothing needs to be safe on the way.
    ledger.pragma_update(None, "journal_mode", "OFF").unwrap();
    ledger.pragma_update(None, "synchronous", "OFF").unwrap();
    ledger.pragma_update(None, "foreign_keys", false).unwrap();
    ledger.pragma_update(None, "cache_size", -1_000_000).unwrap();
    let migrations = migrations();
    for migration in &migrations {
        ledger.execute_batch(migration).unwrap();
    }
    ledger.pragma_update(None, "user_version", migrations.len()).unwrap();
    let tx = ledger.transaction().unwrap();
    // The indexes are there while the rows come: their pages are filled as years of mail fill them.
    // Pages of an index made afterwards are full, and each mail that comes later would split some.
    rows::write(&tx, messages, mail);
    tx.commit().unwrap();
    ledger.pragma_update(None, "journal_mode", "WAL").unwrap();
    ledger.close().unwrap();
}
