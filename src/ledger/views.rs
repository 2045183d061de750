//! What `status`, `messages`, `explain` and `reconcile` show. Looks only.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::outbox::cards;
use super::{Attempt, Error, Ledger};
use crate::card::CardRef;

/// Which messages are wanted; `None` means any.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Filter {
    pub mailbox: Option<String>,
    pub state: Option<String>,
    pub reason: Option<String>,
    /// Received at or after, Unix seconds.
    pub since: Option<i64>,
    /// Received before, Unix seconds.
    pub until: Option<i64>,
    /// Sender's bare address in normal form.
    pub address: Option<String>,
    pub limit: Option<u64>,
    /// Ledger numbers below this one only: how a long list is read in pages.
    pub before: Option<i64>,
}

/// Where a message lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceView {
    pub mailbox: String,
    pub folder: String,
    pub uid_validity: u32,
    pub uid: u32,
}

/// One message as the ledger has it. Times are Unix seconds.
#[derive(Clone, Debug)]
pub struct MessageView {
    pub id: i64,
    pub message_id: Option<String>,
    pub fingerprint: [u8; 32],
    pub places: Vec<PlaceView>,
    pub direction: Option<String>,
    /// `None`, as the direction, of a message of which nothing could be read.
    pub class: Option<String>,
    pub from: Option<String>,
    pub subject: String,
    pub state: String,
    pub reason: Option<String>,
    /// JSON lists as they were written.
    pub evidence: serde_json::Value,
    pub candidates: serde_json::Value,
    pub cards: Vec<CardRef>,
    pub activity_id: Option<u64>,
    pub responsible: Option<u64>,
    pub owner: u64,
    pub received_at: i64,
    pub recorded_at: Option<i64>,
    pub activity_created_at: Option<i64>,
    pub activity_completed_at: Option<i64>,
    pub attempts: Vec<Attempt>,
    /// When the entry that files it is tried next, while it is owed.
    pub next_attempt_at: Option<i64>,
}

/// How a person names a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Number(i64),
    Place { mailbox: String, folder: String, uid: u32 },
    MessageId(String),
}

/// A folder in `status`.
#[derive(Clone, Debug)]
pub struct FolderStatus {
    pub name: String,
    pub role: String,
    /// `None` here and below: the folder was never read.
    pub uid_validity: Option<u32>,
    pub uid_next: Option<u32>,
    pub behind: u64,
}

/// A mailbox in `status`.
#[derive(Clone, Debug)]
pub struct MailboxStatus {
    pub name: String,
    pub host: String,
    pub username: String,
    pub state: String,
    pub last_error: Option<String>,
    pub folders: Vec<FolderStatus>,
}

/// The numbers of `status`.
#[derive(Clone, Debug, Default)]
pub struct StatusCounts {
    pub queued: u64,
    pub deferred: u64,
    pub refused: u64,
    /// Unix seconds at which the oldest owed entry was queued.
    pub oldest: Option<i64>,
    /// Messages by state; skipped ones by reason below.
    pub states: BTreeMap<String, u64>,
    pub skipped: BTreeMap<String, u64>,
}

