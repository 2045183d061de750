//! Encoded words in headers (RFC 2047), as they are sent and not only as they should be. Pure.
//!
//! mail-parser decodes each word by itself; senders cut words inside a character, so words that
//! follow one another are joined as bytes first.

use super::charset;

/// Decodes every encoded word in `text`.
pub fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    each_run(text, |run| match run {
        Run::Plain(plain) => decoded.push_str(plain),
        Run::Words(words) => decoded.push_str(&words),
    });
    decoded
}

/// Where the marks of decoded words are put, in a private range of Unicode (plane 15).
const SEAL: u32 = 0xf_0000;

/// Decodes every encoded word, and seals the blanks and marks in it: a comma out of a word must
/// not take a list of addresses apart (RFC 2047 section 6.2: parse first, decode then).
/// [`unsealed`] undoes it.
pub fn sealed(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 16);
    each_run(text, |run| match run {
        // What the sender himself put into the private range was never sealed.
        Run::Plain(plain) => {
            line.extend(plain.chars().map(|c| if open(c).is_some() { '\u{fffd}' } else { c }));
        }
        Run::Words(words) => line.extend(words.chars().map(|c| {
            let mark = c.is_ascii() && !c.is_ascii_alphanumeric();
            if mark { char::from_u32(SEAL + u32::from(c)).unwrap_or(c) } else { c }
        })),
    });
    line
}

/// The text with the marks that [`sealed`] put away.
pub fn unsealed(text: &str) -> String {
    text.chars().map(|c| open(c).unwrap_or(c)).collect()
}

fn open(c: char) -> Option<char> {
    u32::from(c).checked_sub(SEAL).filter(|mark| *mark < 0x80).and_then(char::from_u32)
}

enum Run<'x> {
    Plain(&'x str),
    Words(String),
}

struct Word<'x> {
    charset: &'x str,
    base64: bool,
    payload: &'x str,
    end: usize,
}

/// Hands out the text piece by piece; blanks between two words belong to neither
/// (RFC 2047 section 6.2).
fn each_run<'x>(text: &'x str, mut emit: impl FnMut(Run<'x>)) {
    let mut words: Vec<Word<'x>> = Vec::new();
    let mut done = 0;
    let mut at = 0;
    // End of the next `?=`: found once for all words before it, or this would be quadratic.
    let mut close = 0;
    while let Some(start) = find(text, at, "=?") {
        let Some(word) = word_at(text, start, &mut close) else {
            at = start + 2;
            continue;
        };
        let between = text.get(done..start).unwrap_or_default();
        if words.is_empty() || !between.trim().is_empty() {
            flush(&mut words, &mut emit);
            if !between.is_empty() {
                emit(Run::Plain(between));
            }
        }
        done = word.end;
        at = word.end;
        words.push(word);
    }
    flush(&mut words, &mut emit);
    if let Some(rest) = text.get(done..)
        && !rest.is_empty()
    {
        emit(Run::Plain(rest));
    }
}

fn flush<'x>(words: &mut Vec<Word<'x>>, emit: &mut impl FnMut(Run<'x>)) {
    if words.is_empty() {
        return;
    }
    let mut decoded = String::new();
    for run in words.chunk_by(|a, b| a.charset.eq_ignore_ascii_case(b.charset)) {
        let mut bytes = Vec::new();
        let mut pending = String::new();
        for word in run {
            if !word.base64 {
                flush_base64(&mut pending, &mut bytes);
                bytes.extend(quoted(word.payload));
                continue;
            }
            let whole = pending.len().is_multiple_of(4) || pending.ends_with('=');
            if whole {
                flush_base64(&mut pending, &mut bytes);
            }
            // Some encoders cut the base64 text itself anywhere.
            pending.extend(word.payload.chars().filter(|c| !c.is_whitespace()));
        }
        flush_base64(&mut pending, &mut bytes);
        let charset = run.first().map(|word| word.charset);
        decoded.push_str(&charset::decode(&bytes, charset));
    }
    words.clear();
    emit(Run::Words(decoded));
}

fn flush_base64(pending: &mut String, bytes: &mut Vec<u8>) {
    bytes.extend(lenient_base64(pending.as_bytes()));
    pending.clear();
}

/// Decodes base64 with whatever stands between its characters left out.
pub fn lenient_base64(text: &[u8]) -> Vec<u8> {
    if let Some(bytes) = mail_parser::decoders::base64::base64_decode(text) {
        return bytes;
    }
    let clean: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        .collect();
    mail_parser::decoders::base64::base64_decode(&clean).unwrap_or_default()
}

