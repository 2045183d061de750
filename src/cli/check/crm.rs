//! What `check` finds about the CRM: access, scopes, mode, employees, rights, and whether the CRM
//! reads the same mail itself.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::finding::Finding;
use crate::card::Employee;
use crate::config::Mailbox;
use crate::crm::bitrix24::Portal;
use crate::crm::{Crm, Failure, Fate};
use crate::rules::Creation;
use crate::unix_now;

/// What the CRM's own mail integration writes as ORIGINATOR_ID of leads it makes (as
/// seen on a portal).
const NATIVE: &str = "email-tracker";
/// Leads made by it longer ago say nothing about today. Seconds.
const RECENT: i64 = 30 * 86_400;

/// Asks the portal; with its employees if it named them.
pub(super) async fn findings(
    portal: &Portal,
    mailboxes: &[&Mailbox],
) -> (Vec<Finding>, Option<HashMap<u64, Employee>>) {
    let host = portal.host_and_port();
    let profile = match portal.raw_call("profile", json!({})).await {
        Ok(profile) => profile,
        // Without access every further question would fail in the same way.
        Err(failure) => return (vec![no_access(&host, &failure)], None),
    };
    let mut findings = vec![Finding::ok(None, "crm-access", webhook(&host, &profile))];
    let scopes = portal.raw_call("scope", json!({})).await.ok().as_ref().and_then(texts);
    findings.extend(scopes.as_ref().and_then(scope));
    let has_leads = match portal.has_leads().await {
        Ok(has_leads) => {
            findings.push(mode(has_leads, mailboxes));
            has_leads
        }
        Err(failure) => {
            findings.push(failed("crm-mode", "cannot ask for the mode", &failure));
            true
        }
    };
    let employees = match portal.employees().await {
        Ok(employees) => {
            findings.push(directory(&employees));
            Some(employees.into_iter().map(|one| (one.id, one)).collect())
        }
        Err(failure) => {
            findings.push(failed("crm-employees", "cannot ask for the employees", &failure));
            None
        }
    };
    findings.push(rights(portal, has_leads).await);
    findings.extend(sources(portal, mailboxes).await);
    let asked_for_mail = scopes.is_some_and(|scopes| scopes.contains("mail"));
    findings.extend(natively_connected(portal, asked_for_mail, mailboxes).await);
    findings.extend(natively_made(portal, has_leads).await);
    (findings, employees)
}

fn webhook(host: &str, profile: &Value) -> String {
    let text = |key| profile.get(key).and_then(Value::as_str).unwrap_or_default();
    let id = number(profile.get("ID")).map(|id| id.to_string()).unwrap_or_default();
    let name = format!("{} {}", text("NAME"), text("LAST_NAME"));
    format!("CRM {host}, as employee {id}, {}", name.trim())
}

fn number(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The words of a list; `None` for anything else.
fn texts(value: &Value) -> Option<BTreeSet<String>> {
    let list = value.as_array()?;
    Some(list.iter().filter_map(|one| Some(one.as_str()?.to_owned())).collect())
}

fn no_access(host: &str, failure: &Failure) -> Finding {
    let text = format!("CRM {host}: {failure}");
    Finding::fail(None, "crm-access", text, mend_of(failure))
}

fn failed(code: &'static str, doing: &str, failure: &Failure) -> Finding {
    Finding::fail(None, code, format!("{doing}: {failure}"), mend_of(failure))
}

/// What to do about a call that did not work.
fn mend_of(failure: &Failure) -> &'static str {
    match failure.code.as_str() {
        "INVALID_CREDENTIALS" | "NO_AUTH_FOUND" | "invalid_token" | "authorization_error" => {
            return "make an inbound webhook anew in the portal and put its URL into the file that \
                    crm.url_file names";
        }
        "insufficient_scope" => {
            return "give the inbound webhook the scopes crm and user_basic in the portal";
        }
        "PAYMENT_REQUIRED" | "WRONG_LICENSE" => {
            return "renew the portal's subscription: its plan does not allow REST";
        }
        "OVERLOAD_LIMIT" => return "ask the portal's support: REST was blocked by hand",
        "PORTAL_DELETED" => return "name the portal that exists in crm.url_file",
        "user_access_error" | "allowed_only_intranet_user" => {
            return "let an active employee of the portal make the inbound webhook";
        }
        _ => {}
    }
    match failure.fate {
        Fate::Deferred { .. } => {
            "look at the portal and the network; the daemon keeps trying by itself"
        }
        Fate::Blocked { .. } => "mend in the portal what it says; the daemon keeps trying slowly",
        Fate::Refused | Fate::CardGone => "give the webhook's employee the right in the portal",
    }
}

