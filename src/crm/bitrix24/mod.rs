//! Bitrix24 over its REST API with an inbound webhook.
//!
//! Requests are written in `calls`, `cards`, `multifields`, `batch` and `limits`, answers read in `answers`, failures sorted in
//! `classify`, all pure. `http` sends, `bucket` slows down, `gate` looks at each request once more, `lookups` puts
//! questions together, `own` finds what was made here, `todos` is all about to-dos.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde_json::Value;

use crate::card::{CardNow, CardRef, Employee, Known};
use crate::crm::{
    ActivityCards, ActivityContent, ActivityDraft, ActivityNow, CardDraft, ContactFacts, Crm,
    Failure, Fate, Found, Made, OriginId, OwnMade, TodoDraft,
};

mod answers;
mod batch;
mod bucket;
mod calls;
mod cards;
mod classify;
mod gate;
mod http;
mod limits;
mod lookups;
mod multifields;
mod own;
mod todos;
#[cfg(test)]
mod wire_tests;

use classify::Effect;
use http::{Timeouts, Wire};

/// Pages of employees that are read at most: a portal that never ends its list ends here.
const MOST_PAGES: u64 = 2_000;

/// How to reach a portal.
#[derive(Clone)]
pub struct Options {
    /// `https://HOST/rest/ID/SECRET/`: a secret. Plain HTTP for loopback hosts only.
    pub url: String,
    /// `ORIGINATOR_ID` of everything made here.
    pub originator: String,
    /// What leaks out of the portal's bucket; above zero.
    pub requests_per_second: f64,
    /// What the bucket holds; above zero.
    pub burst: u32,
    /// The portal's database holds every character of Unicode; old on-premise ones do not.
    pub edition_cloud: bool,
    /// How much of the burst is assumed spent at start, as after a restart.
    pub spent: u32,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("url", &"***")
            .field("originator", &self.originator)
            .field("requests_per_second", &self.requests_per_second)
            .field("burst", &self.burst)
            .field("edition_cloud", &self.edition_cloud)
            .field("spent", &self.spent)
            .finish()
    }
}

/// Why a portal cannot be used as configured. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the webhook's address is not usable: {0}")]
    Url(&'static str),
    #[error("requests per second and burst must be above zero")]
    Rate,
    #[error("cannot set up HTTPS")]
    Client(#[source] reqwest::Error),
}

/// One portal, with the rights of the webhook's employee.
pub struct Portal {
    wire: Wire,
    originator: String,
    cloud: bool,
}

impl std::fmt::Debug for Portal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Portal({})", self.wire.host_and_port())
    }
}

impl Portal {
    /// Checks the options; connects with the first call only.
    ///
    /// # Errors
    /// If the webhook's address or the rate is not usable, or the system's certificates cannot be read.
    pub fn new(options: Options) -> Result<Portal, Error> {
        Portal::with_timeouts(options, Timeouts::default())
    }

    fn with_timeouts(options: Options, timeouts: Timeouts) -> Result<Portal, Error> {
        let wire = Wire::new(&options, timeouts)?;
        Ok(Portal { wire, originator: options.originator, cloud: options.edition_cloud })
    }

    /// Host and port as configured, also after the portal was renamed: what a ledger belongs to.
    pub fn host_and_port(&self) -> String {
        self.wire.host_and_port().to_owned()
    }

    /// Host and port under which the portal answers since it was renamed, as soon as it was.
    pub fn renamed(&self) -> tokio::sync::watch::Receiver<Option<String>> {
        self.wire.renamed()
    }

    /// HTTP requests sent so far, redirects and repetitions among them.
    pub fn requests(&self) -> u64 {
        self.wire.requests()
    }

    /// Calls a method by name and returns its `result`; for `check` and the like.
    ///
    /// Methods that send mail, and batches that do more than ask, are refused here.
    pub async fn raw_call(&self, method: &str, params: Value) -> Result<Value, Failure> {
        let effect = if gate::only_asks(method) { Effect::Reads } else { Effect::Writes };
        self.call((method, params), effect).await
    }

