//! `crm.activity.get`, `.list` and `.delete`: the old style, numbers as texts, errors in words.

use rusqlite::{Connection, params};

use super::activities::{Activity, Narrow};
use super::answer::{Answer, Fault, page};
use super::cards::{Kind, from_json};
use super::emoji;
use super::filter::{self, Form, Operator};
use super::moment;
use super::php::Php;
use super::webhook::Call;

/// An activity is seen only by those who may read every card that it is bound to (the FAQ on mails
/// that a colleague cannot see).
fn may_read(call: &Call<'_>, activity: &Activity) -> Result<bool, Fault> {
    for (kind, id) in activity.bindings(call.tx)? {
        if !call.may_read_card(kind, id)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn get(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let Some(activity) = Activity::load(call.tx, params.either("id").int())? else {
        return Err(Fault::worded("Activity is not found."));
    };
    if !may_read(call, &activity)? {
        return Err(Fault::worded("Access denied."));
    }
    Ok(Answer::of(row(call.tx, &activity, &Select::of(&Php::Null))?))
}

pub(super) fn delete(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let Some(activity) = Activity::load(call.tx, params.either("id").int())? else {
        return Err(Fault::worded("Activity is not found."));
    };
    if !call.may_update_card(activity.owner.0, activity.owner.1)? {
        return Err(Fault::worded("Access denied."));
    }
    activity.delete(call.tx)?;
    Ok(Answer::of(true))
}

pub(super) fn list(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let conditions = conditions(params.either("filter"));
    let mut rows = Vec::new();
    'rows: for activity in Activity::find(call.tx, &narrow(&conditions))? {
        for condition in &conditions {
            if !condition.holds(call.tx, &activity)? {
                continue 'rows;
            }
        }
        if may_read(call, &activity)? {
            rows.push(activity);
        }
    }
    sort(&mut rows, params.either("order"));
    let (rows, total, next) = page(rows, params.either("start"));
    let select = Select::of(params.either("select"));
    let rows =
        rows.iter().map(|one| row(call.tx, one, &select)).collect::<Result<Vec<_>, Fault>>()?;
    Ok(Answer { result: Php::list(rows), total, next })
}

/// A part of a filter. Keys that are none of these are dropped in silence, so that a filter with a
/// typing error finds everything [observed].
enum Condition<'p> {
    Column { name: &'p str, form: Form, operator: Operator, operand: &'p Php },
    Bindings(Vec<(i64, i64)>),
}

fn conditions(filter: &Php) -> Vec<Condition<'_>> {
    let mut conditions = Vec::new();
    for (key, operand) in filter.entries() {
        let (operator, name) = filter::split(key);
        if name == "BINDINGS" {
            let wanted = operand
                .values()
                .map(|one| (one.get("OWNER_TYPE_ID").int(), one.get("OWNER_ID").int()));
            conditions.push(Condition::Bindings(wanted.collect()));
        } else if let Some(form) = form(name) {
            conditions.push(Condition::Column { name, form, operator, operand });
        }
    }
    conditions
}

impl Condition<'_> {
    fn holds(&self, conn: &Connection, activity: &Activity) -> rusqlite::Result<bool> {
        match self {
            Condition::Column { name, form, operator, operand } => {
                Ok(filter::passes(&column(activity, name), *form, *operator, operand))
            }
            Condition::Bindings(wanted) => {
                let bindings = activity.bindings(conn)?;
                Ok(wanted.iter().any(|(entity_type, wanted)| {
                    bindings.iter().any(|(kind, id)| {
                        kind.entity_type() == *entity_type && (id == wanted || *wanted == 0)
                    })
                }))
            }
        }
    }
}

fn narrow(conditions: &[Condition<'_>]) -> Narrow {
    let mut narrow = owner(conditions).unwrap_or(Narrow::All);
    for condition in conditions {
        match condition {
            Condition::Column { name: "ID", operator: Operator::Equal, operand, .. } => {
                if operand.is_array() {
                    return Narrow::Ids(operand.values().map(Php::int).collect());
                }
                return Narrow::Ids(vec![operand.int()]);
            }
            // Upper-case letters would need the collation, which the index does not have.
            Condition::Column {
                name: "ORIGIN_ID",
                operator: Operator::Equal,
                operand: Php::Text(origin),
                ..
            } if origin.len() == 64
                && origin.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) =>
            {
                narrow = Narrow::Origin(origin.clone());
            }
            Condition::Column { name: "ID", operator: Operator::Greater, operand, .. }
                if narrow == Narrow::All && !operand.is_array() =>
            {
                narrow = Narrow::Above(operand.int());
            }
            Condition::Bindings(wanted) if narrow == Narrow::All => {
                if let [(entity_type, id @ 1..)] = wanted.as_slice()
                    && let Some(kind) = Kind::of(*entity_type)
                {
                    narrow = Narrow::Card(kind, *id);
                }
            }
            Condition::Column { .. } | Condition::Bindings(_) => {}
        }
    }
    narrow
}

