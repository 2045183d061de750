//! What attributes and styles of an HTML element say about its text being seen. Pure.

/// Bytes of a tag in which attributes are read.
const MAX_TAG: usize = 16 * 1024;

/// Bytes behind the name of a property in which its value is read.
const MAX_VALUE: usize = 64;

/// How an element is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    Wholly,
    /// Without size: what is inside may have one. Frameworks (MJML) put whole mails into this.
    BySize,
    /// In no colour: likewise.
    ByColour,
}

/// Elements that have no content, and those that hold the whole document.
const NEVER: &[&str] = &[
    "html", "body", "br", "img", "hr", "input", "meta", "link", "area", "base", "col", "embed",
    "source", "track", "wbr", "param",
];

/// How the element is hidden; `None` if it is seen.
pub fn hidden(name: &str, inside: &str) -> Option<Hidden> {
    if name.is_empty() || NEVER.contains(&name) || inside.ends_with('/') {
        return None;
    }
    // Most tags have no attribute at all.
    if inside.len() <= name.len() + 1 {
        return None;
    }
    attributes(inside).find_map(|(attribute, value)| {
        if attribute.eq_ignore_ascii_case("hidden") {
            return Some(Hidden::Wholly);
        }
        attribute.eq_ignore_ascii_case("style").then(|| by_style(value)).flatten()
    })
}

fn by_style(style: &str) -> Option<Hidden> {
    let mut hidden = None;
    let (mut flat, mut cut) = (false, false);
    for declaration in style.split(';') {
        let Some((property, value)) = declaration.split_once(':') else {
            continue;
        };
        let property = property.trim().to_ascii_lowercase();
        let value = value.trim().to_ascii_lowercase();
        let value = value.trim_end_matches("!important").trim();
        match property.as_str() {
            "display" if value == "none" => return Some(Hidden::Wholly),
            "visibility" if value == "hidden" => return Some(Hidden::Wholly),
            // `mso-hide` hides from Outlook alone, to which a comment shows the same otherwise.
            "opacity" if is_zero(value) => return Some(Hidden::Wholly),
            "max-height" | "height" => flat = flat || is_zero(value),
            "overflow" | "overflow-y" => cut = cut || value == "hidden",
            "font-size" if is_zero(value) => hidden = Some(Hidden::BySize),
            "color" if value == "transparent" => hidden = Some(Hidden::ByColour),
            _ => {}
        }
    }
    if flat && cut { Some(Hidden::Wholly) } else { hidden }
}

/// `0`, `0px`, `0.0em`.
fn is_zero(value: &str) -> bool {
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    number.trim().parse::<f64>().is_ok_and(|number| number == 0.0)
}

/// Whether something in `content` has again what hides the element around it.
pub fn is_undone(hidden: Hidden, content: &str) -> bool {
    let content = content.to_ascii_lowercase();
    let shown = |property: &str| {
        content.match_indices(property).any(|(at, _)| {
            // `background-color` is another property.
            let own = !content.get(..at).is_some_and(|before| before.ends_with('-'));
            own && is_shown(beginning(content.get(at + property.len()..).unwrap_or_default()))
        })
    };
    match hidden {
        Hidden::Wholly => false,
        Hidden::BySize => shown("font-size") || shown("font"),
        Hidden::ByColour => shown("color"),
    }
}

/// Whether what follows a property gives it a size or a colour.
fn is_shown(rest: &str) -> bool {
    let value = rest.trim_start().strip_prefix([':', '=']).unwrap_or_default();
    let value = value.split([';', '"', '\'', '>', '!']).next().unwrap_or_default().trim();
    !value.is_empty() && !is_zero(value) && value != "transparent"
}

/// No more of a text than the value of one property needs: the same text may follow many of them.
fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_VALUE)).unwrap_or_default()
}

/// A `<blockquote>` with which a program only moves text to the right.
pub fn is_indent(inside: &str) -> bool {
    let style = attribute(inside, "style").unwrap_or_default().to_ascii_lowercase();
    style.split(';').any(|declaration| {
        let (property, value) = declaration.split_once(':').unwrap_or_default();
        property.trim() == "border" && value.trim().starts_with("none")
    })
}

