#![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity)]

use proptest::prelude::*;

use super::*;

fn unconfigured(name: &str, delimiter: char, flags: &[&str]) -> (Role, &'static str) {
    role_of(name, Some(delimiter), flags, &ConfiguredRoles::default())
}

fn some(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn only_the_inbox_has_a_name_without_case() {
    #[rustfmt::skip]
    let cases = [
        ("inbox",      "INBOX"),
        ("InBox",      "INBOX"),
        ("INBOX",      "INBOX"),
        ("inbox/Sent", "inbox/Sent"),
        ("Inbox2",     "Inbox2"),
        ("Junk",       "Junk"),
        ("",           ""),
    ];
    for (written, normal) in cases {
        assert_eq!(FolderName::new(written).as_str(), normal, "{written}");
    }
    let read: FolderName = serde_json::from_str("\"inBOX\"").unwrap();
    assert_eq!(read, FolderName::new("INBOX"));
}

#[test]
fn the_configuration_says_what_a_folder_is_for() {
    let none = ConfiguredRoles::default();
    let sent = ConfiguredRoles { sent: some("Ausgang"), ..none.clone() };
    let trap = ConfiguredRoles { spam: some("inbox"), ..none.clone() };
    let spam = ConfiguredRoles { spam: some("Filtered"), ..none.clone() };
    let both = ConfiguredRoles { sent: some("X"), spam: some("X"), ..none.clone() };
    let empty = ConfiguredRoles { sent: some(""), ..none.clone() };
    let umlaut = ConfiguredRoles { drafts: some("Entwu\u{308}rfe 2"), ..none.clone() };
    let conf = BY_CONFIGURATION;
    let flag = BY_SPECIAL_USE;
    #[rustfmt::skip]
    let cases: &[(&str, &str, &[&str], &ConfiguredRoles, Role, &str)] = &[
        ("a name that no table knows",    "Ausgang",    &[],          &sent,   Role::Sent,   conf),
        ("configured before its flag",    "Ausgang",    &["\\Trash"], &sent,   Role::Sent,   conf),
        ("another is not sent by name",   "Sent",       &[],          &sent,   Role::Other,  BY_NAME),
        ("another is not sent by flag",   "Sent Items", &["\\Sent"],  &sent,   Role::Other,  BY_NAME),
        ("other roles are still found",   "Trash",      &[],          &sent,   Role::Trash,  BY_NAME),
        ("the trap: spam is the inbox",   "INBOX",      &[],          &trap,   Role::Spam,   conf),
        ("the trap in small letters",     "Inbox",      &[],          &trap,   Role::Spam,   conf),
        ("beside the trap, by name",      "Junk",       &[],          &trap,   Role::Other,  BY_NAME),
        ("beside the trap, by flag",      "Junk",       &["\\Junk"],  &trap,   Role::Spam,   flag),
        ("the server's junk stays junk",  "Junk",       &["\\Junk"],  &spam,   Role::Spam,   flag),
        ("spam by name gives way",        "Spam",       &[],          &spam,   Role::Other,  BY_NAME),
        ("mended: inbox is inbox again",  "INBOX",      &[],          &spam,   Role::Inbox,  BY_NAME),
        ("named twice: spam is stronger", "X",          &[],          &both,   Role::Spam,   conf),
        ("an empty name names nothing",   "Sent",       &[],          &empty,  Role::Sent,   BY_NAME),
        ("accents composed or not",       "Entwürfe 2", &[],          &umlaut, Role::Drafts, conf),
        ("case of other names counts",    "ausgang",    &[],          &sent,   Role::Other,  BY_NAME),
    ];
    for (case, name, flags, configured, role, decided_by) in cases {
        assert_eq!(role_of(name, Some('/'), flags, configured), (*role, *decided_by), "{case}");
    }
}

#[test]
fn the_server_says_what_a_folder_is_for() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, &[&str], Role)] = &[
        ("sent",                       "Kunden",        &["\\Sent"],                     Role::Sent),
        ("junk",                       "Kunden",        &["\\Junk"],                     Role::Spam),
        ("trash",                      "Kunden",        &["\\HasNoChildren", "\\Trash"], Role::Trash),
        ("drafts",                     "Kunden",        &["\\Drafts"],                   Role::Drafts),
        ("all",                        "Kunden",        &["\\All"],                      Role::All),
        ("archive",                    "Kunden",        &["\\Archive"],                  Role::Archive),
        ("XLIST spam",                 "Спам",          &["\\Spam"],                     Role::Spam),
        ("XLIST all",                  "[Gmail]/Todos", &["\\AllMail"],                  Role::All),
        ("XLIST inbox, localised",     "Posteingang",   &["\\Inbox"],                    Role::Inbox),
        ("small letters",              "Kunden",        &["\\junk"],                     Role::Spam),
        ("without backslash",          "Kunden",        &["Junk"],                       Role::Spam),
        ("flag before name",           "Sent",          &["\\Trash"],                    Role::Trash),
        ("two flags: kept out",        "Both",          &["\\Sent", "\\Junk"],           Role::Spam),
        ("archive and all",            "Both",          &["\\Archive", "\\All"],         Role::All),
    ];
    for (case, name, flags, role) in cases {
        assert_eq!(unconfigured(name, '/', flags), (*role, BY_SPECIAL_USE), "{case}");
    }
    for flags in [&["\\Flagged", "\\Important"][..], &["\\HasChildren", "\\Noselect"], &["\\"]] {
        assert_eq!(unconfigured("Kunden", '/', flags), (Role::Other, BY_NAME), "{flags:?}");
    }
    assert_eq!(unconfigured("INBOX", '/', &["\\Junk"]), (Role::Inbox, BY_NAME));
}

