//! What Outlook packs into `winmail.dat` (application/ms-tnef; [MS-OXTNEF]). Pure.
//!
//! Of our own: the crate `tnef` reads neither text nor embedded messages and gives up at the
//! first thing it does not know. Checksums are not looked at: programs get them wrong, and what
//! is damaged is of more use than nothing.

use super::body::Attachment;
use super::{charset, codepage, html, name, rtf};

/// First four octets of a stream (section 2.1.1).
const SIGNATURE: u32 = 0x223e_9f78;

/// Messages inside one another; each level is read once more, so this bounds the work.
const MAX_DEPTH: usize = 4;

/// Files of one stream.
const MAX_FILES: usize = 2_000;

/// Attributes (section 2.1.2), type and number.
const OEM_CODEPAGE: u32 = 0x0006_9007;
const SUBJECT: u32 = 0x0001_8004;
const BODY: u32 = 0x0002_800c;
const MESSAGE_PROPERTIES: u32 = 0x0006_9003;
const RENDERING: u32 = 0x0006_9002;
const TITLE: u32 = 0x0001_8010;
const DATA: u32 = 0x0006_800f;
const TRANSPORT_NAME: u32 = 0x0006_9001;
const ATTACHMENT_PROPERTIES: u32 = 0x0006_9005;

/// Property numbers ([MS-OXPROPS]): PidTagSubject and so on.
const P_SUBJECT: u16 = 0x0037;
const P_BODY: u16 = 0x1000;
const P_RTF: u16 = 0x1009;
const P_HTML: u16 = 0x1013;
const P_INTERNET_CODEPAGE: u16 = 0x3fde;
const P_DISPLAY_NAME: u16 = 0x3001;
const P_DATA: u16 = 0x3701;
const P_NAME: u16 = 0x3704;
const P_LONG_NAME: u16 = 0x3707;
const P_MIME_TYPE: u16 = 0x370e;

/// The interface of an embedded message, in front of its stream (section 2.1.3.3.15).
const IID_MESSAGE: [u8; 16] = [0x07, 0x03, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

/// What is in a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    pub text: Option<String>,
    pub html: Option<String>,
    /// In their order. Of a message inside there is the text, as a file that its subject names,
    /// and its files.
    pub files: Vec<Attachment>,
}

/// Unpacks a stream, as far as it goes; `None` for what is none, or has nothing in it.
///
/// All that comes out is at most ten times as long as what went in.
pub fn unpack(bytes: &[u8]) -> Option<Unpacked> {
    let Found { text, html, files, .. } = stream(bytes, 0)?;
    let found = text.is_some() || html.is_some() || !files.is_empty();
    found.then_some(Unpacked { text, html, files })
}

#[derive(Default)]
struct Found {
    subject: Option<String>,
    text: Option<String>,
    html: Option<String>,
    files: Vec<Attachment>,
}

/// One file whose end has not been seen.
#[derive(Default)]
struct Draft<'x> {
    long_name: Option<String>,
    title: Option<String>,
    short_name: Option<String>,
    display_name: Option<String>,
    mime_type: Option<String>,
    data: Option<&'x [u8]>,
    /// A stream of its own, or an OLE object.
    object: Option<&'x [u8]>,
}

/// Recursion is at most [`MAX_DEPTH`] deep.
fn stream(bytes: &[u8], depth: usize) -> Option<Found> {
    let mut rest = Octets(bytes);
    if rest.u32()? != SIGNATURE {
        return None;
    }
    rest.take(2)?;
    let mut found = Found::default();
    let mut codepage = "windows-1252";
    let mut draft: Option<Draft<'_>> = None;
    while let Some((level, attribute, data)) = attribute(&mut rest) {
        match (level, attribute) {
            (1, OEM_CODEPAGE) => {
                codepage = Octets(data).u32().and_then(codepage::label_of).unwrap_or(codepage);
            }
            (1, SUBJECT) => found.subject = eight_bit(data, codepage),
            (1, BODY) => found.text = found.text.or_else(|| eight_bit(data, codepage)),
            (1, MESSAGE_PROPERTIES) => found.take(data, codepage),
            (2, RENDERING) => {
                found.finish(draft.replace(Draft::default()), depth);
                if found.files.len() >= MAX_FILES {
                    break;
                }
            }
            (2, attribute) => {
                draft.get_or_insert_with(Draft::default).take(attribute, data, codepage);
            }
            // Dates, recipients, the class of the message.
            (1, _) => {}
            // No further attribute: padding, or what a scanner put behind.
            _ => break,
        }
    }
    found.finish(draft, depth);
    Some(found)
}