    async fn call(&self, call: (&str, Value), effect: Effect) -> Result<Value, Failure> {
        let (method, body) = call;
        let body = Bytes::from(body.to_string());
        let mut envelope = self.wire.call(method, body, effect, &[]).await?;
        Ok(envelope.get_mut("result").map(Value::take).unwrap_or_default())
    }

    /// A change that was made is answered with `true`; anything that PHP takes for it will do.
    fn done(&self, method: &str, effect: Effect, result: Option<&Value>) -> Result<(), Failure> {
        let said = result.filter(|result| !result.is_null() && **result != Value::Bool(false));
        self.understood(method, effect, said.map(|_| ()))
    }

    /// Makes sense of a result, or says that it made none.
    fn understood<T>(&self, method: &str, effect: Effect, read: Option<T>) -> Result<T, Failure> {
        read.ok_or_else(|| self.wire.not_understood(method, effect))
    }
}

/// Whether this portal does not have the method at all.
fn is_missing(failure: &Failure) -> bool {
    matches!(failure.code.as_str(), "ERROR_METHOD_NOT_FOUND" | "WRONG_LICENSE")
}

impl Crm for Portal {
    fn answers(&self) -> u64 {
        self.wire.answers()
    }

    async fn employees(&self) -> Result<Vec<Employee>, Failure> {
        let mut all: BTreeMap<u64, Employee> = BTreeMap::new();
        let mut start = 0;
        for _ in 0..MOST_PAGES {
            let (method, body) = calls::employees(start);
            let body = Bytes::from(body.to_string());
            let envelope = self.wire.call(method, body, Effect::Reads, &[]).await?;
            let page = envelope.get("result").and_then(answers::employees);
            let page = self.understood(method, Effect::Reads, page)?;
            all.extend(page.into_iter().map(|employee| (employee.id, employee)));
            match envelope.get("next").and_then(answers::number) {
                Some(next) if next > start => start = next,
                Some(_) | None => break,
            }
        }
        Ok(all.into_values().collect())
    }

    async fn has_leads(&self) -> Result<bool, Failure> {
        let method = "crm.settings.mode.get";
        let mode = match self.call((method, Value::Object(Default::default())), Effect::Reads).await
        {
            // A portal that is too old for the question is too old for the simple mode.
            Err(failure) if failure.code == "ERROR_METHOD_NOT_FOUND" => return Ok(true),
            other => other?,
        };
        let leads = match answers::number(&mode) {
            Some(1) => Some(true),
            Some(2) => Some(false),
            Some(_) | None => None,
        };
        self.understood(method, Effect::Reads, leads)
    }

    async fn me(&self) -> Result<u64, Failure> {
        let method = "profile";
        let profile = self.call((method, Value::Object(Default::default())), Effect::Reads).await?;
        let me = profile.get("ID").and_then(answers::number);
        self.understood(method, Effect::Reads, me)
    }

    async fn know(&self, addresses: &[String]) -> Result<HashMap<String, Known>, Failure> {
        lookups::know(self, addresses).await
    }

    async fn cards(&self, cards: &[CardRef]) -> Result<Vec<CardNow>, Failure> {
        lookups::cards(self, cards).await
    }

    async fn find_made(&self, wanted: &[(Made, OriginId)]) -> Result<Vec<Option<Found>>, Failure> {
        own::find_made(self, wanted).await
    }

    async fn activities(&self, activities: &[u64]) -> Result<Vec<Option<ActivityNow>>, Failure> {
        lookups::activities(self, activities).await
    }

    async fn ours(&self, kind: Made, after: u64) -> Result<Vec<OwnMade>, Failure> {
        own::ours(self, kind, after).await
    }

    fn can_bear(&self, email: &str) -> bool {
        limits::fits_multifield(email)
    }

