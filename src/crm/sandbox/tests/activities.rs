//! Activities: what is refused, what is sent, what is read back.

use serde_json::{Value, json};

use super::*;

#[test]
fn activity_is_refused_in_words_only() {
    let desk = desk();
    let deal = desk.deal();
    let communications = "The field COMMUNICATIONS is not defined or invalid.";
    let of = |value: Value| json!({"COMMUNICATIONS": value});
    let to = |entity_type: i64, id: i64| {
        of(json!([{"VALUE": "a@b.c", "ENTITY_TYPE_ID": entity_type, "ENTITY_ID": id}]))
    };
    #[rustfmt::skip]
    let cases: &[(&str, Value, &str)] = &[
        ("no type",       json!({"TYPE_ID": null}),     "The field TYPE_ID is not defined or invalid."),
        ("a task",        json!({"TYPE_ID": 3}),        "The activity type \"TASK\" is not supported in current context."),
        ("no subject",    json!({"SUBJECT": " "}),      "The field SUBJECT is not defined or empty."),
        ("long subject",  json!({"SUBJECT": "x".repeat(513)}),  "The field SUBJECT is too long."),
        ("emoji count",   json!({"SUBJECT": "😀".repeat(52)}),  "The field SUBJECT is too long."),
        ("no parties",    of(Value::Null),              communications),
        ("empty parties", of(json!([])),                communications),
        ("empty value",   of(json!([{"TYPE": "EMAIL", "VALUE": ""}])),      communications),
        ("a telephone",   of(json!([{"TYPE": "PHONE", "VALUE": "+34 1"}])), communications),
        ("no such card",  to(3, 99),                    "Could not find 'CONTACT' with ID: 99"),
        ("no such kind",  to(31, 1),                    "Entity type '31' is not supported in current context"),
        ("no such owner", json!({"OWNER_ID": 99}),      "Could not find 'DEAL' with ID: 99"),
        ("no owner",      {
            let mut fields = to(2, deal);
            fields["OWNER_ID"] = json!(0);
            fields
        }, "Could not build binding. Please ensure that owner info and communications are defined correctly."),
        ("long origin",   json!({"ORIGIN_ID": "x".repeat(256)}), "The field ORIGIN_ID is too long."),
        ("long settings", json!({"SETTINGS": {"x": "y".repeat(65_536)}}), "The field SETTINGS is too long."),
    ];
    for (name, fields, text) in cases {
        let params = json!({"fields": mail((2, deal), fields.clone())});
        assert_eq!(desk.refused("crm.activity.add", params), refusal(400, "", text), "{name}");
    }
    assert_eq!(desk.count("activities"), 0);
    desk.mail((2, deal), json!({"SUBJECT": "😀".repeat(51)}));
}

#[test]
fn only_the_triple_in_an_add_sends_a_mail() {
    let desk = desk();
    let deal = desk.deal();
    #[rustfmt::skip]
    let cases: &[(&str, Value, i64)] = &[
        ("incoming",            json!({"DIRECTION": 1, "COMPLETED": "Y"}),   0),
        ("outgoing, open",      json!({"DIRECTION": 2, "COMPLETED": "N"}),   0),
        ("outgoing, absent",    json!({"DIRECTION": 2, "COMPLETED": null}),  0),
        ("outgoing, true",      json!({"DIRECTION": 2, "COMPLETED": true}),  0),
        ("outgoing, one",       json!({"DIRECTION": 2, "COMPLETED": 1}),     0),
        ("outgoing, completed", json!({"DIRECTION": 2, "COMPLETED": "Y"}),   1),
        ("all as texts",        json!({"TYPE_ID": "4", "DIRECTION": "2", "COMPLETED": "y"}), 1),
    ];
    for (name, fields, sent) in cases {
        let before = desk.count("sent_mail");
        desk.mail((2, deal), fields.clone());
        assert_eq!(desk.count("sent_mail") - before, *sent, "{name}");
    }
    let before = desk.count("sent_mail");
    let id = desk.mail((2, deal), json!({"DIRECTION": 2}));
    desk.ok("crm.activity.update", json!({"id": id, "fields": {"COMPLETED": "Y"}}));
    assert_eq!(desk.count("sent_mail"), before);
    assert_eq!(desk.ok("crm.activity.get", json!({"id": id}))["STATUS"], "2");
}

