//! The parts of a message (RFC 2046), found in one pass over its lines. Pure.
//!
//! mail-parser's own walk is not used: 0.11.9 looks for every absent boundary to the end of the
//! message (870 kB with 16 000 multiparts took 8 s), and messages nested 100 000 deep overflow the
//! stack when they are dropped, which ends the process and cannot be caught.

use std::borrow::Cow;

use super::{header::Headers, header::line_at, params, word};

/// Multiparts inside one another. Forwards of forwards reach ten.
const MAX_DEPTH: usize = 50;

/// Parts of one message; the last one holds what follows it.
const MAX_PARTS: usize = 20_000;

/// What a part says about itself.
#[derive(Debug)]
pub struct Entity<'x> {
    pub headers: Headers<'x>,
    /// Lower case; `text/plain` or, in a digest, `message/rfc822` if it says nothing usable.
    pub content_type: params::Value,
    pub disposition: params::Value,
}

impl<'x> Entity<'x> {
    /// `hint` is the charset of 8-bit parameters.
    pub fn new(headers: Headers<'x>, in_digest: bool, hint: Option<&str>) -> Entity<'x> {
        let value = |name| headers.first(name).map(|value| params::parse(&value, hint));
        let mut content_type = value("Content-Type").unwrap_or_default();
        // RFC 2045 section 5.2, RFC 2046 section 5.1.5; `text` alone is what old programs write.
        if !content_type.value.contains('/') {
            let default = if in_digest { "message/rfc822" } else { "text/plain" };
            content_type.value = default.to_owned();
        }
        let disposition = value("Content-Disposition").unwrap_or_default();
        Entity { headers, content_type, disposition }
    }

    /// The bytes behind the transfer encoding. What is not valid in it is read as far as it goes.
    pub fn decode<'a>(&self, raw: &'a [u8]) -> Cow<'a, [u8]> {
        let encoding = self.headers.ascii("Content-Transfer-Encoding").unwrap_or_default();
        let encoding = encoding.split([';', ' ']).next().unwrap_or_default().trim_matches('"');
        match encoding.to_ascii_lowercase().as_str() {
            "base64" => Cow::Owned(base64(raw)),
            "quoted-printable" => Cow::Owned(quoted_printable(raw)),
            "x-uuencode" | "uuencode" | "x-uue" | "uue" => {
                uuencode(raw).map_or(Cow::Borrowed(raw), Cow::Owned)
            }
            _ => Cow::Borrowed(raw),
        }
    }
}

/// A part with what is in it.
#[derive(Debug)]
pub enum Part<'x> {
    Leaf { entity: Entity<'x>, raw: &'x [u8] },
    Multi { entity: Entity<'x>, parts: Vec<Part<'x>> },
}

/// A multipart whose end has not been seen.
struct Open<'x> {
    entity: Entity<'x>,
    boundary: Vec<u8>,
    start: usize,
    parts: Vec<Part<'x>>,
}

