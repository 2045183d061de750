//! Mail addresses in one normal form. Pure.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use super::{address_list, charset, header::Headers, word};

/// Addresses that one header gives; more are never parties, only lists that leaked.
const MAX_ADDRESSES: usize = 1_000;

/// Bytes that are read of all headers of one name: six names (From, Sender, Reply-To, To, Cc, Bcc)
/// bound what a message costs. A thousand addresses with long names take a fifth of it.
const MAX_OCTETS: usize = 512 * 1024;

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

/// The local part; the whole text if there is no `@`.
pub fn local(email: &str) -> &str {
    email.rsplit_once('@').map_or(email, |(local, _)| local)
}

/// The addresses of all headers of this name, each once, at most 1000. Groups are opened, what is
/// no address is left out.
pub fn of_header(headers: &Headers<'_>, name: &str, hint: Option<&str>) -> Vec<Address> {
    let mut addresses = Vec::new();
    let mut seen = HashSet::new();
    let mut left = MAX_OCTETS;
    for value in headers.all(name) {
        let value = value.get(..value.len().min(left)).unwrap_or_default();
        left -= value.len();
        let text = word::sealed(&charset::decode_unlabelled(value, hint));
        for address in address_list::read(&text, MAX_ADDRESSES) {
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

/// A display name on one line, without the quotes that are no part of it.
pub fn display_name(name: &str) -> String {
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
            ("encoded in both quotes", "\"'=?iso-8859-1?Q?J=FCrgen?='\" <j@example.com>", &[("Jürgen", "j@example.com")]),
            ("encoded after a mark", "R.=?utf-8?Q?M=C3=BC?=/=?utf-8?Q?B?=[=?utf-8?Q?C?=]-_=?utf-8?Q?D?= <m@example.com>", &[("R.Mü/B[C]-_D", "m@example.com")]),
            ("encoded address",  "Ana <=?utf-8?Q?ana=40example.com?=>",  &[("Ana", "ana@example.com")]),
            ("no word",          "=?aa b?q? Ana <ana@example.com>",      &[("=?aa b?q? Ana", "ana@example.com")]),
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
        // Each To: alone is small, all of them are not.
        let value = "=?aa b?q? ".repeat(10_000);
        let raw = format!("To: {value}\n").repeat(40) + "To: ana@example.com\n\n";
        let found = of_header(&Headers::of_message(raw.as_bytes()), "to", None);
        assert_eq!(found, []);
    }
}
