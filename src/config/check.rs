//! A file's values against the table of keys. Pure.

use std::collections::BTreeMap;

use super::keys::{self, Named};
use super::mistake::{Mistake, shown};
use super::section::{Section, Sections, show_path};
use super::value::{Raw, Wrong, check_value};

/// Checks one file's values and adds them to `sections`.
///
/// `only_mailboxes`: the file is one of `mailboxes.d`, where nothing else belongs.
pub(super) fn check(
    file: &str,
    table: &BTreeMap<String, Raw>,
    only_mailboxes: bool,
    sections: &mut Sections,
    mistakes: &mut Vec<Mistake>,
) {
    let mut walk = Walk { file, mistakes, employees: Vec::new(), mailboxes: Vec::new() };
    if only_mailboxes {
        let mut rest = Section::new(file, "", String::new());
        for (name, value) in ordered("", table) {
            match keys::named(name) {
                Named::Table => walk.mistakes.push(Mistake {
                    file: file.to_owned(),
                    key: name.clone(),
                    value: value.show_kind(),
                    reason: "files in mailboxes.d hold [[mailbox]] only".into(),
                    mend: "move it to the main configuration file".into(),
                }),
                Named::Key(_) | Named::Tables | Named::Nothing => {
                    walk.value(name, name, value, &mut rest);
                }
            }
        }
    } else {
        sections.has_crm |= table.get("crm").is_some_and(|value| value.table().is_some());
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
    fn table(&mut self, prefix: &str, table: &BTreeMap<String, Raw>, section: &mut Section) {
        for (name, value) in ordered(prefix, table) {
            self.value(&join(prefix, name), name, value, section);
        }
    }

    fn value(&mut self, path: &str, name: &str, value: &Raw, section: &mut Section) {
        let file = self.file;
        let wrong = |section: &Section, value: String, reason: &str, mend: String| Mistake {
            file: file.to_owned(),
            key: section.key(path),
            value,
            reason: reason.to_owned(),
            mend,
        };
        // A quoted name may hold a dot: `"imap.port"` is no key of ours, though its path looks so.
        let named = if name.contains(['.', '[']) { Named::Nothing } else { keys::named(path) };
        match named {
            Named::Key(key) => match check_value(key, value) {
                Ok(checked) => section.put(self.file, key, checked),
                Err(Wrong { value, reason, mend }) => {
                    self.mistakes.push(wrong(section, value, &reason, mend));
                    section.put_wrong(path);
                }
            },
            Named::Table => match value.table() {
                Some(table) => self.table(path, table, section),
                None => {
                    let mend = format!("write [{}]", path.replace("[]", ""));
                    self.mistakes.push(wrong(section, value.show_kind(), "not a table", mend));
                    section.put_wrong(path);
                }
            },
            Named::Tables => {
                let tables: Option<Vec<_>> =
                    value.list().and_then(|list| list.iter().map(Raw::table).collect());
                match tables {
                    Some(tables) => {
                        for (index, table) in tables.into_iter().enumerate() {
                            self.tables(path, index, table);
                        }
                    }
                    None => {
                        let mend = format!("write [[{path}]], once for each");
                        let reason = "not an array of tables";
                        self.mistakes.push(wrong(section, value.show_kind(), reason, mend));
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
    fn tables(&mut self, path: &str, index: usize, table: &BTreeMap<String, Raw>) {
        let (known, identity) = if path == "mailbox" {
            ("mailbox[]", table.get("name"))
        } else {
            ("crm.employee[]", table.get("id"))
        };
        let name = identity.and_then(Raw::text).filter(|text| !text.is_empty()).map(shown);
        let number = identity.and_then(Raw::whole).map(|number| number.to_string());
        // Counted from 1 in its file; `#` keeps it apart from a mailbox of that name.
        let identity = name.or(number).unwrap_or_else(|| format!("#{}", index + 1));
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
fn ordered<'a>(prefix: &str, table: &'a BTreeMap<String, Raw>) -> Vec<(&'a String, &'a Raw)> {
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

fn unknown(file: &str, prefix: &str, name: &str, value: &Raw, section: &Section) -> Mistake {
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
        value: if harmless { value.show() } else { value.show_kind() },
        reason: "unknown key".into(),
        mend: match nearest {
            Some(near) => {
                format!("the nearest is {}", show_path(&near.path, section.known, &section.shown))
            }
            None => "leave it out".into(),
        },
    }
}
