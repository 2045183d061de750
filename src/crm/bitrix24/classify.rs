//! Whose turn it is after an answer that is not the wished one. Pure.
//!
//! Sorted by the code, then by the text (old CRM methods leave the code empty), then by the HTTP
//! status: 503 is both "slow down" and "blocked by hand", 500 both a fault and a deleted portal.
//! Source: Bitrix24 REST reference, "Error codes" and "Limits".

use std::time::Duration;

use crate::crm::Fate;

/// What a call does to the CRM, and so what is at stake when its answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Asks only: may be repeated at will.
    Reads,
    /// Creates or changes something.
    Writes,
    /// Creates or changes something on a card that the call names.
    WritesToCard,
}

impl Effect {
    fn changes(self) -> bool {
        match self {
            Effect::Reads => false,
            Effect::Writes | Effect::WritesToCard => true,
        }
    }
}

/// `OPERATION_TIME_LIMIT` counts over ten minutes: the longest wait until it gives way.
pub const OPERATING_WINDOW: Duration = Duration::from_secs(600);

const OVERLOAD: Duration = Duration::from_secs(3600);

const BLOCKED: Fate = Fate::Blocked { retry_after: None };

/// The portal cannot reach its own authorisation server: minutes, not seconds.
const PORTAL_OFFLINE: Duration = Duration::from_secs(120);

fn deferred(retry_after: Option<Duration>) -> Fate {
    Fate::Deferred { retry_after, ambiguous: false, suspect: false }
}

/// The call may have run, and the fault may lie in what it carried.
fn crashed(effect: Effect) -> Fate {
    Fate::Deferred { retry_after: None, ambiguous: effect.changes(), suspect: true }
}

/// The call may have run; the fault does not lie in it.
fn unanswered(effect: Effect) -> Fate {
    Fate::Deferred { retry_after: None, ambiguous: effect.changes(), suspect: false }
}

/// An answer that never came: timeout, reset, end of the connection.
pub fn lost(effect: Effect, sent: bool) -> Fate {
    if sent { unanswered(effect) } else { deferred(None) }
}

/// No rights on something, or it is missing: about one record, or about all that we do?
fn record(effect: Effect, general: Fate) -> Fate {
    match effect {
        Effect::WritesToCard => Fate::CardGone,
        Effect::Writes => Fate::Refused,
        Effect::Reads => general,
    }
}

/// "Access denied" in whatever spelling, about a record or a kind of records.
pub fn is_access_denied(code: &str, text: &str) -> bool {
    match code {
        "ACCESS_DENIED" => !is_subscription(text),
        "" | "0" => text.trim_start().to_ascii_lowercase().starts_with("access denied"),
        _ => false,
    }
}

/// "Not found" in whatever spelling.
pub fn is_not_found(code: &str, text: &str) -> bool {
    match code {
        "NOT_FOUND" | "OWNER_NOT_FOUND" | "ERROR_NOT_FOUND" => true,
        "" | "0" => {
            let text = text.trim_start().to_ascii_lowercase();
            text.starts_with("not found")
                || text.starts_with("could not find")
                || text.starts_with("activity is not found")
        }
        _ => false,
    }
}

/// A no to one method, whatever it is called for, which says nothing about the others: an old portal, a plan, a
/// role, an administrator.
pub fn is_about_method(code: &str) -> bool {
    matches!(
        code,
        "ERROR_METHOD_NOT_FOUND"
            | "WRONG_LICENSE"
            | "ACCESS_DENIED"
            | "METHOD_CONFIRM_WAITING"
            | "METHOD_CONFIRM_DENIED"
    )
}

fn is_subscription(text: &str) -> bool {
    text.to_ascii_lowercase().contains("subscription")
}

fn is_disk_quota(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("disk") && (text.contains("exhausted") || text.contains("quota"))
}

