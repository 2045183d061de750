//! An entry that is due, with its mail read back and judged as it is to be placed.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::content::{kinds, origin};
use super::trouble::seconds;
use super::{Directory, FiledMailbox, Filing, Knowledge, Settings, files};
use crate::card::{CardKind, CardNow, CardRef, Client, OpenCard};
use crate::crm::{Crm, Made, OriginId};
use crate::folder::Role;
use crate::ledger::{self, Entry, MadeRow, Outcome, Parent};
use crate::message::{self, Address, Message};
use crate::rules::admit::{Admitted, Arrival, Decision, admit};
use crate::rules::place::{Placed, Placement, Situation, Thread, place};
use crate::rules::{Evidence, Reason};
use crate::{events, unix_now};

/// Before an entry of a mailbox that is not configured any more is looked at again.
const WITHOUT_MAILBOX: i64 = 3600;

/// How long an answer waits for a mail that was read after it.
const PARENT_PATIENCE: Duration = Duration::from_secs(120);
/// Answers whose waiting is remembered.
const MOST_WAITING: usize = 100_000;
/// Before a mail is tried again that lies in a part of the spool that cannot be read.
const UNREAD: Duration = Duration::from_secs(60);
/// Seconds between a mail's Date and its reading within which it is certain to be new.
const LIVE_WITHIN: i64 = 900;

/// What is needed to place and file one entry.
pub(super) struct Case {
    pub entry: Entry,
    /// `None` for a completion, which needs no mail.
    pub mail: Option<Mail>,
    pub parent: Option<Parent>,
    /// Whose turn in the queue was taken for it, before the CRM was ever asked to make anything.
    pub turn: Option<u64>,
}

pub(super) struct Mail {
    pub mailbox: FiledMailbox,
    pub message: Message,
    pub admitted: Admitted,
}

impl Case {
    pub(super) fn parties(&self) -> &[Address] {
        self.mail.as_ref().map(|mail| mail.admitted.parties.as_slice()).unwrap_or_default()
    }

    /// Its lane, and the external addresses if a card is to be made: two mails that share one must
    /// not make it twice.
    pub(super) fn names(&self, directory: &Directory, knowledge: &Knowledge) -> HashSet<String> {
        let creates = match &self.entry.plan {
            Some(plan) => !plan.create.is_empty(),
            None => self
                .place(directory, knowledge)
                .is_some_and(|placed| matches!(placed.placement, Placement::Create { .. })),
        };
        let parties = if creates { self.parties() } else { &[] };
        let parties = parties.iter().map(|party| party.email.clone());
        std::iter::once(self.entry.lane.clone()).chain(parties).collect()
    }

    pub(super) fn made(&self, kind: &str) -> Option<&MadeRow> {
        self.entry.made.iter().find(|made| made.kind == kind)
    }

    /// Whether this thing may be in the CRM already without the ledger knowing its number.
    pub(super) fn must_look(&self, kind: &str) -> bool {
        match self.made(kind) {
            Some(made) => made.look_up && made.crm_id.is_none(),
            // History may have been filed by a ledger that was lost; and what is older than its
            // reading, by one that was put back from a backup.
            None => !self.entry.live || self.entry.queued_at - self.entry.received_at > LIVE_WITHIN,
        }
    }

    /// What is to be looked up by origin id before anything is made.
    pub(super) fn look_ups(
        &self,
        directory: &Directory,
        knowledge: &Knowledge,
    ) -> Vec<(Made, OriginId)> {
        if !files(&self.entry) {
            return Vec::new();
        }
        let mut wanted: Vec<Made> = Vec::new();
        let content_lost =
            self.made("content").is_some_and(|made| made.look_up && made.crm_id.is_none());
        if self.must_look("activity") || content_lost {
            wanted.push(Made::Activity);
        }
        let create = match &self.entry.plan {
            Some(plan) => plan.create.clone(),
            None => match self.place(directory, knowledge).map(|placed| placed.placement) {
                Some(Placement::Create { what, client, .. }) => kinds(what, client.is_some()),
                Some(Placement::File { .. } | Placement::Park(_) | Placement::Skip(_)) | None => {
                    Vec::new()
                }
            },
        };
        for kind in create {
            if self.must_look(kind.as_str()) {
                wanted.push(Made::Card(kind));
            }
        }
        wanted.into_iter().map(|made| (made, origin(made, &self.entry.fingerprint))).collect()
    }

