//! Decides messages again by today's configuration: what was skipped, parked or could not be
//! read. What is no longer in the spool is read again from the server.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::config::{Config, Mailbox};
use crate::folder::{FolderName, Role, window_start};
use crate::imap::{self, FolderProbe, Probe};
use crate::intake::{AfterHeader, Arrived, Intake, Reading};
use crate::ledger::{self, Again, AgainPlace, Filter, Ledger, MailboxId, Recorded, Seen, Verdict};
use crate::rules::admit::bears;
use crate::rules::{Reason, State};
use crate::unix_now;

/// Messages looked at together.
const PAGE: u64 = 200;
/// How long a full spool is waited for, in looks of a second each: filing makes room.
const FULL: u32 = 60;
/// Connections to one mailbox that may break before it is given up: an answer that cannot be read
/// costs one, and must not stop what stands behind it.
const MOST_BROKEN: u32 = 30;

/// What became of one message. The keys are public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redecided {
    pub id: i64,
    pub before: State,
    /// The decision: `queued` for what is to be filed.
    pub after: State,
    pub reason: Option<String>,
}

/// What is said on the way.
#[derive(Clone, Debug)]
pub enum Told {
    /// What became of a message, and whether that is another state or reason than before.
    One(Redecided, bool),
    /// Messages done, and all of them.
    Progress(u64, u64),
    /// Something that could not be looked at, and why.
    Trouble(String),
}

/// Decides the messages of `filter` again: all that are skipped (but `before-history`), parked or
/// quarantined, unless it says less. `dry`: writes nothing.
///
/// Nothing that is owed, filed or refused is touched, and what is gone from the server keeps its
/// state, as does a message whose mailbox is not configured or cannot be reached.
///
/// # Errors
/// If the ledger cannot be read or written.
pub async fn redecide(
    ledger: &Ledger,
    config: &Config,
    filter: Filter,
    dry: bool,
    mut tell: impl FnMut(Told),
) -> Result<(), ledger::Error> {
    let all = ledger.count_again(filter.clone()).await?;
    let mut desk = Desk {
        ledger,
        config,
        dry,
        full: false,
        mailboxes: HashMap::new(),
        broken: HashMap::new(),
    };
    let mut after = 0;
    let mut done = 0;
    loop {
        let page = ledger.again(filter.clone(), after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        done += page.len() as u64;
        desk.page(page, &mut tell).await?;
        tell(Told::Progress(done, all.max(done)));
    }
    desk.close().await;
    Ok(())
}

struct Desk<'a> {
    ledger: &'a Ledger,
    config: &'a Config,
    dry: bool,
    /// The spool is full, and nobody makes room: what is left keeps its state.
    full: bool,
    /// `None`: not configured, or not to be reached. A name is not enough: one that moved to another
    /// host is another mailbox.
    mailboxes: HashMap<MailboxId, Option<Open>>,
    /// How many connections to each broke.
    broken: HashMap<MailboxId, u32>,
}

/// A mailbox that was logged in to.
struct Open {
    probe: Probe,
    intake: Intake,
    history_days: u32,
    max_message: u64,
    /// How people say of a message, where its folder does not, that they want it in the CRM.
    by_hand: Arc<str>,
    /// The selected folder, with its UIDVALIDITY.
    selected: Option<(String, u32)>,
}

/// How a place judges a message.
enum Judgement {
    Verdict(Box<Seen>, Reading),
    /// It is not there any more, or cannot be looked at.
    Gone,
}

