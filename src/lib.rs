//! mailcrm: from IMAP mailboxes to Bitrix24, every message once.
//!
//! The modules in the order in which data passes them.

/// The configuration, read once, checked once.
pub mod config;

/// Pure. Cards and what a CRM says about people.
pub mod card;
/// What mailcrm asks of any CRM; Bitrix24; the sandbox.
pub mod crm;
/// Takes what is due, places it, delivers it.
pub mod filing;
/// Pure. Roles of folders; how far a folder is done.
pub mod folder;
/// One mailbox, for ever: connect, catch up, idle, again.
pub mod imap;
/// One raw message in, one ledger transaction out.
pub mod intake;
/// Messages, places, cursors, outbox and spool.
pub mod ledger;
/// Pure. Raw bytes to facts.
pub mod message;
/// Pure. What belongs in the CRM, and where.
pub mod rules;

/// Decides messages again by today's configuration.
pub mod redecide;

/// The command line.
pub mod cli;
/// What commands ask of the running daemon, over its socket.
pub mod control;
/// Tasks, signals, systemd.
pub mod daemon;
/// Every line the log may say.
pub mod events;
/// How long to wait.
pub mod retry;

/// A private mail server and sample mail.
pub mod demo;

/// An error and its causes on one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The clock, read once a step.
fn unix_now() -> i64 {
    jiff::Timestamp::now().as_second()
}
