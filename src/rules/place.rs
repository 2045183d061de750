//! Rules 8 and 9: which card a message belongs on, or which is to be made. Pure.
//!
//! Asked when the entry is due, with what the CRM says then about the people in the mail.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::card::{CardNow, CardRef, Known};
use crate::message::{Address, Class};

pub use super::turn::{Turn, next_responsible};
use super::{Creation, Direction, Evidence, Pattern, Policy, Reason, RuleSet, class_reason};

mod client;
mod thread;

use client::Match;
use thread::Followed;

/// Losing candidates that are kept with a message; an address of a fair may stand on hundreds of
/// cards.
const MAX_CANDIDATES: usize = 100;

/// The earlier message that this one answers, or that a bounce is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// As `explain` names it, such as `message 42 <1@example.com>`.
    pub what: String,
    /// The cards of its activity as they are now, the activity's owner first.
    pub cards: Vec<CardNow>,
}

/// The activity that a reply code of the CRM names (rule 8b).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    pub activity: u64,
    /// Addresses of its communications, in normal form.
    pub parties: Vec<String>,
    /// Its cards as they are now, the owner first.
    pub cards: Vec<CardNow>,
}

/// One admitted message, and what ledger and CRM know about it.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    pub rules: &'a RuleSet,
    pub direction: Direction,
    /// Of the message's class.
    pub policy: Policy,
    pub class: Class,
    /// The first From address: whom `always_new_lead_for` is about. `None` if unreadable.
    pub sender: Option<&'a Address>,
    /// Has In-Reply-To or References.
    pub reply: bool,
    /// External addresses as `admit` put them in order.
    pub parties: &'a [Address],
    /// The parties are those whose mails a colleague forwards, each a client of their own.
    pub forwarded: bool,
    /// A person wants it in the CRM.
    pub by_hand: bool,
    /// What the message answers: none if that is not in the ledger, several where the earlier
    /// Message-ID was used again on other cards.
    pub threads: &'a [Thread],
    /// What reply codes of the CRM in the message name.
    pub codes: &'a [Coded],
    /// What the CRM knows, by address; an address that is not there is unknown.
    pub known: &'a HashMap<String, Known>,
    /// The CRM works with leads (classic mode).
    pub has_leads: bool,
}

/// A card that was considered and did not get the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    #[serde(flatten)]
    pub card: CardRef,
    /// Why it lost, or why a person must choose.
    pub why: String,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On a card that exists.
    File {
        /// Owns the activity.
        owner: CardRef,
        /// Employee responsible for the owner, active or not.
        responsible: u64,
        /// Further cards that the activity is bound to: with `deal_choice = "all"` the other
        /// open deals.
        bound: Vec<CardRef>,
        /// The matched client and the address that it bears; `None` if no address of the message
        /// is known to be theirs.
        client: Option<(String, CardRef)>,
    },
    /// On a card that is to be made for `party`.
    Create {
        /// Never [`Creation::None`].
        what: Creation,
        party: Address,
        /// A lead or deal for a client that the CRM has already.
        client: Option<CardRef>,
    },
    Park(Reason),
    Skip(Reason),
}

/// A placement with all that it was made by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub placement: Placement,
    pub candidates: Vec<Candidate>,
    pub evidence: Vec<Evidence>,
}

/// Decides which card a message belongs on.
pub fn place(situation: &Situation) -> Placed {
    let mut notes = Notes::default();
    let placement = decide(situation, &mut notes);
    notes.close(placement)
}