impl Desk<'_> {
    async fn page(
        &mut self,
        page: Vec<Again>,
        tell: &mut impl FnMut(Told),
    ) -> Result<(), ledger::Error> {
        let headers = self.headers(&page, tell).await;
        for again in page {
            self.room(tell).await;
            if self.full {
                let (id, before, reason) = (again.id, again.state, again.reason);
                tell(Told::One(Redecided { id, before, after: before, reason }, false));
                continue;
            }
            let one = self.one(&again, &headers, tell).await?;
            let changed = one.after != again.state || one.reason != again.reason;
            tell(Told::One(one, changed));
        }
        Ok(())
    }

    /// Waits until there is room in the spool.
    async fn room(&mut self, tell: &mut impl FnMut(Told)) {
        let full = || !self.dry && self.ledger.spool().is_full();
        if self.full || !full() {
            return;
        }
        for _ in 0..FULL {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            if !full() {
                return;
            }
        }
        self.full = true;
        tell(Told::Trouble(
            "the spool is full: what is left keeps its state; run it again when mail was filed"
                .to_owned(),
        ));
    }

    /// Headers of all places of the page, asked for together: by folder and UID.
    async fn headers(
        &mut self,
        page: &[Again],
        tell: &mut impl FnMut(Told),
    ) -> HashMap<(i64, u32), Arrived> {
        let mut wanted: HashMap<i64, (AgainPlace, Vec<u32>)> = HashMap::new();
        for again in page {
            for place in &again.places {
                let folder = wanted.entry(place.folder.id);
                folder.or_insert_with(|| (place.clone(), Vec::new())).1.push(place.uid);
            }
        }
        let mut found = HashMap::new();
        for (folder, (place, mut uids)) in wanted {
            uids.sort_unstable();
            uids.dedup();
            // Halved where one of them cannot be read, until it stands alone.
            let mut pieces = vec![uids];
            while let Some(uids) = pieces.pop() {
                let Some(open) = self.open(&place, tell).await else { break };
                let asked = imap::safely(open.headers(&place, uids.clone())).await;
                let error = match asked {
                    Ok(headers) => {
                        let by_uid = headers.into_iter().map(|one| ((folder, one.uid), one));
                        found.extend(by_uid);
                        continue;
                    }
                    Err(error) => error,
                };
                let goes_on = self.broke(place.mailbox, &error);
                let AgainPlace { mailbox_name, folder_name, .. } = &place;
                match (goes_on, uids.as_slice()) {
                    (true, [_, _, ..]) => {
                        let (low, high) = uids.split_at(uids.len() / 2);
                        pieces.extend([high.to_vec(), low.to_vec()]);
                    }
                    (true, [uid]) => {
                        let why = crate::causes(&error);
                        tell(Told::Trouble(format!("{mailbox_name}/{folder_name}/{uid}: {why}")));
                    }
                    (false, _) | (true, []) => {
                        tell(Told::Trouble(format!("{mailbox_name}: {}", crate::causes(&error))));
                    }
                }
            }
        }
        found
    }

    /// What is to be done after an error: the connection is good, or another one is made, or the
    /// mailbox is left alone (`false`).
    fn broke(&mut self, mailbox: MailboxId, error: &imap::Error) -> bool {
        match error {
            imap::Error::No { .. } => return true,
            imap::Error::Lost { .. } | imap::Error::Unparsable { .. } => {
                let broken = self.broken.entry(mailbox).or_default();
                *broken += 1;
                if *broken < MOST_BROKEN {
                    self.mailboxes.remove(&mailbox);
                    return true;
                }
            }
            imap::Error::Timeout { .. }
            | imap::Error::Busy { .. }
            | imap::Error::Credentials { .. }
            | imap::Error::Held { .. }
            | imap::Error::Secret(_)
            | imap::Error::Blocked(_)
            | imap::Error::Ledger(_) => {}
        }
        self.mailboxes.insert(mailbox, None);
        false
    }

    /// The first place that files it decides, else the latest.
    async fn one(
        &mut self,
        again: &Again,
        headers: &HashMap<(i64, u32), Arrived>,
        tell: &mut impl FnMut(Told),
    ) -> Result<Redecided, ledger::Error> {
        let unchanged = Redecided {
            id: again.id,
            before: again.state,
            after: again.state,
            reason: again.reason.clone(),
        };
        let dry = self.dry;
        let mut best: Option<(Box<Seen>, Reading, &AgainPlace, Intake)> = None;
        for place in &again.places {
            let Some(open) = self.open(place, tell).await else { continue };
            let key = (place.folder.id, place.uid);
            let intake = open.intake.clone();
            let judged = imap::safely(open.judge(again, place, headers.get(&key), dry)).await;
            let (seen, reading) = match judged {
                Ok(Judgement::Verdict(seen, reading)) => (seen, reading),
                Ok(Judgement::Gone) => continue,
                Err(imap::Error::Ledger(error)) => return Err(error),
                Err(error) => {
                    let AgainPlace { mailbox_name, folder_name, uid, .. } = place;
                    let why = crate::causes(&error);
                    tell(Told::Trouble(format!("{mailbox_name}/{folder_name}/{uid}: {why}")));
                    self.broke(place.mailbox, &error);
                    continue;
                }
            };
            let files = matches!(seen.verdict, Verdict::Queue { .. });
            if let Some((other, ..)) = best.replace((seen, reading, place, intake)) {
                self.ledger.sweep(&[*other]);
            }
            if files {
                break;
            }
        }
        let Some((seen, reading, _, intake)) = best else { return Ok(unchanged) };
        let (after, reason) = match &seen.verdict {
            Verdict::Queue { .. } => (State::Queued, None),
            Verdict::Skip(reason) => (State::Skipped, Some(reason.code().to_owned())),
            Verdict::Quarantine { .. } => {
                (State::Quarantined, Some(Reason::Unreadable.code().to_owned()))
            }
            Verdict::PlaceOnly => return Ok(unchanged),
        };
        let mut decided = Redecided { after, reason, ..unchanged.clone() };
        if again.state == State::Quarantined
            && let Some(same) = self.ledger.same(seen.fingerprint).await?
            && same.id != again.id
            && let Some(state) = State::parse(&same.state).filter(|state| *state != State::Skipped)
        {
            // It turns out to be a copy of a message that has its state, and comes to that.
            decided = Redecided { after: state, reason: same.reason, ..decided };
        }
        if self.dry {
            return Ok(decided);
        }
        let decided_now = (*seen).clone();
        match intake.decide_again(&reading, again.id, decided_now, unix_now()).await? {
            None => return Ok(unchanged),
            Some(Recorded::Decided { message }) => {
                if after != again.state || decided.reason != again.reason {
                    intake.tell_again(&reading, message, &seen);
                }
            }
            Some(Recorded::Placed { message }) => {
                let place = Seen { verdict: Verdict::PlaceOnly, ..*seen };
                intake.tell_again(&reading, message, &place);
            }
            Some(Recorded::Again) => {}
        }
        Ok(decided)
    }

    /// The mailbox of a place, logged in to; `None` if that cannot be.
    async fn open(&mut self, place: &AgainPlace, tell: &mut impl FnMut(Told)) -> Option<&mut Open> {
        let name = &place.mailbox_name;
        if !self.mailboxes.contains_key(&place.mailbox) {
            let opened = match self.configured(place) {
                None => {
                    tell(Told::Trouble(format!("{name}: not configured any more")));
                    None
                }
                Some(mailbox) => match imap::safely(Probe::open(mailbox)).await {
                    Ok(probe) => Some(self.opened(mailbox, place, probe)),
                    Err(error) => {
                        tell(Told::Trouble(format!("{name}: {}", crate::causes(&error))));
                        None
                    }
                },
            };
            self.mailboxes.insert(place.mailbox, opened);
        }
        self.mailboxes.get_mut(&place.mailbox)?.as_mut()
    }

    fn configured(&self, place: &AgainPlace) -> Option<&Mailbox> {
        self.config.mailboxes.iter().find(|known| {
            known.name == place.mailbox_name
                && known.imap.host == place.host
                && known.imap.username == place.username
        })
    }

    fn opened(&self, mailbox: &Mailbox, place: &AgainPlace, probe: Probe) -> Open {
        let rules = Arc::new(mailbox.rules(&self.config.own_addresses()));
        // Nobody replaces them while they are in use here.
        let (_sender, rules) = watch::channel(rules);
        Open {
            probe,
            intake: Intake {
                ledger: self.ledger.clone(),
                mailbox: place.mailbox,
                name: Arc::from(mailbox.name.as_str()),
                owner: mailbox.owner,
                rules,
            },
            history_days: mailbox.crm.history_days,
            max_message: self.config.ledger.max_message,
            by_hand: match &mailbox.crm.save_keyword {
                Some(keyword) => bears(keyword).into(),
                None => "saved by hand".into(),
            },
            selected: None,
        }
    }

    async fn close(self) {
        for open in self.mailboxes.into_values().flatten() {
            open.probe.close().await;
        }
    }
}

