//! What servers other than Dovecot do, seen with Courier 5.0 and Cyrus 3.6 or allowed by RFC 3501.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use crate::common::daemon::{Daemon, Mailbox};
use crate::common::imap_server::{Asked, ImapServer, Play};
use crate::common::mails::Mail;
use crate::common::sandbox::SandboxProcess;
use crate::common::{LIMIT, wait_for};
use serde_json::Value;

fn raw(number: u32) -> Vec<u8> {
    Mail::from(&format!("ana{number}@client{number}.example"))
        .id(&format!("mail-{number}@client.example"))
        .subject(&format!("Mail {number}"))
        .raw()
}

fn sent(number: u32) -> Vec<u8> {
    Mail::from("sales@example.com")
        .to(&format!("bo{number}@client.example"))
        .id(&format!("mail-{number}@client.example"))
        .subject(&format!("Mail {number}"))
        .raw()
}

/// Two mails in INBOX, read by a daemon.
struct Scene {
    server: ImapServer,
    crm: SandboxProcess,
}

impl Scene {
    fn new() -> Scene {
        let scene = Scene { server: ImapServer::start(), crm: SandboxProcess::start() };
        for number in 1..=2 {
            scene.server.deliver("INBOX", &raw(number));
        }
        scene
    }

    fn daemon(&self, mailbox: Mailbox) -> Daemon {
        Daemon::running(&self.crm.url(), &[mailbox])
    }

    #[track_caller]
    fn until_filed(&self, subjects: &[&str]) {
        wait_for(&format!("{subjects:?} to be filed"), LIMIT, || {
            let activities = self.crm.activities();
            let mut filed: Vec<&str> =
                activities.iter().filter_map(|activity| activity["SUBJECT"].as_str()).collect();
            filed.sort_unstable();
            filed == subjects
        });
    }

    fn asked(&self, beginning: &str) -> usize {
        let commands = self.server.commands();
        commands.iter().filter(|command| command.starts_with(beginning)).count()
    }
}

fn mailbox(daemon: &Daemon) -> Value {
    daemon.status()["mailboxes"][0].clone()
}

#[track_caller]
fn until(daemon: &Daemon, state: &str) {
    wait_for(&format!("the mailbox to be {state}"), LIMIT, || mailbox(daemon)["state"] == state);
}

