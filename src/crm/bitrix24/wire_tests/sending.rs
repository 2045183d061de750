//! One call at a time: redirects, lost answers, limits, the secret, what must not leave.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_call_is_a_json_post_with_a_real_user_agent() {
    let peer = Peer::start(|_, _| ok(json!({"item": {"id": 342, "title": "x"}}))).await;
    let portal = peer.portal();
    assert_eq!(portal.make_card(&lead()).await, Ok(342));
    let asked = &peer.asked()[0];
    assert_eq!(asked.path, format!("/rest/1/{SECRET}/crm.item.add"));
    assert!(asked.head.starts_with("POST "));
    let head = asked.head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    assert!(head.contains("accept: application/json\r\n"));
    assert!(head.contains(&format!("user-agent: mailcrm/{}\r\n", env!("CARGO_PKG_VERSION"))));
    assert_eq!(asked.body["fields"]["title"], "Presupuesto $result[c0]");
    assert_eq!(portal.requests(), 1);
    assert_eq!(portal.host_and_port(), peer.address);
}

#[tokio::test]
async fn a_renamed_portal_gets_the_same_post_and_its_name_is_kept() {
    let new = Peer::start(|_, _| ok(json!(999))).await;
    let to = new.address.clone();
    let old =
        Peer::start(move |asked, _| Reply::Location(302, format!("http://{to}{}", asked.path)))
            .await;
    let portal = old.portal();
    assert_eq!(portal.add_activity(&activity()).await, Ok(999));
    assert_eq!(portal.add_activity(&activity()).await, Ok(999));
    assert_eq!((old.asked().len(), new.asked().len()), (1, 2));
    assert_eq!(old.asked()[0].body, new.asked()[0].body);
    assert!(new.asked()[0].head.starts_with("POST "));
    assert_eq!(portal.host_and_port(), old.address, "the ledger's CRM stays the same");
    assert_eq!(portal.requests(), 3);
}

#[tokio::test]
async fn redirects_in_a_circle_or_to_a_login_page_are_not_followed() {
    let circle = Peer::start(|asked, _| Reply::Location(302, asked.path.clone())).await;
    let failure = circle.portal().me().await.unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.fate),
        ("http-302", Fate::Blocked { retry_after: None })
    );
    assert_eq!(circle.asked().len(), 4);

    let login = Peer::start(|_, _| Reply::Location(302, "/auth/?backurl=x".into())).await;
    assert_eq!(login.portal().me().await.unwrap_err().fate, Fate::Blocked { retry_after: None });
    assert_eq!(login.asked().len(), 1);
}

fn lost(ambiguous: bool) -> Fate {
    Fate::Deferred { retry_after: None, ambiguous, suspect: false }
}

#[tokio::test]
async fn a_call_without_answer_may_have_run() {
    let peer = Peer::start(|_, _| Reply::Silence).await;
    let portal = peer.hasty_portal();
    let failure = portal.make_card(&lead()).await.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.fate), ("timeout", lost(true)));
    let failure = portal.me().await.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.fate), ("timeout", lost(false)));
    assert_eq!(peer.asked().len(), 2, "nothing is repeated after a timeout");
}

#[tokio::test]
async fn a_connection_that_ends_after_sending_is_ambiguous_and_questions_are_asked_once_more() {
    for half in [false, true] {
        let peer = Peer::start(move |_, _| if half { Reply::Half } else { Reply::Close }).await;
        let failure = peer.portal().make_card(&lead()).await.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.fate), ("network", lost(true)), "{half}");
        assert_eq!(peer.asked().len(), 1, "a writing call is never repeated here");
    }
    let peer =
        Peer::start(|_, at| if at == 0 { Reply::Close } else { ok(json!({"ID": "7"})) }).await;
    assert_eq!(peer.portal().me().await, Ok(7));
    assert_eq!(peer.asked().len(), 2);
}

#[tokio::test]
async fn a_portal_that_cannot_be_reached_has_not_run_the_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let peer = Peer { address, asked: Arc::default() };
    let failure = peer.portal().make_card(&lead()).await.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.fate), ("network", lost(false)));
    assert!(!failure.text.contains(SECRET), "{}", failure.text);
}

