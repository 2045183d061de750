//! `mailcrm plan`: what would be filed of a mailbox's history, and what another configuration
//! would do otherwise. Reads the server and the CRM; writes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::named::known_id;
use super::print::{self, cell, clean};
use super::progress::Progress;
use super::{Plan, SANDBOX_NOT_STARTED, Trouble, load, named, sandbox_not_started};
use crate::card::CardKind;
use crate::config::Config;
use crate::crm::bitrix24::Portal;
use crate::daemon::{crm_access, with_sandbox};
use crate::filing::FiledMailbox;
use crate::filing::simulate::{self, Letter, Outcome, Simulation};
use crate::ledger::{self, Ledger};
use crate::rules::{Reason, State};
use crate::unix_now;

mod reader;

use reader::{Judged, Read, Reader};

/// One message with what would become of it. The keys are public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Planned {
    message_id: Option<String>,
    mailbox: String,
    folder: String,
    uid: u32,
    #[serde(flatten)]
    fate: PlannedFate,
    /// With another configuration: what today's does.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<PlannedFate>,
    /// What it is known by, wherever it lies.
    #[serde(skip)]
    fingerprint: [u8; 32],
    /// Unix seconds.
    #[serde(skip)]
    internal_date: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PlannedFate {
    /// `None`: it is not read at all.
    state: Option<State>,
    reason: Option<Reason>,
    cards: Vec<PlannedCard>,
    creates: Vec<CardKind>,
}

/// A card; one that an earlier message of the plan makes has no number yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PlannedCard {
    #[serde(rename = "type")]
    kind: CardKind,
    id: Option<u64>,
}

pub(super) async fn plan(path: &Path, asked: Plan, json: bool) -> Result<(), Trouble> {
    let config = load(path)?;
    let other = asked.with.as_deref().map(load).transpose()?;
    let History { planned, mut whole, .. } = one(&config, &asked.mailbox, other.is_none()).await?;
    let read = planned.len();
    let shown = match other {
        None => planned,
        Some(other) => {
            let after = one(&other, &asked.mailbox, false).await?;
            whole &= after.whole;
            difference(planned, after)
        }
    };
    let mut out = print::standard();
    if json {
        for one in &shown {
            out.json(one)?;
        }
    } else {
        for line in table(&shown) {
            out.line(&line)?;
        }
        for line in summary(&shown, read, asked.with.is_some()) {
            out.line(&line)?;
        }
    }
    out.flush()?;
    if whole { Ok(()) } else { Err(Trouble::Told) }
}

/// What a configuration makes of a mailbox's history.
struct History {
    planned: Vec<Planned>,
    /// INTERNALDATE from which on each folder was read, Unix seconds.
    windows: HashMap<String, i64>,
    /// Nothing was left out; if something was, standard error says what.
    whole: bool,
}

