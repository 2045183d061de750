//! What arrived: messages, places, what is owed for them and the cursor, in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction, params};

use super::ends::add_evidence;
use super::{Error, Ledger, Location, MailboxId, Spool};
use crate::folder::{Role, advance};
use crate::message::Class;
use crate::rules::{Direction, Evidence, Reason, State};

/// Role of a place that a person chose so that the message is filed: in the folder for that, or
/// under the keyword for that.
pub const PLACE_BY_HAND: &str = "save";

/// What the ledger knows of a message before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Never seen.
    New,
    /// Seen, and a further place changes nothing.
    PlaceOnly,
    /// Seen and skipped; a place of this role in this mailbox decides it anew.
    DecideAnew,
}

/// The facts of a message that the ledger keeps.
#[derive(Clone, Debug)]
pub struct MessageFacts {
    pub message_id: Option<String>,
    /// The Message-ID is one that Exchange gave it on its way.
    pub given_on_the_way: bool,
    pub direction: Option<Direction>,
    pub class: Class,
    pub sender: Option<String>,
    pub subject: String,
    /// Unix seconds (rule 11).
    pub received_at: i64,
    /// In-Reply-To, then References from the right.
    pub refs: Vec<String>,
    pub evidence: Vec<Evidence>,
    /// The activity that a mail sent by the CRM itself belongs to.
    pub crm_activity: Option<u64>,
}

/// What is to become of a message that was seen.
#[derive(Clone, Debug)]
pub enum Verdict {
    PlaceOnly,
    Skip(Reason),
    Queue {
        /// First external address.
        lane: String,
        raw: Location,
        /// `false`: the header and the first MiB only.
        whole: bool,
        /// `false`: the CRM's employees were not known; it is admitted once more when due.
        employees_known: bool,
    },
    /// Could not be read; the raw bytes are kept if there are any.
    Quarantine {
        raw: Option<Location>,
        whole: bool,
    },
}

/// One UID and what was made of it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub uid: u32,
    pub fingerprint: [u8; 32],
    pub facts: MessageFacts,
    pub verdict: Verdict,
}

/// What the server lists of a folder from its cursor upwards.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// UIDs on the server, in order.
    pub listed: Vec<u32>,
    /// Up to where the list is complete.
    pub top: u32,
}

/// Messages of a folder that were gone through.
#[derive(Clone, Debug)]
pub struct Batch {
    pub mailbox: MailboxId,
    pub folder: i64,
    pub role: &'static str,
    pub uid_validity: u32,
    /// Employee who connected the mailbox.
    pub owner: u64,
    /// What the server listed of the folder here.
    pub stretch: Arc<Stretch>,
    /// UIDs at or below it were there when the folder was first read: history, looked up in the
    /// CRM before anything is made for it.
    pub history_until: u32,
    pub seen: Vec<Seen>,
    /// Listed messages that left the server before they were read.
    pub gone: BTreeSet<u32>,
    /// Unix seconds.
    pub now: i64,
    /// When what is queued may be filed at the earliest, Unix seconds.
    pub due_at: i64,
}

/// What became of one [`Seen`], in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The state was set by this place.
    Decided { message: i64 },
    /// A further place, which changed nothing.
    Placed { message: i64 },
    /// Nothing was written: when its header was read the message was owed by another place, which
    /// has skipped it since. It is to be read once more, and decided by this place.
    Again,
}

impl Ledger {
    /// What is known of messages with these fingerprints, for a place in `folder`.
    pub async fn known(
        &self,
        mailbox: MailboxId,
        folder: i64,
        role: &'static str,
        fingerprints: Vec<[u8; 32]>,
    ) -> Result<Vec<Known>, Error> {
        self.read("look for known messages", move |conn| {
            let mut of_message =
                conn.prepare_cached("SELECT id, state FROM message WHERE fingerprint = ?1")?;
            let mut of_place = conn.prepare_cached(PLACE_DECIDES_NOTHING)?;
            fingerprints
                .iter()
                .map(|fingerprint| {
                    let found = of_message
                        .query_row(params![fingerprint.as_slice()], |row| {
                            Ok((row.get::<_, i64>("id")?, row.get::<_, String>("state")?))
                        })
                        .optional()?;
                    let Some((id, state)) = found else { return Ok(Known::New) };
                    if state != State::Skipped.as_str() {
                        return Ok(Known::PlaceOnly);
                    }
                    let nothing: bool = of_place
                        .query_row(params![id, folder, mailbox.0, role], |row| {
                            row.get("decides_nothing")
                        })?;
                    Ok(if nothing { Known::PlaceOnly } else { Known::DecideAnew })
                })
                .collect()
        })
        .await
    }

