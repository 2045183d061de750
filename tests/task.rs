//! The to-do "answer this mail", end to end: made once whatever happens on the way, for the mail that
//! a person wrote, and completed by our answer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use crate::common;

use common::crm_faults::{CrmFaults, Fault};
use common::daemon::{Daemon, Mailbox};
use common::letter::{letter, subject};
use common::sandbox::SandboxProcess;
use common::{LIMIT, dovecot, wait_for};
use mailcrm::demo::dovecot::Dovecot;
use serde_json::Value;
use tempfile::TempDir;

const SALES: &str = "Sales <sales@example.com>";
const ADD: &str = "crm.activity.todo.add";

struct Scene {
    dovecot: Dovecot,
    crm: SandboxProcess,
    faults: CrmFaults,
    daemon: Daemon,
    // Removed last.
    _dir: TempDir,
}

/// A running daemon on `sales`, which wants to-dos, and on `support`, which does not.
fn scene(lines: &str) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales", "support"]);
    let crm = SandboxProcess::start();
    let faults = CrmFaults::to(crm.port(), 1);
    let sales = Mailbox::on(&dovecot, "sales").crm(&format!("task = true\n{lines}"));
    let support = Mailbox::on(&dovecot, "support").crm("task = false\n");
    let daemon = Daemon::running(&faults.url(), &[sales, support]);
    wait_for("both mailboxes", LIMIT, || daemon.lines_with("mailbox connected") == 2);
    Scene { dovecot, crm, faults, daemon, _dir: dir }
}

impl Scene {
    fn receive(&self, from: &str, id: &str) {
        self.dovecot.deliver("sales", "INBOX", &letter(from, SALES, id).raw()).unwrap();
    }

    fn filed(&self, messages: u64) {
        self.daemon.wait_until_filed(messages, LIMIT);
    }

    fn todos(&self) -> Vec<Value> {
        let mut todos = self.crm.activities();
        todos.retain(|activity| activity["PROVIDER_ID"] == "CRM_TODO");
        todos
    }

    /// The one to-do for the mail with this Message-ID.
    #[track_caller]
    fn todo(&self, id: &str) -> Value {
        let mut todos = self.todos();
        todos.retain(|todo| todo["SUBJECT"] == format!("Answer: {}", subject(id)));
        assert_eq!(todos.len(), 1, "to-dos of {id}");
        todos.remove(0)
    }

    #[track_caller]
    fn mail(&self, id: &str) -> Value {
        let mut found = self.crm.activities();
        found.retain(|activity| activity["SUBJECT"] == subject(id));
        assert_eq!(found.len(), 1, "activities of {id}");
        found.remove(0)
    }