#[test]
fn the_name_says_what_a_folder_is_for() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, char, Role)] = &[
        ("inbox",                     "INBOX",                          '/', Role::Inbox),
        ("inbox in small letters",    "inbox",                          '/', Role::Inbox),
        ("below the inbox, dots",     "INBOX.Sent",                     '.', Role::Sent),
        ("below the inbox, slashes",  "INBOX/Junk E-mail",              '/', Role::Spam),
        ("in capitals",               "TRASH",                          '/', Role::Trash),
        ("a dot is no delimiter here", "INBOX.Sent",                    '/', Role::Other),
        ("an inbox below another",    "Old/INBOX",                      '/', Role::Other),
        ("words around it",           "Sent to clients",                '/', Role::Other),
        ("a parent's name",           "Trash/2024",                     '/', Role::Other),
        ("outbox is not sent",        "Outbox",                         '/', Role::Other),
        ("Yandex's delimiter",        "Archive|Черновики",              '|', Role::Drafts),
        ("Gmail, English",            "[Gmail]/Sent Mail",              '/', Role::Sent),
        ("Gmail, all",                "[Gmail]/All Mail",               '/', Role::All),
        ("Gmail, bin",                "[Gmail]/Bin",                    '/', Role::Trash),
        ("Google Mail, German",       "[Google Mail]/Gesendet",         '/', Role::Sent),
        ("Google Mail, German all",   "[Google Mail]/Alle Nachrichten", '/', Role::All),
        ("Gmail, Spanish all",        "[Gmail]/Todos",                  '/', Role::All),
        ("todos elsewhere",           "Todos",                          '/', Role::Other),
        ("Gmail, Spanish bin",        "[Gmail]/Papelera",               '/', Role::Trash),
        ("Gmail, French",             "[Gmail]/Messages envoyés",       '/', Role::Sent),
        ("Gmail, Russian all",        "[Gmail]/Вся почта",              '/', Role::All),
        ("Gmail, Japanese",           "[Gmail]/送信済みメール",         '/', Role::Sent),
        ("Gmail, starred",            "[Gmail]/Starred",                '/', Role::Other),
        ("Gmail itself",              "[Gmail]",                        '/', Role::Other),
        ("Outlook, German",           "Gesendete Elemente",             '/', Role::Sent),
        ("Outlook, Spanish spam",     "Correo no deseado",              '/', Role::Spam),
        ("Outlook, French bin",       "Éléments supprimés",             '/', Role::Trash),
        ("decomposed accents",        "E\u{301}le\u{301}ments supprime\u{301}s", '/', Role::Trash),
        ("Turkish capital İ",         "İstenmeyen E-posta",             '/', Role::Spam),
        ("a hard space",              "Sent\u{a0}Items",                '/', Role::Sent),
        ("Italian",                   "INBOX.Posta inviata",            '.', Role::Sent),
        ("Portuguese",                "Lixo Eletrônico",                '/', Role::Spam),
        ("Polish",                    "Wersje robocze",                 '/', Role::Drafts),
        ("Russian",                   "Удалённые",                      '|', Role::Trash),
        ("Chinese, simplified",       "垃圾邮件",                       '/', Role::Spam),
        ("Chinese, traditional",      "寄件備份",                       '/', Role::Sent),
        ("Japanese",                  "迷惑メール",                     '/', Role::Spam),
        ("Dutch",                     "Ongewenste e-mail",              '/', Role::Spam),
        ("Swedish",                   "Skickade objekt",                '/', Role::Sent),
        ("Czech",                     "Nevyžádaná pošta",               '/', Role::Spam),
        ("Ukrainian",                 "Чернетки",                       '/', Role::Drafts),
        ("Apple",                     "Deleted Messages",               '/', Role::Trash),
        ("Yahoo",                     "Bulk Mail",                      '/', Role::Spam),
        ("archive",                   "Archiv",                         '/', Role::Archive),
        ("nothing known",             "Kunden",                         '/', Role::Other),
        ("empty",                     "",                               '/', Role::Other),
        ("ends in the delimiter",     "Sent/",                          '/', Role::Other),
    ];
    for (case, name, delimiter, role) in cases {
        assert_eq!(unconfigured(name, *delimiter, &[]), (*role, BY_NAME), "{case}");
    }
    let flat = role_of("INBOX.Sent", None, &[], &ConfiguredRoles::default());
    assert_eq!(flat.0, Role::Other, "no hierarchy, no segments");
}

