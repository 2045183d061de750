//! Who works here and what this portal is: employees, departments, lists, scopes, the mode.

use rusqlite::{Connection, Row, params};

use super::answer::{Answer, Fault, page};
use super::cards::Kind;
use super::filter::{self, Form};
use super::php::Php;
use super::webhook::Call;

/// `crm.settings.mode.get`: 1 with leads, 2 without.
pub(super) fn mode(call: &Call<'_>, _: &Php) -> Result<Answer, Fault> {
    Ok(Answer::of(if call.simple_mode { 2 } else { 1 }))
}

/// `crm.status.list`.
pub(super) fn statuses(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let mut query = call.tx.prepare_cached(
        "SELECT id, entity_id, status_id, name, sort, semantics FROM status ORDER BY entity_id, sort",
    )?;
    let rows = query.query_map([], |row| {
        let semantics: Option<String> = row.get("semantics")?;
        Ok(Php::map([
            ("ID", row.get::<_, i64>("id")?.to_string().into()),
            ("ENTITY_ID", row.get::<_, String>("entity_id")?.into()),
            ("STATUS_ID", row.get::<_, String>("status_id")?.into()),
            ("NAME", row.get::<_, String>("name")?.into()),
            ("NAME_INIT", row.get::<_, String>("name")?.into()),
            ("SORT", row.get::<_, i64>("sort")?.to_string().into()),
            ("SYSTEM", "Y".into()),
            ("CATEGORY_ID", Php::Null),
            ("COLOR", "".into()),
            ("SEMANTICS", semantics.into()),
            ("EXTRA", Php::list([])),
        ]))
    })?;
    let mut found = Vec::new();
    let wanted = params.either("filter");
    for row in rows {
        let row = row?;
        if matches(&row, wanted, &["ID", "ENTITY_ID", "STATUS_ID", "NAME", "SORT"]) {
            found.push(row);
        }
    }
    // This list comes whole, not in pages.
    let total = found.len() as i64;
    Ok(Answer { result: Php::list(found), total: Some(total), next: None })
}

/// Whether a row passes the part of a filter that asks for these columns.
fn matches(row: &Php, wanted: &Php, columns: &[&str]) -> bool {
    wanted.entries().iter().all(|(key, operand)| {
        let (operator, name) = filter::split(key);
        !columns.contains(&name) || filter::passes(row.get(name), Form::Text, operator, operand)
    })
}

fn employee(row: &Row<'_>) -> rusqlite::Result<Php> {
    let id: i64 = row.get("id")?;
    let department: i64 = row.get("department")?;
    Ok(Php::map([
        ("ID", id.to_string().into()),
        ("XML_ID", Php::Null),
        ("ACTIVE", row.get::<_, bool>("active")?.into()),
        ("NAME", row.get::<_, String>("name")?.into()),
        ("LAST_NAME", row.get::<_, String>("last_name")?.into()),
        ("SECOND_NAME", "".into()),
        ("EMAIL", row.get::<_, String>("email")?.into()),
        // An empty date is an empty object, which PHP writes as a list.
        ("LAST_LOGIN", Php::list([])),
        ("IS_ONLINE", "N".into()),
        ("WORK_POSITION", "".into()),
        ("PERSONAL_PHOTO", Php::Null),
        ("UF_DEPARTMENT", Php::list([Php::Int(department)])),
        ("USER_TYPE", "employee".into()),
    ]))
}

fn employees(conn: &Connection) -> rusqlite::Result<Vec<Php>> {
    conn.prepare_cached(
        "SELECT id, name, last_name, email, active, department FROM employee ORDER BY id",
    )?
    .query_map([], employee)?
    .collect()
}

