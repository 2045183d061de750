//! Which mail a bounce is about. Pure.

use std::borrow::Cow;

use super::header::Headers;
use super::identity::ids;
use super::line_ends::with_line_feeds;
use super::mime::{self, Entity, Part};

pub use super::failed::failed;

/// Ids that one bounce names. A report brings back one mail, a digest of them a few.
const MAX_RETURNED: usize = 100;

/// Types under which the returned mail, or its header, comes back (RFC 3462, RFC 6522, RFC 6533).
const RETURNED: [&str; 5] = [
    "message/rfc822",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global",
    "message/global-headers",
];

/// Message-IDs of the mails that came back, in the form of [`super::Message::message_id`].
///
/// Mail servers that write no delivery report (qmail, Exim in its default, gateways) copy the
/// mail into their text: there the header line is looked for.
pub fn returned(raw: &[u8]) -> Vec<String> {
    let raw = with_line_feeds(raw);
    let headers = Headers::of_message(&raw);
    let rest = headers.body();
    let root = mime::walk(Entity::new(headers, false, None), rest, None);
    let mut found = Vec::new();
    collect(&root, &mut found);
    found
}

fn add(found: &mut Vec<String>, ids: impl IntoIterator<Item = String>) {
    for id in ids {
        if found.len() == MAX_RETURNED {
            return;
        }
        if !found.contains(&id) {
            found.push(id);
        }
    }
}

/// Recursion is as deep as [`mime::walk`] allows.
fn collect(part: &Part<'_>, found: &mut Vec<String>) {
    match part {
        Part::Multi { parts, .. } => parts.iter().for_each(|part| collect(part, found)),
        Part::Leaf { .. } if found.len() == MAX_RETURNED => {}
        Part::Leaf { entity, raw } => {
            if RETURNED.contains(&entity.content_type.value.as_str()) {
                add(found, ids(&Headers::of_message(&entity.decode(raw)), "Message-ID"));
            } else if entity.content_type.value == "text/plain" {
                add(found, in_text(&entity.decode(raw)));
            }
        }
    }
}

/// The header line in a copy of the mail, indented or not.
fn in_text(text: &[u8]) -> impl Iterator<Item = String> + '_ {
    let lines = text.split(|&octet| octet == b'\n').map(<[u8]>::trim_ascii_start);
    lines
        .filter(|line| line.get(..11).is_some_and(|name| name.eq_ignore_ascii_case(b"message-id:")))
        .flat_map(|line| {
            let line: Cow<'_, [u8]> = Cow::Owned([line, b"\n\n"].concat());
            ids(&Headers::of_message(&line), "Message-ID")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returned_mail_is_named_in_every_form() {
        let report = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
            --b\nContent-Type: text/plain\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\n\
            Final-Recipient: rfc822; a@b.example\n\n--b\nContent-Type: TYPE\n\n\
            From: we@example.com\nMessage-ID: <sent-1@example.com>\n\nHello\n--b--\n";
        let copied = "Subject: failure notice\n\nHi. This is the qmail-send program.\n\n\
            --- Below this line is a copy of the message.\n\n\
            Return-Path: <we@example.com>\nMessage-Id: <sent-2@example.com>\n\nHello\n";
        #[rustfmt::skip]
        let cases: &[(&str, String, &[&str])] = &[
            ("whole mail",          report.replace("TYPE", "message/rfc822"),      &["sent-1@example.com"]),
            ("header only",         report.replace("TYPE", "text/rfc822-headers"), &["sent-1@example.com"]),
            ("copied into text",    copied.to_owned(),                             &["sent-2@example.com"]),
            ("CRLF",                copied.replace('\n', "\r\n"),                  &["sent-2@example.com"]),
            ("named twice",         format!("{copied}\nMessage-ID: <b@x>\n{copied}"), &["sent-2@example.com", "b@x"]),
            ("nothing came back",   "Subject: x\n\nYour mail failed.\n".to_owned(), &[]),
        ];
        for (name, raw, expected) in cases {
            assert_eq!(returned(raw.as_bytes()), *expected, "{name}");
        }
    }

    #[test]
    fn ids_of_one_bounce_are_bounded() {
        let lines: String = (0..200_000).map(|n| format!("Message-ID: <{n}@x>\n")).collect();
        let found = returned(format!("Subject: x\n\n{lines}").as_bytes());
        assert_eq!(found.len(), MAX_RETURNED);
        assert_eq!(found.first().map(String::as_str), Some("0@x"));
    }
}
