//! Mail that was skipped, parked or could not be read is decided again: filed once, and nothing
//! else is touched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use common::crm_faults::{CrmFaults, Fault};
use common::cutter::Cutter;
use common::daemon::{Answer, Daemon, Mailbox};
use common::imap_server::{Asked, ImapServer, Play, about};
use common::mails::Mail;
use common::sandbox::SandboxProcess;
use common::scene::{
    Scene, activity, mail, message, places, reconciled, sent, until_mailbox, until_state,
};
use common::{Dice, LIMIT, assert_same, wait_for};
use serde_json::{Value, json};

use crate::imap_traps::until_quarantined;

/// FAQ F1: whatever arrives counts as spam.
const TRAP: &str = "spam = \"INBOX\"\n";
const MENDED: &str = "spam = \"Junk\"\n";

/// The answer of `redecide`, which must have worked.
#[track_caller]
fn redecided(daemon: &Daemon, args: &[&str]) -> Answer {
    let answer = daemon.mailcrm_json(&[&["redecide"], args].concat());
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{answer:?}");
    answer
}

/// What was decided of each message: by subject, what it was and what it is.
#[track_caller]
fn decisions(daemon: &Daemon, answer: &Answer) -> BTreeMap<String, String> {
    let subjects: BTreeMap<u64, String> = daemon
        .messages(&[])
        .iter()
        .map(|one| (one["id"].as_u64().unwrap(), one["subject"].as_str().unwrap().to_owned()))
        .collect();
    let lines = answer.json_lines();
    let told: BTreeMap<String, String> = lines
        .iter()
        .map(|line| {
            assert_eq!(line.as_object().unwrap().len(), 4, "{line}");
            let text = |key: &str| line[key].as_str().unwrap_or("-");
            let told = format!("{} {} {}", text("before"), text("after"), text("reason"));
            (subjects[&line["id"].as_u64().unwrap()].clone(), told)
        })
        .collect();
    assert_eq!(told.len(), lines.len(), "{lines:?}");
    told
}

fn told(decisions: &[(&str, &str)]) -> BTreeMap<String, String> {
    decisions.iter().map(|(subject, told)| ((*subject).to_owned(), (*told).to_owned())).collect()
}

/// Writes the configuration again with these lines for the folders and for the CRM.
fn configure(daemon: &mut Daemon, folders: &str, crm: &str) {
    for mailbox in &mut daemon.mailboxes {
        mailbox.folders = folders.to_owned();
        mailbox.crm = crm.to_owned();
    }
    daemon.write_config();
}

/// A daemon that has skipped this mail of `sales`, for the inbox is its spam folder.
fn trapped(scene: &Scene, subjects: &[&str]) -> Daemon {
    for subject in subjects {
        scene.deliver("sales", "INBOX", &mail(subject));
    }
    let mailbox = scene.mailbox("sales").folders(TRAP);
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    for subject in subjects {
        until_state(&daemon, subject, "skipped", Some("spam-folder"));
    }
    until_mailbox(&daemon, "sales", "idle");
    daemon
}

/// Runs it once more, and once more after a restart: nothing changes, here or in the CRM.
#[track_caller]
fn nothing_is_left_to_decide(scene: &Scene, daemon: &mut Daemon) {
    let (ledger, crm) = (daemon.decided(), scene.crm.contents());
    assert_eq!(redecided(daemon, &[]).stdout, "");
    daemon.terminate();
    daemon.start();
    until_mailbox(daemon, "sales", "idle");
    assert_eq!(redecided(daemon, &[]).stdout, "");
    daemon.wait_until_settled(1, LIMIT);
    assert_same(&daemon.decided(), &ledger);
    assert_same(&scene.crm.contents(), &crm);
    reconciled(daemon);
}

#[test]
fn mail_of_the_inbox_that_was_the_spam_folder_is_filed_once_through_the_running_daemon() {
    let scene = Scene::with(&["sales"]);
    let mut daemon = trapped(&scene, &["One", "Two", "Three"]);
    assert!(scene.filed().is_empty());
    // Nothing changed yet: the same is decided again.
    let same = redecided(&daemon, &[]);
    let skipped = "skipped skipped spam-folder";
    assert_eq!(
        decisions(&daemon, &same),
        told(&[("One", skipped), ("Two", skipped), ("Three", skipped)])
    );
    assert!(scene.filed().is_empty());

    configure(&mut daemon, MENDED, "");
    let mended = redecided(&daemon, &[]);
    let queued = "skipped queued -";
    assert_eq!(
        decisions(&daemon, &mended),
        told(&[("One", queued), ("Two", queued), ("Three", queued)])
    );
    scene.until_filed(&["One", "Two", "Three"]);
    daemon.wait_until_settled(3, LIMIT);
    assert_eq!(scene.crm.cards(1).len(), 3);
    // The daemon took the configuration over for what arrives.
    scene.deliver("sales", "INBOX", &mail("Four"));
    scene.until_filed(&["One", "Two", "Three", "Four"]);
    daemon.wait_until_settled(4, LIMIT);
    nothing_is_left_to_decide(&scene, &mut daemon);
    assert_eq!(daemon.lines_with("nothing arriving is saved"), 1);
}

