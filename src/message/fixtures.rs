//! What every file in `tests/fixtures` says, and what the rules make of it: one row a file. Each
//! is named for what is odd about it.

#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::folder::Role;
use crate::rules::admit::{Arrival, Decision, admit};
use crate::rules::{Creation, DealChoice, Policy, RuleSet};

/// 2024-05-02T10:15:00Z, the date of all fixtures that have a readable one.
pub(super) const NOON: Option<i64> = Some(1_714_644_900);

/// File, first sender, subject, date, Message-ID (empty if absent), class, text, attachments,
/// decision. Long texts as [`shown`] writes them, decisions as [`decision`] does.
pub(super) type Row = (
    &'static str,
    &'static str,
    &'static str,
    Option<i64>,
    &'static str,
    Class,
    &'static str,
    &'static [&'static str],
    &'static str,
);

/// All tables; a further one is one line.
#[rustfmt::skip]
const TABLES: &[&[Row]] = &[
    ROWS,
    fixtures_bodies::ROWS,
    fixtures_headers::ROWS,
    fixtures_robots::ROWS,
];

/// How many files there are at least: a table that is lost is missed.
const AT_LEAST: usize = 499;

/// Rows that say what ought to be and is not yet, with the reason. One that has come true is to
/// be taken out, and a test says so.
const NOT_YET: &[(&str, &str)] = &[];

