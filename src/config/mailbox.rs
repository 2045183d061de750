//! One `[[mailbox]]` out of what was given.

use std::path::PathBuf;
use std::time::Duration;

use url::Host;

use super::check::Section;
use super::global::{credential_path, is_loopback, not_a_credential, warn_if_open};
use super::layers::Surroundings;
use super::mistake::{HIDDEN, Mistake, shown};
use super::secret::{Oauth2, Secret, SecretSource};
use super::{Folders, Imap, Mailbox, MailboxCrm, Smtp, Tls};
use super::{defaults as d, number};
use crate::rules::{Creation, DealChoice, Policy};

/// The mailbox, or `None` after a mistake that leaves none. More mistakes may have been made
/// where something is returned.
pub(super) fn mailbox(
    section: &Section,
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Option<Mailbox> {
    let name = required(section, "mailbox[].name", "give it a short name such as sales", mistakes);
    if let Some(name) = name
        && !name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
    {
        let reason = "holds more than letters, digits, dots, underscores and hyphens";
        mistakes.push(section.mistake("mailbox[].name", reason, "take a name such as sales"));
    }
    let mend = "give the address at which the mailbox gets its mail";
    let address = required(section, "mailbox[].address", mend, mistakes)
        .and_then(|text| address(section, "mailbox[].address", text, mistakes));
    let aliases = list(section, "mailbox[].aliases", mistakes, address_of);
    let owner = section.whole("mailbox[].owner").map(number::<u64>);
    if !section.has("mailbox[].owner") {
        let mend = "give the number in the CRM of the employee who connects the mailbox";
        mistakes.push(section.mistake("mailbox[].owner", "required", mend));
    }
    let imap = imap(section, around, mistakes, warnings);
    let smtp = smtp(section, imap.as_ref(), around, mistakes, warnings);
    let folders = folders(section, mistakes, warnings);
    let crm = crm(section, mistakes);
    Some(Mailbox {
        name: name?.to_owned(),
        address: address?,
        aliases,
        owner: owner?,
        access: section.employees("mailbox[].access").unwrap_or_default().to_vec(),
        imap: imap?,
        folders,
        smtp,
        crm,
    })
}

/// A required text that is not empty; else a mistake, unless one was made of it already.
fn required<'a>(
    section: &'a Section,
    key: &str,
    mend: &str,
    mistakes: &mut Vec<Mistake>,
) -> Option<&'a str> {
    match section.text(key) {
        Some("") => {
            mistakes.push(section.mistake(key, "empty", mend));
            None
        }
        Some(text) => Some(text),
        None => {
            if !section.has(key) {
                mistakes.push(section.mistake(key, "required", mend));
            }
            None
        }
    }
}

/// A text that is given and not empty: empty stands for "none" wherever absence means something.
fn optional<'a>(section: &'a Section, key: &str) -> Option<&'a str> {
    section.text(key).filter(|text| !text.is_empty())
}

/// Every address, or domain, of a list in its normal form; a mistake for each that is none.
fn list(
    section: &Section,
    key: &str,
    mistakes: &mut Vec<Mistake>,
    one: impl Fn(&str) -> Result<String, (&'static str, &'static str)>,
) -> Vec<String> {
    let mut values = Vec::new();
    for text in section.texts(key).unwrap_or_default() {
        match one(text) {
            Ok(value) => values.push(value),
            Err((reason, mend)) => {
                mistakes.push(section.mistake_about(key, shown(text), reason, mend));
            }
        }
    }
    values
}

fn address(
    section: &Section,
    key: &str,
    text: &str,
    mistakes: &mut Vec<Mistake>,
) -> Option<String> {
    address_of(text)
        .map_err(|(reason, mend)| mistakes.push(section.mistake(key, reason, mend)))
        .ok()
}

fn address_of(text: &str) -> Result<String, (&'static str, &'static str)> {
    normalise(text).ok_or(("not a mail address", "write it as name@domain, without a display name"))
}

/// SWAP when `message::address` is there: `use crate::message::address::normalise;`
fn normalise(raw: &str) -> Option<String> {
    let raw = raw.trim();
    let (local, domain) = raw.rsplit_once('@')?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>,;@\"".contains(c);
    if local.is_empty() || domain.is_empty() || raw.replacen('@', "", 1).contains(odd) {
        return None;
    }
    Some(raw.to_lowercase())
}

