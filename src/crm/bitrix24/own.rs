//! Finds what was made here: by origin id, and page by page.

use serde_json::Value;

use crate::card::CardKind;
use crate::crm::{Failure, Found, Made, OriginId, OwnMade};

use super::answers::{self, ActivityRow, CardRow};
use super::batch::{Command, Word};
use super::classify::Effect;
use super::lookups::{ask_in_parts, filter_ignored, rows};
use super::{MOST_PAGES, Portal, calls, todos};

const ACTIVITIES: &str = "crm.activity.list";
const CARDS: &str = "crm.item.list";

pub async fn find_made(
    portal: &Portal,
    wanted: &[(Made, OriginId)],
) -> Result<Vec<Option<Found>>, Failure> {
    let originator = Word::new(&portal.originator);
    let mut found: Vec<Option<Found>> = vec![None; wanted.len()];
    let mut batched: Vec<usize> = Vec::new();
    let mut commands: Vec<Command> = Vec::new();
    let mut alone: Vec<usize> = Vec::new();
    for (at, (made, origin)) in wanted.iter().enumerate() {
        match (&originator, Word::new(&origin.0)) {
            (Some(originator), Some(origin)) => {
                batched.push(at);
                commands.push(calls::made(*made, originator, &origin));
            }
            _ => alone.push(at),
        }
    }
    let mut results: Vec<(usize, Value)> = Vec::with_capacity(wanted.len());
    for (at, looked) in batched.into_iter().zip(ask_in_parts(portal, &commands).await?) {
        results.push((at, looked?));
    }
    for at in alone {
        let Some((made, origin)) = wanted.get(at) else { continue };
        let call = calls::made_by_odd_originator(*made, &portal.originator, &origin.0);
        results.push((at, portal.call(call, Effect::Reads).await?));
    }
    for (at, result) in results {
        let (Some((made, origin)), Some(place)) = (wanted.get(at), found.get_mut(at)) else {
            continue;
        };
        *place = match made {
            Made::Card(kind) => made_card(portal, *kind, origin, &result)?,
            Made::Activity => made_activity(portal, origin, &result)?,
            Made::Todo(owner) => todos::find(portal, *owner, origin, result).await?,
        };
    }
    Ok(found)
}

/// Whether a row is ours: old methods drop filters that they do not know, and answer with everything.
fn is_ours(
    portal: &Portal,
    origin: &OriginId,
    row_originator: Option<&String>,
    row_origin: Option<&String>,
) -> bool {
    row_originator == Some(&portal.originator) && row_origin == Some(&origin.0)
}

fn made_card(
    portal: &Portal,
    kind: CardKind,
    origin: &OriginId,
    result: &Value,
) -> Result<Option<Found>, Failure> {
    let all = rows(portal, result, kind)?;
    let ours =
        |row: &&CardRow| is_ours(portal, origin, row.originator.as_ref(), row.origin.as_ref());
    match all.iter().filter(ours).min_by_key(|row| row.card.id) {
        Some(row) => Ok(Some(Found {
            id: row.card.id,
            owner: None,
            responsible: Some(row.responsible).filter(|id| *id > 0),
            completed: false,
            has_text: false,
        })),
        None if all.len() >= calls::PAGE => Err(filter_ignored(portal, CARDS)),
        None => Ok(None),
    }
}

fn made_activity(
    portal: &Portal,
    origin: &OriginId,
    result: &Value,
) -> Result<Option<Found>, Failure> {
    let all = portal.understood(ACTIVITIES, Effect::Reads, answers::activity_rows(result))?;
    let ours =
        |row: &&ActivityRow| is_ours(portal, origin, row.originator.as_ref(), row.origin.as_ref());
    match all.iter().filter(ours).min_by_key(|row| row.id) {
        Some(row) => Ok(Some(Found {
            id: row.id,
            owner: row.owner,
            responsible: row.responsible,
            completed: row.completed,
            has_text: row.has_text,
        })),
        None if all.len() >= calls::PAGE => Err(filter_ignored(portal, ACTIVITIES)),
        None => Ok(None),
    }
}

/// One row of a list that was asked for our originator: number, originator, origin id.
type Row = (u64, Option<String>, Option<String>);

pub async fn ours(portal: &Portal, made: Made, after: u64) -> Result<Vec<OwnMade>, Failure> {
    let mut after = after;
    for _ in 0..MOST_PAGES {
        let Some(call) = calls::ours(made, &portal.originator, after) else {
            return Ok(Vec::new());
        };
        let method = call.0;
        let result = portal.call(call, Effect::Reads).await?;
        let all: Vec<Row> = match made {
            Made::Card(kind) => rows(portal, &result, kind)?
                .into_iter()
                .map(|row| (row.card.id, row.originator, row.origin))
                .collect(),
            Made::Activity | Made::Todo(_) => portal
                .understood(method, Effect::Reads, answers::activity_rows(&result))?
                .into_iter()
                .map(|row| (row.id, row.originator, row.origin))
                .collect(),
        };
        // The portal compares without case, so a few others are no sign; one that could not pass is.
        let passes = |(id, originator, _): &Row| {
            let originator = originator.as_deref().unwrap_or_default();
            *id > after && originator.to_lowercase() == portal.originator.to_lowercase()
        };
        if !all.iter().all(passes) {
            return Err(filter_ignored(portal, method));
        }
        let full = all.len() >= calls::PAGE;
        let last = all.iter().map(|row| row.0).max();
        let mut page: Vec<OwnMade> = all
            .into_iter()
            .filter(|row| row.1.as_deref() == Some(portal.originator.as_str()))
            .filter_map(|(id, _, origin)| {
                Some(OwnMade { id, origin: origin.filter(|origin| !origin.is_empty())? })
            })
            .collect();
        page.sort_by_key(|made| made.id);
        // A page of which nothing is ours is not the end.
        match last {
            Some(last) if page.is_empty() && full => after = last,
            Some(_) | None => return Ok(page),
        }
    }
    Ok(Vec::new())
}
