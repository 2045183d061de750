//! Every key there is: its type, limits, default, and whether it is in force. Pure.
//!
//! The check of a configuration, the messages about it and the test of `config/mailcrm.toml`
//! go by this one table.

use std::collections::BTreeSet;

use super::defaults as d;

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// From the root; `[]` follows the name of an array of tables: `mailbox[].imap.port`.
    pub path: &'static str,
    pub kind: Kind,
    pub default: Default,
    /// Whether it does anything in this version. If not, it is accepted with a warning.
    pub in_force: bool,
}

/// What a value must be.
#[derive(Debug)]
pub enum Kind {
    Flag,
    /// Whole number from `min` to `max`; the texts follow "less than" and "more than".
    Whole {
        min: i64,
        below: &'static str,
        max: i64,
        above: &'static str,
    },
    Real {
        min: f64,
        below: &'static str,
        max: f64,
        above: &'static str,
    },
    Text,
    /// A text that is never shown.
    Secret,
    Texts,
    Choice(&'static [&'static str]),
    /// A list of employees' numbers.
    Employees,
}

/// What holds if the key is not given.
#[derive(Debug)]
pub enum Default {
    /// Required, or absent means that the thing is not there.
    None,
    Flag(bool),
    Whole(i64),
    Real(f64),
    Text(&'static str),
}

impl Default {
    /// As it is written in TOML; `None` if there is no default.
    pub fn written(&self) -> Option<String> {
        match self {
            Default::None => None,
            Default::Flag(flag) => Some(flag.to_string()),
            Default::Whole(number) => Some(number.to_string()),
            Default::Real(number) => Some(format!("{number:?}")),
            Default::Text(text) => Some(format!("{text:?}")),
        }
    }
}

impl Key {
    /// Whether the key is one of those that hold a secret or say where one is.
    pub fn is_about_secrets(&self) -> bool {
        matches!(self.kind, Kind::Secret) || sounds_secret(last(self.path))
    }
}

/// Whether a name is such that its value had better not be shown.
pub fn sounds_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["pass", "pwd", "secret", "token", "credential", "url", "webhook", "key"]
        .iter()
        .any(|word| name.contains(word) && name != "save_keyword")
}

const fn key(path: &'static str, kind: Kind, default: Default) -> Key {
    Key { path, kind, default, in_force: true }
}

const fn later(path: &'static str, kind: Kind, default: Default) -> Key {
    Key { path, kind, default, in_force: false }
}

const fn flag(path: &'static str, default: bool) -> Key {
    key(path, Kind::Flag, Default::Flag(default))
}

const EMPLOYEE: Kind =
    Kind::Whole { min: 1, below: "employees are numbered from 1", max: i64::MAX, above: "" };
const PORT: Kind = Kind::Whole {
    min: 1,
    below: "ports are numbered from 1",
    max: u16::MAX as i64,
    above: "ports end there",
};
const TLS: Kind = Kind::Choice(&["implicit", "starttls", "none"]);
const CREATION: Kind = Kind::Choice(&["lead", "contact", "deal", "none"]);
const POLICY: Kind = Kind::Choice(&["skip", "attach", "normal"]);

