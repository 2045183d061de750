//! What the first lines of a message say about themselves, where its header does not tell. Pure.

use std::borrow::Cow;

use super::phrases::Phrases;
use super::told_words::{
    BY_MAIL, PRESENTS, QUOTES, SAYS_AWAY, SAYS_BOUNCE, SAYS_MAIL, SAYS_PARCEL, SAYS_RECEIPT,
    SAYS_SELF_MADE, SAYS_UNDELIVERED, SELF_MADE,
};
use super::{
    charset,
    header::Headers,
    html,
    mime::{self, Entity, Part},
};

/// Bytes of a body that are looked at: what it is stands at its beginning.
const MAX_BODY: usize = 64 * 1024;

/// Lines of the text that are read, without blank ones, and characters of each.
const MAX_LINES: usize = 60;
const MAX_LINE: usize = 400;

/// A report begins with what it is; some greet first. A sentence is looked for in a line and the
/// next, so the first three lines are near.
const NEAR: usize = 2;
const DEEP: usize = 30;

/// The first evidence of each kind, as it is shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// A part that only reports about mail have.
    pub report: Option<String>,
    /// A sentence that mail servers write about a mail that did not arrive.
    pub bounce: Option<String>,
    /// That sentence stands among the first lines: nobody has written before it.
    pub bounce_first: bool,
    /// An address follows a colon in that sentence or right after it, as in a report.
    pub bounce_names: bool,
    /// It is the very first line, ends in a colon, and an address is all that the next line has.
    pub bounce_lists: bool,
    /// It may be about a parcel: they are not delivered either.
    pub of_a_parcel: bool,
    /// It says of itself that a program wrote it.
    pub self_made: Option<String>,
    /// That is how it begins, and not what is told of another mail.
    pub self_made_first: bool,
    /// Its writer is away.
    pub away: Option<String>,
    /// Somebody read the mail.
    pub receipt: Option<String>,
}

/// Reads what follows the header; nothing is told if only the header was given.
pub fn read(headers: &Headers<'_>) -> Told {
    let body = headers.body();
    let body = body.get(..body.len().min(MAX_BODY)).unwrap_or_default();
    if body.is_empty() {
        return Told::default();
    }
    let block = how_to_read(headers);
    let entity = Entity::new(Headers::of_message(&block), false, None);
    let hint = entity.content_type.get("charset").map(str::to_owned);
    let root = mime::walk(entity, body, hint.as_deref());
    let mut told = Told { report: report_part(&root), ..Told::default() };
    if let Some(text) = first_text(&root, hint.as_deref()) {
        told.read_lines(&text);
    }
    told
}

/// The fields that say how to read the body, as a header of their own.
fn how_to_read(headers: &Headers<'_>) -> Vec<u8> {
    let mut block = Vec::new();
    for name in ["Content-Type", "Content-Transfer-Encoding"] {
        if let Some(value) = headers.first(name) {
            block.extend_from_slice(name.as_bytes());
            block.extend_from_slice(b": ");
            block.extend_from_slice(&value);
            block.push(b'\n');
        }
    }
    block.push(b'\n');
    block
}

impl Told {
    fn read_lines(&mut self, text: &str) {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<String> = lines
            .take(MAX_LINES)
            .map(|line| line.chars().take(MAX_LINE).flat_map(char::to_lowercase).collect())
            .collect();
        for (at, line) in lines.iter().enumerate() {
            // Sentences are broken over lines.
            let next = lines.get(at + 1).map(String::as_str).unwrap_or_default();
            let next = if is_quoted(next) || begins_quote(next) { "" } else { next };
            let pair = charset::one_line(&format!("{line} {next}"), 2 * MAX_LINE);
            let says = |phrases: &Phrases| {
                phrases.are_in(&pair).then(|| pair.chars().take(MAX_LINE).collect::<String>())
            };
            if at < DEEP && self.bounce.is_none() && !is_quoted(line) {
                self.bounce = says(&SAYS_BOUNCE).or_else(|| {
                    says(&SAYS_UNDELIVERED).filter(|_| clauses(&pair).any(is_undelivered_mail))
                });
                self.of_a_parcel = self.bounce.is_some() && SAYS_PARCEL.are_in(&pair);
                self.bounce_first = self.bounce.is_some() && at < NEAR;
                self.bounce_names = self.bounce.is_some() && names_an_address(&pair);
                self.bounce_lists = self.bounce.is_some()
                    && at == 0
                    && line.ends_with([':', '：'])
                    && next.contains('@')
                    && !next.contains(char::is_whitespace);
            }
            if is_quoted(line) || begins_quote(line) && self.bounce.is_none() {
                // What follows somebody else wrote.
                break;
            }
            if self.self_made.is_none() {
                self.self_made = says(&SAYS_SELF_MADE);
                self.self_made_first =
                    self.self_made.is_some() && at < NEAR && presents_itself(line);
            }
            self.away = self.away.take().or_else(|| says(&SAYS_AWAY));
            // `wurde am 2. Mai 2024 12:15 gelesen`
            let read =
                || (line.starts_with("wurde am") && line.contains("gelesen")).then(|| pair.clone());
            self.receipt = self.receipt.take().or_else(|| says(&SAYS_RECEIPT)).or_else(read);
        }
    }
}