#[test]
fn without_a_daemon_what_is_decided_again_is_filed_once_at_the_next_start() {
    let scene = Scene::with(&["sales"]);
    let mut daemon = trapped(&scene, &["One", "Two"]);
    daemon.terminate();
    configure(&mut daemon, MENDED, "");
    let first = redecided(&daemon, &[]);
    let queued = "skipped queued -";
    assert_eq!(decisions(&daemon, &first), told(&[("One", queued), ("Two", queued)]));
    for subject in ["One", "Two"] {
        until_state(&daemon, subject, "queued", None);
    }
    assert!(scene.filed().is_empty());
    // What is owed is not decided again.
    let ledger = daemon.rows();
    assert_eq!(redecided(&daemon, &[]).stdout, "");
    let answer = daemon.mailcrm(&["redecide"]);
    assert_eq!(answer.stdout, "0 messages decided again, 0 changed\n", "{answer:?}");
    assert_same(&daemon.rows(), &ledger);

    daemon.start();
    scene.until_filed(&["One", "Two"]);
    daemon.wait_until_settled(2, LIMIT);
    nothing_is_left_to_decide(&scene, &mut daemon);
}

#[test]
fn dry_run_writes_nothing_and_tells_what_is_then_done() {
    let scene = Scene::with(&["sales"]);
    let inside = mail("Inside");
    let inside = Mail { from: "Boss <boss@example.com>".to_owned(), ..inside };
    scene.deliver("sales", "INBOX", &inside);
    // Without a Message-ID its body is needed to know it again.
    scene.deliver("sales", "INBOX", &mail("No id").id(""));
    let mut daemon = trapped(&scene, &["Client", "Excluded", "Another"]);
    until_state(&daemon, "Inside", "skipped", Some("spam-folder"));
    until_state(&daemon, "No id", "skipped", Some("spam-folder"));
    configure(&mut daemon, MENDED, "exclude = [\"*@excluded.example\"]\n");
    let wanted = told(&[
        ("Client", "skipped queued -"),
        ("Another", "skipped queued -"),
        ("No id", "skipped queued -"),
        ("Inside", "skipped skipped internal"),
        ("Excluded", "skipped skipped excluded"),
    ]);

    // Beside the daemon, which goes by the old configuration meanwhile.
    let decided = daemon.decided();
    let beside = redecided(&daemon, &["--dry-run"]);
    assert_eq!(decisions(&daemon, &beside), wanted);
    assert_same(&daemon.decided(), &decided);
    scene.deliver("sales", "INBOX", &mail("Still trapped"));
    until_state(&daemon, "Still trapped", "skipped", Some("spam-folder"));

    daemon.terminate();
    let (ledger, crm) = (daemon.rows(), scene.crm.contents());
    let dry = redecided(&daemon, &["--dry-run"]);
    let mut wanted = wanted;
    wanted.insert("Still trapped".to_owned(), "skipped queued -".to_owned());
    assert_eq!(decisions(&daemon, &dry), wanted);
    let told = daemon.mailcrm(&["redecide", "--dry-run"]);
    // Another reason is a change too.
    assert!(told.stdout.ends_with("6 messages decided again, 6 would change\n"), "{told:?}");
    assert!(told.stdout.contains("  skipped      skipped      internal\n"), "{told:?}");
    assert_same(&daemon.rows(), &ledger);
    assert_same(&scene.crm.contents(), &crm);

    assert_eq!(redecided(&daemon, &[]).stdout, dry.stdout);
    daemon.start();
    scene.until_filed(&["Another", "Client", "No id", "Still trapped"]);
    daemon.wait_until_settled(6, LIMIT);
    until_state(&daemon, "Inside", "skipped", Some("internal"));
    until_state(&daemon, "Excluded", "skipped", Some("excluded"));
    // What is skipped is decided the same again.
    let (ledger, crm) = (daemon.decided(), scene.crm.contents());
    redecided(&daemon, &[]);
    assert_same(&daemon.decided(), &ledger);
    assert_same(&scene.crm.contents(), &crm);
}

