//! Any mail is admitted or skipped, and mail in the spam folder never belongs in the CRM.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailcrm::folder::Role;
use mailcrm::message;
use mailcrm::rules::admit::{Arrival, Decision, MAX_PARTIES, admit};
use mailcrm::rules::{Creation, DealChoice, Pattern, Policy, RuleSet};

fuzz_target!(|raw: &[u8]| {
    let (flags, mail) = raw.split_first().unwrap_or((&0, raw));
    let message = message::parse(mail).expect("the parser gave up");
    let rules = RuleSet {
        enabled: flags & 1 == 0,
        own: std::sync::Arc::new(["sales@example.com".to_owned()].into()),
        internal_domains: ["example.com".to_owned()].into(),
        exclude: vec![Pattern::new("*@*.newsletter.example")],
        automated: Policy::Attach,
        bounce: Policy::Attach,
        mailing_list: Policy::Skip,
        spam_verdict: Policy::Normal,
        always_new_lead_for: Vec::new(),
        deal_choice: DealChoice::Latest,
        repeat_lead: false,
        on_incoming: Creation::Lead,
        on_outgoing: Creation::Contact,
        history_outgoing: flags & 2 == 0,
    };
    let employees = ["ana@example.com".to_owned()].into();
    for role in Role::ALL {
        let admitted = admit(
            &rules,
            &Arrival {
                message: &message,
                role,
                internal_date: 1_700_000_000,
                window_start: 1_600_000_000,
                employees: (flags & 4 == 0).then_some(&employees),
                first_reading: flags & 8 == 0,
            },
        );
        assert!(admitted.parties.len() <= MAX_PARTIES);
        let queued = matches!(admitted.decision, Decision::Queue { .. });
        assert!(!(queued && role.keeps_out()));
        assert!(!queued || !admitted.parties.is_empty());
    }
});