use Class::{Automated, Bounce, MailingList, Normal, SpamVerdict};

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("addresses-groups-and-comments", "Ana (Sales) Ruiz <ana@customer.example>", "Price list", NOON, "group@customer.example", Normal, "hello", &[], "incoming queued"),
    ("addresses-idn", "Ana <ana@xn--bcher-kva.example>", "Price list", NOON, "idn@customer.example", Normal, "hello", &[], "incoming queued"),
    ("attachment-name-raw-8-bit", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "name-raw-8-bit@customer.example", Normal, "See attachment.", &["Предложение.pdf"], "incoming queued"),
    ("attachment-name-rfc-2047", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "name-rfc-2047@customer.example", Normal, "See attachment.", &["Прайс-лист.pdf"], "incoming queued"),
    ("attachment-name-rfc-2231-continued", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "name-rfc-2231-continued@customer.example", Normal, "See attachment.", &["Прайс.pdf"], "incoming queued"),
    ("attachment-name-with-path-and-override", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "name-with-path-and-override@customer.example", Normal, "See attachment.", &["invfdp.exe"], "incoming queued"),
    ("attachment-without-name", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "without-name@customer.example", Normal, "See attachment.", &["attachment-1.png"], "incoming queued"),
    ("automated-exchange-out-of-office", "Ana Ruiz <ana@customer.example>", "Automatische Antwort: Our offer", NOON, "ooo@customer.example", Automated, "Ich bin nicht im Büro.", &[], "incoming queued"),
    ("automated-old-autoresponder", "Ana Ruiz <ana@customer.example>", "Re: Our offer", NOON, "ar@customer.example", Automated, "Thank you for your message.", &[], "incoming queued"),
    ("automated-read-receipt", "Ana Ruiz <ana@customer.example>", "Read: Our offer", NOON, "mdn@customer.example", Automated, "Your message was read.", &["attachment-1.txt"], "incoming queued"),
    ("automated-two-weak-signs", "Ana Ruiz <ana@customer.example>", "Réponse automatique : Our offer", NOON, "weak@customer.example", Automated, "Absent.", &[], "incoming queued"),
    ("automated-vacation", "Ana Ruiz <ana@customer.example>", "Away", NOON, "vac@customer.example", Automated, "I am away.", &[], "incoming queued"),
    ("bounce-complaint-arf", " <fbl@provider.example>", "Abuse report", NOON, "arf@provider.example", Bounce, "This is an abuse report.", &["attachment-1.txt"], "incoming queued"),
    ("bounce-domino-home-made", " <postmaster@customer.example>", "DELIVERY FAILURE: User nobody not listed in Domino Directory", NOON, "OF@customer.example", Bounce, "Your message was not delivered.", &[], "incoming queued"),
    ("bounce-exchange-online", "Microsoft Outlook <microsoftexchange329e71ec88ae4615bbc36ab6ce41109e@example.com>", "Unzustellbar: Our offer", NOON, "dsn@eurprd.example.com", Bounce, "Your message could not be delivered.", &["attachment-1.txt", "Our offer.eml"], "incoming queued"),
    ("bounce-exim", "Mail Delivery System <mailer-daemon@mx.example.net>", "Mail delivery failed: returning message to sender", NOON, "E1s@mx.example.net", Bounce, "A message that you sent could not be delivered to one or more of its\nrecipients.", &[], "incoming queued"),
    ("bounce-forwarded-by-a-person", "Ana Ruiz <ana@customer.example>", "Fwd: Undelivered Mail Returned to Sender", NOON, "fb@customer.example", Normal, "Is this yours?", &["Undelivered Mail Returned to Sender.eml"], "incoming queued"),
    ("bounce-gmail", "Mail Delivery Subsystem <mailer-daemon@mail.example>", "Delivery Status Notification (Failure)", NOON, "663@mail.example", Bounce, "Your message could not be delivered.", &["attachment-1.txt", "Our offer.eml"], "incoming queued"),
    ("bounce-postfix", "Mail Delivery System <mailer-daemon@mx.example.net>", "Undelivered Mail Returned to Sender", NOON, "20240502101500.ABC@mx.example.net", Bounce, "Your message could not be delivered.", &["attachment-1.txt", "Our offer.eml"], "incoming queued"),
    ("bounce-qmail", " <mailer-daemon@mx.example.net>", "failure notice", NOON, "", Bounce, "Hi. This is the qmail-send program at mx.example.net.", &[], "incoming queued"),
    ("broken-base64-with-dirt", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "dirt@customer.example", Normal, "Hello, Ana!", &[], "incoming queued"),
    ("broken-charset-lie-utf-8-as-latin1", "Ana Ruiz <ana@customer.example>", "München", NOON, "lie@customer.example", Normal, "Grüße aus München", &[], "incoming queued"),
    ("broken-date-absurd", "Ana Ruiz <ana@customer.example>", "Price list", None, "epoch@customer.example", Normal, "hello", &[], "incoming queued"),
    ("broken-date-two-digit-year-obsolete-zone", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "obs@customer.example", Normal, "hello", &[], "incoming queued"),
    ("broken-date-words", "Ana Ruiz <ana@customer.example>", "Price list", None, "words@customer.example", Normal, "hello", &[], "incoming queued"),
    ("broken-empty", "", "", None, "", Normal, "", &[], "incoming no-address"),
    ("broken-fold-without-blank", " <ana@customer.example>", "A long subject that a script cut without a blank", NOON, "fold@customer.example", Normal, "body", &[], "incoming queued"),
    ("broken-from-in-one-word", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "oneword@customer.example", Normal, "hello", &[], "incoming queued"),
    ("broken-html-meta-charset-only", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "meta@customer.example", Normal, "Добрый день!\nЦена?", &[], "incoming queued"),
    ("broken-line-ends-cr-cr-lf", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "crcrlf@customer.example", Normal, "hello", &[], "incoming queued"),
    ("broken-line-ends-cr-only", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "cr@customer.example", Normal, "hello\nAna", &[], "incoming queued"),
    ("broken-line-ends-lf-only", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "lf@customer.example", Normal, "hello\nAna", &[], "incoming queued"),
    ("broken-mbox-line-first", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "mbox@customer.example", Normal, "hello", &[], "incoming queued"),
    ("broken-message-id-folded", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "very-long-id-that-was-folded@customer.example", Normal, "hello", &[], "incoming queued"),
    ("broken-message-id-without-brackets", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "plain-id@customer.example", Normal, "hello", &[], "incoming queued"),
    ("broken-multipart-cut-off", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "cutoff@customer.example", Normal, "The scan is attached.", &["scan.pdf"], "incoming queued"),
    ("broken-multipart-without-boundary", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "nb@customer.example", Normal, "--x\n\nhello\n--x--", &[], "incoming queued"),
    ("broken-no-blank-line", " <ana@customer.example>", "No blank line", None, "noblank@customer.example", Normal, "Hello,\nplease send prices.\n\nAna", &[], "incoming queued"),
    ("broken-no-from", "", "Who am I?", NOON, "nofrom@customer.example", Normal, "hello", &[], "incoming internal"),
    ("broken-no-message-id", "Ana Ruiz <ana@customer.example>", "No id", NOON, "", Normal, "hello, no id", &[], "incoming queued"),
    ("broken-nul-bytes", "Ana <ana@customer.example>", "Price", NOON, "nul@customer.example", Normal, "hello", &[], "incoming queued"),
    ("broken-raw-8-bit-headers-koi8-r", "Пётр <p@customer.example>", "Прайс-лист", NOON, "raw@customer.example", Normal, "Привет", &[], "incoming queued"),
    ("broken-raw-8-bit-headers-no-charset", "Müller <m@customer.example>", "Grüße aus München", NOON, "raw2@customer.example", Normal, "Grüße", &[], "incoming queued"),
    ("broken-several-from", "Ana <ana@customer.example>", "Price list", NOON, "two@customer.example", Normal, "hello", &[], "incoming queued"),
    ("broken-text-without-header", "", "", None, "", Normal, "Hello,\nthis is no mail at all.", &[], "incoming no-address"),
    ("broken-word-not-closed", "Ana Ruiz <ana@customer.example>", "Price list for München", NOON, "open@customer.example", Normal, "x", &[], "incoming queued"),
    ("broken-words-cut-inside-characters", "Ana Ruiz <ana@customer.example>", "Предложение для вас", NOON, "cut@customer.example", Normal, "x", &[], "incoming queued"),
    ("encrypted-pgp-inline", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "pgpi@customer.example", Normal, "Ana", &[], "incoming queued"),
    ("encrypted-pgp-mime", "Ana Ruiz <ana@customer.example>", "...", NOON, "pgp@customer.example", Normal, "", &[], "incoming queued"),
    ("encrypted-smime", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "smime@customer.example", Normal, "", &[], "incoming queued"),
    ("form-of-a-web-site", "Shop <noreply@shop.example>", "New enquiry", NOON, "form@shop.example", Normal, "Name: Ana Ruiz\nPhone: +34 600 000 000", &[], "incoming queued"),
    ("lang-arabic-windows-1256", "محمد علي <arabic-windows-1256@customer.example>", "طلب عرض سعر", NOON, "arabic-windows-1256@customer.example", Normal, "مرحبا، أرسلوا قائمة الأسعار.", &[], "incoming queued"),
    ("lang-chinese-big5", "陳大文 <chinese-big5@customer.example>", "詢價單", NOON, "chinese-big5@customer.example", Normal, "您好，請寄報價單。", &[], "incoming queued"),
    ("lang-chinese-gb18030", "王小明 <chinese-gb18030@customer.example>", "询价单", NOON, "chinese-gb18030@customer.example", Normal, "您好，请发报价。", &[], "incoming queued"),
    ("lang-emoji-utf-8", "Ana 🎉 <ana@customer.example>", "🎉 Thanks ❤\u{fe0f}", NOON, "emoji@customer.example", Normal, "Great 🎉👩\u{200d}💻", &[], "incoming queued"),
    ("lang-french-iso-8859-15", "François Lefèvre <french-iso-8859-15@customer.example>", "Prix : 100 € à Orléans", NOON, "french-iso-8859-15@customer.example", Normal, "Où est le cœur ?", &[], "incoming queued"),
    ("lang-german-charset-label-unknown", "Ana Ruiz <ana@customer.example>", "Charset nobody knows", NOON, "x@customer.example", Normal, "Grüße aus Köln", &[], "incoming queued"),
    ("lang-german-windows-1252", "Jürgen Groß <german-windows-1252@customer.example>", "Angebot „Größe XL“ – 5 €", NOON, "german-windows-1252@customer.example", Normal, "Schöne Grüße aus München", &[], "incoming queued"),
    ("lang-greek-iso-8859-7", "Νίκος Παπαδόπουλος <greek-iso-8859-7@customer.example>", "Τιμοκατάλογος", NOON, "greek-iso-8859-7@customer.example", Normal, "Καλημέρα, στείλτε μας τις τιμές.", &[], "incoming queued"),
    ("lang-hebrew-windows-1255", "דוד כהן <hebrew-windows-1255@customer.example>", "הצעת מחיר", NOON, "hebrew-windows-1255@customer.example", Normal, "שלום, אנא שלחו מחירון.", &[], "incoming queued"),
    ("lang-japanese-iso-2022-jp", "山田 <yamada@customer.example>", "お見積りのお願い", NOON, "jis@customer.example", Normal, "お世話になっております。", &[], "incoming queued"),
    ("lang-japanese-shift-jis", "山田太郎 <japanese-shift-jis@customer.example>", "見積もりのお願い", NOON, "japanese-shift-jis@customer.example", Normal, "お世話になっております。", &[], "incoming queued"),
    ("lang-korean-euc-kr", "김철수 <korean-euc-kr@customer.example>", "견적 요청", NOON, "korean-euc-kr@customer.example", Normal, "안녕하세요, 견적 부탁드립니다.", &[], "incoming queued"),
    ("lang-polish-iso-8859-2", "Łukasz Żółć <polish-iso-8859-2@customer.example>", "Zapytanie o cenę", NOON, "polish-iso-8859-2@customer.example", Normal, "Dzień dobry, proszę o ofertę.", &[], "incoming queued"),
    ("lang-russian-koi8-r", "Пётр Иванов <russian-koi8-r@customer.example>", "Прайс-лист", NOON, "russian-koi8-r@customer.example", Normal, "Здравствуйте! Пришлите прайс-лист.", &[], "incoming queued"),
    ("lang-russian-windows-1251", "Анна Смирнова <russian-windows-1251@customer.example>", "Запрос цены", NOON, "russian-windows-1251@customer.example", Normal, "Добрый день, пришлите цену.", &[], "incoming queued"),
    ("lang-spanish-iso-8859-1", "José Núñez <spanish-iso-8859-1@customer.example>", "¿Presupuesto para mañana?", NOON, "spanish-iso-8859-1@customer.example", Normal, "¡Buenos días! ¿Me envían el presupuesto?", &[], "incoming queued"),
    ("lang-turkish-iso-8859-9", "Şükrü Güneş <turkish-iso-8859-9@customer.example>", "Fiyat teklifi için", NOON, "turkish-iso-8859-9@customer.example", Normal, "İyi günler, fiyat listesi lütfen.", &[], "incoming queued"),
    ("lang-ukrainian-koi8-u", "Олена Їжак <ukrainian-koi8-u@customer.example>", "Запит ціни", NOON, "ukrainian-koi8-u@customer.example", Normal, "Добрий день, надішліть ціну.", &[], "incoming queued"),
    ("lang-utf-8-headers-eai", "Иван <иван@xn--80a1acny.example>", "Привет, прайс?", NOON, "eai@customer.example", Normal, "Текст", &[], "incoming queued"),
    ("list-mailman", "Ana via Forum <forum@lists.example>", "[Forum] Question", NOON, "mm@customer.example", MailingList, "How does it work?", &[], "incoming queued"),
    ("list-newsletter-bulk", "News <noreply@news.example>", "Spring offers", NOON, "nl@news.example", MailingList, "Spring offers\n\nBuy & save", &[], "incoming queued"),
    ("normal-exchange-suppresses-auto-responses", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "ex@customer.example", Normal, "Please call me.", &[], "incoming queued"),
    ("normal-spam-level-only", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "lvl@customer.example", Normal, "Please call me.", &[], "incoming queued"),
    ("normal-talks-about-being-away", "Ana Ruiz <ana@customer.example>", "Out of office next week", NOON, "away@customer.example", Normal, "I am away next week, so please send the offer today.", &[], "incoming queued"),
    ("ordinary-alternative-gmail", "Ana Ruiz <ana.ruiz@mail.example>", "Price list", NOON, "CAF=abc+123@mail.mail.example", Normal, "Thanks, the offer is fine.", &[], "incoming queued"),
    ("ordinary-apple-mail", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "A1B2@customer.example", Normal, "See the drawing.", &["drawing.pdf"], "incoming queued"),
    ("ordinary-calendar-invitation", "Ana Ruiz <ana@customer.example>", "Invitation: Visit", NOON, "cal@customer.example", Normal, "You are invited.", &["invitation-1.ics", "invite.ics"], "incoming queued"),
    ("ordinary-outlook-html-inline-image", "Ruiz, Ana <ana@customer.example>", "Price list", NOON, "DB7PR0@eurprd.customer.example", Normal, "Schöne Grüße\n\nAna", &["image001.png", "offer.pdf"], "incoming queued"),
    ("ordinary-plain", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "1@customer.example", Normal, "Hello,\n\nplease send me your price list for 200 pieces.\n\nBest regards\nAna Ruiz", &[], "incoming queued"),
    ("ordinary-reply-with-forwarded-mail", "Ana Ruiz <ana@customer.example>", "Fwd: Machine", NOON, "fwd@customer.example", Normal, "Please look at the attached mail.", &["Re_ Machine 5_7_ price_.eml"], "incoming queued"),
    ("ordinary-vcard", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "vcf@customer.example", Normal, "My card is attached.", &["ana.vcf"], "incoming queued"),
    ("sent-by-the-crm", "Sales <sales@example.com>", "Price list", NOON, "crm.activity.4711-Ab12cD@portal.example.com", Normal, "Dear Ana", &[], "outgoing own-crm-mail"),
    ("signed-pgp-mime", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "signed@customer.example", Normal, "Signed text.", &["signature.asc"], "incoming queued"),
    ("spam-rspamd", "Win <win@spam.example>", "You won", NOON, "rs@spam.example", SpamVerdict, "You won.", &[], "incoming queued"),
    ("spam-spamassassin", "Win <win@spam.example>", "*****SPAM***** You won", NOON, "sa@spam.example", SpamVerdict, "You won.", &[], "incoming queued"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub(super) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.eml"))).unwrap()
}