/// Level, number and data of the next one. Data that is cut off is given as far as it goes.
fn attribute<'x>(rest: &mut Octets<'x>) -> Option<(u8, u32, &'x [u8])> {
    let level = *rest.take(1)?.first()?;
    let number = rest.u32()?;
    let length = rest.size()?;
    let data = rest.up_to(length);
    // The checksum.
    rest.up_to(2);
    Some((level, number, data))
}

impl Found {
    fn take(&mut self, data: &[u8], codepage: &'static str) {
        let mut html: Option<&[u8]> = None;
        let mut html_codepage = codepage;
        each_property(data, |number, kind, value| match number {
            P_SUBJECT => self.subject = string(kind, value, codepage),
            P_BODY => {
                let text = string(kind, value, codepage);
                self.text = text.or_else(|| self.text.take());
            }
            P_INTERNET_CODEPAGE => {
                html_codepage =
                    Octets(value).u32().and_then(codepage::label_of).unwrap_or(html_codepage);
            }
            P_HTML if kind == UNICODE => self.html = string(kind, value, codepage),
            P_HTML => html = Some(value),
            P_RTF if self.text.is_none() || self.html.is_none() => match rtf::read(value) {
                Some(rtf::Document::Html(text)) => {
                    self.html.get_or_insert(text);
                }
                Some(rtf::Document::Text(text)) => {
                    self.text.get_or_insert(text);
                }
                None => {}
            },
            _ => {}
        });
        if let Some(html) = html {
            self.html = eight_bit(html, html_codepage).or_else(|| self.html.take());
        }
    }

    fn finish(&mut self, draft: Option<Draft<'_>>, depth: usize) {
        let Some(draft) = draft else {
            return;
        };
        let object = draft.object.unwrap_or_default();
        if let Some(inner) = object.strip_prefix(&IID_MESSAGE)
            && depth + 1 < MAX_DEPTH
            && let Some(inner) = stream(inner, depth + 1)
        {
            self.add_message(inner, draft);
            return;
        }
        // The interface is no part of an object's data.
        let object = object.get(IID_MESSAGE.len()..);
        let data = draft.data.filter(|data| !data.is_empty()).or(object).or(draft.data);
        let names = [&draft.long_name, &draft.title, &draft.short_name, &draft.display_name];
        let given = names.into_iter().flatten().find_map(|given| name::clean(given));
        let (Some(data), number) = (data, self.files.len() + 1) else {
            return;
        };
        let stated = draft.mime_type.filter(|stated| is_type(stated));
        let by_name = || given.as_deref().and_then(name::type_by_extension).map(str::to_owned);
        let content_type = stated
            .or_else(by_name)
            .unwrap_or_else(|| "application/octet-stream".to_owned())
            .to_ascii_lowercase();
        let name = given.unwrap_or_else(|| name::by_type(&content_type, number));
        self.files.push(Attachment { name, content_type, charset: None, bytes: data.to_vec() });
    }

    /// A message is no file that anyone could open: its text and its files are.
    fn add_message(&mut self, inner: Found, draft: Draft<'_>) {
        let text = inner.text.or_else(|| inner.html.map(|html| html::to_text(&html)));
        if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
            let title = inner.subject.or(draft.long_name).or(draft.display_name);
            let title = title.map(|title| title.chars().take(100).collect::<String>());
            let title = title.and_then(|title| name::clean_title(&title));
            let name = format!("{}.txt", title.unwrap_or_else(|| "message".to_owned()));
            let content_type = "text/plain".to_owned();
            let bytes = text.into_bytes();
            self.files.push(Attachment { name, content_type, charset: None, bytes });
        }
        self.files.extend(inner.files);
    }
}

impl<'x> Draft<'x> {
    fn take(&mut self, attribute: u32, data: &'x [u8], codepage: &'static str) {
        match attribute {
            TITLE => self.title = eight_bit(data, codepage),
            TRANSPORT_NAME => self.short_name = eight_bit(data, codepage),
            DATA => self.data = Some(data),
            ATTACHMENT_PROPERTIES => {
                each_property(data, |number, kind, value| match number {
                    P_LONG_NAME => self.long_name = string(kind, value, codepage),
                    P_NAME => self.short_name = string(kind, value, codepage),
                    P_DISPLAY_NAME => self.display_name = string(kind, value, codepage),
                    P_MIME_TYPE => self.mime_type = string(kind, value, codepage),
                    P_DATA if kind == OBJECT => self.object = Some(value),
                    P_DATA => self.data = self.data.or(Some(value)),
                    _ => {}
                });
            }
            _ => {}
        }
    }
}

