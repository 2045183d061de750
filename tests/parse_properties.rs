//! Whatever bytes come, `message` gives facts, and the same facts for the same mail.

#![allow(clippy::expect_used)]

use std::path::Path;
use std::sync::OnceLock;

use mailcrm::message::{self, Message, address, identity};
use proptest::prelude::*;

/// Bytes that look like mail often enough to reach every branch.
fn mail_like() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just(b"From: ".to_vec()),
        Just(b"To: ".to_vec()),
        Just(b"Subject: ".to_vec()),
        Just(b"Date: ".to_vec()),
        Just(b"Message-ID: ".to_vec()),
        Just(b"References: ".to_vec()),
        Just(b"Content-Type: ".to_vec()),
        Just(b"Content-Disposition: attachment; filename".to_vec()),
        Just(b"Content-Transfer-Encoding: base64\r\n".to_vec()),
        Just(b"Content-Transfer-Encoding: quoted-printable\r\n".to_vec()),
        Just(b"multipart/mixed; boundary=b\r\n".to_vec()),
        Just(b"multipart/alternative; boundary=\"c\"\r\n".to_vec()),
        Just(b"multipart/report; report-type=delivery-status".to_vec()),
        Just(b"message/rfc822\r\n".to_vec()),
        Just(b"text/html; charset=".to_vec()),
        Just(b"text/plain; charset=koi8-r\n".to_vec()),
        Just(b"*0*=utf-8''%D0".to_vec()),
        Just(b"--b\r\n".to_vec()),
        Just(b"--c\n".to_vec()),
        Just(b"--b--\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n ".to_vec()),
        Just(b"\0".to_vec()),
        Just(b"=?utf-8?B?0J/R".to_vec()),
        Just(b"=?iso-2022-jp?B?GyRCJU8l".to_vec()),
        Just(b"=?koi8-r?Q?=D0=".to_vec()),
        Just(b"?=".to_vec()),
        Just(b"<a@b.example>".to_vec()),
        Just(b"Ana <ana@example.com>, ".to_vec()),
        Just(b"Group: a@b.example;".to_vec()),
        Just(b"Ana [mailto:ana@example.com] (c".to_vec()),
        Just(b" bo@b.example".to_vec()),
        Just(b"\x1b$)C\x0e>H".to_vec()),
        Just(b"~{Dc:C~}".to_vec()),
        Just(b"\xc4\xe3\xba\xc3".to_vec()),
        Just(b"text/plain; charset=hz-gb-2312\n".to_vec()),
        Just(b"text/plain; charset=utf-7; name=1/2.txt\n".to_vec()),
        Just(b"Content-Transfer-Encoding: uuencode\r\n".to_vec()),
        Just(b"begin 644 a\n%:&5L\n".to_vec()),
        Just(b"<pre title=\">".to_vec()),
        Just(b"\"(<\\".to_vec()),
        Just(b"2 May 2024 10:15:00 +0200".to_vec()),
        Just(b"<div>&amp;<!--".to_vec()),
        Just(b"<script></style>&#x1F389;".to_vec()),
        Just("Прайс 见积 🎉".as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

/// One line of header or body text.
fn line() -> impl Strategy<Value = String> {
    "[ -~äПя見🎉]{0,40}".prop_map(|line| line.trim().to_owned())
}

/// A whole mail as its parts, so that it can be written in several ways.
#[derive(Clone, Debug)]
struct Letter {
    from: String,
    to: Vec<String>,
    subject: String,
    date: String,
    message_id: Option<String>,
    html: bool,
    body: Vec<String>,
}

fn letter() -> impl Strategy<Value = Letter> {
    let email = || "[a-z]{1,8}(\\+[a-z]{1,3})?@[a-z]{1,8}\\.example";
    (
        email(),
        prop::collection::vec(email(), 0..4),
        line(),
        prop_oneof![
            (1u32..29, 0u32..24).prop_map(|(d, h)| format!("{d} May 2024 {h:02}:15:00 +0200")),
            line()
        ],
        prop::option::of("[a-z0-9.]{1,20}@[a-z]{1,8}\\.example"),
        any::<bool>(),
        prop::collection::vec(line(), 0..8),
    )
        .prop_map(|(from, to, subject, date, message_id, html, body)| Letter {
            from,
            to,
            subject,
            date,
            message_id,
            html,
            body,
        })
}

impl Letter {
    /// The header block with its blank line, and the whole mail.
    fn written(&self, end: &str, trace: &str) -> (Vec<u8>, Vec<u8>) {
        let mut head = trace.to_owned();
        head.push_str(&format!("From: Ana <{}>\n", self.from));
        if !self.to.is_empty() {
            head.push_str(&format!("To: {}\n", self.to.join(",\n ")));
        }
        head.push_str(&format!("Subject: {}\nDate: {}\n", self.subject, self.date));
        if let Some(id) = &self.message_id {
            head.push_str(&format!("Message-ID: <{id}>\n"));
        }
        let kind = if self.html { "html" } else { "plain" };
        head.push_str(&format!("Content-Type: text/{kind}; charset=utf-8\n\n"));
        let whole = format!("{head}{}\n", self.body.join("\n"));
        (head.replace('\n', end).into_bytes(), whole.replace('\n', end).into_bytes())
    }
}

/// Every file of `tests/fixtures`.
fn fixtures() -> &'static [Vec<u8>] {
    static FIXTURES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    FIXTURES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .expect("the fixtures lie beside this file")
            .map(|entry| entry.expect("a readable folder").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
    })
}

