//! HTTP: connections, addresses, bodies. What is asked is answered elsewhere.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::{Fault, Watch};
use super::methods;
use super::page;
use super::php::{self, Php};
use super::requests::{self, BODY_KEPT, TURNED_AWAY};
use super::{Error, Portal, Reply, Sandbox};

/// The largest body that is read.
const MAX_BODY: usize = 64 * 1024 * 1024;
/// Connections at a time; further ones wait in the listener's queue.
const MAX_CONNECTIONS: usize = 1024;
/// How long calls in hand may take once the sandbox is told to stop.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// The pause after a connection could not be accepted, which is for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Sandbox {
    /// Serves until `stop` becomes true or its sender is gone; calls in hand are finished.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        // The connections are driven here and not spawned: only `daemon.rs` starts tasks.
        let mut connections = FuturesUnordered::new();
        let mut accept_from = Instant::now();
        let mut stopping = stop.clone();
        let stopped = async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        tokio::pin!(stopped);
        loop {
            let accept = async {
                tokio::time::sleep_until(accept_from).await;
                listener.accept().await
            };
            tokio::select! {
                () = &mut stopped => break,
                Some(()) = connections.next() => {}
                accepted = accept, if connections.len() < MAX_CONNECTIONS => match accepted {
                    Ok((stream, _)) => {
                        connections.push(connection(Arc::clone(&self.portal), stream, stop.clone()));
                    }
                    Err(_) => accept_from = Instant::now() + ACCEPT_PAUSE,
                },
            }
        }
        drop(listener);
        let finished = async { while connections.next().await.is_some() {} };
        let _ = tokio::time::timeout(FINISH_WITHIN, finished).await;
        let portal = self.portal;
        let _ = tokio::task::spawn_blocking(move || portal.settle()).await;
        Ok(())
    }
}

/// Serves one connection until the client has enough of it or the sandbox stops.
async fn connection(portal: Arc<Portal>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    // An answer must not wait for the next packet's acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let portal = Arc::clone(&portal);
        async move { Ok::<_, Infallible>(respond(portal, request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    // A connection that breaks is the client's to notice.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn respond(portal: Arc<Portal>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if path == "/health" {
        return plain(StatusCode::OK, "ok\n");
    }
    if let Some(address) = path.strip_prefix("/rest/") {
        return match Address::parse(address) {
            Some(address) => rest(portal, request, address).await,
            None => json(&Reply::refused(&no_auth())),
        };
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    }
    let query = request.uri().query().unwrap_or("").to_owned();
    let shown = tokio::task::spawn_blocking(move || {
        page::respond(&super::lock(&portal.conn), &path, &query)
    });
    match shown.await {
        Ok(page) => page,
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
    }
}

/// What stands behind `/rest/`: `{employee}/{secret}/{method}[.json]`.
#[derive(Debug, PartialEq)]
struct Address {
    /// Version 3, `/rest/api/…`: another form of answers, and no method of the CRM.
    version_3: bool,
    employee: i64,
    secret: String,
    /// In lower case, as the portal reads it.
    method: String,
}

impl Address {
    /// `None` if no webhook is named.
    fn parse(path: &str) -> Option<Address> {
        let (version_3, path) = match path.strip_prefix("api/") {
            Some(path) => (true, path),
            None => (false, path),
        };
        let (employee, rest) = path.split_once('/')?;
        let (secret, method) = rest.split_once('/')?;
        let method = php::decode(method.trim_matches('/')).to_ascii_lowercase();
        Some(Address {
            version_3,
            employee: employee.parse().ok()?,
            secret: php::decode(secret),
            method: method.strip_suffix(".json").unwrap_or(&method).to_owned(),
        })
    }
}

fn no_auth() -> Fault {
    Fault::with_status(401, "NO_AUTH_FOUND", "Wrong authorization data")
}

async fn rest(
    portal: Arc<Portal>,
    request: Request<Incoming>,
    address: Address,
) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    }
    // A page of another site that is open in a browser knows this webhook too; no program sends this
    // header (Fetch Metadata, section 2.3).
    let from_a_page = request.headers().get("sec-fetch-site").is_some_and(|site| site != "none");
    if from_a_page {
        return plain(StatusCode::FORBIDDEN, "not for web pages\n");
    }
    let query = request.uri().query().unwrap_or("").to_owned();
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let encoding = Encoding::of(content_type.unwrap_or(""));
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced
        .is_some_and(|length| length.parse().is_ok_and(|length: u64| length > MAX_BODY as u64))
    {
        return too_large();
    }
    let body = match Limited::new(request.into_body(), MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return too_large(),
        Err(_) => return plain(StatusCode::BAD_REQUEST, "incomplete body\n"),
    };
    // Bodies of many megabytes are decoded here: off the thread that drives the connections.
    let answered = tokio::task::spawn_blocking(move || {
        let reply = answer(&portal, &address, encoding, &query, &body);
        json(&reply)
    });
    match answered.await {
        Ok(response) => response,
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
    }
}

