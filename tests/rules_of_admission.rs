//! The rules by which a mail belongs in the CRM or does not, each with a few mails on a real mail
//! server and the sandbox CRM.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::time::{Duration, SystemTime};

use common::desk::{Desk, client, contact, deal};
use common::letter::{Letter, letter, subject};
use common::scene::{Scene, activity, reconciled};
use serde_json::json;

const SALES: &str = "sales@example.com";
const ANA: &str = "Ana <ana@client.example>";
const BO: &str = "Bo <bo@shop.example>";

#[test]
fn what_lies_in_trash_and_drafts_is_told_and_what_is_taken_out_of_them_is_filed() {
    let scene = Scene::with(&["sales"]);
    let folders = "sync = [\"INBOX\", \"Sent\", \"Trash\", \"Drafts\"]\n";
    let mailbox = scene.mailbox("sales").folders(folders);
    let desk = Desk::on(scene, &[mailbox]);
    desk.deliver("sales", "Trash", &letter(ANA, SALES, "deleted@client.example"));
    desk.until("deleted@client.example", "skipped", Some("trash-folder"));
    desk.deliver("sales", "Drafts", &letter(SALES, BO, "draft@example.com"));
    desk.until("draft@example.com", "skipped", Some("drafts-folder"));
    assert!(desk.scene.filed().is_empty());
    desk.move_mail("deleted@client.example", "Trash", "INBOX");
    desk.until_on("deleted@client.example", "lead:1");
    desk.move_mail("draft@example.com", "Drafts", "Sent");
    desk.until_on("draft@example.com", "contact:1");
    reconciled(&desk.daemon);
}

#[test]
fn a_mailbox_whose_integration_is_off_makes_nothing_while_its_neighbour_does() {
    let scene = Scene::with(&["sales", "support"]);
    let off = scene.mailbox("sales").crm("enabled = false\n");
    let on = scene.mailbox("support");
    let desk = Desk::on(scene, &[off, on]);
    desk.receive(&letter(ANA, SALES, "one@client.example"));
    desk.until("one@client.example", "skipped", Some("crm-off"));
    assert_eq!(desk.made(), [0, 0, 0, 0]);
    // What it skipped is filed where it comes to a mailbox that files.
    let both = letter(ANA, "sales@example.com, support@example.com", "both@client.example");
    desk.receive(&both);
    desk.until("both@client.example", "skipped", Some("crm-off"));
    desk.deliver("support", "INBOX", &both);
    desk.until_on("both@client.example", "lead:1");
}

#[test]
fn who_belongs_to_the_company_is_known_by_address_domain_and_employment() {
    let scene = Scene::with(&["sales"]);
    let employee = json!({"id": 9, "name": "Ben Okafor", "email": "ben@freelance.example"});
    scene.crm.call("sandbox.employee.set", &employee);
    let mut mailbox = scene.mailbox("sales");
    mailbox.head = "aliases = [\"shop@brand.example\"]\n".to_owned();
    let desk = Desk::on(scene, &[mailbox]);
    // The employees are asked for when there is something to file.
    desk.files(&letter(BO, SALES, "first@shop.example"), "first@shop.example", "lead:1");
    #[rustfmt::skip]
    let cases = [
        ("alias",            "shop@brand.example",       "outgoing"),
        ("alias-tag",        "Shop+May@Brand.example",   "outgoing"),
        ("own-tag",          "sales+may@example.com",    "outgoing"),
        ("domain",           "anyone@example.com",       "outgoing"),
        ("employee",         "ben@freelance.example",    "outgoing"),
        ("subdomain",        "cy@mail.example.com",      "incoming"),
        ("other-of-brand",   "cy@brand.example",         "incoming"),
        ("other-freelancer", "cy@freelance.example",     "incoming"),
        ("employee-who-left", "dan@elsewhere.example",   "incoming"),
    ];
    desk.crm().call("sandbox.employee.set", &json!({"id": 15, "email": "dan@elsewhere.example"}));
    for (name, from, direction) in cases {
        let id = format!("{name}@case.example");
        desk.receive(&letter(from, ANA, &id));
        let view = desk.until(&id, "saved", None);
        assert_eq!(view.direction.as_deref(), Some(direction), "{name}: {}", view.evidence);
        let made = activity(desk.crm(), &subject(&id));
        let (completed, way) = if direction == "outgoing" { ("Y", "2") } else { ("N", "1") };
        assert_eq!(
            (&made["COMPLETED"], &made["DIRECTION"]),
            (&json!(completed), &json!(way)),
            "{name}"
        );
    }
    desk.receive(&letter("ben@freelance.example", SALES, "colleague@case.example"));
    desk.until("colleague@case.example", "skipped", Some("internal"));
}

