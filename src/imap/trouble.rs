//! What failed lately in a mailbox, so that one bad message stops nothing but itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Error;

/// Stands for the dates of all messages of a folder; no message has this UID.
pub(super) const WHOLE_FOLDER: u32 = 0;
/// How long a message may be refused before it is given up: servers announce mail before they can
/// hand it out, and have bad minutes (Exchange: `NO Server Unavailable. 15`).
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for a server that has no other message.
const LONG_PATIENCE: Duration = Duration::from_secs(600);
/// Between two tries of a message that is refused.
pub(super) const AGAIN: Duration = Duration::from_secs(10);
/// Between two tries of a message with which the connection was lost again and again.
const LOST_AGAIN: Duration = Duration::from_secs(300);
/// Between two tries of a list of folders that cannot be read.
const UNLISTED: Duration = Duration::from_secs(3600);
/// Renumberings of a folder in a day after which there is time between two.
const RENUMBERINGS: usize = 5;
const RENUMBERED: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(86_400);

/// Lives as long as the mailbox's task, over reconnections.
#[derive(Default)]
pub(super) struct Trouble {
    /// What is being read.
    reading: Option<(String, Vec<u32>)>,
    /// What was being read when the connection was lost last.
    lost_at: Option<(String, Vec<u32>)>,
    of_uid: HashMap<(String, u32), Failures>,
    /// When folders were renumbered.
    renumbered: HashMap<String, Vec<Instant>>,
    /// Lists of folders in a row that could not be read, and when the last came.
    unlisted: u32,
    unlisted_at: Option<Instant>,
}

/// How often reading a message failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failures {
    /// The server said no, or did not hand it out.
    refused: u32,
    /// The answer could not be read.
    unreadable: u32,
    /// The connection was lost, and again at the same place.
    lost: u32,
    since: Instant,
    last: Instant,
}

/// What to do with a message now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Among others.
    Read,
    Alone,
    /// Not now: it was tried just before.
    Later,
    /// It cannot be had, if others can.
    GiveUp,
}

impl Trouble {
    /// Takes note of what is read now.
    pub(super) fn begin(&mut self, folder: &str, uids: &[u32]) {
        self.reading = Some((folder.to_owned(), uids.to_vec()));
    }

    /// It was read, whatever became of its messages.
    pub(super) fn end(&mut self) {
        self.reading = None;
    }

    /// Takes note of a failure. What was read together is noted whole: each of its messages is
    /// suspected until it was read alone. A connection is lost for many reasons, so only a
    /// second loss at the same place counts.
    pub(super) fn note(&mut self, error: &Error, now: Instant) {
        match error {
            Error::Unparsable { doing: "list folders", .. } => {
                self.unlisted += 1;
                self.unlisted_at = Some(now);
            }
            Error::Unparsable { .. }
            | Error::No { .. }
            | Error::Lost { .. }
            | Error::Timeout { .. }
            | Error::Busy { .. }
            | Error::Credentials { .. }
            | Error::Held { .. }
            | Error::Secret(_)
            | Error::Blocked(_)
            | Error::Ledger(_) => {}
        }
        let Some(reading) = self.reading.take() else { return };
        let (refused, unreadable, lost) = match error {
            Error::Unparsable { .. } => (0, 1, 0),
            Error::No { .. } => (1, 0, 0),
            Error::Lost { .. } | Error::Timeout { .. } | Error::Busy { .. } => {
                let again = self.lost_at.as_ref() == Some(&reading);
                self.lost_at = Some(reading.clone());
                if !again {
                    return;
                }
                (0, 0, 1)
            }
            Error::Credentials { .. }
            | Error::Held { .. }
            | Error::Secret(_)
            | Error::Blocked(_)
            | Error::Ledger(_) => return,
        };
        let (folder, uids) = reading;
        for uid in uids {
            let none = Failures { refused: 0, unreadable: 0, lost: 0, since: now, last: now };
            let failures = self.of_uid.entry((folder.clone(), uid)).or_insert(none);
            failures.refused += refused;
            failures.unreadable += unreadable;
            failures.lost += lost;
            failures.last = now;
        }
    }

    pub(super) fn of(&self, folder: &str, uid: u32) -> Option<Failures> {
        if self.of_uid.is_empty() {
            return None;
        }
        self.of_uid.get(&(folder.to_owned(), uid)).copied()
    }

    /// A message was read, or is gone.
    pub(super) fn read(&mut self, folder: &str, uid: u32) {
        if !self.of_uid.is_empty() {
            self.of_uid.remove(&(folder.to_owned(), uid));
        }
    }

    /// Other messages of a folder have these numbers now.
    pub(super) fn forget(&mut self, folder: &str) {
        self.of_uid.retain(|(of, uid), _| of != folder || *uid == WHOLE_FOLDER);
    }

    /// Takes note of a renumbering. Returns whether it was one too many: then the server gives a
    /// new UIDVALIDITY at every look, or with every mail (Mailutils), and the folder would be read
    /// for ever.
    pub(super) fn renumbered(&mut self, folder: &str, now: Instant) -> bool {
        self.forget(folder);
        let times = self.renumbered.entry(folder.to_owned()).or_default();
        times.retain(|at| now.saturating_duration_since(*at) < DAY);
        let lately = times.last().is_some_and(|at| now.saturating_duration_since(*at) < RENUMBERED);
        if times.len() < RENUMBERINGS || !lately {
            times.push(now);
            return false;
        }
        true
    }

    /// Whether the list of folders cannot be read on this server (imap-proto 0.17 fails on the
    /// attribute `\AllMail`). After an hour it is tried again: the folder may have gone.
    pub(super) fn cannot_list(&self, now: Instant) -> bool {
        let lately = |at| now.saturating_duration_since(at) < UNLISTED;
        self.unlisted > 1 && self.unlisted_at.is_some_and(lately)
    }

