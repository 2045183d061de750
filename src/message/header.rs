//! The header block as fields, of whatever the sender made of it. Pure.
//!
//! A scanner of our own and not mail-parser's: the header alone decides about most mail, and must
//! give the same facts whether the body follows it or not. It also bears line ends of a bare CR,
//! lines that are no fields, and a missing blank line, which mail-parser 0.11.9 reads as field
//! names.

use std::borrow::Cow;

/// Fields read of one block; of what follows only the blank line is looked for. No honest mail has
/// more, and each costs memory.
const MAX_FIELDS: usize = 100_000;

/// The fields of a part that anyone asks for. A mail has thousands of parts, and a line of three
/// bytes would take the memory of ten.
const OF_PARTS: [&[u8]; 3] =
    [b"content-type", b"content-disposition", b"content-transfer-encoding"];

/// Lines in a row that are no fields before the header counts as ended without a blank line.
const MAX_STRAY_LINES: usize = 10;

/// Names that show that the header goes on after a stray line. Lower case.
const WELL_KNOWN: &[&[u8]] = &[
    b"from",
    b"to",
    b"cc",
    b"bcc",
    b"subject",
    b"date",
    b"message-id",
    b"in-reply-to",
    b"references",
    b"reply-to",
    b"sender",
    b"mime-version",
    b"return-path",
    b"received",
    b"delivered-to",
    b"auto-submitted",
    b"precedence",
    b"importance",
    b"dkim-signature",
];
const WELL_KNOWN_PREFIXES: &[&[u8]] = &[b"content-", b"list-", b"x-", b"arc-", b"resent-"];

/// One header field; the value still has its folds.
#[derive(Clone, Copy, Debug)]
struct Field<'x> {
    name: &'x [u8],
    value: &'x [u8],
}

/// The fields of one header block, in their order, and what follows it.
#[derive(Debug)]
pub struct Headers<'x> {
    fields: Vec<Field<'x>>,
    body: &'x [u8],
}

impl<'x> Headers<'x> {
    /// Reads the header of a whole message, or a header block alone.
    ///
    /// What is found depends only on the bytes up to the first blank line after a field.
    pub fn of_message(raw: &'x [u8]) -> Headers<'x> {
        // A byte order mark, and blank lines that some gateways put first.
        let mut at = if raw.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        while at < raw.len() {
            let (line, next) = line_at(raw, at);
            // `From ana@example.com Thu May  2 10:15:00 2024`: the separator of an mbox file.
            let separator = line.starts_with(b"From ") || line.starts_with(b">From ");
            let stray = separator && field_of(line).is_none();
            if !line.iter().all(u8::is_ascii_whitespace) && !stray {
                break;
            }
            at = next;
        }
        Headers::scan(raw, at)
    }

    /// Reads the header of a MIME part: it ends at the first line that is no field. Only what says
    /// how to read the part is kept, and of that the first.
    pub fn of_part(raw: &'x [u8]) -> Headers<'x> {
        let mut fields: Vec<Field<'x>> = Vec::with_capacity(OF_PARTS.len());
        let mut value_start = 0;
        // Whether the last field was kept; `None` before the first.
        let mut kept: Option<bool> = None;
        let mut at = 0;
        let mut body = raw.len();
        while at < raw.len() {
            let (line, next) = line_at(raw, at);
            if line.is_empty() {
                body = next;
                break;
            }
            if let Some(keep) = kept
                && matches!(line.first(), Some(b' ' | b'\t'))
            {
                let value = raw.get(value_start..at + line.len());
                if let (true, Some(last), Some(value)) = (keep, fields.last_mut(), value) {
                    last.value = value;
                }
            } else if let Some((name, value)) = field_of(line) {
                let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
                let keep = OF_PARTS.iter().any(|known| is(known))
                    && !fields.iter().any(|field| is(field.name));
                if keep {
                    value_start = at + line.len() - value.len();
                    fields.push(Field { name, value });
                }
                kept = Some(keep);
            } else {
                body = at;
                break;
            }
            at = next;
        }
        Headers { fields, body: raw.get(body..).unwrap_or_default() }
    }

    fn scan(raw: &'x [u8], start: usize) -> Headers<'x> {
        let mut fields: Vec<Field<'x>> = Vec::with_capacity(32);
        // Where the value of the last field starts, to lengthen it by its folds.
        let mut value_start = start;
        let mut stray: Option<Stray> = None;
        let mut at = start;
        let mut body = raw.len();
        while at < raw.len() {
            let (line, next) = line_at(raw, at);
            if line.is_empty() {
                body = next;
                break;
            }
            if fields.len() == MAX_FIELDS {
                at = next;
                continue;
            }
            let folded = matches!(line.first(), Some(b' ' | b'\t'));
            if folded && !fields.is_empty() && stray.as_ref().is_none_or(|stray| stray.lines == 0) {
                let end = at + line.len();
                if let (Some(last), Some(value)) = (fields.last_mut(), raw.get(value_start..end)) {
                    last.value = value;
                }
            } else if let Some((name, value)) = field_of(line) {
                if let Some(found) = stray.as_mut() {
                    found.lines = 0;
                    if is_well_known(name) {
                        // The header goes on: what looked like its end was a fold without the
                        // blank that marks one, as broken PHP mailers write it.
                        if let Some(before) = found.fields.checked_sub(1)
                            && let Some(field) = fields.get_mut(before)
                            && let Some(value) = raw.get(found.value_start..found.end)
                        {
                            field.value = value;
                        }
                        stray = None;
                    }
                }
                value_start = at + line.len() - value.len();
                fields.push(Field { name, value });
            } else {
                let found = stray.get_or_insert(Stray {
                    at,
                    end: at,
                    lines: 0,
                    fields: fields.len(),
                    value_start,
                });
                found.lines += 1;
                if found.fields == fields.len() {
                    found.end = at + line.len();
                }
                if found.lines > MAX_STRAY_LINES {
                    break;
                }
            }
            at = next;
        }
        if let Some(stray) = stray {
            // No field came after it, so it was the body, without a blank line before it.
            fields.truncate(stray.fields);
            body = stray.at;
        }
        Headers { fields, body: raw.get(body..).unwrap_or_default() }
    }

    /// What follows the header.
    pub fn body(&self) -> &'x [u8] {
        self.body
    }

    /// The first field of this name, unfolded and trimmed.
    pub fn first(&self, name: &str) -> Option<Cow<'x, [u8]>> {
        self.all(name).next()
    }

    /// All fields of this name, unfolded and trimmed.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Cow<'x, [u8]>> + 'a {
        self.fields
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| unfold(field.value))
    }

    /// The first field of this name as it can be compared with keywords; `None` if absent.
    pub fn ascii(&self, name: &str) -> Option<String> {
        self.first(name).map(|value| String::from_utf8_lossy(&value).into_owned())
    }
}

