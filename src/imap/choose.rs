//! Which of the server's folders are watched, and what each is for.

use std::collections::HashSet;

use super::catch_up::Folder;
use super::link::Listed;
use crate::config::Mailbox;
use crate::folder::{ConfiguredRoles, Role, folder_for, role_of};
use crate::rules::admit::lies_in;

/// Folders to watch, and names that no folder bears.
pub(super) struct Chosen {
    pub watched: Vec<Folder>,
    pub missing: Vec<String>,
}

/// Days of history of the folder for what is saved by hand: more than mail is old. Who copies an old
/// mail into it means that mail.
const ALL_DAYS: u32 = 20_000;

/// The days of history that are read of a folder where `configured` is what the mailbox says.
pub(super) fn history_days(by_hand: bool, configured: u32) -> u32 {
    if by_hand { ALL_DAYS } else { configured }
}

/// How a person says by laying a message into this folder that they want it in the CRM.
pub(super) fn by_hand(folder: &Folder) -> Option<std::sync::Arc<str>> {
    folder.by_hand.then(|| lies_in(folder.listed.name.as_str()).into())
}

/// Folders as `folders.sync` names them, by name or role, the inbox and the sent folder if it names
/// none; and the one for what is saved by hand.
pub(super) fn chosen(mailbox: &Mailbox, listed: &[Listed]) -> Chosen {
    let roles = roles(mailbox, listed);
    let default = ["\\Inbox".to_owned(), "\\Sent".to_owned()];
    let wanted = mailbox.folders.sync.as_deref().unwrap_or(&default);
    let mut watched: Vec<Folder> = Vec::new();
    let mut missing = Vec::new();
    for name in wanted {
        match find(name, listed, &roles) {
            None => missing.push(name.clone()),
            Some(index) => {
                let (Some(found), Some((role, _))) = (listed.get(index), roles.get(index)) else {
                    continue;
                };
                if !watched.iter().any(|known| known.listed.wire == found.wire) {
                    watched.push(Folder { listed: found.clone(), role: *role, by_hand: false });
                }
            }
        }
    }
    if let Some(name) = &mailbox.crm.save_folder {
        let found = by_name(name, listed);
        match found.and_then(|index| Some((listed.get(index)?, roles.get(index)?.0))) {
            None => missing.push(name.clone()),
            Some((found, role)) => {
                let known = watched.iter_mut().find(|known| known.listed.wire == found.wire);
                match known {
                    Some(known) => known.by_hand = true,
                    None => {
                        watched.push(Folder { listed: found.clone(), role, by_hand: true });
                    }
                }
            }
        }
    }
    Chosen { watched, missing }
}

/// What each listed folder is for, and who said so.
pub(super) fn roles(mailbox: &Mailbox, listed: &[Listed]) -> Vec<(Role, &'static str)> {
    let full = |name: &Option<String>| {
        let name = name.as_deref()?;
        Some(
            by_name(name, listed)
                .and_then(|index| listed.get(index))
                .map_or_else(|| name.to_owned(), |found| found.name.as_str().to_owned()),
        )
    };
    let configured = ConfiguredRoles {
        sent: full(&mailbox.folders.sent),
        spam: full(&mailbox.folders.spam),
        trash: full(&mailbox.folders.trash),
        drafts: full(&mailbox.folders.drafts),
    };
    listed
        .iter()
        .map(|folder| {
            let attributes: Vec<&str> = folder.attributes.iter().map(String::as_str).collect();
            role_of(folder.name.as_str(), folder.delimiter, &attributes, &configured)
        })
        .collect()
}

fn find(name: &str, listed: &[Listed], roles: &[(Role, &'static str)]) -> Option<usize> {
    if let Some(role) = name.strip_prefix('\\').and_then(|_| Role::of_flag(name)) {
        if role == Role::Inbox {
            // Also where the configuration makes it the spam folder.
            return listed.iter().position(|folder| folder.name.is_inbox());
        }
        let named = listed
            .iter()
            .zip(roles)
            .filter(|(folder, _)| folder.selectable)
            .map(|(folder, role)| (folder.name.as_str(), folder.delimiter, *role));
        let best = folder_for(role, named)?.to_owned();
        return listed.iter().position(|folder| folder.name.as_str() == best);
    }
    by_name(name, listed)
}

/// The folder of this name, whole or below the inbox or another root (Courier and Cyrus keep
/// all folders below INBOX).
fn by_name(name: &str, listed: &[Listed]) -> Option<usize> {
    let whole = crate::folder::FolderName::new(name);
    let exact = |folder: &Listed| folder.selectable && folder.name == whole;
    if let Some(index) = listed.iter().position(exact) {
        return Some(index);
    }
    let below = |folder: &Listed| {
        let parents = folder.name.as_str().strip_suffix(name);
        folder.delimiter.zip(parents).is_some_and(|(delimiter, parents)| {
            parents.strip_suffix(delimiter).is_some_and(|parents| !parents.is_empty())
        })
    };
    let mut found =
        listed.iter().enumerate().filter(|(_, folder)| folder.selectable && below(folder));
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Some(index),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

/// The folders that the configuration names, where the server's list of them cannot be read.
pub(super) fn unlisted(mailbox: &Mailbox) -> Vec<Listed> {
    let folders = &mailbox.folders;
    let roles = [&folders.sent, &folders.spam, &folders.trash, &folders.drafts];
    let mut names: Vec<&str> = vec!["INBOX"];
    names.extend(folders.sync.iter().flatten().map(String::as_str));
    names.extend(roles.into_iter().flatten().map(String::as_str));
    names.extend(mailbox.crm.save_folder.as_deref());
    // A name outside of ASCII is written otherwise on the wire, and how depends on the server.
    names.retain(|name| name.is_ascii() && !name.starts_with('\\') && !name.contains('&'));
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.to_ascii_uppercase()));
    names.into_iter().map(Listed::bare).collect()
}
