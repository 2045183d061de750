//! What a mailbox's folders hold, and what becomes of it, on a real Dovecot with TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::time::{Duration, Instant, SystemTime};

use common::imap_client::ImapClient;
use common::mails::Mail;
use common::scene::{
    Scene, activity, mail, message, places, reconciled, said, sent, until_mailbox, until_state,
};
use common::{LIMIT, block_on, daemon::Daemon, wait_for};
use jiff::Timestamp;
use serde_json::{Value, json};

fn days_ago(days: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(days * 86_400)
}

/// The folder of a `reconcile` document.
fn folder<'a>(document: &'a Value, name: &str) -> &'a Value {
    let folders = document["folders"].as_array().unwrap();
    folders.iter().find(|folder| folder["folder"] == name).unwrap()
}

#[test]
fn history_is_counted_by_internal_date_from_the_first_reading_and_can_be_made_longer() {
    let scene = Scene::with(&["sales"]);
    let old = mail("Old, dated today");
    let recent = mail("Recent, dated long ago").date("2020-02-03T10:00:00Z".parse().unwrap());
    for (days, mail) in [
        (20, &mail("Very old")),
        (10, &old),
        (2, &recent),
        // A mail client copied it into the folder later.
        (9, &mail("Old above the floor")),
        (0, &mail("New")),
    ] {
        scene.dovecot.deliver_at("sales", "INBOX", &mail.raw(), days_ago(days)).unwrap();
    }
    let mut daemon = scene.daemon();
    scene.until_filed(&["New", "Recent, dated long ago"]);
    until_state(&daemon, "Old above the floor", "skipped", Some("before-history"));
    // The floor stands for the older ones.
    until_mailbox(&daemon, "sales", "idle");
    assert_eq!(daemon.messages(&[]).len(), 3);
    let inbox = folder(&reconciled(&daemon), "INBOX").clone();
    assert_eq!((&inbox["on_server"], &inbox["in_ledger"]), (&json!(5), &json!(5)), "{inbox}");

    // Shorter: nothing changes, not even after a restart.
    daemon.mailboxes[0].crm = "history_days = 1\n".to_owned();
    daemon.write_config();
    daemon.terminate();
    daemon.start();
    until_mailbox(&daemon, "sales", "idle");
    assert_eq!(daemon.messages(&[]).len(), 3);
    assert_eq!(scene.filed().len(), 2);

    // Longer: the added days are read at the next start, and no more than those.
    daemon.mailboxes[0].crm = "history_days = 15\n".to_owned();
    daemon.write_config();
    daemon.terminate();
    daemon.start();
    let filed = ["New", "Recent, dated long ago", "Old above the floor", "Old, dated today"];
    scene.until_filed(&filed);
    until_mailbox(&daemon, "sales", "idle");
    assert_eq!(daemon.messages(&[]).len(), 4);
    reconciled(&daemon);
}

#[test]
fn a_mail_that_arrives_is_filed_within_seconds_over_one_connection() {
    let scene = Scene::with(&["sales"]);
    let daemon = scene.daemon();
    until_mailbox(&daemon, "sales", "idle");
    for subject in ["First", "Second", "Third"] {
        let start = Instant::now();
        scene.deliver("sales", "INBOX", &mail(subject));
        wait_for("the mail", LIMIT, || scene.filed().iter().any(|filed| filed == subject));
        // Without IDLE it would be found after five minutes.
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    }
    assert_eq!(said(&daemon, "mailbox connected"), 1);
    let activity = activity(&scene.crm, "Third");
    assert_eq!(activity["DIRECTION"], "1", "{activity}");
    assert_eq!(activity["COMPLETED"], "N", "{activity}");
    reconciled(&daemon);
}

