//! One look at a mailbox for `check` and `reconcile`: log in, list, count, leave.

use super::choose::{chosen, roles};
use super::connect::{Gate, connect};
use super::fetch::Extent;
use super::trust::TrustStore;
use super::{Error, link::Link};
use crate::config::Mailbox;
use crate::folder::Role;

/// An open session for looking only.
pub struct Probe {
    link: Link,
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
    /// Named by `folders.sync`, or there by default.
    pub synced: bool,
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
            .map(|(folder, (role, decided_by))| FolderProbe {
                name: folder.name.as_str().to_owned(),
                wire: folder.wire.clone(),
                role,
                decided_by,
                selectable: folder.selectable,
                synced: chosen.watched.iter().any(|known| known.listed.wire == folder.wire),
            })
            .collect();
        Ok(Probe { link, folders, missing: chosen.missing })
    }

    pub fn folders(&self) -> &[FolderProbe] {
        &self.folders
    }

    /// Names in `folders.sync` that no folder bears.
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
        /// Octets of headers in memory at once.
        const ROOM: usize = 2 * 1024 * 1024;
        let mut found = Vec::with_capacity(uids.len());
        let mut rest = uids.to_vec();
        while !rest.is_empty() {
            let (headers, postponed) = self.link.headers(&rest, Extent::Beginning, ROOM).await?;
            found.extend(headers.into_iter().map(|header| {
                ServerUid {
                    uid: header.uid,
                    message_id: crate::message::parse(&header.header)
                        .ok()
                        .and_then(|message| message.message_id),
                }
            }));
            rest = postponed;
        }
        Ok(found)
    }

    pub async fn close(self) {
        self.link.logout().await;
    }
}
