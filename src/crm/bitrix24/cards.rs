//! Writes cards: what a new one holds, and what an old contact still lacks. Pure.
//!
//! All of it is text from a mail, and so a call of its own, in JSON.

use serde_json::{Map, Value, json};

use crate::card::CardKind;
use crate::crm::{CardDraft, ContactFacts};

use super::answers::{ContactRow, entity_type};
use super::limits;
use super::multifields::Multifields;

/// Makes a card. `cloud`: the portal's database holds every character of Unicode.
pub fn make_card(draft: &CardDraft, originator: &str, cloud: bool) -> (&'static str, Value) {
    let line = |text: &str, max| limits::line(text, max, cloud);
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("assignedById", draft.responsible.into());
    put("sourceId", draft.source.as_str().into());
    put("sourceDescription", line(&draft.source_description, limits::SOURCE_DESCRIPTION).into());
    put("originatorId", originator.into());
    put("originId", draft.origin.0.as_str().into());

    let name = limits::first_text([
        line(&draft.name, limits::NAME),
        line(draft.email.as_deref().unwrap_or_default(), limits::NAME),
        // Simple mode converts a lead only if it has a name (tutorial on CRM modes).
        "?".to_owned(),
    ]);
    match draft.kind {
        CardKind::Lead => {
            let title = line(&draft.title, limits::TITLE);
            put("title", limits::first_text([title, name.clone()]).into());
        }
        CardKind::Deal => {
            put(
                "title",
                limits::first_text([line(&draft.title, limits::TITLE), name.clone()]).into(),
            );
        }
        CardKind::Company => {
            put(
                "title",
                limits::first_text([line(&draft.name, limits::TITLE), name.clone()]).into(),
            );
        }
        CardKind::Contact => {}
    }
    match draft.kind {
        CardKind::Lead | CardKind::Contact => {
            if let Some(last_name) = last_name(&draft.last_name, &name, cloud) {
                put("lastName", last_name.into());
            }
            if let Some(post) = said(line(&draft.post, limits::POST)) {
                put("post", post.into());
            }
            put("name", name.into());
        }
        CardKind::Company | CardKind::Deal => {}
    }
    match draft.kind {
        CardKind::Lead | CardKind::Contact | CardKind::Company => {
            let mut list = Multifields::new(&[], cloud);
            let mut comments = None;
            if let Some(email) = draft.email.as_deref().map(limits::one_line)
                && !email.is_empty()
                && !list.put_first_email(email.clone())
            {
                comments = Some(email);
            }
            list.put_emails(&draft.more_emails);
            list.put_phones(&draft.phones);
            if let Some(fm) = list.written() {
                put("fm", fm);
            }
            if draft.kind == CardKind::Contact && comments.is_none() {
                comments = said(line(&draft.organisation, limits::COMMENTS));
            }
            if let Some(comments) = comments {
                put("comments", comments.into());
            }
        }
        // Deals bear no address.
        CardKind::Deal => {}
    }
    if let Some(client) = draft.client {
        match client.kind {
            CardKind::Contact => {
                put("contactId", client.id.into());
            }
            CardKind::Company => {
                put("companyId", client.id.into());
            }
            // A lead or deal is nobody's client.
            CardKind::Lead | CardKind::Deal => {}
        }
    }
    ("crm.item.add", json!({ "entityTypeId": entity_type(draft.kind), "fields": fields }))
}