/// Types of properties ([MS-OXCDATA] section 2.11.1).
const STRING_8: u16 = 0x001e;
const UNICODE: u16 = 0x001f;
const BINARY: u16 = 0x0102;
const OBJECT: u16 = 0x000d;
const SEVERAL: u16 = 0x1000;

/// Hands out number, type and value of each property (section 2.1.3.4); of several values the
/// first. It ends where it can no longer know how long a value is.
fn each_property<'x>(data: &'x [u8], mut emit: impl FnMut(u16, u16, &'x [u8])) {
    let mut rest = Octets(data);
    let count = rest.u32().unwrap_or(0);
    for _ in 0..count {
        let Some((number, kind, value)) = property(&mut rest) else {
            return;
        };
        emit(number, kind, value);
    }
}

fn property<'x>(rest: &mut Octets<'x>) -> Option<(u16, u16, &'x [u8])> {
    let tag = rest.u32()?;
    let (kind, number) = (u16::try_from(tag & 0xffff).ok()?, u16::try_from(tag >> 16).ok()?);
    if number >= 0x8000 {
        // A named property: a GUID, and a number or a name.
        rest.take(16)?;
        match rest.u32()? {
            0 => rest.take(4)?,
            _ => rest.padded()?,
        };
    }
    let single = kind & !SEVERAL;
    let variable = matches!(single, STRING_8 | UNICODE | BINARY | OBJECT);
    let count = if variable || kind != single { rest.u32()? } else { 1 };
    let fixed = match single {
        0x0000 | 0x0001 => 0,
        // Two octets and their padding, or four.
        0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => 4,
        0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => 8,
        0x0048 => 16,
        _ if variable => 0,
        _ => return None,
    };
    // Values without any length would be counted for ever.
    if fixed == 0 && !variable {
        return Some((number, single, &[]));
    }
    let mut first: Option<&[u8]> = None;
    for _ in 0..count {
        let value = if variable { rest.padded()? } else { rest.take(fixed)? };
        first = first.or(Some(value));
    }
    Some((number, single, first.unwrap_or_default()))
}

fn string(kind: u16, value: &[u8], codepage: &str) -> Option<String> {
    if kind != UNICODE {
        return eight_bit(value, codepage);
    }
    let text = charset::by_label("utf-16le", value);
    let text = text.split('\0').next().unwrap_or_default();
    (!text.is_empty()).then(|| text.to_owned())
}

fn eight_bit(value: &[u8], codepage: &str) -> Option<String> {
    let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
    (!text.is_empty()).then(|| charset::decode(text, Some(codepage)))
}

fn is_type(text: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+/".contains(c);
    text.len() < 128 && text.split('/').count() == 2 && text.chars().all(valid)
}

/// Little-endian, from the front.
struct Octets<'x>(&'x [u8]);

impl<'x> Octets<'x> {
    fn take(&mut self, count: usize) -> Option<&'x [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn up_to(&mut self, count: usize) -> &'x [u8] {
        self.take(count.min(self.0.len())).unwrap_or_default()
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }

