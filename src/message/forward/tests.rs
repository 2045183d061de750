#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use super::super::original_senders;

/// `Name <address>` of each.
fn shown(raw: &str) -> Vec<String> {
    let senders = original_senders(raw.as_bytes());
    senders.iter().map(|sender| format!("{} <{}>", sender.name, sender.email)).collect()
}

fn mail(subject: &str, text: &str) -> String {
    format!(
        "From: Ana Ruiz <ana@example.com>\nTo: sales@example.com\nSubject: {subject}\n\
         Content-Type: text/plain; charset=utf-8\n\n{text}"
    )
}

fn html(subject: &str, text: &str) -> String {
    mail(subject, text).replace("text/plain", "text/html")
}

const BO: &str = "Bo Client <bo@client.example>";

#[test]
fn forward_of_every_program_names_its_sender() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, &str)] = &[
        ("gmail", "Fwd: Price", "---------- Forwarded message ---------\nFrom: Bo Client <bo@client.example>\nDate: Thu, May 2, 2024 at 10:15 AM\nSubject: Price\nTo: <ana@example.com>\n\n\nHello"),
        ("gmail, comment first", "Fwd: Price", "Please see below. He asked twice.\n\nAna\n\n---------- Forwarded message ---------\nDe: **Bo Client** <bo@client.example>\nDate: jue, 2 may 2024\n\nHello"),
        ("gmail, own subject", "A new customer", "---------- Forwarded message ---------\nFrom: Bo Client <bo@client.example>\n\nHello"),
        ("gmail, spanish", "Fwd: Precio", "---------- Mensaje reenviado ---------\nDe: Bo Client <bo@client.example>\nFecha: jue\n"),
        ("gmail, french", "Fwd: Prix", "---------- Message transféré ---------\nDe : Bo Client <bo@client.example>\nDate : jeu\n"),
        ("gmail, portuguese", "Fwd: Preço", "---------- Mensagem encaminhada ---------\nDe: Bo Client <bo@client.example>\n"),
        ("gmail, russian", "Fwd: Цена", "---------- Пересылаемое сообщение ---------\nОт кого: Bo Client <bo@client.example>\nКому: <ana@example.com>\n"),
        ("gmail, chinese", "Fwd: 价格", "---------- 转发的邮件 ---------\n发件人：Bo Client <bo@client.example>\n"),
        ("gmail, japanese", "Fwd: 価格", "---------- 転送メッセージ ---------\n差出人: Bo Client <bo@client.example>\n"),
        ("gmail, korean", "Fwd: 가격", "---------- 전달된 메시지 ---------\n보낸 사람: Bo Client <bo@client.example>\n"),
        ("gmail, turkish", "Fwd: Fiyat", "---------- İletilen mesaj ---------\nKimden: Bo Client <bo@client.example>\n"),
        ("gmail, greek", "Fwd: Τιμή", "---------- Προωθημένο μήνυμα ---------\nΑπό: Bo Client <bo@client.example>\n"),
        ("gmail, ukrainian", "Fwd: Ціна", "---------- Переслане повідомлення ---------\nВід: Bo Client <bo@client.example>\n"),
        ("gmail, dutch", "Fwd: Prijs", "---------- Forwarded message ---------\nVan: Bo Client <bo@client.example>\n"),
        ("gmail, hebrew", "Fwd: מחיר", "---------- הודעה שהועברה ---------\n\u{202b}מאת: Bo Client <bo@client.example>\n"),
        ("thunderbird", "Fwd: Price", "-------- Forwarded Message --------\nSubject: \tPrice\nDate: \tThu, 2 May 2024\nFrom: \tBo Client <bo@client.example>\nTo: \tana@example.com\n\nHello"),
        ("thunderbird, german, signature above", "Fwd: Preis", "Siehe unten.\n\n-- \nAna Ruiz\nTel: 5\n\n-------- Weitergeleitete Nachricht --------\nBetreff: Preis\nVon: Bo Client <bo@client.example>\n"),
        ("thunderbird, polish", "Fwd: Cena", "-------- Przekazana wiadomość --------\nTemat: \tCena\nNadawca: \tBo Client <bo@client.example>\n"),
        ("apple mail", "Fwd: Price", "Begin forwarded message:\n\nFrom: Bo Client <bo@client.example>\nSubject: Price\nDate: 2 May 2024\nTo: ana@example.com\n\nHello"),
        ("apple mail, header quoted", "Fwd: Price", "FYI\n\nBegin forwarded message:\n\n> From: Bo Client <bo@client.example>\n> Subject: Price\n>\n> Hello"),
        ("apple mail, all quoted", "Fwd: Price", "FYI\n\n> Begin forwarded message:\n> \n> From: Bo Client <bo@client.example>\n> Subject: Price\n> \n> Hello"),
        ("apple mail, german", "Fwd: Preis", "Anfang der weitergeleiteten Nachricht:\n\nVon: Bo Client <bo@client.example>\nBetreff: Preis\n"),
        ("apple mail, french", "Fwd: Prix", "Début du message réexpédié :\n\nDe: Bo Client <bo@client.example>\n"),
        ("apple mail, spanish", "Fwd: Precio", "Inicio del mensaje reenviado:\n\nDe: Bo Client <bo@client.example>\n"),
        ("apple mail, italian", "Fwd: Prezzo", "Inizio messaggio inoltrato:\n\nDa: Bo Client <bo@client.example>\n"),
        ("apple mail, russian", "Fwd: Цена", "Начало переадресованного сообщения:\n\nОт: Bo Client <bo@client.example>\n"),
        ("outlook", "FW: Price", "See below.\n\nFrom: Bo Client <bo@client.example>\nSent: Thursday, May 2, 2024 10:15 AM\nTo: Ana Ruiz <ana@example.com>\nCc: x@client.example;\ny@client.example\nSubject: Price\n\nHello"),
        ("outlook, underscores", "Fw: Price", "________________________________\nFrom: Bo Client <bo@client.example>\nSent: Thursday\nTo: Ana\nSubject: Price\n"),
        ("outlook, old", "FW: Price", "\n-----Original Message-----\nFrom: Bo Client [mailto:bo@client.example] \nSent: Thursday\nTo: Ana\nSubject: Price\n"),
        ("outlook, german", "WG: Preis", "Von: Bo Client <bo@client.example>\nGesendet: Donnerstag\nAn: Ana\nBetreff: Preis\n"),
        ("outlook, spanish", "RV: Precio", "De: Bo Client <bo@client.example> \nEnviado el: jueves\nPara: Ana\nAsunto: Precio\n"),
        ("outlook, french", "TR: Prix", "De : Bo Client <bo@client.example>\nEnvoyé : jeudi\nÀ : Ana\nObjet : Prix\n"),
        ("outlook, italian", "I: Prezzo", "Da: Bo Client <bo@client.example>\nInviato: giovedì\nA: Ana\nOggetto: Prezzo\n"),
        ("outlook, portuguese", "ENC: Preço", "De: Bo Client <bo@client.example>\nEnviada em: quinta\nPara: Ana\nAssunto: Preço\n"),
        ("outlook, swedish", "VB: Pris", "Från: Bo Client <bo@client.example>\nSkickat: torsdag\nTill: Ana\nÄmne: Pris\n"),
        ("outlook, danish", "VS: Pris", "Fra: Bo Client <bo@client.example>\nSendt: torsdag\nTil: Ana\nEmne: Pris\n"),
        ("outlook, finnish", "VL: Hinta", "Lähettäjä: Bo Client <bo@client.example>\nLähetetty: torstai\nVastaanottaja: Ana\nAihe: Hinta\n"),
        ("outlook, hungarian", "FW: Ár", "Feladó: Bo Client <bo@client.example>\nElküldve: csütörtök\nCímzett: Ana\nTárgy: Ár\n"),
        ("outlook, czech", "FW: Cena", "Od: Bo Client <bo@client.example>\nOdesláno: čtvrtek\nKomu: Ana\nPředmět: Cena\n"),
        ("outlook, romanian", "FW: Preț", "De la: Bo Client <bo@client.example>\nTrimis: joi\nCătre: Ana\nSubiect: Preț\n"),
        ("outlook, turkish", "İLT: Fiyat", "Kimden: Bo Client <bo@client.example>\nGönderildi: Perşembe\nKime: Ana\nKonu: Fiyat\n"),
        ("outlook, russian", "FW: Цена", "От: Bo Client <bo@client.example>\nОтправлено: четверг\nКому: Ana\nТема: Цена\n"),
        ("outlook, chinese", "转发: 价格", "发件人: Bo Client <bo@client.example> \n发送时间: 2024年5月2日\n收件人: Ana\n主题: 价格\n"),
        ("outlook, taiwan", "轉寄: 價格", "寄件者: Bo Client <bo@client.example> \n寄件日期: 2024年5月2日\n收件者: Ana\n主旨: 價格\n"),
        ("outlook, behind a signature", "FW: Price", "--\nAna Ruiz\n\nFrom: Bo Client <bo@client.example>\nSent: Thursday\nTo: Ana\nSubject: Price\n"),
        ("outlook, quoted by gmail in bold", "Fwd: Price", "*From:* Bo Client <bo@client.example>\n*Sent:* Thursday\n*To:* Ana\n*Subject:* Price\n"),
        ("outlook, links in plain text", "FW: Price", "From: Bo Client <bo@client.example<mailto:bo@client.example>>\nSent: Thursday\nTo: Ana <ana@example.com<mailto:ana@example.com>>\nSubject: Price\n"),
        ("outlook, paragraphs between", "FW: Price", "From: Bo Client <bo@client.example>\n\nSent: Thursday\n\nTo: Ana\n\nSubject: Price\n"),
        ("yahoo", "Fw: Price", " ----- Forwarded Message ----- From\n\n   ----- Forwarded Message -----From: x\n----- Forwarded Message -----\nFrom: \"Bo Client\" <bo@client.example>\nTo: \"Ana\" <ana@example.com>\nSent: Thursday\nSubject: Price\n"),
        ("yandex", "Fwd: Цена", "-------- Пересылаемое сообщение --------\n02.05.2024, 12:15, \"Bo Client\" <bo@client.example>:\n\nПривет\n-------- Конец пересылаемого сообщения --------"),
        ("mail.ru", "Fwd: Цена", "-------- Пересылаемое сообщение --------\nОт: Bo Client <bo@client.example>\nКому: ana@example.com\nДата: четверг\nТема: Цена\n"),
        ("zimbra", "Fwd: Prix", "----- Mail transféré -----\n----- Message transféré -----\nDe: \"Bo Client\" <bo@client.example>\nÀ: ana@example.com\n"),
        ("zoho", "Fwd: Price", "============ Forwarded message ============\nFrom: Bo Client <bo@client.example>\nTo: <ana@example.com>\nDate: Thu\nSubject: Price\n============ Forwarded message ============\n"),
        ("proton", "Fw: Price", "Sent with Proton Mail.\n\n------- Forwarded Message -------\nFrom: Bo Client <bo@client.example>\nDate: On Thursday, May 2nd, 2024\nSubject: Price\nTo: ana\n"),
        ("lotus notes", "Fw: Preis", "----- Weitergeleitet von Ana Ruiz/ACME am 02.05.2024 12:15\n-----\n\nVon:\tBo Client <bo@client.example>\nAn:\tana@example.com\nDatum:\t02.05.2024\nBetreff:\tPreis\n"),
        ("lotus notes, value below", "Fw: Price", "----- Forwarded by Ana Ruiz/ACME on 05/02/2024 12:15 PM -----\n\nFrom:\nBo Client\n<bo@client.example>\nTo:\nana@example.com\n"),
        ("lotus notes, old", "Price", "---------------------- Forwarded by Ana/ACME on 05/02/2024 12:15 PM ---------------------------\n\n\"Bo Client\" <bo@client.example> on 05/02/2024 10:15:00 AM\n\nTo:   ana@example.com\ncc:\nSubject: Price\n"),
        ("kmail", "Fwd: Price", "----------  Forwarded Message  ----------\n\nSubject: Price\nDate: Thursday\nFrom: Bo Client <bo@client.example>\nTo: ana\n-----------------------------------------\n"),
        ("mutt", "[bo@client.example: Price]", "----- Forwarded message from Bo Client <bo@client.example> -----\n\nDate: Thu\nFrom: Bo Client <bo@client.example>\nTo: ana\n"),
        ("roundcube", "Fwd: Price", "-------- Original Message --------\nSubject: Price\nDate: 2024-05-02\nFrom: Bo Client <bo@client.example>\nTo: ana\n"),
        ("qq", "转发：价格", "------------------ 原始邮件 ------------------\n发件人: \"Bo Client\"<bo@client.example>;\n发送时间: 2024年5月2日\n收件人: \"ana\";\n主题: 价格\n"),
        ("netease", "转发：价格", "---- 转发的邮件 ----\n| 发件人 | Bo Client<bo@client.example> |\n| 日期 | 2024年05月02日 |\n| 收件人 | ana |\n"),
        ("t-online", "WG: Preis", "-----Original-Nachricht-----\nBetreff: Preis\nDatum: 2024\nVon: \"Bo Client\" <bo@client.example>\nAn: ana\n"),
        ("web.de", "Fw: Preis", "Gesendet: Donnerstag, 02. Mai 2024 um 10:15 Uhr\nVon: \"Bo Client\" <bo@client.example>\nAn: ana@example.com\nBetreff: Preis\n"),
        ("link for an address", "Fwd: Price", "---------- Forwarded message ---------\nFrom: \"Bo Client\" <mailto:bo@client.example>\n"),
        ("markdown link", "Fwd: Price", "---------- Forwarded message ---------\nFrom: Bo Client <[bo@client.example](mailto:bo@client.example)>\n"),
        ("no-break blanks", "Fwd: Price", "----------\u{a0}Forwarded\u{a0}message\u{a0}---------\nFrom\u{a0}:\u{a0}Bo\u{a0}Client\u{a0}<bo@client.example>\n"),
        ("wrapped name", "Fwd: Price", "---------- Forwarded message ---------\nFrom: Bo\n Client <bo@client.example>\nDate: Thu\n"),
        ("interleaved answer before", "Fwd: Price", "On Thu, 2 May 2024 Cy <cy@example.com> wrote:\n> Do you know more?\n\nYes:\n\n---------- Forwarded message ---------\nFrom: Bo Client <bo@client.example>\n"),
        ("comment that tells who wrote", "Fwd: Price", "The customer wrote:\n\n---------- Forwarded message ---------\nFrom: Bo Client <bo@client.example>\n"),
        ("outermost only", "FW: FW: Price", "From: Bo Client <bo@client.example>\nSent: Thursday\nTo: Ana\nSubject: FW: Price\n\nFrom: Cy <cy@other.example>\nSent: Monday\nTo: Bo\nSubject: Price\n\n---------- Forwarded message ---------\nFrom: Di <di@other.example>\n"),
    ];
    for (name, subject, text) in cases {
        assert_eq!(shown(&mail(subject, text)), [BO], "{name}");
        assert_eq!(shown(&mail(subject, text).replace('\n', "\r\n")), [BO], "{name}, CRLF");
    }
}

