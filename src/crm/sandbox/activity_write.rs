//! `crm.activity.add` and `.update`: the checks and their words, and the mail that must not be sent.

use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use rusqlite::params;

use super::activities::{Activity, CALL, EMAIL, MEETING, OUTGOING, PROVIDER, Party};
use super::answer::{Answer, Fault};
use super::cards::{Card, Kind, as_json};
use super::emoji;
use super::moment;
use super::php::Php;
use super::webhook::Call;

/// The width of SUBJECT, counted with emoji as codes [observed].
const SUBJECT_LIMIT: usize = 512;
/// The width of ORIGINATOR_ID, ORIGIN_ID and ORIGIN_VERSION.
const ORIGIN_LIMIT: usize = 255;
/// SETTINGS is a TEXT column of MySQL, in bytes.
const SETTINGS_LIMIT: usize = 65_535;

/// What the cloud puts under every text that comes with an add, incoming mail's too [observed].
const SIGNATURE: &str = "Sent from Bitrix24";

/// `crm.activity.add`.
pub(super) fn add(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let fields = params.either("fields");
    if !fields.is_array() {
        return Err(Fault::worded("Parameter 'fields' must be array."));
    }
    let owner = owner(fields)?;
    let owner_card = owner.map(|(kind, id)| Card::load(call.tx, kind, id)).transpose()?.flatten();
    let type_id = type_id(fields)?;
    let subject = subject(fields)?;
    let parties = parties(call, fields, type_id, owner)?;
    let Some(owner) = owner else {
        let text = "Could not build binding. Please ensure that owner info and communications are \
                    defined correctly.";
        return Err(Fault::worded(text));
    };
    let Some(owner_card) = owner_card else {
        return Err(not_found(owner));
    };
    let mut bindings = vec![owner];
    bindings.extend(parties.iter().map(|party| party.card));
    for (kind, id) in &bindings {
        if !call.may_update_card(*kind, *id)? {
            return Err(Fault::worded("Access denied."));
        }
    }
    let completed = fields.get("COMPLETED").flag();
    let (provider_id, provider_type_id) = provider(fields, type_id);
    let responsible = match fields.get("RESPONSIBLE_ID").int() {
        given if given > 0 => given,
        _ if owner_card.responsible() > 0 => owner_card.responsible(),
        _ => call.caller.employee,
    };
    let mut activity = Activity {
        id: 0,
        owner,
        type_id,
        provider_id,
        provider_type_id,
        direction: fields.get("DIRECTION").int(),
        completed,
        completed_at: completed.then_some(call.now),
        priority: 2,
        subject,
        description_type: 1,
        responsible,
        author: call.caller.employee,
        editor: call.caller.employee,
        starts_at: None,
        ends_at: None,
        deadline_at: moment::FAR_FUTURE,
        created_at: call.now,
        updated_at: call.now,
        location: String::new(),
        originator_id: String::new(),
        origin_id: String::new(),
        origin_version: String::new(),
        settings: "[]".to_owned(),
    };
    take_plain(&mut activity, fields)?;
    activity.insert(call.tx)?;
    for card in bindings {
        activity.bind(call.tx, card)?;
    }
    activity.set_parties(call.tx, &parties)?;
    let text = fields.get("DESCRIPTION").text();
    if !text.is_empty() {
        let parting = if activity.description_type == 3 { "<br><br>" } else { "\n\n" };
        activity.set_text(call.tx, &format!("{text}{parting}{SIGNATURE}"))?;
    }
    write_files(call, &activity, fields)?;
    if sends(fields, type_id) {
        let recipients = Php::list(parties.iter().map(|party| party.value.as_str().into()));
        call.tx.execute(
            "INSERT INTO sent_mail (activity_id, recipients, sent_at) VALUES (?1, ?2, ?3)",
            params![activity.id, as_json(&recipients)?, call.now],
        )?;
    }
    Ok(Answer::of(activity.id))
}

/// Whether a real portal would send this mail to its recipients [D: how-to-send-email].
///
/// The letter decides: `true` and `1` make it completed without sending it [observed].
fn sends(fields: &Php, type_id: i64) -> bool {
    let completed = match fields.get("COMPLETED") {
        Php::Text(text) => text.to_uppercase() == "Y",
        Php::Null | Php::Bool(_) | Php::Int(_) | Php::Float(_) | Php::Array(_) => false,
    };
    type_id == EMAIL && fields.get("DIRECTION").int() == OUTGOING && completed
}