/// Sorts an error answer in JSON. `status` is 0 for a command inside a batch.
///
/// A `retry_after` for the two limits is the least that is certain; the wire knows better.
pub fn classify(effect: Effect, status: u16, code: &str, text: &str) -> Fate {
    // The activity was made; only the sending went wrong. We never ask for one, but an answer like this must
    // not make a second activity (REST reference, crm.activity.add).
    if text.trim_start().starts_with("Email send error") {
        return unanswered(effect);
    }
    // Under whatever code: the files find no room, the mail without them does.
    if is_disk_quota(text) {
        return Fate::Refused;
    }
    match code {
        "QUERY_LIMIT_EXCEEDED" => deferred(None),
        "OPERATION_TIME_LIMIT" => deferred(Some(OPERATING_WINDOW)),
        "expired_token" => deferred(None),
        "CONNECTION_ERROR" => deferred(Some(PORTAL_OFFLINE)),
        "INTERNAL_SERVER_ERROR"
        | "ERROR_UNEXPECTED_ANSWER"
        | "ERROR_CORE"
        | "WRONG_ENCODING"
        | "BITRIX_REST_V3_EXCEPTION_INTERNALEXCEPTION" => crashed(effect),
        // Stopped by the vendor by hand; to be asked hourly at most (REST reference, "Limits").
        "OVERLOAD_LIMIT" => Fate::Blocked { retry_after: Some(OVERLOAD) },
        // About us, never about this entry: key, plan, scope, kind of access, version of the portal.
        "PORTAL_DELETED"
        | "NO_AUTH_FOUND"
        | "INVALID_CREDENTIALS"
        | "invalid_token"
        | "insufficient_scope"
        | "user_access_error"
        | "authorization_error"
        | "APPLICATION_NOT_FOUND"
        | "PAYMENT_REQUIRED"
        | "INVALID_REQUEST"
        | "ERROR_METHOD_NOT_FOUND"
        | "WRONG_AUTH_TYPE"
        | "WRONG_LICENSE"
        | "METHOD_CONFIRM_WAITING"
        | "METHOD_CONFIRM_DENIED"
        | "allowed_only_intranet_user"
        | "CREATE_DYNAMIC_ITEM_RESTRICTED" => BLOCKED,
        // 403 is the plan or an administrator's method, 400 this record.
        "ACCESS_DENIED" if status == 403 || is_subscription(text) => BLOCKED,
        "ACCESS_DENIED" => record(effect, BLOCKED),
        "NOT_FOUND" | "OWNER_NOT_FOUND" | "ERROR_NOT_FOUND" => record(effect, Fate::Refused),
        "ERROR_BATCH_LENGTH_EXCEEDED"
        | "ERROR_BATCH_METHOD_NOT_ALLOWED"
        | "ERROR_MANIFEST_IS_NOT_AVAILABLE"
        | "ERROR_ARGUMENT"
        | "INVALID_ARG_VALUE"
        | "CRM_FIELD_ERROR_VALUE_NOT_VALID"
        | "WRONG_DATETIME_FORMAT"
        | "100" => Fate::Refused,
        _ => by_text(effect, status, code, text),
    }
}

/// The code is empty or one that no page names.
fn by_text(effect: Effect, status: u16, code: &str, text: &str) -> Fate {
    if is_access_denied(code, text) {
        return record(effect, BLOCKED);
    }
    if is_not_found(code, text) {
        return record(effect, Fate::Refused);
    }
    if text.to_ascii_lowercase().contains("quota") {
        return Fate::Refused;
    }
    match status {
        401 | 403 => BLOCKED,
        // Turned away before the method ran.
        429 => deferred(None),
        408 => unanswered(effect),
        500.. => crashed(effect),
        // An error of a command in a batch, or a handler's own answer with HTTP 200, is about what was asked.
        _ => Fate::Refused,
    }
}

/// Sorts an answer that is no JSON: a web server's page, a proxy's, a firewall's.
///
/// Not by the rule for codes: a firewall that dislikes one mail's words answers 403 too, and one mail must not
/// stop the others. Such an entry is tried again and, if others pass, refused after a while.
pub fn classify_page(effect: Effect, status: u16) -> Fate {
    match status {
        // A proxy wants a login, or there is no portal at this address.
        401 | 404 | 407 => BLOCKED,
        // The body is too large for the web server (`client_max_body_size`): it will be again.
        413 => Fate::Refused,
        429 => deferred(None),
        _ => crashed(effect),
    }
}