fn emails(addresses: &[Address]) -> Vec<&str> {
    addresses.iter().map(|address| address.email.as_str()).collect()
}

/// A text as its row shows it: whole, or of more than 200 characters by beginning and length.
fn shown(text: &str, row: &str) -> String {
    let length = text.chars().count();
    if length <= 200 || !row.ends_with(" characters)") {
        return text.to_owned();
    }
    let head: String = text.chars().take(40).collect();
    format!("{head}… ({length} characters)")
}

fn shown_address(address: Option<&Address>) -> String {
    address.map(|from| format!("{} <{}>", from.name, from.email)).unwrap_or_default()
}

/// The rules as a fresh configuration has them, for sales@example.com and its alias.
fn rules() -> RuleSet {
    RuleSet {
        enabled: true,
        own: Arc::new(["sales@example.com", "info@example.com"].map(str::to_owned).into()),
        internal_domains: ["example.com".to_owned()].into(),
        exclude: Vec::new(),
        automated: Policy::Attach,
        bounce: Policy::Attach,
        mailing_list: Policy::Attach,
        spam_verdict: Policy::Attach,
        always_new_lead_for: Vec::new(),
        deal_choice: DealChoice::Latest,
        repeat_lead: false,
        on_incoming: Creation::Lead,
        on_outgoing: Creation::Contact,
        history_outgoing: true,
        forwards: false,
    }
}

