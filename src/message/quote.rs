//! Where the history at the end of a mail begins: the mails it answers, quoted. Pure.

use std::ops::Range;

use super::forward::prefix::{self, Prefix};

/// Lines of an attribution: programs break `On ... wrote:` at 72 characters.
const MAX_ATTRIBUTION: usize = 3;

/// Octets of a line that may be part of an attribution or of quoted headers.
const MAX_LINE: usize = 500;

/// Lines among which quoted headers must be complete: long lists of recipients are broken.
const MAX_HEADERS: usize = 12;

/// Lines that may begin a history and are looked at closely; lists have more that only look so.
const MAX_CANDIDATES: usize = 5_000;

/// Quoted lines at the end that are history although nobody is said to have written them.
const UNATTRIBUTED: usize = 3;

/// `wrote` in the languages of mail programs, lower case.
#[rustfmt::skip]
const WROTE: &[&str] = &[
    "wrote", "writes", "schrieb", "écrit", "ecrit", "escribió", "escribio", "va escriure",
    "ha scritto", "scrive", "escreveu", "schreef", "skrev", "kirjoitti", "kirjutas",
    "napisał", "pisze", "napsal", "napísal", "napisao", "napisala", "napisal", "je napisal",
    "пишет", "написал", "пише", "писал", "написа", "напісаў", "yazdı", "şunları yazdı",
    "ezt írta", "írta", "a scris", "έγραψε", "rašė", "rakstīja", "đã viết", "menulis",
    "写道", "寫道", "のメール", "さんは書きました", "님이 작성", "작성:", "כתב", "‏כתב", "كتب",
    "เขียนว่า",
];

/// How an attribution begins where it has a date in front.
#[rustfmt::skip]
const BEGINNINGS: &[&str] = &[
    "on ", "am ", "le ", "el ", "il ", "em ", "op ", "den ", "w dniu ", "dnia ", "în ", "pe ",
    "στις ", "на ", "dana ", "dne ", "vào ", "pada ", "il giorno ", "no dia ", "a ", "в ",
];

/// What Outlook writes between dashes above what is answered.
#[rustfmt::skip]
const ORIGINAL: &[&str] = &[
    "original message", "original appointment", "ursprüngliche nachricht", "originalnachricht",
    "original-nachricht", "ursprünglicher termin", "message d'origine", "message d’origine",
    "message original", "mensaje original", "messaggio originale", "mensagem original",
    "oorspronkelijk bericht", "originele bericht", "исходное сообщение",
    "оригинальное сообщение", "вихідне повідомлення", "oryginalna wiadomość",
    "wiadomość oryginalna", "ursprungligt meddelande", "originalmeddelande",
    "oprindelig meddelelse", "opprinnelig melding", "alkuperäinen viesti", "původní zpráva",
    "pôvodná správa", "eredeti üzenet", "mesaj original", "mesajul original", "orijinal mesaj",
    "özgün ileti", "missatge original", "αρχικό μήνυμα", "izvorna poruka", "izvirno sporočilo",
    "原始邮件", "邮件原件", "原始郵件", "元のメッセージ", "원본 메시지", "원본 메일",
    "الرسالة الأصلية", "ההודעה המקורית",
];

/// What stands above a mail that is passed on: that is what such a mail is about.
#[rustfmt::skip]
const FORWARDED: &[&str] = &[
    "forwarded message", "forwarded by", "weitergeleitete nachricht", "weitergeleiteten nachricht",
    "message transféré", "message réexpédié", "mensaje reenviado", "messaggio inoltrato",
    "mensagem encaminhada", "mensagem reencaminhada", "doorgestuurd bericht",
    "przekazana wiadomość", "przekazywana wiadomość", "wiadomość przekazana",
    "пересылаемое сообщение", "пересланное сообщение", "перенаправленное сообщение",
    "переслане повідомлення", "vidarebefordrat meddelande", "videresendt meddelelse",
    "videresendt melding", "välitetty viesti", "přeposlaná zpráva", "preposlaná správa",
    "továbbított üzenet", "mesaj redirecționat", "iletilen mesaj", "iletilmiş mesaj",
    "προωθημένο μήνυμα", "转发的邮件", "转发邮件", "轉寄郵件", "轉寄的郵件", "転送メッセージ",
    "転送された", "전달된 메시지", "הודעה שהועברה", "رسالة معاد توجيهها",
];

