//! Reads the messages of a mailbox's history, and judges them as they would be judged on arrival.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::super::Trouble;
use super::super::named::folder_row;
use super::super::print::clean;
use super::super::progress::Progress;
use crate::config::Mailbox;
use crate::folder::{Role, window_start};
use crate::imap::{self, FolderProbe, Probe};
use crate::intake::{self, Arrived};
use crate::ledger::{self, Ledger};
use crate::message::{self, FromBody, Message, VCard};
use crate::rules::admit::{Admitted, Arrival, Decision, admit};
use crate::rules::{Reason, RuleSet};

/// Headers asked for at a time.
const HEADERS: usize = 200;
/// Octets of a header that are handed out among others: one that long may be cut there.
const LONG_HEADER: usize = 64 * 1024;

/// A message of the history as it was read and judged.
pub(super) struct Read {
    pub folder: String,
    pub uid: u32,
    pub fingerprint: [u8; 32],
    /// Unix seconds.
    pub internal_date: Option<i64>,
    /// `None`: it cannot be read.
    pub judged: Option<Box<Judged>>,
}

pub(super) struct Judged {
    pub message: Message,
    pub admitted: Admitted,
    pub codes: Vec<u64>,
    pub refs: Vec<String>,
    pub vcards: Vec<VCard>,
}

impl Read {
    /// Why it is not filed, as far as that is decided before the CRM is asked.
    pub(super) fn reason(&self) -> Option<Reason> {
        match self.judged.as_ref().map(|judged| judged.admitted.decision) {
            None => Some(Reason::Unreadable),
            Some(Decision::Skip(reason)) => Some(reason),
            Some(Decision::Queue { .. }) => None,
        }
    }
}

/// Goes through a mailbox's folders as the daemon does when it first reads them.
pub(super) struct Reader<'a> {
    pub mailbox: &'a Mailbox,
    pub rules: RuleSet,
    pub employees: HashSet<String>,
    pub ledger: Option<&'a Ledger>,
    pub now: i64,
    pub read: Vec<Read>,
    /// Where each message stands in `read`: a copy is no message of its own.
    pub known: HashMap<[u8; 32], usize>,
    pub windows: HashMap<String, i64>,
    pub whole: bool,
}

impl Reader<'_> {
    pub(super) async fn history(&mut self) -> Result<(), Trouble> {
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
        let place = format!("{}/{}", self.mailbox.name, folder.name);
        match probe.select(folder).await {
            Err(imap::Error::No { text, .. }) => {
                self.left_out(&place, &format!("the server says: {text}"), progress);
                return Ok(());
            }
            other => other?,
        };
        self.windows.insert(folder.name.clone(), window);
        let uids = probe.since(window).await?;
        let each = part / uids.len().max(1) as f64;
        let mut pieces: Vec<Vec<u32>> = uids.chunks(HEADERS).rev().map(<[u32]>::to_vec).collect();
        while let Some(uids) = pieces.pop() {
            let (headers, postponed) = match (probe.headers(&uids).await, uids.as_slice()) {
                // Halved where the server refuses one of them, until that stands alone.
                (Err(imap::Error::No { .. }), [_, _, ..]) => {
                    let (low, high) = uids.split_at(uids.len() / 2);
                    pieces.extend([high.to_vec(), low.to_vec()]);
                    continue;
                }
                (Err(imap::Error::No { text, .. }), [uid]) => {
                    let why = format!("the server says: {text}");
                    self.left_out(&format!("{place}/{uid}"), &why, progress);
                    self.unreadable(folder, *uid, None);
                    progress.advance(each, 1);
                    continue;
                }
                (other, _) => other?,
            };
            if !postponed.is_empty() {
                pieces.push(postponed);
            }
            for header in headers {
                progress.advance(each, 1);
                let (uid, date) = (header.uid, header.internal_date);
                if date.is_some_and(|date| date < window) {
                    continue;
                }
                match self.one(probe, folder, header, window).await {
                    // As the daemon takes it that asked often enough.
                    Err(imap::Error::No { text, .. }) => {
                        let why = format!("the server says: {text}");
                        self.left_out(&format!("{place}/{uid}"), &why, progress);
                        self.unreadable(folder, uid, date);
                    }
                    other => other?,
                }
            }
        }
        Ok(())
    }

    /// Says what could not be looked at; the rest goes on.
    fn left_out(&mut self, what: &str, why: &str, progress: &Progress) {
        self.whole = false;
        progress.say(&clean(&format!("{what}: {why}")));
    }

    /// A message that goes to quarantine, for no rule can judge it.
    fn unreadable(&mut self, folder: &FolderProbe, uid: u32, internal_date: Option<i64>) {
        let place = format!("{}\0{uid}", folder.name);
        let fingerprint = Sha256::digest(place.as_bytes()).into();
        let folder = folder.name.clone();
        self.take(Read { folder, uid, fingerprint, internal_date, judged: None });
    }

    /// The window counts back from the folder's first reading.
    async fn first_read_at(&self, folder: &FolderProbe) -> Result<i64, ledger::Error> {
        let Some(ledger) = self.ledger else { return Ok(self.now) };
        let row = folder_row(ledger, self.mailbox, &folder.name).await?;
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
        // Of a header that was cut something may be missing that decides.
        let whole = header.raw.len() < LONG_HEADER;
        let parsed = message::parse(&header.raw).ok().filter(|_| whole);
        let decided = parsed.filter(|message| message.message_id.is_some()).and_then(|message| {
            let admitted = judge(&message, None);
            let skips = matches!(admitted.decision, Decision::Skip(_));
            let (codes, refs, vcards) = (Vec::new(), Vec::new(), Vec::new());
            skips.then_some(Judged { message, admitted, codes, refs, vcards })
        });
        let judged = match decided {
            Some(judged) => judged,
            None => {
                let Some(raw) = probe.beginning(header.uid).await? else { return Ok(()) };
                // What the parser gives up on goes to quarantine, and is no matter of the rules.
                let Ok(message) = message::parse(&raw) else {
                    self.unreadable(folder, header.uid, header.internal_date);
                    return Ok(());
                };
                let body = message::from_body(&message, &raw, self.rules.forwards);
                let admitted = judge(&message, Some(&body));
                let refs = intake::refs_of(&message, &raw);
                let files = matches!(admitted.decision, Decision::Queue { .. });
                // Those in the first MiB: more is not read for a plan.
                let vcards = if files && message::may_have_vcards(&raw) {
                    message::vcards(&raw)
                } else {
                    Vec::new()
                };
                let codes = message::reply_codes(&message, &raw);
                Judged { message, admitted, codes, refs, vcards }
            }
        };
        self.take(Read {
            folder: folder.name.clone(),
            uid: header.uid,
            fingerprint: judged.message.fingerprint,
            internal_date: header.internal_date,
            judged: Some(Box::new(judged)),
        });
        Ok(())
    }

    fn take(&mut self, read: Read) {
        match self.known.get(&read.fingerprint) {
            None => {
                self.known.insert(read.fingerprint, self.read.len());
                self.read.push(read);
            }
            // The first place that files it decides.
            Some(&at) => {
                if let Some(before) = self.read.get_mut(at)
                    && before.reason().is_some()
                    && read.reason().is_none()
                {
                    *before = read;
                }
            }
        }
    }
}
