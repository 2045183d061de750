//! The dialect by cases, without HTTP; and once over it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;

/// A sandbox in a folder of its own.
struct Desk {
    sandbox: Sandbox,
    folder: tempfile::TempDir,
}

/// The webhook of the service employee.
const SERVICE: (i64, &str) = (1, "sandbox");

fn desk() -> Desk {
    desk_with(None, false)
}

fn desk_with(limits: Option<Limits>, simple_mode: bool) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.sqlite");
    let sandbox = Sandbox::open(Options { path, limits, simple_mode }).unwrap();
    Desk { sandbox, folder }
}

impl Desk {
    fn call(&self, webhook: (i64, &str), method: &str, params: Value) -> (u16, Value) {
        let params: Php = serde_json::from_value(params).unwrap();
        let reply = self.sandbox.portal.call(webhook.0, webhook.1, method, &params);
        (reply.status, serde_json::to_value(&reply.body).unwrap())
    }

    /// The result of a call that must work.
    fn ok(&self, method: &str, params: Value) -> Value {
        let (status, body) = self.call(SERVICE, method, params);
        assert_eq!(status, 200, "{method}: {body}");
        body["result"].clone()
    }

    /// Status, code and text of a call that must not.
    fn refused(&self, method: &str, params: Value) -> (u16, String, String) {
        self.refused_to(SERVICE, method, params)
    }

    fn refused_to(
        &self,
        webhook: (i64, &str),
        method: &str,
        params: Value,
    ) -> (u16, String, String) {
        let (status, body) = self.call(webhook, method, params);
        let text = |key: &str| body[key].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
        (status, text("error"), text("error_description"))
    }

    fn card(&self, entity_type: i64, fields: Value) -> i64 {
        let answer =
            self.ok("crm.item.add", json!({"entityTypeId": entity_type, "fields": fields}));
        answer["item"]["id"].as_i64().unwrap()
    }

    fn lead(&self) -> i64 {
        self.card(1, json!({"title": "Offer", "name": "Ana"}))
    }

    fn deal(&self) -> i64 {
        self.card(2, json!({"title": "Tables"}))
    }

    fn contact(&self, address: &str) -> i64 {
        let fm = json!([{"typeId": "EMAIL", "valueType": "WORK", "value": address}]);
        self.card(3, json!({"name": "Ana", "lastName": "Client", "fm": fm}))
    }

    /// An e-mail activity with these fields over the usual ones.
    fn mail(&self, owner: (i64, i64), more: Value) -> i64 {
        self.ok("crm.activity.add", json!({"fields": mail(owner, more)})).as_i64().unwrap()
    }

    fn bindings(&self, activity: i64) -> Vec<(i64, i64)> {
        let answer = self.ok("crm.activity.binding.list", json!({"activityId": activity}));
        let bindings = answer.as_array().unwrap().iter();
        bindings
            .map(|one| (one["entityTypeId"].as_i64().unwrap(), one["entityId"].as_i64().unwrap()))
            .collect()
    }

    fn count(&self, name: &str) -> i64 {
        self.ok("sandbox.counts", json!({}))[name].as_i64().unwrap()
    }

    /// A webhook of employee 7, who may only do what is asked for here.
    fn restrict(&self, read_all: bool, update_all: bool) -> (i64, &'static str) {
        let params = json!({
            "secret": "ana", "employee": 7, "scope": "crm,user_brief",
            "read_all": read_all, "update_all": update_all,
        });
        self.ok("sandbox.webhook.set", params);
        (7, "ana")
    }
}

fn mail(owner: (i64, i64), more: Value) -> Value {
    let mut fields = json!({
        "OWNER_TYPE_ID": owner.0, "OWNER_ID": owner.1, "TYPE_ID": 4, "DIRECTION": 1,
        "COMPLETED": "N", "SUBJECT": "Offer",
        "COMMUNICATIONS": [{"TYPE": "EMAIL", "VALUE": "ana@client.example"}],
    });
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    fields
}

fn refusal(status: u16, code: &str, text: &str) -> (u16, String, String) {
    (status, code.to_owned(), text.to_owned())
}

#[test]
fn new_card_has_the_portals_defaults() {
    let desk = desk();
    let id = desk.card(1, json!({"title": "Offer", "nonsense": 1, "TITLE": "no"}));
    let item = desk.ok("crm.item.get", json!({"entityTypeId": 1, "id": id}))["item"].clone();
    #[rustfmt::skip]
    let cases: &[(&str, Value)] = &[
        ("id",              json!(id)),
        ("entityTypeId",    json!(1)),
        ("title",           json!("Offer")),
        ("assignedById",    json!(1)),
        ("stageId",         json!("NEW")),
        ("stageSemanticId", json!("P")),
        ("sourceId",        json!("CALL")),
        ("opened",          json!("Y")),
        ("isReturnCustomer", json!("N")),
        ("nonsense",        Value::Null),
        ("fm",              json!([])),
        ("contactIds",      json!([])),
    ];
    for (name, expected) in cases {
        assert_eq!(item[name], *expected, "{name}");
    }
    assert!(item["createdTime"].as_str().unwrap().ends_with("+03:00"));
}

