//! What kind of mail it is: a person's, a bounce, a robot's, a list's. Pure.
//!
//! Judged by the header alone. A person's mail must never be taken for a robot's, so signs that
//! people's mail bears too are weak: two different ones are needed.

use serde::{Deserialize, Serialize};

use super::{address, charset, header::Headers, params, subject, verdict};
use crate::rules::Evidence;

/// Class of a message (rule 7); the names are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    Normal,
    Bounce,
    Automated,
    MailingList,
    SpamVerdict,
}

impl Class {
    /// The public name, such as `mailing-list`.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Normal => "normal",
            Class::Bounce => "bounce",
            Class::Automated => "automated",
            Class::MailingList => "mailing-list",
            Class::SpamVerdict => "spam-verdict",
        }
    }
}

/// A class and what it was judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    pub class: Class,
    pub evidence: Vec<Evidence>,
}

/// Characters of a header value that are quoted as evidence.
const MAX_FACT: usize = 120;

/// Headers that only programs answering by themselves write.
const AUTO_REPLY_HEADERS: &[&str] = &[
    "X-Autoreply",
    "X-Auto-Reply",
    "X-Autoreply-From",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Auto-Responder",
    "X-Mail-Autoreply",
    "X-Mail-Auto-Reply",
    // FirstClass, and cron's mails of job output.
    "X-FC-MachineGenerated",
    "X-Cron-Env",
];

const LIST_HEADERS: &[&str] =
    &["List-Id", "List-Post", "List-Unsubscribe", "Mailing-List", "X-Mailing-List", "List-Help"];

/// Judges a message by its header: spam verdict, bounce, automated, mailing list, else normal.
///
/// `from` is the sender in normal form. The first class that has evidence wins, with all the
/// evidence for it; a normal message has none.
pub(super) fn classify(headers: &Headers<'_>, from: Option<&str>, subject: &str) -> Classified {
    let judged = [
        (Class::SpamVerdict, verdict::spam(headers)),
        (Class::Bounce, bounce(headers, from, subject)),
        (Class::Automated, automated(headers)),
    ];
    for (class, facts) in judged {
        if !facts.is_empty() {
            return classified(class, facts);
        }
    }
    let (list, bulk) = (mailing_list(headers), precedence(headers, &["bulk", "junk"]));
    // Lists mark their mail `bulk` too, and newsletters come from `noreply`.
    if !list.is_empty() {
        return classified(Class::MailingList, list);
    }
    if !bulk.is_empty() {
        return classified(Class::Automated, bulk);
    }
    let weak = weak_signs(headers, from, subject);
    if weak.len() >= 2 {
        return classified(Class::Automated, weak);
    }
    classified(Class::Normal, Vec::new())
}

fn classified(class: Class, facts: Vec<String>) -> Classified {
    let evidence = facts.into_iter().map(|fact| Evidence::new("class", fact)).collect();
    Classified { class, evidence }
}

/// `Name: value` as it is shown.
pub(super) fn fact(name: &str, value: &str) -> String {
    format!("{name}: {}", charset::one_line(value, MAX_FACT))
}

