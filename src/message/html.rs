//! HTML to the text that a person would read. Pure.
//!
//! mail-parser's converter runs the lines of `<div>` and `<td>` together and never comes back from
//! `--->` or a missing `</head>`; here only its table of entities is used.

use mail_parser::decoders::html::add_html_token;

use super::charset::{by_label, is_invisible};
use super::style;
use super::tags::{Tag, Tags};

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

/// Bytes of the longest entity, `&CounterClockwiseContourIntegral;`.
const MAX_ENTITY: usize = 34;

/// How many times the length of a document may be looked through for the ends of hidden elements.
const LOOK_AHEAD: usize = 8;

/// Bytes of the descriptions of images that are kept for a mail without any other text.
const MAX_DESCRIPTIONS: usize = 16 * 1024;

/// Octets of a link's target that is shown; longer ones count clicks.
const MAX_TARGET: usize = 300;

/// Quotes inside one another that are shown as such.
const MAX_QUOTES: usize = 8;

/// The text of an HTML document, with line breaks where it has blocks. Linear in its length.
///
/// What a style hides is left out, quotes begin their lines with `> `, and a link whose text does
/// not say where it leads is followed by its target. Where nothing else is seen, it is what the
/// pictures are described by, or else what is hidden.
pub fn to_text(html: &str) -> String {
    let text = convert(html, Show { targets: true, hidden: false });
    if text.is_empty() { convert(html, Show { targets: true, hidden: true }) } else { text }
}

/// The same without targets, for the identity of a mail: gateways write other ones into each copy.
pub fn to_words(html: &str) -> String {
    let text = convert(html, Show { targets: false, hidden: false });
    if text.is_empty() { convert(html, Show { targets: false, hidden: true }) } else { text }
}

#[derive(Clone, Copy)]
struct Show {
    targets: bool,
    hidden: bool,
}

fn convert(html: &str, show: Show) -> String {
    let mut tags = Tags::new(html);
    let mut text = Text::default();
    let mut budget = html.len().saturating_mul(LOOK_AHEAD);
    let mut link: Option<Link> = None;
    let mut quotes: Vec<bool> = Vec::new();
    let mut descriptions = String::new();
    while let Some((before, tag)) = tags.next() {
        text.push_html(before);
        let Some(Tag { name, inside, closes }) = tag else {
            continue;
        };
        if !closes
            && !show.hidden
            && let Some(hidden) = style::hidden(&name, inside)
            && let Some(after) = tags.end_of(&name, hidden, &mut budget)
        {
            tags = after;
            continue;
        }
        match name.as_str() {
            "br" => text.break_line(),
            "p" => text.at_least(2),
            "a" => {
                if let Some(link) = link.take() {
                    link.close(&mut text);
                }
                let target = style::attribute(inside, "href").filter(|_| show.targets && !closes);
                link = target.and_then(target_of).map(|target| Link::open(target, &text));
            }
            "img" => {
                if let Some(shown) = style::attribute(inside, "alt")
                    && text.text.is_empty()
                    && descriptions.len() + shown.len() < MAX_DESCRIPTIONS
                {
                    descriptions.push_str(shown);
                    descriptions.push_str("<br>");
                }
            }
            "td" | "th" if closes => text.held = None,
            "td" | "th" => text.begin_cell(),
            "blockquote" => {
                text.at_least(1);
                if closes {
                    text.quotes -= usize::from(quotes.pop() == Some(true));
                } else {
                    let quote = !style::is_indent(inside);
                    quotes.push(quote);
                    text.quotes += usize::from(quote);
                }
            }
            name if BLOCKS.contains(&name) => {
                if matches!(name, "tr" | "table") && closes {
                    text.held = None;
                }
                text.at_least(1);
                if name == "tr" {
                    text.cell = None;
                }
                if name == "pre" {
                    text.pre = if closes { text.pre.saturating_sub(1) } else { text.pre + 1 };
                    // The first line feed is part of the tag (HTML standard, "in body").
                    tags.rest = tags.rest.strip_prefix('\r').unwrap_or(tags.rest);
                    if !closes {
                        tags.rest = tags.rest.strip_prefix('\n').unwrap_or(tags.rest);
                    }
                }
                if name == "li" && !closes {
                    text.push_html("- ");
                    text.blank = true;
                    text.held = Some(text.text.len());
                }
            }
            _ => {}
        }
    }
    if let Some(link) = link {
        link.close(&mut text);
    }
    if text.text.is_empty() && !descriptions.is_empty() {
        let mut images = Text::default();
        for line in descriptions.split("<br>") {
            images.push_html(line);
            images.at_least(1);
        }
        return images.text;
    }
    text.text
}

/// A link whose end has not been seen.
struct Link {
    target: String,
    /// Where its text begins.
    start: usize,
}

impl Link {
    fn open(target: String, text: &Text) -> Link {
        Link { target, start: text.text.len() }
    }

    /// Puts the target behind the text, unless the text is it. A picture has no text.
    fn close(self, text: &mut Text) {
        let shown = text.text.get(self.start..).unwrap_or_default().trim();
        if !shown.contains(char::is_alphanumeric) || says(shown, &self.target) {
            return;
        }
        text.text.push_str(" <");
        text.text.push_str(&self.target);
        text.text.push('>');
    }
}