    /// The list of folders was read.
    pub(super) fn listed(&mut self) {
        self.unlisted = 0;
    }
}

impl Failures {
    pub(super) fn next(failures: Option<Failures>, now: Instant) -> Next {
        let Some(Failures { refused, unreadable, lost, since, last }) = failures else {
            return Next::Read;
        };
        let ago = now.saturating_duration_since(last);
        let long = now.saturating_duration_since(since) >= PATIENCE;
        if lost > 3 && ago < LOST_AGAIN {
            Next::Later
        } else if unreadable > 2 || lost > 9 || (refused > 2 && long) {
            Next::GiveUp
        } else if refused > 2 && ago < AGAIN {
            Next::Later
        } else {
            Next::Alone
        }
    }

    /// INTERNALDATE, size or the header's own section may be what cannot be read: the raw bytes
    /// alone are asked for.
    pub(super) fn raw_only(self) -> bool {
        self.unreadable + self.refused > 1 || self.lost > 3
    }

    /// Whether the server said no to it; else it cost the connection, and is not tried once more.
    pub(super) fn was_refused(self) -> bool {
        self.unreadable <= 2 && self.lost <= 9
    }

    /// Whether reading it was the end of a connection.
    pub(super) fn costs(self) -> bool {
        self.unreadable > 0 || self.lost > 0
    }

    /// Whether it failed for so long that it is given up although no other was handed out: there is
    /// none, or `others` are refused as well.
    pub(super) fn endless(self, others: bool, now: Instant) -> bool {
        let patience = if others { DAY } else { LONG_PATIENCE };
        now.saturating_duration_since(self.since) >= patience
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::type_complexity)]
    use super::*;

    fn no() -> Error {
        Error::No { doing: "read messages", text: "NO".to_owned() }
    }

    fn unparsable() -> Error {
        Error::Unparsable { doing: "read messages", what: "odd".to_owned() }
    }

    fn lost() -> Error {
        Error::Lost { doing: "read messages", source: std::io::ErrorKind::BrokenPipe.into() }
    }

    #[test]
    fn message_is_given_up_by_what_went_wrong_and_how_long_it_has() {
        use Next::{Alone, GiveUp, Later, Read};
        #[rustfmt::skip]
        let cases: &[(&str, fn() -> Error, u32, u64, Next)] = &[
            // name                        error       times  secs  next
            ("never failed",               no,         0,     0,    Read),
            ("refused once",               no,         1,     0,    Alone),
            ("refused thrice at once",     no,         3,     0,    Later),
            ("refused thrice, later",      no,         3,     20,   Alone),
            ("refused for a minute",       no,         3,     61,   GiveUp),
            ("unreadable twice",           unparsable, 2,     0,    Alone),
            ("unreadable thrice",          unparsable, 3,     0,    GiveUp),
            // A first loss at a place proves nothing.
            ("lost once",                  lost,       1,     0,    Read),
            ("lost twice",                 lost,       2,     0,    Alone),
            ("lost five times",            lost,       5,     0,    Later),
            ("lost five times, later",     lost,       5,     301,  Alone),
            ("lost eleven times",          lost,       11,    0,    Later),
            ("lost eleven times, later",   lost,       11,    301,  GiveUp),
        ];
        let start = Instant::now();
        for (name, error, times, secs, next) in cases {
            let mut trouble = Trouble::default();
            for _ in 0..*times {
                trouble.begin("INBOX", &[7]);
                trouble.note(&error(), start);
            }
            let now = start + Duration::from_secs(*secs);
            assert_eq!(Failures::next(trouble.of("INBOX", 7), now), *next, "{name}");
        }
    }

    #[test]
    fn renumbered_folder_has_other_messages_under_the_same_numbers() {
        let now = Instant::now();
        let mut trouble = Trouble::default();
        for folder in ["INBOX", "Sent"] {
            trouble.begin(folder, &[7, WHOLE_FOLDER]);
            trouble.note(&no(), now);
        }
        trouble.renumbered("INBOX", now);
        let known = |folder, uid| trouble.of(folder, uid).is_some();
        assert!(!known("INBOX", 7) && known("INBOX", WHOLE_FOLDER) && known("Sent", 7));
    }

    #[test]
    fn list_of_folders_that_cannot_be_read_is_asked_for_again_after_an_hour() {
        let start = Instant::now();
        let mut trouble = Trouble::default();
        let unlisted = Error::Unparsable { doing: "list folders", what: "odd".to_owned() };
        for _ in 0..2 {
            assert!(!trouble.cannot_list(start));
            trouble.note(&unlisted, start);
        }
        assert!(trouble.cannot_list(start));
        let later = start + UNLISTED;
        assert!(!trouble.cannot_list(later));
        trouble.note(&unlisted, later);
        assert!(trouble.cannot_list(later));
        trouble.listed();
        assert!(!trouble.cannot_list(later));
    }

    #[test]
    fn folder_renumbered_more_than_five_times_a_day_is_read_every_ten_minutes() {
        let mut trouble = Trouble::default();
        let now = Instant::now();
        for _ in 0..5 {
            assert!(!trouble.renumbered("Sent", now));
        }
        assert!(trouble.renumbered("Sent", now));
        assert!(!trouble.renumbered("INBOX", now));
        assert!(!trouble.renumbered("Sent", now + RENUMBERED));
        assert!(trouble.renumbered("Sent", now + RENUMBERED));
        assert!(!trouble.renumbered("Sent", now + DAY));
    }
}
