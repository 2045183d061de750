//! What servers send that they should not: each message still has its fate, exactly once, the
//! cursor passes none, and nothing else stops.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::time::Duration;

use common::daemon::Daemon;
use common::imap_server::{Asked, ImapServer, Play, about};
use common::mails::{Mail, peak_rss_mib};
use common::sandbox::SandboxProcess;
use common::scene::said;
use common::{LIMIT, wait_for};
use serde_json::{Value, json};

/// A hostile server with mailbox `sales`, and a CRM of its own.
pub struct Scene {
    pub server: ImapServer,
    pub crm: SandboxProcess,
}

impl Scene {
    /// With mails 1 to `count` in INBOX, each from a sender of its own.
    pub fn with(count: u32) -> Scene {
        let scene = Scene { server: ImapServer::start(), crm: SandboxProcess::start() };
        for number in 1..=count {
            assert_eq!(scene.server.deliver("INBOX", &raw(number)), number);
        }
        scene
    }

    pub fn daemon(&self) -> Daemon {
        Daemon::running(&self.crm.url(), &[self.server.mailbox("sales")])
    }

    /// Numbers of the mails that have an activity, by their subjects; panics if one has two.
    pub fn filed(&self) -> Vec<u32> {
        let activities = self.crm.activities();
        let number = |activity: &Value| {
            let subject = activity["SUBJECT"].as_str().unwrap();
            subject.strip_prefix("Mail ").unwrap().parse().unwrap()
        };
        let mut numbers: Vec<u32> = activities.iter().map(number).collect();
        numbers.sort_unstable();
        let mut once = numbers.clone();
        once.dedup();
        assert_eq!(numbers, once, "filed twice");
        numbers
    }

    /// Waits until exactly these are filed.
    #[track_caller]
    pub fn until_filed(&self, numbers: impl IntoIterator<Item = u32>) {
        let numbers: Vec<u32> = numbers.into_iter().collect();
        wait_for(&format!("{numbers:?} to be filed"), LIMIT, || self.filed() == numbers);
    }
}

pub fn raw(number: u32) -> Vec<u8> {
    Mail::from(&format!("ana{number}@client{number}.example"))
        .id(&format!("mail-{number}@client.example"))
        .subject(&format!("Mail {number}"))
        .raw()
}

