//! A file's values against the table of keys: right names, right types, right ranges. Pure.
//!
//! What passes is kept by its key's path with the place it came from, so that a later mistake
//! (two keys that do not go together) can still name file, key and value.

use std::collections::{BTreeMap, BTreeSet};

use ::config::{Map, Value, ValueKind};

use super::keys::{self, Default, Key, Kind, Named};
use super::mistake::{ABSENT, HIDDEN, Mistake, shown};

/// A value of the type that its key asks for.
#[derive(Clone, Debug)]
pub(super) enum Checked {
    Flag(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    Texts(Vec<String>),
    Employees(Vec<u64>),
}

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
    known: &'static str,
    /// The same as it is shown: empty, `mailbox[sales]` or `crm.employee[7]`.
    shown: String,
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
            (Named::Key(Key { kind: Kind::Secret, .. }), Some(_)) => HIDDEN.to_owned(),
            (_, Some(given)) => show_checked(&given.value),
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

/// Checks one file's values and adds them to `sections`.
///
/// `only_mailboxes`: the file is one of `mailboxes.d`, where nothing else belongs.
pub(super) fn check(
    file: &str,
    table: &Map<String, Value>,
    only_mailboxes: bool,
    sections: &mut Sections,
    mistakes: &mut Vec<Mistake>,
) {
    let mut walk = Walk { file, mistakes, employees: Vec::new(), mailboxes: Vec::new() };
    if only_mailboxes {
        let mut rest = Section::new(file, "", String::new());
        for (name, value) in ordered("", table) {
            if name == "mailbox" {
                walk.value("mailbox", name, value, &mut rest);
            } else {
                walk.mistakes.push(Mistake {
                    file: file.to_owned(),
                    key: name.clone(),
                    value: show_value(value),
                    reason: "files in mailboxes.d hold [[mailbox]] only".into(),
                    mend: "move it to the main configuration file".into(),
                });
            }
        }
    } else {
        sections.has_crm |= table.contains_key("crm");
        walk.table("", table, &mut sections.root);
    }
    let Walk { employees, mailboxes, .. } = walk;
    sections.employees.extend(employees);
    sections.mailboxes.extend(mailboxes);
}

struct Walk<'a> {
    file: &'a str,
    mistakes: &'a mut Vec<Mistake>,
    employees: Vec<Section>,
    mailboxes: Vec<Section>,
}

impl Walk<'_> {
    fn table(&mut self, prefix: &str, table: &Map<String, Value>, section: &mut Section) {
        for (name, value) in ordered(prefix, table) {
            self.value(&join(prefix, name), name, value, section);
        }
    }

    fn value(&mut self, path: &str, name: &str, value: &Value, section: &mut Section) {
        let file = self.file;
        let wrong = |section: &Section, value: String, reason: &str, mend: String| Mistake {
            file: file.to_owned(),
            key: section.key(path),
            value,
            reason: reason.to_owned(),
            mend,
        };
        match keys::named(path) {
            Named::Key(key) => match check_value(key, value) {
                Ok(checked) => section.put(self.file, key, checked),
                Err(Wrong { value, reason, mend }) => {
                    self.mistakes.push(wrong(section, value, &reason, mend));
                    section.wrong.insert(path.to_owned());
                }
            },
            Named::Table => match &value.kind {
                ValueKind::Table(table) => self.table(path, table, section),
                other => {
                    let mend = format!("write [{}]", path.replace("[]", ""));
                    self.mistakes.push(wrong(section, show_hidden(other), "not a table", mend));
                    section.wrong.insert(path.to_owned());
                }
            },
            Named::Tables => {
                let tables = match &value.kind {
                    ValueKind::Array(tables) => tables.as_slice(),
                    _ => &[],
                };
                let all: Option<Vec<_>> = tables
                    .iter()
                    .map(|value| match &value.kind {
                        ValueKind::Table(table) => Some(table),
                        _ => None,
                    })
                    .collect();
                match all {
                    Some(tables) if matches!(value.kind, ValueKind::Array(_)) => {
                        for (index, table) in tables.into_iter().enumerate() {
                            self.tables(path, index, table);
                        }
                    }
                    _ => {
                        let mend = format!("write [[{path}]], once for each");
                        let value = show_hidden(&value.kind);
                        self.mistakes.push(wrong(section, value, "not an array of tables", mend));
                    }
                }
            }
            Named::Nothing => {
                let prefix = path.strip_suffix(name).unwrap_or(path).trim_end_matches('.');
                let mistake = unknown(file, prefix, name, value, section);
                self.mistakes.push(mistake);
            }
        }
    }

    /// One table of an array: a section of its own, shown by what identifies it.
    fn tables(&mut self, path: &str, index: usize, table: &Map<String, Value>) {
        let (known, identity) = if path == "mailbox" {
            ("mailbox[]", table.get("name"))
        } else {
            ("crm.employee[]", table.get("id"))
        };
        let identity = match identity.map(|value| &value.kind) {
            Some(ValueKind::String(text)) if !text.is_empty() => shown(text),
            Some(ValueKind::I64(number)) => number.to_string(),
            // Counted from 1 in its file; `#` keeps it apart from a mailbox of that name.
            _ => format!("#{}", index + 1),
        };
        let mut section = Section::new(self.file, known, format!("{path}[{identity}]"));
        self.table(known, table, &mut section);
        if path == "mailbox" {
            self.mailboxes.push(section);
        } else {
            self.employees.push(section);
        }
    }
}

