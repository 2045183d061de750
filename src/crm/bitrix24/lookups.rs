//! Puts questions together so that many cost few requests, and believes no row that was not asked for.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use serde_json::Value;

use crate::card::{CardKind, CardNow, CardRef, Client, Known, OpenCard};
use crate::crm::{ActivityNow, Failure, Fate};

use super::answers::{self, ActivityRow, CardRow, ContactRow};
use super::batch::{self, Answer, Command, PlainAddress};
use super::classify::{self, Effect};
use super::{Portal, calls, http};

const KINDS: [CardKind; 4] = [CardKind::Lead, CardKind::Deal, CardKind::Contact, CardKind::Company];

/// What one look-up of many was answered.
pub(super) type Looked = Result<Value, Failure>;

/// Asks all, 50 to a request. `Err` if a whole request went wrong, or one answer is missing: nothing may be
/// concluded from an answer that is not there.
async fn ask(portal: &Portal, commands: &[Command]) -> Result<Vec<Looked>, Failure> {
    let mut looked = Vec::with_capacity(commands.len());
    for chunk in commands.chunks(batch::MOST) {
        looked.extend(ask_at_once(portal, chunk).await?);
    }
    Ok(looked)
}

/// Asks up to 50 in one request.
async fn ask_at_once(portal: &Portal, commands: &[Command]) -> Result<Vec<Looked>, Failure> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let wire = &portal.wire;
    let methods: Vec<&'static str> = commands.iter().map(Command::method).collect();
    let body = Bytes::from(batch::body(commands).to_string());
    let envelope = wire.call("batch", body, Effect::Reads, &methods).await?;
    for (at, command) in commands.iter().enumerate() {
        if let Some(time) = batch::time_of(&envelope, at) {
            wire.note_time(command.method(), time);
        }
    }
    let answers = batch::read(envelope, commands.len())
        .ok_or_else(|| wire.not_understood("batch", Effect::Reads))?;
    let mut looked = Vec::with_capacity(commands.len());
    for (command, answer) in commands.iter().zip(answers) {
        let method = command.method();
        match answer {
            Answer::Result(result) => looked.push(Ok(result)),
            Answer::Error { code, text } => {
                looked.push(Err(wire.failure(method, 0, &code, &text, Effect::Reads)));
            }
            Answer::Missing => return Err(wire.not_understood(method, Effect::Reads)),
        }
    }
    Ok(looked)
}