    /// Records messages, places, entries and the cursor, which moves as far as every listed
    /// message has a place. Returns what became of each message, and the cursor.
    ///
    /// All of it or none: after a crash the cursor still stands before the messages, and they
    /// are fetched again. The spool's segments named in the batch must be finished.
    ///
    /// # Errors
    /// [`Error::Sql`] if SQLite refuses. Nothing has been written then, and the segments of the
    /// batch are removed.
    pub async fn record(&self, batch: Batch) -> Result<(Vec<Recorded>, u32), Error> {
        let inner = Arc::clone(&self.inner);
        let segments: Vec<u64> = segments_of(&batch.seen);
        let work = move |tx: &Transaction<'_>| {
            let mut kept: std::collections::HashMap<u64, u64> =
                segments_of(&batch.seen).into_iter().map(|segment| (segment, 0)).collect();
            let recorded = batch
                .seen
                .iter()
                .map(|seen| record_one(tx, &inner.spool, &batch, seen, &mut kept))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let cursor = move_cursor(tx, &batch)?;
            // Before the commit: from then on a delivery may release the message.
            for (segment, messages) in kept {
                if messages > 0 {
                    inner.spool.keep(segment, messages);
                }
            }
            Ok((recorded, cursor))
        };
        self.write_then("record messages", work, move |inner, outcome| {
            for segment in segments {
                match outcome {
                    Ok(_) => inner.spool.sweep(segment),
                    Err(_) => inner.spool.keep(segment, 0),
                }
            }
            let decided = outcome.as_ref().is_ok_and(|(recorded, _): &(Vec<Recorded>, u32)| {
                recorded.iter().any(|one| matches!(one, Recorded::Decided { .. }))
            });
            if decided {
                inner.owed.notify_one();
            }
        })
        .await
    }
}

impl Ledger {
    /// Removes what lies in the spool for messages that will not be recorded.
    pub fn sweep(&self, seen: &[Seen]) {
        for segment in segments_of(seen) {
            self.inner.spool.sweep(segment);
        }
    }
}

/// Moves the cursor by what stands in the ledger, never by what was meant to be written. It never
/// goes back.
fn move_cursor(tx: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<u32> {
    let cursor: Option<u32> = tx
        .prepare_cached("SELECT cursor FROM folder WHERE id = ?1 AND uid_validity = ?2")?
        .query_row(params![batch.folder, batch.uid_validity], |row| row.get("cursor"))
        .optional()?;
    // The folder was begun anew meanwhile: its cursor counts other UIDs.
    let Some(cursor) = cursor else { return Ok(0) };
    let stretch = &batch.stretch;
    if stretch.top <= cursor {
        return Ok(cursor);
    }
    let mut statement = tx.prepare_cached(
        "SELECT uid FROM place
         WHERE folder = ?1 AND uid_validity = ?2 AND uid > ?3 AND uid <= ?4",
    )?;
    let rows = statement
        .query_map(params![batch.folder, batch.uid_validity, cursor, stretch.top], |row| {
            row.get("uid")
        })?;
    let mut done: BTreeSet<u32> = rows.collect::<rusqlite::Result<_>>()?;
    done.extend(&batch.gone);
    let moved = advance(cursor, stretch.top, &stretch.listed, &done);
    tx.prepare_cached("UPDATE folder SET cursor = ?2 WHERE id = ?1 AND cursor <> ?2")?
        .execute(params![batch.folder, moved])?;
    Ok(moved)
}

/// Whether a place of this role in this mailbox decides nothing: the folder was renumbered, or
/// a copy with the same role in the same mailbox was judged before. What
/// left before its body was read was never judged. A place that a person chose is undone only by
/// another one of those: the folder may not always have been the one for that.
const PLACE_DECIDES_NOTHING: &str =
    "SELECT EXISTS (SELECT 1 FROM place p JOIN folder f ON f.id = p.folder
                    WHERE p.message = ?1
                      AND ((p.folder = ?2 AND ?4 <> 'save')
                           OR (f.mailbox = ?3 AND p.role = ?4)))
            AND NOT EXISTS (SELECT 1 FROM message m WHERE m.id = ?1 AND m.reason = 'gone')
            AS decides_nothing";