#[test]
fn card_is_refused_in_the_portals_words() {
    let desk = desk();
    let deal = desk.deal();
    let not_valid = "CRM_FIELD_ERROR_VALUE_NOT_VALID";
    #[rustfmt::skip]
    let cases: &[(&str, &str, Value, &str)] = &[
        ("no kind",         "crm.item.add",    json!({"fields": {}}),                             "100"),
        ("no fields",       "crm.item.add",    json!({"entityTypeId": 1}),                        "100"),
        ("no such kind",    "crm.item.add",    json!({"entityTypeId": 31, "fields": {}}),         "NOT_FOUND"),
        ("title too long",  "crm.item.add",    json!({"entityTypeId": 1, "fields": {"title": "x".repeat(256)}}), not_valid),
        ("name too long",   "crm.item.add",    json!({"entityTypeId": 3, "fields": {"name": "ñ".repeat(51)}}),   not_valid),
        ("origin too long", "crm.item.add",    json!({"entityTypeId": 1, "fields": {"originId": "x".repeat(256)}}), not_valid),
        ("address too long", "crm.item.add",   json!({"entityTypeId": 3, "fields": {"fm": [{"typeId": "EMAIL", "value": "x".repeat(251)}]}}), not_valid),
        ("no such stage",   "crm.item.add",    json!({"entityTypeId": 1, "fields": {"stageId": "WON"}}), not_valid),
        ("no such contact", "crm.item.add",    json!({"entityTypeId": 2, "fields": {"contactId": 99}}),  not_valid),
        ("one observer",    "crm.item.add",    json!({"entityTypeId": 1, "fields": {"observers": 7}}),   "100"),
        ("missing",         "crm.item.get",    json!({"entityTypeId": 2, "id": deal + 1}),        "NOT_FOUND"),
        ("missing",         "crm.item.update", json!({"entityTypeId": 2, "id": deal + 1, "fields": {}}), "NOT_FOUND"),
        ("missing",         "crm.item.delete", json!({"entityTypeId": 2, "id": deal + 1}),        "NOT_FOUND"),
        ("unknown filter",  "crm.item.list",   json!({"entityTypeId": 2, "filter": {"ORIGIN_ID": 1}}), "INVALID_ARG_VALUE"),
        ("fm in a filter",  "crm.item.list",   json!({"entityTypeId": 3, "filter": {"fm": "a@b.c"}}),  "INVALID_ARG_VALUE"),
        ("other's field",   "crm.item.list",   json!({"entityTypeId": 1, "filter": {"leadId": 1}}),    "INVALID_ARG_VALUE"),
        ("no time",         "crm.item.list",   json!({"entityTypeId": 1, "filter": {">updatedTime": "soon"}}), "INVALID_ARG_VALUE"),
        ("unknown order",   "crm.item.list",   json!({"entityTypeId": 1, "order": {"x": "ASC"}}),      "INVALID_ARG_VALUE"),
        ("unknown sense",   "crm.item.list",   json!({"entityTypeId": 1, "order": {"id": "UP"}}),      "INVALID_ARG_VALUE"),
    ];
    for (name, method, params, code) in cases {
        let (status, found, _) = desk.refused(method, params.clone());
        assert_eq!((status, found.as_str()), (400, *code), "{method}, {name}");
    }
}

#[test]
fn column_limits_count_characters() {
    let desk = desk();
    desk.card(3, json!({"name": "ñ".repeat(50)}));
    desk.card(1, json!({"title": "ñ".repeat(255)}));
}

#[test]
fn list_filters_sorts_and_selects() {
    let desk = desk();
    let contact = desk.contact("ana@client.example");
    let other = desk.contact("ben@client.example");
    let open = desk.card(2, json!({"title": "Open", "contactIds": [contact, other]}));
    let won = desk.card(2, json!({"title": "Won", "contactId": contact, "stageId": "WON"}));
    let hash = "ab".repeat(32);
    let third = desk.card(2, json!({"title": "Third", "originatorId": "m", "originId": hash}));
    #[rustfmt::skip]
    let cases: &[(&str, Value, Value, Vec<i64>)] = &[
        ("everything",        json!({}),                          json!({}),             vec![open, won, third]),
        ("by contact",        json!({"contactId": contact}),      json!({}),             vec![open, won]),
        ("by second contact", json!({"contactId": other}),        json!({}),             vec![]),
        ("by any contact",    json!({"contactIds": other}),       json!({}),             vec![open]),
        ("in process",        json!({"contactId": contact, "stageSemanticId": "P"}), json!({}), vec![open]),
        ("by several ids",    json!({"@id": [won, third, 99]}),   json!({}),             vec![won, third]),
        ("by a list of ids",  json!({"id": [won]}),               json!({}),             vec![won]),
        ("an id as text",     json!({"=id": won.to_string()}),    json!({}),             vec![won]),
        ("an empty list",     json!({"id": []}),                  json!({}),             vec![]),
        ("above an id",       json!({">id": open}),               json!({}),             vec![won, third]),
        ("not an id",         json!({"!id": won}),                json!({}),             vec![open, third]),
        ("by origin",         json!({"originatorId": "m", "originId": hash}), json!({}), vec![third]),
        ("by wrong origin",   json!({"originatorId": "x", "originId": hash}), json!({}), vec![]),
        ("part of a title",   json!({"%title": "HIR"}),           json!({}),             vec![third]),
        ("changed since",     json!({">=updatedTime": "2020-01-01T00:00:00Z"}), json!({}), vec![open, won, third]),
        ("changed before",    json!({"<updatedTime": "2020-01-01T00:00:00Z"}),  json!({}), vec![]),
        ("either",            json!({"0": {"logic": "OR", "=id": open, "%title": "won"}}), json!({}), vec![open, won]),
        ("last first",        json!({}),                          json!({"id": "DESC"}), vec![third, won, open]),
        ("by title",          json!({}),                          json!({"title": "ASC"}), vec![open, third, won]),
    ];
    for (name, filter, order, expected) in cases {
        let params = json!({"entityTypeId": 2, "filter": filter, "order": order, "select": ["id"]});
        let answer = desk.ok("crm.item.list", params);
        let rows = answer["items"].as_array().unwrap();
        let ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, *expected, "{name}");
        assert!(rows.iter().all(|row| row.as_object().unwrap().len() == 1), "{name}");
    }
}

