//! Reads what Bitrix24 answers. Pure.
//!
//! PHP writes an empty map as `[]`, a map with the keys 0..n-1 as an array, and old methods write numbers as
//! texts. All of it is tolerated; what is not there is `None`, never a default that could be believed.

use serde_json::Value;

use crate::card::{CardKind, CardRef, Employee};
use crate::message::address::normalise;

/// `entityTypeId` of a kind of card.
pub fn entity_type(kind: CardKind) -> u64 {
    match kind {
        CardKind::Lead => 1,
        CardKind::Deal => 2,
        CardKind::Contact => 3,
        CardKind::Company => 4,
    }
}

fn kind_of(entity_type: u64) -> Option<CardKind> {
    match entity_type {
        1 => Some(CardKind::Lead),
        2 => Some(CardKind::Deal),
        3 => Some(CardKind::Contact),
        4 => Some(CardKind::Company),
        _ => None,
    }
}

/// The name of a kind in `crm.duplicate.findbycomm`.
pub fn entity_name(kind: CardKind) -> &'static str {
    match kind {
        CardKind::Lead => "LEAD",
        CardKind::Deal => "DEAL",
        CardKind::Contact => "CONTACT",
        CardKind::Company => "COMPANY",
    }
}

/// What stands under a key of a map, also of one that PHP wrote as an array.
pub fn get<'a>(map: &'a Value, key: &str) -> Option<&'a Value> {
    map.as_object()?.get(key)
}

/// The values of a list, also of one that PHP wrote as a map.
pub fn list(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(values) => Some(values.iter().collect()),
        Value::Object(map) => Some(map.values().collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A number, also one written as a text. Zero is Bitrix24's "none" in every field we read.
pub fn number(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| *number > 0)
}

/// A float that is a whole number; PHP may write `7.0`.
fn whole(float: f64) -> Option<u64> {
    (float.fract() == 0.0 && (0.0..9e15).contains(&float)).then_some(float as u64)
}

fn number_at(row: &Value, key: &str) -> Option<u64> {
    number(row.get(key)?)
}

/// A text; numbers are written out.
fn text_at(row: &Value, key: &str) -> Option<String> {
    match row.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `Y`, `true`, `1` and the like.
fn flag_at(row: &Value, key: &str) -> bool {
    match row.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        Some(Value::String(text)) => matches!(text.as_str(), "Y" | "y" | "1" | "true"),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
    }
}

/// Unix seconds of an ISO 8601 time with offset; 0 if it is none.
fn seconds_at(row: &Value, key: &str) -> i64 {
    row.get(key)
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<jiff::Timestamp>().ok())
        .map_or(0, jiff::Timestamp::as_second)
}

/// Seconds, whole or not, also written as a text.
pub fn seconds(value: &Value) -> Option<f64> {
    let seconds = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    seconds.filter(|seconds: &f64| seconds.is_finite())
}

/// Code and text of an error body, of REST 2 or 3; `None` if the body is no error.
pub fn error(body: &Value) -> Option<(String, String)> {
    let error = body.get("error").filter(|error| !error.is_null())?;
    if let Some(map) = error.as_object() {
        // REST 3: {"error": {"code", "message"}}.
        return Some((
            text_at(&Value::Object(map.clone()), "code").unwrap_or_default(),
            text_at(&Value::Object(map.clone()), "message").unwrap_or_default(),
        ));
    }
    Some((
        text_at(body, "error").unwrap_or_default(),
        text_at(body, "error_description").unwrap_or_default(),
    ))
}

/// A lead, contact, company or deal, as `crm.item.list` and `crm.item.get` write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardRow {
    pub card: CardRef,
    /// 0 if nobody is.
    pub responsible: u64,
    /// Unix seconds, 0 if not told.
    pub updated_at: i64,
    /// In process. Contacts and companies are always open.
    pub open: bool,
    /// A lead that became a deal.
    pub converted: bool,
    pub contact: Option<u64>,
    pub company: Option<u64>,
    /// The lead that a deal came from.
    pub lead: Option<u64>,
    pub originator: Option<String>,
    pub origin: Option<String>,
}

