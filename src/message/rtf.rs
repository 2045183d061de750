//! Rich text as Outlook packs it ([MS-OXRTFCP], [MS-OXRTFEX]), to what it was made of. Pure.

use super::{charset, codepage};

/// What the dictionary of the compression begins with ([MS-OXRTFCP] section 2.1.2.1).
const DICTIONARY: &[u8] =
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \
\\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\
\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

const WINDOW: usize = 4_096;

/// Groups whose content is no text.
const SILENT: &[&str] = &[
    "fonttbl",
    "colortbl",
    "stylesheet",
    "info",
    "pict",
    "object",
    "header",
    "footer",
    "headerl",
    "headerr",
    "footerl",
    "footerr",
    "listtable",
    "listoverridetable",
    "themedata",
    "datastore",
    "generator",
    "fldinst",
    "bkmkstart",
    "bkmkend",
    "rsidtbl",
    "xmlnstbl",
];

/// What a document was before it became rich text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    Text(String),
    Html(String),
}

/// Reads a compressed document; `None` for what is none, or has no text.
///
/// It grows at most ninefold: a reference of two octets stands for seventeen.
pub fn read(bytes: &[u8]) -> Option<Document> {
    let header = bytes.get(..16)?;
    let body = bytes.get(16..)?;
    match header.get(8..12)? {
        b"LZFu" => Some(text_of(&decompress(body))),
        b"MELA" => Some(text_of(body)),
        _ => None,
    }
    .filter(|document| match document {
        Document::Text(text) | Document::Html(text) => !text.trim().is_empty(),
    })
}

/// [MS-OXRTFCP] section 2.2: runs of eight tokens, each an octet or a piece of the last 4096.
fn decompress(body: &[u8]) -> Vec<u8> {
    let mut window = [b' '; WINDOW];
    for (slot, byte) in window.iter_mut().zip(DICTIONARY) {
        *slot = *byte;
    }
    let mut at = DICTIONARY.len();
    let mut plain = Vec::with_capacity(body.len() * 2);
    let mut put = |byte: u8, at: &mut usize, window: &mut [u8; WINDOW]| {
        plain.push(byte);
        if let Some(slot) = window.get_mut(*at) {
            *slot = byte;
        }
        *at = (*at + 1) % WINDOW;
    };
    let mut octets = body.iter().copied();
    'runs: while let Some(control) = octets.next() {
        for bit in 0..8 {
            let Some(first) = octets.next() else {
                break 'runs;
            };
            if control >> bit & 1 == 0 {
                put(first, &mut at, &mut window);
                continue;
            }
            let Some(second) = octets.next() else {
                break 'runs;
            };
            let from = usize::from(first) << 4 | usize::from(second) >> 4;
            // A reference to the place that is written next ends it.
            if from == at {
                break 'runs;
            }
            for step in 0..usize::from(second & 15) + 2 {
                let byte = window.get((from + step) % WINDOW).copied().unwrap_or(b' ');
                put(byte, &mut at, &mut window);
            }
        }
    }
    plain
}

/// What holds until the end of a group.
#[derive(Clone, Copy)]
struct Group {
    silent: bool,
    /// A piece of the HTML that the document was made of.
    tag: bool,
    /// What only the rich text needs (`\htmlrtf`).
    added: bool,
    /// Characters that stand for one of `\u`, to be passed over.
    substitutes: u8,
}

struct Reader {
    text: String,
    /// Octets of the code page that have not been decoded yet.
    bytes: Vec<u8>,
    codepage: &'static str,
    group: Group,
    html: bool,
    /// Half of a character beyond the first plane.
    high: Option<u16>,
    skip: u8,
}

