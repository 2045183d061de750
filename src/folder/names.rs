//! Well-known folder names, by language. Pure.
//!
//! Collected from what Gmail, Outlook and Exchange, Yahoo, Apple Mail, Thunderbird, Roundcube,
//! Horde and the large providers of each country call their folders. Only whole names: "Sent" is
//! the sent folder, "Sent to clients" is somebody's own. Outboxes (Postausgang, Исходящие, 发件箱)
//! are left out: they hold what was *not* sent.
//!
//! All names are folded as `fold` in the parent module does it; a test keeps them so.

use super::Role;

/// The role of a name, in whatever part of the mailbox it is.
pub fn anywhere(folded: &str) -> Option<Role> {
    // What keeps mail out of the CRM is asked first, should a word ever stand in two lists.
    [
        (Role::Spam, SPAM),
        (Role::Trash, TRASH),
        (Role::Drafts, DRAFTS),
        (Role::Sent, SENT),
        (Role::All, ALL),
        (Role::Archive, ARCHIVE),
    ]
    .into_iter()
    .find(|(_, names)| names.contains(&folded))
    .map(|(role, _)| role)
}

/// The role of a name directly below `[Gmail]` or `[Google Mail]` that means nothing elsewhere.
pub fn in_gmail(folded: &str) -> Option<Role> {
    GMAIL_ALL.contains(&folded).then_some(Role::All)
}

#[rustfmt::skip]
const SENT: &[&str] = &[
    // English
    "sent", "sent items", "sent mail", "sent messages", "sent email", "sent emails", "sent e-mail",
    "sent-mail", "sent-items", "sentmail", "sentitems", "sentbox", "sent objects",
    // Spanish, Catalan
    "enviados", "enviadas", "enviado", "enviada", "elementos enviados", "mensajes enviados", "correo enviado",
    "correos enviados", "correo electrónico enviado", "enviats", "elements enviats",
    // German
    "gesendet", "gesendete", "gesendete elemente", "gesendete objekte", "gesendete nachrichten",
    "gesendete e-mails", "gesendete mails", "gesendete post", "versendet",
    "gesendete mail",
    // French
    "envoyés", "envoyes", "éléments envoyés", "elements envoyes", "messages envoyés",
    "courrier envoyé", "courriers envoyés", "mails envoyés", "e-mails envoyés", "objets envoyés",
    // Italian
    "inviati", "inviata", "inviate", "posta inviata", "elementi inviati", "messaggi inviati",
    // Portuguese
    "itens enviados", "mensagens enviadas", "e-mails enviados", "emails enviados",
    "correio enviado", "correio eletrônico enviado",
    // Polish
    "wysłane", "wyslane", "elementy wysłane", "wiadomości wysłane", "wysłane wiadomości",
    "poczta wysłana",
    // Russian
    "отправленные", "отправленное", "отправленные письма", "отправленные элементы",
    "отправленные сообщения", "отправленная почта",
    // Ukrainian
    "надіслані", "надіслане", "відправлені", "відправлене", "надіслані елементи",
    "надіслані листи", "відправлені листи", "надіслані повідомлення",
    // Turkish
    "gönderilmiş", "gönderilen", "gönderilenler", "gönderilmiş öğeler", "gönderilen öğeler",
    "gönderilmiş postalar", "gönderilen postalar", "gönderilmiş iletiler", "gönderilmiş e-postalar",
    // Chinese
    "已发送", "已发送邮件", "已发送的邮件", "已发邮件", "已发信息", "已发送项目", "已寄出",
    "寄件備份", "寄件備份匣", "已傳送", "已傳送郵件", "已傳送的郵件", "已傳送的信件", "已寄出的郵件",
    "已寄郵件",
    // Japanese
    "送信済み", "送信済", "送信済みアイテム", "送信済みメール", "送信済みﾒｰﾙ", "送信済みメッセージ",
    "送信済みトレイ", "送信済みボックス",
    // Dutch
    "verzonden", "verzonden items", "verzonden berichten", "verzonden e-mail", "verzonden e-mails",
    "verzonden mail", "verzonden mails", "verstuurd", "verstuurde items",
    // Swedish, Danish, Norwegian, Finnish
    "skickat", "skickade", "skickade objekt", "skickade meddelanden", "skickad e-post",
    "skickad post", "skickade mail", "sendt", "sendt post", "sendt e-post", "sendte elementer",
    "sendte meddelelser", "sendte beskeder", "sendte mails", "sendte mail", "sendte e-mails",
    "lähetetyt", "lähetetyt viestit", "lähetetyt kohteet", "lähetetty",
    // Czech, Slovak
    "odeslané", "odeslaná pošta", "odeslané zprávy", "odeslané položky", "odoslané",
    "odoslaná pošta", "odoslané správy", "odoslané položky",
    // Hungarian, Romanian, Greek, Croatian and Serbian, Korean
    "elküldött", "elküldöttek", "elküldött elemek", "elküldött üzenetek", "elküldött levelek",
    "trimise", "elemente trimise", "mesaje trimise", "απεσταλμένα", "σταλμένα",
    "απεσταλμένα στοιχεία", "απεσταλμένα μηνύματα", "απεσταλμένη αλληλογραφία", "poslano",
    "poslane stavke", "보낸 편지함", "보낸편지함", "보낸 메일함", "보낸메일함",
    // Bulgarian, Estonian, Hebrew, Arabic, Vietnamese
    "изпратени", "изпратени елементи", "saadetud", "saadetud üksused", "פריטים שנשלחו",
    "דואר שנשלח", "العناصر المرسلة", "البريد المرسل", "thư đã gửi", "mục đã gửi",
];