/// `crm.activity.update`. It never sends anything, whatever it completes.
pub(super) fn update(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let Some(mut activity) = Activity::load(call.tx, params.either("id").int())? else {
        return Err(Fault::worded("Activity is not found."));
    };
    let fields = params.either("fields");
    if !fields.is_array() {
        return Err(Fault::worded("Parameter 'fields' must be array."));
    }
    if !call.may_update_card(activity.owner.0, activity.owner.1)? {
        return Err(Fault::worded("Access denied."));
    }
    if !fields.get("SUBJECT").is_null() {
        activity.subject = subject(fields)?;
    }
    if !fields.get("RESPONSIBLE_ID").is_null() {
        activity.responsible = fields.get("RESPONSIBLE_ID").int();
        if activity.responsible <= 0 {
            let text = "The field RESPONSIBLE_ID is not defined or invalid.";
            return Err(Fault::worded(text));
        }
    }
    if !fields.get("DIRECTION").is_null() {
        activity.direction = fields.get("DIRECTION").int();
    }
    if !fields.get("COMPLETED").is_null() {
        let completed = fields.get("COMPLETED").flag();
        if completed != activity.completed {
            activity.completed_at = completed.then_some(call.now);
        }
        activity.completed = completed;
    }
    take_plain(&mut activity, fields)?;
    if !fields.get("COMMUNICATIONS").is_null() {
        let parties = parties(call, fields, activity.type_id, Some(activity.owner))?;
        // Bindings are made anew from owner and parties; those added by hand are lost [observed].
        activity.unbind_all(call.tx)?;
        activity.bind(call.tx, activity.owner)?;
        for party in &parties {
            if !call.may_update_card(party.card.0, party.card.1)? {
                return Err(Fault::worded("Access denied."));
            }
            activity.bind(call.tx, party.card)?;
        }
        activity.set_parties(call.tx, &parties)?;
    }
    let text = fields.get("DESCRIPTION");
    if !text.is_null() {
        activity.set_text(call.tx, &text.text())?;
    }
    write_files(call, &activity, fields)?;
    activity.updated_at = call.now;
    activity.store(call.tx)?;
    Ok(Answer::of(true))
}

/// The fields that add and update treat alike.
fn take_plain(activity: &mut Activity, fields: &Php) -> Result<(), Fault> {
    let description_type = fields.get("DESCRIPTION_TYPE").int();
    if (1..=3).contains(&description_type) {
        activity.description_type = description_type;
    }
    let priority = fields.get("PRIORITY").int();
    if (1..=3).contains(&priority) {
        activity.priority = priority;
    }
    if !fields.get("LOCATION").is_null() {
        activity.location = fields.get("LOCATION").text();
    }
    if let Some(originator) = origin(fields, "ORIGINATOR_ID")? {
        activity.originator_id = originator;
    }
    if let Some(origin) = origin(fields, "ORIGIN_ID")? {
        activity.origin_id = origin;
    }
    if let Some(version) = origin(fields, "ORIGIN_VERSION")? {
        activity.origin_version = version;
    }
    let settings = fields.get("SETTINGS");
    if settings.is_array() {
        activity.settings = as_json(settings)?;
        if activity.settings.len() > SETTINGS_LIMIT {
            return Err(Fault::worded("The field SETTINGS is too long."));
        }
    }
    take_times(activity, fields);
    Ok(())
}

fn origin(fields: &Php, name: &str) -> Result<Option<String>, Fault> {
    if fields.get(name).is_null() {
        return Ok(None);
    }
    let text = fields.get(name).text();
    if text.chars().count() > ORIGIN_LIMIT {
        return Err(Fault::worded(format!("The field {name} is too long.")));
    }
    Ok(Some(text))
}

/// A deadline is never given: an e-mail's is its end, a meeting's or call's its start [observed].
fn take_times(activity: &mut Activity, fields: &Php) {
    let (start, end) = (fields.get("START_TIME"), fields.get("END_TIME"));
    if start.is_null() && end.is_null() {
        return;
    }
    if !start.is_null() {
        activity.starts_at = moment::read(&start.text());
    }
    if !end.is_null() {
        activity.ends_at = moment::read(&end.text());
    }
    let (starts_at, ends_at) = (activity.starts_at, activity.ends_at);
    activity.starts_at = starts_at.or(ends_at);
    activity.ends_at = ends_at.or(starts_at);
    let deadline = match activity.type_id {
        EMAIL => activity.ends_at,
        _ => activity.starts_at,
    };
    activity.deadline_at = deadline.unwrap_or(moment::FAR_FUTURE);
}

fn owner(fields: &Php) -> Result<Option<(Kind, i64)>, Fault> {
    let (entity_type, id) = (fields.get("OWNER_TYPE_ID").int(), fields.get("OWNER_ID").int());
    if entity_type <= 0 || id <= 0 {
        return Ok(None);
    }
    Kind::of(entity_type).map(|kind| Some((kind, id))).ok_or_else(|| unsupported_type(entity_type))
}

fn unsupported_type(entity_type: i64) -> Fault {
    let text = format!("Entity type '{entity_type}' is not supported in current context");
    Fault::worded(text)
}

fn not_found((kind, id): (Kind, i64)) -> Fault {
    Fault::worded(format!("Could not find '{}' with ID: {id}", kind.symbol()))
}

