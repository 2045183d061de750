//! Bytes of any charset to text: by label, by what they are, by guess. Pure.

use mail_parser::decoders::charsets::map::charset_decoder;

use super::{codepage, guess, seven_bit};

/// Charsets in which valid UTF-8 may be other text by chance, lower case with `_`.
const MULTI_BYTE: &[&str] = &[
    "big5",
    "cn_big5",
    "csbig5",
    "x_x_big5",
    "chinese",
    "cp936",
    "csgb",
    "csiso58",
    "gb",
    "x_gbk",
    "euc",
    "cseuc",
    "x_euc",
    "ks",
    "csks",
    "korean",
    "windows_949",
    "cp949",
    "shift",
    "sjis",
    "x_sjis",
    "ms_kanji",
    "ms932",
    "csshiftjis",
    "windows_31j",
    "iso_2022",
    "csiso2022",
    "hz",
    "utf_16",
    "utf_7",
    "unicode",
    "utf_32",
];

/// Decodes `bytes` by their label, or as well as can be guessed if it is missing, unknown or
/// plainly wrong. Bytes that mean nothing become U+FFFD.
pub fn decode(bytes: &[u8], label: Option<&str>) -> String {
    // No label knows better than the octets themselves.
    if let Some(text) = utf_16(bytes) {
        return text;
    }
    let label = label.map(normal_label).filter(|label| !label.is_empty());
    let Some(label) = label else {
        return guess(bytes, None);
    };
    if says_nothing(&label) {
        return guess(bytes, None);
    }
    if let Some(text) = seven_bit(&label, bytes) {
        return text;
    }
    if let Some(text) = codepage::decode(&label, bytes) {
        return std::str::from_utf8(bytes).map_or(text, str::to_owned);
    }
    let Some(decoder) = charset_decoder(label.as_bytes()) else {
        return guess(bytes, None);
    };
    if !MULTI_BYTE.iter().any(|prefix| label.starts_with(prefix)) {
        // Programs that label everything iso-8859-1 or us-ascii send UTF-8 all the same. Text in
        // a single-byte charset is valid UTF-8 only if it is ASCII.
        return guess(bytes, Some(decoder));
    }
    if label.contains("2022") {
        // Joined words say "back to ASCII" and "Japanese" with nothing between, which the
        // decoder (WHATWG, "ISO-2022-JP decoder") marks as an error.
        return decoder(&without_idle_escapes(bytes));
    }
    decoder(bytes)
}

/// These have no byte above 127, so that UTF-8 under their label is UTF-8.
fn seven_bit(label: &str, bytes: &[u8]) -> Option<String> {
    let decoded = seven_bit::decode(label, bytes)?;
    let utf_8 = std::str::from_utf8(bytes).ok().filter(|text| !text.is_ascii());
    Some(utf_8.map_or(decoded, str::to_owned))
}

fn without_idle_escapes(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        rest = match rest {
            [0x1b, b'(', b'B' | b'J', after @ ..] if after.starts_with(b"\x1b") => after,
            _ => {
                plain.push(*byte);
                tail
            }
        };
    }
    plain
}

/// Decodes bytes that bear no label, such as raw 8-bit headers. `hint` is the charset that the
/// message declares for its body.
pub fn decode_unlabelled(bytes: &[u8], hint: Option<&str>) -> String {
    if is_iso_2022_jp(bytes) {
        return by_label("iso-2022-jp", bytes);
    }
    if let Some(text) = seven_bit::shown(bytes).and_then(|label| seven_bit::decode(label, bytes)) {
        return text;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    decode(bytes, hint)
}

fn normal_label(label: &str) -> String {
    let label = label.trim().trim_matches(|c| matches!(c, '"' | '\'' | ' '));
    // RFC 2231 section 5: a language may follow the charset.
    let label = label.split('*').next().unwrap_or_default();
    let label = label.to_ascii_lowercase().replace('-', "_");
    match known_as(&label) {
        Some(known) => known.replace('-', "_"),
        None => label,
    }
}

/// Names that programs give to charsets, and that the table of names does not have.
fn known_as(label: &str) -> Option<&'static str> {
    if let Some(known) = by_number(label) {
        return Some(known);
    }
    match label {
        "cp932" | "windows_932" | "ms_932" | "x_ms_cp932" | "shiftjis" | "x_sjis_jp" => {
            Some("shift_jis")
        }
        "cp949" | "uhc" | "x_windows_949" | "ms949" => Some("windows_949"),
        "euckr" | "ks_c_5601" => Some("euc_kr"),
        "eucjp" => Some("euc_jp"),
        "cn_gb" | "euc_cn" | "euccn" | "gb_18030" => Some("gb18030"),
        "cp950" | "ms950" | "big5_eten" => Some("big5"),
        "tis620" => Some("tis_620"),
        _ => None,
    }
}

