//! `batch`: up to 50 commands as query strings, with references from one to the answers before it.

use super::answer::{Answer, Fault};
use super::php::{self, Php};

/// Commands that are run; the others are refused one by one.
const MAX_COMMANDS: usize = 50;

/// Answers so far, by what a reference can name.
#[derive(Debug)]
struct Answers {
    result: Php,
    error: Php,
    total: Php,
    next: Php,
    time: Php,
}

impl Answers {
    fn named(&self, name: &str) -> Option<&Php> {
        match name {
            "result" => Some(&self.result),
            "error" => Some(&self.error),
            "total" => Some(&self.total),
            "next" => Some(&self.next),
            "time" => Some(&self.time),
            _ => None,
        }
    }
}

/// Runs the commands in their order. `run` runs one method and tells how long it took.
pub(super) fn run(
    params: &Php,
    mut run: impl FnMut(&str, &Php) -> (Result<Answer, Fault>, Php),
) -> Answer {
    let empty = || Php::list([]);
    let mut answers =
        Answers { result: empty(), error: empty(), total: empty(), next: empty(), time: empty() };
    let halt = params.get("halt").truthy();
    let mut taken = 0;
    for (key, command) in params.get("cmd").entries() {
        // A command that is no text leaves no trace in the answer [observed].
        let Php::Text(command) = command else { continue };
        taken += 1;
        let (outcome, time) = if taken > MAX_COMMANDS {
            let text = "Max batch length exceeded";
            (Err(Fault::coded("ERROR_BATCH_LENGTH_EXCEEDED", text)), None)
        } else {
            let (method, query) = command.split_once('?').unwrap_or((command, ""));
            let method = method.trim().to_ascii_lowercase();
            if method == "batch" || method == "sandbox.requests" {
                let text = "Method is not allowed for batch usage";
                let code = "ERROR_BATCH_METHOD_NOT_ALLOWED";
                (Err(Fault::with_status(405, code, text)), None)
            } else {
                let mut params = php::parse_str(query);
                substitute(&mut params, &answers);
                let (outcome, time) = run(&method, &params);
                (outcome, Some(time))
            }
        };
        if let Some(time) = time {
            answers.time.set(key, time);
        }
        match outcome {
            Ok(answer) => {
                answers.result.set(key, answer.result);
                if let Some(total) = answer.total {
                    answers.total.set(key, total.into());
                }
                if let Some(next) = answer.next {
                    answers.next.set(key, next.into());
                }
            }
            Err(fault) => {
                answers.error.set(key, fault.body());
                if halt {
                    break;
                }
            }
        }
    }
    Answer::of(Php::map([
        ("result", answers.result),
        ("result_error", answers.error),
        ("result_total", answers.total),
        ("result_next", answers.next),
        ("result_time", answers.time),
    ]))
}

/// Replaces references in every text, at any depth: also in those that were never meant as one
/// [observed]. That is why no mail's text may stand in a batch.
fn substitute(value: &mut Php, answers: &Answers) {
    match value {
        Php::Array(entries) => {
            for (_, value) in entries {
                substitute(value, answers);
            }
        }
        Php::Text(text) => {
            if let Some(replaced) = replaced(text, answers) {
                *value = replaced;
            }
        }
        Php::Null | Php::Bool(_) | Php::Int(_) | Php::Float(_) => {}
    }
}

/// The text with its references replaced; `None` if it has none.
///
/// A text that is one reference as a whole becomes the value itself, array or number.
fn replaced(text: &str, answers: &Answers) -> Option<Php> {
    let mut out = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some(at) = rest.find('$') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        match reference(tail, answers) {
            Some((length, value)) => {
                if before.is_empty() && !found && length == text.len() {
                    return Some(value.clone());
                }
                found = true;
                out.push_str(&value.text());
                rest = tail.get(length..).unwrap_or("");
            }
            None => {
                out.push('$');
                rest = tail.get(1..).unwrap_or("");
            }
        }
    }
    out.push_str(rest);
    found.then_some(Php::Text(out))
}

/// Reads `$name[key][key]…` at the beginning of a text: its length and what it stands for.
///
/// A key that is missing does not fail: the deepest container that is there is taken [observed].
fn reference<'a>(text: &str, answers: &'a Answers) -> Option<(usize, &'a Php)> {
    let name_end = text.find('[')?;
    let mut value = answers.named(text.get(1..name_end)?)?;
    let mut length = name_end;
    let mut lost = false;
    let mut any = false;
    while let Some(inner) = text.get(length..).and_then(|rest| rest.strip_prefix('[')) {
        let Some(end) = inner.find(']') else { break };
        let key = inner.get(..end).unwrap_or("");
        any = true;
        length += end + 2;
        let known = value.entries().iter().any(|(name, _)| name == key);
        if known && !lost {
            value = value.get(key);
        } else {
            lost = true;
        }
    }
    any.then_some((length, value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::{Value, json};

    fn answers() -> Answers {
        let read = |value: Value| serde_json::from_value::<Php>(value).unwrap();
        Answers {
            result: read(json!({"find": {"CONTACT": [275, 276]}, "lead": 5, "none": []})),
            error: read(json!({"bad": {"error": "NOT_FOUND"}})),
            total: read(json!({"find": 2})),
            next: read(json!([])),
            time: read(json!([])),
        }
    }

    #[test]
    fn references_are_replaced_in_any_text() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<Value>)] = &[
            ("an element",         "$result[find][CONTACT][0]",  Some(json!(275))),
            ("an array",           "$result[find][CONTACT]",     Some(json!([275, 276]))),
            ("a scalar",           "$result[lead]",              Some(json!(5))),
            ("within a text",      "x$result[lead]y",            Some(json!("x5y"))),
            ("two in a text",      "$result[lead]-$total[find]", Some(json!("5-2"))),
            ("an array in a text", "x $result[none]",            Some(json!("x Array"))),
            ("a missing index",    "$result[find][CONTACT][9]",  Some(json!([275, 276]))),
            ("an empty answer",    "$result[none][CONTACT][0]",  Some(json!([]))),
            ("an error",           "$error[bad][error]",         Some(json!("NOT_FOUND"))),
            ("no reference",       "costs $5 [net]",             None),
            ("unknown name",       "$other[lead]",               None),
            ("no brackets",        "$result",                    None),
        ];
        for (name, text, expected) in cases {
            let value = replaced(text, &answers()).map(|v| serde_json::to_value(&v).unwrap());
            assert_eq!(value, *expected, "{name}");
        }
    }
}
