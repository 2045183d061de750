//! `mailcrm plan`: what would be filed of a mailbox's history, and what another configuration
//! would do otherwise. Reads the server and the CRM; writes nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::print::{self, cell, clean};
use super::progress::Progress;
use super::{Plan, Trouble, load, named};
use crate::card::CardKind;
use crate::config::{Config, Mailbox};
use crate::crm::bitrix24::Portal;
use crate::daemon::{crm_access, with_sandbox};
use crate::filing::FiledMailbox;
use crate::filing::simulate::{self, Letter, Outcome, Simulation};
use crate::folder::{Role, window_start};
use crate::imap::{self, FolderProbe, Probe};
use crate::intake::Arrived;
use crate::ledger::{self, Ledger, MailboxId};
use crate::message::{self, FromBody, Message};
use crate::rules::admit::{Admitted, Arrival, Decision, admit};
use crate::rules::{Reason, RuleSet, State};
use crate::{intake, unix_now};

/// Headers asked for at a time.
const HEADERS: usize = 200;

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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PlannedFate {
    state: State,
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
    let (planned, read) = one(&config, &asked.mailbox, other.is_none()).await?;
    let shown = match other {
        None => planned,
        Some(other) => difference(planned, one(&other, &asked.mailbox, false).await?.0),
    };
    let mut out = print::standard();
    if json {
        for one in &shown {
            out.json(one)?;
        }
        return Ok(out.flush()?);
    }
    for line in table(&shown) {
        out.line(&line)?;
    }
    for line in summary(&shown, read, asked.with.is_some()) {
        out.line(&line)?;
    }
    Ok(out.flush()?)
}

/// What a configuration makes of a mailbox's history, and how many messages lie in it.
async fn one(
    config: &Config,
    name: &str,
    finds_filed: bool,
) -> Result<(Vec<Planned>, usize), Trouble> {
    let mailbox = named::mailbox(config, name).map_err(Trouble::Failed)?;
    let ledger = match Ledger::open_read_only(&config.ledger.path) {
        Ok(ledger) => Some(ledger),
        Err(ledger::Error::Absent { .. }) => None,
        Err(error) => return Err(error.into()),
    };
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
        };
        reader.history().await?;
        let read = reader.read;
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
            let Read { folder, uid, message, admitted, codes, refs } = one;
            let skipped = match admitted.decision {
                Decision::Skip(reason) => Some(reason),
                Decision::Queue { .. } => None,
            };
            rows.push((folder, uid, message.message_id.clone(), skipped));
            if skipped.is_none() {
                let mailbox = filed.clone();
                letters.push(Letter { mailbox, id, message, admitted, codes, refs });
            }
        }
        let all = letters.len() as u64;
        let outcomes = simulation.file(letters, |done| progress.of(done as u64, all)).await?;
        progress.end();
        let count = rows.len();
        let mut outcomes = outcomes.into_iter();
        let planned = rows.into_iter().filter_map(|(folder, uid, message_id, skipped)| {
            let fate = match skipped {
                Some(reason) => PlannedFate::skipped(reason),
                None => PlannedFate::of(outcomes.next()?),
            };
            let mailbox = mailbox.name.clone();
            Some(Planned { message_id, mailbox, folder, uid, fate, before: None })
        });
        Ok::<_, Trouble>((planned.collect(), count))
    };
    with_sandbox(access.sandbox, work).await
}

async fn known_id(ledger: &Ledger, mailbox: &Mailbox) -> Result<Option<MailboxId>, ledger::Error> {
    let imap = &mailbox.imap;
    ledger.mailbox_id(mailbox.name.clone(), imap.host.clone(), imap.username.clone()).await
}

impl PlannedFate {
    fn skipped(reason: Reason) -> PlannedFate {
        PlannedFate {
            state: reason.state(),
            reason: Some(reason),
            cards: Vec::new(),
            creates: Vec::new(),
        }
    }

    fn of(outcome: Outcome) -> PlannedFate {
        PlannedFate {
            state: outcome.state,
            reason: outcome.reason,
            cards: outcome.cards.into_iter().map(|(kind, id)| PlannedCard { kind, id }).collect(),
            creates: outcome.creates,
        }
    }
}

/// A message of the history as it was read and judged.
struct Read {
    folder: String,
    uid: u32,
    message: Message,
    admitted: Admitted,
    codes: Vec<u64>,
    refs: Vec<String>,
}

struct Reader<'a> {
    mailbox: &'a Mailbox,
    rules: RuleSet,
    employees: std::collections::HashSet<String>,
    ledger: Option<&'a Ledger>,
    now: i64,
    read: Vec<Read>,
    /// Where each message stands in `read`: a copy is no message of its own.
    known: HashMap<[u8; 32], usize>,
}