fn answer(
    portal: &Portal,
    address: &Address,
    encoding: Encoding,
    query: &str,
    body: &[u8],
) -> Reply {
    let at = Watch::start().now();
    let reply = if address.version_3 {
        version_3(portal, address)
    } else if portal.admits(&address.method) {
        let params = parameters(encoding, query, body);
        portal.call(address.employee, &address.secret, &address.method, &params)
    } else {
        Reply::refused(&Fault::with_status(503, TURNED_AWAY, "Too many requests"))
    };
    if !methods::is_control(&address.method) {
        let known = methods::exists(&address.method);
        let mut kept = query.as_bytes().to_vec();
        kept.extend_from_slice(body.get(..BODY_KEPT).unwrap_or(body));
        kept.truncate(BODY_KEPT);
        portal.record(requests::Request {
            at,
            employee: address.employee,
            method: if known { address.method.clone() } else { "unknown".to_owned() },
            status: reply.status,
            code: reply.code.to_owned(),
            body: String::from_utf8_lossy(&kept).into_owned(),
        });
    }
    reply
}

/// No method of the CRM has been moved to version 3, and the sandbox has nothing but the CRM.
fn version_3(portal: &Portal, address: &Address) -> Reply {
    let known = super::Caller::find(&super::lock(&portal.conn), address.employee, &address.secret);
    let (status, code, message) = match known {
        Ok(_) => (404, "BITRIX_REST_V3_EXCEPTION_METHODNOTFOUNDEXCEPTION", "Method not found"),
        Err(fault) => {
            (fault.status(), "BITRIX_REST_V3_EXCEPTION_ACCESSDENIEDEXCEPTION", "Access denied")
        }
    };
    let error = Php::map([("code", code.into()), ("message", message.into())]);
    Reply { status, code, body: Php::map([("error", error)]) }
}

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Encoding {
    Json,
    Form,
    /// PHP makes no parameters of anything else.
    Other,
}

impl Encoding {
    fn of(content_type: &str) -> Encoding {
        let name = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match name.as_str() {
            "application/json" => Encoding::Json,
            "application/x-www-form-urlencoded" => Encoding::Form,
            _ => Encoding::Other,
        }
    }
}

/// The parameters of query and body; those of the body come after and so count.
///
/// A JSON body that does not decode is swallowed, and the method runs without parameters [observed].
fn parameters(encoding: Encoding, query: &str, body: &[u8]) -> Php {
    let mut params = php::parse_str(query);
    let given = match encoding {
        Encoding::Json => serde_json::from_slice(body).unwrap_or(Php::Null),
        Encoding::Form => php::parse_str(&String::from_utf8_lossy(body)),
        Encoding::Other => Php::Null,
    };
    if params.entries().is_empty() && given.is_array() {
        return given;
    }
    if let Php::Array(entries) = given {
        for (name, value) in entries {
            params.set(&name, value);
        }
    }
    params
}

fn json(reply: &Reply) -> Response<Full<Bytes>> {
    // Only a number that is no number cannot be written, and none is made.
    let body = serde_json::to_vec(&reply.body).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The rest of the body is not read, so the connection cannot go on.
fn too_large() -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::PAYLOAD_TOO_LARGE, "request body over 64 MiB\n");
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn address_names_employee_secret_and_method() {
        let address = |version_3, method: &str| {
            let secret = "s3cret".to_owned();
            Some(Address { version_3, employee: 7, secret, method: method.to_owned() })
        };
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<Address>)] = &[
            ("plain",           "7/s3cret/profile",           address(false, "profile")),
            ("with ending",     "7/s3cret/CRM.Item.List.json", address(false, "crm.item.list")),
            ("ending slash",    "7/s3cret/profile/",          address(false, "profile")),
            ("version 3",       "api/7/s3cret/mail.mailbox.list", address(true, "mail.mailbox.list")),
            ("no webhook",      "profile",                    None),
            ("no method",       "7/s3cret",                   None),
            ("no number",       "x/s3cret/profile",           None),
        ];
        for (name, path, expected) in cases {
            assert_eq!(Address::parse(path), *expected, "{name}");
        }
    }

    #[test]
    fn parameters_come_from_query_and_body() {
        let text = |value: &str| Php::from(value);
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str, &[u8], Php)] = &[
            ("query",             "",                 "id=1", b"",            text("1")),
            ("json",              "application/json; charset=utf-8", "", b"{\"id\":1}", Php::Int(1)),
            ("body over query",   "application/json", "id=1", b"{\"id\":2}",  Php::Int(2)),
            ("form",              "application/x-www-form-urlencoded", "", b"id=3", text("3")),
            ("broken json",       "application/json", "",     b"{\"id\":1",   Php::Null),
            ("json, bad UTF-8",   "application/json", "",     b"{\"id\":\"\xff\"}", Php::Null),
            ("json, other type",  "text/plain",       "",     b"{\"id\":1}",  Php::Null),
        ];
        for (name, content_type, query, body, id) in cases {
            let params = parameters(Encoding::of(content_type), query, body);
            assert_eq!(params.get("id"), id, "{name}");
        }
    }
}
