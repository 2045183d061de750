//! Mail that was sent is never sent again by the CRM, and untrusted text never stands where the CRM
//! would expand it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::collections::HashMap;

use common::crm_faults::{Call, CrmFaults, Odds};
use common::daemon::{Daemon, Mailbox};
use common::letter::{letter, subject, text};
use common::sandbox::SandboxProcess;
use common::world::World;
use common::{Dice, LIMIT, dovecot};
use serde_json::{Value, json};

/// What the gate of promise 4 lets through: reads, and the few writes of filing.
const METHODS: [&str; 15] = [
    "batch",
    "crm.activity.add",
    "crm.activity.binding.add",
    "crm.activity.list",
    "crm.activity.update",
    "crm.duplicate.findbycomm",
    "crm.item.add",
    "crm.item.get",
    "crm.item.list",
    "crm.item.update",
    "crm.settings.mode.get",
    "profile",
    "scope",
    "user.current",
    "user.get",
];

#[test]
fn promise_04_no_call_makes_the_crm_send_a_mail_again() {
    let mut dice = Dice::cast();
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let faults = CrmFaults::to(crm.port(), dice.next());
    // Calls that are made a second time must be as harmless as the first.
    faults.odds(Odds { answer_lost: 0.01, too_many: 0.02, ..Odds::default() });
    let mut world = World::with_clients(&crm, 4);
    world.write_first(60, &mut dice);
    for number in 0..60 {
        world.deliver(&dovecot, number);
    }
    let daemon = Daemon::running(&faults.url(), &[Mailbox::on(&dovecot, "sales")]);
    daemon.wait_for_messages(60, LIMIT);
    world.write_later(110, &mut dice);
    for number in 60..110 {
        world.deliver(&dovecot, number);
    }
    daemon.wait_until_filed(110, LIMIT);
    world.assert_filed(&crm, &daemon);

    faults.assert_sends_no_mail();
    let calls = faults.calls();
    let outgoing = calls.iter().filter(|call| {
        call.method == "crm.activity.add" && call.params["fields"]["DIRECTION"] == 2
    });
    let outgoing: Vec<&Call> = outgoing.collect();
    assert!(outgoing.len() > 10, "{} outgoing mails", outgoing.len());
    for call in &outgoing {
        assert!(!call.in_batch);
        assert_eq!(call.params["fields"]["COMPLETED"], "N", "{call:?}");
    }
    for call in &calls {
        assert!(METHODS.contains(&call.method.as_str()), "{}", call.method);
    }
    let counts = crm.call("sandbox.counts", &json!({}));
    assert_eq!(counts["sent_mail"], 0, "{counts}");
}

/// All texts in a value, also those of its keys.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                found.push(key.clone());
                texts(value, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn promise_05_text_that_the_crm_would_expand_arrives_as_it_is() {
    const SUBJECTS: [&str; 3] =
        ["$result[find][CONTACT][0]", "Re: $next[a] & $time[b]=1&cmd[x]=y", "100%25 $error[a]"];
    const NAME: &str = "$total[a]";
    const ADDRESS: &str = "\"$result[find]\"@x.example";
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let faults = CrmFaults::to(crm.port(), 1);
    let ours = "sales@example.com";
    let mails = [
        letter("ana@x.example", ours, "subject@x.example").subject(SUBJECTS[0]),
        letter("bo@x.example", ours, "query@x.example").subject(SUBJECTS[1]),
        letter("cy@x.example", ours, "percent@x.example").subject(SUBJECTS[2]),
        letter(&format!("\"{NAME}\" <dee@x.example>"), ours, "name@x.example"),
        letter(&format!("Eve <{ADDRESS}>"), ours, "address@x.example"),
        letter("fay@x.example", ours, "$result[id]@x.example")
            .text("$result[find][CONTACT][0] stands in the text of $result[id]@x.example.")
            .file("$result[file].txt", b"$result[bytes]"),
    ];
    for mail in &mails {
        dovecot.deliver("sales", "INBOX", &mail.raw()).unwrap();
    }
    let daemon = Daemon::running(&faults.url(), &[Mailbox::on(&dovecot, "sales")]);
    daemon.wait_until_filed(mails.len() as u64, LIMIT);
    // A second mail of the odd address finds its card.
    let second = letter(&format!("Eve <{ADDRESS}>"), ours, "second@x.example");
    dovecot.deliver("sales", "INBOX", &second.raw()).unwrap();
    daemon.wait_until_filed(mails.len() as u64 + 1, LIMIT);

    let activities = crm.activities();
    let by_id: HashMap<String, &Value> = activities
        .iter()
        .map(|activity| {
            let id = activity["SETTINGS"]["MESSAGE_HEADERS"]["Message-Id"].as_str().unwrap();
            (id.trim_matches(['<', '>']).to_owned(), activity)
        })
        .collect();
    assert_eq!(by_id.len(), mails.len() + 1);
    assert_eq!(by_id["subject@x.example"]["SUBJECT"], SUBJECTS[0]);
    assert_eq!(by_id["query@x.example"]["SUBJECT"], SUBJECTS[1]);
    assert_eq!(by_id["percent@x.example"]["SUBJECT"], SUBJECTS[2]);
    let whole = by_id["$result[id]@x.example"]["DESCRIPTION"].as_str().unwrap();
    assert!(whole.starts_with("$result[find][CONTACT][0] stands in"), "{whole}");
    let odd = &by_id["address@x.example"]["COMMUNICATIONS"][0]["VALUE"];
    assert_eq!(odd, ADDRESS);

    let leads = crm.cards(1);
    assert_eq!(leads.len(), mails.len(), "{leads:?}");
    let titles: Vec<&str> = leads.iter().map(|lead| lead["title"].as_str().unwrap()).collect();
    for subject in SUBJECTS {
        assert!(titles.contains(&subject), "{titles:?}");
    }
    let names: Vec<&str> = leads.iter().map(|lead| lead["name"].as_str().unwrap()).collect();
    assert!(names.contains(&NAME), "{names:?}");
    let bearer = leads.iter().find(|lead| lead["fm"][0]["value"] == ADDRESS).unwrap();
    for id in ["address@x.example", "second@x.example"] {
        assert_eq!(by_id[id]["OWNER_ID"], bearer["id"].to_string(), "{id}");
    }

    // Nothing of a mail but plain addresses stands in a batch.
    let untrusted = ["$", "Subject", "Text of", "stands in", "Eve", "Message", "x.example>"];
    let mut looked = 0;
    for call in faults.calls().iter().filter(|call| call.in_batch || call.method == "batch") {
        let mut found = Vec::new();
        texts(&call.params, &mut found);
        for text in found {
            looked += 1;
            for part in untrusted {
                assert!(!text.contains(part), "{part} in {text}");
            }
        }
    }
    assert!(looked > 20, "{looked} texts in batches");
    let odd = faults.calls().into_iter().any(|call| {
        !call.in_batch
            && call.method == "crm.duplicate.findbycomm"
            && call.params["values"][0] == ADDRESS
    });
    assert!(odd, "the odd address was not asked for by itself");
    assert!(subject("a").starts_with("Subject") && text("a").starts_with("Text of"));
}