/// `user.get`: active and inactive employees, 50 to a page.
pub(super) fn users(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let mut wanted = params.either("filter").clone();
    // `ID` may stand beside the filter as well.
    if !params.get("ID").is_null() {
        wanted.set("ID", params.get("ID").clone());
    }
    let mut found = Vec::new();
    for row in employees(call.tx)? {
        let active = wanted.get("ACTIVE");
        if !active.is_null() && active.flag() != row.get("ACTIVE").flag() {
            continue;
        }
        let departments = wanted.get("UF_DEPARTMENT");
        if !departments.is_null()
            && !filter::passes(
                row.get("UF_DEPARTMENT"),
                Form::Ints,
                filter::Operator::Equal,
                departments,
            )
        {
            continue;
        }
        let columns = ["ID", "NAME", "LAST_NAME", "EMAIL", "USER_TYPE", "WORK_POSITION"];
        if matches(&row, &wanted, &columns) {
            found.push(without_secrets(call, row));
        }
    }
    if params.either("order").text().eq_ignore_ascii_case("DESC") {
        found.reverse();
    }
    let (found, total, next) = page(found, params.either("start"));
    Ok(Answer { result: Php::list(found), total, next })
}

/// The scope `user_brief` shows no addresses.
fn without_secrets(call: &Call<'_>, row: Php) -> Php {
    if call.caller.has_scope("user") || call.caller.has_scope("user_basic") {
        return row;
    }
    Php::Array(row.entries().iter().filter(|(name, _)| name != "EMAIL").cloned().collect())
}

fn me(call: &Call<'_>) -> Result<Php, Fault> {
    Ok(call.tx.query_row(
        "SELECT id, name, last_name, email, active, department FROM employee WHERE id = ?1",
        params![call.caller.employee],
        employee,
    )?)
}

/// `user.current`.
pub(super) fn current_user(call: &Call<'_>, _: &Php) -> Result<Answer, Fault> {
    Ok(Answer::of(without_secrets(call, me(call)?)))
}

/// `user.admin`. Nobody is: what an employee may do to cards is told in the table `employee`.
pub(super) fn is_admin(_: &Call<'_>, _: &Php) -> Result<Answer, Fault> {
    Ok(Answer::of(false))
}

/// `profile`.
pub(super) fn profile(call: &Call<'_>, _: &Php) -> Result<Answer, Fault> {
    let me = me(call)?;
    Ok(Answer::of(Php::map([
        ("ID", me.get("ID").clone()),
        ("ADMIN", false.into()),
        ("NAME", me.get("NAME").clone()),
        ("LAST_NAME", me.get("LAST_NAME").clone()),
        ("PERSONAL_GENDER", "".into()),
        ("PERSONAL_PHOTO", Php::Null),
        ("TIME_ZONE", "".into()),
    ])))
}

/// `department.get`: there is one, to which all belong.
pub(super) fn departments(_: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let id = params.get("ID");
    if !id.is_null() && id.int() != 1 {
        return Ok(Answer { result: Php::list([]), total: Some(0), next: None });
    }
    let sales = Php::map([("ID", "1".into()), ("NAME", "Sales".into()), ("SORT", Php::Int(500))]);
    Ok(Answer { result: Php::list([sales]), total: Some(1), next: None })
}

/// `scope`: what this webhook was given.
pub(super) fn scopes(call: &Call<'_>, _: &Php) -> Result<Answer, Fault> {
    Ok(Answer::of(Php::list(call.caller.scopes.iter().map(|scope| scope.as_str().into()))))
}

/// `app.info`, as a webhook sees it.
pub(super) fn app_info(call: &Call<'_>, _: &Php) -> Result<Answer, Fault> {
    let scopes = Php::list(call.caller.scopes.iter().map(|scope| scope.as_str().into()));
    Ok(Answer::of(Php::map([("SCOPE", scopes), ("LICENSE", "en_sandbox".into())])))
}

/// `crm.enum.ownertype`.
pub(super) fn owner_types(_: &Call<'_>, _: &Php) -> Result<Answer, Fault> {
    let types = Kind::ALL.into_iter().map(|kind| {
        let short = match kind {
            Kind::Lead => "L",
            Kind::Deal => "D",
            Kind::Contact => "C",
            Kind::Company => "CO",
        };
        Php::map([
            ("ID", kind.entity_type().into()),
            ("NAME", kind.symbol().into()),
            ("SYMBOL_CODE", kind.symbol().into()),
            ("SYMBOL_CODE_SHORT", short.into()),
        ])
    });
    Ok(Answer::of(Php::list(types)))
}
