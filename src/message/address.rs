//! Mail addresses in one normal form. Pure.

use std::collections::HashSet;

use mail_parser::{Addr, parsers::MessageStream};
use unicode_normalization::UnicodeNormalization;

use super::{charset, header::Headers, word};

/// Addresses that one header gives; more are never parties, only lists that leaked.
const MAX_ADDRESSES: usize = 1_000;

/// Bytes of one address header that are read.
const MAX_HEADER: usize = 1 << 20;

/// RFC 5321 allows 254 octets; tagged and rewritten senders (SRS, BATV, VERP) go beyond.
const MAX_ADDRESS: usize = 1_000;

/// Characters of a display name that are kept.
const MAX_NAME: usize = 500;

/// A mail address with its display name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Display name, decoded and trimmed; empty if absent.
    pub name: String,
    /// Normal form: lower case, NFC, domain as A-labels, as [`normalise`] gives it.
    pub email: String,
}

/// The normal form in which addresses are compared: lower case, NFC, domain as A-labels.
///
/// Takes an address with or without angle brackets; `None` if it is no `local@domain` or longer
/// than 1000 bytes. A quoted local part stays quoted unless the quotes say nothing.
pub fn normalise(raw: &str) -> Option<String> {
    if raw.len() > MAX_ADDRESS {
        return None;
    }
    let raw = raw.trim().trim_start_matches('<').trim_end_matches('>').trim();
    let raw = match raw.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => raw.get(7..)?,
        _ => raw,
    };
    // Outlook puts pasted addresses between single quotes.
    let raw = raw.strip_prefix('\'').and_then(|raw| raw.strip_suffix('\'')).unwrap_or(raw);
    let (local, domain) = raw.rsplit_once('@')?;
    let address = format!("{}@{}", normal_local(local.trim())?, normal_domain(domain.trim())?);
    (address.len() <= MAX_ADDRESS).then_some(address)
}

