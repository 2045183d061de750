//! Where the reading of a folder begins: at first contact, after a renumbering, for more history, and
//! where its numbers went back.

use std::collections::HashMap;

use super::Error;
use super::catch_up::CatchUp;
use super::fetch::{Extent, Header};
use super::guard::MAX_LITERAL;
use super::link::Opened;
use super::trouble::WHOLE_FOLDER;
use crate::folder::floor_under;
use crate::ledger::FolderRow;

/// UIDs among which the beginning of the history is looked for at a time.
const DATES_WINDOW: u32 = 100_000;
/// Messages whose INTERNALDATE is asked for at a time to find where the history begins.
const DATES: usize = 500;
/// Messages with places by which a folder is recognised.
const RECOGNISED_BY: usize = 5;

impl CatchUp<'_> {
    /// Finds where the history window begins, and lets reading begin there. `widen` is the old
    /// floor: only what lies at or under it is looked at.
    pub(super) async fn begin(
        &mut self,
        name: &str,
        row: &mut FolderRow,
        opened: Opened,
        window_start: i64,
        widen: Option<u32>,
    ) -> Result<(), Error> {
        // Not UIDNEXT: what is announced and not listed yet lies above.
        let last = match widen {
            Some(floor) => floor,
            None if opened.exists == 0 => 0,
            None => self.link.last_uid().await?.unwrap_or(opened.uid_next.saturating_sub(1)),
        };
        let first = match opened.exists {
            // A range is an error in an empty folder on some servers.
            0 => None,
            _ => self.first_since(name, last, window_start).await?,
        };
        self.trouble.end();
        let floor = floor_under(first, last.saturating_add(1));
        row.first_until = widen.map_or(last, |old| row.first_until.max(old));
        row.uid_validity = opened.uid_validity;
        // Under the cursor rows may lie already: reading passes over what has a place.
        row.cursor = floor;
        row.floor = floor;
        row.history_days = row.history_days.max(self.history_days);
        self.intake.ledger.begin_folder(row.clone(), widen.is_some()).await?;
        self.trouble.read(name, WHOLE_FOLDER);
        Ok(())
    }

    /// How far a folder whose UIDNEXT went back is the one that was read: some servers give the
    /// highest UID and one, and somebody deleted the newest mail. Only what lies above is void, and
    /// listed again. `None`: it is another one.
    pub(super) async fn carries_on(
        &mut self,
        name: &str,
        row: &FolderRow,
        opened: Opened,
    ) -> Result<Option<u32>, Error> {
        let failed_before = self.trouble.of(name, WHOLE_FOLDER).is_some();
        if row.uid_validity != opened.uid_validity || failed_before {
            return Ok(None);
        }
        if opened.exists == 0 {
            return Ok(Some(0));
        }
        let last = opened.uid_next.saturating_sub(1);
        let known: HashMap<u32, String> =
            self.intake.ledger.ids_under(row.id, row.uid_validity, last, RECOGNISED_BY).await?;
        let mut uids: Vec<u32> = known.keys().copied().collect();
        uids.sort_unstable();
        if uids.is_empty() {
            return Ok(None);
        }
        let room = usize::try_from(MAX_LITERAL).unwrap_or(usize::MAX);
        self.trouble.begin(name, &[WHOLE_FOLDER]);
        let headers = match self.link.headers(&uids, Extent::Beginning, room).await {
            Err(Error::No { .. }) if !self.link.broken => Vec::new(),
            other => other?.0,
        };
        self.trouble.end();
        let same = |header: &Header| {
            let message = crate::message::parse(&header.header).ok();
            message.and_then(|message| message.message_id).as_ref() == known.get(&header.uid)
        };
        let all_same = headers.iter().all(same);
        Ok(headers.iter().map(|header| header.uid).max().filter(|_| all_same))
    }

    /// The lowest UID at or under `last` that lies in the window.
    async fn first_since(
        &mut self,
        name: &str,
        last: u32,
        since: i64,
    ) -> Result<Option<u32>, Error> {
        let mut low: u32 = 1;
        let mut window = DATES_WINDOW;
        while low <= last {
            let high = last.min(low.saturating_add(window - 1));
            let recent = self.link.uids_since(low, high, since).await?;
            window = if recent.len() < 200 { window.saturating_mul(8) } else { DATES_WINDOW };
            // A date that cannot be read must not keep the folder from being read: then the day
            // will do, and what lies before the window gets a row that says so.
            if self.trouble.of(name, WHOLE_FOLDER).is_some() && !recent.is_empty() {
                return Ok(recent.first().copied());
            }
            // SEARCH counts by days, the window by seconds.
            for some in recent.chunks(DATES) {
                self.trouble.begin(name, &[WHOLE_FOLDER]);
                let dates: HashMap<u32, Option<i64>> =
                    self.link.dates(some).await?.into_iter().collect();
                // One that was not answered may lie inside; if it is gone nothing is lost.
                let inside = |uid: &&u32| {
                    dates.get(*uid).copied().flatten().is_none_or(|date| date >= since)
                };
                if let Some(uid) = some.iter().find(inside) {
                    return Ok(Some(*uid));
                }
            }
            match high.checked_add(1) {
                Some(next) => low = next,
                None => break,
            }
        }
        Ok(None)
    }
}
