//! The lines of a vCard (2.1, RFC 2426, RFC 6350): unfolded, with parameters, decoded. Pure.

use std::borrow::Cow;

use super::{charset, guess, mime, word};

/// Octets of one value that are read; a name or number of more is none.
const MAX_VALUE: usize = 16 * 1024;

/// The properties that anyone asks for. All others, photos among them, are passed over unread.
const WANTED: [&str; 9] = ["BEGIN", "END", "VERSION", "N", "FN", "EMAIL", "TEL", "ORG", "TITLE"];

/// One property.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Upper case, without its group; empty for a property that is not wanted.
    pub name: String,
    /// Types and bare words, upper case: `WORK`, `FAX`.
    pub types: Vec<String>,
    /// 1 for the preferred of several, up to 100 (RFC 6350 section 5.3); 101 if it says none.
    pub rank: u8,
    /// Decoded; escapes still in it.
    pub value: String,
}

/// A property as it was written, its folds undone.
struct Raw<'x> {
    /// Empty for what is not wanted.
    text: Vec<u8>,
    name: String,
    /// In quoted-printable a `=` at the end goes on in the next line, with or without a blank.
    quoted: bool,
    /// The last physical line.
    last: &'x [u8],
}

/// Hands out the properties one by one, in one pass. `emit` says whether to go on.
pub fn each(bytes: &[u8], label: Option<&str>, mut emit: impl FnMut(Line) -> bool) {
    let bytes = as_ascii_lines(bytes);
    let label = label_of(&bytes, label);
    let mut open: Option<Raw<'_>> = None;
    // In 2.1 a fold keeps its blank, from 3.0 on it does not (RFC 2425 section 5.8.1).
    let mut old = false;
    let mut rest = bytes.as_ref();
    while let Some(line) = next_line(&mut rest) {
        if let Some(raw) = open.as_mut()
            && raw.takes(line, old)
        {
            continue;
        }
        if let Some(raw) = open.take() {
            let line = raw.read(&label);
            if line.name == "VERSION" {
                old = line.value.trim().starts_with('2');
            }
            if !emit(line) {
                return;
            }
        }
        open = Raw::begin(line);
    }
    if let Some(raw) = open {
        emit(raw.read(&label));
    }
}

impl<'x> Raw<'x> {
    /// `None` for a line that is no property, such as base64 that was not indented.
    fn begin(line: &'x [u8]) -> Option<Raw<'x>> {
        let end = line.iter().position(|byte| matches!(byte, b':' | b';'))?;
        let name = line.get(..end)?.rsplit(|byte| *byte == b'.').next()?.trim_ascii();
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        let wanted = WANTED.contains(&name.as_str());
        let head = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let quoted = head
            .split(|byte| matches!(byte, b';' | b'='))
            .any(|word| word.eq_ignore_ascii_case(b"QUOTED-PRINTABLE"));
        let kept = if wanted { line.len().min(MAX_VALUE) } else { 0 };
        let text = line.get(..kept).unwrap_or_default().to_vec();
        // A card inside the card follows, unless all of it stands in the value (RFC 2426).
        let agent = name == "AGENT" && line.trim_ascii_end().ends_with(b":");
        let name = if wanted || agent { name } else { String::new() };
        Some(Raw { text, name, quoted, last: line })
    }

    /// Whether `line` goes on what this one began.
    fn takes(&mut self, line: &'x [u8], old: bool) -> bool {
        let soft = self.quoted && self.last.trim_ascii_end().ends_with(b"=");
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        // The value may have lost its end; the card has not.
        let ends = soft && line.trim_ascii().eq_ignore_ascii_case(b"END:VCARD");
        if line.trim_ascii().is_empty() || ends || !soft && !folded {
            return false;
        }
        self.last = line;
        if self.text.is_empty() || self.text.len() + line.len() > MAX_VALUE {
            return true;
        }
        if soft {
            while self.text.pop().is_some_and(|byte| byte != b'=') {}
            self.text.extend_from_slice(line);
        } else {
            let from = usize::from(!old);
            self.text.extend_from_slice(line.get(from..).unwrap_or_default());
        }
        true
    }

    fn read(self, label: &str) -> Line {
        let mut line = Line { name: self.name, rank: 101, ..Line::default() };
        let text = self.text.as_slice();
        let colon = outside_quotes(text, b':').next().unwrap_or(text.len());
        let (head, value) = text.split_at_checked(colon).unwrap_or((text, &[]));
        let value = value.get(1..).unwrap_or_default();
        let mut charset = None;
        let (mut quoted, mut base64) = (false, false);
        for parameter in pieces(head, b';').skip(1) {
            let parameter = String::from_utf8_lossy(parameter);
            let (name, words) = parameter.split_once('=').unwrap_or(("TYPE", &parameter));
            let words = words.replace('"', "").to_ascii_uppercase();
            match name.trim().to_ascii_uppercase().as_str() {
                "CHARSET" => charset = Some(words.trim().to_ascii_lowercase()),
                "PREF" => line.rank = words.trim().parse().unwrap_or(1).clamp(1, 100),
                "ENCODING" | "TYPE" => {
                    for word in words.split(',').map(str::trim) {
                        match word {
                            "QUOTED-PRINTABLE" => quoted = true,
                            "BASE64" | "B" => base64 = true,
                            "PREF" => line.rank = 1,
                            "" => {}
                            word => line.types.push(word.to_owned()),
                        }
                    }
                }
                _ => {}
            }
        }
        let value = match (quoted, base64) {
            (true, _) => Cow::Owned(mime::quoted_printable(value)),
            (false, true) => Cow::Owned(word::lenient_base64(value)),
            (false, false) => Cow::Borrowed(value),
        };
        let charset = charset.as_deref().filter(|charset| !charset.is_empty());
        line.value = charset::decode(&value, Some(charset.unwrap_or(label)));
        line
    }
}

/// What the lines are to be read by that name no charset: the file is looked at as a whole, for a
/// name alone is too short for a guess.
fn label_of(bytes: &[u8], label: Option<&str>) -> String {
    let label = label.map(str::trim).filter(|label| !label.is_empty());
    match label {
        _ if std::str::from_utf8(bytes).is_ok() => "utf-8".to_owned(),
        Some(label) if charset::has_decoder(label) => label.to_owned(),
        Some(_) | None => guess::charset(bytes).to_owned(),
    }
}

/// UTF-16 as UTF-8; anything else as it is, without its byte order mark.
fn as_ascii_lines(bytes: &[u8]) -> Cow<'_, [u8]> {
    match charset::utf_16(bytes) {
        Some(text) => Cow::Owned(text.into_bytes()),
        None => Cow::Borrowed(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)),
    }
}

