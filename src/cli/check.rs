//! `mailcrm check`: what an operator must know before and while mail is filed, one finding a line.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use futures_util::{FutureExt, StreamExt};

use super::print::{self, Out};
use super::run::other_crm;
use super::{Trouble, load, named};
use crate::card::Employee;
use crate::config::{Config, CrmKind, Mailbox};
use crate::crm::bitrix24::Portal;
use crate::daemon::{crm_access, sandbox_path, with_sandbox};
use crate::imap::Probe;
use crate::ledger::{self, Ledger};

mod crm;
mod finding;
mod folders;
mod mailbox;

use finding::{Finding, Level};

/// Mailboxes logged in to at once.
const AT_ONCE: usize = 8;

pub(super) async fn check(path: &Path, mailbox: Option<String>, json: bool) -> Result<(), Trouble> {
    let config = load(path)?;
    let only = match &mailbox {
        None => None,
        Some(name) => Some(named::mailbox(&config, name).map_err(Trouble::Failed)?),
    };
    let mailboxes: Vec<&Mailbox> =
        config.mailboxes.iter().filter(|known| only.is_none_or(|only| *known == only)).collect();
    let ledger = ledger_findings(path, &config).await?;

    let mut report = Report { out: print::standard(), json, failed: false };
    report.all(configuration(path, &config, mailbox.as_deref()))?;
    report.all(ledger)?;
    let (about_crm, employees) = crm_findings(&config, &mailboxes).await;
    report.all(about_crm)?;
    let mut logins = futures_util::stream::iter(mailboxes)
        .map(|mailbox| {
            let employees = employees.as_ref();
            async move {
                let mut findings = mailbox::settings(mailbox);
                if let Some(employees) = employees {
                    findings.extend(mailbox::people(mailbox, employees));
                }
                findings.extend(login(mailbox).await);
                findings
            }
        })
        .buffered(AT_ONCE);
    while let Some(findings) = logins.next().await {
        report.all(findings)?;
    }
    if report.failed { Err(Trouble::Told) } else { Ok(()) }
}

struct Report {
    out: Out<std::io::Stdout>,
    json: bool,
    failed: bool,
}

impl Report {
    /// Shows findings as they are made: a server that does not answer takes its time.
    fn all(&mut self, findings: Vec<Finding>) -> Result<(), print::Error> {
        for finding in findings {
            self.failed |= finding.level == Level::Fail;
            if self.json {
                self.out.json(&finding)?;
            } else {
                for line in finding.lines(&self.out) {
                    self.out.line(&line)?;
                }
            }
        }
        self.out.flush()
    }
}

/// What the configuration says about itself; of one mailbox only what concerns it.
fn configuration(path: &Path, config: &Config, only: Option<&str>) -> Vec<Finding> {
    let count = config.mailboxes.len();
    let mailboxes = if count == 1 { "mailbox" } else { "mailboxes" };
    let mut findings = vec![Finding::ok(
        None,
        "configuration",
        format!("{}: {count} {mailboxes}", path.display()),
    )];
    for warning in &config.warnings {
        let about = mailbox_of(warning, config);
        // Found again below, and there it fails.
        let again = warning.contains(".folders.spam: the spam folder is the inbox")
            || (config.crm.is_none() && warning.contains(": crm: no [crm] table"));
        if again || (about.is_some() && only.is_some() && about != only) {
            continue;
        }
        let (text, mend) = match warning.rsplit_once("; ") {
            Some((text, mend)) => (text, Some(mend.to_owned())),
            None => (warning.as_str(), None),
        };
        let finding = Finding::warn(about, "configuration", text.to_owned(), "");
        findings.push(Finding { mend, ..finding });
    }
    findings
}

/// The mailbox that a warning names, as in `FILE: mailbox[sales].imap.port: …`.
fn mailbox_of<'a>(warning: &str, config: &'a Config) -> Option<&'a str> {
    let names = config.mailboxes.iter().map(|mailbox| mailbox.name.as_str());
    names.into_iter().find(|name| warning.contains(&format!(": mailbox[{name}]")))
}

