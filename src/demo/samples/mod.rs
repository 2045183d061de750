//! Sample mail of two mailboxes, each with the fate that it must have. Pure.
//!
//! The fates hold for the configuration that the constants here describe, with all else at its
//! default, and for a CRM that knows the clients in [`KNOWN_CLIENTS`].

mod letter;
mod odd;
mod people;
mod robots;

/// A mailbox of the samples; its name is also its user on the private mail server.
pub struct SampleMailbox {
    pub name: &'static str,
    pub address: &'static str,
    pub aliases: &'static [&'static str],
}

pub const MAILBOXES: [SampleMailbox; 2] = [
    SampleMailbox { name: "sales", address: "sales@example.com", aliases: &["info@example.com"] },
    SampleMailbox { name: "support", address: "support@example.com", aliases: &[] },
];

/// `internal_domains` of both mailboxes.
pub const INTERNAL_DOMAIN: &str = "example.com";

/// `exclude` of both mailboxes.
pub const EXCLUDE: &str = "*@offers.example";

/// `folders.sync` of both mailboxes. Junk is read too, so that its messages have a state.
pub const SYNC: [&str; 3] = ["INBOX", "Sent", "Junk"];

/// A client that the CRM knows before the first sample arrives.
pub struct KnownClient {
    pub name: &'static str,
    pub email: &'static str,
    /// Title of an open deal; `None`: a contact only.
    pub deal: Option<&'static str>,
}

pub const KNOWN_CLIENTS: [KnownClient; 2] = [ANA, PETER];

const ANA: KnownClient = KnownClient {
    name: "Ana Ruiz",
    email: "ana.ruiz@cliente.example",
    deal: Some("Pump station, phase 2"),
};

const PETER: KnownClient =
    KnownClient { name: "Peter Novak", email: "peter@novak.example", deal: None };

/// What must become of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Filed in the CRM.
    Saved,
    /// Not filed, for this reason code.
    Skipped(&'static str),
    /// No message of its own: a further place of a former sample.
    SecondPlace,
}

/// One mail to be delivered.
#[derive(Clone, Debug)]
pub struct Sample {
    pub mailbox: &'static str,
    pub folder: &'static str,
    pub raw: Vec<u8>,
    /// What is special about it, in a few words.
    pub what: &'static str,
    pub expect: Expect,
    /// Samples of a later wave are delivered when those of the former are settled: their fate
    /// hangs on what was made of those.
    pub wave: u8,
}

/// All samples in the order of delivery, the waves one after the other.
///
/// `now` is in Unix seconds; the mails were written in the hours before. Another `now` gives other
/// messages, with other Message-IDs.
pub fn samples(now: i64) -> Vec<Sample> {
    let mut samples = people::samples(now);
    samples.extend(robots::samples(now));
    samples.extend(odd::samples(now));
    samples.sort_by_key(|sample| sample.wave);
    samples
}

impl Sample {
    /// An incoming sample of `sales` that is saved.
    fn new(what: &'static str, raw: Vec<u8>) -> Sample {
        Sample { mailbox: "sales", folder: "INBOX", raw, what, expect: Expect::Saved, wave: 0 }
    }

    fn in_place(self, mailbox: &'static str, folder: &'static str) -> Sample {
        Sample { mailbox, folder, ..self }
    }

    fn sent(self) -> Sample {
        Sample { folder: "Sent", ..self }
    }

    fn skipped(self, reason: &'static str) -> Sample {
        Sample { expect: Expect::Skipped(reason), ..self }
    }

    /// The same mail once more.
    fn copy(&self, what: &'static str, mailbox: &'static str, folder: &'static str) -> Sample {
        Sample { mailbox, folder, what, expect: Expect::SecondPlace, ..self.clone() }
    }

    fn in_wave(self, wave: u8) -> Sample {
        Sample { wave, ..self }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::{HashMap, HashSet};

    use mail_parser::MessageParser;

    use super::*;

    const NOW: i64 = 1_714_644_000;

    #[test]
    fn every_first_copy_is_another_mail_and_every_further_one_is_a_former_mail() {
        let mut seen = HashSet::new();
        for sample in samples(NOW) {
            let new = seen.insert(sample.raw);
            assert_eq!(new, sample.expect != Expect::SecondPlace, "{}", sample.what);
        }
    }

    #[test]
    fn the_message_id_differs_where_the_mail_does_except_for_the_reused_one() {
        let mut by_id: HashMap<String, HashSet<Vec<u8>>> = HashMap::new();
        for sample in samples(NOW).into_iter().chain(samples(NOW + 1)) {
            let id =
                MessageParser::new().parse(&sample.raw).unwrap().message_id().map(String::from);
            if let Some(id) = id {
                by_id.entry(id).or_default().insert(sample.raw);
            }
        }
        let reused: Vec<&String> =
            by_id.iter().filter(|(_, mails)| mails.len() > 1).map(|(id, _)| id).collect();
        assert!(reused.iter().all(|id| id.starts_with("reused")), "{reused:?}");
        assert_eq!(reused.len(), 2);
    }

    #[test]
    fn dates_lie_within_the_last_hours_except_where_the_sample_says_so() {
        for sample in samples(NOW) {
            let mail = MessageParser::new().parse(&sample.raw).unwrap();
            let Some(date) = mail.date() else { continue };
            let ago = NOW - date.to_timestamp();
            let odd = sample.what.contains("Date");
            assert_eq!((0..86_400).contains(&ago), !odd, "{}: {ago}", sample.what);
        }
    }

    #[test]
    fn there_are_some_dozens_of_every_fate_in_both_mailboxes() {
        let samples = samples(NOW);
        let count = |wanted: fn(&Sample) -> bool| samples.iter().filter(|s| wanted(s)).count();
        assert!(count(|_| true) >= 48);
        assert!(count(|sample| sample.expect == Expect::Saved) >= 30);
        assert!(count(|sample| sample.expect == Expect::SecondPlace) >= 3);
        assert!(count(|sample| sample.mailbox == "support") >= 8);
        assert!(count(|sample| sample.folder == "Sent") >= 4);
        let reasons: HashSet<&str> = samples
            .iter()
            .filter_map(|sample| match sample.expect {
                Expect::Skipped(reason) => Some(reason),
                Expect::Saved | Expect::SecondPlace => None,
            })
            .collect();
        let wanted = [
            "spam-folder",
            "internal",
            "excluded",
            "spam-verdict",
            "automated",
            "bounce",
            "mailing-list",
            "no-address",
        ];
        assert_eq!(reasons, HashSet::from(wanted));
    }

    #[test]
    fn lines_end_as_mail_has_them_except_where_the_sample_says_so() {
        for sample in samples(NOW) {
            let text = String::from_utf8_lossy(&sample.raw);
            let bare = text.replace("\r\n", "").contains(['\r', '\n']);
            assert_eq!(bare, sample.what.contains("line ends"), "{}", sample.what);
        }
    }
}
