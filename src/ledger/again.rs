//! Deciding messages again: what may be, and what it comes to.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::record::{self, Batch, PLACE_BY_HAND, Recorded, Seen, Verdict};
use super::views::Filter;
use super::{Error, FolderRow, Ledger, Location, MailboxId};
use crate::rules::State;

/// A message that can be decided again.
#[derive(Clone, Debug)]
pub struct Again {
    pub id: i64,
    pub fingerprint: [u8; 32],
    pub state: State,
    pub reason: Option<String>,
    /// Unix seconds.
    pub received_at: i64,
    /// In the order in which they were found.
    pub places: Vec<AgainPlace>,
    /// The raw message, if it is still in the spool, and whether all of it is.
    pub raw: Option<(Location, bool)>,
}

/// Where it lies, with what its folder's rules need.
#[derive(Clone, Debug)]
pub struct AgainPlace {
    pub mailbox: MailboxId,
    pub mailbox_name: String,
    pub host: String,
    pub username: String,
    pub folder: FolderRow,
    pub folder_name: String,
    /// Of the folder when the daemon last read it.
    pub role: String,
    /// A person chose it so that the message is filed.
    pub by_hand: bool,
    pub uid: u32,
}

/// What lies at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedUid {
    pub message: i64,
    pub state: State,
    /// A person chose the place so that the message is filed.
    pub by_hand: bool,
}