/// Takes the body of `entity` apart. At most 50 levels and 20 000 parts.
pub fn walk<'x>(entity: Entity<'x>, body: &'x [u8], hint: Option<&str>) -> Part<'x> {
    let Some(boundary) = boundary_of(&entity) else {
        return Part::Leaf { entity, raw: body };
    };
    let mut root = Open { entity, boundary, start: 0, parts: Vec::new() };
    let mut inner: Vec<Open<'x>> = Vec::new();
    let mut leaf: Option<(Entity<'x>, usize)> = None;
    let mut count = 0;
    let mut at = 0;
    while at < body.len() && count < MAX_PARTS {
        let (line, next) = line_at(body, at);
        let Some((level, closes)) = boundary_in(line, &root, &inner) else {
            at = next;
            continue;
        };
        if let Some((entity, start)) = leaf.take() {
            let raw = until_break(body, start, at);
            inner.last_mut().unwrap_or(&mut root).parts.push(Part::Leaf { entity, raw });
        }
        // A boundary of an outer multipart ends the inner ones, closed or not.
        let keep = if closes { level.saturating_sub(1) } else { level };
        close_to(keep, &mut root, &mut inner, body, at);
        at = next;
        if closes && level == 0 {
            break;
        }
        if closes {
            continue;
        }
        let parent = inner.last().unwrap_or(&root);
        let in_digest = parent.entity.content_type.value == "multipart/digest";
        let headers = Headers::of_part(body.get(next..).unwrap_or_default());
        at = body.len() - headers.body().len();
        let entity = Entity::new(headers, in_digest, hint);
        count += 1;
        match boundary_of(&entity) {
            Some(boundary) if inner.len() < MAX_DEPTH && count < MAX_PARTS => {
                inner.push(Open { entity, boundary, start: at, parts: Vec::new() });
            }
            Some(_) | None => leaf = Some((entity, at)),
        }
    }
    // The closing boundary is missing where mail was cut.
    if let Some((entity, start)) = leaf {
        let raw = body.get(start..).unwrap_or_default();
        inner.last_mut().unwrap_or(&mut root).parts.push(Part::Leaf { entity, raw });
    }
    close_to(0, &mut root, &mut inner, body, body.len());
    root.close(body, body.len())
}

impl<'x> Open<'x> {
    /// A multipart without a single part is text with a wrong label: nothing of it may be lost.
    fn close(self, body: &'x [u8], end: usize) -> Part<'x> {
        if self.parts.is_empty() {
            return Part::Leaf { entity: self.entity, raw: until_break(body, self.start, end) };
        }
        Part::Multi { entity: self.entity, parts: self.parts }
    }

    /// `Some(true)` for the closing boundary line.
    fn ends(&self, line: &[u8]) -> Option<bool> {
        let rest = line.strip_prefix(self.boundary.as_slice())?.trim_ascii();
        (rest.is_empty() || rest == b"--").then_some(rest == b"--")
    }
}

/// Which multipart the line is a boundary of, 0 for the root, and whether it closes it.
fn boundary_in(line: &[u8], root: &Open<'_>, inner: &[Open<'_>]) -> Option<(usize, bool)> {
    let line = line.strip_prefix(b"--")?;
    let mut levels = inner.iter().enumerate().rev();
    levels
        .find_map(|(at, multi)| multi.ends(line).map(|closes| (at + 1, closes)))
        .or_else(|| root.ends(line).map(|closes| (0, closes)))
}

/// Closes the multiparts inside the root until `keep` are left.
fn close_to<'x>(
    keep: usize,
    root: &mut Open<'x>,
    inner: &mut Vec<Open<'x>>,
    body: &'x [u8],
    end: usize,
) {
    while inner.len() > keep
        && let Some(multi) = inner.pop()
    {
        let part = multi.close(body, end);
        inner.last_mut().unwrap_or(&mut *root).parts.push(part);
    }
}

