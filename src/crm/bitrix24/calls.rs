//! Writes what is asked of Bitrix24. Pure.
//!
//! What carries text from a mail is a call of its own, in JSON; only look-ups by number, hash and plain address
//! have a form for a batch (see `batch`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::card::{CardKind, CardRef};
use crate::crm::{ActivityContent, ActivityDraft, Communication, Made};
use crate::rules::Direction;

use super::answers::{entity_name, entity_type};
use super::batch::{Command, PlainAddress, Word};
use super::{limits, todos};

/// The kinds of cards that bear addresses, in the order in which they are asked for.
pub const WITH_ADDRESS: [CardKind; 3] = [CardKind::Lead, CardKind::Contact, CardKind::Company];

/// Rows on a page of Bitrix24.
pub const PAGE: usize = 50;

/// The deadline of an open activity is its END_TIME, which is START_TIME where none is given: overdue
/// from the beginning. The portal's own word for none is this day, whatever its time zone.
const NO_DEADLINE: &str = "9999-12-31T12:00:00+00:00";

const CARD_FIELDS: [&str; 9] = [
    "id",
    "assignedById",
    "updatedTime",
    "stageId",
    "stageSemanticId",
    "closed",
    "contactId",
    "companyId",
    "leadId",
];

/// The fields of [`CARD_FIELDS`] that a kind has; wrong ones might be refused one day.
fn card_fields(kind: CardKind) -> &'static [&'static str] {
    match kind {
        CardKind::Deal => &CARD_FIELDS,
        CardKind::Lead => &[
            "id",
            "assignedById",
            "updatedTime",
            "stageId",
            "stageSemanticId",
            "contactId",
            "companyId",
        ],
        CardKind::Contact | CardKind::Company => &["id", "assignedById", "updatedTime"],
    }
}

/// Numbers of the cards of a kind that bear an address.
///
/// One kind a call: with 20 hits of one kind the later kinds would be cut off.
pub fn find_by_address(kind: CardKind, address: &PlainAddress) -> Command {
    Command::new("crm.duplicate.findbycomm")
        .fixed("type", "EMAIL")
        .address("values[]", address)
        .fixed("entity_type", entity_name(kind))
}

/// The same for an address that may not stand in a batch.
pub fn find_by_odd_address(kind: CardKind, address: &str) -> (&'static str, Value) {
    let body = json!({ "type": "EMAIL", "values": [address], "entity_type": entity_name(kind) });
    ("crm.duplicate.findbycomm", body)
}

/// Up to [`PAGE`] cards of one kind.
pub fn cards(kind: CardKind, ids: &[u64]) -> Command {
    let command = Command::new("crm.item.list").number("entityTypeId", entity_type(kind));
    ids.iter()
        .fold(command, |command, id| command.number("filter[@id][]", *id))
        .all("select[]", card_fields(kind))
        .fixed("order[id]", "ASC")
        .fixed("start", "-1")
}

pub fn card(card: CardRef) -> Command {
    Command::new("crm.item.get")
        .number("entityTypeId", entity_type(card.kind))
        .number("id", card.id)
}

/// The deals in process of a contact or company, the last changed first; at most a page of them.
pub fn open_deals(client: CardRef) -> Command {
    let key = match client.kind {
        CardKind::Company => "filter[companyId]",
        CardKind::Contact | CardKind::Lead | CardKind::Deal => "filter[contactId]",
    };
    Command::new("crm.item.list")
        .number("entityTypeId", entity_type(CardKind::Deal))
        .number(key, client.id)
        .fixed("filter[stageSemanticId]", "P")
        .all("select[]", card_fields(CardKind::Deal))
        .fixed("order[updatedTime]", "DESC")
        .fixed("order[id]", "DESC")
        .fixed("start", "-1")
}

/// The deals that a converted lead became.
pub fn deals_of_lead(lead: u64) -> Command {
    Command::new("crm.item.list")
        .number("entityTypeId", entity_type(CardKind::Deal))
        .number("filter[leadId]", lead)
        .all("select[]", card_fields(CardKind::Deal))
        .fixed("order[id]", "ASC")
        .fixed("start", "-1")
}

