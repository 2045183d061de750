//! Values: as they were written, and as their keys want them. Pure.

use std::collections::BTreeMap;

use ::config::{Value, ValueKind};

use super::keys::{Default, Key, Kind};
use super::mistake::{HIDDEN, shown};

/// A value as it was written, of the types that TOML has; times of day are texts.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    Flag(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    List(Vec<Raw>),
    Table(BTreeMap<String, Raw>),
}

impl From<Value> for Raw {
    fn from(value: Value) -> Raw {
        match value.kind {
            ValueKind::Boolean(flag) => Raw::Flag(flag),
            ValueKind::I64(number) => Raw::Whole(number),
            ValueKind::Float(number) => Raw::Real(number),
            ValueKind::String(text) => Raw::Text(text),
            ValueKind::Array(list) => Raw::List(list.into_iter().map(Raw::from).collect()),
            ValueKind::Table(table) => {
                Raw::Table(table.into_iter().map(|(name, value)| (name, value.into())).collect())
            }
            // TOML has none of these: an integer is an i64 there.
            ValueKind::Nil | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
                Raw::Text(String::new())
            }
        }
    }
}

impl Raw {
    fn flag(&self) -> Option<bool> {
        if let Raw::Flag(flag) = self { Some(*flag) } else { None }
    }

    pub fn whole(&self) -> Option<i64> {
        if let Raw::Whole(number) = self { Some(*number) } else { None }
    }

    fn real(&self) -> Option<f64> {
        match self {
            Raw::Real(number) => Some(*number).filter(|number| !number.is_nan()),
            Raw::Whole(number) => Some(*number as f64),
            Raw::Flag(_) | Raw::Text(_) | Raw::List(_) | Raw::Table(_) => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        if let Raw::Text(text) = self { Some(text) } else { None }
    }

    pub fn list(&self) -> Option<&[Raw]> {
        if let Raw::List(list) = self { Some(list) } else { None }
    }

    pub fn table(&self) -> Option<&BTreeMap<String, Raw>> {
        if let Raw::Table(table) = self { Some(table) } else { None }
    }

    /// The value as a mistake shows it.
    pub fn show(&self) -> String {
        match self {
            Raw::Text(text) => shown(text),
            Raw::Flag(flag) => flag.to_string(),
            Raw::Whole(number) => number.to_string(),
            Raw::Real(number) => number.to_string(),
            Raw::List(_) | Raw::Table(_) => self.show_kind(),
        }
    }

    /// What is shown of a value that may be a secret.
    pub fn show_kind(&self) -> String {
        match self {
            Raw::Flag(_) | Raw::Whole(_) | Raw::Real(_) | Raw::Text(_) => HIDDEN.to_owned(),
            Raw::List(_) => "(list)".to_owned(),
            Raw::Table(_) => "(table)".to_owned(),
        }
    }
}

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

impl Checked {
    /// The value as a mistake shows it.
    pub fn show(&self) -> String {
        match self {
            Checked::Flag(flag) => flag.to_string(),
            Checked::Whole(number) => number.to_string(),
            Checked::Real(number) => number.to_string(),
            Checked::Text(text) => shown(text),
            Checked::Texts(_) | Checked::Employees(_) => "(list)".to_owned(),
        }
    }
}

const UNQUOTE: &str = "write it without quotes";

/// What is wrong with one value.
pub(super) struct Wrong {
    pub value: String,
    pub reason: String,
    pub mend: String,
}

/// The value as its key wants it.
pub(super) fn check_value(key: &Key, value: &Raw) -> Result<Checked, Wrong> {
    let hide = key.is_about_secrets();
    let wrong = |value: &Raw, reason: &str, mend: String| {
        let value = if hide { value.show_kind() } else { value.show() };
        Wrong { value, reason: reason.to_owned(), mend }
    };
    match &key.kind {
        Kind::Flag => value.flag().map(Checked::Flag).ok_or_else(|| {
            if value.text().is_some_and(|text| text.parse::<bool>().is_ok()) {
                return wrong(value, "a text", UNQUOTE.into());
            }
            wrong(value, "neither true nor false", mend(key, "write true or false"))
        }),
        Kind::Whole { min, below, max, above } => {
            let Some(number) = value.whole() else {
                if value.text().is_some_and(|text| text.parse::<i64>().is_ok()) {
                    return Err(wrong(value, "a text, not a number", UNQUOTE.into()));
                }
                return Err(wrong(value, "not a whole number", mend(key, "write a number")));
            };
            within(number, *min, below, *max, above)
                .map(Checked::Whole)
                .map_err(|reason| wrong(value, &reason, mend(key, &format!("take {min} to {max}"))))
        }
        Kind::Real { min, below, max, above } => {
            let Some(number) = value.real() else {
                if value.text().is_some_and(|text| text.parse::<f64>().is_ok()) {
                    return Err(wrong(value, "a text, not a number", UNQUOTE.into()));
                }
                return Err(wrong(value, "not a number", mend(key, "write a number")));
            };
            within(number, *min, below, *max, above)
                .map(Checked::Real)
                .map_err(|reason| wrong(value, &reason, mend(key, &format!("take {min} to {max}"))))
        }
        Kind::Text | Kind::Secret => value
            .text()
            .map(|text| Checked::Text(text.to_owned()))
            .ok_or_else(|| wrong(value, "not a text", "put it in quotes".into())),
        Kind::Choice(choices) => match value.text() {
            Some(text) if choices.contains(&text) => Ok(Checked::Text(text.to_owned())),
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
        Kind::Texts => each(value, "texts", |value| value.text().map(str::to_owned), &wrong)
            .map(Checked::Texts),
        Kind::Employees => {
            let ids = each(value, "employees' numbers", Raw::whole, &wrong)?;
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
    value: &Raw,
    what: &str,
    one: impl Fn(&Raw) -> Option<T>,
    wrong: &impl Fn(&Raw, &str, String) -> Wrong,
) -> Result<Vec<T>, Wrong> {
    let Some(list) = value.list() else {
        let mend = format!("put {what} in square brackets");
        return Err(wrong(value, &format!("not a list of {what}"), mend));
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
        Kind::Flag => text.parse().map(Raw::Flag).ok(),
        Kind::Whole { .. } => text.parse().map(Raw::Whole).ok(),
        Kind::Real { .. } => text.parse().map(Raw::Real).ok(),
        Kind::Text | Kind::Secret | Kind::Texts | Kind::Choice(_) | Kind::Employees => None,
    };
    let value = value.unwrap_or_else(|| Raw::Text(text.to_owned()));
    check_value(key, &value).map_err(|wrong| match key.kind {
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