#[rustfmt::skip]
const SPAM: &[&str] = &[
    // English
    "spam", "junk", "junk mail", "junk email", "junk e-mail", "junk-email", "junk-e-mail",
    "junk-mail", "junkmail", "bulk", "bulk mail", "spam mail", "spam e-mail", "spambox", "[spam]",
    // Open-Xchange: what a user has confirmed
    "confirmed-spam", "confirmed spam",
    // Spanish, Catalan
    "correo no deseado", "correo electrónico no deseado", "no deseado", "no deseados",
    "correo basura", "correu brossa",
    // German
    "spamverdacht", "spam-verdacht", "spam-mails", "unerwünscht", "unerwünschte mails",
    "unerwünschte e-mails", "unerwünschte nachrichten", "unerwünschte werbung",
    // French
    "courrier indésirable", "courriers indésirables", "indésirable", "indésirables",
    "messages indésirables", "pourriel", "pourriels", "spams", "quarantaine",
    // Italian
    "posta indesiderata", "indesiderata", "indesiderati",
    // Portuguese
    "lixo eletrônico", "lixo eletrónico", "lixo electrónico", "correio não solicitado",
    "correio electrónico não solicitado", "correio eletrónico não solicitado",
    // Polish
    "wiadomości-śmieci", "wiadomości śmieci", "niechciana poczta", "niechciane", "poczta niechciana",
    // Russian, Ukrainian
    "спам", "нежелательная почта", "нежелательные", "нежелательные письма", "небажана пошта",
    "небажані", "небажана електронна пошта",
    // Turkish
    "istenmeyen", "istenmeyenler", "istenmeyen e-posta", "istenmeyen posta", "gereksiz",
    "gereksiz e-posta", "önemsiz", "önemsiz e-posta", "önemsiz posta",
    // Chinese
    "垃圾邮件", "垃圾电子邮件", "垃圾信件", "垃圾箱", "垃圾邮箱", "垃圾郵件", "垃圾電郵", "垃圾電子郵件",
    "垃圾信件匣", "垃圾郵件匣", "廣告郵件", "广告邮件",
    // NetEase (163, 126)
    "病毒文件夹", "病毒邮件",
    // Japanese
    "迷惑メール", "迷惑ﾒｰﾙ", "迷惑メールフォルダ", "迷惑メールフォルダー", "スパム", "スパムメール",
    "ジャンク", "ジャンクメール", "ジャンク メール",
    // Dutch
    "ongewenst", "ongewenste e-mail", "ongewenste mail", "ongewenste berichten", "ongewenste post",
    // Swedish, Danish, Norwegian, Finnish
    "skräppost", "skräp", "skräpmail", "uønsket", "uønsket mail", "uønsket e-mail",
    "uønsket e-post", "søppelpost", "søppel-e-post", "roskaposti",
    // Czech, Slovak
    "nevyžádaná pošta", "nevyžádané", "nevyžádané zprávy", "nevyžiadaná pošta",
    // Hungarian, Romanian, Greek, Croatian, Korean
    "levélszemét", "spamek", "mesaje nedorite", "e-mail nedorit", "e-mailuri nedorite", "ανεπιθύμητα",
    "ανεπιθύμητη αλληλογραφία", "neželjena pošta", "스팸", "스팸함", "스팸메일함", "스팸 메일함",
    "정크 메일", "정크메일",
    // Bulgarian, Estonian, Hebrew, Arabic, Vietnamese
    "нежелана поща", "rämpspost", "דואר זבל", "ספאם", "البريد غير الهام",
    "البريد الإلكتروني غير الهام", "البريد العشوائي", "thư rác", "email rác",
];

