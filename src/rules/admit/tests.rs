#![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity)]

mod properties;

use std::sync::Arc;

use super::*;
use crate::message::Classified;
use crate::rules::{Creation, DealChoice, Pattern};

const NOW: i64 = 1_700_000_000;
const WINDOW: i64 = NOW - 7 * 86_400;

fn rules() -> RuleSet {
    RuleSet {
        enabled: true,
        own: Arc::new(
            ["sales@example.com", "info@example.com", "shop+crm@provider.test"]
                .map(str::to_owned)
                .into(),
        ),
        internal_domains: ["example.com".to_owned()].into(),
        exclude: [
            "*@newsletter.example",
            "blocked@client.example",
            "@competitor.example",
            "temp@agency.example",
        ]
        .map(Pattern::new)
        .to_vec(),
        automated: Policy::Attach,
        bounce: Policy::Attach,
        mailing_list: Policy::Attach,
        spam_verdict: Policy::Attach,
        always_new_lead_for: Vec::new(),
        deal_choice: DealChoice::Latest,
        repeat_lead: false,
        on_incoming: Creation::Lead,
        on_outgoing: Creation::Contact,
        history_outgoing: true,
        forwards: false,
    }
}

fn address(text: &str) -> Address {
    match text.strip_suffix('>').and_then(|text| text.split_once(" <")) {
        Some((name, email)) => Address { name: name.to_owned(), email: email.to_owned() },
        None => Address { name: String::new(), email: text.to_owned() },
    }
}

fn addresses(text: &str) -> Vec<Address> {
    text.split(", ").filter(|text| !text.is_empty()).map(address).collect()
}

/// A mail by its header fields, `From: … | To: …`.
fn mail(header: &str) -> Message {
    let mut message = Message {
        original_id: None,
        message_id: Some("1@client.example".to_owned()),
        fingerprint: [0; 32],
        from: None,
        from_more: Vec::new(),
        reply_to: Vec::new(),
        to: Vec::new(),
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: "Price list".to_owned(),
        date: Some(NOW),
        in_reply_to: Vec::new(),
        references: Vec::new(),
        class: Classified { class: Class::Normal, evidence: Vec::new() },
        crm_activity: None,
    };
    for field in header.split(" | ").filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once(": ").expect("a field has a name");
        match name {
            "From" => {
                let mut from = addresses(value).into_iter();
                message.from = from.next();
                message.from_more = from.collect();
            }
            "Reply-To" => message.reply_to = addresses(value),
            "To" => message.to = addresses(value),
            "Cc" => message.cc = addresses(value),
            "Bcc" => message.bcc = addresses(value),
            "Activity" => message.crm_activity = value.parse().ok(),
            _ => panic!("no such field: {name}"),
        }
    }
    message
}

fn classed(header: &str, class: Class) -> Message {
    let evidence = vec![Evidence::new("class", "Auto-Submitted: auto-replied")];
    Message { class: Classified { class, evidence }, ..mail(header) }
}

/// What the body of ordinary mail tells.
static ORDINARY: FromBody = FromBody { failed: Vec::new(), forwarded: Vec::new() };

fn arrival<'a>(message: &'a Message, employees: Option<&'a HashSet<String>>) -> Arrival<'a> {
    Arrival {
        message,
        body: Some(&ORDINARY),
        role: Role::Inbox,
        internal_date: NOW,
        window_start: WINDOW,
        employees,
        first_reading: false,
        by_hand: None,
    }
}

fn employees() -> HashSet<String> {
    ["ana@private.example", "temp@agency.example"].map(str::to_owned).into()
}

fn emails(parties: &[Address]) -> String {
    parties.iter().map(|party| party.email.as_str()).collect::<Vec<_>>().join(", ")
}

const QUEUE: Decision = Decision::Queue { undecided_employees: false };
const UNDECIDED: Decision = Decision::Queue { undecided_employees: true };
const PRICE: &str = "From: Bob <bob@client.example> | To: sales@example.com";
const ANSWER: &str = "From: sales@example.com | To: Bob <bob@client.example>";
const LUNCH: &str = "From: boss@example.com | To: sales@example.com";

