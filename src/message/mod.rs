//! Raw bytes to the facts that the rules need. Pure.

use std::panic::{AssertUnwindSafe, catch_unwind};

pub mod address;
mod address_list;
pub mod body;
mod bounce;
mod charset;
pub mod class;
mod codepage;
mod date;
mod enriched;
mod failed;
mod failed_text;
mod first_text;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod fixtures_bodies;
#[cfg(test)]
mod fixtures_headers;
#[cfg(test)]
mod fixtures_robots;
mod forward;
mod guess;
mod header;
mod html;
pub mod identity;
mod line_ends;
mod mime;
mod name;
mod params;
mod phrases;
mod quote;
mod reply_code;
mod robots;
mod rtf;
mod seven_bit;
mod signs;
mod style;
mod subject;
mod subject_words;
mod tags;
mod tnef;
mod told;
mod told_words;
mod uuencoded;
pub mod vcard;
mod vcard_line;
mod verdict;
mod word;

pub use address::Address;
pub use body::{Attachment, Body};
pub use class::{Class, Classified};
pub use quote::{fold as fold_history, is_forward};
pub use vcard::{Phone, PhoneKind, VCard};

use header::Headers;
use identity::Identity;
use line_ends::with_line_feeds;

/// Characters of a subject that are kept.
const MAX_SUBJECT: usize = 2_000;

/// Bytes of one header that are decoded for a text of [`MAX_SUBJECT`] characters: the thriftiest
/// encoding of an astral character takes 12 bytes, and every fourth byte more goes to the words.
const MAX_TEXT: usize = 64 * 1024;

/// What one message says about itself.
///
/// All facts are there when only the header block was given. The fingerprint of a message without
/// a Message-ID then is that of one with an empty body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Message-ID without blanks and angle brackets, case kept; `None` if absent or empty.
    pub message_id: Option<String>,
    /// The one that the sender gave it, where Exchange gave it another one on its way.
    pub original_id: Option<String>,
    /// SHA-256 of the identity: Message-ID, sender and Date agree,
    /// or without a Message-ID From, Date, Subject, recipients and body text.
    pub fingerprint: [u8; 32],
    /// The first From address, else Sender; `None` if neither can be read.
    pub from: Option<Address>,
    /// Further From addresses, if any.
    pub from_more: Vec<Address>,
    pub reply_to: Vec<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    /// Decoded, one line, trimmed; empty if absent.
    pub subject: String,
    /// Date header in Unix seconds; `None` if missing or unreadable.
    pub date: Option<i64>,
    /// In-Reply-To ids in the same form as `message_id`.
    pub in_reply_to: Vec<String>,
    /// References in the order of the header, same form.
    pub references: Vec<String>,
    pub class: Classified,
    /// Sent by the CRM itself: the activity's number out of a Message-ID
    /// `crm.activity.{id}-{code}@host`.
    pub crm_activity: Option<u64>,
}

impl Message {
    /// To, Cc and Bcc in this order.
    pub fn recipients(&self) -> impl Iterator<Item = &Address> {
        self.to.iter().chain(&self.cc).chain(&self.bcc)
    }

    /// Everyone the message names: Reply-To, From, To, Cc, Bcc in this order.
    pub fn parties(&self) -> impl Iterator<Item = &Address> {
        self.reply_to.iter().chain(&self.from).chain(&self.from_more).chain(self.recipients())
    }
}

/// What only the body of a message tells about who it is from and about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FromBody {
    /// Of a bounce: the recipients that could not be reached.
    pub failed: Vec<Address>,
    /// Of a forward: who wrote what is forwarded.
    pub forwarded: Vec<Address>,
}

/// The parser gave up, and with what words. The message is to be quarantined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read message: {0}")]
pub struct Unreadable(pub String);

/// Reads the facts out of a whole message or of its header block alone.
///
/// Any bytes give a message; what cannot be found is empty. Only a message without a Message-ID
/// needs its body, for the fingerprint.
///
/// # Errors
/// [`Unreadable`] if a decoder panicked. It would again: nothing is to be tried anew.
pub fn parse(raw: &[u8]) -> Result<Message, Unreadable> {
    guarded(|| read(raw))
}

