//! What belongs in the CRM (`admit`) and where (`place`). Pure.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::Class;

pub mod admit;
pub mod pattern;
pub mod place;
pub mod reason;
pub mod turn;

pub use pattern::Pattern;
pub use reason::Reason;

/// What became of a message; the names are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Decided, and something is owed to the CRM.
    Queued,
    Saved,
    Skipped,
    /// A person must choose.
    Parked,
    /// Could not be read; the raw bytes are kept.
    Quarantined,
    /// The CRM said no for good.
    Refused,
}

impl State {
    pub const ALL: [State; 6] = [
        State::Queued,
        State::Saved,
        State::Skipped,
        State::Parked,
        State::Quarantined,
        State::Refused,
    ];

    /// The public name, such as `queued`.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Saved => "saved",
            State::Skipped => "skipped",
            State::Parked => "parked",
            State::Quarantined => "quarantined",
            State::Refused => "refused",
        }
    }

    /// The state with this public name, if there is one.
    pub fn parse(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Incoming,
    Outgoing,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Incoming => "incoming",
            Direction::Outgoing => "outgoing",
        }
    }
}

/// What is made for a client that the CRM does not know (rule 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Creation {
    Lead,
    Contact,
    /// Contact and deal.
    Deal,
    None,
}

/// Which of a client's open deals gets the mail (rule 8d).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DealChoice {
    Latest,
    Only,
    All,
    Ask,
    None,
}

/// What becomes of a class of mail (rule 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    Skip,
    /// File it if it belongs to a known card, never create.
    Attach,
    Normal,
}

/// One fact that a rule went by, for `explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub rule: String,
    pub fact: String,
}

impl Evidence {
    pub fn new(rule: &str, fact: impl Into<String>) -> Evidence {
        Evidence { rule: rule.to_owned(), fact: fact.into() }
    }
}

/// One mailbox's rules, ready to be applied. Addresses and domains are in normal form
/// (`message::address`).
#[derive(Clone, Debug)]
pub struct RuleSet {
    pub enabled: bool,
    /// `address` and `aliases` of all configured mailboxes; one set for all of them.
    pub own: Arc<HashSet<String>>,
    pub internal_domains: HashSet<String>,
    pub exclude: Vec<Pattern>,
    pub automated: Policy,
    pub bounce: Policy,
    pub mailing_list: Policy,
    pub spam_verdict: Policy,
    pub always_new_lead_for: Vec<Pattern>,
    pub deal_choice: DealChoice,
    pub repeat_lead: bool,
    pub on_incoming: Creation,
    pub on_outgoing: Creation,
    pub history_outgoing: bool,
    /// A colleague's forward counts as the mail of whom it forwards.
    pub forwards: bool,
}

impl RuleSet {
    /// What becomes of mail of this class here.
    pub fn policy(&self, class: Class) -> Policy {
        match class {
            Class::Normal => Policy::Normal,
            Class::Bounce => self.bounce,
            Class::Automated => self.automated,
            Class::MailingList => self.mailing_list,
            Class::SpamVerdict => self.spam_verdict,
        }
    }
}

/// The reason that a class of mail is skipped with; `None` for ordinary mail.
pub fn class_reason(class: Class) -> Option<Reason> {
    match class {
        Class::Normal => None,
        Class::Bounce => Some(Reason::Bounce),
        Class::Automated => Some(Reason::Automated),
        Class::MailingList => Some(Reason::MailingList),
        Class::SpamVerdict => Some(Reason::SpamVerdict),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity)]

    use super::*;

    #[test]
    fn every_state_reads_back_and_is_the_same_in_json() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!(State::parse("filed"), None);
    }

    #[test]
    fn the_reason_of_a_class_bears_the_name_of_the_class() {
        for class in [Class::Bounce, Class::Automated, Class::MailingList, Class::SpamVerdict] {
            let reason = class_reason(class).expect("every class but normal has a reason");
            assert_eq!(serde_json::to_value(class).unwrap(), reason.code());
        }
        assert_eq!(class_reason(Class::Normal), None);
    }
}