fn type_id(fields: &Php) -> Result<i64, Fault> {
    let given = fields.get("TYPE_ID");
    // A provider without a type makes the activity a provider's, whatever the provider [observed].
    if given.is_null() && !fields.get("PROVIDER_ID").text().is_empty() {
        return Ok(PROVIDER);
    }
    match given.int() {
        known @ (MEETING | CALL | EMAIL | PROVIDER) => Ok(known),
        // 3 is a task and 5 its like: they exist, and come about in another way.
        3 | 5 => {
            let name = if given.int() == 3 { "TASK" } else { "ACTIVITY_PROVIDER" };
            let text = format!("The activity type \"{name}\" is not supported in current context.");
            Err(Fault::worded(text))
        }
        _ => Err(Fault::worded("The field TYPE_ID is not defined or invalid.")),
    }
}

fn provider(fields: &Php, type_id: i64) -> (String, String) {
    match type_id {
        EMAIL => ("CRM_EMAIL".to_owned(), "EMAIL".to_owned()),
        MEETING => ("CRM_MEETING".to_owned(), "MEETING".to_owned()),
        CALL => ("VOXIMPLANT_CALL".to_owned(), "CALL".to_owned()),
        _ => (fields.get("PROVIDER_ID").text(), fields.get("PROVIDER_TYPE_ID").text()),
    }
}

fn subject(fields: &Php) -> Result<String, Fault> {
    let subject = fields.get("SUBJECT").text();
    if subject.trim().is_empty() {
        return Err(Fault::worded("The field SUBJECT is not defined or empty."));
    }
    let encoded = emoji::encode(&subject);
    if encoded.chars().count() > SUBJECT_LIMIT {
        return Err(Fault::worded("The field SUBJECT is too long."));
    }
    Ok(encoded)
}

/// The parties that can be used. One without a card is the owner's; one without a value is dropped.
fn parties(
    call: &Call<'_>,
    fields: &Php,
    type_id: i64,
    owner: Option<(Kind, i64)>,
) -> Result<Vec<Party>, Fault> {
    let wanted = match type_id {
        EMAIL => Some("EMAIL"),
        CALL => Some("PHONE"),
        _ => None,
    };
    let mut parties = Vec::new();
    for element in fields.get("COMMUNICATIONS").values() {
        let value = element.get("VALUE").text().trim().to_owned();
        let given = element.get("TYPE").text().to_ascii_uppercase();
        let fits = given.is_empty() || wanted.is_none_or(|wanted| wanted == given);
        if value.is_empty() || !fits {
            continue;
        }
        let entity_type = element.get("ENTITY_TYPE_ID").int();
        let id = element.get("ENTITY_ID").int();
        let card = match (entity_type, id, owner) {
            (1.., 1.., _) => {
                let kind = Kind::of(entity_type).ok_or_else(|| unsupported_type(entity_type))?;
                (kind, id)
            }
            (_, _, Some(owner)) => owner,
            (_, _, None) => continue,
        };
        if Card::load(call.tx, card.0, card.1)?.is_none() {
            return Err(not_found(card));
        }
        let type_id = wanted.map_or(given, str::to_owned);
        parties.push(Party { type_id, value, card });
    }
    if parties.is_empty() && type_id != PROVIDER {
        return Err(Fault::worded("The field COMMUNICATIONS is not defined or invalid."));
    }
    Ok(parties)
}

/// Stores the files of a call in the place of those that were there.
fn write_files(call: &Call<'_>, activity: &Activity, fields: &Php) -> Result<(), Fault> {
    // The second name is the old one.
    let files = fields.get("FILES").given().unwrap_or(fields.get("WEBDAV_ELEMENTS"));
    if !files.is_array() {
        return Ok(());
    }
    call.tx.execute("DELETE FROM file WHERE activity_id = ?1", params![activity.id])?;
    for element in files.values() {
        let Some((name, bytes)) = uploaded(element.get("fileData")) else { continue };
        call.tx
            .prepare_cached("INSERT INTO file (activity_id, name, bytes) VALUES (?1, ?2, ?3)")?
            .execute(params![activity.id, name, bytes])?;
    }
    Ok(())
}

/// Name and content of `["name", "base64"]`; `None` for anything else.
pub(super) fn uploaded(file: &Php) -> Option<(String, Vec<u8>)> {
    let name = file.get("0").text();
    let Php::Text(content) = file.get("1") else { return None };
    if name.trim().is_empty() {
        return None;
    }
    Some((name, base64_decode(content)))
}

/// `base64_decode` as it is by default: what is not of the alphabet is passed over.
fn base64_decode(text: &str) -> Vec<u8> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    if let Ok(bytes) = LENIENT.decode(text) {
        return bytes;
    }
    let kept: String =
        text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/')).collect();
    LENIENT.decode(kept).unwrap_or_default()
}
