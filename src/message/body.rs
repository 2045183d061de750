//! The text and the files of a message, as they go to the CRM. Pure.

use super::{
    charset,
    enriched::{self, Dialect},
    header::Headers,
    html,
    line_ends::with_line_feeds,
    mime::{self, Entity, Part},
    name, tnef, uuencoded, word,
};

/// What is written into the activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Plain text, from HTML where only HTML came; not cut.
    pub text: String,
    /// In the order of the mail; inline images and attached mails included.
    pub attachments: Vec<Attachment>,
    /// The mail as a whole is PGP or S/MIME: the text cannot be read; the whole original is to be attached.
    pub encrypted: bool,
}

/// One file of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Decoded name without path or control characters; never empty.
    pub name: String,
    /// Lower-case MIME type such as `text/vcard`.
    pub content_type: String,
    /// The label that its part gives its characters, as it is written; `None` where there is no
    /// part of its own (`winmail.dat`, files within the text).
    pub charset: Option<String>,
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attachment({}, {} bytes)", self.content_type, self.bytes.len())
    }
}

/// Bytes at the start of an HTML part in which its charset may be declared.
const META_WITHIN: usize = 4_096;

/// The first line of a message in PGP's own armour (RFC 9580 section 6.2).
const PGP_MESSAGE: &str = "-----BEGIN PGP MESSAGE-----";

/// Text and files of a whole message.
pub fn read(raw: &[u8]) -> Body {
    let raw = with_line_feeds(raw);
    let headers = Headers::of_message(&raw);
    let rest = headers.body();
    let entity = Entity::new(headers, false, None);
    let hint = entity.content_type.get("charset").map(str::to_owned);
    let root = mime::walk(entity, rest, hint.as_deref());
    let mut reader = Reader { attachments: Some(Vec::new()), ..Reader::new(hint) };
    let mut text = reader.text_of(&root, true).unwrap_or_default();
    if text.trim().is_empty() {
        let packed = reader.packed_text.take();
        text = packed.or_else(|| reader.only_named_text()).unwrap_or_default();
    }
    // In line with the text; what stands before it may still be read.
    if let Some(at) = armour(&text) {
        reader.encrypted = true;
        text.truncate(at);
    }
    let text = text.trim_end().to_owned();
    let attachments = reader.attachments.unwrap_or_default();
    Body { text, attachments, encrypted: reader.encrypted }
}

/// The text alone, for the identity of a message without Message-ID.
pub fn text(headers: Headers<'_>) -> String {
    let rest = headers.body();
    let entity = Entity::new(headers, false, None);
    let hint = entity.content_type.get("charset").map(str::to_owned);
    let root = mime::walk(entity, rest, hint.as_deref());
    Reader::new(hint).text_of(&root, true).unwrap_or_default()
}

fn armour(text: &str) -> Option<usize> {
    if text.starts_with(PGP_MESSAGE) {
        return Some(0);
    }
    // Quoted (`> -----BEGIN`) it is a discussion about one.
    text.match_indices(PGP_MESSAGE)
        .map(|(at, _)| at)
        .find(|at| text.get(..*at).is_some_and(|before| before.ends_with('\n')))
}

struct Reader {
    /// Charset of the whole message, for names and parts that declare none.
    hint: Option<String>,
    /// `None` if only the text is wanted.
    attachments: Option<Vec<Attachment>>,
    /// Files that are to be shown, and are text.
    named_texts: Vec<NamedText>,
    /// What Outlook packed into a `winmail.dat`, which mostly repeats the text of the mail.
    packed_text: Option<String>,
    count: usize,
    encrypted: bool,
}

struct NamedText {
    /// Index of its attachment.
    at: usize,
    kind: TextKind,
}

impl Reader {
    fn new(hint: Option<String>) -> Reader {
        let named_texts = Vec::new();
        let (attachments, packed_text) = (None, None);
        Reader { hint, attachments, named_texts, packed_text, count: 0, encrypted: false }
    }

    /// In a mail without any other text the one named text is what was written, not a file: some
    /// programs name every part.
    fn only_named_text(&mut self) -> Option<String> {
        let [only] = self.named_texts.as_slice() else {
            return None;
        };
        let file = self.attachments.as_ref()?.get(only.at)?;
        let text = self.text_in(&file.bytes, file.charset.as_deref(), only.kind);
        if text.trim().is_empty() {
            return None;
        }
        self.attachments.as_mut()?.remove(only.at);
        Some(text)
    }