/// Fields of quoted headers, lower case.
#[rustfmt::skip]
const FIELDS: [&[&str]; 4] = [
    &["from", "von", "de", "da", "van", "od", "от", "от кого", "від", "från", "fra", "lähettäjä", "feladó", "de la", "kimden", "gönderen", "από", "发件人", "寄件者", "差出人", "送信元", "보낸 사람", "מאת", "من"],
    &["sent", "date", "gesendet", "datum", "envoyé", "enviado", "enviado el", "enviada em", "fecha", "data", "inviato", "verzonden", "wysłano", "отправлено", "дата", "надіслано", "skickat", "sendt", "dato", "lähetetty", "päivämäärä", "odesláno", "odoslané", "elküldve", "dátum", "trimis", "gönderme tarihi", "tarih", "στάλθηκε", "ημερομηνία", "发送时间", "发送日期", "日期", "寄件日期", "送信日時", "日時", "보낸 날짜", "נשלח", "تاريخ الإرسال"],
    &["to", "an", "à", "a", "para", "aan", "do", "komu", "кому", "till", "til", "vastaanottaja", "címzett", "către", "kime", "alıcı", "προς", "收件人", "收件者", "宛先", "받는 사람", "אל", "إلى", "per"],
    &["subject", "betreff", "objet", "sujet", "asunto", "oggetto", "assunto", "onderwerp", "temat", "тема", "ämne", "emne", "aihe", "předmět", "predmet", "tárgy", "subiect", "konu", "θέμα", "主题", "主旨", "件名", "제목", "נושא", "الموضوع"],
];

/// The text with a line such as `[Earlier messages, 34 lines:]` before the history at its end.
///
/// The text as it is if it has none, if it is nothing else, if something was written below or
/// between the quotes, and from a forwarded mail on. Nothing else is changed.
pub fn fold(text: &str) -> String {
    let Some(start) = history(text) else {
        return text.to_owned();
    };
    let (own, history) = text.split_at_checked(start).unwrap_or((text, ""));
    if own.trim().is_empty() || history.trim().is_empty() {
        return text.to_owned();
    }
    let count = history.trim_end().lines().count();
    let lines = if count == 1 { "line" } else { "lines" };
    format!("{own}[Earlier messages, {count} {lines}:]\n{history}")
}

/// Whether a subject says that a mail is passed on. Outlook puts the same headers above such a
/// mail as above one that is answered: its text alone does not tell.
pub fn is_forward(subject: &str) -> bool {
    match prefix::of(subject) {
        // In doubt the text stays as it is.
        Prefix::Forward | Prefix::ForwardOrReply => true,
        Prefix::Reply | Prefix::None => false,
    }
}

/// Where the history begins, in octets.
fn history(text: &str) -> Option<usize> {
    let lines = lines_of(text);
    let mut candidates = 0;
    for at in 0..lines.len() {
        let line = line(text, &lines, at);
        if line.len() > MAX_LINE || is_quoted(line) || line.trim().is_empty() {
            continue;
        }
        // All that is looked for has one of these.
        if !line.contains([':', '：']) && !line.trim_start().starts_with("--") {
            continue;
        }
        candidates += 1;
        if is_forwarded(line) || candidates > MAX_CANDIDATES {
            return None;
        }
        if let Some(end) = headers(text, &lines, at) {
            // An older quote in what Outlook quotes is no answer to it.
            let all = follows(text, &lines, end).is_none_or(|next| !is_quoted(next));
            let begin = above(text, &lines, at);
            return (all || only_quoted(text, &lines, end)).then_some(begin);
        }
        if is_original(line) {
            let next = follows(text, &lines, at + 1);
            let all = next.is_none_or(|next| !is_quoted(next));
            return (all || only_quoted(text, &lines, at + 1)).then(|| start(&lines, at));
        }
        if let Some(begin) = attribution(text, &lines, at) {
            let rest = at + 1..lines.len();
            let quoted = follows(text, &lines, at + 1).is_some_and(is_quoted);
            let any = || rest.clone().any(|at| is_quoted(self::line(text, &lines, at)));
            let whole = if quoted { only_quoted(text, &lines, at + 1) } else { !any() };
            return whole.then(|| start(&lines, begin));
        }
    }
    unattributed(text, &lines)
}

