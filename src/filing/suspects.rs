//! Tells one bad entry from a bad day of the CRM: an answer that may be an entry's own fault speaks
//! against it only if others are delivered meanwhile.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many different entries that fail with no delivery between them: it is the CRM.
const ALL: usize = 3;

/// Entries that got such an answer since this process started.
#[derive(Default)]
pub(super) struct Suspects(Mutex<State>);

#[derive(Default)]
struct State {
    /// Deliveries so far.
    delivered: u64,
    /// By entry: how many deliveries there had been at its last such answer.
    failed: HashMap<i64, u64>,
}

impl Suspects {
    /// Takes note of such an answer. Returns whether it counts against the entry: always for its
    /// first, later only if something was delivered since the last one. `before` tells that the
    /// ledger holds counted ones of an earlier process.
    pub(super) fn note(&self, entry: i64, before: bool) -> bool {
        let mut state = self.held();
        let now = state.delivered;
        match state.failed.insert(entry, now) {
            Some(last) => last < now,
            None => !before,
        }
    }

    /// An entry was delivered.
    pub(super) fn delivered(&self, entry: i64) {
        let mut state = self.held();
        state.delivered += 1;
        state.failed.remove(&entry);
    }

    /// An entry ended otherwise.
    pub(super) fn forget(&self, entry: i64) {
        self.held().failed.remove(&entry);
    }

    /// Whether several failed since the last delivery.
    pub(super) fn are_all(&self) -> bool {
        let state = self.held();
        state.failed.values().filter(|&&at| at == state.delivered).count() >= ALL
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_only_while_others_are_delivered() {
        let suspects = Suspects::default();
        assert!(suspects.note(1, false));
        for _ in 0..20 {
            assert!(!suspects.note(1, true), "nothing was delivered since");
        }
        for other in 2..12 {
            suspects.delivered(other);
            assert!(suspects.note(1, true));
        }
    }

    #[test]
    fn a_restart_counts_nothing_again() {
        let suspects = Suspects::default();
        assert!(!suspects.note(1, true));
        suspects.delivered(2);
        assert!(suspects.note(1, true));
    }

    #[test]
    fn three_that_fail_in_a_row_are_all_until_one_is_delivered() {
        let suspects = Suspects::default();
        for _ in 0..5 {
            suspects.note(1, false);
        }
        suspects.note(2, false);
        assert!(!suspects.are_all());
        suspects.note(3, false);
        assert!(suspects.are_all());
        suspects.delivered(4);
        assert!(!suspects.are_all());
        suspects.note(1, true);
        assert!(!suspects.are_all());
    }
}
