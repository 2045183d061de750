//! Lists of addresses (RFC 5322 sections 3.4 and 4.4), as they are sent and not only as they
//! should be. Pure.
//!
//! A parser of our own: mail-parser 0.11.9 looks behind every `=?` for the end of a word, to the
//! end of the text (512 KiB of `=?aa b?q? ` took 14 G steps), and gives for a name what is plainly
//! an address but stands outside the grammar. Whom a client's mail is from decides whether it
//! reaches the CRM.

use super::address::{Address, display_name, normalise};
use super::word;

/// A mailbox falls into these, in their order.
#[derive(Clone, Copy)]
enum Piece<'x> {
    Text(&'x str),
    /// Without its quotes, still with its backslashes.
    Quoted(&'x str),
    Comment(&'x str),
    Angle(&'x str),
}

/// The addresses of a list in their order, at most `max`. Groups are opened, what is no address
/// is left out. `text` is one line whose encoded words are sealed ([`word::sealed`]).
pub fn read(text: &str, max: usize) -> Vec<Address> {
    let mut addresses = Vec::new();
    let mut closing = Closing { quotes: true, comments: true };
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    // Whether this mailbox has shown an address: a colon then ends no group's name.
    let mut begun = false;
    let mut start = 0;
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let (piece, after) = match byte {
            b'"' => closing.quoted(text, at),
            b'(' => closing.comment(text, at),
            b'<' => angle(&mut closing, text, at),
            b'>' | b',' | b';' => (None, at + 1),
            b':' if !begun && !ends_in_mailto(text, start, at) => (None, at + 1),
            byte => {
                begun = begun || *byte == b'@';
                at += 1;
                continue;
            }
        };
        push_text(&mut pieces, text, start, at);
        (start, at) = (after, after);
        begun = begun || matches!(piece, Some(Piece::Angle(_)));
        pieces.extend(piece);
        match byte {
            b',' | b';' => mailbox(&pieces, &mut addresses),
            b':' => {}
            _ => continue,
        }
        pieces.clear();
        begun = false;
        if addresses.len() >= max {
            break;
        }
    }
    push_text(&mut pieces, text, start, at);
    mailbox(&pieces, &mut addresses);
    addresses.truncate(max);
    addresses
}

fn push_text<'x>(pieces: &mut Vec<Piece<'x>>, text: &'x str, start: usize, end: usize) {
    if let Some(text) = text.get(start..end)
        && !text.is_empty()
    {
        pieces.push(Piece::Text(text));
    }
}

fn ends_in_mailto(text: &str, start: usize, end: usize) -> bool {
    let scheme =
        end.checked_sub(6).filter(|from| *from >= start).and_then(|from| text.get(from..end));
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto"))
}

/// Whether there is hope for an end: what was once sought to the end of the text in vain is not
/// sought again, or a text of nothing but quotes would take the square of its length.
struct Closing {
    quotes: bool,
    comments: bool,
}

impl Closing {
    /// Where the quoted string that opens at `at` ends.
    fn quote_end(&mut self, text: &str, at: usize) -> Option<usize> {
        let mut end = at + 1;
        while self.quotes {
            match text.as_bytes().get(end) {
                Some(b'\\') => end += 2,
                Some(b'"') => return Some(end),
                Some(_) => end += 1,
                None => self.quotes = false,
            }
        }
        None
    }

    /// A quote that nothing closes says nothing: `"Ana <ana@example.com>, Bo <bo@example.com>`.
    fn quoted<'x>(&mut self, text: &'x str, at: usize) -> (Option<Piece<'x>>, usize) {
        match self.quote_end(text, at) {
            Some(end) => (text.get(at + 1..end).map(Piece::Quoted), end + 1),
            None => (None, at + 1),
        }
    }

    fn comment<'x>(&mut self, text: &'x str, at: usize) -> (Option<Piece<'x>>, usize) {
        let mut depth = 0usize;
        let mut end = at;
        while self.comments {
            match text.as_bytes().get(end) {
                Some(b'\\') => end += 1,
                Some(b'(') => depth += 1,
                Some(b')') if depth == 1 => {
                    return (text.get(at + 1..end).map(Piece::Comment), end + 1);
                }
                Some(b')') => depth -= 1,
                Some(_) => {}
                None => self.comments = false,
            }
            end += 1;
        }
        (None, at + 1)
    }
}

