//! The rules by which a mail finds its card, each with a few mails on a real mail server and the
//! sandbox CRM. What `cards_and_people` and `mailbox` show already is not repeated.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::path::{Path, PathBuf};

use common::desk::{Desk, change_last, client, contact, deal, values};
use common::letter::{letter, subject};
use common::sandbox::SandboxProcess;
use common::scene::{Scene, activity, reconciled};
use common::{LIMIT, wait_for};
use mailcrm::rules::Reason;
use serde_json::json;

const SALES: &str = "sales@example.com";
const ANA: &str = "Ana <ana@client.example>";
const BO: &str = "Bo <bo@shop.example>";

#[test]
fn a_move_into_spam_after_the_filing_is_a_further_place_and_changes_nothing() {
    let scene = Scene::with(&["sales"]);
    let mailbox = scene.mailbox("sales").folders("sync = [\"INBOX\", \"Junk\"]\n");
    let desk = Desk::on(scene, &[mailbox]);
    desk.deliver("sales", "Junk", &letter(ANA, SALES, "good@client.example"));
    desk.until("good@client.example", "skipped", Some("spam-folder"));
    desk.files(&letter(BO, SALES, "filed@shop.example"), "filed@shop.example", "lead:1");
    desk.move_mail("good@client.example", "Junk", "INBOX");
    desk.move_mail("filed@shop.example", "INBOX", "Junk");
    desk.until_on("good@client.example", "lead:2");
    wait_for("the place in spam", LIMIT, || {
        desk.explain("filed@shop.example").contains("sales/Junk/")
    });
    let told = desk.explain("filed@shop.example");
    assert!(told.contains(": saved\n") && told.contains("lead:1 "), "{told}");
    assert!(told.contains("moved into a folder of role spam after it was filed"), "{told}");
    assert_eq!(desk.scene.filed().len(), 2);
    reconciled(&desk.daemon);
}

#[test]
fn all_mail_beside_the_inbox_makes_nothing_twice() {
    let extra = "namespace inbox {\n  mailbox \"All Mail\" {\n    special_use = \\All\n    \
                 auto = subscribe\n  }\n}\n";
    let scene = Scene::with_conf(&["sales"], extra);
    // As Gmail has it: everything lies there once more, and what was archived lies there only.
    let sync = "sync = [\"INBOX\", \"\\\\Sent\", \"\\\\All\"]\n";
    let mailbox = scene.mailbox("sales").folders(sync);
    let both = letter(ANA, SALES, "both@client.example");
    let sent = letter(SALES, ANA, "sent@example.com").answers("both@client.example");
    let archived = letter(BO, SALES, "archived@shop.example");
    for (folder, mail) in [
        ("All Mail", &both),
        ("INBOX", &both),
        ("All Mail", &sent),
        ("Sent", &sent),
        ("All Mail", &archived),
    ] {
        scene.dovecot.deliver("sales", folder, &mail.raw()).unwrap();
    }
    let desk = Desk::on(scene, &[mailbox]);
    let view = desk.until("both@client.example", "saved", None);
    let lead = view.cards[0].to_string();
    desk.until_on("sent@example.com", &lead);
    desk.until("archived@shop.example", "saved", None);
    // Live too.
    let live = letter(ANA, SALES, "live@client.example").answers("sent@example.com");
    desk.receive(&live);
    desk.deliver("sales", "All Mail", &live);
    desk.until_on("live@client.example", &lead);
    wait_for("both places of each", LIMIT, || {
        let places = |id: &str| desk.daemon.view(id).places.len();
        let twice = ["both@client.example", "sent@example.com", "live@client.example"];
        twice.iter().all(|id| places(id) == 2) && places("archived@shop.example") == 1
    });
    assert_eq!(desk.scene.filed().len(), 4);
    assert_eq!(desk.crm().cards(1).len(), 2);
    reconciled(&desk.daemon);
}

