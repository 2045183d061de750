//! Addresses and telephones that a card gets (`fm`), none of them twice. Pure.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::message::address::normalise;
use crate::message::{Phone, PhoneKind};

use super::limits;

const EMAIL: &str = "EMAIL";
const PHONE: &str = "PHONE";

/// New multifields of a card, none of which it has already.
pub struct Multifields {
    /// `typeId` and the form in which values are compared.
    there: HashSet<(&'static str, String)>,
    /// `typeId`, `valueType` and value.
    new: Vec<(&'static str, &'static str, String)>,
    cloud: bool,
}

impl Multifields {
    /// `there`: `typeId` and value of those that the card has.
    pub fn new(there: &[(String, String)], cloud: bool) -> Multifields {
        let known = |type_id: &str| [EMAIL, PHONE].into_iter().find(|known| *known == type_id);
        let there = there
            .iter()
            .filter_map(|(type_id, value)| {
                let type_id = known(type_id)?;
                Some((type_id, compared(type_id, value)))
            })
            .collect();
        Multifields { there, new: Vec::new(), cloud }
    }

    /// Adds a value unless it is there. `false` if it cannot be held.
    fn put(&mut self, type_id: &'static str, value_type: &'static str, value: String) -> bool {
        let of_type = self.there.iter().filter(|(other, _)| *other == type_id).count();
        if !limits::fits_multifield(&value) || of_type >= limits::MULTIFIELDS {
            return false;
        }
        if self.there.insert((type_id, compared(type_id, &value))) {
            self.new.push((type_id, value_type, value));
        }
        true
    }

    /// The address by which the card is made, as it is. `false` if it cannot be held.
    pub fn put_first_email(&mut self, email: String) -> bool {
        self.put(EMAIL, "WORK", email)
    }

    /// In their normal form: the portal finds addresses by what is written, but for the case.
    pub fn put_emails(&mut self, emails: &[String]) {
        for email in emails.iter().filter_map(|email| normalise(email)).take(limits::MULTIFIELDS) {
            self.put(EMAIL, "WORK", email);
        }
    }

    pub fn put_phones(&mut self, phones: &[Phone]) {
        for phone in phones.iter().take(limits::MULTIFIELDS) {
            let number = limits::one_line(&phone.number);
            let number = if self.cloud { number } else { limits::basic_plane(&number) };
            // What has no digit is no number, and equals all that have none.
            if number.bytes().any(|b| b.is_ascii_digit()) {
                self.put(PHONE, value_type(phone.kind), number);
            }
        }
    }

    pub fn in_words(&self) -> Vec<String> {
        let word = |type_id| if type_id == PHONE { "phone" } else { "e-mail" };
        self.new.iter().map(|(type_id, _, value)| format!("{} {value}", word(*type_id))).collect()
    }

    /// As `fm` has them; `None` if there are none.
    pub fn written(&self) -> Option<Value> {
        let element = |(type_id, value_type, value): &(&str, &str, String)| json!({ "typeId": type_id, "valueType": value_type, "value": value });
        (!self.new.is_empty()).then(|| self.new.iter().map(element).collect())
    }
}

fn value_type(kind: PhoneKind) -> &'static str {
    match kind {
        PhoneKind::Work => "WORK",
        PhoneKind::Home => "HOME",
        PhoneKind::Mobile => "MOBILE",
        PhoneKind::Fax => "FAX",
        PhoneKind::Other => "OTHER",
    }
}

/// The form in which two values are the same: an address in normal form, the digits of a number.
fn compared(type_id: &str, value: &str) -> String {
    if type_id == PHONE {
        return value.chars().filter(char::is_ascii_digit).collect();
    }
    normalise(value).unwrap_or_else(|| value.trim().to_lowercase())
}