const MADE_CARD: [&str; 6] =
    ["id", "assignedById", "stageId", "stageSemanticId", "originatorId", "originId"];
const MADE_ACTIVITY: [&str; 8] = [
    "ID",
    "OWNER_TYPE_ID",
    "OWNER_ID",
    "RESPONSIBLE_ID",
    "COMPLETED",
    "DESCRIPTION",
    "ORIGINATOR_ID",
    "ORIGIN_ID",
];

/// What was made under an origin id.
pub fn made(made: Made, originator: &Word, origin: &Word) -> Command {
    match made {
        Made::Card(kind) => Command::new("crm.item.list")
            .number("entityTypeId", entity_type(kind))
            .word("filter[originatorId]", originator)
            .word("filter[originId]", origin)
            .all("select[]", made_card_fields(kind))
            .fixed("order[id]", "ASC")
            .fixed("start", "-1"),
        Made::Activity => Command::new("crm.activity.list")
            .word("filter[ORIGINATOR_ID]", originator)
            .word("filter[ORIGIN_ID]", origin)
            .all("select[]", &MADE_ACTIVITY)
            .fixed("order[ID]", "ASC")
            .fixed("start", "-1"),
        Made::Todo(owner) => todos::page(owner, 0),
    }
}

fn made_card_fields(kind: CardKind) -> &'static [&'static str] {
    match kind {
        CardKind::Lead | CardKind::Deal => &MADE_CARD,
        CardKind::Contact | CardKind::Company => {
            &["id", "assignedById", "originatorId", "originId"]
        }
    }
}

/// The same for an originator that may not stand in a batch.
pub fn made_by_odd_originator(made: Made, originator: &str, origin: &str) -> (&'static str, Value) {
    match made {
        Made::Card(kind) => (
            "crm.item.list",
            json!({
                "entityTypeId": entity_type(kind),
                "filter": { "originatorId": originator, "originId": origin },
                "select": made_card_fields(kind),
                "order": { "id": "ASC" },
                "start": -1,
            }),
        ),
        Made::Activity => (
            "crm.activity.list",
            json!({
                "filter": { "ORIGINATOR_ID": originator, "ORIGIN_ID": origin },
                "select": MADE_ACTIVITY,
                "order": { "ID": "ASC" },
                "start": -1,
            }),
        ),
        Made::Todo(owner) => todos::page_alone(owner, 0),
    }
}

/// Up to [`PAGE`] activities with their parties, whoever made them.
pub fn activities(ids: &[u64]) -> Command {
    ids.iter()
        .fold(Command::new("crm.activity.list"), |command, id| command.number("filter[@ID][]", *id))
        .all("select[]", &ACTIVITY_NOW)
        .fixed("order[ID]", "ASC")
        .fixed("start", "-1")
}

const ACTIVITY_NOW: [&str; 6] =
    // Parties come only where they are asked for by name.
    ["ID", "OWNER_TYPE_ID", "OWNER_ID", "RESPONSIBLE_ID", "COMPLETED", "COMMUNICATIONS"];

/// The next [`PAGE`] things that bear our originator; `None` for what bears none. No call for a batch: an originator
/// may be any text.
pub fn ours(made: Made, originator: &str, after: u64) -> Option<(&'static str, Value)> {
    match made {
        Made::Card(kind) => Some((
            "crm.item.list",
            json!({
                "entityTypeId": entity_type(kind),
                "filter": { "originatorId": originator, ">id": after },
                "select": ["id", "originatorId", "originId"],
                "order": { "id": "ASC" },
                "start": -1,
            }),
        )),
        Made::Activity => Some((
            "crm.activity.list",
            json!({
                "filter": { "ORIGINATOR_ID": originator, ">ID": after },
                "select": ["ID", "ORIGINATOR_ID", "ORIGIN_ID"],
                "order": { "ID": "ASC" },
                "start": -1,
            }),
        )),
        Made::Todo(_) => None,
    }
}

