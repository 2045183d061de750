//! Raw messages that are owed or quarantined, in segment files beside the ledger.
//!
//! One batch of messages is one segment with one fsync: a backlog is as durable as with a
//! file each, at a fraction of the syncs. A segment is unlinked when its last message has
//! gone; what no row refers to is swept away when the spool is opened.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Error;

/// Where the raw bytes of one message lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    pub segment: u64,
    /// Octets from the segment's beginning.
    pub start: u64,
    /// Octets.
    pub length: u64,
}

/// The folder of segments.
pub struct Spool {
    folder: PathBuf,
    max: u64,
    next: AtomicU64,
    /// Octets of each segment and how many messages with a row still lie in it.
    segments: Mutex<HashMap<u64, Segment>>,
    used: AtomicU64,
}

/// A finished segment whose messages have no rows yet.
const UNCOUNTED: u64 = u64::MAX;

struct Segment {
    octets: u64,
    messages: u64,
}

/// A segment that is being written; dropped unfinished, its file is removed.
pub struct SpoolWriter {
    spool: Arc<Spool>,
    file: std::io::BufWriter<File>,
    segment: u64,
    octets: u64,
    started: u64,
    finished: bool,
}

impl Spool {
    /// Opens the spool and removes every segment that no row of the ledger refers to.
    pub(super) fn open(
        folder: &Path,
        max: u64,
        referenced: &HashMap<u64, u64>,
    ) -> Result<Spool, Error> {
        let doing = |doing| move |source| Error::Spool { doing, source };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(doing("make the folder"))?;
        let spool = Spool::look(folder);
        let mut segments = HashMap::new();
        let mut used = 0;
        let mut next = 1;
        for file in std::fs::read_dir(folder).map_err(doing("read the folder"))? {
            let file = file.map_err(doing("read the folder"))?;
            let name = file.file_name();
            let Some(number) = number_of(&name.to_string_lossy()) else { continue };
            next = next.max(number + 1);
            match referenced.get(&number) {
                None => std::fs::remove_file(file.path()).map_err(doing("sweep"))?,
                Some(&messages) => {
                    let octets = file.metadata().map_err(doing("read the folder"))?.len();
                    used += octets;
                    segments.insert(number, Segment { octets, messages });
                }
            }
        }
        // Numbers in use in the ledger are never given again, even if their file was lost.
        next = referenced.keys().max().map_or(next, |&last| next.max(last + 1));
        spool.next.store(next, Ordering::Relaxed);
        spool.used.store(used, Ordering::Relaxed);
        *spool.held() = segments;
        Ok(Spool { max, ..spool })
    }

    /// For reading only.
    pub(super) fn look(folder: &Path) -> Spool {
        Spool {
            folder: folder.to_owned(),
            max: 0,
            next: AtomicU64::new(0),
            segments: Mutex::new(HashMap::new()),
            used: AtomicU64::new(0),
        }
    }

    /// Whether reading must wait until something was delivered.
    pub fn is_full(&self) -> bool {
        self.used() >= self.max
    }

    /// Octets of all segments.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Octets of these segments.
    pub(super) fn octets_of(&self, segments: &[u64]) -> u64 {
        let known = self.held();
        segments.iter().filter_map(|segment| known.get(segment)).map(|kept| kept.octets).sum()
    }

