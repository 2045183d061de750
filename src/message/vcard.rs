//! The people on visiting cards: vCard 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350). Pure.
//!
//! Of our own: the crate `calcard` brings two calendar libraries, and cards that phones of twenty
//! years ago write (2.1, quoted-printable, another charset in each line) are the common ones.

use percent_encoding::percent_decode_str;

use super::vcard_line::{self, Line};
use super::{address, charset};

/// Cards of one file that are read.
const MAX_CARDS: usize = 20;

/// Addresses and numbers of one card that are kept, each.
const MAX_KEPT: usize = 20;

/// Addresses and numbers that are looked at: the preferred one may be the last.
const MAX_SEEN: usize = 100;

/// Characters of a name or title that are kept.
const MAX_TEXT: usize = 255;

/// Characters of a telephone number that are kept.
const MAX_NUMBER: usize = 50;

/// One card; what it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VCard {
    /// As it is shown: FN, else what N is made of.
    pub name: String,
    pub given: String,
    pub family: String,
    /// In the normal form of [`address::normalise`], the preferred first, at most 20.
    pub emails: Vec<String>,
    /// The preferred first, at most 20.
    pub phones: Vec<Phone>,
    /// Without its departments.
    pub organisation: String,
    pub title: String,
}

/// A telephone, with its number as its owner writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Phone {
    pub kind: PhoneKind,
    /// As it is written on the card, on one line; at least three digits.
    pub number: String,
}

/// What a telephone is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhoneKind {
    Work,
    Home,
    Mobile,
    Fax,
    Other,
}

/// The cards of a file, at most 20. `charset` is the label that its mail gives it.
///
/// A card that is cut off or broken is kept if there is a name, an address, a number or an
/// organisation in it. Cards inside a card (AGENT) are left out.
pub fn read(bytes: &[u8], charset: Option<&str>) -> Vec<VCard> {
    let mut cards = Vec::new();
    let mut open: Option<Draft> = None;
    // Cards inside the open one: that of a secretary stands in the midst of the chief's.
    let mut inside = 0usize;
    let mut agent = false;
    vcard_line::each(bytes, charset, |line| {
        let is_card = line.value.trim().eq_ignore_ascii_case("VCARD");
        match line.name.as_str() {
            "BEGIN" if is_card && open.is_some() && (agent || inside > 0) => inside += 1,
            "BEGIN" if is_card => {
                cards.extend(open.replace(Draft::default()).and_then(Draft::finish));
            }
            "END" if is_card && inside > 0 => inside -= 1,
            "END" if is_card => cards.extend(open.take().and_then(Draft::finish)),
            _ if inside > 0 => {}
            _ => {
                if let Some(draft) = open.as_mut() {
                    draft.take(&line);
                }
            }
        }
        agent = line.name == "AGENT";
        cards.len() < MAX_CARDS
    });
    cards.extend(open.and_then(Draft::finish));
    cards.truncate(MAX_CARDS);
    cards
}

/// Whether a file is a visiting card, by its type or, where that says nothing, by its name.
pub fn is_card(content_type: &str, name: &str) -> bool {
    let typed = matches!(
        content_type,
        "text/vcard" | "text/x-vcard" | "application/vcard" | "text/directory"
    );
    let named = name.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("vcf"));
    typed || named
}

/// A card whose end has not been seen.
#[derive(Default)]
struct Draft {
    card: VCard,
    /// 2.1 knows no lists: a comma in a name is one.
    old: bool,
    /// N in the order in which a person says it.
    spoken: String,
    emails: Vec<(u8, String)>,
    phones: Vec<(u8, Phone)>,
}

impl Draft {
    fn take(&mut self, line: &Line) {
        match line.name.as_str() {
            "VERSION" => self.old = line.value.trim().starts_with('2'),
            "FN" => first(&mut self.card.name, plain(&line.value)),
            "TITLE" => first(&mut self.card.title, plain(&line.value)),
            "ORG" => {
                let parts = components(&line.value, false);
                let name = parts.into_iter().find(|part| !part.is_empty());
                first(&mut self.card.organisation, name.unwrap_or_default());
            }
            "N" => self.take_name(&line.value),
            "EMAIL" => self.take_emails(line),
            "TEL" => self.take_phone(line),
            _ => {}
        }
    }