fn normal_local(local: &str) -> Option<String> {
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let text = if quoted { unquote(local.get(1..local.len() - 1)?) } else { local.to_owned() };
    // Lower case may undo composition (`İ`), so it comes between two.
    let text: String = text.nfc().flat_map(char::to_lowercase).nfc().collect();
    if text.is_empty() || text.chars().any(|c| c.is_control() || charset::is_invisible(c)) {
        return None;
    }
    let special = |c: char| c.is_whitespace() || r#"<>()[],;:"\@"#.contains(c);
    if !text.contains(special) {
        return Some(text);
    }
    quoted.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

fn unquote(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

fn normal_domain(domain: &str) -> Option<String> {
    let domain = domain.trim_end_matches('.');
    if domain.is_empty() || domain.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    if domain.starts_with('[') {
        // An address literal, such as [192.0.2.1].
        let inside = domain.strip_prefix('[')?.strip_suffix(']')?;
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-');
        return (!inside.is_empty() && inside.chars().all(valid))
            .then(|| domain.to_ascii_lowercase());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let ascii = match idna::domain_to_ascii(domain) {
        Ok(ascii) => ascii,
        // Names that IDNA refuses but the DNS has, such as `r3---x.example.com`.
        Err(_) if domain.is_ascii() => domain.to_ascii_lowercase(),
        Err(_) => return None,
    };
    let ascii = ascii.trim_end_matches('.');
    (!ascii.is_empty() && ascii.chars().all(plain)).then(|| ascii.to_owned())
}

/// The address without the `+tag` of its local part, which most servers ignore.
pub fn untag(email: &str) -> String {
    let Some((local, domain)) = email.rsplit_once('@') else {
        return email.to_owned();
    };
    match local.split_once('+') {
        Some((name, _)) if !name.is_empty() && !name.starts_with('"') => format!("{name}@{domain}"),
        _ => email.to_owned(),
    }
}

/// What follows the last `@`; empty if there is none.
pub fn domain(email: &str) -> &str {
    email.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// The local part; the whole text if there is no `@`.
pub fn local(email: &str) -> &str {
    email.rsplit_once('@').map_or(email, |(local, _)| local)
}

/// The addresses of all headers of this name, each once, at most 1000. Groups are opened, what is
/// no address is left out.
pub fn of_header(headers: &Headers<'_>, name: &str, hint: Option<&str>) -> Vec<Address> {
    let mut addresses = Vec::new();
    let mut seen = HashSet::new();
    for value in headers.all(name) {
        for address in list(&value, hint) {
            if addresses.len() == MAX_ADDRESSES {
                return addresses;
            }
            if seen.insert(address.email.clone()) {
                addresses.push(address);
            }
        }
    }
    addresses
}

/// The addresses in one unfolded header value.
fn list(value: &[u8], hint: Option<&str>) -> Vec<Address> {
    let value = value.get(..value.len().min(MAX_HEADER)).unwrap_or_default();
    let text = charset::decode_unlabelled(value, hint);
    // mail-parser ends a value at a line feed, and decodes words one by one.
    let mut text = if text.contains("=?") { word::joined(&text) } else { text };
    text.push('\n');
    let parsed = MessageStream::new(text.as_bytes()).parse_address().into_address();
    let Some(parsed) = parsed else {
        return Vec::new();
    };
    let mut addresses = Vec::new();
    let mut take = |addr: &Addr<'_>| addresses.extend(address_of(addr));
    match &parsed {
        mail_parser::Address::List(list) => list.iter().take(MAX_ADDRESSES).for_each(&mut take),
        mail_parser::Address::Group(groups) => {
            groups.iter().flat_map(|group| &group.addresses).take(MAX_ADDRESSES).for_each(&mut take)
        }
    }
    addresses
}

fn address_of(addr: &Addr<'_>) -> Option<Address> {
    let name = addr.name.as_deref().unwrap_or_default();
    let address = addr.address.as_deref().unwrap_or_default();
    if let Some(email) = normalise(address) {
        return Some(Address { name: display_name(name), email });
    }
    // `"ana ruiz"@example.com` without angle brackets comes apart as name and domain.
    if let Some(domain) = address.strip_prefix('@') {
        let quoted = format!("\"{}\"@{domain}", name.replace('\\', "\\\\").replace('"', "\\\""));
        return Some(Address { name: String::new(), email: normalise(&quoted)? });
    }
    // Name and address together in one encoded word, or the address as the name.
    let (name, email) = match name.rsplit_once('<') {
        Some((name, rest)) => (name, rest.split('>').next().unwrap_or_default()),
        None => ("", name),
    };
    Some(Address { name: display_name(name), email: normalise(email)? })
}

fn display_name(name: &str) -> String {
    let name = charset::one_line(name, MAX_NAME);
    // `'Ana Ruiz' via list` keeps its quotes, `'Ana Ruiz'` (Outlook) does not.
    let inner = name.strip_prefix(['\'', '"']).and_then(|name| name.strip_suffix(['\'', '"']));
    inner.map_or(name.clone(), |inner| inner.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_form() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("plain",            "ana@example.com",                Some("ana@example.com")),
            ("case",             "Ana.RUIZ@Example.COM",           Some("ana.ruiz@example.com")),
            ("brackets",         " <ana@example.com> ",            Some("ana@example.com")),
            ("single quotes",    "'ana@example.com'",              Some("ana@example.com")),
            ("apostrophe",       "o'neil@example.com",             Some("o'neil@example.com")),
            ("mailto",           "mailto:ana@example.com",         Some("ana@example.com")),
            ("idn",              "ana@Müller.example",             Some("ana@xn--mller-kva.example")),
            ("a-labels",         "ana@XN--mller-kva.example",      Some("ana@xn--mller-kva.example")),
            ("decomposed",       "jose\u{301}@example.com",        Some("josé@example.com")),
            ("cyrillic",         "Иван@пример.example",            Some("иван@xn--e1afmkfd.example")),
            ("tag",              "ana+x@example.com",              Some("ana+x@example.com")),
            ("trailing dot",     "ana@example.com.",               Some("ana@example.com")),
            ("quoted, needless", "\"ana.ruiz\"@example.com",       Some("ana.ruiz@example.com")),
            ("quoted",           "\"Ana Ruiz\"@example.com",       Some("\"ana ruiz\"@example.com")),
            ("quoted at",        "\"a@b\"@example.com",            Some("\"a@b\"@example.com")),
            ("literal",          "ana@[192.0.2.1]",                Some("ana@[192.0.2.1]")),
            ("underscore",       "ana@my_host.example",            Some("ana@my_host.example")),
            ("hyphens",          "ana@r3---sn.example",            Some("ana@r3---sn.example")),
            ("local host",       "root@localhost",                 Some("root@localhost")),
            ("blanks at @",      "ana @ example.com",              Some("ana@example.com")),
            ("slash",            "a/b=c@example.com",              Some("a/b=c@example.com")),
            ("no domain",        "ana",                            None),
            ("empty domain",     "ana@",                           None),
            ("empty local",      "@example.com",                   None),
            ("blank inside",     "ana ruiz@example.com",           None),
            ("two at",           "a@b@example.com",                None),
            ("control",          "a\u{7}b@example.com",            None),
            ("bad domain",       "ana@exa mple.com",               None),
            ("dots",             "ana@...",                        None),
            ("empty",            "",                               None),
        ];
        for (name, raw, email) in cases {
            let found = normalise(raw);
            assert_eq!(found.as_deref(), *email, "{name}");
            if let Some(found) = found {
                assert_eq!(normalise(&found).as_deref(), Some(found.as_str()), "{name}, again");
            }
        }
        assert_eq!(normalise(&format!("{}@example.com", "a".repeat(1_001))), None);
    }

    #[test]
    fn tag_and_domain_come_off() {
        assert_eq!(untag("ana+news+x@example.com"), "ana@example.com");
        assert_eq!(untag("ana@example.com"), "ana@example.com");
        assert_eq!(untag("+x@example.com"), "+x@example.com");
        assert_eq!(untag("\"a+b c\"@example.com"), "\"a+b c\"@example.com");
        assert_eq!(domain("ana@example.com"), "example.com");
        assert_eq!(domain("\"a@b\"@example.com"), "example.com");
        assert_eq!(domain("ana"), "");
    }

    /// Name of the case, header value, names and addresses.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    #[test]
    fn headers_give_every_address_in_them() {
        #[rustfmt::skip]
        let cases: &[Case<'_>] = &[
            ("bare",           "ana@example.com",                       &[("", "ana@example.com")]),
            ("name",           "Ana Ruiz <ana@example.com>",            &[("Ana Ruiz", "ana@example.com")]),
            ("quoted comma",   "\"Ruiz, Ana\" <ana@example.com>, bo@example.com",
                               &[("Ruiz, Ana", "ana@example.com"), ("", "bo@example.com")]),
            ("encoded comma",  "=?utf-8?Q?Ruiz=2C_Ana?= <ana@example.com>", &[("Ruiz, Ana", "ana@example.com")]),
            ("encoded, cut",   "=?utf-8?B?0J/R?= =?utf-8?B?gNC4?= <p@example.com>", &[("При", "p@example.com")]),
            ("encoded in quotes", "\"=?utf-8?Q?M=C3=BCller?=\" <m@example.com>", &[("Müller", "m@example.com")]),
            ("comment",        "ana@example.com (Ana Ruiz)",            &[("Ana Ruiz", "ana@example.com")]),
            ("group",          "Sales: ana@example.com, bo@example.com;", &[("", "ana@example.com"), ("", "bo@example.com")]),
            ("empty group",    "undisclosed-recipients:;",              &[]),
            ("semicolons",     "ana@example.com; bo@example.com",       &[("", "ana@example.com"), ("", "bo@example.com")]),
            ("no domain",      "root, Ana <ana@example.com>",           &[("Ana", "ana@example.com")]),
            ("twice",          "ana@example.com, Ana <ANA@example.com>", &[("", "ana@example.com")]),
            ("single quotes",  "'Ana Ruiz' <ana@example.com>",          &[("Ana Ruiz", "ana@example.com")]),
            ("address as name", "\"ana@example.com\" <ana@example.com>", &[("ana@example.com", "ana@example.com")]),
            ("not closed",     "Ana <ana@example.com",                  &[("Ana", "ana@example.com")]),
            ("quoted local",   "\"Ana Ruiz\"@example.com",              &[("", "\"ana ruiz\"@example.com")]),
            ("all in one word", "=?utf-8?Q?Ana_=3Cana=40example.com=3E?=", &[("Ana", "ana@example.com")]),
            ("raw utf-8",      "Jürgen Müller <j@example.com>",         &[("Jürgen Müller", "j@example.com")]),
            ("idn",            "a@bücher.example",                      &[("", "a@xn--bcher-kva.example")]),
            ("override in name", "\u{202e}Ana <ana@example.com>",       &[("Ana", "ana@example.com")]),
            ("empty",          "",                                      &[]),
            ("null path",      "<>",                                    &[]),
        ];
        for (name, value, expected) in cases {
            let raw = format!("To: {value}\n\n");
            let found = of_header(&Headers::of_message(raw.as_bytes()), "to", None);
            let found: Vec<(&str, &str)> =
                found.iter().map(|a| (a.name.as_str(), a.email.as_str())).collect();
            assert_eq!(found, *expected, "{name}");
        }
    }

    #[test]
    fn addresses_of_one_header_are_bounded() {
        let many: Vec<String> = (0..5_000).map(|n| format!("a{n}@example.com")).collect();
        let raw = format!("To: {}\n\n", many.join(",\n "));
        let found = of_header(&Headers::of_message(raw.as_bytes()), "to", None);
        assert_eq!(found.len(), MAX_ADDRESSES);
    }
}
