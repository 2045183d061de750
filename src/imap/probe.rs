//! A look at a mailbox beside the daemon's own: log in, list, count, read, leave.

use std::sync::Arc;

use super::bounds::Bounds;
use super::choose::{by_hand, chosen, history_days, roles};
use super::connect::{Gate, connect};
use super::fetch::Extent;
use super::large::{Pieces, in_pieces};
use super::trust::TrustStore;
use super::{Error, link::Link};
use crate::config::Mailbox;
use crate::folder::Role;
use crate::intake::{Arrived, FIRST_MIB};
use crate::ledger::{Spool, SpoolWriter};

/// Octets of headers in memory at once.
const ROOM: usize = 2 * 1024 * 1024;

/// An open session for looking only.
pub struct Probe {
    link: Link,
    bounds: Bounds,
    folders: Vec<FolderProbe>,
    missing: Vec<String>,
}

/// A folder as it lies on the server.
#[derive(Clone, Debug)]
pub struct FolderProbe {
    pub name: String,
    wire: String,
    pub role: Role,
    /// `configuration`, `special-use` or `name`.
    pub decided_by: &'static str,
    pub selectable: bool,
    /// Named by `folders.sync` or `crm.save_folder`, or there by default.
    pub synced: bool,
    /// How a person says by laying a message into it that they want it in the CRM; `None`: they do
    /// not.
    pub by_hand: Option<Arc<str>>,
    /// Days of history that are read of it.
    pub history_days: u32,
}

/// A message on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUid {
    pub uid: u32,
    pub message_id: Option<String>,
}

impl Probe {
    /// Logs in and lists the folders.
    pub async fn open(mailbox: &Mailbox) -> Result<Probe, Error> {
        let secret = mailbox
            .imap
            .secret
            .read()
            .await
            .map_err(|error| Error::Secret(crate::causes(&error)))?;
        let (trust, gate) = (TrustStore::default(), Gate::default());
        let mut link = connect(&mailbox.imap, &secret, &trust, &gate).await?;
        let listed = link.list().await?;
        let chosen = chosen(mailbox, &listed);
        let roles = roles(mailbox, &listed);
        let folders = listed
            .iter()
            .zip(roles)
            .map(|(folder, (role, decided_by))| {
                let watched = chosen.watched.iter().find(|known| known.listed.wire == folder.wire);
                let by_hand = watched.and_then(by_hand);
                FolderProbe {
                    name: folder.name.as_str().to_owned(),
                    wire: folder.wire.clone(),
                    role,
                    decided_by,
                    selectable: folder.selectable,
                    synced: watched.is_some(),
                    history_days: history_days(by_hand.is_some(), mailbox.crm.history_days),
                    by_hand,
                }
            })
            .collect();
        Ok(Probe { link, bounds: Bounds::default(), folders, missing: chosen.missing })
    }

    pub fn folders(&self) -> &[FolderProbe] {
        &self.folders
    }

    /// Names in `folders.sync` and `crm.save_folder` that no folder bears.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Whether the server can do this, such as `IDLE`.
    pub fn can(&self, word: &str) -> bool {
        self.link.capabilities.has(word)
    }

    /// UIDVALIDITY of a folder, and all its UIDs in order.
    pub async fn uids(&mut self, folder: &FolderProbe) -> Result<(u32, Vec<u32>), Error> {
        /// Answers of this many UIDs are read quickly by the codec.
        const WINDOW: u32 = 20_000;
        let opened = self.link.select(&folder.wire).await?;
        if opened.exists == 0 {
            return Ok((opened.uid_validity, Vec::new()));
        }
        self.link.try_search().await?;
        let end = if opened.uid_next == 0 { u32::MAX } else { opened.uid_next - 1 };
        let mut uids = Vec::new();
        let mut low: u32 = 1;
        let mut window = WINDOW;
        while low <= end {
            let high = if end == u32::MAX { end } else { end.min(low.saturating_add(window)) };
            let found = self.link.uids(low, high).await?;
            window = if found.len() < 200 { window.saturating_mul(8) } else { WINDOW };
            uids.extend(found);
            match high.checked_add(1) {
                Some(next) => low = next,
                None => break,
            }
        }
        Ok((opened.uid_validity, uids))
    }

    /// Message-IDs of these messages of the folder that was asked last.
    pub async fn message_ids(&mut self, uids: &[u32]) -> Result<Vec<ServerUid>, Error> {
        let mut found = Vec::with_capacity(uids.len());
        let mut rest = uids.to_vec();
        while !rest.is_empty() {
            let (headers, postponed) = self.headers(&rest).await?;
            found.extend(headers.into_iter().map(|header| ServerUid {
                uid: header.uid,
                message_id:
                    crate::message::parse(&header.raw).ok().and_then(|message| message.message_id),
            }));
            rest = postponed;
        }
        Ok(found)
    }

    /// Opens a folder and returns its UIDVALIDITY.
    pub async fn select(&mut self, folder: &FolderProbe) -> Result<u32, Error> {
        Ok(self.link.select(&folder.wire).await?.uid_validity)
    }

    /// UIDs of the folder that was asked last whose INTERNALDATE lies on or after the day of
    /// `since`, Unix seconds, or a day before it.
    pub async fn since(&mut self, since: i64) -> Result<Vec<u32>, Error> {
        self.link.uids_since(1, u32::MAX, since).await
    }

    /// Headers of these messages (in order) of the folder that was asked last, as far as the server
    /// has them and there is room; the second list names those for another call.
    pub async fn headers(&mut self, uids: &[u32]) -> Result<(Vec<Arrived>, Vec<u32>), Error> {
        let (headers, postponed) = self.link.headers(uids, Extent::Beginning, ROOM).await?;
        let arrived = |header: super::fetch::Header| Arrived {
            uid: header.uid,
            internal_date: header.internal_date,
            raw: header.header,
        };
        Ok((headers.into_iter().map(arrived).collect(), postponed))
    }

    /// The first MiB of a message of the folder that was asked last; `None` if it left the server.
    pub async fn beginning(&mut self, uid: u32) -> Result<Option<Vec<u8>>, Error> {
        let piece = self.piece(uid, 0).await?;
        Ok(piece.map(|mut piece| {
            piece.truncate(FIRST_MIB);
            piece
        }))
    }

    /// What follows octet `start` of a message of the folder that was asked last, mostly a MiB:
    /// empty behind its end, `None` if it left the server.
    pub async fn piece(&mut self, uid: u32, start: u64) -> Result<Option<Vec<u8>>, Error> {
        self.link.chunk(uid, start).await
    }

    /// Reads a message of the folder that was asked last into the spool: its first MiB, the segment,
    /// and whether all of it is there (it has at most `max_message` octets). `None` if it left the
    /// server.
    pub async fn message(
        &mut self,
        uid: u32,
        spool: &Arc<Spool>,
        max_message: u64,
    ) -> Result<Option<(Vec<u8>, SpoolWriter, bool)>, Error> {
        let read = in_pieces(&mut self.link, &self.bounds, spool, uid, u64::MAX, max_message);
        Ok(read.await?.map(|Pieces { first, writer, whole }| (first, writer, whole)))
    }

    /// UIDs in a folder of messages whose header names this Message-ID.
    pub async fn with_id(&mut self, folder: &FolderProbe, id: &str) -> Result<Vec<u32>, Error> {
        let opened = self.link.select(&folder.wire).await?;
        if opened.exists == 0 {
            return Ok(Vec::new());
        }
        self.link.try_search().await?;
        self.link.uids_with_id(id).await
    }

    pub async fn close(self) {
        self.link.logout().await;
    }
}