impl Open {
    async fn headers(
        &mut self,
        place: &AgainPlace,
        uids: Vec<u32>,
    ) -> Result<Vec<Arrived>, imap::Error> {
        if self.select(place).await?.is_none() {
            return Ok(Vec::new());
        }
        let mut headers = Vec::with_capacity(uids.len());
        let mut rest = uids;
        while !rest.is_empty() {
            let (some, postponed) = self.probe.headers(&rest).await?;
            headers.extend(some);
            rest = postponed;
        }
        Ok(headers)
    }

    /// Selects a place's folder; `None` if it is not there, or was renumbered.
    async fn select(&mut self, place: &AgainPlace) -> Result<Option<FolderProbe>, imap::Error> {
        let name = FolderName::new(&place.folder_name);
        let folders = self.probe.folders();
        let Some(folder) = folders.iter().find(|known| known.name == name.as_str()).cloned() else {
            return Ok(None);
        };
        if self.selected.as_ref().is_none_or(|(selected, _)| *selected != folder.name) {
            let uid_validity = match self.probe.select(&folder).await {
                Err(imap::Error::No { .. }) => return Ok(None),
                other => other?,
            };
            self.selected = Some((folder.name.clone(), uid_validity));
        }
        let same = self
            .selected
            .as_ref()
            .is_some_and(|(_, uid_validity)| *uid_validity == place.folder.uid_validity);
        Ok(same.then_some(folder))
    }

