//! Calls whose answers were lost: what they may have made is looked up before it is made again.

use std::sync::atomic::Ordering;

use tokio::sync::Mutex;

use super::case::Case;
use super::deliver::{Stop, Undone};
use super::{Filing, Knowledge, Step};
use crate::crm::{Crm, Found, Made, OriginId};
use crate::unix_now;

/// A call whose answer was lost may still be at work when the connection is long gone: a portal
/// gives it 60 s (Bitrix24, "Limits"), and times here are whole seconds. Only after this time
/// "not found" means that it was never made.
pub(super) const SETTLED: i64 = 61;

impl<C: Crm> Filing<C> {
    /// A thing that this entry made earlier, by the ledger (as `kind`) or by the look-up of this
    /// round.
    pub(super) async fn known_to_be_there(
        &self,
        knowledge: &Mutex<Knowledge>,
        case: &Case,
        made: Made,
        kind: &'static str,
        origin: &OriginId,
    ) -> Result<Option<Found>, Stop> {
        if let Some(id) = case.made(kind).and_then(|row| row.crm_id) {
            return Ok(Some(Found {
                id,
                owner: None,
                responsible: None,
                completed: false,
                has_text: false,
            }));
        }
        if !case.must_look(kind) {
            return Ok(None);
        }
        let sent_at = case.made(kind).and_then(|row| row.sent_at);
        let wanted = (made, origin.clone());
        let (mut looked, mut asked_at) = {
            let known = knowledge.lock().await;
            (known.found.get(&wanted).cloned(), known.asked_at)
        };
        loop {
            let found = match looked.take() {
                Some(found) => found,
                // Not foreseen when the round asked, or too long ago: asked alone.
                None => {
                    asked_at = unix_now();
                    let answer = self.crm.find_made(std::slice::from_ref(&wanted)).await;
                    answer
                        .map_err(|failure| Stop::Undone(Undone { kind: None, failure }))?
                        .into_iter()
                        .next()
                        .flatten()
                }
            };
            if let Some(found) = found {
                knowledge.lock().await.found.insert(wanted, Some(found.clone()));
                self.ledger
                    .made(case.entry.id, kind, origin.0.clone(), found.id, None, None)
                    .await?;
                return Ok(Some(found));
            }
            if self.settled(case, sent_at, asked_at).await? {
                return Ok(None);
            }
        }
    }

    /// Waits until a call that was sent once and was not found when `asked_at` is certain not to
    /// have been at work any more by then. `Ok(true)`: it is; `Ok(false)`: time has passed since,
    /// and it must be asked once more.
    pub(super) async fn settled(
        &self,
        case: &Case,
        sent_at: Option<i64>,
        asked_at: i64,
    ) -> Result<bool, Stop> {
        let Some(sent_at) = sent_at else { return Ok(true) };
        let now = unix_now();
        if sent_at > now {
            self.ledger.sent_before(case.entry.id, now).await?;
        }
        // What another process noted it may have sent until it died; a clock that was set back
        // sets that back too.
        let started = self.started.fetch_min(now, Ordering::Relaxed).min(now);
        let sent_at = sent_at.max(started);
        let certain = sent_at.min(now) + SETTLED;
        if asked_at >= certain {
            return Ok(true);
        }
        if now >= certain {
            return Ok(false);
        }
        self.ledger.postpone(case.entry.id, certain).await?;
        Err(Stop::Step(Step::Wait))
    }
}
