//! The fields of cards by the names of `crm.item.*`: which card has which, and what they hold. Pure.

use super::cards::Kind;
use super::filter::Form;

/// One field of a card.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    on: &'static [Kind],
    pub(super) form: Form,
    /// Most characters of a text; `None`: as many as one likes.
    pub(super) limit: Option<usize>,
    /// Fields that only the portal writes are dropped from a write without a word.
    pub(super) writable: bool,
}

impl Field {
    pub(super) fn is_on(&self, kind: Kind) -> bool {
        self.on.contains(&kind)
    }

    /// The type that `crm.item.fields` names.
    pub(super) fn type_name(&self) -> &'static str {
        match self.name {
            "assignedById" | "createdBy" | "updatedBy" | "movedBy" | "observers" => "user",
            "contactId" | "contactIds" => "crm_contact",
            "companyId" | "companyIds" => "crm_company",
            "leadId" => "crm_lead",
            "stageId" | "sourceId" => "crm_status",
            _ => match self.form {
                Form::Int | Form::Ints => "integer",
                Form::Number => "double",
                Form::Text => "string",
                Form::Flag => "boolean",
                Form::Time => "datetime",
            },
        }
    }
}

/// The field of this name that cards of this kind have.
pub(super) fn field(kind: Kind, name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name && field.is_on(kind))
}

pub(super) fn fields(kind: Kind) -> impl Iterator<Item = &'static Field> {
    FIELDS.iter().filter(move |field| field.is_on(kind))
}

const ALL: &[Kind] = &Kind::ALL;
const L: &[Kind] = &[Kind::Lead];
const D: &[Kind] = &[Kind::Deal];
const C: &[Kind] = &[Kind::Contact];
const LD: &[Kind] = &[Kind::Lead, Kind::Deal];
const LC: &[Kind] = &[Kind::Lead, Kind::Contact];
const LDC: &[Kind] = &[Kind::Lead, Kind::Deal, Kind::Contact];
const LDO: &[Kind] = &[Kind::Lead, Kind::Deal, Kind::Company];
const DCO: &[Kind] = &[Kind::Deal, Kind::Contact, Kind::Company];
const LCO: &[Kind] = &[Kind::Lead, Kind::Contact, Kind::Company];

const fn read_only(name: &'static str, on: &'static [Kind], form: Form) -> Field {
    Field { name, on, form, limit: None, writable: false }
}

const fn plain(name: &'static str, on: &'static [Kind], form: Form) -> Field {
    Field { name, on, form, limit: None, writable: true }
}

/// A text with the width of its column, in characters [observed].
const fn text(name: &'static str, on: &'static [Kind], limit: usize) -> Field {
    Field { name, on, form: Form::Text, limit: Some(limit), writable: true }
}

const FIELDS: &[Field] = &[
    read_only("id", ALL, Form::Int),
    read_only("entityTypeId", ALL, Form::Int),
    text("title", LDO, 255),
    text("honorific", LC, 128),
    text("name", LC, 50),
    text("secondName", LC, 50),
    text("lastName", LC, 50),
    plain("birthdate", LC, Form::Time),
    text("companyTitle", L, 255),
    text("sourceId", LDC, 50),
    plain("sourceDescription", LDC, Form::Text),
    text("stageId", LD, 50),
    read_only("stageSemanticId", LD, Form::Text),
    plain("statusDescription", L, Form::Text),
    text("post", LC, 255),
    text("typeId", DCO, 50),
    plain("categoryId", D, Form::Int),
    text("currencyId", LDO, 50),
    plain("isManualOpportunity", LD, Form::Flag),
    plain("opportunity", LD, Form::Number),
    plain("taxValue", D, Form::Number),
    plain("probability", D, Form::Int),
    plain("isRecurring", D, Form::Flag),
    plain("quoteId", D, Form::Int),
    plain("begindate", D, Form::Time),
    plain("closedate", D, Form::Time),
    read_only("closed", D, Form::Flag),
    plain("additionalInfo", D, Form::Text),
    plain("opened", ALL, Form::Flag),
    plain("export", C, Form::Flag),
    plain("comments", ALL, Form::Text),
    plain("assignedById", ALL, Form::Int),
    read_only("createdBy", ALL, Form::Int),
    read_only("updatedBy", ALL, Form::Int),
    read_only("movedBy", LD, Form::Int),
    read_only("createdTime", ALL, Form::Time),
    read_only("updatedTime", ALL, Form::Time),
    read_only("movedTime", LD, Form::Time),
    read_only("lastActivityTime", ALL, Form::Time),
    plain("companyId", LDC, Form::Int),
    plain("companyIds", C, Form::Ints),
    plain("contactId", LD, Form::Int),
    plain("contactIds", LDO, Form::Ints),
    plain("leadId", DCO, Form::Int),
    plain("webformId", LCO, Form::Int),
    text("originatorId", ALL, 255),
    text("originId", ALL, 255),
    plain("observers", ALL, Form::Ints),
    text("utmSource", ALL, 255),
    text("utmMedium", ALL, 255),
    text("utmCampaign", ALL, 255),
    text("utmContent", ALL, 255),
    text("utmTerm", ALL, 255),
    read_only("isReturnCustomer", LD, Form::Flag),
    read_only("hasEmail", LCO, Form::Flag),
    read_only("hasPhone", LCO, Form::Flag),
];
