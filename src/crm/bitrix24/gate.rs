//! The last look at a request before it leaves: never may the CRM send a mail for us, and never is what a person
//! wrote on a card overwritten. Pure.
//!
//! `crm.activity.add` with TYPE_ID 4, DIRECTION 2 and COMPLETED "Y" sends a real e-mail to every communication
//! (REST reference, crm.activity.add). The types cannot say it; this looks at what is really written.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Code of a refusal made here.
pub const CODE: &str = "would-send-mail";

/// The method in the form in which Bitrix24 compares it.
fn method_name(method: &str) -> String {
    let lower = method.trim().trim_matches('/').to_ascii_lowercase();
    let bare = lower.strip_suffix(".json").or_else(|| lower.strip_suffix(".xml"));
    bare.unwrap_or(&lower).to_owned()
}

/// Whether a method only asks. Unknown methods do not.
pub fn only_asks(method: &str) -> bool {
    let method = method_name(method);
    // `event.offline.get` takes what it answers out of the queue.
    if method.starts_with("event.") {
        return false;
    }
    matches!(
        method.rsplit('.').next().unwrap_or_default(),
        "list"
            | "get"
            | "fields"
            | "findbycomm"
            | "current"
            | "search"
            | "profile"
            | "scope"
            | "methods"
            | "admin"
            | "access"
            | "info"
            | "senders"
            | "thread"
            | "ownertype"
    )
}

/// Says why a request must not leave; `Ok` if it may.
pub fn check(method: &str, body: &[u8]) -> Result<(), &'static str> {
    let name = method_name(method);
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_')
    {
        return Err("not a method's name");
    }
    if name.starts_with("mail.message.") && !only_asks(&name) {
        return Err("the CRM's own mail is never sent, moved or linked");
    }
    match name.as_str() {
        "crm.activity.add" => {
            let body: Value = serde_json::from_slice(body).map_err(|_| "unreadable activity")?;
            if may_send(&body) { Err("an open outgoing e-mail only") } else { Ok(()) }
        }
        "crm.item.update" => {
            let body: Value = serde_json::from_slice(body).map_err(|_| "unreadable card")?;
            if only_adds(&body) { Ok(()) } else { Err("a contact is added to, never changed") }
        }
        "crm.activity.todo.add" => {
            let body: Value = serde_json::from_slice(body).map_err(|_| "unreadable to-do")?;
            if is_plain_todo(&body) { Ok(()) } else { Err("a to-do without blocks only") }
        }
        "batch" => {
            let body: Value = serde_json::from_slice(body).map_err(|_| "unreadable batch")?;
            batch(&body)
        }
        name if only_asks(name) || WRITES.contains(&name) => Ok(()),
        _ => Err("a method that is never called"),
    }
}

/// The methods that change something and may leave whatever they carry.
const WRITES: [&str; 5] = [
    "crm.activity.binding.add",
    "crm.activity.binding.delete",
    "crm.activity.binding.move",
    // It sends nothing, whatever it completes (REST reference, "How to send an e-mail").
    "crm.activity.update",
    "crm.item.add",
];

/// Whether an update of a card can only add to a contact: multifields without a number, and no field emptied.
fn only_adds(body: &Value) -> bool {
    let Some(body) = body.as_object() else { return false };
    let contact = one(body, "entityTypeId").and_then(Value::as_u64) == Some(CONTACT);
    let fields = one(body, "fields").and_then(Value::as_object);
    contact
        && fields.is_some_and(|fields| {
            fields.iter().all(|(name, value)| match name.as_str() {
                "name" | "lastName" | "post" => {
                    value.as_str().is_some_and(|text| !text.trim().is_empty())
                }
                "fm" => value.as_array().is_some_and(|fm| fm.iter().all(is_new)),
                _ => false,
            })
        })
}

const CONTACT: u64 = 3;