/// All keys, in the order in which `config/mailcrm.toml` explains them.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("crm.kind", Kind::Choice(&["bitrix24", "sandbox"]), Default::Text("bitrix24")),
    key("crm.originator", Kind::Text, Default::Text(d::ORIGINATOR)),
    key("crm.url", Kind::Secret, Default::None),
    key("crm.url_file", Kind::Text, Default::None),
    key("crm.url_credential", Kind::Text, Default::None),
    key("crm.requests_per_second", Kind::Real {
        min: d::REQUESTS_PER_SECOND_MIN, below: "nothing would be delivered any more",
        max: d::REQUESTS_PER_SECOND_MAX, above: "which is no limit any more",
    }, Default::Real(d::REQUESTS_PER_SECOND)),
    key("crm.burst", Kind::Whole {
        min: d::BURST_MIN, below: "nothing would be delivered any more",
        max: d::BURST_MAX, above: "which is no limit any more",
    }, Default::Whole(d::BURST)),
    key("crm.edition", Kind::Choice(&["cloud", "on-premise"]), Default::Text("cloud")),
    later("crm.follow_responsible_secs", Kind::Whole {
        min: d::FOLLOW_RESPONSIBLE_SECS_MIN, below: "looking would use up the portal's requests",
        max: d::FOLLOW_RESPONSIBLE_SECS_MAX, above: "which is a day",
    }, Default::Whole(d::FOLLOW_RESPONSIBLE_SECS)),
    // The number's warning stands for the whole employee.
    later("crm.employee[].id", EMPLOYEE, Default::None),
    key("crm.employee[].url", Kind::Secret, Default::None),
    key("crm.employee[].url_file", Kind::Text, Default::None),
    key("crm.employee[].url_credential", Kind::Text, Default::None),

    key("ledger.path", Kind::Text, Default::Text(d::LEDGER_PATH)),
    key("ledger.spool_max_mib", Kind::Whole {
        min: d::SPOOL_MAX_MIB_MIN, below: "no mail could be read",
        max: d::SPOOL_MAX_MIB_MAX, above: "which is 16 TiB",
    }, Default::Whole(d::SPOOL_MAX_MIB)),
    key("ledger.max_message_mib", Kind::Whole {
        min: d::MAX_MESSAGE_MIB_MIN, below: "no mail could be read whole",
        max: d::MAX_MESSAGE_MIB_MAX, above: "a mail is held in memory while it is read",
    }, Default::Whole(d::MAX_MESSAGE_MIB)),

    key("daemon.socket", Kind::Text, Default::Text("")),
    key("daemon.timezone", Kind::Text, Default::Text("")),

    later("http.listen", Kind::Text, Default::Text(d::HTTP_LISTEN)),
    later("http.token_file", Kind::Text, Default::None),

    key("mailbox[].name", Kind::Text, Default::None),
    key("mailbox[].address", Kind::Text, Default::None),
    key("mailbox[].aliases", Kind::Texts, Default::None),
    key("mailbox[].owner", EMPLOYEE, Default::None),
    later("mailbox[].access", Kind::Employees, Default::None),

    key("mailbox[].imap.host", Kind::Text, Default::None),
    key("mailbox[].imap.port", PORT, Default::Whole(d::IMAP_PORT as i64)),
    key("mailbox[].imap.tls", TLS, Default::Text(d::TLS)),
    key("mailbox[].imap.idle_refresh_secs", Kind::Whole {
        min: d::IDLE_REFRESH_SECS_MIN, below: "the server would be asked all the time",
        max: d::IDLE_REFRESH_SECS_MAX, above: "servers may drop an IDLE after 30 minutes",
    }, Default::Whole(d::IDLE_REFRESH_SECS)),
    key("mailbox[].imap.poll_secs", Kind::Whole {
        min: d::POLL_SECS_MIN, below: "the server would be asked all the time",
        max: d::POLL_SECS_MAX, above: "which is a day",
    }, Default::Whole(d::POLL_SECS)),
    key("mailbox[].imap.ca_file", Kind::Text, Default::Text("")),
    key("mailbox[].imap.username", Kind::Text, Default::None),
    key("mailbox[].imap.password_file", Kind::Text, Default::None),
    key("mailbox[].imap.password_command", Kind::Secret, Default::None),
    key("mailbox[].imap.password_credential", Kind::Text, Default::None),
    key("mailbox[].imap.password", Kind::Secret, Default::None),
    later("mailbox[].imap.oauth2.provider",
        Kind::Choice(&["google", "microsoft", "other"]), Default::None),
    later("mailbox[].imap.oauth2.flow",
        Kind::Choice(&["code", "device", "client"]), Default::Text("code")),
    later("mailbox[].imap.oauth2.client_id", Kind::Text, Default::None),
    later("mailbox[].imap.oauth2.client_secret_file", Kind::Text, Default::None),
    later("mailbox[].imap.oauth2.tenant", Kind::Text, Default::None),
    later("mailbox[].imap.oauth2.auth_url", Kind::Text, Default::None),
    later("mailbox[].imap.oauth2.token_url", Kind::Text, Default::None),
    later("mailbox[].imap.oauth2.scopes", Kind::Texts, Default::None),
    later("mailbox[].imap.oauth2.token_file", Kind::Text, Default::None),

    key("mailbox[].folders.sync", Kind::Texts, Default::None),
    key("mailbox[].folders.sent", Kind::Text, Default::None),
    key("mailbox[].folders.spam", Kind::Text, Default::None),
    key("mailbox[].folders.trash", Kind::Text, Default::None),
    key("mailbox[].folders.drafts", Kind::Text, Default::None),

    later("mailbox[].smtp.host", Kind::Text, Default::None),
    later("mailbox[].smtp.port", PORT, Default::Whole(d::SMTP_PORT as i64)),
    later("mailbox[].smtp.tls", TLS, Default::Text(d::TLS)),
    later("mailbox[].smtp.username", Kind::Text, Default::None),
    later("mailbox[].smtp.password_file", Kind::Text, Default::None),
    later("mailbox[].smtp.password_command", Kind::Secret, Default::None),
    later("mailbox[].smtp.password_credential", Kind::Text, Default::None),
    later("mailbox[].smtp.password", Kind::Secret, Default::None),

    flag("mailbox[].crm.enabled", true),
    key("mailbox[].crm.history_days", Kind::Whole {
        min: 0, below: "a window cannot end in the future",
        max: d::HISTORY_DAYS_MAX, above: "which is ten years",
    }, Default::Whole(d::HISTORY_DAYS)),
    flag("mailbox[].crm.history_outgoing", true),
    key("mailbox[].crm.on_incoming", CREATION, Default::Text("lead")),
    key("mailbox[].crm.on_outgoing", CREATION, Default::Text("contact")),
    key("mailbox[].crm.deal_choice",
        Kind::Choice(&["latest", "only", "all", "ask", "none"]), Default::Text("latest")),
    flag("mailbox[].crm.repeat_lead", false),
    key("mailbox[].crm.queue", Kind::Employees, Default::None),
    key("mailbox[].crm.source", Kind::Text, Default::Text(d::SOURCE)),
    key("mailbox[].crm.always_new_lead_for", Kind::Texts, Default::None),
    key("mailbox[].crm.internal_domains", Kind::Texts, Default::None),
    key("mailbox[].crm.exclude", Kind::Texts, Default::None),
    key("mailbox[].crm.automated", POLICY, Default::Text("attach")),
    key("mailbox[].crm.bounce", POLICY, Default::Text("attach")),
    key("mailbox[].crm.mailing_list", POLICY, Default::Text("attach")),
    key("mailbox[].crm.spam_verdict", POLICY, Default::Text("attach")),
    flag("mailbox[].crm.vcard", true),
    flag("mailbox[].crm.forwards", false),
    key("mailbox[].crm.save_keyword", Kind::Text, Default::Text(d::SAVE_KEYWORD)),
    key("mailbox[].crm.save_folder", Kind::Text, Default::Text("")),
    flag("mailbox[].crm.bind_contact", true),
    key("mailbox[].crm.deadline", Kind::Text, Default::Text(d::DEADLINE)),
    flag("mailbox[].crm.complete_on_reply", true),
    flag("mailbox[].crm.task", false),
    key("mailbox[].crm.max_attachment_mib", Kind::Whole {
        min: 0, below: "a file has at least no bytes",
        max: d::MAX_ATTACHMENT_MIB_MAX, above: "files are held in memory",
    }, Default::Whole(d::MAX_ATTACHMENT_MIB)),
];