    /// Where the mail goes by what is known now; `None` without a mail.
    pub(super) fn place(&self, directory: &Directory, knowledge: &Knowledge) -> Option<Placed> {
        let mail = self.mail.as_ref()?;
        let thread = self.parent.as_ref().map(|parent| Thread {
            message: parent.message,
            message_id: parent.message_id.clone(),
            cards: parent
                .cards
                .iter()
                .map(|card| {
                    let now = knowledge.cards.get(card).cloned();
                    now.unwrap_or(CardNow::Gone { card: *card })
                })
                .collect(),
        });
        Some(place(&Situation {
            rules: &mail.mailbox.rules,
            direction: mail.admitted.direction,
            policy: mail.admitted.class_policy,
            class: mail.message.class.class,
            sender: mail.message.from.as_ref(),
            reply: !mail.message.in_reply_to.is_empty() || !mail.message.references.is_empty(),
            parties: &mail.admitted.parties,
            thread: thread.as_ref().filter(|thread| !thread.cards.is_empty()),
            known: &knowledge.known,
            has_leads: directory.has_leads,
        }))
    }
}

impl<C: Crm> Filing<C> {
    /// Reads an entry's mail back and judges it; `None` if the entry ended here, or waits: then its
    /// lane is among those of `waiting`.
    pub(super) async fn case(
        &self,
        settings: &Arc<Settings>,
        entry: Entry,
        waiting: &mut HashSet<String>,
    ) -> Result<Option<Case>, ledger::Error> {
        if !files(&entry) {
            return Ok(Some(Case { entry, mail: None, parent: None, turn: None }));
        }
        let Some(mailbox) = settings.of(&entry).cloned() else {
            events::mailbox_without_configuration(&entry.mailbox_name, entry.message);
            self.ledger.set_aside(entry.id, unix_now() + WITHOUT_MAILBOX).await?;
            return Ok(None);
        };
        let mut entry = entry;
        let begun = entry.made.iter().any(|made| made.look_up || made.crm_id.is_some());
        let mut turn = None;
        if !begun && let Some(plan) = entry.plan.take() {
            // After an outage of days another card may be the right one. A queue's turn that was
            // taken for a new card stays taken.
            turn = (!plan.create.is_empty()).then_some(plan.responsible);
        }
        let Some(message) = self.mail(&entry, waiting).await? else { return Ok(None) };
        let employees = self.ledger.employee_addresses();
        let admitted = admit(
            &mailbox.rules,
            &Arrival {
                message: &message,
                role: Role::parse(&entry.role).unwrap_or(Role::Other),
                // It was inside the window when it arrived.
                internal_date: i64::MAX,
                window_start: i64::MIN,
                employees: employees.as_deref(),
                first_reading: !entry.live,
            },
        );
        if let (false, Decision::Skip(reason)) = (entry.employees_known, &admitted.decision) {
            events::message_skipped(
                &entry.mailbox_name,
                &entry.folder,
                entry.message,
                entry.message_id.as_deref(),
                reason.code(),
            );
            let outcome = Outcome::Skipped(*reason);
            let evidence = admitted.evidence.clone();
            self.suspects.forget(entry.id);
            if self.ledger.settle(entry.id, outcome, Vec::new(), evidence, None).await? {
                waiting.insert(entry.lane);
            }
            return Ok(None);
        }
        let parent = self.parent_of(&entry).await?;
        let owed = parent.as_ref().is_some_and(|parent| parent.owed_entry.is_some());
        if entry.lane.starts_with("behind:") && !owed {
            // What stood behind it is filed: its own turn has come again.
            self.ledger.step_back(entry.id).await?;
            waiting.insert(entry.lane.split_off("behind:".len()));
            return Ok(None);
        }
        let mail = Mail { mailbox, message, admitted };
        Ok(Some(Case { entry, mail: Some(mail), parent, turn }))
    }

