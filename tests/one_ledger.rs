//! One ledger, one CRM, one writer; a ledger that is lost, damaged or too new; and secrets, which
//! stand nowhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use common::acceptor::Acceptor;
use common::crm_faults::CrmFaults;
use common::daemon::{Daemon, Mailbox};
use common::letter::letter;
use common::sandbox::SandboxProcess;
use common::world::World;
use common::{Dice, LIMIT, dovecot, http, wait_for};
use serde_json::json;

const SALES: &str = "sales@example.com";

/// What the daemon says as it refuses to start, and its exit code.
#[track_caller]
fn refusal(daemon: &mut Daemon) -> (i32, String) {
    let before = daemon.log().len();
    let status = daemon.start_and_fail();
    let log = daemon.log();
    (status.code().unwrap_or(-1), log[before..].to_owned())
}

#[test]
fn ledger_of_another_crm_is_refused_with_the_mend() {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let mut daemon = Daemon::new(&crm.url(), &[Mailbox::on(&dovecot, "sales")]);
    daemon.crm = "kind = \"sandbox\"\n".to_owned();
    daemon.write_config();
    daemon.start();
    assert!(daemon.terminate().success());

    daemon.crm = String::new();
    daemon.write_config();
    let (code, words) = refusal(&mut daemon);
    assert_eq!(code, 78, "{words}");
    assert!(words.contains("ledger.path") && words.contains("sandbox"), "{words}");
    assert!(words.contains(&format!("127.0.0.1:{}", crm.port())), "{words}");
    assert!(!words.contains("/rest/"), "{words}");

    // And from one portal to another; with another ledger it starts.
    let other = CrmFaults::to(crm.port(), 1);
    let ledger = daemon.dir().join("portal.sqlite");
    daemon.ledger = format!("path = {ledger:?}\n");
    daemon.write_config();
    daemon.start();
    assert!(daemon.terminate().success());
    daemon.crm = format!("url = {:?}\n", other.url());
    daemon.write_config();
    let (code, words) = refusal(&mut daemon);
    assert_eq!(code, 78, "{words}");
    assert!(words.contains(&format!("127.0.0.1:{}", other.port())), "{words}");
}

#[test]
fn second_daemon_on_a_ledger_names_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let first = Daemon::running(&crm.url(), &[Mailbox::on(&dovecot, "sales")]);
    let mut second = Daemon::new(&crm.url(), &[Mailbox::on(&dovecot, "sales")]);
    second.ledger = format!("path = {:?}\n", first.ledger_path());
    second.write_config();
    let (code, words) = refusal(&mut second);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains(&first.pid().unwrap().to_string()), "{words}");
    assert!(words.contains(first.ledger_path().to_str().unwrap()), "{words}");
}

/// Removes what the ledger consists of, but for what is named.
fn remove_ledger(daemon: &Daemon, but: &[&str]) {
    for ending in ["sqlite", "sqlite-wal", "sqlite-shm", "sqlite.lock"] {
        if !but.contains(&ending) {
            let _ = std::fs::remove_file(daemon.ledger_path().with_extension(ending));
        }
    }
    if !but.contains(&"spool") {
        let _ = std::fs::remove_dir_all(daemon.ledger_path().with_extension("spool"));
    }
}

#[test]
fn lost_ledger_makes_nothing_twice() {
    let mut dice = Dice::cast();
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let mut world = World::with_clients(&crm, 4);
    world.write_first(40, &mut dice);
    for number in 0..40 {
        world.deliver(&dovecot, number);
    }
    let mut daemon = Daemon::running(&crm.url(), &[Mailbox::on(&dovecot, "sales")]);
    daemon.wait_until_filed(40, LIMIT);
    world.write_later(60, &mut dice);
    for number in 40..60 {
        world.deliver(&dovecot, number);
    }
    daemon.wait_until_filed(60, LIMIT);
    world.assert_filed(&crm, &daemon);
    let before = crm.call("sandbox.counts", &json!({}));

    // Whole, without its spool, and in the midst of filing with a log left behind.
    for but in [&[][..], &["spool"][..], &["sqlite-wal", "sqlite-shm", "spool"][..]] {
        daemon.kill9();
        remove_ledger(&daemon, but);
        daemon.start();
        if but.is_empty() {
            wait_for("a part of the mail", LIMIT, || daemon.counts().states.contains_key("saved"));
            daemon.kill9();
            remove_ledger(&daemon, but);
            daemon.start();
        }
        daemon.wait_until_filed(60, LIMIT);
        world.assert_filed(&crm, &daemon);
        let after = crm.call("sandbox.counts", &json!({}));
        for kind in ["leads", "contacts", "deals", "activities", "files", "bindings"] {
            assert_eq!(after[kind], before[kind], "{kind} after the loss of all but {but:?}");
        }
    }
}

