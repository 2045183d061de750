//! Cards: what is written, refused, found and listed.

use serde_json::{Value, json};

use super::*;
use crate::crm::sandbox::{cards, moment};

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
        ("names too long",  "crm.item.add",    json!({"entityTypeId": 3, "fields": {"name": "x".repeat(50), "lastName": "y".repeat(50)}}), not_valid),
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
fn multifields_are_changed_by_their_numbers() {
    let desk = desk();
    let fm = json!([
        {"typeId": "EMAIL", "valueType": "WORK", "value": "ana@client.example"},
        {"typeId": "PHONE", "valueType": "MOBILE", "value": "+34 600 000"},
    ]);
    let contact = desk.card(3, json!({"name": "Ana", "post": "Buyer", "fm": fm}));
    let update = |fm: Value| {
        let params = json!({"entityTypeId": 3, "id": contact, "fields": {"fm": fm}});
        let item = desk.ok("crm.item.update", params)["item"].clone();
        let values = item["fm"].as_array().unwrap().iter();
        values
            .map(|one| {
                format!("{} {}", one["valueType"].as_str().unwrap(), one["value"].as_str().unwrap())
            })
            .collect::<Vec<_>>()
    };
    let item = desk.ok("crm.item.get", json!({"entityTypeId": 3, "id": contact}))["item"].clone();
    assert_eq!((&item["post"], &item["hasPhone"]), (&json!("Buyer"), &json!("Y")));
    let (email, phone) = (item["fm"][0]["id"].clone(), item["fm"][1]["id"].clone());
    let new = json!({"typeId": "PHONE", "valueType": "FAX", "value": "+34 91"});
    #[rustfmt::skip]
    let cases: &[(&str, Value, &[&str])] = &[
        ("added, the rest stays", json!([new]),                                   &["WORK ana@client.example", "MOBILE +34 600 000", "FAX +34 91"]),
        ("changed by its number", json!([{"id": phone, "value": "+34 601 000"}]), &["WORK ana@client.example", "MOBILE +34 601 000", "FAX +34 91"]),
        ("its type alone",        json!([{"id": phone, "valueType": "HOME"}]),    &["WORK ana@client.example", "HOME +34 601 000", "FAX +34 91"]),
        ("deleted",               json!([{"id": email, "DELETE": "Y"}]),          &["HOME +34 601 000", "FAX +34 91"]),
        ("deleted by emptying",   json!([{"id": phone, "value": ""}]),            &["FAX +34 91"]),
        ("nobody's number",       json!([{"id": 999, "value": "x"}]),             &["FAX +34 91"]),
    ];
    for (name, fm, expected) in cases {
        assert_eq!(update(fm.clone()), *expected, "{name}");
    }
    let find = |number: &str| {
        desk.ok("crm.duplicate.findbycomm", json!({"type": "PHONE", "values": [number]}))
    };
    assert_eq!(find("(34) 91"), json!({"CONTACT": [contact]}));
    assert_eq!(find("+34 601 000"), json!([]));
}

#[test]
fn what_is_ours_is_listed_above_a_number() {
    let desk = desk();
    let ours =
        |number: i64| json!({"title": "x", "originatorId": "m", "originId": number.to_string()});
    let ids: Vec<i64> = (0..53).map(|number| desk.card(2, ours(number))).collect();
    desk.card(2, json!({"title": "x", "originatorId": "n", "originId": "0"}));
    let mail = |number: i64| {
        desk.mail((2, ids[0]), json!({"ORIGINATOR_ID": "m", "ORIGIN_ID": number.to_string()}))
    };
    let mails: Vec<i64> = (0..3).map(mail).collect();
    let list = |after: i64| {
        let params = json!({"entityTypeId": 2, "filter": {"originatorId": "m", ">id": after},
            "order": {"id": "ASC"}, "select": ["id"], "start": -1});
        let rows = desk.ok("crm.item.list", params)["items"].clone();
        rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(list(0), ids[..50]);
    assert_eq!(list(ids[49]), ids[50..]);
    assert!(list(ids[52]).is_empty());
    let params = json!({"filter": {"ORIGINATOR_ID": "m", ">ID": mails[0]}, "order": {"ID": "ASC"},
        "select": ["ID"], "start": -1});
    let rows = desk.ok("crm.activity.list", params);
    let expected: Vec<Value> = mails[1..].iter().map(|id| json!({"ID": id.to_string()})).collect();
    assert_eq!(rows, json!(expected));
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

#[test]
fn mail_brings_its_card_to_the_top_without_changing_it() {
    let desk = desk();
    let (first, second) = (desk.deal(), desk.deal());
    desk.mail((2, first), json!({}));
    let conn = desk.sandbox.portal.conn.lock().unwrap();
    let later = moment::FAR_FUTURE - 1;
    cards::note_activity(&conn, (cards::Kind::Deal, first), later).unwrap();
    let latest = cards::latest(&conn, 2, 0).unwrap();
    assert_eq!(latest.iter().map(|card| card.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(latest[0].changed_at(), later);
    assert_ne!(latest[0].fields.get("updatedTime").int(), later);
}