#[test]
fn the_first_rule_that_says_no_gives_the_reason() {
    use Reason::*;
    let message = mail(PRICE);
    let own = mail(&format!("{ANSWER} | Activity: 12"));
    let alias = mail(&format!("{PRICE} | Activity: 12"));
    let staff = employees();
    let plain = || arrival(&message, Some(&staff));
    let old = WINDOW - 1;
    let on = rules();
    let off = RuleSet { enabled: false, ..rules() };
    #[rustfmt::skip]
    let cases: Vec<(&str, &RuleSet, Arrival, Decision)> = vec![
        ("inbox",                      &on,  plain(),                                              QUEUE),
        ("archive",                    &on,  Arrival { role: Role::Archive, ..plain() },           QUEUE),
        ("all mail",                   &on,  Arrival { role: Role::All, ..plain() },               QUEUE),
        ("a folder of one's own",      &on,  Arrival { role: Role::Other, ..plain() },             QUEUE),
        ("client's mail in Sent",      &on,  Arrival { role: Role::Sent, ..plain() },              QUEUE),
        ("spam",                       &on,  Arrival { role: Role::Spam, ..plain() },              Decision::Skip(SpamFolder)),
        ("trash",                      &on,  Arrival { role: Role::Trash, ..plain() },             Decision::Skip(TrashFolder)),
        ("drafts",                     &on,  Arrival { role: Role::Drafts, ..plain() },            Decision::Skip(DraftsFolder)),
        ("spam before all else",       &off, Arrival { role: Role::Spam, internal_date: old, ..plain() }, Decision::Skip(SpamFolder)),
        ("integration off",            &off, plain(),                                              Decision::Skip(CrmOff)),
        ("off before history",         &off, Arrival { internal_date: old, ..plain() },            Decision::Skip(CrmOff)),
        ("older than the window",      &on,  Arrival { internal_date: old, ..plain() },            Decision::Skip(BeforeHistory)),
        ("first second of the window", &on,  Arrival { internal_date: WINDOW, ..plain() },         QUEUE),
        ("history, incoming",          &on,  Arrival { first_reading: true, ..plain() },           QUEUE),
        ("history before own mail",    &on,  Arrival { message: &own, internal_date: old, ..plain() }, Decision::Skip(BeforeHistory)),
        ("sent by the CRM",            &on,  Arrival { message: &own, ..plain() },                 Decision::Skip(OwnCrmMail)),
        ("sent under an unknown alias", &on, Arrival { message: &alias, role: Role::Sent, ..plain() }, Decision::Skip(OwnCrmMail)),
        ("a client's own Bitrix24",    &on,  Arrival { message: &alias, ..plain() },               QUEUE),
        ("its copy in Sent",           &on,  Arrival { message: &own, role: Role::Sent, ..plain() }, Decision::Skip(OwnCrmMail)),
    ];
    for (name, rules, arrival, decision) in cases {
        assert_eq!(admit(rules, &arrival).decision, decision, "{name}");
    }
}

