//! What the ledger does not explain is named, read again on demand, and never filed twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use common::cutter::Cutter;
use common::daemon::{Answer, Daemon};
use common::scene::{Scene, mail, message, places, reconciled, sent, until_mailbox, until_state};
use common::{LIMIT, assert_same, wait_for};
use serde_json::{Value, json};

/// What `reconcile` names as unexplained: `folder/uid` with the Message-ID.
fn unexplained(answer: &Answer) -> Vec<(String, Value)> {
    let document = answer.json();
    let folders = document["folders"].as_array().unwrap();
    let mut all: Vec<(String, Value)> = folders
        .iter()
        .flat_map(|folder| {
            let unexplained = folder["unexplained"].as_array().unwrap();
            let (all, known) = (&folder["on_server"], &folder["in_ledger"]);
            assert_eq!(
                all.as_u64().unwrap() - known.as_u64().unwrap(),
                unexplained.len() as u64,
                "{folder}"
            );
            unexplained.iter().map(|one| {
                let name = folder["folder"].as_str().unwrap();
                (format!("{name}/{}", one["uid"]), one["message_id"].clone())
            })
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// Exactly these must be unexplained, which is exit code 1.
#[track_caller]
fn assert_unexplained(daemon: &Daemon, wanted: &[(&str, &str)]) {
    let answer = daemon.mailcrm_json(&["reconcile"]);
    let wanted: Vec<(String, Value)> =
        wanted.iter().map(|(place, id)| ((*place).to_owned(), json!(id))).collect();
    assert_eq!((answer.code, unexplained(&answer)), (1, wanted), "{answer:?}");
    let text = daemon.mailcrm(&["reconcile"]);
    assert_eq!(text.code, 1, "{text:?}");
    assert!(text.stdout.contains("fail  sales"), "{text:?}");
}

/// Repairs, which must work and say this.
#[track_caller]
fn repaired(daemon: &Daemon, says: &str) {
    let answer = daemon.mailcrm_json(&["reconcile", "--repair"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (0, says), "{answer:?}");
}

const NOW: &str = "mailcrm: the daemon reads them now\n";
const AT_THE_START: &str = "mailcrm: they are read at the next start of mailcrm run\n";

#[track_caller]
fn until_explained(daemon: &Daemon) {
    wait_for("all to be explained", LIMIT, || daemon.mailcrm(&["reconcile"]).code == 0);
}

/// A daemon that filed One and Two of the history, and Three, Answer and a newsletter as they came.
fn filed(scene: &Scene) -> Daemon {
    scene.deliver("sales", "INBOX", &mail("One"));
    scene.deliver("sales", "INBOX", &mail("Two"));
    let daemon = scene.daemon();
    scene.until_filed(&["One", "Two"]);
    until_mailbox(&daemon, "sales", "idle");
    scene.deliver("sales", "INBOX", &mail("Three"));
    scene.deliver("sales", "INBOX", &mail("News").header("List-Id: <news.example>"));
    scene.deliver("sales", "Sent", &sent("Answer"));
    scene.until_filed(&["Answer", "One", "Three", "Two"]);
    until_state(&daemon, "News", "skipped", Some("mailing-list"));
    daemon.wait_until_settled(5, LIMIT);
    until_explained(&daemon);
    daemon
}

/// Rows without those that a place lost and got back. What was skipped and has no place left is
/// decided anew, to the same.
fn but_places(daemon: &Daemon) -> Vec<String> {
    let mut rows = daemon.decided();
    rows.retain(|row| {
        let anew = row.starts_with("entry ") && row.contains("lane=ana@news.example");
        !row.starts_with("place ") && !anew
    });
    rows
}

const FORGET_PLACES: &str = "DELETE FROM place WHERE uid IN (2, 3) AND folder IN
    (SELECT id FROM folder WHERE name = 'INBOX')";

#[test]
fn place_that_vanished_is_named_and_read_again_by_the_running_daemon() {
    let scene = Scene::with(&["sales"]);
    let mut daemon = filed(&scene);
    let (rows, crm) = (but_places(&daemon), scene.crm.contents());
    // Nothing to repair: nothing is said or done.
    repaired(&daemon, "");
    daemon.sql(FORGET_PLACES);
    let both = [("INBOX/2", "two@client.example"), ("INBOX/3", "three@client.example")];
    assert_unexplained(&daemon, &both);
    repaired(&daemon, NOW);
    until_explained(&daemon);
    for subject in ["Two", "Three"] {
        let inbox = ("sales".to_owned(), "INBOX".to_owned());
        assert_eq!(places(&message(&daemon, subject)), [inbox], "{subject}");
    }
    daemon.wait_until_settled(5, LIMIT);
    assert_same(&but_places(&daemon), &rows);
    assert_same(&scene.crm.contents(), &crm);

    // Again, and after a restart.
    let rows = daemon.decided();
    repaired(&daemon, "");
    daemon.terminate();
    daemon.start();
    until_mailbox(&daemon, "sales", "idle");
    reconciled(&daemon);
    assert_same(&daemon.decided(), &rows);
    assert_same(&scene.crm.contents(), &crm);
    // New mail still comes at once.
    scene.deliver("sales", "INBOX", &mail("Four"));
    scene.until_filed(&["Answer", "Four", "One", "Three", "Two"]);
}

#[test]
fn mail_that_comes_while_it_is_repaired_keeps_nothing_from_being_read_again() {
    let scene = Scene::with(&["sales"]);
    let daemon = filed(&scene);
    let subjects: Vec<String> = (0..12).map(|number| format!("Live {number:02}")).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for subject in &subjects {
                scene.deliver("sales", "INBOX", &mail(subject));
                wait_for("the mail", LIMIT, || !message(&daemon, subject).is_null());
            }
        });
        for _ in 0..2 {
            daemon.sql(FORGET_PLACES);
            let answer = daemon.mailcrm_json(&["reconcile", "--repair"]);
            assert_eq!((answer.code, answer.stderr.as_str()), (0, NOW), "{answer:?}");
            until_explained(&daemon);
        }
    });
    daemon.wait_until_settled(17, LIMIT);
    until_explained(&daemon);
    let mut all: Vec<&str> = subjects.iter().map(String::as_str).collect();
    all.splice(0..0, ["Answer"]);
    all.extend(["One", "Three", "Two"]);
    assert_eq!(scene.filed(), all);
}