impl CardRow {
    /// Contact or company, contact first.
    pub fn client(&self) -> Option<CardRef> {
        let contact = self.contact.map(|id| CardRef { kind: CardKind::Contact, id });
        let company = self.company.map(|id| CardRef { kind: CardKind::Company, id });
        contact.or(company)
    }
}

fn card_row(row: &Value, kind: CardKind) -> Option<CardRow> {
    let stage = text_at(row, "stageId").unwrap_or_default();
    // Deal stages of further funnels are written `C2:WON`.
    let stage = stage.rsplit(':').next().unwrap_or_default();
    let semantic = text_at(row, "stageSemanticId").filter(|semantic| !semantic.is_empty());
    let open = match kind {
        CardKind::Contact | CardKind::Company => true,
        CardKind::Lead | CardKind::Deal => match semantic.as_deref() {
            Some(semantic) => semantic == "P",
            // A portal that does not tell the semantic: the stages that every portal has.
            None => {
                !flag_at(row, "closed")
                    && !matches!(stage, "CONVERTED" | "JUNK" | "WON" | "LOSE" | "APOLOGY")
            }
        },
    };
    Some(CardRow {
        card: CardRef { kind, id: number_at(row, "id")? },
        responsible: number_at(row, "assignedById").unwrap_or(0),
        updated_at: seconds_at(row, "updatedTime"),
        open,
        converted: kind == CardKind::Lead
            && (semantic.as_deref() == Some("S") || stage == "CONVERTED"),
        contact: number_at(row, "contactId"),
        company: number_at(row, "companyId"),
        lead: number_at(row, "leadId"),
        originator: text_at(row, "originatorId"),
        origin: text_at(row, "originId"),
    })
}

/// The cards of a `crm.item.list` answer; `None` if it is no such answer.
pub fn card_rows(result: &Value, kind: CardKind) -> Option<Vec<CardRow>> {
    let rows = match result.get("items") {
        Some(items) => list(items)?,
        None if result.as_array().is_some_and(Vec::is_empty) => Vec::new(),
        None => return None,
    };
    rows.into_iter().map(|row| card_row(row, kind)).collect()
}

/// The card of a `crm.item.get` answer; `None` if it is no such answer.
pub fn one_card(result: &Value, kind: CardKind) -> Option<CardRow> {
    card_row(result.get("item")?, kind)
}

/// Numbers of one kind in a `crm.duplicate.findbycomm` answer; `None` if it is no such answer.
pub fn found_by_address(result: &Value, kind: CardKind) -> Option<Vec<u64>> {
    if !result.is_object() && !result.is_array() {
        return None;
    }
    match get(result, entity_name(kind)) {
        Some(ids) => list(ids)?.into_iter().map(number).collect(),
        None => Some(Vec::new()),
    }
}

/// An activity as `crm.activity.list` writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityRow {
    pub id: u64,
    pub owner: Option<CardRef>,
    pub responsible: Option<u64>,
    pub completed: bool,
    pub has_text: bool,
    pub originator: Option<String>,
    pub origin: Option<String>,
    /// Addresses of the parties in normal form, where they were asked for.
    pub parties: Vec<String>,
    /// Contacts and companies of the parties. Not the leads and deals: a party without a card gets
    /// the owner of that time, which may have changed since.
    pub clients: Vec<CardRef>,
}

fn activity_row(row: &Value) -> Option<ActivityRow> {
    let owner = number_at(row, "OWNER_TYPE_ID")
        .and_then(kind_of)
        .zip(number_at(row, "OWNER_ID"))
        .map(|(kind, id)| CardRef { kind, id });
    let communications = row.get("COMMUNICATIONS").and_then(list).unwrap_or_default();
    let client = |party: &&Value| {
        let kind = number_at(party, "ENTITY_TYPE_ID").and_then(kind_of)?;
        let id = number_at(party, "ENTITY_ID")?;
        matches!(kind, CardKind::Contact | CardKind::Company).then_some(CardRef { kind, id })
    };
    Some(ActivityRow {
        id: number_at(row, "ID")?,
        owner,
        responsible: number_at(row, "RESPONSIBLE_ID"),
        completed: flag_at(row, "COMPLETED"),
        has_text: text_at(row, "DESCRIPTION").is_some_and(|text| !text.trim().is_empty()),
        originator: text_at(row, "ORIGINATOR_ID"),
        origin: text_at(row, "ORIGIN_ID"),
        parties: distinct(communications.iter().filter_map(|party| party_address(party))),
        clients: distinct(communications.iter().filter_map(client)),
    })
}

