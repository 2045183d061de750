//! Charsets that leave ASCII by an escape and come back: ISO-2022-KR, ISO-2022-CN, HZ, UTF-7. Pure.
//!
//! The decoders behind mail-parser 0.11.9 follow the WHATWG standard, which for the first three
//! gives one U+FFFD for a whole text, since they can hide a script from a browser's filter. In
//! mail they are someone's letter. Its UTF-7 drops the character that ends a run.

use super::charset::by_label;

/// A line of two-byte characters is ended by the line's end if nothing else ends it.
const LINE_FEED: u8 = b'\n';

/// Not valid in any of the decoders: becomes U+FFFD.
const NOTHING: u8 = 0xff;

/// Decodes `bytes` if the label (lower case, with `_`) is one of these charsets.
pub fn decode(label: &str, bytes: &[u8]) -> Option<String> {
    match label {
        "iso_2022_kr" | "csiso2022kr" => Some(by_label("euc_kr", &shifted(bytes))),
        "iso_2022_cn" | "iso_2022_cn_ext" | "csiso2022cn" => Some(by_label("gbk", &shifted(bytes))),
        "hz" | "hz_gb_2312" => Some(by_label("gbk", &unescaped_hz(bytes))),
        "utf_7" | "utf7" | "unicode_1_1_utf_7" | "csunicode11utf7" | "x_unicode_2_0_utf_7" => {
            Some(utf_7(bytes))
        }
        _ => None,
    }
}

/// The charset whose escape stands in bytes that bear no label.
pub fn shown(bytes: &[u8]) -> Option<&'static str> {
    // Nearly all text has no escape at all.
    if !bytes.contains(&0x1b) {
        return None;
    }
    bytes.windows(4).find_map(|window| match window {
        b"\x1b$)C" => Some("iso_2022_kr"),
        b"\x1b$)A" => Some("iso_2022_cn"),
        _ => None,
    })
}

/// ISO-2022-KR (RFC 1557) and -CN (RFC 1922) as 8-bit text: what stands between SO and SI gets
/// its high bit. Of the Chinese sets only GB 2312 is read, which nearly all such mail has.
fn shifted(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let (mut out, mut known) = (false, true);
    let mut rest = bytes;
    loop {
        rest = match rest {
            [0x1b, b'$', b')', set, after @ ..] => {
                known = matches!(set, b'A' | b'C');
                after
            }
            [0x1b, b'$', b'*' | b'+', _, after @ ..] => after,
            // One character of a second set.
            [0x1b, b'N' | b'O', 0x21..0x7f, 0x21..0x7f, after @ ..] => {
                plain.push(NOTHING);
                after
            }
            [0x0e, after @ ..] => {
                out = true;
                after
            }
            [0x0f, after @ ..] => {
                out = false;
                after
            }
            [high @ 0x21..0x7f, low @ 0x21..0x7f, after @ ..] if out => {
                if known {
                    plain.extend([high | 0x80, low | 0x80]);
                } else {
                    plain.push(NOTHING);
                }
                after
            }
            [byte, after @ ..] => {
                out = out && *byte != LINE_FEED;
                plain.push(*byte);
                after
            }
            [] => return plain,
        };
    }
}

/// HZ (RFC 1843) as GBK.
fn unescaped_hz(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut out = false;
    let mut rest = bytes;
    loop {
        rest = match rest {
            [b'~', b'{', after @ ..] if !out => {
                out = true;
                after
            }
            [b'~', b'}', after @ ..] if out => {
                out = false;
                after
            }
            [b'~', b'~', after @ ..] if !out => {
                plain.push(b'~');
                after
            }
            [b'~', b'\n', after @ ..] | [b'~', b'\r', b'\n', after @ ..] => after,
            [high @ 0x21..0x7e, low @ 0x21..0x7f, after @ ..] if out => {
                plain.extend([high | 0x80, low | 0x80]);
                after
            }
            [byte, after @ ..] => {
                out = out && *byte != LINE_FEED;
                plain.push(*byte);
                after
            }
            [] => return plain,
        };
    }
}

/// UTF-7 (RFC 2152): UTF-16 in base64 between `+` and whatever is no base64.
fn utf_7(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        if *byte != b'+' {
            let end = rest.iter().position(|byte| *byte == b'+').unwrap_or(rest.len());
            let (plain, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            text.push_str(&String::from_utf8_lossy(plain));
            rest = after;
            continue;
        }
        let end = tail.iter().position(|byte| sextet(*byte).is_none()).unwrap_or(tail.len());
        let (run, after) = tail.split_at_checked(end).unwrap_or((tail, &[]));
        if run.is_empty() {
            text.push('+');
        }
        text.push_str(&utf_16(run));
        // The hyphen belongs to the run that it ends.
        rest = after.strip_prefix(b"-").unwrap_or(after);
    }
    text
}

fn utf_16(run: &[u8]) -> String {
    let mut units = Vec::with_capacity(run.len() / 2);
    let (mut bits, mut count) = (0u32, 0u32);
    for sextet in run.iter().filter_map(|byte| sextet(*byte)) {
        bits = bits << 6 | sextet;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push(u16::try_from(bits >> count & 0xffff).unwrap_or(0));
            bits &= (1 << count) - 1;
        }
    }
    String::from_utf16_lossy(&units)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_from_its_escapes() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &[u8], &str)] = &[
            ("korean",             "iso_2022_kr", b"\x1b$)C\x0e>H3g\x0f, Ana\n",      "안녕, Ana\n"),
            ("korean, ascii only", "iso_2022_kr", b"Hello",                           "Hello"),
            ("korean, no escape",  "csiso2022kr", b"\x0e>H3g",                        "안녕"),
            ("korean, blank",      "iso_2022_kr", b"\x1b$)C\x0e>H 3g\x0f",            "안 녕"),
            ("korean, line not closed", "iso_2022_kr", b"\x1b$)C\x0e>H\nHi there",    "안\nHi there"),
            ("korean, as 8 bits",  "iso_2022_kr", b"\xbe\xc8\xb3\xe7",                "안녕"),
            ("hz",                 "hz_gb_2312",  b"Re: ~{Dc:C~} ~~ x",               "Re: 你好 ~ x"),
            ("hz, continued line", "hz",          b"~{Dc~}~\n~{:C~}",                 "你好"),
            ("hz, ascii only",     "hz",          b"Hello",                           "Hello"),
            ("hz, cut",            "hz",          b"~{Dc:",                           "你:"),
            ("chinese",            "iso_2022_cn", b"\x1b$)A\x0eDc:C\x0f!",            "你好!"),
            ("chinese, other set", "iso_2022_cn", b"\x1b$)G\x0eDc:C\x0f!",            "\u{fffd}\u{fffd}!"),
            ("chinese, second set", "iso_2022_cn_ext", b"a\x1b$*H\x1bNDcb",           "a\u{fffd}b"),
            ("utf-7",              "utf_7",       b"Gr+APwA3w-e +- +IKw",             "Grüße + €"),
            ("utf-7, no hyphen",   "unicode_1_1_utf_7", b"+AOk b",                    "é b"),
            ("utf-7, emoji",       "utf_7",       b"+2Dzfiw-",                        "🎋"),
            ("utf-7, cut",         "utf_7",       b"a+",                              "a+"),
        ];
        for (name, label, bytes, text) in cases {
            assert_eq!(decode(label, bytes).as_deref(), Some(*text), "{name}");
        }
        assert_eq!(decode("utf_8", b"a"), None);
    }
}
