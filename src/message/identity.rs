//! Which message is the same as which: Message-IDs and fingerprints. Pure.

use sha2::{Digest, Sha256};

use super::header::Headers;

/// Bytes of an id that are kept; of a longer one a prefix and a digest of the whole.
const MAX_ID: usize = 900;

/// Ids of one References header that are kept, the last ones: the nearest ancestors stand right.
const MAX_IDS: usize = 100;

/// Changes when the identity is computed in another way, for old ledgers must not match by chance.
const VERSION: &[u8] = b"mailcrm identity 1";

/// Message-ID without blanks and angle brackets, case kept; `None` if nothing is left.
///
/// Of several ids the first is taken. An id of more than 900 bytes becomes a prefix and the hex
/// SHA-256 of the whole.
pub fn normalise_id(raw: &str) -> Option<String> {
    let inside = match raw.split_once('<') {
        Some((_, rest)) => {
            rest.trim_start_matches('<').split(['>', '<']).next().unwrap_or_default()
        }
        // Some senders leave the brackets out; a comment may follow.
        None => raw.split_whitespace().next().unwrap_or_default().trim_end_matches('>'),
    };
    let id: String = inside.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    if id.is_empty() {
        return None;
    }
    if id.len() <= MAX_ID {
        return Some(id);
    }
    let digest = hex(&Sha256::digest(id.as_bytes()));
    let mut end = MAX_ID - digest.len() - 1;
    while !id.is_char_boundary(end) {
        end -= 1;
    }
    Some(format!("{}~{digest}", id.get(..end).unwrap_or_default()))
}

/// The ids of In-Reply-To or References in their order, at most the last 100.
pub fn ids(headers: &Headers<'_>, name: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for value in headers.all(name) {
        let text = String::from_utf8_lossy(&value);
        let mut found: Vec<&str> = if text.contains('<') {
            // Words around the ids (`Your message of Monday <id>`) are RFC 822's.
            text.split('<').skip(1).collect()
        } else {
            text.split_whitespace().filter(|word| word.contains('@')).collect()
        };
        let surplus = found.len().saturating_sub(MAX_IDS);
        found.drain(..surplus);
        ids.extend(found.into_iter().filter_map(|id| {
            let id = id.split('>').next().unwrap_or_default();
            normalise_id(&format!("<{id}>"))
        }));
    }
    let surplus = ids.len().saturating_sub(MAX_IDS);
    ids.drain(..surplus);
    ids
}

/// The number of the activity out of a Message-ID that Bitrix24 gives to mail it sends itself:
/// `crm.activity.{id}-{code}@host`.
pub fn crm_activity(message_id: &str) -> Option<u64> {
    const PREFIX: &str = "crm.activity.";
    let head = message_id.get(..PREFIX.len())?;
    if !head.eq_ignore_ascii_case(PREFIX) {
        return None;
    }
    let (number, rest) = message_id.get(PREFIX.len()..)?.split_once('-')?;
    let (code, host) = rest.split_once('@')?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || code.is_empty() || host.is_empty() {
        return None;
    }
    number.parse().ok().filter(|id| *id > 0)
}

/// What makes one message itself and no other.
pub enum Identity<'a> {
    /// With a Message-ID. Ids are reused, so sender and Date must agree too.
    ById { id: &'a str, sender: &'a str, date: &'a str },
    /// Without one. `recipients` in order and each once; `text` with single blanks.
    ByContent {
        from: &'a str,
        date: &'a str,
        subject: &'a str,
        recipients: &'a [&'a str],
        text: &'a str,
    },
}

impl Identity<'_> {
    /// SHA-256 of the identity. Every part is preceded by its length, so that none can run into
    /// the next.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        add(VERSION);
        match self {
            Identity::ById { id, sender, date } => {
                [b"id".as_slice(), id.as_bytes(), sender.as_bytes(), date.as_bytes()]
                    .into_iter()
                    .for_each(&mut add);
            }
            Identity::ByContent { from, date, subject, recipients, text } => {
                [b"content".as_slice(), from.as_bytes(), date.as_bytes(), subject.as_bytes()]
                    .into_iter()
                    .for_each(&mut add);
                add(&(recipients.len() as u64).to_be_bytes());
                recipients.iter().for_each(|recipient| add(recipient.as_bytes()));
                add(text.as_bytes());
            }
        }
        digest.finalize().into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `text` with every run of white space as one blank: what is left of it when line ends, folds and
