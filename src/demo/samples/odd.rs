//! Mail that is odd in its making, as it comes in the wild. Pure.

use super::Sample;
use super::letter::{SALES, SUPPORT, bare, base64_lines, date, file, letter, part};

pub fn samples(now: i64) -> Vec<Sample> {
    let mut samples = headers(now);
    samples.extend(bodies(now));
    samples
}

fn headers(now: i64) -> Vec<Sample> {
    let mut eight_bit =
        b"From: Jos\xe9 N\xfa\xf1ez <jose@antiguo.example>\r\nTo: sales@example.com\r\n\
        Subject: Pedido n\xfamero 7: \xbfcu\xe1ndo llega?\r\n"
            .to_vec();
    eight_bit.extend(
        bare()
            .header("Date", &date(now, 90, 1))
            .id(&format!("siete.{now}@antiguo.example"))
            .body("Gracias.\n"),
    );
    let many: Vec<String> = (0..300).map(|n| format!("<old-{n}.{now}@chatty.example>")).collect();
    vec![
        Sample::new(
            "no subject",
            letter("Ed <ed@terse.example>", SALES, "", &date(now, 94, 0))
                .id(&format!("empty.{now}@terse.example"))
                .text("Call me.\n"),
        ),
        Sample::new(
            "no Message-ID",
            letter("Fay <fay@plain.example>", SALES, "Hello", &date(now, 93, 0))
                .text("My mail program is old.\n"),
        ),
        Sample::new(
            "no Date",
            bare()
                .header("From", "Gil <gil@timeless.example>")
                .header("To", SALES)
                .header("Subject", "When?")
                .id(&format!("when.{now}@timeless.example"))
                .text("Soon.\n"),
        ),
        Sample::new(
            "a Date in the future",
            letter("Hal <hal@future.example>", SALES, "From tomorrow", &date(now, -3 * 1440, 0))
                .id(&format!("tomorrow.{now}@future.example"))
                .text("My clock is wrong.\n"),
        ),
        Sample::new(
            "a Date of years ago, delivered now",
            letter("Ivy <ivy@late.example>", SUPPORT, "At last", &date(now, 1_000_000, 0))
                .id(&format!("late.{now}@late.example"))
                .text("It lay in my outbox.\n"),
        )
        .in_place("support", "INBOX"),
        Sample::new("headers in raw Latin-1", eight_bit),
        Sample::new(
            "a Message-ID",
            letter("Jo <jo@copier.example>", SALES, "First", &date(now, 88, 0))
                .id(&format!("reused.{now}@copier.example"))
                .text("The first mail with this id.\n"),
        ),
        Sample::new(
            "the same Message-ID on another mail",
            letter("Jo <jo@copier.example>", SALES, "Second", &date(now, 87, 0))
                .id(&format!("reused.{now}@copier.example"))
                .text("The second mail with this id.\n"),
        ),
        Sample::new(
            "three hundred References",
            letter("Kay <kay@chatty.example>", SALES, "Re: Re: Re: on and on", &date(now, 86, 0))
                .id(&format!("chatty.{now}@chatty.example"))
                .header("References", &many.join("\n "))
                .text("And another thing.\n"),
        ),
        Sample::new(
            "no address at all",
            bare()
                .header("Subject", "who?")
                .header("Date", &date(now, 85, 0))
                .id(&format!("who.{now}@nowhere.example"))
                .text("Guess.\n"),
        )
        .skipped("no-address"),
    ]
}

