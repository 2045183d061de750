//! What is made for a client whom nobody knows, whose it is, and until when it is to be answered,
//! on a real mail server and the sandbox CRM.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use common::daemon::Mailbox;
use common::desk::{Desk, contact, values};
use common::letter::{letter, subject};
use common::scene::{Scene, activity};
use jiff::Timestamp;
use serde_json::json;

const SALES: &str = "sales@example.com";
const ANA: &str = "Ana <ana@client.example>";
const BO: &str = "Bo <bo@shop.example>";

#[test]
fn each_mailbox_makes_what_it_is_told_to_make() {
    let made = ["lead", "contact", "deal"];
    let scene = Scene::with(&made);
    let mailboxes = made.map(|kind| {
        let lines =
            format!("on_incoming = \"{kind}\"\non_outgoing = \"{kind}\"\nsource = \"WEB\"\n");
        scene.mailbox(kind).crm(&lines)
    });
    let desk = Desk::on(scene, &mailboxes);
    for kind in made {
        let ours = format!("{kind}@example.com");
        let client = |way: &str| format!("{way} {kind} <{way}@{kind}.example>");
        let incoming = letter(&client("in"), &ours, &format!("in@{kind}.example"));
        desk.deliver(kind, "INBOX", &incoming);
        let outgoing = letter(&ours, &client("out"), &format!("out@{kind}.example"));
        desk.deliver(kind, "Sent", &outgoing);
        for way in ["in", "out"] {
            let id = format!("{way}@{kind}.example");
            let view = desk.until(&id, "saved", None);
            let card = view.cards[0];
            assert!(card.to_string().starts_with(kind), "{id}: {card}");
            let (entity_type, name) = match kind {
                "lead" => (1, "title"),
                "deal" => (2, "title"),
                _ => (3, "name"),
            };
            let item = desk.item(entity_type, card.id);
            let named = if kind == "contact" { format!("{way} contact") } else { subject(&id) };
            assert_eq!(item[name], json!(named), "{id}");
            assert_eq!(item["sourceId"], "WEB", "{id}");
        }
    }
    // A deal stands with its contact.
    assert_eq!(desk.made(), [2, 4, 2, 6]);
    for deal in desk.crm().cards(2) {
        let person = desk.item(3, deal["contactId"].as_u64().unwrap());
        assert_eq!(values(&person, "EMAIL").len(), 1, "{person}");
    }
}

#[test]
fn a_card_bears_what_the_mail_has_for_a_name() {
    let desk = Desk::with("on_incoming = \"contact\"\n");
    let bare = letter("nobody@bare.example", SALES, "bare@bare.example").subject("");
    let view = desk.files(&bare, "bare@bare.example", "contact:1");
    assert_eq!(desk.item(3, 1)["name"], "nobody@bare.example");
    assert_eq!(
        activity(desk.crm(), "(no subject)")["ID"],
        json!(view.activity_id.unwrap().to_string())
    );
    let encoded = letter("=?utf-8?B?w5FhbmTDug==?= <n@x.example>", SALES, "name@x.example");
    desk.files(&encoded, "name@x.example", "contact:2");
    assert_eq!(desk.item(3, 2)["name"], "Ñandú");
}

/// Owner Dan, who works there no more.
fn of_dan(scene: &Scene, lines: &str) -> Mailbox {
    let mut mailbox = scene.mailbox("sales").crm(lines);
    mailbox.head = "owner = 15\n".to_owned();
    mailbox
}

#[test]
fn who_left_gets_no_new_cards_and_keeps_those_they_have() {
    let scene = Scene::with(&["sales"]);
    let dans = scene.crm.add_contact("Ana", "ana@client.example", 15);
    let mailbox = of_dan(&scene, "queue = [15]\n");
    let desk = Desk::on(scene, &[mailbox]);
    let view = desk.files(&letter(BO, SALES, "one@shop.example"), "one@shop.example", "lead:1");
    assert_eq!((view.responsible, view.owner), (Some(1), 15));
    let told = desk.explain("one@shop.example");
    assert!(told.contains("owner, employee 15, is not active"), "{told}");
    assert!(desk.daemon.lines_with("responsible replaced") > 0);
    assert!(desk.daemon.lines_with("nobody of the queue is active") > 0);
    let known = letter(ANA, SALES, "two@client.example");
    let view = desk.files(&known, "two@client.example", &contact(dans));
    assert_eq!(view.responsible, Some(15));
    let made = activity(desk.crm(), &subject("one@shop.example"));
    let text = made["DESCRIPTION"].as_str().unwrap();
    assert!(text.ends_with("Mailbox sales, connected by Dan Gone"), "{text}");
}

#[test]
fn incoming_mail_is_to_be_answered_by_the_end_of_a_working_day_that_is_not_over() {
    let scene = Scene::with(&["sales", "support"]);
    // In an hour, and an hour ago: by the daemon's zone, UTC.
    let now = Timestamp::now().as_second();
    let at = |hours: i64| Timestamp::from_second(now + hours * 3600).unwrap();
    let lines = |at: &Timestamp| format!("deadline = \"{}\"\n", at.strftime("%H:%M"));
    let later = scene.mailbox("sales").crm(&lines(&at(1)));
    let over = scene.mailbox("support").crm(&lines(&at(-1)));
    let desk = Desk::on(scene, &[later, over]);
    desk.receive(&letter(ANA, SALES, "later@client.example"));
    desk.deliver("support", "INBOX", &letter(BO, "support@example.com", "over@shop.example"));
    for (id, wanted) in [("later@client.example", at(1)), ("over@shop.example", at(23))] {
        desk.until(id, "saved", None);
        let made = activity(desk.crm(), &subject(id));
        let deadline: Timestamp = made["DEADLINE"].as_str().unwrap().parse().unwrap();
        let away = deadline.as_second() - wanted.as_second();
        assert!(away.abs() <= 60, "{id}: {deadline} and not {wanted}");
    }
}

#[test]
fn an_answer_completes_nothing_where_it_is_not_to() {
    let desk = Desk::with("complete_on_reply = false\n");
    desk.files(&letter(ANA, SALES, "question@client.example"), "question@client.example", "lead:1");
    desk.send(&letter(SALES, ANA, "ours@example.com").answers("question@client.example"));
    desk.until_on("ours@example.com", "lead:1");
    desk.files(&letter(BO, SALES, "last@shop.example"), "last@shop.example", "lead:2");
    assert_eq!(activity(desk.crm(), &subject("question@client.example"))["COMPLETED"], "N");
}