#[test]
fn addresses_come_only_with_a_star() {
    let desk = desk();
    desk.contact("ana@client.example");
    let fm = |select: Value| {
        let answer = desk.ok("crm.item.list", json!({"entityTypeId": 3, "select": select}));
        answer["items"][0]["fm"].clone()
    };
    assert_eq!(fm(json!(["id", "fm"])), Value::Null);
    assert_eq!(fm(json!([])), Value::Null);
    assert_eq!(fm(json!(["*"]))[0]["value"], "ana@client.example");
}

#[test]
fn lists_come_in_pages_of_fifty() {
    let desk = desk();
    for _ in 0..53 {
        desk.deal();
    }
    let page = |start: Value| {
        let params = json!({"entityTypeId": 2, "start": start, "select": ["id"]});
        let (_, body) = desk.call(SERVICE, "crm.item.list", params);
        let rows = body["result"]["items"].as_array().unwrap().len();
        (rows, body.get("total").cloned(), body.get("next").cloned())
    };
    #[rustfmt::skip]
    let cases = [
        ("first",          json!(0),    (50, Some(json!(53)), Some(json!(50)))),
        ("last",           json!("50"), (3,  Some(json!(53)), None)),
        ("within a page",  json!(60),   (3,  Some(json!(53)), None)),
        ("beyond",         json!(100),  (0,  Some(json!(53)), None)),
        ("not counted",    json!(-1),   (50, None,            None)),
    ];
    for (name, start, expected) in cases {
        assert_eq!(page(start), expected, "{name}");
    }
}

#[test]
fn update_changes_what_it_names() {
    let desk = desk();
    let contact = desk.contact("ana@client.example");
    let update = |fields: Value| {
        let params = json!({"entityTypeId": 3, "id": contact, "fields": fields});
        desk.ok("crm.item.update", params)["item"].clone()
    };
    let item = update(json!({"lastName": "Ruiz", "assignedById": 7, "id": 99, "createdBy": 9}));
    assert_eq!(item["lastName"], "Ruiz");
    assert_eq!(item["name"], "Ana");
    assert_eq!((&item["assignedById"], &item["id"]), (&json!(7), &json!(contact)));
    assert_eq!(item["createdBy"], 1);
    let fm = item["fm"][0]["id"].clone();
    let item = update(json!({"fm": [
        {"id": fm, "value": ""},
        {"typeId": "EMAIL", "valueType": "HOME", "value": "New@Client.example"},
    ]}));
    assert_eq!(item["fm"].as_array().unwrap().len(), 1);
    let find = |address: &str| {
        desk.ok("crm.duplicate.findbycomm", json!({"type": "EMAIL", "values": [address]}))
    };
    assert_eq!(find("ana@client.example"), json!([]));
    assert_eq!(find(" new@client.EXAMPLE "), json!({"CONTACT": [contact]}));
}

#[test]
fn deleted_card_is_gone_with_its_mails() {
    let desk = desk();
    let (deal, other) = (desk.deal(), desk.deal());
    let alone = desk.mail((2, deal), json!({}));
    let shared = desk.mail((2, deal), json!({}));
    let bind = json!({"activityId": shared, "entityTypeId": 2, "entityId": other});
    desk.ok("crm.activity.binding.add", bind);
    assert_eq!(desk.ok("crm.item.delete", json!({"entityTypeId": 2, "id": deal})), json!([]));
    let gone = desk.refused("crm.activity.get", json!({"id": alone}));
    assert_eq!(gone, refusal(400, "", "Activity is not found."));
    let row = desk.ok("crm.activity.get", json!({"id": shared}));
    assert_eq!(row["OWNER_ID"], other.to_string());
    assert!(desk.deal() > other, "a number is never used again");
}