fn segments_of(seen: &[Seen]) -> Vec<u64> {
    let mut segments: Vec<u64> = seen
        .iter()
        .filter_map(|seen| match &seen.verdict {
            Verdict::Queue { raw, .. } => Some(raw.segment),
            Verdict::Quarantine { raw, .. } => raw.map(|raw| raw.segment),
            Verdict::PlaceOnly | Verdict::Skip(_) => None,
        })
        .collect();
    segments.sort_unstable();
    segments.dedup();
    segments
}

fn record_one(
    tx: &Transaction<'_>,
    spool: &Spool,
    batch: &Batch,
    seen: &Seen,
    kept: &mut std::collections::HashMap<u64, u64>,
) -> rusqlite::Result<Recorded> {
    let found = tx
        .prepare_cached("SELECT id, state FROM message WHERE fingerprint = ?1")?
        .query_row(params![seen.fingerprint.as_slice()], |row| {
            Ok((row.get::<_, i64>("id")?, row.get::<_, String>("state")?))
        })
        .optional()?;
    let decides = match &found {
        None => true,
        Some((id, state)) => {
            state == State::Skipped.as_str()
                && !tx
                    .prepare_cached(PLACE_DECIDES_NOTHING)?
                    .query_row(params![id, batch.folder, batch.mailbox.0, batch.role], |row| {
                        row.get::<_, bool>("decides_nothing")
                    })?
        }
    };
    if decides && matches!(seen.verdict, Verdict::PlaceOnly) {
        return Ok(Recorded::Again);
    }
    let (message, state) = match found {
        None => (insert_message(tx, batch, seen)?, None),
        Some((id, state)) => (id, Some(state)),
    };
    if seen.facts.given_on_the_way {
        // Answers name this one, and not what a mail program's own copy bears.
        tx.prepare_cached("UPDATE message SET message_id = ?2 WHERE id = ?1 AND message_id <> ?2")?
            .execute(params![message, seen.facts.message_id])?;
    }
    tx.prepare_cached(
        "DELETE FROM place WHERE message = ?1 AND folder = ?2 AND uid_validity <> ?3",
    )?
    .execute(params![message, batch.folder, batch.uid_validity])?;
    tx.prepare_cached(
        "INSERT INTO place (folder, uid_validity, uid, message, role, position)
         VALUES (?1, ?2, ?3, ?4, ?5, (SELECT coalesce(max(position) + 1, 0) FROM place WHERE message = ?4))
         ON CONFLICT (folder, uid_validity, uid) DO NOTHING",
    )?
    .execute(params![batch.folder, batch.uid_validity, seen.uid, message, batch.role])?;
    if !decides {
        if keeps_out(batch.role) && state.as_deref() == Some(State::Saved.as_str()) {
            let fact = format!(
                "moved into a folder of role {} after it was filed: its history stays in the CRM",
                batch.role
            );
            add_evidence(tx, message, &[Evidence::new("folder", fact)])?;
        }
        return Ok(Recorded::Placed { message });
    }
    decide(tx, spool, batch, seen, message, kept)?;
    Ok(Recorded::Decided { message })
}

fn keeps_out(role: &str) -> bool {
    Role::parse(role).is_some_and(Role::keeps_out)
}

/// `rule` of the evidence that an earlier message bears the same Message-ID.
const REUSED_ID: &str = "reused-id";

