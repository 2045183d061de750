//! Subjects that mail programs write by themselves, in the languages they write. Pure.
//!
//! Compared at the beginning only: with `Re:` or `Fwd:` before it, a person has taken it up.

use super::subject_words::{AWAY, DELIVERY, NOTICES, PROGRAM, READ, RETURNED};
use super::told_words::SAYS_PARCEL;

/// How much a subject says about an answer that a program gave for someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Only programs call an answer so: `Automatic reply: Our offer`.
    Program,
    /// Words about being away, and then what the answer is about: `Out of office: Our offer`.
    AwayFrom,
    /// Words about being away, as people write them too: `Out of office next week`.
    Away,
}

/// How much a subject says about a mail that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Of mail: `Undeliverable: Our offer`.
    Mail,
    /// Of anything that is delivered: a parcel service writes `Delivery failed` too.
    Delivery,
}

/// Characters of a subject that are compared.
const HEAD: usize = 120;

/// Marks that filters and lists put first, such as `[SPAM]`, and their length.
const MARKS: &[(char, char)] = &[('[', ']'), ('{', '}'), ('(', ')'), ('【', '】'), ('<', '>')];
const MAX_MARK: usize = 24;

/// What the subject says about an answer by a program; `None` if nothing.
///
/// `name` is the sender's own: in the third person nobody but a program writes of oneself
/// (Notes: `Ana Ruiz is out of the office`).
pub fn absence(subject: &str, name: &str) -> Option<Absence> {
    let head = head(subject);
    // A mark may be the word itself: `[Auto-Reply] Our offer`.
    let forms = [head.as_str(), without_marks(&head)];
    // `自動返信の設定` is about answers of programs.
    let program = forms.iter().filter_map(|form| after(form, PROGRAM));
    if program.into_iter().any(|rest| !rest.starts_with(char::is_alphanumeric)) {
        return Some(Absence::Program);
    }
    let third_person = |text: &str| {
        OF_OTHERS
            .iter()
            .find_map(|words| text.split_once(words).map(|(who, _)| is_named(who, name)))
    };
    // Notes writes it in capitals, and then who is away; elsewhere it is a car, or the program's
    // answer to something.
    if let Some(rest) = head.strip_prefix("auto:").or_else(|| head.strip_prefix("[auto]")) {
        let rest = rest.trim_start();
        let notes = third_person(rest).is_some() || RETURNS.iter().any(|word| rest.contains(word));
        return Some(if notes { Absence::Program } else { Absence::AwayFrom });
    }
    if let Some(own) = third_person(&head) {
        return Some(if own { Absence::Program } else { Absence::Away });
    }
    let rest = forms.iter().find_map(|form| after(form, AWAY))?;
    let rest = rest.trim_start_matches([']', ')']).trim_start();
    Some(if rest.starts_with([':', '：']) { Absence::AwayFrom } else { Absence::Away })
}

/// What Notes adds in brackets: when the person is back.
const RETURNS: &[&str] = &[
    "(returning",
    "(rückkehr",
    "(zurück",
    "(retour",
    "(regreso",
    "(vuelta",
    "(ritorno",
    "(retorno",
    "(terug",
    "(powrót",
    "(возвращ",
    "(戻り",
    "(返回",
];

/// Whether all these words, lower case, are of that name: `Ana Ruiz` of `Dr. Ana Ruiz`.
fn is_named(who: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    let apart = |c: char| !c.is_alphanumeric();
    let mut words = who.split(apart).filter(|word| !word.is_empty()).peekable();
    words.peek().is_some() && words.all(|word| name.split(apart).any(|own| own == word))
}

/// Words that tell of someone's absence in the third person.
const OF_OTHERS: &[&str] = &[
    " is out of the office",
    " is out of office",
    " is currently out of the office",
    " is away from the office",
    " is on vacation",
    " ist außer haus",
    " ist nicht im büro",
    " ist abwesend",
    " est absent",
    " está fuera de la oficina",
    " è fuori ufficio",
    " is niet aanwezig",
    " is afwezig",
];

/// What the subject says about a mail that could not be delivered, or not yet; `None` if nothing.
pub fn failure(subject: &str) -> Option<Failure> {
    let head = head(subject);
    let forms = [head.as_str(), without_marks(&head)];
    if let Some(rest) = forms.iter().find_map(|form| after(form, RETURNED)) {
        // `Undeliverable: Your order` was a mail, `Could not deliver your order` is about goods.
        let before = head.strip_suffix(rest).unwrap_or_default().trim_end();
        let names = rest.trim_start().starts_with([':', '：']) || before.ends_with(':');
        let goods = !names && SAYS_PARCEL.are_in(rest);
        return Some(if goods { Failure::Delivery } else { Failure::Mail });
    }
    forms.iter().any(|form| begins_with(form, DELIVERY)).then_some(Failure::Delivery)
}