impl Ledger {
    /// Messages, newest first.
    pub async fn messages(&self, filter: Filter) -> Result<Vec<MessageView>, Error> {
        self.read("read messages", move |conn| {
            // By the index of senders where one is named: a table of millions is long to go through.
            let statement = if filter.address.is_some() {
                "SELECT m.id FROM message m
                 WHERE m.sender = ?6
                   AND (?1 IS NULL OR EXISTS (SELECT 1 FROM place p
                                              JOIN folder f ON f.id = p.folder
                                              JOIN mailbox b ON b.id = f.mailbox
                                              WHERE p.message = m.id AND b.name = ?1))
                   AND (?2 IS NULL OR m.state = ?2)
                   AND (?3 IS NULL OR m.reason = ?3)
                   AND (?4 IS NULL OR m.received_at >= ?4)
                   AND (?5 IS NULL OR m.received_at < ?5)
                   AND m.id < ?8
                 ORDER BY m.id DESC LIMIT ?7"
            } else {
                "SELECT m.id FROM message m
                 WHERE (?1 IS NULL OR EXISTS (SELECT 1 FROM place p
                                              JOIN folder f ON f.id = p.folder
                                              JOIN mailbox b ON b.id = f.mailbox
                                              WHERE p.message = m.id AND b.name = ?1))
                   AND (?2 IS NULL OR m.state = ?2)
                   AND (?3 IS NULL OR m.reason = ?3)
                   AND (?4 IS NULL OR m.received_at >= ?4)
                   AND (?5 IS NULL OR m.received_at < ?5)
                   AND ?6 IS NULL
                   AND m.id < ?8
                 ORDER BY m.id DESC LIMIT ?7"
            };
            let mut statement = conn.prepare_cached(statement)?;
            let limit = filter.limit.map_or(-1, super::record::int);
            let ids = statement.query_map(
                params![
                    filter.mailbox,
                    filter.state,
                    filter.reason,
                    filter.since,
                    filter.until,
                    filter.address,
                    limit,
                    // Without OR, so that a page begins at its place in the table.
                    filter.before.unwrap_or(i64::MAX)
                ],
                |row| row.get::<_, i64>("id"),
            )?;
            let mut views = Vec::new();
            for id in ids {
                views.extend(view(conn, id?)?);
            }
            Ok(views)
        })
        .await
    }

    /// The messages that a name means: one for a number or a place, several where a Message-ID
    /// was used again.
    pub async fn find(&self, named: Named) -> Result<Vec<MessageView>, Error> {
        self.read("look for a message", move |conn| {
            let ids: Vec<i64> = match &named {
                Named::Number(id) => vec![*id],
                Named::Place { mailbox, folder, uid } => {
                    let mut statement = conn.prepare_cached(
                        "SELECT p.message FROM place p
                         JOIN folder f ON f.id = p.folder AND f.uid_validity = p.uid_validity
                         JOIN mailbox b ON b.id = f.mailbox
                         WHERE b.name = ?1 AND f.name = ?2 AND p.uid = ?3",
                    )?;
                    let rows = statement
                        .query_map(params![mailbox, folder, uid], |row| row.get("message"))?;
                    rows.collect::<rusqlite::Result<_>>()?
                }
                Named::MessageId(id) => {
                    let mut statement = conn.prepare_cached(
                        "SELECT id FROM message WHERE message_id = ?1 ORDER BY id",
                    )?;
                    let rows = statement.query_map(params![id], |row| row.get("id"))?;
                    rows.collect::<rusqlite::Result<_>>()?
                }
            };
            let mut views = Vec::new();
            for id in ids {
                views.extend(view(conn, id)?);
            }
            Ok(views)
        })
        .await
    }

    /// The message that is this one, if it is known.
    pub async fn same(&self, fingerprint: [u8; 32]) -> Result<Option<MessageView>, Error> {
        self.read("look for a message", move |conn| {
            let id = conn
                .prepare_cached("SELECT id FROM message WHERE fingerprint = ?1")?
                .query_row(params![fingerprint.as_slice()], |row| row.get("id"))
                .optional()?;
            id.map_or(Ok(None), |id| view(conn, id))
        })
        .await
    }

    /// Mailboxes and folders as the daemon last noted them.
    pub async fn mailboxes(&self) -> Result<Vec<MailboxStatus>, Error> {
        self.read("read mailboxes", |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, name, host, username, state, last_error FROM mailbox ORDER BY name",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((
                    row.get::<_, i64>("id")?,
                    MailboxStatus {
                        name: row.get("name")?,
                        host: row.get("host")?,
                        username: row.get("username")?,
                        state: row.get("state")?,
                        last_error: row.get("last_error")?,
                        folders: Vec::new(),
                    },
                ))
            })?;
            let mut mailboxes = Vec::new();
            for row in rows {
                let (id, mut mailbox) = row?;
                mailbox.folders = folders(conn, id)?;
                mailboxes.push(mailbox);
            }
            Ok(mailboxes)
        })
        .await
    }

    /// Counts for `status`.
    pub async fn counts(&self) -> Result<StatusCounts, Error> {
        self.read("count", |conn| {
            let mut counts = conn.query_row(
                "SELECT coalesce(sum(state = 'queued'), 0) AS queued,
                        coalesce(sum(state = 'deferred'), 0) AS deferred,
                        (SELECT count(*) FROM entry WHERE state = 'refused') AS refused,
                        min(queued_at) AS oldest
                 FROM entry WHERE state IN ('queued', 'deferred')",
                [],
                |row| {
                    Ok(StatusCounts {
                        queued: row.get("queued")?,
                        deferred: row.get("deferred")?,
                        refused: row.get("refused")?,
                        oldest: row.get("oldest")?,
                        ..StatusCounts::default()
                    })
                },
            )?;
            let mut statement = conn.prepare_cached(
                "SELECT state, reason, count(*) AS messages FROM message GROUP BY state, reason",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((
                    row.get::<_, String>("state")?,
                    row.get::<_, Option<String>>("reason")?,
                    row.get::<_, u64>("messages")?,
                ))
            })?;
            for row in rows {
                let (state, reason, messages) = row?;
                if let (true, Some(reason)) = (state == "skipped", reason) {
                    *counts.skipped.entry(reason).or_default() += messages;
                }
                *counts.states.entry(state).or_default() += messages;
            }
            Ok(counts)
        })
        .await
    }
}

