//! Reading one folder up to its end: which messages there are, header first, then the bodies
//! that are wanted, each batch committed before the cursor moves.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Error;
use super::bounds::Bounds;
use super::choose::by_hand;
use super::fetch::{Extent, HEADER_AMONG_OTHERS, Header, WHOLE};
use super::guard::MAX_LITERAL;
use super::link::{Link, Listed, Opened};
use super::trouble::{Failures, Next, Trouble};
use crate::folder::{FolderCursor, Role, Selected, Step, next_step};
use crate::intake::{AfterHeader, Arrived, Intake, Judged, Reading};
use crate::ledger::{self, FolderRow, Seen, Stretch};
use crate::{events, unix_now};

/// What is being done when a folder is opened; [`super::watch`] parks one that cannot be.
pub(super) const OPEN: &str = "open a folder";
/// UIDs asked for in one SEARCH at first; long answers cost the codec quadratic time.
const WINDOW: u32 = 4_000;
/// Messages of one transaction.
const BATCH: usize = 200;
/// Octets of bodies fetched at a time.
const GROUP: u64 = 2 * 1024 * 1024;
/// Octets that a header is reckoned with.
const HEADER: u64 = 8 * 1024;
/// Messages of one group.
const GROUP_MESSAGES: usize = 64;
/// UIDs before a message among which another one is looked for.
const BEFORE: u32 = 10_000;
/// Between two lines about how far a long reading is.
const TELL_EVERY: Duration = Duration::from_secs(15);
/// Refusals after which other messages are asked for: whoever says no to those as well is not asked
/// for all that are wanted.
const REFUSALS: u32 = 3;
/// A folder that is watched.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub listed: Listed,
    pub role: Role,
    /// The one for what is saved by hand.
    pub by_hand: bool,
}

/// Judging that goes on while the next messages are read.
type Judging<'a> = Pin<Box<dyn Future<Output = Result<Judged, ledger::Error>> + Send + 'a>>;

pub(super) struct CatchUp<'a> {
    pub link: &'a mut Link,
    pub intake: &'a Intake,
    pub bounds: &'a Bounds,
    pub trouble: &'a mut Trouble,
    pub history_days: u32,
    /// Octets.
    pub max_message: u64,
    /// Messages of the stretch that left the server before they were read.
    pub gone: BTreeSet<u32>,
    /// What the server lists of the folder that is being read.
    pub stretch: Arc<Stretch>,
    /// The folder's cursor as it was recorded last.
    pub cursor: u32,
    /// Messages without a row that are to be tried again later.
    pub left: Vec<u32>,
    /// How often the server said no to messages in this look.
    pub refusals: u32,
    /// It says no to all of them: the rest is left for later.
    pub refusing: bool,
    /// The message that was tried once more before it is given up.
    pub last_chance: Option<u32>,
    /// Other folders are still to be read: what is found waits for them, for at most [`ledger::HOLD`].
    pub first_pass: bool,
}

/// How far a folder was read.
pub(super) struct CaughtUp {
    pub opened: Opened,
    /// Messages that had no row before.
    pub read: u64,
    /// Some were left for later.
    pub left: bool,
    /// Less is listed than was announced.
    pub short: bool,
}