#[test]
fn ledger_of_a_newer_program_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let mut daemon = Daemon::running(&crm.url(), &[Mailbox::on(&dovecot, "sales")]);
    assert!(daemon.terminate().success());
    daemon.sql("PRAGMA user_version = 99");
    let before = std::fs::read(daemon.ledger_path()).unwrap();
    let (code, words) = refusal(&mut daemon);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("version 99"), "{words}");
    assert_eq!(std::fs::read(daemon.ledger_path()).unwrap(), before);
    assert_eq!(words.trim().lines().count(), 1, "{words}");
}

#[test]
fn damaged_ledger_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    for number in 0..10 {
        let from = format!("c{number}@client.example");
        let mail = letter(&from, SALES, &format!("m{number}@client.example"));
        dovecot.deliver("sales", "INBOX", &mail.raw()).unwrap();
    }
    let mut daemon = Daemon::running(&crm.url(), &[Mailbox::on(&dovecot, "sales")]);
    daemon.wait_until_filed(10, LIMIT);
    assert!(daemon.terminate().success());
    let whole = std::fs::read(daemon.ledger_path()).unwrap();
    type Damage = fn(&Path, usize);
    let cases: [(&str, Damage); 3] = [
        ("another file", |path, _| {
            std::fs::write(path, b"this is no database".repeat(500)).unwrap()
        }),
        ("zeros in its midst", |path, size| overwrite(path, size / 4, &vec![0; size / 2])),
        ("cut in half", |path, size| {
            std::fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(size as u64 / 2)
                .unwrap();
        }),
    ];
    for (name, damage) in cases {
        std::fs::write(daemon.ledger_path(), &whole).unwrap();
        damage(&daemon.ledger_path(), whole.len());
        let damaged = std::fs::read(daemon.ledger_path()).unwrap();
        let (code, words) = refusal(&mut daemon);
        assert_eq!(code, 1, "{name}: {words}");
        assert!(words.contains("corrupt"), "{name}: {words}");
        assert!(words.contains(daemon.ledger_path().to_str().unwrap()), "{name}: {words}");
        assert_eq!(std::fs::read(daemon.ledger_path()).unwrap(), damaged, "{name}");
    }
    // The backup is put back.
    std::fs::write(daemon.ledger_path(), &whole).unwrap();
    daemon.start();
    daemon.wait_until_filed(10, LIMIT);
    assert_eq!(crm.activities().len(), 10);
}

fn overwrite(path: &Path, at: usize, octets: &[u8]) {
    let mut file = std::fs::File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(octets).unwrap();
}

/// The portal's old name: answers every call with 302 and the new one.
fn old_name(new_port: u16) -> Acceptor {
    Acceptor::start(std::sync::Arc::new(move |stream| {
        std::thread::spawn(move || {
            let mut from = std::io::BufReader::new(&stream);
            while let Ok(Some(request)) = http::read(&mut from, true) {
                let to = format!("http://127.0.0.1:{new_port}{}", request.target());
                let answer = http::Message {
                    first_line: "HTTP/1.1 302 Found".to_owned(),
                    headers: vec![("Location".to_owned(), to)],
                    body: Vec::new(),
                };
                let mut to = &stream;
                if answer.write(&mut to).is_err() {
                    return;
                }
            }
        });
    }))
}

