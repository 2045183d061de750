//! The outbox: what is owed to the CRM, what may have been made, and what became of it.

use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use super::record::{int, json};
use super::{Error, Ledger, Location, MailboxId};
use crate::card::{CardKind, CardRef};
use crate::rules::place::Candidate;
use crate::rules::{Direction, Evidence, Reason, State};

/// Seconds that mail waits for the other folders of its mailbox: a bounce or an answer in the
/// inbox belongs to a mail in Sent, which is read after it.
pub const HOLD: i64 = 300;

/// What an entry asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryAction {
    /// File the message: cards if need be, the activity, its content.
    File,
    /// Complete the activity of an incoming mail that was answered.
    Complete,
    /// Find out where the CRM filed a mail that it sent itself.
    Link,
}

impl EntryAction {
    pub(super) fn parse(name: &str) -> EntryAction {
        match name {
            "complete" => EntryAction::Complete,
            "link" => EntryAction::Link,
            _ => EntryAction::File,
        }
    }
}

/// Where an entry goes, once that is decided; kept so that a restart goes on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Existing card that owns the activity; `None`: the last of `create`.
    pub owner: Option<CardRef>,
    /// Cards to be made, in order.
    pub create: Vec<CardKind>,
    pub responsible: u64,
    /// Further cards the activity is bound to.
    pub bound: Vec<CardRef>,
    /// The matched client: address and card. For a new card the address only.
    pub client_email: Option<String>,
    pub client: Option<CardRef>,
    pub candidates: Vec<Candidate>,
    pub evidence: Vec<Evidence>,
}

/// One thing that an entry has made or may have made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeRow {
    /// `lead`, `contact`, `deal`, `activity`, `content`, `todo` or `vcard-N`.
    pub kind: String,
    pub look_up: bool,
    /// Unix seconds of the last sending.
    pub sent_at: Option<i64>,
    pub crm_id: Option<u64>,
}

/// An entry that is due, with what is known of its message.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: i64,
    pub action: EntryAction,
    pub mailbox: MailboxId,
    pub mailbox_name: String,
    pub folder: String,
    pub lane: String,
    pub live: bool,
    pub queued_at: i64,
    pub trouble_since: Option<i64>,
    pub suspicions: u32,
    /// Its card was gone once already.
    pub replaced: bool,
    pub plan: Option<Plan>,
    pub made: Vec<MadeRow>,
    pub message: i64,
    pub fingerprint: [u8; 32],
    pub message_id: Option<String>,
    pub received_at: i64,
    pub refs: Vec<String>,
    pub employees_known: bool,
    pub activity_id: Option<u64>,
    pub raw: Option<Location>,
    pub whole: bool,
    /// Of the folder, for a second admission.
    pub role: String,
    /// A person wants the message in the CRM: it has a place of role `save`.
    pub by_hand: bool,
}

/// One answer of the CRM, or the lack of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    pub entry: i64,
    /// Unix seconds.
    pub at: i64,
    pub method: String,
    /// `delivered`, `deferred`, `refused` or `blocked`.
    pub fate: String,
    pub code: String,
    pub text: String,
}

/// A message that another one answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub message_id: String,
    pub state: State,
    /// Its entry, while that is owed.
    pub owed_entry: Option<i64>,
    /// When that is tried next, Unix seconds.
    pub owed_until: Option<i64>,
    /// The lane of its entry.
    pub owed_lane: Option<String>,
    /// Where it was filed.
    pub filed: Filed,
    /// Further messages that were filed under the same Message-ID, the newest first.
    pub rivals: Vec<Filed>,
}

impl Parent {
    /// Where it and its rivals were filed.
    pub fn all_filed(&self) -> impl Iterator<Item = &Filed> {
        std::iter::once(&self.filed).chain(&self.rivals)
    }
}

/// Where a message was filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    pub message: i64,
    pub activity: Option<u64>,
    /// The activity's owner first.
    pub cards: Vec<CardRef>,
}

/// How filing a message ended.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The activity's owner first.
    pub cards: Vec<CardRef>,
    pub activity: u64,
    pub responsible: u64,
    /// Employee who connected the mailbox by whose rules it was filed.
    pub owner: u64,
    /// By today's employees; they may not have been known when it arrived.
    pub direction: Direction,
    /// The activity is completed already: outgoing mail.
    pub completed: bool,
    pub candidates: Vec<Candidate>,
    pub evidence: Vec<Evidence>,
    /// Whether our answer completes the mail that it answers (`complete_on_reply`).
    pub complete_on_reply: bool,
}

/// How an entry ended without being filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Skipped(Reason),
    Parked(Reason),
    Refused,
}