/// Another mail bears the same id: senders do reuse ids, and both are kept.
fn reused_id(tx: &Transaction<'_>, facts: &MessageFacts) -> rusqlite::Result<Option<Evidence>> {
    let Some(message_id) = &facts.message_id else { return Ok(None) };
    let first: Option<i64> = tx
        .prepare_cached("SELECT id FROM message WHERE message_id = ?1 ORDER BY id LIMIT 1")?
        .query_row(params![message_id], |row| row.get("id"))
        .optional()?;
    let fact =
        |first| format!("message {first} bears the same Message-ID with another sender or date");
    Ok(first.map(|first| Evidence::new(REUSED_ID, fact(first))))
}

/// Gives a message that could not be read before the identity that it turned out to have. Where
/// another message has it, this one becomes a further place of that: filed under an identity of
/// its own it would be filed twice.
pub(super) fn identified(
    tx: &Transaction<'_>,
    spool: &Spool,
    batch: &Batch,
    seen: &Seen,
    message: i64,
    kept: &mut std::collections::HashMap<u64, u64>,
) -> rusqlite::Result<Recorded> {
    let same: Option<i64> = tx
        .prepare_cached("SELECT id FROM message WHERE fingerprint = ?1")?
        .query_row(params![seen.fingerprint.as_slice()], |row| row.get("id"))
        .optional()?;
    // What was owed once has its identity, under which something may have been made.
    let owed: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM entry WHERE message = ?1) AS owed")?
        .query_row(params![message], |row| row.get("owed"))?;
    match same {
        _ if owed => Ok(Recorded::Decided { message }),
        Some(same) if same == message => Ok(Recorded::Decided { message }),
        Some(same) => {
            tx.execute(
                "DELETE FROM place WHERE message = ?1 AND folder = ?2 AND uid_validity = ?3
                                     AND uid = ?4",
                params![message, batch.folder, batch.uid_validity, seen.uid],
            )?;
            let recorded = record_one(tx, spool, batch, seen, kept)?;
            tx.execute(
                "UPDATE place SET message = ?2,
                        position = position
                            + (SELECT max(position) + 1 FROM place WHERE message = ?2)
                 WHERE message = ?1",
                params![message, same],
            )?;
            tx.execute("DELETE FROM spool WHERE message = ?1", params![message])?;
            tx.execute("DELETE FROM message WHERE id = ?1", params![message])?;
            Ok(recorded)
        }
        None => {
            let facts = &seen.facts;
            let evidence: Vec<Evidence> = reused_id(tx, facts)?.into_iter().collect();
            tx.execute(
                "UPDATE message SET fingerprint = ?2, message_id = ?3, sender = ?4, subject = ?5,
                                    received_at = ?6, evidence = ?7
                 WHERE id = ?1",
                params![
                    message,
                    seen.fingerprint.as_slice(),
                    facts.message_id,
                    facts.sender,
                    facts.subject,
                    facts.received_at,
                    json(&evidence)?,
                ],
            )?;
            Ok(Recorded::Decided { message })
        }
    }
}

fn insert_message(tx: &Transaction<'_>, batch: &Batch, seen: &Seen) -> rusqlite::Result<i64> {
    let facts = &seen.facts;
    let mut evidence = facts.evidence.clone();
    evidence.extend(reused_id(tx, facts)?);
    tx.prepare_cached(
        "INSERT INTO message (fingerprint, message_id, state, reason, direction, class, sender,
                              subject, received_at, refs, owner, employees_known, evidence,
                              candidates, answers)
         VALUES (?1, ?2, 'skipped', NULL, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, '[]', ?11)",
    )?
    .execute(params![
        seen.fingerprint.as_slice(),
        facts.message_id,
        facts.direction.map(Direction::as_str),
        facts.class.as_str(),
        facts.sender,
        facts.subject,
        facts.received_at,
        json(&facts.refs)?,
        int(batch.owner),
        json(&evidence)?,
        answers(facts),
    ])?;
    Ok(tx.last_insert_rowid())
}

/// The mail that this one answers, if it is a person's answer to a client: automated mail
/// completes nothing.
fn answers(facts: &MessageFacts) -> Option<&String> {
    match (facts.direction, facts.class) {
        (Some(Direction::Outgoing), Class::Normal) => facts.refs.first(),
        (
            Some(Direction::Outgoing | Direction::Incoming) | None,
            Class::Normal
            | Class::Bounce
            | Class::Automated
            | Class::MailingList
            | Class::SpamVerdict,
        ) => None,
    }
}

