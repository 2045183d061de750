//! From delivery in Dovecot to the finished activity in the CRM, one mail at a time.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Amount;
use crate::common::imap_client::ImapClient;
use crate::common::{LIMIT, dovecot, wait_for};
use crate::mails::{self, Chance};
use crate::program::{Crm, Program, Server, folder, url};
use crate::report::{Table, millis, percentile};
use crate::tap::{CrmTap, ServerTap};

const DELIVERIES: usize = 200;
const MEDIAN: Duration = Duration::from_millis(50);
const P99: Duration = Duration::from_millis(200);
/// The last call that an activity needs: text, files and completion.
const LAST: &str = "crm.activity.update";

pub fn measure(amount: Amount) -> Table {
    let deliveries = amount.of(DELIVERIES);
    let dir = folder();
    let dovecot = dovecot(dir.path(), &["sales", "bare"]);
    let crm = Crm::start();
    let tap = CrmTap::before(crm.port());
    let wire = ServerTap::before(dovecot.imaps_port());
    let server = Server { port: wire.port(), ca_file: dovecot.ca_file() };
    let rate = "requests_per_second = 1000.0\nburst = 10000\n";
    let mut program = Program::start(&url(tap.port()), rate, &server, &["sales".to_owned()]);
    program.until_idle(1);

    // Dovecot tells IDLE about half a second late. A client that does nothing but wait, in a
    // mailbox of its own (two in one wake each other), shows how much of it is Dovecot's.
    let mut bare = ImapClient::login(dovecot.imaps_port(), &dovecot.ca_file(), "bare");
    bare.ok("SELECT INBOX");
    bare.send("IDLE").unwrap();
    bare.until("+").unwrap();
    let (told, hear) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(line) = bare.line() {
            let heard = Instant::now();
            if line.ends_with(" EXISTS") && told.send(heard).is_err() {
                return;
            }
        }
    });

    let mut chance = Chance::new(7);
    let mut times = Times::default();
    tap.take();
    for number in 0..deliveries {
        // Not in step with Dovecot's timer, which runs every 500 ms.
        std::thread::sleep(Duration::from_millis(chance.between(50, 1_050)));
        // Half of them from senders whom the CRM knows by then.
        let sender = format!("client{}@shop.example", number / 2);
        let mail = mails::short(&sender, number);
        let delivered = Instant::now();
        dovecot.deliver("sales", "INBOX", &mail).unwrap();
        dovecot.deliver("bare", "INBOX", &mail).unwrap();
        let bare = hear.recv_timeout(LIMIT).expect("EXISTS");
        wait_for("the activity", LIMIT, || tap.has(LAST));
        let told = wire.first_after(delivered).expect("EXISTS");
        let calls = tap.take();
        let done = calls.iter().map(|call| call.answered).max().unwrap();
        let began = calls.iter().map(|call| call.came).min().unwrap();
        times.ours.push(done - told);
        times.first_call.push(began - told);
        times.crm.push(calls.iter().map(|call| call.answered - call.came).sum());
        times.told.push(told - delivered);
        times.bare.push(bare - delivered);
        times.whole.push(done - delivered);
    }
    times.table(deliveries)
}

#[derive(Default)]
struct Times {
    /// From EXISTS on the daemon's wire to the answer of the last call.
    ours: Vec<Duration>,
    first_call: Vec<Duration>,
    crm: Vec<Duration>,
    told: Vec<Duration>,
    bare: Vec<Duration>,
    whole: Vec<Duration>,
}

impl Times {
    fn table(mut self, deliveries: usize) -> Table {
        let Times { ours, first_call, crm, told, bare, whole } = &mut self;
        for times in [&mut *ours, first_call, crm, told, bare, whole] {
            times.sort_unstable();
        }
        let mut table = Table::new("latency: delivery in Dovecot to activity in the CRM");
        table.note("deliveries, one after another", deliveries.to_string());
        let (median, p99) = (percentile(ours, 50), percentile(ours, 99));
        let what = |which| format!("EXISTS to finished activity, {which}");
        table.limited(&what("median"), millis(median), "at most 50 ms", median <= MEDIAN);
        table.limited(&what("p99"), millis(p99), "at most 200 ms", p99 <= P99);
        let rows = [
            ("of it until the first call to the CRM", first_call),
            ("of it spent in the CRM", crm),
            ("delivery to EXISTS, the daemon", told),
            ("delivery to EXISTS, a bare client", bare),
            ("delivery to finished activity", whole),
        ];
        for (what, times) in rows {
            let figures = [50, 99].map(|percent| millis(percentile(times, percent)));
            table.note(&format!("{what}, median and p99"), figures.join(" and "));
        }
        table
    }
}
