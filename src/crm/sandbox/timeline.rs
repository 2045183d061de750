//! What else hangs on a card or goes to an employee: comments, to-dos, notifications.

use rusqlite::params;

use super::activities::{Activity, PROVIDER, TODO};
use super::activity_write::uploaded;
use super::answer::{Answer, Fault};
use super::cards::{Card, Kind, note_activity};
use super::emoji;
use super::moment;
use super::php::Php;
use super::webhook::Call;

/// `crm.timeline.comment.add`.
pub(super) fn add_comment(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let fields = params.get("fields");
    if !fields.is_array() {
        return Err(Fault::missing("fields"));
    }
    let text = fields.get("COMMENT").text();
    if text.trim().is_empty() {
        return Err(Fault::worded("Empty comment message."));
    }
    let kind = Kind::by_symbol(fields.get("ENTITY_TYPE").text().trim());
    let id = fields.get("ENTITY_ID").int();
    let found = kind.map(|kind| Card::load(call.tx, kind, id)).transpose()?.flatten();
    let Some(card) = found else {
        return Err(Fault::worded("Incorrect entity ID or type."));
    };
    if !call.may_update(&card)? {
        return Err(Fault::worded("Access denied."));
    }
    let comment: i64 = call.tx.query_row(
        "INSERT INTO comment (kind, card_id, text, author, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
        params![card.kind.entity_type(), card.id, text, call.caller.employee, call.now],
        |row| row.get("id"),
    )?;
    for (name, bytes) in fields.get("FILES").values().filter_map(uploaded) {
        call.tx.execute(
            "INSERT INTO file (comment_id, name, bytes) VALUES (?1, ?2, ?3)",
            params![comment, name, bytes],
        )?;
    }
    note_activity(call.tx, (card.kind, card.id), call.now)?;
    Ok(Answer::of(comment))
}

/// `crm.activity.todo.add`: the one activity whose deadline can be given.
pub(super) fn add_todo(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    for name in ["ownerTypeId", "ownerId", "deadline"] {
        if params.get(name).is_null() {
            return Err(Fault::missing(name));
        }
    }
    let found = match Kind::of(params.get("ownerTypeId").int()) {
        Some(kind) => Card::load(call.tx, kind, params.get("ownerId").int())?,
        None => None,
    };
    let Some(owner) = found else {
        return Err(Fault::coded("OWNER_NOT_FOUND", "Owner was not found"));
    };
    if !call.may_update(&owner)? {
        return Err(Fault::access_denied());
    }
    // An activity that the to-do is about must be there.
    let parent = params.get("parentActivityId").int();
    if parent > 0 && Activity::load(call.tx, parent)?.is_none() {
        return Err(Fault::coded("NOT_FOUND", "Activity was not found"));
    }
    let Some(deadline) = moment::read(&params.get("deadline").text()) else {
        return Err(Fault::coded("WRONG_DATETIME_FORMAT", "Wrong datetime format"));
    };
    let title = params.get("title").text();
    let title = if title.trim().is_empty() { "To-do".to_owned() } else { title };
    let responsible = params.get("responsibleId").int();
    let mut todo = Activity {
        id: 0,
        owner: (owner.kind, owner.id),
        type_id: PROVIDER,
        provider_id: TODO.to_owned(),
        provider_type_id: "TODO".to_owned(),
        direction: 0,
        completed: false,
        completed_at: None,
        priority: 2,
        subject: emoji::encode(&title),
        description_type: 1,
        responsible: if responsible > 0 { responsible } else { call.caller.employee },
        author: call.caller.employee,
        editor: call.caller.employee,
        starts_at: Some(deadline),
        ends_at: Some(deadline),
        deadline_at: deadline,
        created_at: call.now,
        updated_at: call.now,
        location: String::new(),
        originator_id: String::new(),
        origin_id: String::new(),
        origin_version: String::new(),
        settings: "[]".to_owned(),
    };
    todo.insert(call.tx)?;
    todo.bind(call.tx, todo.owner)?;
    let description = params.get("description").text();
    if !description.is_empty() {
        todo.set_text(call.tx, &description)?;
    }
    Ok(Answer::of(Php::map([("id", todo.id.into())])))
}

/// `im.notify.personal.add`.
pub(super) fn notify(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let employee = params.get("USER_ID").int();
    if employee <= 0 {
        return Err(Fault::coded("USER_ID_EMPTY", "User ID can't be empty"));
    }
    let message = params.get("MESSAGE").text();
    if message.trim().is_empty() {
        return Err(Fault::coded("MESSAGE_EMPTY", "Message can't be empty"));
    }
    // A webhook has no application id of its own that could set its tags apart.
    let tagged = ["TAG", "SUB_TAG"].iter().any(|name| !params.get(name).text().is_empty());
    if tagged && params.get("CLIENT_ID").text().is_empty() {
        return Err(Fault::coded("CLIENT_ID_EMPTY", "Client ID can't be empty"));
    }
    let id: i64 = call.tx.query_row(
        "INSERT INTO notification (employee, author, message, created_at)
         VALUES (?1, ?2, ?3, ?4) RETURNING id",
        params![employee, call.caller.employee, message, call.now],
        |row| row.get("id"),
    )?;
    Ok(Answer::of(id))
}
