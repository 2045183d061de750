#![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity)]

mod properties;

use super::*;
use crate::card::{CardKind, Client, OpenCard};
use crate::rules::{DealChoice, Pattern};

const BOB: &str = "bob@client.example";
const EVE: &str = "eve@client.example";

fn card(text: &str) -> CardRef {
    let (kind, id) = text.split_once(':').expect("a card is kind:id");
    CardRef {
        kind: CardKind::parse(kind).expect("a known kind"),
        id: id.parse().expect("a number"),
    }
}

fn cards(text: &str) -> Vec<CardRef> {
    text.split_whitespace().map(card).collect()
}

/// `deal:9@50` was changed at 50; its responsible is 900, to tell cards apart.
fn open(text: &str) -> OpenCard {
    let (text, at) = text.split_once('@').unwrap_or((text, "0"));
    let card = card(text);
    OpenCard { card, responsible: card.id * 100, updated_at: at.parse().expect("seconds") }
}

/// `contact:5@10 deal:9@50 deal:8@40`: a client and the open deals of that client.
fn client(text: &str) -> Client {
    let mut parts = text.split_whitespace().map(open);
    let OpenCard { card, responsible, updated_at } = parts.next().expect("a client");
    Client { card, responsible, updated_at, deals: parts.collect() }
}

/// `contact:5 deal:9, lead:3, hidden contact:6`: what the CRM knows of an address.
fn known(text: &str) -> Known {
    let mut known = Known::default();
    for part in text.split(", ").filter(|part| !part.is_empty()) {
        if let Some(hidden) = part.strip_prefix("hidden ") {
            known.hidden.push(card(hidden));
        } else if part.starts_with("lead:") {
            known.leads.push(open(part));
        } else if part.starts_with("contact:") {
            known.contacts.push(client(part));
        } else {
            known.companies.push(client(part));
        }
    }
    known
}

/// `open deal:9 of contact:5`, `closed lead:3`, `converted lead:3 to deal:9`, `gone deal:9`,
/// `hidden deal:9`.
fn now(text: &str) -> CardNow {
    let words: Vec<&str> = text.split_whitespace().collect();
    let here = |text: &str, open: bool, deal: Option<&str>, client: Option<&str>| CardNow::Here {
        card: card(text),
        responsible: card(text).id * 100,
        open,
        deal: deal.map(self::open),
        client: client.map(card),
    };
    match words.as_slice() {
        ["gone", text] => CardNow::Gone { card: card(text) },
        ["hidden", text] => CardNow::Hidden { card: card(text) },
        ["open", text] => here(text, true, None, None),
        ["open", text, "of", client] => here(text, true, None, Some(client)),
        ["closed", text] => here(text, false, None, None),
        ["closed", text, "of", client] => here(text, false, None, Some(client)),
        ["converted", text, "to", deal] => here(text, false, Some(deal), None),
        ["converted", text, "to", deal, "of", client] => {
            here(text, false, Some(deal), Some(client))
        }
        _ => panic!("no such card: {text}"),
    }
}

fn thread(text: &str) -> Thread {
    let cards = text.split(", ").filter(|text| !text.is_empty()).map(now).collect();
    Thread { what: "message 42 <1@example.com>".to_owned(), cards }
}

fn rules() -> RuleSet {
    RuleSet {
        enabled: true,
        own: Default::default(),
        internal_domains: HashSet::new(),
        exclude: Vec::new(),
        automated: Policy::Attach,
        bounce: Policy::Attach,
        mailing_list: Policy::Attach,
        spam_verdict: Policy::Attach,
        always_new_lead_for: vec![Pattern::new("forms@portal.example")],
        deal_choice: DealChoice::Latest,
        repeat_lead: false,
        on_incoming: Creation::Lead,
        on_outgoing: Creation::Contact,
        history_outgoing: true,
        forwards: false,
    }
}

fn person(email: &str) -> Address {
    Address { name: String::new(), email: email.to_owned() }
}

/// One message to be placed: an incoming mail of Bob's unless it says otherwise.
#[derive(Clone, Debug)]
struct Mail {
    rules: RuleSet,
    direction: Direction,
    class: Class,
    policy: Policy,
    sender: Address,
    reply: bool,
    parties: Vec<Address>,
    threads: Vec<Thread>,
    codes: Vec<Coded>,
    forwarded: bool,
    by_hand: bool,
    known: HashMap<String, Known>,
    has_leads: bool,
}

impl Mail {
    fn from_bob() -> Mail {
        Mail {
            rules: rules(),
            direction: Direction::Incoming,
            class: Class::Normal,
            policy: Policy::Normal,
            sender: person(BOB),
            reply: false,
            parties: vec![person(BOB)],
            threads: Vec::new(),
            codes: Vec::new(),
            forwarded: false,
            by_hand: false,
            known: HashMap::new(),
            has_leads: true,
        }
    }

    fn to_bob() -> Mail {
        let sender = person("sales@example.com");
        Mail { direction: Direction::Outgoing, sender, ..Mail::from_bob() }
    }

