//! What people save by hand with a keyword: which messages bear it, and deciding those again.
//!
//! Flags are read, never changed, and only over the connection that is there. What is found waits
//! until all new mail was read.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Error;
use super::bounds::Bounds;
use super::catch_up::Folder;
use super::fetch::{Extent, HEADER_AMONG_OTHERS, Header};
use super::large::{Pieces, in_pieces};
use super::link::Link;
use super::trouble::{Failures, Next, Trouble};
use crate::config::Mailbox;
use crate::intake::{AfterHeader, Arrived, Intake, Reading};
use crate::ledger::{self, FolderRow, PlacedUid, Seen};
use crate::rules::State;
use crate::rules::admit::bears;
use crate::unix_now;

/// Messages of one look at a folder; the next look finds the others.
const MOST: usize = 10_000;

/// Between two looks at a folder that is open.
const AGAIN: Duration = Duration::from_secs(5);
/// How long messages are decided in one go: then new mail is looked for.
const GO: Duration = Duration::from_secs(2);

/// Looks for the keyword during one session.
#[derive(Default)]
pub(super) struct Looks {
    /// When a folder was last looked through; `None` where that is of no use.
    last: HashMap<String, Option<Instant>>,
    /// What was found, with the folders' numbers.
    wanted: VecDeque<(usize, Wanted)>,
}

/// A message under the keyword that is to be decided again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    uid: u32,
    /// Its number in the ledger; `None` for one under the floor, which has no row.
    message: Option<i64>,
}

/// Which messages under the keyword are to be decided again: those that were skipped or parked and
/// that no person chose before, and those that lie before the history. What is filed, owed or
/// refused is left alone, and what was not read yet is read first.
fn wanted(found: &[u32], placed: &HashMap<u32, PlacedUid>, floor: u32) -> Vec<Wanted> {
    let one = |uid: &u32| {
        let uid = *uid;
        match placed.get(&uid) {
            None => (uid <= floor).then_some(Wanted { uid, message: None }),
            Some(place) if place.by_hand => None,
            Some(place) => match place.state {
                State::Skipped | State::Parked => {
                    Some(Wanted { uid, message: Some(place.message) })
                }
                State::Queued | State::Saved | State::Quarantined | State::Refused => None,
            },
        }
    };
    found.iter().filter_map(one).take(MOST).collect()
}

impl Looks {
    /// Whether a folder that is open is to be looked through.
    pub(super) fn due_in_open(&self, folder: &Folder) -> bool {
        let last = self.last.get(&folder.listed.wire).copied().flatten();
        last.is_none_or(|last| last.elapsed() >= AGAIN)
    }

    /// Whether a folder in which nothing else happened is to be opened for it, `every` so often.
    pub(super) fn due_in_other(&self, folder: &Folder, every: Duration) -> bool {
        if folder.by_hand {
            return false;
        }
        match self.last.get(&folder.listed.wire) {
            None => true,
            Some(None) => false,
            Some(Some(last)) => last.elapsed() >= every,
        }
    }

    /// From when on the server's word of the keyword in this folder is followed.
    pub(super) fn told_from(&self, folder: Option<&Folder>, now: Instant) -> Instant {
        let last = folder.and_then(|folder| *self.last.get(&folder.listed.wire)?);
        last.map_or(now, |last| last + AGAIN)
    }

    /// Looks through the selected folder.
    pub(super) async fn look(
        &mut self,
        saving: &mut Saving<'_>,
        folder: &Folder,
        index: usize,
    ) -> Result<(), Error> {
        let wire = &folder.listed.wire;
        if saving.keyword(folder).is_none() || saving.link.selected.as_ref() != Some(wire) {
            return Ok(());
        }
        // Which flags a folder can hold is told when it is opened, and costs nothing to ask again.
        let can = saving.link.holds_keyword && !saving.link.counts_in_search;
        self.last.insert(wire.clone(), can.then(Instant::now));
        if !can {
            return Ok(());
        }
        let found = saving.look(folder).await?;
        self.wanted.retain(|(of, _)| *of != index);
        self.wanted.extend(found.into_iter().map(|wanted| (index, wanted)));
        Ok(())
    }

    /// The number of the folder whose messages are to be decided next.
    pub(super) fn next(&self) -> Option<usize> {
        self.wanted.front().map(|(index, _)| *index)
    }