impl CatchUp<'_> {
    /// Reads a folder up to its end. `opened` is the folder's state if it is selected already
    /// and nothing but new mail is expected.
    pub(super) async fn folder(
        &mut self,
        folder: &Folder,
        already: Option<Opened>,
    ) -> Result<CaughtUp, Error> {
        let opened = match already {
            // What SELECT said is of yesterday.
            Some(opened) => Opened { uid_next: 0, exists: u32::MAX, ..opened },
            None => self.link.select(&folder.listed.wire).await?,
        };
        if already.is_none() && opened.exists > 0 {
            self.link.try_search().await?;
        }
        let now = unix_now();
        let name = folder.listed.name.as_str().to_owned();
        let ledger = &self.intake.ledger;
        let mut row = ledger
            .folder(self.intake.mailbox, name.clone(), folder.role.as_str(), now, self.history_days)
            .await?;
        // A clock that was ahead at first contact must not make all mail history.
        row.first_read_at = row.first_read_at.min(now);
        let started = Instant::now();
        let mut read = 0;
        loop {
            let selected =
                Selected { uid_validity: opened.uid_validity, uid_next: opened.uid_next };
            let step = next_step(cursor_of(&row), selected, now, self.history_days);
            match step {
                Step::Wait => break,
                Step::FirstContact { window_start } => {
                    self.begin(&name, &mut row, opened, window_start, None).await?;
                    let name = folder.listed.name.as_str();
                    events::folder_first_read(&self.intake.name, name, self.history_days);
                }
                Step::Renumbered { window_start } => {
                    if let Some(known) = self.carries_on(&name, &row, opened).await? {
                        row.cursor = row.cursor.min(known);
                        row.floor = row.floor.min(known);
                        row.first_until = row.first_until.min(known);
                        self.trouble.forget(&name);
                        self.intake.ledger.lower_cursor(row.clone()).await?;
                        continue;
                    }
                    if self.trouble.renumbered(&name, Instant::now()) {
                        let text = "it is renumbered at every look".to_owned();
                        return Err(Error::No { doing: OPEN, text });
                    }
                    events::folder_renumbered(&self.intake.name, folder.listed.name.as_str());
                    self.begin(&name, &mut row, opened, window_start, None).await?;
                }
                Step::Widen { window_start, floor } => {
                    self.begin(&name, &mut row, opened, window_start, Some(floor)).await?;
                }
                Step::FetchFrom { from } => {
                    let found = self.stretch(folder, &row, opened, from).await?;
                    read += found;
                    // What stands last may have left the server: then the cursor stays under
                    // UIDNEXT, and a longer history is begun all the same.
                    let quiet = row.cursor.max(row.floor).saturating_add(1);
                    let quiet = Selected { uid_next: quiet, ..selected };
                    match next_step(cursor_of(&row), quiet, now, self.history_days) {
                        Step::Widen { window_start, floor } if found == 0 => {
                            self.begin(&name, &mut row, opened, window_start, Some(floor)).await?;
                        }
                        Step::Widen { .. }
                        | Step::Wait
                        | Step::FirstContact { .. }
                        | Step::Renumbered { .. }
                        | Step::FetchFrom { .. } => break,
                    }
                }
            }
        }
        if opened.uid_next > 0 || read > 0 {
            let next = self.cursor.max(row.cursor).saturating_add(1);
            let behind = self.left.len() as u64;
            ledger.folder_seen(row.id, opened.uid_next.max(next), behind).await?;
        }
        if read > BATCH as u64 {
            events::folder_done(&self.intake.name, &name, read, started.elapsed().as_secs_f64());
        }
        let read = read.saturating_sub(self.left.len() as u64);
        let short = self.cursor.max(row.cursor).max(row.floor).saturating_add(1) < opened.uid_next;
        Ok(CaughtUp { opened, read, left: !self.left.is_empty(), short })
    }

    /// Reads everything from `from` upwards. Returns how many messages were new.
    async fn stretch(
        &mut self,
        folder: &Folder,
        row: &FolderRow,
        opened: Opened,
        from: u32,
    ) -> Result<u64, Error> {
        let reading = Reading {
            folder: row.id,
            name: folder.listed.name.as_str().to_owned(),
            role: folder.role,
            uid_validity: row.uid_validity,
            window_start: crate::folder::window_start(row.first_read_at, row.history_days),
            first_until: row.first_until,
            first_read_at: row.first_read_at,
            hold: if self.first_pass { ledger::HOLD } else { 0 },
            by_hand: by_hand(folder),
        };
        let end = match opened.uid_next {
            // A range is an error in an empty folder on some servers.
            _ if opened.exists == 0 => return Ok(0),
            0 => u32::MAX,
            next => next - 1,
        };
        let mut low = from;
        let mut window = WINDOW;
        let mut read = 0;
        let started = Instant::now();
        let mut told = started;
        self.left.clear();
        loop {
            let high = match end {
                // How far it goes is not known: all there is.
                u32::MAX => u32::MAX,
                end => end.min(low.saturating_add(window - 1)),
            };
            let listed = self.link.uids(low, high).await?;
            let mut uids = listed.clone();
            // Sparse numbers: look further ahead; dense ones: back to short answers.
            window = if uids.len() < 200 { window.saturating_mul(8) } else { WINDOW };
            // Below UIDNEXT may lie what is not listed yet: the folder ends with what is.
            let top = if high == end { uids.last().copied() } else { Some(high) };
            let placed = self.placed(row, &listed).await?;
            uids.retain(|uid| !placed.contains(uid));
            read += uids.len() as u64;
            if uids.len() > 1 {
                let last = listed.last().copied().unwrap_or(0);
                let next = opened.uid_next.max(last.saturating_add(1));
                self.intake.ledger.folder_seen(row.id, next, uids.len() as u64).await?;
            }
            self.gone.clear();
            self.cursor = 0;
            if let Some(top) = top {
                let listed = [self.left.clone(), listed].concat();
                self.stretch = Arc::new(Stretch { listed, top });
                self.messages(&reading, &uids).await?;
                if self.cursor < top && self.left.is_empty() {
                    // What left the server meanwhile, or a stretch without a single message.
                    self.commit(&reading, Vec::new()).await?;
                }
                if self.cursor < top && self.left.is_empty() {
                    return Err(Error::Unparsable {
                        doing: "read messages",
                        what: format!("message {} was not recorded", self.cursor.saturating_add(1)),
                    });
                }
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                // UIDs ahead are as dense as those behind, as far as anybody knows.
                let part = f64::from(high - from) / f64::from(end - from).max(1.0);
                let seconds = started.elapsed().as_secs_f64();
                let left = seconds * (1.0 - part) / part.max(0.001);
                events::folder_progress(
                    &self.intake.name,
                    &reading.name,
                    read,
                    part,
                    seconds,
                    left,
                );
            }
            match high.checked_add(1) {
                Some(next) if next <= end => low = next,
                Some(_) | None => return Ok(read),
            }
        }
    }

    /// Which of these (in order) have a place.
    async fn placed(&self, row: &FolderRow, uids: &[u32]) -> Result<BTreeSet<u32>, Error> {
        let (Some(&first), Some(&last)) = (uids.first(), uids.last()) else {
            return Ok(BTreeSet::new());
        };
        Ok(self.intake.ledger.placed_uids(row.id, row.uid_validity, first, last).await?)
    }

    /// Reads these messages, batch by batch; the last batch is judged while the next is read.
    async fn messages(&mut self, reading: &Reading, uids: &[u32]) -> Result<(), Error> {
        let mut judging: Option<Judging<'_>> = None;
        // Copies of the references, so that what is judged does not borrow from `self`.
        let intake = self.intake;
        // What failed before comes last: the others do not wait for it.
        let (clean, failed): (Vec<u32>, Vec<u32>) =
            uids.iter().partition(|uid| self.trouble.of(&reading.name, **uid).is_none());
        let batches = clean.chunks(BATCH).chain(failed.chunks(1));
        for batch in batches {
            self.room(reading, &mut judging).await?;
            let mut batches = vec![batch.to_vec()];
            while let Some(batch) = batches.pop() {
                if self.refusing {
                    self.left.extend(batch);
                    continue;
                }
                match self.batch(reading, &batch, &mut judging, intake).await {
                    Ok(postponed) => {
                        // One by one, for who asks for all of them again gets as much again.
                        batches.extend(postponed.iter().rev().map(|uid| vec![*uid]));
                    }
                    // The server said no to these messages but the session goes on: one by one.
                    Err(error @ Error::No { .. }) => {
                        self.settle(reading, &mut judging).await?;
                        self.trouble.note(&error, Instant::now());
                        self.refusals += 1;
                        if self.refusals.is_multiple_of(REFUSALS)
                            && let Some(&but) = batch.first()
                        {
                            self.refusing =
                                self.server_reads(&reading.name, but).await? == Some(false);
                        }
                        Box::pin(self.messages(reading, &batch)).await?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        self.settle(reading, &mut judging).await
    }

    /// Reads and judges these messages. Returns those that are to be read once more: their headers
    /// found no room among the others', or their messages were decided otherwise meanwhile.
    async fn batch<'i>(
        &mut self,
        reading: &Reading,
        uids: &[u32],
        judging: &mut Option<Judging<'i>>,
        intake: &'i Intake,
    ) -> Result<Vec<u32>, Error> {
        let Some(&first) = uids.first() else { return Ok(Vec::new()) };
        let alone = uids.len() == 1;
        let failures = if alone { self.trouble.of(&reading.name, first) } else { None };
        let now = unix_now();
        match Failures::next(failures, Instant::now()) {
            Next::Read | Next::Alone => {}
            Next::Later => {
                self.left.push(first);
                return Ok(Vec::new());
            }
            Next::GiveUp => {
                let others = self.server_reads(&reading.name, first).await?;
                self.refusing |= others == Some(false);
                let well = others == Some(true);
                let endless =
                    failures.is_some_and(|it| it.endless(others.is_some(), Instant::now()));
                if !well && !endless {
                    self.left.push(first);
                    return Ok(Vec::new());
                }
                // The server is well: it has a last chance, if it does not cost the connection.
                let refused = failures.is_some_and(Failures::was_refused);
                let last_chance = refused && self.last_chance.replace(first) != Some(first);
                if !last_chance {
                    let why = "the server cannot hand it out, or what it hands out cannot be read";
                    let seen = intake.unreadable(reading, first, why, now);
                    self.settle(reading, judging).await?;
                    self.commit(reading, vec![seen]).await?;
                    self.trouble.read(&reading.name, first);
                    return Ok(Vec::new());
                }
            }
        }
        self.trouble.begin(&reading.name, uids);
        // Whoever failed once may know no pieces of headers.
        let extent = if failures.is_some() { Extent::Whole } else { Extent::Beginning };
        let mut postponed = Vec::new();
        let headers = if failures.is_some_and(Failures::raw_only) {
            vec![Header { uid: first, size: u64::MAX, ..Header::default() }]
        } else {
            let octets = match extent {
                Extent::Beginning => uids.len() as u64 * HEADER,
                Extent::Whole => MAX_LITERAL,
            };
            let _permit = match self.bounds.permit_now(octets) {
                Some(permit) => permit,
                None => {
                    self.settle(reading, judging).await?;
                    self.bounds.permit(octets).await?
                }
            };
            let room = usize::try_from(octets).unwrap_or(usize::MAX);
            let asked = self.link.headers(uids, extent, room);
            let (headers, judged) = tokio::join!(asked, judged(judging));
            self.commit_some(reading, judged?).await?;
            let (headers, rest) = headers?;
            postponed = rest;
            headers
        };
        let came = headers.iter().map(|header| header.uid).chain(postponed.iter().copied());
        self.absent(uids, came).await?;
        let mut small: Vec<(Arrived, u64)> = Vec::new();
        let mut large: Vec<(Arrived, u64)> = Vec::new();
        let mut wants = |header: Arrived, size: u64| {
            if size <= WHOLE { &mut small } else { &mut large }.push((header, size));
        };
        let mut arrived = Vec::with_capacity(headers.len());
        let mut sizes = Vec::with_capacity(headers.len());
        for Header { uid, size, internal_date, header: raw } in headers {
            let cut = extent == Extent::Beginning && raw.len() >= HEADER_AMONG_OTHERS;
            let header = Arrived { uid, internal_date, raw };
            if cut {
                // What decides may stand behind it.
                wants(header, size);
            } else {
                arrived.push(header);
                sizes.push(size);
            }
        }
        let verdicts = intake.headers(reading, &arrived, now).await?;
        let mut decided = Vec::new();
        for ((header, size), verdict) in arrived.into_iter().zip(sizes).zip(verdicts) {
            match verdict {
                AfterHeader::Decided(seen) => decided.push(*seen),
                AfterHeader::WantsBody => wants(header, size),
            }
        }
        if !decided.is_empty() {
            postponed.extend(self.commit(reading, decided).await?);
        }
        for group in groups(small) {
            // Once more: the bodies of one batch can be many times what the spool may hold.
            self.room(reading, judging).await?;
            let octets = group.iter().map(|(_, size)| *size).sum();
            let permit = match self.bounds.permit_now(octets) {
                Some(permit) => permit,
                None => {
                    // What is being judged holds memory: nobody waits while holding some.
                    self.settle(reading, judging).await?;
                    self.bounds.permit(octets).await?
                }
            };
            let wanted: Vec<u32> = group.iter().map(|(header, _)| header.uid).collect();
            let (bodies, judged) = tokio::join!(self.link.bodies(&wanted), judged(judging));
            self.commit_some(reading, judged?).await?;
            let (bodies, rest) = bodies?;
            let came = bodies.iter().map(|(uid, _)| *uid).chain(rest.iter().copied());
            let gone = self.absent(&wanted, came).await?;
            let mut dates: HashMap<u32, Arrived> =
                group.into_iter().map(|(header, _)| (header.uid, header)).collect();
            // Larger than the server said.
            large.extend(rest.iter().filter_map(|uid| Some((dates.remove(uid)?, u64::MAX))));
            let left = gone.iter().filter_map(|uid| dates.remove(uid));
            let left: Vec<Seen> = left.map(|header| intake.gone(reading, &header, now)).collect();
            let arrived = bodies
                .into_iter()
                .map(|(uid, raw)| {
                    let internal_date = dates.get(&uid).and_then(|header| header.internal_date);
                    Arrived { uid, internal_date, raw }
                })
                .collect();
            let reading = reading.clone();
            *judging = Some(Box::pin(async move {
                let mut seen = intake.bodies(&reading, arrived, now).await?;
                seen.extend(left);
                drop(permit);
                Ok(seen)
            }));
        }
        for (header, size) in large {
            self.settle(reading, judging).await?;
            self.room(reading, judging).await?;
            let seen = self.large(reading, header, size, now).await?;
            self.commit(reading, seen).await?;
        }
        self.trouble.end();
        if failures.is_some() {
            self.trouble.read(&reading.name, first);
        }
        Ok(postponed)
    }

    /// Whether the server hands out other messages, before one is given up: one that says no to
    /// all of them has a bad day (Exchange: `NO Server Unavailable`). `None` if there is no other.
    async fn server_reads(&mut self, name: &str, but: u32) -> Result<Option<bool>, Error> {
        let listed = &self.stretch.listed;
        let lowest = listed.first().map_or(but, |first| but.min(*first));
        let mut others: Vec<u32> = [listed.last(), listed.get(listed.len() / 2), listed.first()]
            .into_iter()
            .flatten()
            .copied()
            .filter(|uid| *uid != but)
            .collect();
        // What was read long ago, if the new ones are few.
        if lowest > 1 {
            let before = self.link.uids(lowest.saturating_sub(BEFORE).max(1), lowest - 1).await?;
            others.extend(before.last());
        }
        others.dedup();
        // Not one that costs the connection: it would again.
        let costs = |uid: &u32| self.trouble.of(name, *uid).is_some_and(Failures::costs);
        others.retain(|uid| !costs(uid));
        for other in &others {
            self.trouble.begin(name, &[*other]);
            let headers = self.link.headers(&[*other], Extent::Whole, usize::MAX).await;
            match headers {
                Ok((headers, _)) if !headers.is_empty() => {
                    self.trouble.end();
                    return Ok(Some(true));
                }
                Ok(_) | Err(Error::No { .. }) => self.trouble.end(),
                Err(error) => return Err(error),
            }
        }
        Ok((!others.is_empty()).then_some(false))
    }

    /// Which of the wanted messages did not come because they left the server.
    ///
    /// One that is still there but did not come is an answer that cannot be trusted: the cursor
    /// must not pass it.
    pub(super) async fn absent(
        &mut self,
        wanted: &[u32],
        came: impl Iterator<Item = u32>,
    ) -> Result<Vec<u32>, Error> {
        let came: Vec<u32> = came.collect();
        let missing: Vec<u32> = wanted.iter().copied().filter(|uid| !came.contains(uid)).collect();
        let (Some(&low), Some(&high)) = (missing.first(), missing.last()) else {
            return Ok(missing);
        };
        let there = self.link.uids(low, high).await?;
        if let Some(uid) = missing.iter().find(|uid| there.contains(uid)) {
            return Err(Error::No {
                doing: "read messages",
                text: format!("message {uid} is there but was not handed out"),
            });
        }
        self.gone.extend(&missing);
        Ok(missing)
    }

    /// Waits for what is being judged and records it.
    async fn settle(
        &mut self,
        reading: &Reading,
        judging: &mut Option<Judging<'_>>,
    ) -> Result<(), Error> {
        let seen = judged(judging).await?;
        self.commit_some(reading, seen).await
    }

    async fn commit_some(
        &mut self,
        reading: &Reading,
        judged: Option<Judged>,
    ) -> Result<(), Error> {
        if let Some(judged) = judged {
            self.commit(reading, judged.take()).await?;
        }
        Ok(())
    }

    /// Records what was judged, and moves the cursor with it. Returns what is to be read once
    /// more, which may be among what was judged by headers only.
    async fn commit(&mut self, reading: &Reading, seen: Vec<Seen>) -> Result<Vec<u32>, Error> {
        let now = unix_now();
        let recorded = self.intake.record(reading, seen, &self.stretch, &self.gone, now).await?;
        let (cursor, again) = recorded;
        self.cursor = cursor;
        Ok(again)
    }

    /// Waits while the spool is full; says so once. What was fetched already is recorded first,
    /// so that it can be delivered.
    async fn room(
        &mut self,
        reading: &Reading,
        judging: &mut Option<Judging<'_>>,
    ) -> Result<(), Error> {
        const MIB: u64 = 1024 * 1024;
        let spool = Arc::clone(self.intake.ledger.spool());
        if spool.is_full() {
            self.settle(reading, judging).await?;
            // What waits for the other folders is what makes room.
            self.intake.ledger.let_go(self.intake.mailbox, unix_now()).await?;
        }
        let mut noop_at = Instant::now() + Duration::from_secs(120);
        while spool.is_full() {
            if !self.bounds.full.swap(true, Ordering::Relaxed) {
                events::spool_full(spool.used() / MIB, spool.max() / MIB);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            if Instant::now() > noop_at {
                // The server hangs up on who is silent for half an hour.
                self.link.noop().await?;
                noop_at = Instant::now() + Duration::from_secs(120);
            }
        }
        if self.bounds.full.swap(false, Ordering::Relaxed) {
            events::spool_has_room();
        }
        Ok(())
    }
}

async fn judged(judging: &mut Option<Judging<'_>>) -> Result<Option<Judged>, ledger::Error> {
    match judging.take() {
        None => Ok(None),
        Some(judging) => judging.await.map(Some),
    }
}

/// Neighbours whose bodies are fetched together.
fn groups(messages: Vec<(Arrived, u64)>) -> Vec<Vec<(Arrived, u64)>> {
    let mut groups: Vec<Vec<(Arrived, u64)>> = Vec::new();
    let mut octets = 0;
    for (header, size) in messages {
        match groups.last_mut() {
            // Sizes are the server's word: a group of claimed nothings stays small too.
            Some(group) if octets + size <= GROUP && group.len() < GROUP_MESSAGES => {
                group.push((header, size));
            }
            Some(_) | None => {
                octets = 0;
                groups.push(vec![(header, size)]);
            }
        }
        octets += size;
    }
    groups
}

fn cursor_of(row: &FolderRow) -> Option<FolderCursor> {
    (row.uid_validity != 0).then(|| FolderCursor {
        uid_validity: row.uid_validity,
        cursor: row.cursor,
        floor: row.floor,
        first_read_at: row.first_read_at,
        window_start: crate::folder::window_start(row.first_read_at, row.history_days),
    })
}