#[test]
fn each_server_and_language_has_its_four_folders() {
    #[rustfmt::skip]
    let cases: &[(&str, char, &str, &str, &str, &str)] = &[
        // Providers and programs.
        ("Apple, QQ",          '/', "Sent Messages", "Junk", "Deleted Messages", "Drafts"),
        ("Thunderbird",        '/', "Sent", "Junk", "Trash", "Drafts"),
        ("Outlook, Exchange",  '/', "Sent Items", "Junk E-mail", "Deleted Items", "Drafts"),
        ("Outlook.com",        '/', "Sent", "Junk", "Deleted", "Drafts"),
        ("Yahoo",              '/', "Sent", "Bulk Mail", "Trash", "Draft"),
        ("Yandex",             '|', "Отправленные", "Спам", "Удаленные", "Черновики"),
        ("Mail.ru",            '/', "Отправленные", "Спам", "Корзина", "Черновики"),
        ("Rambler",            '/', "SentBox", "Spam", "Trash", "DraftBox"),
        ("NetEase (163, 126)", '/', "已发送", "垃圾邮件", "已删除", "草稿箱"),
        ("GMX, WEB.DE",        '/', "Gesendet", "Spamverdacht", "Papierkorb", "Entwürfe"),
        ("T-Online",           '/', "INBOX/Sent", "INBOX/Spam", "INBOX/Trash", "INBOX/Drafts"),
        ("Open-Xchange",       '/', "Gesendete Objekte", "confirmed-spam", "Papierkorb", "Entwürfe"),
        ("Courier",            '.', "INBOX.Sent", "INBOX.Junk", "INBOX.Trash", "INBOX.Drafts"),
        ("Cyrus, old Horde",   '.', "INBOX.sent-mail", "INBOX.spam", "INBOX.trash", "INBOX.drafts"),
        ("Dovecot, Roundcube", '.', "INBOX.INBOX.Sent", "Junk", "Trash", "Drafts"),
        ("Plesk, Italian",     '.', "INBOX.Inviata", "INBOX.Spam", "INBOX.Cestino", "INBOX.Bozze"),
        ("Orange, Free",       '/', "Envoyés", "QUARANTAINE", "Corbeille", "Brouillons"),
        // Outlook and Exchange by language.
        ("Outlook, Spanish",   '/', "Elementos enviados", "Correo no deseado", "Elementos eliminados", "Borradores"),
        ("Outlook, German",    '/', "Gesendete Elemente", "Junk-E-Mail", "Gelöschte Elemente", "Entwürfe"),
        ("Outlook, French",    '/', "Éléments envoyés", "Courrier indésirable", "Éléments supprimés", "Brouillons"),
        ("Outlook, Italian",   '/', "Posta inviata", "Posta indesiderata", "Posta eliminata", "Bozze"),
        ("Outlook, pt-BR",     '/', "Itens Enviados", "Lixo Eletrônico", "Itens Excluídos", "Rascunhos"),
        ("Outlook, pt",        '/', "Itens Enviados", "Lixo Eletrónico", "Itens Eliminados", "Rascunhos"),
        ("Outlook, Polish",    '/', "Elementy wysłane", "Wiadomości-śmieci", "Elementy usunięte", "Wersje robocze"),
        ("Outlook, Russian",   '/', "Отправленные", "Нежелательная почта", "Удаленные", "Черновики"),
        ("Outlook, Turkish",   '/', "Gönderilmiş Öğeler", "Önemsiz E-posta", "Silinmiş Öğeler", "Taslaklar"),
        ("Outlook, zh-CN",     '/', "已发送邮件", "垃圾邮件", "已删除邮件", "草稿"),
        ("Outlook, zh-TW",     '/', "寄件備份", "垃圾郵件", "刪除的郵件", "草稿"),
        ("Outlook, Japanese",  '/', "送信済みアイテム", "迷惑メール", "削除済みアイテム", "下書き"),
        ("Outlook, Dutch",     '/', "Verzonden items", "Ongewenste e-mail", "Verwijderde items", "Concepten"),
        ("Outlook, Swedish",   '/', "Skickade objekt", "Skräppost", "Borttagna objekt", "Utkast"),
        ("Outlook, Danish",    '/', "Sendt post", "Uønsket e-mail", "Slettet post", "Kladder"),
        ("Outlook, Norwegian", '/', "Sendte elementer", "Søppelpost", "Slettede elementer", "Utkast"),
        ("Outlook, Finnish",   '/', "Lähetetyt", "Roskaposti", "Poistetut", "Luonnokset"),
        ("Outlook, Czech",     '/', "Odeslaná pošta", "Nevyžádaná pošta", "Odstraněná pošta", "Koncepty"),
        ("Outlook, Slovak",    '/', "Odoslaná pošta", "Nevyžiadaná pošta", "Odstránené položky", "Koncepty"),
        ("Outlook, Hungarian", '/', "Elküldött elemek", "Levélszemét", "Törölt elemek", "Piszkozatok"),
        ("Outlook, Romanian",  '/', "Elemente trimise", "E-mail nedorit", "Elemente șterse", "Schițe"),
        ("Outlook, Ukrainian", '/', "Надіслані", "Небажана пошта", "Видалені", "Чернетки"),
        ("Outlook, Greek",     '/', "Απεσταλμένα", "Ανεπιθύμητη αλληλογραφία", "Διαγραμμένα", "Πρόχειρα"),
        ("Outlook, Korean",    '/', "보낸 편지함", "정크 메일", "지운 편지함", "임시 보관함"),
        ("Outlook, Bulgarian", '/', "Изпратени", "Нежелана поща", "Изтрити", "Чернови"),
        ("Outlook, Hebrew",    '/', "פריטים שנשלחו", "דואר זבל", "פריטים שנמחקו", "טיוטות"),
        ("Outlook, Arabic",    '/', "العناصر المرسلة", "البريد الإلكتروني غير الهام", "العناصر المحذوفة", "المسودات"),
        // Gmail by language; spam is mostly called Spam.
        ("Gmail, English",     '/', "[Gmail]/Sent Mail", "[Gmail]/Spam", "[Gmail]/Trash", "[Gmail]/Drafts"),
        ("Google Mail, UK",    '/', "[Google Mail]/Sent Mail", "[Google Mail]/Spam", "[Google Mail]/Bin", "[Google Mail]/Drafts"),
        ("Gmail, Spanish",     '/', "[Gmail]/Enviados", "[Gmail]/Spam", "[Gmail]/Papelera", "[Gmail]/Borradores"),
        ("Google Mail, German", '/', "[Google Mail]/Gesendet", "[Google Mail]/Spam", "[Google Mail]/Papierkorb", "[Google Mail]/Entwürfe"),
        ("Gmail, French",      '/', "[Gmail]/Messages envoyés", "[Gmail]/Spam", "[Gmail]/Corbeille", "[Gmail]/Brouillons"),
        ("Gmail, Italian",     '/', "[Gmail]/Posta inviata", "[Gmail]/Spam", "[Gmail]/Cestino", "[Gmail]/Bozze"),
        ("Gmail, pt-BR",       '/', "[Gmail]/E-mails enviados", "[Gmail]/Spam", "[Gmail]/Lixeira", "[Gmail]/Rascunhos"),
        ("Gmail, pt",          '/', "[Gmail]/Correio enviado", "[Gmail]/Spam", "[Gmail]/Lixo", "[Gmail]/Rascunhos"),
        ("Gmail, Polish",      '/', "[Gmail]/Wysłane", "[Gmail]/Spam", "[Gmail]/Kosz", "[Gmail]/Wersje robocze"),
        ("Gmail, Russian",     '/', "[Gmail]/Отправленные", "[Gmail]/Спам", "[Gmail]/Корзина", "[Gmail]/Черновики"),
        ("Gmail, Turkish",     '/', "[Gmail]/Gönderilmiş Postalar", "[Gmail]/Spam", "[Gmail]/Çöp Kutusu", "[Gmail]/Taslaklar"),
        ("Gmail, zh-CN",       '/', "[Gmail]/已发邮件", "[Gmail]/垃圾邮件", "[Gmail]/已删除邮件", "[Gmail]/草稿"),
        ("Gmail, zh-TW",       '/', "[Gmail]/寄件備份", "[Gmail]/垃圾郵件", "[Gmail]/垃圾桶", "[Gmail]/草稿"),
        ("Gmail, Japanese",    '/', "[Gmail]/送信済みメール", "[Gmail]/迷惑メール", "[Gmail]/ゴミ箱", "[Gmail]/下書き"),
        ("Gmail, Dutch",       '/', "[Gmail]/Verzonden berichten", "[Gmail]/Spam", "[Gmail]/Prullenbak", "[Gmail]/Concepten"),
        ("Gmail, Danish",      '/', "[Gmail]/Sendte mails", "[Gmail]/Spam", "[Gmail]/Papirkurv", "[Gmail]/Kladder"),
        ("Gmail, Korean",      '/', "[Gmail]/보낸편지함", "[Gmail]/스팸함", "[Gmail]/휴지통", "[Gmail]/임시보관함"),
        // However they are written.
        ("capitals",           '/', "SENT ITEMS", "JUNK E-MAIL", "DELETED ITEMS", "DRAFTS"),
        ("capitals, Turkish",  '/', "GÖNDERİLMİŞ ÖĞELER", "İSTENMEYEN E-POSTA", "SİLİNMİŞ ÖĞELER", "TASLAKLAR"),
        ("capitals, Russian",  '/', "ОТПРАВЛЕННЫЕ", "СПАМ", "КОРЗИНА", "ЧЕРНОВИКИ"),
        ("decomposed",         '/', "E\u{301}le\u{301}ments envoye\u{301}s", "Courrier inde\u{301}sirable", "Corbeille", "Entwu\u{308}rfe"),
        ("decomposed kana",    '/', "送信済み", "迷惑メール", "こ\u{3099}み箱", "下書き"),
    ];
    for (case, delimiter, sent, spam, trash, drafts) in cases {
        let roles = [sent, spam, trash, drafts].map(|name| unconfigured(name, *delimiter, &[]));
        let expected = [Role::Sent, Role::Spam, Role::Trash, Role::Drafts];
        assert_eq!(roles, expected.map(|role| (role, BY_NAME)), "{case}");
    }
}

