//! `[crm]`, `[ledger]`, `[daemon]` and `[http]` out of what was given.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::{Host, Url};

use super::layers::Surroundings;
use super::mistake::{HIDDEN, Mistake, shown};
use super::secret::{self, Secret};
use super::section::{Section, Sections};
use super::{Crm, CrmKind, Daemon, Edition, EmployeeWebhook, Http, Ledger};
use super::{defaults as d, number};

pub(super) fn crm(
    sections: &Sections,
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Option<Crm> {
    let root = &sections.root;
    if !sections.has_crm {
        warnings.push(root.warning(
            "crm",
            "no [crm] table: the built-in sandbox stands in for the CRM, and nothing is filed in \
             Bitrix24",
        ));
        return None;
    }
    let kind = match root.text("crm.kind") {
        Some("sandbox") => CrmKind::Sandbox,
        Some(_) | None => CrmKind::Bitrix24,
    };
    let url = match kind {
        CrmKind::Bitrix24 => {
            let mend =
                "name the file that holds the inbound webhook's URL, or take kind = \"sandbox\"";
            webhook(root, "crm", mend, around, mistakes, warnings)
        }
        CrmKind::Sandbox => {
            for key in super::layers::URL_KEYS.iter().filter(|key| root.has(key)) {
                warnings.push(root.warning(key, "not used by the sandbox"));
            }
            None
        }
    };
    let originator = root.text("crm.originator").unwrap_or(d::ORIGINATOR);
    if originator.trim().is_empty() || originator.chars().count() > d::ORIGINATOR_MAX {
        let reason =
            format!("not 1 to {} characters, which ORIGINATOR_ID holds", d::ORIGINATOR_MAX);
        mistakes.push(root.mistake("crm.originator", reason, "take \"mailcrm\""));
    }
    Some(Crm {
        kind,
        originator: originator.to_owned(),
        url,
        requests_per_second: root.real("crm.requests_per_second").unwrap_or(d::REQUESTS_PER_SECOND),
        burst: number(root.whole("crm.burst").unwrap_or(d::BURST)),
        edition: match root.text("crm.edition") {
            Some("on-premise") => Edition::OnPremise,
            Some(_) | None => Edition::Cloud,
        },
        follow_responsible: Duration::from_secs(number(
            root.whole("crm.follow_responsible_secs").unwrap_or(d::FOLLOW_RESPONSIBLE_SECS),
        )),
        employees: employees(&sections.employees, around, mistakes, warnings),
    })
}

fn employees(
    sections: &[Section],
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Vec<EmployeeWebhook> {
    let mut employees: Vec<EmployeeWebhook> = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        const ID: &str = "crm.employee[].id";
        let id = section.whole(ID).map(number::<u64>);
        if !section.has(ID) {
            mistakes.push(section.mistake(ID, "required", "give the employee's number in the CRM"));
        }
        // Also beside one in which other things are wrong: all is told at once.
        let mut before = sections.iter().take(index);
        if id.is_some() && before.any(|earlier| earlier.whole(ID) == section.whole(ID)) {
            mistakes.push(section.mistake(ID, "given twice", "keep one"));
        }
        let mend = "name the file that holds this employee's own webhook URL";
        let url = webhook(section, "crm.employee[]", mend, around, mistakes, warnings);
        if let (Some(id), Some(url)) = (id, url) {
            employees.push(EmployeeWebhook { id, url });
        }
    }
    employees
}

/// The webhook's URL out of `url`, `url_file` or `url_credential` of a table; a mistake if it is
/// not given exactly once, or is none.
fn webhook(
    section: &Section,
    table: &str,
    mend: &str,
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Option<Secret> {
    let [inline, file, credential] =
        ["url", "url_file", "url_credential"].map(|name| format!("{table}.{name}"));
    let given: Vec<&String> =
        [&inline, &file, &credential].into_iter().filter(|key| section.has(key)).collect();
    match given.as_slice() {
        [] => {
            mistakes.push(section.mistake(&file, "required, no URL is given", mend));
            return None;
        }
        [_] => {}
        [first, .., last] => {
            let reason = format!("given beside {}", section.key(first));
            mistakes.push(section.mistake(last, reason, "keep one of them"));
            return None;
        }
    }
    if let Some(text) = section.text(&inline) {
        return match webhook_url(text) {
            Ok(url) => Some(url),
            Err((reason, mend)) => {
                mistakes.push(section.mistake(&inline, reason, mend));
                None
            }
        };
    }
    let (key, text, path) = if let Some(text) = section.text(&file) {
        if text.contains("://") {
            let mend = "put the URL into a file and name that file";
            mistakes.push(section.mistake_about(&file, HIDDEN, "a URL, not a file", mend));
            return None;
        }
        (&file, text, around.path(text))
    } else {
        let name = section.text(&credential)?;
        let Some(path) = credential_path(name, around) else {
            mistakes.push(not_a_credential(section, &credential));
            return None;
        };
        (&credential, name, path)
    };
    let written = if secret::is_a_path(text, &path) { shown(text) } else { HIDDEN.to_owned() };
    warn_if_open(section, key, &path, warnings);
    let secret = match secret::read_file_now(&path) {
        Ok(secret) => secret,
        Err(error) => {
            let reason = with_cause(&error);
            let mend = if key == &file {
                "put the webhook's URL on the first line of that file, readable by this user"
            } else {
                "give the service LoadCredential= with that name"
            };
            mistakes.push(section.mistake_about(key, written, reason, mend));
            return None;
        }
    };
    match webhook_url(secret.expose().trim()) {
        Ok(url) => Some(url),
        Err((reason, mend)) => {
            let reason = format!("its first line is {reason}");
            mistakes.push(section.mistake_about(key, written, reason, mend));
            None
        }
    }
}

/// An error and its causes on one line.
pub(super) fn with_cause(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        line.push_str(&format!(": {next}"));
        cause = next.source();
    }
    line
}

/// The URL in its normal form, ending in a slash; else what it is instead, and the mend.
fn webhook_url(text: &str) -> Result<Secret, (&'static str, &'static str)> {
    const COPY: &str =
        "copy the inbound webhook's URL from Bitrix24, up to the slash after the secret";
    let url = Url::parse(text).map_err(|_| ("no URL", COPY))?;
    match url.scheme() {
        "https" => {}
        "http" if url.host().is_some_and(|host| is_loopback(&host)) => {}
        "http" => {
            return Err(("a plain http: URL, which is for a loopback host only", "write https:"));
        }
        _ => return Err(("no https: URL", COPY)),
    }
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let well_formed = match segments.as_slice() {
        ["rest", id, secret] | ["rest", id, secret, ""] => {
            !id.is_empty() && id.bytes().all(|c| c.is_ascii_digit()) && !secret.is_empty()
        }
        _ => false,
    };
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !well_formed || !plain {
        return Err(("not of the form https://HOST/rest/ID/SECRET/", COPY));
    }
    Ok(Secret::new(format!("{}/", url.as_str().trim_end_matches('/'))))
}

/// Whether nothing sent to this host leaves the machine.
pub(super) fn is_loopback<T: AsRef<str>>(host: &Host<T>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref().eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Where systemd put the credential; `None` if the name is not one file's.
pub(super) fn credential_path(name: &str, around: &Surroundings) -> Option<PathBuf> {
    let plain = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
    plain.then(|| around.credentials.join(name))
}

pub(super) fn not_a_credential(section: &Section, key: &str) -> Mistake {
    section.mistake(key, "not a credential's name", "take the name given in LoadCredential=")
}

/// Warns of a secret's file that every user of the machine may read. One that is not there yet is
/// told when it is needed.
pub(super) fn warn_if_open(section: &Section, key: &str, path: &Path, warnings: &mut Vec<String>) {
    if is_open(path) {
        let text = format!("{} may be read by everybody; chmod o-rwx it", path.display());
        warnings.push(section.warning(key, &text));
    }
}

pub(super) fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

pub(super) fn ledger(root: &Section, around: &Surroundings, mistakes: &mut Vec<Mistake>) -> Ledger {
    let path = root.text("ledger.path").unwrap_or(d::LEDGER_PATH);
    if path.is_empty() || path.ends_with('/') {
        let mend = format!("take {:?}", d::LEDGER_PATH);
        mistakes.push(root.mistake("ledger.path", "names no file", mend));
    }
    let mib = |key, default| number::<u64>(root.whole(key).unwrap_or(default)) * d::MIB;
    Ledger {
        path: around.path(path),
        spool_max: mib("ledger.spool_max_mib", d::SPOOL_MAX_MIB),
        max_message: mib("ledger.max_message_mib", d::MAX_MESSAGE_MIB),
    }
}

pub(super) fn daemon(
    root: &Section,
    around: &Surroundings,
    ledger: &Ledger,
    mistakes: &mut Vec<Mistake>,
) -> Daemon {
    let socket = match root.text("daemon.socket").filter(|text| !text.is_empty()) {
        Some(text) => around.path(text),
        None => match &around.runtime {
            Some(folder) => folder.join(d::SOCKET_NAME),
            None if Path::new(d::RUNTIME_FOLDER).is_dir() => {
                Path::new(d::RUNTIME_FOLDER).join(d::SOCKET_NAME)
            }
            None => ledger.path.with_file_name(d::SOCKET_NAME),
        },
    };
    let timezone = root.text("daemon.timezone").unwrap_or_default();
    if !timezone.is_empty() && jiff::tz::TimeZone::get(timezone).is_err() {
        mistakes.push(root.mistake(
            "daemon.timezone",
            "no time zone of the IANA database",
            "take a name such as Europe/Madrid, or \"\" for the system's",
        ));
    }
    Daemon { socket, timezone: timezone.to_owned() }
}

pub(super) fn http(
    root: &Section,
    around: &Surroundings,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Http {
    let listen = root.text("http.listen").unwrap_or(d::HTTP_LISTEN);
    if listen.parse::<std::net::SocketAddr>().is_err() {
        let mend = format!("take {:?}", d::HTTP_LISTEN);
        mistakes.push(root.mistake("http.listen", "not of the form ADDRESS:PORT", mend));
    }
    let token_file =
        root.text("http.token_file").filter(|text| !text.is_empty()).map(|text| around.path(text));
    if let Some(path) = &token_file {
        warn_if_open(root, "http.token_file", path, warnings);
    }
    Http { listen: listen.to_owned(), token_file }
}