/// Direction and fate, such as `incoming queued` or `outgoing internal`, with the external
/// addresses.
fn decided(message: &Message, raw: &[u8], role: Role) -> (String, Vec<String>) {
    let body = from_body(message, raw, false);
    let employees: HashSet<String> = ["boss@holding.example".to_owned()].into();
    let arrival = Arrival {
        message,
        body: Some(&body),
        role,
        internal_date: 1_714_644_900,
        window_start: 1_714_040_100,
        employees: Some(&employees),
        first_reading: false,
        by_hand: None,
    };
    let admitted = admit(&rules(), &arrival);
    let fate = match admitted.decision {
        Decision::Skip(reason) => reason.code(),
        Decision::Queue { undecided_employees: false } => "queued",
        Decision::Queue { undecided_employees: true } => "undecided",
    };
    let parties = admitted.parties.into_iter().map(|party| party.email).collect();
    (format!("{} {fate}", admitted.direction.as_str()), parties)
}

/// What is made of the message in the folder of the role that `expected` names before a slash,
/// in the inbox if it names none.
fn decision(message: &Message, raw: &[u8], expected: &str) -> String {
    match expected.split_once('/') {
        Some((role, _)) => {
            format!("{role}/{}", decided(message, raw, Role::parse(role).unwrap()).0)
        }
        None => decided(message, raw, Role::Inbox).0,
    }
}

