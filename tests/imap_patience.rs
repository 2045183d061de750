//! What a server does that passes by itself, and what concerns one message or folder: nothing is
//! given up too early, nothing passed over, and nothing else waits for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::time::{Duration, Instant};

use common::daemon::Daemon;
use common::imap_server::{Asked, ImapServer, Play, about};
use common::mails::peak_rss_mib;
use common::{LIMIT, wait_for};

use crate::imap_traps::{Scene, mailbox, raw, sent, until_quarantined};

fn seconds_from_now(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[track_caller]
fn until_idle(daemon: &Daemon) {
    wait_for("the daemon to be idle", LIMIT, || mailbox(daemon)["state"] == "idle");
}

#[test]
fn promise_09_an_answer_without_a_certain_end_reaches_no_parser() {
    for hidden in
        ["BODYSTRUCTURE ".to_owned() + &"(".repeat(100_000), "BODY[] {500000000}\r\n".into()]
    {
        let scene = Scene::with(2);
        let mut played = 0;
        scene.server.trap(move |asked, mut honest| {
            if asked.is_for_bodies() && played < 2 {
                played += 1;
                // The codec ends the first line at its end; a literal would go on.
                let lie = format!("* OK {{4000000}}\r\n* 1 FETCH (X a{{4000000}}\r\n{hidden}");
                honest.insert(0, lie.into_bytes());
                return Play::SayAndHangUp(honest);
            }
            Play::Say(honest)
        });
        let mut daemon = scene.daemon();
        scene.until_filed(1..=2);
        assert!(daemon.is_running());
        let peak = peak_rss_mib(daemon.pid().unwrap());
        assert!(peak < 100, "{peak} MiB");
    }
}

#[test]
fn promise_01_mail_that_is_announced_before_it_is_listed_is_not_passed_over() {
    let scene = Scene::with(1);
    let daemon = scene.daemon();
    scene.until_filed([1]);
    until_idle(&daemon);
    let listed = seconds_from_now(4);
    scene.server.trap(move |asked, mut honest| {
        if asked.is("UID SEARCH") && Instant::now() < listed {
            honest[0] = b"* SEARCH 1\r\n".to_vec();
        }
        Play::Say(honest)
    });
    scene.server.deliver("INBOX", &raw(2));
    scene.until_filed(1..=2);
    assert_eq!(daemon.mailcrm(&["reconcile"]).code, 0);
}

#[test]
fn promise_01_a_server_that_lists_nothing_at_first_loses_no_history() {
    let scene = Scene::with(3);
    let listed = seconds_from_now(4);
    scene.server.trap(move |asked, mut honest| {
        if asked.is("UID SEARCH") && Instant::now() < listed {
            honest[0] = b"* SEARCH\r\n".to_vec();
        }
        Play::Say(honest)
    });
    let mut mailbox = scene.server.mailbox("sales");
    // A server without IDLE, so that it is asked again soon.
    scene.server.capabilities("IMAP4rev1");
    mailbox.head = String::new();
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    scene.until_filed(1..=3);
    assert_eq!(daemon.mailcrm(&["reconcile"]).code, 0);
}

#[test]
fn a_date_that_is_not_answered_leaves_its_message_in_the_history() {
    let scene = Scene::with(3);
    scene.server.trap(|asked, mut honest| {
        let dates = asked.is("UID FETCH") && asked.command.ends_with("(UID INTERNALDATE)");
        if dates {
            honest.retain(|line| !about(line, 1));
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    scene.until_filed(1..=3);
    assert_eq!(daemon.mailcrm(&["reconcile"]).code, 0);
}

#[test]
fn a_new_mail_that_cannot_be_fetched_for_some_seconds_is_filed_after_them() {
    for words in ["", "NO Server Unavailable. 15", "NO [SERVERBUG] Internal error occurred"] {
        let scene = Scene::with(1);
        let daemon = scene.daemon();
        scene.until_filed([1]);
        until_idle(&daemon);
        let good = seconds_from_now(4);
        scene.server.trap(move |asked, mut honest| {
            if asked.is("UID FETCH") && Instant::now() < good {
                if words.is_empty() {
                    honest.retain(|line| !about(line, 2));
                } else {
                    honest = vec![asked.tagged(words)];
                }
            }
            Play::Say(honest)
        });
        scene.server.deliver("INBOX", &raw(2));
        scene.until_filed(1..=2);
        assert!(daemon.messages(&["--state", "quarantined"]).is_empty(), "{words}");
        assert_eq!(scene.server.connections(), 1, "{words}");
    }
}

#[test]
fn promise_10_a_server_that_refuses_every_message_is_not_asked_for_all_of_them_and_loses_none() {
    let scene = Scene::with(60);
    let good = seconds_from_now(4);
    let refused = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = std::sync::Arc::clone(&refused);
    scene.server.trap(move |asked, honest| {
        if asked.is("UID FETCH") && asked.command.contains("BODY") && Instant::now() < good {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            return Play::Say(vec![asked.tagged("NO [SERVERBUG] Internal error occurred")]);
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    wait_for("the server to be well", LIMIT, || Instant::now() > good);
    let refused = refused.load(std::sync::atomic::Ordering::SeqCst);
    assert!(refused < 60, "{refused} times asked while it refused");
    scene.until_filed(1..=60);
    assert!(daemon.messages(&["--state", "quarantined"]).is_empty());
    assert_eq!(scene.server.connections(), 1);
}

#[test]
fn promise_01_our_mail_that_is_announced_before_it_is_listed_is_not_passed_over() {
    let scene = Scene::with(1);
    scene.server.deliver("Sent", &sent(10));
    let daemon = scene.daemon();
    scene.until_filed([1, 10]);
    until_idle(&daemon);
    let listed = seconds_from_now(4);
    scene.server.trap(move |asked, mut honest| {
        if asked.is("UID SEARCH") && Instant::now() < listed {
            honest.retain(|line| !line.ends_with(b" 2\r\n"));
        }
        Play::Say(honest)
    });
    scene.server.deliver("Sent", &sent(11));
    scene.until_filed([1, 10, 11]);
}

#[test]
fn a_server_whose_uidnext_goes_back_when_mail_is_deleted_is_read_on() {
    let scene = Scene::with(9);
    scene.server.capabilities("IMAP4rev1");
    let daemon = scene.daemon();
    scene.until_filed(1..=9);
    let highest = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(9));
    let said = std::sync::Arc::clone(&highest);
    scene.server.trap(move |asked, mut honest| {
        let next = said.load(std::sync::atomic::Ordering::SeqCst) + 1;
        for line in &mut honest {
            let text = String::from_utf8_lossy(line).into_owned();
            let selected = asked.is("SELECT") && text.contains("[UIDNEXT 10]");
            if selected {
                *line = text.replace("UIDNEXT 10", &format!("UIDNEXT {next}")).into_bytes();
            }
        }
        Play::Say(honest)
    });
    let selects = || scene.server.commands().iter().filter(|one| one.starts_with("SELECT")).count();
    // More often than a folder may be renumbered in a day.
    for uid in (3..=9).rev() {
        let before = selects();
        scene.server.remove("INBOX", uid);
        highest.store(uid - 1, std::sync::atomic::Ordering::SeqCst);
        wait_for("a look at the folder", LIMIT, || selects() > before + 1);
    }
    assert_eq!(daemon.lines_with("folder renumbered"), 0, "{}", daemon.log());
    scene.server.honest();
    scene.server.deliver("INBOX", &raw(10));
    scene.until_filed(1..=10);
}

#[test]
fn promise_06_a_message_that_the_server_has_lost_holds_up_no_other() {
    let scene = Scene::with(5);
    scene.server.trap(|asked, honest| {
        if asked.is("UID FETCH") && asked.command.contains("BODY.PEEK") && names(asked, 3) {
            return Play::Say(vec![asked.tagged("NO [SERVERBUG] Internal error occurred")]);
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    scene.until_filed([1, 2, 4, 5]);
    // New mail too, while it is tried again.
    scene.server.deliver("INBOX", &raw(6));
    scene.until_filed([1, 2, 4, 5, 6]);
    until_quarantined(&daemon, 3);
    assert_eq!(scene.server.connections(), 1);
    assert_eq!(daemon.mailcrm(&["reconcile"]).code, 0);
}

/// Whether a command's set of UIDs holds this one.
fn names(asked: &Asked<'_>, uid: u32) -> bool {
    let set = asked.command.split(' ').nth(2).unwrap_or_default();
    set.split(',').any(|part| {
        let (low, high) = part.split_once(':').unwrap_or((part, part));
        (low.parse().unwrap_or(0)..=high.parse().unwrap_or(u32::MAX)).contains(&uid)
    })
}

#[test]
fn promise_06_a_message_that_ends_the_connection_holds_up_no_other() {
    let scene = Scene::with(5);
    scene.server.trap(|asked, honest| {
        if asked.is_for_bodies() && names(asked, 2) {
            return Play::SayAndHangUp(Vec::new());
        }
        Play::Say(honest)
    });
    let _daemon = scene.daemon();
    scene.until_filed([1, 3, 4, 5]);
}

#[test]
fn promise_06_a_folder_that_cannot_be_opened_holds_up_no_other() {
    for words in ["NO [SERVERBUG] Internal error", "NO [INUSE] locked", "NO no such thing"] {
        let scene = Scene::with(1);
        scene.server.deliver("Sent", &sent(50));
        scene.server.deliver("Archive", &raw(7));
        scene.server.trap(move |asked, honest| {
            if asked.is("SELECT \"Sent\"") {
                return Play::Say(vec![asked.tagged(words)]);
            }
            Play::Say(honest)
        });
        let mut mailbox = scene.server.mailbox("sales");
        mailbox.folders = "sync = [\"INBOX\", \"Sent\", \"Archive\"]\n".to_owned();
        let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
        scene.until_filed([1, 7]);
        scene.server.deliver("INBOX", &raw(2));
        scene.until_filed([1, 2, 7]);
        assert_eq!(scene.server.connections(), 1, "{words}: {}", daemon.log());
    }
}

#[test]
fn a_notify_that_is_refused_for_now_ends_no_session() {
    let scene = Scene::with(1);
    scene.server.capabilities("IMAP4rev1 IDLE NOTIFY ID");
    scene.server.deliver("Sent", &sent(50));
    scene.server.trap(|asked, honest| {
        if asked.is("NOTIFY") || asked.is("ID ") {
            return Play::Say(vec![asked.tagged("NO [LIMIT] too many events")]);
        }
        Play::Say(honest)
    });
    let _daemon = scene.daemon();
    scene.until_filed([1, 50]);
    assert_eq!(scene.server.connections(), 1);
}

#[test]
fn a_server_that_tells_no_uidnext_and_takes_no_status_of_the_open_folder_is_read() {
    let scene = Scene::with(2);
    scene.server.trap(|asked, mut honest| {
        if asked.is("SELECT") {
            honest.retain(|line| !String::from_utf8_lossy(line).contains("UIDNEXT"));
        }
        if asked.is("STATUS") {
            return Play::Say(vec![asked.tagged("BAD the folder is open")]);
        }
        Play::Say(honest)
    });
    let _daemon = scene.daemon();
    scene.until_filed(1..=2);
    scene.server.deliver("INBOX", &raw(3));
    scene.until_filed(1..=3);
    assert_eq!(scene.server.connections(), 1);
}

#[test]
fn a_list_with_an_attribute_that_the_codec_cannot_read_costs_the_list_and_not_the_mailbox() {
    let scene = Scene::with(1);
    scene.server.trap(|asked, mut honest| {
        if asked.is("LIST") {
            honest.insert(0, b"* LIST (\\AllMail) \"/\" \"Everything\"\r\n".to_vec());
        }
        Play::Say(honest)
    });
    let _daemon = scene.daemon();
    scene.until_filed([1]);
}

#[test]
fn a_server_that_announces_mail_with_every_answer_is_not_hammered() {
    let scene = Scene::with(1);
    scene.server.trap(|asked, mut honest| {
        if asked.is("UID SEARCH") {
            honest.insert(0, b"* 1 EXISTS\r\n".to_vec());
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    scene.until_filed([1]);
    let before = scene.server.commands().len();
    let looked = Instant::now();
    wait_for("ten seconds of announcements", LIMIT, || looked.elapsed().as_secs() >= 10);
    let asked = scene.server.commands().len() - before;
    assert!(asked < 60, "{asked} commands in ten seconds");
    // And it is read all the same.
    scene.server.deliver("INBOX", &raw(2));
    scene.until_filed(1..=2);
    drop(daemon);
}

#[test]
fn messages_that_nobody_asked_for_take_no_room_of_those_that_were() {
    let scene = Scene::with(3);
    scene.server.trap(|asked, mut honest| {
        if asked.is("UID FETCH") {
            let name = if asked.is_for_bodies() { "BODY[]" } else { "BODY[HEADER]" };
            let large = "x".repeat(1_000_000);
            for number in 90..120 {
                let line = format!(
                    "* {number} FETCH (UID {number} {name} {{{}}}\r\n{large})\r\n",
                    large.len()
                );
                honest.insert(0, line.into_bytes());
            }
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    scene.until_filed(1..=3);
    let peak = peak_rss_mib(daemon.pid().unwrap());
    assert!(peak < 100, "{peak} MiB");
    assert_eq!(daemon.messages(&[]).len(), 3);
}

#[test]
fn a_large_mail_whose_size_the_server_overstates_is_filed_whole() {
    let scene = Scene::with(0);
    let large = common::mails::Mail::from("ana@client1.example")
        .id("mail-1@client.example")
        .subject("Mail 1")
        .body("A line of text, and another one.\r\n".repeat(60_000));
    scene.server.deliver("INBOX", &large.raw());
    let length = large.raw().len();
    scene.server.trap(move |asked, mut honest| {
        if asked.is_for_headers() {
            let said = format!("RFC822.SIZE {length}");
            let more = format!("RFC822.SIZE {}", length + 5_000_000);
            for line in &mut honest {
                *line = String::from_utf8_lossy(line).replace(&said, &more).into_bytes();
            }
        } else if asked.is_for_bodies() {
            // Behind the end there is nothing, not even an empty piece.
            honest.retain(|line| !String::from_utf8_lossy(line).contains(" {0}\r\n"));
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    scene.until_filed([1]);
    assert!(daemon.messages(&["--state", "quarantined"]).is_empty());
}

#[test]
fn a_refused_login_repeats_no_secret_and_is_told_from_a_servers_trouble() {
    for password in ["longsecret", r#"long"secret\here"#] {
        let scene = Scene::with(1);
        scene.server.trap(|asked, honest| {
            if asked.is("LOGIN") {
                let words = format!("BAD Unknown command: {}", asked.command);
                return Play::Say(vec![asked.tagged(&words)]);
            }
            Play::Say(honest)
        });
        let mut sales = scene.server.mailbox("sales");
        sales.password = password.to_owned();
        let daemon = Daemon::running(&scene.crm.url(), &[sales]);
        wait_for("the mailbox to be blocked", LIMIT, || mailbox(&daemon)["state"] == "blocked");
        let status = daemon.status().to_string();
        assert!(status.contains("***"), "{status}");
        assert!(!status.contains("long") && !daemon.log().contains("long"), "{status}");
    }

    let busy = Scene::with(1);
    let up = seconds_from_now(3);
    busy.server.trap(move |asked, honest| {
        if asked.is("LOGIN") && Instant::now() < up {
            return Play::Say(vec![asked.tagged("NO Server Unavailable. 15")]);
        }
        Play::Say(honest)
    });
    let _daemon = busy.daemon();
    busy.until_filed([1]);
}

#[test]
fn what_one_mailboxs_rules_skip_is_decided_by_the_next_that_has_it() {
    let scene = Scene::with(1);
    let second = ImapServer::start();
    second.deliver("INBOX", &raw(1));
    let mut first = scene.server.mailbox("sales");
    first.crm = "on_incoming = \"none\"\n".to_owned();
    let mut daemon = Daemon::new(&scene.crm.url(), &[first, second.mailbox("support")]);
    daemon.start();
    wait_for("the mail to be filed for support", LIMIT, || {
        daemon.counts().states.get("saved") == Some(&1)
    });
    assert_eq!(daemon.messages(&[]).len(), 1);
    assert_eq!(scene.crm.cards(1).len(), 1);
}
