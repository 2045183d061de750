//! Contacts out of the visiting cards that a mail brings: made, or completed without overwriting.

use std::collections::HashSet;

use tokio::sync::Mutex;

use super::case::{Case, Mail};
use super::content::origin_of_vcard;
use super::deliver::{Stop, Undone, delivered};
use super::{FiledMailbox, Filing, Knowledge};
use crate::card::{CardKind, CardRef};
use crate::crm::{CardDraft, ContactFacts, Crm, Failure, Fate, Made};
use crate::message::{self, VCard};
use crate::rules::admit::{Admitted, is_inside};
use crate::rules::{Direction, Evidence, Policy};
use crate::{events, unix_now};

/// Cards of one mail that are taken; the rest is left alone.
pub const MOST: usize = 10;

/// Names of what is made of them, in their order.
const KINDS: [&str; MOST] = [
    "vcard-0", "vcard-1", "vcard-2", "vcard-3", "vcard-4", "vcard-5", "vcard-6", "vcard-7",
    "vcard-8", "vcard-9",
];

/// What is made of the vCard of this name, if it is one.
pub(super) fn number_of(kind: &str) -> Option<usize> {
    KINDS.iter().position(|known| *known == kind)
}

impl<C: Crm> Filing<C> {
    /// Makes or completes the contacts of a mail's vCards; says in the evidence what was taken.
    pub(super) async fn vcards(
        &self,
        knowledge: &Mutex<Knowledge>,
        case: &Case,
        mail: &Mail,
        responsible: u64,
        evidence: &mut Vec<Evidence>,
    ) -> Result<(), Stop> {
        if !mail.has_vcards || !are_taken(&mail.mailbox, &mail.admitted) {
            return Ok(());
        }
        let raw = self.raw(&case.entry).await?;
        let read = tokio::task::spawn_blocking(move || message::vcards(&raw)).await;
        let employees = self.ledger.employee_addresses();
        let cards = read.unwrap_or_default();
        let more = cards.len().saturating_sub(MOST);
        for (number, card) in of_strangers(&mail.mailbox, employees.as_deref(), &cards) {
            if let Some(evidenced) = left_alone(card) {
                evidence.push(evidenced);
                continue;
            }
            match self.vcard(knowledge, case, mail, responsible, card, number).await {
                Ok(fact) => evidence.push(Evidence::new("vcard", fact)),
                // The mail is filed; that the CRM does not take one card is noted.
                Err(Stop::Undone(Undone {
                    failure: Failure { fate: Fate::Refused | Fate::CardGone, text, .. },
                    ..
                })) => {
                    let fact = format!("{} was not taken: {text}", shown(card));
                    evidence.push(Evidence::new("vcard", fact));
                }
                Err(stop) => return Err(stop),
            }
        }
        if more > 0 {
            evidence.push(Evidence::new("vcard", format!("{more} further cards were left alone")));
        }
        Ok(())
    }

    async fn vcard(
        &self,
        knowledge: &Mutex<Knowledge>,
        case: &Case,
        mail: &Mail,
        responsible: u64,
        card: &VCard,
        number: usize,
    ) -> Result<String, Stop> {
        let kind = KINDS[number];
        let undone = |failure| Stop::Undone(Undone { kind: None, failure });
        let made = Made::Card(CardKind::Contact);
        let origin = origin_of_vcard(number, &case.entry.fingerprint);
        if let Some(found) = self.known_to_be_there(knowledge, case, made, kind, &origin).await? {
            return Ok(format!("contact:{} is of {}", found.id, shown(card)));
        }
        // Two mails may bring one person's card: whoever comes second finds what the first made.
        let _one_at_a_time = self.vcards.lock().await;
        let unknown: Vec<String> = {
            let known = knowledge.lock().await;
            let of_card = card.emails.iter().filter(|email| {
                known.known.get(*email).is_none_or(|known| known.contacts.is_empty())
            });
            of_card.cloned().collect()
        };
        if !unknown.is_empty() {
            let asked = self.crm.know(&unknown).await.map_err(undone)?;
            knowledge.lock().await.known.extend(asked);
        }
        let bearer = bearer(card, &mail.admitted, &*knowledge.lock().await);
        let entry = case.entry.id;
        match bearer {
            Bearer::Contact { contact: CardRef { id, .. }, stranger } => {
                let mut facts = facts(card);
                if stranger {
                    // Anybody can write any address on a card, and mail from it would then go to
                    // this contact's deals.
                    facts.emails.clear();
                }
                // A lost answer is waited for: the same telephone would be added again.
                self.ledger.sending(entry, kind, origin.0.clone(), unix_now()).await?;
                let added = self
                    .crm
                    .complete_contact(id, &facts)
                    .await
                    .map_err(|failure| Stop::Undone(Undone { kind: Some(kind), failure }))?;
                self.ledger.made(entry, kind, origin.0, id, None, None).await?;
                let what = if added.is_empty() {
                    "has all of".to_owned()
                } else {
                    format!("got {} from", added.join(", "))
                };
                return Ok(format!("contact:{id} {what} {}", shown(card)));
            }
            Bearer::Hidden(hidden) => {
                return Ok(format!(
                    "{hidden} bears an address of {} but may not be read",
                    shown(card)
                ));
            }
            Bearer::Nobody => {}
        }
        let config = &mail.mailbox.config;
        let facts = facts(card);
        let mut emails = facts.emails.into_iter();
        let draft = CardDraft {
            kind: CardKind::Contact,
            origin: origin.clone(),
            title: String::new(),
            name: facts.name,
            email: emails.next(),
            responsible,
            source: config.crm.source.clone(),
            source_description: config.address.clone(),
            client: None,
            last_name: facts.last_name,
            more_emails: emails.collect(),
            phones: facts.phones,
            post: facts.post,
            organisation: facts.organisation,
        };
        self.ledger.sending(entry, kind, origin.0.clone(), unix_now()).await?;
        let id = self
            .crm
            .make_card(&draft)
            .await
            .map_err(|failure| Stop::Undone(Undone { kind: Some(kind), failure }))?;
        events::delivered(entry, kind, id);
        let attempt = delivered(entry, "crm.item.add", &format!("contact {id} of a vCard"));
        self.ledger.made(entry, kind, origin.0, id, Some(attempt), None).await?;
        let contact = CardRef { kind: CardKind::Contact, id };
        let mut known = knowledge.lock().await;
        for email in &card.emails {
            known.made_for(email, contact, None, responsible, unix_now());
        }
        Ok(format!("contact:{id} was made of {}", shown(card)))
    }
}

