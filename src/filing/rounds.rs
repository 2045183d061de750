//! One round: what is due, asked about together, delivered lane by lane; and further rounds beside
//! one whose call hangs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{Mutex, watch};

use super::busy::Held;
use super::case::Case;
use super::trouble::may_be_the_entry;
use super::{
    Directory, Filing, IN_A_ROW, Knowledge, PARENT_WAIT, ROUND, ROUNDS, Round, Settings, Step,
};
use crate::card::CardRef;
use crate::crm::{Crm, Failure, Fate, Made, OriginId, TIMEOUT};
use crate::ledger::{self, Entry};
use crate::retry::Pauses;
use crate::unix_now;

/// Lanes delivered at once.
const LANES: usize = 4;
/// How long no call may be answered before a further round begins beside this one.
const SLOW: Duration = Duration::from_secs(3);
/// The longest before a mail looks again whether the one it answers is filed, in seconds.
const LONGEST_PARENT_WAIT: i64 = 60;

impl<C: Crm> Filing<C> {
    /// One round: what is due, asked about together, delivered lane by lane. There are `depth`
    /// others, which deliver other lanes.
    pub(super) async fn round(
        &self,
        directory: &Directory,
        stop: &watch::Receiver<bool>,
        mut entries: Vec<Entry>,
        depth: usize,
    ) -> Result<Round, ledger::Error> {
        if entries.is_empty() {
            return Ok(Round::Idle);
        }
        let settings = Arc::clone(&self.settings.borrow());
        let held = self.busy.round();
        // Another round may have asked for the same.
        let mut lanes: HashMap<String, bool> = HashMap::new();
        entries.retain(|entry| {
            let lane = entry.lane.as_str();
            *lanes
                .entry(lane.to_owned())
                .or_insert_with(|| held.take(&HashSet::from([lane.to_owned()])))
        });
        let (over, ended) = watch::channel(false);
        let work = async {
            let round = self.deliver_all(directory, stop, &settings, entries, &held).await;
            drop(held);
            over.send_replace(true);
            round
        };
        if depth >= ROUNDS {
            return work.await;
        }
        let meanwhile = self.meanwhile(directory, stop, depth + 1, ended);
        let (round, others) = tokio::join!(work, meanwhile);
        others?;
        round
    }

    async fn deliver_all(
        &self,
        directory: &Directory,
        stop: &watch::Receiver<bool>,
        settings: &Arc<Settings>,
        entries: Vec<Entry>,
        held: &Held<'_>,
    ) -> Result<Round, ledger::Error> {
        let mut cases = Vec::with_capacity(entries.len());
        let mut waiting = HashSet::new();
        for entry in entries {
            if let Some(case) = self.case(settings, entry, &mut waiting).await? {
                cases.push(case);
            }
        }
        let cases = self.without_waiting(cases, waiting).await?;
        if cases.is_empty() {
            return Ok(Round::Waited);
        }
        self.cases(directory, stop, cases, held).await
    }