/// Quotes at the end, if they are the only ones.
fn unattributed(text: &str, lines: &[Range<usize>]) -> Option<usize> {
    let own = |at: &usize| {
        let line = line(text, lines, *at);
        !is_quoted(line) && !line.trim().is_empty()
    };
    let last = (0..lines.len()).rev().find(own)?;
    let quoted = |at: &usize| is_quoted(line(text, lines, *at));
    let count = (last + 1..lines.len()).filter(quoted).count();
    if count < UNATTRIBUTED || (0..last).any(|at| quoted(&at)) {
        return None;
    }
    (last + 1..lines.len()).find(quoted).map(|at| start(lines, at))
}

fn lines_of(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let range = |line: &str| {
        let start = at;
        at += line.len();
        start..at
    };
    text.split_inclusive('\n').map(range).collect()
}

fn line<'x>(text: &'x str, lines: &[Range<usize>], at: usize) -> &'x str {
    lines.get(at).and_then(|range| text.get(range.clone())).unwrap_or_default().trim_end()
}

fn start(lines: &[Range<usize>], at: usize) -> usize {
    lines.get(at).map_or(0, |range| range.start)
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// The first line from `from` on that is not empty.
fn follows<'x>(text: &'x str, lines: &[Range<usize>], from: usize) -> Option<&'x str> {
    (from..lines.len()).map(|at| line(text, lines, at)).find(|line| !line.trim().is_empty())
}

fn only_quoted(text: &str, lines: &[Range<usize>], from: usize) -> bool {
    (from..lines.len()).all(|at| {
        let line = line(text, lines, at);
        is_quoted(line) || line.trim().is_empty()
    })
}

