//! Takes what is due, asks the CRM about the people in it, places it, delivers it, and writes
//! down what became of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use jiff::tz::TimeZone;
use tokio::sync::{Mutex, watch};

use crate::card::{CardNow, CardRef, Known};
use crate::config::Mailbox;
use crate::crm::{Crm, Failure, Fate, Found, Made, OriginId, TIMEOUT};
use crate::ledger::{self, Entry, EntryAction, Ledger, MailboxId, Parent};
use crate::retry::Pauses;
use crate::rules::RuleSet;
use crate::{events, unix_now};

mod busy;
mod case;
pub mod content;
mod deliver;
mod lost;
mod suspects;
mod trouble;

use busy::{Busy, Held};
use case::Case;
use suspects::Suspects;
use trouble::may_be_the_entry;

/// Mails asked about together: enough to share the look-ups, few enough that live mail does not
/// wait long for them.
const ROUND: usize = 50;
/// Lanes delivered at once.
const LANES: usize = 4;
/// How long no call of a round may be answered before others begin beside it, and how many there
/// may be.
const SLOW: Duration = Duration::from_secs(3);
const ROUNDS: usize = 4;
/// Lost answers without a delivery between them after which everything waits.
const IN_A_ROW: u32 = 3;
/// Between two looks at the list of employees and the CRM's mode.
const DIRECTORY: Duration = Duration::from_secs(900);
/// After a directory that could not be asked for, while an older one serves.
const DIRECTORY_AGAIN: Duration = Duration::from_secs(60);
/// Before a mail looks again whether the one it answers is filed.
const PARENT_WAIT: i64 = 2;
const LONGEST_PARENT_WAIT: i64 = 60;

/// A mailbox as filing needs it.
#[derive(Clone)]
pub struct FiledMailbox {
    pub config: Arc<Mailbox>,
    pub rules: Arc<RuleSet>,
}

/// What filing needs of the configuration; replaced as a whole on reload.
#[derive(Clone)]
pub struct Settings {
    pub mailboxes: HashMap<MailboxId, FiledMailbox>,
    pub zone: TimeZone,
}

impl Settings {
    /// The mailbox whose mail an entry files. One that moved to another host or username is known
    /// by its name.
    fn of(&self, entry: &Entry) -> Option<&FiledMailbox> {
        self.mailboxes.get(&entry.mailbox).or_else(|| {
            self.mailboxes.values().find(|known| known.config.name == entry.mailbox_name)
        })
    }
}

/// What was asked of the CRM about itself.
#[derive(Clone, Debug)]
struct Directory {
    has_leads: bool,
    me: u64,
    active: HashSet<u64>,
    names: HashMap<u64, String>,
    asked: Instant,
}

/// Delivers entries until it is stopped.
pub struct Filing<C> {
    ledger: Ledger,
    crm: C,
    settings: watch::Receiver<Arc<Settings>>,
    suspects: Suspects,
    /// Unix seconds. What an earlier process sent last, it sent before.
    started: AtomicI64,
    busy: Busy,
    /// Lost answers since something was delivered.
    losses: AtomicU32,
    /// Since when answers wait for mails that were read after them, by entry.
    waiting: std::sync::Mutex<HashMap<i64, Instant>>,
    /// Held from reading a queue's turn until it is kept: lanes take turns one after another.
    turns: Mutex<()>,
}

/// What filing knows during one round, growing with what it makes.
#[derive(Default)]
struct Knowledge {
    known: HashMap<String, Known>,
    cards: HashMap<CardRef, CardNow>,
    found: HashMap<(Made, OriginId), Option<Found>>,
    /// When that was asked, Unix seconds.
    asked_at: i64,
}

/// How a round ended.
enum Round {
    /// Nothing is due.
    Idle,
    /// Something was done.
    Worked,
    /// All that was due waits for something else: nothing was asked.
    Waited,
    /// The CRM does not take anything now.
    Pause(Failure),
}

