//! One writer: a lock beside the ledger that names its holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Error;

/// Held as long as it lives; the kernel lets go of it when the process dies.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock or names who has it.
    pub(super) fn take(ledger: &Path) -> Result<Lock, Error> {
        let path = lock_path(ledger);
        let shown = ledger.display().to_string();
        let folder = |source| Error::Folder { path: shown.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(folder)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked { path: shown.clone(), pid: pid_in(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(folder(source)),
        }
        // Only for people: who holds the lock is the kernel's business.
        let write = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        drop(write);
        Ok(Lock { _file: file })
    }

    /// The process id of the holder, if the lock is held.
    pub(super) fn holder(ledger: &Path) -> Option<String> {
        let mut file = File::open(lock_path(ledger)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(pid_in(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

fn lock_path(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn pid_in(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
    match read {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        Ok(_) | Err(_) => "unknown".to_owned(),
    }
}