fn bodies(now: i64) -> Vec<Sample> {
    let unix = String::from_utf8_lossy(
        &letter("Lee <lee@unix.example>", SALES, "From a script", &date(now, 84, 0))
            .id(&format!("script.{now}@unix.example"))
            .text("Line ends without CR.\n"),
    )
    .replace("\r\n", "\n");
    let original = "From: Moe <moe@third.example>\nTo: nan@relay.example\nSubject: the original\n\n\
        The attached mail's own text.\n";
    vec![
        Sample::new("Unix line ends", unix.into_bytes()),
        Sample::new(
            "HTML only",
            letter("Oli <oli@web.example>", SALES, "Only HTML", &date(now, 83, 0))
                .id(&format!("html.{now}@web.example"))
                .mime(
                    "text/html; charset=utf-8",
                    "8bit",
                    "<html><head><style>p{color:red}</style></head><body><p>Dear&nbsp;all,</p>\
                     <ul><li>one</li><li>two</li></ul><p>Oli</p></body></html>\n",
                ),
        ),
        Sample::new(
            "a multipart mail that ends in the middle",
            letter("Pam <pam@broken.example>", SALES, "Cut", &date(now, 82, 0))
                .id(&format!("cut.{now}@broken.example"))
                .header("MIME-Version", "1.0")
                .header("Content-Type", "multipart/mixed; boundary=never-closed")
                .body(
                    "--never-closed\nContent-Type: text/plain\n\nThe text is whole.\n\
                     --never-closed\nContent-Type: image/png; name=x.png\n\
                     Content-Transfer-Encoding: base64\n\niVBORw0KGgoAAAAN@@@\n",
                ),
        ),
        Sample::new(
            "unknown charset and encoding",
            letter("Quin <quin@strange.example>", SALES, "=?x-none?Q?odd?=", &date(now, 81, 0))
                .id(&format!("strange.{now}@strange.example"))
                .mime("text/plain; charset=x-none", "x-none", "Still readable.\n"),
        ),
        Sample::new(
            "a mail attached to a mail",
            letter("Nan <nan@relay.example>", SALES, "See attached", &date(now, 80, 0))
                .id(&format!("attached.{now}@relay.example"))
                .parts(
                    "mixed",
                    &[
                        part("text/plain; charset=utf-8", "What do you say?\nNan\n"),
                        format!("Content-Type: message/rfc822\n\n{original}"),
                    ],
                ),
        ),
        Sample::new(
            "an encrypted mail",
            letter("Ray <ray@secret.example>", SALES, "...", &date(now, 79, 0))
                .id(&format!("secret.{now}@secret.example"))
                .parts(
                    "encrypted; protocol=\"application/pgp-encrypted\"",
                    &[
                        "Content-Type: application/pgp-encrypted\n\nVersion: 1\n".to_owned(),
                        "Content-Type: application/octet-stream; name=encrypted.asc\n\n\
                         -----BEGIN PGP MESSAGE-----\n\nhQEMA1vV8JZ1demo\n\
                         -----END PGP MESSAGE-----\n"
                            .to_owned(),
                    ],
                ),
        ),
        Sample::new(
            "no body",
            letter("Sue <sue@silent.example>", SUPPORT, "Please call 555-0100", &date(now, 78, 0))
                .id(&format!("silent.{now}@silent.example"))
                .body(""),
        )
        .in_place("support", "INBOX"),
        Sample::new(
            "a file whose name leads elsewhere",
            letter("Ted <ted@tricky.example>", SUPPORT, "Invoice", &date(now, 77, 0))
                .id(&format!("tricky.{now}@tricky.example"))
                .parts(
                    "mixed",
                    &[
                        part("text/plain; charset=utf-8", "See the invoice.\n"),
                        file("application/octet-stream", "../../etc/passwd", b"demo"),
                    ],
                ),
        )
        .in_place("support", "INBOX"),
        Sample::new(
            "a subject that a CRM's batch would expand",
            letter(
                "Una <una@curious.example>",
                SALES,
                "$result[find][0] {=Document:ID}",
                &date(now, 76, 0),
            )
            .id(&format!("curious.{now}@curious.example"))
            .mime(
                "text/plain; charset=utf-8",
                "base64",
                &base64_lines(b"$total[x] [b]bold[/b]\r\n"),
            ),
        ),
    ]
}
