//! One entry from its place to its activity: each call noted before it is made, each answer
//! before the next.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use tokio::sync::Mutex;

use super::case::{Case, Mail, not_filed};
use super::content::{self, kinds, origin};
use super::{Directory, Filing, Knowledge, PARENT_WAIT, Step};
use crate::card::{CardKind, CardRef};
use crate::crm::{ActivityDraft, CardDraft, Crm, Failure, Fate, Found, Made, OriginId};
use crate::ledger::{self, Attempt, EntryAction, Outcome, Plan, Saved};
use crate::rules::place::{Placed, Placement, next_responsible};
use crate::rules::{Direction, Evidence};
use crate::{events, unix_now};

/// A call that did not work, and the thing it was for.
pub(super) struct Undone {
    pub kind: Option<&'static str>,
    pub failure: Failure,
}

/// Why a delivery stopped on its way.
pub(super) enum Stop {
    /// The CRM said something else than done.
    Undone(Undone),
    /// It ends, or waits, for a reason that is written down already.
    Step(Step),
    Ledger(ledger::Error),
}

impl From<ledger::Error> for Stop {
    fn from(error: ledger::Error) -> Stop {
        Stop::Ledger(error)
    }
}

impl<C: Crm> Filing<C> {
    /// Delivers one entry as far as it goes, and writes down how far that was.
    pub(super) async fn deliver(
        &self,
        directory: &Directory,
        knowledge: &Mutex<Knowledge>,
        mut case: Case,
    ) -> Result<Step, ledger::Error> {
        let done = match case.entry.action {
            EntryAction::File => self.file(directory, knowledge, &mut case).await,
            EntryAction::Complete => self.complete(&case).await,
            EntryAction::Link => self.link(&case).await,
        };
        match done {
            Ok(()) => {
                self.suspects.delivered(case.entry.id);
                self.losses.store(0, Ordering::Relaxed);
                Ok(Step::Done)
            }
            Err(Stop::Step(step)) => {
                if let Step::Done = step {
                    // It ended without a call; the CRM answered what was asked for it.
                    self.losses.store(0, Ordering::Relaxed);
                }
                Ok(step)
            }
            Err(Stop::Ledger(error)) => Err(error),
            Err(Stop::Undone(Undone { kind, failure })) => {
                self.failed(&case.entry, kind, failure).await
            }
        }
    }

    async fn complete(&self, case: &Case) -> Result<(), Stop> {
        const METHOD: &str = "crm.activity.update";
        let entry = &case.entry;
        let Some(activity) = entry.activity_id else {
            self.ledger.settle(entry.id, Outcome::Refused, Vec::new(), Vec::new(), None).await?;
            return Ok(());
        };
        let attempt = match self.crm.complete_activity(activity).await {
            Ok(()) => {
                events::delivered(entry.id, "complete", activity);
                delivered(entry.id, METHOD, "completed")
            }
            // Somebody removed the activity: there is nothing left to complete.
            Err(failure) => match failure.fate {
                Fate::Refused | Fate::CardGone => {
                    let text = format!("nothing to complete: {}", failure.text);
                    delivered(entry.id, METHOD, &text)
                }
                Fate::Deferred { .. } | Fate::Blocked { .. } => {
                    return Err(Stop::Undone(Undone { kind: None, failure }));
                }
            },
        };
        self.complete_todo(case).await?;
        self.ledger.completed(entry.id, attempt, unix_now()).await?;
        Ok(())
    }

    /// Fills in where the CRM filed a mail that it sent itself.
    async fn link(&self, case: &Case) -> Result<(), Stop> {
        const METHOD: &str = "crm.activity.list";
        let entry = &case.entry;
        let asked = match entry.activity_id {
            Some(activity) => self
                .crm
                .activity_cards(activity)
                .await
                .map_err(|failure| Stop::Undone(Undone { kind: None, failure }))?,
            None => None,
        };
        let (cards, responsible) =
            asked.map(|asked| (asked.cards, asked.responsible)).unwrap_or_default();
        let attempt = delivered(entry.id, METHOD, &format!("{} cards", cards.len()));
        self.ledger.linked(entry.id, cards, responsible, attempt).await?;
        Ok(())
    }

