//! Mail that nobody has written to us: bounces, robots, lists, spam. Pure.

use super::letter::{SALES, SUPPORT, date, letter, part, person};
use super::people::our_introduction;
use super::{ANA, PETER, Sample};

pub fn samples(now: i64) -> Vec<Sample> {
    let mut samples = reports(now);
    samples.extend(robots(now));
    samples.extend(lists(now));
    samples.extend(spam(now));
    samples
}

/// Bounces and receipts.
fn reports(now: i64) -> Vec<Sample> {
    let bounce = |id: &str, about: &str, to: &str, minutes: i64| {
        letter(
            "Mail Delivery System <MAILER-DAEMON@mx.example.com>",
            SALES,
            "Undelivered Mail Returned to Sender",
            &date(now, minutes, 0),
        )
        .header("Return-Path", "<>")
        .header("Auto-Submitted", "auto-replied")
        .id(&format!("{id}.{now}@mx.example.com"))
        .parts(
            "report; report-type=delivery-status",
            &[
                part("text/plain; charset=us-ascii", &format!("<{to}>: user unknown\n")),
                format!(
                    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\n\
                     Final-Recipient: rfc822; {to}\nAction: failed\nStatus: 5.1.1\n"
                ),
                format!(
                    "Content-Type: text/rfc822-headers\n\nFrom: {SALES}\nTo: {to}\n\
                     Subject: Introduction\nMessage-ID: <{about}>\n"
                ),
            ],
        )
    };
    vec![
        Sample::new(
            "bounce of a mail that we know",
            bounce("bounce", &our_introduction(now), "kim@harbour.example", 30),
        )
        .in_wave(1),
        Sample::new(
            "bounce of a mail that we never sent",
            bounce("backscatter", "unknown@spoofed.example", "nobody@nowhere.example", 140),
        )
        .skipped("bounce"),
        Sample::new(
            "read receipt of a stranger",
            letter("Reader <reader@far.example>", SALES, "Read: Offer", &date(now, 135, 0))
                .id(&format!("receipt.{now}@far.example"))
                .parts(
                    "report; report-type=disposition-notification",
                    &[
                        part("text/plain; charset=us-ascii", "Your message was read.\n"),
                        "Content-Type: message/disposition-notification\n\n\
                         Final-Recipient: rfc822; reader@far.example\n\
                         Original-Message-ID: <offer@elsewhere.example>\n\
                         Disposition: manual-action/MDN-sent-manually; displayed\n"
                            .to_owned(),
                    ],
                ),
        )
        .skipped("automated"),
    ]
}

fn robots(now: i64) -> Vec<Sample> {
    vec![
        Sample::new(
            "out of office of a known client",
            letter(
                &person(ANA.name, ANA.email),
                SALES,
                "Fuera de la oficina: Minutes",
                &date(now, 130, 2),
            )
            .header("Auto-Submitted", "auto-replied")
            .header("X-Auto-Response-Suppress", "All")
            .answers(&format!("minutes.{now}@example.com"))
            .id(&format!("ooo.{now}@cliente.example"))
            .text("Vuelvo el lunes.\nAna\n"),
        ),
        Sample::new(
            "out of office of a stranger",
            letter("Zoe <zoe@away.example>", SALES, "Out of office", &date(now, 128, 0))
                .header("Auto-Submitted", "auto-replied (vacation)")
                .header("Precedence", "bulk")
                .id(&format!("ooo.{now}@away.example"))
                .text("Back next week.\n"),
        )
        .skipped("automated"),
        Sample::new(
            "a machine's report",
            letter("cron <root@server.example>", SUPPORT, "Backup done", &date(now, 126, 0))
                .header("Auto-Submitted", "auto-generated")
                .id(&format!("cron.{now}@server.example"))
                .text("0 errors\n"),
        )
        .in_place("support", "INBOX")
        .skipped("automated"),
    ]
}

fn lists(now: i64) -> Vec<Sample> {
    let newsletter = Sample::new(
        "newsletter",
        letter("Shop News <news@shop.example>", SALES, "Spring offers", &date(now, 120, 0))
            .header("List-Id", "Shop news <news.shop.example>")
            .header("List-Unsubscribe", "<https://shop.example/unsubscribe>")
            .header("Precedence", "bulk")
            .id(&format!("spring.{now}@shop.example"))
            .mime("text/html; charset=utf-8", "8bit", "<h1>Spring!</h1><p>All must go.</p>\n"),
    )
    .skipped("mailing-list");
    vec![
        newsletter.clone(),
        newsletter.copy("the same newsletter to support", "support", "INBOX"),
        Sample::new(
            "a known client on a mailing list",
            letter(
                &person(PETER.name, PETER.email),
                "Pump makers <pumps@lists.example>",
                "[pumps] Valves",
                &date(now, 115, 1),
            )
            .header("Cc", SALES)
            .header("List-Id", "Pump makers <pumps.lists.example>")
            .header("List-Post", "<mailto:pumps@lists.example>")
            .id(&format!("valves.{now}@novak.example"))
            .text("Which valves do you take?\nPeter\n"),
        ),
        Sample::new(
            "an excluded sender",
            letter("Deals <best@offers.example>", SALES, "Only today", &date(now, 110, 0))
                .id(&format!("today.{now}@offers.example"))
                .text("Buy now.\n"),
        )
        .skipped("excluded"),
    ]
}

fn spam(now: i64) -> Vec<Sample> {
    vec![
        Sample::new(
            "spam in the spam folder",
            letter("Prince <prince@rich.example>", SALES, "Dear friend", &date(now, 100, 0))
                .id(&format!("friend.{now}@rich.example"))
                .text("I have ten million for you.\n"),
        )
        .in_place("sales", "Junk")
        .skipped("spam-folder"),
        Sample::new(
            "a client's mail in the spam folder",
            letter("Good Client <good@client.example>", SUPPORT, "Order 12", &date(now, 98, 0))
                .id(&format!("order-12.{now}@client.example"))
                .text("Where is my order?\n"),
        )
        .in_place("support", "Junk")
        .skipped("spam-folder"),
        Sample::new(
            "spam that the filter has marked, in the inbox",
            letter("Pills <pills@pharm.example>", SALES, "***SPAM*** Cheap", &date(now, 96, 0))
                .header("X-Spam-Flag", "YES")
                .header("X-Spam-Status", "Yes, score=14.2 required=5.0 tests=URIBL_BLACK")
                .id(&format!("pills.{now}@pharm.example"))
                .text("Cheap pills.\n"),
        )
        .skipped("spam-verdict"),
    ]
}
