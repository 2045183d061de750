//! `text/enriched` (RFC 1896) and the older `text/richtext` (RFC 1341 section 7.1.3) to HTML, which
//! is read as any other. Pure.

/// Octets of a command's name (RFC 1896, "at most 60 characters").
const MAX_COMMAND: usize = 60;

/// Commands around what stands on lines of its own.
const BLOCKS: &[&str] = &[
    "center",
    "flushleft",
    "flushright",
    "flushboth",
    "indent",
    "indentright",
    "outdent",
    "outdentright",
    "paraindent",
    "paragraph",
    "heading",
    "footing",
    "signature",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Enriched,
    Richtext,
}

/// The same text in HTML: its lines and quotes, without sizes and colours. Linear in its length.
///
/// Lines of `text` end with LF.
pub fn to_html(text: &str, dialect: Dialect) -> String {
    let mut writer = Writer::new(text, dialect);
    let mut rest = text;
    while let Some(at) = rest.find(['<', '\n', '&', '>']) {
        let (before, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        writer.html.push_str(before);
        rest = writer.take(tail);
    }
    writer.html.push_str(rest);
    writer.html
}

struct Writer {
    dialect: Dialect,
    html: String,
    /// Line breaks of the text are the writer's own: who wrote `text/richtext` without any `<nl>`
    /// did not know it.
    lines: bool,
    nofill: usize,
    excerpts: usize,
    /// Whether there may be a `</param>` ahead, and a `</comment>`: one that is not closed hides
    /// nothing.
    params: bool,
    comments: bool,
}

impl Writer {
    fn new(text: &str, dialect: Dialect) -> Writer {
        let lines = dialect == Dialect::Richtext
            && after(text, "<nl>").is_none()
            && after(text, "<paragraph>").is_none();
        let html = String::with_capacity(text.len());
        Writer { dialect, html, lines, nofill: 0, excerpts: 0, params: true, comments: true }
    }

    /// Writes what `text` begins with; the rest.
    fn take<'x>(&mut self, text: &'x str) -> &'x str {
        if text.starts_with('\n') {
            let rest = text.trim_start_matches('\n');
            self.break_lines(text.len() - rest.len());
            return rest;
        }
        if let Some(rest) = text.strip_prefix("<<")
            && self.dialect == Dialect::Enriched
        {
            self.html.push_str("&lt;");
            return rest;
        }
        if let Some((name, closes, rest)) = command(text) {
            return self.obey(&name, closes, rest);
        }
        let mut chars = text.chars();
        match chars.next() {
            Some('<') => self.html.push_str("&lt;"),
            Some('>') => self.html.push_str("&gt;"),
            Some('&') => self.html.push_str("&amp;"),
            Some(other) => self.html.push(other),
            None => {}
        }
        chars.as_str()
    }

    /// One line break is a blank, and of several one goes (RFC 1896, "CRLF").
    fn break_lines(&mut self, count: usize) {
        if self.nofill > 0 {
            self.html.push_str(&"\n".repeat(count));
            return;
        }
        let shown = match self.dialect {
            Dialect::Enriched => count - 1,
            Dialect::Richtext if self.lines => count,
            Dialect::Richtext => 0,
        };
        self.html.push(' ');
        // No more are shown than make one empty line.
        self.html.push_str(&"<br>".repeat(shown.min(2)));
    }

    fn obey<'x>(&mut self, name: &str, closes: bool, rest: &'x str) -> &'x str {
        match (name, closes) {
            // What a command needs to know, as a colour's name.
            ("param", false) if self.params => {
                let end = after(rest, "</param>");
                self.params = end.is_some();
                return end.unwrap_or(rest);
            }
            ("comment", false) if self.comments => {
                let end = after(rest, "</comment>");
                self.comments = end.is_some();
                return end.unwrap_or(rest);
            }
            ("nl" | "np", false) => self.html.push_str("<br>"),
            ("lt", false) => self.html.push_str("&lt;"),
            ("nofill", false) => {
                self.nofill += 1;
                self.html.push_str("<pre>");
            }
            ("nofill", true) if self.nofill > 0 => {
                self.nofill -= 1;
                self.html.push_str("</pre>");
            }
            ("excerpt", false) => {
                self.excerpts += 1;
                self.html.push_str("<blockquote>");
            }
            ("excerpt", true) if self.excerpts > 0 => {
                self.excerpts -= 1;
                self.html.push_str("</blockquote>");
            }
            (block, false) if BLOCKS.contains(&block) => self.html.push_str("<div>"),
            (block, true) if BLOCKS.contains(&block) => self.html.push_str("</div>"),
            // Whoever does not know a command leaves it out.
            (_, _) => {}
        }
        rest
    }
}