    /// The text of a part, `None` if it has none; its files are kept on the way.
    ///
    /// Recursion is as deep as [`mime::walk`] allows.
    fn text_of(&mut self, part: &Part<'_>, is_root: bool) -> Option<String> {
        match part {
            Part::Leaf { entity, raw } => {
                if is_root && is_encrypted(entity) {
                    // The caller attaches the whole original: its envelope alone is of no use.
                    self.encrypted = true;
                    return None;
                }
                let kind = text_kind(entity, is_root);
                if let Some(kind) = kind {
                    let text = self.decode_text(entity, raw, kind);
                    return Some(self.without_files(text, kind));
                }
                self.keep(entity, raw);
                None
            }
            Part::Multi { entity, parts } => {
                if is_root && is_encrypted(entity) {
                    self.encrypted = true;
                    return None;
                }
                if entity.content_type.value == "multipart/alternative" {
                    return self.best_of(parts);
                }
                // A file of old Mac OS with what only its Finder wanted to know (RFC 1740).
                let mac = entity.content_type.value == "multipart/appledouble" && parts.len() > 1;
                let texts: Vec<String> = parts
                    .iter()
                    .filter(|part| !(mac && is_finder_data(part)))
                    .filter_map(|part| self.text_of(part, false))
                    .filter(|text| !text.trim().is_empty())
                    .map(|text| text.trim_end().to_owned())
                    .collect();
                (!texts.is_empty()).then(|| texts.join("\n\n"))
            }
        }
    }