#[test]
fn filters_name_what_is_decided_again() {
    let scene = Scene::with(&["sales", "support"]);
    let days_ago = |days: u64| SystemTime::now() - Duration::from_secs(days * 86_400);
    let excluded = "exclude = [\"*@alpha.example\", \"*@beta.example\", \"*@old.example\"]\n\
                    deal_choice = \"ask\"\n";
    let contact = scene.crm.add_contact("Ana", "ana@parked.example", 7);
    scene.crm.add_deal("Roof", contact, 9);
    scene.crm.add_deal("Cellar", contact, 12);
    let yesterday = jiff::Timestamp::now() - Duration::from_secs(86_400);
    scene.deliver("sales", "INBOX", &mail("Alpha"));
    scene.deliver("sales", "INBOX", &mail("Old").date(yesterday));
    let before = mail("Before");
    scene.dovecot.deliver_at("sales", "INBOX", &before.raw(), days_ago(9)).unwrap();
    scene.deliver("sales", "INBOX", &mail("Saved"));
    scene.deliver("support", "INBOX", &mail("Beta"));
    scene.deliver("support", "INBOX", &mail("Parked"));
    let mailboxes = ["sales", "support"].map(|name| scene.mailbox(name).crm(excluded));
    let mut daemon = Daemon::running(&scene.crm.url(), &mailboxes);
    for subject in ["Alpha", "Beta", "Old"] {
        until_state(&daemon, subject, "skipped", Some("excluded"));
    }
    until_state(&daemon, "Before", "skipped", Some("before-history"));
    until_state(&daemon, "Parked", "parked", Some("several-deals"));
    until_state(&daemon, "Saved", "saved", None);
    let half = (jiff::Timestamp::now() - Duration::from_secs(43_200)).to_string();
    #[rustfmt::skip]
    let cases: &[(&[&str], &[&str])] = &[
        (&[],                                            &["Alpha", "Beta", "Old", "Parked"]),
        (&["--reason", "excluded"],                      &["Alpha", "Beta", "Old"]),
        (&["--reason", "before-history"],                &["Before"]),
        (&["--reason", "internal"],                      &[]),
        (&["--mailbox", "support"],                      &["Beta", "Parked"]),
        (&["--mailbox", "sales", "--reason", "excluded"], &["Alpha", "Old"]),
        (&["--since", &half],                            &["Alpha", "Beta", "Parked"]),
        (&["--until", &half],                            &["Old"]),
        (&["--address", "Ana@BETA.example"],             &["Beta"]),
        (&["--address", "nobody@beta.example"],          &[]),
        (&["--state", "parked"],                         &["Parked"]),
        (&["--state", "skipped"],                        &["Alpha", "Beta", "Old"]),
        (&["--state", "saved"],                          &[]),
        (&["--state", "quarantined"],                    &[]),
    ];
    let (decided, crm) = (daemon.decided(), scene.crm.contents());
    for (filters, wanted) in cases {
        let answer = redecided(&daemon, &[&["--dry-run"], *filters].concat());
        let subjects: Vec<String> = decisions(&daemon, &answer).into_keys().collect();
        assert_eq!(subjects, *wanted, "{filters:?}");
    }
    for (filters, code) in [
        (["--mailbox", "nobody"], 1),
        (["--state", "odd"], 1),
        (["--reason", "odd"], 1),
        (["--since", "soon"], 2),
        (["--address", "nobody"], 2),
    ] {
        let answer = daemon.mailcrm(&[&["redecide"], &filters[..]].concat());
        assert_eq!((answer.code, answer.stdout.as_str()), (code, ""), "{answer:?}");
    }
    assert_same(&daemon.decided(), &decided);
    assert_same(&scene.crm.contents(), &crm);

    // And only that is filed, though all of it might be now.
    configure(&mut daemon, "", "deal_choice = \"ask\"\n");
    redecided(&daemon, &["--mailbox", "sales", "--since", &half]);
    scene.until_filed(&["Alpha", "Saved"]);
    daemon.wait_until_settled(6, LIMIT);
    for (subject, state, reason) in [
        ("Beta", "skipped", "excluded"),
        ("Old", "skipped", "excluded"),
        ("Before", "skipped", "before-history"),
        ("Parked", "parked", "several-deals"),
    ] {
        until_state(&daemon, subject, state, Some(reason));
    }
    assert_eq!(scene.filed(), ["Alpha", "Saved"]);
}

#[test]
fn what_is_filed_owed_or_refused_is_never_decided_again() {
    let scene = Scene::with(&["sales"]);
    let faults = CrmFaults::to(scene.crm.port(), 1);
    faults.before(|call| {
        let says = |code, text| Some(Fault::Says { status: "400 Bad Request", code, text });
        let of = |name: &str| call.params.to_string().contains(name);
        match call.method.as_str() {
            "crm.item.add" if of("refused.example") => says("", "Field is not valid"),
            "crm.item.add" if of("owed.example") => Some(Fault::BadGateway),
            _ => None,
        }
    });
    scene.deliver("sales", "INBOX", &mail("Saved"));
    scene.deliver("sales", "INBOX", &mail("Refused"));
    let mut daemon = Daemon::running(&faults.url(), &[scene.mailbox("sales")]);
    until_state(&daemon, "Saved", "saved", None);
    until_state(&daemon, "Refused", "refused", None);
    scene.deliver("sales", "INBOX", &mail("Owed"));
    until_state(&daemon, "Owed", "queued", None);
    daemon.terminate();
    // By this configuration none of it would be filed.
    configure(&mut daemon, TRAP, "");
    let (ledger, crm) = (daemon.rows(), scene.crm.contents());
    for filters in [&[][..], &["--state", "saved"], &["--state", "queued"], &["--state", "refused"]]
    {
        assert_eq!(redecided(&daemon, filters).stdout, "", "{filters:?}");
        assert_eq!(redecided(&daemon, &[&["--dry-run"], filters].concat()).stdout, "");
    }
    assert_same(&daemon.rows(), &ledger);
    assert_same(&scene.crm.contents(), &crm);

    // Through the daemon too; what is owed is filed all the same.
    daemon.start();
    for filters in [&[][..], &["--state", "saved"], &["--state", "queued"], &["--state", "refused"]]
    {
        assert_eq!(redecided(&daemon, filters).stdout, "", "{filters:?}");
    }
    for (subject, state) in [("Saved", "saved"), ("Refused", "refused"), ("Owed", "queued")] {
        assert_eq!(message(&daemon, subject)["state"], state);
    }
    assert_eq!(scene.filed(), ["Saved"]);
}

