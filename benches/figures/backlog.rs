//! A full mailbox read, parsed, judged and made durable, against mbsync, which only copies it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mailcrm::demo::dovecot::Dovecot;
use mailcrm::demo::port::free_port;

use crate::Amount;
use crate::common::dovecot;
use crate::machine::{memory, octets, settle_disk};
use crate::mails;
use crate::program::{Program, Server, folder, url};
use crate::report::{Table, mib, percentile, seconds};

const MAILS: usize = 10_000;
const RUNS: usize = 5;
/// How many times as fast as mbsync.
const RATIO: f64 = 2.0;
const MEMORY: u64 = 100 * 1024 * 1024;

pub fn measure(amount: Amount) -> Table {
    let count = amount.of(MAILS);
    let dir = folder();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let mut sent = 0;
    for number in 0..count {
        let mail = mails::varied(number);
        sent += mail.len() as u64;
        dovecot.deliver("sales", "INBOX", &mail).unwrap();
    }
    // Dovecot's first look builds its index: neither of the two shall pay for it.
    dovecot.doveadm(&["fetch", "-u", "sales", "uid size.physical", "all"]).unwrap();

    // One run each that does not count, for the caches.
    mailcrm_run(&dovecot, count, sent);
    mbsync_run(&dovecot, count);
    let (mut ours, mut theirs, mut ratios, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..amount.of(RUNS) {
        let (time, memory) = mailcrm_run(&dovecot, count, sent);
        let peer = mbsync_run(&dovecot, count);
        println!("  mailcrm {}, mbsync {}, {}", seconds(time), seconds(peer), mib(memory));
        peak = peak.max(memory);
        ratios.push(peer.as_secs_f64() / time.as_secs_f64());
        ours.push(time);
        theirs.push(peer);
    }
    ours.sort_unstable();
    theirs.sort_unstable();
    ratios.sort_unstable_by(f64::total_cmp);

    let mut table = Table::new("backlog: a mailbox read for the first time, against mbsync");
    let times = |times: &[Duration]| {
        let (low, high) = (times[0], times[times.len() - 1]);
        format!("{} ({} to {})", seconds(percentile(times, 50)), seconds(low), seconds(high))
    };
    table.note("mails", format!("{count}, {}", mib(sent)));
    table.note("mailcrm, start to the last mail queued and durable", times(&ours));
    table.note("mbsync, start to end", times(&theirs));
    let ratio = ratios[ratios.len() / 2];
    let (low, high) = (ratios[0], ratios[ratios.len() - 1]);
    table.limited(
        "times as fast as mbsync, median of the runs in turn",
        format!("{ratio:.2} ({low:.2} to {high:.2})"),
        "at least 2",
        ratio >= RATIO,
    );
    let rate = count as f64 / percentile(&ours, 50).as_secs_f64();
    table.note("mails a second", format!("{rate:.0}"));
    table.limited("peak memory of mailcrm", mib(peak), "under 100 MiB", peak < MEMORY);
    table
}

/// Reads the mailbox into a new ledger while the CRM is down; returns the time and the peak of
/// memory.
fn mailcrm_run(dovecot: &Dovecot, count: usize, sent: u64) -> (Duration, u64) {
    settle_disk();
    // Nobody listens there.
    let crm = url(free_port().unwrap());
    let mut program = Program::start(&crm, "", &Server::of(dovecot), &["sales".to_owned()]);
    // The largest number costs nothing to ask for, however many rows there are.
    const LAST: &str = "SELECT coalesce(max(id), 0) FROM message";
    let time = program.until(LAST, count, Duration::from_secs(600));
    let peak = memory(program.pid(), "VmHWM");
    const QUEUED: &str = "SELECT count(*) FROM message m JOIN entry e ON e.message = m.id
        JOIN spool s ON s.message = m.id WHERE m.state = 'queued' AND e.state = 'queued'";
    let queued: i64 = program.ledger().query_row(QUEUED, [], |row| row.get(0)).unwrap();
    assert_eq!(queued, count as i64, "all are queued");
    assert_eq!(octets(&program.dir().join("ledger.spool")), sent, "all lie in the spool");
    (time, peak)
}

/// Copies the mailbox into a new Maildir, as Debian's isync does by default.
fn mbsync_run(dovecot: &Dovecot, count: usize) -> Duration {
    let dir = folder();
    let config = dir.path().join("mbsyncrc");
    std::fs::create_dir(dir.path().join("Mail")).unwrap();
    std::fs::write(&config, mbsyncrc(dir.path(), dovecot)).unwrap();
    settle_disk();
    let started = Instant::now();
    let output = Command::new("mbsync")
        .arg("--config")
        .arg(&config)
        .args(["--quiet", "--all"])
        .stdin(Stdio::null())
        .output()
        .expect("mbsync; install isync");
    let time = started.elapsed();
    assert!(output.status.success(), "mbsync: {}", String::from_utf8_lossy(&output.stderr));
    let inbox = dir.path().join("Mail/INBOX");
    let copied = ["new", "cur"].map(|part| std::fs::read_dir(inbox.join(part)).unwrap().count());
    assert_eq!(copied[0] + copied[1], count, "all are copied");
    time
}

fn mbsyncrc(dir: &Path, dovecot: &Dovecot) -> String {
    let (mail, ca) = (dir.join("Mail"), dovecot.ca_file());
    format!(
        "IMAPAccount there\nHost localhost\nPort {}\nUser sales\nPass secret\nSSLType IMAPS\n\
         CertificateFile {}\n\nIMAPStore far\nAccount there\n\n\
         MaildirStore near\nPath {}/\nInbox {}\nSubFolders Verbatim\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSyncState *\n",
        dovecot.imaps_port(),
        ca.display(),
        mail.display(),
        mail.join("INBOX").display(),
    )
}
