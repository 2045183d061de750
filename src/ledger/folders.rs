//! Mailboxes and their folders: how far each is done.

use rusqlite::{OptionalExtension, params};

use super::record::int;
use super::{Error, Ledger};

/// A mailbox's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MailboxId(pub i64);

/// How far one folder is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRow {
    pub id: i64,
    /// 0: never read.
    pub uid_validity: u32,
    /// Every UID at or below it has a place or lies at or under the floor.
    pub cursor: u32,
    pub floor: u32,
    /// Unix seconds.
    pub first_read_at: i64,
    pub history_days: u32,
    /// UIDs at or below it belong to the folder's first reading.
    pub first_until: u32,
}

impl Ledger {
    /// The mailboxes of these names, hosts and usernames, known from before or new.
    pub async fn register_mailboxes(
        &self,
        wanted: Vec<(String, String, String)>,
    ) -> Result<Vec<MailboxId>, Error> {
        self.write("note mailboxes", move |tx| {
            let mut insert = tx.prepare(
                "INSERT INTO mailbox (name, host, username, state, queue_turn, login_refusals)
                 VALUES (?1, ?2, ?3, 'stopped', 0, '[]')
                 ON CONFLICT (name, host, username) DO NOTHING",
            )?;
            let mut select = tx.prepare(
                "SELECT id FROM mailbox WHERE name = ?1 AND host = ?2 AND username = ?3",
            )?;
            wanted
                .iter()
                .map(|(name, host, username)| {
                    insert.execute(params![name, host, username])?;
                    select.query_row(params![name, host, username], |row| {
                        row.get("id").map(MailboxId)
                    })
                })
                .collect()
        })
        .await
    }

    /// The mailbox's row, if the ledger knows it; for looking only.
    pub async fn mailbox_id(
        &self,
        name: String,
        host: String,
        username: String,
    ) -> Result<Option<MailboxId>, Error> {
        self.read("read a mailbox", move |conn| {
            conn.query_row(
                "SELECT id FROM mailbox WHERE name = ?1 AND host = ?2 AND username = ?3",
                params![name, host, username],
                |row| row.get("id").map(MailboxId),
            )
            .optional()
        })
        .await
    }

    /// Notes a mailbox's state as `status` shows it. The error of a lost connection stays until
    /// another one stands.
    pub async fn mailbox_state(
        &self,
        mailbox: MailboxId,
        state: &'static str,
        last_error: Option<String>,
    ) -> Result<(), Error> {
        self.note("note a mailbox's state", move |tx| {
            tx.prepare_cached(
                "UPDATE mailbox SET state = ?2, last_error = CASE WHEN ?2 = 'connecting'
                                                                  THEN last_error ELSE ?3 END
                 WHERE id = ?1 AND (state <> ?2 OR last_error IS NOT ?3)",
            )?
            .execute(params![mailbox.0, state, last_error])?;
            Ok(())
        })
        .await
    }

    /// What an earlier run noted last is not true any more.
    pub async fn stop_all_mailboxes(&self) -> Result<(), Error> {
        self.write("note mailboxes' states", |tx| {
            tx.execute("UPDATE mailbox SET state = 'stopped', last_error = NULL", [])?;
            Ok(())
        })
        .await
    }

    /// Times at which the server refused this mailbox's credentials, and the digest of the
    /// refused secret.
    pub async fn login_refusals(
        &self,
        mailbox: MailboxId,
    ) -> Result<(Vec<i64>, Option<String>), Error> {
        let (times, digest): (String, Option<String>) = self
            .read("read login refusals", move |conn| {
                conn.query_row(
                    "SELECT login_refusals, refused_secret FROM mailbox WHERE id = ?1",
                    params![mailbox.0],
                    |row| Ok((row.get("login_refusals")?, row.get("refused_secret")?)),
                )
            })
            .await?;
        let times = serde_json::from_str(&times)
            .map_err(|source| Error::Json { doing: "read login refusals", source })?;
        Ok((times, digest))
    }