/// The ledger, if there is one; a ledger of another CRM is a mistake in the configuration.
async fn ledger_findings(path: &Path, config: &Config) -> Result<Vec<Finding>, Trouble> {
    let shown = config.ledger.path.display().to_string();
    let ledger = match Ledger::open_read_only(&config.ledger.path) {
        Ok(ledger) => ledger,
        Err(ledger::Error::Absent { .. }) => {
            let text = format!("no ledger at {shown} yet; the first run makes it");
            return Ok(vec![Finding::ok(None, "ledger", text)]);
        }
        Err(error) => {
            let mend = "let the daemon's user read and write it, or restore a backup";
            return Ok(vec![Finding::fail(None, "ledger", crate::causes(&error), mend)]);
        }
    };
    let configured = crm_identity(config);
    match ledger.crm().await {
        Ok(Some(owner)) if owner != configured => {
            Err(Trouble::Configuration(vec![other_crm(path, &shown, &owner, &configured)]))
        }
        Ok(_) => {
            let running = match Ledger::writer(&config.ledger.path) {
                Some(pid) => format!("the daemon runs as process {pid}"),
                None => "no daemon is running".to_owned(),
            };
            Ok(vec![Finding::ok(None, "ledger", format!("ledger {shown}, {running}"))])
        }
        Err(error) => {
            let mend = "start mailcrm run once, or restore a backup";
            Ok(vec![Finding::fail(None, "ledger", crate::causes(&error), mend)])
        }
    }
}

fn crm_identity(config: &Config) -> String {
    config.crm.as_ref().map_or("sandbox".to_owned(), |crm| crm.identity())
}

/// The CRM's findings, and its employees if it named them.
async fn crm_findings(
    config: &Config,
    mailboxes: &[&Mailbox],
) -> (Vec<Finding>, Option<HashMap<u64, Employee>>) {
    let mut findings = Vec::new();
    let in_bitrix24 = config.crm.as_ref().is_some_and(|crm| crm.kind == CrmKind::Bitrix24);
    if !in_bitrix24 {
        let text = "the built-in sandbox stands in for the CRM: nothing is filed in Bitrix24";
        let mend = "set crm.kind = \"bitrix24\" and crm.url_file to the file that holds the \
                    inbound webhook's URL";
        findings.push(Finding::warn(None, "sandbox", text.to_owned(), mend));
        // To look must not make files, which might then belong to another user than the daemon.
        if !sandbox_path(&config.ledger.path).exists() {
            return (findings, None);
        }
    }
    let mend = "mend the [crm] table of the configuration";
    let access = match crm_access(config).await {
        Ok(access) => access,
        Err(error) => {
            findings.push(Finding::fail(None, "crm-access", crate::causes(&error), mend));
            return (findings, None);
        }
    };
    let asked = async {
        match Portal::new(access.options) {
            Ok(portal) => crm::findings(&portal, mailboxes).await,
            Err(error) => {
                let finding = Finding::fail(None, "crm-access", crate::causes(&error), mend);
                (vec![finding], None)
            }
        }
    };
    let (about_crm, employees) = with_sandbox(access.sandbox, asked).await;
    findings.extend(about_crm);
    (findings, employees)
}

async fn login(mailbox: &Mailbox) -> Vec<Finding> {
    let probing = async {
        let probe = Probe::open(mailbox).await?;
        let findings = folders::findings(mailbox, &probe);
        probe.close().await;
        Ok(findings)
    };
    // The codec panics on some answers (see `imap`); one server must not hide the others.
    match AssertUnwindSafe(probing).catch_unwind().await {
        Ok(Ok(findings)) => findings,
        Ok(Err(error)) => vec![mailbox::login_failed(mailbox, &error)],
        Err(_panic) => {
            let text = "the server's answer cannot be read".to_owned();
            let mend = "report it with the server's name and version";
            vec![Finding::fail(Some(&mailbox.name), "login", text, mend)]
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailcrm.toml");
        std::fs::write(&path, text).unwrap();
        crate::config::load(&path, std::iter::empty()).unwrap()
    }

    fn mailbox(name: &str) -> String {
        format!(
            "[[mailbox]]\nname = \"{name}\"\naddress = \"{name}@example.com\"\nowner = 7\n\
             access = [7]\n[mailbox.imap]\nhost = \"imap.example.com\"\nusername = \"{name}\"\n\
             password = \"hunter2\"\n[mailbox.folders]\nspam = \"INBOX\"\n"
        )
    }

    #[test]
    fn warnings_of_the_configuration_are_findings_of_their_mailbox() {
        let config = config(&format!("{}{}", mailbox("sales"), mailbox("help")));
        let about = |only| -> Vec<Option<String>> {
            let findings = configuration(Path::new("mailcrm.toml"), &config, only);
            assert!(findings.iter().all(|finding| !finding.text.contains("hunter2")));
            findings
                .into_iter()
                .filter(|finding| finding.text.contains(".access"))
                .map(|finding| finding.mailbox)
                .collect()
        };
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(about(None), [named("sales"), named("help")]);
        assert_eq!(about(Some("help")), [named("help")]);
    }

    #[test]
    fn what_fails_below_is_not_said_twice() {
        let config = config(&mailbox("sales"));
        for finding in configuration(Path::new("mailcrm.toml"), &config, None) {
            assert!(!finding.text.contains("the spam folder is the inbox"), "{finding:?}");
            assert!(!finding.text.contains("no [crm] table"), "{finding:?}");
        }
    }
}
