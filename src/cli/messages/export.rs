//! Raw messages written into files: out of the spool, else from their server.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::print::clean;
use super::super::progress::Progress;
use crate::config::Config;
use crate::imap::{self, Probe};
use crate::ledger::{self, Ledger, MessageView, PlaceView};

/// Sessions with one mailbox that may break before it is left alone: an answer that cannot be read
/// costs one, and must not stop what stands behind it.
const MOST_BROKEN: u32 = 5;

/// Why one message could not be written.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot write {path}")]
    File { path: String, source: std::io::Error },
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error("{mailbox}")]
    Imap { mailbox: String, source: imap::Error },
    #[error("mailbox {0} could not be looked at, as was said")]
    LeftAlone(String),
    #[error("it is neither in the spool nor on its server")]
    Gone,
}

/// A mailbox, looked at or not.
enum Look {
    Open(Box<Probe>),
    /// It is not configured any more: nothing lies there for us.
    Unknown,
    /// It cannot be looked at; why was said with the first message.
    LeftAlone,
}

/// Where raw messages are written.
pub(super) struct Export<'a> {
    ledger: &'a Ledger,
    config: &'a Config,
    folder: PathBuf,
    /// By mailbox; each is logged in to once, unless its session breaks.
    looks: HashMap<String, Look>,
    /// How many sessions with each broke.
    broken: HashMap<String, u32>,
    progress: Progress,
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
        Ok(Export {
            ledger,
            config,
            folder: folder.to_owned(),
            looks: HashMap::new(),
            broken: HashMap::new(),
            progress: Progress::new(),
            written: 0,
            failed: 0,
        })
    }

    /// Writes one message; says on standard error if that cannot be.
    pub(super) async fn one(&mut self, view: &MessageView) {
        match self.write(view).await {
            Ok(()) => self.written += 1,
            Err(error) => {
                self.failed += 1;
                let why = clean(&crate::causes(&error));
                self.progress.say(&format!("message {} is not exported: {why}", view.id));
            }
        }
        self.progress.advance(0.0, 1);
    }

    /// Takes the progress away, for what stands on the same terminal.
    pub(super) fn pause(&self) {
        self.progress.end();
    }

    pub(super) async fn close(self) {
        for look in self.looks.into_values() {
            if let Look::Open(probe) = look {
                probe.close().await;
            }
        }
    }

    async fn write(&mut self, view: &MessageView) -> Result<(), Error> {
        let mut target = Target::new(&self.folder, view.id);
        if let Some(raw) = self.ledger.raw(view.id).await? {
            target.write(&raw)?;
            return target.finish();
        }
        let mut left_alone = None;
        for place in &view.places {
            match self.read(place, &mut target).await {
                Ok(true) => return target.finish(),
                Ok(false) => {}
                // Another place may serve, and only if none does it is worth a word.
                Err(Error::LeftAlone(mailbox)) => left_alone = Some(mailbox),
                Err(error) => return Err(error),
            }
        }
        Err(left_alone.map_or(Error::Gone, Error::LeftAlone))
    }

    /// Reads a message from one place; `false`: it is not there.
    async fn read(&mut self, place: &PlaceView, target: &mut Target) -> Result<bool, Error> {
        let name = &place.mailbox;
        if !self.looks.contains_key(name) {
            let known = self.config.mailboxes.iter().find(|known| known.name == *name);
            let look = match known {
                None => Ok(Look::Unknown),
                Some(mailbox) => imap::safely(Probe::open(mailbox))
                    .await
                    .map(|probe| Look::Open(Box::new(probe))),
            };
            let look = match look {
                Ok(look) => look,
                Err(source) => {
                    self.looks.insert(name.clone(), Look::LeftAlone);
                    return Err(Error::Imap { mailbox: name.clone(), source });
                }
            };
            self.looks.insert(name.clone(), look);
        }
        let probe = match self.looks.get_mut(name) {
            Some(Look::Open(probe)) => probe,
            Some(Look::Unknown) | None => return Ok(false),
            Some(Look::LeftAlone) => return Err(Error::LeftAlone(name.clone())),
        };
        let mut unwritten = None;
        let read = imap::safely(copy(probe, place, |piece| match target.write(piece) {
            Ok(()) => true,
            Err(error) => {
                unwritten = Some(error);
                false
            }
        }))
        .await;
        match (read, unwritten) {
            (_, Some(error)) => Err(error),
            (Ok(read), None) => {
                if !read {
                    // It left the server on the way.
                    target.file = None;
                }
                Ok(read)
            }
            (Err(source), None) => {
                if !matches!(source, imap::Error::No { .. }) {
                    self.broke(name);
                }
                Err(Error::Imap { mailbox: name.clone(), source })
            }
        }
    }

    /// A session that broke is of no more use: the next message makes another one, or none.
    fn broke(&mut self, mailbox: &str) {
        let broken = self.broken.entry(mailbox.to_owned()).or_default();
        *broken += 1;
        if *broken < MOST_BROKEN {
            self.looks.remove(mailbox);
        } else {
            self.looks.insert(mailbox.to_owned(), Look::LeftAlone);
        }
    }
}