    /// Notes the refusals that still count, so that a restart does not start the count anew.
    pub async fn note_login_refusals(
        &self,
        mailbox: MailboxId,
        times: Vec<i64>,
        refused_secret: Option<String>,
    ) -> Result<(), Error> {
        let times = serde_json::to_string(&times)
            .map_err(|source| Error::Json { doing: "note login refusals", source })?;
        self.write("note login refusals", move |tx| {
            tx.execute(
                "UPDATE mailbox SET login_refusals = ?2, refused_secret = ?3 WHERE id = ?1",
                params![mailbox.0, times, refused_secret],
            )?;
            Ok(())
        })
        .await
    }

    /// The folder's row, made if it is new. `now` becomes the moment of its first reading.
    pub async fn folder(
        &self,
        mailbox: MailboxId,
        name: String,
        role: &'static str,
        now: i64,
        history_days: u32,
    ) -> Result<FolderRow, Error> {
        self.write("note a folder", move |tx| {
            tx.execute(
                "INSERT INTO folder (mailbox, name, role, uid_validity, cursor, floor,
                                     first_read_at, history_days, first_until, uid_next, behind)
                 VALUES (?1, ?2, ?3, 0, 0, 0, ?4, ?5, 0, 0, 0)
                 ON CONFLICT (mailbox, name) DO UPDATE SET role = excluded.role
                 WHERE role <> excluded.role",
                params![mailbox.0, name, role, now, history_days],
            )?;
            tx.query_row(
                "SELECT id, uid_validity, cursor, floor, first_read_at, history_days, first_until
                 FROM folder WHERE mailbox = ?1 AND name = ?2",
                params![mailbox.0, name],
                folder_row,
            )
        })
        .await
    }

    /// The folder's row, if mailcrm has met the folder; for looking only.
    pub async fn folder_if_known(
        &self,
        mailbox: String,
        host: String,
        username: String,
        name: String,
    ) -> Result<Option<FolderRow>, Error> {
        self.read("read a folder", move |conn| {
            conn.query_row(
                "SELECT f.id, f.uid_validity, f.cursor, f.floor, f.first_read_at, f.history_days,
                        f.first_until
                 FROM folder f JOIN mailbox m ON m.id = f.mailbox
                 WHERE m.name = ?1 AND m.host = ?2 AND m.username = ?3 AND f.name = ?4",
                params![mailbox, host, username, name],
                folder_row,
            )
            .optional()
        })
        .await
    }

    /// Begins a folder's reading anew: at first contact, after a renumbering, or for more
    /// history. All that lies above `floor` is to be gone through; what has a place already is
    /// not read again, but for what only the old window kept out when the window was `widened`.
    pub async fn begin_folder(&self, row: FolderRow, widened: bool) -> Result<(), Error> {
        self.write("begin a folder", move |tx| {
            if widened {
                // Rows above the old floor. They owe nothing and are written anew when their
                // UIDs are gone through; a message with a place elsewhere stays for that one.
                tx.execute(
                    "DELETE FROM place WHERE folder = ?1 AND message IN
                         (SELECT id FROM message
                          WHERE state = 'skipped' AND reason = 'before-history')",
                    params![row.id],
                )?;
                tx.execute(
                    "DELETE FROM message
                     WHERE state = 'skipped' AND reason = 'before-history'
                       AND NOT EXISTS (SELECT 1 FROM place p WHERE p.message = message.id)
                       AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.message = message.id)",
                    [],
                )?;
            }
            if !widened {
                // The server went back and gives UIDs anew under the same UIDVALIDITY, as after a
                // restored backup. The places stay, under the validity 0 that no server gives.
                tx.execute(
                    "UPDATE OR REPLACE place SET uid_validity = 0
                     WHERE folder = ?1 AND uid_validity = ?2",
                    params![row.id, row.uid_validity],
                )?;
            }
            tx.execute(
                "UPDATE folder SET uid_validity = ?2, cursor = ?3, floor = ?4, history_days = ?5,
                                   first_until = ?6
                 WHERE id = ?1",
                params![
                    row.id,
                    row.uid_validity,
                    row.cursor,
                    row.floor,
                    row.history_days,
                    row.first_until
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// Message-IDs of the last `limit` messages at or under a UID of a folder that have one.
    pub async fn ids_under(
        &self,
        folder: i64,
        uid_validity: u32,
        last: u32,
        limit: usize,
    ) -> Result<std::collections::HashMap<u32, String>, Error> {
        self.read("read places", move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT p.uid, m.message_id FROM place p JOIN message m ON m.id = p.message
                 WHERE p.folder = ?1 AND p.uid_validity = ?2 AND p.uid <= ?3
                   AND m.message_id IS NOT NULL
                 ORDER BY p.uid DESC LIMIT ?4",
            )?;
            let rows = statement
                .query_map(params![folder, uid_validity, last, int(limit as u64)], |row| {
                    Ok((row.get("uid")?, row.get("message_id")?))
                })?;
            rows.collect()
        })
        .await
    }

    /// Takes a folder's cursor and floor back, for the server gives the UIDs above it once more.
    /// The places there stay, under the validity 0 that no server gives.
    pub async fn lower_cursor(&self, row: FolderRow) -> Result<(), Error> {
        self.write("lower a cursor", move |tx| {
            tx.execute(
                "UPDATE OR REPLACE place SET uid_validity = 0
                 WHERE folder = ?1 AND uid_validity = ?2 AND uid > ?3",
                params![row.id, row.uid_validity, row.cursor],
            )?;
            tx.execute(
                "UPDATE folder SET cursor = ?2, floor = ?3, first_until = ?4 WHERE id = ?1",
                params![row.id, row.cursor, row.floor, row.first_until],
            )?;
            Ok(())
        })
        .await
    }

    /// Has a folder be gone through from a UID on; what has a place is not read again.
    pub async fn read_from(
        &self,
        mailbox: String,
        folder: String,
        uid_validity: u32,
        from: u32,
    ) -> Result<(), Error> {
        self.write("read a folder again", move |tx| {
            tx.execute(
                "UPDATE folder SET cursor = min(cursor, ?4), first_until = max(first_until, cursor)
                 WHERE name = ?2 AND uid_validity = ?3
                   AND mailbox IN (SELECT id FROM mailbox WHERE name = ?1)",
                params![mailbox, folder, uid_validity, from.saturating_sub(1)],
            )?;
            Ok(())
        })
        .await
    }

    /// Notes what the server said of a folder.
    pub async fn folder_seen(&self, folder: i64, uid_next: u32, behind: u64) -> Result<(), Error> {
        self.note("note a folder's size", move |tx| {
            tx.prepare_cached(
                "UPDATE folder SET uid_next = ?2, behind = ?3
                 WHERE id = ?1 AND (uid_next <> ?2 OR behind <> ?3)",
            )?
            .execute(params![
                folder,
                uid_next,
                i64::try_from(behind).unwrap_or(i64::MAX)
            ])?;
            Ok(())
        })
        .await
    }

    /// Which of the UIDs `low..=high` of a folder have a place.
    pub async fn placed_uids(
        &self,
        folder: i64,
        uid_validity: u32,
        low: u32,
        high: u32,
    ) -> Result<std::collections::BTreeSet<u32>, Error> {
        self.read("read places", move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT uid FROM place
                 WHERE folder = ?1 AND uid_validity = ?2 AND uid BETWEEN ?3 AND ?4",
            )?;
            let rows = statement
                .query_map(params![folder, uid_validity, low, high], |row| row.get("uid"))?;
            rows.collect()
        })
        .await
    }
}

pub(super) fn folder_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<FolderRow> {
    Ok(FolderRow {
        id: row.get("id")?,
        uid_validity: row.get("uid_validity")?,
        cursor: row.get("cursor")?,
        floor: row.get("floor")?,
        first_read_at: row.get("first_read_at")?,
        history_days: row.get("history_days")?,
        first_until: row.get("first_until")?,
    })
}