#[test]
fn what_is_saved_by_hand_is_kept_out_only_if_it_could_not_be_filed_at_all() {
    use Reason::*;
    let staff = employees();
    let off =
        RuleSet { enabled: false, automated: Policy::Skip, history_outgoing: false, ..rules() };
    let newsletter = "From: x@newsletter.example | To: sales@example.com";
    let to_excluded = "From: sales@example.com | To: x@newsletter.example";
    let own = format!("{ANSWER} | Activity: 12");
    let robot = classed(PRICE, Class::Automated);
    let known = Some(&staff);
    #[rustfmt::skip]
    let cases: Vec<(&str, Message, Role, i64, Option<&HashSet<String>>, Decision, &str)> = vec![
        ("integration off",         mail(PRICE),       Role::Inbox,  NOW,          known, QUEUE,     "bob@client.example"),
        ("spam",                    mail(PRICE),       Role::Spam,   NOW,          known, QUEUE,     "bob@client.example"),
        ("trash",                   mail(PRICE),       Role::Trash,  NOW,          known, QUEUE,     "bob@client.example"),
        ("drafts",                  mail(ANSWER),      Role::Drafts, NOW,          known, QUEUE,     "bob@client.example"),
        ("before the window",       mail(PRICE),       Role::Inbox,  WINDOW - 1,   known, QUEUE,     "bob@client.example"),
        ("sent before the window",  mail(ANSWER),      Role::Sent,   WINDOW - 1,   known, QUEUE,     "bob@client.example"),
        ("excluded sender",         mail(newsletter),  Role::Inbox,  NOW,          known, QUEUE,     "x@newsletter.example"),
        ("excluded recipient",      mail(to_excluded), Role::Sent,   NOW,          known, QUEUE,     "x@newsletter.example"),
        ("class with policy skip",  robot,             Role::Inbox,  NOW,          known, QUEUE,     "bob@client.example"),
        ("employees unknown",       mail(PRICE),       Role::Inbox,  NOW,          None,  UNDECIDED, "bob@client.example"),
        ("colleagues alone",        mail(LUNCH),       Role::Inbox,  NOW,          known, Decision::Skip(Internal), ""),
        ("no address",              mail(""),          Role::Inbox,  NOW,          known, Decision::Skip(NoAddress), ""),
        ("the CRM's own mail",      mail(&own),        Role::Sent,   NOW,          known, Decision::Skip(OwnCrmMail), "bob@client.example"),
    ];
    for (name, message, role, internal_date, employees, decision, parties) in cases {
        let arrival = Arrival {
            role,
            internal_date,
            first_reading: true,
            by_hand: Some("saved by hand: lies in CRM"),
            ..arrival(&message, employees)
        };
        let admitted = admit(&off, &arrival);
        assert_eq!(admitted.decision, decision, "{name}: {:?}", admitted.evidence);
        assert_eq!(emails(&admitted.parties), parties, "{name}");
        assert_eq!(admitted.class_policy, Policy::Normal, "{name}");
        assert!(admitted.by_hand, "{name}");
        let save = Evidence::new("save", "saved by hand: lies in CRM");
        assert_eq!(admitted.evidence.first(), Some(&save), "{name}");
    }
}