/// Without what marks bold text, and the marks of direction around names.
fn plain(line: &str) -> String {
    let mark = |c: char| matches!(c, '*' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    line.chars().filter(|c| !mark(*c)).collect::<String>().trim().to_lowercase()
}

fn is_forwarded(line: &str) -> bool {
    let marked = line.trim_start().starts_with("--") || line.ends_with([':', '：']);
    marked && line.len() < 200 && {
        let line = plain(line);
        FORWARDED.iter().any(|known| line.contains(known))
    }
}

fn is_original(line: &str) -> bool {
    let line = line.trim();
    if !line.starts_with("--") || !line.ends_with("--") {
        return false;
    }
    ORIGINAL.contains(&plain(line.trim_matches(['-', ' '])).as_str())
}

/// Which of [`FIELDS`] the line is.
fn field(line: &str) -> Option<usize> {
    if line.len() > MAX_LINE {
        return None;
    }
    let (name, _) = line.split_once([':', '：'])?;
    // The longest has fifteen characters.
    if name.len() > 60 {
        return None;
    }
    let name = plain(name).replace('\u{a0}', " ");
    FIELDS.iter().position(|names| names.contains(&name.trim()))
}

/// Where the body begins behind the quoted headers that begin here: a sender, a date, and a
/// recipient or subject.
///
/// Orders of transport have such lines too: the sender has an address, or all four are there (of
/// colleagues Outlook writes names alone).
fn headers(text: &str, lines: &[Range<usize>], at: usize) -> Option<usize> {
    let from = line(text, lines, at);
    if field(from) != Some(0) {
        return None;
    }
    let mut when = false;
    let mut seen = [true, false, false, false];
    let mut end = at + 1;
    for next in at + 1..lines.len().min(at + MAX_HEADERS) {
        let line = line(text, lines, next);
        // Two empty lines, or one behind complete headers, end them.
        if line.trim().is_empty() {
            let complete = seen == [true; 4];
            if complete || self::line(text, lines, next + 1).trim().is_empty() {
                break;
            }
            continue;
        }
        if let Some(field) = field(line)
            && let Some(seen) = seen.get_mut(field)
        {
            *seen = true;
            end = next + 1;
            when = when || field == 1 && dated(line);
        }
    }
    let [_, date, to, subject] = seen;
    let sender = from.contains('@') || when && (to && subject || is_named(from));
    (date && sender && (to || subject)).then_some(end)
}

/// Whether a name stands in quotes or brackets, as only programs write it.
fn is_named(text: &str) -> bool {
    let between = |open: char, close: char| {
        let (_, inside) = text.split_once(open)?;
        let (name, _) = inside.split_once(close)?;
        Some(name.chars().any(char::is_alphabetic))
    };
    let pairs = [('"', '"'), ('<', '>'), ('[', ']'), ('“', '”'), ('„', '“'), ('«', '»')];
    pairs.into_iter().any(|(open, close)| between(open, close) == Some(true))
}

/// A line of underscores above quoted headers belongs to them.
fn above(text: &str, lines: &[Range<usize>], at: usize) -> usize {
    let mut before = at;
    while before > 0 && at - before < 3 {
        before -= 1;
        let line = line(text, lines, before).trim();
        if line.len() >= 5 && line.chars().all(|c| c == '_') {
            return start(lines, before);
        }
        if !line.is_empty() {
            break;
        }
    }
    start(lines, at)
}

/// The first line of the attribution that ends in this line.
fn attribution(text: &str, lines: &[Range<usize>], at: usize) -> Option<usize> {
    // Marks of direction may follow.
    let last = line(text, lines, at);
    if !last.trim_end_matches(|c: char| !c.is_ascii() && c != '：').ends_with([':', '：']) {
        return None;
    }
    let quoted = follows(text, lines, at + 1).is_some_and(is_quoted);
    let mut joined = String::new();
    let mut found = None;
    for begin in (0..=at).rev().take(MAX_ATTRIBUTION) {
        let raw = line(text, lines, begin);
        if raw.trim().is_empty() || raw.len() > MAX_LINE || is_quoted(raw) {
            break;
        }
        joined = format!("{} {joined}", plain(raw));
        let begins = BEGINNINGS.iter().any(|beginning| joined.starts_with(beginning));
        // Where nothing is quoted, the line above may be anything.
        let whole = quoted || begins || begin == at;
        if !whole || !is_attribution(joined.trim(), quoted) {
            continue;
        }
        if begins && dated(&joined) {
            return Some(begin);
        }
        found = found.or(Some(begin));
    }
    found
}

/// `quoted` says that quoted lines follow; else it must be plain that this is no sentence.
fn is_attribution(text: &str, quoted: bool) -> bool {
    let wrote = WROTE.iter().any(|word| text.contains(word));
    // Gmail leaves the verb out in some languages: `чт, 2 мая 2024 г. в 10:15, Ana <ana@…>:`.
    let address = text.trim_end_matches([':', '：', ' ']).ends_with('>') && text.contains('@');
    let sender = text.contains('@') || is_named(text);
    if quoted {
        wrote || address && dated(text)
    } else {
        (wrote || address) && sender && dated(text)
    }
}

/// Whether there is a time or a year in it.
fn dated(text: &str) -> bool {
    let bytes = text.as_bytes();
    let time = bytes.windows(4).any(|window| {
        matches!(window, [a, b':' | b'.' | b'/', b, c]
            if a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit())
    });
    time || bytes.windows(4).any(|window| {
        matches!(window, [b'1' | b'2', b'9' | b'0', a, b] if a.is_ascii_digit() && b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name of the case, own text, history.
    type Case<'a> = (&'a str, &'a str, &'a str);

    #[test]
    fn history_is_found_in_every_language() {
        #[rustfmt::skip]
        let cases: &[Case<'_>] = &[
            ("english, gmail",   "Yes.\n\n", "On Thu, May 2, 2024 at 10:15 AM Ana Ruiz <ana@customer.example> wrote:\n\n> Is it?\n> Ana\n"),
            ("english, broken",  "Yes.\n\n", "On Thu, May 2, 2024 at 10:15 AM Ana Ruiz <\nana@customer.example> wrote:\n> Is it?\n"),
            ("english, broken late", "Yes.\n\n", "On Thu, May 2, 2024 at 10:15 AM Ana Ruiz 2 <ana@customer.example>\nwrote:\n\n> Is it?\n"),
            ("thunderbird",      "Yes.\n-- \nBo\n", "On 5/2/24 10:15, Ana Ruiz wrote:\n> Is it?"),
            ("no date",          "Yes.\n\n", "Ana Ruiz wrote:\n> Is it?\n"),
            ("german",           "Ja.\n\n",  "Am Do., 2. Mai 2024 um 10:15 Uhr schrieb Ana <ana@customer.example>:\n> Ist es?\n"),
            ("german, web",      "Ja.\n\n",  "\"Ana Ruiz\" <ana@customer.example> schrieb am 02.05.2024 10:15:\n> Ist es?\n"),
            ("spanish",          "Sí.\n\n",  "El jue, 2 may 2024 a las 10:15, Ana (<ana@customer.example>) escribió:\n> ¿Es?\n"),
            ("french",           "Oui.\n\n", "Le jeu. 2 mai 2024 à 10:15, Ana <ana@customer.example> a écrit :\n> Est-ce ?\n"),
            ("italian",          "Sì.\n\n",  "Il giorno gio 2 mag 2024 alle ore 10:15 Ana <ana@customer.example> ha scritto:\n> È?\n"),
            ("portuguese",       "Sim.\n\n", "Em qui., 2 de mai. de 2024 às 10:15, Ana <ana@customer.example> escreveu:\n> É?\n"),
            ("polish",           "Tak.\n\n", "W dniu 2.05.2024 o 10:15, Ana pisze:\n> Czy?\n"),
            ("polish, gmail",    "Tak.\n\n", "czw., 2 maj 2024 o 10:15 Ana <ana@customer.example> napisał(a):\n> Czy?\n"),
            ("russian",          "Да.\n\n",  "2 мая 2024 г., 10:15, Анна <ana@customer.example> написал(а):\n> Да?\n"),
            ("russian, gmail",   "Да.\n\n",  "чт, 2 мая 2024 г. в 10:15, Анна <ana@customer.example>:\n\n> Да?\n"),
            ("russian, present", "Да.\n\n",  "Анна пишет:\n> Да?\n"),
            ("ukrainian",        "Так.\n\n", "чт, 2 трав. 2024 р. о 10:15 Анна <ana@customer.example> пише:\n> Так?\n"),
            ("turkish",          "Evet.\n\n", "Ana <ana@customer.example>, 2 May 2024 Per, 10:15 tarihinde şunu yazdı:\n> mı?\n"),
            ("chinese",          "好。\n\n", "Ana <ana@customer.example> 于2024年5月2日周四 10:15写道：\n> 吗？\n"),
            ("japanese",         "はい。\n\n", "2024年5月2日(木) 10:15 Ana <ana@customer.example>:\n> か。\n"),
            ("japanese, older",  "はい。\n\n", "2024/05/02 10:15、Anaのメール:\n> か。\n"),
            ("korean",           "네.\n\n",  "2024년 5월 2일 (목) 오전 10:15, Ana <ana@customer.example>님이 작성:\n> 요?\n"),
            ("dutch",            "Ja.\n\n",  "Op do 2 mei 2024 om 10:15 schreef Ana <ana@customer.example>:\n> Is het?\n"),
            ("swedish",          "Ja.\n\n",  "Den tors 2 maj 2024 kl 10:15 skrev Ana <ana@customer.example>:\n> Är?\n"),
            ("czech",            "Ano.\n\n", "čt 2. 5. 2024 v 10:15 odesílatel Ana <ana@customer.example> napsal:\n> Je?\n"),
            ("hungarian",        "Igen.\n\n", "Ana <ana@customer.example> ezt írta (időpont: 2024. máj. 2., Cs, 10:15):\n> Az?\n"),
            ("romanian",         "Da.\n\n",  "În joi, 2 mai 2024 la 10:15, Ana <ana@customer.example> a scris:\n> Este?\n"),
            ("greek",            "Ναι.\n\n", "Στις Πέμ 2 Μαΐ 2024 στις 10:15, ο χρήστης Ana <ana@customer.example> έγραψε:\n> Είναι;\n"),
            ("not quoted",       "Yes.\n\n", "On Thursday, May 2, 2024 at 10:15:00 AM, Ana <ana@customer.example> wrote:\n\nIs it?\nAna\n"),
            ("outlook",          "Yes.\n\n", "-----Original Message-----\nFrom: Ana <ana@customer.example>\nSent: Thursday\nTo: Bo\nSubject: x\n\nIs it?\n"),
            ("outlook, german",  "Ja.\n\n",  "-----Ursprüngliche Nachricht-----\nVon: Ana\nIst es?\n"),
            ("outlook headers",  "Yes.\n\n", "From: Ana <ana@customer.example>\nSent: Thursday, May 2, 2024 10:15 AM\nTo: Bo\nSubject: x\n\nIs it?\n> older\nAna\n"),
            ("outlook headers, german", "Ja.\n\n", "Von: Ana\nGesendet: Donnerstag, 2. Mai 2024 10:15\nAn: Bo\nBetreff: x\n\nIst es?\n"),
            ("outlook headers, french", "Oui.\n\n", "De : Ana\nEnvoyé : jeudi 2 mai 2024 10:15\nÀ : Bo\nObjet : x\n\nEst-ce ?\n"),
            ("outlook headers, russian", "Да.\n\n", "От: Анна\nОтправлено: 2 мая 2024 г. 10:15\nКому: Bo\nТема: x\n\nДа?\n"),
            ("outlook headers, chinese", "好。\n\n", "发件人: Ana\n发送时间: 2024年5月2日 10:15\n收件人: Bo\n主题: x\n\n吗？\n"),
            ("outlook headers, bold", "Yes.\n\n", "*From:* Ana\n*Sent:* Thursday, May 2, 2024 10:15 AM\n*To:* Bo\n*Subject:* x\n\nIs it?\n"),
            ("underscores",      "Yes.\n\n", "________________________________\nFrom: Ana\nSent: Thursday 10:15\nTo: Bo, \n Cy\nSubject: x\n\nIs it?\n"),
            ("headers, address, no date", "Yes.\n\n", "From: ana@customer.example\nSent: Thursday\nTo: Bo\n\nIs it?\n"),
            ("headers, name in quotes", "Yes.\n\n", "From: \"Ana Ruiz\"\nDate: 2 May 2024\nTo: Bo\n\nIs it?\n"),
            ("not quoted, name in quotes", "Ja.\n\n", "Am 02.05.2024 um 10:15 schrieb \"Ana Ruiz\":\n\nIst es?\n"),
            ("not quoted, broken", "Yes.\n\n", "On Thursday, May 2, 2024 at 10:15:00 AM,\nAna <ana@customer.example> wrote:\n\nIs it?\n"),
            ("quotes alone",     "Yes.\n\n", "> a\n> b\n>\n> c\n"),
            ("forward in the history", "Yes.\n\n", "On 5/2/24 10:15, Ana Ruiz wrote:\n> ---------- Forwarded message ---------\n> From: x\n"),
        ];
        for (name, own, history) in cases {
            let count = history.trim_end().lines().count();
            let lines = if count == 1 { "line" } else { "lines" };
            let expected = format!("{own}[Earlier messages, {count} {lines}:]\n{history}");
            assert_eq!(fold(&format!("{own}{history}")), expected, "{name}");
            assert_eq!(fold(history), *history, "{name}, nothing else");
        }
    }

    #[test]
    fn what_is_no_history_stays_as_it_is() {
        #[rustfmt::skip]
        let cases: &[(&str, &str)] = &[
            ("plain",           "Hello,\nplease call me.\n\nAna"),
            ("inline",          "On 5/2/24 10:15, Ana wrote:\n> Is it?\nYes.\n> And this?\nNo.\n"),
            ("inline after text", "Hello,\nOn 5/2/24 10:15, Ana wrote:\n> Is it?\nYes.\n> rest\n> rest\n> rest\n"),
            ("bottom",          "Hello.\nOn 5/2/24 10:15, Ana wrote:\n> Is it?\n\nYes.\n"),
            ("bottom, outlook", "Hello.\n-----Original Message-----\n> Is it?\n\nYes.\n"),
            ("footer below",    "Yes.\nOn 5/2/24 10:15, Ana wrote:\n> Is it?\n-- \nList\n"),
            ("gmail forward",   "See.\n\n---------- Forwarded message ---------\nFrom: Ana\nDate: Thu\nSubject: x\nTo: Bo\n\nHi\n"),
            ("apple forward",   "See.\n\nBegin forwarded message:\n\nFrom: Ana\nSubject: x\nDate: Thu\nTo: Bo\n\nHi\n"),
            ("german forward",  "Siehe.\n\n-------- Weitergeleitete Nachricht --------\nBetreff: x\nDatum: x\nVon: Ana\nAn: Bo\n\nHi\n"),
            ("history in a forward", "See.\n---------- Forwarded message ---------\nFrom: A\n\nYes.\nOn 5/2/24 10:15, Ana wrote:\n> Is it?\n"),
            ("a sentence",      "As Ana wrote yesterday:\nwe need 200.\n"),
            ("a form",          "From: Berlin\nTo: Madrid\nPieces: 200\n"),
            ("transport",       "Please quote:\n\nFrom: Hamburg\nTo: Madrid\nDate: 3 May 2024\n\nWe need it by Monday.\n"),
            ("transport, german", "Bitte anbieten:\nVon: Hamburg\nAn: Madrid\nDatum: 3.5.2024 10:00\n2 Paletten\n"),
            ("headers without a day", "See:\nFrom: Ana\nDate: soon\nTo: Bo\nSubject: x\n"),
            ("a sentence with a date", "Hallo,\nAm 2. Mai 2024 schrieb mir Ihr Kollege:\nWir liefern am Montag.\n"),
            ("below an address", "Write to ana@customer.example.\nOn 2 May 2024 your colleague wrote:\nWe deliver on Monday.\n"),
            ("two quoted lines", "Look:\n> a\n> b\n"),
            ("a quote and more", "> a\n> b\n> c\nI agree.\n"),
            ("dashes",          "-- \nAna\n-----\n"),
            ("empty",           ""),
        ];
        for (name, text) in cases {
            assert_eq!(fold(text), *text, "{name}");
        }
    }

    #[test]
    fn forwards_are_known_by_their_subject() {
        for subject in [
            "FW: x",
            "Fwd: x",
            "WG: x",
            "TR : x",
            "转发：x",
            "RV: RE: x",
            "I: x",
            "Wtr: x",
            "Пер: x",
            "[EXT] Fwd: x",
            "VS: x",
            "Перенапр: x",
        ] {
            assert!(is_forward(subject), "{subject}");
        }
        for subject in ["Re: x", "x", "Offer: fw", "AW: WG: x", "[EXT] Re: x", ""] {
            assert!(!is_forward(subject), "{subject}");
        }
    }

    #[test]
    fn hostile_text_is_read_in_one_pass() {
        for piece in [
            "From: a\n",
            "From: \"a\nDate: 2024\nTo: x\n",
            "a:\n",
            "\n",
            "On 1:11 a@b wrote\n",
            "> a\nb\n",
            "From:\n\n",
            "wrote:",
            "_____\n",
        ] {
            fold(&piece.repeat(50_000));
        }
    }
}