#[test]
fn forward_in_html_names_its_sender() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, &str)] = &[
        ("gmail", "Fwd: Price", "<div>See.</div><div class=\"gmail_quote\"><div>---------- Forwarded message ---------<br>From: <strong dir=\"auto\">Bo Client</strong> <span>&lt;<a href=\"mailto:bo@client.example\">bo@client.example</a>&gt;</span><br>Date: Thu<br>Subject: Price<br></div>Hello</div>"),
        ("thunderbird", "Fwd: Price", "<p>See.</p><div class=\"moz-forward-container\">-------- Forwarded Message --------<table><tr><th>Subject: </th><td>Price</td></tr><tr><th>From: </th><td>Bo Client <a href=\"mailto:bo@client.example\">&lt;bo@client.example&gt;</a></td></tr></table><p>Hello</p></div>"),
        ("apple mail", "Fwd: Price", "<br><blockquote type=\"cite\"><div>Begin forwarded message:</div><br><div><b>From: </b>Bo Client &lt;<a href=\"mailto:bo@client.example\">bo@client.example</a>&gt;</div><div><b>Subject: </b><b>Price</b></div></blockquote>"),
        ("outlook", "FW: Price", "<p class=MsoNormal>See.</p><div style='border:none'><p><b>From:</b> Bo Client &lt;bo@client.example&gt; <br><b>Sent:</b> Thursday<br><b>To:</b> Ana<br><b>Subject:</b> Price</p></div><p>Hello</p>"),
    ];
    for (name, subject, text) in cases {
        assert_eq!(shown(&html(subject, text)), [BO], "{name}");
    }
}

