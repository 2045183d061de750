//! One `[[mailbox]]` out of what was given.

use super::layers::Surroundings;
use super::mistake::{HIDDEN, Mistake, shown};
use super::section::Section;
use super::{Folders, Mailbox, MailboxCrm};
use super::{defaults as d, login, number};
use crate::folder::Role;
use crate::message::address::normalise;
use crate::rules::{Creation, DealChoice, Pattern, Policy};

/// The mailbox, or `None` after a mistake that leaves none. More mistakes may have been made
/// where something is returned.
pub(super) fn mailbox(
    section: &Section,
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Option<Mailbox> {
    let name = section.required("mailbox[].name", "give it a short name such as sales", mistakes);
    if let Some(name) = name
        && !name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
    {
        let reason = "holds more than letters, digits, dots, underscores and hyphens";
        mistakes.push(section.mistake("mailbox[].name", reason, "take a name such as sales"));
    }
    let mend = "give the address at which the mailbox gets its mail";
    let address = section
        .required("mailbox[].address", mend, mistakes)
        .and_then(|text| address(section, "mailbox[].address", text, mistakes));
    let aliases = list(section, "mailbox[].aliases", mistakes, address_of);
    let owner = section.whole("mailbox[].owner").map(number::<u64>);
    if !section.has("mailbox[].owner") {
        let mend = "give the number in the CRM of the employee who connects the mailbox";
        mistakes.push(section.mistake("mailbox[].owner", "required", mend));
    }
    let imap = login::imap(section, around, mistakes, warnings);
    let smtp = login::smtp(section, imap.as_ref(), around, mistakes, warnings);
    let folders = folders(section, mistakes, warnings);
    let crm = crm(section, mistakes);
    contradictions(section, &crm, address.iter().chain(&aliases), warnings);
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

/// A pattern as it was written, if there is an address that it could match.
fn pattern_of(text: &str) -> Result<String, (&'static str, &'static str)> {
    let text = text.trim();
    let mend = "write name@domain, domain, or either with *";
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(("not a pattern", mend));
    }
    if !can_match(text) {
        return Err(("can never match an address", mend));
    }
    Ok(text.to_owned())
}

fn can_match(pattern: &str) -> bool {
    let (local, domain) = match pattern.rsplit_once('@') {
        Some((local, domain)) => (local, Some(domain)),
        // Without a dot it is a pattern of whole addresses, which end as a domain does.
        None if pattern.contains('*') && !pattern.contains('.') => (pattern, None),
        None => ("", Some(pattern)),
    };
    // No name has an empty label: `.example.com` was meant as `*.example.com`.
    if domain.is_some_and(|domain| domain.split('.').any(str::is_empty)) {
        return false;
    }
    if !pattern.contains('*') {
        // Without a star it names addresses itself, and must match those.
        let named = if local.is_empty() {
            domain_of(pattern).ok().map(|domain| format!("x@{domain}"))
        } else {
            normalise(pattern)
        };
        return named.is_some_and(|named| Pattern::new(pattern).matches(&named));
    }
    // A star may stand for much: only what no address in normal form holds is sure.
    let in_domain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "*.-_[]:".contains(c);
    let domain_can = domain.is_none_or(|domain| {
        // A part of a label has no A-label.
        domain.chars().all(in_domain)
            && domain.split('.').all(|label| label.is_ascii() || !label.contains('*'))
    });
    let quoted = local.contains('"');
    domain_can && (quoted || !local.contains(|c| "<>()[],;:\\".contains(c)))
}

/// A domain in the form that the domains of normalised addresses have.
fn domain_of(text: &str) -> Result<String, (&'static str, &'static str)> {
    let domain = text.trim().trim_start_matches('@');
    // Through the one function that knows the normal form, with a local part that it leaves alone.
    let whole = Some(domain)
        .filter(|domain| !domain.contains(['@', '*', '/', ' ']))
        .filter(|domain| !domain.trim_end_matches('.').split('.').any(str::is_empty))
        .and_then(|domain| normalise(&format!("x@{domain}")));
    match whole.as_deref().and_then(|address| address.strip_prefix("x@")) {
        Some(domain) => Ok(domain.to_owned()),
        None => Err(("not a domain", "write it as example.com")),
    }
}

/// What `folders.sync` may name beside folders, as it is shown: the attributes of RFC 6154, and
/// `\Inbox`. The older names that [`Role::of_flag`] knows are taken too.
const ROLES: &str = "\\Inbox \\Sent \\Junk \\Trash \\Drafts \\Archive \\All";

fn folders(section: &Section, mistakes: &mut Vec<Mistake>, warnings: &mut Vec<String>) -> Folders {
    const SYNC: &str = "mailbox[].folders.sync";
    let sync = section.texts(SYNC).map(<[String]>::to_vec);
    if sync.as_ref().is_some_and(Vec::is_empty) {
        let mend = "leave it out for inbox and sent";
        mistakes.push(section.mistake(SYNC, "names no folder to read", mend));
    }
    for name in sync.iter().flatten() {
        let reason = match name.strip_prefix('\\') {
            None if name.is_empty() => "empty, where a folder's name or role belongs",
            Some(_) if Role::of_flag(name).is_none() => "not a role",
            None | Some(_) => continue,
        };
        let mend = format!("take one of {ROLES}, or a folder's name");
        mistakes.push(section.mistake_about(SYNC, shown(name), reason, mend));
    }
    let mut folder = |key| {
        let name = section.optional(key)?;
        if !name.starts_with('\\') {
            return Some(name.to_owned());
        }
        // The one role whose folder has the same name on every server.
        if Role::of_flag(name) == Some(Role::Inbox) {
            return Some("INBOX".to_owned());
        }
        let reason = "a role, where a folder's name belongs";
        let mend = "name the folder, or leave the key out: it is found by its role then";
        mistakes.push(section.mistake(key, reason, mend));
        None
    };
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
    // No trap of the FAQ, and as silent.
    for (key, named, other) in [
        ("mailbox[].folders.trash", &folders.trash, "trash"),
        ("mailbox[].folders.drafts", &folders.drafts, "drafts"),
    ] {
        if is_inbox(named) {
            let text = format!(
                "the {other} folder is the inbox: nothing that arrives there is saved; choose \
                 another folder for {other}"
            );
            warnings.push(section.warning(key, &text));
        }
    }
    let roles = [
        ("mailbox[].folders.sent", &folders.sent),
        ("mailbox[].folders.spam", &folders.spam),
        ("mailbox[].folders.trash", &folders.trash),
        ("mailbox[].folders.drafts", &folders.drafts),
    ];
    for (index, (key, name)) in roles.iter().enumerate() {
        let same = roles.iter().take(index).find(|(_, other)| name.is_some() && other == name);
        if let (Some(name), Some((other, _))) = (name, same) {
            let reason = format!("{} names the same folder", section.key(other));
            let mend = "name another folder for one of them";
            mistakes.push(section.mistake_about(key, shown(name), &reason, mend));
        }
    }
    folders
}

/// Options of which one keeps the other from ever taking effect.
fn contradictions<'a>(
    section: &Section,
    crm: &MailboxCrm,
    own: impl Iterator<Item = &'a String>,
    warnings: &mut Vec<String>,
) {
    const NEW_LEADS: &str = "mailbox[].crm.always_new_lead_for";
    let own: Vec<&String> = own.collect();
    let excluded: Vec<Pattern> = crm.exclude.iter().map(|text| Pattern::new(text)).collect();
    for text in &crm.always_new_lead_for {
        let plain = normalise(text);
        let shut_out = crm.exclude.contains(text)
            || plain.as_ref().is_some_and(|email| excluded.iter().any(|one| one.matches(email)));
        if shut_out {
            let told =
                format!("{text} makes no lead: crm.exclude names it too, and is asked first");
            warnings.push(section.warning(NEW_LEADS, &told));
        }
        let domain = plain.as_ref().and_then(|email| Some(email.rsplit_once('@')?.1));
        let inside = plain.as_ref().is_some_and(|email| own.contains(&email))
            || domain.is_some_and(|domain| crm.internal_domains.iter().any(|own| own == domain));
        if inside {
            let told = format!("{text} makes no lead: it is an address of the company itself");
            warnings.push(section.warning(NEW_LEADS, &told));
        }
    }
    if crm.repeat_lead && crm.on_incoming == Creation::None {
        let told = "makes no lead: on_incoming is none, and nothing is made here for what clients \
                    write";
        warnings.push(section.warning("mailbox[].crm.repeat_lead", told));
    }
    for email in own {
        if excluded.iter().any(|pattern| pattern.matches(email)) {
            let told = format!("names the mailbox's own address {email}, which is never excluded");
            warnings.push(section.warning("mailbox[].crm.exclude", &told));
        }
    }
}

