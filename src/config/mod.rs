//! The configuration: read once, checked once, then passed as values. Nothing else reads a
//! configuration file or the environment.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::rules::{Creation, DealChoice, Pattern, Policy, RuleSet};

mod check;
pub mod defaults;
mod global;
mod keys;
mod layers;
mod login;
mod mailbox;
mod mistake;
mod secret;
mod section;
mod value;

pub use mistake::Mistake;
pub use secret::{Oauth2, Secret, SecretError, SecretSource};

/// Everything that was configured, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `None`: there is no `[crm]` table, and the sandbox stands in.
    pub crm: Option<Crm>,
    pub ledger: Ledger,
    pub daemon: Daemon,
    pub http: Http,
    /// In the order of the files; names are unique.
    pub mailboxes: Vec<Mailbox>,
    /// One line each, `FILE: KEY: TEXT`: what is odd but stops nothing. Keys accepted but not yet
    /// in force, secrets that everybody may read, a spam folder that is the inbox.
    pub warnings: Vec<String>,
}

impl Config {
    /// Kind, host and port of the CRM: what a ledger belongs to.
    pub fn crm_identity(&self) -> String {
        self.crm.as_ref().map_or_else(|| "sandbox".to_owned(), Crm::identity)
    }

    /// The addresses of all mailboxes.
    ///
    /// One set for all: with a set in each, 500 mailboxes hold 250,000 addresses.
    pub fn own_addresses(&self) -> Arc<HashSet<String>> {
        let addresses = self
            .mailboxes
            .iter()
            .flat_map(|mailbox| std::iter::once(&mailbox.address).chain(&mailbox.aliases));
        Arc::new(addresses.cloned().collect())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrmKind {
    Bitrix24,
    /// The built-in stand-in.
    Sandbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    Cloud,
    OnPremise,
}

/// `[crm]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Crm {
    pub kind: CrmKind,
    /// ORIGINATOR_ID of everything made here.
    pub originator: String,
    /// Inbound webhook, `https://HOST/rest/ID/SECRET/` with the slash at the end. Always there for
    /// [`CrmKind::Bitrix24`], never for [`CrmKind::Sandbox`].
    pub url: Option<Secret>,
    pub requests_per_second: f64,
    /// Requests that may be made at once before the rate applies.
    pub burst: u32,
    pub edition: Edition,
    /// How often cards of open activities are looked at.
    pub follow_responsible: Duration,
    pub employees: Vec<EmployeeWebhook>,
}

impl Crm {
    /// What tells this CRM from another, without a secret: `bitrix24 HOST:PORT` or `sandbox`.
    ///
    /// A ledger belongs to one of them.
    pub fn identity(&self) -> String {
        let url = self.url.as_ref().and_then(|url| url::Url::parse(url.expose()).ok());
        match (self.kind, url) {
            (CrmKind::Bitrix24, Some(url)) => format!(
                "bitrix24 {}:{}",
                url.host_str().unwrap_or_default(),
                url.port_or_known_default().unwrap_or_default()
            ),
            (CrmKind::Bitrix24, None) => "bitrix24".to_owned(),
            (CrmKind::Sandbox, _) => "sandbox".to_owned(),
        }
    }
}

/// `[[crm.employee]]`: an employee with a webhook, and so with rights, of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployeeWebhook {
    pub id: u64,
    pub url: Secret,
}

/// `[ledger]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Absolute; the spool lies beside it.
    pub path: PathBuf,
    /// Bytes of raw mail that is owed or quarantined; beyond it reading waits.
    pub spool_max: u64,
    /// Bytes; of a larger mail the header and the beginning of the text are filed.
    pub max_message: u64,
}

/// `[daemon]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Absolute, resolved from the configuration, `$RUNTIME_DIRECTORY` and the ledger's place.
    pub socket: PathBuf,
    /// IANA name, known to exist; empty for the system's.
    pub timezone: String,
}