    /// Of several forms of one text the plain one, unless it is empty: newsletters send a blank.
    fn best_of(&mut self, parts: &[Part<'_>]) -> Option<String> {
        let mut plain: Option<String> = None;
        let mut other: Option<String> = None;
        for part in parts {
            let Some(text) = self.text_of(part, false).filter(|text| !text.trim().is_empty())
            else {
                continue;
            };
            let is_plain = matches!(part, Part::Leaf { entity, .. } if is_plain(entity));
            let best = if is_plain { &mut plain } else { &mut other };
            best.get_or_insert(text);
        }
        plain.or(other)
    }

    /// Files within the text, as programs wrote them before there was MIME.
    fn without_files(&mut self, text: String, kind: TextKind) -> String {
        let Some(attachments) = self.attachments.as_mut() else {
            return text;
        };
        if !matches!(kind, TextKind::Plain) || !text.contains("begin ") {
            return text;
        }
        let (text, files) = uuencoded::take(&text);
        for file in files {
            self.count += 1;
            let name = name::clean(&file.name);
            let content_type = name.as_deref().and_then(name::type_by_extension);
            let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
            let name = name.unwrap_or_else(|| name::by_type(&content_type, self.count));
            let bytes = file.bytes;
            attachments.push(Attachment { name, content_type, charset: None, bytes });
        }
        text
    }

    fn decode_text(&self, entity: &Entity<'_>, raw: &[u8], kind: TextKind) -> String {
        self.text_in(&entity.decode(raw), entity.content_type.get("charset"), kind)
    }

    fn text_in(&self, bytes: &[u8], label: Option<&str>, kind: TextKind) -> String {
        match kind {
            TextKind::Plain => {
                let text = charset::decode(bytes, label.or(self.hint.as_deref()));
                plain_text(&text)
            }
            TextKind::Html => {
                let meta = if label.is_none() { meta_charset(bytes) } else { None };
                let label = label.or(meta.as_deref()).or(self.hint.as_deref());
                self.html_text(&charset::decode(bytes, label))
            }
            TextKind::Marked(dialect) => {
                let text = charset::decode(bytes, label.or(self.hint.as_deref()));
                self.html_text(&enriched::to_html(&plain_text(&text), dialect))
            }
        }
    }

    fn html_text(&self, html: &str) -> String {
        let identity_only = self.attachments.is_none();
        plain_text(&if identity_only { html::to_words(html) } else { html::to_text(html) })
    }

    fn keep(&mut self, entity: &Entity<'_>, raw: &[u8]) {
        self.count += 1;
        let Some(attachments) = self.attachments.as_mut() else {
            return;
        };
        if let Some(kind) = text_kind(entity, true) {
            self.named_texts.push(NamedText { at: attachments.len(), kind });
        }
        let content_type = entity.content_type.value.clone();
        let bytes = entity.decode(raw).into_owned();
        if is_packed(entity)
            && let Some(unpacked) = tnef::unpack(&bytes)
        {
            attachments.extend(unpacked.files);
            let html = unpacked.html.map(|html| html::to_text(&html));
            let texts = [unpacked.text, html].into_iter().flatten();
            let mut texts = texts.filter(|text| !text.trim().is_empty());
            self.packed_text =
                self.packed_text.take().or_else(|| texts.next()).map(|text| plain_text(&text));
            return;
        }
        let given = given_name(entity).or_else(|| {
            let attached_mail =
                matches!(content_type.as_str(), "message/rfc822" | "message/global");
            attached_mail.then(|| mail_name(&bytes)).flatten()
        });
        let name = given.unwrap_or_else(|| name::by_type(&content_type, self.count));
        let charset = entity.content_type.get("charset").map(str::to_owned);
        attachments.push(Attachment { name, content_type, charset, bytes });
    }
}

#[derive(Clone, Copy)]
enum TextKind {
    Plain,
    Html,
    Marked(Dialect),
}

/// Whether a leaf is text to be read here, and of which kind; `None` for a file.
fn text_kind(entity: &Entity<'_>, is_root: bool) -> Option<TextKind> {
    if entity.disposition.value == "attachment" {
        return None;
    }
    // Some programs name even the only part; inside a multipart a name makes it a file.
    if !is_root && given_name(entity).is_some() {
        return None;
    }
    match entity.content_type.value.as_str() {
        "text/html" | "application/xhtml+xml" => Some(TextKind::Html),
        "text/plain" => Some(TextKind::Plain),
        "text/enriched" => Some(TextKind::Marked(Dialect::Enriched)),
        "text/richtext" => Some(TextKind::Marked(Dialect::Richtext)),
        // A multipart that could not be taken apart is still someone's text.
        other if other.starts_with("multipart/") => Some(TextKind::Plain),
        _ => None,
    }
}

/// Whether the part is what Outlook packs files into. Some gateways name its type otherwise.
fn is_packed(entity: &Entity<'_>) -> bool {
    matches!(entity.content_type.value.as_str(), "application/ms-tnef" | "application/vnd.ms-tnef")
        || given_name(entity).is_some_and(|name| name.eq_ignore_ascii_case("winmail.dat"))
}

fn is_finder_data(part: &Part<'_>) -> bool {
    matches!(part, Part::Leaf { entity, .. } if entity.content_type.value == "application/applefile")
}

fn is_plain(entity: &Entity<'_>) -> bool {
    entity.content_type.value == "text/plain"
}

/// Whether a root of this type hides the whole mail. Deeper down the same is a file among others:
/// invoices are sent as `.p7m` (Italy), and what stands beside them can be read.
fn is_encrypted(entity: &Entity<'_>) -> bool {
    match entity.content_type.value.as_str() {
        "multipart/encrypted" => true,
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => {
            match entity.content_type.get("smime-type") {
                // RFC 8551 section 3.2.2; the other types are signed or compressed only.
                Some(kind) => {
                    kind.eq_ignore_ascii_case("enveloped-data")
                        || kind.eq_ignore_ascii_case("authEnveloped-data")
                }
                None => {
                    given_name(entity).is_some_and(|name| name.eq_ignore_ascii_case("smime.p7m"))
                }
            }
        }
        _ => false,
    }
}

fn given_name(entity: &Entity<'_>) -> Option<String> {
    let candidates = [
        entity.disposition.get("filename"),
        entity.content_type.get("name"),
        entity.disposition.get("name"),
        entity.content_type.get("filename"),
    ];
    candidates.into_iter().flatten().find_map(name::clean)
}

/// `{subject}.eml` for an attached mail.
fn mail_name(raw: &[u8]) -> Option<String> {
    let headers = Headers::of_message(raw);
    let subject = headers.first("Subject")?;
    let subject = word::decode(&charset::decode_unlabelled(&subject, None));
    // Room for the extension within the length that a name may have.
    let title = name::clean_title(&subject.chars().take(100).collect::<String>())?;
    Some(format!("{title}.eml"))
}

fn meta_charset(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..bytes.len().min(META_WITHIN)).unwrap_or_default();
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let rest = head.split_once("charset=")?.1.trim_start_matches(['"', '\'', ' ']);
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | ':'));
    let label = rest.get(..end.unwrap_or(rest.len()))?;
    // Text whose `<meta>` could be read is not UTF-16, whatever it says (HTML standard).
    (!label.is_empty() && !label.starts_with("utf-16")).then(|| label.to_owned())
}