#[test]
fn a_colleagues_forward_is_the_clients_mail_only_where_the_mailbox_says_so() {
    let scene = Scene::with(&["sales", "support"]);
    let (_, owner) = client(&scene.crm, "ana@client.example");
    let sales = scene.mailbox("sales").crm("forwards = true\n");
    let support = scene.mailbox("support");
    let desk = Desk::on(scene, &[sales, support]);
    let forward = |to: &str, id: &str| {
        let text = "Please answer her.\r\n\r\n---------- Forwarded message ---------\r\n\
                    From: Ana <ana@client.example>\r\nDate: Thu, May 2, 2024 at 10:15 AM\r\n\
                    Subject: Price list\r\nTo: <carla@example.com>\r\n\r\nHow much for a dozen?";
        letter("Carla <carla@example.com>", to, id).subject("Fwd: Price list").text(text)
    };
    desk.receive(&forward(SALES, "on@example.com"));
    let view = desk.until_on("on@example.com", &deal(owner));
    assert_eq!(view.direction.as_deref(), Some("incoming"));
    desk.deliver("support", "INBOX", &forward("support@example.com", "off@example.com"));
    desk.until("off@example.com", "skipped", Some("internal"));
    // What she forwards to a client is what the company writes.
    let out = forward("Bo <bo@shop.example>", "out@example.com");
    desk.send(&out);
    assert_eq!(desk.until_on("out@example.com", "contact:2").direction.unwrap(), "outgoing");
    assert!(desk.crm().cards(1).is_empty());
}

/// A delivery report about a mail to `failed`, with the id of what came back, if anything.
fn report(server: &str, id: &str, failed: &str, returned: Option<&str>) -> Vec<u8> {
    let returned = returned.map_or(String::new(), |sent| {
        format!(
            "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: {SALES}\r\n\
             Message-ID: <{sent}>\r\n\r\n"
        )
    });
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S +0000");
    format!(
        "From: Mail Delivery System <MAILER-DAEMON@{server}>\r\nTo: {SALES}\r\n\
         Subject: Undelivered Mail Returned to Sender\r\nDate: {date}\r\nMessage-ID: <{id}>\r\n\
         Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\n\r\nI could not deliver your mail.\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; {server}\r\n\r\n\
         Final-Recipient: rfc822; {failed}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\
         {returned}--b--\r\n"
    )
    .into_bytes()
}

#[test]
fn a_report_goes_where_the_mail_is_that_it_is_about_and_completes_and_makes_nothing() {
    let desk = Desk::with("");
    let crm = desk.crm();
    let (_, ana) = client(crm, "ana@client.example");
    desk.files(
        &letter(ANA, SALES, "question@client.example"),
        "question@client.example",
        &deal(ana),
    );
    let sent = letter(SALES, ANA, "sent@example.com");
    desk.send(&sent);
    desk.until_on("sent@example.com", &deal(ana));
    let bounce = |id: &str, returned: Option<&str>| {
        let raw = report("mx.client.example", id, "ana@home.example", returned);
        desk.scene.dovecot.deliver("sales", "INBOX", &raw).unwrap();
    };
    bounce("known@mx.client.example", Some("sent@example.com"));
    let view = desk.until_on("known@mx.client.example", &deal(ana));
    let kind = (view.class.as_deref(), view.direction.as_deref());
    assert_eq!(kind, (Some("bounce"), Some("incoming")));
    bounce("unknown@mx.client.example", None);
    desk.until("unknown@mx.client.example", "skipped", Some("bounce"));
    let question = activity(crm, &subject("question@client.example"));
    assert_eq!(question["COMPLETED"], "N");
    assert_eq!(desk.made(), [0, 1, 1, 3]);
}

#[test]
fn our_own_servers_report_is_about_the_mail_that_came_back_else_about_whom_it_names() {
    let desk = Desk::with("");
    let (_, ana) = client(desk.crm(), "ana@client.example");
    let (_, bo) = client(desk.crm(), "bo@shop.example");
    desk.send(&letter(SALES, ANA, "sent@example.com"));
    desk.until_on("sent@example.com", &deal(ana));
    let bounce = |id: &str, failed: &str, returned: Option<&str>| {
        let raw = report("example.com", id, failed, returned);
        desk.scene.dovecot.deliver("sales", "INBOX", &raw).unwrap();
    };
    // She forwards her mail to a place of which no card knows.
    bounce("headers@example.com", "ana@home.example", Some("sent@example.com"));
    let view = desk.until_on("headers@example.com", &deal(ana));
    assert_eq!(view.direction.as_deref(), Some("incoming"));
    bounce("recipient@example.com", "bo@shop.example", None);
    desk.until_on("recipient@example.com", &deal(bo));
    bounce("stranger@example.com", "typo@nowhere.example", None);
    desk.until("stranger@example.com", "skipped", Some("bounce"));
    // A colleague's mailbox is full: that is no client's matter.
    bounce("colleague@example.com", "carla@example.com", None);
    desk.until("colleague@example.com", "skipped", Some("internal"));
    // One that tells in words only, and brings the beginning of the mail back.
    let words = String::from_utf8(report("example.com", "words@example.com", "", None)).unwrap();
    let (head, _) = words.split_once("--b\r\nContent-Type: message/delivery-status").unwrap();
    let raw = format!(
        "{head}--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: {SALES}\r\nTo: {ANA}\r\n\
         Message-ID: <sent@example.com>\r\n\r\n--b--\r\n"
    );
    desk.scene.dovecot.deliver("sales", "INBOX", raw.as_bytes()).unwrap();
    desk.until_on("words@example.com", &deal(ana));
    assert_eq!(desk.made(), [0, 2, 2, 4]);
}

