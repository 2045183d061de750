//! Once over real HTTP.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;
use crate::crm::sandbox::WEBHOOK_PATH;

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
    let todo = json!({"ownerTypeId": 2, "ownerId": deal, "deadline": "2030-01-01T10:00:00Z",
        "title": "Call <back>"});
    desk.ok("crm.activity.todo.add", todo);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let served = desk.sandbox.clone().serve(listener, stopped);
    let script = async {
        look_at_everything(address, deal).await;
        stop.send(true).unwrap();
    };
    let (served, ()) = tokio::join!(served, script);
    served.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

async fn look_at_everything(address: std::net::SocketAddr, deal: i64) {
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
        ("broken json", post("crm.activity.list", "application/json", "{\"filter\":"), 200, "\"total\":2"),
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
    assert!(card.contains("To-do ") && card.contains("Call &lt;back&gt;"), "{card}");
    let (status, head, file) = ask(address, get("/file/1")).await;
    assert_eq!((status, file.as_str()), (200, "<b>"));
    assert!(head.contains("attachment; filename=\"file-1\"; filename*=UTF-8''a%22%0D%0Ab%2Ehtml"));
    assert!(head.contains("application/octet-stream"));
    assert_eq!(ask(address, get("/card/deal/99")).await.0, 404);
}