impl Ledger {
    /// Keeps where an entry goes. `turn` is the mailbox's queue turn after it.
    pub async fn plan(
        &self,
        entry: i64,
        mailbox: MailboxId,
        plan: Plan,
        turn: Option<u64>,
    ) -> Result<(), Error> {
        self.write("keep a plan", move |tx| {
            tx.prepare_cached("UPDATE entry SET plan = ?2 WHERE id = ?1")?
                .execute(params![entry, json(&plan)?])?;
            if let Some(turn) = turn {
                tx.prepare_cached("UPDATE mailbox SET queue_turn = ?2 WHERE id = ?1")?
                    .execute(params![mailbox.0, int(turn)])?;
            }
            Ok(())
        })
        .await
    }

    /// How many turns of a mailbox's queue were taken.
    pub async fn queue_turn(&self, mailbox: MailboxId) -> Result<u64, Error> {
        self.read("read the queue's turn", move |conn| {
            conn.query_row(
                "SELECT queue_turn FROM mailbox WHERE id = ?1",
                params![mailbox.0],
                |row| row.get("queue_turn"),
            )
        })
        .await
    }

    /// Notes that a thing is about to be sent: from now on it may be in the CRM.
    pub async fn sending(
        &self,
        entry: i64,
        kind: &'static str,
        origin_id: String,
        now: i64,
    ) -> Result<(), Error> {
        self.write("note a sending", move |tx| sending(tx, entry, kind, &origin_id, now)).await
    }

    /// Takes note that a thing cannot have been sent later than now: the clock was set back.
    pub async fn sent_before(&self, entry: i64, now: i64) -> Result<(), Error> {
        self.write("mend a time", move |tx| {
            tx.execute(
                "UPDATE made SET sent_at = ?2 WHERE entry = ?1 AND sent_at > ?2",
                params![entry, now],
            )?;
            Ok(())
        })
        .await
    }

