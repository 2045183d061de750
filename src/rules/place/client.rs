//! Rule 8d: whose mail is it, and which of their open cards gets it? Pure.

use std::cmp::Reverse;

use crate::card::{CardKind, CardRef, Client, Known, OpenCard};
use crate::message::Address;
use crate::rules::DealChoice;

use super::{Notes, Situation};

/// What the addresses of a message lead to.
pub(super) enum Match<'a> {
    /// An open deal of a known client; `bound` are further ones that get the message too.
    Deal {
        party: &'a Address,
        client: CardRef,
        deal: &'a OpenCard,
        bound: Vec<CardRef>,
    },
    /// The client, for want of an open deal or by `deal_choice`.
    Client {
        party: &'a Address,
        client: &'a Client,
        open_deals: bool,
    },
    Lead {
        party: &'a Address,
        lead: &'a OpenCard,
    },
    /// A person is to choose among the client's open deals.
    Several,
    /// The right card may not be read.
    Hidden,
    Nobody,
}

/// Finds the first address that has a card, and its card.
pub(super) fn find<'a>(situation: &Situation<'a>, notes: &mut Notes) -> Match<'a> {
    let mut parties = situation.parties.iter().filter_map(|party| {
        let known = situation.known.get(&party.email)?;
        bears_a_card(known).then_some((party, known))
    });
    let Some((party, known)) = parties.next() else {
        return Match::Nobody;
    };
    let found = card_of(situation, party, known, notes);
    for (later, known) in parties {
        let why = format!("bears {}, which comes after {}", later.email, party.email);
        for card in cards(known) {
            notes.lost(card, why.as_str());
        }
    }
    found
}

fn bears_a_card(known: &Known) -> bool {
    cards(known).next().is_some()
}

pub(super) fn cards(known: &Known) -> impl Iterator<Item = CardRef> {
    let clients = known.contacts.iter().chain(&known.companies).map(|client| client.card);
    let leads = known.leads.iter().map(|lead| lead.card);
    clients.chain(leads).chain(known.hidden.iter().copied())
}

/// The card for one address: contact before company before open lead.
fn card_of<'a>(
    situation: &Situation<'a>,
    party: &'a Address,
    known: &'a Known,
    notes: &mut Notes,
) -> Match<'a> {
    let contact = best(&known.contacts);
    let client = contact.or_else(|| best(&known.companies));
    let lead = latest(&known.leads);
    let visible = client.map(|client| client.card).or(lead.map(|lead| lead.card));

    // A hidden card matters if it would have been the match: if its kind comes before the kind of
    // all that can be read. Else the message has a card that is right, as far as anyone may see.
    let hidden = known.hidden.iter().min_by_key(|card| (rank(card.kind), card.id));
    if let Some(hidden) = hidden
        && visible.is_none_or(|visible| rank(hidden.kind) < rank(visible.kind))
    {
        notes.say("match", format!("{hidden} bears {} but may not be read", party.email));
        for card in &known.hidden {
            notes.lost(*card, "bears the address but may not be read");
        }
        for card in cards(known) {
            notes.lost(card, format!("{hidden}, which may not be read, comes before it"));
        }
        return Match::Hidden;
    }

    let found = match (client, lead) {
        (Some(client), _) => {
            notes.say("match", format!("{} bears {}", client.card, party.email));
            for other in known.contacts.iter().chain(&known.companies) {
                if other.card != client.card {
                    notes.lost(other.card, why_the_other_won(client, other));
                }
            }
            card_of_client(situation, party, known, client, notes)
        }
        (None, Some(lead)) => {
            notes.say("match", format!("open {} bears {}", lead.card, party.email));
            Match::Lead { party, lead }
        }
        // Not reached: then nothing bears the address, or only what is hidden.
        (None, None) => Match::Nobody,
    };
    let winner = match &found {
        Match::Lead { lead, .. } => Some(lead.card),
        Match::Deal { client, .. } => Some(*client),
        Match::Client { client, .. } => Some(client.card),
        Match::Several | Match::Hidden | Match::Nobody => None,
    };
    if let Some(winner) = winner {
        for other in &known.leads {
            let why = if winner.kind == CardKind::Lead {
                format!("{winner} was changed later")
            } else {
                format!("{winner} bears the same address and comes before leads")
            };
            notes.lost(other.card, why);
        }
        for card in &known.hidden {
            notes.lost(*card, format!("may not be read; {winner} bears the same address"));
        }
    }
    found
}