/// The rules in their order; the first hit wins.
fn decide(situation: &Situation, notes: &mut Notes) -> Placement {
    // `admit` skips these already, unless the configuration changed since.
    if let (Policy::Skip, Some(reason)) = (situation.policy, class_reason(situation.class)) {
        notes.say("class", "not filed here");
        return Placement::Skip(reason);
    }

    // Rule 8a.
    let survivor = match thread::chosen(situation, notes) {
        Ok(None) => None,
        Ok(Some(thread)) => match thread::follow(situation, &thread.what, &thread.cards, notes) {
            Followed::Placed(placement) => return placement,
            Followed::Lost { survivor } => survivor,
        },
        Err(reason) => return Placement::Park(reason),
    };

    // Rule 8b.
    if let Some(coded) = thread::named_by_code(situation, notes)
        && let Followed::Placed(placement) =
            thread::follow(situation, &format!("activity {}", coded.activity), &coded.cards, notes)
    {
        return placement;
    }

    // Rule 8c.
    if let Some(placement) = always_new_lead(situation, notes) {
        return placement;
    }

    // Rule 8d.
    if let Some(placement) = several_forwarded(situation, notes) {
        return placement;
    }
    match client::find(situation, notes) {
        Match::Client { party, client, open_deals } => {
            if !open_deals && let Some(what) = repeat_lead(situation, notes) {
                return Placement::Create { what, party: party.clone(), client: Some(client.card) };
            }
            let client_of = Some((party.email.clone(), client.card));
            file(client.card, client.responsible, Vec::new(), client_of)
        }
        Match::Deal { party, client, deal, bound } => {
            file(deal.card, deal.responsible, bound, Some((party.email.clone(), client)))
        }
        Match::Lead { party, lead } => {
            let client_of = Some((party.email.clone(), lead.card));
            file(lead.card, lead.responsible, Vec::new(), client_of)
        }
        Match::Several => Placement::Park(Reason::SeveralDeals),
        Match::Hidden => Placement::Park(Reason::HiddenCard),
        // Rule 9, unless a client is left of the thread: they are no stranger.
        Match::Nobody => match survivor {
            Some(CardNow::Here { card, responsible, .. }) => {
                notes.say("thread", format!("{card} is left of the thread"));
                file(*card, *responsible, Vec::new(), None)
            }
            Some(CardNow::Hidden { card }) => {
                notes.lost(*card, "is left of the thread but may not be read");
                Placement::Park(Reason::HiddenCard)
            }
            Some(CardNow::Gone { .. }) | None => create(situation, notes),
        },
    }
}

fn file(
    owner: CardRef,
    responsible: u64,
    bound: Vec<CardRef>,
    client: Option<(String, CardRef)>,
) -> Placement {
    Placement::File { owner, responsible, bound, client }
}

/// Rule 8c: mail of web forms and portals, each of which is a new request by another person.
fn always_new_lead(situation: &Situation, notes: &mut Notes) -> Option<Placement> {
    if situation.direction != Direction::Incoming || situation.reply {
        return None;
    }
    let sender = situation.sender?;
    let rules = situation.rules;
    let pattern = Pattern::first(&rules.always_new_lead_for, &sender.email)?;
    if situation.policy != Policy::Normal {
        let fact =
            format!("{pattern} names the sender, but nothing is made for this class of mail");
        notes.say("always-new-lead", fact);
        return None;
    }
    // For the first address like any other new card: of a form the Reply-To, who filled it in.
    let party = situation.parties.first()?;
    notes.say("always-new-lead", format!("{pattern} names the sender: no card is looked for"));
    let what = in_this_crm(Creation::Lead, situation, notes);
    Some(Placement::Create { what, party: party.clone(), client: None })
}

/// A forward of several people's mails that lead to different cards: a person is to choose.
fn several_forwarded(situation: &Situation, notes: &mut Notes) -> Option<Placement> {
    if !situation.forwarded {
        return None;
    }
    let known: Vec<(&str, HashSet<CardRef>)> = situation
        .parties
        .iter()
        .filter_map(|party| {
            let cards: HashSet<CardRef> =
                client::cards(situation.known.get(&party.email)?).collect();
            (!cards.is_empty()).then_some((party.email.as_str(), cards))
        })
        .collect();
    let (_, first) = known.first()?;
    if known.iter().all(|(_, cards)| !cards.is_disjoint(first)) {
        return None;
    }
    notes.say("forwards", "mails of several clients are forwarded: a person chooses");
    for (email, cards) in &known {
        let mut cards: Vec<CardRef> = cards.iter().copied().collect();
        cards.sort();
        for card in cards {
            notes.lost(card, format!("bears {email}, whose mail is forwarded"));
        }
    }
    Some(Placement::Park(Reason::Undecided))
}

/// Rule 9 for a known client without an open deal: what is to be made, if anything.
///
/// Only for what clients write, and only where this mailbox makes cards at all: natively repeat
/// leads came even with creation off, which people took for a fault.
fn repeat_lead(situation: &Situation, notes: &mut Notes) -> Option<Creation> {
    let rules = situation.rules;
    if !rules.repeat_lead || situation.direction != Direction::Incoming {
        return None;
    }
    if situation.policy != Policy::Normal || rules.on_incoming == Creation::None {
        notes.say("creation", "no repeat lead: nothing is made for such mail here");
        return None;
    }
    notes.say("creation", "a repeat lead: the client has no open deal");
    Some(in_this_crm(Creation::Lead, situation, notes))
}