/// A fixture with some of its bytes changed, left out, doubled, or taken from another one.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0usize..40, 0u8..5, any::<u8>());
    let count = fixtures().len();
    (0..count, 0..count, prop::collection::vec(change, 0..12)).prop_map(
        |(which, other, changes)| {
            let mut raw = fixtures()[which].clone();
            let other = &fixtures()[other];
            for (place, length, kind, byte) in changes {
                if raw.is_empty() {
                    break;
                }
                let start = place.index(raw.len());
                let end = (start + length).min(raw.len());
                let cut = raw[start..end].to_vec();
                match kind {
                    0 => raw[start] = byte,
                    1 => drop(raw.drain(start..end)),
                    2 => drop(raw.splice(start..start, cut)),
                    3 => drop(raw.splice(start..end, [byte])),
                    _ => {
                        let from = start.min(other.len());
                        let piece = &other[from..(from + length).min(other.len())];
                        drop(raw.splice(start..end, piece.iter().copied()));
                    }
                }
            }
            raw
        },
    )
}

/// The header block as a server sends it: up to the first blank line.
fn header_block(raw: &[u8]) -> &[u8] {
    let blanks = [b"\r\n\r\n".as_slice(), b"\n\n", b"\n\r\n"];
    let end = blanks.iter().filter_map(|blank| {
        let at = raw.windows(blank.len()).position(|window| window == *blank)?;
        Some(at + blank.len())
    });
    &raw[..end.min().unwrap_or(raw.len())]
}

fn facts(raw: &[u8]) -> Message {
    message::parse(raw).expect("no bytes may make the parser give up")
}

