//! `mailcrm messages`: the ledger, newest first.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::print::{self, Out, cell, clean, minute};
use super::shown::Shown;
use super::{Filters, Messages, Trouble, load};
use crate::config::Config;
use crate::ledger::{Filter, Ledger, MessageView};
use crate::message::address::normalise;
use crate::rules::{Reason, State};

mod export;

use export::Export;

/// Messages read from the ledger at a time: a ledger may hold millions.
const PAGE: u64 = 500;
/// Messages shown to somebody who asked for no number and looks at a terminal.
const SCREEN: u64 = 50;

pub(super) async fn messages(path: &Path, asked: Messages, json: bool) -> Result<(), Trouble> {
    let config = load(path)?;
    let zone = config.daemon.zone();
    let mut filter = filter(&asked.filters, &zone)?;
    let ledger = Ledger::open_read_only(&config.ledger.path)?;
    if let Some(name) = &asked.filters.mailbox {
        known_mailbox(&ledger, &config, name).await?;
    }
    let mut out = print::standard();
    let mut left = match asked.limit {
        Some(limit) => limit,
        None if out.is_terminal() && !json => SCREEN,
        None => u64::MAX,
    };
    let mut columns: Option<Columns> = None;
    let mut export = match &asked.export {
        Some(folder) => {
            let export = Export::into(&ledger, &config, folder);
            let shown = folder.display();
            Some(export.map_err(|error| Trouble::Failed(format!("cannot make {shown}: {error}")))?)
        }
        None => None,
    };
    while left > 0 && !out.is_closed() {
        filter.limit = Some(left.min(PAGE));
        let page = ledger.messages(filter.clone()).await?;
        let Some(last) = page.last().map(|view| view.id) else { break };
        left = left.saturating_sub(page.len() as u64);
        filter.before = Some(last);
        if let Some(export) = &mut export {
            for view in &page {
                export.one(view).await;
            }
            export.pause();
        }
        if json {
            for view in page {
                out.json(&Shown::new(view, &zone))?;
            }
        } else {
            let rows: Vec<Row> = page.iter().map(Row::new).collect();
            if columns.is_none() {
                columns = Some(begin(&mut out, &rows)?);
            }
            for row in &rows {
                if let Some(columns) = &columns {
                    out.line(&columns.line(row))?;
                }
            }
        }
    }
    if columns.is_none() && !json {
        begin(&mut out, &[])?;
    }
    out.flush()?;
    let failed = match export {
        Some(export) => {
            let failed = export.failed;
            let written = export.written;
            let messages = if written == 1 { "message" } else { "messages" };
            eprintln!("mailcrm: {written} {messages} exported");
            export.close().await;
            failed
        }
        None => 0,
    };
    if failed > 0 { Err(Trouble::Told) } else { Ok(()) }
}

fn begin<W: std::io::Write>(out: &mut Out<W>, rows: &[Row]) -> Result<Columns, print::Error> {
    let columns = Columns::fitting(rows);
    out.line(&columns.line(&Row::heading()))?;
    Ok(columns)
}

/// The filter, without a limit.
pub(super) fn filter(asked: &Filters, zone: &TimeZone) -> Result<Filter, Trouble> {
    if let Some(state) = &asked.state
        && State::parse(state).is_none()
    {
        return Err(unknown("state", state, &State::ALL.map(State::as_str)));
    }
    if let Some(reason) = &asked.reason
        && Reason::parse(reason).is_none()
    {
        return Err(unknown("reason", reason, &Reason::ALL.map(Reason::code)));
    }
    let time = |key: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => match time(text, zone) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(Trouble::Usage(format!(
                "--{key} {text}: not a time; write 2024-05-02, 2024-05-02T10:15Z or \
                 2024-05-02T12:15:00+02:00"
            ))),
        },
    };
    let address = match &asked.address {
        None => None,
        Some(written) => Some(
            normalise(written)
                .ok_or_else(|| Trouble::Usage(format!("--address {written}: not an address")))?,
        ),
    };
    Ok(Filter {
        mailbox: asked.mailbox.clone(),
        state: asked.state.clone(),
        reason: asked.reason.clone(),
        since: time("since", &asked.since)?,
        until: time("until", &asked.until)?,
        address,
        limit: None,
        before: None,
    })
}

fn unknown(what: &str, written: &str, known: &[&str]) -> Trouble {
    Trouble::Failed(format!("no {what} {written}; known: {}", known.join(", ")))
}

/// A mailbox that was removed from the configuration still has its messages.
pub(super) async fn known_mailbox(
    ledger: &Ledger,
    config: &Config,
    name: &str,
) -> Result<(), Trouble> {
    let mut known: Vec<String> =
        config.mailboxes.iter().map(|mailbox| mailbox.name.clone()).collect();
    known.extend(ledger.mailboxes().await?.into_iter().map(|mailbox| mailbox.name));
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    known.sort();
    known.dedup();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(unknown("mailbox", name, &known))
}

/// Unix seconds of a time with an offset, or of a day or time in the configured zone.
fn time(text: &str, zone: &TimeZone) -> Option<i64> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_second());
    }
    // `2024-05-02T10:15Z` as a day would be read in the wrong zone: a date stands alone.
    let local = if text.contains([':', 'T', 't', ' ']) {
        text.parse::<DateTime>().ok()?
    } else {
        text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())
    };
    Some(zone.to_timestamp(local).ok()?.as_second())
}