#[test]
fn what_is_no_forward_names_nobody() {
    let outlook =
        "From: Bo Client <bo@client.example>\nSent: Thursday\nTo: Ana\nSubject: Price\n\nHello";
    let gmail = "---------- Forwarded message ---------\nFrom: Bo Client <bo@client.example>\n";
    let original = format!("-----Original Message-----\n{outlook}");
    let quoted = |text: &str| text.lines().map(|line| format!("> {line}\n")).collect::<String>();
    #[rustfmt::skip]
    let cases: &[(&str, &str, String)] = &[
        ("plain text",               "Fwd: Price", "Hello\nFrom: tomorrow on we close at 5.".to_owned()),
        ("empty",                    "Fwd: Price", String::new()),
        ("answer",                   "RE: Price",  format!("Yes.\n\n{outlook}")),
        ("answer to a forward",      "RE: FW: Price", format!("Yes.\n\n{outlook}")),
        ("answer below original message", "AW: Preis", format!("Ja.\n\n{original}")),
        ("answer that quotes a forward", "Re: Fwd: Price", format!("Yes.\n\n{gmail}")),
        ("finnish answer",           "VS: Hinta",  "Lähettäjä: Bo <bo@client.example>\nLähetetty: torstai\nVastaanottaja: Ana\nAihe: Hinta\n".to_owned()),
        ("header, subject of his own", "Price",    format!("Yes.\n\n{outlook}")),
        ("original message, subject of his own", "Price", format!("Yes.\n\n{original}")),
        ("quoted",                   "Fwd: Price", quoted(gmail)),
        ("quoted header",            "FW: Price",  quoted(outlook)),
        ("quoted twice",             "Fwd: Price", quoted(&quoted("Begin forwarded message:\n\nFrom: Bo <bo@client.example>"))),
        ("quoted, of someone who wrote", "Fwd: Price", format!("On Thu Cy wrote:\n\n{}", quoted("Begin forwarded message:\n\nFrom: Bo <bo@client.example>"))),
        ("quoted, not from its top", "Fwd: Price", quoted("Hello\nBegin forwarded message:\n\nFrom: Bo <bo@client.example>")),
        ("quoted, own subject",      "Price",      quoted("Begin forwarded message:\n\nFrom: Bo <bo@client.example>")),
        ("history below an answer",  "Price",      format!("Yes.\n\nOn Thu, May 2, 2024 Cy <cy@example.com>\nwrote:\n\n{gmail}")),
        ("forward below an outlook answer", "Price", format!("Yes.\n\n{}\n{gmail}", outlook.replace("bo@", "cy@"))),
        ("marker without header",    "Fwd: Price", "Forwarded message\n\nI forgot to paste it.\n\nAna\nsales\nFrom: nobody".to_owned()),
        ("header far below",         "Fwd: Price", format!("Forwarded message\n{}From: Bo <bo@client.example>", "\n".repeat(20))),
        ("sender without address",   "FW: Price",  format!("From: Bo Client\nSent: Thursday\nTo: Ana\nSubject: Price\n\n{outlook}")),
        ("sender without address, marked", "Fwd: Price", format!("---------- Forwarded message ---------\nFrom: Bo Client\nDate: Thu\n\n{gmail}")),
        ("signature",                "Fwd: Price", "See the file.\n-- \nFrom: Bo <bo@client.example>\nTo: our office, Date: any\nSubject: sales".to_owned()),
        ("from and to only",         "Fwd: Price", "From: bo@client.example\nTo: you".to_owned()),
        ("lotus words without dashes", "Fw: Price", "Forwarded by Bo <bo@client.example>\nbo@client.example".to_owned()),
    ];
    for (name, subject, text) in cases {
        assert_eq!(shown(&mail(subject, text)), [""; 0], "{name}");
    }
}