/// `cp-850`, `win1251`, `ibm-866`: the number says which, whatever is before it.
fn by_number(label: &str) -> Option<&'static str> {
    const BEFORE: [&str; 7] = ["cp", "ibm", "dos", "windows", "win", "ansi", "cspc8codepage"];
    let label = label.strip_prefix("x_").unwrap_or(label);
    let number = BEFORE.iter().find_map(|before| label.strip_prefix(before)).unwrap_or(label);
    let number = number.trim_start_matches('_');
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    codepage::label_of(number.parse().ok()?)
}

/// UTF-8 shows by itself, and ASCII is what programs declare that never asked. `x-user-defined`
/// was Netscape's word for bytes it knew no charset of.
fn says_nothing(label: &str) -> bool {
    matches!(
        label,
        "utf8"
            | "utf_8"
            | "unicode_1_1_utf_8"
            | "cp65001"
            | "ascii"
            | "us_ascii"
            | "ansi_x3.4_1968"
            | "x_user_defined"
    )
}

/// Whether the label says how to read bytes that are no UTF-8.
pub fn has_decoder(label: &str) -> bool {
    let label = normal_label(label);
    !says_nothing(&label)
        && (seven_bit(&label, b"").is_some() || charset_decoder(label.as_bytes()).is_some())
}

/// UTF-16, with its mark or shown by its zeros: text in any other charset has none.
pub fn utf_16(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..bytes.len().min(256)).unwrap_or_default();
    if !head.contains(&0) {
        return None;
    }
    match bytes {
        [0xff, 0xfe, rest @ ..] => return Some(by_label("utf-16le", rest)),
        [0xfe, 0xff, rest @ ..] => return Some(by_label("utf-16be", rest)),
        _ => {}
    }
    let (pairs, _) = head.as_chunks::<2>();
    let first = pairs.iter().filter(|pair| pair[0] == 0).count();
    let second = pairs.iter().filter(|pair| pair[1] == 0).count();
    let label = match (first, second) {
        (0, zeros) if 5 * zeros >= 2 * pairs.len() => "utf-16le",
        (zeros, 0) if 5 * zeros >= 2 * pairs.len() => "utf-16be",
        _ => return None,
    };
    // Two pairs may be chance.
    (pairs.len() > 2).then(|| by_label(label, bytes))
}

/// What was UTF-8 before it was taken for windows-1252 and encoded once more; `None` for text in
/// which even one character says otherwise.
fn encoded_twice(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let mut bytes = Vec::new();
    let mut leads = 0usize;
    for c in text.chars() {
        let byte = match WINDOWS_1252.iter().position(|known| *known == c) {
            Some(at) => 0x80 + u8::try_from(at).ok()?,
            None => u8::try_from(u32::from(c)).ok()?,
        };
        leads += usize::from(byte >= 0xc2);
        bytes.push(byte);
    }
    // One pair alone, such as the end of `«CAFÉ»`, is chance.
    (leads >= 2).then(|| String::from_utf8(bytes).ok()).flatten()
}

/// The characters from 0x80 to 0x9f; U+FFFD where there is none.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{fffd}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{fffd}', 'Ž',
    '\u{fffd}', '\u{fffd}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{fffd}',
    'ž', 'Ÿ',
];