#[test]
fn each_folder_is_filed_by_what_it_is_for() {
    let scene = Scene::with(&["sales"]);
    let folders = "sync = [\"INBOX\", \"Sent\", \"Клиенты/Señales\", \"Junk\"]\n";
    scene.deliver("sales", "Клиенты/Señales", &mail("History elsewhere"));
    scene.deliver("sales", "Junk", &mail("History spam"));
    scene.deliver("sales", "Sent", &sent("History sent"));
    let mut mailbox = scene.mailbox("sales").folders(folders);
    // Dovecot's NOTIFY reports no folder with such a name.
    mailbox.imap = "poll_secs = 1\n".to_owned();
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    scene.until_filed(&["History elsewhere", "History sent"]);
    until_state(&daemon, "History spam", "skipped", Some("spam-folder"));
    until_mailbox(&daemon, "sales", "idle");
    // Live too, in folders that are not selected, as mail clients and filters put it there.
    let (port, ca_file) = (scene.dovecot.imaps_port(), scene.dovecot.ca_file());
    let mut client = ImapClient::login(port, &ca_file, "sales");
    client.append("&BBoEOwQ4BDUEPQRCBEs-/Se&APE-ales", "", &mail("Live elsewhere").raw());
    client.append("Sent", "\\Seen", &sent("Live sent").raw());
    client.append("Junk", "", &mail("Live spam").raw());
    // One that is not named is left alone.
    client.append("Drafts", "\\Draft", &sent("Draft").raw());
    scene.until_filed(&["History elsewhere", "History sent", "Live elsewhere", "Live sent"]);
    until_state(&daemon, "Live spam", "skipped", Some("spam-folder"));
    for subject in ["History sent", "Live sent"] {
        until_state(&daemon, subject, "saved", None);
        let activity = activity(&scene.crm, subject);
        assert_eq!(activity["DIRECTION"], "2", "{activity}");
        assert_eq!(activity["COMPLETED"], "Y", "{activity}");
        assert_eq!(message(&daemon, subject)["direction"], "outgoing");
    }
    let elsewhere = message(&daemon, "Live elsewhere");
    assert_eq!(places(&elsewhere), [("sales".to_owned(), "Клиенты/Señales".to_owned())]);
    assert_eq!(scene.crm.call("sandbox.counts", &json!({}))["sent_mail"], 0);
    assert_eq!(daemon.messages(&[]).len(), 6);
    reconciled(&daemon);
}

#[test]
fn what_is_moved_out_of_spam_is_decided_anew_and_what_is_moved_into_it_stays() {
    let scene = Scene::with(&["sales"]);
    let folders = "sync = [\"INBOX\", \"Junk\"]\n";
    scene.deliver("sales", "Junk", &mail("No spam after all"));
    scene.deliver("sales", "INBOX", &mail("Saved first"));
    let daemon = Daemon::running(&scene.crm.url(), &[scene.mailbox("sales").folders(folders)]);
    scene.until_filed(&["Saved first"]);
    until_state(&daemon, "No spam after all", "skipped", Some("spam-folder"));
    let moved = |from: &str, to: &str, id: &str| {
        let header = ["header", "message-id", id];
        let args = [&["move", "-u", "sales", to, "mailbox", from], &header[..]].concat();
        scene.dovecot.doveadm(&args).unwrap();
    };
    moved("Junk", "INBOX", "<nospamafterall@client.example>");
    moved("INBOX", "Junk", "<savedfirst@client.example>");
    scene.until_filed(&["No spam after all", "Saved first"]);
    until_state(&daemon, "No spam after all", "saved", None);
    wait_for("the second place", LIMIT, || places(&message(&daemon, "Saved first")).len() == 2);
    until_state(&daemon, "Saved first", "saved", None);
    reconciled(&daemon);
}

#[test]
fn nothing_is_saved_while_the_spam_folder_is_the_inbox_and_the_daemon_says_so_loudly() {
    let scene = Scene::with(&["sales"]);
    scene.deliver("sales", "INBOX", &mail("History"));
    let mailbox = scene.mailbox("sales").folders("spam = \"INBOX\"\n");
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    until_state(&daemon, "History", "skipped", Some("spam-folder"));
    scene.deliver("sales", "INBOX", &mail("Live"));
    scene.deliver("sales", "Sent", &sent("Answer"));
    until_state(&daemon, "Live", "skipped", Some("spam-folder"));
    scene.until_filed(&["Answer"]);
    let log = daemon.log();
    let mut loud = log.lines().filter(|line| line.contains(" ERROR "));
    let said = |line: &str| {
        line.contains("spam folder is the inbox") && line.contains("choose another folder")
    };
    assert!(loud.any(said), "{log}");
}

