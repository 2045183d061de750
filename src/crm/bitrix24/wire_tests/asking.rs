//! Look-ups put together, and what is believed of their answers.

use serde_json::{Value, json};

use super::*;

/// Contacts 1..=50 with an address, a responsible and one open deal each.
fn small_crm(asked: &Asked) -> Reply {
    batch(asked, |method, params| match (method, param(params, "entityTypeId")) {
        ("crm.duplicate.findbycomm", _) => {
            assert_eq!(param(params, "type"), "EMAIL");
            let address = param(params, "values[]");
            let id: u64 =
                address.trim_start_matches("c").split('@').next().unwrap().parse().unwrap();
            if param(params, "entity_type") == "CONTACT" {
                Ok(json!({"CONTACT": [id]}))
            } else {
                Ok(json!([]))
            }
        }
        ("crm.item.list", "3") => {
            let items: Vec<Value> = params
                .iter()
                .filter(|(key, _)| key == "filter[@id][]")
                .map(|(_, id)| {
                    json!({"id": id.parse::<u64>().unwrap(), "assignedById": 6,
                    "updatedTime": "2024-07-18T12:32:31+02:00"})
                })
                .collect();
            Ok(json!({"items": items}))
        }
        ("crm.item.list", "2") => {
            let contact: u64 = param(params, "filter[contactId]").parse().unwrap();
            assert_eq!(param(params, "filter[stageSemanticId]"), "P");
            Ok(json!({"items": [{"id": contact + 1000, "assignedById": 9, "contactId": contact,
                "stageSemanticId": "P", "updatedTime": "2024-07-18T12:32:31+02:00"}]}))
        }
        other => panic!("{other:?}"),
    })
}

#[tokio::test]
async fn fifty_known_contacts_with_a_deal_each_cost_five_requests() {
    let peer = Peer::start(|asked, _| small_crm(asked)).await;
    let portal = peer.portal();
    let addresses: Vec<String> = (1..=50).map(|n| format!("c{n}@cliente.es")).collect();
    let known = portal.know(&addresses).await.unwrap();
    assert_eq!(portal.requests(), 5);
    assert_eq!(known.len(), 50);
    let about = &known["c7@cliente.es"];
    assert_eq!(about.contacts.len(), 1);
    let contact = &about.contacts[0];
    assert_eq!((contact.card, contact.responsible), (card(CardKind::Contact, 7), 6));
    assert_eq!(
        contact.deals,
        [OpenCard { card: card(CardKind::Deal, 1007), responsible: 9, updated_at: 1_721_298_751 }]
    );
    assert!(about.companies.is_empty() && about.leads.is_empty() && about.hidden.is_empty());
}

#[tokio::test]
async fn rows_that_a_dropped_filter_lets_in_are_not_believed() {
    let peer = Peer::start(|asked, _| {
        batch(asked, |method, params| match (method, param(params, "entityTypeId")) {
            ("crm.duplicate.findbycomm", _) if param(params, "entity_type") == "LEAD" => {
                Ok(json!({"LEAD": ["4", "5"]}))
            }
            ("crm.duplicate.findbycomm", _) => Ok(json!({"CONTACT": [1], "COMPANY": [9]})),
            ("crm.item.list", "1") => Ok(json!({"items": [
                {"id": 4, "assignedById": 6, "stageSemanticId": "P", "updatedTime": "2024-07-18T12:32:31+02:00"},
                {"id": 5, "assignedById": 6, "stageSemanticId": "F"},
                {"id": 6, "assignedById": 6, "stageSemanticId": "P"}]})),
            ("crm.item.list", "3") => Ok(json!({"items": [{"id": 1, "assignedById": 6}, {"id": 2}]})),
            ("crm.item.list", "4") => Ok(json!({"items": [{"id": 9, "assignedById": 7}]})),
            ("crm.item.list", "2") => Ok(json!({"items": [
                {"id": 10, "contactId": 1, "companyId": 9, "stageSemanticId": "P", "updatedTime": "2024-07-18T12:32:31+02:00"},
                {"id": 11, "contactId": 1, "stageSemanticId": "P", "updatedTime": "2024-07-19T12:32:31+02:00"},
                {"id": 12, "contactId": 1, "stageSemanticId": "S"},
                {"id": 13, "contactId": 2, "stageSemanticId": "P"},
                {"id": 14, "contactId": null, "stageSemanticId": "P"}]})),
            other => panic!("{other:?}"),
        })
    })
    .await;
    let known = peer.portal().know(&["ana@cliente.es".into()]).await.unwrap();
    let about = &known["ana@cliente.es"];
    let ids = |cards: &[OpenCard]| cards.iter().map(|open| open.card.id).collect::<Vec<_>>();
    assert_eq!(ids(&about.leads), [4]);
    assert_eq!(about.contacts.len(), 1);
    assert_eq!(ids(&about.contacts[0].deals), [11, 10]);
    assert_eq!(ids(&about.companies[0].deals), [10]);
}