/// A mail that an employee wrote in the CRM itself, on a deal.
fn written_in_the_crm(crm: &SandboxProcess, deal: u64, contact: u64, email: &str) -> u64 {
    let party =
        json!([{"TYPE": "EMAIL", "VALUE": email, "ENTITY_TYPE_ID": 3, "ENTITY_ID": contact}]);
    let fields = json!({
        "OWNER_TYPE_ID": 2, "OWNER_ID": deal, "TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": "Y",
        "SUBJECT": "Written in the CRM", "DESCRIPTION": "Dear Ana", "RESPONSIBLE_ID": 9,
        "COMMUNICATIONS": party,
    });
    crm.call("crm.activity.add", &json!({"fields": fields})).as_u64().unwrap()
}

#[test]
fn a_reply_code_counts_for_a_party_to_the_activity_only() {
    let desk = Desk::with("");
    let crm = desk.crm();
    let (ana, older) = client(crm, "ana@client.example");
    let activity = written_in_the_crm(crm, older, ana, "ana@client.example");
    // By address it would go to the deal that is changed last.
    let newer = crm.add_deal("Cellar", ana, 12);
    change_last(crm, newer, older);
    let tag = format!("Re: Offer [CRM:{activity}-AB12CD]");
    let id = format!("crm.activity.{activity}-AB12CD@portal.example");
    let reply = |from: &str, id: &str| letter(from, SALES, id);
    desk.receive(&reply(ANA, "plain@client.example"));
    desk.until_on("plain@client.example", &deal(newer));
    desk.receive(&reply(ANA, "tag@client.example").subject(&tag));
    desk.until_on("tag@client.example", &deal(older));
    desk.receive(&reply(ANA, "id@client.example").answers(&id));
    desk.until_on("id@client.example", &deal(older));
    // Anyone can guess a number.
    desk.receive(&reply(BO, "guess@shop.example").subject(&tag));
    let view = desk.until_on("guess@shop.example", "lead:1");
    assert!(view.evidence.to_string().contains("no party to it"), "{}", view.evidence);
    desk.receive(&reply("Cy <cy@third.example>", "guess@third.example").answers(&id));
    desk.until_on("guess@third.example", "lead:2");
}

#[test]
fn a_thread_follows_its_activity_when_people_move_it_in_the_crm() {
    let desk = Desk::with("");
    let crm = desk.crm();
    let (ana, first) = client(crm, "ana@client.example");
    let mail = letter(ANA, SALES, "first@client.example");
    let view = desk.files(&mail, "first@client.example", &deal(first));
    let second = crm.add_deal("Cellar", ana, 12);
    let moved = json!({
        "activityId": view.activity_id, "sourceEntityTypeId": 2, "sourceEntityId": first,
        "targetEntityTypeId": 2, "targetEntityId": second,
    });
    crm.call("crm.activity.binding.move", &moved);
    // The one that it left is changed last, and would be the one by address.
    change_last(crm, first, second);
    let later = letter(ANA, SALES, "later@client.example").answers("first@client.example");
    let view = desk.files(&later, "later@client.example", &deal(second));
    assert_eq!(view.responsible, Some(12));
    // And what we answer.
    let ours = letter(SALES, ANA, "ours@example.com").answers("first@client.example");
    desk.send(&ours);
    desk.until_on("ours@example.com", &deal(second));
}

#[test]
fn an_id_that_two_clients_used_leads_each_to_their_own_card_and_a_third_nowhere() {
    let desk = Desk::with("");
    let (_, ana) = client(desk.crm(), "ana@client.example");
    let (_, bo) = client(desk.crm(), "bo@shop.example");
    // Both write with a program that uses one id for all of its mails.
    for from in [ANA, BO] {
        desk.receive(&letter(from, SALES, "again@program.example").subject(&format!("Of {from}")));
        let subject = format!("Of {from}");
        common::scene::until_state(&desk.daemon, &subject, "saved", None);
    }
    for (from, id, owner) in [(ANA, "reply@client.example", ana), (BO, "reply@shop.example", bo)] {
        desk.receive(&letter(from, SALES, id).answers("again@program.example"));
        desk.until_on(id, &deal(owner));
    }
    let third = letter("Cy <cy@third.example>", SALES, "reply@third.example");
    desk.receive(&third.answers("again@program.example"));
    let view = desk.until("reply@third.example", "parked", Some("undecided"));
    let candidates = view.candidates.to_string();
    for owner in [ana, bo] {
        assert!(candidates.contains(&format!("\"id\":{owner}")), "{candidates}");
    }
    assert!(desk.crm().cards(1).is_empty());
}

