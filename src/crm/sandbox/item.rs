//! `crm.item.*`: cards in the new style, with numbers as numbers and codes in the errors.

use super::answer::{Answer, Fault, page};
use super::cards::{self, Card, Kind, Narrow};
use super::fields::{self, Field};
use super::filter::{self, Form, Operator};
use super::item_write;
use super::moment;
use super::multifield;
use super::php::Php;
use super::webhook::Call;

/// The kind of card that is asked for.
fn kind(params: &Php) -> Result<Kind, Fault> {
    let entity_type = params.get("entityTypeId");
    if entity_type.is_null() {
        return Err(Fault::missing("entityTypeId"));
    }
    Kind::of(entity_type.int()).ok_or_else(|| Fault::coded("NOT_FOUND", "Smart process not found"))
}

fn existing(call: &Call<'_>, params: &Php) -> Result<Card, Fault> {
    let kind = kind(params)?;
    if params.get("id").is_null() {
        return Err(Fault::missing("id"));
    }
    let found = Card::load(call.tx, kind, params.get("id").int())?;
    found.ok_or_else(|| Fault::coded("NOT_FOUND", "Item not found"))
}

fn given(params: &Php) -> Result<&Php, Fault> {
    let given = params.get("fields");
    if given.is_array() { Ok(given) } else { Err(Fault::missing("fields")) }
}

pub(super) fn add(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let kind = kind(params)?;
    let card = item_write::add(call, kind, given(params)?)?;
    shown(call, &card)
}

pub(super) fn get(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let card = existing(call, params)?;
    if !call.may_read(&card)? {
        return Err(Fault::coded("ACCESS_DENIED", "You do not have permission to view this item"));
    }
    shown(call, &card)
}

pub(super) fn update(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let mut card = existing(call, params)?;
    let given = given(params)?;
    if !call.may_update(&card)? {
        let text = "You do not have permission to update this item";
        return Err(Fault::coded("ACCESS_DENIED", text));
    }
    item_write::update(call, &mut card, given)?;
    shown(call, &card)
}

pub(super) fn delete(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let card = existing(call, params)?;
    if !call.may_update(&card)? {
        let text = "You do not have permission to delete this item";
        return Err(Fault::coded("ACCESS_DENIED", text));
    }
    card.delete(call.tx)?;
    Ok(Answer::of(Php::list([])))
}

pub(super) fn fields(_: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let kind = kind(params)?;
    let mut described = Php::list([]);
    for field in fields::fields(kind) {
        let description = Php::map([
            ("type", field.type_name().into()),
            ("isRequired", false.into()),
            ("isReadOnly", (!field.writable).into()),
            ("isImmutable", false.into()),
            ("isMultiple", (field.form == Form::Ints).into()),
            ("isDynamic", false.into()),
            ("title", field.name.into()),
        ]);
        described.set(field.name, description);
    }
    if kind.has_multifields() {
        let description = Php::map([
            ("type", "crm_multifield".into()),
            ("isRequired", false.into()),
            ("isReadOnly", false.into()),
            ("isImmutable", false.into()),
            ("isMultiple", true.into()),
            ("isDynamic", false.into()),
            ("title", "fm".into()),
        ]);
        described.set("fm", description);
    }
    Ok(Answer::of(Php::map([("fields", described)])))
}

pub(super) fn list(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let kind = kind(params)?;
    let conditions = conditions(kind, params.get("filter"))?;
    let order = order(kind, params.get("order"))?;
    let mut rows = Vec::new();
    for card in cards::find(call.tx, kind, &narrow(&conditions))? {
        if conditions.iter().all(|condition| condition.holds(&card)) && call.may_read(&card)? {
            rows.push(card);
        }
    }
    if !order.is_empty() {
        rows.sort_by(|a, b| {
            order.iter().fold(std::cmp::Ordering::Equal, |so_far, (field, descending)| {
                let (a, b) = (a.fields.get(field.name), b.fields.get(field.name));
                let ordering = filter::order(a, b, field.form);
                so_far.then(if *descending { ordering.reverse() } else { ordering })
            })
        });
    }
    let (rows, total, next) = page(rows, params.get("start"));
    let select = Select::of(params.get("select"));
    let items = rows.iter().map(|card| row(call, card, &select)).collect::<Result<Vec<_>, _>>()?;
    Ok(Answer { result: Php::map([("items", Php::list(items))]), total, next })
}