fn scope(scopes: &BTreeSet<String>) -> Option<Finding> {
    let has = |scope: &str| scopes.contains(scope);
    let mut missing = Vec::new();
    if !has("crm") {
        missing.push("crm");
    }
    // `user_brief` shows no addresses, so that employees would be taken for clients.
    if !has("user") && !has("user_basic") {
        missing.push("user_basic");
    }
    if missing.is_empty() {
        let used = ["crm", "user", "user_basic", "mail"].into_iter().filter(|one| has(one));
        let text = format!("scopes {}", used.collect::<Vec<_>>().join(", "));
        return Some(Finding::ok(None, "crm-scope", text));
    }
    let missing = missing.join(" and ");
    Some(Finding::fail(
        None,
        "crm-scope",
        format!("the webhook lacks the scope {missing}"),
        &format!("give the inbound webhook the scope {missing} in the portal"),
    ))
}

fn mode(has_leads: bool, mailboxes: &[&Mailbox]) -> Finding {
    if has_leads {
        return Finding::ok(None, "crm-mode", "classic mode: the CRM works with leads".to_owned());
    }
    let leads = mailboxes.iter().any(|mailbox| {
        mailbox.crm.on_incoming == Creation::Lead || mailbox.crm.on_outgoing == Creation::Lead
    });
    let made = if leads { "; where a lead is wanted, a contact and a deal are made" } else { "" };
    Finding::ok(None, "crm-mode", format!("simple mode: the CRM works without leads{made}"))
}

fn directory(employees: &[Employee]) -> Finding {
    let active = employees.iter().filter(|one| one.active).count();
    let addresses = employees.iter().filter(|one| one.active && one.email.is_some()).count();
    if active > 0 && addresses == 0 {
        return Finding::warn(
            None,
            "crm-employees",
            format!(
                "{active} active employees, none with a mail address: their mail counts as a \
                     client's"
            ),
            "give the inbound webhook the scope user_basic, or name the domains in \
             crm.internal_domains",
        );
    }
    Finding::ok(None, "crm-employees", format!("the CRM names {active} active employees"))
}

/// Cards that cannot be read are parked, and clients that cannot be found are made twice.
async fn rights(portal: &Portal, has_leads: bool) -> Finding {
    let kinds = [("leads", 1), ("deals", 2), ("contacts", 3), ("companies", 4)];
    let mut denied = Vec::new();
    for (name, entity_type) in kinds.into_iter().filter(|(_, kind)| has_leads || *kind != 1) {
        let asked = json!({ "entityTypeId": entity_type, "select": ["id"], "start": -1 });
        match portal.raw_call("crm.item.list", asked).await {
            Ok(_) => {}
            Err(failure) => match failure.fate {
                Fate::Deferred { .. } => {
                    return failed("crm-rights", "cannot ask for cards", &failure);
                }
                Fate::Blocked { .. } | Fate::Refused | Fate::CardGone => denied.push(name),
            },
        }
    }
    if denied.is_empty() {
        let text = "the webhook's employee may read leads, deals, contacts and companies";
        let text = if has_leads { text.to_owned() } else { text.replace("leads, ", "") };
        return Finding::ok(None, "crm-rights", text);
    }
    Finding::fail(
        None,
        "crm-rights",
        format!("the webhook's employee may not read {}", denied.join(", ")),
        "give that employee a role with all rights to read, add and change these cards",
    )
}

/// Whether the sources of new cards are in the portal's list.
async fn sources(portal: &Portal, mailboxes: &[&Mailbox]) -> Vec<Finding> {
    let asked = json!({ "filter": { "ENTITY_ID": "SOURCE" } });
    let listed = match portal.raw_call("crm.status.list", asked).await {
        Ok(listed) => listed,
        Err(failure) => {
            return vec![failed("crm-sources", "cannot ask for the sources", &failure)];
        }
    };
    let known: BTreeSet<&str> = listed
        .as_array()
        .into_iter()
        .flatten()
        .filter(|row| row.get("ENTITY_ID").and_then(Value::as_str) == Some("SOURCE"))
        .filter_map(|row| row.get("STATUS_ID")?.as_str())
        .collect();
    mailboxes
        .iter()
        .filter(|mailbox| mailbox.crm.enabled && !known.contains(mailbox.crm.source.as_str()))
        .map(|mailbox| unknown_source(mailbox, &known))
        .collect()
}

fn unknown_source(mailbox: &Mailbox, known: &BTreeSet<&str>) -> Finding {
    let known: Vec<&str> = known.iter().copied().collect();
    Finding::warn(
        Some(&mailbox.name),
        "source-unknown",
        format!("crm.source {} is not in the CRM's list of sources", mailbox.crm.source),
        &format!("set crm.source to one of {}", known.join(", ")),
    )
}

/// Mailboxes that are connected inside the CRM too. The webhook sees those of its employee only;
/// where it cannot ask, nothing is said.
async fn natively_connected(
    portal: &Portal,
    may_ask: bool,
    mailboxes: &[&Mailbox],
) -> Vec<Finding> {
    if !may_ask {
        return Vec::new();
    }
    let Ok(listed) = portal.raw_call("mail.mailbox.list", json!({})).await else {
        return Vec::new();
    };
    let text = listed.to_string().to_lowercase();
    mailboxes
        .iter()
        .filter(|mailbox| text.contains(&format!("\"{}\"", mailbox.address)))
        .map(|mailbox| {
            Finding::warn(
                Some(&mailbox.name),
                "connected-natively",
                format!(
                    "{} is connected inside Bitrix24 too: mail is filed twice",
                    mailbox.address
                ),
                "switch off \"Link to CRM\" for this mailbox in Bitrix24's mail settings",
            )
        })
        .collect()
}