#[tokio::test]
async fn a_card_that_may_not_be_read_is_hidden_and_not_unknown() {
    let peer = Peer::start(|asked, _| {
        batch(asked, |method, params| match (method, param(params, "entityTypeId")) {
            ("crm.duplicate.findbycomm", _) => match param(params, "entity_type") {
                "LEAD" => Ok(json!({"LEAD": [3]})),
                "CONTACT" => Ok(json!({"CONTACT": [1, 2]})),
                _ => Ok(json!([])),
            },
            // No right to any lead.
            ("crm.item.list", "1") => Err("ACCESS_DENIED"),
            ("crm.item.list", "3") => Ok(json!({"items": []})),
            ("crm.item.get", "3") if param(params, "id") == "2" => Err("NOT_FOUND"),
            ("crm.item.get", _) => Err("ACCESS_DENIED"),
            other => panic!("{other:?}"),
        })
    })
    .await;
    let known = peer.portal().know(&["ana@cliente.es".into()]).await.unwrap();
    let about = &known["ana@cliente.es"];
    assert_eq!(about.hidden, [card(CardKind::Lead, 3), card(CardKind::Contact, 1)]);
    assert!(about.contacts.is_empty() && about.leads.is_empty());
}

/// Promise 5.
#[tokio::test]
async fn an_address_that_the_crm_might_expand_never_stands_in_a_batch() {
    let evil = "\"$result[c0]\"@x.example";
    let peer = Peer::start(move |asked, _| match asked.method() {
        "batch" => {
            assert!(!asked.body.to_string().contains('$'));
            batch(asked, |_, _| Ok(json!([])))
        }
        "crm.duplicate.findbycomm" => {
            assert_eq!(asked.body["values"], json!([evil]));
            ok(json!([]))
        }
        other => panic!("{other}"),
    })
    .await;
    let portal = peer.portal();
    let known = portal.know(&[evil.into(), "ana@cliente.es".into()]).await.unwrap();
    assert_eq!(known.len(), 2);
    assert_eq!(known[evil], Default::default());
    assert_eq!(portal.requests(), 4);
}

#[tokio::test]
async fn an_answer_that_is_missing_or_an_error_is_never_taken_for_unknown() {
    let deferred = |fate: &Fate| matches!(fate, Fate::Deferred { ambiguous: false, .. });
    #[rustfmt::skip]
    let cases: Vec<(&str, Value)> = vec![
        ("missing", json!({"result": {"result": [], "result_error": []}})),
        ("no batch", json!({"result": []})),
        ("limit inside", json!({"result": {"result": [], "result_error":
            {"c0": {"error": "OPERATION_TIME_LIMIT", "error_description": "x"}, "c1": {"error": "OPERATION_TIME_LIMIT"},
             "c2": {"error": "OPERATION_TIME_LIMIT"}}}})),
        ("crash inside", json!({"result": {"result": {"c0": [], "c1": []}, "result_error":
            {"c2": {"error": "ERROR_CORE", "error_description": "x"}}}})),
        ("no map", json!({"result": {"result": {"c0": false, "c1": [], "c2": []}, "result_error": []}})),
    ];
    for (name, body) in cases {
        let peer = Peer::start(move |_, _| Reply::Json(200, body.clone())).await;
        let failure = peer.portal().know(&["ana@cliente.es".into()]).await.unwrap_err();
        assert!(deferred(&failure.fate), "{name}: {failure:?}");
    }
}

