//! `mailcrm redecide`: decides messages again under today's configuration.

use std::path::Path;

use super::print::{self, Out, cell, clean};
use super::progress::Progress;
use super::run::of_this_crm;
use super::{Redecide, Trouble, load, messages};
use crate::config::Config;
use crate::control::{self, Answer, Request};
use crate::ledger::{Filter, Ledger};
use crate::redecide::{Redecided, Told, redecide as decide};
use crate::rules::State;

pub(super) async fn redecide(path: &Path, asked: Redecide, json: bool) -> Result<(), Trouble> {
    let config = load(path)?;
    let filter = messages::filter(&asked.filters, &config.daemon.zone())?;
    let looking = Ledger::open_read_only(&config.ledger.path)?;
    if let Some(name) = &asked.filters.mailbox {
        messages::known_mailbox(&looking, &config, name).await?;
    }
    let mut shown = Shown { out: print::standard(), json, all: 0, change: 0, troubles: 0 };
    let progress = Progress::new();
    let done = if asked.dry_run {
        decide(&looking, &config, filter, true, |told| shown.told(told, &progress))
            .await
            .map_err(Trouble::from)
    } else {
        drop(looking);
        change(path, &config, filter, &mut shown, &progress).await
    };
    progress.end();
    // Where nothing was begun there is nothing to sum up.
    if done.is_ok() || shown.all > 0 {
        shown.end(asked.dry_run)?;
    }
    done?;
    if shown.troubles > 0 { Err(Trouble::Told) } else { Ok(()) }
}

/// Through the running daemon; without one on the ledger itself.
async fn change(
    path: &Path,
    config: &Config,
    filter: Filter,
    shown: &mut Shown,
    progress: &Progress,
) -> Result<(), Trouble> {
    let request = Request::Redecide { filter: filter.clone() };
    let (socket, ledger) = (&config.daemon.socket, &config.ledger.path);
    let answered = control::ask(socket, ledger, request, |answer| match answer {
        Answer::Line(line, changed) => {
            if let Ok(one) = serde_json::from_value(line) {
                shown.told(Told::One(one, changed), progress);
            }
        }
        Answer::Progress(done, all) => shown.told(Told::Progress(done, all), progress),
        Answer::Trouble(text) => shown.told(Told::Trouble(text), progress),
        Answer::End { .. } => {}
    });
    if let Some((code, text)) = answered.await? {
        return if code == 0 { Ok(()) } else { Err(Trouble::Failed(text)) };
    }
    let ledger = Ledger::open(&config.ledger.path, config.ledger.spool_max)?;
    of_this_crm(path, config, &ledger).await?;
    let done = decide(&ledger, config, filter, false, |told| shown.told(told, progress)).await;
    ledger.close().await;
    Ok(done?)
}

/// What is printed, and counted for the last line.
struct Shown {
    out: Out<std::io::Stdout>,
    json: bool,
    all: u64,
    change: u64,
    troubles: u64,
}

impl Shown {
    fn told(&mut self, told: Told, progress: &Progress) {
        match told {
            Told::One(one, changes) => {
                self.all += 1;
                self.change += u64::from(changes);
                // What cannot be written is found again at the end.
                drop(self.one(&one, changes, progress));
            }
            Told::Progress(done, all) => progress.of(done, all),
            Told::Trouble(text) => {
                self.troubles += 1;
                progress.say(&clean(&text));
            }
        }
    }

    fn one(
        &mut self,
        one: &Redecided,
        changes: bool,
        progress: &Progress,
    ) -> Result<(), print::Error> {
        if self.json {
            progress.end();
            return self.out.json(one);
        }
        if !changes {
            return Ok(());
        }
        progress.end();
        if self.change == 1 {
            self.out.line(&line("ID", "BEFORE", "AFTER", "REASON"))?;
        }
        let reason = cell(one.reason.as_deref().unwrap_or_default());
        let (before, after) = (one.before.as_str(), one.after.as_str());
        self.out.line(&line(&one.id.to_string(), before, after, &reason))
    }

    fn end(&mut self, dry: bool) -> Result<(), print::Error> {
        if !self.json {
            let (all, change) = (self.all, self.change);
            self.out.line(&summary(all, change, dry))?;
        }
        self.out.flush()
    }
}

fn summary(all: u64, change: u64, dry: bool) -> String {
    let messages = if all == 1 { "message" } else { "messages" };
    let changed = if dry { "would change" } else { "changed" };
    format!("{all} {messages} decided again, {change} {changed}")
}

fn line(id: &str, before: &str, after: &str, reason: &str) -> String {
    let width = State::ALL.iter().map(|state| state.as_str().len()).max().unwrap_or_default();
    format!("{id:>9}  {before:<width$}  {after:<width$}  {reason}").trim_end().to_owned()
}
