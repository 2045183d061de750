//! How an entry ends, and what that makes of its message.

use rusqlite::{OptionalExtension, Transaction, params};

use super::outbox::note;
use super::record::{int, json, keeps_too_much};
use super::{Attempt, Error, Ledger, Outcome, Saved};
use crate::card::CardRef;
use crate::rules::place::Candidate;
use crate::rules::{Evidence, Reason, State};

impl Ledger {
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
            // A to-do that is not on the new card is made there; its call may still be at work.
            tx.execute(
                "UPDATE made SET look_up = 1, crm_id = NULL WHERE entry = ?1 AND kind = 'todo'",
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
    /// has the message too: then it is still owed, and the answer is true.
    pub async fn settle(
        &self,
        entry: i64,
        outcome: Outcome,
        candidates: Vec<Candidate>,
        evidence: Vec<Evidence>,
        attempt: Option<Attempt>,
    ) -> Result<bool, Error> {
        let inner = std::sync::Arc::clone(&self.inner);
        let (released, owed) = self
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
                    return Ok((None, false));
                }
                add_evidence(tx, message, &evidence)?;
                if let (Outcome::Skipped(_), true) = (&outcome, decided_elsewhere(tx, entry)?) {
                    return Ok((None, true));
                }
                tx.prepare_cached(
                    "UPDATE message SET state = ?2, reason = ?3, candidates = ?4,
                                        employees_known = 1
                     WHERE id = ?1",
                )?
                .execute(params![
                    message,
                    state.as_str(),
                    reason,
                    json(&candidates)?
                ])?;
                let released = match outcome {
                    Outcome::Skipped(_) | Outcome::Parked(_) => release(tx, message)?,
                    Outcome::Refused if keeps_too_much(tx, &inner.spool)? => release(tx, message)?,
                    Outcome::Refused => None,
                };
                Ok((released, false))
            })
            .await?;
        self.released(released);
        // Messages that answer this one may have waited for it.
        self.ring();
        Ok(owed)
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

    fn released(&self, segment: Option<u64>) {
        if let Some(segment) = segment {
            self.inner.spool.release(segment);
        }
    }
}

fn end(tx: &Transaction<'_>, entry: i64, state: &str) -> rusqlite::Result<i64> {
    tx.prepare_cached("UPDATE entry SET state = ?2, trouble_since = NULL WHERE id = ?1")?
        .execute(params![entry, state])?;
    tx.query_row("SELECT message FROM entry WHERE id = ?1", params![entry], |row| {
        row.get("message")
    })
}

/// Hands a skipped entry over to the next place in another mailbox, to be decided by the rules of
/// that one (product: Identity). Places are gone through in their order, each mailbox once.
fn decided_elsewhere(tx: &Transaction<'_>, entry: i64) -> rusqlite::Result<bool> {
    let next: Option<(i64, i64)> = tx
        .prepare_cached(
            "SELECT p.folder, f.mailbox
             FROM entry e
             JOIN place p ON p.message = e.message
             JOIN folder f ON f.id = p.folder
             WHERE e.id = ?1 AND p.role NOT IN ('spam', 'trash', 'drafts')
               AND p.position > (SELECT max(own.position) FROM place own
                                 WHERE own.message = e.message AND own.folder = e.folder)
               AND NOT EXISTS (SELECT 1 FROM place before JOIN folder g ON g.id = before.folder
                               WHERE before.message = e.message AND g.mailbox = f.mailbox
                                 AND before.position < p.position)
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
        "UPDATE message SET employees_known = 0
         WHERE id = (SELECT message FROM entry WHERE id = ?1)",
        params![entry],
    )?;
    Ok(true)
}

pub(super) fn add_evidence(
    tx: &Transaction<'_>,
    message: i64,
    more: &[Evidence],
) -> rusqlite::Result<()> {
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
         SELECT answered.id, 'complete', own.mailbox, own.folder, 'complete:' || answered.id,
                own.live, 'queued', ?2, ?2, 0, 0
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
         SELECT answered.id, 'complete', own.mailbox, own.folder, 'complete:' || answered.id,
                own.live, 'queued', ?2, ?2, 0, 0
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
