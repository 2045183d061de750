//! Which card and which employee a mail comes to, end to end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::collections::BTreeMap;

use common::daemon::{Daemon, Mailbox};
use common::letter::{letter, subject};
use common::sandbox::SandboxProcess;
use common::{LIMIT, dovecot, wait_for};
use mailcrm::demo::dovecot::Dovecot;
use serde_json::{Value, json};
use tempfile::TempDir;

const SALES: &str = "sales@example.com";

struct Scene {
    dovecot: Dovecot,
    crm: SandboxProcess,
    daemon: Daemon,
    // Removed last.
    _dir: TempDir,
}

/// A running daemon on the mailboxes `sales` and `support`, with these lines in both.
fn scene(crm: SandboxProcess, lines: &str) -> Scene {
    let mut scene = scene_of_history(crm, lines);
    scene.daemon.start();
    wait_for("both mailboxes", LIMIT, || scene.daemon.lines_with("mailbox connected") == 2);
    scene
}

/// The same before the daemon was ever started.
fn scene_of_history(crm: SandboxProcess, lines: &str) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales", "support"]);
    let mailboxes = ["sales", "support"].map(|name| Mailbox::on(&dovecot, name).crm(lines));
    let daemon = Daemon::new(&crm.url(), &mailboxes);
    Scene { dovecot, crm, daemon, _dir: dir }
}

impl Scene {
    fn receive(&self, from: &str, id: &str) {
        self.deliver("INBOX", &letter(from, SALES, id).raw());
    }

    fn deliver(&self, folder: &str, raw: &[u8]) {
        self.dovecot.deliver("sales", folder, raw).unwrap();
    }

    fn filed(&self, messages: u64) {
        self.daemon.wait_until_filed(messages, LIMIT);
    }

    #[track_caller]
    fn activity(&self, id: &str) -> Value {
        let mut found = self.crm.activities();
        found.retain(|activity| activity["SUBJECT"] == subject(id));
        assert_eq!(found.len(), 1, "activities of {id}");
        found.remove(0)
    }

    #[track_caller]
    fn assert_on(&self, id: &str, entity_type: u64, card: u64) {
        let activity = self.activity(id);
        let on = (activity["OWNER_TYPE_ID"].as_str(), activity["OWNER_ID"].as_str());
        let (entity_type, card) = (entity_type.to_string(), card.to_string());
        assert_eq!(on, (Some(entity_type.as_str()), Some(card.as_str())), "{id}");
    }
}

/// How many leads each employee is responsible for.
fn leads_of(crm: &SandboxProcess) -> BTreeMap<u64, usize> {
    let mut leads = BTreeMap::new();
    for lead in crm.cards(1) {
        *leads.entry(lead["assignedById"].as_u64().unwrap()).or_default() += 1;
    }
    leads
}

#[test]
fn queue_gives_each_employee_their_turn_also_when_many_strangers_write_at_once() {
    let scene = scene(SandboxProcess::start(), "queue = [7, 9, 12]\n");
    for number in 0..30 {
        scene.receive(&format!("s{number}@new.example"), &format!("s{number}@new.example"));
    }
    scene.filed(30);
    assert_eq!(leads_of(&scene.crm), BTreeMap::from([(7, 10), (9, 10), (12, 10)]));
}

#[test]
fn queue_passes_over_who_left_and_goes_on_after_a_restart() {
    // Employee 15 works there no more.
    let mut scene = scene(SandboxProcess::start(), "queue = [7, 15, 9]\n");
    let mut responsible = Vec::new();
    for number in 0..5 {
        let id = format!("s{number}@new.example");
        scene.receive(&id, &id);
        scene.filed(number + 1);
        responsible.push(scene.activity(&id)["RESPONSIBLE_ID"].as_str().unwrap().to_owned());
        if number == 2 {
            scene.daemon.kill9();
            scene.daemon.start();
        }
    }
    assert_eq!(responsible, ["7", "9", "7", "9", "7"]);
}

#[test]
fn two_first_mails_of_a_stranger_make_one_lead_also_in_two_mailboxes_at_once() {
    let scene = scene(SandboxProcess::start(), "");
    for number in 0..8 {
        let from = format!("Stranger {number} <s{number}@new.example>");
        let to_sales = letter(&from, SALES, &format!("sales{number}@new.example")).raw();
        let support = "support@example.com";
        let to_support = letter(&from, support, &format!("support{number}@new.example")).raw();
        std::thread::scope(|scope| {
            scope.spawn(|| scene.dovecot.deliver("sales", "INBOX", &to_sales).unwrap());
            scope.spawn(|| scene.dovecot.deliver("support", "INBOX", &to_support).unwrap());
        });
    }
    scene.filed(16);
    assert_eq!(scene.crm.cards(1).len(), 8);
    assert_eq!(scene.crm.activities().len(), 16);
}

