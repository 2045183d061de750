//! What is due in the outbox, and what is known of it.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::outbox::{MadeRow, cards};
use super::record::int;
use super::{Entry, EntryAction, Error, Filed, Ledger, Location, MailboxId, Parent};
use crate::rules::State;

/// Seconds beyond which no entry waits. What seems to wait longer was written before the clock
/// was set back, and is due.
const LONGEST_WAIT: i64 = 4_000;

/// Messages under one Message-ID among which a person could choose.
const RIVALS: u32 = 20;

/// Messages named by one mail that are worth asking for.
const THREAD_DEPTH: usize = 30;

impl Ledger {
    /// Entries that are due, whole lanes in order: first lanes that live mail heads, then those
    /// with live mail behind history, then history.
    ///
    /// A lane whose head waits is left out: its later entries must not overtake it.
    ///
    /// Lanes in `busy` are left out as well: they are being delivered.
    pub async fn due(
        &self,
        now: i64,
        limit: usize,
        busy: &HashSet<String>,
    ) -> Result<Vec<Entry>, Error> {
        let busy = serde_json::to_string(busy)
            .map_err(|source| Error::Json { doing: "read what is due", source })?;
        self.read("read what is due", move |conn| {
            let mut lanes: Vec<String> = Vec::new();
            let mut ids: Vec<i64> = Vec::new();
            for (live, head) in [(true, true), (true, false), (false, false)] {
                // A lane is due when its first entry is, whatever stands behind.
                let mut heads = conn.prepare_cached(
                    "SELECT e.lane FROM entry e
                     WHERE e.state IN ('queued', 'deferred') AND e.live = ?1
                       AND e.lane NOT IN (SELECT value FROM json_each(?6))
                       AND NOT EXISTS (SELECT 1 FROM entry f
                                       WHERE f.lane = e.lane AND f.id < e.id
                                         AND (+f.live = ?1 OR ?4)
                                         AND f.state IN ('queued', 'deferred'))
                       AND (SELECT h.next_attempt_at <= ?2 OR h.next_attempt_at > ?2 + ?5
                            FROM entry h
                            WHERE h.lane = e.lane AND h.state IN ('queued', 'deferred')
                            ORDER BY h.id LIMIT 1)
                     ORDER BY e.live, e.id LIMIT ?3",
                )?;
                let found = heads.query_map(
                    params![live, now, int(limit as u64), head, LONGEST_WAIT, busy],
                    |row| row.get::<_, String>("lane"),
                )?;
                for lane in found {
                    let lane = lane?;
                    if ids.len() >= limit || lanes.contains(&lane) {
                        continue;
                    }
                    // One client's flood leaves room for the others.
                    let bound = limit.min(ids.len() + (limit / 4).max(1));
                    due_in_lane(conn, &lane, now, bound, &mut ids)?;
                    lanes.push(lane);
                }
                if ids.len() >= limit {
                    break;
                }
            }
            ids.iter().map(|&id| entry(conn, id)).collect()
        })
        .await
    }

    /// The one entry that tries whether trouble is over: the head of a lane that was never tried,
    /// live mail first, else of those that are due the one that has waited the longest since its
    /// last try. So one that always fails does not stand before those that would not.
    ///
    /// Both conditions on the state: only the second one is that of an index.
    pub async fn probe(&self, now: i64) -> Result<Vec<Entry>, Error> {
        self.read("read what is due", move |conn| {
            let untried = conn
                .prepare_cached(
                    "SELECT e.id FROM entry e
                     WHERE e.state = 'queued' AND e.state IN ('queued', 'deferred')
                       AND (e.next_attempt_at <= ?1 OR e.next_attempt_at > ?1 + ?2)
                       AND NOT EXISTS (SELECT 1 FROM entry head
                                       WHERE head.lane = e.lane AND head.id < e.id
                                         AND head.state IN ('queued', 'deferred'))
                     ORDER BY e.live DESC, e.id LIMIT 1",
                )?
                .query_row(params![now, LONGEST_WAIT], |row| row.get("id"))
                .optional()?;
            let id: Option<i64> = match untried {
                Some(id) => Some(id),
                None => conn
                    .prepare_cached(
                        "SELECT e.id FROM entry e
                         WHERE e.state = 'deferred' AND e.state IN ('queued', 'deferred')
                           AND (e.next_attempt_at <= ?1 OR e.next_attempt_at > ?1 + ?2)
                           AND NOT EXISTS (SELECT 1 FROM entry head
                                           WHERE head.lane = e.lane AND head.id < e.id
                                             AND head.state IN ('queued', 'deferred'))
                         ORDER BY e.next_attempt_at, e.id LIMIT 1",
                    )?
                    .query_row(params![now, LONGEST_WAIT], |row| row.get("id"))
                    .optional()?,
            };
            id.into_iter().map(|id| entry(conn, id)).collect()
        })
        .await
    }