/// The code for an answer that is no JSON.
pub fn page_code(status: u16) -> String {
    if (200..300).contains(&status) { "not-json".to_owned() } else { format!("http-{status}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAFE: Fate = Fate::Deferred { retry_after: None, ambiguous: false, suspect: false };
    const UNCLEAR: Fate = Fate::Deferred { retry_after: None, ambiguous: true, suspect: false };
    const CRASHED: Fate = Fate::Deferred { retry_after: None, ambiguous: true, suspect: true };

    fn after(secs: u64) -> Fate {
        Fate::Deferred {
            retry_after: Some(Duration::from_secs(secs)),
            ambiguous: false,
            suspect: false,
        }
    }

    #[test]
    fn every_error_code_of_the_reference_has_its_fate() {
        use Effect::{Writes, WritesToCard};
        use Fate::{CardGone, Refused};
        #[rustfmt::skip]
        let cases: &[(&str, u16, &str, Effect, Fate)] = &[
            ("QUERY_LIMIT_EXCEEDED",      503, "Too many requests",            Writes, SAFE),
            ("QUERY_LIMIT_EXCEEDED",        0, "Too many requests",            Writes, SAFE),
            ("OPERATION_TIME_LIMIT",      429, "Method is blocked",            Writes, after(600)),
            ("OVERLOAD_LIMIT",            503, "REST API is blocked",          Writes, Fate::Blocked { retry_after: Some(OVERLOAD) }),
            ("INTERNAL_SERVER_ERROR",     500, "Internal server error",        Writes, CRASHED),
            ("ERROR_UNEXPECTED_ANSWER",   500, "Server returned an unexpected answer", Writes, CRASHED),
            ("ERROR_CORE",                400, "SQL error",                    Writes, CRASHED),
            ("ERROR_CORE",                500, "SQL error",                    Writes, CRASHED),
            ("expired_token",             401, "The access token has expired", Writes, SAFE),
            ("NO_AUTH_FOUND",             401, "Wrong authorization data",     Writes, BLOCKED),
            ("INVALID_CREDENTIALS",       403, "Invalid request credentials",  Writes, BLOCKED),
            ("INVALID_CREDENTIALS",       401, "Invalid request credentials",  Writes, BLOCKED),
            ("insufficient_scope",        403, "needs higher privileges",      Writes, BLOCKED),
            ("insufficient_scope",        401, "needs higher privileges",      Writes, BLOCKED),
            ("ACCESS_DENIED",             403, "REST is available only by subscription.", WritesToCard, BLOCKED),
            ("ACCESS_DENIED",             401, "REST is available only by subscription.", WritesToCard, BLOCKED),
            ("ACCESS_DENIED",             400, "You do not have permission",   WritesToCard, CardGone),
            ("ACCESS_DENIED",             400, "You do not have permission",   Writes, Refused),
            ("user_access_error",         403, "no access to the application", Writes, BLOCKED),
            ("authorization_error",       401, "Unable to authorize user",     Writes, BLOCKED),
            ("CONNECTION_ERROR",          401, "Error connecting",             Writes, after(120)),
            ("APPLICATION_NOT_FOUND",     401, "Application not found",        Writes, BLOCKED),
            ("PAYMENT_REQUIRED",          402, "Payment required",             Writes, BLOCKED),
            ("INVALID_REQUEST",           400, "Https required.",              Writes, BLOCKED),
            ("ERROR_BATCH_LENGTH_EXCEEDED", 0, "Max batch length exceeded",    Writes, Refused),
            ("ERROR_BATCH_METHOD_NOT_ALLOWED", 0, "Method is not allowed",     Writes, Refused),
            ("ERROR_METHOD_NOT_FOUND",    404, "Method not found!",            Writes, BLOCKED),
            ("WRONG_AUTH_TYPE",           403, "Current authorization type is denied", Writes, BLOCKED),
            ("WRONG_LICENSE",             403, "not in your plan",             Writes, BLOCKED),
            ("METHOD_CONFIRM_WAITING",    401, "waiting for confirmation",     Writes, BLOCKED),
            ("METHOD_CONFIRM_DENIED",     403, "denied",                       Writes, BLOCKED),
            ("ERROR_ARGUMENT",            400, "Argument 'id' is null",        Writes, Refused),
            ("INVALID_ARG_VALUE",         400, "Invalid filter",               Writes, Refused),
            ("100",                       400, "Expected iterable value",      Writes, Refused),
            ("NOT_FOUND",                 400, "Element not found",            Writes, Refused),
            ("NOT_FOUND",                 400, "Element not found",            WritesToCard, CardGone),
            ("OWNER_NOT_FOUND",           400, "Owner not found",              WritesToCard, CardGone),
            ("CRM_FIELD_ERROR_VALUE_NOT_VALID", 400, "Invalid value of 'sourceId'", WritesToCard, Refused),
            ("CREATE_DYNAMIC_ITEM_RESTRICTED", 400, "your plan does not allow", Writes, BLOCKED),
            ("allowed_only_intranet_user", 403, "Allowed only for intranet users", Writes, BLOCKED),
            ("PORTAL_DELETED",            500, "Portal was deleted",           Writes, BLOCKED),
            ("PORTAL_DELETED",            403, "Portal was deleted",           Writes, BLOCKED),
            ("ERROR_MANIFEST_IS_NOT_AVAILABLE", 404, "not available",          Writes, Refused),
            ("WRONG_ENCODING",            200, "cannot encode",                Writes, CRASHED),
            ("",                          400, "Access denied.",               WritesToCard, CardGone),
            ("",                          400, "Access denied",                Writes, Refused),
            ("",                          403, "Access denied.",               WritesToCard, CardGone),
            ("",                          400, "Could not find 'CONTACT' with ID: 7", WritesToCard, CardGone),
            ("",                          400, "Not found",                    WritesToCard, CardGone),
            ("",                          400, "Not found",                    Writes, Refused),
            ("",                          400, "Activity is not found.",       Writes, Refused),
            ("",                          400, "Could not build binding. Please ensure that owner info and communications are defined correctly", WritesToCard, Refused),
            ("",                          400, "Entity type 'X' is not supported in current context", WritesToCard, Refused),
            ("",                          400, "The field RESPONSIBLE_ID is not defined or invalid.", WritesToCard, Refused),
            ("",                          400, "The field SUBJECT is not defined or empty.", WritesToCard, Refused),
            ("",                          400, "Email send error. Cannot connect", WritesToCard, UNCLEAR),
            ("ERROR_CORE",                400, "Email send error.",            WritesToCard, UNCLEAR),
            ("",                          400, "Disk resource exhausted",      Writes, Refused),
            ("ERROR_CORE",                400, "Disk resource exhausted",      Writes, Refused),
            ("WRONG_DATETIME_FORMAT",     400, "Wrong datetime format",        WritesToCard, Refused),
            ("NEW_CODE",                  400, "whatever",                     Writes, Refused),
            ("NEW_CODE",                  401, "whatever",                     Writes, BLOCKED),
            ("NEW_CODE",                  403, "whatever",                     Writes, BLOCKED),
            ("NEW_CODE",                  408, "whatever",                     Writes, UNCLEAR),
            ("NEW_CODE",                  429, "whatever",                     Writes, SAFE),
            ("NEW_CODE",                  500, "whatever",                     Writes, CRASHED),
            ("NEW_CODE",                  200, "whatever",                     Writes, Refused),
        ];
        for (code, status, text, effect, fate) in cases {
            assert_eq!(classify(*effect, *status, code, text), *fate, "{status} {code} {text}");
        }
    }

    #[test]
    fn a_question_is_never_ambiguous() {
        for (status, code) in [(500, "ERROR_CORE"), (408, ""), (500, "")] {
            let fate = classify(Effect::Reads, status, code, "");
            assert!(matches!(fate, Fate::Deferred { ambiguous: false, .. }), "{status} {code}");
        }
        assert_eq!(lost(Effect::Reads, true), SAFE);
    }

    #[test]
    fn a_question_without_the_right_to_ask_is_the_operators_matter() {
        assert_eq!(classify(Effect::Reads, 400, "", "Access denied."), BLOCKED);
    }

    #[test]
    fn a_call_that_was_not_sent_is_not_ambiguous() {
        assert_eq!(lost(Effect::WritesToCard, false), SAFE);
        assert_eq!(lost(Effect::WritesToCard, true), UNCLEAR);
    }

    #[test]
    fn a_page_instead_of_json_is_sorted_by_its_status() {
        #[rustfmt::skip]
        let cases = [
            (200, CRASHED,       "not-json"),
            (302, CRASHED,       "http-302"),
            (401, BLOCKED, "http-401"),
            (403, CRASHED,       "http-403"),
            (404, BLOCKED, "http-404"),
            (413, Fate::Refused, "http-413"),
            (429, SAFE,          "http-429"),
            (502, CRASHED,       "http-502"),
            (504, CRASHED,       "http-504"),
        ];
        for (status, fate, code) in cases {
            assert_eq!(classify_page(Effect::Writes, status), fate, "{status}");
            assert_eq!(page_code(status), code);
        }
    }
}
