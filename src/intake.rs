//! One raw message in, one ledger transaction out.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::events;
use crate::folder::Role;
use crate::ledger::{
    self, Batch, Known, Ledger, Location, MailboxId, MessageFacts, PLACE_BY_HAND, Recorded, Seen,
    SpoolWriter, Stretch, Verdict,
};
use crate::message::{self, Class, FromBody, Message};
use crate::rules::admit::{Admitted, Arrival, Decision, admit};
use crate::rules::{Evidence, Reason, RuleSet};

/// Octets of a message that identity, facts and text are taken from when it is too large to be
/// read whole.
pub const FIRST_MIB: usize = 1024 * 1024;

/// Octets of a header from which on it may have been cut.
const LONG_HEADER: usize = 64 * 1024;

const DAY: i64 = 86_400;

/// The folder that is being read.
#[derive(Clone, Debug)]
pub struct Reading {
    pub folder: i64,
    pub name: String,
    pub role: Role,
    pub uid_validity: u32,
    /// INTERNALDATE before which mail is history that nobody asked for, Unix seconds.
    pub window_start: i64,
    /// UIDs at or below it belong to the folder's first reading.
    pub first_until: u32,
    /// When that was, Unix seconds.
    pub first_read_at: i64,
    /// Seconds that what is queued waits until the other folders are read as well.
    pub hold: i64,
    /// A person wants what is read here in the CRM, and how they said so.
    pub by_hand: Option<Arc<str>>,
}

impl Reading {
    /// What its places are recorded as: a place that a person chose decides anew what was skipped
    /// elsewhere.
    pub fn place_role(&self) -> &'static str {
        if self.by_hand.is_some() { PLACE_BY_HAND } else { self.role.as_str() }
    }
}

/// A message as the server gave it.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub uid: u32,
    /// Unix seconds; `None` if the server gave none that can be read.
    pub internal_date: Option<i64>,
    /// The header block, or the whole message.
    pub raw: Vec<u8>,
}

/// What is known after a header.
pub enum AfterHeader {
    /// Decided without its body.
    Decided(Box<Seen>),
    /// The body is needed.
    WantsBody,
}

/// What was judged, with its segments in the spool. Dropped unrecorded, as when the mailbox is
/// stopped in between, it takes them along.
pub struct Judged {
    seen: Vec<Seen>,
    ledger: Ledger,
}

impl Judged {
    /// Takes further ones in.
    pub fn extend(&mut self, more: Vec<Seen>) {
        self.seen.extend(more);
    }

