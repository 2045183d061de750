//! A card's timeline on the page: mails, tasks and comments, the newest first.

use rusqlite::{Connection, params};

use super::activities::{Activity, EMAIL, Narrow, OUTGOING, TODO};
use super::cards::{Card, from_json};
use super::emoji;
use super::html::Html;
use super::moment;
use super::page::{Names, fact, linked};

/// Entries of a card's timeline that are shown.
const ENTRIES: usize = 300;
/// A text of more characters or lines than this is folded.
const FOLD_CHARS: usize = 700;
const FOLD_LINES: usize = 12;

/// One thing on a timeline.
enum Entry {
    Activity(Box<Activity>),
    Comment { id: i64, author: i64, text: String },
}

pub(super) fn timeline(
    conn: &Connection,
    html: &mut Html,
    names: &Names,
    card: &Card,
) -> rusqlite::Result<()> {
    let mut entries: Vec<(i64, Entry)> = Activity::find(conn, &Narrow::Card(card.kind, card.id))?
        .into_iter()
        .map(|activity| (activity.created_at, Entry::Activity(Box::new(activity))))
        .collect();
    let mut query = conn.prepare_cached(
        "SELECT id, text, author, created_at FROM comment
         WHERE kind = ?1 AND card_id = ?2 ORDER BY id",
    )?;
    let comments = query.query_map(params![card.kind.entity_type(), card.id], |row| {
        let comment = Entry::Comment {
            id: row.get("id")?,
            author: row.get("author")?,
            text: row.get("text")?,
        };
        Ok((row.get("created_at")?, comment))
    })?;
    for comment in comments {
        entries.push(comment?);
    }
    // What was read in order of number is turned round: the newest stands first.
    entries.sort_by_key(|(at, _)| *at);
    if entries.is_empty() {
        html.markup("<p class=\"soft\">Nothing on the timeline yet.</p>");
    }
    for (at, entry) in entries.iter().rev().take(ENTRIES) {
        match entry {
            Entry::Activity(activity) => show_activity(conn, html, names, activity)?,
            Entry::Comment { id, author, text } => {
                html.markup("<div class=\"box\"><div class=\"soft\">Comment by <bdi>")
                    .text(&names.of(*author))
                    .markup("</bdi>, ")
                    .text(&moment::show(*at))
                    .markup("</div>");
                show_text(html, text);
                show_files(conn, html, None, Some(*id))?;
                html.markup("</div>");
            }
        }
    }
    Ok(())
}

fn show_activity(
    conn: &Connection,
    html: &mut Html,
    names: &Names,
    activity: &Activity,
) -> rusqlite::Result<()> {
    let sent: bool = conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM sent_mail WHERE activity_id = ?1) AS sent")?
        .query_row(params![activity.id], |row| row.get("sent"))?;
    let (class, what) = match (activity.type_id, activity.direction) {
        (EMAIL, OUTGOING) => ("out", "Outgoing mail"),
        (EMAIL, _) => ("in", "Incoming mail"),
        _ if activity.provider_id == TODO => ("", "To-do"),
        _ => ("", "Task"),
    };
    html.markup("<div class=\"box mail ").markup(class);
    if sent {
        html.markup(" sent");
    }
    html.markup("\">");
    if sent {
        html.markup("<p class=\"warn\">A real portal would have sent this mail to the client once more.</p>");
    }
    html.markup("<div class=\"top\"><div><div class=\"soft\">")
        .markup(what)
        .markup(" ")
        .number(activity.id)
        .markup("</div><h2><bdi>")
        .text(&emoji::decode(&activity.subject))
        .markup("</bdi></h2></div>");
    if activity.completed {
        html.markup("<span class=\"pill done\">completed</span>");
    } else if activity.deadline_at >= moment::FAR_FUTURE {
        html.markup("<span class=\"pill open\">open</span>");
    } else {
        html.markup("<span class=\"pill open\">open until ")
            .text(&moment::show(activity.deadline_at))
            .markup("</span>");
    }
    html.markup("</div><dl>");
    let meta = from_json(&activity.settings).get("EMAIL_META").clone();
    for (name, key) in
        [("From", "from"), ("Reply to", "replyTo"), ("To", "to"), ("Cc", "cc"), ("Bcc", "bcc")]
    {
        fact(html, name, &meta.get(key).text());
    }
    let parties = activity.parties(conn)?;
    let parties: Vec<&str> = parties.iter().map(|(_, party)| party.value.as_str()).collect();
    fact(html, "Parties", &parties.join(", "));
    fact(html, "Responsible", &names.of(activity.responsible));
    fact(html, "Filed by", &names.of(activity.author));
    if let Some(at) = activity.starts_at.filter(|_| activity.type_id == EMAIL) {
        fact(html, "Time of the mail", &moment::show(at));
    }
    fact(html, "Recorded here", &moment::show(activity.created_at));
    if let Some(at) = activity.completed_at {
        fact(html, "Completed", &moment::show(at));
    }
    html.markup("<dt>On cards</dt><dd>");
    for (kind, id) in activity.bindings(conn)? {
        linked(conn, html, kind, id)?;
    }
    html.markup("</dd></dl>");
    show_text(html, &activity.text(conn)?);
    show_files(conn, html, Some(activity.id), None)?;
    html.markup("</div>");
    Ok(())
}

fn show_text(html: &mut Html, text: &str) {
    if text.trim().is_empty() {
        return;
    }
    let long = text.chars().nth(FOLD_CHARS).is_some() || text.lines().nth(FOLD_LINES).is_some();
    if long {
        let beginning: String = text.chars().take(120).collect();
        html.markup("<details><summary><bdi>").text(&beginning).markup("…</bdi></summary>");
    }
    html.markup("<pre dir=\"auto\">").text(text).markup("</pre>");
    if long {
        html.markup("</details>");
    }
}

fn show_files(
    conn: &Connection,
    html: &mut Html,
    activity: Option<i64>,
    comment: Option<i64>,
) -> rusqlite::Result<()> {
    let mut query = conn.prepare_cached(
        "SELECT id, name, length(bytes) AS size FROM file
         WHERE activity_id = ?1 OR comment_id = ?2 ORDER BY id",
    )?;
    let files = query.query_map(params![activity, comment], |row| {
        Ok((row.get("id")?, row.get("name")?, row.get("size")?))
    })?;
    let files: Vec<(i64, String, i64)> = files.collect::<rusqlite::Result<_>>()?;
    if files.is_empty() {
        return Ok(());
    }
    html.markup("<ul class=\"files\">");
    for (id, name, size) in &files {
        html.markup("<li><a href=\"/file/")
            .number(*id)
            .markup("\"><bdi>")
            .text(name)
            .markup("</bdi></a> <span class=\"soft\">")
            .text(&size_text(*size))
            .markup("</span></li>");
    }
    html.markup("</ul>");
    Ok(())
}

fn size_text(bytes: i64) -> String {
    match bytes {
        ..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