    /// A web form that Bob filled in.
    fn from_form() -> Mail {
        let parties = vec![person(BOB), person("forms@portal.example")];
        Mail { sender: person("forms@portal.example"), parties, ..Mail::from_bob() }
    }

    fn with_parties(self, emails: &[&str]) -> Mail {
        Mail { parties: emails.iter().map(|email| person(email)).collect(), ..self }
    }

    fn known_as(mut self, email: &str, text: &str) -> Mail {
        self.known.insert(email.to_owned(), known(text));
        self
    }

    fn bob_is(self, text: &str) -> Mail {
        self.known_as(BOB, text)
    }

    fn answering(self, text: &str) -> Mail {
        Mail { reply: true, threads: vec![thread(text)], ..self }
    }

    fn with(mut self, change: impl Fn(&mut RuleSet)) -> Mail {
        change(&mut self.rules);
        self
    }

    fn choosing(self, choice: DealChoice) -> Mail {
        self.with(|rules| rules.deal_choice = choice)
    }

    fn of_class(self, class: Class) -> Mail {
        Mail { policy: self.rules.policy(class), class, ..self }
    }

    fn placed(&self) -> Placed {
        place(&Situation {
            rules: &self.rules,
            direction: self.direction,
            policy: self.policy,
            class: self.class,
            sender: Some(&self.sender),
            reply: self.reply,
            parties: &self.parties,
            forwarded: self.forwarded,
            by_hand: self.by_hand,
            threads: &self.threads,
            codes: &self.codes,
            known: &self.known,
            has_leads: self.has_leads,
        })
    }
}

/// A placement in one line, as the tables write it.
fn line(placement: &Placement) -> String {
    match placement {
        Placement::File { owner, responsible, bound, client } => {
            assert_eq!(*responsible, owner.id * 100, "the responsible is the owner's");
            let mut line = format!("on {owner}");
            for card in bound {
                line.push_str(&format!(" and {card}"));
            }
            if let Some((email, card)) = client {
                let name = email.split('@').next().expect("a local part");
                line.push_str(&format!(", {name} is {card}"));
            }
            line
        }
        Placement::Create { what, party, client } => {
            let name = party.email.split('@').next().expect("a local part");
            let client = client.map(|card| format!(" of {card}")).unwrap_or_default();
            format!("new {what:?} for {name}{client}").to_lowercase()
        }
        Placement::Park(reason) => format!("parked {reason}"),
        Placement::Skip(reason) => format!("skipped {reason}"),
    }
}

fn lost(placed: &Placed) -> Vec<CardRef> {
    placed.candidates.iter().map(|candidate| candidate.card).collect()
}

/// Each row: a name, the mail, where it goes, the cards that lost in their order.
fn check(cases: Vec<(&str, Mail, &str, &str)>) {
    for (name, mail, goes, losers) in cases {
        let placed = mail.placed();
        assert_eq!(line(&placed.placement), goes, "{name}: {:?}", placed.evidence);
        assert_eq!(lost(&placed), cards(losers), "{name}");
        assert!(!placed.evidence.is_empty(), "{name} says nothing");
    }
}

#[test]
fn the_first_address_with_a_card_decides_whose_mail_it_is() {
    let both = || Mail::from_bob().with_parties(&[BOB, EVE]);
    #[rustfmt::skip]
    check(vec![
        ("contact",                  Mail::from_bob().bob_is("contact:5"),                            "on contact:5, bob is contact:5", ""),
        ("company",                  Mail::from_bob().bob_is("company:6"),                            "on company:6, bob is company:6", ""),
        ("open lead",                Mail::from_bob().bob_is("lead:3"),                               "on lead:3, bob is lead:3", ""),
        ("contact before company",   Mail::from_bob().bob_is("company:6, contact:5"),                 "on contact:5, bob is contact:5", "company:6"),
        ("contact before a company with a deal", Mail::from_bob().bob_is("company:6 deal:9, contact:5"), "on contact:5, bob is contact:5", "company:6"),
        ("company before lead",      Mail::from_bob().bob_is("lead:3, company:6"),                    "on company:6, bob is company:6", "lead:3"),
        ("contact before lead",      Mail::from_bob().bob_is("lead:3, contact:5"),                    "on contact:5, bob is contact:5", "lead:3"),
        ("deal of the contact",      Mail::from_bob().bob_is("contact:5 deal:9"),                     "on deal:9, bob is contact:5", ""),
        ("deal of the company",      Mail::from_bob().bob_is("company:6 deal:9, lead:3"),             "on deal:9, bob is company:6", "lead:3"),
        ("latest changed lead",      Mail::from_bob().bob_is("lead:3@10, lead:4@20"),                 "on lead:4, bob is lead:4", "lead:3"),
        ("leads of one second",      Mail::from_bob().bob_is("lead:4@10, lead:3@10"),                 "on lead:3, bob is lead:3", "lead:4"),
        ("outgoing",                 Mail::to_bob().bob_is("contact:5 deal:9"),                       "on deal:9, bob is contact:5", ""),
        ("first before second",      both().known_as(EVE, "contact:7 deal:9").bob_is("contact:5"),    "on contact:5, bob is contact:5", "contact:7"),
        ("lead of the first before contact of the second", both().known_as(EVE, "contact:7").bob_is("lead:3"), "on lead:3, bob is lead:3", "contact:7"),
        ("second, if the first is unknown", both().known_as(EVE, "contact:7 deal:9"),                 "on deal:9, eve is contact:7", ""),
        ("second, if nothing bears the first", both().known_as(EVE, "lead:3").bob_is(""),             "on lead:3, eve is lead:3", ""),
        ("one contact with both",    both().known_as(EVE, "contact:5").bob_is("contact:5"),           "on contact:5, bob is contact:5", ""),
        ("none has one: made for the first", both(),                                                  "new lead for bob", ""),
    ]);
}

