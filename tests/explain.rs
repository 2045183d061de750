//! Every message has an answer to "why is it there?", also one that was never read and one that
//! has not arrived yet.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use common::cutter::Cutter;
use common::daemon::{Answer, Daemon};
use common::mails::Mail;
use common::scene::{
    Scene, activity, mail, message, places, reconciled, sent, until_mailbox, until_state,
};
use common::{LIMIT, assert_same, wait_for};
use serde_json::{Value, json};

/// The answer of `explain`, which must have worked.
#[track_caller]
fn explained(daemon: &Daemon, args: &[&str]) -> (Value, String) {
    let args = [&["explain"], args].concat();
    let both = [daemon.mailcrm_json(&args), daemon.mailcrm(&args)];
    for answer in &both {
        assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{answer:?}");
    }
    (both[0].json(), both[1].stdout.clone())
}

/// Of the pieces of evidence under this rule.
fn facts(shown: &Value, rule: &str) -> Vec<String> {
    let evidence = shown["evidence"].as_array().unwrap().iter();
    let of_rule = evidence.filter(|one| one["rule"] == rule);
    of_rule.map(|one| one["fact"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_unseen(shown: &Value, text: &str, subject: &str, reason: Option<&str>, lies_in: &[&str]) {
    assert_eq!((&shown["id"], &shown["state"]), (&Value::Null, &Value::Null), "{shown}");
    assert_eq!((&shown["reason"], &shown["subject"]), (&json!(reason), &json!(subject)), "{shown}");
    for list in ["cards", "candidates", "attempts"] {
        assert_eq!(shown[list], json!([]), "{shown}");
    }
    let places: Vec<String> = shown["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| {
            assert!(place["uid_validity"].as_u64().unwrap() > 0, "{shown}");
            let part = |key: &str| place[key].as_str().unwrap();
            format!("{}/{}/{}", part("mailbox"), part("folder"), place["uid"])
        })
        .collect();
    assert_eq!(places, lies_in, "{shown}");
    assert_eq!(facts(shown, "server").len(), lies_in.len(), "{shown}");
    assert_eq!(facts(shown, "why").len(), lies_in.len(), "{shown}");
    assert!(text.starts_with("not in the ledger: mailcrm did not read this message\n"), "{text}");
    for place in lies_in {
        assert!(text.contains(&format!("\nlies in {place}:\n")), "{text}");
    }
    assert_eq!(text.matches("\n  mend: ").count(), lies_in.len(), "{text}");
}

/// Flags of all mail of the user: nothing that only looks may change them. `\Recent` is the
/// server's own, and gone once anybody opens the folder.
fn flags(scene: &Scene) -> String {
    let fetch = ["fetch", "-u", "sales", "mailbox uid flags", "all"];
    scene.dovecot.doveadm(&fetch).unwrap().replace("\\Recent", "")
}

#[test]
fn message_that_was_never_read_is_found_on_the_server_with_the_reason() {
    let scene = Scene::with(&["sales"]);
    let days_ago = |days: u64| SystemTime::now() - Duration::from_secs(days * 86_400);
    scene.dovecot.deliver_at("sales", "INBOX", &mail("Old").raw(), days_ago(20)).unwrap();
    scene.deliver("sales", "INBOX", &mail("Read"));
    scene.deliver("sales", "Клиенты/Señales", &mail("Elsewhere"));
    scene.deliver("sales", "Archive", &mail("Twice"));
    scene.deliver("sales", "Клиенты/Señales", &mail("Twice"));
    // Its id ends with that of another one.
    scene.deliver("sales", "Archive", &mail("No read"));
    scene.deliver("sales", "Drafts", &sent("Draft"));
    scene.deliver("sales", "Trash", &mail("Thrown away"));
    scene.deliver("sales", "Junk", &mail("Spam"));
    let mut daemon = scene.daemon();
    scene.until_filed(&["Read"]);
    until_mailbox(&daemon, "sales", "idle");
    daemon.wait_until_settled(1, LIMIT);
    assert!(daemon.terminate().success());
    scene.deliver("sales", "INBOX", &mail("Late"));
    let (rows, crm, seen) = (daemon.rows(), scene.crm.contents(), flags(&scene));

    #[rustfmt::skip]
    let cases = [
        ("Elsewhere",   None,                   &["sales/Клиенты/Señales/1"][..], "Folder Клиенты/Señales is not synchronised."),
        ("No read",     None,                   &["sales/Archive/2"],             "`folders.sync` of sales"),
        ("Draft",       Some("drafts-folder"),  &["sales/Drafts/1"],              "drafts folder and is not synchronised"),
        ("Thrown away", Some("trash-folder"),   &["sales/Trash/1"],               "trash folder and is not synchronised"),
        ("Spam",        Some("spam-folder"),    &["sales/Junk/1"],                "spam folder and is not synchronised"),
        ("Old",         Some("before-history"), &["sales/INBOX/1"],               "history_days"),
        ("Late",        None,                   &["sales/INBOX/3"],               "done up to UID 2"),
    ];
    for (subject, reason, lies_in, words) in cases {
        let id = mail(subject).id;
        for name in [lies_in[0], &id, &format!("<{id}>")] {
            let (shown, text) = explained(&daemon, &[name]);
            assert_unseen(&shown, &text, subject, reason, lies_in);
            assert_eq!(shown["message_id"], id, "{shown}");
            assert!(text.contains(words), "{words}: {text}");
            assert!(facts(&shown, "why")[0].contains(words), "{words}: {shown}");
        }
    }
    // All its places by its id, one by that.
    let (shown, text) = explained(&daemon, &["twice@client.example"]);
    let both = ["sales/Archive/1", "sales/Клиенты/Señales/2"];
    assert_unseen(&shown, &text, "Twice", None, &both);
    let (shown, text) = explained(&daemon, &[both[1]]);
    assert_unseen(&shown, &text, "Twice", None, &both[1..]);
    // The one that was read is none of these.
    let (shown, _) = explained(&daemon, &["read@client.example"]);
    assert_eq!((&shown["state"], &shown["subject"]), (&json!("saved"), &json!("Read")));

    for name in ["nobody@client.example", "sales/INBOX/99", "sales/Nowhere/1", "4711"] {
        let Answer { code, stdout, stderr } = daemon.mailcrm(&["explain", name]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{name}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{name}: {stderr}");
    }
    // Nothing was written and nothing was marked as read.
    assert_same(&daemon.rows(), &rows);
    assert_same(&scene.crm.contents(), &crm);
    assert_eq!(flags(&scene), seen);

    // The daemon reads what it had not read, and the answer is another.
    daemon.start();
    scene.until_filed(&["Late", "Read"]);
    until_state(&daemon, "Late", "saved", None);
    let (shown, text) = explained(&daemon, &["sales/INBOX/3"]);
    assert_eq!(shown["state"], "saved", "{shown}");
    assert!(text.contains(": saved\n"), "{text}");
    reconciled(&daemon);
}

#[test]
fn server_that_cannot_be_reached_is_told_with_what_was_not_found() {
    let scene = Scene::with(&["sales", "support"]);
    let mut wire = Cutter::to(scene.dovecot.imaps_port());
    scene.deliver("support", "Archive", &mail("In reach"));
    scene.deliver("sales", "Archive", &mail("Behind the wire"));
    let mailboxes = [scene.mailbox("sales").through(wire.port()), scene.mailbox("support")];
    let daemon = Daemon::running(&scene.crm.url(), &mailboxes);
    until_mailbox(&daemon, "sales", "idle");
    wire.off();
    let answer = daemon.mailcrm(&["explain", "behindthewire@client.example"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{answer:?}");
    let lines: Vec<&str> = answer.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{answer:?}");
    assert!(lines[0].starts_with("mailcrm: sales: "), "{answer:?}");
    // What another server has is found all the same.
    let (shown, text) = explained(&daemon, &["inreach@client.example"]);
    assert_unseen(&shown, &text, "In reach", None, &["support/Archive/1"]);
    wire.on();
    let (shown, text) = explained(&daemon, &["behindthewire@client.example"]);
    assert_unseen(&shown, &text, "Behind the wire", None, &["sales/Archive/1"]);
}

#[test]
fn what_is_exported_is_whole_or_not_there_and_each_server_is_tried_once() {
    let scene = Scene::with(&["sales"]);
    let mut wire = Cutter::to(scene.dovecot.imaps_port());
    // Nothing of it is kept here: it is read from the server.
    let mailbox = scene.mailbox("sales").through(wire.port()).crm("enabled = false\n");
    for subject in ["One", "Two"] {
        scene.deliver("sales", "INBOX", &mail(subject));
    }
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    for subject in ["One", "Two"] {
        until_state(&daemon, subject, "skipped", Some("crm-off"));
    }
    let folder = daemon.dir().join("exported");
    let export = || daemon.mailcrm(&["messages", "--export", folder.to_str().unwrap()]);
    let files = || {
        let entries = std::fs::read_dir(&folder).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        });
        entries.collect::<std::collections::BTreeMap<_, _>>()
    };
    let answer = export();
    assert_eq!((answer.code, answer.stderr.as_str()), (0, "mailcrm: 2 messages exported\n"));
    let whole = files();
    assert_eq!(whole.keys().collect::<Vec<_>>(), ["1.eml", "2.eml"]);
    for subject in ["One", "Two"] {
        let line = format!("Subject: {subject}");
        assert!(whole.values().any(|text| text.contains(&line)), "{whole:?}");
    }

    // A cut one, as from a transfer that broke off, is replaced.
    std::fs::write(folder.join("1.eml"), "Subj").unwrap();
    std::fs::write(folder.join("2.eml.part"), "Subj").unwrap();
    assert_eq!(export().code, 0);
    assert_eq!(files(), whole);

    wire.off();
    let answer = export();
    assert_eq!(answer.code, 1, "{answer:?}");
    let lines: Vec<&str> = answer.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{answer:?}");
    assert!(lines[0].contains("message 2 is not exported: sales: "), "{answer:?}");
    assert!(lines[1].contains("message 1 is not exported: mailbox sales could not"), "{answer:?}");
    assert_eq!(files(), whole);
}

#[test]
fn filed_message_tells_its_candidates_its_people_and_three_times() {
    let scene = Scene::with(&["sales"]);
    let contact = scene.crm.add_contact("Kim", "ana@roofs.example", 7);
    let deals = [scene.crm.add_deal("Roof", contact, 9), scene.crm.add_deal("Cellar", contact, 12)];
    let earlier = jiff::Timestamp::now() - Duration::from_secs(7200);
    scene.deliver("sales", "INBOX", &mail("Roofs").date(earlier));
    let mailbox = scene.mailbox("sales").crm("queue = [9, 12]\n");
    let mut daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    until_state(&daemon, "Roofs", "saved", None);
    for (subject, employee) in [("First", 9), ("Second", 12)] {
        scene.deliver("sales", "INBOX", &mail(subject));
        until_state(&daemon, subject, "saved", None);
        let (shown, text) = explained(&daemon, &[&mail(subject).id]);
        assert_eq!(shown["responsible"], employee, "{shown}");
        let why = facts(&shown, "responsible");
        assert_eq!(why.len(), 1, "{shown}");
        assert!(why[0].contains(&format!("employee {employee}")), "{shown}");
        assert!(why[0].contains("queue"), "{shown}");
        assert!(text.contains(&why[0]), "{text}");
        assert!(text.contains(&format!("responsible      employee {employee}, ")), "{text}");
    }
    scene.deliver("sales", "Sent", &sent("Answer"));
    until_state(&daemon, "Answer", "saved", None);
    daemon.wait_until_settled(4, LIMIT);

    let (shown, text) = explained(&daemon, &["roofs@client.example"]);
    let owner = shown["cards"][0]["id"].as_u64().unwrap();
    let lost = if owner == deals[0] { deals[1] } else { deals[0] };
    let candidates = shown["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 1, "{shown}");
    assert_eq!((&candidates[0]["type"], &candidates[0]["id"]), (&json!("deal"), &json!(lost)));
    let why = candidates[0]["why"].as_str().unwrap();
    assert!(!why.is_empty() && text.contains(why), "{text}");
    assert!(text.contains("\ncandidates that lost:\n"), "{text}");
    assert!(text.contains(&format!("  deal:{owner} ")) && text.contains("owns the activity"));
    assert_eq!(shown["cards"][1], json!({"type": "contact", "id": contact}));
    // Of a card that was there nobody's turn was taken.
    assert_eq!(shown["responsible"], if owner == deals[0] { 9 } else { 12 });

    let time = |shown: &Value, key: &str| -> jiff::Timestamp {
        shown[key].as_str().unwrap_or_else(|| panic!("{key}: {shown}")).parse().unwrap()
    };
    assert_eq!(time(&shown, "received_at").as_second(), earlier.as_second(), "{shown}");
    assert!(time(&shown, "recorded_at") > time(&shown, "received_at"), "{shown}");
    assert!(time(&shown, "activity_created_at") > time(&shown, "received_at"), "{shown}");
    assert_eq!(shown["activity_completed_at"], Value::Null, "{shown}");
    for words in ["  received  ", "  recorded  ", "  activity created ", "not yet: the activity is"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let (shown, text) = explained(&daemon, &["answer@client.example"]);
    assert!(time(&shown, "activity_completed_at") >= time(&shown, "received_at"), "{shown}");
    assert!(text.contains("when the activity was completed"), "{text}");

    // Asking changes nothing, and a restart nothing of the answer.
    let (rows, crm) = (daemon.decided(), scene.crm.contents());
    let before = explained(&daemon, &["roofs@client.example"]);
    daemon.terminate();
    daemon.start();
    until_mailbox(&daemon, "sales", "idle");
    assert_eq!(explained(&daemon, &["roofs@client.example"]), before);
    assert_same(&daemon.decided(), &rows);
    assert_same(&scene.crm.contents(), &crm);
}

#[test]
fn message_that_is_moved_into_spam_after_it_was_filed_keeps_its_history_and_says_so_once() {
    let scene = Scene::with(&["sales"]);
    scene.deliver("sales", "INBOX", &mail("Filed"));
    let mailbox = scene.mailbox("sales").folders("sync = [\"INBOX\", \"Junk\"]\n");
    scene.deliver("sales", "Junk", &mail("Other"));
    let mut daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    scene.until_filed(&["Filed"]);
    until_state(&daemon, "Filed", "saved", None);
    let crm = scene.crm.contents();
    let args = ["move", "-u", "sales", "Junk", "mailbox", "INBOX", "subject", "Filed"];
    scene.dovecot.doveadm(&args).unwrap();
    let moved = |daemon: &Daemon| facts(&message(daemon, "Filed"), "folder");
    let in_spam = |facts: &[String]| facts.iter().filter(|fact| fact.contains("role spam")).count();
    wait_for("the move to be noted", LIMIT, || in_spam(&moved(&daemon)) == 1);
    let (shown, text) = explained(&daemon, &["filed@client.example"]);
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("saved"), &Value::Null), "{shown}");
    assert!(text.contains("its history stays in the CRM"), "{text}");
    assert!(places(&shown).iter().any(|(_, folder)| folder == "Junk"), "{shown}");
    assert_same(&scene.crm.contents(), &crm);
    assert_eq!(activity(&scene.crm, "Filed")["COMPLETED"], "N");

    // The folder is read anew: it is noted already.
    scene.dovecot.renumber("sales", "Junk").unwrap();
    scene.deliver("sales", "Junk", &mail("Another"));
    until_state(&daemon, "Another", "skipped", Some("spam-folder"));
    daemon.terminate();
    daemon.start();
    until_mailbox(&daemon, "sales", "idle");
    reconciled(&daemon);
    assert_eq!(in_spam(&moved(&daemon)), 1, "{:?}", moved(&daemon));
    assert_same(&scene.crm.contents(), &crm);
}

/// Writes a mail into a file beside the configuration.
fn file(daemon: &Daemon, mail: &Mail) -> PathBuf {
    let path = daemon.dir().join(format!("{}.eml", mail.id));
    std::fs::write(&path, mail.raw()).unwrap();
    path
}

#[test]
fn file_is_told_the_card_that_the_daemon_then_takes() {
    let scene = Scene::with(&["sales"]);
    let contact = scene.crm.add_contact("Kim", "ana@roofs.example", 7);
    scene.crm.add_deal("Roof", contact, 9);
    scene.crm.add_deal("Cellar", contact, 12);
    scene.crm.add_contact("Lea", "ana@garden.example", 12);
    scene.deliver("sales", "INBOX", &mail("Question"));
    let mailbox = scene.mailbox("sales").crm("queue = [9, 12]\n");
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    until_state(&daemon, "Question", "saved", None);

    let reply = mail("Reply")
        .header("In-Reply-To: <question@client.example>")
        .header("References: <question@client.example>");
    let answer = sent("Question");
    let answer =
        Mail { subject: "Answer".to_owned(), id: "answer@example.com".to_owned(), ..answer };
    let robot = mail("Robot").header("Auto-Submitted: auto-replied");
    let list = mail("Garden").header("List-Id: <garden.example>");
    #[rustfmt::skip]
    let cases: &[(&str, &Mail, &str, &str, &[&str])] = &[
        // what,                     mail,            folder,  state,     made
        ("the latest of two deals",  &mail("Roofs"),  "INBOX", "queued",  &[]),
        ("the lead of the thread",   &reply,          "INBOX", "queued",  &[]),
        ("our answer",               &answer,         "Sent",  "queued",  &[]),
        ("a known client's list",    &list,           "INBOX", "queued",  &[]),
        ("a stranger",               &mail("Fresh"),  "INBOX", "queued",  &["lead"]),
        ("the next in the queue",    &mail("Newer"),  "INBOX", "queued",  &["lead"]),
        ("to a stranger",            &sent("Offer"),  "Sent",  "queued",  &["contact"]),
        ("a robot",                  &robot,          "INBOX", "skipped", &[]),
    ];
    for (what, mail, folder, state, made) in cases {
        daemon.wait_until_settled(1, LIMIT);
        let (rows, crm) = (daemon.decided(), scene.crm.contents());
        let path = file(&daemon, mail);
        let path = path.to_str().unwrap();
        let asked = ["--file", path, "--mailbox", "sales", "--folder", folder];
        let (told, text) = explained(&daemon, &asked);
        assert_eq!(explained(&daemon, &asked).1, text, "{what}");
        assert_eq!((&told["state"], &told["id"]), (&json!(state), &Value::Null), "{what}: {told}");
        assert_same(&daemon.decided(), &rows);
        assert_same(&scene.crm.contents(), &crm);
        let new = text.lines().filter_map(|line| line.trim().strip_prefix("new "));
        let new: Vec<&str> = new.filter_map(|line| line.strip_suffix("is made")).collect();
        let new: Vec<&str> = new.into_iter().map(str::trim).collect();
        assert_eq!(new, *made, "{what}: {text}");

        scene.deliver("sales", folder, mail);
        let became = if *state == "queued" { "saved" } else { *state };
        let is = until_state(&daemon, &mail.subject, became, told["reason"].as_str());
        if made.is_empty() {
            assert_eq!(told["cards"], is["cards"], "{what}: {told}\n{is}");
        } else {
            assert_eq!(told["cards"], json!([]), "{what}: {told}");
            assert_eq!(is["cards"][0]["type"], made[0], "{what}: {is}");
        }
        for key in ["candidates", "responsible", "reason", "direction", "class", "fingerprint"] {
            assert_eq!(told[key], is[key], "{what}: {key}: {told}\n{is}");
        }
        for rule in ["direction", "class", "match", "thread", "deal-choice", "creation"] {
            assert_eq!(facts(&told, rule), facts(&is, rule), "{what}: {told}\n{is}");
        }
        // Known by now, it is told that it is filed.
        let (_, text) = explained(&daemon, &asked);
        assert!(text.contains("is this mail: "), "{what}: {text}");
    }
    assert_eq!(scene.crm.call("sandbox.counts", &json!({}))["sent_mail"], 0);
    reconciled(&daemon);
}

#[test]
fn file_is_told_what_is_known_without_the_crm_while_that_is_down() {
    let mut scene = Scene::with(&["sales"]);
    scene.deliver("sales", "INBOX", &mail("Question"));
    // Before any daemon ran: the CRM is asked all the same.
    let mut daemon = Daemon::new(&scene.crm.url(), &[scene.mailbox("sales")]);
    let path = file(&daemon, &mail("Question"));
    let asked = ["--file", path.to_str().unwrap(), "--mailbox", "sales"];
    let (_, text) = explained(&daemon, &asked);
    assert!(text.contains("new lead         is made"), "{text}");
    assert!(!daemon.ledger_path().exists());

    daemon.start();
    until_state(&daemon, "Question", "saved", None);
    assert!(daemon.terminate().success());
    scene.crm.kill9();
    let rows = daemon.rows();
    let (shown, text) = explained(&daemon, &asked);
    assert_eq!((&shown["state"], &shown["cards"]), (&json!("queued"), &json!([])), "{shown}");
    assert!(text.contains("CRM              cannot be asked: "), "{text}");
    assert!(!text.contains("/rest/"), "{text}");
    assert!(text.contains("the CRM is asked for ana@question.example"), "{text}");
    assert!(text.contains("is this mail: saved"), "{text}");
    // Whatever the CRM could say of it, its rules are enough for this one.
    let inside = Mail { from: "boss@example.com".to_owned(), ..mail("Inside") };
    let path = file(&daemon, &inside);
    let (shown, _) = explained(&daemon, &["--file", path.to_str().unwrap(), "--mailbox", "sales"]);
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("skipped"), &json!("internal")));
    assert_same(&daemon.rows(), &rows);

    scene.crm.start_again();
    let (_, text) = explained(&daemon, &asked);
    assert!(!text.contains("cannot be asked"), "{text}");
    for (args, code) in [
        (&["--file", "/nowhere/x.eml", "--mailbox", "sales"][..], 1),
        (&["--file", path.to_str().unwrap(), "--mailbox", "nobody"], 1),
        (&["--file", path.to_str().unwrap()], 2),
        (&[], 2),
    ] {
        let answer = daemon.mailcrm(&[&["explain"], args].concat());
        assert_eq!((answer.code, answer.stdout.as_str()), (code, ""), "{args:?}: {answer:?}");
    }
}