/// What a fixture says otherwise than its row; empty if nothing.
fn differences(row: &Row) -> Vec<String> {
    let (name, from, subject, date, id, class, text, attachments, expected) = row;
    let raw = fixture(name);
    let message = parse(&raw).unwrap();
    let body = body(&raw).unwrap();
    let names: Vec<&str> = body.attachments.iter().map(|file| file.name.as_str()).collect();
    let encrypted = name.starts_with("encrypted-");
    let by_a_crm = id.starts_with("crm.activity.");
    let facts = [
        ("from", shown(&shown_address(message.from.as_ref()), from), (*from).to_owned()),
        ("subject", shown(&message.subject, subject), (*subject).to_owned()),
        ("date", format!("{:?}", message.date), format!("{date:?}")),
        ("id", shown(message.message_id.as_deref().unwrap_or_default(), id), (*id).to_owned()),
        ("class", format!("{:?}", message.class.class), format!("{class:?}")),
        ("text", shown(&body.text, text), (*text).to_owned()),
        ("files", format!("{names:?}"), format!("{attachments:?}")),
        ("encrypted", body.encrypted.to_string(), encrypted.to_string()),
        ("by a CRM", message.crm_activity.is_some().to_string(), by_a_crm.to_string()),
        ("decision", decision(&message, &raw, expected), (*expected).to_owned()),
    ];
    let wrong = facts.into_iter().filter(|(_, found, expected)| found != expected);
    wrong
        .map(|(fact, found, expected)| format!("{name}: {fact} is {found:?}, not {expected:?}"))
        .collect()
}

