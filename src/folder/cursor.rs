//! How far a folder is done, and what to fetch next. Pure.

use std::collections::BTreeSet;

/// Seconds of a day of the history window.
const DAY: i64 = 86_400;

/// How far one folder is done. Written in the transaction that writes the rows it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderCursor {
    pub uid_validity: u32,
    /// Highest UID at or below which every UID has a row or lies at or under the floor. Never
    /// below `floor`.
    pub cursor: u32,
    /// Highest UID at or below which nothing lies in the history window; 0: there is none.
    pub floor: u32,
    /// When the folder was first read, Unix seconds. Kept when the server renumbers the folder.
    pub first_read_at: i64,
    /// INTERNALDATE from which on messages are in the window that `floor` was found for, Unix
    /// seconds.
    pub window_start: i64,
}

impl FolderCursor {
    fn done(self) -> u32 {
        self.cursor.max(self.floor)
    }
}

/// What the server says about a folder now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    pub uid_validity: u32,
    /// The next UID to be given; 0 if the server did not tell. Must be of this moment, not of
    /// an earlier SELECT: a cursor that moved on would look as if the server had gone back.
    pub uid_next: u32,
}

/// What to do next with a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// First contact. Begin at the history window: an installation must not send years of old
    /// mail to the CRM. Find the floor: [`floor_under`].
    FirstContact { window_start: i64 },
    /// The server renumbered the folder and all stored UIDs are void (RFC 3501 §2.3.1.1). Read
    /// the window again: what arrived meanwhile lies in it, and the ledger knows the rest by
    /// its identity.
    Renumbered { window_start: i64 },
    /// Fetch every UID from `from` upwards. Servers answer `N:*` with the last message even if
    /// its UID is below N (RFC 3501 §6.4.8): what is below `from` is to be dropped.
    FetchFrom { from: u32 },
    /// The history was made longer. Write rows for what lies at or under `floor` and in the
    /// window.
    Widen { window_start: i64, floor: u32 },
    /// Nothing new: wait in IDLE.
    Wait,
}

/// Decides what is to be done next with a folder.
///
/// `stored` is `None` for a folder that was never read; `now` is in Unix seconds and only looked
/// at then. New mail goes before a longer history, which has waited for years already.
pub fn next_step(
    stored: Option<FolderCursor>,
    selected: Selected,
    now: i64,
    history_days: u32,
) -> Step {
    let Some(stored) = stored else {
        return Step::FirstContact { window_start: window_start(now, history_days) };
    };
    // A shorter history changes nothing: what has a row keeps it.
    let window_start = window_start(stored.first_read_at, history_days).min(stored.window_start);
    if stored.uid_validity != selected.uid_validity {
        return Step::Renumbered { window_start };
    }
    let done = stored.done();
    // Without UIDNEXT there may always be something new (Winmail, 163.com).
    if selected.uid_next == 0 {
        return Step::FetchFrom { from: done.saturating_add(1) };
    }
    let last = selected.uid_next - 1;
    if last < done {
        // UIDNEXT only grows (RFC 3501 §2.3.1.1). A mailbox restored from a backup may give the
        // same UIDs once more under the same UIDVALIDITY: waiting for UIDs above the cursor
        // would pass over that mail for ever.
        return Step::Renumbered { window_start };
    }
    if last > done {
        return Step::FetchFrom { from: done.saturating_add(1) };
    }
    if window_start < stored.window_start {
        return Step::Widen { window_start, floor: stored.floor };
    }
    Step::Wait
}

/// Where the history of a folder begins, as INTERNALDATE in Unix seconds.
pub fn window_start(first_read_at: i64, history_days: u32) -> i64 {
    first_read_at.saturating_sub(i64::from(history_days).saturating_mul(DAY))
}

/// The floor below the messages that lie in the window: under the lowest of them, or under
/// UIDNEXT if there is none.
pub fn floor_under(in_window: impl IntoIterator<Item = u32>, uid_next: u32) -> u32 {
    in_window.into_iter().min().unwrap_or(uid_next).min(uid_next).saturating_sub(1)
}

