//! What commands write on standard output, and how text out of mails gets there.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

/// Standard output could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot write to standard output")]
    Write(#[source] io::Error),
    #[error("cannot write JSON")]
    Json(#[source] serde_json::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Green,
    Yellow,
    Red,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "31",
        }
    }
}

/// Standard output, a line at a time.
///
/// Once nobody listens any more (`mailcrm messages | head`), lines go nowhere and nothing is said.
pub(super) struct Out<W: Write> {
    writer: BufWriter<W>,
    terminal: bool,
    colour: bool,
    closed: bool,
}

/// Standard output of this process.
pub(super) fn standard() -> Out<Stdout> {
    let terminal = io::stdout().is_terminal();
    // An empty NO_COLOR does not count (no-color.org).
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Out::new(io::stdout(), terminal, terminal && !plain)
}

impl<W: Write> Out<W> {
    pub(super) fn new(writer: W, terminal: bool, colour: bool) -> Out<W> {
        Out { writer: BufWriter::new(writer), terminal, colour, closed: false }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Nobody listens any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes a line; what it shows of mails must have been made [`clean`].
    pub(super) fn line(&mut self, text: &str) -> Result<(), Error> {
        if self.closed {
            return Ok(());
        }
        let written = writeln!(self.writer, "{text}");
        self.heard(written)
    }

    /// Writes one JSON document on a line of its own.
    pub(super) fn json(&mut self, document: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(document).map_err(Error::Json)?;
        self.line(&harmless_json(&text))
    }

    /// Everything written so far is seen.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        if self.closed {
            return Ok(());
        }
        let flushed = self.writer.flush();
        self.heard(flushed)
    }

    fn heard(&mut self, written: io::Result<()>) -> Result<(), Error> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.map_err(Error::Write),
        }
    }

    /// The text in colour where colours are wanted. Its width grows: pad before.
    pub(super) fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        format!("\u{1b}[{}m{text}\u{1b}[0m", colour.code())
    }
}

/// A character that a terminal or an editor acts on instead of showing it: controls (a mail's
/// escape sequences begin with one), line ends of Unicode, and marks that turn the reading
/// direction, behind which an address can be made to look like another.
fn acts(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{061c}')
}

/// Text on one line that does nothing to a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|letter| if acts(letter) { ' ' } else { letter }).collect()
}

/// Text as a column that `awk` can cut: no blanks, never empty.
pub(super) fn cell(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    text.chars()
        .map(|letter| if acts(letter) || letter.is_whitespace() { '_' } else { letter })
        .collect()
}

/// JSON that means the same and does nothing to a terminal: serde_json escapes the controls of
/// ASCII only.
fn harmless_json(text: &str) -> String {
    if !text.chars().any(acts) {
        return text.to_owned();
    }
    let mut harmless = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        // Beyond ASCII's controls letters stand within strings only, where an escape means the
        // same; all of these take one UTF-16 unit.
        if acts(letter) {
            harmless.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            harmless.push(letter);
        }
    }
    harmless
}

fn timestamp(seconds: i64) -> Timestamp {
    // Only a ledger written by hand holds others.
    let edge = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(seconds).unwrap_or(edge)
}

/// RFC 3339 with the zone's offset at that time, such as `2024-05-02T12:15:00+02:00`.
pub(super) fn rfc3339(seconds: i64, zone: &TimeZone) -> String {
    let timestamp = timestamp(seconds);
    timestamp.display_with_offset(zone.to_offset(timestamp)).to_string()
}

/// A time as a column, to the minute in UTC: `2024-05-02T10:15Z`. `--since` takes it back.
pub(super) fn minute(seconds: i64) -> String {
    timestamp(seconds).strftime("%Y-%m-%dT%H:%MZ").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Takes so many octets, then the reader is gone.
    struct Pipe {
        room: usize,
        error: ErrorKind,
    }

    impl Write for Pipe {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(self.error.into());
            }
            let taken = octets.len().min(self.room);
            self.room -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn reader_that_leaves_ends_the_output_quietly() {
        let mut out = Out::new(Pipe { room: 10, error: ErrorKind::BrokenPipe }, false, false);
        for _ in 0..10_000 {
            out.line("a line of some length").unwrap();
        }
        out.flush().unwrap();
        assert!(out.is_closed());
    }

    #[test]
    fn full_disk_is_told() {
        let mut out = Out::new(Pipe { room: 0, error: ErrorKind::StorageFull }, false, false);
        out.line("text").unwrap();
        assert!(matches!(out.flush(), Err(Error::Write(_))));
    }

    #[test]
    fn escape_sequences_of_mails_never_reach_the_terminal() {
        let hostile = "a\u{1b}[2J\u{9b}31m\r\nb\u{202e}c\u{7}\u{2028}d";
        assert_eq!(clean(hostile), "a [2J 31m  b c  d");
        assert_eq!(cell(hostile), "a_[2J_31m__b_c__d");
        let json = harmless_json(&serde_json::to_string(hostile).unwrap());
        assert!(!json.chars().any(acts), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
    }

    #[test]
    fn column_is_never_empty_and_holds_no_blank() {
        let cases = [("", "-"), ("a b", "a_b"), ("ana@example.com", "ana@example.com")];
        for (text, shown) in cases {
            assert_eq!(cell(text), shown);
        }
    }

    #[test]
    fn times_bear_their_offset() {
        let zone = |name| TimeZone::get(name).unwrap();
        #[rustfmt::skip]
        let cases = [
            (1_714_644_900, "UTC",           "2024-05-02T10:15:00+00:00", "2024-05-02T10:15Z"),
            (1_714_644_900, "Europe/Madrid", "2024-05-02T12:15:00+02:00", "2024-05-02T10:15Z"),
            (1_704_103_200, "Europe/Madrid", "2024-01-01T11:00:00+01:00", "2024-01-01T10:00Z"),
            (0,             "Asia/Kolkata",  "1970-01-01T05:30:00+05:30", "1970-01-01T00:00Z"),
        ];
        for (seconds, name, long, short) in cases {
            assert_eq!(rfc3339(seconds, &zone(name)), long);
            assert_eq!(minute(seconds), short);
        }
        for seconds in [i64::MIN, i64::MAX] {
            assert!(!rfc3339(seconds, &zone("Asia/Kolkata")).is_empty());
        }
    }

    #[test]
    fn colours_are_for_those_who_want_them() {
        assert_eq!(Out::new(Vec::new(), true, false).paint(Colour::Red, "fail"), "fail");
        let painted = Out::new(Vec::new(), true, true).paint(Colour::Red, "fail");
        assert_eq!(painted, "\u{1b}[31mfail\u{1b}[0m");
    }
}
