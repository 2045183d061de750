//! `mailcrm explain`: why a message is where it is, or where a file would go.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::shown::Shown;
use super::{Explain, Trouble, load, named, print};
use crate::config::Config;
use crate::ledger::{self, Ledger};
use crate::unix_now;

mod crm;
mod file;
mod server;
mod told;

use server::Looked;
use told::Surroundings;

pub(super) async fn explain(path: &Path, asked: Explain, json: bool) -> Result<(), Trouble> {
    let config = load(path)?;
    match (asked.file, asked.message, asked.mailbox) {
        (Some(file), _, Some(mailbox)) => {
            file::explain(&config, &file, &mailbox, &asked.folder, json).await
        }
        (None, Some(message), _) => known(&config, &message, json).await,
        (Some(_), _, None) | (None, None, _) => {
            Err(Trouble::Usage("name a message, or a file with its mailbox".to_owned()))
        }
    }
}

async fn known(config: &Config, written: &str, json: bool) -> Result<(), Trouble> {
    let ledger = Ledger::open_read_only(&config.ledger.path)?;
    let mut mailboxes: BTreeSet<String> =
        config.mailboxes.iter().map(|mailbox| mailbox.name.clone()).collect();
    mailboxes.extend(ledger.mailboxes().await?.into_iter().map(|mailbox| mailbox.name));
    let named = named::parse(written, |name| mailboxes.contains(name));
    let mut views = match &named {
        Some(named) => ledger.find(named.clone()).await?,
        None => Vec::new(),
    };
    if let (true, Some(named)) = (views.is_empty(), &named) {
        match server::look(config, &ledger, named).await? {
            Looked::Known(place) => views = ledger.find(place).await?,
            Looked::Found(unseen) => {
                let mut out = print::standard();
                let zone = config.daemon.zone();
                if json {
                    out.json(&unseen.shown(&zone))?;
                } else {
                    for line in unseen.lines(&zone) {
                        out.line(&line)?;
                    }
                }
                return Ok(out.flush()?);
            }
            Looked::Nowhere(troubles) => {
                for trouble in troubles {
                    eprintln!("mailcrm: {}", print::clean(&trouble));
                }
            }
        }
    }
    if views.is_empty() {
        let text = named::not_found(&ledger, config, written, named.as_ref()).await?;
        return Err(Trouble::Failed(print::clean(&text)));
    }
    let surroundings = surroundings(&ledger, config).await?;
    let mut out = print::standard();
    for (index, view) in views.into_iter().enumerate() {
        if json {
            let why = told::why(&view, &surroundings);
            let mut shown = Shown::new(view, &surroundings.zone);
            shown.add_why(&why);
            out.json(&shown)?;
            continue;
        }
        if index > 0 {
            out.line("")?;
        }
        for line in told::lines(&view, &surroundings) {
            out.line(&line)?;
        }
    }
    Ok(out.flush()?)
}

async fn surroundings(ledger: &Ledger, config: &Config) -> Result<Surroundings, ledger::Error> {
    let names: HashMap<u64, String> =
        ledger.employees().await?.into_iter().map(|one| (one.id, one.name)).collect();
    Ok(Surroundings {
        zone: config.daemon.zone(),
        now: unix_now(),
        employees: names,
        daemon: Ledger::writer(ledger.path()).is_some(),
        crm_state: ledger.meta("crm_state").await?,
        spam_is_inbox: config
            .mailboxes
            .iter()
            .filter(|mailbox| mailbox.folders.spam_is_inbox())
            .map(|mailbox| mailbox.name.clone())
            .collect(),
    })
}
