//! Whether mail is taken in as fast when the ledger has grown for years.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mailcrm::demo::dovecot::Dovecot;
use mailcrm::demo::port::free_port;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::Amount;
use crate::common::{LIMIT, dovecot};
use crate::ledgers;
use crate::machine::settle_disk;
use crate::mails::{self, Chance};
use crate::program::{Program, Server, folder, url};
use crate::report::{Table, millis, percentile, seconds};
use crate::rows::MAILBOXES;
use crate::tap::ServerTap;

const SMALL: usize = 1_000;
const LARGE: usize = 1_000_000;
const USER: &str = MAILBOXES[0];
/// The largest number costs nothing to ask for, however many rows there are.
const LAST: &str = "SELECT coalesce(max(id), 0) FROM message";

const MAILS: usize = 2_000;
const ROUNDS: usize = 7;
const BACKLOG_RATIO: f64 = 1.5;

/// A folder full of mail, read for the first time by a mailbox that has others.
pub fn backlog(amount: Amount) -> Table {
    let count = amount.of(MAILS);
    let grown = [SMALL, amount.of(LARGE)].map(Grown::new);
    let dir = folder();
    let dovecot = dovecot(dir.path(), &[USER]);
    for number in 0..count {
        dovecot.deliver(USER, "INBOX", &mails::varied(number)).unwrap();
    }
    // Dovecot's first look builds its index: no round shall pay for it.
    dovecot.doveadm(&["fetch", "-u", USER, "uid size.physical", "all"]).unwrap();

    let mut times = [const { Vec::new() }; 2];
    let mut ready = [const { Vec::new() }; 2];
    // The first round does not count: it is for the caches.
    for round in 0..=amount.of(ROUNDS) {
        let both = [0, 1].map(|which| grown[which].read(&dovecot, count));
        if round > 0 {
            println!("  {} and {}", seconds(both[0].1), seconds(both[1].1));
            for (which, (started, time)) in both.into_iter().enumerate() {
                ready[which].push(started);
                times[which].push(time);
            }
        }
    }
    let mut table = Table::new("intake: a folder read for the first time, in a ledger that grew");
    table.note("mails, 35 kB on average", count.to_string());
    let each = |time: Duration| time.div_f64(count as f64);
    for (which, grown) in grown.iter().enumerate() {
        times[which].sort_unstable();
        ready[which].sort_unstable();
        let times = &times[which];
        let (low, high) = (each(times[0]), each(times[times.len() - 1]));
        let median = each(percentile(times, 50));
        let figure = format!("{} ({} to {})", millis3(median), millis3(low), millis3(high));
        table.note(&format!("a mail, {} messages before it", grown.messages), figure);
    }
    let medians = [0, 1].map(|which| percentile(&times[which], 50));
    ratio(&mut table, "times as long, medians of rounds in turn", medians, BACKLOG_RATIO);
    for (which, grown) in grown.iter().enumerate() {
        let what = format!("start to ready with {} messages, median", grown.messages);
        table.note(&what, millis(percentile(&ready[which], 50)));
    }
    table
}

const DELIVERIES: usize = 100;
const LIVE_RATIO: f64 = 1.3;

/// Mail that arrives while the daemon waits for it, each with a commit of its own.
pub fn live(amount: Amount) -> Table {
    let deliveries = amount.of(DELIVERIES);
    let mut waiting = [SMALL, amount.of(LARGE)].map(Waiting::new);
    let mut chance = Chance::new(13);
    let mut times = [const { Vec::new() }; 2];
    let mut whole = [const { Vec::new() }; 2];
    for number in 0..=deliveries {
        let turn = number % 2;
        for which in [turn, 1 - turn] {
            // Not in step with Dovecot's timer, which runs every 500 ms.
            std::thread::sleep(Duration::from_millis(chance.between(50, 1_050)));
            let [delivered, told, committed] = waiting[which].deliver(number);
            if number > 0 {
                times[which].push(committed - told);
                whole[which].push(committed - delivered);
            }
        }
    }
    for waiting in &waiting {
        let queued = queued(waiting.ledger.as_ref().unwrap(), waiting.grown.messages);
        assert_eq!(queued, waiting.delivered as i64, "all are queued");
    }
    let mut table = Table::new("intake-live: mail that arrives, in a ledger that grew");
    table.note("deliveries to each, in turn, 35 kB on average", deliveries.to_string());
    for (what, times) in
        [("EXISTS to row committed", &mut times), ("delivery to row committed", &mut whole)]
    {
        for (which, waiting) in waiting.iter().enumerate() {
            let times = &mut times[which];
            times.sort_unstable();
            let figures = [50, 99].map(|percent| millis(percentile(times, percent)));
            let what = format!("{what}, {} messages, median and p99", waiting.grown.messages);
            table.note(&what, figures.join(" and "));
        }
        let medians = [0, 1].map(|which| percentile(&times[which], 50));
        ratio(&mut table, &format!("{what}, times as long"), medians, LIVE_RATIO);
    }
    table
}

