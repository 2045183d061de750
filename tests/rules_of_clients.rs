//! Whose mail it is where several cards come into question, and what stands in its activity, on a
//! real mail server and the sandbox CRM.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use common::desk::{Desk, change_last, client, contact, deal};
use common::letter::{letter, subject};
use common::scene::{Scene, activity};
use serde_json::json;

const SALES: &str = "sales@example.com";
const ANA: &str = "Ana <ana@client.example>";
const BO: &str = "Bo <bo@shop.example>";

#[test]
fn a_closed_deal_keeps_its_thread_until_the_client_has_an_open_one() {
    let desk = Desk::with("");
    let (ana, first) = client(desk.crm(), "ana@client.example");
    desk.files(&letter(ANA, SALES, "one@client.example"), "one@client.example", &deal(first));
    desk.update(2, first, &json!({"stageId": "LOSE"}));
    let reply = |id: &str| letter(ANA, SALES, id).answers("one@client.example");
    desk.files(&reply("two@client.example"), "two@client.example", &deal(first));
    // Without the thread it is the client's own.
    let bare = letter(ANA, SALES, "bare@client.example");
    desk.files(&bare, "bare@client.example", &contact(ana));
    let second = desk.crm().add_deal("Again", ana, 12);
    let view = desk.files(&reply("three@client.example"), "three@client.example", &deal(second));
    assert!(view.candidates.to_string().contains("closed"), "{}", view.candidates);
    assert!(desk.crm().cards(1).is_empty());
}

#[test]
fn a_lead_that_was_deleted_leaves_a_note_and_the_mail_is_placed_anew() {
    let desk = Desk::with("");
    desk.files(&letter(ANA, SALES, "one@client.example"), "one@client.example", "lead:1");
    desk.crm().call("crm.item.delete", &json!({"entityTypeId": 1, "id": 1}));
    let reply = letter(ANA, SALES, "two@client.example").answers("one@client.example");
    let view = desk.files(&reply, "two@client.example", "lead:2");
    assert!(view.evidence.to_string().contains("lead:1 was deleted"), "{}", view.evidence);
}

#[test]
fn contact_comes_before_company_and_company_before_lead() {
    let desk = Desk::with("");
    let crm = desk.crm();
    let mail = |email: &str| json!([{"typeId": "EMAIL", "valueType": "WORK", "value": email}]);
    let shared = mail("office@client.example");
    let lead = crm.add_card(1, json!({"title": "Lead", "assignedById": 7, "fm": shared}));
    let office = |id: &str| letter("Office <office@client.example>", SALES, id);
    desk.files(&office("one@client.example"), "one@client.example", &format!("lead:{lead}"));
    let company = crm.add_card(4, json!({"title": "Client", "assignedById": 9, "fm": shared}));
    let on = format!("company:{company}");
    let view = desk.files(&office("two@client.example"), "two@client.example", &on);
    assert_eq!(view.responsible, Some(9));
    assert!(view.candidates.to_string().contains("\"type\":\"lead\""), "{}", view.candidates);
    let of_company = json!({"title": "Roof", "companyId": company, "assignedById": 12});
    let open = crm.add_card(2, of_company);
    desk.files(&office("three@client.example"), "three@client.example", &deal(open));
    let person = crm.add_contact("Office", "office@client.example", 7);
    desk.files(&office("four@client.example"), "four@client.example", &contact(person));
}

#[test]
fn of_two_contacts_with_one_address_the_one_with_the_latest_open_deal_gets_the_mail() {
    let desk = Desk::with("");
    let crm = desk.crm();
    let (_, first) = client(crm, "ana@client.example");
    let (_, second) = client(crm, "Ana@Client.example");
    crm.add_contact("Third", "ana@client.example", 7);
    change_last(crm, first, second);
    let view =
        desk.files(&letter(ANA, SALES, "one@client.example"), "one@client.example", &deal(first));
    let losers = view.candidates.as_array().unwrap();
    let contacts = losers.iter().filter(|one| one["type"] == "contact").count();
    assert_eq!(contacts, 2, "{}", view.candidates);
    change_last(crm, second, first);
    desk.files(&letter(ANA, SALES, "two@client.example"), "two@client.example", &deal(second));
}

