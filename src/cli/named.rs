//! What a person means by MESSAGE, and what to say if there is none.

use crate::config::{Config, Mailbox};
use crate::folder::FolderName;
use crate::ledger::{self, FolderRow, Ledger, MailboxId, Named};
use crate::message::identity::normalise_id;
use crate::rules::Reason;

/// Reads MESSAGE: digits are a ledger number; a first segment that is a mailbox with a last
/// segment of digits is a place; anything else is a Message-ID. `None` for a name that no message
/// can have.
pub(super) fn parse(text: &str, is_mailbox: impl Fn(&str) -> bool) -> Option<Named> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    if digits(text) {
        return text.parse().ok().map(Named::Number);
    }
    if let Some((mailbox, rest)) = text.split_once('/')
        && let Some((folder, uid)) = rest.rsplit_once('/')
        && !folder.is_empty()
        && digits(uid)
        && is_mailbox(mailbox)
    {
        let folder = FolderName::new(folder).as_str().to_owned();
        let uid = uid.parse().ok()?;
        return Some(Named::Place { mailbox: mailbox.to_owned(), folder, uid });
    }
    normalise_id(text).map(Named::MessageId)
}

/// Why no message bears this name, and where to look.
pub(super) async fn not_found(
    ledger: &Ledger,
    config: &Config,
    written: &str,
    named: Option<&Named>,
) -> Result<String, ledger::Error> {
    match named {
        None => Ok(format!("{written}: names no message")),
        Some(Named::Number(id)) => {
            Ok(format!("no message {id} in the ledger; mailcrm messages lists them"))
        }
        Some(Named::MessageId(id)) => Ok(no_message_id(config, written, id)),
        Some(Named::Place { mailbox, folder, uid }) => {
            match config.mailboxes.iter().find(|known| known.name == *mailbox) {
                None => Ok(format!(
                    "mailbox {mailbox} is not configured any more, and the ledger knows no \
                     {folder}/{uid} of it"
                )),
                Some(mailbox) => no_place(ledger, mailbox, folder, *uid).await,
            }
        }
    }
}

fn no_message_id(config: &Config, written: &str, id: &str) -> String {
    let place = written.split_once('/').zip(written.rsplit_once('/'));
    if let Some(((mailbox, _), (_, uid))) = place
        && !uid.is_empty()
        && uid.bytes().all(|octet| octet.is_ascii_digit())
        && !written.contains('@')
    {
        return format!(
            "{written}: no mailbox {mailbox}, and no message with such a Message-ID; {}",
            configured(config)
        );
    }
    format!(
        "no message with Message-ID <{id}> in the ledger, nor found in a folder of the configured \
         mailboxes"
    )
}

/// The mailbox as the ledger numbers it; `None` if it was never read under this login.
pub(super) async fn known_id(
    ledger: &Ledger,
    mailbox: &Mailbox,
) -> Result<Option<MailboxId>, ledger::Error> {
    let imap = &mailbox.imap;
    ledger.mailbox_id(mailbox.name.clone(), imap.host.clone(), imap.username.clone()).await
}

/// What the ledger has of a folder; `None` if it was never read under this login.
pub(super) async fn folder_row(
    ledger: &Ledger,
    mailbox: &Mailbox,
    folder: &str,
) -> Result<Option<FolderRow>, ledger::Error> {
    let (host, username) = (mailbox.imap.host.clone(), mailbox.imap.username.clone());
    ledger.folder_if_known(mailbox.name.clone(), host, username, folder.to_owned()).await
}

async fn no_place(
    ledger: &Ledger,
    mailbox: &Mailbox,
    folder: &str,
    uid: u32,
) -> Result<String, ledger::Error> {
    let name = &mailbox.name;
    let Some(row) = folder_row(ledger, mailbox, folder).await? else {
        let read: Vec<String> = ledger
            .mailboxes()
            .await?
            .into_iter()
            .filter(|known| known.name == *name && known.host == mailbox.imap.host)
            .filter(|known| known.username == mailbox.imap.username)
            .flat_map(|known| known.folders)
            .map(|folder| folder.name)
            .collect();
        let read = if read.is_empty() { "none yet".to_owned() } else { read.join(", ") };
        return Ok(format!(
            "folder {folder} of {name} is not synchronised, so its messages have no state; add it \
             to folders.sync of {name} (read so far: {read})"
        ));
    };
    Ok(format!("{name}/{folder}/{uid}: {}", no_uid(uid, row.uid_validity, row.floor, row.cursor)))
}

