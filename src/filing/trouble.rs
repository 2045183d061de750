//! What a call that did not work means for its entry, its lane and all others.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Filing, IN_A_ROW, Step};
use crate::crm::{Crm, Failure, Fate};
use crate::ledger::{self, Attempt, Entry, Outcome};
use crate::retry::delay;
use crate::{events, unix_now};

/// First and longest wait of an entry on which the CRM said that it takes nothing.
const BLOCKED_WAITS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(900));
/// An entry's own trouble: first and longest wait. The longest is no shorter than [`SETTLED`], so
/// that a lost call is looked for once and not twice.
const ENTRY_WAITS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(62));
/// Suspicious answers after which an entry is refused, while others are delivered.
const SUSPICIONS: u32 = 10;

impl<C: Crm> Filing<C> {
    /// Writes down a call that did not work, and says what the lane is to do. `sent` names the
    /// thing whose call it was.
    pub(super) async fn failed(
        &self,
        entry: &Entry,
        sent: Option<&'static str>,
        failure: Failure,
    ) -> Result<Step, ledger::Error> {
        let now = unix_now();
        let reason = failure.to_string();
        let trouble = u64::try_from(now - entry.trouble_since.unwrap_or(now)).unwrap_or(0);
        let trouble = Duration::from_secs(trouble);
        let attempt = |fate: &str| Attempt {
            entry: entry.id,
            at: now,
            method: failure.method.clone(),
            fate: fate.to_owned(),
            code: failure.code.clone(),
            text: failure.text.clone(),
        };
        match failure.fate.clone() {
            Fate::Refused => {
                self.refuse(entry, attempt("refused"), &reason).await?;
                Ok(Step::Done)
            }
            Fate::CardGone if entry.replaced => {
                self.refuse(entry, attempt("refused"), &reason).await?;
                Ok(Step::Done)
            }
            Fate::CardGone => {
                self.ledger
                    .place_anew(entry.id, failure.text.clone(), Some(attempt("deferred")))
                    .await?;
                Ok(Step::Wait)
            }
            Fate::Blocked { .. } => {
                // The next try is another entry's: one that nobody may deliver blocks no other.
                let (min, max) = BLOCKED_WAITS;
                let wait = delay(trouble, min, max);
                let next = now + seconds(wait);
                let not_made = sent.map(|kind| (kind, false));
                self.ledger
                    .defer(entry.id, next, false, not_made, Some(attempt("blocked")))
                    .await?;
                // Where all look-ups passed and one call is not allowed, it may be this call alone,
                // such as a plan that makes no new cards.
                if sent.is_some() && self.losses.fetch_add(1, Ordering::Relaxed) + 1 < IN_A_ROW {
                    events::delivery_deferred(entry.id, wait, &reason);
                    return Ok(Step::Wait);
                }
                Ok(Step::Pause(failure))
            }
            Fate::Deferred { retry_after, ambiguous, suspect } => {
                let (min, max) = ENTRY_WAITS;
                let wait = retry_after.unwrap_or_else(|| delay(trouble, min, max));
                let counts = suspect && self.suspects.note(entry.id, entry.suspicions > 0);
                if counts && entry.suspicions + 1 >= SUSPICIONS {
                    self.refuse(entry, attempt("refused"), &reason).await?;
                    return Ok(Step::Done);
                }
                events::delivery_deferred(entry.id, wait, &reason);
                let next = now + seconds(wait);
                let made = sent.map(|kind| (kind, ambiguous));
                self.ledger.defer(entry.id, next, counts, made, Some(attempt("deferred"))).await?;
                // The CRM lets one of its methods rest: others are delivered meanwhile.
                if sent.is_some() && retry_after.is_some() && !ambiguous {
                    return Ok(Step::Wait);
                }
                // One bad entry, or one lost answer, stops nothing else; but where each fails it
                // is the CRM, or the way to it.
                let chance = if suspect {
                    !self.suspects.are_all()
                } else {
                    self.losses.fetch_add(1, Ordering::Relaxed) + 1 < IN_A_ROW
                };
                if chance { Ok(Step::Wait) } else { Ok(Step::Pause(failure)) }
            }
        }
    }

    async fn refuse(
        &self,
        entry: &Entry,
        attempt: Attempt,
        reason: &str,
    ) -> Result<(), ledger::Error> {
        events::delivery_refused(entry.id, reason);
        self.suspects.forget(entry.id);
        // A no is an answer.
        self.losses.store(0, Ordering::Relaxed);
        let outcome = Outcome::Refused;
        self.ledger.settle(entry.id, outcome, Vec::new(), Vec::new(), Some(attempt)).await?;
        Ok(())
    }
}

pub(super) fn seconds(wait: Duration) -> i64 {
    // A part of a second is one: what is due at once would be asked for again at once.
    i64::try_from(wait.as_secs_f64().ceil() as u64).unwrap_or(3600)
}

/// Whether an answer may be about one entry and not about the CRM as a whole.
pub(super) fn may_be_the_entry(failure: &Failure) -> bool {
    match failure.fate {
        Fate::Blocked { .. } | Fate::Deferred { suspect: false, .. } => false,
        Fate::Deferred { suspect: true, .. } | Fate::Refused | Fate::CardGone => true,
    }
}