/// The Q encoding; what is not valid in it stands for itself.
fn quoted(payload: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len());
    let mut rest = payload.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, tail) {
            (b'=', [high, low, after @ ..]) if is_hex(*high, *low) => {
                bytes.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            (b'_', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    bytes
}

pub fn is_hex(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

/// Value of a hexadecimal digit; 0 for anything else.
pub fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0)
}

fn word_at<'x>(text: &'x str, start: usize, close: &mut usize) -> Option<Word<'x>> {
    let head = text.get(start + 2..)?;
    let charset = head.split('?').next()?;
    // The longest name that IANA lists has 45 characters; a language may follow.
    if charset.len() > 64 || charset.is_empty() || charset.contains(char::is_whitespace) {
        return None;
    }
    let (encoding, after) = match head.as_bytes().get(charset.len()..)? {
        [b'?', encoding, b'?', ..] => (*encoding, start + 2 + charset.len() + 3),
        _ => return None,
    };
    let base64 = match encoding {
        b'B' | b'b' => true,
        b'Q' | b'q' => false,
        _ => return None,
    };
    if *close < after {
        *close = find(text, after, "?=").unwrap_or(usize::MAX);
    }
    let (mut payload, mut end) = match text.get(after..*close) {
        Some(payload) => (payload, *close + 2),
        // Cut off by a relay with a line limit: the word goes on to the next blank.
        None => {
            let rest = text.get(after..)?;
            let rest = rest.get(..rest.find("=?").unwrap_or(rest.len()))?;
            let payload = rest.split(char::is_whitespace).next()?;
            (payload, after + payload.len())
        }
    };
    // Another word begins before this one was closed.
    if let Some(next) = payload.find("=?") {
        let cut = payload.get(..next)?.trim_end();
        end = after + cut.len();
        payload = cut;
    }
    Some(Word { charset, base64, payload, end })
}

fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    text.get(from..)?.find(what).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_decoded_as_they_are_sent() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            ("plain",               "Price list",                              "Price list"),
            ("q",                   "=?iso-8859-1?Q?Gr=FC=DFe_aus?= Wien",     "Grüße aus Wien"),
            ("b",                   "=?UTF-8?B?0J/RgNC40LLQtdGC?=",            "Привет"),
            ("blanks between",      "=?utf-8?Q?a?=  =?utf-8?Q?b?=",            "ab"),
            ("blank to text",       "=?utf-8?Q?a?= b =?utf-8?Q?c?=",           "a b c"),
            ("cut inside a character", "=?utf-8?B?0J/R?= =?utf-8?B?gNC4?=",    "При"),
            ("q cut inside a character", "=?utf-8?Q?=D0?= =?utf-8?Q?=9F?=",    "П"),
            ("base64 cut anywhere", "=?utf-8?B?0J/Rg?= =?utf-8?B?NC4?=",       "При"),
            ("two charsets",        "=?koi8-r?B?8NLJ?= =?utf-8?Q?=D0=B2?=",    "Прив"),
            ("language",            "=?utf-8*en?Q?a?=",                        "a"),
            ("not closed",          "=?utf-8?B?0J/RgNC4",                      "При"),
            ("not closed, another", "=?utf-8?Q?a =?utf-8?Q?b?=",               "ab"),
            ("glued to text",       "Re:=?utf-8?Q?_a?=",                       "Re: a"),
            ("question marks",      "=?utf-8?Q?Really=3F?=",                   "Really?"),
            ("bare question mark",  "=?utf-8?Q?Really??=",                     "Really?"),
            ("blank inside q",      "=?utf-8?Q?a b?=",                         "a b"),
            ("empty",               "=?utf-8?Q??=x",                           "x"),
            ("no word",             "a =? b ?= c",                             "a =? b ?= c"),
            ("unknown encoding",    "=?utf-8?X?a?=",                           "=?utf-8?X?a?="),
            ("iso-2022-jp",         "=?ISO-2022-JP?B?GyRCJU8lbSE8GyhC?=",      "ハロー"),
            ("bad hex",             "=?utf-8?Q?100=_sure?=",                   "100= sure"),
        ];
        for (name, text, decoded) in cases {
            assert_eq!(decode(text), *decoded, "{name}");
        }
    }

    #[test]
    fn sealed_words_say_the_same_and_have_no_marks() {
        for text in ["=?utf-8?B?0J/R?= =?utf-8?B?gNC4?= <a@b>", "a =?utf-8?Q?b=2C_c?= <d@e>"] {
            assert_eq!(unsealed(&sealed(text)), decode(text));
        }
        assert!(!sealed("=?utf-8?Q?a=2C_=3Cb=40c=3E?=").contains([',', ' ', '<', '@']));
        assert_eq!(unsealed(&sealed("\u{f002c}")), "\u{fffd}");
    }

    #[test]
    fn a_megabyte_of_word_starts_is_read_in_one_pass() {
        let text = "=?a?q?x".repeat(150_000);
        assert!(decode(&text).len() > 100_000);
        let text = "=?a?q?".repeat(150_000) + "?=";
        decode(&text);
    }
}
