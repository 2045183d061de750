//! The lines of a text as they are compared: quote depth, form, names of header lines. Pure.

use unicode_normalization::UnicodeNormalization;

use super::super::charset::is_invisible;
use super::key::{self, Key};
use super::marker::{self, Marker};

/// Characters of a line that are compared; no marker and no header's name is longer.
const MAX_COMPARED: usize = 200;

/// One line of the text.
#[derive(Clone, Copy, Debug)]
pub struct Line<'x> {
    /// How often it is quoted (`> > `).
    pub depth: usize,
    /// Without quote marks and blanks around.
    pub text: &'x str,
}

/// The lines of `text`, at most `max`.
pub fn lines(text: &str, max: usize) -> Vec<Line<'_>> {
    text.lines().take(max).map(line).collect()
}

fn line(raw: &str) -> Line<'_> {
    let mut depth = 0;
    let mut text = raw.trim();
    while let Some(inner) = text.strip_prefix('>') {
        depth += 1;
        text = inner.trim_start();
    }
    Line { depth, text }
}

impl<'x> Line<'x> {
    /// The marker that this line is, if it is one.
    pub fn marker(&self) -> Option<Marker> {
        let folded = fold(self.text);
        let rule = |c: char| c.is_whitespace() || "-_=*—–―─━".contains(c);
        let dashed = folded.starts_with(|c: char| "-_=—–―─━".contains(c));
        let bare = folded.trim_matches(rule).trim_end_matches(|c| c == ':' || rule(c));
        marker::marker(bare, dashed)
    }

    /// What this header line tells, and its value, if it is one. `*From:* Ana`, `From : Ana` and
    /// `| From | Ana |` (NetEase) are.
    pub fn field(&self) -> Option<(Key, &'x str)> {
        let text = self.text.trim_start_matches(['*', '|', ' ', '\u{a0}']);
        let (at, colon) =
            text.char_indices().take(40).find(|(_, c)| matches!(c, ':' | '：' | '|'))?;
        let name = fold(text.get(..at)?);
        let key = key::key(name.trim_matches(|c: char| c == '*' || c.is_whitespace()))?;
        let value = text.get(at + colon.len_utf8()..)?;
        // The second star of `*From:* Ana`; `From: *Ana*` keeps its own until the name is read.
        let value = value.strip_prefix("**").or(value.strip_prefix('*')).unwrap_or(value);
        Some((key, value.trim().trim_end_matches('|').trim_end()))
    }

    /// The line that a signature begins with (RFC 3676 section 4.3); HTML loses its blank.
    pub fn begins_signature(&self) -> bool {
        self.text == "--"
    }
}

/// The form in which lines are compared: lower case, NFC, single blanks, ASCII colons, nothing
/// invisible; the first 200 characters.
pub fn fold(text: &str) -> String {
    let mut folded = String::new();
    let mut blank = false;
    // Composed first: the dot that Turkish `İ` leaves in lower case must not be taken off a `ż`.
    let text: String = text.chars().take(MAX_COMPARED).nfc().collect();
    for c in text.to_lowercase().chars() {
        match c {
            c if c.is_whitespace() => blank = !folded.is_empty(),
            '\u{307}' | '\u{200b}' | '\u{200e}' | '\u{200f}' => {}
            c if is_invisible(c) || c.is_control() => {}
            c => {
                if std::mem::take(&mut blank) {
                    folded.push(' ');
                }
                folded.push(if c == '：' { ':' } else { c });
            }
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_a_form_to_compare() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            ("case",         "Forwarded  MESSAGE ", "forwarded message"),
            ("no-break",     "\u{a0}От\u{a0}кого：", "от кого:"),
            ("turkish",      "İletilen Mesaj",      "iletilen mesaj"),
            ("decomposed",   "De\u{301}but, z\u{307}", "début, ż"),
            ("direction",    "\u{202b}מאת\u{202c}", "מאת"),
            ("ideographic",  "主\u{3000}题",        "主 题"),
            ("empty",        "",                    ""),
        ];
        for (name, text, folded) in cases {
            assert_eq!(fold(text), *folded, "{name}");
        }
        assert_eq!(fold(&"a".repeat(1_000)).len(), MAX_COMPARED);
    }

    #[test]
    fn quotes_are_counted() {
        let cases = [("a", 0, "a"), ("> a", 1, "a"), (">> a", 2, "a"), (" > > a ", 2, "a")];
        for (raw, depth, text) in cases {
            let line = line(raw);
            assert_eq!((line.depth, line.text), (depth, text), "{raw:?}");
        }
    }

    #[test]
    fn header_lines_are_read_in_every_dress() {
        #[rustfmt::skip]
        let cases: &[(&str, Option<(Key, &str)>)] = &[
            ("From: Ana",            Some((Key::From, "Ana"))),
            ("*From:* Ana",          Some((Key::From, "Ana"))),
            ("**Von**: Ana",         Some((Key::From, "Ana"))),
            ("De : Ana",             Some((Key::From, "Ana"))),
            ("De\u{a0}:\u{a0}Ana",   Some((Key::From, "Ana"))),
            ("发件人：Ana",           Some((Key::From, "Ana"))),
            ("| 发件人 | Ana<a@b> |", Some((Key::From, "Ana<a@b>"))),
            ("От кого: Ana",         Some((Key::From, "Ana"))),
            ("Enviado el: jueves",   Some((Key::Date, "jueves"))),
            ("Betreff:",             Some((Key::Subject, ""))),
            ("To:\tAna",             Some((Key::To, "Ana"))),
            ("Price: 5",             None),
            ("From Ana",             None),
            ("",                     None),
        ];
        for (text, field) in cases {
            assert_eq!(line(text).field(), *field, "{text}");
        }
    }
}
