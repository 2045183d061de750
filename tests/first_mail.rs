//! The main job: mail in over IMAP, cards and activities in the CRM.

use crate::common;

use common::daemon::{Daemon, Mailbox};
use common::sandbox::SandboxProcess;
use common::{LIMIT, dovecot, wait_for};
use serde_json::json;

fn mail(from: &str, id: &str, subject: &str) -> Vec<u8> {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S +0000");
    format!(
        "From: {from}\r\nTo: sales@example.com\r\nSubject: {subject}\r\nDate: {date}\r\n\
         Message-ID: <{id}@shop.example>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         How much for a dozen?\r\n"
    )
    .into_bytes()
}

#[test]
fn one_mail_becomes_one_lead_with_one_activity() {
    let dir = tempfile::tempdir().unwrap();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let crm = SandboxProcess::start();
    let mailbox = Mailbox::on(&dovecot, "sales");
    dovecot.deliver("sales", "INBOX", &mail("Ana <ana@client.example>", "1", "History")).unwrap();
    let daemon = Daemon::running(&crm.url(), &[mailbox]);
    wait_for("history to be filed", LIMIT, || crm.activities().len() == 1);
    dovecot.deliver("sales", "INBOX", &mail("Bo <bo@client.example>", "2", "Live")).unwrap();
    wait_for("live mail to be filed", LIMIT, || crm.activities().len() == 2);
    let leads = crm.cards(1);
    assert_eq!(leads.len(), 2, "{leads:?}");
    let counts = crm.call("sandbox.counts", &json!({}));
    assert_eq!(counts["sent_mail"], 0);
    daemon.wait_for_line("message saved", LIMIT);
}