/// What a path names.
pub enum Named {
    Key(&'static Key),
    Table,
    /// An array of tables.
    Tables,
    Nothing,
}

/// What the path of a table in the file names, such as `mailbox[].imap`.
pub fn named(path: &str) -> Named {
    if let Some(key) = KEYS.iter().find(|key| key.path == path) {
        return Named::Key(key);
    }
    let under = |suffix: &str| {
        KEYS.iter()
            .any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with(suffix)))
    };
    if under("[].") {
        Named::Tables
    } else if under(".") {
        Named::Table
    } else {
        Named::Nothing
    }
}

/// The place of a key in the table, so that mistakes come in the file's order.
pub fn rank(path: &str) -> usize {
    KEYS.iter().position(|key| key.path.starts_with(path)).unwrap_or(KEYS.len())
}

/// A known key or table, and whether it is so near that it must have been meant.
pub struct Nearest {
    pub path: String,
    pub meant: bool,
}

/// The known key or table nearest to `name` in the table `prefix` (empty: the root), among those
/// that `admit` lets pass.
///
/// A slip of the keyboard is looked for among the neighbours first; then the same name elsewhere,
/// for a key in the wrong table; then whatever resembles it most.
pub fn nearest(prefix: &str, name: &str, admit: impl Fn(&str) -> bool) -> Option<Nearest> {
    let all: BTreeSet<String> =
        KEYS.iter().filter(|key| admit(key.path)).flat_map(|key| ancestry(key.path)).collect();
    let neighbours: Vec<&String> = all.iter().filter(|path| parent(path) == prefix).collect();
    let name = name.to_lowercase();
    let slips = |path: &&&String| strsim::osa_distance(&name, last(path));
    let tolerated = (name.chars().count() / 4).max(1);
    if let Some(path) = neighbours.iter().min_by_key(slips).filter(|path| slips(path) <= tolerated)
    {
        return Some(Nearest { path: (**path).clone(), meant: true });
    }
    // The nearest table below or above, by the length of the way they share.
    let shared = |path: &str| {
        path.split('.').zip(prefix.split('.')).take_while(|(one, other)| one == other).count()
    };
    if let Some(path) =
        all.iter().rev().filter(|path| last(path) == name).max_by_key(|path| shared(path))
    {
        return Some(Nearest { path: path.clone(), meant: true });
    }
    let likeness = |path: &str| strsim::jaro_winkler(&name, last(path));
    neighbours
        .iter()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
        .map(|path| Nearest { path: (**path).clone(), meant: false })
        .or_else(|| {
            all.iter()
                .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
                .map(|path| Nearest { path: path.clone(), meant: false })
        })
}