fn bounce(headers: &Headers<'_>, from: Option<&str>, subject: &str) -> Vec<String> {
    let mut facts = Vec::new();
    let content_type = content_type(headers);
    let report = content_type.get("report-type").map(str::to_ascii_lowercase);
    let null_path = has_null_path(headers);
    let daemon = from.is_some_and(is_mailer_daemon);
    let bounce_subject = subject::is_bounce(subject);
    match (content_type.value.as_str(), report.as_deref()) {
        // RFC 3462, 3464; RFC 5965 for complaints, which are about a mail of ours too.
        ("multipart/report", Some("delivery-status" | "feedback-report")) => {
            facts.push(fact("Content-Type", &format!("report {}", report.unwrap_or_default())));
        }
        ("message/delivery-status" | "message/feedback-report", _) => {
            facts.push(fact("Content-Type", &content_type.value));
        }
        // The parameter is mandatory, and missing from some gateways' reports.
        ("multipart/report", None) if null_path || daemon || bounce_subject => {
            facts.push("Content-Type: report without type".to_owned());
        }
        _ => {}
    }
    // Exim and Gmail name the addresses they could not reach; Exchange marks its reports.
    for name in ["X-Failed-Recipients", "X-MS-Exchange-Message-Is-Ndr"] {
        if let Some(value) = headers.ascii(name) {
            facts.push(fact(name, &value));
        }
    }
    // Mailer daemons write nothing but bounces; a postmaster may be a person.
    if daemon {
        facts.push(fact("From", from.unwrap_or_default()));
    }
    // The gateways' own kinds, in plain text: a report is the only mail without a return path
    // (RFC 5321 section 4.5.5) that bears such a subject.
    if bounce_subject && (null_path || from.is_some_and(is_postmaster)) {
        facts.push(fact("Subject", subject));
    }
    facts
}

fn automated(headers: &Headers<'_>) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(value) = headers.ascii("Auto-Submitted") {
        // RFC 3834 section 5: `no` is a person; parameters and comments may follow.
        let keyword = first_word(&value);
        if !matches!(keyword.as_str(), "no" | "none" | "false" | "") {
            facts.push(fact("Auto-Submitted", &value));
        }
    }
    let content_type = content_type(headers);
    let report = content_type.get("report-type").unwrap_or_default().to_ascii_lowercase();
    if content_type.value == "multipart/report"
        && matches!(report.as_str(), "disposition-notification" | "tlsrpt" | "disposition-report")
        || content_type.value == "message/disposition-notification"
    {
        facts.push(fact("Content-Type", &format!("report {report}")));
    }
    for name in AUTO_REPLY_HEADERS {
        if let Some(value) = headers.ascii(name)
            && !matches!(first_word(&value).as_str(), "no" | "false" | "0" | "none")
        {
            facts.push(fact(name, &value));
        }
    }
    // Communigate and others: `Reply` is the machine's, `Forward` and `Mirror` pass on a person's.
    if let Some(value) = headers.ascii("X-Autogenerated")
        && matches!(first_word(&value).as_str(), "reply" | "group" | "letter")
    {
        facts.push(fact("X-Autogenerated", &value));
    }
    if let Some(value) = headers.ascii("X-POST-MessageClass")
        && value.to_ascii_lowercase().contains("autoresponder")
    {
        facts.push(fact("X-POST-MessageClass", &value));
    }
    facts.extend(precedence(headers, &["auto_reply", "auto-reply", "autoreply"]));
    facts
}

fn mailing_list(headers: &Headers<'_>) -> Vec<String> {
    let mut facts = Vec::new();
    for name in LIST_HEADERS {
        if let Some(value) = headers.ascii(name)
            && !value.is_empty()
        {
            facts.push(fact(name, &value));
        }
    }
    facts.extend(precedence(headers, &["list"]));
    facts
}

/// Signs that ordinary mail bears too, each of its own kind.
fn weak_signs(headers: &Headers<'_>, from: Option<&str>, subject: &str) -> Vec<String> {
    let mut signs = Vec::new();
    // Outlook clients and CRM add-ins write it on people's mail to keep answers quiet.
    if let Some(value) = headers.ascii("X-Auto-Response-Suppress")
        && !matches!(first_word(&value).as_str(), "none" | "")
    {
        signs.push(fact("X-Auto-Response-Suppress", &value));
    }
    // Forwarders and some phones' relays drop the return path of people's mail.
    if has_null_path(headers) {
        signs.push("Return-Path: <>".to_owned());
    }
    if subject::is_out_of_office(subject) {
        signs.push(fact("Subject", subject));
    }
    // Forms of web sites send people's questions from such addresses, and then name the person.
    if let Some(from) = from
        && is_no_reply(address::local(from))
        && address::of_header(headers, "Reply-To", None)
            .iter()
            .all(|reply| is_no_reply(address::local(&reply.email)))
    {
        signs.push(fact("From", from));
    }
    // Loop guards of vacation programs; lists and forwarders use it as well.
    if let Some(value) = headers.ascii("X-Loop") {
        signs.push(fact("X-Loop", &value));
    }
    signs
}