/// Decodes by a label that is known to have a decoder.
pub fn by_label(label: &str, bytes: &[u8]) -> String {
    match charset_decoder(label.as_bytes()) {
        Some(decoder) => decoder(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// ISO-2022-JP is plain ASCII with escapes, so it must be asked before UTF-8.
fn is_iso_2022_jp(bytes: &[u8]) -> bool {
    bytes.contains(&0x1b) && bytes.windows(3).any(|window| matches!(window, b"\x1b$B" | b"\x1b$@"))
}

fn guess(bytes: &[u8], declared: Option<fn(&[u8]) -> String>) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if is_iso_2022_jp(bytes) {
            return by_label("iso-2022-jp", bytes);
        }
        return encoded_twice(text).unwrap_or_else(|| text.to_owned());
    }
    if let Some(decoder) = declared {
        return decoder(bytes);
    }
    // UTF-8 that was cut in the middle of a character, or has a stray byte, is still UTF-8.
    let (mut valid, mut broken) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    if valid >= 2 * broken {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    by_label(guess::charset(bytes), bytes)
}

/// One line for people: no control characters or direction overrides, single blanks, trimmed, at
/// most `max` characters.
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max * 4));
    let mut blank = false;
    let mut count = 0;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            blank = !line.is_empty();
            continue;
        }
        if is_invisible(c) {
            continue;
        }
        if count + usize::from(blank) >= max {
            break;
        }
        if std::mem::take(&mut blank) {
            line.push(' ');
            count += 1;
        }
        line.push(c);
        count += 1;
    }
    line
}

