//! What kind of mail it is: a person's, a bounce, a robot's, a list's. Pure.
//!
//! A person's mail must never be taken for a robot's, so signs that people's mail bears too are
//! weak: certain two of them are needed (`signs`). Where the header does not tell, the first lines
//! of the text may (`told`).

use serde::{Deserialize, Serialize};

use super::robots::{self, Sender};
use super::subject::{self, Failure};
use super::told::{self, Told};
use super::{Address, address, charset, header::Headers, signs, verdict};
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

const LIST_HEADERS: &[&str] = &[
    "List-Id",
    "List-Post",
    "List-Unsubscribe",
    "List-Subscribe",
    "List-Help",
    "List-Owner",
    "List-Archive",
    "Mailing-List",
    "X-Mailing-List",
    "X-List-Id",
    "X-BeenThere",
    "X-Mailman-Version",
    "X-ML-Name",
    "X-MLServer",
    "X-LISTSERV-List",
    "X-Google-Group-Id",
];

/// Judges a message: spam verdict, bounce, automated, mailing list, else normal.
///
/// `from` is its sender, `subject` is decoded. The first class that has evidence wins, with all
/// the evidence for it; a normal message has none. What the body says only adds to it: judged by
/// its header alone a message has no stronger class than as a whole.
pub(super) fn classify(headers: &Headers<'_>, from: Option<&Address>, subject: &str) -> Classified {
    let spam = verdict::spam(headers);
    if !spam.is_empty() {
        return classified(Class::SpamVerdict, spam);
    }
    let sender = Sender::of(headers, from);
    let told = told::read(headers);
    let declared = automated(headers, from, &sender, subject);
    let bounce = bounce(headers, &sender, subject, &told, !declared.is_empty());
    let (list, bulk) = (mailing_list(headers), precedence(headers, &["bulk", "junk"]));
    // Lists mark their mail `bulk` too, and newsletters come from `noreply`.
    let judged = [
        (Class::Bounce, bounce),
        (Class::Automated, declared),
        (Class::MailingList, list),
        (Class::Automated, bulk),
    ];
    for (class, facts) in judged {
        if !facts.is_empty() {
            return classified(class, facts);
        }
    }
    let signs = signs::of_a_robot(headers, &sender, subject, &told);
    let class = if signs.is_empty() { Class::Normal } else { Class::Automated };
    classified(class, signs)
}

fn classified(class: Class, facts: Vec<String>) -> Classified {
    let evidence = facts.into_iter().map(|fact| Evidence::new("class", fact)).collect();
    Classified { class, evidence }
}

/// `Name: value` as it is shown.
pub(super) fn fact(name: &str, value: &str) -> String {
    format!("{name}: {}", charset::one_line(value, MAX_FACT))
}