#[test]
fn an_exclusion_keeps_out_a_sender_and_leaves_the_other_recipients() {
    let desk = Desk::with("exclude = [\"*@newsletter.example\", \"partner.example\"]\n");
    desk.receive(&letter("Cy <cy@Newsletter.example>", SALES, "in@newsletter.example"));
    desk.until("in@newsletter.example", "skipped", Some("excluded"));
    let to = "cy@newsletter.example, Ana <ana@client.example>, dee@partner.example";
    desk.send(&letter(SALES, to, "some@example.com"));
    desk.until_on("some@example.com", "contact:1");
    let made = activity(desk.crm(), &subject("some@example.com"));
    let asked = json!({"filter": {"ID": made["ID"]}, "select": ["ID", "COMMUNICATIONS"]});
    let parties = desk.crm().list("crm.activity.list", &asked)[0]["COMMUNICATIONS"].clone();
    assert_eq!(parties.as_array().unwrap().len(), 1, "{parties}");
    assert_eq!(parties[0]["VALUE"], "ana@client.example");
    desk.send(&letter(SALES, "cy@newsletter.example, dee@partner.example", "none@example.com"));
    desk.until("none@example.com", "skipped", Some("excluded"));
    // Only that domain.
    desk.receive(&letter("eve@sub.partner.example", SALES, "sub@partner.example"));
    desk.until_on("sub@partner.example", "lead:1");
    assert_eq!(desk.made(), [1, 1, 0, 2]);
}

#[test]
fn each_class_of_mail_is_filed_by_its_own_policy() {
    let policies = ["skip", "attach", "normal"];
    let scene = Scene::with(&policies);
    let (_, owner) = client(&scene.crm, "ana@client.example");
    let classes = [
        ("automated", "Auto-Submitted", "auto-generated"),
        ("mailing-list", "List-Id", "<news.example>"),
        ("spam-verdict", "X-Spam-Flag", "YES"),
    ];
    let mailboxes = policies.map(|policy| {
        let keys = classes.map(|(class, ..)| class.replace('-', "_"));
        let lines = keys.map(|key| format!("{key} = \"{policy}\"\n")).concat();
        scene.mailbox(policy).crm(&lines)
    });
    let desk = Desk::on(scene, &mailboxes);
    for policy in policies {
        for (class, header, value) in classes {
            for (who, from) in
                [("known", ANA.to_owned()), ("new", format!("x@{policy}-{class}.example"))]
            {
                let id = format!("{who}@{policy}-{class}.example");
                let mail = letter(&from, &format!("{policy}@example.com"), &id);
                desk.deliver(policy, "INBOX", &mail.header(header, value));
            }
        }
    }
    for policy in policies {
        for (class, ..) in classes {
            let [known, new] =
                ["known", "new"].map(|who| format!("{who}@{policy}-{class}.example"));
            match policy {
                "skip" => {
                    desk.until(&known, "skipped", Some(class));
                    desk.until(&new, "skipped", Some(class));
                }
                "attach" => {
                    desk.until_on(&known, &deal(owner));
                    desk.until(&new, "skipped", Some(class));
                }
                _ => {
                    desk.until_on(&known, &deal(owner));
                    let view = desk.until(&new, "saved", None);
                    assert!(view.cards[0].to_string().starts_with("lead:"), "{new}");
                }
            }
        }
    }
    assert_eq!(desk.made(), [3, 1, 1, 9]);
}

#[test]
fn a_persons_forward_of_a_report_is_a_persons_mail_and_a_receipt_is_not() {
    let desk = Desk::with("");
    let text = "What does this mean?\r\n\r\n---------- Forwarded message ---------\r\n\
                From: Mail Delivery System <mailer-daemon@mx.example>\r\nSubject: Undelivered Mail \
                Returned to Sender\r\n\r\nI'm sorry to have to inform you that your message could \
                not be delivered.";
    let forward = letter(ANA, SALES, "forward@client.example")
        .subject("Fwd: Undelivered Mail Returned to Sender")
        .text(text);
    desk.files(&forward, "forward@client.example", "lead:1");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/automated-read-receipt.eml");
    desk.scene.dovecot.deliver("sales", "INBOX", &std::fs::read(fixture).unwrap()).unwrap();
    let until =
        || desk.daemon.views().into_iter().find(|view| view.class.as_deref() == Some("automated"));
    common::wait_for("the receipt", common::LIMIT, || {
        until().is_some_and(|view| view.reason.as_deref() == Some("automated"))
    });
    assert_eq!(desk.made(), [1, 0, 0, 1]);
}