#[test]
fn one_mail_in_two_mailboxes_is_one_activity() {
    let scene = scene(SandboxProcess::start(), "");
    for number in 0..5 {
        let both = "sales@example.com, support@example.com";
        let id = format!("both{number}@new.example");
        let raw = letter("ana@new.example", both, &id).raw();
        scene.dovecot.deliver("sales", "INBOX", &raw).unwrap();
        scene.dovecot.deliver("support", "INBOX", &raw).unwrap();
    }
    wait_for("both places of each", LIMIT, || {
        let views = scene.daemon.views();
        views.len() == 5 && views.iter().all(|view| view.places.len() == 2)
    });
    scene.filed(5);
    assert_eq!(scene.crm.cards(1).len(), 1);
    assert_eq!(scene.crm.activities().len(), 5);
}

#[test]
fn answers_land_on_the_card_of_what_they_answer_and_ours_complete_it() {
    let scene = scene(SandboxProcess::start(), "");
    scene.receive("ana@new.example", "question@new.example");
    scene.filed(1);
    let lead = scene.crm.cards(1)[0]["id"].as_u64().unwrap();
    // Somebody else, whom nobody knows, answers for her.
    let reply =
        letter("bo@else.example", SALES, "reply@else.example").answers("question@new.example");
    scene.deliver("INBOX", &reply.raw());
    // And we answer, to a third address.
    let ours =
        letter(SALES, "cy@third.example", "ours@example.com").answers("question@new.example");
    scene.deliver("Sent", &ours.raw());
    scene.filed(3);
    wait_for("the question to be completed", LIMIT, || {
        scene.daemon.view("question@new.example").activity_completed_at.is_some()
    });
    assert_eq!(scene.activity("question@new.example")["COMPLETED"], "Y");
    for id in ["question@new.example", "reply@else.example", "ours@example.com"] {
        scene.assert_on(id, 1, lead);
    }
    assert_eq!(scene.activity("reply@else.example")["COMPLETED"], "N");
    assert_eq!(scene.activity("ours@example.com")["COMPLETED"], "Y");
    let counts = scene.crm.call("sandbox.counts", &json!({}));
    assert_eq!((&counts["leads"], &counts["contacts"]), (&json!(1), &json!(0)));
}

#[test]
fn history_belongs_together_whatever_the_order_of_the_folders_in_which_it_lies() {
    let mut scene = scene_of_history(SandboxProcess::start(), "");
    scene.receive("ana@new.example", "question@new.example");
    let ours = letter(SALES, "ana@new.example", "ours@example.com").answers("question@new.example");
    // She answers from another address, and names both mails.
    let again = letter("ana@home.example", SALES, "again@home.example")
        .header("In-Reply-To", "<ours@example.com>")
        .header("References", "<question@new.example> <ours@example.com>");
    // What we wrote first is answered by a machine and from an address that nobody knows.
    let offer = letter(SALES, "cy@third.example", "offer@example.com");
    let lost = letter(SALES, "typo@third.example", "lost@example.com");
    let away = letter("cy@third.example", SALES, "away@elsewhere.example")
        .answers("offer@example.com")
        .header("Auto-Submitted", "auto-replied");
    let other = letter("other@elsewhere.example", SALES, "other@elsewhere.example")
        .header("In-Reply-To", "<offer@example.com>");
    let bounce = "From: MAILER-DAEMON@mx.example\r\nTo: sales@example.com\r\nSubject: Bounce\r\n\
         Message-ID: <bounce@mx.example>\r\nDate: Thu, 01 Jan 2026 10:00:00 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\
         \x20boundary=b\r\n\r\n--b\r\n\r\nNo such user.\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
         Final-Recipient: rfc822; typo@third.example\r\nAction: failed\r\nStatus: 5.1.1\r\n--b\r\n\
         Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <lost@example.com>\r\n\r\n--b--\r\n";
    for letter in [again, away, other] {
        scene.deliver("INBOX", &letter.raw());
    }
    scene.deliver("INBOX", bounce.as_bytes());
    for letter in [ours, offer, lost] {
        scene.deliver("Sent", &letter.raw());
    }
    scene.daemon.start();
    scene.filed(8);
    let leads = scene.crm.cards(1);
    assert_eq!(leads.len(), 1, "{leads:?}");
    let lead = leads[0]["id"].as_u64().unwrap();
    for id in ["question@new.example", "ours@example.com", "again@home.example"] {
        scene.assert_on(id, 1, lead);
    }
    let card = |id: &str| {
        let view = scene.daemon.view(id);
        assert_eq!(view.state, "saved", "{id}: {} {:?}", view.evidence, view.reason);
        view.cards
    };
    assert_eq!(card("away@elsewhere.example"), card("offer@example.com"));
    assert_eq!(card("other@elsewhere.example"), card("offer@example.com"));
    assert_eq!(card("bounce@mx.example"), card("lost@example.com"));
    assert_eq!(scene.crm.activities().len(), 8);
}