#[test]
fn without_a_daemon_what_is_unexplained_is_read_at_the_next_start() {
    let scene = Scene::with(&["sales"]);
    let mut daemon = filed(&scene);
    daemon.terminate();
    let (rows, crm) = (but_places(&daemon), scene.crm.contents());
    daemon.sql("DELETE FROM place");
    let all = [
        ("INBOX/1", "one@client.example"),
        ("INBOX/2", "two@client.example"),
        ("INBOX/3", "three@client.example"),
        ("INBOX/4", "news@client.example"),
        ("Sent/1", "answer@client.example"),
    ];
    assert_unexplained(&daemon, &all);
    let before = daemon.rows();
    assert_unexplained(&daemon, &all);
    assert_same(&daemon.rows(), &before);
    repaired(&daemon, AT_THE_START);
    assert_unexplained(&daemon, &all);
    repaired(&daemon, AT_THE_START);

    daemon.start();
    until_explained(&daemon);
    daemon.wait_until_settled(5, LIMIT);
    assert_same(&but_places(&daemon), &rows);
    assert_same(&scene.crm.contents(), &crm);
    repaired(&daemon, "");
}

#[test]
fn mail_that_a_cursor_passed_over_is_explained_and_filed_by_a_repair() {
    let scene = Scene::with(&["sales"]);
    let mut daemon = filed(&scene);
    daemon.terminate();
    scene.deliver("sales", "INBOX", &mail("Passed over"));
    daemon.sql("UPDATE folder SET cursor = 5 WHERE name = 'INBOX'");
    daemon.start();
    until_mailbox(&daemon, "sales", "idle");
    scene.deliver("sales", "INBOX", &mail("After"));
    scene.until_filed(&["After", "Answer", "One", "Three", "Two"]);
    assert_unexplained(&daemon, &[("INBOX/5", "passedover@client.example")]);
    let told = daemon.mailcrm(&["explain", "passedover@client.example"]).stdout;
    assert!(told.contains("reconcile --repair"), "{told}");
    repaired(&daemon, NOW);
    scene.until_filed(&["After", "Answer", "One", "Passed over", "Three", "Two"]);
    until_explained(&daemon);
    repaired(&daemon, "");
    assert_eq!(scene.filed().len(), 6);
}