#[rustfmt::skip]
const TRASH: &[&str] = &[
    // English
    "trash", "trash can", "trashcan", "bin", "deleted", "deleted items", "deleted messages",
    "deleted mail", "deleted email", "deleted e-mail", "deleted-items", "deleteditems",
    "wastebasket", "recycle bin", "rubbish", "rubbish bin",
    // Spanish, Catalan
    "papelera", "papelera de reciclaje", "eliminados", "elementos eliminados",
    "mensajes eliminados", "correo eliminado", "correos eliminados", "elementos borrados",
    "borrados", "paperera", "elements suprimits",
    // German
    "papierkorb", "gelöscht", "gelöschte", "gelöschte elemente", "gelöschte objekte",
    "gelöschte nachrichten", "gelöschte e-mails", "gelöschte mails",
    // French
    "corbeille", "poubelle", "supprimés", "éléments supprimés", "elements supprimes",
    "messages supprimés", "courrier supprimé", "objets supprimés",
    // Italian
    "cestino", "eliminata", "eliminati", "posta eliminata", "elementi eliminati",
    "messaggi eliminati",
    // Portuguese
    "lixeira", "lixo", "caixote do lixo", "reciclagem", "excluídos", "itens excluídos",
    "mensagens excluídas", "itens eliminados", "mensagens eliminadas", "itens apagados",
    "mensagens apagadas", "apagados",
    // Polish
    "kosz", "usunięte", "elementy usunięte", "wiadomości usunięte", "usunięte wiadomości",
    // Russian, Ukrainian
    "корзина", "удаленные", "удалённые", "удаленное", "удалённое", "удаленные элементы",
    "удалённые элементы", "удаленные письма", "удалённые письма", "удаленные сообщения",
    "удалённые сообщения", "кошик", "смітник", "видалені", "видалене", "видалені елементи",
    "видалені листи", "видалені повідомлення",
    // Turkish
    "çöp", "çöp kutusu", "silinmiş", "silinen", "silinenler", "silinmiş öğeler", "silinen öğeler",
    "silinmiş iletiler", "silinmiş postalar", "silinmiş e-postalar",
    // Chinese
    "已删除", "已删除邮件", "已删除的邮件", "已删除信息", "已删除项目", "废件箱", "废纸篓", "回收站", "垃圾桶",
    "已刪除", "已刪除郵件", "已刪除的郵件", "已刪除的信件", "已刪除項目", "刪除的郵件", "刪除的郵件匣",
    "已删除的项目", "已刪除的項目", "回收筒", "資源回收筒",
    // Japanese
    "ごみ箱", "ゴミ箱", "削除済み", "削除済みアイテム", "削除済みメール", "削除済みﾒｰﾙ", "削除済みメッセージ",
    "削除済みトレイ",
    // Dutch
    "prullenbak", "prullenmand", "verwijderd", "verwijderde items", "verwijderde berichten",
    "verwijderde e-mail",
    // Swedish, Danish, Norwegian, Finnish
    "papperskorgen", "papperskorg", "borttaget", "borttagna", "borttagna objekt",
    "borttagna meddelanden", "raderat", "raderade", "raderade objekt", "papirkurv", "papirkurven", "slettet post",
    "slettede elementer", "slettede meddelelser", "slettede beskeder", "slettet", "søppel",
    "søppelkasse", "søppelbøtte", "roskakori", "poistetut", "poistetut viestit",
    "poistetut kohteet", "slettede mails", "slettede e-mails",
    // Czech, Slovak
    "koš", "odpadkový koš", "odstraněné", "odstraněná pošta", "odstraněné položky",
    "odstraněné zprávy", "smazané", "smazaná pošta", "smazané zprávy", "kôš", "vymazané",
    "odstránené položky", "odstránená pošta", "vymazané správy",
    // Hungarian, Romanian, Greek, Croatian, Korean
    "kuka", "lomtár", "törölt", "törölt elemek", "törölt üzenetek", "törölt levelek",
    "coș de gunoi", "coșul de gunoi", "coşul de gunoi", "mesaje şterse", "διαγραμμένα μηνύματα",
    "απορρίμματα",
    "coş de gunoi", "elemente șterse", "elemente şterse", "mesaje șterse", "κάδος",
    "κάδος απορριμμάτων", "διαγραμμένα", "διαγραμμένα στοιχεία", "smeće", "izbrisane stavke",
    "휴지통", "지운 편지함", "지운편지함", "삭제된 항목",
    // Bulgarian, Estonian, Hebrew, Arabic, Vietnamese
    "кошче", "изтрити", "изтрити елементи", "prügikast", "kustutatud", "kustutatud üksused",
    "פריטים שנמחקו", "אשפה", "العناصر المحذوفة", "المهملات", "سلة المهملات", "thùng rác",
    "mục đã xóa",
];

