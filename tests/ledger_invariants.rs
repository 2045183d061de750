//! What the ledger's file says at any instant at which the daemon dies, while it reads a backlog.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::path::Path;
use std::time::Duration;

use common::daemon::Daemon;
use common::scene::{Scene, mail, reconciled, sent, until_mailbox};
use common::{LIMIT, wait_for};
use rusqlite::{Connection, OpenFlags};

/// What must never be found; each line names the promise that it would break.
const BROKEN: &[(&str, &str)] = &[
    ("2: a message without a place",
     "SELECT count(*) FROM message m WHERE NOT EXISTS (SELECT 1 FROM place p WHERE p.message = m.id)"),
    ("2: a place without its message",
     "SELECT count(*) FROM place p WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.id = p.message)"),
    ("2: a queued message that owes nothing",
     "SELECT count(*) FROM message m WHERE m.state = 'queued'
      AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.message = m.id AND e.state IN ('queued', 'deferred'))"),
    ("2: a queued message without its raw bytes",
     "SELECT count(*) FROM message m WHERE m.state = 'queued'
      AND NOT EXISTS (SELECT 1 FROM spool s WHERE s.message = m.id)"),
    ("2: an entry without its message",
     "SELECT count(*) FROM entry e WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.id = e.message)"),
    ("2: a state that does not exist",
     "SELECT count(*) FROM message WHERE state NOT IN
      ('queued', 'saved', 'skipped', 'parked', 'quarantined', 'refused')"),
];

#[derive(Debug, PartialEq, Eq)]
struct Folder {
    name: String,
    cursor: u32,
    uids: Vec<u32>,
}

fn look(path: &Path) -> (Vec<String>, Vec<Folder>) {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let mut broken = Vec::new();
    for (what, sql) in BROKEN {
        let count: u64 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
        if count > 0 {
            broken.push(format!("{what}: {count}"));
        }
    }
    let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    if check != "ok" {
        broken.push(check);
    }
    let mut folders = conn.prepare("SELECT id, name, cursor, floor FROM folder").unwrap();
    let folders: Vec<(i64, String, u32, u32)> = folders
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let folders = folders
        .into_iter()
        .map(|(id, name, cursor, floor)| {
            let mut uids =
                conn.prepare("SELECT uid FROM place WHERE folder = ?1 ORDER BY uid").unwrap();
            let uids: Vec<u32> =
                uids.query_map([id], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
            // The server has every UID from 1 upwards, and all lie in the window.
            let missing: Vec<u32> =
                (floor + 1..=cursor).filter(|uid| uids.binary_search(uid).is_err()).collect();
            if !missing.is_empty() {
                broken.push(format!("1: {name}: the cursor {cursor} passed {missing:?}"));
            }
            Folder { name, cursor, uids }
        })
        .collect();
    (broken, folders)
}

#[test]
fn promise_02_whenever_the_daemon_dies_message_entries_and_cursor_belong_together() {
    let scene = Scene::with(&["sales"]);
    const COUNT: u32 = 480;
    for number in 0..COUNT {
        let subject = format!("Mail {number:03}");
        let (folder, mail) = match number % 8 {
            0 => ("Sent", sent(&subject)),
            // Skipped: an employee of ours wrote to another.
            1 => (
                "INBOX",
                common::mails::Mail { from: "boss@example.com".to_owned(), ..mail(&subject) },
            ),
            _ => ("INBOX", mail(&subject).body("x".repeat(60_000))),
        };
        scene.deliver("sales", folder, &mail);
    }
    let mut daemon = Daemon::new(&scene.crm.url(), &[scene.mailbox("sales")]);
    let mut seen = Vec::new();
    for kill in 0..12 {
        daemon.start();
        // No wait for anything: the instant is the point. Ever later: at the first connection, in
        // the middle of a folder, while mail is filed.
        std::thread::sleep(Duration::from_millis(10 + kill * 20));
        daemon.kill9();
        let (broken, folders) = look(&daemon.ledger_path());
        assert!(broken.is_empty(), "after {kill} kills: {broken:#?}");
        seen.push(folders.iter().map(|folder| folder.uids.len()).sum::<usize>());
    }
    println!("rows at each kill: {seen:?}");
    daemon.start();
    // A call that was lost with a kill is waited for a minute.
    wait_for("everything to be filed", LIMIT, || {
        let (broken, _) = look(&daemon.ledger_path());
        assert!(broken.is_empty(), "{broken:#?}");
        let saved = daemon.counts().states.get("saved").copied();
        saved == Some(u64::from(COUNT / 8 * 7))
    });
    daemon.wait_until_settled(COUNT as usize, LIMIT);
    until_mailbox(&daemon, "sales", "idle");
    let mut filed = scene.filed();
    filed.dedup();
    assert_eq!(filed.len(), COUNT as usize / 8 * 7, "filed twice");
    let (_, folders) = look(&daemon.ledger_path());
    for folder in &folders {
        assert_eq!(folder.uids.last(), Some(&folder.cursor), "{}", folder.name);
    }
    reconciled(&daemon);
}
