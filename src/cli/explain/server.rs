//! A message that the ledger does not know: where it lies on the server, and why it was not read.

use futures_util::StreamExt;
use serde_json::json;

use super::super::named::folder_row;
use super::super::print::{clean, rfc3339};
use super::super::shown::{Shown, ShownPlace};
use super::told;
use crate::config::{Config, Mailbox};
use crate::folder::FolderName;
use crate::imap::{self, FolderProbe, Probe};
use crate::ledger::{self, FolderRow, Ledger, Named};
use crate::message::{self, Message};
use crate::rules::{Evidence, Reason};

/// Places that are shown.
const MOST: usize = 20;
/// Mailboxes looked at at once.
const AT_ONCE: usize = 8;

/// One place of a message on a server.
struct Found {
    mailbox: String,
    folder: String,
    uid_validity: u32,
    uid: u32,
    message: Option<Message>,
    internal_date: Option<i64>,
    why: Why,
}

/// Why it was not read.
struct Why {
    reason: Option<Reason>,
    text: String,
    mend: String,
}

/// What a look at the servers found.
pub(super) enum Looked {
    /// The ledger knows it after all, by this place.
    Known(Named),
    Found(Unseen),
    /// Nowhere; what could not be looked at.
    Nowhere(Vec<String>),
}

/// A message that lies on a server and was not read.
pub(super) struct Unseen {
    found: Vec<Found>,
    owner: u64,
}

