//! The private Dovecot does what the other tests rely on, and leaves nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::common;

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use common::imap_client::ImapClient;
use common::{LIMIT, block_on, cutter::Cutter, dovecot, wait_for};
use mailcrm::demo::dovecot::{Dovecot, Error, Options};
use tempfile::TempDir;

const MAIL: &[u8] = b"From: ana@client.example\nTo: sales@example.com\nSubject: Hello\n\nHi\n";

/// The command lines of all processes that name one of these folders.
fn processes_naming(words: &[String]) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| words.iter().any(|word| line.contains(word)))
        .collect()
}

/// The folder in /tmp, from the command line of the guard.
fn short_folder(dovecot: &Dovecot) -> String {
    let guard = processes_naming(&[dovecot.ca_file().parent().unwrap().display().to_string()]);
    let line = guard.iter().find(|line| line.contains("mailcrm-demo-guard")).unwrap();
    line.split_whitespace().last().unwrap().to_owned()
}

#[test]
fn mail_is_there_under_its_uids_in_the_order_of_delivery_and_nothing_is_left_after_the_stop() {
    let dir = TempDir::new().unwrap();
    let server = dovecot(dir.path(), &["sales", "support"]);
    let mut client = ImapClient::login(server.imaps_port(), &server.ca_file(), "sales");

    let folders = client.ok("LIST (SPECIAL-USE) \"\" \"*\" RETURN (SPECIAL-USE)").join("\n");
    for folder in ["\\Sent", "\\Drafts", "\\Trash", "\\Junk"] {
        assert!(folders.contains(folder), "{folder} in {folders}");
    }
    let received = SystemTime::UNIX_EPOCH + Duration::from_secs(1_714_644_000);
    server.deliver_at("sales", "INBOX", MAIL, received).unwrap();
    server.deliver("sales", "INBOX", b"Subject: second\n\n").unwrap();
    server.deliver("sales", "Archive/Señales", MAIL).unwrap();
    client.ok("SELECT INBOX");
    let mails = client.ok("UID FETCH 1:* (INTERNALDATE BODY.PEEK[])");
    assert!(mails[0].contains("UID 1 ") && mails[0].contains("02-May-2024"), "{mails:?}");
    assert!(mails[0].contains("Subject: Hello\r\n\r\nHi\r\n"), "{mails:?}");
    assert!(mails[1].contains("UID 2 ") && mails[1].contains("second"), "{mails:?}");
    let folders = client.ok("LIST \"\" Archive/*").join("\n");
    assert!(folders.contains("Archive/Se&APE-ales"), "{folders}");

    let words = [short_folder(&server), dir.path().display().to_string()];
    assert!(!processes_naming(&words).is_empty());
    assert!(Path::new(&words[0]).exists());
    block_on(server.stop()).unwrap();
    assert_eq!(processes_naming(&words), Vec::<String>::new());
    assert!(!Path::new(&words[0]).exists());
    assert!(client.run("NOOP").is_err());
}

#[test]
fn idle_hears_of_a_delivery_at_once() {
    let dir = TempDir::new().unwrap();
    let server = dovecot(dir.path(), &["sales"]);
    let mut client = ImapClient::login(server.imaps_port(), &server.ca_file(), "sales");
    client.ok("SELECT INBOX");
    client.send("IDLE").unwrap();
    client.until("+").unwrap();
    let start = Instant::now();
    server.deliver("sales", "INBOX", MAIL).unwrap();
    client.until("* 1 EXISTS").unwrap();
    // Dovecot waits half a second for more; without inotify it would look every 30 seconds.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn notify_hears_of_a_delivery_into_another_folder() {
    let dir = TempDir::new().unwrap();
    let server = dovecot(dir.path(), &["sales"]);
    let mut client = ImapClient::login(server.imaps_port(), &server.ca_file(), "sales");
    client.ok("SELECT INBOX");
    client.ok(
        "NOTIFY SET (selected (MessageNew MessageExpunge)) (personal (MessageNew MessageExpunge))",
    );
    client.send("IDLE").unwrap();
    client.until("+").unwrap();
    for number in 1..=2 {
        let start = Instant::now();
        server.deliver("sales", "Sent", MAIL).unwrap();
        client.until(&format!("* STATUS Sent (MESSAGES {number}")).unwrap();
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    }
    server.deliver("sales", "INBOX", MAIL).unwrap();
    client.until("* 1 EXISTS").unwrap();
}