#[test]
fn names_are_read_as_they_are_shown() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, &[&str])] = &[
        ("bare",           "bo@client.example",                     &[" <bo@client.example>"]),
        ("case",           "Bo <Bo@Client.Example>",                &["Bo <bo@client.example>"]),
        ("comma",          "Client, Bo <bo@client.example>",        &["Client, Bo <bo@client.example>"]),
        ("comma, quoted",  "\"Client, Bo\" <bo@client.example>",    &["Client, Bo <bo@client.example>"]),
        ("comma, link",    "Client, Bo [mailto:bo@client.example]", &["Client, Bo <bo@client.example>"]),
        ("single quotes",  "'Bo' <bo@client.example>",              &["Bo <bo@client.example>"]),
        ("bold",           "*Bo* <bo@client.example>",              &["Bo <bo@client.example>"]),
        ("encoded",        "=?utf-8?Q?Bj=C3=B6rn?= <bo@client.example>", &["Björn <bo@client.example>"]),
        ("idn",            "Bo <bo@bücher.example>",                &["Bo <bo@xn--bcher-kva.example>"]),
        ("link twice",     "bo@client.example<mailto:bo@client.example>", &[" <bo@client.example>"]),
        ("two",            "Bo <bo@client.example>, Cy <cy@client.example>", &["Bo <bo@client.example>", "Cy <cy@client.example>"]),
        ("none",           "Bo Client",                             &[]),
    ];
    for (name, from, expected) in cases {
        let text = format!("---------- Forwarded message ---------\nFrom: {from}\nDate: Thu\n");
        assert_eq!(shown(&mail("Fwd: Price", &text)), *expected, "{name}");
    }
}