/// Looks for a message on the servers of the configured mailboxes.
///
/// # Errors
/// If the ledger cannot be read. A server that cannot be reached is told with what was not found.
pub(super) async fn look(
    config: &Config,
    ledger: &Ledger,
    named: &Named,
) -> Result<Looked, ledger::Error> {
    let mut found: Vec<Found> = Vec::new();
    let mut troubles = Vec::new();
    let wanted = config.mailboxes.iter().filter(|mailbox| match named {
        Named::Number(_) => false,
        Named::Place { mailbox: name, .. } => *name == mailbox.name,
        Named::MessageId(_) => true,
    });
    let mut looks = futures_util::stream::iter(wanted)
        .map(|mailbox| async move {
            let mut found = Vec::new();
            let known = imap::safely(look_into(mailbox, ledger, named, &mut found)).await;
            (mailbox, known, found)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((mailbox, known, more)) = looks.next().await {
        match known {
            Ok(None) => {}
            Ok(Some(known)) => return Ok(Looked::Known(known)),
            Err(imap::Error::Ledger(error)) => return Err(error),
            Err(error) => troubles.push(format!("{}: {}", mailbox.name, crate::causes(&error))),
        }
        found.extend(more);
        if found.len() >= MOST {
            break;
        }
    }
    if found.is_empty() {
        return Ok(Looked::Nowhere(troubles));
    }
    let owners = config.mailboxes.iter().map(|mailbox| (mailbox.name.as_str(), mailbox.owner));
    Ok(Looked::Found(Unseen::new(found, owners)))
}

async fn look_into(
    mailbox: &Mailbox,
    ledger: &Ledger,
    named: &Named,
    found: &mut Vec<Found>,
) -> Result<Option<Named>, imap::Error> {
    let mut probe = Probe::open(mailbox).await?;
    let folders: Vec<FolderProbe> = probe.folders().to_vec();
    for folder in folders.iter().filter(|folder| folder.selectable) {
        if let Named::Place { folder: name, .. } = named
            && FolderName::new(name) != FolderName::new(&folder.name)
        {
            continue;
        }
        let uid_validity = match probe.select(folder).await {
            // One that cannot be opened holds nothing that could be shown.
            Err(imap::Error::No { .. }) => continue,
            other => other?,
        };
        let uids = match named {
            Named::MessageId(id) => probe.with_id(folder, id).await?,
            Named::Place { uid, .. } => vec![*uid],
            Named::Number(_) => Vec::new(),
        };
        let mut rest: Vec<u32> = uids.into_iter().take(MOST).collect();
        while !rest.is_empty() {
            let (headers, postponed) = probe.headers(&rest).await?;
            rest = postponed;
            for header in headers {
                let parsed = message::parse(&header.raw).ok();
                // HEADER finds parts of an id as well (RFC 3501 §6.4.4).
                if let Named::MessageId(id) = named
                    && parsed.as_ref().and_then(|message| message.message_id.as_ref()) != Some(id)
                {
                    continue;
                }
                let row = folder_row(ledger, mailbox, &folder.name).await?;
                let uid = header.uid;
                let placed = match &row {
                    Some(row) if row.uid_validity == uid_validity && uid_validity != 0 => {
                        let placed = ledger.placed_uids(row.id, uid_validity, uid, uid).await?;
                        !placed.is_empty()
                    }
                    Some(_) | None => false,
                };
                if placed {
                    let (mailbox, folder) = (mailbox.name.clone(), folder.name.clone());
                    return Ok(Some(Named::Place { mailbox, folder, uid }));
                }
                found.push(Found {
                    mailbox: mailbox.name.clone(),
                    folder: folder.name.clone(),
                    uid_validity,
                    uid,
                    message: parsed,
                    internal_date: header.internal_date,
                    why: why(&mailbox.name, folder, row.as_ref(), uid_validity, uid),
                });
            }
        }
    }
    probe.close().await;
    Ok(None)
}

fn why(
    mailbox: &str,
    folder: &FolderProbe,
    row: Option<&FolderRow>,
    uid_validity: u32,
    uid: u32,
) -> Why {
    let name = &folder.name;
    if !folder.synced {
        let reason = Reason::of_folder(folder.role);
        return match reason {
            Some(reason) => Why {
                reason: Some(reason),
                text: format!(
                    "Folder {name} is the mailbox's {} folder and is not synchronised. {}",
                    folder.role,
                    reason.sentence()
                ),
                mend: reason.mend().to_owned(),
            },
            None => Why {
                reason: None,
                text: format!("Folder {name} is not synchronised."),
                mend: format!(
                    "Add {name:?} to `folders.sync` of {mailbox} and reload, or move the message \
                     into a folder that is."
                ),
            },
        };
    }
    let not_yet = |text: String| Why {
        reason: None,
        text,
        mend:
            "Wait until the daemon is there; `mailcrm status` shows how far it is and what keeps \
               it."
            .to_owned(),
    };
    match row {
        None => not_yet(format!("Folder {name} was not read yet.")),
        Some(row) if row.uid_validity == 0 => not_yet(format!("Folder {name} was not read yet.")),
        Some(row) if row.uid_validity != uid_validity => {
            not_yet(format!("The server numbered folder {name} anew, and it was not read since."))
        }
        Some(row) if uid <= row.floor => Why {
            reason: Some(Reason::BeforeHistory),
            text: Reason::BeforeHistory.sentence().to_owned(),
            mend: Reason::BeforeHistory.mend().to_owned(),
        },
        Some(row) if uid > row.cursor => {
            not_yet(format!("Folder {name} is done up to UID {}.", row.cursor))
        }
        Some(_) => Why {
            reason: None,
            text: format!("Folder {name} was gone through, and it was not listed then."),
            mend: "Run `mailcrm reconcile --repair`: it is read then.".to_owned(),
        },
    }
}

impl Unseen {
    /// In the order of mailboxes and folders; the first one's owner stands for it.
    fn new<'a>(mut found: Vec<Found>, owners: impl Iterator<Item = (&'a str, u64)>) -> Unseen {
        found.sort_by(|one, other| {
            (&one.mailbox, &one.folder).cmp(&(&other.mailbox, &other.folder))
        });
        let first = found.first().map(|found| found.mailbox.as_str());
        let owner = owners.into_iter().find(|(name, _)| Some(*name) == first);
        Unseen { owner: owner.map_or(0, |(_, owner)| owner), found }
    }

    /// The same as for a message of the ledger, without a number and without a state.
    pub(super) fn shown(&self, zone: &jiff::tz::TimeZone) -> Shown {
        let first = self.found.first();
        let message = first.and_then(|found| found.message.as_ref());
        let evidence: Vec<Evidence> = self
            .found
            .iter()
            .flat_map(|found| {
                [
                    Evidence::new("server", format!("lies in {}, unread", found.place())),
                    Evidence::new("why", format!("{} {}", found.why.text, found.why.mend)),
                ]
            })
            .collect();
        let reason = first.and_then(|found| found.why.reason);
        Shown {
            id: None,
            message_id: message.and_then(|message| message.message_id.clone()),
            fingerprint: None,
            mailbox: first.map(|found| found.mailbox.clone()),
            places: self
                .found
                .iter()
                .map(|found| ShownPlace {
                    mailbox: found.mailbox.clone(),
                    folder: found.folder.clone(),
                    uid_validity: found.uid_validity,
                    uid: found.uid,
                })
                .collect(),
            direction: None,
            class: None,
            from: message.and_then(|message| Some(message.from.as_ref()?.email.clone())),
            subject: message.map(|message| message.subject.clone()).unwrap_or_default(),
            state: None,
            reason: reason.map(|reason| reason.code().to_owned()),
            evidence: json!(evidence),
            candidates: json!([]),
            cards: Vec::new(),
            activity_id: None,
            responsible: None,
            owner: self.owner,
            received_at: first
                .and_then(|found| {
                    found.internal_date.or(found.message.as_ref().and_then(|one| one.date))
                })
                .map(|at| rfc3339(at, zone)),
            recorded_at: None,
            activity_created_at: None,
            activity_completed_at: None,
            attempts: Vec::new(),
        }
    }

    pub(super) fn lines(&self, zone: &jiff::tz::TimeZone) -> Vec<String> {
        let mut lines = vec!["not in the ledger: mailcrm did not read this message".to_owned()];
        if let Some(message) = self.found.first().and_then(|found| found.message.as_ref()) {
            let subject = match clean(&message.subject) {
                subject if subject.is_empty() => "(no subject)".to_owned(),
                subject => subject,
            };
            lines.push(format!("  subject      {subject}"));
            let from = message.from.as_ref().map(|from| clean(&from.email));
            lines.push(format!(
                "  from         {}",
                from.unwrap_or("(no sender can be read)".to_owned())
            ));
            if let Some(id) = &message.message_id {
                lines.push(format!("  message-id   <{}>", clean(id)));
            }
        }
        for found in &self.found {
            let mut why = vec![clean(&found.why.text)];
            if let Some(at) = found.internal_date {
                why.push(format!("It arrived at {}.", rfc3339(at, zone)));
            }
            why.push(format!("mend: {}", clean(&found.why.mend)));
            told::section(&format!("lies in {}", clean(&found.place())), why, &mut lines);
        }
        lines
    }
}

impl Found {
    fn place(&self) -> String {
        format!("{}/{}/{}", self.mailbox, self.folder, self.uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mailbox: &str, folder: &str) -> Found {
        let why = Why { reason: None, text: String::new(), mend: String::new() };
        let (mailbox, folder) = (mailbox.to_owned(), folder.to_owned());
        let (message, internal_date) = (None, None);
        Found { mailbox, folder, uid_validity: 1, uid: 1, message, internal_date, why }
    }

    #[test]
    fn owner_is_that_of_the_mailbox_that_is_shown_first() {
        #[rustfmt::skip]
        let cases = [
            ("one",           vec![found("sales", "INBOX")],                          9),
            ("later first",   vec![found("sales", "INBOX"), found("info", "Sent")],   7),
            ("in order",      vec![found("info", "INBOX"), found("sales", "INBOX")],  7),
            ("not there now", vec![found("gone", "INBOX")],                           0),
        ];
        for (name, found, owner) in cases {
            let unseen = Unseen::new(found, [("info", 7), ("sales", 9)].into_iter());
            assert_eq!(unseen.owner, owner, "{name}");
            assert_eq!(unseen.shown(&jiff::tz::TimeZone::UTC).owner, owner, "{name}");
        }
    }
}
