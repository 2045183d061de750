//! A watch over what the server sends, under the IMAP codec.
//!
//! async-imap 0.12 reserves a literal when it is announced, so that 40 octets can cost 512 MiB,
//! and imap-proto 0.17 recurses on parentheses, so that a deep BODYSTRUCTURE overflows the
//! stack and ends the process. Both are stopped here, before the codec sees them. Untagged
//! answers that nobody here asks for are left out: one line that imap-proto cannot read, such as
//! an XLIST, an ESEARCH, or FLAGS with a keyword in Latin-1, ends the connection.
//!
//! Where an answer ends, guard and codec must agree, or the codec would read as a new answer what
//! the guard takes for a literal and does not look into. So one answer at a time is handed over,
//! and who reads answers asks [`Guard::at_end`] after each.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets of the largest literal. We ask for at most [`super::link::CHUNK`] at a time; headers
/// and small mails come whole.
pub(super) const MAX_LITERAL: u64 = 4 * 1024 * 1024;
/// Octets of the longest line without literals: a SEARCH answer of some 400,000 UIDs.
const MAX_LINE: u64 = 4 * 1024 * 1024;
/// Parentheses open at once. FETCH and LIST answers need four.
const MAX_DEPTH: u32 = 64;
/// Octets after which an answer has said what it is: `* 4294967295 EXISTS` and some to spare.
const MAX_BEGINNING: usize = 32;
/// The untagged answers that are read, and hold no literals.
const LINES: [&[u8]; 7] = [b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH", b"CAPABILITY", b"SEARCH"];
/// Those that may hold literals. Nobody asks for them before the login.
const WITH_LITERALS: [&[u8]; 2] = [b"LIST", b"STATUS"];
/// Those with a number before them, without and with literals.
const NUMBERED_LINE: &[u8] = b"EXISTS";
const NUMBERED_WITH_LITERALS: &[u8] = b"FETCH";

/// A stream that fails before the server can exhaust memory or the stack.
#[derive(Debug)]
pub(super) struct Guard<S> {
    inner: S,
    watch: Watch,
    /// What of one answer passed but found no room in the reader's buffer.
    kept: Vec<u8>,
    /// What came behind that answer and was not looked at yet.
    ahead: Vec<u8>,
    /// Octets read so far.
    heard: u64,
}

/// Where in the server's talk the next octet stands.
#[derive(Debug, Default)]
struct Watch {
    /// Octets of a literal still to come.
    literal: u64,
    line: u64,
    depth: u32,
    quoted: bool,
    escaped: bool,
    /// The last octets of the line as far as they can announce a literal.
    announced: Announced,
    answer: Answer,
    logged_in: bool,
}

/// What becomes of the answer that is being read.
#[derive(Debug)]
enum Answer {
    /// It has not said yet what it is.
    Begins(Vec<u8>),
    Passes {
        literals: bool,
    },
    LeftOut,
}

impl Default for Answer {
    fn default() -> Answer {
        Answer::Begins(Vec::new())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Announced {
    #[default]
    Nothing,
    /// `{` and the number so far.
    Number(u64),
    /// `{123}` or `{123+}`.
    Closed(u64),
    /// `{123}` CR.
    Cr(u64),
}

impl<S> Guard<S> {
    pub(super) fn new(inner: S) -> Guard<S> {
        Guard { inner, watch: Watch::default(), kept: Vec::new(), ahead: Vec::new(), heard: 0 }
    }

    /// From now on answers with literals are read.
    pub(super) fn logged_in(&mut self) {
        self.watch.logged_in = true;
    }

    /// Whether the last answer was handed over whole, and nothing of the next.
    pub(super) fn at_end(&self) -> bool {
        self.kept.is_empty() && self.watch.at_end()
    }

    /// Octets that the server has sent, left out or not.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }
}

impl Watch {
    fn at_end(&self) -> bool {
        self.literal == 0
            && self.line == 0
            && matches!(&self.answer, Answer::Begins(beginning) if beginning.is_empty())
    }

    /// Looks at what the server sent, up to the end of an answer that the codec is to see, and
    /// appends to `kept` what it is to see. Returns how many octets were looked at.
    fn take(&mut self, all: &[u8], kept: &mut Vec<u8>) -> io::Result<usize> {
        let mut octets = all;
        while !octets.is_empty() {
            if self.literal > 0 {
                let here = octets.len().min(usize::try_from(self.literal).unwrap_or(usize::MAX));
                self.literal -= here as u64;
                let (inside, rest) = octets.split_at(here);
                match self.answer {
                    Answer::Passes { .. } | Answer::Begins(_) => kept.extend_from_slice(inside),
                    Answer::LeftOut => {}
                }
                octets = rest;
                continue;
            }
            let Some((&octet, rest)) = octets.split_first() else { break };
            octets = rest;
            let ended = self.octet(octet)?;
            self.sift(octet, kept);
            if ended {
                self.answer = Answer::default();
                if !kept.is_empty() {
                    break;
                }
            }
        }
        Ok(all.len() - octets.len())
    }

    /// Keeps an octet, leaves it out, or waits with it until the answer has said what it is.
    fn sift(&mut self, octet: u8, kept: &mut Vec<u8>) {
        match &mut self.answer {
            Answer::Passes { .. } => kept.push(octet),
            Answer::LeftOut => {}
            Answer::Begins(beginning) => {
                beginning.push(octet);
                match fate(beginning) {
                    None => {}
                    Some(Answer::Passes { literals: true }) if !self.logged_in => {
                        self.answer = Answer::LeftOut;
                    }
                    Some(fate) => {
                        if let Answer::Passes { .. } = fate {
                            kept.append(beginning);
                        }
                        self.answer = fate;
                    }
                }
            }
        }
    }

    /// Whether the octet ends an answer.
    fn octet(&mut self, octet: u8) -> io::Result<bool> {
        self.line += 1;
        if self.line > MAX_LINE {
            return Err(refuse("a line of more than 4 MiB"));
        }
        self.announced = match (self.announced, octet) {
            (_, b'{') => Announced::Number(0),
            (Announced::Number(number), b'0'..=b'9') => {
                Announced::Number(number.saturating_mul(10).saturating_add(u64::from(octet - b'0')))
            }
            (Announced::Number(number), b'+') => Announced::Number(number),
            (Announced::Number(number), b'}') => Announced::Closed(number),
            (Announced::Closed(number), b'\r') => Announced::Cr(number),
            (Announced::Closed(number) | Announced::Cr(number), b'\n')
                if !matches!(self.answer, Answer::Passes { literals: false }) =>
            {
                if number > MAX_LITERAL {
                    return Err(refuse("a literal of more than 4 MiB"));
                }
                self.literal = number;
                // The line goes on after the literal; a quoted string cannot span it.
                self.line = 0;
                self.quoted = false;
                self.escaped = false;
                self.announced = Announced::Nothing;
                return Ok(false);
            }
            (
                Announced::Nothing | Announced::Number(_) | Announced::Closed(_) | Announced::Cr(_),
                _,
            ) => Announced::Nothing,
        };
        match octet {
            b'\n' => {
                self.line = 0;
                self.depth = 0;
                self.quoted = false;
                self.escaped = false;
            }
            _ if self.escaped => self.escaped = false,
            b'\\' if self.quoted => self.escaped = true,
            b'"' => self.quoted = !self.quoted,
            b'(' if !self.quoted => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(refuse("more than 64 open parentheses"));
                }
            }
            b')' if !self.quoted => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Ok(octet == b'\n')
    }
}

/// What becomes of an answer that begins like this; `None` if it goes on to say. Everything that
/// is not untagged is for the codec to judge, except empty lines.
fn fate(beginning: &[u8]) -> Option<Answer> {
    let Some(untagged) = beginning.strip_prefix(b"* ") else {
        return match beginning {
            b"*" | b"\r" => None,
            b"\n" | b"\r\n" => Some(Answer::LeftOut),
            _ => Some(Answer::Passes { literals: false }),
        };
    };
    let mut words = untagged.split_inclusive(|octet| matches!(octet, b' ' | b'\r' | b'\n'));
    let first = words.next().unwrap_or_default();
    let (word, lines, with_literals): (&[u8], &[&[u8]], &[&[u8]]) =
        if first.len() > 1 && first.split_last().is_some_and(|(_, number)| is_number(number)) {
            (words.next().unwrap_or_default(), &[NUMBERED_LINE], &[NUMBERED_WITH_LITERALS])
        } else {
            (first, &LINES, &WITH_LITERALS)
        };
    let Some((b' ' | b'\r' | b'\n', word)) = word.split_last() else {
        return (beginning.len() > MAX_BEGINNING).then_some(Answer::LeftOut);
    };
    let among = |known: &[&[u8]]| known.iter().any(|known| known.eq_ignore_ascii_case(word));
    Some(if among(lines) {
        Answer::Passes { literals: false }
    } else if among(with_literals) {
        Answer::Passes { literals: true }
    } else {
        Answer::LeftOut
    })
}

fn is_number(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_digit)
}

/// The kind tells [`super::Error`] that the answer was bad and not the connection.
fn refuse(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = &mut *self;
        loop {
            if !guard.kept.is_empty() {
                let here = guard.kept.len().min(buf.remaining());
                buf.put_slice(guard.kept.get(..here).unwrap_or_default());
                guard.kept.drain(..here);
                if guard.kept.is_empty() {
                    // A thousand mailboxes that wait must not hold a buffer each.
                    guard.kept = Vec::new();
                }
                return Poll::Ready(Ok(()));
            }
            if !guard.ahead.is_empty() {
                let looked_at = guard.watch.take(&guard.ahead, &mut guard.kept)?;
                guard.ahead.drain(..looked_at);
                if guard.ahead.is_empty() {
                    guard.ahead = Vec::new();
                }
                continue;
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut guard.inner).poll_read(cx, buf))?;
            let new = buf.filled().get(before..).unwrap_or_default();
            if new.is_empty() {
                return Poll::Ready(Ok(()));
            }
            guard.heard += new.len() as u64;
            guard.kept.reserve(new.len() + MAX_BEGINNING);
            let looked_at = guard.watch.take(new, &mut guard.kept)?;
            guard.ahead.extend_from_slice(new.get(looked_at..).unwrap_or_default());
            buf.set_filled(before);
            // If all of it was left out, there is nothing to say yet: no octets mean the end.
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn verdict(parts: &[&[u8]]) -> bool {
        let mut watch = Watch { logged_in: true, ..Watch::default() };
        parts.iter().all(|part| answers(&mut watch, part).is_ok())
    }

    /// What the codec sees of these octets, all answers together.
    fn answers(watch: &mut Watch, mut octets: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while !octets.is_empty() {
            let mut kept = Vec::new();
            let looked_at = watch.take(octets, &mut kept)?;
            octets = octets.get(looked_at..).unwrap();
            all.extend(kept);
        }
        Ok(all)
    }

    #[test]
    fn literals_are_known_only_where_the_codec_knows_them() {
        let deep = "(".repeat(100);
        #[rustfmt::skip]
        let cases: &[(&str, bool, String, bool)] = &[
            ("in a text, then deep",         true,  format!("* OK {{400}}\r\n* 1 FETCH (BODYSTRUCTURE {deep}"), false),
            ("in a tagged text, then deep",  true,  format!("A1 OK {{400}}\r\n* 1 FETCH (BODYSTRUCTURE {deep}"), false),
            ("in a FETCH",                   true,  format!("* 1 FETCH (BODY[] {{100}}\r\n{deep})\r\n"),        true),
            ("before login nobody asks",     false, format!("* 1 FETCH (BODYSTRUCTURE {deep}"),                   false),
        ];
        for (name, logged_in, sent, passes) in cases {
            let mut watch = Watch { logged_in: *logged_in, ..Watch::default() };
            assert_eq!(answers(&mut watch, sent.as_bytes()).is_ok(), *passes, "{name}");
        }
        let mut early = Watch::default();
        assert_eq!(
            answers(&mut early, b"* 1 FETCH (X {3}\r\nabc)\r\n* OK a\r\n").unwrap(),
            b"* OK a\r\n"
        );
    }

    #[tokio::test]
    async fn one_answer_is_handed_over_at_a_time() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut server, client) = tokio::io::duplex(1000);
        server.write_all(b"* OK a\r\n* FLAGS ()\r\n* 2 EXISTS\r\n* 3 EX").await.unwrap();
        let mut guard = Guard::new(client);
        let mut octets = [0; 200];
        for expected in [&b"* OK a\r\n"[..], b"* 2 EXISTS\r\n"] {
            let here = guard.read(&mut octets).await.unwrap();
            assert_eq!(octets.get(..here), Some(expected));
            assert!(guard.at_end());
        }
        server.write_all(b"ISTS\r\n").await.unwrap();
        let here = guard.read(&mut octets).await.unwrap();
        assert_eq!(octets.get(..here), Some(&b"* 3 EXISTS\r\n"[..]));
    }

    #[test]
    fn hostile_answers_are_stopped_and_honest_ones_pass() {
        let deep = [b"* 1 FETCH ".as_slice(), &b"(".repeat(65)].concat();
        let quoted = [b"* OK \"".as_slice(), &b"(".repeat(500), b"\"\r\n"].concat();
        let long = vec![b'1'; 4 * 1024 * 1024 + 1];
        let body = vec![b'('; 3_000_000];
        #[rustfmt::skip]
        let cases: &[(&str, &[&[u8]], bool)] = &[
            ("literal of half a gigabyte",   &[b"* 1 FETCH (BODY[] {530000000}\r\n"], false),
            ("number that overflows",        &[b"* 1 FETCH (BODY[] {99999999999999999999999}\r\n"], false),
            ("announced over two reads",     &[b"* 1 FETCH (BODY[] {5300", b"00000}\r", b"\n"], false),
            ("depth of 65",                  &[&deep], false),
            ("endless line",                 &[&long], false),
            ("parentheses in quotes",        &[&quoted], true),
            ("parentheses in a literal",     &[b"* 1 FETCH (BODY[] {3000000}\r\n", &body, b")\r\n"], true),
            ("braces in a text",             &[b"* OK {530000000} is no literal\r\n"], true),
            ("announcement inside a literal", &[b"* 1 FETCH (BODY[] {14}\r\n{530000000}\r\n)\r\n"], true),
            ("unbalanced quote in a text",   &[b"* OK it's \"fine\r\n", b"* 2 EXISTS\r\n"], true),
        ];
        for (name, parts, passes) in cases {
            assert_eq!(verdict(parts), *passes, "{name}");
        }
    }

    #[test]
    fn literal_that_ends_a_line_is_followed_by_its_rest() {
        let mut watch = Watch { logged_in: true, ..Watch::default() };
        let mut kept = Vec::new();
        watch.take(b"* 1 FETCH (BODY[HEADER] {4}\r\nA: b UID 7)\r\n", &mut kept).unwrap();
        assert_eq!((watch.literal, watch.line, watch.depth), (0, 0, 0));
    }

    #[test]
    fn codec_sees_only_answers_that_are_read() {
        #[rustfmt::skip]
        let cases: &[(&str, &[u8], &[u8])] = &[
            ("news",             b"* 5 EXISTS\r\n* 2 RECENT\r\n",           b"* 5 EXISTS\r\n"),
            ("case",             b"* 5 exists\r\n* ok x\r\n* List () NIL a\r\n", b"* 5 exists\r\n* ok x\r\n* List () NIL a\r\n"),
            ("expunge",          b"* 5 EXPUNGE\r\n* 4 EXISTS\r\n",          b"* 4 EXISTS\r\n"),
            ("XLIST",            b"* XLIST (\\Inbox) \"/\" \"Inbox\"\r\nA1 OK\r\n", b"A1 OK\r\n"),
            ("Latin-1 keyword",  b"* FLAGS (\\Seen f\xfcr)\r\n* 1 EXISTS\r\n", b"* 1 EXISTS\r\n"),
            ("NAMESPACE",        b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n+ go\r\n", b"+ go\r\n"),
            ("ESEARCH",          b"* ESEARCH (TAG \"A1\") UID ALL 1:3\r\n", b""),
            ("empty lines",      b"\r\n\n* BYE\r\n\r\n",                  b"* BYE\r\n"),
            ("no word",          b"* \r\n* OK\r\n",                        b"* OK\r\n"),
            ("literal left out", b"* METADATA x {12}\r\n* 9 EXISTS\r\n {2}\r\nab)\r\n* 7 EXISTS\r\n", b"* 7 EXISTS\r\n"),
            ("literal kept",     b"* 1 FETCH (BODY[] {9}\r\n\r\n* FLAGS UID 7)\r\n", b"* 1 FETCH (BODY[] {9}\r\n\r\n* FLAGS UID 7)\r\n"),
            ("a word too long",  b"* XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX y\r\n* OK\r\n", b"* OK\r\n"),
            ("huge number",      b"* 99999999999999999999999999999999999999 EXISTS\r\n* OK\r\n", b"* OK\r\n"),
            ("star alone",       b"*\r\nA1 OK\r\n",                        b"*\r\nA1 OK\r\n"),
        ];
        for (name, sent, seen) in cases {
            // However the network cuts it.
            for at in 0..=sent.len() {
                let (first, second) = sent.split_at(at);
                let mut watch = Watch { logged_in: true, ..Watch::default() };
                let mut kept = answers(&mut watch, first).unwrap();
                kept.extend(answers(&mut watch, second).unwrap());
                assert_eq!(
                    kept.escape_ascii().to_string(),
                    seen.escape_ascii().to_string(),
                    "{name}, cut at {at}"
                );
            }
        }
    }

    #[tokio::test]
    async fn answers_come_whole_through_a_small_buffer_and_what_is_left_out_is_no_end() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut server, client) = tokio::io::duplex(7);
        let talk = tokio::spawn(async move {
            for _ in 0..50 {
                server.write_all(b"* FLAGS (\\Seen)\r\n* 12 EXISTS\r\n").await.unwrap();
            }
        });
        let mut guard = Guard::new(client);
        let mut seen = Vec::new();
        let mut octets = [0; 3];
        loop {
            let here = guard.read(&mut octets).await.unwrap();
            if here == 0 {
                break;
            }
            seen.extend_from_slice(octets.get(..here).unwrap());
        }
        talk.await.unwrap();
        assert_eq!(seen, b"* 12 EXISTS\r\n".repeat(50));
    }
}
