//! The proxy before the CRM loses what it is told to lose, and remembers every call.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::common;

use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::acceptor::Acceptor;
use common::crm_faults::{CrmFaults, Fault, Odds, from_query};
use common::daemon::{Daemon, Mailbox};
use common::http;
use serde_json::json;

/// A web server that answers every request in chunks, and counts them.
fn counting_crm() -> (Acceptor, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let acceptor = Acceptor::start(Arc::new(move |stream| {
        let mut from = BufReader::new(&stream);
        if let Ok(Some(request)) = http::read(&mut from, true) {
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(request.header("host").unwrap().starts_with("127.0.0.1:"));
            let body = format!("{{\"result\": {number}}}");
            let (head, tail) = body.split_at(4);
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Mark: kept\r\n\
                 Transfer-Encoding: chunked\r\n\r\n4\r\n{head}\r\n{:x}\r\n{tail}\r\n0\r\n\r\n",
                tail.len()
            );
            let _ = std::io::Write::write_all(&mut &stream, answer.as_bytes());
        }
    }));
    (acceptor, taken)
}

#[test]
fn each_fault_does_to_a_call_what_its_name_says() {
    let (crm, taken) = counting_crm();
    let mut faults = CrmFaults::to(crm.port(), 1);
    let call =
        |faults: &CrmFaults| http::post(faults.port(), "/rest/1/s/crm.activity.add", &json!({}));
    #[rustfmt::skip]
    let cases = [
        (Fault::None,       Some(200), 1),
        (Fault::AnswerLost, None,      2),
        (Fault::CallLost,   None,      2),
        (Fault::TooMany,    Some(503), 2),
        (Fault::HtmlError,  Some(500), 2),
        (Fault::BadGateway, Some(502), 2),
        (Fault::None,       Some(200), 3),
    ];
    let script: Vec<Fault> = cases.iter().map(|(fault, _, _)| *fault).collect();
    faults.script("crm.activity.add", &script);
    for (fault, status, calls) in cases {
        let answer = call(&faults);
        assert_eq!(answer.as_ref().ok().map(http::Message::status), status, "{fault:?}");
        assert_eq!(taken.load(Ordering::SeqCst), calls, "{fault:?}");
        if let Some(answer) = answer.ok().filter(|_| fault == Fault::None) {
            assert_eq!(answer.json()["result"], calls);
            assert_eq!(answer.header("x-mark"), Some("kept"));
        }
    }
    assert_eq!((faults.requests(), faults.faults()), (7, 5));
    let met: Vec<Fault> = faults.calls().iter().map(|call| call.fault).collect();
    assert_eq!(met, script);

    faults.off();
    assert_eq!(call(&faults).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    faults.on();
    assert_eq!(call(&faults).unwrap().status(), 200);
}

#[test]
fn a_seed_gives_the_same_faults_again() {
    let run = |seed: u64| {
        let (crm, _) = counting_crm();
        let faults = CrmFaults::to(crm.port(), seed);
        faults.odds(Odds { too_many: 0.3, bad_gateway: 0.2, ..Odds::default() });
        for _ in 0..60 {
            http::post(faults.port(), "/rest/1/s/profile", &json!({})).unwrap();
        }
        faults.calls().iter().map(|call| call.fault).collect::<Vec<_>>()
    };
    let first = run(7);
    assert_eq!(first, run(7));
    assert_ne!(first, run(8));
    let number = first.iter().filter(|fault| **fault != Fault::None).count();
    assert!((15..45).contains(&number), "{number}");
}

#[test]
fn a_call_that_would_send_mail_is_found_also_in_a_batch() {
    let (crm, _) = counting_crm();
    let triple = |completed: &str| json!({"fields": {"TYPE_ID": 4, "DIRECTION": "2", "COMPLETED": completed}});
    let batch = |command: &str| json!({"halt": 0, "cmd": {"a": "crm.lead.list", "b": command}});
    let sending = "CRM.activity.add?fields%5BTYPE_ID%5D=4&fields[DIRECTION]=2&fields[COMPLETED]=Y";
    let harmless = "crm.activity.add?fields[TYPE_ID]=4&fields[DIRECTION]=2&fields[COMPLETED]=N";
    let cases = [
        ("completed", "crm.activity.add.json", triple("Y"), true),
        ("open", "crm.activity.add", triple("N"), false),
        ("an update", "crm.activity.update", triple("Y"), false),
        ("in a batch", "batch", batch(sending), true),
        ("harmless in a batch", "batch.json", batch(harmless), false),
    ];
    for (name, method, params, sends) in cases {
        let faults = CrmFaults::to(crm.port(), 1);
        http::post(faults.port(), &format!("/rest/1/s/{method}"), &params).unwrap();
        assert_eq!(faults.calls().iter().any(|call| call.sends_mail()), sends, "{name}");
    }
}

#[test]
fn a_query_is_read_as_php_does() {
    let cases = [
        ("a=1&b=x+y%26", json!({"a": "1", "b": "x y&"})),
        (
            "f[EMAIL][0][VALUE]=a@b.c&f[T]=2",
            json!({"f": {"EMAIL": {"0": {"VALUE": "a@b.c"}}, "T": "2"}}),
        ),
        ("v[]=1&v[]=2", json!({"v": {"0": "1", "1": "2"}})),
        ("", json!({})),
    ];
    for (query, value) in cases {
        assert_eq!(from_query(query), value, "{query}");
    }
}

#[test]
fn the_configuration_takes_a_key_of_a_snippet_in_the_place_of_the_default() {
    let mailbox = Mailbox {
        name: "sales".to_owned(),
        address: "sales@example.com".to_owned(),
        username: "sales".to_owned(),
        password: "secret".to_owned(),
        port: 993,
        ca_file: "/ca.pem".into(),
        head: "owner = 7\naliases = [\"info@example.com\"]".to_owned(),
        imap: String::new(),
        folders: "spam = \"INBOX\"".to_owned(),
        crm: "history_days = 30".to_owned(),
        tables: "[mailbox.smtp]\nport = 465\n".to_owned(),
    };
    let mut daemon = Daemon::new("http://127.0.0.1:1/rest/1/s/", &[mailbox]);
    daemon.crm = "burst = 2".to_owned();
    daemon.write_config();
    let text = std::fs::read_to_string(daemon.config_path()).unwrap();
    for (line, count) in [
        ("owner = 7", 1),
        ("owner = 1", 0),
        ("history_days = 30", 1),
        ("history_days = 7", 0),
        ("burst = 2", 1),
        ("burst = 1000", 0),
        ("requests_per_second = 1000.0", 1),
        ("[mailbox.folders]", 1),
        ("spam = \"INBOX\"", 1),
        ("[mailbox.smtp]", 1),
    ] {
        let found = text.lines().filter(|known| *known == line).count();
        assert_eq!(found, count, "{line} in\n{text}");
    }
    use std::os::unix::fs::PermissionsExt;
    let secret = daemon.dir().join("sales.password").metadata().unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
}
