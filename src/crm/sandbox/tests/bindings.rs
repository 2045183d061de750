//! Bindings: the order of the checks, and who owns what afterwards.

use serde_json::{Value, json};

use super::*;

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