/// The card that owns what is asked for, if that is one: an activity is bound to its owner.
fn owner(conditions: &[Condition<'_>]) -> Option<Narrow> {
    let number = |wanted: &str| {
        conditions.iter().find_map(|condition| match condition {
            Condition::Column { name, operator: Operator::Equal, operand, .. }
                if *name == wanted && !operand.is_array() =>
            {
                Some(operand.int())
            }
            Condition::Column { .. } | Condition::Bindings(_) => None,
        })
    };
    Some(Narrow::Card(Kind::of(number("OWNER_TYPE_ID")?)?, number("OWNER_ID")?))
}

/// How a column is compared; `None` for what is no column, or cannot be asked for.
fn form(name: &str) -> Option<Form> {
    match name {
        "ID" | "OWNER_ID" | "OWNER_TYPE_ID" | "TYPE_ID" | "STATUS" | "RESPONSIBLE_ID"
        | "PRIORITY" | "DIRECTION" | "AUTHOR_ID" | "EDITOR_ID" => Some(Form::Int),
        "COMPLETED" => Some(Form::Flag),
        "START_TIME" | "END_TIME" | "DEADLINE" | "CREATED" | "LAST_UPDATED" => Some(Form::Time),
        "SUBJECT" | "PROVIDER_ID" | "PROVIDER_TYPE_ID" | "LOCATION" | "ORIGINATOR_ID"
        | "ORIGIN_ID" => Some(Form::Text),
        _ => None,
    }
}

/// A column as it is compared: numbers as numbers, times as Unix seconds.
fn column(activity: &Activity, name: &str) -> Php {
    match name {
        "ID" => activity.id.into(),
        "OWNER_ID" => activity.owner.1.into(),
        "OWNER_TYPE_ID" => activity.owner.0.entity_type().into(),
        "TYPE_ID" => activity.type_id.into(),
        "STATUS" => status(activity).into(),
        "RESPONSIBLE_ID" => activity.responsible.into(),
        "PRIORITY" => activity.priority.into(),
        "DIRECTION" => activity.direction.into(),
        "AUTHOR_ID" => activity.author.into(),
        "EDITOR_ID" => activity.editor.into(),
        "COMPLETED" => flag(activity.completed),
        "START_TIME" => activity.starts_at.into(),
        "END_TIME" => activity.ends_at.into(),
        "DEADLINE" => activity.deadline_at.into(),
        "CREATED" => activity.created_at.into(),
        "LAST_UPDATED" => activity.updated_at.into(),
        "SUBJECT" => emoji::decode(&activity.subject).into(),
        "PROVIDER_ID" => activity.provider_id.as_str().into(),
        "PROVIDER_TYPE_ID" => activity.provider_type_id.as_str().into(),
        "LOCATION" => activity.location.as_str().into(),
        "ORIGINATOR_ID" => activity.originator_id.as_str().into(),
        "ORIGIN_ID" => activity.origin_id.as_str().into(),
        _ => Php::Null,
    }
}

fn flag(yes: bool) -> Php {
    if yes { "Y".into() } else { "N".into() }
}

/// 1 waiting, 2 completed.
fn status(activity: &Activity) -> i64 {
    if activity.completed { 2 } else { 1 }
}

/// Sorts by what is asked for, else by start [D: crm-activity-list]; unknown columns are dropped.
fn sort(rows: &mut [Activity], order: &Php) {
    let mut wanted: Vec<(&str, bool)> = order
        .entries()
        .iter()
        .filter(|(name, _)| form(name).is_some())
        .map(|(name, direction)| (name.as_str(), direction.text().eq_ignore_ascii_case("DESC")))
        .collect();
    if wanted.is_empty() {
        wanted.push(("START_TIME", false));
    }
    rows.sort_by(|a, b| {
        wanted.iter().fold(std::cmp::Ordering::Equal, |so_far, (name, descending)| {
            let form = form(name).unwrap_or(Form::Text);
            let ordering = filter::order(&column(a, name), &column(b, name), form);
            so_far.then(if *descending { ordering.reverse() } else { ordering })
        })
    });
}

/// What a row shows. Parties and files must be asked for by name.
struct Select {
    all: bool,
    names: Vec<String>,
}

impl Select {
    fn of(select: &Php) -> Select {
        let names: Vec<String> = select.values().map(Php::text).collect();
        Select { all: names.is_empty() || names.iter().any(|name| name == "*"), names }
    }

    fn names(&self, name: &str) -> bool {
        self.names.iter().any(|wanted| wanted == name)
    }
}

fn row(conn: &Connection, activity: &Activity, select: &Select) -> Result<Php, Fault> {
    let mut row = Vec::new();
    for &name in COLUMNS {
        if select.all || select.names(name) {
            row.push((name.to_owned(), shown(conn, activity, name)?));
        }
    }
    if select.names("COMMUNICATIONS") {
        row.push(("COMMUNICATIONS".to_owned(), communications(conn, activity)?));
    }
    if select.names("FILES") {
        row.push(("FILES".to_owned(), files(conn, activity)?));
    }
    Ok(Php::Array(row))
}

const COLUMNS: &[&str] = &[
    "ID",
    "OWNER_ID",
    "OWNER_TYPE_ID",
    "TYPE_ID",
    "PROVIDER_ID",
    "PROVIDER_TYPE_ID",
    "PROVIDER_GROUP_ID",
    "ASSOCIATED_ENTITY_ID",
    "SUBJECT",
    "START_TIME",
    "END_TIME",
    "DEADLINE",
    "COMPLETED",
    "STATUS",
    "RESPONSIBLE_ID",
    "PRIORITY",
    "NOTIFY_TYPE",
    "NOTIFY_VALUE",
    "DESCRIPTION",
    "DESCRIPTION_TYPE",
    "DIRECTION",
    "LOCATION",
    "CREATED",
    "AUTHOR_ID",
    "LAST_UPDATED",
    "EDITOR_ID",
    "SETTINGS",
    "ORIGIN_ID",
    "ORIGINATOR_ID",
    "ORIGIN_VERSION",
    "PROVIDER_PARAMS",
    "PROVIDER_DATA",
    "RESULT_STATUS",
    "RESULT_VALUE",
    "IS_INCOMING_CHANNEL",
];

/// A column as the old style writes it: numbers as texts.
fn shown(conn: &Connection, activity: &Activity, name: &str) -> rusqlite::Result<Php> {
    Ok(match name {
        "DESCRIPTION" => activity.text(conn)?.into(),
        "DESCRIPTION_TYPE" => activity.description_type.to_string().into(),
        "SETTINGS" => from_json(&activity.settings),
        "ORIGIN_VERSION" => activity.origin_version.as_str().into(),
        "PROVIDER_GROUP_ID" | "PROVIDER_DATA" => Php::Null,
        "PROVIDER_PARAMS" => Php::list([]),
        "ASSOCIATED_ENTITY_ID"
        | "NOTIFY_TYPE"
        | "NOTIFY_VALUE"
        | "RESULT_STATUS"
        | "RESULT_VALUE" => "0".into(),
        "IS_INCOMING_CHANNEL" => "N".into(),
        _ => match (form(name), column(activity, name)) {
            (Some(Form::Time), Php::Int(at)) => moment::write(at).into(),
            (Some(Form::Time), _) => "".into(),
            (_, Php::Int(number)) => number.to_string().into(),
            (_, value) => value,
        },
    })
}

fn communications(conn: &Connection, activity: &Activity) -> rusqlite::Result<Php> {
    let parties = activity.parties(conn)?.into_iter().map(|(id, party)| {
        Php::map([
            ("ID", id.to_string().into()),
            ("TYPE", party.type_id.into()),
            ("VALUE", party.value.into()),
            ("ENTITY_ID", party.card.1.to_string().into()),
            ("ENTITY_TYPE_ID", party.card.0.entity_type().to_string().into()),
            ("ENTITY_SETTINGS", Php::list([])),
        ])
    });
    Ok(Php::list(parties))
}

fn files(conn: &Connection, activity: &Activity) -> rusqlite::Result<Php> {
    let mut query =
        conn.prepare_cached("SELECT id FROM file WHERE activity_id = ?1 ORDER BY id")?;
    let files = query.query_map(params![activity.id], |row| {
        let id: i64 = row.get("id")?;
        Ok(Php::map([("id", id.into()), ("url", format!("/file/{id}").into())]))
    })?;
    Ok(Php::list(files.collect::<rusqlite::Result<Vec<_>>>()?))
}
