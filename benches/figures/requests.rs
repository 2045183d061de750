//! How many requests a filed mail costs on a portal that counts them.

use std::time::Duration;

use serde_json::json;

use crate::Amount;
use crate::common::dovecot;
use crate::mails;
use crate::program::{Crm, Program, Server, folder, url};
use crate::report::{Table, seconds};

const CONTACTS: usize = 100;
const MAILS_EACH: usize = 5;
/// Requests a mail.
const LIMIT: f64 = 2.2;

/// The mails are there before the daemon is.
pub fn backlog(amount: Amount) -> Table {
    measure(Table::new("requests: mail that lay there, filed on a cloud portal"), amount, false)
}

/// The mails arrive while the daemon waits for them, all at once.
pub fn live(amount: Amount) -> Table {
    measure(Table::new("requests-live: mail that arrives, filed on a cloud portal"), amount, true)
}

fn measure(mut table: Table, amount: Amount, live: bool) -> Table {
    let contacts = amount.of(CONTACTS);
    let mails = contacts * MAILS_EACH;
    let dir = folder();
    let dovecot = dovecot(dir.path(), &["sales"]);
    let mut crm = Crm::start();
    for number in 0..contacts {
        let address = json!([{ "typeId": "EMAIL", "valueType": "WORK", "value": address(number) }]);
        let fields = json!({ "name": format!("Client {number}"), "fm": address });
        let params = json!({ "entityTypeId": 3, "fields": fields });
        let contact = crm.call("crm.item.add", &params)["item"]["id"].clone();
        let fields = json!({ "title": format!("Deal {number}"), "contactId": contact });
        crm.call("crm.item.add", &json!({ "entityTypeId": 2, "fields": fields }));
    }
    // What Bitrix24's cloud grants (Limits, plans below Enterprise).
    crm.restart(&["--drain", "2", "--threshold", "50"]);
    let (before, _) = requests(&crm);
    let deliver = || {
        for number in 0..mails {
            let mail = mails::short(&address(number % contacts), number);
            dovecot.deliver("sales", "INBOX", &mail).unwrap();
        }
    };
    if !live {
        deliver();
    }
    // Without any override: the rate and burst of a new installation.
    let mut program =
        Program::start(&url(crm.port()), "", &Server::of(&dovecot), &["sales".to_owned()]);
    if live {
        program.until_idle(1);
        deliver();
    }
    const SAVED: &str = "SELECT count(*) FROM message WHERE state = 'saved'";
    let time = program.until(SAVED, mails, Duration::from_secs(1_800));
    let (after, turned_away) = requests(&crm);
    let counts = crm.call("sandbox.counts", &json!({}));
    assert_eq!(counts["activities"], mails, "an activity each");
    assert_eq!(counts["leads"], 0, "on the deals");

    table.note("mails, of contacts with one open deal each", format!("{mails}, {contacts}"));
    let each = (after - before) as f64 / mails as f64;
    table.limited("requests a mail", format!("{each:.2}"), "at most 2.2", each <= LIMIT);
    let away = turned_away.to_string();
    table.limited("requests turned away (QUERY_LIMIT_EXCEEDED)", away, "none", turned_away == 0);
    table.note("start to the last mail filed, at 2 requests a second", seconds(time));
    table
}

fn address(contact: usize) -> String {
    format!("client{contact}@shop.example")
}

/// All requests but the questions of this harness, and those turned away.
fn requests(crm: &Crm) -> (i64, i64) {
    let counts = crm.call("sandbox.counts", &json!({}));
    let by_method = counts["requests"].as_object().expect("counts by method");
    let asked = by_method.iter().filter(|(method, _)| !method.starts_with("sandbox."));
    let asked = asked.filter_map(|(_, count)| count.as_i64()).sum();
    (asked, counts["query_limit_exceeded"].as_i64().expect("a count"))
}