    /// When the next waiting entry is due; `None` if nothing is owed. An entry is not due before
    /// the head of its lane is.
    pub async fn next_due(&self) -> Result<Option<i64>, Error> {
        self.read("read what is due", |conn| {
            conn.query_row(
                "SELECT min(e.next_attempt_at) AS next
                 FROM entry e
                 WHERE e.state IN ('queued', 'deferred')
                   AND NOT EXISTS (SELECT 1 FROM entry head
                                   WHERE head.lane = e.lane AND head.id < e.id
                                     AND head.state IN ('queued', 'deferred'))",
                [],
                |row| row.get("next"),
            )
        })
        .await
    }

    /// Whether live mail with a number above `after` became due and heads its lane: then the next
    /// round begins with it. What stands behind others is delivered no sooner for it.
    /// Lanes in `busy` do not count: other rounds deliver them.
    pub async fn live_is_due(
        &self,
        now: i64,
        after: i64,
        busy: &HashSet<String>,
    ) -> Result<bool, Error> {
        let busy = serde_json::to_string(busy)
            .map_err(|source| Error::Json { doing: "read what is due", source })?;
        self.read("read what is due", move |conn| {
            conn.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM entry e
                                WHERE e.state IN ('queued', 'deferred') AND e.live = 1
                                  AND e.next_attempt_at <= ?1 AND e.id > ?2
                                  AND e.lane NOT IN (SELECT value FROM json_each(?3))
                                  AND NOT EXISTS (SELECT 1 FROM entry head
                                                  WHERE head.lane = e.lane AND head.id < e.id
                                                    AND head.state IN ('queued', 'deferred'))
                               ) AS due",
            )?
            .query_row(params![now, after, busy], |row| row.get("due"))
        })
        .await
    }

    /// When anything was last sent to the CRM, Unix seconds.
    pub async fn last_sent(&self) -> Result<Option<i64>, Error> {
        self.read("read the last sending", |conn| {
            conn.query_row(
                "SELECT max(at) AS at FROM (SELECT at FROM attempt ORDER BY id DESC LIMIT 50)",
                [],
                |row| row.get("at"),
            )
        })
        .await
    }

    /// How often a method was tried for an entry and put off, as far as that is kept.
    pub async fn tries(&self, entry: i64, method: &'static str) -> Result<u64, Error> {
        self.read("count tries", move |conn| {
            conn.prepare_cached(
                "SELECT count(*) AS tries FROM attempt
                 WHERE entry = ?1 AND method = ?2 AND fate = 'deferred'",
            )?
            .query_row(params![entry, method], |row| row.get("tries"))
        })
        .await
    }

    /// The number of what was made as `kind` when a message was filed.
    pub async fn made_of(&self, message: i64, kind: &'static str) -> Result<Option<u64>, Error> {
        self.read("look for what was made", move |conn| {
            let made: Option<Option<u64>> = conn
                .prepare_cached(
                    "SELECT d.crm_id FROM entry e JOIN made d ON d.entry = e.id
                     WHERE e.message = ?1 AND e.action = 'file' AND d.kind = ?2",
                )?
                .query_row(params![message, kind], |row| row.get("crm_id"))
                .optional()?;
            Ok(made.flatten())
        })
        .await
    }

    /// Which of these origin ids are of something that this ledger made or took over.
    pub async fn known_origins(&self, origins: Vec<String>) -> Result<Vec<bool>, Error> {
        self.read("look for what was made", move |conn| {
            let mut known = conn.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM made WHERE origin_id = ?1) AS known",
            )?;
            let known = origins
                .iter()
                .map(|origin| known.query_row(params![origin], |row| row.get::<_, bool>("known")));
            known.collect()
        })
        .await
    }

    /// Fingerprints of filed messages with numbers above `after`, in order, at most `limit`, each
    /// with its number.
    pub async fn filed_fingerprints(
        &self,
        after: i64,
        limit: u64,
    ) -> Result<Vec<(i64, [u8; 32])>, Error> {
        self.read("read fingerprints", move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, fingerprint FROM message
                 WHERE id > ?1 AND state = 'saved' ORDER BY id LIMIT ?2",
            )?;
            let rows = statement.query_map(params![after, int(limit)], |row| {
                Ok((row.get("id")?, row.get("fingerprint")?))
            })?;
            rows.collect()
        })
        .await
    }

    /// The first of these Message-IDs that was filed or, if `owed_too`, is owed.
    pub async fn parent(
        &self,
        own: i64,
        refs: Vec<String>,
        owed_too: bool,
    ) -> Result<Option<Parent>, Error> {
        self.read("look for the thread", move |conn| {
            for id in refs.iter().take(THREAD_DEPTH) {
                let found = parent(conn, own, id)?;
                if let Some(parent) = found.filter(|parent| owed_too || parent.owed_entry.is_none())
                {
                    return Ok(Some(parent));
                }
            }
            Ok(None)
        })
        .await
    }
}

