//! The built-in CRM stand-in as a process of its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use mailcrm::demo::port::free_port;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{LIMIT, http, wait_for};

pub struct SandboxProcess {
    dir: TempDir,
    port: u16,
    /// Further arguments, such as `--simple`.
    args: Vec<String>,
    child: Option<Child>,
}

impl SandboxProcess {
    /// Starts an empty sandbox CRM and waits until it answers.
    pub fn start() -> SandboxProcess {
        SandboxProcess::start_with(&[])
    }

    /// The same with further arguments, such as `--simple`.
    pub fn start_with(args: &[&str]) -> SandboxProcess {
        let dir = TempDir::new().unwrap();
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        let mut sandbox = SandboxProcess { dir, port: free_port().unwrap(), args, child: None };
        sandbox.start_again();
        sandbox
    }

    /// Starts it on the same file and port, after [`SandboxProcess::kill9`].
    pub fn start_again(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("sandbox.log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mailcrm"))
            .args(["sandbox", "--listen", &format!("127.0.0.1:{}", self.port), "--path"])
            .arg(self.dir.path().join("sandbox.sqlite"))
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait_for("the sandbox CRM to answer", LIMIT, || {
            let ended = self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
            assert!(!ended, "the sandbox CRM ended: {}", self.log());
            http::post(self.port, "/rest/1/sandbox/profile", &json!({})).is_ok()
        });
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its file, which outlives the process.
    pub fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("sandbox.sqlite")
    }

    /// The webhook URL for the configuration.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/rest/1/sandbox/", self.port)
    }

    /// Calls a method and returns its `result`; panics with the CRM's words if it says no.
    #[track_caller]
    pub fn call(&self, method: &str, params: &Value) -> Value {
        let mut answer = self.answer(method, params);
        let Some(result) = answer.get_mut("result") else {
            panic!("{method} {params}: {answer}");
        };
        result.take()
    }

    /// Calls a method and returns the whole answer, also an error.
    #[track_caller]
    pub fn answer(&self, method: &str, params: &Value) -> Value {
        let answer = http::post(self.port, &format!("/rest/1/sandbox/{method}"), params);
        match answer {
            Ok(answer) => answer.json(),
            Err(error) => panic!("{method}: {error}; {}", self.log()),
        }
    }

    /// All rows of a list method that pages with `start` and `next`.
    #[track_caller]
    pub fn list(&self, method: &str, params: &Value) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut start = json!(0);
        loop {
            let mut params = params.clone();
            params["start"] = start;
            let mut answer = self.answer(method, &params);
            // Old methods answer with the rows, those of `crm.item` with `items` in an object.
            let page = match answer["result"].take() {
                Value::Array(rows) => rows,
                Value::Object(mut result) => match result.remove("items") {
                    Some(Value::Array(rows)) => rows,
                    _ => panic!("{method}: no rows"),
                },
                _ => panic!("{method} {params}: {answer}"),
            };
            rows.extend(page);
            match answer.get("next") {
                Some(next) => start = next.clone(),
                None => return rows,
            }
        }
    }

    /// All activities, with those columns that a test asks for most.
    #[track_caller]
    pub fn activities(&self) -> Vec<Value> {
        self.list("crm.activity.list", &json!({"select": ["*", "COMMUNICATIONS", "FILES"]}))
    }

    /// Makes a card with these fields and returns its number.
    #[track_caller]
    pub fn add_card(&self, entity_type: u64, fields: Value) -> u64 {
        let made =
            self.call("crm.item.add", &json!({"entityTypeId": entity_type, "fields": fields}));
        made["item"]["id"].as_u64().unwrap()
    }

    /// Makes a contact that bears this address, and returns its number.
    #[track_caller]
    pub fn add_contact(&self, name: &str, email: &str, responsible: u64) -> u64 {
        let email = json!([{"typeId": "EMAIL", "valueType": "WORK", "value": email}]);
        self.add_card(3, json!({"name": name, "assignedById": responsible, "fm": email}))
    }

    /// Makes an open deal of a contact, and returns its number.
    #[track_caller]
    pub fn add_deal(&self, title: &str, contact: u64, responsible: u64) -> u64 {
        self.add_card(2, json!({"title": title, "contactId": contact, "assignedById": responsible}))
    }

    /// All cards of an entity type: 1 lead, 2 deal, 3 contact, 4 company.
    #[track_caller]
    pub fn cards(&self, entity_type: u64) -> Vec<Value> {
        self.list("crm.item.list", &json!({"entityTypeId": entity_type, "select": ["*", "fm"]}))
    }

    /// All that the CRM holds, a line each: cards, activities, and how many there are of the rest.
    #[track_caller]
    pub fn contents(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for entity_type in 1..=4 {
            lines.extend(self.cards(entity_type).iter().map(|card| format!("card {card}")));
        }
        lines.extend(self.activities().iter().map(|activity| format!("activity {activity}")));
        let counts = self.call("sandbox.counts", &json!({}));
        for kind in ["bindings", "comments", "files", "notifications", "sent_mail"] {
            lines.push(format!("{kind} {}", counts[kind]));
        }
        lines
    }

    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn log(&self) -> String {
        last_lines(&self.dir.path().join("sandbox.log"))
    }
}

impl Drop for SandboxProcess {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// The end of a log file.
pub fn last_lines(path: &Path) -> String {
    let log = std::fs::read(path).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
