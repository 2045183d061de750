//! What a refusal, a lost connection or an answer that cannot be read means.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "few of the kinds of failure matter here, and their enums may grow"
)]

use std::io;
use std::time::Duration;

use async_imap::imap_proto::{Outcome, Status};

use super::Error;

/// No server is left alone for longer, whatever it asks for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

pub(super) fn of_status(
    doing: &'static str,
    status: &Status,
    outcome: &Outcome<'_>,
) -> Result<(), Error> {
    match status {
        Status::Ok | Status::PreAuth => Ok(()),
        Status::No | Status::Bad | Status::Bye => {
            let text = words(outcome);
            if is_busy(&text) {
                Err(Error::Busy { doing, text })
            } else {
                Err(Error::No { doing, text })
            }
        }
    }
}

/// Whether a refusal passes by itself (RFC 5530 §3, and what providers say instead).
pub(super) fn is_busy(text: &str) -> bool {
    const SIGNS: [&str; 8] = [
        "[UNAVAILABLE]",
        "[LIMIT]",
        "[INUSE]",
        "[OVERQUOTA]",
        // Microsoft 365 throttles with these words and without a code.
        "Request is throttled",
        "User is authenticated but not connected",
        // Gmail: `NO [ALERT] Too many simultaneous connections. (Failure)`.
        "Too many simultaneous connections",
        "try again later",
    ];
    says_any(text, &SIGNS)
}

/// Whether a text holds one of these, without case.
pub(super) fn says_any(text: &str, signs: &[&str]) -> bool {
    signs.iter().any(|sign| {
        text.as_bytes().windows(sign.len()).any(|part| part.eq_ignore_ascii_case(sign.as_bytes()))
    })
}

/// How long a server asks to be left alone: Microsoft 365 says
/// `Request is throttled. Suggested Backoff Time: 92415 milliseconds`.
pub(super) fn asked_to_wait(text: &str) -> Option<Duration> {
    let (_, rest) = text.split_once("Suggested Backoff Time: ")?;
    let (number, unit) = rest.split_once(' ')?;
    let millis: u64 = number.parse().ok()?;
    unit.starts_with("millisecond").then(|| Duration::from_millis(millis).min(LONGEST_ASKED))
}

/// The server's words, one short line.
pub(super) fn words(outcome: &Outcome<'_>) -> String {
    let text = outcome.information.as_deref().unwrap_or("no reason given");
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// async-imap does not name the type of its answers.
pub(super) fn of_read<T>(doing: &'static str, answer: io::Result<Option<T>>) -> Result<T, Error> {
    match answer {
        Err(source) => Err(of_wire(doing, source)),
        Ok(None) => Err(lost(doing, io::ErrorKind::UnexpectedEof.into())),
        Ok(Some(answer)) => Ok(answer),
    }
}

/// The codec's own error text holds the whole buffer, which is mail: it goes no further.
pub(super) fn of_wire(doing: &'static str, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::InvalidData if source.get_ref().is_some_and(is_ours) => {
            Error::Unparsable { doing, what: source.to_string() }
        }
        io::ErrorKind::Other => Error::Unparsable {
            doing,
            what: format!(
                "an answer that cannot be read ({} octets of diagnosis withheld)",
                source.to_string().len()
            ),
        },
        _ => lost(doing, source),
    }
}

fn is_ours(inner: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    inner.to_string().starts_with("the server sent ")
}

pub(super) fn of_codec(doing: &'static str, source: async_imap::error::Error) -> Error {
    use async_imap::error::Error as Codec;
    match source {
        Codec::Io(source) => of_wire(doing, source),
        Codec::ConnectionLost => lost(doing, io::ErrorKind::UnexpectedEof.into()),
        Codec::No(text) | Codec::Bad(text) => Error::No { doing, text },
        _ => Error::Unparsable { doing, what: "an answer that cannot be read".to_owned() },
    }
}

pub(super) fn lost(doing: &'static str, source: io::Error) -> Error {
    Error::Lost { doing, source }
}

pub(super) fn silent(doing: &'static str, limit: Duration) -> Error {
    Error::Timeout { doing, seconds: limit.as_secs() }
}