#[tokio::test]
async fn a_page_instead_of_an_answer_is_ambiguous_and_suspect() {
    let crashed = Fate::Deferred { retry_after: None, ambiguous: true, suspect: true };
    for (status, code) in [(502, "http-502"), (200, "not-json"), (403, "http-403")] {
        let peer = Peer::start(move |_, _| {
            Reply::Page(status, "<html><title>Bad Gateway</title></html>".into())
        })
        .await;
        let failure = peer.portal().make_card(&lead()).await.unwrap_err();
        assert_eq!((failure.code.as_str(), &failure.fate), (code, &crashed));
        assert_eq!(failure.text, "Bad Gateway");
    }
}

#[tokio::test]
async fn answers_that_hold_no_id_are_not_believed() {
    for body in [json!({"result": {}}), json!({"result": []}), json!({"time": {}}), json!({})] {
        let peer = Peer::start(move |_, _| Reply::Json(200, body.clone())).await;
        let failure = peer.portal().make_card(&lead()).await.unwrap_err();
        assert_eq!(failure.code, "not-json");
        assert!(matches!(failure.fate, Fate::Deferred { ambiguous: true, .. }));
    }
}

#[tokio::test]
async fn an_error_with_http_200_is_an_error() {
    let peer = Peer::start(|_, _| error(200, "ERROR_CORE", "SQL")).await;
    let failure = peer.portal().add_activity(&activity()).await.unwrap_err();
    assert_eq!(failure.method, "crm.activity.add");
    assert_eq!(failure.fate, Fate::Deferred { retry_after: None, ambiguous: true, suspect: true });
}

#[tokio::test]
async fn a_missing_card_is_told_from_a_missing_right() {
    let peer = Peer::start(|asked, _| match asked.body["activityId"].as_u64() {
        Some(1) => error(400, "OWNER_NOT_FOUND", "x"),
        Some(2) => error(400, "ACTIVITY_IS_ALREADY_BOUND", "x"),
        Some(_) => ok(json!(true)),
        None => error(400, "", "Could not find 'CONTACT' with ID: 275"),
    })
    .await;
    let portal = peer.portal();
    assert_eq!(portal.add_activity(&activity()).await.unwrap_err().fate, Fate::CardGone);
    let deal = card(CardKind::Deal, 3);
    assert_eq!(portal.bind_activity(1, deal).await.unwrap_err().fate, Fate::CardGone);
    assert_eq!(portal.bind_activity(2, deal).await, Ok(()));
    assert_eq!(portal.bind_activity(3, deal).await, Ok(()));
}

#[tokio::test]
async fn an_echoed_secret_is_blotted_out() {
    let echo = format!("no method https://x/rest/1/{SECRET}/crm.item.add, key {SECRET}");
    let page = echo.clone();
    let peer = Peer::start(move |_, at| match at {
        0 => error(404, "ERROR_METHOD_NOT_FOUND", &echo),
        _ => Reply::Page(500, page.clone()),
    })
    .await;
    let portal = peer.portal();
    for _ in 0..2 {
        let failure = portal.make_card(&lead()).await.unwrap_err();
        let all = format!("{failure} {failure:?} {portal:?} {:?}", peer.options());
        assert!(!all.contains(SECRET), "{all}");
        assert!(failure.text.contains("***"));
    }
}

#[tokio::test]
async fn a_full_bucket_closes_for_everyone() {
    let peer = Peer::start(|_, at| match at {
        0 => error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests"),
        _ => ok(json!({"ID": 7})),
    })
    .await;
    let options = Options { requests_per_second: 10.0, ..peer.options() };
    let portal = Portal::new(options).unwrap();
    let begin = Instant::now();
    let failure = portal.make_card(&lead()).await.unwrap_err();
    let Fate::Deferred { retry_after: Some(pause), ambiguous: false, suspect: false } =
        failure.fate
    else {
        panic!("{failure:?}");
    };
    assert!(pause >= Duration::from_millis(100), "{pause:?}");
    assert_eq!(portal.me().await, Ok(7));
    assert!(begin.elapsed() >= Duration::from_millis(100), "the next call waited");
}

