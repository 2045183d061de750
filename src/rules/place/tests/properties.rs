//! What holds for any input.

use proptest::prelude::*;

use super::*;

fn any_open(kind: CardKind) -> impl Strategy<Value = OpenCard> {
    (1..9_u64, 0..4_i64).prop_map(move |(id, updated_at)| OpenCard {
        card: CardRef { kind, id },
        responsible: id * 100,
        updated_at,
    })
}

/// Without two deals of one number: the CRM has none.
fn any_client(kind: CardKind) -> impl Strategy<Value = Client> {
    (any_open(kind), prop::collection::vec(any_open(CardKind::Deal), 0..4)).prop_map(
        |(OpenCard { card, responsible, updated_at }, mut deals)| {
            deals.sort_by_key(|deal| deal.card.id);
            deals.dedup_by_key(|deal| deal.card.id);
            Client { card, responsible, updated_at, deals }
        },
    )
}

fn any_kind() -> impl Strategy<Value = CardKind> {
    prop::sample::select(vec![CardKind::Lead, CardKind::Contact, CardKind::Company, CardKind::Deal])
}

fn any_card() -> impl Strategy<Value = CardRef> {
    (any_kind(), 1..9_u64).prop_map(|(kind, id)| CardRef { kind, id })
}

fn any_known() -> impl Strategy<Value = Known> {
    (
        prop::collection::vec(any_client(CardKind::Contact), 0..3),
        prop::collection::vec(any_client(CardKind::Company), 0..3),
        prop::collection::vec(any_open(CardKind::Lead), 0..3),
        prop::collection::vec(any_card(), 0..2),
    )
        .prop_map(|(mut contacts, mut companies, mut leads, hidden)| {
            contacts.sort_by_key(|client| client.card);
            contacts.dedup_by_key(|client| client.card);
            companies.sort_by_key(|client| client.card);
            companies.dedup_by_key(|client| client.card);
            leads.sort_by_key(|lead| lead.card);
            leads.dedup_by_key(|lead| lead.card);
            Known { contacts, companies, leads, hidden }
        })
}

fn any_now() -> impl Strategy<Value = CardNow> {
    let here = (
        any_card(),
        any::<bool>(),
        prop::option::of(any_open(CardKind::Deal)),
        prop::option::of(any_card()),
    )
        .prop_map(|(card, open, deal, client)| CardNow::Here {
            card,
            responsible: card.id * 100,
            open,
            deal: deal.filter(|_| card.kind == CardKind::Lead),
            client,
        });
    prop_oneof![
        3 => here,
        1 => any_card().prop_map(|card| CardNow::Gone { card }),
        1 => any_card().prop_map(|card| CardNow::Hidden { card }),
    ]
}

fn any_mail() -> impl Strategy<Value = Mail> {
    use DealChoice::*;
    let switches =
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.2));
    let choice = prop::sample::select(vec![Latest, Only, All, Ask, None]);
    let creation = prop::sample::select(vec![
        Creation::Lead,
        Creation::Contact,
        Creation::Deal,
        Creation::None,
    ]);
    let class = prop::sample::select(vec![Class::Normal, Class::Automated, Class::Bounce]);
    let thread = prop::collection::vec(prop::collection::vec(any_now(), 0..4), 0..3);
    let party = prop::sample::select(vec![BOB, EVE, "forms@portal.example", "else@c.example"]);
    let code = prop::option::of((party, prop::collection::vec(any_now(), 0..3)));
    let known = (prop::option::of(any_known()), any_known());
    (switches, choice, creation, class, thread, code, known).prop_map(
        |(
            (outgoing, repeat_lead, has_leads, reply, forwarded),
            choice,
            creation,
            class,
            threads,
            code,
            (bob, eve),
        )| {
            let mut mail = Mail::from_form().with(|rules| {
                rules.deal_choice = choice;
                rules.repeat_lead = repeat_lead;
                rules.on_incoming = creation;
                rules.on_outgoing = creation;
            });
            mail = mail.with_parties(&[BOB, EVE]).of_class(class);
            if outgoing {
                mail.direction = Direction::Outgoing;
            }
            mail.known.extend(bob.map(|bob| (BOB.to_owned(), bob)));
            mail.known.insert(EVE.to_owned(), eve);
            let threads = threads.into_iter();
            mail.threads.extend(threads.map(|cards| Thread { cards, ..thread_of_nothing() }));
            mail.codes.extend(code.map(|(party, cards)| Coded {
                activity: 7,
                parties: vec![party.to_owned()],
                cards,
            }));
            Mail { has_leads, reply, forwarded, ..mail }
        },
    )
}

