//! What `check` finds about a mailbox without its folders: settings, people, a failed login.

use std::collections::HashMap;

use super::finding::Finding;
use crate::card::Employee;
use crate::config::{Mailbox, SecretSource};
use crate::imap;
use crate::rules::Policy;

/// The traps that the configuration alone shows.
pub(super) fn settings(mailbox: &Mailbox) -> Vec<Finding> {
    let name = Some(mailbox.name.as_str());
    let mut findings = Vec::new();
    if mailbox.folders.spam_is_inbox() {
        findings.push(Finding::fail(
            name,
            "spam-is-inbox",
            "folders.spam is INBOX: everything arriving there counts as spam and is not saved"
                .to_owned(),
            "choose another folder for spam: set folders.spam to it, such as Junk, then run \
             mailcrm redecide",
        ));
    }
    if !mailbox.crm.enabled {
        let text = "CRM integration is off: nothing is filed by itself".to_owned();
        findings.push(Finding::ok(name, "crm-off", text));
        return findings;
    }
    if mailbox.crm.history_days > 0 && mailbox.crm.history_outgoing {
        let days = mailbox.crm.history_days;
        findings.push(Finding::warn(
            name,
            "history-outgoing",
            format!(
                "sent mail of the last {days} days is filed too when a folder is first read: \
                 robots of the CRM on \"mail sent\" fire for it"
            ),
            "if the CRM has such robots, set crm.history_outgoing = false before the first run",
        ));
    }
    let class = [
        ("crm.automated", mailbox.crm.automated, "a program's"),
        ("crm.mailing_list", mailbox.crm.mailing_list, "a list's"),
    ];
    for (key, policy, whose) in class {
        // Few forms come over lists: by default nobody needs to hear of it.
        let told = key == "crm.automated" || policy == Policy::Skip;
        if mailbox.crm.always_new_lead_for.is_empty() || policy == Policy::Normal || !told {
            continue;
        }
        findings.push(Finding::warn(
            name,
            "new-lead-class",
            format!(
                "crm.always_new_lead_for names senders, but {key} is not \"normal\": a form that \
                 is judged {whose} mail makes no lead"
            ),
            &format!("set {key} = \"normal\", or leave it if the forms come as normal mail"),
        ));
    }
    findings
}

/// Owner, queue and access list against the CRM's employees.
pub(super) fn people(mailbox: &Mailbox, employees: &HashMap<u64, Employee>) -> Vec<Finding> {
    let name = Some(mailbox.name.as_str());
    let mut findings = Vec::new();
    let lists: [(&str, &[u64], &str); 3] = [
        (
            "owner",
            std::slice::from_ref(&mailbox.owner),
            "new cards go to the webhook's employee instead",
        ),
        ("crm.queue", &mailbox.crm.queue, "their turns go to the others"),
        ("access", &mailbox.access, "they cannot save by hand"),
    ];
    for (key, ids, consequence) in lists {
        for id in ids {
            match employees.get(id) {
                Some(employee) if employee.active => {}
                Some(employee) => findings.push(Finding::warn(
                    name,
                    "employee-inactive",
                    format!("{key}: employee {id}, {}, is inactive: {consequence}", employee.name),
                    &format!("put an active employee's number into {key}"),
                )),
                None => findings.push(Finding::fail(
                    name,
                    "employee-unknown",
                    format!("{key}: the CRM has no employee {id}: {consequence}"),
                    &format!("put the number of one of the CRM's employees into {key}"),
                )),
            }
        }
    }
    let queue = &mailbox.crm.queue;
    let active = |id: &u64| employees.get(id).is_some_and(|employee| employee.active);
    if !queue.is_empty() && !queue.iter().any(active) {
        findings.push(Finding::fail(
            name,
            "queue-without-active",
            "crm.queue: nobody of it is active: new cards all go to the owner".to_owned(),
            "put active employees' numbers into crm.queue, or leave it out",
        ));
    }
    if findings.is_empty() {
        let owner = employees.get(&mailbox.owner).map_or("", |owner| owner.name.as_str());
        let queue = match mailbox.crm.queue.len() {
            0 => "new cards are the owner's".to_owned(),
            count => format!("new cards go in turn to {count} employees"),
        };
        let text = format!("owner is employee {}, {owner}; {queue}", mailbox.owner);
        findings.push(Finding::ok(name, "employees", text));
    }
    findings
}

