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

    /// All rows of all tables of the ledger, a line each; none while there is no ledger.
    #[track_caller]
    pub fn rows(&self) -> Vec<String> {
        use rusqlite::types::ValueRef;
        if !self.ledger_path().exists() {
            return Vec::new();
        }
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let ledger = rusqlite::Connection::open_with_flags(self.ledger_path(), flags).unwrap();
        ledger.busy_timeout(Duration::from_secs(10)).unwrap();
        let schema = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        let mut tables = ledger.prepare(schema).unwrap();
        let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let mut lines = Vec::new();
        for table in tables.map(Result::unwrap) {
            let mut rows = ledger.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
            let names: Vec<String> = rows.column_names().map(str::to_owned).collect();
            let line = |row: &rusqlite::Row<'_>| {
                let mut line = table.clone();
                for (column, name) in names.iter().enumerate() {
                    let value = match row.get_ref(column).unwrap() {
                        ValueRef::Null => "-".to_owned(),
                        ValueRef::Integer(number) => number.to_string(),
                        ValueRef::Real(number) => number.to_string(),
                        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                        ValueRef::Blob(octets) => format!("{octets:02x?}"),
                    };
                    line.push_str(&format!(" {name}={value}"));
                }
                Ok(line)
            };
            let rows = rows.query_map([], line).unwrap();
            let from = lines.len();
            lines.extend(rows.map(Result::unwrap));
            lines[from..].sort_unstable();
        }
        lines
    }

    /// The rows that say what was seen, decided, owed and made; a running daemon notes in the
    /// others how it goes.
    #[track_caller]
    pub fn decided(&self) -> Vec<String> {
        let tables = ["message", "place", "card", "spool", "entry", "made", "attempt"];
        let mut rows = self.rows();
        rows.retain(|row| tables.iter().any(|table| row.starts_with(&format!("{table} "))));
        rows
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