    /// Notes that a thing is in the CRM, the call that made it, and what is sent next.
    pub async fn made(
        &self,
        entry: i64,
        kind: &'static str,
        origin_id: String,
        crm_id: u64,
        attempt: Option<Attempt>,
        next: Option<(&'static str, String)>,
    ) -> Result<(), Error> {
        self.write("note what was made", move |tx| {
            tx.prepare_cached(
                "INSERT INTO made (entry, kind, origin_id, look_up, crm_id)
                 VALUES (?1, ?2, ?3, 0, ?4)
                 ON CONFLICT (entry, kind) DO UPDATE SET look_up = 0, crm_id = excluded.crm_id",
            )?
            .execute(params![entry, kind, origin_id, int(crm_id)])?;
            // It got on: what went wrong before speaks no longer against it.
            tx.prepare_cached("UPDATE entry SET suspicions = 0 WHERE id = ?1 AND suspicions > 0")?
                .execute(params![entry])?;
            if let Some(attempt) = attempt {
                if let Some((next, origin)) = next {
                    sending(tx, entry, next, &origin, attempt.at)?;
                }
                note(tx, &attempt)?;
            }
            Ok(())
        })
        .await
    }

    /// Puts an entry off.
    ///
    /// `sent` names the thing whose call failed and whether it may have been made all the same.
    pub async fn defer(
        &self,
        entry: i64,
        next_attempt_at: i64,
        suspect: bool,
        sent: Option<(&'static str, bool)>,
        attempt: Option<Attempt>,
    ) -> Result<(), Error> {
        self.write("put an entry off", move |tx| {
            let now = attempt.as_ref().map(|attempt| attempt.at);
            tx.prepare_cached(
                "UPDATE entry SET state = 'deferred', next_attempt_at = ?2,
                                  trouble_since = coalesce(trouble_since, ?3),
                                  suspicions = suspicions + ?4
                 WHERE id = ?1",
            )?
            .execute(params![entry, next_attempt_at, now, suspect])?;
            if let Some((kind, may_be_there)) = sent {
                tx.prepare_cached(
                    // Until now the call may have been on its way.
                    "UPDATE made SET look_up = ?3, sent_at = coalesce(?4, sent_at)
                     WHERE entry = ?1 AND kind = ?2 AND crm_id IS NULL",
                )?
                .execute(params![entry, kind, may_be_there, now])?;
            }
            if let Some(attempt) = attempt {
                note(tx, &attempt)?;
            }
            Ok(())
        })
        .await
    }

    /// Lets an entry of a mailbox that is not configured any more wait in a lane of its own, so
    /// that it holds up no other mailbox's mail.
    pub async fn set_aside(&self, entry: i64, next_attempt_at: i64) -> Result<(), Error> {
        self.write("set an entry aside", move |tx| {
            tx.execute(
                "UPDATE entry
                 SET next_attempt_at = ?2,
                     lane = CASE WHEN lane LIKE 'removed:%' THEN lane ELSE 'removed:' || lane END
                 WHERE id = ?1",
                params![entry, next_attempt_at],
            )?;
            Ok(())
        })
        .await
    }

    /// Takes entries back into their lanes whose mailbox is configured again.
    pub async fn take_back(&self, mailboxes: Vec<String>) -> Result<(), Error> {
        let names = serde_json::to_string(&mailboxes)
            .map_err(|source| Error::Json { doing: "take entries back", source })?;
        self.write("take entries back", move |tx| {
            tx.execute(
                "UPDATE entry SET lane = substr(lane, length('removed:') + 1), next_attempt_at = 0
                 WHERE lane >= 'removed:' AND lane < 'removed;'
                   AND state IN ('queued', 'deferred')
                   AND mailbox IN (SELECT b.id FROM json_each(?1) named
                                   JOIN mailbox b ON b.name = named.value)",
                params![names],
            )?;
            Ok(())
        })
        .await?;
        self.ring();
        Ok(())
    }

    /// Lets a mailbox's mail be filed that waits, for at most [`HOLD`] seconds, until its other
    /// folders are read.
    ///
    /// Both conditions on the state: only the second one is that of an index.
    pub async fn let_go(&self, mailbox: MailboxId, now: i64) -> Result<(), Error> {
        let held: usize = self
            .write("let mail go", move |tx| {
                tx.execute(
                    "UPDATE entry SET next_attempt_at = ?2
                     WHERE mailbox = ?1 AND state = 'queued' AND state IN ('queued', 'deferred')
                       AND next_attempt_at > ?2 AND next_attempt_at <= ?2 + ?3",
                    params![mailbox.0, now, HOLD],
                )
            })
            .await?;
        if held > 0 {
            self.ring();
        }
        Ok(())
    }

    /// Lets an entry wait for one that stands behind it in its lane: it leaves the lane until then.
    pub async fn step_aside(&self, entry: i64, next_attempt_at: i64) -> Result<(), Error> {
        self.write("let an entry pass another", move |tx| {
            tx.execute(
                "UPDATE entry SET next_attempt_at = ?2, lane = 'behind:' || lane
                 WHERE id = ?1 AND lane NOT LIKE 'behind:%'",
                params![entry, next_attempt_at],
            )?;
            Ok(())
        })
        .await
    }

    /// Takes an entry back into its lane.
    pub async fn step_back(&self, entry: i64) -> Result<(), Error> {
        self.write("take an entry back into its lane", move |tx| {
            tx.execute(
                "UPDATE entry SET lane = substr(lane, length('behind:') + 1)
                 WHERE id = ?1 AND lane LIKE 'behind:%'",
                params![entry],
            )?;
            Ok(())
        })
        .await
    }

    /// Lets an entry wait for another one, which is no attempt of its own.
    pub async fn postpone(&self, entry: i64, next_attempt_at: i64) -> Result<(), Error> {
        self.write("let an entry wait", move |tx| {
            tx.prepare_cached("UPDATE entry SET next_attempt_at = ?2 WHERE id = ?1")?
                .execute(params![entry, next_attempt_at])?;
            Ok(())
        })
        .await
    }
}

pub(super) fn cards(conn: &Connection, message: i64) -> rusqlite::Result<Vec<CardRef>> {
    let mut statement =
        conn.prepare_cached("SELECT kind, crm_id FROM card WHERE message = ?1 ORDER BY position")?;
    let rows = statement.query_map(params![message], |row| {
        Ok((row.get::<_, String>("kind")?, row.get::<_, u64>("crm_id")?))
    })?;
    let mut cards = Vec::new();
    for row in rows {
        let (kind, id) = row?;
        if let Some(kind) = CardKind::parse(&kind) {
            cards.push(CardRef { kind, id });
        }
    }
    Ok(cards)
}

fn sending(
    tx: &Transaction<'_>,
    entry: i64,
    kind: &str,
    origin_id: &str,
    now: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO made (entry, kind, origin_id, look_up, sent_at) VALUES (?1, ?2, ?3, 1, ?4)
         ON CONFLICT (entry, kind) DO UPDATE SET look_up = 1, sent_at = excluded.sent_at",
    )?
    .execute(params![entry, kind, origin_id, now])?;
    Ok(())
}

/// Attempts kept for one entry; a CRM that is down for a week must not fill the disk.
const ATTEMPTS_KEPT: i64 = 50;

pub(super) fn note(tx: &Transaction<'_>, attempt: &Attempt) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO attempt (entry, at, method, fate, code, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        attempt.entry,
        attempt.at,
        attempt.method,
        attempt.fate,
        attempt.code,
        attempt.text
    ])?;
    tx.prepare_cached(
        "DELETE FROM attempt WHERE id IN (SELECT id FROM attempt WHERE entry = ?1
                                          ORDER BY id DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![attempt.entry, ATTEMPTS_KEPT])?;
    Ok(())
}