    /// Decides some of what was found, of one folder.
    pub(super) async fn save(
        &mut self,
        saving: &mut Saving<'_>,
        folders: &[Folder],
    ) -> Result<(), Error> {
        let begun = Instant::now();
        let first = self.next();
        while begun.elapsed() < GO
            && !saving.link.news.any()
            && let Some((index, wanted)) = self.wanted.pop_front_if(|(of, _)| Some(*of) == first)
        {
            if let Some(folder) = folders.get(index) {
                saving.save(folder, wanted).await?;
            }
        }
        if self.wanted.is_empty() {
            // Idle mailboxes hold no room for it.
            self.wanted = VecDeque::new();
        }
        Ok(())
    }
}

/// A mailbox whose messages under the keyword are looked for and decided again.
pub(super) struct Saving<'a> {
    pub link: &'a mut Link,
    pub intake: &'a Intake,
    pub bounds: &'a Bounds,
    pub trouble: &'a mut Trouble,
    pub mailbox: &'a Mailbox,
    /// Octets.
    pub max_message: u64,
}

impl<'a> Saving<'a> {
    /// The messages of the selected folder that are to be decided again: one command.
    async fn look(&mut self, folder: &Folder) -> Result<Vec<Wanted>, Error> {
        let Some(keyword) = self.keyword(folder) else { return Ok(Vec::new()) };
        // Then the next look finds them.
        if self.intake.ledger.spool().is_full() {
            return Ok(Vec::new());
        }
        let found = match self.link.uids_with_keyword(keyword).await {
            Err(Error::No { .. } | Error::Busy { .. }) if !self.link.broken => Vec::new(),
            other => other?,
        };
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let Some(row) = self.row(folder).await? else { return Ok(Vec::new()) };
        let placed = self.intake.ledger.placed(row.id, row.uid_validity, found.clone()).await?;
        let mut wanted = wanted(&found, &placed, row.floor);
        let name = folder.listed.name.as_str();
        let now = Instant::now();
        wanted.retain(|one| match Failures::next(self.trouble.of(name, one.uid), now) {
            Next::Read | Next::Alone => true,
            Next::Later | Next::GiveUp => false,
        });
        Ok(wanted)
    }