#[test]
fn mail_is_written_in_two_calls_and_read_back() {
    let desk = desk();
    let contact = desk.contact("ana@client.example");
    let deal = desk.card(2, json!({"title": "Tables", "assignedById": 9}));
    let id = desk.mail(
        (2, deal),
        json!({
            "SUBJECT": "Offer 😀", "START_TIME": "2025-03-04T09:12:00+01:00",
            "END_TIME": "2025-03-04T19:00:00+01:00", "DEADLINE": "2030-01-01T00:00:00Z",
            "AUTHOR_ID": 9, "BINDINGS": [{"OWNER_TYPE_ID": 1, "OWNER_ID": 1}],
            "COMMUNICATIONS": [
                {"TYPE": "EMAIL", "VALUE": "ana@client.example", "ENTITY_TYPE_ID": 3, "ENTITY_ID": contact},
                {"VALUE": "cc@client.example"},
                {"TYPE": "EMAIL", "VALUE": ""},
            ],
            "ORIGINATOR_ID": "mailcrm", "ORIGIN_ID": "cd".repeat(32),
            "SETTINGS": {"EMAIL_META": {"from": "Ana"}},
        }),
    );
    let fields = json!({
        "DESCRIPTION": "Dear all 😀", "COMPLETED": "Y",
        "FILES": [{"fileData": ["offer.pdf", "aGVsbG8="]}, {"FILE_ID": 3}],
    });
    assert_eq!(desk.ok("crm.activity.update", json!({"id": id, "fields": fields})), json!(true));
    let params = json!({
        "filter": {"ORIGINATOR_ID": "mailcrm", "ORIGIN_ID": "cd".repeat(32)},
        "select": ["*", "COMMUNICATIONS", "FILES"],
    });
    let row = desk.ok("crm.activity.list", params)[0].clone();
    #[rustfmt::skip]
    let cases: &[(&str, Value)] = &[
        ("ID",               json!(id.to_string())),
        ("OWNER_TYPE_ID",    json!("2")),
        ("PROVIDER_ID",      json!("CRM_EMAIL")),
        ("SUBJECT",          json!("Offer 😀")),
        ("DESCRIPTION",      json!("Dear all 😀")),
        ("DESCRIPTION_TYPE", json!("1")),
        ("START_TIME",       json!("2025-03-04T11:12:00+03:00")),
        ("DEADLINE",         json!("2025-03-04T21:00:00+03:00")),
        ("COMPLETED",        json!("Y")),
        ("RESPONSIBLE_ID",   json!("9")),
        ("AUTHOR_ID",        json!("1")),
        ("IS_INCOMING_CHANNEL", json!("N")),
        ("SETTINGS",         json!({"EMAIL_META": {"from": "Ana"}})),
    ];
    for (name, expected) in cases {
        assert_eq!(row[name], *expected, "{name}");
    }
    assert_eq!(row["COMMUNICATIONS"].as_array().unwrap().len(), 2);
    assert_eq!(row["COMMUNICATIONS"][1]["ENTITY_ID"], deal.to_string());
    assert_eq!(row["FILES"].as_array().unwrap().len(), 1);
    assert_eq!(desk.bindings(id), [(2, deal), (3, contact)]);
}

#[test]
fn deadline_follows_from_the_times() {
    let desk = desk();
    let deal = desk.deal();
    let at = |hour: &str| format!("2025-03-04T{hour}:00:00+03:00");
    #[rustfmt::skip]
    let cases: &[(&str, Value, String)] = &[
        ("no times",        json!({}), "9999-12-31T00:00:00+03:00".to_owned()),
        ("start only",      json!({"START_TIME": at("10")}), at("10")),
        ("both",            json!({"START_TIME": at("10"), "END_TIME": at("19")}), at("19")),
        ("a call's start",  json!({"TYPE_ID": 2, "START_TIME": at("10"), "END_TIME": at("19"),
            "COMMUNICATIONS": [{"TYPE": "PHONE", "VALUE": "1"}]}), at("10")),
    ];
    for (name, fields, deadline) in cases {
        let id = desk.mail((2, deal), fields.clone());
        let row = desk.ok("crm.activity.get", json!({"id": id}));
        assert_eq!(row["DEADLINE"], *deadline, "{name}");
    }
}

#[test]
fn text_in_an_add_gets_the_clouds_signature() {
    let desk = desk();
    let id = desk.mail((2, desk.deal()), json!({"DESCRIPTION": "Hello"}));
    let text = desk.ok("crm.activity.get", json!({"id": id}))["DESCRIPTION"].clone();
    assert_eq!(text, "Hello\n\nSent from Bitrix24");
}

