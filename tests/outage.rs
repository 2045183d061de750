//! The CRM is down, says no, or takes everything but one mail; the disk's share for mail is used up.
//! Each test states the ledger before, the script, and the ledger and the cards after.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::crm_faults::{Call, CrmFaults, Fault};
use common::daemon::{Daemon, Mailbox};
use common::letter::{letter, subject};
use common::sandbox::SandboxProcess;
use common::{LIMIT, block_on, dovecot, wait_for};
use mailcrm::demo::dovecot::Dovecot;
use mailcrm::ledger::Ledger;
use serde_json::json;
use tempfile::TempDir;

const SALES: &str = "sales@example.com";

/// A mail server, a CRM behind a proxy, and a daemon that was not started yet.
struct Scene {
    dovecot: Dovecot,
    crm: SandboxProcess,
    faults: CrmFaults,
    daemon: Daemon,
    // Removed last.
    _dir: TempDir,
}

fn scene(crm: SandboxProcess, lines: &str) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales", "support"]);
    let faults = CrmFaults::to(crm.port(), 1);
    let daemon = Daemon::new(&faults.url(), &[Mailbox::on(&dovecot, "sales").crm(lines)]);
    Scene { dovecot, crm, faults, daemon, _dir: dir }
}

impl Scene {
    fn receive(&self, from: &str, id: &str) {
        self.deliver("INBOX", &letter(from, SALES, id).raw());
    }

    fn deliver(&self, folder: &str, raw: &[u8]) {
        self.dovecot.deliver("sales", folder, raw).unwrap();
    }

    fn crm_state(&self) -> Option<String> {
        let ledger = Ledger::open_read_only(&self.daemon.ledger_path()).ok()?;
        block_on(ledger.meta("crm_state")).ok()?
    }

    /// Waits until the CRM counts as `state`, which is noted after what was filed.
    #[track_caller]
    fn wait_for_crm(&self, state: &str) {
        wait_for(&format!("the CRM to be {state}"), LIMIT, || {
            self.crm_state().as_deref() == Some(state)
        });
    }

    fn state(&self, state: &str) -> u64 {
        self.daemon.counts().states.get(state).copied().unwrap_or(0)
    }
}