/// A target that is shown: of the web or a mail address.
fn target_of(href: &str) -> Option<String> {
    if href.len() > 2 * MAX_TARGET {
        return None;
    }
    let mut target = Text::default();
    target.push_html(href);
    let target = target.text;
    let is = |scheme: &str| {
        target.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    let known = ["https://", "http://", "mailto:"].into_iter().any(is);
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"');
    let odd = |c: char| odd(c) || is_invisible(c);
    (known && target.len() <= MAX_TARGET && !target.contains(odd)).then_some(target)
}

/// Whether the text of a link says where it leads: `www.example.com` for
/// `https://www.example.com/?from=mail`, but not for `https://www.example.com.example.net/`.
fn says(shown: &str, target: &str) -> bool {
    let bare = |text: &str| {
        let text = text.trim_matches(|c: char| matches!(c, '<' | '>' | '(' | ')' | '.' | ','));
        let text = text.to_lowercase();
        let text = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
        let text = text.strip_prefix("mailto:").unwrap_or(text);
        let text = text.strip_prefix("www.").unwrap_or(text);
        text.trim_end_matches('/').to_owned()
    };
    let (shown, target) = (bare(shown), bare(target));
    let rest = target.strip_prefix(&shown);
    !shown.is_empty()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

#[derive(Default)]
struct Text {
    text: String,
    /// Line breaks owed before the next word; an empty text owes none.
    breaks: usize,
    blank: bool,
    /// `<pre>` elements around: their line breaks are the text's.
    pre: usize,
    /// `<blockquote>` elements around.
    quotes: usize,
    /// Those around the last word.
    quoted: usize,
    /// As long as the text ends here no block breaks the line: a cell or an item has just begun.
    held: Option<usize>,
    /// Where the last cell of this row began.
    cell: Option<usize>,
}

impl Text {
    fn at_least(&mut self, breaks: usize) {
        if self.held != Some(self.text.len()) {
            self.breaks = self.breaks.max(breaks);
        }
    }

    fn break_line(&mut self) {
        if self.held != Some(self.text.len()) {
            self.breaks += 1;
        }
    }

    /// The cells of a row stand in one line, unless they have lines themselves.
    fn begin_cell(&mut self) {
        let before = self.cell.replace(self.text.len());
        let before = before.and_then(|start| self.text.get(start..));
        // The line break that led to the cell is none in it.
        let before = before.map(|cell| cell.trim_start());
        if before.is_some_and(|cell| !cell.contains('\n')) {
            self.breaks = 0;
            self.held = Some(self.text.len());
        } else {
            self.held = None;
        }
        self.blank = true;
    }

    /// The line break itself, and what begins a line.
    fn begin_line(&mut self, breaks: usize) {
        let now = self.quotes.min(MAX_QUOTES);
        if !self.text.is_empty() {
            self.text.push('\n');
            // More than one empty line says nothing more.
            if breaks > 1 {
                let both = now.min(self.quoted);
                self.text.push_str("> ".repeat(both).trim_end());
                self.text.push('\n');
            }
        }
        self.text.push_str(&"> ".repeat(now));
        self.quoted = now;
    }

    fn push(&mut self, c: char) {
        // A no-break space is a blank to a reader, and layouts are made of it.
        if c.is_whitespace() || c == '\u{a0}' || c == '\u{200b}' {
            self.blank = self.blank || c != '\u{200b}';
            if c == '\n' && self.pre > 0 {
                self.breaks += 1;
            }
            return;
        }
        let (breaks, blank) = (std::mem::take(&mut self.breaks), std::mem::take(&mut self.blank));
        match breaks {
            0 if self.text.is_empty() => self.begin_line(0),
            0 if blank && !self.text.ends_with("> ") => self.text.push(' '),
            0 => {}
            breaks => self.begin_line(breaks),
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
            ("head, header",    "<head><meta><title>t</title>x</head><header>a</header>",  "a"),
            ("head of another", "<head><body>a<blockquote><html><head>x</head><body>b</body></blockquote>", "a\n> xb"),
            ("display none",    "<div style='display:none'>x<div>y</div></div>a",   "a"),
            ("preheader",       "<div style=\"display: none !important; max-height:0px; overflow:hidden; mso-hide:all\">x&zwnj;</div><p>a</p>", "a"),
            ("visibility",      "<span style='Visibility: HIDDEN'>x</span>a",       "a"),
            ("font of no size", "<span style='font-size:0'>x</span><p style='font-size:0px'>y</p>a", "a"),
            ("font of no size, undone", "<td style='font-size:0px'><div style='font-size:13px'>a</div></td>", "a"),
            ("font of some size", "<p style='font-size:0.9em'>a</p>",               "a"),
            ("no height",       "<div style='max-height:0;overflow:hidden'>x</div><div style='max-height:0'>a</div>", "a"),
            ("opacity",         "<div style='opacity:0'>x</div><div style='opacity:0.5'>a</div>", "a"),
            ("transparent",     "<div style='color:transparent'>x</div><div style='background-color:transparent'>a</div>", "a"),
            ("hidden",          "<div hidden>x</div><p data-x='hidden'>a</p>",      "a"),
            ("hidden from outlook", "<!--[if mso]>x<![endif]--><!--[if !mso]><!--><div style='mso-hide:all'>a</div><!--<![endif]--><a style='mso-hide:all'>b</a>", "a\nb"),
            ("hidden, not closed in a cell", "<div>Hi<table><tr><td><div style='display:none'>x</td></tr></table><p>a</p></div>", "Hi\n\na"),
            ("hidden, closed for another", "<body><div>a<div hidden>b<p>c</p></div></body><div>d</div>", "a\nd"),
            ("hidden, ended by no page", "<body><p>a</p><div hidden>b</body></html><div>c</div></div>", "a\n\nb\nc"),
            ("nothing but hidden", "<div hidden><p>a</p></div><img>",              "a"),
            ("hidden, not closed", "<div style='display:none'>a",                   "a"),
            ("hidden paragraph, not closed", "<p style='display:none'>x<p>a",       "a"),
            ("hidden picture",  "<img style='display:none' alt=x>a",                "a"),
            ("hidden body",     "<body style='opacity:0'>a</body>",                 "a"),
            ("hidden twice",    "<div hidden>x</div>a<div hidden>y</div>b",         "ab"),
            ("style of two quotes", "<p style='font-family:\"A\";display:none'>x</p>a", "a"),
            ("picture only",    "<a href='https://example.com/'><img src=x alt='Buy &amp; save'></a><img alt=Now>", "Buy & save\nNow"),
            ("picture and text", "<img alt=x>a",                                    "a"),
            ("link",            "See <a href='https://example.com/a?b=1&amp;c=2'>our offer</a>.", "See our offer <https://example.com/a?b=1&c=2>."),
            ("link with blank", "<a href='https://example.com/a'>offer </a>now",    "offer <https://example.com/a> now"),
            ("link that says it", "<a href='https://www.example.com/'>www.example.com</a>", "www.example.com"),
            ("link with more",  "<a href='https://example.com/a?utm=1'>https://example.com/a</a>", "https://example.com/a"),
            ("link that lies",  "<a href='https://example.com.example.net/'>example.com</a>", "example.com <https://example.com.example.net/>"),
            ("mail link",       "<a href='mailto:ana@example.com?subject=x'>ana@example.com</a> <a href=mailto:bo@example.com>Bo</a>", "ana@example.com Bo <mailto:bo@example.com>"),
            ("link of a picture", "<a href='https://example.com/'><img alt=x></a>a", "a"),
            ("other links",     "<a href='#top'>a</a> <a href='javascript:x()'>b</a> <a href='tel:1'>c</a> <a name=x>d</a>", "a b c d"),
            ("link not closed", "<a href='https://example.com/1'>a <a href='https://example.com/2'>b", "a <https://example.com/1> b <https://example.com/2>"),
            ("row of paragraphs", "<table><tr><td><p>a</p></td><td><p>b</p></td></tr><tr><td><p>c</p></td><td></td></tr></table>d", "a b\n\nc\nd"),
            ("cells of lines",  "<tr><td>a<br>b</td><td><p>c</p></td></tr>",        "a\nb\n\nc"),
            ("table in a cell", "<tr><td>a</td><td><table><tr><td>b</td><td>c</td></tr></table></td></tr><tr><td>d", "a b c\nd"),
            ("item of a paragraph", "<ul><li><p>a</p></li><li><p>b</p></li></ul>",  "- a\n\n- b"),
            ("quote",           "a<blockquote><p>b</p><p>c</p><blockquote>d</blockquote></blockquote>e", "a\n\n> b\n>\n> c\n>\n> > d\ne"),
            ("quote alone",     "<blockquote>a<br>b</blockquote>",                  "> a\n> b"),
            ("indent",          "<blockquote style='margin:0 0 0 40px;border:none;padding:0px'>a</blockquote>", "a"),
        ];
        for (name, html, text) in cases {
            assert_eq!(to_text(html), *text, "{name}");
        }
    }

    #[test]
    fn identity_knows_words_and_no_targets() {
        let copy = |target: &str| to_words(&format!("<a href='https://{target}/'>offer</a>"));
        assert_eq!(copy("a.example"), "offer");
        assert_eq!(copy("a.example"), copy("gateway.example/x"));
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
            "<div hidden>",
            "<div style='display:none'></div>",
            "<td style='font-size:0'><i style='font-size:1px'>",
            "<div hidden><table>",
            "<table hidden><td>",
            "<td hidden></table>",
            "<p style='opacity:0'>",
            "<blockquote>a",
            "<a href='https://a.example/'>b",
            "<img alt=x>",
            "<li><td>",
            "<head>",
        ] {
            to_text(&html.repeat(100_000));
        }
        for piece in ["-color:", "color:", "color", "font:0 ", "-font-size=", "font   "] {
            for style in ["color:transparent", "font-size:0"] {
                let content = piece.repeat(100_000);
                to_text(&format!("<p style='{style}'>{content}</p>"));
            }
        }
    }
}
