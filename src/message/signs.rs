//! Signs of a robot that people's mail bears too: only certain two of them together are
//! evidence. Pure.

use super::class::{fact, first_word};
use super::header::Headers;
use super::robots::{SERVICES, Sender, has_null_path};
use super::subject::{self, Absence};
use super::told::Told;
use super::{address, robots};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// The subject is one that only programs write.
    Program,
    /// The subject tells of being away, and then of what it answers.
    AwayFrom,
    /// The subject tells of being away.
    Away,
    /// The text does.
    AwayText,
    /// The subject is that of a read receipt.
    Receipt,
    /// The text is.
    ReceiptText,
    /// The text says that a program wrote it.
    SelfMade,
    /// It begins so.
    SelfMadeFirst,
    /// The sender is an account of a program, and nobody else is named for answers.
    Robot,
    /// The subject is that of a notice.
    Notice,
    /// Without a return path: forwarders and some phones' relays drop it from people's mail.
    NullPath,
    /// X-Auto-Response-Suppress: Outlook clients and CRM add-ins write it on people's mail to
    /// keep answers quiet.
    Suppress,
    /// The same with `All`, as out-of-office answers have it.
    SuppressAll,
    /// Exchange's rules write out-of-office answers, and pass people's mail on.
    Rule,
    /// Loop guards of vacation programs; lists and forwarders use it as well.
    Loop,
    /// It answers a mail, and its subject does not say `Re:`.
    Thread,
    /// Sent through a service for bulk mail, as are shops' notices and some people's mail.
    Service,
}

use Sign::*;

/// What two signs are enough. Signs of the transport alone are not, whatever their number: all
/// of them may have come on the way.
#[rustfmt::skip]
const ENOUGH: &[(Sign, &[Sign])] = &[
    (Program,  &[AwayText, SelfMade, Robot, NullPath, Suppress, SuppressAll, Rule, Loop, Thread]),
    (AwayFrom, &[SelfMade, Robot, NullPath, SuppressAll]),
    (Away,     &[SelfMade, Robot, NullPath, SuppressAll]),
    (Receipt,  &[ReceiptText, SelfMade, NullPath, SuppressAll, Thread]),
    (SelfMade, &[Robot, NullPath, SuppressAll]),
    (SelfMadeFirst, &[AwayText, Notice, Loop]),
    (Robot,    &[Notice, NullPath, Suppress, SuppressAll, Loop, Service]),
    (NullPath, &[SuppressAll]),
];

/// The signs of a robot, if they are enough; else nothing.
pub fn of_a_robot(
    headers: &Headers<'_>,
    sender: &Sender,
    subject: &str,
    told: &Told,
) -> Vec<String> {
    let mut signs = in_header(headers, sender, subject);
    let said = [(SelfMade, &told.self_made), (AwayText, &told.away), (ReceiptText, &told.receipt)];
    for (sign, line) in said {
        if let Some(line) = line {
            signs.push((sign, fact("body", line)));
        }
    }
    if let Some(line) = told.self_made.as_ref().filter(|_| told.self_made_first) {
        signs.push((SelfMadeFirst, fact("body", line)));
    }
    let has = |sign: Sign| signs.iter().any(|(found, _)| *found == sign);
    let mut used: Vec<Sign> = Vec::new();
    for (first, others) in ENOUGH {
        for other in others.iter().filter(|other| has(*first) && has(**other)) {
            used.extend([*first, *other]);
        }
    }
    let used = signs.into_iter().filter(|(sign, _)| used.contains(sign));
    let mut facts: Vec<String> = used.map(|(_, fact)| fact).collect();
    facts.dedup();
    facts
}