/// One page of employees.
pub fn employees(start: u64) -> (&'static str, Value) {
    let body = json!({
        "FILTER": { "USER_TYPE": "employee" },
        "sort": "ID",
        "order": "ASC",
        "start": start,
    });
    ("user.get", body)
}

/// Adds an e-mail activity: always open, and without a text.
///
/// COMPLETED "Y" here would make Bitrix24 send an outgoing mail again, and in the cloud a text would get a
/// signature. Both follow in [`write_activity`].
pub fn add_activity(draft: &ActivityDraft, originator: &str) -> (&'static str, Value) {
    let meta = limits::meta(&draft.meta);
    let mut settings = json!({
        "EMAIL_META": {
            "__email": meta.mailbox,
            "from": meta.from,
            "replyTo": meta.reply_to,
            "to": meta.to,
            "cc": meta.cc,
            "bcc": meta.bcc,
        },
        "SANITIZE_ON_VIEW": 1,
    });
    if let (Some(id), Some(settings)) = (&draft.message_id, settings.as_object_mut()) {
        settings.insert("MESSAGE_HEADERS".to_owned(), json!({ "Message-Id": bracketed(id) }));
    }
    let body = json!({ "fields": {
        "OWNER_TYPE_ID": entity_type(draft.owner.kind),
        "OWNER_ID": draft.owner.id,
        "TYPE_ID": 4,
        "DIRECTION": match draft.direction {
            Direction::Incoming => 1,
            Direction::Outgoing => 2,
        },
        "COMPLETED": "N",
        "PRIORITY": 2,
        "SUBJECT": limits::first_text([limits::subject(&draft.subject), "…".to_owned()]),
        "START_TIME": iso_time(draft.starts_at),
        "END_TIME": match (draft.ends_at, draft.direction) {
            (Some(at), _) => iso_time(at),
            (None, Direction::Incoming) => NO_DEADLINE.to_owned(),
            (None, Direction::Outgoing) => iso_time(draft.starts_at),
        },
        "RESPONSIBLE_ID": draft.responsible,
        "COMMUNICATIONS": draft.communications.iter().map(communication).collect::<Vec<_>>(),
        "ORIGINATOR_ID": originator,
        "ORIGIN_ID": draft.origin.0,
        "SETTINGS": settings,
    }});
    ("crm.activity.add", body)
}

fn communication(party: &Communication) -> Value {
    let email = limits::one_line(&party.email);
    match party.card {
        Some(card) => json!({
            "TYPE": "EMAIL",
            "VALUE": email,
            "ENTITY_TYPE_ID": entity_type(card.kind),
            "ENTITY_ID": card.id,
        }),
        None => json!({ "TYPE": "EMAIL", "VALUE": email }),
    }
}

fn bracketed(message_id: &str) -> String {
    let bare = limits::one_line(message_id);
    let bare = bare.trim_start_matches('<').trim_end_matches('>');
    format!("<{}>", limits::cut(bare, 250))
}