    async fn file(
        &self,
        directory: &Directory,
        knowledge: &Mutex<Knowledge>,
        case: &mut Case,
    ) -> Result<(), Stop> {
        self.wait_for_parent(knowledge, case).await?;
        self.adopt_activity(directory, knowledge, case).await?;
        let plan = match case.entry.plan.clone() {
            Some(plan) => plan,
            None => self.decide(directory, knowledge, case).await?,
        };
        let Some(mail) = &case.mail else { return Ok(()) };
        let made = self.make_cards(knowledge, case, mail, &plan).await?;
        let owner = plan
            .owner
            .or_else(|| {
                let kind = *plan.create.last()?;
                Some(CardRef { kind, id: *made.get(&kind)? })
            })
            .ok_or_else(|| Stop::Undone(without_owner()))?;
        let client = plan.client.or_else(|| {
            let id = *made.get(&CardKind::Contact)?;
            Some(CardRef { kind: CardKind::Contact, id })
        });
        let mut notes = Vec::new();
        let mut evidence = plan.evidence.clone();
        let activity =
            self.make_activity(knowledge, case, mail, &plan, owner, client, &mut notes).await?;
        let (attempt, completed) =
            self.write_content(directory, knowledge, case, mail, activity, notes).await?;
        self.vcards(knowledge, case, mail, plan.responsible, &mut evidence).await?;
        let mut unbound = Vec::new();
        let bound = mail.mailbox.config.crm.bind_contact;
        // Where the client could not be named as a party, it is bound by itself.
        let unnamed = client.filter(|client| {
            bound && *client != owner && !plan.bound.contains(client) && !self.names_client(&plan)
        });
        for card in plan.bound.iter().chain(&unnamed) {
            match self.crm.bind_activity(activity, *card).await {
                Ok(()) => {}
                // The mail is filed; that one of its further cards may not be changed is noted.
                Err(Failure { fate: Fate::Refused | Fate::CardGone, text, .. }) => {
                    evidence.push(Evidence::new("bound", format!("not bound to {card}: {text}")));
                    unbound.push(*card);
                }
                Err(failure) => return Err(Stop::Undone(Undone { kind: None, failure })),
            }
        }
        self.todo(knowledge, case, mail, owner, activity, plan.responsible, &mut evidence).await?;
        let mut cards = vec![owner];
        let named = |client: &CardRef| *client != owner && bound && !unbound.contains(client);
        cards.extend(client.filter(named));
        cards.extend(plan.bound.iter().filter(|card| **card != owner && !unbound.contains(card)));
        knowledge.lock().await.filed_on(&cards, plan.responsible);
        let entry = &case.entry;
        let saved = Saved {
            cards: cards.clone(),
            activity,
            responsible: plan.responsible,
            owner: mail.mailbox.config.owner,
            direction: mail.admitted.direction,
            completed,
            candidates: plan.candidates,
            evidence,
            complete_on_reply: mail.mailbox.config.crm.complete_on_reply,
        };
        self.ledger.saved(entry.id, saved, attempt, unix_now()).await?;
        if self.ledger.has_room_now() {
            events::ledger_has_room();
        }
        events::message_saved(
            &entry.mailbox_name,
            entry.message,
            entry.message_id.as_deref(),
            &cards,
            activity,
        );
        Ok(())
    }

    /// A mail goes behind the one it answers, which may have become due in the same round.
    async fn wait_for_parent(
        &self,
        knowledge: &Mutex<Knowledge>,
        case: &mut Case,
    ) -> Result<(), Stop> {
        let owed = case.parent.as_ref().and_then(|parent| parent.owed_entry);
        if case.entry.plan.is_some() || owed.is_none() {
            return Ok(());
        }
        let parent = self.parent_of(&case.entry).await?;
        case.parent = parent;
        if case.parent.as_ref().is_some_and(|parent| parent.owed_entry.is_some()) {
            self.let_wait(case, unix_now() + PARENT_WAIT).await?;
            return Err(Stop::Step(Step::Wait));
        }
        // Filed in another round: its cards were not asked about in this one.
        let asked = {
            let known = knowledge.lock().await;
            let mut unknown = known.cards_to_ask_for(case);
            unknown.retain(|card| !known.cards.contains_key(card));
            unknown
        };
        if !asked.is_empty() {
            let now = self
                .crm
                .cards(&asked)
                .await
                .map_err(|failure| Stop::Undone(Undone { kind: None, failure }))?;
            knowledge.lock().await.cards.extend(asked.into_iter().zip(now));
        }
        Ok(())
    }

    /// Takes over an activity that was filed by a ledger that is lost.
    async fn adopt_activity(
        &self,
        directory: &Directory,
        knowledge: &Mutex<Knowledge>,
        case: &mut Case,
    ) -> Result<(), Stop> {
        if case.entry.plan.is_some() || !case.must_look("activity") {
            return Ok(());
        }
        let wanted = (Made::Activity, origin(Made::Activity, &case.entry.fingerprint));
        let found = knowledge.lock().await.found.get(&wanted).cloned().flatten();
        let Some(Found { owner: Some(owner), responsible, .. }) = found else { return Ok(()) };
        let known = knowledge.lock().await;
        // The card itself is not looked for anew: the mail is where it is.
        let client = case.place(directory, &known).and_then(|placed| match placed.placement {
            Placement::File { owner: placed, client, .. } if placed == owner => client,
            Placement::File { .. }
            | Placement::Create { .. }
            | Placement::Park(_)
            | Placement::Skip(_) => None,
        });
        drop(known);
        let fact = format!("the CRM has it already, as activity on {owner}");
        let plan = Plan {
            owner: Some(owner),
            create: Vec::new(),
            responsible: responsible.unwrap_or(directory.me),
            bound: Vec::new(),
            client_email: client.as_ref().map(|(email, _)| email.clone()),
            client: client.map(|(_, card)| card),
            candidates: Vec::new(),
            evidence: vec![Evidence::new("origin", fact)],
        };
        self.ledger.plan(case.entry.id, case.entry.mailbox, plan.clone(), None).await?;
        case.entry.plan = Some(plan);
        Ok(())
    }