#[test]
fn duplicates_are_found_by_exact_address() {
    let desk = desk();
    let contact = desk.contact("Ana@Client.example");
    let fm = json!([{"typeId": "EMAIL", "value": "ana@client.example"}]);
    let lead = desk.card(1, json!({"title": "x", "fm": fm}));
    #[rustfmt::skip]
    let cases: &[(&str, Value, Value)] = &[
        ("both kinds",  json!({"type": "EMAIL", "values": ["ana@client.example"]}), json!({"LEAD": [lead], "CONTACT": [contact]})),
        ("one kind",    json!({"type": "EMAIL", "values": ["ana@client.example"], "entity_type": "CONTACT"}), json!({"CONTACT": [contact]})),
        ("none",        json!({"type": "EMAIL", "values": ["na@client.example"]}),  json!([])),
        ("no wildcard", json!({"type": "EMAIL", "values": ["%@client.example"]}),   json!([])),
        ("beyond 20",   json!({"type": "EMAIL", "values": (0..21).map(|n| if n == 20 { "ana@client.example".to_owned() } else { format!("{n}@x.example") }).collect::<Vec<_>>()}), json!([])),
    ];
    for (name, params, expected) in cases {
        assert_eq!(desk.ok("crm.duplicate.findbycomm", params.clone()), *expected, "{name}");
    }
    #[rustfmt::skip]
    let refusals: &[(Value, &str)] = &[
        (json!({"values": ["a@b.c"]}),                  "Communication type is not defined."),
        (json!({"type": "IM", "values": ["a@b.c"]}),    "Communication type 'IM' is not supported in current context."),
        (json!({"type": "EMAIL"}),                      "Communication values is not defined."),
        (json!({"type": "EMAIL", "values": "a@b.c"}),   "Communication values is not defined."),
        (json!({"type": "EMAIL", "values": ["a@b.c"], "entity_type": "DEAL"}), "Deal is not supported in current context"),
    ];
    for (params, text) in refusals {
        let refused = desk.refused("crm.duplicate.findbycomm", params.clone());
        assert_eq!(refused, refusal(400, "", text));
    }
}

#[test]
fn twenty_leads_cut_the_contacts_off() {
    let desk = desk();
    desk.contact("ana@client.example");
    let fm = json!([{"typeId": "EMAIL", "value": "ana@client.example"}]);
    for _ in 0..21 {
        desk.card(1, json!({"title": "x", "fm": fm}));
    }
    let params = json!({"type": "EMAIL", "values": ["ana@client.example"]});
    let found = desk.ok("crm.duplicate.findbycomm", params);
    assert_eq!(found["LEAD"].as_array().unwrap().len(), 20);
    assert_eq!(found.get("CONTACT"), None);
}

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
fn communications_in_an_update_drop_bindings_added_by_hand() {
    let desk = desk();
    let (deal, other) = (desk.deal(), desk.deal());
    let id = desk.mail((2, deal), json!({}));
    let bind = json!({"activityId": id, "entityTypeId": 2, "entityId": other});
    desk.ok("crm.activity.binding.add", bind);
    assert_eq!(desk.bindings(id), [(2, deal), (2, other)]);
    desk.ok("crm.activity.update", json!({"id": id, "fields": {"SUBJECT": "New"}}));
    assert_eq!(desk.bindings(id), [(2, deal), (2, other)]);
    let fields = json!({"COMMUNICATIONS": [{"VALUE": "x@y.z"}]});
    desk.ok("crm.activity.update", json!({"id": id, "fields": fields}));
    assert_eq!(desk.bindings(id), [(2, deal)]);
}

#[test]
fn bindings_are_checked_in_the_portals_order() {
    let desk = desk();
    // The numbers of leads and deals agree: 1 and 2 of each.
    let (lead, lead_2) = (desk.lead(), desk.lead());
    let (deal, deal_2) = (desk.deal(), desk.deal());
    let hidden = desk.deal();
    let contact = desk.contact("ana@client.example");
    let id = desk.mail((2, deal), json!({}));
    let ana = desk.restrict(true, true);
    desk.ok("sandbox.hide", json!({"employee": 7, "entityTypeId": 2, "id": hidden}));
    let to = |source: (i64, i64), target: (i64, i64)| {
        json!({
            "activityId": id, "sourceEntityTypeId": source.0, "sourceEntityId": source.1,
            "targetEntityTypeId": target.0, "targetEntityId": target.1,
        })
    };
    #[rustfmt::skip]
    let moves: &[(&str, Value, &str)] = &[
        ("no parameters",    json!({}),                          "100"),
        ("no activity",      json!({"activityId": 99, "sourceEntityTypeId": 2, "sourceEntityId": 1,
            "targetEntityTypeId": 2, "targetEntityId": 2}),      "NOT_FOUND"),
        ("no target",        to((2, deal), (2, 99)),             "OWNER_NOT_FOUND"),
        ("hidden target",    to((2, deal), (2, hidden)),         "ACCESS_DENIED"),
        ("hidden both",      to((2, hidden), (2, hidden)),       "ACCESS_DENIED"),
        ("same card",        to((2, deal), (2, deal)),           "SOURCE_AND_TARGET_ENTITY_ID_ARE_EQUAL_ERROR"),
        ("same number",      to((1, lead), (2, deal)),           "SOURCE_AND_TARGET_ENTITY_ID_ARE_EQUAL_ERROR"),
        ("other kind",       to((2, deal), (1, lead_2)),         "SOURCE_AND_TARGET_ENTITY_TYPES_ARE_NOT_EQUAL_ERROR"),
        ("target bound",     to((2, deal_2), (2, deal)),         "ACTIVITY_IS_ALREADY_BOUND"),
        ("source not bound", to((1, lead), (1, lead_2)),         "BINDING_NOT_FOUND"),
    ];
    for (name, params, code) in moves {
        let (status, found, _) = desk.refused_to(ana, "crm.activity.binding.move", params.clone());
        assert_eq!((status, found.as_str()), (400, *code), "{name}");
    }
    let one = |entity_type: i64, entity: i64| json!({"activityId": id, "entityTypeId": entity_type, "entityId": entity});
    #[rustfmt::skip]
    let others: &[(&str, &str, Value, &str)] = &[
        ("add",    "no card",      one(2, 99),       "OWNER_NOT_FOUND"),
        ("add",    "hidden",       one(2, hidden),   "ACCESS_DENIED"),
        ("add",    "bound",        one(2, deal),     "ACTIVITY_IS_ALREADY_BOUND"),
        ("delete", "not bound",    one(3, contact),  "BINDING_NOT_FOUND"),
        ("delete", "the last one", one(2, deal),     "LAST_BINDING_CANNOT_BE_DELETED"),
        ("list",   "no activity",  json!({"activityId": 99}), "NOT_FOUND"),
    ];
    for (method, name, params, code) in others {
        let method = format!("crm.activity.binding.{method}");
        let (status, found, _) = desk.refused_to(ana, &method, params.clone());
        assert_eq!((status, found.as_str()), (400, *code), "{method}, {name}");
    }
}