#[test]
fn the_same_mail_in_several_folders_and_mailboxes_is_one_activity_with_all_its_places() {
    let scene = Scene::with(&["sales", "support"]);
    let offer = mail("Offer").to("sales@example.com, support@example.com");
    let copy = Mail { headers: format!("{}X-Copy: 1\r\n", offer.headers), ..offer.clone() };
    scene.deliver("sales", "INBOX", &offer);
    let folders = "sync = [\"INBOX\", \"Archive\"]\n";
    let sales = scene.mailbox("sales").folders(folders);
    scene.deliver("sales", "Archive", &copy);
    let daemon = Daemon::running(&scene.crm.url(), &[sales, scene.mailbox("support")]);
    scene.until_filed(&["Offer"]);
    scene.deliver("support", "INBOX", &copy);
    scene.deliver("sales", "INBOX", &offer);
    let place = |mailbox: &str, folder: &str| (mailbox.to_owned(), folder.to_owned());
    let wanted = [
        place("sales", "Archive"),
        place("sales", "INBOX"),
        place("sales", "INBOX"),
        place("support", "INBOX"),
    ];
    wait_for("all places", LIMIT, || places(&message(&daemon, "Offer")) == wanted);
    daemon.wait_until_settled(1, LIMIT);
    assert_eq!(daemon.messages(&[]).len(), 1);
    assert_eq!(scene.filed(), ["Offer"]);
    assert_eq!(scene.crm.cards(1).len(), 1);
    reconciled(&daemon);
}

#[test]
fn a_mail_without_message_id_in_two_folders_is_one() {
    let scene = Scene::with(&["sales"]);
    let offer = mail("Offer").id("");
    scene.deliver("sales", "INBOX", &offer);
    scene.deliver("sales", "Archive", &offer);
    // Within the same second, and with another text.
    scene.deliver("sales", "INBOX", &offer.clone().body("How much for two dozen?\r\n"));
    let mailbox = scene.mailbox("sales").folders("sync = [\"INBOX\", \"Archive\"]\n");
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    scene.until_filed(&["Offer", "Offer"]);
    daemon.wait_until_settled(2, LIMIT);
    let mut counts: Vec<usize> =
        daemon.messages(&[]).iter().map(|message| places(message).len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2]);
    reconciled(&daemon);
}

#[test]
fn a_reused_message_id_hides_no_mail() {
    let scene = Scene::with(&["sales"]);
    let first = mail("Order").date(Timestamp::now() - Duration::from_secs(3600));
    let second = first.clone().date(Timestamp::now()).body("The next order.\r\n");
    scene.deliver("sales", "INBOX", &first);
    scene.deliver("sales", "INBOX", &second);
    let daemon = scene.daemon();
    scene.until_filed(&["Order", "Order"]);
    let mut messages = daemon.messages(&[]);
    messages.sort_by_key(|message| message["id"].as_u64());
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["message_id"], messages[1]["message_id"]);
    assert_ne!(messages[0]["fingerprint"], messages[1]["fingerprint"]);
    let reused = |message: &Value| {
        let evidence = message["evidence"].as_array().unwrap();
        evidence.iter().any(|entry| entry["rule"] == "reused-id")
    };
    assert_eq!((reused(&messages[0]), reused(&messages[1])), (false, true));
}

#[test]
fn a_renumbered_folder_is_read_again_without_filing_twice_and_without_passing_over_new_mail() {
    let scene = Scene::with(&["sales"]);
    for subject in ["One", "Two", "Three"] {
        scene.deliver("sales", "INBOX", &mail(subject));
    }
    let mut daemon = scene.daemon();
    scene.until_filed(&["One", "Two", "Three"]);
    daemon.wait_until_settled(3, LIMIT);
    let before = message(&daemon, "Two")["places"][0].clone();

    // Under the running daemon, with a mail that arrives meanwhile.
    scene.dovecot.renumber("sales", "INBOX").unwrap();
    scene.deliver("sales", "INBOX", &mail("Four"));
    scene.until_filed(&["One", "Two", "Three", "Four"]);
    // And while it is not running.
    daemon.terminate();
    scene.dovecot.renumber("sales", "INBOX").unwrap();
    scene.deliver("sales", "INBOX", &mail("Five"));
    daemon.start();
    scene.until_filed(&["One", "Two", "Three", "Four", "Five"]);
    wait_for("the places of the new numbers", LIMIT, || {
        let messages = daemon.messages(&[]);
        let validities = |message: &Value| message["places"][0]["uid_validity"].clone();
        let all_new = messages.iter().all(|message| {
            message["places"].as_array().unwrap().len() == 1
                && validities(message) == validities(&messages[0])
        });
        messages.len() == 5 && all_new
    });
    let after = message(&daemon, "Two")["places"][0].clone();
    assert_ne!(before["uid_validity"], after["uid_validity"]);
    assert!(said(&daemon, "folder renumbered") >= 2);
    assert_eq!(scene.filed().len(), 5);
    reconciled(&daemon);
}

