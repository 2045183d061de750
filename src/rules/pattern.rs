//! What an administrator writes to name addresses: an address, a domain, a `*` pattern. Pure.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// One line of `exclude` or `always_new_lead_for`.
///
/// - `ann@example.com`: this address;
/// - `example.com` or `@example.com`: every address at this domain, not at its subdomains;
/// - with `*` for any run of characters, also none: `*@newsletter.example`, `no-reply*@*`,
///   `*.example.com` (every subdomain). Without an `@` it is a pattern of domains if it has a dot,
///   else of whole addresses (`*newsletter*`).
///
/// Upper and lower case are the same. Matching takes time in proportion to the address and the
/// pattern, whatever they are: mail decides neither how long nor how often we search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As it was written, for the evidence.
    written: String,
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// Nothing usable was written.
    Never,
    Address(String),
    Domain(String),
    /// Local part and domain, each with or without stars.
    Parts {
        local: Glob,
        domain: Glob,
    },
    DomainGlob(Glob),
    Whole(Glob),
}

impl Pattern {
    /// Reads a pattern in any spelling; one that names nothing (empty, `@`) matches nothing.
    pub fn new(written: &str) -> Pattern {
        Pattern { written: written.to_owned(), shape: shape(&fold(written.trim())) }
    }

    /// Whether `email`, in normal form (`message::address`), is named by the pattern.
    pub fn matches(&self, email: &str) -> bool {
        Pattern::first(std::slice::from_ref(self), email).is_some()
    }

    /// The first of the patterns that names `email`; mails with hundreds of recipients are asked
    /// about hundreds of times.
    pub fn first<'a>(patterns: &'a [Pattern], email: &str) -> Option<&'a Pattern> {
        let email = fold(email);
        let (local, domain) = email.rsplit_once('@').unwrap_or((&email, ""));
        patterns.iter().find(|pattern| pattern.names(&email, local, domain))
    }

    fn names(&self, email: &str, local: &str, domain: &str) -> bool {
        match &self.shape {
            Shape::Never => false,
            Shape::Address(address) => address == email,
            Shape::Domain(name) => name == domain,
            Shape::Parts { local: in_local, domain: in_domain } => {
                in_local.matches(local) && in_domain.matches(domain)
            }
            Shape::DomainGlob(glob) => !domain.is_empty() && glob.matches(domain),
            Shape::Whole(glob) => glob.matches(email),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)
    }
}

fn shape(folded: &str) -> Shape {
    let starred = folded.contains('*');
    match folded.rsplit_once('@') {
        Some((_, "")) => Shape::Never,
        // The last `@` parts an address: a quoted local part may hold more (RFC 5321 §4.1.2).
        Some(("", domain)) if !starred => Shape::Domain(a_labels(domain)),
        Some(("", domain)) => Shape::DomainGlob(Glob::new(&a_labels(domain))),
        Some((local, domain)) if !starred => {
            Shape::Address(format!("{local}@{}", a_labels(domain)))
        }
        Some((local, domain)) => {
            Shape::Parts { local: Glob::new(local), domain: Glob::new(&a_labels(domain)) }
        }
        None if folded.is_empty() => Shape::Never,
        None if !starred => Shape::Domain(a_labels(folded)),
        None if folded.contains('.') => Shape::DomainGlob(Glob::new(&a_labels(folded))),
        None => Shape::Whole(Glob::new(folded)),
    }
}

/// Lower case and NFC, so that two spellings of one letter are one.
fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.to_lowercase().nfc().collect())
}

/// The domain as it stands in an address in normal form. Labels with a star stay as written: a
/// part of a label has no A-label.
fn a_labels(domain: &str) -> String {
    domain
        .split('.')
        .map(|label| {
            if label.is_ascii() || label.contains('*') {
                return label.to_owned();
            }
            idna::domain_to_ascii(label).unwrap_or_else(|_| label.to_owned())
        })
        .collect::<Vec<_>>()
        .join(".")
}

/// Fixed pieces with anything between them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob {
    first: String,
    /// What stands between the first and the last star, in order, without empty pieces.
    middle: Vec<String>,
    /// `None` if there is no star at all.
    last: Option<String>,
}

impl Glob {
    fn new(text: &str) -> Glob {
        let mut pieces = text.split('*');
        let first = pieces.next().unwrap_or_default().to_owned();
        let mut middle: Vec<String> = pieces.map(str::to_owned).collect();
        let last = middle.pop();
        middle.retain(|piece| !piece.is_empty());
        Glob { first, middle, last }
    }

