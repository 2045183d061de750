//! What is written into an activity: text, files, times, parties. Pure.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use crate::card::{CardKind, CardRef};
use crate::crm::{ActivityContent, Communication, EmailMeta, File, Made, OriginId};
use crate::message::{Address, Body, Message};

/// Octets of text in an activity (rule 11).
const TEXT: usize = 1024 * 1024;
/// Files left out that are named one by one: a mail may have thousands.
const LEFT_OUT: usize = 50;
/// Octets of one list of addresses.
const LIST: usize = 30 * 1024;

/// Origin id of a thing made for a message: SHA-256 of kind and identity, hex.
pub fn origin(made: Made, fingerprint: &[u8; 32]) -> OriginId {
    let kind = match made {
        Made::Activity => "activity",
        Made::Card(kind) => kind.as_str(),
        Made::Todo(_) => "todo",
    };
    origin_of(kind, fingerprint)
}

/// Origin id of the contact made of a mail's vCard, by the card's place in the mail.
pub fn origin_of_vcard(number: usize, fingerprint: &[u8; 32]) -> OriginId {
    origin_of(&format!("vcard-{number}"), fingerprint)
}

fn origin_of(kind: &str, fingerprint: &[u8; 32]) -> OriginId {
    let mut digest = Sha256::new();
    digest.update(kind.as_bytes());
    digest.update(b"|");
    digest.update(fingerprint);
    let octets: [u8; 32] = digest.finalize().into();
    OriginId(hex(&octets))
}

/// Lower-case hex.
pub fn hex(octets: &[u8]) -> String {
    use std::fmt::Write;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing to a String cannot go wrong.
        let _ok = write!(text, "{octet:02x}");
        text
    })
}

/// The end of the working day, counted from the filing: the next day's if it is past.
pub fn deadline(now: i64, at: Option<Time>, zone: &TimeZone) -> Option<i64> {
    let at = at?;
    let now = Timestamp::from_second(now).ok()?.to_zoned_datetime(zone.clone());
    let today = now.date().to_datetime(at).to_zoned_datetime(zone.clone()).ok()?;
    if today > now {
        return Some(today.timestamp().as_second());
    }
    let tomorrow =
        now.date().tomorrow().ok()?.to_datetime(at).to_zoned_datetime(zone.clone()).ok()?;
    // A day without that hour (clocks put forward) must not end in the past.
    let latest = now.checked_add(SignedDuration::from_mins(1)).ok()?;
    Some(tomorrow.max(latest).timestamp().as_second())
}

/// When a mail is to be answered: the deadline of its activity, or the end of tomorrow if that has
/// none.
pub fn todo_deadline(now: i64, at: Option<Time>, zone: &TimeZone) -> i64 {
    let end_of_tomorrow = || {
        let today = Timestamp::from_second(now).ok()?.to_zoned_datetime(zone.clone()).date();
        let next = today.checked_add(2.days()).ok()?.to_datetime(Time::midnight());
        Some(next.to_zoned_datetime(zone.clone()).ok()?.timestamp().as_second() - 1)
    };
    deadline(now, at, zone).or_else(end_of_tomorrow).unwrap_or(now)
}

/// Title of a card, subject of an activity.
pub fn subject(message: &Message) -> String {
    if message.subject.trim().is_empty() {
        return "(no subject)".to_owned();
    }
    message.subject.clone()
}

/// The external addresses, of which only the matched client is given with its card.
pub fn communications(
    parties: &[Address],
    client_email: Option<&str>,
    client: Option<CardRef>,
) -> Vec<Communication> {
    let mut communications: Vec<Communication> = parties
        .iter()
        .map(|party| Communication {
            email: party.email.clone(),
            card: client.filter(|_| client_email == Some(&party.email)),
        })
        .collect();
    if communications.is_empty()
        && let Some(email) = client_email
    {
        communications.push(Communication { email: email.to_owned(), card: client });
    }
    communications
}

/// The envelope as it is shown with the activity, and lines about what was cut from it.
pub fn meta(message: &Message, mailbox: &str, notes: &mut Vec<String>) -> EmailMeta {
    let mut list = |name: &str, addresses: &[Address]| {
        let mut text = String::new();
        for (index, address) in addresses.iter().enumerate() {
            let one = written(address);
            if text.len() + one.len() + 2 > LIST {
                notes.push(format!(
                    "The list {name} is cut: {} of {} addresses are shown.",
                    index,
                    addresses.len()
                ));
                break;
            }
            if index > 0 {
                text.push_str(", ");
            }
            text.push_str(&one);
        }
        text
    };
    EmailMeta {
        mailbox: mailbox.to_owned(),
        from: message.from.as_ref().map(written).unwrap_or_default(),
        reply_to: list("Reply-To", &message.reply_to),
        to: list("To", &message.to),
        cc: list("Cc", &message.cc),
        bcc: list("Bcc", &message.bcc),
    }
}