fn ratio(table: &mut Table, what: &str, [small, large]: [Duration; 2], most: f64) {
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    let limit = format!("at most {most}");
    table.limited(what, format!("{ratio:.2}"), &limit, ratio <= most);
}

/// Milliseconds, of what takes less than one.
fn millis3(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}

/// A ledger with messages of the mailbox whose mail it is about to get.
struct Grown {
    path: PathBuf,
    messages: usize,
}

impl Grown {
    fn new(messages: usize) -> Grown {
        Grown { path: ledgers::ledger(messages), messages }
    }

    /// Reads the folder while the CRM is down. Returns how long the daemon took to be ready, and
    /// from the folder's SELECT, just before its first FETCH, until all is committed. The ledger is
    /// as before then.
    fn read(&self, dovecot: &Dovecot, count: usize) -> (Duration, Duration) {
        settle_disk();
        let crm = url(free_port().unwrap());
        let mut program =
            Program::on(&self.path, &crm, "", &Server::of(dovecot), &[USER.to_owned()]);
        const BEGUN: &str = "SELECT count(*) FROM folder WHERE name = 'INBOX' AND uid_validity > 0";
        let millisecond = Duration::from_millis(1);
        let began = program.until_each(millisecond, BEGUN, 1, LIMIT);
        let ended = program.until_each(millisecond, LAST, self.messages + count, LIMIT);
        let queued = queued(&program.ledger(), self.messages);
        assert_eq!(queued, count as i64, "all are queued");
        let ready = program.ready_after;
        drop(program);
        ledgers::forget(&self.path, self.messages);
        (ready, ended - began)
    }
}

/// Messages above this number that wait to be filed, with their entries and raw mail.
fn queued(ledger: &Connection, above: usize) -> i64 {
    const QUEUED: &str = "SELECT count(*) FROM message m JOIN entry e ON e.message = m.id
        JOIN spool s ON s.message = m.id
        WHERE m.id > ?1 AND m.state = 'queued' AND e.state IN ('queued', 'deferred')";
    ledger.query_row(QUEUED, [above], |row| row.get(0)).unwrap()
}

/// A daemon with its ledger, in IDLE at a mail server of its own: it is the same mailbox in both
/// ledgers, and one server would tell both daemons of each mail.
struct Waiting {
    program: Option<Program>,
    wire: ServerTap,
    dovecot: Dovecot,
    _dir: TempDir,
    grown: Grown,
    ledger: Option<Connection>,
    delivered: usize,
}

impl Waiting {
    fn new(messages: usize) -> Waiting {
        let grown = Grown::new(messages);
        let dir = folder();
        let dovecot = dovecot(dir.path(), &[USER]);
        let wire = ServerTap::before(dovecot.imaps_port());
        let server = Server { port: wire.port(), ca_file: dovecot.ca_file() };
        let crm = url(free_port().unwrap());
        let mut program = Program::on(&grown.path, &crm, "", &server, &[USER.to_owned()]);
        program.until_idle(1);
        let ledger = Some(program.ledger());
        Waiting { program: Some(program), wire, dovecot, _dir: dir, grown, ledger, delivered: 0 }
    }

    /// When a mail was delivered, when the server told of it, and when it was committed.
    fn deliver(&mut self, number: usize) -> [Instant; 3] {
        let mail = mails::varied(number);
        let wanted = (self.grown.messages + self.delivered + 1) as i64;
        let mut statement = self.ledger.as_ref().unwrap().prepare_cached(LAST).unwrap();
        let delivered = Instant::now();
        self.dovecot.deliver(USER, "INBOX", &mail).unwrap();
        loop {
            let last: i64 = statement.query_row([], |row| row.get(0)).unwrap();
            let looked = Instant::now();
            if last >= wanted {
                self.delivered += 1;
                let told = self.wire.first_after(delivered).expect("EXISTS");
                return [delivered, told, looked];
            }
            assert!(looked - delivered < LIMIT, "mail {number} was not recorded");
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.ledger = None;
        self.program = None;
        if !std::thread::panicking() {
            ledgers::forget(&self.grown.path, self.grown.messages);
        }
    }
}