/// As after the repair of a damaged file: nothing is known of the message any more.
fn forget(daemon: &Daemon, id: &str) {
    daemon.sql(&format!(
        "CREATE TEMP TABLE gone AS SELECT id FROM message WHERE message_id = '{id}';
         CREATE TEMP TABLE owed AS SELECT id FROM entry WHERE message IN (SELECT id FROM gone);
         DELETE FROM attempt WHERE entry IN (SELECT id FROM owed);
         DELETE FROM made WHERE entry IN (SELECT id FROM owed);
         DELETE FROM entry WHERE id IN (SELECT id FROM owed);
         DELETE FROM card WHERE message IN (SELECT id FROM gone);
         DELETE FROM place WHERE message IN (SELECT id FROM gone);
         DELETE FROM message WHERE id IN (SELECT id FROM gone);"
    ));
}

#[test]
fn message_of_which_nothing_is_known_any_more_is_found_in_the_crm_and_not_filed_twice() {
    let scene = Scene::with(&["sales"]);
    let mut daemon = filed(&scene);
    daemon.terminate();
    let crm = scene.crm.contents();
    // Of the history, and one that came live a moment ago.
    for id in ["two@client.example", "three@client.example"] {
        forget(&daemon, id);
    }
    let both = [("INBOX/2", "two@client.example"), ("INBOX/3", "three@client.example")];
    assert_unexplained(&daemon, &both);
    daemon.start();
    until_mailbox(&daemon, "sales", "idle");
    assert_unexplained(&daemon, &both);
    repaired(&daemon, NOW);
    until_explained(&daemon);
    daemon.wait_until_settled(5, LIMIT);
    for subject in ["Two", "Three"] {
        until_state(&daemon, subject, "saved", None);
    }
    assert_eq!(scene.filed(), ["Answer", "One", "Three", "Two"]);
    assert_same(&scene.crm.contents(), &crm);
    repaired(&daemon, "");

    // The one that came live, alone.
    daemon.terminate();
    forget(&daemon, "three@client.example");
    daemon.start();
    until_mailbox(&daemon, "sales", "idle");
    assert_unexplained(&daemon, &both[1..]);
    repaired(&daemon, NOW);
    until_explained(&daemon);
    daemon.wait_until_settled(5, LIMIT);
    assert_eq!(scene.filed(), ["Answer", "One", "Three", "Two"]);
    assert_same(&scene.crm.contents(), &crm);
}

