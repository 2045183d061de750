//! What a webhook and its employee may do.

use serde_json::json;

use super::*;

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
