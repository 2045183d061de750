//! What filing would do, without doing it: the CRM is asked, and what would be made is remembered,
//! so that the next mail finds it.

use std::collections::{HashMap, HashSet};

use super::case::{Mail, not_filed};
use super::content::{kinds, origin};
use super::vcards::{self, Bearer};
use super::{Directory, FiledMailbox, Knowledge, ROUND};
use crate::card::{CardKind, CardRef};
use crate::crm::{Crm, Failure, Made};
use crate::ledger::{self, Filed, Ledger, MailboxId};
use crate::message::{Message, VCard};
use crate::rules::admit::Admitted;
use crate::rules::place::{Candidate, Placement, next_responsible};
use crate::rules::{Evidence, Reason, State};
use crate::unix_now;

/// Numbers from here on are those of cards that would be made: no CRM counts that far.
const WOULD_BE: u64 = 1 << 62;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the CRM cannot be asked")]
    Crm(#[from] Failure),
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
}

/// A message that was admitted.
pub struct Letter {
    pub mailbox: FiledMailbox,
    /// Of the mailbox in the ledger, if it is known there: whose turn it is.
    pub id: Option<MailboxId>,
    pub message: Message,
    pub admitted: Admitted,
    /// Activities that reply codes in it name.
    pub codes: Vec<u64>,
    /// In-Reply-To, then References from the right; of a bounce also what came back.
    pub refs: Vec<String>,
    /// Visiting cards that it brings.
    pub vcards: Vec<VCard>,
}

/// Where a message would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `queued` for what is to be filed, `saved` for what the CRM has already.
    pub state: State,
    pub reason: Option<Reason>,
    /// Cards that are there, the activity's owner first; a number of `None`: made by an earlier
    /// message.
    pub cards: Vec<(CardKind, Option<u64>)>,
    /// Kinds of cards that would be made, in order; contacts of vCards come last.
    pub creates: Vec<CardKind>,
    /// How many of these are made of vCards.
    pub of_vcards: usize,
    pub responsible: Option<u64>,
    pub candidates: Vec<Candidate>,
    pub evidence: Vec<Evidence>,
}

/// A CRM and a ledger, asked and never changed.
pub struct Simulation<'a, C> {
    crm: &'a C,
    ledger: Option<&'a Ledger>,
    directory: Directory,
    addresses: HashSet<String>,
    knowledge: Knowledge,
    /// How far each mailbox's queue is, by name.
    turns: HashMap<String, u64>,
    made: u64,
    /// Where earlier messages of this simulation are, by Message-ID.
    placed: HashMap<String, Filed>,
    /// What the CRM has of these messages is what becomes of them.
    finds_filed: bool,
}

