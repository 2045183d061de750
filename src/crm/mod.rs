//! What mailcrm asks of any CRM, in its own words.

pub mod sandbox;

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use crate::card::{CardKind, CardNow, CardRef, Employee, Known};
use crate::message::Phone;
use crate::rules::Direction;

pub mod bitrix24;

/// Hex SHA-256 of kind and identity: the same in every ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginId(pub String);

/// A thing of ours in the CRM that can be found again by its origin id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Made {
    Card(CardKind),
    Activity,
    /// A to-do on this card. It has no origin id of its own: a line of its text says whose it is.
    Todo(CardRef),
}

/// A card to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardDraft {
    pub kind: CardKind,
    pub origin: OriginId,
    /// Title of a lead or deal: the subject. Cut to the CRM's limits by the CRM's own module.
    pub title: String,
    /// The person: display name, else the address. Leads and contacts.
    pub name: String,
    /// Leads and contacts; deals bear no address.
    pub email: Option<String>,
    pub responsible: u64,
    /// `SOURCE_ID`, such as `EMAIL`.
    pub source: String,
    /// Where the card comes from, such as the mailbox's address.
    pub source_description: String,
    /// The client of a deal or of a repeat lead.
    pub client: Option<CardRef>,
    /// Family name, where it is known apart from `name`. Leads and contacts.
    pub last_name: String,
    /// Further addresses of the same person.
    pub more_emails: Vec<String>,
    pub phones: Vec<Phone>,
    /// Position in the organisation. Leads and contacts.
    pub post: String,
    /// Where the person works; kept in a contact's comments.
    pub organisation: String,
}

/// What is said of a person, as by a vCard. Empty: not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactFacts {
    /// Given name.
    pub name: String,
    pub last_name: String,
    pub emails: Vec<String>,
    pub phones: Vec<Phone>,
    /// Position in the organisation.
    pub post: String,
    /// Goes to new contacts only ([`CardDraft::organisation`]).
    pub organisation: String,
}

/// One party of a mail; the matched client is given with its card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Communication {
    pub email: String,
    pub card: Option<CardRef>,
}

/// The envelope shown with the activity. Long lists are cut at 30 KB each by the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmailMeta {
    /// Address of the mailbox.
    pub mailbox: String,
    pub from: String,
    pub reply_to: String,
    pub to: String,
    pub cc: String,
    pub bcc: String,
}

/// An e-mail activity to be added, always open: it has no way to say "completed", because a
/// completed outgoing e-mail in an add call makes Bitrix24 send the mail again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityDraft {
    pub owner: CardRef,
    pub origin: OriginId,
    pub direction: Direction,
    /// Not empty; the caller writes `(no subject)`.
    pub subject: String,
    pub communications: Vec<Communication>,
    pub responsible: u64,
    /// When the mail was sent, Unix seconds.
    pub starts_at: i64,
    /// Deadline of an open activity, Unix seconds; `None`: it has none.
    pub ends_at: Option<i64>,
    pub meta: EmailMeta,
    /// Message-ID for `SETTINGS.MESSAGE_HEADERS`.
    pub message_id: Option<String>,
}

/// What is put into an activity after it was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityContent {
    /// Plain text.
    pub text: String,
    pub files: Vec<File>,
    /// Outgoing mail is history: completed.
    pub completed: bool,
}

/// One attachment as it goes to the CRM.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({} bytes)", self.bytes.len())
    }
}

/// A to-do for the person responsible for a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TodoDraft {
    pub owner: CardRef,
    pub origin: OriginId,
    /// Not empty. Cut to the CRM's limits by the CRM's own module.
    pub title: String,
    /// What it is about, in our own words: nothing that was written in a mail, for the line by
    /// which it is found again is written below.
    pub text: String,
    pub responsible: u64,
    /// Unix seconds.
    pub deadline: i64,
    /// The activity that it is about.
    pub activity: u64,
}

/// An activity found by its origin id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub id: u64,
    /// Owner of an activity as the CRM has it; `None` for cards.
    pub owner: Option<CardRef>,
    /// Responsible employee.
    pub responsible: Option<u64>,
    /// For activities and to-dos: completed. For cards false.
    pub completed: bool,
    /// For activities and to-dos: the text is already there, so that the content was written.
    pub has_text: bool,
}

/// Where an activity hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityCards {
    /// The owner first.
    pub cards: Vec<CardRef>,
    pub responsible: Option<u64>,
}

/// An activity as the CRM has it now, whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityNow {
    /// The owner first, then the contacts and companies that its parties are known as.
    pub cards: Vec<CardRef>,
    pub responsible: Option<u64>,
    /// Addresses of the parties in normal form (`message::address`).
    pub parties: Vec<String>,
    pub completed: bool,
}