#[test]
fn a_visiting_card_makes_a_contact_and_a_fuller_one_completes_it_without_overwriting() {
    let desk = Desk::with("");
    let crm = desk.crm();
    let ana = crm.add_contact("Ana", "ana@client.example", 9);
    let owner = contact(ana);
    let card = |lines: &str| {
        let text = format!("BEGIN:VCARD\r\nVERSION:3.0\r\n{lines}END:VCARD\r\n");
        text.into_bytes()
    };
    let first =
        card("N:Díaz;Cy;;;\r\nFN:Cy Díaz\r\nEMAIL:cy@client.example\r\nTEL:+34 600 111 222\r\n");
    let fuller = card(
        "N:Diaz;Cyril;;;\r\nFN:Cyril Diaz\r\nTITLE:Buyer\r\nEMAIL:cy@client.example\r\n\
         EMAIL:cyril@home.example\r\nTEL:+34 600 111 222\r\nTEL;TYPE=CELL:+34 600 333 444\r\n",
    );
    let ours =
        card("N:Weiß;Carla;;;\r\nFN:Carla Weiß\r\nEMAIL:carla@example.com\r\nTEL:+49 30 1\r\n");
    let mail = |id: &str, name: &str, file: &[u8]| letter(ANA, SALES, id).file(name, file);
    desk.files(&mail("first@client.example", "cy.vcf", &first), "first@client.example", &owner);
    let contacts = crm.cards(3);
    assert_eq!(contacts.len(), 2, "{contacts:?}");
    let cy = contacts.iter().map(|one| one["id"].as_u64().unwrap()).max().unwrap();
    let made = desk.item(3, cy);
    assert_eq!((&made["name"], &made["lastName"]), (&json!("Cy"), &json!("Díaz")));
    assert_eq!(values(&made, "PHONE"), ["+34 600 111 222"]);
    // A person corrects the name; the next card must not undo it.
    desk.update(3, cy, &json!({"name": "Cirilo"}));
    desk.files(&mail("second@client.example", "cy.vcf", &fuller), "second@client.example", &owner);
    let completed = desk.item(3, cy);
    assert_eq!((&completed["name"], &completed["lastName"]), (&json!("Cirilo"), &json!("Díaz")));
    assert_eq!(completed["post"], "Buyer");
    assert_eq!(values(&completed, "PHONE"), ["+34 600 111 222", "+34 600 333 444"]);
    // It came from somebody else, who must not give Cy an address that leads to Cy's cards.
    assert_eq!(values(&completed, "EMAIL"), ["cy@client.example"]);
    // A colleague's card is no client's.
    desk.files(&mail("ours@client.example", "carla.vcf", &ours), "ours@client.example", &owner);
    assert_eq!(crm.cards(3).len(), 2);
    let told = desk.explain("second@client.example");
    assert!(told.contains(&format!("contact:{cy} got ")), "{told}");
}

#[test]
fn each_mail_of_a_web_form_is_a_new_lead_unless_it_is_a_reply() {
    let desk = Desk::with("always_new_lead_for = [\"forms@portal.example\"]\n");
    client(desk.crm(), "ana@client.example");
    let form =
        |id: &str| letter("Web form <forms@portal.example>", SALES, id).header("Reply-To", ANA);
    desk.files(&form("one@portal.example"), "one@portal.example", "lead:1");
    desk.files(&form("two@portal.example"), "two@portal.example", "lead:2");
    let reply = form("three@portal.example").answers("one@portal.example");
    desk.files(&reply, "three@portal.example", "lead:1");
    let lead = desk.item(1, 1);
    assert_eq!(values(&lead, "EMAIL"), ["ana@client.example"]);
    assert_eq!(desk.crm().cards(1).len(), 2);
}