#[test]
fn a_former_folder_has_its_mail_again_and_the_ports_survive_a_restart() {
    let dir = TempDir::new().unwrap();
    let mut server = dovecot(dir.path(), &["sales"]);
    server.deliver("sales", "INBOX", MAIL).unwrap();
    let ports = (server.imap_port(), server.imaps_port());
    let mut client = ImapClient::login(server.imaps_port(), &server.ca_file(), "sales");
    let validity = |client: &mut ImapClient| {
        let lines = client.ok("STATUS INBOX (UIDVALIDITY MESSAGES)");
        lines.first().cloned().unwrap()
    };
    let before = validity(&mut client);
    block_on(server.restart()).unwrap();
    assert_eq!(ports, (server.imap_port(), server.imaps_port()));
    assert!(client.run("NOOP").is_err());
    let mut client = ImapClient::login(server.imaps_port(), &server.ca_file(), "sales");
    assert_eq!(validity(&mut client), before);
    block_on(server.stop()).unwrap();

    let server = dovecot(dir.path(), &["sales"]);
    let mut client = ImapClient::login(server.imaps_port(), &server.ca_file(), "sales");
    assert_eq!(validity(&mut client), before);
    drop(server);
    assert!(dir.path().join("mail/sales/Maildir").exists());
}

#[test]
fn a_folder_that_the_mail_user_cannot_come_to_gets_its_mail_back_at_the_stop() {
    // For root: what lies below a folder of root's is out of reach for Dovecot.
    let private = TempDir::new().unwrap();
    let dir = private.path().join("demo");
    for deliveries in 1..=2 {
        let server = dovecot(&dir, &["sales"]);
        server.deliver("sales", "INBOX", MAIL).unwrap();
        let mut client = ImapClient::login(server.imaps_port(), &server.ca_file(), "sales");
        let status = client.ok("STATUS INBOX (MESSAGES)");
        assert!(status[0].contains(&format!("MESSAGES {deliveries}")), "{status:?}");
        block_on(server.stop()).unwrap();
        assert!(dir.join("mail/sales/Maildir").exists());
    }
}

#[test]
fn a_restart_waits_for_its_port_and_says_when_it_is_lost() {
    let dir = TempDir::new().unwrap();
    let mut server = dovecot(dir.path(), &["sales"]);
    block_on(server.halt()).unwrap();
    let thief = TcpListener::bind((Ipv4Addr::LOCALHOST, server.imap_port())).unwrap();
    assert!(matches!(block_on(server.resume()), Err(Error::NoPort)));
    drop(thief);
    block_on(server.resume()).unwrap();
    ImapClient::login(server.imaps_port(), &server.ca_file(), "sales").ok("NOOP");
}

#[test]
fn a_configuration_that_dovecot_rejects_is_an_error_with_its_words() {
    let dir = TempDir::new().unwrap();
    let options = Options { extra: "no_such_setting = 1".to_owned(), ..Options::default() };
    let refused = block_on(Dovecot::start(dir.path(), options));
    let Err(Error::Start { reason }) = refused else { panic!("it started") };
    assert!(reason.contains("no_such_setting"), "{reason}");
}

/// Where the next test finds out what its child has started.
const TOLD: &str = "MAILCRM_TEST_TOLD";

#[test]
#[ignore = "a part of the next test, which kills it"]
fn dovecot_of_a_process_that_will_be_killed() {
    let Some(told) = std::env::var_os(TOLD) else { return };
    let dir = Path::new(&told);
    let server = dovecot(&dir.join("mail"), &["sales"]);
    std::fs::write(dir.join("short"), short_folder(&server)).unwrap();
    std::thread::sleep(LIMIT);
}