/// Lines ended by LF, without control characters.
fn plain_text(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    clean.push('\n');
                }
            }
            '\n' | '\t' => clean.push(c),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name of the case, message, text, names of the files, encrypted.
    type Case<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], bool);

    #[test]
    fn text_and_files_are_what_a_reader_sees() {
        #[rustfmt::skip]
        let cases: &[Case<'_>] = &[
            ("invoice as p7m", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nEcco.\n--b\n\
              Content-Type: application/pdf; name=offer.pdf\n\nx\n--b\n\
              Content-Type: application/pkcs7-mime; name=IT0123_001.xml.p7m\n\nx\n--b\n\
              Content-Type: application/octet-stream; name=IT0123_002.xml.p7m\n\nx\n--b--",
              "Ecco.", &["offer.pdf", "IT0123_001.xml.p7m", "IT0123_002.xml.p7m"], false),
            ("encrypted mail attached", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\n\
              Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\nx\n--b--",
              "See.", &["smime.p7m"], false),
            ("encrypted, with a list's footer", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\
              Content-Type: multipart/encrypted; boundary=c\n\n--c\nContent-Type: application/pgp-encrypted; name=v.txt\n\nVersion: 1\n--c\n\
              Content-Type: application/octet-stream; name=encrypted.asc\n\nx\n--c--\n--b\n\nList\n--b--",
              "List", &["v.txt", "encrypted.asc"], false),
            ("signed, opaque", "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n\nx",
              "", &["smime.p7m"], false),
            ("s/mime", "Content-Type: application/x-pkcs7-mime; smime-type=Enveloped-Data; name=a.p7m\n\nx",
              "", &[], true),
            ("s/mime without its type", "Content-Type: application/pkcs7-mime; name=SMIME.p7m\n\nx", "", &[], true),
            ("p7m alone", "Content-Type: application/pkcs7-mime; name=IT1.xml.p7m\n\nx", "", &["IT1.xml.p7m"], false),
            ("pgp/mime", "Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--", "", &[], true),
            ("named text alone", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/pdf; name=a.pdf\n\nx\n--b\n\
              Content-Type: text/plain; name=body.txt; charset=koi8-r\nContent-Disposition: inline\n\nHello\n--b--",
              "Hello", &["a.pdf"], false),
            ("named text beside another", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\n\
              Content-Type: text/plain; name=body.txt\n\nHello\n--b--", "See.", &["body.txt"], false),
            ("two named texts", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; name=a.txt\n\nA\n--b\n\
              Content-Type: text/plain; name=b.txt\n\nB\n--b--", "", &["a.txt", "b.txt"], false),
            ("named text attached", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; name=a.txt\n\
              Content-Disposition: attachment\n\nA\n--b--", "", &["a.txt"], false),
("calendar without name", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nCome.\n--b\nContent-Type: text/calendar; method=REQUEST\n\nx\n--b--",
              "Come.", &["invitation-1.ics"], false),
            ("attached mails", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\nContent-Type: message/rfc822\n\nSubject: a/b\n\nx\n--b\n\
              Content-Type: message/rfc822\n\nTo: x@example.com\n\nx\n--b--", "See.", &["a_b.eml", "message-2.eml"], false),
            ("digest", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\nContent-Type: multipart/digest; boundary=c\n\n--c\n\nSubject: one\n\nx\n--c\n\nSubject: two\n\ny\n--c--\n--b--",
              "See.", &["one.eml", "two.eml"], false),
            ("external body", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\nContent-Type: message/external-body; access-type=URL; URL=\"http://example.com/a\"\n\nContent-Type: image/png\n--b--",
              "See.", &["attachment-1.txt"], false),
            ("a piece of a mail", "Content-Type: message/partial; number=2; total=3; id=x\n\nmore", "", &["attachment-1.txt"], false),
            ("headers alone", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\nContent-Type: text/rfc822-headers\n\nSubject: x\n--b--",
              "See.", &["attachment-1.txt"], false),
            ("apple double", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\nContent-Type: multipart/appledouble; boundary=c\n\n--c\n\
              Content-Type: application/applefile; name=\"a.pdf\"\n\nx\n--c\nContent-Type: application/pdf; name=\"a.pdf\"\n\ny\n--c--\n--b--", "See.", &["a.pdf"], false),
            ("uuencoded in the text", "Subject: x\n\nSee:\n\nbegin 644 ..\\a.txt\n%:&5L;&\\\n`\nend\n", "See:", &["a.txt"], false),
            ("yenc in the text", "Subject: x\n\nSee:\n=ybegin line=128 size=3 name=a.txt\nabc\n=yend size=3", "See:\n=ybegin line=128 size=3 name=a.txt\nabc\n=yend size=3", &[], false),
            ("inline picture", "Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>Hi<img src=cid:1></p>\n--b\n\
              Content-Type: image/png\nContent-ID: <1>\nContent-Disposition: inline\n\nx\n--b--", "Hi", &["attachment-1.png"], false),
            ("enriched", "Content-Type: text/enriched\n\n<bold>Price</bold>\nlist\n\n<excerpt><<b></excerpt>", "Price list\n> <b>", &[], false),
            ("enriched beside plain", "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/enriched\n\n<bold>a</bold>\n--b\n\nb\n--b--", "b", &[], false),
            ("enriched, named", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/enriched; name=a.txt; charset=koi8-r\n\n<bold>\u{41f}</bold>\n--b--", "\u{41f}", &[], false),
            ("richtext", "Content-Type: text/richtext\n\nPrice<nl>list <lt>b>", "Price\nlist <b>", &[], false),
            ("two names", "Content-Type: application/pdf; name=\"a.pdf\"\nContent-Disposition: attachment; filename=\"b.pdf\"\n\nx", "", &["b.pdf"], false),
            ("words in filename", "Content-Type: application/pdf\nContent-Disposition: attachment; filename=\"=?utf-8?B?0J/RgNC4?= =?utf-8?Q?_x.pdf?=\"\n\nx", "", &["При x.pdf"], false),
            ("words without quotes", "Content-Type: application/pdf; name==?koi8-r?B?8NLJ?=.pdf\n\nx", "", &["При.pdf"], false),
            ("continued, mixed", "Content-Type: application/pdf\nContent-Disposition: attachment; filename*0*=utf-8'ru'%D0%9F; filename*1=\"-x\"; filename*2*=%D1%80.pdf\n\nx", "", &["П-xр.pdf"], false),
            ("continued words", "Content-Type: application/pdf\nContent-Disposition: attachment; filename*0=\"=?utf-8?B?0J/R\"; filename*1=\"gNC4?=.pdf\"\n\nx", "", &["При.pdf"], false),
            ("per cent signs, no charset", "Content-Type: application/pdf\nContent-Disposition: attachment; filename*=%D0%9F.pdf\n\nx", "", &["П.pdf"], false),
            ("per cent signs, plain", "Content-Type: application/pdf\nContent-Disposition: attachment; filename=\"%D0%9F.pdf\"\n\nx", "", &["П.pdf"], false),
            ("star in quotes", "Content-Type: application/pdf\nContent-Disposition: attachment; filename*=\"UTF-8''%D0%9F.pdf\"\n\nx", "", &["П.pdf"], false),
            ("japanese in quotes", "Content-Type: application/pdf; name=\"\u{1b}$B%O%m!<\u{1b}(B.pdf\"\n\nx", "", &["ハロー.pdf"], false),
            ("empty name", "Content-Type: application/pdf; name=\"\"\nContent-Disposition: attachment; filename=\"\"\n\nx", "", &["attachment-1.pdf"], false),
            ("winmail.dat that is none", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\nContent-Type: application/ms-tnef; name=\"winmail.dat\"\n\nx\n--b--",
              "See.", &["winmail.dat"], false),
            ("pgp/mime, cut", "Content-Type: multipart/encrypted; boundary=b\n\nx", "", &[], true),
        ];
        for (name, raw, text, files, encrypted) in cases {
            let body = read(raw.as_bytes());
            assert_eq!(body.text, *text, "{name}");
            let names: Vec<&str> = body.attachments.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(names, *files, "{name}");
            assert_eq!(body.encrypted, *encrypted, "{name}");
        }
    }
}