/// The same, where answers are so long that 50 of them may be more than is read at once: then fewer are asked for.
pub(super) async fn ask_in_parts(
    portal: &Portal,
    commands: &[Command],
) -> Result<Vec<Looked>, Failure> {
    let mut looked = Vec::with_capacity(commands.len());
    let mut parts: Vec<&[Command]> = commands.chunks(batch::MOST).rev().collect();
    while let Some(part) = parts.pop() {
        match ask_at_once(portal, part).await {
            Ok(answers) => looked.extend(answers),
            Err(failure) if failure.code == http::TOO_LARGE && part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.push(second);
                parts.push(first);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(looked)
}

fn is_denied(failure: &Failure) -> bool {
    classify::is_access_denied(&failure.code, &failure.text)
}

fn is_missing(failure: &Failure) -> bool {
    classify::is_not_found(&failure.code, &failure.text)
}

/// Rows of a `crm.item.list` answer.
pub(super) fn rows(
    portal: &Portal,
    result: &Value,
    kind: CardKind,
) -> Result<Vec<CardRow>, Failure> {
    portal.understood("crm.item.list", Effect::Reads, answers::card_rows(result, kind))
}

/// A card as it was found.
enum Seen {
    Here(CardRow),
    Hidden,
    Missing,
}

/// Reads cards: many to a command, and those that are not among the rows once more by themselves, since a list
/// says nothing of what it leaves out.
async fn see(
    portal: &Portal,
    wanted: &BTreeSet<CardRef>,
) -> Result<HashMap<CardRef, Seen>, Failure> {
    let mut lists = Vec::new();
    let mut kinds = Vec::new();
    for kind in KINDS {
        let ids: Vec<u64> =
            wanted.iter().filter(|card| card.kind == kind).map(|card| card.id).collect();
        for page in ids.chunks(calls::PAGE) {
            lists.push(calls::cards(kind, page));
            kinds.push(kind);
        }
    }
    let mut seen = HashMap::new();
    for (kind, looked) in kinds.into_iter().zip(ask(portal, &lists).await?) {
        let result = match looked {
            Ok(result) => result,
            // No right to any card of this kind: each is asked for by itself, and hidden.
            Err(failure) if is_denied(&failure) => continue,
            Err(failure) => return Err(failure),
        };
        for row in rows(portal, &result, kind)? {
            // A filter that the portal dropped would bring others.
            if wanted.contains(&row.card) {
                seen.insert(row.card, Seen::Here(row));
            }
        }
    }

    let left: Vec<CardRef> =
        wanted.iter().filter(|card| !seen.contains_key(card)).copied().collect();
    let gets: Vec<Command> = left.iter().map(|card| calls::card(*card)).collect();
    for (card, looked) in left.into_iter().zip(ask(portal, &gets).await?) {
        let now = match looked {
            Ok(result) => {
                let row = answers::one_card(&result, card.kind).filter(|row| row.card == card);
                Seen::Here(portal.understood("crm.item.get", Effect::Reads, row)?)
            }
            Err(failure) if is_denied(&failure) => Seen::Hidden,
            Err(failure) if is_missing(&failure) => Seen::Missing,
            Err(failure) => return Err(failure),
        };
        seen.insert(card, now);
    }
    Ok(seen)
}

/// A contact with what it says of the person.
///
/// # Errors
/// [`Fate::CardGone`] if there is none that may be read.
pub async fn contact(portal: &Portal, contact: u64) -> Result<ContactRow, Failure> {
    let card = CardRef { kind: CardKind::Contact, id: contact };
    let method = "crm.item.get";
    let looked = ask_at_once(portal, &[calls::card(card)]).await?.pop();
    match portal.understood(method, Effect::Reads, looked)? {
        Ok(result) => portal.understood(method, Effect::Reads, answers::contact(&result, contact)),
        Err(failure) if is_denied(&failure) || is_missing(&failure) => {
            Err(Failure { fate: Fate::CardGone, ..failure })
        }
        Err(failure) => Err(failure),
    }
}

fn open_card(row: &CardRow) -> OpenCard {
    OpenCard { card: row.card, responsible: row.responsible, updated_at: row.updated_at }
}

fn latest_first(cards: &mut [OpenCard]) {
    cards.sort_by_key(|card| std::cmp::Reverse((card.updated_at, card.card.id)));
}

/// Cards that bear each address.
async fn bearers(
    portal: &Portal,
    addresses: &[String],
) -> Result<HashMap<String, BTreeSet<CardRef>>, Failure> {
    let mut found: HashMap<String, BTreeSet<CardRef>> =
        addresses.iter().map(|address| (address.clone(), BTreeSet::new())).collect();
    let mut distinct: Vec<&String> = addresses.iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let mut asked = Vec::new();
    let mut commands = Vec::new();
    let mut looked: Vec<Looked> = Vec::new();
    let mut odd = Vec::new();
    for address in distinct {
        match PlainAddress::new(address) {
            Some(plain) => {
                for kind in calls::WITH_ADDRESS {
                    asked.push((address, kind));
                    commands.push(calls::find_by_address(kind, &plain));
                }
            }
            None => odd.push(address),
        }
    }
    looked.extend(ask(portal, &commands).await?);
    for address in odd {
        for kind in calls::WITH_ADDRESS {
            asked.push((address, kind));
            let call = calls::find_by_odd_address(kind, address);
            looked.push(Ok(portal.call(call, Effect::Reads).await?));
        }
    }
    for ((address, kind), looked) in asked.into_iter().zip(looked) {
        let ids = answers::found_by_address(&looked?, kind);
        let ids = portal.understood("crm.duplicate.findbycomm", Effect::Reads, ids)?;
        if let Some(cards) = found.get_mut(address) {
            cards.extend(ids.into_iter().map(|id| CardRef { kind, id }));
        }
    }
    Ok(found)
}

/// The deals in process of each client, the last changed first.
async fn open_deals(
    portal: &Portal,
    clients: &[CardRef],
) -> Result<HashMap<CardRef, Vec<OpenCard>>, Failure> {
    let commands: Vec<Command> = clients.iter().map(|client| calls::open_deals(*client)).collect();
    let mut deals = HashMap::new();
    for (client, looked) in clients.iter().zip(ask(portal, &commands).await?) {
        let belongs = |row: &CardRow| match client.kind {
            CardKind::Contact => row.contact == Some(client.id),
            CardKind::Company => row.company == Some(client.id),
            CardKind::Lead | CardKind::Deal => false,
        };
        let all = rows(portal, &looked?, CardKind::Deal)?;
        if all.len() >= calls::PAGE && !all.iter().any(belongs) {
            return Err(filter_ignored(portal, "crm.item.list"));
        }
        let mut open: Vec<OpenCard> =
            all.iter().filter(|row| row.open && belongs(row)).map(open_card).collect();
        latest_first(&mut open);
        deals.insert(*client, open);
    }
    Ok(deals)
}

pub async fn know(
    portal: &Portal,
    addresses: &[String],
) -> Result<HashMap<String, Known>, Failure> {
    let found = bearers(portal, addresses).await?;
    let wanted: BTreeSet<CardRef> = found.values().flatten().copied().collect();
    let seen = see(portal, &wanted).await?;
    let clients: Vec<CardRef> = wanted
        .iter()
        .filter(|card| matches!(card.kind, CardKind::Contact | CardKind::Company))
        .filter(|card| matches!(seen.get(card), Some(Seen::Here(_))))
        .copied()
        .collect();
    let deals = open_deals(portal, &clients).await?;

    let mut known = HashMap::new();
    for (address, cards) in found {
        let mut about = Known::default();
        for card in cards {
            let row = match seen.get(&card) {
                Some(Seen::Here(row)) => row,
                Some(Seen::Hidden) => {
                    about.hidden.push(card);
                    continue;
                }
                // Deleted, or a lead of simple mode that is nothing but its deal.
                Some(Seen::Missing) | None => continue,
            };
            let client = || Client {
                card,
                responsible: row.responsible,
                updated_at: row.updated_at,
                deals: deals.get(&card).cloned().unwrap_or_default(),
            };
            match card.kind {
                CardKind::Contact => about.contacts.push(client()),
                CardKind::Company => about.companies.push(client()),
                CardKind::Lead if row.open => about.leads.push(open_card(row)),
                CardKind::Lead | CardKind::Deal => {}
            }
        }
        latest_first(&mut about.leads);
        known.insert(address, about);
    }
    Ok(known)
}

pub async fn cards(portal: &Portal, cards: &[CardRef]) -> Result<Vec<CardNow>, Failure> {
    let seen = see(portal, &cards.iter().copied().collect()).await?;
    // A converted lead lives on as its deal. In simple mode the lead itself may not be readable any more (the
    // reference says so, the tutorial reads one), so a missing lead is asked for in the same way.
    let leads: Vec<CardRef> = seen
        .iter()
        .filter(|(card, now)| {
            card.kind == CardKind::Lead
                && match now {
                    Seen::Here(row) => row.converted,
                    Seen::Missing => true,
                    Seen::Hidden => false,
                }
        })
        .map(|(card, _)| *card)
        .collect();
    let commands: Vec<Command> = leads.iter().map(|lead| calls::deals_of_lead(lead.id)).collect();
    let mut became: HashMap<CardRef, Vec<CardRow>> = HashMap::new();
    for (lead, looked) in leads.into_iter().zip(ask(portal, &commands).await?) {
        let all = rows(portal, &looked?, CardKind::Deal)?;
        let many = all.len() >= calls::PAGE;
        let deals: Vec<CardRow> = all.into_iter().filter(|row| row.lead == Some(lead.id)).collect();
        if deals.is_empty() && many {
            return Err(filter_ignored(portal, "crm.item.list"));
        }
        became.insert(lead, deals);
    }
    Ok(cards
        .iter()
        .map(|card| {
            let deals = became.get(card).map(Vec::as_slice).unwrap_or_default();
            card_now(*card, seen.get(card), deals)
        })
        .collect())
}

/// `deals` are those that a lead became, by number.
fn card_now(card: CardRef, seen: Option<&Seen>, deals: &[CardRow]) -> CardNow {
    // An `OpenCard` is in process.
    let open_deal = deals.iter().filter(|deal| deal.open).max_by_key(|deal| deal.updated_at);
    let client = |row: Option<&CardRow>| {
        row.and_then(CardRow::client).or_else(|| deals.iter().find_map(CardRow::client))
    };
    let row = match seen {
        Some(Seen::Here(row)) => Some(row),
        Some(Seen::Hidden | Seen::Missing) | None => None,
    };
    // Where all its deals are closed the lead is no better: the last of them stands for it.
    if let (None, Some(closed)) = (open_deal, deals.iter().max_by_key(|deal| deal.updated_at)) {
        return CardNow::Here {
            card: closed.card,
            responsible: closed.responsible,
            open: false,
            deal: None,
            client: client(Some(closed)).or_else(|| client(row)),
        };
    }
    match seen {
        Some(Seen::Here(row)) => CardNow::Here {
            card,
            responsible: row.responsible,
            open: row.open,
            deal: open_deal.map(open_card),
            client: match card.kind {
                CardKind::Lead | CardKind::Deal => client(Some(row)),
                CardKind::Contact | CardKind::Company => None,
            },
        },
        Some(Seen::Hidden) => CardNow::Hidden { card },
        Some(Seen::Missing) | None => match open_deal {
            Some(deal) => CardNow::Here {
                card,
                responsible: deal.responsible,
                open: false,
                deal: open_deal.map(open_card),
                client: deal.client(),
            },
            None => CardNow::Gone { card },
        },
    }
}

/// Rows that were not asked for: the portal dropped the filter, and what was asked for may stand on any further
/// page.
pub(super) fn filter_ignored(portal: &Portal, method: &str) -> Failure {
    let mut failure = portal.wire.not_understood(method, Effect::Reads);
    failure.text = "the portal ignores the filter of a look-up".to_owned();
    failure.fate = Fate::Deferred { retry_after: None, ambiguous: false, suspect: false };
    failure
}

/// Activities as they are, each found among the rows or not there at all.
pub async fn activities(
    portal: &Portal,
    activities: &[u64],
) -> Result<Vec<Option<ActivityNow>>, Failure> {
    let wanted: BTreeSet<u64> = activities.iter().copied().filter(|id| *id > 0).collect();
    let ids: Vec<u64> = wanted.iter().copied().collect();
    let pages: Vec<&[u64]> = ids.chunks(calls::PAGE).collect();
    let commands: Vec<Command> = pages.iter().map(|page| calls::activities(page)).collect();
    let mut now: HashMap<u64, ActivityNow> = HashMap::new();
    for (page, looked) in pages.into_iter().zip(ask_in_parts(portal, &commands).await?) {
        let method = "crm.activity.list";
        let all = portal.understood(method, Effect::Reads, answers::activity_rows(&looked?))?;
        // Those that were not asked for show that the filter was dropped; what is missing may stand on any further
        // page then.
        let many = all.len() >= calls::PAGE;
        let dropped = many && all.iter().any(|row| !wanted.contains(&row.id));
        now.extend(all.into_iter().map(|row| (row.id, activity_now(row))));
        if dropped && page.iter().any(|id| !now.contains_key(id)) {
            return Err(filter_ignored(portal, method));
        }
    }
    Ok(activities.iter().map(|id| now.get(id).cloned()).collect())
}

fn activity_now(row: ActivityRow) -> ActivityNow {
    let owner = row.owner;
    let clients = row.clients.into_iter().filter(|card| Some(*card) != owner);
    ActivityNow {
        cards: owner.into_iter().chain(clients).collect(),
        responsible: row.responsible,
        parties: row.parties,
        completed: row.completed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::type_complexity)]
    use super::*;

    fn row(kind: CardKind, id: u64, open: bool, updated_at: i64) -> CardRow {
        let converted = kind == CardKind::Lead;
        CardRow {
            card: CardRef { kind, id },
            responsible: id,
            updated_at,
            open,
            converted,
            contact: Some(3),
            company: None,
            lead: None,
            originator: None,
            origin: None,
        }
    }

    #[test]
    fn converted_lead_stands_for_its_deal_whatever_became_of_that() {
        let lead = CardRef { kind: CardKind::Lead, id: 1 };
        let here = Seen::Here(row(CardKind::Lead, 1, false, 5));
        let deal = |id, open, at| row(CardKind::Deal, id, open, at);
        #[rustfmt::skip]
        let cases: &[(&str, &Seen, &[CardRow], (CardKind, u64), Option<u64>)] = &[
            ("one deal open",       &here,          &[deal(7, true, 1)],                      (CardKind::Lead, 1), Some(7)),
            ("deal closed",         &here,          &[deal(7, false, 1)],                     (CardKind::Deal, 7), None),
            ("last of two closed",  &here,          &[deal(7, false, 1), deal(8, false, 2)],  (CardKind::Deal, 8), None),
            ("one of two open",     &here,          &[deal(7, true, 1), deal(8, false, 2)],   (CardKind::Lead, 1), Some(7)),
            ("no deal",             &here,          &[],                                      (CardKind::Lead, 1), None),
            ("lead gone, open",     &Seen::Missing, &[deal(7, true, 1)],                      (CardKind::Lead, 1), Some(7)),
            ("lead gone, closed",   &Seen::Missing, &[deal(7, false, 1)],                     (CardKind::Deal, 7), None),
        ];
        for (name, seen, deals, (kind, id), open_deal) in cases {
            let CardNow::Here { card, open, deal, client, .. } = card_now(lead, Some(seen), deals)
            else {
                panic!("{name}");
            };
            assert_eq!((card.kind, card.id, open), (*kind, *id, false), "{name}");
            assert_eq!(deal.map(|deal| deal.card.id), *open_deal, "{name}");
            assert_eq!(client, Some(CardRef { kind: CardKind::Contact, id: 3 }), "{name}");
        }
        assert_eq!(card_now(lead, Some(&Seen::Missing), &[]), CardNow::Gone { card: lead });
    }
}
