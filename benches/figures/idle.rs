//! What hundreds of mailboxes cost in which nothing happens.

use std::time::Duration;

use crate::Amount;
use crate::common::dovecot;
use crate::machine::{memory, processor_time};
use crate::program::{Crm, Program, Server, folder, url};
use crate::report::{Table, mib, millis, seconds};

const MAILBOXES: usize = 500;
/// KiB.
const EACH: f64 = 48.0;
const BASE: u64 = 25 * 1024 * 1024;
/// Threads that are not needed any more end after 10 s. And where the kernel grants no more inotify
/// handles (128 of one user by default), Dovecot looks after 30 s, and has something to tell of
/// each folder that it made for the login.
const SETTLE: Duration = Duration::from_secs(45);
const WINDOW: Duration = Duration::from_secs(30);

pub fn measure(amount: Amount) -> Table {
    let mailboxes = amount.of(MAILBOXES);
    let users: Vec<String> = (0..mailboxes).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = users.iter().map(String::as_str).collect();
    let dir = folder();
    let dovecot = dovecot(dir.path(), &names);
    let crm = Crm::start();

    let alone = Program::start(&url(crm.port()), "", &Server::of(&dovecot), &[]);
    let ready_alone = alone.ready_after;
    std::thread::sleep(Duration::from_secs(15));
    let base = memory(alone.pid(), "VmRSS");
    drop(alone);

    let mut program = Program::start(&url(crm.port()), "", &Server::of(&dovecot), &users);
    let idle_after = program.until_idle(mailboxes);
    std::thread::sleep(SETTLE);
    let before = processor_time(program.pid());
    std::thread::sleep(WINDOW);
    let spent = processor_time(program.pid()).saturating_sub(before);
    // Nobody was lost meanwhile.
    program.until_idle(mailboxes);
    let all = memory(program.pid(), "VmRSS");
    let peak = memory(program.pid(), "VmHWM");

    let mut table = Table::new("idle: mailboxes in which nothing happens");
    table.note("mailboxes, one TLS connection each", mailboxes.to_string());
    table.limited("memory without a mailbox", mib(base), "under 25 MiB", base < BASE);
    let each = all.saturating_sub(base) as f64 / 1024.0 / mailboxes as f64;
    table.limited("memory a mailbox", format!("{each:.1} KiB"), "at most 48 KiB", each <= EACH);
    table.note("memory with all of them", mib(all));
    table.note("peak while they connected", mib(peak));
    let a_second = spent.div_f64(WINDOW.as_secs_f64());
    table.note("processor time a second, over 30 s", millis(a_second));
    table.note("start to ready without a mailbox", millis(ready_alone));
    table.note("start to ready with all of them", millis(program.ready_after));
    table.note("start to all idle", seconds(idle_after));
    table
}