/// ISO 8601 with offset. Before 1970 and beyond what can be written: the nearest that can.
pub(super) fn iso_time(unix_seconds: i64) -> String {
    let last = jiff::Timestamp::MAX;
    let time = jiff::Timestamp::from_second(unix_seconds.clamp(0, last.as_second()));
    time.unwrap_or(last).strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Puts text, files and completion into an activity, in one call: a second call with files might replace those
/// of the first.
///
/// COMMUNICATIONS never stand here: they would drop bindings made since. The body is written by hand, so that
/// the files are held twice at most: as they are, and here as Base64.
pub fn write_activity(activity: u64, content: &ActivityContent) -> (&'static str, String) {
    let names: Vec<String> =
        content.files.iter().map(|file| json!(limits::file_name(&file.name)).to_string()).collect();
    let files: usize = content.files.iter().map(|file| file.bytes.len().div_ceil(3) * 4 + 20).sum();
    let text = json!(limits::clean(&content.text)).to_string();
    let names_length: usize = names.iter().map(String::len).sum();
    let mut body = String::with_capacity(text.len() + names_length + files + 200);
    body.push_str(&format!("{{\"id\":{activity},\"fields\":{{\"DESCRIPTION\":{text}"));
    body.push_str(",\"DESCRIPTION_TYPE\":1");
    if content.completed {
        body.push_str(",\"COMPLETED\":\"Y\"");
    }
    if !content.files.is_empty() {
        body.push_str(",\"FILES\":[");
        for (at, (name, file)) in names.iter().zip(&content.files).enumerate() {
            if at > 0 {
                body.push(',');
            }
            body.push_str("{\"fileData\":[");
            body.push_str(name);
            body.push_str(",\"");
            STANDARD.encode_string(&file.bytes, &mut body);
            body.push_str("\"]}");
        }
        body.push(']');
    }
    body.push_str("}}");
    ("crm.activity.update", body)
}

pub fn complete_activity(activity: u64) -> (&'static str, Value) {
    ("crm.activity.update", json!({ "id": activity, "fields": { "COMPLETED": "Y" } }))
}

/// One activity by its number. The row's number is compared: a dropped filter gives any row.
pub fn activity(activity: u64) -> (&'static str, Value) {
    let select = ["ID", "OWNER_TYPE_ID", "OWNER_ID", "RESPONSIBLE_ID", "COMPLETED"];
    ("crm.activity.list", json!({ "filter": { "ID": activity }, "select": select }))
}

/// The cards an activity is bound to, as far as they may be read.
pub fn bindings(activity: u64) -> (&'static str, Value) {
    ("crm.activity.binding.list", json!({ "activityId": activity }))
}

pub fn bind_activity(activity: u64, card: CardRef) -> (&'static str, Value) {
    let body = json!({
        "activityId": activity,
        "entityTypeId": entity_type(card.kind),
        "entityId": card.id,
    });
    ("crm.activity.binding.add", body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
    use super::*;
    use crate::crm::bitrix24::gate;
    use crate::crm::{EmailMeta, File, OriginId};
    use proptest::prelude::*;

    fn activity() -> ActivityDraft {
        ActivityDraft {
            owner: CardRef { kind: CardKind::Deal, id: 314 },
            origin: OriginId("ab".repeat(32)),
            direction: Direction::Incoming,
            subject: "Re: presupuesto".into(),
            communications: vec![
                Communication {
                    email: "ana@cliente.es".into(),
                    card: Some(CardRef { kind: CardKind::Contact, id: 275 }),
                },
                Communication { email: "jefe@cliente.es".into(), card: None },
            ],
            responsible: 6,
            starts_at: 1_741_075_920,
            ends_at: Some(1_741_111_200),
            meta: EmailMeta {
                mailbox: "ventas@nosotros.es".into(),
                from: "Ana <ana@cliente.es>".into(),
                to: "ventas@nosotros.es".into(),
                ..EmailMeta::default()
            },
            message_id: Some("x@cliente.es".into()),
        }
    }

    #[test]
    fn an_activity_is_added_open_and_without_text() {
        let (method, body) = add_activity(&activity(), "mailcrm");
        assert_eq!(method, "crm.activity.add");
        assert_eq!(
            body,
            json!({"fields": {
                "OWNER_TYPE_ID": 2, "OWNER_ID": 314, "TYPE_ID": 4, "DIRECTION": 1,
                "COMPLETED": "N", "PRIORITY": 2, "SUBJECT": "Re: presupuesto",
                "START_TIME": "2025-03-04T08:12:00+00:00", "END_TIME": "2025-03-04T18:00:00+00:00",
                "RESPONSIBLE_ID": 6,
                "COMMUNICATIONS": [
                    {"TYPE": "EMAIL", "VALUE": "ana@cliente.es", "ENTITY_TYPE_ID": 3, "ENTITY_ID": 275},
                    {"TYPE": "EMAIL", "VALUE": "jefe@cliente.es"},
                ],
                "ORIGINATOR_ID": "mailcrm", "ORIGIN_ID": "ab".repeat(32),
                "SETTINGS": {
                    "EMAIL_META": {"__email": "ventas@nosotros.es", "from": "Ana <ana@cliente.es>",
                        "replyTo": "", "to": "ventas@nosotros.es", "cc": "", "bcc": ""},
                    "SANITIZE_ON_VIEW": 1,
                    "MESSAGE_HEADERS": {"Message-Id": "<x@cliente.es>"},
                },
            }})
        );
    }

    #[test]
    fn times_are_written_with_their_offset() {
        #[rustfmt::skip]
        let cases = [
            (0,                 "1970-01-01T00:00:00+00:00"),
            (1_741_075_920,     "2025-03-04T08:12:00+00:00"),
            (-86_400,           "1970-01-01T00:00:00+00:00"),
            (i64::MAX,          "9999-12-30T22:00:00+00:00"),
            (i64::MIN,          "1970-01-01T00:00:00+00:00"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(iso_time(seconds), expected);
        }
    }

    #[test]
    fn text_files_and_completion_go_in_one_update() {
        let content = ActivityContent {
            text: "Hola\0 \"Ana\"\n$result[x]".into(),
            files: vec![
                File { name: "oferta \"1\".pdf".into(), bytes: b"abc".to_vec() },
                File { name: "b.bin".into(), bytes: vec![0, 255] },
            ],
            completed: true,
        };
        let (method, body) = write_activity(999, &content);
        assert_eq!(method, "crm.activity.update");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            body,
            json!({"id": 999, "fields": {
                "DESCRIPTION": "Hola \"Ana\"\n$result[x]", "DESCRIPTION_TYPE": 1, "COMPLETED": "Y",
                "FILES": [{"fileData": ["oferta \"1\".pdf", "YWJj"]}, {"fileData": ["b.bin", "AP8="]}],
            }})
        );
        let open = ActivityContent { text: String::new(), files: vec![], completed: false };
        let body: Value = serde_json::from_str(&write_activity(1, &open).1).unwrap();
        assert_eq!(body, json!({"id": 1, "fields": {"DESCRIPTION": "", "DESCRIPTION_TYPE": 1}}));
    }

    proptest! {
        /// Promise 4: whatever the mail says, what is added is an open activity, and the gate agrees.
        #[test]
        fn no_draft_makes_the_crm_send_mail(
            subject in ".*",
            text in any::<String>(),
            outgoing in any::<bool>(),
            owner in 1u64..u64::from(u32::MAX),
            starts_at in any::<i64>(),
        ) {
            let draft = ActivityDraft {
                owner: CardRef { kind: CardKind::Contact, id: owner },
                direction: if outgoing { Direction::Outgoing } else { Direction::Incoming },
                subject: subject.clone(),
                communications: vec![Communication { email: text.clone(), card: None }],
                starts_at,
                ends_at: None,
                meta: EmailMeta { from: text.clone(), to: subject, ..EmailMeta::default() },
                message_id: Some(text),
                ..activity()
            };
            let (method, body) = add_activity(&draft, "mailcrm");
            prop_assert_eq!(&body["fields"]["COMPLETED"], "N");
            prop_assert!(body["fields"].get("DESCRIPTION").is_none());
            prop_assert!(gate::check(method, body.to_string().as_bytes()).is_ok());
            let subject = body["fields"]["SUBJECT"].as_str().unwrap();
            prop_assert!(!subject.trim().is_empty() && subject.chars().count() <= limits::SUBJECT);

            let mut sending = body;
            sending["fields"]["COMPLETED"] = json!("Y");
            let refused = gate::check(method, sending.to_string().as_bytes()).is_err();
            prop_assert_eq!(refused, outgoing);
        }
    }
}