impl Daemon {
    /// The zone in which working days end.
    pub fn zone(&self) -> jiff::tz::TimeZone {
        if self.timezone.is_empty() {
            return jiff::tz::TimeZone::system();
        }
        // The name was found when the configuration was checked, and the database is built in.
        jiff::tz::TimeZone::get(&self.timezone).unwrap_or(jiff::tz::TimeZone::UTC)
    }
}

/// `[http]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// `ADDRESS:PORT`, known to be well-formed.
    pub listen: String,
    pub token_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// From the first byte.
    Implicit,
    Starttls,
    /// To a loopback host only.
    None,
}

/// `[[mailbox]]`: one IMAP account. Two are equal if nothing about them changed: a reload
/// restarts the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Of letters, digits, `.`, `_`, `-`; unique.
    pub name: String,
    /// In normal form.
    pub address: String,
    /// In normal form.
    pub aliases: Vec<String>,
    /// The employee who connected the mailbox.
    pub owner: u64,
    /// Further employees who may save by hand.
    pub access: Vec<u64>,
    pub imap: Imap,
    pub folders: Folders,
    /// `None`: nothing can be sent from this mailbox.
    pub smtp: Option<Smtp>,
    pub crm: MailboxCrm,
}

/// `[mailbox.imap]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imap {
    /// Name (lower case, A-labels) or address.
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub idle_refresh: Duration,
    /// Between two looks at folders that IDLE does not cover.
    pub poll: Duration,
    /// A CA in PEM beside the system's.
    pub ca_file: Option<PathBuf>,
    pub username: String,
    pub secret: SecretSource,
}

/// `[mailbox.smtp]`, with username and secret of IMAP where it gives none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub username: String,
    pub secret: SecretSource,
}

/// `[mailbox.folders]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// Names, or roles such as `\Sent`; `None`: inbox and sent.
    pub sync: Option<Vec<String>>,
    /// `None` here and below: found by SPECIAL-USE or by well-known names. `\Inbox` has become
    /// `INBOX`, no other role stands here.
    pub sent: Option<String>,
    pub spam: Option<String>,
    pub trash: Option<String>,
    pub drafts: Option<String>,
}

impl Folders {
    /// Whether everything arriving counts as spam (FAQ F1): the daemon says so, and `check` fails.
    pub fn spam_is_inbox(&self) -> bool {
        mailbox::is_inbox(&self.spam)
    }
}

/// `[mailbox.crm]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxCrm {
    pub enabled: bool,
    pub history_days: u32,
    /// File sent mail of the history too.
    pub history_outgoing: bool,
    pub on_incoming: Creation,
    pub on_outgoing: Creation,
    pub deal_choice: DealChoice,
    pub repeat_lead: bool,
    /// Employees who get new cards in turn; empty: the owner.
    pub queue: Vec<u64>,
    /// SOURCE_ID of new cards.
    pub source: String,
    /// Patterns as written.
    pub always_new_lead_for: Vec<String>,
    /// Lower case, A-labels.
    pub internal_domains: Vec<String>,
    /// Patterns as written.
    pub exclude: Vec<String>,
    pub automated: Policy,
    pub bounce: Policy,
    pub mailing_list: Policy,
    pub spam_verdict: Policy,
    pub vcard: bool,
    pub forwards: bool,
    /// `None`: no keyword saves by hand.
    pub save_keyword: Option<String>,
    /// `None`: no folder saves by hand.
    pub save_folder: Option<String>,
    pub bind_contact: bool,
    /// Local time at which the working day ends; `None`: activities have no deadline.
    pub deadline: Option<jiff::civil::Time>,
    pub complete_on_reply: bool,
    pub task: bool,
    /// Bytes; bounds each file and all files of a mail together.
    pub max_attachment: u64,
}

