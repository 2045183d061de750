//! An entry that is due, with its mail read back and judged as it is to be placed.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::content::{kinds, origin, origin_of_vcard};
use super::trouble::seconds;
use super::{Directory, FiledMailbox, Filing, Knowledge, Settings, files, todo, vcards};
use crate::card::{CardKind, CardNow, CardRef, Client, OpenCard};
use crate::crm::{Crm, Made, OriginId};
use crate::folder::Role;
use crate::ledger::{self, Entry, Filed, MadeRow, Outcome, Parent, Plan};
use crate::message::{self, Address, FromBody, Message};
use crate::rules::admit::{Admitted, Arrival, Decision, admit};
use crate::rules::place::{Coded, Placed, Placement, Situation, Thread, place};
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
    /// Activities that reply codes in it name.
    pub codes: Vec<u64>,
    /// It may bring vCards.
    pub has_vcards: bool,
}

/// A mail as it was read back.
struct Read {
    message: Message,
    from_body: FromBody,
    codes: Vec<u64>,
    has_vcards: bool,
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

    pub(super) fn codes(&self) -> &[u64] {
        self.mail.as_ref().map(|mail| mail.codes.as_slice()).unwrap_or_default()
    }

    /// Where the message that it answers was filed, and others under the same Message-ID.
    pub(super) fn filed(&self) -> impl Iterator<Item = &Filed> {
        self.parent.iter().flat_map(Parent::all_filed)
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

    /// The card that owns the activity, if that is known by now.
    pub(super) fn owner(&self, plan: &Plan) -> Option<CardRef> {
        plan.owner.or_else(|| {
            let kind = *plan.create.last()?;
            Some(CardRef { kind, id: self.made(kind.as_str())?.crm_id? })
        })
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
        let (create, owner) = match &self.entry.plan {
            Some(plan) => (plan.create.clone(), self.owner(plan)),
            None => match self.place(directory, knowledge).map(|placed| placed.placement) {
                Some(Placement::Create { what, client, .. }) => {
                    (kinds(what, client.is_some()), None)
                }
                Some(Placement::File { owner, .. }) => (Vec::new(), Some(owner)),
                Some(Placement::Park(_) | Placement::Skip(_)) | None => (Vec::new(), None),
            },
        };
        if let Some(owner) = owner
            && self.mail.as_ref().is_some_and(Mail::asks_for_todo)
            && self.must_look(todo::KIND)
        {
            wanted.push(Made::Todo(owner));
        }
        for kind in create {
            if self.must_look(kind.as_str()) {
                wanted.push(Made::Card(kind));
            }
        }
        let fingerprint = &self.entry.fingerprint;
        let of_vcards = self
            .entry
            .made
            .iter()
            .filter(|made| self.must_look(&made.kind))
            .filter_map(|made| vcards::number_of(&made.kind))
            .map(|card| (Made::Card(CardKind::Contact), origin_of_vcard(card, fingerprint)));
        wanted.into_iter().map(|made| (made, origin(made, fingerprint))).chain(of_vcards).collect()
    }

    /// Where the mail goes by what is known now; `None` without a mail.
    pub(super) fn place(&self, directory: &Directory, knowledge: &Knowledge) -> Option<Placed> {
        let mail = self.mail.as_ref()?;
        let answered =
            self.parent.as_ref().map(|parent| parent.message_id.as_str()).unwrap_or_default();
        Some(mail.place(answered, self.filed(), directory, knowledge))
    }
}

impl Mail {
    /// Where it goes by what is known now. `filed` is where the message `answered` is, and others
    /// under the same Message-ID.
    pub(super) fn place<'a>(
        &self,
        answered: &str,
        filed: impl Iterator<Item = &'a Filed>,
        directory: &Directory,
        knowledge: &Knowledge,
    ) -> Placed {
        let threads: Vec<Thread> = filed
            .map(|filed| (filed, knowledge.cards_of(filed)))
            .filter(|(_, cards)| !cards.is_empty())
            .map(|(filed, cards)| Thread {
                what: format!("message {} <{answered}>", filed.message),
                cards: knowledge.now(&cards),
            })
            .collect();
        let codes: Vec<Coded> = self
            .codes
            .iter()
            .filter_map(|activity| {
                let now = knowledge.activities.get(activity)?.as_ref()?;
                Some(Coded {
                    activity: *activity,
                    parties: now.parties.clone(),
                    cards: knowledge.now(&now.cards),
                })
            })
            .collect();
        let message = &self.message;
        place(&Situation {
            rules: &self.mailbox.rules,
            direction: self.admitted.direction,
            policy: self.admitted.class_policy,
            class: message.class.class,
            sender: message.from.as_ref(),
            reply: !message.in_reply_to.is_empty() || !message.references.is_empty(),
            parties: &self.admitted.parties,
            forwarded: self.admitted.forwarded,
            by_hand: self.admitted.by_hand,
            threads: &threads,
            codes: &codes,
            known: &knowledge.known,
            has_leads: directory.has_leads,
        })
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
        let Some(read) = self.mail(&entry, &mailbox, waiting).await? else { return Ok(None) };
        let Read { message, from_body, codes, has_vcards } = read;
        let employees = self.ledger.employee_addresses();
        let admitted = admit(
            &mailbox.rules,
            &Arrival {
                message: &message,
                body: Some(&from_body),
                role: Role::parse(&entry.role).unwrap_or(Role::Other),
                // It was inside the window when it arrived.
                internal_date: i64::MAX,
                window_start: i64::MIN,
                employees: employees.as_deref(),
                first_reading: !entry.live,
                by_hand: entry.by_hand.then_some("saved by hand"),
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
        let mail = Mail { mailbox, message, admitted, codes, has_vcards };
        Ok(Some(Case { entry, mail: Some(mail), parent, turn }))
    }

    /// The facts of an entry's mail, read from the spool.
    async fn mail(
        &self,
        entry: &Entry,
        mailbox: &FiledMailbox,
        waiting: &mut HashSet<String>,
    ) -> Result<Option<Read>, ledger::Error> {
        let parsed = match self.parsed(entry, mailbox).await {
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
            Ok(read) => Ok(Some(read)),
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
    async fn parsed(
        &self,
        entry: &Entry,
        mailbox: &FiledMailbox,
    ) -> Result<Result<Read, String>, ledger::Error> {
        let raw = self.raw(entry).await?;
        let (forwards, vcard) = (mailbox.rules.forwards, mailbox.config.crm.vcard);
        let read = move || {
            let message = message::parse(&raw).map_err(|error| error.to_string())?;
            let from_body = message::from_body(&message, &raw, forwards);
            let codes = message::reply_codes(&message, &raw);
            let has_vcards = vcard && message::may_have_vcards(&raw);
            Ok(Read { from_body, codes, has_vcards, message })
        };
        tokio::task::spawn_blocking(read)
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
    /// The cards of a message that was filed. One that was moved to another deal in the CRM itself
    /// is there, and so is its thread.
    pub(super) fn cards_of(&self, filed: &Filed) -> Vec<CardRef> {
        let moved = filed
            .activity
            .and_then(|activity| self.activities.get(&activity)?.as_ref())
            .and_then(|now| now.cards.first())
            .filter(|owner| !filed.cards.contains(owner));
        moved.into_iter().chain(&filed.cards).copied().collect()
    }

    /// The cards that a case's thread and reply codes lead to.
    pub(super) fn cards_to_ask_for(&self, case: &Case) -> Vec<CardRef> {
        let of_codes = case.codes().iter().filter_map(|code| self.activities.get(code)?.as_ref());
        case.filed()
            .flat_map(|filed| self.cards_of(filed))
            .chain(of_codes.flat_map(|now| now.cards.iter().copied()))
            .collect()
    }

    /// These cards as they are now.
    pub(super) fn now(&self, cards: &[CardRef]) -> Vec<CardNow> {
        let now = cards
            .iter()
            .map(|card| self.cards.get(card).cloned().unwrap_or(CardNow::Gone { card: *card }));
        now.collect()
    }

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