#[test]
fn every_fixture_gives_its_facts_and_its_decision() {
    let is_open = |row: &&Row| NOT_YET.iter().any(|(open, _)| *open == row.0);
    let rows = || TABLES.iter().copied().flatten();
    let wrong: Vec<String> = rows().filter(|row| !is_open(row)).flat_map(differences).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for row in rows().filter(is_open) {
        assert!(!differences(row).is_empty(), "{} has come true", row.0);
    }
}

#[test]
fn every_fixture_has_exactly_one_row() {
    let mut rows: HashMap<String, usize> = HashMap::new();
    for row in TABLES.iter().copied().flatten() {
        *rows.entry(row.0.to_owned()).or_default() += 1;
    }
    let mut files = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert_eq!(rows.remove(&name), Some(1), "rows of {name}");
            files += 1;
        }
    }
    assert_eq!(rows, HashMap::new(), "rows without a file");
    assert!(files >= AT_LEAST, "{files} files");
    for (name, reason) in NOT_YET {
        assert!(TABLES.iter().copied().flatten().any(|row| row.0 == *name), "{name}: {reason}");
    }
}

#[test]
fn addresses_of_fixtures_are_found_in_every_header() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, &[&str])] = &[
        ("addresses-groups-and-comments", "To",  &["sales@example.com", "info@example.com"]),
        ("addresses-groups-and-comments", "Cc",  &["bo+tag@customer.example", "\"two words\"@customer.example"]),
        ("addresses-idn",                 "To",  &["info@xn--mller-kva.example"]),
        ("form-of-a-web-site",            "Reply-To", &["ana@customer.example"]),
        ("broken-several-from",           "more", &["bo@customer.example"]),
        ("direction-several-from-first-of-us", "more", &["ana@customer.example"]),
        ("direction-group-syntax",        "To",  &["ana@customer.example", "li@customer.example"]),
        ("direction-group-syntax",        "Cc",  &["bo.berg@example.com"]),
        ("direction-undisclosed-recipients", "To", &[]),
        ("direction-external-in-bcc-only", "Bcc", &["ana@customer.example"]),
        ("direction-reply-to-is-our-own", "Reply-To", &["sales@example.com"]),
        ("direction-to-is-no-address",    "To",  &[]),
        ("address-list-with-semicolons",  "To",  &["bo.berg@example.com", "ana@customer.example"]),
        // What is encoded is text (RFC 2047 section 6.2) and never a further field.
        ("subject-encoded-line-break",    "Bcc", &[]),
        ("name-with-line-break-inside",   "Bcc", &[]),
        ("name-encoded-pretends-to-be-us", "more", &[]),
        // Of a mail passed on the first way counts (RFC 5322 section 3.6.6).
        ("forward-resent",                "To",  &["sales@example.com"]),
        ("header-from-lines-in-the-body", "To",  &["sales@example.com"]),
    ];
    for (name, header, expected) in cases {
        let message = parse(&fixture(name)).unwrap();
        let found = match *header {
            "To" => &message.to,
            "Cc" => &message.cc,
            "Bcc" => &message.bcc,
            "Reply-To" => &message.reply_to,
            _ => &message.from_more,
        };
        assert_eq!(emails(found), *expected, "{name}: {header}");
    }
    let message = parse(&fixture("addresses-groups-and-comments")).unwrap();
    assert_eq!(message.cc.first().unwrap().name, "Ruiz, Bo");
}