#[test]
fn of_several_contacts_the_one_with_the_latest_open_deal_wins() {
    #[rustfmt::skip]
    check(vec![
        ("deal beats none",          Mail::from_bob().bob_is("contact:4@99, contact:5@1 deal:9@1"),               "on deal:9, bob is contact:5", "contact:4"),
        ("later deal",               Mail::from_bob().bob_is("contact:4 deal:8@40, contact:5 deal:9@50"),         "on deal:9, bob is contact:5", "contact:4"),
        ("the latest of each counts", Mail::from_bob().bob_is("contact:4 deal:7@10 deal:8@60, contact:5 deal:9@50"), "on deal:8, bob is contact:4", "contact:5 deal:7"),
        ("no deals: latest changed", Mail::from_bob().bob_is("contact:4@10, contact:5@20"),                       "on contact:5, bob is contact:5", "contact:4"),
        ("all alike: lowest id",     Mail::from_bob().bob_is("contact:5@10, contact:4@10"),                       "on contact:4, bob is contact:4", "contact:5"),
        ("same deal, latest changed", Mail::from_bob().bob_is("contact:4@10 deal:9@50, contact:5@20 deal:9@50"),  "on deal:9, bob is contact:5", "contact:4"),
        ("companies likewise",       Mail::from_bob().bob_is("company:6@10, company:7@5 deal:9"),                 "on deal:9, bob is company:7", "company:6"),
        ("deals count even if mail goes to clients", Mail::from_bob().choosing(DealChoice::None).bob_is("contact:4@99, contact:5@1 deal:9"), "on contact:5, bob is contact:5", "contact:4 deal:9"),
    ]);
}

#[test]
fn deal_choice_says_which_open_deal_gets_the_mail() {
    use DealChoice::*;
    let three = "contact:5 deal:7@30 deal:9@50 deal:8@40";
    let bob = |choice, text| Mail::from_bob().choosing(choice).bob_is(text);
    #[rustfmt::skip]
    check(vec![
        ("latest of three",   bob(Latest, three),              "on deal:9, bob is contact:5", "deal:8 deal:7"),
        ("latest of one",     bob(Latest, "contact:5 deal:7"), "on deal:7, bob is contact:5", ""),
        ("latest of none",    bob(Latest, "contact:5"),        "on contact:5, bob is contact:5", ""),
        ("latest, one second", bob(Latest, "contact:5 deal:9@50 deal:8@50"), "on deal:8, bob is contact:5", "deal:9"),
        ("only of three",     bob(Only,   three),              "on contact:5, bob is contact:5", "deal:9 deal:8 deal:7"),
        ("only of one",       bob(Only,   "contact:5 deal:7"), "on deal:7, bob is contact:5", ""),
        ("only of none",      bob(Only,   "contact:5"),        "on contact:5, bob is contact:5", ""),
        ("all of three",      bob(All,    three),              "on deal:9 and deal:8 and deal:7, bob is contact:5", ""),
        ("all of one",        bob(All,    "contact:5 deal:7"), "on deal:7, bob is contact:5", ""),
        ("all of none",       bob(All,    "contact:5"),        "on contact:5, bob is contact:5", ""),
        ("ask of three",      bob(Ask,    three),              "parked several-deals", "deal:9 deal:8 deal:7"),
        ("ask of one",        bob(Ask,    "contact:5 deal:7"), "on deal:7, bob is contact:5", ""),
        ("ask of none",       bob(Ask,    "contact:5"),        "on contact:5, bob is contact:5", ""),
        ("none of three",     bob(None,   three),              "on contact:5, bob is contact:5", "deal:9 deal:8 deal:7"),
        ("none of one",       bob(None,   "contact:5 deal:7"), "on contact:5, bob is contact:5", "deal:7"),
        ("none of a company", bob(None,   "company:6 deal:7"), "on company:6, bob is company:6", "deal:7"),
    ]);
}