/// trailing blanks are no difference.
pub fn single_blanks(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_have_one_form() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("plain",         "<a@b>",                    Some("a@b")),
            ("case kept",     "<Ab@C>",                   Some("Ab@C")),
            ("no brackets",   " a@b ",                    Some("a@b")),
            ("half bracket",  "<a@b",                     Some("a@b")),
            ("other half",    "a@b>",                     Some("a@b")),
            ("blanks inside", "< a @b >",                 Some("a@b")),
            ("several",       "<a@b> <c@d>",              Some("a@b")),
            ("comment",       "<a@b> (added by relay)",   Some("a@b")),
            ("no at",         "<abc>",                    Some("abc")),
            ("double",        "<<a@b>>",                  Some("a@b")),
            ("empty",         "<>",                       None),
            ("blank",         "  ",                       None),
        ];
        for (name, raw, id) in cases {
            assert_eq!(normalise_id(raw).as_deref(), *id, "{name}");
        }
    }

    #[test]
    fn long_ids_are_cut_and_stay_apart() {
        let long = |last: char| format!("<{}{last}@example.com>", "é".repeat(2_000));
        let (a, b) = (normalise_id(&long('a')).unwrap(), normalise_id(&long('b')).unwrap());
        assert!(a.len() <= MAX_ID);
        assert_ne!(a, b);
        assert_eq!(normalise_id(&a), Some(a));
    }

    #[test]
    fn references_are_the_last_hundred() {
        let all: String = (0..500).map(|n| format!("<{n}@x>\r\n ")).collect();
        let raw =
            format!("References: {all}\r\nIn-Reply-To: Your mail of Monday <a@b> \"x\"\r\n\r\n");
        let headers = Headers::of_message(raw.as_bytes());
        let references = ids(&headers, "references");
        assert_eq!(references.len(), MAX_IDS);
        assert_eq!(references.last().map(String::as_str), Some("499@x"));
        assert_eq!(ids(&headers, "in-reply-to"), ["a@b"]);
        assert_eq!(ids(&Headers::of_message(b"In-Reply-To: a@b\n\n"), "in-reply-to"), ["a@b"]);
    }

    #[test]
    fn mail_of_the_crm_is_known_by_its_id() {
        #[rustfmt::skip]
        let cases: &[(&str, Option<u64>)] = &[
            ("crm.activity.123-ABC4ef@portal.example.com", Some(123)),
            ("CRM.Activity.123-abc@portal.example.com",    Some(123)),
            ("crm.activity.-abc@portal.example.com",       None),
            ("crm.activity.12x-abc@portal.example.com",    None),
            ("crm.activity.123@portal.example.com",        None),
            ("crm.activity.123-@portal.example.com",       None),
            ("crm.activity.123-abc",                       None),
            ("crm.activity.0-abc@portal.example.com",      None),
            ("x.crm.activity.123-abc@portal.example.com",  None),
            ("crm.activity.99999999999999999999999-a@b",   None),
        ];
        for (id, activity) in cases {
            assert_eq!(crm_activity(id), *activity, "{id}");
        }
    }

    #[test]
    fn fingerprints_differ_where_the_identity_does() {
        let by_id = |id, sender, date| Identity::ById { id, sender, date }.fingerprint();
        let first = by_id("a@b", "ana@example.com", "1");
        assert_eq!(first, by_id("a@b", "ana@example.com", "1"));
        assert_ne!(first, by_id("a@c", "ana@example.com", "1"));
        assert_ne!(first, by_id("a@b", "bo@example.com", "1"));
        assert_ne!(first, by_id("a@b", "ana@example.com", "2"));
        assert_ne!(by_id("ab", "c", ""), by_id("a", "bc", ""));
        let content = |recipients: &[&str], text| {
            let (from, date, subject) = ("a", "1", "s");
            Identity::ByContent { from, date, subject, recipients, text }.fingerprint()
        };
        assert_ne!(content(&["x"], "y"), content(&[], "y"));
        assert_ne!(content(&["x", "y"], ""), content(&["x"], "y"));
        assert_ne!(content(&["x"], "y"), content(&["x"], "z"));
    }
}
