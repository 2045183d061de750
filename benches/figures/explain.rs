//! `mailcrm explain` as a person waits for it, on a ledger of years.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mailcrm::rules::State;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use tempfile::TempDir;

use crate::Amount;
use crate::common::daemon::write_secret;
use crate::ledgers;
use crate::machine::octets;
use crate::mails::Chance;
use crate::program::folder;
use crate::report::{Table, mib, millis, percentile};
use crate::rows::MAILBOXES;

const SMALL: usize = 1_000;
const LARGE: usize = 1_000_000;
const RUNS: usize = 120;
const LIMIT: Duration = Duration::from_millis(50);

/// How a person names a message.
#[derive(Clone, Copy)]
enum By {
    Number,
    MessageId,
    Place,
}

const WAYS: [(By, bool, &str); 6] = [
    (By::Number, false, "by number"),
    (By::Number, true, "by number, --json"),
    (By::MessageId, false, "by Message-ID"),
    (By::MessageId, true, "by Message-ID, --json"),
    (By::Place, false, "by place"),
    (By::Place, true, "by place, --json"),
];

pub fn measure(amount: Amount) -> Table {
    let sizes = [SMALL, amount.of(LARGE)];
    let asked = sizes.map(Asked::new);
    let mut chance = Chance::new(11);
    let runs = amount.of(RUNS);
    let mut times = [(); 2].map(|()| [(); WAYS.len()].map(|()| Vec::with_capacity(runs)));
    for run in 0..runs {
        for (way, (by, json, _)) in WAYS.into_iter().enumerate() {
            for (asked, times) in asked.iter().zip(&mut times) {
                // One state after another, and the two ledgers in turn.
                let (id, name) = asked.name(by, State::ALL[run % State::ALL.len()], &mut chance);
                times[way].push(asked.explain(&name, id, json));
            }
        }
    }
    let mut table = Table::new("explain: one message of a ledger, start to end of the process");
    for (size, asked) in sizes.iter().zip(&asked) {
        table.note("messages, size of the ledger", format!("{size}, {}", mib(asked.octets)));
    }
    table.note("runs of each kind, all states in turn", runs.to_string());
    for (way, (_, _, what)) in WAYS.into_iter().enumerate() {
        let [small, large] = &mut times;
        let figures = [&mut small[way], &mut large[way]].map(|times| {
            times.sort_unstable();
            [50, 99].map(|percent| percentile(times, percent))
        });
        let shown = figures.map(|figures| figures.map(millis).join(" and "));
        table.note(&format!("{what}, of {}, median and p99", sizes[0]), shown[0].as_str());
        table.limited(
            &format!("{what}, of {}, median and p99", sizes[1]),
            shown[1].as_str(),
            "under 50 ms",
            figures[1][1] < LIMIT,
        );
    }
    table
}

/// A ledger, and a configuration that names it.
struct Asked {
    dir: TempDir,
    ledger: Connection,
    octets: u64,
    /// Of each state in the order of [`State::ALL`] the numbers of all messages.
    ids: Vec<Vec<i64>>,
}

impl Asked {
    fn new(messages: usize) -> Asked {
        let path = ledgers::ledger(messages);
        let dir = folder();
        std::fs::write(dir.path().join("mailcrm.toml"), configuration(dir.path(), &path)).unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let ledger = Connection::open_with_flags(&path, flags).unwrap();
        let of_state = |state: State| {
            let mut statement = ledger.prepare("SELECT id FROM message WHERE state = ?1").unwrap();
            let ids = statement.query_map([state.as_str()], |row| row.get(0)).unwrap();
            ids.collect::<rusqlite::Result<Vec<i64>>>().unwrap()
        };
        let ids = State::ALL.map(of_state).into();
        let octets = octets_of(&path);
        Asked { dir, ledger, octets, ids }
    }

    /// A random message in this state, and how it is named. What cannot be read has no Message-ID:
    /// then it is one that was saved.
    fn name(&self, by: By, state: State, chance: &mut Chance) -> (i64, String) {
        let state = match (by, state) {
            (By::MessageId, State::Quarantined) => State::Saved,
            (By::Number | By::MessageId | By::Place, state) => state,
        };
        let of_state = State::ALL.iter().position(|other| *other == state).unwrap();
        let ids = &self.ids[of_state];
        loop {
            let id = ids[chance.between(0, ids.len() as u64) as usize];
            const ID: &str = "SELECT message_id FROM message
                              WHERE id = ?1 AND message_id IS NOT NULL";
            const PLACE: &str = "SELECT b.name || '/' || f.name || '/' || p.uid FROM place p
                                 JOIN folder f ON f.id = p.folder JOIN mailbox b ON b.id = f.mailbox
                                 WHERE p.message = ?1 ORDER BY p.position DESC LIMIT 1";
            let looked_up = |statement| {
                let mut statement = self.ledger.prepare_cached(statement).unwrap();
                statement.query_row(params![id], |row| row.get(0)).optional().unwrap()
            };
            let name = match by {
                By::Number => Some(id.to_string()),
                By::MessageId => looked_up(ID),
                By::Place => looked_up(PLACE),
            };
            if let Some(name) = name {
                return (id, name);
            }
        }
    }

    fn explain(&self, name: &str, id: i64, json: bool) -> Duration {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailcrm"));
        command.arg("--config").arg(self.dir.path().join("mailcrm.toml"));
        command.args(json.then_some("--json")).args(["explain", name]).stdin(Stdio::null());
        let started = Instant::now();
        let output = command.output().unwrap();
        let time = started.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        let trouble = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "explain {name}: {trouble}");
        let head = if json { format!("{{\"id\":{id},") } else { format!("message {id}: ") };
        assert!(said.lines().any(|line| line.starts_with(&head)), "explain {name}: {said}");
        time
    }
}

fn octets_of(ledger: &Path) -> u64 {
    std::fs::metadata(ledger).unwrap().len() + octets(&ledger.with_extension("spool"))
}

fn configuration(dir: &Path, ledger: &Path) -> String {
    let secret = dir.join("password");
    write_secret(&secret, "secret");
    let mut text = format!(
        "[crm]\nkind = \"bitrix24\"\nurl = \"http://127.0.0.1:9/rest/1/sandbox/\"\n\
         [ledger]\npath = {ledger:?}\n"
    );
    for name in MAILBOXES {
        text.push_str(&format!(
            "[[mailbox]]\nname = {name:?}\naddress = \"{name}@example.com\"\nowner = 1\n\
             [mailbox.imap]\nhost = \"localhost\"\nusername = {name:?}\n\
             password_file = {secret:?}\n"
        ));
    }
    text
}