fn written(address: &Address) -> String {
    if address.name.is_empty() {
        return address.email.clone();
    }
    format!("{} <{}>", address.name, address.email)
}

/// What was left out or cut is said in lines of the text; the last line names who connected the
/// mailbox (FAQ F4).
pub struct Closing {
    pub notes: Vec<String>,
    /// `Mailbox sales, connected by Ana Ruiz`.
    pub connected_by: String,
}

/// Text and files of an activity. `raw` is the original, attached where the text is encrypted.
pub fn content(
    body: Body,
    raw: &[u8],
    max_attachment: u64,
    completed: bool,
    closing: Closing,
) -> ActivityContent {
    let Closing { mut notes, connected_by } = closing;
    let mut files = Vec::new();
    let mut left = max_attachment;
    let mut left_out = 0;
    let mut keep = |name: String, bytes: Vec<u8>, notes: &mut Vec<String>| {
        let size = bytes.len() as u64;
        if size <= left {
            left -= size;
            files.push(File { name, bytes });
        } else {
            left_out += 1;
            if left_out <= LEFT_OUT {
                notes.push(format!("Attachment left out: {name} ({})", octets(size)));
            }
        }
    };
    if body.encrypted {
        notes.push("The mail is encrypted; the original is attached.".to_owned());
        keep("encrypted.eml".to_owned(), raw.to_vec(), &mut notes);
    } else {
        for attachment in body.attachments {
            keep(attachment.name, attachment.bytes, &mut notes);
        }
    }
    notes.extend(more_left_out(left_out));
    let (mut text, cut) = cut(body.text.trim_end(), TEXT);
    if cut {
        notes.push(format!("The text is cut at {}.", octets(TEXT as u64)));
    }
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str("-- \n");
    for note in notes {
        text.push_str(&note);
        text.push('\n');
    }
    text.push_str(&connected_by);
    ActivityContent { text, files, completed }
}

fn more_left_out(files: usize) -> Option<String> {
    let more = files.checked_sub(LEFT_OUT).filter(|more| *more > 0)?;
    Some(format!("Attachments left out: {more} more"))
}

/// The same content without its files, saying so: the CRM had no room for them.
pub fn without_files(content: &ActivityContent, why: &str) -> ActivityContent {
    let mut text = String::with_capacity(content.text.len() + 200);
    let (body, last) = content.text.rsplit_once('\n').unwrap_or(("", &content.text));
    text.push_str(body);
    text.push('\n');
    for file in content.files.iter().take(LEFT_OUT) {
        let size = octets(file.bytes.len() as u64);
        text.push_str(&format!("Attachment left out: {} ({size}): {why}\n", file.name));
    }
    if let Some(more) = more_left_out(content.files.len()) {
        text.push_str(&format!("{more}: {why}\n"));
    }
    text.push_str(last);
    ActivityContent { text, files: Vec::new(), completed: content.completed }
}

fn cut(text: &str, limit: usize) -> (String, bool) {
    if text.len() <= limit {
        return (text.to_owned(), false);
    }
    let end = text.floor_char_boundary(limit);
    (text.get(..end).unwrap_or_default().to_owned(), true)
}

/// `24 MiB`, `1.5 KiB`, `12 bytes`.
fn octets(size: u64) -> String {
    const KIB: f64 = 1024.0;
    match size {
        0..1024 => format!("{size} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", size as f64 / KIB),
        _ => format!("{:.1} MiB", size as f64 / KIB / KIB),
    }
}