/// INBOX is the one name without case (RFC 3501 section 5.1).
pub(super) fn is_inbox(name: &Option<String>) -> bool {
    name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case("INBOX"))
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
    let save_keyword = text("mailbox[].crm.save_keyword", usual.save_keyword);
    if save_keyword.as_ref().is_some_and(|keyword| !is_keyword(keyword)) {
        let reason = "not a keyword of IMAP: ASCII without blanks, parentheses, quotes, backslash, \
                      braces, brackets, % and *";
        let mend = format!("take {:?}, or \"\" for none", d::SAVE_KEYWORD);
        mistakes.push(section.mistake("mailbox[].crm.save_keyword", reason, mend));
    }
    let save_folder = text("mailbox[].crm.save_folder", usual.save_folder);
    let reason = match &save_folder {
        Some(name) if name.starts_with('\\') => Some("a role, where a folder's name belongs"),
        inbox if is_inbox(inbox) => Some("the inbox: all that arrives would be saved by hand"),
        Some(_) | None => None,
    };
    if let Some(reason) = reason {
        let mend = "name a folder for it alone, or \"\" for none";
        mistakes.push(section.mistake("mailbox[].crm.save_folder", reason, mend));
    }
    let mut patterns = |key| list(section, key, mistakes, pattern_of);
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
        save_keyword,
        save_folder,
        bind_contact: flag("mailbox[].crm.bind_contact", usual.bind_contact),
        deadline: deadline(section, mistakes),
        complete_on_reply: flag("mailbox[].crm.complete_on_reply", usual.complete_on_reply),
        task: flag("mailbox[].crm.task", usual.task),
        max_attachment: section
            .whole("mailbox[].crm.max_attachment_mib")
            .map_or(usual.max_attachment, |mib| number::<u64>(mib) * d::MIB),
    }
}

