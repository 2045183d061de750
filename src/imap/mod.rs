//! One mailbox, for ever: connect, catch up, idle, again. All that knows async-imap.

use std::io;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

mod bounds;
mod by_hand;
mod catch_up;
mod choose;
mod connect;
mod failed;
mod fetch;
mod guard;
mod history;
mod large;
mod link;
mod names;
mod probe;
mod trouble;
mod trust;
mod watch;

pub use probe::{FolderProbe, Probe, ServerUid};
pub use watch::{Shared, Watched, watch};

/// What went wrong with a mail server, sorted by whose turn it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The clock's: lost, slow, busy or throttling.
    #[error("{doing}: {source}")]
    Lost { doing: &'static str, source: io::Error },
    #[error("{doing}: no answer within {seconds} s")]
    Timeout { doing: &'static str, seconds: u64 },
    #[error("{doing}: the server says: {text}")]
    Busy { doing: &'static str, text: String },
    /// The server refused a command that it should know.
    #[error("{doing}: the server says: {text}")]
    No { doing: &'static str, text: String },
    /// An answer that cannot be read; the connection is of no more use.
    #[error("{doing}: {what}")]
    Unparsable { doing: &'static str, what: String },
    /// The operator's: rejected credentials.
    #[error("the server rejects username or password: {text}")]
    Credentials { text: String },
    /// Credentials that were rejected before and are not tried again yet.
    #[error(
        "the server rejected username or password: next try in {minutes} min, or as soon as the \
         secret changes"
    )]
    Held { minutes: i64 },
    #[error("{0}")]
    Secret(String),
    /// The operator's: no trust, no STARTTLS, no such host.
    #[error("{0}")]
    Blocked(String),
    #[error(transparent)]
    Ledger(#[from] crate::ledger::Error),
}

/// Does something with a server whose answers may end the codec, which panics on some (imap-proto
/// 0.17): one server must not stop the looks at others.
///
/// # Errors
/// Those of `work`, and [`Error::Unparsable`] for such an answer.
pub async fn safely<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|_panic| {
        let what = "it ended the codec".to_owned();
        Err(Error::Unparsable { doing: "read an answer", what })
    })
}
