//! `sandbox.*`: what no portal has, to set the scene for a test and to look at it afterwards.

use rusqlite::params;

use super::answer::{Answer, Fault};
use super::cards::{Card, Kind};
use super::item_write;
use super::php::Php;
use super::webhook::{ALL_SCOPES, Call};

/// `sandbox.employee.set {id, name, email, active}`: makes or changes an employee, with all rights.
pub(super) fn set_employee(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let id = params.get("id").int();
    if id <= 0 {
        return Err(Fault::missing("id"));
    }
    let name = params.get("name").text();
    let (first, last) = name.split_once(' ').unwrap_or((&name, ""));
    let given = |name: &str| params.get(name).given().map(Php::text);
    call.tx.execute(
        "INSERT INTO employee (id, name, last_name, email, active, department, read_all, update_all)
         VALUES (?1, ?2, ?3, coalesce(?4, ''), coalesce(?5, 1), 1, 1, 1)
         ON CONFLICT (id) DO UPDATE SET
            name = CASE WHEN ?6 THEN ?2 ELSE name END,
            last_name = CASE WHEN ?6 THEN ?3 ELSE last_name END,
            email = coalesce(?4, email),
            active = coalesce(?5, active)",
        params![id, first, last, given("email"), flag(params, "active"), !name.is_empty()],
    )?;
    Ok(Answer::of(true))
}

fn flag(params: &Php, name: &str) -> Option<bool> {
    params.get(name).given().map(Php::flag)
}

/// `sandbox.webhook.set {secret, employee, scope, read_all, update_all}`: makes or changes a webhook.
///
/// The rights are the employee's, and so those of all webhooks of theirs. What is not given stays; a
/// new webhook has all scopes. `scope` is a list or names parted by commas.
pub(super) fn set_webhook(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let (secret, employee) = (params.get("secret").text(), params.get("employee").int());
    if secret.is_empty() {
        return Err(Fault::missing("secret"));
    }
    let scope = params.get("scope").given().map(|names| match names.is_array() {
        true => names.values().map(Php::text).collect::<Vec<_>>().join(","),
        false => names.text(),
    });
    let changed = call.tx.execute(
        "UPDATE employee SET read_all = coalesce(?2, read_all), update_all = coalesce(?3, update_all)
         WHERE id = ?1",
        params![employee, flag(params, "read_all"), flag(params, "update_all")],
    )?;
    if changed == 0 {
        return Err(Fault::coded("NOT_FOUND", "No such employee"));
    }
    call.tx.execute(
        "INSERT INTO webhook (employee, secret, scope) VALUES (?1, ?2, coalesce(?3, ?4))
         ON CONFLICT (employee, secret) DO UPDATE SET scope = coalesce(?3, scope)",
        params![employee, secret, scope, ALL_SCOPES],
    )?;
    Ok(Answer::of(true))
}

/// `sandbox.hide {employee, entityTypeId, id}`: that employee may not read the card any more;
/// `hidden: false` undoes it.
pub(super) fn hide(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let employee = params.get("employee").int();
    let card = lead_or_other(call, params.get("entityTypeId").int(), params.get("id").int())?;
    if flag(params, "hidden") == Some(false) {
        call.tx.execute(
            "DELETE FROM hidden WHERE employee = ?1 AND kind = ?2 AND card_id = ?3",
            params![employee, card.kind.entity_type(), card.id],
        )?;
    } else {
        call.tx.execute(
            "INSERT INTO hidden (employee, kind, card_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![employee, card.kind.entity_type(), card.id],
        )?;
    }
    Ok(Answer::of(true))
}

fn lead_or_other(call: &Call<'_>, entity_type: i64, id: i64) -> Result<Card, Fault> {
    let found = match Kind::of(entity_type) {
        Some(kind) => Card::load(call.tx, kind, id)?,
        None => None,
    };
    found.ok_or_else(|| Fault::coded("NOT_FOUND", "No such card"))
}

/// `sandbox.convert {leadId}`: converts a lead as a person does in the CRM's own pages.
///
/// Every activity of the lead is bound to the deal in addition; the lead keeps its own [observed].
/// Answers `{dealId}`.
pub(super) fn convert(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let mut lead = lead_or_other(call, Kind::Lead.entity_type(), params.get("leadId").int())?;
    let deal = item_write::convert(call, &mut lead)?;
    call.tx.execute(
        "INSERT INTO binding (activity_id, kind, card_id)
         SELECT activity_id, ?1, ?2 FROM binding WHERE kind = ?3 AND card_id = ?4 ORDER BY id",
        params![deal.kind.entity_type(), deal.id, lead.kind.entity_type(), lead.id],
    )?;
    Ok(Answer::of(Php::map([("dealId", deal.id.into())])))
}

/// `sandbox.counts {}`: how much of everything there is. The requests are added by the caller, who
/// holds them in memory.
pub(super) fn counts(call: &Call<'_>, _: &Php) -> Result<Answer, Fault> {
    let counts = call.tx.query_row(
        "SELECT (SELECT count(*) FROM card WHERE kind = 1) AS leads,
                (SELECT count(*) FROM card WHERE kind = 2) AS deals,
                (SELECT count(*) FROM card WHERE kind = 3) AS contacts,
                (SELECT count(*) FROM card WHERE kind = 4) AS companies,
                (SELECT count(*) FROM activity) AS activities,
                (SELECT count(*) FROM binding) AS bindings,
                (SELECT count(*) FROM file) AS files,
                (SELECT count(*) FROM comment) AS comments,
                (SELECT count(*) FROM notification) AS notifications,
                (SELECT count(*) FROM sent_mail) AS sent_mail",
        [],
        |row| {
            let mut counts = Php::list([]);
            for name in [
                "leads",
                "deals",
                "contacts",
                "companies",
                "activities",
                "bindings",
                "files",
                "comments",
                "notifications",
                "sent_mail",
            ] {
                counts.set(name, row.get::<_, i64>(name)?.into());
            }
            Ok(counts)
        },
    )?;
    Ok(Answer::of(counts))
}