#[test]
fn what_left_the_server_keeps_its_state() {
    let scene = Scene::with(&["sales"]);
    let mut daemon = trapped(&scene, &["Here", "Gone"]);
    let gone = ["expunge", "-u", "sales", "mailbox", "INBOX", "subject", "Gone"];
    scene.dovecot.doveadm(&gone).unwrap();
    configure(&mut daemon, MENDED, "");
    let wanted = told(&[("Here", "skipped queued -"), ("Gone", "skipped skipped spam-folder")]);
    let dry = redecided(&daemon, &["--dry-run"]);
    assert_eq!(decisions(&daemon, &dry), wanted);
    let done = redecided(&daemon, &[]);
    assert_eq!(decisions(&daemon, &done), wanted);
    scene.until_filed(&["Here"]);
    daemon.wait_until_settled(2, LIMIT);
    let (ledger, crm) = (daemon.decided(), scene.crm.contents());
    let again = redecided(&daemon, &[]);
    assert_eq!(decisions(&daemon, &again), told(&[("Gone", "skipped skipped spam-folder")]));
    assert_same(&daemon.decided(), &ledger);
    assert_same(&scene.crm.contents(), &crm);
}

#[test]
fn server_that_is_down_is_told_and_keeps_nothing_else_from_being_decided() {
    let scene = Scene::with(&["sales", "support"]);
    let mut wire = Cutter::to(scene.dovecot.imaps_port());
    scene.deliver("sales", "INBOX", &mail("Behind the wire"));
    scene.deliver("support", "INBOX", &mail("In reach"));
    let mailboxes = [scene.mailbox("sales").through(wire.port()), scene.mailbox("support")]
        .map(|mailbox| mailbox.folders(TRAP));
    let mut daemon = Daemon::running(&scene.crm.url(), &mailboxes);
    until_state(&daemon, "Behind the wire", "skipped", Some("spam-folder"));
    until_state(&daemon, "In reach", "skipped", Some("spam-folder"));
    wire.off();
    configure(&mut daemon, MENDED, "");
    for args in [&["redecide", "--dry-run"][..], &["redecide"]] {
        let answer = daemon.mailcrm_json(args);
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.stderr.starts_with("mailcrm: sales: "), "{answer:?}");
        assert_eq!(answer.stderr.lines().count(), 1, "{answer:?}");
        let wanted = told(&[
            ("Behind the wire", "skipped skipped spam-folder"),
            ("In reach", "skipped queued -"),
        ]);
        assert_eq!(decisions(&daemon, &answer), wanted);
    }
    scene.until_filed(&["In reach"]);
    wire.on();
    let answer = redecided(&daemon, &[]);
    assert_eq!(decisions(&daemon, &answer), told(&[("Behind the wire", "skipped queued -")]));
    scene.until_filed(&["Behind the wire", "In reach"]);
    daemon.wait_until_settled(2, LIMIT);
    let (ledger, crm) = (daemon.decided(), scene.crm.contents());
    assert_eq!(redecided(&daemon, &[]).stdout, "");
    assert_same(&daemon.decided(), &ledger);
    assert_same(&scene.crm.contents(), &crm);
}

#[test]
fn parked_mail_goes_to_the_latest_deal_once_that_is_allowed() {
    let scene = Scene::with(&["sales"]);
    let contact = scene.crm.add_contact("Ana", "ana@roofs.example", 7);
    let deals = [scene.crm.add_deal("Roof", contact, 9), scene.crm.add_deal("Cellar", contact, 12)];
    scene.deliver("sales", "INBOX", &mail("Roofs"));
    let mailbox = scene.mailbox("sales").crm("deal_choice = \"ask\"\n");
    let mut daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    let parked = until_state(&daemon, "Roofs", "parked", Some("several-deals"));
    assert_eq!(parked["candidates"].as_array().unwrap().len(), 2, "{parked}");
    let same = redecided(&daemon, &["--state", "parked"]);
    assert_eq!(decisions(&daemon, &same).len(), 1);
    // Asked again, it is parked again.
    daemon.wait_until_settled(1, LIMIT);
    until_state(&daemon, "Roofs", "parked", Some("several-deals"));
    assert!(scene.filed().is_empty());

    configure(&mut daemon, "", "deal_choice = \"latest\"\n");
    let latest = redecided(&daemon, &["--state", "parked"]);
    assert_eq!(decisions(&daemon, &latest), told(&[("Roofs", "parked queued -")]));
    scene.until_filed(&["Roofs"]);
    let saved = until_state(&daemon, "Roofs", "saved", None);
    let owner = saved["cards"][0]["id"].as_u64().unwrap();
    assert!(saved["cards"][0]["type"] == "deal" && deals.contains(&owner), "{saved}");
    let lost = if owner == deals[0] { deals[1] } else { deals[0] };
    let candidates = saved["candidates"].as_array().unwrap();
    assert!(candidates.iter().any(|one| one["id"] == lost), "{saved}");
    assert_eq!(activity(&scene.crm, "Roofs")["OWNER_ID"], owner.to_string());
    nothing_is_left_to_decide(&scene, &mut daemon);
}

