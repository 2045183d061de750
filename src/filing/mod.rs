//! Takes what is due, asks the CRM about the people in it, places it, delivers it, and writes
//! down what became of it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tokio::sync::{Mutex, watch};

use crate::card::{CardNow, CardRef, Employee, Known};
use crate::config::Mailbox;
use crate::crm::{ActivityNow, Crm, Failure, Fate, Found, Made, OriginId};
use crate::ledger::{self, Entry, EntryAction, Ledger, MailboxId};
use crate::retry::Pauses;
use crate::rules::RuleSet;
use crate::{events, unix_now};

mod busy;
mod case;
pub mod content;
mod deliver;
mod lost;
mod rounds;
pub mod simulate;
mod suspects;
mod todo;
mod trouble;
pub mod vcards;
mod write;

use busy::Busy;
use suspects::Suspects;

/// Mails asked about together: enough to share the look-ups, few enough that live mail does not
/// wait long for them.
const ROUND: usize = 50;
/// Rounds beside a first one whose call hangs.
const ROUNDS: usize = 4;
/// Lost answers without a delivery between them after which everything waits.
const IN_A_ROW: u32 = 3;
/// Between two looks at the list of employees and the CRM's mode.
const DIRECTORY: Duration = Duration::from_secs(900);
/// After a directory that could not be asked for, while an older one serves.
const DIRECTORY_AGAIN: Duration = Duration::from_secs(60);
/// Before a mail looks again whether the one it answers is filed.
const PARENT_WAIT: i64 = 2;
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
    /// Mailboxes of which it was said that nobody of their queue is active.
    queues_told: std::sync::Mutex<HashSet<String>>,
    /// Held from asking who bears a vCard's addresses until its contact is made.
    vcards: Mutex<()>,
    /// Held from reading a queue's turn until it is kept: lanes take turns one after another.
    turns: Mutex<()>,
}

/// What filing knows during one round, growing with what it makes.
#[derive(Default)]
struct Knowledge {
    known: HashMap<String, Known>,
    cards: HashMap<CardRef, CardNow>,
    /// Activities of earlier messages and those that reply codes name; `None`: gone, or not to be
    /// read.
    activities: HashMap<u64, Option<ActivityNow>>,
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
            queues_told: std::sync::Mutex::default(),
            vcards: Mutex::new(()),
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
        let (directory, employees) = match Directory::ask(&self.crm).await {
            Ok(answers) => answers,
            Err(failure) => return Ok(Err(failure)),
        };
        self.warn_of_queues(&directory);
        if self.ledger.employees().await? != employees {
            self.ledger.set_employees(employees).await?;
        }
        Ok(Ok(directory))
    }
}

impl<C: Crm> Filing<C> {
    /// Names queues of which nobody is active, each once.
    fn warn_of_queues(&self, directory: &Directory) {
        let mut told = self.queues_told.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = self.settings.borrow();
        for mailbox in settings.mailboxes.values() {
            let queue = &mailbox.config.crm.queue;
            let name = &mailbox.config.name;
            let idle = !queue.is_empty() && !queue.iter().any(|one| directory.active.contains(one));
            if !idle {
                told.remove(name);
            } else if told.insert(name.clone()) {
                events::queue_without_active(
                    name,
                    "put active employees' numbers into crm.queue, or leave it out",
                );
            }
        }
    }
}

impl Directory {
    /// Asks who works there and how the CRM is set up.
    async fn ask<C: Crm>(crm: &C) -> Result<(Directory, Vec<Employee>), Failure> {
        let employees = crm.employees().await?;
        let has_leads = crm.has_leads().await?;
        let directory = Directory {
            has_leads,
            me: crm.me().await?,
            active: employees.iter().filter(|one| one.active).map(|one| one.id).collect(),
            names: employees.iter().map(|one| (one.id, one.name.clone())).collect(),
            asked: Instant::now(),
        };
        Ok((directory, employees))
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

/// Whether an entry files a message.
fn files(entry: &Entry) -> bool {
    match entry.action {
        EntryAction::File => true,
        EntryAction::Complete | EntryAction::Link => false,
    }
}