    /// Octets that the configuration allows.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Begins a new segment. Blocks.
    pub fn writer(self: &Arc<Spool>) -> Result<SpoolWriter, Error> {
        let segment = self.next.fetch_add(1, Ordering::Relaxed);
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path(segment))
            .map_err(|source| Error::Spool { doing: "begin a segment", source })?;
        let file = std::io::BufWriter::with_capacity(256 * 1024, file);
        Ok(SpoolWriter {
            spool: Arc::clone(self),
            file,
            segment,
            octets: 0,
            started: 0,
            finished: false,
        })
    }

    /// Writes and removes as much as some ordinary mail takes. Blocks.
    pub(super) fn try_room(self: &Arc<Spool>) -> Result<(), Error> {
        let mut writer = self.writer()?;
        writer.append(&[0; 256 * 1024])?;
        // Dropped unfinished, it is removed.
        writer.flush()
    }

    /// Reads one message. Blocks.
    pub fn read(&self, location: Location) -> Result<Vec<u8>, Error> {
        let doing = |source| Error::Spool { doing: "read a message", source };
        let file = File::open(self.path(location.segment)).map_err(doing)?;
        let length = usize::try_from(location.length)
            .map_err(|_| doing(std::io::Error::from(std::io::ErrorKind::FileTooLarge)))?;
        let mut raw = vec![0; length];
        file.read_exact_at(&mut raw, location.start).map_err(doing)?;
        Ok(raw)
    }

    /// Takes note that rows of the ledger refer to `messages` messages of a segment; a segment
    /// without any is removed.
    pub(super) fn keep(&self, segment: u64, messages: u64) {
        if messages == 0 {
            self.drop_segment(segment);
        } else if let Some(kept) = self.held().get_mut(&segment) {
            kept.messages = messages;
        }
    }

    /// Removes a finished segment that no row came to refer to.
    pub(super) fn sweep(&self, segment: u64) {
        let unused = self.held().get(&segment).is_some_and(|kept| kept.messages == UNCOUNTED);
        if unused {
            self.drop_segment(segment);
        }
    }

    /// Takes note that one row of the ledger no longer refers to the segment.
    pub(super) fn release(&self, segment: u64) {
        let empty = match self.held().get_mut(&segment) {
            Some(kept) => {
                kept.messages = kept.messages.saturating_sub(1);
                kept.messages == 0
            }
            None => false,
        };
        if empty {
            self.drop_segment(segment);
        }
    }

    fn drop_segment(&self, segment: u64) {
        if let Some(gone) = self.held().remove(&segment) {
            self.used.fetch_sub(gone.octets, Ordering::Relaxed);
        }
        // A file that cannot be removed now is swept at the next start.
        drop(std::fs::remove_file(self.path(segment)));
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.folder.join(format!("{segment:012}.seg"))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<u64, Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpoolWriter {
    /// Appends to the message that is being written.
    pub fn append(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.file
            .write_all(octets)
            .map_err(|source| Error::Spool { doing: "write a message", source })?;
        self.octets += octets.len() as u64;
        Ok(())
    }

    /// Ends the message that is being written and says where it lies.
    pub fn end_message(&mut self) -> Location {
        let location = Location {
            segment: self.segment,
            start: self.started,
            length: self.octets - self.started,
        };
        self.started = self.octets;
        location
    }

    /// Octets written so far.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    fn flush(&mut self) -> Result<(), Error> {
        let doing = |source| Error::Spool { doing: "sync a segment", source };
        self.file.flush().map_err(doing)?;
        self.file.get_ref().sync_data().map_err(doing)
    }

    /// Makes the segment durable: only now may a row refer to it. Its messages count as
    /// referred to until `Spool::keep` says how many are.
    pub fn finish(mut self) -> Result<(), Error> {
        let doing = |source| Error::Spool { doing: "sync a segment", source };
        self.flush()?;
        // The name must be durable too (fsync(2): "also on a descriptor of the directory").
        File::open(&self.spool.folder).and_then(|folder| folder.sync_all()).map_err(doing)?;
        self.finished = true;
        self.spool.used.fetch_add(self.octets, Ordering::Relaxed);
        let segment = Segment { octets: self.octets, messages: UNCOUNTED };
        self.spool.held().insert(self.segment, segment);
        Ok(())
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        if !self.finished {
            drop(std::fs::remove_file(self.spool.path(self.segment)));
        }
    }
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".seg")?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn segment_lives_as_long_as_its_last_message() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Arc::new(Spool::open(folder.path(), 1000, &HashMap::new()).unwrap());
        let mut writer = spool.writer().unwrap();
        writer.append(b"first").unwrap();
        let first = writer.end_message();
        writer.append(b"second").unwrap();
        let second = writer.end_message();
        writer.finish().unwrap();
        spool.keep(first.segment, 2);
        assert_eq!(spool.read(first).unwrap(), b"first");
        assert_eq!(spool.read(second).unwrap(), b"second");
        spool.release(first.segment);
        assert_eq!(spool.read(second).unwrap(), b"second");
        spool.release(first.segment);
        assert!(spool.read(second).is_err());
        assert_eq!(spool.used(), 0);
    }

    #[test]
    fn segment_without_a_row_is_swept_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Arc::new(Spool::open(folder.path(), 1000, &HashMap::new()).unwrap());
        let mut kept = spool.writer().unwrap();
        kept.append(b"kept").unwrap();
        let location = kept.end_message();
        kept.finish().unwrap();
        let mut orphan = spool.writer().unwrap();
        orphan.append(b"orphan").unwrap();
        orphan.finish().unwrap();
        let again =
            Spool::open(folder.path(), 1000, &HashMap::from([(location.segment, 1)])).unwrap();
        assert_eq!(again.used(), 4);
        assert_eq!(again.read(location).unwrap(), b"kept");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn unfinished_segment_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Arc::new(Spool::open(folder.path(), 1000, &HashMap::new()).unwrap());
        spool.writer().unwrap().append(b"half").unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