#[test]
fn mail_that_could_not_be_read_is_filed_under_its_own_identity_once_the_server_hands_it_out() {
    let server = ImapServer::start();
    let crm = SandboxProcess::start();
    for subject in ["One", "Two", "Three"] {
        server.deliver("INBOX", &mail(subject).raw());
    }
    server.trap(never_handed_out(2));
    let mut daemon = Daemon::running(&crm.url(), &[server.mailbox("sales")]);
    until_state(&daemon, "One", "saved", None);
    until_state(&daemon, "Three", "saved", None);
    let quarantined = [until_quarantined(&daemon, 2)];
    // Still not handed out: it stays as it is.
    redecided(&daemon, &[]);
    assert_eq!(daemon.messages(&["--state", "quarantined"]), quarantined);

    server.honest();
    let dry = redecided(&daemon, &["--dry-run"]);
    let done = redecided(&daemon, &[]);
    assert_eq!(dry.stdout, done.stdout);
    assert_eq!(done.json_lines()[0]["after"], "queued", "{done:?}");
    let saved = until_state(&daemon, "Two", "saved", None);
    assert_eq!(saved["id"], quarantined[0]["id"]);
    assert_eq!(saved["message_id"], "two@client.example", "{saved}");
    assert_eq!(saved["from"], "ana@two.example", "{saved}");
    // A further copy is a place of the same message.
    server.deliver("INBOX", &mail("Two").date(written(&saved)).raw());
    wait_for("the second place", LIMIT, || places(&message(&daemon, "Two")).len() == 2);
    daemon.wait_until_settled(3, LIMIT);
    assert_eq!(crm.activities().len(), 3);
    // And a ledger that is set up anew knows it again in the CRM.
    let before = crm.contents();
    daemon.terminate();
    for ending in ["sqlite", "sqlite-wal", "sqlite-shm"] {
        let _ = std::fs::remove_file(daemon.ledger_path().with_extension(ending));
    }
    daemon.start();
    daemon.wait_until_settled(3, LIMIT);
    assert_same(&crm.contents(), &before);
    assert_eq!(daemon.messages(&["--state", "saved"]).len(), 3);
}