fn due_in_lane(
    conn: &Connection,
    lane: &str,
    now: i64,
    limit: usize,
    ids: &mut Vec<i64>,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT id, next_attempt_at FROM entry
         WHERE lane = ?1 AND state IN ('queued', 'deferred') ORDER BY id",
    )?;
    let mut rows = statement.query(params![lane])?;
    while let Some(row) = rows.next()? {
        let next: i64 = row.get("next_attempt_at")?;
        let waits = next > now && next <= now + LONGEST_WAIT;
        if waits || ids.len() >= limit {
            break;
        }
        ids.push(row.get("id")?);
    }
    Ok(())
}

fn entry(conn: &Connection, id: i64) -> rusqlite::Result<Entry> {
    let made = made_rows(conn, id)?;
    conn.prepare_cached(
        "SELECT e.id, e.action, e.mailbox, b.name AS mailbox_name, f.name AS folder, e.lane, e.live,
                e.queued_at, e.trouble_since, e.suspicions, e.replaced, e.plan,
                m.id AS message, m.fingerprint, m.message_id, m.received_at, m.refs,
                m.employees_known, m.activity_id, f.role,
                EXISTS (SELECT 1 FROM place p WHERE p.message = m.id AND p.role = 'save') AS by_hand,
                s.segment, s.start, s.length, s.whole
         FROM entry e
         JOIN message m ON m.id = e.message
         JOIN mailbox b ON b.id = e.mailbox
         JOIN folder f ON f.id = e.folder
         LEFT JOIN spool s ON s.message = m.id
         WHERE e.id = ?1",
    )?
    .query_row(params![id], |row| {
        let action: String = row.get("action")?;
        let plan: Option<String> = row.get("plan")?;
        let raw = match row.get::<_, Option<u64>>("segment")? {
            None => None,
            Some(segment) => {
                Some(Location { segment, start: row.get("start")?, length: row.get("length")? })
            }
        };
        Ok(Entry {
            id: row.get("id")?,
            action: EntryAction::parse(&action),
            mailbox: MailboxId(row.get("mailbox")?),
            mailbox_name: row.get("mailbox_name")?,
            folder: row.get("folder")?,
            lane: row.get("lane")?,
            live: row.get("live")?,
            queued_at: row.get("queued_at")?,
            trouble_since: row.get("trouble_since")?,
            suspicions: row.get("suspicions")?,
            replaced: row.get("replaced")?,
            // A plan that this version cannot read is made anew.
            plan: plan.and_then(|plan| serde_json::from_str(&plan).ok()),
            made,
            message: row.get("message")?,
            fingerprint: row.get("fingerprint")?,
            message_id: row.get("message_id")?,
            received_at: row.get("received_at")?,
            refs: serde_json::from_str(&row.get::<_, String>("refs")?).unwrap_or_default(),
            employees_known: row.get("employees_known")?,
            activity_id: row.get("activity_id")?,
            whole: row.get::<_, Option<bool>>("whole")?.unwrap_or(true),
            raw,
            role: row.get("role")?,
            by_hand: row.get("by_hand")?,
        })
    })
}

