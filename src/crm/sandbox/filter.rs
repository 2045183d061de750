//! Filters of list methods: `{">=updatedTime": "…", "@id": [1, 2]}`. Pure.

use super::moment;
use super::php::Php;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Int,
    Number,
    Text,
    /// `Y` or `N`.
    Flag,
    /// Unix seconds here, ISO 8601 on the wire.
    Time,
    /// Several numbers; one that agrees is enough.
    Ints,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Contains,
    ContainsNot,
    /// SQL's `LIKE`, with the wildcards in the operand.
    Like,
    NotLike,
}

/// Parts a filter key into operator and field.
pub(super) fn split(key: &str) -> (Operator, &str) {
    // Longer prefixes first: `!=%` begins with `!`.
    const PREFIXES: [(&str, Operator); 15] = [
        ("!=%", Operator::NotLike),
        ("!%=", Operator::NotLike),
        ("=%", Operator::Like),
        ("%=", Operator::Like),
        ("!%", Operator::ContainsNot),
        ("!@", Operator::NotEqual),
        ("!=", Operator::NotEqual),
        (">=", Operator::GreaterOrEqual),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        ("<", Operator::Less),
        // IN is what equality does with a list anyway.
        ("@", Operator::Equal),
        ("!", Operator::NotEqual),
        ("%", Operator::Contains),
        ("=", Operator::Equal),
    ];
    for (prefix, operator) in PREFIXES {
        if let Some(field) = key.strip_prefix(prefix) {
            return (operator, field);
        }
    }
    (Operator::Equal, key)
}

/// Whether a row's value passes. A list of operands passes if one of them does, or, negated, if none does.
pub(super) fn passes(value: &Php, form: Form, operator: Operator, operand: &Php) -> bool {
    let any = |holds: &dyn Fn(&Php) -> bool| match operand {
        Php::Array(_) => operand.values().any(holds),
        Php::Null | Php::Bool(_) | Php::Int(_) | Php::Float(_) | Php::Text(_) => holds(operand),
    };
    match operator {
        Operator::Equal => any(&|one| equals(value, form, one)),
        Operator::NotEqual => !any(&|one| equals(value, form, one)),
        Operator::Greater => any(&|one| compare(value, form, one).is_some_and(|o| o.is_gt())),
        Operator::GreaterOrEqual => {
            any(&|one| compare(value, form, one).is_some_and(|o| o.is_ge()))
        }
        Operator::Less => any(&|one| compare(value, form, one).is_some_and(|o| o.is_lt())),
        Operator::LessOrEqual => any(&|one| compare(value, form, one).is_some_and(|o| o.is_le())),
        Operator::Contains => any(&|one| folded(value).contains(&folded(one))),
        Operator::ContainsNot => !any(&|one| folded(value).contains(&folded(one))),
        Operator::Like => any(&|one| like(&folded(value), &folded(one))),
        Operator::NotLike => !any(&|one| like(&folded(value), &folded(one))),
    }
}

/// Which of two values of a field comes first in an `order`.
pub(super) fn order(a: &Php, b: &Php, form: Form) -> std::cmp::Ordering {
    match form {
        Form::Int | Form::Time => a.int().cmp(&b.int()),
        Form::Number => a.float().total_cmp(&b.float()),
        Form::Text | Form::Flag | Form::Ints => folded(a).cmp(&folded(b)),
    }
}

fn equals(value: &Php, form: Form, operand: &Php) -> bool {
    // "" and null both ask for what was never filled in.
    if operand.is_null() || *operand == Php::Text(String::new()) {
        return match value {
            Php::Null => true,
            Php::Text(text) => text.is_empty(),
            Php::Int(number) => *number == 0,
            Php::Array(entries) => entries.is_empty(),
            Php::Bool(_) | Php::Float(_) => false,
        };
    }
    // What is left of a reference that found nothing is a list, and equals no single value.
    if operand.is_array() {
        return false;
    }
    match form {
        Form::Ints => value.values().any(|one| one.int() == operand.int()),
        Form::Flag => value.flag() == operand.flag(),
        Form::Int | Form::Number | Form::Text | Form::Time => {
            compare(value, form, operand).is_some_and(|ordering| ordering.is_eq())
        }
    }
}