#[test]
fn attached_mail_names_its_sender() {
    let part = |kind: &str, content: &str| format!("--b\nContent-Type: {kind}\n\n{content}\n");
    let multi = |kind: &str, parts: &[String]| {
        let parts = parts.concat();
        format!("Subject: Price\nContent-Type: {kind}; boundary=b\n\n{parts}--b--\n")
    };
    let from = |who: &str| format!("From: {who} <{who}@client.example>\nSubject: s\n\nHello");
    let text = part("text/plain", "See the mail attached.");
    let attached = |who: &str| part("message/rfc822", &from(who));
    let base64 = "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n\
                  RnJvbTogYm8gPGJvQGNsaWVudC5leGFtcGxlPgoKSGVsbG8=\n";
    let inner = "--c\nContent-Type: message/rfc822\n\nFrom: bo <bo@client.example>\n\nHi\n--c--";
    let within = |kind: &str| part(&format!("{kind}; boundary=c"), inner);
    let forward = part(
        "text/plain",
        "---------- Forwarded message ---------\nFrom: di <di@client.example>\nDate: Thu\n",
    );
    #[rustfmt::skip]
    let cases: &[(&str, String, &[&str])] = &[
        ("mixed",            multi("multipart/mixed", &[text.clone(), attached("bo")]),           &["bo"]),
        ("several",          multi("multipart/mixed", &[attached("bo"), text.clone(), attached("cy"), attached("bo")]), &["bo", "cy"]),
        ("digest",           multi("multipart/digest", &["--b\n\nFrom: bo <bo@client.example>\n\nHi\n".to_owned()]), &["bo"]),
        ("digest in mixed",  multi("multipart/mixed", &[text.clone(), within("multipart/digest")]), &["bo"]),
        ("global",           multi("multipart/mixed", &[part("message/global", &from("bo"))]),    &["bo"]),
        ("base64",           multi("multipart/mixed", &[base64.to_owned()]),                      &["bo"]),
        ("sender only",      multi("multipart/mixed", &[part("message/rfc822", "Sender: bo <bo@client.example>\n\nx")]), &["bo"]),
        ("no sender",        multi("multipart/mixed", &[part("message/rfc822", "Subject: s\n\nx")]), &[]),
        ("alone",            format!("Subject: s\nContent-Type: message/rfc822\n\n{}", from("bo")), &["bo"]),
        ("signed",           multi("multipart/signed", &[part("multipart/mixed; boundary=c", inner), part("application/pgp-signature", "x")]), &["bo"]),
        ("text first",       multi("multipart/mixed", &[attached("bo"), forward.clone()]),        &["di", "bo"]),
        ("answer with a mail", multi("multipart/mixed", &[text.clone(), attached("bo")]).replace("Price", "Re: Price"), &["bo"]),
        ("named .eml only",  multi("multipart/mixed", &[part("application/octet-stream; name=a.eml", &from("bo"))]), &[]),
        ("text named .eml",  multi("multipart/mixed", &[text.clone(), part("text/plain; name=a.eml", &from("bo"))]), &[]),
        ("report",           multi("multipart/report; report-type=delivery-status", &[text.clone(), attached("bo")]), &[]),
        ("mixed in mixed",   multi("multipart/mixed", &[text.clone(), within("multipart/mixed")]), &[]),
        ("in an attached mail", multi("multipart/mixed", &[part("message/rfc822", &multi("multipart/mixed", &[]).replace("Subject", "From: cy <cy@client.example>\nSubject").replace("boundary=b", "boundary=d"))]), &["cy"]),
    ];
    for (name, raw, expected) in cases {
        let expected: Vec<String> =
            expected.iter().map(|who| format!("{who} <{who}@client.example>")).collect();
        assert_eq!(shown(raw), expected, "{name}");
    }
}

