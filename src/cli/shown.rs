//! A message as `messages` and `explain` print it in JSON. The keys are public.

use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Value, json};

use super::print::rfc3339;
use crate::card::CardRef;
use crate::ledger::MessageView;

/// Every key is there; what is absent is null, a list is never null.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub id: Option<i64>,
    pub message_id: Option<String>,
    /// Hex.
    pub fingerprint: Option<String>,
    /// That of the first place.
    pub mailbox: Option<String>,
    pub places: Vec<ShownPlace>,
    pub direction: Option<String>,
    pub class: Option<String>,
    pub from: Option<String>,
    pub subject: String,
    /// `None`: the message is on a server and was not read.
    pub state: Option<String>,
    pub reason: Option<String>,
    pub evidence: Value,
    pub candidates: Value,
    pub cards: Vec<CardRef>,
    pub activity_id: Option<u64>,
    pub responsible: Option<u64>,
    pub owner: u64,
    pub received_at: Option<String>,
    pub recorded_at: Option<String>,
    pub activity_created_at: Option<String>,
    pub activity_completed_at: Option<String>,
    pub attempts: Vec<ShownAttempt>,
}

#[derive(Debug, Serialize)]
pub(super) struct ShownPlace {
    pub mailbox: String,
    pub folder: String,
    pub uid_validity: u32,
    pub uid: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct ShownAttempt {
    pub entry: i64,
    pub at: String,
    pub method: String,
    pub fate: String,
    pub code: Option<String>,
    pub text: String,
}

impl Shown {
    pub(super) fn new(view: MessageView, zone: &TimeZone) -> Shown {
        let time = |seconds: Option<i64>| seconds.map(|seconds| rfc3339(seconds, zone));
        Shown {
            id: Some(view.id),
            message_id: view.message_id,
            fingerprint: Some(hex(&view.fingerprint)),
            mailbox: view.places.first().map(|place| place.mailbox.clone()),
            places: view
                .places
                .into_iter()
                .map(|place| ShownPlace {
                    mailbox: place.mailbox,
                    folder: place.folder,
                    uid_validity: place.uid_validity,
                    uid: place.uid,
                })
                .collect(),
            direction: view.direction,
            class: view.class,
            from: view.from,
            subject: view.subject,
            state: Some(view.state),
            reason: view.reason,
            evidence: list(view.evidence),
            candidates: list(view.candidates),
            cards: view.cards,
            activity_id: view.activity_id,
            responsible: view.responsible,
            owner: view.owner,
            received_at: time(Some(view.received_at)),
            recorded_at: time(view.recorded_at),
            activity_created_at: time(view.activity_created_at),
            activity_completed_at: time(view.activity_completed_at),
            attempts: view
                .attempts
                .into_iter()
                .map(|attempt| ShownAttempt {
                    entry: attempt.entry,
                    at: rfc3339(attempt.at, zone),
                    method: attempt.method,
                    fate: attempt.fate,
                    code: Some(attempt.code).filter(|code| !code.is_empty()),
                    text: attempt.text,
                })
                .collect(),
        }
    }
}

impl Shown {
    /// The sentences that `explain` says beside the evidence, as its last pieces: rule `why`, and
    /// `mend` for what to change.
    pub(super) fn add_why(&mut self, sentences: &[String]) {
        let Value::Array(evidence) = &mut self.evidence else { return };
        evidence.extend(sentences.iter().map(|sentence| match sentence.strip_prefix("mend: ") {
            Some(mend) => json!({ "rule": "mend", "fact": mend }),
            None => json!({ "rule": "why", "fact": sentence }),
        }));
    }
}

/// What cannot be read as a list is an empty one.
fn list(value: Value) -> Value {
    if value.is_array() { value } else { Value::Array(Vec::new()) }
}

pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A message of which the ledger knows everything, for the tests of what is printed.
#[cfg(test)]
pub(super) fn full_view() -> MessageView {
    use crate::card::CardKind;
    use crate::ledger::{Attempt, PlaceView};
    MessageView {
        id: 4712,
        message_id: Some("a1@client.example".to_owned()),
        fingerprint: [0xab; 32],
        places: vec![PlaceView {
            mailbox: "sales".to_owned(),
            folder: "INBOX".to_owned(),
            uid_validity: 1_700_000_000,
            uid: 17,
        }],
        direction: Some("incoming".to_owned()),
        class: Some("normal".to_owned()),
        from: Some("ana@client.example".to_owned()),
        subject: "Price list".to_owned(),
        state: "saved".to_owned(),
        reason: None,
        evidence: serde_json::json!([{ "rule": "match", "fact": "contact:3 bears it" }]),
        candidates: serde_json::json!([{ "type": "deal", "id": 12, "why": "changed earlier" }]),
        cards: vec![
            CardRef { kind: CardKind::Deal, id: 14 },
            CardRef { kind: CardKind::Contact, id: 3 },
        ],
        activity_id: Some(55),
        responsible: Some(9),
        owner: 7,
        received_at: 1_714_644_900,
        recorded_at: Some(1_714_644_960),
        activity_created_at: Some(1_714_644_961),
        activity_completed_at: None,
        attempts: vec![Attempt {
            entry: 31,
            at: 1_714_644_930,
            method: "crm.activity.add".to_owned(),
            fate: "deferred".to_owned(),
            code: "network".to_owned(),
            text: "connection refused".to_owned(),
        }],
        next_attempt_at: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEYS: &str = "id message_id fingerprint mailbox places direction class from subject \
                        state reason evidence candidates cards activity_id responsible owner \
                        received_at recorded_at activity_created_at activity_completed_at attempts";

    #[test]
    fn json_bears_exactly_the_keys_of_the_contract() {
        let shown = Shown::new(full_view(), &TimeZone::UTC);
        let value = serde_json::to_value(&shown).unwrap();
        let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted: Vec<&str> = KEYS.split_whitespace().collect();
        keys.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(keys, wanted);
        assert_eq!(value["id"], 4712);
        assert_eq!(value["fingerprint"], "ab".repeat(32));
        assert_eq!(value["mailbox"], "sales");
        assert_eq!(value["cards"][0], serde_json::json!({ "type": "deal", "id": 14 }));
        assert_eq!(value["attempts"][0]["at"], "2024-05-02T10:15:30+00:00");
        assert_eq!(value["activity_completed_at"], Value::Null);
    }

    #[test]
    fn what_is_absent_is_null() {
        let mut view = full_view();
        view.attempts[0].code.clear();
        view.class = None;
        view.from = None;
        let value = serde_json::to_value(Shown::new(view, &TimeZone::UTC)).unwrap();
        for absent in [&value["attempts"][0]["code"], &value["class"], &value["from"]] {
            assert_eq!(*absent, Value::Null);
        }
    }

    #[test]
    fn lists_are_never_null() {
        let view = MessageView {
            evidence: Value::Null,
            candidates: Value::Null,
            places: Vec::new(),
            cards: Vec::new(),
            attempts: Vec::new(),
            ..full_view()
        };
        let value = serde_json::to_value(Shown::new(view, &TimeZone::UTC)).unwrap();
        for key in ["evidence", "candidates", "places", "cards", "attempts"] {
            assert_eq!(value[key], serde_json::json!([]), "{key}");
        }
        assert_eq!(value["mailbox"], Value::Null);
    }
}