#[test]
fn a_card_that_may_not_be_read_is_never_taken_for_unknown() {
    let both = || Mail::from_bob().with_parties(&[BOB, EVE]);
    #[rustfmt::skip]
    check(vec![
        ("hidden contact",                 Mail::from_bob().bob_is("hidden contact:5"),              "parked hidden-card", "contact:5"),
        ("hidden company",                 Mail::from_bob().bob_is("hidden company:6"),              "parked hidden-card", "company:6"),
        ("hidden lead",                    Mail::from_bob().bob_is("hidden lead:3"),                 "parked hidden-card", "lead:3"),
        ("hidden deal",                    Mail::from_bob().bob_is("hidden deal:9"),                 "parked hidden-card", "deal:9"),
        ("outgoing",                       Mail::to_bob().bob_is("hidden contact:5"),                "parked hidden-card", "contact:5"),
        ("creation off",                   Mail::from_bob().with(|r| r.on_incoming = Creation::None).bob_is("hidden contact:5"), "parked hidden-card", "contact:5"),
        ("contact would beat the lead",    Mail::from_bob().bob_is("lead:3, hidden contact:5"),      "parked hidden-card", "contact:5 lead:3"),
        ("contact would beat the company", Mail::from_bob().bob_is("company:6 deal:9, hidden contact:5"), "parked hidden-card", "contact:5 company:6"),
        ("company would beat the lead",    Mail::from_bob().bob_is("lead:3, hidden company:6"),      "parked hidden-card", "company:6 lead:3"),
        ("company would lose",             Mail::from_bob().bob_is("contact:5 deal:9, hidden company:6"), "on deal:9, bob is contact:5", "company:6"),
        ("lead would lose",                Mail::from_bob().bob_is("company:6, hidden lead:3"),      "on company:6, bob is company:6", "lead:3"),
        ("another contact can be read",    Mail::from_bob().bob_is("contact:4, hidden contact:5"),   "on contact:4, bob is contact:4", "contact:5"),
        ("another lead can be read",       Mail::from_bob().bob_is("lead:4, hidden lead:3"),         "on lead:4, bob is lead:4", "lead:3"),
        ("first address, second known",    both().bob_is("hidden contact:5").known_as(EVE, "contact:7"), "parked hidden-card", "contact:5 contact:7"),
        ("second address, first known",    both().bob_is("lead:3").known_as(EVE, "hidden contact:7"), "on lead:3, bob is lead:3", "contact:7"),
        ("second address, first unknown",  both().known_as(EVE, "hidden contact:7"),                 "parked hidden-card", "contact:7"),
    ]);
}

#[test]
fn an_answer_goes_where_the_message_is_that_it_answers() {
    let bob = || Mail::from_bob().bob_is("contact:5 deal:9@50");
    let stranger = Mail::from_bob;
    #[rustfmt::skip]
    check(vec![
        ("open deal",                      bob().answering("open deal:8 of contact:5"),               "on deal:8, bob is contact:5", ""),
        ("open lead",                      stranger().bob_is("lead:3").answering("open lead:3"),      "on lead:3, bob is lead:3", ""),
        ("by a stranger",                  stranger().answering("open deal:8 of contact:5"),          "on deal:8", ""),
        ("our answer",                     Mail::to_bob().bob_is("contact:5").answering("open deal:8 of contact:5"), "on deal:8, bob is contact:5", ""),
        ("a client keeps it too",          bob().answering("open contact:5"),                         "on contact:5, bob is contact:5", ""),
        ("further cards do not matter",    bob().answering("open deal:8 of contact:5, hidden contact:5, closed deal:7"), "on deal:8, bob is contact:5", ""),
        ("whatever deal_choice says",      bob().choosing(DealChoice::None).answering("open deal:8 of contact:5"), "on deal:8, bob is contact:5", ""),
        ("closed deal, open one of the same client", bob().answering("closed deal:8 of contact:5"),   "on deal:9, bob is contact:5", "deal:8"),
        ("closed deal, no open one",       stranger().bob_is("contact:5").answering("closed deal:8 of contact:5"), "on deal:8, bob is contact:5", ""),
        ("closed deal, client unknown now", stranger().answering("closed deal:8 of contact:5"),       "on deal:8", ""),
        ("closed deal of another client",  bob().answering("closed deal:8 of contact:6"),             "on deal:8", ""),
        ("closed deal of a company",       stranger().bob_is("company:6 deal:9").answering("closed deal:8 of company:6"), "on deal:9, bob is company:6", "deal:8"),
        ("its client is not the first address", stranger().with_parties(&[EVE, BOB]).known_as(EVE, "contact:7 deal:6").bob_is("contact:5 deal:9").answering("closed deal:8 of contact:5"), "on deal:9, bob is contact:5", "deal:8"),
        ("its client is not the best contact", stranger().bob_is("contact:4 deal:6@90, contact:5 deal:9@50").answering("closed deal:8 of contact:5"), "on deal:9, bob is contact:5", "deal:8"),
        ("closed, deal_choice only, two open", stranger().choosing(DealChoice::Only).bob_is("contact:5 deal:9 deal:7").answering("closed deal:8 of contact:5"), "on deal:8, bob is contact:5", ""),
        ("closed, deal_choice all",        stranger().choosing(DealChoice::All).bob_is("contact:5 deal:9@50 deal:7@40").answering("closed deal:8 of contact:5"), "on deal:9 and deal:7, bob is contact:5", "deal:8"),
        ("closed, deal_choice ask, two open", stranger().choosing(DealChoice::Ask).bob_is("contact:5 deal:9@50 deal:7@40").answering("closed deal:8 of contact:5"), "parked several-deals", "deal:9 deal:7 deal:8"),
        ("closed, deal_choice none",       bob().choosing(DealChoice::None).answering("closed deal:8 of contact:5"), "on deal:8, bob is contact:5", ""),
        ("closed, another deal of the mail is open", stranger().answering("closed deal:8 of contact:5, open deal:7 of contact:5"), "on deal:7", "deal:8"),
        ("closed lead, open deal",         bob().answering("closed lead:3"),                          "on deal:9, bob is contact:5", "lead:3"),
        ("closed lead, open lead",         stranger().bob_is("lead:4").answering("closed lead:3"),    "on lead:4, bob is lead:4", "lead:3"),
        ("closed lead, client without a deal", stranger().bob_is("contact:5").answering("closed lead:3"), "on lead:3", ""),
        ("closed lead, hidden client",     stranger().bob_is("hidden contact:5").answering("closed lead:3"), "on lead:3", ""),
        ("closed lead, nobody known",      stranger().answering("closed lead:3"),                     "on lead:3", ""),
        ("converted lead",                 stranger().answering("converted lead:3 to deal:8"),        "on deal:8", "lead:3"),
        ("converted lead of a client",     bob().answering("converted lead:3 to deal:8 of contact:5"), "on deal:8, bob is contact:5", "lead:3"),
        ("converted lead and its deal",    bob().answering("converted lead:3 to deal:8, open deal:8 of contact:5"), "on deal:8, bob is contact:5", "lead:3"),
        ("converted, its deal is closed",  bob().answering("converted lead:3 to deal:8, closed deal:8 of contact:5"), "on deal:9, bob is contact:5", "lead:3 deal:8"),
        ("converted, its deal is hidden",  bob().answering("converted lead:3 to deal:8, hidden deal:8"), "parked hidden-card", "deal:8"),
        ("converted, its deal is gone",    bob().answering("converted lead:3 to deal:8, gone deal:8"), "on deal:9, bob is contact:5", "deal:8 lead:3"),
        ("converted without a deal",       stranger().bob_is("contact:5").answering("closed lead:3 of contact:5"), "on lead:3, bob is contact:5", ""),
        ("hidden deal",                    bob().answering("hidden deal:8"),                          "parked hidden-card", "deal:8"),
        ("hidden contact",                 bob().answering("hidden contact:6"),                       "parked hidden-card", "contact:6"),
    ]);
}

