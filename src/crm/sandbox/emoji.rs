//! Emoji as the portal's columns keep them: `:f09f9880:` for 😀. Pure.

/// Writes every character beyond the basic plane as the hex of its UTF-8 bytes between colons.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        if c.len_utf8() < 4 {
            encoded.push(c);
            continue;
        }
        let mut bytes = [0; 4];
        encoded.push(':');
        for byte in c.encode_utf8(&mut bytes).bytes() {
            encoded.push_str(&format!("{byte:02x}"));
        }
        encoded.push(':');
    }
    encoded
}

/// Undoes [`encode`].
pub(super) fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let (before, code) = rest.split_at(at);
        decoded.push_str(before);
        match code.get(1..9).filter(|_| code.get(9..10) == Some(":")).and_then(character) {
            Some(c) => {
                decoded.push(c);
                rest = code.get(10..).unwrap_or("");
            }
            None => {
                decoded.push(':');
                rest = code.get(1..).unwrap_or("");
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

fn character(hex: &str) -> Option<char> {
    let bytes = u32::from_str_radix(hex, 16).ok()?.to_be_bytes();
    let mut chars = std::str::from_utf8(&bytes).ok()?.chars();
    chars.next().filter(|c| c.len_utf8() == 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_are_kept_as_codes_and_come_back() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            ("none",           "Grüße: 10:30",    "Grüße: 10:30"),
            ("one",            "Hi 😀!",          "Hi :f09f9880:!"),
            ("two in a row",   "😀😀",            ":f09f9880::f09f9880:"),
            ("after a colon",  ":😀",             "::f09f9880:"),
        ];
        for (name, text, encoded) in cases {
            assert_eq!(encode(text), *encoded, "{name}");
            assert_eq!(decode(encoded), *text, "{name}");
        }
    }
}
