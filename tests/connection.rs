//! A mailbox's connection: how it comes about, how it breaks, and how it is taken up again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::time::{Duration, Instant};

use common::cutter::Cutter;
use common::daemon::{Daemon, Mailbox};
use common::scene::{Scene, mail, mailbox_status, message, reconciled, said, sent, until_mailbox};
use common::{LIMIT, dovecot, wait_for};

/// Failed logins in Dovecot's log, and those that it let in.
fn logins(scene: &Scene) -> (usize, usize) {
    let log = std::fs::read_to_string(scene.dovecot.log_file()).unwrap_or_default();
    let count = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    (count("auth failed"), count("imap-login: Info: Login: "))
}

/// Waits until Dovecot, which writes its log when it pleases, has written down so many.
#[track_caller]
fn until_logins(scene: &Scene, refused: usize, let_in: usize) {
    let wanted = (refused, let_in);
    wait_for(&format!("{wanted:?} logins"), LIMIT, || logins(scene) == wanted);
}

#[test]
fn promise_01_a_connection_that_is_cut_in_mid_literal_again_and_again_loses_and_doubles_nothing() {
    let scene = Scene::with(&["sales"]);
    let subjects: Vec<String> = (0..60).map(|number| format!("Mail {number:02}")).collect();
    for (number, subject) in subjects.iter().enumerate() {
        // Some are large enough to come in pieces.
        let kib = if number % 20 == 7 { 600 } else { 12 };
        let body =
            "All work and no play makes Jack a dull boy, says my aunt often.\n".repeat(kib * 16);
        scene.deliver("sales", "INBOX", &mail(subject).body(body));
    }
    let cutter = Cutter::to(scene.dovecot.imaps_port());
    // Beyond the login, which takes some 5 kB.
    cutter.cut_after(9_000);
    let daemon =
        Daemon::running(&scene.crm.url(), &[scene.mailbox("sales").through(cutter.port())]);
    let start = Instant::now();
    let mut cuts = 0;
    let mut bytes = 20_000;
    while scene.filed().len() < subjects.len() {
        assert!(start.elapsed() < LIMIT, "{} are filed", scene.filed().len());
        if cutter.cuts() > cuts {
            cuts = cutter.cuts();
            // From a fraction of a mail to several. Of every four one lets a large one pass: where
            // none ever does, the mail is taken for what breaks the connection.
            bytes = 15_000 + (bytes * 7 + cuts * 13_001) % 150_000;
            let bytes = if cuts % 4 == 0 { bytes + 700_000 } else { bytes };
            if cuts < 25 {
                cutter.cut_after(bytes);
            }
            // A reload tries at once; else the pauses grow to minutes.
            daemon.signal("HUP");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(cuts >= 8, "only {cuts} cuts");
    // The last that was asked for would meet who looks afterwards.
    cutter.cut();
    let wanted: Vec<&str> = subjects.iter().map(String::as_str).collect();
    scene.until_filed(&wanted);
    daemon.wait_until_settled(subjects.len(), LIMIT);
    let messages = daemon.messages(&[]);
    assert_eq!(messages.len(), subjects.len());
    assert!(messages.iter().all(|message| message["state"] == "saved"), "{messages:?}");
    println!("{cuts} cuts");
    reconciled(&daemon);
}

#[test]
fn a_connection_that_looks_alive_and_is_dead_is_found_out_and_replaced() {
    let scene = Scene::with(&["sales"]);
    let cutter = Cutter::to(scene.dovecot.imaps_port());
    let mut mailbox = scene.mailbox("sales").through(cutter.port());
    mailbox.imap = "idle_refresh_secs = 30\n".to_owned();
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    until_mailbox(&daemon, "sales", "idle");
    cutter.silence();
    scene.deliver("sales", "INBOX", &mail("Into the silence"));
    // It is 30 s in IDLE and 15 s in hope.
    daemon.wait_for_line("mailbox lost", LIMIT);
    assert_eq!(scene.filed().len(), 0);
    cutter.speak();
    scene.until_filed(&["Into the silence"]);
}

#[test]
fn servers_without_idle_or_without_notify_are_served_too() {
    // The words of Dovecot 2.3 without one of the two.
    let base = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE LITERAL+ SPECIAL-USE LIST-EXTENDED \
                LIST-STATUS UIDPLUS";
    for (capabilities, state, waits_by) in [
        (base.to_owned(), "polling", "polling"),
        (format!("{base} IDLE"), "idle", "IDLE and polling"),
        (format!("{base} IDLE NOTIFY"), "idle", "IDLE and NOTIFY"),
        // Next to nothing: no special uses, and nobody says which folder is for what.
        ("IMAP4rev1".to_owned(), "polling", "polling"),
    ] {
        let scene = Scene::with_conf(&["sales"], &format!("imap_capability = {capabilities}\n"));
        let mut mailbox = scene.mailbox("sales");
        mailbox.imap = "poll_secs = 1\n".to_owned();
        scene.deliver("sales", "INBOX", &mail("History"));
        let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
        scene.until_filed(&["History"]);
        until_mailbox(&daemon, "sales", state);
        scene.deliver("sales", "INBOX", &mail("Live"));
        scene.until_filed(&["History", "Live"]);
        scene.deliver("sales", "Sent", &sent("Sent"));
        scene.until_filed(&["History", "Live", "Sent"]);
        let log = daemon.log();
        let connected = log.lines().find(|line| line.contains("mailbox connected")).unwrap();
        assert!(connected.contains(&format!("waits_by=\"{waits_by}\"")), "{connected}");
    }
}

#[test]
fn starttls_protects_a_connection_that_began_in_the_clear() {
    let scene = Scene::with(&["sales"]);
    let mut mailbox = scene.mailbox("sales").through(scene.dovecot.imap_port());
    mailbox.imap = "tls = \"starttls\"\n".to_owned();
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    until_mailbox(&daemon, "sales", "idle");
    scene.deliver("sales", "INBOX", &mail("Under TLS"));
    scene.until_filed(&["Under TLS"]);
    let log = || std::fs::read_to_string(scene.dovecot.log_file()).unwrap();
    let login = || {
        let log = log();
        let mut logins = log.lines().filter(|line| line.contains("imap-login: Info: Login: "));
        logins.next().map(str::to_owned)
    };
    wait_for("the login in its log", LIMIT, || login().is_some());
    let login = login().unwrap();
    assert!(login.contains("TLS"), "{login}");
}

#[test]
fn a_certificate_that_nobody_vouches_for_blocks_the_mailbox_by_name_and_no_other() {
    let scene = Scene::with(&["sales"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = dovecot(elsewhere.path(), &["support"]);
    let distrusted = Mailbox { ca_file: scene.dovecot.ca_file(), ..Mailbox::on(&other, "support") };
    let daemon = Daemon::running(&scene.crm.url(), &[distrusted, scene.mailbox("sales")]);
    let support = until_mailbox(&daemon, "support", "blocked");
    let error = support["last_error"].as_str().unwrap();
    assert!(error.contains("localhost") && error.contains("imap.ca_file"), "{error}");
    until_mailbox(&daemon, "sales", "idle");
    let log = daemon.log();
    let blocked: Vec<&str> = log.lines().filter(|line| line.contains("mailbox blocked")).collect();
    assert_eq!(blocked.len(), 1, "{blocked:?}");
    assert!(blocked[0].contains("mailbox=\"support\""), "{blocked:?}");
}

#[test]
fn promise_10_a_wrong_password_is_tried_rarely_and_told_once_and_a_new_one_at_once() {
    let scene = Scene::with(&["sales"]);
    scene.deliver("sales", "INBOX", &mail("Waiting"));
    let mailbox = Mailbox { password: "wrong".to_owned(), ..scene.mailbox("sales") };
    let mut daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    let status = until_mailbox(&daemon, "sales", "blocked");
    assert!(status["last_error"].as_str().unwrap().contains("password"), "{status}");
    until_logins(&scene, 1, 0);
    // Starting it again and again is no way around the limit.
    let mut ends = Vec::new();
    for _ in 0..4 {
        let start = Instant::now();
        daemon.terminate();
        ends.push(start.elapsed());
        // However slow this machine is: the login that was rejected was just now.
        daemon.sql("UPDATE mailbox SET login_refusals = '[' || unixepoch() || ']'");
        daemon.start();
        until_mailbox(&daemon, "sales", "blocked");
    }
    let quickest = ends.iter().min().unwrap();
    assert!(*quickest < Duration::from_secs(4), "it hung on: {ends:?}");
    // Long enough for it to look at the secret again.
    let (told, start) = (said(&daemon, "mailbox blocked"), Instant::now());
    wait_for("a look at the secret", LIMIT, || start.elapsed() > Duration::from_secs(20));
    assert_eq!(logins(&scene), (1, 0), "in a minute from the first");
    // Each start says it once.
    assert_eq!((told, said(&daemon, "mailbox blocked")), (5, 5));
    assert_eq!(mailbox_status(&daemon, "sales")["state"], "blocked");
    assert!(!daemon.log().contains("wrong"), "the password is in the log");

    // A changed file is found without a reload.
    daemon.mailboxes[0].password = "secret".to_owned();
    let start = Instant::now();
    daemon.write_config();
    scene.until_filed(&["Waiting"]);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    until_logins(&scene, 1, 1);
    until_mailbox(&daemon, "sales", "idle");
}

#[test]
fn promise_10_a_password_that_becomes_wrong_stops_no_other_mailbox_and_a_reload_tries_it_at_once() {
    let mut scene = Scene::with(&["sales", "support"]);
    let mailboxes = [scene.mailbox("sales"), scene.mailbox("support")];
    let daemon = Daemon::running(&scene.crm.url(), &mailboxes);
    until_mailbox(&daemon, "sales", "idle");
    until_mailbox(&daemon, "support", "idle");
    scene.dovecot.set_users(&[("sales", "changed"), ("support", "secret")]).unwrap();
    scene.dovecot.kill_connections().unwrap();
    until_mailbox(&daemon, "sales", "blocked");
    scene.deliver("support", "INBOX", &mail("To support").to("support@example.com"));
    scene.until_filed(&["To support"]);
    wait_for("the refusal in its log", LIMIT, || logins(&scene).0 > 0);
    let before = logins(&scene).0;
    daemon.signal("HUP");
    wait_for("another try", LIMIT, || logins(&scene).0 > before);
    scene.dovecot.set_users(&[("sales", "secret"), ("support", "secret")]).unwrap();
    daemon.signal("HUP");
    scene.deliver("sales", "INBOX", &mail("To sales"));
    scene.until_filed(&["To sales", "To support"]);
}

#[test]
fn a_mailbox_that_is_removed_and_added_again_goes_on_from_its_cursors() {
    let scene = Scene::with(&["sales", "support"]);
    let (sales, support) = (scene.mailbox("sales"), scene.mailbox("support"));
    scene.deliver("sales", "INBOX", &mail("History"));
    let mut daemon = Daemon::running(&scene.crm.url(), &[sales.clone(), support.clone()]);
    scene.until_filed(&["History"]);
    until_mailbox(&daemon, "sales", "idle");
    until_mailbox(&daemon, "support", "idle");
    let first_read = || said(&daemon, "folder read for the first time");
    let before = first_read();
    let reload = |daemon: &mut Daemon, mailboxes: &[Mailbox]| {
        let done = said(daemon, "configuration taken over");
        daemon.mailboxes = mailboxes.to_vec();
        daemon.write_config();
        daemon.signal("HUP");
        let words = "configuration taken over";
        wait_for("the reload", LIMIT, || said(daemon, words) == done + 1);
    };
    reload(&mut daemon, std::slice::from_ref(&support));
    scene.deliver("sales", "INBOX", &mail("Meanwhile"));
    scene.deliver("support", "INBOX", &mail("Support").to("support@example.com"));
    scene.until_filed(&["History", "Support"]);
    assert!(message(&daemon, "Meanwhile").is_null());
    reload(&mut daemon, &[sales, support]);
    scene.until_filed(&["History", "Meanwhile", "Support"]);
    until_mailbox(&daemon, "sales", "idle");
    assert_eq!(said(&daemon, "folder read for the first time"), before);
    assert_eq!(daemon.messages(&[]).len(), 3);
    reconciled(&daemon);
}

#[test]
fn a_reload_takes_over_what_changed_and_drops_no_other_connection() {
    let users = ["kept", "changed", "removed", "added"];
    let scene = Scene::with(&users);
    let cutters = users.map(|_| Cutter::to(scene.dovecot.imaps_port()));
    let mailboxes: Vec<Mailbox> = users
        .iter()
        .zip(&cutters)
        .map(|(user, cutter)| scene.mailbox(user).through(cutter.port()))
        .collect();
    let mut daemon = Daemon::running(&scene.crm.url(), &mailboxes[..3]);
    for user in &users[..3] {
        until_mailbox(&daemon, user, "idle");
    }
    let changed = mailboxes[1].clone().crm("on_incoming = \"contact\"\n");
    daemon.mailboxes = vec![mailboxes[0].clone(), changed, mailboxes[3].clone()];
    daemon.write_config();
    daemon.signal("HUP");
    wait_for("the reload", LIMIT, || said(&daemon, "configuration taken over") == 1);
    for user in ["kept", "changed", "added"] {
        until_mailbox(&daemon, user, "idle");
    }
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("configuration taken over")).unwrap();
    for words in ["added=\"added\"", "changed=\"changed\"", "removed=\"removed\""] {
        assert!(line.contains(words), "{words} in {line}");
    }
    let [kept, _, removed, added] = &cutters;
    assert_eq!((kept.accepted(), kept.open()), (1, 1));
    wait_for("the removed one to be left", LIMIT, || removed.open() == 0);
    assert_eq!((removed.accepted(), added.accepted()), (1, 1));
    for user in ["kept", "changed", "removed", "added"] {
        let to = format!("{user}@example.com");
        scene.deliver(user, "INBOX", &mail(&format!("To {user}")).to(&to));
    }
    scene.until_filed(&["To added", "To changed", "To kept"]);
    // By the new configuration.
    assert_eq!((scene.crm.cards(1).len(), scene.crm.cards(3).len()), (2, 1));

    // One with a mistake changes nothing.
    daemon.mailboxes[0].crm = "on_incoming = \"everything\"\n".to_owned();
    daemon.write_config();
    daemon.signal("HUP");
    wait_for("the refusal", LIMIT, || said(&daemon, "configuration refused") == 1);
    scene.deliver("kept", "INBOX", &mail("Later").to("kept@example.com"));
    scene.until_filed(&["Later", "To added", "To changed", "To kept"]);
    assert_eq!((kept.accepted(), kept.open()), (1, 1));
}