    /// Decides a message again, and files it if it can be filed. One that cannot be had is tried
    /// again when it is found again.
    async fn save(&mut self, folder: &Folder, wanted: Wanted) -> Result<(), Error> {
        let Some(keyword) = self.keyword(folder) else { return Ok(()) };
        let Some(row) = self.row(folder).await? else { return Ok(()) };
        if self.link.selected.as_ref() != Some(&folder.listed.wire) {
            let opened = match self.link.select(&folder.listed.wire).await {
                Err(Error::No { .. } | Error::Busy { .. }) if !self.link.broken => return Ok(()),
                other => other?,
            };
            if opened.uid_validity != row.uid_validity {
                return Ok(());
            }
        }
        let reading = Reading {
            folder: row.id,
            name: folder.listed.name.as_str().to_owned(),
            role: folder.role,
            uid_validity: row.uid_validity,
            window_start: crate::folder::window_start(row.first_read_at, row.history_days),
            first_until: row.first_until,
            first_read_at: row.first_read_at,
            hold: 0,
            by_hand: Some(bears(keyword).into()),
        };
        let failed_before = self.trouble.of(&reading.name, wanted.uid).is_some();
        self.trouble.begin(&reading.name, &[wanted.uid]);
        match self.one(&reading, keyword, wanted, failed_before).await {
            Ok(()) => {
                self.trouble.end();
                self.trouble.read(&reading.name, wanted.uid);
                Ok(())
            }
            Err(error @ (Error::No { .. } | Error::Busy { .. })) if !self.link.broken => {
                self.trouble.note(&error, Instant::now());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// `None` if no keyword means anything in the folder: all that lies in the one for what is
    /// saved by hand is saved anyway.
    fn keyword(&self, folder: &Folder) -> Option<&'a str> {
        let mailbox = self.mailbox;
        mailbox.crm.save_keyword.as_deref().filter(|_| !folder.by_hand)
    }

    async fn row(&self, folder: &Folder) -> Result<Option<FolderRow>, ledger::Error> {
        let (mailbox, imap) = (self.mailbox.name.clone(), &self.mailbox.imap);
        let name = folder.listed.name.as_str().to_owned();
        self.intake
            .ledger
            .folder_if_known(mailbox, imap.host.clone(), imap.username.clone(), name)
            .await
    }

    async fn one(
        &mut self,
        reading: &Reading,
        keyword: &str,
        wanted: Wanted,
        failed_before: bool,
    ) -> Result<(), Error> {
        let now = unix_now();
        // Some servers find what they do not know everywhere; and it may have been taken off.
        if !self.link.bears_keyword(wanted.uid, keyword).await? {
            return Ok(());
        }
        let spooled = match wanted.message {
            Some(message) => self.spooled(reading, wanted.uid, message, now).await?,
            None => None,
        };
        let seen = match spooled {
            Some(seen) => seen,
            None => match self.read(reading, wanted, failed_before, now).await? {
                Some(seen) => seen,
                None => return Ok(()),
            },
        };
        match wanted.message {
            Some(message) => {
                if self.intake.decide_again(reading, message, seen.clone(), now).await?.is_some() {
                    self.intake.tell_again(reading, message, &seen);
                }
            }
            None => {
                // The cursor stands above it and stays.
                let (stretch, gone) = (Arc::default(), BTreeSet::new());
                self.intake.record(reading, vec![seen], &stretch, &gone, now).await?;
            }
        }
        Ok(())
    }

    /// The message as it lies in the spool; `None` if it does not, or not any more.
    async fn spooled(
        &self,
        reading: &Reading,
        uid: u32,
        message: i64,
        now: i64,
    ) -> Result<Option<Seen>, ledger::Error> {
        let Some(kept) = self.intake.ledger.kept(message).await? else { return Ok(None) };
        match self.intake.spooled_again(reading, uid, kept, now, now).await {
            // What is filed meanwhile leaves the spool.
            Err(ledger::Error::Spool { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// The message as it lies on the server; `None` if it does not any more.
    async fn read(
        &mut self,
        reading: &Reading,
        wanted: Wanted,
        failed_before: bool,
        now: i64,
    ) -> Result<Option<Seen>, Error> {
        // Whoever failed once may know no pieces of headers.
        let extent = if failed_before { Extent::Whole } else { Extent::Beginning };
        let permit = self.bounds.permit(HEADER_AMONG_OTHERS as u64).await?;
        let (mut headers, _) =
            self.link.headers(&[wanted.uid], extent, HEADER_AMONG_OTHERS).await?;
        drop(permit);
        let Some(Header { uid, size, internal_date, header }) = headers.pop() else {
            return Ok(None);
        };
        let cut = header.len() >= HEADER_AMONG_OTHERS;
        let header = Arrived { uid, internal_date, raw: header };
        let decided = match (cut, wanted.message) {
            // What decides may stand behind it.
            (true, _) => AfterHeader::WantsBody,
            (false, Some(_)) => self.intake.header_again(reading, &header, now),
            (false, None) => {
                let headers = std::slice::from_ref(&header);
                let judged = self.intake.headers(reading, headers, now).await?.pop();
                judged.unwrap_or(AfterHeader::WantsBody)
            }
        };
        if let AfterHeader::Decided(seen) = decided {
            return Ok(Some(*seen));
        }
        let spool = self.intake.ledger.spool();
        let read = in_pieces(self.link, self.bounds, spool, uid, size, self.max_message).await?;
        let Some(Pieces { first, writer, whole }) = read else { return Ok(None) };
        let arrived = Arrived { uid, internal_date, raw: first };
        let judged = self.intake.large(reading, arrived, writer, whole, now).await?;
        Ok(judged.take().pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_or_parked_and_never_chosen_is_decided_again() {
        let place = |state, by_hand| PlacedUid { message: 7, state, by_hand };
        let again = Some(Wanted { uid: 5, message: Some(7) });
        let unread = Some(Wanted { uid: 5, message: None });
        #[rustfmt::skip]
        let cases = [
            ("skipped",                 Some(place(State::Skipped, false)),     3, again),
            ("parked",                  Some(place(State::Parked, false)),      3, again),
            ("skipped though by hand",  Some(place(State::Skipped, true)),      3, None),
            ("parked though by hand",   Some(place(State::Parked, true)),       3, None),
            ("owed",                    Some(place(State::Queued, false)),      3, None),
            ("filed",                   Some(place(State::Saved, false)),       3, None),
            ("refused",                 Some(place(State::Refused, false)),     3, None),
            ("cannot be read",          Some(place(State::Quarantined, false)), 3, None),
            ("under the floor",         None,                                   5, unread),
            ("under it, with a row",    Some(place(State::Skipped, false)),     5, again),
            ("not read yet",            None,                                   4, None),
        ];
        for (name, place, floor, expected) in cases {
            let placed = place.into_iter().map(|place| (5, place)).collect();
            assert_eq!(wanted(&[5], &placed, floor).first().copied(), expected, "{name}");
        }
    }

    #[test]
    fn one_look_is_bounded() {
        let found: Vec<u32> = (1..20_000).collect();
        assert_eq!(wanted(&found, &HashMap::new(), u32::MAX).len(), MOST);
    }
}