/// Whether this can be a keyword: an atom (RFC 3501 section 9, flag-keyword), and of a length that
/// servers keep.
fn is_keyword(text: &str) -> bool {
    let special = b"(){ %*\"\\]";
    let fits = |octet: u8| octet.is_ascii_graphic() && !special.contains(&octet);
    (1..=100).contains(&text.len()) && text.bytes().all(fits)
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

/// Mailboxes that would get in each other's way; also those in which other things are wrong, so
/// that all is told at once.
pub(super) fn clashes(mailboxes: &[Section], mistakes: &mut Vec<Mistake>) {
    for (index, section) in mailboxes.iter().enumerate() {
        let before = mailboxes.get(..index).unwrap_or_default();
        let name = section.optional("mailbox[].name");
        let same_name = |earlier: &&Section| earlier.optional("mailbox[].name") == name;
        if let Some(earlier) = before.iter().find(same_name).filter(|_| name.is_some()) {
            let reason = format!("given before in {}, names are unique", earlier.file);
            mistakes.push(section.mistake("mailbox[].name", reason, "take another name"));
        }
        // A folder read twice would give every message two places that are one.
        let login = login::identity(section);
        let same_login = |earlier: &&Section| login::identity(earlier) == login;
        if let Some(earlier) = before.iter().find(same_login).filter(|_| login.is_some()) {
            let reason = format!(
                "{} in {} has the same host, port and username",
                earlier.shown, earlier.file
            );
            mistakes.push(section.mistake("mailbox[].imap.username", reason, "keep one of them"));
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