/// A login that did not work, with what to do about it.
pub(super) fn login_failed(mailbox: &Mailbox, error: &imap::Error) -> Finding {
    let server = format!("{}:{}", mailbox.imap.host, mailbox.imap.port);
    let mend = match error {
        imap::Error::Credentials { .. } | imap::Error::Held { .. } => {
            "mend imap.username or the secret; the daemon tries a changed secret at once"
        }
        imap::Error::Secret(_) => match mailbox.imap.secret {
            SecretSource::File(_) => {
                "let the file that imap.password_file names be readable for the daemon's user, with \
                 the secret on its first line"
            }
            SecretSource::Credential(_) => {
                "give the service LoadCredential= with the name in imap.password_credential"
            }
            SecretSource::Command(_) => {
                "let imap.password_command print the secret on its first line, as the daemon's user"
            }
            SecretSource::Oauth2(_) | SecretSource::Password(_) => {
                "give the password in imap.password_file"
            }
        },
        imap::Error::Blocked(_) => {
            "mend imap.host, imap.port, imap.tls or imap.ca_file as the text says"
        }
        imap::Error::Lost { .. } | imap::Error::Timeout { .. } => {
            "look at imap.host, imap.port and the network; the daemon keeps trying"
        }
        imap::Error::Busy { .. } => "wait; the daemon keeps trying",
        imap::Error::No { .. } | imap::Error::Unparsable { .. } => {
            "ask the server's administrator; mailcrm run --log-level debug shows more"
        }
        imap::Error::Ledger(_) => "mend the ledger first",
    };
    let text = format!("{server}: {}", crate::causes(error));
    Finding::fail(Some(&mailbox.name), "login", text, mend)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::finding::Level;
    use super::*;

    fn mailbox(top: &str, folders: &str, crm: &str) -> Mailbox {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailcrm.toml");
        let text = format!(
            "[[mailbox]]\nname = \"sales\"\naddress = \"sales@example.com\"\nowner = 7\n{top}\n\
             [mailbox.imap]\nhost = \"imap.example.com\"\nusername = \"sales\"\n\
             password = \"hunter2\"\n[mailbox.folders]\n{folders}\n[mailbox.crm]\n{crm}\n"
        );
        std::fs::write(&path, text).unwrap();
        crate::config::load(&path, std::iter::empty()).unwrap().mailboxes.remove(0)
    }

    fn found(findings: &[Finding]) -> Vec<(&'static str, Level)> {
        findings.iter().map(|finding| (finding.code, finding.level)).collect()
    }

    #[test]
    fn traps_of_the_faq_are_found_in_the_settings() {
        const FORM: &str = "always_new_lead_for = [\"form.example\"]";
        const NORMAL: &str = "always_new_lead_for = [\"form.example\"]\nautomated = \"normal\"";
        const NO_LISTS: &str = "always_new_lead_for = [\"form.example\"]\n\
                                automated = \"normal\"\nmailing_list = \"skip\"";
        let history = ("history-outgoing", Level::Warn);
        let form = ("new-lead-class", Level::Warn);
        let spam = ("spam-is-inbox", Level::Fail);
        #[rustfmt::skip]
        let cases = [
            ("default",        mailbox("", "", ""),                         vec![history]),
            ("no history",     mailbox("", "", "history_days = 0"),         vec![]),
            ("without sent",   mailbox("", "", "history_outgoing = false"), vec![]),
            ("spam is inbox",  mailbox("", "spam = \"inbox\"", ""),         vec![spam, history]),
            ("spam by role",   mailbox("", "spam = \"\\\\Inbox\"", ""),     vec![spam, history]),
            ("off",            mailbox("", "", "enabled = false"),          vec![("crm-off", Level::Ok)]),
            ("form",           mailbox("", "", FORM),                       vec![history, form]),
            ("form, normal",   mailbox("", "", NORMAL),                     vec![history]),
            ("form, no lists", mailbox("", "", NO_LISTS),                   vec![history, form]),
        ];
        for (name, mailbox, expected) in cases {
            assert_eq!(found(&settings(&mailbox)), expected, "{name}");
        }
    }

    #[test]
    fn spam_folder_that_is_the_inbox_names_the_mend() {
        let findings = settings(&mailbox("", "spam = \"INBOX\"", ""));
        let mend = findings[0].mend.as_deref().unwrap();
        assert!(mend.contains("choose another folder for spam"), "{mend}");
        assert!(mend.contains("mailcrm redecide"), "{mend}");
    }

    #[test]
    fn employees_are_looked_for_in_the_crm() {
        let employee = |id, active| Employee { id, name: format!("E{id}"), email: None, active };
        let employees: HashMap<u64, Employee> =
            [employee(7, true), employee(9, false)].into_iter().map(|one| (one.id, one)).collect();
        let inactive = ("employee-inactive", Level::Warn);
        let unknown = ("employee-unknown", Level::Fail);
        #[rustfmt::skip]
        let cases = [
            ("all there",        mailbox("", "", "queue = [7]"),     vec![("employees", Level::Ok)]),
            ("queue inactive",   mailbox("", "", "queue = [7, 9]"),  vec![inactive]),
            ("queue unknown",    mailbox("", "", "queue = [8, 7]"),  vec![unknown]),
            ("nobody active",    mailbox("", "", "queue = [9]"),     vec![inactive, ("queue-without-active", Level::Fail)]),
            ("access unknown",   mailbox("access = [8]", "", ""),    vec![unknown]),
        ];
        for (name, mailbox, expected) in cases {
            assert_eq!(found(&people(&mailbox, &employees)), expected, "{name}");
        }
    }

    #[test]
    fn failed_login_names_server_and_mend_and_no_secret() {
        let error = imap::Error::Credentials { text: "no".to_owned() };
        let finding = login_failed(&mailbox("", "", ""), &error);
        assert_eq!(finding.level, Level::Fail);
        assert!(finding.text.starts_with("imap.example.com:993: "), "{}", finding.text);
        assert!(!format!("{finding:?}").contains("hunter2"));
    }
}
