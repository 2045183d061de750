//! Whom a bounce could not reach. Pure.

use super::address::{Address, normalise, of_header};
use super::failed_text as text;
use super::header::{Headers, line_at};
use super::line_ends::with_line_feeds;
use super::mime::{self, Entity, Part};
use super::told::first_text;

/// Recipients that one bounce names. Digests of a list's bounces name a few dozen.
const MAX_FAILED: usize = 100;

/// Bytes of a machine-readable part that are read.
const MAX_TEXT: usize = 256 * 1024;

/// Blocks of one report, of which each names a recipient.
const MAX_BLOCKS: usize = 1_000;

/// Bytes of an address, some of its characters escaped.
const MAX_ADDRESS: usize = 2_000;

/// Words of one header that may be addresses.
const MAX_WORDS: usize = 1_000;

/// The recipients that a bounce says it could not reach, in normal form, each once, at most 100.
///
/// The first source that names any: the machine-readable report (RFC 3464, 6533) together with
/// Exim's header; the complaint (RFC 5965); the text; the `To` of the mail that came back. A
/// report that only says `delivered` or `relayed` names nobody.
pub fn failed(raw: &[u8]) -> Vec<Address> {
    let raw = with_line_feeds(raw);
    let headers = Headers::of_message(&raw);
    let rest = headers.body();
    // The sender of what came back is the one who gets the report.
    let own = of_header(&headers, "To", None);
    let mut found = Found { addresses: Vec::new(), own };
    for value in headers.all("X-Failed-Recipients").take(MAX_FAILED) {
        let value = String::from_utf8_lossy(&value).into_owned();
        let words = value.split([',', ' ', ';']).take(MAX_WORDS);
        words.for_each(|address| found.add(address));
    }
    let hint = None;
    let root = mime::walk(Entity::new(headers, false, hint), rest, hint);
    let mut parts = Parts::default();
    parts.collect(&root);
    for part in &parts.reports {
        found.add_report(part);
    }
    if !found.addresses.is_empty() || parts.succeeded(&found) {
        return found.addresses;
    }
    for part in &parts.complaints {
        found.add_complaint(part);
    }
    let words = first_text(&root, hint).unwrap_or_default();
    let words = text::beginning(&words);
    if found.addresses.is_empty() {
        text::named(words, |address| found.add(address));
    }
    if found.addresses.is_empty() {
        parts.returned.iter().for_each(|mail| found.add_returned(mail));
    }
    if found.addresses.is_empty()
        && let Some(copy) = text::copied_header(words)
    {
        found.add_returned(copy.as_bytes());
    }
    if found.addresses.is_empty() {
        text::alone_on_lines(words, |address| found.add(address));
    }
    found.addresses
}

/// The decoded parts that name recipients.
#[derive(Default)]
struct Parts {
    reports: Vec<Vec<u8>>,
    complaints: Vec<Vec<u8>>,
    returned: Vec<Vec<u8>>,
}

impl Parts {
    /// Recursion is as deep as [`mime::walk`] allows.
    fn collect(&mut self, part: &Part<'_>) {
        match part {
            Part::Multi { parts, .. } => parts.iter().for_each(|part| self.collect(part)),
            Part::Leaf { entity, raw } => {
                let list = match entity.content_type.value.as_str() {
                    "message/delivery-status" | "message/global-delivery-status" => {
                        &mut self.reports
                    }
                    "message/feedback-report" => &mut self.complaints,
                    "message/rfc822"
                    | "text/rfc822-headers"
                    | "message/rfc822-headers"
                    | "text/rfc822"
                    | "message/global"
                    | "message/global-headers" => &mut self.returned,
                    _ => return,
                };
                if list.len() < MAX_FAILED {
                    let raw = raw.get(..raw.len().min(MAX_TEXT)).unwrap_or_default();
                    list.push(entity.decode(raw).into_owned());
                }
            }
        }
    }

    /// Whether there is a report, and it is about nothing that failed.
    fn succeeded(&self, found: &Found) -> bool {
        found.addresses.is_empty()
            && self.reports.iter().any(|report| {
                let text = String::from_utf8_lossy(report).to_ascii_lowercase();
                let actions = text.lines().filter_map(|line| line.strip_prefix("action:"));
                let mut actions = actions.map(|action| !is_failure(Some(action.trim()))).peekable();
                actions.peek().is_some() && actions.all(|succeeded| succeeded)
            })
    }
}

