//! A private Dovecot and a sandbox CRM, and what tests ask of both.

use mailcrm::demo::dovecot::Dovecot;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::daemon::{Daemon, Mailbox};
use super::mails::Mail;
use super::sandbox::SandboxProcess;
use super::{LIMIT, dovecot, dovecot_with, wait_for};

pub struct Scene {
    pub dovecot: Dovecot,
    pub crm: SandboxProcess,
    // Last, so that the server stops before its folder goes.
    _dir: TempDir,
}

impl Scene {
    /// Users with the password `secret`, each with an empty mailbox.
    pub fn with(users: &[&str]) -> Scene {
        let dir = TempDir::new().unwrap();
        Scene { dovecot: dovecot(dir.path(), users), crm: SandboxProcess::start(), _dir: dir }
    }

    /// The same with lines for dovecot.conf.
    pub fn with_conf(users: &[&str], extra: &str) -> Scene {
        let dir = TempDir::new().unwrap();
        let dovecot = dovecot_with(dir.path(), users, extra);
        Scene { dovecot, crm: SandboxProcess::start(), _dir: dir }
    }

    pub fn mailbox(&self, user: &str) -> Mailbox {
        Mailbox::on(&self.dovecot, user)
    }

    /// A daemon on the mailbox of `sales`.
    pub fn daemon(&self) -> Daemon {
        Daemon::running(&self.crm.url(), &[self.mailbox("sales")])
    }

    /// Delivers a mail that arrives now.
    pub fn deliver(&self, user: &str, folder: &str, mail: &Mail) {
        self.dovecot.deliver(user, folder, &mail.raw()).unwrap();
    }

    /// Subjects of the activities, in order.
    pub fn filed(&self) -> Vec<String> {
        let activities = self.crm.activities();
        let subject = |activity: &Value| activity["SUBJECT"].as_str().unwrap().to_owned();
        let mut subjects: Vec<String> = activities.iter().map(subject).collect();
        subjects.sort_unstable();
        subjects
    }

    /// Waits until there are exactly these activities; panics at once if one is there twice.
    #[track_caller]
    pub fn until_filed(&self, subjects: &[&str]) {
        let mut wanted = subjects.to_vec();
        wanted.sort_unstable();
        wait_for(&format!("{wanted:?} to be filed"), LIMIT, || {
            let filed = self.filed();
            let twice = filed.windows(2).find(|pair| pair[0] == pair[1]);
            assert!(
                twice.is_none() || wanted.windows(2).any(|pair| pair[0] == pair[1]),
                "{filed:?}"
            );
            filed == wanted
        });
    }
}

/// A mail from a client of its own, with this subject and a Message-ID made of it.
pub fn mail(subject: &str) -> Mail {
    let name: String = subject.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    Mail::from(&format!("Ana <ana@{name}.example>"))
        .id(&format!("{name}@client.example"))
        .subject(subject)
}

/// A mail that `sales` wrote to a client of its own.
pub fn sent(subject: &str) -> Mail {
    let incoming = mail(subject);
    let client = incoming.from.clone();
    Mail { from: "Sales <sales@example.com>".to_owned(), to: client, ..incoming }
}

/// The activity with this subject.
#[track_caller]
pub fn activity(crm: &SandboxProcess, subject: &str) -> Value {
    let found = crm.activities().into_iter().find(|activity| activity["SUBJECT"] == subject);
    found.unwrap_or_else(|| panic!("no activity {subject:?}"))
}

/// The message with this subject, as `messages --json` shows it; null if there is none.
#[track_caller]
pub fn message(daemon: &Daemon, subject: &str) -> Value {
    let messages = daemon.messages(&[]);
    let found = messages.into_iter().find(|message| message["subject"] == subject);
    found.unwrap_or(Value::Null)
}

/// Waits until the message with this subject is in this state with this reason.
#[track_caller]
pub fn until_state(daemon: &Daemon, subject: &str, state: &str, reason: Option<&str>) -> Value {
    let mut found = Value::Null;
    wait_for(&format!("{subject:?} to be {state} {reason:?}"), LIMIT, || {
        found = message(daemon, subject);
        found["state"] == state && found["reason"] == json!(reason)
    });
    found
}

/// Folders and UIDs of a message's places, in order.
pub fn places(message: &Value) -> Vec<(String, String)> {
    let places = message["places"].as_array().cloned().unwrap_or_default();
    let text = |place: &Value, key: &str| place[key].as_str().unwrap_or_default().to_owned();
    let mut places: Vec<(String, String)> =
        places.iter().map(|place| (text(place, "mailbox"), text(place, "folder"))).collect();
    places.sort_unstable();
    places
}

/// A mailbox as `status --json` shows it.
pub fn mailbox_status(daemon: &Daemon, name: &str) -> Value {
    let status = daemon.status();
    let mailboxes = status["mailboxes"].as_array().cloned().unwrap_or_default();
    let found = mailboxes.into_iter().find(|mailbox| mailbox["name"] == name);
    found.unwrap_or_else(|| json!({}))
}

/// Waits until a mailbox is in this state.
#[track_caller]
pub fn until_mailbox(daemon: &Daemon, name: &str, state: &str) -> Value {
    let mut found = Value::Null;
    wait_for(&format!("mailbox {name} to be {state}"), LIMIT, || {
        found = mailbox_status(daemon, name);
        found["state"] == state
    });
    found
}

/// Every UID on the server must be explained by the ledger.
#[track_caller]
pub fn reconciled(daemon: &Daemon) -> Value {
    let answer = daemon.mailcrm_json(&["reconcile"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.json()
}

/// How often the log says this.
pub fn said(daemon: &Daemon, words: &str) -> usize {
    daemon.log().lines().filter(|line| line.contains(words)).count()
}