#[test]
fn a_message_is_filed_for_those_outside_the_company() {
    use Direction::*;
    let internal = Decision::Skip(Reason::Internal);
    let excluded = Decision::Skip(Reason::Excluded);
    let nobody = Decision::Skip(Reason::NoAddress);
    #[rustfmt::skip]
    let cases: &[(&str, &str, Direction, Decision, &str)] = &[
        ("client writes",             PRICE, Incoming, QUEUE, "bob@client.example"),
        ("we write",                  ANSWER, Outgoing, QUEUE, "bob@client.example"),
        ("colleagues",                LUNCH, Outgoing, internal, ""),
        ("own address with a tag",    "From: sales+web@example.com | To: bob@client.example", Outgoing, QUEUE, "bob@client.example"),
        ("tagged own, without tag",   "From: shop@provider.test | To: bob@client.example", Outgoing, QUEUE, "bob@client.example"),
        ("tagged own, other tag",     "From: shop+x@provider.test | To: bob@client.example", Outgoing, QUEUE, "bob@client.example"),
        ("a provider is no company",  "From: other@provider.test | To: sales@example.com", Incoming, QUEUE, "other@provider.test"),
        ("a tag alone is no address", "From: +49301234@provider.test | To: sales@example.com", Incoming, QUEUE, "+49301234@provider.test"),
        ("subdomain is outside",      "From: x@mail.example.com | To: sales@example.com", Incoming, QUEUE, "x@mail.example.com"),
        ("employee from home",        "From: ana@private.example | To: bob@client.example", Outgoing, QUEUE, "bob@client.example"),
        ("employee to colleagues",    "From: ana@private.example | To: sales@example.com", Outgoing, internal, ""),
        ("client to all of us",       "From: bob@client.example | To: sales@example.com, ana@private.example | Cc: boss@example.com", Incoming, QUEUE, "bob@client.example"),
        ("order, incoming",           "From: b@c.example | Reply-To: a@c.example | Cc: d@c.example | To: sales@example.com, c@c.example | Bcc: e@c.example", Incoming, QUEUE, "a@c.example, b@c.example, c@c.example, d@c.example"),
        ("order, outgoing",           "From: sales@example.com | Bcc: e@c.example | Cc: d@c.example | To: c@c.example | Reply-To: a@c.example", Outgoing, QUEUE, "c@c.example, d@c.example, e@c.example"),
        ("own Reply-To",              "From: bob@client.example | Reply-To: sales@example.com | To: sales@example.com", Incoming, QUEUE, "bob@client.example"),
        ("several senders",           "From: b@c.example, x@c.example | To: y@c.example", Incoming, QUEUE, "b@c.example, x@c.example, y@c.example"),
        ("the same address twice",    "From: b@c.example | Reply-To: b@c.example | Cc: b@c.example", Incoming, QUEUE, "b@c.example"),
        ("blind copy only",           "From: sales@example.com | Bcc: bob@client.example", Outgoing, QUEUE, "bob@client.example"),
        ("own form with Reply-To",    "From: info@example.com | Reply-To: bob@client.example | To: sales@example.com", Outgoing, internal, ""),
        ("no address at all",         "", Incoming, nobody, ""),
        ("no sender, but a client",   "To: sales@example.com, bob@client.example", Incoming, QUEUE, "bob@client.example"),
        ("no sender, only us",        "To: sales@example.com", Incoming, internal, ""),
        ("sender and nobody else",    "From: bob@client.example", Incoming, QUEUE, "bob@client.example"),
        ("own and nobody else",       "From: sales@example.com", Outgoing, internal, ""),
        ("client's own Bitrix24",     "From: bob@client.example | To: sales@example.com | Activity: 12", Incoming, QUEUE, "bob@client.example"),
        ("excluded domain",           "From: x@newsletter.example | To: sales@example.com", Incoming, excluded, "x@newsletter.example"),
        ("excluded sender, more in Cc", "From: x@competitor.example | To: sales@example.com | Cc: bob@client.example", Incoming, excluded, "x@competitor.example, bob@client.example"),
        ("excluded Cc stays",         "From: bob@client.example | Cc: x@competitor.example", Incoming, QUEUE, "bob@client.example, x@competitor.example"),
        ("excluded Reply-To stays",   "From: bob@client.example | Reply-To: blocked@client.example", Incoming, QUEUE, "blocked@client.example, bob@client.example"),
        ("one recipient excluded",    "From: sales@example.com | To: blocked@client.example, bob@client.example", Outgoing, QUEUE, "bob@client.example"),
        ("all recipients excluded",   "From: sales@example.com | To: blocked@client.example | Cc: x@competitor.example", Outgoing, excluded, "blocked@client.example, x@competitor.example"),
        ("excluded employee: internal", "From: sales@example.com | To: temp@agency.example", Outgoing, internal, ""),
    ];
    let staff = employees();
    for (name, header, direction, decision, parties) in cases {
        let message = mail(header);
        let admitted = admit(&rules(), &arrival(&message, Some(&staff)));
        assert_eq!(admitted.direction, *direction, "{name}");
        assert_eq!(admitted.decision, *decision, "{name}: {:?}", admitted.evidence);
        assert_eq!(emails(&admitted.parties), *parties, "{name}");
    }
}