#[test]
fn moved_activity_has_another_owner_and_the_same_responsible() {
    let desk = desk();
    let (deal, target) = (desk.deal(), desk.card(2, json!({"title": "x", "assignedById": 9})));
    let contact = desk.contact("ana@client.example");
    let id = desk.mail((2, deal), json!({}));
    let bind = json!({"activityId": id, "entityTypeId": 3, "entityId": contact});
    desk.ok("crm.activity.binding.add", bind);
    let params = json!({
        "activityId": id, "sourceEntityTypeId": 2, "sourceEntityId": deal,
        "targetEntityTypeId": 2, "targetEntityId": target,
    });
    assert_eq!(desk.ok("crm.activity.binding.move", params), json!(true));
    let row = desk.ok("crm.activity.get", json!({"id": id}));
    assert_eq!(
        (&row["OWNER_ID"], &row["RESPONSIBLE_ID"]),
        (&json!(target.to_string()), &json!("1"))
    );
    assert_eq!(desk.bindings(id), [(3, contact), (2, target)]);
}

#[test]
fn hidden_card_is_refused_left_out_and_still_found_by_its_address() {
    let desk = desk();
    let contact = desk.contact("ana@client.example");
    let deal = desk.deal();
    let mail = desk.mail(
        (2, deal),
        json!({"COMMUNICATIONS": [{"VALUE": "a@b.c", "ENTITY_TYPE_ID": 3, "ENTITY_ID": contact}]}),
    );
    let ana = desk.restrict(true, true);
    desk.ok("sandbox.hide", json!({"employee": 7, "entityTypeId": 3, "id": contact}));
    let (status, code, _) =
        desk.refused_to(ana, "crm.item.get", json!({"entityTypeId": 3, "id": contact}));
    assert_eq!((status, code.as_str()), (400, "ACCESS_DENIED"));
    let (_, body) = desk.call(ana, "crm.item.list", json!({"entityTypeId": 3}));
    assert_eq!((&body["total"], &body["result"]["items"]), (&json!(0), &json!([])));
    let params = json!({"type": "EMAIL", "values": ["ana@client.example"]});
    let (_, body) = desk.call(ana, "crm.duplicate.findbycomm", params);
    assert_eq!(body["result"], json!({"CONTACT": [contact]}));
    let denied = desk.refused_to(ana, "crm.activity.get", json!({"id": mail}));
    assert_eq!(denied, refusal(400, "", "Access denied."));
    let (_, body) = desk.call(ana, "crm.activity.list", json!({}));
    assert_eq!(body["result"], json!([]));
    let (_, body) = desk.call(ana, "crm.activity.binding.list", json!({"activityId": mail}));
    assert_eq!(body["result"], json!([{"entityTypeId": 2, "entityId": deal}]));
}

#[test]
fn employee_without_all_rights_has_those_to_their_own_cards() {
    let desk = desk();
    let own = desk.card(2, json!({"title": "own", "assignedById": 7}));
    let other = desk.deal();
    let update = |id: i64| json!({"entityTypeId": 2, "id": id, "fields": {"title": "new"}});
    let get = |id: i64| json!({"entityTypeId": 2, "id": id});
    let ana = desk.restrict(true, false);
    assert_eq!(desk.call(ana, "crm.item.get", get(other)).0, 200);
    assert_eq!(desk.refused_to(ana, "crm.item.update", update(other)).1, "ACCESS_DENIED");
    assert_eq!(desk.call(ana, "crm.item.update", update(own)).0, 200);
    let ana = desk.restrict(false, false);
    assert_eq!(desk.refused_to(ana, "crm.item.get", get(other)).1, "ACCESS_DENIED");
    assert_eq!(desk.call(ana, "crm.item.get", get(own)).0, 200);
    let params = json!({"fields": mail((2, other), json!({}))});
    assert_eq!(
        desk.refused_to(ana, "crm.activity.add", params),
        refusal(400, "", "Access denied.")
    );
}

