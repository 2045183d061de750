//! Many look-ups in one request. Pure.
//!
//! Bitrix24 replaces `$result[…]`, `$next[…]` and the like in *every* parameter of a batch, whoever wrote it.
//! So a [`Command`] can be built only from numbers, fixed words and texts in which nothing can be written that the
//! CRM would expand; text from a mail has no way in.

use serde_json::{Value, json};

use super::answers;

/// Commands in one batch; Bitrix24 refuses those beyond.
pub const MOST: usize = 50;

/// A text of `[A-Za-z0-9._:-]+`: an origin id, an originator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(String);

impl Word {
    /// `None` if the text holds anything else: then it is asked for in a request of its own.
    pub fn new(text: &str) -> Option<Word> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
        (!text.is_empty() && text.len() <= 255 && text.bytes().all(plain))
            .then(|| Word(text.to_owned()))
    }
}

/// An address of `[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainAddress(String);

impl PlainAddress {
    /// `None` for all others: `"$result[find]"@x.example` is a valid address too.
    pub fn new(address: &str) -> Option<PlainAddress> {
        let (local, domain) = address.split_once('@')?;
        let local_part =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-');
        let domain_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
        (!local.is_empty()
            && !domain.is_empty()
            && local.bytes().all(local_part)
            && domain.bytes().all(domain_part))
        .then(|| PlainAddress(address.to_owned()))
    }
}

/// One look-up, as a batch carries it: `method?query`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    method: &'static str,
    query: String,
}

impl Command {
    pub fn new(method: &'static str) -> Command {
        Command { method, query: String::new() }
    }

    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Adds a number.
    pub fn number(self, key: &'static str, number: u64) -> Command {
        self.push(key, &number.to_string())
    }

    /// Adds one of our own words, such as a field's name.
    pub fn fixed(self, key: &'static str, word: &'static str) -> Command {
        self.push(key, word)
    }

    /// Adds several of our own words under one key that ends with `[]`.
    pub fn all(self, key: &'static str, words: &[&'static str]) -> Command {
        words.iter().fold(self, |command, word| command.push(key, word))
    }

    pub fn word(self, key: &'static str, word: &Word) -> Command {
        self.push(key, &word.0)
    }

    pub fn address(self, key: &'static str, address: &PlainAddress) -> Command {
        self.push(key, &address.0)
    }

    fn push(mut self, key: &str, value: &str) -> Command {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(key);
        self.query.push('=');
        // `+` is a blank to PHP's parse_str, `@` and `:` are harmless but need no exception.
        self.query.extend(percent_encoding::utf8_percent_encode(
            value,
            percent_encoding::NON_ALPHANUMERIC,
        ));
        self
    }

    fn text(&self) -> String {
        format!("{}?{}", self.method, self.query)
    }
}

/// The body of a batch. Keys are `c0`, `c1`, …: with bare numbers PHP would answer with arrays.
pub fn body(commands: &[Command]) -> Value {
    let cmd: serde_json::Map<String, Value> = commands
        .iter()
        .enumerate()
        .map(|(at, command)| (format!("c{at}"), Value::String(command.text())))
        .collect();
    // One look-up that fails must not keep the others from running.
    json!({ "halt": 0, "cmd": cmd })
}

/// What one command was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Result(Value),
    Error {
        code: String,
        text: String,
    },
    /// Neither: nothing is known, least of all that nothing was found.
    Missing,
}

/// Takes the answers out of a batch's envelope, in the order of the commands.
///
/// `None` if it is no answer to a batch.
pub fn read(mut envelope: Value, commands: usize) -> Option<Vec<Answer>> {
    let parts = envelope.get_mut("result")?;
    let errors = parts.get_mut("result_error").map(Value::take).unwrap_or_default();
    let mut results = parts.get_mut("result").map(Value::take)?;
    // An empty map is `[]` in PHP.
    if !results.is_object() && !results.is_array() {
        return None;
    }
    let mut answers = Vec::with_capacity(commands);
    for at in 0..commands {
        let key = format!("c{at}");
        if let Some(error) = answers::get(&errors, &key) {
            let (code, text) = answers::error(error)
                .unwrap_or_else(|| (String::new(), error.as_str().unwrap_or_default().to_owned()));
            answers.push(Answer::Error { code, text });
            continue;
        }
        match results.get_mut(&key) {
            Some(result) => answers.push(Answer::Result(result.take())),
            None => answers.push(Answer::Missing),
        }
    }
    Some(answers)
}