#[tokio::test]
async fn cards_are_here_gone_hidden_or_have_become_a_deal() {
    let peer = Peer::start(|asked, _| {
        batch(asked, |method, params| match (method, param(params, "entityTypeId")) {
            ("crm.item.list", "1") => Ok(json!({"items": [
                {"id": 1, "assignedById": 6, "stageSemanticId": "P", "contactId": "0", "companyId": 9},
                {"id": 2, "assignedById": 6, "stageSemanticId": "S", "stageId": "CONVERTED"}]})),
            ("crm.item.list", "2") => match param(params, "filter[leadId]") {
                "" => Ok(json!({"items": [
                    {"id": 20, "assignedById": 7, "stageSemanticId": "F", "contactId": 30, "companyId": 9}]})),
                "2" => Ok(json!({"items": [
                    {"id": 21, "leadId": 77, "stageSemanticId": "P"},
                    {"id": 22, "leadId": 2, "assignedById": 8, "stageSemanticId": "P", "contactId": 30}]})),
                "3" => Ok(json!({"items": [
                    {"id": 23, "leadId": 3, "assignedById": 9, "stageSemanticId": "P", "contactId": 31}]})),
                _ => Ok(json!({"items": []})),
            },
            ("crm.item.list", "3") => Ok(json!({"items": []})),
            ("crm.item.get", "3") => Err("ACCESS_DENIED"),
            ("crm.item.get", _) => Err("NOT_FOUND"),
            other => panic!("{other:?}"),
        })
    })
    .await;
    use CardKind::{Company, Contact, Deal, Lead};
    let asked = [
        card(Deal, 20),
        card(Lead, 1),
        card(Lead, 2),
        card(Lead, 3),
        card(Lead, 4),
        card(Contact, 30),
        card(Deal, 404),
        card(Lead, 1),
    ];
    let portal = peer.portal();
    let now = portal.cards(&asked).await.unwrap();
    let deal = |id, responsible| OpenCard { card: card(Deal, id), responsible, updated_at: 0 };
    let here = |at: usize, responsible, open, deal, client| CardNow::Here {
        card: asked[at],
        responsible,
        open,
        deal,
        client,
    };
    assert_eq!(
        now,
        [
            here(0, 7, false, None, Some(card(Contact, 30))),
            here(1, 6, true, None, Some(card(Company, 9))),
            here(2, 6, false, Some(deal(22, 8)), Some(card(Contact, 30))),
            here(3, 9, false, Some(deal(23, 9)), Some(card(Contact, 31))),
            CardNow::Gone { card: asked[4] },
            CardNow::Hidden { card: asked[5] },
            CardNow::Gone { card: asked[6] },
            here(7, 6, true, None, Some(card(Company, 9))),
        ]
    );
    assert_eq!(portal.requests(), 3);
}