/// Replaces the line about `uid` in answers to these commands.
pub fn spoil(
    uid: u32,
    when: fn(&Asked<'_>) -> bool,
    by: impl Fn(Vec<u8>) -> Vec<u8> + Send + 'static,
) -> impl FnMut(&Asked<'_>, Vec<Vec<u8>>) -> Play + Send + 'static {
    move |asked, mut honest| {
        if when(asked) {
            for line in honest.iter_mut().filter(|line| about(line, uid)) {
                *line = by(std::mem::take(line));
            }
        }
        Play::Say(honest)
    }
}

/// Waits until the message at this UID is quarantined as unreadable, and returns it.
#[track_caller]
pub fn until_quarantined(daemon: &Daemon, uid: u32) -> Value {
    let mut found = Value::Null;
    wait_for(&format!("UID {uid} to be quarantined"), LIMIT, || {
        let messages = daemon.messages(&["--state", "quarantined"]);
        found = messages.first().cloned().unwrap_or_default();
        !found.is_null()
    });
    assert_eq!(found["places"][0]["uid"], uid, "{found}");
    assert_eq!(found["reason"], "unreadable", "{found}");
    found
}

#[test]
fn a_literal_of_half_a_gigabyte_costs_one_message_and_no_memory() {
    let scene = Scene::with(7);
    scene.server.trap(spoil(
        4,
        |asked| asked.is_for_bodies(),
        |_| {
            let mut line = b"* 4 FETCH (UID 4 BODY[] {500000000}\r\n".to_vec();
            line.extend(b"x".repeat(10_000));
            line
        },
    ));
    let daemon = scene.daemon();
    scene.until_filed([1, 2, 3, 5, 6, 7]);
    until_quarantined(&daemon, 4);
    let peak = peak_rss_mib(daemon.pid().unwrap());
    assert!(peak < 200, "{peak} MiB");
    assert!(scene.server.connections() <= 6, "{}", scene.server.connections());
    // What comes after it comes at once.
    scene.server.deliver("INBOX", &raw(8));
    scene.until_filed([1, 2, 3, 5, 6, 7, 8]);
}

#[test]
fn promise_09_headers_of_three_mib_each_are_not_held_together() {
    const MIB: u64 = 1024 * 1024;
    const COUNT: u32 = 40;
    let scene = Scene::with(0);
    let long = format!("X-Trace: {}\r\n", "x".repeat(900)).repeat(3 * MIB as usize / 911);
    for number in 1..=COUNT {
        let long = if number.is_multiple_of(2) { long.trim_end() } else { "X-Trace: short" };
        let mail = Mail::from(&format!("ana{number}@client{number}.example"))
            .header(long)
            .id(&format!("mail-{number}@client.example"))
            .subject(&format!("Mail {number}"));
        scene.server.deliver("INBOX", &mail.raw());
    }
    // It knows no pieces of headers.
    scene.server.trap(|asked, honest| {
        let whole = asked.command.replace(&format!("<0.{}>", 64 * 1024), "");
        if whole == asked.command { Play::Say(honest) } else { Play::SayTo(whole) }
    });
    let daemon = scene.daemon();
    scene.until_filed(1..=COUNT);
    let peak = peak_rss_mib(daemon.pid().unwrap());
    assert!(peak < 100, "{peak} MiB for {} MiB of headers", COUNT / 2 * 3);
    assert_eq!(scene.server.connections(), 1);
}

#[test]
fn a_server_that_refuses_pieces_of_headers_is_read_one_by_one() {
    let scene = Scene::with(6);
    scene.server.trap(|asked, honest| {
        if asked.command.contains("BODY.PEEK[HEADER]<") {
            return Play::Say(vec![asked.tagged("BAD no partial headers here")]);
        }
        Play::Say(honest)
    });
    let _daemon = scene.daemon();
    scene.until_filed(1..=6);
    assert_eq!(scene.server.connections(), 1);
}

#[test]
fn a_slow_line_is_no_silent_server() {
    let scene = Scene::with(1);
    scene.server.trap(|asked, honest| {
        if !asked.is_for_bodies() {
            return Play::Say(honest);
        }
        // Longer in all than the minute that a server may be silent.
        Play::Drip { lines: honest, pieces: 14, pause: Duration::from_secs(5) }
    });
    let _daemon = scene.daemon();
    scene.until_filed([1]);
    assert_eq!(scene.server.connections(), 1);
}

#[test]
fn ten_thousand_parentheses_end_neither_the_process_nor_the_mailbox() {
    let scene = Scene::with(3);
    scene.server.trap(spoil(
        2,
        |asked| asked.is_for_headers(),
        |_| {
            let deep = "(".repeat(10_000);
            format!("* 2 FETCH (UID 2 BODYSTRUCTURE {deep}\"a\"\r\n").into_bytes()
        },
    ));
    let mut daemon = scene.daemon();
    // The header cannot be had, the message itself can.
    scene.until_filed(1..=3);
    assert!(daemon.is_running());
    assert!(scene.server.connections() <= 6, "{}", scene.server.connections());
}

#[test]
fn promise_06_an_answer_that_cannot_be_read_quarantines_its_message_and_stops_nothing_else() {
    let scene = Scene::with(9);
    let good = ImapServer::start();
    good.deliver("INBOX", &raw(21));
    // Yandex: a section without a value.
    scene.server.trap(spoil(
        5,
        |asked| asked.is_for_bodies(),
        |_| b"* 5 FETCH (UID 5 BODY[2] )\r\n".to_vec(),
    ));
    let mailboxes = [scene.server.mailbox("sales"), good.mailbox("support")];
    let daemon = Daemon::running(&scene.crm.url(), &mailboxes);
    scene.until_filed([1, 2, 3, 4, 6, 7, 8, 9, 21]);
    let message = until_quarantined(&daemon, 5);
    assert_eq!(message["places"][0]["mailbox"], "sales", "{message}");
    assert!(scene.server.connections() <= 6, "{}", scene.server.connections());
    assert_eq!(good.connections(), 1);
    daemon.wait_for_line("message quarantined", LIMIT);
    let log = daemon.log();
    assert_eq!(log.matches("message quarantined").count(), 1, "{log}");
    // The codec's diagnosis holds mail, the log must not.
    assert!(!log.contains("BODY[2]"), "{log}");
}

#[test]
fn a_message_without_internal_date_is_filed_like_any_other() {
    let scene = Scene::with(3);
    scene.server.trap(|asked, mut honest| {
        if asked.is("UID FETCH") && asked.command.contains("INTERNALDATE") {
            for line in honest.iter_mut().filter(|line| about(line, 2)) {
                let text = String::from_utf8(line.clone()).unwrap();
                let (before, rest) = text.split_once("INTERNALDATE \"").unwrap();
                let (_, after) = rest.split_once('"').unwrap();
                *line = format!("{before}INTERNALDATE NIL{after}").into_bytes();
            }
        }
        Play::Say(honest)
    });
    let mut daemon = scene.daemon();
    scene.until_filed(1..=3);
    assert!(daemon.is_running());
    assert!(scene.server.connections() <= 8, "{}", scene.server.connections());
}

#[test]
fn a_server_that_refuses_ranges_is_read_one_by_one() {
    let scene = Scene::with(6);
    scene.server.trap(|asked, honest| {
        let set = asked.command.split(' ').nth(2).unwrap_or_default();
        if asked.is("UID FETCH") && (set.contains(':') || set.contains(',')) {
            return Play::Say(vec![asked.tagged("NO [CANNOT] some messages cannot be read")]);
        }
        Play::Say(honest)
    });
    let _daemon = scene.daemon();
    scene.until_filed(1..=6);
}

#[test]
fn a_message_that_the_server_always_refuses_is_quarantined_without_reconnecting_for_ever() {
    let scene = Scene::with(4);
    scene.server.trap(|asked, mut honest| {
        let before = honest.len();
        if asked.is_for_bodies() {
            honest.retain(|line| !about(line, 3));
        }
        if honest.len() < before {
            honest.pop();
            honest.push(asked.tagged("NO [SERVERERROR] message 3 is damaged"));
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    scene.until_filed([1, 2, 4]);
    until_quarantined(&daemon, 3);
    assert!(scene.server.connections() <= 6, "{}", scene.server.connections());
}

#[test]
fn a_message_that_is_listed_but_never_handed_out_is_quarantined_and_not_passed_over() {
    let scene = Scene::with(4);
    scene.server.trap(|asked, mut honest| {
        if asked.is("UID FETCH") {
            honest.retain(|line| !about(line, 2));
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    scene.until_filed([1, 3, 4]);
    until_quarantined(&daemon, 2);
}

#[test]
fn a_message_that_leaves_between_its_header_and_its_body_is_gone_and_said_so() {
    let scene = Scene::with(3);
    let mut left = false;
    scene.server.trap(move |asked, mut honest| {
        left |= asked.is_for_bodies();
        if asked.is_for_bodies() {
            honest.retain(|line| !about(line, 2));
        }
        if left && asked.is("UID SEARCH") {
            honest[0] = b"* SEARCH 1 3\r\n".to_vec();
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    scene.until_filed([1, 3]);
    wait_for("the message to be gone", LIMIT, || {
        let gone = daemon.messages(&["--reason", "gone"]);
        gone.len() == 1 && gone[0]["state"] == "skipped" && gone[0]["places"][0]["uid"] == 2
    });
}

#[test]
fn promise_01_a_search_that_is_refused_moves_no_cursor() {
    let scene = Scene::with(5);
    let mut refusals = 3;
    scene.server.trap(move |asked, honest| {
        if asked.is("UID SEARCH") && refusals > 0 {
            refusals -= 1;
            return Play::Say(vec![asked.tagged("NO [SERVERBUG] index is being rebuilt")]);
        }
        Play::Say(honest)
    });
    let _daemon = scene.daemon();
    scene.until_filed(1..=5);
}

#[test]
fn promise_01_the_end_of_a_connection_in_the_middle_of_an_answer_moves_no_cursor() {
    let scene = Scene::with(6);
    // Each kind of answer is cut once: after its first line, in the middle of a literal, and
    // before the tagged line.
    let mut cuts: Vec<(&str, usize)> = vec![
        ("UID SEARCH", 0),
        ("UID FETCH", 1),
        ("UID FETCH", 2),
        ("SELECT", 1),
        ("LIST", 0),
        ("UID FETCH", 6),
    ];
    scene.server.trap(move |asked, mut honest| {
        if let Some((command, lines)) = cuts.last().copied()
            && asked.is(command)
        {
            cuts.pop();
            let mut rest = honest.split_off(lines.min(honest.len()));
            if let Some(next) = rest.first_mut() {
                next.truncate(next.len() / 2);
                honest.push(std::mem::take(next));
            }
            return Play::SayAndHangUp(honest);
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    let mut lost = 0;
    wait_for("all to be filed", LIMIT, || {
        let now_lost = said(&daemon, "mailbox lost");
        if now_lost > lost {
            lost = now_lost;
            // A reload tries at once; else the pauses double.
            daemon.signal("HUP");
        }
        scene.filed() == (1..=6).collect::<Vec<u32>>()
    });
    assert!(lost >= 6, "{lost}");
}

#[test]
fn a_folder_whose_uidnext_nobody_tells_is_read_to_its_end_and_on() {
    for with_status in [true, false] {
        let scene = Scene::with(3);
        scene.server.trap(move |asked, mut honest| {
            if asked.is("SELECT") || (asked.is("STATUS") && !with_status) {
                for line in &mut honest {
                    let text = String::from_utf8(line.clone()).unwrap();
                    if text.contains("[UIDNEXT") {
                        line.clear();
                    } else if let Some((before, _)) = text.split_once(" UIDNEXT") {
                        *line = format!("{before} UIDVALIDITY 7)\r\n").into_bytes();
                    }
                }
            }
            Play::Say(honest)
        });
        let _daemon = scene.daemon();
        scene.until_filed(1..=3);
        for number in 4..=5 {
            scene.server.deliver("INBOX", &raw(number));
            scene.until_filed(1..=number);
        }
    }
}

#[test]
fn a_server_that_greets_with_preauth_is_blocked_and_gets_no_password() {
    let scene = Scene::with(1);
    scene.server.greeting("* PREAUTH welcome back");
    let daemon = scene.daemon();
    wait_for("the mailbox to be blocked", LIMIT, || mailbox(&daemon)["state"] == "blocked");
    let error = mailbox(&daemon)["last_error"].to_string();
    assert!(error.contains("PREAUTH"), "{error}");
    assert_eq!((scene.server.logins(), scene.server.connections()), (0, 1));
    assert_eq!(daemon.log().matches("mailbox blocked").count(), 1);
}

#[test]
fn a_server_that_says_bye_is_waited_for_and_served_again() {
    let scene = Scene::with(2);
    scene.server.greeting("* BYE too many connections");
    let daemon = scene.daemon();
    wait_for("the mailbox to wait", LIMIT, || mailbox(&daemon)["state"] == "waiting");
    assert_eq!(scene.server.logins(), 0);
    let mut byes = 1;
    scene.server.trap(move |asked, honest| {
        if asked.is("IDLE") && byes > 0 {
            byes -= 1;
            return Play::SayAndHangUp(vec![b"* BYE Autologout\r\n".to_vec()]);
        }
        Play::Say(honest)
    });
    scene.server.greeting("* OK ready");
    scene.until_filed(1..=2);
    wait_for("a second connection after the BYE", LIMIT, || {
        mailbox(&daemon)["state"] == "idle" && scene.server.logins() == 2
    });
    scene.server.deliver("INBOX", &raw(3));
    scene.until_filed(1..=3);
}

#[test]
fn mail_that_is_announced_before_idle_is_granted_is_read_at_once() {
    let scene = Scene::with(2);
    let mut idle = false;
    // Mail 2 arrives as the IDLE is asked for: EXISTS comes before the `+` and is not said again.
    scene.server.trap(move |asked, mut honest| {
        if asked.is("IDLE") && !idle {
            idle = true;
            honest.insert(0, b"* 2 EXISTS\r\n".to_vec());
        } else if !idle {
            for line in &mut honest {
                let text = String::from_utf8_lossy(line).into_owned();
                if text.starts_with("* 2 EXISTS") {
                    *line = b"* 1 EXISTS\r\n".to_vec();
                } else if text.contains("[UIDNEXT 3]") {
                    *line = b"* OK [UIDNEXT 2] next\r\n".to_vec();
                } else if text.starts_with("* SEARCH 1 2") {
                    *line = b"* SEARCH 1\r\n".to_vec();
                }
            }
        }
        Play::Say(honest)
    });
    let _daemon = scene.daemon();
    // An IDLE lasts five minutes.
    scene.until_filed(1..=2);
    assert_eq!(scene.server.connections(), 1);
}

#[test]
fn after_a_notification_overflow_other_folders_are_polled() {
    let scene = Scene::with(1);
    scene.server.capabilities("IMAP4rev1 IDLE NOTIFY");
    scene.server.deliver("Sent", &sent(50));
    let daemon = scene.daemon();
    scene.until_filed([1, 50]);
    wait_for("the daemon to be idle", LIMIT, || mailbox(&daemon)["state"] == "idle");
    assert!(scene.server.commands().iter().any(|command| command.starts_with("NOTIFY SET")));
    scene.server.push("* OK [NOTIFICATIONOVERFLOW] too many events");
    scene.server.deliver("Sent", &sent(51));
    scene.until_filed([1, 50, 51]);
    // And again, when nothing else happens.
    scene.server.deliver("Sent", &sent(52));
    scene.until_filed([1, 50, 51, 52]);
}

pub fn sent(number: u32) -> Vec<u8> {
    Mail::from("sales@example.com")
        .to(&format!("bo{number}@client.example"))
        .id(&format!("mail-{number}@client.example"))
        .subject(&format!("Mail {number}"))
        .raw()
}

#[test]
fn answers_that_nobody_asked_for_and_answers_out_of_turn_change_nothing() {
    let scene = Scene::with(5);
    scene.server.trap(|asked, mut honest| {
        if asked.is("UID FETCH") {
            let tagged = honest.pop().unwrap();
            honest.reverse();
            // Twice the same, a flag change, a message that was not asked for, a count.
            honest.extend(honest.first().cloned());
            honest.push(b"* 1 FETCH (FLAGS (\\Seen))\r\n".to_vec());
            honest.push(b"* 99 FETCH (UID 99 BODY[] {5}\r\nhello)\r\n".to_vec());
            honest.push(b"* 5 EXISTS\r\n".to_vec());
            honest.push(b"* 0 RECENT\r\n".to_vec());
            honest.push(tagged);
        }
        Play::Say(honest)
    });
    let daemon = scene.daemon();
    scene.until_filed(1..=5);
    wait_for("the daemon to be idle", LIMIT, || mailbox(&daemon)["state"] == "idle");
    assert_eq!(daemon.messages(&[]).len(), 5);
    assert_eq!(scene.server.connections(), 1);
}

#[test]
fn a_server_that_lists_the_last_message_again_and_again_is_not_read_again() {
    // `5:*` names message 4 (RFC 3501 section 6.4.8), and EXISTS comes without new mail.
    let scene = Scene::with(4);
    let daemon = scene.daemon();
    scene.until_filed(1..=4);
    for _ in 0..3 {
        scene.server.push("* 4 EXISTS");
    }
    scene.server.deliver("INBOX", &raw(5));
    scene.until_filed(1..=5);
    assert_eq!(daemon.messages(&[]).len(), 5);
    let bodies = scene.server.commands();
    let bodies = bodies.iter().filter(|command| command.contains("BODY.PEEK[]")).count();
    assert!(bodies <= 2, "bodies were read {bodies} times");
}

pub fn mailbox(daemon: &Daemon) -> Value {
    let status = daemon.status();
    let mailboxes = status["mailboxes"].as_array().cloned().unwrap_or_default();
    mailboxes.into_iter().find(|mailbox| mailbox["name"] == "sales").unwrap_or(json!({}))
}