    /// To be recorded.
    pub fn take(mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Judged {
    fn drop(&mut self) {
        self.ledger.sweep(&self.seen);
    }
}

/// Judges and records the messages of one mailbox.
#[derive(Clone)]
pub struct Intake {
    pub ledger: Ledger,
    pub mailbox: MailboxId,
    pub name: Arc<str>,
    pub owner: u64,
    /// Replaced on reload without touching the connection.
    pub rules: watch::Receiver<Arc<RuleSet>>,
}

impl Intake {
    /// Judges messages by their header blocks, in the order given.
    pub async fn headers(
        &self,
        reading: &Reading,
        headers: &[Arrived],
        now: i64,
    ) -> Result<Vec<AfterHeader>, ledger::Error> {
        // A crafted header can keep the parser busy for a while, and the other mailboxes share the
        // thread. What is copied for it is bounded by what one FETCH may bring.
        let raw: Vec<Vec<u8>> = headers.iter().map(|header| header.raw.clone()).collect();
        let parsed: Vec<_> = tokio::task::spawn_blocking(move || {
            raw.iter().map(|raw| message::parse(raw)).collect()
        })
        .await
        .map_err(|_| ledger::Error::Interrupted { doing: "read headers" })?;
        let fingerprints: Vec<[u8; 32]> = parsed
            .iter()
            .map(|parsed| parsed.as_ref().map_or([0; 32], |message| message.fingerprint))
            .collect();
        let known =
            self.ledger.known(self.mailbox, reading.folder, reading.place_role(), fingerprints);
        let known = known.await?;
        let judged = headers.iter().zip(parsed).zip(known);
        Ok(judged
            .map(|((header, parsed), known)| {
                // Identity without a Message-ID is made of the body too; and what the parser
                // gave up on is kept whole.
                let Ok(message) = parsed else { return AfterHeader::WantsBody };
                if message.message_id.is_none() {
                    return AfterHeader::WantsBody;
                }
                let admitted = self.admit(reading, &message, None, header, now);
                let verdict = match (known, &admitted.decision) {
                    (Known::PlaceOnly, _) => Verdict::PlaceOnly,
                    (Known::New | Known::DecideAnew, Decision::Skip(reason)) => {
                        Verdict::Skip(*reason)
                    }
                    (Known::New | Known::DecideAnew, Decision::Queue { .. }) => {
                        return AfterHeader::WantsBody;
                    }
                };
                AfterHeader::Decided(Box::new(seen(header, message, admitted, verdict, now)))
            })
            .collect())
    }

    /// Judges whole messages and lays those that are to be filed into the spool, synced.
    pub async fn bodies(
        &self,
        reading: &Reading,
        arrived: Vec<Arrived>,
        now: i64,
    ) -> Result<Judged, ledger::Error> {
        let this = self.clone();
        let reading = reading.clone();
        let work = move || {
            let mut writer = this.ledger.spool().writer()?;
            let mut seen = Vec::with_capacity(arrived.len());
            for one in &arrived {
                seen.push(this.judge(&reading, one, now, |raw| {
                    writer.append(raw)?;
                    Ok((writer.end_message(), true))
                })?);
            }
            if writer.octets() > 0 {
                writer.finish()?;
            }
            Ok(Judged { seen, ledger: this.ledger })
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| ledger::Error::Interrupted { doing: "judge messages" })?
    }

    /// Judges one large message that lies in a segment of its own. `first` is its first MiB.
    pub async fn large(
        &self,
        reading: &Reading,
        first: Arrived,
        mut writer: SpoolWriter,
        whole: bool,
        now: i64,
    ) -> Result<Judged, ledger::Error> {
        let this = self.clone();
        let reading = reading.clone();
        let work = move || {
            let raw = writer.end_message();
            let mut wanted = false;
            let seen = this.judge(&reading, &first, now, |_| {
                wanted = true;
                Ok((raw, whole))
            })?;
            if wanted {
                writer.finish()?;
            }
            Ok(Judged { seen: vec![seen], ledger: this.ledger })
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| ledger::Error::Interrupted { doing: "judge a message" })?
    }

    /// Judges a message by its header block as if it were new.
    pub fn header_again(&self, reading: &Reading, header: &Arrived, now: i64) -> AfterHeader {
        let Ok(message) = message::parse(&header.raw) else { return AfterHeader::WantsBody };
        // A long header was cut: who else it names stands behind.
        if message.message_id.is_none() || header.raw.len() >= LONG_HEADER {
            return AfterHeader::WantsBody;
        }
        let admitted = self.admit(reading, &message, None, header, now);
        match admitted.decision {
            Decision::Queue { .. } => AfterHeader::WantsBody,
            Decision::Skip(reason) => {
                let verdict = Verdict::Skip(reason);
                AfterHeader::Decided(Box::new(seen(header, message, admitted, verdict, now)))
            }
        }
    }

    /// Judges a message that lies in the spool already, or, without a location, one that is only
    /// to be judged. Blocks.
    pub fn judged(
        &self,
        reading: &Reading,
        arrived: &Arrived,
        kept: Option<(Location, bool)>,
        now: i64,
    ) -> Result<Seen, ledger::Error> {
        let nowhere = Location { segment: 0, start: 0, length: 0 };
        self.judge(reading, arrived, now, |_| Ok(kept.unwrap_or((nowhere, true))))
    }

    /// Judges a message by what lies of it in the spool, as if it were new. `received` is when it
    /// was received by the ledger, Unix seconds.
    pub async fn spooled_again(
        &self,
        reading: &Reading,
        uid: u32,
        kept: (Location, bool),
        received: i64,
        now: i64,
    ) -> Result<Seen, ledger::Error> {
        let (intake, reading) = (self.clone(), reading.clone());
        let work = move || {
            // It was inside the window when it arrived.
            let raw = intake.ledger.spool().read(kept.0)?;
            let arrived = Arrived { uid, internal_date: Some(i64::MAX), raw };
            let mut seen = intake.judged(&reading, &arrived, Some(kept), now)?;
            // When the server got it is known no more: as the ledger has it.
            if seen.facts.received_at > received.saturating_add(DAY) {
                seen.facts.received_at = received;
            }
            Ok(seen)
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| ledger::Error::Interrupted { doing: "decide a message again" })?
    }

    /// Sets the state of a message by what was judged again, unless it is owed, filed or refused
    /// meanwhile: then `None`.
    pub async fn decide_again(
        &self,
        reading: &Reading,
        message: i64,
        seen: Seen,
        now: i64,
    ) -> Result<Option<Recorded>, ledger::Error> {
        let batch = Batch {
            mailbox: self.mailbox,
            folder: reading.folder,
            role: reading.place_role(),
            uid_validity: reading.uid_validity,
            owner: self.owner,
            stretch: Arc::new(Stretch::default()),
            // It may have been filed by a ledger that was lost: looked up before anything is made.
            history_until: u32::MAX,
            seen: vec![seen],
            gone: BTreeSet::new(),
            now,
            due_at: now,
        };
        self.ledger.decide_again(message, batch).await
    }

    /// Says in the log what became of a message that was decided again.
    pub fn tell_again(&self, reading: &Reading, message: i64, seen: &Seen) {
        self.tell(reading, message, seen.uid, seen.facts.message_id.as_deref(), &seen.verdict);
    }

    /// A message that the server names but cannot hand out.
    pub fn unreadable(&self, reading: &Reading, uid: u32, why: &str, now: i64) -> Seen {
        let mut digest = Sha256::new();
        let place = format!("{}\0{}\0{}\0{uid}", self.name, reading.name, reading.uid_validity);
        digest.update(place.as_bytes());
        Seen {
            uid,
            fingerprint: digest.finalize().into(),
            facts: no_facts(why, now),
            verdict: Verdict::Quarantine { raw: None, whole: true },
        }
    }

    /// A message that left the server before its body was read.
    pub fn gone(&self, reading: &Reading, header: &Arrived, now: i64) -> Seen {
        match message::parse(&header.raw) {
            Err(_) => {
                let seen = self.unreadable(reading, header.uid, "it left the server", now);
                Seen { verdict: Verdict::Skip(Reason::Gone), ..seen }
            }
            Ok(message) => {
                let admitted = self.admit(reading, &message, None, header, now);
                seen(header, message, admitted, Verdict::Skip(Reason::Gone), now)
            }
        }
    }

    /// Records what was judged; says the fate of each in the log. Returns the folder's cursor, and
    /// which UIDs are to be read once more.
    pub async fn record(
        &self,
        reading: &Reading,
        seen: Vec<Seen>,
        stretch: &Arc<Stretch>,
        gone: &BTreeSet<u32>,
        now: i64,
    ) -> Result<(u32, Vec<u32>), ledger::Error> {
        let told: Vec<(u32, Option<String>, Verdict)> = seen
            .iter()
            .map(|one| (one.uid, one.facts.message_id.clone(), one.verdict.clone()))
            .collect();
        let batch = Batch {
            mailbox: self.mailbox,
            folder: reading.folder,
            role: reading.place_role(),
            uid_validity: reading.uid_validity,
            owner: self.owner,
            stretch: Arc::clone(stretch),
            history_until: reading.first_until,
            seen,
            gone: gone.clone(),
            now,
            due_at: now.saturating_add(reading.hold),
        };
        let (recorded, cursor) = self.ledger.record(batch).await?;
        if !told.is_empty() && self.ledger.has_room_now() {
            events::ledger_has_room();
        }
        let mut again = Vec::new();
        for (recorded, (uid, message_id, verdict)) in recorded.iter().zip(&told) {
            let id = message_id.as_deref();
            match *recorded {
                Recorded::Decided { message } => self.tell(reading, message, *uid, id, verdict),
                Recorded::Placed { message } => {
                    events::message_placed(&self.name, &reading.name, message, id);
                }
                Recorded::Again => again.push(*uid),
            }
        }
        Ok((cursor, again))
    }

    fn tell(
        &self,
        reading: &Reading,
        message: i64,
        uid: u32,
        message_id: Option<&str>,
        verdict: &Verdict,
    ) {
        let (mailbox, folder) = (&*self.name, &*reading.name);
        match verdict {
            Verdict::PlaceOnly => events::message_placed(mailbox, folder, message, message_id),
            Verdict::Skip(reason) => {
                events::message_skipped(mailbox, folder, message, message_id, reason.code());
            }
            Verdict::Queue { .. } => events::message_queued(mailbox, folder, message, message_id),
            Verdict::Quarantine { .. } => {
                events::message_quarantined(mailbox, folder, uid, message, "unreadable");
            }
        }
    }

    fn judge(
        &self,
        reading: &Reading,
        arrived: &Arrived,
        now: i64,
        keep: impl FnOnce(&[u8]) -> Result<(Location, bool), ledger::Error>,
    ) -> Result<Seen, ledger::Error> {
        let judged = catch_unwind(AssertUnwindSafe(|| {
            let message = message::parse(&arrived.raw).map_err(|error| error.to_string())?;
            let forwards = self.rules.borrow().forwards;
            let from_body = message::from_body(&message, &arrived.raw, forwards);
            let admitted = self.admit(reading, &message, Some(&from_body), arrived, now);
            Ok((message, admitted))
        }));
        // A mail that ends the judging must not end the daemon, and again after each start.
        let judged = judged.unwrap_or_else(|_| Err("it ended the judging".to_owned()));
        let (message, admitted) = match judged {
            Ok(judged) => judged,
            Err(why) => return self.quarantine(arrived, &why, now, keep),
        };
        let verdict = match admitted.decision {
            Decision::Skip(reason) => Verdict::Skip(reason),
            Decision::Queue { undecided_employees } => {
                let (raw, whole) = keep(&arrived.raw)?;
                let lane = admitted.parties.first().map(|party| party.email.clone());
                Verdict::Queue {
                    lane: lane.unwrap_or_default(),
                    raw,
                    whole,
                    employees_known: !undecided_employees,
                }
            }
        };
        let refs = refs_of(&message, &arrived.raw);
        let mut seen = seen(arrived, message, admitted, verdict, now);
        seen.facts.refs = refs;
        Ok(seen)
    }

    fn quarantine(
        &self,
        arrived: &Arrived,
        why: &str,
        now: i64,
        keep: impl FnOnce(&[u8]) -> Result<(Location, bool), ledger::Error>,
    ) -> Result<Seen, ledger::Error> {
        let (raw, whole) = keep(&arrived.raw)?;
        let mut digest = Sha256::new();
        digest.update(&arrived.raw);
        Ok(Seen {
            uid: arrived.uid,
            fingerprint: digest.finalize().into(),
            facts: no_facts(why, arrived.internal_date.unwrap_or(now)),
            verdict: Verdict::Quarantine { raw: Some(raw), whole },
        })
    }

    fn admit(
        &self,
        reading: &Reading,
        message: &Message,
        body: Option<&FromBody>,
        arrived: &Arrived,
        now: i64,
    ) -> Admitted {
        let employees = self.ledger.employee_addresses();
        let rules = Arc::clone(&self.rules.borrow());
        let internal_date = arrived.internal_date.unwrap_or(now);
        let first = arrived.uid <= reading.first_until;
        // What came later is new, though the server's clock may go after ours.
        let window_start =
            if first { reading.window_start } else { reading.window_start.saturating_sub(DAY) };
        admit(
            &rules,
            &Arrival {
                message,
                body,
                role: reading.role,
                internal_date,
                window_start,
                employees: employees.as_deref(),
                // Numbered anew, a folder's new mail has numbers below it too.
                first_reading: first && internal_date < reading.first_read_at,
                by_hand: reading.by_hand.as_deref(),
            },
        )
    }
}

fn no_facts(why: &str, received_at: i64) -> MessageFacts {
    MessageFacts {
        message_id: None,
        given_on_the_way: false,
        direction: None,
        class: Class::Normal,
        sender: None,
        subject: String::new(),
        received_at,
        refs: Vec::new(),
        evidence: vec![Evidence::new("unreadable", why)],
        crm_activity: None,
    }
}

fn seen(
    arrived: &Arrived,
    message: Message,
    admitted: Admitted,
    verdict: Verdict,
    now: i64,
) -> Seen {
    let refs = refs(&message);
    let received_at = received_at(message.date, arrived.internal_date.unwrap_or(now));
    let mut evidence = admitted.evidence;
    if let Verdict::Skip(Reason::Gone) = verdict {
        evidence.push(Evidence::new("gone", "it left the server before its body was read"));
    }
    Seen {
        uid: arrived.uid,
        fingerprint: message.fingerprint,
        facts: MessageFacts {
            given_on_the_way: message.original_id.is_some(),
            message_id: message.message_id,
            direction: Some(admitted.direction),
            class: message.class.class,
            sender: message.from.map(|from| from.email),
            subject: message.subject,
            received_at,
            refs,
            evidence,
            crm_activity: message.crm_activity,
        },
        verdict,
    }
}

/// What a message answers: In-Reply-To, then References from the right, each once. A bounce belongs
/// to the mail it is about; few reports name it in References.
pub fn refs_of(message: &Message, raw: &[u8]) -> Vec<String> {
    let mut refs = refs(message);
    if message.class.class == Class::Bounce {
        for id in message::returned(raw) {
            if !refs.contains(&id) {
                refs.push(id);
            }
        }
    }
    refs
}

/// In-Reply-To, then References from the right, each once.
fn refs(message: &Message) -> Vec<String> {
    let mut refs: Vec<String> = Vec::new();
    for id in message.in_reply_to.iter().chain(message.references.iter().rev()) {
        if !refs.contains(id) {
            refs.push(id.clone());
        }
    }
    refs
}

/// The Date header, or INTERNALDATE if that is missing or Date lies more than a day after it
/// (rule 11).
fn received_at(date: Option<i64>, internal_date: i64) -> i64 {
    match date {
        Some(date) if date <= internal_date.saturating_add(DAY) => date,
        Some(_) | None => internal_date,
    }
}
