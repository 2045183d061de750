//! What every file in `tests/fixtures` says: one row a file. Each is named for what is odd about it.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use super::*;

/// 2024-05-02T10:15:00Z, the date of all fixtures that have a readable one.
const NOON: Option<i64> = Some(1_714_644_900);

/// File, first sender, subject, date, Message-ID (empty if absent), class, text, attachments.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    Option<i64>,
    &'static str,
    Class,
    &'static str,
    &'static [&'static str],
);

use Class::{Automated, Bounce, MailingList, Normal, SpamVerdict};

#[rustfmt::skip]
const ROWS: &[Row] = &[
        ("addresses-groups-and-comments", "Ana (Sales) Ruiz <ana@customer.example>", "Price list", NOON, "group@customer.example", Normal, "hello", &[]),
        ("addresses-idn", "Ana <ana@xn--bcher-kva.example>", "Price list", NOON, "idn@customer.example", Normal, "hello", &[]),
        ("attachment-name-raw-8-bit", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "name-raw-8-bit@customer.example", Normal, "See attachment.", &["Предложение.pdf"]),
        ("attachment-name-rfc-2047", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "name-rfc-2047@customer.example", Normal, "See attachment.", &["Прайс-лист.pdf"]),
        ("attachment-name-rfc-2231-continued", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "name-rfc-2231-continued@customer.example", Normal, "See attachment.", &["Прайс.pdf"]),
        ("attachment-name-with-path-and-override", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "name-with-path-and-override@customer.example", Normal, "See attachment.", &["invfdp.exe"]),
        ("attachment-without-name", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "without-name@customer.example", Normal, "See attachment.", &["attachment-1.png"]),
        ("automated-exchange-out-of-office", "Ana Ruiz <ana@customer.example>", "Automatische Antwort: Our offer", NOON, "ooo@customer.example", Automated, "Ich bin nicht im Büro.", &[]),
        ("automated-old-autoresponder", "Ana Ruiz <ana@customer.example>", "Re: Our offer", NOON, "ar@customer.example", Automated, "Thank you for your message.", &[]),
        ("automated-read-receipt", "Ana Ruiz <ana@customer.example>", "Read: Our offer", NOON, "mdn@customer.example", Automated, "Your message was read.", &["attachment-1.txt"]),
        ("automated-two-weak-signs", "Ana Ruiz <ana@customer.example>", "Réponse automatique : Our offer", NOON, "weak@customer.example", Automated, "Absent.", &[]),
        ("automated-vacation", "Ana Ruiz <ana@customer.example>", "Away", NOON, "vac@customer.example", Automated, "I am away.", &[]),
        ("bounce-complaint-arf", " <fbl@provider.example>", "Abuse report", NOON, "arf@provider.example", Bounce, "This is an abuse report.", &["attachment-1.txt"]),
        ("bounce-domino-home-made", " <postmaster@customer.example>", "DELIVERY FAILURE: User nobody not listed in Domino Directory", NOON, "OF@customer.example", Bounce, "Your message was not delivered.", &[]),
        ("bounce-exchange-online", "Microsoft Outlook <microsoftexchange329e71ec88ae4615bbc36ab6ce41109e@example.com>", "Unzustellbar: Our offer", NOON, "dsn@eurprd.example.com", Bounce, "Your message could not be delivered.", &["attachment-1.txt", "Our offer.eml"]),
        ("bounce-exim", "Mail Delivery System <mailer-daemon@mx.example.net>", "Mail delivery failed: returning message to sender", NOON, "E1s@mx.example.net", Bounce, "A message that you sent could not be delivered to one or more of its\nrecipients.", &[]),
        ("bounce-forwarded-by-a-person", "Ana Ruiz <ana@customer.example>", "Fwd: Undelivered Mail Returned to Sender", NOON, "fb@customer.example", Normal, "Is this yours?", &["Undelivered Mail Returned to Sender.eml"]),
        ("bounce-gmail", "Mail Delivery Subsystem <mailer-daemon@mail.example>", "Delivery Status Notification (Failure)", NOON, "663@mail.example", Bounce, "Your message could not be delivered.", &["attachment-1.txt", "Our offer.eml"]),
        ("bounce-postfix", "Mail Delivery System <mailer-daemon@mx.example.net>", "Undelivered Mail Returned to Sender", NOON, "20240502101500.ABC@mx.example.net", Bounce, "Your message could not be delivered.", &["attachment-1.txt", "Our offer.eml"]),
        ("bounce-qmail", " <mailer-daemon@mx.example.net>", "failure notice", NOON, "", Bounce, "Hi. This is the qmail-send program at mx.example.net.", &[]),
        ("broken-base64-with-dirt", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "dirt@customer.example", Normal, "Hello, Ana!", &[]),
        ("broken-charset-lie-utf-8-as-latin1", "Ana Ruiz <ana@customer.example>", "München", NOON, "lie@customer.example", Normal, "Grüße aus München", &[]),
        ("broken-date-absurd", "Ana Ruiz <ana@customer.example>", "Price list", None, "epoch@customer.example", Normal, "hello", &[]),
        ("broken-date-two-digit-year-obsolete-zone", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "obs@customer.example", Normal, "hello", &[]),
        ("broken-date-words", "Ana Ruiz <ana@customer.example>", "Price list", None, "words@customer.example", Normal, "hello", &[]),
        ("broken-empty", "", "", None, "", Normal, "", &[]),
        ("broken-fold-without-blank", " <ana@customer.example>", "A long subject that a script cut without a blank", NOON, "fold@customer.example", Normal, "body", &[]),
        ("broken-from-in-one-word", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "oneword@customer.example", Normal, "hello", &[]),
        ("broken-html-meta-charset-only", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "meta@customer.example", Normal, "Добрый день!\nЦена?", &[]),
        ("broken-line-ends-cr-cr-lf", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "crcrlf@customer.example", Normal, "hello", &[]),
        ("broken-line-ends-cr-only", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "cr@customer.example", Normal, "hello\nAna", &[]),
        ("broken-line-ends-lf-only", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "lf@customer.example", Normal, "hello\nAna", &[]),
        ("broken-mbox-line-first", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "mbox@customer.example", Normal, "hello", &[]),
        ("broken-message-id-folded", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "very-long-id-that-was-folded@customer.example", Normal, "hello", &[]),
        ("broken-message-id-without-brackets", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "plain-id@customer.example", Normal, "hello", &[]),
        ("broken-multipart-cut-off", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "cutoff@customer.example", Normal, "The scan is attached.", &["scan.pdf"]),
        ("broken-multipart-without-boundary", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "nb@customer.example", Normal, "--x\n\nhello\n--x--", &[]),
        ("broken-no-blank-line", " <ana@customer.example>", "No blank line", None, "noblank@customer.example", Normal, "Hello,\nplease send prices.\n\nAna", &[]),
        ("broken-no-from", "", "Who am I?", NOON, "nofrom@customer.example", Normal, "hello", &[]),
        ("broken-no-message-id", "Ana Ruiz <ana@customer.example>", "No id", NOON, "", Normal, "hello, no id", &[]),
        ("broken-nul-bytes", "Ana <ana@customer.example>", "Price", NOON, "nul@customer.example", Normal, "hello", &[]),
        ("broken-raw-8-bit-headers-koi8-r", "Пётр <p@customer.example>", "Прайс-лист", NOON, "raw@customer.example", Normal, "Привет", &[]),
        ("broken-raw-8-bit-headers-no-charset", "Müller <m@customer.example>", "Grüße aus München", NOON, "raw2@customer.example", Normal, "Grüße", &[]),
        ("broken-several-from", "Ana <ana@customer.example>", "Price list", NOON, "two@customer.example", Normal, "hello", &[]),
        ("broken-text-without-header", "", "", None, "", Normal, "Hello,\nthis is no mail at all.", &[]),
        ("broken-word-not-closed", "Ana Ruiz <ana@customer.example>", "Price list for München", NOON, "open@customer.example", Normal, "x", &[]),
        ("broken-words-cut-inside-characters", "Ana Ruiz <ana@customer.example>", "Предложение для вас", NOON, "cut@customer.example", Normal, "x", &[]),
        ("encrypted-pgp-inline", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "pgpi@customer.example", Normal, "Ana", &[]),
        ("encrypted-pgp-mime", "Ana Ruiz <ana@customer.example>", "...", NOON, "pgp@customer.example", Normal, "", &[]),
        ("encrypted-smime", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "smime@customer.example", Normal, "", &[]),
        ("form-of-a-web-site", "Shop <noreply@shop.example>", "New enquiry", NOON, "form@shop.example", Normal, "Name: Ana Ruiz\nPhone: +34 600 000 000", &[]),
        ("lang-arabic-windows-1256", "محمد علي <arabic-windows-1256@customer.example>", "طلب عرض سعر", NOON, "arabic-windows-1256@customer.example", Normal, "مرحبا، أرسلوا قائمة الأسعار.", &[]),
        ("lang-chinese-big5", "陳大文 <chinese-big5@customer.example>", "詢價單", NOON, "chinese-big5@customer.example", Normal, "您好，請寄報價單。", &[]),
        ("lang-chinese-gb18030", "王小明 <chinese-gb18030@customer.example>", "询价单", NOON, "chinese-gb18030@customer.example", Normal, "您好，请发报价。", &[]),
        ("lang-emoji-utf-8", "Ana 🎉 <ana@customer.example>", "🎉 Thanks ❤\u{fe0f}", NOON, "emoji@customer.example", Normal, "Great 🎉👩\u{200d}💻", &[]),
        ("lang-french-iso-8859-15", "François Lefèvre <french-iso-8859-15@customer.example>", "Prix : 100 € à Orléans", NOON, "french-iso-8859-15@customer.example", Normal, "Où est le cœur ?", &[]),
        ("lang-german-charset-label-unknown", "Ana Ruiz <ana@customer.example>", "Charset nobody knows", NOON, "x@customer.example", Normal, "Grüße aus Köln", &[]),
        ("lang-german-windows-1252", "Jürgen Groß <german-windows-1252@customer.example>", "Angebot „Größe XL“ – 5 €", NOON, "german-windows-1252@customer.example", Normal, "Schöne Grüße aus München", &[]),
        ("lang-greek-iso-8859-7", "Νίκος Παπαδόπουλος <greek-iso-8859-7@customer.example>", "Τιμοκατάλογος", NOON, "greek-iso-8859-7@customer.example", Normal, "Καλημέρα, στείλτε μας τις τιμές.", &[]),
        ("lang-hebrew-windows-1255", "דוד כהן <hebrew-windows-1255@customer.example>", "הצעת מחיר", NOON, "hebrew-windows-1255@customer.example", Normal, "שלום, אנא שלחו מחירון.", &[]),
        ("lang-japanese-iso-2022-jp", "山田 <yamada@customer.example>", "お見積りのお願い", NOON, "jis@customer.example", Normal, "お世話になっております。", &[]),
        ("lang-japanese-shift-jis", "山田太郎 <japanese-shift-jis@customer.example>", "見積もりのお願い", NOON, "japanese-shift-jis@customer.example", Normal, "お世話になっております。", &[]),
        ("lang-korean-euc-kr", "김철수 <korean-euc-kr@customer.example>", "견적 요청", NOON, "korean-euc-kr@customer.example", Normal, "안녕하세요, 견적 부탁드립니다.", &[]),
        ("lang-polish-iso-8859-2", "Łukasz Żółć <polish-iso-8859-2@customer.example>", "Zapytanie o cenę", NOON, "polish-iso-8859-2@customer.example", Normal, "Dzień dobry, proszę o ofertę.", &[]),
        ("lang-russian-koi8-r", "Пётр Иванов <russian-koi8-r@customer.example>", "Прайс-лист", NOON, "russian-koi8-r@customer.example", Normal, "Здравствуйте! Пришлите прайс-лист.", &[]),
        ("lang-russian-windows-1251", "Анна Смирнова <russian-windows-1251@customer.example>", "Запрос цены", NOON, "russian-windows-1251@customer.example", Normal, "Добрый день, пришлите цену.", &[]),
        ("lang-spanish-iso-8859-1", "José Núñez <spanish-iso-8859-1@customer.example>", "¿Presupuesto para mañana?", NOON, "spanish-iso-8859-1@customer.example", Normal, "¡Buenos días! ¿Me envían el presupuesto?", &[]),
        ("lang-turkish-iso-8859-9", "Şükrü Güneş <turkish-iso-8859-9@customer.example>", "Fiyat teklifi için", NOON, "turkish-iso-8859-9@customer.example", Normal, "İyi günler, fiyat listesi lütfen.", &[]),
        ("lang-ukrainian-koi8-u", "Олена Їжак <ukrainian-koi8-u@customer.example>", "Запит ціни", NOON, "ukrainian-koi8-u@customer.example", Normal, "Добрий день, надішліть ціну.", &[]),
        ("lang-utf-8-headers-eai", "Иван <иван@xn--80a1acny.example>", "Привет, прайс?", NOON, "eai@customer.example", Normal, "Текст", &[]),
        ("list-mailman", "Ana via Forum <forum@lists.example>", "[Forum] Question", NOON, "mm@customer.example", MailingList, "How does it work?", &[]),
        ("list-newsletter-bulk", "News <noreply@news.example>", "Spring offers", NOON, "nl@news.example", MailingList, "Spring offers\n\nBuy & save", &[]),
        ("normal-exchange-suppresses-auto-responses", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "ex@customer.example", Normal, "Please call me.", &[]),
        ("normal-spam-level-only", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "lvl@customer.example", Normal, "Please call me.", &[]),
        ("normal-talks-about-being-away", "Ana Ruiz <ana@customer.example>", "Out of office next week", NOON, "away@customer.example", Normal, "I am away next week, so please send the offer today.", &[]),
        ("ordinary-alternative-gmail", "Ana Ruiz <ana.ruiz@mail.example>", "Price list", NOON, "CAF=abc+123@mail.mail.example", Normal, "Thanks, the offer is fine.", &[]),
        ("ordinary-apple-mail", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "A1B2@customer.example", Normal, "See the drawing.", &["drawing.pdf"]),
        ("ordinary-calendar-invitation", "Ana Ruiz <ana@customer.example>", "Invitation: Visit", NOON, "cal@customer.example", Normal, "You are invited.", &["invitation-1.ics", "invite.ics"]),
        ("ordinary-outlook-html-inline-image", "Ruiz, Ana <ana@customer.example>", "Price list", NOON, "DB7PR0@eurprd.customer.example", Normal, "Schöne Grüße\n\nAna", &["image001.png", "offer.pdf"]),
        ("ordinary-plain", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "1@customer.example", Normal, "Hello,\n\nplease send me your price list for 200 pieces.\n\nBest regards\nAna Ruiz", &[]),
        ("ordinary-reply-with-forwarded-mail", "Ana Ruiz <ana@customer.example>", "Fwd: Machine", NOON, "fwd@customer.example", Normal, "Please look at the attached mail.", &["Re_ Machine 5_7_ price_.eml"]),
        ("ordinary-vcard", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "vcf@customer.example", Normal, "My card is attached.", &["ana.vcf"]),
        ("sent-by-the-crm", "Sales <sales@example.com>", "Price list", NOON, "crm.activity.4711-Ab12cD@portal.example.com", Normal, "Dear Ana", &[]),
        ("signed-pgp-mime", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "signed@customer.example", Normal, "Signed text.", &["signature.asc"]),
        ("spam-rspamd", "Win <win@spam.example>", "You won", NOON, "rs@spam.example", SpamVerdict, "You won.", &[]),
        ("spam-spamassassin", "Win <win@spam.example>", "*****SPAM***** You won", NOON, "sa@spam.example", SpamVerdict, "You won.", &[]),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.eml"))).unwrap()
}