/// What is made where nothing matches: what the mailbox says, and something at any rate of what a
/// person wants in the CRM.
pub fn creation(rules: &RuleSet, direction: Direction, by_hand: bool) -> Creation {
    match (direction, by_hand) {
        (Direction::Incoming, true) if rules.on_incoming == Creation::None => Creation::Lead,
        (Direction::Outgoing, true) if rules.on_outgoing == Creation::None => Creation::Contact,
        (Direction::Incoming, _) => rules.on_incoming,
        (Direction::Outgoing, _) => rules.on_outgoing,
    }
}

/// Rule 9: nothing matched.
fn create(situation: &Situation, notes: &mut Notes) -> Placement {
    let Some(party) = situation.parties.first() else {
        notes.say("match", "no external address to look for or to make a card for");
        return Placement::Skip(Reason::NoAddress);
    };
    notes.say("match", "no card bears an address of the message");
    if situation.policy != Policy::Normal {
        notes.say("creation", "nothing is made for this class of mail");
        return Placement::Skip(class_reason(situation.class).unwrap_or(Reason::CreationOff));
    }
    let key = match situation.direction {
        Direction::Incoming => "on_incoming",
        Direction::Outgoing => "on_outgoing",
    };
    let configured = creation(situation.rules, situation.direction, false);
    let wanted = creation(situation.rules, situation.direction, situation.by_hand);
    let named = match wanted {
        Creation::Lead => "lead",
        Creation::Contact => "contact",
        Creation::Deal => "deal",
        Creation::None => {
            notes.say("creation", format!("{key} is none"));
            return Placement::Skip(Reason::CreationOff);
        }
    };
    let why = if wanted != configured {
        format!("{key} is none, but it is saved by hand: a {named} for {}", party.email)
    } else {
        format!("{key} is {named}, for {}", party.email)
    };
    notes.say("creation", why);
    let what = in_this_crm(wanted, situation, notes);
    Placement::Create { what, party: party.clone(), client: None }
}

/// Where the CRM has no leads (simple mode), a lead means contact and deal.
fn in_this_crm(wanted: Creation, situation: &Situation, notes: &mut Notes) -> Creation {
    if wanted == Creation::Lead && !situation.has_leads {
        notes.say("creation", "this CRM has no leads: a deal with its contact instead");
        return Creation::Deal;
    }
    wanted
}

/// What is written down on the way.
#[derive(Default)]
struct Notes {
    /// Each card once; no more than could be shown, whatever the winner takes out of them.
    candidates: Vec<Candidate>,
    lost: HashSet<CardRef>,
    evidence: Vec<Evidence>,
}

impl Notes {
    fn say(&mut self, rule: &str, fact: impl Into<String>) {
        self.evidence.push(Evidence::new(rule, fact));
    }

    fn lost(&mut self, card: CardRef, why: impl Into<String>) {
        if self.lost.insert(card) && self.candidates.len() < 2 * MAX_CANDIDATES {
            self.candidates.push(Candidate { card, why: why.into() });
        }
    }

    /// Takes over what was written down while something was only tried.
    fn append(&mut self, tried: Notes) {
        for Candidate { card, why } in tried.candidates {
            self.lost(card, why);
        }
        self.lost.extend(tried.lost);
        self.evidence.extend(tried.evidence);
    }

    /// Each card that lost once, and none that got the message after all.
    fn close(mut self, placement: Placement) -> Placed {
        let settled: HashSet<CardRef> = match &placement {
            Placement::File { owner, bound, client, .. } => [*owner]
                .into_iter()
                .chain(bound.iter().copied())
                .chain(client.iter().map(|(_, card)| *card))
                .collect(),
            Placement::Create { client, .. } => client.iter().copied().collect(),
            Placement::Park(_) | Placement::Skip(_) => HashSet::new(),
        };
        self.candidates.retain(|candidate| !settled.contains(&candidate.card));
        self.candidates.truncate(MAX_CANDIDATES);
        let won = settled.iter().filter(|card| self.lost.contains(card)).count();
        let more = self.lost.len() - won - self.candidates.len();
        if more > 0 {
            self.say("match", format!("{more} further cards came into question"));
        }
        Placed { placement, candidates: self.candidates, evidence: self.evidence }
    }
}

#[cfg(test)]
mod tests;
