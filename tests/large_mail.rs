//! Mails larger than anybody expects: they are filed, and memory stays as the configuration says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use common::LIMIT;
use common::daemon::Daemon;
use common::mails::{Mail, peak_rss_mib};
use common::scene::{Scene, activity, mail, message, said, until_mailbox, until_state};
use serde_json::Value;

/// A mail with one attachment of so many MiB, as base64.
fn with_attachment(subject: &str, mib: usize) -> Mail {
    let line = format!("{}\r\n", "QUJD".repeat(19));
    // Four characters are three octets.
    let lines = mib * 1024 * 1024 / 57;
    let body = format!(
        "--b\r\nContent-Type: text/plain\r\n\r\nHere it is.\r\n--b\r\n\
         Content-Type: application/zip; name=plans.zip\r\n\
         Content-Disposition: attachment; filename=plans.zip\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}--b--\r\n",
        line.repeat(lines)
    );
    let headers = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n".to_owned();
    Mail { headers, ..mail(subject).body(body) }
}

fn text_of(scene: &Scene, subject: &str) -> String {
    activity(&scene.crm, subject)["DESCRIPTION"].as_str().unwrap().to_owned()
}

fn files_of(activity: &Value) -> usize {
    activity["FILES"].as_array().map_or(0, Vec::len)
}

#[test]
fn promise_09_memory_is_bounded_by_the_configuration_and_not_by_the_mail() {
    let scene = Scene::with(&["sales"]);
    // 60 MB of mail, whose attachment is over the limit of 24 MiB.
    scene.deliver("sales", "INBOX", &with_attachment("Sixty", 44));
    for number in 0..20 {
        let filler = "A line of text like any other, of seventy characters, more or less.\r\n";
        let large = mail(&format!("Two {number:02}")).body(filler.repeat(30_000));
        scene.deliver("sales", "INBOX", &large);
    }
    scene.deliver("sales", "INBOX", &mail("Small"));
    let daemon = scene.daemon();
    until_state(&daemon, "Sixty", "saved", None);
    until_state(&daemon, "Small", "saved", None);
    daemon.wait_until_settled(22, LIMIT);
    let peak = peak_rss_mib(daemon.pid().unwrap());
    println!("peak: {peak} MiB");
    assert!(peak < 200, "{peak} MiB");
    let text = text_of(&scene, "Sixty");
    assert!(text.contains("Here it is."), "{text}");
    assert!(text.contains("plans.zip") && text.contains("44.0 MiB"), "{text}");
    // Cut at 1 MiB, and said so.
    let text = text_of(&scene, "Two 07");
    assert!(text.len() < 1_200_000 && text.contains("cut at"), "{}", text.len());
}

#[test]
fn of_a_mail_over_the_limit_the_beginning_is_filed_and_a_line_says_so() {
    let scene = Scene::with(&["sales"]);
    scene.deliver("sales", "INBOX", &with_attachment("Too large", 4));
    scene.deliver("sales", "INBOX", &mail("After it"));
    let mut daemon = Daemon::new(&scene.crm.url(), &[scene.mailbox("sales")]);
    daemon.ledger = "max_message_mib = 2\n".to_owned();
    daemon.write_config();
    daemon.start();
    scene.until_filed(&["After it", "Too large"]);
    until_state(&daemon, "Too large", "saved", None);
    let text = text_of(&scene, "Too large");
    assert!(text.contains("Here it is."), "{text}");
    assert!(text.contains("too large"), "{text}");
    assert_eq!(files_of(&activity(&scene.crm, "Too large")), 0, "a file that ends in the middle");
}

#[test]
fn a_mail_of_five_thousand_parts_is_one_activity() {
    let scene = Scene::with(&["sales"]);
    let part = |number: usize| {
        format!(
            "--b\r\nContent-Type: text/plain; name=part{number}.txt\r\n\
             Content-Disposition: attachment; filename=part{number}.txt\r\n\r\nPart {number}\r\n"
        )
    };
    let parts: String = (0..5_000).map(part).collect();
    let nested = |depth: usize| {
        let mut body = String::new();
        for level in 0..depth {
            body.push_str(&format!(
                "--n{level}\r\nContent-Type: multipart/mixed; boundary=n{}\r\n\r\n",
                level + 1
            ));
        }
        body
    };
    let multipart = |boundary: &str| {
        format!("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary={boundary}\r\n")
    };
    let many = mail("Many parts").body(format!("{parts}--b--\r\n"));
    let deep = mail("Deep parts").body(nested(5_000));
    scene.deliver("sales", "INBOX", &Mail { headers: multipart("b"), ..many });
    scene.deliver("sales", "INBOX", &Mail { headers: multipart("n0"), ..deep });
    scene.deliver("sales", "INBOX", &mail("After them"));
    let daemon = scene.daemon();
    scene.until_filed(&["After them", "Deep parts", "Many parts"]);
    until_mailbox(&daemon, "sales", "idle");
    until_state(&daemon, "Many parts", "saved", None);
    until_state(&daemon, "Deep parts", "saved", None);
    assert_eq!(said(&daemon, "mailbox connected"), 1);
    println!("{} files", files_of(&activity(&scene.crm, "Many parts")));
    assert!(message(&daemon, "Deep parts")["activity_id"].is_u64());
    let peak = peak_rss_mib(daemon.pid().unwrap());
    assert!(peak < 200, "{peak} MiB");
}
