//! What `crm.item.add` and `.update` make of their fields: checks, defaults, what follows from what.

use rusqlite::{OptionalExtension, params};

use super::answer::Fault;
use super::cards::{Card, Kind};
use super::fields::{Field, field};
use super::filter::Form;
use super::moment;
use super::multifield;
use super::php::Php;
use super::webhook::Call;

/// A deal is expected to close within a week, unless it says otherwise.
const CLOSE_WITHIN_SECS: i64 = 7 * 86_400;
/// The width of FULL_NAME, which the portal puts together itself [observed].
const FULL_NAME_LIMIT: usize = 100;

/// Makes a card from the fields given and stores it.
pub(super) fn add(call: &Call<'_>, kind: Kind, given: &Php) -> Result<Card, Fault> {
    let mut card = Card { kind, id: 0, fields: defaults(call, kind)? };
    take(call, &mut card, given)?;
    card.id = Card::number(call.tx, kind)?;
    card.fields.set("id", card.id.into());
    if card.responsible() <= 0 {
        card.fields.set("assignedById", call.caller.employee.into());
    }
    if field(kind, "title").is_some() && card.fields.get("title").text().trim().is_empty() {
        let name = format!("{} #{}", kind.symbol(), card.id);
        card.fields.set("title", name.into());
    }
    card.store(call.tx)?;
    multifield::write(call.tx, &card, given.get("fm"))?;
    if kind == Kind::Lead && call.simple_mode && !card.fields.get("name").text().trim().is_empty() {
        // "The system converts a lead into a deal when the first name is filled in" [D: tutorials,
        // how-to-add-objects-with-crm-mode].
        convert(call, &mut card)?;
    }
    Ok(card)
}

/// Takes the fields given over into a card and stores it.
pub(super) fn update(call: &Call<'_>, card: &mut Card, given: &Php) -> Result<(), Fault> {
    take(call, card, given)?;
    touch(call, card);
    card.store(call.tx)?;
    multifield::write(call.tx, card, given.get("fm"))?;
    Ok(())
}

fn touch(call: &Call<'_>, card: &mut Card) {
    card.fields.set("updatedTime", call.now.into());
    card.fields.set("updatedBy", call.caller.employee.into());
}

/// Turns a lead into a deal: the lead stays, converted, and the deal knows it.
pub(super) fn convert(call: &Call<'_>, lead: &mut Card) -> Result<Card, Fault> {
    let mut given = Php::map([("leadId", lead.id.into())]);
    for name in
        ["title", "assignedById", "sourceId", "sourceDescription", "companyId", "contactIds"]
    {
        let value = lead.fields.get(name);
        if value.truthy() {
            given.set(name, value.clone());
        }
    }
    let deal = add(call, Kind::Deal, &given)?;
    set_stage(call, lead, "CONVERTED")?;
    touch(call, lead);
    lead.store(call.tx)?;
    Ok(deal)
}

fn defaults(call: &Call<'_>, kind: Kind) -> Result<Php, Fault> {
    let employee = call.caller.employee;
    let mut fields = Php::map([
        ("entityTypeId", kind.entity_type().into()),
        ("createdBy", employee.into()),
        ("updatedBy", employee.into()),
        ("createdTime", call.now.into()),
        ("updatedTime", call.now.into()),
        ("lastActivityTime", call.now.into()),
        ("assignedById", employee.into()),
        ("opened", "Y".into()),
    ]);
    match kind {
        Kind::Lead | Kind::Deal => {
            fields.set("movedBy", employee.into());
            fields.set("movedTime", call.now.into());
            fields.set("stageId", "NEW".into());
            fields.set("stageSemanticId", "P".into());
            fields.set("sourceId", "CALL".into());
            fields.set("isReturnCustomer", "N".into());
            fields.set("opportunity", Php::Float(0.0));
        }
        Kind::Contact => fields.set("sourceId", "CALL".into()),
        Kind::Company => {}
    }
    if kind == Kind::Deal {
        fields.set("categoryId", Php::Int(0));
        fields.set("closed", "N".into());
        fields.set("begindate", call.now.into());
        fields.set("closedate", Php::Int(call.now + CLOSE_WITHIN_SECS));
    }
    Ok(fields)
}

