//! Rules 8a and 8b: what answers an earlier message goes where that one is. Pure.

use crate::card::{CardKind, CardNow, CardRef, OpenCard};
use crate::rules::{Direction, Reason};

use super::client::{self, Match};
use super::{Coded, Notes, Placement, Situation, Thread, file};

/// What following a thread led to.
pub(super) enum Followed<'a> {
    Placed(Placement),
    /// The card that owned the activity is gone; `survivor` is the client that is left, if any.
    Lost {
        survivor: Option<&'a CardNow>,
    },
}

/// The thread that a message belongs to.
///
/// Senders do use a Message-ID again. Of several threads under one id it is the one whose cards
/// bear an address of the message; whoever cannot tell them apart asks a person.
///
/// # Errors
/// `undecided`, with the cards of all of them as candidates.
pub(super) fn chosen<'a>(
    situation: &Situation<'a>,
    notes: &mut Notes,
) -> Result<Option<&'a Thread>, Reason> {
    // A thread whose cards were all deleted is no choice.
    let left: Vec<&Thread> =
        situation.threads.iter().filter(|thread| stands_for(&thread.cards).is_some()).collect();
    let [first, rivals @ ..] = left.as_slice() else { return Ok(situation.threads.first()) };
    if rivals.iter().all(|rival| stands_for(&rival.cards) == stands_for(&first.cards)) {
        return Ok(Some(first));
    }
    let theirs: Vec<&Thread> = left
        .iter()
        .copied()
        .filter(|thread| thread.cards.iter().any(|now| bears_a_party(situation, now)))
        .collect();
    if let [winner, others @ ..] = theirs.as_slice()
        && others.iter().all(|other| stands_for(&other.cards) == stands_for(&winner.cards))
    {
        let fact = format!("its Message-ID was used again; {} is of the same client", winner.what);
        notes.say("thread", fact);
        return Ok(Some(winner));
    }
    let fact = "the Message-ID that it answers was used again on several cards: a person chooses";
    notes.say("thread", fact);
    for thread in left {
        if let Some(card) = stands_for(&thread.cards) {
            notes.lost(card, format!("has {}, which bears that id", thread.what));
        }
    }
    Err(Reason::Undecided)
}

fn card_of(now: &CardNow) -> CardRef {
    match now {
        CardNow::Here { card, .. } | CardNow::Gone { card } | CardNow::Hidden { card } => *card,
    }
}

/// The first card that is still there; a lead that was converted stands for its deal.
fn stands_for(cards: &[CardNow]) -> Option<CardRef> {
    cards.iter().find_map(|now| match now {
        CardNow::Here { deal: Some(deal), .. } => Some(deal.card),
        CardNow::Here { card, .. } | CardNow::Hidden { card } => Some(*card),
        CardNow::Gone { .. } => None,
    })
}

/// Whether a card, or the client that it belongs to, bears an address of the message.
fn bears_a_party(situation: &Situation, now: &CardNow) -> bool {
    let of_card = match now {
        CardNow::Here { client, .. } => *client,
        CardNow::Gone { .. } | CardNow::Hidden { .. } => None,
    };
    let card = card_of(now);
    situation.parties.iter().any(|party| {
        situation.known.get(&party.email).is_some_and(|known| {
            client::cards(known).any(|known| known == card || Some(known) == of_card)
        })
    })
}

/// Rule 8b: the activity that a reply code names. A code can be guessed: it is believed of a
/// party to that activity only (R4).
pub(super) fn named_by_code<'a>(situation: &Situation<'a>, notes: &mut Notes) -> Option<&'a Coded> {
    for coded in situation.codes {
        let activity = coded.activity;
        let sender = situation.sender.filter(|sender| coded.parties.contains(&sender.email));
        // What a colleague answers is addressed to the party.
        let to = situation.parties.iter().find(|party| coded.parties.contains(&party.email));
        let party = match situation.direction {
            Direction::Incoming => sender,
            Direction::Outgoing => to,
        };
        match party {
            Some(party) => {
                let fact =
                    format!("names activity {activity}, to which {} is a party", party.email);
                notes.say("reply-code", fact);
                return Some(coded);
            }
            None => notes.say(
                "reply-code",
                format!("activity {activity} is named, but the sender is no party to it"),
            ),
        }
    }
    None
}

/// Follows a thread to its card of today.
///
/// An open card keeps the thread. A closed deal or lead gives way to an open one of the same
/// client. A converted lead stands for its deal. What may not be read parks the message.
pub(super) fn follow<'a>(
    situation: &Situation<'a>,
    what: &str,
    cards: &'a [CardNow],
    notes: &mut Notes,
) -> Followed<'a> {
    notes.say("thread", format!("belongs to {what}"));
    let mut survivor = None;
    for (position, now) in cards.iter().enumerate() {
        match now {
            CardNow::Gone { card } => {
                notes.say("thread", format!("{card} was deleted"));
                notes.lost(*card, "has the thread, but was deleted");
            }
            // Below an owner that is gone a client is no more than a hint: one of their open
            // deals may be the better place.
            CardNow::Hidden { card } | CardNow::Here { card, .. }
                if position > 0 && !is_process(*card) =>
            {
                survivor = survivor.or(Some(now));
            }
            CardNow::Hidden { card } => return Followed::Placed(hidden(*card, notes)),
            CardNow::Here { card, responsible, open, deal, client } => {
                let here = Here { card: *card, responsible: *responsible, client: *client };
                let placement = match deal {
                    Some(deal) => converted(situation, cards, here, deal, notes),
                    None if *open => keep(situation, here, notes),
                    None => closed(situation, cards, here, notes),
                };
                return Followed::Placed(placement);
            }
        }
    }
    if cards.is_empty() {
        notes.say("thread", "it is on no card");
    }
    Followed::Lost { survivor }
}