/// `failed` and `delayed` (RFC 3464 section 2.3.3); without an action the report is of a failure.
fn is_failure(action: Option<&str>) -> bool {
    action.is_none_or(|action| {
        let action = action.trim().to_ascii_lowercase();
        let good = ["delivered", "relayed", "expanded"];
        !good.iter().any(|word| action.starts_with(word))
    })
}

/// What blank lines part, each a header of its own.
fn blocks(report: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < report.len() && blocks.len() < MAX_BLOCKS {
        let (line, next) = line_at(report, at);
        if line.trim_ascii().is_empty() {
            blocks.extend(report.get(start..at).filter(|block| !block.is_empty()));
            start = next;
        }
        at = next;
    }
    blocks.extend(report.get(start..).filter(|block| !block.is_empty()));
    blocks
}

struct Found {
    addresses: Vec<Address>,
    own: Vec<Address>,
}

impl Found {
    fn add(&mut self, address: &str) {
        if let Some(email) = recipient(address) {
            self.push(Address { name: String::new(), email });
        }
    }

    fn push(&mut self, address: Address) {
        let is = |other: &Address| other.email == address.email;
        let robot = super::robots::Sender {
            local: super::address::local(&address.email).to_owned(),
            name: String::new(),
        };
        if self.addresses.len() < MAX_FAILED
            && !self.own.iter().any(is)
            && !self.addresses.iter().any(is)
            && !robot.is_daemon()
        {
            self.addresses.push(address);
        }
    }

    /// A report: blocks of fields, one for the message and one for each recipient.
    fn add_report(&mut self, report: &[u8]) {
        for block in blocks(report) {
            let headers = Headers::of_message(block);
            // The first of the two is what we wrote; the other may be where it was forwarded to.
            let names = ["Original-Recipient", "Final-Recipient", "X-Actual-Recipient"];
            let address = names.iter().find_map(|name| {
                let value = headers.ascii(name)?;
                recipient(typed(&value)?)
            });
            if let Some(email) = address
                && is_failure(headers.ascii("Action").as_deref())
            {
                self.push(Address { name: String::new(), email });
            }
        }
    }

    fn add_complaint(&mut self, complaint: &[u8]) {
        let headers = Headers::of_message(complaint);
        for name in ["Original-Rcpt-To", "Removal-Recipient"] {
            for value in headers.all(name) {
                self.add(&String::from_utf8_lossy(&value));
            }
        }
    }

    /// The recipients in the header of the mail that came back.
    fn add_returned(&mut self, mail: &[u8]) {
        let headers = Headers::of_message(mail);
        for name in ["X-HmXmrOriginalRecipient", "To"] {
            let found = of_header(&headers, name, None);
            found.into_iter().for_each(|address| self.push(address));
            if !self.addresses.is_empty() {
                return;
            }
        }
    }
}

/// What follows the address type; X.400 names and those of fax machines are no mail addresses.
fn typed(value: &str) -> Option<&str> {
    match value.split_once(';') {
        Some((kind, address)) => {
            let kind = kind.trim().to_ascii_lowercase();
            matches!(kind.as_str(), "rfc822" | "utf-8" | "smtp" | "unknown" | "").then_some(address)
        }
        None => Some(value),
    }
}

/// One address in normal form, out of what stands around it.
fn recipient(text: &str) -> Option<String> {
    let text = text.trim();
    let inside = match text.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
        None if text.starts_with('"') => text,
        None => text.split_whitespace().next().unwrap_or_default(),
    };
    // Nothing longer is an address, and what is done to it is done to each word of the text.
    if inside.len() > MAX_ADDRESS {
        return None;
    }
    let inside = inside.trim_matches(|c: char| {
        matches!(c, '\'' | ',' | ';' | ':' | '.' | '(' | ')' | '[' | ']') || c.is_whitespace()
    });
    let email = normalise(&unescaped(strip_scheme(inside)))?;
    // `250@12:30` is none.
    let domain = email.rsplit_once('@')?.1;
    domain.contains(|c: char| c.is_ascii_alphabetic() || c == '[').then_some(email)
}

/// `rfc822;a@b`, `SMTP:a@b`, `mailto:a@b`.
fn strip_scheme(text: &str) -> &str {
    for scheme in ["smtp:", "mailto:", "rfc822;", "rfc822:"] {
        if let Some(head) = text.get(..scheme.len())
            && head.eq_ignore_ascii_case(scheme)
        {
            return text.get(scheme.len()..).unwrap_or_default();
        }
    }
    text
}

