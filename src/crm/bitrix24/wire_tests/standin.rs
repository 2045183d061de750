//! The portal against the built-in sandbox: two readings of the same reference must agree.

use tokio::sync::watch;

use super::*;
use crate::crm::sandbox::{self, Sandbox, WEBHOOK_PATH};
use crate::crm::{ActivityNow, ContactFacts, OwnMade};
use crate::message::{Phone, PhoneKind};

/// Runs a script at a sandbox of its own.
async fn at_sandbox<F: Future<Output = ()>>(script: impl FnOnce(Portal) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.sqlite");
    let options = sandbox::Options { path, limits: None, simple_mode: false };
    let sandbox = Sandbox::open(options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let portal = Portal::new(Options {
        url: format!("http://{address}{WEBHOOK_PATH}"),
        originator: "mailcrm".into(),
        requests_per_second: 1000.0,
        burst: 1000,
        edition_cloud: true,
        spent: 0,
    });
    let portal = portal.unwrap();
    let script = async {
        script(portal).await;
        stop.send(true).unwrap();
    };
    let (served, ()) = tokio::join!(sandbox.serve(listener, stopped), script);
    served.unwrap();
}

fn person(email: &str) -> CardDraft {
    CardDraft { kind: CardKind::Contact, name: "Ana".into(), email: Some(email.into()), ..lead() }
}

#[tokio::test]
async fn activities_are_read_as_they_are() {
    at_sandbox(|portal| async move {
        let contact = portal.make_card(&person("ana@cliente.es")).await.unwrap();
        let deal = portal.make_card(&CardDraft { kind: CardKind::Deal, ..lead() }).await.unwrap();
        let owner = card(CardKind::Deal, deal);
        let contact = card(CardKind::Contact, contact);
        let party = |email: &str, card| Communication { email: email.into(), card };
        let draft = ActivityDraft {
            owner,
            communications: vec![
                party("ana@cliente.es", Some(contact)),
                party("jefe@cliente.es", None),
            ],
            responsible: 9,
            ..activity()
        };
        let first = portal.add_activity(&draft).await.unwrap();
        let mut asked = vec![first + 1000, first];
        for number in 0..60 {
            let origin = OriginId(format!("{number:064x}"));
            asked.push(
                portal.add_activity(&ActivityDraft { origin, ..draft.clone() }).await.unwrap(),
            );
        }
        asked.push(first);
        portal.complete_activity(first).await.unwrap();

        let before = portal.requests();
        let now = portal.activities(&asked).await.unwrap();
        assert_eq!(portal.requests() - before, 1, "one request, however many");
        assert_eq!(now.len(), 63);
        let expected = ActivityNow {
            cards: vec![owner, contact],
            responsible: Some(9),
            parties: vec!["ana@cliente.es".into(), "jefe@cliente.es".into()],
            completed: true,
        };
        assert_eq!((&now[0], &now[1]), (&None, &Some(expected.clone())));
        assert_eq!(now[62], now[1]);
        assert_eq!(now[2], Some(ActivityNow { completed: false, ..expected }));
        assert_eq!(portal.activities(&[]).await, Ok(vec![]));
    })
    .await;
}

#[tokio::test]
async fn what_is_ours_is_listed_page_by_page() {
    at_sandbox(|portal| async move {
        let others = json!({"entityTypeId": 3, "fields": {"name": "Ben", "originatorId": "other", "originId": "x"}});
        portal.raw_call("crm.item.add", others).await.unwrap();
        let mut made = Vec::new();
        for number in 0..55 {
            let origin = OriginId(format!("{number:064x}"));
            let draft = CardDraft { origin: origin.clone(), ..person("ana@cliente.es") };
            made.push(OwnMade { id: portal.make_card(&draft).await.unwrap(), origin: origin.0 });
        }
        // Of another spelling, and without an origin.
        for fields in [json!({"originatorId": "MAILCRM", "originId": "x"}), json!({"originatorId": "mailcrm"})] {
            portal.raw_call("crm.item.add", json!({"entityTypeId": 3, "fields": fields})).await.unwrap();
        }
        let contacts = Made::Card(CardKind::Contact);
        let first = portal.ours(contacts, 0).await.unwrap();
        assert_eq!(first, made[..50]);
        let second = portal.ours(contacts, first[49].id).await.unwrap();
        assert_eq!(second, made[50..]);
        assert_eq!(portal.ours(contacts, second[4].id).await, Ok(vec![]));
        assert_eq!(portal.ours(Made::Card(CardKind::Deal), 0).await, Ok(vec![]));

        let owner = card(CardKind::Contact, made[0].id);
        let id = portal.add_activity(&ActivityDraft { owner, ..activity() }).await.unwrap();
        let ours = [OwnMade { id, origin: activity().origin.0 }];
        assert_eq!(portal.ours(Made::Activity, 0).await.unwrap(), ours);
        assert_eq!(portal.ours(Made::Activity, id).await, Ok(vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_contact_is_completed_once_and_loses_nothing() {
    at_sandbox(|portal| async move {
        let contact = portal.make_card(&person("ana@cliente.es")).await.unwrap();
        let facts = ContactFacts {
            name: "Anita".into(),
            last_name: "Ruiz 🎉".into(),
            emails: vec!["ANA@cliente.es".into(), "ana@casa.es".into()],
            phones: vec![Phone { kind: PhoneKind::Mobile, number: "+34 600 000 000".into() }],
            post: "Compras".into(),
            organisation: "Cliente".into(),
        };
        let added = portal.complete_contact(contact, &facts).await.unwrap();
        let all =
            ["last name Ruiz 🎉", "post Compras", "e-mail ana@casa.es", "phone +34 600 000 000"];
        assert_eq!(added, all);
        let before = portal.requests();
        assert_eq!(portal.complete_contact(contact, &facts).await, Ok(vec![]));
        assert_eq!(portal.requests() - before, 1, "it is read, and not written");

        let asked = json!({"entityTypeId": 3, "id": contact});
        let item = portal.raw_call("crm.item.get", asked).await.unwrap()["item"].clone();
        assert_eq!((&item["name"], &item["post"]), (&json!("Ana"), &json!("Compras")));
        let fm: Vec<(&str, &str)> = item["fm"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["valueType"].as_str().unwrap(), one["value"].as_str().unwrap()))
            .collect();
        let whole =
            [("WORK", "ana@cliente.es"), ("WORK", "ana@casa.es"), ("MOBILE", "+34 600 000 000")];
        assert_eq!(fm, whole);
        let known = portal.know(&["ana@casa.es".into()]).await.unwrap();
        assert_eq!(known["ana@casa.es"].contacts.len(), 1);

        let gone = portal.complete_contact(contact + 1, &facts).await.unwrap_err();
        assert_eq!(gone.fate, Fate::CardGone);
    })
    .await;
}

#[tokio::test]
async fn titles_and_names_of_any_script_arrive_whole() {
    at_sandbox(|portal| async move {
        let family = "👨‍👩‍👧";
        let (long, fits) = (format!("{}@x.example", "a".repeat(241)), format!("{}@x.example", "a".repeat(240)));
        assert!(!portal.can_bear(&long) && portal.can_bear(&fits) && !portal.can_bear(""));
        #[rustfmt::skip]
        let cases = [
            ("emoji",     format!("{}{family}", "x".repeat(240)), family.repeat(20), fits.as_str()),
            ("combining", "e\u{301}".repeat(300),                 "a\u{301}\u{323}".repeat(40), "é@x.example"),
            ("piled",     format!("a{}", "\u{301}".repeat(400)),  format!("a{}", "\u{301}".repeat(400)), "a@x.example"),
            ("leftwards", "\u{202b}שלום\u{202c} ".repeat(60),      "\u{200f}مرحبا ".repeat(20), long.as_str()),
        ];
        for (case, title, name, email) in cases {
            for kind in [CardKind::Lead, CardKind::Contact, CardKind::Deal, CardKind::Company] {
                let (title, name) = (title.clone(), name.clone());
                let origin = OriginId("1f".repeat(32));
                let draft = CardDraft {
                    kind, origin, title, last_name: name.clone(), name, email: Some(email.into()), ..lead()
                };
                let made = portal.make_card(&draft).await;
                assert!(made.is_ok(), "{case}: {made:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_todo_is_made_found_and_completed() {
    at_sandbox(|portal| async move {
        let deal = portal.make_card(&CardDraft { kind: CardKind::Deal, ..lead() }).await.unwrap();
        let owner = card(CardKind::Deal, deal);
        let mail = portal.add_activity(&ActivityDraft { owner, ..activity() }).await.unwrap();
        for number in 0..60 {
            let other = json!({"ownerTypeId": 2, "ownerId": deal, "deadline": "2030-01-01T10:00:00Z",
                "title": format!("Call {number}")});
            portal.raw_call("crm.activity.todo.add", other).await.unwrap();
        }
        let draft = todo(owner, mail);
        let wanted = [(Made::Todo(owner), draft.origin.clone())];
        assert_eq!(portal.find_made(&wanted).await, Ok(vec![None]));
        let id = portal.add_todo(&draft).await.unwrap();
        let found = portal.find_made(&wanted).await.unwrap().remove(0).unwrap();
        assert_eq!((found.id, found.owner, found.responsible), (id, Some(owner), Some(6)));
        assert!(!found.completed);
        portal.complete_activity(id).await.unwrap();
        let found = portal.find_made(&wanted).await.unwrap().remove(0).unwrap();
        assert_eq!((found.id, found.completed), (id, true));

        let elsewhere = card(CardKind::Deal, deal + 1);
        assert_eq!(portal.find_made(&[(Made::Todo(elsewhere), draft.origin)]).await, Ok(vec![None]));
        assert_eq!(portal.ours(Made::Todo(owner), 0).await, Ok(vec![]));
        let gone = portal.add_todo(&todo(owner, mail + 1000)).await.unwrap_err();
        assert_eq!((gone.code.as_str(), gone.fate), ("NOT_FOUND", Fate::CardGone));
    })
    .await;
}