/// Hands the pieces of a message to `take` until that says no; `false`: it is not there.
async fn copy(
    probe: &mut Probe,
    place: &PlaceView,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<bool, imap::Error> {
    let folder = probe.folders().iter().find(|known| known.name == place.folder).cloned();
    let Some(folder) = folder else { return Ok(false) };
    if probe.select(&folder).await? != place.uid_validity {
        return Ok(false);
    }
    let Some(mut piece) = probe.piece(place.uid, 0).await? else { return Ok(false) };
    let mut start = 0;
    while !piece.is_empty() && take(&piece) {
        start += piece.len() as u64;
        piece = match probe.piece(place.uid, start).await? {
            Some(piece) => piece,
            // Behind its end some servers have nothing at all to say.
            None if !probe.headers(&[place.uid]).await?.0.is_empty() => Vec::new(),
            None => return Ok(false),
        };
    }
    Ok(true)
}

/// A file that has its name only when all of it is there.
struct Target {
    path: PathBuf,
    part: PathBuf,
    file: Option<std::fs::File>,
    /// The part is ours.
    begun: bool,
}

impl Target {
    fn new(folder: &Path, id: i64) -> Target {
        let (path, part) = (format!("{id}.eml"), format!("{id}.eml.part"));
        Target { path: folder.join(path), part: folder.join(part), file: None, begun: false }
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        let file = match &mut self.file {
            Some(file) => file,
            empty @ None => {
                let file = new_file(&self.part).map_err(|source| error(&self.part, source))?;
                self.begun = true;
                empty.insert(file)
            }
        };
        file.write_all(octets).map_err(|source| error(&self.part, source))
    }

    /// Replaces what an earlier export wrote.
    fn finish(mut self) -> Result<(), Error> {
        // A mail without an octet is a file too.
        self.write(&[])?;
        std::fs::rename(&self.part, &self.path).map_err(|source| error(&self.path, source))?;
        self.begun = false;
        Ok(())
    }
}

/// What broke off leaves nothing behind.
impl Drop for Target {
    fn drop(&mut self) {
        if self.begun {
            drop(std::fs::remove_file(&self.part));
        }
    }
}

fn error(path: &Path, source: std::io::Error) -> Error {
    Error::File { path: path.display().to_string(), source }
}

/// Mail is private. What was left there is taken away, not written through.
fn new_file(path: &Path) -> std::io::Result<std::fs::File> {
    drop(std::fs::remove_file(path));
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn file_has_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("7.eml");
        let part = folder.path().join("7.eml.part");
        let other = folder.path().join("other");
        std::fs::write(&other, "kept").unwrap();
        #[rustfmt::skip]
        let cases = [
            ("first time",      false, true,  "mail"),
            ("again",           false, true,  "mail"),
            ("part left there", true,  true,  "mail"),
            ("broken off",      false, false, "mail"),
        ];
        for (name, left, whole, wanted) in cases {
            if left {
                std::os::unix::fs::symlink(&other, &part).unwrap();
            }
            let mut target = Target::new(folder.path(), 7);
            target.write(b"ma").unwrap();
            if whole {
                target.write(b"il").unwrap();
                target.finish().unwrap();
            } else {
                drop(target);
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), wanted, "{name}");
            assert!(std::fs::symlink_metadata(&part).is_err(), "{name}");
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "kept");
        Target::new(folder.path(), 8).finish().unwrap();
        assert_eq!(std::fs::read(folder.path().join("8.eml")).unwrap(), b"");
    }
}
