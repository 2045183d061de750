//! Puts a mail together, as mail programs do. Pure.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::Offset;

pub const SALES: &str = "Example Sales <sales@example.com>";
pub const SUPPORT: &str = "Example Support <support@example.com>";

/// A mail in the making. Lines are written with `\n`, and end with CRLF in the raw mail.
pub struct Letter {
    head: String,
}

/// A mail with its four common headers. Further headers and the body are added.
pub fn letter(from: &str, to: &str, subject: &str, date: &str) -> Letter {
    Letter { head: String::new() }
        .header("From", from)
        .header("To", to)
        .header("Subject", &encoded(subject))
        .header("Date", date)
}

/// A mail without any header.
pub fn bare() -> Letter {
    Letter { head: String::new() }
}

/// A Date header `minutes` before `now`, written in a zone `hours` east of Greenwich.
///
/// Empty for a time that no calendar has.
pub fn date(now: i64, minutes: i64, hours: i8) -> String {
    let Ok(at) = Timestamp::from_second(now - minutes * 60) else { return String::new() };
    let at = at.to_zoned_datetime(Offset::constant(hours).to_time_zone());
    DateTimePrinter::new().zoned_datetime_to_string(&at).unwrap_or_default()
}

impl Letter {
    pub fn header(mut self, name: &str, value: &str) -> Letter {
        self.head.push_str(&format!("{name}: {value}\n"));
        self
    }

    pub fn id(self, id: &str) -> Letter {
        self.header("Message-ID", &format!("<{id}>"))
    }

    /// In-Reply-To and References.
    pub fn answers(self, id: &str) -> Letter {
        self.header("In-Reply-To", &format!("<{id}>")).header("References", &format!("<{id}>"))
    }

    /// Plain text in UTF-8.
    pub fn text(self, text: &str) -> Vec<u8> {
        self.mime("text/plain; charset=utf-8", "8bit", text)
    }

    /// One part with its type and transfer encoding; the body is taken as it stands.
    pub fn mime(self, content_type: &str, encoding: &str, body: &str) -> Vec<u8> {
        self.header("MIME-Version", "1.0")
            .header("Content-Type", content_type)
            .header("Content-Transfer-Encoding", encoding)
            .body(body)
    }

    /// Parts of a multipart type such as `mixed`, each made by [`part`] and the like.
    pub fn parts(self, kind: &str, parts: &[String]) -> Vec<u8> {
        let mut body = "This is a multi-part message in MIME format.\n".to_owned();
        for part in parts {
            body.push_str(&format!("--=_demo\n{part}\n"));
        }
        body.push_str("--=_demo--\n");
        self.header("MIME-Version", "1.0")
            .header("Content-Type", &format!("multipart/{kind}; boundary=\"=_demo\""))
            .body(&body)
    }

    /// The raw mail with this body, without any MIME header.
    pub fn body(self, body: &str) -> Vec<u8> {
        format!("{}\n{body}", self.head).replace('\n', "\r\n").into_bytes()
    }
}

/// One part of a multipart mail.
pub fn part(content_type: &str, body: &str) -> String {
    format!("Content-Type: {content_type}\nContent-Transfer-Encoding: 8bit\n\n{body}")
}

/// An attached file in base64; a name beyond ASCII is written as RFC 2231 has it.
pub fn file(content_type: &str, name: &str, bytes: &[u8]) -> String {
    let name = if name.is_ascii() {
        format!("filename=\"{name}\"")
    } else {
        let plain = percent_encoding::NON_ALPHANUMERIC;
        format!("filename*=utf-8''{}", percent_encoding::utf8_percent_encode(name, plain))
    };
    format!(
        "Content-Type: {content_type}\nContent-Disposition: attachment; {name}\n\
         Content-Transfer-Encoding: base64\n\n{}",
        base64_lines(bytes)
    )
}

/// Base64 in lines of 76 characters (RFC 2045 section 6.8).
pub fn base64_lines(bytes: &[u8]) -> String {
    // 57 bytes make 76 characters.
    bytes.chunks(57).map(|line| BASE64_STANDARD.encode(line) + "\n").collect()
}

/// A display name with an address.
pub fn person(name: &str, email: &str) -> String {
    format!("{} <{email}>", encoded(name))
}

/// A header text as it may stand in a header: encoded words (RFC 2047) if it is not ASCII.
pub fn encoded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    // Cut between characters, so that each word has at most 75 characters.
    let mut words = Vec::new();
    let mut word = String::new();
    for character in text.chars() {
        if word.len() + character.len_utf8() > 42 {
            words.push(std::mem::take(&mut word));
        }
        word.push(character);
    }
    words.push(word);
    let encode = |word: &String| format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(word));
    words.iter().map(encode).collect::<Vec<_>>().join("\n ")
}