/// How far a cursor may go, now that `recorded` have their rows.
///
/// `listed` is what the server said lies in `cursor + 1 ..= up_to`, in any order; UIDs there that
/// it did not list are proved absent. The cursor stops before the first UID without a row, be
/// the rest as done as it may.
pub fn advance(cursor: u32, up_to: u32, listed: &[u32], recorded: &BTreeSet<u32>) -> u32 {
    listed
        .iter()
        .filter(|uid| **uid > cursor && **uid <= up_to && !recorded.contains(uid))
        .min()
        .map_or(up_to.max(cursor), |missing| missing - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity)]

    use proptest::prelude::*;

    use super::*;

    const FIRST: i64 = 1_700_000_000;
    const WEEK: i64 = FIRST - 7 * DAY;

    fn cursor(cursor: u32, floor: u32) -> FolderCursor {
        FolderCursor { uid_validity: 5, cursor, floor, first_read_at: FIRST, window_start: WEEK }
    }

    #[test]
    fn the_next_step_follows_from_what_is_done_and_what_the_server_says() {
        use Step::*;
        #[rustfmt::skip]
        let cases: &[(&str, Option<FolderCursor>, u32, u32, u32, Step)] = &[
            // name                        stored                validity  next      days  step
            ("never read",                 None,                 5,        101,      7,    FirstContact { window_start: WEEK }),
            ("never read, no history",     None,                 5,        101,      0,    FirstContact { window_start: FIRST }),
            ("never read and empty",       None,                 5,        1,        7,    FirstContact { window_start: WEEK }),
            ("nothing new",                Some(cursor(100, 0)), 5,        101,      7,    Wait),
            ("empty folder",               Some(cursor(0, 0)),   5,        1,        7,    Wait),
            ("one new",                    Some(cursor(100, 0)), 5,        102,      7,    FetchFrom { from: 101 }),
            ("stopped on the way",         Some(cursor(40, 30)), 5,        101,      7,    FetchFrom { from: 41 }),
            ("only the floor so far",      Some(cursor(30, 30)), 5,        101,      7,    FetchFrom { from: 31 }),
            ("all below the window",       Some(cursor(100, 100)), 5,      101,      7,    Wait),
            ("renumbered",                 Some(cursor(100, 0)), 6,        101,      7,    Renumbered { window_start: WEEK }),
            ("renumbered, history longer", Some(cursor(100, 0)), 6,        101,      8,    Renumbered { window_start: WEEK - DAY }),
            ("renumbered, history shorter", Some(cursor(100, 0)), 6,       101,      1,    Renumbered { window_start: WEEK }),
            ("renumbered to a lower one",  Some(cursor(100, 0)), 4,        2,        7,    Renumbered { window_start: WEEK }),
            ("server went back",           Some(cursor(100, 0)), 5,        90,       7,    Renumbered { window_start: WEEK }),
            ("server went back by one",    Some(cursor(100, 0)), 5,        100,      7,    Renumbered { window_start: WEEK }),
            ("server went back to nothing", Some(cursor(100, 0)), 5,       1,        7,    Renumbered { window_start: WEEK }),
            ("no UIDNEXT",                 Some(cursor(100, 0)), 5,        0,        7,    FetchFrom { from: 101 }),
            ("history longer",             Some(cursor(100, 30)), 5,       101,      30,   Widen { window_start: FIRST - 30 * DAY, floor: 30 }),
            ("new mail before history",    Some(cursor(100, 30)), 5,       102,      30,   FetchFrom { from: 101 }),
            // Rows above the floor may say that they lie before the old window.
            ("history longer, no floor",   Some(cursor(100, 0)), 5,        101,      30,   Widen { window_start: FIRST - 30 * DAY, floor: 0 }),
            ("history shorter",            Some(cursor(100, 30)), 5,       101,      1,    Wait),
            ("highest UID there is",       Some(cursor(u32::MAX - 1, 0)), 5, u32::MAX, 7,  Wait),
            ("cursor at the very end",     Some(cursor(u32::MAX, 0)), 5,   0,        7,    FetchFrom { from: u32::MAX }),
        ];
        for (name, stored, uid_validity, uid_next, days, step) in cases {
            let selected = Selected { uid_validity: *uid_validity, uid_next: *uid_next };
            assert_eq!(next_step(*stored, selected, FIRST, *days), *step, "{name}");
        }
    }

    #[test]
    fn the_window_counts_from_the_first_reading_and_not_from_today() {
        let selected = Selected { uid_validity: 5, uid_next: 101 };
        let later = FIRST + 400 * DAY;
        assert_eq!(next_step(Some(cursor(100, 30)), selected, later, 7), Step::Wait);
        let added_later = next_step(None, selected, later, 7);
        assert_eq!(added_later, Step::FirstContact { window_start: later - 7 * DAY });
    }

    #[test]
    fn a_longer_history_is_read_once() {
        let selected = Selected { uid_validity: 5, uid_next: 101 };
        let before = cursor(100, 30);
        let Step::Widen { window_start, floor } = next_step(Some(before), selected, FIRST, 30)
        else {
            panic!("the history was made longer");
        };
        let floor = floor_under([12, 25], floor + 1);
        let after = FolderCursor { floor, window_start, ..before };
        assert_eq!((after.floor, after.cursor), (11, 100));
        assert_eq!(next_step(Some(after), selected, FIRST, 30), Step::Wait);
        assert_eq!(next_step(Some(after), selected, FIRST, 7), Step::Wait);
    }

    #[test]
    fn the_floor_lies_under_the_lowest_message_of_the_window() {
        #[rustfmt::skip]
        let cases: &[(&str, &[u32], u32, u32)] = &[
            ("some are in the window",  &[40, 38, 77], 101, 37),
            ("the first of all is in",  &[1, 2],       3,   0),
            ("none is in",              &[],           101, 100),
            ("empty folder",            &[],           1,   0),
            ("no UIDNEXT",              &[],           0,   0),
        ];
        for (name, in_window, uid_next, floor) in cases {
            assert_eq!(floor_under(in_window.iter().copied(), *uid_next), *floor, "{name}");
        }
    }

    #[test]
    fn a_cursor_stops_before_the_first_message_without_a_row() {
        #[rustfmt::skip]
        let cases: &[(&str, u32, u32, &[u32], &[u32], u32)] = &[
            ("all have rows",             10, 20, &[11, 15, 20], &[11, 15, 20], 20),
            ("the end is absent",         10, 20, &[11],         &[11],         20),
            ("none is there",             10, 20, &[],           &[],           20),
            ("the first has none",        10, 20, &[11, 15],     &[15],         10),
            ("one in the middle",         10, 20, &[20, 11, 15], &[11, 20],     14),
            ("the last has none",         10, 20, &[11, 20],     &[11],         19),
            ("what is done does not count", 10, 20, &[3, 11],    &[11],         20),
            ("what is beyond does not count", 10, 20, &[11, 25], &[11],         20),
            ("never back",                10, 5,  &[],           &[],           10),
        ];
        for (name, cursor, up_to, listed, recorded, expected) in cases {
            let recorded = recorded.iter().copied().collect();
            assert_eq!(advance(*cursor, *up_to, listed, &recorded), *expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_cursor_never_passes_a_message_without_a_row(
            cursor in any::<u32>(),
            up_to in any::<u32>(),
            listed in prop::collection::vec(any::<u32>(), 0..40),
            recorded in prop::collection::btree_set(any::<u32>(), 0..40),
            keep in prop::collection::vec(any::<bool>(), 40),
        ) {
            let mut recorded = recorded;
            recorded.extend(listed.iter().zip(keep).filter(|(_, keep)| *keep).map(|(uid, _)| uid));
            let reached = advance(cursor, up_to, &listed, &recorded);
            prop_assert!(reached >= cursor && reached <= up_to.max(cursor));
            for uid in listed {
                prop_assert!(uid <= cursor || uid > reached || recorded.contains(&uid));
            }
        }

        #[test]
        fn whatever_is_fetched_lies_above_what_is_done(
            at in any::<u32>(), floor in any::<u32>(), uid_next in any::<u32>(), days in any::<u32>(),
        ) {
            let stored = FolderCursor { floor, ..cursor(at, 0) };
            let step = next_step(Some(stored), Selected { uid_validity: 5, uid_next }, FIRST, days);
            if let Step::FetchFrom { from } = step {
                prop_assert!(from > at.max(floor) || from == u32::MAX);
            }
        }
    }
}
