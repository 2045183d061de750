//! The daemon is killed at random instants while mail comes in and is filed; the outcome is the same
//! as if it had not been.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::daemon::{Daemon, Mailbox};
use common::sandbox::SandboxProcess;
use common::world::World;
use common::{Dice, dovecot};

const MAILS: usize = 500;
/// Of these, so many lie there before the first start.
const BEFORE: usize = 300;
const KILLS: u64 = 100;
/// How long all kills together may take.
const LIMIT: Duration = Duration::from_secs(240);

#[test]
fn promise_08_killed_at_any_instant_every_mail_is_filed_once() {
    let mut dice = Dice::cast();
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let mut world = World::with_clients(&crm, 12);
    world.write_first(BEFORE, &mut dice);
    for number in 0..BEFORE {
        world.deliver(&dovecot, number);
    }
    world.write_later(MAILS, &mut dice);
    let mut daemon = Daemon::new(&crm.url(), &[Mailbox::on(&dovecot, "sales")]);

    // Mail comes while the daemon lives and while it is dead: so many as are due after each kill.
    let due = AtomicU64::new(BEFORE as u64);
    let kills = std::thread::scope(|scope| {
        let (world, dovecot, due) = (&world, &dovecot, &due);
        scope.spawn(move || {
            for number in BEFORE..MAILS {
                while due.load(Ordering::SeqCst) <= number as u64 {
                    std::thread::sleep(Duration::from_millis(5));
                }
                world.deliver(dovecot, number);
            }
        });
        let kills = kill_again_and_again(&mut daemon, due, &mut dice);
        due.store(MAILS as u64, Ordering::SeqCst);
        kills
    });
    println!("killed {kills} times");

    daemon.start();
    daemon.wait_until_filed(MAILS as u64, Duration::from_secs(300));
    world.assert_filed(&crm, &daemon);

    // Once more on the same ledger: nothing changes.
    daemon.kill9();
    daemon.start();
    daemon.wait_until_filed(MAILS as u64, Duration::from_secs(60));
    let reconciled = daemon.mailcrm(&["reconcile"]);
    assert_eq!(reconciled.code, 0, "{reconciled:?}");
    assert!(daemon.terminate().success());
    world.assert_filed(&crm, &daemon);
    assert_eq!(daemon.lines_with("ERROR"), 0, "{}", daemon.log());
}

/// Starts the daemon and kills it, until it was killed often enough with work in hand.
fn kill_again_and_again(daemon: &mut Daemon, due: &AtomicU64, dice: &mut Dice) -> u64 {
    let started = Instant::now();
    let mut at_work = 0;
    let mut kills = 0;
    while at_work < KILLS {
        assert!(started.elapsed() < LIMIT, "{at_work} kills at work of {kills}");
        daemon.start_unheard();
        // Some die while they start, most while they file.
        let life = if dice.below(5) == 0 { dice.below(100) } else { 60 + dice.below(500) };
        std::thread::sleep(Duration::from_millis(life));
        daemon.kill9();
        kills += 1;
        let counts = daemon.counts();
        let seen: u64 = counts.states.values().sum();
        let come = due.load(Ordering::SeqCst);
        if counts.queued + counts.deferred > 0 || seen < come {
            at_work += 1;
        }
        // Our answers come when what they answer was read.
        if seen >= BEFORE as u64 && come < MAILS as u64 {
            due.store((come + 1 + dice.below(4)).min(MAILS as u64), Ordering::SeqCst);
        }
    }
    kills
}
