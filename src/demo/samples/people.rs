//! Mail that people write: clients new and known, our answers, colleagues among themselves. Pure.

use super::letter::{SALES, SUPPORT, base64_lines, date, file, letter, part, person};
use super::{ANA, PETER, Sample};

pub fn samples(now: i64) -> Vec<Sample> {
    let mut samples = new_clients(now);
    samples.extend(known_clients(now));
    samples.extend(our_own(now));
    samples.extend(colleagues(now));
    samples
}

fn new_clients(now: i64) -> Vec<Sample> {
    let german = letter(
        "=?UTF-8?Q?J=C3=BCrgen_Wei=C3=9F?= <j.weiss@werk.example>",
        SALES,
        "Angebot für 20 Stück",
        &date(now, 500, 2),
    )
    .id(&format!("angebot.{now}@werk.example"))
    .mime(
        "text/plain; charset=iso-8859-1",
        "quoted-printable",
        "Guten Tag,\n\nk=F6nnten Sie uns bitte ein Angebot f=FCr 20 St=FCck schicken?\n\
         Lieferung nach K=F6ln, m=F6glichst bis Mitte des Monats.\n\n\
         Mit freundlichen Gr=FC=DFen\nJ=FCrgen Wei=DF\n",
    );
    let russian = letter(
        "=?koi8-r?B?78zYx8Eg883J0s7P18E=?= <olga@nasos.example>",
        SALES,
        "=?koi8-r?B?+sHQ0s/TIMPFziDOwSDPws/S1cTP18HOycU=?=",
        &date(now, 490, 3),
    )
    .id(&format!("zapros.{now}@nasos.example"))
    .mime(
        "text/plain; charset=windows-1251",
        "base64",
        "xO7h8PvpIOTl7fwhDQoNCs/w6Pjr6PLlLCDv7ubg6/Pp8fLgLCDv8ODp8S3r6PHyIO3gIO3g8e7x+yDo\n\
         IPHw7uroIO/u8fLg4uroLg0KDQrRIPPi4Obl7ejl7CwNCs7r/OPgINHs6PDt7uLgDQo=\n",
    );
    let japanese = letter(
        "=?iso-2022-jp?B?GyRCRURDZhsoQiAbJEI3chsoQg==?= <tanaka@kojo.example>",
        SALES,
        "=?iso-2022-jp?B?GyRCOCtAUSRiJGokTiQqNGokJBsoQg==?=",
        &date(now, 480, 9),
    )
    .id(&format!("mitsumori.{now}@kojo.example"))
    .mime(
        "text/plain; charset=iso-2022-jp",
        "7bit",
        "\x1b$B$*@$OC$K$J$C$F$*$j$^$9!#\x1b(B\n\
         \x1b$B%]%s%W\x1b(B10\x1b$BBf$N8+@Q$b$j$r$*4j$$$$$?$7$^$9!#\x1b(B\n\n\
         \x1b$BEDCf\x1b(B\n",
    );
    let chinese = letter(
        "=?gb2312?B?zfXQocP3?= <wang@shuibeng.example>",
        SALES,
        "=?gb2312?B?0a+826O6y66xww==?=",
        &date(now, 470, 8),
    )
    .id(&format!("xunjia.{now}@shuibeng.example"))
    .mime(
        "text/plain; charset=gb2312",
        "base64",
        "xPq6w6OsDQrH67GovNvO5cyoy66xw6Osvbu79bW9yc+6o6GjDQrQu9C7o6ENCs310KHD9w0K\n",
    );
    let plus = letter(
        "Mary Major <mary@buyer.example>",
        "sales+web@example.com",
        "Form on your site",
        &date(now, 450, 1),
    );
    let capitals =
        letter("Max <MAX@Trade.Example>", "SALES@EXAMPLE.COM", "HELLO", &date(now, 440, 1));
    vec![
        Sample::new(
            "new client",
            letter("John Doe <john@doe.example>", SALES, "Price list", &date(now, 510, 0))
                .id(&first_question(now))
                .text("Hello,\n\ncould you send me your price list?\n\nJohn Doe\n"),
        ),
        Sample::new("new client, German in Latin-1", german),
        Sample::new("new client, Russian in two code pages", russian),
        Sample::new("new client, Japanese in ISO-2022-JP", japanese),
        Sample::new("new client, Chinese in GB2312", chinese),
        Sample::new(
            "new client, Arabic, to an alias",
            letter(
                &person("ليلى حداد", "layla@tijara.example"),
                "info@example.com",
                "طلب عرض أسعار",
                &date(now, 460, 3),
            )
            .id(&format!("talab.{now}@tijara.example"))
            .text("مرحبا،\nأرجو إرسال عرض أسعار للمضخات.\nليلى حداد\n"),
        ),
        Sample::new(
            "new client, to a plus address",
            plus.id(&format!("form.{now}@buyer.example")).text("Please call me back.\nMary\n"),
        ),
        Sample::new(
            "new client, addresses in capitals",
            capitals.id(&format!("HELLO.{now}@Trade.Example")).text("CALL ME.\n"),
        ),
        Sample::new(
            "new client, plain text and HTML",
            letter(
                &person("Lucía Gómez", "lucia@obra.example"),
                SALES,
                "¿Cuánto cuesta la instalación?",
                &date(now, 430, 2),
            )
            .id(&format!("cuesta.{now}@obra.example"))
            .parts(
                "alternative",
                &[
                    part("text/plain; charset=utf-8", "Buenos días: ¿cuánto cuesta?\nLucía\n"),
                    part(
                        "text/html; charset=utf-8",
                        "<p>Buenos días: ¿<b>cuánto</b> cuesta?</p><p>Lucía</p>\n",
                    ),
                ],
            ),
        ),
        Sample::new(
            "new client with a business card",
            letter("Rosa Diaz <rosa@plan.example>", SALES, "Our details", &date(now, 420, 0))
                .id(&format!("card.{now}@plan.example"))
                .parts(
                    "mixed",
                    &[
                        part("text/plain; charset=utf-8", "My card is attached.\nRosa\n"),
                        file(
                            "text/vcard; charset=utf-8",
                            "rosa.vcf",
                            b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Diaz;Rosa;;;\r\nFN:Rosa Diaz\r\n\
                              ORG:Plan Ltd\r\nTITLE:Buyer\r\nTEL;TYPE=WORK:+34 600 000 000\r\n\
                              EMAIL:rosa@plan.example\r\nEND:VCARD\r\n",
                        ),
                    ],
                ),
        ),
        Sample::new(
            "new client behind a web form's Reply-To",
            letter("Web form <form@host.example>", SALES, "Question", &date(now, 410, 0))
                .header("Reply-To", "Tom Bell <tom@bell.example>")
                .id(&format!("webform.{now}@host.example"))
                .text("Name: Tom Bell\nQuestion: do you deliver to Malta?\n"),
        ),
    ]
}