#[test]
fn webhook_opens_only_what_it_was_made_for() {
    let desk = desk();
    let ana = desk.restrict(true, true);
    desk.ok("sandbox.employee.set", json!({"id": 9, "active": false}));
    desk.ok("sandbox.webhook.set", json!({"secret": "ben", "employee": 9}));
    let notify = json!({"USER_ID": 7, "MESSAGE": "x"});
    #[rustfmt::skip]
    let cases = [
        ("wrong secret",   (1, "wrong"),   "profile",       json!({}), (401, "INVALID_CREDENTIALS")),
        ("other employee", (9, "sandbox"), "profile",       json!({}), (401, "INVALID_CREDENTIALS")),
        ("dismissed",      (9, "ben"),     "profile",       json!({}), (401, "authorization_error")),
        ("no scope",       ana,            "im.notify.personal.add", notify, (403, "insufficient_scope")),
        ("no such method", SERVICE,        "crm.lead.frob", json!({}), (404, "ERROR_METHOD_NOT_FOUND")),
    ];
    for (name, webhook, method, params, expected) in cases {
        let (status, code, _) = desk.refused_to(webhook, method, params);
        assert_eq!((status, code.as_str()), expected, "{name}");
    }
    let (_, body) = desk.call(ana, "user.get", json!({"FILTER": {"ID": 7}}));
    assert_eq!(body["result"][0].get("EMAIL"), None, "user_brief has no addresses");
}

#[test]
fn employees_are_found_by_filter() {
    let desk = desk();
    #[rustfmt::skip]
    let cases: &[(&str, Value, Vec<&str>)] = &[
        ("all",            json!({}),                                    vec!["1", "7", "9", "12", "15"]),
        ("active",         json!({"FILTER": {"ACTIVE": true}}),          vec!["1", "7", "9", "12"]),
        ("inactive",       json!({"filter": {"ACTIVE": "N"}}),           vec!["15"]),
        ("by address",     json!({"FILTER": {"EMAIL": "ANA@example.com"}}), vec!["7"]),
        ("by number",      json!({"ID": 12}),                            vec!["12"]),
        ("several",        json!({"FILTER": {"@ID": [7, 9]}}),           vec!["7", "9"]),
    ];
    for (name, params, expected) in cases {
        let rows = desk.ok("user.get", params.clone());
        let ids: Vec<&str> =
            rows.as_array().unwrap().iter().map(|row| row["ID"].as_str().unwrap()).collect();
        assert_eq!(ids, *expected, "{name}");
    }
    assert_eq!(desk.ok("user.get", json!({"ID": 12}))[0]["LAST_NAME"], "Weiß");
    assert_eq!(desk.ok("user.current", json!({}))["ID"], "1");
    assert_eq!(desk.ok("profile", json!({}))["ID"], "1");
    assert_eq!(desk.ok("user.admin", json!({})), json!(false));
}