fn precedence(headers: &Headers<'_>, words: &[&str]) -> Vec<String> {
    let found = ["Precedence", "X-Precedence"].into_iter().filter_map(|name| {
        let value = headers.ascii(name)?;
        words.contains(&first_word(&value).as_str()).then(|| fact(name, &value))
    });
    found.collect()
}

fn content_type(headers: &Headers<'_>) -> params::Value {
    headers.first("Content-Type").map(|value| params::parse(&value, None)).unwrap_or_default()
}

fn has_null_path(headers: &Headers<'_>) -> bool {
    let path = headers.ascii("Return-Path");
    path.is_some_and(|path| path.chars().filter(|c| !c.is_whitespace()).collect::<String>() == "<>")
}

/// The first word in lower case, without what separates it from the next.
pub(super) fn first_word(value: &str) -> String {
    let end = value.find(|c: char| c.is_whitespace() || matches!(c, ';' | ',' | '('));
    value.get(..end.unwrap_or(value.len())).unwrap_or_default().to_ascii_lowercase()
}

fn is_mailer_daemon(from: &str) -> bool {
    let local = address::local(from);
    // Exchange Online signs as MicrosoftExchange and 32 hexadecimal digits.
    let exchange = local.strip_prefix("microsoftexchange").is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    let daemon = ["mailer-daemon", "mailerdaemon", "mailer_daemon", "mail-daemon"];
    exchange || daemon.iter().any(|name| local == *name || local.starts_with(&format!("{name}+")))
}

fn is_postmaster(from: &str) -> bool {
    matches!(
        address::local(from),
        "postmaster" | "mail-deamon" | "maildelivery" | "mdaemon" | "mail.delivery.subsystem"
    )
}

