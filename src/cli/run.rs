//! `mailcrm run`: the daemon.

use std::path::Path;

use super::{Trouble, load};
use crate::config::{Config, Mistake};
use crate::daemon::{self, Error};
use crate::ledger::{self, Ledger};

pub(super) async fn run(path: &Path) -> Result<(), Trouble> {
    let config = load(path)?;
    let ledger = config.ledger.path.display().to_string();
    match daemon::run(path.to_owned(), config, std::future::pending()).await {
        Ok(()) => Ok(()),
        // A ledger of another CRM is a mistake in the configuration (product: One ledger, one CRM).
        Err(Error::Ledger(ledger::Error::OtherCrm { ledger: owner, configured, .. })) => {
            Err(Trouble::Configuration(vec![other_crm(path, &ledger, &owner, &configured)]))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn other_crm(path: &Path, ledger: &str, owner: &str, configured: &str) -> Mistake {
    Mistake {
        file: path.display().to_string(),
        key: "ledger.path".to_owned(),
        value: ledger.to_owned(),
        reason: format!("this ledger belongs to {owner}, the configuration names {configured}"),
        mend: "set another ledger.path for the other CRM".to_owned(),
    }
}

/// Makes sure that a ledger belongs to the configured CRM before a command writes to it.
pub(super) async fn of_this_crm(
    path: &Path,
    config: &Config,
    ledger: &Ledger,
) -> Result<(), Trouble> {
    match ledger.bind_crm(config.crm_identity()).await {
        Err(ledger::Error::OtherCrm { ledger: owner, configured, .. }) => {
            let shown = config.ledger.path.display().to_string();
            let mistake = other_crm(path, &shown, &owner, &configured);
            Err(Trouble::Configuration(vec![mistake]))
        }
        other => Ok(other?),
    }
}
