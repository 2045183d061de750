//! Values with parameters: Content-Type, Content-Disposition (RFC 2045, 2183, 2231). Pure.
//!
//! A parser of our own: mail-parser 0.11.9 decodes each continued piece by itself, which breaks
//! characters that senders cut, and is quadratic in the number of parameters.

use super::{charset, word};

/// Bytes of one value that are read; longer ones are attacks.
const MAX_VALUE: usize = 64 * 1024;

/// Parameters that are read, continued pieces counted one by one.
const MAX_PARAMETERS: usize = 500;

/// Parameters that are kept: a mail may have tens of thousands of parts with hundreds each.
const KEPT: [&str; 6] = ["boundary", "charset", "filename", "name", "report-type", "smime-type"];

/// A value such as `text/plain` with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// Lower case, without blanks; may be empty.
    pub value: String,
    /// Names in lower case; values decoded.
    parameters: Vec<(String, String)>,
}

impl Value {
    /// The parameter of this lower-case name, one of [`KEPT`]; `None` if absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// One parameter as it was written: `name*1*=value`.
struct Piece {
    name: String,
    /// Which piece of a continued value; 0 if it is not continued.
    index: u32,
    /// With percent signs, and in the first piece with a charset (RFC 2231 section 4).
    extended: bool,
    continued: bool,
    value: Vec<u8>,
}

/// Reads a value that was unfolded. `hint` is the charset of 8-bit names.
pub fn parse(bytes: &[u8], hint: Option<&str>) -> Value {
    let bytes = bytes.get(..bytes.len().min(MAX_VALUE)).unwrap_or_default();
    let mut rest = bytes;
    let value = take_value(&mut rest);
    let mut pieces = Vec::new();
    while !rest.is_empty() && pieces.len() < MAX_PARAMETERS {
        if let Some(piece) = take_parameter(&mut rest) {
            pieces.push(piece);
        }
    }
    pieces.retain(|piece| KEPT.contains(&piece.name.as_str()));
    Value { value, parameters: assemble(pieces, hint) }
}

fn take_value(rest: &mut &[u8]) -> String {
    // `text/html charset=utf-8` lacks its semicolon; a comment may stand anywhere.
    let mut value = String::new();
    while let [byte, tail @ ..] = *rest {
        match byte {
            b';' => {
                *rest = tail;
                break;
            }
            b'(' => {
                skip_comment(rest);
                continue;
            }
            byte if byte.is_ascii_whitespace() => {
                // All blanks at once: else each would look through those behind it.
                let behind = tail.trim_ascii_start();
                let goes_on =
                    value.ends_with('/') || matches!(behind.first(), Some(b'/' | b';' | b'('));
                *rest = behind;
                if !value.is_empty() && !goes_on {
                    break;
                }
                continue;
            }
            byte if byte.is_ascii_graphic() => value.push(char::from(byte.to_ascii_lowercase())),
            _ => {}
        }
        *rest = tail;
    }
    value.trim_matches('"').to_owned()
}

fn skip_comment(rest: &mut &[u8]) {
    let mut depth = 0usize;
    while let [byte, tail @ ..] = *rest {
        *rest = tail;
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// Takes one parameter from the front; `None` for what is none, which is then left out.
fn take_parameter(rest: &mut &[u8]) -> Option<Piece> {
    *rest = rest.trim_ascii_start();
    if rest.starts_with(b"(") {
        skip_comment(rest);
        return None;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
    let (name, tail) = rest.split_at_checked(end)?;
    let Some(tail) = tail.strip_prefix(b"=") else {
        *rest = tail.get(1..).unwrap_or_default();
        return None;
    };
    *rest = tail.trim_ascii_start();
    let value = if rest.starts_with(b"\"") { take_quoted(rest) } else { take_plain(rest) };
    let name = String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase();
    let (name, extended) = match name.strip_suffix('*') {
        Some(name) => (name.to_owned(), true),
        None => (name, false),
    };
    let (name, index) = match name.rsplit_once('*') {
        Some((base, index)) => match index.parse::<u32>() {
            Ok(index) => (base.to_owned(), Some(index)),
            Err(_) => (name, None),
        },
        None => (name, None),
    };
    let continued = index.is_some();
    Some(Piece { name, index: index.unwrap_or(0), extended, continued, value })
}

fn take_quoted(rest: &mut &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    let mut inside = rest.get(1..).unwrap_or_default();
    while let [byte, tail @ ..] = inside {
        inside = tail;
        match (byte, tail) {
            // A backslash quotes a quote; elsewhere it is part of a Windows path.
            (b'\\', [quoted @ (b'"' | b'\\'), after @ ..]) => {
                value.push(*quoted);
                inside = after;
            }
            (b'"', _) => break,
            (byte, _) => value.push(*byte),
        }
    }
    // Up to the semicolon there is nothing more to learn; `name="a" filename="b"` lacks it. No
    // further than the next `=`: without semicolons each parameter would be sought to the end.
    let end = inside.iter().position(|byte| matches!(byte, b';' | b'='));
    let skipped = match end.map(|end| (end, inside.get(end))) {
        Some((_, Some(b'='))) => 0,
        Some((end, _)) => end + 1,
        None => inside.len(),
    };
    *rest = inside.get(skipped..).unwrap_or_default();
    value
}

/// An unquoted value goes to the semicolon: names with blanks are often sent without quotes.
fn take_plain(rest: &mut &[u8]) -> Vec<u8> {
    let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
    let value = rest.get(..end).unwrap_or_default().trim_ascii().to_vec();
    *rest = rest.get(end + 1..).unwrap_or_default();
    value
}

fn assemble(mut pieces: Vec<Piece>, hint: Option<&str>) -> Vec<(String, String)> {
    // Continued and extended forms win over the plain one that some senders add for old readers.
    pieces.sort_by(|a, b| {
        let plain = |piece: &Piece| !piece.continued && !piece.extended;
        (&a.name, plain(a), !a.continued, a.index).cmp(&(&b.name, plain(b), !b.continued, b.index))
    });
    let mut parameters: Vec<(String, String)> = Vec::new();
    for same in pieces.chunk_by(|a, b| a.name == b.name) {
        let Some(first) = same.first() else {
            continue;
        };
        let value = if first.continued {
            let continued = same.iter().take_while(|piece| piece.continued);
            join(continued, hint)
        } else if first.extended {
            join(std::iter::once(first), hint)
        } else {
            word::decode(&charset::decode_unlabelled(&first.value, hint))
        };
        parameters.push((first.name.clone(), value));
    }
    parameters
}

fn join<'a>(pieces: impl Iterator<Item = &'a Piece>, hint: Option<&str>) -> String {
    let mut label: Option<String> = None;
    let mut bytes = Vec::new();
    let mut extended = false;
    for (at, piece) in pieces.enumerate() {
        let mut value = piece.value.as_slice();
        if piece.extended {
            extended = true;
            // charset'language'text
            let mut quotes = value.iter().enumerate().filter(|(_, byte)| **byte == b'\'');
            if at == 0
                && let (Some((first, _)), Some((second, _))) = (quotes.next(), quotes.next())
            {
                let charset = value.get(..first).unwrap_or_default();
                label = Some(String::from_utf8_lossy(charset).into_owned());
                value = value.get(second + 1..).unwrap_or_default();
            }
            bytes.extend(unpercent(value));
        } else {
            bytes.extend_from_slice(value);
        }
    }
    match label.filter(|label| !label.is_empty()) {
        Some(label) => charset::decode(&bytes, Some(&label)),
        None if extended => charset::decode_unlabelled(&bytes, hint),
        // RFC 2231's pieces with RFC 2047's words in them: forbidden, and common.
        None => word::decode(&charset::decode_unlabelled(&bytes, hint)),
    }
}

fn unpercent(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) if word::is_hex(*high, *low) => {
                bytes.push(word::hex(*high) << 4 | word::hex(*low));
                rest = after;
            }
            (other, _) => bytes.push(*other),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name of the case, header value, value, parameter, its value.
    type Case<'a> = (&'a str, &'a [u8], &'a str, &'a str, Option<&'a str>);

    #[test]
    fn parameters_are_read_as_they_are_sent() {
        #[rustfmt::skip]
        let cases: &[Case<'_>] = &[
            ("plain",            b"text/plain; charset=utf-8",              "text/plain", "charset", Some("utf-8")),
            ("case",             b"Text/Plain; Charset=\"UTF-8\"",          "text/plain", "charset", Some("UTF-8")),
            ("no semicolon",     b"text/html charset=utf-8",                "text/html",  "charset", Some("utf-8")),
            ("blanks",           b" text / plain ; charset = utf-8 ",       "text/plain", "charset", Some("utf-8")),
            ("blanks before the value ends", b"text/html  x=1;  charset=utf-8", "text/html", "charset", Some("utf-8")),
            ("nobody asks for it", b"a; size=12",                           "a",          "size", None),
            ("comment",          b"text/plain (hi); charset=utf-8",         "text/plain", "charset", Some("utf-8")),
            ("empty pieces",     b"text/plain;;; charset=utf-8;",           "text/plain", "charset", Some("utf-8")),
            ("no value",         b"; charset=utf-8",                        "",           "charset", Some("utf-8")),
            ("absent",           b"text/plain",                             "text/plain", "charset", None),
            ("semicolon in quotes", b"a; name=\"x;y.pdf\"; z=1",            "a",          "name", Some("x;y.pdf")),
            ("unquoted blanks",  b"attachment; filename=price list.pdf",    "attachment", "filename", Some("price list.pdf")),
            ("quoted quote",     b"a; name=\"x\\\"y\"",                     "a",          "name", Some("x\"y")),
            ("windows path",     b"a; name=\"C:\\docs\\a.pdf\"",            "a",          "name", Some("C:\\docs\\a.pdf")),
            ("quote not closed", b"a; name=\"x.pdf",                        "a",          "name", Some("x.pdf")),
            ("missing semicolon", b"a; name=\"x\" filename=\"y\"",          "a",          "filename", Some("y")),
            ("rfc 2231",         b"a; filename*=UTF-8''%D0%BF.pdf",         "a",          "filename", Some("\u{43f}.pdf")),
            ("rfc 2231, latin",  b"a; filename*=iso-8859-1'de'M%FCnchen",   "a",          "filename", Some("M\u{fc}nchen")),
            ("continued",        b"a; filename*0=\"pri\"; filename*1=\"ce.pdf\"", "a",    "filename", Some("price.pdf")),
            ("cut inside a character", b"a; filename*0*=utf-8''%D0; filename*1*=%BF; filename*2=.pdf", "a", "filename", Some("\u{43f}.pdf")),
            ("out of order",     b"a; name*1=b; name*0=a",                  "a",          "name", Some("ab")),
            ("both forms",       b"a; filename=\"x.pdf\"; filename*=utf-8''%D0%BF.pdf", "a", "filename", Some("\u{43f}.pdf")),
            ("words",            b"a; name=\"=?koi8-r?B?8NLJ?=\"",          "a",          "name", Some("\u{41f}\u{440}\u{438}")),
            ("raw utf-8",        "a; name=\"Прайс.pdf\"".as_bytes(),        "a",          "name", Some("\u{41f}\u{440}\u{430}\u{439}\u{441}.pdf")),
            ("raw 1251",         b"a; name=\"\xcf\xf0\xe0\xe9\xf1.pdf\"",   "a",          "name", Some("\u{41f}\u{440}\u{430}\u{439}\u{441}.pdf")),
            ("huge index",       b"a; name*99999999999999=x; name=y",       "a",          "name", Some("y")),
        ];
        for (name, bytes, value, parameter, expected) in cases {
            let parsed = parse(bytes, None);
            assert_eq!(parsed.value, *value, "{name}");
            assert_eq!(parsed.get(parameter), *expected, "{name}");
        }
    }

    #[test]
    fn parameters_without_any_semicolon_are_read_in_one_pass() {
        let value = format!("a; {}z=1", "x=\"y\" ".repeat(10_000));
        for _ in 0..200 {
            parse(value.as_bytes(), None);
        }
        assert_eq!(parse(b"a; x=\"y\" z=\"1\" junk; name=2", None).get("name"), Some("2"));
    }
}