#[test]
fn clients_of_fixtures_stand_in_the_order_in_which_they_are_looked_up() {
    #[rustfmt::skip]
    let cases: &[(&str, &[&str])] = &[
        ("form-of-a-web-site",                     &["ana@customer.example", "noreply@shop.example"]),
        ("direction-reply-to-is-our-own",          &["ana@customer.example"]),
        ("direction-colleagues-with-external-in-cc", &["ana@customer.example"]),
        ("direction-external-in-bcc-only",         &["ana@customer.example"]),
        ("direction-several-from-first-a-customer", &["ana@customer.example"]),
        ("direction-several-from-first-of-us",     &["li@customer.example"]),
        ("direction-group-syntax",                 &["ana@customer.example", "li@customer.example"]),
        ("direction-reply-to-is-partly-ours",      &["ana@customer.example", "li@customer.example"]),
        ("address-via-a-shop",                     &["ana@customer.example", "noreply@shop.example"]),
        ("direction-customer-writes-to-the-employee", &["ana@customer.example"]),
        ("direction-to-oneself",                   &[]),
        ("name-pretends-to-be-us",                 &["x@evil.example"]),
        ("sender-is-a-secretary",                  &["ana@customer.example"]),
        // An attached or quoted mail is text or a file: its people are no parties (rule 11).
        ("forward-as-attachment",                  &["ana@customer.example"]),
        ("forward-inline-gmail-spanish",           &["ana@customer.example"]),
        ("forward-by-a-colleague",                 &[]),
    ];
    for (name, expected) in cases {
        let raw = fixture(name);
        let message = parse(&raw).unwrap();
        assert_eq!(decided(&message, &raw, Role::Inbox).1, *expected, "{name}");
    }
    let raw = fixture("direction-two-hundred-recipients");
    let message = parse(&raw).unwrap();
    assert_eq!(message.to.len(), 200);
    assert_eq!(decided(&message, &raw, Role::Sent).1.len(), 20);
}