    /// The facts of an entry's mail, read from the spool.
    async fn mail(
        &self,
        entry: &Entry,
        waiting: &mut HashSet<String>,
    ) -> Result<Option<Message>, ledger::Error> {
        let parsed = match self.parsed(entry).await {
            Ok(parsed) => parsed,
            // The spool was removed by hand: nothing can be filed, and somebody must know. Any
            // other trouble with it passes, or concerns all mail.
            Err(ledger::Error::Spool { source, .. })
                if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) =>
            {
                Err(format!("the spool lost it: {source}"))
            }
            Err(error @ ledger::Error::Spool { .. }) => {
                self.set_aside_unread(entry, &error).await?;
                waiting.insert(entry.lane.clone());
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        match parsed {
            Ok(message) => Ok(Some(message)),
            Err(why) => {
                let evidence = vec![Evidence::new("unreadable", why.clone())];
                self.suspects.forget(entry.id);
                self.ledger.quarantine(entry.id, evidence).await?;
                events::message_quarantined(
                    &entry.mailbox_name,
                    &entry.folder,
                    0,
                    entry.message,
                    &why,
                );
                Ok(None)
            }
        }
    }

    /// An entry whose part of the spool cannot be read now waits, and the others go on.
    pub(super) async fn set_aside_unread(
        &self,
        entry: &Entry,
        error: &ledger::Error,
    ) -> Result<(), ledger::Error> {
        events::delivery_deferred(entry.id, UNREAD, &crate::causes(error));
        self.ledger.postpone(entry.id, unix_now() + seconds(UNREAD)).await
    }

    /// The message that an entry's mail answers. One that is owed itself is waited for, unless
    /// that could be for ever: then the next that is filed serves.
    pub(super) async fn parent_of(&self, entry: &Entry) -> Result<Option<Parent>, ledger::Error> {
        let parent = self.ledger.parent(entry.message, entry.refs.clone(), true).await?;
        let in_vain = parent.as_ref().is_some_and(|parent| {
            parent.owed_entry.is_some_and(|owed| !self.waits_for(entry, owed))
        });
        if in_vain {
            return self.ledger.parent(entry.message, entry.refs.clone(), false).await;
        }
        Ok(parent)
    }

    /// Whether an entry waits for another one. Always for one that was read before it; for one
    /// read later, such as our own mail in Sent, for a while: mails that name each other, or
    /// stand behind each other in their lanes, would wait for ever.
    fn waits_for(&self, entry: &Entry, owed: i64) -> bool {
        if owed < entry.id {
            return true;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() > MOST_WAITING {
            waiting.clear();
        }
        waiting.entry(entry.id).or_insert_with(Instant::now).elapsed() < PARENT_PATIENCE
    }

    /// Reads a mail back and parses it, away from the threads that serve connections: a large one
    /// takes its time.
    async fn parsed(&self, entry: &Entry) -> Result<Result<Message, String>, ledger::Error> {
        let raw = self.raw(entry).await?;
        tokio::task::spawn_blocking(move || message::parse(&raw).map_err(|error| error.to_string()))
            .await
            .map_err(|_| ledger::Error::Interrupted { doing: "read a message" })
    }

    /// The raw mail out of the spool.
    pub(super) async fn raw(&self, entry: &Entry) -> Result<Vec<u8>, ledger::Error> {
        let Some(location) = entry.raw else {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(ledger::Error::Spool { doing: "read a message", source });
        };
        let spool = Arc::clone(self.ledger.spool());
        tokio::task::spawn_blocking(move || spool.read(location))
            .await
            .map_err(|_| ledger::Error::Interrupted { doing: "read a message" })?
    }
}

/// Knowledge grows by what was just made or filed, so that the next mail of the round finds it.
impl Knowledge {
    pub(super) fn filed_on(&mut self, cards: &[CardRef], responsible: u64) {
        for (index, card) in cards.iter().enumerate() {
            self.cards.entry(*card).or_insert(CardNow::Here {
                card: *card,
                responsible,
                open: true,
                deal: None,
                client: cards.get(index + 1).copied().filter(|other| match other.kind {
                    CardKind::Contact | CardKind::Company => true,
                    CardKind::Lead | CardKind::Deal => false,
                }),
            });
        }
    }

    pub(super) fn made_for(
        &mut self,
        email: &str,
        card: CardRef,
        client: Option<CardRef>,
        responsible: u64,
        now: i64,
    ) {
        let known = self.known.entry(email.to_owned()).or_default();
        let open = OpenCard { card, responsible, updated_at: now };
        match card.kind {
            CardKind::Lead => known.leads.push(open),
            CardKind::Contact => {
                known.contacts.push(Client {
                    card,
                    responsible,
                    updated_at: now,
                    deals: Vec::new(),
                });
            }
            CardKind::Company => {}
            CardKind::Deal => {
                let clients = known.contacts.iter_mut().chain(known.companies.iter_mut());
                for owner in
                    clients.filter(|known| client.is_none_or(|client| known.card == client))
                {
                    owner.deals.insert(0, open.clone());
                }
            }
        }
    }
}

/// Reason and evidence of a mail that is not filed after all.
pub(super) fn not_filed(placement: &Placement) -> Option<(Outcome, Reason)> {
    match placement {
        Placement::Park(reason) => Some((Outcome::Parked(*reason), *reason)),
        Placement::Skip(reason) => Some((Outcome::Skipped(*reason), *reason)),
        Placement::File { .. } | Placement::Create { .. } => None,
    }
}