#[rustfmt::skip]
const DRAFTS: &[&str] = &[
    // English, Spanish, Catalan
    "drafts", "draft", "draft messages", "draftbox", "borradores", "borrador", "esborranys",
    // German, French, Italian, Portuguese
    "entwürfe", "entwurf", "entwuerfe", "brouillons", "brouillon", "bozze", "bozza", "rascunhos",
    "rascunho",
    // Polish, Russian, Ukrainian
    "szkice", "robocze", "kopie robocze", "wersje robocze", "wersja robocza", "черновики",
    "черновик", "чернетки", "чернетка",
    // Turkish
    "taslaklar", "taslak",
    // Chinese, Japanese
    "草稿", "草稿箱", "草稿夹", "草稿邮件", "草稿匣", "草稿夾", "草稿信件匣", "下書き", "下書きトレイ",
    "下書きメール", "ドラフト",
    // Dutch, Swedish, Danish, Norwegian, Finnish
    "concepten", "concept", "concept-berichten", "utkast", "kladder", "kladde", "luonnokset",
    "luonnos",
    // Czech, Slovak
    "koncepty", "koncept", "rozepsané", "rozepsaná pošta", "rozpísané",
    // Hungarian, Romanian, Greek, Croatian, Korean
    "piszkozatok", "piszkozat", "vázlatok", "ciorne", "mesaje nefinalizate", "schițe", "schiţe", "πρόχειρα", "skice",
    "임시 보관함", "임시보관함", "임시 편지함", "임시편지함",
    // Bulgarian, Estonian, Hebrew, Arabic, Vietnamese
    "чернови", "mustandid", "טיוטות", "المسودات", "مسودات", "thư nháp",
];

#[rustfmt::skip]
const ALL: &[&str] = &["all mail", "all-mail", "allmail"];

#[rustfmt::skip]
const ARCHIVE: &[&str] = &[
    // English, Spanish, Italian, Portuguese
    "archive", "archives", "archived", "archived mail", "archivo", "archivados", "archivio",
    "archiviati", "arquivo", "arquivos", "arquivo morto", "arquivadas",
    // German, French, Dutch, Swedish, Danish, Norwegian, Finnish
    "archiv", "archivierte", "archivés", "archief", "gearchiveerd", "arkiv", "arkiverat", "arkisto",
    // Polish, Czech, Slovak, Hungarian, Romanian, Russian, Ukrainian, Turkish
    "archiwum", "archív", "archívum", "arhivă", "архив", "архів", "arşiv",
    // Chinese, Japanese, Korean
    "存档", "归档", "封存", "封存郵件", "アーカイブ", "보관함",
];