fn known_clients(now: i64) -> Vec<Sample> {
    let ana = person(ANA.name, ANA.email);
    let peter = person(PETER.name, PETER.email);
    let both = Sample::new(
        "known client to both mailboxes",
        letter(&peter, &format!("{SALES}, {SUPPORT}"), "Two questions", &date(now, 300, 1))
            .id(&format!("both.{now}@novak.example"))
            .text("One is about the price, one about the repair.\nPeter\n"),
    );
    let twice = Sample::new(
        "known client, delivered twice",
        letter(&peter, SALES, "Resent by my phone", &date(now, 290, 1))
            .id(&format!("twice.{now}@novak.example"))
            .text("Did you get this?\nPeter\n"),
    );
    let drawing: Vec<u8> =
        (0..40_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    vec![
        Sample::new(
            "known client with an open deal, files attached",
            letter(&ana, SALES, "Planos de la estación", &date(now, 320, 2))
                .id(&format!("planos.{now}@cliente.example"))
                .parts(
                    "mixed",
                    &[
                        part("text/plain; charset=utf-8", "Adjunto los planos.\nAna\n"),
                        file("application/pdf", "plano nº 2.pdf", &drawing),
                        file("text/csv", "piezas.csv", b"pieza;cantidad\r\nbomba;2\r\n"),
                    ],
                ),
        ),
        Sample::new(
            "known client, an invitation",
            letter(&ana, SALES, "Site visit", &date(now, 315, 2))
                .id(&format!("visit.{now}@cliente.example"))
                .parts(
                    "mixed",
                    &[
                        part("text/plain; charset=utf-8", "Shall we meet?\n"),
                        file(
                            "text/calendar; method=REQUEST; charset=utf-8",
                            "invite.ics",
                            b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//demo\r\nMETHOD:REQUEST\r\n\
                              BEGIN:VEVENT\r\nUID:visit@cliente.example\r\nDTSTAMP:20240502T080000Z\r\n\
                              DTSTART:20240510T080000Z\r\nSUMMARY:Site visit\r\nEND:VEVENT\r\n\
                              END:VCALENDAR\r\n",
                        ),
                    ],
                ),
        ),
        both.clone(),
        both.copy("the same in the other mailbox", "support", "INBOX"),
        twice.clone(),
        twice.copy("the same once more", "sales", "INBOX"),
        Sample::new(
            "known client to support",
            letter(&ana, SUPPORT, "Pump 2 leaks", &date(now, 280, 2))
                .id(&format!("leak.{now}@cliente.example"))
                .text("It began this morning.\nAna\n"),
        )
        .in_place("support", "INBOX"),
        Sample::new(
            "answer to a mail of the other mailbox",
            letter("John Doe <john@doe.example>", SUPPORT, "Re: Price list", &date(now, 40, 0))
                .id(&format!("thanks.{now}@doe.example"))
                .answers(&our_answer(now))
                .text("Thank you. And who repairs them?\n\n> Here it is.\n"),
        )
        .in_place("support", "INBOX")
        .in_wave(2),
        Sample::new(
            "a colleague of a client answers in the thread",
            letter("Jane Doe <jane@doe.example>", SALES, "Re: Price list", &date(now, 35, 0))
                .id(&format!("jane.{now}@doe.example"))
                .answers(&our_answer(now))
                .text("I take over from John.\nJane\n"),
        )
        .in_wave(2),
    ]
}

/// What the two mailboxes have sent.
fn our_own(now: i64) -> Vec<Sample> {
    vec![
        Sample::new(
            "our answer",
            letter(SALES, "John Doe <john@doe.example>", "Re: Price list", &date(now, 200, 2))
                .id(&our_answer(now))
                .answers(&first_question(now))
                .parts(
                    "mixed",
                    &[
                        part("text/plain; charset=utf-8", "Here it is.\n"),
                        file("application/pdf", "prices.pdf", b"%PDF-1.4 demo"),
                    ],
                ),
        )
        .sent()
        .in_wave(1),
        Sample::new(
            "our first mail to a new client",
            letter(SALES, "Kim <kim@harbour.example>", "Introduction", &date(now, 190, 2))
                .id(&our_introduction(now))
                .text("Dear Kim,\n\nmay we introduce ourselves?\n"),
        )
        .sent(),
        Sample::new(
            "our mail to several people, some hidden",
            letter(SALES, &person(ANA.name, ANA.email), "Minutes", &date(now, 180, 2))
                .header("Cc", &format!("{SUPPORT}, {}", person(PETER.name, PETER.email)))
                .header("Bcc", "Auditor <auditor@extern.example>")
                .id(&format!("minutes.{now}@example.com"))
                .text("The minutes of our meeting.\n"),
        )
        .sent(),
        Sample::new(
            "support answers a client",
            letter(SUPPORT, &person(ANA.name, ANA.email), "Re: Pump 2 leaks", &date(now, 170, 2))
                .id(&format!("leak-answer.{now}@example.com"))
                .answers(&format!("leak.{now}@cliente.example"))
                .text("We come tomorrow at nine.\n"),
        )
        .in_place("support", "Sent")
        .in_wave(1),
    ]
}

fn colleagues(now: i64) -> Vec<Sample> {
    let boss = "Boss <boss@example.com>";
    vec![
        Sample::new(
            "a colleague to sales",
            letter(boss, SALES, "Lunch?", &date(now, 160, 2))
                .id(&format!("lunch.{now}@example.com"))
                .text("At one?\n"),
        )
        .skipped("internal"),
        Sample::new(
            "sales to a colleague",
            letter(SALES, boss, "Re: Lunch?", &date(now, 155, 2))
                .id(&format!("lunch-yes.{now}@example.com"))
                .answers(&format!("lunch.{now}@example.com"))
                .text("Yes.\n"),
        )
        .sent()
        .skipped("internal"),
        Sample::new(
            "a colleague forwards a client's mail",
            letter(boss, SUPPORT, "Fwd: help", &date(now, 150, 2))
                .id(&format!("fwd.{now}@example.com"))
                .text(
                    "Please answer.\n\n-------- Forwarded Message --------\n\
                     From: Nina <nina@mill.example>\nSubject: help\n\nIt is broken.\n",
                ),
        )
        .in_place("support", "INBOX")
        .skipped("internal"),
        Sample::new(
            "a colleague writes to a client and sales",
            letter(boss, &person(PETER.name, PETER.email), "Our contract", &date(now, 145, 2))
                .header("Cc", SALES)
                .id(&format!("contract.{now}@example.com"))
                .mime(
                    "text/plain; charset=utf-8",
                    "base64",
                    &base64_lines("Signed — thanks.\r\n".as_bytes()),
                ),
        ),
    ]
}

fn first_question(now: i64) -> String {
    format!("price-list.{now}@doe.example")
}

/// Our answer to the first question.
fn our_answer(now: i64) -> String {
    format!("price-list-answer.{now}@example.com")
}

/// A mail of ours that will bounce.
pub fn our_introduction(now: i64) -> String {
    format!("introduction.{now}@example.com")
}
