//! How a mailbox is reached: `[mailbox.imap]` and `[mailbox.smtp]` out of what was given.

use std::path::PathBuf;
use std::time::Duration;

use url::Host;

use super::global::{credential_path, is_loopback, not_a_credential, warn_if_open};
use super::layers::Surroundings;
use super::mistake::{HIDDEN, Mistake, shown};
use super::secret::{Oauth2, Secret, SecretSource, is_a_path};
use super::section::Section;
use super::{Imap, Smtp, Tls};
use super::{defaults as d, number};

pub(super) fn imap(
    section: &Section,
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Option<Imap> {
    let mend = "give the IMAP server's name";
    let host = host(section, "mailbox[].imap.host", mend, mistakes);
    let tls = tls(section, "mailbox[].imap.tls", host.as_deref(), mistakes);
    let mend = "give the login's name, most often the address";
    let username = section.required("mailbox[].imap.username", mend, mistakes);
    let secret = secret(section, "mailbox[].imap", around, mistakes, warnings);
    let ca_file = section.optional("mailbox[].imap.ca_file").map(|text| around.path(text));
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

/// What tells one login from another: host, port and username, if they are given rightly.
pub(super) fn identity(section: &Section) -> Option<(String, u16, &str)> {
    const PORT: &str = "mailbox[].imap.port";
    // Its mistakes were told before.
    let host = host(section, "mailbox[].imap.host", "", &mut Vec::new())?;
    let tls = tls(section, "mailbox[].imap.tls", None, &mut Vec::new());
    let known = section.whole(PORT).is_some() || !section.has(PORT);
    let port = known.then(|| port(section, PORT, tls, d::IMAP_PORT, d::IMAP_PORT_PLAIN))?;
    Some((host.to_lowercase(), port, section.optional("mailbox[].imap.username")?))
}

const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

pub(super) fn smtp(
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
        section.optional("mailbox[].smtp.username").or(imap.map(|imap| imap.username.as_str()));
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
    let text = section.required(key, mend, mistakes)?;
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Some(text.to_owned());
    }
    // A URL may hold the login: imaps://sales:PASSWORD@imap.example.com.
    let written = if text.contains('@') { HIDDEN.to_owned() } else { shown(text) };
    if let Some((_, after)) = text.rsplit_once(':')
        && !after.is_empty()
        && after.bytes().all(|c| c.is_ascii_digit())
    {
        let mend = "put the number into the key port";
        mistakes.push(section.mistake_about(key, written, "a host and a port", mend));
        return None;
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) => Some(name),
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => {
            let reason = "not a host's name or address";
            mistakes.push(section.mistake_about(key, written, reason, mend));
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
            if !section.lies_in_wrong(&key) {
                mistakes.push(section.mistake(&key, "required, no secret is given", mend));
            }
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
            let named = is_a_path(text, &path);
            let file = if named { path.display().to_string() } else { HIDDEN.to_owned() };
            let text = format!(
                "{file} cannot be read, this mailbox cannot log in: {error}; put the password on \
                 the first line of that file"
            );
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
    let text = |name: &str| section.optional(&key(name)).map(str::to_owned);
    let mut file = |name: &str| -> Option<PathBuf> {
        let path = around.path(section.optional(&key(name))?);
        warn_if_open(section, &key(name), &path, warnings);
        Some(path)
    };
    let client_secret_file = file("client_secret_file");
    let token_file = file("token_file");
    let mend = "take \"google\", \"microsoft\" or \"other\"";
    let provider = section.required(&key("provider"), mend, mistakes);
    let mend = "give the id under which mailcrm is registered there";
    let client_id = section.required(&key("client_id"), mend, mistakes);
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
