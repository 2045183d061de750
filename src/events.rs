//! Every line the log may say: fixed words, fixed fields.
//!
//! error: a person must act. warn: late or odd, nobody need act yet. info: the fate of each
//! message and each change of a connection. debug: protocol. Subjects, addresses and bodies are
//! at most debug; secrets never.
//!
//! A message's number in the ledger is the field `id`: `message` is what tracing calls the words
//! themselves.

use std::time::Duration;

use crate::card::CardRef;

pub fn ready(mailboxes: usize, crm: &str, ledger: &str) {
    tracing::info!(mailboxes, crm, ledger, "ready");
}

pub fn stopping(signal: &str) {
    tracing::info!(signal, "stopping");
}

pub fn stopped() {
    tracing::info!("stopped");
}

pub fn configuration_warning(warning: &str) {
    tracing::warn!(warning, "configuration");
}

/// The FAQ's first trap: said loudly, for nothing arriving is saved.
pub fn spam_folder_is_inbox(mailbox: &str, mend: &str) {
    tracing::error!(mailbox, mend, "spam folder is the inbox, nothing arriving is saved");
}

/// New cards of this mailbox all go to its owner.
pub fn queue_without_active(mailbox: &str, mend: &str) {
    tracing::warn!(mailbox, mend, "nobody of the queue is active");
}

pub fn configuration_taken_over(added: &str, changed: &str, removed: &str) {
    tracing::info!(added, changed, removed, "configuration taken over");
}

pub fn configuration_not_taken_over(error: &str) {
    tracing::error!(error, "configuration not taken over, reload again when that is mended");
}

pub fn configuration_refused(mistakes: usize, first: &str) {
    tracing::error!(mistakes, first, "configuration refused, the old one stays in force");
}

/// Commands that change something cannot reach the daemon.
pub fn socket_unavailable(error: &str) {
    tracing::warn!(error, "no socket for commands");
}

pub fn mailbox_connected(mailbox: &str, folders: usize, waits_by: &str) {
    tracing::info!(mailbox, folders, waits_by, "mailbox connected");
}

/// A part of a second is one.
fn seconds(delay: Duration) -> u64 {
    delay.as_secs() + u64::from(delay.subsec_nanos() > 0)
}

pub fn mailbox_lost(mailbox: &str, error: &str, delay: Duration) {
    tracing::warn!(mailbox, error, delay_secs = seconds(delay), "mailbox lost");
}

pub fn mailbox_blocked(mailbox: &str, error: &str, delay: Duration) {
    tracing::error!(mailbox, error, delay_secs = delay.as_secs(), "mailbox blocked");
}

pub fn mailbox_panicked(mailbox: &str) {
    tracing::error!(mailbox, "mailbox task ended by a defect, it is started again");
}

pub fn folder_missing(mailbox: &str, folder: &str, mend: &str) {
    tracing::warn!(mailbox, folder, mend, "folder missing");
}

pub fn folder_unreadable(mailbox: &str, folder: &str, error: &str) {
    tracing::warn!(mailbox, folder, error, "folder cannot be opened");
}

pub fn folder_renumbered(mailbox: &str, folder: &str) {
    tracing::warn!(mailbox, folder, "folder renumbered");
}

pub fn folder_first_read(mailbox: &str, folder: &str, history_days: u32) {
    tracing::info!(mailbox, folder, history_days, "folder read for the first time");
}

/// How far a long reading is. `part` is from 0 to 1, `seconds` since it began, `left` to its end.
pub fn folder_progress(
    mailbox: &str,
    folder: &str,
    messages: u64,
    part: f64,
    seconds: f64,
    left: f64,
) {
    let percent = (part * 100.0).round() as u64;
    let per_second = (messages as f64 / seconds.max(0.001)).round() as u64;
    let seconds_left = left.round() as u64;
    tracing::info!(mailbox, folder, messages, percent, per_second, seconds_left, "folder progress");
}

pub fn folder_done(mailbox: &str, folder: &str, messages: u64, seconds: f64) {
    tracing::info!(mailbox, folder, messages, seconds, "folder caught up");
}

pub fn message_queued(mailbox: &str, folder: &str, message: i64, message_id: Option<&str>) {
    tracing::debug!(mailbox, folder, id = message, message_id, "message queued");
}

pub fn message_skipped(
    mailbox: &str,
    folder: &str,
    message: i64,
    message_id: Option<&str>,
    reason: &str,
) {
    tracing::info!(mailbox, folder, id = message, message_id, reason, "message skipped");
}

pub fn message_placed(mailbox: &str, folder: &str, message: i64, message_id: Option<&str>) {
    tracing::debug!(mailbox, folder, id = message, message_id, "message has a further place");
}

pub fn message_saved(
    mailbox: &str,
    message: i64,
    message_id: Option<&str>,
    cards: &[CardRef],
    activity: u64,
) {
    let cards: Vec<String> = cards.iter().map(CardRef::to_string).collect();
    let cards = cards.join(",");
    tracing::info!(mailbox, id = message, message_id, cards, activity, "message saved");
}

pub fn message_parked(
    mailbox: &str,
    message: i64,
    message_id: Option<&str>,
    reason: &str,
    candidates: usize,
) {
    tracing::warn!(mailbox, id = message, message_id, reason, candidates, "message parked");
}

pub fn message_quarantined(mailbox: &str, folder: &str, uid: u32, message: i64, error: &str) {
    tracing::error!(mailbox, folder, uid, id = message, error, "message quarantined");
}

pub fn delivered(entry: i64, action: &str, crm_id: u64) {
    tracing::debug!(entry, action, crm_id, "delivered");
}

pub fn delivery_deferred(entry: i64, delay: Duration, reason: &str) {
    tracing::warn!(entry, delay_secs = delay.as_secs(), reason, "delivery deferred");
}

pub fn delivery_refused(entry: i64, reason: &str) {
    tracing::error!(entry, reason, "delivery refused");
}

pub fn mailbox_without_configuration(mailbox: &str, message: i64) {
    tracing::warn!(
        mailbox,
        id = message,
        "mail of a removed mailbox is owed; it waits until it is configured again"
    );
}

pub fn responsible_replaced(mailbox: &str, warning: &str) {
    tracing::warn!(mailbox, warning, "responsible replaced");
}

pub fn crm_blocked(reason: &str, delay: Duration) {
    tracing::error!(reason, delay_secs = delay.as_secs(), "crm blocked");
}

pub fn crm_deferred(reason: &str, delay: Duration) {
    tracing::warn!(reason, delay_secs = delay.as_secs(), "crm deferred");
}

pub fn crm_renamed(name: &str) {
    tracing::warn!(name, "crm renamed, write its new name into the configuration");
}

pub fn crm_open() {
    tracing::info!("crm open");
}

pub fn sandbox_in_use(page: &str) {
    tracing::warn!(page, "no CRM is configured, mail is filed in the built-in sandbox");
}

/// The stand-in itself is at fault, not what it was asked.
pub fn sandbox_failed(doing: &str, error: &str) {
    tracing::error!(doing, error, "sandbox failed");
}

pub fn spool_full(used_mib: u64, max_mib: u64) {
    tracing::warn!(used_mib, max_mib, "spool full, reading waits until mail was delivered");
}

pub fn spool_has_room() {
    tracing::info!("spool has room, reading goes on");
}

pub fn ledger_full(error: &str) {
    tracing::error!(error, "ledger full, reading waits until the disk has room");
}

pub fn ledger_has_room() {
    tracing::info!("ledger has room, reading goes on");
}