fn thread_of_nothing() -> Thread {
    thread("")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_is_known_a_placement_keeps_the_rules(mail in any_mail()) {
        let placed = mail.placed();
        prop_assert!(!placed.evidence.is_empty());
        match &placed.placement {
            Placement::File { owner, bound, client, .. } => {
                prop_assert!(!bound.contains(owner));
                for candidate in &placed.candidates {
                    prop_assert!(candidate.card != *owner && !bound.contains(&candidate.card));
                }
                if let Some((email, _)) = client {
                    prop_assert!(mail.parties.iter().any(|party| party.email == *email));
                }
                if !bound.is_empty() {
                    prop_assert_eq!(mail.rules.deal_choice, DealChoice::All);
                }
            }
            Placement::Create { what, client, .. } => {
                prop_assert_eq!(mail.policy, Policy::Normal);
                prop_assert!(*what != Creation::None);
                prop_assert!(mail.has_leads || *what != Creation::Lead);
                prop_assert!(client.is_none() || mail.rules.repeat_lead);
            }
            Placement::Park(Reason::HiddenCard) => {
                prop_assert!(!placed.candidates.is_empty());
            }
            Placement::Park(Reason::Undecided) => {
                prop_assert!(mail.forwarded || mail.threads.len() >= 2);
                prop_assert!(!placed.candidates.is_empty());
            }
            Placement::Park(reason) => {
                prop_assert_eq!(*reason, Reason::SeveralDeals);
                prop_assert_eq!(mail.rules.deal_choice, DealChoice::Ask);
                prop_assert!(placed.candidates.len() >= 2);
            }
            Placement::Skip(reason) => prop_assert_eq!(reason.state(), crate::rules::State::Skipped),
        }
    }

    #[test]
    fn every_admitted_message_ends_in_one_of_the_five_states(mail in any_mail()) {
        use crate::rules::State;
        // Queued until the CRM has it, then saved; what it says no to is refused, what cannot be
        // read is quarantined before it is ever placed.
        let state = match mail.placed().placement {
            Placement::File { .. } | Placement::Create { .. } => State::Saved,
            Placement::Park(reason) => {
                prop_assert_eq!(reason.state(), State::Parked);
                State::Parked
            }
            Placement::Skip(reason) => {
                prop_assert_eq!(reason.state(), State::Skipped);
                State::Skipped
            }
        };
        prop_assert!(State::ALL.contains(&state));
    }

    #[test]
    fn the_order_of_the_crms_answers_decides_nothing(mail in any_mail()) {
        let mut turned = mail.clone();
        for known in turned.known.values_mut() {
            known.contacts.reverse();
            known.companies.reverse();
            known.leads.reverse();
            known.hidden.reverse();
            for client in known.contacts.iter_mut().chain(&mut known.companies) {
                client.deals.reverse();
            }
        }
        prop_assert_eq!(mail.placed().placement, turned.placed().placement);
    }

    #[test]
    fn a_readable_card_of_the_first_address_is_never_passed_over_for_a_new_one(mail in any_mail()) {
        let mail = Mail { threads: Vec::new(), codes: Vec::new(), ..mail }.with(|rules| {
            rules.repeat_lead = false;
            rules.always_new_lead_for.clear();
        });
        let known = mail.parties.iter().any(|party| {
            mail.known.get(&party.email).is_some_and(|known| *known != Known::default())
        });
        let created = matches!(mail.placed().placement, Placement::Create { .. });
        prop_assert!(!(known && created));
    }
}