    async fn judge(
        &mut self,
        again: &Again,
        place: &AgainPlace,
        header: Option<&Arrived>,
        dry: bool,
    ) -> Result<Judgement, imap::Error> {
        let now = unix_now();
        let name = FolderName::new(&place.folder_name);
        let folders = self.probe.folders();
        // What it is for today, else what it was when it was read.
        let folder = folders.iter().find(|known| known.name == name.as_str());
        let by_hand = folder
            .and_then(|known| known.by_hand.clone())
            .or_else(|| place.by_hand.then(|| Arc::clone(&self.by_hand)));
        let role = folder
            .map(|known| known.role)
            .or_else(|| Role::parse(&place.role))
            .unwrap_or(Role::Other);
        let reading = Reading {
            folder: place.folder.id,
            name: place.folder_name.clone(),
            role,
            uid_validity: place.folder.uid_validity,
            // A shorter window than the one that was read changes nothing.
            window_start: window_start(
                place.folder.first_read_at,
                self.history_days.max(place.folder.history_days),
            ),
            first_until: place.folder.first_until,
            first_read_at: place.folder.first_read_at,
            hold: 0,
            by_hand,
        };
        let verdict = |seen, reading| Ok(Judgement::Verdict(Box::new(seen), reading));
        if let Some(kept) = again.raw {
            match self.intake.spooled_again(&reading, place.uid, kept, again.received_at, now).await
            {
                Ok(seen) => return verdict(seen, reading),
                // Lost, or released meanwhile: the server may have it still.
                Err(ledger::Error::Spool { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let Some(header) = header else { return Ok(Judgement::Gone) };
        if let AfterHeader::Decided(seen) = self.intake.header_again(&reading, header, now) {
            if is_other(again, &seen) {
                return Ok(Judgement::Gone);
            }
            return Ok(Judgement::Verdict(seen, reading));
        }
        if self.select(place).await?.is_none() {
            return Ok(Judgement::Gone);
        }
        if dry {
            let Some(raw) = self.probe.beginning(place.uid).await? else {
                return Ok(Judgement::Gone);
            };
            let arrived = Arrived { raw, ..header.clone() };
            let (intake, of_place) = (self.intake.clone(), reading.clone());
            let seen = blocking(move || intake.judged(&of_place, &arrived, None, now)).await?;
            if is_other(again, &seen) {
                return Ok(Judgement::Gone);
            }
            return verdict(seen, reading);
        }
        let spool = Arc::clone(self.intake.ledger.spool());
        let Some((first, writer, whole)) =
            self.probe.message(place.uid, &spool, self.max_message).await?
        else {
            return Ok(Judgement::Gone);
        };
        let arrived = Arrived { raw: first, ..header.clone() };
        let judged = self.intake.large(&reading, arrived, writer, whole, now).await?;
        match judged.take().pop() {
            Some(seen) if is_other(again, &seen) => {
                self.intake.ledger.sweep(&[seen]);
                Ok(Judgement::Gone)
            }
            Some(seen) => verdict(seen, reading),
            None => Ok(Judgement::Gone),
        }
    }
}

/// Whether the server handed out another message than the one that lay there: it gave its UIDs
/// anew under the same UIDVALIDITY, as after a restored backup. What could not be read has no
/// identity of its own yet.
fn is_other(again: &Again, seen: &Seen) -> bool {
    again.state != State::Quarantined && seen.fingerprint != again.fingerprint
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ledger::Error> + Send + 'static,
) -> Result<T, ledger::Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| ledger::Error::Interrupted { doing: "decide a message again" })?
}