#[test]
fn portal_tells_what_it_is() {
    let desk = desk();
    assert_eq!(desk.ok("crm.settings.mode.get", json!({})), json!(1));
    let method = |name: &str| desk.ok("method.get", json!({"name": name}));
    assert_eq!(method("crm.item.ADD"), json!({"isExisting": true, "isAvailable": true}));
    assert_eq!(method("crm.nothing"), json!({"isExisting": false, "isAvailable": false}));
    assert!(desk.ok("scope", json!({})).as_array().unwrap().contains(&json!("crm")));
    let stages = desk.ok("crm.status.list", json!({"filter": {"ENTITY_ID": "STATUS"}}));
    let semantics: Vec<(&str, &Value)> = stages
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["STATUS_ID"].as_str().unwrap(), &row["SEMANTICS"]))
        .collect();
    assert_eq!(semantics[0], ("NEW", &Value::Null));
    assert!(semantics.contains(&("CONVERTED", &json!("S"))));
    assert_eq!(desk.ok("crm.enum.ownertype", json!({}))[1]["SYMBOL_CODE"], "DEAL");
    let fields = desk.ok("crm.item.fields", json!({"entityTypeId": 2}))["fields"].clone();
    assert_eq!(fields["leadId"]["type"], "crm_lead");
    assert_eq!(fields.get("fm"), None);
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
    assert_eq!((&row["RESPONSIBLE_ID"], &row["TYPE_ID"]), (&json!("7"), &json!("6")));
    #[rustfmt::skip]
    let cases = [
        ("no deadline", json!({"deadline": null}),   "100"),
        ("no time",     json!({"deadline": "soon"}), "WRONG_DATETIME_FORMAT"),
        ("no card",     json!({"ownerId": 99}),      "OWNER_NOT_FOUND"),
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

#[test]
fn lead_with_a_name_becomes_a_deal_in_simple_mode() {
    let desk = desk_with(None, true);
    assert_eq!(desk.ok("crm.settings.mode.get", json!({})), json!(2));
    let lead = desk.card(1, json!({"title": "Offer", "name": "Ana", "assignedById": 9}));
    let item = desk.ok("crm.item.get", json!({"entityTypeId": 1, "id": lead}))["item"].clone();
    assert_eq!((&item["stageId"], &item["stageSemanticId"]), (&json!("CONVERTED"), &json!("S")));
    let params = json!({"entityTypeId": 2, "filter": {"leadId": lead}});
    let deals = desk.ok("crm.item.list", params)["items"].clone();
    assert_eq!((&deals[0]["title"], &deals[0]["assignedById"]), (&json!("Offer"), &json!(9)));
    let nameless = desk.card(1, json!({"title": "Offer"}));
    let params = json!({"entityTypeId": 2, "filter": {"leadId": nameless}});
    assert_eq!(desk.ok("crm.item.list", params)["items"], json!([]));
}

#[test]
fn conversion_binds_the_mails_of_the_lead_to_the_deal_too() {
    let desk = desk();
    let lead = desk.lead();
    let mail = desk.mail((1, lead), json!({}));
    let deal = desk.ok("sandbox.convert", json!({"leadId": lead}))["dealId"].as_i64().unwrap();
    assert_eq!(desk.bindings(mail), [(1, lead), (2, deal)]);
    let item = desk.ok("crm.item.get", json!({"entityTypeId": 1, "id": lead}))["item"].clone();
    assert_eq!(item["stageId"], "CONVERTED");
}

/// A batch from text: the order of its commands must not pass through an unordered map.
fn batch(desk: &Desk, params: &str) -> Value {
    let params: Php = serde_json::from_str(params).unwrap();
    let reply = desk.sandbox.portal.call(SERVICE.0, SERVICE.1, "batch", &params);
    assert_eq!(reply.status, 200);
    serde_json::to_value(&reply.body).unwrap()["result"].clone()
}

#[test]
fn batch_refers_to_earlier_answers() {
    let desk = desk();
    let contact = desk.contact("ana+x@client.example");
    let deal = desk.card(2, json!({"title": "Tables", "contactId": contact}));
    let answer = batch(
        &desk,
        r#"{"halt": 1, "cmd": {
            "z": "crm.duplicate.findbycomm?type=EMAIL&values[]=ana%2Bx%40client.example&entity_type=CONTACT",
            "a": "crm.item.list?entityTypeId=2&filter[contactId]=$result[z][CONTACT][0]&select[]=id",
            "b": "crm.item.get?entityTypeId=2&id=$result[a][items][0][id]"
        }}"#,
    );
    assert_eq!(answer["result"]["z"], json!({"CONTACT": [contact]}));
    assert_eq!(answer["result"]["a"]["items"], json!([{"id": deal}]));
    assert_eq!(answer["result"]["b"]["item"]["title"], "Tables");
    assert_eq!(answer["result_total"], json!({"a": 1}));
    assert_eq!(answer["result_error"], json!([]));
    assert_eq!(answer["result_next"], json!([]));
    assert!(answer["result_time"]["z"]["duration"].is_number());
}

#[test]
fn batch_answers_have_phps_shapes() {
    let desk = desk();
    let answer = batch(&desk, r#"{"cmd": ["crm.settings.mode.get", "user.admin"]}"#);
    assert_eq!(answer["result"], json!([1, false]));
    let answer = batch(&desk, r#"{"cmd": {"1": "user.admin"}}"#);
    assert_eq!(answer["result"], json!({"1": false}));
    let answer = batch(&desk, r#"{}"#);
    assert_eq!(answer["result"], json!([]));
}

#[test]
fn batch_goes_on_or_halts_after_an_error() {
    let desk = desk();
    let commands = |halt: &str| {
        format!(
            r#"{{"halt": {halt}, "cmd": {{"bad": "crm.item.get?entityTypeId=2&id=99",
            "nested": "batch?cmd[a]=profile", "skipped": {{"method": "profile"}},
            "good": "user.admin"}}}}"#
        )
    };
    let answer = batch(&desk, &commands("0"));
    assert_eq!(answer["result"], json!({"good": false}));
    assert_eq!(answer["result_error"]["bad"]["error"], "NOT_FOUND");
    assert_eq!(answer["result_error"]["nested"]["error"], "ERROR_BATCH_METHOD_NOT_ALLOWED");
    assert_eq!(answer["result_error"].get("skipped"), None);
    let answer = batch(&desk, &commands("1"));
    assert_eq!(answer["result"], json!([]));
    assert_eq!(answer["result_error"].as_object().unwrap().len(), 1);
}

#[test]
fn batch_refuses_what_is_beyond_fifty_commands() {
    let desk = desk();
    let commands: Vec<&str> = vec!["user.admin"; 51];
    let answer = batch(&desk, &json!({"cmd": commands}).to_string());
    assert_eq!(answer["result"].as_array().unwrap().len(), 50);
    assert_eq!(answer["result_error"]["50"]["error"], "ERROR_BATCH_LENGTH_EXCEEDED");
}