#[test]
fn senders_of_one_message_are_bounded() {
    let parts: String = (0..1_000)
        .map(|n| format!("--b\nContent-Type: message/rfc822\n\nFrom: a{n}@client.example\n\nx\n"))
        .collect();
    let raw = format!("Content-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n");
    let found = original_senders(raw.as_bytes());
    assert_eq!(found.len(), 20);
    assert_eq!(found.last().unwrap().email, "a19@client.example");
}

#[test]
fn forward_beyond_the_first_mebibyte_of_text_is_not_looked_for() {
    let text = |filler: usize| {
        let filler = format!("{}\n", "a".repeat(999)).repeat(filler / 1_000);
        mail("Fwd: s", &format!("{filler}---- Forwarded message ----\nFrom: bo@client.example\n"))
    };
    assert_eq!(original_senders(text(1_000_000).as_bytes()).len(), 1);
    assert_eq!(original_senders(text(1_100_000).as_bytes()).len(), 0);
}

#[test]
fn hostile_input_is_read_in_one_pass() {
    let mebibyte = |piece: &str| piece.repeat((1 << 20) / piece.len());
    let read = |name: &str, raw: String| {
        let begun = Instant::now();
        original_senders(raw.as_bytes());
        // A second at most; the square of a million steps would take hours.
        assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {:?}", begun.elapsed());
    };
    for piece in [
        "[",
        ">",
        "From:\n",
        "From: a@b.example\n",
        "Cc: a@b.example,\n",
        "Date: x\nTo: y\n",
        "Forwarded message\n",
        "Begin forwarded message:\n> x\n",
        "-----Original Message-----\n",
        "-- Forwarded by \n",
        "On 2024-05-02 wrote:\n",
        "From: a@b<mailto:",
        "İ\u{307}",
        "\n",
    ] {
        let text = mebibyte(piece);
        read(piece, mail("Fwd: s", &text));
        read(piece, html("Fwd: s", &text));
        read(piece, format!("Subject: {text}\n\n"));
        read(piece, mail("Fwd: s", &format!("---- Forwarded message ----\nFrom: {text}")));
        let attached = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\
                        Content-Type: message/rfc822\n\nFrom: ";
        read(piece, format!("{attached}{text}\n--b--"));
    }
    for part in [
        "--b\n",
        "--b\nContent-Type: message/rfc822\n\n",
        "--b\nContent-Type: multipart/mixed; boundary=b\n\n",
    ] {
        let multi = "Content-Type: multipart/mixed; boundary=b\n\n";
        read(part, format!("{multi}{}", mebibyte(part)));
    }
    // Multiparts one in another, each with a boundary of its own.
    let nested: String = (0..15_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"))
        .collect();
    read("nested", nested);
    read("html", html("Fwd: s", &mebibyte("<table><tr><td>From:")));
}