/// The values in their order, each once.
fn distinct<T: Clone + Eq + std::hash::Hash>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = std::collections::HashSet::new();
    values.filter(|value| seen.insert(value.clone())).collect()
}

/// The address of one element of COMMUNICATIONS; telephones have none.
fn party_address(party: &Value) -> Option<String> {
    let type_id = text_at(party, "TYPE").unwrap_or_default();
    if !type_id.is_empty() && !type_id.eq_ignore_ascii_case("EMAIL") {
        return None;
    }
    let value = text_at(party, "VALUE")?;
    // Other integrations write `Ana <ana@cliente.es>`.
    normalise(&value).or_else(|| normalise(value.rsplit_once('<')?.1))
}

/// The activities of a `crm.activity.list` answer; `None` if it is no such answer.
pub fn activity_rows(result: &Value) -> Option<Vec<ActivityRow>> {
    list(result)?.into_iter().map(activity_row).collect()
}

/// The cards of a `crm.activity.binding.list` answer; dynamic types are none of ours.
pub fn bindings(result: &Value) -> Option<Vec<CardRef>> {
    let rows = list(result)?;
    Some(
        rows.into_iter()
            .filter_map(|row| {
                let kind = number_at(row, "entityTypeId").and_then(kind_of)?;
                Some(CardRef { kind, id: number_at(row, "entityId")? })
            })
            .collect(),
    )
}

/// A to-do as `crm.activity.list` writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TodoRow {
    pub id: u64,
    pub owner: Option<CardRef>,
    pub responsible: Option<u64>,
    pub completed: bool,
    pub provider: String,
    pub text: String,
}

/// The to-dos of a `crm.activity.list` answer; `None` if it is no such answer.
pub fn todo_rows(result: &Value) -> Option<Vec<TodoRow>> {
    let todo_row = |row: &Value| {
        let activity = activity_row(row)?;
        Some(TodoRow {
            id: activity.id,
            owner: activity.owner,
            responsible: activity.responsible,
            completed: activity.completed,
            provider: text_at(row, "PROVIDER_ID").unwrap_or_default(),
            text: text_at(row, "DESCRIPTION").unwrap_or_default(),
        })
    };
    list(result)?.into_iter().map(todo_row).collect()
}

/// The number of a to-do that was made.
pub fn made_todo(result: &Value) -> Option<u64> {
    number_at(result, "id")
}

/// The number of a card that was made.
pub fn made_card(result: &Value) -> Option<u64> {
    number_at(result.get("item")?, "id")
}

/// The employees of a `user.get` page; `None` if it is no such page.
///
/// Rows of other users (extranet, mail) are left out: they are not internal.
pub fn employees(result: &Value) -> Option<Vec<Employee>> {
    Some(list(result)?.into_iter().filter_map(employee).collect())
}

fn employee(row: &Value) -> Option<Employee> {
    let user_type = text_at(row, "USER_TYPE").unwrap_or_default();
    if !user_type.is_empty() && user_type != "employee" {
        return None;
    }
    let part = |key| text_at(row, key).unwrap_or_default().trim().to_owned();
    let email = text_at(row, "EMAIL").and_then(|email| normalise(&email));
    let full = format!("{} {}", part("NAME"), part("LAST_NAME")).trim().to_owned();
    let id = number_at(row, "ID")?;
    let name = match (full.is_empty(), &email) {
        (false, _) => full,
        (true, Some(email)) => email.clone(),
        (true, None) => id.to_string(),
    };
    Some(Employee { id, name, email, active: flag_at(row, "ACTIVE") })
}