#[test]
fn answer_that_is_read_before_the_mail_it_answers_completes_it_too() {
    let scene = scene(SandboxProcess::start(), "");
    let ours = letter(SALES, "ana@new.example", "ours@example.com").answers("question@new.example");
    scene.deliver("Sent", &ours.raw());
    scene.filed(1);
    scene.receive("ana@new.example", "question@new.example");
    scene.filed(2);
    wait_for("the question to be completed", LIMIT, || {
        scene.daemon.view("question@new.example").activity_completed_at.is_some()
    });
    assert_eq!(scene.activity("question@new.example")["COMPLETED"], "Y");
    // `on_outgoing` made a contact, and what she wrote belongs on it.
    let contact = scene.crm.cards(3)[0]["id"].as_u64().unwrap();
    scene.assert_on("ours@example.com", 3, contact);
    scene.assert_on("question@new.example", 3, contact);
}

#[test]
fn vacation_note_makes_no_card_and_completes_nothing() {
    let scene = scene(SandboxProcess::start(), "");
    let robot =
        |id: &str| letter("ana@new.example", SALES, id).header("Auto-Submitted", "auto-replied");
    scene.deliver("INBOX", &robot("stranger@new.example").raw());
    scene.filed(1);
    let view = scene.daemon.view("stranger@new.example");
    assert_eq!((view.state.as_str(), view.reason.as_deref()), ("skipped", Some("automated")));
    let ours = letter(SALES, "ana@new.example", "ours@example.com");
    scene.deliver("Sent", &ours.raw());
    scene.filed(2);
    scene.deliver("INBOX", &robot("known@new.example").answers("ours@example.com").raw());
    scene.filed(3);
    let contact = scene.crm.cards(3)[0]["id"].as_u64().unwrap();
    scene.assert_on("known@new.example", 3, contact);
    // A robot of ours answers a client: nobody has answered yet.
    scene.receive("ana@new.example", "question@new.example");
    scene.filed(4);
    let note = letter(SALES, "ana@new.example", "note@example.com")
        .header("Auto-Submitted", "auto-replied")
        .answers("question@new.example");
    scene.deliver("Sent", &note.raw());
    scene.filed(5);
    assert_eq!(scene.activity("question@new.example")["COMPLETED"], "N");
    assert_eq!(scene.activity("note@example.com")["COMPLETED"], "Y");
    let counts = scene.crm.call("sandbox.counts", &json!({}));
    assert_eq!((&counts["leads"], &counts["contacts"]), (&json!(0), &json!(1)));
}

#[test]
fn mail_of_a_client_lands_on_the_open_deal_that_was_changed_last() {
    let scene = scene(SandboxProcess::start(), "");
    let contact = scene.crm.add_contact("Ana", "ana@client.example", 7);
    let older = scene.crm.add_deal("Roof", contact, 9);
    let newer = scene.crm.add_deal("Cellar", contact, 12);
    let closed = scene.crm.add_deal("Garden", contact, 7);
    let update = |deal: u64, fields: Value| {
        scene.crm.call("crm.item.update", &json!({"entityTypeId": 2, "id": deal, "fields": fields}))
    };
    update(closed, json!({"stageId": "WON"}));
    // Times are in seconds: changed until the times differ.
    let changed = |deal: u64| {
        let item = scene.crm.call("crm.item.get", &json!({"entityTypeId": 2, "id": deal}));
        item["item"]["updatedTime"].as_str().unwrap().to_owned()
    };
    wait_for("the older deal to be changed last", LIMIT, || {
        update(older, json!({"title": "Roof, changed"}));
        changed(older) > changed(newer)
    });
    scene.receive("ana@client.example", "one@client.example");
    scene.filed(1);
    scene.assert_on("one@client.example", 2, older);
    assert_eq!(scene.activity("one@client.example")["RESPONSIBLE_ID"], "9");
    wait_for("the newer deal to be changed last", LIMIT, || {
        update(newer, json!({"title": "Cellar, changed"}));
        changed(newer) > changed(older)
    });
    scene.receive("ana@client.example", "two@client.example");
    scene.filed(2);
    scene.assert_on("two@client.example", 2, newer);
    let candidates = scene.daemon.view("two@client.example").candidates.to_string();
    assert!(candidates.contains(&format!("\"id\":{older}")), "{candidates}");
    assert!(scene.crm.cards(1).is_empty());
}

