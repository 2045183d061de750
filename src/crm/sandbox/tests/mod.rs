//! The dialect by cases, without HTTP; and once over it. Here: the desk at which all of them sit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod activities;
mod batches;
mod bindings;
mod cards;
mod http;
mod portal;
mod rights;

use serde_json::{Value, json};

use super::php::Php;
use super::{Limits, Options, Sandbox};

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