/// Takes a line from the front: up to LF, CR or CRLF; `None` at the end.
fn next_line<'x>(rest: &mut &'x [u8]) -> Option<&'x [u8]> {
    if rest.is_empty() {
        return None;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
    let (line, tail) = rest.split_at_checked(end)?;
    // Relays make `\r\r\n` of CRLF.
    let run = tail.iter().position(|byte| *byte != b'\r').unwrap_or(tail.len());
    *rest = match tail.get(run..).and_then(|after| after.strip_prefix(b"\n")) {
        Some(after) => after,
        // Of several bare CRs one is left, and gives an empty line.
        None => tail.get(run.saturating_sub(1).max(1)..).unwrap_or_default(),
    };
    Some(line)
}

/// Where `mark` stands outside double quotes.
fn outside_quotes(text: &[u8], mark: u8) -> impl Iterator<Item = usize> {
    let mut inside = false;
    // A quote that is never closed hides nothing.
    let quotes = text.iter().filter(|byte| **byte == b'"').count();
    text.iter().enumerate().filter_map(move |(at, byte)| {
        inside ^= *byte == b'"' && quotes.is_multiple_of(2);
        (!inside && *byte == mark).then_some(at)
    })
}

fn pieces(text: &[u8], mark: u8) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    let ends: Vec<usize> = outside_quotes(text, mark).chain([text.len()]).collect();
    ends.into_iter().map(move |end| {
        let piece = text.get(from..end).unwrap_or_default();
        from = end + 1;
        piece
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        each(text.as_bytes(), None, |line| {
            found.push(format!("{}={}", line.name, line.value));
            true
        });
        found
    }

    #[test]
    fn lines_are_joined_as_their_version_folds_them() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &[&str])] = &[
            ("3.0 fold",        "VERSION:3.0\r\nFN:Ana\r\n  Ruiz\r\n",                 &["VERSION=3.0", "FN=Ana Ruiz"]),
            ("3.0 fold in a word", "VERSION:3.0\nFN:Ana Ru\n iz\n",                    &["VERSION=3.0", "FN=Ana Ruiz"]),
            ("2.1 fold",        "VERSION:2.1\r\nFN:Ana\r\n Ruiz\r\n",                  &["VERSION=2.1", "FN=Ana Ruiz"]),
            ("soft break",      "FN;QUOTED-PRINTABLE:Ana =\r\nRuiz\r\nTITLE:x",        &["FN=Ana Ruiz", "TITLE=x"]),
            ("soft break of another", "NOTE;ENCODING=QUOTED-PRINTABLE:a=\r\nTITLE:y=\r\nz\r\nTITLE:x", &["=", "TITLE=x"]),
            ("soft break at the end", "FN;QUOTED-PRINTABLE:Ana=\r\nEND:VCARD",         &["FN=Ana", "END=VCARD"]),
            ("soft break, empty line", "FN;QUOTED-PRINTABLE:Ana=\n\nTITLE:x",          &["FN=Ana", "TITLE=x"]),
            ("base64, indented", "PHOTO;BASE64:\n QUJD\n QUJD\n\nTITLE:x",             &["=", "TITLE=x"]),
            ("base64, not indented", "PHOTO;BASE64:\nQUJD\nQUJD\n\nTITLE:x",           &["=", "TITLE=x"]),
            ("colon in quotes", "EMAIL;X=\"a:b;c\":d@example.com",                     &["EMAIL=d@example.com"]),
            ("quote not closed", "EMAIL;X=\"a:d@example.com",                          &["EMAIL=d@example.com"]),
            ("cr",              "FN:a\rTITLE:b\r",                                     &["FN=a", "TITLE=b"]),
            ("base64 text",     "FN;ENCODING=b:QW5h",                                  &["FN=Ana"]),
            ("no colon",        "FN;X",                                                &["FN="]),
        ];
        for (name, text, expected) in cases {
            assert_eq!(values(text), *expected, "{name}");
        }
    }

    #[test]
    fn parameters_of_all_versions_are_one() {
        let mut lines = Vec::new();
        let text = "item1.TEL;WORK;PREF:1\nTEL;TYPE=WORK,pref:1\nTEL;TYPE=\"work\";PREF=1:1\n\
                    tel;type=work;type=pref:1";
        each(text.as_bytes(), None, |line| {
            lines.push(line);
            true
        });
        assert_eq!(lines.len(), 4);
        for line in lines {
            assert_eq!((line.name.as_str(), line.rank, line.value.as_str()), ("TEL", 1, "1"));
            assert_eq!(line.types, ["WORK"]);
        }
    }
}
