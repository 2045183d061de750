//! What all mailboxes of a process hold together: memory for mail that is being read.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;
use crate::ledger;

/// KiB of headers and bodies in memory at once, over all mailboxes.
const KIB: u32 = 24 * 1024;
/// KiB beside them for small pieces: one new mail does not wait behind the backlog of others, nor
/// behind servers that are slow to hand out theirs.
const SMALL_KIB: u32 = 4 * 1024;
/// Octets up to which a piece is small.
const SMALL: u64 = 64 * 1024;

pub(super) struct Bounds {
    any: Arc<Semaphore>,
    small: Arc<Semaphore>,
    /// Whether "spool full" was said.
    pub full: AtomicBool,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            any: Arc::new(Semaphore::new(KIB as usize)),
            small: Arc::new(Semaphore::new(SMALL_KIB as usize)),
            full: AtomicBool::new(false),
        }
    }
}

impl Bounds {
    fn pool(&self, octets: u64) -> &Arc<Semaphore> {
        if octets <= SMALL { &self.small } else { &self.any }
    }

    /// Room for so many octets, if there is some now.
    pub(super) fn permit_now(&self, octets: u64) -> Option<OwnedSemaphorePermit> {
        Arc::clone(self.pool(octets)).try_acquire_many_owned(kib(octets)).ok()
    }

    /// Waits for room.
    pub(super) async fn permit(&self, octets: u64) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(self.pool(octets))
            .acquire_many_owned(kib(octets))
            .await
            .map_err(|_| Error::Ledger(ledger::Error::Interrupted { doing: "wait for memory" }))
    }
}

fn kib(octets: u64) -> u32 {
    u32::try_from(octets / 1024 + 1).unwrap_or(u32::MAX).min(KIB)
}