/// Sets a message's state, and what is owed for it, by the verdict of one place.
pub(super) fn decide(
    tx: &Transaction<'_>,
    spool: &Spool,
    batch: &Batch,
    seen: &Seen,
    message: i64,
    kept: &mut std::collections::HashMap<u64, u64>,
) -> rusqlite::Result<()> {
    let (state, reason, employees_known) = match &seen.verdict {
        Verdict::PlaceOnly => return Ok(()),
        Verdict::Skip(reason) => (State::Skipped, Some(reason.code()), true),
        Verdict::Queue { employees_known, .. } => (State::Queued, None, *employees_known),
        Verdict::Quarantine { .. } => (State::Quarantined, Some(Reason::Unreadable.code()), true),
    };
    let facts = &seen.facts;
    let (before, old): (Option<String>, String) = tx
        .prepare_cached("SELECT reason, evidence FROM message WHERE id = ?1")?
        .query_row(params![message], |row| Ok((row.get("reason")?, row.get("evidence")?)))?;
    let decided = before.is_some();
    if before.as_deref() == Some(Reason::Gone.code()) {
        // It left this mailbox's places before they judged it; back in one it is to be judged.
        tx.prepare_cached(
            "DELETE FROM place
             WHERE message = ?1 AND (folder <> ?2 OR uid <> ?3)
               AND folder IN (SELECT id FROM folder WHERE mailbox = ?4)",
        )?
        .execute(params![message, batch.folder, seen.uid, batch.mailbox.0])?;
    }
    let mut evidence: Vec<Evidence> = serde_json::from_str(&old).unwrap_or_default();
    if decided {
        // Of an earlier decision only what is true of the message itself stays.
        evidence.retain(|fact| fact.rule == REUSED_ID);
        evidence.splice(0..0, facts.evidence.iter().cloned());
    }
    // Clients write with ids of their own portals' activities: those are none of ours.
    let own_activity = match seen.verdict {
        Verdict::Skip(Reason::OwnCrmMail) => facts.crm_activity,
        Verdict::PlaceOnly
        | Verdict::Skip(_)
        | Verdict::Queue { .. }
        | Verdict::Quarantine { .. } => None,
    };
    tx.prepare_cached(
        "UPDATE message SET state = ?2, reason = ?3, direction = ?4, class = ?5, owner = ?6,
                            employees_known = ?7, refs = ?9, answers = ?10, evidence = ?8,
                            candidates = '[]',
                            activity_id = CASE ?2 WHEN 'skipped' THEN coalesce(?11, activity_id) END
         WHERE id = ?1",
    )?
    .execute(params![
        message,
        state.as_str(),
        reason,
        facts.direction.map(Direction::as_str),
        facts.class.as_str(),
        int(batch.owner),
        employees_known,
        json(&evidence)?,
        json(&facts.refs)?,
        answers(facts),
        own_activity.map(int),
    ])?;
    if let Some(activity) = own_activity {
        // The CRM is asked where it filed the mail: answers to it go there.
        tx.prepare_cached(
            "INSERT INTO entry (message, action, mailbox, folder, lane, live, state, queued_at,
                                next_attempt_at, suspicions, replaced)
             VALUES (?1, 'link', ?2, ?3, 'link:' || ?4, ?5, 'queued', ?6, ?6, 0, 0)
             ON CONFLICT (message, action) DO NOTHING",
        )?
        .execute(params![
            message,
            batch.mailbox.0,
            batch.folder,
            int(activity),
            seen.uid > batch.history_until,
            batch.now
        ])?;
    }
    let (raw, whole) = match &seen.verdict {
        Verdict::PlaceOnly | Verdict::Skip(_) | Verdict::Quarantine { raw: None, .. } => {
            return Ok(());
        }
        Verdict::Queue { raw, whole, .. } | Verdict::Quarantine { raw: Some(raw), whole } => {
            (raw, whole)
        }
    };
    tx.prepare_cached(
        "INSERT INTO spool (message, segment, start, length, whole) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (message) DO UPDATE SET segment = excluded.segment, start = excluded.start,
                                             length = excluded.length, whole = excluded.whole",
    )?
    .execute(params![message, int(raw.segment), int(raw.start), int(raw.length), whole])?;
    // Asked of what cannot be read only: it goes through all that was ever refused.
    if matches!(seen.verdict, Verdict::Quarantine { .. }) && keeps_too_much(tx, spool)? {
        tx.prepare_cached("DELETE FROM spool WHERE message = ?1")?.execute(params![message])?;
        return Ok(());
    }
    *kept.entry(raw.segment).or_default() += 1;
    if let Verdict::Queue { lane, .. } = &seen.verdict {
        tx.prepare_cached(
            "INSERT INTO entry (message, action, mailbox, folder, lane, live, state, queued_at,
                                next_attempt_at, suspicions, replaced)
             VALUES (?1, 'file', ?2, ?3, ?4, ?5, 'queued', ?6, ?7, 0, 0)
             ON CONFLICT (message, action) DO UPDATE SET
                 mailbox = excluded.mailbox, folder = excluded.folder, lane = excluded.lane,
                 live = excluded.live, state = 'queued', queued_at = excluded.queued_at,
                 next_attempt_at = excluded.next_attempt_at, plan = NULL,
                 trouble_since = NULL, suspicions = 0, replaced = 0",
        )?
        .execute(params![
            message,
            batch.mailbox.0,
            batch.folder,
            lane,
            seen.uid > batch.history_until,
            batch.now,
            batch.due_at
        ])?;
    }
    Ok(())
}