/// Leads that the CRM's own mail integration made lately.
async fn natively_made(portal: &Portal, has_leads: bool) -> Option<Finding> {
    if !has_leads {
        return None;
    }
    let asked = json!({
        "entityTypeId": 1,
        "filter": { "originatorId": NATIVE },
        "select": ["id", "originatorId", "createdTime"],
        "order": { "id": "DESC" },
        "start": -1,
    });
    // Rights and access were judged above.
    let listed = portal.raw_call("crm.item.list", asked).await.ok()?;
    native_lead(&listed, unix_now())
}

fn native_lead(listed: &Value, now: i64) -> Option<Finding> {
    let rows = listed.get("items")?.as_array()?;
    let row =
        rows.iter().find(|row| row.get("originatorId").and_then(Value::as_str) == Some(NATIVE))?;
    let made: Timestamp = row.get("createdTime")?.as_str()?.parse().ok()?;
    if made.as_second() < now.saturating_sub(RECENT) {
        return None;
    }
    let id = number(row.get("id"))?;
    Some(Finding::warn(
        None,
        "native-integration",
        format!(
            "Bitrix24's own mail integration makes leads too (lead {id}, {made}): a mailbox that \
             is connected there as well is filed twice"
        ),
        "switch off \"Link to CRM\" in Bitrix24's mail settings for the mailboxes configured here",
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn scopes_that_are_missing_are_named() {
        #[rustfmt::skip]
        let cases: [(&str, &[&str], Level, &str); 6] = [
            ("both",        &["crm", "user"],       Level::Ok,   "scopes crm, user"),
            ("basic",       &["crm", "user_basic"], Level::Ok,   "scopes crm, user_basic"),
            ("brief",       &["crm", "user_brief"], Level::Fail, "lacks the scope user_basic"),
            ("only crm",    &["crm"],               Level::Fail, "lacks the scope user_basic"),
            ("without crm", &["user"],              Level::Fail, "lacks the scope crm"),
            ("none",        &[],                    Level::Fail, "lacks the scope crm and user_basic"),
        ];
        for (name, scopes, level, words) in cases {
            let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
            let finding = scope(&scopes).unwrap();
            assert_eq!(finding.level, level, "{name}");
            assert!(finding.text.contains(words), "{name}: {}", finding.text);
        }
    }

    #[test]
    fn call_that_did_not_work_has_its_mend() {
        let deferred = Fate::Deferred { retry_after: None, ambiguous: false, suspect: false };
        let blocked = Fate::Blocked { retry_after: None };
        #[rustfmt::skip]
        let cases = [
            ("INVALID_CREDENTIALS", blocked.clone(), "make an inbound webhook anew"),
            ("insufficient_scope",  blocked.clone(), "scopes crm and user_basic"),
            ("PAYMENT_REQUIRED",    blocked.clone(), "subscription"),
            ("network",             deferred,      "the network"),
            ("ODD_CODE",            blocked.clone(), "what it says"),
            ("ACCESS_DENIED",       Fate::Refused, "the right"),
        ];
        for (code, fate, words) in cases {
            let failure = Failure {
                method: "profile".to_owned(),
                code: code.to_owned(),
                text: String::new(),
                fate,
            };
            assert!(mend_of(&failure).contains(words), "{code}");
        }
    }

    #[test]
    fn webhook_is_told_by_its_employee() {
        let profile = json!({ "ID": "7", "NAME": "Ana", "LAST_NAME": "Ruiz" });
        assert_eq!(
            webhook("b.example:443", &profile),
            "CRM b.example:443, as employee 7, Ana Ruiz"
        );
    }

    #[test]
    fn leads_of_the_crms_own_integration_are_found_while_they_are_recent() {
        let row = |originator: &str, made: &str| json!({ "items": [{ "id": 5, "originatorId": originator, "createdTime": made }] });
        let now = "2024-05-20T00:00:00Z".parse::<Timestamp>().unwrap().as_second();
        #[rustfmt::skip]
        let cases = [
            ("recent",          row(NATIVE, "2024-05-02T10:15:00+03:00"),    true),
            ("long ago",        row(NATIVE, "2023-05-02T10:15:00+03:00"),    false),
            ("filter ignored",  row("mailcrm", "2024-05-02T10:15:00+03:00"), false),
            ("none",            json!({ "items": [] }),                      false),
            ("no list",         json!("?"),                                  false),
        ];
        for (name, listed, found) in cases {
            assert_eq!(native_lead(&listed, now).is_some(), found, "{name}");
        }
    }

    #[test]
    fn employees_without_addresses_are_warned_of() {
        let employee = |email: Option<&str>| Employee {
            id: 1,
            name: String::new(),
            email: email.map(str::to_owned),
            active: true,
        };
        assert_eq!(directory(&[employee(Some("a@example.com"))]).level, Level::Ok);
        assert_eq!(directory(&[employee(None)]).level, Level::Warn);
    }
}