fn in_header(headers: &Headers<'_>, sender: &Sender, subject: &str) -> Vec<(Sign, String)> {
    let mut signs = Vec::new();
    let absence = subject::absence(subject, &sender.name);
    if let Some(absence) = absence {
        let sign = match absence {
            Absence::Program => Program,
            Absence::AwayFrom => AwayFrom,
            Absence::Away => Away,
        };
        signs.push((sign, fact("Subject", subject)));
    }
    if subject::is_receipt(subject) {
        signs.push((Receipt, fact("Subject", subject)));
    }
    let only_robots = !names_a_person(headers, sender);
    // A form that names nobody is still somebody's question, unless it thanks for one.
    let notice = subject::is_notice(subject);
    let form = subject::is_of_a_form(subject) && !notice;
    if only_robots && notice {
        signs.push((Notice, fact("Subject", subject)));
    }
    if sender.is_robot() && only_robots && !form && !sender.local.is_empty() {
        signs.push((Robot, fact("From", &sender.local)));
    }
    if has_null_path(headers) {
        signs.push((NullPath, "Return-Path: <>".to_owned()));
    }
    if let Some(value) = headers.ascii("X-Auto-Response-Suppress") {
        let sign = match first_word(&value).as_str() {
            "none" | "" => None,
            "all" => Some(SuppressAll),
            _ => Some(Suppress),
        };
        signs.extend(sign.map(|sign| (sign, fact("X-Auto-Response-Suppress", &value))));
    }
    for name in ["X-MS-Exchange-Inbox-Rules-Loop", "X-MS-Exchange-Generated-Message-Source"] {
        if let Some(value) = headers.ascii(name) {
            signs.push((Rule, fact(name, &value)));
        }
    }
    if let Some(value) = headers.ascii("X-Loop") {
        signs.push((Loop, fact("X-Loop", &value)));
    }
    let answers =
        ["In-Reply-To", "References"].into_iter().find(|name| headers.first(name).is_some());
    if let Some(name) = answers {
        signs.push((Thread, format!("{name}: without Re: in the subject")));
    }
    let service = SERVICES.iter().find_map(|name| Some((name, headers.ascii(name)?)));
    if let Some((name, value)) = service {
        signs.push((Service, fact(name, &value)));
    }
    signs
}

/// Whether answers go to somebody else than a robot: forms of web sites send people's questions
/// from a robot's address, and then name the person.
pub fn names_a_person(headers: &Headers<'_>, sender: &Sender) -> bool {
    address::of_header(headers, "Reply-To", None).iter().any(|reply| {
        let local = address::local(&reply.email).to_owned();
        local != sender.local && !Sender { local, name: String::new() }.is_robot()
    })
}

/// Headers and senders each of which is evidence by itself.
pub fn strong(headers: &Headers<'_>, sender: &Sender, subject: &str) -> Vec<String> {
    let mut facts = Vec::new();
    for name in robots::AUTOMATED {
        if let Some(value) = headers.ascii(name)
            && !matches!(first_word(&value).as_str(), "no" | "false" | "0" | "none")
        {
            facts.push(fact(name, &value));
        }
    }
    // Communigate and others: `Reply` is the machine's, `Forward` and `Mirror` pass on a person's.
    // Then Mailtraq, Exchange, qmail's autorespond, Apple, FreeScout, UserVoice, procmail's recipe.
    let marked: &[(&str, &[&str])] = &[
        ("X-Autogenerated", &["reply", "group", "letter"]),
        ("X-POST-MessageClass", &["autoresponder"]),
        ("Content-Class", &["urn:content-classes:mdn"]),
        ("X-Apple-Action", &["vacation", "autoreply", "auto-reply"]),
        ("Delivered-To", &["autoresponder"]),
        ("X-FreeScout-Mail-Type", &["auto"]),
        ("X-Uv-Mailing", &["auto"]),
        ("X-Loop", &["vacation", "autoreply", "autorespond", "auto-reply"]),
    ];
    for (name, marks) in marked {
        for value in headers.all(name) {
            let value = String::from_utf8_lossy(&value).to_lowercase();
            if marks.iter().any(|mark| {
                value.starts_with(mark) || value.contains(mark) && *name != "Delivered-To"
            }) {
                facts.push(fact(name, &value));
                break;
            }
        }
    }
    for (name, value) in robots::precedence(headers, &["auto_reply", "auto-reply", "autoreply"]) {
        facts.push(fact(name, &value));
    }
    if let Some(mailer) = robots::autoresponder(headers) {
        facts.push(fact("X-Mailer", &mailer));
    }
    if sender.is_autoresponder() {
        facts.push(fact("From", &sender.local));
    }
    if subject::is_dmarc_report(subject) {
        facts.push(fact("Subject", subject));
    }
    facts
}