/// The path and the tables it lies in: `crm.employee[].id` gives `crm`, `crm.employee[]` and itself.
fn ancestry(path: &str) -> Vec<String> {
    let mut paths: Vec<String> = path
        .match_indices('.')
        .map(|(end, _)| path.get(..end).unwrap_or_default().to_owned())
        .collect();
    paths.push(path.to_owned());
    paths
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

/// The name at the end of a path, without `[]`.
fn last(path: &str) -> &str {
    let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
    name.strip_suffix("[]").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_nearest_key_is_the_one_that_was_meant() {
        let cases: &[(&str, &str, &str)] = &[
            ("crm", "brust", "crm.burst"),
            ("crm", "Burst", "crm.burst"),
            ("crm", "request_per_second", "crm.requests_per_second"),
            ("crm", "history_days", "mailbox[].crm.history_days"),
            ("mailbox[]", "port", "mailbox[].imap.port"),
            ("mailbox[].imap", "prot", "mailbox[].imap.port"),
            ("mailbox[].imap", "pasword_file", "mailbox[].imap.password_file"),
            ("mailbox[].imap", "idle_secs", "mailbox[].imap.idle_refresh_secs"),
            ("mailbox[].imap", "enabled", "mailbox[].crm.enabled"),
            ("", "ledgr", "ledger"),
            ("", "mailboxes", "mailbox[]"),
            ("", "imap", "mailbox[].imap"),
        ];
        for (prefix, name, near) in cases {
            assert_eq!(nearest(prefix, name, |_| true).unwrap().path, *near, "{prefix}.{name}");
        }
    }

    #[test]
    fn every_key_stands_once_in_the_table() {
        for key in KEYS {
            assert_eq!(
                KEYS.iter().filter(|other| other.path == key.path).count(),
                1,
                "{}",
                key.path
            );
            assert!(matches!(named(key.path), Named::Key(_)));
        }
    }

    #[test]
    fn a_default_lies_within_its_limits() {
        for key in KEYS {
            match (&key.kind, &key.default) {
                (Kind::Whole { min, max, .. }, Default::Whole(number)) => {
                    assert!((min..=max).contains(&number), "{}", key.path);
                }
                (Kind::Real { min, max, .. }, Default::Real(number)) => {
                    assert!((min..=max).contains(&number), "{}", key.path);
                }
                (Kind::Choice(choices), Default::Text(text)) => {
                    assert!(choices.contains(text), "{}", key.path);
                }
                (Kind::Flag, Default::Flag(_)) | (Kind::Text, Default::Text(_)) => {}
                (_, Default::None) => {}
                (kind, default) => panic!("{}: {kind:?} and {default:?}", key.path),
            }
        }
    }
}