/// Whether a person has taken it up: `Re:`, `AW:`, `Fwd:` and their like.
pub fn is_taken_up(subject: &str) -> bool {
    let head = head(subject);
    let mark = head.split([':', '：', '[']).next().unwrap_or_default().trim();
    mark.len() < head.len() && TAKEN_UP.contains(&mark)
}

#[rustfmt::skip]
const TAKEN_UP: &[&str] = &[
    "re", "aw", "antw", "antwort", "sv", "vs", "vl", "ref", "rif", "r", "rv", "res", "odp", "ynt", "yan",
    "atb", "bls", "πρ", "απ", "σχετ", "תגובה", "رد", "回复", "回覆", "答复", "返信", "답장", "отв", "ответ",
    "fw", "fwd", "wg", "tr", "enc", "i", "pd", "vb", "doorst", "továbbítás", "przekazane", "ilt",
    "转发", "轉寄", "転送", "전달", "пересл", "переслано", "הועבר", "إعادة توجيه",
];

/// Whether it begins as the notices of programs about something else: of monitors, shops, tickets.
pub fn is_notice(subject: &str) -> bool {
    let head = head(subject);
    begins_with(&head, NOTICES) || begins_with(without_marks(&head), NOTICES)
}

/// Whether it begins as a receipt of having been read.
pub fn is_receipt(subject: &str) -> bool {
    begins_with(&head(subject), READ)
}

/// Whether it is that of a DMARC aggregate report (RFC 7489 section 7.2.1.1).
pub fn is_dmarc_report(subject: &str) -> bool {
    let head = head(subject);
    let marked = |word: &str| head.contains(word);
    let standard = begins_with(without_marks(&head), &["report domain:", "dmarc aggregate report"]);
    standard && (marked("submitter:") || marked("report-id:") || marked("dmarc"))
}

/// Whether it is that of a form of a web site: such mail is a person's question, and the sender
/// is the site's robot.
pub fn is_of_a_form(subject: &str) -> bool {
    let head = head(subject);
    FORMS.iter().any(|word| head.contains(word))
}

const FORMS: &[&str] = &[
    "enquiry",
    "inquiry",
    "contact form",
    "contact request",
    "contact us",
    "web form",
    "webform",
    "form submission",
    "new message from",
    "new submission",
    "quote request",
    "request for quote",
    "request a quote",
    "call back",
    "callback",
    "new lead",
    "new order",
    "anfrage",
    "kontaktformular",
    "kontaktaufnahme",
    "rückruf",
    "neue bestellung",
    "formulaire",
    "demande de",
    "nouvelle commande",
    "formulario",
    "consulta",
    "solicitud",
    "nuevo pedido",
    "formulário",
    "orçamento",
    "modulo di contatto",
    "richiesta",
    "preventivo",
    "nuovo ordine",
    "contactformulier",
    "aanvraag",
    "formularz",
    "zapytanie",
    "formulář",
    "poptávka",
    "dotaz",
    "заявка",
    "заявку",
    "обратной связи",
    "обратный звонок",
    "заказ звонка",
    "новый заказ",
    "сообщение с сайта",
    "письмо с сайта",
    "вопрос с сайта",
    "запрос",
    "запит",
    "iletişim formu",
    "teklif",
    "お問い合わせ",
    "お問合せ",
    "询价",
    "留言",
    "문의",
];

/// The beginning in lower case, without what decorates it.
fn head(subject: &str) -> String {
    let head: String = subject.chars().take(HEAD).flat_map(char::to_lowercase).collect();
    let decoration = |c: char| c.is_whitespace() || matches!(c, '*' | '"' | '\'' | '!' | '#' | '-');
    let plain = head.trim_start_matches(decoration);
    // `** PROBLEM alert` is known by its decoration.
    if head.trim_start().starts_with("** ") { head.trim().to_owned() } else { plain.to_owned() }
}

/// Without the marks in front: `[SPAM] {Virus?} ***Spam*** Undeliverable` begins with the last word.
fn without_marks(head: &str) -> &str {
    let mut rest = head;
    for _ in 0..3 {
        let Some((open, close)) = MARKS.iter().find(|(open, _)| rest.starts_with(*open)) else {
            break;
        };
        let inside = rest.get(open.len_utf8()..).unwrap_or_default();
        let Some((mark, after)) = inside.split_once(*close) else {
            break;
        };
        if mark.chars().count() > MAX_MARK {
            break;
        }
        rest =
            after.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '-' | ':' | '*'));
    }
    for mark in ["spam", "junk"] {
        if let Some(after) = rest.strip_prefix(mark)
            && after.starts_with(['*', ':', ']'])
        {
            rest = after.trim_start_matches(['*', ':', ']', ' ', '-']);
        }
    }
    rest
}