#[test]
fn while_the_employees_are_unknown_only_what_is_certain_is_skipped() {
    let internal = Decision::Skip(Reason::Internal);
    let excluded = Decision::Skip(Reason::Excluded);
    let on = rules();
    let strict = RuleSet { automated: Policy::Skip, ..rules() };
    #[rustfmt::skip]
    let cases: &[(&str, &RuleSet, Message, Decision)] = &[
        ("client or employee?",            &on,     mail(PRICE), UNDECIDED),
        ("we write to somebody",           &on,     mail(ANSWER), UNDECIDED),
        ("employee to colleagues",         &on,     mail("From: ana@private.example | To: sales@example.com"), UNDECIDED),
        ("own domains only",               &on,     mail(LUNCH), internal),
        ("no address",                     &on,     mail(""), Decision::Skip(Reason::NoAddress)),
        ("excluded, whoever it is",        &on,     mail("From: x@newsletter.example | To: sales@example.com"), excluded),
        ("excluded, unless an employee",   &on,     mail("From: temp@agency.example | To: bob@client.example"), UNDECIDED),
        ("excluded on both sides",         &on,     mail("From: temp@agency.example | To: x@competitor.example"), excluded),
        ("excluded recipients",            &on,     mail("From: sales@example.com | To: x@competitor.example"), excluded),
        ("robot, known cards only",        &on,     classed(PRICE, Class::Automated), UNDECIDED),
        ("robot, never filed",             &strict, classed(PRICE, Class::Automated), Decision::Skip(Reason::Automated)),
        ("sent by the CRM",                &on,     mail(&format!("{ANSWER} | Activity: 12")), Decision::Skip(Reason::OwnCrmMail)),
        ("by an employee with the CRM?",   &on,     mail("From: ana@private.example | To: bob@client.example | Activity: 12"), UNDECIDED),
    ];
    for (name, rules, message, decision) in cases {
        let admitted = admit(rules, &arrival(message, None));
        assert_eq!(admitted.decision, *decision, "{name}: {:?}", admitted.evidence);
    }
    let spam = Arrival { role: Role::Spam, ..arrival(&cases[0].2, None) };
    assert_eq!(admit(&on, &spam).decision, Decision::Skip(Reason::SpamFolder));
}

#[test]
fn each_class_has_its_own_policy() {
    use Class::*;
    let skip = |class| RuleSet {
        bounce: if class == Bounce { Policy::Skip } else { Policy::Normal },
        automated: if class == Automated { Policy::Skip } else { Policy::Normal },
        mailing_list: if class == MailingList { Policy::Skip } else { Policy::Normal },
        spam_verdict: if class == SpamVerdict { Policy::Skip } else { Policy::Normal },
        ..rules()
    };
    let staff = employees();
    #[rustfmt::skip]
    let cases = [
        ("bounce skipped",        skip(Bounce),      Bounce,      Decision::Skip(Reason::Bounce),      Policy::Skip),
        ("automated skipped",     skip(Automated),   Automated,   Decision::Skip(Reason::Automated),   Policy::Skip),
        ("list skipped",          skip(MailingList), MailingList, Decision::Skip(Reason::MailingList), Policy::Skip),
        ("verdict skipped",       skip(SpamVerdict), SpamVerdict, Decision::Skip(Reason::SpamVerdict), Policy::Skip),
        ("bounce as any mail",    skip(Automated),   Bounce,      QUEUE,                               Policy::Normal),
        ("automated as any mail", skip(Bounce),      Automated,   QUEUE,                               Policy::Normal),
        ("default: known cards",  rules(),           MailingList, QUEUE,                               Policy::Attach),
        ("ordinary mail",         skip(Bounce),      Normal,      QUEUE,                               Policy::Normal),
    ];
    for (name, rules, class, decision, policy) in cases {
        let message = classed(PRICE, class);
        let admitted = admit(&rules, &arrival(&message, Some(&staff)));
        assert_eq!((admitted.decision, admitted.class_policy), (decision, policy), "{name}");
    }
    let excluded = classed("From: x@newsletter.example", MailingList);
    assert_eq!(
        admit(&skip(MailingList), &arrival(&excluded, Some(&staff))).decision,
        Decision::Skip(Reason::Excluded),
        "an exclusion is asked before the class"
    );
}

