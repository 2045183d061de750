//! What the tests of the whole program run it against, and in whose hands the wires are.
//!
//! Everything here ends with its handle, also when a test panics.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "JSON values are no enum of ours")]

pub mod acceptor;
pub mod crm_faults;
pub mod cutter;
pub mod daemon;
pub mod desk;
pub mod http;
pub mod imap_client;
pub mod imap_server;
pub mod ledger;
pub mod letter;
pub mod mails;
pub mod sandbox;
pub mod scene;
pub mod world;

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use mailcrm::demo::dovecot::{Dovecot, Options};

/// How long anything may take that a test waits for: many times what it takes, for a machine that
/// compiles beside it.
pub const LIMIT: Duration = Duration::from_secs(240);

/// Waits until `seen` is true; panics with `what` after `limit`.
#[track_caller]
pub fn wait_for(what: &str, limit: Duration, mut seen: impl FnMut() -> bool) {
    let start = Instant::now();
    while !seen() {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Panics with the lines that are on one side only.
#[track_caller]
pub fn assert_same(is: &[String], was: &[String]) {
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).cloned().collect()
    };
    assert!(is == was, "is {:#?}\nwas {:#?}", only(is, was), only(was, is));
}

/// Numbers that look random and are the same for the same seed: SplitMix64.
pub struct Dice(u64);

impl Dice {
    /// Dice of the seed in the environment's `MAILCRM_TEST_SEED`, else of one of their own; the
    /// seed is printed, so that a failure can be played again.
    pub fn cast() -> Dice {
        let given = std::env::var("MAILCRM_TEST_SEED").ok();
        let seed = match given {
            Some(seed) => seed.parse().expect("MAILCRM_TEST_SEED is a number"),
            None => mailcrm::demo::port::random(),
        };
        println!("MAILCRM_TEST_SEED={seed}");
        Dice(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `sides`.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.next() % sides
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