#[tokio::test]
async fn what_was_made_is_found_by_both_names_and_the_first_counts() {
    let origin = |name: &str| OriginId(format!("{name}{}", "0".repeat(60)));
    let (a, b, c) = (origin("aaaa"), origin("bbbb"), origin("cccc"));
    let (in_a, in_b) = (a.0.clone(), b.0.clone());
    let peer = Peer::start(move |asked, _| {
        let (a, b) = (in_a.clone(), in_b.clone());
        batch(asked, move |method, params| match method {
            "crm.activity.list" if param(params, "filter[ORIGIN_ID]") == a => Ok(json!([
                {"ID": "12", "ORIGINATOR_ID": "mailcrm", "ORIGIN_ID": a, "OWNER_TYPE_ID": "2", "OWNER_ID": "3",
                 "COMPLETED": "N", "RESPONSIBLE_ID": "6", "DESCRIPTION": ""},
                {"ID": "11", "ORIGINATOR_ID": "mailcrm", "ORIGIN_ID": a, "OWNER_TYPE_ID": "2", "OWNER_ID": "3",
                 "COMPLETED": "Y", "RESPONSIBLE_ID": "6", "DESCRIPTION": "Hola"},
                {"ID": "10", "ORIGINATOR_ID": "other", "ORIGIN_ID": a}])),
            "crm.activity.list" => Ok(json!([{"ID": "10", "ORIGINATOR_ID": "mailcrm", "ORIGIN_ID": "x"}])),
            "crm.item.list" => Ok(json!({"items": [
                {"id": 5, "originatorId": "mailcrm", "originId": b, "assignedById": 6, "stageSemanticId": "S"}]})),
            other => panic!("{other}"),
        })
    })
    .await;
    let portal = peer.portal();
    let lead = Made::Card(CardKind::Lead);
    let wanted = [(Made::Activity, a), (lead, b), (Made::Activity, c)];
    let found = portal.find_made(&wanted).await.unwrap();
    let first = found[0].as_ref().unwrap();
    assert_eq!((first.id, first.owner, first.completed), (11, Some(card(CardKind::Deal, 3)), true));
    assert!(first.has_text);
    let second = found[1].as_ref().unwrap();
    assert_eq!((second.id, second.owner, second.responsible), (5, None, Some(6)));
    assert_eq!(found[2], None);
    assert_eq!(portal.requests(), 1);
}

#[tokio::test]
async fn a_look_up_that_fails_is_never_nothing() {
    let wanted = [(Made::Activity, OriginId("ab".repeat(32)))];
    let other: Vec<Value> = (1..=50).map(|id| json!({"ID": id, "ORIGINATOR_ID": "x"})).collect();
    let peer = Peer::start(move |asked, at| match at {
        0 => batch(asked, |_, _| Err("ERROR_CORE")),
        // A dropped filter: the portal answers with its first fifty activities, and ours may come later.
        1 => batch(asked, |_, _| Ok(json!(other))),
        2 => Reply::Page(502, "Bad Gateway".into()),
        _ => batch(asked, |_, _| Ok(json!([]))),
    })
    .await;
    let portal = peer.portal();
    for at in 0..3 {
        assert!(portal.find_made(&wanted).await.is_err(), "{at}");
    }
    assert_eq!(portal.find_made(&wanted).await, Ok(vec![None]));
}

#[tokio::test]
async fn activities_of_a_dropped_filter_are_not_believed() {
    let row = |id: u64| json!({"ID": id.to_string(), "OWNER_TYPE_ID": "2", "OWNER_ID": "3", "COMPLETED": "Y"});
    let peer = Peer::start(move |asked, at| {
        batch(asked, |method, params| {
            assert_eq!(method, "crm.activity.list");
            assert_eq!(param(params, "start"), "-1");
            let wanted: Vec<u64> = params
                .iter()
                .filter(|(key, _)| key == "filter[@ID][]")
                .map(|(_, id)| id.parse().unwrap())
                .collect();
            assert!(wanted.len() <= 50);
            assert!(
                params.iter().any(|(key, value)| key == "select[]" && value == "COMMUNICATIONS")
            );
            match at {
                // As a map, with a row that nobody asked for.
                0 => Ok(json!({"0": row(7), "1": row(8)})),
                // The first fifty of the portal: those asked for may come later.
                1 => Ok((1..=50).map(row).collect()),
                // All of them are among the first fifty.
                2 => Ok((1..=50).map(row).collect()),
                _ => Err("ERROR_CORE"),
            }
        })
    })
    .await;
    let portal = peer.portal();
    let now = portal.activities(&[9, 7, 0]).await.unwrap();
    assert_eq!((&now[0], &now[2]), (&None, &None));
    let there = now[1].as_ref().unwrap();
    assert_eq!((there.cards.as_slice(), there.completed), (&[card(CardKind::Deal, 3)][..], true));
    assert!(there.parties.is_empty());
    let failure = portal.activities(&[7, 900]).await.unwrap_err();
    assert!(matches!(failure.fate, Fate::Deferred { ambiguous: false, .. }), "{failure:?}");
    assert!(portal.activities(&[7, 50]).await.unwrap().iter().all(Option::is_some));
    assert!(portal.activities(&[7]).await.is_err(), "an error is not gone");
}