#[test]
fn the_first_address_that_has_a_card_gets_the_mail_and_only_a_mail_without_any_makes_one() {
    let desk = Desk::with("");
    let (_, ana) = client(desk.crm(), "ana@client.example");
    let (_, bo) = client(desk.crm(), "bo@shop.example");
    let dee = "Dee <dee@new.example>";
    #[rustfmt::skip]
    let cases = [
        ("reply-to",  letter(BO, SALES, "reply-to@case.example").header("Reply-To", ANA), deal(ana)),
        ("sender",    letter(BO, &format!("{SALES}, {ANA}"), "sender@case.example"),      deal(bo)),
        ("to",        letter(dee, &format!("{SALES}, {ANA}"), "to@case.example").header("Cc", BO), deal(ana)),
        ("cc",        letter(dee, SALES, "cc@case.example").header("Cc", BO),             deal(bo)),
        ("ours",      letter(dee, SALES, "ours@case.example").header("Reply-To", SALES),  "lead:1".to_owned()),
    ];
    for (name, mail, card) in cases {
        let view = desk.files(&mail, &format!("{name}@case.example"), &card);
        if name == "sender" {
            assert!(view.candidates.to_string().contains("comes after"), "{}", view.candidates);
        }
    }
    // Outgoing: To, Cc, Bcc.
    desk.send(&letter(SALES, "eve@new.example", "bcc@example.com").header("Bcc", ANA));
    desk.until_on("bcc@example.com", &deal(ana));
    desk.send(
        &letter(SALES, "Eve <eve@new.example>", "new@example.com").header("Bcc", "f@new.example"),
    );
    let view = desk.until("new@example.com", "saved", None);
    let made = view.cards[0].to_string();
    assert!(made.starts_with("contact:"), "{made}");
    let id = made.trim_start_matches("contact:").parse().unwrap();
    let card = desk.item(3, id);
    assert_eq!(common::desk::values(&card, "EMAIL"), ["eve@new.example"]);
    assert_eq!(card["name"], "Eve");
}

#[test]
fn an_activity_bears_the_mails_time_its_people_and_who_connected_the_mailbox() {
    let scene = Scene::with(&["sales"]);
    let mut mailbox = scene.mailbox("sales");
    mailbox.head = "owner = 7\n".to_owned();
    let (ana, owner) = client(&scene.crm, "ana@client.example");
    let desk = Desk::on(scene, &[mailbox]);
    let mail = letter(ANA, &format!("{SALES}, colleague@client.example"), "one@client.example")
        .header("Cc", "carla@example.com");
    let view = desk.files(&mail, "one@client.example", &deal(owner));
    assert_eq!(view.owner, 7);
    let made = activity(desk.crm(), &subject("one@client.example"));
    let text = made["DESCRIPTION"].as_str().unwrap();
    assert!(text.contains("Text of one@client.example"), "{text}");
    assert!(text.ends_with("Mailbox sales, connected by Ana Ruiz"), "{text}");
    assert_eq!(made["RESPONSIBLE_ID"], "9");
    let started: jiff::Timestamp = made["START_TIME"].as_str().unwrap().parse().unwrap();
    assert_eq!(started.as_second(), view.received_at);
    let asked = json!({"filter": {"ID": made["ID"]}, "select": ["ID", "COMMUNICATIONS"]});
    let parties = desk.crm().list("crm.activity.list", &asked)[0]["COMMUNICATIONS"].clone();
    let parties = parties.as_array().unwrap();
    // A colleague is no party; of the clients only the matched one is given with the card.
    let card = |email: &str| {
        let party = parties.iter().find(|one| one["VALUE"] == email).unwrap();
        (party["ENTITY_TYPE_ID"].as_str().unwrap(), party["ENTITY_ID"].as_str().unwrap())
    };
    assert_eq!(parties.len(), 2, "{parties:?}");
    assert_eq!(card("ana@client.example"), ("3", ana.to_string().as_str()));
    // The CRM gives who has none the activity's own card.
    assert_eq!(card("colleague@client.example"), ("2", owner.to_string().as_str()));
}

#[test]
fn encrypted_mail_is_filed_with_its_original_and_says_so() {
    let desk = Desk::with("");
    for name in ["encrypted-pgp-mime", "encrypted-smime"] {
        let path = format!("{}/tests/fixtures/{name}.eml", env!("CARGO_MANIFEST_DIR"));
        desk.scene.dovecot.deliver("sales", "INBOX", &std::fs::read(path).unwrap()).unwrap();
    }
    desk.daemon.wait_until_filed(2, common::LIMIT);
    let made = desk.crm().activities();
    assert_eq!(made.len(), 2);
    for activity in made {
        let text = activity["DESCRIPTION"].as_str().unwrap();
        assert!(text.contains("The mail is encrypted; the original is attached."), "{text}");
        assert_eq!(activity["FILES"].as_array().unwrap().len(), 1, "{activity}");
    }
}

#[test]
fn what_outlook_packs_into_winmail_dat_arrives_as_its_files() {
    let desk = Desk::with("");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/attachment-winmail-dat.eml");
    desk.scene.dovecot.deliver("sales", "INBOX", &std::fs::read(path).unwrap()).unwrap();
    desk.until_on("attachment-winmail-dat@customer.example", "lead:1");
    let crm = rusqlite::Connection::open(desk.crm().path()).unwrap();
    let mut statement = crm.prepare("SELECT name FROM file ORDER BY id").unwrap();
    let names = statement.query_map([], |row| row.get::<_, String>("name")).unwrap();
    let names: Vec<String> = names.map(Result::unwrap).collect();
    assert_eq!(names, ["Preisliste für Ana.pdf", "ana.vcf", "last.pdf"]);
}