    /// Places a mail and keeps the place, so that a restart goes on with it.
    async fn decide(
        &self,
        directory: &Directory,
        knowledge: &Mutex<Knowledge>,
        case: &Case,
    ) -> Result<Plan, Stop> {
        let placed = {
            let known = knowledge.lock().await;
            case.place(directory, &known)
        };
        let (Some(placed), Some(mail)) = (placed, &case.mail) else {
            return Err(Stop::Undone(without_owner()));
        };
        let Placed { placement, candidates, evidence } = placed;
        let entry = &case.entry;
        if let Some((outcome, reason)) = not_filed(&placement) {
            let id = entry.message_id.as_deref();
            match outcome {
                Outcome::Parked(_) => events::message_parked(
                    &entry.mailbox_name,
                    entry.message,
                    id,
                    reason.code(),
                    candidates.len(),
                ),
                Outcome::Skipped(_) | Outcome::Refused => events::message_skipped(
                    &entry.mailbox_name,
                    &entry.folder,
                    entry.message,
                    id,
                    reason.code(),
                ),
            }
            self.suspects.forget(entry.id);
            let owed = self.ledger.settle(entry.id, outcome, candidates, evidence, None).await?;
            return Err(Stop::Step(if owed { Step::Wait } else { Step::Done }));
        }
        let mut one_at_a_time = None;
        let (plan, turn) = match placement {
            Placement::File { owner, responsible, bound, client } => {
                let (client_email, client) = client.unzip();
                let plan = Plan {
                    owner: Some(owner),
                    create: Vec::new(),
                    responsible,
                    bound,
                    client_email,
                    client,
                    candidates,
                    evidence,
                };
                (plan, None)
            }
            Placement::Create { what, party, client } => {
                let mut evidence = evidence;
                let kept = case.turn.filter(|employee| directory.active.contains(employee));
                let (responsible, turn) = match kept {
                    Some(employee) => (employee, None),
                    None => {
                        one_at_a_time = Some(self.turns.lock().await);
                        let config = &mail.mailbox.config;
                        let turn = next_responsible(
                            &config.crm.queue,
                            self.ledger.queue_turn(entry.mailbox).await?,
                            config.owner,
                            directory.me,
                            &directory.active,
                        );
                        if let Some(warning) = &turn.warning {
                            events::responsible_replaced(&entry.mailbox_name, warning);
                            evidence.push(Evidence::new("responsible", warning.clone()));
                        }
                        evidence.push(Evidence::new("responsible", turn.why));
                        (turn.responsible, Some(turn.next_turn))
                    }
                };
                let plan = Plan {
                    owner: None,
                    create: kinds(what, client.is_some()),
                    responsible,
                    bound: Vec::new(),
                    client_email: Some(party.email),
                    client,
                    candidates,
                    evidence,
                };
                (plan, turn)
            }
            Placement::Park(_) | Placement::Skip(_) => return Err(Stop::Step(Step::Done)),
        };
        self.ledger.plan(entry.id, entry.mailbox, plan.clone(), turn).await?;
        drop(one_at_a_time);
        Ok(plan)
    }

    /// Whether the client may be named as the card of the party by whose address it was found or made: one made for
    /// an address that no card can hold does not bear it.
    fn names_client(&self, plan: &Plan) -> bool {
        plan.client_email.as_deref().is_none_or(|email| self.crm.can_bear(email))
    }

