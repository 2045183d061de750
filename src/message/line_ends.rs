//! Where lines of a header end. Pure.

use std::borrow::Cow;

use super::header::{field_of, is_well_known};

/// The message with LF for every bare CR that ends a line (old Mac OS, and what relays put before
/// such mail), else as it is.
///
/// It is decided for each CR by itself, so that a line more in front changes nothing. In the
/// header a bare CR ends a line if a well-known field follows it, or if the line it stands in
/// began with one. Any other is an accident within a value (`Subject: a\rb`): ended there, the
/// value would be cut, and two of them would end the header and with it the sender. What a forger
/// can make of this, a field out of a value, he can write as a field at once.
pub fn with_line_feeds(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut lines = Cow::Borrowed(raw);
    let mut end_line = |at: usize| {
        if let Some(byte) = lines.to_mut().get_mut(at) {
            *byte = b'\n';
        }
    };
    let mut line = 0;
    // Whether this line began after a bare CR, and whether one with something in it was seen.
    let (mut bare, mut begun) = (false, false);
    // Where the CRs at `at` end: with LF behind them they are one end of a line.
    let mut run_end = 0;
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        if byte != b'\r' && byte != b'\n' {
            at += 1;
            continue;
        }
        let blank = at == line;
        if run_end <= at {
            let end = raw.iter().skip(at).position(|&byte| byte != b'\r');
            run_end = end.map_or(raw.len(), |end| at + end);
        }
        if raw.get(run_end) == Some(&b'\n') {
            if blank && begun {
                break;
            }
            at = run_end + 1;
            (line, bare, begun) = (at, false, begun || !blank);
            continue;
        }
        if blank && begun && bare {
            for end in at..raw.len() {
                if raw.get(end) == Some(&b'\r') && raw.get(end + 1) != Some(&b'\n') {
                    end_line(end);
                }
            }
            break;
        }
        let next = raw.get(at + 1..).unwrap_or_default();
        let next = next.split(|&byte| byte == b'\r' || byte == b'\n').next();
        let follows = next.and_then(field_of).is_some_and(|(name, _)| is_well_known(name));
        at += 1;
        if bare || follows || !begun && blank {
            end_line(at - 1);
            (line, bare, begun) = (at, true, begun || !blank);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_carriage_returns_end_lines_where_fields_follow() {
        #[rustfmt::skip]
        let cases: &[(&str, &[u8], &[u8])] = &[
            ("old mac",       b"From: a\rTo: b\r\rbody\r", b"From: a\nTo: b\n\nbody\n"),
            ("inside a line", b"Subject: a\rb\nTo: c\n",   b"Subject: a\rb\nTo: c\n"),
            ("two inside a line", b"Subject: a\r\rb\nTo: c\n", b"Subject: a\r\rb\nTo: c\n"),
            ("inside a fold", b"Subject: a\n b\r c\nTo: c\n", b"Subject: a\n b\r c\nTo: c\n"),
            ("link in a line", b"Subject: see\rhttp://x\nTo: c\n", b"Subject: see\rhttp://x\nTo: c\n"),
            ("crlf",          b"From: a\r\nTo: b\r\n",     b"From: a\r\nTo: b\r\n"),
            ("cr cr lf",      b"From: a\r\r\nTo: b\r\r\n\r\r\n", b"From: a\r\r\nTo: b\r\r\n\r\r\n"),
            ("crlf line first", b"Return-Path: x\r\nFrom: a\rTo: b\rA: s\r\rbody\r\n.\r",
                              b"Return-Path: x\r\nFrom: a\nTo: b\nA: s\n\nbody\r\n.\n"),
            ("once between",  b"X-A: 1\rX-B: 2\r\nFrom: a\r\n\r\nb\rc", b"X-A: 1\nX-B: 2\r\nFrom: a\r\n\r\nb\rc"),
            ("folds",         b"From: a\rTo: b\r c\rSubject: s\r\r", b"From: a\nTo: b\n c\nSubject: s\n\n"),
            ("blank first",   b"\r\rFrom: a\rTo: b\r\rc",  b"\n\nFrom: a\nTo: b\n\nc"),
            ("in the body",   b"From: a\n\nFrom: a\rTo: b\n", b"From: a\n\nFrom: a\rTo: b\n"),
        ];
        for (name, raw, lines) in cases {
            assert_eq!(with_line_feeds(raw).as_ref(), *lines, "{name}");
        }
    }

    #[test]
    fn a_megabyte_of_carriage_returns_is_read_in_one_pass() {
        for piece in [b"\r".as_slice(), b"a\r", b"X-A: 1\r", b"From: a\r\r "] {
            let raw = [b"From: a\r\n".to_vec(), piece.repeat((1 << 20) / piece.len())].concat();
            assert_eq!(with_line_feeds(&raw).len(), raw.len());
        }
    }
}