/// What a contact holds of the person, as `crm.item.get` writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactRow {
    pub name: String,
    pub last_name: String,
    pub post: String,
    /// `typeId` and `value` of each multifield. `None`: the answer is silent on them, as those of old
    /// on-premise portals are, and nothing may be concluded from it.
    pub multifields: Option<Vec<(String, String)>>,
}

/// The contact of a `crm.item.get` answer; `None` if it is no such answer, or another card.
pub fn contact(result: &Value, id: u64) -> Option<ContactRow> {
    let row = result.get("item").filter(|row| number_at(row, "id") == Some(id))?;
    let text = |key| text_at(row, key).unwrap_or_default().trim().to_owned();
    let multifields = row.get("fm").filter(|fm| !fm.is_null()).and_then(list).map(|fields| {
        let part = |field: &Value, key| text_at(field, key).unwrap_or_default();
        fields
            .into_iter()
            .map(|field| (part(field, "typeId").to_ascii_uppercase(), part(field, "value")))
            .collect()
    });
    Some(ContactRow {
        name: text("name"),
        last_name: text("lastName"),
        post: text("post"),
        multifields,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_read_in_every_spelling() {
        #[rustfmt::skip]
        let cases = [
            (json!(7), Some(7)), (json!("7"), Some(7)), (json!(" 7 "), Some(7)), (json!(7.0), Some(7)),
            (json!(0), None), (json!("0"), None), (json!(""), None), (json!(null), None), (json!(-1), None),
            (json!([]), None), (json!({}), None), (json!(7.5), None), (json!("7a"), None),
        ];
        for (value, expected) in cases {
            assert_eq!(number(&value), expected, "{value}");
        }
    }

    #[test]
    fn errors_are_recognised_in_every_shape() {
        #[rustfmt::skip]
        let cases = [
            (json!({"error": "NOT_FOUND", "error_description": "x"}), Some(("NOT_FOUND", "x"))),
            (json!({"error": "", "error_description": "Access denied."}), Some(("", "Access denied."))),
            (json!({"error": 100, "error_description": "x"}), Some(("100", "x"))),
            (json!({"error": {"code": "A", "message": "b"}}), Some(("A", "b"))),
            (json!({"result": true}), None),
            (json!({"error": null, "result": 1}), None),
            (json!([]), None),
        ];
        for (body, expected) in cases {
            let expected = expected.map(|(code, text)| (code.to_owned(), text.to_owned()));
            assert_eq!(error(&body), expected, "{body}");
        }
    }

    #[test]
    fn rows_are_read_from_lists_and_maps() {
        #[rustfmt::skip]
        let cases = [
            ("list",       json!({"items": [{"id": 5}]}),           Some(vec![5])),
            ("map",        json!({"items": {"3": {"id": "5"}}}),    Some(vec![5])),
            ("empty",      json!({"items": []}),                    Some(vec![])),
            ("bare empty", json!([]),                               Some(vec![])),
            ("no list",    json!({"item": {"id": 5}}),              None),
            ("true",       json!(true),                             None),
            ("no id",      json!({"items": [{"title": "x"}]}),      None),
        ];
        for (name, result, expected) in cases {
            let ids = card_rows(&result, CardKind::Deal)
                .map(|rows| rows.iter().map(|row| row.card.id).collect::<Vec<_>>());
            assert_eq!(ids, expected, "{name}");
        }
    }

    #[test]
    fn a_card_is_open_by_its_semantic_or_else_by_its_stage() {
        use CardKind::{Contact, Deal, Lead};
        #[rustfmt::skip]
        let cases = [
            ("in process",      Deal,    json!({"id": 1, "stageSemanticId": "P", "stageId": "NEW"}),       true,  false),
            ("won",             Deal,    json!({"id": 1, "stageSemanticId": "S", "stageId": "WON"}),       false, false),
            ("lost",            Deal,    json!({"id": 1, "stageSemanticId": "F"}),                         false, false),
            ("won by stage",    Deal,    json!({"id": 1, "stageId": "C2:WON"}),                            false, false),
            ("closed by flag",  Deal,    json!({"id": 1, "stageId": "C2:EXTRA", "closed": "Y"}),           false, false),
            ("by stage",        Deal,    json!({"id": 1, "stageId": "C2:NEW", "closed": "N"}),             true,  false),
            ("converted",       Lead,    json!({"id": 1, "stageSemanticId": "S", "stageId": "CONVERTED"}), false, true),
            ("converted stage", Lead,    json!({"id": 1, "stageId": "CONVERTED"}),                         false, true),
            ("junk",            Lead,    json!({"id": 1, "stageSemanticId": null, "stageId": "JUNK"}),     false, false),
            ("contact",         Contact, json!({"id": 1}),                                                 true,  false),
        ];
        for (name, kind, row, open, converted) in cases {
            let row = card_row(&row, kind).unwrap();
            assert_eq!((row.open, row.converted), (open, converted), "{name}");
        }
    }

    #[test]
    fn times_are_read_with_their_offset() {
        #[rustfmt::skip]
        let cases = [
            (json!("2024-07-18T12:32:31+02:00"), 1_721_298_751),
            (json!("2024-07-18T10:32:31Z"),      1_721_298_751),
            (json!(""),                          0),
            (json!(null),                        0),
            (json!({}),                          0),
        ];
        for (time, expected) in cases {
            assert_eq!(seconds_at(&json!({"t": time}), "t"), expected, "{time}");
        }
    }

    #[test]
    fn findbycomm_is_read_for_one_kind() {
        #[rustfmt::skip]
        let cases = [
            (json!({"LEAD": [1, 2], "CONTACT": [275]}), Some(vec![275])),
            (json!({"CONTACT": {"0": "275"}}),          Some(vec![275])),
            (json!({"LEAD": [1]}),                      Some(vec![])),
            (json!([]),                                 Some(vec![])),
            (json!(false),                              None),
            (json!(null),                               None),
            (json!({"CONTACT": ["x"]}),                 None),
        ];
        for (result, expected) in cases {
            assert_eq!(found_by_address(&result, CardKind::Contact), expected, "{result}");
        }
    }

    #[test]
    fn activities_of_old_methods_are_texts() {
        let rows = activity_rows(&json!([
            {"ID": "999", "OWNER_TYPE_ID": "2", "OWNER_ID": "314", "RESPONSIBLE_ID": "6", "COMPLETED": "Y",
             "DESCRIPTION": "Hola", "ORIGINATOR_ID": "mailcrm", "ORIGIN_ID": "ab"},
            {"ID": 1000, "OWNER_TYPE_ID": "177", "OWNER_ID": "3", "COMPLETED": "N", "DESCRIPTION": ""}
        ]))
        .unwrap();
        assert_eq!(
            rows[0],
            ActivityRow {
                id: 999,
                owner: Some(CardRef { kind: CardKind::Deal, id: 314 }),
                responsible: Some(6),
                completed: true,
                has_text: true,
                originator: Some("mailcrm".into()),
                origin: Some("ab".into()),
                parties: vec![],
                clients: vec![],
            }
        );
        assert_eq!((rows[1].owner, rows[1].completed, rows[1].has_text), (None, false, false));
        assert_eq!(activity_rows(&json!(true)), None);
    }

    #[test]
    fn parties_of_an_activity_are_read_in_every_shape() {
        let contact = CardRef { kind: CardKind::Contact, id: 275 };
        #[rustfmt::skip]
        let cases: &[(&str, Value, &[&str], &[CardRef])] = &[
            ("not given",     Value::Null,                                                        &[], &[]),
            ("none",          json!([]),                                                          &[], &[]),
            ("false",         json!(false),                                                       &[], &[]),
            ("a list",        json!([{"TYPE": "EMAIL", "VALUE": "Ana@Cliente.ES", "ENTITY_TYPE_ID": "3", "ENTITY_ID": "275"}]),
                                                                                                  &["ana@cliente.es"], &[contact]),
            ("a map",         json!({"7": {"TYPE": "", "VALUE": "ana@cliente.es"}}),              &["ana@cliente.es"], &[]),
            ("with a name",   json!([{"TYPE": "EMAIL", "VALUE": "Ana <ana@cliente.es>"}]),        &["ana@cliente.es"], &[]),
            ("twice",         json!([{"VALUE": "a@b.c"}, {"VALUE": "A@B.C"}]),                    &["a@b.c"], &[]),
            ("a telephone",   json!([{"TYPE": "PHONE", "VALUE": "+34 600", "ENTITY_TYPE_ID": 3, "ENTITY_ID": 275}]),
                                                                                                  &[], &[contact]),
            ("of the owner",  json!([{"TYPE": "EMAIL", "VALUE": "a@b.c", "ENTITY_TYPE_ID": 2, "ENTITY_ID": 1}]),
                                                                                                  &["a@b.c"], &[]),
            ("no address",    json!([{"TYPE": "EMAIL", "VALUE": "Ana"}, {}, 1]),                  &[], &[]),
            ("to A-labels",   json!([{"TYPE": "EMAIL", "VALUE": "ana@müller.de"}]),               &["ana@xn--mller-kva.de"], &[]),
        ];
        for (name, communications, parties, clients) in cases {
            let row = json!({"ID": 1, "COMMUNICATIONS": communications});
            let row = activity_row(&row).unwrap();
            assert_eq!(row.parties, *parties, "{name}");
            assert_eq!(row.clients, *clients, "{name}");
        }
    }

    #[test]
    fn a_contact_that_does_not_tell_its_multifields_is_no_contact_without() {
        let fm = json!([{"id": 1, "typeId": "email", "valueType": "WORK", "value": "a@b.c"}]);
        #[rustfmt::skip]
        let cases: &[(&str, Value, Option<usize>)] = &[
            ("given",     json!({"id": 7, "fm": fm}),             Some(1)),
            ("as a map",  json!({"id": "7", "fm": {"1": fm[0]}}), Some(1)),
            ("none",      json!({"id": 7, "fm": []}),             Some(0)),
            ("null",      json!({"id": 7, "fm": null}),           None),
            ("silent",    json!({"id": 7}),                       None),
        ];
        for (name, item, expected) in cases {
            let row = contact(&json!({"item": item}), 7).unwrap();
            assert_eq!(row.multifields.as_ref().map(Vec::len), *expected, "{name}");
            for field in row.multifields.iter().flatten() {
                assert_eq!(*field, ("EMAIL".to_owned(), "a@b.c".to_owned()), "{name}");
            }
        }
        assert_eq!(contact(&json!({"item": {"id": 8}}), 7), None);
        assert_eq!(contact(&json!([]), 7), None);
    }

    #[test]
    fn employees_are_read_tolerantly() {
        let page = json!([
            {"ID": "1", "NAME": "Ana", "LAST_NAME": "Ruiz", "EMAIL": "Ana@Nosotros.ES", "ACTIVE": true,
             "PERSONAL_BIRTHDAY": {}, "USER_TYPE": "employee"},
            {"ID": 2, "NAME": null, "EMAIL": "b@x.example", "ACTIVE": "Y"},
            {"ID": 3, "NAME": "", "EMAIL": "", "ACTIVE": 1},
            {"ID": "4", "NAME": "Ex", "EMAIL": "ex@x.example", "ACTIVE": false},
            {"ID": "5", "NAME": "Guest", "EMAIL": "g@x.example", "ACTIVE": true, "USER_TYPE": "extranet"},
        ]);
        let read: Vec<_> = employees(&page)
            .unwrap()
            .into_iter()
            .map(|one| (one.id, one.name, one.email, one.active))
            .collect();
        let some = |email: &str| Some(email.to_owned());
        assert_eq!(
            read,
            [
                (1, "Ana Ruiz".to_owned(), some("ana@nosotros.es"), true),
                (2, "b@x.example".to_owned(), some("b@x.example"), true),
                (3, "3".to_owned(), None, true),
                (4, "Ex".to_owned(), some("ex@x.example"), false),
            ]
        );
    }
}
