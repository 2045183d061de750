//! Where a mail of a file would go, as the CRM says today.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::named::known_id;
use super::super::{SANDBOX_NOT_STARTED, sandbox_not_started};
use crate::config::{Config, Mailbox};
use crate::crm::bitrix24::Portal;
use crate::daemon::{crm_access, with_sandbox};
use crate::filing::FiledMailbox;
use crate::filing::simulate::{self, Letter, Outcome, Simulation};
use crate::ledger::Ledger;
use crate::message::{Message, VCard};
use crate::rules::admit::Admitted;

/// How long a CRM that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A mail that was admitted.
pub(super) struct Mail<'a> {
    pub message: &'a Message,
    pub admitted: &'a Admitted,
    pub codes: Vec<u64>,
    pub refs: Vec<String>,
    pub vcards: Vec<VCard>,
}

/// What the CRM said.
pub(super) struct Asked {
    pub outcome: Outcome,
    /// Names of its employees, by number.
    pub employees: HashMap<u64, String>,
}

/// Asks the CRM where the mail would go; nothing is written there or here.
///
/// # Errors
/// Why it could not be asked.
pub(super) async fn ask(
    config: &Config,
    mailbox: &Mailbox,
    ledger: Option<&Ledger>,
    mail: Mail<'_>,
) -> Result<Asked, String> {
    if sandbox_not_started(config) {
        return Err(SANDBOX_NOT_STARTED.to_owned());
    }
    let told = |error: &dyn std::error::Error| crate::causes(error);
    let access = crm_access(config).await.map_err(|error| told(&error))?;
    let portal = Portal::new(access.options).map_err(|error| told(&error))?;
    let id = match ledger {
        Some(ledger) => known_id(ledger, mailbox).await.map_err(|error| told(&error))?,
        None => None,
    };
    let letter = Letter {
        mailbox: FiledMailbox {
            config: Arc::new(mailbox.clone()),
            rules: Arc::new(mailbox.rules(&config.own_addresses())),
        },
        id,
        message: mail.message.clone(),
        admitted: mail.admitted.clone(),
        codes: mail.codes,
        refs: mail.refs,
        vcards: mail.vcards,
    };
    let work = async {
        let mut simulation =
            Simulation::new(&portal, ledger, false).await.map_err(|error| told(&error))?;
        let outcomes =
            simulation.file(vec![letter], |_| {}).await.map_err(|error| match error {
                // That it cannot be asked is said where this is told.
                simulate::Error::Crm(failure) => told(&failure),
                simulate::Error::Ledger(error) => told(&error),
            })?;
        let outcome = outcomes.into_iter().next();
        let outcome = outcome.ok_or_else(|| "nothing was decided".to_owned())?;
        Ok(Asked { outcome, employees: simulation.employees().clone() })
    };
    let asked = with_sandbox(access.sandbox, tokio::time::timeout(PATIENCE, work)).await;
    asked.unwrap_or_else(|_| Err("the CRM does not answer".to_owned()))
}
