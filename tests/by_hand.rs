//! What people save by hand from a mail client: by laying a mail into a folder, and by a keyword.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::time::{Duration, SystemTime};

use common::daemon::Daemon;
use common::imap_client::ImapClient;
use common::imap_server::{ImapServer, Play};
use common::mails::Mail;
use common::sandbox::SandboxProcess;
use common::scene::{
    Scene, mail, message, places, reconciled, said, sent, until_mailbox, until_state,
};
use common::{LIMIT, wait_for};
use serde_json::json;

/// All that keeps mail out of the CRM.
const STRICT: &str = "exclude = [\"newsletter.example\"]\nautomated = \"skip\"\n\
                      on_incoming = \"none\"\n";

fn client(scene: &Scene) -> ImapClient {
    ImapClient::login(scene.dovecot.imaps_port(), &scene.dovecot.ca_file(), "sales")
}

/// Mails that [`STRICT`] keeps out, with their reasons, in the order of their UIDs.
fn kept_out() -> [(Mail, Option<&'static str>); 6] {
    [
        // Below the floor: it has no row.
        (mail("Old"), None),
        (mail("Newsletter").header("X-Odd: 1"), Some("excluded")),
        (mail("Robot").header("Auto-Submitted: auto-generated"), Some("automated")),
        (mail("Stranger"), Some("creation-off")),
        (mail("Lunch"), Some("internal")),
        (mail("Moved"), Some("creation-off")),
    ]
}

/// Delivers them to the inbox, the first one long ago.
fn deliver_kept_out(scene: &Scene) {
    for (index, (mail, _)) in kept_out().into_iter().enumerate() {
        let mail = match mail.subject.as_str() {
            "Newsletter" => Mail { from: "News <news@newsletter.example>".to_owned(), ..mail },
            "Lunch" => Mail { from: "Boss <boss@example.com>".to_owned(), ..mail },
            _ => mail,
        };
        let days = if index == 0 { 30 } else { 0 };
        let at = SystemTime::now() - Duration::from_secs(days * 86_400);
        scene.dovecot.deliver_at("sales", "INBOX", &mail.raw(), at).unwrap();
    }
}

#[track_caller]
fn until_kept_out(daemon: &Daemon) {
    for (mail, reason) in kept_out() {
        if reason.is_some() {
            until_state(daemon, &mail.subject, "skipped", reason);
        }
    }
    until_mailbox(daemon, "sales", "idle");
}

/// The evidence of a message under this rule.
fn evidence(daemon: &Daemon, subject: &str, rule: &str) -> Vec<String> {
    let found = message(daemon, subject)["evidence"].as_array().cloned().unwrap_or_default();
    let of_rule = found.iter().filter(|one| one["rule"] == rule);
    of_rule.map(|one| one["fact"].as_str().unwrap().to_owned()).collect()
}

fn started_again(daemon: &mut Daemon) {
    assert!(daemon.terminate().success());
    daemon.start();
    until_mailbox(daemon, "sales", "idle");
    daemon.wait_until_settled(1, LIMIT);
}

const ALL_FILED: [&str; 5] = ["Old", "Newsletter", "Robot", "Stranger", "Moved"];

#[test]
fn what_is_laid_into_the_folder_is_filed_once_whatever_keeps_it_out() {
    let scene = Scene::with(&["sales"]);
    let mut client = client(&scene);
    client.ok("CREATE CRM");
    deliver_kept_out(&scene);
    let strict = scene.mailbox("sales").crm(&format!("{STRICT}save_folder = \"CRM\"\n"));
    let mut daemon = Daemon::running(&scene.crm.url(), &[strict]);
    until_kept_out(&daemon);
    assert_eq!(scene.filed(), Vec::<String>::new());

    client.ok("SELECT INBOX");
    client.ok("COPY 1:5 CRM");
    client.ok("MOVE 6 CRM");
    scene.until_filed(&ALL_FILED);
    daemon.wait_until_settled(6, LIMIT);
    for subject in ALL_FILED {
        until_state(&daemon, subject, "saved", None);
        assert_eq!(evidence(&daemon, subject, "save"), ["saved by hand: lies in CRM"], "{subject}");
    }
    // Nobody outside takes part: there is no card for it, by hand or not.
    let lunch = until_state(&daemon, "Lunch", "skipped", Some("internal"));
    let place = |folder: &str| ("sales".to_owned(), folder.to_owned());
    assert_eq!(places(&lunch), [place("CRM"), place("INBOX")]);

    // Once more, and out again: nothing changes. What is filed already gets a further place.
    client.ok("COPY 2:5 CRM");
    client.ok("SELECT CRM");
    client.ok("MOVE 1:3 INBOX");
    wait_for("the further places", LIMIT, || {
        message(&daemon, "Robot")["places"].as_array().is_some_and(|places| places.len() >= 4)
    });
    started_again(&mut daemon);
    scene.until_filed(&ALL_FILED);
    reconciled(&daemon);
    let counts = scene.crm.call("sandbox.counts", &json!({}));
    assert_eq!((&counts["leads"], &counts["contacts"]), (&json!(5), &json!(0)), "{counts}");
}

#[test]
fn the_folder_saves_where_the_integration_is_off_and_its_absence_is_named() {
    let scene = Scene::with(&["sales"]);
    let mut client = client(&scene);
    scene.deliver("sales", "INBOX", &mail("Wanted"));
    scene.deliver("sales", "INBOX", &mail("Left"));
    let off = scene.mailbox("sales").crm("enabled = false\nsave_folder = \"Clients\"\n");
    let mut daemon = Daemon::running(&scene.crm.url(), &[off]);
    until_state(&daemon, "Wanted", "skipped", Some("crm-off"));
    until_mailbox(&daemon, "sales", "idle");
    assert_eq!(said(&daemon, "folder missing"), 1);
    let check = daemon.mailcrm(&["check"]);
    assert!(check.stdout.contains("crm.save_folder names Clients"), "{check:?}");

    // Copied before the daemon knows the folder.
    client.ok("CREATE Clients");
    client.ok("SELECT INBOX");
    client.ok("COPY 1 Clients");
    started_again(&mut daemon);
    scene.until_filed(&["Wanted"]);
    until_state(&daemon, "Left", "skipped", Some("crm-off"));
    started_again(&mut daemon);
    assert_eq!(scene.filed(), ["Wanted"]);

    // It is decided as by the daemon where people ask beforehand.
    let file = daemon.dir().join("left.eml");
    std::fs::write(&file, mail("Left").raw()).unwrap();
    let file = file.to_str().unwrap();
    let asked = |folder: &str| {
        let args = ["explain", "--file", file, "--mailbox", "sales", "--folder", folder];
        let answer = daemon.mailcrm_json(&args).json();
        (answer["state"].clone(), answer["reason"].clone())
    };
    assert_eq!(asked("INBOX"), (json!("skipped"), json!("crm-off")));
    assert_eq!(asked("Clients"), (json!("queued"), json!(null)));
    client.ok("COPY 2 Clients");
    until_state(&daemon, "Left", "saved", None);
    let redecided = daemon.mailcrm_json(&["redecide"]);
    assert_eq!(redecided.code, 0, "{redecided:?}");
    assert_eq!(scene.filed(), ["Left", "Wanted"]);
}

/// Gives messages the keyword, as another mail client does.
fn give(client: &mut ImapClient, set: &str, keyword: &str) {
    client.ok(&format!("UID STORE {set} +FLAGS ({keyword})"));
}

#[test]
fn what_is_given_the_keyword_is_filed_once_whatever_keeps_it_out() {
    let scene = Scene::with(&["sales"]);
    let mut client = client(&scene);
    deliver_kept_out(&scene);
    let strict = scene.mailbox("sales").crm(STRICT);
    let mut daemon = Daemon::running(&scene.crm.url(), &[strict]);
    until_kept_out(&daemon);
    assert_eq!(scene.filed(), Vec::<String>::new());

    // Without case, and told while the daemon waits in IDLE: five minutes would be too long.
    client.ok("SELECT INBOX");
    give(&mut client, "4", "$crm");
    scene.until_filed(&["Stranger"]);
    until_state(&daemon, "Stranger", "saved", None);
    let fact = "saved by hand: bears the keyword $CRM";
    assert_eq!(evidence(&daemon, "Stranger", "save"), [fact]);

    // What is filed is left alone, and what cannot be filed stays what it is.
    let saved = message(&daemon, "Stranger");
    client.ok("UID STORE 4 -FLAGS ($CRM)");
    give(&mut client, "4:5", "$CRM");
    wait_for("the internal mail to be decided again", LIMIT, || {
        evidence(&daemon, "Lunch", "save") == [fact]
    });
    until_state(&daemon, "Lunch", "skipped", Some("internal"));
    assert_eq!(message(&daemon, "Stranger"), saved);

    // Set while the daemon was down, also on what lies before the history.
    assert!(daemon.terminate().success());
    give(&mut client, "1:3,6", "$CRM");
    daemon.start();
    scene.until_filed(&ALL_FILED);
    daemon.wait_until_settled(6, LIMIT);
    for subject in ALL_FILED {
        until_state(&daemon, subject, "saved", None);
        assert_eq!(evidence(&daemon, subject, "save"), [fact], "{subject}");
    }
    assert_eq!(said(&daemon, "message skipped"), 6, "each once, and the internal one again");

    // Taken off, nothing is undone; and after another start nothing is done twice.
    client.ok("UID STORE 2:3 -FLAGS ($CRM)");
    let before = daemon.messages(&[]);
    started_again(&mut daemon);
    started_again(&mut daemon);
    scene.until_filed(&ALL_FILED);
    assert_eq!(daemon.messages(&[]), before);
    reconciled(&daemon);
    let redecided = daemon.mailcrm_json(&["redecide"]);
    assert_eq!(redecided.code, 0, "{redecided:?}");
    until_state(&daemon, "Lunch", "skipped", Some("internal"));
    let counts = scene.crm.call("sandbox.counts", &json!({}));
    assert_eq!((&counts["leads"], &counts["contacts"]), (&json!(5), &json!(0)), "{counts}");
    // Flags are read only.
    let flags = client.ok("UID FETCH 1:* (FLAGS)").join("\n");
    assert!(!flags.contains("Seen"), "{flags}");
}

#[test]
fn the_keyword_is_found_in_folders_that_are_not_waited_on_and_without_idle() {
    let idle = "imap_capability = IMAP4rev1 IDLE";
    let notify = "imap_capability = IMAP4rev1 IDLE NOTIFY";
    let poll = "imap_capability = IMAP4rev1";
    for capability in [idle, notify, poll] {
        let scene = Scene::with_conf(&["sales"], capability);
        let mut client = client(&scene);
        scene.deliver("sales", "INBOX", &mail("In the inbox"));
        scene.deliver("sales", "Sent", &sent("In Sent"));
        let mut off = scene.mailbox("sales").crm("enabled = false\n");
        off.imap = "idle_refresh_secs = 30\npoll_secs = 10\n".to_owned();
        let daemon = Daemon::running(&scene.crm.url(), &[off]);
        until_state(&daemon, "In the inbox", "skipped", Some("crm-off"));
        until_state(&daemon, "In Sent", "skipped", Some("crm-off"));
        let waits = if capability == poll { "polling" } else { "idle" };
        until_mailbox(&daemon, "sales", waits);
        client.ok("SELECT Sent");
        give(&mut client, "1", "$CRM");
        client.ok("SELECT INBOX");
        give(&mut client, "1", "$CRM");
        scene.until_filed(&["In Sent", "In the inbox"]);
        assert_eq!(scene.crm.cards(3).len(), 1, "{capability}: who is written to is a contact");
    }
}

#[test]
fn another_keyword_or_none_saves_nothing() {
    let scene = Scene::with(&["sales"]);
    let mut client = client(&scene);
    scene.deliver("sales", "INBOX", &mail("One"));
    let none = scene.mailbox("sales").crm("enabled = false\nsave_keyword = \"\"\n");
    let mut daemon = Daemon::running(&scene.crm.url(), &[none]);
    until_state(&daemon, "One", "skipped", Some("crm-off"));
    client.ok("SELECT INBOX");
    give(&mut client, "1", "$CRM");
    started_again(&mut daemon);
    assert_eq!(evidence(&daemon, "One", "save"), Vec::<String>::new());
    daemon.mailboxes[0].crm = "enabled = false\nsave_keyword = \"Clients\"\n".to_owned();
    daemon.write_config();
    daemon.signal("HUP");
    give(&mut client, "1", "clients");
    scene.until_filed(&["One"]);
}

/// What a server that can hold keywords says as a folder is opened.
const HOLDS: &[u8] = b"* OK [PERMANENTFLAGS (\\Seen \\*)] permitted\r\n";

/// Two mails in the inbox of a mailbox with the integration off, on a server that says this of the
/// flags of a message.
fn on_server(flags: &'static str, holds: &'static [u8]) -> (ImapServer, SandboxProcess, Daemon) {
    let (server, crm) = (ImapServer::start(), SandboxProcess::start());
    server.deliver("INBOX", &mail("One").raw());
    server.deliver("INBOX", &mail("Two").raw());
    server.trap(move |asked, mut honest| {
        if asked.is("SELECT") && !holds.is_empty() {
            honest.insert(0, holds.to_vec());
        } else if asked.is("UID SEARCH KEYWORD") {
            honest = vec![b"* SEARCH 1 2\r\n".to_vec(), asked.tagged("OK done")];
        } else if asked.command.ends_with("(UID FLAGS)") {
            let uid = asked.command.split(' ').nth(2).unwrap();
            let flags = if uid == "1" { flags } else { "\\Seen" };
            let fetched = format!("* {uid} FETCH (UID {uid} FLAGS ({flags}))\r\n");
            honest = vec![fetched.into_bytes(), asked.tagged("OK done")];
        }
        Play::Say(honest)
    });
    let off = server.mailbox("sales").crm("enabled = false\n");
    let daemon = Daemon::running(&crm.url(), &[off]);
    until_state(&daemon, "Two", "skipped", Some("crm-off"));
    (server, crm, daemon)
}

#[test]
fn a_server_that_finds_the_keyword_everywhere_is_not_believed() {
    let (server, crm, daemon) = on_server("\\Seen $crm", HOLDS);
    wait_for("the one that bears it", LIMIT, || crm.activities().len() == 1);
    until_state(&daemon, "One", "saved", None);
    let looks = || {
        let commands = server.commands();
        commands.iter().filter(|command| command.contains("KEYWORD")).count()
    };
    // Told of it again and again, it is asked again, though not each time.
    let before = looks();
    for more in 1..=2 {
        wait_for("the daemon to be idle", LIMIT, || {
            server.commands().last().is_some_and(|command| command == "IDLE")
        });
        for _ in 0..20 {
            server.push("* 2 FETCH (FLAGS ($CRM))");
        }
        wait_for("a further look", LIMIT, || looks() >= before + more);
    }
    assert!(looks() <= before + 4, "{}", looks());
    until_state(&daemon, "Two", "skipped", Some("crm-off"));
    assert_eq!((crm.activities().len(), server.connections()), (1, 1));
}

#[test]
fn where_a_folder_cannot_hold_the_keyword_nobody_looks_for_it() {
    for holds in [&b""[..], b"* OK [PERMANENTFLAGS (\\Seen \\Flagged)] permitted\r\n"] {
        let (server, crm, daemon) = on_server("$CRM", holds);
        server.deliver("INBOX", &mail("Three").raw());
        until_state(&daemon, "Three", "skipped", Some("crm-off"));
        let asked = server.commands();
        assert!(!asked.iter().any(|command| command.contains("KEYWORD")), "{asked:?}");
        assert_eq!(crm.activities().len(), 0);
    }
}