    async fn complete_contact(
        &self,
        contact: u64,
        facts: &ContactFacts,
    ) -> Result<Vec<String>, Failure> {
        let row = lookups::contact(self, contact).await?;
        let Some((call, added)) = cards::complete_contact(contact, &row, facts, self.cloud) else {
            return Ok(Vec::new());
        };
        let method = call.0;
        let result = self.call(call, Effect::WritesToCard).await?;
        self.done(method, Effect::WritesToCard, Some(&result))?;
        Ok(added)
    }

    async fn make_card(&self, draft: &CardDraft) -> Result<u64, Failure> {
        let effect = if draft.client.is_some() { Effect::WritesToCard } else { Effect::Writes };
        let call = cards::make_card(draft, &self.originator, self.cloud);
        let method = call.0;
        let result = self.call(call, effect).await?;
        self.understood(method, effect, answers::made_card(&result))
    }

    async fn add_activity(&self, draft: &ActivityDraft) -> Result<u64, Failure> {
        let call = calls::add_activity(draft, &self.originator);
        let method = call.0;
        let result = self.call(call, Effect::WritesToCard).await?;
        self.understood(method, Effect::WritesToCard, answers::number(&result))
    }

    async fn write_activity(
        &self,
        activity: u64,
        content: &ActivityContent,
    ) -> Result<(), Failure> {
        let (method, body) = calls::write_activity(activity, content);
        // An activity goes with its card.
        let effect = Effect::WritesToCard;
        let envelope = self.wire.call(method, Bytes::from(body), effect, &[]).await?;
        self.done(method, effect, envelope.get("result"))
    }

    async fn add_todo(&self, draft: &TodoDraft) -> Result<u64, Failure> {
        let call = todos::add(draft, &self.originator);
        let method = call.0;
        match self.call(call, Effect::WritesToCard).await {
            // The activity was made before: what is missing is missing for to-dos alone.
            Err(failure) if classify::is_about_method(&failure.code) => {
                Err(Failure { fate: Fate::Refused, ..failure })
            }
            other => self.understood(method, Effect::WritesToCard, answers::made_todo(&other?)),
        }
    }

    async fn complete_activity(&self, activity: u64) -> Result<(), Failure> {
        let call = calls::complete_activity(activity);
        let method = call.0;
        let result = self.call(call, Effect::Writes).await?;
        self.done(method, Effect::Writes, Some(&result))
    }

    async fn activity_cards(&self, activity: u64) -> Result<Option<ActivityCards>, Failure> {
        let call = calls::activity(activity);
        let method = call.0;
        let rows = answers::activity_rows(&self.call(call, Effect::Reads).await?);
        let rows = self.understood(method, Effect::Reads, rows)?;
        let Some(row) = rows.into_iter().find(|row| row.id == activity) else { return Ok(None) };
        let call = calls::bindings(activity);
        let method = call.0;
        let bound = match self.call(call, Effect::Reads).await {
            Ok(bound) => self.understood(method, Effect::Reads, answers::bindings(&bound))?,
            // Old on-premise portals have no bindings, and an activity may hang on a card that may
            // not be read: the owner is all there is.
            Err(failure)
                if is_missing(&failure)
                    || classify::is_access_denied(&failure.code, &failure.text) =>
            {
                Vec::new()
            }
            Err(failure) => return Err(failure),
        };
        let mut cards: Vec<CardRef> = row.owner.into_iter().collect();
        cards.extend(bound.into_iter().filter(|card| Some(*card) != row.owner));
        Ok(Some(ActivityCards { cards, responsible: row.responsible }))
    }

    async fn bind_activity(&self, activity: u64, card: CardRef) -> Result<(), Failure> {
        match self.call(calls::bind_activity(activity, card), Effect::WritesToCard).await {
            // An earlier call whose answer was lost.
            Err(failure) if failure.code == "ACTIVITY_IS_ALREADY_BOUND" => Ok(()),
            // An old portal, or a plan without it, says nothing about any other call.
            Err(failure) if is_missing(&failure) => Err(Failure { fate: Fate::Refused, ..failure }),
            other => self.done("crm.activity.binding.add", Effect::WritesToCard, Some(&other?)),
        }
    }
}
