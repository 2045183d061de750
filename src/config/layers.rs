//! Where values come from: the file, `mailboxes.d` beside it, the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::config::{FileFormat, Format};

use super::check;
use super::defaults;
use super::keys::{self, Named};
use super::mistake::{HIDDEN, Mistake, shown};
use super::section::{Section, Sections};
use super::value::{self, Raw};

/// What every variable of ours begins with.
const PREFIX: &str = "MAILCRM__";

/// The keys of [crm] of which one gives the portal's URL.
pub(super) const URL_KEYS: [&str; 3] = ["crm.url", "crm.url_file", "crm.url_credential"];

/// What the configuration is read against: folders that the process was given.
pub(super) struct Surroundings {
    /// The configuration file's folder, from which relative paths count. Absolute.
    pub folder: PathBuf,
    /// Where systemd put the service's credentials.
    pub credentials: PathBuf,
    /// The service's own folder in `/run`.
    pub runtime: Option<PathBuf>,
}

impl Surroundings {
    pub fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }
}

/// Reads all layers; the environment lies above the files.
pub(super) fn read(
    path: &Path,
    environment: impl Iterator<Item = (String, String)>,
    mistakes: &mut Vec<Mistake>,
) -> (Sections, Surroundings) {
    let file = path.display().to_string();
    let mut sections = Sections {
        root: Section::new(&file, "", String::new()),
        employees: Vec::new(),
        mailboxes: Vec::new(),
        has_crm: false,
    };
    let mend = "name with --config a file that this user may read";
    if let Some(table) = read_file(path, mend, mistakes) {
        check::check(&file, &table, false, &mut sections, mistakes);
    }
    for path in mailbox_files(path, mistakes) {
        if let Some(table) = read_file(&path, "let this user read it", mistakes) {
            check::check(&path.display().to_string(), &table, true, &mut sections, mistakes);
        }
    }

    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    let mut surroundings = Surroundings {
        // The daemon's working folder may change, the meaning of a path must not.
        folder: std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()),
        credentials: PathBuf::from(defaults::CREDENTIALS_FOLDER),
        runtime: None,
    };
    let mut variables: Vec<(String, String)> = environment.collect();
    // In a fixed order, so that the same mistakes give the same lines.
    variables.sort();
    let url_variable = |name: &str| path_of(name).is_some_and(|p| URL_KEYS.contains(&p.as_str()));
    if variables.iter().any(|(name, _)| url_variable(name)) {
        // The layers are not three ways to one URL: the upper one replaces the lower.
        URL_KEYS.iter().for_each(|key| sections.root.forget(key));
    }
    for (name, value) in variables {
        match name.as_str() {
            "CREDENTIALS_DIRECTORY" if !value.is_empty() => surroundings.credentials = value.into(),
            // systemd separates several by colons.
            "RUNTIME_DIRECTORY" => {
                surroundings.runtime =
                    value.split(':').next().filter(|first| !first.is_empty()).map(PathBuf::from);
            }
            _ => {
                if let Some(path) = path_of(&name) {
                    variable(&name, &path, &value, &mut sections, mistakes);
                }
            }
        }
    }
    (sections, surroundings)
}

/// The key's path that a variable's name stands for; `None` if it is none of ours.
fn path_of(name: &str) -> Option<String> {
    name.strip_prefix(PREFIX).map(|rest| rest.to_lowercase().replace("__", "."))
}

/// Whether the environment may set the key.
fn settable(path: &str) -> bool {
    ["crm.", "ledger.", "http.", "daemon."].iter().any(|table| path.starts_with(table))
        && !path.contains("[]")
}

fn variable(
    name: &str,
    path: &str,
    text: &str,
    sections: &mut Sections,
    mistakes: &mut Vec<Mistake>,
) {
    let file = format!("environment {name}");
    let mistake = |value, reason, mend| Mistake {
        file: file.clone(),
        key: path.to_owned(),
        value,
        reason,
        mend,
    };
    if let Named::Key(key) = keys::named(path)
        && settable(path)
    {
        sections.has_crm |= path.starts_with("crm.");
        match value::check_text(key, text) {
            Ok(value) => sections.root.put(&file, key, value),
            Err(wrong) => mistakes.push(mistake(wrong.value, wrong.reason, wrong.mend)),
        }
        return;
    }
    let (prefix, last) = path.rsplit_once('.').unwrap_or(("", path));
    let Some(near) = keys::nearest(prefix, last, settable) else { return };
    let variable = near.path.to_uppercase().replace('.', "__");
    let (harmless, variable) = match keys::named(&near.path) {
        Named::Key(key) => {
            let harmless = !key.is_about_secrets() && !keys::sounds_secret(path);
            (near.meant && harmless, variable)
        }
        Named::Table | Named::Tables | Named::Nothing => (false, format!("{variable}__KEY")),
    };
    mistakes.push(mistake(
        if harmless { shown(text) } else { HIDDEN.to_owned() },
        "unknown key, the environment sets keys of [crm], [ledger], [http] and [daemon]".into(),
        format!("the nearest is {} ({PREFIX}{variable})", near.path),
    ));
}

/// A file's values; a mistake and `None` if it cannot be read or is no TOML.
fn read_file(
    path: &Path,
    mend: &str,
    mistakes: &mut Vec<Mistake>,
) -> Option<BTreeMap<String, Raw>> {
    let mut mistake = |key: String, value: String, reason: String, mend: &str| {
        let file = path.display().to_string();
        mistakes.push(Mistake { file, key, value, reason, mend: mend.to_owned() });
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let no_text = error.kind() == std::io::ErrorKind::InvalidData;
            let mend = if no_text { "write it in UTF-8, as all TOML" } else { mend };
            mistake(String::new(), String::new(), format!("cannot be read: {error}"), mend);
            return None;
        }
    };
    match FileFormat::Toml.parse(None, &text) {
        Ok(table) => Some(table.into_iter().map(|(name, value)| (name, value.into())).collect()),
        Err(error) => {
            let (place, reason) = explain_syntax(&error.to_string());
            mistake(
                place,
                String::new(),
                reason,
                "write TOML as in the file that came with mailcrm",
            );
            None
        }
    }
}

/// Where a TOML file is wrong, and why, out of the parser's words.
///
/// These come as several lines, of which the middle ones quote the file and may hold a secret:
/// only the first (the place) and the last (the reason) are used.
fn explain_syntax(error: &str) -> (String, String) {
    let mut lines = error.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or("no TOML");
    let Some(place) = first.strip_prefix("TOML parse error at ") else {
        return (String::new(), "a number is too large for any key".to_owned());
    };
    let reason = lines.next_back().unwrap_or("no TOML");
    (place.to_owned(), reason.to_owned())
}

/// `mailboxes.d/*.toml` beside the file, in the order of their names.
fn mailbox_files(path: &Path, mistakes: &mut Vec<Mistake>) -> Vec<PathBuf> {
    let folder = path.with_file_name("mailboxes.d");
    let mut cannot = |error: std::io::Error| {
        mistakes.push(Mistake {
            file: folder.display().to_string(),
            key: String::new(),
            value: String::new(),
            reason: format!("cannot be read: {error}"),
            mend: "let it be a folder that this user may read".into(),
        });
    };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            cannot(error);
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => {
                let name = entry.file_name();
                // As a shell's `*.toml`: editors' hidden copies are not meant.
                let hidden = name.as_encoded_bytes().starts_with(b".");
                if !hidden && name.as_encoded_bytes().ends_with(b".toml") {
                    files.push(entry.path());
                }
            }
            Err(error) => cannot(error),
        }
    }
    files.sort();
    files
}