#[test]
fn sent_mail_of_the_history_can_be_left_out() {
    let staff = employees();
    let without = RuleSet { history_outgoing: false, ..rules() };
    let before = Decision::Skip(Reason::BeforeHistory);
    #[rustfmt::skip]
    let cases: &[(&str, &RuleSet, &str, bool, Option<&HashSet<String>>, Decision)] = &[
        ("sent, of the history",       &without, ANSWER, true,  Some(&staff), before),
        ("sent, later",                &without, ANSWER, false, Some(&staff), QUEUE),
        ("received, of the history",   &without, PRICE,  true,  Some(&staff), QUEUE),
        ("sent, and wanted",           &rules(), ANSWER, true,  Some(&staff), QUEUE),
        ("sent, employees unknown",    &without, ANSWER, true,  None,         before),
        ("perhaps sent by an employee", &without, "From: ana@private.example | To: bob@client.example", true, None, UNDECIDED),
    ];
    for (name, rules, header, first_reading, employees, decision) in cases {
        let message = mail(header);
        let arrival = Arrival { first_reading: *first_reading, ..arrival(&message, *employees) };
        assert_eq!(admit(rules, &arrival).decision, *decision, "{name}");
    }
}

#[test]
fn the_evidence_names_the_rules_that_spoke() {
    let staff = employees();
    #[rustfmt::skip]
    let cases: &[(&str, Message, &str)] = &[
        ("incoming",  mail(PRICE), "direction: incoming: bob@client.example is not of the company"),
        ("outgoing",  mail(ANSWER), "direction: outgoing: sales@example.com is an own address"),
        ("domain",    mail("From: x@example.com | To: b@c.example"), "direction: outgoing: x@example.com is in an internal domain"),
        ("employee",  mail("From: ana@private.example | To: b@c.example"), "direction: outgoing: ana@private.example is an employee"),
        ("internal",  mail(LUNCH), "internal: no external participant: boss@example.com is in an internal domain, sales@example.com is an own address"),
        ("no sender", mail("To: sales@example.com"), "internal: no sender can be read and nobody else is external: sales@example.com is an own address"),
        ("excluded",  mail("From: x@newsletter.example"), "exclude: the sender x@newsletter.example is excluded by *@newsletter.example"),
        ("dropped",   mail("From: sales@example.com | To: b@c.example, blocked@client.example"), "exclude: dropped blocked@client.example"),
        ("class",     classed(PRICE, Class::Automated), "class: Auto-Submitted: auto-replied"),
        ("policy",    classed(PRICE, Class::Automated), "class: automated: filed on a known card only, nothing is made for it"),
        ("own mail",  mail(&format!("{ANSWER} | Activity: 12")), "own-crm-mail: sent by the CRM itself as activity 12"),
    ];
    for (name, message, expected) in cases {
        let evidence = admit(&rules(), &arrival(message, Some(&staff))).evidence;
        let said: Vec<String> =
            evidence.iter().map(|said| format!("{}: {}", said.rule, said.fact)).collect();
        assert!(said.contains(&(*expected).to_owned()), "{name}: {said:?}");
    }
    let message = mail(PRICE);
    let old = Arrival { internal_date: WINDOW - 90_000, ..arrival(&message, None) };
    let evidence = admit(&rules(), &old).evidence;
    assert_eq!(evidence, [Evidence::new("history", "arrived 2 days before the history begins")]);
}

#[test]
fn at_most_twenty_addresses_are_parties_and_the_rest_is_named() {
    let many: Vec<String> = (1..=23).map(|n| format!("p{n}@client.example")).collect();
    let message = mail(&format!("From: sales@example.com | To: {}", many.join(", ")));
    let admitted = admit(&rules(), &arrival(&message, Some(&employees())));
    assert_eq!(emails(&admitted.parties), many[..20].join(", "));
    let rest = Evidence::new(
        "parties",
        "3 further addresses are not looked up: p21@client.example, p22@client.example, \
         p23@client.example",
    );
    assert!(admitted.evidence.contains(&rest), "{:?}", admitted.evidence);
}