/// `time` of one command, which says how much of the method's budget is used.
pub fn time_of(envelope: &Value, at: usize) -> Option<&Value> {
    answers::get(envelope.get("result")?.get("result_time")?, &format!("c{at}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_batch_is_a_map_of_query_strings() {
        let address = PlainAddress::new("ana+news@cliente.es").unwrap();
        let commands = [
            Command::new("crm.duplicate.findbycomm")
                .fixed("type", "EMAIL")
                .address("values[]", &address)
                .fixed("entity_type", "LEAD"),
            Command::new("crm.item.list")
                .number("entityTypeId", 2)
                .all("select[]", &["id", "stageId"])
                .fixed("start", "-1"),
        ];
        assert_eq!(
            body(&commands),
            json!({"halt": 0, "cmd": {
                "c0": "crm.duplicate.findbycomm?type=EMAIL&values[]=ana%2Bnews%40cliente%2Ees&entity_type=LEAD",
                "c1": "crm.item.list?entityTypeId=2&select[]=id&select[]=stageId&start=%2D1",
            }})
        );
    }

    #[test]
    fn only_plain_addresses_may_stand_in_a_batch() {
        #[rustfmt::skip]
        let cases = [
            ("ana@cliente.es",               true),
            ("a.b_c+d-e@x-y.example",        true),
            ("\"$result[find]\"@x.example",  false),
            ("$result[c0]@x.example",        false),
            ("a&b@x.example",                false),
            ("a%24@x.example",               false),
            ("o'neil@x.example",             false),
            ("josé@x.example",               false),
            ("a@x.example@y",                false),
            ("a@",                           false),
            ("@x",                           false),
            ("a",                            false),
            ("a@x.example\n",                false),
        ];
        for (address, plain) in cases {
            assert_eq!(PlainAddress::new(address).is_some(), plain, "{address:?}");
        }
    }

    #[test]
    fn only_plain_words_may_stand_in_a_batch() {
        #[rustfmt::skip]
        let cases = [
            ("mailcrm", true), ("mailcrm:prod", true), ("0f3a", true), ("", false),
            ("$next[c0]", false), ("mail crm", false), ("a&filter[x]=1", false), ("ñ", false),
        ];
        for (word, plain) in cases {
            assert_eq!(Word::new(word).is_some(), plain, "{word:?}");
        }
    }

    #[test]
    fn every_command_gets_its_own_answer() {
        let error = |code: &str, text: &str| Answer::Error { code: code.into(), text: text.into() };
        #[rustfmt::skip]
        let cases: Vec<(&str, Value, Option<Vec<Answer>>)> = vec![
            ("both answered",
             json!({"result": {"result": {"c0": [], "c1": {"LEAD": [1]}}, "result_error": []}}),
             Some(vec![Answer::Result(json!([])), Answer::Result(json!({"LEAD": [1]}))])),
            ("one failed",
             json!({"result": {"result": {"c0": 1}, "result_error": {"c1": {"error": "", "error_description": "Access denied."}}}}),
             Some(vec![Answer::Result(json!(1)), error("", "Access denied.")])),
            ("failed and empty",
             json!({"result": {"result": {"c0": null, "c1": 2}, "result_error": {"c0": {"error": "NOT_FOUND", "error_description": "x"}}}}),
             Some(vec![error("NOT_FOUND", "x"), Answer::Result(json!(2))])),
            ("empty maps", json!({"result": {"result": [], "result_error": []}}),
             Some(vec![Answer::Missing, Answer::Missing])),
            ("one missing", json!({"result": {"result": {"c1": 0}, "result_error": []}}),
             Some(vec![Answer::Missing, Answer::Result(json!(0))])),
            ("no batch", json!({"result": true}), None),
            ("nothing", json!({}), None),
            ("no results", json!({"result": {"result_error": []}}), None),
        ];
        for (name, envelope, expected) in cases {
            assert_eq!(read(envelope, 2), expected, "{name}");
        }
    }
}