fn is_no_reply(local: &str) -> bool {
    let letters: String = local.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    ["noreply", "donotreply", "noresponder", "nepasrepondre", "nichtantworten"]
        .iter()
        .any(|word| letters.starts_with(word) || letters.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(raw: &str) -> Classified {
        let headers = Headers::of_message(raw.as_bytes());
        let from = address::of_header(&headers, "from", None);
        let subject = headers.ascii("subject").unwrap_or_default();
        classify(&headers, from.first().map(|from| from.email.as_str()), &subject)
    }

    #[test]
    fn mail_is_judged_by_its_header() {
        use Class::*;
        #[rustfmt::skip]
        let cases: &[(&str, &str, Class)] = &[
            ("a person's",             "From: ana@example.com\nSubject: Price list\n", Normal),
            ("auto-submitted: no",     "Auto-Submitted: no\n",                     Normal),
            ("auto-submitted: no, with comment", "Auto-Submitted: no (person)\n",  Normal),
            ("rfc 3834",               "Auto-Submitted: auto-replied\n",           Automated),
            ("rfc 3834, parameter",    "Auto-Submitted: auto-generated; x=y\n",    Automated),
            ("vacation",               "Precedence: auto_reply\n",                 Automated),
            ("bulk",                   "Precedence: bulk\n",                       Automated),
            ("bulk of a list",         "Precedence: bulk\nList-Id: <l.example.com>\n", MailingList),
            ("list",                   "List-Id: News <news.example.com>\n",       MailingList),
            ("precedence list",        "Precedence: list\n",                       MailingList),
            ("newsletter from noreply", "From: noreply@example.com\nX-Auto-Response-Suppress: All\nList-Unsubscribe: <https://example.com/u>\n", MailingList),
            ("auto-reply through a list", "Auto-Submitted: auto-replied\nList-Id: <l.example.com>\n", Automated),
            ("exchange, a person's",   "From: ana@example.com\nX-Auto-Response-Suppress: DR, OOF, AutoReply\n", Normal),
            ("exchange, out of office", "From: ana@example.com\nSubject: Automatic reply: Offer\nX-Auto-Response-Suppress: All\n", Automated),
            ("about being away, a person's", "From: ana@example.com\nSubject: Out of office next week\n", Normal),
            ("answer to an automatic reply", "Subject: Re: Automatic reply: Offer\nReturn-Path: <>\n", Normal),
            ("out of office, null path", "Return-Path: <>\nSubject: Abwesenheitsnotiz: Angebot\n", Automated),
            ("form from noreply",      "From: noreply@shop.example\nSubject: New enquiry\n", Normal),
            ("form that names the person", "From: noreply@shop.example\nReply-To: ana@example.com\nX-Auto-Response-Suppress: All\n", Normal),
            ("notification",           "From: no-reply@shop.example\nX-Auto-Response-Suppress: All\n", Automated),
            ("null path only",         "From: ana@example.com\nReturn-Path: <>\n", Normal),
            ("autoreply header",       "X-Autoreply: yes\n",                       Automated),
            ("autoreply header: no",   "X-Autoreply: no\n",                        Normal),
            ("forwarded by a filter",  "X-Autogenerated: Forward\n",               Normal),
            ("read receipt",           "Content-Type: multipart/report; report-type=disposition-notification\n", Automated),
            ("dsn",                    "Content-Type: multipart/report; report-type=delivery-status\n", Bounce),
            ("dsn, exchange says auto", "Content-Type: multipart/report;\n report-type=\"Delivery-Status\"\nAuto-Submitted: auto-replied\n", Bounce),
            ("dsn through a list",     "Content-Type: multipart/report; report-type=delivery-status\nList-Id: <l.example.com>\n", Bounce),
            ("report without type",    "Content-Type: multipart/report; boundary=x\nReturn-Path: <>\n", Bounce),
            ("arf",                    "Content-Type: multipart/report; report-type=feedback-report\n", Bounce),
            ("exim",                   "X-Failed-Recipients: a@example.com\n",     Bounce),
            ("qmail",                  "From: MAILER-DAEMON@example.com\nSubject: failure notice\n", Bounce),
            ("gateway's own",          "From: postmaster@example.com\nSubject: DELIVERY FAILURE: User not listed\n", Bounce),
            ("gateway's own, null path", "From: gate@example.com\nReturn-Path: <>\nSubject: Undelivered Mail Returned to Sender\n", Bounce),
            ("exchange online",        "From: MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com\n", Bounce),
            ("postmaster, a person",   "From: postmaster@example.com\nSubject: Your mailbox\n", Normal),
            ("person forwards a bounce", "From: ana@example.com\nSubject: Fwd: Undelivered Mail Returned to Sender\nContent-Type: multipart/mixed; boundary=x\n", Normal),
            ("person asks about a bounce", "From: ana@example.com\nSubject: Undelivered Mail Returned to Sender\nReturn-Path: <ana@example.com>\n", Normal),
            ("spam",                   "X-Spam-Flag: YES\nList-Id: <l.example.com>\n", SpamVerdict),
            ("spam level alone",       "X-Spam-Level: *********\n",                Normal),
        ];
        for (name, header, class) in cases {
            let judged = judge(&format!("{header}\nbody"));
            assert_eq!(judged.class, *class, "{name}: {:?}", judged.evidence);
            assert_eq!(judged.evidence.is_empty(), *class == Normal, "{name}");
        }
    }

    #[test]
    fn evidence_quotes_the_header() {
        let judged = judge("Auto-Submitted: auto-replied\nX-Autoreply: yes\n\n");
        assert_eq!(
            judged.evidence,
            [
                Evidence::new("class", "Auto-Submitted: auto-replied"),
                Evidence::new("class", "X-Autoreply: yes"),
            ]
        );
    }
}