#[test]
fn excluded_recipients_do_not_count_among_the_twenty() {
    let to: Vec<String> = (1..=15)
        .flat_map(|n| [format!("x{n}@competitor.example"), format!("p{n}@client.example")])
        .collect();
    let message = mail(&format!("From: sales@example.com | To: {}", to.join(", ")));
    let admitted = admit(&rules(), &arrival(&message, Some(&employees())));
    assert_eq!(admitted.parties.len(), 15);
    assert!(admitted.parties.iter().all(|party| party.email.ends_with("@client.example")));
}

#[test]
fn evidence_of_an_endless_address_list_has_an_end() {
    let many: Vec<String> = (0..20_000).map(|n| format!("person{n}@client.example")).collect();
    let message = mail(&format!("From: sales@example.com | To: {}", many.join(", ")));
    let evidence = admit(&rules(), &arrival(&message, Some(&employees()))).evidence;
    let length: usize = evidence.iter().map(|said| said.fact.len()).sum();
    assert!(length < 40_000, "{length} bytes");
    assert!(evidence.iter().any(|said| said.fact.ends_with(" more")));
}

#[test]
fn a_party_keeps_the_first_name_that_any_header_gives() {
    let message = mail(
        "From: Bob Blau <bob@client.example> | Reply-To: bob@client.example | To: x@c.example",
    );
    let admitted = admit(&rules(), &arrival(&message, Some(&employees())));
    assert_eq!(admitted.parties[0], address("Bob Blau <bob@client.example>"));
}

#[test]
fn a_bounce_is_about_whom_it_names_and_never_ours() {
    let failed = |emails: &str| FromBody { failed: addresses(emails), ..FromBody::default() };
    let ours = "From: mailer-daemon@example.com | To: sales@example.com";
    let theirs = "From: mailer-daemon@mx.client.example | To: sales@example.com";
    let internal = Decision::Skip(Reason::Internal);
    let excluded = Decision::Skip(Reason::Excluded);
    #[rustfmt::skip]
    let cases: &[(&str, &str, Option<FromBody>, Decision, &str)] = &[
        ("our server's, header only",  ours,   None,                               QUEUE,    ""),
        ("our server's, about Bob",    ours,   Some(failed("bob@client.example")), QUEUE,    "bob@client.example"),
        ("our server's, about us",     ours,   Some(failed("boss@example.com")),   internal, ""),
        ("our server's, about nobody", ours,   Some(failed("")),                   internal, ""),
        ("theirs, about Bob",          theirs, Some(failed("bob@client.example")), QUEUE,    "bob@client.example, mailer-daemon@mx.client.example"),
        ("theirs, says nothing",       theirs, Some(failed("")),                   QUEUE,    "mailer-daemon@mx.client.example"),
        ("by who is excluded",         "From: x@competitor.example", Some(failed("bob@client.example")), excluded, "bob@client.example, x@competitor.example"),
    ];
    let staff = employees();
    for (name, header, body, decision, parties) in cases {
        let message = classed(header, Class::Bounce);
        let arrival = Arrival { body: body.as_ref(), ..arrival(&message, Some(&staff)) };
        let admitted = admit(&rules(), &arrival);
        assert_eq!(admitted.direction, Direction::Incoming, "{name}");
        assert_eq!(admitted.decision, *decision, "{name}: {:?}", admitted.evidence);
        assert_eq!(emails(&admitted.parties), *parties, "{name}");
    }
}