#[test]
fn all_mail_of_gmail_is_known_in_its_language_and_only_there() {
    #[rustfmt::skip]
    let names = [
        "Todos", "Alle Nachrichten", "Tous les messages", "Tutti i messaggi", "Todos os e-mails",
        "Todo o correio", "Wszystkie", "Вся почта", "Tüm Postalar", "所有邮件", "所有郵件", "全部郵件",
        "すべてのメール", "Alle berichten", "Alla mail", "Alle mails", "All e-post",
        "Kaikki viestit", "Všechny zprávy", "Összes levél", "Toate mesajele", "Уся пошта",
        "Όλα τα μηνύματα", "전체보관함",
    ];
    for name in names {
        for parent in ["[Gmail]", "[Google Mail]", "[GMAIL]"] {
            let below = format!("{parent}/{name}");
            assert_eq!(unconfigured(&below, '/', &[]), (Role::All, BY_NAME), "{below}");
        }
        assert_eq!(unconfigured(name, '/', &[]), (Role::Other, BY_NAME), "{name}");
        let deeper = format!("[Gmail]/Kunden/{name}");
        assert_eq!(unconfigured(&deeper, '/', &[]), (Role::Other, BY_NAME), "{deeper}");
    }
}

#[test]
fn a_folder_of_somebodys_own_has_no_role() {
    #[rustfmt::skip]
    let names = [
        "Sent to lawyer", "Spam reports", "Trash bins project", "Draft contracts", "Not spam",
        "No spam", "Kein Spam", "Unsent", "Presents", "Junkers", "Cabinet", "Binance", "Bin 7",
        "Sent?", "Sent.", "[Sent]", "Spam/Reports", "Junk 2024", "Trash-1", "Drafts of Ana",
        "Presupuestos enviados", "Enviados a clientes", "Gesendet an Kunden", "Entwürfe Logo",
        "Papierkorbmodelle", "Courrier", "Envoyés 2020", "Posta", "Itens", "Wysłane faktury",
        "Отправленные договоры", "Корзина покупок", "Gönderilenler 2024", "已发送合同", "垃圾处理",
        "送信済み見積", "Outbox", "Postausgang", "Salida", "Исходящие", "发件箱", "寄件匣", "送信トレイ",
        "Templates", "Vorlagen", "Plantillas", "Шаблоны", "Inbox2", "Posteingang", "Important",
        "[Gmail]/Starred", "[Gmail]/Wichtig", "Se\u{301}nt", "Ѕent", "S p a m",
    ];
    for name in names {
        assert_eq!(unconfigured(name, '/', &[]), (Role::Other, BY_NAME), "{name}");
    }
}