fn text_of(rtf: &[u8]) -> Document {
    let outer = Group { silent: false, tag: false, added: false, substitutes: 1 };
    let mut reader = Reader {
        text: String::with_capacity(rtf.len() / 2),
        bytes: Vec::new(),
        codepage: "windows-1252",
        group: outer,
        html: false,
        high: None,
        skip: 0,
    };
    let mut groups: Vec<Group> = Vec::new();
    // `{\*\word` may be left out by who does not know the word.
    let mut optional = false;
    let mut rest = rtf;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'{' => {
                groups.push(reader.group);
                reader.skip = 0;
            }
            b'}' => {
                reader.flush();
                reader.group = groups.pop().unwrap_or(outer);
                reader.skip = 0;
            }
            b'\r' | b'\n' => {}
            b'\\' => match tail {
                [b'\'', high, low, after @ ..] if super::word::is_hex(*high, *low) => {
                    reader.byte(super::word::hex(*high) << 4 | super::word::hex(*low));
                    rest = after;
                }
                [b'*', after @ ..] => {
                    optional = true;
                    rest = after;
                    continue;
                }
                [letter, ..] if letter.is_ascii_alphabetic() => {
                    let (word, number, after) = word_at(tail);
                    rest = after;
                    reader.word(word, number, optional);
                }
                [other, after @ ..] => {
                    rest = after;
                    match other {
                        b'~' => reader.char('\u{a0}'),
                        b'_' => reader.char('-'),
                        b'\\' | b'{' | b'}' => reader.byte(*other),
                        b'\r' | b'\n' => reader.line(),
                        _ => {}
                    }
                }
                [] => {}
            },
            byte => reader.byte(*byte),
        }
        optional = false;
    }
    reader.flush();
    if reader.html { Document::Html(reader.text) } else { Document::Text(reader.text) }
}

/// A control word with its number, and what follows; one blank belongs to it.
fn word_at(text: &[u8]) -> (&str, Option<i32>, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    let digits = rest.iter().skip(1).position(|byte| !byte.is_ascii_digit());
    let signed = matches!(rest, [b'-', digit, ..] if digit.is_ascii_digit());
    let length = if signed || rest.first().is_some_and(u8::is_ascii_digit) {
        digits.map_or(rest.len(), |digits| digits + 1)
    } else {
        0
    };
    let (number, rest) = rest.split_at_checked(length).unwrap_or((&[], rest));
    let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    (std::str::from_utf8(word).unwrap_or_default(), number, rest)
}

impl Reader {
    fn word(&mut self, word: &str, number: Option<i32>, optional: bool) {
        match word {
            "htmltag" => {
                self.flush();
                self.group.tag = true;
                self.group.silent = false;
            }
            "htmlrtf" => {
                self.flush();
                self.group.added = number != Some(0);
            }
            "fromhtml" => self.html = number != Some(0),
            "ansicpg" => {
                let known = number.and_then(|number| u32::try_from(number).ok());
                self.codepage = known.and_then(codepage::label_of).unwrap_or(self.codepage);
            }
            "uc" => self.group.substitutes = number.and_then(|n| u8::try_from(n).ok()).unwrap_or(1),
            "u" => self.unicode(number.unwrap_or(0)),
            "par" | "line" | "row" | "sect" | "page" => self.line(),
            "tab" | "cell" => self.char('\t'),
            "emdash" => self.char('—'),
            "endash" => self.char('–'),
            "bullet" => self.char('•'),
            "lquote" => self.char('‘'),
            "rquote" => self.char('’'),
            "ldblquote" => self.char('“'),
            "rdblquote" => self.char('”'),
            word if optional || SILENT.contains(&word) => self.group.silent = true,
            _ => {}
        }
    }

    fn hidden(&self) -> bool {
        self.group.silent || self.html && self.group.added && !self.group.tag
    }

