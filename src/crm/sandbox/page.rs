//! The page for people: the cards, each with its mails, the person responsible and the files.
//!
//! Nearly everything on it was written by whoever sends a mail. It is escaped, nothing of a request is
//! repeated, and the policy lets the browser load nothing but the page's own style.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::activities::EMAIL;
use super::cards::{self, Card, Kind};
use super::html::Html;
use super::moment;
use super::multifield;
use super::page_timeline::timeline;
use super::php;

/// Cards on one page of the list.
const CARDS: i64 = 100;

const STYLE: &str = include_str!("page.css");

/// Nothing but the one style sheet, named by its hash (Content Security Policy Level 3, section 2.3.1).
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// Answers a GET for a person.
pub(super) fn respond(conn: &Connection, path: &str, query: &str) -> Response<Full<Bytes>> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let shown = match segments.as_slice() {
        [""] => list(conn, php::parse_str(query).get("page").int()).map(Some),
        ["card", kind, id] => match (kind_named(kind), id.parse()) {
            (Some(kind), Ok(id)) => card(conn, kind, id),
            (Some(_) | None, _) => Ok(None),
        },
        ["file", id] => match id.parse() {
            Ok(id) => file(conn, id),
            Err(_) => Ok(None),
        },
        _ => Ok(None),
    };
    match shown {
        Ok(Some(response)) => response,
        Ok(None) => failure(StatusCode::NOT_FOUND, "There is nothing at this address."),
        Err(source) => {
            crate::events::sandbox_failed("show a page", &source.to_string());
            failure(StatusCode::INTERNAL_SERVER_ERROR, "The sandbox's file could not be read.")
        }
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Lead => "lead",
        Kind::Deal => "deal",
        Kind::Contact => "contact",
        Kind::Company => "company",
    }
}

fn kind_named(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind_name(*kind) == name)
}

/// Names of employees by number.
pub(super) struct Names(HashMap<i64, String>);

impl Names {
    fn read(conn: &Connection) -> rusqlite::Result<Names> {
        let mut query = conn.prepare_cached("SELECT id, name, last_name FROM employee")?;
        let rows = query.query_map([], |row| {
            let (name, last): (String, String) = (row.get("name")?, row.get("last_name")?);
            Ok((row.get("id")?, format!("{name} {last}").trim().to_owned()))
        })?;
        Ok(Names(rows.collect::<rusqlite::Result<_>>()?))
    }

    pub(super) fn of(&self, id: i64) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| format!("employee {id}"))
    }
}

fn head(refresh: bool) -> Html {
    let mut html = Html::default();
    html.markup("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")
        .markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    if refresh {
        html.markup("<meta http-equiv=\"refresh\" content=\"5\">");
    }
    html.markup("<title>Sandbox CRM</title><style>")
        .markup(STYLE)
        .markup("</style></head><body><main>");
    html
}