/// The client's open deal by `deal_choice`, else an open repeat lead, else the client.
pub(super) fn card_of_client<'a>(
    situation: &Situation<'a>,
    party: &'a Address,
    known: &'a Known,
    client: &'a Client,
    notes: &mut Notes,
) -> Match<'a> {
    let deals = &client.deals;
    let Some(deal) = latest(deals) else {
        // Where known clients get leads of their own, the next mail goes on the open one instead
        // of into a new one each time.
        if situation.rules.repeat_lead
            && let Some(lead) = latest(&known.leads)
        {
            notes.say("match", format!("{} has no open deal, but open {}", client.card, lead.card));
            return Match::Lead { party, lead };
        }
        notes.say("deal-choice", format!("{} has no open deal", client.card));
        return Match::Client { party, client, open_deals: false };
    };
    let mut others: Vec<&OpenCard> = deals.iter().filter(|other| *other != deal).collect();
    others.sort_by_key(|other| Reverse(age(other)));
    let count = deals.len();
    let choice = match situation.rules.deal_choice {
        DealChoice::Latest => {
            notes.say("deal-choice", format!("latest: {}, of {count} open deals", deal.card));
            for other in others {
                notes.lost(other.card, format!("open, but {} was changed later", deal.card));
            }
            Some(Vec::new())
        }
        DealChoice::All => {
            notes.say("deal-choice", format!("all: {} owns it, of {count} open deals", deal.card));
            Some(others.into_iter().map(|other| other.card).collect())
        }
        DealChoice::Only if others.is_empty() => {
            notes.say("deal-choice", format!("only: {} is the only open one", deal.card));
            Some(Vec::new())
        }
        DealChoice::Ask if others.is_empty() => {
            notes.say("deal-choice", format!("ask: {} is the only open one", deal.card));
            Some(Vec::new())
        }
        DealChoice::Ask => {
            notes.say("deal-choice", format!("ask: {} has {count} open deals", client.card));
            for open in [deal].into_iter().chain(others) {
                notes.lost(open.card, format!("open deal of {}; a person chooses", client.card));
            }
            return Match::Several;
        }
        DealChoice::Only => {
            notes.say("deal-choice", format!("only: {count} deals are open, so {}", client.card));
            for open in [deal].into_iter().chain(others) {
                notes.lost(open.card, format!("one of {count} open deals"));
            }
            None
        }
        DealChoice::None => {
            notes.say("deal-choice", format!("none: {} itself", client.card));
            for open in [deal].into_iter().chain(others) {
                notes.lost(open.card, "open, but mail is filed on the client here");
            }
            None
        }
    };
    match choice {
        Some(bound) => Match::Deal { party, client: client.card, deal, bound },
        None => Match::Client { party, client, open_deals: true },
    }
}

fn rank(kind: CardKind) -> u8 {
    match kind {
        CardKind::Contact => 0,
        CardKind::Company => 1,
        CardKind::Lead => 2,
        CardKind::Deal => 3,
    }
}

/// Later changed is greater; of two changed in one second the one with the lower number.
fn age(open: &OpenCard) -> (i64, Reverse<u64>) {
    (open.updated_at, Reverse(open.card.id))
}

fn latest(open: &[OpenCard]) -> Option<&OpenCard> {
    open.iter().max_by_key(|open| age(open))
}

/// Of several with one address: the latest changed open deal, else the latest changed client,
/// else the lowest number.
fn best(clients: &[Client]) -> Option<&Client> {
    clients
        .iter()
        .max_by_key(|client| (changed_deal(client), client.updated_at, Reverse(client.card.id)))
}

/// When the client's open deal was changed last; `None`, which is less, without one.
fn changed_deal(client: &Client) -> Option<i64> {
    client.deals.iter().map(|deal| deal.updated_at).max()
}

fn why_the_other_won(winner: &Client, loser: &Client) -> String {
    let card = winner.card;
    if card.kind != loser.card.kind {
        return format!("{card} bears the same address and comes before companies");
    }
    if changed_deal(winner) != changed_deal(loser) {
        return format!("{card} bears the same address and has the open deal changed last");
    }
    if winner.updated_at != loser.updated_at {
        return format!("{card} bears the same address and was changed later");
    }
    format!("{card} bears the same address and has the lower number")
}