/// Kinds of cards made for a client that the CRM does not know, in order.
pub fn kinds(what: crate::rules::Creation, known_client: bool) -> Vec<CardKind> {
    use crate::rules::Creation;
    match (what, known_client) {
        (Creation::Lead, _) => vec![CardKind::Lead],
        (Creation::Contact, _) => vec![CardKind::Contact],
        (Creation::Deal, false) => vec![CardKind::Contact, CardKind::Deal],
        (Creation::Deal, true) => vec![CardKind::Deal],
        (Creation::None, _) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::Attachment;

    fn closing() -> Closing {
        Closing { notes: Vec::new(), connected_by: "Mailbox sales, connected by Ana Ruiz".into() }
    }

    fn attachment(name: &str, size: usize) -> Attachment {
        Attachment {
            name: name.into(),
            content_type: "text/plain".into(),
            charset: None,
            bytes: vec![0; size],
        }
    }

    #[test]
    fn deadline_is_never_in_the_past() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let evening = Some(jiff::civil::time(19, 0, 0, 0));
        #[rustfmt::skip]
        let cases = &[
            ("in the morning",    "2024-05-02T07:00:00Z", evening, Some("2024-05-02T17:00:00Z")),
            ("at the very end",   "2024-05-02T17:00:00Z", evening, Some("2024-05-03T17:00:00Z")),
            ("late",              "2024-05-02T20:00:00Z", evening, Some("2024-05-03T17:00:00Z")),
            ("over the change",   "2024-03-30T20:00:00Z", evening, Some("2024-03-31T17:00:00Z")),
            ("in a missing hour", "2024-03-30T23:00:00Z", Some(jiff::civil::time(2, 30, 0, 0)), Some("2024-03-31T01:30:00Z")),
            ("none",              "2024-05-02T07:00:00Z", None,    None),
        ];
        for (name, now, time, expected) in cases {
            assert_eq!(deadline(at(now), *time, &zone), expected.map(at), "{name}");
        }
    }

    #[test]
    fn todo_without_a_deadline_is_due_at_the_end_of_tomorrow() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let evening = Some(jiff::civil::time(19, 0, 0, 0));
        #[rustfmt::skip]
        let cases = &[
            ("with a deadline", "2024-05-02T07:00:00Z", evening, "2024-05-02T17:00:00Z"),
            ("late",            "2024-05-02T20:00:00Z", evening, "2024-05-03T17:00:00Z"),
            ("none",            "2024-05-02T07:00:00Z", None,    "2024-05-03T21:59:59Z"),
            ("after midnight",  "2024-05-01T22:30:00Z", None,    "2024-05-03T21:59:59Z"),
            ("over the change", "2024-03-30T20:00:00Z", None,    "2024-03-31T21:59:59Z"),
        ];
        for (name, now, time, expected) in cases {
            assert_eq!(todo_deadline(at(now), *time, &zone), at(expected), "{name}");
        }
    }

    #[test]
    fn files_over_the_limit_are_named_with_their_size() {
        let body = Body {
            text: "Hello".into(),
            attachments: vec![
                attachment("first.bin", 600),
                attachment("second.bin", 600),
                attachment("third.bin", 400),
                attachment("huge.bin", 3 * 1024 * 1024),
            ],
            encrypted: false,
        };
        let content = content(body, b"", 1000, false, closing());
        let names: Vec<&str> = content.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["first.bin", "third.bin"]);
        assert_eq!(
            content.text,
            "Hello\n\n-- \nAttachment left out: second.bin (600 bytes)\n\
             Attachment left out: huge.bin (3.0 MiB)\nMailbox sales, connected by Ana Ruiz"
        );
    }

    #[test]
    fn many_files_left_out_are_counted() {
        let attachments = (0..60).map(|n| attachment(&format!("{n}.bin"), 2)).collect();
        let body = Body { text: "Hello".into(), attachments, encrypted: false };
        let none = content(body.clone(), b"", 1, false, closing());
        let named = none.text.lines().filter(|line| line.starts_with("Attachment left out: "));
        assert_eq!(named.count(), LEFT_OUT);
        assert!(none.text.contains("(2 bytes)\nAttachments left out: 10 more\nMailbox"));
        let all = content(body, b"", 1_000, false, closing());
        let bare = without_files(&all, "no room");
        assert!(bare.text.ends_with(
            "49.bin (2 bytes): no room\nAttachments left out: 10 more: no room\n\
             Mailbox sales, connected by Ana Ruiz"
        ));
    }

    #[test]
    fn text_is_cut_on_a_character() {
        let body = Body { text: "ñ".repeat(TEXT), attachments: Vec::new(), encrypted: false };
        let content = content(body, b"", 1000, true, closing());
        assert!(content.text.contains("The text is cut at 1.0 MiB."));
        assert!(content.text.len() < TEXT + 200);
    }

    #[test]
    fn encrypted_mail_is_attached_whole() {
        let body = Body {
            text: String::new(),
            attachments: vec![attachment("encrypted.asc", 5)],
            encrypted: true,
        };
        let content = content(body, b"the original", 1000, false, closing());
        assert_eq!(content.files.len(), 1);
        assert_eq!(content.files[0].bytes, b"the original");
        assert!(content.text.contains("encrypted"));
    }

    #[test]
    fn origin_differs_by_kind_and_message() {
        let one = origin(Made::Activity, &[1; 32]);
        assert_ne!(one, origin(Made::Card(CardKind::Lead), &[1; 32]));
        let [todo, elsewhere] = [CardKind::Lead, CardKind::Deal]
            .map(|kind| origin(Made::Todo(CardRef { kind, id: 1 }), &[1; 32]));
        assert_ne!(one, todo);
        assert_eq!(todo, elsewhere, "whatever the card");
        assert_ne!(one, origin(Made::Activity, &[2; 32]));
        assert_eq!(one.0.len(), 64);
    }

    #[test]
    fn content_without_files_says_which_and_keeps_the_last_line() {
        let whole = ActivityContent {
            text: "Hello\n\n-- \nMailbox sales, connected by Ana Ruiz".into(),
            files: vec![File { name: "offer.pdf".into(), bytes: vec![0; 12] }],
            completed: true,
        };
        let bare = without_files(&whole, "the CRM's disk is full");
        assert_eq!(
            bare.text,
            "Hello\n\n-- \nAttachment left out: offer.pdf (12 bytes): the CRM's disk is full\n\
             Mailbox sales, connected by Ana Ruiz"
        );
        assert!(bare.completed && bare.files.is_empty());
    }
}