#[rustfmt::skip]
const GMAIL_ALL: &[&str] = &[
    "all mail", "todos", "todo el correo", "tots els missatges", "alle nachrichten",
    "tous les messages", "tutti i messaggi", "todos os e-mails", "todo o correio", "wszystkie",
    "вся почта", "уся пошта", "вся пошта", "tüm postalar", "所有邮件", "全部邮件", "所有郵件",
    "すべてのメール", "alle e-mail", "alle e-mails", "alle berichten", "alla mail", "alla mejl",
    "alla e-postmeddelanden", "al post", "all e-post", "kaikki viestit", "všechny zprávy",
    "všetky správy", "összes levél", "toate mesajele", "όλα τα μηνύματα", "sve poruke",
    "전체보관함", "전체 보관함", "全部郵件", "alle mails", "alle beskeder", "всички съобщения",
    "כל הדואר", "كل البريد", "tất cả thư",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity)]

    use std::collections::HashMap;

    use super::*;
    use crate::folder::fold;

    const LISTS: [&[&str]; 7] = [SENT, SPAM, TRASH, DRAFTS, ALL, ARCHIVE, GMAIL_ALL];

    #[test]
    fn every_name_stands_as_it_is_compared() {
        for name in LISTS.into_iter().flatten() {
            assert_eq!(fold(name), **name);
        }
    }

    #[test]
    fn no_name_means_two_things() {
        let mut seen = HashMap::new();
        for (list, names) in LISTS.into_iter().take(6).enumerate() {
            for name in names {
                assert_eq!(seen.insert(*name, list), None, "{name} is there twice");
            }
        }
    }

    #[test]
    fn each_language_has_a_name_for_each_of_the_four_roles() {
        #[rustfmt::skip]
        let cases = [
            ("English",    "Sent",           "Spam",                 "Trash",              "Drafts"),
            ("Spanish",    "Enviados",       "Correo no deseado",    "Papelera",           "Borradores"),
            ("German",     "Gesendet",       "Spamverdacht",         "Papierkorb",         "Entwürfe"),
            ("French",     "Envoyés",        "Indésirables",         "Corbeille",          "Brouillons"),
            ("Italian",    "Posta inviata",  "Posta indesiderata",   "Cestino",            "Bozze"),
            ("Portuguese", "Itens enviados", "Lixo eletrônico",      "Lixeira",            "Rascunhos"),
            ("Polish",     "Wysłane",        "Wiadomości-śmieci",    "Kosz",               "Szkice"),
            ("Russian",    "Отправленные",   "Нежелательная почта",  "Корзина",            "Черновики"),
            ("Turkish",    "Gönderilmiş Öğeler", "Önemsiz E-posta",  "Silinmiş Öğeler",    "Taslaklar"),
            ("Chinese",    "已发送",         "垃圾邮件",             "已删除",             "草稿箱"),
            ("Taiwanese",  "寄件備份",       "垃圾郵件",             "刪除的郵件",         "草稿匣"),
            ("Japanese",   "送信済みアイテム", "迷惑メール",         "ごみ箱",             "下書き"),
            ("Dutch",      "Verzonden items", "Ongewenste e-mail",   "Prullenbak",         "Concepten"),
            ("Swedish",    "Skickat",        "Skräppost",            "Papperskorgen",      "Utkast"),
            ("Czech",      "Odeslané",       "Nevyžádaná pošta",     "Koš",                "Koncepty"),
            ("Ukrainian",  "Надіслані",      "Небажана пошта",       "Кошик",              "Чернетки"),
        ];
        for (language, sent, spam, trash, drafts) in cases {
            let roles = [sent, spam, trash, drafts].map(|name| anywhere(&fold(name)));
            let expected = [Role::Sent, Role::Spam, Role::Trash, Role::Drafts].map(Some);
            assert_eq!(roles, expected, "{language}");
        }
    }
}