#[test]
fn a_forward_counts_as_the_mail_of_whom_it_forwards_where_that_is_wanted() {
    let on = RuleSet { forwards: true, ..rules() };
    let of = |emails: &str| FromBody { forwarded: addresses(emails), ..FromBody::default() };
    let internal = Decision::Skip(Reason::Internal);
    let excluded = Decision::Skip(Reason::Excluded);
    use Direction::*;
    #[rustfmt::skip]
    let cases: &[(&str, &RuleSet, &str, Option<FromBody>, Direction, Decision, &str)] = &[
        ("off",                    &rules(), LUNCH,  Some(of("bob@client.example")), Outgoing, internal, ""),
        ("off, header only",       &rules(), LUNCH,  None,                           Outgoing, internal, ""),
        ("on, header only",        &on,      LUNCH,  None,                           Outgoing, QUEUE,    ""),
        ("a customer's mail",      &on,      LUNCH,  Some(of("bob@client.example")), Incoming, QUEUE,    "bob@client.example"),
        ("two customers' mails",   &on,      LUNCH,  Some(of("bob@client.example, eve@client.example")), Incoming, QUEUE, "bob@client.example, eve@client.example"),
        ("a colleague's mail",     &on,      LUNCH,  Some(of("ana@private.example")), Outgoing, internal, ""),
        ("no forward",             &on,      LUNCH,  Some(of("")),                   Outgoing, internal, ""),
        ("an excluded customer's", &on,      LUNCH,  Some(of("x@competitor.example")), Incoming, excluded, "x@competitor.example"),
        ("to a client",            &on,      ANSWER, Some(of("eve@client.example")), Outgoing, QUEUE,    "bob@client.example"),
        ("by a client",            &on,      PRICE,  Some(of("eve@client.example")), Incoming, QUEUE,    "bob@client.example"),
    ];
    let staff = employees();
    for (name, rules, header, body, direction, decision, parties) in cases {
        let message = mail(header);
        let arrival = Arrival { body: body.as_ref(), ..arrival(&message, Some(&staff)) };
        let admitted = admit(rules, &arrival);
        assert_eq!(admitted.direction, *direction, "{name}");
        assert_eq!(admitted.decision, *decision, "{name}: {:?}", admitted.evidence);
        assert_eq!(emails(&admitted.parties), *parties, "{name}");
        assert_eq!(
            admitted.forwarded,
            *decision != internal && *direction == Incoming && !header.contains("From: Bob"),
            "{name}"
        );
    }
}

#[test]
fn by_its_header_alone_nothing_is_skipped_that_the_body_may_save() {
    let strict = RuleSet { automated: Policy::Skip, mailing_list: Policy::Skip, ..rules() };
    let stricter = RuleSet { bounce: Policy::Skip, ..strict.clone() };
    let forwards = RuleSet { forwards: true, history_outgoing: false, ..rules() };
    let internal = Decision::Skip(Reason::Internal);
    let postmaster = mail("From: postmaster@example.com | To: sales@example.com");
    #[rustfmt::skip]
    let cases: &[(&str, &RuleSet, Message, Decision, Decision)] = &[
        ("robot, perhaps a bounce",      &strict,   classed(PRICE, Class::Automated),   QUEUE,    Decision::Skip(Reason::Automated)),
        ("list, perhaps a bounce",       &strict,   classed(PRICE, Class::MailingList), QUEUE,    Decision::Skip(Reason::MailingList)),
        ("bounces are skipped as well",  &stricter, classed(PRICE, Class::Automated),   Decision::Skip(Reason::Automated), Decision::Skip(Reason::Automated)),
        ("own postmaster",               &rules(),  postmaster,                         QUEUE,    internal),
        ("own colleague",                &rules(),  mail(LUNCH),                        internal, internal),
        ("history, perhaps a forward",   &forwards, mail(LUNCH),                        QUEUE,    Decision::Skip(Reason::BeforeHistory)),
    ];
    let staff = employees();
    for (name, rules, message, by_header, by_all) in cases {
        let whole = Arrival { first_reading: true, ..arrival(message, Some(&staff)) };
        let header = Arrival { body: None, ..whole };
        assert_eq!(admit(rules, &header).decision, *by_header, "{name}");
        assert_eq!(admit(rules, &whole).decision, *by_all, "{name}");
    }
}