impl Ledger {
    /// What lies at these UIDs of a folder, as far as they have places.
    pub async fn placed(
        &self,
        folder: i64,
        uid_validity: u32,
        uids: Vec<u32>,
    ) -> Result<HashMap<u32, PlacedUid>, Error> {
        self.read("read places", move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT p.message, p.role = 'save' AS by_hand, m.state
                 FROM place p JOIN message m ON m.id = p.message
                 WHERE p.folder = ?1 AND p.uid_validity = ?2 AND p.uid = ?3",
            )?;
            let mut placed = HashMap::new();
            for uid in uids {
                let found = statement
                    .query_row(params![folder, uid_validity, uid], |row| {
                        let state: String = row.get("state")?;
                        Ok(PlacedUid {
                            message: row.get("message")?,
                            state: State::parse(&state).unwrap_or(State::Saved),
                            by_hand: row.get("by_hand")?,
                        })
                    })
                    .optional()?;
                placed.extend(found.map(|found| (uid, found)));
            }
            Ok(placed)
        })
        .await
    }

    /// Where in the spool a message lies, if it does, and whether all of it does.
    pub async fn kept(&self, message: i64) -> Result<Option<(Location, bool)>, Error> {
        self.read("look for a raw message", move |conn| {
            conn.prepare_cached(
                "SELECT segment, start, length, whole FROM spool WHERE message = ?1",
            )?
            .query_row(params![message], |row| {
                let (start, length) = (row.get("start")?, row.get("length")?);
                let location = Location { segment: row.get("segment")?, start, length };
                Ok((location, row.get("whole")?))
            })
            .optional()
        })
        .await
    }

    /// The raw message, if it is still in the spool.
    pub async fn raw(&self, message: i64) -> Result<Option<Vec<u8>>, Error> {
        let Some((location, _)) = self.kept(message).await? else { return Ok(None) };
        let spool = Arc::clone(self.spool());
        tokio::task::spawn_blocking(move || spool.read(location))
            .await
            .map_err(|_| Error::Interrupted { doing: "read a message" })?
            .map(Some)
    }

    /// How many messages [`Ledger::again`] finds in all.
    pub async fn count_again(&self, filter: Filter) -> Result<u64, Error> {
        self.read("count messages", move |conn| {
            conn.prepare_cached(
                "SELECT count(*) AS messages FROM message m
                 WHERE m.state IN ('skipped', 'parked', 'quarantined')
                   AND (m.reason IS NOT 'before-history' OR ?3 = 'before-history')
                   AND (?1 IS NULL OR EXISTS (SELECT 1 FROM place p
                                              JOIN folder f ON f.id = p.folder
                                              JOIN mailbox b ON b.id = f.mailbox
                                              WHERE p.message = m.id AND b.name = ?1))
                   AND (?2 IS NULL OR m.state = ?2)
                   AND (?3 IS NULL OR m.reason = ?3)
                   AND (?4 IS NULL OR m.received_at >= ?4)
                   AND (?5 IS NULL OR m.received_at < ?5)
                   AND (?6 IS NULL OR m.sender = ?6)",
            )?
            .query_row(
                params![
                    filter.mailbox,
                    filter.state,
                    filter.reason,
                    filter.since,
                    filter.until,
                    filter.address
                ],
                |row| row.get("messages"),
            )
        })
        .await
    }

    /// Skipped (but `before-history`, unless that is asked for), parked and quarantined messages
    /// with numbers above `after`, in order, at most `limit`.
    pub async fn again(&self, filter: Filter, after: i64, limit: u64) -> Result<Vec<Again>, Error> {
        self.read("read messages", move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT m.id, m.fingerprint, m.state, m.reason, m.received_at, s.segment, s.start, s.length, s.whole
                 FROM message m LEFT JOIN spool s ON s.message = m.id
                 WHERE m.id > ?7 AND m.state IN ('skipped', 'parked', 'quarantined')
                   AND (m.reason IS NOT 'before-history' OR ?3 = 'before-history')
                   AND (?1 IS NULL OR EXISTS (SELECT 1 FROM place p
                                              JOIN folder f ON f.id = p.folder
                                              JOIN mailbox b ON b.id = f.mailbox
                                              WHERE p.message = m.id AND b.name = ?1))
                   AND (?2 IS NULL OR m.state = ?2)
                   AND (?3 IS NULL OR m.reason = ?3)
                   AND (?4 IS NULL OR m.received_at >= ?4)
                   AND (?5 IS NULL OR m.received_at < ?5)
                   AND (?6 IS NULL OR m.sender = ?6)
                 ORDER BY m.id LIMIT ?8",
            )?;
            let rows = statement.query_map(
                params![
                    filter.mailbox,
                    filter.state,
                    filter.reason,
                    filter.since,
                    filter.until,
                    filter.address,
                    after,
                    record::int(limit)
                ],
                |row| {
                    let raw = match row.get::<_, Option<u64>>("segment")? {
                        None => None,
                        Some(segment) => {
                            let (start, length) = (row.get("start")?, row.get("length")?);
                            Some((Location { segment, start, length }, row.get("whole")?))
                        }
                    };
                    let state: String = row.get("state")?;
                    Ok(Again {
                        id: row.get("id")?,
                        fingerprint: row.get("fingerprint")?,
                        received_at: row.get("received_at")?,
                        state: State::parse(&state).unwrap_or(State::Skipped),
                        reason: row.get("reason")?,
                        places: Vec::new(),
                        raw,
                    })
                },
            )?;
            let mut found = rows.collect::<rusqlite::Result<Vec<Again>>>()?;
            for again in &mut found {
                again.places = places(conn, again.id)?;
            }
            Ok(found)
        })
        .await
    }

    /// Sets the state of one message by what it was decided again, unless it is owed, filed or
    /// refused meanwhile: then `None`.
    ///
    /// A message that could not be read before gets its identity now; if that is another message's,
    /// it becomes a further place of that one.
    ///
    /// `batch` holds that one message; its segment, if it is a new one, must be finished.
    ///
    /// # Errors
    /// [`Error::Sql`] if SQLite refuses. Nothing has been written then, and a new segment is
    /// removed.
    pub async fn decide_again(
        &self,
        message: i64,
        batch: Batch,
    ) -> Result<Option<Recorded>, Error> {
        let inner = Arc::clone(&self.inner);
        let Some(seen) = batch.seen.first().cloned() else { return Ok(None) };
        let segment = raw_of(&seen).map(|raw| raw.segment);
        let counted = Arc::new(AtomicBool::new(false));
        let was_counted = Arc::clone(&counted);
        let work = move |tx: &Transaction<'_>| {
            let before: Option<(String, Option<u64>)> = tx
                .query_row(
                    "SELECT m.state, s.segment FROM message m
                     LEFT JOIN spool s ON s.message = m.id WHERE m.id = ?1",
                    params![message],
                    |row| Ok((row.get("state")?, row.get("segment")?)),
                )
                .optional()?;
            let decidable = [State::Skipped, State::Parked, State::Quarantined].map(State::as_str);
            let Some((state, old)) = before.filter(|(state, _)| decidable.contains(&&**state))
            else {
                return Ok((None, None));
            };
            let own = raw_of(&seen).map(|raw| raw.segment);
            let mut kept = std::collections::HashMap::new();
            let quarantined = state == State::Quarantined.as_str();
            let still = matches!(seen.verdict, Verdict::Quarantine { .. });
            let mut recorded = Recorded::Decided { message };
            if quarantined && !still {
                recorded = record::identified(tx, &inner.spool, &batch, &seen, message, &mut kept)?;
            }
            let stays = quarantined && still && old.is_some();
            if !stays && matches!(recorded, Recorded::Decided { message: of } if of == message) {
                record::decide(tx, &inner.spool, &batch, &seen, message, &mut kept)?;
                if batch.role == PLACE_BY_HAND {
                    // The second admission is to know it, and who looks for the keyword again.
                    tx.execute(
                        "UPDATE place SET role = ?4
                         WHERE folder = ?1 AND uid_validity = ?2 AND uid = ?3",
                        params![batch.folder, batch.uid_validity, seen.uid, PLACE_BY_HAND],
                    )?;
                }
                if own.is_none() {
                    tx.execute("DELETE FROM spool WHERE message = ?1", params![message])?;
                }
            }
            let of = match recorded {
                Recorded::Decided { message: of } | Recorded::Placed { message: of } => of,
                Recorded::Again => message,
            };
            let now: Option<u64> = tx
                .query_row("SELECT segment FROM spool WHERE message = ?1", params![of], |row| {
                    row.get("segment")
                })
                .optional()?;
            // Before the commit: from then on a delivery may release the message.
            if let Some(now) = now.filter(|now| own == Some(*now) && Some(*now) != old) {
                inner.spool.keep(now, 1);
                counted.store(true, Ordering::Relaxed);
            }
            Ok((Some(recorded), old.filter(|old| Some(*old) != now)))
        };
        let (done, released) = self
            .write_then("decide a message again", work, move |inner, outcome| {
                // A new segment that no row came to refer to.
                if let Some(segment) = segment {
                    if outcome.is_err() && was_counted.load(Ordering::Relaxed) {
                        inner.spool.keep(segment, 0);
                    } else {
                        inner.spool.sweep(segment);
                    }
                }
                inner.owed.notify_one();
            })
            .await?;
        if let Some(released) = released {
            self.inner.spool.release(released);
        }
        Ok(done)
    }
}

