//! To-dos, Bitrix24's "universal activities": they take no origin id, so a line of their text bears ours.
//!
//! Source: REST reference, crm.activity.todo.add and crm.activity.list. Boxes before crm 22.1350 have none; the first
//! that had them knew no title and no parent, and pass over both.

use serde_json::{Value, json};

use crate::card::CardRef;
use crate::crm::{Failure, Found, OriginId, TodoDraft};

use super::answers::{self, TodoRow, entity_type};
use super::batch::Command;
use super::calls::{PAGE, iso_time};
use super::classify::Effect;
use super::limits;
use super::lookups::filter_ignored;
use super::{MOST_PAGES, Portal};

const LIST: &str = "crm.activity.list";
const PROVIDER: &str = "CRM_TODO";
const FIELDS: [&str; 7] = [
    "ID",
    "OWNER_TYPE_ID",
    "OWNER_ID",
    "RESPONSIBLE_ID",
    "COMPLETED",
    "PROVIDER_ID",
    "DESCRIPTION",
];
/// Characters of an originator in a marker.
const ORIGINATOR: usize = 100;

/// Adds a to-do.
pub fn add(draft: &TodoDraft, originator: &str) -> (&'static str, Value) {
    let text = limits::clean(&draft.text);
    let body = json!({
        "ownerTypeId": entity_type(draft.owner.kind),
        "ownerId": draft.owner.id,
        "deadline": iso_time(draft.deadline),
        "title": limits::first_text([limits::subject(&draft.title), "…".to_owned()]),
        "description": format!("{}\n{}", text.trim_end(), marker(originator, &draft.origin)),
        "responsibleId": draft.responsible,
        "parentActivityId": draft.activity,
    });
    ("crm.activity.todo.add", body)
}

/// The line by which a to-do is known again. Of an originator only what no editor and no markup writes otherwise.
fn marker(originator: &str, origin: &OriginId) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }
    };
    let originator: String = originator.chars().map(plain).take(ORIGINATOR).collect();
    format!("{originator} {}", origin.0)
}

/// The next [`PAGE`] to-dos of a card with numbers above `after`.
pub fn page(owner: CardRef, after: u64) -> Command {
    Command::new(LIST)
        .number("filter[OWNER_TYPE_ID]", entity_type(owner.kind))
        .number("filter[OWNER_ID]", owner.id)
        .fixed("filter[PROVIDER_ID]", PROVIDER)
        .number("filter[>ID]", after)
        .all("select[]", &FIELDS)
        .fixed("order[ID]", "ASC")
        .fixed("start", "-1")
}

/// The same as a request of its own.
pub fn page_alone(owner: CardRef, after: u64) -> (&'static str, Value) {
    let body = json!({
        "filter": {
            "OWNER_TYPE_ID": entity_type(owner.kind),
            "OWNER_ID": owner.id,
            "PROVIDER_ID": PROVIDER,
            ">ID": after,
        },
        "select": FIELDS,
        "order": { "ID": "ASC" },
        "start": -1,
    });
    (LIST, body)
}

/// Our to-do among those of a card, of which `first` is the first page; the others are asked for one by one.
pub async fn find(
    portal: &Portal,
    owner: CardRef,
    origin: &OriginId,
    first: Value,
) -> Result<Option<Found>, Failure> {
    let marker = marker(&portal.originator, origin);
    let (mut result, mut after) = (first, 0);
    for _ in 0..MOST_PAGES {
        let rows = portal.understood(LIST, Effect::Reads, answers::todo_rows(&result))?;
        let asked_for =
            |row: &&TodoRow| row.owner == Some(owner) && row.provider == PROVIDER && row.id > after;
        let ours = rows.iter().filter(asked_for).filter(|row| row.text.contains(&marker));
        if let Some(row) = ours.min_by_key(|row| row.id) {
            return Ok(Some(Found {
                id: row.id,
                owner: row.owner,
                responsible: row.responsible,
                completed: row.completed,
                has_text: true,
            }));
        }
        if rows.len() < PAGE {
            return Ok(None);
        }
        // A full page of something else never ends.
        if !rows.iter().all(|row| asked_for(&row)) {
            break;
        }
        after = rows.iter().map(|row| row.id).max().unwrap_or(after);
        result = portal.call(page_alone(owner, after), Effect::Reads).await?;
    }
    Err(filter_ignored(portal, LIST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::CardKind;
    use crate::crm::bitrix24::gate;
    use proptest::prelude::*;

    fn todo() -> TodoDraft {
        TodoDraft {
            owner: CardRef { kind: CardKind::Deal, id: 314 },
            origin: OriginId("ab".repeat(32)),
            title: "Answer: presupuesto".into(),
            text: "The mail is activity 999.\n".into(),
            responsible: 6,
            deadline: 1_741_111_200,
            activity: 999,
        }
    }

    #[test]
    fn a_todo_has_a_deadline_and_ends_with_its_marker() {
        let (method, body) = add(&todo(), "mailcrm");
        assert_eq!(method, "crm.activity.todo.add");
        let marker = format!("mailcrm {}", "ab".repeat(32));
        assert_eq!(
            body,
            json!({
                "ownerTypeId": 2, "ownerId": 314, "deadline": "2025-03-04T18:00:00+00:00",
                "title": "Answer: presupuesto",
                "description": format!("The mail is activity 999.\n{marker}"),
                "responsibleId": 6, "parentActivityId": 999,
            })
        );
    }

    #[test]
    fn a_marker_is_plain_whatever_the_originator() {
        let origin = OriginId("0f".into());
        #[rustfmt::skip]
        let cases = [
            ("plain",       "mailcrm",       "mailcrm 0f"),
            ("with a host", "mail.crm_2-b",  "mail.crm_2-b 0f"),
            ("markup",      "a&b [c]\n<d>",  "a-b--c---d- 0f"),
            ("letters",     "año",           "a-o 0f"),
        ];
        for (name, originator, expected) in cases {
            assert_eq!(marker(originator, &origin), expected, "{name}");
        }
        assert_eq!(marker(&"x".repeat(300), &origin).len(), ORIGINATOR + 3);
    }

    proptest! {
        /// Whatever the subject is, a to-do leaves, has something to read, and fits.
        #[test]
        fn any_subject_makes_a_title(subject in any::<String>(), originator in any::<String>()) {
            let (method, body) = add(&TodoDraft { title: subject, ..todo() }, &originator);
            prop_assert!(gate::check(method, body.to_string().as_bytes()).is_ok());
            let title = body.get("title").and_then(Value::as_str).unwrap_or_default();
            prop_assert!(!title.trim().is_empty() && title.chars().count() <= limits::SUBJECT);
        }
    }
}