fn begins_with(head: &str, beginnings: &[&str]) -> bool {
    after(head, beginnings).is_some()
}

/// What follows the longest beginning that fits. A word must end where it ends: `absence` is none
/// in `absences`, `автоответ` none in `автоответчик`. Scripts without blanks have no such end.
fn after<'a>(head: &'a str, beginnings: &[&str]) -> Option<&'a str> {
    let fits = beginnings.iter().filter_map(|beginning| {
        let rest = head.strip_prefix(beginning)?;
        let spaced =
            |c: char| c.is_alphabetic() && c < '\u{2e80}' && !('\u{e00}'..'\u{e80}').contains(&c);
        let ends = !beginning.ends_with(spaced) || !rest.starts_with(spaced);
        ends.then_some(rest)
    });
    fits.min_by_key(|rest| rest.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn answers_of_programs_are_known_in_many_languages() {
        use Absence::*;
        #[rustfmt::skip]
        let cases: &[(&str, Option<Absence>)] = &[
            ("Automatic reply: Price list",             Some(Program)),
            ("Automatic Reply Price list",              Some(Program)),
            ("Auto: Price list",                         Some(AwayFrom)),
            ("AUTO: Price list",                        Some(AwayFrom)),
            ("AUTO: Golf VII",                          Some(AwayFrom)),
            ("AUTO: Urlaub (Rückkehr am 05.05.2024)",   Some(Program)),
            ("Ann is out of the office",                Some(Away)),
            ("Автоответчик для офиса",                  None),
            ("自動返信の設定について",                   None),
            ("AUTO: Ana Ruiz is out of the office (returning 05/05/2024)", Some(Program)),
            ("[Auto-Reply] Price list",                 Some(Program)),
            ("[SPAM] Automatic reply: Price list",      Some(Program)),
            ("Out of Office AutoReply: Price list",     Some(Program)),
            ("Ana Ruiz is out of the office.",          Some(Program)),
            ("Bo is out of the office",                 Some(Away)),
            ("Out of office: Price list",               Some(AwayFrom)),
            ("Out of office next week",                 Some(Away)),
            ("Abwesenheitsnotiz: Preisliste",           Some(Program)),
            ("Abwesend: Preisliste",                    Some(AwayFrom)),
            ("Réponse automatique : Tarif",             Some(Program)),
            ("Respuesta automática: Precios",           Some(Program)),
            ("Resposta automática: Preços",             Some(Program)),
            ("Resposta automàtica: Preus",              Some(Program)),
            ("Risposta automatica: Listino",            Some(Program)),
            ("Răspuns automat: Lista",                  Some(Program)),
            ("Automatisch antwoord: Prijslijst",        Some(Program)),
            ("Autosvar: Prisliste",                     Some(Program)),
            ("Automatisk svar: Prislista",              Some(Program)),
            ("Automaattinen vastaus: Hinnasto",         Some(Program)),
            ("Automaatvastus: Hinnakiri",               Some(Program)),
            ("Automātiska atbilde: Cenas",              Some(Program)),
            ("Automatinis atsakymas: Kainos",           Some(Program)),
            ("Odpowiedź automatyczna: Cennik",          Some(Program)),
            ("Automatická odpověď: Ceník",              Some(Program)),
            ("Automatická odpoveď: Cenník",             Some(Program)),
            ("Samodejni odgovor: Cenik",                Some(Program)),
            ("Automatski odgovor: Cjenik",              Some(Program)),
            ("Automatikus válasz: Árlista",             Some(Program)),
            ("Автоматический ответ: Прайс",             Some(Program)),
            ("Автоматична відповідь: Ціни",             Some(Program)),
            ("Автоматичен отговор: Цени",               Some(Program)),
            ("Αυτόματη απάντηση: Τιμές",                Some(Program)),
            ("Otomatik yanıt: Fiyat",                   Some(Program)),
            ("תשובה אוטומטית: מחירון",                  Some(Program)),
            ("رد تلقائي: الأسعار",                      Some(Program)),
            ("自动答复: 价格",                           Some(Program)),
            ("自動回覆：價格",                           Some(Program)),
            ("自動応答: 価格表",                         Some(Program)),
            ("자동 회신: 가격",                          Some(Program)),
            ("ตอบกลับอัตโนมัติ: ราคา",                   Some(Program)),
            ("Trả lời tự động: Giá",                    Some(Program)),
            ("Balasan otomatis: Harga",                 Some(Program)),
            ("Re: Automatic reply: Price list",         None),
            ("Fwd: Out of office",                      None),
            ("Our office",                              None),
            ("Absences of May",                         None),
            ("Automatic reply machines wanted",         Some(Program)),
            ("",                                        None),
        ];
        for (subject, expected) in cases {
            assert_eq!(absence(subject, "Ana Ruiz"), *expected, "{subject}");
        }
    }

    #[test]
    fn returned_mail_is_known_in_many_languages() {
        use Failure::*;
        #[rustfmt::skip]
        let cases: &[(&str, Option<Failure>)] = &[
            ("Undelivered Mail Returned to Sender",      Some(Mail)),
            ("[SPAM] Undeliverable: Offer",              Some(Mail)),
            ("***SPAM*** Undeliverable: Offer",          Some(Mail)),
            ("NOTICE: mail delivery status.",            Some(Mail)),
            ("WARNING: delayed mail.",                   Some(Mail)),
            ("Unzustellbar: Angebot",                    Some(Mail)),
            ("Non remis : Offre",                        Some(Mail)),
            ("No se puede entregar: Oferta",             Some(Mail)),
            ("Não é possível entregar: Oferta",          Some(Mail)),
            ("Non recapitabile: Offerta",                Some(Mail)),
            ("Onbestelbaar: Aanbod",                     Some(Mail)),
            ("Kan inte levereras: Erbjudande",           Some(Mail)),
            ("Kan ikke leveres: Tilbud",                 Some(Mail)),
            ("Ei voi toimittaa: Tarjous",                Some(Mail)),
            ("Niedostarczalne: Oferta",                  Some(Mail)),
            ("Nedoručitelné: Nabídka",                   Some(Mail)),
            ("Kézbesíthetetlen: Ajánlat",                Some(Mail)),
            ("Nelivrabil: Oferta",                       Some(Mail)),
            ("Teslim edilemedi: Teklif",                 Some(Mail)),
            ("Δεν είναι δυνατή η παράδοση: Προσφορά",    Some(Mail)),
            ("Не удается доставить: Предложение",        Some(Mail)),
            ("Недоставленное сообщение",                 Some(Mail)),
            ("Не вдалося доставити: Пропозиція",         Some(Mail)),
            ("配信不能: 見積",                            Some(Mail)),
            ("メール配信に失敗しました",                   Some(Mail)),
            ("无法送达: 报价",                            Some(Mail)),
            ("系统退信",                                  Some(Mail)),
            ("無法傳遞: 報價",                            Some(Mail)),
            ("배달할 수 없음: 견적",                      Some(Mail)),
            ("배달되지 않음: 견적",                       Some(Delivery)),
            ("Delayed: flight 12",                       Some(Delivery)),
            ("תעודה",                                    None),
            ("לא ניתן למסור: הצעה",                      Some(Mail)),
            ("تعذر التسليم: عرض",                        Some(Mail)),
            ("Delivery failed",                          Some(Delivery)),
            ("Non-delivery of order 4711",               Some(Delivery)),
            ("Non-delivery report",                      Some(Mail)),
            ("No se pudo entregar su pedido",            Some(Delivery)),
            ("Undeliverable: Your order",                Some(Mail)),
            ("Доставка оборудования в пятницу",          None),
            ("Delivery notification for parcel 12",      Some(Delivery)),
            ("Delivery Notification: Delivery has failed", Some(Mail)),
            ("Fwd: Undeliverable: Offer",                None),
            ("Offer: delivery in May",                   None),
            ("Undeliverables of April",                  None),
        ];
        for (subject, expected) in cases {
            assert_eq!(failure(subject), *expected, "{subject}");
        }
    }

    #[test]
    fn notices_receipts_and_forms_are_known() {
        assert!(is_notice("Cron <root@host> /usr/bin/backup"));
        assert!(is_notice("** PROBLEM Service Alert: web/HTTP is CRITICAL **"));
        assert!(is_notice("[web-01] Logwatch for web-01 (Linux)"));
        assert!(!is_notice("Re: Logwatch for web-01"));
        assert!(is_receipt("Read: Our offer") && is_receipt("Gelesen: Angebot"));
        assert!(!is_receipt("Read this") && !is_receipt("Re: Read: Our offer"));
        assert!(is_dmarc_report("Report Domain: example.com Submitter: a.example Report-ID: 1"));
        assert!(!is_dmarc_report("Report domain: sales of May"));
        assert!(
            is_taken_up("AW: Angebot") && is_taken_up("RE[2]: Offer") && is_taken_up("回复：价格")
        );
        assert!(!is_taken_up("Return receipt") && !is_taken_up("Offer: pumps"));
        assert!(is_of_a_form("[Shop] New enquiry from Ana") && !is_of_a_form("Your parcel"));
    }

    #[test]
    fn beginnings_are_lower_case() {
        for table in [AWAY, DELIVERY, NOTICES, PROGRAM, READ, RETURNED, OF_OTHERS, FORMS, TAKEN_UP]
        {
            for beginning in table {
                assert_eq!(beginning.to_lowercase(), *beginning);
            }
        }
    }
}