    /// What the evidence says of a mail's to-do.
    #[track_caller]
    fn said(&self, id: &str) -> Vec<String> {
        let view = self.daemon.view(id);
        assert_eq!(view.state, "saved", "{id}");
        let evidence = view.evidence.as_array().unwrap().iter();
        let task = evidence.filter(|evidence| evidence["rule"] == "task");
        task.map(|evidence| evidence["fact"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn mail_of_a_person_gets_one_todo_for_the_responsible_and_our_answer_completes_it() {
    let mut scene = scene("");
    let contact = scene.crm.add_contact("Ana", "ana@known.example", 7);
    let deal = scene.crm.add_deal("Deal", contact, 9);
    scene.receive("ana@known.example", "one@known.example");
    scene.receive("ben@new.example", "two@new.example");
    let robot = letter("ana@known.example", SALES, "robot@known.example")
        .header("Auto-Submitted", "auto-replied");
    scene.dovecot.deliver("sales", "INBOX", &robot.raw()).unwrap();
    let ours = letter(SALES, "ana@known.example", "ours@example.com");
    scene.dovecot.deliver("sales", "Sent", &ours.raw()).unwrap();
    let support = letter("ana@known.example", "support@example.com", "support@known.example");
    scene.dovecot.deliver("support", "INBOX", &support.raw()).unwrap();
    scene.filed(5);

    assert_eq!(scene.todos().len(), 2, "{:?}", scene.todos());
    let (todo, mail) = (scene.todo("one@known.example"), scene.mail("one@known.example"));
    assert_eq!((&todo["OWNER_TYPE_ID"], &todo["TYPE_ID"]), (&"2".into(), &"6".into()));
    assert_eq!(todo["OWNER_ID"], deal.to_string());
    for same in ["OWNER_TYPE_ID", "OWNER_ID", "RESPONSIBLE_ID", "DEADLINE", "COMPLETED"] {
        assert_eq!(todo[same], mail[same], "{same}");
    }
    assert_eq!((&todo["RESPONSIBLE_ID"], &todo["COMPLETED"]), (&"9".into(), &"N".into()));
    let text = todo["DESCRIPTION"].as_str().unwrap();
    let marker = text.lines().last().unwrap().strip_prefix("mailcrm ").unwrap();
    assert_eq!(marker.len(), 64, "{text}");
    assert_eq!(scene.todo("two@new.example")["OWNER_TYPE_ID"], "1");
    assert_eq!(scene.said("two@new.example").len(), 1);
    for none in ["robot@known.example", "ours@example.com", "support@known.example"] {
        assert!(scene.said(none).is_empty(), "{none}");
    }

    let answer = letter(SALES, "ana@known.example", "answer@example.com");
    let answer = answer.answers("one@known.example");
    scene.dovecot.deliver("sales", "Sent", &answer.raw()).unwrap();
    scene.filed(6);
    assert_eq!(scene.mail("one@known.example")["COMPLETED"], "Y");
    assert_eq!(scene.todo("one@known.example")["COMPLETED"], "Y");
    assert_eq!(scene.todo("two@new.example")["COMPLETED"], "N");

    // A ledger that is lost makes nothing twice.
    scene.daemon.kill9();
    for ending in ["sqlite", "sqlite-wal", "sqlite-shm"] {
        let _ = std::fs::remove_file(scene.daemon.ledger_path().with_extension(ending));
    }
    let _ = std::fs::remove_dir_all(scene.daemon.ledger_path().with_extension("spool"));
    scene.daemon.start();
    scene.filed(6);
    assert_eq!(scene.todos().len(), 2);
    assert_eq!(scene.faults.calls_of(ADD).len(), 2);
    assert!(scene.faults.calls_of(ADD).iter().all(|call| !call.in_batch));
    scene.faults.assert_sends_no_mail();
}

#[test]
fn mailbox_without_deadline_gives_until_the_end_of_tomorrow() {
    let scene = scene("deadline = \"\"\n");
    scene.receive("ben@new.example", "one@new.example");
    scene.filed(1);
    let todo = scene.todo("one@new.example");
    let deadline: jiff::Timestamp = todo["DEADLINE"].as_str().unwrap().parse().unwrap();
    let hours = deadline.duration_since(jiff::Timestamp::now()).as_hours();
    assert!((23..48).contains(&hours), "{todo}");
    assert_eq!(deadline.as_second() % 86_400, 86_399, "{todo}");
}

#[test]
fn promise_03_todo_whose_answer_was_lost_is_looked_for() {
    let scene = scene("");
    scene.faults.script(ADD, &[Fault::AnswerLost]);
    scene.receive("ben@new.example", "one@new.example");
    scene.filed(1);
    assert_eq!(scene.faults.calls_of(ADD).len(), 1, "it was sent again");
    scene.todo("one@new.example");
    assert_eq!(scene.said("one@new.example").len(), 1);
    // Nothing of what went before was made twice.
    scene.mail("one@new.example");
    assert_eq!(scene.crm.cards(1).len(), 1);
}

#[test]
fn promise_08_todo_is_made_once_when_killed_between() {
    let mut scene = scene("");
    // The CRM has the first, and never heard of the second.
    for (number, fault) in [Fault::AnswerLost, Fault::CallLost].into_iter().enumerate() {
        let id = format!("m{number}@new.example");
        let before = scene.faults.calls_of(ADD).len();
        scene.faults.script(ADD, &[fault]);
        scene.receive("ben@new.example", &id);
        wait_for("the to-do to be sent", LIMIT, || scene.faults.calls_of(ADD).len() > before);
        scene.daemon.kill9();
        scene.daemon.start();
        scene.filed(number as u64 + 1);
        scene.todo(&id);
        scene.mail(&id);
    }
    assert_eq!(scene.todos().len(), 2);
    assert_eq!(scene.faults.calls_of(ADD).len(), 3);
}

#[test]
fn todo_that_never_gets_there_is_left_out() {
    let scene = scene("");
    scene.faults.script(ADD, &[Fault::HtmlError]);
    scene.receive("ben@new.example", "one@new.example");
    wait_for("the to-do to be sent", LIMIT, || scene.faults.calls_of(ADD).len() == 1);
    // As if it had been tried before.
    let tried = "INSERT INTO attempt (entry, at, method, fate, code, text)
                 SELECT id, 0, 'crm.activity.todo.add', 'deferred', '', '' FROM entry;";
    scene.daemon.sql(&tried.repeat(2));
    scene.filed(1);
    assert_eq!(scene.faults.calls_of(ADD).len(), 1);
    let said = "no to-do: the CRM did not take it in 3 tries";
    assert_eq!(scene.said("one@new.example"), [said]);
    scene.mail("one@new.example");
}

#[test]
fn todo_that_is_refused_stops_nothing_and_is_noted() {
    let scene = scene("");
    #[rustfmt::skip]
    let words = [
        ("404 Not Found",   "ERROR_METHOD_NOT_FOUND", "Method not found!"),
        ("400 Bad Request", "ACCESS_DENIED",          "You do not have permission"),
        ("400 Bad Request", "OWNER_NOT_FOUND",        "Owner was not found"),
    ];
    for (number, (status, code, text)) in words.into_iter().enumerate() {
        let id = format!("m{number}@new.example");
        scene.faults.script(ADD, &[Fault::Says { status, code, text }]);
        scene.receive("ben@new.example", &id);
        scene.filed(number as u64 + 1);
        assert_eq!(scene.said(&id), [format!("no to-do: {text}")], "{code}");
        scene.mail(&id);
    }
    assert_eq!(scene.todos().len(), 0);
    assert_eq!(scene.faults.calls_of(ADD).len(), words.len());
    assert_eq!(scene.daemon.lines_with("delivery refused"), 0);
    assert_eq!(scene.daemon.status()["crm"]["state"], "open");
    // The mails can be answered all the same.
    let answer = letter(SALES, "ben@new.example", "answer@example.com").answers("m0@new.example");
    scene.dovecot.deliver("sales", "Sent", &answer.raw()).unwrap();
    scene.filed(words.len() as u64 + 1);
    assert_eq!(scene.mail("m0@new.example")["COMPLETED"], "Y");
}
