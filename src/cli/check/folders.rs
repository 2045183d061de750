//! What `check` finds on the mail server: how it tells of news, its folders and their roles.

use super::finding::Finding;
use crate::config::{Mailbox, Tls};
use crate::folder::{BY_CONFIGURATION, BY_NAME, Role};
use crate::imap::Probe;

/// Folder names listed in one line; a mailbox may have thousands.
const NAMED: usize = 20;

/// What the server showed.
#[derive(Clone, Debug, Default)]
struct Shown {
    folders: Vec<Folder>,
    /// Names in `folders.sync` that no folder bears.
    missing: Vec<String>,
    idle: bool,
    notify: bool,
}

#[derive(Clone, Debug)]
struct Folder {
    name: String,
    role: Role,
    decided_by: &'static str,
    synced: bool,
    /// The one for what is saved by hand.
    by_hand: bool,
}

pub(super) fn findings(mailbox: &Mailbox, probe: &Probe) -> Vec<Finding> {
    let folders = probe
        .folders()
        .iter()
        .filter(|folder| folder.selectable)
        .map(|folder| Folder {
            name: folder.name.clone(),
            role: folder.role,
            decided_by: folder.decided_by,
            synced: folder.synced,
            by_hand: folder.by_hand.is_some(),
        })
        .collect();
    judge(
        mailbox,
        &Shown {
            folders,
            missing: probe.missing().to_vec(),
            idle: probe.can("IDLE"),
            notify: probe.can("NOTIFY"),
        },
    )
}

fn judge(mailbox: &Mailbox, shown: &Shown) -> Vec<Finding> {
    let name = Some(mailbox.name.as_str());
    let mut findings = vec![Finding::ok(name, "login", login(mailbox, shown))];
    for folder in &shown.folders {
        if folder.synced || folder.role != Role::Other {
            findings.push(Finding::ok(name, "folder", described(folder)));
        }
    }
    let others: Vec<&str> = shown
        .folders
        .iter()
        .filter(|folder| !folder.synced && folder.role == Role::Other)
        .map(|folder| folder.name.as_str())
        .collect();
    if !others.is_empty() {
        let text = format!("other folders, which are left alone: {}", listed(&others));
        findings.push(Finding::ok(name, "folders", text));
    }
    missing(mailbox, shown, &mut findings);
    roles_without_folder(mailbox, shown, &mut findings);
    kept_out_by_name(mailbox, shown, &mut findings);
    all_mail(mailbox, shown, &mut findings);
    findings
}

fn login(mailbox: &Mailbox, shown: &Shown) -> String {
    let imap = &mailbox.imap;
    let tls = match imap.tls {
        Tls::Implicit => "TLS",
        Tls::Starttls => "STARTTLS",
        Tls::None => "no TLS",
    };
    let synced = shown.folders.iter().filter(|folder| folder.synced).count();
    let waits_by = match (shown.idle, shown.notify) {
        (true, true) => "IDLE and NOTIFY".to_owned(),
        (true, false) if synced <= 1 => "IDLE".to_owned(),
        (true, false) => {
            format!("IDLE, further folders polled every {} s", imap.poll.as_secs())
        }
        (false, _) => format!("no IDLE, polled every {} s", imap.poll.as_secs()),
    };
    let count = shown.folders.len();
    let folders = if count == 1 { "folder" } else { "folders" };
    format!("{}:{}, {tls}, {waits_by}, {count} {folders}", imap.host, imap.port)
}

fn described(folder: &Folder) -> String {
    let does = match (folder.synced, folder.by_hand, folder.role.keeps_out()) {
        (true, true, _) => "synchronised, all that is laid into it is saved by hand",
        (true, false, false) => "synchronised",
        (true, false, true) => "synchronised, nothing in it is saved",
        (false, _, _) => "left alone",
    };
    let Folder { name, role, decided_by, .. } = folder;
    format!("folder {name}: {role}, by {decided_by}, {does}")
}