/// The message at this UID is listed, and never handed out.
fn never_handed_out(uid: u32) -> impl FnMut(&Asked<'_>, Vec<Vec<u8>>) -> Play + Send + 'static {
    move |asked, mut honest| {
        if asked.is("UID FETCH") {
            honest.retain(|line| !about(line, uid));
        }
        Play::Say(honest)
    }
}

#[test]
fn mail_that_the_server_refuses_or_garbles_keeps_no_other_from_being_decided() {
    let server = ImapServer::start();
    let crm = SandboxProcess::start();
    for number in 1..=6 {
        assert_eq!(server.deliver("INBOX", &mail(&format!("Mail {number}")).raw()), number);
    }
    let mailbox = server.mailbox("sales").crm("enabled = false\n");
    let mut daemon = Daemon::running(&crm.url(), &[mailbox]);
    until_state(&daemon, "Mail 6", "skipped", Some("crm-off"));
    daemon.terminate();
    configure(&mut daemon, "", "");
    server.trap(|asked, mut honest| {
        if asked.is_for_bodies() && honest.iter().any(|line| about(line, 2)) {
            return Play::Say(vec![asked.tagged("NO [SERVERERROR] message 2 is damaged")]);
        }
        // A section without a value, as Yandex writes it.
        for line in honest.iter_mut().filter(|line| asked.is("UID FETCH") && about(line, 4)) {
            *line = b"* 4 FETCH (UID 4 BODY[2] )\r\n".to_vec();
        }
        Play::Say(honest)
    });
    let answer = daemon.mailcrm_json(&["redecide"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    let queued = "skipped queued -";
    let same = "skipped skipped crm-off";
    let wanted = [queued, same, queued, same, queued, queued];
    let wanted: BTreeMap<String, String> = (1..=6)
        .zip(wanted)
        .map(|(number, told)| (format!("Mail {number}"), told.to_owned()))
        .collect();
    assert_eq!(decisions(&daemon, &answer), wanted, "{answer:?}");
    assert_eq!(answer.stderr.lines().count(), 2, "{answer:?}");
    for uid in [2, 4] {
        assert!(answer.stderr.contains(&format!("mailcrm: sales/INBOX/{uid}: ")), "{answer:?}");
    }
    assert!(!answer.stderr.contains("BODY[2]"), "{answer:?}");
    server.honest();
    daemon.start();
    redecided(&daemon, &[]);
    daemon.wait_until_settled(6, LIMIT);
    assert_eq!(daemon.messages(&["--state", "saved"]).len(), 6);
    assert_eq!(crm.activities().len(), 6);
    assert_eq!(redecided(&daemon, &[]).stdout, "");
}

/// When a message of the ledger was written.
fn written(message: &Value) -> jiff::Timestamp {
    message["received_at"].as_str().unwrap().parse().unwrap()
}

#[test]
fn mail_that_could_not_be_read_in_one_folder_and_was_filed_from_another_is_not_filed_again() {
    let server = ImapServer::start();
    let crm = SandboxProcess::start();
    let offer = mail("Offer");
    server.deliver("INBOX", &mail("One").raw());
    server.deliver("INBOX", &offer.raw());
    server.trap(never_handed_out(2));
    let mut daemon = Daemon::running(&crm.url(), &[server.mailbox("sales")]);
    until_quarantined(&daemon, 2);
    assert_eq!(server.deliver("INBOX", &offer.raw()), 3);
    until_state(&daemon, "Offer", "saved", None);

    server.honest();
    let dry = redecided(&daemon, &["--dry-run"]);
    let done = redecided(&daemon, &[]);
    assert_eq!(dry.stdout, done.stdout);
    assert_eq!(done.json_lines()[0]["after"], "saved", "{done:?}");
    daemon.wait_until_settled(2, LIMIT);
    assert_eq!(crm.activities().len(), 2);
    assert_eq!(daemon.messages(&[]).len(), 2);
    assert_eq!(places(&message(&daemon, "Offer")).len(), 2);
    reconciled(&daemon);
    let (ledger, before) = (daemon.decided(), crm.contents());
    assert_eq!(redecided(&daemon, &[]).stdout, "");
    daemon.terminate();
    daemon.start();
    until_mailbox(&daemon, "sales", "idle");
    assert_same(&daemon.decided(), &ledger);
    assert_same(&crm.contents(), &before);
    reconciled(&daemon);
}

#[test]
fn mail_that_came_while_the_crm_was_off_is_filed_when_it_is_on() {
    let scene = Scene::with(&["sales"]);
    scene.deliver("sales", "INBOX", &mail("History"));
    scene.deliver("sales", "Sent", &sent("Answer"));
    let mailbox = scene.mailbox("sales").crm("enabled = false\n");
    let mut daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    scene.deliver("sales", "INBOX", &mail("Live"));
    for subject in ["History", "Answer", "Live"] {
        until_state(&daemon, subject, "skipped", Some("crm-off"));
    }
    configure(&mut daemon, "", "enabled = true\n");
    redecided(&daemon, &["--reason", "crm-off"]);
    scene.until_filed(&["Answer", "History", "Live"]);
    daemon.wait_until_settled(3, LIMIT);
    assert_eq!(activity(&scene.crm, "Answer")["COMPLETED"], "Y");
    assert_eq!(scene.crm.call("sandbox.counts", &json!({}))["sent_mail"], 0);
    nothing_is_left_to_decide(&scene, &mut daemon);
}

#[test]
fn killed_while_it_decides_hundreds_of_mails_again_each_is_filed_once() {
    // More than are looked at together.
    const MAILS: usize = 230;
    let mut dice = Dice::cast();
    let scene = Scene::with(&["sales"]);
    let subjects: Vec<String> = (0..MAILS).map(|number| format!("Mail {number:03}")).collect();
    for subject in &subjects {
        scene.deliver("sales", "INBOX", &mail(subject));
    }
    let mailbox = scene.mailbox("sales").folders(TRAP);
    let mut daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    let skipped = |daemon: &Daemon| daemon.counts().states.get("skipped").copied().unwrap_or(0);
    wait_for("all to be skipped", LIMIT, || skipped(&daemon) == MAILS as u64);
    configure(&mut daemon, MENDED, "");
    for part in 1..=3 {
        let left = MAILS as u64 - part * 45 - dice.below(30);
        let answer = std::thread::scope(|scope| {
            let asked = scope.spawn(|| daemon.mailcrm(&["redecide"]));
            wait_for("a part to be decided", LIMIT, || skipped(&daemon) <= left);
            daemon.signal("KILL");
            asked.join().unwrap()
        });
        // Either all was decided in that instant, or it says that the daemon stopped.
        assert!(answer.code == 0 || answer.stderr.contains("stopped before"), "{answer:?}");
        daemon.kill9();
        daemon.start();
    }
    redecided(&daemon, &[]);
    daemon.wait_until_settled(MAILS, LIMIT);
    assert_eq!(scene.filed(), subjects);
    assert_eq!(scene.crm.cards(1).len(), MAILS);
    nothing_is_left_to_decide(&scene, &mut daemon);
}

#[test]
fn second_daemon_on_the_socket_of_another_only_warns() {
    let scene = Scene::with(&["sales", "support"]);
    let mut first = trapped(&scene, &["One"]);
    let mut second = Daemon::new(&scene.crm.url(), &[scene.mailbox("support")]);
    second.daemon = format!("socket = {:?}\n", first.dir().join("mailcrm.sock"));
    second.write_config();
    second.start();
    assert_eq!(second.lines_with("no socket for commands"), 1, "{}", second.log());
    assert!(second.log().contains("give one of them another daemon.socket"), "{}", second.log());
    scene.deliver("support", "INBOX", &mail("Two"));
    scene.until_filed(&["Two"]);
    // Its end takes nothing from the first.
    assert!(second.terminate().success());
    configure(&mut first, MENDED, "");
    redecided(&first, &[]);
    scene.until_filed(&["One", "Two"]);
    first.wait_until_settled(1, LIMIT);
    nothing_is_left_to_decide(&scene, &mut first);
}

#[test]
fn command_of_one_ledger_is_not_done_on_that_of_the_daemon_that_answers() {
    let scene = Scene::with(&["sales", "support"]);
    let mut first = trapped(&scene, &["One"]);
    scene.deliver("support", "INBOX", &mail("Two"));
    let mut second = Daemon::new(&scene.crm.url(), &[scene.mailbox("support").folders(TRAP)]);
    second.daemon = format!("socket = {:?}\n", first.dir().join("mailcrm.sock"));
    second.write_config();
    second.start();
    until_state(&second, "Two", "skipped", Some("spam-folder"));
    configure(&mut first, MENDED, "");
    configure(&mut second, MENDED, "");
    let answer = second.mailcrm(&["redecide"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{answer:?}");
    assert!(answer.stderr.contains("daemon.socket"), "{answer:?}");
    assert_eq!(message(&first, "One")["state"], "skipped");
    assert_eq!(message(&second, "Two")["state"], "skipped");
    assert!(scene.filed().is_empty());
}

#[test]
fn ledger_of_another_crm_is_not_decided_again() {
    let scene = Scene::with(&["sales"]);
    let mut daemon = trapped(&scene, &["One"]);
    daemon.terminate();
    let other = CrmFaults::to(scene.crm.port(), 1);
    daemon.crm = format!("url = {:?}\n", other.url());
    configure(&mut daemon, MENDED, "");
    let ledger = daemon.rows();
    let answer = daemon.mailcrm(&["redecide"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (78, ""), "{answer:?}");
    assert!(answer.stderr.contains("ledger.path"), "{answer:?}");
    assert!(!answer.stderr.contains("/rest/"), "{answer:?}");
    assert_same(&daemon.rows(), &ledger);
    assert!(scene.filed().is_empty());
}

#[test]
fn place_that_files_decides_over_one_that_does_not() {
    let scene = Scene::with(&["sales", "support"]);
    let both = mail("Both").to("sales@example.com, support@example.com");
    let mailboxes = ["sales", "support"].map(|name| scene.mailbox(name).folders(TRAP));
    scene.deliver("sales", "INBOX", &both);
    scene.deliver("support", "INBOX", &both);
    let mut daemon = Daemon::running(&scene.crm.url(), &mailboxes);
    wait_for("both places", LIMIT, || places(&message(&daemon, "Both")).len() == 2);
    until_state(&daemon, "Both", "skipped", Some("spam-folder"));
    // Mended in one of the two, whichever that is.
    daemon.mailboxes[1] = Mailbox { folders: MENDED.to_owned(), ..daemon.mailboxes[1].clone() };
    daemon.write_config();
    let answer = redecided(&daemon, &[]);
    assert_eq!(decisions(&daemon, &answer), told(&[("Both", "skipped queued -")]));
    scene.until_filed(&["Both"]);
    // And then in the other: it is filed already.
    configure(&mut daemon, MENDED, "");
    assert_eq!(redecided(&daemon, &[]).stdout, "");
    nothing_is_left_to_decide(&scene, &mut daemon);
    assert_eq!(scene.filed(), ["Both"]);
}

#[test]
fn command_that_is_ended_in_the_midst_leaves_nothing_half_done_and_two_at_once_file_nothing_twice()
{
    let scene = Scene::with(&["sales"]);
    let subjects: Vec<String> = (0..40).map(|number| format!("Mail {number:02}")).collect();
    let names: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let mut daemon = trapped(&scene, &names[..20]);
    configure(&mut daemon, MENDED, "");
    let mut command = daemon.begin(&["redecide"]);
    wait_for("the first to be decided", LIMIT, || daemon.counts().states["skipped"] < 20);
    command.kill().unwrap();
    command.wait().unwrap();
    // The daemon ends what was begun.
    scene.until_filed(&names[..20]);
    daemon.wait_until_settled(20, LIMIT);

    configure(&mut daemon, TRAP, "");
    daemon.terminate();
    daemon.start();
    for subject in &names[20..] {
        scene.deliver("sales", "INBOX", &mail(subject));
    }
    for subject in &names[20..] {
        until_state(&daemon, subject, "skipped", Some("spam-folder"));
    }
    configure(&mut daemon, MENDED, "");
    let answers = std::thread::scope(|scope| {
        let asked = [(); 3].map(|()| scope.spawn(|| redecided(&daemon, &[])));
        asked.map(|asked| asked.join().unwrap())
    });
    let lines: usize = answers.iter().map(|answer| answer.json_lines().len()).sum();
    assert_eq!(lines, 20, "{answers:?}");
    scene.until_filed(&names);
    daemon.wait_until_settled(40, LIMIT);
    nothing_is_left_to_decide(&scene, &mut daemon);
}

#[test]
fn mail_of_our_own_crm_keeps_its_activity_and_its_cards() {
    let scene = Scene::with(&["sales"]);
    let contact = scene.crm.add_contact("Kim", "ana@own.example", 7);
    let fields = json!({"TYPE_ID": 4, "OWNER_TYPE_ID": 3, "OWNER_ID": contact, "SUBJECT": "Own",
        "DIRECTION": 2, "COMPLETED": "N", "RESPONSIBLE_ID": 7, "START_TIME": "2026-01-01T10:00:00",
        "COMMUNICATIONS": [{"VALUE": "ana@own.example", "ENTITY_ID": contact, "ENTITY_TYPE_ID": 3}]});
    let own = scene.crm.call("crm.activity.add", &json!({"fields": fields}));
    let id = format!("crm.activity.{own}-ABC@portal.example");
    let mailbox = scene.mailbox("sales").folders("sync = [\"INBOX\", \"Sent\"]\n");
    let mut daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    scene.deliver("sales", "Sent", &sent("Own").id(&id));
    let skipped = until_state(&daemon, "Own", "skipped", Some("own-crm-mail"));
    assert_eq!(skipped["activity_id"], own, "{skipped}");
    let card = json!([{"type": "contact", "id": contact}]);
    wait_for("its cards", LIMIT, || message(&daemon, "Own")["cards"] == card);
    daemon.wait_until_settled(1, LIMIT);
    let (before, crm) = (message(&daemon, "Own"), scene.crm.contents());
    for _ in 0..2 {
        let answer = redecided(&daemon, &[]);
        assert_eq!(decisions(&daemon, &answer), told(&[("Own", "skipped skipped own-crm-mail")]));
        daemon.wait_until_settled(1, LIMIT);
        let now = message(&daemon, "Own");
        for key in ["state", "reason", "activity_id", "cards"] {
            assert_eq!(now[key], before[key], "{key}: {now}");
        }
        assert_same(&scene.crm.contents(), &crm);
    }
    // An answer to it lands where it is.
    let reply = mail("Reply").header(&format!("In-Reply-To: <{id}>"));
    scene.deliver("sales", "INBOX", &reply);
    let saved = until_state(&daemon, "Reply", "saved", None);
    assert_eq!(saved["cards"], card, "{saved}");
    daemon.wait_until_settled(2, LIMIT);
    daemon.terminate();
}

#[test]
fn mail_for_which_nothing_was_made_is_asked_for_again_and_filed_once_something_may_be() {
    let scene = Scene::with(&["sales"]);
    let large = mail("Large").id("").body("How much for a dozen? \r\n".repeat(120_000));
    scene.deliver("sales", "INBOX", &mail("Small"));
    scene.deliver("sales", "INBOX", &large);
    let mailbox = scene.mailbox("sales").crm("on_incoming = \"none\"\n");
    let mut daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    let skipped = |daemon: &Daemon| {
        for subject in ["Small", "Large"] {
            until_state(daemon, subject, "skipped", Some("creation-off"));
        }
    };
    skipped(&daemon);
    let (before, crm) = (message(&daemon, "Large"), scene.crm.contents());
    // Whether it has a card is asked anew, and it has none.
    redecided(&daemon, &[]);
    daemon.wait_until_settled(2, LIMIT);
    skipped(&daemon);
    assert_eq!(message(&daemon, "Large"), before);
    assert_same(&scene.crm.contents(), &crm);
    // Somebody made a contact in the CRM meanwhile.
    let contact = scene.crm.add_contact("Kim", "ana@small.example", 7);
    redecided(&daemon, &[]);
    let saved = until_state(&daemon, "Small", "saved", None);
    assert_eq!(saved["cards"], json!([{"type": "contact", "id": contact}]), "{saved}");
    daemon.wait_until_settled(2, LIMIT);
    configure(&mut daemon, "", "on_incoming = \"lead\"\n");
    redecided(&daemon, &[]);
    until_state(&daemon, "Large", "saved", None);
    // Known by its content, it is the same message as before; a copy is a place of it.
    assert_eq!(message(&daemon, "Large")["fingerprint"], before["fingerprint"]);
    scene.deliver("sales", "INBOX", &large);
    wait_for("the second place", LIMIT, || places(&message(&daemon, "Large")).len() == 2);
    let whole = activity(&scene.crm, "Large")["DESCRIPTION"].as_str().unwrap().len();
    assert!(whole > 1_000_000, "{whole}");
    nothing_is_left_to_decide(&scene, &mut daemon);
    assert_eq!(scene.filed(), ["Large", "Small"]);
}
