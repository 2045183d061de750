//! The outbox: what is owed to the CRM, what may have been made, and what became of it.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::record::{int, json, keeps_too_much};
use super::{Error, Ledger, Location, MailboxId};
use crate::card::{CardKind, CardRef, Employee};
use crate::rules::place::Candidate;
use crate::rules::{Direction, Evidence, Reason, State};

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
    fn parse(name: &str) -> EntryAction {
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
    /// `lead`, `contact`, `deal`, `activity` or `content`.
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
    pub message: i64,
    pub message_id: String,
    pub state: State,
    /// Its entry, while that is owed.
    pub owed_entry: Option<i64>,
    /// When that is tried next, Unix seconds.
    pub owed_until: Option<i64>,
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

/// Seconds beyond which no entry waits. What seems to wait longer was written before the clock
/// was set back, and is due.
const LONGEST_WAIT: i64 = 4_000;

/// Messages named by one mail that are worth asking for.
const THREAD_DEPTH: usize = 30;

impl Ledger {
    /// Entries that are due, whole lanes in order: first lanes that live mail heads, then those
    /// with live mail behind history, then history.
    ///
    /// A lane whose head waits is left out: its later entries must not overtake it.
    pub async fn due(&self, now: i64, limit: usize) -> Result<Vec<Entry>, Error> {
        self.read("read what is due", move |conn| {
            let mut lanes: Vec<String> = Vec::new();
            let mut ids: Vec<i64> = Vec::new();
            for (live, head) in [(true, true), (true, false), (false, false)] {
                // A lane is due when its first entry is, whatever stands behind.
                let mut heads = conn.prepare_cached(
                    "SELECT e.lane FROM entry e
                     WHERE e.state IN ('queued', 'deferred') AND e.live = ?1
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
                    params![live, now, int(limit as u64), head, LONGEST_WAIT],
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
    pub async fn probe(&self, now: i64) -> Result<Vec<Entry>, Error> {
        self.read("read what is due", move |conn| {
            let untried = conn
                .prepare_cached(
                    "SELECT e.id FROM entry e
                     WHERE e.state = 'queued'
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
                         WHERE e.state = 'deferred'
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
    pub async fn live_is_due(&self, now: i64, after: i64) -> Result<bool, Error> {
        self.read("read what is due", move |conn| {
            conn.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM entry e
                                WHERE e.state IN ('queued', 'deferred') AND e.live = 1
                                  AND e.next_attempt_at <= ?1 AND e.id > ?2
                                  AND NOT EXISTS (SELECT 1 FROM entry head
                                                  WHERE head.lane = e.lane AND head.id < e.id
                                                    AND head.state IN ('queued', 'deferred'))
                               ) AS due",
            )?
            .query_row(params![now, after], |row| row.get("due"))
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

    /// The first of these Message-IDs that was filed or is owed.
    pub async fn parent(&self, own: i64, refs: Vec<String>) -> Result<Option<Parent>, Error> {
        self.read("look for the thread", move |conn| {
            for id in refs.iter().take(THREAD_DEPTH) {
                if let Some(parent) = parent(conn, own, id)? {
                    return Ok(Some(parent));
                }
            }
            Ok(None)
        })
        .await
    }

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

    /// Lets an entry wait for another one, which is no attempt of its own.
    pub async fn postpone(&self, entry: i64, next_attempt_at: i64) -> Result<(), Error> {
        self.write("let an entry wait", move |tx| {
            tx.prepare_cached("UPDATE entry SET next_attempt_at = ?2 WHERE id = ?1")?
                .execute(params![entry, next_attempt_at])?;
            Ok(())
        })
        .await
    }

    /// Forgets where an entry was to go, because its card is gone; it is placed anew once.
    pub async fn place_anew(
        &self,
        entry: i64,
        fact: String,
        attempt: Option<Attempt>,
    ) -> Result<(), Error> {
        self.write("place an entry anew", move |tx| {
            tx.prepare_cached("UPDATE entry SET plan = NULL, replaced = 1 WHERE id = ?1")?
                .execute(params![entry])?;
            let message: i64 =
                tx.query_row("SELECT message FROM entry WHERE id = ?1", params![entry], |row| {
                    row.get("message")
                })?;
            // What was made for the old place is gone with it; a new card gets a new call.
            tx.execute(
                "DELETE FROM made WHERE entry = ?1 AND kind IN ('lead', 'contact', 'deal')",
                params![entry],
            )?;
            // An activity may have gone with its card, or live on with another one: the CRM is
            // asked, and what it has is taken over. No call is at work any more: all were answered.
            tx.execute(
                "UPDATE made SET look_up = 1, crm_id = NULL, sent_at = NULL
                 WHERE entry = ?1 AND kind IN ('activity', 'content')",
                params![entry],
            )?;
            add_evidence(tx, message, &[Evidence::new("card-gone", fact)])?;
            if let Some(attempt) = attempt {
                note(tx, &attempt)?;
            }
            Ok(())
        })
        .await
    }

    /// Ends an entry as filed, and releases the raw message.
    pub async fn saved(
        &self,
        entry: i64,
        saved: Saved,
        attempt: Option<Attempt>,
        now: i64,
    ) -> Result<(), Error> {
        let released = self
            .write("note a filed message", move |tx| {
                if let Some(attempt) = &attempt {
                    note(tx, attempt)?;
                }
                let message = end(tx, entry, "done")?;
                add_evidence(tx, message, &saved.evidence)?;
                tx.prepare_cached(
                    "UPDATE message SET state = 'saved', reason = NULL, candidates = ?2,
                                        responsible = ?3, activity_id = ?4, recorded_at = ?5,
                                        activity_created_at = ?5, activity_completed_at = ?6,
                                        direction = ?7, owner = ?8, employees_known = 1,
                                        answers = CASE WHEN ?7 = 'outgoing' AND class = 'normal'
                                                       THEN json_extract(refs, '$[0]') END
                     WHERE id = ?1",
                )?
                .execute(params![
                    message,
                    json(&saved.candidates)?,
                    int(saved.responsible),
                    int(saved.activity),
                    now,
                    saved.completed.then_some(now),
                    saved.direction.as_str(),
                    int(saved.owner)
                ])?;
                set_cards(tx, message, &saved.cards)?;
                if saved.complete_on_reply {
                    owe_completion(tx, message, now)?;
                }
                release(tx, message)
            })
            .await?;
        self.released(released);
        self.ring();
        Ok(())
    }

    /// Ends a completion.
    pub async fn completed(&self, entry: i64, attempt: Attempt, now: i64) -> Result<(), Error> {
        self.write("note a completed activity", move |tx| {
            note(tx, &attempt)?;
            let message = end(tx, entry, "done")?;
            tx.prepare_cached(
                "UPDATE message SET activity_completed_at = coalesce(activity_completed_at, ?2)
                 WHERE id = ?1",
            )?
            .execute(params![message, now])?;
            Ok(())
        })
        .await
    }

    /// Ends a link: the mail was filed by the CRM itself.
    pub async fn linked(
        &self,
        entry: i64,
        cards: Vec<CardRef>,
        responsible: Option<u64>,
        attempt: Attempt,
    ) -> Result<(), Error> {
        self.write("note the cards of a mail", move |tx| {
            note(tx, &attempt)?;
            let message = end(tx, entry, "done")?;
            tx.execute(
                "UPDATE message SET responsible = ?2 WHERE id = ?1",
                params![message, responsible.map(int)],
            )?;
            set_cards(tx, message, &cards)
        })
        .await?;
        // Answers to it may have waited.
        self.ring();
        Ok(())
    }

    /// Ends an entry without filing: skipped, parked or refused. A refused message keeps its raw
    /// bytes for another try. What one mailbox's rules skip is decided by the next mailbox that
    /// has the message too.
    pub async fn settle(
        &self,
        entry: i64,
        outcome: Outcome,
        candidates: Vec<Candidate>,
        evidence: Vec<Evidence>,
        attempt: Option<Attempt>,
    ) -> Result<(), Error> {
        let inner = std::sync::Arc::clone(&self.inner);
        let released = self
            .write("note the end of an entry", move |tx| {
                if let Some(attempt) = &attempt {
                    note(tx, attempt)?;
                }
                let (state, reason, entry_state) = match outcome {
                    Outcome::Skipped(reason) => (State::Skipped, Some(reason.code()), "done"),
                    Outcome::Parked(reason) => (State::Parked, Some(reason.code()), "done"),
                    Outcome::Refused => (State::Refused, None, "refused"),
                };
                let message = end(tx, entry, entry_state)?;
                let filing: bool = tx.query_row(
                    "SELECT action = 'file' AS filing FROM entry WHERE id = ?1",
                    params![entry],
                    |row| row.get("filing"),
                )?;
                // A completion that was refused leaves the message as filed as it is.
                if !filing {
                    return Ok(None);
                }
                add_evidence(tx, message, &evidence)?;
                if let (Outcome::Skipped(_), true) = (&outcome, decided_elsewhere(tx, entry)?) {
                    return Ok(None);
                }
                tx.prepare_cached(
                    "UPDATE message SET state = ?2, reason = ?3, candidates = ?4, employees_known = 1
                     WHERE id = ?1",
                )?
                .execute(params![message, state.as_str(), reason, json(&candidates)?])?;
                match outcome {
                    Outcome::Skipped(_) | Outcome::Parked(_) => release(tx, message),
                    Outcome::Refused if keeps_too_much(tx, &inner.spool)? => release(tx, message),
                    Outcome::Refused => Ok(None),
                }
            })
            .await?;
        self.released(released);
        // Messages that answer this one may have waited for it.
        self.ring();
        Ok(())
    }

    /// Ends an entry whose mail cannot be read; its raw bytes are kept.
    pub async fn quarantine(&self, entry: i64, evidence: Vec<Evidence>) -> Result<(), Error> {
        let inner = std::sync::Arc::clone(&self.inner);
        let released = self
            .write("quarantine a message", move |tx| {
                let message = end(tx, entry, "done")?;
                add_evidence(tx, message, &evidence)?;
                tx.execute(
                    "UPDATE message SET state = ?2, reason = ?3 WHERE id = ?1",
                    params![message, State::Quarantined.as_str(), Reason::Unreadable.code()],
                )?;
                if keeps_too_much(tx, &inner.spool)? { release(tx, message) } else { Ok(None) }
            })
            .await?;
        self.released(released);
        self.ring();
        Ok(())
    }

    /// The CRM's employees as last asked.
    pub async fn employees(&self) -> Result<Vec<Employee>, Error> {
        self.read("read employees", |conn| {
            let mut statement =
                conn.prepare_cached("SELECT id, name, email, active FROM employee ORDER BY id")?;
            let rows = statement.query_map([], |row| {
                Ok(Employee {
                    id: row.get("id")?,
                    name: row.get("name")?,
                    email: row.get("email")?,
                    active: row.get("active")?,
                })
            })?;
            rows.collect()
        })
        .await
    }

    /// Replaces the list of employees.
    pub async fn set_employees(&self, employees: Vec<Employee>) -> Result<(), Error> {
        let active = employees
            .iter()
            .filter(|employee| employee.active)
            .filter_map(|employee| employee.email.clone())
            .collect();
        self.write("keep employees", move |tx| {
            tx.execute(
                "INSERT INTO meta (key, value) VALUES ('employees', 'known')
                 ON CONFLICT (key) DO NOTHING",
                [],
            )?;
            tx.execute("DELETE FROM employee", [])?;
            for employee in &employees {
                tx.prepare_cached(
                    "INSERT INTO employee (id, name, email, active) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (id) DO NOTHING",
                )?
                .execute(params![
                    int(employee.id),
                    employee.name,
                    employee.email,
                    employee.active
                ])?;
            }
            Ok(())
        })
        .await?;
        *super::held(&self.inner.employees) = Some(std::sync::Arc::new(active));
        Ok(())
    }

    fn released(&self, segment: Option<u64>) {
        if let Some(segment) = segment {
            self.inner.spool.release(segment);
        }
    }
}

/// Addresses of active employees; `None` if the CRM never named any.
pub(super) fn active_addresses(
    conn: &Connection,
) -> rusqlite::Result<Option<std::sync::Arc<std::collections::HashSet<String>>>> {
    let known: bool = conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'employees') AS known",
        [],
        |row| row.get("known"),
    )?;
    if !known {
        return Ok(None);
    }
    let mut statement =
        conn.prepare("SELECT email FROM employee WHERE active = 1 AND email IS NOT NULL")?;
    let rows = statement.query_map([], |row| row.get("email"))?;
    Ok(Some(std::sync::Arc::new(rows.collect::<rusqlite::Result<_>>()?)))
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
            "SELECT m.id, m.state, e.id AS entry, e.next_attempt_at
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
            ))
        })
        .optional()?;
    let Some((message, state, owed_entry, owed_until)) = found else { return Ok(None) };
    Ok(Some(Parent {
        message,
        message_id: id.to_owned(),
        state: State::parse(&state).unwrap_or(State::Skipped),
        owed_entry,
        owed_until,
        cards: cards(conn, message)?,
    }))
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

fn note(tx: &Transaction<'_>, attempt: &Attempt) -> rusqlite::Result<()> {
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

fn end(tx: &Transaction<'_>, entry: i64, state: &str) -> rusqlite::Result<i64> {
    tx.prepare_cached("UPDATE entry SET state = ?2, trouble_since = NULL WHERE id = ?1")?
        .execute(params![entry, state])?;
    tx.query_row("SELECT message FROM entry WHERE id = ?1", params![entry], |row| {
        row.get("message")
    })
}

/// Hands a skipped entry over to the next place in another mailbox, to be decided by the rules of
/// that one (product: Identity). Places are gone through in their order, each once.
fn decided_elsewhere(tx: &Transaction<'_>, entry: i64) -> rusqlite::Result<bool> {
    let next: Option<(i64, i64)> = tx
        .prepare_cached(
            "SELECT p.folder, f.mailbox
             FROM entry e
             JOIN place own ON own.message = e.message AND own.folder = e.folder
             JOIN place p ON p.message = e.message AND p.position > own.position
             JOIN folder f ON f.id = p.folder
             WHERE e.id = ?1 AND f.mailbox <> e.mailbox
               AND p.role NOT IN ('spam', 'trash', 'drafts')
             ORDER BY p.position LIMIT 1",
        )?
        .query_row(params![entry], |row| Ok((row.get("folder")?, row.get("mailbox")?)))
        .optional()?;
    let Some((folder, mailbox)) = next else { return Ok(false) };
    tx.execute(
        "UPDATE entry SET state = 'queued', folder = ?2, mailbox = ?3, plan = NULL,
                          next_attempt_at = queued_at
         WHERE id = ?1",
        params![entry, folder, mailbox],
    )?;
    // Not admitted by the other mailbox's rules yet.
    tx.execute(
        "UPDATE message SET employees_known = 0 WHERE id = (SELECT message FROM entry WHERE id = ?1)",
        params![entry],
    )?;
    Ok(true)
}

fn add_evidence(tx: &Transaction<'_>, message: i64, more: &[Evidence]) -> rusqlite::Result<()> {
    if more.is_empty() {
        return Ok(());
    }
    let old: String = tx
        .prepare_cached("SELECT evidence FROM message WHERE id = ?1")?
        .query_row(params![message], |row| row.get("evidence"))?;
    let mut evidence: Vec<Evidence> = serde_json::from_str(&old).unwrap_or_default();
    for fact in more {
        if !evidence.contains(fact) {
            evidence.push(fact.clone());
        }
    }
    tx.prepare_cached("UPDATE message SET evidence = ?2 WHERE id = ?1")?
        .execute(params![message, json(&evidence)?])?;
    Ok(())
}

fn set_cards(tx: &Transaction<'_>, message: i64, cards: &[CardRef]) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM card WHERE message = ?1")?.execute(params![message])?;
    for (position, card) in cards.iter().enumerate() {
        tx.prepare_cached(
            "INSERT INTO card (message, position, kind, crm_id) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            message,
            int(position as u64),
            card.kind.as_str(),
            int(card.id)
        ])?;
    }
    Ok(())
}

fn release(tx: &Transaction<'_>, message: i64) -> rusqlite::Result<Option<u64>> {
    tx.prepare_cached("DELETE FROM spool WHERE message = ?1 RETURNING segment")?
        .query_row(params![message], |row| row.get("segment"))
        .optional()
}

/// Owes the completion of the incoming mail that `message` answers, or of `message` itself if
/// its answer was filed before it.
fn owe_completion(tx: &Transaction<'_>, message: i64, now: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO entry (message, action, mailbox, folder, lane, live, state, queued_at,
                            next_attempt_at, suspicions, replaced)
         SELECT answered.id, 'complete', own.mailbox, own.folder, 'complete:' || answered.id, own.live,
                'queued', ?2, ?2, 0, 0
         FROM message reply
         JOIN entry own ON own.message = reply.id AND own.action = 'file'
         JOIN message answered ON answered.id =
              (SELECT a.id FROM json_each(reply.refs) named
               CROSS JOIN message a ON a.message_id = named.value
               WHERE a.id <> reply.id AND +a.state = 'saved'
               ORDER BY named.key LIMIT 1)
         WHERE reply.id = ?1 AND reply.direction = 'outgoing' AND reply.answers IS NOT NULL
           AND answered.direction = 'incoming' AND answered.activity_id IS NOT NULL
           AND answered.activity_completed_at IS NULL
         ON CONFLICT (message, action) DO NOTHING",
    )?
    .execute(params![message, now])?;
    tx.prepare_cached(
        "INSERT INTO entry (message, action, mailbox, folder, lane, live, state, queued_at,
                            next_attempt_at, suspicions, replaced)
         SELECT answered.id, 'complete', own.mailbox, own.folder, 'complete:' || answered.id, own.live,
                'queued', ?2, ?2, 0, 0
         FROM message answered
         JOIN entry own ON own.message = answered.id AND own.action = 'file'
         WHERE answered.id = ?1 AND answered.direction = 'incoming'
           AND answered.activity_id IS NOT NULL
           AND EXISTS (SELECT 1 FROM message reply
                       WHERE reply.answers = answered.message_id AND reply.state = 'saved')
         ON CONFLICT (message, action) DO NOTHING",
    )?
    .execute(params![message, now])?;
    Ok(())
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Incoming => "incoming",
            Direction::Outgoing => "outgoing",
        }
    }
}