/// A line, or several, that are no fields, while it is open whether the header goes on.
struct Stray {
    at: usize,
    /// End of the stray lines that directly follow the last field.
    end: usize,
    /// Stray lines in a row.
    lines: usize,
    /// Fields before it.
    fields: usize,
    value_start: usize,
}

/// The line that begins at `at` without its end, and where the next one begins.
pub fn line_at(raw: &[u8], at: usize) -> (&[u8], usize) {
    let rest = raw.get(at..).unwrap_or_default();
    let (line, next) = match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) => (rest.get(..end).unwrap_or_default(), at + end + 1),
        None => (rest, raw.len()),
    };
    // `\r\r\n` is seen from relays that turned CRLF into CRLF once more.
    let mut line = line;
    while let [head @ .., b'\r'] = line {
        line = head;
    }
    (line, next)
}

/// A field's name and value; blanks before the colon are RFC 5322 section 4.5's obsolete form.
pub fn field_of(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':' || !(33..127).contains(&byte))?;
    let (name, rest) = line.split_at_checked(colon)?;
    // A part's header must not swallow the boundary line that follows it.
    if name.is_empty() || name.starts_with(b"--") {
        return None;
    }
    let value = rest.trim_ascii_start().strip_prefix(b":")?;
    Some((name, value))
}

/// Whether a name alone shows that a line is a field.
pub fn is_well_known(name: &[u8]) -> bool {
    WELL_KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known))
        || WELL_KNOWN_PREFIXES.iter().any(|prefix| {
            name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        })
}