/// Which fields a list shows.
#[derive(Debug)]
struct Select {
    all: bool,
    /// Addresses and telephones come only with `*` in so many words [D: crm-item-list].
    multifields: bool,
    names: Vec<String>,
}

impl Select {
    fn of(select: &Php) -> Select {
        let names: Vec<String> = select.values().map(Php::text).collect();
        let star = names.iter().any(|name| name == "*");
        Select { all: star || names.is_empty(), multifields: star, names }
    }
}

fn shown(call: &Call<'_>, card: &Card) -> Result<Answer, Fault> {
    let all = Select { all: true, multifields: true, names: Vec::new() };
    Ok(Answer::of(Php::map([("item", row(call, card, &all)?)])))
}

fn row(call: &Call<'_>, card: &Card, select: &Select) -> Result<Php, Fault> {
    let mut row = Vec::new();
    let wanted = |field: &&Field| select.all || select.names.iter().any(|name| name == field.name);
    let mut multifields = None;
    for field in fields::fields(card.kind).filter(wanted) {
        let value = card.fields.get(field.name);
        let value = match (field.name, field.form) {
            ("hasEmail" | "hasPhone", _) => {
                let fm = match &multifields {
                    Some(fm) => fm,
                    None => multifields.insert(multifield::read(call.tx, card)?),
                };
                let type_id = if field.name == "hasEmail" { "EMAIL" } else { "PHONE" };
                let has = fm.values().any(|one| one.get("typeId").text() == type_id);
                Php::from(if has { "Y" } else { "N" })
            }
            (_, Form::Time) if !value.is_null() => moment::write(value.int()).into(),
            (_, Form::Ints) if value.is_null() => Php::list([]),
            (_, Form::Flag) if value.is_null() => "N".into(),
            _ => value.clone(),
        };
        row.push((field.name.to_owned(), value));
    }
    if select.multifields && card.kind.has_multifields() {
        let fm = match multifields {
            Some(fm) => fm,
            None => multifield::read(call.tx, card)?,
        };
        row.push(("fm".to_owned(), fm));
    }
    Ok(Php::Array(row))
}

/// One part of a filter.
enum Condition<'p> {
    Compare {
        field: &'static Field,
        operator: Operator,
        operand: &'p Php,
    },
    /// A group with `logic: OR`.
    Any(Vec<Vec<Condition<'p>>>),
    /// A group without.
    All(Vec<Condition<'p>>),
}

impl Condition<'_> {
    fn holds(&self, card: &Card) -> bool {
        match self {
            Condition::Compare { field, operator, operand } => {
                filter::passes(card.fields.get(field.name), field.form, *operator, operand)
            }
            Condition::Any(groups) => {
                groups.iter().any(|group| group.iter().all(|one| one.holds(card)))
            }
            Condition::All(group) => group.iter().all(|one| one.holds(card)),
        }
    }
}

