//! What was given in one place, kept by key with where it came from. Pure.
//!
//! A later mistake (two keys that do not go together) can so still name file, key and value.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{self, Key, Named};
use super::mistake::{ABSENT, HIDDEN, Mistake};
use super::value::Checked;

/// A value and where it was given.
struct Given {
    file: String,
    value: Checked,
}

/// The keys given in one place: the root tables, one mailbox, or one employee.
pub(super) struct Section {
    /// For mistakes about keys that are not given.
    pub file: String,
    /// The section's path in the table of keys: empty, `mailbox[]` or `crm.employee[]`.
    pub known: &'static str,
    /// The same as it is shown: empty, `mailbox[sales]` or `crm.employee[7]`.
    pub shown: String,
    given: BTreeMap<&'static str, Given>,
    /// Given, and already told to be wrong.
    wrong: BTreeSet<String>,
}

impl Section {
    pub fn new(file: &str, known: &'static str, shown: String) -> Section {
        Section {
            file: file.to_owned(),
            known,
            shown,
            given: BTreeMap::new(),
            wrong: BTreeSet::new(),
        }
    }

    /// Whether the key was given, rightly or wrongly.
    pub fn has(&self, path: &str) -> bool {
        self.given.contains_key(path) || self.wrong.contains(path)
    }

    /// Whether a mistake was made of a table in which the key lies: what it holds is not missed.
    pub fn lies_in_wrong(&self, path: &str) -> bool {
        path.match_indices('.')
            .any(|(end, _)| path.get(..end).is_some_and(|t| self.wrong.contains(t)))
    }

    /// Whether any key of the table was given.
    pub fn has_table(&self, path: &str) -> bool {
        let under = |key: &str| {
            key.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.given.keys().any(|key| under(key)) || self.wrong.iter().any(|key| under(key))
    }

    /// Takes a value of a higher layer instead of what stands here.
    pub fn put(&mut self, file: &str, key: &'static Key, value: Checked) {
        self.wrong.remove(key.path);
        self.given.insert(key.path, Given { file: file.to_owned(), value });
    }

    /// A value was given for the key, and a mistake was made of it.
    pub fn put_wrong(&mut self, path: &str) {
        self.wrong.insert(path.to_owned());
    }

    pub fn forget(&mut self, path: &str) {
        self.given.remove(path);
        self.wrong.remove(path);
    }

    pub fn flag(&self, path: &str) -> Option<bool> {
        if let Some(Checked::Flag(flag)) = self.value(path) { Some(*flag) } else { None }
    }

    pub fn whole(&self, path: &str) -> Option<i64> {
        if let Some(Checked::Whole(number)) = self.value(path) { Some(*number) } else { None }
    }

    pub fn real(&self, path: &str) -> Option<f64> {
        if let Some(Checked::Real(number)) = self.value(path) { Some(*number) } else { None }
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        if let Some(Checked::Text(text)) = self.value(path) { Some(text) } else { None }
    }

    pub fn texts(&self, path: &str) -> Option<&[String]> {
        if let Some(Checked::Texts(texts)) = self.value(path) { Some(texts) } else { None }
    }

    pub fn employees(&self, path: &str) -> Option<&[u64]> {
        if let Some(Checked::Employees(ids)) = self.value(path) { Some(ids) } else { None }
    }

    fn value(&self, path: &str) -> Option<&Checked> {
        debug_assert!(matches!(keys::named(path), Named::Key(_)), "unknown key {path}");
        self.given.get(path).map(|given| &given.value)
    }

    /// A required text that is not empty; else a mistake, unless one was made of it already.
    pub fn required(&self, path: &str, mend: &str, mistakes: &mut Vec<Mistake>) -> Option<&str> {
        match self.text(path) {
            Some("") => {
                mistakes.push(self.mistake(path, "empty", mend));
                None
            }
            Some(text) => Some(text),
            None => {
                if !self.has(path) && !self.lies_in_wrong(path) {
                    mistakes.push(self.mistake(path, "required", mend));
                }
                None
            }
        }
    }

    /// A text that is given and not empty: empty stands for "none" wherever absence means
    /// something.
    pub fn optional(&self, path: &str) -> Option<&str> {
        self.text(path).filter(|text| !text.is_empty())
    }

    /// The key as it is shown, such as `mailbox[sales].imap.port`.
    pub fn key(&self, path: &str) -> String {
        show_path(path, self.known, &self.shown)
    }

    /// The file or variable that gave the key, else the section's file.
    pub fn origin(&self, path: &str) -> &str {
        self.given.get(path).map_or(&self.file, |given| &given.file)
    }

    /// A mistake about the key's value, or about its absence.
    pub fn mistake(
        &self,
        path: &str,
        reason: impl Into<String>,
        mend: impl Into<String>,
    ) -> Mistake {
        let value = match (keys::named(path), self.given.get(path)) {
            // Also where only a path or a name belongs: the secret itself may stand there.
            (Named::Key(key), Some(_)) if key.is_about_secrets() => HIDDEN.to_owned(),
            (_, Some(given)) => given.value.show(),
            (_, None) => ABSENT.to_owned(),
        };
        self.mistake_about(path, value, reason, mend)
    }

    /// As [`Section::mistake`], with the part of the value that is wrong.
    pub fn mistake_about(
        &self,
        path: &str,
        value: impl Into<String>,
        reason: impl Into<String>,
        mend: impl Into<String>,
    ) -> Mistake {
        Mistake {
            file: self.origin(path).to_owned(),
            key: self.key(path),
            value: value.into(),
            reason: reason.into(),
            mend: mend.into(),
        }
    }

    /// A line about something that is no mistake.
    pub fn warning(&self, path: &str, text: &str) -> String {
        format!("{}: {}: {text}", self.origin(path), self.key(path))
    }

    /// One warning for each key given that does nothing in this version.
    pub fn not_in_force(&self) -> impl Iterator<Item = String> + '_ {
        let mut paths: Vec<&str> = self.given.keys().copied().collect();
        paths.sort_by_key(|path| keys::rank(path));
        paths.into_iter().filter_map(|path| match keys::named(path) {
            Named::Key(key) if !key.in_force => {
                Some(self.warning(
                    path,
                    "accepted, but not yet in force: it has no effect in this version",
                ))
            }
            Named::Key(_) | Named::Table | Named::Tables | Named::Nothing => None,
        })
    }
}

/// All that was given, checked key by key.
pub(super) struct Sections {
    pub root: Section,
    pub employees: Vec<Section>,
    pub mailboxes: Vec<Section>,
    /// A `[crm]` table is there, be it empty.
    pub has_crm: bool,
}

/// A path of the table of keys as it is shown to people.
pub(super) fn show_path(path: &str, known: &str, shown: &str) -> String {
    match path.strip_prefix(known) {
        Some(rest) if !known.is_empty() => format!("{shown}{rest}"),
        _ => path.replace("mailbox[]", "mailbox[NAME]").replace("employee[]", "employee[ID]"),
    }
}
