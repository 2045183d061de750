//! A watch over what the server sends, under the IMAP codec.
//!
//! async-imap 0.12 reserves a literal when it is announced, so that 40 octets can cost 512 MiB,
//! and imap-proto 0.17 recurses on parentheses, so that a deep BODYSTRUCTURE overflows the
//! stack and ends the process. Both are stopped here, before the codec sees them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets of the largest literal. We ask for at most [`super::link::CHUNK`] at a time; headers
/// and small mails come whole.
const MAX_LITERAL: u64 = 4 * 1024 * 1024;
/// Octets of the longest line without literals: a SEARCH answer of some 400,000 UIDs.
const MAX_LINE: u64 = 4 * 1024 * 1024;
/// Parentheses open at once. FETCH and LIST answers need four.
const MAX_DEPTH: u32 = 64;

/// A stream that fails before the server can exhaust memory or the stack.
#[derive(Debug)]
pub(super) struct Guard<S> {
    inner: S,
    watch: Watch,
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
        Guard { inner, watch: Watch::default() }
    }
}

impl Watch {
    fn take(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            if self.literal > 0 {
                let here = octets.len().min(usize::try_from(self.literal).unwrap_or(usize::MAX));
                self.literal -= here as u64;
                octets = octets.get(here..).unwrap_or_default();
                continue;
            }
            let Some((&octet, rest)) = octets.split_first() else { break };
            octets = rest;
            self.octet(octet)?;
        }
        Ok(())
    }

    fn octet(&mut self, octet: u8) -> io::Result<()> {
        self.line += 1;
        if self.line > MAX_LINE {
            return Err(refuse("a line of more than 4 MiB"));
        }
        self.announced = match (self.announced, octet) {
            (_, b'{') => Announced::Number(0),
            (Announced::Number(number), b'0'..=b'9') => Announced::Number(
                number.saturating_mul(10).saturating_add(u64::from(octet - b'0')),
            ),
            (Announced::Number(number), b'+') => Announced::Number(number),
            (Announced::Number(number), b'}') => Announced::Closed(number),
            (Announced::Closed(number), b'\r') => Announced::Cr(number),
            (Announced::Closed(number) | Announced::Cr(number), b'\n') => {
                if number > MAX_LITERAL {
                    return Err(refuse("a literal of more than 4 MiB"));
                }
                self.literal = number;
                // The line goes on after the literal; a quoted string cannot span it.
                self.line = 0;
                self.quoted = false;
                self.escaped = false;
                self.announced = Announced::Nothing;
                return Ok(());
            }
            (
                Announced::Nothing
                | Announced::Number(_)
                | Announced::Closed(_)
                | Announced::Cr(_),
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
        Ok(())
    }
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
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let new = buf.filled().get(before..).unwrap_or_default();
        Poll::Ready(self.watch.take(new))
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
        let mut watch = Watch::default();
        parts.iter().all(|part| watch.take(part).is_ok())
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
        let mut watch = Watch::default();
        watch.take(b"* 1 FETCH (BODY[HEADER] {4}\r\nA: b UID 7)\r\n").unwrap();
        assert_eq!((watch.literal, watch.line, watch.depth), (0, 0, 0));
    }
}
