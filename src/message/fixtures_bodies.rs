//! What the fixtures about bodies, files and visiting cards say: one row a file.

#![allow(clippy::unwrap_used)]

use super::Class::Normal;
use super::fixtures::{NOON, Row, fixture};
use super::*;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("vcard-2-1-quoted-printable", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "vcard-2-1-quoted-printable@customer.example", Normal, "My card is attached.", &["ana.vcf"], "incoming queued"),
    ("vcard-2-1-windows-1251", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "vcard-2-1-windows-1251@customer.example", Normal, "My card is attached.", &["ana.vcf"], "incoming queued"),
    ("vcard-3-0-several-cards", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "vcard-3-0-several-cards@customer.example", Normal, "My card is attached.", &["ana.vcf"], "incoming queued"),
    ("vcard-4-0-utf-16", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "vcard-4-0-utf-16@customer.example", Normal, "My card is attached.", &["juergen.vcf"], "incoming queued"),
    ("vcard-cut-off", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "vcard-cut-off@customer.example", Normal, "My card is attached.", &["ana.vcf"], "incoming queued"),
    ("attachment-winmail-dat", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-winmail-dat@customer.example", Normal, "See the files.", &["Preisliste für Ana.pdf", "ana.vcf", "last.pdf"], "incoming queued"),
    ("attachment-winmail-dat-is-the-mail", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-winmail-dat-is-the-mail@customer.example", Normal, "Grüße aus Köln", &["a.txt"], "incoming queued"),
    ("attachment-winmail-dat-mail-inside", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-winmail-dat-mail-inside@customer.example", Normal, "See the old mail.", &["Old offer.txt", "offer.pdf"], "incoming queued"),
    ("attachment-winmail-dat-damaged", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-winmail-dat-damaged@customer.example", Normal, "See the files.", &["winmail.dat"], "incoming queued"),
    ("body-winmail-dat-rich-text-only", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-winmail-dat-rich-text-only@customer.example", Normal, "Grüße\nAna", &[], "incoming queued"),
    ("body-hidden-preheader", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-hidden-preheader@customer.example", Normal, "Dear sales team,\n\nwe need 200 pieces.", &[], "incoming queued"),
    ("body-font-size-zero-around-everything", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-font-size-zero-around-everything@customer.example", Normal, "We need 200 pieces.", &[], "incoming queued"),
    ("body-link-that-lies", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-link-that-lies@customer.example", Normal, "Pay at www.customer.example <https://pay.customer.example.example.net/x> or write to ana@customer.example.", &[], "incoming queued"),
    ("body-pictures-only", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-pictures-only@customer.example", Normal, "Spring & summer\nfrom 5 €", &[], "incoming queued"),
    ("body-table-of-word", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-table-of-word@customer.example", Normal, "Article Pieces\n\nA-1 200", &[], "incoming queued"),
    ("body-conditional-comments", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-conditional-comments@customer.example", Normal, "for all others", &[], "incoming queued"),
    ("body-hidden-and-never-closed", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-hidden-and-never-closed@customer.example", Normal, "Please call me.\n\nAna", &[], "incoming queued"),
    ("body-utf-16-labelled-utf-8", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-utf-16-labelled-utf-8@customer.example", Normal, "Grüße aus Köln", &[], "incoming queued"),
    ("body-utf-8-encoded-twice", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-utf-8-encoded-twice@customer.example", Normal, "Grüße aus München", &[], "incoming queued"),
    ("body-dos-code-page-852", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-dos-code-page-852@customer.example", Normal, "Dzień dobry, proszę o ofertę.", &[], "incoming queued"),
    ("body-mac-cyrillic", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-mac-cyrillic@customer.example", Normal, "Привет, мир", &[], "incoming queued"),
    ("body-utf-7", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-utf-7@customer.example", Normal, "Grüße aus Köln", &[], "incoming queued"),
    ("body-thai-tis-620", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-thai-tis-620@customer.example", Normal, "สวัสดี", &[], "incoming queued"),
    ("body-gb2312-label-gbk-text", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "body-gb2312-label-gbk-text@customer.example", Normal, "您好，请報價。", &[], "incoming queued"),
    ("attachment-name-per-cent-signs", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-name-per-cent-signs@customer.example", Normal, "See attachment.", &["Прайс A.pdf"], "incoming queued"),
    ("attachment-name-iso-2022-jp-in-quotes", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-name-iso-2022-jp-in-quotes@customer.example", Normal, "See attachment.", &["ハロー.pdf"], "incoming queued"),
    ("attachment-name-and-filename-differ", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-name-and-filename-differ@customer.example", Normal, "See attachment.", &["Preisliste für.pdf"], "incoming queued"),
    ("attachment-apple-double", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-apple-double@customer.example", Normal, "See attachment.", &["a.pdf"], "incoming queued"),
    ("attachment-digest-of-mails", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-digest-of-mails@customer.example", Normal, "", &["First question.eml", "Second question.eml"], "incoming queued"),
    ("attachment-external-body", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-external-body@customer.example", Normal, "Fetch it.", &["attachment-1.txt"], "incoming queued"),
    ("attachment-uuencoded-in-the-text", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-uuencoded-in-the-text@customer.example", Normal, "See the file:", &["a.txt"], "incoming queued"),
    ("attachment-calendar-without-name", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "attachment-calendar-without-name@customer.example", Normal, "Come.", &["invitation-1.ics"], "incoming queued"),
    ("quoted-history-outlook-german", "Ana Ruiz <ana@customer.example>", "AW: Angebot", NOON, "quoted-history-outlook-german@customer.example", Normal, "Ja, gern.\n\nViele Grüße\nAna\n\n________________________________\nVon: Vertrieb <sales@example.com>\nGesendet: Donnerstag, 2. Mai 2024 10:00\nAn: Ana Ruiz <ana@customer.example>\nBetreff: Angebot\n\nGuten Tag,\nanbei unser Angebot.", &[], "incoming queued"),
    ("quoted-history-gmail-russian", "Ana Ruiz <ana@customer.example>", "Re: Offer", NOON, "quoted-history-gmail-russian@customer.example", Normal, "Да, подходит.\n\nчт, 2 мая 2024 г. в 10:00, Sales <sales@example.com>:\n\n> Добрый день,\n> вот наше предложение.", &[], "incoming queued"),
    ("quoted-history-original-message-french", "Ana Ruiz <ana@customer.example>", "RE: Offre", NOON, "quoted-history-original-message-french@customer.example", Normal, "Oui.\n\n-----Message d'origine-----\nDe : Sales <sales@example.com>\nEnvoyé : jeudi 2 mai 2024 10:00\nÀ : Ana Ruiz\nObjet : Offre\n\nBonjour", &[], "incoming queued"),
    ("quoted-history-inline-answers", "Ana Ruiz <ana@customer.example>", "Re: Offer", NOON, "quoted-history-inline-answers@customer.example", Normal, "On 5/2/24 10:00, Sales wrote:\n> How many?\n200.\n> By when?\nMay.", &[], "incoming queued"),
    ("quoted-history-of-a-forward", "Ana Ruiz <ana@customer.example>", "Fwd: Offer", NOON, "quoted-history-of-a-forward@customer.example", Normal, "For you.\n\n---------- Forwarded message ---------\nFrom: Bo <bo@partner.example>\nDate: Thu, May 2, 2024 at 10:00 AM\nSubject: Offer\nTo: <ana@customer.example>\n\nHello Ana", &[], "incoming queued"),
    ("quoted-history-gmail-html", "Ana Ruiz <ana@customer.example>", "Re: Offer", NOON, "quoted-history-gmail-html@customer.example", Normal, "Yes.\n\nOn Thu, May 2, 2024 at 10:00 AM Sales <sales@example.com> wrote:\n> How many?\n> Sales", &[], "incoming queued"),
    ("quoted-history-our-own-answer", "Sales <sales@example.com>", "Re: Price list", NOON, "quoted-history-our-own-answer@example.com", Normal, "Thank you, it is on its way.\n\nOn Thu, 2 May 2024 at 09:00, Ana Ruiz <ana@customer.example> wrote:\n> Please send it.", &[], "outgoing queued"),
    ("quoted-history-between-colleagues", "Sales <sales@example.com>", "Re: Lunch", NOON, "quoted-history-between-colleagues@example.com", Normal, "Fine.\n\nOn Thu, 2 May 2024 at 09:00, Bo <bo@example.com> wrote:\n> Shall we?", &[], "outgoing internal"),
];

/// File; name, first address and first number of each card in it.
type Cards<'a> = (&'a str, &'a [(&'a str, &'a str, &'a str)]);

#[test]
fn cards_of_fixtures_say_who_it_is() {
    #[rustfmt::skip]
    let cases: &[Cards<'_>] = &[
        ("vcard-2-1-quoted-printable", &[("Анна Иванов", "anna@customer.example", "+7 495 000 00 00")]),
        ("vcard-2-1-windows-1251",     &[("Анна Иванов", "anna@customer.example", "+7 495 000 00 01")]),
        ("vcard-3-0-several-cards",    &[("Ana Ruiz", "ana@customer.example", ""), ("Bo Ruiz", "bo@customer.example", "")]),
        ("vcard-4-0-utf-16",           &[("Jürgen Groß", "juergen@customer.example", "+49-30-000-0000")]),
        ("vcard-cut-off",              &[("Ana Ruiz", "ana@customer.example", "")]),
    ];
    for (name, expected) in cases {
        let body = body(&fixture(name)).unwrap();
        let file = body.attachments.first().unwrap();
        let cards = vcard::read(&file.bytes, file.charset.as_deref());
        let found: Vec<(&str, &str, &str)> = cards
            .iter()
            .map(|card| {
                let email = card.emails.first().map_or("", String::as_str);
                let phone = card.phones.first().map_or("", |phone| phone.number.as_str());
                (card.name.as_str(), email, phone)
            })
            .collect();
        assert_eq!(found, *expected, "{name}");
    }
}

#[test]
fn histories_of_fixtures_are_marked() {
    for (name, .., text, _, _) in ROWS.iter().filter(|row| row.0.starts_with("quoted-history")) {
        let stays = name.ends_with("inline-answers") || name.ends_with("of-a-forward");
        let folded = fold_history(text);
        assert_eq!(folded.contains("[Earlier messages, "), !stays, "{name}: {folded}");
    }
}
