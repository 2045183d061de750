//! What judging a mail costs beside reading it: the rules alone, in this process, without I/O.

use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailcrm::card::{CardKind, CardRef, Client, Known, OpenCard};
use mailcrm::folder::Role;
use mailcrm::message::{self, FromBody, Message};
use mailcrm::rules::admit::{Arrival, Decision, admit};
use mailcrm::rules::place::{Situation, place};
use mailcrm::rules::{Creation, DealChoice, Pattern, Policy, RuleSet};

use crate::Amount;
use crate::report::{Table, micros, percentile};

const ROUNDS: usize = 500;
const EMPLOYEES: u64 = 500;
const CONTACTS: u64 = 3;
const DEALS: u64 = 5;
const LIMIT: Duration = Duration::from_micros(100);
/// The mails' own time and later: all lie in the history window.
const NOW: i64 = 1_800_000_000;

/// One mail of the fixtures with what it costs.
struct Mail {
    name: String,
    raw: Vec<u8>,
    message: Message,
    known: HashMap<String, Known>,
    parsing: Vec<Duration>,
    text: Vec<Duration>,
    deciding: Vec<Duration>,
}

pub fn measure(amount: Amount) -> Table {
    let mut mails = mails();
    let rules = rules();
    let employees: HashSet<String> =
        (0..EMPLOYEES).map(|number| format!("employee{number}@staff.example")).collect();
    let rounds = amount.of(ROUNDS);
    let mut placed = 0;
    // The first round is for the caches. All mails in turn, so that none is judged by a processor
    // that knows it by heart.
    for round in 0..=rounds {
        placed = 0;
        for mail in &mut mails {
            let (parsing, message) = timed(|| message::parse(&mail.raw));
            assert_eq!(message.unwrap(), mail.message);
            let (text, _) = timed(|| message::body(&mail.raw));
            let (deciding, was_placed) = timed(|| decide(mail, &rules, &employees));
            placed += usize::from(was_placed);
            if round > 0 {
                mail.parsing.push(parsing);
                mail.text.push(text);
                mail.deciding.push(deciding);
            }
        }
    }

    let mut table = Table::new("deciding: a mail judged by the rules, without I/O");
    table.note("mails of tests/fixtures, of them placed too", format!("{}, {placed}", mails.len()));
    table.note("times each", rounds.to_string());
    let all = |of: fn(&Mail) -> &Vec<Duration>| {
        let mut times: Vec<Duration> = mails.iter().flat_map(of).copied().collect();
        times.sort_unstable();
        times
    };
    let deciding = all(|mail| &mail.deciding);
    let (median, p99) = (percentile(&deciding, 50), percentile(&deciding, 99));
    table.limited("deciding, median", micros(median), "under 100 µs", median < LIMIT);
    table.limited("deciding, p99", micros(p99), "under 100 µs", p99 < LIMIT);
    let medians = mails.iter_mut().map(|mail| {
        mail.deciding.sort_unstable();
        (percentile(&mail.deciding, 50), &mail.name)
    });
    let (worst, name) = medians.max().unwrap();
    let what = format!("deciding the costliest mail ({name}), median");
    table.limited(&what, micros(worst), "under 100 µs", worst < LIMIT);
    for (what, of) in [
        ("reading its facts for that", (|mail| &mail.parsing) as fn(&Mail) -> &Vec<Duration>),
        ("reading its text and files", |mail| &mail.text),
    ] {
        let mut times: Vec<Duration> = mails.iter().flat_map(of).copied().collect();
        times.sort_unstable();
        let figures = [50, 99].map(|percent| micros(percentile(&times, percent)));
        table.note(&format!("{what}, median and p99"), figures.join(" and "));
    }
    table
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let value = black_box(work());
    (started.elapsed(), value)
}