/// A table's values in the order of the table of keys, the unknown ones last.
fn ordered<'a>(prefix: &str, table: &'a Map<String, Value>) -> Vec<(&'a String, &'a Value)> {
    let mut values: Vec<_> = table.iter().collect();
    values.sort_by_key(|(name, _)| {
        let path = join(prefix, name);
        let rank = match keys::named(&path) {
            Named::Key(_) | Named::Table | Named::Tables => keys::rank(&path),
            Named::Nothing => usize::MAX,
        };
        (rank, *name)
    });
    values
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn unknown(file: &str, prefix: &str, name: &str, value: &Value, section: &Section) -> Mistake {
    let nearest = keys::nearest(prefix, name, |_| true);
    // A misspelt `password` must not be shown: only what surely is no secret is.
    let harmless = !keys::sounds_secret(name)
        && nearest.as_ref().is_some_and(|near| match keys::named(&near.path) {
            Named::Key(key) => near.meant && !key.is_about_secrets(),
            Named::Table | Named::Tables | Named::Nothing => false,
        });
    Mistake {
        file: file.to_owned(),
        key: section.key(&join(prefix, name)),
        value: if harmless { show_value(value) } else { show_hidden(&value.kind) },
        reason: "unknown key".into(),
        mend: match nearest {
            Some(near) => {
                format!("the nearest is {}", show_path(&near.path, section.known, &section.shown))
            }
            None => "leave it out".into(),
        },
    }
}

/// A path of the table of keys as it is shown to people.
fn show_path(path: &str, known: &str, shown: &str) -> String {
    match path.strip_prefix(known) {
        Some(rest) if !known.is_empty() => format!("{shown}{rest}"),
        _ => path.replace("mailbox[]", "mailbox[NAME]").replace("employee[]", "employee[ID]"),
    }
}

/// What is wrong with one value.
pub(super) struct Wrong {
    pub value: String,
    pub reason: String,
    pub mend: String,
}

/// The value as its key wants it.
fn check_value(key: &Key, value: &Value) -> Result<Checked, Wrong> {
    let hide = key.is_about_secrets();
    let wrong = |value: &Value, reason: &str, mend: String| {
        let value = if hide { show_hidden(&value.kind) } else { show_value(value) };
        Wrong { value, reason: reason.to_owned(), mend }
    };
    let text = |value: &Value| match &value.kind {
        ValueKind::String(text) => Some(text.clone()),
        _ => None,
    };
    let whole = |value: &Value| match value.kind {
        ValueKind::I64(number) => Some(number),
        _ => None,
    };
    match &key.kind {
        Kind::Flag => match value.kind {
            ValueKind::Boolean(flag) => Ok(Checked::Flag(flag)),
            _ => Err(wrong(value, "neither true nor false", mend(key, "write true or false"))),
        },
        Kind::Whole { min, below, max, above } => {
            let Some(number) = whole(value) else {
                return Err(wrong(
                    value,
                    "not a whole number",
                    mend(key, "write it without quotes"),
                ));
            };
            within(number, *min, below, *max, above)
                .map(Checked::Whole)
                .map_err(|reason| wrong(value, &reason, mend(key, &format!("take {min} to {max}"))))
        }
        Kind::Real { min, below, max, above } => {
            let number = match value.kind {
                ValueKind::Float(number) if !number.is_nan() => number,
                ValueKind::I64(number) => number as f64,
                _ => {
                    return Err(wrong(value, "not a number", mend(key, "write it without quotes")));
                }
            };
            within(number, *min, below, *max, above)
                .map(Checked::Real)
                .map_err(|reason| wrong(value, &reason, mend(key, &format!("take {min} to {max}"))))
        }
        Kind::Text | Kind::Secret => text(value)
            .map(Checked::Text)
            .ok_or_else(|| wrong(value, "not a text", "put it in quotes".into())),
        Kind::Choice(choices) => match text(value) {
            Some(text) if choices.contains(&text.as_str()) => Ok(Checked::Text(text)),
            text => {
                let near = text.and_then(|text| {
                    let slips = |choice: &str| strsim::osa_distance(&text.to_lowercase(), choice);
                    let near = choices.iter().min_by_key(|choice| slips(choice))?;
                    (slips(near) <= 2).then(|| format!("take {near:?}"))
                });
                let reason = format!("not one of {}", choices.join(", "));
                Err(wrong(value, &reason, near.unwrap_or_else(|| mend(key, "take one of them"))))
            }
        },
        Kind::Texts => each(value, "texts", text, &wrong).map(Checked::Texts),
        Kind::Employees => {
            let ids = each(value, "employees' numbers", whole, &wrong)?;
            ids.into_iter()
                .map(|id| {
                    u64::try_from(id).ok().filter(|id| *id > 0).ok_or_else(|| Wrong {
                        value: id.to_string(),
                        reason: "less than 1, employees are numbered from 1".into(),
                        mend: "take the employee's number in the CRM".into(),
                    })
                })
                .collect::<Result<_, _>>()
                .map(Checked::Employees)
        }
    }
}

fn each<T>(
    value: &Value,
    what: &str,
    one: impl Fn(&Value) -> Option<T>,
    wrong: &impl Fn(&Value, &str, String) -> Wrong,
) -> Result<Vec<T>, Wrong> {
    let list = match &value.kind {
        ValueKind::Array(list) => list,
        _ => {
            let mend = format!("put {what} in square brackets");
            return Err(wrong(value, &format!("not a list of {what}"), mend));
        }
    };
    list.iter()
        .map(|value| {
            let reason = format!("does not belong in a list of {what}");
            one(value).ok_or_else(|| wrong(value, &reason, "take it out".into()))
        })
        .collect()
}

fn within<T: PartialOrd + std::fmt::Display>(
    number: T,
    min: T,
    below: &str,
    max: T,
    above: &str,
) -> Result<T, String> {
    if number < min {
        Err(format!("less than {min}, {below}"))
    } else if number > max {
        Err(format!("more than {max}, {above}"))
    } else {
        Ok(number)
    }
}

/// The default if there is one: it always works.
fn mend(key: &Key, otherwise: &str) -> String {
    match (&key.default, key.default.written()) {
        (Default::None, _) | (_, None) => otherwise.to_owned(),
        (
            Default::Flag(_) | Default::Whole(_) | Default::Real(_) | Default::Text(_),
            Some(default),
        ) => format!("take {default}"),
    }
}

/// A variable's text as its key wants it: environment variables have no types.
pub(super) fn check_text(key: &Key, text: &str) -> Result<Checked, Wrong> {
    let value = match key.kind {
        Kind::Flag => text.parse().map(ValueKind::Boolean).ok(),
        Kind::Whole { .. } => text.parse().map(ValueKind::I64).ok(),
        Kind::Real { .. } => text.parse().map(ValueKind::Float).ok(),
        Kind::Text | Kind::Secret | Kind::Texts | Kind::Choice(_) | Kind::Employees => None,
    };
    let value = value.unwrap_or_else(|| ValueKind::String(text.to_owned()));
    check_value(key, &Value::new(None, value)).map_err(|wrong| match key.kind {
        // A shell's quotes are not the trouble here.
        Kind::Whole { .. } | Kind::Real { .. } => {
            Wrong { mend: mend(key, "take a number"), ..wrong }
        }
        Kind::Flag
        | Kind::Text
        | Kind::Secret
        | Kind::Texts
        | Kind::Choice(_)
        | Kind::Employees => wrong,
    })
}

fn show_checked(value: &Checked) -> String {
    match value {
        Checked::Flag(flag) => flag.to_string(),
        Checked::Whole(number) => number.to_string(),
        Checked::Real(number) => number.to_string(),
        Checked::Text(text) => shown(text),
        Checked::Texts(_) | Checked::Employees(_) => "(list)".to_owned(),
    }
}

fn show_value(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => shown(text),
        ValueKind::Boolean(flag) => flag.to_string(),
        ValueKind::I64(number) => number.to_string(),
        ValueKind::Float(number) => number.to_string(),
        other => show_hidden(other),
    }
}

/// The kind of a value that must not be shown itself.
fn show_hidden(value: &ValueKind) -> String {
    match value {
        ValueKind::Table(_) => "(table)".to_owned(),
        ValueKind::Array(_) => "(list)".to_owned(),
        _ => HIDDEN.to_owned(),
    }
}
