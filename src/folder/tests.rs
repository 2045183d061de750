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
