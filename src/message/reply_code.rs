//! The CRM's own reply codes: which activities an answer says it answers. Pure.
//!
//! Bitrix24 marks the mail it sends with a Message-ID `crm.activity.{id}-{code}@host` and, as its
//! option "service code" says, with `[CRM:{id}-{code}]` in the subject or `[msg:{id}-{code}]` in
//! the text, where mail programs quote it. All of them can be written by anyone: whoever uses the
//! numbers asks the CRM whether the sender is a party to the activity.

use super::{Message, first_text::first_text, identity::crm_activity};

/// Activities that one message names. An honest answer quotes the few mails of its thread.
const MAX_ACTIVITIES: usize = 10;

/// Digits of the largest `u64`.
const MAX_DIGITS: usize = 20;

/// Characters of a code; Bitrix24's have six.
const MAX_CODE: usize = 32;

/// Numbers of the activities that a message answers by its codes, each once, at most 10.
///
/// The most trusted first: In-Reply-To, References from the right, the subject, the first MiB of
/// the text, quotes included, from its beginning. `message` is what `raw` says.
pub fn reply_codes(message: &Message, raw: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    let ids = message.in_reply_to.iter().chain(message.references.iter().rev());
    add(&mut found, ids.filter_map(|id| crm_activity(id)));
    add(&mut found, tags(&message.subject, &["crm:"]));
    if found.len() < MAX_ACTIVITIES {
        add(&mut found, tags(&first_text(raw), &["msg:", "crm:"]));
    }
    found
}

fn add(found: &mut Vec<u64>, activities: impl Iterator<Item = u64>) {
    for activity in activities {
        if found.len() == MAX_ACTIVITIES {
            return;
        }
        if !found.contains(&activity) {
            found.push(activity);
        }
    }
}

/// The numbers in all `[name:{id}-{code}]`, in their order.
fn tags<'x>(text: &'x str, names: &'x [&'x str]) -> impl Iterator<Item = u64> + 'x {
    text.match_indices('[').filter_map(move |(at, _)| tag(text.as_bytes().get(at + 1..)?, names))
}

/// Reads no more than the longest tag has, so that a text of brackets is read once.
fn tag(text: &[u8], names: &[&str]) -> Option<u64> {
    let rest = names.iter().find_map(|name| {
        let (head, rest) = text.split_at_checked(name.len())?;
        head.eq_ignore_ascii_case(name.as_bytes()).then_some(rest)
    })?;
    let (digits, rest) = run(rest, MAX_DIGITS, u8::is_ascii_digit)?;
    let rest = rest.strip_prefix(b"-")?;
    let (_, rest) = run(rest, MAX_CODE, u8::is_ascii_alphanumeric)?;
    if rest.first() != Some(&b']') {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|id| *id > 0)
}

