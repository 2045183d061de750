//! Mail to measure with: varied, the same in every run, no two alike.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A generator whose numbers are the same in every run (SplitMix64).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `low..high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }
}

const WORDS: [&str; 40] = [
    "pedido",
    "oferta",
    "precio",
    "entrega",
    "factura",
    "cliente",
    "reunión",
    "mañana",
    "gracias",
    "adjunto",
    "saludos",
    "presupuesto",
    "the",
    "and",
    "for",
    "your",
    "order",
    "price",
    "delivery",
    "invoice",
    "please",
    "find",
    "attached",
    "regards",
    "next",
    "week",
    "meeting",
    "сделка",
    "цена",
    "счёт",
    "über",
    "Größe",
    "Lieferung",
    "wir",
    "bitte",
    "à",
    "été",
    "demande",
    "prix",
    "livraison",
];

/// A short plain mail from `sender`; `number` makes it another.
pub fn short(sender: &str, number: usize) -> Vec<u8> {
    let mut chance = Chance::new(number as u64);
    let mut mail = header(sender, number, &mut chance);
    mail.push_str("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n");
    mail.push_str("\r\n");
    prose(&mut mail, &mut chance, 1_500);
    mail.into_bytes()
}

/// One of a backlog: plain, HTML with an alternative, or with an attachment; 35 kB on average.
pub fn varied(number: usize) -> Vec<u8> {
    let mut chance = Chance::new(number as u64);
    let sender = format!("client{number}@shop{}.example", number % 977);
    let mut mail = header(&sender, number, &mut chance);
    match number % 10 {
        0..=2 => {
            mail.push_str("Content-Type: text/plain; charset=utf-8\r\n");
            mail.push_str("Content-Transfer-Encoding: 8bit\r\n\r\n");
            let length = chance.between(1_000, 12_000);
            prose(&mut mail, &mut chance, length as usize);
        }
        3..=6 => alternative(&mut mail, &mut chance),
        _ => {
            mail.push_str("Content-Type: multipart/mixed; boundary=\"outer\"\r\n\r\n");
            mail.push_str("This is a multi-part message in MIME format.\r\n--outer\r\n");
            alternative(&mut mail, &mut chance);
            let octets = chance.between(20_000, 60_000) as usize;
            let _ = write!(
                mail,
                "\r\n--outer\r\nContent-Type: application/pdf; name=\"oferta-{number}.pdf\"\r\n\
                 Content-Disposition: attachment; filename=\"oferta-{number}.pdf\"\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n"
            );
            let mut file = Vec::with_capacity(octets + 8);
            while file.len() < octets {
                file.extend_from_slice(&chance.next().to_le_bytes());
            }
            for line in BASE64_STANDARD.encode(file).as_bytes().chunks(76) {
                mail.push_str(&String::from_utf8_lossy(line));
                mail.push_str("\r\n");
            }
            mail.push_str("--outer--\r\n");
        }
    }
    mail.into_bytes()
}

/// Header lines up to those of MIME, as mail has them that came over two hops.
fn header(sender: &str, number: usize, chance: &mut Chance) -> String {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let (a, b) = (chance.next(), chance.next());
    let domain = sender.split('@').nth(1).unwrap_or("shop.example");
    let mut signature = String::new();
    for _ in 0..5 {
        let bytes: Vec<u8> = (0..6).flat_map(|_| chance.next().to_le_bytes()).collect();
        let _ = write!(signature, "\r\n\t{}", BASE64_STANDARD.encode(bytes));
    }
    format!(
        "Return-Path: <{sender}>\r\n\
         Received: from mx.example.com (mx.example.com [192.0.2.7])\r\n\
         \tby imap.example.com (Postfix) with ESMTPS id {a:016X}\r\n\
         \tfor <sales@example.com>; {date}\r\n\
         Received: from out.{domain} (out.{domain} [198.51.100.9])\r\n\
         \tby mx.example.com (Postfix) with ESMTPS id {b:016X}; {date}\r\n\
         Authentication-Results: mx.example.com; dkim=pass header.d={domain}; spf=pass\r\n\
         DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=mail;\r\n\
         \th=from:to:subject:date:message-id; b={signature}\r\n\
         From: =?utf-8?Q?Jos=C3=A9_Mu=C3=B1oz?= <{sender}>\r\n\
         To: Sales <sales@example.com>\r\n\
         Subject: =?utf-8?Q?Petici=C3=B3n_de_oferta?= {number}\r\n\
         Date: {date}\r\n\
         Message-ID: <{number}.{a:x}@{domain}>\r\n\
         User-Agent: Mozilla Thunderbird\r\n\
         MIME-Version: 1.0\r\n"
    )
}

/// A text of about so many octets.
fn prose(text: &mut String, chance: &mut Chance, octets: usize) {
    let end = text.len() + octets;
    let mut line = 0;
    while text.len() < end {
        let word = WORDS[chance.between(0, WORDS.len() as u64) as usize];
        text.push_str(word);
        line += word.len() + 1;
        if line > 70 {
            text.push_str("\r\n");
            line = 0;
        } else {
            text.push(' ');
        }
    }
    text.push_str("\r\n");
}

fn alternative(mail: &mut String, chance: &mut Chance) {
    mail.push_str("Content-Type: multipart/alternative; boundary=\"inner\"\r\n\r\n--inner\r\n");
    mail.push_str("Content-Type: text/plain; charset=utf-8\r\n");
    mail.push_str("Content-Transfer-Encoding: 8bit\r\n\r\n");
    prose(mail, chance, 3_000);
    mail.push_str("\r\n--inner\r\nContent-Type: text/html; charset=utf-8\r\n");
    mail.push_str("Content-Transfer-Encoding: 8bit\r\n\r\n<html><body><table>\r\n");
    let end = mail.len() + chance.between(10_000, 36_000) as usize;
    while mail.len() < end {
        mail.push_str("<tr><td style=\"font-family: Arial, sans-serif; padding: 4px\"><p>");
        prose(mail, chance, 300);
        mail.push_str("</p></td></tr>\r\n");
    }
    mail.push_str("</table></body></html>\r\n--inner--\r\n");
}