    async fn make_cards(
        &self,
        knowledge: &Mutex<Knowledge>,
        case: &Case,
        mail: &Mail,
        plan: &Plan,
    ) -> Result<HashMap<CardKind, u64>, Stop> {
        let mut made: HashMap<CardKind, u64> = HashMap::new();
        let email = plan.client_email.clone().unwrap_or_default();
        for &kind in &plan.create {
            let origin = origin(Made::Card(kind), &case.entry.fingerprint);
            let id = match self
                .known_to_be_there(knowledge, case, Made::Card(kind), kind.as_str(), &origin)
                .await?
            {
                Some(found) => found.id,
                None => {
                    let client = plan.client.or_else(|| {
                        let id = *made.get(&CardKind::Contact)?;
                        Some(CardRef { kind: CardKind::Contact, id })
                    });
                    let draft = card_draft(kind, &origin, mail, plan, &email, client);
                    let now = unix_now();
                    self.ledger
                        .sending(case.entry.id, kind.as_str(), origin.0.clone(), now)
                        .await?;
                    let id = self.crm.make_card(&draft).await.map_err(|failure| {
                        Stop::Undone(Undone { kind: Some(kind.as_str()), failure })
                    })?;
                    events::delivered(case.entry.id, kind.as_str(), id);
                    let attempt = delivered(
                        case.entry.id,
                        "crm.item.add",
                        &format!("{} {id}", kind.as_str()),
                    );
                    self.ledger
                        .made(case.entry.id, kind.as_str(), origin.0, id, Some(attempt), None)
                        .await?;
                    id
                }
            };
            made.insert(kind, id);
            // At once: the next mail must find it, also if the rest of this one is refused.
            let card = CardRef { kind, id };
            let now = unix_now();
            knowledge.lock().await.made_for(&email, card, plan.client, plan.responsible, now);
        }
        Ok(made)
    }

    #[expect(clippy::too_many_arguments, reason = "one call, all of it different")]
    async fn make_activity(
        &self,
        knowledge: &Mutex<Knowledge>,
        case: &Case,
        mail: &Mail,
        plan: &Plan,
        owner: CardRef,
        client: Option<CardRef>,
        notes: &mut Vec<String>,
    ) -> Result<u64, Stop> {
        let origin = origin(Made::Activity, &case.entry.fingerprint);
        let config = &mail.mailbox.config;
        let meta = content::meta(&mail.message, &config.address, notes);
        if let Some(found) =
            self.known_to_be_there(knowledge, case, Made::Activity, "activity", &origin).await?
        {
            return Ok(found.id);
        }
        let now = unix_now();
        let incoming = mail.admitted.direction == Direction::Incoming;
        let zone = self.settings.borrow().zone.clone();
        let draft = ActivityDraft {
            owner,
            origin: origin.clone(),
            direction: mail.admitted.direction,
            subject: content::subject(&mail.message),
            communications: content::communications(
                &mail.admitted.parties,
                plan.client_email.as_deref(),
                client.filter(|_| config.crm.bind_contact && self.names_client(plan)),
            ),
            responsible: plan.responsible,
            starts_at: case.entry.received_at,
            ends_at: content::deadline(now, config.crm.deadline, &zone).filter(|_| incoming),
            meta,
            message_id: mail.message.message_id.clone(),
        };
        self.ledger.sending(case.entry.id, "activity", origin.0.clone(), now).await?;
        let id = self
            .crm
            .add_activity(&draft)
            .await
            .map_err(|failure| Stop::Undone(Undone { kind: Some("activity"), failure }))?;
        events::delivered(case.entry.id, "activity", id);
        let attempt = delivered(case.entry.id, "crm.activity.add", &format!("activity {id}"));
        let next = Some(("content", origin.0.clone()));
        self.ledger.made(case.entry.id, "activity", origin.0, id, Some(attempt), next).await?;
        Ok(id)
    }
}

fn card_draft(
    kind: CardKind,
    origin: &OriginId,
    mail: &Mail,
    plan: &Plan,
    email: &str,
    client: Option<CardRef>,
) -> CardDraft {
    let config = &mail.mailbox.config;
    let named = mail.admitted.parties.iter().find(|party| party.email == email);
    let name = named.map(|party| party.name.clone()).filter(|name| !name.is_empty());
    CardDraft {
        kind,
        origin: origin.clone(),
        title: content::subject(&mail.message),
        name: name.unwrap_or_else(|| email.to_owned()),
        email: (!email.is_empty()).then(|| email.to_owned()),
        responsible: plan.responsible,
        source: config.crm.source.clone(),
        source_description: config.address.clone(),
        client,
        last_name: String::new(),
        more_emails: Vec::new(),
        phones: Vec::new(),
        post: String::new(),
        organisation: String::new(),
    }
}

pub(super) fn delivered(entry: i64, method: &str, text: &str) -> Attempt {
    Attempt {
        entry,
        at: unix_now(),
        method: method.to_owned(),
        fate: "delivered".to_owned(),
        code: String::new(),
        text: text.to_owned(),
    }
}

/// A plan without a card cannot be delivered; the entry is placed anew.
fn without_owner() -> Undone {
    let failure = Failure {
        method: "place".to_owned(),
        code: "no-card".to_owned(),
        text: "the plan names no card".to_owned(),
        fate: Fate::CardGone,
    };
    Undone { kind: None, failure }
}