/// Leaves lines out of the answers to a command.
fn without(
    commands: &'static [&'static str],
    word: &'static str,
) -> impl FnMut(&Asked<'_>, Vec<Vec<u8>>) -> Play + Send + 'static {
    move |asked, mut honest| {
        if commands.iter().any(|command| asked.is(command)) {
            honest.retain(|line| !String::from_utf8_lossy(line).contains(word));
        }
        Play::Say(honest)
    }
}

#[test]
fn a_server_that_names_no_uidnext_in_select_is_left_in_peace() {
    let scene = Scene::new();
    scene.server.deliver("Sent", &raw(3));
    // Courier: each SELECT is followed by a STATUS, whose answer is no news.
    scene.server.trap(without(&["SELECT"], "UIDNEXT"));
    let mailbox = Mailbox {
        imap: "tls = \"none\"\npoll_secs = 600\nidle_refresh_secs = 600\n".to_owned(),
        ..scene.server.mailbox("sales")
    };
    let daemon = scene.daemon(mailbox);
    scene.until_filed(&["Mail 1", "Mail 2", "Mail 3"]);
    until(&daemon, "idle");
    wait_for("an IDLE", LIMIT, || scene.asked("IDLE") == 1);
    assert!(scene.asked("SELECT") <= 4, "{:?}", scene.server.commands());
    scene.server.deliver("INBOX", &raw(4));
    scene.until_filed(&["Mail 1", "Mail 2", "Mail 3", "Mail 4"]);
    assert_eq!(scene.server.connections(), 1);
}

#[test]
fn a_server_that_does_not_find_its_last_message_has_history_all_the_same() {
    let scene = Scene::new();
    scene.server.deliver("Sent", &sent(3));
    // Courier always, and Cyrus where the newest was deleted.
    scene.server.trap(|asked, mut honest| {
        if asked.command == "UID SEARCH UID *" {
            honest[0] = b"* SEARCH\r\n".to_vec();
        }
        Play::Say(honest)
    });
    // What is as old as the first reading, in seconds, is new.
    let now = || jiff::Timestamp::now().as_second();
    let delivered = now();
    wait_for("another second", LIMIT, || now() > delivered);
    let mut mailbox = scene.server.mailbox("sales");
    mailbox.crm = "history_outgoing = false\n".to_owned();
    let daemon = scene.daemon(mailbox);
    scene.until_filed(&["Mail 1", "Mail 2"]);
    wait_for("the history to be passed over", LIMIT, || {
        daemon.counts().states.get("skipped") == Some(&1)
    });
    scene.server.deliver("Sent", &sent(4));
    scene.until_filed(&["Mail 1", "Mail 2", "Mail 4"]);
}

#[test]
fn a_server_that_takes_uids_in_search_for_sequence_numbers_loses_no_mail() {
    let scene = Scene::new();
    let next = Arc::new(Mutex::new((3_u32..=9).collect::<Vec<u32>>()));
    for number in 3..=9 {
        scene.server.deliver("INBOX", &raw(number));
    }
    for uid in 1..=2 {
        scene.server.remove("INBOX", uid);
    }
    // GNU Mailutils 3.15.
    let there = Arc::clone(&next);
    scene.server.trap(move |asked, honest| {
        let Some(set) = asked.command.strip_prefix("UID SEARCH UID ") else {
            return Play::Say(honest);
        };
        let there = there.lock().unwrap();
        let set = set.split(' ').next().unwrap();
        let (low, high) = set.split_once(':').unwrap_or((set, set));
        let (Ok(low), Ok(high)) = (low.parse(), high.parse()) else {
            return Play::Say(vec![asked.tagged("BAD UID SEARCH Bogus number set")]);
        };
        let by_number = there.iter().zip(1_u32..);
        let found: Vec<String> = by_number
            .filter(|(_, number)| (low..=high).contains(number))
            .map(|(uid, _)| uid.to_string())
            .collect();
        let found = format!("* SEARCH {}\r\n", found.join(" "));
        Play::Say(vec![found.into_bytes(), asked.tagged("OK done")])
    });
    let daemon = scene.daemon(scene.server.mailbox("sales"));
    let mut subjects: Vec<String> = (3..=9).map(|number| format!("Mail {number}")).collect();
    let filed = |subjects: &[String]| {
        scene.until_filed(&subjects.iter().map(String::as_str).collect::<Vec<&str>>());
    };
    filed(&subjects);
    for number in [10, 11] {
        next.lock().unwrap().push(number);
        scene.server.deliver("INBOX", &raw(number));
        subjects.push(format!("Mail {number}"));
        subjects.sort_unstable();
        filed(&subjects);
    }
    assert_eq!(daemon.mailcrm(&["reconcile"]).code, 0);
}

#[test]
fn looking_at_the_other_folders_does_not_open_them() {
    let scene = Scene::new();
    scene.server.deliver("Sent", &raw(3));
    let daemon = scene.daemon(scene.server.mailbox("sales"));
    scene.until_filed(&["Mail 1", "Mail 2", "Mail 3"]);
    until(&daemon, "idle");
    let opened = scene.asked("SELECT Sent") + scene.asked("SELECT \"Sent\"");
    wait_for("three looks", LIMIT, || scene.asked("STATUS \"Sent\"") >= 3);
    assert_eq!(scene.asked("SELECT \"Sent\""), opened, "{:?}", scene.server.commands());
    scene.server.deliver("Sent", &raw(4));
    scene.until_filed(&["Mail 1", "Mail 2", "Mail 3", "Mail 4"]);
}

#[test]
fn lines_that_nobody_asked_for_do_not_end_the_connection() {
    let scene = Scene::new();
    scene.server.trap(|_, mut honest| {
        let odd: [&[u8]; 8] = [
            b"* FLAGS (\\Seen f\xfcr)\r\n",
            b"* XLIST (\\HasNoChildren \\Inbox) \"/\" \"Inbox\"\r\n",
            b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n",
            b"* ESEARCH (TAG \"A1\") UID ALL 1:3\r\n",
            b"* ID ()\r\n",
            b"* METADATA \"INBOX\" (/comment {9}\r\n* 9 FETCH)\r\n",
            b"\r\n",
            b"* OK [COPYUID 7 1:2 3:4] copied\r\n",
        ];
        honest.splice(0..0, odd.map(<[u8]>::to_vec));
        Play::Say(honest)
    });
    let daemon = scene.daemon(scene.server.mailbox("sales"));
    scene.until_filed(&["Mail 1", "Mail 2"]);
    until(&daemon, "idle");
    scene.server.push("* VANISHED 1:4294967295,x");
    scene.server.push("* 12 UIDFETCH (UID 5)");
    scene.server.deliver("INBOX", &raw(3));
    scene.until_filed(&["Mail 1", "Mail 2", "Mail 3"]);
    assert_eq!(scene.server.connections(), 1, "{}", daemon.log());
}

/// A mail that is fetched in four pieces.
fn large() -> Vec<u8> {
    let lines = "Seventy octets of text that has no other meaning than to fill a line.\r\n";
    Mail::from("bo@client.example").subject("Large").body(lines.repeat(46_000)).raw()
}

fn text_of(crm: &SandboxProcess, subject: &str) -> usize {
    let activities = crm.activities();
    let found = activities.iter().find(|activity| activity["SUBJECT"] == subject);
    found.and_then(|activity| activity["DESCRIPTION"].as_str()).map_or(0, str::len)
}

#[test]
fn flag_changes_between_answers_neither_empty_nor_cut_a_message() {
    let scene = Scene::new();
    let octets = large();
    scene.server.deliver("INBOX", &octets);
    scene.server.trap(|asked, honest| {
        if !asked.is("UID FETCH") {
            return Play::Say(honest);
        }
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let flags = |uid: u32| format!("* {uid} FETCH (UID {uid} FLAGS (\\Seen))\r\n").into_bytes();
        lines.extend((1..=3).map(flags));
        let (tagged, answers) = honest.split_last().unwrap();
        for answer in answers {
            lines.push(answer.clone());
            lines.extend((1..=3).map(flags));
        }
        lines.push(tagged.clone());
        Play::Say(lines)
    });
    let daemon = scene.daemon(scene.server.mailbox("sales"));
    scene.until_filed(&["Large", "Mail 1", "Mail 2"]);
    let pieces = octets.len().div_ceil(1024 * 1024);
    assert_eq!(scene.asked("UID FETCH 3 (UID BODY.PEEK[]<"), pieces);
    daemon.wait_until_filed(3, LIMIT);
    assert!(text_of(&scene.crm, "Mail 1") > 10, "{:?}", scene.crm.activities());
    assert_eq!(daemon.messages(&["--state", "quarantined"]).len(), 0);
}

#[test]
fn short_pieces_are_put_together_and_a_wrong_size_ends_nothing_early() {
    let scene = Scene::new();
    let octets = large();
    let real = octets.len();
    scene.server.deliver("INBOX", &octets);
    scene.server.trap(move |asked, mut honest| {
        if let Some((_, part)) = asked.command.split_once("BODY.PEEK[]<") {
            // Never more than 300,000 octets at a time.
            let start: usize = part.split('.').next().unwrap().parse().unwrap();
            let end = real.min(start + 300_000);
            let piece = octets.get(start..end).unwrap_or_default();
            let mut line =
                format!("* 3 FETCH (UID 3 BODY[]<{start}> {{{}}}\r\n", piece.len()).into_bytes();
            line.extend(piece);
            line.extend(b")\r\n");
            honest[0] = line;
        } else if asked.is_for_headers() {
            // Exchange estimates.
            for line in &mut honest {
                let text = String::from_utf8_lossy(line).into_owned();
                let said = format!("RFC822.SIZE {real}");
                *line = text.replace(&said, &format!("RFC822.SIZE {}", real + 5_000)).into_bytes();
            }
        }
        Play::Say(honest)
    });
    let _daemon = scene.daemon(scene.server.mailbox("sales"));
    scene.until_filed(&["Large", "Mail 1", "Mail 2"]);
    let commands = scene.server.commands();
    let last = format!("UID FETCH 3 (UID BODY.PEEK[]<{real}.");
    assert!(commands.iter().any(|command| command.starts_with(&last)), "{commands:?}");
    assert_eq!(scene.server.connections(), 1);
}

#[test]
fn folders_below_another_and_with_backslashes_between_them_are_found_and_opened() {
    let scene = Scene::new();
    scene.server.deliver("INBOX.Archive.2024", &raw(3));
    // As the client must write it in a quoted string.
    scene.server.deliver(r"Clients\\Post", &raw(4));
    scene.server.trap(|asked, mut honest| {
        if asked.is("LIST") {
            let tagged = honest.pop().unwrap();
            honest = [
                r#"* LIST (\HasChildren) "." INBOX"#,
                r#"* LIST (\Noselect) "." INBOX.Archive"#,
                r#"* LIST () "." "INBOX.Archive.2024""#,
                r#"* LIST () "\\" "Clients\\Post""#,
            ]
            .map(|line| format!("{line}\r\n").into_bytes())
            .to_vec();
            honest.push(tagged);
        }
        Play::Say(honest)
    });
    let mailbox = scene
        .server
        .mailbox("sales")
        .folders(r#"sync = ["\\Inbox", "Archive.2024", "Clients\\Post"]"#);
    let _daemon = scene.daemon(mailbox);
    scene.until_filed(&["Mail 1", "Mail 2", "Mail 3", "Mail 4"]);
}
