//! What holds for any input.

use proptest::prelude::*;

use super::*;

fn any_address() -> impl Strategy<Value = Address> {
    let email = prop_oneof![
        Just("sales@example.com".to_owned()),
        Just("x@example.com".to_owned()),
        Just("ana@private.example".to_owned()),
        Just("x@newsletter.example".to_owned()),
        "[ab+]{1,3}@client.example",
        ".{0,12}",
    ];
    ("[A-Z]?", email).prop_map(|(name, email)| Address { name, email })
}

fn any_message() -> impl Strategy<Value = Message> {
    let list = || prop::collection::vec(any_address(), 0..30);
    let class = prop_oneof![
        Just(Class::Normal),
        Just(Class::Bounce),
        Just(Class::Automated),
        Just(Class::MailingList),
        Just(Class::SpamVerdict),
    ];
    (
        prop::option::of(any_address()),
        list(),
        list(),
        list(),
        list(),
        list(),
        class,
        prop::option::of(any::<u64>()),
    )
        .prop_map(|(from, from_more, reply_to, to, cc, bcc, class, crm_activity)| Message {
            from,
            from_more,
            reply_to,
            to,
            cc,
            bcc,
            class: Classified { class, evidence: Vec::new() },
            crm_activity,
            ..mail("")
        })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    prop_oneof![Just(Policy::Skip), Just(Policy::Attach), Just(Policy::Normal)]
}

proptest! {
    #[test]
    fn nothing_in_spam_is_ever_queued_by_itself(
        message in any_message(),
        internal_date in any::<i64>(),
        window_start in any::<i64>(),
        known in any::<bool>(),
        first_reading in any::<bool>(),
        enabled in any::<bool>(),
    ) {
        let staff = employees();
        let arrival = Arrival {
            body: None,
            message: &message,
            role: Role::Spam,
            internal_date,
            window_start,
            employees: known.then_some(&staff),
            first_reading,
            by_hand: None,
        };
        let rules = RuleSet { enabled, ..rules() };
        prop_assert_eq!(admit(&rules, &arrival).decision, Decision::Skip(Reason::SpamFolder));
    }

    #[test]
    fn any_message_is_decided_and_its_parties_are_few_external_and_different(
        message in any_message(),
        internal_date in any::<i64>(),
        policy in any_policy(),
        first_reading in any::<bool>(),
        history_outgoing in any::<bool>(),
    ) {
        let staff = employees();
        let rules = RuleSet { automated: policy, bounce: policy, history_outgoing, ..rules() };
        let arrival =
            Arrival { internal_date, first_reading, ..arrival(&message, Some(&staff)) };
        let admitted = admit(&rules, &arrival);
        let distinct: HashSet<&str> =
            admitted.parties.iter().map(|party| party.email.as_str()).collect();
        prop_assert_eq!(distinct.len(), admitted.parties.len());
        prop_assert!(admitted.parties.len() <= MAX_PARTIES);
        for party in &admitted.parties {
            prop_assert!(!party.email.ends_with("@example.com"));
            prop_assert!(!staff.contains(&party.email));
        }
        if admitted.decision == QUEUE {
            prop_assert!(!admitted.parties.is_empty());
        }
    }

    #[test]
    fn what_is_skipped_without_the_employees_is_skipped_with_any(
        message in any_message(),
        others in prop::collection::vec(any_address(), 0..5),
        policy in any_policy(),
        first_reading in any::<bool>(),
    ) {
        let rules = RuleSet { automated: policy, history_outgoing: false, ..rules() };
        let unknown = Arrival { first_reading, ..arrival(&message, None) };
        let early = admit(&rules, &unknown);
        prop_assert!(early.decision != QUEUE);
        let mut staff = employees();
        staff.extend(others.into_iter().map(|other| other.email));
        staff.extend(message.from.iter().map(|from| from.email.clone()));
        for staff in [HashSet::new(), staff] {
            let late = admit(&rules, &Arrival { employees: Some(&staff), ..unknown });
            if let Decision::Skip(reason) = early.decision {
                prop_assert!(
                    matches!(late.decision, Decision::Skip(_)),
                    "{} at first, then {:?}", reason, late.decision
                );
            }
        }
    }
}