/// Whether raw mail that nobody delivers, because it was refused or cannot be read, takes more
/// than a quarter of the spool: it must not stop the reading of other mail. What is not kept is
/// read again from the server when somebody asks for it.
pub(super) fn keeps_too_much(tx: &Transaction<'_>, spool: &Spool) -> rusqlite::Result<bool> {
    let mut statement = tx.prepare_cached(
        "SELECT DISTINCT s.segment FROM message m JOIN spool s ON s.message = m.id
         WHERE m.state IN ('refused', 'quarantined')",
    )?;
    let segments = statement.query_map([], |row| row.get("segment"))?;
    Ok(spool.octets_of(&segments.collect::<rusqlite::Result<Vec<u64>>>()?) > spool.max() / 4)
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|source| rusqlite::Error::ToSqlConversionFailure(source.into()))
}

/// SQLite's integers are signed; ids and sizes of this program stay far below the limit.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger::{FolderRow, Outcome};

    struct Place {
        mailbox: MailboxId,
        folder: i64,
    }

    async fn place(ledger: &Ledger, mailbox: MailboxId) -> Place {
        let row = ledger.folder(mailbox, "INBOX".to_owned(), "inbox", 0, 7).await.unwrap();
        let row = FolderRow { uid_validity: 3, ..row };
        ledger.begin_folder(row.clone(), false).await.unwrap();
        Place { mailbox, folder: row.id }
    }

    impl Place {
        async fn known(&self, ledger: &Ledger) -> Known {
            ledger.known(self.mailbox, self.folder, "inbox", vec![[1; 32]]).await.unwrap()[0]
        }

        /// Records the one message, as UID 1.
        async fn record(&self, ledger: &Ledger, verdict: Verdict) -> (Recorded, u32) {
            let batch = Batch {
                stretch: Arc::new(Stretch { listed: vec![1], top: 1 }),
                ..batch(self, "inbox", 1, verdict)
            };
            let (recorded, cursor) = ledger.record(batch).await.unwrap();
            (recorded[0], cursor)
        }
    }

    #[tokio::test]
    async fn what_is_skipped_while_another_mailbox_reads_it_is_read_there_once_more() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite"), 1 << 20).unwrap();
        let names = ["sales", "support"].map(|name| [name, "imap.example.com", name]);
        let names = names.map(|name| name.map(str::to_owned).into()).into();
        let mailboxes = ledger.register_mailboxes(names).await.unwrap();
        let sales = place(&ledger, mailboxes[0]).await;
        let support = place(&ledger, mailboxes[1]).await;
        let queued = || {
            let raw = Location { segment: 1, start: 0, length: 1 };
            Verdict::Queue { lane: String::new(), raw, whole: true, employees_known: true }
        };
        let message = match sales.record(&ledger, queued()).await {
            (Recorded::Decided { message }, 1) => message,
            other => panic!("{other:?}"),
        };
        assert_eq!(support.known(&ledger).await, Known::PlaceOnly);

        let entry = ledger.due(0, 1, &Default::default()).await.unwrap().remove(0);
        let outcome = Outcome::Skipped(Reason::CreationOff);
        ledger.settle(entry.id, outcome, Vec::new(), Vec::new(), None).await.unwrap();

        assert_eq!(support.record(&ledger, Verdict::PlaceOnly).await, (Recorded::Again, 0));
        assert_eq!(support.known(&ledger).await, Known::DecideAnew);
        assert_eq!(support.record(&ledger, queued()).await, (Recorded::Decided { message }, 1));
        let entry = ledger.due(0, 1, &Default::default()).await.unwrap().remove(0);
        assert_eq!((entry.message, entry.mailbox), (message, support.mailbox));
    }

    /// A batch of one message.
    fn batch(place: &Place, role: &'static str, uid: u32, verdict: Verdict) -> Batch {
        let facts = MessageFacts {
            message_id: Some("one@client.example".to_owned()),
            given_on_the_way: false,
            direction: Some(Direction::Incoming),
            class: Class::Normal,
            sender: None,
            subject: String::new(),
            received_at: 0,
            refs: Vec::new(),
            evidence: Vec::new(),
            crm_activity: None,
        };
        Batch {
            mailbox: place.mailbox,
            folder: place.folder,
            role,
            uid_validity: 3,
            owner: 7,
            stretch: Arc::default(),
            history_until: 0,
            seen: vec![Seen { uid, fingerprint: [1; 32], facts, verdict }],
            gone: BTreeSet::new(),
            now: 0,
            due_at: 0,
        }
    }

    #[tokio::test]
    async fn a_place_that_a_person_chose_decides_anew_once_and_is_known_when_the_entry_is_due() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite"), 1 << 20).unwrap();
        let names = vec![["sales", "imap.example.com", "sales"].map(str::to_owned).into()];
        let mailboxes = ledger.register_mailboxes(names).await.unwrap();
        let inbox = place(&ledger, mailboxes[0]).await;
        let known = |role: &'static str| {
            let known = ledger.known(inbox.mailbox, inbox.folder, role, vec![[1; 32]]);
            async { known.await.unwrap()[0] }
        };
        let skip = || Verdict::Skip(Reason::CreationOff);
        let queue = || {
            let raw = Location { segment: 1, start: 0, length: 1 };
            Verdict::Queue { lane: String::new(), raw, whole: true, employees_known: true }
        };
        let (recorded, _) = ledger.record(batch(&inbox, "inbox", 1, skip())).await.unwrap();
        let Recorded::Decided { message } = recorded[0] else { panic!("{recorded:?}") };
        assert_eq!(known("inbox").await, Known::PlaceOnly);
        // The folder may have become the one for what is saved by hand.
        assert_eq!(known(PLACE_BY_HAND).await, Known::DecideAnew);

        let placed = ledger.placed(inbox.folder, 3, vec![1, 2]).await.unwrap();
        let expected = crate::ledger::PlacedUid { message, state: State::Skipped, by_hand: false };
        assert_eq!(placed, [(1, expected)].into());
        // Under a keyword, a place becomes one that a person chose.
        let by_hand = batch(&inbox, PLACE_BY_HAND, 1, queue());
        assert!(ledger.decide_again(message, by_hand).await.unwrap().is_some());
        let placed = ledger.placed(inbox.folder, 3, vec![1]).await.unwrap();
        let expected = crate::ledger::PlacedUid { message, state: State::Queued, by_hand: true };
        assert_eq!(placed, [(1, expected)].into());
        let entry = ledger.due(0, 1, &Default::default()).await.unwrap().remove(0);
        assert!(entry.by_hand);

        let outcome = Outcome::Skipped(Reason::Internal);
        ledger.settle(entry.id, outcome, Vec::new(), Vec::new(), None).await.unwrap();
        assert_eq!(known(PLACE_BY_HAND).await, Known::PlaceOnly);
    }
}