#[tokio::test]
async fn a_method_over_its_time_is_left_alone_for_as_long_as_the_portal_said() {
    let peer = Peer::start(|asked, at| match (asked.method(), at) {
        ("crm.item.add", 0) => Reply::Json(
            200,
            json!({"result": {"item": {"id": 5}}, "time": {"start": 1000.0, "finish": 1001.5,
                "operating": 480.0, "operating_reset_at": 1031}}),
        ),
        ("crm.item.add", _) => error(429, "OPERATION_TIME_LIMIT", "Method is blocked"),
        _ => ok(json!({"ID": 7})),
    })
    .await;
    let portal = peer.portal();
    assert_eq!(portal.make_card(&lead()).await, Ok(5));
    for _ in 0..2 {
        let failure = portal.make_card(&lead()).await.unwrap_err();
        assert_eq!(failure.code, "OPERATION_TIME_LIMIT");
        let Fate::Deferred { retry_after: Some(pause), ambiguous: false, .. } = failure.fate else {
            panic!("{failure:?}");
        };
        assert!((20.0..=29.6).contains(&pause.as_secs_f64()), "{pause:?}");
    }
    assert_eq!(portal.me().await, Ok(7), "other methods go on");
    assert_eq!(peer.asked().len(), 3);
}

#[tokio::test]
async fn text_and_files_are_written_in_one_call() {
    let peer = Peer::start(|_, _| ok(json!(true))).await;
    let content = ActivityContent {
        text: "Hola".into(),
        files: vec![File { name: "a.bin".into(), bytes: vec![7; 3 * 1024 * 1024] }],
        completed: true,
    };
    let portal = peer.portal();
    portal.write_activity(999, &content).await.unwrap();
    portal.complete_activity(999).await.unwrap();
    let asked = peer.asked();
    assert_eq!(asked.len(), 2);
    let fields = &asked[0].body["fields"];
    assert_eq!((&asked[0].body["id"], &fields["COMPLETED"]), (&json!(999), &json!("Y")));
    assert_eq!(fields["FILES"][0]["fileData"][1].as_str().unwrap().len(), 4 * 1024 * 1024);
    assert!(fields.get("COMMUNICATIONS").is_none());
    assert_eq!(asked[1].body, json!({"id": 999, "fields": {"COMPLETED": "Y"}}));
}

#[tokio::test]
async fn a_contact_that_cannot_be_completed_says_why() {
    let item = json!({"item": {"id": 7, "name": "Ana", "lastName": "", "post": null}});
    let facts =
        || crate::crm::ContactFacts { post: "CEO $result[c0]".into(), ..Default::default() };
    let peer = Peer::start(move |asked, at| match (at, asked.method()) {
        (0 | 1, "batch") => {
            batch(asked, |_, _| Err(if at == 0 { "NOT_FOUND" } else { "ACCESS_DENIED" }))
        }
        (2, "batch") => batch(asked, |_, _| Err("ERROR_CORE")),
        (_, "batch") => {
            assert!(!asked.body.to_string().contains("CEO"), "no text of a mail in a batch");
            batch(asked, |_, _| Ok(item.clone()))
        }
        (4, "crm.item.update") => error(400, "ACCESS_DENIED", "no"),
        (6, "crm.item.update") => Reply::Close,
        (_, "crm.item.update") => {
            assert_eq!(asked.body["fields"], json!({"post": "CEO $result[c0]"}));
            ok(json!({"item": {"id": 7}}))
        }
        other => panic!("{other:?}"),
    })
    .await;
    let portal = peer.portal();
    let fates = [
        Fate::CardGone,
        Fate::CardGone,
        Fate::Deferred { retry_after: None, ambiguous: false, suspect: true },
        Fate::CardGone,
        lost(true),
    ];
    for fate in fates {
        assert_eq!(portal.complete_contact(7, &facts()).await.unwrap_err().fate, fate);
    }
    assert_eq!(portal.complete_contact(7, &facts()).await, Ok(vec!["post CEO $result[c0]".into()]));
}