/// The body may tell of a bounce or a robot of which the header says nothing, or tell more of it.
fn but_for_class(head: Message, whole: &Message) -> Message {
    Message { class: whole.class.clone(), ..head }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_at_all_are_read(raw in prop::collection::vec(any::<u8>(), 0..4_000)) {
        facts(&raw);
        prop_assert!(message::body(&raw).is_ok());
    }

    #[test]
    fn bytes_that_look_like_mail_give_facts_within_their_bounds(raw in mail_like()) {
        let message = facts(&raw);
        prop_assert!(message.subject.chars().count() <= 2_000);
        prop_assert!(!message.subject.contains(['\r', '\n', '\0']));
        for party in message.parties() {
            prop_assert_eq!(address::normalise(&party.email), Some(party.email.clone()));
            prop_assert!(!party.name.contains(['\r', '\n', '\0']));
        }
        if let Some(id) = &message.message_id {
            prop_assert_eq!(identity::normalise_id(id), Some(id.clone()));
        }
        let body = message::body(&raw).expect("what has facts has a body");
        prop_assert!(!body.text.contains(['\r', '\0']));
        for file in &body.attachments {
            prop_assert!(!file.name.is_empty());
            let unsafe_in_names = ['/', '\\', '\0', '\n', '\u{202e}'];
            prop_assert!(!file.name.contains(unsafe_in_names));
        }
        prop_assert_eq!(facts(&raw), message);
    }

    #[test]
    fn damaged_mail_is_read_as_far_as_it_goes(raw in damaged()) {
        let raw = [b"From: a@b.example\r\n".as_slice(), &raw].concat();
        let whole = facts(&raw);
        prop_assert!(message::body(&raw).is_ok());
        if whole.message_id.is_some() {
            prop_assert_eq!(but_for_class(facts(header_block(&raw)), &whole), whole);
        }
    }

    #[test]
    fn header_block_alone_says_the_same_as_the_whole_mail(letter in letter()) {
        let (head, whole) = letter.written("\r\n", "");
        let (from_head, from_whole) = (facts(&head), facts(&whole));
        let from_head = but_for_class(from_head, &from_whole);
        if letter.message_id.is_some() {
            prop_assert_eq!(from_head, from_whole);
        } else {
            prop_assert_eq!(Message { fingerprint: from_whole.fingerprint, ..from_head }, from_whole);
        }
    }

    #[test]
    fn header_block_alone_says_the_same_for_bytes_that_look_like_mail(raw in mail_like()) {
        // A server's header block ends with the first blank line.
        let raw = [b"From: a@b.example\r\n".as_slice(), &raw].concat();
        let head = facts(header_block(&raw));
        let whole = facts(&raw);
        if whole.message_id.is_some() {
            prop_assert_eq!(but_for_class(head, &whole), whole);
        }
    }

    #[test]
    fn line_ends_and_trace_headers_do_not_change_the_identity(
        letter in letter(),
        hop in "[a-z]{1,10}",
    ) {
        let trace = format!(
            "Return-Path: <x@{hop}.example>\nDelivered-To: {hop}@example.com\n\
             Received: from {hop}\n by example.com; 2 May 2024 10:15:00 +0000\n\
             X-Spam-Status: No, score=0.1\nAuthentication-Results: {hop}; dkim=pass\n"
        );
        let (_, crlf) = letter.written("\r\n", "");
        let (_, lf) = letter.written("\n", "");
        let (_, traced) = letter.written("\r\n", &trace);
        let (_, cr) = letter.written("\r", "");
        let relayed = [trace.replace('\n', "\r\n").as_bytes(), &cr].concat();
        let first = facts(&crlf);
        prop_assert_eq!(facts(&lf).fingerprint, first.fingerprint);
        prop_assert_eq!(facts(&traced).fingerprint, first.fingerprint);
        prop_assert_eq!(facts(&cr).fingerprint, first.fingerprint);
        prop_assert_eq!(facts(&relayed).fingerprint, first.fingerprint);
        prop_assert_eq!(message::body(&relayed), message::body(&crlf));
        prop_assert_eq!(message::body(&lf), message::body(&crlf));
    }

    #[test]
    fn another_sender_date_or_id_is_another_mail(letter in letter(), from in "[a-z]{9}") {
        let fingerprint = |letter: &Letter| facts(&letter.written("\r\n", "").1).fingerprint;
        let first = fingerprint(&letter);
        let other = Letter { from: format!("{from}@example.com"), ..letter.clone() };
        prop_assert_ne!(fingerprint(&other), first);
        let other = Letter { date: "3 June 2025 10:15:00 +0000".to_owned(), ..letter.clone() };
        prop_assert_ne!(fingerprint(&other), first);
        let other = Letter { message_id: Some("another@example.com".to_owned()), ..letter };
        prop_assert_ne!(fingerprint(&other), first);
    }

    #[test]
    fn addresses_have_one_normal_form(raw in "\\PC{0,30}@\\PC{0,30}") {
        if let Some(email) = address::normalise(&raw) {
            prop_assert_eq!(address::normalise(&email), Some(email.clone()));
        }
    }

    #[test]
    fn ids_have_one_normal_form(raw in "\\PC{0,40}|<[ -~]{0,2000}>") {
        if let Some(id) = identity::normalise_id(&raw) {
            prop_assert!(id.len() <= 900);
            prop_assert_eq!(identity::normalise_id(&id), Some(id.clone()));
        }
    }
}