/// Whether a line begins with what a program says of the message it is in.
fn presents_itself(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    PRESENTS.iter().any(|word| line.starts_with(word))
        && SELF_MADE.iter().any(|word| line.starts_with(word))
        // Where one word says it, nothing is spoken of.
        || REPLIES.iter().any(|word| line.starts_with(word))
}

/// What an answer by a program is called, in languages whose lines begin with it.
const REPLIES: &[&str] = &["自动回复", "自動回覆", "自動返信", "自動応答", "자동 회신", "자동응답"];

/// Whether a clause says of mail that it did not arrive.
fn is_undelivered_mail(clause: &str) -> bool {
    if !SAYS_UNDELIVERED.are_in(clause) {
        return false;
    }
    // Goods go by mail.
    let clause = BY_MAIL.iter().fold(clause.to_owned(), |clause, way| clause.replace(way, " "));
    SAYS_MAIL.are_in(&clause)
}

/// Whether an address follows a colon, as reports name whom they did not reach; in signatures
/// it follows a name.
fn names_an_address(text: &str) -> bool {
    let mut before = "";
    text.split_whitespace().any(|word| {
        let labelled = before.ends_with([':', '：']) && word.contains('@');
        before = word;
        labelled
    })
}

/// The clauses of a text: in `Thank you for your mail, the pump has been delayed` the pump is
/// late. A dot counts before a blank only, for the sake of addresses.
fn clauses(text: &str) -> impl Iterator<Item = &str> {
    let marks = [',', ';', ':', '!', '?', '。', '，', '、', '；', '：', '！', '？', '–', '—'];
    text.split(marks).flat_map(|clause| clause.split(". "))
}

fn is_quoted(line: &str) -> bool {
    // `>>> RCPT TO` is a transcript.
    line.starts_with('>') && !line.starts_with(">>>") || line.starts_with('|')
}

/// Whether a quotation, or a forwarded mail, begins here.
fn begins_quote(line: &str) -> bool {
    QUOTES.iter().any(|word| line.starts_with(word))
        || line.starts_with("----")
        || line.starts_with("____")
        || (line.starts_with("on ") || line.starts_with("am ") || line.starts_with("le "))
            && line.ends_with(':')
            && line.contains(|c: char| c.is_ascii_digit())
}

/// The type of a report's machine-readable part, outside of attached mails.
///
/// Recursion is as deep as [`mime::walk`] allows.
fn report_part(part: &Part<'_>) -> Option<String> {
    match part {
        Part::Multi { parts, .. } => parts.iter().find_map(report_part),
        Part::Leaf { entity, .. } => {
            let kind = entity.content_type.value.as_str();
            let known = [
                "message/delivery-status",
                "message/global-delivery-status",
                "message/feedback-report",
                "message/disposition-notification",
            ];
            known.contains(&kind).then(|| kind.to_owned())
        }
    }
}

