//! From delivery in Dovecot to the finished activity in the CRM, one mail at a time.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Amount;
use crate::common::imap_client::ImapClient;
use crate::common::{LIMIT, dovecot, wait_for};
use crate::mails::{self, Chance};
use crate::program::{Crm, Program, folder, url};
use crate::report::{Table, millis, percentile};
use crate::tap::Tap;

const DELIVERIES: usize = 200;
const MEDIAN: Duration = Duration::from_millis(50);
const P99: Duration = Duration::from_millis(200);
/// The last call that an activity needs: text, files and completion.
const LAST: &str = "crm.activity.update";

pub fn measure(amount: Amount) -> Table {
    let deliveries = amount.of(DELIVERIES);
    let dir = folder();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = Crm::start();
    let tap = Tap::before(crm.port());
    let rate = "requests_per_second = 1000.0\nburst = 10000\n";
    let mut program = Program::start(&url(tap.port()), rate, &dovecot, &["sales".to_owned()]);
    program.until_idle(1);

    // Dovecot tells IDLE about half a second late, in its own time: a client that does nothing
    // else hears it at the same moment as the daemon.
    let mut bare = ImapClient::login(dovecot.imaps_port(), &dovecot.ca_file(), "sales");
    bare.ok("SELECT INBOX");
    bare.send("IDLE").unwrap();
    bare.until("+").unwrap();
    let (told, hear) = mpsc::channel();
    let listening = std::thread::spawn(move || {
        while let Ok(line) = bare.line() {
            let heard = Instant::now();
            if line.ends_with(" EXISTS") && told.send(heard).is_err() {
                return;
            }
        }
    });

    let mut chance = Chance::new(7);
    let [mut dovecots, mut ours, mut first_call, mut crms, mut whole] =
        [const { Vec::<Duration>::new() }; 5];
    tap.take();
    for number in 0..deliveries {
        // Not in step with Dovecot's timer, which runs every 500 ms.
        std::thread::sleep(Duration::from_millis(chance.between(50, 1_050)));
        // Half of them from senders whom the CRM knows by then.
        let sender = format!("client{}@shop.example", number / 2);
        let mail = mails::short(&sender, number);
        let delivered = Instant::now();
        dovecot.deliver("sales", "INBOX", &mail).unwrap();
        let exists = hear.recv_timeout(LIMIT).expect("EXISTS");
        wait_for("the activity", LIMIT, || tap.has(LAST));
        let calls = tap.take();
        let done = calls.iter().map(|call| call.answered).max().unwrap();
        let began = calls.iter().map(|call| call.came).min().unwrap();
        dovecots.push(exists - delivered);
        ours.push(done.saturating_duration_since(exists));
        first_call.push(began.saturating_duration_since(exists));
        crms.push(calls.iter().map(|call| call.answered - call.came).sum());
        whole.push(done - delivered);
    }
    drop(hear);
    drop(listening);
    for times in [&mut dovecots, &mut ours, &mut first_call, &mut crms, &mut whole] {
        times.sort_unstable();
    }

    let mut table = Table::new("latency: delivery in Dovecot to activity in the CRM");
    table.note("deliveries, one after another", deliveries.to_string());
    let (median, p99) = (percentile(&ours, 50), percentile(&ours, 99));
    table.limited("EXISTS to finished activity, median", millis(median), "50 ms", median <= MEDIAN);
    table.limited("EXISTS to finished activity, p99", millis(p99), "200 ms", p99 <= P99);
    let note = |table: &mut Table, what: &str, times: &[Duration]| {
        let (median, p99) = (percentile(times, 50), percentile(times, 99));
        table.note(
            &format!("{what}, median and p99"),
            format!("{} {}", millis(median), millis(p99)),
        );
    };
    note(&mut table, "of it until the first call to the CRM", &first_call);
    note(&mut table, "of it spent in the CRM", &crms);
    note(&mut table, "delivery to EXISTS (Dovecot's own delay)", &dovecots);
    note(&mut table, "delivery to finished activity", &whole);
    table
}
