//! Whom deliveries are about that are under way, so that several rounds beside each other never
//! deliver to one lane or make things for one person.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lanes and addresses that are taken by any round.
#[derive(Default)]
pub(super) struct Busy(Mutex<State>);

#[derive(Default)]
struct State {
    taken: HashSet<String>,
    /// How often something was given back.
    given_back: u64,
}

impl Busy {
    /// Begins a round that holds nothing yet.
    pub(super) fn round(&self) -> Held<'_> {
        Held { busy: self, names: Mutex::default() }
    }

    /// All that is taken, and how often something was given back before.
    pub(super) fn now(&self) -> (HashSet<String>, u64) {
        let state = self.held();
        (state.taken.clone(), state.given_back)
    }

    /// Whether something was given back since [`Busy::now`] said `before`.
    pub(super) fn changed(&self, before: u64) -> bool {
        self.held().given_back != before
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one round holds; given back at its end.
pub(super) struct Held<'a> {
    busy: &'a Busy,
    names: Mutex<HashSet<String>>,
}

impl Held<'_> {
    /// Takes all of these, unless another round holds one of them. Returns whether it did.
    pub(super) fn take(&self, names: &HashSet<String>) -> bool {
        let mut state = self.busy.held();
        let mut own = self.names();
        if names.iter().any(|name| state.taken.contains(name) && !own.contains(name)) {
            return false;
        }
        state.taken.extend(names.iter().cloned());
        own.extend(names.iter().cloned());
        true
    }

    /// Gives these back: their deliveries have ended.
    pub(super) fn give_back(&self, names: &HashSet<String>) {
        let mut state = self.busy.held();
        let mut own = self.names();
        for name in names {
            if own.remove(name) {
                state.taken.remove(name);
            }
        }
        state.given_back += 1;
    }

    fn names(&self) -> MutexGuard<'_, HashSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let names = std::mem::take(&mut *self.names());
        let mut state = self.busy.held();
        state.taken.retain(|name| !names.contains(name));
        state.given_back += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(names: [&str; N]) -> HashSet<String> {
        names.map(str::to_owned).into()
    }

    #[test]
    fn nobody_is_taken_twice_until_given_back() {
        let busy = Busy::default();
        let (one, other) = (busy.round(), busy.round());
        assert!(one.take(&names(["ana", "bo"])));
        assert!(one.take(&names(["bo", "cy"])), "its own may be taken again");
        assert!(!other.take(&names(["di", "bo"])));
        let (taken, before) = busy.now();
        assert_eq!(taken, names(["ana", "bo", "cy"]), "nothing is taken by a try in vain");
        assert!(!busy.changed(before));
        one.give_back(&names(["bo"]));
        assert!(busy.changed(before));
        assert!(other.take(&names(["bo"])));
        drop(one);
        assert!(other.take(&names(["ana", "cy"])));
        drop(other);
        assert!(busy.now().0.is_empty());
    }

    #[test]
    fn what_others_hold_is_not_given_back_for_them() {
        let busy = Busy::default();
        let (one, other) = (busy.round(), busy.round());
        assert!(one.take(&names(["ana"])));
        other.give_back(&names(["ana"]));
        assert!(!other.take(&names(["ana"])));
    }
}
