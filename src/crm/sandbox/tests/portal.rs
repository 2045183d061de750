//! The portal itself: employees, lists, the file.

use serde_json::{Value, json};

use super::*;
use crate::crm::sandbox::requests;

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
