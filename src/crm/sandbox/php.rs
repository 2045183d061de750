//! Values as PHP has them: ordered arrays, loose numbers, `parse_str`. Pure.
//!
//! Bitrix24 is written in PHP and its answers show it: an empty object arrives as `[]`, one whose keys
//! are 0..n-1 as an array, and the commands of a batch run in the order in which they were written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// PHP's `max_input_vars`: what is beyond is dropped.
const MAX_VARIABLES: usize = 1000;
/// PHP's `max_input_nesting_level`: a deeper variable is dropped.
const MAX_DEPTH: usize = 64;

/// One value of a parameter or an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Php {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Lists and maps are one thing in PHP; a list has the keys 0..n-1.
    Array(Vec<(String, Php)>),
}

const NOTHING: &Php = &Php::Null;

impl Php {
    pub(super) fn map<const N: usize>(entries: [(&str, Php); N]) -> Php {
        Php::Array(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    pub(super) fn list(values: impl IntoIterator<Item = Php>) -> Php {
        let keyed = values.into_iter().enumerate();
        Php::Array(keyed.map(|(index, value)| (index.to_string(), value)).collect())
    }

    /// What stands under `key`; [`Php::Null`] if nothing does. The last of equal keys counts, as in
    /// `json_decode`.
    pub(super) fn get(&self, key: &str) -> &Php {
        let found = self.entries().iter().rev().find(|(name, _)| name == key);
        found.map_or(NOTHING, |(_, value)| value)
    }

    /// Puts `value` under `key`, in place if the key is there. A scalar becomes an array first.
    pub(super) fn set(&mut self, key: &str, value: Php) {
        let mut entries = match std::mem::replace(self, Php::Null) {
            Php::Array(entries) => entries,
            Php::Null | Php::Bool(_) | Php::Int(_) | Php::Float(_) | Php::Text(_) => Vec::new(),
        };
        match entries.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => entries.push((key.to_owned(), value)),
        }
        *self = Php::Array(entries);
    }

    /// Keys and values in order; none for a scalar.
    pub(super) fn entries(&self) -> &[(String, Php)] {
        match self {
            Php::Array(entries) => entries,
            Php::Null | Php::Bool(_) | Php::Int(_) | Php::Float(_) | Php::Text(_) => &[],
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Php> {
        self.entries().iter().map(|(_, value)| value)
    }

    pub(super) fn is_array(&self) -> bool {
        matches!(self, Php::Array(_))
    }

    /// What stands under `key` in lower or in upper case: old methods read their parameters' names in either.
    pub(super) fn either(&self, key: &str) -> &Php {
        self.get(key).given().unwrap_or_else(|| self.get(&key.to_ascii_uppercase()))
    }

    /// `None` for null, which is what a parameter that was not given is.
    pub(super) fn given(&self) -> Option<&Php> {
        (!self.is_null()).then_some(self)
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Php::Null)
    }

    /// `intval`: the digits a text begins with, 0 if there are none.
    pub(super) fn int(&self) -> i64 {
        match self {
            Php::Null => 0,
            Php::Bool(yes) => i64::from(*yes),
            Php::Int(number) => *number,
            Php::Float(number) => *number as i64,
            Php::Text(text) => leading_int(text),
            Php::Array(entries) => i64::from(!entries.is_empty()),
        }
    }

    /// `floatval`, but 0 for a text that is no number as a whole.
    pub(super) fn float(&self) -> f64 {
        match self {
            Php::Float(number) => *number,
            Php::Text(text) => text.trim().parse().unwrap_or(0.0),
            Php::Null | Php::Bool(_) | Php::Int(_) | Php::Array(_) => self.int() as f64,
        }
    }

    /// The cast to a string: `true` is `1`, an array is `Array`.
    pub(super) fn text(&self) -> String {
        match self {
            Php::Null | Php::Bool(false) => String::new(),
            Php::Bool(true) => "1".to_owned(),
            Php::Int(number) => number.to_string(),
            Php::Float(number) => number.to_string(),
            Php::Text(text) => text.clone(),
            Php::Array(_) => "Array".to_owned(),
        }
    }

    /// The cast to a boolean: the text `0` is false, the text `false` is true.
    pub(super) fn truthy(&self) -> bool {
        match self {
            Php::Null => false,
            Php::Bool(yes) => *yes,
            Php::Int(number) => *number != 0,
            Php::Float(number) => *number != 0.0,
            Php::Text(text) => !text.is_empty() && text != "0",
            Php::Array(entries) => !entries.is_empty(),
        }
    }

    /// A flag as the CRM reads it: `Y`, `true`, `1` and their like.
    pub(super) fn flag(&self) -> bool {
        match self {
            Php::Text(text) => {
                matches!(text.trim().to_ascii_uppercase().as_str(), "Y" | "1" | "TRUE")
            }
            Php::Null | Php::Bool(_) | Php::Int(_) | Php::Float(_) | Php::Array(_) => self.truthy(),
        }
    }
}

fn leading_int(text: &str) -> i64 {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number: i64 = match digits.get(..end) {
        Some("") | None => 0,
        Some(digits) => digits.parse().unwrap_or(i64::MAX),
    };
    sign * number
}

impl From<&str> for Php {
    fn from(text: &str) -> Php {
        Php::Text(text.to_owned())
    }
}

impl From<String> for Php {
    fn from(text: String) -> Php {
        Php::Text(text)
    }
}

impl From<i64> for Php {
    fn from(number: i64) -> Php {
        Php::Int(number)
    }
}

impl From<bool> for Php {
    fn from(yes: bool) -> Php {
        Php::Bool(yes)
    }
}

impl<T: Into<Php>> From<Option<T>> for Php {
    fn from(value: Option<T>) -> Php {
        value.map_or(Php::Null, Into::into)
    }
}

impl Serialize for Php {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Php::Null => serializer.serialize_unit(),
            Php::Bool(yes) => serializer.serialize_bool(*yes),
            Php::Int(number) => serializer.serialize_i64(*number),
            Php::Float(number) => serializer.serialize_f64(*number),
            Php::Text(text) => serializer.serialize_str(text),
            Php::Array(entries) => {
                let is_list = entries.iter().enumerate().all(|(at, (key, _))| is_index(key, at));
                if is_list {
                    let mut seq = serializer.serialize_seq(Some(entries.len()))?;
                    for (_, value) in entries {
                        seq.serialize_element(value)?;
                    }
                    return seq.end();
                }
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// Compares without building the number's text: answers may have many rows.
fn is_index(key: &str, index: usize) -> bool {
    key.len() < 20
        && key.bytes().all(|byte| byte.is_ascii_digit())
        && (key == "0" || !key.starts_with('0'))
        && key.parse() == Ok(index)
}

impl<'de> Deserialize<'de> for Php {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Php, D::Error> {
        struct Values;
        impl<'de> Visitor<'de> for Values {
            type Value = Php;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_unit<E>(self) -> Result<Php, E> {
                Ok(Php::Null)
            }
            fn visit_bool<E>(self, yes: bool) -> Result<Php, E> {
                Ok(Php::Bool(yes))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Php, E> {
                Ok(Php::Int(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Php, E> {
                Ok(i64::try_from(number).map_or(Php::Float(number as f64), Php::Int))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Php, E> {
                Ok(Php::Float(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Php, E> {
                Ok(Php::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Php, E> {
                Ok(Php::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Php, A::Error> {
                let mut entries = Vec::new();
                while let Some(value) = seq.next_element()? {
                    entries.push((entries.len().to_string(), value));
                }
                Ok(Php::Array(entries))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Php, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Php::Array(entries))
            }
        }
        deserializer.deserialize_any(Values)
    }
}

/// PHP's `parse_str`: `a[b][]=c+d&e=%20` as nested arrays of texts.
///
/// Names are decoded before their brackets are read, so encoded brackets count too.
pub(super) fn parse_str(query: &str) -> Php {
    let mut variables = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()).take(MAX_VARIABLES) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let path = path_of(&decode(name));
        if path.is_empty() || path.len() > MAX_DEPTH {
            continue;
        }
        put(&mut variables, &path, Php::Text(decode(value)));
    }
    Php::Array(variables)
}

/// Undoes percent encoding, with `+` for a space.
pub(super) fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// `a[b][]` as `a`, `b` and the empty name that appends.
fn path_of(name: &str) -> Vec<String> {
    let name = name.trim_start_matches(' ');
    let (base, mut rest) = match name.find('[') {
        // A name may not begin with a bracket, and one that is never closed is no bracket.
        Some(at) if at > 0 && name.get(at..).is_some_and(|rest| rest.contains(']')) => {
            name.split_at(at)
        }
        Some(_) | None => (name, ""),
    };
    if base.is_empty() {
        return Vec::new();
    }
    // PHP variables have no dots, spaces or open brackets.
    let mut path = vec![base.replace(['.', ' ', '['], "_")];
    while let Some(inner) = rest.strip_prefix('[') {
        let Some((key, after)) = inner.split_once(']') else { break };
        path.push(key.to_owned());
        rest = after;
    }
    path
}

fn put(entries: &mut Vec<(String, Php)>, path: &[String], value: Php) {
    let Some((key, deeper)) = path.split_first() else { return };
    let key = match key.as_str() {
        "" => next_index(entries).to_string(),
        named => named.to_owned(),
    };
    let at = entries.iter().position(|(name, _)| *name == key).unwrap_or_else(|| {
        entries.push((key, Php::Null));
        entries.len() - 1
    });
    let Some((_, slot)) = entries.get_mut(at) else { return };
    if deeper.is_empty() {
        *slot = value;
        return;
    }
    if !slot.is_array() {
        *slot = Php::Array(Vec::new());
    }
    if let Php::Array(inner) = slot {
        put(inner, deeper, value);
    }
}

fn next_index(entries: &[(String, Php)]) -> u64 {
    let numbers = entries.iter().filter_map(|(key, _)| key.parse::<u64>().ok());
    numbers.max().map_or(0, |highest| highest.saturating_add(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::{Value, json};

    fn as_json(value: &Php) -> Value {
        serde_json::to_value(value).unwrap()
    }

    #[test]
    fn query_is_read_as_php_reads_it() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, Value)] = &[
            ("plain",             "a=1&b=x",                     json!({"a": "1", "b": "x"})),
            ("plus is a space",   "a=x+y%2Bz",                   json!({"a": "x y+z"})),
            ("nested",            "f[id][]=1&f[id][]=2",         json!({"f": {"id": ["1", "2"]}})),
            ("encoded brackets",  "f%5Bid%5D=1",                 json!({"f": {"id": "1"}})),
            ("operator in a key", "filter[%3E%3Did]=5",          json!({"filter": {">=id": "5"}})),
            ("no value",          "a",                           json!({"a": ""})),
            ("empty",             "",                            json!([])),
            ("dot in the name",   "a.b=1",                       json!({"a_b": "1"})),
            ("dot in a bracket",  "a[b.c]=1",                    json!({"a": {"b.c": "1"}})),
            ("last one wins",     "a=1&a=2",                     json!({"a": "2"})),
            ("array over scalar", "a=1&a[b]=2",                  json!({"a": {"b": "2"}})),
            ("open bracket",      "a[b=1",                       json!({"a_b": "1"})),
            ("explicit indexes",  "a[1]=x&a[]=y",                json!({"a": {"1": "x", "2": "y"}})),
        ];
        for (name, query, expected) in cases {
            assert_eq!(as_json(&parse_str(query)), *expected, "{name}");
        }
    }

    #[test]
    fn numbers_are_read_loosely() {
        #[rustfmt::skip]
        let cases: &[(&str, Php, i64)] = &[
            ("digits then letters", "12ab".into(), 12),
            ("letters",             "ab".into(),    0),
            ("negative",            "-7".into(),   -7),
            ("true",                true.into(),    1),
            ("empty array",         Php::list([]),  0),
            ("beyond 64 bits",      "99999999999999999999".into(), i64::MAX),
        ];
        for (name, value, expected) in cases {
            assert_eq!(value.int(), *expected, "{name}");
        }
    }

    #[test]
    fn order_of_a_json_object_is_kept() {
        let value: Php = serde_json::from_str(r#"{"z":1,"a":2}"#).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"z":1,"a":2}"#);
    }

    #[test]
    fn keys_counting_from_zero_become_an_array() {
        let value: Php = serde_json::from_str(r#"{"0":"a","1":{"1":"b"},"2":{}}"#).unwrap();
        assert_eq!(as_json(&value), json!(["a", {"1": "b"}, []]));
    }
}