#[test]
fn crm_without_leads_gets_contact_and_deal() {
    let scene = scene(SandboxProcess::start_with(&["--simple"]), "queue = [9]\n");
    scene.receive("Ana Ruiz <ana@new.example>", "one@new.example");
    scene.receive("Ana Ruiz <ana@new.example>", "two@new.example");
    scene.filed(2);
    let counts = scene.crm.call("sandbox.counts", &json!({}));
    let made = ["leads", "contacts", "deals", "activities"].map(|kind| counts[kind].clone());
    assert_eq!(made, [json!(0), json!(1), json!(1), json!(2)]);
    let deal = &scene.crm.cards(2)[0];
    let contact = &scene.crm.cards(3)[0];
    assert_eq!(deal["contactId"], contact["id"]);
    assert_eq!((&deal["assignedById"], &contact["assignedById"]), (&json!(9), &json!(9)));
    assert_eq!(contact["name"], "Ana Ruiz");
    for id in ["one@new.example", "two@new.example"] {
        scene.assert_on(id, 2, deal["id"].as_u64().unwrap());
    }
}

#[test]
fn address_that_no_card_can_hold_names_no_card() {
    let scene = scene(SandboxProcess::start_with(&["--simple"]), "");
    // Tagged and rewritten senders go beyond the 250 characters of a multifield.
    let address = format!("{}@new.example", "a".repeat(250));
    scene.receive(&format!("Ana Ruiz <{address}>"), "long@new.example");
    scene.filed(1);
    let (deal, contact) = (&scene.crm.cards(2)[0]["id"], &scene.crm.cards(3)[0]["id"]);
    let item = scene.crm.call("crm.item.get", &json!({"entityTypeId": 3, "id": contact}));
    assert_eq!((&item["item"]["fm"], &item["item"]["comments"]), (&json!([]), &json!(address)));
    let activity = scene.activity("long@new.example");
    let parties = scene.crm.list(
        "crm.activity.list",
        &json!({"filter": {"ID": activity["ID"]}, "select": ["ID", "COMMUNICATIONS"]}),
    )[0]["COMMUNICATIONS"]
        .clone();
    assert_eq!(
        (&parties[0]["VALUE"], &parties[0]["ENTITY_TYPE_ID"]),
        (&json!(address), &json!("2"))
    );
    let asked = json!({"activityId": activity["ID"]});
    let on = |entity_type: u64, id: &Value| json!({"entityTypeId": entity_type, "entityId": id});
    // It hangs on the contact all the same.
    let bound = json!([on(2, deal), on(3, contact)]);
    assert_eq!(scene.crm.call("crm.activity.binding.list", &asked), bound);
    let cards = serde_json::to_value(&scene.daemon.view("long@new.example").cards).unwrap();
    assert_eq!(cards.as_array().unwrap().len(), 2, "{cards}");
}

#[test]
fn mail_that_two_mailboxes_skip_again_and_again_is_decided_once_by_each() {
    let mut scene = scene_of_history(SandboxProcess::start(), "");
    let list = |id: &str| {
        letter("news@list.example", SALES, id).header("List-Id", "<news.list.example>").raw()
    };
    // The same in one mailbox, in the other, and in the first again.
    let raw = list("news@list.example");
    scene.dovecot.deliver("sales", "INBOX", &raw).unwrap();
    scene.dovecot.deliver("sales", "INBOX", &raw).unwrap();
    scene.dovecot.deliver("support", "INBOX", &raw).unwrap();
    scene.daemon.start();
    scene.daemon.wait_for_messages(1, LIMIT);
    scene.filed(1);
    let view = scene.daemon.view("news@list.example");
    assert_eq!((view.state.as_str(), view.reason.as_deref()), ("skipped", Some("mailing-list")));
    assert!(scene.daemon.lines_with("message skipped") <= 3, "{}", scene.daemon.log());
}