/// A thing in the CRM that bears our name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMade {
    pub id: u64,
    /// Origin id.
    pub origin: String,
}

/// Whose turn it is after a call that did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The clock's.
    Deferred {
        /// What the CRM asked for, if it did.
        retry_after: Option<Duration>,
        /// The call may have run: look up by origin id before it is sent again.
        ambiguous: bool,
        /// The answer says that the fault may lie in this entry (`ERROR_CORE` and the like): ten of them
        /// while others are delivered refuse it.
        suspect: bool,
    },
    /// Nobody's: the CRM said no to this entry for good.
    Refused,
    /// The card named in the call is gone or may not be read any more.
    CardGone,
    /// The operator's: nothing can be delivered until someone acts.
    Blocked {
        /// The least that the CRM is to be left alone, if it asks for that.
        retry_after: Option<Duration>,
    },
}

/// Code of a call that was not answered in time.
pub const TIMEOUT: &str = "timeout";

/// A call that did not work. Its text holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{method}: {code}: {text}")]
pub struct Failure {
    pub method: String,
    /// The CRM's code, or one of [`TIMEOUT`], `network`, `http-502`, `not-json`.
    pub code: String,
    pub text: String,
    pub fate: Fate,
}

/// A CRM that mail is filed in.
pub trait Crm: Send + Sync {
    /// Calls that were answered so far, however.
    fn answers(&self) -> u64;

    /// All employees, active and inactive.
    fn employees(&self) -> impl Future<Output = Result<Vec<Employee>, Failure>> + Send;

    /// Whether the CRM works with leads (classic mode) or without (simple mode).
    fn has_leads(&self) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// The employee with whose rights the calls run.
    fn me(&self) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// What the CRM knows about each address, asked for together. Every address is in the answer.
    fn know(
        &self,
        addresses: &[String],
    ) -> impl Future<Output = Result<HashMap<String, Known>, Failure>> + Send;

    /// These cards as they are now, in the same order, asked for together.
    fn cards(
        &self,
        cards: &[CardRef],
    ) -> impl Future<Output = Result<Vec<CardNow>, Failure>> + Send;

    /// Things made earlier, by origin id, in the same order, asked for together. Both origin and originator of
    /// every row are compared before it is believed.
    fn find_made(
        &self,
        wanted: &[(Made, OriginId)],
    ) -> impl Future<Output = Result<Vec<Option<Found>>, Failure>> + Send;

    /// Activities as they are now, in the same order, asked for together. `None`: gone, or not to be read.
    fn activities(
        &self,
        activities: &[u64],
    ) -> impl Future<Output = Result<Vec<Option<ActivityNow>>, Failure>> + Send;

    /// The next of the things that bear our originator and an origin id, in order of their numbers, all above
    /// `after`. Never empty but at the end. The originator of every row is compared. To-dos bear none: of them
    /// there is nothing.
    fn ours(
        &self,
        kind: Made,
        after: u64,
    ) -> impl Future<Output = Result<Vec<OwnMade>, Failure>> + Send;

    /// Whether a card can bear this address. One that cannot is made without it, and must not be named as the card
    /// of a party of that address.
    fn can_bear(&self, email: &str) -> bool;

    /// Adds what a contact lacks of these facts, and says what was added, such as `phone +34 600 000 000`. Nothing
    /// that is there is changed or removed; may be repeated.
    fn complete_contact(
        &self,
        contact: u64,
        facts: &ContactFacts,
    ) -> impl Future<Output = Result<Vec<String>, Failure>> + Send;

    /// Makes a card and returns its number.
    fn make_card(&self, draft: &CardDraft) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// Adds an e-mail activity, open and without text, and returns its number.
    fn add_activity(
        &self,
        draft: &ActivityDraft,
    ) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// Puts text, files and completion into an activity; may be repeated.
    fn write_activity(
        &self,
        activity: u64,
        content: &ActivityContent,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Adds a to-do and returns its number. [`Fate::Refused`] too if the CRM has no to-dos, or does not let us make
    /// them: that says nothing about any other call.
    fn add_todo(&self, draft: &TodoDraft) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// Completes an activity or a to-do; may be repeated.
    fn complete_activity(&self, activity: u64) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The cards of an activity that the CRM made itself, its owner first, and who is responsible;
    /// `None` if there is none that may be read.
    fn activity_cards(
        &self,
        activity: u64,
    ) -> impl Future<Output = Result<Option<ActivityCards>, Failure>> + Send;

    /// Binds an activity to a further card; may be repeated.
    fn bind_activity(
        &self,
        activity: u64,
        card: CardRef,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}