#[test]
fn a_thread_whose_card_is_gone_is_placed_anew() {
    let bob = || Mail::from_bob().bob_is("contact:5 deal:9");
    let stranger = Mail::from_bob;
    #[rustfmt::skip]
    check(vec![
        ("client is known",               bob().answering("gone deal:8"),                           "on deal:9, bob is contact:5", "deal:8"),
        ("nobody is known",               stranger().answering("gone deal:8"),                      "new lead for bob", "deal:8"),
        ("robot, nobody known",           stranger().of_class(Class::Automated).answering("gone deal:8"), "skipped automated", "deal:8"),
        ("all cards are gone",            stranger().answering("gone deal:8, gone contact:5"),      "new lead for bob", "deal:8 contact:5"),
        ("another deal is left",          stranger().answering("gone deal:8, open deal:7"),         "on deal:7", "deal:8"),
        ("the deal of a lead is left",    stranger().answering("gone lead:3, open contact:5, open deal:7 of contact:5"), "on deal:7", "lead:3"),
        ("only the client is left",       stranger().answering("gone deal:8, open contact:5"),      "on contact:5", "deal:8"),
        ("client is left, address has a deal", bob().answering("gone deal:8, open contact:5"),      "on deal:9, bob is contact:5", "deal:8"),
        ("a hidden client is left",       stranger().answering("gone deal:8, hidden contact:5"),    "parked hidden-card", "deal:8 contact:5"),
        ("a hidden deal is left",         stranger().answering("gone deal:8, hidden deal:7"),       "parked hidden-card", "deal:8 deal:7"),
        ("the message was on no card",    bob().answering(""),                                      "on deal:9, bob is contact:5", ""),
    ]);
    let placed = stranger().answering("gone deal:8").placed();
    assert!(placed.evidence.contains(&Evidence::new("thread", "deal:8 was deleted")));
}