/// Whether a to-do has nothing but a text, a card, a person and a time: its further blocks (calendar, client,
/// link) do more than add one.
fn is_plain_todo(body: &Value) -> bool {
    const PLAIN: [&str; 7] = [
        "ownerTypeId",
        "ownerId",
        "deadline",
        "title",
        "description",
        "responsibleId",
        "parentActivityId",
    ];
    body.as_object().is_some_and(|body| {
        body.iter().all(|(name, value)| {
            PLAIN.contains(&name.as_str()) && !value.is_object() && !value.is_array()
        })
    })
}

/// Whether an element of `fm` is a new one: with a number it would change what is there.
fn is_new(element: &Value) -> bool {
    let said =
        |key: &str| element.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    element.as_object().is_some_and(|fields| fields.len() == 3)
        && ["typeId", "valueType", "value"].into_iter().all(said)
}

/// A batch asks only. What it carries is expanded by the CRM, so that nobody could say here what a writing command
/// would become.
fn batch(body: &Value) -> Result<(), &'static str> {
    let commands = match body.get("cmd") {
        Some(Value::Object(map)) => map.values().collect::<Vec<_>>(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {
            return Err("a batch without commands");
        }
    };
    for command in commands {
        let Some(text) = command.as_str() else { return Err("a command that is no text") };
        let decoded = percent_decode_str(text).decode_utf8_lossy().into_owned();
        let method = decoded.split(['?', '&']).next().unwrap_or_default();
        if !only_asks(method) {
            return Err("a batch may only ask");
        }
    }
    Ok(())
}

/// Whether an activity to be added might make the CRM send a mail.
///
/// Everything not known to be harmless counts as harmful: keys in other cases, keys given twice in different
/// cases, numbers as texts, missing values.
fn may_send(body: &Value) -> bool {
    let Some(fields) =
        body.as_object().and_then(|body| one(body, "fields")).and_then(Value::as_object)
    else {
        return true;
    };
    let open = same_key(fields, "COMPLETED").all(|value| value.as_str() == Some("N"))
        && same_key(fields, "COMPLETED").next().is_some();
    let other = |key, harmful: u64| {
        same_key(fields, key).next().is_some()
            && same_key(fields, key).all(|value| is_other_number(value, harmful))
    };
    !open && !other("DIRECTION", 2) && !other("TYPE_ID", 4)
}

/// The only value under a key, whatever its case.
fn one<'a>(map: &'a serde_json::Map<String, Value>, key: &'a str) -> Option<&'a Value> {
    let mut found = same_key(map, key);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn same_key<'a>(
    map: &'a serde_json::Map<String, Value>,
    key: &'a str,
) -> impl Iterator<Item = &'a Value> {
    map.iter()
        .filter(move |(name, _)| name.trim().eq_ignore_ascii_case(key))
        .map(|(_, value)| value)
}