    fn matches(&self, text: &str) -> bool {
        let Some(last) = &self.last else {
            return self.first == text;
        };
        let Some(rest) = text.strip_prefix(self.first.as_str()) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else {
            return false;
        };
        // The leftmost place of each piece leaves the most room for the next, so that nothing
        // ever has to be taken back; `find` itself is linear (Two-Way).
        for piece in &self.middle {
            // Says no, as it mostly is, without the preparations of a search.
            if !rest.contains(piece.as_str()) {
                return false;
            }
            rest = rest.split_once(piece.as_str()).map_or("", |(_, after)| after);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity)]

    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_names_an_address_a_domain_or_what_its_stars_leave_open() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str, bool)] = &[
            ("whole address",             "ann@example.com",      "ann@example.com",           true),
            ("another person",            "ann@example.com",      "joann@example.com",         false),
            ("tag is another address",    "ann@example.com",      "ann+x@example.com",         false),
            ("upper case in the pattern", "Ann@Example.COM",      "ann@example.com",           true),
            ("upper case in the address", "ann@example.com",      "ANN@Example.com",           true),
            ("blanks around it",          "  ann@example.com ",   "ann@example.com",           true),
            ("domain",                    "example.com",          "ann@example.com",           true),
            ("domain with @",             "@example.com",         "ann@example.com",           true),
            ("domain in capitals",        "EXAMPLE.com",          "ann@example.com",           true),
            ("no subdomain",              "example.com",          "ann@mail.example.com",      false),
            ("no longer domain",          "example.com",          "ann@myexample.com",         false),
            ("no domain before it",       "example.com",          "ann@example.com.evil.test", false),
            ("domain is no local part",   "example.com",          "example.com@evil.test",     false),
            ("every local part",          "*@newsletter.example", "x.y@newsletter.example",    true),
            ("local part only",           "*@newsletter.example", "x@a.newsletter.example",    false),
            ("start, any domain",         "no-reply*@*",          "no-reply-77@shop.example",  true),
            ("star stands for nothing",   "no-reply*@*",          "no-reply@shop.example",     true),
            ("start must be the start",   "no-reply*@*",          "do-no-reply@shop.example",  false),
            ("start is no domain",        "no-reply*@*",          "ann@no-reply.example",      false),
            ("end of the local part",     "*-bounces@*.org",      "list-bounces@a.example.org", true),
            ("star inside",               "b*b@example.com",      "bob@example.com",           true),
            ("ends may not overlap",      "bob*bob@example.com",  "bob@example.com",           false),
            ("pieces in order",           "*a*b*@example.com",    "xaxbx@example.com",         true),
            ("pieces out of order",       "*a*b*@example.com",    "xbxax@example.com",         false),
            ("two stars are one",         "**@example.com",       "ann@example.com",           true),
            ("an @ in the local part",     "a*@example.com",       "a@b@example.com",           true),
            ("subdomains",                "*.example.com",        "ann@a.b.example.com",       true),
            ("subdomains, not itself",    "*.example.com",        "ann@example.com",           false),
            ("subdomains with @",         "@*.example.com",       "ann@a.example.com",         true),
            ("any ending",                "example.*",            "ann@example.org",           true),
            ("any ending is of domains",  "example.*",            "example.x@other.test",      false),
            ("word anywhere",             "*newsletter*",         "newsletter@shop.example",   true),
            ("word in the domain",        "*newsletter*",         "ann@newsletter.example",    true),
            ("word not there",            "*newsletter*",         "ann@shop.example",          false),
            ("start of the address",      "noreply*",             "noreply7@shop.example",     true),
            ("everybody",                 "*",                    "ann@example.com",           true),
            ("every address",             "*@*",                  "ann@example.com",           true),
            ("umlaut domain",             "@müller.example",      "ann@xn--mller-kva.example", true),
            ("umlaut, two code points",   "mu\u{308}ller.example", "ann@xn--mller-kva.example", true),
            ("umlaut below a star",       "*.müller.example",     "a@x.xn--mller-kva.example", true),
            ("umlaut in the local part",  "JÖRG@example.com",     "jörg@example.com",          true),
            ("a dot is a dot",            "example.com",          "ann@examplescom",           false),
            ("brackets mean nothing",     "[a-z]*@example.com",   "ann@example.com",           false),
            ("empty",                     "",                     "ann@example.com",           false),
            ("blank",                     "   ",                  "ann@example.com",           false),
            ("only an @",                 "@",                    "ann@example.com",           false),
            ("no domain",                 "ann@",                 "ann@example.com",           false),
            ("address without a domain",  "example.com",          "ann",                       false),
            ("quoted local part",         "\"a@b\"@example.com",  "\"a@b\"@example.com",       true),
        ];
        for (name, pattern, email, expected) in cases {
            assert_eq!(Pattern::new(pattern).matches(email), *expected, "{name}");
        }
    }

    #[test]
    fn a_pattern_shows_as_it_was_written() {
        assert_eq!(Pattern::new("*@Newsletter.Example").to_string(), "*@Newsletter.Example");
    }

    #[test]
    fn many_stars_against_a_long_address_take_no_time() {
        let pattern = Pattern::new(&format!("{}b@*", "a*".repeat(2_000)));
        let address = format!("{}@example.com", "a".repeat(200_000));
        let started = Instant::now();
        assert!(!pattern.matches(&address));
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    /// The textbook definition, slow but plain.
    fn slowly(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| slowly(rest, &text[taken..])),
            Some((first, rest)) => text.first() == Some(first) && slowly(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_glob_means_what_the_textbook_says(pattern in "[ab*]{0,7}", text in "[ab]{0,10}") {
            let p: Vec<char> = pattern.chars().collect();
            let t: Vec<char> = text.chars().collect();
            prop_assert_eq!(Glob::new(&pattern).matches(&text), slowly(&p, &t));
        }

        #[test]
        fn any_text_is_a_pattern_and_any_text_can_be_asked(pattern in ".*", email in ".*") {
            Pattern::new(&pattern).matches(&email);
        }
    }
}