/// Reads text and files of a whole message.
///
/// # Errors
/// [`Unreadable`] if a decoder panicked.
pub fn body(raw: &[u8]) -> Result<Body, Unreadable> {
    guarded(|| body::read(raw))
}

/// What only the body tells. `forwards`: whether it is asked whose mails are forwarded.
pub fn from_body(message: &Message, raw: &[u8], forwards: bool) -> FromBody {
    let bounce = message.class.class == Class::Bounce;
    FromBody {
        failed: if bounce { failed(raw) } else { Vec::new() },
        forwarded: if forwards && !bounce { original_senders(raw) } else { Vec::new() },
    }
}

/// Message-IDs of the mails that a bounce brings back; empty for one that names none, or that
/// ends a decoder.
pub fn returned(raw: &[u8]) -> Vec<String> {
    guarded(|| bounce::returned(raw)).unwrap_or_default()
}

/// The visiting cards among a message's files, in their order.
pub fn vcards(raw: &[u8]) -> Vec<VCard> {
    guarded(|| {
        let files = body::read(raw).attachments;
        files
            .iter()
            .filter(|file| vcard::is_card(&file.content_type, &file.name))
            .flat_map(|file| vcard::read(&file.bytes, file.charset.as_deref()))
            .collect()
    })
    .unwrap_or_default()
}

/// Whether it is worth looking for [`vcards`]: their type or their ending stands somewhere.
pub fn may_have_vcards(raw: &[u8]) -> bool {
    // A name may be split or encoded in many ways; the type of such a file says it then.
    let words: [&[u8]; 4] = [b"vcard", b".vcf", b"text/directory", b"ms-tnef"];
    words.iter().any(|word| raw.windows(word.len()).any(|here| here.eq_ignore_ascii_case(word)))
}

/// Senders of the mails that a message forwards, in their order; empty if it forwards none, or if
/// it ends a decoder.
pub fn original_senders(raw: &[u8]) -> Vec<Address> {
    guarded(|| forward::original_senders(raw)).unwrap_or_default()
}

/// Numbers of the activities that a message answers by the CRM's own reply codes, the most trusted
/// first; empty if it bears none, or if it ends a decoder.
///
/// `message` is what `raw` says.
pub fn reply_codes(message: &Message, raw: &[u8]) -> Vec<u64> {
    guarded(|| reply_code::reply_codes(message, raw)).unwrap_or_default()
}

/// The recipients that a bounce says it could not reach, in normal form, each once, at most 100;
/// empty for one that names none, or that ends a decoder.
pub fn failed(raw: &[u8]) -> Vec<Address> {
    guarded(|| bounce::failed(raw)).unwrap_or_default()
}

/// mail-parser has panicked on crafted mail before (its issues 120, 145, 155): one bad message
/// stops nothing else (promise 6).
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Unreadable> {
    // Only shared bytes go in and a new value comes out: nothing half done can be seen.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Unreadable(text.unwrap_or_else(|| "parser panicked".to_owned()))
    })
}

fn read(raw: &[u8]) -> Message {
    let raw = with_line_feeds(raw);
    let headers = Headers::of_message(&raw);
    let content_type = headers.first("Content-Type").map(|value| params::parse(&value, None));
    let hint = content_type.as_ref().and_then(|value| value.get("charset"));

    let mut from = address::of_header(&headers, "From", hint);
    if from.is_empty() {
        from = address::of_header(&headers, "Sender", hint);
        from.truncate(1);
    }
    let mut from = from.into_iter();
    let first_from = from.next();
    let subject = text_of(&headers, "Subject", hint);
    let date_text = text_of(&headers, "Date", None);
    let first_id = |name| {
        let mut ids = headers.all(name);
        ids.find_map(|id| identity::normalise_id(&String::from_utf8_lossy(&id)))
    };
    let message_id: Option<String> = first_id("Message-ID");
    let original_id: Option<String> = first_id("X-Microsoft-Original-Message-ID");
    let crm_activity =
        original_id.iter().chain(&message_id).find_map(|id| identity::crm_activity(id));
    let class = class::classify(&headers, first_from.as_ref(), &subject);

    let mut message = Message {
        crm_activity,
        message_id,
        original_id,
        fingerprint: [0; 32],
        from: first_from,
        from_more: from.collect(),
        reply_to: address::of_header(&headers, "Reply-To", hint),
        to: address::of_header(&headers, "To", hint),
        cc: address::of_header(&headers, "Cc", hint),
        bcc: address::of_header(&headers, "Bcc", hint),
        subject,
        date: date::parse(&date_text),
        in_reply_to: identity::ids(&headers, "In-Reply-To"),
        references: identity::ids(&headers, "References"),
        class,
    };
    message.fingerprint = fingerprint(&message, &date_text, headers);
    message
}

