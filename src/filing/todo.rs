//! The to-do "answer this mail": made once for the mail that a person wrote, completed with its
//! activity.

use tokio::sync::Mutex;

use super::case::{Case, Mail};
use super::content::{self, origin};
use super::deliver::{Stop, Undone, delivered};
use super::{Filing, Knowledge};
use crate::card::CardRef;
use crate::crm::{Crm, Failure, Fate, Made, TodoDraft};
use crate::message::Class;
use crate::rules::{Direction, Evidence};
use crate::{events, unix_now};

/// Its name among what an entry makes.
pub(super) const KIND: &str = "todo";

/// Tries without an answer after which a mail is filed without its to-do: it is in the CRM already,
/// and those behind it wait.
const TRIES: u64 = 3;

const METHOD: &str = "crm.activity.todo.add";

impl Mail {
    /// Whether somebody is to be reminded of answering it.
    pub(super) fn asks_for_todo(&self) -> bool {
        self.mailbox.config.crm.task
            && self.admitted.direction == Direction::Incoming
            && self.message.class.class == Class::Normal
    }
}

impl<C: Crm> Filing<C> {
    /// Makes the to-do of a mail that is filed as `activity`, and says in the evidence what came
    /// of it. That the CRM does not take it stops nothing.
    #[expect(clippy::too_many_arguments, reason = "one call, all of it different")]
    pub(super) async fn todo(
        &self,
        knowledge: &Mutex<Knowledge>,
        case: &Case,
        mail: &Mail,
        owner: CardRef,
        activity: u64,
        responsible: u64,
        evidence: &mut Vec<Evidence>,
    ) -> Result<(), Stop> {
        if !mail.asks_for_todo() {
            return Ok(());
        }
        let fact = match self.made_todo(knowledge, case, mail, owner, activity, responsible).await {
            Ok(fact) => fact,
            Err(Stop::Undone(Undone {
                failure: Failure { fate: Fate::Refused | Fate::CardGone, text, .. },
                ..
            })) => format!("no to-do: {text}"),
            Err(stop) => return Err(stop),
        };
        evidence.push(Evidence::new("task", fact));
        Ok(())
    }

    async fn made_todo(
        &self,
        knowledge: &Mutex<Knowledge>,
        case: &Case,
        mail: &Mail,
        owner: CardRef,
        activity: u64,
        responsible: u64,
    ) -> Result<String, Stop> {
        let made = Made::Todo(owner);
        let origin = origin(made, &case.entry.fingerprint);
        if let Some(found) = self.known_to_be_there(knowledge, case, made, KIND, &origin).await? {
            return Ok(format!("to-do {}", found.id));
        }
        let mails = (Made::Activity, content::origin(Made::Activity, &case.entry.fingerprint));
        let before = knowledge.lock().await.found.get(&mails).cloned().flatten();
        if before.is_some_and(|found| found.completed) {
            return Ok("no to-do: the mail's activity is completed".to_owned());
        }
        let entry = case.entry.id;
        let lost = case.made(KIND).is_some_and(|made| made.look_up);
        if lost && self.ledger.tries(entry, METHOD).await? >= TRIES {
            return Ok(format!("no to-do: the CRM did not take it in {TRIES} tries"));
        }
        let config = &mail.mailbox.config;
        let now = unix_now();
        let zone = self.settings.borrow().zone.clone();
        let draft = TodoDraft {
            owner,
            origin: origin.clone(),
            title: format!("Answer: {}", content::subject(&mail.message)),
            text: format!("The mail is activity {activity}, from mailbox {}.", config.name),
            responsible,
            deadline: content::todo_deadline(now, config.crm.deadline, &zone),
            activity,
        };
        self.ledger.sending(entry, KIND, origin.0.clone(), now).await?;
        let id = self.crm.add_todo(&draft).await.map_err(|mut failure| {
            if let Fate::Deferred { suspect, .. } = &mut failure.fate {
                // The mail got there: it is never refused for its to-do.
                *suspect = false;
            }
            Stop::Undone(Undone { kind: Some(KIND), failure })
        })?;
        events::delivered(entry, KIND, id);
        let attempt = delivered(entry, METHOD, &format!("to-do {id}"));
        self.ledger.made(entry, KIND, origin.0, id, Some(attempt), None).await?;
        Ok(format!("to-do {id} for employee {responsible}"))
    }

    /// Completes the to-do of a mail that was answered, if it has one that is still there.
    pub(super) async fn complete_todo(&self, case: &Case) -> Result<(), Stop> {
        let Some(todo) = self.ledger.made_of(case.entry.message, KIND).await? else {
            return Ok(());
        };
        match self.crm.complete_activity(todo).await {
            Ok(()) => {
                events::delivered(case.entry.id, "complete", todo);
                Ok(())
            }
            // Somebody removed it, or it may not be changed: the mail's activity is completed.
            Err(Failure { fate: Fate::Refused | Fate::CardGone, .. }) => Ok(()),
            Err(failure) => Err(Stop::Undone(Undone { kind: None, failure })),
        }
    }
}
