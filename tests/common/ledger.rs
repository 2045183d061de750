//! Looks into a daemon's ledger beside it, without starting a command for each look.

use std::time::Duration;

use mailcrm::ledger::{Filter, Ledger, MessageView, StatusCounts};

use super::daemon::Daemon;
use super::{block_on, wait_for};

impl Daemon {
    /// What `status` counts; nothing yet while there is no ledger.
    pub fn counts(&self) -> StatusCounts {
        let Ok(ledger) = Ledger::open_read_only(&self.ledger_path()) else {
            return StatusCounts::default();
        };
        block_on(ledger.counts()).unwrap_or_default()
    }

    /// All messages of the ledger, newest first.
    #[track_caller]
    pub fn views(&self) -> Vec<MessageView> {
        let ledger = Ledger::open_read_only(&self.ledger_path()).unwrap();
        block_on(ledger.messages(Filter::default())).unwrap()
    }

    /// The message with this Message-ID.
    #[track_caller]
    pub fn view(&self, id: &str) -> MessageView {
        let mut views = self.views();
        views.retain(|view| view.message_id.as_deref() == Some(id));
        assert_eq!(views.len(), 1, "messages with the id {id}");
        views.remove(0)
    }

    /// Waits until the ledger holds `messages` messages, whatever their states.
    #[track_caller]
    pub fn wait_for_messages(&self, messages: u64, limit: Duration) {
        wait_for(&format!("{messages} messages in the ledger"), limit, || {
            self.counts().states.values().sum::<u64>() >= messages
        });
    }

    /// Waits until the ledger holds `messages` messages and nothing is owed.
    #[track_caller]
    pub fn wait_until_filed(&self, messages: u64, limit: Duration) {
        wait_for(&format!("{messages} messages with nothing owed"), limit, || {
            let counts = self.counts();
            let seen: u64 = counts.states.values().sum();
            seen >= messages && counts.queued == 0 && counts.deferred == 0
        });
    }

    /// All owed entries become due now, as if hours had passed; calls that were lost have ended.
    pub fn let_time_pass(&self) {
        self.sql(
            "UPDATE entry SET next_attempt_at = 0, trouble_since = trouble_since - 3600
             WHERE state IN ('queued', 'deferred');
             UPDATE made SET sent_at = sent_at - 3600",
        );
    }

    /// Runs a statement on the ledger, as an operator with the sqlite3 shell might.
    #[track_caller]
    pub fn sql(&self, statement: &str) {
        let ledger = rusqlite::Connection::open(self.ledger_path()).unwrap();
        ledger.busy_timeout(Duration::from_secs(10)).unwrap();
        ledger.execute_batch(statement).unwrap();
    }

    /// Waits until a line of the log holds these words: it is written beside the ledger.
    #[track_caller]
    pub fn wait_for_line(&self, words: &str, limit: Duration) {
        wait_for(&format!("the log to say {words:?}"), limit, || self.lines_with(words) > 0);
    }

    /// How many lines of the log hold these words.
    pub fn lines_with(&self, words: &str) -> usize {
        self.log().lines().filter(|line| line.contains(words)).count()
    }
}
