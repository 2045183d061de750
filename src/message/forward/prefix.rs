//! Whether a subject says forward or reply, in the languages that mail programs write. Pure.

use super::line::fold;

/// What the first prefix of a subject says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    Forward,
    /// `VS`: forwarded in Danish and Norwegian, answered in Finnish and Estonian.
    ForwardOrReply,
    Reply,
    /// None that is known; whoever forwards may have written a subject of his own.
    None,
}

const FORWARD: &[&str] = &[
    // English, and most programs whatever their language
    "fwd",
    "fw",
    "forward",
    "forwarded",
    // German, Spanish, French, Italian, Portuguese, Dutch
    "wg",
    "wtr",
    "weitergeleitet",
    "rv",
    "reenv",
    "reenviado",
    "tr",
    "i",
    "inoltro",
    "inoltra",
    "enc",
    "encaminhado",
    "doorst",
    "dst",
    // Danish and Norwegian (VS below), Swedish, Finnish, Icelandic, Baltic
    "vb",
    "vl",
    "fs",
    "áfr",
    "edasi",
    "pārs",
    "prs",
    // Polish, Czech, Slovak, Slovene, Croatian, Hungarian, Romanian
    "pd",
    "przek",
    "přepos",
    "přeposláno",
    "předat",
    "prep",
    "posr",
    "pro",
    "proslijeđeno",
    "tov",
    "továbbítás",
    "red",
    "redirecționat",
    // Russian, Ukrainian, Bulgarian, Greek, Turkish
    "пер",
    "пересл",
    "перенапр",
    "переслано",
    "пересилка",
    "пересылка",
    "препр",
    "препратено",
    "πρθ",
    "προωθ",
    "ilt",
    "iltl",
    // Hebrew, Arabic, Persian
    "הועבר",
    "إعادة توجيه",
    "إعادة إرسال",
    "توجيه",
    "ارجاع",
    // Chinese, Japanese, Korean, Vietnamese, Thai, Indonesian
    "转发",
    "轉寄",
    "轉發",
    "転送",
    "전달",
    "chuyển tiếp",
    "ct",
    "ส่งต่อ",
    "trs",
    "terusan",
];

const FORWARD_OR_REPLY: &str = "vs";

const REPLY: &[&str] = &[
    "re",
    "aw",
    "antw",
    "antwort",
    "resp",
    "r",
    "rif",
    "res",
    "rép",
    "rép.",
    "sv",
    "svar",
    "vast",
    "atb",
    "ats",
    "odp",
    "odpověď",
    "od",
    "odg",
    "vá",
    "válasz",
    "răsp",
    "raspuns",
    "отв",
    "ответ",
    "на",
    "ha",
    "відп",
    "отг",
    "απ",
    "απάντ",
    "σχετ",
    "ynt",
    "yan",
    "cevap",
    "השב",
    "תשובה",
    "رد",
    "پاسخ",
    "回复",
    "回覆",
    "答复",
    "答覆",
    "返信",
    "回信",
    "회신",
    "답장",
    "trả lời",
    "tl",
    "ตอบกลับ",
    "ตอบ",
    "bls",
    "balas",
];

/// What the first prefix says: of `Fwd: Re: Price` it is a forward, of `Re: Fwd: Price` a reply.
///
/// Names of lists or gateways before it (`[Sales] Fwd: Price`) are passed over, `[Fwd: Price]`
/// and `Price (fwd)` are forwards.
pub fn of(subject: &str) -> Prefix {
    let folded = fold(subject);
    let mut rest = folded.as_str();
    // Each round takes a piece off the front, and 200 characters hold few.
    while let Some(inside) = rest.strip_prefix('[') {
        if let prefix @ (Prefix::Forward | Prefix::Reply) = first(inside) {
            return prefix;
        }
        let Some((_, after)) = inside.split_once(']') else {
            break;
        };
        rest = after.trim_start();
    }
    let prefix = first(rest);
    let marked_behind = folded.ends_with("(fwd)") || folded.ends_with("(fw)");
    if prefix == Prefix::None && marked_behind { Prefix::Forward } else { prefix }
}

fn first(subject: &str) -> Prefix {
    let Some((word, _)) = subject.split_once(':') else {
        return Prefix::None;
    };
    // `Re[2]`, `Re(3)`, `AW^2`, `Fwd 2`, `Re*2`.
    let counted = |c: char| c.is_ascii_digit() || "[]()^* ".contains(c);
    let word = word.trim_end_matches(counted).trim();
    if word == FORWARD_OR_REPLY {
        Prefix::ForwardOrReply
    } else if FORWARD.contains(&word) {
        Prefix::Forward
    } else if REPLY.contains(&word) {
        Prefix::Reply
    } else {
        Prefix::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_prefix_decides() {
        use Prefix::*;
        #[rustfmt::skip]
        let cases: &[(&str, Prefix)] = &[
            ("Fwd: Price",         Forward),
            ("FW: Price",          Forward),
            ("Fw: Re: Price",      Forward),
            ("WG: Preis",          Forward),
            ("RV: Precio",         Forward),
            ("TR : Tarif",         Forward),
            ("I: Prezzo",          Forward),
            ("ENC: Preço",         Forward),
            ("VB: Pris",           Forward),
            ("VL: Hinta",          Forward),
            ("PD: Cena",           Forward),
            ("Doorst: Prijs",      Forward),
            ("İLT: Fiyat",         Forward),
            ("ПЕР: Цена",          Forward),
            ("Перенапр: Цена",     Forward),
            ("ΠΡΘ: Τιμή",          Forward),
            ("转发：价格",          Forward),
            ("轉寄: 價格",          Forward),
            ("転送: 価格",          Forward),
            ("[Fwd: Price]",       Forward),
            ("[Sales] Fwd: Price", Forward),
            ("[EXT] [Sales] WG: Preis", Forward),
            ("Price (fwd)",        Forward),
            ("VS: Pris",           ForwardOrReply),
            ("Re: Fwd: Price",     Reply),
            ("Re[2]: Price",       Reply),
            ("AW: WG: Preis",      Reply),
            ("SV: Pris",           Reply),
            ("回复：价格",          Reply),
            ("Re: Price (fwd)",    Reply),
            ("[Re: Price]",        Reply),
            ("Price",              None),
            ("Price: 5",           None),
            ("[Sales",             None),
            ("",                   None),
        ];
        for (subject, prefix) in cases {
            assert_eq!(of(subject), *prefix, "{subject}");
        }
        of(&"[".repeat(100_000));
        of(&"[]".repeat(100_000));
    }

    #[test]
    fn prefixes_stand_in_the_form_that_they_are_compared_in() {
        for word in FORWARD.iter().chain(REPLY) {
            assert_eq!(fold(word), *word);
            assert!(!(FORWARD.contains(word) && REPLY.contains(word)), "{word}");
        }
    }
}