/// The bytes at the front of which `is` holds, 1 to `max`, and the rest.
fn run(text: &[u8], max: usize, is: fn(&u8) -> bool) -> Option<(&[u8], &[u8])> {
    let length = text.iter().take(max).take_while(|byte| is(byte)).count();
    if length == 0 { None } else { text.split_at_checked(length) }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::read;

    fn reply_codes(raw: &[u8]) -> Vec<u64> {
        super::super::reply_codes(&read(raw), raw)
    }

    #[test]
    fn codes_are_read_in_the_order_of_trust() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &[u64])] = &[
            ("in reply to",    "In-Reply-To: <crm.activity.12-Ab3@portal.example>\n\nHello", &[12]),
            ("any case",       "In-Reply-To: <CRM.Activity.12-Ab3@portal.example>\n\nHello", &[12]),
            ("references from the right",
                               "References: <crm.activity.1-A@p.example> <x@y.example> <crm.activity.2-A@p.example>\n\n", &[2, 1]),
            ("subject",        "Subject: Re: Price list [CRM:77-ABC12]\n\nHello",            &[77]),
            ("encoded subject", "Subject: =?utf-8?Q?Re=3A_=5Bcrm=3A77-ABC12=5D?=\n\nHello",  &[77]),
            ("text",           "Subject: Re: s\n\nHello\n\n> Dear Ana [msg:5-Q7]\n",         &[5]),
            ("text, the other name", "Subject: Re: s\n\n[Crm:5-Q7]",                         &[5]),
            ("html",           "Content-Type: text/html\n\n<p>Yes.</p><blockquote>[<b>MSG</b>:5-Q7]</blockquote>", &[5]),
            ("alternative",    "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nYes. [msg:5-Q7]\n--b\nContent-Type: text/html\n\n[msg:6-Q7]\n--b--", &[5]),
            ("all together",   "In-Reply-To: <crm.activity.4-A@p.example>\nReferences: <crm.activity.3-A@p.example> <crm.activity.4-A@p.example>\n\
                               Subject: [CRM:2-A]\n\n[msg:1-A] [CRM:3-A]", &[4, 3, 2, 1]),
            ("several in text", "Subject: s\n\n[msg:1-A][msg:2-A]\n[[msg:3-A]]",             &[1, 2, 3]),
            ("leading zero",   "Subject: [CRM:007-A]\n\n",                                   &[7]),
            ("largest",        "Subject: [CRM:18446744073709551615-A]\n\n",                  &[u64::MAX]),
            ("too large",      "Subject: [CRM:18446744073709551616-A]\n\n",                  &[]),
            ("more digits",    "Subject: [CRM:000000000000000000001-A]\n\n",                 &[]),
            ("longest code",   "Subject: [CRM:1-ABCDEFGHIJKLMNOPQRSTUVWXYZ012345]\n\n",      &[1]),
            ("longer code",    "Subject: [CRM:1-ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456]\n\n",     &[]),
            ("text's tag in the subject", "Subject: [msg:1-A]\n\n",                          &[]),
            ("zero",           "Subject: [CRM:0-A]\n\n",                                     &[]),
            ("plus",           "Subject: [CRM:+1-A]\n\n",                                    &[]),
            ("minus",          "Subject: [CRM:-1-A]\n\n",                                    &[]),
            ("no code",        "Subject: [CRM:1-]\n\n",                                      &[]),
            ("no number",      "Subject: [CRM:-A]\n\n",                                      &[]),
            ("mark in code",   "Subject: [CRM:1-A_B]\n\n",                                   &[]),
            ("blank",          "Subject: [CRM: 1-A]\n\n",                                    &[]),
            ("not closed",     "Subject: [CRM:1-A\n\n",                                      &[]),
            ("other digits",   "Subject: [CRM:١-A]\n\n",                                     &[]),
            ("no bracket",     "Subject: CRM:1-A]\n\n",                                      &[]),
            ("own mail",       "Message-ID: <crm.activity.9-A@p.example>\n\nHello",          &[]),
            ("nothing",        "",                                                           &[]),
        ];
        for (name, raw, expected) in cases {
            assert_eq!(reply_codes(raw.as_bytes()), *expected, "{name}");
        }
    }

    #[test]
    fn activities_of_one_message_are_bounded() {
        let tags: String = (1..1_000).map(|n| format!("[msg:{n}-A] ")).collect();
        let references: String = (1..=9).map(|n| format!("<crm.activity.{n}-A@p> ")).collect();
        let raw = format!("References: {references}\n\n[msg:9-A] {tags}[msg:10-A]");
        assert_eq!(reply_codes(raw.as_bytes()), [9, 8, 7, 6, 5, 4, 3, 2, 1, 10]);
    }

    #[test]
    fn code_beyond_the_first_mebibyte_of_text_is_not_looked_for() {
        let text = |filler: usize| format!("Subject: s\n\n{}[msg:5-A]", "a ".repeat(filler / 2));
        assert_eq!(reply_codes(text(1_000_000).as_bytes()), [5]);
        assert!(reply_codes(text(1_100_000).as_bytes()).is_empty());
    }

    #[test]
    fn hostile_text_is_read_in_one_pass() {
        let begun = Instant::now();
        for piece in ["[", "[msg:", "[msg:1", "[msg:1-", "[CRM:1-A", "[msg:1-A]", "]", "<", "é["] {
            let text = piece.repeat((1 << 20) / piece.len());
            reply_codes(format!("Subject: s\n\n{text}").as_bytes());
            reply_codes(format!("Content-Type: text/html\n\n{text}").as_bytes());
            reply_codes(format!("Subject: {text}\nIn-Reply-To: {text}\n\n").as_bytes());
        }
        // A square of a million steps would take hours; what this bounds is the order, not speed.
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }

    #[test]
    fn message_and_bytes_may_be_handed_in_apart() {
        let raw = b"Subject: [CRM:3-A]\n\n[msg:4-A]";
        assert_eq!(reply_codes(raw), [3, 4]);
    }
}