    fn take_name(&mut self, value: &str) {
        let parts = components(value, !self.old);
        let part = |at: usize| parts.get(at).map_or("", String::as_str);
        // Family, given, further names, title before, title behind (RFC 6350 section 6.2.2).
        let spoken: Vec<&str> =
            [3, 1, 2, 0, 4].map(part).into_iter().filter(|part| !part.is_empty()).collect();
        if self.spoken.is_empty() {
            self.spoken = spoken.join(" ");
            self.card.family = part(0).to_owned();
            self.card.given = part(1).to_owned();
        }
    }

    fn take_emails(&mut self, line: &Line) {
        let value = plain(&line.value);
        let whole = email(&value);
        let several = value.split([',', ';']).filter(|_| whole.is_none()).filter_map(email);
        for email in whole.clone().into_iter().chain(several) {
            let full = self.emails.len() >= MAX_SEEN;
            match self.emails.iter_mut().find(|(_, known)| *known == email) {
                Some((rank, _)) => *rank = line.rank.min(*rank),
                None if full => {}
                None => self.emails.push((line.rank, email)),
            }
        }
    }

    fn take_phone(&mut self, line: &Line) {
        let Some(number) = number(&line.value) else {
            return;
        };
        let phone = Phone { kind: kind(&line.types), number };
        if self.phones.len() < MAX_SEEN && !self.phones.iter().any(|(_, known)| *known == phone) {
            self.phones.push((line.rank, phone));
        }
    }

    /// `None` for a card that says nothing.
    fn finish(self) -> Option<VCard> {
        let Draft { mut card, spoken, mut emails, mut phones, .. } = self;
        if card.name.is_empty() {
            card.name = spoken;
        }
        emails.sort_by_key(|(rank, _)| *rank);
        phones.sort_by_key(|(rank, _)| *rank);
        card.emails = emails.into_iter().map(|(_, email)| email).take(MAX_KEPT).collect();
        card.phones = phones.into_iter().map(|(_, phone)| phone).take(MAX_KEPT).collect();
        let empty = card.name.is_empty()
            && card.emails.is_empty()
            && card.phones.is_empty()
            && card.organisation.is_empty();
        (!empty).then_some(card)
    }
}

/// The first of several that says something.
fn first(known: &mut String, value: String) {
    if known.is_empty() {
        *known = value;
    }
}

/// A value without its escapes, on one line.
fn plain(value: &str) -> String {
    charset::one_line(&unescape(value, |_| None).concat(), MAX_TEXT)
}

/// The components of a structured value; in a list (`lists`) a comma divides like a blank.
fn components(value: &str, lists: bool) -> Vec<String> {
    let divide = |c: char| match c {
        ';' => Some(None),
        ',' if lists => Some(Some(' ')),
        _ => None,
    };
    unescape(value, divide).iter().map(|part| charset::one_line(part, MAX_TEXT)).collect()
}

/// Undoes escapes (RFC 6350 section 3.4). `divide` says of a character that is not escaped
/// whether it begins a new component, `Some(None)`, or stands for another one.
fn unescape(value: &str, divide: impl Fn(char) -> Option<Option<char>>) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match (c, chars.peek()) {
            ('\\', Some('n' | 'N')) => {
                chars.next();
                '\n'
            }
            // In 2.1 a backslash before anything else is one.
            ('\\', Some(escaped @ (';' | ',' | ':' | '\\'))) => {
                let escaped = *escaped;
                chars.next();
                escaped
            }
            (c, _) => match divide(c) {
                Some(None) => {
                    parts.push(String::new());
                    continue;
                }
                Some(Some(other)) => other,
                None => c,
            },
        };
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

/// `Ana <ana@example.com>` is seen where only the address belongs.
fn email(value: &str) -> Option<String> {
    let inner = value.rsplit_once('<').and_then(|(_, tail)| tail.split('>').next());
    address::normalise(inner.unwrap_or(value))
}

