//! Cards in the CRM that bear our origin ids, against the ledger.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;

use super::super::progress::Progress;
use super::super::{SANDBOX_NOT_STARTED, Trouble, sandbox_not_started};
use crate::card::CardKind;
use crate::config::Config;
use crate::crm::bitrix24::Portal;
use crate::crm::{Crm, Failure, Made};
use crate::daemon::{crm_access, with_sandbox};
use crate::filing::content::{origin, origin_of_vcard};
use crate::filing::vcards;
use crate::ledger::Ledger;

/// How long a CRM that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// A running daemon files with the same webhook: it keeps nearly all that the portal lets through.
const SHARE: f64 = 0.1;
const BURST: u32 = 5;
/// Kinds of cards that are made for mail.
const KINDS: [CardKind; 3] = [CardKind::Lead, CardKind::Contact, CardKind::Deal];
/// Messages looked at together.
const FINGERPRINTS: u64 = 10_000;

/// A card of ours that this ledger does not know. The keys are public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct UnknownCard {
    #[serde(rename = "type")]
    pub kind: CardKind,
    pub id: u64,
    pub origin_id: String,
}

/// Cards that bear our originator and are not in the ledger; or why they were not compared.
pub(super) async fn unknown(
    config: &Config,
    ledger: &Ledger,
    progress: &Progress,
) -> Result<(Vec<UnknownCard>, Option<String>), Trouble> {
    if sandbox_not_started(config) {
        return Ok((Vec::new(), Some(SANDBOX_NOT_STARTED.to_owned())));
    }
    let mut access = crm_access(config).await?;
    if Ledger::writer(&config.ledger.path).is_some() {
        access.options.requests_per_second *= SHARE;
        access.options.burst = access.options.burst.min(BURST);
    }
    let patience = patience(access.options.requests_per_second);
    let portal = Portal::new(access.options)?;
    let work = async {
        let mut found = Vec::new();
        for kind in KINDS {
            let mut after = 0;
            loop {
                let page = match page(&portal, kind, after, patience).await {
                    Ok(page) => page,
                    Err(why) => return Ok((found, Some(why))),
                };
                let Some(last) = page.last().map(|card| card.id) else { break };
                after = last;
                progress.cards(page.len());
                let origins = page.iter().map(|card| card.origin_id.clone()).collect();
                let known = ledger.known_origins(origins).await?;
                let unknown = page.into_iter().zip(known).filter(|(_, known)| !known);
                found.extend(unknown.map(|(card, _)| card));
            }
        }
        Ok::<_, Trouble>((without_mail(ledger, found).await?, None))
    };
    with_sandbox(access.sandbox, work).await
}

/// Those that no filed mail of the ledger made: of mail that an earlier ledger filed only the
/// activity is looked up, and the origin ids of the cards follow from the mail.
async fn without_mail(
    ledger: &Ledger,
    found: Vec<UnknownCard>,
) -> Result<Vec<UnknownCard>, Trouble> {
    let mut left: HashSet<String> = found.iter().map(|card| card.origin_id.clone()).collect();
    let mut after = 0;
    while !left.is_empty() {
        let page = ledger.filed_fingerprints(after, FINGERPRINTS).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (_, fingerprint) in &page {
            let cards = KINDS.map(|kind| origin(Made::Card(kind), fingerprint));
            let of_vcards = (0..vcards::MOST).map(|card| origin_of_vcard(card, fingerprint));
            for origin in cards.into_iter().chain(of_vcards) {
                left.remove(&origin.0);
            }
        }
    }
    Ok(found.into_iter().filter(|card| left.contains(&card.origin_id)).collect())
}

/// How long one answer is waited for at this rate, which may make it wait for its turn first.
fn patience(requests_per_second: f64) -> Duration {
    let turn = Duration::try_from_secs_f64(2.0 / requests_per_second).unwrap_or_default();
    PATIENCE.saturating_add(turn)
}

async fn page(
    portal: &Portal,
    kind: CardKind,
    after: u64,
    patience: Duration,
) -> Result<Vec<UnknownCard>, String> {
    let asked = tokio::time::timeout(patience, portal.ours(Made::Card(kind), after)).await;
    let Ok(page) = asked else { return Err("the CRM does not answer".to_owned()) };
    let page = page.map_err(|failure: Failure| failure.to_string())?;
    let unknown = page.into_iter();
    Ok(unknown.map(|made| UnknownCard { kind, id: made.id, origin_id: made.origin }).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn sandbox_that_was_not_started_is_not_made_by_a_comparison() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailcrm.toml");
        let at = folder.path().join("ledger.sqlite");
        std::fs::write(&path, format!("[ledger]\npath = {at:?}\n")).unwrap();
        let config = crate::config::load(&path, std::iter::empty()).unwrap();
        let ledger = Ledger::open(&at, 1 << 20).unwrap();
        let Ok((cards, untold)) = unknown(&config, &ledger, &Progress::new()).await else {
            panic!("asked")
        };
        assert_eq!((cards, untold.as_deref()), (Vec::new(), Some(SANDBOX_NOT_STARTED)));
        assert!(!crate::daemon::sandbox_path(&at).exists());
    }

    #[test]
    fn answer_is_waited_for_as_long_as_its_turn_takes() {
        for (rate, seconds) in [(1000.0, 20), (0.2, 30), (0.001, 2020), (0.0, 20)] {
            assert_eq!(patience(rate).as_secs(), seconds, "{rate}");
        }
    }
}