    fn byte(&mut self, byte: u8) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if !self.hidden() {
            self.bytes.push(byte);
        }
    }

    fn char(&mut self, c: char) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if !self.hidden() {
            self.flush();
            self.text.push(c);
        }
    }

    /// A break of HTML is a tag; what `\par` breaks there is its source.
    fn line(&mut self) {
        self.char('\n');
    }

    /// `\u-10179`: UTF-16 as signed numbers.
    fn unicode(&mut self, number: i32) {
        if !self.hidden() {
            self.flush();
            let unit = u16::try_from(number.rem_euclid(0x1_0000)).unwrap_or(0);
            let pair = self.high.take().map(|high| vec![high, unit]);
            match unit {
                0xd800..=0xdbff => self.high = Some(unit),
                _ => self.text.push_str(&String::from_utf16_lossy(&pair.unwrap_or(vec![unit]))),
            }
        }
        self.skip = self.group.substitutes;
    }

    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            self.text.push_str(&charset::decode(&self.bytes, Some(self.codepage)));
            self.bytes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&[0; 8], &kind[..], &[0; 4], body].concat()
    }

    #[test]
    fn text_comes_back_out_of_rich_text() {
        let text = |text: &str| Some(Document::Text(text.to_owned()));
        let html = |text: &str| Some(Document::Html(text.to_owned()));
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<Document>)] = &[
            ("plain",      "{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}\\f0\\fs20 Hello\\par Ana\\tab x}", text("Hello\nAna\tx")),
            ("bytes",      "{\\rtf1\\ansicpg1251 \\'cf\\'f0\\'e8}",                   text("При")),
            ("two-byte",   "{\\rtf1\\ansicpg936 \\'c4\\'e3\\'ba\\'c3}",               text("你好")),
            ("unicode",    "{\\rtf1\\uc1 M\\u252?ller \\u-10179?\\u-8704?}",          text("Müller 😀")),
            ("no substitute", "{\\rtf1\\uc0 M\\u252 ller}",                           text("Müller")),
            ("marks",      "{\\rtf1 a\\{b\\}\\\\c\\~d\\endash e}",                    text("a{b}\\c\u{a0}d–e")),
            ("optional group", "{\\rtf1 a{\\*\\unknown x{y}z}b}",                     text("ab")),
            ("picture",    "{\\rtf1 a{\\pict 00ff}b}",                                text("ab")),
            ("source lines", "{\\rtf1 a\r\nb}",                                       text("ab")),
            ("from html",  "{\\rtf1\\fromhtml1{\\*\\htmltag64 <p>}\\htmlrtf \\par \\htmlrtf0 Hi{\\*\\htmltag84 &nbsp;}Ana{\\*\\htmltag72 </p>}}", html("<p>Hi&nbsp;Ana</p>")),
            ("groups not closed", "{{{\\rtf1 a",                                      text("a")),
            ("too many closed", "a}}}}b",                                             text("ab")),
            ("no text",    "{\\rtf1{\\fonttbl x}}",                                   None),
        ];
        for (name, rtf, document) in cases {
            assert_eq!(read(&packed(b"MELA", rtf.as_bytes())), *document, "{name}");
        }
        assert_eq!(read(b"short"), None);
        assert_eq!(read(&packed(b"none", b"{\\rtf1 a}")), None);
    }

    #[test]
    fn compressed_text_refers_back() {
        // `{\rtf1\ansi` out of the dictionary, then ` aaaaaaaaaa}` of which nine are a run that
        // overlaps itself, then the end.
        let written = DICTIONARY.len();
        let place = |from: usize, length: usize| {
            let from = u8::try_from(from >> 4).ok().zip(u8::try_from((from & 15) << 4).ok());
            let (first, second) = from.unwrap_or_default();
            [first, second | u8::try_from(length - 2).unwrap_or(0)]
        };
        let run = written + 11 + 1;
        let end = written + 11 + 2 + 9 + 1;
        let body = [
            &[0b0001_1001 & !0b0000_1000 | 0b0000_1000][..],
            &place(0, 11),
            b" a",
            &place(run, 9),
            &place(end - 1, 2),
        ]
        .concat();
        assert_eq!(decompress(&body), b"{\\rtf1\\ansi aaaaaaaaaa".as_slice());
        // A reference to anywhere of each octet: it grows, and stays within its bound.
        let noise: Vec<u8> =
            (0..100_000u32).map(|n| u8::try_from(n * 7 % 256).unwrap_or(0)).collect();
        assert!(decompress(&noise).len() <= 9 * noise.len());
    }

    #[test]
    fn hostile_text_is_read_in_one_pass() {
        for piece in
            ["{", "\\", "{\\*", "\\u1", "\\'", "\\uc255\\u1", "}", "\\par", "{\\*\\htmltag"]
        {
            text_of(piece.repeat(200_000).as_bytes());
        }
    }
}