/// Who bears an address of a vCard already.
pub(super) enum Bearer {
    Contact {
        contact: CardRef,
        /// By an address that is none of the mail's.
        stranger: bool,
    },
    Hidden(CardRef),
    Nobody,
}

/// The contact that a vCard completes: first one that bears an address of its mail.
pub(super) fn bearer(card: &VCard, admitted: &Admitted, knowledge: &Knowledge) -> Bearer {
    let of_card =
        || card.emails.iter().filter_map(|email| Some((email, knowledge.known.get(email)?)));
    let of_mail = |email: &String| admitted.parties.iter().any(|party| party.email == *email);
    let contacts = of_card().flat_map(|(email, known)| {
        known.contacts.iter().map(move |one| (!of_mail(email), one.card))
    });
    let hidden = of_card().flat_map(|(_, known)| &known.hidden).min().copied();
    match (contacts.min(), hidden) {
        (Some((stranger, contact)), _) => Bearer::Contact { contact, stranger },
        (None, Some(hidden)) => Bearer::Hidden(hidden),
        (None, None) => Bearer::Nobody,
    }
}

/// Whose vCards become contacts: those of a mail that a client wrote.
pub(super) fn are_taken(mailbox: &FiledMailbox, admitted: &Admitted) -> bool {
    mailbox.config.crm.vcard
        && admitted.direction == Direction::Incoming
        && admitted.class_policy == Policy::Normal
}

/// The vCards that are no colleague's, numbered by their places in the mail, whoever is a colleague
/// today.
pub(super) fn of_strangers<'a>(
    mailbox: &'a FiledMailbox,
    employees: Option<&'a HashSet<String>>,
    cards: &'a [VCard],
) -> impl Iterator<Item = (usize, &'a VCard)> {
    let inside = move |email: &String| is_inside(&mailbox.rules, employees, email);
    cards.iter().take(MOST).enumerate().filter(move |(_, card)| !card.emails.iter().any(inside))
}

/// Why nothing is made of a vCard: by nothing could it be found again, and each mail would make it
/// once more.
pub(super) fn left_alone(card: &VCard) -> Option<Evidence> {
    let fact = || format!("{} names no address and was left alone", shown(card));
    card.emails.is_empty().then(|| Evidence::new("vcard", fact()))
}

pub(super) fn shown(card: &VCard) -> String {
    let of = [&card.name, &card.organisation]
        .into_iter()
        .chain(&card.emails)
        .find(|text| !text.is_empty());
    format!("the vCard of {}", of.map_or("nobody", String::as_str))
}

fn facts(card: &VCard) -> ContactFacts {
    // A card that has a whole name only has it as the one name.
    let name = match (card.given.as_str(), card.family.as_str()) {
        ("", "") => &card.name,
        _ => &card.given,
    };
    ContactFacts {
        name: name.clone(),
        last_name: card.family.clone(),
        emails: card.emails.clone(),
        phones: card.phones.clone(),
        post: card.title.clone(),
        organisation: card.organisation.clone(),
    }
}
