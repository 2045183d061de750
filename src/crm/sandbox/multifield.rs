//! Addresses and telephones of cards (`fm`), and the index by which duplicates are found.

use rusqlite::{Connection, params};

use super::answer::{Answer, Fault};
use super::cards::{Card, Kind};
use super::php::Php;
use super::webhook::Call;

/// The width of the column, in characters [observed].
const VALUE_LIMIT: usize = 250;
/// More values than this are not looked at [D: crm-duplicate-find-by-comm].
const MAX_VALUES: usize = 20;
/// With this many hits in one kind the later kinds are not looked at [D: the same].
const MAX_HITS: usize = 20;

/// Takes `fm` over: an element without an `id` is added, one with it changes that one, and an empty value or
/// `DELETE` deletes it. What is not among them stays.
pub(super) fn write(conn: &Connection, card: &Card, given: &Php) -> Result<(), Fault> {
    if given.is_null() || !card.kind.has_multifields() {
        return Ok(());
    }
    if !given.is_array() {
        return Err(Fault::coded("100", "Expected iterable value for multiple field"));
    }
    let kind = card.kind.entity_type();
    for element in given.values() {
        let id = element.get("id").int();
        let given = element.get("value").given();
        let value = given.map(|value| value.text().trim().to_owned()).unwrap_or_default();
        if value.chars().count() > VALUE_LIMIT {
            return Err(Fault::not_valid("fm"));
        }
        if id > 0 && ((given.is_some() && value.is_empty()) || element.either("delete").flag()) {
            conn.execute(
                "DELETE FROM multifield WHERE id = ?1 AND kind = ?2 AND card_id = ?3",
                params![id, kind, card.id],
            )?;
            continue;
        }
        let type_id = element.get("typeId").text().to_ascii_uppercase();
        if id > 0 {
            // Without a value only its type changes.
            let value = given.map(|_| value.as_str());
            conn.execute(
                "UPDATE multifield SET value = coalesce(?4, value), match_key = coalesce(
                    CASE type_id WHEN 'PHONE' THEN ?6 ELSE ?5 END, match_key),
                    value_type = coalesce(?7, value_type)
                 WHERE id = ?1 AND kind = ?2 AND card_id = ?3",
                params![
                    id,
                    kind,
                    card.id,
                    value,
                    value.map(|value| match_key("EMAIL", value)),
                    value.map(|value| match_key("PHONE", value)),
                    value_type(element),
                ],
            )?;
            continue;
        }
        if value.is_empty() || !matches!(type_id.as_str(), "EMAIL" | "PHONE" | "WEB" | "IM") {
            continue;
        }
        conn.prepare_cached(
            "INSERT INTO multifield (kind, card_id, type_id, value_type, value, match_key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            kind,
            card.id,
            type_id,
            value_type(element).unwrap_or_else(|| "WORK".to_owned()),
            value,
            match_key(&type_id, &value),
        ])?;
    }
    Ok(())
}

fn value_type(element: &Php) -> Option<String> {
    let name = element.get("valueType").text().to_ascii_uppercase();
    (!name.is_empty()).then_some(name)
}

/// Trimmed and in lower case, compared exactly [observed]; of a telephone the digits only.
fn match_key(type_id: &str, value: &str) -> String {
    match type_id {
        "PHONE" => value.chars().filter(char::is_ascii_digit).collect(),
        _ => value.trim().to_lowercase(),
    }
}

/// The `fm` of a card as `crm.item.*` shows it.
pub(super) fn read(conn: &Connection, card: &Card) -> rusqlite::Result<Php> {
    let mut query = conn.prepare_cached(
        "SELECT id, type_id, value_type, value FROM multifield
         WHERE kind = ?1 AND card_id = ?2 ORDER BY id",
    )?;
    let rows = query.query_map(params![card.kind.entity_type(), card.id], |row| {
        Ok(Php::map([
            ("id", row.get::<_, i64>("id")?.into()),
            ("valueType", row.get::<_, String>("value_type")?.into()),
            ("value", row.get::<_, String>("value")?.into()),
            ("typeId", row.get::<_, String>("type_id")?.into()),
        ]))
    })?;
    Ok(Php::list(rows.collect::<rusqlite::Result<Vec<Php>>>()?))
}

/// `crm.duplicate.findbycomm`.
///
/// The index asks no right on the single record: numbers of hidden cards are among the hits [observed].
pub(super) fn find_by_communication(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let type_id = params.get("type").text().trim().to_ascii_uppercase();
    if type_id.is_empty() {
        return Err(Fault::worded("Communication type is not defined."));
    }
    if !matches!(type_id.as_str(), "EMAIL" | "PHONE") {
        let text = format!("Communication type '{type_id}' is not supported in current context.");
        return Err(Fault::worded(text));
    }
    let values = params.get("values");
    if values.entries().is_empty() {
        return Err(Fault::worded("Communication values is not defined."));
    }
    let kinds: Vec<Kind> = match params.get("entity_type").text().trim() {
        "" => vec![Kind::Lead, Kind::Contact, Kind::Company],
        name => match Kind::by_symbol(name) {
            Some(Kind::Deal) => {
                return Err(Fault::worded("Deal is not supported in current context"));
            }
            Some(kind) => vec![kind],
            None => {
                let text = "Entity type is not supported in current context";
                return Err(Fault::worded(text));
            }
        },
    };
    let keys: Vec<String> = values
        .values()
        .take(MAX_VALUES)
        .map(|value| match_key(&type_id, &value.text()))
        .filter(|key| !key.is_empty())
        .collect();
    let mut found = Php::list([]);
    for kind in kinds {
        let mut ids: Vec<i64> = Vec::new();
        let mut query = call.tx.prepare_cached(
            "SELECT DISTINCT card_id FROM multifield
             WHERE type_id = ?1 AND match_key = ?2 AND kind = ?3 ORDER BY card_id",
        )?;
        for key in &keys {
            let rows = query.query_map(params![type_id, key, kind.entity_type()], |row| {
                row.get::<_, i64>("card_id")
            })?;
            for id in rows {
                let id = id?;
                if !ids.contains(&id) && ids.len() < MAX_HITS {
                    ids.push(id);
                }
            }
        }
        let full = ids.len() >= MAX_HITS;
        if !ids.is_empty() {
            found.set(kind.symbol(), Php::list(ids.into_iter().map(Php::Int)));
        }
        if full {
            break;
        }
    }
    Ok(Answer::of(found))
}