impl<'a, C: Crm> Simulation<'a, C> {
    /// Asks the CRM about itself. `finds_filed`: what was filed already is looked up, and is not
    /// filed again.
    ///
    /// # Errors
    /// If the CRM does not answer.
    pub async fn new(
        crm: &'a C,
        ledger: Option<&'a Ledger>,
        finds_filed: bool,
    ) -> Result<Simulation<'a, C>, Failure> {
        let (directory, employees) = Directory::ask(crm).await?;
        let active = employees.into_iter().filter(|employee| employee.active);
        Ok(Simulation {
            crm,
            ledger,
            directory,
            addresses: active.filter_map(|employee| employee.email).collect(),
            knowledge: Knowledge::default(),
            turns: HashMap::new(),
            made: 0,
            placed: HashMap::new(),
            finds_filed,
        })
    }

    /// Addresses of the CRM's active employees.
    pub fn addresses(&self) -> &HashSet<String> {
        &self.addresses
    }

    /// Names of the CRM's employees, by number.
    pub fn employees(&self) -> &HashMap<u64, String> {
        &self.directory.names
    }

    /// Files the letters, each behind the one that it answers, as if they were due together.
    /// Outcomes stand in the order of the letters; `told` hears how many are done.
    ///
    /// # Errors
    /// If CRM or ledger cannot be asked.
    pub async fn file(
        &mut self,
        letters: Vec<Letter>,
        mut told: impl FnMut(usize),
    ) -> Result<Vec<Outcome>, Error> {
        let order = in_order(&letters);
        let mut letters: Vec<Option<Letter>> = letters.into_iter().map(Some).collect();
        let mut outcomes: Vec<Option<Outcome>> = letters.iter().map(|_| None).collect();
        for (round, some) in order.chunks(ROUND).enumerate() {
            let round_letters: Vec<Letter> =
                some.iter().filter_map(|at| letters.get_mut(*at).and_then(Option::take)).collect();
            let parents = self.parents(&round_letters).await?;
            self.ask(&round_letters, &parents).await?;
            for ((at, letter), parent) in some.iter().zip(round_letters).zip(&parents) {
                let outcome = self.one(letter, parent.as_ref()).await?;
                if let Some(place) = outcomes.get_mut(*at) {
                    *place = Some(outcome);
                }
            }
            told(round * ROUND + some.len());
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Where the messages that they answer are by the ledger.
    async fn parents(
        &self,
        letters: &[Letter],
    ) -> Result<Vec<Option<ledger::Parent>>, ledger::Error> {
        let mut parents = Vec::with_capacity(letters.len());
        for letter in letters {
            let parent = match self.ledger {
                Some(ledger) => ledger.parent(0, letter.refs.clone(), false).await?,
                None => None,
            };
            parents.push(parent);
        }
        Ok(parents)
    }

    /// Asks the CRM what is not known yet.
    async fn ask(
        &mut self,
        letters: &[Letter],
        parents: &[Option<ledger::Parent>],
    ) -> Result<(), Failure> {
        let filed = || parents.iter().flatten().flat_map(ledger::Parent::all_filed);
        let addresses = letters
            .iter()
            .flat_map(|letter| letter.admitted.parties.iter().map(|party| party.email.clone()));
        let of_vcards = letters
            .iter()
            .filter(|letter| vcards::are_taken(&letter.mailbox, &letter.admitted))
            .flat_map(|letter| {
                vcards::of_strangers(&letter.mailbox, Some(&self.addresses), &letter.vcards)
            })
            .map(|(_, card)| card)
            .flat_map(|card| card.emails.iter().cloned());
        let addresses = addresses.chain(of_vcards);
        let addresses = unknown(addresses, |email| self.knowledge.known.contains_key(email));
        if !addresses.is_empty() {
            self.knowledge.known.extend(self.crm.know(&addresses).await?);
        }
        let activities = filed()
            .filter_map(|filed| filed.activity)
            .chain(letters.iter().flat_map(|letter| letter.codes.iter().copied()));
        let activities = unknown(activities, |id| self.knowledge.activities.contains_key(id));
        if !activities.is_empty() {
            let now = self.crm.activities(&activities).await?;
            self.knowledge.activities.extend(activities.into_iter().zip(now));
        }
        let of_codes = letters
            .iter()
            .flat_map(|letter| &letter.codes)
            .filter_map(|code| self.knowledge.activities.get(code)?.as_ref())
            .flat_map(|now| now.cards.iter().copied());
        let cards = filed().flat_map(|filed| self.knowledge.cards_of(filed)).chain(of_codes);
        let cards = unknown(cards, |card| self.knowledge.cards.contains_key(card));
        if !cards.is_empty() {
            let now = self.crm.cards(&cards).await?;
            self.knowledge.cards.extend(cards.into_iter().zip(now));
        }
        if self.finds_filed {
            let wanted: Vec<_> = letters
                .iter()
                .map(|letter| (Made::Activity, origin(Made::Activity, &letter.message.fingerprint)))
                .collect();
            let found = self.crm.find_made(&wanted).await?;
            self.knowledge.found.extend(wanted.into_iter().zip(found));
        }
        Ok(())
    }

    async fn one(
        &mut self,
        letter: Letter,
        parent: Option<&ledger::Parent>,
    ) -> Result<Outcome, ledger::Error> {
        let Letter { mailbox, id, message, admitted, codes, refs, vcards } = letter;
        let message_id = message.message_id.clone();
        let wanted = (Made::Activity, origin(Made::Activity, &message.fingerprint));
        let found = self.knowledge.found.get(&wanted).cloned().flatten();
        if let Some(owner) = found.as_ref().and_then(|found| found.owner) {
            let fact = format!("the CRM has it already, as activity on {owner}");
            let cards = self.filed_on(owner, &message.fingerprint).await?;
            self.note(message_id, cards.clone());
            return Ok(Outcome {
                state: State::Saved,
                reason: None,
                cards: cards.into_iter().map(|card| (card.kind, Some(card.id))).collect(),
                creates: Vec::new(),
                of_vcards: 0,
                responsible: found.and_then(|found| found.responsible),
                candidates: Vec::new(),
                evidence: vec![Evidence::new("origin", fact)],
            });
        }
        let mail = Mail { mailbox, message, admitted, codes, has_vcards: false };
        // What an earlier message of this simulation came to goes before what the ledger knows.
        let here = refs.iter().find_map(|id| Some((id.clone(), self.placed.get(id)?.clone())));
        let (answered, filed) = match (here, parent) {
            (Some((id, filed)), _) => (id, vec![filed]),
            (None, Some(parent)) => {
                (parent.message_id.clone(), parent.all_filed().cloned().collect())
            }
            (None, None) => (String::new(), Vec::new()),
        };
        let placed = mail.place(&answered, filed.iter(), &self.directory, &self.knowledge);
        let mut evidence = placed.evidence;
        let nothing = |state, reason, evidence| Outcome {
            state,
            reason,
            cards: Vec::new(),
            creates: Vec::new(),
            of_vcards: 0,
            responsible: None,
            candidates: placed.candidates.clone(),
            evidence,
        };
        if let Some((_, reason)) = not_filed(&placed.placement) {
            return Ok(nothing(reason.state(), Some(reason), evidence));
        }
        match placed.placement {
            Placement::File { owner, responsible, bound, client } => {
                // Only who is bound to the activity stands on it.
                let binds = mail.mailbox.config.crm.bind_contact;
                let client = client.map(|(_, card)| card);
                let client = client.filter(|card| binds && *card != owner);
                let bound = bound.into_iter().filter(|card| *card != owner);
                let cards: Vec<CardRef> =
                    std::iter::once(owner).chain(client).chain(bound).collect();
                self.knowledge.filed_on(&cards, responsible);
                self.note(message_id, cards.clone());
                let shown = |card: CardRef| (card.kind, (card.id < WOULD_BE).then_some(card.id));
                let creates = self.contacts(&mail, &vcards, responsible, &mut evidence);
                Ok(Outcome {
                    of_vcards: creates.len(),
                    creates,
                    cards: cards.into_iter().map(shown).collect(),
                    responsible: Some(responsible),
                    ..nothing(State::Queued, None, evidence)
                })
            }
            Placement::Create { what, party, client } => {
                let config = &mail.mailbox.config;
                let turn = match (self.turns.get(&config.name), self.ledger, id) {
                    (Some(turn), ..) => *turn,
                    (None, Some(ledger), Some(id)) => ledger.queue_turn(id).await?,
                    (None, _, None) | (None, None, _) => 0,
                };
                let turn = next_responsible(
                    &config.crm.queue,
                    turn,
                    config.owner,
                    self.directory.me,
                    &self.directory.active,
                );
                self.turns.insert(config.name.clone(), turn.next_turn);
                evidence.push(Evidence::new("responsible", turn.why));
                let binds = config.crm.bind_contact;
                let mut creates = kinds(what, client.is_some());
                let mut cards: Vec<CardRef> = Vec::new();
                for &kind in &creates {
                    let card = CardRef { kind, id: WOULD_BE + self.made };
                    self.made += 1;
                    self.knowledge.made_for(
                        &party.email,
                        card,
                        client,
                        turn.responsible,
                        unix_now(),
                    );
                    cards.insert(0, card);
                }
                if !binds {
                    cards.truncate(1);
                }
                let client = client.filter(|_| binds);
                cards.extend(client);
                self.knowledge.filed_on(&cards, turn.responsible);
                self.note(message_id, cards);
                let of_vcards = self.contacts(&mail, &vcards, turn.responsible, &mut evidence);
                let count = of_vcards.len();
                creates.extend(of_vcards);
                Ok(Outcome {
                    of_vcards: count,
                    cards: client.map(|card| (card.kind, Some(card.id))).into_iter().collect(),
                    creates,
                    responsible: Some(turn.responsible),
                    ..nothing(State::Queued, None, evidence)
                })
            }
            Placement::Park(reason) | Placement::Skip(reason) => {
                Ok(nothing(reason.state(), Some(reason), evidence))
            }
        }
    }

    /// Contacts that would be made of a mail's vCards; what would become of each is evidence.
    fn contacts(
        &mut self,
        mail: &Mail,
        cards: &[VCard],
        responsible: u64,
        evidence: &mut Vec<Evidence>,
    ) -> Vec<CardKind> {
        let mut made = Vec::new();
        if !vcards::are_taken(&mail.mailbox, &mail.admitted) {
            return made;
        }
        for (_, card) in vcards::of_strangers(&mail.mailbox, Some(&self.addresses), cards) {
            if let Some(evidenced) = vcards::left_alone(card) {
                evidence.push(evidenced);
                continue;
            }
            let of = vcards::shown(card);
            let fact = match vcards::bearer(card, &mail.admitted, &self.knowledge) {
                Bearer::Contact { contact, .. } if contact.id >= WOULD_BE => {
                    format!("a contact that an earlier mail makes is completed from {of}")
                }
                Bearer::Contact { contact, .. } => format!("{contact} is completed from {of}"),
                Bearer::Hidden(hidden) => {
                    format!("{hidden} bears an address of {of} but may not be read")
                }
                Bearer::Nobody => {
                    let contact = CardRef { kind: CardKind::Contact, id: WOULD_BE + self.made };
                    self.made += 1;
                    for email in &card.emails {
                        self.knowledge.made_for(email, contact, None, responsible, unix_now());
                    }
                    self.knowledge.filed_on(&[contact], responsible);
                    made.push(CardKind::Contact);
                    format!("a contact is made of {of}")
                }
            };
            evidence.push(Evidence::new("vcard", fact));
        }
        made
    }

    /// The cards of a message that was filed on `owner`: the CRM was asked for that one only, the
    /// ledger knows the others too, unless the activity was moved since.
    async fn filed_on(
        &self,
        owner: CardRef,
        fingerprint: &[u8; 32],
    ) -> Result<Vec<CardRef>, ledger::Error> {
        let known = match self.ledger {
            Some(ledger) => ledger.same(*fingerprint).await?,
            None => None,
        };
        let cards = known.map(|known| known.cards).filter(|cards| cards.first() == Some(&owner));
        Ok(cards.unwrap_or_else(|| vec![owner]))
    }

    fn note(&mut self, message_id: Option<String>, cards: Vec<CardRef>) {
        if let Some(id) = message_id {
            self.placed.insert(id, Filed { message: 0, activity: None, cards });
        }
    }
}

fn unknown<T: Ord>(wanted: impl Iterator<Item = T>, known: impl Fn(&T) -> bool) -> Vec<T> {
    let mut unknown: Vec<T> = wanted.filter(|one| !known(one)).collect();
    unknown.sort();
    unknown.dedup();
    unknown
}

/// The letters' order: each behind the one that it answers.
fn in_order(letters: &[Letter]) -> Vec<usize> {
    let ids: HashMap<&str, usize> = letters
        .iter()
        .enumerate()
        .rev()
        .filter_map(|(at, letter)| Some((letter.message.message_id.as_deref()?, at)))
        .collect();
    let mut order = Vec::with_capacity(letters.len());
    let mut done: HashSet<usize> = HashSet::new();
    for at in 0..letters.len() {
        // The chain of what is answered; mails that name each other end it.
        let mut chain = Vec::new();
        let mut next = Some(at);
        while let Some(here) = next.filter(|here| done.insert(*here)) {
            chain.push(here);
            next = letters
                .get(here)
                .and_then(|letter| letter.refs.iter().find_map(|id| ids.get(id.as_str()).copied()));
        }
        order.extend(chain.into_iter().rev());
    }
    order
}