fn number(value: &str) -> Option<String> {
    let value = plain(value);
    // RFC 3966: `tel:+49-30-1234;ext=5`; a context is of no use to a person.
    let number = match value.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => {
            let mut parts = value.get(4..)?.split(';');
            let number = percent_decode_str(parts.next()?).decode_utf8_lossy().into_owned();
            let extension = parts.find_map(|part| part.strip_prefix("ext="));
            extension.map_or(number.clone(), |extension| format!("{number} ext. {extension}"))
        }
        _ => value,
    };
    let number = charset::one_line(&number, MAX_NUMBER);
    let digits = number.chars().filter(char::is_ascii_digit).count();
    (digits >= 3).then_some(number)
}

fn kind(types: &[String]) -> PhoneKind {
    let is = |word: &str| types.iter().any(|other| other == word);
    // A fax or a mobile at work is that first: nobody speaks to the one, and the other rings away.
    if is("FAX") {
        PhoneKind::Fax
    } else if is("CELL") || is("MOBILE") || is("IPHONE") {
        PhoneKind::Mobile
    } else if is("PAGER") {
        PhoneKind::Other
    } else if is("WORK") {
        PhoneKind::Work
    } else if is("HOME") {
        PhoneKind::Home
    } else {
        PhoneKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(card: &VCard) -> String {
        let phones: Vec<String> =
            card.phones.iter().map(|phone| format!("{:?} {}", phone.kind, phone.number)).collect();
        format!(
            "{}|{}|{}|{}|{}|{}|{}",
            card.name,
            card.given,
            card.family,
            card.emails.join(","),
            phones.join(","),
            card.organisation,
            card.title
        )
    }

    fn card(properties: &str) -> String {
        format!("BEGIN:VCARD\n{properties}\nEND:VCARD\n")
    }

    #[test]
    fn cards_of_every_version_say_who_it_is() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            ("3.0", "VERSION:3.0\nN:Ruiz;Ana;;;\nFN:Ana Ruiz\nORG:Customer Ltd;Sales\nTITLE:Buyer\nEMAIL;TYPE=INTERNET,WORK:Ana@Customer.example\nTEL;TYPE=WORK,VOICE:+34 600 000 000",
             "Ana Ruiz|Ana|Ruiz|ana@customer.example|Work +34 600 000 000|Customer Ltd|Buyer"),
            ("2.1", "VERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Gro=C3=9F;J=C3=BCrgen\nTEL;CELL;VOICE:0171 1234567\nTEL;WORK;FAX:030 1234\nEMAIL;PREF;INTERNET:j@customer.example",
             "Jürgen Groß|Jürgen|Groß|j@customer.example|Mobile 0171 1234567,Fax 030 1234||"),
            ("2.1, soft breaks", "VERSION:2.1\nFN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:=D0=90=D0=BD=\n=D0=BD=D0=B0\nTEL;HOME:8 495 1234567",
             "Анна||||Home 8 495 1234567||"),
            ("2.1, koi8-r", "VERSION:2.1\nFN;CHARSET=KOI8-R;QUOTED-PRINTABLE:=E1=CE=CE=C1",  "Анна||||||"),
            ("2.1, comma in a name", "VERSION:2.1\nN:Ruiz, Dr.;Ana",                         "Ana Ruiz, Dr.|Ana|Ruiz, Dr.||||"),
            ("4.0", "VERSION:4.0\nFN:Ana Ruiz\nN:Ruiz;Ana;;Dr.;\nTEL;VALUE=uri;TYPE=\"voice,work\";PREF=1:tel:+34-600-000-000;ext=102\nEMAIL;PREF=2:second@customer.example\nEMAIL;PREF=1:first@customer.example",
             "Ana Ruiz|Ana|Ruiz|first@customer.example,second@customer.example|Work +34-600-000-000 ext. 102||"),
            ("groups", "VERSION:3.0\nFN:Ana\nitem1.EMAIL;type=INTERNET:ana@customer.example\nitem1.X-ABLabel:_$!<Other>!$_\nitem2.TEL;type=pref:600 1",
             "Ana|||ana@customer.example|Other 600 1||"),
            ("no fn", "VERSION:3.0\nN:Ruiz;Ana;Maria,Luz;Dr.;MBA",                           "Dr. Ana Maria Luz Ruiz MBA|Ana|Ruiz||||"),
            ("empty n", "VERSION:3.0\nN:;;;;\nFN:Customer Ltd",                              "Customer Ltd||||||"),
            ("family name only", "VERSION:3.0\nN:Ruiz",                                      "Ruiz||Ruiz||||"),
            ("escapes", "VERSION:3.0\nFN:Ruiz\\, Ana\\; \\\\ x\\n y\nORG:A\\;B\\, Ltd;C",     "Ruiz, Ana; \\ x y|||||A;B, Ltd|"),
            ("department only", "VERSION:3.0\nFN:Ana\nORG:;Sales",                           "Ana|||||Sales|"),
            ("preferred last", "VERSION:3.0\nFN:Ana\nEMAIL:a@example.com\nEMAIL;TYPE=pref:b@example.com\nEMAIL:A@example.com", "Ana|||b@example.com,a@example.com|||"),
            ("name in the address", "VERSION:3.0\nEMAIL:Ana <ana@example.com>",              "|||ana@example.com|||"),
            ("two in one line", "VERSION:3.0\nEMAIL:a@example.com; b@example.com",           "|||a@example.com,b@example.com|||"),
            ("mailto", "VERSION:4.0\nEMAIL:mailto:a@example.com",                            "|||a@example.com|||"),
            ("no address", "VERSION:3.0\nFN:Ana\nEMAIL;X400:c=de;a=x\nTEL:no\nTEL:12",       "Ana||||||"),
            ("lower case", "version:3.0\nfn:Ana\nemail:a@example.com",                       "Ana|||a@example.com|||"),
            ("mobile at work", "FN:Ana\nTEL;WORK;CELL:123\nTEL;TYPE=PAGER,WORK:124\nTEL;TYPE=MAIN:125", "Ana||||Mobile 123,Other 124,Other 125||"),
            ("agent", "VERSION:2.1\nFN:Chief\nAGENT:\nBEGIN:VCARD\nFN:Secretary\nEMAIL:s@example.com\nEND:VCARD\nEMAIL:c@example.com", "Chief|||c@example.com|||"),
            ("agent in an agent", "FN:Chief\nAGENT:\nBEGIN:VCARD\nFN:S\nAGENT:\nBEGIN:VCARD\nFN:T\nEND:VCARD\nEND:VCARD\nTITLE:x", "Chief||||||x"),
            ("agent in one line", "VERSION:3.0\nFN:Chief\nAGENT:BEGIN:VCARD\\nFN:S\\nEND:VCARD\\n\nTITLE:x", "Chief||||||x"),
            ("photo", "VERSION:3.0\nFN:Ana\nPHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJ\n RgABAQ==\nTITLE:x", "Ana||||||x"),
            ("folded in the parameters", "VERSION:3.0\nFN:Ana\nEMAIL;TYPE=INTERNET;X-LONG=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;TYPE\n =WORK:ana@example.com", "Ana|||ana@example.com|||"),
        ];
        for (name, properties, expected) in cases {
            for ends in ["\n", "\r\n", "\r"] {
                let text = card(properties).replace('\n', ends);
                let found: Vec<String> = read(text.as_bytes(), None).iter().map(line).collect();
                assert_eq!(found, [*expected], "{name}, {ends:?}");
            }
        }
    }

    #[test]
    fn files_are_read_in_every_charset() {
        let text = card("VERSION:3.0\nFN:Müller, Анна");
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let latin = card("VERSION:3.0\nFN:M\u{fc}ller");
        let latin: Vec<u8> =
            latin.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(0)).collect();
        let sjis =
            [b"BEGIN:VCARD\nFN:".to_vec(), b"\x95\x5c".to_vec(), b"\nEND:VCARD".to_vec()].concat();
        #[rustfmt::skip]
        let cases: &[(&str, Vec<u8>, Option<&str>, &str)] = &[
            ("utf-8",          text.clone().into_bytes(), Some("utf-8"),      "Müller, Анна"),
            ("utf-8, mark",    format!("\u{feff}{text}").into_bytes(), None,  "Müller, Анна"),
            ("wrong label",    text.into_bytes(),         Some("iso-8859-1"), "Müller, Анна"),
            ("utf-16, mark",   [b"\xff\xfe".to_vec(), little.clone()].concat(), None, "Müller, Анна"),
            ("utf-16be, mark", [b"\xfe\xff".to_vec(), big.clone()].concat(), Some("utf-8"), "Müller, Анна"),
            ("utf-16",         little,                    Some("us-ascii"),   "Müller, Анна"),
            ("utf-16be",       big,                       None,               "Müller, Анна"),
            ("latin",          latin.clone(),             Some("iso-8859-1"), "Müller"),
            ("latin, no label", latin.clone(),            None,               "Müller"),
            ("latin as utf-8", latin,                     Some("utf-8"),      "Müller"),
            ("shift_jis, backslash within", sjis,         Some("shift_jis"),  "表"),
        ];
        for (name, bytes, label, expected) in cases {
            let names: Vec<String> =
                read(bytes, *label).into_iter().map(|card| card.name).collect();
            assert_eq!(names, [*expected], "{name}");
        }
    }

    #[test]
    fn broken_files_give_what_is_in_them() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &[&str])] = &[
            ("two cards",      "BEGIN:VCARD\nFN:a\nEND:VCARD\n\nBEGIN:VCARD\nFN:b\nEND:VCARD", &["a", "b"]),
            ("end missing",    "BEGIN:VCARD\nFN:a\nBEGIN:VCARD\nFN:b\nEND:VCARD",              &["a", "b"]),
            ("cut off",        "BEGIN:VCARD\nFN:a\nPHOTO;BASE64:\n QUJD",                      &["a"]),
            ("cut in a value", "BEGIN:VCARD\nFN;ENCODING=QUOTED-PRINTABLE:a=",                 &["a"]),
            ("nothing in it",  "BEGIN:VCARD\nVERSION:3.0\nNOTE:x\nEND:VCARD",                  &[]),
            ("text first",     "Hello: x\n\n  BEGIN:VCARD\nFN:a\nEND:VCARD",                   &["a"]),
            ("no card",        "FN:a\nEMAIL:a@example.com",                                    &[]),
            ("calendar",       "BEGIN:VCALENDAR\nN:a\nEND:VCALENDAR",                          &[]),
            ("empty",          "",                                                             &[]),
            ("agent not closed", "BEGIN:VCARD\nFN:a\nAGENT:\nBEGIN:VCARD\nFN:b",               &["a"]),
        ];
        for (name, text, expected) in cases {
            let cards = read(text.as_bytes(), None);
            let names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
            assert_eq!(names, *expected, "{name}");
        }
    }

    #[test]
    fn cards_are_known_by_type_or_name() {
        assert!(is_card("text/x-vcard", "card"));
        assert!(is_card("application/octet-stream", "Ana.VCF"));
        assert!(!is_card("text/plain", "vcf"));
    }

    #[test]
    fn hostile_files_are_bounded() {
        let many = card("FN:a").repeat(1_000);
        assert_eq!(read(many.as_bytes(), None).len(), MAX_CARDS);
        let emails: String =
            (0..5_000).map(|n| format!("EMAIL:a{n}@example.com\nTEL:1{n:03}\n")).collect();
        let cards = read(card(&emails).as_bytes(), None);
        let counts = cards.first().map(|card| (card.emails.len(), card.phones.len()));
        assert_eq!(counts, Some((MAX_KEPT, MAX_KEPT)));
        for piece in [
            "FN;QUOTED-PRINTABLE:=\n=\n",
            " x\n",
            "AGENT:\nBEGIN:VCARD\n",
            "\"",
            ";",
            "\r",
            "N:;;;,,,\\\n",
            "PHOTO:\n AAAA\n",
        ] {
            let text = format!("BEGIN:VCARD\nFN:a{}", piece.repeat(200_000));
            assert!(read(text.as_bytes(), None).len() <= MAX_CARDS, "{piece}");
        }
    }
}
