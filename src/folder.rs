//! What a folder is for, and how far it is done. Pure.
//!
//! A role comes from the configuration, else from what the server says (SPECIAL-USE, RFC 6154, or
//! the older XLIST), else from a well-known name in one of many languages.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

mod cursor;
mod names;

pub use cursor::{FolderCursor, Selected, Step, advance, floor_under, next_step, window_start};

/// A folder's name in the one form that is stored and compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct FolderName(String);

impl FolderName {
    /// `INBOX` is the one name without case (RFC 3501 §5.1); all others keep theirs.
    pub fn new(name: &str) -> FolderName {
        if name.eq_ignore_ascii_case("INBOX") {
            return FolderName("INBOX".to_owned());
        }
        FolderName(name.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }
}

impl From<String> for FolderName {
    fn from(name: String) -> FolderName {
        FolderName::new(&name)
    }
}

impl From<FolderName> for String {
    fn from(name: FolderName) -> String {
        name.0
    }
}

impl std::fmt::Display for FolderName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a folder is for. The lower-case name is public (`status`, `check`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Inbox,
    Sent,
    Spam,
    Trash,
    Drafts,
    /// Every message of the mailbox once more (Gmail's All Mail).
    All,
    Archive,
    Other,
}

impl Role {
    pub const ALL: [Role; 8] = [
        Role::Inbox,
        Role::Sent,
        Role::Spam,
        Role::Trash,
        Role::Drafts,
        Role::All,
        Role::Archive,
        Role::Other,
    ];