    /// While a round waits for a call that the CRM does not answer, delivers what is due beside
    /// it: one call that hangs holds up its own lane only.
    async fn meanwhile(
        &self,
        directory: &Directory,
        stop: &watch::Receiver<bool>,
        depth: usize,
        mut ended: watch::Receiver<bool>,
    ) -> Result<(), ledger::Error> {
        let mut wait = SLOW;
        let mut answers = self.crm.answers();
        loop {
            tokio::select! {
                _ = ended.wait_for(|ended| *ended) => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            let now = self.crm.answers();
            // A portal that lets few calls through is no portal that hangs: it is asked for many
            // mails together.
            if wait == SLOW && std::mem::replace(&mut answers, now) != now {
                continue;
            }
            wait = Duration::from_secs(1);
            if *stop.borrow() {
                return Ok(());
            }
            let (busy, before) = self.busy.now();
            let due = self.ledger.due(unix_now(), ROUND, &busy).await?;
            if self.busy.changed(before) {
                // What another round delivered meanwhile may be among them.
                continue;
            }
            if let Round::Pause(_) = Box::pin(self.round(directory, stop, due, depth)).await? {
                // The round that waits will meet the same.
                return Ok(());
            }
        }
    }

    /// Lets answers wait whose parent is owed and not in this round, before the CRM is asked
    /// anything for them.
    async fn without_waiting(
        &self,
        mut cases: Vec<Case>,
        mut waiting: HashSet<String>,
    ) -> Result<Vec<Case>, ledger::Error> {
        let now = unix_now();
        let mut here: HashSet<i64> = cases.iter().map(|case| case.entry.id).collect();
        let mut kept = Vec::with_capacity(cases.len());
        cases.sort_by_key(|case| case.entry.id);
        for case in cases {
            let owed = case.parent.as_ref().and_then(|parent| {
                let owed = parent.owed_entry?;
                // In this round it goes before, if it was read before.
                let before = here.contains(&owed) && owed < case.entry.id;
                (case.entry.plan.is_none() && !before).then_some(parent.owed_until)
            });
            if let Some(until) = owed {
                // What it waits for may be tried earlier than is said now.
                let next = until.unwrap_or(now).clamp(now + PARENT_WAIT, now + LONGEST_PARENT_WAIT);
                if self.let_wait(&case, next).await? {
                    here.remove(&case.entry.id);
                    continue;
                }
            }
            // What stands behind it must not overtake.
            if owed.is_some() || waiting.contains(&case.entry.lane) {
                here.remove(&case.entry.id);
                waiting.insert(case.entry.lane.clone());
            } else {
                kept.push(case);
            }
        }
        Ok(kept)
    }

    /// Lets an answer wait for the mail that it answers. Returns whether it left its lane for it.
    pub(super) async fn let_wait(&self, case: &Case, next: i64) -> Result<bool, ledger::Error> {
        let entry = &case.entry;
        let behind_it = case.parent.as_ref().is_some_and(|parent| {
            parent.owed_lane.as_ref() == Some(&entry.lane)
                && parent.owed_entry.is_some_and(|owed| owed > entry.id)
        });
        if behind_it {
            self.ledger.step_aside(entry.id, next).await?;
        } else {
            self.ledger.postpone(entry.id, next).await?;
        }
        Ok(behind_it)
    }

    async fn cases(
        &self,
        directory: &Directory,
        stop: &watch::Receiver<bool>,
        cases: Vec<Case>,
        held: &Held<'_>,
    ) -> Result<Round, ledger::Error> {
        let knowledge = match self.ask_again(directory, &cases, stop).await {
            Ok(knowledge) => knowledge,
            Err(failure) => return self.asked_in_vain(directory, stop, cases, failure, held).await,
        };
        let names: HashMap<i64, HashSet<String>> =
            cases.iter().map(|case| (case.entry.id, case.names(directory, &knowledge))).collect();
        let own: HashSet<&String> = names.values().flatten().collect();
        let last = cases.iter().map(|case| case.entry.id).max().unwrap_or(0);
        // One alone, such as the one that tries whether trouble is over, keeps nobody waiting.
        let history = cases.len() > 1 && cases.iter().any(|case| !case.entry.live);
        let others: HashSet<String> =
            self.busy.now().0.into_iter().filter(|name| !own.contains(name)).collect();
        let groups = self.free(lanes(cases, &names), &names, held).await?;
        let others = &others;
        let knowledge = Mutex::new(knowledge);
        let paused: Mutex<Option<Failure>> = Mutex::new(None);
        let failed: Mutex<Option<ledger::Error>> = Mutex::new(None);
        let (knowledge, paused_by, failed_by) = (&knowledge, &paused, &failed);
        futures_util::stream::iter(groups)
            .for_each_concurrent(LANES, |(group, names)| async move {
                for case in group {
                    if *stop.borrow()
                        || paused_by.lock().await.is_some()
                        || failed_by.lock().await.is_some()
                    {
                        break;
                    }
                    // Live mail does not wait for a backlog.
                    if history && !case.entry.live {
                        match self.ledger.live_is_due(unix_now(), last, others).await {
                            Ok(true) => break,
                            Ok(false) => {}
                            Err(error) => {
                                *failed_by.lock().await = Some(error);
                                break;
                            }
                        }
                    }
                    match self.deliver(directory, knowledge, case).await {
                        Ok(Step::Done) => {}
                        Ok(Step::Wait) => break,
                        Ok(Step::Pause(failure)) => {
                            *paused_by.lock().await = Some(failure);
                            break;
                        }
                        Err(error) => {
                            *failed_by.lock().await = Some(error);
                            break;
                        }
                    }
                }
                held.give_back(&names);
            })
            .await;
        if let Some(error) = failed.into_inner() {
            return Err(error);
        }
        Ok(paused.into_inner().map_or(Round::Worked, Round::Pause))
    }

    /// Takes what these groups are about. One that is about somebody for whom another round may
    /// be making a card waits for it.
    async fn free(
        &self,
        groups: Vec<Vec<Case>>,
        names: &HashMap<i64, HashSet<String>>,
        held: &Held<'_>,
    ) -> Result<Vec<(Vec<Case>, HashSet<String>)>, ledger::Error> {
        let mut free = Vec::with_capacity(groups.len());
        for group in groups {
            let of_group: HashSet<String> = group
                .iter()
                .filter_map(|case| names.get(&case.entry.id))
                .flatten()
                .cloned()
                .collect();
            if held.take(&of_group) {
                free.push((group, of_group));
                continue;
            }
            for case in group {
                self.ledger.postpone(case.entry.id, unix_now() + PARENT_WAIT).await?;
            }
        }
        Ok(free)
    }

    /// Asks, and asks again after an answer that was lost, and once after one that may be some
    /// mail's fault: the look-ups of fifty mails are not thrown away for one cut wire.
    async fn ask_again(
        &self,
        directory: &Directory,
        cases: &[Case],
        stop: &watch::Receiver<bool>,
    ) -> Result<Knowledge, Failure> {
        let mut pauses = Pauses::new(Duration::from_millis(100), Duration::from_secs(1));
        let mut suspected = cases.len() == 1;
        // A CRM that is known to be in trouble is asked once.
        for _ in self.losses.load(Ordering::Relaxed)..IN_A_ROW - 1 {
            match self.ask(directory, cases).await {
                Err(Failure {
                    fate: Fate::Deferred { suspect, retry_after, .. }, code, ..
                }) if retry_after.is_none_or(|wait| wait < Duration::from_secs(5))
                        && !(suspect && suspected)
                        // It has held up the round for long enough.
                        && code != TIMEOUT
                        && !*stop.borrow() =>
                {
                    suspected |= suspect;
                    tokio::time::sleep(retry_after.unwrap_or_else(|| pauses.pause())).await;
                }
                other => return other,
            }
        }
        self.ask(directory, cases).await
    }

    /// The look-ups failed. If that may be one mail's fault, the lanes are asked about in halves
    /// until it is found; of a lane that is alone only the head, for none may overtake another.
    async fn asked_in_vain(
        &self,
        directory: &Directory,
        stop: &watch::Receiver<bool>,
        mut cases: Vec<Case>,
        failure: Failure,
        held: &Held<'_>,
    ) -> Result<Round, ledger::Error> {
        if may_be_the_entry(&failure) && cases.len() > 1 {
            let mut first = lanes(cases, &HashMap::new());
            let second = first.split_off(first.len() / 2);
            let parts: Vec<Vec<Case>> = if first.is_empty() {
                second.into_iter().map(|lane| lane.into_iter().take(1).collect()).collect()
            } else {
                [first, second].map(|half| half.into_iter().flatten().collect()).into()
            };
            for part in parts {
                if *stop.borrow() {
                    break;
                }
                match Box::pin(self.cases(directory, stop, part, held)).await? {
                    Round::Pause(failure) => return Ok(Round::Pause(failure)),
                    Round::Idle | Round::Waited | Round::Worked => {}
                }
            }
            return Ok(Round::Worked);
        }
        // The head carries the note, so that `explain` shows what the CRM said.
        if cases.is_empty() {
            return Ok(Round::Pause(failure));
        }
        let case = cases.swap_remove(0);
        match self.failed(&case.entry, None, failure).await? {
            Step::Done | Step::Wait => Ok(Round::Worked),
            Step::Pause(failure) => Ok(Round::Pause(failure)),
        }
    }

    /// Asks the CRM about all mails of a round together.
    async fn ask(&self, directory: &Directory, cases: &[Case]) -> Result<Knowledge, Failure> {
        let mut addresses: Vec<String> = Vec::new();
        let mut activities: Vec<u64> = Vec::new();
        let open = || cases.iter().filter(|case| case.entry.plan.is_none());
        for case in open() {
            addresses.extend(case.parties().iter().map(|party| party.email.clone()));
            activities.extend(case.filed().filter_map(|filed| filed.activity));
            activities.extend(case.codes());
        }
        dedup(&mut addresses);
        dedup(&mut activities);
        let mut knowledge = Knowledge::default();
        if !activities.is_empty() {
            let now = self.crm.activities(&activities).await?;
            knowledge.activities = activities.into_iter().zip(now).collect();
        }
        let mut cards: Vec<CardRef> = Vec::new();
        for case in open() {
            cards.extend(knowledge.cards_to_ask_for(case));
        }
        dedup(&mut cards);
        if !addresses.is_empty() {
            knowledge.known = self.crm.know(&addresses).await?;
        }
        if !cards.is_empty() {
            let now = self.crm.cards(&cards).await?;
            knowledge.cards = cards.into_iter().zip(now).collect();
        }
        let mut wanted: Vec<(Made, OriginId)> = Vec::new();
        for case in cases {
            wanted.extend(case.look_ups(directory, &knowledge));
        }
        if !wanted.is_empty() {
            knowledge.asked_at = unix_now();
            let found = self.crm.find_made(&wanted).await?;
            knowledge.found = wanted.into_iter().zip(found).collect();
        }
        Ok(knowledge)
    }
}

fn dedup<T: Ord + Clone>(values: &mut Vec<T>) {
    values.sort();
    values.dedup();
}

/// Groups of entries that must go one after another: mails that share a lane or another of their
/// `names`, by entry, and a mail behind the one it answers.
fn lanes(mut cases: Vec<Case>, names: &HashMap<i64, HashSet<String>>) -> Vec<Vec<Case>> {
    let share = |one: &Case, other: &Case| {
        one.entry.lane == other.entry.lane
            || names
                .get(&one.entry.id)
                .zip(names.get(&other.entry.id))
                .is_some_and(|(one, other)| !one.is_disjoint(other))
    };
    let mut groups: Vec<Vec<Case>> = Vec::new();
    cases.sort_by_key(|case| case.entry.id);
    for case in cases {
        let behind = case.parent.as_ref().and_then(|parent| parent.owed_entry);
        let mut joined: Vec<Case> = Vec::new();
        let mut kept: Vec<Vec<Case>> = Vec::new();
        for group in groups {
            let same =
                group.iter().any(|other| Some(other.entry.id) == behind || share(&case, other));
            if same {
                joined.extend(group);
            } else {
                kept.push(group);
            }
        }
        joined.push(case);
        joined.sort_by_key(|case| case.entry.id);
        kept.push(joined);
        groups = kept;
    }
    groups
}