impl Default for MailboxCrm {
    fn default() -> MailboxCrm {
        MailboxCrm {
            enabled: true,
            history_days: number(defaults::HISTORY_DAYS),
            history_outgoing: true,
            on_incoming: defaults::ON_INCOMING,
            on_outgoing: defaults::ON_OUTGOING,
            deal_choice: defaults::DEAL_CHOICE,
            repeat_lead: false,
            queue: Vec::new(),
            source: defaults::SOURCE.to_owned(),
            always_new_lead_for: Vec::new(),
            internal_domains: Vec::new(),
            exclude: Vec::new(),
            automated: defaults::POLICY,
            bounce: defaults::POLICY,
            mailing_list: defaults::POLICY,
            spam_verdict: defaults::POLICY,
            vcard: true,
            forwards: false,
            save_keyword: Some(defaults::SAVE_KEYWORD.to_owned()),
            save_folder: None,
            bind_contact: true,
            deadline: mailbox::time_of_day(defaults::DEADLINE),
            complete_on_reply: true,
            task: false,
            max_attachment: number::<u64>(defaults::MAX_ATTACHMENT_MIB) * defaults::MIB,
        }
    }
}

impl Mailbox {
    /// The mailbox's rules. `own` are [`Config::own_addresses`]: mail between two mailboxes is
    /// internal.
    pub fn rules(&self, own: &Arc<HashSet<String>>) -> RuleSet {
        RuleSet {
            enabled: self.crm.enabled,
            own: Arc::clone(own),
            internal_domains: self.crm.internal_domains.iter().cloned().collect(),
            exclude: patterns(&self.crm.exclude),
            automated: self.crm.automated,
            bounce: self.crm.bounce,
            mailing_list: self.crm.mailing_list,
            spam_verdict: self.crm.spam_verdict,
            always_new_lead_for: patterns(&self.crm.always_new_lead_for),
            deal_choice: self.crm.deal_choice,
            repeat_lead: self.crm.repeat_lead,
            on_incoming: self.crm.on_incoming,
            on_outgoing: self.crm.on_outgoing,
            history_outgoing: self.crm.history_outgoing,
            forwards: self.crm.forwards,
        }
    }
}

fn patterns(written: &[String]) -> Vec<Pattern> {
    written.iter().map(|pattern| Pattern::new(pattern)).collect()
}

/// The process's environment as [`load`] takes it; variables that are no UTF-8 are none of ours.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Reads the file, `mailboxes.d/*.toml` beside it, and the variables `MAILCRM__SECTION__KEY`,
/// and checks it all.
///
/// # Errors
/// All mistakes at once, in the order of the files: one line each (exit code 78).
pub fn load(
    path: &Path,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut warnings = Vec::new();
    let (sections, around) = layers::read(path, environment, &mut mistakes);
    let root = &sections.root;

    warnings.extend(root.not_in_force());
    for section in sections.employees.iter().chain(&sections.mailboxes) {
        warnings.extend(section.not_in_force());
    }
    let crm = global::crm(&sections, &around, &mut mistakes, &mut warnings);
    let ledger = global::ledger(root, &around, &mut mistakes);
    let daemon = global::daemon(root, &around, &ledger, &mut mistakes);
    let http = global::http(root, &around, &mut mistakes, &mut warnings);

    mailbox::warn_of_inline_secrets(root, &["crm.url"], &mut warnings);
    for section in &sections.employees {
        mailbox::warn_of_inline_secrets(section, &["crm.employee[].url"], &mut warnings);
    }
    let mut mailboxes = Vec::new();
    for section in &sections.mailboxes {
        let keys = [
            "mailbox[].imap.password",
            "mailbox[].imap.password_command",
            "mailbox[].smtp.password",
            "mailbox[].smtp.password_command",
        ];
        mailbox::warn_of_inline_secrets(section, &keys, &mut warnings);
        let mailbox = mailbox::mailbox(section, &around, &mut mistakes, &mut warnings);
        mailboxes.extend(mailbox);
    }
    mailbox::clashes(&sections.mailboxes, &mut mistakes);
    if sections.mailboxes.is_empty() {
        warnings.push(root.warning("mailbox", "none is configured: no mail is read"));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(Config { crm, ledger, daemon, http, mailboxes, warnings })
}

/// A number that was checked to lie within limits that `T` holds.
fn number<T: TryFrom<i64> + Default>(checked: i64) -> T {
    T::try_from(checked).unwrap_or_default()
}

#[cfg(test)]
mod tests;