/// `\x{444}` of addresses in UTF-8 (RFC 6533 section 3).
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x{") {
        plain.push_str(before);
        let code = after.split_once('}').and_then(|(code, rest)| {
            let c = u32::from_str_radix(code, 16).ok().and_then(char::from_u32)?;
            Some((c, rest))
        });
        match code {
            Some((c, after)) => {
                plain.push(c);
                rest = after;
            }
            None => {
                plain.push_str("\\x{");
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emails(raw: &str) -> Vec<String> {
        failed(raw.as_bytes()).into_iter().map(|address| address.email).collect()
    }

    /// A report with this machine-readable part, about a mail to `to@b.example`.
    fn report(status: &str) -> String {
        format!(
            "To: we@example.com\nContent-Type: multipart/report; report-type=delivery-status; \
             boundary=b\n\n--b\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\n\
             Reporting-MTA: dns; mx.example.net\nArrival-Date: Thu, 2 May 2024 12:15:00 +0200\n\n\
             {status}\n\n--b\nContent-Type: message/rfc822\n\nFrom: we@example.com\n\
             To: Bo <to@b.example>\n\nHello\n--b--\n"
        )
    }

    #[test]
    fn reports_name_whom_they_could_not_reach() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &[&str])] = &[
            ("final",            "Final-Recipient: rfc822; A@B.example\nAction: failed",             &["a@b.example"]),
            ("no blank",         "Final-Recipient: RFC822;a@b.example\nAction: failed",              &["a@b.example"]),
            ("brackets",         "Final-Recipient: rfc822; <a@b.example>\nAction: failed",           &["a@b.example"]),
            ("no type",          "Final-Recipient: a@b.example\nAction: failed",                     &["a@b.example"]),
            ("folded",           "Final-Recipient: rfc822;\n a@b.example\nAction: failed",           &["a@b.example"]),
            ("original first",   "Original-Recipient: rfc822;a@b.example\nFinal-Recipient: rfc822;x@y.example\nAction: failed", &["a@b.example"]),
            ("original in x.400", "Original-Recipient: x400; /G=A/S=B/\nFinal-Recipient: rfc822;a@b.example\nAction: failed", &["a@b.example"]),
            ("utf-8",            "Final-Recipient: utf-8; \\x{43F}@b.example\nAction: failed",        &["п@b.example"]),
            ("utf-8 as it is",   "Final-Recipient: utf-8; п@b.example\nAction: failed",              &["п@b.example"]),
            ("delayed",          "Final-Recipient: rfc822; a@b.example\nAction: delayed",            &["a@b.example"]),
            ("no action",        "Final-Recipient: rfc822; a@b.example",                             &["a@b.example"]),
            ("delivered",        "Final-Recipient: rfc822; a@b.example\nAction: delivered",          &[]),
            ("relayed",          "Final-Recipient: rfc822; a@b.example\nAction: Relayed (to x)",     &[]),
            ("one of two",       "Final-Recipient: rfc822; c@b.example\nAction: delivered\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed", &["a@b.example"]),
            ("two, and again",   "Final-Recipient: rfc822; a@b.example\n\nFinal-Recipient: rfc822; c@b.example\n\nFinal-Recipient: rfc822; A@b.example", &["a@b.example", "c@b.example"]),
            ("our own address",  "Final-Recipient: rfc822; we@example.com\nAction: failed",          &["to@b.example"]),
            ("no recipient",     "Action: failed",                                                  &["to@b.example"]),
        ];
        for (name, status, expected) in cases {
            assert_eq!(emails(&report(status)), *expected, "{name}");
        }
    }

    #[test]
    fn words_of_servers_name_whom_they_could_not_reach() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &[&str])] = &[
            ("exim",      "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  a@b.example\n    host mx.b.example [192.0.2.1]: 550 unknown\n  c@b.example\n\n------ This is a copy of the message, including all the headers. ------\n\nReturn-path: <we@example.com>\nTo: d@b.example\n",
                          &["a@b.example", "c@b.example"]),
            ("qmail",     "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<a@b.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n<c@b.example>:\nx\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <we@example.com>\n",
                          &["a@b.example", "c@b.example"]),
            ("postfix",   "This is the mail system at host mx.example.net.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n<a@b.example>: host mx.b.example[192.0.2.1] said: 550 5.1.1 <a@b.example>:\n    Recipient address rejected (in reply to RCPT TO command)\n", &["a@b.example"]),
            ("sendmail",  "The original message was received at Thu, 2 May 2024 12:15:00 +0200\nfrom we@example.com\n\n   ----- The following addresses had permanent fatal errors -----\n<a@b.example>\n    (reason: 550 5.1.1)\n    (expanded from: <c@b.example>)\n\n   ----- Transcript of session follows -----\n... while talking to mx.b.example.:\n>>> RCPT To:<a@b.example>\n", &["a@b.example"]),
            ("internet mail service", "Your message\n\n  To:      Bo\n  Subject: Offer\n\ndid not reach the following recipient(s):\n\na@b.example on Thu, 2 May 2024 12:15:00 +0200\n    The recipient name is not recognized\n", &["a@b.example"]),
            ("exchange",  "Delivery has failed to these recipients or distribution lists:\n\nBo Li <a@b.example>\nThe address could not be found.\n\nGenerating server: mx.b.example\n", &["a@b.example"]),
            ("gmail",     "Delivery to the following recipient failed permanently:\n\n     a@b.example\n\nTechnical details of permanent failure:\nWe tried.\n\n----- Original message -----\n\nTo: c@b.example\n", &["a@b.example"]),
            ("mailenable", "Message could not be delivered to some recipients.\nThe following recipient(s) could not be reached:\n\n   Recipient: [SMTP:a@b.example]\n   Reason: unknown\n", &["a@b.example"]),
            ("kddi",      "Your mail sent on: Thu, 2 May 2024 12:15:00 +0900\n    Could not be delivered to: <a@b.example>\n    As their mailbox is full.\n", &["a@b.example"]),
            ("in the sentence", "Your message to <a@b.example> was automatically rejected:\nQuota exceeded\n", &["a@b.example"]),
            ("transcript", "Unable to deliver message to the address below.\n>>> RCPT TO:<a@b.example>\n<<< 550 unknown\n", &["a@b.example"]),
            ("german",    "Ihre Nachricht konnte an folgende Empfänger nicht zugestellt werden:\n\n* a@b.example\n", &["a@b.example"]),
            ("russian",   "Сообщение не может быть доставлено:\n  a@b.example\n",  &["a@b.example"]),
            ("japanese",  "メッセージを配信できませんでした。\n宛先: a@b.example\n",   &["a@b.example"]),
            ("only the copy", "Your message was not delivered.\n\n  From: we@example.com\n  To: a@b.example\n  Subject: x\n\nHello\n", &["a@b.example"]),
            ("about us",  "A message from we2@example.com could not be delivered.\n", &[]),
            ("nobody",    "Your message failed.\n",                                &[]),
        ];
        for (name, text, expected) in cases {
            let raw =
                format!("To: we@example.com\nContent-Type: text/plain; charset=utf-8\n\n{text}");
            assert_eq!(emails(&raw), *expected, "{name}");
        }
    }

    #[test]
    fn headers_and_complaints_name_recipients() {
        let exim = "X-Failed-Recipients: a@b.example, c@b.example\n\nSorry.\n";
        assert_eq!(emails(exim), ["a@b.example", "c@b.example"]);
        let complaint = "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n\
            --b\n\nAn abuse report.\n--b\nContent-Type: message/feedback-report\n\n\
            Feedback-Type: abuse\nOriginal-Rcpt-To: <a@b.example>\n\n--b\n\
            Content-Type: message/rfc822\n\nTo: c@b.example\n\nx\n--b--\n";
        assert_eq!(emails(complaint), ["a@b.example"]);
        let redacted = complaint.replace("Original-Rcpt-To: <a@b.example>", "Redacted-Address: a@");
        assert_eq!(emails(&redacted), ["c@b.example"]);
        let microsoft = redacted.replace("To: c@", "X-HmXmrOriginalRecipient: a@b.example\nTo: c@");
        assert_eq!(emails(&microsoft), ["a@b.example"]);
    }

    #[test]
    fn recipients_of_one_bounce_are_bounded() {
        let lines: String =
            (0..50_000).map(|n| format!("Final-Recipient: rfc822; a{n}@b.example\n\n")).collect();
        assert_eq!(emails(&report(&lines)).len(), MAX_FAILED);
        let text: String = (0..50_000).map(|n| format!("<a{n}@b.example>:\n")).collect();
        assert_eq!(emails(&format!("Subject: x\n\nundeliverable\n{text}")).len(), MAX_FAILED);
        for hostile in ["<", "@", "\\x{", "To: ", ">>> rcpt to:", "a@b.example ", "\n\n", ":;"] {
            let raw = format!("Subject: x\n\nwas undeliverable {}", hostile.repeat(100_000));
            assert!(failed(raw.as_bytes()).len() <= MAX_FAILED);
            assert!(failed(report(&hostile.repeat(100_000)).as_bytes()).len() <= MAX_FAILED);
        }
    }
}