fn fingerprint(message: &Message, date_text: &str, headers: Headers<'_>) -> [u8; 32] {
    let date = message.date.map_or_else(|| date_text.to_owned(), |seconds| seconds.to_string());
    let sender = message.from.as_ref().map_or("", |from| from.email.as_str());
    // The copy that a mail program stored itself has the first one only.
    if let Some(id) = message.original_id.as_ref().or(message.message_id.as_ref()) {
        return Identity::ById { id, sender, date: &date }.fingerprint();
    }
    // Bcc is in the sender's copy only.
    let mut recipients: Vec<&str> =
        message.to.iter().chain(&message.cc).map(|to| to.email.as_str()).collect();
    recipients.sort_unstable();
    recipients.dedup();
    let text = identity::single_blanks(&body::text(headers));
    let (subject, text) = (message.subject.as_str(), text.as_str());
    Identity::ByContent { from: sender, date: &date, subject, recipients: &recipients, text }
        .fingerprint()
}

/// A header as one line of text; empty if absent.
fn text_of(headers: &Headers<'_>, name: &str, hint: Option<&str>) -> String {
    let value = headers.first(name).unwrap_or_default();
    let value = value.get(..value.len().min(MAX_TEXT)).unwrap_or_default();
    let text = charset::decode_unlabelled(value, hint);
    charset::one_line(&word::decode(&text), MAX_SUBJECT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn any_bytes_are_a_message() {
        let hostile: &[(&str, Vec<u8>)] = &[
            ("empty", vec![]),
            ("nul bytes", vec![0; 10_000]),
            ("all bytes", (0..=255).cycle().take(70_000).collect()),
            ("no header", b"just a text".to_vec()),
            ("one long line", vec![b'a'; 1 << 20]),
            ("long subject", [b"Subject: ".to_vec(), vec![b'a'; 1 << 20]].concat()),
            ("long from", [b"From: ".to_vec(), b"a@b.example, ".repeat(90_000)].concat()),
            ("open brackets", [b"From: ".to_vec(), b"<(\"".repeat(300_000)].concat()),
            ("groups", [b"To: ".to_vec(), b"a@b:;".repeat(200_000)].concat()),
            ("words", [b"Subject: ".to_vec(), b"=?utf-8?Q?".repeat(100_000)].concat()),
            ("references", [b"References: ".to_vec(), b"<a@b>".repeat(200_000)].concat()),
            ("content type", [b"Content-Type: a/b".to_vec(), b";x*0*=y".repeat(150_000)].concat()),
            ("blanks", [b"Content-Type: a/".to_vec(), vec![b' '; 64_000], b"b".to_vec()].concat()),
            (
                "uuencoded nothings",
                [
                    b"Content-Type: a/b\nContent-Transfer-Encoding: x-uue\n\nbegin 644 a\n"
                        .to_vec(),
                    b"_\n".repeat(500_000),
                ]
                .concat(),
            ),
        ];
        for (name, raw) in hostile {
            let message = parse(raw).unwrap();
            assert!(message.subject.chars().count() <= MAX_SUBJECT, "{name}");
            assert!(message.parties().count() <= 5_000, "{name}");
            body(raw).unwrap();
        }
    }

    #[test]
    fn sender_stands_in_for_a_from_that_cannot_be_read() {
        let raw = b"From: nobody at all\nSender: Ana <ana@example.com>, bo@example.com\n\n";
        let message = parse(raw).unwrap();
        assert_eq!(message.from.unwrap().email, "ana@example.com");
        assert_eq!(message.from_more, []);
    }

    #[test]
    fn several_senders_are_kept_apart() {
        let message =
            parse(b"From: a@example.com, b@example.com\nFrom: c@example.com\n\n").unwrap();
        assert_eq!(message.from.unwrap().email, "a@example.com");
        let more: Vec<&str> = message.from_more.iter().map(|from| from.email.as_str()).collect();
        assert_eq!(more, ["b@example.com", "c@example.com"]);
    }

    #[test]
    fn message_is_the_same_under_the_id_that_exchange_gave_it() {
        let mail = |ids: &str| parse(format!("{ids}From: a@example.com\n\n").as_bytes()).unwrap();
        let own = mail("Message-ID: <crm.activity.7-ABC@example.com>\n");
        let sent = mail(
            "Message-ID: <XY@eurprd01.example>\n\
             X-Microsoft-Original-Message-ID: <crm.activity.7-ABC@example.com>\n",
        );
        assert_eq!(own.fingerprint, sent.fingerprint);
        // Answers name the new one.
        assert_eq!(sent.message_id.as_deref(), Some("XY@eurprd01.example"));
        assert_eq!((own.crm_activity, sent.crm_activity), (Some(7), Some(7)));
    }

    #[test]
    fn cards_are_read_by_the_label_of_their_part() {
        let mail = |label: &str| {
            let card = b"BEGIN:VCARD\nVERSION:3.0\nFN:\xd0\xf2\xc9\nEND:VCARD\n";
            let head = format!(
                "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nMy card.\n--b\n\
                 Content-Type: text/x-vcard{label}; name=a.vcf\n\n"
            );
            [head.as_bytes(), card, b"--b--"].concat()
        };
        let names = |label: &str| -> Vec<String> {
            vcards(&mail(label)).into_iter().map(|card| card.name).collect()
        };
        assert_eq!(names("; charset=koi8-r"), ["пРи"]);
        assert_eq!(names("; charset=iso-8859-1"), ["ÐòÉ"]);
        assert_eq!(names("").len(), 1);
        let files = body(&mail("; charset=\"KOI8-R\"")).unwrap().attachments;
        let labels: Vec<Option<&str>> = files.iter().map(|file| file.charset.as_deref()).collect();
        assert_eq!(labels, [Some("KOI8-R")]);
        assert_eq!(body(&mail("")).unwrap().attachments.first().unwrap().charset, None);
    }

    #[test]
    fn message_without_id_is_known_by_its_text() {
        let mail = |text: &str, extra: &str| {
            let raw = format!("{extra}From: a@example.com\nSubject: s\n\n{text}\n");
            parse(raw.as_bytes()).unwrap().fingerprint
        };
        assert_eq!(mail("hello", ""), mail("hello  ", "Received: x\n"));
        assert_ne!(mail("hello", ""), mail("hallo", ""));
    }

    #[test]
    fn bare_carriage_returns_and_a_line_in_front_do_not_change_the_identity() {
        let raw =
            "From: Ana <ana@example.com>\nTo: b@example.com\nReply: x\nSubject: s\n\nHello\nAna\n";
        let crlf = raw.replace('\n', "\r\n");
        let first = parse(crlf.as_bytes()).unwrap().fingerprint;
        for front in ["", "Return-Path: <x@example.com>\r\n", "X-A: 1\rX-B: 2\r\n", "\r\n"] {
            let bare = format!("{front}{}", raw.replace('\n', "\r"));
            assert_eq!(parse(bare.as_bytes()).unwrap().fingerprint, first, "{front:?}");
            assert_eq!(body(bare.as_bytes()).unwrap().text, "Hello\nAna", "{front:?}");
        }
    }

    #[test]
    fn panic_is_told_and_not_passed_on() {
        let told = guarded(|| std::hint::black_box(None::<u8>).unwrap());
        assert!(told.is_err_and(|Unreadable(text)| text.contains("None")));
    }
}
