//! `mailcrm run`: the daemon.

use std::path::Path;

use super::{Trouble, load};
use crate::config::Mistake;
use crate::daemon::{self, Error};
use crate::ledger;

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