fn raw_of(seen: &Seen) -> Option<Location> {
    match &seen.verdict {
        Verdict::Queue { raw, .. } => Some(*raw),
        Verdict::Quarantine { raw, .. } => *raw,
        Verdict::PlaceOnly | Verdict::Skip(_) => None,
    }
}

fn places(conn: &Connection, message: i64) -> rusqlite::Result<Vec<AgainPlace>> {
    let mut statement = conn.prepare_cached(
        "SELECT b.id AS mailbox, b.name AS mailbox_name, b.host, b.username, f.name AS folder_name,
                f.role, p.role = 'save' AS by_hand, p.uid, f.id, f.uid_validity, f.cursor, f.floor, f.first_read_at,
                f.history_days, f.first_until
         FROM place p
         JOIN folder f ON f.id = p.folder AND f.uid_validity = p.uid_validity
         JOIN mailbox b ON b.id = f.mailbox
         WHERE p.message = ?1 ORDER BY p.position, p.folder",
    )?;
    let rows = statement.query_map(params![message], |row| {
        Ok(AgainPlace {
            mailbox: MailboxId(row.get("mailbox")?),
            mailbox_name: row.get("mailbox_name")?,
            host: row.get("host")?,
            username: row.get("username")?,
            folder: super::folders::folder_row(row)?,
            folder_name: row.get("folder_name")?,
            role: row.get("role")?,
            by_hand: row.get("by_hand")?,
            uid: row.get("uid")?,
        })
    })?;
    rows.collect()
}