fn emails(addresses: &[Address]) -> Vec<&str> {
    addresses.iter().map(|address| address.email.as_str()).collect()
}

#[test]
fn every_fixture_gives_its_facts() {
    for (name, from, subject, date, id, class, text, attachments) in ROWS {
        let raw = fixture(name);
        let message = parse(&raw).unwrap();
        let sender = message.from.as_ref();
        let sender = sender.map(|from| format!("{} <{}>", from.name, from.email));
        assert_eq!(sender.unwrap_or_default(), *from, "{name}");
        assert_eq!(message.subject, *subject, "{name}");
        assert_eq!(message.date, *date, "{name}");
        assert_eq!(message.message_id.as_deref().unwrap_or_default(), *id, "{name}");
        assert_eq!(message.class.class, *class, "{name}: {:?}", message.class.evidence);
        let body = body(&raw).unwrap();
        assert_eq!(body.text, *text, "{name}");
        let names: Vec<&str> = body.attachments.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, *attachments, "{name}");
        assert_eq!(body.encrypted, name.starts_with("encrypted-"), "{name}");
        assert_eq!(message.crm_activity.is_some(), *name == "sent-by-the-crm", "{name}");
    }
}

#[test]
fn every_fixture_has_its_row() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(ROWS.iter().any(|row| row.0 == name), "{name} has no row");
        }
    }
}

#[test]
fn parties_of_fixtures_are_found_in_every_header() {
    let message = parse(&fixture("addresses-groups-and-comments")).unwrap();
    assert_eq!(emails(&message.to), ["sales@example.com", "info@example.com"]);
    assert_eq!(emails(&message.cc), ["bo+tag@customer.example", "\"two words\"@customer.example"]);
    assert_eq!(message.cc.first().unwrap().name, "Ruiz, Bo");
    let message = parse(&fixture("addresses-idn")).unwrap();
    assert_eq!(emails(&message.to), ["info@xn--mller-kva.example"]);
    let message = parse(&fixture("form-of-a-web-site")).unwrap();
    assert_eq!(emails(&message.reply_to), ["ana@customer.example"]);
    let message = parse(&fixture("broken-several-from")).unwrap();
    assert_eq!(emails(&message.from_more), ["bo@customer.example"]);
}

#[test]
fn threads_of_fixtures_are_kept_in_order() {
    let message = parse(&fixture("ordinary-alternative-gmail")).unwrap();
    assert_eq!(message.in_reply_to, ["1@example.com"]);
    assert_eq!(message.references, ["0@example.com", "1@example.com"]);
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
