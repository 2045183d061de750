//! The portal against a scripted peer on the loopback interface; answers as the REST reference prints them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod asking;
mod sending;
mod standin;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::http::Timeouts;
use super::{Options, Portal};
use crate::card::{CardKind, CardNow, CardRef, OpenCard};
use crate::crm::{
    ActivityContent, ActivityDraft, CardDraft, Communication, Crm, EmailMeta, Fate, File, Made,
    OriginId, TodoDraft,
};
use crate::rules::Direction;

const SECRET: &str = "s3cr3ts3cr3ts3cr";

#[derive(Clone, Debug)]
struct Asked {
    path: String,
    head: String,
    body: Value,
}

impl Asked {
    fn method(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

enum Reply {
    Json(u16, Value),
    Page(u16, String),
    Location(u16, String),
    /// Closes the connection without a word.
    Close,
    /// Begins an answer and closes.
    Half,
    /// Never answers.
    Silence,
}

struct Peer {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Peer {
    async fn start(script: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(script);
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Peer { address, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn options(&self) -> Options {
        Options {
            url: format!("http://{}/rest/1/{SECRET}/", self.address),
            originator: "mailcrm".into(),
            requests_per_second: 1000.0,
            burst: 100,
            edition_cloud: true,
            spent: 0,
        }
    }

    fn portal(&self) -> Portal {
        Portal::new(self.options()).unwrap()
    }

    /// A portal that does not wait for long.
    fn hasty_portal(&self) -> Portal {
        let short = Duration::from_millis(300);
        Portal::with_timeouts(self.options(), Timeouts { connect: short, whole: short }).unwrap()
    }
}

async fn serve(
    stream: TcpStream,
    script: Arc<impl Fn(&Asked, usize) -> Reply>,
    seen: Arc<Mutex<Vec<Asked>>>,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        let asked = Asked {
            path: head.split(' ').nth(1).unwrap().to_owned(),
            head,
            body: serde_json::from_slice(&body).unwrap(),
        };
        let at = {
            let mut seen = seen.lock().unwrap();
            seen.push(asked.clone());
            seen.len() - 1
        };
        let (status, headers, body) = match script(&asked, at) {
            Reply::Json(status, value) => {
                (status, "Content-Type: application/json\r\n".to_owned(), value.to_string())
            }
            Reply::Page(status, page) => (status, "Content-Type: text/html\r\n".to_owned(), page),
            Reply::Location(status, to) => (status, format!("Location: {to}\r\n"), String::new()),
            Reply::Close => return,
            Reply::Half => {
                let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"result\"";
                stream.write_all(half).await.unwrap();
                return;
            }
            Reply::Silence => std::future::pending().await,
        };
        let answer =
            format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Answers a batch command by command; `Err` is the error's code.
fn batch(
    asked: &Asked,
    answer: impl Fn(&str, &[(String, String)]) -> Result<Value, &'static str>,
) -> Reply {
    assert_eq!(asked.method(), "batch");
    assert_eq!(asked.body["halt"], 0);
    let commands = asked.body["cmd"].as_object().unwrap();
    assert!(commands.len() <= 50);
    let mut results = serde_json::Map::new();
    let mut errors = serde_json::Map::new();
    for (key, command) in commands {
        let (method, query) = command.as_str().unwrap().split_once('?').unwrap();
        let params: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        match answer(method, &params) {
            Ok(result) => results.insert(key.clone(), result),
            Err(code) => {
                errors.insert(key.clone(), json!({"error": code, "error_description": "no"}))
            }
        };
    }
    // PHP writes an empty map as a list.
    let map = |map: serde_json::Map<String, Value>| {
        if map.is_empty() { json!([]) } else { Value::Object(map) }
    };
    Reply::Json(
        200,
        json!({"result": {"result": map(results), "result_error": map(errors), "result_total": [],
            "result_next": [], "result_time": []}, "time": {"start": 1.0, "finish": 2.0}}),
    )
}

fn param<'a>(params: &'a [(String, String)], key: &str) -> &'a str {
    params.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
}

fn ok(result: Value) -> Reply {
    Reply::Json(200, json!({"result": result, "time": {"start": 1.0, "finish": 2.0}}))
}

fn error(status: u16, code: &str, text: &str) -> Reply {
    Reply::Json(status, json!({"error": code, "error_description": text}))
}

fn card(kind: CardKind, id: u64) -> CardRef {
    CardRef { kind, id }
}

fn lead() -> CardDraft {
    CardDraft {
        kind: CardKind::Lead,
        origin: OriginId("0f".repeat(32)),
        title: "Presupuesto $result[c0]".into(),
        name: "Ana Ruiz".into(),
        email: Some("ana@cliente.es".into()),
        responsible: 6,
        source: "EMAIL".into(),
        source_description: "ventas@nosotros.es".into(),
        client: None,
        last_name: String::new(),
        more_emails: vec![],
        phones: vec![],
        post: String::new(),
        organisation: String::new(),
    }
}

fn activity() -> ActivityDraft {
    ActivityDraft {
        owner: card(CardKind::Deal, 314),
        origin: OriginId("ab".repeat(32)),
        direction: Direction::Outgoing,
        subject: "Re: presupuesto".into(),
        communications: vec![Communication { email: "ana@cliente.es".into(), card: None }],
        responsible: 6,
        starts_at: 1_741_075_920,
        ends_at: None,
        meta: EmailMeta::default(),
        message_id: None,
    }
}

fn todo(owner: CardRef, activity: u64) -> TodoDraft {
    TodoDraft {
        owner,
        origin: OriginId("cd".repeat(32)),
        title: "Answer: presupuesto $result[c0]".into(),
        text: "The mail is activity 5.".into(),
        responsible: 6,
        deadline: 1_741_111_200,
        activity,
    }
}
