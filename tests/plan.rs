//! What would be filed of a mailbox's history is told beforehand, and then comes so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use common::cutter::Cutter;
use common::daemon::{Daemon, Mailbox};
use common::letter::{Letter, letter};
use common::sandbox::SandboxProcess;
use common::scene::{Scene, reconciled};
use common::world::World;
use common::{Dice, LIMIT, assert_same, dovecot, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

const SALES: &str = "sales@example.com";
const FOLDERS: &str = "sync = [\"INBOX\", \"Sent\", \"Archive\"]\n";

/// The plan of `sales`, by Message-ID; it must have worked.
#[track_caller]
fn planned(daemon: &Daemon, args: &[&str]) -> BTreeMap<String, Value> {
    let answer = daemon.mailcrm_json(&[&["plan", "sales"], args].concat());
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{answer:?}");
    let lines = answer.json_lines();
    let id = |line: &Value| line["message_id"].as_str().unwrap().to_owned();
    let by_id: BTreeMap<String, Value> =
        lines.iter().map(|line| (id(line), line.clone())).collect();
    assert_eq!(by_id.len(), lines.len(), "{lines:?}");
    by_id
}

/// State, reason, cards and what is made, of a line or of what is `before` in it.
fn fate(line: &Value) -> Value {
    json!([line["state"], line["reason"], line["cards"], line["creates"]])
}

fn kinds_of(cards: &Value) -> Vec<String> {
    let cards = cards.as_array().unwrap().iter();
    cards.map(|card| card["type"].as_str().unwrap().to_owned()).collect()
}

/// What the daemon did must be what was planned, message by message.
#[track_caller]
fn assert_came_so(plan: &BTreeMap<String, Value>, daemon: &Daemon) {
    let messages = daemon.messages(&[]);
    assert_eq!(messages.len(), plan.len(), "{messages:#?}");
    for message in &messages {
        let id = message["message_id"].as_str().unwrap();
        let line = &plan[id];
        let both = format!("planned {line}\nbecame  {message}");
        let state = if line["state"] == "queued" { json!("saved") } else { line["state"].clone() };
        assert_eq!((&message["state"], &message["reason"]), (&state, &line["reason"]), "{both}");
        let creates = line["creates"].as_array().unwrap().iter();
        let creates = creates.map(|kind| kind.as_str().unwrap().to_owned());
        // What is made in the order of the making, the owner last.
        let mut wanted: Vec<String> = creates.rev().collect();
        wanted.extend(kinds_of(&line["cards"]));
        assert_eq!(kinds_of(&message["cards"]), wanted, "{both}");
        for card in line["cards"].as_array().unwrap().iter().filter(|card| !card["id"].is_null()) {
            assert!(message["cards"].as_array().unwrap().contains(card), "{both}");
        }
        let place = &message["places"][0];
        assert_eq!((&line["folder"], &line["uid"]), (&place["folder"], &place["uid"]), "{both}");
    }
}

struct History {
    dovecot: mailcrm::demo::dovecot::Dovecot,
    crm: SandboxProcess,
    daemon: Daemon,
    /// Of the client who is known, and its open deal.
    contact: u64,
    deal: u64,
    // Removed last.
    _dir: TempDir,
}

/// Mail of all kinds that came before any daemon ran.
fn history(crm: SandboxProcess, lines: &str) -> History {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let contact = crm.add_contact("Kim", "kim@known.example", 7);
    let deal = crm.add_deal("Roof", contact, 9);
    let to_us = |from: &str, id: &str| letter(from, SALES, id);
    let known = to_us("kim@known.example", "known@known.example");
    let list = |letter: Letter| letter.header("List-Id", "<news.shop.example>");
    let mails: Vec<(&str, Letter)> = vec![
        ("INBOX", to_us("Ana <ana@new.example>", "ask@new.example")),
        ("INBOX", to_us("Ana <ana@new.example>", "more@new.example")),
        ("INBOX", to_us("boss@example.com", "inside@example.com")),
        ("INBOX", list(to_us("news@shop.example", "news@shop.example"))),
        ("INBOX", list(to_us("kim@known.example", "digest@known.example"))),
        ("INBOX", to_us("win@spam.example", "win@spam.example").header("X-Spam-Flag", "YES")),
        ("INBOX", known.clone()),
        ("INBOX", to_us("bo@else.example", "reply@else.example").answers("ask@new.example")),
        ("INBOX", to_us("cy@third.example", "thanks@third.example").answers("offer@example.com")),
        ("Sent", letter(SALES, "ana@new.example", "ours@example.com").answers("ask@new.example")),
        ("Sent", letter(SALES, "cy@buyer.example", "offer@example.com")),
        ("Archive", known),
        ("Archive", to_us("dora@old.example", "old@old.example")),
    ];
    for (folder, mail) in &mails {
        dovecot.deliver("sales", folder, &mail.raw()).unwrap();
    }
    let mailbox = Mailbox::on(&dovecot, "sales").folders(FOLDERS).crm(lines);
    let daemon = Daemon::new(&crm.url(), &[mailbox]);
    History { dovecot, crm, daemon, contact, deal, _dir: dir }
}

fn names(folder: &std::path::Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn plan_before_the_first_start_is_what_the_daemon_then_does() {
    let mut scene = history(SandboxProcess::start(), "");
    let (files, crm) = (names(scene.daemon.dir()), scene.crm.contents());
    let plan = planned(&scene.daemon, &[]);
    let queued = |cards: Value, creates: Value| json!(["queued", null, cards, creates]);
    let skipped = |reason: &str| json!(["skipped", reason, [], []]);
    let new_lead = json!([{"type": "lead", "id": null}]);
    let of_kim =
        json!([{"type": "deal", "id": scene.deal}, {"type": "contact", "id": scene.contact}]);
    let wanted = BTreeMap::from([
        ("ask@new.example", queued(json!([]), json!(["lead"]))),
        // The lead that the first one makes.
        ("more@new.example", queued(new_lead.clone(), json!([]))),
        ("reply@else.example", queued(new_lead.clone(), json!([]))),
        ("ours@example.com", queued(new_lead, json!([]))),
        ("inside@example.com", skipped("internal")),
        ("news@shop.example", skipped("mailing-list")),
        ("win@spam.example", skipped("spam-verdict")),
        ("known@known.example", queued(of_kim.clone(), json!([]))),
        ("digest@known.example", queued(of_kim, json!([]))),
        ("offer@example.com", queued(json!([]), json!(["contact"]))),
        ("thanks@third.example", queued(json!([{"type": "contact", "id": null}]), json!([]))),
        ("old@old.example", queued(json!([]), json!(["lead"]))),
    ]);
    let told: BTreeMap<&str, Value> =
        plan.iter().map(|(id, line)| (id.as_str(), fate(line))).collect();
    assert_eq!(told, wanted);
    let keys = ["message_id", "mailbox", "folder", "uid", "state", "reason", "cards", "creates"];
    for line in plan.values() {
        let is: BTreeSet<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(is, BTreeSet::from(keys), "{line}");
    }
    // For people: a line each, and what it comes to.
    let text = scene.daemon.mailcrm(&["plan", "sales"]).stdout;
    assert!(text.contains("12 messages in the history window"), "{text}");
    assert!(text.contains("would be made: 1 contact, 2 lead"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("queued ")).count(), 9, "{text}");

    // Again: the same, and nothing was written here or there.
    assert_eq!(planned(&scene.daemon, &[]), plan);
    assert_eq!(names(scene.daemon.dir()), files);
    assert_same(&scene.crm.contents(), &crm);

    scene.daemon.start();
    scene.daemon.wait_until_settled(12, LIMIT);
    assert_came_so(&plan, &scene.daemon);
    assert_eq!(scene.crm.cards(1).len(), 2);
    assert_eq!(scene.crm.cards(3).len(), 2);
    reconciled(&scene.daemon);
}

#[test]
fn plan_of_what_was_filed_shows_it_saved_on_its_cards() {
    let mut scene = history(SandboxProcess::start(), "");
    scene.daemon.start();
    scene.daemon.wait_until_settled(12, LIMIT);
    let (ledger, crm) = (scene.daemon.decided(), scene.crm.contents());
    for _ in 0..2 {
        let plan = planned(&scene.daemon, &[]);
        for message in scene.daemon.messages(&[]) {
            let line = &plan[message["message_id"].as_str().unwrap()];
            let is = json!([message["state"], message["reason"], message["cards"], []]);
            assert_eq!(fate(line), is, "{line}\n{message}");
        }
        assert_same(&scene.daemon.decided(), &ledger);
        assert_same(&scene.crm.contents(), &crm);
    }
    // What arrives meanwhile is seen on the cards that are there.
    assert!(scene.daemon.terminate().success());
    let later = letter("ana@new.example", SALES, "later@new.example");
    scene.dovecot.deliver("sales", "INBOX", &later.raw()).unwrap();
    let plan = planned(&scene.daemon, &[]);
    let lead = scene.daemon.view("ask@new.example").cards[0];
    let cards = json!([{"type": "lead", "id": lead.id}]);
    assert_eq!(fate(&plan["later@new.example"]), json!(["queued", null, cards, []]));
    assert_same(&scene.crm.contents(), &crm);
    // A ledger that is lost changes nothing of it but what only it knew.
    for ending in ["sqlite", "sqlite-wal", "sqlite-shm"] {
        let _ = std::fs::remove_file(scene.daemon.ledger_path().with_extension(ending));
    }
    let lost = planned(&scene.daemon, &[]);
    for (id, line) in &plan {
        assert_eq!((&lost[id]["state"], &lost[id]["creates"]), (&line["state"], &line["creates"]));
    }
}

#[test]
fn plan_for_a_crm_without_leads_makes_contact_and_deal() {
    let mut scene = history(SandboxProcess::start_with(&["--simple"]), "queue = [7, 9]\n");
    let plan = planned(&scene.daemon, &[]);
    let ask = json!(["queued", null, [], ["contact", "deal"]]);
    assert_eq!(fate(&plan["ask@new.example"]), ask);
    let cards = json!([{"type": "deal", "id": null}, {"type": "contact", "id": null}]);
    assert_eq!(fate(&plan["more@new.example"]), json!(["queued", null, cards, []]));
    scene.daemon.start();
    scene.daemon.wait_until_settled(12, LIMIT);
    assert_came_so(&plan, &scene.daemon);
}

#[test]
fn plan_with_another_configuration_shows_what_it_does_otherwise() {
    let mut scene = history(SandboxProcess::start(), "");
    let other = |lines: &str| {
        let mailbox = Mailbox::on(&scene.dovecot, "sales").folders(FOLDERS).crm(lines);
        let mut other = Daemon::new(&scene.crm.url(), &[mailbox]);
        other.ledger = format!("path = {:?}\n", scene.daemon.ledger_path());
        other.write_config();
        other
    };
    let [same, new] = [
        "",
        "on_incoming = \"none\"\nmailing_list = \"normal\"\nexclude = [\"*@known.example\"]\n",
    ]
    .map(other);
    let with = |daemon: &Daemon, new: &Daemon| {
        planned(daemon, &["--with", new.config_path().to_str().unwrap()])
    };
    let crm = scene.crm.contents();
    assert_eq!(with(&scene.daemon, &same), BTreeMap::new());
    let changed = with(&scene.daemon, &new);
    let queued = |cards: Value, creates: Value| json!(["queued", null, cards, creates]);
    let skipped = |reason: &str| json!(["skipped", reason, [], []]);
    let lead = json!([{"type": "lead", "id": null}]);
    let of_kim =
        json!([{"type": "deal", "id": scene.deal}, {"type": "contact", "id": scene.contact}]);
    let off = skipped("creation-off");
    // Each with what it is today.
    let wanted = BTreeMap::from([
        ("ask@new.example", (off.clone(), queued(json!([]), json!(["lead"])))),
        ("old@old.example", (off.clone(), queued(json!([]), json!(["lead"])))),
        ("news@shop.example", (off.clone(), skipped("mailing-list"))),
        ("known@known.example", (skipped("excluded"), queued(of_kim.clone(), json!([])))),
        ("digest@known.example", (skipped("excluded"), queued(of_kim, json!([])))),
        // Nothing was filed that it answers, but we wrote to her.
        (
            "ours@example.com",
            (queued(json!([]), json!(["contact"])), queued(lead.clone(), json!([]))),
        ),
        ("more@new.example", (off.clone(), queued(lead.clone(), json!([])))),
        ("reply@else.example", (off, queued(lead, json!([])))),
    ]);
    let told: BTreeMap<&str, (Value, Value)> = changed
        .iter()
        .map(|(id, line)| (id.as_str(), (fate(line), fate(&line["before"]))))
        .collect();
    assert_eq!(told, wanted);
    let new_path = new.config_path();
    let text =
        scene.daemon.mailcrm(&["plan", "sales", "--with", new_path.to_str().unwrap()]).stdout;
    assert!(text.contains("8 of 12 messages would be decided otherwise"), "{text}");
    assert!(text.contains("queued=>skipped"), "{text}");
    assert!(!scene.daemon.ledger_path().exists());
    assert_same(&scene.crm.contents(), &crm);

    // The daemon on the other configuration does just that.
    let whole = planned(&new, &[]);
    scene.daemon.mailboxes = new.mailboxes.clone();
    scene.daemon.write_config();
    scene.daemon.start();
    scene.daemon.wait_until_settled(12, LIMIT);
    assert_came_so(&whole, &scene.daemon);
    for (id, line) in &changed {
        assert_eq!(fate(&whole[id]), fate(line), "{id}");
    }
}

#[test]
fn plan_of_a_long_history_comes_so_message_by_message() {
    let mut dice = Dice::cast();
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let mut world = World::with_clients(&crm, 6);
    world.write_first(100, &mut dice);
    world.write_later(150, &mut dice);
    for number in 0..150 {
        world.deliver(&dovecot, number);
    }
    let mut daemon = Daemon::new(&crm.url(), &[Mailbox::on(&dovecot, "sales")]);
    let before = crm.contents();
    let plan = planned(&daemon, &[]);
    assert_same(&crm.contents(), &before);
    daemon.start();
    daemon.wait_until_filed(150, LIMIT);
    assert_came_so(&plan, &daemon);
    let made = |kind: &str| {
        let creates = plan.values().map(|line| line["creates"].as_array().unwrap());
        creates.flatten().filter(|made| *made == kind).count()
    };
    assert_eq!(made("lead"), crm.cards(1).len());
    assert_eq!(made("contact") + 6, crm.cards(3).len());
}

#[test]
fn plan_with_fewer_folders_and_days_tells_what_is_not_read_any_more() {
    let scene = history(SandboxProcess::start(), "");
    let other = |folders: &str, lines: &str| {
        let mailbox = Mailbox::on(&scene.dovecot, "sales").folders(folders).crm(lines);
        let mut other = Daemon::new(&scene.crm.url(), &[mailbox]);
        other.ledger = format!("path = {:?}\n", scene.daemon.ledger_path());
        other.write_config();
        other
    };
    let queued = |creates: Value| json!(["queued", null, [], creates]);
    let unread = json!([null, null, [], []]);
    // Its sender is a stranger, now that our offer is not read. The copy of known@ stays.
    let thanks = queued(json!(["lead"]));
    let told = |other: &Daemon| -> BTreeMap<String, Value> {
        let path = other.config_path();
        let with = planned(&scene.daemon, &["--with", path.to_str().unwrap()]);
        with.iter().map(|(id, line)| (id.clone(), fate(line))).collect()
    };
    let fewer = told(&other("sync = [\"INBOX\"]\n", ""));
    let wanted = BTreeMap::from([
        ("thanks@third.example".to_owned(), thanks),
        ("ours@example.com".to_owned(), unread.clone()),
        ("offer@example.com".to_owned(), unread.clone()),
        ("old@old.example".to_owned(), unread),
    ]);
    assert_eq!(fewer, wanted);
    // All of it must have come before the second in which it is planned.
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let came = second();
    wait_for("the next second", LIMIT, || second() > came + 1);
    let none = told(&other(FOLDERS, "history_days = 0\n"));
    assert_eq!(none.len(), 12);
    for (id, fate) in none {
        assert_eq!(fate, json!(["skipped", "before-history", [], []]), "{id}");
    }
}

#[test]
fn plan_reads_long_headers_to_their_end() {
    let scene = history(SandboxProcess::start(), "");
    let long = letter("gil@long.example", SALES, "long@long.example").raw();
    let padding = "X-Padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    let long = [padding.repeat(1000).as_bytes(), &long].concat();
    scene.dovecot.deliver("sales", "INBOX", &long).unwrap();
    let plan = planned(&scene.daemon, &[]);
    assert_eq!(fate(&plan["long@long.example"]), json!(["queued", null, [], ["lead"]]));
    assert_eq!(plan.len(), 13);
}

#[test]
fn plan_counts_the_contacts_of_vcards_and_names_who_is_bound() {
    let vcard = |name: &str, line: &str| {
        format!("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:{name}\r\n{line}\r\nEND:VCARD\r\n")
    };
    let eve = vcard("Eve", "EMAIL:eve@other.example") + &vcard("Us", "EMAIL:sales@example.com");
    let kim = vcard("Kim", "EMAIL:kim@known.example");
    let phone = vcard("Ruth", "TEL:+34 600 000 001");
    for lines in ["", "bind_contact = false\n", "vcard = false\n"] {
        let mut scene = history(SandboxProcess::start(), lines);
        let bring = |from: &str, id: &str, vcard: &str| {
            let mail = letter(from, SALES, id).file("card.vcf", vcard.as_bytes());
            scene.dovecot.deliver("sales", "INBOX", &mail.raw()).unwrap();
        };
        bring("jo@fresh.example", "brings@fresh.example", &eve);
        let hers = letter("eve@other.example", SALES, "hers@other.example");
        scene.dovecot.deliver("sales", "INBOX", &hers.raw()).unwrap();
        bring("kim@known.example", "own@known.example", &kim);
        bring("kim@known.example", "phone@known.example", &phone);
        let plan = planned(&scene.daemon, &[]);
        let of_kim = match lines {
            "bind_contact = false\n" => json!([{"type": "deal", "id": scene.deal}]),
            _ => json!([
                {"type": "deal", "id": scene.deal},
                {"type": "contact", "id": scene.contact},
            ]),
        };
        let queued = |cards: Value, creates: Value| json!(["queued", null, cards, creates]);
        let (made, hers) = match lines {
            "vcard = false\n" => (json!([]), queued(json!([]), json!(["lead"]))),
            _ => (json!(["contact"]), queued(json!([{"type": "contact", "id": null}]), json!([]))),
        };
        let with_lead = [&[json!("lead")], made.as_array().unwrap().as_slice()].concat();
        let wanted = [
            ("brings@fresh.example", queued(json!([]), json!(with_lead))),
            ("hers@other.example", hers),
            ("own@known.example", queued(of_kim.clone(), json!([]))),
            // A card without an address makes nothing.
            ("phone@known.example", queued(of_kim.clone(), json!([]))),
        ];
        for (id, wanted) in wanted {
            assert_eq!(fate(&plan[id]), wanted, "{lines}{id}");
        }
        let creates = plan.values().flat_map(|line| line["creates"].as_array().unwrap());
        let contacts = creates.filter(|kind| *kind == "contact").count();
        scene.daemon.start();
        scene.daemon.wait_until_settled(16, LIMIT);
        assert_eq!(scene.crm.cards(3).len(), contacts + 1, "{lines}");
        for id in ["own@known.example", "phone@known.example", "known@known.example"] {
            let messages = scene.daemon.messages(&[]);
            let message = messages.iter().find(|one| one["message_id"] == id).unwrap();
            assert_eq!(message["cards"], of_kim, "{lines}{id}");
        }
    }
}

#[test]
fn plan_that_cannot_be_made_says_why_in_one_line() {
    let mut scene = Scene::with(&["sales"]);
    let mut wire = Cutter::to(scene.dovecot.imaps_port());
    let mailbox = scene.mailbox("sales").through(wire.port());
    let mut daemon = Daemon::new(&scene.crm.url(), &[mailbox]);
    let fails = |daemon: &Daemon, args: &[&str], words: &str| {
        for json in [false, true] {
            let args = [&["plan"], args].concat();
            let answer = if json { daemon.mailcrm_json(&args) } else { daemon.mailcrm(&args) };
            assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{answer:?}");
            assert_eq!(answer.stderr.lines().count(), 1, "{answer:?}");
            assert!(answer.stderr.starts_with("mailcrm: "), "{answer:?}");
            assert!(answer.stderr.contains(words), "{answer:?}");
            assert!(!answer.stderr.contains("/rest/"), "{answer:?}");
        }
        assert!(!daemon.ledger_path().exists());
    };
    fails(&daemon, &["nobody"], "nobody");
    wire.off();
    fails(&daemon, &["sales"], "connect");
    wire.on();
    daemon.mailboxes[0].password = "wrong".to_owned();
    daemon.write_config();
    fails(&daemon, &["sales"], "rejects username or password");
    daemon.mailboxes[0].password = "secret".to_owned();
    daemon.write_config();
    scene.crm.kill9();
    fails(&daemon, &["sales"], "CRM");
    scene.crm.start_again();
    assert_eq!(planned(&daemon, &[]), BTreeMap::new());
}