/// How one delivery ended, for the lane it stands in.
enum Step {
    Done,
    /// The lane waits: what stands behind must not overtake.
    Wait,
    /// Everything waits.
    Pause(Failure),
}

impl<C: Crm> Filing<C> {
    pub fn new(ledger: Ledger, crm: C, settings: watch::Receiver<Arc<Settings>>) -> Filing<C> {
        Filing {
            ledger,
            crm,
            settings,
            suspects: Suspects::default(),
            started: AtomicI64::new(unix_now()),
            busy: Busy::default(),
            losses: AtomicU32::new(0),
            waiting: std::sync::Mutex::default(),
            turns: Mutex::new(()),
        }
    }

    /// Files what is due until `stop` becomes true; the delivery in hand is finished first.
    /// `retry` counts the times somebody asked to try again at once.
    ///
    /// # Errors
    /// Only what stops the daemon: a ledger that is corrupt or cannot be written.
    pub async fn run(
        &self,
        mut stop: watch::Receiver<bool>,
        mut retry: watch::Receiver<u64>,
    ) -> Result<(), ledger::Error> {
        let mut pauses = Pauses::new(Duration::from_secs(1), Duration::from_secs(120));
        let mut slow = Pauses::new(Duration::from_secs(30), Duration::from_secs(900));
        let mut directory: Option<Directory> = None;
        let mut state = "";
        while !*stop.borrow() {
            let round = match self.look_and_round(&mut directory, &stop, state == "open").await {
                Err(error) if error.is_full() || error.is_busy() => {
                    if error.is_full() && self.ledger.is_full_now() {
                        events::ledger_full(&crate::causes(&error));
                    }
                    waiting(Duration::from_secs(10), &mut stop, &mut retry).await;
                    continue;
                }
                other => other?,
            };
            match round {
                Round::Pause(failure) => {
                    let text = failure.to_string();
                    let (now_state, wait) = match failure.fate {
                        Fate::Blocked { retry_after } => {
                            // Whatever is due next: first the CRM must answer who we are.
                            directory = None;
                            ("blocked", retry_after.unwrap_or_default().max(slow.pause()))
                        }
                        Fate::Deferred { retry_after, .. } => {
                            ("deferred", retry_after.unwrap_or_else(|| pauses.pause()))
                        }
                        Fate::Refused | Fate::CardGone => ("deferred", pauses.pause()),
                    };
                    if state != now_state {
                        if now_state == "blocked" {
                            events::crm_blocked(&text, wait);
                        } else {
                            events::crm_deferred(&text, wait);
                        }
                        self.note_state(&mut state, now_state).await?;
                    }
                    waiting(wait, &mut stop, &mut retry).await;
                }
                Round::Waited => {}
                Round::Worked | Round::Idle => {
                    // A round in which nothing was due proves nothing, unless nothing is owed.
                    let idle = matches!(round, Round::Idle);
                    let in_trouble = !state.is_empty() && state != "open";
                    let proves = if idle && in_trouble {
                        self.ledger.next_due().await?.is_none()
                    } else {
                        let lossy = self.losses.load(Ordering::Relaxed) >= IN_A_ROW;
                        !lossy && !self.suspects.are_all()
                    };
                    if proves {
                        pauses.reset();
                        slow.reset();
                    }
                    if state != "open" && proves {
                        if !state.is_empty() {
                            events::crm_open();
                        }
                        self.note_state(&mut state, "open").await?;
                    }
                    if idle {
                        self.idle(&mut stop, &mut retry).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn note_state(
        &self,
        state: &mut &'static str,
        now: &'static str,
    ) -> Result<(), ledger::Error> {
        *state = now;
        match self.ledger.set_meta("crm_state", now.to_owned()).await {
            // The note is for people; the disk has other worries.
            Err(error) if error.is_full() || error.is_busy() => Ok(()),
            other => other,
        }
    }

    /// Waits until something is due.
    async fn idle(
        &self,
        stop: &mut watch::Receiver<bool>,
        retry: &mut watch::Receiver<u64>,
    ) -> Result<(), ledger::Error> {
        let wait = match self.ledger.next_due().await? {
            Some(at) => u64::try_from(at - unix_now()).unwrap_or(0).max(1),
            None => DIRECTORY.as_secs(),
        };
        let wait = Duration::from_secs(wait).min(DIRECTORY);
        tokio::select! {
            () = self.ledger.something_owed() => {}
            () = waiting(wait, stop, retry) => {}
        }
        Ok(())
    }

    async fn look_and_round(
        &self,
        directory: &mut Option<Directory>,
        stop: &watch::Receiver<bool>,
        open: bool,
    ) -> Result<Round, ledger::Error> {
        let fresh = directory.as_ref().is_some_and(|known| known.asked.elapsed() < DIRECTORY);
        if !fresh {
            match (self.look().await?, directory.as_mut()) {
                (Ok(looked), _) => *directory = Some(looked),
                // Yesterday's employees will do for a minute.
                (Err(Failure { fate: Fate::Deferred { .. }, .. }), Some(known)) => {
                    let again = DIRECTORY.saturating_sub(DIRECTORY_AGAIN);
                    known.asked = Instant::now().checked_sub(again).unwrap_or(known.asked);
                }
                (Err(failure), _) => return Ok(Round::Pause(failure)),
            }
        }
        let Some(directory) = directory else { return Ok(Round::Idle) };
        let now = unix_now();
        // After trouble one mail tries whether it is over.
        let (due, depth) = if open {
            (self.ledger.due(now, ROUND, &HashSet::new()).await?, 0)
        } else {
            (self.ledger.probe(now).await?, ROUNDS)
        };
        self.round(directory, stop, due, depth).await
    }

    /// Asks who works there and how the CRM is set up.
    async fn look(&self) -> Result<Result<Directory, Failure>, ledger::Error> {
        let asked = async {
            let employees = self.crm.employees().await?;
            let has_leads = self.crm.has_leads().await?;
            Ok((employees, has_leads, self.crm.me().await?))
        };
        let (employees, has_leads, me) = match asked.await {
            Ok(answers) => answers,
            Err(failure) => return Ok(Err(failure)),
        };
        let directory = Directory {
            has_leads,
            me,
            active: employees.iter().filter(|one| one.active).map(|one| one.id).collect(),
            names: employees.iter().map(|one| (one.id, one.name.clone())).collect(),
            asked: Instant::now(),
        };
        if self.ledger.employees().await? != employees {
            self.ledger.set_employees(employees).await?;
        }
        Ok(Ok(directory))
    }

    /// One round: what is due, asked about together, delivered lane by lane. There are `depth`
    /// others, which deliver other lanes.
    async fn round(
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
    async fn let_wait(&self, case: &Case, next: i64) -> Result<bool, ledger::Error> {
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
        let mut cards: Vec<CardRef> = Vec::new();
        for case in cases.iter().filter(|case| case.entry.plan.is_none()) {
            addresses.extend(case.parties().iter().map(|party| party.email.clone()));
            if let Some(Parent { cards: parents, .. }) = &case.parent {
                cards.extend(parents);
            }
        }
        dedup(&mut addresses);
        dedup(&mut cards);
        let mut knowledge = Knowledge::default();
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

async fn waiting(
    wait: Duration,
    stop: &mut watch::Receiver<bool>,
    retry: &mut watch::Receiver<u64>,
) {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        _ = stop.wait_for(|stop| *stop) => {}
        Ok(()) = retry.changed() => {}
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

/// Whether an entry files a message.
fn files(entry: &Entry) -> bool {
    match entry.action {
        EntryAction::File => true,
        EntryAction::Complete | EntryAction::Link => false,
    }
}