fn bounce(
    headers: &Headers<'_>,
    sender: &Sender,
    subject: &str,
    told: &Told,
    declared: bool,
) -> Vec<String> {
    let mut facts = bounce_marks(headers, sender);
    let null_path = robots::has_null_path(headers);
    let failure = subject::failure(subject);
    let content_type = robots::content_type(headers);
    let report = content_type.get("report-type").unwrap_or_default();
    // Mailer daemons write nothing but bounces; a postmaster may be a person.
    let daemon = sender.is_daemon();
    if daemon {
        let name = if sender.local.is_empty() { &sender.name } else { &sender.local };
        facts.push(fact("From", name));
    }
    let postmaster = sender.is_postmaster();
    // The parameter is mandatory, and missing from some gateways' reports.
    if content_type.value == "multipart/report"
        && report.is_empty()
        && (null_path || daemon || failure.is_some())
    {
        facts.push("Content-Type: report without type".to_owned());
    }
    // The gateways' own kinds, in plain text: a report is the only mail without a return path
    // (RFC 5321 section 4.5.5) that bears such a subject. Where a program says that it wrote it,
    // the subject must name mail: parcel services tell of failed deliveries too.
    let named = match failure {
        Some(Failure::Mail) => null_path || postmaster || sender.is_robot() || declared,
        // Forwarders drop the return path of people's mail about goods.
        Some(Failure::Delivery) => postmaster,
        None => false,
    };
    if named {
        facts.push(fact("Subject", subject));
    }
    // What no header tells. A person's own words would stand before it, or `Fwd:`.
    if let Some(line) = &told.bounce {
        let taken_up = subject::is_taken_up(subject);
        let first = told.bounce_first && !taken_up;
        let of_mail = failure == Some(Failure::Mail) || !told.of_a_parcel;
        let by_a_server = first && null_path || postmaster && (first || failure.is_some());
        // Forms of web sites pass on what people tell.
        let by_a_robot =
            first && of_mail && sender.is_robot() && !is_of_a_form(headers, sender, subject);
        // People write from offices, of goods and of mail: a report has the subject, says it
        // first and names whom it did not reach.
        let by_an_office =
            first && of_mail && sender.is_office() && failure.is_some() && told.bounce_names;
        // Some gateways write as a person would be called: nothing but a report begins with a
        // list of addresses.
        let by_its_form = first && failure == Some(Failure::Mail) && told.bounce_lists;
        if by_a_server || by_a_robot || by_an_office || by_its_form {
            facts.push(fact("body", line));
        }
    }
    // Receipts are reports too, and some servers type what they could not deliver as one.
    if let Some(kind) = &told.report
        && kind != "message/disposition-notification"
    {
        let report = content_type.value == "multipart/report";
        if report || null_path || postmaster || failure == Some(Failure::Mail) {
            facts.push(fact("part", kind));
        }
    }
    facts
}

/// Whether it may be a person's question that a web site passes on.
fn is_of_a_form(headers: &Headers<'_>, sender: &Sender, subject: &str) -> bool {
    signs::names_a_person(headers, sender) || subject::is_of_a_form(subject)
}

/// What only reports about mail have in their header.
fn bounce_marks(headers: &Headers<'_>, sender: &Sender) -> Vec<String> {
    let mut facts = Vec::new();
    let content_type = robots::content_type(headers);
    let report = content_type.get("report-type").map(str::to_ascii_lowercase).unwrap_or_default();
    // RFC 3462, 3464, 6533; RFC 5965 for complaints, which are about a mail of ours too.
    let typed =
        matches!(report.as_str(), "delivery-status" | "global-delivery-status" | "feedback-report");
    if typed && content_type.value.starts_with("multipart/") {
        facts.push(fact("Content-Type", &format!("report {report}")));
    }
    let whole = ["message/delivery-status", "message/feedback-report"];
    if whole.contains(&content_type.value.as_str()) {
        facts.push(fact("Content-Type", &content_type.value));
    }
    // Exim and Gmail name the addresses they could not reach; Exchange marks its reports, and
    // so do MX Logic, Active!hunter and Microsoft's complaints.
    let marks = [
        "X-Failed-Recipients",
        "X-MS-Exchange-Message-Is-Ndr",
        "X-MX-Bounce",
        "X-HmXmrOriginalRecipient",
    ];
    for name in marks {
        if let Some(value) = headers.ascii(name) {
            facts.push(fact(name, &value));
        }
    }
    // Exchange 2000 and 2003, for reports that it sends as TNEF.
    if let Some(value) = headers.ascii("Content-Class")
        && value.to_ascii_lowercase().contains("content-classes:dsn")
    {
        facts.push(fact("Content-Class", &value));
    }
    // fml returns what it does not post, and signs so; what it posts bears its marks as well.
    if let (Some(server), Some(id)) = (headers.ascii("X-MLServer"), headers.ascii("Message-ID"))
        && id.contains(".FML")
        && sender.local.ends_with("-admin")
    {
        facts.push(fact("X-MLServer", &server));
    }
    facts
}