/// The value of an attribute, entities still in it.
pub fn attribute<'x>(inside: &'x str, name: &str) -> Option<&'x str> {
    let found = attributes(inside).find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

/// The attributes in what stands between the angle brackets of a tag.
fn attributes(inside: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut end = inside.len().min(MAX_TAG);
    while !inside.is_char_boundary(end) {
        end -= 1;
    }
    let inside = inside.get(..end).unwrap_or_default();
    let blank = |c: char| c.is_ascii_whitespace() || c == '/';
    // Behind the name of the element.
    let mut rest = inside.find(blank).and_then(|end| inside.get(end..)).unwrap_or_default();
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(blank);
        let end = rest.find(|c: char| blank(c) || c == '=').unwrap_or(rest.len());
        let (name, tail) = rest.split_at_checked(end)?;
        let Some(value) = tail.trim_start().strip_prefix('=').map(str::trim_start) else {
            rest = tail;
            return (!name.is_empty()).then_some((name, ""));
        };
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, tail) = match quote {
            Some(quote) => {
                let value = value.get(1..).unwrap_or_default();
                value.split_once(quote).unwrap_or((value, ""))
            }
            None => {
                let end = value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len());
                value.split_at_checked(end).unwrap_or((value, ""))
            }
        };
        rest = tail;
        Some((name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_may_be_seen_again() {
        use Hidden::{ByColour, BySize, Wholly};
        #[rustfmt::skip]
        let cases: &[(&str, Hidden, &str, bool)] = &[
            ("size",             BySize,   "<i style='font-size:13px'>", true),
            ("no size again",    BySize,   "<i style='font-size:0px'>", false),
            ("size, short form", BySize,   "<i style='FONT: 13px Arial'>", true),
            ("colour",           ByColour, "<i style='color : #000 !important'>", true),
            ("colour of <font>", ByColour, "<font color=red>", true),
            ("no colour again",  ByColour, "<i style='color:transparent'>", false),
            ("another's colour", ByColour, "<i style='background-color:red'>", false),
            ("a word",           ByColour, "our colors", false),
            ("letters of others", ByColour, "<i style='color:\u{442}\u{435}\u{43c}\u{43d}\u{43e}\u{442}\u{435}\u{43c}\u{43d}\u{43e}\u{442}\u{435}\u{43c}\u{43d}\u{43e}\u{442}\u{435}\u{43c}\u{43d}\u{43e}\u{442}\u{435}\u{43c}\u{43d}\u{43e}\u{442}\u{435}\u{43c}'>", true),
            ("value far away",   ByColour, &format!("color:{}red", " ".repeat(100)), false),
            ("wholly",           Wholly,   "<i style='font-size:13px;color:red'>", false),
        ];
        for (name, hidden, content, undone) in cases {
            assert_eq!(is_undone(*hidden, content), *undone, "{name}");
        }
    }

    #[test]
    fn attributes_are_read_as_they_are_written() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("double quotes",  "a href=\"b c\"",        Some("b c")),
            ("single quotes",  "a x='>' HREF='b'",      Some("b")),
            ("no quotes",      "a href=b/c class=d",    Some("b/c")),
            ("blanks",         "a href = 'b'",          Some("b")),
            ("lines",          "a\n\thref='b'\n",       Some("b")),
            ("no value",       "a href",                Some("")),
            ("glued",          "a class='x'href='b'",   Some("b")),
            ("not closed",     "a href='b",             Some("b")),
            ("other name",     "a data-href='b'",       None),
            ("in a value",     "a title=\" href='b'\"", None),
            ("nothing",        "a",                     None),
            ("equals first",   "a ='x' href=b",         Some("b")),
        ];
        for (name, inside, value) in cases {
            assert_eq!(attribute(inside, "href"), *value, "{name}");
        }
    }
}