#[test]
fn a_folder_that_is_deleted_and_made_again_is_read_again() {
    let scene = Scene::with(&["sales"]);
    let before = mail("Before");
    scene.deliver("sales", "Archive", &before);
    let mailbox = scene.mailbox("sales").folders("sync = [\"INBOX\", \"Archive\"]\n");
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    scene.until_filed(&["Before"]);
    until_mailbox(&daemon, "sales", "idle");
    scene.dovecot.doveadm(&["mailbox", "delete", "-u", "sales", "Archive"]).unwrap();
    // A connection without the folder, and one with it again.
    scene.dovecot.kill_connections().unwrap();
    wait_for("the folder to be missed", LIMIT, || said(&daemon, "folder missing") == 1);
    scene.deliver("sales", "INBOX", &mail("Meanwhile"));
    scene.until_filed(&["Before", "Meanwhile"]);
    scene.deliver("sales", "Archive", &mail("After"));
    scene.deliver("sales", "Archive", &before);
    scene.dovecot.kill_connections().unwrap();
    scene.until_filed(&["Before", "Meanwhile", "After"]);
    reconciled(&daemon);
}

#[test]
fn a_mail_server_that_is_restarted_loses_nothing() {
    let mut scene = Scene::with(&["sales"]);
    scene.deliver("sales", "INBOX", &mail("Before"));
    let daemon = scene.daemon();
    scene.until_filed(&["Before"]);
    block_on(scene.dovecot.halt()).unwrap();
    scene.deliver("sales", "INBOX", &mail("During"));
    until_mailbox(&daemon, "sales", "waiting");
    block_on(scene.dovecot.resume()).unwrap();
    scene.deliver("sales", "INBOX", &mail("After"));
    scene.until_filed(&["Before", "During", "After"]);
    reconciled(&daemon);
}

#[test]
fn reading_changes_no_flag() {
    let scene = Scene::with(&["sales"]);
    let (port, ca_file) = (scene.dovecot.imaps_port(), scene.dovecot.ca_file());
    let mut client = ImapClient::login(port, &ca_file, "sales");
    client.append("INBOX", "\\Seen \\Flagged", &mail("Read by a person").raw());
    scene.deliver("sales", "INBOX", &mail("Not read"));
    let large = mail("Large").body("x".repeat(70).repeat(20_000));
    scene.deliver("sales", "INBOX", &large);
    let daemon = scene.daemon();
    scene.until_filed(&["Read by a person", "Not read", "Large"]);
    until_mailbox(&daemon, "sales", "idle");
    client.ok("SELECT INBOX");
    let lines = client.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
    let flags = |subject: &str| {
        let line = lines.iter().find(|line| line.contains(subject)).unwrap();
        (line.contains("\\Seen"), line.contains("\\Flagged"))
    };
    assert_eq!(flags("Read by a person"), (true, true), "{lines:?}");
    assert_eq!(flags("Not read"), (false, false), "{lines:?}");
    assert_eq!(flags("Large"), (false, false), "{lines:?}");
}

#[test]
fn every_odd_mail_has_one_fate_and_stops_none_of_the_others() {
    let scene = Scene::with(&["sales"]);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            scene.dovecot.deliver("sales", "INBOX", &std::fs::read(&path).unwrap()).unwrap();
            count += 1;
        }
    }
    assert!(count > 50);
    scene.deliver("sales", "INBOX", &mail("The last one"));
    let daemon = scene.daemon();
    until_state(&daemon, "The last one", "saved", None);
    until_mailbox(&daemon, "sales", "idle");
    daemon.wait_until_settled(1, LIMIT);
    let messages = daemon.messages(&[]);
    let states = ["saved", "skipped", "parked", "quarantined"];
    for message in &messages {
        assert!(states.iter().any(|state| message["state"] == **state), "{message}");
    }
    let places: usize = messages.iter().map(|message| places(message).len()).sum();
    assert_eq!(places, count + 1);
    // A connection that was lost would mean an answer that stopped the reading.
    assert_eq!(said(&daemon, "mailbox connected"), 1);
    assert_eq!(scene.crm.call("sandbox.counts", &json!({}))["sent_mail"], 0);
    // Again: nothing changes.
    let saved = scene.filed();
    let mut daemon = daemon;
    daemon.terminate();
    daemon.start();
    until_mailbox(&daemon, "sales", "idle");
    daemon.wait_until_settled(1, LIMIT);
    assert_eq!(scene.filed(), saved);
    reconciled(&daemon);
}