fn finish(mut html: Html, status: StatusCode) -> Response<Full<Bytes>> {
    html.markup("</main></body></html>\n");
    let mut response = Response::new(Full::new(Bytes::from(html.into_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    guard(&mut response);
    response
}

fn guard(response: &mut Response<Full<Bytes>>) {
    let headers = response.headers_mut();
    let policy = HeaderValue::from_str(&POLICY)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn failure(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut html = head(false);
    html.markup("<p class=\"soft\"><a href=\"/\">All cards</a></p><p>").text(text).markup("</p>");
    finish(html, status)
}

fn list(conn: &Connection, page: i64) -> rusqlite::Result<Response<Full<Bytes>>> {
    let page = page.clamp(1, 1_000_000);
    let names = Names::read(conn)?;
    let total: i64 = conn.query_row("SELECT count(*) AS n FROM card", [], |row| row.get("n"))?;
    let sent: i64 =
        conn.query_row("SELECT count(*) AS n FROM sent_mail", [], |row| row.get("n"))?;
    let mut html = head(page == 1);
    html.markup("<h1>Sandbox CRM</h1>");
    if sent > 0 {
        html.markup("<p class=\"warn\">A real portal would have sent ")
            .number(sent)
            .markup(" mail(s) to clients once more.</p>");
    }
    html.markup("<p class=\"soft\">")
        .number(total)
        .markup(" cards, the last changed first</p><table><thead><tr><th>Card</th>")
        .markup("<th>Responsible</th><th class=\"n\">Mails</th><th>Last change</th></tr></thead><tbody>");
    let cards = cards::latest(conn, CARDS, (page - 1) * CARDS)?;
    if cards.is_empty() {
        html.markup("<tr><td colspan=\"4\" class=\"soft\">No cards yet.</td></tr>");
    }
    for card in &cards {
        let mails: i64 = conn
            .prepare_cached(
                "SELECT count(*) AS n FROM binding JOIN activity ON activity.id = binding.activity_id
                 WHERE binding.kind = ?1 AND binding.card_id = ?2 AND activity.type_id = ?3",
            )?
            .query_row(params![card.kind.entity_type(), card.id, EMAIL], |row| row.get("n"))?;
        html.markup("<tr><td>");
        link(&mut html, card);
        html.markup("</td><td><bdi>")
            .text(&names.of(card.responsible()))
            .markup("</bdi></td><td class=\"n\">")
            .number(mails)
            .markup("</td><td class=\"t\">")
            .text(&moment::show(card.changed_at()))
            .markup("</td></tr>");
    }
    html.markup("</tbody></table><p>");
    if page > 1 {
        html.markup("<a href=\"/?page=").number(page - 1).markup("\">Newer</a> ");
    }
    if total > page * CARDS {
        html.markup("<a href=\"/?page=").number(page + 1).markup("\">Older</a>");
    }
    html.markup("</p>");
    Ok(finish(html, StatusCode::OK))
}

fn link(html: &mut Html, card: &Card) {
    let kind = kind_name(card.kind);
    html.markup("<span class=\"kind ")
        .markup(kind)
        .markup("\">")
        .markup(kind)
        .markup(" ")
        .number(card.id)
        .markup("</span> <a href=\"/card/")
        .markup(kind)
        .markup("/")
        .number(card.id)
        .markup("\"><bdi>")
        .text(&card.title())
        .markup("</bdi></a>");
}

pub(super) fn fact(html: &mut Html, name: &'static str, value: &str) {
    if !value.trim().is_empty() {
        html.markup("<dt>").markup(name).markup("</dt><dd><bdi>").text(value).markup("</bdi></dd>");
    }
}

pub(super) fn linked(
    conn: &Connection,
    html: &mut Html,
    kind: Kind,
    id: i64,
) -> rusqlite::Result<()> {
    if let Some(card) = Card::load(conn, kind, id)? {
        html.markup("<div>");
        link(html, &card);
        html.markup("</div>");
    }
    Ok(())
}

fn card(conn: &Connection, kind: Kind, id: i64) -> rusqlite::Result<Option<Response<Full<Bytes>>>> {
    let Some(card) = Card::load(conn, kind, id)? else { return Ok(None) };
    let names = Names::read(conn)?;
    let mut html = head(false);
    html.markup("<p class=\"soft\"><a href=\"/\">All cards</a></p><h1><span class=\"kind ")
        .markup(kind_name(kind))
        .markup("\">")
        .markup(kind_name(kind))
        .markup(" ")
        .number(id)
        .markup("</span> <bdi>")
        .text(&card.title())
        .markup("</bdi></h1><div class=\"box\"><dl>");
    fact(&mut html, "Responsible", &names.of(card.responsible()));
    fact(&mut html, "Stage", &card.fields.get("stageId").text());
    let name = format!("{} {}", card.fields.get("name").text(), card.fields.get("lastName").text());
    fact(&mut html, "Name", &name);
    for multifield in multifield::read(conn, &card)?.values() {
        let phone = multifield.get("typeId").text() == "PHONE";
        let label = if phone { "Telephone" } else { "Address" };
        fact(&mut html, label, &multifield.get("value").text());
    }
    fact(&mut html, "Post", &card.fields.get("post").text());
    fact(&mut html, "Source", &card.fields.get("sourceId").text());
    fact(&mut html, "Source detail", &card.fields.get("sourceDescription").text());
    fact(&mut html, "Comment", &card.fields.get("comments").text());
    fact(&mut html, "Made", &moment::show(card.fields.get("createdTime").int()));
    fact(&mut html, "Last change", &moment::show(card.changed_at()));
    html.markup("<dt>Linked</dt><dd>");
    for contact in card.fields.get("contactIds").values() {
        linked(conn, &mut html, Kind::Contact, contact.int())?;
    }
    linked(conn, &mut html, Kind::Company, card.fields.get("companyId").int())?;
    linked(conn, &mut html, Kind::Lead, card.fields.get("leadId").int())?;
    let narrow = match kind {
        Kind::Lead => Some(cards::Narrow::Lead(id)),
        Kind::Contact => Some(cards::Narrow::Contact(id)),
        Kind::Company => Some(cards::Narrow::Company(id)),
        Kind::Deal => None,
    };
    if let Some(narrow) = narrow {
        for deal in cards::find(conn, Kind::Deal, &narrow)?.iter().take(50) {
            linked(conn, &mut html, Kind::Deal, deal.id)?;
        }
    }
    html.markup("</dd></dl></div>");
    timeline(conn, &mut html, &names, &card)?;
    Ok(Some(finish(html, StatusCode::OK)))
}

/// A file is only ever saved, never shown: its content and its name are the sender's.
fn file(conn: &Connection, id: i64) -> rusqlite::Result<Option<Response<Full<Bytes>>>> {
    let found: Option<(String, Vec<u8>)> = conn
        .prepare_cached("SELECT name, bytes FROM file WHERE id = ?1")?
        .query_row(params![id], |row| Ok((row.get("name")?, row.get("bytes")?)))
        .optional()?;
    let Some((name, bytes)) = found else { return Ok(None) };
    let mut response = Response::new(Full::new(Bytes::from(bytes)));
    // RFC 6266, section 4.3: the extended form bears any character, percent-encoded.
    let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
    let disposition = format!("attachment; filename=\"file-{id}\"; filename*=UTF-8''{name}");
    let disposition = HeaderValue::from_str(&disposition)
        .unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_DISPOSITION, disposition);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    guard(&mut response);
    Ok(Some(response))
}