/// What stands between angle brackets. Of `<Ana <ana@example.com>>` only the inner pair counts;
/// a bracket that nothing closes goes to the end of the mailbox.
fn angle<'x>(closing: &mut Closing, text: &'x str, at: usize) -> (Option<Piece<'x>>, usize) {
    let mut from = at + 1;
    if text.as_bytes().get(from) == Some(&b'"') {
        from = closing.quote_end(text, from).map_or(from, |end| end + 1);
    }
    let rest = text.get(from..).unwrap_or_default();
    let end = rest.find(['<', '>']).map(|end| from + end);
    match end.map(|end| (end, text.as_bytes().get(end))) {
        Some((_, Some(b'<'))) => (None, at + 1),
        Some((end, _)) => (text.get(at + 1..end).map(Piece::Angle), end + 1),
        None => {
            let end = rest.find([',', ';']).map_or(text.len(), |end| from + end);
            (text.get(at + 1..end).map(Piece::Angle), end)
        }
    }
}

/// The addresses of one mailbox, of which there should be one.
fn mailbox(pieces: &[Piece<'_>], addresses: &mut Vec<Address>) {
    let before = addresses.len();
    let mut named = 0;
    for (index, piece) in pieces.iter().enumerate() {
        let Piece::Angle(inside) = piece else {
            continue;
        };
        let emails = in_angle(inside);
        if emails.is_empty() {
            continue;
        }
        let mut name = shown(pieces.get(named..index).unwrap_or_default());
        if name.is_empty() {
            name = remark(pieces.get(index + 1..).unwrap_or_default());
        }
        named = index + 1;
        let names = std::iter::once(name).chain(std::iter::repeat(String::new()));
        addresses
            .extend(emails.into_iter().zip(names).map(|(email, name)| Address { name, email }));
    }
    if addresses.len() > before {
        return;
    }
    // `ana@example.com (Ana)`, `"ana ruiz"@example.com`, `ana(home)@example.com`.
    let whole: String = pieces
        .iter()
        .flat_map(|piece| match piece {
            Piece::Text(text) => ["", text, ""],
            Piece::Quoted(text) => ["\"", text, "\""],
            Piece::Comment(_) | Piece::Angle(_) => [""; 3],
        })
        .collect();
    if let Some(email) = normalise(&word::unsealed(&whole)) {
        addresses.push(Address { name: remark(pieces), email });
        return;
    }
    let flat = flat(pieces);
    let mut named = 0;
    for (start, end, email) in plain_addresses(&flat) {
        let name = display_name(trimmed(flat.get(named..start).unwrap_or_default()));
        named = end;
        addresses.push(Address { name, email });
    }
}

fn in_angle(inside: &str) -> Vec<String> {
    let inside = word::unsealed(inside);
    let inside = inside.trim();
    // `@relay.example:ana@example.com`: a route, which says nothing today (RFC 5322 section 4.4).
    let route = inside.starts_with('@').then(|| inside.split_once(':')).flatten();
    let inside = route.map_or(inside, |(_, address)| address);
    match normalise(inside).or_else(|| normalise(&closed_up(inside))) {
        Some(email) => vec![email],
        None => plain_addresses(inside).map(|(_, _, email)| email).collect(),
    }
}

/// An address without comments, and without blanks around its dots and its `@`: both may stand
/// there (RFC 5322 sections 3.4.1 and 4.4), and a fold is such a blank. What is quoted stays.
fn closed_up(address: &str) -> String {
    let mut kept = String::with_capacity(address.len());
    let mut closing = Closing { quotes: true, comments: true };
    let mut at = 0;
    while let Some(c) = address.get(at..).and_then(|rest| rest.chars().next()) {
        let end = match c {
            '"' => closing.quote_end(address, at).map_or(at + 1, |end| end + 1),
            '(' => {
                at = closing.comment(address, at).1;
                continue;
            }
            c => at + c.len_utf8(),
        };
        let piece = address.get(at..end).unwrap_or_default();
        if matches!(c, '.' | '@') {
            kept.truncate(kept.trim_end().len());
        }
        if !(c.is_whitespace() && kept.ends_with(['.', '@'])) {
            kept.push_str(piece);
        }
        at = end;
    }
    kept
}

/// The pieces as a person reads them, as a name.
fn shown(pieces: &[Piece<'_>]) -> String {
    if pieces.iter().all(|piece| match piece {
        Piece::Text(text) => text.trim().is_empty(),
        Piece::Comment(_) => true,
        Piece::Quoted(_) | Piece::Angle(_) => false,
    }) {
        return remark(pieces);
    }
    let flat = flat(pieces);
    // What is quoted was meant as it stands, whatever marks it begins or ends with.
    let quoted = pieces.iter().all(|piece| match piece {
        Piece::Quoted(_) => true,
        Piece::Text(text) => text.trim().is_empty(),
        Piece::Comment(_) | Piece::Angle(_) => false,
    });
    let name = if quoted { flat.trim() } else { trimmed(&flat) };
    // `<secretary@example.com> on behalf of Ana <ana@example.com>`, as Outlook shows it.
    let of = name.get(..13).is_some_and(|head| head.eq_ignore_ascii_case("on behalf of "));
    display_name(if of { name.get(13..).unwrap_or_default() } else { name })
}

/// The first comment before the next address, which old programs write for the name.
fn remark(pieces: &[Piece<'_>]) -> String {
    let mut here = pieces.iter().take_while(|piece| !matches!(piece, Piece::Angle(_)));
    here.find_map(|piece| match piece {
        Piece::Comment(text) => Some(display_name(&word::unsealed(&unescaped(text)))),
        Piece::Text(_) | Piece::Quoted(_) | Piece::Angle(_) => None,
    })
    .unwrap_or_default()
}

fn flat(pieces: &[Piece<'_>]) -> String {
    let mut flat = String::new();
    let mut pieces = pieces.iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Text(text) => flat.push_str(text),
            Piece::Quoted(text) => {
                // A quoted local part must not be read as the words it consists of.
                let local =
                    matches!(pieces.peek(), Some(Piece::Text(next)) if next.starts_with('@'));
                flat.push_str(&unescaped(text));
                flat.push_str(if local { "\"" } else { "" });
            }
            Piece::Comment(text) => {
                flat.push('(');
                flat.push_str(&unescaped(text));
                flat.push(')');
            }
            Piece::Angle(_) => flat.push(' '),
        }
    }
    word::unsealed(&flat)
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

fn trimmed(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || "<[,;:".contains(c))
        .trim_end_matches(['(', '"'])
}

/// Words of a text that are addresses by themselves, each with where it starts and ends. A domain
/// must have a dot here: `ana@work` among words is no address.
fn plain_addresses(text: &str) -> impl Iterator<Item = (usize, usize, String)> + '_ {
    let mut end = 0;
    text.split(|c: char| c.is_whitespace() || "<>()[],;\"|".contains(c)).filter_map(move |token| {
        let start = end;
        end = start + token.len();
        let found = (start, end);
        // One octet or more for the separator, whatever it was.
        end += text.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        if !token.contains('@') {
            return None;
        }
        // `mailto:ana@example.com`, `E-mail:ana@example.com`.
        let word = token.rsplit(':').find(|word| word.contains('@'))?;
        let email = normalise(word.trim_matches(['.', '\'', '*']))?;
        let (_, domain) = email.rsplit_once('@')?;
        domain.contains('.').then_some((found.0, found.1, email))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name of the case, header value, names and addresses.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    #[test]
    fn an_address_that_is_plainly_there_is_found() {
        #[rustfmt::skip]
        let cases: &[Case<'_>] = &[
            ("no brackets",      "Ana Ruiz ana@x.org",              &[("Ana Ruiz", "ana@x.org")]),
            ("blank for comma",  "a@x.org b@x.org",                 &[("", "a@x.org"), ("", "b@x.org")]),
            ("two in brackets",  "Ana <ana@x.org> <b@x.org>",       &[("Ana", "ana@x.org"), ("", "b@x.org")]),
            ("on behalf",        "<j@x.org> on behalf of Z <z@x.org>", &[("", "j@x.org"), ("Z", "z@x.org")]),
            ("comma in brackets", "Ana <a@x.org,b@x.org>",          &[("Ana", "a@x.org"), ("", "b@x.org")]),
            ("semicolon in brackets", "Ana <a@x.org; b@x.org>",     &[("Ana", "a@x.org"), ("", "b@x.org")]),
            ("brackets twice",   "<Ana <ana@x.org>>, bo@x.org",     &[("Ana", "ana@x.org"), ("", "bo@x.org")]),
            ("link",             "foo [mailto:ana@x.org]",          &[("foo", "ana@x.org")]),
            ("bare link",        "mailto:ana@x.org",                &[("", "ana@x.org")]),
            ("route",            "Ana <@relay:ana@x.org>",          &[("Ana", "ana@x.org")]),
            ("long route",       "<@a.org,@b.org:ana@x.org>",       &[("", "ana@x.org")]),
            ("open quote",       "\"Ana <ana@x.org>, Bo <b@x.org>", &[("Ana", "ana@x.org"), ("Bo", "b@x.org")]),
            ("comment in address", "ana(c)@x.org",                  &[("c", "ana@x.org")]),
            ("only a domain",    "Ana Ruiz @x.org",                 &[]),
            ("quotes about all", "\"Ana <ana@x.org>\"",             &[("Ana", "ana@x.org")]),
            ("empty brackets",   "\"ana@x.org\" <>",                &[("", "ana@x.org")]),
            ("quoted local and more", "\"Ana Ruiz\"@x.org b@x.org", &[("Ana Ruiz\"@x.org", "b@x.org")]),
            ("bracket not closed", "Ana <ana@x.org, Bo <b@x.org>",  &[("Ana", "ana@x.org"), ("Bo", "b@x.org")]),
            ("comment not closed", "Ana (x <ana@x.org>",            &[("Ana x", "ana@x.org")]),
            ("address in comment", "Ana (ana@x.org)",               &[("Ana", "ana@x.org")]),
            ("quoted bracket",   "<\"a>b\"@x.org>",                 &[("", "\"a>b\"@x.org")]),
            ("comment for name", "<ana@x.org> (Ana \\(R\\))",       &[("Ana (R)", "ana@x.org")]),
            ("comment in name",  "Ana Ruiz (Sales) <ana@x.org>",    &[("Ana Ruiz (Sales)", "ana@x.org")]),
            ("marks in quotes",  "\"<Ana> \\\"Nani\\\"\" <ana@x.org>", &[("<Ana> \"Nani\"", "ana@x.org")]),
            ("comments in brackets", "Ana <ana(home)@(a (b))x(c).org (d)>", &[("Ana", "ana@x.org")]),
            ("blanks at dots",   "Ana <ana . ruiz@x .org>",         &[("Ana", "ana.ruiz@x.org")]),
            ("blank in a word",  "Ana <ana ruiz@x.org>",            &[("Ana", "ruiz@x.org")]),
            ("quoted comment",   "Ana <\"a . (b)\"@x. org>",        &[("Ana", "\"a . (b)\"@x.org")]),
            ("literal",          "ana@[IPv6:2001:db8::1]",          &[("", "ana@[ipv6:2001:db8::1]")]),
            ("word with at",     "ana@work, Lunch @ noon!",         &[("", "ana@work")]),
            ("no address",       "Lunch @ work with ana@work today", &[]),
            ("group, colon within", "A: B: c@x.org;, d@x.org",      &[("", "c@x.org"), ("", "d@x.org")]),
            ("blanks at @",      "ana @ x.org",                     &[("", "ana@x.org")]),
        ];
        for (name, value, expected) in cases {
            let found = read(value, 10);
            let found: Vec<(&str, &str)> =
                found.iter().map(|a| (a.name.as_str(), a.email.as_str())).collect();
            assert_eq!(found, *expected, "{name}");
        }
    }

    #[test]
    fn half_a_megabyte_of_openings_is_read_in_one_pass() {
        #[rustfmt::skip]
        let pieces =
            ["\"", "(", "<", "<\"", "\"(<\\", "@:", "a:", "a@b ", "(a)", "=?aa b?q? ", "\\",
             "<(", "a .", "a (b"];
        for piece in pieces {
            let openings = piece.repeat(500_000 / piece.len());
            read(&openings, 1_000);
            read(&format!("<{openings}>"), 1_000);
        }
    }
}