/// A card that can be read.
#[derive(Clone, Copy)]
struct Here {
    card: CardRef,
    responsible: u64,
    client: Option<CardRef>,
}

/// Deals and leads come to an end; contacts and companies do not.
fn is_process(card: CardRef) -> bool {
    match card.kind {
        CardKind::Lead | CardKind::Deal => true,
        CardKind::Contact | CardKind::Company => false,
    }
}

fn hidden(card: CardRef, notes: &mut Notes) -> Placement {
    notes.say("thread", format!("{card} may not be read"));
    notes.lost(card, "has the thread but may not be read");
    Placement::Park(Reason::HiddenCard)
}

fn keep(situation: &Situation, here: Here, notes: &mut Notes) -> Placement {
    notes.say("thread", format!("{} keeps it", here.card));
    file(here.card, here.responsible, Vec::new(), client_of(situation, here))
}

/// Later mail goes on the deal alone: bound to the lead as well it could not be moved to another
/// deal (FAQ, "Change deal").
fn converted(
    situation: &Situation,
    cards: &[CardNow],
    lead: Here,
    deal: &OpenCard,
    notes: &mut Notes,
) -> Placement {
    notes.say("thread", format!("{} was converted into {}", lead.card, deal.card));
    let of_deal = Here { card: deal.card, responsible: deal.responsible, client: lead.client };
    // The CRM binds the mails of a lead to its deal too, and then says what became of that.
    for now in cards {
        match now {
            CardNow::Here { card, responsible, open, client, .. } if *card == deal.card => {
                let client = client.or(lead.client);
                let of_deal = Here { card: *card, responsible: *responsible, client };
                notes.lost(lead.card, format!("was converted into {card}"));
                if *open {
                    return keep(situation, of_deal, notes);
                }
                return closed(situation, cards, of_deal, notes);
            }
            CardNow::Hidden { card } if *card == deal.card => return hidden(*card, notes),
            CardNow::Gone { card } if *card == deal.card => {
                notes.say("thread", format!("{card} was deleted"));
                notes.lost(*card, "has the thread, but was deleted");
                return closed(situation, cards, lead, notes);
            }
            CardNow::Here { .. } | CardNow::Hidden { .. } | CardNow::Gone { .. } => {}
        }
    }
    notes.lost(lead.card, format!("was converted into {}", deal.card));
    keep(situation, of_deal, notes)
}

/// A closed card gives way to an open one of the same client; without one it keeps the thread.
fn closed(situation: &Situation, cards: &[CardNow], here: Here, notes: &mut Notes) -> Placement {
    notes.say("thread", format!("{} is closed", here.card));
    let mut tried = Notes::default();
    if let Some(placement) = open_of_same_client(situation, here, &mut tried) {
        notes.append(tried);
        notes.lost(here.card, "has the thread, but is closed");
        return placement;
    }
    // Mail on several deals: one of them may still be open though no address leads to it.
    for now in cards {
        if let CardNow::Here { card, responsible, open: true, client, .. } = now
            && is_process(*card)
        {
            notes.lost(here.card, "has the thread, but is closed");
            let open = Here { card: *card, responsible: *responsible, client: *client };
            return keep(situation, open, notes);
        }
    }
    keep(situation, here, notes)
}

/// What rule 8d finds for the client of a closed card, if that is an open deal or lead, or
/// several among which a person is to choose.
fn open_of_same_client(situation: &Situation, here: Here, notes: &mut Notes) -> Option<Placement> {
    let found = match here.client {
        Some(of_card) => situation.parties.iter().find_map(|party| {
            let known = situation.known.get(&party.email)?;
            let mut clients = known.contacts.iter().chain(&known.companies);
            let client = clients.find(|client| client.card == of_card)?;
            Some(client::card_of_client(situation, party, known, client, notes))
        })?,
        // A card without a client, as leads are: the same client is who writes now.
        None => client::find(situation, notes),
    };
    match found {
        Match::Deal { party, client, deal, bound } => {
            let client_of = Some((party.email.clone(), client));
            Some(file(deal.card, deal.responsible, bound, client_of))
        }
        Match::Lead { party, lead } => {
            let client_of = Some((party.email.clone(), lead.card));
            Some(file(lead.card, lead.responsible, Vec::new(), client_of))
        }
        Match::Several => Some(super::Placement::Park(Reason::SeveralDeals)),
        Match::Client { .. } | Match::Hidden | Match::Nobody => None,
    }
}

/// The card's client, or the card itself, with the address of the message that it bears.
fn client_of(situation: &Situation, here: Here) -> Option<(String, CardRef)> {
    [here.client, Some(here.card)].into_iter().flatten().find_map(|card| {
        let party = situation.parties.iter().find(|party| {
            situation.known.get(&party.email).is_some_and(|known| {
                let clients = known.contacts.iter().chain(&known.companies);
                clients.map(|client| client.card).any(|client| client == card)
                    || known.leads.iter().any(|lead| lead.card == card)
            })
        })?;
        Some((party.email.clone(), card))
    })
}