    /// The public name, such as `spam`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Inbox => "inbox",
            Role::Sent => "sent",
            Role::Spam => "spam",
            Role::Trash => "trash",
            Role::Drafts => "drafts",
            Role::All => "all",
            Role::Archive => "archive",
            Role::Other => "other",
        }
    }

    /// The role with this public name, if there is one.
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// The role that a flag of LIST names.
    ///
    /// Case and the leading backslash make no difference; an entry of `folders.sync` is a role
    /// only *with* the backslash, and that is for the caller to see. `\Junk` is RFC 6154's word
    /// for spam, `\Spam`, `\AllMail` and `\Inbox` are XLIST's (Gmail before 2013, Yandex, mail.ru).
    pub fn of_flag(flag: &str) -> Option<Role> {
        let flag = flag.strip_prefix('\\').unwrap_or(flag);
        FLAGS.iter().find(|(known, _)| flag.eq_ignore_ascii_case(known)).map(|(_, role)| *role)
    }

    /// Whether nothing that lies in such a folder is saved by itself (rule 1).
    pub fn keeps_out(self) -> bool {
        match self {
            Role::Spam | Role::Trash | Role::Drafts => true,
            Role::Inbox | Role::Sent | Role::All | Role::Archive | Role::Other => false,
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

const FLAGS: [(&str, Role); 10] = [
    ("Inbox", Role::Inbox),
    ("Sent", Role::Sent),
    ("Junk", Role::Spam),
    ("Spam", Role::Spam),
    ("Trash", Role::Trash),
    ("Drafts", Role::Drafts),
    ("All", Role::All),
    ("AllMail", Role::All),
    ("Archive", Role::Archive),
    ("Archives", Role::Archive),
];

/// The folders that the configuration names (`[mailbox.folders]`); `None`: found by ourselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfiguredRoles {
    pub sent: Option<String>,
    pub spam: Option<String>,
    pub trash: Option<String>,
    pub drafts: Option<String>,
}

impl ConfiguredRoles {
    /// The folder configured for a role; an empty name is none.
    fn named(&self, role: Role) -> Option<&str> {
        let name = match role {
            Role::Sent => &self.sent,
            Role::Spam => &self.spam,
            Role::Trash => &self.trash,
            Role::Drafts => &self.drafts,
            Role::Inbox | Role::All | Role::Archive | Role::Other => &None,
        };
        name.as_deref().filter(|name| !name.is_empty())
    }

    /// The role that the configuration gives a folder, the ones that keep mail out first: a
    /// folder named as both spam and sent must not reach the CRM.
    fn role_of(&self, folder: &FolderName) -> Option<Role> {
        [Role::Spam, Role::Trash, Role::Drafts, Role::Sent]
            .into_iter()
            .find(|role| self.named(*role).is_some_and(|name| same_folder(name, folder)))
    }
}

/// Who said what a folder is for, as `check` shows it.
pub const BY_CONFIGURATION: &str = "configuration";
pub const BY_SPECIAL_USE: &str = "special-use";
pub const BY_NAME: &str = "name";

/// Finds what a folder is for, and who said so: `configuration`, `special-use` or `name`.
///
/// `name` is decoded from modified UTF-7; `delimiter` is LIST's, `None` where there is no
/// hierarchy; `attributes` are LIST's flags.
///
/// A role that the configuration gives to one folder is not given to another for its name. For
/// the sent folder not for its flag either: which one it is has one answer. A folder that the
/// *server* uses for spam, trash or drafts stays that beside the configured one, for filing junk
/// is the worse mistake.
pub fn role_of(
    name: &str,
    delimiter: Option<char>,
    attributes: &[&str],
    configured: &ConfiguredRoles,
) -> (Role, &'static str) {
    let folder = FolderName::new(name);
    // Also for INBOX: spam folder = inbox is the FAQ's trap, and must be shown as what it is.
    if let Some(role) = configured.role_of(&folder) {
        return (role, BY_CONFIGURATION);
    }
    // Before the flags: the inbox is the inbox by protocol, whatever else the server calls it.
    if folder.is_inbox() {
        return (Role::Inbox, BY_NAME);
    }
    // Several flags on one folder: what keeps mail out is asked first.
    let flagged =
        [Role::Spam, Role::Trash, Role::Drafts, Role::Sent, Role::Inbox, Role::All, Role::Archive];
    for role in flagged {
        let taken = role == Role::Sent && configured.named(role).is_some();
        if !taken && attributes.iter().any(|flag| Role::of_flag(flag) == Some(role)) {
            return (role, BY_SPECIAL_USE);
        }
    }
    match named_role(name, delimiter) {
        Some(role) if configured.named(role).is_none() => (role, BY_NAME),
        Some(_) | None => (Role::Other, BY_NAME),
    }
}

/// Of several folders with one role the one to write to: what the configuration says before what
/// the server says before a name; then the least deep, for `Archive/2020/Sent Items` is none that
/// is used; among equals the first listed.
///
/// `folders` are names and hierarchy delimiters with the outcome of [`role_of`].
pub fn folder_for<'a>(
    role: Role,
    folders: impl IntoIterator<Item = (&'a str, Option<char>, (Role, &'static str))>,
) -> Option<&'a str> {
    folders
        .into_iter()
        .filter(|(_, _, (found, _))| *found == role)
        .min_by_key(|(name, delimiter, (_, decided_by))| {
            let sure = match *decided_by {
                BY_CONFIGURATION => 0,
                BY_SPECIAL_USE => 1,
                _ => 2,
            };
            (sure, delimiter.map_or(0, |delimiter| name.matches(delimiter).count()))
        })
        .map(|(name, ..)| name)
}

/// The role that a folder's own name tells: its last segment, since many servers keep everything
/// below the inbox (`INBOX.Sent`).
fn named_role(name: &str, delimiter: Option<char>) -> Option<Role> {
    let (parents, last) = match delimiter.and_then(|delimiter| name.rsplit_once(delimiter)) {
        Some((parents, last)) => (parents, last),
        None => ("", name),
    };
    let last = fold(last);
    if matches!(fold(parents).as_str(), "[gmail]" | "[google mail]") {
        // Words like "Todos" or "Wszystkie" mean All Mail only there.
        if let Some(role) = names::in_gmail(&last) {
            return Some(role);
        }
    }
    names::anywhere(&last)
}

/// Whether the configuration's spelling names this folder.
fn same_folder(written: &str, folder: &FolderName) -> bool {
    // Servers and editors differ in how they compose accents; no one tells two folders apart by it.
    FolderName::new(written).0.nfc().eq(folder.0.nfc())
}

/// NFC and lower case, blanks and apostrophes of one kind: how names are compared.
fn fold(name: &str) -> String {
    let composed: String = name.nfc().collect();
    let lower: String = composed.to_lowercase().nfc().collect();
    lower
        // The Turkish capital İ becomes an i with a dot of its own above it.
        .replace("i\u{307}", "i")
        .replace('\u{2019}', "'")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests;