/// Reads a filter; what cannot be asked of this kind of card is refused, not dropped
/// [D: crm-item-list].
fn conditions(kind: Kind, filter: &Php) -> Result<Vec<Condition<'_>>, Fault> {
    let mut conditions = Vec::new();
    for (key, operand) in filter.entries() {
        if key.eq_ignore_ascii_case("logic") {
            continue;
        }
        if operand.is_array() && key.bytes().all(|byte| byte.is_ascii_digit()) {
            conditions.push(group(kind, operand)?);
            continue;
        }
        let (operator, name) = filter::split(key);
        let Some(field) = fields::field(kind, name).filter(|field| field.name != "entityTypeId")
        else {
            let text = format!("Invalid filter: field '{name}' is not allowed in filter");
            return Err(Fault::coded("INVALID_ARG_VALUE", text));
        };
        if field.form == Form::Time && !readable_time(operand) {
            let text = format!("Invalid filter: field '{name}' has invalid value");
            return Err(Fault::coded("INVALID_ARG_VALUE", text));
        }
        conditions.push(Condition::Compare { field, operator, operand });
    }
    Ok(conditions)
}

fn group(kind: Kind, filter: &Php) -> Result<Condition<'_>, Fault> {
    let logic = filter.entries().iter().find(|(key, _)| key.eq_ignore_ascii_case("logic"));
    let is_or = logic.is_some_and(|(_, value)| value.text().eq_ignore_ascii_case("OR"));
    let group = conditions(kind, filter)?;
    if is_or {
        return Ok(Condition::Any(group.into_iter().map(|one| vec![one]).collect()));
    }
    Ok(Condition::All(group))
}

fn readable_time(operand: &Php) -> bool {
    let readable = |one: &Php| {
        let text = one.text();
        text.is_empty() || moment::read(&text).is_some()
    };
    if operand.is_array() { operand.values().all(readable) } else { readable(operand) }
}

fn order(kind: Kind, order: &Php) -> Result<Vec<(&'static Field, bool)>, Fault> {
    let mut fields = Vec::new();
    for (name, direction) in order.entries() {
        let Some(field) = fields::field(kind, name) else {
            let text = format!("Invalid order: field '{name}' is not allowed in order");
            return Err(Fault::coded("INVALID_ARG_VALUE", text));
        };
        let descending = match direction.text().to_ascii_uppercase().as_str() {
            "ASC" => false,
            "DESC" => true,
            _ => {
                let text = "Invalid order: allowed sort directions are ASC, DESC";
                return Err(Fault::coded("INVALID_ARG_VALUE", text));
            }
        };
        fields.push((field, descending));
    }
    Ok(fields)
}

/// The most selective question among the conditions. All of them are compared afterwards all the same.
fn narrow(conditions: &[Condition<'_>]) -> Narrow {
    let mut narrow = Narrow::All;
    for condition in conditions {
        let Condition::Compare { field, operator, operand } = condition else { continue };
        match (field.name, operator) {
            ("id", Operator::Equal) if operand.is_array() => {
                return Narrow::Ids(operand.values().map(Php::int).collect());
            }
            ("id", Operator::Equal) => return Narrow::Ids(vec![operand.int()]),
            _ if matches!(operand, Php::Array(_) | Php::Null) => {}
            // The index knows case and the collation does not: only what has no case can be asked.
            ("originId", Operator::Equal) if is_hash(&operand.text()) => {
                return Narrow::Origin(operand.text());
            }
            ("leadId", Operator::Equal) if operand.int() > 0 => {
                narrow = Narrow::Lead(operand.int());
            }
            ("contactId" | "contactIds", Operator::Equal) if operand.int() > 0 => {
                narrow = Narrow::Contact(operand.int());
            }
            ("companyId", Operator::Equal) if operand.int() > 0 => {
                narrow = Narrow::Company(operand.int());
            }
            ("updatedTime", Operator::GreaterOrEqual | Operator::Greater) => {
                if let (Narrow::All, Some(at)) = (&narrow, moment::read(&operand.text())) {
                    narrow = Narrow::ChangedSince(at);
                }
            }
            ("id", Operator::Greater) if narrow == Narrow::All => {
                narrow = Narrow::Above(operand.int());
            }
            _ => {}
        }
    }
    narrow
}

/// Lower-case hex, as our own origin ids are: its other spellings are nobody's.
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