#[test]
fn mail_text_in_a_batch_is_expanded() {
    let desk = desk();
    let contact = desk.contact("ana@client.example");
    let answer = batch(
        &desk,
        r#"{"cmd": {
            "find": "crm.duplicate.findbycomm?type=EMAIL&values[]=ana@client.example",
            "lead": "crm.item.add?entityTypeId=1&fields[title]=x%20$result[find][CONTACT][0]"
        }}"#,
    );
    assert_eq!(answer["result"]["lead"]["item"]["title"], format!("x {contact}"));
}

#[test]
fn file_is_opened_again_with_all_that_was_in_it() {
    let desk = desk();
    let deal = desk.deal();
    desk.sandbox.portal.record(requests::Request {
        at: 0,
        employee: 1,
        method: "profile".to_owned(),
        status: 200,
        code: String::new(),
        body: String::new(),
    });
    desk.sandbox.portal.settle();
    let Desk { sandbox, folder } = desk;
    drop(sandbox);
    let path = folder.path().join("sandbox.sqlite");
    let sandbox = Sandbox::open(Options { path, limits: None, simple_mode: false }).unwrap();
    let desk = Desk { sandbox, folder };
    let item = desk.ok("crm.item.get", json!({"entityTypeId": 2, "id": deal}))["item"].clone();
    assert_eq!(item["title"], "Tables");
    assert_eq!(desk.ok("sandbox.counts", json!({}))["requests"], json!({"profile": 1}));
}

/// Sends one request on a connection of its own; status and body of the answer.
async fn ask(address: std::net::SocketAddr, request: String) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

fn post(method: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {WEBHOOK_PATH}{method} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn sandbox_answers_over_http_until_it_is_stopped() {
    let limits = Limits { drain_per_second: 0.001, threshold: 6 };
    let desk = desk_with(Some(limits), false);
    let deal = desk.card(2, json!({"title": "<script>alert(1)</script>"}));
    desk.mail(
        (2, deal),
        json!({"DIRECTION": 2, "COMPLETED": "Y", "SUBJECT": "\"><img src=x>",
            "FILES": [{"fileData": ["a\"\r\nb.html", "PGI+"]}]}),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let served = tokio::spawn(desk.sandbox.clone().serve(listener, stopped));

    assert_eq!(ask(address, get("/health")).await.0, 200);
    let form = "application/x-www-form-urlencoded";
    let big = format!(
        "POST {WEBHOOK_PATH}profile HTTP/1.1\r\nHost: x\r\nContent-Length: 67108865\r\n\r\n"
    );
    #[rustfmt::skip]
    let script = [
        ("json",        post("crm.settings.mode.get.json", "application/json", "{}"), 200, "\"result\":1"),
        ("form",        post("crm.item.get", form, &format!("entityTypeId=2&id={deal}")), 200, "\"closed\":\"N\""),
        ("query",       get(&format!("{WEBHOOK_PATH}crm.item.list?entityTypeId=2&select[]=id")), 200, "\"total\":1"),
        ("broken json", post("crm.activity.list", "application/json", "{\"filter\":"), 200, "\"total\":1"),
        ("no method",   post("crm.nothing", "application/json", "{}"), 404, "ERROR_METHOD_NOT_FOUND"),
        ("no webhook",  get("/rest/profile"),                          401, "NO_AUTH_FOUND"),
        ("bad secret",  get("/rest/1/wrong/profile"),                  401, "INVALID_CREDENTIALS"),
        ("version 3",   get("/rest/api/1/sandbox/mail.mailbox.list"),  404, "BITRIX_REST_V3"),
        ("limit",       get("/rest/1/sandbox/profile"),                503, "QUERY_LIMIT_EXCEEDED"),
        ("control",     post("sandbox.counts", "application/json", "{}"), 200, "\"query_limit_exceeded\":1"),
        ("too large",   big,                                           413, "64 MiB"),
    ];
    for (name, request, status, part) in script {
        let (found, _, body) = ask(address, request).await;
        assert_eq!(found, status, "{name}: {body}");
        assert!(body.contains(part), "{name}: {body}");
    }
    let (_, _, requests) = ask(address, post("sandbox.requests", "application/json", "{}")).await;
    let requests: Value = serde_json::from_str(&requests).unwrap();
    assert_eq!(requests["result"][0]["method"], "crm.settings.mode.get");

    let (status, head, list) = ask(address, get("/")).await;
    assert_eq!(status, 200);
    assert!(head.contains("default-src 'none'"), "{head}");
    assert!(list.contains("&lt;script&gt;") && !list.contains("<script"));
    let (_, _, card) = ask(address, get(&format!("/card/deal/{deal}"))).await;
    assert!(card.contains("would have sent this mail") && !card.contains("<img"));
    assert!(card.contains("&quot;&gt;&lt;img"), "{card}");
    let (status, head, file) = ask(address, get("/file/1")).await;
    assert_eq!((status, file.as_str()), (200, "<b>"));
    assert!(head.contains("attachment; filename=\"file-1\"; filename*=UTF-8''a%22%0D%0Ab%2Ehtml"));
    assert!(head.contains("application/octet-stream"));
    assert_eq!(ask(address, get("/card/deal/99")).await.0, 404);

    stop.send(true).unwrap();
    served.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