#[test]
fn web_forms_make_a_lead_for_each_mail() {
    let form = || {
        Mail::from_form().bob_is("contact:5 deal:9").known_as("forms@portal.example", "contact:1")
    };
    let robot = || form().of_class(Class::Automated);
    #[rustfmt::skip]
    check(vec![
        ("a known client, no search",      form(),                                                     "new lead for bob", ""),
        ("no Reply-To: for the form",      form().with_parties(&["forms@portal.example"]),             "new lead for forms", ""),
        ("without leads",                  Mail { has_leads: false, ..form() },                        "new deal for bob", ""),
        ("creation is off for others",     form().with(|r| r.on_incoming = Creation::None),            "new lead for bob", ""),
        ("contacts are made for others",   form().with(|r| r.on_incoming = Creation::Contact),         "new lead for bob", ""),
        ("a pattern",                      form().with(|r| r.always_new_lead_for = vec![Pattern::new("*@portal.example")]), "new lead for bob", ""),
        ("a hidden client",                form().bob_is("hidden contact:5"),                          "new lead for bob", ""),
        ("a reply",                        Mail { reply: true, ..form() },                             "on deal:9, bob is contact:5", "contact:1"),
        ("a thread comes first",           form().answering("open deal:8"),                            "on deal:8", ""),
        ("our mail to the form",           Mail { direction: Direction::Outgoing, ..form() },          "on deal:9, bob is contact:5", "contact:1"),
        ("named only in Cc",               Mail { sender: person(BOB), ..form() },                     "on deal:9, bob is contact:5", "contact:1"),
        ("robot's mail makes nothing",     robot(),                                                    "on deal:9, bob is contact:5", "contact:1"),
        ("unless it counts as normal",     form().with(|r| r.automated = Policy::Normal).of_class(Class::Automated), "new lead for bob", ""),
    ]);
}

#[test]
fn cards_are_made_as_the_mailbox_says() {
    use Creation::*;
    let incoming = |what| Mail::from_bob().with(move |r| r.on_incoming = what);
    let outgoing = |what| Mail::to_bob().with(move |r| r.on_outgoing = what);
    let class = |class| Mail::from_bob().of_class(class);
    let by_hand = |mail| Mail { by_hand: true, ..mail };
    #[rustfmt::skip]
    check(vec![
        ("incoming, lead",        incoming(Lead),                               "new lead for bob", ""),
        ("incoming, contact",     incoming(Contact),                            "new contact for bob", ""),
        ("incoming, deal",        incoming(Deal),                               "new deal for bob", ""),
        ("incoming, none",        incoming(None),                               "skipped creation-off", ""),
        ("outgoing, lead",        outgoing(Lead),                               "new lead for bob", ""),
        ("outgoing, contact",     outgoing(Contact),                            "new contact for bob", ""),
        ("outgoing, deal",        outgoing(Deal),                               "new deal for bob", ""),
        ("outgoing, none",        outgoing(None),                               "skipped creation-off", ""),
        ("no leads: lead",        Mail { has_leads: false, ..incoming(Lead) },  "new deal for bob", ""),
        ("no leads: contact",     Mail { has_leads: false, ..incoming(Contact) }, "new contact for bob", ""),
        ("no leads: deal",        Mail { has_leads: false, ..incoming(Deal) },  "new deal for bob", ""),
        ("no leads: outgoing",    Mail { has_leads: false, ..outgoing(Lead) },  "new deal for bob", ""),
        ("creation off, client known", incoming(None).bob_is("contact:5"),      "on contact:5, bob is contact:5", ""),
        ("bounce",                class(Class::Bounce),                         "skipped bounce", ""),
        ("robot",                 class(Class::Automated),                      "skipped automated", ""),
        ("mailing list",          class(Class::MailingList),                    "skipped mailing-list", ""),
        ("spam verdict",          class(Class::SpamVerdict),                    "skipped spam-verdict", ""),
        ("robot, creation off",   incoming(None).of_class(Class::Automated),    "skipped automated", ""),
        ("robot of a client",     class(Class::Automated).bob_is("contact:5 deal:9"), "on deal:9, bob is contact:5", ""),
        ("bounce of our mail",    class(Class::Bounce).answering("open deal:8"), "on deal:8", ""),
        ("robot of a hidden one", class(Class::Automated).bob_is("hidden contact:5"), "parked hidden-card", "contact:5"),
        ("robot as any mail",     Mail::from_bob().with(|r| r.automated = Policy::Normal).of_class(Class::Automated), "new lead for bob", ""),
        ("robots skipped since",  Mail::from_bob().with(|r| r.automated = Policy::Skip).of_class(Class::Automated).bob_is("contact:5"), "skipped automated", ""),
        ("nobody outside",        Mail::from_bob().with_parties(&[]),           "skipped no-address", ""),
        ("by hand, incoming none", by_hand(incoming(None)),                     "new lead for bob", ""),
        ("by hand, outgoing none", by_hand(outgoing(None)),                     "new contact for bob", ""),
        ("by hand, as it says",   by_hand(incoming(Contact)),                   "new contact for bob", ""),
        ("by hand, no leads",     Mail { has_leads: false, ..by_hand(incoming(None)) }, "new deal for bob", ""),
        ("by hand, client known", by_hand(incoming(None).bob_is("contact:5")),  "on contact:5, bob is contact:5", ""),
        ("by hand, hidden card",  by_hand(incoming(None).bob_is("hidden contact:5")), "parked hidden-card", "contact:5"),
        ("by hand, nobody outside", by_hand(Mail::from_bob().with_parties(&[])), "skipped no-address", ""),
    ]);
}

