//! Cards of a CRM and what it says about the people in a mail. Pure.

use serde::{Deserialize, Serialize};

/// What a card is. The lower-case name is public (product JSON).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CardKind {
    Lead,
    Contact,
    Company,
    Deal,
}

impl CardKind {
    /// The public name: `lead`, `contact`, `company` or `deal`.
    pub fn as_str(self) -> &'static str {
        match self {
            CardKind::Lead => "lead",
            CardKind::Contact => "contact",
            CardKind::Company => "company",
            CardKind::Deal => "deal",
        }
    }

    /// The kind with this public name, if there is one.
    pub fn parse(name: &str) -> Option<CardKind> {
        match name {
            "lead" => Some(CardKind::Lead),
            "contact" => Some(CardKind::Contact),
            "company" => Some(CardKind::Company),
            "deal" => Some(CardKind::Deal),
            _ => None,
        }
    }
}

/// One card by kind and number, as the CRM counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CardRef {
    #[serde(rename = "type")]
    pub kind: CardKind,
    pub id: u64,
}

impl std::fmt::Display for CardRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

/// A deal or lead that is still in process, as the CRM has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCard {
    pub card: CardRef,
    /// Employee responsible for the card.
    pub responsible: u64,
    /// When the card was last changed, Unix seconds.
    pub updated_at: i64,
}

/// A contact or company that bears an address, with its open deals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub card: CardRef,
    /// Employee responsible for the card.
    pub responsible: u64,
    /// When the card was last changed, Unix seconds.
    pub updated_at: i64,
    /// The deals of this client that are in process, the last changed first.
    pub deals: Vec<OpenCard>,
}

/// All that the CRM knows about one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub contacts: Vec<Client>,
    pub companies: Vec<Client>,
    /// Leads in process only; closed and converted leads are not listed.
    pub leads: Vec<OpenCard>,
    /// Cards that bear the address but may not be read with this webhook's rights.
    pub hidden: Vec<CardRef>,
}

/// One card as the CRM has it at the moment of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardNow {
    /// It can be read.
    Here {
        card: CardRef,
        responsible: u64,
        /// In process. Contacts and companies are always open.
        open: bool,
        /// The deal that a converted lead became, if the lead was converted.
        deal: Option<OpenCard>,
        /// Contact or company that a deal or lead belongs to, contact first.
        client: Option<CardRef>,
    },
    /// It was deleted.
    Gone { card: CardRef },
    /// It is there but this webhook may not read it.
    Hidden { card: CardRef },
}

/// An employee of the CRM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Employee {
    pub id: u64,
    /// Display name, such as `Ana Ruiz`.
    pub name: String,
    /// Address in normal form (`message::address`), if the CRM names one.
    pub email: Option<String>,
    pub active: bool,
}