/// A whole number other than `harmful`, plainly written: PHP would read `"4abc"` as 4 and `true` as 1.
fn is_other_number(value: &Value, harmful: u64) -> bool {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    };
    number.is_some_and(|number| number != harmful)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn leaves(method: &str, body: &Value) -> bool {
        check(method, body.to_string().as_bytes()).is_ok()
    }

    #[test]
    fn an_activity_that_the_crm_would_send_never_leaves() {
        #[rustfmt::skip]
        let cases = [
            ("incoming open",      json!({"TYPE_ID": 4, "DIRECTION": 1, "COMPLETED": "N"}),      true),
            ("incoming done",      json!({"TYPE_ID": 4, "DIRECTION": 1, "COMPLETED": "Y"}),      true),
            ("outgoing open",      json!({"TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": "N"}),      true),
            ("texts, open",        json!({"TYPE_ID": "4", "DIRECTION": "2", "COMPLETED": "N"}),  true),
            ("a call",             json!({"TYPE_ID": 2, "DIRECTION": 2, "COMPLETED": "Y"}),      true),
            ("the triple",         json!({"TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": "Y"}),      false),
            ("triple in texts",    json!({"TYPE_ID": "4", "DIRECTION": "2", "COMPLETED": "Y"}),  false),
            ("half texts",         json!({"TYPE_ID": 4, "DIRECTION": "2", "COMPLETED": "Y"}),    false),
            ("true",               json!({"TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": true}),     false),
            ("one",                json!({"TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": 1}),        false),
            ("lower case n",       json!({"TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": "n"}),      false),
            ("null",               json!({"TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": null}),     false),
            ("missing",            json!({"TYPE_ID": 4, "DIRECTION": 2}),                        false),
            ("missing direction",  json!({"TYPE_ID": 4, "COMPLETED": "Y"}),                      false),
            ("padded type",        json!({"TYPE_ID": " 4", "DIRECTION": 2, "COMPLETED": "Y"}),   false),
            ("type with a tail",   json!({"TYPE_ID": "4x", "DIRECTION": 2, "COMPLETED": "Y"}),   false),
            ("float",              json!({"TYPE_ID": 4.0, "DIRECTION": 2.0, "COMPLETED": "Y"}),  false),
            ("other case",         json!({"type_id": 4, "direction": 2, "completed": "Y"}),      false),
            ("twice",              json!({"TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": "N", "completed": "Y"}), false),
            ("list",               json!({"TYPE_ID": [4], "DIRECTION": [2], "COMPLETED": "Y"}),  false),
            ("expanded",           json!({"TYPE_ID": "$result[a]", "DIRECTION": "$result[b]", "COMPLETED": "Y"}), false),
            ("nothing",            json!({}),                                                    false),
        ];
        for (name, fields, may) in cases {
            for method in ["crm.activity.add", "CRM.Activity.Add", "crm.activity.add.json"] {
                assert_eq!(leaves(method, &json!({"fields": fields})), may, "{name}: {method}");
            }
        }
        assert!(!leaves("crm.activity.add", &json!({"FIELDS": 1})));
        assert!(!leaves("crm.activity.add", &json!([])));
        assert!(check("crm.activity.add", b"{\"fields\":").is_err());
    }

    #[test]
    fn a_batch_may_only_ask() {
        #[rustfmt::skip]
        let cases = [
            ("look-ups",   json!({"cmd": {"c0": "crm.item.list?entityTypeId=2", "c1": "crm.duplicate.findbycomm?type=EMAIL"}}), true),
            ("as a list",  json!({"cmd": ["crm.item.get?id=1"]}), true),
            ("the triple", json!({"cmd": {"a": "crm.activity.add?fields[TYPE_ID]=4&fields[DIRECTION]=2&fields[COMPLETED]=Y"}}), false),
            ("encoded",    json!({"cmd": {"a": "crm%2Eactivity%2Eadd%3Ffields%5BTYPE_ID%5D=4"}}), false),
            ("other case", json!({"cmd": {"a": "Crm.Activity.ADD?fields[TYPE_ID]=4"}}), false),
            ("in a list",  json!({"cmd": ["crm.item.get?id=1", "crm.activity.add?fields[TYPE_ID]=4"]}), false),
            ("a send",     json!({"cmd": {"a": "mail.message.send?x=1"}}), false),
            ("an update",  json!({"cmd": {"a": "crm.activity.update?id=1"}}), false),
            ("nested",     json!({"cmd": {"a": "batch?cmd[a]=crm.activity.add"}}), false),
            ("no text",    json!({"cmd": {"a": {"method": "crm.activity.add"}}}), false),
            ("no cmd",     json!({"halt": 0}), false),
        ];
        for (name, body, may) in cases {
            assert_eq!(leaves("batch", &body), may, "{name}");
        }
    }

    #[test]
    fn the_crms_own_mail_is_never_sent() {
        for method in [
            "mail.message.send",
            "mail.message.reply",
            "Mail.Message.Forward",
            "mail.message.send.json",
        ] {
            assert!(!leaves(method, &json!({})), "{method}");
        }
        assert!(leaves("mail.mailbox.list", &json!({})));
        assert!(leaves("mail.message.list", &json!({})));
    }

    #[test]
    fn a_contact_is_only_added_to() {
        let new = json!({"typeId": "PHONE", "valueType": "WORK", "value": "+34 600"});
        let with = |key: &str, value: Value| {
            let mut element = new.clone();
            element[key] = value;
            json!({"fm": [new, element]})
        };
        #[rustfmt::skip]
        let cases = [
            ("all of it",       3, json!({"name": "Ana", "lastName": "Ruiz", "post": "CEO", "fm": [new]}), true),
            ("with a number",   3, with("id", json!(15)),               false),
            ("DELETE",          3, with("DELETE", json!("Y")),          false),
            ("an empty value",  3, with("value", json!("")),            false),
            ("no value",        3, with("value", json!(null)),          false),
            ("by number",       3, json!({"fm": {"15": new}}),          false),
            ("emptied",         3, json!({"post": " "}),                false),
            ("responsible",     3, json!({"assignedById": 7}),          false),
            ("a deal's stage",  2, json!({"stageId": "WON"}),           false),
            ("a lead's name",   1, json!({"name": "Ana"}),              false),
        ];
        for (name, entity_type, fields, may) in cases {
            let body = json!({"entityTypeId": entity_type, "id": 7, "fields": fields});
            assert_eq!(leaves("crm.item.update", &body), may, "{name}");
            assert_eq!(leaves("Crm.Item.Update.json", &body), may, "{name}");
        }
        assert!(!leaves("crm.item.update", &json!({"entityTypeId": 3, "id": 7})));
    }

    #[test]
    fn a_todo_is_only_what_it_says() {
        let plain = json!({"ownerTypeId": 2, "ownerId": 7, "deadline": "2030-01-01T10:00:00+00:00",
            "title": "Answer: x", "description": "y", "responsibleId": 6, "parentActivityId": 9});
        let with = |key: &str, value: Value| {
            let mut body = plain.clone();
            if let Some(body) = body.as_object_mut() {
                body.insert(key.to_owned(), value);
            }
            body
        };
        #[rustfmt::skip]
        let cases = [
            ("plain",            plain.clone(),                                         true),
            ("blocks",           with("settings", json!([{"id": "calendar"}])),         false),
            ("an activity",      with("fields", json!({"TYPE_ID": 4})),                 false),
            ("other case",       with("TITLE", json!("x")),                             false),
            ("a text of parts",  with("description", json!(["a"])),                     false),
            ("no map",           json!([]),                                             false),
        ];
        for (name, body, may) in cases {
            assert_eq!(leaves("crm.activity.todo.add", &body), may, "{name}");
            assert_eq!(leaves("Crm.Activity.Todo.Add.json", &body), may, "{name}");
        }
        assert!(!leaves("crm.activity.todo.update", &plain));
        assert!(!leaves("batch", &json!({"cmd": {"a": "crm.activity.todo.add?ownerId=7"}})));
    }

    #[test]
    fn what_is_never_called_never_leaves() {
        for method in [
            "crm.item.delete",
            "crm.activity.delete",
            "crm.contact.update",
            "crm.lead.add",
            "im.notify.personal.add",
            "event.offline.get",
            "user.update",
        ] {
            assert!(!leaves(method, &json!({})), "{method}");
        }
        for method in [
            "crm.item.add",
            "crm.activity.update",
            "crm.activity.binding.move",
            "crm.activity.list",
        ] {
            assert!(leaves(method, &json!({})), "{method}");
        }
    }

    #[test]
    fn a_method_is_a_bare_name() {
        for method in
            ["", "crm.activity.add?fields[TYPE_ID]=4", "../crm", "a b", "x/crm.activity.add"]
        {
            assert!(!leaves(method, &json!({})), "{method}");
        }
    }

    #[test]
    fn methods_that_only_ask_are_known() {
        for method in
            ["crm.item.list", "user.get", "profile", "scope", "method.get", "crm.settings.mode.get"]
        {
            assert!(only_asks(method), "{method}");
        }
        for method in [
            "crm.item.add",
            "crm.activity.update",
            "event.offline.get",
            "batch",
            "crm.activity.binding.move",
        ] {
            assert!(!only_asks(method), "{method}");
        }
    }
}
