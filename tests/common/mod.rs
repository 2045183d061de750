//! What the tests of the whole program run it against, and in whose hands the wires are.
//!
//! Everything here ends with its handle, also when a test panics.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "JSON values are no enum of ours")]

pub mod acceptor;
pub mod crm_faults;
pub mod cutter;
pub mod daemon;
pub mod http;
pub mod imap_client;
pub mod imap_server;
pub mod mails;
pub mod sandbox;
pub mod scene;

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use mailcrm::demo::dovecot::{Dovecot, Options};

/// How long anything may take that a test waits for, on a machine that compiles beside it.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Waits until `seen` is true; panics with `what` after `limit`.
#[track_caller]
pub fn wait_for(what: &str, limit: Duration, mut seen: impl FnMut() -> bool) {
    let start = Instant::now();
    while !seen() {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs async code of the library in a test that has no runtime of its own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A private Dovecot in `dir` with these users, all with the password `secret`.
pub fn dovecot(dir: &Path, users: &[&str]) -> Dovecot {
    let users: Vec<(&str, &str)> = users.iter().map(|&user| (user, "secret")).collect();
    block_on(Dovecot::start(dir, Options::for_users(&users))).unwrap()
}

/// The same with lines for dovecot.conf, such as `imap_capability = IMAP4rev1`.
pub fn dovecot_with(dir: &Path, users: &[&str], extra: &str) -> Dovecot {
    let users: Vec<(&str, &str)> = users.iter().map(|&user| (user, "secret")).collect();
    let options = Options { extra: extra.to_owned(), ..Options::for_users(&users) };
    block_on(Dovecot::start(dir, options)).unwrap()
}