/// A domain in the form that the domains of normalised addresses have.
fn domain_of(text: &str) -> Result<String, (&'static str, &'static str)> {
    const NONE: (&str, &str) = ("not a domain", "write it as example.com");
    let domain = text.trim().trim_start_matches('@').trim_end_matches('.');
    if domain.contains(['@', '*', '/', ' ']) || domain.is_empty() {
        return Err(NONE);
    }
    idna::domain_to_ascii(domain).map_err(|_| NONE)
}

fn imap(
    section: &Section,
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Option<Imap> {
    let mend = "give the IMAP server's name";
    let host = host(section, "mailbox[].imap.host", mend, mistakes);
    let tls = tls(section, "mailbox[].imap.tls", host.as_deref(), mistakes);
    let mend = "give the login's name, most often the address";
    let username = required(section, "mailbox[].imap.username", mend, mistakes);
    let secret = secret(section, "mailbox[].imap", around, mistakes, warnings);
    let ca_file = optional(section, "mailbox[].imap.ca_file").map(|text| around.path(text));
    if let Some(path) = &ca_file {
        // Read here only to be checked: the file is small, and a slip in its name would
        // otherwise be told as a bad certificate of the server.
        let reason = match std::fs::read(path) {
            Ok(pem) if pem.windows(PEM.len()).any(|window| window == PEM) => None,
            Ok(_) => Some("holds no PEM certificate".to_owned()),
            Err(error) => Some(format!("cannot be read: {error}")),
        };
        if let Some(reason) = reason {
            let mend = "name the CA's certificate in PEM, readable by this user";
            mistakes.push(section.mistake("mailbox[].imap.ca_file", reason, mend));
        }
    }
    let secs = |key, default| Duration::from_secs(number(section.whole(key).unwrap_or(default)));
    Some(Imap {
        host: host?,
        port: port(section, "mailbox[].imap.port", tls, d::IMAP_PORT, d::IMAP_PORT_PLAIN),
        tls,
        idle_refresh: secs("mailbox[].imap.idle_refresh_secs", d::IDLE_REFRESH_SECS),
        poll: secs("mailbox[].imap.poll_secs", d::POLL_SECS),
        ca_file,
        username: username?.to_owned(),
        secret: secret?,
    })
}

const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

fn smtp(
    section: &Section,
    imap: Option<&Imap>,
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Option<Smtp> {
    const TABLE: &str = "mailbox[].smtp";
    if !section.has_table(TABLE) {
        return None;
    }
    let host = host(section, "mailbox[].smtp.host", "give the SMTP server's name", mistakes);
    let tls = tls(section, "mailbox[].smtp.tls", host.as_deref(), mistakes);
    let own_secret = SECRETS.iter().any(|name| section.has_table(&format!("{TABLE}.{name}")));
    let secret = if own_secret {
        secret(section, TABLE, around, mistakes, warnings)
    } else {
        imap.map(|imap| imap.secret.clone())
    };
    let username =
        optional(section, "mailbox[].smtp.username").or(imap.map(|imap| imap.username.as_str()));
    Some(Smtp {
        host: host?,
        port: port(section, "mailbox[].smtp.port", tls, d::SMTP_PORT, d::SMTP_PORT_PLAIN),
        tls,
        username: username?.to_owned(),
        secret: secret?,
    })
}

/// A server's name or address, without scheme and port.
fn host(section: &Section, key: &str, mend: &str, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let text = required(section, key, mend, mistakes)?;
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Some(text.to_owned());
    }
    if let Some((_, after)) = text.rsplit_once(':')
        && !after.is_empty()
        && after.bytes().all(|c| c.is_ascii_digit())
    {
        let mend = "put the number into the key port";
        mistakes.push(section.mistake(key, "a host and a port", mend));
        return None;
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) => Some(name),
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => {
            mistakes.push(section.mistake(key, "not a host's name or address", mend));
            None
        }
    }
}

