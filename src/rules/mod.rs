//! What belongs in the CRM (`admit`) and where (`place`). Pure.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

pub mod reason;

pub use reason::Reason;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Incoming,
    Outgoing,
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
    /// `address` and `aliases` of all configured mailboxes.
    pub own: HashSet<String>,
    pub internal_domains: HashSet<String>,
    pub exclude: Vec<String>,
    pub automated: Policy,
    pub bounce: Policy,
    pub mailing_list: Policy,
    pub spam_verdict: Policy,
    pub always_new_lead_for: Vec<String>,
    pub deal_choice: DealChoice,
    pub repeat_lead: bool,
    pub on_incoming: Creation,
    pub on_outgoing: Creation,
    pub history_outgoing: bool,
}