/// Promise 4.
#[tokio::test]
async fn what_would_send_a_mail_does_not_leave() {
    let peer = Peer::start(|_, _| ok(json!(1))).await;
    let portal = peer.portal();
    #[rustfmt::skip]
    let calls = [
        ("crm.activity.add", json!({"fields": {"TYPE_ID": "4", "DIRECTION": 2, "COMPLETED": "Y"}})),
        ("Crm.Activity.Add", json!({"fields": {"TYPE_ID": 4, "DIRECTION": 2}})),
        ("batch", json!({"cmd": {"a": "crm.activity.add?fields%5BTYPE_ID%5D=4&fields[DIRECTION]=2&fields[COMPLETED]=Y"}})),
        ("mail.message.send", json!({"to": "x"})),
        ("mail.message.reply", json!({})),
        ("crm.item.update", json!({"entityTypeId": 3, "id": 7, "fields": {"name": ""}})),
        ("crm.item.delete", json!({"entityTypeId": 3, "id": 7})),
    ];
    for (method, params) in calls {
        let failure = portal.raw_call(method, params).await.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.fate), ("would-send-mail", Fate::Refused));
    }
    assert_eq!(portal.requests(), 0);
    assert!(peer.asked().is_empty());
}

#[tokio::test]
async fn mail_methods_are_called_by_the_third_protocol() {
    let peer = Peer::start(|_, _| {
        Reply::Json(400, json!({"error": {"code": "BITRIX_REST_V3_EXCEPTION_X", "message": "no"}}))
    })
    .await;
    let failure = peer.portal().raw_call("mail.mailbox.list", json!({})).await.unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.text.as_str()),
        ("BITRIX_REST_V3_EXCEPTION_X", "no")
    );
    assert_eq!(peer.asked()[0].path, format!("/rest/api/1/{SECRET}/mail.mailbox.list"));
}

#[tokio::test]
async fn a_todo_is_one_post_and_its_number_is_read() {
    let peer = Peer::start(|_, _| ok(json!({"id": 999}))).await;
    let portal = peer.portal();
    assert_eq!(portal.add_todo(&todo(card(CardKind::Deal, 314), 5)).await, Ok(999));
    let asked = &peer.asked()[0];
    assert_eq!(asked.method(), "crm.activity.todo.add");
    assert_eq!(
        asked.body,
        json!({
            "ownerTypeId": 2, "ownerId": 314, "deadline": "2025-03-04T18:00:00+00:00",
            "title": "Answer: presupuesto $result[c0]",
            "description": format!("The mail is activity 5.\nmailcrm {}", "cd".repeat(32)),
            "responsibleId": 6, "parentActivityId": 5,
        })
    );
}

#[tokio::test]
async fn a_no_to_todos_is_no_to_nothing_else() {
    #[rustfmt::skip]
    let cases = [
        ("an old portal",   404, "ERROR_METHOD_NOT_FOUND", "Method not found!",      Fate::Refused),
        ("no right",        400, "ACCESS_DENIED",          "You do not have permission to perform this operation", Fate::Refused),
        ("a plan",          403, "ACCESS_DENIED",          "The feature is not available", Fate::Refused),
        ("the card",        400, "OWNER_NOT_FOUND",        "Owner was not found",    Fate::CardGone),
        ("the activity",    400, "NOT_FOUND",              "Activity was not found", Fate::CardGone),
        ("the time",        400, "WRONG_DATETIME_FORMAT",  "Wrong datetime format",  Fate::Refused),
        ("a parameter",     400, "100",                    "Could not find value for parameter {deadline}", Fate::Refused),
        ("no scope at all", 403, "insufficient_scope",     "higher privileges",      Fate::Blocked { retry_after: None }),
        ("the portal",      500, "INTERNAL_SERVER_ERROR",  "Internal server error",
            Fate::Deferred { retry_after: None, ambiguous: true, suspect: true }),
    ];
    for (name, status, code, text, fate) in cases {
        let peer = Peer::start(move |_, _| error(status, code, text)).await;
        let failure = peer.portal().add_todo(&todo(card(CardKind::Deal, 1), 5)).await.unwrap_err();
        assert_eq!(failure.fate, fate, "{name}");
    }
    let odd = Peer::start(|_, _| ok(json!([]))).await;
    let failure = odd.portal().add_todo(&todo(card(CardKind::Deal, 1), 5)).await.unwrap_err();
    assert!(matches!(failure.fate, Fate::Deferred { ambiguous: true, .. }), "{failure:?}");
}