fn tls(section: &Section, key: &str, host: Option<&str>, mistakes: &mut Vec<Mistake>) -> Tls {
    let tls = match section.text(key) {
        Some("starttls") => Tls::Starttls,
        Some("none") => Tls::None,
        Some(_) | None => Tls::Implicit,
    };
    let away = |host: &str| match host.parse::<std::net::IpAddr>() {
        Ok(address) => !address.is_loopback(),
        Err(_) => !is_loopback(&Host::Domain(host)),
    };
    if tls == Tls::None && host.is_some_and(away) {
        let reason = "for a loopback host only, the password would cross the network in clear";
        mistakes.push(section.mistake(key, reason, "take \"implicit\""));
    }
    tls
}

fn port(section: &Section, key: &str, tls: Tls, implicit: u16, plain: u16) -> u16 {
    let usual = match tls {
        Tls::Implicit => implicit,
        Tls::Starttls | Tls::None => plain,
    };
    section.whole(key).and_then(|port| u16::try_from(port).ok()).unwrap_or(usual)
}

/// The keys of which one says where the login's secret is.
const SECRETS: [&str; 5] =
    ["password_file", "password_command", "password_credential", "oauth2", "password"];

/// Where the secret of a login comes from; a mistake if it is not given exactly once.
fn secret(
    section: &Section,
    table: &str,
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Option<SecretSource> {
    let given: Vec<String> = SECRETS
        .iter()
        .map(|name| format!("{table}.{name}"))
        .filter(|key| section.has_table(key))
        .collect();
    let key = match given.as_slice() {
        [] => {
            let key = format!("{table}.password_file");
            let mend = "name the file that holds the password on its first line";
            mistakes.push(section.mistake(&key, "required, no secret is given", mend));
            return None;
        }
        [key] => key,
        [first, .., last] => {
            let reason = format!("given beside {}", section.key(first));
            let mend = "keep one of them";
            mistakes.push(if last.ends_with("oauth2") {
                section.mistake_about(last, "(table)", reason, mend)
            } else {
                section.mistake(last, reason, mend)
            });
            return None;
        }
    };
    if key.ends_with(".oauth2") {
        return Some(SecretSource::Oauth2(oauth2(section, around, mistakes, warnings)?));
    }
    let text = section.text(key)?;
    if text.is_empty() {
        let mend = "name the file that holds the password, in password_file";
        mistakes.push(section.mistake(key, "empty", mend));
        return None;
    }
    if key.ends_with(".password_file") {
        let path = around.path(text);
        warn_if_open(section, key, &path, warnings);
        // No mistake: a missing password stops this mailbox, not the others.
        if let Err(error) = std::fs::File::open(&path) {
            let text =
                format!("{} cannot be read: {error}; this mailbox cannot log in", path.display());
            warnings.push(section.warning(key, &text));
        }
        return Some(SecretSource::File(path));
    }
    if key.ends_with(".password_command") {
        return Some(SecretSource::Command(Secret::new(text)));
    }
    if key.ends_with(".password_credential") {
        let Some(path) = credential_path(text, around) else {
            mistakes.push(not_a_credential(section, key));
            return None;
        };
        return Some(SecretSource::Credential(path));
    }
    Some(SecretSource::Password(Secret::new(text)))
}

fn oauth2(
    section: &Section,
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Option<Oauth2> {
    let key = |name: &str| format!("mailbox[].imap.oauth2.{name}");
    let text = |name: &str| optional(section, &key(name)).map(str::to_owned);
    let mut file = |name: &str| -> Option<PathBuf> {
        let path = around.path(optional(section, &key(name))?);
        warn_if_open(section, &key(name), &path, warnings);
        Some(path)
    };
    let client_secret_file = file("client_secret_file");
    let token_file = file("token_file");
    let mend = "take \"google\", \"microsoft\" or \"other\"";
    let provider = required(section, &key("provider"), mend, mistakes);
    let mend = "give the id under which mailcrm is registered there";
    let client_id = required(section, &key("client_id"), mend, mistakes);
    Some(Oauth2 {
        provider: provider?.to_owned(),
        flow: text("flow").unwrap_or_else(|| "code".to_owned()),
        client_id: client_id?.to_owned(),
        client_secret_file,
        tenant: text("tenant"),
        auth_url: text("auth_url"),
        token_url: text("token_url"),
        scopes: section.texts(&key("scopes")).unwrap_or_default().to_vec(),
        token_file,
    })
}

/// What `folders.sync` may name beside folders: the attributes of RFC 6154, and `\Inbox`.
const ROLES: [&str; 5] = ["\\Inbox", "\\Sent", "\\Junk", "\\Trash", "\\Drafts"];

fn folders(section: &Section, mistakes: &mut Vec<Mistake>, warnings: &mut Vec<String>) -> Folders {
    const SYNC: &str = "mailbox[].folders.sync";
    let sync = section.texts(SYNC).map(<[String]>::to_vec);
    if sync.as_ref().is_some_and(Vec::is_empty) {
        let mend = "leave it out for inbox and sent";
        mistakes.push(section.mistake(SYNC, "names no folder to read", mend));
    }
    for name in sync.iter().flatten() {
        let role = ROLES.iter().any(|role| role.eq_ignore_ascii_case(name));
        let reason = match name.strip_prefix('\\') {
            None if name.is_empty() => "empty, where a folder's name or role belongs",
            Some(_) if !role => "not a role",
            None | Some(_) => continue,
        };
        let mend = format!("take one of {}, or a folder's name", ROLES.join(" "));
        mistakes.push(section.mistake_about(SYNC, shown(name), reason, mend));
    }
    let folder = |key| optional(section, key).map(str::to_owned);
    let folders = Folders {
        sync,
        sent: folder("mailbox[].folders.sent"),
        spam: folder("mailbox[].folders.spam"),
        trash: folder("mailbox[].folders.trash"),
        drafts: folder("mailbox[].folders.drafts"),
    };
    if folders.spam_is_inbox() {
        warnings.push(section.warning(
            "mailbox[].folders.spam",
            "the spam folder is the inbox: everything arriving there counts as spam and is not \
             saved; choose another folder for spam",
        ));
    }
    folders
}

fn crm(section: &Section, mistakes: &mut Vec<Mistake>) -> MailboxCrm {
    let usual = MailboxCrm::default();
    let flag = |key, default| section.flag(key).unwrap_or(default);
    let creation = |key, default| match section.text(key) {
        Some("lead") => Creation::Lead,
        Some("contact") => Creation::Contact,
        Some("deal") => Creation::Deal,
        Some("none") => Creation::None,
        Some(_) | None => default,
    };
    let policy = |key| match section.text(key) {
        Some("skip") => Policy::Skip,
        Some("attach") => Policy::Attach,
        Some("normal") => Policy::Normal,
        Some(_) | None => d::POLICY,
    };
    let text = |key, default: Option<String>| match section.text(key) {
        Some("") => None,
        Some(text) => Some(text.to_owned()),
        None => default,
    };
    let mut patterns = |key: &str| {
        list(section, key, mistakes, |text| {
            let text = text.trim();
            if text.is_empty() || text.contains(char::is_whitespace) {
                return Err(("not a pattern", "write name@domain, domain, or either with *"));
            }
            Ok(text.to_owned())
        })
    };
    let always_new_lead_for = patterns("mailbox[].crm.always_new_lead_for");
    let exclude = patterns("mailbox[].crm.exclude");
    let internal_domains = list(section, "mailbox[].crm.internal_domains", mistakes, domain_of);
    let source = section.text("mailbox[].crm.source").unwrap_or(d::SOURCE);
    if source.trim().is_empty() || source.chars().count() > d::SOURCE_MAX {
        let reason = format!("not 1 to {} characters, which a source's id has", d::SOURCE_MAX);
        let mend = format!("take {:?}", d::SOURCE);
        mistakes.push(section.mistake("mailbox[].crm.source", reason, mend));
    }
    MailboxCrm {
        enabled: flag("mailbox[].crm.enabled", usual.enabled),
        history_days: section
            .whole("mailbox[].crm.history_days")
            .map_or(usual.history_days, number::<u32>),
        history_outgoing: flag("mailbox[].crm.history_outgoing", usual.history_outgoing),
        on_incoming: creation("mailbox[].crm.on_incoming", usual.on_incoming),
        on_outgoing: creation("mailbox[].crm.on_outgoing", usual.on_outgoing),
        deal_choice: match section.text("mailbox[].crm.deal_choice") {
            Some("latest") => DealChoice::Latest,
            Some("only") => DealChoice::Only,
            Some("all") => DealChoice::All,
            Some("ask") => DealChoice::Ask,
            Some("none") => DealChoice::None,
            Some(_) | None => usual.deal_choice,
        },
        repeat_lead: flag("mailbox[].crm.repeat_lead", usual.repeat_lead),
        queue: section.employees("mailbox[].crm.queue").unwrap_or_default().to_vec(),
        source: source.to_owned(),
        always_new_lead_for,
        internal_domains,
        exclude,
        automated: policy("mailbox[].crm.automated"),
        bounce: policy("mailbox[].crm.bounce"),
        mailing_list: policy("mailbox[].crm.mailing_list"),
        spam_verdict: policy("mailbox[].crm.spam_verdict"),
        vcard: flag("mailbox[].crm.vcard", usual.vcard),
        forwards: flag("mailbox[].crm.forwards", usual.forwards),
        save_keyword: text("mailbox[].crm.save_keyword", usual.save_keyword),
        save_folder: text("mailbox[].crm.save_folder", usual.save_folder),
        bind_contact: flag("mailbox[].crm.bind_contact", usual.bind_contact),
        deadline: deadline(section, mistakes),
        complete_on_reply: flag("mailbox[].crm.complete_on_reply", usual.complete_on_reply),
        task: flag("mailbox[].crm.task", usual.task),
        max_attachment: section
            .whole("mailbox[].crm.max_attachment_mib")
            .map_or(usual.max_attachment, |mib| number::<u64>(mib) * d::MIB),
    }
}

fn deadline(section: &Section, mistakes: &mut Vec<Mistake>) -> Option<jiff::civil::Time> {
    const KEY: &str = "mailbox[].crm.deadline";
    let text = section.text(KEY).unwrap_or(d::DEADLINE);
    if text.is_empty() {
        return None;
    }
    let time = time_of_day(text);
    if time.is_none() {
        let mend = format!("take {:?}, or \"\" for none", d::DEADLINE);
        mistakes.push(section.mistake(KEY, "not a time of day, HH:MM from 00:00 to 23:59", mend));
    }
    time
}

/// `HH:MM`, both of two digits.
pub(super) fn time_of_day(text: &str) -> Option<jiff::civil::Time> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |text: &str| {
        (text.len() == 2 && text.bytes().all(|c| c.is_ascii_digit())).then(|| text.parse().ok())?
    };
    jiff::civil::Time::new(two_digits(hour)?, two_digits(minute)?, 0, 0).ok()
}

/// Mailboxes that would get in each other's way.
pub(super) fn clashes(mailboxes: &[(&Section, Mailbox)], mistakes: &mut Vec<Mistake>) {
    for (index, (section, mailbox)) in mailboxes.iter().enumerate() {
        for (earlier_section, earlier) in mailboxes.iter().take(index) {
            if earlier.name == mailbox.name {
                let reason = format!("given before in {}, names are unique", earlier_section.file);
                mistakes.push(section.mistake("mailbox[].name", reason, "take another name"));
            }
            // A folder read twice would give every message two places that are one.
            let login = |imap: &Imap| (imap.host.to_lowercase(), imap.port, imap.username.clone());
            if login(&earlier.imap) == login(&mailbox.imap) {
                let reason = format!(
                    "mailbox[{}] in {} has the same host, port and username",
                    earlier.name, earlier_section.file
                );
                mistakes.push(section.mistake(
                    "mailbox[].imap.username",
                    reason,
                    "keep one of them",
                ));
            }
        }
    }
}

/// Warns of a file that holds a secret itself and may be read by every user of the machine.
pub(super) fn warn_of_inline_secrets(section: &Section, keys: &[&str], warnings: &mut Vec<String>) {
    for key in keys.iter().filter(|key| section.has(key)) {
        let file = section.origin(key);
        if super::global::is_open(std::path::Path::new(file)) {
            warnings.push(section.warning(
                key,
                &format!("{HIDDEN} stands in a file that may be read by everybody; chmod o-rwx it"),
            ));
        }
    }
}
