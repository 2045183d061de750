//! Raw messages written into files: out of the spool, else from their server.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::print::clean;
use crate::config::Config;
use crate::imap::{self, FolderProbe, Probe};
use crate::ledger::{self, Ledger, MessageView, PlaceView};

/// Why one message could not be written.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot write {path}")]
    File { path: String, source: std::io::Error },
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error(transparent)]
    Imap(#[from] imap::Error),
    #[error("it is neither in the spool nor on its server")]
    Gone,
}

/// Where raw messages are written.
pub(super) struct Export<'a> {
    ledger: &'a Ledger,
    config: &'a Config,
    folder: PathBuf,
    /// By mailbox; `None`: cannot be looked at.
    probes: HashMap<String, Option<Probe>>,
    pub written: u64,
    pub failed: u64,
}

impl<'a> Export<'a> {
    /// Makes the folder if it is not there.
    pub(super) fn into(
        ledger: &'a Ledger,
        config: &'a Config,
        folder: &Path,
    ) -> std::io::Result<Export<'a>> {
        std::fs::create_dir_all(folder)?;
        let (folder, probes) = (folder.to_owned(), HashMap::new());
        Ok(Export { ledger, config, folder, probes, written: 0, failed: 0 })
    }

    /// Writes one message; says on standard error if that cannot be.
    pub(super) async fn one(&mut self, view: &MessageView) {
        match self.write(view).await {
            Ok(()) => self.written += 1,
            Err(error) => {
                self.failed += 1;
                let why = clean(&crate::causes(&error));
                eprintln!("mailcrm: message {} is not exported: {why}", view.id);
            }
        }
    }

    pub(super) async fn close(self) {
        for probe in self.probes.into_values().flatten() {
            probe.close().await;
        }
    }

    async fn write(&mut self, view: &MessageView) -> Result<(), Error> {
        let path = self.folder.join(format!("{}.eml", view.id));
        let shown = path.display().to_string();
        let file_error = |source| Error::File { path: shown.clone(), source };
        if let Some(raw) = self.ledger.raw(view.id).await? {
            // Mail is private.
            let mut file = new_file(&path).map_err(file_error)?;
            return file.write_all(&raw).map_err(file_error);
        }
        for place in &view.places {
            let Some((probe, folder)) = self.probe(place).await? else { continue };
            if probe.select(&folder).await? != place.uid_validity {
                continue;
            }
            let Some(mut piece) = probe.piece(place.uid, 0).await? else { continue };
            let mut file = new_file(&path).map_err(file_error)?;
            let mut start = 0;
            while !piece.is_empty() {
                file.write_all(&piece).map_err(file_error)?;
                start += piece.len() as u64;
                piece = probe.piece(place.uid, start).await?.unwrap_or_default();
            }
            return Ok(());
        }
        Err(Error::Gone)
    }

    async fn probe(
        &mut self,
        place: &PlaceView,
    ) -> Result<Option<(&mut Probe, FolderProbe)>, imap::Error> {
        if !self.probes.contains_key(&place.mailbox) {
            let known = self.config.mailboxes.iter().find(|known| known.name == place.mailbox);
            let probe = match known {
                Some(mailbox) => Some(Probe::open(mailbox).await?),
                None => None,
            };
            self.probes.insert(place.mailbox.clone(), probe);
        }
        let Some(probe) = self.probes.get_mut(&place.mailbox).and_then(Option::as_mut) else {
            return Ok(None);
        };
        let folder = probe.folders().iter().find(|known| known.name == place.folder).cloned();
        Ok(folder.map(|folder| (probe, folder)))
    }
}

fn new_file(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