#[tokio::test]
async fn a_page_of_ours_is_only_ours_and_never_empty_before_the_end() {
    let row = |id: u64, originator: &str, origin: &str| json!({"ID": id, "ORIGINATOR_ID": originator, "ORIGIN_ID": origin});
    let peer = Peer::start(move |asked, at| {
        assert_eq!(asked.method(), "crm.activity.list");
        assert_eq!(
            (&asked.body["start"], &asked.body["order"]),
            (&json!(-1), &json!({"ID": "ASC"}))
        );
        assert_eq!(asked.body["filter"]["ORIGINATOR_ID"], "mailcrm");
        let after = asked.body["filter"][">ID"].as_u64().unwrap();
        let page = |originator: &'static str, origin: &'static str| -> Value {
            (after + 1..=after + 50).map(|id| row(id, originator, origin)).collect()
        };
        match at {
            0 => {
                ok(json!([row(5, "mailcrm", "b"), row(4, "MailCRM", "a"), row(3, "mailcrm", "c")]))
            }
            // A page of which none is ours is passed over.
            1 => ok(page("mailcrm", "")),
            2 => ok(json!({"1": row(70, "mailcrm", "d")})),
            // Dropped filters: of the originator, and of the number.
            3 => ok(page("other", "a")),
            4 => ok(json!([row(1, "mailcrm", "a")])),
            _ => ok(json!([])),
        }
    })
    .await;
    let portal = peer.portal();
    let ids = |page: Vec<crate::crm::OwnMade>| page.iter().map(|made| made.id).collect::<Vec<_>>();
    assert_eq!(ids(portal.ours(Made::Activity, 0).await.unwrap()), [3, 5]);
    assert_eq!(ids(portal.ours(Made::Activity, 5).await.unwrap()), [70]);
    assert_eq!(peer.asked()[2].body["filter"][">ID"], 55);
    for _ in 0..2 {
        let failure = portal.ours(Made::Activity, 70).await.unwrap_err();
        assert!(matches!(failure.fate, Fate::Deferred { ambiguous: false, .. }), "{failure:?}");
    }
    assert_eq!(portal.ours(Made::Activity, 70).await, Ok(vec![]));
}

#[tokio::test]
async fn an_originator_of_odd_letters_is_asked_for_outside_batches() {
    let peer = Peer::start(|asked, _| match asked.method() {
        "crm.activity.list" => {
            assert_eq!(asked.body["filter"]["ORIGINATOR_ID"], "compañía $result[x]");
            ok(json!([{"ID": "1", "ORIGINATOR_ID": "compañía $result[x]", "ORIGIN_ID": "abcd"}]))
        }
        other => panic!("{other}"),
    })
    .await;
    let options = Options { originator: "compañía $result[x]".into(), ..peer.options() };
    let portal = Portal::new(options).unwrap();
    let found = portal.find_made(&[(Made::Activity, OriginId("abcd".into()))]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().id, 1);
}

#[tokio::test]
async fn activities_with_texts_larger_than_memory_are_asked_for_in_smaller_parts() {
    let peer = Peer::start(|asked, _| {
        if asked.body["cmd"].as_object().unwrap().len() > 2 {
            return Reply::Page(200, " ".repeat(33 * 1024 * 1024));
        }
        batch(asked, |_, params| {
            let origin = param(params, "filter[ORIGIN_ID]");
            Ok(json!([{"ID": 1, "ORIGINATOR_ID": "mailcrm", "ORIGIN_ID": origin}]))
        })
    })
    .await;
    let portal = Portal::new(peer.options()).unwrap();
    let wanted: Vec<_> = (0..4).map(|n| (Made::Activity, OriginId(format!("a{n}")))).collect();
    let found = portal.find_made(&wanted).await.unwrap();
    assert!(found.iter().all(Option::is_some));
    assert_eq!(portal.requests(), 3);
}

