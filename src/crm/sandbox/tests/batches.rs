//! Batches: references, shapes, limits.

use serde_json::{Value, json};

use super::*;

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