/// Checks every field given and puts it into the card. Unknown and read-only ones are dropped in silence.
fn take(call: &Call<'_>, card: &mut Card, given: &Php) -> Result<(), Fault> {
    for (name, value) in given.entries() {
        let Some(field) = field(card.kind, name).filter(|field| field.writable) else { continue };
        match field.name {
            "stageId" => set_stage(call, card, &value.text())?,
            "contactId" => set_contacts(call, card, vec![value.int()])?,
            "contactIds" => {
                let ids = checked(field, value)?;
                set_contacts(call, card, ids.values().map(Php::int).collect())?;
            }
            "companyId" => set_reference(call, card, field, Kind::Company, value)?,
            "leadId" => set_reference(call, card, field, Kind::Lead, value)?,
            _ => {
                let value = checked(field, value)?;
                card.fields.set(field.name, value);
            }
        }
    }
    if field(card.kind, "lastName").is_some() {
        let part = |name| card.fields.get(name).text();
        let full = format!("{} {}", part("name"), part("lastName"));
        if full.trim().chars().count() > FULL_NAME_LIMIT {
            return Err(Fault::not_valid("lastName"));
        }
    }
    if matches!(card.kind, Kind::Lead | Kind::Deal) {
        let known = ["contactId", "companyId"].iter().any(|name| card.fields.get(name).int() > 0);
        card.fields.set("isReturnCustomer", if known { "Y" } else { "N" }.into());
    }
    Ok(())
}

/// The value in the form in which the field keeps it.
fn checked(field: &Field, value: &Php) -> Result<Php, Fault> {
    if field.form == Form::Ints {
        if !value.is_array() {
            return Err(Fault::coded("100", "Expected iterable value for multiple field"));
        }
        return Ok(Php::list(value.values().map(|one| Php::Int(one.int()))));
    }
    if value.is_array() {
        return Err(Fault::not_valid(field.name));
    }
    if value.is_null() {
        return Ok(Php::Null);
    }
    match field.form {
        Form::Int => Ok(Php::Int(value.int())),
        Form::Number => Ok(Php::Float(value.float())),
        Form::Flag => Ok(if value.flag() { "Y" } else { "N" }.into()),
        Form::Time => match value.text() {
            empty if empty.trim().is_empty() => Ok(Php::Null),
            text => moment::read(&text).map(Php::Int).ok_or_else(|| Fault::not_valid(field.name)),
        },
        Form::Text | Form::Ints => {
            let text = value.text();
            if field.limit.is_some_and(|limit| text.chars().count() > limit) {
                return Err(Fault::not_valid(field.name));
            }
            Ok(text.into())
        }
    }
}

fn set_stage(call: &Call<'_>, card: &mut Card, stage: &str) -> Result<(), Fault> {
    let semantics: Option<Option<String>> = call
        .tx
        .prepare_cached("SELECT semantics FROM status WHERE entity_id = ?1 AND status_id = ?2")?
        .query_row(params![card.kind.stages(), stage], |row| row.get("semantics"))
        .optional()?;
    let Some(semantics) = semantics else { return Err(Fault::not_valid("stageId")) };
    let semantics = semantics.unwrap_or_else(|| "P".to_owned());
    if card.fields.get("stageId").text() != stage {
        card.fields.set("movedTime", call.now.into());
        card.fields.set("movedBy", call.caller.employee.into());
    }
    if card.kind == Kind::Deal {
        card.fields.set("closed", if semantics == "P" { "N" } else { "Y" }.into());
    }
    card.fields.set("stageId", stage.into());
    card.fields.set("stageSemanticId", semantics.into());
    Ok(())
}

/// The first contact is the primary one; both fields are one thing under two names.
fn set_contacts(call: &Call<'_>, card: &mut Card, ids: Vec<i64>) -> Result<(), Fault> {
    let mut contacts: Vec<i64> = Vec::new();
    for id in ids.into_iter().filter(|id| *id > 0) {
        if Card::load(call.tx, Kind::Contact, id)?.is_none() {
            return Err(Fault::not_valid("contactIds"));
        }
        if !contacts.contains(&id) {
            contacts.push(id);
        }
    }
    if field(card.kind, "contactId").is_some() {
        card.fields.set("contactId", contacts.first().copied().into());
    }
    card.fields.set("contactIds", Php::list(contacts.into_iter().map(Php::Int)));
    Ok(())
}

fn set_reference(
    call: &Call<'_>,
    card: &mut Card,
    field: &Field,
    kind: Kind,
    value: &Php,
) -> Result<(), Fault> {
    let id = value.int();
    if id > 0 && Card::load(call.tx, kind, id)?.is_none() {
        return Err(Fault::not_valid(field.name));
    }
    card.fields.set(field.name, (id > 0).then_some(id).into());
    Ok(())
}