#[tokio::test]
async fn the_portal_says_who_we_are_and_who_works_there() {
    let peer = Peer::start(|asked, _| match asked.method() {
        "profile" => ok(json!({"ID": "7", "ADMIN": false, "NAME": "Ana"})),
        "crm.settings.mode.get" => ok(json!("2")),
        "user.get" => {
            let start = asked.body["start"].as_u64().unwrap();
            let page: Vec<Value> = (start + 1..=start + 50)
                .map(
                    |id| json!({"ID": id.to_string(), "NAME": "N", "LAST_NAME": "", "ACTIVE": "Y"}),
                )
                .collect();
            let mut body = json!({"result": page, "total": 100});
            if start == 0 {
                body["next"] = json!(50);
            }
            Reply::Json(200, body)
        }
        other => panic!("{other}"),
    })
    .await;
    let portal = peer.portal();
    assert_eq!(portal.me().await, Ok(7));
    assert_eq!(portal.has_leads().await, Ok(false));
    let employees = portal.employees().await.unwrap();
    assert_eq!((employees.len(), employees[99].id), (100, 100));
}

#[tokio::test]
async fn a_todo_is_known_by_its_marker_and_every_row_is_compared() {
    let deal = card(CardKind::Deal, 314);
    let origin = OriginId("cd".repeat(32));
    let marker = format!("Text\nmailcrm {}", origin.0);
    let row = |id: u64, owner: u64, provider: &str, text: &str| {
        json!({"ID": id.to_string(), "OWNER_TYPE_ID": "2", "OWNER_ID": owner.to_string(),
            "PROVIDER_ID": provider, "DESCRIPTION": text, "COMPLETED": "Y"})
    };
    let plain = move |from: u64| -> Vec<Value> {
        (from..from + 50).map(|id| row(id, 314, "CRM_TODO", "Call back")).collect()
    };
    let ours = marker.clone();
    let wanted = [(Made::Todo(deal), origin.clone())];
    let peer = Peer::start(move |asked, at| {
        // Those of another card, another kind, and of another originator.
        let others = json!([
            row(1, 315, "CRM_TODO", &ours),
            row(2, 314, "CRM_EMAIL", &ours),
            row(3, 314, "CRM_TODO", &ours.replace("mailcrm", "other")),
        ]);
        if asked.method() == "batch" {
            return batch(asked, |method, params| {
                assert_eq!(method, "crm.activity.list");
                let of = |key: &str| param(params, key).to_owned();
                assert_eq!(
                    [
                        of("filter[OWNER_TYPE_ID]"),
                        of("filter[OWNER_ID]"),
                        of("filter[PROVIDER_ID]")
                    ],
                    ["2", "314", "CRM_TODO"]
                );
                assert_eq!([of("filter[>ID]"), of("start")], ["0", "-1"]);
                match at {
                    0 => Ok(others.clone()),
                    1 => {
                        Ok(json!([row(8, 314, "CRM_TODO", &ours), row(7, 314, "CRM_TODO", &ours)]))
                    }
                    // It stands on a further page, and then on none.
                    2 | 4 => Ok(json!(plain(10))),
                    // A dropped filter.
                    6 => Ok((1..=50).map(|id| row(id, 9, "CRM_TODO", "x")).collect()),
                    _ => Err("ERROR_CORE"),
                }
            });
        }
        assert_eq!(asked.method(), "crm.activity.list");
        assert_eq!(asked.body["filter"][">ID"], 59);
        assert_eq!(asked.body["filter"]["OWNER_ID"], 314);
        match at {
            3 => ok(json!([row(60, 314, "CRM_TODO", &ours)])),
            _ => ok(json!([])),
        }
    })
    .await;
    let portal = peer.portal();
    let found = async || {
        let found = portal.find_made(&wanted).await;
        found.map(|found| found[0].as_ref().map(|found| (found.id, found.completed)))
    };
    assert_eq!(found().await, Ok(None));
    assert_eq!(found().await, Ok(Some((7, true))), "the first of two");
    assert_eq!(found().await, Ok(Some((60, true))));
    assert_eq!(found().await, Ok(None));
    for _ in 0..2 {
        let failure = found().await.unwrap_err();
        assert!(matches!(failure.fate, Fate::Deferred { ambiguous: false, .. }), "{failure:?}");
    }
}