fn made_rows(conn: &Connection, entry: i64) -> rusqlite::Result<Vec<MadeRow>> {
    let mut statement =
        conn.prepare_cached("SELECT kind, look_up, sent_at, crm_id FROM made WHERE entry = ?1")?;
    let rows = statement.query_map(params![entry], |row| {
        Ok(MadeRow {
            kind: row.get("kind")?,
            look_up: row.get("look_up")?,
            sent_at: row.get("sent_at")?,
            crm_id: row.get("crm_id")?,
        })
    })?;
    rows.collect()
}

fn parent(conn: &Connection, own: i64, id: &str) -> rusqlite::Result<Option<Parent>> {
    let found = conn
        .prepare_cached(
            "SELECT m.id, m.state, m.activity_id, e.id AS entry, e.next_attempt_at, e.lane
             FROM message m
             LEFT JOIN entry e ON e.message = m.id AND e.action IN ('file', 'link')
                              AND e.state IN ('queued', 'deferred')
                              AND e.lane NOT LIKE 'removed:%'
             WHERE m.message_id = ?1 AND m.id <> ?2
               AND (m.state IN ('queued', 'saved') OR e.id IS NOT NULL
                    OR EXISTS (SELECT 1 FROM card c WHERE c.message = m.id))
             ORDER BY m.state = 'saved' DESC, m.id DESC LIMIT 1",
        )?
        .query_row(params![id, own], |row| {
            Ok((
                row.get::<_, i64>("id")?,
                row.get::<_, String>("state")?,
                row.get::<_, Option<i64>>("entry")?,
                row.get::<_, Option<i64>>("next_attempt_at")?,
                row.get::<_, Option<String>>("lane")?,
                row.get::<_, Option<u64>>("activity_id")?,
            ))
        })
        .optional()?;
    let Some((message, state, owed_entry, owed_until, owed_lane, activity)) = found else {
        return Ok(None);
    };
    let rivals = if owed_entry.is_none() { rivals(conn, own, message, id)? } else { Vec::new() };
    Ok(Some(Parent {
        message_id: id.to_owned(),
        state: State::parse(&state).unwrap_or(State::Skipped),
        owed_entry,
        owed_until,
        owed_lane,
        filed: Filed { message, activity, cards: cards(conn, message)? },
        rivals,
    }))
}

/// Others that were filed under the same Message-ID: senders do use one again.
fn rivals(conn: &Connection, own: i64, chosen: i64, id: &str) -> rusqlite::Result<Vec<Filed>> {
    let mut statement = conn.prepare_cached(
        "SELECT m.id, m.activity_id FROM message m
         WHERE m.message_id = ?1 AND m.id <> ?2 AND m.id <> ?3 AND m.state = 'saved'
         ORDER BY m.id DESC LIMIT ?4",
    )?;
    let rows = statement.query_map(params![id, own, chosen, RIVALS], |row| {
        Ok((row.get::<_, i64>("id")?, row.get("activity_id")?))
    })?;
    let mut rivals = Vec::new();
    for row in rows {
        let (message, activity) = row?;
        rivals.push(Filed { message, activity, cards: cards(conn, message)? });
    }
    Ok(rivals)
}
