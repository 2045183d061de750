//! Rule 10: who is responsible for a new card. Pure.

use std::collections::HashSet;

/// Who a new card is given to, and whose turn it is then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub responsible: u64,
    /// To be kept, with the card that was made, for the next call.
    pub next_turn: u64,
    /// Why it is this one, for `explain`.
    pub why: String,
    /// For the operator's log; `None` if all is as configured.
    pub warning: Option<String>,
}

/// Takes the next of `queue` who is active, else the `owner`, else the webhook's own employee.
///
/// `turn` is what the last call gave as `next_turn`, 0 at first; it may point beyond the end of
/// a queue that was shortened since. An employee named twice has two turns a round. Only for
/// cards that are made: a known card keeps its responsible, active or not.
pub fn next_responsible(
    queue: &[u64],
    turn: u64,
    owner: u64,
    me: u64,
    active: &HashSet<u64>,
) -> Turn {
    let first = usize::try_from(turn).unwrap_or_default().checked_rem(queue.len()).unwrap_or(0);
    let round = queue.iter().enumerate().cycle().skip(first).take(queue.len());
    for (position, employee) in round {
        if active.contains(employee) {
            let next = (position + 1) % queue.len();
            let mut why = format!("employee {employee}, whose turn it is in the queue");
            let passed: Vec<String> = queue
                .iter()
                .cycle()
                .skip(first)
                .take_while(|other| *other != employee)
                .take(queue.len())
                .map(u64::to_string)
                .collect();
            if !passed.is_empty() {
                why.push_str(&format!("; passed over, not active: {}", passed.join(", ")));
            }
            return Turn {
                responsible: *employee,
                next_turn: u64::try_from(next).unwrap_or_default(),
                why,
                warning: None,
            };
        }
    }
    let nobody =
        if queue.is_empty() { "there is no queue" } else { "nobody of the queue is active" };
    if active.contains(&owner) {
        let why = format!("employee {owner}, the mailbox's owner, for {nobody}");
        return Turn { responsible: owner, next_turn: turn, why, warning: None };
    }
    Turn {
        responsible: me,
        next_turn: turn,
        why: format!("employee {me}, whose webhook it is, for {nobody}"),
        warning: Some(format!(
            "the mailbox's owner, employee {owner}, is not active: the card goes to the webhook's \
             employee {me}"
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity)]

    use proptest::prelude::*;

    use super::*;

    const OWNER: u64 = 7;
    const ME: u64 = 1;

    #[test]
    fn the_queue_goes_round_and_passes_over_who_is_not_active() {
        #[rustfmt::skip]
        let cases: &[(&str, &[u64], u64, &[u64], u64, u64, bool)] = &[
            // name                     queue         turn      active          who  next warning
            ("the first of all",        &[7, 9, 12],  0,        &[7, 9, 12],    7,   1,   false),
            ("the next",                &[7, 9, 12],  1,        &[7, 9, 12],    9,   2,   false),
            ("the last, then round",    &[7, 9, 12],  2,        &[7, 9, 12],    12,  0,   false),
            ("one is passed over",      &[7, 9, 12],  1,        &[7, 12],       12,  0,   false),
            ("round past the end",      &[7, 9, 12],  2,        &[7, 9],        7,   1,   false),
            ("only one is left",        &[7, 9, 12],  0,        &[9],           9,   2,   false),
            ("alone in the queue",      &[9],         0,        &[9],           9,   0,   false),
            ("named twice",             &[9, 9, 12],  1,        &[9, 12],       9,   2,   false),
            ("queue was shortened",     &[7, 9],      5,        &[7, 9],        9,   0,   false),
            ("turn out of all bounds",  &[7, 9],      u64::MAX, &[7, 9],        9,   0,   false),
            ("no queue: the owner",     &[],          0,        &[7],           7,   0,   false),
            ("no queue keeps the turn", &[],          2,        &[7],           7,   2,   false),
            ("nobody active: owner",    &[9, 12],     1,        &[7],           7,   1,   false),
            ("owner inactive, queue not", &[9],       0,        &[9],           9,   0,   false),
            ("owner inactive: webhook", &[],          0,        &[9],           1,   0,   true),
            ("nobody at all",           &[9, 12],     1,        &[],            1,   1,   true),
        ];
        for (name, queue, turn, active, responsible, next_turn, warns) in cases {
            let active: HashSet<u64> = active.iter().copied().collect();
            let taken = next_responsible(queue, *turn, OWNER, ME, &active);
            assert_eq!(taken.responsible, *responsible, "{name}");
            assert_eq!(taken.next_turn, *next_turn, "{name}");
            assert_eq!(taken.warning.is_some(), *warns, "{name}");
        }
    }

    #[test]
    fn a_warning_names_both_employees() {
        let warning = next_responsible(&[], 0, 7, 1, &HashSet::new()).warning.unwrap();
        assert!(warning.contains("employee 7") && warning.contains("employee 1"), "{warning}");
    }

    proptest! {
        #[test]
        fn every_active_employee_gets_as_many_cards_as_places_in_the_queue(
            queue in prop::collection::vec(1_u64..9, 0..8),
            active in prop::collection::hash_set(1_u64..9, 0..8),
            start in any::<u64>(),
        ) {
            let mut turn = start;
            let waiting = queue.iter().filter(|employee| active.contains(employee)).count();
            let mut served = Vec::new();
            for _ in 0..waiting {
                let taken = next_responsible(&queue, turn, OWNER, ME, &active);
                served.push(taken.responsible);
                turn = taken.next_turn;
            }
            let mut expected: Vec<u64> =
                queue.iter().copied().filter(|employee| active.contains(employee)).collect();
            served.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(served, expected);
        }
    }
}