async fn one(config: &Config, name: &str, finds_filed: bool) -> Result<History, Trouble> {
    let mailbox = named::mailbox(config, name).map_err(Trouble::Failed)?;
    let ledger = match Ledger::open_read_only(&config.ledger.path) {
        Ok(ledger) => Some(ledger),
        Err(ledger::Error::Absent { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if sandbox_not_started(config) {
        return Err(Trouble::Failed(format!(
            "{SANDBOX_NOT_STARTED}: run mailcrm run once, or name a CRM in [crm]"
        )));
    }
    let access = crm_access(config).await?;
    let portal = Portal::new(access.options)?;
    let work = async {
        let simulation = Simulation::new(&portal, ledger.as_ref(), finds_filed).await;
        let mut simulation = simulation.map_err(simulate::Error::from)?;
        let employees = simulation.addresses().clone();
        let mut reader = Reader {
            mailbox,
            rules: mailbox.rules(&config.own_addresses()),
            employees,
            ledger: ledger.as_ref(),
            now: unix_now(),
            read: Vec::new(),
            known: HashMap::new(),
            windows: HashMap::new(),
            whole: true,
        };
        reader.history().await?;
        let Reader { read, windows, whole, .. } = reader;
        let progress = Progress::new();
        let filed = FiledMailbox {
            config: Arc::new(mailbox.clone()),
            rules: Arc::new(mailbox.rules(&config.own_addresses())),
        };
        let id = match &ledger {
            Some(ledger) => known_id(ledger, mailbox).await?,
            None => None,
        };
        let mut rows = Vec::with_capacity(read.len());
        let mut letters = Vec::new();
        for one in read {
            let reason = one.reason();
            let Read { folder, uid, fingerprint, internal_date, judged } = one;
            let message_id = judged.as_ref().and_then(|judged| judged.message.message_id.clone());
            let fate = reason.map(PlannedFate::of_reason);
            if let (None, Some(judged)) = (&fate, judged) {
                let Judged { message, admitted, codes, refs, vcards } = *judged;
                let mailbox = filed.clone();
                letters.push(Letter { mailbox, id, message, admitted, codes, refs, vcards });
            }
            rows.push((folder, uid, fingerprint, internal_date, message_id, fate));
        }
        let all = letters.len() as u64;
        let outcomes = simulation.file(letters, |done| progress.of(done as u64, all)).await?;
        progress.end();
        let mut outcomes = outcomes.into_iter();
        let planned = rows.into_iter().filter_map(|row| {
            let (folder, uid, fingerprint, internal_date, message_id, fate) = row;
            let fate = match fate {
                Some(fate) => fate,
                None => PlannedFate::of(outcomes.next()?),
            };
            let (mailbox, before) = (mailbox.name.clone(), None);
            Some(Planned {
                message_id,
                mailbox,
                folder,
                uid,
                fate,
                before,
                fingerprint,
                internal_date,
            })
        });
        Ok::<_, Trouble>(History { planned: planned.collect(), windows, whole })
    };
    with_sandbox(access.sandbox, work).await
}

impl PlannedFate {
    /// Of a message that another configuration does not read at all.
    const UNREAD: PlannedFate =
        PlannedFate { state: None, reason: None, cards: Vec::new(), creates: Vec::new() };

    fn of_reason(reason: Reason) -> PlannedFate {
        PlannedFate {
            state: Some(reason.state()),
            reason: Some(reason),
            cards: Vec::new(),
            creates: Vec::new(),
        }
    }

    fn of(outcome: Outcome) -> PlannedFate {
        PlannedFate {
            state: Some(outcome.state),
            reason: outcome.reason,
            cards: outcome.cards.into_iter().map(|(kind, id)| PlannedCard { kind, id }).collect(),
            creates: outcome.creates,
        }
    }
}

/// What the second plan does otherwise than the first, message by message.
///
/// What only the first one reads comes last.
fn difference(before: Vec<Planned>, after: History) -> Vec<Planned> {
    let History { planned, windows, .. } = after;
    let now: HashSet<[u8; 32]> = planned.iter().map(|one| one.fingerprint).collect();
    let fates: HashMap<[u8; 32], PlannedFate> =
        before.iter().map(|one| (one.fingerprint, one.fate.clone())).collect();
    let other = planned.into_iter().filter_map(|one| {
        let before = fates.get(&one.fingerprint).cloned();
        (before.as_ref() != Some(&one.fate)).then_some(Planned { before, ..one })
    });
    let unread = before.into_iter().filter(|one| !now.contains(&one.fingerprint));
    let unread = unread.filter_map(|one| {
        let fate = match (windows.get(&one.folder), one.internal_date) {
            (None, _) => PlannedFate::UNREAD,
            (Some(window), Some(date)) if date < *window => {
                PlannedFate::of_reason(Reason::BeforeHistory)
            }
            // It left the server between the two.
            (Some(_), _) => return None,
        };
        let before = Some(one.fate);
        (before.as_ref() != Some(&fate)).then_some(Planned { fate, before, ..one })
    });
    other.chain(unread).collect()
}

/// The state for people.
fn state(fate: &PlannedFate) -> &'static str {
    fate.state.map_or("not-read", State::as_str)
}

fn told(fate: &PlannedFate) -> [String; 4] {
    let mut cards: Vec<String> = fate
        .cards
        .iter()
        .map(|card| match card.id {
            Some(id) => format!("{}:{id}", card.kind.as_str()),
            None => format!("{}:new", card.kind.as_str()),
        })
        .collect();
    if cards.is_empty() {
        cards.push("-".to_owned());
    }
    let creates: Vec<&str> = fate.creates.iter().map(|kind| kind.as_str()).collect();
    [
        state(fate).to_owned(),
        fate.reason.map_or("-".to_owned(), |reason| reason.code().to_owned()),
        cards.join(","),
        if creates.is_empty() { "-".to_owned() } else { creates.join(",") },
    ]
}

/// Columns that `awk` can cut; the folder is the last, for it may have blanks.
fn table(planned: &[Planned]) -> Vec<String> {
    let heading = ["STATE", "REASON", "CARDS", "CREATES", "MESSAGE-ID", "UID", "FOLDER"];
    let mut rows: Vec<Vec<String>> = vec![heading.iter().map(ToString::to_string).collect()];
    for one in planned {
        let mut row: Vec<String> = told(&one.fate).into();
        if let Some(before) = &one.before {
            for (now, before) in row.iter_mut().zip(told(before)) {
                if *now != before {
                    *now = format!("{before}=>{now}");
                }
            }
        }
        row.push(cell(one.message_id.as_deref().unwrap_or_default()));
        row.push(one.uid.to_string());
        row.push(clean(&one.folder));
        rows.push(row);
    }
    let widths: Vec<usize> = (0..heading.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        })
        .collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

fn summary(planned: &[Planned], read: usize, with: bool) -> Vec<String> {
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let mut creates: BTreeMap<&str, usize> = BTreeMap::new();
    for one in planned {
        let mut state = state(&one.fate).to_owned();
        if let Some(reason) = one.fate.reason {
            state.push_str(&format!(" {reason}"));
        }
        *states.entry(state).or_default() += 1;
        for kind in &one.fate.creates {
            *creates.entry(kind.as_str()).or_default() += 1;
        }
    }
    let head = if with {
        format!("{} of {read} messages would be decided otherwise", planned.len())
    } else {
        format!("{read} messages in the history window")
    };
    let mut lines = vec![String::new(), head];
    lines.extend(states.iter().map(|(state, count)| format!("{count:>9}  {state}")));
    if !creates.is_empty() {
        let made: Vec<String> =
            creates.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        lines.push(format!("would be made: {}", made.join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fate(state: State) -> PlannedFate {
        PlannedFate { state: Some(state), ..PlannedFate::UNREAD }
    }

    /// A message that lies in a folder since `date`.
    fn planned(number: u8, folder: &str, date: i64, fate: PlannedFate) -> Planned {
        Planned {
            message_id: Some(format!("{number}@client.example")),
            mailbox: "sales".to_owned(),
            folder: folder.to_owned(),
            uid: number.into(),
            fate,
            before: None,
            fingerprint: [number; 32],
            internal_date: Some(date),
        }
    }

    #[test]
    fn what_another_configuration_does_not_read_is_told() {
        let queued = || fate(State::Queued);
        let before_history = || PlannedFate::of_reason(Reason::BeforeHistory);
        let in_inbox = |date, fate| planned(1, "INBOX", date, fate);
        let in_archive = |fate| planned(1, "Archive", 50, fate);
        #[rustfmt::skip]
        let cases = [
            ("the same",         in_inbox(50, queued()),         vec![in_inbox(50, queued())], vec![]),
            ("another fate",     in_inbox(50, queued()),         vec![in_inbox(50, before_history())], vec![(before_history(), queued())]),
            ("a copy serves",    in_archive(queued()),           vec![in_inbox(50, queued())], vec![]),
            ("folder left out",  in_archive(queued()),           vec![],                       vec![(PlannedFate::UNREAD, queued())]),
            ("window moved",     in_inbox(5, queued()),          vec![],                       vec![(before_history(), queued())]),
            ("was before it",    in_inbox(5, before_history()),  vec![],                       vec![]),
            ("left the server",  in_inbox(50, queued()),         vec![],                       vec![]),
        ];
        for (name, first, second, wanted) in cases {
            let windows = HashMap::from([("INBOX".to_owned(), 10)]);
            let after = History { planned: second, windows, whole: true };
            let told = difference(vec![first], after);
            let fates: Vec<(PlannedFate, PlannedFate)> =
                told.iter().map(|one| (one.fate.clone(), one.before.clone().unwrap())).collect();
            assert_eq!(fates, wanted, "{name}");
        }
    }

    #[test]
    fn what_is_not_read_has_no_state_and_is_counted() {
        let unread = Planned {
            before: Some(fate(State::Queued)),
            ..planned(1, "Archive", 50, PlannedFate::UNREAD)
        };
        let line = serde_json::to_value(&unread).unwrap();
        let wanted = serde_json::json!({
            "message_id": "1@client.example", "mailbox": "sales", "folder": "Archive", "uid": 1,
            "state": null, "reason": null, "cards": [], "creates": [],
            "before": { "state": "queued", "reason": null, "cards": [], "creates": [] },
        });
        assert_eq!(line, wanted);
        let all = [unread];
        assert!(table(&all)[1].starts_with("queued=>not-read "), "{:?}", table(&all));
        let told = summary(&all, 12, true).join("\n");
        assert!(told.contains("1 of 12 messages would be decided otherwise"), "{told}");
        assert!(told.contains("1  not-read"), "{told}");
    }

    #[tokio::test]
    async fn sandbox_that_was_not_started_is_not_made_by_a_plan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailcrm.toml");
        let text = format!(
            "[ledger]\npath = {:?}\n[[mailbox]]\nname = \"sales\"\n\
             address = \"sales@example.com\"\nowner = 7\n[mailbox.imap]\n\
             host = \"imap.example.com\"\nusername = \"sales\"\npassword = \"hunter2\"\n",
            folder.path().join("ledger.sqlite")
        );
        std::fs::write(&path, text).unwrap();
        let asked = Plan { mailbox: "sales".to_owned(), with: None };
        let Err(Trouble::Failed(text)) = plan(&path, asked, true).await else { panic!("planned") };
        assert!(text.contains("was not started yet: run mailcrm run once"), "{text}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
