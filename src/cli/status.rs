//! `mailcrm status`: mailboxes, the outbox, the CRM.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::print::{self, Colour, Out, clean};
use super::{Trouble, load};
use crate::config::{Config, CrmKind};
use crate::ledger::{Error, Ledger, MailboxStatus, StatusCounts};
use crate::rules::State;
use crate::unix_now;

/// The document; its keys are public.
#[derive(Debug, Serialize)]
struct Status {
    mailboxes: Vec<MailboxLine>,
    outbox: Outbox,
    crm: CrmLine,
    messages: Counts,
}

#[derive(Debug, Serialize)]
struct MailboxLine {
    name: String,
    state: String,
    folders: Vec<FolderLine>,
    last_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct FolderLine {
    name: String,
    role: String,
    uid_validity: Option<u32>,
    next_uid: Option<u32>,
    behind: u64,
}

#[derive(Debug, Serialize)]
struct Outbox {
    queued: u64,
    deferred: u64,
    refused: u64,
    oldest_seconds: Option<u64>,
}

#[derive(Debug, Serialize)]
struct CrmLine {
    kind: &'static str,
    state: String,
}

#[derive(Debug, Serialize)]
struct Counts {
    saved: u64,
    queued: u64,
    parked: u64,
    quarantined: u64,
    refused: u64,
    skipped: BTreeMap<String, u64>,
}

/// What the ledger knows; nothing before the first run.
#[derive(Default)]
struct Noted {
    mailboxes: Vec<MailboxStatus>,
    counts: StatusCounts,
    crm_state: Option<String>,
}

pub(super) async fn status(path: &Path, json: bool) -> Result<(), Trouble> {
    let config = load(path)?;
    let noted = match Ledger::open_read_only(&config.ledger.path) {
        Ok(ledger) => Noted {
            mailboxes: ledger.mailboxes().await?,
            counts: ledger.counts().await?,
            crm_state: ledger.meta("crm_state").await?,
        },
        // Nothing has run yet: that too is a state, and no trouble.
        Err(error @ Error::Absent { .. }) => {
            eprintln!("mailcrm: {error}");
            Noted::default()
        }
        Err(error) => return Err(error.into()),
    };
    let daemon = Ledger::writer(&config.ledger.path);
    let status = assemble(&config, noted, daemon.is_some(), unix_now());
    let mut out = print::standard();
    if json {
        out.json(&status)?;
    } else {
        write(&mut out, &status, daemon.as_deref())?;
    }
    Ok(out.flush()?)
}

fn assemble(config: &Config, mut noted: Noted, running: bool, now: i64) -> Status {
    let mailboxes = config
        .mailboxes
        .iter()
        .map(|mailbox| {
            let known = noted.mailboxes.iter().position(|known| {
                known.name == mailbox.name
                    && known.host == mailbox.imap.host
                    && known.username == mailbox.imap.username
            });
            let known = known.map(|index| noted.mailboxes.swap_remove(index));
            // Without a daemon what the ledger says is what was, be it killed or stopped.
            let state = match &known {
                Some(known) if running => known.state.clone(),
                Some(_) | None => "stopped".to_owned(),
            };
            let (folders, last_error) = match known {
                Some(known) => (known.folders, known.last_error),
                None => (Vec::new(), None),
            };
            let folders = folders.into_iter().map(|folder| FolderLine {
                name: folder.name,
                role: folder.role,
                uid_validity: folder.uid_validity,
                next_uid: folder.uid_next,
                behind: folder.behind,
            });
            MailboxLine {
                name: mailbox.name.clone(),
                state,
                folders: folders.collect(),
                last_error,
            }
        })
        .collect();
    let counts = &noted.counts;
    let of = |state: State| counts.states.get(state.as_str()).copied().unwrap_or_default();
    Status {
        mailboxes,
        outbox: Outbox {
            queued: counts.queued,
            deferred: counts.deferred,
            refused: counts.refused,
            // A clock that was set back makes nothing older than now.
            oldest_seconds: counts.oldest.map(|at| u64::try_from(now - at).unwrap_or(0)),
        },
        crm: CrmLine {
            kind: match config.crm.as_ref().map(|crm| crm.kind) {
                Some(CrmKind::Bitrix24) => "bitrix24",
                Some(CrmKind::Sandbox) | None => "sandbox",
            },
            state: noted.crm_state.unwrap_or_else(|| "open".to_owned()),
        },
        messages: Counts {
            saved: of(State::Saved),
            queued: of(State::Queued),
            parked: of(State::Parked),
            quarantined: of(State::Quarantined),
            refused: of(State::Refused),
            skipped: counts.skipped.clone(),
        },
    }
}

/// One fact a line, the kind of fact first, what may hold blanks last.
fn write<W: std::io::Write>(
    out: &mut Out<W>,
    status: &Status,
    daemon: Option<&str>,
) -> Result<(), print::Error> {
    match daemon {
        Some(pid) => out.line(&format!("daemon    running  process {pid}"))?,
        None => out.line(&format!("daemon    {}", out.paint(Colour::Yellow, "stopped")))?,
    }
    let crm = &status.crm;
    let state = match crm.state.as_str() {
        "blocked" => out.paint(Colour::Red, "blocked"),
        "deferred" => out.paint(Colour::Yellow, "deferred"),
        other => other.to_owned(),
    };
    out.line(&format!("crm       {}  {state}", crm.kind))?;
    let outbox = &status.outbox;
    let oldest = outbox.oldest_seconds.map(|seconds| format!("  oldest {seconds} s"));
    out.line(&format!(
        "outbox    queued {}  deferred {}  refused {}{}",
        outbox.queued,
        outbox.deferred,
        outbox.refused,
        oldest.unwrap_or_default()
    ))?;
    let counts = &status.messages;
    out.line(&format!(
        "messages  saved {}  queued {}  parked {}  quarantined {}  refused {}  skipped {}",
        counts.saved,
        counts.queued,
        counts.parked,
        counts.quarantined,
        counts.refused,
        counts.skipped.values().sum::<u64>()
    ))?;
    for (reason, messages) in &counts.skipped {
        out.line(&format!("skipped   {reason} {messages}"))?;
    }
    for mailbox in &status.mailboxes {
        let state = match mailbox.state.as_str() {
            "blocked" => out.paint(Colour::Red, "blocked"),
            "waiting" | "stopped" => out.paint(Colour::Yellow, &mailbox.state),
            other => other.to_owned(),
        };
        out.line(&format!("mailbox   {}  {state}", mailbox.name))?;
        for folder in &mailbox.folders {
            let next = folder.next_uid.map_or("-".to_owned(), |uid| uid.to_string());
            out.line(&format!(
                "folder    {}  {}  next {next}  behind {}  {}",
                mailbox.name,
                folder.role,
                folder.behind,
                clean(&folder.name)
            ))?;
        }
        if let Some(error) = &mailbox.last_error {
            out.line(&format!("error     {}  {}", mailbox.name, clean(error)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger::FolderStatus;

    fn config() -> (tempfile::TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailcrm.toml");
        let text = "[[mailbox]]\nname = \"sales\"\naddress = \"sales@example.com\"\nowner = 7\n\
                    [mailbox.imap]\nhost = \"imap.example.com\"\nusername = \"sales\"\n\
                    password = \"secret\"\n";
        std::fs::write(&path, text).unwrap();
        let config = crate::config::load(&path, std::iter::empty()).unwrap();
        (folder, config)
    }

    fn noted(username: &str) -> Noted {
        Noted {
            mailboxes: vec![MailboxStatus {
                name: "sales".to_owned(),
                host: "imap.example.com".to_owned(),
                username: username.to_owned(),
                state: "idle".to_owned(),
                last_error: Some("lost\u{1b}[2J".to_owned()),
                folders: vec![
                    FolderStatus {
                        name: "Sent Items".to_owned(),
                        role: "sent".to_owned(),
                        uid_validity: Some(3),
                        uid_next: Some(12),
                        behind: 2,
                    },
                    FolderStatus {
                        name: "Unread".to_owned(),
                        role: "other".to_owned(),
                        uid_validity: None,
                        uid_next: None,
                        behind: 0,
                    },
                ],
            }],
            counts: StatusCounts {
                queued: 1,
                deferred: 2,
                refused: 3,
                oldest: Some(900),
                states: [("saved".to_owned(), 10), ("skipped".to_owned(), 5)].into(),
                skipped: [("internal".to_owned(), 5)].into(),
            },
            crm_state: Some("blocked".to_owned()),
        }
    }

    #[test]
    fn document_bears_the_keys_of_the_contract() {
        let (_folder, config) = config();
        let status = assemble(&config, noted("sales"), true, 1000);
        let wanted = serde_json::json!({
            "mailboxes": [{
                "name": "sales", "state": "idle", "last_error": "lost\u{1b}[2J",
                "folders": [{ "name": "Sent Items", "role": "sent", "uid_validity": 3,
                              "next_uid": 12, "behind": 2 },
                            { "name": "Unread", "role": "other", "uid_validity": null,
                              "next_uid": null, "behind": 0 }],
            }],
            "outbox": { "queued": 1, "deferred": 2, "refused": 3, "oldest_seconds": 100 },
            "crm": { "kind": "sandbox", "state": "blocked" },
            "messages": { "saved": 10, "queued": 0, "parked": 0, "quarantined": 0, "refused": 0,
                          "skipped": { "internal": 5 } },
        });
        assert_eq!(serde_json::to_value(status).unwrap(), wanted);
    }

    #[test]
    fn without_a_daemon_every_mailbox_is_stopped() {
        let (_folder, config) = config();
        let cases = [
            ("running", noted("sales"), true, "idle"),
            ("killed", noted("sales"), false, "stopped"),
            ("other username", noted("other"), true, "stopped"),
            ("never run", Noted::default(), false, "stopped"),
        ];
        for (name, noted, running, state) in cases {
            let status = assemble(&config, noted, running, 1000);
            let states: Vec<&str> =
                status.mailboxes.iter().map(|mailbox| mailbox.state.as_str()).collect();
            assert_eq!(states, [state], "{name}");
        }
    }

    #[test]
    fn status_is_told_in_lines() {
        let (_folder, config) = config();
        let status = assemble(&config, noted("sales"), true, 1000);
        let mut octets = Vec::new();
        let mut out = Out::new(&mut octets, false, false);
        write(&mut out, &status, Some("42")).unwrap();
        out.flush().unwrap();
        drop(out);
        let text = String::from_utf8(octets).unwrap();
        let wanted = "daemon    running  process 42\n\
                      crm       sandbox  blocked\n\
                      outbox    queued 1  deferred 2  refused 3  oldest 100 s\n\
                      messages  saved 10  queued 0  parked 0  quarantined 0  refused 0  skipped 5\n\
                      skipped   internal 5\n\
                      mailbox   sales  idle\n\
                      folder    sales  sent  next 12  behind 2  Sent Items\n\
                      folder    sales  other  next -  behind 0  Unread\n\
                      error     sales  lost [2J\n";
        assert_eq!(text, wanted);
    }
}
