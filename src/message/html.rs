//! HTML to the text that a person would read. Pure.
//!
//! mail-parser's converter runs the lines of `<div>` and `<td>` together and never comes back from
//! `--->` or a missing `</head>`; here only its table of entities is used.

use mail_parser::decoders::html::add_html_token;

use super::charset::by_label;

/// Elements that stand on lines of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "pre",
    "section",
    "table",
    "tbody",
    "tr",
    "ul",
];

/// Elements whose content is no text.
const SILENT: &[&str] = &["script", "style", "title", "template", "noscript", "svg", "select"];

/// Bytes of the longest entity, `&CounterClockwiseContourIntegral;`.
const MAX_ENTITY: usize = 34;

/// The text of an HTML document, with line breaks where it has blocks. Linear in its length.
pub fn to_text(html: &str) -> String {
    let mut text =
        Text { text: String::with_capacity(html.len() / 2), breaks: 0, blank: false, pre: 0 };
    let mut rest = html;
    // Once there is no `>` ahead there is none later: no further tag is looked for.
    let mut tags = true;
    let mut quotes = Quotes { double: true, single: true };
    // Likewise for each element that is opened and never closed.
    let mut endless: Vec<String> = Vec::new();
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at_checked(at).unwrap_or((rest, ""));
        text.push_html(before);
        if let Some(comment) = tag.strip_prefix("<!--") {
            rest = after_comment(comment);
            continue;
        }
        let is_tag = tag
            .as_bytes()
            .get(1)
            .is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?'));
        let end = if is_tag && tags { tag_end(tag, &mut quotes) } else { None };
        tags = tags && (!is_tag || end.is_some());
        let Some(end) = end else {
            text.push('<');
            rest = tag.get(1..).unwrap_or_default();
            continue;
        };
        let inside = tag.get(1..end).unwrap_or_default();
        rest = tag.get(end + 1..).unwrap_or_default();
        let closes = inside.starts_with('/');
        let name: String = inside
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .take(16)
            .collect::<String>()
            .to_ascii_lowercase();
        let silent = !closes && SILENT.contains(&name.as_str()) && !inside.ends_with('/');
        if silent && !endless.contains(&name) {
            match after_element(rest, &name) {
                Some(after) => rest = after,
                // A browser would show none of it, but a person asks where the mail's text is.
                None => endless.push(name),
            }
            continue;
        }
        match name.as_str() {
            "br" => text.breaks += 1,
            "p" => text.at_least(2),
            "td" | "th" => text.blank = true,
            name if BLOCKS.contains(&name) => {
                text.at_least(1);
                if name == "pre" {
                    text.pre = if closes { text.pre.saturating_sub(1) } else { text.pre + 1 };
                    // The first line feed is part of the tag (HTML standard, "in body").
                    rest = rest.strip_prefix('\r').unwrap_or(rest);
                    rest = if closes { rest } else { rest.strip_prefix('\n').unwrap_or(rest) };
                }
                if name == "li" && !closes {
                    text.push_html("- ");
                    text.blank = true;
                }
            }
            _ => {}
        }
    }
    text.push_html(rest);
    text.text
}

/// Whether a quote of this kind may still be closed.
struct Quotes {
    double: bool,
    single: bool,
}

/// Where the tag that begins `tag` ends: at the first `>` that is in no quoted value; at the first
/// one if the quotes do not add up, for a browser that shows nothing is no help to the reader.
fn tag_end(tag: &str, quotes: &mut Quotes) -> Option<usize> {
    let bytes = tag.as_bytes();
    // After `=`, where alone a quote is one: `<p title=it's>`.
    let mut value = false;
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        let hope = match byte {
            b'>' => return Some(at),
            b'"' => quotes.double,
            b'\'' => quotes.single,
            _ => false,
        };
        if value && hope {
            let inside = bytes.get(at + 1..).unwrap_or_default();
            let end = inside.iter().position(|other| *other == byte).map(|end| at + 1 + end);
            let Some(end) = end else {
                *(if byte == b'"' { &mut quotes.double } else { &mut quotes.single }) = false;
                continue;
            };
            // `<a href="x>y</a><a href="z">`: what closes it was to open the next.
            let next = bytes.get(end + 1);
            if next.is_some_and(|next| !next.is_ascii_whitespace() && !matches!(next, b'>' | b'/'))
            {
                return tag.find('>');
            }
            at = end;
        }
        value = byte == b'=' || value && byte.is_ascii_whitespace();
        at += 1;
    }
    // No tag behind this one ends outside its quotes either.
    *quotes = Quotes { double: false, single: false };
    tag.find('>')
}

fn after_comment(comment: &str) -> &str {
    // `<!-->` and `<!--->` are empty comments (HTML standard, "comment start state").
    if let Some(rest) = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->")) {
        return rest;
    }
    comment.find("-->").and_then(|end| comment.get(end + 3..)).unwrap_or_default()
}

/// What follows the end tag; `None` if it is missing.
fn after_element<'x>(rest: &'x str, name: &str) -> Option<&'x str> {
    let mut from = 0;
    while let Some(at) = rest.get(from..)?.find("</") {
        let start = from + at + 2;
        let end = start + name.len();
        if rest.get(start..end).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            let tail = rest.get(end..)?;
            return Some(tail.find('>').and_then(|at| tail.get(at + 1..)).unwrap_or_default());
        }
        from = start;
    }
    None
}

struct Text {
    text: String,
    /// Line breaks owed before the next word; an empty text owes none.
    breaks: usize,
    blank: bool,
    /// `<pre>` elements around: their line breaks are the text's.
    pre: usize,
}