#[test]
fn mail_of_the_crm_itself_is_linked_and_never_filed_a_second_time() {
    let desk = Desk::with("");
    let crm = desk.crm();
    let (ana, owner) = client(crm, "ana@client.example");
    let party = json!([{"TYPE": "EMAIL", "VALUE": "ana@client.example", "ENTITY_TYPE_ID": 3, "ENTITY_ID": ana}]);
    let fields = json!({
        "OWNER_TYPE_ID": 2, "OWNER_ID": owner, "TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": "Y",
        "SUBJECT": "Offer", "DESCRIPTION": "Dear Ana", "RESPONSIBLE_ID": 9, "COMMUNICATIONS": party,
    });
    let made = crm.call("crm.activity.add", &json!({"fields": fields})).as_u64().unwrap();
    let id = format!("crm.activity.{made}-AB12CD@portal.example");
    desk.send(&letter(SALES, ANA, &id).subject("Offer"));
    desk.until(&id, "skipped", Some("own-crm-mail"));
    common::wait_for("its cards", common::LIMIT, || !desk.daemon.view(&id).cards.is_empty());
    let view = desk.daemon.view(&id);
    assert_eq!(view.activity_id, Some(made));
    assert_eq!(view.cards.first().map(ToString::to_string), Some(deal(owner)));
    let told = desk.explain(&id);
    assert!(told.contains("in the CRM:\n  deal:"), "{told}");
    // A client who has Bitrix24 too writes with such ids.
    let theirs = format!("crm.activity.{made}-ZZ99ZZ@their.example");
    desk.files(&letter(ANA, SALES, &theirs), &theirs, &deal(owner));
    // And answers on what the CRM sent are on its deal.
    let reply = letter(ANA, SALES, "reply@client.example").answers(&id);
    desk.files(&reply, "reply@client.example", &deal(owner));
    assert_eq!(desk.made(), [0, 1, 1, 3]);
}

#[test]
fn what_creation_off_leaves_out_is_said_and_known_clients_are_filed_all_the_same() {
    let desk = Desk::with("on_incoming = \"none\"\non_outgoing = \"none\"\n");
    let ana = desk.crm().add_contact("Ana", "ana@client.example", 9);
    desk.receive(&letter(BO, SALES, "in@shop.example"));
    desk.until("in@shop.example", "skipped", Some("creation-off"));
    desk.send(&letter(SALES, BO, "out@example.com"));
    desk.until("out@example.com", "skipped", Some("creation-off"));
    desk.files(&letter(ANA, SALES, "known@client.example"), "known@client.example", &contact(ana));
    assert_eq!(desk.made(), [0, 1, 0, 1]);
}

#[test]
fn sent_mail_of_the_history_stays_out_where_it_is_to_and_later_sent_mail_does_not() {
    let scene = Scene::with(&["sales"]);
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let deliver = |folder: &str, mail: &Letter| {
        scene.dovecot.deliver_at("sales", folder, &mail.raw(), an_hour_ago).unwrap();
    };
    deliver("Sent", &letter(SALES, ANA, "old@example.com"));
    deliver("INBOX", &letter(BO, SALES, "old@shop.example"));
    let mailbox = scene.mailbox("sales").crm("history_outgoing = false\n");
    let desk = Desk::on(scene, &[mailbox]);
    desk.until("old@example.com", "skipped", Some("before-history"));
    desk.until_on("old@shop.example", "lead:1");
    desk.send(&letter(SALES, ANA, "new@example.com"));
    desk.until_on("new@example.com", "contact:1");
    reconciled(&desk.daemon);
}

#[test]
fn a_mail_without_any_address_has_no_card_and_says_why() {
    let desk = Desk::with("");
    let raw = "Message-ID: <nobody@nowhere.example>\r\nSubject: Hello\r\n\
               Date: Thu, 01 Jan 2026 10:00:00 +0000\r\n\r\nWho am I?\r\n";
    desk.scene.dovecot.deliver("sales", "INBOX", raw.as_bytes()).unwrap();
    desk.until("nobody@nowhere.example", "skipped", Some("no-address"));
    let told = desk.explain("nobody@nowhere.example");
    assert!(told.contains("(no sender can be read)"), "{told}");
    assert_eq!(desk.made(), [0, 0, 0, 0]);
}