/// A value on one line, without NUL, trimmed.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Cow::Borrowed(value);
    }
    let mut line = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' => {
                // A stray line taken as a fold has no blank of its own.
                if !matches!(bytes.peek(), Some(b' ' | b'\t')) {
                    line.push(b' ');
                }
            }
            b'\r' if bytes.peek().is_none_or(|&next| matches!(next, b'\n' | b'\r')) => {}
            b'\r' => line.push(b' '),
            0 => {}
            other => line.push(other),
        }
    }
    Cow::Owned(line.trim_ascii().to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn value(headers: &Headers<'_>, name: &str) -> String {
        headers.ascii(name).unwrap_or_else(|| "-".to_owned())
    }

    /// Name of the case, message, From, Subject, body.
    type Case<'a> = (&'a str, &'a [u8], &'a str, &'a str, &'a [u8]);

    #[test]
    fn header_ends_where_its_writer_meant_it_to_end() {
        #[rustfmt::skip]
        let cases: &[Case<'_>] = &[
            ("crlf",             b"From: a\r\nSubject: s\r\n\r\nbody",          "a", "s",     b"body"),
            ("lf",               b"From: a\nSubject: s\n\nbody",                "a", "s",     b"body"),
            ("cr cr lf",         b"From: a\r\r\nSubject: s\r\r\n\r\r\nbody",    "a", "s",     b"body"),
            ("header only",      b"From: a\nSubject: s",                        "a", "s",     b""),
            ("fold",             b"From: a\nSubject: s\n t\n\nbody",            "a", "s t",   b"body"),
            ("fold of blanks",   b"Subject: s\n \t\nFrom: a\n\nbody",           "a", "s",     b"body"),
            ("blank lines first", b"\r\n\nFrom: a\nSubject: s\n\nbody",         "a", "s",     b"body"),
            ("mbox line",        b"From ana Thu May  2 10:15:00\nFrom: a\nSubject: s\n\nb", "a", "s", b"b"),
            ("blank before colon", b"From : a\nSubject\t: s\n\nbody",           "a", "s",     b"body"),
            ("no blank line",    b"From: a\nSubject: s\nHello Ana,\nbye\n\nx",  "a", "s",     b"Hello Ana,\nbye\n\nx"),
            ("no blank line, text like a field", b"From: a\nSubject: s\nHello Ana\nprice: 5\n", "a", "s", b"Hello Ana\nprice: 5\n"),
            ("fold without its blank", b"Subject: long\nrest\nFrom: a\n\nbody", "a", "long rest", b"body"),
            ("nul",              b"From: a\0\nSubject: s\0t\n\nbody",           "a", "st",    b"body"),
            ("no header",        b"Hello\nAna\n",                               "-", "-",     b"Hello\nAna\n"),
            ("empty",            b"",                                           "-", "-",     b""),
            ("byte order mark",  b"\xef\xbb\xbfFrom: a\nSubject: s\n\nb",       "a", "s",     b"b"),
            ("first of two",     b"From: a\nFrom: b\nSubject: s\n\nb",          "a", "s",     b"b"),
        ];
        for (name, raw, from, subject, body) in cases {
            let headers = Headers::of_message(raw);
            assert_eq!(value(&headers, "from"), *from, "{name}");
            assert_eq!(value(&headers, "SUBJECT"), *subject, "{name}");
            assert_eq!(headers.body(), *body, "{name}");
        }
    }

    #[test]
    fn part_header_does_not_swallow_the_next_boundary() {
        let headers = Headers::of_part(b"Content-Type: text/plain\n--b\nContent-Type: image/png\n");
        assert_eq!(value(&headers, "content-type"), "text/plain");
        assert_eq!(headers.body(), b"--b\nContent-Type: image/png\n");
    }

    #[test]
    fn part_header_keeps_what_says_how_to_read_the_part() {
        let raw = b"X-A: 1\n t\nContent-Type: text/html;\n charset=utf-8\nX-B: 2\n u\nContent-Type: image/png\n v\n\nbody";
        let headers = Headers::of_part(raw);
        assert_eq!(value(&headers, "content-type"), "text/html; charset=utf-8");
        assert_eq!((value(&headers, "x-a").as_str(), headers.body()), ("-", b"body".as_slice()));
        assert_eq!(Headers::of_part(b" text\n\nmore").body(), b" text\n\nmore");
        let raw = [b"a:\n".repeat(300_000), b"\nbody".to_vec()].concat();
        let headers = Headers::of_part(&raw);
        assert_eq!(
            (headers.fields.capacity(), headers.body()),
            (OF_PARTS.len(), b"body".as_slice())
        );
    }

    #[test]
    fn hundred_thousand_fields_and_a_line_of_a_megabyte_are_read_in_one_pass() {
        let mut raw = b"X-Filler: y\r\n".repeat(99_990);
        raw.extend_from_slice(b"Subject: ");
        raw.extend(std::iter::repeat_n(b'a', 1 << 20));
        raw.extend_from_slice(b"\r\nFrom: a\r\n\r\nbody");
        let headers = Headers::of_message(&raw);
        assert_eq!(value(&headers, "from"), "a");
        assert_eq!(headers.first("subject").unwrap().len(), 1 << 20);
        let raw = [b"X-Filler: y\r\n".repeat(100_010), b"From: a\r\n\r\nbody".to_vec()].concat();
        let headers = Headers::of_message(&raw);
        assert_eq!((value(&headers, "from").as_str(), headers.body()), ("-", b"body".as_slice()));
    }
}