/// The command that `text` begins with in lower case, whether it is an end, and what follows it.
fn command(text: &str) -> Option<(String, bool, &str)> {
    let inside = text.strip_prefix('<')?;
    let (inside, closes) = match inside.strip_prefix('/') {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let end = inside.bytes().take(MAX_COMMAND + 1).take_while(named).count();
    let name = inside.get(..end).filter(|name| !name.is_empty() && name.len() <= MAX_COMMAND)?;
    let rest = inside.get(end..)?.strip_prefix('>')?;
    Some((name.to_ascii_lowercase(), closes, rest))
}

/// What stands behind `what`, which is in lower case and ASCII.
fn after<'x>(text: &'x str, what: &str) -> Option<&'x str> {
    let (bytes, what) = (text.as_bytes(), what.as_bytes());
    let at = bytes.windows(what.len()).position(|window| window.eq_ignore_ascii_case(what))?;
    text.get(at + what.len()..)
}

#[cfg(test)]
mod tests {
    use super::super::html;
    use super::*;

    #[test]
    fn marks_are_obeyed_and_not_shown() {
        use Dialect::{Enriched, Richtext};
        #[rustfmt::skip]
        let cases: &[(&str, Dialect, &str, &str)] = &[
            ("plain",             Enriched, "hello",                                     "hello"),
            ("marks",             Enriched, "<bold>a</bold> <Italic>b</ITALIC>",         "a b"),
            ("one line break",    Enriched, "a\nb",                                      "a b"),
            ("two, three",        Enriched, "a\n\nb\n\n\nc",                             "a\nb\n\nc"),
            ("less than",         Enriched, "a << b, <<b>",                              "a < b, <b>"),
            ("parameter",         Enriched, "<color><param>red</param>a</color>",        "a"),
            ("parameter, not closed", Enriched, "<color><param>red a",                   "red a"),
            ("no fill",           Enriched, "a\nb<nofill>c\nd</nofill>e\nf",             "a b\nc\nd\ne f"),
            ("excerpt",           Enriched, "a\n\n<excerpt>b\n\nc</excerpt>d",           "a\n> b\n> c\nd"),
            ("centred",           Enriched, "a<center>b</center>c",                      "a\nb\nc"),
            ("unknown command",   Enriched, "<x-unknown>a</x-unknown>",                  "a"),
            ("address",           Enriched, "Ana <ana@customer.example>",                "Ana <ana@customer.example>"),
            ("no command",        Enriched, "1 < 2 > 1 & <>",                            "1 < 2 > 1 & <>"),
            ("entity that is none", Enriched, "&amp; &lt;b>",                            "&amp; &lt;b>"),
            ("html that is none", Enriched, "<script>a<style>b<head>c",                  "abc"),
            ("ends alone",        Enriched, "</excerpt></nofill></param>a",              "a"),
            ("richtext",          Richtext, "<bold>a</bold><nl>b\nc <lt>d>",             "a\nb c <d>"),
            ("richtext, comment", Richtext, "a<comment>x</Comment>b<nl>",                "ab"),
            ("richtext, paragraph", Richtext, "<paragraph>a</paragraph><paragraph>b</paragraph>", "a\nb"),
            ("richtext, two",     Richtext, "a<<bold>b</bold><nl>",                      "a<b"),
            ("richtext with lines", Richtext, "<bold>a</bold>\nb\n\nc",                  "a\nb\n\nc"),
            ("empty",             Enriched, "",                                          ""),
        ];
        for (name, dialect, text, expected) in cases {
            assert_eq!(html::to_text(&to_html(text, *dialect)), *expected, "{name}");
        }
    }

    #[test]
    fn hostile_text_is_read_in_one_pass() {
        for piece in
            ["<", "<<", "<param>", "<comment>", "<a", "</", "\n", "<excerpt>", "<nofill>\n", "&"]
        {
            for dialect in [Dialect::Enriched, Dialect::Richtext] {
                html::to_text(&to_html(&piece.repeat(50_000), dialect));
            }
        }
        let long = format!("<{}>", "a".repeat(MAX_COMMAND + 1));
        assert_eq!(html::to_text(&to_html(&long, Dialect::Enriched)), long);
    }
}