/// The line break before a boundary belongs to the boundary (RFC 2046 section 5.1.1).
fn until_break(body: &[u8], start: usize, end: usize) -> &[u8] {
    let raw = body.get(start..end).unwrap_or_default();
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

fn boundary_of(entity: &Entity<'_>) -> Option<Vec<u8>> {
    if !entity.content_type.value.starts_with("multipart/") {
        return None;
    }
    let boundary = entity.content_type.get("boundary")?.trim_end();
    (!boundary.is_empty()).then(|| boundary.as_bytes().to_vec())
}

/// Base64 up to what is plainly none: mailing lists put their footer behind it as it is.
fn base64(raw: &[u8]) -> Vec<u8> {
    if let Some(bytes) = mail_parser::decoders::base64::base64_decode(raw) {
        return bytes;
    }
    let mut at = 0;
    let mut padded = false;
    while at < raw.len() {
        let (line, next) = line_at(raw, at);
        let line = line.trim_ascii();
        let text = line.iter().any(|byte| matches!(byte, b' ' | b'\t'));
        // Some encoders pad each line or block by itself; a footer of one word is shorter.
        let goes_on = line.is_empty() || is_base64(line);
        if text || line.starts_with(b"--") || padded && !goes_on {
            break;
        }
        padded = padded || line.ends_with(b"=");
        at = next;
    }
    let encoded = raw.get(..at).unwrap_or_default();
    // Text from its first line on: a relay or a script changed the label and not what it labels.
    if encoded.trim_ascii().is_empty() {
        return raw.to_vec();
    }
    word::lenient_base64(encoded)
}

fn is_base64(line: &[u8]) -> bool {
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let long = line.len() >= 16 || line.ends_with(b"=");
    long && line.len().is_multiple_of(4) && line.iter().all(valid)
}

/// What stands between `begin` and `end` (POSIX, `uuencode`); `None` without a `begin`.
pub fn uuencode(raw: &[u8]) -> Option<Vec<u8>> {
    let mut at = 0;
    loop {
        let (line, next) = line_at(raw, at);
        at = next;
        if line.starts_with(b"begin ") {
            break;
        }
        if at >= raw.len() {
            return None;
        }
    }
    let mut bytes = Vec::with_capacity(raw.len() / 4 * 3);
    while at < raw.len() {
        let (line, next) = line_at(raw, at);
        at = next;
        let [length, line @ ..] = line else {
            continue;
        };
        if line == b"nd" && *length == b'e' {
            break;
        }
        let six = |byte: Option<&u8>| byte.map_or(0, |byte| byte.wrapping_sub(b' ') & 0x3f);
        let end = bytes.len() + usize::from(six(Some(length)));
        for group in line.chunks(4) {
            // Blanks at a line's end are lost on the way: what is missing is zero.
            let [a, b, c, d] = [0, 1, 2, 3].map(|at| six(group.get(at)));
            bytes.extend([a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
        }
        // All together it is no longer than what it was made of, whatever each line says.
        bytes.resize(end.min(raw.len()), 0);
    }
    Some(bytes)
}

/// Quoted-printable; what is not valid in it stands for itself.
pub fn quoted_printable(raw: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let (line, next) = line_at(raw, at);
        // Blanks at the end of a line were added on the way (RFC 2045 section 6.7, rule 3).
        let line = line.trim_ascii_end();
        let (line, soft) = match line.strip_suffix(b"=") {
            Some(line) => (line, true),
            None => (line, false),
        };
        let mut rest = line;
        while let [byte, tail @ ..] = rest {
            rest = tail;
            match (byte, tail) {
                (b'=', [high, low, after @ ..]) if word::is_hex(*high, *low) => {
                    bytes.push(word::hex(*high) << 4 | word::hex(*low));
                    rest = after;
                }
                (other, _) => bytes.push(*other),
            }
        }
        let broken = raw.get(next.saturating_sub(1)) == Some(&b'\n');
        if !soft && broken {
            bytes.extend_from_slice(b"\r\n");
        }
        at = next;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(part: &Part<'_>) -> String {
        match part {
            Part::Leaf { entity, raw } => {
                let text = String::from_utf8_lossy(&entity.decode(raw)).into_owned();
                format!("{}={text:?}", entity.content_type.value)
            }
            Part::Multi { entity, parts } => {
                let parts: Vec<String> = parts.iter().map(outline).collect();
                format!("{}[{}]", entity.content_type.value, parts.join(" "))
            }
        }
    }

    fn outline_of(raw: &[u8]) -> String {
        let headers = Headers::of_message(raw);
        let body = headers.body();
        outline(&walk(Entity::new(headers, false, None), body, None))
    }

    #[test]
    fn messages_come_apart_where_their_writers_meant_it() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            ("plain", "\nhello", "text/plain=\"hello\""),
            ("two parts", "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\na\n--b\nContent-Type: image/png\n\nb\n--b--\nepilogue",
             "multipart/mixed[text/plain=\"a\" image/png=\"b\"]"),
            ("nested", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n\na\n--bb--\n--b\n\nc\n--b--",
             "multipart/mixed[multipart/alternative[text/plain=\"a\"] text/plain=\"c\"]"),
            ("inner not closed", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n\na\n--b\n\nc\n--b--",
             "multipart/mixed[multipart/alternative[text/plain=\"a\"] text/plain=\"c\"]"),
            ("not closed", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\nb",
             "multipart/mixed[text/plain=\"a\\nb\"]"),
            ("boundary absent", "Content-Type: multipart/mixed; boundary=b\n\nhello\n",
             "multipart/mixed=\"hello\""),
            ("boundary unnamed", "Content-Type: multipart/mixed\n\n--b\n\nhello\n",
             "multipart/mixed=\"--b\\n\\nhello\\n\""),
            ("boundary within a line", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\na --b\n--bc\n--b--",
             "multipart/mixed[text/plain=\"a --b\\n--bc\"]"),
            ("part without header", "Content-Type: multipart/mixed; boundary=b\n\n--b\nhello there\n--b--",
             "multipart/mixed[text/plain=\"hello there\"]"),
            ("empty part", "Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\na\n--b--",
             "multipart/mixed[text/plain=\"\" text/plain=\"a\"]"),
            ("digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n--b--",
             "multipart/digest[message/rfc822=\"Subject: x\"]"),
            ("quoted-printable", "Content-Transfer-Encoding: Quoted-Printable\n\na=3D=\nb  \nc=zz=",
             "text/plain=\"a=b\\r\\nc=zz\""),
            ("base64 with dirt", "Content-Transfer-Encoding: BASE64\n\naGVs!bG8\n*=\n",
             "text/plain=\"hello\""),
            ("base64 with footer", "Content-Transfer-Encoding: base64\n\naGVsbG8=\n_____\nList of users\n",
             "text/plain=\"hello\""),
            ("base64 with footer, not padded", "Content-Transfer-Encoding: base64\n\naGVs\n-- \nList\n",
             "text/plain=\"hel\""),
            ("no base64 at all", "Content-Transfer-Encoding: base64\n\nHello Ana,\nas plain as this\n",
             "text/plain=\"Hello Ana,\\nas plain as this\\n\""),
            ("base64 padded by the line", "Content-Transfer-Encoding: base64\n\naGVsbG8=\nYWxsIG9mIHlvdSB0aGVyZSw=\naGk=\n_____\nList",
             "text/plain=\"helloall of you there,hi\""),
            ("uuencode", "Content-Transfer-Encoding: x-uuencode\n\nSee:\nbegin 644 a.txt\n%:&5L;&\\\n`\nend\n",
             "text/plain=\"hello\""),
            ("uuencode without begin", "Content-Transfer-Encoding: uuencode\n\nhello",
             "text/plain=\"hello\""),
            ("unknown encoding", "Content-Transfer-Encoding: x-none\n\nhello",
             "text/plain=\"hello\""),
        ];
        for (name, raw, expected) in cases {
            assert_eq!(outline_of(raw.as_bytes()), *expected, "{name}");
            let crlf = raw.replace('\n', "\r\n");
            let seen = outline_of(crlf.as_bytes()).replace("\\r\\n", "\\n");
            assert_eq!(seen, expected.replace("\\r\\n", "\\n"), "{name}, crlf");
        }
    }

    #[test]
    fn work_does_not_grow_with_the_square_of_hostile_mail() {
        let mut absent = "Content-Type: multipart/mixed; boundary=b\n\n".to_owned();
        for n in 0..30_000 {
            absent.push_str(&format!("--b\nContent-Type: multipart/mixed; boundary=z{n}\n\nx\n"));
        }
        outline_of(absent.as_bytes());
        let mut deep = String::new();
        for n in 0..100_000 {
            deep.push_str(&format!("Content-Type: multipart/mixed; boundary=z{n}\n\n--z{n}\n"));
        }
        outline_of(deep.as_bytes());
        let nested = "Content-Type: message/rfc822\n\n".repeat(100_000);
        outline_of(nested.as_bytes());
    }
}