/// All that is decided about a mail from its arrival to its card. Whether it came to a card.
fn decide(mail: &Mail, rules: &RuleSet, employees: &HashSet<String>) -> bool {
    let message = black_box(&mail.message);
    let admitted = admit(
        rules,
        &Arrival {
            message,
            body: Some(&FromBody::default()),
            role: Role::Inbox,
            internal_date: NOW,
            window_start: 0,
            employees: Some(employees),
            first_reading: false,
            by_hand: None,
        },
    );
    match admitted.decision {
        Decision::Skip(_) => {
            black_box(admitted);
            false
        }
        Decision::Queue { .. } => {
            black_box(place(&Situation {
                rules,
                direction: admitted.direction,
                policy: admitted.class_policy,
                class: message.class.class,
                sender: message.from.as_ref(),
                reply: !message.in_reply_to.is_empty() || !message.references.is_empty(),
                parties: &admitted.parties,
                // A thread that is known is the short way.
                threads: &[],
                codes: &[],
                forwarded: false,
                by_hand: false,
                known: &mail.known,
                has_leads: true,
            }));
            true
        }
    }
}

fn mails() -> Vec<Mail> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut mails: Vec<Mail> = files
        .filter(|file| file.extension().is_some_and(|ending| ending == "eml"))
        .map(|file| {
            let raw = std::fs::read(&file).unwrap();
            let message = message::parse(&raw).unwrap();
            let known = (1..)
                .zip(message.parties())
                .map(|(number, party)| (party.email.clone(), known(number)))
                .collect();
            Mail {
                name: file.file_stem().unwrap().to_string_lossy().into_owned(),
                raw,
                message,
                known,
                parsing: Vec::new(),
                text: Vec::new(),
                deciding: Vec::new(),
            }
        })
        .collect();
    mails.sort_by(|one, other| one.name.cmp(&other.name));
    mails
}

/// Three contacts of one address with five open deals each.
fn known(number: u64) -> Known {
    let card = |kind, id| CardRef { kind, id };
    let client = |of: u64| Client {
        card: card(CardKind::Contact, number * 100 + of),
        responsible: 1 + of,
        updated_at: 1_700_000_000 + of as i64,
        deals: (0..DEALS)
            .map(|deal| OpenCard {
                card: card(CardKind::Deal, number * 1_000 + of * 10 + deal),
                responsible: 1 + deal,
                updated_at: 1_700_000_000 - deal as i64,
            })
            .collect(),
    };
    Known { contacts: (0..CONTACTS).map(client).collect(), ..Known::default() }
}

/// What a company of some size has in its configuration. Nothing of it fits the fixtures' people,
/// so that every rule is asked to its end.
fn rules() -> RuleSet {
    let patterns = |written: &[&str]| written.iter().map(|text| Pattern::new(text)).collect();
    let own = ["sales@example.com", "info+shop@example.com", "support@example.com"];
    RuleSet {
        enabled: true,
        own: Arc::new(own.map(str::to_owned).into()),
        internal_domains: HashSet::from(["example.com".to_owned()]),
        exclude: patterns(&[
            "@newsletter.example",
            "@tracking.example",
            "*.marketing.example",
            "no-reply*@*.invalid",
            "*-bounces@*.invalid",
            "*@alerts.*.invalid",
            "billing@hoster.example",
            "status@hoster.example",
            "jobs@*.jobs.example",
            "*newsletter*",
            "*unsubscribe*",
            "*notifications@*.invalid",
            "calendar-*@calendar.example",
            "bank.example",
            "tax.example",
            "@müller.example",
            "*.xn--mller-kva.example",
            "press*@*.press.example",
            "survey@*.survey.*",
            "private.person@home.example",
        ]),
        automated: Policy::Attach,
        bounce: Policy::Attach,
        mailing_list: Policy::Attach,
        spam_verdict: Policy::Attach,
        always_new_lead_for: patterns(&[
            "form@www.example",
            "*@forms.example",
            "leads@portal.example",
            "*@*.leads.example",
            "callback*@*.invalid",
        ]),
        deal_choice: DealChoice::Latest,
        repeat_lead: false,
        on_incoming: Creation::Lead,
        on_outgoing: Creation::Contact,
        history_outgoing: true,
        forwards: true,
    }
}