#[test]
fn a_repeat_lead_is_made_only_where_it_is_wanted() {
    let on = || Mail::from_bob().with(|r| r.repeat_lead = true);
    let known = "contact:5";
    #[rustfmt::skip]
    check(vec![
        ("off by default",               Mail::from_bob().bob_is(known),                              "on contact:5, bob is contact:5", ""),
        ("on",                           on().bob_is(known),                                          "new lead for bob of contact:5", ""),
        ("for a company",                on().bob_is("company:6"),                                    "new lead for bob of company:6", ""),
        ("for whom the address is",      on().with_parties(&[EVE, BOB]).bob_is(known),                "new lead for bob of contact:5", ""),
        ("an open deal",                 on().bob_is("contact:5 deal:9"),                             "on deal:9, bob is contact:5", ""),
        ("an open deal not chosen",      on().choosing(DealChoice::None).bob_is("contact:5 deal:9"),  "on contact:5, bob is contact:5", "deal:9"),
        ("several, and only one wanted", on().choosing(DealChoice::Only).bob_is("contact:5 deal:9 deal:8"), "on contact:5, bob is contact:5", "deal:8 deal:9"),
        ("the first one is still open",  on().bob_is("contact:5, lead:3"),                            "on lead:3, bob is lead:3", ""),
        ("our own mail",                 Mail { direction: Direction::Outgoing, ..on() }.bob_is(known), "on contact:5, bob is contact:5", ""),
        ("robot",                        on().of_class(Class::Automated).bob_is(known),               "on contact:5, bob is contact:5", ""),
        ("creation off",                 on().with(|r| r.on_incoming = Creation::None).bob_is(known), "on contact:5, bob is contact:5", ""),
        ("contacts are made for strangers", on().with(|r| r.on_incoming = Creation::Contact).bob_is(known), "new lead for bob of contact:5", ""),
        ("without leads a deal",         Mail { has_leads: false, ..on() }.bob_is(known),             "new deal for bob of contact:5", ""),
        ("not within a thread",          on().bob_is(known).answering("closed deal:8 of contact:5"),  "on deal:8, bob is contact:5", ""),
    ]);
}

#[test]
fn every_candidate_says_why_it_lost() {
    #[rustfmt::skip]
    let cases: Vec<(&str, Mail, &str, &str)> = vec![
        ("older deal",      Mail::from_bob().bob_is("contact:5 deal:9@2 deal:8@1"),   "deal:8",    "open, but deal:9 was changed later"),
        ("other contact",   Mail::from_bob().bob_is("contact:5 deal:9, contact:4"),   "contact:4", "contact:5 bears the same address and has the open deal changed last"),
        ("older contact",   Mail::from_bob().bob_is("contact:5@2, contact:4@1"),      "contact:4", "contact:5 bears the same address and was changed later"),
        ("higher number",   Mail::from_bob().bob_is("contact:5, contact:4"),          "contact:5", "contact:4 bears the same address and has the lower number"),
        ("company",         Mail::from_bob().bob_is("contact:5, company:6"),          "company:6", "contact:5 bears the same address and comes before companies"),
        ("lead",            Mail::from_bob().bob_is("contact:5, lead:3"),             "lead:3",    "contact:5 bears the same address and comes before leads"),
        ("older lead",      Mail::from_bob().bob_is("lead:3@2, lead:4@1"),            "lead:4",    "lead:3 was changed later"),
        ("later address",   Mail::from_bob().with_parties(&[BOB, EVE]).bob_is("lead:3").known_as(EVE, "lead:4"), "lead:4", "bears eve@client.example, which comes after bob@client.example"),
        ("to be chosen",    Mail::from_bob().choosing(DealChoice::Ask).bob_is("contact:5 deal:9 deal:8"), "deal:9", "open deal of contact:5; a person chooses"),
        ("hidden",          Mail::from_bob().bob_is("hidden contact:5"),              "contact:5", "bears the address but may not be read"),
        ("gone",            Mail::from_bob().answering("gone deal:8"),                "deal:8",    "has the thread, but was deleted"),
        ("closed",          Mail::from_bob().bob_is("contact:5 deal:9").answering("closed deal:8 of contact:5"), "deal:8", "has the thread, but is closed"),
        ("converted",       Mail::from_bob().answering("converted lead:3 to deal:8"), "lead:3",    "was converted into deal:8"),
    ];
    for (name, mail, loser, why) in cases {
        let candidates = mail.placed().candidates;
        let expected = Candidate { card: card(loser), why: why.to_owned() };
        assert!(candidates.contains(&expected), "{name}: {candidates:?}");
    }
}

#[test]
fn a_candidate_is_written_as_the_contract_says() {
    let candidate = Candidate { card: card("deal:9"), why: "changed earlier".to_owned() };
    let json = serde_json::json!({"type": "deal", "id": 9, "why": "changed earlier"});
    assert_eq!(serde_json::to_value(&candidate).unwrap(), json);
    assert_eq!(serde_json::from_value::<Candidate>(json).unwrap(), candidate);
}

#[test]
fn an_address_on_hundreds_of_cards_leaves_a_bounded_trace() {
    let many: Vec<String> = (1..=250).map(|id| format!("contact:{id}")).collect();
    let placed = Mail::from_bob().bob_is(&many.join(", ")).placed();
    assert_eq!(line(&placed.placement), "on contact:1, bob is contact:1");
    assert_eq!(placed.candidates.len(), MAX_CANDIDATES);
    let more = Evidence::new("match", "149 further cards came into question");
    assert!(placed.evidence.contains(&more), "{:?}", placed.evidence);
}