#[test]
fn a_known_client_without_an_open_deal_gets_one_repeat_lead() {
    let desk = Desk::with("repeat_lead = true\nqueue = [9]\n");
    let crm = desk.crm();
    let (ana, first) = client(crm, "ana@client.example");
    desk.files(&letter(ANA, SALES, "deal@client.example"), "deal@client.example", &deal(first));
    desk.update(2, first, &json!({"stageId": "WON"}));
    desk.files(&letter(ANA, SALES, "one@client.example"), "one@client.example", "lead:1");
    assert_eq!(desk.item(1, 1)["contactId"], json!(ana));
    // The lead is open now, and takes what comes.
    desk.files(&letter(ANA, SALES, "two@client.example"), "two@client.example", "lead:1");
    assert_eq!(crm.cards(1).len(), 1);
    assert_eq!(crm.cards(3).len(), 1);
}

#[test]
fn deal_choice_says_which_of_two_open_deals_gets_the_mail() {
    let choices = ["latest", "only", "all", "ask", "none"];
    let scene = Scene::with(&choices);
    let crm = &scene.crm;
    let (ana, older) = client(crm, "ana@client.example");
    let newer = crm.add_deal("Cellar", ana, 12);
    change_last(crm, newer, older);
    let mailboxes =
        choices.map(|choice| scene.mailbox(choice).crm(&format!("deal_choice = \"{choice}\"\n")));
    let desk = Desk::on(scene, &mailboxes);
    for choice in choices {
        let mail =
            letter(ANA, &format!("{choice}@example.com"), &format!("{choice}@client.example"));
        desk.deliver(choice, "INBOX", &mail);
    }
    let (client, older, newer) = (contact(ana), deal(older), deal(newer));
    #[rustfmt::skip]
    let cases: [(&str, Vec<&str>, usize); 4] = [
        ("latest", vec![&newer, &client],         1),
        ("only",   vec![&client],                 2),
        ("all",    vec![&newer, &older, &client], 0),
        ("none",   vec![&client],                 2),
    ];
    for (choice, mut cards, losers) in cases {
        let view = desk.until_on(&format!("{choice}@client.example"), cards[0]);
        let mut found: Vec<String> = view.cards.iter().map(ToString::to_string).collect();
        found.sort_unstable();
        cards.sort_unstable();
        assert_eq!(found, cards, "{choice}: {}", view.evidence);
        assert_eq!(
            view.candidates.as_array().unwrap().len(),
            losers,
            "{choice}: {}",
            view.candidates
        );
    }
    let view = desk.until("ask@client.example", "parked", Some("several-deals"));
    let candidates: Vec<String> = view
        .candidates
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}:{}", one["type"].as_str().unwrap(), one["id"]))
        .collect();
    assert_eq!(candidates, [newer, older]);
    // With one open deal there is nothing to ask.
    assert_eq!(desk.crm().activities().len(), 4);
}

#[test]
fn a_file_over_the_limit_is_named_with_its_size_and_the_others_come_along() {
    let desk = Desk::with("max_attachment_mib = 1\n");
    let big: Vec<u8> = (0..1_600_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let mail = letter(ANA, SALES, "files@client.example")
        .file("small.bin", &[1; 3000])
        .file("plan ñ.bin", &big)
        .file("last.bin", &[2; 2000]);
    desk.files(&mail, "files@client.example", "lead:1");
    let made = activity(desk.crm(), &subject("files@client.example"));
    assert_eq!(made["FILES"].as_array().unwrap().len(), 2, "{made}");
    let text = made["DESCRIPTION"].as_str().unwrap();
    assert!(text.contains("Attachment left out: plan ñ.bin (1.5 MiB)"), "{text}");
    assert!(!text.contains("small.bin") && !text.contains("last.bin"), "{text}");
}

/// Files ending in `.rs` below a folder.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_reason_is_met_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("tests"), &mut files);
    let mut tests = String::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let place = path.strip_prefix(root).unwrap().to_str().unwrap();
        // Where the codes are named it names all of them.
        if place.ends_with("rules/reason.rs") {
            continue;
        }
        let for_tests = place.starts_with("tests/")
            || place.ends_with("/tests.rs")
            || place.contains("/tests/")
            || place.ends_with("_tests.rs");
        let begin = if for_tests { Some(0) } else { text.find("#[cfg(test)]") };
        tests.push_str(begin.map_or("", |begin| &text[begin..]));
    }
    let untested: Vec<&str> = Reason::ALL
        .into_iter()
        .filter(|reason| {
            let written = format!("\"{}\"", reason.code());
            let named = format!("Reason::{reason:?}");
            let is_named = tests.match_indices(&named).any(|(at, _)| {
                let next = tests[at + named.len()..].chars().next();
                !next.is_some_and(char::is_alphanumeric)
            });
            !tests.contains(&written) && !is_named
        })
        .map(Reason::code)
        .collect();
    assert!(untested.is_empty(), "no test meets {untested:?}");
}