/// `None` where SQL would say NULL.
fn compare(value: &Php, form: Form, operand: &Php) -> Option<std::cmp::Ordering> {
    if value.is_null() {
        return None;
    }
    match form {
        Form::Int => Some(value.int().cmp(&operand.int())),
        Form::Number => value.float().partial_cmp(&operand.float()),
        Form::Time => Some(value.int().cmp(&moment::read(&operand.text())?)),
        // The collation of the portal's columns knows no case.
        Form::Text | Form::Flag => Some(folded(value).cmp(&folded(operand))),
        Form::Ints => None,
    }
}

fn folded(value: &Php) -> String {
    value.text().to_lowercase()
}

/// `%` for any text, `_` for any character.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut along) = (0, 0);
    // Where to go on from when the last `%` has to swallow one character more.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(along) {
            Some('%') => {
                retry = Some((at, along + 1));
                along += 1;
            }
            Some(&c) if c == '_' || text.get(at) == Some(&c) => {
                at += 1;
                along += 1;
            }
            Some(_) | None => match retry {
                Some((from, after)) => {
                    retry = Some((from + 1, after));
                    at = from + 1;
                    along = after;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(along).all(|&c| c == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operator_stands_before_the_field() {
        #[rustfmt::skip]
        let cases: &[(&str, Operator, &str)] = &[
            ("id",     Operator::Equal,          "id"),
            ("=id",    Operator::Equal,          "id"),
            ("@id",    Operator::Equal,          "id"),
            ("!id",    Operator::NotEqual,       "id"),
            ("!@id",   Operator::NotEqual,       "id"),
            (">id",    Operator::Greater,        "id"),
            (">=id",   Operator::GreaterOrEqual, "id"),
            ("<=id",   Operator::LessOrEqual,    "id"),
            ("%title", Operator::Contains,       "title"),
            ("!%title", Operator::ContainsNot,   "title"),
            ("=%title", Operator::Like,          "title"),
        ];
        for (key, operator, field) in cases {
            assert_eq!(split(key), (*operator, *field), "{key}");
        }
    }

    #[test]
    fn values_pass_by_their_form() {
        let ids = || Php::list([Php::Int(3), Php::Int(5)]);
        #[rustfmt::skip]
        let cases: &[(&str, Php, Form, Operator, Php, bool)] = &[
            ("number as text",     Php::Int(5), Form::Int,  Operator::Equal,    "5".into(),        true),
            ("in a list",          Php::Int(5), Form::Int,  Operator::Equal,    ids(),             true),
            ("not in a list",      Php::Int(5), Form::Int,  Operator::NotEqual, ids(),             false),
            ("in an empty list",   Php::Int(5), Form::Int,  Operator::Equal,    Php::list([]),     false),
            ("list in a list",     Php::Int(1), Form::Int,  Operator::Equal,    Php::list([ids()]), false),
            ("text without case",  "Ana".into(), Form::Text, Operator::Equal,   "ANA".into(),      true),
            ("part of a text",     "Ana".into(), Form::Text, Operator::Contains, "n".into(),       true),
            ("wildcards",          "Ana".into(), Form::Text, Operator::Like,    "a%_a".into(),     true),
            ("wildcards too long", "Ana".into(), Form::Text, Operator::Like,    "a___".into(),     false),
            ("empty asks for none", Php::Null,  Form::Int,  Operator::Equal,    "".into(),         true),
            ("none is not more",   Php::Null,   Form::Int,  Operator::Greater,  Php::Int(-1),      false),
            ("one of several",     ids(),       Form::Ints, Operator::Equal,    Php::Int(3),       true),
            ("none of several",    ids(),       Form::Ints, Operator::Equal,    Php::Int(4),       false),
            ("flag",               "Y".into(),  Form::Flag, Operator::Equal,    true.into(),       true),
            ("time in its zone",   Php::Int(0), Form::Time, Operator::GreaterOrEqual,
                "1970-01-01T01:00:00+01:00".into(), true),
        ];
        for (name, value, form, operator, operand, expected) in cases {
            assert_eq!(passes(value, *form, *operator, operand), *expected, "{name}");
        }
    }
}