fn octets_in(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

#[test]
fn promise_07_while_the_crm_is_down_mail_is_read_and_queued() {
    let mut scene = scene(SandboxProcess::start(), "");
    scene.faults.off();
    scene.receive("ana@client.example", "history@client.example");
    scene.daemon.start();
    scene.daemon.wait_for_messages(1, LIMIT);
    for number in 0..10 {
        scene
            .receive(&format!("c{number}@client.example"), &format!("live{number}@client.example"));
    }
    scene.daemon.wait_for_messages(11, LIMIT);
    scene.wait_for_crm("deferred");
    assert_eq!(scene.state("queued"), 11);
    assert_eq!(scene.daemon.lines_with("crm deferred"), 1);
    // A restart while it is down changes nothing.
    scene.daemon.kill9();
    scene.daemon.start();

    scene.faults.on();
    scene.daemon.wait_until_filed(11, LIMIT);
    assert_eq!(scene.state("saved"), 11);
    assert_eq!(scene.crm.cards(1).len(), 11);
    scene.wait_for_crm("open");
}

#[test]
fn promise_07_with_a_full_spool_reading_waits_and_loses_nothing() {
    let mut scene = scene(SandboxProcess::start(), "");
    scene.daemon.ledger = "spool_max_mib = 1\n".to_owned();
    scene.daemon.write_config();
    scene.faults.off();
    let large = vec![b'x'; 300 * 1024];
    for number in 0..30 {
        let id = format!("large{number}@client.example");
        let from = format!("c{}@client.example", number % 7);
        scene.deliver("INBOX", &letter(&from, SALES, &id).file("scan.bin", &large).raw());
    }
    scene.daemon.start();
    scene.daemon.wait_for_line("spool full", LIMIT);
    let spool = scene.daemon.ledger_path().with_extension("spool");
    // One more mail comes; none is read, whatever happens.
    scene.receive("late@client.example", "late@client.example");
    scene.daemon.signal("HUP");
    scene.daemon.wait_for_line("configuration taken over", LIMIT);
    let seen: u64 = scene.daemon.counts().states.values().sum();
    assert!((1..20).contains(&seen), "{seen} messages read");
    let used = octets_in(&spool);
    assert!(used < 6 * 1024 * 1024, "{used} octets in a spool of 1 MiB");
    assert_eq!(scene.daemon.lines_with("spool full"), 1);
    assert_eq!(scene.daemon.lines_with("spool has room"), 0);

    scene.faults.on();
    scene.daemon.wait_until_filed(31, LIMIT);
    assert_eq!(scene.state("saved"), 31);
    let counts = scene.crm.call("sandbox.counts", &json!({}));
    assert_eq!((&counts["activities"], &counts["files"]), (&json!(31), &json!(30)));
    scene.daemon.wait_for_line("spool has room", LIMIT);
    // What is owed and no more.
    wait_for("an empty spool", LIMIT, || octets_in(&spool) == 0);
}

/// The CRM blocks everything in one way; says so once; goes on when that is mended.
fn blocked_until(scene: &mut Scene, mend: impl FnOnce(&mut Scene)) {
    scene.receive("ana@client.example", "one@client.example");
    scene.receive("bo@client.example", "two@client.example");
    scene.daemon.start();
    scene.daemon.wait_for_messages(2, LIMIT);
    scene.wait_for_crm("blocked");
    // A reload tries at once; it is still blocked, and that is no news.
    let asked = scene.faults.requests();
    scene.daemon.signal("HUP");
    wait_for("another try", LIMIT, || scene.faults.requests() > asked);
    scene.receive("cy@client.example", "three@client.example");
    scene.daemon.wait_for_messages(3, LIMIT);
    assert_eq!(scene.state("queued"), 3);
    assert_eq!(scene.daemon.lines_with("crm blocked"), 1, "{}", scene.daemon.log());
    assert!(scene.faults.requests() < asked + 10, "a blocked CRM is hammered");

    mend(scene);
    scene.daemon.signal("HUP");
    scene.daemon.wait_until_filed(3, LIMIT);
    assert_eq!(scene.state("saved"), 3);
    assert_eq!(scene.crm.cards(1).len(), 3);
    assert_eq!(scene.daemon.lines_with("crm blocked"), 1);
    scene.wait_for_crm("open");
    assert_eq!(scene.daemon.lines_with("crm open"), 1);
}

#[test]
fn crm_that_refuses_the_key_blocks_until_it_takes_it() {
    let mut scene = scene(SandboxProcess::start(), "");
    scene.faults.before(|_| {
        let text = "Wrong authorization data";
        Some(Fault::Says { status: "401 Unauthorized", code: "NO_AUTH_FOUND", text })
    });
    blocked_until(&mut scene, |scene| scene.faults.mend());
}

#[test]
fn missing_scope_blocks_until_it_is_given() {
    let mut scene = scene(SandboxProcess::start(), "");
    let scope = |scene: &Scene, scope: &str| {
        let webhook = json!({"secret": "sandbox", "employee": 1, "scope": scope});
        scene.crm.call("sandbox.webhook.set", &webhook);
    };
    scope(&scene, "user_basic");
    blocked_until(&mut scene, |scene| scope(scene, "crm,user_basic"));
}

#[test]
fn wrong_webhook_blocks_until_it_is_the_right_one() {
    let mut scene = scene(SandboxProcess::start(), "");
    let url = scene.faults.url().replace("/sandbox/", "/mistyped/");
    let mailboxes = scene.daemon.mailboxes.clone();
    scene.daemon = Daemon::new(&url, &mailboxes);
    blocked_until(&mut scene, |scene| {
        let webhook = json!({"secret": "mistyped", "employee": 1});
        scene.crm.call("sandbox.webhook.set", &webhook);
    });
}

/// Calls of this method about the mail with this Message-ID.
fn is_about(call: &Call, method: &str, id: &str) -> bool {
    call.method == method && call.params["fields"]["SUBJECT"] == subject(id)
}

#[test]
fn promise_06_entry_that_always_crashes_is_refused_after_ten_tries_while_others_are_filed() {
    const BAD: &str = "bad@client.example";
    let mut scene = scene(SandboxProcess::start(), "");
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    scene.faults.before(move |call| {
        if !is_about(call, "crm.activity.add", BAD) {
            return None;
        }
        counted.fetch_add(1, Ordering::SeqCst);
        let text = "Internal server error";
        let status = "500 Internal Server Error";
        Some(Fault::Says { status, code: "INTERNAL_SERVER_ERROR", text })
    });
    scene.daemon.start();
    scene.receive("ana@client.example", BAD);
    scene.receive("ana@client.example", "behind@client.example");
    for round in 0..40 {
        if scene.state("refused") == 1 {
            break;
        }
        let before = tries.load(Ordering::SeqCst);
        scene.receive(&format!("c{round}@client.example"), &format!("good{round}@client.example"));
        wait_for("the others to be filed", LIMIT, || scene.state("saved") > round);
        scene.daemon.let_time_pass();
        scene.receive(&format!("d{round}@client.example"), &format!("more{round}@client.example"));
        wait_for("another try", LIMIT, || {
            tries.load(Ordering::SeqCst) > before || scene.state("refused") == 1
        });
    }
    wait_for("the refusal", LIMIT, || scene.state("refused") == 1);
    let tries = tries.load(Ordering::SeqCst);
    // Ten that count: some came when nothing else had been filed since the one before.
    assert!((10..25).contains(&tries), "{tries} tries of the entry that crashes");
    assert_eq!(scene.daemon.lines_with("delivery refused"), 1);
    wait_for("the mail behind it", LIMIT, || scene.state("queued") == 0);
    let bad = scene.daemon.view(BAD);
    assert_eq!((bad.state.as_str(), bad.reason), ("refused", None));
    assert_eq!(bad.attempts.last().unwrap().code, "INTERNAL_SERVER_ERROR");
    let behind = scene.daemon.view("behind@client.example");
    assert_eq!(behind.state, "saved");
    assert_eq!(scene.crm.activities().len() as u64, scene.state("saved"));
}

#[test]
fn crm_that_crashes_for_all_is_down_and_costs_no_mail() {
    let mut scene = scene(SandboxProcess::start(), "");
    scene.daemon.start();
    scene.receive("first@client.example", "first@client.example");
    scene.daemon.wait_until_filed(1, LIMIT);
    // The web server is up, the CRM behind it is not: as common as a refused connection.
    scene.faults.before(|_| Some(Fault::BadGateway));
    for number in 0..20 {
        scene.receive(&format!("c{number}@client.example"), &format!("m{number}@client.example"));
    }
    scene.daemon.wait_for_messages(21, LIMIT);
    scene.wait_for_crm("deferred");
    // An outage of many hours.
    for _ in 0..14 {
        let before = scene.faults.requests();
        scene.daemon.let_time_pass();
        scene.daemon.signal("HUP");
        wait_for("another try", LIMIT, || scene.faults.requests() > before);
    }
    assert_eq!(scene.state("queued"), 20);
    assert!(scene.faults.requests() < 300, "{} requests", scene.faults.requests());
    assert_eq!(scene.daemon.lines_with("crm deferred"), 1, "{}", scene.daemon.log());

    // It comes back, and stumbles once more for each.
    let mut stumbled = HashSet::new();
    scene.faults.before(move |call| {
        let title = call.params["fields"]["title"].to_string();
        let first =
            call.method == "crm.item.add" && !title.contains("ring") && stumbled.insert(title);
        first.then_some(Fault::BadGateway)
    });
    let mut rings = 0;
    let began = Instant::now();
    while scene.state("queued") > 0 {
        // What an earlier process may have sent is waited out from this one's start.
        assert!(began.elapsed() < LIMIT, "{:?}", scene.daemon.counts());
        scene.daemon.let_time_pass();
        // New mail lets the daemon look what is due.
        let ring = format!("ring{rings}@client.example");
        rings += 1;
        scene.receive(&ring, &ring);
        wait_for("the new mail to be read", LIMIT, || {
            let states = scene.daemon.counts().states;
            states.values().sum::<u64>() == 21 + rings
        });
        // And if it pauses, somebody asks it to try again at once.
        let tried = scene.faults.requests();
        scene.daemon.signal("HUP");
        wait_for("a try", LIMIT, || scene.faults.requests() > tried || scene.state("queued") == 0);
    }
    assert_eq!(scene.state("refused"), 0);
    assert_eq!(scene.state("saved"), 21 + rings);
    assert_eq!(scene.crm.activities().len() as u64, 21 + rings);
    assert_eq!(scene.crm.cards(1).len() as u64, 21 + rings);
}

/// The entry of this mail is tried again in an hour.
fn let_wait(daemon: &Daemon, id: &str) {
    daemon.sql(&format!(
        "UPDATE entry SET next_attempt_at = strftime('%s') + 3600
         WHERE message = (SELECT id FROM message WHERE message_id = '{id}')"
    ));
}

#[test]
fn promise_06_mail_behind_a_waiting_one_holds_up_neither_live_mail_nor_history() {
    const HEAD: &str = "head@slow.example";
    let mut scene = scene(SandboxProcess::start(), "");
    scene.faults.off();
    for number in 0..60 {
        scene.receive(&format!("h{number}@client.example"), &format!("h{number}@client.example"));
    }
    scene.daemon.start();
    scene.daemon.wait_for_messages(60, LIMIT);
    scene.receive("slow@slow.example", HEAD);
    for number in 0..60 {
        scene.receive("slow@slow.example", &format!("behind{number}@slow.example"));
    }
    scene.receive("quick@client.example", "quick@client.example");
    scene.daemon.wait_for_messages(122, LIMIT);
    scene.daemon.kill9();
    let_wait(&scene.daemon, HEAD);
    let before = scene.faults.requests();
    scene.daemon.start();
    scene.faults.on();
    wait_for("live mail and history to be filed", LIMIT, || scene.state("saved") == 61);
    assert_eq!(scene.state("queued"), 61);
    let requests = scene.faults.requests() - before;
    assert!(requests < 61 * 8, "{requests} requests for 61 mails");
}

#[test]
fn promise_06_mails_that_always_fail_do_not_stand_before_one_that_was_never_tried() {
    let mut scene = scene(SandboxProcess::start(), "");
    scene.faults.before(|call| {
        let bad = (0..4).any(|number| is_about(call, "crm.activity.add", &bad(number)));
        bad.then_some(Fault::BadGateway)
    });
    scene.daemon.start();
    for number in 0..4 {
        scene.receive(&format!("c{number}@client.example"), &bad(number));
    }
    scene.daemon.wait_for_messages(4, LIMIT);
    scene.wait_for_crm("deferred");
    scene.receive("good@client.example", "good@client.example");
    scene.daemon.wait_for_messages(5, LIMIT);
    // Those that fail are always due when the daemon looks.
    wait_for("the good mail to be filed", LIMIT, || {
        scene.daemon.let_time_pass();
        scene.state("saved") == 1
    });
}

fn bad(number: usize) -> String {
    format!("bad{number}@client.example")
}

#[test]
fn look_ups_that_fail_once_let_no_mail_overtake_another_of_its_sender() {
    let mut scene = scene(SandboxProcess::start(), "");
    scene.faults.off();
    scene.daemon.start();
    for id in ["first@client.example", "second@client.example"] {
        scene.receive("ana@client.example", id);
        scene.receive(&format!("x-{id}"), &format!("x-{id}"));
    }
    scene.daemon.wait_for_messages(4, LIMIT);
    // The look-ups of all together fail, then the first call for the first mail is lost.
    let (mut look_ups, mut lost) = (0, false);
    scene.faults.before(move |call| {
        let title = call.params["fields"]["title"].as_str().unwrap_or_default();
        if call.method == "crm.duplicate.findbycomm" && look_ups < 2 {
            look_ups += 1;
            return Some(Fault::BadGateway);
        }
        let first = call.method == "crm.item.add" && title == subject("first@client.example");
        (first && !std::mem::replace(&mut lost, true)).then_some(Fault::BadGateway)
    });
    scene.daemon.kill9();
    scene.daemon.start();
    scene.faults.on();
    wait_for("all to be filed", LIMIT, || {
        scene.daemon.let_time_pass();
        scene.daemon.signal("HUP");
        std::thread::sleep(Duration::from_millis(500));
        scene.state("saved") == 4
    });
    let leads = scene.crm.cards(1);
    let of_ana: Vec<_> = leads
        .iter()
        .map(|lead| lead["title"].as_str().unwrap())
        .filter(|title| !title.contains("x-"))
        .collect();
    assert_eq!(of_ana, [subject("first@client.example")]);
}

#[test]
fn mails_of_one_round_that_share_a_person_make_one_card_for_both() {
    let mut scene = scene(SandboxProcess::start(), "");
    // History is filed together, once all folders are read.
    scene.receive("ana@client.example", "first@client.example");
    let reply_to =
        |id: &str, to: &str| letter("ana@client.example", SALES, id).header("Reply-To", to);
    for number in 0..3 {
        let id = format!("other{number}@client.example");
        scene.deliver("INBOX", &reply_to(&id, &format!("ana{number}@home.example")).raw());
    }
    scene.daemon.start();
    scene.daemon.wait_until_filed(4, LIMIT);
    assert_eq!(scene.state("saved"), 4);
    assert_eq!(scene.crm.cards(1).len(), 1);
}

#[test]
fn contact_whose_deal_was_refused_is_found_by_the_next_mail() {
    let mut scene = scene(SandboxProcess::start_with(&["--simple"]), "");
    let refused = AtomicBool::new(false);
    scene.faults.before(move |call| {
        let deal = call.method == "crm.item.add" && call.params["entityTypeId"] == 2;
        let (status, text) = ("400 Bad Request", "Required field is empty");
        let says = Fault::Says { status, code: "CRM_FIELD_ERROR_REQUIRED", text };
        (deal && !refused.swap(true, Ordering::SeqCst)).then_some(says)
    });
    // History is filed together, once all folders are read.
    for id in ["one@client.example", "two@client.example", "three@client.example"] {
        scene.receive("ana@client.example", id);
    }
    scene.daemon.start();
    scene.daemon.wait_until_filed(3, LIMIT);
    assert_eq!((scene.state("saved"), scene.state("refused")), (2, 1));
    assert_eq!(scene.crm.cards(3).len(), 1);
}

#[test]
fn files_that_never_get_there_are_left_out_with_a_line_and_the_mail_is_filed() {
    const HEAVY: &str = "heavy@client.example";
    let mut scene = scene(SandboxProcess::start(), "");
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    scene.faults.before(move |call| {
        let with_files = call.method == "crm.activity.update"
            && call.params["fields"]["FILES"].as_array().is_some_and(|files| !files.is_empty());
        if !with_files {
            return None;
        }
        counted.fetch_add(1, Ordering::SeqCst);
        Some(Fault::CallLost)
    });
    scene.daemon.start();
    let heavy = letter("heavy@client.example", SALES, HEAVY).file("plan.bin", b"12345");
    scene.deliver("INBOX", &heavy.raw());
    wait_for("the first try", LIMIT, || tries.load(Ordering::SeqCst) > 0);
    for number in 0..12 {
        scene.receive(&format!("c{number}@client.example"), &format!("m{number}@client.example"));
        wait_for("other mail to be filed", LIMIT, || scene.state("saved") > number);
        let before = tries.load(Ordering::SeqCst);
        // A lost call is waited for until no call of this process can be at work any more.
        wait_for("the next try", LIMIT, || {
            scene.daemon.let_time_pass();
            scene.daemon.signal("HUP");
            std::thread::sleep(Duration::from_millis(500));
            tries.load(Ordering::SeqCst) > before || scene.state("queued") == 0
        });
        if scene.state("queued") == 0 {
            break;
        }
    }
    assert_eq!((scene.state("queued"), scene.state("refused")), (0, 0));
    assert!(tries.load(Ordering::SeqCst) >= 5, "{} tries", tries.load(Ordering::SeqCst));
    let activities = scene.crm.activities();
    let heavy = activities.iter().find(|one| one["SUBJECT"] == subject(HEAVY)).unwrap();
    let text = heavy["DESCRIPTION"].as_str().unwrap();
    assert!(
        text.contains("Attachment left out: plan.bin (5 bytes): the CRM did not take it"),
        "{text}"
    );
}

#[test]
fn promise_06_call_that_hangs_holds_up_only_its_own_sender() {
    let mut scene = scene(SandboxProcess::start(), "");
    scene.daemon.start();
    scene.receive("first@client.example", "first@client.example");
    scene.daemon.wait_until_filed(1, LIMIT);
    let (hang, hangs) = std::sync::mpsc::channel::<()>();
    let hangs = std::sync::Mutex::new(hangs);
    scene.faults.stall(move |call| {
        if is_about(call, "crm.activity.add", "slow@client.example") {
            // Until the test is over.
            let _ = hangs.lock().unwrap().recv();
        }
    });
    scene.receive("slow@client.example", "slow@client.example");
    wait_for("the slow call", LIMIT, || {
        !scene
            .faults
            .calls_of("crm.item.add")
            .iter()
            .all(|call| call.params["fields"]["title"] != subject("slow@client.example"))
    });
    let asked = Instant::now();
    for number in 0..6 {
        scene.receive(&format!("c{number}@client.example"), &format!("m{number}@client.example"));
    }
    wait_for("the others to be filed", LIMIT, || scene.state("saved") == 7);
    // The daemon gives a call 75 seconds.
    assert!(asked.elapsed() < Duration::from_secs(70), "they waited for the call that hangs");
    assert_eq!(scene.state("queued"), 1);
    drop(hang);
    scene.daemon.wait_until_filed(8, LIMIT);
    assert_eq!(scene.crm.activities().len(), 8);
}

#[test]
fn method_over_its_operating_time_holds_up_only_what_needs_it() {
    let mut scene = scene(SandboxProcess::start(), "");
    scene.crm.add_contact("Ana", "ana@known.example", 7);
    scene.faults.before(|call| {
        let (status, text) =
            ("429 Too Many Requests", "Method is blocked due to operation time limit.");
        let limited = call.method == "crm.item.add";
        limited.then_some(Fault::Says { status, code: "OPERATION_TIME_LIMIT", text })
    });
    scene.daemon.start();
    for number in 0..4 {
        scene.receive(&format!("c{number}@client.example"), &format!("m{number}@client.example"));
    }
    scene.daemon.wait_for_messages(4, LIMIT);
    wait_for("the portal to say no", LIMIT, || !scene.faults.calls_of("crm.item.add").is_empty());
    scene.receive("ana@known.example", "known@known.example");
    wait_for("mail of a known client to be filed", LIMIT, || scene.state("saved") == 1);
    assert_eq!(scene.state("queued"), 4);
    // Four lanes may have asked before the first was answered.
    let asked = scene.faults.calls_of("crm.item.add").len();
    assert!(asked <= 4, "a method that rests was asked {asked} times");
    scene.wait_for_crm("open");
}

#[test]
fn crm_that_blocks_what_was_open_stays_blocked_until_it_answers() {
    let mut scene = scene(SandboxProcess::start(), "");
    scene.daemon.start();
    scene.receive("ana@client.example", "one@client.example");
    scene.daemon.wait_until_filed(1, LIMIT);
    scene.faults.before(|_| {
        let text = "Unable to authorize user";
        Some(Fault::Says { status: "401 Unauthorized", code: "authorization_error", text })
    });
    scene.receive("bo@client.example", "two@client.example");
    scene.wait_for_crm("blocked");
    for _ in 0..3 {
        let asked = scene.faults.requests();
        scene.daemon.signal("HUP");
        wait_for("another try", LIMIT, || scene.faults.requests() > asked);
    }
    assert_eq!(scene.crm_state().as_deref(), Some("blocked"));
    assert_eq!(scene.daemon.lines_with("crm blocked"), 1, "{}", scene.daemon.log());
    assert_eq!(scene.daemon.lines_with("crm open"), 0, "{}", scene.daemon.log());
    scene.faults.mend();
    scene.daemon.let_time_pass();
    scene.daemon.signal("HUP");
    scene.daemon.wait_until_filed(2, LIMIT);
    scene.wait_for_crm("open");
    assert_eq!(scene.daemon.lines_with("crm open"), 1);
}

#[test]
fn plan_that_makes_no_new_cards_holds_up_no_mail_of_known_clients() {
    let mut scene = scene(SandboxProcess::start(), "");
    scene.crm.add_contact("Ana", "ana@known.example", 7);
    scene.faults.before(|call| {
        let (status, text) = ("400 Bad Request", "Your plan does not allow it.");
        let refused = call.method == "crm.item.add";
        refused.then_some(Fault::Says { status, code: "CREATE_DYNAMIC_ITEM_RESTRICTED", text })
    });
    scene.daemon.start();
    scene.receive("c1@client.example", "m1@client.example");
    scene.receive("c2@client.example", "m2@client.example");
    wait_for("the portal to say no", LIMIT, || scene.faults.calls_of("crm.item.add").len() >= 2);
    scene.receive("ana@known.example", "known@known.example");
    wait_for("mail of a known client to be filed", LIMIT, || scene.state("saved") == 1);
    assert_eq!((scene.state("queued"), scene.state("refused")), (2, 0));
}

#[test]
fn answer_waits_for_the_mail_that_it_answers_and_asks_nothing_meanwhile() {
    const PARENT: &str = "parent@slow.example";
    const CHILD: &str = "child@client.example";
    let mut scene = scene(SandboxProcess::start(), "");
    scene.faults.off();
    scene.daemon.start();
    scene.receive("slow@slow.example", PARENT);
    scene.daemon.wait_for_messages(1, LIMIT);
    scene.daemon.kill9();
    let_wait(&scene.daemon, PARENT);
    scene.daemon.start();
    scene.faults.on();
    let child = letter("colleague@client.example", SALES, CHILD).answers(PARENT);
    scene.deliver("INBOX", &child.raw());
    scene.receive("other@client.example", "other@client.example");
    wait_for("other mail to be filed", LIMIT, || scene.state("saved") == 1);
    // Not as long as the parent, which may be tried sooner than is said now.
    let soon = scene.daemon.view(PARENT).next_attempt_at.unwrap() - 3600 + 30;
    wait_for("the child to wait", LIMIT, || {
        scene.daemon.view(CHILD).next_attempt_at.unwrap() > soon
    });
    let asked = scene.faults.calls_of("crm.duplicate.findbycomm");
    assert!(asked.iter().all(|call| !call.params.to_string().contains("colleague@")));

    scene.daemon.let_time_pass();
    scene.receive("ring@client.example", "ring@client.example");
    scene.daemon.wait_until_filed(4, LIMIT);
    assert_eq!(scene.daemon.view(CHILD).cards, scene.daemon.view(PARENT).cards);
    assert_eq!(scene.crm.cards(1).len(), 3);
}

#[test]
fn card_that_is_deleted_after_the_look_up_is_replaced_once_with_a_note() {
    let mut scene = scene(SandboxProcess::start(), "");
    let contact = scene.crm.add_contact("Ana", "ana@client.example", 7);
    let deal = scene.crm.add_deal("Roof", contact, 7);
    let deleted = AtomicBool::new(false);
    let port = scene.crm.port();
    scene.faults.before(move |call| {
        if call.method == "crm.activity.add" && !deleted.swap(true, Ordering::SeqCst) {
            let target = "/rest/1/sandbox/crm.item.delete";
            common::http::post(port, target, &json!({"entityTypeId": 2, "id": deal})).unwrap();
        }
        None
    });
    scene.daemon.start();
    scene.receive("ana@client.example", "one@client.example");
    scene.daemon.wait_until_filed(1, LIMIT);
    let view = scene.daemon.view("one@client.example");
    assert_eq!(
        view.cards.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [format!("contact:{contact}")]
    );
    assert!(view.evidence.to_string().contains("card-gone"), "{}", view.evidence);
    assert_eq!(scene.crm.activities().len(), 1);
    assert!(scene.crm.cards(1).is_empty());
}

#[test]
fn card_that_is_deleted_with_the_new_activity_is_replaced_too() {
    let mut scene = scene(SandboxProcess::start(), "bind_contact = false\n");
    let contact = scene.crm.add_contact("Ana", "ana@client.example", 7);
    let deal = scene.crm.add_deal("Roof", contact, 7);
    let deleted = AtomicBool::new(false);
    let port = scene.crm.port();
    scene.faults.before(move |call| {
        if call.method == "crm.activity.update" && !deleted.swap(true, Ordering::SeqCst) {
            let target = "/rest/1/sandbox/crm.item.delete";
            common::http::post(port, target, &json!({"entityTypeId": 2, "id": deal})).unwrap();
        }
        None
    });
    scene.daemon.start();
    scene.receive("ana@client.example", "one@client.example");
    scene.daemon.wait_until_filed(1, LIMIT);
    let view = scene.daemon.view("one@client.example");
    assert_eq!(view.state, "saved", "{:?}", view.attempts);
    let cards: Vec<String> = view.cards.iter().map(ToString::to_string).collect();
    assert_eq!(cards, [format!("contact:{contact}")]);
    let activities = scene.crm.activities();
    assert_eq!(activities.len(), 1);
    assert_eq!(activities[0]["OWNER_ID"], contact.to_string());
    assert_eq!(activities[0]["ID"], view.activity_id.unwrap().to_string());
}

#[test]
fn deal_that_is_deleted_before_it_is_bound_costs_neither_the_mail_nor_a_second_activity() {
    let mut scene = scene(SandboxProcess::start(), "deal_choice = \"all\"\n");
    let contact = scene.crm.add_contact("Ana", "ana@client.example", 7);
    let deals = ["Roof", "Cellar"].map(|title| scene.crm.add_deal(title, contact, 7));
    let deleted = AtomicBool::new(false);
    let port = scene.crm.port();
    scene.faults.before(move |call| {
        if call.method == "crm.activity.binding.add" && !deleted.swap(true, Ordering::SeqCst) {
            let target = "/rest/1/sandbox/crm.item.delete";
            let bound = json!({"entityTypeId": 2, "id": call.params["entityId"]});
            common::http::post(port, target, &bound).unwrap();
        }
        None
    });
    scene.daemon.start();
    scene.receive("ana@client.example", "one@client.example");
    scene.daemon.wait_until_filed(1, LIMIT);
    let view = scene.daemon.view("one@client.example");
    assert_eq!(view.state, "saved", "{:?}", view.attempts);
    let activities = scene.crm.activities();
    assert_eq!(activities.len(), 1);
    let left = scene.crm.cards(2);
    assert_eq!(left.len(), 1);
    assert!(deals.contains(&left[0]["id"].as_u64().unwrap()));
    assert_eq!(activities[0]["OWNER_ID"], left[0]["id"].to_string());
    assert_eq!(view.cards[0].id.to_string(), left[0]["id"].to_string());
    let files = scene.faults.calls_of("crm.activity.update");
    assert_eq!(files.len(), 1, "the content was written twice");
}

#[test]
fn mail_whose_cards_are_deleted_again_and_again_is_refused() {
    let mut scene = scene(SandboxProcess::start(), "");
    let port = scene.crm.port();
    scene.faults.before(move |call| {
        if call.method == "crm.activity.add" {
            let id = &call.params["fields"]["OWNER_ID"];
            let target = "/rest/1/sandbox/crm.item.delete";
            common::http::post(port, target, &json!({"entityTypeId": 1, "id": id})).unwrap();
        }
        None
    });
    scene.daemon.start();
    scene.receive("ana@client.example", "one@client.example");
    wait_for("the refusal", LIMIT, || scene.state("refused") == 1);
    assert_eq!(scene.faults.calls_of("crm.activity.add").len(), 2);
    assert_eq!(scene.daemon.lines_with("delivery refused"), 1);
}

#[test]
fn card_that_may_not_be_read_parks_the_mail() {
    let mut scene = scene(SandboxProcess::start(), "");
    let contact = scene.crm.add_contact("Ana", "ana@client.example", 7);
    scene.crm.call("sandbox.hide", &json!({"employee": 1, "entityTypeId": 3, "id": contact}));
    scene.daemon.start();
    scene.receive("ana@client.example", "one@client.example");
    scene.receive("bo@client.example", "two@client.example");
    scene.daemon.wait_until_filed(2, LIMIT);
    let view = scene.daemon.view("one@client.example");
    assert_eq!((view.state.as_str(), view.reason.as_deref()), ("parked", Some("hidden-card")));
    let candidate = view.candidates[0].to_string();
    assert!(candidate.contains("contact") && candidate.contains(&contact.to_string()));
    assert_eq!(scene.daemon.view("two@client.example").state, "saved");
    assert_eq!(scene.crm.cards(1).len(), 1);
}