#[test]
fn portal_that_answers_under_a_new_name_is_the_same_portal() {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let before = CrmFaults::to(crm.port(), 1);
    let mail = |id: &str| letter("ana@client.example", SALES, id).raw();
    dovecot.deliver("sales", "INBOX", &mail("one@client.example")).unwrap();
    let old = old_name(before.port());
    let url = format!("http://127.0.0.1:{}/rest/1/sandbox/", old.port());
    let mut daemon = Daemon::running(&url, &[Mailbox::on(&dovecot, "sales")]);
    daemon.wait_until_filed(1, LIMIT);
    daemon.kill9();
    daemon.start();
    dovecot.deliver("sales", "INBOX", &mail("two@client.example")).unwrap();
    daemon.wait_until_filed(2, LIMIT);
    assert_eq!((crm.cards(1).len(), crm.activities().len()), (1, 2));
    assert!(daemon.terminate().success());

    // The operator writes the new name down.
    daemon.crm = format!("url = {:?}\n", before.url());
    daemon.write_config();
    daemon.start();
    dovecot.deliver("sales", "INBOX", &mail("three@client.example")).unwrap();
    daemon.wait_until_filed(3, LIMIT);
    assert_eq!((crm.cards(1).len(), crm.activities().len()), (1, 3));
}

/// All files below a folder.
fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn holds(path: &Path, secret: &str) -> bool {
    let mut octets = Vec::new();
    let read = std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut octets));
    read.is_ok() && octets.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[test]
fn secrets_stand_in_no_log_no_ledger_no_answer_and_no_process_list() {
    const PASSWORD: &str = "Pa55-of-sales-9241";
    const WRONG: &str = "Wr0ng-of-support-7713";
    const KEY: &str = "k3y0fthewebhook4711";
    let dir = tempfile::tempdir().unwrap();
    let mut dovecot = dovecot(dir.path(), &["sales", "support"]);
    dovecot.set_users(&[("sales", PASSWORD), ("support", "another")]).unwrap();
    let crm = SandboxProcess::start();
    crm.call("sandbox.webhook.set", &json!({"secret": KEY, "employee": 1}));
    let mut faults = CrmFaults::to(crm.port(), 1);
    let url = faults.url().replace("/sandbox/", &format!("/{KEY}/"));
    let mut sales = Mailbox::on(&dovecot, "sales");
    sales.password = PASSWORD.to_owned();
    let mut support = Mailbox::on(&dovecot, "support");
    support.password = WRONG.to_owned();
    let mut daemon = Daemon::running(&url, &[sales, support]);
    let mail = |id: &str| letter("ana@client.example", SALES, id).raw();
    dovecot.deliver("sales", "INBOX", &mail("one@client.example")).unwrap();
    daemon.wait_until_filed(1, LIMIT);
    daemon.wait_for_line("mailbox blocked", LIMIT);
    // Troubles of all kinds, whose texts might name the address.
    faults.off();
    dovecot.deliver("sales", "INBOX", &mail("two@client.example")).unwrap();
    daemon.wait_for_line("crm deferred", LIMIT);
    faults.on();
    daemon.wait_until_filed(2, LIMIT);
    crm.call("sandbox.webhook.set", &json!({"secret": KEY, "employee": 1, "scope": "user"}));
    dovecot.deliver("sales", "INBOX", &mail("three@client.example")).unwrap();
    daemon.wait_for_line("crm blocked", LIMIT);

    let mut told = vec![
        ("log", daemon.log()),
        (
            "command line",
            std::fs::read_to_string(format!("/proc/{}/cmdline", daemon.pid().unwrap())).unwrap(),
        ),
    ];
    for command in [
        &["status"][..],
        &["--json", "status"],
        &["messages"],
        &["--json", "messages"],
        &["check"],
        &["explain", "1"],
    ] {
        let answer = daemon.mailcrm(command);
        told.push((command[0], answer.stdout));
        told.push((command[0], answer.stderr));
    }
    // A configuration that is refused must not print what it refuses.
    assert!(daemon.terminate().success());
    daemon.crm = format!("url = \"http://crm.example/rest/1/{KEY}/\"\n");
    daemon.write_config();
    let (code, words) = refusal(&mut daemon);
    assert_eq!(code, 78, "{words}");
    told.push(("refused configuration", words));
    for secret in [PASSWORD, WRONG, KEY] {
        for (what, text) in &told {
            assert!(!text.contains(secret), "{secret} in {what}: {text}");
        }
        let mut files = Vec::new();
        files_below(daemon.dir(), &mut files);
        let own = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // The configuration and the password files are where secrets belong.
            name != "mailcrm.toml" && !name.ends_with(".password")
        };
        files.retain(own);
        assert!(files.iter().any(|path| path.ends_with("ledger.sqlite")), "{files:?}");
        for path in files {
            assert!(!holds(&path, secret), "{secret} in {}", path.display());
        }
    }
}