fn automated(
    headers: &Headers<'_>,
    from: Option<&Address>,
    sender: &Sender,
    subject: &str,
) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(value) = headers.ascii("Auto-Submitted") {
        // RFC 3834 section 5: `no` is a person; parameters and comments may follow.
        let keyword = first_word(&value);
        let person = matches!(keyword.as_str(), "no" | "none" | "false" | "");
        if !person && !sent_by_a_calendar(headers, from) {
            facts.push(fact("Auto-Submitted", &value));
        }
    }
    let content_type = robots::content_type(headers);
    let report = content_type.get("report-type").unwrap_or_default().to_ascii_lowercase();
    if content_type.value == "multipart/report"
        && matches!(report.as_str(), "disposition-notification" | "tlsrpt" | "disposition-report")
        || content_type.value == "message/disposition-notification"
    {
        facts.push(fact("Content-Type", &format!("report {report}")));
    }
    facts.extend(signs::strong(headers, sender, subject));
    facts
}

/// Google's calendar writes in a person's name what that person did: invited, accepted, declined.
fn sent_by_a_calendar(headers: &Headers<'_>, from: Option<&Address>) -> bool {
    let calendar = address::of_header(headers, "Sender", None);
    calendar.first().is_some_and(|calendar| {
        address::local(&calendar.email) == "calendar-notification"
            && from.is_some_and(|from| from.email != calendar.email)
    })
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

fn precedence(headers: &Headers<'_>, words: &[&str]) -> Vec<String> {
    let found = robots::precedence(headers, words).into_iter();
    found.map(|(name, value)| fact(name, &value)).collect()
}

/// The first word in lower case, without what separates it from the next.
pub(super) fn first_word(value: &str) -> String {
    let end = value.find(|c: char| c.is_whitespace() || matches!(c, ';' | ',' | '('));
    value.get(..end.unwrap_or(value.len())).unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(raw: &str) -> Classified {
        let headers = Headers::of_message(raw.as_bytes());
        let from = address::of_header(&headers, "from", None);
        let subject = headers.ascii("subject").unwrap_or_default();
        classify(&headers, from.first(), &subject)
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
            ("form that names nobody", "From: noreply@shop.example\nSubject: New enquiry\nX-SES-Outgoing: x\n", Normal),
            ("thanks for a question",  "From: noreply@shop.example\nSubject: Thank you for your enquiry\n", Automated),
            ("parcel",                 "From: noreply@carrier.example\nSubject: Delivery failed: parcel 12\nAuto-Submitted: auto-generated\n", Automated),
            ("office, a person",       "From: mail@firm.example\nSubject: Delivery delayed: pump\n", Normal),
            ("exchange, redirected",   "From: ana@example.com\nReturn-Path: <>\nX-Auto-Response-Suppress: DR, OOF\n", Normal),
            ("exchange, words only",   "From: ana@example.com\nSubject: Out of office next week\nX-Auto-Response-Suppress: DR, OOF\n", Normal),
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
            ("nobody at all",          "From: <>\nSubject: Mail failure\n",         Bounce),
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
    fn people_who_speak_as_robots_do_are_people() {
        use Class::*;
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str, &str, Class)] = &[
            // A robot's, as they come without any mark in the header.
            ("exchange 2003", "Return-Path: <>\nFrom: x@gate.example", "Notice", "Your message\n\nTo: a@b.example\n\ndid not reach the following recipient(s):", Bounce),
            ("null path, in two lines", "Return-Path: <>\nFrom: x@gate.example", "Notice", "We are sorry.\nYour message to bo@b.example could\nnot be delivered to the following recipient", Bounce),
            ("null path, qmail", "Return-Path: <>\nFrom: x@gate.example", "Notice", "Hi. This is the qmail-send program at mx.example.net.", Bounce),
            ("office", "From: support@gate.example", "Delivery failure", "We were unable to deliver your message to:\nbo@b.example", Bounce),
            ("office, Dutch", "From: service@gate.example", "Onbestelbaar: Aanbod", "Uw bericht kon niet worden bezorgd aan: bo@b.example", Bounce),
            ("office, Polish", "From: admin@gate.example", "Niedostarczalne: oferta", "Nie można dostarczyć wiadomości do: bo@b.example", Bounce),
            ("robot", "From: noreply@gate.example", "Your mail", "Ihre E-Mail wurde nicht zugestellt.", Bounce),
            ("postmaster, delivery", "From: postmaster@gate.example", "Delivery problem", "x", Bounce),
            ("notes, German", "From: Ana Ruiz <ana@b.example>", "AUTO: Ana Ruiz ist außer Haus (Rückkehr am 06.05.2024)", "Ich bin abwesend.", Automated),
            ("presents itself, of an order", "From: shop@b.example", "Your order 4711", "This is an automated message.", Automated),
            // People's.
            ("office, thanks", "From: service@b.example", "Delivery delayed: pump", "Thank you for your e-mail: the pump has been delayed.", Normal),
            ("office, subject alone", "From: support@b.example", "Undeliverable: your offer", "Hello Bo, your offer came back to us.", Normal),
            ("office, mail box", "From: admin@b.example", "Mailbox full", "Please send it again, I have made room.", Normal),
            ("person, returned mail", "From: Ana <ana@b.example>", "Returned mail", "Hello Bo, my message could not be delivered to you. Which address is right?", Normal),
            ("person, abuse", "From: Ana <ana@b.example>", "Abuse report", "The report on the abuse of the machine is attached.", Normal),
            ("person, no signature", "From: Ana <ana@b.example>", "Nicht zugestellt", "Die Sendung 12 wurde nicht zugestellt.", Normal),
            ("person, Italian", "From: Ana <ana@b.example>", "Mancata consegna ordine 12", "Buongiorno,\nla merce non è stata consegnata: mancata consegna del corriere.", Normal),
            ("person, Portuguese", "From: Ana <ana@b.example>", "Falha na entrega do pedido", "O pedido não foi entregue.", Normal),
            ("person, Polish", "From: biuro@b.example", "Nie dostarczono towaru", "Nie można dostarczyć towaru przed piątkiem.", Normal),
            ("person, Turkish", "From: Ana <ana@b.example>", "Teslim edilemedi: sipariş 12", "Ürün teslim edilemedi, alıcı yoktu.", Normal),
            ("person, Chinese", "From: Ana <ana@b.example>", "退回的货物", "货物被退回,请查收。", Normal),
            ("person, null path, goods", "Return-Path: <>\nFrom: Ana <ana@b.example>", "Non-delivery of order 4711", "Hello,\nit has not been delivered.", Normal),
            ("person, null path, answers", "Return-Path: <>\nFrom: Ana <ana@b.example>", "Re: Undeliverable: Offer", "Your message could not be delivered to me before.", Normal),
            ("person, automatic doors", "From: Ana <ana@b.example>", "Automatic response of the doors", "They open too slowly.", Normal),
            ("person, generated invoices", "From: Ana <ana@b.example>", "Ihre Rechnung 12", "Automatisch erzeugte Rechnungen versenden wir nicht mehr.", Normal),
            ("person, do not answer all", "From: Ana <ana@b.example>", "Reminder: meeting", "Please do not reply to all.", Normal),
            ("person, vacation with colon", "From: Ana <ana@b.example>\nIn-Reply-To: <x@y.example>\nX-Loop: ana@b.example", "Vacation: who is here in May?", "I am on vacation from 3 May.", Normal),
            ("person, read the meter", "From: Ana <ana@b.example>", "Gelesen: Zähler 12", "Der Zähler wurde am Montag getauscht.", Normal),
            ("person of an office's name", "From: Symantec Ana <ana@symantec.example>", "Delivery report", "The figures.", Normal),
        ];
        let mut wrong = Vec::new();
        for (name, header, subject, body, class) in cases {
            let raw = format!(
                "{header}\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{body}\n"
            );
            let headers = Headers::of_message(raw.as_bytes());
            let from = address::of_header(&headers, "from", None);
            let judged = classify(&headers, from.first(), subject);
            if judged.class != *class {
                wrong.push(format!("{name}: {judged:?}"));
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
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