fn no_uid(uid: u32, uid_validity: u32, floor: u32, cursor: u32) -> String {
    if uid_validity == 0 {
        return "the folder was not read yet; mailcrm status shows how far it is".to_owned();
    }
    if uid <= floor {
        let reason = Reason::BeforeHistory;
        return format!("{reason}: {} {}", reason.sentence(), reason.mend());
    }
    if uid > cursor {
        return format!(
            "not read yet, the folder is done up to UID {cursor}; mailcrm status shows how far it \
             is behind"
        );
    }
    "no message had this UID when the folder was read: it had left the server before".to_owned()
}

/// The configured mailbox of this name, or what to say.
pub(super) fn mailbox<'a>(config: &'a Config, name: &str) -> Result<&'a Mailbox, String> {
    let found = config.mailboxes.iter().find(|mailbox| mailbox.name == name);
    found.ok_or_else(|| format!("no mailbox {name}; {}", configured(config)))
}

fn configured(config: &Config) -> String {
    let names: Vec<&str> = config.mailboxes.iter().map(|mailbox| mailbox.name.as_str()).collect();
    if names.is_empty() {
        return "none is configured".to_owned();
    }
    format!("configured: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_meant_by_number_place_or_message_id() {
        let place = |mailbox: &str, folder: &str, uid| {
            Some(Named::Place { mailbox: mailbox.to_owned(), folder: folder.to_owned(), uid })
        };
        let id = |id: &str| Some(Named::MessageId(id.to_owned()));
        #[rustfmt::skip]
        let cases = [
            ("number",                "4712",                   Some(Named::Number(4712))),
            ("place",                 "sales/INBOX/17",         place("sales", "INBOX", 17)),
            ("inbox without case",    "sales/inbox/17",         place("sales", "INBOX", 17)),
            ("folder with slashes",   "sales/[Gmail]/Sent/9",   place("sales", "[Gmail]/Sent", 9)),
            ("folder with blanks",    "sales/Sent Items/9",     place("sales", "Sent Items", 9)),
            ("unknown mailbox",       "other/INBOX/17",         id("other/INBOX/17")),
            ("no folder",             "sales/17",               id("sales/17")),
            ("empty folder",          "sales//17",              id("sales//17")),
            ("last is no number",     "sales/INBOX/x",          id("sales/INBOX/x")),
            ("message id",            "a.b@example.com",        id("a.b@example.com")),
            ("in brackets",           "<a.b@example.com>",      id("a.b@example.com")),
            ("digits in brackets",    "<4712>",                 id("4712")),
            ("id with slashes",       "a/b/1@example.com",      id("a/b/1@example.com")),
            ("empty",                 "",                       None),
            ("brackets only",         "<>",                     None),
            ("number beyond all",     "99999999999999999999",   None),
            ("UID beyond all",        "sales/INBOX/4294967296", None),
        ];
        for (name, text, named) in cases {
            assert_eq!(parse(text, |mailbox| mailbox == "sales"), named, "{name}");
        }
    }

    #[test]
    fn uid_without_a_row_is_explained_by_floor_and_cursor() {
        #[rustfmt::skip]
        let cases = [
            ("never read",   (5,  0, 0,  0),  "not read yet; mailcrm status"),
            ("under floor",  (5,  1, 9,  20), "before-history: "),
            ("at floor",     (9,  1, 9,  20), "before-history: "),
            ("in between",   (10, 1, 9,  20), "no message had this UID"),
            ("at cursor",    (20, 1, 9,  20), "no message had this UID"),
            ("above cursor", (21, 1, 9,  20), "done up to UID 20"),
        ];
        for (name, (uid, uid_validity, floor, cursor), words) in cases {
            let text = no_uid(uid, uid_validity, floor, cursor);
            assert!(text.contains(words), "{name}: {text}");
        }
    }
}
