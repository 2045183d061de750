//! Subjects that mail programs write by themselves, in the languages they write. Pure.
//!
//! Compared at the beginning only: with `Re:` or `Fwd:` before it, a person has taken it up.

/// Beginnings of out-of-office subjects, lower case.
const OUT_OF_OFFICE: &[&str] = &[
    // English
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto-response",
    "autoresponse",
    "out of office",
    "out of the office",
    "out-of-office",
    "away from the office",
    "vacation reply",
    "[auto-reply]",
    "[auto reply]",
    "i am away",
    "on vacation",
    // German
    "automatische antwort",
    "abwesenheitsnotiz",
    "abwesenheitsnachricht",
    "abwesenheit",
    "abwesend",
    "autoantwort",
    "außer haus",
    "nicht im büro",
    "auto-antwort",
    // French
    "réponse automatique",
    "reponse automatique",
    "absence du bureau",
    "absent du bureau",
    "message d'absence",
    "absence :",
    // Spanish, Catalan, Portuguese, Italian, Romanian
    "respuesta automática",
    "respuesta automatica",
    "fuera de la oficina",
    "fuera de oficina",
    "ausente",
    "resposta automàtica",
    "resposta automática",
    "resposta automatica",
    "ausência temporária",
    "fora do escritório",
    "risposta automatica",
    "fuori sede",
    "fuori ufficio",
    "răspuns automat",
    "raspuns automat",
    // Dutch, Danish, Norwegian, Swedish, Finnish, Estonian, Latvian, Lithuanian
    "automatisch antwoord",
    "afwezigheidsbericht",
    "afwezig",
    "niet aanwezig",
    "automatisk svar",
    "autosvar",
    "fraværsmelding",
    "fraværsassistent",
    "ikke til stede",
    "ikke på kontoret",
    "frånvaromeddelande",
    "frånvarande",
    "automaattinen vastaus",
    "poissa toimistosta",
    "automaatvastus",
    "automātiska atbilde",
    "automatinis atsakymas",
    // Polish, Czech, Slovak, Slovene, Croatian, Serbian, Hungarian
    "automatyczna odpowiedź",
    "odpowiedź automatyczna",
    "nieobecność",
    "poza biurem",
    "automatická odpověď",
    "automatická odpoveď",
    "mimo kancelář",
    "mimo kancelárie",
    "nepřítomnost",
    "samodejni odgovor",
    "automatski odgovor",
    "аутоматски одговор",
    "automatikus válasz",
    "házon kívül",
    // Russian, Ukrainian, Belarusian, Bulgarian, Kazakh
    "автоматический ответ",
    "автоответ",
    "нет на месте",
    "вне офиса",
    "отсутствую",
    "автоматична відповідь",
    "автовідповідь",
    "аўтаматычны адказ",
    "автоматичен отговор",
    "автоматты жауап",
    // Greek, Turkish, Hebrew, Arabic
    "αυτόματη απάντηση",
    "εκτός γραφείου",
    "otomatik yanıt",
    "otomatik cevap",
    "ofis dışında",
    "מענה אוטומטי",
    "תשובה אוטומטית",
    "הודעה מחוץ למשרד",
    "رد تلقائي",
    "الرد التلقائي",
    // Chinese, Japanese, Korean, Thai, Vietnamese, Indonesian
    "自动答复",
    "自动回复",
    "自動答覆",
    "自動回覆",
    "自動回复",
    "自動応答",
    "自動返信",
    "不在通知",
    "자동 회신",
    "자동회신",
    "부재 중",
    "부재중",
    "ตอบกลับอัตโนมัติ",
    "trả lời tự động",
    "thư trả lời tự động",
    "balasan otomatis",
];

/// Beginnings of the subjects of delivery reports, lower case.
const BOUNCE: &[&str] = &[
    // Postfix, Exim, sendmail, qmail, Exchange, Gmail, Domino, Yahoo, Courier, Zimbra
    "undelivered mail returned to sender",
    "undeliverable",
    "undelivered:",
    "mail delivery failed",
    "mail delivery failure",
    "mail delivery system",
    "mail delivery problem",
    "returned mail",
    "failure notice",
    "delivery status notification",
    "delivery failure",
    "delivery failed",
    "delivery notification",
    "delivery report",
    "delayed mail",
    "warning: could not send message",
    "warning: message",
    "message delivery failure",
    "message delivery delayed",
    "non delivery",
    "nondeliverable mail",
    "non-delivery",
    "delivery has failed",
    "delivery delayed",
    "mail could not be delivered",
    "message undeliverable",
    "mail system error",
    "[postmaster] email delivery failure",
    "permanent delivery failure",
    "could not send message",
    // As Exchange and gateways write them in other languages
    "unzustellbar",
    "nicht zustellbar",
    "zustellung fehlgeschlagen",
    "unzustellbare nachricht",
    "non remis",
    "échec de remise",
    "echec de la remise",
    "no se puede entregar",
    "no entregable",
    "no se pudo entregar",
    "non recapitabile",
    "mancato recapito",
    "onbestelbaar",
    "não é possível entregar",
    "não entregue",
    "niedostarczalne",
    "nie można dostarczyć",
    "nedoručitelné",
    "не удается доставить",
    "недоставленное сообщение",
    "недоставлено",
    "сообщение не доставлено",
    "не може бути доставлено",
    "teslim edilemedi",
    "kan inte levereras",
    "ikke leveret",
    "kan ikke leveres",
    "ei voida toimittaa",
    "αδύνατη η παράδοση",
    "לא ניתן למסור",
    "تعذر التسليم",
    "无法投递",
    "系统退信",
    "無法傳遞",
    "配信不能",
    "配信できません",
    "배달되지 않음",
    "배달할 수 없음",
];

/// Whether a program that answers for someone away wrote this subject.
pub fn is_out_of_office(subject: &str) -> bool {
    begins_with(subject, OUT_OF_OFFICE)
}

/// Whether a mail server that could not deliver wrote this subject.
pub fn is_bounce(subject: &str) -> bool {
    begins_with(subject, BOUNCE)
}

fn begins_with(subject: &str, beginnings: &[&str]) -> bool {
    let head: String = subject.chars().take(60).flat_map(char::to_lowercase).collect();
    let head =
        head.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '"' | '\''));
    beginnings.iter().any(|beginning| head.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_of_programs_are_known_in_many_languages() {
        for subject in [
            "Automatic reply: Price list",
            "Abwesenheitsnotiz: Preisliste",
            "Réponse automatique : Tarif",
            "Respuesta automática: Precios",
            "Автоматический ответ: Прайс",
            "自動応答: 価格表",
            "자동 회신: 가격",
            "OUT OF OFFICE",
        ] {
            assert!(is_out_of_office(subject), "{subject}");
        }
        for subject in ["Re: Automatic reply: Price list", "Our office", "Fwd: Out of office", ""] {
            assert!(!is_out_of_office(subject), "{subject}");
        }
        assert!(is_bounce("Undelivered Mail Returned to Sender"));
        assert!(is_bounce("Unzustellbar: Angebot"));
        assert!(!is_bounce("Fwd: Undeliverable: Offer"));
        assert!(!is_bounce("Offer: delivery in May"));
    }

    #[test]
    fn beginnings_are_lower_case() {
        for beginning in OUT_OF_OFFICE.iter().chain(BOUNCE) {
            assert_eq!(beginning.to_lowercase(), *beginning);
        }
    }
}