#[test]
fn of_two_sent_folders_the_surer_one_is_written_to() {
    let by_name = (Role::Sent, BY_NAME);
    let listed = [
        ("Sent", Some('/'), by_name),
        ("Sent Items", Some('/'), (Role::Sent, BY_SPECIAL_USE)),
        ("INBOX", Some('/'), (Role::Inbox, BY_NAME)),
    ];
    assert_eq!(folder_for(Role::Sent, listed), Some("Sent Items"));
    assert_eq!(folder_for(Role::Sent, [listed[0], ("B", None, by_name)]), Some("Sent"));
    assert_eq!(folder_for(Role::Drafts, listed), None);
    let old = ["Archive/2020/Sent Items", "Deleted Items/Sent Items", "Sent Items", "Sent"];
    let old = old.map(|name| (name, Some('/'), by_name));
    assert_eq!(folder_for(Role::Sent, old), Some("Sent Items"));
}

#[test]
fn every_role_reads_back() {
    for role in Role::ALL {
        assert_eq!(Role::parse(role.as_str()), Some(role));
    }
    assert_eq!(Role::parse("Sent"), None);
    assert_eq!(Role::of_flag("\\Sent"), Some(Role::Sent));
}

proptest! {
    #[test]
    fn any_name_and_any_flag_have_a_role(
        name in ".*", flag in ".*", delimiter in prop::option::of(any::<char>()),
    ) {
        role_of(&name, delimiter, &[&flag], &ConfiguredRoles::default());
    }

    #[test]
    fn the_folder_configured_for_spam_is_spam_whatever_it_is_called(
        name in ".+", flag in "\\\\(Sent|All|Inbox|Archive)",
    ) {
        let configured = ConfiguredRoles {
            spam: Some(name.clone()),
            sent: Some(name.clone()),
            ..ConfiguredRoles::default()
        };
        prop_assert_eq!(role_of(&name, Some('/'), &[&flag], &configured).0, Role::Spam);
    }
}