#[test]
fn repair_of_one_mailbox_waits_for_no_other_and_a_server_that_is_down_is_told() {
    let scene = Scene::with(&["sales", "support"]);
    let mut wire = Cutter::to(scene.dovecot.imaps_port());
    scene.deliver("sales", "INBOX", &mail("One"));
    scene.deliver("support", "INBOX", &mail("Two"));
    let mailboxes = [scene.mailbox("sales"), scene.mailbox("support").through(wire.port())];
    let daemon = Daemon::running(&scene.crm.url(), &mailboxes);
    scene.until_filed(&["One", "Two"]);
    daemon.wait_until_settled(2, LIMIT);
    until_explained(&daemon);
    let crm = scene.crm.contents();
    daemon.sql("DELETE FROM place");
    wire.off();
    let answer = daemon.mailcrm_json(&["reconcile", "--repair"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("mailcrm: support: "), "{answer:?}");
    assert!(answer.stderr.ends_with(NOW), "{answer:?}");
    wait_for("the first to be explained", LIMIT, || {
        daemon.mailcrm(&["reconcile", "sales"]).code == 0
    });
    wire.on();
    // Its connection was lost, and the cursor stands where it stood.
    let only = daemon.mailcrm_json(&["reconcile", "support", "--repair"]);
    assert_eq!((only.code, only.stderr.as_str()), (0, NOW), "{only:?}");
    until_explained(&daemon);
    daemon.wait_until_settled(2, LIMIT);
    assert_same(&scene.crm.contents(), &crm);
    let answer = daemon.mailcrm(&["reconcile", "nobody", "--repair"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{answer:?}");
}

/// Type and number of the cards that `reconcile` does not find in the ledger.
fn unknown_cards(answer: &Answer) -> Vec<(String, u64)> {
    let document = answer.json();
    let cards = document["unknown_cards"].as_array().unwrap();
    let mut cards: Vec<(String, u64)> = cards
        .iter()
        .map(|card| {
            assert_eq!(card["origin_id"].as_str().unwrap().len(), 64, "{card}");
            (card["type"].as_str().unwrap().to_owned(), card["id"].as_u64().unwrap())
        })
        .collect();
    cards.sort();
    cards
}

#[test]
fn cards_that_a_lost_ledger_made_are_flagged_until_they_are_known_again() {
    let mut scene = Scene::with(&["sales"]);
    // A card of somebody else is none of ours.
    scene.crm.add_contact("Kim", "kim@known.example", 7);
    let mut daemon = filed(&scene);
    assert_eq!(unknown_cards(&daemon.mailcrm_json(&["reconcile"])), []);
    let lead = |subject: &str| {
        let card = &message(&daemon, subject)["cards"][0];
        (card["type"].as_str().unwrap().to_owned(), card["id"].as_u64().unwrap())
    };
    let of_one = lead("One");
    let mut all = vec![of_one.clone(), lead("Two"), lead("Three"), lead("Answer")];
    all.sort();
    let crm = scene.crm.contents();
    daemon.terminate();
    for ending in ["sqlite", "sqlite-wal", "sqlite-shm"] {
        let _ = std::fs::remove_file(daemon.ledger_path().with_extension(ending));
    }
    // One of the mails is not there any more when the new ledger is made.
    let gone = ["expunge", "-u", "sales", "mailbox", "INBOX", "subject", "One"];
    scene.dovecot.doveadm(&gone).unwrap();
    // A ledger that has read nothing yet.
    let user = daemon.mailboxes[0].username.clone();
    scene.dovecot.set_users(&[(&user, "another")]).unwrap();
    daemon.start();
    until_mailbox(&daemon, "sales", "blocked");
    daemon.terminate();
    daemon.mailboxes[0].password = "another".to_owned();
    daemon.write_config();
    let answer = daemon.mailcrm_json(&["reconcile"]);
    assert_eq!((answer.code, unknown_cards(&answer)), (1, all), "{answer:?}");

    daemon.start();
    daemon.wait_until_settled(4, LIMIT);
    until_explained(&daemon);
    let answer = daemon.mailcrm_json(&["reconcile"]);
    assert_eq!((answer.code, unknown_cards(&answer)), (0, vec![of_one.clone()]), "{answer:?}");
    let text = daemon.mailcrm(&["reconcile"]).stdout;
    let line = format!("warn  lead:{} was made by mailcrm", of_one.1);
    assert!(text.contains(&line), "{text}");
    assert_eq!(text.matches("warn  ").count(), 1, "{text}");
    assert_same(&scene.crm.contents(), &crm);
    // Cards belong to no mailbox.
    assert_eq!(unknown_cards(&daemon.mailcrm_json(&["reconcile", "sales"])), []);
    // A repair has nothing to read, and the card stays flagged.
    repaired(&daemon, "");
    assert_eq!(unknown_cards(&daemon.mailcrm_json(&["reconcile"])), [of_one]);

    // What cannot be compared is said, and proves nothing against the mail.
    daemon.terminate();
    scene.crm.kill9();
    let answer = daemon.mailcrm_json(&["reconcile"]);
    assert_eq!((answer.code, unknown_cards(&answer)), (0, vec![]), "{answer:?}");
    assert!(answer.stderr.starts_with("mailcrm: cards of ours were not compared: "), "{answer:?}");
    assert!(!answer.stderr.contains("/rest/"), "{answer:?}");
}

#[test]
fn repair_on_a_ledger_of_another_crm_is_refused() {
    let scene = Scene::with(&["sales"]);
    let mut daemon = filed(&scene);
    daemon.terminate();
    daemon.sql(FORGET_PLACES);
    let other = common::crm_faults::CrmFaults::to(scene.crm.port(), 1);
    daemon.crm = format!("url = {:?}\n", other.url());
    daemon.write_config();
    let rows = daemon.rows();
    let answer = daemon.mailcrm(&["reconcile", "--repair"]);
    assert_eq!(answer.code, 78, "{answer:?}");
    assert!(answer.stderr.contains("ledger.path"), "{answer:?}");
    assert_same(&daemon.rows(), &rows);
}
