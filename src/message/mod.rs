//! Raw bytes to the facts that the rules need. Pure.

pub mod address;
pub mod body;
pub mod class;

pub use address::Address;
pub use body::{Attachment, Body};
pub use class::{Class, Classified};

/// What one message says about itself.
///
/// All header facts are there when only the header block was given; `body_digest` then covers
/// an empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Message-ID without blanks and angle brackets, case kept; `None` if absent or empty.
    pub message_id: Option<String>,
    /// SHA-256 of the identity (product.md section 3): Message-ID, sender and Date agree,
    /// or without a Message-ID From, Date, Subject, recipients and body text.
    pub fingerprint: [u8; 32],
    /// The first From address, else Sender; `None` if neither can be read.
    pub from: Option<Address>,
    /// Further From addresses, if any.
    pub from_more: Vec<Address>,
    pub reply_to: Vec<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    /// Decoded, one line, trimmed; empty if absent.
    pub subject: String,
    /// Date header in Unix seconds; `None` if missing or unreadable.
    pub date: Option<i64>,
    /// In-Reply-To ids in the same form as `message_id`.
    pub in_reply_to: Vec<String>,
    /// References in the order of the header, same form.
    pub references: Vec<String>,
    pub class: Classified,
    /// Sent by the CRM itself: the activity's number out of a Message-ID
    /// `crm.activity.{id}-{code}@host`.
    pub crm_activity: Option<u64>,
}