#[test]
fn unknown_filter_keys_of_activities_find_everything() {
    let desk = desk();
    let (deal, other) = (desk.deal(), desk.deal());
    let first = desk.mail((2, deal), json!({"ORIGIN_ID": "one"}));
    let second = desk.mail((2, other), json!({"ORIGIN_ID": "two", "DIRECTION": 2}));
    #[rustfmt::skip]
    let cases: &[(&str, Value, Vec<i64>)] = &[
        ("typing error",  json!({"ORIGIN": "one"}),          vec![first, second]),
        ("nothing",       json!(null),                       vec![first, second]),
        ("origin",        json!({"ORIGIN_ID": "one"}),       vec![first]),
        ("numbers",       json!({"@ID": [second, first, 99]}), vec![first, second]),
        ("a list",        json!({"ID": [second]}),           vec![second]),
        ("above one",     json!({">ID": first}),             vec![second]),
        ("direction",     json!({"DIRECTION": 2}),           vec![second]),
        ("not completed", json!({"COMPLETED": "N", "ID": second}), vec![second]),
        ("bindings",      json!({"BINDINGS": [{"OWNER_TYPE_ID": 2, "OWNER_ID": other}]}), vec![second]),
        ("either of two", json!({"BINDINGS": [{"OWNER_TYPE_ID": 2, "OWNER_ID": other},
            {"OWNER_TYPE_ID": 2, "OWNER_ID": deal}]}), vec![first, second]),
        ("since",         json!({">CREATED": "2000-01-01"}), vec![first, second]),
    ];
    for (name, filter, expected) in cases {
        let params = json!({"filter": filter, "select": ["ID"], "order": {"ID": "ASC"}});
        let rows = desk.ok("crm.activity.list", params);
        let expected: Vec<Value> =
            expected.iter().map(|id| json!({"ID": id.to_string()})).collect();
        assert_eq!(rows, json!(expected), "{name}");
    }
}

#[test]
fn todo_has_the_deadline_it_is_given() {
    let desk = desk();
    let deal = desk.deal();
    let todo = |more: Value| {
        let mut params =
            json!({"ownerTypeId": 2, "ownerId": deal, "deadline": "2030-01-01T10:00:00+03:00"});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        params
    };
    let id = desk.ok("crm.activity.todo.add", todo(json!({"title": "Answer", "responsibleId": 7})));
    let row = desk.ok("crm.activity.get", json!({"id": id["id"]}));
    assert_eq!(row["DEADLINE"], "2030-01-01T10:00:00+03:00");
    let of_deal = json!({"OWNER_TYPE_ID": 2, "OWNER_ID": deal, "PROVIDER_ID": "CRM_TODO"});
    let listed =
        desk.ok("crm.activity.list", json!({"filter": of_deal, "select": ["ID", "TYPE_ID"]}));
    assert_eq!(listed, json!([{"ID": id["id"].to_string(), "TYPE_ID": "6"}]));
    let of_lead = json!({"OWNER_TYPE_ID": 1, "OWNER_ID": deal});
    assert_eq!(desk.ok("crm.activity.list", json!({"filter": of_lead})), json!([]));
    assert_eq!((&row["RESPONSIBLE_ID"], &row["TYPE_ID"]), (&json!("7"), &json!("6")));
    #[rustfmt::skip]
    let cases = [
        ("no deadline", json!({"deadline": null}),   "100"),
        ("no time",     json!({"deadline": "soon"}), "WRONG_DATETIME_FORMAT"),
        ("no card",     json!({"ownerId": 99}),      "OWNER_NOT_FOUND"),
        ("no parent",   json!({"parentActivityId": 99}), "NOT_FOUND"),
    ];
    for (name, more, code) in cases {
        let (_, found, _) = desk.refused("crm.activity.todo.add", todo(more));
        assert_eq!(found, code, "{name}");
    }
}

#[test]
fn comments_and_notifications_are_kept() {
    let desk = desk();
    let deal = desk.deal();
    let fields = json!({"ENTITY_TYPE": "deal", "ENTITY_ID": deal, "COMMENT": "why",
        "FILES": [["a.txt", "aGk="]]});
    assert!(desk.ok("crm.timeline.comment.add", json!({"fields": fields})).is_i64());
    assert_eq!((desk.count("comments"), desk.count("files")), (1, 1));
    assert_eq!(desk.refused("crm.timeline.comment.add", json!({"FIELDS": fields})).1, "100");
    assert!(desk.ok("im.notify.personal.add", json!({"USER_ID": 7, "MESSAGE": "Hi"})).is_i64());
    let tagged = json!({"USER_ID": 7, "MESSAGE": "Hi", "TAG": "t"});
    assert_eq!(desk.refused("im.notify.personal.add", tagged).1, "CLIENT_ID_EMPTY");
    assert_eq!(desk.count("notifications"), 1);
}