impl Reader<'_> {
    async fn history(&mut self) -> Result<(), Trouble> {
        let mut probe = Probe::open(self.mailbox).await?;
        let mut folders: Vec<FolderProbe> =
            probe.folders().iter().filter(|folder| folder.synced).cloned().collect();
        // As the daemon reads them.
        folders.sort_by_key(|folder| folder.role != Role::Inbox);
        let progress = Progress::new();
        let part = 1.0 / folders.len().max(1) as f64;
        for folder in &folders {
            imap::safely(self.folder(&mut probe, folder, part, &progress)).await?;
        }
        progress.end();
        probe.close().await;
        Ok(())
    }

    async fn folder(
        &mut self,
        probe: &mut Probe,
        folder: &FolderProbe,
        part: f64,
        progress: &Progress,
    ) -> Result<(), imap::Error> {
        let first_read_at = self.first_read_at(folder).await?;
        let window = window_start(first_read_at, folder.history_days);
        match probe.select(folder).await {
            Err(imap::Error::No { text, .. }) => {
                eprintln!("mailcrm: {}: the server says: {}", folder.name, clean(&text));
                return Ok(());
            }
            other => other?,
        };
        let uids = probe.since(window).await?;
        let each = part / uids.len().max(1) as f64;
        for some in uids.chunks(HEADERS) {
            let mut rest = some.to_vec();
            while !rest.is_empty() {
                let (headers, postponed) = probe.headers(&rest).await?;
                rest = postponed;
                for header in headers {
                    if header.internal_date.is_some_and(|date| date < window) {
                        continue;
                    }
                    self.one(probe, folder, header, window).await?;
                    progress.advance(each, 1);
                }
            }
        }
        Ok(())
    }

    /// The window counts back from the folder's first reading.
    async fn first_read_at(&self, folder: &FolderProbe) -> Result<i64, ledger::Error> {
        let Some(ledger) = self.ledger else { return Ok(self.now) };
        let imap = &self.mailbox.imap;
        let row = ledger
            .folder_if_known(
                self.mailbox.name.clone(),
                imap.host.clone(),
                imap.username.clone(),
                folder.name.clone(),
            )
            .await?;
        Ok(row.map_or(self.now, |row| row.first_read_at))
    }

    async fn one(
        &mut self,
        probe: &mut Probe,
        folder: &FolderProbe,
        header: Arrived,
        window_start: i64,
    ) -> Result<(), imap::Error> {
        let internal_date = header.internal_date.unwrap_or(self.now);
        let judge = |message: &Message, body: Option<&FromBody>| {
            let arrival = Arrival {
                message,
                body,
                role: folder.role,
                internal_date,
                window_start,
                employees: Some(&self.employees),
                first_reading: true,
                by_hand: folder.by_hand.as_deref(),
            };
            admit(&self.rules, &arrival)
        };
        let parsed = message::parse(&header.raw).ok();
        let decided = parsed.filter(|message| message.message_id.is_some()).and_then(|message| {
            let admitted = judge(&message, None);
            let skips = matches!(admitted.decision, Decision::Skip(_));
            skips.then_some((message, admitted, Vec::new(), Vec::new()))
        });
        let judged = match decided {
            Some(judged) => judged,
            None => {
                let Some(raw) = probe.beginning(header.uid).await? else { return Ok(()) };
                // What the parser gives up on goes to quarantine, and is no matter of the rules.
                let Ok(message) = message::parse(&raw) else { return Ok(()) };
                let body = message::from_body(&message, &raw, self.rules.forwards);
                let admitted = judge(&message, Some(&body));
                let refs = intake::refs_of(&message, &raw);
                (message, admitted, message::reply_codes(&raw), refs)
            }
        };
        let (message, admitted, codes, refs) = judged;
        let fingerprint = message.fingerprint;
        let (folder, uid) = (folder.name.clone(), header.uid);
        let read = Read { folder, uid, message, admitted, codes, refs };
        match self.known.get(&fingerprint) {
            None => {
                self.known.insert(fingerprint, self.read.len());
                self.read.push(read);
            }
            // The first place that files it decides.
            Some(&at) => {
                if let Some(before) = self.read.get_mut(at)
                    && matches!(before.admitted.decision, Decision::Skip(_))
                    && matches!(read.admitted.decision, Decision::Queue { .. })
                {
                    *before = read;
                }
            }
        }
        Ok(())
    }
}

/// What the second plan does otherwise than the first, message by message.
fn difference(before: Vec<Planned>, after: Vec<Planned>) -> Vec<Planned> {
    let place = |one: &Planned| (one.folder.clone(), one.uid);
    let mut old: HashMap<(String, u32), PlannedFate> =
        before.into_iter().map(|one| (place(&one), one.fate)).collect();
    after
        .into_iter()
        .filter_map(|one| {
            let before = old.remove(&place(&one));
            (before.as_ref() != Some(&one.fate)).then_some(Planned { before, ..one })
        })
        .collect()
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
        fate.state.to_string(),
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
        let mut state = one.fate.state.to_string();
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