#[test]
fn nothing_is_left_of_a_process_that_was_killed() {
    let dir = TempDir::new().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "dovecot_harness::dovecot_of_a_process_that_will_be_killed"])
        .env(TOLD, dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let short = || std::fs::read_to_string(dir.path().join("short")).unwrap_or_default();
    wait_for("the child's server", LIMIT, || !short().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let words = [short(), dir.path().display().to_string()];
    wait_for("the server's end", LIMIT, || {
        processes_naming(&words).is_empty() && !Path::new(&words[0]).exists()
    });
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("thesis.txt"), "precious").unwrap();
    let refused = block_on(Dovecot::start(dir.path(), Options::default()));
    assert!(matches!(refused, Err(Error::NotOurs { .. })));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn doveadm_expunges_and_moves_and_a_renumbered_folder_has_another_uidvalidity() {
    let dir = TempDir::new().unwrap();
    let mut server = dovecot(dir.path(), &["sales"]);
    for _ in 0..3 {
        server.deliver("sales", "INBOX", MAIL).unwrap();
        server.deliver("sales", "Junk", MAIL).unwrap();
    }
    server.doveadm(&["expunge", "-u", "sales", "mailbox", "INBOX", "uid", "1"]).unwrap();
    server.doveadm(&["move", "-u", "sales", "Junk", "mailbox", "INBOX", "uid", "2"]).unwrap();
    let status = |folder: &str| {
        server.doveadm(&["mailbox", "status", "-u", "sales", "messages uidnext", folder]).unwrap()
    };
    assert_eq!(status("INBOX").trim(), "INBOX messages=1 uidnext=4");
    assert_eq!(status("Junk").trim(), "Junk messages=4 uidnext=5");
    let mut client = ImapClient::login(server.imaps_port(), &server.ca_file(), "sales");
    client.ok("SELECT INBOX");
    server.renumber("sales", "INBOX").unwrap();
    server.renumber("sales", "Junk").unwrap();
    assert!(client.run("NOOP").is_err() || client.run("NOOP").is_err());
    assert_eq!(status("INBOX").trim(), "INBOX messages=1 uidnext=2");
    assert_eq!(status("Junk").trim(), "Junk messages=4 uidnext=5");
    let wrong = server.doveadm(&["expunge", "-u", "nobody", "mailbox", "INBOX", "all"]);
    assert!(matches!(wrong, Err(Error::Doveadm { .. })));

    server.set_users(&[("sales", "changed:1")]).unwrap();
    let mut client = ImapClient::connect(server.imaps_port(), &server.ca_file()).unwrap();
    let start = Instant::now();
    for _ in 0..3 {
        let refused = client.run("LOGIN sales secret").unwrap();
        assert!(refused[0].contains("NO [AUTHENTICATIONFAILED]"), "{refused:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    client.ok("LOGIN sales changed:1");
}

#[test]
fn killed_connections_end_and_new_ones_are_served() {
    let dir = TempDir::new().unwrap();
    let server = dovecot(dir.path(), &["sales"]);
    server.kill_connections().unwrap();
    let mut client = ImapClient::login(server.imaps_port(), &server.ca_file(), "sales");
    client.ok("SELECT INBOX");
    client.send("IDLE").unwrap();
    server.kill_connections().unwrap();
    while client.line().is_ok() {}
    ImapClient::login(server.imaps_port(), &server.ca_file(), "sales").ok("SELECT INBOX");
}

#[test]
fn ten_thousand_deliveries_take_seconds() {
    let dir = TempDir::new().unwrap();
    let server = dovecot(dir.path(), &["sales"]);
    let start = Instant::now();
    for _ in 0..10_000 {
        server.deliver("sales", "INBOX", MAIL).unwrap();
    }
    let took = start.elapsed();
    let mut client = ImapClient::login(server.imaps_port(), &server.ca_file(), "sales");
    let status = client.ok("STATUS INBOX (MESSAGES)");
    assert!(status[0].contains("MESSAGES 10000"), "{status:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn six_hundred_connections_of_one_user_are_served() {
    let dir = TempDir::new().unwrap();
    let server = dovecot(dir.path(), &["sales"]);
    let clients: Vec<ImapClient> = (0..600)
        .map(|_| ImapClient::login(server.imaps_port(), &server.ca_file(), "sales"))
        .collect();
    assert_eq!(clients.len(), 600);
    let start = Instant::now();
    block_on(server.stop()).unwrap();
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
}

#[test]
fn several_servers_start_at_once() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let dir = TempDir::new().unwrap();
                let server = dovecot(dir.path(), &["sales"]);
                ImapClient::login(server.imaps_port(), &server.ca_file(), "sales").ok("NOOP");
                server.imaps_port()
            })
        })
        .collect();
    let mut ports: Vec<u16> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 4);
}

#[test]
fn a_wire_is_cut_in_the_middle_of_an_answer_and_a_silent_one_stays_open() {
    let dir = TempDir::new().unwrap();
    let server = dovecot(dir.path(), &["sales"]);
    let mut cutter = Cutter::to(server.imaps_port());
    let mut client = ImapClient::login(cutter.port(), &server.ca_file(), "sales");
    client.ok("SELECT INBOX");
    assert_eq!((cutter.accepted(), cutter.open()), (1, 1));

    let large = [b"Subject: large\r\n\r\n".as_slice(), &b"x".repeat(500_000)].concat();
    client.append("INBOX", "", &large);
    let before = cutter.passed();
    cutter.cut_after(100_000);
    assert!(client.run("UID FETCH 1 (BODY.PEEK[])").is_err());
    assert_eq!(cutter.passed() - before, 100_000);
    wait_for("the cut wire to be gone", LIMIT, || cutter.open() == 0);
    assert_eq!(cutter.cuts(), 1);

    let mut client = ImapClient::login(cutter.port(), &server.ca_file(), "sales");
    cutter.silence();
    let tag = client.send("NOOP").unwrap();
    // The answer is on its way and is not to arrive; nor does the end of the server's connection.
    server.kill_connections().unwrap();
    assert_eq!(cutter.open(), 1);
    cutter.speak();
    let _ = client.until(&tag);
    while client.line().is_ok() {}

    cutter.off();
    assert!(ImapClient::connect(cutter.port(), &server.ca_file()).is_err());
    cutter.on();
    let mut client = ImapClient::login(cutter.port(), &server.ca_file(), "sales");
    cutter.delay(Duration::from_millis(50));
    let start = Instant::now();
    client.ok("NOOP");
    assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    assert_eq!(cutter.cut(), 1);
    assert!(client.run("NOOP").is_err());
}
