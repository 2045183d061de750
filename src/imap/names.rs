//! Folder names on the wire: modified UTF-7 (RFC 3501 §5.1.3) in quoted strings. Pure.

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const MODIFIED_BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The name as people read it; a name that is no modified UTF-7 is taken as it stands (servers
/// with UTF8=ACCEPT and broken ones send UTF-8).
pub fn decode(wire: &str) -> String {
    decode_strictly(wire).unwrap_or_else(|| wire.to_owned())
}

fn decode_strictly(wire: &str) -> Option<String> {
    let mut name = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some((plain, shifted)) = rest.split_once('&') {
        name.push_str(plain);
        let (encoded, after) = shifted.split_once('-')?;
        if encoded.is_empty() {
            name.push('&');
        } else {
            let octets = MODIFIED_BASE64.decode(encoded).ok()?;
            let (pairs, odd) = octets.as_chunks::<2>();
            if !odd.is_empty() {
                return None;
            }
            let units = pairs.iter().map(|&pair| u16::from_be_bytes(pair));
            for decoded in char::decode_utf16(units) {
                name.push(decoded.ok()?);
            }
        }
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

/// A quoted string (RFC 3501 §9). Octets that no quoted string may hold are left out.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars().filter(|letter| !matches!(letter, '\r' | '\n' | '\0')) {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

/// A name out of a quoted string, as imap-proto 0.17 hands it over: with its backslashes. One
/// that can be no quoted string's came as a literal and stays.
pub fn unescape(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(escaped @ ('"' | '\\')) => plain.push(escaped),
                Some(_) | None => return name.to_owned(),
            },
            '"' => return name.to_owned(),
            letter => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_decoded() {
        #[rustfmt::skip]
        let cases = &[
            ("INBOX",                     "INBOX"),
            ("Entw&APw-rfe",              "Entwürfe"),
            ("&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Отправленные"),
            ("A&-B",                      "A&B"),
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("&2D3eAA-",                  "😀"),
        ];
        for (wire, name) in cases {
            assert_eq!(decode(wire), *name, "{wire}");
        }
    }

    #[test]
    fn name_that_is_no_utf7_is_taken_as_it_stands() {
        for wire in ["R&D", "&&&", "Entwürfe", "&AAA", "&2D0-", "&*-"] {
            assert_eq!(decode(wire), wire);
        }
    }

    #[test]
    fn quoted_names_lose_their_backslashes_and_literals_keep_them() {
        #[rustfmt::skip]
        let cases = &[
            ("INBOX",        "INBOX"),
            (r"a\\b",        r"a\b"),
            (r#"a\"b"#,      r#"a"b"#),
            // Literals: no quoted string holds these.
            (r#"a"b"#,       r#"a"b"#),
            (r"a\b",         r"a\b"),
            (r"a\",          r"a\"),
        ];
        for (wire, name) in cases {
            assert_eq!(unescape(wire), *name, "{wire}");
        }
    }

    #[test]
    fn quoted_string_cannot_be_left() {
        assert_eq!(quote("a\"b\\c\r\nX LOGOUT"), r#""a\"b\\cX LOGOUT""#);
    }

    proptest! {
        #[test]
        fn any_wire_name_is_decoded_without_a_panic(wire in "\\PC{0,60}") {
            let _name = decode(&wire);
        }
    }
}