fn missing(mailbox: &Mailbox, shown: &Shown, findings: &mut Vec<Finding>) {
    let name = Some(mailbox.name.as_str());
    let there: Vec<&str> = shown.folders.iter().map(|folder| folder.name.as_str()).collect();
    for wanted in &shown.missing {
        // The sent folder is a trap of its own, below.
        if Role::of_flag(wanted) == Some(Role::Sent) && wanted.starts_with('\\') {
            continue;
        }
        if mailbox.crm.save_folder.as_ref() == Some(wanted) {
            findings.push(Finding::warn(
                name,
                "folder-missing",
                format!("crm.save_folder names {wanted}, which no folder on the server bears"),
                "make the folder in a mail client, or name another",
            ));
            continue;
        }
        findings.push(Finding::warn(
            name,
            "folder-missing",
            format!("folders.sync names {wanted}, which no folder on the server bears"),
            &format!("name one of these in folders.sync: {}", listed(&there)),
        ));
    }
    let sent: Vec<&Folder> =
        shown.folders.iter().filter(|folder| folder.role == Role::Sent).collect();
    if sent.iter().any(|folder| folder.synced) {
        return;
    }
    let consequence = "mail that employees send from other mail clients is not filed";
    match sent.first() {
        None => findings.push(Finding::warn(
            name,
            "sent-missing",
            format!("no folder is known as the sent folder: {consequence}"),
            &format!(
                "name it as folders.sent, and in folders.sync if that is set: {}",
                listed(&there)
            ),
        )),
        Some(folder) => findings.push(Finding::warn(
            name,
            "sent-missing",
            format!("the sent folder {} is not synchronised: {consequence}", folder.name),
            &format!("add \"{}\" to folders.sync", folder.name),
        )),
    }
}

/// Folders that the configuration names and the server does not have: what should be kept out
/// may lie somewhere else.
fn roles_without_folder(mailbox: &Mailbox, shown: &Shown, findings: &mut Vec<Finding>) {
    let folders = &mailbox.folders;
    let named = [
        ("folders.sent", Role::Sent, &folders.sent),
        ("folders.spam", Role::Spam, &folders.spam),
        ("folders.trash", Role::Trash, &folders.trash),
        ("folders.drafts", Role::Drafts, &folders.drafts),
    ];
    for (key, role, written) in named {
        let Some(written) = written.as_ref().filter(|written| !written.is_empty()) else {
            continue;
        };
        let found = shown
            .folders
            .iter()
            .any(|folder| folder.role == role && folder.decided_by == BY_CONFIGURATION);
        if found || (role == Role::Spam && folders.spam_is_inbox()) {
            continue;
        }
        let there: Vec<&str> = shown.folders.iter().map(|folder| folder.name.as_str()).collect();
        findings.push(Finding::warn(
            Some(&mailbox.name),
            "role-without-folder",
            format!("{key} is {written}, which no folder on the server bears"),
            &format!("set {key} to one of these, or leave it out: {}", listed(&there)),
        ));
    }
}

/// Folders that somebody named to be read, and of which nothing is saved because of their name.
fn kept_out_by_name(mailbox: &Mailbox, shown: &Shown, findings: &mut Vec<Finding>) {
    for folder in &shown.folders {
        let Folder { name, role, decided_by, .. } = folder;
        // Who asked for the role knows what it means.
        let by_role =
            |entry: &String| entry.starts_with('\\') && Role::of_flag(entry) == Some(*role);
        let asked_for = mailbox.folders.sync.iter().flatten().any(by_role);
        let by_name = *decided_by == BY_NAME && role.keeps_out();
        if !folder.synced || folder.by_hand || !by_name || asked_for {
            continue;
        }
        findings.push(Finding::warn(
            Some(&mailbox.name),
            "kept-out-by-name",
            format!(
                "folders.sync names {name}, but for its name it counts as {role}: nothing in it is \
                 saved"
            ),
            &format!(
                "set folders.{role} to the folder that is for {role}: \"{name}\" if it is that one"
            ),
        ));
    }
}

/// Gmail's All Mail holds every message once more.
fn all_mail(mailbox: &Mailbox, shown: &Shown, findings: &mut Vec<Finding>) {
    let inbox = shown.folders.iter().any(|folder| folder.synced && folder.name == "INBOX");
    let all = shown.folders.iter().find(|folder| folder.synced && folder.role == Role::All);
    if let (true, Some(all)) = (inbox, all) {
        let by_role = |name: &&String| {
            name.starts_with('\\') && Role::of_flag(name.as_str()) == Some(Role::All)
        };
        let entry = mailbox.folders.sync.iter().flatten().find(by_role).unwrap_or(&all.name);
        findings.push(Finding::warn(
            Some(&mailbox.name),
            "all-mail-overlap",
            format!(
                "{} holds every message of the inbox and the sent folder once more: each is read \
                 twice, though filed once",
                all.name
            ),
            &format!("take \"{entry}\" out of folders.sync"),
        ));
    }
}

fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut text = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::type_complexity)]
    use super::super::finding::Level;
    use super::*;
    use crate::folder::BY_SPECIAL_USE;

    fn mailbox(folders: &str) -> Mailbox {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailcrm.toml");
        let text = format!(
            "[[mailbox]]\nname = \"sales\"\naddress = \"sales@example.com\"\nowner = 7\n\
             [mailbox.imap]\nhost = \"imap.example.com\"\nusername = \"sales\"\n\
             password = \"hunter2\"\n[mailbox.folders]\n{folders}\n"
        );
        std::fs::write(&path, text).unwrap();
        crate::config::load(&path, std::iter::empty()).unwrap().mailboxes.remove(0)
    }

    fn folder(name: &str, role: Role, decided_by: &'static str, synced: bool) -> Folder {
        Folder { name: name.to_owned(), role, decided_by, synced, by_hand: false }
    }

    fn usual() -> Shown {
        Shown {
            folders: vec![
                folder("INBOX", Role::Inbox, BY_NAME, true),
                folder("Sent", Role::Sent, BY_SPECIAL_USE, true),
                folder("Junk", Role::Spam, BY_NAME, false),
                folder("Clients", Role::Other, BY_NAME, false),
            ],
            missing: Vec::new(),
            idle: true,
            notify: false,
        }
    }

    #[test]
    fn server_and_folders_are_told() {
        let texts: Vec<String> =
            judge(&mailbox(""), &usual()).into_iter().map(|finding| finding.text).collect();
        let wanted = [
            "imap.example.com:993, TLS, IDLE, further folders polled every 60 s, 4 folders",
            "folder INBOX: inbox, by name, synchronised",
            "folder Sent: sent, by special-use, synchronised",
            "folder Junk: spam, by name, left alone",
            "other folders, which are left alone: Clients",
        ];
        assert_eq!(texts, wanted);
    }

    #[test]
    fn traps_in_the_folders_are_warned_of() {
        let without_sent = Shown {
            folders: vec![folder("INBOX", Role::Inbox, BY_NAME, true)],
            missing: vec!["\\Sent".to_owned()],
            ..usual()
        };
        let mut sent_left_out = usual();
        sent_left_out.folders[1].synced = false;
        let absent = Shown { missing: vec!["Client".to_owned()], ..usual() };
        let mut gmail = usual();
        gmail.folders.push(folder("[Gmail]/All Mail", Role::All, BY_SPECIAL_USE, true));
        let mut gmail_alone = gmail.clone();
        gmail_alone.folders[0].synced = false;
        let with = |name, decided_by, by_hand| {
            let mut shown = usual();
            let concept = folder(name, Role::Drafts, decided_by, true);
            shown.folders.push(Folder { by_hand, ..concept });
            shown
        };
        let named = "sync = [\"INBOX\", \"Sent\", \"Concept\"]";
        let by_role = "sync = [\"INBOX\", \"Sent\", \"\\\\Drafts\"]";
        let kept_out = vec![("kept-out-by-name", "set folders.drafts to")];
        #[rustfmt::skip]
        let cases: Vec<(&str, &str, Shown, Vec<(&str, &str)>)> = vec![
            ("kept by name",   named,                with("Concept", BY_NAME, false),          kept_out),
            ("by the server",  named,                with("Concept", BY_SPECIAL_USE, false),   vec![]),
            ("configured",     named,                with("Concept", BY_CONFIGURATION, false), vec![]),
            ("by hand",        named,                with("Concept", BY_NAME, true),           vec![]),
            ("role asked for", by_role,              with("Drafts", BY_NAME, false),           vec![]),
            ("usual",          "",                   usual(),       vec![]),
            ("no sent folder", "",                   without_sent,  vec![("sent-missing", "folders.sent")]),
            ("sent left out",  "sync = [\"INBOX\"]", sent_left_out, vec![("sent-missing", "add \"Sent\"")]),
            ("absent folder",  "",                   absent,        vec![("folder-missing", "INBOX, Sent, Junk, Clients")]),
            ("All Mail, role", "sync = [\"INBOX\", \"\\\\AllMail\"]", gmail.clone(), vec![("all-mail-overlap", "take \"\\AllMail\" out")]),
            ("All Mail",       "",                   gmail,         vec![("all-mail-overlap", "take \"[Gmail]/All Mail\" out")]),
            ("All Mail alone", "",                   gmail_alone,   vec![]),
            ("no such spam",   "spam = \"Bulk\"",    usual(),       vec![("role-without-folder", "folders.spam")]),
        ];
        for (name, folders, shown, expected) in cases {
            let findings = judge(&mailbox(folders), &shown);
            let warned: Vec<_> =
                findings.iter().filter(|finding| finding.level != Level::Ok).collect();
            assert_eq!(warned.len(), expected.len(), "{name}: {warned:?}");
            for (finding, (code, mend)) in warned.iter().zip(expected) {
                assert_eq!((finding.code, finding.level), (code, Level::Warn), "{name}");
                assert!(finding.mend.as_ref().unwrap().contains(mend), "{name}: {finding:?}");
            }
        }
    }

    #[test]
    fn thousands_of_folders_are_cut_short() {
        let names: Vec<String> = (0..3000).map(|number| format!("F{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(listed(&names).ends_with("F19 and 2980 more"));
    }
}
