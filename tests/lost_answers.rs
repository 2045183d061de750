//! The CRM takes calls and loses its answers, or never hears of them, or has a bad day: nothing is
//! made twice, and nothing is missing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::crm_faults::{CrmFaults, Fault, Odds};
use common::daemon::{Daemon, Mailbox};
use common::letter::letter;
use common::sandbox::SandboxProcess;
use common::world::World;
use common::{Dice, LIMIT, dovecot, wait_for};
use serde_json::json;

/// Files `before` mails as history and `later` live ones through a CRM with these odds.
fn all_is_filed_once(odds: Odds, before: usize, later: usize) {
    let mut dice = Dice::cast();
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let faults = CrmFaults::to(crm.port(), dice.next());
    faults.odds(odds);
    let mut world = World::with_clients(&crm, 6);
    world.write_first(before, &mut dice);
    for number in 0..before {
        world.deliver(&dovecot, number);
    }
    let daemon = Daemon::running(&faults.url(), &[Mailbox::on(&dovecot, "sales")]);
    daemon.wait_for_messages(before as u64, LIMIT);
    world.write_later(before + later, &mut dice);
    for number in before..before + later {
        world.deliver(&dovecot, number);
    }
    let all = (before + later) as u64;
    let mut asked = Instant::now();
    wait_for("all to be filed", LIMIT, || {
        // The pauses double as long as the trouble lasts: they are cut short. The proxy is done
        // with a call when its answer is lost.
        if asked.elapsed() > Duration::from_secs(2) {
            daemon.let_time_pass();
            daemon.signal("HUP");
            asked = Instant::now();
        }
        let counts = daemon.counts();
        counts.states.get("saved") == Some(&all) && counts.queued + counts.deferred == 0
    });
    println!("{} faults in {} requests", faults.faults(), faults.requests());
    world.assert_filed(&crm, &daemon);
    faults.assert_sends_no_mail();
    assert!(faults.faults() > 0);
    assert_eq!(daemon.lines_with("delivery refused"), 0);
}

#[test]
fn promise_03_lost_answers_make_nothing_twice() {
    all_is_filed_once(Odds { answer_lost: 0.3, ..Odds::default() }, 8, 4);
}

#[test]
fn promise_03_calls_that_never_arrived_are_made_again() {
    all_is_filed_once(Odds { call_lost: 0.15, ..Odds::default() }, 6, 3);
}

#[test]
fn promise_03_all_faults_together_make_nothing_twice_and_lose_nothing() {
    let odds = Odds {
        answer_lost: 0.08,
        call_lost: 0.04,
        too_many: 0.08,
        html_error: 0.04,
        bad_gateway: 0.04,
    };
    all_is_filed_once(odds, 9, 4);
}

#[test]
fn promise_03_what_was_made_is_looked_up_by_its_origin_before_it_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let faults = CrmFaults::to(crm.port(), 1);
    let daemon = Daemon::running(&faults.url(), &[Mailbox::on(&dovecot, "sales")]);
    wait_for("the CRM to be asked", LIMIT, || !faults.calls_of("profile").is_empty());
    faults.script("crm.item.add", &[Fault::AnswerLost]);
    faults.script("crm.activity.add", &[Fault::AnswerLost]);
    faults.script("crm.activity.update", &[Fault::AnswerLost]);
    let mail = letter("ana@client.example", "sales@example.com", "one@client.example");
    dovecot.deliver("sales", "INBOX", &mail.file("a.bin", b"a").raw()).unwrap();
    daemon.wait_until_filed(1, LIMIT);

    for method in ["crm.item.add", "crm.activity.add", "crm.activity.update"] {
        assert_eq!(faults.calls_of(method).len(), 1, "{method} was sent again");
    }
    let activity = &crm.activities()[0];
    let origin = activity["ORIGIN_ID"].as_str().unwrap();
    let asked: BTreeSet<String> = faults
        .calls()
        .into_iter()
        .filter(|call| call.method == "crm.activity.list")
        .filter_map(|call| Some(call.params["filter"]["ORIGIN_ID"].as_str()?.to_owned()))
        .collect();
    assert_eq!(asked, BTreeSet::from([origin.to_owned()]));
    let leads = crm.cards(1);
    assert_eq!(leads.len(), 1);
    assert_ne!(leads[0]["originId"].as_str().unwrap(), origin);
    let counts = crm.call("sandbox.counts", &json!({}));
    assert_eq!(counts["files"], 1, "{counts}");
}