/// A call that changes a contact, and what it adds, in words.
pub type Completion = ((&'static str, Value), Vec<String>);

/// Adds to a contact what it lacks; `None` if that is nothing.
///
/// Only empty fields are filled, and multifields go without a number: those with one would change what is there.
pub fn complete_contact(
    contact: u64,
    row: &ContactRow,
    facts: &ContactFacts,
    cloud: bool,
) -> Option<Completion> {
    let mut fields = Map::new();
    let mut added = Vec::new();
    let mut fill = |key: &str, word: &str, text: String| {
        added.push(format!("{word} {text}"));
        fields.insert(key.to_owned(), text.into());
    };
    let mut name = row.name.clone();
    if name.is_empty()
        && let Some(given) = said(limits::line(&facts.name, limits::NAME, cloud))
        && !says(&row.last_name, &given)
    {
        name.clone_from(&given);
        // The portal puts a blank between them.
        let room = limits::FULL_NAME.saturating_sub(row.last_name.chars().count() + 1);
        fill("name", "name", limits::cut(&given, room.min(limits::NAME)));
    }
    if row.last_name.is_empty()
        && let Some(last_name) = last_name(&facts.last_name, &name, cloud)
    {
        fill("lastName", "last name", last_name);
    }
    if row.post.is_empty()
        && let Some(post) = said(limits::line(&facts.post, limits::POST, cloud))
    {
        fill("post", "post", post);
    }
    if let Some(there) = &row.multifields {
        let mut list = Multifields::new(there, cloud);
        list.put_emails(&facts.emails);
        list.put_phones(&facts.phones);
        added.extend(list.in_words());
        if let Some(fm) = list.written() {
            fields.insert("fm".to_owned(), fm);
        }
    }
    if fields.is_empty() {
        return None;
    }
    let body = json!({
        "entityTypeId": entity_type(CardKind::Contact),
        "id": contact,
        "fields": fields,
    });
    Some((("crm.item.update", body), added))
}

/// The text, if there is something to see in it.
fn said(text: String) -> Option<String> {
    Some(limits::first_text([text, String::new()])).filter(|text| !text.is_empty())
}

/// A family name that fits beside the name, unless the name says it already, as a display name does.
fn last_name(text: &str, name: &str, cloud: bool) -> Option<String> {
    let room = limits::FULL_NAME.saturating_sub(name.chars().count() + 1);
    let last_name = said(limits::line(text, room.min(limits::NAME), cloud))?;
    (!says(name, &last_name)).then_some(last_name)
}

/// Whether a text has the words of another in it, in their order, whatever their case.
fn says(text: &str, words: &str) -> bool {
    let spaced = |text: &str| {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        format!(" {} ", words.join(" "))
    };
    spaced(text).contains(&spaced(words))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
    use super::*;
    use crate::card::CardRef;
    use crate::crm::OriginId;
    use crate::crm::bitrix24::gate;
    use crate::message::{Phone, PhoneKind};
    use proptest::prelude::*;

    fn lead() -> CardDraft {
        CardDraft {
            kind: CardKind::Lead,
            origin: OriginId("0f".repeat(32)),
            title: "Presupuesto".into(),
            name: "Ana Ruiz".into(),
            email: Some("ana@cliente.es".into()),
            responsible: 6,
            source: "EMAIL".into(),
            source_description: "ventas@nosotros.es".into(),
            client: None,
            last_name: String::new(),
            more_emails: vec![],
            phones: vec![],
            post: String::new(),
            organisation: String::new(),
        }
    }

    fn phone(kind: PhoneKind, number: &str) -> Phone {
        Phone { kind, number: number.into() }
    }

    fn fields(draft: &CardDraft, cloud: bool) -> Value {
        make_card(draft, "mailcrm", cloud).1["fields"].clone()
    }

    #[test]
    fn a_lead_has_name_address_source_and_origin() {
        let (method, body) = make_card(&lead(), "mailcrm", true);
        assert_eq!(method, "crm.item.add");
        assert_eq!(
            body,
            json!({"entityTypeId": 1, "fields": {
                "title": "Presupuesto", "name": "Ana Ruiz", "sourceId": "EMAIL",
                "sourceDescription": "ventas@nosotros.es", "assignedById": 6,
                "originatorId": "mailcrm", "originId": "0f".repeat(32),
                "fm": [{"typeId": "EMAIL", "valueType": "WORK", "value": "ana@cliente.es"}],
            }})
        );
    }

    #[test]
    fn a_contact_of_a_vcard_has_all_that_it_says() {
        let draft = CardDraft {
            kind: CardKind::Contact,
            name: "Ana".into(),
            last_name: "Ruiz".into(),
            more_emails: vec!["Ana@Casa.ES".into(), "ana@cliente.es".into(), "nobody".into()],
            phones: vec![
                phone(PhoneKind::Mobile, "+34 600 000 000"),
                phone(PhoneKind::Fax, "(+34) 600-000-000"),
                phone(PhoneKind::Home, "n/a"),
                phone(PhoneKind::Other, "+34 91\r\n0"),
            ],
            post: "Compras".into(),
            organisation: "Cliente S.L.".into(),
            ..lead()
        };
        let made = fields(&draft, true);
        #[rustfmt::skip]
        let cases = [
            ("name", json!("Ana")), ("lastName", json!("Ruiz")), ("post", json!("Compras")), ("comments", json!("Cliente S.L.")),
            ("fm", json!([
                {"typeId": "EMAIL", "valueType": "WORK", "value": "ana@cliente.es"},
                {"typeId": "EMAIL", "valueType": "WORK", "value": "ana@casa.es"},
                {"typeId": "PHONE", "valueType": "MOBILE", "value": "+34 600 000 000"},
                {"typeId": "PHONE", "valueType": "OTHER", "value": "+34 91  0"},
            ])),
        ];
        for (key, expected) in cases {
            assert_eq!(made[key], expected, "{key}");
        }
        let deal = fields(&CardDraft { kind: CardKind::Deal, ..draft.clone() }, true);
        for key in ["name", "lastName", "post", "fm", "comments"] {
            assert_eq!(deal.get(key), None, "{key} of a deal");
        }
        let lead = fields(&CardDraft { kind: CardKind::Lead, ..draft }, true);
        assert_eq!((&lead["lastName"], lead.get("comments")), (&json!("Ruiz"), None));
    }

    #[test]
    fn cards_fit_into_their_columns() {
        let long = format!("{}@cliente.es", "a".repeat(250));
        let fat = CardDraft {
            title: "t".repeat(300),
            name: "n".repeat(80),
            email: Some(long.clone()),
            ..lead()
        };
        let made = fields(&fat, true);
        assert_eq!(made["title"].as_str().unwrap().chars().count(), 255);
        assert_eq!(made["name"].as_str().unwrap().chars().count(), 50);
        assert_eq!((made.get("fm"), made["comments"].as_str()), (None, Some(long.as_str())));

        // What a person is called by does not give way to where they work.
        let contact = CardDraft { kind: CardKind::Contact, organisation: "Cliente".into(), ..fat };
        assert_eq!(fields(&contact, true)["comments"], long);

        let festive = CardDraft { title: "🎉 Oferta".into(), name: "🎉".into(), ..lead() };
        assert_eq!(fields(&festive, true)["title"], "🎉 Oferta");
        assert_eq!(fields(&festive, false)["title"], "Oferta");
        assert_eq!(fields(&festive, false)["name"], "ana@cliente.es", "a lead always has a name");

        let unseen =
            CardDraft { title: "\u{200f}\u{200b}".into(), name: "\u{202e}".into(), ..lead() };
        assert_eq!(fields(&unseen, true)["title"], "ana@cliente.es");
        assert_eq!(fields(&unseen, true)["name"], "ana@cliente.es");
    }

    #[test]
    fn a_deal_has_its_client_and_no_address() {
        let client = Some(CardRef { kind: CardKind::Company, id: 9 });
        let (_, body) = make_card(&CardDraft { kind: CardKind::Deal, client, ..lead() }, "m", true);
        let fields = &body["fields"];
        assert_eq!((&body["entityTypeId"], &fields["companyId"]), (&json!(2), &json!(9)));
        assert!(fields.get("fm").is_none() && fields.get("name").is_none());
    }

    #[test]
    fn a_family_name_stands_beside_the_name_once() {
        #[rustfmt::skip]
        let cases = [
            ("apart",             "Ana",      "Ruiz",     Some("Ruiz")),
            ("in the name",       "Ana Ruiz", "ruiz",     None),
            ("first in it",       "Ruiz Ana", "Ruiz",     None),
            ("two words in it",   "Ana de  la Cruz", "de la Cruz", None),
            ("part of a word",    "Ana Ruizana", "Ruiz",  Some("Ruiz")),
            ("nothing",           "Ana",      " ",        None),
            ("nothing to see",    "Ana",      "\u{200f}", None),
        ];
        for (case, name, last, expected) in cases {
            assert_eq!(last_name(last, name, true).as_deref(), expected, "{case}");
        }
        let (name, last) =
            ("n".repeat(50), last_name(&"l".repeat(60), &"n".repeat(50), true).unwrap());
        assert_eq!(format!("{name} {last}").chars().count(), limits::FULL_NAME);
    }

    fn row(name: &str, fm: Option<&[(&str, &str)]>) -> ContactRow {
        let fm = fm.map(|fm| fm.iter().map(|(t, v)| ((*t).to_owned(), (*v).to_owned())).collect());
        ContactRow { name: name.into(), multifields: fm, ..ContactRow::default() }
    }

    #[test]
    fn a_contact_gets_what_it_lacks() {
        let facts = ContactFacts {
            name: "Ana".into(),
            last_name: "Ruiz".into(),
            emails: vec!["ANA@Cliente.es".into(), "ana@casa.es".into()],
            phones: vec![
                phone(PhoneKind::Mobile, "+34 600 000 000"),
                phone(PhoneKind::Work, "34-600-000-000"),
            ],
            post: "Compras".into(),
            organisation: "Cliente S.L.".into(),
        };
        let whole = ContactRow {
            name: "Anita".into(),
            last_name: "R.".into(),
            post: "Ventas".into(),
            multifields: Some(vec![
                ("EMAIL".into(), " Ana@CLIENTE.es".into()),
                ("EMAIL".into(), "ana@casa.es".into()),
                ("PHONE".into(), "0034".into()),
                ("PHONE".into(), "(34) 600000000".into()),
                ("WEB".into(), "cliente.es".into()),
            ]),
        };
        let fm_there: &[(&str, &str)] = &[("EMAIL", "ana@cliente.es")];
        #[rustfmt::skip]
        let cases: &[(&str, ContactRow, &[&str])] = &[
            ("nothing",       whole.clone(), &[]),
            ("its post",      ContactRow { post: String::new(), ..whole.clone() }, &["post Compras"]),
            ("all",           row("", Some(&[])), &["name Ana", "last name Ruiz", "post Compras", "e-mail ana@cliente.es",
                "e-mail ana@casa.es", "phone +34 600 000 000"]),
            ("the rest",      row("Ana Ruiz", Some(fm_there)), &["post Compras", "e-mail ana@casa.es", "phone +34 600 000 000"]),
            ("not told what it has", row("Ana Ruiz", None), &["post Compras"]),
        ];
        for (case, row, expected) in cases {
            let done = complete_contact(275, row, &facts, true);
            let added = done.as_ref().map(|(_, added)| added.as_slice()).unwrap_or_default();
            assert_eq!(added, *expected, "{case}");
            assert_eq!(done.is_none(), expected.is_empty(), "{case}: no call for nothing");
            if let Some(((method, body), _)) = done {
                assert_eq!(gate::check(method, body.to_string().as_bytes()), Ok(()), "{case}");
            }
        }
        let ((method, body), _) =
            complete_contact(275, &row("Ana", Some(fm_there)), &facts, true).unwrap();
        assert_eq!(method, "crm.item.update");
        assert_eq!(
            body,
            json!({"entityTypeId": 3, "id": 275, "fields": {"lastName": "Ruiz", "post": "Compras", "fm": [
                {"typeId": "EMAIL", "valueType": "WORK", "value": "ana@casa.es"},
                {"typeId": "PHONE", "valueType": "MOBILE", "value": "+34 600 000 000"},
            ]}})
        );
        assert_eq!(
            complete_contact(275, &row("", Some(&[])), &ContactFacts::default(), true),
            None
        );
    }

    #[test]
    fn a_vcard_of_thousands_of_numbers_adds_a_few() {
        let facts = ContactFacts {
            phones: (0..5000).map(|n| phone(PhoneKind::Work, &format!("+34 {n}"))).collect(),
            emails: (0..5000).map(|n| format!("a{n}@x.example")).collect(),
            ..ContactFacts::default()
        };
        let (_, added) =
            complete_contact(1, &row("Ana", Some(&[("PHONE", "1")])), &facts, true).unwrap();
        assert_eq!(added.len(), 2 * limits::MULTIFIELDS - 1);
    }

    proptest! {
        /// Whatever a mail or a vCard says, it fits the columns, and only adds.
        #[test]
        fn any_text_fits(
            name in any::<String>(),
            last in ".{0,120}",
            email in any::<String>(),
            number in ".{0,300}",
            title in "(\\PC|🎉|e\u{301}|\u{200f}){0,400}",
            cloud in any::<bool>(),
        ) {
            let draft = CardDraft {
                title: title.clone(),
                name: name.clone(),
                last_name: last.clone(),
                email: Some(email.clone()),
                more_emails: vec![number.clone()],
                phones: vec![phone(PhoneKind::Work, &number)],
                post: title.clone(),
                organisation: title,
                ..lead()
            };
            for kind in [CardKind::Lead, CardKind::Contact, CardKind::Company, CardKind::Deal] {
                let made = fields(&CardDraft { kind, ..draft.clone() }, cloud);
                let length = |key: &str| made.get(key).map_or(0, |text| text.as_str().unwrap().chars().count());
                prop_assert!(length("title") <= 255 && length("name") <= 50 && length("lastName") <= 50);
                prop_assert!(length("post") <= 255 && length("name") + 1 + length("lastName") <= 100);
                for element in made.get("fm").and_then(Value::as_array).unwrap_or(&vec![]) {
                    prop_assert!((1..=250).contains(&element["value"].as_str().unwrap().chars().count()));
                }
                if matches!(kind, CardKind::Lead | CardKind::Contact) {
                    prop_assert!(!made["name"].as_str().unwrap().trim().is_empty());
                }
            }
            let facts = ContactFacts {
                name, last_name: last, emails: vec![email], phones: draft.phones, post: draft.post,
                organisation: String::new(),
            };
            if let Some(((method, body), added)) = complete_contact(1, &row("", Some(&[])), &facts, cloud) {
                prop_assert!(!added.is_empty());
                prop_assert!(gate::check(method, body.to_string().as_bytes()).is_ok());
            }
        }
    }
}