fn folders(conn: &Connection, mailbox: i64) -> rusqlite::Result<Vec<FolderStatus>> {
    let mut statement = conn.prepare_cached(
        "SELECT name, role, nullif(uid_validity, 0) AS uid_validity,
                nullif(uid_next, 0) AS uid_next, behind
         FROM folder WHERE mailbox = ?1 ORDER BY name",
    )?;
    let rows = statement.query_map(params![mailbox], |row| {
        Ok(FolderStatus {
            name: row.get("name")?,
            role: row.get("role")?,
            uid_validity: row.get("uid_validity")?,
            uid_next: row.get("uid_next")?,
            behind: row.get("behind")?,
        })
    })?;
    rows.collect()
}

fn view(conn: &Connection, id: i64) -> rusqlite::Result<Option<MessageView>> {
    let found = conn
        .prepare_cached(
            "SELECT m.id, m.message_id, m.fingerprint, m.direction,
                    CASE WHEN m.direction IS NOT NULL THEN m.class END AS class, m.sender, m.subject,
                    m.state, m.reason, m.evidence, m.candidates, m.activity_id, m.responsible,
                    m.owner, m.received_at, m.recorded_at, m.activity_created_at,
                    m.activity_completed_at, e.next_attempt_at
             FROM message m
             LEFT JOIN entry e ON e.message = m.id AND e.action = 'file'
                              AND e.state IN ('queued', 'deferred')
             WHERE m.id = ?1",
        )?
        .query_row(params![id], |row| {
            let json = |text: String| serde_json::from_str(&text).unwrap_or_default();
            Ok(MessageView {
                id: row.get("id")?,
                message_id: row.get("message_id")?,
                fingerprint: row.get("fingerprint")?,
                places: Vec::new(),
                direction: row.get("direction")?,
                class: row.get("class")?,
                from: row.get("sender")?,
                subject: row.get("subject")?,
                state: row.get("state")?,
                reason: row.get("reason")?,
                evidence: json(row.get("evidence")?),
                candidates: json(row.get("candidates")?),
                cards: Vec::new(),
                activity_id: row.get("activity_id")?,
                responsible: row.get("responsible")?,
                owner: row.get("owner")?,
                received_at: row.get("received_at")?,
                recorded_at: row.get("recorded_at")?,
                activity_created_at: row.get("activity_created_at")?,
                activity_completed_at: row.get("activity_completed_at")?,
                attempts: Vec::new(),
                next_attempt_at: row.get("next_attempt_at")?,
            })
        })
        .optional()?;
    let Some(mut view) = found else { return Ok(None) };
    view.cards = cards(conn, id)?;
    let mut statement = conn.prepare_cached(
        "SELECT b.name AS mailbox, f.name AS folder, p.uid_validity, p.uid
         FROM place p JOIN folder f ON f.id = p.folder JOIN mailbox b ON b.id = f.mailbox
         WHERE p.message = ?1 ORDER BY p.position, p.folder",
    )?;
    let places = statement.query_map(params![id], |row| {
        Ok(PlaceView {
            mailbox: row.get("mailbox")?,
            folder: row.get("folder")?,
            uid_validity: row.get("uid_validity")?,
            uid: row.get("uid")?,
        })
    })?;
    view.places = places.collect::<rusqlite::Result<_>>()?;
    let mut statement = conn.prepare_cached(
        "SELECT a.entry, a.at, a.method, a.fate, a.code, a.text
         FROM attempt a JOIN entry e ON e.id = a.entry WHERE e.message = ?1 ORDER BY a.id",
    )?;
    let attempts = statement.query_map(params![id], |row| {
        Ok(Attempt {
            entry: row.get("entry")?,
            at: row.get("at")?,
            method: row.get("method")?,
            fate: row.get("fate")?,
            code: row.get("code")?,
            text: row.get("text")?,
        })
    })?;
    view.attempts = attempts.collect::<rusqlite::Result<_>>()?;
    Ok(Some(view))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::ledger::{Batch, FolderRow, MailboxId, MessageFacts, Seen, Stretch, Verdict};
    use crate::message::Class;
    use crate::rules::{Direction, Reason};

    const ACTIVITY: u64 = 123;

    fn seen(uid: u32, direction: Option<Direction>, verdict: Verdict) -> Seen {
        Seen {
            uid,
            fingerprint: [uid.to_le_bytes()[0]; 32],
            facts: MessageFacts {
                message_id: None,
                given_on_the_way: false,
                direction,
                class: Class::Normal,
                sender: None,
                subject: String::new(),
                received_at: 0,
                refs: Vec::new(),
                evidence: Vec::new(),
                crm_activity: Some(ACTIVITY),
            },
            verdict,
        }
    }

    async fn folder(ledger: &Ledger, mailbox: MailboxId, name: &str) -> FolderRow {
        ledger.folder(mailbox, name.to_owned(), "inbox", 0, 7).await.unwrap()
    }

    /// A ledger with a folder that was read and one that was not.
    async fn with(folder_of: &tempfile::TempDir, seen: Vec<Seen>) -> Ledger {
        let ledger = Ledger::open(&folder_of.path().join("ledger.sqlite"), 1 << 20).unwrap();
        let names = ["sales", "imap.example.com", "sales"].map(str::to_owned);
        let mailbox = ledger.register_mailboxes(vec![names.into()]).await.unwrap()[0];
        folder(&ledger, mailbox, "Unread").await;
        let row = FolderRow { uid_validity: 3, ..folder(&ledger, mailbox, "INBOX").await };
        ledger.begin_folder(row.clone(), false).await.unwrap();
        ledger.folder_seen(row.id, 9, 0).await.unwrap();
        let batch = Batch {
            mailbox,
            folder: row.id,
            role: "inbox",
            uid_validity: 3,
            owner: 7,
            stretch: Arc::new(Stretch::default()),
            history_until: 0,
            seen,
            gone: Default::default(),
            now: 0,
            due_at: 0,
        };
        ledger.record(batch).await.unwrap();
        ledger
    }

    #[tokio::test]
    async fn what_is_absent_is_none() {
        let outgoing = Some(Direction::Outgoing);
        let incoming = Some(Direction::Incoming);
        let normal = Some("normal");
        let unreadable = Verdict::Quarantine { raw: None, whole: true };
        #[rustfmt::skip]
        let cases = [
            ("sent by the CRM",      seen(1, outgoing, Verdict::Skip(Reason::OwnCrmMail)), normal, Some(ACTIVITY)),
            ("of a client's portal", seen(2, incoming, Verdict::Skip(Reason::Excluded)),   normal, None),
            ("unreadable",           seen(3, None,     unreadable),                        None,   None),
        ];
        let folder = tempfile::tempdir().unwrap();
        let ledger = with(&folder, cases.iter().map(|(_, seen, ..)| seen.clone()).collect()).await;
        for (name, seen, class, activity) in cases {
            let view = ledger.same(seen.fingerprint).await.unwrap().unwrap();
            assert_eq!((view.class.as_deref(), view.activity_id), (class, activity), "{name}");
        }
        assert!(ledger.same([9; 32]).await.unwrap().is_none());
        let folders = ledger.mailboxes().await.unwrap().remove(0).folders;
        let said: Vec<_> = folders
            .iter()
            .map(|folder| (folder.name.as_str(), folder.uid_validity, folder.uid_next))
            .collect();
        assert_eq!(said, [("INBOX", Some(3), Some(9)), ("Unread", None, None)]);
    }
}