/// Characters that reorder or hide what is around them: embeddings, overrides and isolates of
/// Unicode's bidirectional algorithm, and the byte order mark. Names have been forged with them
/// (`gpj.exe` shown as `exe.jpg`).
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_by_label_by_content_and_by_guess() {
        #[rustfmt::skip]
        let cases: &[(&str, &[u8], Option<&str>, &str)] = &[
            ("utf-8",                 "Müller".as_bytes(),         Some("utf-8"),       "Müller"),
            ("labelled latin, is utf-8", "Müller".as_bytes(),      Some("iso-8859-1"),  "Müller"),
            ("labelled utf-8, is latin", b"M\xfcller",             Some("UTF-8"),       "Müller"),
            ("no label, latin",       b"Gr\xfc\xdfe aus M\xfcnchen", None,              "Grüße aus München"),
            ("no label, one word",    b"Gr\xfc\xdfe",              None,                "Grüße"),
            ("no label, 1251",        b"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0", None,  "Привет, мир"),
            ("no label, koi8-r",      b"\xf0\xd2\xc9\xd7\xc5\xd4, \xcd\xc9\xd2", None,  "Привет, мир"),
            ("koi8-r",                b"\xf0\xd2\xc9\xd7\xc5\xd4", Some("KOI8-R"),      "Привет"),
            ("quoted label",          b"\xf0\xd2\xc9\xd7\xc5\xd4", Some("\"koi8-r\""),  "Привет"),
            ("unknown label",         b"M\xfcller",                Some("x-unknown"),   "Müller"),
            ("gb18030",               b"\xc4\xe3\xba\xc3",         Some("gb18030"),     "你好"),
            ("gb2312",                b"\xc4\xe3\xba\xc3",         Some("GB2312"),      "你好"),
            ("big5",                  b"\xa7A\xa6n",               Some("Big5"),        "你好"),
            ("euc-kr",                b"\xbe\xc8\xb3\xe7",         Some("ks_c_5601-1987"), "안녕"),
            ("cp949",                 b"\xbe\xc8\xb3\xe7",         Some("cp949"),       "안녕"),
            ("uhc",                   b"\xbe\xc8\xb3\xe7",         Some("UHC"),         "안녕"),
            ("euckr",                 b"\xbe\xc8\xb3\xe7",         Some("euckr"),       "안녕"),
            ("ks_c_5601",             b"\xbe\xc8\xb3\xe7",         Some("ks_c_5601"),   "안녕"),
            ("cp932",                 b"\x83n\x83\x8d\x81[",       Some("cp932"),       "ハロー"),
            ("eucjp",                 b"\xa5\xcf\xa5\xed\xa1\xbc", Some("eucJP"),      "ハロー"),
            ("cn-gb",                 b"\xc4\xe3\xba\xc3",         Some("CN-GB"),       "你好"),
            ("tis620",                b"\xca\xc7",                 Some("tis620"),      "สว"),
            ("utf-7",                 b"M+APw-ller",               Some("unicode-1-1-utf-7"), "Müller"),
            ("x-user-defined",        b"M\xfcller",                Some("x-user-defined"), "Müller"),
            ("iso-2022-jp, no label", b"\x1b$B%O%m!<\x1b(B",       None,                "ハロー"),
            ("iso-2022-kr",           b"\x1b$)C\x0e>H3g\x0f",      Some("ISO-2022-KR"), "안녕"),
            ("hz",                    b"~{Dc:C~}",                 Some("HZ-GB-2312"),  "你好"),
            ("iso-2022-kr, is utf-8", "안녕".as_bytes(),           Some("iso-2022-kr"), "안녕"),
            ("cut utf-8",             b"\xd0\x9f\xd1\x80\xd0\xb8\xd0", Some("utf-8"),   "При\u{fffd}"),
            ("ascii",                 b"plain",                    None,                "plain"),
            ("empty",                 b"",                         Some("gb18030"),     ""),
        ];
        for (name, bytes, label, text) in cases {
            assert_eq!(decode(bytes, *label), *text, "{name}");
        }
    }

    #[test]
    fn labels_of_the_wild_are_known() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &[u8], &str)] = &[
            ("utf8",                "utf8",                "Müller".as_bytes(),     "Müller"),
            ("quoted utf8",         "\"utf8\"",            "Müller".as_bytes(),     "Müller"),
            ("utf-8, quoted once",  "\"utf-8",             "Müller".as_bytes(),     "Müller"),
            ("utf-8mb4",            "utf8mb4",             "Müller".as_bytes(),     "Müller"),
            ("ascii, is utf-8",     "us-ascii",            "Müller".as_bytes(),     "Müller"),
            ("ascii, is latin",     "us-ascii",            b"M\xfcller",            "Müller"),
            ("ansi",                "ansi_x3.4-1968",      b"M\xfcller",            "Müller"),
            ("default",             "default",             b"M\xfcller",            "Müller"),
            ("x-unknown",           "x-unknown",           b"M\xfcller",            "Müller"),
            ("unknown-8bit",        "unknown-8bit",        b"M\xfcller",            "Müller"),
            ("8bit",                "8bit",                b"M\xfcller",            "Müller"),
            ("binary",              "binary",              b"M\xfcller",            "Müller"),
            ("_iso-8859-1",         "_iso-8859-1$ESC",     b"M\xfcller",            "Müller"),
            ("iso8859-15",          "iso8859-15",          b"5 \xa4",               "5 €"),
            ("latin-1",             "latin-1",             b"M\xfcller",            "Müller"),
            ("windows1252",         "windows1252",         b"5 \x80",               "5 €"),
            ("win-1251",            "win-1251",            b"\xcf\xf0\xe8",         "При"),
            ("win1251",             "win1251",             b"\xcf\xf0\xe8",         "При"),
            ("cp-1251",             "cp-1251",             b"\xcf\xf0\xe8",         "При"),
            ("ansi-1251",           "ansi-1251",           b"\xcf\xf0\xe8",         "При"),
            ("cp1250",              "cp1250",              b"\xa3\xf3d\x9f",        "Łódź"),
            ("koi8r",               "koi8r",               b"\xf0\xd2\xc9",         "При"),
            ("koi8-u",              "koi8-u",              b"\xb7\xd6\xc1\xcb",     "Їжак"),
            ("iso-8859-6",          "iso-8859-6",          b"\xe5\xd1\xcd\xc8\xc7", "مرحبا"),
            ("iso-8859-8-i",        "iso-8859-8-i",        b"\xf9\xec\xe5\xed",     "שלום"),
            ("iso-8859-13",         "iso-8859-13",         b"\xd0iauliai",          "Šiauliai"),
            ("iso-8859-16",         "iso-8859-16",         b"\xaaos, \xfear\xe3",   "Șos, țară"),
            ("x-mac-cyrillic",      "x-mac-cyrillic",      b"\x8f\xf0\xe8",         "При"),
            ("x-mac-roman",         "x-mac-roman",         b"M\x9fller",            "Müller"),
            ("windows-874",         "windows-874",         b"\xca\xc7\x85",         "สว…"),
            ("tis-620",             "tis-620",             b"\xca\xc7",             "สว"),
            ("cp-850",              "cp-850",              b"M\x81ller",            "Müller"),
            ("ibm850",              "IBM850",              b"M\x81ller",            "Müller"),
            ("437",                 "ibm437",              b"M\x81ller \xe1 5\x9b",  "Müller ß 5¢"),
            ("cp437",               "cp437",               b"Gr\x81\xe1e",          "Grüße"),
            ("852",                 "cp852",               b"\x9d\xa2d\xab",        "Łódź"),
            ("ibm852",              "ibm852",              b"\x9d\xa2d\xab",        "Łódź"),
            ("866",                 "cp866",               b"\x8f\xe0\xa8",         "При"),
            ("ibm-866",             "ibm-866",             b"\x8f\xe0\xa8",         "При"),
            ("cp932",               "cp932",               b"\x87\x40\x8c\xa9",     "①見"),
            ("windows-31j",         "windows-31j",         b"\x87\x40",             "①"),
            ("x-sjis-jp",           "x-sjis-jp",           b"\x8c\xa9",             "見"),
            ("gb2312, is gbk",      "gb2312",              b"\x96\xd0\xbd\xa8",     "栃建"),
            ("gb18030, four bytes", "gb18030",             b"\x81\x39\xef\x30",     "㐁"),
            ("big5-hkscs",          "big5-hkscs",          b"\xa7A",                "你"),
            ("utf-16 with mark",    "utf-16",              b"\xff\xfea\0b\0",       "ab"),
            ("utf-16 as utf-8",     "utf-8",               b"\xff\xfeM\0\xfc\0",    "Mü"),
            ("utf-16be as latin",   "iso-8859-1",          b"\xfe\xff\0M\0\xfc",    "Mü"),
            ("utf-16 without mark", "utf-8",               b"H\0e\0l\0l\0o\0",      "Hello"),
            ("utf-8 with mark",     "iso-8859-1",          b"\xef\xbb\xbfM\xc3\xbc", "\u{feff}Mü"),
            ("utf-8 twice",         "utf-8",               "GrÃ¼ÃŸe aus MÃ¼nchen".as_bytes(), "Grüße aus München"),
            ("russian utf-8 twice", "utf-8",               "ÐŸÑ€Ð¸Ð²ÐµÑ‚".as_bytes(), "Привет"),
            ("utf-8 once",          "utf-8",               "AÇÃO É".as_bytes(),     "AÇÃO É"),
            ("unicode-1-1-utf-7",   "unicode-1-1-utf-7",   b"Gr+APwA3w-e",          "Grüße"),
            ("hz-gb-2312",          "hz-gb-2312",          b"~{Dc:C~}",             "你好"),
            ("iso-2022-kr",         "iso-2022-kr",         b"\x1b$)C\x0e>H3g\x0f",  "안녕"),
            ("iso-2022-jp-2",       "iso-2022-jp-2",       b"\x1b$B%O%m!<\x1b(B",   "ハロー"),
            ("cp50220",             "cp50220",             b"\x1b$B%O%m!<\x1b(B",   "ハロー"),
        ];
        for (name, label, bytes, text) in cases {
            assert_eq!(decode(bytes, Some(label)), *text, "{name}");
        }
    }

    #[test]
    fn header_bytes_without_label_go_by_the_declared_charset() {
        assert_eq!(decode_unlabelled(b"\xc4\xe3\xba\xc3", Some("gb2312")), "你好");
        assert_eq!(decode_unlabelled(b"\x1b$)C\x0e>H3g\x0f", None), "안녕");
        assert_eq!(decode_unlabelled("你好".as_bytes(), Some("gb2312")), "你好");
        assert_eq!(decode_unlabelled(b"\xe7a va", None), "ça va");
    }

    #[test]
    fn lines_for_people_hold_nothing_that_breaks_or_reorders_them() {
        assert_eq!(one_line("  a\r\n\tb\0c  ", 100), "a b c");
        assert_eq!(one_line("exe.\u{202e}gpj", 100), "exe.gpj");
        assert_eq!(one_line("ab cd", 3), "ab");
        assert_eq!(one_line("ab cd", 4), "ab c");
    }
}