#[test]
fn an_id_that_was_used_again_leads_to_whom_the_mail_is_with_or_to_a_person() {
    let two = |threads: &[&str], bob: &str| Mail {
        reply: true,
        threads: threads.iter().map(|text| thread(text)).collect(),
        ..Mail::from_bob().bob_is(bob)
    };
    #[rustfmt::skip]
    let cases: &[(&str, Mail, &str)] = &[
        ("one card",             two(&["open deal:8", "open deal:8"], ""),                                 "on deal:8"),
        ("his contact's deal",   two(&["open deal:8 of contact:4", "open deal:9 of contact:5"], "contact:5"), "on deal:9, bob is contact:5"),
        ("his lead",             two(&["open lead:3", "open lead:4"], "lead:4"),                           "on lead:4, bob is lead:4"),
        ("his in both",          two(&["open deal:8 of contact:5", "open deal:9 of contact:5"], "contact:5"), "parked undecided"),
        ("one was deleted",      two(&["gone deal:8", "open deal:9"], ""),                                 "on deal:9"),
        ("both were deleted",    two(&["gone deal:8", "gone deal:9"], ""),                                 "new lead for bob"),
        ("lead and its deal",    two(&["converted lead:3 to deal:9", "open deal:9"], ""),                  "on deal:9"),
        ("nobody's",             two(&["open deal:8", "open deal:9"], ""),                                 "parked undecided"),
    ];
    for (name, mail, expected) in cases {
        let placed = mail.placed();
        assert_eq!(line(&placed.placement), *expected, "{name}");
        if *expected == "parked undecided" {
            let candidates: Vec<String> =
                placed.candidates.iter().map(|one| one.card.to_string()).collect();
            assert_eq!(candidates, ["deal:8", "deal:9"], "{name}");
        }
    }
}

#[test]
fn a_reply_code_is_believed_of_a_party_to_its_activity_only() {
    let coded = |parties: &[&str], cards: &str| Coded {
        activity: 77,
        parties: parties.iter().map(|&party| party.to_owned()).collect(),
        cards: cards.split(", ").map(now).collect(),
    };
    let with = |mail: Mail, code| Mail { codes: vec![code], ..mail };
    #[rustfmt::skip]
    let cases: &[(&str, Mail, &str)] = &[
        ("of a party",            with(Mail::from_bob(), coded(&[BOB], "open deal:8")),                     "on deal:8"),
        ("of a stranger",         with(Mail::from_bob(), coded(&[EVE], "open deal:8")),                     "new lead for bob"),
        ("of nobody",             with(Mail::from_bob(), coded(&[], "open deal:8")),                        "new lead for bob"),
        ("our answer to a party", with(Mail::to_bob(), coded(&[BOB], "open deal:8")),                       "on deal:8"),
        ("our answer to others",  with(Mail::to_bob(), coded(&[EVE], "open deal:8")),                       "new contact for bob"),
        ("a card that is gone",   with(Mail::from_bob(), coded(&[BOB], "gone deal:8")),                     "new lead for bob"),
        ("a thread comes first",  with(Mail::from_bob().answering("open deal:9"), coded(&[BOB], "open deal:8")), "on deal:9"),
        ("before the search",     with(Mail::from_bob().bob_is("contact:5 deal:9"), coded(&[BOB], "open deal:8")), "on deal:8"),
        ("closed, open one",      with(Mail::from_bob().bob_is("contact:5 deal:9"), coded(&[BOB], "closed deal:8 of contact:5")), "on deal:9, bob is contact:5"),
    ];
    for (name, mail, expected) in cases {
        assert_eq!(line(&mail.placed().placement), *expected, "{name}");
    }
}

#[test]
fn forwarded_mails_of_several_clients_are_for_a_person_to_sort() {
    let forwarded = |bob: &str, eve: &str| Mail {
        forwarded: true,
        ..Mail::from_bob().with_parties(&[BOB, EVE]).bob_is(bob).known_as(EVE, eve)
    };
    #[rustfmt::skip]
    let cases: &[(&str, Mail, &str)] = &[
        ("two clients",        forwarded("contact:5", "contact:6"),        "parked undecided"),
        ("one is known",       forwarded("contact:5", ""),                 "on contact:5, bob is contact:5"),
        ("the second is",      forwarded("", "contact:6"),                 "on contact:6, eve is contact:6"),
        ("one person twice",   forwarded("contact:5", "contact:5"),        "on contact:5, bob is contact:5"),
        ("nobody is known",    forwarded("", ""),                          "new lead for bob"),
        ("no forward",         Mail { forwarded: false, ..forwarded("contact:5", "contact:6") }, "on contact:5, bob is contact:5"),
    ];
    for (name, mail, expected) in cases {
        assert_eq!(line(&mail.placed().placement), *expected, "{name}");
    }
}
