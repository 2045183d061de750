//! `crm.activity.binding.*`: which cards an activity stands on.

use super::activities::Activity;
use super::answer::{Answer, Fault};
use super::cards::{Card, Kind};
use super::php::Php;
use super::webhook::Call;

/// An activity is bound to this many cards at most.
const MAX_BINDINGS: usize = 100;

fn required(params: &Php, name: &str) -> Result<i64, Fault> {
    params.get(name).given().map(Php::int).ok_or_else(|| Fault::missing(name))
}

/// Found without asking for a right: only the cards are protected [observed].
fn activity(call: &Call<'_>, id: i64) -> Result<Activity, Fault> {
    let found = Activity::load(call.tx, id)?;
    found.ok_or_else(|| Fault::coded("NOT_FOUND", "Activity not found"))
}

fn card(call: &Call<'_>, entity_type: i64, id: i64) -> Result<Card, Fault> {
    let found = match Kind::of(entity_type) {
        Some(kind) => Card::load(call.tx, kind, id)?,
        None => None,
    };
    found.ok_or_else(|| Fault::coded("OWNER_NOT_FOUND", "Owner was not found"))
}

pub(super) fn list(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let activity = activity(call, required(params, "activityId")?)?;
    let mut readable = Vec::new();
    for (kind, id) in activity.bindings(call.tx)? {
        if call.may_read_card(kind, id)? {
            readable.push(Php::map([
                ("entityTypeId", kind.entity_type().into()),
                ("entityId", id.into()),
            ]));
        }
    }
    Ok(Answer::of(Php::list(readable)))
}

pub(super) fn add(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let id = required(params, "activityId")?;
    let (entity_type, entity) = (required(params, "entityTypeId")?, required(params, "entityId")?);
    let mut activity = activity(call, id)?;
    let target = card(call, entity_type, entity)?;
    if !call.may_update(&target)? {
        return Err(Fault::access_denied());
    }
    let bindings = activity.bindings(call.tx)?;
    if bindings.contains(&(target.kind, target.id)) {
        return Err(already_bound());
    }
    if bindings.len() >= MAX_BINDINGS {
        let text = "The maximum number of bindings is reached";
        return Err(Fault::coded("TOO_MANY_BINDINGS", text));
    }
    activity.updated_at = call.now;
    activity.bind(call.tx, (target.kind, target.id))?;
    activity.store(call.tx)?;
    Ok(Answer::of(true))
}

pub(super) fn delete(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let id = required(params, "activityId")?;
    let (entity_type, entity) = (required(params, "entityTypeId")?, required(params, "entityId")?);
    let mut activity = activity(call, id)?;
    // A card that is gone has taken its bindings with it; this method knows no other word for it.
    let Some(kind) = Kind::of(entity_type) else { return Err(not_bound()) };
    let Some(source) = Card::load(call.tx, kind, entity)? else { return Err(not_bound()) };
    if !call.may_update(&source)? {
        return Err(Fault::access_denied());
    }
    let bindings = activity.bindings(call.tx)?;
    if !bindings.contains(&(source.kind, source.id)) {
        return Err(not_bound());
    }
    if bindings.len() == 1 {
        let text = "The last binding of an activity cannot be deleted";
        return Err(Fault::coded("LAST_BINDING_CANNOT_BE_DELETED", text));
    }
    activity.unbind(call.tx, (source.kind, source.id))?;
    find_owner(call, &mut activity)?;
    Ok(Answer::of(true))
}

/// Moves an activity between two cards of one kind. The order of the checks is the portal's [observed]:
/// numbers are compared before kinds, so that lead 5 to deal 5 is "equal".
pub(super) fn move_binding(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let id = required(params, "activityId")?;
    let source_type = required(params, "sourceEntityTypeId")?;
    let source_id = required(params, "sourceEntityId")?;
    let target_type = required(params, "targetEntityTypeId")?;
    let target_id = required(params, "targetEntityId")?;
    let mut activity = activity(call, id)?;
    let source = card(call, source_type, source_id)?;
    let target = card(call, target_type, target_id)?;
    if !call.may_update(&source)? || !call.may_update(&target)? {
        return Err(Fault::access_denied());
    }
    if source_id == target_id {
        let text = "Source and target entity ids are equal";
        return Err(Fault::coded("SOURCE_AND_TARGET_ENTITY_ID_ARE_EQUAL_ERROR", text));
    }
    if source_type != target_type {
        let text = "Source and target entity types are not equal";
        return Err(Fault::coded("SOURCE_AND_TARGET_ENTITY_TYPES_ARE_NOT_EQUAL_ERROR", text));
    }
    let bindings = activity.bindings(call.tx)?;
    if bindings.contains(&(target.kind, target.id)) {
        return Err(already_bound());
    }
    if !bindings.contains(&(source.kind, source.id)) {
        return Err(not_bound());
    }
    activity.updated_at = call.now;
    activity.unbind(call.tx, (source.kind, source.id))?;
    activity.bind(call.tx, (target.kind, target.id))?;
    find_owner(call, &mut activity)?;
    Ok(Answer::of(true))
}

/// The owner is the last binding that is neither contact nor company, else the last [observed].
fn find_owner(call: &Call<'_>, activity: &mut Activity) -> Result<(), Fault> {
    let bindings = activity.bindings(call.tx)?;
    let own = bindings.iter().rev().find(|(kind, _)| match kind {
        Kind::Lead | Kind::Deal => true,
        Kind::Contact | Kind::Company => false,
    });
    if let Some(owner) = own.or(bindings.last()) {
        activity.owner = *owner;
    }
    activity.updated_at = call.now;
    activity.store(call.tx)?;
    Ok(())
}

fn already_bound() -> Fault {
    Fault::coded("ACTIVITY_IS_ALREADY_BOUND", "The activity is already bound to this item")
}

fn not_bound() -> Fault {
    Fault::coded("BINDING_NOT_FOUND", "The activity is not bound to this item")
}