#[test]
fn threads_of_fixtures_are_kept_in_order() {
    #[rustfmt::skip]
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("ordinary-alternative-gmail",       &["1@example.com"], &["0@example.com", "1@example.com"]),
        ("thread-in-reply-to-with-words",    &["1@example.com"], &[]),
        ("thread-ids-with-blanks",           &["1@example.com"], &["0@example.com", "1@example.com"]),
        ("thread-index-of-outlook-only",     &[],                &[]),
        ("thread-references-with-commas",    &[],                &["0@example.com", "1@example.com", "2@example.com"]),
        ("thread-references-without-brackets", &["1@example.com"], &["0@example.com", "1@example.com"]),
        ("thread-references-glued",          &[],                &["0@example.com", "1@example.com", "2@example.com"]),
        ("thread-in-reply-to-twice",         &["1@example.com", "2@example.com"], &[]),
        ("thread-to-itself",                 &["thread-to-itself@customer.example"], &["thread-to-itself@customer.example"]),
    ];
    for (name, in_reply_to, references) in cases {
        let message = parse(&fixture(name)).unwrap();
        assert_eq!(message.in_reply_to, *in_reply_to, "{name}");
        assert_eq!(message.references, *references, "{name}");
    }
    let long = parse(&fixture("thread-200-references")).unwrap();
    assert_eq!(long.references.first().map(String::as_str), Some("r100@example.com"));
    assert_eq!(long.references.last().map(String::as_str), Some("r199@example.com"));
}

#[test]
fn files_of_fixtures_come_out_whole() {
    let outlook = body(&fixture("ordinary-outlook-html-inline-image")).unwrap();
    let [image, offer] = outlook.attachments.as_slice() else {
        unreachable!("the table says two");
    };
    assert_eq!(image.content_type, "image/png");
    assert!(image.bytes.starts_with(b"\x89PNG"));
    assert!(offer.bytes.starts_with(b"%PDF-1.4") && offer.bytes.ends_with(b"%%EOF\n"));
    // An attached mail goes as it came, with everything in it.
    let forward = body(&fixture("ordinary-reply-with-forwarded-mail")).unwrap();
    let inner = forward.attachments.first().unwrap();
    assert!(inner.bytes.starts_with(b"From: Bo") && inner.bytes.ends_with(b"--y--"));
}

#[test]
fn the_header_alone_gives_the_same_facts() {
    for row in TABLES.iter().copied().flatten() {
        let raw = fixture(row.0);
        let whole = parse(&raw).unwrap();
        let end = raw.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4);
        let Some(header) = end.and_then(|end| raw.get(..end)) else {
            continue;
        };
        let mut alone = parse(header).unwrap();
        // Without a Message-ID the body belongs to the identity.
        if whole.message_id.is_none() {
            alone.fingerprint = whole.fingerprint;
        }
        // The body may tell of a robot that the header says nothing of, never the other way.
        if alone.class.class == Class::Normal || alone.class.class == whole.class.class {
            alone.class = whole.class.clone();
        }
        assert_eq!(alone, whole, "{}", row.0);
    }
}