/// One message in columns that `awk` can cut; the subject is the last, for it has blanks.
struct Row([String; 7]);

impl Row {
    fn heading() -> Row {
        let names = ["ID", "RECEIVED", "MAILBOX", "STATE", "REASON", "FROM", "SUBJECT"];
        Row(names.map(str::to_owned))
    }

    fn new(view: &MessageView) -> Row {
        let mailbox = view.places.first().map(|place| place.mailbox.as_str());
        Row([
            view.id.to_string(),
            minute(view.received_at),
            cell(mailbox.unwrap_or_default()),
            cell(&view.state),
            cell(view.reason.as_deref().unwrap_or_default()),
            cell(view.from.as_deref().unwrap_or_default()),
            clean(&view.subject),
        ])
    }
}

/// Widths in characters, of the first page; a later cell that is wider moves its own line only.
struct Columns([usize; 7]);

impl Columns {
    fn fitting(rows: &[Row]) -> Columns {
        let mut widths = [0; 7];
        for row in rows.iter().chain([&Row::heading()]) {
            for (width, text) in widths.iter_mut().zip(&row.0) {
                *width = text.chars().count().max(*width);
            }
        }
        Columns(widths)
    }

    fn line(&self, row: &Row) -> String {
        let mut line = String::new();
        for (column, (width, text)) in self.0.iter().zip(&row.0).enumerate() {
            match column {
                0 => line.push_str(&format!("{text:>width$}")),
                6 => line.push_str(&format!("  {text}")),
                _ => line.push_str(&format!("  {text:<width$}")),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::shown::full_view;
    use super::*;

    fn asked() -> Filters {
        Filters {
            mailbox: None,
            state: None,
            reason: None,
            since: None,
            until: None,
            address: None,
        }
    }

    #[test]
    fn columns_can_be_cut_whatever_a_mail_says() {
        let views = [
            full_view(),
            MessageView {
                id: 9,
                subject: "Lunch?\u{1b}[2J\n".to_owned(),
                from: Some("\"a b\"@client.example".to_owned()),
                state: "skipped".to_owned(),
                reason: Some("internal".to_owned()),
                ..full_view()
            },
            MessageView { from: None, places: Vec::new(), subject: String::new(), ..full_view() },
        ];
        let rows: Vec<Row> = views.iter().map(Row::new).collect();
        let columns = Columns::fitting(&rows);
        let mut lines = vec![columns.line(&Row::heading())];
        lines.extend(rows.iter().map(|row| columns.line(row)));
        #[rustfmt::skip]
        let wanted = [
            "  ID  RECEIVED           MAILBOX  STATE    REASON    FROM                  SUBJECT",
            "4712  2024-05-02T10:15Z  sales    saved    -         ana@client.example    Price list",
            "   9  2024-05-02T10:15Z  sales    skipped  internal  \"a_b\"@client.example  Lunch? [2J",
            "4712  2024-05-02T10:15Z  -        saved    -         -",
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn times_are_read_with_their_offset_or_in_the_configured_zone() {
        let madrid = TimeZone::get("Europe/Madrid").unwrap();
        #[rustfmt::skip]
        let cases = [
            ("as printed",        "2024-05-02T10:15Z",              Some(1_714_644_900)),
            ("with seconds",      "2024-05-02T10:15:30Z",           Some(1_714_644_930)),
            ("with an offset",    "2024-05-02T12:15:00+02:00",      Some(1_714_644_900)),
            ("local time",        "2024-05-02T12:15",               Some(1_714_644_900)),
            ("local with a blank", "2024-05-02 12:15:00",           Some(1_714_644_900)),
            ("a day",             "2024-05-02",                     Some(1_714_600_800)),
            ("no such day",       "2024-02-31",                     None),
            ("words",             "yesterday",                      None),
            ("empty",             "",                               None),
        ];
        for (name, text, seconds) in cases {
            assert_eq!(time(text, &madrid), seconds, "{name}");
        }
    }

    #[test]
    fn unknown_words_are_answered_with_the_known_ones() {
        let set = |set: fn(&mut Filters)| {
            let mut asked = asked();
            set(&mut asked);
            filter(&asked, &TimeZone::UTC)
        };
        let cases: [(&str, Result<Filter, Trouble>, &str); 2] = [
            (
                "state",
                set(|asked| asked.state = Some("filed".to_owned())),
                "queued, saved, skipped",
            ),
            ("reason", set(|asked| asked.reason = Some("spam".to_owned())), "spam-folder, trash"),
        ];
        for (name, outcome, words) in cases {
            let Err(Trouble::Failed(text)) = outcome else { panic!("{name}") };
            assert!(text.contains(words), "{text}");
        }
        let wrong = [
            set(|asked| asked.since = Some("soon".to_owned())),
            set(|asked| asked.address = Some("nobody".to_owned())),
        ];
        for outcome in wrong {
            assert!(matches!(outcome, Err(Trouble::Usage(_))));
        }
    }

    #[test]
    fn addresses_are_compared_in_their_normal_form() {
        let asked = Filters { address: Some("Ana@Client.EXAMPLE".to_owned()), ..asked() };
        let filter = filter(&asked, &TimeZone::UTC);
        assert_eq!(filter.ok().unwrap().address.unwrap(), "ana@client.example");
    }
}