impl Text {
    fn at_least(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
    }

    fn push(&mut self, c: char) {
        // A no-break space is a blank to a reader, and layouts are made of it.
        if c.is_whitespace() || c == '\u{a0}' || c == '\u{200b}' {
            self.blank = self.blank || c != '\u{200b}';
            self.breaks += usize::from(c == '\n' && self.pre > 0);
            return;
        }
        let (breaks, blank) = (std::mem::take(&mut self.breaks), std::mem::take(&mut self.blank));
        if !self.text.is_empty() {
            match (breaks, blank) {
                (0, false) => {}
                (0, true) => self.text.push(' '),
                // More than one empty line says nothing more.
                (breaks, _) => self.text.push_str(if breaks == 1 { "\n" } else { "\n\n" }),
            }
        }
        self.text.push(c);
    }

    fn push_html(&mut self, html: &str) {
        let mut rest = html;
        while let Some(at) = rest.find('&') {
            let (before, entity) = rest.split_at_checked(at).unwrap_or((rest, ""));
            before.chars().for_each(|c| self.push(c));
            let end = entity.bytes().take(MAX_ENTITY).position(|byte| byte == b';');
            let Some(entity_text) = end.and_then(|end| entity.get(..=end)) else {
                self.push('&');
                rest = entity.get(1..).unwrap_or_default();
                continue;
            };
            let mut decoded = String::new();
            match windows_1252(entity_text) {
                Some(text) => decoded = text,
                None => add_html_token(&mut decoded, entity_text.as_bytes(), false),
            }
            decoded.chars().for_each(|c| self.push(c));
            rest = entity.get(entity_text.len()..).unwrap_or_default();
        }
        rest.chars().for_each(|c| self.push(c));
    }
}

/// `&#150;` is a dash: these numbers are no characters, and always meant windows-1252 (HTML
/// standard, "numeric character reference end state").
fn windows_1252(entity: &str) -> Option<String> {
    let code = entity.strip_prefix("&#")?.strip_suffix(';')?;
    let code = match code.strip_prefix(['x', 'X']) {
        Some(code) => u8::from_str_radix(code, 16),
        None => code.parse(),
    };
    let byte = code.ok().filter(|byte| matches!(byte, 0x80..=0x9f))?;
    Some(by_label("windows-1252", &[byte]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_reads_like_the_page() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            ("plain",           "hello",                                            "hello"),
            ("paragraphs",      "<p>a</p><p>b</p>",                                 "a\n\nb"),
            ("divs",            "<div>a</div><div>b</div>",                         "a\nb"),
            ("empty div line",  "<div>a</div><div><br></div><div>b</div>",          "a\n\nb"),
            ("breaks",          "a<br>b<BR/>c<br><br><br>d",                        "a\nb\nc\n\nd"),
            ("inline",          "a<b>b</b> <i>c</i>",                               "ab c"),
            ("table",           "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            ("list",            "<ul><li>a</li><li>b</li></ul>",                    "- a\n- b"),
            ("entities",        "&lt;a&gt; &amp; &euro; &#8364; &#x20AC; &nope; & x", "<a> & € € € &nope; & x"),
            ("numbers of windows-1252", "5&#128; &#150; &#x93;a&#148; &#233; &#129;", "5€ – “a” é \u{fffd}"),
            ("pre",             "a<pre>\nb\n  c\r\n\n\nd\n</pre>e\nf",         "a\nb\nc\n\nd\ne f"),
            ("pre in pre",      "<pre>a<pre>b</pre>c\nd</pre>e\nf",             "a\nb\nc\nd\ne f"),
            ("greater in quotes", "<a title=\"x > y\" rel='>'>a</a> <img alt = '->'/>b", "a b"),
            ("apostrophe in a tag", "<p title=it's>a</p><p>it's</p>",           "a\n\nit's"),
            ("quote not closed", "<a href=\"x>a</a> <a href=\"y\">b</a>",       "a b"),
            ("last quote not closed", "<a href=\"x>a</a> b",                   "a b"),
            ("no-break spaces", "a&nbsp;&nbsp;b\u{a0}c",                            "a b c"),
            ("script, style",   "<style>p{}</style>a<script>if (a<b) x()</script>b", "ab"),
            ("head",            "<html><head><title>t</title><style>x</style></head><body>a</body></html>", "a"),
            ("no end of head",  "<head><body>a",                                    "a"),
            ("comment",         "a<!-- <p>x</p> -->b<!--->c<!-->d<!-- x --->e",     "abcde"),
            ("comment not closed", "a<!-- b",                                       "a"),
            ("outlook",         "<!--[if mso]><p>x</p><![endif]-->a<o:p>&nbsp;</o:p>", "a"),
            ("less than",       "1 < 2 and 3 > 2",                                  "1 < 2 and 3 > 2"),
            ("tag not closed",  "a <b",                                             "a <b"),
            ("style not closed", "<style>a",                                        "a"),
            ("white space",     "  a \r\n\t b  ",                                   "a b"),
            ("other scripts",   "<div>Привет,</div>мир",                            "Привет,\nмир"),
            ("empty",           "",                                                 ""),
        ];
        for (name, html, text) in cases {
            assert_eq!(to_text(html), *text, "{name}");
        }
    }

    #[test]
    fn hostile_html_is_read_in_one_pass() {
        for html in [
            "<a",
            "<!--",
            "<div>",
            "&",
            "&a",
            "<style>",
            "</",
            "<script></",
            "<a b=\"",
            "<a b='>\"",
            "<a b=\">\" ",
        ] {
            to_text(&html.repeat(100_000));
        }
    }
}