    /// A length, so many octets, and what fills them up to four; cut off as far as it goes.
    fn padded(&mut self) -> Option<&'x [u8]> {
        let length = self.size()?;
        let value = self.up_to(length);
        self.up_to((4 - length % 4) % 4);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Name of the case, attributes, what comes out.
    type Case<'a, Out> = (&'a str, Vec<Vec<u8>>, Out);

    fn attribute(level: u8, number: u32, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap();
        let sum = data.iter().fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        let (number, length, sum) = (number.to_le_bytes(), length.to_le_bytes(), sum.to_le_bytes());
        [&[level], &number[..], &length, data, &sum].concat()
    }

    fn winmail(attributes: &[Vec<u8>]) -> Vec<u8> {
        [&SIGNATURE.to_le_bytes()[..], &[1, 0], &attributes.concat()].concat()
    }

    fn value(data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        [&length[..], data, &vec![0; (4 - data.len() % 4) % 4]].concat()
    }

    /// One with a value of any length.
    fn property(number: u16, kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_le_bytes()[..], &number.to_le_bytes(), &[1, 0, 0, 0], &value(data)].concat()
    }

    fn unicode(number: u16, text: &str) -> Vec<u8> {
        let units = text.encode_utf16().chain([0]);
        property(number, UNICODE, &units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
    }

    fn properties(all: &[Vec<u8>]) -> Vec<u8> {
        [&u32::try_from(all.len()).unwrap().to_le_bytes()[..], &all.concat()].concat()
    }

    fn codepage(number: u32) -> Vec<u8> {
        attribute(1, OEM_CODEPAGE, &[number.to_le_bytes(), [0; 4]].concat())
    }

    fn begin() -> Vec<u8> {
        attribute(2, RENDERING, &[0; 14])
    }

    fn files(found: &Unpacked) -> Vec<String> {
        let file = |file: &Attachment| {
            format!("{} {} {}", file.name, file.content_type, String::from_utf8_lossy(&file.bytes))
        };
        found.files.iter().map(file).collect()
    }

    #[test]
    fn files_come_out_under_their_long_names() {
        let long = properties(&[
            unicode(P_LONG_NAME, "Preisliste für Ana.pdf"),
            property(P_NAME, STRING_8, b"PREISL~1.PDF\0"),
            property(P_MIME_TYPE, STRING_8, b"Application/PDF\0"),
        ]);
        let named = [
            // A named property by number, one by name, a list, a boolean, a date.
            [&[0x03, 0, 0x05, 0x80][..], &[7; 16], &[0; 4], &[1, 0, 0, 0], &[9; 4]].concat(),
            [
                &[0x0b, 0, 0x06, 0x80][..],
                &[7; 16],
                &[1, 0, 0, 0],
                &value(b"K\0e\0y\0"),
                &[1, 0, 0, 0],
            ]
            .concat(),
            [&[0x03, 0x10, 0x07, 0x37][..], &[2, 0, 0, 0], &[1; 8]].concat(),
            [&[0x40, 0, 0x07, 0x30][..], &[1; 8]].concat(),
        ];
        let after_named = properties(&[
            named[0].clone(),
            named[1].clone(),
            named[2].clone(),
            named[3].clone(),
            unicode(P_LONG_NAME, "a.vcf"),
        ]);
        let in_properties = properties(&[
            property(P_DATA, BINARY, b"bin"),
            property(P_NAME, STRING_8, b"\xcf\xf0\xe0\xe9\xf1.doc\0"),
        ]);
        #[rustfmt::skip]
        let cases: &[Case<'_, &[&str]>] = &[
            ("title only", vec![begin(), attribute(2, TITLE, b"a.pdf\0"), attribute(2, DATA, b"one")],
             &["a.pdf application/pdf one"]),
            ("long name", vec![begin(), attribute(2, TITLE, b"PREISL~1.PDF\0"), attribute(2, DATA, b"one"), attribute(2, ATTACHMENT_PROPERTIES, &long)],
             &["Preisliste für Ana.pdf application/pdf one"]),
            ("two", vec![begin(), attribute(2, TITLE, b"a.txt\0"), attribute(2, DATA, b"one"), begin(), attribute(2, TITLE, b"b.xyz\0"), attribute(2, DATA, b"two")],
             &["a.txt text/plain one", "b.xyz application/octet-stream two"]),
            ("named properties before", vec![begin(), attribute(2, DATA, b"x"), attribute(2, ATTACHMENT_PROPERTIES, &after_named)],
             &["a.vcf text/vcard x"]),
            ("code page", vec![codepage(1251), begin(), attribute(2, ATTACHMENT_PROPERTIES, &in_properties)],
             &["Прайс.doc application/msword bin"]),
            ("no name", vec![begin(), attribute(2, DATA, b"x")], &["attachment-1.bin application/octet-stream x"]),
            ("path as name", vec![begin(), attribute(2, TITLE, b"..\\..\\a.exe\0"), attribute(2, DATA, b"x")],
             &["a.exe application/octet-stream x"]),
            ("no rendering", vec![attribute(2, TITLE, b"a.txt\0"), attribute(2, DATA, b"x")], &["a.txt text/plain x"]),
            ("empty file", vec![begin(), attribute(2, TITLE, b"a.txt\0"), attribute(2, DATA, b"")], &["a.txt text/plain "]),
        ];
        for (name, attributes, expected) in cases {
            let mut bytes = winmail(attributes);
            assert_eq!(files(&unpack(&bytes).unwrap()), *expected, "{name}");
            // The last checksum is wrong, and something follows.
            if let Some(last) = bytes.last_mut() {
                *last ^= 0x55;
            }
            bytes.extend_from_slice(b"\0\0scanned");
            assert_eq!(files(&unpack(&bytes).unwrap()), *expected, "{name}, damaged");
        }
    }

    #[test]
    fn text_is_found_in_each_of_its_forms() {
        let html = property(P_HTML, BINARY, b"<p>\xcf\xf0\xe8</p>");
        let cp = [&[0x03, 0, 0xde, 0x3f][..], &1251u32.to_le_bytes()].concat();
        let rtf = [
            &50u32.to_le_bytes()[..],
            &[0; 4],
            b"MELA",
            &[0; 4],
            b"{\\rtf1\\ansi Gr\\'fc\\'dfe\\par Ana}",
        ]
        .concat();
        #[rustfmt::skip]
        let cases: &[Case<'_, [Option<&str>; 2]>] = &[
            ("body", vec![attribute(1, BODY, b"M\xfcller\0")], [Some("Müller"), None]),
            ("body, code page", vec![codepage(1251), attribute(1, BODY, b"\xcf\xf0\xe8\0")], [Some("При"), None]),
            ("property", vec![attribute(1, MESSAGE_PROPERTIES, &properties(&[unicode(P_BODY, "Hi")]))], [Some("Hi"), None]),
            ("html", vec![attribute(1, MESSAGE_PROPERTIES, &properties(&[html, cp]))], [None, Some("<p>При</p>")]),
            ("rtf", vec![attribute(1, MESSAGE_PROPERTIES, &properties(&[property(P_RTF, BINARY, &rtf)]))], [Some("Grüße\nAna"), None]),
        ];
        for (name, attributes, expected) in cases {
            let found = unpack(&winmail(attributes)).unwrap();
            assert_eq!([found.text.as_deref(), found.html.as_deref()], *expected, "{name}");
        }
    }

    #[test]
    fn message_inside_gives_its_text_and_files() {
        let mut inner = winmail(&[
            attribute(1, SUBJECT, b"Re: Offer 1/2\0"),
            attribute(1, BODY, b"Hello\0"),
            begin(),
            attribute(2, TITLE, b"a.pdf\0"),
            attribute(2, DATA, b"x"),
        ]);
        let wrap = |inner: &[u8]| {
            let object = [&IID_MESSAGE[..], inner].concat();
            let all = properties(&[property(P_DATA, OBJECT, &object)]);
            winmail(&[begin(), attribute(2, DATA, b""), attribute(2, ATTACHMENT_PROPERTIES, &all)])
        };
        inner = wrap(&inner);
        let found = files(&unpack(&inner).unwrap());
        assert_eq!(found, ["Re_ Offer 1_2.txt text/plain Hello", "a.pdf application/pdf x"]);
        for _ in 0..20 {
            inner = wrap(&inner);
        }
        assert_eq!(unpack(&inner).unwrap().files.len(), 1);
    }

    #[test]
    fn what_is_damaged_is_read_as_far_as_it_goes() {
        assert_eq!(unpack(b""), None);
        assert_eq!(unpack(b"%PDF-1.4 is no winmail"), None);
        assert_eq!(unpack(&winmail(&[])), None);
        let whole = winmail(&[
            codepage(1252),
            attribute(1, BODY, b"Hello\0"),
            begin(),
            attribute(2, TITLE, b"a.txt\0"),
            attribute(2, DATA, &[b'x'; 100]),
        ]);
        for end in 0..whole.len() {
            unpack(whole.get(..end).unwrap());
        }
        let cut = unpack(whole.get(..whole.len() - 50).unwrap()).unwrap();
        assert_eq!(cut.files.first().map(|file| file.bytes.len()), Some(52));
        let huge = [&[0xff; 4][..], &[0x00, 0x10, 0x01, 0x30], &[0xff; 4]].concat();
        assert_eq!(unpack(&winmail(&[attribute(1, MESSAGE_PROPERTIES, &huge)])), None);
        let many = winmail(&vec![[begin(), attribute(2, DATA, b"x")].concat(); 5_000]);
        assert!(unpack(&many).unwrap().files.len() <= MAX_FILES + 1);
    }
}