/// The first text that is no file. Recursion is as deep as [`mime::walk`] allows.
pub fn first_text(part: &Part<'_>, hint: Option<&str>) -> Option<String> {
    match part {
        Part::Multi { parts, .. } => parts.iter().find_map(|part| first_text(part, hint)),
        Part::Leaf { entity, raw } => {
            let html = entity.content_type.value == "text/html";
            let plain =
                matches!(entity.content_type.value.as_str(), "text/plain" | "text/enriched");
            if !html && !plain || entity.disposition.value == "attachment" {
                return None;
            }
            let bytes: Cow<'_, [u8]> = entity.decode(raw);
            let text = charset::decode(&bytes, entity.content_type.get("charset").or(hint));
            let text = if html { html::to_text(&text) } else { text };
            (!text.trim().is_empty()).then_some(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::told_words::{AWAY, BOUNCE, MAIL, RECEIPT, UNDELIVERED};
    use super::*;

    fn told(body: &str) -> Told {
        let raw =
            format!("From: ana@example.com\nContent-Type: text/plain; charset=utf-8\n\n{body}");
        read(&Headers::of_message(raw.as_bytes()))
    }

    #[test]
    fn reports_say_what_they_are_in_many_languages() {
        for line in [
            "Hi. This is the qmail-send program at mx.example.net.",
            "This message was created automatically by mail delivery software.",
            "Your message\n\n  To: a@b.example\n\ndid not reach the following recipient(s):",
            "Delivery to the following recipient failed permanently:",
            "Ihre Nachricht konnte nicht zugestellt werden.",
            "Votre message n'a pas pu être remis aux destinataires suivants.",
            "No se pudo entregar su mensaje a estos destinatarios.",
            "Não foi possível entregar a sua mensagem.",
            "Non è stato possibile recapitare il messaggio.",
            "Uw bericht kon niet worden bezorgd.",
            "Nie można dostarczyć wiadomości.",
            "Сообщение не может быть доставлено получателю.",
            "Mesajınız teslim edilemedi.",
            "メッセージを配信できませんでした。",
            "您的邮件无法送达以下收件人。",
            "메시지를 배달할 수 없습니다.",
        ] {
            let told = told(&format!("{line}\n"));
            assert!(told.bounce_first, "{line}: {told:?}");
        }
    }

    #[test]
    fn goods_that_are_late_are_no_mail() {
        for line in [
            "The pumps we bought have not been delivered yet.",
            "Production of your pump has been delayed.",
            "Thank you for your mail, the pump has been delayed.",
            "Danke für Ihre Nachricht. Die Pumpe wurde noch nicht zugestellt.",
            "La pompe n'a pas pu être livrée ; merci pour votre message.",
            "La bomba no se ha entregado.",
            "Оборудование не было доставлено.",
            "ポンプがまだ届きませんでした。メールをください。",
            "Message: my parcel has not been delivered",
        ] {
            let told = told(&format!("Hello,\n{line}\n"));
            assert_eq!(told.bounce, None, "{line}");
        }
    }

    #[test]
    fn what_a_person_quotes_is_not_what_the_mail_says() {
        #[rustfmt::skip]
        let cases: &[(&str, &str)] = &[
            ("quoted",     "Is this yours?\n\n> This is the mail system at host mx.example.net.\n"),
            ("below",      "See below.\n\n-----Original Message-----\nFrom: x\nThis is an automated message\n"),
            ("header",     "Danke!\n\nVon: noreply@shop.example\nGesendet: gestern\n\nDies ist eine automatisch erzeugte Nachricht\n"),
            ("wrote",      "Thanks\n\nOn 2 May 2024, Shop wrote:\nPlease do not reply to this message.\n"),
            ("nothing",    "Hello,\n\nplease send the price list.\n"),
        ];
        for (name, body) in cases {
            let told = told(body);
            assert!(!told.bounce_first && told.self_made.is_none(), "{name}: {told:?}");
        }
        // A header alone tells nothing.
        assert_eq!(read(&Headers::of_message(b"Subject: x\n")), Told::default());
    }

    #[test]
    fn parts_of_reports_are_seen_and_those_of_attached_mails_are_not() {
        let body = "--b\n\nx\n--b\nContent-Type: TYPE\n\nContent-Type: multipart/report; boundary=c\n\n\
            --c\nContent-Type: message/delivery-status\n\nAction: failed\n--c--\n--b--\n";
        let mail = |kind: &str| {
            format!("Content-Type: multipart/mixed; boundary=b\n\n{}", body.replace("TYPE", kind))
        };
        let report = |raw: String| read(&Headers::of_message(raw.as_bytes())).report;
        assert_eq!(report(mail("message/rfc822")), None);
        assert_eq!(
            report(mail("message/delivery-status")).as_deref(),
            Some("message/delivery-status")
        );
    }

    #[test]
    fn words_are_lower_case() {
        for table in
            [AWAY, BOUNCE, BY_MAIL, MAIL, PRESENTS, QUOTES, RECEIPT, SELF_MADE, UNDELIVERED]
        {
            for word in table {
                assert_eq!(word.to_lowercase(), *word);
            }
        }
    }
}
